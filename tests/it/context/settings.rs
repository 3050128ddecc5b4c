//! What is set on the builder.

use streamflow::prelude::*;
use streamflow::{ErrorKind, ManualClock};

use super::at;

#[test]
fn settings_that_cannot_be_used_are_refused() {
    let builder = || StreamingContext::builder("test");
    let cases = [
        (builder().batch_interval(Duration::ZERO), "the batch interval of 0ns"),
        (builder().batch_interval(Duration::from_micros(1_500)), "whole number of milliseconds"),
        (builder().threads(0), "`threads` is 0"),
        (builder().parallelism(0), "`parallelism` is 0"),
        (builder().max_task_failures(0), "`max_task_failures` is 0"),
        (StreamingContext::builder(""), "must not be empty"),
        (StreamingContext::builder("a\0b"), "NUL"),
    ];
    for (builder, message) in cases {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument);
        assert!(error.to_string().contains(message), "{error}");
    }
}

#[test]
fn what_was_set_can_be_read() {
    let clock = ManualClock::at(at(77));
    let ctx = StreamingContext::builder("name")
        .batch_interval(Duration::from_millis(20))
        .threads(3)
        .clock(clock)
        .build()
        .unwrap();
    assert_eq!((ctx.name(), ctx.batch_interval()), ("name", Duration::from_millis(20)));
    assert_eq!(ctx.parallelism(), 3, "as many partitions as threads");
    assert_eq!(ctx.clock().now(), at(77));
}
