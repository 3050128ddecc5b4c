//! Operators that keep one accumulator for each key: `reduce_by_key`, `combine_by_key`, `aggregate_by_key`, `fold_by_key`,
//! `count_by_value`, `distinct`.
//!
//! All are one [`Combine`] with different [`Aggregator`]s. *Cost*: one shuffle of at most one row for each key and map task.

use std::marker::PhantomData;
use std::sync::Arc;

use super::sink::Sink;
use super::{Gather, GatherCx};
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::Operator;
use crate::record::own::LiftedKey;
use crate::record::{Data, Key};
use crate::run::Task;
use crate::shuffle::KeyHasher;
use crate::shuffle::map_side::{Aggregator, Bucket, CombineWriter, Foreseen};
use crate::shuffle::reduce_side::MergeCombined;
use crate::topology::AnyDataset;
use crate::vectors::mapped;

/// Combines the values of each key.
pub struct Combine<K, G> {
    aggregator: Arc<G>,
    hasher: KeyHasher,
    operator: &'static Operator,
    partitions: Option<usize>,
    foreseen: Foreseen,
    key: PhantomData<fn() -> K>,
}

impl<K, G> Combine<K, G> {
    fn new(operator: &'static Operator, aggregator: G, partitions: Option<usize>) -> Self {
        Self {
            aggregator: Arc::new(aggregator),
            hasher: KeyHasher::new(),
            operator,
            partitions,
            foreseen: Foreseen::default(),
            key: PhantomData,
        }
    }
}

impl<K: Key + Data, G: Aggregator> Combine<K, G> {
    /// The node's data set: each key with its accumulator, as `record` makes it one.
    fn merged<R: Send + Sync + 'static>(
        &self,
        written: Vec<Vec<Bucket<K, G::Acc>>>,
        record: impl Fn(K, G::Acc) -> R + Send + Sync + 'static,
        cx: &GatherCx<'_, '_>,
    ) -> Result<AnyDataset> {
        self.foreseen.note(&written);
        let merge = MergeCombined {
            aggregator: Arc::clone(&self.aggregator),
            operator: self.operator,
            record,
            partitions: self.partitions.unwrap_or(cx.run.parallelism()),
            key: PhantomData,
        };
        cx.shuffled(merge.merged(written))
    }
}

impl<K: Key + Data, G: Aggregator> Gather for Combine<K, G> {
    type Record = (K, G::Acc);
    type Writer = CombineWriter<K, G>;
    const COALESCES: bool = true;

    fn writer(&self, task: Task) -> CombineWriter<K, G> {
        let partitions = self.partitions.unwrap_or(task.parallelism);
        CombineWriter::new(Arc::clone(&self.aggregator), self.hasher.clone(), partitions, &self.foreseen)
    }

    fn gather(self: &Arc<Self>, written: Vec<CombineWriter<K, G>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        self.merged(mapped(written, CombineWriter::into_buckets), |key, acc| (key, acc), cx)
    }
}

/// Makes a count of partitions from the argument of an operator; zero is taken as one.
pub(crate) fn checked(partitions: Option<usize>) -> Option<usize> {
    partitions.map(|count| count.max(1))
}

/// `reduce_by_key`.
pub struct Reduce<V, F>(F, PhantomData<fn() -> V>);

impl<V, F> Reduce<V, F> {
    pub(crate) fn new(reduce: F) -> Self {
        Self(reduce, PhantomData)
    }
}

impl<V: Send + Sync + 'static, F: Fn(V, V) -> V + Send + Sync + 'static> Aggregator for Reduce<V, F> {
    type Value = V;
    type Acc = V;

    #[inline]
    fn create(&self, value: V) -> V {
        value
    }

    #[inline]
    fn add(&self, acc: V, value: V) -> V {
        (self.0)(acc, value)
    }

    #[inline]
    fn merge(&self, left: V, right: V) -> V {
        (self.0)(left, right)
    }
}

