//! The bytes of a log.
//!
//! A segment is a file `log-NUMBER-START-END`: its number in the log, and the time that it covers, in milliseconds. All
//! numbers in it are little-endian. It begins with a header of 60 bytes:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | the letters `SFLOGSEG` |
//! | 8 | 4 | version of the format, 1 |
//! | 12 | 8 | number of the segment |
//! | 20 | 8 | start of its time |
//! | 28 | 8 | end of its time |
//! | 36 | 8 | number of the segment before it plus one; 0 if it is the first |
//! | 44 | 8 | how many bytes of the segment before it count |
//! | 52 | 4 | zero |
//! | 56 | 4 | CRC-32C of the bytes 0 to 56 |
//!
//! Bytes of the segment before that do not count belong to writes that failed. So a segment closes the one before it, and
//! the length of every segment but the last is known.
//!
//! After the header come records without gaps:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 4 | length of the payload |
//! | 4 | 4 | distance back to the first record of the same group commit |
//! | 8 | 4 | CRC-32C of the payload |
//! | 12 | 4 | CRC-32C of the bytes 0 to 12, then the segment's number and this record's offset, 8 bytes each |
//! | 16 | | the payload |
//!
//! The header has a checksum of its own, so a length is known to be right before anything is allocated for it. It covers
//! the record's place, so that a payload that looks like a record (a log in a log) is not taken for one.
//!
//! The distance tells a torn tail from damage: a group is written when the groups before it are durable, so when a record
//! says that its group began after a damaged place, what stood there had been durable.

use crate::time::BatchTime;

/// Length of a segment's header.
pub(super) const SEGMENT_HEADER: usize = 60;
/// Length of a record's header.
pub(super) const RECORD_HEADER: usize = 16;
/// The longest payload. Longer ones are refused when they are written.
pub(crate) const MAX_PAYLOAD: usize = 1 << 30;

const MAGIC: &[u8; 8] = b"SFLOGSEG";
const VERSION: u32 = 1;

/// A segment that came before, and how much of it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Previous {
    pub(super) number: u64,
    pub(super) len: u64,
}

/// The name of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentName {
    pub(super) number: u64,
    pub(super) start: BatchTime,
    pub(super) end: BatchTime,
}

impl SegmentName {
    pub(super) fn file_name(&self) -> String {
        format!("log-{}-{}-{}", self.number, self.start.as_millis(), self.end.as_millis())
    }

    /// Reads a file name; `None` for files that are not segments.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let mut parts = name.strip_prefix("log-")?.split('-').map(|part| part.parse::<u64>().ok());
        let mut next = || parts.next().flatten();
        let (number, start, end) = (next()?, BatchTime::from_millis(next()?), BatchTime::from_millis(next()?));
        let parsed = Self { number, start, end };
        // `log-01-…` and `log-+1-…` parse as numbers but are not ours.
        (parsed.file_name() == name).then_some(parsed)
    }
}

/// What a segment's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SegmentHeader {
    pub(super) name: SegmentName,
    pub(super) previous: Option<Previous>,
}

impl SegmentHeader {
    pub(super) fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let previous = self.previous.map_or((0, 0), |previous| (previous.number + 1, previous.len));
        let mut bytes = [0; SEGMENT_HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.name.number.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.name.start.as_millis().to_le_bytes());
        bytes[28..36].copy_from_slice(&self.name.end.as_millis().to_le_bytes());
        bytes[36..44].copy_from_slice(&previous.0.to_le_bytes());
        bytes[44..52].copy_from_slice(&previous.1.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..56]);
        bytes[56..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of the segment with this name. The error says in what it is wrong.
    pub(super) fn decode(bytes: &[u8], name: SegmentName) -> Result<Self, String> {
        if bytes.len() < SEGMENT_HEADER || bytes[..8] != *MAGIC {
            return Err("it does not begin with the header of a log segment".to_owned());
        }
        let version = u32_at(bytes, 8);
        if version != VERSION {
            return Err(format!("its format has version {version}, and this program reads version {VERSION}"));
        }
        if u32_at(bytes, 56) != crc32c::crc32c(&bytes[..56]) {
            return Err("the checksum of its header is wrong".to_owned());
        }
        let [start, end] = [20, 28].map(|at| BatchTime::from_millis(u64_at(bytes, at)));
        let written = SegmentName { number: u64_at(bytes, 12), start, end };
        if written != name {
            return Err(format!("it was written under the name `{}`", written.file_name()));
        }
        let len = u64_at(bytes, 44);
        let previous = u64_at(bytes, 36).checked_sub(1).map(|number| Previous { number, len });
        Ok(Self { name, previous })
    }
}

/// What a record's header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordHeader {
    pub(super) length: u32,
    /// Distance back to the first record of the group.
    pub(super) back: u32,
    pub(super) payload_checksum: u32,
}

impl RecordHeader {
    pub(super) fn new(payload: &[u8], back: u32) -> Self {
        let length = u32::try_from(payload.len()).expect("payloads are at most MAX_PAYLOAD bytes long");
        Self { length, back, payload_checksum: crc32c::crc32c(payload) }
    }

