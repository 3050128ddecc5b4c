//! Batches and inputs that fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use streamflow::prelude::*;
use streamflow::testing::Driver;
use streamflow::{ContextState, Error, ErrorKind};

use super::{Scripted, Unique, at, counting, flag};

/// Multiplies, and panics the first time.
#[stream]
fn tenfold(numbers: DStream<Unique>, attempts: Arc<AtomicU64>) -> DStream<u32> {
    numbers.map(|unique| {
        assert!(attempts.fetch_add(1, Ordering::SeqCst) > 0, "the first attempt");
        unique.0 * 10
    })
}

#[test]
fn a_failed_task_is_tried_again_from_records_that_are_made_again() {
    let mut test = Driver::new().unwrap();
    let parts =
        [vec![vec![1, 2]], vec![vec![3]]].map(|batches| test.input(batches).transform(|batch| batch.map(Unique)));
    let out = test.output(&tenfold(test.context().union(parts).unwrap(), Arc::default()));
    test.run_batches(1).unwrap();
    assert_eq!(out.batches(), [[10, 20, 30]]);
}

/// Sums by key, and panics where it meets a number that is refused, so often.
#[stream]
fn sums(numbers: DStream<u64>, refused: u64, left: Arc<AtomicU64>) -> DStream<(u64, u64)> {
    numbers
        .map(|n| {
            let fails = n == refused
                && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
            assert!(!fails, "refused");
            (n % 3, n)
        })
        .reduce_by_key(|a, b| a + b)
}

#[test]
fn a_task_over_many_partitions_is_tried_again_as_a_whole_and_its_error_names_the_partition() {
    let partitions = || vec![(0..50).map(|part| vec![2 * part, 2 * part + 1]).collect()];
    let mut test = Driver::new().unwrap();
    let out = test.output(&sums(test.input_partitions(partitions()), 61, Arc::new(AtomicU64::new(2))));
    test.run_batches(1).unwrap();
    let mut found = out.take_batches().remove(0);
    found.sort_unstable();
    assert_eq!(found, [0, 1, 2].map(|key| (key, (0..100).filter(|n| n % 3 == key).sum())));

    let mut test = Driver::new().unwrap();
    test.output(&sums(test.input_partitions(partitions()), 61, Arc::new(AtomicU64::new(u64::MAX))));
    assert_eq!(test.run_batches(1).unwrap_err().partition(), Some(30));
}

#[test]
fn with_one_attempt_a_task_is_not_tried_again() {
    let mut test = Driver::with(|builder| builder.max_task_failures(1)).unwrap();
    let unique = test.input(vec![vec![1]]).transform(|batch| batch.map(Unique));
    let out = test.output(&tenfold(unique, Arc::default()));
    let error = test.run_batches(1).unwrap_err();
    assert_eq!((error.kind(), error.batch(), error.partition()), (ErrorKind::TaskFailed, Some(at(1_000)), Some(1)));
    assert_eq!(error.operator().map(|operator| operator.name), Some("map"));
    let place = "the first attempt in `map` of `tenfold` (tests/it/context/errors.rs:";
    assert!(error.to_string().contains(place), "{error}");
    assert!(out.batches().is_empty());
}

#[test]
fn a_failing_batch_stops_neither_its_other_outputs_nor_later_batches() {
    let mut test = Driver::new().unwrap();
    let numbers = test.input(vec![vec![1], vec![2], vec![3]]);
    let before = test.output(&numbers);
    let failing = test.output(&numbers.transform(|batch| {
        let bad = batch.iter().any(|n| *n == 2);
        if bad { Err("two is refused") } else { Ok(batch) }
    }));
    let panicking = test.output(&numbers.transform(|batch| batch.map(|n| if n == 2 { panic!("map task") } else { n })));
    let after = test.output(&numbers);
    let errors = test.try_run_batches(3).unwrap();
    assert_eq!(errors.len(), 2, "both outputs ran");
    assert_eq!(errors[0].kind(), ErrorKind::OutputFailed);
    assert!(format!("{:?}", errors[0]).contains("two is refused"));
    assert_eq!(errors[1].kind(), ErrorKind::TaskFailed);
    assert!(errors[1].to_string().contains("map task"), "{}", errors[1]);
    assert!(errors.iter().all(|error| error.batch() == Some(at(2_000))));
    assert_eq!(before.batches(), [[1], [2], [3]]);
    assert_eq!(after.batches(), before.batches());
    assert_eq!(failing.batches(), [[1], [3]]);
    assert_eq!(panicking.batches(), [[1], [3]]);

    let error = test.context().await_termination().unwrap_err();
    assert_eq!(error.to_string(), errors[0].to_string(), "the first one is reported");
    assert_eq!(test.context().state(), ContextState::Active);
    test.run_batches(1).unwrap();
}

