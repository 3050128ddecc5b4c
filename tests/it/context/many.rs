//! Unions and transforms of many streams.

use streamflow::ErrorKind;
use streamflow::prelude::*;
use streamflow::testing::Driver;

use super::Unique;

#[test]
fn a_union_chains_the_partitions() {
    let mut test = Driver::new().unwrap();
    let left = test.input_partitions(vec![vec![vec![1], vec![2]], vec![vec![3]]]);
    let right = test.input_partitions(vec![vec![vec![10, 11]]]);
    let all = test.context().union([left.clone(), right, left]).unwrap();
    let out = test.output(&all);
    let sum = test.output(&all.transform(|batch| Batch::of(vec![batch.collect().iter().sum::<i32>()], 1)));
    test.run_batches(2).unwrap();
    assert_eq!(out.partitions()[0], [vec![1], vec![2], vec![10, 11], vec![1], vec![2]]);
    assert_eq!(out.batches()[1], [3, 3]);
    assert_eq!(sum.batches(), [[27], [6]]);
}

#[test]
fn a_union_moves_records_that_are_not_clone() {
    let mut test = Driver::new().unwrap();
    let parts = [vec![vec![1]], vec![vec![2]]].map(|batches| test.input(batches).transform(|batch| batch.map(Unique)));
    let out = test.output_moved(test.context().union(parts).unwrap());
    test.run_batches(1).unwrap();
    assert_eq!(out.take_batches()[0].iter().map(|unique| unique.0).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn lists_of_streams_are_checked() {
    let (one, other) = (Driver::new().unwrap(), Driver::new().unwrap());
    let (mine, foreign) = (one.input(vec![vec![1]]), other.input(vec![vec![1]]));
    let none: [streamflow::DStream<i32>; 0] = [];
    let empty = one.context().union(none).unwrap_err();
    assert_eq!(empty.kind(), ErrorKind::InvalidArgument);
    assert!(empty.to_string().contains("at least one stream"), "{empty}");
    let mixed = one.context().transform(vec![mine, foreign], |mut batches| batches.remove(0)).unwrap_err();
    assert!(mixed.to_string().contains("another context"), "{mixed}");
}
