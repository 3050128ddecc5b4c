//! A receiver whose blocks are logged: what it was told is stored is in exactly one batch.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver as Inbox, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamflow::source::{Receiver, Store};
use streamflow::testing::{Driver, SimulatedFs};
use streamflow::{Clock, ManualClock, MissedBatches, Result};

/// A receiver that stores what the test tells it, and answers whether it is stored.
struct Told {
    orders: Inbox<String>,
    answers: Sender<bool>,
}

impl Receiver for Told {
    type Record = str;

    fn receive(&mut self, store: &Store<str>) -> Result<()> {
        // The test hangs up when it is over; a context that ends before waits for its receivers.
        while !store.is_stopped() {
            let line = match self.orders.recv_timeout(Duration::from_millis(20)) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            if self.answers.send(store.store_many([&*line]).is_ok()).is_err() {
                break;
            }
        }
        Ok(())
    }
}

/// A running program with such a receiver, which saves its lines.
struct Program {
    driver: Driver,
    orders: Sender<String>,
    answers: Inbox<bool>,
}

impl Program {
    fn start(files: &SimulatedFs, clock: &ManualClock, missed: MissedBatches) -> Result<Self> {
        let driver = Driver::with_clock(clock.clone(), |builder| {
            let builder = builder.threads(1).simulated_files(files).missed_batches(missed);
            builder.checkpoint("checkpoint").checkpoint_interval(Duration::from_secs(2))
        })?;
        let ((orders, inbox), (outbox, answers)) = (channel(), channel());
        let lines = driver.context().receiver_stream("told", Told { orders: inbox, answers: outbox })?;
        lines.save_as_text_files("out/lines", "");
        driver.context().start()?;
        Ok(Self { driver, orders, answers })
    }

    /// Lets the receiver store a line; returns whether it was acknowledged.
    fn store(&self, line: String) -> bool {
        self.orders.send(line).is_ok() && self.answers.recv().unwrap_or(false)
    }

    /// Ends it. The receiver ends when its orders do.
    fn end(self) {
        let Self { driver, orders, answers } = self;
        drop((orders, answers));
        drop(driver.context().stop());
    }
}

/// How often each line was put out, in all batches.
fn lines(files: &SimulatedFs) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    for directory in files.files("out").iter().filter(|name| !name.starts_with('.')) {
        for part in files.files(format!("out/{directory}")) {
            let bytes = files.contents(format!("out/{directory}/{part}")).unwrap();
            for line in String::from_utf8(bytes).unwrap().lines() {
                *lines.entry(line.to_owned()).or_default() += 1;
            }
        }
    }
    lines
}

/// Runs some batches with lines stored before and between them; returns the lines that were acknowledged.
fn run(files: &SimulatedFs, clock: &ManualClock, run: usize, batches: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    let Ok(mut program) = Program::start(files, clock, MissedBatches::All) else { return acknowledged };
    for number in 0..=batches {
        for half in ["a", "b"] {
            let line = format!("line {run}.{number}{half}");
            if program.store(line.clone()) {
                acknowledged.push(line);
            }
        }
        // What is stored after the last batch waits for the next run.
        if number < batches && program.driver.try_run_batches(1).is_err() {
            break;
        }
    }
    program.end();
    acknowledged
}

#[test]
fn what_was_acknowledged_before_a_crash_is_in_exactly_one_batch() {
    let operations = {
        let (files, clock) = (SimulatedFs::new(0), ManualClock::new());
        run(&files, &clock, 0, 5);
        files.operations()
    };
    for at in 0..operations {
        let (files, clock) = (SimulatedFs::new(at), ManualClock::new());
        files.crash_at(at);
        let mut acknowledged = run(&files, &clock, 0, 5);
        let operation = files.operation(at);
        let files = files.recover();
        acknowledged.extend(run(&files, &clock, 1, 3));
        acknowledged.extend(run(&files, &clock, 2, 1));
        let mut program = Program::start(&files, &clock, MissedBatches::All).unwrap();
        program.driver.run_batches(1).unwrap();
        program.end();
        let lines = lines(&files);
        for line in acknowledged {
            assert_eq!(lines.get(&line), Some(&1), "`{line}` after a crash at {at}, {operation:?}");
        }
        assert!(lines.values().all(|count| *count == 1), "{lines:?} after a crash at {at}, {operation:?}");
    }
    println!("{operations} crash points of a program with a receiver survived");
}

#[test]
fn blocks_outlast_quiet_batches_and_checkpoints() {
    let (files, clock) = (SimulatedFs::new(3), ManualClock::new());
    let mut program = Program::start(&files, &clock, MissedBatches::All).unwrap();
    program.driver.run_batches(3).unwrap();
    assert!(program.store("waits".to_owned()));
    program.end();
    clock.advance(Duration::from_secs(20));
    // Checkpoints of the quiet batches are past the time at which the line was stored.
    let mut program = Program::start(&files, &clock, MissedBatches::Newest(2)).unwrap();
    program.driver.run_batches(1).unwrap();
    program.end();
    assert_eq!(lines(&files), BTreeMap::from([("waits".to_owned(), 1)]));
    assert!(files.files("out").len() < 10, "{:?}", files.files("out"));
}

/// A source that is killed between a batch's ranges and its end reads the same blocks again, whatever comes meanwhile.
#[test]
fn a_batch_that_failed_reads_the_same_blocks_again() {
    let (files, clock) = (SimulatedFs::new(4), ManualClock::new());
    let seen = Arc::new(Mutex::new(Vec::new()));
    for attempt in 0..2 {
        let driver = Driver::with_clock(clock.clone(), |builder| {
            builder.threads(1).simulated_files(&files).checkpoint("checkpoint")
        });
        let mut driver = driver.unwrap();
        let ((orders, inbox), (outbox, answers)) = (channel(), channel());
        let stream = driver.context().receiver_stream("told", Told { orders: inbox, answers: outbox }).unwrap();
        let noted = Arc::clone(&seen);
        stream.foreach_batch(move |batch| {
            let (time, rerun) = (batch.time().as_millis(), batch.is_rerun());
            let lines: Vec<String> = batch.map(|line: &str| line.to_owned()).collect();
            noted.lock().unwrap().push((time, rerun, lines));
            if attempt == 0 { Err("not this time") } else { Ok(()) }
        });
        driver.context().start().unwrap();
        orders.send(format!("attempt {attempt}")).unwrap();
        assert!(answers.recv().unwrap());
        let errors = driver.try_run_batches(1).unwrap();
        assert_eq!(errors.is_empty(), attempt == 1, "{errors:?}");
        drop((orders, answers));
        driver.context().stop().unwrap();
    }
    let line = |attempt: u32| vec![format!("attempt {attempt}")];
    assert_eq!(clock.now().as_millis(), 2_000);
    assert_eq!(*seen.lock().unwrap(), [(1_000, false, line(0)), (1_000, true, line(0)), (2_000, false, line(1))]);
}
