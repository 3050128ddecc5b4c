//! The map side of a shuffle: writers, which sort records into buckets.

use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};

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

    /// The rows in pieces, if there are none yet for about `foreseen` rows; `partitions` is the number of partitions of the
    /// shuffle.
    pub(crate) fn into_pieces(self, partitions: usize, foreseen: usize) -> Vec<Chunks<Loose<K, A>>> {
        match self {
            Self::Through(pieces) => pieces,
            Self::Combined(table) => {
                let count = pieces(partitions);
                let mut cut = filled(count, || Chunks::new(foreseen / count));
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

/// Records after which a writer looks for the first time whether combining pays. Few, since what was combined in vain is
/// lost.
const FIRST_LOOK: usize = 1 << 11;
/// Records after which it looks for the second time. From then on it looks again when their number has doubled.
const SECOND_LOOK: usize = 1 << 15;
/// Rows among which a writer that lets records through counts keys, at least.
const SAMPLE: usize = 512;

/// How many rows a task wrote for a partition in the last batch: it will be about as many in the next.
#[derive(Default)]
pub(crate) struct Foreseen(AtomicUsize);

impl Foreseen {
    /// Notes what the tasks of a batch wrote.
    pub(crate) fn note<K, A>(&self, written: &[Vec<Bucket<K, A>>]) {
        let rows: usize = written.iter().flatten().map(Bucket::len).sum();
        let buckets = written.iter().map(Vec::len).sum::<usize>();
        self.0.store(rows / buckets.max(1), Ordering::Relaxed);
    }

    fn rows(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Combines the values of a key as they come, while that pays.
///
/// Whether it pays depends on nothing but the records and their order, so a batch run again is combined in the same way.
pub struct CombineWriter<K: 'static, G: Aggregator> {
    aggregator: std::sync::Arc<G>,
    hasher: KeyHasher,
    partitions: usize,
    /// Rows of a bucket, about.
    foreseen: usize,
    /// Records at the next look, and how many are missing until then.
    next_look: usize,
    until_look: usize,
    mode: Mode<K, G::Acc>,
}

/// Whether a writer combines.
enum Mode<K: 'static, A> {
    /// It does, in a table for each partition.
    Combine { tables: Vec<Table<K, A>> },
    /// It lets records through, to the pieces of all partitions: the keys are nearly all distinct.
    Through { pieces: Vec<Chunks<Loose<K, A>>> },
}

impl<K, G: Aggregator> CombineWriter<K, G> {
    pub(crate) fn new(
        aggregator: std::sync::Arc<G>,
        hasher: KeyHasher,
        partitions: usize,
        foreseen: &Foreseen,
    ) -> Self {
        let (mode, foreseen) = (Mode::Combine { tables: filled(partitions, Table::new) }, foreseen.rows());
        Self { aggregator, hasher, partitions, foreseen, next_look: FIRST_LOOK, until_look: FIRST_LOOK, mode }
    }

    pub(crate) fn into_buckets(self) -> Vec<Bucket<K, G::Acc>> {
        match self.mode {
            Mode::Combine { tables } => mapped(tables, Bucket::Combined),
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
            Mode::Combine { tables } => {
                let partition = partition_of(hash, tables.len());
                tables[partition].upsert(
                    hash,
                    key,
                    value.own(),
                    |value| aggregator.create(value),
                    |acc, value| aggregator.add(acc, value),
                );
            }
            Mode::Through { pieces } => {
                let piece = partition_of(hash, pieces.len());
                pieces[piece].push(Loose { key: Kept::lifted(key), acc: aggregator.create(value.own()) });
            }
        }
        self.until_look -= 1;
        if self.until_look == 0 {
            self.look();
        }
    }
}

impl<K: Hash + Eq, G: Aggregator> CombineWriter<K, G> {
    /// Looks whether combining pays. It does not if more than seven of eight records had new keys; once a writer lets
    /// records through, it takes a quarter of known keys to change that.
    #[cold]
    fn look(&mut self) {
        let records = self.next_look;
        match &mut self.mode {
            Mode::Combine { tables } => {
                if tables.iter().map(Table::len).sum::<usize>() > records / 8 * 7 {
                    let mut pieces = Vec::new();
                    for table in std::mem::take(tables) {
                        pieces.append(&mut Bucket::Combined(table).into_pieces(self.partitions, self.foreseen));
                    }
                    self.mode = Mode::Through { pieces };
                }
            }
            Mode::Through { pieces } => {
                let keys = distinct(&self.hasher, pieces);
                if keys < records / 4 * 3 {
                    let pieces = std::mem::take(pieces);
                    self.combine(pieces, keys);
                }
            }
        }
        self.next_look = if records < SECOND_LOOK { SECOND_LOOK } else { records.saturating_mul(2) };
        self.until_look = self.next_look - records;
    }

    /// Combines from now on, first what was let through, which has about so many `keys`.
    fn combine(&mut self, all: Vec<Chunks<Loose<K, G::Acc>>>, keys: usize) {
        let mut tables = filled(self.partitions, Table::new);
        tables.iter_mut().for_each(|table| table.reserve(keys / self.partitions));
        let count = pieces(self.partitions);
        for (piece, rows) in all.into_iter().enumerate() {
            let table = &mut tables[piece / count];
            for chunk in rows.into_chunks() {
                for Loose { key, acc } in chunk {
                    let row = Row { hash: self.hasher.hash_kept(&key), key, acc };
                    table.merge(row, |acc| acc, |left, right| self.aggregator.merge(left, right));
                }
            }
        }
        self.mode = Mode::Combine { tables };
    }
}

/// About how many keys the rows have: those of some pieces are counted, and pieces have about equally many.
fn distinct<K: Hash, A>(hasher: &KeyHasher, pieces: &[Chunks<Loose<K, A>>]) -> usize {
    let (mut hashes, mut counted) = (Vec::new(), 0);
    for piece in pieces {
        hashes.extend(piece.iter().map(|row| hasher.hash_kept(&row.key)));
        counted += 1;
        if hashes.len() >= SAMPLE {
            break;
        }
    }
    hashes.sort_unstable();
    hashes.dedup();
    hashes.len() * pieces.len() / counted.max(1)
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::record::own::Id;
    use crate::stage::combine::Tally;

    /// Whether a writer combines after these keys.
    fn combines(keys: impl Iterator<Item = u64>) -> bool {
        let mut writer = CombineWriter::new(Arc::new(Tally), KeyHasher::new(), 2, &Foreseen::default());
        keys.for_each(|key| writer.push(Id(key), Id(())));
        writer.into_buckets().iter().all(|bucket| matches!(bucket, Bucket::Combined(_)))
    }

    #[test]
    fn a_writer_combines_while_keys_repeat() {
        assert!(combines(0..FIRST_LOOK as u64 - 1), "few records are combined in any case");
        assert!(!combines(0..100_000));
        assert!(combines((0..100_000).map(|n| n % 1_000)));
        assert!(combines((0..100_000).map(|n| n % 20_000)), "keys repeat, though none among the first");
        let hot = (0..100_000).map(|n| if n > 3_000 && n % 2 == 0 { 0 } else { n });
        assert!(combines(hot), "half of the records have one key");
        let late = (0..100_000).map(|n| if n < 4_000 { n % 1_000 } else { n });
        assert!(!combines(late), "keys repeat among the first only");
    }
}
