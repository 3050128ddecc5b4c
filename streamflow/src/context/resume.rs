//! Where a context begins: at the beginning, or where an earlier run of the program stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::builder::Config;
use crate::error::{Error, Result};
use crate::listener::RecoveryInfo;
use crate::recovery::batch_log::Planned;
use crate::recovery::lock::DirectoryLock;
use crate::recovery::settings::MissedBatches;
use crate::recovery::{ContextFacts, Recovery};
use crate::scheduler::generator::SharedInput;
use crate::scheduler::jobs::JobSet;
use crate::scheduler::listener::CheckpointEvents;
use crate::source::{AnyRange, EmptyRange, InputLog, SourceCx};
use crate::time::BatchTime;
use crate::topology::Graph;

/// Where a context begins.
pub(super) struct Start {
    /// One interval before the first batch ever.
    pub(super) zero: BatchTime,
    /// When the program was started first.
    pub(super) began: BatchTime,
    /// The first batch that is not one of an earlier run.
    pub(super) next: BatchTime,
    pub(super) recovery: Option<Arc<Recovery>>,
    /// What listeners are told, if an earlier run has left something.
    pub(super) recovered: Option<RecoveryInfo>,
    ranges: BTreeMap<String, Vec<(BatchTime, Vec<u8>)>>,
    replay: Vec<Planned>,
}

/// Recovers the checkpoint of the context, if it has a directory, whose lock it may have taken before.
pub(super) fn open(
    config: &Config,
    lock: Option<DirectoryLock>,
    graph: &Graph,
    now: BatchTime,
    events: &CheckpointEvents,
) -> Result<Start> {
    let Some(settings) = &config.checkpoint else {
        if !config.ephemeral {
            refuse_state(graph)?;
        }
        let next = now.next(config.interval);
        let zero = next - config.interval;
        let (recovery, recovered, ranges) = (None, None, BTreeMap::new());
        return Ok(Start { zero, began: now, next, recovery, recovered, ranges, replay: Vec::new() });
    };
    let Config { name, interval, parallelism, .. } = config;
    let facts = ContextFacts { name, interval: *interval, now, parallelism: *parallelism, events };
    let lock = lock.map_or_else(|| DirectoryLock::take(&config.files, &settings.dir, name), Ok)?;
    let (recovery, resumption) = Recovery::open(&config.files, lock, settings, graph, &facts)?;
    Ok(Start {
        zero: resumption.zero,
        began: resumption.began,
        next: resumption.next,
        recovery: Some(Arc::new(recovery)),
        recovered: resumption.info,
        ranges: resumption.ranges,
        replay: resumption.replay,
    })
}

/// State that would be lost with the process must be meant to be.
fn refuse_state(graph: &Graph) -> Result<()> {
    let state = graph.nodes.iter().find(|node| node.state.is_some() && node.window.is_none());
    match state {
        Some(node) => Err(Error::invalid(format!(
            "`{}` keeps state, and the context has no checkpoint directory: say `.checkpoint(directory)` on the builder, \
             or `.ephemeral()` if the state may be lost with the process",
            node.name
        ))),
        None => Ok(()),
    }
}

/// Up to which batch the missed ones are quiet.
pub(super) fn quiet_until(policy: MissedBatches, next: BatchTime, now: BatchTime, interval: Duration) -> BatchTime {
    match policy {
        MissedBatches::All => BatchTime::default(),
        MissedBatches::Newest(count) => {
            let kept = interval.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX));
            // Batches that are due only after the start are not missed.
            if next > now { BatchTime::default() } else { now.floor_from(next, interval) - kept }
        }
    }
}

impl Start {
    /// Where an input keeps what it receives.
    pub(super) fn input_log(&self, config: &Config, input: &str) -> Option<InputLog> {
        let settings = config.checkpoint.as_ref()?;
        let dir = settings.dir.join("received").join(directory_name(input));
        Some(InputLog { files: Arc::clone(&config.files), dir })
    }
}