impl<K, V, F> Sink<Combine<K, Reduce<V, F>>> {
    /// Makes the node of a `reduce_by_key`.
    pub fn finish(self, operator: &'static Operator, reduce: F, partitions: Option<usize>) -> DStream<(K, V)>
    where
        K: Key + Data,
        V: Data,
        F: Fn(V, V) -> V + Send + Sync + 'static,
    {
        self.build(operator, Combine::new(operator, Reduce::new(reduce), checked(partitions)))
    }
}

/// `combine_by_key`: how a first value becomes a combiner, how a value is added, how combiners merge.
pub struct CombineBy<V, C, New, Add, Merge>(New, Add, Merge, PhantomData<fn(V) -> C>);

impl<V, C, New, Add, Merge> Aggregator for CombineBy<V, C, New, Add, Merge>
where
    V: 'static,
    C: Send + Sync + 'static,
    New: Fn(V) -> C + Send + Sync + 'static,
    Add: Fn(C, V) -> C + Send + Sync + 'static,
    Merge: Fn(C, C) -> C + Send + Sync + 'static,
{
    type Value = V;
    type Acc = C;

    #[inline]
    fn create(&self, value: V) -> C {
        (self.0)(value)
    }

    #[inline]
    fn add(&self, acc: C, value: V) -> C {
        (self.1)(acc, value)
    }

    #[inline]
    fn merge(&self, left: C, right: C) -> C {
        (self.2)(left, right)
    }
}

impl<K, V, C, New, Add, Merge> Sink<Combine<K, CombineBy<V, C, New, Add, Merge>>> {
    /// Makes the node of a `combine_by_key`.
    pub fn finish(
        self,
        operator: &'static Operator,
        create: New,
        merge_value: Add,
        merge_combiners: Merge,
        partitions: Option<usize>,
    ) -> DStream<(K, C)>
    where
        K: Key + Data,
        V: 'static,
        C: Data,
        New: Fn(V) -> C + Send + Sync + 'static,
        Add: Fn(C, V) -> C + Send + Sync + 'static,
        Merge: Fn(C, C) -> C + Send + Sync + 'static,
    {
        let aggregator = CombineBy(create, merge_value, merge_combiners, PhantomData);
        self.build(operator, Combine::new(operator, aggregator, checked(partitions)))
    }
}

/// `aggregate_by_key`: a zero for each key and map task, how a value is added, how accumulators merge.
pub struct Aggregate<V, A, Add, Merge>(A, Add, Merge, PhantomData<fn(V)>);

impl<V, A, Add, Merge> Aggregator for Aggregate<V, A, Add, Merge>
where
    V: 'static,
    A: Clone + Send + Sync + 'static,
    Add: Fn(A, V) -> A + Send + Sync + 'static,
    Merge: Fn(A, A) -> A + Send + Sync + 'static,
{
    type Value = V;
    type Acc = A;

    #[inline]
    fn create(&self, value: V) -> A {
        (self.1)(self.0.clone(), value)
    }

    #[inline]
    fn add(&self, acc: A, value: V) -> A {
        (self.1)(acc, value)
    }

    #[inline]
    fn merge(&self, left: A, right: A) -> A {
        (self.2)(left, right)
    }
}

impl<K, V, A, Add, Merge> Sink<Combine<K, Aggregate<V, A, Add, Merge>>> {
    /// Makes the node of an `aggregate_by_key`.
    pub fn finish(
        self,
        operator: &'static Operator,
        zero: A,
        add: Add,
        merge: Merge,
        partitions: Option<usize>,
    ) -> DStream<(K, A)>
    where
        K: Key + Data,
        V: 'static,
        A: Clone + Data,
        Add: Fn(A, V) -> A + Send + Sync + 'static,
        Merge: Fn(A, A) -> A + Send + Sync + 'static,
    {
        let aggregator = Aggregate(zero, add, merge, PhantomData);
        self.build(operator, Combine::new(operator, aggregator, checked(partitions)))
    }
}

/// `fold_by_key`: a zero for each key and map task, and one function.
pub struct Fold<V, F>(V, F);

impl<V: Clone + Send + Sync + 'static, F: Fn(V, V) -> V + Send + Sync + 'static> Aggregator for Fold<V, F> {
    type Value = V;
    type Acc = V;

