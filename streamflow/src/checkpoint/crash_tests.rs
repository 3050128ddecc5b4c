//! Every operation of a scripted run is the last one, or fails, or every byte of a checkpoint is damaged.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::store::CheckpointWriter;
use super::*;
use crate::error::{ErrorKind, Result};
use crate::fs::{IoFailure, Random, SimulatedFs};
use crate::time::BatchTime;

const DIR: &str = "program/checkpoint";
const SEEDS: u64 = 4;
const COMMITS: u64 = 9;
/// Two operators whose state changes, and one that comes and goes.
const OPERATORS: [&str; 2] = ["counts", "sums"];

type Table = BTreeMap<Vec<u8>, Vec<u8>>;

/// The state of a program after a batch.
#[derive(Clone, Debug, Default, PartialEq)]
struct Program {
    batch: u64,
    tables: BTreeMap<String, Table>,
}

/// A program that changes its state and commits it.
struct Run {
    program: Program,
    /// Keys that changed since the last commit that returned `Ok`.
    changed: BTreeMap<String, BTreeMap<Vec<u8>, ()>>,
    /// The state of every commit that was tried, and whether it returned `Ok`.
    tried: Vec<(Program, bool)>,
}

impl Run {
    fn new(program: Program) -> Self {
        Self { program, changed: BTreeMap::new(), tried: Vec::new() }
    }

    /// Changes a few keys: the changes of a batch are always the same.
    fn batch(&mut self) {
        self.program.batch += 1;
        let mut random = Random::new(self.program.batch);
        for identity in OPERATORS {
            // Now and then an operator has nothing to do.
            let changes = if identity == "sums" && random.one_in(3) { 0 } else { 1 + random.below(4) };
            for _ in 0..changes {
                let key = vec![b'k', random.below(12) as u8];
                let table = self.program.tables.entry(identity.to_owned()).or_default();
                if random.one_in(4) {
                    table.remove(&key);
                } else {
                    table.insert(key.clone(), vec![random.next() as u8; random.below(20)]);
                }
                self.changed.entry(identity.to_owned()).or_default().insert(key, ());
            }
        }
        let visitor = self.program.tables.entry("visitor".to_owned()).or_default();
        visitor.insert(vec![1], vec![self.program.batch as u8]);
        if self.program.batch.is_multiple_of(4) {
            self.program.tables.remove("visitor");
        }
    }

    fn commit(&mut self, store: &mut CheckpointStore) -> Result<()> {
        let result = self.try_commit(store);
        self.tried.push((self.program.clone(), result.is_ok()));
        if result.is_ok() {
            self.changed.clear();
        }
        result
    }

    fn try_commit(&self, store: &mut CheckpointStore) -> Result<()> {
        let before: Vec<String> =
            store.latest().map_or_else(Vec::new, |m| m.operators.iter().map(|o| o.identity.clone()).collect());
        let due = |identity: &String| match identity.as_str() {
            "visitor" => Due::Base,
            other => store.due(other, "bytes"),
        };
        let dues: Vec<_> = self.program.tables.keys().map(|identity| (identity, due(identity))).collect();
        let mut checkpoint = store.begin(BatchTime::from_millis(self.program.batch));
        for identity in before.iter().filter(|identity| !self.program.tables.contains_key(*identity)) {
            checkpoint.drop_state(identity);
        }
        for (identity, due) in dues {
            self.write(&mut checkpoint, identity, due)?;
        }
        checkpoint.commit(self.program.batch.to_le_bytes().to_vec()).map(drop)
    }

    fn write(&self, checkpoint: &mut CheckpointWriter<'_>, identity: &str, due: Due) -> Result<()> {
        let (table, nothing) = (&self.program.tables[identity], BTreeMap::new());
        let changed = self.changed.get(identity).unwrap_or(&nothing);
        if due == Due::Delta && changed.is_empty() {
            return checkpoint.keep(identity);
        }
        let mut file = checkpoint.write(identity, "bytes", 2, due)?;
        let keys: Vec<&Vec<u8>> = if due == Due::Base { table.keys().collect() } else { changed.keys().collect() };
        for key in keys {
            match table.get(key) {
                Some(value) => file.upsert(u32::from(key[0]) % 2, key, value)?,
                None => file.remove(u32::from(key[0]) % 2, key)?,
            }
        }
        checkpoint.put(file.finish()?)
    }
}

fn open(fs: &SimulatedFs) -> Result<CheckpointStore> {
    CheckpointStore::open(Arc::new(fs.clone()), DIR, CheckpointOptions::default())
}

/// Opens the store and runs batches, each with a commit; an error does not end the run.
fn run(fs: &SimulatedFs, run: &mut Run, commits: u64) -> Result<()> {
    let mut store = open(fs)?;
    for _ in 0..commits {
        run.batch();
        let _ = run.commit(&mut store);
    }
    Ok(())
}

