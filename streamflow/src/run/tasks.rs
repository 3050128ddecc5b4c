//! The tasks of a stage: each reads a partition or several, on whatever thread, and is tried again when it fails.

use std::cell::Cell;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::{Run, guard};
use crate::error::Result;
use crate::metrics::TaskInfo;
use crate::record::Record;
use crate::time::{Stopwatch, lock};
use crate::topology::NodeId;
use crate::vectors::{filled, mapped};

/// What a task knows of its place.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The partition that it reads.
    pub(crate) partition: usize,
    /// How many partitions the task reads, one after the other. The last task may read fewer.
    pub(crate) coalesced: usize,
    /// The number of partitions that a shuffle writes to unless its operator says otherwise.
    pub(crate) parallelism: usize,
}

impl Task {
    /// Its place among the tasks.
    pub(crate) fn place(self) -> usize {
        self.partition / self.coalesced
    }

    /// Whether the partition is the first that it reads.
    pub(crate) fn begins(self) -> bool {
        self.partition.is_multiple_of(self.coalesced)
    }
}

/// From so many partitions for each of a shuffle on, a task may read several: then one task for each of a shuffle shares the
/// work evenly enough, and what its writers combine is combined once and not for each of many small partitions.
const MANY: usize = 8;

/// What tasks leave for whoever started them, by their places.
pub(crate) struct TaskResults<R>(Mutex<Vec<Option<R>>>);

impl<R> TaskResults<R> {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(crate) fn put(&self, place: usize, result: R) {
        let mut results = lock(&self.0);
        while results.len() <= place {
            results.push(None);
        }
        results[place] = Some(result);
    }

    /// Takes what a task has left so far.
    pub(crate) fn take(&self, place: usize) -> Option<R> {
        lock(&self.0).get_mut(place).and_then(Option::take)
    }

    /// The results, when every task has left one.
    pub(crate) fn into_vec(self) -> Vec<R> {
        let results = self.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        mapped(results, |result| result.expect("every task has left its result"))
    }
}

/// The tasks of a stage until all have succeeded.
struct Attempts {
    /// The partitions of tasks that have not succeeded yet.
    waiting: Vec<Range<usize>>,
    /// How many partitions a task reads.
    coalesced: usize,
    /// Records of each partition, when it was read.
    lengths: Vec<AtomicUsize>,
    /// Attempts made so far.
    made: usize,
}

impl Attempts {
    fn new(partitions: usize, coalesced: usize) -> Self {
        let mut waiting = Vec::with_capacity(partitions.div_ceil(coalesced));
        for first in (0..partitions).step_by(coalesced) {
            waiting.push(first..partitions.min(first + coalesced));
        }
        Self { waiting, coalesced, lengths: filled(partitions, AtomicUsize::default), made: 0 }
    }
}

