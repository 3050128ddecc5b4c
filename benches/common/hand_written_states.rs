//! State for each key without the library, in halves as the [windows](super::hand_written_windows) are.
//!
//! [`Mapped`] and [`Updated`] take any function of the operator's shape, as the operators do; [`MappedSums`] and
//! [`UpdatedSums`] know that states are sums of values, and need neither to hand out values nor to forget a key.

use std::collections::{HashMap, VecDeque};
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

fn table(pairs: Vec<Pair>) -> HashTable<Pair> {
    let hasher = hasher();
    let mut table = HashTable::new();
    for pair in pairs {
        table.insert_unique(hasher.hash_one(pair.0), pair, |pair: &Pair| hasher.hash_one(pair.0));
    }
    table
}

/// A table of states.
pub struct Mapped<F> {
    threads: ThreadPool,
    halves: [HashTable<Pair>; 2],
    function: F,
}

impl<M: Send, F: Fn(&u64, Option<u64>, &mut Option<u64>) -> M + Sync> Mapped<F> {
    /// Starts with these states.
    pub fn new(threads: ThreadPool, initial: Vec<Pair>, function: F) -> Self {
        Self { threads, halves: in_halves(initial).map(table), function }
    }

    /// Calls the function for each record; returns what it returns.
    pub fn batch(&mut self, batch: &[Arc<Vec<Pair>>]) -> Vec<Vec<M>> {
        let (hasher, function) = (hasher(), &self.function);
        by_halves(&self.threads, batch, &mut self.halves, |states, parts| {
            let mut mapped = Vec::with_capacity(parts.iter().map(Vec::len).sum());
            for (key, value) in parts.into_iter().flatten() {
                let rehash = |pair: &Pair| hasher.hash_one(pair.0);
                match states.entry(hasher.hash_one(key), |pair| pair.0 == key, rehash) {
                    Entry::Occupied(mut entry) => {
                        let mut state = Some(entry.get().1);
                        mapped.push(function(&key, Some(value), &mut state));
                        match state {
                            Some(state) => entry.get_mut().1 = state,
                            None => drop(entry.remove()),
                        }
                    }
                    Entry::Vacant(entry) => {
                        let mut state = None;
                        mapped.push(function(&key, Some(value), &mut state));
                        if let Some(state) = state {
                            entry.insert((key, state));
                        }
                    }
                }
            }
            mapped
        })
    }
}

/// A table of sums.
pub struct MappedSums {
    threads: ThreadPool,
    halves: [HashTable<Pair>; 2],
}

