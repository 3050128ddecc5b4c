//! `to`: outputs of one's own that stage partitions and commit batches.

use std::error::Error as StdError;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicBool, Ordering};

use super::foreach::check_taken;
use crate::dstream::DStream;
use crate::error::{BoxError, Error, Result};
use crate::record::Record;
use crate::run::{Run, guard};
use crate::time::{BatchTime, lock};
use crate::topology::{NodeId, OutputOperation};

/// The batch that a sink gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SinkBatch {
    /// Its time: the name under which an idempotent or transactional sink writes.
    pub time: BatchTime,
    /// Whether it was begun by an earlier run of the program that did not finish it.
    pub is_rerun: bool,
    /// Batches before this time are never given again, by no later start either: a sink that remembers which batches it has
    /// may forget these. It is the time of the batch itself, unless an output failed before: that batch comes once more.
    pub settled_before: BatchTime,
    /// Number of partitions.
    pub partitions: usize,
}

/// A place for the batches of a stream.
///
/// A batch is written in two phases: partitions are **staged** by [`write`](Sink::write), in parallel, and made visible at
/// once by [`commit`](Sink::commit), which gets what `write` returned for each partition.
///
/// # Contract
/// * `open` comes first, once. Then, for each batch: `write` once per partition, and `commit`, or `abort` if a `write`
///   failed. After a `commit` that failed nothing more is called for the batch.
/// * Batches come in the order of their times. What failed, or was not known to be done when the program ended, comes once
///   more after the next start, before all new batches; [`is_rerun`](SinkBatch::is_rerun) is set then. A failed batch may
///   so come after later ones.
/// * A partition may be written again if a `write` panicked, and a batch if the program was restarted: staging the same
///   partition twice, and committing the same batch twice, must leave one of them. A sink that commits data and batch time
///   together can tell; [`settled_before`](SinkBatch::settled_before) says which times it may forget.
///
/// **Source**: none; in Spark one writes this by hand inside `foreachRDD`.
///
/// # Examples
/// ```
/// use std::collections::BTreeMap;
/// use std::error::Error;
/// use std::sync::{Arc, Mutex};
/// use streamflow::sink::{Sink, SinkBatch};
/// use streamflow::{BatchContext, BatchTime};
///
/// /// The sum of each batch, by time: the same batch twice is there once.
/// #[derive(Clone, Default)]
/// struct Sums(Arc<Mutex<BTreeMap<BatchTime, i32>>>);
///
/// impl Sink<i32> for Sums {
///     type Staged = i32;
///
///     fn write(
///         &self,
///         _: SinkBatch,
///         _: usize,
///         records: &mut dyn Iterator<Item = i32>,
///     ) -> Result<i32, Box<dyn Error + Send + Sync>> {
///         Ok(records.sum())
///     }
///
///     fn commit(&self, batch: SinkBatch, staged: Vec<i32>) -> Result<(), Box<dyn Error + Send + Sync>> {
///         self.0.lock().unwrap().insert(batch.time, staged.into_iter().sum());
///         Ok(())
///     }
/// }
///
/// let sums = Sums::default();
/// let ctx = BatchContext::new()?;
/// ctx.records([1, 2, 3]).to(sums.clone());
/// ctx.run()?;
/// assert_eq!(sums.0.lock().unwrap()[&BatchTime::default()], 6);
/// # Ok::<(), streamflow::Error>(())
/// ```
pub trait Sink<T: Record + ?Sized>: Send + Sync + 'static {
    /// What staging a partition leaves for the commit: a file name, a number of rows, the rows themselves.
    type Staged: Send;

    /// Called before the first batch. The default does nothing.
    ///
    /// # Errors
    /// An error fails the batch; the next batch tries again.
    fn open(&self) -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(())
    }

    /// Stages the records of a partition. Partitions are written in parallel.
    ///
    /// # Errors
    /// An error fails the batch: it is aborted.
    fn write(
        &self,
        batch: SinkBatch,
        partition: usize,
        records: &mut dyn Iterator<Item = T::View<'_>>,
    ) -> Result<Self::Staged, Box<dyn StdError + Send + Sync>>;

    /// Makes the batch visible, as a whole.
    ///
    /// # Errors
    /// An error fails the batch.
    fn commit(&self, batch: SinkBatch, staged: Vec<Self::Staged>) -> Result<(), Box<dyn StdError + Send + Sync>>;

    /// Forgets what was staged for a batch that failed; `staged` are the partitions that succeeded. The default drops them.
    fn abort(&self, batch: SinkBatch, staged: Vec<Self::Staged>) {
        let _ = (batch, staged);
    }
}

impl<T: Record + ?Sized> DStream<T> {
    /// Gives every batch to a [`Sink`].
    ///
    /// **Shape**: partitions are staged in parallel, then the batch is committed; once per batch, also for empty ones.
    /// **Errors**: an error or panic of the sink fails the batch, which is aborted.
    /// **Source**: none; see [`Sink`], also for an example.
    #[track_caller]
    pub fn to(&self, sink: impl Sink<T>) {
        self.add_output("to", ToSink { node: self.node(), sink, opened: AtomicBool::new(false), record: PhantomData });
    }
}

