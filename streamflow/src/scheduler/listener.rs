//! Listeners: what a program can learn of its batches while it runs.
//!
//! Events are posted to a [`ListenerBus`] and delivered by a thread of its own, in the order of posting, so that a slow
//! listener delays other listeners but never a batch. Nothing is delivered before the start of a context and after its
//! stop has returned. A listener that panics is reported in the log and gets the next event all the same.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, ThreadId};
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::info::{BatchInfo, BlockInfo, CheckpointInfo, OutputOperationInfo, ReceiverInfo, RecoveryInfo};
use crate::checkpoint::Weights;
use crate::error::{Error, Result};
use crate::metrics::durable::DurableMeter;
use crate::metrics::meters::InputMeter;
use crate::time::{BatchTime, Clock, lock};

/// Gets told what happens in a running context; every method does nothing unless it is written.
///
/// The order is: streaming started, recovered if there was something to go on from, then batches. For a batch it is:
/// submitted, started, then for each output started and completed, then completed. What happens beside the batches is told
/// when it happens: receivers and their blocks, also before the start is, as receivers are started first; and checkpoints,
/// which are written while later batches run. A checkpoint that is being written when the context stops is told before
/// [`stop`](crate::StreamingContext::stop) returns.
///
/// All methods are called by one thread, one after the other. A listener may not stop the context itself:
/// [`stop`](crate::StreamingContext::stop) returns an error there, because it would wait for the listener.
///
/// **Source**: Spark's `StreamingListener`, which does not hear of blocks, checkpoints and recovery.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use streamflow::listener::{BatchInfo, StreamingListener};
/// use streamflow::testing::Driver;
///
/// #[derive(Default)]
/// struct Completed(AtomicU64);
///
/// impl StreamingListener for Completed {
///     fn on_batch_completed(&self, _: &BatchInfo) {
///         self.0.fetch_add(1, Ordering::SeqCst);
///     }
/// }
///
/// let mut test = Driver::new()?;
/// let completed = Arc::new(Completed::default());
/// test.context().add_listener(Arc::clone(&completed));
/// let numbers = test.input(vec![vec![1], vec![2]]);
/// test.output(&numbers);
/// test.run_batches(2)?;
/// test.context().stop()?; // all events were delivered when this returns
/// assert_eq!(completed.0.load(Ordering::SeqCst), 2);
/// # Ok::<(), streamflow::Error>(())
/// ```
pub trait StreamingListener: Send + Sync + 'static {
    /// The context has started, at this time of its clock. Called once.
    fn on_streaming_started(&self, time: BatchTime) {
        let _ = time;
    }
    /// The context goes on where an earlier run of the program stopped. Called at most once, before the first batch.
    fn on_recovered(&self, recovery: &RecoveryInfo) {
        let _ = recovery;
    }
    /// The inputs of a batch are fixed and it waits for its turn.
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        let _ = batch;
    }
    /// A batch is being processed.
    fn on_batch_started(&self, batch: &BatchInfo) {
        let _ = batch;
    }
    /// All outputs of a batch have run; some may have failed.
    fn on_batch_completed(&self, batch: &BatchInfo) {
        let _ = batch;
    }
    /// An output begins.
    fn on_output_operation_started(&self, output: &OutputOperationInfo) {
        let _ = output;
    }
    /// An output has ended, well or with a failure.
    fn on_output_operation_completed(&self, output: &OutputOperationInfo) {
        let _ = output;
    }
    /// A receiver has started.
    fn on_receiver_started(&self, receiver: &ReceiverInfo) {
        let _ = receiver;
    }
    /// A receiver has reported an error; it may go on or be restarted. Also: the directory of a stream of files cannot be
    /// listed.
    fn on_receiver_error(&self, receiver: &ReceiverInfo) {
        let _ = receiver;
    }
    /// A receiver has stopped.
    fn on_receiver_stopped(&self, receiver: &ReceiverInfo) {
        let _ = receiver;
    }
    /// A block of a receiver or channel is complete, and waits for its batch.
    fn on_block_received(&self, block: &BlockInfo) {
        let _ = block;
    }
    /// A checkpoint is durable: a restart would go on from it.
    fn on_checkpoint_written(&self, checkpoint: &CheckpointInfo) {
        let _ = checkpoint;
    }
    /// A checkpoint could not be written. The one before it still counts, and the context stops.
    fn on_checkpoint_failed(&self, checkpoint: &CheckpointInfo) {
        let _ = checkpoint;
    }
}

