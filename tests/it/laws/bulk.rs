//! Enough records that tasks go to threads, and that a shuffle sees whether combining pays.

use std::collections::BTreeMap;

use streamflow::prelude::*;

use crate::common::harness::{Setup, run, sorted};

/// Numbers without a pattern, the same every time.
fn scattered(count: u64) -> Vec<u64> {
    (0..count).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20).collect()
}

const SETUPS: [Setup; 4] = [
    Setup { partitions: 1, threads: 1 },
    Setup { partitions: 2, threads: 7 },
    Setup { partitions: 7, threads: 2 },
    Setup { partitions: 7, threads: 7 },
];

fn sums(records: &[u64], key: impl Fn(u64) -> u64) -> Vec<(u64, u64)> {
    let mut sums = BTreeMap::new();
    for record in records {
        *sums.entry(key(*record)).or_insert(0) += record;
    }
    sums.into_iter().collect()
}

#[test]
fn threads_change_nothing() {
    #[stream]
    fn summed(numbers: DStream<u64>) -> DStream<(u64, u64)> {
        numbers.filter(|n| n % 5 != 0).map(|n| (n % 1000, n)).reduce_by_key(|a, b| a + b)
    }
    let input = scattered(20_000);
    let kept: Vec<u64> = input.iter().copied().filter(|n| n % 5 != 0).collect();
    let expected = sums(&kept, |n| n % 1000);
    for setup in SETUPS {
        assert_eq!(sorted(&run(setup, std::slice::from_ref(&input), summed)[0]), expected, "{setup:?}");
    }
}

#[test]
fn order_is_kept_on_threads() {
    #[stream]
    fn narrow(numbers: DStream<u64>) -> DStream<String> {
        numbers.flat_map(|n| [n, n + 1]).filter(|n| n % 3 != 0).map(|n| n.to_string())
    }
    let input = scattered(10_000);
    let all = input.iter().flat_map(|n| [*n, n + 1]);
    let expected: Vec<String> = all.filter(|n| n % 3 != 0).map(|n| n.to_string()).collect();
    for setup in SETUPS {
        assert_eq!(run(setup, std::slice::from_ref(&input), narrow)[0].concat(), expected, "{setup:?}");
    }
}

#[test]
fn a_shuffle_that_stops_combining_loses_nothing() {
    #[stream]
    fn summed(numbers: DStream<u64>) -> DStream<(u64, u64)> {
        numbers.key_by(|n| n % 60_000).reduce_by_key(|a, b| a + b)
    }
    #[stream]
    fn counted(numbers: DStream<u64>) -> DStream<(u64, u64)> {
        numbers.map(|n| n / 2).count_by_value()
    }
    // Nearly all distinct for far longer than a writer watches, then every key once more.
    let input: Vec<u64> = (0..60_000).chain(0..60_000).collect();
    let expected = sums(&input, |n| n % 60_000);
    for setup in [SETUPS[0], SETUPS[1]] {
        assert_eq!(sorted(&run(setup, std::slice::from_ref(&input), summed)[0]), expected, "{setup:?}");
        let counts = sorted(&run(setup, std::slice::from_ref(&input), counted)[0]);
        assert!(counts.len() == 30_000 && counts.iter().all(|(_, count)| *count == 4), "{setup:?}");
    }
}

#[test]
fn one_key_may_have_all_records() {
    #[stream]
    fn grouped(numbers: DStream<u64>) -> DStream<(String, usize)> {
        numbers.map(|n| ("all".to_owned(), n)).group_by_key().map_values(|group| group.len())
    }
    for setup in SETUPS {
        let groups = run(setup, &[scattered(10_000)], grouped);
        assert_eq!(groups[0].concat(), [("all".to_owned(), 10_000)]);
    }
}
