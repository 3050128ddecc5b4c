//! [`StreamingContext`]: declares streams, runs them, and stops.
//!
//! A context has three parts: the [`StreamingContext`] that the program holds, a `Core` that the helper threads know too,
//! and, while it is active, the [`Scheduler`]. The program's handles are counted: when the last is dropped the context
//! stops.

mod builder;
mod many;
mod observe;
mod resume;

use std::fmt;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

pub use self::builder::StreamingContextBuilder;
use self::builder::{Config, Signals};
use self::resume::{Backlog, Start};
use crate::dstream::DStream;
use crate::error::{Error, Result};
use crate::exec::{LocalExecutor, is_batch_thread};
use crate::fs::SharedFs;
use crate::metrics::meters::Meters;
use crate::plan::explain::Explanation;
use crate::record::Fork;
use crate::recovery::Recovery;
use crate::recovery::inspect::{self, CheckpointSummary};
use crate::recovery::lock::DirectoryLock;
use crate::run::{Engine, Grid};
use crate::scheduler::generator::SharedInput;
use crate::scheduler::jobs::JobSet;
use crate::scheduler::listener::{CheckpointEvents, Event, ListenerBus, ReceiverEvents, StreamingListener};
pub use crate::scheduler::status::ContextState;
use crate::scheduler::status::Status;
use crate::scheduler::{Control, Parts, Scheduler};
use crate::source::{Source, SourceCx, SourceInput};
use crate::time::{BatchTime, Clock, lock};
use crate::topology::{Node, Topology};

/// The start of every program: declares inputs, runs batches, stops.
///
/// A context goes from [`Initialized`](ContextState::Initialized) (streams and outputs are declared) to
/// [`Active`](ContextState::Active) (batches run) to [`Stopped`](ContextState::Stopped), and never back. Clones are the
/// same context; when the last is dropped, the context stops as by [`stop`](Self::stop). A closure of a stream that holds a
/// clone keeps the context alive until it is stopped.
///
/// Batches are due at multiples of the batch interval, the first strictly after the start. Each is named by its time.
/// They are processed one at a time, in order; when one takes longer than the interval, the next ones wait for it.
///
/// **Errors of a batch**: a closure that panics is tried again; if it goes on failing, the outputs that depend on it fail.
/// The other outputs of the batch run, and so do later batches. The first such error is returned by
/// [`await_termination`](Self::await_termination).
///
/// **Source**: Spark's `StreamingContext`. Unlike there, a process may run any number of contexts at once.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use streamflow::{ContextState, StreamingContext};
///
/// let ctx = StreamingContext::builder("idle").batch_interval(Duration::from_secs(5)).build()?;
/// assert_eq!(ctx.state(), ContextState::Initialized);
/// ctx.stop()?;
/// assert_eq!(ctx.state(), ContextState::Stopped);
/// # Ok::<(), streamflow::Error>(())
/// ```
#[derive(Clone)]
pub struct StreamingContext(Arc<Handle>);

/// What the handles of the program share; dropped with the last of them.
struct Handle {
    core: Arc<Core>,
}

/// The context, as its own threads know it too.
struct Core {
    config: Config,
    topology: Topology,
    control: Arc<Control>,
    status: Arc<Status>,
    bus: ListenerBus,
    life: Mutex<Life>,
    signals_watched: AtomicBool,
    /// From the start on.
    meters: OnceLock<Arc<Meters>>,
}

/// What changes hands when a context starts and stops; its lock makes these exclusive.
#[derive(Default)]
struct Life {
    /// Until the start, if the context looked into its checkpoint directory before.
    lock: Option<DirectoryLock>,
    recovery: Option<Arc<Recovery>>,
    inputs: Vec<SharedInput>,
    scheduler: Option<Scheduler>,
    #[cfg(feature = "ui")]
    ui: Option<crate::ui::Server>,
}

impl StreamingContext {
    /// The settings of a new context. The name is that of its threads, and appears in reports.
    pub fn builder(name: impl Into<String>) -> StreamingContextBuilder {
        StreamingContextBuilder::new(name.into())
    }

    fn new(config: Config) -> Self {
        let control = Arc::new(Control::new(Arc::clone(&config.clock)));
        let core = Core {
            config,
            topology: Topology::new(),
            control,
            status: Arc::new(Status::new()),
            bus: ListenerBus::default(),
            life: Mutex::default(),
            signals_watched: AtomicBool::new(false),
            meters: OnceLock::new(),
        };
        Self(Arc::new(Handle { core: Arc::new(core) }))
    }

