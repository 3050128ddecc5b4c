//! Inputs: where the records of a batch come from.
//!
//! A [`Source`] is asked once per batch for the **range** of the batch: which files, which offsets, which blocks. The range
//! is fixed before the batch runs, so a batch that has to be run again reads the same records. A [`Receiver`] is for what
//! pushes: it runs on a thread of its own and stores what it gets; the library makes blocks of it and hands them to batches.
//!
//! The inputs are methods of [`StreamingContext`](crate::StreamingContext):
//!
//! | input | a batch reads | the range | when it is faster than the batches |
//! |---|---|---|---|
//! | [`socket_text_stream`](crate::StreamingContext::socket_text_stream) | lines that came before it | blocks in memory | it stops reading, so the peer waits |
//! | [`receiver_stream`](crate::StreamingContext::receiver_stream) | what was stored before it | blocks in memory | `store` waits |
//! | [`channel`](crate::StreamingContext::channel) | what was sent before it | blocks in memory | `send` waits |
//! | [`queue_stream`](crate::StreamingContext::queue_stream) | one collection, or all | blocks in memory | the queue grows |
//! | [`text_file_stream`](crate::StreamingContext::text_file_stream), [`file_stream`](crate::StreamingContext::file_stream), [`binary_records_stream`](crate::StreamingContext::binary_records_stream) | files modified up to its time | paths, lengths, modification times | files wait on disk |
//! | [`source`](crate::StreamingContext::source) | what your [`Source`] says | your type | up to the source |
//!
//! Blocks in memory are gone when the process is; files can be read again.

mod buffer;
mod channel;
mod file_selection;
mod files;
mod inputs;
mod lines;
mod queue;
mod rate;
mod receiver;
mod socket;
mod supervisor;

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

pub use self::channel::{SendError, Sender};
pub use self::file_selection::SelectedFile;
pub use self::files::FileOptions;
pub use self::lines::{BadLines, LineStats};
pub use self::queue::Queue;
pub use self::receiver::{ReceivedBlocks, Receiver, ReceiverOptions, ReceiverSource, Store};
pub use self::socket::SocketOptions;

use crate::error::Result;
use crate::record::{Block, Record};
use crate::run::Run;
use crate::scheduler::listener::ReceiverEvents;
use crate::time::{BatchTime, Clock};
use crate::topology::NodeId;

/// An input that is asked for its data, batch by batch.
///
/// # Contract
/// * `next_range` is called once for each batch time, in ascending order, and does not block for long.
/// * `read` gives the same records each time that it is called with the same range, until `release` is called with it.
/// * Each block becomes a partition. The blocks of a batch are read in parallel.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use streamflow::source::{Source, SourceCx};
/// use streamflow::{BatchTime, Result};
///
/// /// The even numbers, ten a batch.
/// struct Evens {
///     next: u64,
/// }
///
/// impl Source for Evens {
///     type Record = u64;
///     type Range = std::ops::Range<u64>;
///
///     fn next_range(&mut self, _: BatchTime) -> Result<Self::Range> {
///         let start = self.next;
///         self.next += 10;
///         Ok(start..self.next)
///     }
///
///     fn read(&mut self, range: &Self::Range) -> Result<Vec<Vec<u64>>> {
///         Ok(vec![range.clone().map(|n| n * 2).collect()])
///     }
/// }
/// ```
pub trait Source: Send + 'static {
    /// The records that it delivers.
    type Record: Record + ?Sized;
    /// What one batch reads.
    type Range: Clone + Send + 'static;

    /// Called once when the context starts. The default does nothing.
    ///
    /// # Errors
    /// An error makes the start fail.
    fn start(&mut self, cx: &SourceCx) -> Result<()> {
        let _ = cx;
        Ok(())
    }

    /// Fixes what the batch will read.
    ///
    /// # Errors
    /// An error fails the batch and is given to whoever waits for the context.
    fn next_range(&mut self, batch: BatchTime) -> Result<Self::Range>;

    /// Reads a range: a block for each partition.
    ///
    /// # Errors
    /// An error fails the batch.
    fn read(&mut self, range: &Self::Range) -> Result<Vec<<Self::Record as Record>::Block>>;

    /// As [`read`](Self::read), for sources that hold their blocks in memory and share them instead of copying them.
    ///
    /// The default calls `read`. Records of shared blocks are cloned by whoever reads them, so they must be
    /// [`Fork`](crate::Fork).
    ///
    /// # Errors
    /// An error fails the batch.
    fn read_shared(&mut self, range: &Self::Range) -> Result<Vec<Arc<<Self::Record as Record>::Block>>> {
        Ok(self.read(range)?.into_iter().map(Arc::new).collect())
    }

    /// Called when no batch can need the range again. The default does nothing.
    fn release(&mut self, range: &Self::Range) {
        let _ = range;
    }

    /// Whether there is data that no batch has been given yet; a graceful stop waits until there is none.
    fn has_pending(&self) -> bool {
        false
    }

    /// Called when the context stops: no further range will be asked for. A graceful stop calls it before the last batches,
    /// so that what was received until then is still processed. The default does nothing.
    fn stop(&mut self) {}
}

