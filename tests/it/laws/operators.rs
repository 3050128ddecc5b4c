//! Every operator agrees with the model: the same text, compiled once as a topology and once over vectors.

use streamflow::DStream;
use streamflow::prelude::*;

use super::Order::{Free, Kept};
use super::agrees;
use crate::common::model::Stream;

/// `name: order, (streams: record) => result, expression;`, a test for each.
macro_rules! operators {
    ($($name:ident: $order:ident, ($($s:ident),+: $in:ty) => $out:ty, $body:expr;)*) => {$(
        #[test]
        fn $name() {
            #[stream]
            fn library($($s: DStream<$in>),+) -> DStream<$out> {
                $body
            }
            fn model($($s: &Stream<$in>),+) -> Stream<$out> {
                $body
            }
            let names = [$(stringify!($s)),+];
            agrees::<$in, $out>(
                names.len(),
                $order,
                |streams| {
                    let mut streams = streams.into_iter();
                    $(let $s = streams.next().expect("a stream for each name");)+
                    library($($s),+)
                },
                |streams| {
                    let mut streams = streams.iter();
                    $(let $s = streams.next().expect("a stream for each name");)+
                    model($($s),+)
                },
            );
        }
    )*};
}

type Pair = (i64, i64);

operators! {
    map: Kept, (s: i64) => i64, s.map(|n| n * 3);
    flat_map: Kept, (s: i64) => i64, s.flat_map(|n| vec![n; (n % 3).unsigned_abs() as usize]);
    filter: Kept, (s: i64) => i64, s.filter(|n| n % 2 == 0);
    filter_map: Kept, (s: i64) => i64, s.filter_map(|n| (n > 0).then_some(n + 1));
    inspect: Kept, (s: i64) => i64, s.inspect(|n| assert!(*n < 20));
    map_values: Kept, (s: Pair) => Pair, s.map_values(|v| v * v);
    flat_map_values: Kept, (s: Pair) => Pair, s.flat_map_values(|v| vec![v, -v]);
    key_by: Kept, (s: i64) => Pair, s.key_by(|n| n % 5);
    keys: Kept, (s: Pair) => i64, s.keys();
    values: Kept, (s: Pair) => i64, s.values();
    swap: Kept, (s: Pair) => Pair, s.swap();
    map_partitions: Kept, (s: i64) => i64, s.map_partitions(|part| vec![part.into_iter().sum::<i64>()]);
    map_partitions_behind_others: Kept, (s: i64) => i64,
        s.filter(|n| n % 2 == 0).map_partitions(|part| part.into_iter().take(2).collect::<Vec<_>>()).map(|n| n + 1);
    glom: Kept, (s: i64) => Vec<i64>, s.glom();
    glom_behind_others: Kept, (s: i64) => Vec<i64>, s.flat_map(|n| vec![n, n]).glom().filter(|part| part.len() > 2);
    union: Kept, (a, b: i64) => i64, a.union(b);
    union_before_a_shuffle: Free, (a, b: Pair) => Pair, a.map_values(|v| v + 1).union(b).reduce_by_key(|a, b| a + b);
    union_of_partitions: Kept, (a, b: i64) => Vec<i64>, a.union(b).glom();
    count: Kept, (s: i64) => u64, s.count();
    count_of_what_is_kept: Kept, (s: i64) => u64, s.filter(|n| *n > 5).count();
    count_by_value: Free, (s: i64) => (i64, u64), s.count_by_value();
    count_pairs_by_value: Free, (s: Pair) => (Pair, u64), s.count_by_value();
    count_text_by_value: Free, (s: String) => (String, u64), s.count_by_value();
    reduce: Kept, (s: i64) => i64, s.reduce(|a, b| a.max(b));
    reduce_sums: Kept, (s: i64) => i64, s.reduce(|a, b| a + b);
    reduce_keeps_the_order: Kept, (s: String) => String, s.reduce(|a, b| a + &b);
    reduce_by_key: Free, (s: Pair) => Pair, s.reduce_by_key(|a, b| a + b);
    reduce_by_key_of_text: Free, (s: String) => (usize, String), s.key_by(|text| text.len()).reduce_by_key(|a, b| a.max(b));
    combine_by_key: Free, (s: Pair) => (i64, (i64, u8)),
        s.combine_by_key(|v| (v, 1), |(sum, n), v| (sum + v, n + 1), |(a, n), (b, m)| (a + b, n + m));
    aggregate_by_key: Free, (s: Pair) => (i64, (i64, i64)),
        s.aggregate_by_key((i64::MAX, i64::MIN), |(l, h), v| (l.min(v), h.max(v)), |(l, h), (m, i)| (l.min(m), h.max(i)));
    fold_by_key: Free, (s: Pair) => Pair, s.fold_by_key(0, |a, b| a + b);
    group_by_key: Free, (s: Pair) => (i64, Vec<i64>), s.group_by_key().map_values(|mut group| {
        group.sort();
        group
    });
    group_by_text: Free, (s: String) => (String, Vec<usize>), s.map(|text| (text.trim().to_owned(), text.len())).group_by_key()
        .map_values(|mut group| {
            group.sort();
            group
        });
    distinct: Free, (s: i64) => i64, s.distinct();
    distinct_pairs: Free, (s: Pair) => Pair, s.distinct();
    repartition: Free, (s: i64) => i64, s.repartition(3);
    partition_by: Free, (s: Pair) => Pair, s.partition_by();
    join: Free, (a, b: Pair) => (i64, (i64, i64)), a.join(b);
    left_outer_join: Free, (a, b: Pair) => (i64, (i64, Option<i64>)), a.left_outer_join(b);
    right_outer_join: Free, (a, b: Pair) => (i64, (Option<i64>, i64)), a.right_outer_join(b);
    full_outer_join: Free, (a, b: Pair) => (i64, (Option<i64>, Option<i64>)), a.full_outer_join(b);
    join_with_itself: Free, (a: Pair) => (i64, (i64, i64)), a.join(a);
    cogroup: Free, (a, b: Pair) => (i64, (Vec<i64>, Vec<i64>)), a.cogroup(b).map_values(|(mut left, mut right)| {
        left.sort();
        right.sort();
        (left, right)
    });
    joins_in_a_row: Free, (a, b, c: Pair) => (i64, ((i64, Option<i64>), i64)), a.left_outer_join(b).join(c);
    top_by: Kept, (s: i64) => i64, s.top_by(4, |n| n % 7);
    top_by_behind_others: Kept, (s: String) => String, s.filter(|text| text.len() > 1).top_by(3, |text| text.len());
    top_by_nothing: Kept, (s: i64) => i64, s.top_by(0, |n| *n);
    shuffles_in_a_row: Free, (s: i64) => (u64, u64),
        s.key_by(|n| n % 4).map_values(|_| 1).reduce_by_key(|a, b| a + b).values().count_by_value();
    two_uses: Free, (s: i64) => i64, s.filter(|n| *n > 0).union(s.map(|n| -n)).distinct();
}

