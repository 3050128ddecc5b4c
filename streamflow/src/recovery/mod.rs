//! Going on where a program stopped, whatever stopped it.
//!
//! Three things are durable in the checkpoint directory:
//!
//! ```text
//!   DIR/batches/      a log: the ranges of a batch before it runs, its completion after its outputs
//!   DIR/received/I/   for each receiver, a log of its blocks
//!   DIR/state/        checkpoints: windows, state, positions of inputs, every now and then
//! ```
//!
//! A start finds the newest checkpoint, of the batch `C`, and the batches after `C` in the log. Windows and state are set to
//! `C`; the batches after `C` run again with their own ranges, in order. Those that had completed run only as far as windows
//! and state need; the others run with their outputs, which are told that it is a re-run. Then come the batches that were
//! missed while the program was down.
//!
//! **Invariant**: what a checkpoint does not hold is in the logs. So logs are cleaned up to the oldest checkpoint that is
//! kept, after that checkpoint is durable; and no checkpoint is written past a batch with a failed output, which a restart
//! has to run again.
//!
//! | module | what it holds |
//! |---|---|
//! | [`settings`] | what the program says about all this |
//! | [`batch_log`] | what was planned and what was completed |
//! | [`program`] | what a checkpoint holds beside state |
//! | [`restore`] | states of a checkpoint against those of the program |
//! | [`snapshots`] | writing checkpoints, off the batch's path |
//! | [`lock`] | one running program for a directory |
//! | [`inspect`] | what a directory holds, for people |

pub(crate) mod batch_log;
pub(crate) mod inspect;
pub(crate) mod lock;
pub(crate) mod program;
pub(crate) mod restore;
pub(crate) mod settings;
pub(crate) mod snapshots;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use self::batch_log::{BatchLog, Planned};
use self::inspect::WaitingBatch;
use self::lock::DirectoryLock;
use self::program::Program;
use self::settings::CheckpointSettings;
use self::snapshots::Snapshots;
use crate::checkpoint::{CheckpointOptions, CheckpointStore};
use crate::error::{Error, Result};
use crate::fs::SharedFs;
use crate::listener::RecoveryInfo;
use crate::scheduler::listener::CheckpointEvents;
use crate::time::{BatchTime, Stopwatch, lock};
use crate::topology::Graph;

/// The durable side of a running context.
pub(crate) struct Recovery {
    log: BatchLog,
    snapshots: Snapshots,
    /// The ranges that the next checkpoint has to remember, by input.
    ranges: Mutex<BTreeMap<Arc<str>, InputRanges>>,
    checkpoint_interval: Duration,
    zero: BatchTime,
    began: BatchTime,
    interval: Duration,
    /// The first batch with a failed output since the last restart: no checkpoint goes past it.
    failed: Mutex<Option<BatchTime>>,
    /// Held for as long as a thread of the context can write, also one that was left behind by a stop.
    _lock: DirectoryLock,
}

/// Encoded ranges of one input, oldest first.
type InputRanges = Vec<(BatchTime, Vec<u8>)>;

/// What a start goes on from.
pub(crate) struct Resumption {
    /// One interval before the first batch ever.
    pub(crate) zero: BatchTime,
    /// When the program was started first.
    pub(crate) began: BatchTime,
    /// For each input, the ranges of earlier batches, oldest first: those that the checkpoint remembers and those to replay.
    pub(crate) ranges: BTreeMap<String, Vec<(BatchTime, Vec<u8>)>>,
    /// The batches to run again, in order.
    pub(crate) replay: Vec<Planned>,
    /// The first batch that nothing is known of.
    pub(crate) next: BatchTime,
    /// What listeners are told of all that, if an earlier run of the program has left something.
    pub(crate) info: Option<RecoveryInfo>,
}

