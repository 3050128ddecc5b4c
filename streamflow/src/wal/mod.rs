//! The write-ahead log: records that are durable before anyone acts on them.
//!
//! A log is a directory of **segments**, files of records that are written one after the other. [`Log::write`] returns when
//! its record is durable; records that several threads hand in meanwhile share one sync (group commit). A new segment
//! begins when the open one has covered its time or its size, or when a write to it failed. Whole segments are removed when
//! nothing in them can be needed ([`Log::clean`]).
//!
//! # What is promised
//!
//! * A record whose write returned `Ok` is read by [`Log::records`] after any crash, in the order of the group commits and
//!   by time within one, until it is cleaned; and by its [`RecordHandle`] too.
//! * A record whose write returned an error, or was cut off by a crash, may be there or not. If it is, it is whole.
//! * Damage that touches such records only, a torn tail, is cut when the log is opened. Any other damage is an error that
//!   names the file and the offset: of the two, a log that refuses to open loses less than one that silently skips.
//! * Nothing is created before the first write.
//!
//! # Why a failed sync is never repeated
//!
//! After a failed `fsync` the system may have marked the data as clean although it never reached the disk. A second
//! `fsync` then returns success and has written nothing. So the error goes to every waiting writer, and the segment is not
//! touched again. Errors *before* the sync (a full disk at the write) leave no such doubt: the group is written again to a
//! new segment, a few times ([`LogOptions::attempts`]).
//!
//! # Cost
//!
//! A group costs one write and one sync. A segment costs a file, two syncs of its header and its directory, and 60 bytes; a record
//! 16 bytes. Reading is sequential with bounded memory; memory is allocated for a record when its header has been verified.
//!
//! | module | what it holds |
//! |---|---|
//! | [`mod@format`] | the bytes: segment headers, record headers |
//! | [`segments`] | which files belong to the log, and how far each counts |
//! | [`scan`] | the records of one segment, and where its tail is torn |
//! | [`reader`] | records in order, and by handle |
//! | [`appender`] | the open segment: rolling, writing, giving up |
//! | [`writer`] | [`Log`]: opening, group commit, cleaning |
//!
//! **Source**: Spark's `FileBasedWriteAheadLog` and `BatchedWriteAheadLog`, with checksums, and with torn tails told from damage.

mod appender;
#[cfg(test)]
mod crash_tests;
mod format;
mod reader;
mod scan;
mod segments;
#[cfg(test)]
mod tests;
mod writer;

use serde::{Deserialize, Serialize};

pub(crate) use self::format::with_checksums;
pub(crate) use self::reader::{Records, read_log};
pub(crate) use self::writer::{Log, LogOptions};

/// Where a record stands in its log, for reading it again ([`Log::read`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct RecordHandle {
    /// The number of the segment.
    pub(crate) segment: u64,
    /// The offset of the record's header in the segment.
    pub(crate) offset: u64,
    /// The length of the payload in bytes.
    pub(crate) length: u32,
}
