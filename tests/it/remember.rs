//! Batches that are remembered, and slices of them.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use streamflow::prelude::*;
use streamflow::sink::Remembered;
use streamflow::testing::{Driver, SimulatedFs};
use streamflow::{BatchContext, BatchTime, ErrorKind, ManualClock};

fn at(seconds: u64) -> BatchTime {
    BatchTime::from_millis(seconds * 1_000)
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The times of batches, in seconds.
fn times<T: streamflow::Fork>(batches: &[Batch<T>]) -> Vec<u64> {
    batches.iter().map(|batch| batch.time().as_millis() / 1_000).collect()
}

/// A program of batches with one number each, from 1 on, the last of which are remembered.
fn numbers(batches: u32, duration: Duration) -> (Driver, Remembered<u32>) {
    let test = Driver::new().unwrap();
    let recent = test.input((1..=batches).map(|number| vec![number]).collect()).remember(duration);
    (test, recent)
}

#[test]
fn a_slice_has_both_ends_and_lies_on_the_grid() {
    let (mut test, recent) = numbers(4, seconds(60));
    test.run_batches(4).unwrap();
    let slice = |from, to| {
        let batches = recent.slice(BatchTime::from_millis(from), BatchTime::from_millis(to)).unwrap();
        batches.into_iter().flat_map(Batch::collect).collect::<Vec<_>>()
    };
    assert_eq!(slice(1_000, 3_000), [1, 2, 3]);
    assert_eq!(slice(1_999, 3_001), [1, 2, 3], "rounded down");
    assert_eq!(slice(2_500, 2_500), [2]);
    assert_eq!(slice(0, 1_000), [1], "zero time has no batch");
    assert!(slice(0, 999).is_empty());
    assert_eq!(slice(3_000, u64::MAX), [3, 4], "what has not come is not there yet");
    assert!(slice(5_000, 6_000).is_empty());
}

#[test]
fn a_slice_before_the_start_or_from_its_end_is_refused() {
    let (mut test, recent) = numbers(1, seconds(60));
    let early = recent.slice(at(0), at(1)).unwrap_err();
    assert_eq!(early.kind(), ErrorKind::IllegalState);
    assert!(early.to_string().contains("has not been initialized"), "{early}");
    assert!(recent.batches().is_empty());
    test.context().start().unwrap();
    assert!(recent.slice(at(0), at(1)).unwrap().is_empty(), "no batch has come");
    test.run_batches(1).unwrap();
    let swapped = recent.slice(at(2), at(1)).unwrap_err();
    assert_eq!(swapped.kind(), ErrorKind::InvalidArgument);
    assert!(swapped.to_string().contains("from 2000 ms to 1000 ms ends before it begins"), "{swapped}");
}

/// Spark's numbers: with a slide of 2 s and 3 s to remember, the batches of 10 s and 8 s are held and that of 6 s is not.
#[test]
fn batches_are_let_go_when_they_are_too_old() {
    let mut test = Driver::new().unwrap();
    let input = test.input((1..=10).map(|number| vec![number]).collect());
    let windows = input.window(seconds(4), seconds(2)).remember(seconds(3));
    let latest = input.remember(Duration::from_millis(1));
    test.run_batches(10).unwrap();
    assert_eq!(times(&windows.batches()), [8, 10]);
    assert_eq!(times(&windows.slice(at(9), at(11)).unwrap()), [8, 10], "on the grid of the window");
    assert_eq!(times(&latest.batches()), [10]);
    let forgotten = windows.slice(at(6), at(10)).unwrap_err();
    assert_eq!(forgotten.kind(), ErrorKind::InvalidArgument);
    let message = "the batch of 6000 ms is not remembered: of this stream those from 8000 ms to 10000 ms are";
    assert!(forgotten.to_string().contains(message), "{forgotten}");
}

#[test]
fn blocks_are_shared_and_freed_with_the_last_handle() {
    let record = Arc::new(());
    let mut test = Driver::new().unwrap();
    let recent = test.input(vec![vec![Arc::clone(&record)]; 9]).remember(seconds(3));
    let prepared = Arc::strong_count(&record);
    test.run_batches(9).unwrap();
    assert_eq!(Arc::strong_count(&record), prepared + 3, "three batches are held, and no batch twice");
    let (first, second) = (recent.batches(), recent.slice(at(7), at(9)).unwrap());
    assert_eq!(Arc::strong_count(&record), prepared + 3, "what is handed out is shared");
    assert!(std::ptr::eq(first[0].iter().next().unwrap(), second[0].iter().next().unwrap()));
    drop((first, second));
    let clone = recent.clone();
    drop(recent);
    assert_eq!(clone.batches().len(), 3);
    drop(clone);
    assert_eq!(Arc::strong_count(&record), prepared);
    test.run_batches(1).unwrap();
    assert_eq!(Arc::strong_count(&record), prepared, "nobody can ask any more");
}

#[test]
fn other_consumers_get_their_records() {
    let mut test = Driver::with(|builder| builder.max_task_failures(1)).unwrap();
    let input = test.input(vec![vec![1, 2], vec![3]]);
    let before = test.output(&input);
    let recent = input.remember(seconds(60));
    let doubled = test.output(&input.transform(|batch| batch.map(|n| n * 2)));
    test.run_batches(2).unwrap();
    assert_eq!(before.batches(), [vec![1, 2], vec![3]]);
    assert_eq!(doubled.batches(), [vec![2, 4], vec![6]]);
    assert_eq!(recent.batches().into_iter().map(Batch::collect).collect::<Vec<_>>(), [vec![1, 2], vec![3]]);
}

#[test]
fn in_the_place_of_a_batch_that_failed_there_is_its_error() {
    let mut test = Driver::new().unwrap();
    let input = test.input(vec![vec![1], vec![2], vec![3]]);
    let checked = input.transform(|batch| if batch.iter().any(|n| *n == 2) { Err("two") } else { Ok(batch) });
    let recent = checked.remember(seconds(60));
    let errors = test.try_run_batches(3).unwrap();
    assert_eq!((errors.len(), errors[0].batch()), (1, Some(at(2))));
    assert_eq!(times(&recent.batches()), [1, 3]);
    let error = recent.slice(at(1), at(3)).unwrap_err();
    assert_eq!(error.to_string(), errors[0].to_string());
    assert_eq!(times(&recent.slice(at(3), at(3)).unwrap()), [3]);
}

#[test]
fn any_thread_may_ask_and_the_answer_outlives_the_context() {
    let (mut test, recent) = numbers(3, seconds(60));
    test.run_batches(3).unwrap();
    test.context().stop().unwrap();
    drop(test);
    let sum = std::thread::spawn(move || {
        let batches = recent.slice(at(1), at(3)).unwrap();
        batches.into_iter().reduce(Batch::union).unwrap().map(|n| n * 10).reduce(|a, b| a + b)
    });
    assert_eq!(sum.join().unwrap(), Some(60));
}

#[test]
fn a_restart_remembers_only_its_own_batches() {
    let (files, clock) = (SimulatedFs::new(3), ManualClock::new());
    let run = |batches| {
        let driver = Driver::with_clock(clock.clone(), |builder| builder.simulated_files(&files).checkpoint("state"));
        let mut driver = driver.unwrap();
        let recent = driver.input((1..=5).map(|number| vec![number]).collect()).remember(seconds(60));
        driver.run_batches(batches).unwrap();
        recent
    };
    assert_eq!(times(&run(3).batches()), [1, 2, 3]);
    let recent = run(2);
    assert_eq!(times(&recent.batches()), [4, 5]);
    assert!(recent.slice(at(3), at(5)).unwrap_err().to_string().contains("those from 4000 ms to 5000 ms are"));
}

#[test]
fn a_duration_that_remembers_nothing_makes_the_start_fail() {
    let (test, _recent) = numbers(1, Duration::ZERO);
    let error = test.context().start().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("remembering the batches of a duration of 0ns"), "{error}");
}

