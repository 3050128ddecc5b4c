//! Windows with a value for each key: `reduce_by_key_and_window`, `count_by_value_and_window`, `group_by_key_and_window`.
//!
//! The map side is that of the operator without a window; the reduce side merges a batch's buckets to partial aggregates
//! and hands them to the [`Panes`] of the partition.

use std::any::Any;
use std::collections::BTreeMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::fold::{Fold, Inverse, TwoStacks, Values};
use super::panes::Panes;
use super::saved::{self, Restored, Writer};
use super::{Continuity, WindowSpec};
use crate::dstream::DStream;
use crate::error::{Error, Result};
use crate::metrics::work::Holding;
use crate::plan::Operator;
use crate::plan::explain::type_name;
use crate::record::{Data, Key};
use crate::run::{At, Task};
use crate::shuffle::KeyHasher;
use crate::shuffle::map_side::{Aggregator, Bucket, CombineWriter, Foreseen, ScatterWriter};
use crate::shuffle::reduce_side::{group, merge_buckets, transpose};
use crate::shuffle::table::Table;
use crate::stage::combine::{Reduce, Tally, ValueWriter, checked};
use crate::stage::sink::Sink;
use crate::stage::{Gather, GatherCx};
use crate::state::checkpointed::{Change, Checkpointed, Entries, Extent};
use crate::state::codec::PairCodec;
use crate::time::lock;
use crate::topology::AnyDataset;

/// Makes the records of a window in one partition: those that the operator keeps.
type Records<K, A, F> = Box<dyn Fn(&F, &mut Panes<K, A, F>) -> Vec<(K, A)> + Send + Sync>;

/// The window of a keyed stream: panes for each partition, and how a key's panes become its value.
pub(crate) struct KeyedWindow<K: 'static, A, F: Fold<A>> {
    fold: F,
    records: Records<K, A, F>,
    operator: &'static Operator,
    hasher: KeyHasher,
    /// The parallelism of the context if the operator says nothing.
    partitions: Option<usize>,
    foreseen: Foreseen,
    continuity: Mutex<Continuity>,
    panes: OnceLock<Vec<Mutex<Panes<K, A, F>>>>,
    codec: OnceLock<PairCodec<K, A>>,
    tracked: OnceLock<()>,
    /// For each partition, what the checkpoint holds of it.
    saved: Mutex<Vec<BTreeMap<u64, usize>>>,
    /// Whether it was restored and not saved since.
    restored: AtomicBool,
}

impl<K, A, F> KeyedWindow<K, A, F>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    A: Clone + Send + Sync + 'static,
    F: Fold<A>,
{
    pub(crate) fn new(
        operator: &'static Operator,
        fold: F,
        partitions: Option<usize>,
        keep: impl Fn(&(K, A)) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self {
            fold,
            records: Box::new(move |fold, panes| panes.records(fold, &keep)),
            operator,
            hasher: KeyHasher::new(),
            partitions,
            foreseen: Foreseen::default(),
            continuity: Mutex::default(),
            panes: OnceLock::new(),
            codec: OnceLock::new(),
            tracked: OnceLock::new(),
            saved: Mutex::default(),
            restored: AtomicBool::new(false),
        }
    }

    /// In how many partitions stages write.
    pub(crate) fn partitions(&self, parallelism: usize) -> usize {
        self.partitions.unwrap_or(parallelism)
    }

    /// A writer that combines values.
    fn combine_writer<G: Aggregator>(&self, aggregator: Arc<G>, task: Task) -> CombineWriter<K, G> {
        CombineWriter::new(aggregator, self.hasher.clone(), self.partitions(task.parallelism), &self.foreseen)
    }

    /// The hasher of keys, the same for all writers.
    pub(crate) fn hasher(&self) -> KeyHasher {
        self.hasher.clone()
    }

    fn empty(&self, partitions: usize) -> Vec<Mutex<Panes<K, A, F>>> {
        let panes = || {
            let mut panes = Panes::default();
            if self.tracked.get().is_some() {
                panes.track();
            }
            Mutex::new(panes)
        };
        std::iter::repeat_with(panes).take(partitions).collect()
    }

    /// Takes a batch in. `parts[p]` is what the map tasks wrote for partition `p`, and `combine` makes a table of it.
    pub(crate) fn step<B: Send>(
        &self,
        cx: &GatherCx<'_, '_>,
        parts: Vec<Vec<B>>,
        weight: usize,
        combine: impl Fn(Vec<B>) -> Table<K, A> + Sync,
        merge: impl Fn(A, A) -> A + Sync,
    ) -> Result<Vec<Arc<Vec<(K, A)>>>> {
        let step = cx.run.window_step(cx.node);
        lock(&self.continuity).step(&step)?;
        let windows = self.panes.get_or_init(|| self.empty(parts.len()));
        let parts: Vec<Mutex<Vec<B>>> = parts.into_iter().map(Mutex::new).collect();
        let blocks = cx.run.tasks(parts.len(), weight, &|task| {
            let at = At(self.operator);
            let batch = combine(std::mem::take(&mut *lock(&parts[task.partition])));
            let mut panes = lock(&windows[task.partition]);
            panes.step(&self.fold, &step, batch, &merge);
            let records = if step.ends_window() { (self.records)(&self.fold, &mut panes) } else { Vec::new() };
            std::mem::forget(at);
            Arc::new(records)
        });
        // A closure that failed half-way may have left panes that were entered by half.
        let blocks = blocks.inspect_err(|_| lock(&self.continuity).lose())?;
        let holding = windows.iter().map(|panes| lock(panes).holding()).reduce(Holding::and);
        cx.run.ledger().set_shuffled(cx.node, weight);
        cx.run.ledger().keep(cx.node, holding.unwrap_or_default());
        Ok(blocks)
    }
}

