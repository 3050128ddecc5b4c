//! The life of a context: settings, start, stop, waiting, errors of batches, listeners.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Barrier, Mutex};

use streamflow::listener::{BatchInfo, OutputOperationInfo, StreamingListener};
use streamflow::prelude::*;
use streamflow::source::{Source, SourceCx};
use streamflow::testing::{self, Driver};
use streamflow::{BatchTime, ContextState, Error, ErrorKind, ManualClock, Result};

fn at(millis: u64) -> BatchTime {
    BatchTime::from_millis(millis)
}

/// A driver with one input of the numbers 1, 2, 3, one a batch.
fn counting() -> (Driver, testing::Collected<u32>) {
    let test = Driver::new().unwrap();
    let out = test.output(&test.input(vec![vec![1], vec![2], vec![3]]));
    (test, out)
}

// Settings.

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

// States.

#[test]
fn a_context_is_initialized_then_active_then_stopped() {
    let (mut test, _out) = counting();
    assert_eq!(test.context().state(), ContextState::Initialized);
    test.run_batches(1).unwrap();
    assert_eq!(test.context().state(), ContextState::Active);
    test.context().stop().unwrap();
    assert_eq!(test.context().state(), ContextState::Stopped);
}

#[test]
fn without_an_output_a_start_fails_and_leaves_the_context_stopped() {
    let test = Driver::new().unwrap();
    let _unused = test.input(vec![vec![1]]);
    let error = test.context().start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("no output operations registered"), "{error}");
    assert_eq!(test.context().state(), ContextState::Stopped);
    assert!(test.context().start().unwrap_err().to_string().contains("already been stopped"));
}

#[test]
fn a_second_start_has_no_effect_and_one_after_the_stop_fails() {
    let (mut test, out) = counting();
    test.context().start().unwrap();
    test.context().start().unwrap();
    test.run_batches(1).unwrap();
    assert_eq!(out.batches(), [[1]]);
    test.context().stop().unwrap();
    let error = test.context().start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalState);
    assert!(error.to_string().contains("has already been stopped"), "{error}");
}

#[test]
fn stopping_twice_or_before_the_start_is_fine() {
    let (test, _out) = counting();
    test.context().stop().unwrap();
    test.context().stop().unwrap();
    test.context().stop_gracefully().unwrap();
    assert_eq!(test.context().state(), ContextState::Stopped);
    assert_eq!(test.context().start().unwrap_err().kind(), ErrorKind::IllegalState);

    let (mut test, _out) = counting();
    test.run_batches(1).unwrap();
    test.context().stop().unwrap();
    test.context().stop_gracefully().unwrap();
}

#[test]
fn several_contexts_run_in_one_process() {
    let (mut first, first_out) = counting();
    let (mut second, second_out) = counting();
    first.run_batches(1).unwrap();
    second.run_batches(3).unwrap();
    first.run_batches(1).unwrap();
    assert_eq!((first_out.batches().len(), second_out.batches().len()), (2, 3));
}

#[test]
fn dropping_the_last_handle_stops() {
    let (test, _out) = counting();
    let ctx = test.context().clone();
    drop(test);
    ctx.start().unwrap();
    assert_eq!(ctx.state(), ContextState::Active, "a handle is left");

    let stopped = Arc::new(AtomicBool::new(false));
    let source = Scripted { on_stop: Some(flag(&stopped)), ..Scripted::default() };
    let (ctx, _clock) = scripted(source, |builder| builder);
    ctx.start().unwrap();
    drop(ctx);
    assert!(stopped.load(Ordering::SeqCst));
}

// Declaring too late.

