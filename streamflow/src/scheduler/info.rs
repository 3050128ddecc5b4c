//! What listeners are told: batches, their inputs and outputs, receivers, checkpoints, recovery.

use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::metrics::WorkInfo;
use crate::recovery::inspect::WaitingBatch;
use crate::time::BatchTime;

/// What is known of a batch; times are those of the context's clock.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BatchInfo {
    /// The batch.
    pub batch_time: BatchTime,
    /// The batch interval of the context.
    pub interval: Duration,
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
    pub(crate) fn new(batch_time: BatchTime, interval: Duration, submitted: BatchTime) -> Self {
        Self {
            batch_time,
            interval,
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

    /// Records of all inputs per second of the interval, once all were read.
    #[must_use]
    pub fn input_rate(&self) -> Option<f64> {
        Some(self.num_records()? as f64 / self.interval.as_secs_f64())
    }

    /// Whether it began late, once it has started: an interval after its time or more, when the next batch was due already.
    #[must_use]
    pub fn is_late(&self) -> Option<bool> {
        Some(self.processing_started?.since(self.batch_time) >= self.interval)
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
    /// The bytes of these records, without what they own on the heap.
    pub bytes: Option<u64>,
}

impl InputInfo {
    /// Records per second of this interval, once the batch has read them.
    #[must_use]
    pub fn rate(&self, interval: Duration) -> Option<f64> {
        Some(self.records? as f64 / interval.as_secs_f64())
    }
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

/// A block of records that a receiver or channel has completed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BlockInfo {
    /// Number of its input in the order of declaration, from 0.
    pub input: usize,
    /// The name of its input.
    pub name: Arc<str>,
    /// The block's number in its input, from 0. It goes on after a restart if the input's blocks are in a log.
    pub number: u64,
    /// Number of records.
    pub records: u64,
    /// Their bytes, without what they own on the heap.
    pub bytes: u64,
}

/// What is known of a checkpoint that was written, or could not be.
///
/// Durations are real time, also under a manual clock.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CheckpointInfo {
    /// The batch after which it was taken.
    pub batch_time: BatchTime,
    /// When its writing ended, by the context's clock.
    pub ended: BatchTime,
    /// How long its batch was held up while what changed was collected and encoded.
    pub collecting: Duration,
    /// How long it took after that to write it and make it durable, while other batches ran.
    pub writing: Duration,
    /// Bytes that were written; nothing of a checkpoint that failed.
    pub bytes: u64,
    /// Checkpoints that are kept now, this one among them: a start can use each of them.
    pub generations: usize,
    /// Bytes of all that are kept.
    pub kept_bytes: u64,
    /// Why it could not be written, if so.
    pub failure: Option<Error>,
}

/// What a start goes on from.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecoveryInfo {
    /// When the context was started, by its clock.
    pub time: BatchTime,
    /// When the program was started first.
    pub began: BatchTime,
    /// The batch after which the checkpoint was taken that windows and state were set to; nothing if there was none yet.
    pub checkpoint: Option<BatchTime>,
    /// The batches after it, which run again, in order.
    pub batches: Vec<WaitingBatch>,
    /// Batches that were due while the program was down, and follow after these.
    pub missed: u64,
    /// Newer checkpoints that are damaged, and were not used; the log says what is wrong with them.
    pub damaged: usize,
    /// How long it took to read all that, in real time.
    pub took: Duration,
}

impl RecoveryInfo {
    /// How many of the batches that run again do so with their outputs, because these were not completed.
    #[must_use]
    pub fn outputs_due(&self) -> usize {
        self.batches.iter().filter(|batch| batch.outputs_due).count()
    }
}
