//! State files: the keys and values of an operator, or their changes, in chunks.
//!
//! A state file is a row of envelopes: a head (identity, fingerprint, and whether the file is a base), chunks, and an end
//! with the number of changes. A chunk is the number of a partition, then changes to keys of this partition, each a
//! key and an optional value in postcard's encoding: a pair with a value sets it, one without removes the key.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, Serializer};

use super::envelope::{Envelopes, Kind, damage, encode, seal, seal_value};
use super::manifest::{Manifest, Operator, StateFile};
use crate::error::{Error, Result};
use crate::fs::{BufferedReads, File, FileSystem, SharedFs};
use crate::time::BatchTime;

/// A chunk is written when it is as long as this.
const CHUNK_BYTES: usize = 64 * 1024;

/// One change of a state: with a value, the key has it now; without one, the key is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change<'a> {
    /// The partition that had the key when the file was written; under another number of partitions it means nothing.
    pub(crate) partition: u32,
    pub(crate) key: &'a [u8],
    pub(crate) value: Option<&'a [u8]>,
}

/// The first envelope of a state file.
#[derive(Serialize, Deserialize, PartialEq)]
struct Head {
    identity: String,
    fingerprint: String,
    is_base: bool,
}

/// Bytes that are encoded as bytes, not as a sequence of numbers.
struct Bytes<'a>(&'a [u8]);

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

/// Writes a state file. May be handed to another thread; several may be written at the same time.
pub(crate) struct StateWriter {
    file: Box<dyn File>,
    path: PathBuf,
    name: String,
    identity: String,
    fingerprint: String,
    partitions: u32,
    is_base: bool,
    /// The partition of the chunk in the works.
    partition: u32,
    chunk: Vec<u8>,
    bytes: u64,
    checksum: u32,
    changes: u64,
}

/// A state file that is durable, but for its name: [`CheckpointWriter::put`](super::CheckpointWriter::put) takes it.
#[must_use = "a state file counts when it is put into a checkpoint"]
pub(crate) struct WrittenState {
    pub(super) identity: String,
    pub(super) fingerprint: String,
    pub(super) partitions: u32,
    pub(super) is_base: bool,
    pub(super) file: StateFile,
}

/// Whose state a file holds.
pub(super) struct Owner<'a> {
    pub(super) identity: &'a str,
    pub(super) fingerprint: &'a str,
    pub(super) partitions: u32,
}

impl StateWriter {
    pub(super) fn create(
        fs: &dyn FileSystem,
        dir: &Path,
        name: String,
        owner: &Owner<'_>,
        is_base: bool,
    ) -> Result<Self> {
        let path = dir.join(&name);
        let file = fs.create(&path).map_err(|error| cannot_write(&path, error))?;
        let (identity, fingerprint) = (owner.identity.to_owned(), owner.fingerprint.to_owned());
        let mut writer = Self {
            file,
            path,
            name,
            identity: identity.clone(),
            fingerprint: fingerprint.clone(),
            partitions: owner.partitions,
            is_base,
            partition: 0,
            chunk: Vec::new(),
            bytes: 0,
            checksum: 0,
            changes: 0,
        };
        writer.write(&seal_value(Kind::StateHead, &Head { identity, fingerprint, is_base }))?;
        Ok(writer)
    }

    /// The key has this value now. Within a file a key may occur again: the last change counts.
    ///
    /// # Errors
    /// The file cannot be written; nothing can be done with it any more.
    pub(crate) fn upsert(&mut self, partition: u32, key: &[u8], value: &[u8]) -> Result<()> {
        self.change(partition, &(Bytes(key), Some(Bytes(value))))
    }