#[test]
fn nothing_can_be_added_after_starting_and_stopping() {
    let test = Driver::new().unwrap();
    let numbers = test.input(vec![vec![1]]);
    test.output(&numbers);
    let ctx = test.context().clone();
    ctx.start().unwrap();
    for when in ["after starting", "after stopping"] {
        let source = ctx.source("late", Scripted::default()).unwrap_err();
        let union = ctx.union([numbers.clone()]).unwrap_err();
        let transform = ctx.transform(vec![numbers.clone()], |mut batches| batches.remove(0)).unwrap_err();
        for error in [source, union, transform] {
            assert_eq!(error.kind(), ErrorKind::IllegalState);
            assert!(error.to_string().contains(when), "{error}");
        }
        if when == "after starting" {
            // An output or a transformation cannot return an error itself: the waiter gets it.
            test.output(&numbers.transform(|batch| batch));
            let error = ctx.await_termination().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::IllegalState);
            assert!(error.to_string().contains("after starting"), "{error}");
        }
        ctx.stop().unwrap();
    }
}

#[test]
fn a_stop_before_the_start_closes_the_topology_too() {
    let (test, _out) = counting();
    test.context().stop().unwrap();
    let error = test.context().source("late", Scripted::default()).unwrap_err();
    assert!(error.to_string().contains("after stopping"), "{error}");
}

// Batches.

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

// Union and transform of many.

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

/// Multiplies, and panics the first time.
#[stream]
fn tenfold(numbers: DStream<Unique>, attempts: Arc<AtomicU64>) -> DStream<u32> {
    numbers.map(|unique| {
        assert!(attempts.fetch_add(1, Ordering::SeqCst) > 0, "the first attempt");
        unique.0 * 10
    })
}

#[derive(Debug, PartialEq)]
struct Unique(u32);

#[test]
fn a_failed_task_is_tried_again_from_records_that_are_made_again() {
    let mut test = Driver::new().unwrap();
    let parts =
        [vec![vec![1, 2]], vec![vec![3]]].map(|batches| test.input(batches).transform(|batch| batch.map(Unique)));
    let out = test.output(&tenfold(test.context().union(parts).unwrap(), Arc::default()));
    test.run_batches(1).unwrap();
    assert_eq!(out.batches(), [[10, 20, 30]]);
}

