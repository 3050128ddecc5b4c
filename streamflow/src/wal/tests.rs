use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::error::ErrorKind;
use crate::fs::{FileSystem as _, IoFailure, SharedFs, SimulatedFs};
use crate::time::BatchTime;

const DIR: &str = "checkpoint/log";

fn at(millis: u64) -> BatchTime {
    BatchTime::from_millis(millis)
}

fn options(interval_ms: u64) -> LogOptions {
    LogOptions { segment_interval: Duration::from_millis(interval_ms), ..LogOptions::default() }
}

fn open(fs: &SimulatedFs, interval_ms: u64) -> Log {
    Log::open(Arc::new(fs.clone()), DIR, options(interval_ms)).unwrap()
}

fn contents(mut records: Records) -> Result<Vec<String>, crate::Error> {
    let mut all = Vec::new();
    while let Some((_, payload)) = records.next()? {
        all.push(String::from_utf8(payload.to_vec()).unwrap());
    }
    Ok(all)
}

fn read(fs: &SimulatedFs) -> Result<Vec<String>, crate::Error> {
    contents(read_log(Arc::new(fs.clone()) as SharedFs, Path::new(DIR))?)
}

fn fill(log: &Log, records: std::ops::Range<u64>, step_ms: u64) -> Vec<String> {
    records
        .map(|n| {
            let record = format!("record {n}");
            log.write(at(n * step_ms), record.clone().into_bytes()).unwrap();
            record
        })
        .collect()
}

#[test]
fn an_unused_log_leaves_nothing_and_a_missing_one_has_no_records() {
    let fs = SimulatedFs::new(1);
    let log = open(&fs, 1_000);
    assert!(contents(log.records()).unwrap().is_empty());
    log.close();
    assert!(fs.files("").is_empty());
    assert!(read(&fs).unwrap().is_empty());
}

#[test]
fn records_are_read_in_order_over_all_segments_and_by_handle() {
    let fs = SimulatedFs::new(1);
    let log = open(&fs, 1_000);
    let mut handles = Vec::new();
    let mut written = Vec::new();
    for n in 0..100_u64 {
        let record = "x".repeat(n as usize) + &n.to_string();
        handles.push(log.write(at(n * 500), record.clone().into_bytes()).unwrap());
        // Readable while the segment is open.
        assert_eq!(log.read(&handles[n as usize]).unwrap(), record.as_bytes());
        written.push(record);
    }
    // A segment takes what is not after its end: three records of 500 ms each in a second.
    assert_eq!(fs.files(DIR).len(), 34);
    assert_eq!(contents(log.records()).unwrap(), written);
    log.close();
    let log = open(&fs, 1_000);
    for n in (0..100).rev() {
        assert_eq!(log.read(&handles[n]).unwrap(), written[n].as_bytes());
    }
    let wrong = RecordHandle { length: 3, ..handles[7] };
    assert_eq!(log.read(&wrong).unwrap_err().kind(), ErrorKind::Damaged);
    let far = RecordHandle { offset: u64::MAX - 3, ..handles[7] };
    assert_eq!(log.read(&far).unwrap_err().kind(), ErrorKind::Damaged);
}

#[test]
fn a_segment_ends_by_size_too_and_after_each_group_if_asked() {
    let fs = SimulatedFs::new(1);
    let log = Log::open(Arc::new(fs.clone()), DIR, LogOptions { segment_bytes: 200, ..options(1_000) }).unwrap();
    let written = fill(&log, 0..12, 0);
    assert_eq!(fs.files(DIR).len(), 2, "a segment takes records until it is 200 bytes long: {:?}", fs.files(DIR));
    assert_eq!(read(&fs).unwrap(), written);

    let fs = SimulatedFs::new(1);
    let log = Log::open(Arc::new(fs.clone()), DIR, LogOptions { close_after_write: true, ..options(1_000) }).unwrap();
    let written = fill(&log, 0..3, 100);
    assert_eq!(fs.files(DIR).len(), 3);
    assert_eq!(read(&fs).unwrap(), written);
}

#[test]
fn a_log_that_is_opened_again_goes_on_in_a_new_segment() {
    let fs = SimulatedFs::new(1);
    let mut written = fill(&open(&fs, 1_000), 0..3, 100);
    // Numbers of several digits: the order is not that of text.
    for restart in 0..12 {
        let log = open(&fs, 1_000);
        assert_eq!(contents(log.records()).unwrap(), written);
        written.extend(fill(&log, restart..restart + 2, 100));
    }
    assert_eq!(fs.files(DIR).len(), 13);
    assert_eq!(read(&fs).unwrap(), written);
}

