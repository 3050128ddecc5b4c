//! Runs batches, one after the other, in the order of their times.
//!
//! The job thread takes a [`JobSet`], reads its inputs, runs all outputs in the order of their declaration, releases what
//! was read and tells the listeners. An output that fails fails its batch, but the other outputs and the later batches run.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;

use super::Control;
use super::backpressure::PidRateEstimator;
use super::generator::SharedInput;
use super::info::{BatchInfo, InputInfo, OutputOperationInfo};
use super::listener::{Event, ListenerBus};
use super::status::Status;
use crate::error::{Error, Result};
use crate::metrics::Worker;
use crate::metrics::meters::Meters;
use crate::metrics::work::Ledger;
use crate::recovery::Recovery;
use crate::run::{Engine, Run, guard};
use crate::source::{AnyRange, Loaded};
use crate::time::BatchTime;
use crate::topology::Output;

/// What the job thread is sent.
pub(crate) enum Job {
    /// A batch to run.
    Batch(JobSet),
    /// No batch follows.
    End,
}

/// A batch whose inputs are fixed.
pub(crate) struct JobSet {
    pub(crate) time: BatchTime,
    /// What each input reads, or why it cannot.
    pub(crate) ranges: Vec<Result<AnyRange>>,
    pub(crate) submitted: BatchTime,
    /// Whether an earlier run of the program began it.
    pub(crate) rerun: bool,
    /// Whether only windows and state are to see it, because its outputs are done or not wanted.
    pub(crate) quiet: bool,
}

impl JobSet {
    /// What is known before it runs.
    pub(crate) fn info(&self, interval: Duration, inputs: &[SharedInput]) -> BatchInfo {
        let inputs = inputs.iter().enumerate().map(|(input, shared)| InputInfo {
            input,
            name: Arc::clone(&shared.name),
            records: None,
            bytes: None,
        });
        BatchInfo { inputs: inputs.collect(), ..BatchInfo::new(self.time, interval, self.submitted) }
    }
}

/// Is told of every batch that was processed, on the job thread, before anyone who waits for the batch goes on.
pub(crate) trait BatchHook: Send + Sync {
    /// `batch` is done; `errors` are those of its outputs.
    fn completed(&self, batch: &BatchInfo, errors: &[Error]);
}

/// The state of the job thread.
pub(crate) struct Jobs {
    pub(crate) engine: Engine,
    pub(crate) inputs: Arc<Vec<SharedInput>>,
    pub(crate) control: Arc<Control>,
    pub(crate) status: Arc<Status>,
    pub(crate) bus: ListenerBus,
    pub(crate) hooks: Vec<Arc<dyn BatchHook>>,
    pub(crate) meters: Arc<Meters>,
    pub(crate) recovery: Option<Arc<Recovery>>,
    pub(crate) interval: Duration,
    /// For each input an estimator of its rate, if the context has backpressure.
    pub(crate) rates: Vec<Option<PidRateEstimator>>,
    /// What each output is called in reports.
    pub(crate) descriptions: Vec<Arc<str>>,
    pub(crate) waiting: Receiver<Job>,
}

/// The name of an output and the line that declared it.
pub(crate) fn describe(output: &Output) -> Arc<str> {
    format!("{} at {}:{}", output.name, output.location.file(), output.location.line()).into()
}

impl Jobs {
    /// Runs batches until the end is announced; batches that wait when the context is stopped at once are dropped.
    pub(crate) fn run(mut self) {
        let mut dropped = 0_u64;
        while let Ok(Job::Batch(set)) = self.waiting.recv() {
            if self.control.is_abandoned() {
                dropped += 1;
            } else {
                self.batch(set);
            }
        }
        self.meters.dropped(dropped);
        if let Some(Err(error)) = self.recovery.as_ref().map(|recovery| recovery.finish()) {
            tracing::error!(%error, "the last checkpoint could not be written; the one before it counts");
            self.status.report(error);
        }
        if dropped > 0 {
            tracing::warn!(
                batches = dropped,
                "stopped before these batches were processed; without a checkpoint directory their data is dropped"
            );
        }
    }

    fn batch(&mut self, set: JobSet) {
        let _span = tracing::debug_span!("batch", time = set.time.as_millis()).entered();
        self.meters.batches.started.add(1);
        let mut info = set.info(self.interval, &self.inputs);
        info.processing_started = Some(self.control.clock.now());
        self.bus.post(|| Event::BatchStarted(info.clone()));

        let settled = self.recovery.as_ref().map_or(set.time, |recovery| recovery.settled_before(set.time));
        let run = Run::new(&self.engine, set.time, set.rerun).with_settled_before(settled);
        if self.bus.is_wanted() {
            run.ledger().keep_tasks();
        }
        self.load(&set, &run, &mut info);
        let mut errors = Vec::new();
        let due = |(_, output): &(usize, &Output)| !set.quiet && run.yields(output.node);
        for (id, output) in self.engine.graph.outputs.iter().enumerate().filter(due) {
            let outcome = self.output(id, output, &run);
            errors.extend(outcome.failure.clone());
            info.outputs.push(outcome);
        }
        // Windows and state that no output asked for take the batch in all the same. They come last: an output that only
        // looks at a stream was declared before the operator that takes its records.
        let advanced = guard(|| run.advance_stateful()).flatten().map_err(|error| error.in_batch(set.time));
        if errors.is_empty() {
            errors.extend(advanced.err());
        }
        let ledger = run.into_ledger();
        if let Err(error) = self.make_durable(set.time, errors.is_empty()) {
            tracing::error!(%error, "the checkpoint directory cannot be written; the context stops");
            errors.push(error.in_batch(set.time));
            self.control.abandon();
        }
        self.release(&set);
        info.processing_ended = Some(self.control.clock.now());
        self.adjust_rates(&info);
        self.complete(info, &ledger, &errors);
    }