    /// A context that goes on where its checkpoint ends, or begins anew: what [`start`](Self::start) will do, said now, so
    /// that the program can decide by it.
    ///
    /// Beside the context it returns what the checkpoint directory of the settings holds, or nothing if no program has begun
    /// there. A program that need not know builds a context by [`build`](StreamingContextBuilder::build), which recovers or
    /// begins just the same. Streams and outputs are declared in both cases: they are code, which no checkpoint holds.
    ///
    /// From now on no other program gets into the directory, until the context is stopped or dropped.
    ///
    /// **Cost**: the checkpoint is read, as the start does once more.
    /// **Source**: Spark's `StreamingContext.getOrCreate`. There the checkpoint holds the topology, so the function that
    /// declares it is called for a new directory only, and a changed program cannot be recovered. A checkpoint that cannot be
    /// read is always an error here; there is no `createOnError`.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument): the settings cannot be used, or have no checkpoint directory;
    /// [`IllegalState`](crate::ErrorKind::IllegalState): a running program has the directory;
    /// [`Damaged`](crate::ErrorKind::Damaged): the directory cannot be recovered, although something was there; and
    /// [`Io`](crate::ErrorKind::Io) when it cannot be read.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use streamflow::{ManualClock, StreamingContext};
    ///
    /// # let scratch = tempfile::tempdir().unwrap();
    /// # let directory = scratch.path().join("checkpoint");
    /// let clock = ManualClock::new();
    /// let run = || {
    ///     let settings = StreamingContext::builder("payments").clock(clock.clone()).checkpoint(&directory);
    ///     let (ctx, found) = StreamingContext::recover_or_create(settings)?;
    ///     let begun = match &found {
    ///         Some(checkpoint) => format!("goes on; {} batches run again", checkpoint.waiting.len()),
    ///         None => "begins: this is the place to import the old data".to_owned(),
    ///     };
    ///     ctx.text_file_stream(&scratch.path().to_string_lossy())?.print(10);
    ///     ctx.start()?;
    ///     ctx.stop()?;
    ///     Ok::<_, streamflow::Error>(begun)
    /// };
    /// assert_eq!(run()?, "begins: this is the place to import the old data");
    /// assert_eq!(run()?, "goes on; 0 batches run again");
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    pub fn recover_or_create(settings: StreamingContextBuilder) -> Result<(Self, Option<CheckpointSummary>)> {
        let ctx = settings.build()?;
        let config = &ctx.core().config;
        let Some(checkpoint) = &config.checkpoint else {
            return Err(Error::invalid(
                "there is no directory to recover from: say `.checkpoint(directory)` on the builder, or use `build`",
            ));
        };
        let taken = DirectoryLock::take(&config.files, &checkpoint.dir, &config.name)?;
        let found = inspect::look(&config.files, &checkpoint.dir)?;
        lock(&ctx.core().life).lock = Some(taken);
        Ok((ctx, found))
    }

    fn core(&self) -> &Arc<Core> {
        &self.0.core
    }

    /// The stream of a [`Source`]. `name` appears in reports; a number is added if it was used before.
    ///
    /// **Shape**: the blocks that the source reads for a batch are the partitions.
    /// **Source**: Spark's `InputDStream`.
    ///
    /// # Errors
    /// [`IllegalState`](crate::ErrorKind::IllegalState): the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use streamflow::source::Source;
    /// use streamflow::{BatchTime, Result, StreamingContext};
    ///
    /// /// The time of each batch, as its only record.
    /// struct Ticks;
    ///
    /// impl Source for Ticks {
    ///     type Record = u64;
    ///     type Range = BatchTime;
    ///     fn next_range(&mut self, batch: BatchTime) -> Result<BatchTime> {
    ///         Ok(batch)
    ///     }
    ///     fn read(&mut self, range: &BatchTime) -> Result<Vec<Vec<u64>>> {
    ///         Ok(vec![vec![range.as_millis()]])
    ///     }
    /// }
    ///
    /// let ctx = StreamingContext::builder("clock").build()?;
    /// let ticks = ctx.source("ticks", Ticks)?;
    /// assert!(ctx.explain().to_string().contains("`ticks`"));
    /// # drop(ticks);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn source<S: Source>(&self, name: impl Into<String>, source: S) -> Result<DStream<S::Record>>
    where
        S::Record: Fork,
    {
        self.add_source("source", name.into(), source)
    }

