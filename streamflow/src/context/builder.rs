//! The settings of a context.

use std::fmt;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::StreamingContext;
use crate::error::{Error, Result};
use crate::fs::{RealFs, SharedFs, SimulatedFs};
use crate::recovery::settings::{CheckpointSettings, MissedBatches};
use crate::scheduler::backpressure::PidRateEstimator;
use crate::scheduler::jobs::BatchHook;
use crate::time::{Clock, SystemClock, whole_millis};

/// Makes a [`StreamingContext`]; mistakes in the settings are reported by [`build`](Self::build).
///
/// **Source**: Spark's `SparkConf` and the constructors of `StreamingContext`.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use streamflow::StreamingContext;
///
/// let ctx = StreamingContext::builder("trending")
///     .batch_interval(Duration::from_millis(500))
///     .threads(2)
///     .build()?;
/// assert_eq!(ctx.batch_interval(), Duration::from_millis(500));
/// assert_eq!(ctx.name(), "trending");
/// # Ok::<(), streamflow::Error>(())
/// ```
#[derive(Clone)]
#[must_use = "a builder does nothing until `build` is called"]
pub struct StreamingContextBuilder {
    name: String,
    interval: Duration,
    threads: Option<usize>,
    parallelism: Option<usize>,
    clock: Option<Arc<dyn Clock>>,
    max_task_failures: usize,
    graceful_stop_timeout: Option<Duration>,
    stop_on_signals: Option<bool>,
    hooks: Vec<Arc<dyn BatchHook>>,
    #[cfg(feature = "ui")]
    ui: Option<String>,
    files: SharedFs,
    checkpoint: Option<CheckpointSettings>,
    ephemeral: bool,
    backpressure: Option<PidRateEstimator>,
    missed: MissedBatches,
    /// A setting that needs a checkpoint directory and came before it.
    misplaced: Option<&'static str>,
}

/// The settings, checked.
pub(super) struct Config {
    pub(super) name: String,
    pub(super) interval: Duration,
    pub(super) threads: usize,
    pub(super) parallelism: usize,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) max_task_failures: usize,
    pub(super) graceful_stop_timeout: Duration,
    pub(super) signals: Signals,
    pub(super) hooks: Vec<Arc<dyn BatchHook>>,
    #[cfg(feature = "ui")]
    pub(super) ui: Option<crate::ui::Address>,
    pub(super) files: SharedFs,
    pub(super) checkpoint: Option<CheckpointSettings>,
    /// State may be lost with the process.
    pub(super) ephemeral: bool,
    pub(super) backpressure: Option<PidRateEstimator>,
    pub(super) missed: MissedBatches,
}

/// When Ctrl-C and SIGTERM mean a graceful stop.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Signals {
    Never,
    FromStart,
    FromWaiting,
}

impl StreamingContextBuilder {
    pub(super) fn new(name: String) -> Self {
        Self {
            name,
            interval: Duration::from_secs(1),
            threads: None,
            parallelism: None,
            clock: None,
            max_task_failures: 4,
            graceful_stop_timeout: None,
            stop_on_signals: None,
            hooks: Vec::new(),
            #[cfg(feature = "ui")]
            ui: None,
            files: Arc::new(RealFs),
            checkpoint: None,
            ephemeral: false,
            backpressure: None,
            missed: MissedBatches::All,
            misplaced: None,
        }
    }