#[test]
fn segments_that_are_torn_to_one_byte_are_skipped() {
    let fs = SimulatedFs::new(1);
    fill(&open(&fs, 100), 0..5, 200);
    for name in fs.files(DIR) {
        fs.put(format!("{DIR}/{name}"), b"S");
    }
    let log = open(&fs, 1_000);
    let written = fill(&log, 5..8, 200);
    assert_eq!(read(&fs).unwrap(), written);
}

#[test]
fn a_torn_tail_is_cut_and_garbage_after_the_end_too() {
    let fs = SimulatedFs::new(1);
    let written = fill(&open(&fs, 1_000), 0..3, 100);
    let path = format!("{DIR}/{}", fs.files(DIR)[0]);
    let sound = fs.contents(&path).unwrap();

    fs.put(&path, &[&sound[..], b"Some text that is not a record, and whose first bytes are a huge length"].concat());
    assert_eq!(read(&fs).unwrap(), written);
    assert!(fs.contents(&path).unwrap().len() > sound.len(), "reading changes nothing");
    drop(open(&fs, 1_000));
    assert_eq!(fs.contents(&path).unwrap(), sound, "opening cuts the tail");

    fs.put(&path, &sound[..sound.len() - 1]);
    let log = open(&fs, 1_000);
    assert_eq!(contents(log.records()).unwrap(), written[..2]);
    log.write(at(300), b"next".to_vec()).unwrap();
    assert_eq!(read(&fs).unwrap(), [&written[..2], &["next".to_owned()]].concat());
}

#[test]
fn damage_in_the_middle_names_the_file_and_the_offset() {
    let fs = SimulatedFs::new(1);
    fill(&open(&fs, 1_000), 0..3, 100);
    let path = format!("{DIR}/{}", fs.files(DIR)[0]);
    let mut bytes = fs.contents(&path).unwrap();
    bytes[60 + 24 + 20] ^= 1;
    fs.put(&path, &bytes);
    let error = read(&fs).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged);
    let message = error.to_string();
    assert!(message.contains("`checkpoint/log/log-0-0-1000`") && message.contains("at offset 84"), "{message}");
}

#[test]
fn a_missing_segment_is_noticed_unless_it_is_the_oldest() {
    let fs = SimulatedFs::new(1);
    let written = fill(&open(&fs, 100), 0..4, 200);
    let without = |name: &str| {
        let fs = fs.copy();
        fs.remove(Path::new(&format!("{DIR}/{name}"))).unwrap();
        read(&fs)
    };
    assert_eq!(without("log-0-0-100").unwrap(), written[1..]);
    let message = without("log-2-400-500").unwrap_err().to_string();
    assert!(message.contains("number 2") && message.contains("`checkpoint/log/log-3-600-700`"), "{message}");
}

#[test]
fn a_log_that_has_lost_its_end_is_told_from_one_that_was_cleaned() {
    let fs = SimulatedFs::new(1);
    let log = open(&fs, 100);
    let handles: Vec<RecordHandle> = (0..3).map(|n| log.write(at(n * 200), vec![7; 10]).unwrap()).collect();
    log.clean(at(400)).unwrap();
    assert_eq!(fs.files(DIR), ["log-2-400-500"]);
    log.close();
    let reopened = |cut: Option<usize>| {
        let fs = fs.copy();
        let path = format!("{DIR}/log-2-400-500");
        let bytes = fs.contents(&path).unwrap();
        match cut {
            Some(length) => fs.put(&path, &bytes[..length]),
            None => fs.remove(Path::new(&path)).unwrap(),
        }
        open(&fs, 100)
    };
    handles.iter().for_each(|handle| reopened(Some(86)).expect(handle).unwrap());
    // Moved away on purpose.
    reopened(None).expect(&handles[2]).unwrap();
    for cut in [85, 60, 59, 0] {
        let log = reopened(Some(cut));
        let error = log.expect(&handles[2]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Damaged);
        let message = error.to_string();
        assert!(message.contains("/log-2-400-500`") && message.contains("at offset 60"), "cut to {cut}: {message}");
    }
}

#[test]
fn cleaning_removes_whole_segments_from_the_front() {
    let fs = SimulatedFs::new(1);
    let log = open(&fs, 999);
    let written = fill(&log, 0..5, 1_000);
    let first = RecordHandle { segment: 0, offset: 60, length: 8 };
    assert_eq!(log.read(&first).unwrap(), b"record 0");
    assert_eq!(log.clean(at(999)).unwrap(), 0, "the end of the segment is not before its end");
    assert_eq!(log.clean(at(3_000)).unwrap(), 3);
    assert_eq!(fs.files(DIR), ["log-3-3000-3999", "log-4-4000-4999"]);
    assert!(log.read(&first).unwrap_err().to_string().contains("no segment number 0"));
    assert_eq!(read(&fs).unwrap(), written[3..]);
    assert_eq!(log.clean(at(u64::MAX)).unwrap(), 1, "the newest stays");
    log.close();
    // The number of a segment that was cleaned is not used again, so an old handle never reads another record.
    assert_eq!(open(&fs, 999).write(at(9_000), b"next".to_vec()).unwrap().segment, 5);
}

