//! Every operation of a scripted run is the last one, or fails, or every byte of the log is damaged.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::error::{ErrorKind, Result};
use crate::fs::{IoFailure, SharedFs, SimulatedFs};
use crate::time::BatchTime;

const DIR: &str = "checkpoint/log";
const SEEDS: u64 = 12;

/// What the run knows of its records. They are numbered, and written in the order of their numbers.
#[derive(Default)]
struct Known {
    /// Written, with the result.
    written: Vec<(u32, bool)>,
    /// Records below this one may have been cleaned.
    needed_from: u32,
    failed_calls: u32,
    handles: Vec<(u32, RecordHandle)>,
}

fn at(record: u32) -> BatchTime {
    BatchTime::from_millis(u64::from(record) * 100)
}

fn payload(record: u32) -> Vec<u8> {
    // Lengths that cross others' boundaries, one of them empty after the number.
    [&record.to_le_bytes()[..], &vec![record as u8; record as usize * 7 % 40]].concat()
}

fn open(fs: &SimulatedFs) -> Result<Log> {
    let options = LogOptions { segment_interval: Duration::from_millis(350), ..LogOptions::default() };
    Log::open(Arc::new(fs.clone()), DIR, options)
}

/// Opens a log and writes records from `first` on, alone and in groups, and cleans it now and then.
fn run(fs: &SimulatedFs, first: u32, known: &mut Known) -> Result<()> {
    let log = open(fs)?;
    let mut next = first;
    for round in 0..8 {
        let group = if round % 3 == 1 { 3 } else { 1 };
        let records: Vec<u32> = (next..next + group).collect();
        next += group;
        let result = log.write_all(records.iter().map(|&record| (at(record), payload(record))).collect());
        known.written.extend(records.iter().map(|&record| (record, result.is_ok())));
        match result {
            Ok(handles) => known.handles.extend(records.into_iter().zip(handles)),
            Err(_) => known.failed_calls += 1,
        }
        if round == 5 {
            known.needed_from = next - 3;
            let _ = log.clean(at(known.needed_from));
        }
    }
    log.close();
    Ok(())
}

fn records(mut records: Records) -> Result<Vec<u32>> {
    let mut numbers = Vec::new();
    while let Some((_, bytes)) = records.next()? {
        let number = u32::from_le_bytes(bytes[..4].try_into().unwrap());
        assert_eq!(bytes, payload(number));
        numbers.push(number);
    }
    Ok(numbers)
}

/// Opens what a crash left and compares it with what is known.
fn check(fs: &SimulatedFs, known: &Known, what: &str) {
    let read_only = read_log(Arc::new(fs.clone()) as SharedFs, Path::new(DIR)).and_then(records);
    let log = open(fs).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let found = records(log.records()).unwrap_or_else(|error| panic!("{what}: {error:?}"));
    assert_eq!(read_only.unwrap(), found, "{what}: an inspection reads the same");
    assert!(found.is_sorted_by(|a, b| a < b), "{what}: {found:?}");
    for &(record, acknowledged) in &known.written {
        if acknowledged && record >= known.needed_from {
            assert!(found.contains(&record), "{what}: record {record} is lost, there are {found:?}");
        }
    }
    assert!(found.iter().all(|found| known.written.iter().any(|(record, _)| record == found)), "{what}: {found:?}");
    for (record, handle) in known.handles.iter().filter(|(record, _)| found.contains(record)) {
        assert_eq!(log.read(handle).unwrap(), payload(*record), "{what}: by handle");
    }
}

/// The run undisturbed.
fn operations() -> u64 {
    let fs = SimulatedFs::new(0);
    let mut known = Known::default();
    run(&fs, 0, &mut known).unwrap();
    assert!(known.written.iter().all(|(_, acknowledged)| *acknowledged));
    let operations = fs.operations();
    check(&fs, &known, "undisturbed");
    assert!(fs.files(DIR).len() > 2, "several segments remain: {:?}", fs.files(DIR));
    operations
}

#[test]
fn a_crash_at_any_operation_loses_nothing_that_was_acknowledged() {
    let (mut points, operations) = (0, operations());
    for seed in 0..SEEDS {
        for k in 0..operations {
            let fs = SimulatedFs::new(seed * 1_000 + k);
            fs.crash_at(k);
            let mut known = Known::default();
            let _ = run(&fs, 0, &mut known);
            let what = format!("seed {seed}, crash at operation {k} ({})", fs.operation(k).unwrap());
            check(&fs.recover(), &known, &what);
            // The records of a process that was killed are read, and must then survive a crash too.
            let killed = fs.restart();
            check(&killed, &known, &format!("{what}, killed"));
            let mut read_by_survivor = Known::default();
            let survivors = records(open(&killed).unwrap().records()).unwrap();
            read_by_survivor.written = survivors.into_iter().map(|record| (record, true)).collect();
            check(&killed.recover(), &read_by_survivor, &format!("{what}, killed, then crashed"));
            points += 3;
        }
    }
    eprintln!("log: {points} crash points ({operations} operations, {SEEDS} seeds, after a crash and after a kill)");
}