    /// The batch interval: a whole number of milliseconds, at least one. One second if it is not set.
    pub fn batch_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Number of worker threads: as many tasks run at once. As many as the machine has processors if it is not set.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = Some(threads);
        self
    }

    /// Number of partitions of a shuffle whose operator does not say. As many as there are threads if it is not set.
    ///
    /// A loop in front of an operator that combines records by key runs in as many tasks too when it reads eight times as many
    /// partitions or more; each task then reads several. So fewer than there are threads leaves threads idle.
    ///
    /// **Source**: Spark's `spark.default.parallelism`.
    pub fn parallelism(mut self, partitions: usize) -> Self {
        self.parallelism = Some(partitions);
        self
    }

    /// The clock that makes batches due. The clock of the machine if it is not set.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Some(Arc::new(clock));
        self
    }

    /// How often a task may fail before its batch fails, at least once; 4 if it is not set.
    ///
    /// With 1 a task is never tried again, and records of an input are moved into the topology. With more they are kept
    /// until the batch is done: owned records are then cloned when they are read, views (`str`, `[u8]`) are not.
    ///
    /// **Source**: Spark's `spark.task.maxFailures`.
    pub fn max_task_failures(mut self, failures: usize) -> Self {
        self.max_task_failures = failures;
        self
    }

    /// How long a graceful stop may take, by the machine's clock; ten batch intervals if it is not set. Any stop waits for so
    /// long, at most, for receivers that do not return.
    ///
    /// **Source**: Spark's `spark.streaming.gracefulStopTimeout`.
    pub fn graceful_stop_timeout(mut self, timeout: Duration) -> Self {
        self.graceful_stop_timeout = Some(timeout);
        self
    }

    /// Whether Ctrl-C (SIGINT) and SIGTERM stop the context gracefully, from its start on; a second signal ends the process.
    ///
    /// If it is not set, they do so from the first call of [`await_termination`](StreamingContext::await_termination) on,
    /// unless the context has a clock of its own. Until then, and with `false`, the process's handling of signals is left
    /// alone. On systems other than Unix nothing is watched.
    ///
    /// **Source**: Spark's shutdown hook with `spark.streaming.stopGracefullyOnShutdown`, whose default is a plain stop.
    pub fn stop_on_signals(mut self, stop: bool) -> Self {
        self.stop_on_signals = Some(stop);
        self
    }

    /// Serves a live page at this address while the context is active; needs the feature `ui`.
    ///
    /// The page shows whether the program keeps up and where its time goes; `docs/operating.md` says how to read it. Beside
    /// it are `/metrics` for Prometheus, `/health` (200 while the program keeps up, 503 otherwise), and `/api/status`,
    /// `/api/batches` and `/api/topology` as JSON. The address is printed to the standard error stream at the start. If the
    /// port is taken, the next free one of the following 16 is used.
    ///
    /// An address without a host, such as `"4040"`, is loopback: only programs of this machine reach it. Whoever can reach
    /// the page can read it, and sees names, source lines and error texts of the program; there is no password.
    ///
    /// **Cost**: a thread that mostly sleeps, and the last 1000 batches in memory.
    ///
    /// **Source**: the streaming tab of Spark's web page, with `spark.ui.port`.
    ///
    /// # Examples
    /// ```
    /// use streamflow::StreamingContext;
    ///
    /// let ctx = StreamingContext::builder("watched").ui("127.0.0.1:4040").build()?;
    /// assert_eq!(ctx.ui_address(), None, "it is served from the start on");
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[cfg(feature = "ui")]
    pub fn ui(mut self, address: impl Into<String>) -> Self {
        self.ui = Some(address.into());
        self
    }

    /// Is told of every batch before those who wait for it.
    pub(crate) fn hook(mut self, hook: Arc<dyn BatchHook>) -> Self {
        self.hooks.push(hook);
        self
    }

    /// Makes the program recoverable: what it needs to go on after any kind of stop is kept in this directory.
    ///
    /// On [`start`](StreamingContext::start) an existing checkpoint is recovered, otherwise a new one begun. Windows and state
    /// go on where they were, every batch has the same input as before, and outputs that are idempotent or transactional are
    /// exactly once. A program that wants to know which of the two it is asks
    /// [`recover_or_create`](StreamingContext::recover_or_create).
    ///
    /// The directory belongs to one running program: a start fails if another process, or another context of this one, has
    /// it, and says which. The system lets go of it when the process ends, in whatever way.
    ///
    /// **Cost**: two synced writes for each batch, and every [`checkpoint_interval`](Self::checkpoint_interval) one for the
    /// states that changed, off the batch's path.
    /// **Source**: Spark's `checkpoint` and `getOrCreate` in one. The program itself is not in the checkpoint, so it may change.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use streamflow::prelude::*;
    /// use streamflow::testing::{Driver, SimulatedFs};
    ///
    /// #[stream]
    /// fn running(words: DStream<String>) -> DStream<(String, u64)> {
    ///     words.map(|word| (word, 1)).update_state_by_key(|ones: Vec<u64>, total| {
    ///         Some(total.unwrap_or(0) + ones.into_iter().sum::<u64>())
    ///     })
    /// }
    ///
    /// let files = SimulatedFs::new(1);
    /// let batches = || vec![vec!["a".to_owned()], vec!["a".to_owned()], vec!["a".to_owned()]];
    /// let start = || Driver::with(|builder| builder.checkpoint("state").simulated_files(&files));
    ///
    /// let mut first = start()?;
    /// let out = { let words = first.input(batches()); first.output(&running(words)) };
    /// first.run_batches(2)?;
    /// assert_eq!(out.batches()[1], [("a".to_owned(), 2)]);
    /// drop(first);
    ///
    /// let mut second = start()?;
    /// let out = { let words = second.input(batches()); second.output(&running(words)) };
    /// second.run_batches(3)?;
    /// assert_eq!(out.batches().last().unwrap(), &[("a".to_owned(), 3)]);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    pub fn checkpoint(mut self, directory: impl Into<PathBuf>) -> Self {
        self.checkpoint = Some(CheckpointSettings::new(directory.into()));
        self
    }

    /// How often windows, state and positions are written: a multiple of the batch interval. Without it, the first multiple
    /// from ten seconds on, as in Spark.
    ///
    /// After a restart, the batches since the last checkpoint are run again as far as state needs.
    pub fn checkpoint_interval(self, interval: Duration) -> Self {
        self.with_checkpoint("checkpoint_interval", |settings| settings.interval = Some(interval))
    }

    /// Takes the state that the checkpoint knows as `was` for the operator that is now called `is`.
    ///
    /// Names of states are what the error of a start that does not fit its checkpoint lists.
    pub fn rename_state(self, was: impl Into<String>, is: impl Into<String>) -> Self {
        let (was, is) = (was.into(), is.into());
        self.with_checkpoint("rename_state", |settings| drop(settings.renamed.insert(was, is)))
    }

    /// Lets a state of the checkpoint go.
    pub fn drop_state(self, state: impl Into<String>) -> Self {
        let state = state.into();
        self.with_checkpoint("drop_state", |settings| settings.dropped.push(state))
    }

    /// Makes new states of those in the checkpoint, for an `update_state_by_key` or `map_with_state` whose state has
    /// another type than before. `state` is the operator's present name.
    pub fn migrate_state<Old, New>(
        self,
        state: impl Into<String>,
        migrate: impl Fn(Old) -> New + Send + Sync + 'static,
    ) -> Self
    where
        Old: serde::Serialize + serde::de::DeserializeOwned,
        New: serde::Serialize + serde::de::DeserializeOwned,
    {
        let state = state.into();
        self.with_checkpoint("migrate_state", |settings| settings.migrate(state, migrate))
    }

    fn with_checkpoint(mut self, setting: &'static str, change: impl FnOnce(&mut CheckpointSettings)) -> Self {
        match &mut self.checkpoint {
            Some(settings) => change(settings),
            None => self.misplaced = Some(setting),
        }
        self
    }

    /// What to do with the batches that were due while the program was down. All are run if nothing is said.
    pub fn missed_batches(mut self, policy: MissedBatches) -> Self {
        self.missed = policy;
        self
    }

    /// Lets receivers store only as fast as batches are processed: after each batch `estimator` says the rate, for each
    /// input on its own. Without it a receiver is only held by its buffer.
    ///
    /// **Source**: Spark's `spark.streaming.backpressure.enabled`.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use streamflow::{PidRateEstimator, StreamingContext};
    ///
    /// let interval = Duration::from_secs(1);
    /// let estimator = PidRateEstimator::new(interval)?.min_rate(1_000.0)?;
    /// let ctx = StreamingContext::builder("steady").batch_interval(interval).backpressure(estimator).build()?;
    /// # drop(ctx);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    pub fn backpressure(mut self, estimator: PidRateEstimator) -> Self {
        self.backpressure = Some(estimator);
        self
    }

    /// Says that windows and state may be lost when the process ends. A program with state operators needs this or a
    /// [`checkpoint`](Self::checkpoint) directory.
    pub fn ephemeral(mut self) -> Self {
        self.ephemeral = true;
        self
    }

    /// Keeps what the program saves (files of outputs, log and checkpoints) in a simulated file system instead of the
    /// machine's, for tests of failures.
    ///
    /// # Examples
    /// ```
    /// use streamflow::StreamingContext;
    /// use streamflow::testing::SimulatedFs;
    ///
    /// let files = SimulatedFs::new(42);
    /// let ctx = StreamingContext::builder("test").simulated_files(&files).build()?;
    /// assert_eq!(files.operations(), 0, "nothing is written before the start");
    /// # drop(ctx);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    pub fn simulated_files(mut self, files: &SimulatedFs) -> Self {
        self.files = Arc::new(files.clone());
        self
    }

    /// The context. Nothing runs before its [`start`](StreamingContext::start).
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument): the interval is not a positive whole number of milliseconds,
    /// or a number that must be at least one is zero, or the name is empty or holds a NUL character.
    pub fn build(self) -> Result<StreamingContext> {
        if self.name.is_empty() || self.name.contains('\0') {
            let name = self.name;
            return Err(Error::invalid(format!(
                "the name {name:?} cannot be used: it must not be empty or hold a NUL character"
            )));
        }
        if let Some(setting) = self.misplaced {
            return Err(Error::invalid(format!(
                "`.{setting}(..)` is about a checkpoint, and there is none: say `.checkpoint(directory)` before it"
            )));
        }
        let interval = whole_millis("the batch interval", self.interval)?;
        let processors = || std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = at_least_one("threads", self.threads.unwrap_or_else(processors))?;
        let graceful_stop_timeout = self.graceful_stop_timeout.unwrap_or_else(|| interval.saturating_mul(10));
        let signals = match (self.stop_on_signals, &self.clock) {
            (Some(true), _) => Signals::FromStart,
            (None, None) => Signals::FromWaiting,
            _ => Signals::Never,
        };
        Ok(StreamingContext::new(Config {
            name: self.name,
            interval,
            threads,
            parallelism: at_least_one("parallelism", self.parallelism.unwrap_or(threads))?,
            clock: self.clock.unwrap_or_else(|| Arc::new(SystemClock::new())),
            max_task_failures: at_least_one("max_task_failures", self.max_task_failures)?,
            graceful_stop_timeout,
            signals,
            hooks: self.hooks,
            #[cfg(feature = "ui")]
            ui: self.ui.as_deref().map(crate::ui::Address::parse).transpose()?,
            files: self.files,
            checkpoint: self.checkpoint,
            ephemeral: self.ephemeral,
            backpressure: self.backpressure,
            missed: self.missed,
        }))
    }
}

fn at_least_one(setting: &str, value: usize) -> Result<usize> {
    if value == 0 {
        return Err(Error::invalid(format!("`{setting}` is 0, but must be at least 1")));
    }
    Ok(value)
}

impl fmt::Debug for StreamingContextBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamingContextBuilder")
            .field("name", &self.name)
            .field("batch_interval", &self.interval)
            .field("threads", &self.threads)
            .field("parallelism", &self.parallelism)
            .finish_non_exhaustive()
    }
}