#[test]
fn a_failing_write_is_tried_again_and_a_failing_sync_is_not() {
    let fs = SimulatedFs::new(1);
    let log = open(&fs, 1_000);
    log.write(at(0), b"first".to_vec()).unwrap();
    // A write and a sync for each group.
    fs.fail_at(fs.operations(), IoFailure::NoSpace);
    log.write(at(1), b"second".to_vec()).unwrap();
    assert_eq!(fs.files(DIR).len(), 2, "in a new segment");
    fs.fail_at(fs.operations() + 1, IoFailure::Device);
    let error = log.write(at(2), b"third".to_vec()).unwrap_err();
    assert!(error.to_string().contains("cannot make durable the log segment `checkpoint/log/log-1-"), "{error}");
    log.write(at(3), b"fourth".to_vec()).unwrap();
    assert_eq!(read(&fs).unwrap(), ["first", "second", "fourth"]);
    fs.fail_from(fs.operations(), IoFailure::NoSpace);
    assert_eq!(log.write(at(4), b"fifth".to_vec()).unwrap_err().kind(), ErrorKind::Io);
    fs.repair();
    log.write(at(5), b"sixth".to_vec()).unwrap();
    assert_eq!(read(&fs).unwrap(), ["first", "second", "fourth", "sixth"]);
}

#[test]
fn many_records_of_one_call_share_a_sync() {
    let fs = SimulatedFs::new(1);
    let log = open(&fs, 60_000);
    log.write(at(0), Vec::new()).unwrap();
    let before = fs.operations();
    let records = (0..100_000_u32).map(|n| (at(1), n.to_le_bytes().to_vec())).collect();
    let handles = log.write_all(records).unwrap();
    assert_eq!(fs.operations() - before, 2, "one write, one sync");
    assert_eq!(fs.files(DIR).len(), 1);
    assert_eq!(log.read(&handles[77_777]).unwrap(), 77_777_u32.to_le_bytes());
    assert!(log.write_all(Vec::new()).unwrap().is_empty());
}