/// The program as the newest generation has it.
fn load(store: &CheckpointStore) -> Result<Program> {
    let Some(latest) = store.latest() else { return Ok(Program::default()) };
    let mut program = Program { batch: latest.batch().as_millis(), tables: BTreeMap::new() };
    assert_eq!(latest.program, program.batch.to_le_bytes());
    for operator in &latest.operators {
        let mut table = Table::new();
        let mut reader = store.load(operator);
        while let Some(change) = reader.next()? {
            match change.value {
                Some(value) => drop(table.insert(change.key.to_vec(), value.to_vec())),
                None => drop(table.remove(change.key)),
            }
        }
        program.tables.insert(operator.identity.clone(), table);
    }
    Ok(program)
}

/// What is found is the last commit that returned `Ok`, or one that was tried after it.
fn check(fs: &SimulatedFs, tried: &[(Program, bool)], what: &str) -> Program {
    let store = open(fs).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_eq!(store.warnings(), [""; 0], "{what}");
    let found = load(&store).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let last_ok = tried.iter().rposition(|(_, ok)| *ok);
    let possible = &tried[last_ok.unwrap_or(0)..];
    let is_start = found == Program::default() && last_ok.is_none();
    assert!(is_start || possible.iter().any(|(program, _)| *program == found), "{what}: found batch {}", found.batch);
    found
}

/// The run undisturbed.
fn operations() -> u64 {
    let fs = SimulatedFs::new(0);
    let mut undisturbed = Run::new(Program::default());
    run(&fs, &mut undisturbed, COMMITS).unwrap();
    assert!(undisturbed.tried.iter().all(|(_, ok)| *ok));
    let operations = fs.operations();
    assert_eq!(check(&fs, &undisturbed.tried, "undisturbed"), undisturbed.program);
    let store = open(&fs).unwrap();
    assert!(store.latest().unwrap().operators.iter().any(|operator| operator.deltas() > 0), "there are deltas");
    operations
}

#[test]
fn a_crash_at_any_operation_leaves_the_last_commit_or_the_one_in_the_works() {
    let (mut points, operations) = (0, operations());
    for seed in 0..SEEDS {
        for k in 0..operations {
            let fs = SimulatedFs::new(seed * 1_000 + k);
            fs.crash_at(k);
            let mut before = Run::new(Program::default());
            let _ = run(&fs, &mut before, COMMITS);
            let what = format!("seed {seed}, crash at operation {k} ({})", fs.operation(k).unwrap());
            let recovered = fs.recover();
            let found = check(&recovered, &before.tried, &what);
            // What a process that was killed left, and was read, survives a crash too.
            let killed = fs.restart();
            let read = check(&killed, &before.tried, &format!("{what}, killed"));
            assert_eq!(load(&open(&killed.recover()).unwrap()).unwrap(), read, "{what}, killed, read, then crashed");
            // The program goes on from what was found.
            let mut after = Run::new(found);
            run(&recovered, &mut after, 2).unwrap();
            assert!(after.tried.iter().all(|(_, ok)| *ok), "{what}");
            assert_eq!(check(&recovered.recover(), &after.tried, &format!("{what}, then on")), after.program);
            points += 3;
        }
    }
    eprintln!(
        "checkpoint: {points} crash points ({operations} operations, {SEEDS} seeds, after a crash, a kill, and on)"
    );
}

/// Opens what a crash left, and runs two more batches on what was found. Returns all that was tried by then.
fn recover_and_go_on(fs: &SimulatedFs, mut tried: Vec<(Program, bool)>) -> Vec<(Program, bool)> {
    let Ok(mut store) = open(fs) else { return tried };
    let Ok(found) = load(&store) else { return tried };
    if store.warnings().is_empty() {
        tried.push((found.clone(), true));
    }
    let mut after = Run::new(found);
    for _ in 0..2 {
        after.batch();
        let _ = after.commit(&mut store);
    }
    tried.extend(after.tried);
    tried
}

#[test]
fn a_second_crash_or_error_after_the_recovery_loses_nothing_either() {
    let (mut points, operations) = (0, operations());
    for k in (0..operations).step_by(7) {
        let mut second = 0;
        loop {
            let fs = SimulatedFs::new(k * 7_919 + second);
            fs.crash_at(k);
            let mut before = Run::new(Program::default());
            let _ = run(&fs, &mut before, COMMITS);
            let fs = if second % 2 == 0 { fs.recover() } else { fs.restart() };
            if second % 3 == 0 {
                fs.fail_at(second, IoFailure::Device);
            } else {
                fs.crash_at(second);
            }
            let tried = recover_and_go_on(&fs, before.tried);
            let ended = fs.operations() <= second;
            fs.repair();
            check(&fs.recover(), &tried, &format!("crash at {k}, then a crash or an error at {second}"));
            points += 1;
            second += 1;
            if ended {
                break;
            }
        }
    }
    eprintln!("checkpoint: {points} pairs of crash points");
}

