//! `save_as_object_files`: a directory of encoded records for every batch, and how to read it back.
//!
//! # Format of a part, version 1
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `sflowobj` |
//! | 4 | version, little-endian |
//! | 8 | number of records, little-endian |
//! | 8 | number of bytes of the records, little-endian |
//! | any | the records, one after the other, in postcard's encoding |
//! | 4 | CRC-32C of everything before, little-endian |

use std::marker::PhantomData;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::blocks;
use super::directory::BatchDirectory;
use crate::dstream::DStream;
use crate::error::{Error, Result};
use crate::record::{Block, Record};
use crate::run::Run;
use crate::topology::{NodeId, OutputOperation};

const MAGIC: &[u8; 8] = b"sflowobj";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 8 + 4 + 8 + 8;
const CHECKSUM_BYTES: usize = 4;

impl<T: Record + Serialize + ?Sized> DStream<T> {
    /// Saves every batch as a directory `prefix-<ms>[.suffix]` of encoded records, which
    /// [`read_object_files`](crate::sink::read_object_files) reads back.
    ///
    /// Names, atomic replacement and cost are those of [`save_as_text_files`](Self::save_as_text_files). Each file has a
    /// version, a number of records and a checksum.
    ///
    /// **Errors**: when a record cannot be encoded or a file not be written the batch fails and its directory is absent.
    /// **Source**: Spark's `saveAsObjectFiles`, in postcard's encoding instead of Java's.
    ///
    /// # Examples
    /// ```
    /// use streamflow::BatchContext;
    /// use streamflow::sink::read_object_files;
    ///
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let dir = dir.path().to_str().unwrap();
    /// let ctx = BatchContext::new()?;
    /// ctx.records([("be".to_owned(), 2), ("or".to_owned(), 1)]).save_as_object_files(format!("{dir}/counts"), "");
    /// ctx.run()?;
    /// let counts: Vec<(String, i32)> = read_object_files(format!("{dir}/counts-0"))?;
    /// assert_eq!(counts, [("be".to_owned(), 2), ("or".to_owned(), 1)]);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn save_as_object_files(&self, prefix: impl Into<String>, suffix: impl Into<String>) {
        let directory = BatchDirectory::new(prefix.into(), suffix.into());
        self.add_output("save_as_object_files", ObjectFiles::<T> { node: self.node(), directory, record: PhantomData });
    }
}

struct ObjectFiles<T: ?Sized> {
    node: NodeId,
    directory: BatchDirectory,
    record: PhantomData<fn() -> Box<T>>,
}

impl<T: Record + Serialize + ?Sized> OutputOperation for ObjectFiles<T> {
    fn run(&self, run: &Run<'_>) -> Result<()> {
        let blocks = blocks::<T>(run, self.node)?;
        let weight = blocks.iter().map(|block| block.len()).sum();
        self.directory.write(run, blocks.len(), weight, |part, file| {
            file.write_all(&encode::<T>(&blocks[part]).map_err(std::io::Error::other)?)
        })
    }
}

fn encode<T: Record + Serialize + ?Sized>(block: &T::Block) -> postcard::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(HEADER_BYTES + block.bytes() + CHECKSUM_BYTES);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&VERSION.to_le_bytes());
    bytes.extend_from_slice(&(block.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&[0; 8]);
    for index in 0..block.len() {
        bytes = postcard::to_extend(T::peek(block, index), bytes)?;
    }
    let length = (bytes.len() - HEADER_BYTES) as u64;
    bytes[HEADER_BYTES - 8..HEADER_BYTES].copy_from_slice(&length.to_le_bytes());
    let checksum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    Ok(bytes)
}

