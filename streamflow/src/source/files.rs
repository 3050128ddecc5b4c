//! Files that appear in a directory.
//!
//! A batch reads the files that [`Selection`] gives it; its range is their paths, lengths and modification times, so that a
//! batch that is run again reads the same bytes. A file is expected to be complete when it appears: write it elsewhere in
//! the same file system and move it in. What is appended later is not read.
//!
//! *Cost*: the pieces of a batch are read in parallel; a large file is cut into pieces at line ends.
//! *Failure*: a file that is gone, or shorter than it was when it was selected, fails its batch.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use memchr::memchr;

use super::file_selection::{Directories, Filter, SelectedFile, Selection, modified, not_hidden};
use super::lines::{BadLines, LinePolicy, LineStats};
use super::{Source, SourceCx, encode};
use crate::error::{Error, Result};
use crate::record::{BytesBlock, Record, TextBlock};
use crate::run::guard;
use crate::time::{BatchTime, lock};

/// A file is not cut into pieces smaller than this: opening it costs more than it would save.
const MIN_PIECE_BYTES: u64 = 1 << 20;

/// A piece must fit into a block of text, whose limit is 4 GiB.
const MAX_PIECE_BYTES: u64 = 1 << 30;

/// Which files are read, and how.
///
/// # Examples
/// ```
/// use streamflow::source::FileOptions;
///
/// let options = FileOptions::new()
///     .new_files_only(false)
///     .filter(|path| path.extension().is_some_and(|extension| extension == "log"));
/// # let _ = options;
/// ```
#[derive(Clone)]
pub struct FileOptions {
    filter: Filter,
    new_files_only: bool,
    remember: Duration,
    must_exist: bool,
    lines: LinePolicy,
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            filter: Arc::new(not_hidden),
            new_files_only: true,
            remember: Duration::from_secs(60),
            must_exist: true,
            lines: LinePolicy { bad: BadLines::default(), max_bytes: usize::MAX, stats: LineStats::new() },
        }
    }
}

impl FileOptions {
    /// The defaults: new files only, none whose name begins with a dot.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the files for which `accept` holds, instead of those whose name does not begin with a dot.
    #[must_use]
    pub fn filter(mut self, accept: impl Fn(&Path) -> bool + Send + Sync + 'static) -> Self {
        self.filter = Arc::new(accept);
        self
    }

    /// Whether files that were modified before the start are ignored; `true` by default. With `false` the first batch also
    /// reads older files, as far back as [`remember`](Self::remember).
    #[must_use]
    pub fn new_files_only(mut self, new_files_only: bool) -> Self {
        self.new_files_only = new_files_only;
        self
    }

    /// How long after its modification time a file is still found, rounded up to whole batches; 60 s by default. Files that
    /// were read are remembered as long.
    ///
    /// **Source**: Spark's `fileStream.minRememberDuration`.
    #[must_use]
    pub fn remember(mut self, duration: Duration) -> Self {
        self.remember = duration;
        self
    }

    /// Whether the directory must be there when the context starts; `true` by default, so that a misspelt name is an error
    /// and not a program that waits for ever. With `false` it may appear later, as the directories of a pattern may in any
    /// case. While a directory cannot be listed batches are empty, and the input has an error.
    ///
    /// **Source**: Spark never asks; it warns in its log, batch after batch.
    #[must_use]
    pub fn must_exist(mut self, must_exist: bool) -> Self {
        self.must_exist = must_exist;
        self
    }

    /// What is done with lines that are not UTF-8 or too long; [`BadLines::Replace`] by default. With [`BadLines::Stop`] the
    /// batch fails.
    #[must_use]
    pub fn bad_lines(mut self, bad: BadLines) -> Self {
        self.lines.bad = bad;
        self
    }

    /// The longest line in bytes, without its end; no limit by default, since a file has an end.
    #[must_use]
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.lines.max_bytes = bytes;
        self
    }

    /// Counts the lines here. A batch that is run again counts again.
    #[must_use]
    pub fn stats(mut self, stats: &LineStats) -> Self {
        self.lines.stats = stats.clone();
        self
    }
}

impl std::fmt::Debug for FileOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileOptions")
            .field("new_files_only", &self.new_files_only)
            .field("remember", &self.remember)
            .field("must_exist", &self.must_exist)
            .field("lines", &self.lines)
            .finish_non_exhaustive()
    }
}

