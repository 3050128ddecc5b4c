//! Warnings for whoever operates a program: once each, with numbers.
//!
//! [`Watch`] looks at every batch when it is done, on the job thread, which costs some comparisons. It is always there, so
//! that a program without any listener says in its log that it does not keep up.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::meters::Meters;
use super::snapshot::{Metrics, WarningInfo};
use crate::error::Error;
use crate::listener::BatchInfo;
use crate::scheduler::jobs::BatchHook;
use crate::time::lock;

/// A program is behind when so many batches in a row took longer than their intervals together.
const BEHIND_BATCHES: usize = 10;
/// An input is idle when it delivered nothing for so long, and for [`BEHIND_BATCHES`] batches.
const IDLE: Duration = Duration::from_secs(60);
/// An input fails when it reported so many errors.
const FAILING_ERRORS: u64 = 3;
/// State is looked at every so many batches.
const STATE_BATCHES: u64 = 60;
/// State grows without bound when it grew at so many looks in a row, and doubled meanwhile.
const STATE_LOOKS: u32 = 10;
/// Less state than this is not worth a warning.
const STATE_KEYS: u64 = 100_000;

/// What is wrong.
#[derive(Clone, Debug)]
pub(crate) enum Warning {
    Behind { mean: Duration, interval: Duration, waiting: u64, delay: Duration },
    Idle { input: Arc<str>, time: Duration, batches: u64 },
    Failing { input: Arc<str>, errors: u64, last: Option<Error> },
    Growing { stream: String, from: u64, to: u64, bytes: u64, batches: u64 },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::Behind { mean, interval, waiting, delay } => write!(
                f,
                "batches take longer than their interval: the last {BEHIND_BATCHES} took {mean:.1?} on average, the interval \
                 is {interval:?}; {waiting} wait, and the last one waited for {delay:?}"
            ),
            Warning::Idle { input, time, batches } => {
                write!(f, "input `{input}` has delivered nothing for {time:?}, which is {batches} batches")
            }
            Warning::Failing { input, errors, last } => {
                write!(f, "input `{input}` has failed {errors} times")?;
                last.iter().try_for_each(|error| write!(f, ", last with: {error:?}"))
            }
            Warning::Growing { stream, from, to, bytes, batches } => write!(
                f,
                "the state of `{stream}` has grown from {from} to {to} keys ({} MiB) in {batches} batches and never shrank: \
                 it needs a timeout, or a function that removes keys",
                bytes >> 20
            ),
        }
    }
}

/// Sees what is wrong.
pub(crate) struct Watch {
    interval: Duration,
    meters: Arc<Meters>,
    seen: Mutex<Seen>,
}

/// What it remembers of earlier batches.
#[derive(Default)]
struct Seen {
    batches: u64,
    processing: VecDeque<Duration>,
    behind: bool,
    inputs: Vec<InputSeen>,
    streams: Vec<StreamSeen>,
}

#[derive(Clone, Copy, Default)]
struct InputSeen {
    empty_batches: u64,
    warned_idle: bool,
    warned_failing: bool,
}

#[derive(Clone, Copy, Default)]
struct StreamSeen {
    first: u64,
    last: u64,
    looks: u32,
    warned: bool,
}

impl Watch {
    pub(crate) fn new(interval: Duration, meters: Arc<Meters>) -> Self {
        Self { interval, meters, seen: Mutex::default() }
    }

    /// Looks at a batch that is done.
    fn look(&self, batch: &BatchInfo) -> Vec<Warning> {
        let mut seen = lock(&self.seen);
        let mut warnings = Vec::new();
        warnings.extend(self.look_at_delays(&mut seen, batch));
        self.look_at_inputs(&mut seen, batch, &mut warnings);
        seen.batches += 1;
        if seen.batches.is_multiple_of(STATE_BATCHES) {
            let Metrics { streams, .. } = self.meters.snapshot();
            let sizes = streams.iter().filter(|stream| stream.keeps_state);
            let sizes = sizes.map(|stream| (stream.id, &*stream.name, stream.state_keys, stream.state_bytes));
            warnings.extend(seen.look_at_state(sizes));
        }
        warnings
    }

    fn look_at_delays(&self, seen: &mut Seen, batch: &BatchInfo) -> Option<Warning> {
        seen.processing.push_back(batch.processing_delay()?);
        if seen.processing.len() > BEHIND_BATCHES {
            seen.processing.pop_front();
        }
        let mean = seen.processing.iter().sum::<Duration>() / BEHIND_BATCHES as u32;
        let delay = batch.scheduling_delay()?;
        if seen.behind {
            // Another episode is worth another warning, but only when this one is over.
            seen.behind = mean > self.interval || delay >= self.interval;
            return None;
        }
        seen.behind = seen.processing.len() == BEHIND_BATCHES && mean > self.interval;
        let waiting = self.meters.waiting();
        seen.behind.then_some(Warning::Behind { mean, interval: self.interval, waiting, delay })
    }

