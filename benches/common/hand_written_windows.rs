//! Windows of sums without the library.
//!
//! Common to all: keys belong to one of two halves by a bit of their hash. Both threads sort a batch into halves, then
//! each thread has a half for itself, whose state it keeps from slide to slide.

use std::collections::VecDeque;
use std::sync::Arc;

use ahash::RandomState;
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;
use rayon::ThreadPool;

use super::streaming::Pair;

type Sums = Vec<Vec<Pair>>;

/// The hasher of all tables.
pub fn hasher() -> RandomState {
    RandomState::with_seeds(1, 2, 3, 4)
}

/// Sorts a batch of two blocks into halves, and gives each state the two parts of its half.
pub fn by_halves<S: Send, R: Send>(
    threads: &ThreadPool,
    batch: &[Arc<Vec<Pair>>],
    states: &mut [S; 2],
    step: impl Fn(&mut S, [Vec<Pair>; 2]) -> R + Sync,
) -> Vec<R> {
    let hasher = hasher();
    let sort = |block: &[Pair]| {
        let mut halves = [0, 1].map(|_| Vec::with_capacity(block.len() / 2 + block.len() / 16));
        for &pair in block {
            halves[(hasher.hash_one(pair.0) >> 32 & 1) as usize].push(pair);
        }
        halves
    };
    let ([a0, a1], [b0, b1]) = threads.install(|| rayon::join(|| sort(&batch[0]), || sort(&batch[1])));
    let [zero, one] = states;
    let (zero, one) = threads.install(|| rayon::join(|| step(zero, [a0, b0]), || step(one, [a1, b1])));
    vec![zero, one]
}

/// The number of each key, in the order in which they came up. No key ever leaves.
#[derive(Default)]
pub struct Numbers(HashTable<(u64, u32)>);

impl Numbers {
    /// The number of a key; a new key has the next.
    pub fn of(&mut self, hasher: &RandomState, key: u64) -> u32 {
        let next = self.0.len() as u32;
        match self.0.entry(hasher.hash_one(key), |entry| entry.0 == key, |entry| hasher.hash_one(entry.0)) {
            Entry::Occupied(entry) => entry.get().1,
            Entry::Vacant(entry) => entry.insert((key, next)).get().1,
        }
    }
}

/// A running sum for each key; each pane remembers what it put to which, once for each key.
pub struct WithInverse {
    threads: ThreadPool,
    panes: usize,
    halves: [InverseHalf; 2],
}

#[derive(Default)]
struct InverseHalf {
    numbers: Numbers,
    sums: Vec<Pair>,
    /// Where each key is in the newest pane that has it.
    places: Vec<Place>,
    entered: u32,
    panes: VecDeque<Vec<(u32, u64)>>,
}

/// An entry of a pane.
#[derive(Clone, Copy)]
struct Place {
    pane: u32,
    entry: u32,
}

/// Adds a value to a key's entry in the newest pane, a new one if it has none there.
fn note(pane: &mut Vec<(u32, u64)>, place: &mut Place, newest: u32, number: u32, value: u64) {
    if place.pane == newest {
        pane[place.entry as usize].1 += value;
    } else {
        *place = Place { pane: newest, entry: pane.len() as u32 };
        pane.push((number, value));
    }
}

impl WithInverse {
    /// A window of so many panes.
    pub fn new(threads: ThreadPool, panes: usize) -> Self {
        Self { threads, panes, halves: Default::default() }
    }

    /// Takes in a batch; returns the sums.
    pub fn slide(&mut self, batch: &[Arc<Vec<Pair>>]) -> Sums {
        let (hasher, length) = (hasher(), self.panes);
        by_halves(&self.threads, batch, &mut self.halves, |half, parts| {
            let InverseHalf { numbers, sums, places, entered, panes } = half;
            *entered += 1;
            let mut pane = Vec::with_capacity(parts.iter().map(Vec::len).sum());
            for (key, value) in parts.into_iter().flatten() {
                let number = numbers.of(&hasher, key);
                match sums.get_mut(number as usize) {
                    Some(sum) => sum.1 += value,
                    None => {
                        sums.push((key, value));
                        places.push(Place { pane: 0, entry: 0 });
                    }
                }
                note(&mut pane, &mut places[number as usize], *entered, number, value);
            }
            panes.push_back(pane);
            if panes.len() > length {
                for (number, value) in panes.pop_front().expect("there is one") {
                    sums[number as usize].1 -= value;
                }
            }
            sums.clone()
        })
    }
}

/// Two stacks of panes. The newer panes have one sum for each key. When the older stack is empty, all panes are turned over
/// at once, the newest first: each notes for its keys the sum of the newer ones, which holds again when the pane has left.
pub struct TwoStacks {
    threads: ThreadPool,
    panes: usize,
    halves: [StacksHalf; 2],
}

