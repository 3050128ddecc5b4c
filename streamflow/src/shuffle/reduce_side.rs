//! The reduce side of a shuffle: what the map tasks wrote for one partition becomes its records.

use std::hash::Hash;
use std::sync::Arc;

use super::map_side::{Aggregator, Bucket};
use super::table::{Row, Table};
use crate::dataset::{Merge, Merged};
use crate::plan::Operator;
use crate::run::At;

/// Turns `writers × partitions` around: for each partition its buckets, in the order of the writers.
pub(crate) fn transpose<B>(written: Vec<Vec<B>>, partitions: usize) -> Vec<Vec<B>> {
    let mut parts: Vec<Vec<B>> =
        std::iter::repeat_with(|| Vec::with_capacity(written.len())).take(partitions).collect();
    for buckets in written {
        for (part, bucket) in parts.iter_mut().zip(buckets) {
            part.push(bucket);
        }
    }
    parts
}

/// Merges combined buckets: one accumulator for each key.
pub(crate) struct MergeCombined<K, G, F> {
    pub(crate) aggregator: Arc<G>,
    pub(crate) operator: &'static Operator,
    /// Makes a record of a key and its accumulator.
    pub(crate) record: F,
    pub(crate) key: std::marker::PhantomData<fn() -> K>,
}

impl<K, G, F, R> MergeCombined<K, G, F>
where
    K: Hash + Eq + Send + Sync + 'static,
    G: Aggregator,
    F: Fn(K, G::Acc) -> R + Send + Sync + 'static,
    R: Send + Sync + 'static,
{
    pub(crate) fn merged(self, written: Vec<Vec<Bucket<K, G::Acc>>>, partitions: usize) -> Merged<Self> {
        let weight = written.iter().flatten().map(Bucket::len).sum();
        Merged::new(Arc::new(self), transpose(written, partitions), weight)
    }
}

impl<K, G, F, R> Merge for MergeCombined<K, G, F>
where
    K: Hash + Eq + Send + Sync + 'static,
    G: Aggregator,
    F: Fn(K, G::Acc) -> R + Send + Sync + 'static,
    R: Send + Sync + 'static,
{
    type Record = R;
    type Bucket = Bucket<K, G::Acc>;

    fn merge(&self, buckets: Vec<Self::Bucket>) -> Vec<R> {
        let at = At(self.operator);
        let table = merge_buckets(&*self.aggregator, buckets);
        let records = table.into_rows().map(|row| (self.record)(row.key, row.acc)).collect();
        std::mem::forget(at);
        records
    }
}

/// One table of all buckets. The first table is kept and the others go into it, so values meet in the order of the tasks.
pub(crate) fn merge_buckets<K: Hash + Eq, G: Aggregator>(
    aggregator: &G,
    buckets: Vec<Bucket<K, G::Acc>>,
) -> Table<K, G::Acc> {
    let mut all = Table::new();
    for (index, Bucket { table, rows }) in buckets.into_iter().enumerate() {
        if index == 0 {
            all = table;
        } else {
            all.reserve(table.len().saturating_sub(all.len()));
            for row in table.into_rows() {
                all.merge(row, |left, right| aggregator.merge(left, right));
            }
        }
        all.reserve(rows.len() / 2);
        for row in rows {
            all.merge(row, |left, right| aggregator.merge(left, right));
        }
    }
    all
}

/// Groups the values of each key, in the order of the tasks and of the records in them.
pub(crate) fn group<K: Hash + Eq, V>(buckets: Vec<Vec<Row<K, V>>>) -> Table<K, Vec<V>> {
    let mut groups = Table::new();
    for row in buckets.into_iter().flatten() {
        groups.upsert(
            row.hash,
            crate::record::own::Id(row.key),
            row.acc,
            |value| vec![value],
            |mut values: Vec<V>, value| {
                values.push(value);
                values
            },
        );
    }
    groups
}
