//! Backpressure: what a source is told after each batch, and what a receiver may store before it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamflow::source::{Receiver, ReceiverOptions, Source, Store};
use streamflow::testing::{Driver, SimulatedFs};
use streamflow::{BatchTime, ManualClock, PidRateEstimator, Result};

/// A hundred records a batch, and the rates that it was told.
struct Steady(Arc<Mutex<Vec<u64>>>);

impl Source for Steady {
    type Record = u32;
    type Range = ();

    fn next_range(&mut self, _: BatchTime) -> Result<()> {
        Ok(())
    }

    fn read(&mut self, (): &()) -> Result<Vec<Vec<u32>>> {
        Ok(vec![(0..100).collect()])
    }

    fn set_rate(&mut self, records_per_second: u64) {
        self.0.lock().unwrap().push(records_per_second);
    }
}

/// The rates after batches that take `millis` each.
fn rates(millis: u64, backpressure: bool) -> Vec<u64> {
    let clock = ManualClock::new();
    let mut test = Driver::with_clock(clock.clone(), |builder| {
        let pid = PidRateEstimator::new(Duration::from_secs(1)).unwrap();
        if backpressure { builder.backpressure(pid) } else { builder }
    })
    .unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let numbers = test.context().source("steady", Steady(Arc::clone(&told))).unwrap();
    numbers.foreach_batch(move |_| clock.advance(Duration::from_millis(millis)));
    for _ in 0..4 {
        test.run_batches(1).unwrap();
    }
    test.context().stop().unwrap();
    told.lock().unwrap().clone()
}

#[test]
fn a_source_is_told_how_fast_batches_are_processed() {
    let rates = rates(400, true);
    assert!(!rates.is_empty(), "every batch but the first gives an estimate");
    assert!(
        rates.iter().all(|rate| (100..=250).contains(rate)),
        "a hundred records in 400 ms are 250 a second: {rates:?}"
    );
}

#[test]
fn without_backpressure_or_without_processing_time_a_source_is_told_nothing() {
    assert_eq!(rates(400, false), [0; 0]);
    assert_eq!(rates(0, true), [0; 0]);
}

/// Batches of a second by arithmetic: each begins when it is due and the one before is done, and takes as long as its records
/// at `speed` a second; the input has `offered` records a second and gives as many as the estimator lets it. Returns for
/// each batch its number of records, and how many milliseconds it was late.
fn closed_loop(offered: u64, speed: u64, batches: u64) -> Vec<(u64, u64)> {
    let mut pid = PidRateEstimator::new(Duration::from_secs(1)).unwrap();
    let (mut rate, mut free) = (offered, 0);
    let (mut done, mut history) = (VecDeque::<(u64, u64, u64, u64)>::new(), Vec::new());
    for due in (1..=batches).map(|batch| batch * 1_000) {
        // What is known when the batch is due.
        while let Some((end, records, processing, late)) = done.pop_front_if(|(end, ..)| *end <= due) {
            let estimate = pid.estimate(end, records, Duration::from_millis(processing), Duration::from_millis(late));
            rate = estimate.map_or(rate, |estimate| offered.min(estimate as u64));
        }
        let begin = free.max(due);
        let (processing, late) = (rate * 1_000 / speed, begin - due);
        free = begin + processing;
        done.push_back((free, rate, processing, late));
        history.push((rate, late));
    }
    history
}

/// A program that gets too much is behind at first, makes up for it, and stays at its own speed.
#[test]
fn an_input_that_is_too_fast_settles_at_the_speed_of_the_program() {
    const SPEED: u64 = 1_000;
    for (times, within) in [(2, 60), (4, 120), (10, 400)] {
        let history = closed_loop(times * SPEED, SPEED, within as u64 + 50);
        let behind = history.iter().map(|(_, late)| *late).max().unwrap();
        assert!(behind >= 1_000, "{times} times as fast: it is behind at first, by {behind} ms");
        let settled = history.iter().rposition(|(rate, late)| rate.abs_diff(SPEED) > SPEED / 50 || *late > 50);
        println!("{times} times as fast: {behind} ms behind at most, settled after {settled:?} batches");
        let (rates, late): (Vec<u64>, Vec<u64>) = history.into_iter().skip(within).unzip();
        assert!(rates.iter().all(|rate| rate.abs_diff(SPEED) <= SPEED / 50), "{times} times as fast: {rates:?}");
        assert!(late.iter().all(|late| *late <= 50), "{times} times as fast: late by {late:?}");
    }
    // One that is slower than the program is left alone.
    assert!(closed_loop(600, SPEED, 50).iter().all(|batch| *batch == (600, 0)));
}

/// Stores numbers as fast as it can.
struct Flood(Arc<AtomicUsize>);

impl Receiver for Flood {
    type Record = str;

    fn receive(&mut self, store: &Store<str>) -> Result<()> {
        while !store.is_stopped() {
            store.store_many(["x"; 10])?;
            self.0.fetch_add(10, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Between a receiver and the engine are at most as many records as its limit says, and one block, however fast it is.
#[test]
fn what_a_receiver_is_ahead_is_bounded_with_a_log_too() {
    const LIMIT: usize = 500;
    for durable in [false, true] {
        let files = SimulatedFs::new(1);
        let driver =
            Driver::with(
                |builder| {
                    if durable { builder.simulated_files(&files).checkpoint("checkpoint") } else { builder }
                },
            );
        let mut test = driver.unwrap();
        let (stored, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let options = ReceiverOptions::new().buffer_records(LIMIT);
        let lines = test.context().receiver_stream_with("flood", Flood(Arc::clone(&stored)), options).unwrap();
        let counter = Arc::clone(&seen);
        lines.foreach_batch(move |batch| {
            counter.fetch_add(batch.len(), Ordering::SeqCst);
        });
        test.context().start().unwrap();
        for batch in 0..20 {
            // It goes on until it is as far ahead as it may be.
            while stored.load(Ordering::SeqCst) - seen.load(Ordering::SeqCst) < LIMIT {
                std::thread::yield_now();
            }
            let ahead = stored.load(Ordering::SeqCst) - seen.load(Ordering::SeqCst);
            assert!(ahead < LIMIT + 10, "{ahead} records ahead before batch {batch}");
            test.run_batches(1).unwrap();
        }
        assert!(seen.load(Ordering::SeqCst) >= 20 * LIMIT);
        test.context().stop().unwrap();
    }
}
