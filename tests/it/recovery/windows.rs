//! Windows that another program goes on with: other lengths, other slides, with and without an inverse function.
//!
//! Batch `b` brings the number `2^b`, so a sum says which batches are in it. A window of the new program holds the batches of
//! its own length that the old program still had, and those since.

use std::collections::BTreeMap;
use std::time::Duration;

use streamflow::prelude::*;
use streamflow::testing::{Collected, Driver};
use streamflow::{Result, StreamingContextBuilder};

use super::{World, message};

type Numbers = DStream<(u8, u64)>;

/// The old program: a window of four seconds every two.
#[stream]
fn four_by_two(numbers: DStream<(u8, u64)>) -> DStream<(u8, u64)> {
    let sums = numbers.reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, 4s, 2s);
    sums
}

#[stream]
fn two_by_two(numbers: DStream<(u8, u64)>) -> DStream<(u8, u64)> {
    let sums = numbers.reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, 2s, 2s);
    sums
}

#[stream]
fn eight_by_two(numbers: DStream<(u8, u64)>) -> DStream<(u8, u64)> {
    let sums = numbers.reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, 8s, 2s);
    sums
}

#[stream]
fn four_by_one(numbers: DStream<(u8, u64)>) -> DStream<(u8, u64)> {
    let sums = numbers.reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, 4s, 1s);
    sums
}

#[stream]
fn four_by_four(numbers: DStream<(u8, u64)>) -> DStream<(u8, u64)> {
    let sums = numbers.reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, 4s, 4s);
    sums
}

#[stream]
fn without_inverse(numbers: DStream<(u8, u64)>) -> DStream<(u8, u64)> {
    let sums = numbers.reduce_by_key_and_window(|a, b| a + b, 4s, 2s);
    sums
}

/// Windows of whole records: another old program, and new ones.
#[stream]
fn held_four_by_two(numbers: DStream<(u8, u64)>) -> DStream<(u8, u64)> {
    let held = numbers.window(4s, 2s);
    held
}

#[stream]
fn held_two_by_two(numbers: DStream<(u8, u64)>) -> DStream<(u8, u64)> {
    let held = numbers.window(2s, 2s);
    held
}

#[stream]
fn held_four_by_one(numbers: DStream<(u8, u64)>) -> DStream<(u8, u64)> {
    let held = numbers.window(4s, 1s);
    held
}

#[stream]
fn held_eight_by_two(numbers: DStream<(u8, u64)>) -> DStream<(u8, u64)> {
    let held = numbers.window(8s, 2s);
    held
}

/// Batches of a run.
const BATCHES: u64 = 20;

fn start(
    world: &World,
    settings: impl FnOnce(StreamingContextBuilder) -> StreamingContextBuilder,
    build: impl FnOnce(Numbers) -> Numbers,
) -> Result<(Driver, Collected<(u8, u64)>)> {
    let driver = world.driver_with(settings)?;
    let numbers = driver.input((1..=BATCHES).map(|batch| vec![(1, 1 << batch)]).collect());
    let output = driver.output(&build(numbers));
    driver.context().start()?;
    Ok((driver, output))
}

/// Runs `was` for some batches, the last of which has a checkpoint, and then `is`. Returns which batches are in the windows of `is`, by
/// their ends.
fn across(
    was: fn(Numbers) -> Numbers,
    is: fn(Numbers) -> Numbers,
    restart: u64,
    name: &str,
) -> Result<BTreeMap<u64, Vec<u64>>> {
    let world = World::new();
    let checkpoint = |builder: StreamingContextBuilder| builder.checkpoint_interval(Duration::from_secs(restart));
    let (mut driver, _) = start(&world, checkpoint, was)?;
    (0..restart).try_for_each(|_| driver.run_batches(1))?;
    drop(driver);
    let world = world.restarted();
    // The state is named after the function that declares it.
    let old = start(&world, checkpoint, |numbers| numbers).map(drop).expect_err("a state would be lost");
    let old =
        message(&old).split("  `").nth(1).and_then(|rest| rest.split('`').next()).expect("it is named").to_owned();
    let declared = if old.contains("held_four_by_two") { "held_four_by_two" } else { "four_by_two" };
    let new = old.replace(declared, name);
    let renamed = |builder| {
        let builder = checkpoint(builder);
        if old == new { builder } else { builder.rename_state(old, new) }
    };
    let (mut driver, output) = start(&world, renamed, is)?;
    driver.run_batches((BATCHES - restart) as usize)?;
    let ends = output.times().into_iter().map(|time| time.as_millis() / 1_000);
    let batches = output.batches();
    let held = batches.iter().map(|batch| {
        let sum: u64 = batch.iter().map(|(_, sum)| sum).sum();
        (1..64).filter(|bit| sum >> bit & 1 == 1).collect()
    });
    Ok(ends.zip(held).collect())
}

/// The same by the definition of a window. The old program had four seconds up to its last slide, and what came since.
fn expected(length: u64, slide: u64, restart: u64) -> BTreeMap<u64, Vec<u64>> {
    let ends = (restart + 1..=BATCHES).filter(|end| end.is_multiple_of(slide));
    let gone = (restart / 2 * 2).saturating_sub(4);
    let held = |end: u64| ((end + 1).saturating_sub(length).max(gone + 1)..=end).collect();
    ends.map(|end| (end, held(end))).collect()
}

#[test]
fn other_lengths_and_functions_go_on_with_the_batches_that_are_there() {
    for restart in [5, 6, 9, 10] {
        let goes_on = |is, name, length| {
            let windows = across(four_by_two, is, restart, name).unwrap();
            assert_eq!(windows, expected(length, 2, restart), "{name} after {restart} batches");
        };
        goes_on(four_by_two, "four_by_two", 4);
        goes_on(two_by_two, "two_by_two", 2);
        goes_on(eight_by_two, "eight_by_two", 8);
        goes_on(without_inverse, "without_inverse", 4);
    }
}

/// A longer window lacks what the shorter one had let go.
#[test]
fn windows_of_records_go_on_with_the_batches_that_are_there() {
    for restart in [5, 6, 9, 10] {
        let goes_on = |is, name, length| {
            let mut windows = across(held_four_by_two, is, restart, name).unwrap();
            let mut expected = expected(length, 2, restart);
            if length > 4 {
                windows.retain(|end, _| *end >= restart + length);
                expected.retain(|end, _| *end >= restart + length);
            }
            assert_eq!(windows, expected, "{name} after {restart} batches");
        };
        goes_on(held_four_by_two, "held_four_by_two", 4);
        goes_on(held_two_by_two, "held_two_by_two", 2);
        goes_on(held_eight_by_two, "held_eight_by_two", 8);
    }
}

/// The old program kept one sum for two seconds: nobody can tell which part of it belongs to one.
#[test]
fn other_panes_are_refused() {
    let refused = |was: fn(Numbers) -> Numbers, is: fn(Numbers) -> Numbers, name: &str, panes: &str| {
        let error = message(&across(was, is, 6, name).unwrap_err());
        for part in ["does not fit", "in panes of 2s", &format!("in panes of {panes}"), ".drop_state("] {
            assert!(error.contains(part), "`{part}` is not in {error}");
        }
    };
    refused(four_by_two, four_by_one, "four_by_one", "1s");
    refused(four_by_two, four_by_four, "four_by_four", "4s");
    refused(held_four_by_two, held_four_by_one, "held_four_by_one", "1s");
}
