//! The batch interval that a function says it is written for, against that of its context.

use streamflow::prelude::*;
use streamflow::testing::Driver;
use streamflow::{BatchContext, ErrorKind};

/// The sums of the last minute.
#[stream(batch = 2s)]
fn sums(numbers: DStream<u64>) -> DStream<u64> {
    numbers.reduce_by_window(|a, b| a + b, 1min, 2s)
}

/// A function without an operator of its own.
#[stream(batch = 500ms)]
fn passed_on(numbers: DStream<u64>) -> DStream<u64> {
    numbers
}

/// Says nothing, and calls one that does.
#[stream]
fn outer(numbers: DStream<u64>) -> DStream<u64> {
    sums(numbers)
}

fn start(interval: Duration, function: fn(DStream<u64>) -> DStream<u64>) -> streamflow::Result<Vec<Vec<u64>>> {
    let mut test = Driver::with(|builder| builder.batch_interval(interval))?;
    let out = test.output(&function(test.input(vec![vec![1], vec![2]])));
    test.run_batches(2)?;
    Ok(out.batches())
}

#[test]
fn a_function_runs_with_the_interval_that_it_is_written_for() {
    let two = Duration::from_secs(2);
    assert_eq!(start(two, sums).unwrap(), [[1], [3]]);
    assert_eq!(start(two, outer).unwrap(), [[1], [3]]);
    assert_eq!(start(Duration::from_millis(500), passed_on).unwrap(), [[1], [2]]);
}

#[test]
fn with_another_interval_the_start_fails_and_names_both() {
    for function in [sums, outer] {
        let error = start(Duration::from_secs(1), function).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        let message = "`sums` is written for batches every 2s, and the context makes them every 1s";
        assert!(error.to_string().contains(message), "{error}");
        assert!(error.to_string().contains("`.batch_interval(..)` of 2s"), "{error}");
        assert!(error.to_string().contains("tests/it/context/intervals.rs"), "{error}");
    }
    let error = start(Duration::from_secs(1), passed_on).unwrap_err();
    assert!(error.to_string().contains("`passed_on` is written for batches every 500ms"), "{error}");
}

#[test]
fn batch_mode_has_no_interval() {
    let ctx = BatchContext::new().unwrap();
    assert_eq!(ctx.collect(sums(ctx.records([1, 2]))).unwrap(), [3]);
}
