//! The map side of a shuffle: writers, which sort records into buckets.

use super::table::{Row, Table};
use super::{KeyHasher, partition_of};
use crate::record::kept::Kept;
use crate::record::own::{Lifted, LiftedKey};

/// How the values of a key become one accumulator.
///
/// # Contract
/// `merge` is associative and agrees with `add`: merging accumulators of parts gives that of the whole. Spark asks the same
/// of its functions; it cannot be checked.
pub trait Aggregator: Send + Sync + 'static {
    /// The values that come in.
    type Value;
    /// What is kept for a key.
    type Acc: Send + Sync + 'static;
    /// The accumulator of a first value.
    fn create(&self, value: Self::Value) -> Self::Acc;
    /// Adds a further value.
    fn add(&self, acc: Self::Acc, value: Self::Value) -> Self::Acc;
    /// Merges two accumulators, the earlier one first.
    fn merge(&self, left: Self::Acc, right: Self::Acc) -> Self::Acc;
}

/// What one task wrote for one target partition: combined rows, and rows that were let through.
pub(crate) struct Bucket<K: 'static, A> {
    pub(crate) table: Table<K, A>,
    pub(crate) rows: Vec<Row<K, A>>,
}

impl<K, A> Bucket<K, A> {
    pub(crate) fn len(&self) -> usize {
        self.table.len() + self.rows.len()
    }
}

/// Records after which a writer looks whether combining pays.
const TRIAL: usize = 1 << 15;

/// Combines the values of a key as they come.
pub struct CombineWriter<K: 'static, G: Aggregator> {
    aggregator: std::sync::Arc<G>,
    hasher: KeyHasher,
    buckets: Vec<Bucket<K, G::Acc>>,
    mode: Mode,
}

/// Whether a writer combines.
enum Mode {
    /// It does, and looks at the result after so many more records.
    Trial { left: usize },
    /// It does; this was found to pay.
    Combine,
    /// It lets records through: the keys are nearly all distinct.
    Through,
}

impl<K, G: Aggregator> CombineWriter<K, G> {
    pub(crate) fn new(aggregator: std::sync::Arc<G>, hasher: KeyHasher, partitions: usize, combine: bool) -> Self {
        let bucket = || Bucket { table: Table::new(), rows: Vec::new() };
        let mode = if combine { Mode::Trial { left: TRIAL } } else { Mode::Through };
        Self { aggregator, hasher, buckets: std::iter::repeat_with(bucket).take(partitions).collect(), mode }
    }

    pub(crate) fn into_buckets(self) -> Vec<Bucket<K, G::Acc>> {
        self.buckets
    }

    /// Adds a value to a key.
    #[inline]
    pub fn push<Q, V>(&mut self, key: Q, value: V)
    where
        Q: LiftedKey<Owned = K>,
        V: Lifted<Owned = G::Value>,
    {
        let hash = self.hasher.hash(&key);
        let partition = partition_of(hash, self.buckets.len());
        let bucket = &mut self.buckets[partition];
        let aggregator = &*self.aggregator;
        if let Mode::Through = self.mode {
            bucket.rows.push(Row { hash, key: Kept::lifted(key), acc: aggregator.create(value.own()) });
            return;
        }
        bucket.table.upsert(
            hash,
            key,
            value.own(),
            |value| aggregator.create(value),
            |acc, value| aggregator.add(acc, value),
        );
        if let Mode::Trial { left } = &mut self.mode {
            *left -= 1;
            if *left == 0 {
                self.judge();
            }
        }
    }

    /// Combining pays unless seven of eight keys were new.
    #[cold]
    fn judge(&mut self) {
        let keys: usize = self.buckets.iter().map(|bucket| bucket.table.len()).sum();
        self.mode = if keys > TRIAL / 8 * 7 { Mode::Through } else { Mode::Combine };
    }
}

/// Sorts keyed records into buckets without combining them.
pub struct ScatterWriter<K: 'static, V> {
    hasher: KeyHasher,
    buckets: Vec<Vec<Row<K, V>>>,
}

impl<K, V> ScatterWriter<K, V> {
    pub(crate) fn new(hasher: KeyHasher, partitions: usize) -> Self {
        Self { hasher, buckets: std::iter::repeat_with(Vec::new).take(partitions).collect() }
    }

    pub(crate) fn into_buckets(self) -> Vec<Vec<Row<K, V>>> {
        self.buckets
    }

    /// Adds a record.
    #[inline]
    pub fn push<Q, L>(&mut self, key: Q, value: L)
    where
        Q: LiftedKey<Owned = K>,
        L: Lifted<Owned = V>,
    {
        let hash = self.hasher.hash(&key);
        let partition = partition_of(hash, self.buckets.len());
        self.buckets[partition].push(Row { hash, key: Kept::lifted(key), acc: value.own() });
    }
}
