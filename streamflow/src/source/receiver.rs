//! Receivers: inputs that push.
//!
//! A [`Receiver`] runs on a thread of its own and stores what it gets into a [`Store`]; a supervisor starts it again when
//! it ends early. [`ReceiverSource`] makes a [`Source`] of it: a batch gets everything that was stored before its range is
//! asked for, in the order in which it was stored.
//!
//! *Memory* is bounded: a receiver that is faster than the batches waits in `store`. *Failure*: what `store_block` and
//! `store_many` returned for is in some batch; a batch that is run again reads the same blocks, which are kept until the
//! batch is done.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::block_log::{BlockLog, LoggedBlock};
use super::buffer::{Allocated, BlockNumber, Buffer, Limits, Patience, refused};
use super::rate::RateLimiter;
use super::received::{Blocks, ReceivedBlocks, copies};
use super::supervisor::{Reports, Supervisor};
use super::{Source, SourceCx, decode, encode};
use crate::error::{Error, Result};
use crate::metrics::meters::InputMeter;
use crate::record::{Block, Fork, Record};
use crate::state::codec::Codec;
use crate::time::{BatchTime, lock, whole_millis};

/// Something that receives data on a thread of its own.
///
/// # Contract
/// * `receive` stores what it gets, and returns soon after [`Store::is_stopped`] says so.
/// * If it returns, fails or panics before, that is reported and it is called again after the restart delay.
///
/// **Source**: Spark's `Receiver`. There is one method instead of `onStart` and `onStop`: a receiver gets a thread from the
/// library. One that wants more threads may start them and hand out clones of the store.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use streamflow::Result;
/// use streamflow::source::{Receiver, Store};
///
/// /// A number every 10 ms.
/// struct Ticks(u64);
///
/// impl Receiver for Ticks {
///     type Record = u64;
///
///     fn receive(&mut self, store: &Store<u64>) -> Result<()> {
///         while store.wait(Duration::from_millis(10)) {
///             store.store(self.0)?;
///             self.0 += 1;
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Receiver: Send + 'static {
    /// The records that it stores; `str` for lines of text, `[u8]` for byte strings.
    type Record: Record + ?Sized;

    /// Receives until the store is stopped.
    ///
    /// # Errors
    /// An error is reported, and the receiver is called again after the restart delay. To end the stream for good, hand
    /// the error to [`Store::fail`].
    fn receive(&mut self, store: &Store<Self::Record>) -> Result<()>;

    /// How blocks are written to the write-ahead log of a context with a checkpoint directory.
    ///
    /// The default knows how to write text and bytes. For other records return
    /// [`BlockCodec::serde`](super::BlockCodec::serde); without, the input cannot be recovered, and a context with a
    /// checkpoint directory refuses it.
    fn codec(&self) -> Option<BlockCodec<Self::Record>> {
        Self::Record::block_codec().map(BlockCodec)
    }
}

/// Writes the blocks of a receiver to its log, and reads them back.
pub struct BlockCodec<T: Record + ?Sized>(pub(super) Codec<T::Block>);

impl<T: Record<Block: Serialize + DeserializeOwned> + ?Sized> BlockCodec<T> {
    /// Blocks of records that serde can write and read.
    #[must_use]
    pub fn serde() -> Self {
        Self(Codec::new())
    }
}

impl<T: Record + ?Sized> std::fmt::Debug for BlockCodec<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BlockCodec").finish_non_exhaustive()
    }
}

/// Where a receiver stores records. Clones store into the same stream, from any thread.
///
/// A record is in the batch whose range is asked for next. Records from one thread keep their order.
pub struct Store<T: Record + ?Sized>(Arc<Shared<T>>);

/// What a receiver's threads and its source share.
pub(super) struct Shared<T: Record + ?Sized> {
    pub(super) reports: Reports,
    pub(super) buffer: Buffer<T>,
    pub(super) limiter: RateLimiter,
    pub(super) stopped: AtomicBool,
    failure: std::sync::Mutex<Option<Error>>,
}

impl<T: Record + ?Sized> Clone for Store<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Record + ?Sized> Store<T> {
    /// Stores a record: a `T`, or a `&str` or `&[u8]` for streams of those.
    ///
    /// Records stored so are collected into blocks, one for each block interval; each block is a partition of its batch.
    /// Waits while the rate limit or the limits of the buffer are reached.
    ///
    /// **Cost**: a lock and a look at the clock. For many records at once use [`store_many`](Self::store_many).
    ///
    /// # Errors
    /// When the stream has stopped, or a text would make its block longer than 4 GiB: the record is not stored.
    pub fn store(&self, record: T::View<'_>) -> Result<()> {
        self.append(1, |block| T::append_view(block, record))
    }

