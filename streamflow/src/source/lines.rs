//! Bytes of any kind, cut into lines of text.
//!
//! Text from outside may be damaged: bytes that are not UTF-8, lines without end. [`BadLines`] says what happens to such a
//! line, and [`LineStats`] counts them, so that nothing is dropped in silence. Sound text takes the fast path: one check,
//! one copy and one scan for a whole chunk.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use memchr::{memchr, memchr_iter, memrchr};

use crate::error::{Error, Result};
use crate::record::TextBlock;

/// What is done with a line that is not UTF-8 or is too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BadLines {
    /// Bytes that are not UTF-8 become U+FFFD, and a line that is too long is cut off. The default: it keeps the record,
    /// marks the damage where it is, and is what Spark does with such bytes.
    #[default]
    Replace,
    /// The line is left out.
    Skip,
    /// The stream fails: a batch ends with an error that shows the line.
    Stop,
}

/// Counts the lines of a stream. Clones count together.
///
/// Hand it to the options of the stream and look at it whenever you like.
///
/// # Examples
/// ```
/// use streamflow::source::{LineStats, SocketOptions};
///
/// let stats = LineStats::new();
/// let options = SocketOptions::new().stats(&stats);
/// assert_eq!(stats.invalid(), 0);
/// # let _ = options;
/// ```
#[derive(Clone, Debug, Default)]
pub struct LineStats(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    lines: AtomicU64,
    invalid: AtomicU64,
    too_long: AtomicU64,
    unfinished: AtomicU64,
}

impl LineStats {
    /// Counters at zero.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Lines that became records.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.0.lines.load(Ordering::Relaxed)
    }

    /// Lines that were not UTF-8, whatever was done with them.
    #[must_use]
    pub fn invalid(&self) -> u64 {
        self.0.invalid.load(Ordering::Relaxed)
    }

    /// Lines that were too long, whatever was done with them.
    #[must_use]
    pub fn too_long(&self) -> u64 {
        self.0.too_long.load(Ordering::Relaxed)
    }

    /// Lines that were left out because their connection broke, or the stream stopped, before their end came.
    #[must_use]
    pub fn unfinished(&self) -> u64 {
        self.0.unfinished.load(Ordering::Relaxed)
    }

    pub(super) fn count_unfinished(&self) {
        self.0.unfinished.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a bad line, and warns of the first, second, fourth, eighth …
    fn count_bad(counter: &AtomicU64, what: &str, line: &[u8]) {
        let count = counter.fetch_add(1, Ordering::Relaxed) + 1;
        if count.is_power_of_two() {
            tracing::warn!(count, line = %excerpt(line), "{what}");
        }
    }
}

/// The beginning of a line, for messages.
fn excerpt(line: &[u8]) -> String {
    const SHOWN: usize = 80;
    let text = line[..line.len().min(SHOWN)].escape_ascii().to_string();
    if line.len() > SHOWN { format!("`{text}` …") } else { format!("`{text}`") }
}

/// What is a bad line, and what is done with it.
#[derive(Clone, Debug)]
pub(super) struct LinePolicy {
    pub(super) bad: BadLines,
    pub(super) max_bytes: usize,
    pub(super) stats: LineStats,
}

impl LinePolicy {
    /// Adds lines to a block. Every line in `bytes` ends there.
    pub(super) fn push_lines(&self, bytes: &[u8], block: &mut TextBlock) -> Result<()> {
        let before = block.len();
        let pushed = match std::str::from_utf8(bytes) {
            Ok(text) if bytes.len() <= self.max_bytes => block.push_lines(text),
            _ => self.push_each(bytes, block),
        };
        self.stats.0.lines.fetch_add((block.len() - before) as u64, Ordering::Relaxed);
        pushed
    }

    /// The lines of a whole text; it is taken over when it is sound.
    pub(super) fn block(&self, bytes: Vec<u8>) -> Result<TextBlock> {
        match String::from_utf8(bytes) {
            Ok(text) if text.len() <= self.max_bytes || !self.has_long_line(text.as_bytes()) => {
                let block = TextBlock::lines_checked(text)?;
                self.stats.0.lines.fetch_add(block.len() as u64, Ordering::Relaxed);
                Ok(block)
            }
            damaged => {
                let bytes = damaged.map_or_else(std::string::FromUtf8Error::into_bytes, String::into_bytes);
                let mut block = TextBlock::with_capacity(0, bytes.len());
                self.push_lines(&bytes, &mut block)?;
                Ok(block)
            }
        }
    }

