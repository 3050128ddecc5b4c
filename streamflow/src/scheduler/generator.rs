//! Makes batches when they are due.
//!
//! The generator is a thread that waits for the next multiple of the interval, asks every input for its range of that
//! batch, and submits the batch. A clock that jumped over several intervals makes it submit every batch in between, each
//! under its own time. It never waits for a batch to be processed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::Sender;

use super::Control;
use super::jobs::{Job, JobSet};
use super::listener::{Event, ListenerBus};
use super::status::Status;
use crate::error::Result;
use crate::metrics::meters::Meters;
use crate::recovery::Recovery;
use crate::recovery::batch_log::Planned;
use crate::run::guard;
use crate::source::{AnyRange, EmptyRange, Input};
use crate::time::{BatchTime, lock};

/// An input as the generator and the job thread share it.
pub(crate) struct SharedInput {
    pub(crate) name: Arc<str>,
    pub(crate) input: Mutex<Box<dyn Input>>,
}

impl SharedInput {
    pub(crate) fn new(name: Arc<str>, input: Box<dyn Input>) -> Self {
        Self { name, input: Mutex::new(input) }
    }

    /// Calls the source; its panic becomes an error.
    pub(crate) fn call<R>(&self, call: impl FnOnce(&mut dyn Input) -> Result<R>) -> Result<R> {
        guard(|| call(&mut **lock(&self.input)))?
    }

    fn has_pending(&self) -> bool {
        self.call(|input| Ok(input.has_pending())).unwrap_or(false)
    }

    pub(crate) fn stop(&self) {
        let stopped = self.call(|input| {
            input.stop();
            Ok(())
        });
        if let Err(error) = stopped {
            tracing::error!(%error, input = &*self.name, "an input could not be stopped");
        }
    }
}

/// The state of the generator's thread.
pub(crate) struct Generator {
    pub(crate) inputs: Arc<Vec<SharedInput>>,
    pub(crate) control: Arc<Control>,
    pub(crate) bus: ListenerBus,
    pub(crate) interval: Duration,
    /// The time of the next batch.
    pub(crate) next: BatchTime,
    /// Missed batches up to this time are only seen by windows and state.
    pub(crate) quiet_until: BatchTime,
    /// Batches of an earlier run, to be run before all others.
    pub(crate) backlog: Vec<JobSet>,
    pub(crate) recovery: Option<Arc<Recovery>>,
    pub(crate) status: Arc<Status>,
    pub(crate) jobs: Sender<Job>,
    pub(crate) meters: Arc<Meters>,
}

impl Generator {
    /// Makes batches until the context is stopped.
    pub(crate) fn run(mut self) {
        for set in std::mem::take(&mut self.backlog) {
            self.submit(set);
        }
        while self.control.wait_until(self.next) {
            self.generate();
        }
        if self.control.is_graceful() {
            self.drain();
        } else {
            let _ = self.jobs.send(Job::End);
            self.stop_inputs();
        }
    }

    /// A graceful stop: stops the inputs, and makes batches of what was received until then.
    ///
    /// Batches that are due already are made too, so that a clock that jumped loses none. What a receiver still holds goes
    /// into batches of the regular grid: a batch that was made early could have the name of one after a restart.
    fn drain(&mut self) {
        let now = self.control.clock.now();
        self.stop_inputs();
        while (self.next <= now || self.inputs.iter().any(SharedInput::has_pending))
            && self.control.wait_until_draining(self.next)
        {
            self.generate();
        }
        let _ = self.jobs.send(Job::End);
    }

    fn stop_inputs(&self) {
        self.inputs.iter().for_each(SharedInput::stop);
    }

    fn generate(&mut self) {
        let time = self.next;
        self.next = time + self.interval;
        let quiet = time <= self.quiet_until;
        let ranges = self.inputs.iter().map(|input| {
            if quiet {
                return Ok(Box::new(EmptyRange) as AnyRange);
            }
            let range: Result<AnyRange> = input.call(|input| input.next_range(time));
            range.map_err(|error| error.in_batch(time))
        });
        let set = JobSet { time, ranges: ranges.collect(), submitted: self.control.clock.now(), rerun: false, quiet };
        if let Err(error) = self.plan(&set) {
            // A batch that is not in the log must not run: after a restart its data would be in another one too.
            tracing::error!(%error, "the log of batches cannot be written; the context stops");
            self.status.report(error.in_batch(time));
            self.control.abandon();
            return;
        }
        self.submit(set);
    }

    /// Makes the ranges of a batch durable.
    fn plan(&self, set: &JobSet) -> Result<()> {
        let Some(recovery) = &self.recovery else { return Ok(()) };
        let mut ranges = Vec::with_capacity(set.ranges.len());
        for (input, range) in self.inputs.iter().zip(&set.ranges) {
            let encoded = match range {
                Ok(range) => input.call(|input| input.encode(range))?,
                Err(_) => None,
            };
            ranges.push((input.name.to_string(), encoded));
        }
        recovery.plan(Planned { time: set.time, ranges, left_out: set.quiet, completed: false })
    }

    fn submit(&self, set: JobSet) {
        self.meters.batches.submitted.add(1);
        self.bus.post(|| Event::BatchSubmitted(set.info(self.interval, &self.inputs)));
        // The other end is there until it got `Job::End`, which nobody sends twice before.
        let _ = self.jobs.send(Job::Batch(set));
    }
}
