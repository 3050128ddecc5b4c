//! The checkpoint directory: who may use it, what a program learns of it before its start, and what is refused.

use std::fs;
use std::path::Path;
use std::time::Duration;

use streamflow::testing::Driver;
use streamflow::{CheckpointSummary, ErrorKind, ManualClock, Result, StreamingContext};

use super::{World, message};

/// A program that has a checkpoint after its second batch, and two batches after it.
fn run(driver: &mut Driver) {
    driver.output(&driver.input((1..30).map(|number| vec![number]).collect()));
    driver.run_batches(2).unwrap();
    driver.run_batches(2).unwrap();
}

/// The same in a real directory, which can be damaged.
fn run_in(dir: &Path) {
    let clock = ManualClock::new();
    for _ in 0..2 {
        let every_second = Duration::from_secs(2);
        let mut driver =
            Driver::with_clock(clock.clone(), |builder| builder.checkpoint(dir).checkpoint_interval(every_second))
                .unwrap();
        run(&mut driver);
    }
}

fn recover_or_create(world: &World) -> Result<(StreamingContext, Option<CheckpointSummary>)> {
    let builder = StreamingContext::builder("second").clock(world.clock.clone()).simulated_files(&world.files);
    StreamingContext::recover_or_create(builder.checkpoint("checkpoint"))
}

#[test]
fn a_new_directory_is_begun_and_a_used_one_recovered() {
    let world = World::new();
    let (ctx, found) = recover_or_create(&world).unwrap();
    assert!(found.is_none());
    // It was not started, so there is still nothing.
    drop(ctx);
    assert!(recover_or_create(&world).unwrap().1.is_none());

    let mut driver = world.driver();
    run(&mut driver);
    drop(driver);
    let world = world.restarted();
    let (_ctx, found) = recover_or_create(&world).unwrap();
    let found = found.unwrap();
    assert_eq!(found.began.unwrap().as_millis(), 0);
    // The checkpoint of the fourth batch was in the works when the program ended, or done.
    let next = found.batch.unwrap() + Duration::from_secs(1);
    assert!(found.waiting.iter().all(|batch| batch.time >= next && !batch.outputs_due), "{found}");
}

#[test]
fn recover_or_create_needs_a_directory() {
    let error = StreamingContext::recover_or_create(StreamingContext::builder("second")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains(".checkpoint(directory)"), "{error}");
}

#[test]
fn a_directory_belongs_to_one_running_context() {
    let world = World::new();
    let mut driver = world.driver();
    run(&mut driver);
    let assert_refused = |error: streamflow::Error, holder: &str| {
        assert_eq!(error.kind(), ErrorKind::IllegalState);
        let message = error.to_string();
        let expected = format!("`checkpoint` is in use by another context of this process (`{holder}`)");
        assert!(message.contains(&expected), "{message}");
    };
    assert_refused(recover_or_create(&world).unwrap_err(), "test");
    let second = world.driver();
    second.output(&second.input(vec![vec![1]]));
    assert_refused(second.context().start().unwrap_err(), "test");

    // A stop lets go of it, and what `recover_or_create` has found stays true until its context is dropped.
    driver.context().stop().unwrap();
    let (ctx, found) = recover_or_create(&world).unwrap();
    assert!(found.is_some());
    let third = world.driver();
    third.output(&third.input(vec![vec![1]]));
    assert_refused(third.context().start().unwrap_err(), "second");
    drop(ctx);
    let fourth = world.driver();
    fourth.output(&fourth.input(vec![vec![1]]));
    fourth.context().start().unwrap();
}

#[test]
fn a_start_that_fails_lets_go_of_the_directory() {
    let world = World::new();
    // Two seconds are no multiple of three.
    let wrong = world.driver_with(|builder| builder.batch_interval(Duration::from_secs(3))).unwrap();
    wrong.output(&wrong.input(vec![vec![1]]));
    assert_eq!(wrong.context().start().unwrap_err().kind(), ErrorKind::InvalidArgument);
    run(&mut world.driver());
}

/// Both ways to start say the same, and neither begins anew.
#[track_caller]
fn assert_damaged(dir: &Path, what: &str) {
    let settings = || StreamingContext::builder("test").clock(ManualClock::new()).checkpoint(dir);
    let looked = StreamingContext::recover_or_create(settings()).unwrap_err();
    let driver = Driver::with(|builder| builder.checkpoint(dir)).unwrap();
    driver.output(&driver.input(vec![vec![1]]));
    let started = driver.context().start().unwrap_err();
    for error in [looked, started] {
        assert_eq!(error.kind(), ErrorKind::Damaged, "{error:?}");
        let message = message(&error);
        assert!(message.contains(what) && message.contains(&*dir.to_string_lossy()), "{message}");
    }
}

/// The files of a directory whose names begin so.
fn files(dir: &Path, prefix: &str) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(prefix)).collect();
    files.sort();
    assert!(!files.is_empty(), "there is no {prefix} in {}", dir.display());
    files
}

#[test]
fn a_damaged_directory_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = |name: &str| {
        let dir = scratch.path().join(name);
        run_in(&dir);
        dir
    };

    let manifests_garbled = dir("garbled");
    files(&manifests_garbled.join("state"), "manifest").iter().for_each(|path| fs::write(path, "no manifest").unwrap());
    assert_damaged(&manifests_garbled, "no checkpoint in");

    // What remains of a directory is no reason to begin anew.
    let manifests_lost = dir("lost");
    files(&manifests_lost.join("state"), "manifest").iter().for_each(|path| fs::remove_file(path).unwrap());
    files(&manifests_lost.join("batches"), "log").iter().for_each(|path| fs::remove_file(path).unwrap());
    fs::write(manifests_lost.join("state/state-0-0"), "of no checkpoint").unwrap();
    assert_damaged(&manifests_lost, "files of states that no checkpoint names");

    let beginning_lost = dir("beginning");
    fs::remove_dir_all(beginning_lost.join("state")).unwrap();
    fs::remove_file(&files(&beginning_lost.join("batches"), "log")[0]).unwrap();
    assert_damaged(&beginning_lost, "a log of batches without its beginning");

    let only_received = dir("received");
    fs::remove_dir_all(only_received.join("state")).unwrap();
    fs::remove_dir_all(only_received.join("batches")).unwrap();
    fs::create_dir_all(only_received.join("received/input")).unwrap();
    assert_damaged(&only_received, "logs of receivers without a log of batches");
}

#[test]
fn a_file_in_the_place_of_the_directory_is_an_error() {
    let scratch = tempfile::tempdir().unwrap();
    let file = scratch.path().join("file");
    fs::write(&file, "not a directory").unwrap();
    let error = StreamingContext::recover_or_create(StreamingContext::builder("test").checkpoint(&file)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(error.to_string().contains("cannot lock the checkpoint directory") && error.to_string().contains("file`"));
}
