//! Reading a log: all records in order, or one by its handle.

use std::collections::VecDeque;
use std::path::Path;

use super::RecordHandle;
use super::format::{RECORD_HEADER, RecordHeader};
use super::scan::{Extent, Scan};
use super::segments::{self, Segment};
use crate::error::{Error, Result};
use crate::fs::{FileSystem, SharedFs};

/// The records of a log, oldest first. Not an iterator, because a record is a view into a buffer.
pub(crate) struct Records {
    fs: SharedFs,
    segments: VecDeque<Segment>,
    scan: Option<Scan>,
}

impl Records {
    pub(super) fn new(fs: SharedFs, segments: Vec<Segment>) -> Self {
        Self { fs, segments: segments.into(), scan: None }
    }

    /// The next record and its handle, or `None` after the last one.
    ///
    /// # Errors
    /// The log is damaged or cannot be read. No records follow an error.
    pub(crate) fn next(&mut self) -> Result<Option<(RecordHandle, &[u8])>> {
        if let Err(error) = self.advance() {
            self.segments.clear();
            return Err(error);
        }
        if self.segments.is_empty() {
            return Ok(None);
        }
        let scan = self.scan.as_mut().expect("the scan stands before a record of the first segment");
        scan.next().inspect_err(|_| self.segments.clear())
    }

    /// Goes to the next segment while the present one has no further record; some have none at all.
    fn advance(&mut self) -> Result<()> {
        while let Some(segment) = self.segments.front() {
            if self.scan.is_none() {
                self.scan = Some(open(&*self.fs, segment)?);
            }
            if self.scan.as_ref().is_some_and(|scan| scan.offset() < segment.len) {
                break;
            }
            self.scan = None;
            self.segments.pop_front();
        }
        Ok(())
    }
}

fn open(fs: &dyn FileSystem, segment: &Segment) -> Result<Scan> {
    let file = fs.open(&segment.path).map_err(|error| cannot_read(&segment.path, error))?;
    Scan::new(file, segment.path.clone(), segment.name.number, Extent::Known(segment.len))
}

/// Reads a log without changing anything, as an inspection does. A missing directory is a log without records.
///
/// # Errors
/// The log is damaged or cannot be read.
pub(crate) fn read_log(fs: SharedFs, dir: &Path) -> Result<Records> {
    let listing = segments::find(&*fs, dir)?;
    Ok(Records::new(fs, listing.segments))
}

/// Reads one record and verifies it.
pub(super) fn read_record(fs: &dyn FileSystem, segment: &Segment, handle: &RecordHandle) -> Result<Vec<u8>> {
    let payload_start = handle.offset.saturating_add(RECORD_HEADER as u64);
    if payload_start.saturating_add(u64::from(handle.length)) > segment.len {
        return Err(wrong(segment, handle, "the segment is shorter"));
    }
    let failed = |error| cannot_read(&segment.path, error);
    let file = fs.open(&segment.path).map_err(failed)?;
    let mut bytes = [0; RECORD_HEADER];
    let read = file.read_at(handle.offset, &mut bytes).map_err(failed)?;
    let header = RecordHeader::decode(&bytes[..read], handle.segment, handle.offset)
        .filter(|header| header.length == handle.length)
        .ok_or_else(|| wrong(segment, handle, "there is no such record header"))?;
    let mut payload = vec![0; handle.length as usize];
    let read = file.read_at(payload_start, &mut payload).map_err(failed)?;
    if read < payload.len() || !header.fits(&payload) {
        return Err(wrong(segment, handle, "the checksum of the record is wrong"));
    }
    Ok(payload)
}

fn wrong(segment: &Segment, handle: &RecordHandle, what: &str) -> Error {
    Error::damaged(format!(
        "the record of {} bytes at offset {} of the log segment `{}` cannot be read: {what}; restore the file from a copy",
        handle.length,
        handle.offset,
        segment.path.display()
    ))
}

fn cannot_read(path: &Path, error: std::io::Error) -> Error {
    Error::io(format!("cannot read the log segment `{}`", path.display()), error)
}