    /// The key is gone. A base needs no such changes.
    ///
    /// # Errors
    /// As [`upsert`](Self::upsert).
    pub(crate) fn remove(&mut self, partition: u32, key: &[u8]) -> Result<()> {
        self.change(partition, &(Bytes(key), None::<Bytes<'_>>))
    }

    fn change(&mut self, partition: u32, change: &(Bytes<'_>, Option<Bytes<'_>>)) -> Result<()> {
        if self.partition != partition {
            self.write_chunk()?;
            self.partition = partition;
        }
        if self.chunk.is_empty() {
            self.chunk = encode(&partition);
        }
        let chunk = std::mem::take(&mut self.chunk);
        self.chunk = postcard::to_extend(change, chunk).expect("bytes have a length and no errors of their own");
        self.changes += 1;
        if self.chunk.len() >= CHUNK_BYTES { self.write_chunk() } else { Ok(()) }
    }

    fn write_chunk(&mut self) -> Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let sealed = seal(Kind::StateChunk, &self.chunk);
        self.chunk.clear();
        self.write(&sealed)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| cannot_write(&self.path, error))?;
        self.bytes += bytes.len() as u64;
        self.checksum = crc32c::crc32c_append(self.checksum, bytes);
        Ok(())
    }

    /// Completes the file and makes it durable.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn finish(mut self) -> Result<WrittenState> {
        self.write_chunk()?;
        self.write(&seal_value(Kind::StateEnd, &self.changes))?;
        self.file.sync().map_err(|error| cannot_write(&self.path, error))?;
        let file = StateFile { name: self.name, bytes: self.bytes, checksum: self.checksum, changes: self.changes };
        let Self { identity, fingerprint, partitions, is_base, .. } = self;
        Ok(WrittenState { identity, fingerprint, partitions, is_base, file })
    }
}

/// For fuzzing: a state file with the bytes as its chunk, and the manifest that names it.
pub(crate) fn sealed_state(program: &[u8], chunk: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let [identity, fingerprint] = [String::new(), String::new()];
    let head = seal_value(Kind::StateHead, &Head { identity, fingerprint, is_base: true });
    let changes = u64::from(program.first().copied().unwrap_or_default());
    let state = [head, seal(Kind::StateChunk, chunk), seal_value(Kind::StateEnd, &changes)].concat();
    let (bytes, checksum) = (state.len() as u64, crc32c::crc32c(&state));
    let file = StateFile { name: "state-1-0".to_owned(), bytes, checksum, changes };
    let [identity, fingerprint] = [String::new(), String::new()];
    let operator = Operator { identity, fingerprint, partitions: 1, files: vec![file] };
    let manifest = Manifest::new(1, BatchTime::default(), program.to_vec(), vec![operator]);
    (seal_value(Kind::Manifest, &manifest), state)
}

fn cannot_write(path: &Path, error: io::Error) -> Error {
    Error::io(format!("cannot write the checkpoint file `{}`", path.display()), error)
}

/// The changes of an operator: those of its base, then those of its deltas. Applied in this order to an empty table they
/// give its state. Not an iterator, because a change is a view into a buffer.
pub(crate) struct StateReader {
    fs: SharedFs,
    dir: PathBuf,
    operator: Operator,
    /// The file being read, by its place in the operator's list.
    place: usize,
    /// The place after that of the last file to be read.
    end: usize,
    open: Option<OpenFile>,
    partition: u32,
    chunk: Vec<u8>,
    /// Where the next change begins in the chunk.
    at: usize,
}

/// A state file that is being read.
struct OpenFile {
    envelopes: Envelopes,
    changes: u64,
}

impl StateReader {
    pub(super) fn new(fs: SharedFs, dir: PathBuf, operator: Operator) -> Self {
        let end = operator.files.len();
        Self { fs, dir, operator, place: 0, end, open: None, partition: 0, chunk: Vec::new(), at: 0 }
    }

    /// Leaves out the deltas.
    pub(crate) fn base_only(mut self) -> Self {
        self.end = self.end.min(1);
        self
    }

    /// Leaves out the base.
    pub(crate) fn deltas_only(mut self) -> Self {
        self.place = 1;
        self
    }

