//! What the page remembers: the last batches, the inputs' receivers, and recent errors.
//!
//! *Memory* is bounded: [`KEPT_BATCHES`] batches, tasks one by one only for the newest of them, texts cut to
//! [`LONGEST_TEXT`]. Totals go on in the meters.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use crate::error::Error;
use crate::listener::{BatchInfo, CheckpointInfo, OutputOperationInfo, ReceiverInfo, RecoveryInfo, StreamingListener};
use crate::metrics::WorkInfo;
use crate::time::{BatchTime, lock};

/// Completed batches that are kept.
///
/// **Source**: Spark's `spark.streaming.ui.retainedBatches`, which has the same default.
pub(crate) const KEPT_BATCHES: usize = 1_000;
/// Batches of these whose tasks are kept one by one.
const KEPT_TASKS: usize = 100;
const KEPT_ERRORS: usize = 50;
/// A longer text is cut, in characters: an error may quote a record.
const LONGEST_TEXT: usize = 2_000;

/// A batch as the page shows it.
#[derive(Clone)]
pub(crate) struct Row {
    /// When it changed last, in the sequence of all changes.
    pub(crate) version: u64,
    pub(crate) time: BatchTime,
    pub(crate) submitted: BatchTime,
    pub(crate) started: Option<BatchTime>,
    pub(crate) ended: Option<BatchTime>,
    /// Records of each input, once they were read.
    pub(crate) inputs: Vec<Option<u64>>,
    pub(crate) outputs: Vec<OutputRow>,
    pub(crate) work: Arc<[WorkInfo]>,
    /// Whether it began when the next one was due already.
    pub(crate) late: bool,
}

impl Row {
    fn of(batch: &BatchInfo, version: u64) -> Self {
        Self {
            version,
            time: batch.batch_time,
            submitted: batch.submitted,
            started: batch.processing_started,
            ended: batch.processing_ended,
            inputs: batch.inputs.iter().map(|input| input.records).collect(),
            outputs: batch.outputs.iter().map(OutputRow::of).collect(),
            work: Arc::clone(&batch.work),
            late: batch.is_late().unwrap_or(false),
        }
    }

    pub(crate) fn records(&self) -> Option<u64> {
        self.inputs.iter().copied().sum()
    }

    pub(crate) fn failed(&self) -> bool {
        self.outputs.iter().any(|output| output.failure.is_some())
    }
}

/// An output of a batch.
#[derive(Clone)]
pub(crate) struct OutputRow {
    pub(crate) id: usize,
    pub(crate) description: Arc<str>,
    pub(crate) duration: Option<Duration>,
    pub(crate) failure: Option<String>,
}

impl OutputRow {
    fn of(output: &OutputOperationInfo) -> Self {
        Self {
            id: output.id,
            description: Arc::clone(&output.description),
            duration: output.duration(),
            failure: output.failure.as_ref().map(text),
        }
    }
}

/// Something that went wrong.
#[derive(Clone)]
pub(crate) struct Mishap {
    pub(crate) time: BatchTime,
    pub(crate) place: String,
    pub(crate) text: String,
}

/// The page's memory, filled by the listeners' thread and read by the server's.
pub(crate) struct History {
    memory: Mutex<Memory>,
    changed: watch::Sender<u64>,
}

#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) version: u64,
    pub(crate) started: Option<BatchTime>,
    pub(crate) active: BTreeMap<BatchTime, Row>,
    pub(crate) completed: VecDeque<Row>,
    /// Whether the receiver of an input runs.
    pub(crate) receivers: BTreeMap<usize, bool>,
    pub(crate) mishaps: VecDeque<Mishap>,
}

impl History {
    pub(crate) fn new() -> Self {
        Self { memory: Mutex::default(), changed: watch::Sender::new(0) }
    }

    pub(crate) fn look<R>(&self, look: impl FnOnce(&Memory) -> R) -> R {
        look(&lock(&self.memory))
    }

    /// Changes as they come, each with its version.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    fn change(&self, change: impl FnOnce(&mut Memory)) {
        let mut memory = lock(&self.memory);
        memory.version += 1;
        change(&mut memory);
        self.changed.send_replace(memory.version);
    }
}

impl Memory {
    fn complete(&mut self, batch: &BatchInfo) {
        self.active.remove(&batch.batch_time);
        self.completed.push_back(Row::of(batch, self.version));
        if self.completed.len() > KEPT_BATCHES {
            self.completed.pop_front();
        }
        if let Some(old) = self.completed.len().checked_sub(KEPT_TASKS + 1) {
            let row = &mut self.completed[old];
            row.work = row.work.iter().map(|work| WorkInfo { parts: Vec::new(), ..work.clone() }).collect();
        }
        for output in batch.outputs.iter().filter(|output| output.failure.is_some()) {
            let text = output.failure.as_ref().map(text).unwrap_or_default();
            self.note(Mishap { time: batch.batch_time, place: output.description.to_string(), text });
        }
    }