/// What a source may want to know of its context.
#[derive(Clone)]
#[non_exhaustive]
pub struct SourceCx {
    /// The batch interval.
    pub batch_interval: Duration,
    /// The time when the context was started.
    pub start_time: BatchTime,
    /// How many partitions a batch should have for all threads to be busy.
    pub parallelism: usize,
    /// The clock of the context.
    pub clock: Arc<dyn Clock>,
    /// Tells the listeners about the receiver of this input.
    pub(crate) receiver_events: ReceiverEvents,
}

impl std::fmt::Debug for SourceCx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SourceCx")
            .field("batch_interval", &self.batch_interval)
            .field("start_time", &self.start_time)
            .field("parallelism", &self.parallelism)
            .finish_non_exhaustive()
    }
}

/// The range of one batch of some source.
pub(crate) type AnyRange = Box<dyn Any + Send>;

/// A source and its node, without its types.
pub(crate) trait Input: Send {
    fn node(&self) -> NodeId;
    fn start(&mut self, cx: &SourceCx) -> Result<()>;
    fn next_range(&mut self, batch: BatchTime) -> Result<AnyRange>;
    /// Reads a range into a run, and returns the number of its records.
    fn load(&mut self, range: &AnyRange, run: &Run<'_>) -> Result<u64>;
    fn release(&mut self, range: &AnyRange);
    fn has_pending(&self) -> bool;
    fn stop(&mut self);
}

/// A source at its node.
pub(crate) struct SourceInput<S> {
    pub(crate) source: S,
    pub(crate) node: NodeId,
}

impl<S: Source> SourceInput<S> {
    fn range(range: &AnyRange) -> &S::Range {
        range.downcast_ref().expect("an input gets the ranges that it gave")
    }
}

impl<S: Source> Input for SourceInput<S> {
    fn node(&self) -> NodeId {
        self.node
    }

    fn start(&mut self, cx: &SourceCx) -> Result<()> {
        self.source.start(cx)
    }

    fn next_range(&mut self, batch: BatchTime) -> Result<AnyRange> {
        Ok(Box::new(self.source.next_range(batch)?))
    }

    fn load(&mut self, range: &AnyRange, run: &Run<'_>) -> Result<u64> {
        let blocks = self.source.read_shared(Self::range(range))?;
        let records = blocks.iter().map(|block| block.len() as u64).sum();
        run.provide::<S::Record>(self.node, blocks);
        Ok(records)
    }

    fn release(&mut self, range: &AnyRange) {
        self.source.release(Self::range(range));
    }

    fn has_pending(&self) -> bool {
        self.source.has_pending()
    }

    fn stop(&mut self) {
        self.source.stop();
    }
}

/// What sources get from their context in unit tests: batches of one second from the clock's present time.
#[cfg(test)]
pub(crate) fn test_cx(clock: &crate::time::ManualClock) -> SourceCx {
    SourceCx {
        batch_interval: Duration::from_secs(1),
        start_time: clock.now(),
        parallelism: 2,
        clock: Arc::new(clock.clone()),
        receiver_events: ReceiverEvents::default(),
    }
}
