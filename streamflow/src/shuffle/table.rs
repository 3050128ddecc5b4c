//! A hash table of keys and accumulators that keeps the hash of each key.

use std::hash::Hash;
use std::mem::needs_drop;
use std::ptr;

use hashbrown::HashTable;
use hashbrown::hash_table::{Entry, OccupiedEntry};

use super::KeyHasher;
use crate::record::kept::Kept;
use crate::record::own::{FindKey, LiftedKey};

/// A key with its hash and what was accumulated for it.
pub(crate) struct Row<K: 'static, A> {
    pub(crate) hash: u64,
    pub(crate) key: Kept<K>,
    pub(crate) acc: A,
}

/// A row that is not combined yet. It does without the hash: where so many rows are moved, memory counts for more than
/// hashing a key a second time that is at hand anyway.
pub(crate) struct Loose<K: 'static, A> {
    pub(crate) key: Kept<K>,
    pub(crate) acc: A,
}

/// Keys and their accumulators.
pub(crate) struct Table<K: 'static, A>(HashTable<Row<K, A>>);

impl<K, A> Table<K, A> {
    pub(crate) const fn new() -> Self {
        Self(HashTable::new())
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Makes room for `additional` further keys.
    pub(crate) fn reserve(&mut self, additional: usize) {
        self.0.reserve(additional, |row| row.hash);
    }

    /// Creates the accumulator of a new key, or puts something to that of a known one.
    ///
    /// The key is owned only if it is new.
    #[inline]
    pub(crate) fn upsert<Q, V>(
        &mut self,
        hash: u64,
        key: Q,
        value: V,
        create: impl FnOnce(V) -> A,
        add: impl FnOnce(A, V) -> A,
    ) where
        Q: LiftedKey<Owned = K>,
    {
        match self.0.entry(hash, |row| row.hash == hash && row.key.is(&key), |row| row.hash) {
            Entry::Vacant(entry) => {
                entry.insert(Row { hash, key: Kept::lifted(key), acc: create(value) });
            }
            Entry::Occupied(entry) => add_to(entry, value, add),
        }
    }

    /// The same with a key that comes from another table.
    #[inline]
    pub(crate) fn merge<V>(&mut self, row: Row<K, V>, create: impl FnOnce(V) -> A, add: impl FnOnce(A, V) -> A)
    where
        K: Eq,
    {
        let Row { hash, key, acc: value } = row;
        match self.0.entry(hash, |row| row.hash == hash && row.key.same(&key), |row| row.hash) {
            Entry::Vacant(entry) => {
                entry.insert(Row { hash, key, acc: create(value) });
            }
            Entry::Occupied(entry) => add_to(entry, value, add),
        }
    }

    /// The accumulator of a key, found by a view of it.
    #[inline]
    pub(crate) fn get<Q: FindKey<Owned = K>>(&self, hash: u64, key: &Q) -> Option<&A> {
        self.0.find(hash, |row| row.hash == hash && row.key.is_found(key)).map(|row| &row.acc)
    }

    /// The accumulator of a key that comes from another table.
    pub(crate) fn get_mut(&mut self, hash: u64, key: &Kept<K>) -> Option<&mut A>
    where
        K: Eq,
    {
        self.0.find_mut(hash, |row| row.hash == hash && row.key.same(key)).map(|row| &mut row.acc)
    }

    /// The rows by reference.
    pub(crate) fn rows(&self) -> impl Iterator<Item = &Row<K, A>> {
        self.0.iter()
    }

    /// The rows, in the order of the table.
    pub(crate) fn into_rows(self) -> impl ExactSizeIterator<Item = Row<K, A>> {
        self.0.into_iter()
    }
}

/// Puts something to the accumulator of a known key.
#[inline]
fn add_to<K, A, V>(mut entry: OccupiedEntry<'_, Row<K, A>>, value: V, add: impl FnOnce(A, V) -> A) {
    if needs_drop::<A>() {
        // While `add` runs the row is out of the table: if it panics, nothing is left half-moved.
        let (Row { hash, key, acc }, vacant) = entry.remove();
        vacant.insert(Row { hash, key, acc: add(acc, value) });
    } else {
        replace(&mut entry.get_mut().acc, |acc| add(acc, value));
    }
}

/// Replaces a value that needs no drop by what `f` makes of it.
#[inline]
fn replace<A>(place: &mut A, f: impl FnOnce(A) -> A) {
    assert!(!needs_drop::<A>());
    // SAFETY: `place` is valid for reads and writes. Nothing is dropped twice, since `A` needs no drop: if `f` panics, the
    // place keeps the old bits, and the table of a failed task is never read again.
    unsafe { ptr::write(place, f(ptr::read(place))) };
}

/// A small table of loose rows, for one piece of a partition after the other.
pub(crate) struct LooseTable<K: 'static, A> {
    rows: HashTable<Loose<K, A>>,
    hasher: KeyHasher,
}

impl<K: Hash + Eq, A> LooseTable<K, A> {
    pub(crate) fn new() -> Self {
        Self { rows: HashTable::new(), hasher: KeyHasher::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Adds a row, or merges it with that of its key.
    #[inline]
    pub(crate) fn merge(&mut self, row: Loose<K, A>, merge: impl FnOnce(A, A) -> A) {
        let hash = self.hasher.hash_kept(&row.key);
        let same = |other: &Loose<K, A>| other.key.same(&row.key);
        match self.rows.entry(hash, same, |row| self.hasher.hash_kept(&row.key)) {
            Entry::Vacant(entry) => {
                entry.insert(row);
            }
            Entry::Occupied(entry) if needs_drop::<A>() => {
                // As in `add_to`: while `merge` runs the row is out of the table.
                let (Loose { key, acc }, vacant) = entry.remove();
                vacant.insert(Loose { key, acc: merge(acc, row.acc) });
            }
            Entry::Occupied(mut entry) => replace(&mut entry.get_mut().acc, |acc| merge(acc, row.acc)),
        }
    }

    /// Takes all rows out, and keeps the room that they had.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Loose<K, A>> {
        self.rows.drain()
    }
}
