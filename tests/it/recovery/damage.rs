//! What a program keeps is damaged at each byte and cut at each length; a start must give what it gives undisturbed, or an
//! error that names the file.
//!
//! The program has windows, state, a join, a receiver and files, and was killed twice. By default a part of the damages is
//! tried, chosen by a stride; `STREAMFLOW_EVERY_OPERATION=1` tries all.
//!
//! **What no reader can tell**: the end of the newest segment of a log that is damaged or missing from a tail that was never
//! durable. It is cut. For the log of batches that means that batches are planned again, so what a receiver stored may
//! come in another batch, in one and once. In a receiver's log it costs blocks that no batch was given yet; that it reaches
//! as far as the batches say is checked.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver as Inbox, Sender, channel};
use std::time::Duration;

use streamflow::source::{Receiver, Store};
use streamflow::testing::{Driver, SimulatedFs};
use streamflow::{Clock, ErrorKind, ManualClock, Result};

use super::every_operation::{Outputs, declare, outputs};
use super::message;

/// Batches before the damage. Checkpoints are of the batches 3, 6 and 9.
const BATCHES: usize = 11;

/// The start before the last one ends with this batch.
const FIRST_START: usize = 7;

/// Damages of a kind that are tried by default.
const DAMAGES: usize = 250;

/// More than any start may ask for in one piece: files are read by 64 KiB, and no file of the test is longer.
const LARGEST: usize = 1 << 20;

/// The system's allocator, which notes for each thread the largest request.
struct Noting;

thread_local! {
    static LARGEST_REQUEST: Cell<usize> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    // A thread that ends has no cell any more.
    let _ = LARGEST_REQUEST.try_with(|largest| largest.set(largest.get().max(bytes)));
}

// SAFETY: every call goes to the system's allocator as it came; beside that only a cell of the thread changes, which needs
// no memory of its own.
unsafe impl GlobalAlloc for Noting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc_zeroed`.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        note(new_size);
        // SAFETY: the caller keeps the contract of `realloc`, and `alloc` took the block from the same allocator.
        unsafe { System.realloc(block, layout, new_size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` took the block from the same allocator.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Noting = Noting;

/// Stores lines and says when they are durable.
struct Lines {
    inbox: Inbox<String>,
    stored: Sender<()>,
}

impl Receiver for Lines {
    type Record = str;

    fn receive(&mut self, store: &Store<str>) -> Result<()> {
        while let Ok(line) = self.inbox.recv() {
            store.store_many([&*line])?;
            let _ = self.stored.send(());
        }
        Ok(())
    }
}

/// A start of the program. The sender is dropped first, so that the receiver ends before its context waits for it.
struct Program {
    orders: Sender<String>,
    stored: Inbox<()>,
    driver: Driver,
}

impl Program {
    fn build(files: &SimulatedFs, clock: &ManualClock) -> Self {
        let driver = Driver::with_clock(clock.clone(), |builder| {
            let builder = builder.threads(1).parallelism(2).simulated_files(files);
            builder.checkpoint("checkpoint").checkpoint_interval(Duration::from_secs(3))
        });
        let driver = driver.expect("these settings can be used");
        declare(&driver, BATCHES);
        let ((orders, inbox), (outbox, stored)) = (channel(), channel());
        let lines = driver.context().receiver_stream("lines", Lines { inbox, stored: outbox });
        lines.expect("its settings can be used").save_as_text_files("out/lines", "");
        Self { orders, stored, driver }
    }

    fn store(&self, line: String) {
        self.orders.send(line).expect("the receiver runs");
        self.stored.recv().expect("the line is durable");
    }

    /// Runs batches, with a line stored before each.
    fn run(&mut self, batches: std::ops::RangeInclusive<usize>) -> Result<()> {
        for batch in batches {
            self.store(format!("line {batch}"));
            self.driver.try_run_batches(1)?;
        }
        Ok(())
    }
}

/// A directory to be damaged.
struct Victim {
    name: &'static str,
    files: SimulatedFs,
    clock: ManualClock,
    /// What the next start gives.
    expected: Outputs,
    /// Of the receiver's newest segment: its path, and from where on it holds only a line that no batch was given.
    waiting: Option<(String, usize)>,
}

impl Victim {
    fn new(name: &'static str, files: SimulatedFs, clock: ManualClock, waiting: Option<(String, usize)>) -> Self {
        let undamaged = files.copy();
        let mut program = Program::build(&undamaged, &at(&clock));
        program.driver.run_batches(1).expect("nothing is wrong");
        drop(program);
        Self { name, files, clock, expected: outputs(&undamaged), waiting }
    }

    fn damaged(&self, path: &str, damage: Damage) -> (SimulatedFs, ManualClock) {
        let files = self.files.copy();
        damage.apply(&files, path);
        (files, at(&self.clock))
    }
}