impl<K, A, F> Checkpointed for KeyedWindow<K, A, F>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    A: Clone + Send + Sync + 'static,
    F: Fold<A>,
{
    fn fingerprint(&self) -> String {
        format!("window of {} for each {}", type_name::<A>(), type_name::<K>())
    }

    fn set_codec(&self, codec: &dyn Any) {
        if let Some(codec) = codec.downcast_ref::<PairCodec<K, A>>() {
            let _ = self.codec.set(*codec);
        }
    }

    fn has_codec(&self) -> bool {
        self.codec.get().is_some()
    }

    fn track(&self) {
        let _ = self.tracked.set(());
        self.panes.get().into_iter().flatten().for_each(|panes| lock(panes).track());
    }

    // Entries are named after partitions and parts of the run that wrote them.
    fn wants_base(&self) -> bool {
        self.restored.load(Ordering::Relaxed)
    }

    fn begin(&self, since_zero: u64) {
        lock(&self.continuity).resume(since_zero);
    }

    fn save(&self, extent: Extent) -> Result<Vec<Change>> {
        self.restored.store(false, Ordering::Relaxed);
        let codec = self.codec.get().ok_or_else(|| Error::invalid("this window cannot be written to a checkpoint"))?;
        let mut changes = Vec::new();
        let mut saved = lock(&self.saved);
        for (partition, panes) in self.panes.get().into_iter().flatten().enumerate() {
            if saved.len() <= partition {
                saved.push(BTreeMap::new());
            }
            if extent == Extent::Everything {
                saved[partition].clear();
            }
            let parts = &mut saved[partition];
            let mut writer = Writer { codec, partition: partition as u64, parts, changes: &mut changes };
            lock(panes).save(&self.fold, extent == Extent::Everything, |saved| writer.save(saved))?;
        }
        Ok(changes)
    }

    fn restore(&self, since_zero: u64, parallelism: usize, entries: Entries<'_>) -> Result<()> {
        let codec = self.codec.get().ok_or_else(|| Error::invalid("this window cannot be read from a checkpoint"))?;
        let partitions = self.partitions(parallelism);
        let restored = saved::read(codec, &self.hasher, partitions, entries)?;
        let windows = self.empty(partitions);
        for (panes, Restored { panes: complete, open, values }) in windows.iter().zip(restored) {
            lock(panes).restore(&self.fold, complete.into_iter(), open, values);
        }
        lock(&self.continuity).resume(since_zero);
        self.restored.store(true, Ordering::Relaxed);
        self.panes.set(windows).map_err(|_| Error::illegal_state("a window is restored before its first batch"))
    }
}

/// `reduce_by_key_and_window`; the fold tells whether there is an inverse function.
pub struct ReduceWindow<K: 'static, V, F, L: Fold<V>> {
    aggregator: Arc<Reduce<V, F>>,
    window: Arc<KeyedWindow<K, V, L>>,
}

impl<K, V, F, L> Gather for ReduceWindow<K, V, F, L>
where
    K: Key + Clone + Data,
    V: Clone + Send + Sync + 'static,
    F: Fn(V, V) -> V + Send + Sync + 'static,
    L: Fold<V>,
{
    type Record = (K, V);
    type Writer = CombineWriter<K, Reduce<V, F>>;
    const COALESCES: bool = true;

    fn writer(&self, task: Task) -> Self::Writer {
        self.window.combine_writer(Arc::clone(&self.aggregator), task)
    }

    fn gather(self: &Arc<Self>, written: Vec<Self::Writer>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let partitions = self.window.partitions(cx.run.parallelism());
        let written: Vec<_> = written.into_iter().map(CombineWriter::into_buckets).collect();
        self.window.foreseen.note(&written);
        let weight = written.iter().flatten().map(Bucket::len).sum();
        let aggregator = &*self.aggregator;
        let blocks = self.window.step(
            cx,
            transpose(written, partitions),
            weight,
            |buckets| merge_buckets(aggregator, buckets),
            |left, right| aggregator.merge(left, right),
        )?;
        Ok(cx.run.blocks::<(K, V)>(cx.node, blocks))
    }
}

