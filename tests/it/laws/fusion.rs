//! Fused is unfused: a chain in one function gives what its operators give, each in a function of its own.

use proptest::prelude::*;
use streamflow::DStream;
use streamflow::prelude::*;

use super::Order::{Free, Kept};
use super::{Order, Sample, batches, canonical, law, output, setup};

/// Compiles a chain twice, as one function and as one function for each operator, and compares their results.
macro_rules! chains {
    ($($name:ident: $order:ident, $in:ty => $result:ty $(, [$($op:tt)+] => $out:ty)+;)*) => {$(
        #[test]
        fn $name() {
            #[stream]
            fn fused(stream: DStream<$in>) -> DStream<$result> {
                stream $(.$($op)+)+
            }
            fn unfused(stream: DStream<$in>) -> DStream<$result> {
                chains!(@unfused stream, $in; $([$($op)+] => $out,)+)
            }
            same($order, fused, unfused);
        }
    )*};
    (@unfused $stream:ident, $in:ty;) => { $stream };
    (@unfused $stream:ident, $in:ty; [$($op:tt)+] => $out:ty, $($rest:tt)*) => {{
        #[stream]
        fn single(stream: DStream<$in>) -> DStream<$out> {
            stream.$($op)+
        }
        let next = single($stream);
        chains!(@unfused next, $out; $($rest)*)
    }};
}

fn same<A: Sample, R: Clone + std::fmt::Debug + Ord + Send + Sync + 'static>(
    order: Order,
    fused: impl Fn(DStream<A>) -> DStream<R>,
    unfused: impl Fn(DStream<A>) -> DStream<R>,
) {
    law(64, (batches::<A>(), setup(), setup()), |(input, setup, other)| {
        // The partitions of the input may show where order is promised, so only the threads differ there.
        let other = if let Kept = order { super::Setup { threads: other.threads, ..setup } } else { other };
        let fused = output(setup, std::slice::from_ref(&input), |mut streams| fused(streams.remove(0)))?;
        let unfused = output(other, &[input], |mut streams| unfused(streams.remove(0)))?;
        prop_assert_eq!(canonical(&fused, order), canonical(&unfused, order));
        Ok(())
    });
}

type Pair = (i64, i64);

chains! {
    narrow_operators: Kept, i64 => String,
        [map(|n| n + 1)] => i64,
        [filter(|n| n % 3 != 0)] => i64,
        [flat_map(|n| [n, n * 10])] => i64,
        [filter_map(|n| (n != 5).then_some(n - 1))] => i64,
        [inspect(|n| assert!(*n != 4))] => i64,
        [map(|n| n.to_string())] => String;
    keyed_operators: Kept, i64 => i64,
        [key_by(|n| n % 3)] => Pair,
        [map_values(|v| v * 2)] => Pair,
        [flat_map_values(|v| vec![v; 2])] => Pair,
        [swap()] => Pair,
        [filter(|(k, _)| *k != 4)] => Pair,
        [values()] => i64;
    partitions_seen_twice: Kept, i64 => usize,
        [map(|n| n * 2)] => i64,
        [map_partitions(|part| part.skip(1))] => i64,
        [filter(|n| *n > -10)] => i64,
        [glom()] => Vec<i64>,
        [map(|part| part.len())] => usize,
        [map_partitions(|lengths| [lengths.sum::<usize>()])] => usize;
    a_word_count: Free, String => (u64, usize),
        [flat_map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>())] => String,
        [filter(|word| !word.is_empty())] => String,
        [map(|word| (word, 1))] => (String, u64),
        [reduce_by_key(|a, b| a + b)] => (String, u64),
        [map(|(word, count)| (count, word))] => (u64, String),
        [group_by_key()] => (u64, Vec<String>),
        [map_values(|words| words.len())] => (u64, usize);
    shuffle_upon_shuffle: Free, i64 => i64,
        [map(|n| (n % 4, n))] => Pair,
        [reduce_by_key(|a, b| a + b)] => Pair,
        [swap()] => Pair,
        [map_values(|v| v + 1)] => Pair,
        [fold_by_key(0, |a, b| a + b)] => Pair,
        [values()] => i64,
        [distinct()] => i64,
        [count_by_value()] => (i64, u64),
        [map(|(n, count)| n + count as i64)] => i64,
        [repartition(3)] => i64,
        [reduce(|a, b| a + b)] => i64;
    totals: Free, i64 => u64,
        [filter(|n| *n >= 0)] => i64,
        [count()] => u64,
        [map(|n| n * 2)] => u64,
        [top_by(3, |n| *n)] => u64,
        [transform(|batch| batch.map(|n| n + 1))] => u64,
        [flat_map(|n| 0..n)] => u64,
        [count()] => u64;
}

/// A fork cannot be written as a chain: two branches of one loop, against the same as functions.
#[test]
fn a_fork() {
    #[stream]
    fn fused(numbers: DStream<i64>) -> DStream<i64> {
        let kept = numbers.filter(|n| *n > -5);
        let even = kept.filter(|n| n % 2 == 0).key_by(|n| n % 3).reduce_by_key(|a, b| a + b).values();
        kept.map(|n| n * 100).union(even, kept)
    }
    #[stream]
    fn keep(numbers: DStream<i64>) -> DStream<i64> {
        numbers.filter(|n| *n > -5)
    }
    #[stream]
    fn even(kept: DStream<i64>) -> DStream<i64> {
        kept.filter(|n| n % 2 == 0)
    }
    #[stream]
    fn sums(numbers: DStream<i64>) -> DStream<i64> {
        numbers.key_by(|n| n % 3).reduce_by_key(|a, b| a + b).values()
    }
    #[stream]
    fn large(numbers: DStream<i64>) -> DStream<i64> {
        numbers.map(|n| n * 100)
    }
    #[stream]
    fn all(a: DStream<i64>, b: DStream<i64>, c: DStream<i64>) -> DStream<i64> {
        a.union(b, c)
    }
    same(Free, fused, |numbers| {
        let kept = keep(numbers);
        all(large(kept.clone()), sums(even(kept.clone())), kept)
    });
}
