//! What happened in a run, in a few lines: for the end of a program.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{DelayMetrics, Delays};
use crate::listener::{BatchInfo, StreamingListener};
use crate::time::{BatchTime, lock};

/// Delays are whole milliseconds: below a few of them a rate would be noise.
const NOISE: Duration = Duration::from_millis(10);

/// Adds up the batches of a run: their number, records, rates, and delays.
///
/// Clones are the same summary, so a program keeps one and shows it (by `{}`) at the end. It needs the same memory however
/// long the program runs.
///
/// **Source**: Spark's `StatsReportListener`, which prints distributions of the last ten batches.
///
/// # Examples
/// ```
/// use streamflow::listener::Summary;
/// use streamflow::testing::Driver;
///
/// let mut test = Driver::new()?;
/// let summary = Summary::new();
/// test.context().add_listener(summary.clone());
/// test.output(&test.input(vec![vec![1, 2], vec![3]]));
/// test.run_batches(2)?;
/// test.context().stop()?; // all events were delivered when this returns
/// assert_eq!((summary.batches(), summary.records()), (2, 3));
/// assert!(summary.to_string().starts_with("2 batches, 3 records in 2s"));
/// # Ok::<(), streamflow::Error>(())
/// ```
#[derive(Clone, Default)]
pub struct Summary(Arc<Totals>);

#[derive(Default)]
struct Totals {
    counts: Mutex<Counts>,
    scheduling: Delays,
    processing: Delays,
    total: Delays,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    started: Option<BatchTime>,
    ended: Option<BatchTime>,
    batches: u64,
    failed: u64,
    records: u64,
    largest: u64,
}

impl Summary {
    /// A summary of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Number of batches that were processed.
    #[must_use]
    pub fn batches(&self) -> u64 {
        self.counts().batches
    }

    /// Of these, batches with a failed output.
    #[must_use]
    pub fn failed_batches(&self) -> u64 {
        self.counts().failed
    }

    /// Records of all inputs in these batches.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.counts().records
    }

    /// The time from the start to the end of the last batch, by the context's clock.
    #[must_use]
    pub fn duration(&self) -> Duration {
        let counts = self.counts();
        match (counts.started, counts.ended) {
            (Some(started), Some(ended)) => ended.since(started),
            _ => Duration::ZERO,
        }
    }

    /// Records per second over that time.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let seconds = self.duration().as_secs_f64();
        if seconds > 0.0 { self.records() as f64 / seconds } else { 0.0 }
    }

    /// The time for which batches were processed: far below [`duration`](Self::duration) where there was time to spare.
    #[must_use]
    pub fn busy(&self) -> Duration {
        self.processing_delay().sum
    }

    /// How long batches waited for their turn.
    #[must_use]
    pub fn scheduling_delay(&self) -> DelayMetrics {
        self.0.scheduling.snapshot()
    }

    /// How long they were processed.
    #[must_use]
    pub fn processing_delay(&self) -> DelayMetrics {
        self.0.processing.snapshot()
    }

    /// Both together.
    #[must_use]
    pub fn total_delay(&self) -> DelayMetrics {
        self.0.total.snapshot()
    }

    fn counts(&self) -> Counts {
        *lock(&self.0.counts)
    }
}

impl StreamingListener for Summary {
    fn on_streaming_started(&self, time: BatchTime) {
        lock(&self.0.counts).started = Some(time);
    }

    fn on_batch_completed(&self, batch: &BatchInfo) {
        let records = batch.num_records().unwrap_or(0);
        let mut counts = lock(&self.0.counts);
        counts.started.get_or_insert(batch.submitted);
        counts.ended = batch.processing_ended;
        counts.batches += 1;
        counts.failed += u64::from(batch.has_failed());
        counts.records += records;
        counts.largest = counts.largest.max(records);
        drop(counts);
        let delays = [
            (&self.0.scheduling, batch.scheduling_delay()),
            (&self.0.processing, batch.processing_delay()),
            (&self.0.total, batch.total_delay()),
        ];
        delays.into_iter().for_each(|(delays, delay)| delays.add(delay.unwrap_or_default()));
    }
}

/// A line of counts, one of the time that was needed for them, three of delays.
impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Counts { batches, failed, records, largest, .. } = self.counts();
        write!(f, "{} batches, ", grouped(batches))?;
        if failed > 0 {
            write!(f, "{} of them failed, ", grouped(failed))?;
        }
        write!(f, "{} records in {:?}: {} records/s", grouped(records), self.duration(), grouped(self.rate() as u64))?;
        write!(f, ", {} in the largest batch", grouped(largest))?;
        let busy = self.busy();
        if busy < NOISE {
            write!(f, "\n  busy for less than {NOISE:?}")?;
        } else {
            let rate = records as f64 / busy.as_secs_f64();
            write!(f, "\n  busy for {busy:?}: {} records/s meanwhile", grouped(rate as u64))?;
        }
        let delays = [
            ("scheduling delay", self.scheduling_delay()),
            ("processing time", self.processing_delay()),
            ("total delay", self.total_delay()),
        ];
        for (name, delay) in delays {
            let [p50, p99, max] = [delay.quantile(0.5), delay.quantile(0.99), delay.max].map(in_millis);
            write!(f, "\n  {name:<17} p50 {p50:>8}   p99 {p99:>8}   max {max:>8}")?;
        }
        Ok(())
    }
}

/// A delay as clocks tell it, which know of no less than a millisecond.
fn in_millis(delay: Duration) -> String {
    if delay < Duration::from_millis(1) { "<1ms".to_owned() } else { format!("{delay:.0?}") }
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

impl fmt::Debug for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Summary").field("batches", &self.batches()).field("records", &self.records()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::InputInfo;

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn the_text_leaves_out_a_rate_that_would_be_noise() {
        let summary = Summary::new();
        let text = summary.to_string();
        assert!(text.starts_with("0 batches, 0 records in 0ns: 0 records/s"), "{text}");
        assert_eq!(text.lines().nth(1), Some("  busy for less than 10ms"));
    }

    #[test]
    fn the_text_says_what_there_was_to_do_and_how_long_it_took() {
        let at = BatchTime::from_millis;
        let summary = Summary::new();
        summary.on_streaming_started(at(0));
        for (time, records, ended) in [(1_000, 9_000, 1_015), (2_000, 3_000, 2_005)] {
            let mut batch = BatchInfo::new(at(time), Duration::from_secs(1), at(time));
            batch.inputs = vec![InputInfo { input: 0, name: "lines".into(), records: Some(records), bytes: None }];
            (batch.processing_started, batch.processing_ended) = (Some(at(time)), Some(at(ended)));
            summary.on_batch_completed(&batch);
        }
        let text = summary.to_string();
        let lines: Vec<&str> = text.lines().take(2).collect();
        assert_eq!(
            lines,
            [
                "2 batches, 12,000 records in 2.005s: 5,985 records/s, 9,000 in the largest batch",
                "  busy for 20ms: 600,000 records/s meanwhile"
            ]
        );
        assert!(text.contains("\n  scheduling delay  p50     <1ms   p99     <1ms"), "{text}");
        assert!(text.contains("\n  processing time   p50"), "{text}");
    }
}
