//! One batch of a stream as a small parallel collection: what `transform` and `foreach_batch` get.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex};

use crate::batch_context::cut_records;
use crate::dataset::Dataset;
use crate::error::Result;
use crate::exec::Executor;
use crate::record::{Block, Fork, Record};
use crate::run::Run;
use crate::time::{BatchTime, lock};
use crate::topology::NodeId;

/// The records of one batch of a stream, in partitions.
///
/// Its methods work eagerly, a partition a task, on the threads of the context. Those that consume the batch hand out
/// records by value; they are cloned only if something else still needs them. A panic in a closure that is handed to a
/// method fails the batch, like everything inside `transform` or `foreach_batch`.
///
/// **Source**: Spark's `RDD`, as far as DStream programs use it; here it exists already and nothing is lazy.
///
/// # Examples
/// ```
/// use streamflow::Batch;
///
/// let batch = Batch::of(vec![3, 1, 2], 2);
/// assert_eq!(batch.sort_by(|n| *n).map(|n| n * 10).collect(), [10, 20, 30]);
/// ```
pub struct Batch<T: Record + ?Sized> {
    blocks: Vec<Arc<T::Block>>,
    cloner: Option<T::Cloner>,
    cx: BatchCx,
}

/// What belongs to the batch and not to its records.
#[derive(Clone)]
struct BatchCx {
    time: BatchTime,
    rerun: bool,
    exec: Option<Arc<dyn Executor>>,
}

impl BatchCx {
    /// Runs tasks and returns their results in order.
    fn run<I: Send, R: Send>(&self, weight: usize, inputs: Vec<I>, work: impl Fn(I) -> R + Sync) -> Vec<R> {
        let Some(exec) = &self.exec else { return inputs.into_iter().map(work).collect() };
        let inputs: Vec<Mutex<Option<I>>> = inputs.into_iter().map(|input| Mutex::new(Some(input))).collect();
        let outputs: Vec<Mutex<Option<std::thread::Result<R>>>> = inputs.iter().map(|_| Mutex::new(None)).collect();
        exec.run(inputs.len(), weight, &|task| {
            let input = lock(&inputs[task]).take().expect("each task runs once");
            let output = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| work(input)));
            *lock(&outputs[task]) = Some(output);
        });
        let finished = outputs.into_iter().map(|output| lock(&output).take().expect("each task ran"));
        finished.map(|output| output.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    }
}

impl<T: Record + ?Sized> Batch<T> {
    /// The data set of a node in a run.
    pub(crate) fn read(run: &Run<'_>, node: NodeId, cloner: Option<T::Cloner>) -> Result<Self> {
        let data: Arc<dyn Dataset<T>> = run.dataset::<T>(node)?;
        let blocks = run.tasks(data.partitions(), data.weight(), &|task| data.read(task.partition))?;
        run.ledger().set_lengths(node, blocks.iter().map(|block| block.len()));
        Ok(Self::from_blocks(run, blocks, cloner.or_else(|| data.cloner())))
    }

    pub(crate) fn from_blocks(run: &Run<'_>, blocks: Vec<Arc<T::Block>>, cloner: Option<T::Cloner>) -> Self {
        let cx = BatchCx { time: run.time(), rerun: run.is_rerun(), exec: Some(Arc::clone(run.exec())) };
        Self { blocks, cloner, cx }
    }

    pub(crate) fn into_blocks(self) -> (Vec<Arc<T::Block>>, Option<T::Cloner>) {
        (self.blocks, self.cloner)
    }

    /// The same batch for those outside of the context: its methods work on the calling thread.
    pub(crate) fn detached(mut self) -> Self {
        self.cx.exec = None;
        self
    }

    fn like<U: Record + ?Sized>(cx: BatchCx, blocks: Vec<Arc<U::Block>>, cloner: Option<U::Cloner>) -> Batch<U> {
        Batch { blocks, cloner, cx }
    }

