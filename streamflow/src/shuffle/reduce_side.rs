//! The reduce side of a shuffle: what the map tasks wrote for one partition becomes its records.

use std::hash::Hash;
use std::sync::Arc;

use super::KeyHasher;
use super::map_side::{Aggregator, Bucket, pieces, rows_in};
use super::table::{Loose, LooseTable, Row, Table};
use crate::dataset::{Merge, Merged};
use crate::plan::Operator;
use crate::run::At;
use crate::vectors::{filled, mapped, total_len};

/// Turns `writers × partitions` around: for each partition its buckets, in the order of the writers.
pub(crate) fn transpose<B>(written: Vec<Vec<B>>, partitions: usize) -> Vec<Vec<B>> {
    let mut parts = filled(partitions, || Vec::with_capacity(written.len()));
    for buckets in written {
        for (part, bucket) in buckets.into_iter().enumerate() {
            parts[part].push(bucket);
        }
    }
    parts
}

/// Merges combined buckets: one accumulator for each key.
pub(crate) struct MergeCombined<K, G, F> {
    pub(crate) aggregator: Arc<G>,
    pub(crate) operator: &'static Operator,
    /// Partitions of the shuffle.
    pub(crate) partitions: usize,
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
    pub(crate) fn merged(self, written: Vec<Vec<Bucket<K, G::Acc>>>) -> Merged<Self> {
        let partitions = self.partitions;
        let weight = total_len(&written, Bucket::len);
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
        let records = if buckets.iter().all(|bucket| matches!(bucket, Bucket::Combined(_))) {
            let table = merge_buckets(&*self.aggregator, buckets);
            let mut records = Vec::with_capacity(table.len());
            for row in table.into_rows() {
                records.push((self.record)(row.key.into_key(), row.acc));
            }
            records
        } else {
            self.merge_pieces(buckets)
        };
        std::mem::forget(at);
        records
    }
}

impl<K, G, F, R> MergeCombined<K, G, F>
where
    K: Hash + Eq + Send + Sync + 'static,
    G: Aggregator,
    F: Fn(K, G::Acc) -> R,
{
    /// Merges rows piece by piece, so that the table of a piece stays in the nearest caches. A bucket that is a table after
    /// all, of a task with few records, is cut like the others.
    fn merge_pieces(&self, buckets: Vec<Bucket<K, G::Acc>>) -> Vec<R> {
        let mut buckets = mapped(buckets, |bucket| bucket.into_pieces(self.partitions, 0).into_iter());
        let count = pieces(self.partitions);
        let (mut table, mut records) = (LooseTable::new(), Vec::new());
        for piece in 0..count {
            for bucket in &mut buckets {
                let rows = bucket.next().expect("all buckets have as many pieces");
                for chunk in rows.into_chunks() {
                    for row in chunk {
                        table.merge(row, |left, right| self.aggregator.merge(left, right));
                    }
                }
            }
            if piece == 0 {
                // Hashes spread evenly, so the other pieces have about as many keys.
                records.reserve(table.len() * (count + count / 16));
            }
            records.extend(table.drain().map(|row| (self.record)(row.key.into_key(), row.acc)));
        }
        records
    }
}

/// One table of all buckets. The first table is kept and the others go into it, so values meet in the order of the tasks.
pub(crate) fn merge_buckets<K: Hash + Eq, G: Aggregator>(
    aggregator: &G,
    buckets: Vec<Bucket<K, G::Acc>>,
) -> Table<K, G::Acc> {
    let (hasher, mut all) = (KeyHasher::new(), Table::new());
    for bucket in buckets {
        match bucket {
            Bucket::Combined(table) if all.len() == 0 => all = table,
            Bucket::Combined(table) => {
                all.reserve(table.len().saturating_sub(all.len()));
                merge_rows(aggregator, table.into_rows(), &mut all);
            }
            Bucket::Through(pieces) => {
                // The keys of such a bucket are nearly all distinct.
                all.reserve(rows_in(&pieces));
                for piece in pieces {
                    for chunk in piece.into_chunks() {
                        merge_rows(aggregator, hashed(&hasher, chunk), &mut all);
                    }
                }
            }
        }
    }
    all
}

/// Rows with their hashes.
fn hashed<K: Hash, A>(hasher: &KeyHasher, rows: Vec<Loose<K, A>>) -> impl Iterator<Item = Row<K, A>> {
    rows.into_iter().map(|Loose { key, acc }| Row { hash: hasher.hash_kept(&key), key, acc })
}