#[test]
fn text_and_batch_mode_are_remembered_too() {
    let ctx = BatchContext::new().unwrap();
    let recent = ctx.text("to be\nor not").remember(seconds(1));
    ctx.run().unwrap();
    let batches = recent.slice(at(0), at(0)).unwrap();
    let lines: Vec<&str> = batches.iter().flat_map(|batch| batch.iter()).collect();
    assert_eq!(lines, ["to be", "or not"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A slice is what an output of the same stream collects in that range, or some of it is too old.
    #[test]
    fn slices_are_what_an_output_sees(
        batches in vec(vec(any::<u8>(), 0..4), 1..12),
        (length, slide) in (1..5_u64, 1..4_u64),
        duration in 1..8_000_u64,
        (from, span) in (0..14_000_u64, 0..14_000_u64),
    ) {
        let mut test = Driver::new().unwrap();
        let count = batches.len();
        let windows = test.input(batches).window(seconds(length), seconds(slide));
        let out = test.output(&windows);
        let recent = windows.remember(Duration::from_millis(duration));
        test.run_batches(count).unwrap();

        let (from, to) = (BatchTime::from_millis(from), BatchTime::from_millis(from + span));
        let slide = seconds(slide);
        let inside = |time: &BatchTime| *time >= from.floor(slide) && *time <= to.floor(slide);
        let seen: Vec<_> = out.times().into_iter().zip(out.batches()).filter(|(time, _)| inside(time)).collect();
        let last = out.times().last().copied().unwrap_or_default();
        let is_too_old = seen.iter().any(|(time, _)| last.since(*time).as_millis() as u64 >= duration);
        match recent.slice(from, to) {
            Ok(slice) => {
                let slice: Vec<_> = slice.into_iter().map(|batch| (batch.time(), batch.collect())).collect();
                prop_assert_eq!(slice, seen);
                prop_assert!(!is_too_old);
            }
            Err(error) => prop_assert!(is_too_old, "{}", error),
        }
    }
}
