//! Which files belong to a log, and how far each of them counts.
//!
//! Every segment names the one before it and how many bytes of that count. A file that no later segment names, although
//! there is one, was given up before anything in it was durable. So the list is right whatever a crash left, as long as
//! the newest segment is there; and it always is, because its name is durable before its first record is.
//!
//! A segment that is named but missing was cleaned if nothing older is there, and is lost otherwise. Cleaning keeps to that: it
//! goes from the oldest to the newest, files that do not count included, and each removal is durable before the next.

use std::path::{Path, PathBuf};

use super::format::{Previous, SEGMENT_HEADER, SegmentHeader, SegmentName};
use super::scan::{Extent, Scan};
use crate::error::{Error, Result};
use crate::fs::{FileSystem, list_if_exists};

/// A segment of the log and how many bytes of it count.
#[derive(Clone, Debug)]
pub(super) struct Segment {
    pub(super) name: SegmentName,
    pub(super) path: PathBuf,
    pub(super) len: u64,
}

/// A file of a segment in which nothing counts.
pub(super) struct Leftover {
    pub(super) number: u64,
    pub(super) path: PathBuf,
}

/// What a directory holds.
#[derive(Default)]
pub(super) struct Listing {
    /// Oldest first.
    pub(super) segments: Vec<Segment>,
    /// Segments that were given up, or torn when they were made.
    pub(super) leftovers: Vec<Leftover>,
    /// Numbers from here on were never used.
    pub(super) next_number: u64,
}

/// A file that may be a segment.
struct Candidate {
    name: SegmentName,
    path: PathBuf,
    file_len: u64,
    header: Result<SegmentHeader, String>,
}

impl Candidate {
    fn leftover(self) -> Leftover {
        Leftover { number: self.name.number, path: self.path }
    }
}

/// Finds the segments of a log. Changes nothing.
pub(super) fn find(fs: &dyn FileSystem, dir: &Path) -> Result<Listing> {
    let mut candidates = candidates(fs, dir)?;
    let next_number = candidates.last().map_or(0, |last| last.name.number + 1);
    let mut listing = Listing { next_number, ..Listing::default() };
    // From the newest to the oldest: each says which one comes before it.
    let mut expected: Option<Option<Previous>> = None;
    while let Some(candidate) = candidates.pop() {
        match expected {
            // Nothing newer is sound.
            None => match candidate.header {
                Ok(header) => {
                    let len = valid_len(fs, &candidate)?;
                    expected = Some(header.previous);
                    listing.segments.push(Segment { name: candidate.name, path: candidate.path, len });
                }
                // The header is durable before the first record is written, so there was none.
                Err(_) if candidate.file_len <= SEGMENT_HEADER as u64 => listing.leftovers.push(candidate.leftover()),
                Err(what) => return Err(damaged_header(&candidate.path, &what)),
            },
            Some(Some(previous)) if previous.number == candidate.name.number => {
                let header = candidate.header.map_err(|what| damaged_header(&candidate.path, &what))?;
                expected = Some(header.previous);
                listing.segments.push(Segment { name: candidate.name, path: candidate.path, len: previous.len });
            }
            Some(Some(previous)) if candidate.name.number < previous.number => {
                return Err(missing(dir, previous.number, listing.segments.last()));
            }
            Some(_) => listing.leftovers.push(candidate.leftover()),
        }
    }
    listing.segments.reverse();
    Ok(listing)
}

/// The files with names of segments, by number.
fn candidates(fs: &dyn FileSystem, dir: &Path) -> Result<Vec<Candidate>> {
    let cannot_list = |error| Error::io(format!("cannot list the log directory `{}`", dir.display()), error);
    let entries = list_if_exists(fs, dir).map_err(cannot_list)?;
    let mut candidates = Vec::new();
    for entry in entries.iter().filter(|entry| !entry.is_dir) {
        let Some(name) = SegmentName::parse(&entry.name) else { continue };
        let path = dir.join(&entry.name);
        let cannot_read = |error| Error::io(format!("cannot read the log segment `{}`", path.display()), error);
        let file = fs.open(&path).map_err(cannot_read)?;
        let file_len = file.len().map_err(cannot_read)?;
        let mut header = [0; SEGMENT_HEADER];
        let read = file.read_at(0, &mut header).map_err(cannot_read)?;
        let header = SegmentHeader::decode(&header[..read], name);
        candidates.push(Candidate { name, path, file_len, header });
    }
    // By number: sorted as text, 10 would come before 9.
    candidates.sort_by_key(|candidate| candidate.name.number);
    Ok(candidates)
}

/// Reads the last segment to the end of its sound part.
fn valid_len(fs: &dyn FileSystem, last: &Candidate) -> Result<u64> {
    let cannot_read = |error| Error::io(format!("cannot read the log segment `{}`", last.path.display()), error);
    let file = fs.open(&last.path).map_err(cannot_read)?;
    let mut scan = Scan::new(file, last.path.clone(), last.name.number, Extent::Open)?;
    while scan.next()?.is_some() {}
    Ok(scan.offset())
}

fn damaged_header(path: &Path, what: &str) -> Error {
    Error::damaged(format!(
        "the log segment `{}` is damaged at offset 0: {what}; restore the file from a copy, or move the log's directory \
         away to start without its records",
        path.display()
    ))
}

fn missing(dir: &Path, number: u64, after: Option<&Segment>) -> Error {
    let named_by = after.map_or_else(String::new, |segment| format!(", which `{}` follows", segment.path.display()));
    Error::damaged(format!(
        "the log segment number {number}{named_by}, is missing in `{}`; restore the file from a copy, or move the \
         directory away to start without its records",
        dir.display()
    ))
}
