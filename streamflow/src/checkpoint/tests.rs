use std::collections::BTreeMap;
use std::sync::Arc;

use super::*;
use crate::error::{ErrorKind, Result};
use crate::fs::{IoFailure, SimulatedFs};
use crate::time::BatchTime;

const DIR: &str = "program/checkpoint";

type State = BTreeMap<Vec<u8>, Vec<u8>>;

fn open(fs: &SimulatedFs) -> Result<CheckpointStore> {
    CheckpointStore::open(Arc::new(fs.clone()), DIR, CheckpointOptions::default())
}

fn at(seconds: u64) -> BatchTime {
    BatchTime::from_millis(seconds * 1_000)
}

/// Changes of one checkpoint: keys and values, or keys that are gone.
type Changes = [(&'static str, Option<&'static str>)];

/// Commits one checkpoint of the operator `counts`.
fn commit(store: &mut CheckpointStore, seconds: u64, what: Due, changes: &Changes) -> Result<u64> {
    let mut checkpoint = store.begin(at(seconds));
    let mut file = checkpoint.write("counts", "(String, u64)", 4, what)?;
    for (number, (key, value)) in changes.iter().enumerate() {
        match value {
            Some(value) => file.upsert(number as u32 % 4, key.as_bytes(), value.as_bytes())?,
            None => file.remove(number as u32 % 4, key.as_bytes())?,
        }
    }
    checkpoint.put(file.finish()?)?;
    checkpoint.commit(format!("batch {seconds}").into_bytes())
}

fn load(store: &CheckpointStore, identity: &str) -> State {
    let mut state = State::new();
    let mut reader = store.load(store.latest().unwrap().operator(identity).unwrap());
    while let Some(change) = reader.next().unwrap() {
        match change.value {
            Some(value) => drop(state.insert(change.key.to_vec(), value.to_vec())),
            None => drop(state.remove(change.key)),
        }
    }
    state
}

fn state(pairs: &[(&str, &str)]) -> State {
    pairs.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
}

#[test]
fn an_unused_store_leaves_nothing() {
    let fs = SimulatedFs::new(1);
    let mut store = open(&fs).unwrap();
    assert!(store.latest().is_none() && store.horizon().is_none());
    drop(store.begin(at(1)));
    assert!(fs.files("").is_empty());
}

#[test]
fn a_base_and_its_deltas_give_the_state() {
    let fs = SimulatedFs::new(1);
    let mut store = open(&fs).unwrap();
    commit(&mut store, 1, Due::Base, &[("a", Some("1")), ("b", Some("2")), ("c", Some("")), ("", Some("empty"))])
        .unwrap();
    commit(&mut store, 2, Due::Delta, &[("a", None), ("b", Some("3"))]).unwrap();
    commit(&mut store, 3, Due::Delta, &[("a", Some("4")), ("", None), ("unknown", None)]).unwrap();
    let store = open(&fs).unwrap();
    assert_eq!(load(&store, "counts"), state(&[("a", "4"), ("b", "3"), ("c", "")]));
    let latest = store.latest().unwrap();
    assert_eq!((latest.generation, latest.batch(), &latest.program[..]), (2, at(3), &b"batch 3"[..]));
    assert_eq!(latest.operator("counts").unwrap().deltas(), 2);
    assert_eq!(store.horizon(), Some(at(2)), "the generation before is kept");
    assert_eq!(fs.files(DIR), ["manifest-1", "manifest-2", "state-0-0", "state-1-0", "state-2-0"]);
}

#[test]
fn a_new_base_is_due_when_the_deltas_outweigh_the_old_one() {
    let fs = SimulatedFs::new(1);
    let mut store = open(&fs).unwrap();
    assert_eq!(store.due("counts", "(String, u64)"), Due::Base);
    let long: &'static str = "0123456789".repeat(100).leak();
    commit(&mut store, 1, Due::Base, &[("a", Some(long)), ("b", Some(long))]).unwrap();
    let mut deltas = 0;
    while store.due("counts", "(String, u64)") == Due::Delta {
        commit(&mut store, 2 + deltas, Due::Delta, &[("a", Some(long))]).unwrap();
        deltas += 1;
    }
    assert_eq!(deltas, 2, "two deltas of 1000 bytes are more than a base of 2000, with their heads");
    assert_eq!(store.due("counts", "(String, i64)"), Due::Base, "another type");
    commit(&mut store, 10, Due::Base, &[("b", Some("1"))]).unwrap();
    commit(&mut store, 11, Due::Delta, &[]).unwrap();
    assert_eq!(load(&store, "counts"), state(&[("b", "1")]));
    assert_eq!(fs.files(DIR).len(), 4, "the old base and its deltas are gone: {:?}", fs.files(DIR));

    let options = CheckpointOptions { deltas: 3, ..CheckpointOptions::default() };
    let mut store = CheckpointStore::open(Arc::new(SimulatedFs::new(2)), DIR, options).unwrap();
    commit(&mut store, 1, Due::Base, &[("a", Some(long))]).unwrap();
    for second in 2..5 {
        assert_eq!(store.due("counts", "(String, u64)"), Due::Delta);
        commit(&mut store, second, Due::Delta, &[]).unwrap();
    }
    assert_eq!(store.due("counts", "(String, u64)"), Due::Base, "many small deltas");
}