    /// The time of the batch.
    #[must_use]
    pub fn time(&self) -> BatchTime {
        self.cx.time
    }

    /// Whether this batch was begun by an earlier run of the program that did not finish it.
    ///
    /// An output that is not idempotent looks here whether it may have seen the batch before.
    #[must_use]
    pub fn is_rerun(&self) -> bool {
        self.cx.rerun
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.blocks.iter().map(|block| block.len()).sum()
    }

    /// Number of records, as Spark calls it.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.len() as u64
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of partitions.
    #[must_use]
    pub fn num_partitions(&self) -> usize {
        self.blocks.len()
    }

    /// The records by reference, the partitions one after the other.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.partitions().flatten()
    }

    /// The partitions, each an iterator over its records by reference.
    pub fn partitions(&self) -> impl Iterator<Item = impl Iterator<Item = &T>> {
        self.blocks.iter().map(|block| (0..block.len()).map(move |index| T::peek(block, index)))
    }

    /// Calls `f` with each partition's number and the iterator over its records, by value, all partitions in parallel, and
    /// returns what it returned, in order.
    pub fn each_partition<R: Send>(
        self,
        f: impl Fn(usize, &mut dyn Iterator<Item = T::View<'_>>) -> R + Sync,
    ) -> Vec<R> {
        let weight = self.len();
        let cloner = self.cloner;
        let parts = self.blocks.into_iter().enumerate().collect();
        self.cx.run(weight, parts, |(part, block): (usize, Arc<T::Block>)| {
            let mut held = T::hold(block, cloner);
            f(part, &mut T::views(&mut held))
        })
    }

    /// A batch whose partitions are made from those of this one, in parallel.
    fn narrow<U: Send + Sync + 'static>(self, f: impl Fn(&mut dyn FnMut(U), &mut T::Held) + Sync) -> Batch<U> {
        let weight = self.len();
        let cloner = self.cloner;
        let cx = self.cx.clone();
        let blocks = self.cx.run(weight, self.blocks, |block| {
            let mut out = Vec::new();
            f(&mut |record| out.push(record), &mut T::hold(block, cloner));
            Arc::new(out)
        });
        Self::like(cx, blocks, None)
    }

    /// One record for each record.
    #[must_use = "a batch does nothing by itself"]
    pub fn map<U: Send + Sync + 'static>(self, f: impl for<'a> Fn(T::View<'a>) -> U + Sync) -> Batch<U> {
        self.narrow(|out, held| T::views(held).for_each(|record| out(f(record))))
    }

    /// Any number of records for each record.
    #[must_use = "a batch does nothing by itself"]
    pub fn flat_map<U: Send + Sync + 'static, I: IntoIterator<Item = U>>(
        self,
        f: impl for<'a> Fn(T::View<'a>) -> I + Sync,
    ) -> Batch<U> {
        self.narrow(|out, held| T::views(held).flat_map(&f).for_each(out))
    }
}

