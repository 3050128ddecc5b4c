//! What a checkpoint directory holds, for people who want to know before they change a program.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::batch_log::{History, Planned};
use super::program::Program;
use crate::checkpoint::{CheckpointOptions, CheckpointStore, Operator};
use crate::error::{Error, Result};
use crate::fs::{RealFs, SharedFs, list_if_exists};
use crate::time::BatchTime;

/// What a checkpoint directory holds; see [`inspect_checkpoint`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointSummary {
    /// The batch after which the newest sound checkpoint was taken; nothing if there is none yet.
    pub batch: Option<BatchTime>,
    /// The batch interval of the program.
    pub interval: Option<Duration>,
    /// When the program was started first.
    pub began: Option<BatchTime>,
    /// The states in the checkpoint, by their names.
    pub states: Vec<StateSummary>,
    /// The inputs that the checkpoint knows.
    pub inputs: Vec<InputSummary>,
    /// The batches after the checkpoint, which the next start runs again, in order.
    pub waiting: Vec<WaitingBatch>,
    /// What is damaged, although the directory can still be used.
    pub warnings: Vec<String>,
}

/// A state in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateSummary {
    /// The name by which `rename_state`, `drop_state` and `migrate_state` know it.
    pub name: String,
    /// What it is made of.
    pub kind: String,
    /// Entries: keys of a state, panes or blocks of a window.
    pub entries: usize,
    /// Bytes of all files that it is in.
    pub bytes: u64,
    /// How many times changes were written since the last complete copy.
    pub deltas: usize,
}

/// An input in a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InputSummary {
    /// Its name.
    pub name: String,
    /// The last batch up to the checkpoint that it gave a range.
    pub last: Option<BatchTime>,
    /// Number of ranges that are remembered.
    pub ranges: usize,
}

/// A batch that the next start runs again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitingBatch {
    /// Its time.
    pub time: BatchTime,
    /// Whether its outputs are to be made too, since they were not completed; if not, only windows and state see it.
    pub outputs_due: bool,
}

impl From<&Planned> for WaitingBatch {
    fn from(planned: &Planned) -> Self {
        Self { time: planned.time, outputs_due: !planned.completed && !planned.left_out }
    }
}

/// Reads what is in the checkpoint directory of a program, and changes nothing there.
///
/// The program should not be running: what it writes meanwhile can look like damage.
///
/// # Errors
/// The directory does not exist or cannot be read, or it is damaged beyond what a start would accept.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use streamflow::testing::Driver;
///
/// let dir = tempfile::tempdir().unwrap();
/// let mut test = Driver::with(|builder| builder.checkpoint(dir.path()).checkpoint_interval(Duration::from_secs(2)))?;
/// test.output(&test.input(vec![vec![1], vec![2], vec![3]]));
/// test.run_batches(2)?;
/// test.run_batches(1)?;
/// drop(test);
///
/// let summary = streamflow::inspect_checkpoint(dir.path())?;
/// assert_eq!(summary.batch.unwrap().as_millis(), 2_000);
/// assert!(!summary.waiting[0].outputs_due);
/// println!("{summary}");
/// # Ok::<(), streamflow::Error>(())
/// ```
pub fn inspect_checkpoint(dir: impl AsRef<Path>) -> Result<CheckpointSummary> {
    inspect(&(Arc::new(RealFs) as SharedFs), dir.as_ref())
}

pub(crate) fn inspect(files: &SharedFs, dir: &Path) -> Result<CheckpointSummary> {
    let nothing = || Error::invalid(format!("there is no checkpoint in `{}`", dir.display()));
    look(files, dir)?.ok_or_else(nothing)
}