#[test]
fn state_is_not_lost_by_silence() {
    let mut store = open(&SimulatedFs::new(1)).unwrap();
    commit(&mut store, 1, Due::Base, &[("a", Some("1"))]).unwrap();
    let error = store.begin(at(2)).commit(Vec::new()).unwrap_err();
    assert!(error.to_string().contains("would lose the state of `counts`"), "{error}");
    let mut kept = store.begin(at(2));
    kept.keep("counts").unwrap();
    assert_eq!(kept.keep("counts").unwrap_err().kind(), ErrorKind::IllegalState);
    assert_eq!(kept.keep("others").unwrap_err().kind(), ErrorKind::IllegalState);
    kept.commit(Vec::new()).unwrap();
    assert_eq!(load(&store, "counts"), state(&[("a", "1")]));
    assert!(store.begin(at(3)).write("counts", "another type", 1, Due::Delta).is_err());
    let mut dropped = store.begin(at(3));
    dropped.drop_state("counts");
    dropped.commit(Vec::new()).unwrap();
    assert!(store.latest().unwrap().operators.is_empty());
}

#[test]
fn a_later_commit_counts_even_if_its_batch_is_older() {
    let fs = SimulatedFs::new(1);
    let mut store = open(&fs).unwrap();
    commit(&mut store, 2, Due::Base, &[("a", Some("first"))]).unwrap();
    commit(&mut store, 1, Due::Base, &[("a", Some("second"))]).unwrap();
    let store = open(&fs).unwrap();
    assert_eq!(load(&store, "counts"), state(&[("a", "second")]));
    assert_eq!(store.horizon(), Some(at(1)));
}

#[test]
fn other_files_and_directories_are_left_alone() {
    let fs = SimulatedFs::new(1);
    fs.put(format!("{DIR}/manifest-7/file"), b"a directory");
    fs.put(format!("{DIR}/manifest-8.bk"), b"a copy");
    fs.put(format!("{DIR}/log/log-0-0-1"), b"a log");
    let mut store = open(&fs).unwrap();
    assert!(store.latest().is_none());
    commit(&mut store, 1, Due::Base, &[]).unwrap();
    assert_eq!(fs.files(DIR), ["log", "manifest-0", "manifest-7", "manifest-8.bk", "state-0-0"]);
}

#[test]
fn a_damaged_generation_is_told_and_the_one_before_is_used() {
    let fs = SimulatedFs::new(1);
    let mut store = open(&fs).unwrap();
    commit(&mut store, 1, Due::Base, &[("a", Some("1"))]).unwrap();
    commit(&mut store, 2, Due::Delta, &[("a", Some("2"))]).unwrap();
    fs.put(format!("{DIR}/state-1-0"), b"short");
    let mut store = open(&fs).unwrap();
    assert_eq!(load(&store, "counts"), state(&[("a", "1")]));
    let [warning] = store.warnings() else { panic!("one warning: {:?}", store.warnings()) };
    assert!(warning.starts_with("checkpoint 1 cannot be used") && warning.contains("checkpoint 0 is"), "{warning}");
    assert!(warning.contains("`program/checkpoint/state-1-0`"), "{warning}");
    // The next one follows what was used, under a new number.
    assert_eq!(commit(&mut store, 2, Due::Delta, &[("a", Some("3"))]).unwrap(), 2);
    let store = open(&fs).unwrap();
    assert_eq!((load(&store, "counts"), store.warnings().len()), (state(&[("a", "3")]), 0));
    assert_eq!(fs.files(DIR), ["manifest-0", "manifest-2", "state-0-0", "state-2-0"]);

    for name in ["manifest-0", "manifest-2"] {
        fs.put(format!("{DIR}/{name}"), b"");
    }
    let error = open(&fs).err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    assert!(error.to_string().contains("0: ") && error.to_string().contains("2: "), "{error}");
}

#[test]
fn a_failed_checkpoint_makes_room_and_the_next_one_goes_on() {
    let fs = SimulatedFs::new(1);
    let mut store = open(&fs).unwrap();
    commit(&mut store, 1, Due::Base, &[("a", Some("1"))]).unwrap();
    let before = fs.files(DIR);
    fs.fail_from(fs.operations() + 3, IoFailure::NoSpace);
    assert_eq!(commit(&mut store, 2, Due::Delta, &[("a", Some("2"))]).unwrap_err().kind(), ErrorKind::Io);
    assert_eq!(fs.files(DIR), before);
    fs.repair();
    commit(&mut store, 3, Due::Delta, &[("b", Some("3"))]).unwrap();
    assert_eq!(load(&open(&fs).unwrap(), "counts"), state(&[("a", "1"), ("b", "3")]));
}

#[test]
fn much_state_is_written_and_read_in_chunks() {
    let fs = SimulatedFs::new(1);
    let mut store = open(&fs).unwrap();
    let mut checkpoint = store.begin(at(1));
    let mut file = checkpoint.write("counts", "(u32, u64)", 3, Due::Base).unwrap();
    let before = fs.operations();
    for partition in 0..3_u32 {
        for key in (partition..60_000).step_by(3) {
            file.upsert(partition, &key.to_be_bytes(), &u64::from(key).to_be_bytes()).unwrap();
        }
    }
    file.upsert(0, b"long", &vec![7; 1_000_000]).unwrap();
    assert!((12..24).contains(&(fs.operations() - before)), "{} writes", fs.operations() - before);
    checkpoint.put(file.finish().unwrap()).unwrap();
    checkpoint.commit(Vec::new()).unwrap();
    let store = open(&fs).unwrap();
    let mut reader = store.load(store.latest().unwrap().operator("counts").unwrap());
    let mut count = 0;
    while let Some(change) = reader.next().unwrap() {
        count += 1;
        if let (Ok(key), Some(value)) = (<[u8; 4]>::try_from(change.key), change.value)
            && change.key != b"long"
        {
            let key = u32::from_be_bytes(key);
            assert_eq!((key % 3, value), (change.partition, &u64::from(key).to_be_bytes()[..]));
        }
    }
    assert_eq!(count, 60_001);
}