#[test]
fn an_input_that_fails_fails_what_depends_on_it() {
    let source = Scripted {
        range: |time| if time == at(2_000) { Err(Error::input("no offsets")) } else { Ok(()) },
        ..Scripted::default()
    };
    let mut test = Driver::new().unwrap();
    let good = test.output(&test.input(vec![vec![1], vec![2], vec![3]]));
    let bad = test.output(&test.context().source("bad", source).unwrap());
    let errors = test.try_run_batches(3).unwrap();
    assert_eq!(errors.len(), 1);
    assert_eq!((errors[0].kind(), errors[0].batch()), (ErrorKind::InputFailed, Some(at(2_000))));
    assert!(errors[0].to_string().contains("no offsets"), "the original error: {}", errors[0]);
    assert_eq!(good.batches().len(), 3);
    assert_eq!(bad.times(), [at(1_000), at(3_000)]);
}

#[test]
fn a_source_that_panics_fails_its_batch_only() {
    let source = Scripted {
        read: |calls| if calls == 0 { panic!("cannot read") } else { Ok(vec![vec![calls]]) },
        ..Scripted::default()
    };
    let mut test = Driver::new().unwrap();
    let out = test.output(&test.context().source("panics", source).unwrap());
    let errors = test.try_run_batches(2).unwrap();
    assert!(errors[0].to_string().contains("cannot read"), "{}", errors[0]);
    assert_eq!(out.batches(), [[1]]);
}

#[test]
fn an_input_that_cannot_start_makes_the_start_fail() {
    let (test, _out) = counting();
    let stopped = Arc::new(AtomicBool::new(false));
    let started = Scripted { on_stop: Some(flag(&stopped)), ..Scripted::default() };
    test.output(&test.context().source("starts", started).unwrap());
    let broken = Scripted { start: || Err(Error::input("no such host")), ..Scripted::default() };
    test.output(&test.context().source("broken", broken).unwrap());
    let error = test.context().start().unwrap_err();
    assert!(error.to_string().contains("no such host"), "{error}");
    assert_eq!(test.context().state(), ContextState::Stopped);
    assert!(stopped.load(Ordering::SeqCst), "what had started is stopped again");
}

#[test]
fn an_input_that_nothing_uses_does_no_harm() {
    let (mut test, out) = counting();
    let unused = Scripted { read: |_| Err(Error::input("must not be read")), ..Scripted::default() };
    let _unused = test.context().source("unused", unused).unwrap();
    test.run_batches(3).unwrap();
    assert_eq!(out.batches().len(), 3);
}

#[test]
fn ranges_are_released_once_their_batch_is_done() {
    let released = Arc::new(AtomicU64::new(0));
    let source = Scripted { on_release: Some(Arc::clone(&released)), ..Scripted::default() };
    let mut test = Driver::new().unwrap();
    let stream = test.context().source("released", source).unwrap();
    let seen = Arc::clone(&released);
    let released_before = test.output(&stream.transform(move |batch| {
        let _ = batch;
        Batch::of(vec![seen.load(Ordering::SeqCst)], 1)
    }));
    test.run_batches(3).unwrap();
    assert_eq!(released_before.batches(), [[0], [1], [2]]);
    assert_eq!(released.load(Ordering::SeqCst), 3);
}