/// Reads the records that [`save_as_object_files`](DStream::save_as_object_files) saved in a directory, in their order.
///
/// `T` is the type that was saved, or `String` for a `DStream<str>`.
///
/// # Errors
/// When a file cannot be read, is not such a file, is damaged, or holds records of another type; the error names the file.
/// A directory without `_SUCCESS` is refused: it is not one that an output has finished.
///
/// **Source**: Spark's `objectFile`. See `save_as_object_files` for an example.
pub fn read_object_files<T: DeserializeOwned>(directory: impl AsRef<Path>) -> Result<Vec<T>> {
    let directory = directory.as_ref();
    let missing = |error| Error::io(format!("cannot read `{}`", directory.display()), error);
    if !directory.join("_SUCCESS").try_exists().map_err(missing)? {
        return Err(Error::input(format!("`{}` is not a finished output: it has no `_SUCCESS`", directory.display())));
    }
    let mut records = Vec::new();
    for part in 0.. {
        let path = directory.join(format!("part-{part:05}"));
        if !path.try_exists().map_err(missing)? {
            break;
        }
        let bytes =
            std::fs::read(&path).map_err(|error| Error::io(format!("cannot read `{}`", path.display()), error))?;
        let refused = |why: String| Error::input(format!("cannot read `{}`: {why}", path.display()));
        decode(&bytes, &mut records).map_err(refused)?;
    }
    Ok(records)
}

fn decode<T: DeserializeOwned>(bytes: &[u8], records: &mut Vec<T>) -> Result<(), String> {
    let Some((content, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else {
        return Err(format!("{} bytes are too few for a file of records", bytes.len()));
    };
    let Some((header, mut rest)) = content.split_first_chunk::<HEADER_BYTES>() else {
        return Err(format!("{} bytes are too few for a file of records", bytes.len()));
    };
    if header[..8] != *MAGIC {
        return Err("it is not a file of records".to_owned());
    }
    let number = |from: usize| u64::from_le_bytes(header[from..from + 8].try_into().expect("eight bytes"));
    let version = u32::from_le_bytes(header[8..12].try_into().expect("four bytes"));
    if version != VERSION {
        return Err(format!("its version is {version}, and this library reads version {VERSION}"));
    }
    let (count, length) = (number(12), number(20));
    if crc32c::crc32c(content) != u32::from_le_bytes(*checksum) || length != rest.len() as u64 {
        return Err("it is damaged: its checksum or length is wrong".to_owned());
    }
    for index in 0..count {
        let (record, after) = postcard::take_from_bytes(rest)
            .map_err(|error| format!("record {index} is not of the type that is read ({error})"))?;
        records.push(record);
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err("its records are not of the type that is read".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::super::test_support::run;
    use super::*;
    use crate::record::TextBlock;

    #[test]
    fn records_come_back_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let prefix = dir.path().join("o").into_os_string().into_string().unwrap();
        let records: Vec<(u32, String)> = (0..100).map(|n| (n, format!("record {n}"))).collect();
        run(records.clone(), |stream| stream.save_as_object_files(&prefix, "bin")).unwrap();
        let target = dir.path().join("o-0.bin");
        assert_eq!(read_object_files::<(u32, String)>(&target).unwrap(), records);
        assert!(read_object_files::<Vec<Vec<String>>>(&target).unwrap_err().to_string().contains("type"));
        std::fs::remove_file(target.join("_SUCCESS")).unwrap();
        assert!(read_object_files::<(u32, String)>(&target).unwrap_err().to_string().contains("_SUCCESS"));
    }

    #[test]
    fn text_is_read_as_strings() {
        let bytes = encode::<str>(&TextBlock::lines("to be\nor")).unwrap();
        let mut lines: Vec<String> = Vec::new();
        decode(&bytes, &mut lines).unwrap();
        assert_eq!(lines, ["to be", "or"]);
    }

    #[test]
    fn damage_of_any_byte_is_refused() {
        let bytes = encode::<u32>(&vec![1, 200, 70_000]).unwrap();
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 0x40;
            assert!(decode::<u32>(&damaged, &mut Vec::new()).is_err(), "byte {index}");
            assert!(decode::<u32>(&bytes[..index], &mut Vec::new()).is_err(), "{index} bytes");
        }
    }
}
