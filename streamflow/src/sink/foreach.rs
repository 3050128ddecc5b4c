//! `foreach_batch`, `foreach_partition` and `foreach`: functions as outputs.

use std::fmt;
use std::marker::PhantomData;

use super::{OutputResult, settle};
use crate::batch::Batch;
use crate::dstream::DStream;
use crate::error::{Error, Result};
use crate::record::Record;
use crate::run::{Run, guard};
use crate::time::BatchTime;
use crate::topology::{NodeId, OutputOperation};

impl<T: Record + ?Sized> DStream<T> {
    /// Calls `f` with every batch.
    ///
    /// **Shape**: once per batch, also for empty ones, on the thread that drives the batch; the methods of [`Batch`] work
    /// in parallel. Records that cannot be cloned can be taken by the only consumer of the stream.
    /// **Errors**: `f` returns `()` or a `Result`; its error, like a panic, fails the batch.
    /// **Source**: Spark's `foreachRDD`. The time of the batch is [`Batch::time`]; whether the batch was begun before, by a
    /// run of the program that did not finish it, is [`Batch::is_rerun`]. At least once: `f` makes it exactly once by
    /// writing under the batch's time.
    ///
    /// # Examples
    /// ```
    /// use streamflow::BatchContext;
    ///
    /// let ctx = BatchContext::new()?;
    /// ctx.records([3, 1, 2]).foreach_batch(|batch| {
    ///     assert_eq!(batch.sort_by(|n| *n).collect(), [1, 2, 3]);
    /// });
    /// ctx.run()?;
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_batch<R, F>(&self, f: F)
    where
        F: Fn(Batch<T>) -> R + Send + Sync + 'static,
        R: OutputResult,
    {
        let operation = move |run: &Run<'_>, node| {
            let batch = Batch::read(run, node, None)?;
            settle("foreach_batch", guard(|| f(batch))?)
        };
        self.add_output(
            "foreach_batch",
            Function { node: self.node(), operation, record: PhantomData::<fn() -> Box<T>> },
        );
    }

    /// Calls `f` with the records of every partition, the partitions in parallel.
    ///
    /// **Shape**: [`Partition`] is an iterator over `T`, or over `&str` and `&[u8]`; it knows its number and its batch. This
    /// is the place for one connection or transaction per partition.
    /// **Errors**: `f` returns `()` or a `Result`; its error fails the batch. A panic is tried again, as often as the
    /// context says, then it fails the batch: such a partition may have been seen in part before.
    /// **Source**: Spark's `foreachRDD(rdd => rdd.foreachPartition(..))`. At least once.
    ///
    /// # Examples
    /// ```
    /// use std::sync::atomic::{AtomicUsize, Ordering};
    /// use std::sync::Arc;
    /// use streamflow::BatchContext;
    ///
    /// let ctx = BatchContext::new()?;
    /// let letters = Arc::new(AtomicUsize::new(0));
    /// let sum = Arc::clone(&letters);
    /// ctx.text("to be\nor not").foreach_partition(move |lines| {
    ///     for line in lines {
    ///         sum.fetch_add(line.len(), Ordering::Relaxed);
    ///     }
    /// });
    /// ctx.run()?;
    /// assert_eq!(letters.load(Ordering::Relaxed), 11);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach_partition<R, F>(&self, f: F)
    where
        F: for<'a> Fn(Partition<'a, T>) -> R + Send + Sync + 'static,
        R: OutputResult,
    {
        self.each_partition("foreach_partition", f);
    }

    /// Calls `f` with every record, the partitions in parallel.
    ///
    /// **Shape**: `f` gets a `T`, or a `&str` or `&[u8]`.
    /// **Errors**: `f` returns `()` or a `Result`; the first error of a partition ends it and fails the batch. A panic is
    /// tried again, with all records of the partition.
    /// **Source**: Spark's `foreachRDD(rdd => rdd.foreach(..))`. At least once.
    ///
    /// # Examples
    /// ```
    /// use std::sync::atomic::{AtomicU64, Ordering};
    /// use std::sync::Arc;
    /// use streamflow::BatchContext;
    ///
    /// let ctx = BatchContext::new()?;
    /// let total = Arc::new(AtomicU64::new(0));
    /// let sum = Arc::clone(&total);
    /// ctx.records([1, 2, 3]).foreach(move |n| {
    ///     sum.fetch_add(n, Ordering::Relaxed);
    /// });
    /// ctx.run()?;
    /// assert_eq!(total.load(Ordering::Relaxed), 6);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn foreach<R, F>(&self, f: F)
    where
        F: for<'a> Fn(T::View<'a>) -> R + Send + Sync + 'static,
        R: OutputResult,
    {
        self.each_partition("foreach", move |mut records| records.try_for_each(|record| f(record).into_result()));
    }

    #[track_caller]
    fn each_partition<R, F>(&self, name: &'static str, f: F)
    where
        F: for<'a> Fn(Partition<'a, T>) -> R + Send + Sync + 'static,
        R: OutputResult,
    {
        let operation = move |run: &Run<'_>, node| {
            let (time, rerun) = (run.time(), run.is_rerun());
            let outcomes = run.tasks_over::<T, _>(node, &|task, mut held| {
                let records = Box::new(T::views(&mut held));
                f(Partition { records, partition: task.partition, time, rerun })
            })?;
            let failed = |(partition, outcome)| settle(name, outcome).map_err(|error| error.in_partition(partition));
            outcomes.into_iter().enumerate().try_for_each(failed)
        };
        self.add_output(name, Function { node: self.node(), operation, record: PhantomData::<fn() -> Box<T>> });
    }
}

