//! Many short strings, or byte strings, in one allocation.

use std::fmt;
use std::ops::Range;

use memchr::memchr_iter;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::{Error, Result};

/// Most bytes in one block: positions are kept in 32 bits.
pub(crate) const MAX_BLOCK_BYTES: usize = u32::MAX as usize;

#[derive(Clone, Copy)]
struct Span {
    start: u32,
    end: u32,
}

impl Span {
    fn range(self) -> Range<usize> {
        self.start as usize..self.end as usize
    }
}

/// The records of one partition of a `DStream<str>`: one buffer of UTF-8 text and the place of each record in it.
///
/// A block costs 8 bytes per record beside its text, and at most 4 GiB of text fit. Reading a record borrows from the
/// block.
///
/// # Examples
/// ```
/// use streamflow::TextBlock;
///
/// let block = TextBlock::lines("to be\nor not\r\nto be");
/// assert_eq!(block.iter().collect::<Vec<_>>(), ["to be", "or not", "to be"]);
/// ```
#[derive(Default, Clone)]
pub struct TextBlock {
    text: String,
    spans: Vec<Span>,
}

impl TextBlock {
    /// An empty block with room for `records` records of `bytes` bytes together.
    #[must_use]
    pub fn with_capacity(records: usize, bytes: usize) -> Self {
        Self { text: String::with_capacity(bytes), spans: Vec::with_capacity(records) }
    }

    /// The lines of a text, without their ends (`\n` or `\r\n`). A last line without an end counts; an empty text has none.
    ///
    /// The text is taken over, not copied, when it is a `String`.
    ///
    /// # Panics
    /// If the text is longer than 4 GiB; use [`lines_checked`](Self::lines_checked) where that may happen.
    #[must_use]
    pub fn lines(text: impl Into<String>) -> Self {
        Self::lines_checked(text).expect("a block holds at most 4 GiB of text")
    }

    /// As [`lines`](Self::lines), for text of any length.
    ///
    /// # Errors
    /// If the text is longer than 4 GiB.
    pub fn lines_checked(text: impl Into<String>) -> Result<Self> {
        let text = text.into();
        check_length(text.len())?;
        let spans = line_spans(text.as_bytes());
        Ok(Self { text, spans })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// If the block would hold more than 4 GiB.
    pub fn push(&mut self, record: &str) -> Result<()> {
        let span = next_span(self.text.len(), record.len())?;
        self.text.push_str(record);
        self.spans.push(span);
        Ok(())
    }

    /// Adds the lines of a text, as [`lines`](Self::lines) finds them.
    ///
    /// # Errors
    /// If the block would hold more than 4 GiB.
    pub fn push_lines(&mut self, text: &str) -> Result<()> {
        let base = self.text.len();
        check_length(base + text.len())?;
        self.text.push_str(text);
        push_line_spans(&mut self.spans, text.as_bytes(), base);
        Ok(())
    }

    /// The records, in order.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &str> {
        self.spans.iter().map(|span| {
            debug_assert!(self.text.get(span.range()).is_some());
            // SAFETY: every span was made where its record was found in, or added to, `text`, of which nothing is ever
            // removed; so it lies within the text and ends at boundaries of characters.
            unsafe { self.text.get_unchecked(span.range()) }
        })
    }

    /// Record number `index`.
    ///
    /// # Panics
    /// If there is no such record.
    #[must_use]
    pub fn get(&self, index: usize) -> &str {
        &self.text[self.spans[index].range()]
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Cuts the block into `parts` blocks of about equally many records: part `i` holds the records
    /// `[i·n/parts, (i+1)·n/parts)`.
    #[must_use]
    pub fn split(&self, parts: usize) -> Vec<TextBlock> {
        (0..parts)
            .map(|part| {
                let records = &self.spans[cut(self.len(), parts, part)];
                let bytes = bytes_of(records);
                let base = bytes.start as u32;
                Self { text: self.text[bytes].to_owned(), spans: rebase(records, base) }
            })
            .collect()
    }
}

impl fmt::Debug for TextBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl super::Block for TextBlock {
    fn len(&self) -> usize {
        self.spans.len()
    }

    fn bytes(&self) -> usize {
        self.text.len() + self.spans.len() * size_of::<Span>()
    }
}

impl<S: AsRef<str>> FromIterator<S> for TextBlock {
    /// # Panics
    /// If the records are longer than 4 GiB together.
    fn from_iter<I: IntoIterator<Item = S>>(records: I) -> Self {
        let mut block = Self::default();
        for record in records {
            block.push(record.as_ref()).expect("a block holds at most 4 GiB of text");
        }
        block
    }
}

/// The records of one partition of a `DStream<[u8]>`: one buffer and the place of each record in it.
///
/// # Examples
/// ```
/// use streamflow::BytesBlock;
///
/// let block = BytesBlock::chunks(vec![1, 2, 3, 4], 2).unwrap();
/// assert_eq!(block.get(1), [3, 4]);
/// ```
#[derive(Default, Clone)]
pub struct BytesBlock {
    bytes: Vec<u8>,
    spans: Vec<Span>,
}

impl BytesBlock {
    /// Records of exactly `record_len` bytes each.
    ///
    /// # Errors
    /// If the length is zero, does not divide the number of bytes, or there are more than 4 GiB.
    pub fn chunks(bytes: Vec<u8>, record_len: usize) -> Result<Self> {
        if record_len == 0 || !bytes.len().is_multiple_of(record_len) {
            return Err(Error::invalid(format!(
                "{} bytes are not a whole number of records of {record_len} bytes",
                bytes.len()
            )));
        }
        check_length(bytes.len())?;
        let spans = (0..bytes.len() / record_len)
            .map(|record| Span { start: (record * record_len) as u32, end: ((record + 1) * record_len) as u32 })
            .collect();
        Ok(Self { bytes, spans })
    }