    fn has_long_line(&self, text: &[u8]) -> bool {
        let mut start = 0;
        memchr_iter(b'\n', text).chain([text.len()]).any(|end| {
            let length = end - start;
            start = end + 1;
            length > self.max_bytes
        })
    }

    fn push_each(&self, bytes: &[u8], block: &mut TextBlock) -> Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (line, next) = match memchr(b'\n', rest) {
                Some(end) => (rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]), &rest[end + 1..]),
                None => (rest, &[][..]),
            };
            self.push_line(line, block)?;
            rest = next;
        }
        Ok(())
    }

    fn push_line(&self, line: &[u8], block: &mut TextBlock) -> Result<()> {
        if line.len() <= self.max_bytes {
            return match std::str::from_utf8(line) {
                Ok(text) => block.push(text),
                Err(_) => {
                    LineStats::count_bad(&self.stats.0.invalid, "a line is not UTF-8", line);
                    self.push_bad(line, "is not UTF-8", block)
                }
            };
        }
        LineStats::count_bad(&self.stats.0.too_long, "a line is too long", line);
        let mut cut = &line[..self.max_bytes];
        if let Err(error) = std::str::from_utf8(cut)
            && error.error_len().is_none()
        {
            // The cut went through a character.
            cut = &cut[..error.valid_up_to()];
        }
        self.push_bad(cut, &format!("is longer than {} bytes", self.max_bytes), block)
    }

    fn push_bad(&self, line: &[u8], why: &str, block: &mut TextBlock) -> Result<()> {
        match self.bad {
            BadLines::Replace => block.push(&String::from_utf8_lossy(line)),
            BadLines::Skip => Ok(()),
            BadLines::Stop => Err(Error::input(format!(
                "a line {why}: {}; such lines stop the stream because of `BadLines::Stop`",
                excerpt(line)
            ))),
        }
    }
}

/// Cuts a stream of bytes, which comes in pieces, into lines.
///
/// *Memory*: the begun line, at most its longest permitted length.
pub(super) struct LineCutter {
    policy: LinePolicy,
    /// The begun line; of one that is too long, its beginning and one byte more.
    begun: Vec<u8>,
}

impl LineCutter {
    pub(super) fn new(policy: LinePolicy) -> Self {
        Self { policy, begun: Vec::new() }
    }

    /// Adds the lines that end in this piece to a block.
    pub(super) fn feed(&mut self, piece: &[u8], block: &mut TextBlock) -> Result<()> {
        let Some(last) = memrchr(b'\n', piece) else {
            self.begin(piece);
            return Ok(());
        };
        let (mut lines, tail) = piece.split_at(last + 1);
        if !self.begun.is_empty() {
            let first = memchr(b'\n', lines).map_or(lines.len(), |end| end + 1);
            self.begin(&lines[..first - 1]);
            self.begun.push(b'\n');
            lines = &lines[first..];
            self.finish(block)?;
        }
        self.policy.push_lines(lines, block)?;
        self.begin(tail);
        Ok(())
    }

