//! A program with windows, state, a join and files is interrupted at every operation on its files, started again, and must
//! give what it gives undisturbed.
//!
//! By default a part of the operations is tried, chosen by a stride; `STREAMFLOW_EVERY_OPERATION=1` tries all.

use std::collections::BTreeMap;
use std::time::Duration;

use streamflow::prelude::*;
use streamflow::testing::{Driver, IoFailure, SimulatedFs};
use streamflow::{Clock, ManualClock, Result};

/// Batches of a run.
const BATCHES: usize = 20;

/// Points of a kind that are tried by default.
const POINTS: u64 = 160;

pub(super) type Pair = (u32, i64);

/// The rows of each directory.
pub(super) type Outputs = BTreeMap<String, Vec<String>>;

/// What the program keeps, as rows: the state after each batch, and all operators over windows.
#[stream]
fn program(payments: DStream<Pair>, limits: DStream<Pair>) -> (DStream<String>, DStream<String>, DStream<String>) {
    let with_inverse = payments.reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, 4s, 2s);
    let without = payments.reduce_by_key_and_window(|a, b| a.max(b), 3s, 1s);
    let totals = payments.update_state_by_key(|paid, old: Option<i64>| {
        let total = old.unwrap_or(0) + paid.iter().sum::<i64>();
        (total % 7 != 0).then_some(total)
    });
    let seen = payments.map_with_state(
        StateSpec::function(|key: &u32, paid: Option<i64>, seen: &mut State<i64>| {
            let count = seen.get().copied().unwrap_or(0) + paid.map_or(0, |_| 1);
            if !seen.is_timing_out() {
                seen.update(count);
            }
            format!("seen {key} {count} {}", seen.is_timing_out())
        })
        .timeout(3s),
    );
    let kept = seen.state_snapshots();
    let joined = payments.join(limits);
    // State that sees every second batch, while a checkpoint comes with every third.
    let slow = payments
        .window(4s, 2s)
        .update_state_by_key(|paid, old: Option<i64>| Some(old.unwrap_or(100) + paid.len() as i64));
    let sums = with_inverse
        .map(|(key, sum)| format!("sum {key} {sum}"))
        .union(slow.map(|(key, paid)| format!("slow {key} {paid}")));
    let rows = joined
        .map(|(key, (paid, limit))| format!("joined {key} {paid} {limit}"))
        .union(without.map(|(key, most)| format!("most {key} {most}")))
        .union(seen);
    let states = totals
        .map(|(key, total)| format!("total {key} {total}"))
        .union(kept.map(|(key, count)| format!("kept {key} {count}")));
    (sums, rows, states)
}

/// A few payments of a few keys, which pause for long enough to time out.
fn payments(batch: usize) -> Vec<Pair> {
    let mut random = fastrand::Rng::with_seed(batch as u64);
    let keys = if batch % 9 < 4 { 0..5 } else { 3..9 };
    (0..random.usize(0..7)).map(|_| (random.u32(keys.clone()), random.i64(-9..30))).collect()
}

fn limits(batch: usize) -> Vec<Pair> {
    (0..9).step_by(batch % 3 + 1).map(|key| (key, i64::from(key) * 10)).collect()
}

/// Declares the program and its outputs, with input for one batch more than a run has, so that it can be seen to go on.
pub(super) fn declare(driver: &Driver, batches: usize) {
    let input = |records: fn(usize) -> Vec<Pair>| driver.input((0..=batches).map(records).collect());
    let (sums, rows, states) = program(input(payments), input(limits));
    sums.save_as_text_files("out/sums", "txt");
    rows.save_as_text_files("out/rows", "txt");
    states.save_as_text_files("out/states", "");
}

/// A start of the program.
struct Start<'f> {
    files: &'f SimulatedFs,
    clock: &'f ManualClock,
    parallelism: usize,
}

impl Start<'_> {
    fn driver(&self) -> Result<Driver> {
        let driver = Driver::with_clock(self.clock.clone(), |builder| {
            let builder = builder.threads(if self.parallelism == 7 { 3 } else { 1 }).parallelism(self.parallelism);
            builder.simulated_files(self.files).checkpoint("checkpoint").checkpoint_interval(Duration::from_secs(3))
        })?;
        declare(&driver, BATCHES);
        Ok(driver)
    }

    /// Runs to the end, batch by batch, or until something fails that stops the context.
    fn run(&self) -> Result<()> {
        let mut driver = self.driver()?;
        let done = (self.clock.now().as_millis() / 1000) as usize;
        (done..BATCHES).try_for_each(|_| driver.try_run_batches(1).map(drop))
    }

    /// Goes on after an interruption: one batch after the last, and with it all that waits.
    fn finish(&self) -> Result<()> {
        let mut driver = self.driver()?;
        let done = (self.clock.now().as_millis() / 1000) as usize;
        // One more, if a hurried run has come to the end.
        driver.run_batches((BATCHES + 1).saturating_sub(done).max(1))
    }
}

