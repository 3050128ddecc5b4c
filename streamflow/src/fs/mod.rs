//! The files of logs, checkpoints and outputs, behind one narrow trait.
//!
//! Nothing that must survive a crash touches files in any other way, so a test can put a [`SimulatedFs`] in the place of
//! the [`RealFs`], count the operations, and let every one of them fail or be the last.
//!
//! What the trait promises is what a file system promises, and no more:
//!
//! * Written bytes survive a crash after [`File::sync`]; until then any part of them may be lost.
//! * A created, renamed or removed name survives after [`FileSystem::sync_dir`] of its directory; until then each change may
//!   be undone, whatever becomes of the others.
//! * A rename is atomic: its target is the old file or the new one.

pub(crate) mod buffered;
mod random;
mod real;
pub(crate) mod simulated;

use std::any::Any;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(crate) use self::buffered::BufferedReads;
#[cfg(test)]
pub(crate) use self::random::Random;
pub(crate) use self::real::RealFs;
pub use self::simulated::{IoFailure, SimulatedFs};

/// A file system that several owners share.
pub(crate) type SharedFs = Arc<dyn FileSystem>;

/// Operations on names.
pub(crate) trait FileSystem: fmt::Debug + Send + Sync + 'static {
    /// Makes a new file and opens it for writing. Fails if the name exists.
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Opens a file that exists; what is written goes to its end.
    fn append(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn File>>;
    /// Gives a file or directory another name. A file at the target is replaced.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Removes a directory and what is in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes a directory and the directories above it, as far as they are missing.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// What is in a directory, sorted by name.
    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>>;
    /// Whether the name exists.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;
    /// Takes the lock of this name, for which a file may be made, and leaves a note for those who want it too.
    fn lock(&self, path: &Path, note: &str) -> io::Result<Locking>;
}

/// What became of taking a lock.
pub(crate) enum Locking {
    /// Nobody else has it, in this process neither, until this is dropped or the process ends in whatever way.
    Taken(Box<dyn Any + Send + Sync>),
    /// Another has it, whose note this is, if it can be read.
    Refused(Option<String>),
}

/// An open file.
pub(crate) trait File: Send + Sync {
    /// Writes all bytes at the end. After an error any part of them may have been written.
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Reads at an offset; fewer bytes than asked for only at the end of the file.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
    /// Cuts or extends the file.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Returns when what was written is durable.
    ///
    /// After an error nothing is known, and asking again is useless: the system may have dropped what it could not write,
    /// and a second call then succeeds without it.
    fn sync(&self) -> io::Result<()>;
}

/// For formatted and buffered writing.
impl io::Write for Box<dyn File> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        File::write_all(&mut **self, bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A name in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The last part of the path. Names that are not UTF-8 are left out: none of ours is.
    pub(crate) name: String,
    pub(crate) is_dir: bool,
}

/// Makes a directory that will still be there after a crash.
///
/// All directories on the path are made durable, also those that existed: a process that was killed may have made them and
/// not come to the sync. One that we may not read is left out; we have not made it.
pub(crate) fn create_dir_durably(fs: &dyn FileSystem, dir: &Path) -> io::Result<()> {
    fs.create_dir_all(dir)?;
    let parents: Vec<PathBuf> = std::iter::successors(parent(dir), |above| parent(above)).collect();
    // From the top: a durable directory under one that is lost would be of no use.
    for parent in parents.iter().rev() {
        match fs.sync_dir(parent) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// What is in a directory; nothing if it does not exist.
pub(crate) fn list_if_exists(fs: &dyn FileSystem, dir: &Path) -> io::Result<Vec<Entry>> {
    match fs.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed,
    }
}

/// The directory that holds the name; `.` for a single relative name.
fn parent(path: &Path) -> Option<PathBuf> {
    let parent = path.parent().filter(|_| path != Path::new("."))?;
    Some(if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_path_buf() })
}
