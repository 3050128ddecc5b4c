//! A listener that adds up what the batches of a program were.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::listener::{BatchInfo, StreamingListener};
use crate::time::{BatchTime, lock};

/// A listener that counts batches and records, for a line at the end of a program. Clones count together.
///
/// Its text says what there was to do, how long that took, and how many records the program could have taken per second
/// of processing. [`stop`](crate::StreamingContext::stop) delivers all events before it returns, so it is complete then.
///
/// **Source**: Spark's `StatsReportListener`, which logs distributions of the delays while the program runs.
///
/// # Examples
/// ```
/// use streamflow::listener::Stats;
/// use streamflow::testing::Driver;
///
/// let mut test = Driver::new()?;
/// let stats = Stats::new();
/// test.context().add_listener(stats.clone());
/// let numbers = test.input(vec![vec![1, 2, 3], vec![4]]);
/// test.output(&numbers);
/// test.run_batches(2)?;
/// test.context().stop()?;
/// assert_eq!((stats.batches(), stats.records()), (2, 4));
/// # Ok::<(), streamflow::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Stats(Arc<Mutex<Totals>>);

#[derive(Clone, Copy, Debug, Default)]
struct Totals {
    batches: u64,
    failed: u64,
    records: u64,
    processing: Duration,
    longest: Duration,
    first: Option<BatchTime>,
    last: BatchTime,
}

impl Stats {
    /// Nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fn totals(&self) -> Totals {
        *lock(&self.0)
    }

    /// Number of batches that were completed, failed ones too.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.totals().batches
    }

    /// Number of batches of which an output failed.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.totals().failed
    }

    /// Number of records that the inputs of these batches held.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.totals().records
    }

    /// How long the batches were processed, together.
    #[must_use]
    pub fn processing(&self) -> Duration {
        self.totals().processing
    }
}

impl StreamingListener for Stats {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        let took = batch.processing_delay().unwrap_or_default();
        let mut totals = lock(&self.0);
        totals.batches += 1;
        totals.failed += u64::from(batch.has_failed());
        totals.records += batch.num_records().unwrap_or_default();
        totals.processing += took;
        totals.longest = totals.longest.max(took);
        totals.first.get_or_insert(batch.submitted);
        totals.last = batch.processing_ended.unwrap_or(batch.submitted);
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let totals = self.totals();
        let elapsed = totals.last.since(totals.first.unwrap_or(totals.last));
        write!(f, "{} batches", totals.batches)?;
        if totals.failed > 0 {
            write!(f, " ({} failed)", totals.failed)?;
        }
        write!(f, " with {} records in {:.1} s", grouped(totals.records), elapsed.as_secs_f64())?;
        // Delays are whole milliseconds: below a few of them a rate would be noise.
        if totals.processing >= Duration::from_millis(10) {
            let rate = totals.records as f64 / totals.processing.as_secs_f64();
            let (processing, longest) = (totals.processing.as_millis(), totals.longest.as_millis());
            write!(f, "; busy for {processing} ms, {longest} ms at most for a batch")?;
            write!(f, "; {} records per busy second", grouped(rate as u64))?;
        } else {
            write!(f, "; busy for less than 10 ms")?;
        }
        Ok(())
    }
}

/// A number with a comma between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn the_text_leaves_out_a_rate_that_would_be_noise() {
        let stats = Stats::new();
        assert_eq!(stats.to_string(), "0 batches with 0 records in 0.0 s; busy for less than 10 ms");
        *lock(&stats.0) = Totals {
            batches: 3,
            failed: 1,
            records: 12_000,
            processing: Duration::from_millis(20),
            longest: Duration::from_millis(15),
            first: Some(BatchTime::from_millis(1_000)),
            last: BatchTime::from_millis(4_020),
        };
        assert_eq!(
            stats.to_string(),
            "3 batches (1 failed) with 12,000 records in 3.0 s; busy for 20 ms, 15 ms at most for a batch; 600,000 \
             records per busy second"
        );
    }
}
