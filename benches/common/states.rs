//! State for each key, and the same by hand.

use std::sync::Arc;
use std::time::Duration;

use streamflow::BatchTime;
use streamflow::prelude::*;

use super::data::Random;
use super::hand_written_states::{Expiring, Mapped, MappedSums, Updated, UpdatedSums};
use super::streaming::{Batches, Count, Pair};
use super::{Group, Maker, Program, threads};

/// Keys that have a state, and those of them that a batch touches.
pub const KEYS: u64 = 1_000_000;
const TOUCHED: usize = 10_000;
/// Keys that time out in a batch.
const EXPIRING: u64 = 100_000;

/// A running sum for each key that comes.
#[stream]
pub fn running(pairs: DStream<(u64, u64)>, initial: Vec<(u64, u64)>) -> DStream<(u64, u64)> {
    pairs.map_with_state(
        StateSpec::function(|key: &u64, value: Option<u64>, sum: &mut State<u64>| {
            let new = sum.get().copied().unwrap_or(0) + value.unwrap_or(0);
            sum.update(new);
            (*key, new)
        })
        .initial_state(initial)
        .unbounded(),
    )
}

/// A sum for each key that fades from batch to batch.
#[stream]
pub fn fading(pairs: DStream<(u64, u64)>, initial: Vec<(u64, u64)>) -> DStream<(u64, u64)> {
    pairs.update_state_by_key(
        |values: Vec<u64>, old: Option<u64>| Some(fade(old.unwrap_or(0), values.iter().sum())),
        initial,
    )
}

/// What a batch does to the sum of a key. It changes every key.
pub fn fade(old: u64, new: u64) -> u64 {
    old - old / 8 + new
}

/// Sums that are told when their key has not come for a batch.
#[stream]
pub fn expiring(pairs: DStream<(u64, u64)>, initial: Vec<(u64, u64)>) -> DStream<(u64, u64)> {
    pairs.map_with_state(
        StateSpec::function_with_time(|_: BatchTime, key: &u64, value: Option<u64>, sum: &mut State<u64>| {
            if sum.is_timing_out() {
                return sum.get().map(|sum| (*key, *sum));
            }
            let new = sum.get().copied().unwrap_or(0) + value.unwrap_or(0);
            sum.update(new);
            None
        })
        .initial_state(initial)
        .timeout(Duration::from_secs(1)),
    )
}

/// The key of this number.
fn key(number: u64) -> u64 {
    Random::new(number).next()
}

/// A state for every key.
pub fn initial() -> Vec<Pair> {
    (0..KEYS).map(|number| (key(number), number % 1_000)).collect()
}

/// Batches that touch one key in a hundred, each once.
fn touching() -> Batches {
    let mut random = Random::new(6);
    let mut all: Vec<u64> = (0..KEYS).map(key).collect();
    Batches::new((0..20).map(|_| {
        for place in 0..TOUCHED {
            all.swap(place, place + random.below(KEYS - place as u64) as usize);
        }
        all[..TOUCHED].iter().map(|&key| (key, random.below(1_000))).collect()
    }))
}

/// The groups of state operators.
pub const STATES: [Maker; 5] = [
    ("map_with_state", map_with_state),
    ("map_with_state_sums", map_with_state_sums),
    ("update_state_by_key", update_state_by_key),
    ("update_state_by_key_sums", update_state_by_key_sums),
    ("state_expiry", state_expiry),
];

fn map_with_state() -> Group {
    let mut by_hand = Mapped::new(threads(), initial(), |key: &u64, value, sum: &mut Option<u64>| {
        let new = sum.unwrap_or(0) + value.unwrap_or(0);
        *sum = Some(new);
        (*key, new)
    });
    mapped("map_with_state", move |batch| by_hand.batch(batch))
}

fn map_with_state_sums() -> Group {
    let mut by_hand = MappedSums::new(threads(), initial());
    mapped("map_with_state_sums", move |batch| by_hand.batch(batch))
}

fn mapped(name: &'static str, by_hand: impl FnMut(&[Arc<Vec<Pair>>]) -> Vec<Vec<Pair>> + 'static) -> Group {
    let batches = touching();
    let count = Count { before: 20, of_a_run: 20 };
    let programs = vec![
        Program::streaming("map_with_state", &batches, count, |pairs| running(pairs, initial())),
        Program::by_hand("hand_written", &batches, count, by_hand),
    ];
    Group { name, elements: count.of_a_run * TOUCHED, programs }
}

fn update_state_by_key() -> Group {
    let mut by_hand = Updated::new(threads(), initial(), |values: Vec<u64>, old: Option<u64>| {
        Some(fade(old.unwrap_or(0), values.iter().sum()))
    });
    updated("update_state_by_key", move |batch| by_hand.batch(batch))
}

fn update_state_by_key_sums() -> Group {
    let mut by_hand = UpdatedSums::new(threads(), initial());
    updated("update_state_by_key_sums", move |batch| by_hand.batch(batch))
}

fn updated(name: &'static str, by_hand: impl FnMut(&[Arc<Vec<Pair>>]) -> Vec<Vec<Pair>> + 'static) -> Group {
    let batches = touching();
    let count = Count { before: 2, of_a_run: 1 };
    let programs = vec![
        Program::streaming("update_state_by_key", &batches, count, |pairs| fading(pairs, initial())),
        Program::by_hand("hand_written", &batches, count, by_hand),
    ];
    Group { name, elements: KEYS as usize, programs }
}

/// Each batch brings as many new keys as it lets time out.
fn state_expiry() -> Group {
    let set = |set: u64| (set * EXPIRING..(set + 1) * EXPIRING).map(|number| (key(number), number % 1_000)).collect();
    let batches = Batches::new((0..4).map(set));
    let count = Count { before: 8, of_a_run: 1 };
    let mut by_hand = Expiring::new(threads(), |key: &u64, value: Option<u64>, sum: &mut Option<u64>| {
        let Some(value) = value else { return sum.map(|sum| (*key, sum)) };
        *sum = Some(sum.unwrap_or(0) + value);
        None
    });
    let programs = vec![
        Program::streaming("state_expiry", &batches, count, |pairs| expiring(pairs, Vec::new())),
        Program::by_hand("hand_written", &batches, count, move |batch| by_hand.batch(batch)),
    ];
    Group { name: "state_expiry", elements: EXPIRING as usize, programs }
}