impl Run<'_> {
    /// Runs tasks that cannot be tried again: their panics are errors at once.
    pub(crate) fn tasks<R: Send>(
        &self,
        tasks: usize,
        weight: usize,
        work: &(dyn Fn(Task) -> R + Sync),
    ) -> Result<Vec<R>> {
        let results = TaskResults::new();
        self.attempt_all(tasks, weight, &|task| results.put(task.partition, work(task)))?;
        Ok(results.into_vec())
    }

    fn attempt_all(&self, tasks: usize, weight: usize, work: &(dyn Fn(Task) + Sync)) -> Result<()> {
        let all = Attempts::new(tasks, 1);
        self.ledger.add_records(weight);
        let outcomes = self.attempt(&all, &all.waiting, weight, &|task| {
            work(task);
            0
        });
        outcomes.into_iter().try_for_each(|(_, outcome)| outcome)
    }

    /// Runs a task for each partition of a node, each until it succeeds or has failed too often.
    pub(crate) fn tasks_over<T: Record + ?Sized, R: Send>(
        &self,
        input: NodeId,
        work: &(dyn Fn(Task, T::Held) -> R + Sync),
    ) -> Result<Vec<R>> {
        let results = TaskResults::new();
        self.each_task::<T>(input, false, &|task, held| results.put(task.partition, work(task, held)))?;
        Ok(results.into_vec())
    }

    /// The same for tasks that leave their results elsewhere.
    ///
    /// With `coalesces`, a task reads several partitions, one call of `work` for each, if there are many more partitions than
    /// are needed to keep all threads at work.
    ///
    /// **Source**: Spark's `coalesce`, which the program has to ask for there.
    ///
    /// A program has an instance of this function for each type of record, so all that need not know it is done elsewhere.
    pub(crate) fn each_task<T: Record + ?Sized>(
        &self,
        input: NodeId,
        coalesces: bool,
        work: &(dyn Fn(Task, T::Held) + Sync),
    ) -> Result<()> {
        let mut data = self.dataset::<T>(input)?;
        let mut attempts = self.attempts(data.partitions(), coalesces);
        loop {
            let again = data.replayable() || self.can_be_remade(input);
            let done = self.attempt_waiting(&mut attempts, again, data.weight(), &|task| {
                let held = data.hold(task.partition);
                let records = T::held_len(&held);
                work(task, held);
                records
            })?;
            if done {
                break;
            }
            data = self.replay(input, data)?;
        }
        self.ledger.set_lengths(input, &mapped(attempts.lengths, AtomicUsize::into_inner));
        Ok(())
    }

    fn attempts(&self, partitions: usize, coalesces: bool) -> Attempts {
        let tasks = self.engine.parallelism;
        let coalesced = if coalesces && partitions >= MANY * tasks { partitions.div_ceil(tasks) } else { 1 };
        Attempts::new(partitions, coalesced)
    }

    /// Runs the waiting tasks once. Whether all have succeeded now; those that have not may be tried `again`, or it is an
    /// error.
    fn attempt_waiting(
        &self,
        attempts: &mut Attempts,
        again: bool,
        weight: usize,
        work: &(dyn Fn(Task) -> usize + Sync),
    ) -> Result<bool> {
        attempts.made += 1;
        let again = again && attempts.made < self.engine.max_task_failures;
        let waiting = std::mem::take(&mut attempts.waiting);
        for (partitions, outcome) in self.attempt(attempts, &waiting, weight, work) {
            match outcome {
                Ok(()) => {}
                Err(error) if !again => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, attempt = attempts.made, "task failed and is tried again");
                    attempts.waiting.push(partitions);
                }
            }
        }
        Ok(attempts.waiting.is_empty())
    }

    /// Runs each of the tasks once. `work` says how many records it read.
    fn attempt(
        &self,
        attempts: &Attempts,
        tasks: &[Range<usize>],
        weight: usize,
        work: &(dyn Fn(Task) -> usize + Sync),
    ) -> Vec<(Range<usize>, Result<()>)> {
        let outcomes = TaskResults::new();
        let (parallelism, coalesced, time) = (self.engine.parallelism, attempts.coalesced, self.time);
        // Tasks run on other threads, where the span of the stage is not the current one.
        let stage = tracing::Span::current();
        self.engine.exec.run(tasks.len(), weight, &|index| {
            let partitions = tasks[index].clone();
            let _span = tracing::trace_span!(parent: &stage, "task", partition = partitions.start).entered();
            let watch = Stopwatch::start();
            let (reads, mut records) = (Cell::new(partitions.start), 0);
            let outcome = guard(|| {
                for partition in partitions.clone() {
                    reads.set(partition);
                    let length = work(Task { partition, coalesced, parallelism });
                    attempts.lengths[partition].store(length, Ordering::Relaxed);
                    records += length as u64;
                }
            });
            let (elapsed, failed) = (watch.elapsed(), outcome.is_err());
            let outcome = outcome.map_err(|error| error.in_partition(reads.get()).in_batch(time));
            let info = TaskInfo { partition: partitions.start, records, time: elapsed, failed };
            outcomes.put(index, ((partitions, outcome), info));
        });
        let (outcomes, infos): (Vec<_>, Vec<_>) = outcomes.into_vec().into_iter().unzip();
        self.ledger.add_tasks(infos.into_iter());
        outcomes
    }
}
