//! What the parts of a topology did in one batch.
//!
//! Everything is counted at the borders of stages: a task is timed as a whole, and a block knows its length. So a record
//! costs nothing, and a task two looks at a stopwatch. A [`Ledger`] belongs to the thread that drives the batch, like the
//! `Run` that holds it: tasks hand their figures back with their results.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::time::Duration;

use crate::topology::{Graph, NodeId};

/// A part of a topology that runs tasks, named as [`explain`](crate::StreamingContext::explain) draws it.
///
/// # Examples
/// ```
/// use streamflow::metrics::Worker;
///
/// assert_eq!(Worker::Stage(2).to_string(), "s2");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Worker {
    /// A stage: a fused loop.
    Stage(usize),
    /// A stream that has tasks of its own: a window, state, a shuffle that several consumers read.
    Stream(usize),
    /// An output.
    Output(usize),
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Worker::Stage(id) => write!(f, "s{id}"),
            Worker::Stream(id) => write!(f, "n{id}"),
            Worker::Output(id) => write!(f, "o{id}"),
        }
    }
}

/// What one [`Worker`] did in one batch.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct WorkInfo {
    /// Who worked.
    pub worker: Worker,
    /// Tasks that ran, each attempt counted.
    pub tasks: u64,
    /// Attempts that failed.
    pub failed_tasks: u64,
    /// Records that its tasks read.
    pub records: u64,
    /// The time of all tasks together: more than the wall clock's when they ran at once.
    pub busy: Duration,
    /// The time of the longest task.
    pub longest: Duration,
    /// Its tasks, one for each attempt, of the first 256.
    pub parts: Vec<TaskInfo>,
}

/// What one task did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TaskInfo {
    /// The partition that it read; the first of them, if it read several.
    pub partition: usize,
    /// Records that it read.
    pub records: u64,
    /// How long it took.
    pub time: Duration,
    /// Whether it failed.
    pub failed: bool,
}

/// More tasks of a worker than these are counted, but not kept one by one.
const KEPT_TASKS: usize = 256;

/// The numbers of workers in one sequence: stages, streams, outputs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Roster {
    pub(crate) stages: usize,
    pub(crate) streams: usize,
    pub(crate) outputs: usize,
}

impl Roster {
    pub(crate) fn of(graph: &Graph) -> Self {
        Self { stages: graph.stages.len(), streams: graph.nodes.len(), outputs: graph.outputs.len() }
    }

    pub(crate) fn len(self) -> usize {
        self.stages + self.streams + self.outputs
    }

    pub(crate) fn index(self, worker: Worker) -> usize {
        match worker {
            Worker::Stage(id) => id,
            Worker::Stream(id) => self.stages + id,
            Worker::Output(id) => self.stages + self.streams + id,
        }
    }

    pub(crate) fn worker(self, index: usize) -> Worker {
        match index.checked_sub(self.stages) {
            None => Worker::Stage(index),
            Some(stream) if stream < self.streams => Worker::Stream(stream),
            Some(rest) => Worker::Output(rest - self.streams),
        }
    }
}

/// The account of one worker.
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) tasks: u64,
    pub(crate) failed: u64,
    pub(crate) records: u64,
    pub(crate) busy: Duration,
    pub(crate) longest: Duration,
    pub(crate) parts: Vec<TaskInfo>,
}

/// What crossed the border into a stream, and what it keeps.
#[derive(Clone, Copy, Default)]
pub(crate) struct Border {
    /// Rows that were written to the shuffle behind it.
    pub(crate) shuffled: u64,
    /// Records of its data set.
    pub(crate) records: u64,
    /// Partitions of that data set.
    pub(crate) partitions: u64,
    /// Records of its largest partition.
    pub(crate) largest: u64,
    /// What its state or window holds.
    pub(crate) kept: Option<Holding>,
}

/// What a window or a state holds from batch to batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Holding {
    pub(crate) keys: u64,
    pub(crate) bytes: u64,
    pub(crate) panes: u64,
}

impl Holding {
    /// Two partitions together; a pane spans all partitions.
    pub(crate) fn and(self, other: Self) -> Self {
        Self { keys: self.keys + other.keys, bytes: self.bytes + other.bytes, panes: self.panes.max(other.panes) }
    }
}

/// What all workers did in the batch.
pub(crate) struct Ledger {
    roster: Roster,
    current: Cell<Option<Worker>>,
    detailed: Cell<bool>,
    entries: RefCell<Vec<Entry>>,
    borders: RefCell<Vec<Border>>,
}

impl Ledger {
    pub(crate) fn new(roster: Roster) -> Self {
        Self {
            roster,
            current: Cell::new(None),
            detailed: Cell::new(false),
            entries: RefCell::new(std::iter::repeat_with(Entry::default).take(roster.len()).collect()),
            borders: RefCell::new(vec![Border::default(); roster.streams]),
        }
    }

    /// From now on each task is kept, for listeners.
    pub(crate) fn keep_tasks(&self) {
        self.detailed.set(true);
    }

