//! What a checkpoint asks of everything that keeps state: windows and state operators.

use std::any::Any;

use crate::error::Result;
use crate::time::BatchTime;

/// One change of a state: a key and its new value, or nothing if it is gone.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

/// Which part of a state is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What changed since the last time that somebody asked.
    Changes,
    /// All of it.
    Everything,
}

/// The entries of a checkpointed state.
pub(crate) type Entries<'a> = &'a mut dyn Iterator<Item = Result<(Vec<u8>, Vec<u8>)>>;

/// The state of a node, as a checkpoint sees it: opaque keys and values.
///
/// # Contract
/// Applying the changes of all calls of `save` in order, or only those since the last with [`Extent::Everything`], and
/// giving the result to `restore`, makes a state that behaves as the saved one. All calls are made between batches.
pub(crate) trait Checkpointed: Send + Sync {
    /// Types of key and state, for the comparison with a checkpoint.
    fn fingerprint(&self) -> String;
    /// Hands over the codec that the emitted code found; of no use if it is of another type.
    fn set_codec(&self, codec: &dyn Any);
    /// Whether there is a codec, without which nothing can be saved.
    fn has_codec(&self) -> bool;
    /// Remembers from now on what changes.
    fn track(&self);
    /// Whether the next `save` must be of everything, because what the checkpoint holds cannot be taken over.
    fn wants_base(&self) -> bool {
        false
    }
    /// Begins empty after the batch that ended `since_zero` milliseconds after the zero time.
    fn begin(&self, since_zero: u64);
    /// Makes what the first batch would make: a checkpoint may come before the first batch that the state is shown.
    fn prepare(&self, parallelism: usize, zero: BatchTime) {
        let _ = (parallelism, zero);
    }
    /// The state, or its changes.
    ///
    /// # Errors
    /// When a value cannot be encoded.
    fn save(&self, extent: Extent) -> Result<Vec<Change>>;
    /// Sets the state to what was saved after the batch that ended `since_zero` milliseconds after the zero time, in
    /// `parallelism` partitions unless the operator says otherwise.
    ///
    /// # Errors
    /// When an entry cannot be read or decoded.
    fn restore(&self, since_zero: u64, parallelism: usize, entries: Entries<'_>) -> Result<()>;
}
