//! A line in the terminal that says how a program does.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};

use crate::listener::{BatchInfo, StreamingListener};
use crate::time::lock;

/// Batches that the spark line shows.
const SPARKS: usize = 24;

/// Shows a line with rate and delays of the last batch, and a spark line of the rates before; needs the feature `progress`.
///
/// The line is on the standard error stream, and only if that is a terminal; it disappears at the end, so that a
/// [`Summary`](super::Summary) can take its place.
///
/// # Examples
/// ```
/// use streamflow::StreamingContext;
/// use streamflow::listener::Progress;
///
/// let ctx = StreamingContext::builder("shown").build()?;
/// ctx.add_listener(Progress::new());
/// # Ok::<(), streamflow::Error>(())
/// ```
pub struct Progress {
    bar: ProgressBar,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    batches: u64,
    rates: VecDeque<f64>,
}

impl Progress {
    /// A line for one context.
    #[must_use]
    pub fn new() -> Self {
        let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is valid");
        Self { bar: ProgressBar::new_spinner().with_style(style), seen: Mutex::default() }
    }

    /// The line after a batch.
    fn line(&self, batch: &BatchInfo) -> String {
        let rate = batch.input_rate().unwrap_or(0.0);
        let mut seen = lock(&self.seen);
        seen.batches += 1;
        seen.rates.push_back(rate);
        if seen.rates.len() > SPARKS {
            seen.rates.pop_front();
        }
        let processing = batch.processing_delay().unwrap_or_default();
        let waited = batch.scheduling_delay().unwrap_or_default();
        let behind = if processing > batch.interval { "  longer than the interval" } else { "" };
        let failed = if batch.has_failed() { "  failed" } else { "" };
        format!(
            "batch {}  {rate:>9.0} records/s  {}  processing {processing:.0?}  waited {waited:.0?}{behind}{failed}",
            seen.batches,
            spark_line(&seen.rates)
        )
    }
}

impl Default for Progress {
    fn default() -> Self {
        Self::new()
    }
}

impl StreamingListener for Progress {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.bar.set_message(self.line(batch));
        self.bar.tick();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

impl fmt::Debug for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress").field("batches", &lock(&self.seen).batches).finish_non_exhaustive()
    }
}

/// A bar for each value, the largest one full.
fn spark_line(values: &VecDeque<f64>) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let largest = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
    values.iter().map(|value| BARS[((value / largest * 8.0).ceil() as usize).clamp(1, 8) - 1]).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::listener::InputInfo;
    use crate::time::BatchTime;

    #[test]
    fn sparks_are_relative_to_the_largest() {
        assert_eq!(spark_line(&VecDeque::from([0.0, 1.0, 4.0, 8.0])), "▁▁▄█");
        assert_eq!(spark_line(&VecDeque::from([0.0])), "▁");
    }

    #[test]
    fn the_line_says_rate_and_delays() {
        let at = BatchTime::from_millis;
        let mut batch = BatchInfo::new(at(1_000), Duration::from_millis(200), at(1_000));
        batch.inputs = vec![InputInfo { input: 0, name: "lines".into(), records: Some(500), bytes: None }];
        (batch.processing_started, batch.processing_ended) = (Some(at(1_010)), Some(at(1_250)));
        let progress = Progress::new();
        let line = progress.line(&batch);
        for part in ["batch 1 ", "2500 records/s", "█", "processing 240ms", "waited 10ms", "longer than the interval"]
        {
            assert!(line.contains(part), "{line:?} lacks {part:?}");
        }
    }
}