    /// Books the tasks that `work` runs on `worker`, except those of workers that it calls for in turn.
    pub(crate) fn book<R>(&self, worker: Worker, work: impl FnOnce() -> R) -> R {
        let outer = self.current.replace(Some(worker));
        let result = work();
        self.current.set(outer);
        result
    }

    /// Books tasks on the current worker.
    pub(crate) fn add_tasks(&self, tasks: impl Iterator<Item = TaskInfo>) {
        let Some(worker) = self.current.get() else { return };
        let entry = &mut self.entries.borrow_mut()[self.roster.index(worker)];
        for task in tasks {
            entry.tasks += 1;
            entry.failed += u64::from(task.failed);
            entry.records += task.records;
            entry.busy += task.time;
            entry.longest = entry.longest.max(task.time);
            if self.detailed.get() && entry.parts.len() < KEPT_TASKS {
                entry.parts.push(task);
            }
        }
    }

    /// Notes the lengths of the partitions of a stream. Each reader says so; all say the same.
    pub(crate) fn set_lengths(&self, node: NodeId, lengths: &[usize]) {
        let border = &mut self.borders.borrow_mut()[node.0];
        (border.records, border.partitions, border.largest) = (0, 0, 0);
        for length in lengths {
            border.records += *length as u64;
            border.partitions += 1;
            border.largest = border.largest.max(*length as u64);
        }
    }

    /// Notes that so many rows were written to the shuffle behind a stream.
    pub(crate) fn set_shuffled(&self, node: NodeId, rows: usize) {
        self.borders.borrow_mut()[node.0].shuffled = rows as u64;
    }

    /// Books records that tasks of the current worker read together.
    pub(crate) fn add_records(&self, records: usize) {
        if let Some(worker) = self.current.get() {
            self.entries.borrow_mut()[self.roster.index(worker)].records += records as u64;
        }
    }

    /// Notes what a window or state holds now.
    pub(crate) fn keep(&self, node: NodeId, kept: Holding) {
        self.borders.borrow_mut()[node.0].kept = Some(kept);
    }

    /// Each worker's account.
    pub(crate) fn each_entry(&self, mut visit: impl FnMut(usize, &Entry)) {
        self.entries.borrow().iter().enumerate().for_each(|(index, entry)| visit(index, entry));
    }

    /// Each stream's border.
    pub(crate) fn each_border(&self, mut visit: impl FnMut(usize, &Border)) {
        self.borders.borrow().iter().enumerate().for_each(|(index, border)| visit(index, border));
    }

    /// The accounts of those who did something, for listeners.
    pub(crate) fn report(&self) -> Vec<WorkInfo> {
        let mut report = Vec::new();
        for (index, entry) in self.entries.borrow_mut().iter_mut().enumerate().filter(|(_, entry)| entry.tasks > 0) {
            report.push(WorkInfo {
                worker: self.roster.worker(index),
                tasks: entry.tasks,
                failed_tasks: entry.failed,
                records: entry.records,
                busy: entry.busy,
                longest: entry.longest,
                parts: std::mem::take(&mut entry.parts),
            });
        }
        report
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(partition: usize, records: u64, millis: u64) -> TaskInfo {
        TaskInfo { partition, records, time: Duration::from_millis(millis), failed: false }
    }

    #[test]
    fn numbers_of_workers_are_one_sequence() {
        let roster = Roster { stages: 2, streams: 3, outputs: 1 };
        let workers: Vec<String> = (0..roster.len()).map(|index| roster.worker(index).to_string()).collect();
        assert_eq!(workers, ["s0", "s1", "n0", "n1", "n2", "o0"]);
        assert!((0..roster.len()).all(|index| roster.index(roster.worker(index)) == index));
    }

    #[test]
    fn tasks_are_booked_on_the_innermost_worker() {
        let ledger = Ledger::new(Roster { stages: 2, streams: 0, outputs: 1 });
        ledger.keep_tasks();
        ledger.add_tasks([task(0, 1, 1)].into_iter());
        ledger.book(Worker::Output(0), || {
            ledger.book(Worker::Stage(1), || ledger.add_tasks([task(0, 5, 3), task(1, 2, 1)].into_iter()));
            ledger.add_tasks([task(0, 7, 2)].into_iter());
        });
        let report = ledger.report();
        let figures: Vec<_> = report.iter().map(|work| (work.worker, work.tasks, work.records)).collect();
        assert_eq!(figures, [(Worker::Stage(1), 2, 7), (Worker::Output(0), 1, 7)]);
        assert_eq!(report[0].longest, Duration::from_millis(3));
        assert_eq!(report[0].parts[1].records, 2);
    }

    #[test]
    fn tasks_are_kept_one_by_one_up_to_a_limit() {
        let ledger = Ledger::new(Roster { stages: 1, streams: 0, outputs: 0 });
        ledger.keep_tasks();
        ledger.book(Worker::Stage(0), || ledger.add_tasks((0..1_000).map(|partition| task(partition, 1, 0))));
        let report = ledger.report();
        assert_eq!((report[0].tasks, report[0].parts.len()), (1_000, KEPT_TASKS));
    }
}