/// How the bytes of a file become records.
pub(super) trait Decode: Send + Sync + 'static {
    type Record: Record + ?Sized;
    /// Whether a file may be cut at line ends.
    const LINES: bool;
    fn decode(&self, path: &Path, bytes: Vec<u8>) -> Result<<Self::Record as Record>::Block>;
}

/// Lines of text.
pub(super) struct Lines(LinePolicy);

impl Decode for Lines {
    type Record = str;
    const LINES: bool = true;

    fn decode(&self, path: &Path, bytes: Vec<u8>) -> Result<TextBlock> {
        self.0.block(bytes).map_err(|error| Error::input(format!("cannot read `{}`", path.display())).because(error))
    }
}

/// Records of a fixed length.
pub(super) struct FixedRecords {
    record_len: usize,
}

impl Decode for FixedRecords {
    type Record = [u8];
    const LINES: bool = false;

    fn decode(&self, path: &Path, bytes: Vec<u8>) -> Result<BytesBlock> {
        let decoded = BytesBlock::chunks(bytes, self.record_len);
        decoded.map_err(|error| Error::invalid(format!("cannot read `{}`", path.display())).because(error))
    }
}

/// A function of the user's.
pub(super) struct Function<F>(F);

impl<T, F> Decode for Function<F>
where
    T: Send + Sync + 'static,
    F: Fn(&Path, Vec<u8>) -> Result<Vec<T>> + Send + Sync + 'static,
{
    type Record = T;
    const LINES: bool = false;

    fn decode(&self, path: &Path, bytes: Vec<u8>) -> Result<Vec<T>> {
        (self.0)(path, bytes)
    }
}

/// The files of a directory as a source.
pub(super) struct FileSource<D> {
    selection: Selection,
    must_exist: bool,
    decode: D,
    parallelism: usize,
    /// How long files are remembered; known at the start.
    memory: Duration,
}

impl<D: Decode> FileSource<D> {
    fn new(path: &str, options: &FileOptions, decode: D) -> Result<Self> {
        if options.lines.max_bytes == 0 {
            return Err(Error::invalid("with `max_line_bytes(0)` every line is too long: use one or more"));
        }
        let directories = Directories::parse(path)?;
        let selection =
            Selection::new(directories, Arc::clone(&options.filter), options.new_files_only, options.remember);
        Ok(Self { selection, must_exist: options.must_exist, decode, parallelism: 1, memory: Duration::ZERO })
    }

    /// The pieces of the files, each to become a partition.
    fn pieces<'f>(&self, files: &'f [SelectedFile]) -> Result<Vec<Piece<'f>>> {
        let total: u64 = files.iter().map(SelectedFile::bytes).sum();
        let target = (total / self.parallelism.max(1) as u64 + 1).clamp(MIN_PIECE_BYTES, MAX_PIECE_BYTES);
        let mut pieces = Vec::with_capacity(files.len());
        for file in files {
            if D::LINES && file.bytes() > target {
                pieces.extend(cut(file, target).map_err(|error| unreadable(file, error))?);
            } else {
                pieces.push(Piece { file, bytes: 0..file.bytes() });
            }
        }
        Ok(pieces)
    }
}

impl FileSource<Lines> {
    pub(super) fn lines(path: &str, options: &FileOptions) -> Result<Self> {
        Self::new(path, options, Lines(options.lines.clone()))
    }
}

impl FileSource<FixedRecords> {
    pub(super) fn fixed_records(path: &str, record_len: usize) -> Result<Self> {
        if record_len == 0 {
            return Err(Error::invalid("records of zero bytes cannot be read: use a length of one or more"));
        }
        Self::new(path, &FileOptions::new(), FixedRecords { record_len })
    }
}

impl<T, F> FileSource<Function<F>>
where
    T: Send + Sync + 'static,
    F: Fn(&Path, Vec<u8>) -> Result<Vec<T>> + Send + Sync + 'static,
{
    pub(super) fn decoded(path: &str, options: &FileOptions, decode: F) -> Result<Self> {
        Self::new(path, options, Function(decode))
    }
}

impl<D: Decode> Source for FileSource<D> {
    type Record = D::Record;
    type Range = Vec<SelectedFile>;

    fn start(&mut self, cx: &SourceCx) -> Result<()> {
        if self.must_exist {
            self.selection.check_directory()?;
        }
        self.parallelism = cx.parallelism;
        self.memory = self.selection.remembered(cx.batch_interval);
        self.selection.start(cx);
        Ok(())
    }

    fn next_range(&mut self, batch: BatchTime) -> Result<Self::Range> {
        Ok(self.selection.select(batch))
    }