    /// Adds a record.
    ///
    /// # Errors
    /// If the block would hold more than 4 GiB.
    pub fn push(&mut self, record: &[u8]) -> Result<()> {
        let span = next_span(self.bytes.len(), record.len())?;
        self.bytes.extend_from_slice(record);
        self.spans.push(span);
        Ok(())
    }

    /// The records, in order.
    #[inline]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.spans.iter().map(|span| &self.bytes[span.range()])
    }

    /// Record number `index`.
    ///
    /// # Panics
    /// If there is no such record.
    #[must_use]
    pub fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.spans[index].range()]
    }

    /// Number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there are no records.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }
}

impl fmt::Debug for BytesBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl super::Block for BytesBlock {
    fn len(&self) -> usize {
        self.spans.len()
    }

    fn bytes(&self) -> usize {
        self.bytes.len() + self.spans.len() * size_of::<Span>()
    }
}

impl<S: AsRef<[u8]>> FromIterator<S> for BytesBlock {
    /// # Panics
    /// If the records are longer than 4 GiB together.
    fn from_iter<I: IntoIterator<Item = S>>(records: I) -> Self {
        let mut block = Self::default();
        for record in records {
            block.push(record.as_ref()).expect("a block holds at most 4 GiB");
        }
        block
    }
}

impl Serialize for TextBlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// Reads what was written record by record: positions from outside are not believed.
impl<'de> Deserialize<'de> for TextBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Records;
        impl<'de> Visitor<'de> for Records {
            type Value = TextBlock;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the records of a block")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<TextBlock, A::Error> {
                let mut block = TextBlock::default();
                while let Some(record) = records.next_element::<&str>()? {
                    block.push(record).map_err(serde::de::Error::custom)?;
                }
                Ok(block)
            }
        }
        deserializer.deserialize_seq(Records)
    }
}

impl Serialize for BytesBlock {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// Reads what was written record by record: positions from outside are not believed.
impl<'de> Deserialize<'de> for BytesBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Records;
        impl<'de> Visitor<'de> for Records {
            type Value = BytesBlock;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the records of a block")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut records: A) -> Result<BytesBlock, A::Error> {
                let mut block = BytesBlock::default();
                while let Some(record) = records.next_element::<Vec<u8>>()? {
                    block.push(&record).map_err(serde::de::Error::custom)?;
                }
                Ok(block)
            }
        }
        deserializer.deserialize_seq(Records)
    }
}

/// The part of `0..records` that partition `part` of `parts` gets.
pub(crate) fn cut(records: usize, parts: usize, part: usize) -> Range<usize> {
    let at = |part: usize| (records as u128 * part as u128 / parts as u128) as usize;
    at(part)..at(part + 1)
}

fn line_spans(text: &[u8]) -> Vec<Span> {
    let mut spans = Vec::new();
    push_line_spans(&mut spans, text, 0);
    spans
}

/// The lines of a text that begins at `base` of its block.
fn push_line_spans(spans: &mut Vec<Span>, text: &[u8], base: usize) {
    let mut start = 0;
    for newline in memchr_iter(b'\n', text) {
        let end = if newline > start && text[newline - 1] == b'\r' { newline - 1 } else { newline };
        spans.push(Span { start: (base + start) as u32, end: (base + end) as u32 });
        start = newline + 1;
    }
    if start < text.len() {
        spans.push(Span { start: (base + start) as u32, end: (base + text.len()) as u32 });
    }
}

fn next_span(used: usize, more: usize) -> Result<Span> {
    check_length(used + more)?;
    Ok(Span { start: used as u32, end: (used + more) as u32 })
}

fn check_length(bytes: usize) -> Result<()> {
    if bytes > MAX_BLOCK_BYTES {
        return Err(Error::invalid(format!("a block of {bytes} bytes is over the limit of {MAX_BLOCK_BYTES}")));
    }
    Ok(())
}

fn bytes_of(spans: &[Span]) -> Range<usize> {
    match (spans.first(), spans.last()) {
        (Some(first), Some(last)) => first.start as usize..last.end as usize,
        _ => 0..0,
    }
}

fn rebase(spans: &[Span], base: u32) -> Vec<Span> {
    spans.iter().map(|span| Span { start: span.start - base, end: span.end - base }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_text() {
        let lines = |text: &str| TextBlock::lines(text).iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(lines(""), Vec::<String>::new());
        assert_eq!(lines("\n"), [""]);
        assert_eq!(lines("\r\n"), [""]);
        assert_eq!(lines("a\r\nb\n\nc"), ["a", "b", "", "c"]);
        assert_eq!(lines("a\rb\r\n"), ["a\rb"]);
    }

    #[test]
    fn splitting_keeps_every_record_in_order() {
        let block = TextBlock::lines("one\ntwo\n\nthree\nfour");
        for parts in 1..8 {
            let split = block.split(parts);
            assert_eq!(split.len(), parts);
            let joined: Vec<String> = split.iter().flat_map(|part| part.iter().map(str::to_owned)).collect();
            assert_eq!(joined, ["one", "two", "", "three", "four"]);
        }
    }

    #[test]
    fn records_of_a_fixed_length() {
        assert!(BytesBlock::chunks(vec![0; 5], 2).is_err());
        assert!(BytesBlock::chunks(vec![0; 5], 0).is_err());
        assert_eq!(BytesBlock::chunks(vec![7; 6], 2).unwrap().len(), 3);
    }
}