    pub(super) fn encode(&self, segment: u64, offset: u64) -> [u8; RECORD_HEADER] {
        let mut bytes = [0; RECORD_HEADER];
        bytes[..4].copy_from_slice(&self.length.to_le_bytes());
        bytes[4..8].copy_from_slice(&self.back.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.payload_checksum.to_le_bytes());
        let checksum = place_checksum(&bytes[..12], segment, offset);
        bytes[12..].copy_from_slice(&checksum.to_le_bytes());
        bytes
    }

    /// Reads the header of a record at its place; `None` if there is none.
    pub(super) fn decode(bytes: &[u8], segment: u64, offset: u64) -> Option<Self> {
        let header = bytes.get(..RECORD_HEADER)?;
        if u32_at(header, 12) != place_checksum(&header[..12], segment, offset) {
            return None;
        }
        Some(Self { length: u32_at(header, 0), back: u32_at(header, 4), payload_checksum: u32_at(header, 8) })
    }

    pub(super) fn fits(&self, payload: &[u8]) -> bool {
        self.payload_checksum == crc32c::crc32c(payload)
    }
}

/// For fuzzing: the segment `log-0-0-1000` with these bytes after its header, in which records as long as they say get right
/// checksums. The fourth byte of a length is ignored, so that random lengths fit now and then.
pub(crate) fn with_checksums(bytes: &[u8]) -> Vec<u8> {
    let [start, end] = [0, 1_000].map(BatchTime::from_millis);
    let header = SegmentHeader { name: SegmentName { number: 0, start, end }, previous: None };
    let mut segment = [&header.encode()[..], bytes].concat();
    let mut at = SEGMENT_HEADER;
    while segment.len() >= at + RECORD_HEADER {
        let (length, back) = (u32_at(&segment, at) & 0x00FF_FFFF, u32_at(&segment, at + 4));
        let end = at + RECORD_HEADER + length as usize;
        let Some(payload) = segment.get(at + RECORD_HEADER..end) else { break };
        let header = RecordHeader { back, ..RecordHeader::new(payload, 0) };
        segment[at..at + RECORD_HEADER].copy_from_slice(&header.encode(0, at as u64));
        at = end;
    }
    segment
}

fn place_checksum(start: &[u8], segment: u64, offset: u64) -> u32 {
    let mut covered = [0; 28];
    covered[..12].copy_from_slice(start);
    covered[12..20].copy_from_slice(&segment.to_le_bytes());
    covered[20..].copy_from_slice(&offset.to_le_bytes());
    crc32c::crc32c(&covered)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: u64) -> SegmentName {
        SegmentName { number, start: BatchTime::from_millis(1_000), end: BatchTime::from_millis(2_000) }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        assert_eq!(name(12).file_name(), "log-12-1000-2000");
        assert_eq!(SegmentName::parse("log-12-1000-2000"), Some(name(12)));
        for other in
            ["log-12-1000", "log-012-1000-2000", "log-12-1000-2000-1", "log-12-1000-2000.tmp", "log--1-0-0", "x"]
        {
            assert_eq!(SegmentName::parse(other), None, "{other}");
        }
    }

    #[test]
    fn every_flipped_bit_of_a_header_is_noticed() {
        let header = SegmentHeader { name: name(3), previous: Some(Previous { number: 2, len: 99 }) };
        let bytes = header.encode();
        assert_eq!(SegmentHeader::decode(&bytes, name(3)), Ok(header));
        assert!(SegmentHeader::decode(&bytes, name(4)).unwrap_err().contains("`log-3-1000-2000`"));
        let record = RecordHeader::new(b"payload", 40).encode(3, 160);
        assert_eq!(RecordHeader::decode(&record, 3, 160).map(|header| (header.length, header.back)), Some((7, 40)));
        assert_eq!(RecordHeader::decode(&record, 3, 161), None, "another place");
        for bit in 0..SEGMENT_HEADER * 8 {
            let mut damaged = bytes;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(SegmentHeader::decode(&damaged, name(3)).is_err());
        }
        for bit in 0..RECORD_HEADER * 8 {
            let mut damaged = record;
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(RecordHeader::decode(&damaged, 3, 160), None);
        }
    }

    /// Logs must be readable by later builds: these bytes may only change together with the version.
    #[test]
    fn the_format_does_not_change_by_accident() {
        let header = SegmentHeader { name: name(3), previous: Some(Previous { number: 2, len: 99 }) };
        assert_eq!(crc32c::crc32c(b"123456789"), 0xE306_9283, "CRC-32C of the usual check string");
        assert_eq!(crc32c::crc32c(&header.encode()), crc32c::crc32c(&header.encode()));
        assert_eq!(&header.encode()[..16], b"SFLOGSEG\x01\0\0\0\x03\0\0\0");
        assert_eq!(RecordHeader::new(b"123456789", 5).encode(0, 60)[..12], *b"\x09\0\0\0\x05\0\0\0\x83\x92\x06\xE3");
    }
}
