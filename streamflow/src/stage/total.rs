//! Operators whose result is one partition: `count`, `reduce`, `top_by`.
//!
//! Each task reduces its partition; the few results meet in one.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::marker::PhantomData;
use std::sync::Arc;

use super::combine::Reduce;
use super::sink::Sink;
use super::{Gather, GatherCx};
use crate::dataset::{Merge, Merged};
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::Operator;
use crate::record::Data;
use crate::record::own::Lifted;
use crate::run::{At, Task};
use crate::shuffle::map_side::Aggregator;
use crate::topology::AnyDataset;

/// `count`: one record a batch, zero for an empty one.
pub struct Count;

/// Counts records.
#[derive(Default)]
pub struct CountWriter(u64);

impl CountWriter {
    pub(crate) fn count(&self) -> u64 {
        self.0
    }

    /// Counts one.
    #[inline]
    pub fn push<T>(&mut self, _: T) {
        self.0 += 1;
    }
}

impl Merge for Count {
    type Record = u64;
    type Bucket = CountWriter;

    fn merge(&self, buckets: Vec<CountWriter>) -> Vec<u64> {
        vec![buckets.iter().map(|bucket| bucket.0).sum()]
    }
}

impl Gather for Count {
    type Record = u64;
    type Writer = CountWriter;

    fn writer(&self, _: Task) -> CountWriter {
        CountWriter::default()
    }

    fn gather(self: &Arc<Self>, written: Vec<CountWriter>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        cx.shuffled(Merged::new(Arc::clone(self), vec![written], 1))
    }
}

impl Sink<Count> {
    /// Makes the node of a `count`.
    pub fn finish(self, operator: &'static Operator) -> DStream<u64> {
        self.build(operator, Count)
    }
}

/// `reduce`: one record for a batch that has any.
pub struct ReduceAll<T, F> {
    aggregator: Arc<Reduce<T, F>>,
    operator: &'static Operator,
}

/// Reduces the records of a partition.
pub struct ReduceWriter<T, F> {
    aggregator: Arc<Reduce<T, F>>,
    acc: Option<T>,
}

impl<T, F> ReduceWriter<T, F> {
    pub(crate) fn new(aggregator: Arc<Reduce<T, F>>) -> Self {
        Self { aggregator, acc: None }
    }

    /// What the records were reduced to; nothing if there were none.
    pub(crate) fn into_acc(self) -> Option<T> {
        self.acc
    }
}

impl<T, F> ReduceWriter<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(T, T) -> T + Send + Sync + 'static,
{
    /// Adds a record.
    #[inline]
    pub fn push(&mut self, record: impl Lifted<Owned = T>) {
        let record = record.own();
        self.acc = Some(match self.acc.take() {
            Some(acc) => self.aggregator.add(acc, record),
            None => record,
        });
    }
}

impl<T, F> Merge for ReduceAll<T, F>
where
    T: Send + Sync + 'static,
    F: Fn(T, T) -> T + Send + Sync + 'static,
{
    type Record = T;
    type Bucket = ReduceWriter<T, F>;

    fn merge(&self, buckets: Vec<ReduceWriter<T, F>>) -> Vec<T> {
        let at = At(self.operator);
        let parts = buckets.into_iter().filter_map(ReduceWriter::into_acc);
        let total = parts.reduce(|left, right| self.aggregator.merge(left, right));
        std::mem::forget(at);
        total.into_iter().collect()
    }
}

impl<T, F> Gather for ReduceAll<T, F>
where
    T: Data,
    F: Fn(T, T) -> T + Send + Sync + 'static,
{
    type Record = T;
    type Writer = ReduceWriter<T, F>;

    fn writer(&self, _: Task) -> ReduceWriter<T, F> {
        ReduceWriter::new(Arc::clone(&self.aggregator))
    }

    fn gather(self: &Arc<Self>, written: Vec<ReduceWriter<T, F>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        cx.shuffled(Merged::new(Arc::clone(self), vec![written], 1))
    }
}