#[test]
fn a_record_that_is_too_long_is_refused() {
    // Zeroed memory that nobody touches costs nothing.
    let error = open(&SimulatedFs::new(1), 1).write(at(0), vec![0; format::MAX_PAYLOAD + 1]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
}

mod group_commit {
    use std::path::PathBuf;
    use std::sync::{Condvar, Mutex};
    use std::{io, thread};

    use super::*;
    use crate::fs::{Entry, File, FileSystem};
    use crate::time::lock;

    /// A file system whose writes wait at a gate.
    #[derive(Clone, Debug)]
    struct GatedFs {
        fs: SimulatedFs,
        gate: Arc<Gate>,
    }

    #[derive(Debug, Default)]
    struct Gate {
        state: Mutex<GateState>,
        changed: Condvar,
    }

    #[derive(Debug, Default)]
    struct GateState {
        closed: bool,
        waiting: bool,
    }

    impl Gate {
        fn pass(&self) {
            let mut state = lock(&self.state);
            while state.closed {
                state.waiting = true;
                self.changed.notify_all();
                state = self.changed.wait(state).unwrap();
            }
        }

        fn set_closed(&self, closed: bool) {
            lock(&self.state).closed = closed;
            self.changed.notify_all();
        }

        fn await_somebody(&self) {
            let mut state = lock(&self.state);
            while !state.waiting {
                state = self.changed.wait(state).unwrap();
            }
        }
    }

    struct GatedFile(Box<dyn File>, Arc<Gate>);

    impl File for GatedFile {
        fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
            self.1.pass();
            self.0.write_all(bytes)
        }
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
            self.0.read_at(offset, buffer)
        }
        fn set_len(&self, len: u64) -> io::Result<()> {
            self.0.set_len(len)
        }
        fn len(&self) -> io::Result<u64> {
            self.0.len()
        }
        fn sync(&self) -> io::Result<()> {
            self.0.sync()
        }
    }

    impl FileSystem for GatedFs {
        fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
            Ok(Box::new(GatedFile(self.fs.create(path)?, Arc::clone(&self.gate))))
        }
        fn append(&self, path: &Path) -> io::Result<Box<dyn File>> {
            self.fs.append(path)
        }
        fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
            self.fs.open(path)
        }
        fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
            self.fs.rename(from, to)
        }
        fn remove(&self, path: &Path) -> io::Result<()> {
            self.fs.remove(path)
        }
        fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
            self.fs.remove_dir_all(path)
        }
        fn create_dir_all(&self, path: &Path) -> io::Result<()> {
            self.fs.create_dir_all(path)
        }
        fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
            self.fs.list(dir)
        }
        fn exists(&self, path: &Path) -> io::Result<bool> {
            self.fs.exists(path)
        }
        fn sync_dir(&self, dir: &Path) -> io::Result<()> {
            self.fs.sync_dir(dir)
        }
        fn lock(&self, path: &Path, note: &str) -> io::Result<crate::fs::Locking> {
            self.fs.lock(path, note)
        }
    }

    /// Lets a first writer (time 3) get stuck in its write and four others queue up behind it; then runs `meanwhile`, and
    /// returns the results of the first and of the others.
    fn with_a_queue(
        fs: &SimulatedFs,
        meanwhile: impl FnOnce(&Log, &Gate) + Send,
    ) -> (crate::Result<RecordHandle>, Vec<crate::Result<RecordHandle>>) {
        let gate = Arc::new(Gate::default());
        let gated = GatedFs { fs: fs.clone(), gate: Arc::clone(&gate) };
        let log = &Log::open(Arc::new(gated), PathBuf::from(DIR), options(60_000)).unwrap();
        log.write(at(0), b"0".to_vec()).unwrap();
        gate.set_closed(true);
        let write = |time: u64| move || log.write(at(time), time.to_string().into_bytes());
        thread::scope(|scope| {
            let first = scope.spawn(write(3));
            gate.await_somebody();
            let mut others = Vec::new();
            for time in [5, 8, 12, 10] {
                others.push(scope.spawn(write(time)));
                while log.queued() < others.len() {
                    thread::yield_now();
                }
            }
            meanwhile(log, &gate);
            (first.join().unwrap(), others.into_iter().map(|other| other.join().unwrap()).collect())
        })
    }

    #[test]
    fn records_that_queue_up_share_a_sync_in_the_order_of_their_times() {
        let fs = SimulatedFs::new(1);
        let mut before = 0;
        let (first, others) = with_a_queue(&fs, |_, gate| {
            before = fs.operations();
            gate.set_closed(false);
        });
        assert!(first.is_ok() && others.iter().all(Result::is_ok));
        assert_eq!(fs.operations() - before, 4, "a write and a sync for the first, and for the others together");
        assert_eq!(read(&fs).unwrap(), ["0", "3", "5", "8", "10", "12"]);
    }

    #[test]
    fn an_error_reaches_every_writer_of_the_group() {
        let fs = SimulatedFs::new(1);
        let (first, others) = with_a_queue(&fs, |_, gate| {
            fs.fail_at(fs.operations() + 3, IoFailure::Device);
            gate.set_closed(false);
        });
        assert!(first.is_ok());
        for other in others {
            let error = other.unwrap_err();
            assert!(format!("{error:?}").ends_with("input/output error (simulated)"), "{error:?}");
        }
        assert_eq!(read(&fs).unwrap(), ["0", "3"]);
    }

    #[test]
    fn closing_fails_who_waits_and_tells_the_writer_in_the_works_the_truth() {
        let fs = SimulatedFs::new(1);
        let (first, others) = with_a_queue(&fs, |log, gate| {
            thread::scope(|scope| {
                scope.spawn(|| log.close());
                while log.queued() > 0 {
                    thread::yield_now();
                }
                gate.set_closed(false);
            });
            assert_eq!(log.write(at(20), Vec::new()).unwrap_err().kind(), ErrorKind::IllegalState);
            assert_eq!(contents(log.records()).unwrap(), ["0", "3"], "reading still works");
        });
        assert!(first.is_ok());
        assert!(others.iter().all(|other| other.as_ref().unwrap_err().kind() == ErrorKind::IllegalState));
        assert_eq!(read(&fs).unwrap(), ["0", "3"]);
    }

    #[test]
    fn many_threads_write_and_nothing_is_lost() {
        let fs = SimulatedFs::new(1);
        let log = &open(&fs, 1_000);
        thread::scope(|scope| {
            for thread in 0..4_u64 {
                scope.spawn(move || {
                    for n in 0..200 {
                        let record = format!("{thread} {n}");
                        let handle = log.write(at(n), record.clone().into_bytes()).unwrap();
                        assert_eq!(log.read(&handle).unwrap(), record.as_bytes());
                    }
                });
            }
        });
        let all = read(&fs).unwrap();
        assert_eq!(all.len(), 800);
        for thread in 0..4 {
            let own: Vec<_> = all.iter().filter(|record| record.starts_with(&format!("{thread} "))).collect();
            assert_eq!(own, (0..200).map(|n| format!("{thread} {n}")).collect::<Vec<_>>().iter().collect::<Vec<_>>());
        }
    }
}