    fn look_at_inputs(&self, seen: &mut Seen, batch: &BatchInfo, warnings: &mut Vec<Warning>) {
        seen.inputs.resize(batch.inputs.len(), InputSeen::default());
        for (seen, info) in seen.inputs.iter_mut().zip(&batch.inputs) {
            let name = || Arc::clone(&info.name);
            seen.empty_batches = if info.records == Some(0) { seen.empty_batches + 1 } else { 0 };
            let time = self.interval.saturating_mul(u32::try_from(seen.empty_batches).unwrap_or(u32::MAX));
            if !seen.warned_idle && time >= IDLE && seen.empty_batches >= BEHIND_BATCHES as u64 {
                seen.warned_idle = true;
                warnings.push(Warning::Idle { input: name(), time, batches: seen.empty_batches });
            }
            if !seen.warned_failing && self.meters.input(info.input).errors() >= FAILING_ERRORS {
                seen.warned_failing = true;
                let (errors, last) = self.meters.input(info.input).last_error();
                warnings.push(Warning::Failing { input: name(), errors, last });
            }
        }
    }
}

impl Seen {
    /// `sizes` are number, name, keys and bytes of each state.
    fn look_at_state<'a>(&mut self, sizes: impl Iterator<Item = (usize, &'a str, u64, u64)>) -> Vec<Warning> {
        let mut warnings = Vec::new();
        for (id, name, keys, bytes) in sizes {
            self.streams.resize(self.streams.len().max(id + 1), StreamSeen::default());
            let seen = &mut self.streams[id];
            if keys > seen.last {
                seen.looks += 1;
            } else {
                (seen.looks, seen.first) = (0, keys);
            }
            seen.last = keys;
            let grows = seen.looks >= STATE_LOOKS && keys >= STATE_KEYS && keys >= seen.first.saturating_mul(2);
            if grows && !std::mem::replace(&mut seen.warned, true) {
                let batches = u64::from(seen.looks) * STATE_BATCHES;
                warnings.push(Warning::Growing { stream: name.to_owned(), from: seen.first, to: keys, bytes, batches });
            }
        }
        warnings
    }
}

impl BatchHook for Watch {
    fn completed(&self, batch: &BatchInfo, _: &[Error]) {
        for warning in self.look(batch) {
            tracing::warn!(batch = batch.batch_time.as_millis(), "{warning}");
            self.meters.warn(WarningInfo { batch: batch.batch_time, text: warning.to_string() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::InputInfo;
    use crate::time::BatchTime;
    use crate::topology::Graph;

    fn watch() -> Watch {
        let meters = Meters::new(Arc::new(Graph::default()), std::iter::once("lines".into()), Arc::default());
        Watch::new(Duration::from_secs(1), Arc::new(meters))
    }

    fn batch(processing: u64, records: u64) -> BatchInfo {
        let at = |millis| BatchTime::from_millis(10_000 + millis);
        let mut info = BatchInfo::new(at(0), Duration::from_secs(1), at(0));
        info.inputs = vec![InputInfo { input: 0, name: "lines".into(), records: Some(records), bytes: Some(records) }];
        info.processing_started = Some(at(0));
        info.processing_ended = Some(at(processing));
        info
    }

    fn look(watch: &Watch, times: usize, batch: &BatchInfo) -> Vec<String> {
        (0..times).flat_map(|_| watch.look(batch)).map(|warning| warning.to_string()).collect()
    }

    #[test]
    fn being_behind_is_said_once_an_episode() {
        let watch = watch();
        assert!(look(&watch, 30, &batch(900, 1)).is_empty());
        let warnings = look(&watch, 30, &batch(1_300, 1));
        assert_eq!(warnings.len(), 1);
        assert!(warnings[0].contains("the interval is 1s"), "{warnings:?}");
        assert!(look(&watch, 30, &batch(500, 1)).is_empty());
        assert_eq!(look(&watch, 30, &batch(2_000, 1)).len(), 1);
    }

    #[test]
    fn an_idle_input_is_named_once() {
        let watch = watch();
        assert!(look(&watch, 59, &batch(1, 0)).is_empty());
        let warnings = look(&watch, 200, &batch(1, 0));
        assert_eq!(warnings, ["input `lines` has delivered nothing for 60s, which is 60 batches"]);
    }

    #[test]
    fn a_failing_input_is_named_with_its_last_error() {
        let watch = watch();
        for attempt in 1..=3 {
            watch.meters.input(0).error(&Error::input(format!("connection refused, attempt {attempt}")), None);
        }
        let warnings = look(&watch, 2, &batch(1, 1));
        assert_eq!(warnings, ["input `lines` has failed 3 times, last with: connection refused, attempt 3"]);
    }

    #[test]
    fn state_that_never_shrinks_is_named_once() {
        let mut seen = Seen::default();
        let mut grow = |keys| seen.look_at_state([(3, "totals", keys, keys * 16)].into_iter()).len();
        assert_eq!((1..=9).map(|look| grow(look * 50_000)).sum::<usize>(), 0);
        assert_eq!(grow(500_000), 1);
        assert_eq!(grow(600_000), 0, "said already");
        let mut seen = Seen::default();
        let mut swing = |keys| seen.look_at_state([(0, "window", keys, 0)].into_iter()).len();
        assert_eq!((0..100).map(|look| swing(200_000 + look % 5)).sum::<usize>(), 0);
    }
}