struct ToSink<T: ?Sized, S> {
    node: NodeId,
    sink: S,
    opened: AtomicBool,
    record: PhantomData<fn() -> Box<T>>,
}

impl<T: Record + ?Sized, S: Sink<T>> ToSink<T, S> {
    fn call<R>(phase: &str, call: impl FnOnce() -> Result<R, BoxError>) -> Result<R> {
        let failed = |cause| Error::output(format!("the sink could not {phase} the batch")).because(cause);
        guard(call)?.map_err(failed)
    }

    fn write(&self, run: &Run<'_>) -> Result<()> {
        check_taken::<T>(run, self.node)?;
        if !self.opened.load(Ordering::SeqCst) {
            Self::call("open for", || self.sink.open())?;
            self.opened.store(true, Ordering::SeqCst);
        }
        let partitions = run.dataset::<T>(self.node)?.partitions();
        let batch =
            SinkBatch { time: run.time(), is_rerun: run.is_rerun(), settled_before: run.settled_before(), partitions };
        // Kept here, so that what was staged can be aborted when another partition panics in every attempt.
        let staged: Vec<_> = (0..partitions).map(|_| std::sync::Mutex::new(None)).collect();
        let outcomes = run.tasks_over::<T, _>(self.node, &|task, mut held| {
            let partition = task.partition;
            let outcome = self.sink.write(batch, partition, &mut T::views(&mut held));
            outcome.map(|part| *lock(&staged[partition]) = Some(part))
        });
        let written = outcomes.and_then(|outcomes| {
            let failed = |(partition, outcome): (usize, Result<(), BoxError>)| {
                Self::call("write", || outcome).map_err(|error| error.in_partition(partition))
            };
            outcomes.into_iter().enumerate().try_for_each(failed)
        });
        let staged: Vec<S::Staged> = staged.iter().filter_map(|part| lock(part).take()).collect();
        match written {
            Ok(()) => Self::call("commit", || self.sink.commit(batch, staged)),
            Err(error) => {
                guard(|| self.sink.abort(batch, staged)).unwrap_or_else(|panic| {
                    tracing::warn!(error = %panic, "a sink panicked when it aborted a batch");
                });
                Err(error)
            }
        }
    }
}

impl<T: Record + ?Sized, S: Sink<T>> OutputOperation for ToSink<T, S> {
    fn run(&self, run: &Run<'_>) -> Result<()> {
        self.write(run).map_err(|error| error.in_batch(run.time()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::super::test_support::run;
    use super::*;

    /// Remembers what it was told; fails at the records 13 (an error) and 14 (a panic).
    #[derive(Clone, Default)]
    struct Diary(Arc<Mutex<Vec<String>>>);

    impl Diary {
        fn note(&self, what: impl Into<String>) {
            lock(&self.0).push(what.into());
        }
    }

    impl Sink<i32> for Diary {
        type Staged = Vec<i32>;

        fn open(&self) -> Result<(), BoxError> {
            self.note("open");
            Ok(())
        }

        fn write(
            &self,
            batch: SinkBatch,
            _: usize,
            records: &mut dyn Iterator<Item = i32>,
        ) -> Result<Vec<i32>, BoxError> {
            assert_eq!(batch.partitions, 2);
            let records: Vec<i32> = records.collect();
            assert!(!records.contains(&14), "on purpose");
            if records.contains(&13) { Err("13 is refused".into()) } else { Ok(records) }
        }

        fn commit(&self, _: SinkBatch, staged: Vec<Vec<i32>>) -> Result<(), BoxError> {
            self.note(format!("commit {staged:?}"));
            Ok(())
        }

        fn abort(&self, _: SinkBatch, staged: Vec<Vec<i32>>) {
            self.note(format!("abort {staged:?}"));
        }
    }

    fn told(records: Vec<i32>) -> (Vec<String>, Result<()>) {
        let diary = Diary::default();
        let outcome = run(records, |stream| stream.to(diary.clone()));
        let told = lock(&diary.0).clone();
        (told, outcome)
    }

    #[test]
    fn a_batch_is_committed_or_aborted_as_a_whole() {
        let (events, outcome) = told(vec![1, 2, 3]);
        outcome.unwrap();
        assert_eq!(events, ["open", "commit [[1], [2, 3]]"]);
        for (bad, why) in [(13, "13 is refused"), (14, "on purpose")] {
            let (told, outcome) = told(vec![1, bad]);
            assert_eq!(told, ["open", "abort [[1]]"]);
            let error = outcome.unwrap_err();
            assert!(format!("{error:?}").contains(why), "{error:?}");
            assert_eq!(error.partition(), Some(1));
        }
    }
}