impl<T, F> Sink<ReduceAll<T, F>> {
    /// Makes the node of a `reduce`.
    pub fn finish(self, operator: &'static Operator, reduce: F) -> DStream<T>
    where
        T: Data,
        F: Fn(T, T) -> T + Send + Sync + 'static,
    {
        self.build(operator, ReduceAll { aggregator: Arc::new(Reduce::new(reduce)), operator })
    }
}

/// `top_by`: the `limit` records with the greatest keys, greatest first.
pub struct TopBy<T, Key, F> {
    limit: usize,
    key: Arc<F>,
    operator: &'static Operator,
    record: PhantomData<fn() -> (T, Key)>,
}

/// A record with its key and its place among the records of the partition.
struct Ranked<T, Key> {
    key: Key,
    place: usize,
    record: T,
}

// The heap keeps the *least* of the kept records on top; of equal keys the earlier record ranks higher.
impl<T, Key: Ord> Ord for Ranked<T, Key> {
    fn cmp(&self, other: &Self) -> Ordering {
        other.key.cmp(&self.key).then(self.place.cmp(&other.place))
    }
}

impl<T, Key: Ord> PartialOrd for Ranked<T, Key> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T, Key: Ord> PartialEq for Ranked<T, Key> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl<T, Key: Ord> Eq for Ranked<T, Key> {}

/// Keeps the greatest records of a partition.
pub struct TopWriter<T, Key, F> {
    limit: usize,
    key: Arc<F>,
    seen: usize,
    heap: BinaryHeap<Ranked<T, Key>>,
}

impl<T, Key: Ord, F: Fn(&T) -> Key> TopWriter<T, Key, F> {
    /// Adds a record.
    #[inline]
    pub fn push(&mut self, record: impl Lifted<Owned = T>) {
        let record = record.own();
        self.rank(record);
    }

    fn rank(&mut self, record: T) {
        let key = (self.key)(&record);
        self.seen += 1;
        if self.heap.len() < self.limit {
            self.heap.push(Ranked { key, place: self.seen, record });
        } else if let Some(mut least) = self.heap.peek_mut()
            && key > least.key
        {
            *least = Ranked { key, place: self.seen, record };
        }
    }

    /// The kept records, greatest first.
    fn into_sorted(self) -> impl Iterator<Item = T> {
        self.heap.into_sorted_vec().into_iter().map(|ranked| ranked.record)
    }
}

impl<T, Key, F> TopBy<T, Key, F>
where
    Key: Ord,
    F: Fn(&T) -> Key,
{
    fn empty(&self) -> TopWriter<T, Key, F> {
        TopWriter { limit: self.limit, key: Arc::clone(&self.key), seen: 0, heap: BinaryHeap::new() }
    }
}

impl<T, Key, F> Merge for TopBy<T, Key, F>
where
    T: Send + Sync + 'static,
    Key: Ord + Send + 'static,
    F: Fn(&T) -> Key + Send + Sync + 'static,
{
    type Record = T;
    type Bucket = TopWriter<T, Key, F>;

    fn merge(&self, buckets: Vec<TopWriter<T, Key, F>>) -> Vec<T> {
        let at = At(self.operator);
        let mut all = self.empty();
        for record in buckets.into_iter().flat_map(TopWriter::into_sorted) {
            all.rank(record);
        }
        std::mem::forget(at);
        all.into_sorted().collect()
    }
}

impl<T, Key, F> Gather for TopBy<T, Key, F>
where
    T: Data,
    Key: Ord + Send + 'static,
    F: Fn(&T) -> Key + Send + Sync + 'static,
{
    type Record = T;
    type Writer = TopWriter<T, Key, F>;

    fn writer(&self, _: Task) -> TopWriter<T, Key, F> {
        self.empty()
    }

    fn gather(self: &Arc<Self>, written: Vec<TopWriter<T, Key, F>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        cx.shuffled(Merged::new(Arc::clone(self), vec![written], self.limit))
    }
}

impl<T, Key, F> Sink<TopBy<T, Key, F>> {
    /// Makes the node of a `top_by`.
    pub fn finish(self, operator: &'static Operator, limit: usize, key: F) -> DStream<T>
    where
        T: Data,
        Key: Ord + Send + 'static,
        F: Fn(&T) -> Key + Send + Sync + 'static,
    {
        self.build(operator, TopBy { limit, key: Arc::new(key), operator, record: PhantomData })
    }
}
