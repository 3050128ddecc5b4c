//! Batches that wait, were missed, or run again.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamflow::testing::Driver;
use streamflow::{DStream, MissedBatches};

use super::World;
use streamflow::prelude::*;

/// What an output saw: the number of the batch, whether it was a re-run, and its records.
type Seen = Arc<Mutex<Vec<(u64, bool, Vec<u64>)>>>;

fn watch(stream: &DStream<u64>, seen: &Seen, fails_at: Option<u64>) {
    let seen = Arc::clone(seen);
    stream.foreach_batch(move |batch| {
        let (number, rerun) = (batch.time().as_millis() / 1_000, batch.is_rerun());
        if Some(number) == fails_at {
            return Err("not this one");
        }
        seen.lock().unwrap().push((number, rerun, batch.collect()));
        Ok(())
    });
}

/// A batch with its number as its record.
fn numbers(driver: &Driver) -> DStream<u64> {
    driver.input((1..30).map(|number| vec![number]).collect())
}

fn take(seen: &Seen) -> Vec<(u64, bool, Vec<u64>)> {
    std::mem::take(&mut *seen.lock().unwrap())
}

fn fresh(batches: impl IntoIterator<Item = u64>) -> Vec<(u64, bool, Vec<u64>)> {
    batches.into_iter().map(|number| (number, false, vec![number])).collect()
}

#[test]
fn all_missed_batches_run_in_order() {
    let (world, seen) = (World::new(), Seen::default());
    let mut driver = world.driver();
    watch(&numbers(&driver), &seen, None);
    driver.run_batches(3).unwrap();
    drop(driver);
    let world = world.restarted();
    world.clock.advance(Duration::from_secs(7));
    let mut driver = world.driver();
    watch(&numbers(&driver), &seen, None);
    driver.run_batches(1).unwrap();
    assert_eq!(take(&seen), fresh(1..=11));
}

#[stream]
fn running(numbers: DStream<u64>) -> (DStream<u64>, DStream<u64>) {
    let sums = numbers.reduce_by_window(|a, b| a + b, 4s, 1s);
    (numbers, sums)
}

#[test]
fn only_the_newest_of_the_missed_batches_run_if_the_program_says_so() {
    let (world, seen, sums) = (World::new(), Seen::default(), Seen::default());
    let start = |world: &World| {
        let driver = world.driver_with(|builder| builder.missed_batches(MissedBatches::Newest(2))).unwrap();
        let (numbers, windows) = running(numbers(&driver));
        watch(&numbers, &seen, None);
        watch(&windows, &sums, None);
        driver
    };
    let mut driver = start(&world);
    driver.run_batches(3).unwrap();
    drop(driver);
    let world = world.restarted();
    world.clock.advance(Duration::from_secs(7));
    let mut driver = start(&world);
    driver.run_batches(1).unwrap();
    assert_eq!(take(&seen), fresh([1, 2, 3, 9, 10, 11]));
    let totals: Vec<(u64, u64)> = take(&sums).into_iter().map(|(number, _, sum)| (number, sum[0])).collect();
    // The window of batch 9 has seen three batches without records.
    assert_eq!(totals, [(1, 1), (2, 3), (3, 6), (9, 9), (10, 19), (11, 30)]);
}

/// A batch that was left out stays so if the program is stopped again before it is done.
#[test]
fn a_batch_that_was_left_out_is_not_run_by_a_later_restart() {
    let (world, seen) = (World::new(), Seen::default());
    let start = |world: &World, fails_at| {
        let driver = world.driver_with(|builder| builder.missed_batches(MissedBatches::Newest(1))).unwrap();
        watch(&numbers(&driver), &seen, fails_at);
        driver
    };
    start(&world, None).run_batches(1).unwrap();
    world.clock.advance(Duration::from_secs(5));
    let world = world.restarted();
    let mut driver = start(&world, None);
    // The plans of the batches are durable and nothing else is.
    world.files.crash_at(world.files.operations() + 40);
    let _ = driver.try_run_batches(1);
    drop(driver);
    let world = World { files: world.files.recover(), clock: world.clock };
    start(&world, None).run_batches(1).unwrap();
    let mut batches: Vec<u64> = take(&seen).into_iter().map(|(number, ..)| number).collect();
    batches.dedup();
    assert!(batches.iter().all(|number| ![2, 3, 4, 5].contains(number)), "{batches:?}");
}

#[test]
fn a_failed_batch_waits_for_the_next_start() {
    let (world, seen) = (World::new(), Seen::default());
    let mut driver = world.driver();
    watch(&numbers(&driver), &seen, Some(3));
    assert_eq!(driver.try_run_batches(6).unwrap().len(), 1);
    assert_eq!(take(&seen), fresh([1, 2, 4, 5, 6]));
    drop(driver);
    // Only the failed one runs again, and it is told.
    let world = world.restarted();
    let mut driver = world.driver();
    watch(&numbers(&driver), &seen, None);
    driver.run_batches(1).unwrap();
    assert_eq!(take(&seen), [vec![(3, true, vec![3])], fresh([7])].concat());
    drop(driver);
    // After that there is nothing to repeat.
    let world = world.restarted();
    let mut driver = world.driver();
    watch(&numbers(&driver), &seen, None);
    driver.run_batches(2).unwrap();
    assert_eq!(take(&seen), fresh([8, 9]));
}

#[test]
fn only_the_batch_in_the_works_is_a_rerun() {
    let (world, seen) = (World::new(), Seen::default());
    let mut driver = world.driver();
    watch(&numbers(&driver), &seen, None);
    driver.run_batches(2).unwrap();
    // Its completion is the last thing that a batch writes.
    let writes = |files: &streamflow::testing::SimulatedFs| files.operations();
    let before = writes(&world.files);
    driver.run_batches(1).unwrap();
    let of_a_batch = writes(&world.files) - before;
    world.files.crash_at(writes(&world.files) + of_a_batch - 1);
    let _ = driver.try_run_batches(1);
    drop(driver);
    assert_eq!(take(&seen), fresh(1..=4));
    let world = World { files: world.files.recover(), clock: world.clock };
    let mut driver = world.driver();
    watch(&numbers(&driver), &seen, None);
    driver.run_batches(1).unwrap();
    let again = take(&seen);
    assert!(again.iter().all(|(number, rerun, _)| *rerun == (*number < 5)), "{again:?}");
    assert_eq!(again.last(), Some(&(5, false, vec![5])));
    assert!(again.len() <= 2, "a batch that was completed is not put out again: {again:?}");
}
