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

use crate::error::{Error, Result};
use crate::metrics::WorkInfo;
use crate::metrics::meters::InputMeter;
use crate::time::{BatchTime, lock};

/// Gets told what happens in a running context; every method does nothing unless it is written.
///
/// For a batch the order is: submitted, started, then for each output started and completed, then completed. All methods
/// are called by one thread, one after the other. A listener may not stop the context itself:
/// [`stop`](crate::StreamingContext::stop) returns an error there, because it would wait for the listener.
///
/// **Source**: Spark's `StreamingListener`.
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
}

/// A shared listener is a listener, so that a program can keep a handle to what it collects.
impl<L: StreamingListener + ?Sized> StreamingListener for Arc<L> {
    fn on_streaming_started(&self, time: BatchTime) {
        (**self).on_streaming_started(time);
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
}

/// What is known of a batch; times are those of the context's clock.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchInfo {
    /// The batch.
    pub batch_time: BatchTime,
    /// The inputs, in the order of their declaration.
    pub inputs: Vec<InputInfo>,
    /// When its inputs were fixed and it began to wait for its turn.
    pub submitted: BatchTime,
    /// When its processing began, if it has.
    pub processing_started: Option<BatchTime>,
    /// When its processing ended, if it has.
    pub processing_ended: Option<BatchTime>,
    /// The outputs that have ended, in the order of their declaration. Those on a window run only when a window ends.
    pub outputs: Vec<OutputOperationInfo>,
    /// What stages, streams and outputs did, once it has ended. Only those that ran tasks are here.
    pub work: Arc<[WorkInfo]>,
}

impl BatchInfo {
    /// A batch of which only this is known.
    pub(crate) fn new(batch_time: BatchTime, submitted: BatchTime) -> Self {
        Self {
            batch_time,
            inputs: Vec::new(),
            submitted,
            processing_started: None,
            processing_ended: None,
            outputs: Vec::new(),
            work: Arc::default(),
        }
    }

    /// How long it waited for its turn, once it has started.
    #[must_use]
    pub fn scheduling_delay(&self) -> Option<Duration> {
        Some(self.processing_started?.since(self.submitted))
    }

    /// How long it was processed, once it has ended.
    #[must_use]
    pub fn processing_delay(&self) -> Option<Duration> {
        Some(self.processing_ended?.since(self.processing_started?))
    }

    /// Scheduling and processing delay together, once it has ended.
    #[must_use]
    pub fn total_delay(&self) -> Option<Duration> {
        Some(self.scheduling_delay()? + self.processing_delay()?)
    }

    /// Number of records of all inputs together, once all were read; inputs that failed count nothing.
    #[must_use]
    pub fn num_records(&self) -> Option<u64> {
        self.inputs.iter().map(|input| input.records).sum()
    }

    /// Whether an output has failed.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.outputs.iter().any(|output| output.failure.is_some())
    }
}

/// What a batch reads of one input.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InputInfo {
    /// Number of the input in the order of declaration, from 0.
    pub input: usize,
    /// The name that it was declared with.
    pub name: Arc<str>,
    /// Number of records; nothing until the batch has read them, which it does when it starts.
    pub records: Option<u64>,
}

/// What is known of an output in one batch; times are those of the context's clock.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutputOperationInfo {
    /// The batch.
    pub batch_time: BatchTime,
    /// Number of the output in the order of declaration, from 0.
    pub id: usize,
    /// What it does, for instance `print`.
    pub name: &'static str,
    /// Its name and where it was declared: `print at src/main.rs:20`.
    pub description: Arc<str>,
    /// When it began, if it has.
    pub started: Option<BatchTime>,
    /// When it ended, if it has.
    pub ended: Option<BatchTime>,
    /// Why it failed, if it has.
    pub failure: Option<Error>,
}

impl OutputOperationInfo {
    /// How long it took, once it has ended.
    #[must_use]
    pub fn duration(&self) -> Option<Duration> {
        Some(self.ended?.since(self.started?))
    }
}

/// What is known of a receiver.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReceiverInfo {
    /// Number of its input in the order of declaration, from 0.
    pub input: usize,
    /// The name of its input.
    pub name: Arc<str>,
    /// Whether it is running.
    pub active: bool,
    /// The last error that it reported.
    pub last_error: Option<Error>,
    /// When it reported that error, by the context's clock.
    pub last_error_time: Option<BatchTime>,
}

/// An event on its way to the listeners.
pub(crate) enum Event {
    StreamingStarted(BatchTime),
    BatchSubmitted(BatchInfo),
    BatchStarted(BatchInfo),
    BatchCompleted(BatchInfo),
    OutputStarted(OutputOperationInfo),
    OutputCompleted(OutputOperationInfo),
    ReceiverStarted(ReceiverInfo),
    ReceiverError(ReceiverInfo),
    ReceiverStopped(ReceiverInfo),
    /// Nothing follows.
    Close,
}

impl Event {
    fn tell(&self, listener: &dyn StreamingListener) {
        match self {
            Event::StreamingStarted(time) => listener.on_streaming_started(*time),
            Event::BatchSubmitted(batch) => listener.on_batch_submitted(batch),
            Event::BatchStarted(batch) => listener.on_batch_started(batch),
            Event::BatchCompleted(batch) => listener.on_batch_completed(batch),
            Event::OutputStarted(output) => listener.on_output_operation_started(output),
            Event::OutputCompleted(output) => listener.on_output_operation_completed(output),
            Event::ReceiverStarted(receiver) => listener.on_receiver_started(receiver),
            Event::ReceiverError(receiver) => listener.on_receiver_error(receiver),
            Event::ReceiverStopped(receiver) => listener.on_receiver_stopped(receiver),
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
    pub(crate) fn meter(&self) -> Arc<InputMeter> {
        Arc::clone(&self.meter)
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
