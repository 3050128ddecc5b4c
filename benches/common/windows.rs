//! Windows of sums, and the same by hand.

use std::time::Duration;

use streamflow::prelude::*;

use super::data::Random;
use super::hand_written_windows::{FromScratch, TwoStacks, WithInverse};
use super::streaming::{Batches, Count, Pair};
use super::{Group, Maker, Program, threads};

/// Panes of a window, and keys of a pane.
const PANES: usize = 60;
const KEYS_PER_PANE: usize = 100_000;

/// The sums of a window: what enters is added, what leaves is taken back.
#[stream]
pub fn with_inverse(pairs: DStream<(u64, u64)>, length: Duration, slide: Duration) -> DStream<(u64, u64)> {
    pairs.reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, length, slide)
}

/// The same without taking back.
#[stream]
pub fn without_inverse(pairs: DStream<(u64, u64)>, length: Duration, slide: Duration) -> DStream<(u64, u64)> {
    pairs.reduce_by_key_and_window(|a, b| a + b, length, slide)
}

#[stream]
fn sums(pairs: DStream<(u64, u64)>) -> DStream<(u64, u64)> {
    pairs.reduce_by_key(|a, b| a + b)
}

/// The same from all records of the window, at every slide.
pub fn from_scratch(pairs: DStream<Pair>, length: Duration, slide: Duration) -> DStream<Pair> {
    sums(pairs.window(length, slide))
}

/// Batches of `keys` distinct keys each, out of twice as many.
pub fn batches(count: usize, keys: usize) -> Batches {
    let mut random = Random::new(5);
    let mut all: Vec<u64> = (0..2 * keys as u64).map(|key| Random::new(key).next()).collect();
    Batches::new((0..count).map(|_| {
        for place in 0..keys {
            all.swap(place, place + random.below((2 * keys - place) as u64) as usize);
        }
        all[..keys].iter().map(|&key| (key, random.below(1_000))).collect()
    }))
}

/// The group of windows of many panes.
pub const WINDOW: Maker = ("window_60", window);

fn window() -> Group {
    let batches = batches(PANES, KEYS_PER_PANE);
    // After one window more: then panes have been turned over.
    let count = Count { before: 2 * PANES, of_a_run: 1 };
    let full = Count { before: PANES, of_a_run: 1 };
    let (length, slide) = (Duration::from_secs(PANES as u64), Duration::from_secs(1));
    let mut inverse = WithInverse::new(threads(), PANES);
    let mut stacks = TwoStacks::new(threads(), PANES);
    let mut scratch = FromScratch::new(threads(), PANES);
    let programs = vec![
        Program::streaming("with_inverse", &batches, count, |pairs| with_inverse(pairs, length, slide)),
        Program::by_hand("hand_with_inverse", &batches, count, move |batch| inverse.slide(batch)),
        Program::streaming("without_inverse", &batches, count, |pairs| without_inverse(pairs, length, slide)),
        Program::by_hand("hand_without_inverse", &batches, count, move |batch| stacks.slide(batch)),
        Program::streaming("from_scratch", &batches, full, |pairs| from_scratch(pairs, length, slide)),
        Program::by_hand("hand_from_scratch", &batches, full, move |batch| scratch.slide(batch)),
    ];
    Group { name: WINDOW.0, elements: KEYS_PER_PANE, programs }
}
