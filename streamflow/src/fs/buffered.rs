//! Reading a file front to back, or nearly so, with few system calls and bounded memory.

use std::io;

use super::File;

/// Bytes read at a time. Records larger than this are read on their own.
const WINDOW_BYTES: usize = 256 * 1024;

/// A window over a file that moves as it is read.
pub(crate) struct BufferedReads {
    file: Box<dyn File>,
    len: u64,
    start: u64,
    window: Vec<u8>,
}

impl BufferedReads {
    /// Starts at the file's beginning. What is appended later is not seen.
    pub(crate) fn new(file: Box<dyn File>) -> io::Result<Self> {
        let len = file.len()?;
        Ok(Self { file, len, start: 0, window: Vec::new() })
    }

    /// The length of the file when it was opened.
    pub(crate) fn file_len(&self) -> u64 {
        self.len
    }

    /// The bytes at an offset, or `None` if the file ends before. Nothing is allocated for bytes that do not exist.
    pub(crate) fn bytes(&mut self, offset: u64, count: usize) -> io::Result<Option<&[u8]>> {
        match offset.checked_add(count as u64) {
            Some(end) if end <= self.len => {}
            _ => return Ok(None),
        }
        let end = self.start + self.window.len() as u64;
        if offset < self.start || offset + count as u64 > end {
            self.fill(offset, count)?;
        }
        let at = (offset - self.start) as usize;
        Ok(Some(&self.window[at..at + count]))
    }

    fn fill(&mut self, offset: u64, count: usize) -> io::Result<()> {
        let wanted = (count.max(WINDOW_BYTES) as u64).min(self.len - offset) as usize;
        self.start = offset;
        self.window.clear();
        self.window.resize(wanted, 0);
        let read = self.file.read_at(offset, &mut self.window).inspect_err(|_| self.window.clear())?;
        self.window.truncate(read);
        if read < count {
            self.window.clear();
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"));
        }
        Ok(())
    }
}