fn merge_rows<K: Eq, G: Aggregator>(
    aggregator: &G,
    rows: impl Iterator<Item = Row<K, G::Acc>>,
    into: &mut Table<K, G::Acc>,
) {
    for row in rows {
        into.merge(row, |acc| acc, |left, right| aggregator.merge(left, right));
    }
}

/// Groups the values of each key, in the order of the tasks and of the records in them.
pub(crate) fn group<K: Hash + Eq, V>(buckets: Vec<Vec<Row<K, V>>>) -> Table<K, Vec<V>> {
    let mut groups = Table::new();
    for bucket in buckets {
        for row in bucket {
            groups.merge(
                row,
                |value| vec![value],
                |mut values: Vec<V>, value| {
                    values.push(value);
                    values
                },
            );
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::fmt::Debug;

    use super::*;
    use crate::plan::Function;
    use crate::record::own::Id;
    use crate::shuffle::map_side::{CombineWriter, Foreseen};

    static FUNCTION: Function = Function { name: "test", module: "test", file: "test" };
    static OPERATOR: Operator = Operator { function: &FUNCTION, name: "reduce_by_key", id: "test", line: 1, column: 1 };

    /// Appends to vectors: sensitive to the order of values, and an accumulator that must be dropped.
    struct Append;

    impl Aggregator for Append {
        type Value = u32;
        type Acc = Vec<u32>;
        fn create(&self, value: u32) -> Vec<u32> {
            vec![value]
        }
        fn add(&self, mut acc: Vec<u32>, value: u32) -> Vec<u32> {
            acc.push(value);
            acc
        }
        fn merge(&self, mut left: Vec<u32>, right: Vec<u32>) -> Vec<u32> {
            left.extend(right);
            left
        }
    }

    /// Merges what `tasks` wrote, piece by piece where that applies, and as one table.
    fn check<K: Hash + Eq + Clone + Debug + Send + Sync + 'static>(tasks: &[Vec<(K, u32)>], partitions: usize) {
        let foreseen = Foreseen::default();
        let written = || {
            tasks.iter().map(|records| {
                let mut writer = CombineWriter::new(Arc::new(Append), KeyHasher::new(), partitions, &foreseen);
                records.iter().for_each(|(key, value)| writer.push(Id(key.clone()), Id(*value)));
                writer.into_buckets()
            })
        };
        let mut expected: HashMap<K, Vec<u32>> = HashMap::new();
        for (key, value) in tasks.iter().flatten() {
            expected.entry(key.clone()).or_default().push(*value);
        }
        let merge = MergeCombined {
            aggregator: Arc::new(Append),
            operator: &OPERATOR,
            partitions,
            record: |key, values| (key, values),
            key: std::marker::PhantomData,
        };
        let parts = || transpose(written().collect(), partitions).into_iter();
        let merged: Vec<(K, Vec<u32>)> = parts().flat_map(|part| merge.merge(part)).collect();
        assert_eq!(merged.len(), expected.len(), "each key once");
        assert_eq!(merged.into_iter().collect::<HashMap<_, _>>(), expected);
        let tables = parts().flat_map(|part| merge_buckets(&Append, part).into_rows());
        assert_eq!(tables.map(|row| (row.key.into_key(), row.acc)).collect::<HashMap<_, _>>(), expected);
    }

    #[test]
    fn rows_meet_whether_they_were_combined_or_let_through() {
        // A task combines while keys repeat, and lets records through once it has seen many distinct ones.
        let few: Vec<(u64, u32)> = (0..500).map(|n| (u64::from(n) % 100, n)).collect();
        let many: Vec<(u64, u32)> = (0..60_000).map(|n| (u64::from(n) % 50_000, n)).collect();
        // It lets these through at first, and combines them when it sees that they repeat.
        let round: Vec<(u64, u32)> = (0..70_000).map(|n| (u64::from(n) % 20_000, n)).collect();
        for partitions in [1, 2, 7, 300] {
            check(&[few.clone(), few.clone()], partitions);
            check(&[few.clone(), many.clone(), few.clone()], partitions);
        }
        check(&[few.clone(), round, many.clone()], 2);
        let text = |records: &[(u64, u32)]| records.iter().map(|(key, n)| (format!("key {key}"), *n)).collect();
        check::<String>(&[text(&many), text(&few), text(&many)], 3);
    }
}
