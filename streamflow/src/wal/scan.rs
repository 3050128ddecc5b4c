//! The records of one segment, front to back.

use std::path::PathBuf;

use super::RecordHandle;
use super::format::{RECORD_HEADER, RecordHeader, SEGMENT_HEADER};
use crate::error::{Error, Result};
use crate::fs::{BufferedReads, File};

/// How much of a segment counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// This many bytes, all of them sound: what is wrong in them is damage.
    Known(u64),
    /// It is the last segment: a tail that was not durable when the program ended may be torn.
    Open,
}

/// Reads the records of a segment one after the other.
pub(super) struct Scan {
    reads: BufferedReads,
    path: PathBuf,
    segment: u64,
    extent: Extent,
    /// Where the next record begins.
    offset: u64,
}

impl Scan {
    /// Starts after the header, which the caller has verified.
    pub(super) fn new(file: Box<dyn File>, path: PathBuf, segment: u64, extent: Extent) -> Result<Self> {
        let reads = BufferedReads::new(file).map_err(|error| cannot_read(&path, error))?;
        let scan = Self { reads, path, segment, extent, offset: SEGMENT_HEADER as u64 };
        match extent {
            Extent::Known(len) if len > scan.reads.file_len() => Err(scan.damage(
                scan.reads.file_len(),
                &format!("the file ends here, but its records were {len} bytes long when they were made durable"),
            )),
            _ => Ok(scan),
        }
    }

    /// Where the next record begins; after the last one, how many bytes of the segment count.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    fn end(&self) -> u64 {
        match self.extent {
            Extent::Known(len) => len,
            Extent::Open => self.reads.file_len(),
        }
    }

    /// The next record, or `None` at the end or at a torn tail.
    pub(super) fn next(&mut self) -> Result<Option<(RecordHandle, &[u8])>> {
        if self.offset >= self.end() {
            return Ok(None);
        }
        let offset = self.offset;
        let header = match self.check(offset)? {
            Ok(header) => header,
            Err(what) => {
                let torn = self.extent == Extent::Open && !self.durable_after(offset)?;
                return if torn { Ok(None) } else { Err(self.damage(offset, what)) };
            }
        };
        self.offset += RECORD_HEADER as u64 + u64::from(header.length);
        let handle = RecordHandle { segment: self.segment, offset, length: header.length };
        let payload = self.reads.bytes(offset + RECORD_HEADER as u64, header.length as usize);
        let payload = payload.map_err(|error| cannot_read(&self.path, error))?;
        Ok(Some((handle, payload.expect("the record was verified"))))
    }

    /// Verifies a whole record; the inner error says what is wrong with it.
    fn check(&mut self, offset: u64) -> Result<Result<RecordHeader, &'static str>> {
        let end = self.end();
        let Some(header) = self.header(offset)? else {
            return Ok(Err("there is no record header with a right checksum"));
        };
        let start = offset + RECORD_HEADER as u64;
        if start + u64::from(header.length) > end {
            return Ok(Err("the record is longer than the segment"));
        }
        let payload = self.reads.bytes(start, header.length as usize);
        Ok(match payload.map_err(|error| cannot_read(&self.path, error))? {
            Some(payload) if header.fits(payload) => Ok(header),
            _ => Err("the checksum of the record is wrong"),
        })
    }

    fn header(&mut self, offset: u64) -> Result<Option<RecordHeader>> {
        let bytes = self.reads.bytes(offset, RECORD_HEADER).map_err(|error| cannot_read(&self.path, error))?;
        Ok(bytes.and_then(|bytes| RecordHeader::decode(bytes, self.segment, offset)))
    }

    /// Whether what stood at `offset` had been durable: a later group was begun after it.
    ///
    /// Looks at every offset, because after damage nobody knows where the next record begins. Only damaged logs pay for it.
    fn durable_after(&mut self, offset: u64) -> Result<bool> {
        let end = self.end();
        for later in offset + 1..end {
            if let Some(header) = self.header(later)?
                && later.saturating_sub(u64::from(header.back)) > offset
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn damage(&self, offset: u64, what: &str) -> Error {
        Error::damaged(format!(
            "the log segment `{}` is damaged at offset {offset}: {what}; restore the file from a copy, or move the log's \
             directory away to start without its records",
            self.path.display()
        ))
    }
}

fn cannot_read(path: &std::path::Path, error: std::io::Error) -> Error {
    Error::io(format!("cannot read the log segment `{}`", path.display()), error)
}