/// A shared listener is a listener, so that a program can keep a handle to what it collects.
impl<L: StreamingListener + ?Sized> StreamingListener for Arc<L> {
    fn on_streaming_started(&self, time: BatchTime) {
        (**self).on_streaming_started(time);
    }
    fn on_recovered(&self, recovery: &RecoveryInfo) {
        (**self).on_recovered(recovery);
    }
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        (**self).on_batch_submitted(batch);
    }
    fn on_batch_started(&self, batch: &BatchInfo) {
        (**self).on_batch_started(batch);
    }
    fn on_batch_completed(&self, batch: &BatchInfo) {
        (**self).on_batch_completed(batch);
    }
    fn on_output_operation_started(&self, output: &OutputOperationInfo) {
        (**self).on_output_operation_started(output);
    }
    fn on_output_operation_completed(&self, output: &OutputOperationInfo) {
        (**self).on_output_operation_completed(output);
    }
    fn on_receiver_started(&self, receiver: &ReceiverInfo) {
        (**self).on_receiver_started(receiver);
    }
    fn on_receiver_error(&self, receiver: &ReceiverInfo) {
        (**self).on_receiver_error(receiver);
    }
    fn on_receiver_stopped(&self, receiver: &ReceiverInfo) {
        (**self).on_receiver_stopped(receiver);
    }
    fn on_block_received(&self, block: &BlockInfo) {
        (**self).on_block_received(block);
    }
    fn on_checkpoint_written(&self, checkpoint: &CheckpointInfo) {
        (**self).on_checkpoint_written(checkpoint);
    }
    fn on_checkpoint_failed(&self, checkpoint: &CheckpointInfo) {
        (**self).on_checkpoint_failed(checkpoint);
    }
}

/// An event on its way to the listeners.
pub(crate) enum Event {
    StreamingStarted(BatchTime),
    Recovered(RecoveryInfo),
    BatchSubmitted(BatchInfo),
    BatchStarted(BatchInfo),
    BatchCompleted(BatchInfo),
    OutputStarted(OutputOperationInfo),
    OutputCompleted(OutputOperationInfo),
    ReceiverStarted(ReceiverInfo),
    ReceiverError(ReceiverInfo),
    ReceiverStopped(ReceiverInfo),
    BlockReceived(BlockInfo),
    CheckpointWritten(CheckpointInfo),
    CheckpointFailed(CheckpointInfo),
    /// Nothing follows.
    Close,
}

impl Event {
    fn tell(&self, listener: &dyn StreamingListener) {
        match self {
            Event::StreamingStarted(time) => listener.on_streaming_started(*time),
            Event::Recovered(recovery) => listener.on_recovered(recovery),
            Event::BatchSubmitted(batch) => listener.on_batch_submitted(batch),
            Event::BatchStarted(batch) => listener.on_batch_started(batch),
            Event::BatchCompleted(batch) => listener.on_batch_completed(batch),
            Event::OutputStarted(output) => listener.on_output_operation_started(output),
            Event::OutputCompleted(output) => listener.on_output_operation_completed(output),
            Event::ReceiverStarted(receiver) => listener.on_receiver_started(receiver),
            Event::ReceiverError(receiver) => listener.on_receiver_error(receiver),
            Event::ReceiverStopped(receiver) => listener.on_receiver_stopped(receiver),
            Event::BlockReceived(block) => listener.on_block_received(block),
            Event::CheckpointWritten(checkpoint) => listener.on_checkpoint_written(checkpoint),
            Event::CheckpointFailed(checkpoint) => listener.on_checkpoint_failed(checkpoint),
            Event::Close => {}
        }
    }
}

/// Carries events to the listeners; clones are the same bus.
#[derive(Clone)]
pub(crate) struct ListenerBus(Arc<Bus>);

struct Bus {
    listeners: Mutex<Vec<Arc<dyn StreamingListener>>>,
    /// Whether anyone listens to a bus that runs: without listeners an event costs one load.
    wanted: AtomicBool,
    events: Sender<Event>,
    waiting: Receiver<Event>,
    thread: Mutex<Option<JoinHandle<()>>>,
    thread_id: Mutex<Option<ThreadId>>,
}

impl Default for ListenerBus {
    /// A bus that does not run yet.
    fn default() -> Self {
        let (events, waiting) = unbounded();
        Self(Arc::new(Bus {
            listeners: Mutex::default(),
            wanted: AtomicBool::new(false),
            events,
            waiting,
            thread: Mutex::default(),
            thread_id: Mutex::default(),
        }))
    }
}

impl ListenerBus {
    pub(crate) fn add(&self, listener: Arc<dyn StreamingListener>) {
        let mut listeners = lock(&self.0.listeners);
        listeners.push(listener);
        self.0.wanted.store(lock(&self.0.thread_id).is_some(), Ordering::SeqCst);
    }

    /// Starts delivering.
    pub(crate) fn start(&self, name: &str) -> Result<()> {
        let waiting = self.0.waiting.clone();
        let bus = self.clone();
        let thread = std::thread::Builder::new()
            .name(format!("{name}-listeners"))
            .spawn(move || bus.deliver(&waiting))
            .map_err(|error| Error::io("cannot start the thread of the listeners", error))?;
        let listeners = lock(&self.0.listeners);
        *lock(&self.0.thread_id) = Some(thread.thread().id());
        *lock(&self.0.thread) = Some(thread);
        self.0.wanted.store(!listeners.is_empty(), Ordering::SeqCst);
        Ok(())
    }

    fn deliver(&self, waiting: &Receiver<Event>) {
        for event in waiting {
            if matches!(event, Event::Close) {
                return;
            }
            let listeners = lock(&self.0.listeners).clone();
            for listener in listeners {
                if catch_unwind(AssertUnwindSafe(|| event.tell(&*listener))).is_err() {
                    tracing::error!("a listener panicked; it will get the next event all the same");
                }
            }
        }
    }