    /// As [`source`](Self::source); `label` is the kind of input in `explain`, for instance `socket`.
    #[track_caller]
    pub(crate) fn add_source<S: Source>(&self, label: &str, name: String, source: S) -> Result<DStream<S::Record>>
    where
        S::Record: Fork,
    {
        let core = self.core();
        let location = Location::caller();
        let mut life = lock(&core.life);
        core.topology.check_open("an input")?;
        let mut node = Node::new::<S::Record>(name, label);
        node.location = Some(location);
        node.set_cloner::<S::Record>(<S::Record as Fork>::cloner());
        let node = core.topology.add_node(node);
        let name: Arc<str> = core.topology.inspect(|graph| graph.nodes[node.0].name.as_str().into());
        life.inputs.push(SharedInput::new(name, Box::new(SourceInput { source, node })));
        Ok(DStream::new(core.topology.clone(), node))
    }

    /// Starts: from the next multiple of the interval on, batches are made and processed. Starting an active context has no
    /// effect but a warning in the log.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument): there is no output, or the topology has a mistake;
    /// [`IllegalState`](crate::ErrorKind::IllegalState): the context was stopped; and the error of an input that cannot
    /// start. After an error the context is stopped.
    pub fn start(&self) -> Result<()> {
        self.core().start()
    }

    /// Stops: the batch that is being processed ends, those that wait are dropped, and the listeners hear of what happened.
    /// Then all threads of the context have ended. Stopping before the start, or twice, is fine.
    ///
    /// Called by a closure or an output of a running batch, it returns at once, and the context stops after that batch.
    ///
    /// **Cost**: blocks for as long as the running batch takes, and then for receivers that do not return when they are told to
    /// stop: up to the [`stop_timeout`](crate::source::ReceiverOptions::stop_timeout) of each, and for all together up to the
    /// [time limit](StreamingContextBuilder::graceful_stop_timeout) of a graceful stop. After that they are left behind.
    ///
    /// # Errors
    /// [`IllegalState`](crate::ErrorKind::IllegalState): called by a listener of this context, which would wait for itself.
    pub fn stop(&self) -> Result<()> {
        self.core().stop(false)
    }

    /// Stops after everything that was received is processed.
    ///
    /// The inputs stop; batches that are due, and those with what was received, are made and processed; then as
    /// [`stop`](Self::stop). It waits for the end of an interval only if an input holds data that no batch was given. After
    /// the time limit ([`graceful_stop_timeout`](StreamingContextBuilder::graceful_stop_timeout)) it goes on as a plain
    /// stop, and so it does when another thread calls `stop`.
    ///
    /// **Source**: Spark's `stop(stopSparkContext, stopGracefully = true)`, which always waits for the end of an interval.
    ///
    /// # Errors
    /// As [`stop`](Self::stop).
    pub fn stop_gracefully(&self) -> Result<()> {
        self.core().stop(true)
    }

    /// Waits until the context is stopped, and returns the first error of a batch as soon as there is one. The context goes
    /// on after an error; whether to stop it is up to the program.
    ///
    /// With the machine's clock, Ctrl-C and SIGTERM stop the context gracefully from now on, unless
    /// [`stop_on_signals`](StreamingContextBuilder::stop_on_signals) says otherwise.
    ///
    /// # Errors
    /// The first error of a batch, or a mistake such as a stream that was declared after the start.
    pub fn await_termination(&self) -> Result<()> {
        let core = self.core();
        if core.config.signals == Signals::FromWaiting {
            core.watch_signals()?;
        }
        core.report_late_mistake();
        drop(core.status.wait(|progress| progress.error.is_some() || progress.state == ContextState::Stopped));
        core.report_late_mistake();
        core.status.outcome().map(drop)
    }

    /// Waits as [`await_termination`](Self::await_termination), longest for `timeout` by the machine's clock; says whether
    /// the context is stopped. It leaves signals alone.
    ///
    /// # Errors
    /// As [`await_termination`](Self::await_termination).
    pub fn await_termination_or_timeout(&self, timeout: Duration) -> Result<bool> {
        let core = self.core();
        core.report_late_mistake();
        core.status
            .wait_timeout(timeout, |progress| progress.error.is_some() || progress.state == ContextState::Stopped);
        core.report_late_mistake();
        core.status.outcome()
    }

    /// Where the context is in its life.
    #[must_use]
    pub fn state(&self) -> ContextState {
        self.core().state()
    }

