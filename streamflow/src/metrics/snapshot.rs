//! The figures of a context at one moment: what [`StreamingContext::metrics`](crate::StreamingContext::metrics) returns.

use std::sync::Arc;
use std::time::Duration;

pub use super::delays::DelayMetrics;
use crate::error::Error;
use crate::listener::{CheckpointInfo, RecoveryInfo};
use crate::time::BatchTime;

/// The figures of a context since its start. Empty before it.
///
/// They are read one after the other while batches run, so that two of them may differ by a batch.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Batches and their delays.
    pub batches: BatchMetrics,
    /// The inputs, in the order of their declaration.
    pub inputs: Vec<InputMetrics>,
    /// The stages, numbered as in [`explain`](crate::StreamingContext::explain).
    pub stages: Vec<StageMetrics>,
    /// The streams that exist at run time: inputs, results of wide operators, windows, state.
    pub streams: Vec<StreamMetrics>,
    /// The outputs, in the order of their declaration.
    pub outputs: Vec<OutputMetrics>,
    /// The checkpoints that this run has written.
    pub checkpoints: CheckpointMetrics,
    /// The logs in the checkpoint directory: that of batches, then those of what receivers store.
    pub logs: Vec<LogMetrics>,
    /// What the start went on from, if an earlier run of the program has left something.
    pub recovery: Option<RecoveryInfo>,
    /// What the log was warned of, oldest first; at most the last 32.
    pub warnings: Vec<WarningInfo>,
}

/// Batches and their delays, by the clock of the context.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct BatchMetrics {
    /// Batches that were made.
    pub submitted: u64,
    /// Batches that wait for their turn.
    pub waiting: u64,
    /// Batches that are being processed: 0 or 1.
    pub running: u64,
    /// Batches that were processed, also those with a failed output.
    pub completed: u64,
    /// Of these, batches with a failed output.
    pub failed: u64,
    /// Batches that waited when the context was stopped, and were never processed.
    pub dropped: u64,
    /// Completed batches that began late: an interval after their time or more, when the next one was due already. Those
    /// that make up for the time when a program was down are late by their nature.
    pub late: u64,
    /// Records of the inputs in all completed batches.
    pub records: u64,
    /// The last batch that was completed.
    pub last: Option<BatchTime>,
    /// How long batches waited for their turn.
    pub scheduling_delay: DelayMetrics,
    /// How long they were processed.
    pub processing_delay: DelayMetrics,
    /// Both together.
    pub total_delay: DelayMetrics,
}

/// What an input delivered.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InputMetrics {
    /// Number of the input in the order of declaration, from 0.
    pub id: usize,
    /// Its name.
    pub name: Arc<str>,
    /// Records of all completed batches.
    pub records: u64,
    /// Records of the last completed batch.
    pub last_records: u64,
    /// The bytes of all records, without what they own on the heap.
    pub bytes: u64,
    /// How often it failed, or its receiver reported an error.
    pub errors: u64,
    /// The last error.
    pub last_error: Option<Error>,
    /// When that happened, or in which batch.
    pub last_error_time: Option<BatchTime>,
    /// Records that were received and whose batch is not done, as of the last batch.
    pub buffered_records: u64,
    /// The bytes of these, without what they own on the heap.
    pub buffered_bytes: u64,
    /// How many records may be buffered before a sender waits, if the input has a buffer.
    pub buffer_records: Option<u64>,
    /// How many bytes may be buffered before a sender waits, if the input has a buffer with such a limit.
    pub buffer_bytes: Option<u64>,
    /// The present limit in records per second, if there is one.
    pub rate_limit: Option<u64>,
}

/// What the tasks of a stage, stream or output did.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct WorkMetrics {
    /// Tasks that ran, each attempt counted.
    pub tasks: u64,
    /// Attempts that failed.
    pub failed_tasks: u64,
    /// Records that they read.
    pub records: u64,
    /// The time of all tasks together, by a stopwatch: more than the wall clock's when they ran at once.
    pub busy: Duration,
    /// The longest task ever.
    pub longest_task: Duration,
}

/// What a stage did: the fused operators between two shuffles.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StageMetrics {
    /// Its number.
    pub id: usize,
    /// The stream that it reads.
    pub reads: String,
    /// Its fused operators.
    pub operators: Vec<&'static str>,
    /// What its tasks did. They merge the shuffle that they read, so the reduce side counts here.
    pub work: WorkMetrics,
}

/// What crossed the border into a stream, and what the stream keeps from batch to batch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StreamMetrics {
    /// Its number.
    pub id: usize,
    /// Its name: functions and binding that declared it.
    pub name: String,
    /// What made it: an operator's name, or a kind of input.
    pub made_by: String,
    /// Whether it is a window or state.
    pub keeps_state: bool,
    /// Rows that were shuffled to make it. A row is what one map task has combined for a key, so there may be fewer of them
    /// than of records on the map side.
    pub shuffled_rows: u64,
    /// Its records over all batches.
    pub records: u64,
    /// Its records in the last batch in which it yielded something: a window does so only when one ends.
    pub last_records: u64,
    /// Its partitions in that batch.
    pub partitions: u64,
    /// Records of its largest partition in that batch: far more than its share means skew.
    pub largest_partition: u64,
    /// Keys of the state or window.
    pub state_keys: u64,
    /// Bytes of the slots of these keys, without what keys and values own on the heap.
    pub state_bytes: u64,
    /// Panes that the window holds.
    pub window_panes: u64,
    /// What tasks of its own did: windows, state, shuffles that several consumers read.
    pub work: WorkMetrics,
}

/// What an output did.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct OutputMetrics {
    /// Its number in the order of declaration, from 0.
    pub id: usize,
    /// What it does, for instance `print`.
    pub name: &'static str,
    /// Its name and where it was declared.
    pub description: Arc<str>,
    /// Batches in which it failed.
    pub failures: u64,
    /// What tasks that it ran by itself did.
    pub work: WorkMetrics,
}

/// Checkpoints of this run.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct CheckpointMetrics {
    /// Checkpoints that were written.
    pub written: u64,
    /// Checkpoints that could not be written.
    pub failed: u64,
    /// Checkpoints that were left out, because the one before was still being written when they were due.
    pub left_out: u64,
    /// Bytes of all that were written.
    pub bytes: u64,
    /// How long a checkpoint held up its batch, in real time.
    pub collecting: DelayMetrics,
    /// How long its writing took after that, while other batches ran, in real time.
    pub writing: DelayMetrics,
    /// The last that was written.
    pub last: Option<CheckpointInfo>,
    /// The last that could not be written.
    pub last_failed: Option<CheckpointInfo>,
}

/// A log in the checkpoint directory.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LogMetrics {
    /// `batches` for the log of batches, `received/NAME` for what the receiver of the input `NAME` stores.
    pub name: String,
    /// Writes, each with one sync: records that come at once are written together.
    pub writes: u64,
    /// Writes that failed, after they were tried again.
    pub failed_writes: u64,
    /// Records that were written.
    pub records: u64,
    /// Bytes that were written.
    pub bytes: u64,
    /// Bytes that are kept: those of records that a restart may need.
    pub kept_bytes: u64,
    /// The time of all writes together, in real time.
    pub busy: Duration,
    /// The longest.
    pub longest: Duration,
}

/// A warning for whoever operates the program.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WarningInfo {
    /// The batch after which it was seen.
    pub batch: BatchTime,
    /// What is wrong, with numbers.
    pub text: String,
}