impl Recovery {
    /// Opens a checkpoint directory, which is locked: sets the states of the graph, and says where to go on.
    ///
    /// # Errors
    /// When something in the directory is damaged beyond the last checkpoint but one, belongs to another program, or holds
    /// state that this program would lose.
    pub(crate) fn open(
        files: &SharedFs,
        lock: DirectoryLock,
        settings: &CheckpointSettings,
        graph: &Graph,
        context: &ContextFacts<'_>,
    ) -> Result<(Self, Resumption)> {
        let watch = Stopwatch::start();
        let dir = &settings.dir;
        let store = CheckpointStore::open(SharedFs::clone(files), dir.join("state"), CheckpointOptions::default())?;
        let log = BatchLog::open(SharedFs::clone(files), dir.join("batches"))?;
        let program = match store.latest() {
            Some(manifest) => Some(Program::decode(&manifest.program, dir)?),
            None => None,
        };
        let history = log.history(program.as_ref().map(|program| program.batch))?;
        let zero = program.as_ref().map(|program| program.zero).or(history.zero);
        let is_new = zero.is_none();
        if is_new {
            inspect::refuse_remains(files, dir, &history)?;
        }
        let began = program.as_ref().map(|program| program.began).or(history.began).unwrap_or(context.now);
        let zero = zero.unwrap_or_else(|| context.now.next(context.interval) - context.interval);
        if let Some(interval) = program.as_ref().map(|program| program.interval).or(history.interval) {
            same_interval(dir, interval, context.interval)?;
        }
        restore::check_codecs(graph)?;
        graph.nodes.iter().filter_map(|node| node.state.as_ref()).for_each(|state| state.track());
        if let Some(program) = &program {
            restore::restore(&store, graph, settings, program.batch.since(zero), context.parallelism)?;
        }
        for state in graph.nodes.iter().filter_map(|node| node.state.as_ref()) {
            state.prepare(context.parallelism, zero);
        }
        let checkpoint = program.as_ref().map(|program| program.batch);
        let mut resumption = resume(program, history.planned, zero, began, context);
        let damaged = store.warnings().len();
        if damaged > 0 {
            tracing::warn!(damaged, "an older checkpoint is used, since the newest is damaged");
        }
        let recovery = Self {
            log,
            snapshots: Snapshots::new(store, context.events.clone()),
            ranges: Mutex::default(),
            checkpoint_interval: settings.interval_for(context.interval)?,
            zero,
            began,
            interval: context.interval,
            failed: Mutex::new(None),
            _lock: lock,
        };
        let _ = context.events.meter().batch_log.set(recovery.log.meter());
        if is_new {
            recovery.log.begin(began, zero, context.interval)?;
        } else {
            resumption.info = Some(RecoveryInfo {
                time: context.now,
                began,
                checkpoint,
                batches: resumption.replay.iter().map(WaitingBatch::from).collect(),
                missed: due_by_now(resumption.next, context),
                damaged,
                took: watch.elapsed(),
            });
        }
        Ok((recovery, resumption))
    }

    /// Names an input, and its ranges that are known already.
    pub(crate) fn add_input(&self, name: &Arc<str>, known: &[(BatchTime, Vec<u8>)]) {
        lock(&self.ranges).insert(Arc::clone(name), known.to_vec());
    }

    /// Makes the ranges of a batch durable, before it runs.
    ///
    /// # Errors
    /// When the log cannot be written: then the batch must not run.
    pub(crate) fn plan(&self, planned: Planned) -> Result<()> {
        let mut inputs = lock(&self.ranges);
        for (name, range) in &planned.ranges {
            if let (Some(range), Some(input)) = (range, inputs.get_mut(&**name)) {
                input.push((planned.time, range.clone()));
            }
        }
        drop(inputs);
        self.log.planned(planned)
    }

    /// Notes that a batch is done, and writes a checkpoint if one is due. `memory` tells for how long ranges of an input
    /// matter to its later ones. Returns the batch up to which no restart needs
    /// anything any more, if that is known to have moved.
    ///
    /// # Errors
    /// When the log cannot be written, or an earlier checkpoint could not be.
    pub(crate) fn complete(
        &self,
        time: BatchTime,
        succeeded: bool,
        graph: &Graph,
        memory: impl Fn(&str) -> Duration,
    ) -> Result<Option<BatchTime>> {
        if succeeded {
            self.log.completed(time)?;
        } else {
            lock(&self.failed).get_or_insert_with(|| {
                tracing::warn!(batch = %time, "an output failed: no checkpoint is written until a restart has run the batch again");
                time
            });
        }
        let since_zero = time.since(self.zero).as_millis();
        if lock(&self.failed).is_none() && since_zero.is_multiple_of(self.checkpoint_interval.as_millis()) {
            self.snapshots.begin(time, graph, || self.program(time, memory))?;
        }
        let horizon = self.snapshots.take_horizon()?;
        if let Some(horizon) = horizon {
            self.log.clean(horizon)?;
        }
        Ok(horizon)
    }