#[test]
fn a_second_crash_or_error_after_the_recovery_loses_nothing_either() {
    let mut points = 0;
    let operations = operations();
    for k in 0..operations {
        let mut second = 0;
        loop {
            let fs = SimulatedFs::new(k * 7_919 + second);
            fs.crash_at(k);
            let mut known = Known::default();
            let _ = run(&fs, 0, &mut known);
            let fs = if second % 2 == 0 { fs.recover() } else { fs.restart() };
            if second % 3 == 0 {
                fs.fail_at(second, IoFailure::Device);
            } else {
                fs.crash_at(second);
            }
            let next = known.written.last().map_or(0, |(record, _)| record + 1);
            let _ = run(&fs, next, &mut known);
            let ended = fs.operations() <= second;
            fs.repair();
            check(&fs.recover(), &known, &format!("crash at {k}, then a crash or an error at {second}"));
            points += 1;
            second += 1;
            if ended {
                break;
            }
        }
    }
    eprintln!("log: {points} pairs of crash points");
}

#[test]
fn an_error_at_any_operation_loses_nothing_that_was_acknowledged() {
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
                    let mut known = Known::default();
                    let _ = run(&fs, 0, &mut known);
                    let what = format!("seed {seed}, {failure:?} at {k} ({}), once: {once}", fs.operation(k).unwrap());
                    fs.repair();
                    check(&fs.restart(), &known, &format!("{what}, then killed"));
                    check(&fs.recover(), &known, &format!("{what}, then crashed"));
                    assert!(!once || known.failed_calls <= 1, "{what}: after one error the log goes on");
                    points += 2;
                }
            }
        }
    }
    eprintln!("log: {points} error points");
}

/// A log of three segments, its directory, and its records.
fn small_log() -> (SimulatedFs, Vec<u32>) {
    let fs = SimulatedFs::new(5);
    let log = open(&fs).unwrap();
    for records in [&[0, 1][..], &[2], &[4, 5], &[9], &[10, 11], &[12]] {
        log.write_all(records.iter().map(|&record| (at(record), payload(record))).collect()).unwrap();
    }
    let all = records(log.records()).unwrap();
    assert_eq!(fs.files(DIR).len(), 3);
    (fs, all)
}

/// Damage either leaves all records, or is an error, or has cost the tail of the last segment and nothing else.
fn check_damage(fs: &SimulatedFs, all: &[u32], may_miss: &[u32], what: &str) -> bool {
    match open(fs).and_then(|log| records(log.records())) {
        Ok(found) => {
            assert!(all.starts_with(&found), "{what}: {found:?}");
            assert!(all[found.len()..].iter().all(|missing| may_miss.contains(missing)), "{what}: only {found:?}");
            true
        }
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Damaged, "{what}: {error:?}");
            assert!(error.to_string().contains(DIR), "{what}: {error}");
            false
        }
    }
}

#[test]
fn every_flipped_byte_is_noticed_unless_it_is_in_the_last_group() {
    let (fs, all) = small_log();
    let (mut flipped, mut recovered) = (0, 0);
    let files = fs.files(DIR);
    for (number, name) in files.iter().enumerate() {
        let path = format!("{DIR}/{name}");
        let bytes = fs.contents(&path).unwrap();
        for at in 0..bytes.len() {
            for mask in [0x01, 0x80, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] ^= mask;
                let copy = fs.copy();
                copy.put(&path, &damaged);
                let may_miss: &[u32] = if number + 1 == files.len() { &[12] } else { &[] };
                recovered += usize::from(check_damage(&copy, &all, may_miss, &format!("byte {at} of {name}")));
                flipped += 1;
            }
        }
    }
    eprintln!("log: {flipped} damaged bytes, {recovered} of them in the last group and cut");
}

#[test]
fn every_truncation_cuts_the_tail_of_the_last_segment_or_is_an_error() {
    let (fs, all) = small_log();
    let mut truncated = 0;
    let files = fs.files(DIR);
    for (number, name) in files.iter().enumerate() {
        let path = format!("{DIR}/{name}");
        let bytes = fs.contents(&path).unwrap();
        for len in 0..bytes.len() {
            let last = number + 1 == files.len();
            let copy = fs.copy();
            copy.put(&path, &bytes[..len]);
            let may_miss: &[u32] = if last { &[9, 10, 11, 12] } else { &[] };
            let opened = check_damage(&copy, &all, may_miss, &format!("{len} bytes of {name}"));
            assert_eq!(opened, last, "{len} bytes of {name}");
            let extended = fs.copy();
            extended.put(&path, &[&bytes[..], &bytes[..len]].concat());
            assert!(check_damage(&extended, &all, &[], &format!("{name} and {len} bytes of it again")));
            truncated += 2;
        }
    }
    eprintln!("log: {truncated} truncations and extensions");
}
