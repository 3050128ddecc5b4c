//! A program that has changed meets the checkpoint of what it was: what fits is kept, the rest is refused with a list.

use std::time::Duration;

use streamflow::prelude::*;
use streamflow::source::Queue;
use streamflow::testing::{Collected, Driver, IoFailure};
use streamflow::{Error, ErrorKind, Result, StreamingContext, StreamingContextBuilder};

use super::{World, message};

type Words = DStream<(String, u64)>;

#[stream]
fn counts(words: DStream<(String, u64)>) -> DStream<(String, u64)> {
    let totals = words.update_state_by_key(|new, old: Option<u64>| Some(old.unwrap_or(0) + new.iter().sum::<u64>()));
    totals
}

/// The same under another name.
#[stream]
fn renamed(words: DStream<(String, u64)>) -> DStream<(String, u64)> {
    let sums = words.update_state_by_key(|new, old: Option<u64>| Some(old.unwrap_or(0) + new.iter().sum::<u64>()));
    sums
}

/// The same with a state of another type.
#[stream]
fn retyped(words: DStream<(String, u64)>) -> DStream<(String, i64)> {
    let totals = words
        .update_state_by_key(|new: Vec<u64>, old: Option<i64>| Some(old.unwrap_or(0) - new.iter().sum::<u64>() as i64));
    totals
}

fn words() -> Vec<Vec<(String, u64)>> {
    (0..20).map(|batch| vec![(["a", "b", "c"][batch % 3].to_owned(), 1)]).collect()
}

/// Starts a program in the world; `build` makes it.
fn start<T: Clone + Send + Sync + 'static>(
    world: &World,
    settings: impl FnOnce(StreamingContextBuilder) -> StreamingContextBuilder,
    build: impl FnOnce(Words) -> DStream<T>,
) -> Result<(Driver, Collected<T>)> {
    let driver = world.driver_with(settings)?;
    let output = driver.output(&build(driver.input(words())));
    driver.context().start()?;
    Ok((driver, output))
}

fn refused<T: Clone + Send + Sync + 'static>(
    world: &World,
    settings: impl FnOnce(StreamingContextBuilder) -> StreamingContextBuilder,
    build: impl FnOnce(Words) -> DStream<T>,
) -> Error {
    match start(world, settings, build) {
        Ok(_) => panic!("it starts"),
        Err(error) => error,
    }
}

/// The world after six batches of `counts`; the last checkpoint is of the sixth.
fn after_counts() -> World {
    let world = World::new();
    let (mut driver, _) = start(&world, |builder| builder, counts).unwrap();
    // One by one: a checkpoint that is still being written when the next is due takes its place.
    (0..6).for_each(|_| driver.run_batches(1).unwrap());
    drop(driver);
    world.restarted()
}

fn sorted<T: Ord + Clone>(output: &Collected<T>) -> Vec<Vec<T>> {
    let mut batches = output.batches();
    batches.iter_mut().for_each(|batch| batch.sort());
    batches
}

fn row<N>(word: &str, count: N) -> (String, N) {
    (word.to_owned(), count)
}

/// What the seventh batch gives if nothing was lost.
fn kept() -> Vec<(String, u64)> {
    vec![row("a", 3), row("b", 2), row("c", 2)]
}

/// The name of the state of `counts`, as messages show it.
fn name_of_state() -> String {
    let world = after_counts();
    let error = refused(&world, |builder| builder, |words| words);
    let message = message(&error);
    let start = message.find("  `").expect("the message names the state") + 3;
    message[start..].split('`').next().expect("a name").to_owned()
}

#[test]
fn the_same_program_keeps_its_state() {
    let world = after_counts();
    let (mut driver, output) = start(&world, |builder| builder, counts).unwrap();
    driver.run_batches(1).unwrap();
    assert_eq!(sorted(&output), [kept()]);
}