#[test]
fn with_one_attempt_a_task_is_not_tried_again() {
    let mut test = Driver::with(|builder| builder.max_task_failures(1)).unwrap();
    let unique = test.input(vec![vec![1]]).transform(|batch| batch.map(Unique));
    let out = test.output(&tenfold(unique, Arc::default()));
    let error = test.run_batches(1).unwrap_err();
    assert_eq!((error.kind(), error.batch(), error.partition()), (ErrorKind::TaskFailed, Some(at(1_000)), Some(1)));
    assert_eq!(error.operator().map(|operator| operator.name), Some("map"));
    let place = "the first attempt in `map` of `tenfold` (tests/it/context.rs:";
    assert!(error.to_string().contains(place), "{error}");
    assert!(out.batches().is_empty());
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

// Errors of batches.

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

// Waiting and stopping.

#[test]
fn waiting_for_a_stopped_context_returns_at_once() {
    let (mut test, _out) = counting();
    test.run_batches(1).unwrap();
    assert!(!test.context().await_termination_or_timeout(Duration::ZERO).unwrap());
    test.context().stop().unwrap();
    test.context().await_termination().unwrap();
    assert!(test.context().await_termination_or_timeout(Duration::MAX).unwrap());
}

#[test]
fn a_stop_on_another_thread_releases_the_waiter() {
    let (mut test, _out) = counting();
    test.run_batches(1).unwrap();
    let ctx = test.context().clone();
    std::thread::scope(|threads| {
        threads.spawn(|| ctx.stop().unwrap());
        test.context().await_termination().unwrap();
    });
    assert_eq!(ctx.state(), ContextState::Stopped);
}

#[test]
fn a_plain_stop_ends_the_running_batch_and_drops_those_that_wait() {
    let test = Driver::new().unwrap();
    let (entered, go) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (inside, outside) = (Arc::clone(&entered), Arc::clone(&go));
    let (asked, stopping) = mpsc::channel();
    let source = Scripted { on_stop: Some(Box::new(move || asked.send(()).unwrap())), ..Scripted::default() };
    let numbers = test.context().source("numbers", source).unwrap();
    let out = test.output(&numbers.transform(move |batch| {
        inside.wait();
        outside.wait();
        batch
    }));
    test.context().start().unwrap();
    test.clock().set(at(3_000));
    entered.wait();
    std::thread::scope(|threads| {
        let stop = threads.spawn(|| test.context().stop());
        // The stop was asked for when the inputs are stopped.
        stopping.recv().unwrap();
        go.wait();
        stop.join().unwrap().unwrap();
    });
    assert_eq!(out.batches(), [[0]]);
    assert_eq!(test.context().state(), ContextState::Stopped);
}

#[test]
fn a_graceful_stop_makes_the_batches_that_are_due() {
    for _ in 0..4 {
        let (mut test, out) = counting();
        test.context().start().unwrap();
        test.clock().set(at(3_000));
        test.stop_gracefully().unwrap();
        assert_eq!(out.batches()[..3], [[1], [2], [3]]);
    }
}

#[test]
fn a_graceful_stop_processes_all_that_was_received() {
    let received = Arc::new(Mutex::new(Vec::new()));
    let mut test = Driver::new().unwrap();
    let source = Buffer { received: Arc::clone(&received), stopped: false };
    let out = test.output(&test.context().source("buffer", source).unwrap());
    received.lock().unwrap().extend([1, 2]);
    test.run_batches(1).unwrap();
    received.lock().unwrap().extend([3, 4, 5]);
    test.stop_gracefully().unwrap();
    assert_eq!(out.batches().concat(), [1, 2, 3, 4, 5, 99], "also what the receiver gives when it is stopped");
}

#[test]
fn a_graceful_stop_that_takes_too_long_becomes_a_plain_one() {
    // The clock stands still, so the batch for what was received never comes.
    let received = Arc::new(Mutex::new(vec![1]));
    let test = Driver::with(|builder| builder.graceful_stop_timeout(Duration::from_millis(1))).unwrap();
    let source = Buffer { received, stopped: false };
    let out = test.output(&test.context().source("buffer", source).unwrap());
    test.context().start().unwrap();
    test.context().stop_gracefully().unwrap();
    assert_eq!(test.context().state(), ContextState::Stopped);
    assert!(out.batches().is_empty());
}

#[test]
fn a_plain_stop_cuts_a_graceful_one_short() {
    // The graceful stop would wait for a batch that never comes.
    let test = Driver::with(|builder| builder.graceful_stop_timeout(Duration::MAX)).unwrap();
    let (asked, stopping) = mpsc::channel();
    let source =
        Scripted { on_stop: Some(Box::new(move || asked.send(()).unwrap())), pending: true, ..Scripted::default() };
    test.output(&test.context().source("never empty", source).unwrap());
    test.context().start().unwrap();
    std::thread::scope(|threads| {
        let graceful = threads.spawn(|| test.context().stop_gracefully());
        stopping.recv().unwrap();
        test.context().stop().unwrap();
        graceful.join().unwrap().unwrap();
    });
    assert_eq!(test.context().state(), ContextState::Stopped);
}

#[test]
fn a_batch_may_stop_its_own_context() {
    let mut test = Driver::new().unwrap();
    let numbers = test.input(vec![vec![1], vec![2]]);
    let ctx = Arc::new(Mutex::new(Some(test.context().clone())));
    let out = test.output(&numbers.transform(move |batch| {
        if let Some(ctx) = ctx.lock().unwrap().take() {
            ctx.stop().unwrap();
        }
        batch
    }));
    test.run_batches(1).unwrap();
    test.context().await_termination().unwrap();
    assert_eq!(out.batches(), [[1]]);
    let error = test.run_batches(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::IllegalState);
}

// Listeners.

#[test]
fn listeners_hear_of_batches_in_spark_s_order() {
    let (mut test, _out) = counting();
    let numbers = test.input(vec![vec![1, 2], vec![], vec![3]]);
    test.output(&numbers);
    test.output(&numbers.transform(|batch| if batch.is_empty() { Err("empty") } else { Ok(batch) }));
    let (sender, events) = mpsc::channel();
    let (listener, batches) = Recorder::new(sender);
    test.context().add_listener(listener);
    test.try_run_batches(3).unwrap();
    test.context().stop().unwrap();

    let events: Vec<String> = events.try_iter().collect();
    assert_eq!(events[0], "streaming started");
    for time in [1_000, 2_000, 3_000] {
        let expected = [
            format!("submitted {time}"),
            format!("started {time}"),
            format!("output {time} 0 started"),
            format!("output {time} 0 completed ok"),
            format!("output {time} 1 started"),
            format!("output {time} 1 completed ok"),
            format!("output {time} 2 started"),
            format!("output {time} 2 completed {}", if time == 2_000 { "failed" } else { "ok" }),
            format!("completed {time}"),
        ];
        let of_batch: Vec<&String> = events.iter().filter(|event| event.contains(&format!(" {time}"))).collect();
        assert_eq!(of_batch, expected.iter().collect::<Vec<_>>());
    }

    let batches = batches.lock().unwrap();
    let completed = &batches[2];
    assert_eq!(completed.inputs[0].records, Some(1));
    assert_eq!(&*completed.inputs[1].name, "input#2");
    assert_eq!(completed.num_records(), Some(2));
    assert_eq!(completed.outputs.len(), 3);
    assert!(completed.outputs[1].description.starts_with("collect at tests/it/context.rs:"));
    assert!(completed.outputs[1].duration().is_some());
    assert!(completed.total_delay().is_some());
    assert!(!completed.has_failed() && batches[1].has_failed());
    assert!(format!("{:?}", batches[1].outputs[2].failure).contains("empty"));
}

#[test]
fn a_listener_cannot_stop_its_context_and_its_panic_hurts_nobody() {
    struct Stops(StreamingContext, Mutex<Option<Error>>);
    impl StreamingListener for Stops {
        fn on_batch_submitted(&self, batch: &BatchInfo) {
            assert_eq!(batch.scheduling_delay(), None);
            panic!("a listener of the test");
        }
        fn on_batch_completed(&self, _: &BatchInfo) {
            *self.1.lock().unwrap() = self.0.stop().err();
        }
    }
    let (mut test, out) = counting();
    let listener = Arc::new(Stops(test.context().clone(), Mutex::default()));
    test.context().add_listener(Arc::clone(&listener));
    test.run_batches(1).unwrap();
    test.context().stop().unwrap();
    assert_eq!(out.batches(), [[1]]);
    let error = listener.1.lock().unwrap().take().expect("the stop in the listener has failed");
    assert_eq!(error.kind(), ErrorKind::IllegalState);
    assert!(error.to_string().contains("listener"), "{error}");
}

#[test]
fn no_event_comes_after_the_stop() {
    let (mut test, _out) = counting();
    let (sender, events) = mpsc::channel();
    let (listener, _) = Recorder::new(sender);
    test.context().add_listener(listener);
    test.run_batches(3).unwrap();
    test.context().stop().unwrap();
    assert_eq!(events.try_iter().last().unwrap(), "completed 3000");
    test.clock().set(at(9_000));
    assert!(events.try_recv().is_err());
}

#[test]
fn explain_names_inputs_and_outputs() {
    let (test, _out) = counting();
    let text = test.context().explain().to_string();
    assert!(text.contains("`input`: u32  by prepared batches  tests/it/context.rs:"), "{text}");
    assert!(text.contains("output 0: collect  tests/it/context.rs:"), "{text}");
}

// What the tests use.

/// Writes down what it hears, and keeps the batches that were completed.
struct Recorder {
    events: Mutex<mpsc::Sender<String>>,
    completed: Arc<Mutex<Vec<BatchInfo>>>,
}

impl Recorder {
    fn new(events: mpsc::Sender<String>) -> (Self, Arc<Mutex<Vec<BatchInfo>>>) {
        let completed = Arc::new(Mutex::default());
        (Self { events: Mutex::new(events), completed: Arc::clone(&completed) }, completed)
    }

    fn note(&self, event: String) {
        let _ = self.events.lock().unwrap().send(event);
    }
}

impl StreamingListener for Recorder {
    fn on_streaming_started(&self, _: BatchTime) {
        self.note("streaming started".to_owned());
    }
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        self.note(format!("submitted {}", batch.batch_time.as_millis()));
    }
    fn on_batch_started(&self, batch: &BatchInfo) {
        assert!(batch.scheduling_delay().is_some() && batch.processing_delay().is_none());
        self.note(format!("started {}", batch.batch_time.as_millis()));
    }
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.completed.lock().unwrap().push(batch.clone());
        self.note(format!("completed {}", batch.batch_time.as_millis()));
    }
    fn on_output_operation_started(&self, output: &OutputOperationInfo) {
        self.note(format!("output {} {} started", output.batch_time.as_millis(), output.id));
    }
    fn on_output_operation_completed(&self, output: &OutputOperationInfo) {
        let outcome = if output.failure.is_some() { "failed" } else { "ok" };
        self.note(format!("output {} {} completed {outcome}", output.batch_time.as_millis(), output.id));
    }
}