    fn note(&mut self, mishap: Mishap) {
        self.mishaps.push_back(mishap);
        if self.mishaps.len() > KEPT_ERRORS {
            self.mishaps.pop_front();
        }
    }
}

impl StreamingListener for History {
    fn on_streaming_started(&self, time: BatchTime) {
        self.change(|memory| memory.started = Some(time));
    }

    fn on_recovered(&self, _: &RecoveryInfo) {
        // The meters know it; the page is to hear of it.
        self.change(|_| ());
    }

    fn on_checkpoint_written(&self, _: &CheckpointInfo) {
        self.change(|_| ());
    }

    fn on_checkpoint_failed(&self, checkpoint: &CheckpointInfo) {
        self.change(|memory| {
            let text = checkpoint.failure.as_ref().map(text).unwrap_or_default();
            memory.note(Mishap { time: checkpoint.batch_time, place: "checkpoint".to_owned(), text });
        });
    }

    fn on_batch_submitted(&self, batch: &BatchInfo) {
        self.change(|memory| drop(memory.active.insert(batch.batch_time, Row::of(batch, memory.version))));
    }

    fn on_batch_started(&self, batch: &BatchInfo) {
        self.on_batch_submitted(batch);
    }

    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.change(|memory| memory.complete(batch));
    }

    fn on_receiver_started(&self, receiver: &ReceiverInfo) {
        self.change(|memory| {
            memory.receivers.insert(receiver.input, receiver.active);
        });
    }

    fn on_receiver_error(&self, receiver: &ReceiverInfo) {
        self.change(|memory| {
            let Some(error) = &receiver.last_error else { return };
            let time = receiver.last_error_time.unwrap_or_default();
            memory.note(Mishap { time, place: format!("input `{}`", receiver.name), text: text(error) });
        });
    }

    fn on_receiver_stopped(&self, receiver: &ReceiverInfo) {
        self.on_receiver_started(receiver);
    }
}

/// An error with its causes, cut if it is long.
pub(crate) fn text(error: &Error) -> String {
    shortened(&format!("{error:?}"))
}

/// A text, cut if it is long.
pub(crate) fn shortened(all: &str) -> String {
    match all.char_indices().nth(LONGEST_TEXT) {
        None => all.to_owned(),
        Some((end, _)) => format!("{} … ({} more bytes)", &all[..end], all.len() - end),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listener::InputInfo;
    use crate::metrics::{TaskInfo, Worker};

    fn batch(number: u64) -> BatchInfo {
        let time = BatchTime::from_millis(number * 1_000);
        let mut batch = BatchInfo::new(time, Duration::from_secs(1), time);
        batch.inputs = vec![InputInfo { input: 0, name: "lines".into(), records: Some(number), bytes: None }];
        let parts = vec![TaskInfo::default(); 4];
        let work = WorkInfo {
            worker: Worker::Stage(0),
            tasks: 4,
            failed_tasks: 0,
            records: 1,
            busy: Duration::ZERO,
            longest: Duration::ZERO,
            parts,
        };
        batch.work = Arc::new([work]);
        batch
    }

    #[test]
    fn memory_is_bounded() {
        let history = History::new();
        for number in 1..=2_500 {
            history.on_batch_submitted(&batch(number));
            history.on_batch_started(&batch(number));
            history.on_batch_completed(&batch(number));
        }
        history.look(|memory| {
            assert_eq!((memory.active.len(), memory.completed.len()), (0, KEPT_BATCHES));
            let parts: usize = memory.completed.iter().map(|row| row.work[0].parts.len()).sum();
            assert_eq!(parts, KEPT_TASKS * 4);
            assert_eq!(memory.completed[0].time, BatchTime::from_millis(1_501_000));
        });
    }

    #[test]
    fn a_long_error_is_cut() {
        let line = "é".repeat(1_000_000);
        let error = Error::output(line);
        assert!(text(&error).len() < 2 * LONGEST_TEXT + 50);
        assert!(text(&error).ends_with("more bytes)"));
    }

    #[test]
    fn waiting_batches_are_active_until_they_are_completed() {
        let history = History::new();
        (1..=3).for_each(|number| history.on_batch_submitted(&batch(number)));
        history.on_batch_completed(&batch(1));
        let active: Vec<u64> = history.look(|memory| memory.active.keys().map(|time| time.as_millis()).collect());
        assert_eq!(active, [2_000, 3_000]);
        assert_eq!(*history.subscribe().borrow(), 4);
    }
}
