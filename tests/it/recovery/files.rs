//! Directories of files across restarts: no file is lost, none is read twice.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use streamflow::source::FileOptions;
use streamflow::testing::{Driver, SimulatedFs};
use streamflow::{BatchTime, ManualClock, MissedBatches, Result};

/// The lines of each batch; a batch that runs again replaces what it saw before.
type Seen = Arc<Mutex<BTreeMap<u64, Vec<String>>>>;

struct Watched<'a> {
    dir: &'a Path,
    files: &'a SimulatedFs,
    clock: &'a ManualClock,
    seen: &'a Seen,
}

impl Watched<'_> {
    fn driver(&self, missed: MissedBatches) -> Result<Driver> {
        let driver = Driver::with_clock(self.clock.clone(), |builder| {
            let builder = builder.simulated_files(self.files).missed_batches(missed);
            builder.checkpoint("checkpoint").checkpoint_interval(Duration::from_secs(3))
        })?;
        let options = FileOptions::new().remember(Duration::from_secs(5));
        let lines = driver.context().text_file_stream_with(self.dir.to_str().expect("a plain path"), options)?;
        let seen = Arc::clone(self.seen);
        lines.foreach_batch(move |batch| {
            let time = batch.time().as_millis();
            let lines = batch.map(str::to_owned).collect();
            seen.lock().unwrap().insert(time, lines);
        });
        Ok(driver)
    }

    /// Puts a file there that was modified within the batch with this number.
    fn put(&self, batch: u64) {
        let (aside, path) = (self.dir.join(".aside"), self.dir.join(format!("file-{batch}")));
        fs::write(&aside, format!("line {batch}\n")).expect("the directory can be written");
        let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(BEGIN + batch * 1_000 - 300);
        let file = fs::File::options().write(true).open(&aside).expect("it was written");
        file.set_modified(modified).expect("a time can be set");
        fs::rename(aside, path).expect("it can be moved");
    }
}

/// When the program is started first.
const BEGIN: u64 = 100_000;

/// Runs four batches, puts seven files while the program is down, and runs three more; restarts it in between as the test says.
fn across_a_restart(
    missed: MissedBatches,
    stop: impl Fn(Driver, &SimulatedFs) -> SimulatedFs,
) -> BTreeMap<u64, Vec<String>> {
    let dir = tempfile::tempdir().expect("there is a temporary directory");
    let (clock, seen) = (ManualClock::at(BatchTime::from_millis(BEGIN)), Seen::default());
    let files = SimulatedFs::new(5);
    let watched = Watched { dir: dir.path(), files: &files, clock: &clock, seen: &seen };
    let mut driver = watched.driver(missed).expect("it can be built");
    for batch in 1..=4 {
        watched.put(batch);
        driver.run_batches(1).expect("nothing is wrong");
    }
    let files = stop(driver, &files);
    let watched = Watched { files: &files, ..watched };
    (5..=11).for_each(|batch| watched.put(batch));
    clock.advance(Duration::from_secs(7));
    let mut driver = watched.driver(missed).expect("it can be built");
    for batch in 12..=14 {
        watched.put(batch);
        driver.run_batches(1).expect("nothing is wrong");
    }
    drop(driver);
    let seen = seen.lock().unwrap();
    seen.iter().map(|(time, lines)| ((time - BEGIN) / 1_000, lines.clone())).collect()
}

/// A plain stop, after which only the process's memory is lost.
fn stop(driver: Driver, files: &SimulatedFs) -> SimulatedFs {
    driver.context().stop().expect("it can be stopped");
    files.restart()
}

#[test]
fn each_file_is_read_by_the_batch_of_its_time() {
    let seen = across_a_restart(MissedBatches::All, stop);
    let expected = (1..=14).map(|batch| (batch, vec![format!("line {batch}")]));
    assert_eq!(seen, expected.collect());
}

#[test]
fn a_crash_is_no_different() {
    let seen = across_a_restart(MissedBatches::All, |driver, files| {
        let crashed = files.recover();
        drop(driver);
        crashed
    });
    let expected = (1..=14).map(|batch| (batch, vec![format!("line {batch}")]));
    assert_eq!(seen, expected.collect());
}

#[test]
fn files_of_batches_that_are_left_out_go_into_the_next() {
    let seen = across_a_restart(MissedBatches::Newest(2), stop);
    let batches: Vec<u64> = seen.keys().copied().collect();
    assert_eq!(batches, [1, 2, 3, 4, 10, 11, 12, 13, 14]);
    let all: Vec<String> = seen.values().flatten().cloned().collect();
    assert_eq!(all, (1..=14).map(|batch| format!("line {batch}")).collect::<Vec<_>>());
}