impl<T: Send + Sync + 'static> Batch<T> {
    /// A batch of these records in `partitions` partitions, for tests and for functions that make records up.
    ///
    /// It works on the calling thread until it is combined with a batch of a stream.
    #[must_use]
    pub fn of(records: impl IntoIterator<Item = T>, partitions: usize) -> Self {
        let blocks = cut_records(records, partitions.max(1));
        Self { blocks, cloner: None, cx: BatchCx { time: BatchTime::default(), rerun: false, exec: None } }
    }

    /// The records, the partitions one after the other.
    #[must_use]
    pub fn collect(self) -> Vec<T> {
        let cloner = self.cloner;
        self.blocks.into_iter().flat_map(|block| T::hold(block, cloner)).collect()
    }

    /// The records of each partition.
    #[must_use]
    pub fn into_partitions(self) -> Vec<Vec<T>> {
        let cloner = self.cloner;
        // Blocks that nobody else holds are handed over as they are.
        let records = |block| Arc::try_unwrap(block).unwrap_or_else(|block| T::hold(block, cloner).collect());
        self.blocks.into_iter().map(records).collect()
    }

    /// The first `limit` records.
    #[must_use]
    pub fn take(self, limit: usize) -> Vec<T> {
        let cloner = self.cloner;
        self.blocks.into_iter().flat_map(|block| T::hold(block, cloner)).take(limit).collect()
    }

    /// The records for which `keep` holds.
    #[must_use = "a batch does nothing by itself"]
    pub fn filter(self, keep: impl Fn(&T) -> bool + Sync) -> Self {
        let cloner = self.cloner;
        let kept = self.narrow(|out, held| held.filter(|record| keep(record)).for_each(out));
        Self { cloner, ..kept }
    }

    /// One record of all, or nothing for an empty batch. `f` must be associative.
    pub fn reduce(self, f: impl Fn(T, T) -> T + Sync) -> Option<T> {
        self.each_partition(|_, records| records.reduce(&f)).into_iter().flatten().reduce(&f)
    }

    /// All records in ascending order of `key`, in the same number of partitions: read one after the other, the
    /// partitions are sorted. Records with equal keys keep their order.
    ///
    /// **Cost**: partitions are sorted in parallel and merged on the calling thread.
    #[must_use = "a batch does nothing by itself"]
    pub fn sort_by<Key: Ord>(self, key: impl Fn(&T) -> Key + Sync) -> Self {
        self.sorted(|left, right| key(left).cmp(&key(right)))
    }

    /// As [`sort_by`](Self::sort_by), descending.
    #[must_use = "a batch does nothing by itself"]
    pub fn sort_by_desc<Key: Ord>(self, key: impl Fn(&T) -> Key + Sync) -> Self {
        self.sorted(|left, right| key(right).cmp(&key(left)))
    }

    fn sorted(self, order: impl Fn(&T, &T) -> std::cmp::Ordering + Sync) -> Self {
        let (cloner, cx, partitions) = (self.cloner, self.cx.clone(), self.num_partitions());
        let runs = self.each_partition(|_, records| {
            let mut run: Vec<T> = records.collect();
            run.sort_by(&order);
            run
        });
        // The standard library's stable sort finds sorted runs and merges them.
        let mut all: Vec<T> = runs.into_iter().flatten().collect();
        all.sort_by(&order);
        Batch { cloner, cx, blocks: Self::of(all, partitions).blocks }
    }

    /// The records of this batch, then those of `other`, each with its partitions.
    #[must_use = "a batch does nothing by itself"]
    pub fn union(mut self, other: Self) -> Self {
        self.blocks.extend(other.blocks);
        self.cloner = self.cloner.or(other.cloner);
        self.cx.exec = self.cx.exec.or(other.cx.exec);
        self
    }
}

impl<K, V> Batch<(K, V)>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Each record with each record of `other` that has the same key, in the partitions of this batch.
    ///
    /// **Cost**: a table of `other` is built on the calling thread; the look-ups run in parallel.
    #[must_use = "a batch does nothing by itself"]
    pub fn join<W: Clone + Send + Sync + 'static>(self, other: Batch<(K, W)>) -> Batch<(K, (V, W))> {
        let mut table: HashMap<K, Vec<W>> = HashMap::new();
        for (key, value) in other.collect() {
            table.entry(key).or_default().push(value);
        }
        self.narrow(|out, held| {
            for (key, value) in held {
                for right in table.get(&key).map_or(&[][..], Vec::as_slice) {
                    out((key.clone(), (value.clone(), right.clone())));
                }
            }
        })
    }
}

impl<T: Fork + ?Sized> Clone for Batch<T> {
    fn clone(&self) -> Self {
        Self { blocks: self.blocks.clone(), cloner: T::cloner(), cx: self.cx.clone() }
    }
}

impl<T: Record + fmt::Debug + ?Sized> fmt::Debug for Batch<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}