    /// Stores a block: it becomes one partition. When this returns `Ok`, the block is stored and its sender can be told so.
    ///
    /// With a checkpoint directory it is durable then.
    ///
    /// # Errors
    /// When the stream has stopped: nothing is stored. When the write-ahead log cannot be written: no batch of this run gets
    /// the block, so its sender should send it again; if the process dies at that moment, a restart may find it all the same.
    pub fn store_block(&self, block: T::Block) -> Result<()> {
        self.throttle(block.len());
        self.0.buffer.push(Patience::Wait, block).map_err(refused)?
    }

    /// Stores records as one block, as [`store_block`](Self::store_block). The iterator is read to its end first.
    ///
    /// # Errors
    /// Those of [`store_block`](Self::store_block), and texts that are longer than 4 GiB together: nothing is stored.
    pub fn store_many<'a>(&self, records: impl IntoIterator<Item = T::View<'a>>) -> Result<()> {
        let mut block = T::Block::default();
        records.into_iter().try_for_each(|record| T::append_view(&mut block, record))?;
        self.store_block(block)
    }

    /// Adds about `records` records to the open block.
    pub(super) fn append(&self, records: usize, fill: impl FnOnce(&mut T::Block) -> Result<()>) -> Result<()> {
        self.throttle(records);
        self.0.buffer.append(Patience::Wait, fill).map_err(refused)?
    }

    /// Waits for the rate limit. A stop ends the wait; what was received by then may still be stored.
    fn throttle(&self, records: usize) {
        self.0.limiter.acquire(records, &self.0.stopped);
    }

    /// Whether the receiver should return.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.0.stopped.load(Ordering::SeqCst)
    }

    /// Waits for a while by the clock of the context; `false` as soon as the receiver should return.
    #[must_use = "`false` says that the receiver should return"]
    pub fn wait(&self, duration: Duration) -> bool {
        let clock = &self.0.reports.clock;
        clock.wait_until(clock.now() + duration, &self.0.stopped) && !self.is_stopped()
    }

    /// Reports an error that the receiver can go on after.
    pub fn report_error(&self, error: Error) {
        self.0.reports.error(error);
    }

    /// Ends the stream because of an error: the batch after the last records that were stored fails with it, and so does
    /// every later one. The receiver is not called again.
    ///
    /// **Source**: Spark's `stop(message, cause)`, which stops the receiver only and leaves the program running without it.
    pub fn fail(&self, error: Error) {
        self.report_error(error.clone());
        lock(&self.0.failure).get_or_insert(error);
        self.0.stop();
    }
}

impl<T: Record + ?Sized> std::fmt::Debug for Store<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("name", &self.0.reports.receiver).field("is_stopped", &self.is_stopped()).finish()
    }
}

impl<T: Record + ?Sized> Shared<T> {
    /// Asks all threads of the receiver to return.
    pub(super) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.buffer.end();
        self.reports.clock.wake();
    }
}

/// How a receiver is run.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use streamflow::source::ReceiverOptions;
///
/// let options = ReceiverOptions::new().max_rate(10_000).restart_delay(Duration::from_millis(100));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct ReceiverOptions {
    block_interval: Option<Duration>,
    restart_delay: Duration,
    stop_timeout: Duration,
    max_rate: Option<u64>,
    limits: Limits,
}

impl Default for ReceiverOptions {
    fn default() -> Self {
        Self {
            block_interval: None,
            restart_delay: Duration::from_secs(2),
            stop_timeout: Duration::from_secs(10),
            max_rate: None,
            limits: Limits { records: usize::MAX, bytes: 256 << 20 },
        }
    }
}

