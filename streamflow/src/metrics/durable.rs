//! Counters of what is made durable: logs, checkpoints, and what a start went on from.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::delays::Delays;
use super::meters::Cell;
use super::snapshot::{CheckpointMetrics, LogMetrics};
use crate::listener::{CheckpointInfo, RecoveryInfo};
use crate::time::lock;

/// Counts what is written to one log. Whoever leads a group of writers writes here.
#[derive(Default)]
pub(crate) struct LogMeter {
    writes: Cell,
    failed: Cell,
    records: Cell,
    bytes: Cell,
    busy_nanos: Cell,
    longest_nanos: Cell,
    kept_bytes: Cell,
}

impl LogMeter {
    /// Notes a group of records that became durable.
    pub(crate) fn wrote(&self, records: usize, bytes: usize, took: Duration) {
        let nanos = took.as_nanos() as u64;
        self.writes.add(1);
        self.records.add(records as u64);
        self.bytes.add(bytes as u64);
        self.busy_nanos.add(nanos);
        self.longest_nanos.raise(nanos);
    }

    /// Notes a group that could not be written.
    pub(crate) fn failed(&self) {
        self.failed.add(1);
    }

    /// Notes how long all segments are now.
    pub(crate) fn keeps(&self, bytes: u64) {
        self.kept_bytes.set(bytes);
    }

    /// The present figures.
    pub(super) fn snapshot(&self, name: String) -> LogMetrics {
        LogMetrics {
            name,
            writes: self.writes.get(),
            failed_writes: self.failed.get(),
            records: self.records.get(),
            bytes: self.bytes.get(),
            kept_bytes: self.kept_bytes.get(),
            busy: Duration::from_nanos(self.busy_nanos.get()),
            longest: Duration::from_nanos(self.longest_nanos.get()),
        }
    }
}

/// Counts checkpoints, and knows the log of batches and the recovery.
#[derive(Default)]
pub(crate) struct DurableMeter {
    pub(crate) batch_log: OnceLock<Arc<LogMeter>>,
    pub(crate) recovery: OnceLock<RecoveryInfo>,
    written: Cell,
    failed: Cell,
    left_out: Cell,
    bytes: Cell,
    collecting: Delays,
    writing: Delays,
    last: Mutex<Option<CheckpointInfo>>,
    last_failed: Mutex<Option<CheckpointInfo>>,
}

impl DurableMeter {
    /// Notes a checkpoint that was written, or could not be.
    pub(crate) fn checkpoint(&self, checkpoint: &CheckpointInfo) {
        if checkpoint.failure.is_some() {
            self.failed.add(1);
            *lock(&self.last_failed) = Some(checkpoint.clone());
            return;
        }
        self.written.add(1);
        self.bytes.add(checkpoint.bytes);
        self.collecting.add(checkpoint.collecting);
        self.writing.add(checkpoint.writing);
        *lock(&self.last) = Some(checkpoint.clone());
    }

    /// Notes that a checkpoint was due while the one before it was still being written.
    pub(crate) fn left_out(&self) {
        self.left_out.add(1);
    }

    pub(super) fn snapshot(&self) -> CheckpointMetrics {
        CheckpointMetrics {
            written: self.written.get(),
            failed: self.failed.get(),
            left_out: self.left_out.get(),
            bytes: self.bytes.get(),
            collecting: self.collecting.snapshot(),
            writing: self.writing.snapshot(),
            last: lock(&self.last).clone(),
            last_failed: lock(&self.last_failed).clone(),
        }
    }
}