    /// The batch before which none is run again while the batch of `time` runs: a failed one waits for the next start, and
    /// all others before it are done.
    pub(crate) fn settled_before(&self, time: BatchTime) -> BatchTime {
        lock(&self.failed).map_or(time, |failed| failed.min(time))
    }

    /// What a checkpoint after the batch of `time` holds beside state.
    fn program(&self, time: BatchTime, memory: impl Fn(&str) -> Duration) -> Program {
        let mut inputs = lock(&self.ranges);
        let mut remembered = BTreeMap::new();
        for (name, known) in inputs.iter_mut() {
            let threshold = time - memory(name);
            // The last range up to the checkpoint always counts: it tells an input where it stood.
            let last = known.iter().rposition(|(batch, _)| *batch <= time);
            let keep = known.iter().position(|(batch, _)| *batch > threshold).unwrap_or(known.len());
            known.drain(..last.map_or(0, |last| last.min(keep)));
            let up_to = known.iter().take_while(|(batch, _)| *batch <= time).cloned().collect();
            remembered.insert(name.to_string(), up_to);
        }
        Program { batch: time, zero: self.zero, began: self.began, interval: self.interval, inputs: remembered }
    }

    /// Waits for the checkpoint in the works, and leaves its result to the next batch.
    pub(crate) fn settle(&self) {
        self.snapshots.settle();
    }

    /// Ends the log, and waits for the checkpoint in the works.
    ///
    /// # Errors
    /// When it could not be written.
    pub(crate) fn finish(&self) -> Result<()> {
        self.log.close();
        self.snapshots.finish()
    }
}

/// What recovery needs to know of the context.
pub(crate) struct ContextFacts<'a> {
    pub(crate) name: &'a str,
    pub(crate) interval: Duration,
    pub(crate) now: BatchTime,
    pub(crate) parallelism: usize,
    /// Hears of checkpoints.
    pub(crate) events: &'a CheckpointEvents,
}

fn resume(
    program: Option<Program>,
    replay: Vec<Planned>,
    zero: BatchTime,
    began: BatchTime,
    context: &ContextFacts<'_>,
) -> Resumption {
    let checkpoint = program.as_ref().map(|program| program.batch);
    let mut ranges = program.map(|program| program.inputs).unwrap_or_default();
    for planned in &replay {
        for (name, range) in &planned.ranges {
            if let Some(range) = range {
                ranges.entry(name.clone()).or_default().push((planned.time, range.clone()));
            }
        }
    }
    let last = replay.last().map(|planned| planned.time).or(checkpoint).unwrap_or(zero);
    let next = last + context.interval;
    if checkpoint.is_some() || !replay.is_empty() {
        let pending = replay.iter().filter(|planned| !planned.completed && !planned.left_out).count();
        tracing::info!(
            context = context.name,
            ?checkpoint,
            replayed = replay.len(),
            pending,
            %next,
            "recovered; batches after the checkpoint run again"
        );
    }
    Resumption { zero, began, ranges, replay, next, info: None }
}

/// How many batches from `next` on are due already.
fn due_by_now(next: BatchTime, context: &ContextFacts<'_>) -> u64 {
    if next > context.now {
        return 0;
    }
    (context.now.since(next).as_millis() / context.interval.as_millis()) as u64 + 1
}

fn same_interval(dir: &Path, was: Duration, is: Duration) -> Result<()> {
    if was == is {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "the checkpoint in `{}` was made with batches every {was:?}, and this program makes them every {is:?}: the times of \
         batches would not fit; use the old interval, or a new directory",
        dir.display()
    )))
}
