//! What a program says about its checkpoints.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::state::codec::Codec;

/// What to do with the batches that were due while the program was down.
///
/// Their records are not lost in any case: what a source holds goes into the batches that are made after the restart.
///
/// **Source**: Spark runs all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MissedBatches {
    /// Run all, in order.
    #[default]
    All,
    /// Run the newest so many in full. For the older ones no source is asked and no output runs; windows and state see an
    /// empty batch, so that their times stay right. What the sources hold goes into the batches that do run.
    Newest(usize),
}

/// A function from the bytes of an old state to those of a new one.
pub(super) type Migrate = Arc<dyn Fn(&[u8]) -> Result<Vec<u8>> + Send + Sync>;

/// The checkpoint directory, and how its state meets a changed program.
#[derive(Clone)]
pub(crate) struct CheckpointSettings {
    pub(crate) dir: PathBuf,
    pub(crate) interval: Option<Duration>,
    /// New names of states, by their old ones.
    pub(crate) renamed: BTreeMap<String, String>,
    pub(crate) dropped: Vec<String>,
    pub(crate) migrations: BTreeMap<String, Migrate>,
}

impl CheckpointSettings {
    pub(crate) fn new(dir: PathBuf) -> Self {
        Self { dir, interval: None, renamed: BTreeMap::new(), dropped: Vec::new(), migrations: BTreeMap::new() }
    }

    /// How often a checkpoint is written: what was said, or the first multiple of the batch interval from ten seconds on.
    pub(crate) fn interval_for(&self, batch: Duration) -> Result<Duration> {
        let Some(interval) = self.interval else {
            let batches = Duration::from_secs(10).as_millis().div_ceil(batch.as_millis());
            return Ok(batch * u32::try_from(batches).unwrap_or(u32::MAX));
        };
        if interval.is_zero() || !interval.as_nanos().is_multiple_of(batch.as_nanos()) {
            return Err(Error::invalid(format!(
                "a checkpoint every {interval:?} cannot be had with batches every {batch:?}: it must be a multiple"
            )));
        }
        Ok(interval)
    }

    /// Adds a function that makes new states of old ones.
    pub(crate) fn migrate<Old, New>(&mut self, state: String, function: impl Fn(Old) -> New + Send + Sync + 'static)
    where
        Old: Serialize + DeserializeOwned,
        New: Serialize + DeserializeOwned,
    {
        let migrate = move |bytes: &[u8]| {
            let mut bytes = bytes;
            // A state is kept with the time that it was touched.
            let touched = Codec::<u64>::new().read(&mut bytes)?;
            let new = function(Codec::<Old>::new().read(&mut bytes)?);
            let mut migrated = Vec::new();
            Codec::<u64>::new().write(&touched, &mut migrated)?;
            Codec::<New>::new().write(&new, &mut migrated)?;
            Ok(migrated)
        };
        self.migrations.insert(state, Arc::new(migrate));
    }
}
