//! State for each key without the library, in halves as the [windows](super::hand_written_windows) are.

use std::collections::VecDeque;
use std::sync::Arc;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rayon::ThreadPool;

use super::hand_written_windows::{Numbers, by_halves, hasher};
use super::states::fade;
use super::streaming::Pair;

fn in_halves(initial: Vec<Pair>) -> [Vec<Pair>; 2] {
    let hasher = hasher();
    let (one, zero) = initial.into_iter().partition(|pair| hasher.hash_one(pair.0) >> 32 & 1 == 1);
    [zero, one]
}

/// A table of sums.
pub struct Mapped {
    threads: ThreadPool,
    halves: [HashTable<Pair>; 2],
}

impl Mapped {
    /// Starts with these sums.
    pub fn new(threads: ThreadPool, initial: Vec<Pair>) -> Self {
        let hasher = hasher();
        let table = |pairs: Vec<Pair>| {
            let mut table = HashTable::new();
            for pair in pairs {
                table.insert_unique(hasher.hash_one(pair.0), pair, |pair: &Pair| hasher.hash_one(pair.0));
            }
            table
        };
        Self { threads, halves: in_halves(initial).map(table) }
    }

    /// Adds a batch; returns the new sum for each record.
    pub fn batch(&mut self, batch: &[Arc<Vec<Pair>>]) -> Vec<Vec<Pair>> {
        let hasher = hasher();
        by_halves(&self.threads, batch, &mut self.halves, |sums, parts| {
            let mut mapped = Vec::with_capacity(parts.iter().map(Vec::len).sum());
            for (key, value) in parts.into_iter().flatten() {
                let rehash = |pair: &Pair| hasher.hash_one(pair.0);
                match sums.entry(hasher.hash_one(key), |pair| pair.0 == key, rehash) {
                    Entry::Occupied(mut entry) => {
                        entry.get_mut().1 += value;
                        mapped.push(*entry.get());
                    }
                    Entry::Vacant(entry) => mapped.push(*entry.insert((key, value)).get()),
                }
            }
            mapped
        })
    }
}

/// Numbered keys: their sums in a row, and what a batch brings them beside, so that the pass over all keys needs no table.
pub struct Updated {
    threads: ThreadPool,
    halves: [UpdatedHalf; 2],
}

struct UpdatedHalf {
    numbers: Numbers,
    sums: Vec<Pair>,
    new: Vec<u64>,
}

impl Updated {
    /// Starts with these sums.
    pub fn new(threads: ThreadPool, initial: Vec<Pair>) -> Self {
        let hasher = hasher();
        let half = |sums: Vec<Pair>| {
            let mut numbers = Numbers::default();
            for pair in &sums {
                numbers.of(&hasher, pair.0);
            }
            UpdatedHalf { numbers, new: vec![0; sums.len()], sums }
        };
        Self { threads, halves: in_halves(initial).map(half) }
    }

    /// Updates every key; returns all sums.
    pub fn batch(&mut self, batch: &[Arc<Vec<Pair>>]) -> Vec<Vec<Pair>> {
        let hasher = hasher();
        by_halves(&self.threads, batch, &mut self.halves, |half, parts| {
            let UpdatedHalf { numbers, sums, new } = half;
            for (key, value) in parts.into_iter().flatten() {
                let number = numbers.of(&hasher, key) as usize;
                if number == sums.len() {
                    sums.push((key, 0));
                    new.push(0);
                }
                new[number] += value;
            }
            let each = |((key, sum), new): (&mut Pair, &mut u64)| {
                *sum = fade(*sum, std::mem::take(new));
                (*key, *sum)
            };
            let mut all = Vec::with_capacity(sums.len());
            all.extend(sums.iter_mut().zip(new).map(each));
            all
        })
    }
}

/// A table of sums with the batch that touched each, and for each batch the keys that were new or known long before.
pub struct Expiring {
    threads: ThreadPool,
    now: u64,
    halves: [ExpiringHalf; 2],
}

#[derive(Default)]
struct ExpiringHalf {
    sums: HashTable<Timed>,
    touched: VecDeque<Vec<u64>>,
}

struct Timed {
    key: u64,
    sum: u64,
    touched: u64,
}

impl Expiring {
    /// Starts with nothing.
    pub fn new(threads: ThreadPool) -> Self {
        Self { threads, now: 0, halves: Default::default() }
    }

    /// Adds a batch; returns the sums of the keys that came neither in it nor in the one before.
    pub fn batch(&mut self, batch: &[Arc<Vec<Pair>>]) -> Vec<Vec<Pair>> {
        self.now += 1;
        let now = self.now;
        let hasher = hasher();
        by_halves(&self.threads, batch, &mut self.halves, |half, parts| {
            let ExpiringHalf { sums, touched } = half;
            let mut keys = Vec::with_capacity(parts.iter().map(Vec::len).sum());
            for (key, value) in parts.into_iter().flatten() {
                let rehash = |timed: &Timed| hasher.hash_one(timed.key);
                match sums.entry(hasher.hash_one(key), |timed| timed.key == key, rehash) {
                    Entry::Occupied(mut entry) => {
                        let timed = entry.get_mut();
                        timed.sum += value;
                        if std::mem::replace(&mut timed.touched, now) != now {
                            keys.push(key);
                        }
                    }
                    Entry::Vacant(entry) => {
                        entry.insert(Timed { key, sum: value, touched: now });
                        keys.push(key);
                    }
                }
            }
            touched.push_back(keys);
            let due = if touched.len() > 2 { touched.pop_front() } else { None };
            let mut expired = Vec::with_capacity(due.as_ref().map_or(0, Vec::len));
            for key in due.into_iter().flatten() {
                let found = sums.find_entry(hasher.hash_one(key), |timed| timed.key == key);
                if let Ok(entry) = found
                    && entry.get().touched + 2 == now
                {
                    let Timed { key, sum, .. } = entry.remove().0;
                    expired.push((key, sum));
                }
            }
            expired
        })
    }
}