impl MappedSums {
    /// Starts with these sums.
    pub fn new(threads: ThreadPool, initial: Vec<Pair>) -> Self {
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

/// Numbered keys: their states in a row, and beside it the places of the values that a batch brings them, so that the pass
/// over all keys needs no table. The last key takes the number of one that is forgotten.
pub struct Updated<F> {
    threads: ThreadPool,
    halves: [States; 2],
    function: F,
}

#[derive(Default)]
struct States {
    numbers: HashTable<(u64, u32)>,
    states: Vec<Pair>,
    /// One more than the place of the values of each number, or 0.
    places: Vec<u32>,
}

impl States {
    fn add(&mut self, key: u64, state: u64) {
        let (hasher, number) = (hasher(), self.states.len() as u32);
        self.numbers.insert_unique(hasher.hash_one(key), (key, number), |entry| hasher.hash_one(entry.0));
        self.states.push((key, state));
        self.places.push(0);
    }

    fn forget(&mut self, number: u32) {
        let hasher = hasher();
        let (key, _) = self.states.swap_remove(number as usize);
        self.places.pop();
        if let Ok(entry) = self.numbers.find_entry(hasher.hash_one(key), |entry| entry.0 == key) {
            entry.remove();
        }
        if let Some(&(moved, _)) = self.states.get(number as usize)
            && let Some(entry) = self.numbers.find_mut(hasher.hash_one(moved), |entry| entry.0 == moved)
        {
            entry.1 = number;
        }
    }
}

impl<F: Fn(Vec<u64>, Option<u64>) -> Option<u64> + Sync> Updated<F> {
    /// Starts with these states.
    pub fn new(threads: ThreadPool, initial: Vec<Pair>, function: F) -> Self {
        let half = |pairs: Vec<Pair>| {
            let mut half = States::default();
            pairs.into_iter().for_each(|(key, state)| half.add(key, state));
            half
        };
        Self { threads, halves: in_halves(initial).map(half), function }
    }

    /// Calls the function for every key; returns all states.
    pub fn batch(&mut self, batch: &[Arc<Vec<Pair>>]) -> Vec<Vec<Pair>> {
        let (hasher, function) = (hasher(), &self.function);
        by_halves(&self.threads, batch, &mut self.halves, |half, parts| {
            // Numbers first, then values: look-ups wait for far memory, and wait together if nothing is done in between.
            let number =
                |key: u64| half.numbers.find(hasher.hash_one(key), |entry| entry.0 == key).map(|entry| entry.1);
            let numbers: Vec<Option<u32>> = parts.iter().flatten().map(|pair| number(pair.0)).collect();
            let (mut values, mut fresh) = (Vec::<Vec<u64>>::new(), HashMap::<u64, Vec<u64>>::new());
            for ((key, value), number) in parts.into_iter().flatten().zip(numbers) {
                let Some(number) = number else {
                    fresh.entry(key).or_default().push(value);
                    continue;
                };
                let place = &mut half.places[number as usize];
                if *place == 0 {
                    values.push(Vec::new());
                    *place = values.len() as u32;
                }
                values[*place as usize - 1].push(value);
            }
            let mut all = Vec::with_capacity(half.states.len() + fresh.len());
            let mut gone = Vec::new();
            for (number, ((key, state), place)) in half.states.iter_mut().zip(&mut half.places).enumerate() {
                // A call of its own for keys without values: what the function does with none is then known to rustc.
                let new = if *place == 0 {
                    function(Vec::new(), Some(*state))
                } else {
                    let values = std::mem::take(&mut values[std::mem::take(place) as usize - 1]);
                    function(values, Some(*state))
                };
                match new {
                    Some(new) => {
                        *state = new;
                        all.push((*key, new));
                    }
                    None => gone.push(number as u32),
                }
            }
            gone.into_iter().rev().for_each(|number| half.forget(number));
            for (key, values) in fresh {
                if let Some(new) = function(values, None) {
                    half.add(key, new);
                    all.push((key, new));
                }
            }
            all
        })
    }
}

/// Numbered keys: their sums in a row, and what a batch brings them beside, so that the pass over all keys needs no table.
pub struct UpdatedSums {
    threads: ThreadPool,
    halves: [UpdatedHalf; 2],
}

struct UpdatedHalf {
    numbers: Numbers,
    sums: Vec<Pair>,
    new: Vec<u64>,
}

impl UpdatedSums {
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

/// A table of states with the batch that touched each, and for each batch the keys that were new or known long before.
pub struct Expiring<F> {
    threads: ThreadPool,
    now: u64,
    halves: [ExpiringHalf; 2],
    function: F,
}

#[derive(Default)]
struct ExpiringHalf {
    states: HashTable<Timed>,
    touched: VecDeque<Vec<u64>>,
}

struct Timed {
    key: u64,
    state: u64,
    touched: u64,
}

impl<M: Send, F: Fn(&u64, Option<u64>, &mut Option<u64>) -> Option<M> + Sync> Expiring<F> {
    /// Starts with nothing.
    pub fn new(threads: ThreadPool, function: F) -> Self {
        Self { threads, now: 0, halves: Default::default(), function }
    }

    /// Calls the function for each record, and without a value for the keys that came neither in this batch nor in the one
    /// before, which go; returns what it returns.
    pub fn batch(&mut self, batch: &[Arc<Vec<Pair>>]) -> Vec<Vec<M>> {
        self.now += 1;
        let (now, hasher, function) = (self.now, hasher(), &self.function);
        by_halves(&self.threads, batch, &mut self.halves, |half, parts| {
            let records = parts.iter().map(Vec::len).sum();
            let (mut keys, mut mapped) = (Vec::with_capacity(records), Vec::with_capacity(records));
            for (key, value) in parts.into_iter().flatten() {
                let rehash = |timed: &Timed| hasher.hash_one(timed.key);
                match half.states.entry(hasher.hash_one(key), |timed| timed.key == key, rehash) {
                    Entry::Occupied(mut entry) => {
                        let mut state = Some(entry.get().state);
                        mapped.extend(function(&key, Some(value), &mut state));
                        let Some(state) = state else {
                            entry.remove();
                            continue;
                        };
                        let timed = entry.get_mut();
                        timed.state = state;
                        if std::mem::replace(&mut timed.touched, now) != now {
                            keys.push(key);
                        }
                    }
                    Entry::Vacant(entry) => {
                        let mut state = None;
                        mapped.extend(function(&key, Some(value), &mut state));
                        if let Some(state) = state {
                            entry.insert(Timed { key, state, touched: now });
                            keys.push(key);
                        }
                    }
                }
            }
            half.touched.push_back(keys);
            let due = if half.touched.len() > 2 { half.touched.pop_front() } else { None };
            for key in due.into_iter().flatten() {
                let found = half.states.find_entry(hasher.hash_one(key), |timed| timed.key == key);
                if let Ok(entry) = found
                    && entry.get().touched + 2 == now
                {
                    let Timed { key, state, .. } = entry.remove().0;
                    mapped.extend(function(&key, None, &mut Some(state)));
                }
            }
            mapped
        })
    }
}
