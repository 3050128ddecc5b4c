//! Envelopes: the bytes around every piece of a checkpoint.
//!
//! All numbers are little-endian. A header of 28 bytes, then the payload:
//!
//! | offset | bytes | what |
//! |---|---|---|
//! | 0 | 8 | the letters `SFCHKPNT` |
//! | 8 | 2 | version of the format, 1 |
//! | 10 | 2 | what the payload is, see [`Kind`] |
//! | 12 | 8 | length of the payload |
//! | 20 | 4 | CRC-32C of the payload |
//! | 24 | 4 | CRC-32C of the bytes 0 to 24 |
//! | 28 | | the payload, in postcard's encoding |
//!
//! The header has a checksum of its own, so a length is known to be right before anything is allocated for it.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};
use crate::fs::BufferedReads;

/// Length of an envelope's header.
pub(super) const HEADER: usize = 28;

const MAGIC: &[u8; 8] = b"SFCHKPNT";
const VERSION: u16 = 1;

/// What an envelope holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A [`Manifest`](super::Manifest): a file of its own.
    Manifest = 1,
    /// The first envelope of a state file.
    StateHead = 2,
    /// Entries of a state file.
    StateChunk = 3,
    /// The last envelope of a state file.
    StateEnd = 4,
}

/// Puts a payload into an envelope.
pub(super) fn seal(kind: Kind, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(kind as u16).to_le_bytes());
    bytes.extend_from_slice(&(payload.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(payload).to_le_bytes());
    bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// Puts a value into an envelope.
pub(super) fn seal_value(kind: Kind, value: &impl Serialize) -> Vec<u8> {
    seal(kind, &encode(value))
}

/// For fuzzing: the bytes as a manifest's payload.
pub(crate) fn sealed_manifest(payload: &[u8]) -> Vec<u8> {
    seal(Kind::Manifest, payload)
}

/// A value in postcard's encoding.
pub(super) fn encode(value: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(value).expect("values of checkpoints have lengths and no errors of their own")
}

/// Reads the envelopes of a file, one after the other.
pub(super) struct Envelopes {
    reads: BufferedReads,
    path: PathBuf,
    offset: u64,
    /// CRC-32C of all bytes before `offset`.
    checksum: u32,
}

impl Envelopes {
    pub(super) fn new(reads: BufferedReads, path: PathBuf) -> Self {
        Self { reads, path, offset: 0, checksum: 0 }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where the next envelope begins.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn is_at_end(&self) -> bool {
        self.offset == self.reads.file_len()
    }

    pub(super) fn checksum(&self) -> u32 {
        self.checksum
    }

    /// The kind and payload of the next envelope.
    pub(super) fn next(&mut self) -> Result<(u16, &[u8])> {
        let header = match self.read(self.offset, HEADER)? {
            Some(bytes) => Header::decode(bytes.try_into().expect("as many bytes as asked for")),
            None => Err("the file ends within the header of an envelope".to_owned()),
        };
        let Header { kind, length, checksum, whole } = header.map_err(|what| self.damage(&what))?;
        let start = self.offset + HEADER as u64;
        // Checked against the file before anything is allocated.
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let verdict = match self.read(start, length)? {
            Some(payload) if crc32c::crc32c(payload) == checksum => Ok(()),
            Some(_) => Err("the checksum of the payload is wrong"),
            None => Err("the file ends within the payload of an envelope"),
        };
        verdict.map_err(|what| self.damage(what))?;
        self.checksum = crc32c::crc32c_append(self.checksum, &whole);
        self.checksum = crc32c::crc32c_combine(self.checksum, checksum, length);
        self.offset = start + length as u64;
        let payload = self.read(start, length)?.expect("it was just read");
        Ok((kind, payload))
    }

    /// The next envelope's value, which must be of this kind.
    pub(super) fn next_value<T: DeserializeOwned>(&mut self, kind: Kind) -> Result<T> {
        let offset = self.offset;
        let (found, payload) = self.next()?;
        let value = if found == kind as u16 { postcard::from_bytes(payload).ok() } else { None };
        value.ok_or_else(|| damage(&self.path, offset, &format!("there is no payload of the kind {kind:?}")))
    }

    fn read(&mut self, offset: u64, count: usize) -> Result<Option<&[u8]>> {
        let Self { reads, path, .. } = self;
        let failed = |error| Error::io(format!("cannot read the checkpoint file `{}`", path.display()), error);
        reads.bytes(offset, count).map_err(failed)
    }

    fn damage(&self, what: &str) -> Error {
        damage(&self.path, self.offset, what)
    }
}

/// A file of a checkpoint that does not hold what was written to it.
pub(super) fn damage(path: &Path, offset: u64, what: &str) -> Error {
    Error::damaged(format!("the checkpoint file `{}` is damaged at offset {offset}: {what}", path.display()))
}

struct Header {
    kind: u16,
    length: u64,
    checksum: u32,
    /// The bytes of the header.
    whole: [u8; HEADER],
}

impl Header {
    fn decode(bytes: &[u8; HEADER]) -> Result<Self, String> {
        if bytes[..8] != *MAGIC {
            return Err("there is no envelope".to_owned());
        }
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version != VERSION {
            return Err(format!("the format has version {version}, and this program reads version {VERSION}"));
        }
        let u32_at = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
        if u32_at(24) != crc32c::crc32c(&bytes[..24]) {
            return Err("the checksum of the envelope's header is wrong".to_owned());
        }
        let length = u64::from_le_bytes(bytes[12..20].try_into().expect("eight bytes"));
        Ok(Self { kind: u16::from_le_bytes([bytes[10], bytes[11]]), length, checksum: u32_at(20), whole: *bytes })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{FileSystem as _, SimulatedFs};

    fn envelopes(bytes: &[u8]) -> Envelopes {
        let fs = SimulatedFs::new(0);
        fs.put("file", bytes);
        Envelopes::new(BufferedReads::new(fs.open(Path::new("file")).unwrap()).unwrap(), PathBuf::from("file"))
    }

    #[test]
    fn what_is_sealed_is_read_with_the_checksum_of_the_whole() {
        let bytes = [seal(Kind::StateChunk, b"abc"), seal(Kind::StateEnd, b"")].concat();
        let mut read = envelopes(&bytes);
        assert_eq!(read.next().unwrap(), (3, &b"abc"[..]));
        assert!(!read.is_at_end());
        assert_eq!(read.next().unwrap(), (4, &b""[..]));
        assert!(read.is_at_end());
        assert_eq!(read.checksum(), crc32c::crc32c(&bytes));
    }

    #[test]
    fn other_versions_and_kinds_are_told() {
        let mut newer = seal_value(Kind::Manifest, &7_u32);
        newer[8] = 2;
        let error = envelopes(&newer).next_value::<u32>(Kind::Manifest).unwrap_err().to_string();
        assert!(error.contains("version 2, and this program reads version 1"), "{error}");
        let error = envelopes(&seal_value(Kind::Manifest, &7_u32)).next_value::<u32>(Kind::StateEnd).unwrap_err();
        assert!(error.to_string().contains("no payload of the kind StateEnd"), "{error}");
    }

    #[test]
    fn a_length_beyond_the_file_is_refused() {
        let mut bytes = seal(Kind::Manifest, b"payload");
        bytes[12..20].copy_from_slice(&u64::MAX.to_le_bytes());
        let checksum = crc32c::crc32c(&bytes[..24]);
        bytes[24..28].copy_from_slice(&checksum.to_le_bytes());
        let error = envelopes(&bytes).next().unwrap_err().to_string();
        assert!(error.contains("the file ends within the payload"), "{error}");
    }

    /// Checkpoints must be readable by later builds: these bytes may only change together with the version.
    #[test]
    fn the_format_does_not_change_by_accident() {
        let bytes = seal(Kind::Manifest, b"123456789");
        assert_eq!(&bytes[..24], b"SFCHKPNT\x01\0\x01\0\x09\0\0\0\0\0\0\0\x83\x92\x06\xE3");
        assert_eq!(encode(&("ab", 300_u64)), [2, b'a', b'b', 0xAC, 2]);
    }
}