    /// Adds a listener, which hears of all that happens from now on.
    pub fn add_listener(&self, listener: impl StreamingListener) {
        self.core().bus.add(Arc::new(listener));
    }

    /// The topology as it is declared: its stages with their fused operators, inputs and outputs.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        self.core().topology.inspect(Explanation::of)
    }

    /// The batch interval.
    #[must_use]
    pub fn batch_interval(&self) -> Duration {
        self.core().config.interval
    }

    /// The name that the context was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.core().config.name
    }

    /// The clock that makes batches due.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.core().config.clock)
    }

    /// Number of partitions of a shuffle whose operator does not say.
    #[must_use]
    pub fn parallelism(&self) -> usize {
        self.core().config.parallelism
    }

    pub(crate) fn topology(&self) -> &Topology {
        &self.core().topology
    }

    /// Waits until the batch `time` and all before it are completed; fails if the context stops before.
    pub(crate) fn await_batch(&self, time: BatchTime) -> Result<()> {
        let reached = |completed: Option<BatchTime>| completed.is_some_and(|last| last >= time);
        let progress = self.core().status.wait(|progress| {
            reached(progress.completed) || progress.processed_all || progress.state == ContextState::Stopped
        });
        if reached(progress.completed) {
            return Ok(());
        }
        Err(Error::illegal_state(format!("the context was stopped before batch {time} was completed")))
    }

    /// Waits for the checkpoint in the works, so that tests do the same in the same order.
    pub(crate) fn settle(&self) {
        let recovery = lock(&self.core().life).recovery.clone();
        if let Some(recovery) = recovery {
            recovery.settle();
        }
    }

    /// Begins a graceful stop without waiting for its end.
    pub(crate) fn begin_graceful_stop(&self) {
        self.core().control.interrupt();
    }
}

impl Core {
    fn state(&self) -> ContextState {
        self.status.look(|progress| progress.state)
    }

    fn start(self: &Arc<Self>) -> Result<()> {
        let mut life = lock(&self.life);
        match self.state() {
            ContextState::Initialized => {}
            ContextState::Active => {
                tracing::warn!(context = self.config.name, "the context has already been started");
                return Ok(());
            }
            ContextState::Stopped => {
                return Err(Error::illegal_state(
                    "the context has already been stopped; a stopped context cannot be started again, build a new one",
                ));
            }
        }
        let launched = self.launch(&mut life);
        if launched.is_err() {
            self.end(life);
        }
        launched
    }

    fn launch(self: &Arc<Self>, life: &mut Life) -> Result<()> {
        let graph = self.topology.freeze(self.config.interval)?;
        if graph.outputs.is_empty() {
            return Err(Error::invalid(
                "no output operations registered, so nothing to execute; give a stream an output such as `.print(10)`",
            ));
        }
        let config = &self.config;
        let exec = Arc::new(LocalExecutor::new(&config.name, config.threads)?);
        if config.signals == Signals::FromStart {
            self.watch_signals()?;
        }
        self.bus.start(&config.name)?;
        let now = config.clock.now();
        let events = CheckpointEvents::new(self.bus.clone(), Arc::clone(&config.clock));
        let mut start = resume::open(config, life.lock.take(), &graph, now, &events)?;
        let inputs = std::mem::take(&mut life.inputs);
        let meters = self.observe(life, &graph, &inputs, &events)?;
        let backlog = self.start_inputs(&inputs, meters, &start)?;
        self.status.change(|progress| progress.state = ContextState::Active);
        self.bus.post(|| Event::StreamingStarted(now));
        if let Some(recovery) = start.recovered.take() {
            let _ = events.meter().recovery.set(recovery.clone());
            self.bus.post(|| Event::Recovered(recovery));
        }
        life.recovery.clone_from(&start.recovery);
        let engine = Engine {
            graph,
            exec,
            parallelism: config.parallelism,
            max_task_failures: config.max_task_failures,
            grid: Some(Grid { zero: start.zero }),
            files: SharedFs::clone(&config.files),
        };
        life.scheduler = Some(Scheduler::start(Parts {
            name: config.name.clone(),
            interval: config.interval,
            first: start.next,
            quiet_until: resume::quiet_until(config.missed, start.next, now, config.interval),
            backlog,
            recovery: start.recovery,
            backpressure: config.backpressure.clone(),
            engine,
            inputs,
            hooks: self.hooks(meters),
            meters: Arc::clone(meters),
            control: Arc::clone(&self.control),
            status: Arc::clone(&self.status),
            bus: self.bus.clone(),
        })?);
        Ok(())
    }