/// A source whose every step can be scripted; it delivers the number of reads before.
struct Scripted {
    start: fn() -> Result<()>,
    range: fn(BatchTime) -> Result<()>,
    read: fn(u64) -> Result<Vec<Vec<u64>>>,
    pending: bool,
    on_release: Option<Arc<AtomicU64>>,
    on_stop: Option<Box<dyn Fn() + Send>>,
    reads: u64,
}

impl Default for Scripted {
    fn default() -> Self {
        Self {
            start: || Ok(()),
            range: |_| Ok(()),
            read: |reads| Ok(vec![vec![reads]]),
            pending: false,
            on_release: None,
            on_stop: None,
            reads: 0,
        }
    }
}

impl Source for Scripted {
    type Record = u64;
    type Range = ();
    fn start(&mut self, _: &SourceCx) -> Result<()> {
        (self.start)()
    }
    fn next_range(&mut self, batch: BatchTime) -> Result<()> {
        (self.range)(batch)
    }
    fn read(&mut self, (): &()) -> Result<Vec<Vec<u64>>> {
        self.reads += 1;
        (self.read)(self.reads - 1)
    }
    fn has_pending(&self) -> bool {
        self.pending
    }
    fn release(&mut self, (): &()) {
        if let Some(released) = &self.on_release {
            released.fetch_add(1, Ordering::SeqCst);
        }
    }
    fn stop(&mut self) {
        if let Some(stopped) = &self.on_stop {
            stopped();
        }
    }
}