impl ReceiverOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How often the records that were stored one by one become a block, and so a partition. The default is 200 ms, or
    /// less if a batch would otherwise have fewer blocks than the context has threads to work on them.
    ///
    /// **Source**: Spark's `blockInterval`.
    #[must_use]
    pub fn block_interval(mut self, interval: Duration) -> Self {
        self.block_interval = Some(interval);
        self
    }

    /// How long to wait before a receiver that ended early is called again; 2 s by default.
    #[must_use]
    pub fn restart_delay(mut self, delay: Duration) -> Self {
        self.restart_delay = delay;
        self
    }

    /// How long a stop waits for the receiver to return; 10 s by default. What it stores until then is still processed.
    /// This is real time, whatever the clock of the context.
    #[must_use]
    pub fn stop_timeout(mut self, timeout: Duration) -> Self {
        self.stop_timeout = timeout;
        self
    }

    /// Most records per second; no limit by default.
    #[must_use]
    pub fn max_rate(mut self, records_per_second: u64) -> Self {
        self.max_rate = Some(records_per_second);
        self
    }

    /// Most bytes that are stored and whose batch is not done yet; 256 MiB by default. A receiver that has stored so much
    /// waits. What sized records own on the heap is not seen: a `String` counts as 24 bytes, so for large ones set
    /// [`buffer_records`](Self::buffer_records) as well.
    #[must_use]
    pub fn buffer_bytes(mut self, bytes: usize) -> Self {
        self.limits.bytes = bytes;
        self
    }

    /// Most records that are stored and whose batch is not done yet; no limit by default.
    #[must_use]
    pub fn buffer_records(mut self, records: usize) -> Self {
        self.limits.records = records;
        self
    }

    /// Checks what the context's start must not find out too late.
    pub(crate) fn check(&self) -> Result<()> {
        if let Some(interval) = self.block_interval {
            whole_millis("a block interval", interval)?;
        }
        if self.max_rate == Some(0) || self.limits.bytes == 0 || self.limits.records == 0 {
            return Err(Error::invalid(
                "a receiver with a maximum of zero records or bytes can never store one: use one or more",
            ));
        }
        Ok(())
    }

    fn interval(&self, cx: &SourceCx) -> Duration {
        self.block_interval.unwrap_or_else(|| default_block_interval(cx))
    }
}

/// 200 ms as in Spark, or less so that the blocks of a batch are enough for all threads.
pub(super) fn default_block_interval(cx: &SourceCx) -> Duration {
    let millis = cx.batch_interval.as_millis() as u64 / cx.parallelism.max(1) as u64;
    Duration::from_millis(millis.clamp(1, 200))
}

/// A receiver as a source: the range of a batch is the blocks that were stored before it.
pub struct ReceiverSource<R: Receiver> {
    name: String,
    options: ReceiverOptions,
    receiver: Option<R>,
    running: Option<Running<R::Record>>,
    /// With a checkpoint directory: the log, and what an earlier run left.
    log: Option<BlockLog<<R::Record as Record>::Block>>,
    resumed: Option<Resumed<<R::Record as Record>::Block>>,
}

/// What an earlier run received and no batch was given, and the ends of the batches that it made.
type Resumed<B> = (Allocated<B>, VecDeque<(BatchTime, BlockNumber)>);

struct Running<T: Record + ?Sized> {
    shared: Arc<Shared<T>>,
    supervisor: Supervisor,
    meter: Arc<InputMeter>,
}

impl<R: Receiver> ReceiverSource<R>
where
    R::Record: Fork,
{
    /// A source that runs `receiver` from the start of the context to its stop.
    ///
    /// # Errors
    /// When the options cannot be used: an interval below a millisecond, a limit of zero.
    pub fn new(name: impl Into<String>, receiver: R, options: ReceiverOptions) -> Result<Self> {
        options.check()?;
        Ok(Self { name: name.into(), options, receiver: Some(receiver), running: None, log: None, resumed: None })
    }

    fn open_log(&mut self, cx: &SourceCx) -> Result<&BlockLog<<R::Record as Record>::Block>> {
        if self.log.is_none() {
            let codec = self.receiver.as_ref().and_then(Receiver::codec);
            let place = cx.log.as_ref().zip(codec);
            let (place, codec) = place.ok_or_else(|| Error::invalid("this receiver's blocks cannot be logged"))?;
            self.log = Some(BlockLog::open(place, codec.0)?);
        }
        Ok(self.log.as_ref().expect("it was opened above"))
    }

    /// Where the source stores; nothing before the start.
    #[cfg(test)]
    pub(super) fn store(&self) -> Option<Store<R::Record>> {
        self.running.as_ref().map(|running| Store(Arc::clone(&running.shared)))
    }
}