    /// Whether an event would reach anyone; what is expensive to describe need not be described otherwise.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.wanted.load(Ordering::Relaxed)
    }

    /// Puts the event that `describe` makes on its way, if anyone listens.
    pub(crate) fn post(&self, describe: impl FnOnce() -> Event) {
        if self.is_wanted() {
            let _ = self.0.events.send(describe());
        }
    }

    /// Whether the calling thread is the one that delivers.
    pub(crate) fn is_current_thread(&self) -> bool {
        *lock(&self.0.thread_id) == Some(std::thread::current().id())
    }

    /// Delivers what was posted, and nothing more; returns when that is done.
    pub(crate) fn close(&self) {
        self.0.wanted.store(false, Ordering::SeqCst);
        let Some(thread) = lock(&self.0.thread).take() else { return };
        let _ = self.0.events.send(Event::Close);
        if thread.join().is_err() {
            tracing::error!("the thread of the listeners panicked");
        }
        *lock(&self.0.thread_id) = None;
    }
}

/// Tells the listeners about the receiver of one input.
#[derive(Clone)]
pub(crate) struct ReceiverEvents {
    bus: ListenerBus,
    info: Arc<Mutex<ReceiverInfo>>,
    meter: Arc<InputMeter>,
}

impl ReceiverEvents {
    pub(crate) fn new(bus: ListenerBus, input: usize, name: Arc<str>, meter: Arc<InputMeter>) -> Self {
        let info = ReceiverInfo { input, name, active: false, last_error: None, last_error_time: None };
        Self { bus, info: Arc::new(Mutex::new(info)), meter }
    }

    /// The figures of the input.
    pub(crate) fn meter(&self) -> &Arc<InputMeter> {
        &self.meter
    }

    /// The receiver runs.
    pub(crate) fn started(&self) {
        self.change(Event::ReceiverStarted, |info| info.active = true);
    }

    /// The receiver met an error at `time`.
    pub(crate) fn error(&self, error: Error, time: BatchTime) {
        self.meter.error(&error, Some(time));
        self.change(Event::ReceiverError, |info| {
            info.last_error = Some(error);
            info.last_error_time = Some(time);
        });
    }

    /// The receiver runs no more.
    pub(crate) fn stopped(&self) {
        self.change(Event::ReceiverStopped, |info| info.active = false);
    }

    /// A block is complete; `number` counts them from zero.
    pub(crate) fn block(&self, number: u64, records: usize, bytes: usize) {
        self.bus.post(|| {
            let info = lock(&self.info);
            let (input, name) = (info.input, Arc::clone(&info.name));
            Event::BlockReceived(BlockInfo { input, name, number, records: records as u64, bytes: bytes as u64 })
        });
    }

    fn change(&self, event: impl FnOnce(ReceiverInfo) -> Event, change: impl FnOnce(&mut ReceiverInfo)) {
        let mut info = lock(&self.info);
        change(&mut info);
        // Posted under the lock, so that the events of a receiver come in the order of its changes.
        self.bus.post(|| event(info.clone()));
    }
}

impl Default for ReceiverEvents {
    /// Events that nobody hears.
    fn default() -> Self {
        Self::new(ListenerBus::default(), 0, "".into(), Arc::default())
    }
}

/// Tells the listeners about checkpoints, and counts them.
#[derive(Clone)]
pub(crate) struct CheckpointEvents {
    bus: ListenerBus,
    clock: Arc<dyn Clock>,
    meter: Arc<DurableMeter>,
}

impl CheckpointEvents {
    pub(crate) fn new(bus: ListenerBus, clock: Arc<dyn Clock>) -> Self {
        Self { bus, clock, meter: Arc::default() }
    }

    /// The figures of what is durable.
    pub(crate) fn meter(&self) -> &Arc<DurableMeter> {
        &self.meter
    }

    /// The writing of a checkpoint has ended, well or with a failure.
    pub(crate) fn ended(&self, checkpoint: Attempt, weights: Weights, failure: Option<&Error>) {
        let Attempt { batch_time, collecting, writing } = checkpoint;
        let info = CheckpointInfo {
            batch_time,
            ended: self.clock.now(),
            collecting,
            writing,
            bytes: if failure.is_none() { weights.newest } else { 0 },
            generations: weights.generations,
            kept_bytes: weights.kept,
            failure: failure.cloned(),
        };
        self.meter.checkpoint(&info);
        let event = if failure.is_none() { Event::CheckpointWritten } else { Event::CheckpointFailed };
        self.bus.post(|| event(info));
    }

    /// A checkpoint was due while the one before it was still being written.
    pub(crate) fn left_out(&self) {
        self.meter.left_out();
    }
}

/// A checkpoint that was tried, and how long its steps took.
#[derive(Clone, Copy)]
pub(crate) struct Attempt {
    /// The batch after which it was taken.
    pub(crate) batch_time: BatchTime,
    /// What held up the batch.
    pub(crate) collecting: Duration,
    /// What did not.
    pub(crate) writing: Duration,
}