    /// The next change, or `None` after the last one.
    ///
    /// # Errors
    /// A file is damaged or cannot be read. What was read before must not be used.
    pub(crate) fn next(&mut self) -> Result<Option<Change<'_>>> {
        while self.at >= self.chunk.len() {
            if !self.next_chunk()? {
                return Ok(None);
            }
        }
        let Some(open) = &mut self.open else { return Ok(None) };
        let rest = &self.chunk[self.at..];
        let decoded = postcard::take_from_bytes::<(&[u8], Option<&[u8]>)>(rest);
        let ((key, value), after) = decoded.map_err(|_| open.damage("the chunk before it does not hold changes"))?;
        self.at = self.chunk.len() - after.len();
        open.changes += 1;
        Ok(Some(Change { partition: self.partition, key, value }))
    }

    /// Loads the next chunk; `false` after the last file.
    fn next_chunk(&mut self) -> Result<bool> {
        let Some(expected) = self.operator.files.get(self.place).filter(|_| self.place < self.end) else {
            return Ok(false);
        };
        let mut open = match self.open.take() {
            Some(open) => open,
            None => OpenFile::open(&*self.fs, self.dir.join(&expected.name), &self.operator, self.place)?,
        };
        match open.next_chunk(expected, &mut self.chunk)? {
            Some((partition, start)) => {
                (self.partition, self.at) = (partition, start);
                self.open = Some(open);
            }
            None => {
                self.place += 1;
                self.chunk.clear();
                self.at = 0;
            }
        }
        Ok(true)
    }

    /// Reads everything, to know that it can be read.
    pub(super) fn verify(mut self) -> Result<()> {
        while self.next()?.is_some() {}
        Ok(())
    }
}

impl OpenFile {
    /// Opens a file and reads its head.
    fn open(fs: &dyn FileSystem, path: PathBuf, operator: &Operator, place: usize) -> Result<Self> {
        let expected = &operator.files[place];
        let failed = |error| Error::io(format!("cannot read the checkpoint file `{}`", path.display()), error);
        let reads = fs.open(&path).and_then(BufferedReads::new).map_err(failed)?;
        if reads.file_len() != expected.bytes {
            let what = format!("it has {} bytes, and the manifest says {}", reads.file_len(), expected.bytes);
            return Err(damage(&path, reads.file_len().min(expected.bytes), &what));
        }
        let mut envelopes = Envelopes::new(reads, path);
        let head: Head = envelopes.next_value(Kind::StateHead)?;
        let (identity, fingerprint) = (operator.identity.clone(), operator.fingerprint.clone());
        let open = Self { envelopes, changes: 0 };
        if head == (Head { identity, fingerprint, is_base: place == 0 }) {
            Ok(open)
        } else {
            Err(open.damage(&format!("it holds other state than that of `{}`", operator.identity)))
        }
    }

    /// Reads a chunk, and says which partition it belongs to and where its first change is; `None` at a sound end.
    fn next_chunk(&mut self, expected: &StateFile, chunk: &mut Vec<u8>) -> Result<Option<(u32, usize)>> {
        let (kind, payload) = self.envelopes.next()?;
        if kind == Kind::StateChunk as u16 {
            chunk.clear();
            chunk.extend_from_slice(payload);
            if let Ok((partition, after)) = postcard::take_from_bytes::<u32>(chunk) {
                return Ok(Some((partition, chunk.len() - after.len())));
            }
        } else if kind == Kind::StateEnd as u16 {
            let written = postcard::from_bytes::<u64>(payload).ok();
            let is_whole = self.envelopes.is_at_end() && self.envelopes.checksum() == expected.checksum;
            if is_whole && written == Some(self.changes) && self.changes == expected.changes {
                return Ok(None);
            }
        }
        Err(self.damage("it is not the file that the manifest names"))
    }

    fn damage(&self, what: &str) -> Error {
        damage(self.envelopes.path(), self.envelopes.offset(), what)
    }
}