#[test]
fn an_error_at_any_operation_leaves_the_last_commit_or_a_later_one() {
    let (mut points, operations) = (0, operations());
    for failure in [IoFailure::NoSpace, IoFailure::Device] {
        for seed in 0..SEEDS / 2 {
            for k in 0..operations {
                for once in [true, false] {
                    let fs = SimulatedFs::new(seed * 1_000 + k);
                    if once {
                        fs.fail_at(k, failure);
                    } else {
                        fs.fail_from(k, failure);
                    }
                    let mut before = Run::new(Program::default());
                    let _ = run(&fs, &mut before, COMMITS);
                    let what = format!("seed {seed}, {failure:?} at {k} ({}), once: {once}", fs.operation(k).unwrap());
                    fs.repair();
                    check(&fs.restart(), &before.tried, &format!("{what}, then killed"));
                    check(&fs.recover(), &before.tried, &format!("{what}, then crashed"));
                    let failed = before.tried.iter().filter(|(_, ok)| !ok).count();
                    assert!(!once || failed <= 1, "{what}: after one error the store goes on");
                    points += 2;
                }
            }
        }
    }
    eprintln!("checkpoint: {points} error points");
}

/// A store with two generations, and both programs, newest first.
fn small_store() -> (SimulatedFs, [Program; 2]) {
    let fs = SimulatedFs::new(5);
    let mut writer = Run::new(Program::default());
    run(&fs, &mut writer, 3).unwrap();
    let [.., (older, _), (newest, _)] = &writer.tried[..] else { unreachable!("three commits") };
    (fs, [newest.clone(), older.clone()])
}

/// Damage leaves the newest generation, or makes the older one the best with a warning, or is an error.
fn check_damage(fs: &SimulatedFs, programs: &[Program; 2], what: &str) -> usize {
    let store = match open(fs) {
        Ok(store) => store,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Damaged, "{what}: {error:?}");
            assert!(error.to_string().contains(DIR), "{what}: {error}");
            return 2;
        }
    };
    let found = load(&store).unwrap();
    let place = programs.iter().position(|program| *program == found).unwrap_or_else(|| panic!("{what}: {found:?}"));
    assert!(place == 0 || !store.warnings().is_empty(), "{what}: the fallback is told");
    place
}

#[test]
fn every_damaged_byte_is_noticed() {
    let (fs, programs) = small_store();
    let (mut outcomes, mut files) = ([0; 3], 0);
    for name in fs.files(DIR) {
        let path = format!("{DIR}/{name}");
        let bytes = fs.contents(&path).unwrap();
        files += 1;
        for at in 0..bytes.len() {
            for mask in [0x01, 0x80, 0xFF] {
                let copy = fs.copy();
                let mut damaged = bytes.clone();
                damaged[at] ^= mask;
                copy.put(&path, &damaged);
                outcomes[check_damage(&copy, &programs, &format!("byte {at} of {name}"))] += 1;
            }
        }
    }
    let [newest, older, refused] = outcomes;
    eprintln!(
        "checkpoint: {} damaged bytes in {files} files: {newest} did not matter, {older} cost a generation, {refused} were refused",
        newest + older + refused
    );
}

#[test]
fn every_truncation_and_extension_is_noticed() {
    let (fs, programs) = small_store();
    let mut outcomes = [0; 3];
    for name in fs.files(DIR) {
        let path = format!("{DIR}/{name}");
        let bytes = fs.contents(&path).unwrap();
        for len in 0..bytes.len() {
            for changed in [bytes[..len].to_vec(), [&bytes[..], &bytes[..=len]].concat()] {
                let copy = fs.copy();
                copy.put(&path, &changed);
                outcomes[check_damage(&copy, &programs, &format!("{} bytes of {name}", changed.len()))] += 1;
            }
        }
    }
    let [newest, older, refused] = outcomes;
    eprintln!(
        "checkpoint: {} truncations and extensions: {newest} did not matter, {older} cost a generation, {refused} were refused",
        newest + older + refused
    );
}

#[test]
fn a_lost_file_costs_a_generation_at_most_or_is_an_error() {
    let (fs, programs) = small_store();
    for name in fs.files(DIR) {
        let copy = fs.copy();
        crate::fs::FileSystem::remove(&copy, std::path::Path::new(&format!("{DIR}/{name}"))).unwrap();
        // Without the newest manifest nobody can know that there was one.
        let lost_manifest = name.starts_with("manifest-");
        match open(&copy) {
            Ok(store) if lost_manifest => assert!(programs.contains(&load(&store).unwrap())),
            _ => drop(check_damage(&copy, &programs, &name)),
        }
    }
}
