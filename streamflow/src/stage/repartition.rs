//! `repartition`: records dealt out in turn to a given number of partitions.

use std::marker::PhantomData;
use std::sync::Arc;

use super::sink::Sink;
use super::{Gather, GatherCx};
use crate::dataset::{Merge, Merged};
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::Operator;
use crate::record::Data;
use crate::record::own::Lifted;
use crate::run::Task;
use crate::shuffle::reduce_side::transpose;
use crate::topology::AnyDataset;
use crate::vectors::{filled, mapped, total_len};

/// `repartition`.
pub struct Repartition<T> {
    partitions: usize,
    record: PhantomData<fn() -> T>,
}

/// Deals records out in turn.
pub struct DealWriter<T> {
    buckets: Vec<Vec<T>>,
    next: usize,
}

impl<T> DealWriter<T> {
    /// Adds a record.
    #[inline]
    pub fn push(&mut self, record: impl Lifted<Owned = T>) {
        self.buckets[self.next].push(record.own());
        self.next += 1;
        if self.next == self.buckets.len() {
            self.next = 0;
        }
    }
}

struct Concat<T>(PhantomData<fn() -> T>);

impl<T: Send + Sync + 'static> Merge for Concat<T> {
    type Record = T;
    type Bucket = Vec<T>;

    fn merge(&self, buckets: Vec<Vec<T>>) -> Vec<T> {
        buckets.into_iter().flatten().collect()
    }
}

impl<T: Data> Gather for Repartition<T> {
    type Record = T;
    type Writer = DealWriter<T>;

    fn writer(&self, task: Task) -> DealWriter<T> {
        // Each task starts at another partition, so that many small ones do not all fill the first.
        let next = task.partition % self.partitions;
        DealWriter { buckets: filled(self.partitions, Vec::new), next }
    }

    fn gather(self: &Arc<Self>, written: Vec<DealWriter<T>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let written = mapped(written, |writer| writer.buckets);
        let weight = total_len(&written, Vec::len);
        cx.shuffled(Merged::new(Arc::new(Concat(PhantomData)), transpose(written, self.partitions), weight))
    }
}

impl<T> Sink<Repartition<T>> {
    /// Makes the node of a `repartition`; zero partitions are taken as one.
    pub fn finish(self, operator: &'static Operator, partitions: usize) -> DStream<T>
    where
        T: Data,
    {
        self.build(operator, Repartition { partitions: partitions.max(1), record: PhantomData })
    }
}