    #[inline]
    fn create(&self, value: V) -> V {
        (self.1)(self.0.clone(), value)
    }

    #[inline]
    fn add(&self, acc: V, value: V) -> V {
        (self.1)(acc, value)
    }

    #[inline]
    fn merge(&self, left: V, right: V) -> V {
        (self.1)(left, right)
    }
}

impl<K, V, F> Sink<Combine<K, Fold<V, F>>> {
    /// Makes the node of a `fold_by_key`.
    pub fn finish(self, operator: &'static Operator, zero: V, fold: F, partitions: Option<usize>) -> DStream<(K, V)>
    where
        K: Key + Data,
        V: Clone + Data,
        F: Fn(V, V) -> V + Send + Sync + 'static,
    {
        self.build(operator, Combine::new(operator, Fold(zero, fold), checked(partitions)))
    }
}

/// Counts.
pub struct Tally;

impl Aggregator for Tally {
    type Value = ();
    type Acc = u64;

    #[inline]
    fn create(&self, (): ()) -> u64 {
        1
    }

    #[inline]
    fn add(&self, acc: u64, (): ()) -> u64 {
        acc + 1
    }

    #[inline]
    fn merge(&self, left: u64, right: u64) -> u64 {
        left + right
    }
}

/// Remembers nothing but the key.
pub struct Once;

impl Aggregator for Once {
    type Value = ();
    type Acc = ();

    #[inline]
    fn create(&self, (): ()) {}

    #[inline]
    fn add(&self, (): (), (): ()) {}

    #[inline]
    fn merge(&self, (): (), (): ()) {}
}

/// A writer for operators whose key is the record.
pub struct ValueWriter<K: 'static, G: Aggregator>(CombineWriter<K, G>);

impl<K: 'static, G: Aggregator<Value = ()>> ValueWriter<K, G> {
    pub(crate) fn new(writer: CombineWriter<K, G>) -> Self {
        Self(writer)
    }

    pub(crate) fn into_buckets(self) -> Vec<Bucket<K, G::Acc>> {
        self.0.into_buckets()
    }

    /// Adds a record.
    #[inline]
    pub fn push<Q: LiftedKey<Owned = K>>(&mut self, record: Q) {
        self.0.push(record, crate::record::own::Id(()));
    }
}

/// `count_by_value`: how often each record occurs.
pub struct CountByValue<K>(Combine<K, Tally>);

impl<K: Key + Data> Gather for CountByValue<K> {
    type Record = (K, u64);
    type Writer = ValueWriter<K, Tally>;
    const COALESCES: bool = true;

    fn writer(&self, task: Task) -> ValueWriter<K, Tally> {
        ValueWriter(self.0.writer(task))
    }

    fn gather(self: &Arc<Self>, written: Vec<ValueWriter<K, Tally>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        self.0.merged(mapped(written, ValueWriter::into_buckets), |key, count| (key, count), cx)
    }
}

impl<K> Sink<CountByValue<K>> {
    /// Makes the node of a `count_by_value`.
    pub fn finish(self, operator: &'static Operator, partitions: Option<usize>) -> DStream<(K, u64)>
    where
        K: Key + Data,
    {
        self.build(operator, CountByValue(Combine::new(operator, Tally, checked(partitions))))
    }
}

/// `distinct`: each record once.
pub struct Distinct<K>(Combine<K, Once>);

impl<K: Key + Data> Gather for Distinct<K> {
    type Record = K;
    type Writer = ValueWriter<K, Once>;
    const COALESCES: bool = true;

    fn writer(&self, task: Task) -> ValueWriter<K, Once> {
        ValueWriter(self.0.writer(task))
    }

    fn gather(self: &Arc<Self>, written: Vec<ValueWriter<K, Once>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        self.0.merged(mapped(written, ValueWriter::into_buckets), |key, ()| key, cx)
    }
}

impl<K> Sink<Distinct<K>> {
    /// Makes the node of a `distinct`.
    pub fn finish(self, operator: &'static Operator, partitions: Option<usize>) -> DStream<K>
    where
        K: Key + Data,
    {
        self.build(operator, Distinct(Combine::new(operator, Once, checked(partitions))))
    }
}