    /// Notes in the log that the outputs of a batch are done, and writes a checkpoint if one is due.
    fn make_durable(&self, time: BatchTime, succeeded: bool) -> Result<()> {
        let Some(recovery) = &self.recovery else { return Ok(()) };
        let memory = |name: &str| {
            let input = self.inputs.iter().find(|shared| &*shared.name == name);
            input.and_then(|shared| shared.call(|input| Ok(input.range_memory())).ok()).unwrap_or_default()
        };
        if let Some(horizon) = recovery.complete(time, succeeded, &self.engine.graph, memory)? {
            for shared in self.inputs.iter() {
                shared.call(|input| input.forget(horizon))?;
            }
        }
        Ok(())
    }

    /// Reads the inputs that something depends on.
    fn load(&self, set: &JobSet, run: &Run<'_>, info: &mut BatchInfo) {
        for ((shared, range), info) in self.inputs.iter().zip(&set.ranges).zip(&mut info.inputs) {
            (info.records, info.bytes) = (Some(0), Some(0));
            let loaded = shared.call(|input| {
                let node = input.node();
                if self.engine.graph.nodes[node.0].consumers == 0 {
                    return Ok((node, Ok(Loaded::default())));
                }
                let loaded = match range {
                    Ok(range) => guard(|| input.load(range, run)).flatten(),
                    Err(error) => Err(error.clone()),
                };
                Ok((node, loaded))
            });
            match loaded {
                Ok((_, Ok(loaded))) => (info.records, info.bytes) = (Some(loaded.records), Some(loaded.bytes)),
                Ok((node, Err(error))) => {
                    let error = error.in_batch(set.time);
                    tracing::error!(%error, input = &*shared.name, "an input could not be read");
                    self.meters.input(info.input).error(&error, None);
                    run.provide_error(node, error);
                }
                // Not even its node is known: what needs it reports that it has no data set.
                Err(error) => tracing::error!(%error, input = &*shared.name, "an input could not be read"),
            }
        }
    }

    fn output(&self, id: usize, output: &Output, run: &Run<'_>) -> OutputOperationInfo {
        let mut info = OutputOperationInfo {
            batch_time: run.time(),
            id,
            name: output.name,
            description: Arc::clone(&self.descriptions[id]),
            started: Some(self.control.clock.now()),
            ended: None,
            failure: None,
        };
        self.bus.post(|| Event::OutputStarted(info.clone()));
        let outcome = guard(|| run.ledger().book(Worker::Output(id), || output.operation.run(run)));
        let outcome = outcome.flatten().map_err(|error| error.in_batch(run.time()));
        info.ended = Some(self.control.clock.now());
        if let Err(error) = outcome {
            // With its causes: a sink says there what is wrong.
            tracing::error!(?error, output = &*info.description, "an output failed");
            info.failure = Some(error);
        }
        self.bus.post(|| Event::OutputCompleted(info.clone()));
        info
    }

    /// Tells the inputs that the batch needs their data no more.
    fn release(&self, set: &JobSet) {
        for (shared, range) in self.inputs.iter().zip(&set.ranges) {
            let Ok(range) = range else { continue };
            let released = shared.call(|input| {
                input.release(range);
                Ok(())
            });
            if let Err(error) = released {
                tracing::error!(%error, input = &*shared.name, "an input could not release the data of a batch");
            }
        }
    }

    /// Tells each input how fast it may deliver.
    fn adjust_rates(&mut self, info: &BatchInfo) {
        let (Some(ended), Some(processing), Some(scheduling)) =
            (info.processing_ended, info.processing_delay(), info.scheduling_delay())
        else {
            return;
        };
        let inputs = self.inputs.iter().zip(&info.inputs).zip(&mut self.rates);
        for ((shared, input), estimator) in inputs {
            let records = input.records.unwrap_or(0);
            let estimate =
                |pid: &mut PidRateEstimator| pid.estimate(ended.as_millis(), records, processing, scheduling);
            let Some(rate) = estimator.as_mut().and_then(estimate) else { continue };
            let set = shared.call(|input| {
                input.set_rate(rate as u64);
                Ok(())
            });
            if let Err(error) = set {
                tracing::error!(%error, input = &*shared.name, "an input could not take its new rate");
            }
        }
    }

    fn complete(&self, mut info: BatchInfo, ledger: &Ledger, errors: &[Error]) {
        self.meters.complete(&info, ledger);
        if self.bus.is_wanted() {
            info.work = ledger.report().into();
        }
        self.bus.post(|| Event::BatchCompleted(info.clone()));
        for hook in &self.hooks {
            hook.completed(&info, errors);
        }
        self.status.change(|progress| {
            if let Some(error) = errors.first() {
                progress.error.get_or_insert_with(|| error.clone());
            }
            progress.completed = Some(info.batch_time);
        });
    }
}