    /// Starts all inputs, or none. Returns the batches to run again.
    fn start_inputs(&self, inputs: &[SharedInput], meters: &Meters, start: &Start) -> Result<Vec<JobSet>> {
        let mut backlog = Backlog::new(start);
        for (index, shared) in inputs.iter().enumerate() {
            let cx = SourceCx {
                batch_interval: self.config.interval,
                start_time: start.began,
                zero_time: start.zero,
                parallelism: self.config.parallelism,
                log: start.input_log(&self.config, &shared.name),
                clock: Arc::clone(&self.config.clock),
                receiver_events: ReceiverEvents::new(
                    self.bus.clone(),
                    index,
                    Arc::clone(&shared.name),
                    Arc::clone(meters.input(index)),
                ),
            };
            let started = backlog.add(shared, &cx, start).and_then(|()| shared.call(|input| input.start(&cx)));
            if let Err(error) = started {
                inputs[..index].iter().for_each(SharedInput::stop);
                return Err(error);
            }
        }
        backlog.finish(&self.config, inputs).inspect_err(|_| inputs.iter().for_each(SharedInput::stop))
    }

    fn stop(self: &Arc<Self>, gracefully: bool) -> Result<()> {
        if self.bus.is_current_thread() {
            return Err(Error::illegal_state(
                "cannot stop the context within one of its listeners, because it waits for them; use another thread",
            ));
        }
        if is_batch_thread() && self.state() == ContextState::Active {
            // The batch that this thread works for cannot end while the thread waits for its end.
            return self.stop_on_another_thread(gracefully);
        }
        if gracefully {
            self.control.interrupt();
        } else {
            self.control.abandon();
            // Someone may wait for the end of a graceful stop.
            self.status.change(|_| {});
        }
        let mut life = lock(&self.life);
        if self.state() == ContextState::Stopped {
            tracing::debug!(context = self.config.name, "the context is already stopped");
            return Ok(());
        }
        if let Some(scheduler) = life.scheduler.take() {
            scheduler.finish(self.config.graceful_stop_timeout);
        }
        self.end(life);
        Ok(())
    }

    fn stop_on_another_thread(self: &Arc<Self>, gracefully: bool) -> Result<()> {
        let core = Arc::clone(self);
        std::thread::Builder::new()
            .name(format!("{}-stop", self.config.name))
            .spawn(move || core.stop(gracefully))
            .map(drop)
            .map_err(|error| Error::io("cannot start the thread that stops the context", error))
    }

    /// The last step of a stop and of a start that failed.
    fn end(&self, mut life: MutexGuard<'_, Life>) {
        (life.lock, life.recovery) = (None, None);
        self.bus.close();
        self.close_ui(&mut life);
        self.topology.close();
        self.status.change(|progress| progress.state = ContextState::Stopped);
        drop(life);
    }

    /// Keeps a mistake that was made after the start, which nothing else reports.
    fn report_late_mistake(&self) {
        if self.state() != ContextState::Initialized
            && let Some(mistake) = self.topology.take_mistake()
        {
            self.status.report(mistake);
        }
    }

    #[cfg(unix)]
    fn watch_signals(self: &Arc<Self>) -> Result<()> {
        if self.signals_watched.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let (core, asked) = (Arc::downgrade(self), AtomicBool::new(false));
        crate::scheduler::signals::subscribe(Box::new(move || {
            core.upgrade().is_some_and(|core| {
                let useful = core.state() == ContextState::Active && !asked.swap(true, Ordering::SeqCst);
                useful && core.stop_on_another_thread(true).is_ok()
            })
        }))
    }

    #[cfg(not(unix))]
    fn watch_signals(self: &Arc<Self>) -> Result<()> {
        if !self.signals_watched.swap(true, Ordering::SeqCst) {
            tracing::debug!("signals are watched on Unix only");
        }
        Ok(())
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        let core = &self.core;
        let stopped = if core.bus.is_current_thread() { core.stop_on_another_thread(false) } else { core.stop(false) };
        if let Err(error) = stopped {
            tracing::error!(%error, "the context could not be stopped");
        }
    }
}

impl fmt::Debug for StreamingContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamingContext")
            .field("name", &self.name())
            .field("batch_interval", &self.batch_interval())
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}
