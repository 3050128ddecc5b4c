//! When batches are made and run, and who is told. The README beside this file follows one batch through it.
//!
//! | module | what it holds |
//! |---|---|
//! | [`backpressure`] | how fast receivers may store |
//! | [`generator`] | the thread that makes a batch when it is due |
//! | [`jobs`] | the thread that runs batches, one after the other |
//! | [`listener`] | listeners and the thread that tells them |
//! | [`info`] | what they are told |
//! | [`status`] | progress, and waiting for it |
//! | [`signals`] | Ctrl-C and SIGTERM |

pub(crate) mod backpressure;
pub(crate) mod generator;
pub(crate) mod info;
pub(crate) mod jobs;
pub(crate) mod listener;
#[cfg(unix)]
pub(crate) mod signals;
pub(crate) mod status;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crossbeam_channel::{Sender, unbounded};

use self::backpressure::PidRateEstimator;
use self::generator::{Generator, SharedInput};
use self::jobs::{BatchHook, Job, JobSet, Jobs};
use self::listener::ListenerBus;
use self::status::{Progress, Status};
use crate::error::{Error, Result};
use crate::exec::mark_batch_thread;
use crate::metrics::meters::Meters;
use crate::recovery::Recovery;
use crate::run::Engine;
use crate::time::{BatchTime, Clock};

/// What the threads of a context are asked to do.
pub(crate) struct Control {
    pub(crate) clock: Arc<dyn Clock>,
    /// Make no further batches, but for those of a graceful stop.
    interrupted: AtomicBool,
    /// Run no further batches.
    abandoned: AtomicBool,
}

impl Control {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, interrupted: AtomicBool::new(false), abandoned: AtomicBool::new(false) }
    }

    /// Asks for an end, after what was received is processed.
    pub(crate) fn interrupt(&self) {
        self.interrupted.store(true, Ordering::SeqCst);
        self.clock.wake();
    }

    /// Asks for an end after the batch in the works.
    pub(crate) fn abandon(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
        self.interrupt();
    }

    fn is_abandoned(&self) -> bool {
        self.abandoned.load(Ordering::SeqCst)
    }

    /// Whether an end is asked for, and what was received is to be processed before.
    fn is_graceful(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst) && !self.is_abandoned()
    }

    /// Waits for the time of a batch; `false` when none is to be made.
    fn wait_until(&self, time: BatchTime) -> bool {
        self.clock.wait_until(time, &self.interrupted) && !self.interrupted.load(Ordering::SeqCst)
    }

    /// The same during a graceful stop.
    fn wait_until_draining(&self, time: BatchTime) -> bool {
        self.clock.wait_until(time, &self.abandoned) && !self.is_abandoned()
    }
}

/// What a started context is made of.
pub(crate) struct Parts {
    pub(crate) name: String,
    pub(crate) interval: Duration,
    pub(crate) first: BatchTime,
    /// Missed batches up to this time are only seen by windows and state.
    pub(crate) quiet_until: BatchTime,
    /// Batches of an earlier run, to be run before all others.
    pub(crate) backlog: Vec<JobSet>,
    pub(crate) recovery: Option<Arc<Recovery>>,
    pub(crate) backpressure: Option<PidRateEstimator>,
    pub(crate) engine: Engine,
    pub(crate) inputs: Vec<SharedInput>,
    pub(crate) hooks: Vec<Arc<dyn BatchHook>>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) control: Arc<Control>,
    pub(crate) status: Arc<Status>,
    pub(crate) bus: ListenerBus,
}

/// The running threads of a context.
pub(crate) struct Scheduler {
    generator: Option<JoinHandle<()>>,
    jobs: Option<JoinHandle<()>>,
    queue: Sender<Job>,
    control: Arc<Control>,
    status: Arc<Status>,
}

impl Scheduler {
    /// Starts the threads.
    pub(crate) fn start(parts: Parts) -> Result<Self> {
        let Parts {
            name,
            interval,
            first,
            quiet_until,
            backlog,
            recovery,
            backpressure,
            engine,
            inputs,
            hooks,
            meters,
            control,
            status,
            bus,
        } = parts;
        let inputs = Arc::new(inputs);
        let (queue, waiting) = unbounded();
        let jobs = Jobs {
            descriptions: engine.graph.outputs.iter().map(jobs::describe).collect(),
            engine,
            inputs: Arc::clone(&inputs),
            control: Arc::clone(&control),
            status: Arc::clone(&status),
            bus: bus.clone(),
            hooks,
            meters: Arc::clone(&meters),
            recovery: recovery.clone(),
            interval,
            rates: inputs.iter().map(|_| backpressure.clone()).collect(),
            waiting,
        };
        let generator = Generator {
            inputs,
            control: Arc::clone(&control),
            status: Arc::clone(&status),
            bus,
            interval,
            next: first,
            quiet_until,
            backlog,
            recovery,
            jobs: queue.clone(),
            meters,
        };
        let mut scheduler = Self { generator: None, jobs: None, queue, control, status };
        scheduler.jobs = Some(scheduler.spawn(format!("{name}-jobs"), |end| &mut end.processed_all, || jobs.run())?);
        let generator = scheduler.spawn(format!("{name}-generator"), |end| &mut end.generated_all, || generator.run());
        match generator {
            Ok(generator) => scheduler.generator = Some(generator),
            Err(error) => {
                let _ = scheduler.queue.send(Job::End);
                return Err(error);
            }
        }
        Ok(scheduler)
    }

    /// Starts a thread that notes its end, however it comes, under `end`.
    fn spawn(
        &self,
        name: String,
        end: fn(&mut Progress) -> &mut bool,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<JoinHandle<()>> {
        let status = Arc::clone(&self.status);
        let thread = std::thread::Builder::new().name(name.clone()).spawn(move || {
            let _end = NoteEnd { status, end };
            mark_batch_thread();
            work();
        });
        thread.map_err(|error| Error::io(format!("cannot start the thread `{name}`"), error))
    }

    /// Waits for the threads to end, as the control asks them to; longest for `limit` if it is a graceful end.
    pub(crate) fn finish(mut self, limit: Duration) {
        let ended = |progress: &Progress| progress.generated_all && progress.processed_all;
        if self.control.is_graceful()
            && !self.status.wait_timeout(limit, |now| ended(now) || self.control.is_abandoned())
        {
            tracing::warn!(?limit, "the graceful stop took too long; batches that wait are dropped");
        }
        if !self.status.look(ended) {
            self.control.abandon();
        }
        let _ = self.queue.send(Job::End);
        drop(self.status.wait(|progress| progress.processed_all));
        if self.status.wait_timeout(limit, |progress| progress.generated_all) {
            Self::join(self.generator.take());
        } else {
            tracing::warn!(?limit, "an input did not stop in time and is left behind");
        }
        Self::join(self.jobs.take());
    }

    fn join(thread: Option<JoinHandle<()>>) {
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a thread of the scheduler panicked");
        }
    }
}

/// Notes the end of a thread when it is dropped, so that nobody waits for a thread that is gone.
struct NoteEnd {
    status: Arc<Status>,
    end: fn(&mut Progress) -> &mut bool,
}

impl Drop for NoteEnd {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.status.report(Error::task("a thread of the scheduler panicked; please report this with the log"));
        }
        self.status.change(|progress| *(self.end)(progress) = true);
    }
}
