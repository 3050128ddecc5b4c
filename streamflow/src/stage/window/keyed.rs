//! Windows with a value for each key: `reduce_by_key_and_window`, `count_by_value_and_window`, `group_by_key_and_window`.
//!
//! The map side is that of the operator without a window; the reduce side merges a batch's buckets to partial aggregates
//! and hands them to the [`Panes`] of the partition.

use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::fold::{Fold, Inverse, TwoStacks, Values};
use super::panes::Panes;
use super::{Continuity, WindowSpec};
use crate::dstream::DStream;
use crate::error::Result;
use crate::metrics::work::Kept;
use crate::plan::Operator;
use crate::run::{At, Task};
use crate::shuffle::KeyHasher;
use crate::shuffle::map_side::{Aggregator, Bucket, CombineWriter, ScatterWriter};
use crate::shuffle::reduce_side::{group, merge_buckets, transpose};
use crate::shuffle::table::Table;
use crate::stage::combine::{Reduce, Tally, ValueWriter, checked};
use crate::stage::sink::Sink;
use crate::stage::{Gather, GatherCx};
use crate::time::lock;
use crate::topology::AnyDataset;

/// Whether a record of a window is wanted.
pub(crate) type Keep<T> = Box<dyn Fn(&T) -> bool + Send + Sync>;

/// The window of a keyed stream: panes for each partition, and how a key's panes become its value.
pub(crate) struct KeyedWindow<K, A, F: Fold<A>> {
    fold: F,
    keep: Keep<(K, A)>,
    operator: &'static Operator,
    continuity: Mutex<Continuity>,
    partitions: OnceLock<Vec<Mutex<Panes<K, A, F>>>>,
}

impl<K, A, F> KeyedWindow<K, A, F>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    A: Send + Sync + 'static,
    F: Fold<A>,
    A: Clone,
{
    pub(crate) fn new(operator: &'static Operator, fold: F, keep: Keep<(K, A)>) -> Self {
        Self { fold, keep, operator, continuity: Mutex::default(), partitions: OnceLock::new() }
    }

    /// Takes a batch in. `parts[p]` is what the map tasks wrote for partition `p`, and `combine` makes a table of it.
    pub(crate) fn step<B: Send>(
        &self,
        cx: &GatherCx<'_, '_>,
        parts: Vec<Vec<B>>,
        weight: usize,
        combine: impl Fn(Vec<B>) -> Table<K, A> + Sync,
        merge: impl Fn(A, A) -> A + Sync,
    ) -> Result<AnyDataset> {
        let step = cx.run.window_step(cx.node);
        lock(&self.continuity).step(&step)?;
        let windows = self.partitions.get_or_init(|| parts.iter().map(|_| Mutex::default()).collect());
        let parts: Vec<Mutex<Vec<B>>> = parts.into_iter().map(Mutex::new).collect();
        let blocks = cx.run.tasks(parts.len(), weight, &|task| {
            let at = At(self.operator);
            let batch = combine(std::mem::take(&mut *lock(&parts[task.partition])));
            let mut panes = lock(&windows[task.partition]);
            panes.step(&self.fold, &step, batch, &merge);
            let records = if step.ends_window() { panes.records(&self.fold, &*self.keep) } else { Vec::new() };
            std::mem::forget(at);
            Arc::new(records)
        });
        // A closure that failed half-way may have left panes that were entered by half.
        let blocks = blocks.inspect_err(|_| lock(&self.continuity).lose())?;
        let kept = windows.iter().map(|panes| lock(panes).kept()).reduce(Kept::and);
        cx.run.ledger().set_shuffled(cx.node, weight);
        cx.run.ledger().keep(cx.node, kept.unwrap_or_default());
        Ok(cx.run.blocks::<(K, A)>(cx.node, blocks))
    }
}

/// `reduce_by_key_and_window`; the fold tells whether there is an inverse function.
pub struct ReduceWindow<K, V, F, L: Fold<V>> {
    aggregator: Arc<Reduce<V, F>>,
    hasher: KeyHasher,
    partitions: Option<usize>,
    window: KeyedWindow<K, V, L>,
}

impl<K, V, F, L> Gather for ReduceWindow<K, V, F, L>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    F: Fn(V, V) -> V + Send + Sync + 'static,
    L: Fold<V>,
{
    type Record = (K, V);
    type Writer = CombineWriter<K, Reduce<V, F>>;

    fn writer(&self, task: Task) -> Self::Writer {
        let partitions = self.partitions.unwrap_or(task.parallelism);
        CombineWriter::new(Arc::clone(&self.aggregator), self.hasher.clone(), partitions, true)
    }

    fn gather(self: &Arc<Self>, written: Vec<Self::Writer>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let partitions = self.partitions.unwrap_or(cx.run.parallelism());
        let written: Vec<_> = written.into_iter().map(CombineWriter::into_buckets).collect();
        let weight = written.iter().flatten().map(Bucket::len).sum();
        let aggregator = &*self.aggregator;
        self.window.step(
            cx,
            transpose(written, partitions),
            weight,
            |buckets| merge_buckets(aggregator, buckets),
            |left, right| aggregator.merge(left, right),
        )
    }
}