#[test]
fn other_parallelism_is_no_change() {
    for parallelism in [1, 3, 7] {
        let world = after_counts();
        let settings = |builder: StreamingContextBuilder| builder.parallelism(parallelism).threads(parallelism);
        let (mut driver, output) = start(&world, settings, counts).unwrap();
        driver.run_batches(1).unwrap();
        assert_eq!(sorted(&output), [kept()], "{parallelism} partitions");
    }
}

#[test]
fn a_state_without_operator_is_refused_until_it_is_dropped() {
    let world = after_counts();
    let error = refused(&world, |builder| builder, |words| words);
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    let message = message(&error);
    for part in ["does not fit this program", "has no operator", ".rename_state(", ".drop_state("] {
        assert!(message.contains(part), "`{part}` is not in {message}");
    }
    let name = name_of_state();
    let (mut driver, output) = start(&world, |builder| builder.drop_state(name), |words| words).unwrap();
    driver.run_batches(4).unwrap();
    assert_eq!(output.batches().len(), 4);
    drop(driver);
    // The checkpoints that were written since do not hold it any more.
    let world = world.restarted();
    start(&world, |builder| builder, |words| words).unwrap();
}

#[test]
fn a_renamed_state_is_kept() {
    let world = after_counts();
    let was = name_of_state();
    let is = was.replace("totals", "sums").replace("counts", "renamed");
    assert_ne!(was, is);
    refused(&world, |builder| builder, renamed);
    let (mut driver, output) = start(&world, |builder| builder.rename_state(was, is), renamed).unwrap();
    driver.run_batches(3).unwrap();
    assert_eq!(sorted(&output)[0], kept());
    drop(driver);
    // The next start needs no word of it, and goes on.
    let world = world.restarted();
    let (mut driver, output) = start(&world, |builder| builder, renamed).unwrap();
    driver.run_batches(1).unwrap();
    assert_eq!(sorted(&output), [vec![row("a", 4), row("b", 3), row("c", 3)]]);
}

#[test]
fn a_state_of_another_type_is_refused_until_it_is_migrated() {
    let world = after_counts();
    let was = name_of_state();
    let is = was.replace("counts", "retyped");
    let rename = |builder: StreamingContextBuilder| builder.rename_state(was.clone(), is.clone());
    let error = message(&refused(&world, rename, retyped));
    for part in ["was a state of u64", "is a state of i64", ".migrate_state("] {
        assert!(error.contains(part), "`{part}` is not in {error}");
    }
    let negative = |old: u64| -i64::try_from(old).unwrap_or(i64::MAX);
    let migrate = |builder| rename(builder).migrate_state(is.clone(), negative);
    let (mut driver, output) = start(&world, migrate, retyped).unwrap();
    driver.run_batches(3).unwrap();
    assert_eq!(sorted(&output)[0], [row("a", -3), row("b", -2), row("c", -2)]);
    drop(driver);
    let world = world.restarted();
    let (mut driver, output) = start(&world, |builder| builder, retyped).unwrap();
    driver.run_batches(1).unwrap();
    assert_eq!(sorted(&output), [vec![row("a", -4), row("b", -3), row("c", -3)]]);
}

#[stream]
fn counts_and_more(words: DStream<(String, u64)>) -> DStream<(String, u64)> {
    let recent = words.reduce_by_key_and_window(|a, b| a + b, 10s, 1s);
    recent.map(|(word, count)| (format!("recent {word}"), count))
}

#[test]
fn a_new_operator_begins_empty_beside_the_old_one() {
    let world = after_counts();
    let both = |words: Words| counts(words.clone()).transform_with(&counts_and_more(words), streamflow::Batch::union);
    let (mut driver, output) = start(&world, |builder| builder, both).unwrap();
    driver.run_batches(2).unwrap();
    let batches = sorted(&output);
    assert_eq!(batches[0], [kept(), vec![row("recent a", 1)]].concat());
    assert_eq!(batches[1], [row("a", 3), row("b", 3), row("c", 2), row("recent a", 1), row("recent b", 1)]);
}

#[test]
fn another_interval_is_refused() {
    let world = after_counts();
    let half = Duration::from_millis(500);
    let error = message(&refused(&world, |builder| builder.batch_interval(half), counts));
    assert!(error.contains("every 1s") && error.contains("every 500ms"), "{error}");
}