/// The rows of each directory, in an order that does not depend on partitions.
pub(super) fn outputs(files: &SimulatedFs) -> Outputs {
    let directories = files.files("out").into_iter().filter(|name| !name.starts_with('.'));
    let rows = |directory: &String| {
        let parts = files.files(format!("out/{directory}"));
        assert!(parts.iter().any(|part| part == "_SUCCESS"), "{directory} is not complete: {parts:?}");
        let read = |part: &String| files.contents(format!("out/{directory}/{part}")).expect("it was listed");
        let parts = parts.iter().filter(|part| *part != "_SUCCESS").map(read);
        let text = parts.map(|bytes| String::from_utf8(bytes).expect("rows are text")).collect::<String>();
        let mut rows: Vec<String> = text.lines().map(str::to_owned).collect();
        rows.sort();
        rows
    };
    directories.map(|directory| (directory.clone(), rows(&directory))).collect()
}

/// What an interruption is.
#[derive(Clone, Copy, Debug)]
enum Interruption {
    Crash,
    /// A crash, and another in the restart.
    CrashTwice,
    /// A crash while all batches are due at once, so that a checkpoint is written while later batches run.
    CrashInAHurry,
    Failure(IoFailure),
    /// Everything fails from there on, until the restart.
    FailureFrom(IoFailure),
    /// The disk is full from there on, and again soon after the restart; then there is room.
    FullForAWhile,
}

/// Interrupts a run at an operation, starts the program again and returns what it has put out. Nothing if the run was over
/// before.
fn interrupted(at: u64, how: Interruption, parallelism: usize) -> Option<Outputs> {
    let (files, clock) = (SimulatedFs::new(at), ManualClock::new());
    match how {
        Interruption::Failure(failure) => files.fail_at(at, failure),
        Interruption::FailureFrom(failure) => files.fail_from(at, failure),
        Interruption::FullForAWhile => files.fail_from(at, IoFailure::NoSpace),
        _ => files.crash_at(at),
    }
    let start = Start { files: &files, clock: &clock, parallelism: 2 };
    // What fails is told by the outputs in the end.
    let _ = match how {
        Interruption::CrashInAHurry => start.finish(),
        _ => start.run(),
    };
    let operation = files.operation(at)?;
    let mut files = if files.has_crashed() { files.recover() } else { files.restart() };
    if let Interruption::CrashTwice = how {
        files.crash_at(at % 89);
        let _ = Start { files: &files, clock: &clock, parallelism: 3 }.finish();
        files = files.recover();
    }
    if let Interruption::FullForAWhile = how {
        files.fail_from(at % 41, IoFailure::NoSpace);
        let _ = Start { files: &files, clock: &clock, parallelism: 3 }.finish();
        files = files.restart();
    }
    let finished = Start { files: &files, clock: &clock, parallelism }.finish();
    finished.unwrap_or_else(|error| panic!("{how:?} at {at}, {operation}: the restart fails: {error:?}"));
    Some(outputs(&files))
}

/// What the program gives undisturbed, and the number of its operations before the last batch.
fn undisturbed() -> (Outputs, u64) {
    let (files, clock) = (SimulatedFs::new(0), ManualClock::new());
    let start = Start { files: &files, clock: &clock, parallelism: 2 };
    start.run().expect("nothing is wrong");
    let operations = files.operations();
    start.finish().expect("nothing is wrong");
    (outputs(&files), operations)
}

fn interrupt_everywhere(how: Interruption) {
    let (expected, operations) = undisturbed();
    assert_eq!(expected.len(), 2 * (BATCHES + 1) + BATCHES / 2, "a directory for each batch and output");
    let all = std::env::var_os("STREAMFLOW_EVERY_OPERATION").is_some();
    let stride = if all { 1 } else { (operations / POINTS).max(1) };
    let mut survived = 0;
    for (number, at) in (0..operations).step_by(stride as usize).enumerate() {
        let parallelism = [1, 2, 7][number % 3];
        let Some(got) = interrupted(at, how, parallelism) else { continue };
        survived += 1;
        for (directory, rows) in &expected {
            assert_eq!(
                got.get(directory),
                Some(rows),
                "{directory} differs after {how:?} at operation {at} and a restart with {parallelism} partitions"
            );
        }
    }
    println!("{how:?}: {survived} of {operations} points tried and survived");
    assert!(survived > 0);
}

#[test]
fn a_crash_at_any_operation() {
    interrupt_everywhere(Interruption::Crash);
}

#[test]
fn a_crash_at_any_operation_and_another_in_the_restart() {
    interrupt_everywhere(Interruption::CrashTwice);
}

#[test]
fn a_crash_at_any_operation_while_batches_are_made_up_for() {
    interrupt_everywhere(Interruption::CrashInAHurry);
}

#[test]
fn an_operation_for_which_the_disk_is_full() {
    interrupt_everywhere(Interruption::Failure(IoFailure::NoSpace));
}

#[test]
fn an_operation_that_the_device_fails() {
    interrupt_everywhere(Interruption::Failure(IoFailure::Device));
}

#[test]
fn a_disk_that_is_full_from_any_operation_on() {
    interrupt_everywhere(Interruption::FailureFrom(IoFailure::NoSpace));
}

#[test]
fn a_disk_that_is_full_for_a_while() {
    interrupt_everywhere(Interruption::FullForAWhile);
}

#[test]
fn a_device_that_fails_from_any_operation_on() {
    interrupt_everywhere(Interruption::FailureFrom(IoFailure::Device));
}