    fn is_recoverable(&self) -> bool {
        true
    }

    fn encode_range(&self, files: &Self::Range) -> Result<Vec<u8>> {
        encode(files)
    }

    fn decode_range(&mut self, _: &SourceCx, bytes: &[u8]) -> Result<Self::Range> {
        super::decode(bytes)
    }

    fn range_memory(&self) -> Duration {
        self.memory
    }

    fn resume(&mut self, _: &SourceCx, ranges: &[(BatchTime, Self::Range)]) -> Result<()> {
        self.selection.resume(ranges);
        Ok(())
    }

    fn read(&mut self, files: &Self::Range) -> Result<Vec<<D::Record as Record>::Block>> {
        let pieces = self.pieces(files)?;
        let decode = &self.decode;
        in_parallel(self.parallelism, &pieces, |piece| {
            let bytes = piece.read().map_err(|error| unreadable(piece.file, error))?;
            // A function of the user's may panic.
            guard(|| decode.decode(piece.file.path(), bytes))?
        })
    }
}

/// A part of a file that becomes a partition.
struct Piece<'f> {
    file: &'f SelectedFile,
    bytes: Range<u64>,
}

impl Piece<'_> {
    fn read(&self) -> io::Result<Vec<u8>> {
        let mut file = File::open(self.file.path())?;
        let metadata = file.metadata()?;
        if metadata.len() >= self.bytes.end && modified(&metadata)? != self.file.modified() {
            let path = self.file.path().display();
            tracing::warn!(%path, "the file was modified after it was selected; write files elsewhere and move them in");
        }
        let length = self.bytes.end - self.bytes.start;
        file.seek(SeekFrom::Start(self.bytes.start))?;
        // The length is of the file system, not of the content; it still must not decide what is reserved beyond reason.
        let mut bytes = Vec::with_capacity(length.min(MAX_PIECE_BYTES) as usize);
        file.take(length).read_to_end(&mut bytes)?;
        if (bytes.len() as u64) < length {
            let (was, is) = (self.file.bytes(), self.bytes.start + bytes.len() as u64);
            let why = format!("it had {was} bytes when it was selected and now has {is}");
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, why));
        }
        Ok(bytes)
    }
}

fn unreadable(file: &SelectedFile, error: io::Error) -> Error {
    let advice = "a file must stay as it is until its batch is done";
    Error::io(format!("cannot read `{}`: {error}; {advice}", file.path().display()), error)
}

/// Cuts a file into pieces of about `target` bytes that end after a line.
fn cut(file: &SelectedFile, target: u64) -> io::Result<Vec<Piece<'_>>> {
    let mut reader = File::open(file.path())?;
    let mut pieces = Vec::new();
    let mut start = 0;
    while start < file.bytes() {
        let end = match start + target {
            end if end < file.bytes() => line_end(&mut reader, end, file.bytes())?,
            _ => file.bytes(),
        };
        pieces.push(Piece { file, bytes: start..end });
        start = end;
    }
    Ok(pieces)
}

/// The first position from `from` on that follows a line end, at most `length`.
fn line_end(reader: &mut File, from: u64, length: u64) -> io::Result<u64> {
    let mut chunk = [0; 8 << 10];
    // From the byte before on: if that is a line end, `from` is the place.
    let mut position = from - 1;
    reader.seek(SeekFrom::Start(position))?;
    while position < length {
        let count = reader.read(&mut chunk)?;
        if count == 0 {
            break;
        }
        if let Some(found) = memchr(b'\n', &chunk[..count]) {
            return Ok((position + found as u64 + 1).min(length));
        }
        position += count as u64;
    }
    Ok(length)
}

/// Calls `work` for all items on up to `threads` threads, and returns the results in order, or the first error.
fn in_parallel<I: Sync, R: Send>(threads: usize, items: &[I], work: impl Fn(&I) -> Result<R> + Sync) -> Result<Vec<R>> {
    let threads = threads.min(items.len());
    if threads <= 1 {
        return items.iter().map(work).collect();
    }
    let next = AtomicUsize::new(0);
    let results: Vec<std::sync::Mutex<Option<Result<R>>>> = items.iter().map(|_| std::sync::Mutex::default()).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(index) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|index| *index < items.len())
                {
                    *lock(&results[index]) = Some(work(&items[index]));
                }
            });
        }
    });
    results.into_iter().map(|result| lock(&result).take().expect("every item was worked on")).collect()
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