#[derive(Default)]
struct StacksHalf {
    numbers: Numbers,
    keys: Vec<StacksKey>,
    entered: u32,
    newer: Vec<Vec<(u32, u64)>>,
    older: Vec<Vec<(u32, Option<u64>)>>,
}

struct StacksKey {
    key: u64,
    newer: Option<u64>,
    older: Option<u64>,
    /// Where the key is in the newest pane that has it.
    place: Place,
}

impl TwoStacks {
    /// A window of so many panes.
    pub fn new(threads: ThreadPool, panes: usize) -> Self {
        Self { threads, panes, halves: Default::default() }
    }

    /// Takes in a batch; returns the sums.
    pub fn slide(&mut self, batch: &[Arc<Vec<Pair>>]) -> Sums {
        let (hasher, length) = (hasher(), self.panes);
        by_halves(&self.threads, batch, &mut self.halves, |half, parts| {
            half.enter(&hasher, parts);
            if half.newer.len() + half.older.len() > length {
                half.leave();
            }
            half.sums()
        })
    }
}

impl StacksHalf {
    fn enter(&mut self, hasher: &RandomState, parts: [Vec<Pair>; 2]) {
        self.entered += 1;
        let mut pane = Vec::with_capacity(parts.iter().map(Vec::len).sum());
        for (key, value) in parts.into_iter().flatten() {
            let number = self.numbers.of(hasher, key);
            match self.keys.get_mut(number as usize) {
                Some(known) => known.newer = Some(known.newer.map_or(value, |sum| sum + value)),
                None => {
                    let place = Place { pane: 0, entry: 0 };
                    self.keys.push(StacksKey { key, newer: Some(value), older: None, place });
                }
            }
            note(&mut pane, &mut self.keys[number as usize].place, self.entered, number, value);
        }
        self.newer.push(pane);
    }

    fn leave(&mut self) {
        if self.older.is_empty() {
            while let Some(pane) = self.newer.pop() {
                let turned = pane.into_iter().map(|(number, value)| {
                    let key = &mut self.keys[number as usize];
                    key.newer = None;
                    let after = key.older;
                    key.older = Some(after.map_or(value, |sum| value + sum));
                    (number, after)
                });
                self.older.push(turned.collect());
            }
        }
        for (number, after) in self.older.pop().expect("there are panes").into_iter().rev() {
            self.keys[number as usize].older = after;
        }
    }

    fn sums(&self) -> Vec<Pair> {
        let sum = |key: &StacksKey| match (key.older, key.newer) {
            (Some(older), Some(newer)) => Some((key.key, older + newer)),
            (Some(sum), None) | (None, Some(sum)) => Some((key.key, sum)),
            (None, None) => None,
        };
        let mut sums = Vec::with_capacity(self.keys.len());
        sums.extend(self.keys.iter().filter_map(sum));
        sums
    }
}

/// Only the batches are kept; the sums are made anew each time.
pub struct FromScratch {
    threads: ThreadPool,
    length: usize,
    batches: VecDeque<Vec<Arc<Vec<Pair>>>>,
}

impl FromScratch {
    /// A window of so many panes.
    pub fn new(threads: ThreadPool, panes: usize) -> Self {
        Self { threads, length: panes, batches: VecDeque::new() }
    }

    /// Takes in a batch; returns the sums. Each thread sums one block of each batch into a table for each half, then each
    /// thread merges the two tables of a half.
    pub fn slide(&mut self, batch: &[Arc<Vec<Pair>>]) -> Sums {
        self.batches.push_back(batch.to_vec());
        if self.batches.len() > self.length {
            self.batches.pop_front();
        }
        let hasher = hasher();
        let sum = |block: usize| {
            let mut tables = [HashTable::new(), HashTable::new()];
            for &pair in self.batches.iter().flat_map(|batch| batch[block].iter()) {
                let hash = hasher.hash_one(pair.0);
                add(&hasher, &mut tables[(hash >> 32 & 1) as usize], hash, pair);
            }
            tables
        };
        let merge = |mut all: HashTable<Pair>, other: HashTable<Pair>| {
            other.into_iter().for_each(|pair| add(&hasher, &mut all, hasher.hash_one(pair.0), pair));
            all.into_iter().collect()
        };
        let ([a0, a1], [b0, b1]) = self.threads.install(|| rayon::join(|| sum(0), || sum(1)));
        let (zero, one) = self.threads.install(|| rayon::join(|| merge(a0, b0), || merge(a1, b1)));
        vec![zero, one]
    }
}

fn add(hasher: &RandomState, table: &mut HashTable<Pair>, hash: u64, (key, value): Pair) {
    match table.entry(hash, |entry| entry.0 == key, |entry| hasher.hash_one(entry.0)) {
        Entry::Occupied(mut entry) => entry.get_mut().1 += value,
        Entry::Vacant(entry) => {
            entry.insert((key, value));
        }
    }
}
