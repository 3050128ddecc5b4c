//! What listeners and figures tell of checkpoints, logs and recovery.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamflow::listener::{BatchInfo, CheckpointInfo, RecoveryInfo, StreamingListener};
use streamflow::prelude::*;
use streamflow::testing::{Driver, IoFailure, SimulatedFs};
use streamflow::{BatchTime, Clock};

use super::{World, message};

/// Writes down the events of batches, checkpoints and recovery.
#[derive(Default)]
struct Heard {
    events: Mutex<Vec<String>>,
    checkpoints: Mutex<Vec<CheckpointInfo>>,
    recoveries: Mutex<Vec<RecoveryInfo>>,
}

impl Heard {
    fn note(&self, event: String) {
        self.events.lock().unwrap().push(event);
    }

    fn events(&self) -> Vec<String> {
        self.events.lock().unwrap().clone()
    }
}

impl StreamingListener for Heard {
    fn on_streaming_started(&self, _: BatchTime) {
        self.note("streaming started".to_owned());
    }
    fn on_recovered(&self, recovery: &RecoveryInfo) {
        self.note("recovered".to_owned());
        self.recoveries.lock().unwrap().push(recovery.clone());
    }
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        self.note(format!("submitted {}", batch.batch_time.as_millis()));
    }
    fn on_checkpoint_written(&self, checkpoint: &CheckpointInfo) {
        self.note(format!("written {}", checkpoint.batch_time.as_millis()));
        self.checkpoints.lock().unwrap().push(checkpoint.clone());
    }
    fn on_checkpoint_failed(&self, checkpoint: &CheckpointInfo) {
        self.note(format!("failed {}", checkpoint.batch_time.as_millis()));
        self.checkpoints.lock().unwrap().push(checkpoint.clone());
    }
}

#[stream]
fn totals(words: DStream<(String, u64)>) -> DStream<(String, u64)> {
    words.update_state_by_key(|new, old: Option<u64>| Some(old.unwrap_or(0) + new.iter().sum::<u64>()))
}

/// The program, with a checkpoint every second batch; each batch has a key of its own.
fn program(world: &World) -> (Driver, Arc<Heard>) {
    let driver = world.driver();
    let heard = Arc::new(Heard::default());
    driver.context().add_listener(Arc::clone(&heard));
    let words = (1..20).map(|batch| vec![(format!("word {batch}"), 1), ("all".to_owned(), 1)]).collect();
    driver.output(&totals(driver.input(words)));
    (driver, heard)
}

/// The files of a directory with their lengths.
fn files(files: &SimulatedFs, dir: &str) -> BTreeMap<String, u64> {
    let length = |name: &str| files.contents(format!("{dir}/{name}")).unwrap().len() as u64;
    files.files(dir).into_iter().map(|name| (name.clone(), length(&name))).collect()
}

#[test]
fn checkpoints_are_told_with_what_they_wrote() {
    let world = World::new();
    let (mut driver, heard) = program(&world);
    (0..2).for_each(|_| driver.run_batches(1).unwrap());
    let first = files(&world.files, "checkpoint/state");
    (0..2).for_each(|_| driver.run_batches(1).unwrap());
    let both = files(&world.files, "checkpoint/state");
    let metrics = driver.context().metrics();
    driver.context().stop().unwrap();

    let told: Vec<String> = heard.events().into_iter().filter(|event| !event.starts_with("submitted")).collect();
    assert_eq!(told, ["streaming started", "written 2000", "written 4000"], "a first start recovers nothing");
    let checkpoints = heard.checkpoints.lock().unwrap();
    let new = both.iter().filter(|(name, _)| !first.contains_key(*name)).map(|(_, bytes)| bytes).sum::<u64>();
    let expected = [(first.values().sum(), first.values().sum()), (new, both.values().sum::<u64>())];
    for (number, (checkpoint, expected)) in checkpoints.iter().zip(expected).enumerate() {
        assert_eq!((checkpoint.bytes, checkpoint.kept_bytes), expected, "of checkpoint {number}");
        assert_eq!(checkpoint.generations, number + 1);
        assert_eq!(checkpoint.ended, checkpoint.batch_time, "by the context's clock, which stands still meanwhile");
        assert!(checkpoint.failure.is_none());
    }

    let figures = &metrics.checkpoints;
    assert_eq!((figures.written, figures.failed, figures.left_out), (2, 0, 0));
    assert_eq!(figures.bytes, checkpoints.iter().map(|checkpoint| checkpoint.bytes).sum::<u64>());
    assert_eq!((figures.writing.count, figures.collecting.count), (2, 2));
    assert_eq!(figures.last.as_ref().unwrap().batch_time.as_millis(), 4_000);
}

#[test]
fn the_log_of_batches_is_counted() {
    let world = World::new();
    let (mut driver, _heard) = program(&world);
    for _ in 0..3 {
        driver.run_batches(1).unwrap();
    }
    let metrics = driver.context().metrics();
    let [log] = &metrics.logs[..] else { panic!("{:?}", metrics.logs) };
    // The grid; and for each batch its ranges, and that it is done.
    assert_eq!((&*log.name, log.records, log.writes, log.failed_writes), ("batches", 7, 7, 0));
    assert_eq!(log.kept_bytes, files(&world.files, "checkpoint/batches").values().sum::<u64>());
    let headers = log.kept_bytes - log.bytes;
    assert_eq!(headers, 60, "one segment, whose header is no record");
    assert!(log.busy >= log.longest);
}