impl<R: Receiver> Source for ReceiverSource<R>
where
    R::Record: Fork,
{
    type Record = R::Record;
    type Range = ReceivedBlocks<R::Record>;

    fn start(&mut self, cx: &SourceCx) -> Result<()> {
        let receiver = self.receiver.take().ok_or_else(|| Error::illegal_state("a receiver is started once"))?;
        let shared = Arc::new(Shared {
            reports: Reports {
                receiver: self.name.clone(),
                clock: Arc::clone(&cx.clock),
                events: cx.receiver_events.clone(),
            },
            buffer: Buffer::new(self.options.limits, self.log.take()),
            limiter: RateLimiter::new(Arc::clone(&cx.clock), self.options.max_rate, None),
            stopped: AtomicBool::new(false),
            failure: std::sync::Mutex::default(),
        });
        let meter = Arc::clone(cx.receiver_events.meter());
        meter.rate_limit.set(self.options.max_rate.unwrap_or(0));
        shared.buffer.start(Arc::clone(&cx.clock), self.options.interval(cx), cx.receiver_events.clone());
        if let Some((blocks, ends)) = self.resumed.take() {
            shared.buffer.resume(&blocks, ends);
        }
        let store = Store(Arc::clone(&shared));
        let supervisor = Supervisor::start(receiver, store, &shared, self.options.restart_delay)?;
        self.running = Some(Running { shared, supervisor, meter });
        Ok(())
    }

    fn next_range(&mut self, batch: BatchTime) -> Result<Self::Range> {
        let Some(Running { shared, .. }) = &self.running else {
            return Err(Error::illegal_state(format!("the receiver `{}` has not been started", self.name)));
        };
        // The failure is looked at first: what was stored before it still gets its batch.
        let failure = lock(&shared.failure).clone();
        let blocks = shared.buffer.allocate(batch)?;
        match failure {
            Some(error) if blocks.blocks().is_empty() => Err(error),
            _ => Ok(ReceivedBlocks::held(blocks)),
        }
    }

    fn read(&mut self, range: &Self::Range) -> Result<Vec<<R::Record as Record>::Block>> {
        self.read_shared(range).and_then(copies::<R::Record>)
    }

    fn read_shared(&mut self, range: &Self::Range) -> Result<Vec<Arc<<R::Record as Record>::Block>>> {
        range.blocks(|block| match &self.running {
            Some(Running { shared, .. }) => shared.buffer.read(block),
            None => Err(Error::illegal_state(format!("the receiver `{}` has not been started", self.name))),
        })
    }

    fn release(&mut self, range: &Self::Range) {
        // Blocks of an earlier run take no room in the buffer.
        if let (Blocks::Held(blocks), Some(Running { shared, .. })) = (&range.0, &self.running) {
            shared.buffer.release(blocks);
        }
    }

    fn is_recoverable(&self) -> bool {
        self.receiver.as_ref().is_some_and(|receiver| receiver.codec().is_some())
    }

    fn encode_range(&self, range: &Self::Range) -> Result<Vec<u8>> {
        encode(&(range.end(), range.logged()))
    }

    fn decode_range(&mut self, _: &SourceCx, bytes: &[u8]) -> Result<Self::Range> {
        let (end, blocks): (BlockNumber, Vec<LoggedBlock>) = decode(bytes)?;
        Ok(ReceivedBlocks(Blocks::Logged { blocks: blocks.into(), end }))
    }

    fn resume(&mut self, cx: &SourceCx, ranges: &[(BatchTime, Self::Range)]) -> Result<()> {
        let ends: VecDeque<_> = ranges.iter().map(|(batch, range)| (*batch, range.end())).collect();
        let end = ends.iter().map(|(_, end)| *end).max().unwrap_or(0);
        let log = self.open_log(cx)?;
        let given = ranges.iter().flat_map(|(_, range)| range.logged());
        let last = given.max_by_key(|block| (block.handle.segment, block.handle.offset));
        last.map_or(Ok(()), |last| log.expect(&last))?;
        let (waiting, next) = log.unallocated(end)?;
        let waiting: Vec<_> = waiting.into_iter().map(|block| Ok((block, log.read(&block)?))).collect::<Result<_>>()?;
        self.resumed = Some((Allocated::recovered(waiting.into_iter(), next), ends));
        Ok(())
    }

    fn forget(&mut self, batch: BatchTime) -> Result<()> {
        self.running.as_ref().map_or(Ok(()), |running| running.shared.buffer.forget(batch))
    }

    fn set_rate(&mut self, records_per_second: u64) {
        if let Some(Running { shared, meter, .. }) = &self.running {
            shared.limiter.update(i64::try_from(records_per_second).unwrap_or(i64::MAX));
            if let Some(rate) = shared.limiter.rate() {
                meter.rate_limit.set(rate);
            }
        }
    }

    fn has_pending(&self) -> bool {
        self.running.as_ref().is_some_and(|running| running.shared.buffer.has_pending())
    }

    fn stop(&mut self) {
        if let Some(Running { shared, supervisor, .. }) = &mut self.running {
            shared.stop();
            if !supervisor.wait(self.options.stop_timeout) {
                let (name, timeout) = (&self.name, self.options.stop_timeout);
                tracing::warn!(receiver = %name, ?timeout, "the receiver did not return in time; what it still stores is refused");
            }
            shared.buffer.close();
        }
    }
}

impl<R: Receiver> Drop for ReceiverSource<R> {
    fn drop(&mut self) {
        if let Some(Running { shared, .. }) = &self.running {
            shared.stop();
            shared.buffer.close();
        }
    }
}

impl<R: Receiver> std::fmt::Debug for ReceiverSource<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReceiverSource")
            .field("name", &self.name)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "receiver_tests.rs"]
mod tests;
