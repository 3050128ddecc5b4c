//! What a panic in a closure becomes: an error that says where.

use streamflow::prelude::*;
use streamflow::{Batch, BatchContext, BatchTime, Error, ErrorKind};

use super::try_on;

/// Runs `topology` over 0 to 9 in two partitions; it must fail.
fn failure<R: Send + Sync + 'static>(topology: impl FnOnce(DStream<i64>) -> DStream<R>) -> Error {
    let ctx = BatchContext::with(2, 2).unwrap();
    let out = topology(ctx.records(0..10));
    ctx.collect(out).err().expect("a closure panics")
}

fn name_of(error: &Error) -> &'static str {
    error.operator().expect("the operator is known").name
}

#[test]
fn a_panic_names_operator_line_partition_and_batch() {
    const BEFORE: u32 = line!();
    #[stream]
    fn checked(numbers: DStream<i64>) -> DStream<i64> {
        numbers.filter(|n| *n != 3).map(|n| if n == 7 { panic!("seven is not served") } else { n }).filter(|n| *n >= 0)
    }
    let error = failure(checked);
    assert_eq!(error.kind(), ErrorKind::TaskFailed);
    assert_eq!(name_of(&error), "map");
    let operator = error.operator().unwrap();
    assert_eq!((operator.line, operator.function.name), (BEFORE + 3, "checked"));
    assert_eq!((error.partition(), error.batch()), (Some(1), Some(BatchTime::from_millis(0))));
    let text = error.to_string();
    for part in ["seven is not served", "map", "partition 1"] {
        assert!(text.contains(part), "`{part}` is missing in `{text}`");
    }
}

#[test]
fn the_innermost_operator_is_named() {
    #[stream]
    fn inner(numbers: DStream<i64>) -> DStream<i64> {
        numbers.flat_map(|n| vec![n, n + 100]).inspect(|n| assert!(*n != 107, "found")).map(|n| n)
    }
    assert_eq!(name_of(&failure(inner)), "inspect");
}

#[test]
fn a_lazy_iterator_fails_in_its_flat_map() {
    #[stream]
    fn lazy(numbers: DStream<i64>) -> DStream<i64> {
        numbers.flat_map(|n| (0..2).map(move |i| 10 / (n - 4 + i)))
    }
    assert_eq!(name_of(&failure(lazy)), "flat_map");
}

macro_rules! failing {
    ($($test:ident: $operator:literal, $record:ty, |$numbers:ident| $body:expr;)*) => {$(
        #[test]
        fn $test() {
            #[stream]
            fn topology($numbers: DStream<i64>) -> DStream<$record> {
                $body
            }
            assert_eq!(name_of(&failure(topology)), $operator);
        }
    )*};
}

failing! {
    filter: "filter", i64, |n| n.filter(|n| 10 / (n - 5) > 0);
    filter_map: "filter_map", i64, |n| n.filter_map(|n| Some(10 / (n - 5)));
    key_by: "key_by", (i64, i64), |n| n.key_by(|n| 10 / (n - 5));
    map_values: "map_values", (i64, i64), |n| n.key_by(|n| *n).map_values(|n| 10 / (n - 5));
    flat_map_values: "flat_map_values", (i64, i64), |n| n.key_by(|n| *n).flat_map_values(|n| Some(10 / (n - 5)));
    map_partitions: "map_partitions", i64, |n| n.map_partitions(|part| part.map(|n| 10 / (n - 5)));
    map_partitions_later: "map_partitions", i64, |n| n.map(|n| n).map_partitions(|part| part.map(|n| 10 / (n - 5)));
    reduce: "reduce", i64, |n| n.reduce(|a, b| a / (b - 6));
    reduce_by_key: "reduce_by_key", (i64, i64), |n| n.key_by(|n| n % 2).reduce_by_key(|a, b| a / (b - 7));
    reduce_on_the_read_side: "reduce_by_key", (i64, i64), |n| n.key_by(|n| n % 5).reduce_by_key(|a, b| (a + b) / (a - 2));
    fold_by_key: "fold_by_key", (i64, i64), |n| n.key_by(|n| n % 2).fold_by_key(0, |a, b| a / (b - 5));
    aggregate: "aggregate_by_key", (i64, i64), |n| n.key_by(|_| 0).aggregate_by_key(0, |a, b| a / (b - 5), |a, _| a);
    combine: "combine_by_key", (i64, i64), |n| n.key_by(|_| 0).combine_by_key(|v| 1 / (v - 5), |c, v| c + 1 / (v - 5), |a, _| a);
    top_by: "top_by", i64, |n| n.top_by(2, |n| 10 / (n - 5));
    a_path: "map", i64, |n| n.map(divide);
    after_a_shuffle: "map", i64, |n| n.distinct().map(|n| 10 / (n - 5));
    in_the_second_branch: "map", i64, |n| n.union(n.map(|n| 10 / (n - 5)));
}

fn divide(n: i64) -> i64 {
    10 / (n - 5)
}

#[test]
fn an_error_of_a_function_over_batches_is_the_cause() {
    #[stream]
    fn refused(numbers: DStream<i64>) -> DStream<i64> {
        numbers.transform(|batch| if batch.len() > 2 { Err("too many") } else { Ok::<Batch<i64>, &str>(batch) })
    }
    assert_eq!(try_on([1, 2], refused).unwrap(), [1, 2]);
    let error = try_on([1, 2, 3], refused).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutputFailed);
    assert!(format!("{error:?}").contains("too many"));
}

#[test]
fn a_panic_in_a_function_over_batches_is_an_error() {
    #[stream]
    fn wild(numbers: DStream<i64>) -> DStream<i64> {
        numbers.transform(|batch| batch.map(|n| 10 / n))
    }
    let error = try_on([0], wild).unwrap_err();
    assert!(error.to_string().contains("divide by zero"), "{error}");
}