#[test]
fn recovery_is_told_before_the_first_batch() {
    let world = World::new();
    let (mut driver, _heard) = program(&world);
    driver.run_batches(2).unwrap();
    driver.run_batches(1).unwrap();
    drop(driver);
    let world = world.restarted();
    world.clock.advance(Duration::from_secs(5));
    let now = world.clock.now();

    let (mut driver, heard) = program(&world);
    driver.run_batches(1).unwrap();
    let metrics = driver.context().metrics();
    driver.context().stop().unwrap();

    assert_eq!(heard.events()[..3], ["streaming started", "recovered", "submitted 3000"]);
    let recoveries = heard.recoveries.lock().unwrap();
    let [recovery] = &recoveries[..] else { panic!("it is told once: {recoveries:?}") };
    assert_eq!((recovery.time, recovery.began.as_millis()), (now, 0));
    assert_eq!(recovery.checkpoint.unwrap().as_millis(), 2_000);
    let again: Vec<(u64, bool)> = recovery.batches.iter().map(|b| (b.time.as_millis(), b.outputs_due)).collect();
    assert_eq!((again, recovery.outputs_due()), (vec![(3_000, false)], 0), "its outputs were done");
    assert_eq!((recovery.missed, recovery.damaged), (5, 0), "those of 4 s to 8 s");
    assert_eq!(metrics.recovery.unwrap().missed, 5);
    // Those that were missed and the one that ran again began after their time; the last did not.
    assert_eq!((metrics.batches.completed, metrics.batches.late), (7, 6));
}

#[test]
fn what_was_not_completed_is_due() {
    let world = World::new();
    let (mut driver, _heard) = program(&world);
    // This context alone knows that its second output fails.
    driver.input(vec![vec![1]]).foreach_batch(|batch| if batch.is_empty() { Err("nothing") } else { Ok(()) });
    assert_eq!(driver.try_run_batches(3).unwrap().len(), 2);
    drop(driver);
    let world = world.restarted();
    let (mut driver, heard) = program(&world);
    driver.input(vec![vec![1]]).foreach_batch(|_| ());
    driver.run_batches(1).unwrap();
    driver.context().stop().unwrap();
    let recovery = heard.recoveries.lock().unwrap().pop().unwrap();
    assert_eq!((recovery.checkpoint, recovery.batches.len(), recovery.outputs_due()), (None, 3, 2));
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_told() {
    let first_manifest = {
        let world = World::new();
        let (mut driver, _heard) = program(&world);
        (0..2).for_each(|_| driver.run_batches(1).unwrap());
        let is_manifest = |n: &u64| world.files.operation(*n).is_some_and(|what| what.contains("manifest-"));
        (0..world.files.operations()).find(is_manifest).unwrap()
    };
    let world = World::new();
    world.files.fail_at(first_manifest, IoFailure::NoSpace);
    let (mut driver, heard) = program(&world);
    (0..2).for_each(|_| driver.run_batches(1).unwrap());
    let error = driver.run_batches(1).unwrap_err();
    assert!(message(&error).contains("no space left"), "{error:?}");
    let metrics = driver.context().metrics();
    driver.context().stop().unwrap();

    assert!(heard.events().contains(&"failed 2000".to_owned()), "{:?}", heard.events());
    let checkpoint = heard.checkpoints.lock().unwrap().pop().unwrap();
    assert_eq!((checkpoint.bytes, checkpoint.generations), (0, 0));
    assert!(message(&checkpoint.failure.unwrap()).contains("manifest-"));
    let figures = metrics.checkpoints;
    assert_eq!((figures.written, figures.failed, figures.last.is_some()), (0, 1, false));
    assert_eq!(figures.last_failed.unwrap().batch_time.as_millis(), 2_000);
}

#[test]
fn listeners_that_fail_hurt_neither_checkpoints_nor_recovery() {
    struct Panics;
    impl StreamingListener for Panics {
        fn on_recovered(&self, _: &RecoveryInfo) {
            panic!("a listener of the test");
        }
        fn on_checkpoint_written(&self, _: &CheckpointInfo) {
            panic!("a listener of the test");
        }
    }
    let mut world = World::new();
    for start in 0..2 {
        let (mut driver, _) = program(&world);
        driver.context().add_listener(Panics);
        let heard = Arc::new(Heard::default());
        driver.context().add_listener(Arc::clone(&heard));
        (0..2).for_each(|_| driver.run_batches(1).unwrap());
        driver.context().stop().unwrap();
        drop(driver);
        assert_eq!(heard.checkpoints.lock().unwrap().len(), 1, "the next listener hears it all the same");
        assert_eq!(heard.recoveries.lock().unwrap().len(), start);
        world = world.restarted();
    }
}
