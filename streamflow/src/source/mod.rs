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
//! Blocks in memory are gone when the process is, unless the context has a checkpoint directory: then receivers log theirs,
//! and the inputs that cannot (queues, channels) are refused. Files can be read again.

mod block_log;
mod buffer;
mod channel;
mod file_selection;
mod files;
mod inputs;
mod lines;
mod queue;
mod rate;
mod received;
mod receiver;
mod socket;
mod supervisor;

use std::any::Any;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use self::channel::{SendError, Sender};
pub use self::file_selection::SelectedFile;
pub use self::files::FileOptions;
pub use self::lines::{BadLines, LineStats};
pub use self::queue::Queue;
pub use self::received::ReceivedBlocks;
pub use self::receiver::{BlockCodec, Receiver, ReceiverOptions, ReceiverSource, Store};
pub use self::socket::SocketOptions;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::fs::SharedFs;
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

    /// Called when the batch of the range is done. Only a restart can need the range again. The default does nothing.
    fn release(&mut self, range: &Self::Range) {
        let _ = range;
    }

    /// Whether the ranges of this source can be read by a later run of the program: then it has to implement
    /// [`encode_range`](Self::encode_range) and [`decode_range`](Self::decode_range). A program with a checkpoint directory
    /// is refused if one of its sources cannot.
    fn is_recoverable(&self) -> bool {
        false
    }

    /// The range as bytes, for the log of batches.
    ///
    /// # Errors
    /// An error fails the batch, and stops the context: a batch that is not in the log must not run.
    fn encode_range(&self, range: &Self::Range) -> Result<Vec<u8>> {
        let _ = range;
        Err(Error::invalid("this source cannot be recovered"))
    }

    /// A range that an earlier run of the program encoded.
    ///
    /// # Errors
    /// An error makes the start fail.
    fn decode_range(&mut self, cx: &SourceCx, bytes: &[u8]) -> Result<Self::Range> {
        let _ = (cx, bytes);
        Err(Error::invalid("this source cannot be recovered"))
    }

    /// For how long a range of this source matters to its later ones, for instance because a file that was read must not
    /// be read again. The last range is remembered in any case.
    fn range_memory(&self) -> Duration {
        Duration::ZERO
    }

    /// Called before [`start`](Self::start) if the context has a checkpoint directory: the ranges of earlier batches that
    /// are remembered, oldest first. Those that will be read again are among them.
    ///
    /// # Errors
    /// An error makes the start fail.
    fn resume(&mut self, cx: &SourceCx, ranges: &[(BatchTime, Self::Range)]) -> Result<()> {
        let _ = (cx, ranges);
        Ok(())
    }

    /// Called when no restart can need the ranges of batches up to `batch`. The default does nothing.
    ///
    /// # Errors
    /// An error stops the context.
    fn forget(&mut self, batch: BatchTime) -> Result<()> {
        let _ = batch;
        Ok(())
    }

    /// Called after a batch, if the context has [backpressure](crate::StreamingContextBuilder::backpressure), with the rate
    /// at which batches can be processed. The default does nothing; receivers hold their `store`.
    fn set_rate(&mut self, records_per_second: u64) {
        let _ = records_per_second;
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
    /// The time when the program was started; with a checkpoint, when it was started first.
    pub start_time: BatchTime,
    /// One batch interval before the first batch ever: batches are due at this time plus multiples of the interval.
    pub zero_time: BatchTime,
    /// How many partitions a batch should have for all threads to be busy.
    pub parallelism: usize,
    /// Where the input keeps what it receives, if the context has a checkpoint directory.
    pub(crate) log: Option<InputLog>,
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

/// Where an input keeps what it receives.
#[derive(Clone)]
pub(crate) struct InputLog {
    pub(crate) files: SharedFs,
    pub(crate) dir: PathBuf,
}

/// Encodes a range that serde can write, for [`Source::encode_range`].
///
/// # Errors
/// When the type cannot be written in postcard's encoding.
///
/// # Examples
/// ```
/// use streamflow::source::{decode, encode};
///
/// let bytes = encode(&(3_u64..7))?;
/// assert_eq!(decode::<std::ops::Range<u64>>(&bytes)?, 3..7);
/// # Ok::<(), streamflow::Error>(())
/// ```
pub fn encode<T: Serialize>(range: &T) -> Result<Vec<u8>> {
    postcard::to_stdvec(range).map_err(|error| Error::input("a range cannot be encoded").because(error))
}

/// Decodes a range, for [`Source::decode_range`].
///
/// # Errors
/// When the bytes are of another type.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|error| {
        Error::input("a range in the log of batches is of another type than this program's source has").because(error)
    })
}