/// What is in a checkpoint directory; nothing if no program has begun there.
pub(crate) fn look(files: &SharedFs, dir: &Path) -> Result<Option<CheckpointSummary>> {
    let store = CheckpointStore::open(SharedFs::clone(files), dir.join("state"), CheckpointOptions::default())?;
    let program = match store.latest() {
        Some(manifest) => Some(Program::decode(&manifest.program, dir)?),
        None => None,
    };
    let history = History::look(files, &dir.join("batches"), program.as_ref().map(|program| program.batch))?;
    if program.is_none() && history.zero.is_none() {
        refuse_remains(files, dir, &history)?;
        return Ok(None);
    }
    let operators = store.latest().map_or(&[][..], |manifest| &manifest.operators);
    Ok(Some(CheckpointSummary {
        batch: program.as_ref().map(|program| program.batch),
        interval: program.as_ref().map(|program| program.interval).or(history.interval),
        began: program.as_ref().map(|program| program.began).or(history.began),
        states: operators.iter().map(|operator| state(&store, operator)).collect::<Result<_>>()?,
        waiting: history.planned.iter().map(WaitingBatch::from).collect(),
        inputs: program.map_or_else(Vec::new, inputs),
        warnings: store.warnings().to_vec(),
    }))
}

/// Refuses to begin in a directory that has neither a checkpoint nor the beginning of its log, but other files of a program:
/// a fresh start there would lose in silence what they stood for.
///
/// The beginning of the log is durable before any of these files is made, so a start that was interrupted leaves none.
pub(crate) fn refuse_remains(files: &SharedFs, dir: &Path, history: &History) -> Result<()> {
    let has_files = |name: &str| {
        let path = dir.join(name);
        let entries = list_if_exists(&**files, &path)
            .map_err(|error| Error::io(format!("cannot list the directory `{}`", path.display()), error))?;
        Ok::<_, Error>(!entries.is_empty())
    };
    let remains = match (history.is_empty, has_files("state")?, has_files("received")?) {
        (false, ..) => "a log of batches without its beginning",
        (_, true, _) => "files of states that no checkpoint names",
        (_, _, true) => "logs of receivers without a log of batches",
        (true, false, false) => return Ok(()),
    };
    Err(Error::damaged(format!(
        "the checkpoint directory `{}` has {remains}: files were removed, and what is left cannot be recovered; restore the \
         directory from a copy, or use another one to start anew",
        dir.display()
    )))
}

fn state(store: &CheckpointStore, operator: &Operator) -> Result<StateSummary> {
    let mut keys: HashMap<Vec<u8>, bool> = HashMap::new();
    let mut reader = store.load(operator);
    while let Some(change) = reader.next()? {
        keys.insert(change.key.to_vec(), change.value.is_some());
    }
    let (base, deltas) = operator.weights();
    Ok(StateSummary {
        name: operator.identity.clone(),
        kind: operator.fingerprint.clone(),
        entries: keys.values().filter(|exists| **exists).count(),
        bytes: base + deltas,
        deltas: operator.deltas(),
    })
}

fn inputs(program: Program) -> Vec<InputSummary> {
    let inputs = program.inputs.into_iter().map(|(name, ranges)| InputSummary {
        name,
        last: ranges.last().map(|(batch, _)| *batch),
        ranges: ranges.len(),
    });
    inputs.collect()
}

impl fmt::Display for CheckpointSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.batch {
            Some(batch) => writeln!(f, "checkpoint after the batch of {batch}")?,
            None => writeln!(f, "no checkpoint yet; the log of batches holds everything")?,
        }
        if let (Some(began), Some(interval)) = (self.began, self.interval) {
            writeln!(f, "program started first at {began}, with batches every {interval:?}")?;
        }
        for StateSummary { name, kind, entries, bytes, deltas } in &self.states {
            writeln!(f, "state `{name}`: {kind}; {entries} entries, {bytes} bytes, {deltas} deltas")?;
        }
        for InputSummary { name, last, ranges } in &self.inputs {
            let last = last.map_or_else(|| "none".to_owned(), |batch| batch.to_string());
            writeln!(f, "input `{name}`: last range {last}, {ranges} remembered")?;
        }
        for WaitingBatch { time, outputs_due } in &self.waiting {
            let how = if *outputs_due { "with its outputs" } else { "for windows and state only" };
            writeln!(f, "batch {time} runs again, {how}")?;
        }
        self.warnings.iter().try_for_each(|warning| writeln!(f, "warning: {warning}"))
    }
}