#[test]
fn an_input_that_cannot_be_read_again_is_refused() {
    let world = World::new();
    let driver = world.driver();
    let queue = Queue::from_iter([vec![1]]);
    driver.context().queue_stream(queue, true).unwrap().foreach_batch(|_| {});
    let error = message(&driver.context().start().unwrap_err());
    assert!(error.contains("queue") && error.contains("cannot be recovered"), "{error}");
}

#[test]
fn state_without_a_checkpoint_must_be_meant() {
    let refused = |ephemeral: bool| {
        let builder = StreamingContext::builder("state").clock(streamflow::ManualClock::new());
        let ctx = if ephemeral { builder.ephemeral() } else { builder }.build().unwrap();
        let words = ctx.queue_stream(Queue::from_iter(words()), true).unwrap();
        counts(words).foreach_batch(|_| {});
        ctx.start().err().map(|error| message(&error))
    };
    let error = refused(false).expect("it is refused");
    assert!(error.contains(".checkpoint(") && error.contains(".ephemeral()"), "{error}");
    assert_eq!(refused(true), None);
}

#[test]
fn settings_of_a_checkpoint_need_one() {
    let error = StreamingContext::builder("none").drop_state("x").build().expect_err("it is refused");
    assert!(message(&error).contains("say `.checkpoint(directory)` before it"), "{error:?}");
    let world = World::new();
    let odd = |builder: StreamingContextBuilder| builder.checkpoint_interval(Duration::from_millis(1500));
    let error = message(&refused(&world, odd, counts));
    assert!(error.contains("must be a multiple"), "{error}");
}

#[test]
fn what_a_removed_input_received_is_not_dropped_in_silence() {
    let world = World::new();
    let named = |driver: &Driver, both: bool| {
        // A second input of the same kind has a name of its own.
        let first = driver.input(vec![vec![1], vec![2]]);
        let streams = if both { vec![first, driver.input(vec![vec![10], vec![20]])] } else { vec![first] };
        streams.into_iter().map(|stream| driver.output(&stream)).collect::<Vec<_>>()
    };
    let mut driver = world.driver();
    named(&driver, true);
    driver.context().start().unwrap();
    driver.run_batches(2).unwrap();
    // A batch writes and syncs its plan, and then its completion, for which there is no room.
    world.files.fail_from(world.files.operations() + 2, IoFailure::NoSpace);
    let _ = driver.try_run_batches(1);
    drop(driver);
    let files = world.files.restart();
    let world = World { files, clock: world.clock };
    let driver = world.driver();
    named(&driver, false);
    let error = message(&driver.context().start().unwrap_err());
    assert!(error.contains("was not completed") && error.contains(".drop_state("), "{error}");
    let name = error.split("input `").nth(1).and_then(|rest| rest.split('`').next()).expect("it is named").to_owned();
    let mut driver = world.driver_with(|builder| builder.drop_state(name)).unwrap();
    named(&driver, false);
    driver.run_batches(1).unwrap();
}

#[stream]
fn late(words: DStream<(String, u64)>) -> DStream<(String, u64)> {
    let windows = words.window(4s, 4s);
    let totals = windows.update_state_by_key(
        |new, old: Option<u64>| Some(old.unwrap_or(0) + new.iter().sum::<u64>()),
        vec![("d".to_owned(), 7)],
    );
    totals
}

/// A checkpoint may come before a state is shown its first batch.
#[test]
fn an_initial_state_outlasts_a_checkpoint_before_its_first_batch() {
    let world = World::new();
    let (mut driver, _) = start(&world, |builder| builder, late).unwrap();
    (0..3).for_each(|_| driver.run_batches(1).unwrap());
    drop(driver);
    let world = world.restarted();
    let (mut driver, output) = start(&world, |builder| builder, late).unwrap();
    driver.run_batches(1).unwrap();
    assert_eq!(sorted(&output), [[row("a", 2), row("b", 1), row("c", 1), row("d", 7)]]);
}