impl<K, V, F> Sink<ReduceWindow<K, V, F, TwoStacks<Reduce<V, F>>>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    F: Fn(V, V) -> V + Send + Sync + 'static,
{
    /// Makes the node of a `reduce_by_key_and_window` without inverse function.
    pub fn finish(
        self,
        operator: &'static Operator,
        reduce: F,
        length: Duration,
        slide: Option<Duration>,
        partitions: Option<usize>,
    ) -> DStream<(K, V)> {
        let aggregator = Arc::new(Reduce::new(reduce));
        let fold = TwoStacks { aggregator: Arc::clone(&aggregator) };
        let window = KeyedWindow::new(operator, fold, Box::new(|_| true));
        let gather = ReduceWindow { aggregator, hasher: KeyHasher::new(), partitions: checked(partitions), window };
        self.build_window(operator, WindowSpec { length, slide }, gather)
    }
}

impl<K, V, F, I> Sink<ReduceWindow<K, V, F, Inverse<Reduce<V, F>, I>>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
    F: Fn(V, V) -> V + Send + Sync + 'static,
    I: Fn(V, V) -> V + Send + Sync + 'static,
{
    /// Makes the node of a `reduce_by_key_and_window` with an inverse function.
    #[allow(clippy::too_many_arguments, reason = "they are the operator's")]
    pub fn finish(
        self,
        operator: &'static Operator,
        reduce: F,
        inverse: I,
        length: Duration,
        slide: Option<Duration>,
        partitions: Option<usize>,
        keep: impl Fn(&(K, V)) -> bool + Send + Sync + 'static,
    ) -> DStream<(K, V)> {
        let aggregator = Arc::new(Reduce::new(reduce));
        let fold = Inverse { aggregator: Arc::clone(&aggregator), inverse };
        let window = KeyedWindow::new(operator, fold, Box::new(keep));
        let gather = ReduceWindow { aggregator, hasher: KeyHasher::new(), partitions: checked(partitions), window };
        self.build_window(operator, WindowSpec { length, slide }, gather)
    }
}

/// `count_by_value_and_window`: how often each record occurs in the window.
pub struct CountWindow<K> {
    hasher: KeyHasher,
    partitions: Option<usize>,
    window: KeyedWindow<K, u64, Inverse<Tally, fn(u64, u64) -> u64>>,
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Gather for CountWindow<K> {
    type Record = (K, u64);
    type Writer = ValueWriter<K, Tally>;

    fn writer(&self, task: Task) -> ValueWriter<K, Tally> {
        let partitions = self.partitions.unwrap_or(task.parallelism);
        ValueWriter::new(CombineWriter::new(Arc::new(Tally), self.hasher.clone(), partitions, true))
    }

    fn gather(self: &Arc<Self>, written: Vec<ValueWriter<K, Tally>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let partitions = self.partitions.unwrap_or(cx.run.parallelism());
        let written: Vec<_> = written.into_iter().map(ValueWriter::into_buckets).collect();
        let weight = written.iter().flatten().map(Bucket::len).sum();
        let parts = transpose(written, partitions);
        self.window.step(cx, parts, weight, |buckets| merge_buckets(&Tally, buckets), |left, right| left + right)
    }
}

impl<K: Hash + Eq + Clone + Send + Sync + 'static> Sink<CountWindow<K>> {
    /// Makes the node of a `count_by_value_and_window`.
    pub fn finish(
        self,
        operator: &'static Operator,
        length: Duration,
        slide: Option<Duration>,
        partitions: Option<usize>,
    ) -> DStream<(K, u64)> {
        let fold = Inverse { aggregator: Arc::new(Tally), inverse: (|all, left| all - left) as fn(u64, u64) -> u64 };
        let window = KeyedWindow::new(operator, fold, Box::new(|(_, count)| *count > 0));
        let gather = CountWindow { hasher: KeyHasher::new(), partitions: checked(partitions), window };
        self.build_window(operator, WindowSpec { length, slide }, gather)
    }
}

/// `group_by_key_and_window`: all values of a key in the window.
pub struct GroupWindow<K, V: Clone + Send + Sync + 'static> {
    hasher: KeyHasher,
    partitions: Option<usize>,
    window: KeyedWindow<K, Vec<V>, Values>,
}

impl<K, V> Gather for GroupWindow<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    type Record = (K, Vec<V>);
    type Writer = ScatterWriter<K, V>;

    fn writer(&self, task: Task) -> ScatterWriter<K, V> {
        ScatterWriter::new(self.hasher.clone(), self.partitions.unwrap_or(task.parallelism))
    }

    fn gather(self: &Arc<Self>, written: Vec<ScatterWriter<K, V>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let partitions = self.partitions.unwrap_or(cx.run.parallelism());
        let written: Vec<_> = written.into_iter().map(ScatterWriter::into_buckets).collect();
        let weight = written.iter().flatten().map(Vec::len).sum();
        self.window.step(cx, transpose(written, partitions), weight, group, |mut older, newer| {
            older.extend(newer);
            older
        })
    }
}

impl<K, V> Sink<GroupWindow<K, V>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Makes the node of a `group_by_key_and_window`.
    pub fn finish(
        self,
        operator: &'static Operator,
        length: Duration,
        slide: Option<Duration>,
        partitions: Option<usize>,
    ) -> DStream<(K, Vec<V>)> {
        let window = KeyedWindow::new(operator, Values, Box::new(|_| true));
        let gather = GroupWindow { hasher: KeyHasher::new(), partitions: checked(partitions), window };
        self.build_window(operator, WindowSpec { length, slide }, gather)
    }
}