/// The name of an input as that of a directory: another one for each input, on every file system.
fn directory_name(input: &str) -> String {
    use std::fmt::Write;

    if input.is_empty() {
        return "%".to_owned();
    }
    let mut name = String::with_capacity(input.len());
    for byte in input.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            // Also capital letters: some file systems do not tell them from small ones.
            other => write!(name, "%{other:02x}").expect("a string takes everything"),
        }
    }
    name
}

/// The batches to run again, while the inputs decode their ranges of them.
pub(super) struct Backlog {
    batches: Vec<(Planned, Vec<Result<AnyRange>>)>,
}

impl Backlog {
    pub(super) fn new(start: &Start) -> Self {
        Self { batches: start.replay.iter().map(|planned| (planned.clone(), Vec::new())).collect() }
    }

    /// Lets an input take up its ranges; inputs are added in the order of the context.
    pub(super) fn add(&mut self, shared: &SharedInput, cx: &SourceCx, start: &Start) -> Result<()> {
        let Some(recovery) = &start.recovery else { return Ok(()) };
        if !shared.call(|input| Ok(input.is_recoverable()))? {
            return Err(Error::invalid(format!(
                "the input `{}` cannot be recovered: what it has delivered is gone with the process, so a checkpoint would \
                 promise too much; use a source that can be read again, or run without checkpoint by `.ephemeral()`",
                shared.name
            )));
        }
        let known = start.ranges.get(&*shared.name).map_or(&[][..], Vec::as_slice);
        let mut decoded: BTreeMap<BatchTime, AnyRange> =
            shared.call(|input| input.resume(cx, known))?.into_iter().collect();
        for (planned, ranges) in &mut self.batches {
            let had = planned.ranges.iter().any(|(name, range)| **name == *shared.name && range.is_some());
            let range = if had { decoded.remove(&planned.time) } else { None };
            ranges.push(Ok(range.unwrap_or_else(|| Box::new(EmptyRange))));
        }
        // Without a range of its own an input knows how long it remembers only after its start.
        recovery.add_input(&shared.name, known);
        Ok(())
    }

    /// The batches to run.
    ///
    /// # Errors
    /// When outputs are due of what an input received that the program does not have any more.
    pub(super) fn finish(self, config: &Config, inputs: &[SharedInput]) -> Result<Vec<JobSet>> {
        let may_go = config.checkpoint.as_ref().map_or(&[][..], |settings| &settings.dropped);
        let is_known =
            |name: &str| inputs.iter().any(|input| &*input.name == name) || may_go.iter().any(|gone| gone == name);
        for (planned, _) in self.batches.iter().filter(|(planned, _)| !planned.completed && !planned.left_out) {
            if let Some((name, _)) = planned.ranges.iter().find(|(name, range)| range.is_some() && !is_known(name)) {
                return Err(Error::invalid(format!(
                    "the batch of {} was not completed and has data of the input `{name}`, which this program does not \
                     have: run the old program once more, or say `.drop_state(\"{name}\")` if the data may go",
                    planned.time
                )));
            }
        }
        let now = config.clock.now();
        let sets = self.batches.into_iter().map(|(planned, ranges)| JobSet {
            time: planned.time,
            ranges,
            submitted: now,
            rerun: true,
            quiet: planned.completed || planned.left_out,
        });
        Ok(sets.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::directory_name;

    #[test]
    fn inputs_never_share_a_directory() {
        let names =
            ["events", "events_2", "events#2", "Events", "../events", "socket 127.0.0.1:9999", "%23", "#", "ü", ""];
        let directories: std::collections::BTreeSet<_> = names.iter().map(|name| directory_name(name)).collect();
        assert_eq!(directories.len(), names.len());
        assert!(directories.iter().all(|name| !name.is_empty() && !name.contains(['/', '.', '#', ':'])));
        assert_eq!(directory_name("events#2"), "events%232");
    }
}
