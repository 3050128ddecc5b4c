//! Backpressure: what a source is told after each batch.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamflow::source::Source;
use streamflow::testing::Driver;
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
