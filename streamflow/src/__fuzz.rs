//! Entries for the fuzz targets: readers of files that anything may have happened to. Not part of the public interface.
//!
//! Each must return, whatever the bytes are; the results do not matter. Checksums would keep a fuzzer from everything
//! behind them, so each entry also comes in a form that puts right ones in.

use std::path::Path;
use std::sync::Arc;

use crate::checkpoint::{self, CheckpointOptions, CheckpointStore};
use crate::fs::{SharedFs, SimulatedFs};
use crate::wal::{self, Log, LogOptions};

const DIR: &str = "dir";

/// Reads the bytes as the only segment of a log, and writes to the log.
pub fn log(bytes: &[u8]) {
    let fs = SimulatedFs::new(0);
    fs.put(format!("{DIR}/log-0-0-1000"), bytes);
    let shared: SharedFs = Arc::new(fs);
    let Ok(mut records) = wal::read_log(Arc::clone(&shared), Path::new(DIR)) else { return };
    let mut count = 0;
    while let Ok(Some(_)) = records.next() {
        count += 1;
    }
    let log = Log::open(shared, DIR, LogOptions::default()).expect("what can be read can be opened");
    let handle = log.write(crate::BatchTime::from_millis(1), b"next".to_vec()).expect("nothing fails here");
    let mut records = log.records();
    for _ in 0..count {
        records.next().expect("what was read can be read again").expect("nothing was lost");
    }
    assert_eq!(records.next().expect("the log is sound").map(|(handle, _)| handle), Some(handle));
}

/// As [`log`], with right headers and checksums as far as the lengths allow.
pub fn log_with_checksums(bytes: &[u8]) {
    log(&wal::with_checksums(bytes));
}

/// Reads the bytes as the newest manifest, with a state file that it may name.
pub fn manifest(bytes: &[u8], state: &[u8]) {
    let fs = SimulatedFs::new(0);
    fs.put(format!("{DIR}/manifest-1"), bytes);
    fs.put(format!("{DIR}/state-1-0"), state);
    let Ok(store) = CheckpointStore::open(Arc::new(fs), DIR, CheckpointOptions::default()) else { return };
    let operators = store.latest().map_or(&[][..], |latest| &latest.operators);
    for operator in operators {
        let mut reader = store.load(operator);
        while reader.next().expect("what was verified can be read").is_some() {}
    }
}

/// As [`manifest`], with right envelopes around the manifest and around the state: its chunks, or a whole file.
pub fn manifest_with_checksums(bytes: &[u8], state: &[u8]) {
    manifest(&checkpoint::sealed_manifest(bytes), state);
    let (manifest_bytes, state) = checkpoint::sealed_state(bytes, state);
    manifest(&manifest_bytes, &state);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::Random;

    #[test]
    fn arbitrary_bytes_are_read_or_refused() {
        let mut random = Random::new(1);
        for round in 0..2_000 {
            // Small numbers are lengths and kinds that lead somewhere.
            let small = round % 2 == 0;
            let mut bytes = |count: usize| -> Vec<u8> {
                (0..random.below(count))
                    .map(|_| if small { random.next() as u8 % 6 } else { random.next() as u8 })
                    .collect()
            };
            let (one, other) = (bytes(200), bytes(100));
            log(&one);
            log_with_checksums(&one);
            manifest(&one, &other);
            manifest_with_checksums(&one, &other);
        }
    }
}
