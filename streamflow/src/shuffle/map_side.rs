//! The map side of a shuffle: writers, which sort records into buckets.

use super::chunks::Chunks;
use super::table::{Loose, Row, Table};
use super::{KeyHasher, partition_of};
use crate::record::kept::Kept;
use crate::record::own::{Lifted, LiftedKey};
use crate::vectors::{filled, mapped};

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

/// What one task wrote for one target partition.
pub(crate) enum Bucket<K: 'static, A> {
    /// One row for each key.
    Combined(Table<K, A>),
    /// Rows in the order in which they came, cut into [`pieces`] by their hash.
    Through(Vec<Chunks<Loose<K, A>>>),
}

impl<K, A> Bucket<K, A> {
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Combined(table) => table.len(),
            Self::Through(pieces) => rows_in(pieces),
        }
    }

    /// The rows in pieces; `partitions` is the number of partitions of the shuffle.
    pub(crate) fn into_pieces(self, partitions: usize) -> Vec<Chunks<Loose<K, A>>> {
        match self {
            Self::Through(pieces) => pieces,
            Self::Combined(table) => {
                let count = pieces(partitions);
                let mut cut = filled(count, Chunks::new);
                for row in table.into_rows() {
                    let piece = partition_of(row.hash, partitions * count) % count;
                    cut[piece].push(Loose { key: row.key, acc: row.acc });
                }
                cut
            }
        }
    }
}

/// The number of rows in some pieces.
pub(crate) fn rows_in<R>(pieces: &[Chunks<R>]) -> usize {
    let mut rows = 0;
    for piece in pieces {
        rows += piece.len();
    }
    rows
}

/// Into how many pieces a partition is cut when its rows are not combined: so many that the table of a piece stays in the
/// nearest caches, and so few that a task can write to all pieces of all partitions at once.
pub(crate) fn pieces(partitions: usize) -> usize {
    (256 / partitions).clamp(1, 128)
}

/// Records after which a writer looks whether combining pays.
const TRIAL: usize = 1 << 15;

/// Combines the values of a key as they come.
pub struct CombineWriter<K: 'static, G: Aggregator> {
    aggregator: std::sync::Arc<G>,
    hasher: KeyHasher,
    partitions: usize,
    mode: Mode<K, G::Acc>,
}

/// Whether a writer combines.
enum Mode<K: 'static, A> {
    /// It does, in a table for each partition, and looks at the result after so many more records, if it does not know
    /// yet whether that pays.
    Combine { tables: Vec<Table<K, A>>, trial: usize },
    /// It lets records through, to the pieces of all partitions: the keys are nearly all distinct.
    Through { pieces: Vec<Chunks<Loose<K, A>>> },
}

impl<K, G: Aggregator> CombineWriter<K, G> {
    pub(crate) fn new(aggregator: std::sync::Arc<G>, hasher: KeyHasher, partitions: usize) -> Self {
        let tables = filled(partitions, Table::new);
        Self { aggregator, hasher, partitions, mode: Mode::Combine { tables, trial: TRIAL } }
    }

    pub(crate) fn into_buckets(self) -> Vec<Bucket<K, G::Acc>> {
        match self.mode {
            Mode::Combine { tables, .. } => mapped(tables, Bucket::Combined),
            Mode::Through { pieces: mut all } => {
                let count = pieces(self.partitions);
                let mut buckets = filled(self.partitions, || Bucket::Through(all.split_off(all.len() - count)));
                buckets.reverse();
                buckets
            }
        }
    }

    /// Adds a value to a key.
    #[inline]
    pub fn push<Q, V>(&mut self, key: Q, value: V)
    where
        Q: LiftedKey<Owned = K>,
        V: Lifted<Owned = G::Value>,
    {
        let hash = self.hasher.hash(&key);
        let aggregator = &*self.aggregator;
        match &mut self.mode {
            Mode::Combine { tables, trial } => {
                let partition = partition_of(hash, tables.len());
                tables[partition].upsert(
                    hash,
                    key,
                    value.own(),
                    |value| aggregator.create(value),
                    |acc, value| aggregator.add(acc, value),
                );
                *trial = trial.wrapping_sub(1);
                if *trial == 0 {
                    self.judge();
                }
            }
            Mode::Through { pieces } => {
                let piece = partition_of(hash, pieces.len());
                pieces[piece].push(Loose { key: Kept::lifted(key), acc: aggregator.create(value.own()) });
            }
        }
    }

    /// Combining pays unless seven of eight keys were new.
    #[cold]
    fn judge(&mut self) {
        let Mode::Combine { tables, .. } = &mut self.mode else { return };
        let keys: usize = tables.iter().map(Table::len).sum();
        if keys > TRIAL / 8 * 7 {
            let mut pieces = Vec::new();
            for table in std::mem::take(tables) {
                pieces.append(&mut Bucket::Combined(table).into_pieces(self.partitions));
            }
            self.mode = Mode::Through { pieces };
        }
    }
}

/// Sorts keyed records into buckets without combining them.
pub struct ScatterWriter<K: 'static, V> {
    hasher: KeyHasher,
    buckets: Vec<Vec<Row<K, V>>>,
}

impl<K, V> ScatterWriter<K, V> {
    pub(crate) fn new(hasher: KeyHasher, partitions: usize) -> Self {
        Self { hasher, buckets: filled(partitions, Vec::new) }
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