/// The records of one partition of a batch: an iterator.
pub struct Partition<'a, T: Record + ?Sized> {
    records: Box<dyn Iterator<Item = T::View<'a>> + 'a>,
    partition: usize,
    time: BatchTime,
    rerun: bool,
}

impl<T: Record + ?Sized> Partition<'_, T> {
    /// Number of the partition in its batch, from zero.
    #[must_use]
    pub fn index(&self) -> usize {
        self.partition
    }

    /// The time of the batch.
    #[must_use]
    pub fn time(&self) -> BatchTime {
        self.time
    }

    /// Whether the batch was begun by an earlier run of the program that did not finish it.
    #[must_use]
    pub fn is_rerun(&self) -> bool {
        self.rerun
    }
}

impl<'a, T: Record + ?Sized> Iterator for Partition<'a, T> {
    type Item = T::View<'a>;

    fn next(&mut self) -> Option<T::View<'a>> {
        self.records.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.records.size_hint()
    }
}

impl<T: Record + ?Sized> fmt::Debug for Partition<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partition").field("index", &self.partition).field("time", &self.time).finish_non_exhaustive()
    }
}

/// An output that takes the records of a node.
struct Function<F, R> {
    node: NodeId,
    operation: F,
    record: PhantomData<R>,
}

/// Checks that an output may take records by value: something else may still need them.
pub(super) fn check_taken<T: Record + ?Sized>(run: &Run<'_>, node: NodeId) -> Result<()> {
    let views = size_of::<T::Cloner>() == 0;
    if views || run.consumers(node) <= 1 || run.dataset::<T>(node)?.cloner().is_some() {
        return Ok(());
    }
    Err(Error::illegal_state(format!(
        "the records of this stream are handed to an output by value, but the stream has other consumers too and `{}` is \
         not known to be `Clone`: clone the handle of the stream for each consumer, or use it once",
        std::any::type_name::<T>()
    )))
}

impl<T, F> OutputOperation for Function<F, fn() -> Box<T>>
where
    T: Record + ?Sized,
    F: Fn(&Run<'_>, NodeId) -> Result<()> + Send + Sync,
{
    fn run(&self, run: &Run<'_>) -> Result<()> {
        check_taken::<T>(run, self.node)?;
        (self.operation)(run, self.node).map_err(|error| error.in_batch(run.time()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::test_support::run;
    use super::*;
    use crate::error::ErrorKind;
    use crate::time::lock;

    #[test]
    fn a_function_gets_every_record_once() {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (by_batch, by_partition, by_record) = (Arc::clone(&seen), Arc::clone(&seen), Arc::clone(&seen));
        run(vec![1, 2, 3], |stream| {
            stream.clone().foreach_batch(move |batch| lock(&by_batch).extend(batch.collect()));
            stream.clone().foreach_partition(move |records| {
                let index = records.index();
                lock(&by_partition).extend(records.map(|n| n * 10 + index as i32));
            });
            stream.foreach(move |n| lock(&by_record).push(n * 100));
        })
        .unwrap();
        let mut seen = std::mem::take(&mut *lock(&seen));
        seen.sort_unstable();
        assert_eq!(seen, [1, 2, 3, 10, 21, 31, 100, 200, 300]);
    }

    #[test]
    fn errors_and_panics_fail_the_batch() {
        type Declare = fn(&DStream<i32>);
        let failing: [(Declare, &str); 4] = [
            (|stream| stream.foreach_batch(|_| Err("no database")), "foreach_batch"),
            (|stream| stream.foreach_partition(|_| Err("no database")), "foreach_partition"),
            (|stream| stream.foreach(|_| Err::<(), _>(std::io::Error::other("no database"))), "foreach"),
            (|stream| stream.foreach(|n| assert!(n > 1, "no database")), "panicked"),
        ];
        for (declare, name) in failing {
            let error = run(vec![1, 2], declare).unwrap_err();
            let text = format!("{error:?}");
            assert!(text.contains(name) && text.contains("no database"), "{text}");
            assert_eq!(error.batch(), Some(BatchTime::default()));
        }
        let error = run(vec![1, 2], |stream| stream.foreach(|_| Err("no"))).unwrap_err();
        assert_eq!((error.kind(), error.partition()), (ErrorKind::OutputFailed, Some(0)));
    }

    #[test]
    fn records_without_clone_go_to_one_function() {
        struct Unique;
        let declare = |outputs: usize| {
            move |stream: &DStream<i32>| {
                let unique = stream.transform(|batch| batch.map(|_| Unique));
                for _ in 0..outputs {
                    unique.foreach_batch(|batch| assert_eq!(batch.collect().len(), 2));
                }
            }
        };
        run(vec![1, 2], declare(1)).unwrap();
        let error = run(vec![1, 2], declare(2)).unwrap_err();
        assert!(error.to_string().contains("not known to be `Clone`"), "{error}");
    }
}
