//! The open segment: rolling to the next, writing groups, and giving up on a segment that failed.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::RecordHandle;
use super::format::{Previous, RECORD_HEADER, RecordHeader, SEGMENT_HEADER, SegmentHeader, SegmentName};
use super::segments::{Leftover, Segment};
use super::writer::LogOptions;
use crate::error::{Error, Result};
use crate::fs::{File, SharedFs, create_dir_durably};
use crate::time::BatchTime;

/// Writes groups of records. One thread at a time.
pub(super) struct Appender {
    fs: SharedFs,
    dir: PathBuf,
    options: LogOptions,
    next_number: u64,
    open: Option<OpenSegment>,
    /// The directory is there and durable.
    dir_is_ready: bool,
    /// The newest segment that holds durable records or will, and how much of it counts.
    previous: Option<Previous>,
    /// Segments that were given up before anything in them was durable; [`Log`](super::Log) takes them over.
    pub(super) leftovers: Vec<Leftover>,
}

struct OpenSegment {
    file: Box<dyn File>,
    segment: Segment,
}

/// A group that is durable.
pub(super) struct Committed {
    pub(super) handles: Vec<RecordHandle>,
    /// The segment that holds it, at its new length.
    pub(super) segment: Segment,
}

/// Why a group could not be written, and whether it makes sense to write it again.
struct Failure {
    error: Error,
    try_again: bool,
}

/// What failed, and in which file.
fn failure(doing: &str, path: &Path, error: io::Error, try_again: bool) -> Failure {
    Failure { error: Error::io(format!("cannot {doing} `{}`", path.display()), error), try_again }
}

impl Appender {
    pub(super) fn new(
        fs: SharedFs,
        dir: PathBuf,
        options: LogOptions,
        next_number: u64,
        last: Option<&Segment>,
    ) -> Self {
        let previous = last.map(|segment| Previous { number: segment.name.number, len: segment.len });
        Self { fs, dir, options, next_number, open: None, dir_is_ready: false, previous, leftovers: Vec::new() }
    }

    /// Makes a group of records durable; they are in the order of their times.
    pub(super) fn commit(&mut self, group: &[(BatchTime, &[u8])]) -> Result<Committed> {
        let mut attempt = 1;
        loop {
            match self.try_commit(group) {
                Ok(committed) => return Ok(committed),
                Err(Failure { error, try_again }) => {
                    self.give_up();
                    if !try_again || attempt >= self.options.attempts {
                        return Err(error);
                    }
                    tracing::warn!(%error, attempt, "a write to the log failed; it is tried again in a new segment");
                    attempt += 1;
                }
            }
        }
    }

    fn try_commit(&mut self, group: &[(BatchTime, &[u8])]) -> Result<Committed, Failure> {
        let time = group.last().expect("a group has a record").0;
        if self.open.as_ref().is_none_or(|open| self.is_full(open, time)) {
            self.open = None;
            self.open = Some(self.create(time)?);
        }
        let open = self.open.as_mut().expect("it was just made");
        let path = &open.segment.path;
        let (bytes, handles) = encode(group, open.segment.name.number, open.segment.len);
        open.file.write_all(&bytes).map_err(|error| failure("write to the log segment", path, error, true))?;
        // Not again after this one; the module documentation says why.
        open.file.sync().map_err(|error| failure("make durable the log segment", path, error, false))?;
        open.segment.len += bytes.len() as u64;
        self.previous = Some(Previous { number: open.segment.name.number, len: open.segment.len });
        let segment = open.segment.clone();
        if self.options.close_after_write {
            self.open = None;
        }
        Ok(Committed { handles, segment })
    }

    fn is_full(&self, open: &OpenSegment, time: BatchTime) -> bool {
        time > open.segment.name.end || open.segment.len >= self.options.segment_bytes
    }

    /// Makes a segment whose header and name are durable.
    fn create(&mut self, start: BatchTime) -> Result<OpenSegment, Failure> {
        if !self.dir_is_ready {
            create_dir_durably(&*self.fs, &self.dir)
                .map_err(|error| failure("make the log directory", &self.dir, error, true))?;
            self.dir_is_ready = true;
        }
        let name = SegmentName { number: self.next_number, start, end: add(start, self.options.segment_interval) };
        // Whatever becomes of this segment, its number is not used again.
        self.next_number += 1;
        let path = self.dir.join(name.file_name());
        match self.create_file(name, &path) {
            Ok(file) => Ok(OpenSegment { file, segment: Segment { name, path, len: SEGMENT_HEADER as u64 } }),
            Err(failure) => {
                // An error does not say that there is no file.
                self.leftovers.push(Leftover { number: name.number, path });
                Err(failure)
            }
        }
    }

    fn create_file(&self, name: SegmentName, path: &Path) -> Result<Box<dyn File>, Failure> {
        let mut file = self.fs.create(path).map_err(|error| failure("make the log segment", path, error, true))?;
        let header = SegmentHeader { name, previous: self.previous }.encode();
        file.write_all(&header).map_err(|error| failure("write to the log segment", path, error, true))?;
        let synced = file.sync().and_then(|()| self.fs.sync_dir(&self.dir));
        synced.map_err(|error| failure("make durable the log segment", path, error, false))?;
        Ok(file)
    }

    /// Closes the segment after a failed write; the next group goes to a new one, which says how much of this one counts.
    fn give_up(&mut self) {
        if let Some(open) = self.open.take() {
            // Only so that a restart before the next segment does not find a record whose writer was told of an error.
            let _ = open.file.set_len(open.segment.len).and_then(|()| open.file.sync());
            if open.segment.len == SEGMENT_HEADER as u64 {
                self.leftovers.push(Leftover { number: open.segment.name.number, path: open.segment.path });
            }
        }
    }
}

/// The bytes of a group that begins at `start`, and the places of its records.
fn encode(group: &[(BatchTime, &[u8])], segment: u64, start: u64) -> (Vec<u8>, Vec<RecordHandle>) {
    let total = group.iter().map(|(_, payload)| RECORD_HEADER + payload.len()).sum();
    let mut bytes = Vec::with_capacity(total);
    let mut handles = Vec::with_capacity(group.len());
    for (_, payload) in group {
        let back = u32::try_from(bytes.len()).expect("a group is shorter than 4 GiB");
        let offset = start + bytes.len() as u64;
        let header = RecordHeader::new(payload, back);
        bytes.extend_from_slice(&header.encode(segment, offset));
        bytes.extend_from_slice(payload);
        handles.push(RecordHandle { segment, offset, length: header.length });
    }
    (bytes, handles)
}

/// The end of a segment's time; the end of all time if there is no later one.
fn add(start: BatchTime, interval: Duration) -> BatchTime {
    let interval = u64::try_from(interval.as_millis()).unwrap_or(u64::MAX);
    BatchTime::from_millis(start.as_millis().saturating_add(interval))
}