/// The range of a batch for which an input has nothing, whatever its type.
pub(crate) struct EmptyRange;

/// The range of one batch of some source.
pub(crate) type AnyRange = Box<dyn Any + Send>;

/// What a batch read of an input.
#[derive(Clone, Copy, Default)]
pub(crate) struct Loaded {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// A source and its node, without its types.
pub(crate) trait Input: Send {
    fn node(&self) -> NodeId;
    fn start(&mut self, cx: &SourceCx) -> Result<()>;
    fn next_range(&mut self, batch: BatchTime) -> Result<AnyRange>;
    /// Reads a range into a run.
    fn load(&mut self, range: &AnyRange, run: &Run<'_>) -> Result<Loaded>;
    fn release(&mut self, range: &AnyRange);
    fn is_recoverable(&self) -> bool;
    fn encode(&self, range: &AnyRange) -> Result<Option<Vec<u8>>>;
    fn range_memory(&self) -> Duration;
    /// Decodes the ranges of earlier batches, hands them to the source, and returns them.
    fn resume(&mut self, cx: &SourceCx, ranges: &[(BatchTime, Vec<u8>)]) -> Result<Vec<(BatchTime, AnyRange)>>;
    fn forget(&mut self, batch: BatchTime) -> Result<()>;
    fn set_rate(&mut self, records_per_second: u64);
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

    fn load(&mut self, range: &AnyRange, run: &Run<'_>) -> Result<Loaded> {
        let blocks = match range.is::<EmptyRange>() {
            true => Vec::new(),
            false => self.source.read_shared(Self::range(range))?,
        };
        let loaded = Loaded {
            records: blocks.iter().map(|block| block.len() as u64).sum(),
            bytes: blocks.iter().map(|block| block.bytes() as u64).sum(),
        };
        run.provide::<S::Record>(self.node, blocks);
        Ok(loaded)
    }

    fn release(&mut self, range: &AnyRange) {
        if !range.is::<EmptyRange>() {
            self.source.release(Self::range(range));
        }
    }

    fn is_recoverable(&self) -> bool {
        self.source.is_recoverable()
    }

    fn encode(&self, range: &AnyRange) -> Result<Option<Vec<u8>>> {
        if range.is::<EmptyRange>() {
            return Ok(None);
        }
        self.source.encode_range(Self::range(range)).map(Some)
    }

    fn range_memory(&self) -> Duration {
        self.source.range_memory()
    }

    fn resume(&mut self, cx: &SourceCx, ranges: &[(BatchTime, Vec<u8>)]) -> Result<Vec<(BatchTime, AnyRange)>> {
        let decode = |(time, bytes): &(BatchTime, Vec<u8>)| Ok((*time, self.source.decode_range(cx, bytes)?));
        let ranges = ranges.iter().map(decode).collect::<Result<Vec<_>>>()?;
        self.source.resume(cx, &ranges)?;
        Ok(ranges.into_iter().map(|(time, range)| (time, Box::new(range) as AnyRange)).collect())
    }

    fn forget(&mut self, batch: BatchTime) -> Result<()> {
        self.source.forget(batch)
    }

    fn set_rate(&mut self, records_per_second: u64) {
        self.source.set_rate(records_per_second);
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
        zero_time: clock.now().next(Duration::from_secs(1)) - Duration::from_secs(1),
        parallelism: 2,
        log: None,
        clock: Arc::new(clock.clone()),
        receiver_events: ReceiverEvents::default(),
    }
}
