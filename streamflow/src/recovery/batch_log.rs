//! The log of batches: what was planned before it ran, what was completed after its outputs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::fs::SharedFs;
use crate::metrics::durable::LogMeter;
use crate::time::BatchTime;
use crate::wal::{Log, LogOptions, Records, read_log};

/// A batch whose ranges are fixed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Planned {
    pub(crate) time: BatchTime,
    /// For each input its encoded range; nothing if it gave none.
    pub(crate) ranges: Vec<(String, Option<Vec<u8>>)>,
    /// Whether only windows and state see it: it was missed, and the program does not want the outputs of such batches.
    pub(crate) left_out: bool,
    /// Whether all its outputs are done.
    #[serde(skip)]
    pub(crate) completed: bool,
}

#[derive(Debug, Serialize, Deserialize)]
enum Entry {
    /// The first start: the grid of all batches.
    Begun { at: BatchTime, zero: BatchTime, interval: Duration },
    /// A batch is about to run.
    Planned(Planned),
    /// All outputs of a batch are done.
    Completed(BatchTime),
}

/// What the log tells of earlier runs.
#[derive(Default)]
pub(crate) struct History {
    /// Whether the log holds nothing at all.
    pub(crate) is_empty: bool,
    pub(crate) began: Option<BatchTime>,
    pub(crate) zero: Option<BatchTime>,
    pub(crate) interval: Option<Duration>,
    /// The batches after the checkpoint, in order.
    pub(crate) planned: Vec<Planned>,
}

/// The log of batches.
pub(crate) struct BatchLog {
    log: Log,
    dir: PathBuf,
}

impl BatchLog {
    pub(crate) fn open(files: SharedFs, dir: PathBuf) -> Result<Self> {
        Ok(Self { log: Log::open(files, dir.clone(), LogOptions::default())?, dir })
    }

    /// The figures of the log.
    pub(crate) fn meter(&self) -> Arc<LogMeter> {
        self.log.meter()
    }

    fn write(&self, time: BatchTime, entry: &Entry) -> Result<()> {
        let bytes = postcard::to_stdvec(entry)
            .map_err(|error| Error::output("a batch cannot be written to the log of batches").because(error))?;
        self.log.write(time, bytes).map(drop)
    }

    /// Notes the grid of batch times.
    pub(crate) fn begin(&self, at: BatchTime, zero: BatchTime, interval: Duration) -> Result<()> {
        self.write(at, &Entry::Begun { at, zero, interval })
    }

    /// Notes a batch that is about to run.
    pub(crate) fn planned(&self, planned: Planned) -> Result<()> {
        self.write(planned.time, &Entry::Planned(planned))
    }

    /// Notes that all outputs of a batch are done.
    pub(crate) fn completed(&self, time: BatchTime) -> Result<()> {
        self.write(time, &Entry::Completed(time))
    }

    /// Ends the log: what is written from now on is refused.
    pub(crate) fn close(&self) {
        self.log.close();
    }

    /// Removes what is only about batches up to `horizon`.
    pub(crate) fn clean(&self, horizon: BatchTime) -> Result<()> {
        self.log.clean(horizon).map(drop)
    }

    /// What happened after the batch of the checkpoint.
    pub(crate) fn history(&self, checkpoint: Option<BatchTime>) -> Result<History> {
        History::read(self.log.records(), &self.dir, checkpoint)
    }
}

impl History {
    /// The history of a log that is only looked at.
    pub(crate) fn look(files: &SharedFs, dir: &Path, checkpoint: Option<BatchTime>) -> Result<Self> {
        Self::read(read_log(SharedFs::clone(files), dir)?, dir, checkpoint)
    }

    fn read(mut records: Records, dir: &Path, checkpoint: Option<BatchTime>) -> Result<Self> {
        let mut history = History { is_empty: true, ..History::default() };
        let mut planned = BTreeMap::new();
        while let Some((_, bytes)) = records.next()? {
            history.is_empty = false;
            let entry = postcard::from_bytes(bytes).map_err(|error| {
                Error::input(format!("the log of batches in `{}` has an entry of another form", dir.display()))
                    .because(error)
            })?;
            match entry {
                Entry::Begun { at, zero, interval } => {
                    (history.began, history.zero, history.interval) = (Some(at), Some(zero), Some(interval));
                }
                Entry::Planned(batch) if checkpoint.is_none_or(|checkpoint| batch.time > checkpoint) => {
                    // A batch is planned again by a restart that could not write its completion.
                    planned.insert(batch.time, batch);
                }
                Entry::Planned(_) => {}
                Entry::Completed(time) => {
                    if let Some(batch) = planned.get_mut(&time) {
                        batch.completed = true;
                    }
                }
            }
        }
        history.planned = planned.into_values().collect();
        Ok(history)
    }
}
