//! `group_by_key` and `partition_by`: keyed records moved as they are.

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use super::combine::checked;
use super::sink::Sink;
use super::{Gather, GatherCx};
use crate::dataset::{Merge, Merged};
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::Operator;
use crate::record::{Data, Key};
use crate::run::Task;
use crate::shuffle::KeyHasher;
use crate::shuffle::map_side::ScatterWriter;
use crate::shuffle::reduce_side::{group, transpose};
use crate::shuffle::table::Row;
use crate::topology::AnyDataset;
use crate::vectors::{mapped, total_len};

/// Buckets of rows as the data set of a node.
pub(crate) fn scattered<K, V, M>(
    merge: M,
    written: Vec<ScatterWriter<K, V>>,
    partitions: usize,
    cx: &GatherCx<'_, '_>,
) -> Result<AnyDataset>
where
    K: Send + 'static,
    V: Send + 'static,
    M: Merge<Bucket = Vec<Row<K, V>>>,
{
    let written = mapped(written, ScatterWriter::into_buckets);
    let weight = total_len(&written, Vec::len);
    cx.shuffled(Merged::new(Arc::new(merge), transpose(written, partitions), weight))
}

/// `group_by_key`: all values of a key in one record.
pub struct GroupByKey<K, V> {
    partitions: Option<usize>,
    hasher: KeyHasher,
    pair: PhantomData<fn() -> (K, V)>,
}

struct MergeGroups<K, V>(PhantomData<fn() -> (K, V)>);

impl<K: Hash + Eq + Send + Sync + 'static, V: Send + Sync + 'static> Merge for MergeGroups<K, V> {
    type Record = (K, Vec<V>);
    type Bucket = Vec<Row<K, V>>;

    fn merge(&self, buckets: Vec<Self::Bucket>) -> Vec<(K, Vec<V>)> {
        group(buckets).into_rows().map(|row| (row.key.into_key(), row.acc)).collect()
    }
}

impl<K: Key + Data, V: Data> Gather for GroupByKey<K, V> {
    type Record = (K, Vec<V>);
    type Writer = ScatterWriter<K, V>;

    fn writer(&self, task: Task) -> ScatterWriter<K, V> {
        ScatterWriter::new(self.hasher.clone(), self.partitions.unwrap_or(task.parallelism))
    }

    fn gather(self: &Arc<Self>, written: Vec<ScatterWriter<K, V>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let partitions = self.partitions.unwrap_or(cx.run.parallelism());
        scattered(MergeGroups(PhantomData), written, partitions, cx)
    }
}

impl<K, V> Sink<GroupByKey<K, V>> {
    /// Makes the node of a `group_by_key`.
    pub fn finish(self, operator: &'static Operator, partitions: Option<usize>) -> DStream<(K, Vec<V>)>
    where
        V: Data,
        K: Key + Data,
    {
        let gather = GroupByKey { partitions: checked(partitions), hasher: KeyHasher::new(), pair: PhantomData };
        self.build(operator, gather)
    }
}

/// `partition_by`: pairs moved to the partition of their key.
pub struct PartitionBy<K, V> {
    partitions: Option<usize>,
    hasher: KeyHasher,
    pair: PhantomData<fn() -> (K, V)>,
}

struct MergePairs<K, V>(PhantomData<fn() -> (K, V)>);

impl<K: Send + Sync + 'static, V: Send + Sync + 'static> Merge for MergePairs<K, V> {
    type Record = (K, V);
    type Bucket = Vec<Row<K, V>>;

    fn merge(&self, buckets: Vec<Self::Bucket>) -> Vec<(K, V)> {
        buckets.into_iter().flatten().map(|row| (row.key.into_key(), row.acc)).collect()
    }
}

impl<K: Key + Data, V: Data> Gather for PartitionBy<K, V> {
    type Record = (K, V);
    type Writer = ScatterWriter<K, V>;

    fn writer(&self, task: Task) -> ScatterWriter<K, V> {
        ScatterWriter::new(self.hasher.clone(), self.partitions.unwrap_or(task.parallelism))
    }

    fn gather(self: &Arc<Self>, written: Vec<ScatterWriter<K, V>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let partitions = self.partitions.unwrap_or(cx.run.parallelism());
        scattered(MergePairs(PhantomData), written, partitions, cx)
    }
}

impl<K, V> Sink<PartitionBy<K, V>> {
    /// Makes the node of a `partition_by`.
    pub fn finish(self, operator: &'static Operator, partitions: Option<usize>) -> DStream<(K, V)>
    where
        V: Data,
        K: Key + Data,
    {
        let gather = PartitionBy { partitions: checked(partitions), hasher: KeyHasher::new(), pair: PhantomData };
        self.build(operator, gather)
    }
}
