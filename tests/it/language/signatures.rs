//! What a `#[stream]` function may look like from outside, and what else may stand in its body.

use std::fmt::Display;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use streamflow::BatchContext;
use streamflow::prelude::*;

use super::{on, on_lines, sorted};

#[test]
fn functions_may_be_generic() {
    #[stream]
    fn frequent<T>(records: DStream<T>, min: u64) -> DStream<(T, u64)>
    where
        T: Hash + Eq + Send + Sync + 'static,
    {
        records.count_by_value().filter(|(_, count)| *count >= min)
    }
    assert_eq!(on(['a', 'b', 'a'], |letters| frequent(letters, 2)), [('a', 2)]);
    assert_eq!(on([(1, "x"), (1, "x")], |pairs| frequent::<(u8, &str)>(pairs, 2)), [((1, "x"), 2)]);
}

#[test]
fn generic_keys_and_values_need_only_plain_bounds() {
    #[stream]
    fn largest<K: Hash + Eq + Send + Sync + 'static, V: Ord + Send + Sync + 'static>(
        pairs: DStream<(K, V)>,
    ) -> DStream<(K, V)> {
        pairs.reduce_by_key(|a, b| a.max(b))
    }
    assert_eq!(on([("k", 1), ("k", 3)], largest), [("k", 3)]);
}

#[test]
fn functions_may_have_constant_parameters_and_impl_arguments() {
    #[stream]
    fn chunks<const N: usize>(
        numbers: DStream<u8>,
        mark: impl Display + Clone + Send + Sync + 'static,
    ) -> DStream<String> {
        numbers.map(|n| [n; N]).map(|list| format!("{mark}{list:?}"))
    }
    assert_eq!(on([7], |numbers| chunks::<2>(numbers, '#')), ["#[7, 7]"]);
}

mod library {
    use streamflow::prelude::*;

    /// The lengths of the lines, for other crates.
    #[stream]
    #[must_use]
    pub(crate) fn lengths(lines: DStream<str>) -> DStream<usize> {
        lines.map(|line| line.len())
    }
}

#[test]
fn functions_may_be_public_and_documented() {
    assert_eq!(on_lines("abc", library::lengths), [3]);
}

#[test]
fn plain_statements_run_once_when_the_topology_is_built() {
    #[stream]
    fn marked(lines: DStream<str>, words: Vec<&'static str>, built: Arc<Mutex<usize>>) -> DStream<String> {
        *built.lock().unwrap() += 1;
        let mut sorted = words;
        sorted.sort_unstable();
        let first = match sorted.first() {
            Some(word) if !word.is_empty() => *word,
            _ => "nothing",
        };
        let longest = sorted.iter().map(|word| word.len()).max().unwrap_or_default();
        assert!(longest < 100, "words are short");
        lines.map(|line| format!("{first} {longest} {line}"))
    }
    let built = Arc::new(Mutex::new(0));
    let out = on_lines("x\ny", |lines| marked(lines, vec!["bb", "a"], Arc::clone(&built)));
    assert_eq!(out, ["a 2 x", "a 2 y"]);
    assert_eq!(*built.lock().unwrap(), 1);
}

#[test]
fn bindings_may_have_types() {
    #[stream]
    fn sums(numbers: DStream<u8>) -> DStream<(u64, u64)> {
        let pairs: DStream<(u64, u64)> = numbers.map(|n| (u64::from(n), 1)).reduce_by_key(|a, b| a + b);
        let halves = pairs.map(|(n, count)| (n % 2, count));
        let sums = halves.reduce_by_key(|a, b| a + b);
        sums
    }
    assert_eq!(sorted(on([1, 2, 3, 3], sums)), [(0, 1), (1, 3)]);
}

#[test]
fn several_streams_go_in_and_out() {
    #[stream]
    fn shuffled(a: DStream<u8>, factor: u8, b: DStream<str>) -> (DStream<(u8, String)>, DStream<u64>, DStream<String>) {
        let keyed = b.map(|line| (line.len() as u8, line));
        (a.map(|n| (n * factor, ())).join(keyed).map_values(|((), line)| line), b.count(), b.map(|line| line))
    }
    let ctx = BatchContext::with(1, 1).unwrap();
    let seen = Arc::new(Mutex::new(0));
    let (joined, count, _lines) = shuffled(ctx.records([1, 2]), 2, ctx.text("ab\nabc"));
    let keep = Arc::clone(&seen);
    let out = joined.transform_with(&count, move |joined, count| {
        *keep.lock().unwrap() = count.collect()[0];
        joined
    });
    assert_eq!(ctx.collect(out).unwrap(), [(2, "ab".to_owned())]);
    assert_eq!(*seen.lock().unwrap(), 2);
}

#[test]
fn raw_names_are_names() {
    #[stream]
    fn r#match(r#in: DStream<u8>, r#type: u8) -> DStream<u8> {
        r#in.map(|r#fn| r#fn + r#type)
    }
    assert_eq!(on([1], |numbers| r#match(numbers, 2)), [3]);
}

#[test]
fn a_macro_may_write_the_function() {
    macro_rules! adder {
        ($name:ident, $by:expr) => {
            #[stream]
            fn $name(numbers: DStream<u64>) -> DStream<u64> {
                numbers.map(|n| n + $by)
            }
        };
    }
    adder!(add_one, 1);
    adder!(add_two, 2);
    assert_eq!(on([1], |numbers| add_two(add_one(numbers))), [4]);
}

#[test]
fn a_path_names_the_attribute() {
    #[streamflow::stream]
    fn lengths(lines: streamflow::DStream<str>) -> streamflow::DStream<usize> {
        lines.map(|line| line.len())
    }
    assert_eq!(on_lines("ab", lengths), [2]);
}