/// Another clock that shows the same.
fn at(clock: &ManualClock) -> ManualClock {
    ManualClock::at(clock.now())
}

/// The first start is killed after its batches, so that there are two segments of each log.
fn after_first_start() -> (SimulatedFs, ManualClock) {
    let (files, clock) = (SimulatedFs::new(7), ManualClock::new());
    let mut program = Program::build(&files, &clock);
    program.driver.context().start().expect("nothing is wrong");
    program.run(1..=FIRST_START).expect("nothing is wrong");
    drop(program);
    (files.restart(), clock)
}

/// Killed between batches, while a line waits for the next.
fn killed_between_batches() -> Victim {
    let (files, clock) = after_first_start();
    let mut program = Program::build(&files, &clock);
    program.driver.context().start().expect("nothing is wrong");
    program.run(FIRST_START + 1..=BATCHES).expect("nothing is wrong");
    let segment = newest_segment(&files, "checkpoint/received");
    let length = files.contents(&segment).expect("it was listed").len();
    program.store("waits".to_owned());
    let killed = files.restart();
    drop(program);
    Victim::new("killed between batches", killed, clock, Some((segment, length)))
}

/// Crashed within a batch, when the first of its outputs begins to be written.
fn crashed_within_a_batch() -> Victim {
    let (before, clock) = after_first_start();
    let mut crash = None;
    loop {
        let (files, clock) = (before.copy(), at(&clock));
        let mut program = Program::build(&files, &clock);
        program.driver.context().start().expect("nothing is wrong");
        program.run(FIRST_START + 1..=BATCHES - 1).expect("nothing is wrong");
        program.store("line 11".to_owned());
        let begin = files.operations();
        if let Some(crash) = crash {
            files.crash_at(crash);
        }
        let _ = program.driver.try_run_batches(1);
        drop(program);
        if crash.is_some() {
            assert!(files.has_crashed());
            return Victim::new("crashed within a batch", files.recover(), clock, None);
        }
        let touches_output = |at: &u64| files.operation(*at).is_some_and(|operation| operation.contains("out/"));
        crash = Some((begin..files.operations()).find(touches_output).expect("a batch writes its outputs"));
    }
}

/// All files below a directory.
fn tree(files: &SimulatedFs, dir: &str) -> Vec<String> {
    let mut found = Vec::new();
    for name in files.files(dir) {
        let path = format!("{dir}/{name}");
        match files.contents(&path) {
            Some(_) => found.push(path),
            None => found.extend(tree(files, &path)),
        }
    }
    found
}

/// The segment with the highest number below a directory.
fn newest_segment(files: &SimulatedFs, dir: &str) -> String {
    let number = |path: &String| path.rsplit("log-").next()?.split('-').next()?.parse::<u64>().ok();
    tree(files, dir).into_iter().max_by_key(number).expect("there is a log")
}

/// What happens to a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    /// These bits of a byte are turned over.
    Flip(usize, u8),
    /// The file ends here.
    Cut(usize),
}

impl Damage {
    /// The first byte that is not as it was.
    fn begins_at(self) -> usize {
        match self {
            Self::Flip(at, _) | Self::Cut(at) => at,
        }
    }

    fn apply(self, files: &SimulatedFs, path: &str) {
        let mut bytes = files.contents(path).expect("it was listed");
        match self {
            Self::Flip(at, bits) => bytes[at] ^= bits,
            Self::Cut(length) => bytes.truncate(length),
        }
        files.put(path, &bytes);
    }
}

/// How a start took a damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// All outputs are as without the damage.
    Exact,
    /// The same, but for lines that came in another batch, each in one and once.
    Replanned,
    /// A line is missing that no batch was given, and whose record was damaged.
    LostTail,
    /// The start was refused.
    Refused,
}

/// Starts the program from a damaged directory and judges what becomes of it.
fn judge(victim: &Victim, path: &str, damage: Damage) -> Outcome {
    let what = format!("{}: {damage:?} of `{path}`", victim.name);
    let (files, clock) = victim.damaged(path, damage);
    let mut program = Program::build(&files, &clock);
    LARGEST_REQUEST.set(0);
    let started = program.driver.context().start();
    assert!(LARGEST_REQUEST.get() < LARGEST, "{what}: {} bytes were asked for", LARGEST_REQUEST.get());
    let failures = started.and_then(|()| program.driver.try_run_batches(1));
    let error = match failures {
        Err(error) => Some(error),
        Ok(failures) => failures.into_iter().next(),
    };
    drop(program);
    if let Some(error) = error {
        let told = message(&error);
        assert_eq!(error.kind(), ErrorKind::Damaged, "{what}: {told}");
        assert!(told.contains(path) && told.contains("offset"), "{what} is not named: {told}");
        return Outcome::Refused;
    }
    compare(victim, path, damage, &outputs(&files), &what)
}