/// Sets the flag.
fn flag(flag: &Arc<AtomicBool>) -> Box<dyn Fn() + Send> {
    let flag = Arc::clone(flag);
    Box::new(move || flag.store(true, Ordering::SeqCst))
}

/// A context over a scripted source, with an output.
fn scripted(
    source: Scripted,
    settings: impl FnOnce(streamflow::StreamingContextBuilder) -> streamflow::StreamingContextBuilder,
) -> (StreamingContext, ManualClock) {
    let test = Driver::with(settings).unwrap();
    test.output(&test.context().source("scripted", source).unwrap());
    (test.context().clone(), test.clock().clone())
}

/// What a receiver collects: a batch gets what is there, and a last record comes when it is stopped.
struct Buffer {
    received: Arc<Mutex<Vec<u32>>>,
    stopped: bool,
}

impl Source for Buffer {
    type Record = u32;
    type Range = Vec<u32>;
    fn next_range(&mut self, _: BatchTime) -> Result<Vec<u32>> {
        Ok(std::mem::take(&mut *self.received.lock().unwrap()))
    }
    fn read(&mut self, range: &Vec<u32>) -> Result<Vec<Vec<u32>>> {
        Ok(vec![range.clone()])
    }
    fn has_pending(&self) -> bool {
        !self.received.lock().unwrap().is_empty()
    }
    fn stop(&mut self) {
        if !std::mem::replace(&mut self.stopped, true) {
            self.received.lock().unwrap().push(99);
        }
    }
}