impl<K, V, F> Sink<ReduceWindow<K, V, F, TwoStacks<Reduce<V, F>>>>
where
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
    ) -> DStream<(K, V)>
    where
        K: Key + Clone + Data,
    {
        let aggregator = Arc::new(Reduce::new(reduce));
        let fold = TwoStacks { aggregator: Arc::clone(&aggregator) };
        let window = Arc::new(KeyedWindow::new(operator, fold, checked(partitions), |_| true));
        let state = Arc::clone(&window);
        self.build_window(operator, WindowSpec { length, slide }, state, ReduceWindow { aggregator, window })
    }
}

impl<K, V, F, I> Sink<ReduceWindow<K, V, F, Inverse<Reduce<V, F>, I>>>
where
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
    ) -> DStream<(K, V)>
    where
        K: Key + Clone + Data,
    {
        let aggregator = Arc::new(Reduce::new(reduce));
        let fold = Inverse { aggregator: Arc::clone(&aggregator), inverse };
        let window = Arc::new(KeyedWindow::new(operator, fold, checked(partitions), keep));
        let state = Arc::clone(&window);
        self.build_window(operator, WindowSpec { length, slide }, state, ReduceWindow { aggregator, window })
    }
}

/// `count_by_value_and_window`: how often each record occurs in the window.
pub struct CountWindow<K: 'static> {
    window: Arc<KeyedWindow<K, u64, Inverse<Tally, fn(u64, u64) -> u64>>>,
}

impl<K: Key + Clone + Data> Gather for CountWindow<K> {
    type Record = (K, u64);
    type Writer = ValueWriter<K, Tally>;
    const COALESCES: bool = true;

    fn writer(&self, task: Task) -> ValueWriter<K, Tally> {
        ValueWriter::new(self.window.combine_writer(Arc::new(Tally), task))
    }

    fn gather(self: &Arc<Self>, written: Vec<ValueWriter<K, Tally>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let partitions = self.window.partitions(cx.run.parallelism());
        let written: Vec<_> = written.into_iter().map(ValueWriter::into_buckets).collect();
        self.window.foreseen.note(&written);
        let weight = written.iter().flatten().map(Bucket::len).sum();
        let parts = transpose(written, partitions);
        let combine = |buckets| merge_buckets(&Tally, buckets);
        let blocks = self.window.step(cx, parts, weight, combine, |left, right| left + right)?;
        Ok(cx.run.blocks::<(K, u64)>(cx.node, blocks))
    }
}

impl<K> Sink<CountWindow<K>> {
    /// Makes the node of a `count_by_value_and_window`.
    pub fn finish(
        self,
        operator: &'static Operator,
        length: Duration,
        slide: Option<Duration>,
        partitions: Option<usize>,
    ) -> DStream<(K, u64)>
    where
        K: Key + Clone + Data,
    {
        let fold = Inverse { aggregator: Arc::new(Tally), inverse: (|all, left| all - left) as fn(u64, u64) -> u64 };
        let window = Arc::new(KeyedWindow::new(operator, fold, checked(partitions), |(_, count)| *count > 0));
        self.build_window(operator, WindowSpec { length, slide }, window.clone(), CountWindow { window })
    }
}

/// `group_by_key_and_window`: all values of a key in the window.
pub struct GroupWindow<K: 'static, V: Clone + Send + Sync + 'static> {
    window: Arc<KeyedWindow<K, Vec<V>, Values>>,
}

impl<K, V> Gather for GroupWindow<K, V>
where
    K: Key + Clone + Data,
    V: Clone + Send + Sync + 'static,
{
    type Record = (K, Vec<V>);
    type Writer = ScatterWriter<K, V>;

    fn writer(&self, task: Task) -> ScatterWriter<K, V> {
        ScatterWriter::new(self.window.hasher(), self.window.partitions(task.parallelism))
    }

    fn gather(self: &Arc<Self>, written: Vec<ScatterWriter<K, V>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let partitions = self.window.partitions(cx.run.parallelism());
        let written: Vec<_> = written.into_iter().map(ScatterWriter::into_buckets).collect();
        let weight = written.iter().flatten().map(Vec::len).sum();
        let parts = transpose(written, partitions);
        let blocks = self.window.step(cx, parts, weight, group, |mut older, newer| {
            older.extend(newer);
            older
        })?;
        Ok(cx.run.blocks::<(K, Vec<V>)>(cx.node, blocks))
    }
}

impl<K, V> Sink<GroupWindow<K, V>>
where
    V: Clone + Send + Sync + 'static,
{
    /// Makes the node of a `group_by_key_and_window`.
    pub fn finish(
        self,
        operator: &'static Operator,
        length: Duration,
        slide: Option<Duration>,
        partitions: Option<usize>,
    ) -> DStream<(K, Vec<V>)>
    where
        K: Key + Clone + Data,
    {
        let window = Arc::new(KeyedWindow::new(operator, Values, checked(partitions), |_| true));
        self.build_window(operator, WindowSpec { length, slide }, window.clone(), GroupWindow { window })
    }
}
