//! Waiting for the end, and stopping plainly or gracefully.

use std::sync::{Arc, Barrier, Mutex, mpsc};

use streamflow::prelude::*;
use streamflow::source::Source;
use streamflow::testing::Driver;
use streamflow::{BatchTime, ContextState, ErrorKind, Result};

use super::{Scripted, at, counting};

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
