//! A hash table of keys and accumulators that keeps the hash of each key.

use std::mem::needs_drop;
use std::ptr;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::record::own::{FindKey, Id, LiftedKey};

/// A key with its hash and what was accumulated for it.
pub(crate) struct Row<K, A> {
    pub(crate) hash: u64,
    pub(crate) key: K,
    pub(crate) acc: A,
}

/// Keys and their accumulators.
pub(crate) struct Table<K, A>(HashTable<Row<K, A>>);

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
        match self.0.entry(hash, |row| row.hash == hash && key.same_key(&row.key), |row| row.hash) {
            Entry::Vacant(entry) => {
                entry.insert(Row { hash, key: key.own(), acc: create(value) });
            }
            Entry::Occupied(mut entry) => {
                if needs_drop::<A>() {
                    // While `add` runs the row is out of the table: if it panics, nothing is left half-moved.
                    let (Row { hash, key, acc }, vacant) = entry.remove();
                    vacant.insert(Row { hash, key, acc: add(acc, value) });
                } else {
                    let acc = &mut entry.get_mut().acc;
                    // SAFETY: `acc` is valid for reads and writes. Nothing is dropped twice, since `A` needs no drop: if
                    // `add` panics, the slot keeps the old bits, and the table of a failed task is never read again.
                    unsafe { ptr::write(acc, add(ptr::read(acc), value)) };
                }
            }
        }
    }

    /// Merges a row of another table.
    #[inline]
    pub(crate) fn merge(&mut self, row: Row<K, A>, merge: impl FnOnce(A, A) -> A)
    where
        K: std::hash::Hash + Eq,
    {
        self.upsert(row.hash, Id(row.key), row.acc, |acc| acc, merge);
    }

    /// The accumulator of a key, found by a view of it.
    #[inline]
    pub(crate) fn get<Q: FindKey<Owned = K>>(&self, hash: u64, key: &Q) -> Option<&A> {
        self.0.find(hash, |row| row.hash == hash && key.same_key(&row.key)).map(|row| &row.acc)
    }

    /// The accumulator of a key.
    pub(crate) fn get_mut(&mut self, hash: u64, key: &K) -> Option<&mut A>
    where
        K: Eq,
    {
        self.0.find_mut(hash, |row| row.hash == hash && row.key == *key).map(|row| &mut row.acc)
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