#[test]
fn repartition_gives_the_partitions_that_it_says() {
    #[stream]
    fn three(numbers: DStream<i64>) -> DStream<Vec<i64>> {
        numbers.repartition(3).glom()
    }
    agrees::<i64, usize>(
        1,
        Kept,
        |mut streams| lengths(three(streams.remove(0))),
        |streams| {
            streams[0].repartition(3).glom().glom().map(|all| all.len()).transform(|parts| vec![vec![parts.len()]])
        },
    );
}

#[stream]
fn lengths(parts: DStream<Vec<i64>>) -> DStream<usize> {
    parts.count().map(|count| count as usize)
}

#[test]
fn records_of_a_key_lie_together_after_a_shuffle() {
    #[stream]
    fn places(pairs: DStream<(i64, i64)>, parts: usize) -> DStream<(i64, u64)> {
        let keys = pairs.partition_by(parts).glom();
        keys.flat_map(|part| part.into_iter().map(|(key, _)| key).collect::<std::collections::BTreeSet<_>>())
            .count_by_value()
    }
    for parts in [1, 2, 5] {
        agrees::<Pair, (i64, u64)>(
            1,
            Free,
            |mut streams| places(streams.remove(0), parts),
            |streams| streams[0].keys().distinct().map(|key| (key, 1)),
        );
    }
}

#[test]
fn every_keyed_operator_takes_a_number_of_partitions() {
    #[stream]
    fn parted(pairs: DStream<(i64, i64)>, n: usize) -> DStream<usize> {
        let reduced = pairs.reduce_by_key(|a, b| a + b, n).glom().map(|_| 1);
        let folded = pairs.fold_by_key(0, |a, b| a + b, n).glom().map(|_| 1);
        let grouped = pairs.group_by_key(n).glom().map(|_| 1);
        let distinct = pairs.distinct(n).glom().map(|_| 1);
        let counted = pairs.count_by_value(n).glom().map(|_| 1);
        let moved = pairs.partition_by(n).glom().map(|_| 1);
        let joined = pairs.join(pairs, n).glom().map(|_| 1);
        let cogrouped = pairs.cogroup(pairs, n).glom().map(|_| 1);
        reduced.union(folded, grouped, distinct, counted, moved, joined, cogrouped).reduce(|a, b| a + b)
    }
    let sum = |n: usize| move |streams: &[Stream<Pair>]| streams[0].transform(|_| vec![vec![8 * n]]);
    for n in [1, 3] {
        agrees::<Pair, usize>(1, Kept, |mut streams| parted(streams.remove(0), n), sum(n));
    }
}

#[test]
fn transform_sees_whole_batches() {
    #[stream]
    fn sorted(numbers: DStream<i64>) -> DStream<i64> {
        numbers.map(|n| n * 2).transform(|batch| batch.sort_by_desc(|n| *n)).filter(|n| n % 4 == 0)
    }
    agrees::<i64, i64>(
        1,
        Kept,
        |mut streams| sorted(streams.remove(0)),
        |streams| {
            let doubled = streams[0].map(|n| n * 2).transform(|batch| {
                let mut all = batch.concat();
                all.sort_by_key(|n| -n);
                vec![all]
            });
            doubled.filter(|n| n % 4 == 0)
        },
    );
}

#[test]
fn transform_with_sees_both_batches() {
    #[stream]
    fn joined(left: DStream<(i64, i64)>, right: DStream<(i64, i64)>) -> DStream<(i64, (i64, i64))> {
        left.transform_with(right, |left, right| left.join(right.filter(|(_, value)| *value > 0)))
    }
    agrees::<Pair, (i64, (i64, i64))>(
        2,
        Free,
        |mut streams| {
            let right = streams.remove(1);
            joined(streams.remove(0), right)
        },
        |streams| streams[0].join(&streams[1].filter(|(_, value)| *value > 0)),
    );
}
