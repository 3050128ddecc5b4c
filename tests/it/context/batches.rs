//! When batches come, and how they are cut.

use streamflow::ContextState;
use streamflow::prelude::*;
use streamflow::testing::{self, Driver};

use super::{Unique, at, counting};

#[test]
fn batches_lie_on_the_grid_of_the_interval() {
    let mut test = Driver::new().unwrap();
    test.clock().set(at(2_300));
    let out = test.output(&test.input(vec![vec![1], vec![2]]));
    test.context().start().unwrap();
    test.run_batches(2).unwrap();
    assert_eq!(out.times(), [at(3_000), at(4_000)], "the first is the smallest multiple strictly after the start");
    assert_eq!(out.batches(), [[1], [2]]);
}

#[test]
fn a_clock_that_jumps_runs_every_batch_in_between_in_order() {
    let mut test = Driver::with(|builder| builder.batch_interval(Duration::from_millis(1))).unwrap();
    let out = test.output(&test.input((0..1_000).map(|n| vec![n]).collect()));
    test.run_batches(1_000).unwrap();
    assert_eq!(out.times(), (1..=1_000).map(at).collect::<Vec<_>>());
    assert_eq!(out.batches().concat(), (0..1_000).collect::<Vec<_>>());
}

#[test]
fn after_the_prepared_batches_come_empty_ones() {
    let (mut test, out) = counting();
    test.run_batches(5).unwrap();
    assert_eq!(out.batches(), [vec![1], vec![2], vec![3], vec![], vec![]]);
    assert_eq!(out.partitions()[4], [vec![], vec![]] as [Vec<u32>; 2]);
}

#[test]
fn prepared_batches_are_cut_by_position() {
    let mut test = Driver::with(|builder| builder.parallelism(3)).unwrap();
    let cut = test.output(&test.input(vec![(0..8).collect::<Vec<_>>()]));
    let given = test.output(&test.input_partitions(vec![vec![vec![1], vec![], vec![2, 3], vec![]]]));
    let lines = test.text(vec![vec!["a", "bb"]]);
    let lines = test.output(&lines.transform(|batch| batch.map(str::to_owned)));
    test.run_batches(1).unwrap();
    assert_eq!(cut.partitions(), [[vec![0, 1], vec![2, 3, 4], vec![5, 6, 7]]]);
    assert_eq!(given.partitions(), [vec![vec![1], vec![], vec![2, 3], vec![]]]);
    assert_eq!(lines.batches(), [["a", "bb"]]);
}

#[test]
fn records_that_are_not_clone_come_out() {
    let out = testing::run(vec![vec![1, 2, 3]], |numbers| numbers.transform(|batch| batch.map(Unique))).unwrap();
    assert_eq!(out, [[Unique(1), Unique(2), Unique(3)]]);
}

#[test]
fn a_stream_that_is_used_and_collected_gives_both_their_records() {
    let mut test = Driver::new().unwrap();
    let numbers = test.input(vec![vec![1, 2]]);
    let same = test.output(&numbers);
    let doubled = test.output(&numbers.transform(|batch| batch.map(|n| n * 2)));
    let again = test.output(&numbers);
    test.run_batches(1).unwrap();
    assert_eq!(
        (same.batches(), doubled.batches(), again.batches()),
        (vec![vec![1, 2]], vec![vec![2, 4]], vec![vec![1, 2]])
    );
}

#[test]
fn outputs_on_a_window_run_when_it_ends() {
    let (length, slide) = (Duration::from_secs(2), Duration::from_secs(2));
    let mut test = Driver::new().unwrap();
    let numbers = test.input(vec![vec![1], vec![2], vec![3], vec![4], vec![5]]);
    let windows = test.output(&numbers.window(length, slide));
    let all = test.output(&numbers);
    test.run_batches(5).unwrap();
    assert_eq!(windows.batches(), [[1, 2], [3, 4]]);
    assert_eq!(windows.times(), [at(2_000), at(4_000)]);
    assert_eq!(all.batches().len(), 5);
    assert!(test.context().explain().to_string().contains("window of 2s every 2s"));
}

#[test]
fn a_window_off_the_grid_makes_the_start_fail() {
    let test = Driver::new().unwrap();
    let numbers = test.input(vec![vec![1]]);
    test.output(&numbers.window(Duration::from_millis(1_500), Duration::from_secs(1)));
    let error = test.context().start().unwrap_err();
    assert!(error.to_string().contains("not a multiple"), "{error}");
    assert_eq!(test.context().state(), ContextState::Stopped);
}