/// Compares the outputs of a start that was not refused with those without the damage.
fn compare(victim: &Victim, path: &str, damage: Damage, got: &Outputs, what: &str) -> Outcome {
    let is_lines = |directory: &&String| directory.starts_with("lines");
    for (directory, rows) in victim.expected.iter().filter(|(directory, _)| !is_lines(directory)) {
        assert_eq!(got.get(directory), Some(rows), "{what}: {directory} differs");
    }
    if *got == victim.expected {
        return Outcome::Exact;
    }
    let lines = |outputs: &Outputs| {
        let mut lines =
            outputs.iter().filter(|(name, _)| is_lines(name)).flat_map(|(_, rows)| rows.clone()).collect::<Vec<_>>();
        lines.sort();
        lines
    };
    let (expected, got) = (lines(&victim.expected), lines(got));
    if got == expected {
        // Only a plan that is gone gives a line to another batch.
        assert!(path.starts_with("checkpoint/batches/"), "{what}: lines are in other batches");
        return Outcome::Replanned;
    }
    let without_waiting: Vec<String> = expected.into_iter().filter(|line| line != "waits").collect();
    assert_eq!(got, without_waiting, "{what}: lines are missing");
    let waiting = victim.waiting.as_ref().is_some_and(|(file, from)| file == path && damage.begins_at() >= *from);
    assert!(waiting, "{what}: a line is missing that is not in the damaged tail");
    Outcome::LostTail
}

fn damage_everywhere(kind: &str, victims: &[Victim], damages: impl Fn(usize) -> Vec<Damage>) {
    let mut all = Vec::new();
    for victim in victims {
        for path in tree(&victim.files, "checkpoint") {
            let length = victim.files.contents(&path).expect("it was listed").len();
            all.extend(damages(length).into_iter().map(|damage| (victim, path.clone(), damage)));
        }
    }
    let everything = std::env::var_os("STREAMFLOW_EVERY_OPERATION").is_some();
    let stride = if everything { 1 } else { (all.len() / DAMAGES).max(1) };
    let mut outcomes: BTreeMap<Outcome, usize> = BTreeMap::new();
    let mut refused: BTreeMap<&str, usize> = BTreeMap::new();
    for (victim, path, damage) in all.iter().step_by(stride) {
        let outcome = judge(victim, path, *damage);
        *outcomes.entry(outcome).or_default() += 1;
        if outcome == Outcome::Refused {
            *refused.entry(path.split('/').nth(1).unwrap_or_default()).or_default() += 1;
        }
    }
    let tried: usize = outcomes.values().sum();
    println!("{kind}: {tried} of {} tried, {outcomes:?}; refused by directory: {refused:?}", all.len());
    assert!(outcomes.contains_key(&Outcome::Exact) && outcomes.contains_key(&Outcome::Refused), "{outcomes:?}");
}

#[test]
fn a_flipped_byte_anywhere_is_made_good_or_refused() {
    let mut random = fastrand::Rng::with_seed(11);
    let bits: Vec<u8> = (0..1 << 16).map(|_| random.u8(1..)).collect();
    damage_everywhere("flipped bytes", &[killed_between_batches(), crashed_within_a_batch()], |length| {
        (0..length).map(|at| Damage::Flip(at, bits[at % bits.len()])).collect()
    });
}

#[test]
fn a_file_cut_anywhere_is_made_good_or_refused() {
    damage_everywhere("cut files", &[killed_between_batches(), crashed_within_a_batch()], |length| {
        (0..length).map(Damage::Cut).collect()
    });
}

/// Whatever happens to the files that only the newest checkpoint has, the one before it gives the same results.
#[test]
fn one_damaged_checkpoint_is_not_the_end() {
    let victim = killed_between_batches();
    let generation = |path: &String| path.rsplit('/').next()?.split('-').nth(1)?.parse::<u64>().ok();
    let state = tree(&victim.files, "checkpoint/state");
    let newest = state.iter().filter_map(generation).max().expect("there is a checkpoint");
    let own: Vec<&String> = state.iter().filter(|path| generation(path) == Some(newest)).collect();
    assert!(own.len() > 2 && own.len() < state.len(), "of {state:?}");
    for path in &own {
        let middle = victim.files.contents(path).expect("it was listed").len() / 2;
        for damage in [Damage::Flip(middle, 1), Damage::Cut(middle), Damage::Cut(0)] {
            assert_eq!(judge(&victim, path, damage), Outcome::Exact, "{damage:?} of {path}");
        }
    }
    println!("{} files of the newest checkpoint, each damaged in three ways: made good", own.len());
}
