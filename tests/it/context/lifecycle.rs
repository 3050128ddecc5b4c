//! From the declaration to the end: states, and what comes too late.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use streamflow::testing::Driver;
use streamflow::{ContextState, ErrorKind};

use super::{Scripted, counting, flag, scripted};

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