    /// Adds to the begun line what of it is kept.
    fn begin(&mut self, bytes: &[u8]) {
        // Two bytes more: one so that the line is seen to be too long, one for the `\r` of its end.
        let room = (self.policy.max_bytes.saturating_add(2)).saturating_sub(self.begun.len());
        self.begun.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Whether a line has begun and not ended.
    pub(super) fn has_begun(&self) -> bool {
        !self.begun.is_empty()
    }

    /// Ends the begun line, if there is one.
    pub(super) fn finish(&mut self, block: &mut TextBlock) -> Result<()> {
        if self.begun.is_empty() {
            return Ok(());
        }
        let begun = std::mem::take(&mut self.begun);
        let pushed = self.policy.push_lines(&begun, block);
        self.begun = begun;
        self.begun.clear();
        pushed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(bad: BadLines, max_bytes: usize) -> LinePolicy {
        LinePolicy { bad, max_bytes, stats: LineStats::new() }
    }

    /// The lines of `bytes` when they come in pieces of `size`.
    fn cut(policy: &LinePolicy, bytes: &[u8], size: usize) -> Result<Vec<String>> {
        let mut cutter = LineCutter::new(policy.clone());
        let mut block = TextBlock::default();
        for piece in bytes.chunks(size) {
            cutter.feed(piece, &mut block)?;
        }
        cutter.finish(&mut block)?;
        Ok(block.iter().map(str::to_owned).collect())
    }

    #[test]
    fn pieces_of_any_size_give_the_same_lines() {
        let bytes = "to be\nor\r\n\nnot\rto\n\r\nhé\u{1F600}\nlast".as_bytes();
        for size in 1..=bytes.len() {
            let policy = policy(BadLines::Stop, 1_000);
            let lines = cut(&policy, bytes, size).unwrap();
            assert_eq!(lines, ["to be", "or", "", "not\rto", "", "hé\u{1F600}", "last"], "pieces of {size}");
            assert_eq!(policy.stats.lines(), 7);
        }
    }

    #[test]
    fn lines_that_are_not_utf8() {
        let bytes = b"good\nb\xffad\n\xe2\x82\nfine\n";
        for size in 1..=bytes.len() {
            let replace = policy(BadLines::Replace, 100);
            assert_eq!(cut(&replace, bytes, size).unwrap(), ["good", "b\u{fffd}ad", "\u{fffd}", "fine"]);
            assert_eq!((replace.stats.lines(), replace.stats.invalid()), (4, 2));
            let skip = policy(BadLines::Skip, 100);
            assert_eq!(cut(&skip, bytes, size).unwrap(), ["good", "fine"]);
            assert_eq!((skip.stats.lines(), skip.stats.invalid()), (2, 2));
            let stop = cut(&policy(BadLines::Stop, 100), bytes, size).unwrap_err().to_string();
            assert!(stop.contains("not UTF-8") && stop.contains(r"b\xffad"), "{stop}");
        }
    }

    #[test]
    fn lines_that_are_too_long() {
        let bytes = "1234\n12345\n123456\r\n1234\r\nh\u{e9}\u{e9}\u{e9}\nend\n".as_bytes();
        for size in 1..=bytes.len() {
            let replace = policy(BadLines::Replace, 4);
            assert_eq!(cut(&replace, bytes, size).unwrap(), ["1234", "1234", "1234", "1234", "h\u{e9}", "end"]);
            assert_eq!((replace.stats.too_long(), replace.stats.invalid()), (3, 0), "pieces of {size}");
            let skip = policy(BadLines::Skip, 4);
            assert_eq!(cut(&skip, bytes, size).unwrap(), ["1234", "1234", "end"]);
            assert!(
                cut(&policy(BadLines::Stop, 4), bytes, size).unwrap_err().to_string().contains("longer than 4 bytes")
            );
        }
    }

    #[test]
    fn a_line_without_end_takes_bounded_memory() {
        let mut cutter = LineCutter::new(policy(BadLines::Replace, 10));
        let mut block = TextBlock::default();
        for _ in 0..1_000 {
            cutter.feed(&[b'x'; 100], &mut block).unwrap();
        }
        assert!(cutter.begun.len() <= 12);
        cutter.feed(b"\nnext\n", &mut block).unwrap();
        assert_eq!(block.iter().collect::<Vec<_>>(), ["xxxxxxxxxx", "next"]);
    }

    #[test]
    fn a_whole_text() {
        let policy = policy(BadLines::Replace, 4);
        let lines = |bytes: &[u8]| policy.block(bytes.to_vec()).unwrap().iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(b""), Vec::<String>::new());
        assert_eq!(lines(b"one\ntwo\nsix"), ["one", "two", "six"]);
        assert_eq!(lines(b"one\nhundred\n\xff"), ["one", "hund", "\u{fffd}"]);
        assert_eq!((policy.stats.lines(), policy.stats.too_long(), policy.stats.invalid()), (6, 1, 1));
    }
}
