//! The file operations of outputs, behind one narrow trait, so that a test can put a file system under them that fails or
//! forgets like a real one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// What outputs need of a file system.
///
/// # Contract
/// What was written is durable after `sync` of the file, its name after `sync_dir` of its directory. `rename` is atomic.
pub(crate) trait FileSystem: Send + Sync + 'static {
    /// Creates a directory and those above it.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Creates a file, or empties the one that is there.
    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>>;
    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// Whether there is such a file or directory.
    fn exists(&self, path: &Path) -> io::Result<bool>;
    /// Gives a file or directory another name; what had the name must be an empty directory, a file, or nothing.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a directory with all that is in it.
    fn remove_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// A file being written.
pub(crate) trait WriteFile: Write + Send {
    /// Makes everything written so far durable.
    fn sync(&mut self) -> io::Result<()>;
}

impl WriteFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

/// The file system of the machine.
pub(crate) struct Disk;

impl FileSystem for Disk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn WriteFile>> {
        Ok(Box::new(File::create(path)?))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    #[cfg(unix)]
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    // Elsewhere a directory cannot be opened as a file; a rename is durable by itself or cannot be made so.
    #[cfg(not(unix))]
    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}
