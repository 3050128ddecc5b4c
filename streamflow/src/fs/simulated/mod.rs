//! A file system in memory that crashes and fails when it is told to.

mod disk;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use self::disk::{Disk, Inode};
use super::random::Random;
use super::{Entry, File, FileSystem, Locking};
use crate::time::lock;

/// A file system in memory, for tests of what a program does when the disk fails or the power is lost.
///
/// It counts its operations: every create, open, write, read, sync, rename, remove and so on is one. A test lets a program
/// run once undisturbed, asks for the number of [`operations`](Self::operations), and then runs it again for every `k`
/// below that number with a crash or an error at operation `k`. All choices follow from the seed, so a run that failed can be repeated.
///
/// What a crash may do, it does: data that was not synced is lost, or kept, or torn at any byte, or stands in the file
/// as zeros or garbage of the right length; each create, rename and remove that no sync of the directory covers is kept or
/// undone, whatever happens to the others. A sync that failed has written any part of the data, and no later sync writes
/// the rest.
///
/// Clones are the same file system; [`copy`](Self::copy) makes another.
///
/// # Examples
/// ```
/// use streamflow::testing::SimulatedFs;
///
/// let fs = SimulatedFs::new(1);
/// fs.put("data/numbers", b"1 2 3");
/// let damaged = fs.copy();
/// damaged.put("data/numbers", b"1 2 4");
/// assert_eq!(fs.contents("data/numbers").unwrap(), b"1 2 3");
/// assert_eq!(damaged.files("data"), ["numbers"]);
/// assert_eq!(fs.operations(), 0, "the test's own doings are not counted");
/// ```
#[derive(Clone)]
pub struct SimulatedFs(Arc<Mutex<Inner>>);

struct Inner {
    disk: Disk,
    seed: u64,
    random: Random,
    fault: Option<Fault>,
    crashed: bool,
    /// The notes of the locks that are held. They are gone with the process, so no copy of the file system has them.
    locks: HashMap<PathBuf, String>,
    /// What each operation was.
    trace: Vec<String>,
}

/// The errors that [`SimulatedFs`] can produce.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum IoFailure {
    /// ENOSPC: the disk is full. Only operations that may need space fail so; a write may have written a part.
    NoSpace,
    /// EIO: the disk is failing. A write may have written a part; a change of a name may have been made in spite of the
    /// error.
    Device,
}

impl IoFailure {
    fn error(self) -> io::Error {
        match self {
            Self::NoSpace => io::Error::new(io::ErrorKind::StorageFull, "no space left on device (simulated)"),
            Self::Device => io::Error::other("input/output error (simulated)"),
        }
    }
}

#[derive(Clone, Copy)]
enum Fault {
    CrashAt(u64),
    Fail { from: u64, once: bool, failure: IoFailure },
}

/// What an operation may do.
enum Verdict {
    Proceed,
    /// The operation takes place, as far as the crash lets it, and its caller hears nothing any more.
    Crash,
    Fail(IoFailure),
}

/// What an operation does to the disk, as far as failures differ.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Reads: a full disk does not matter.
    Read,
    /// Frees space, if anything.
    Remove,
    /// May need space.
    Write,
}

impl SimulatedFs {
    /// An empty file system. The seed decides what crashes and failures leave.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self::with_disk(Disk::new(), seed)
    }

    fn with_disk(disk: Disk, seed: u64) -> Self {
        let random = Random::new(seed);
        let (locks, trace) = (HashMap::new(), Vec::new());
        Self(Arc::new(Mutex::new(Inner { disk, seed, random, fault: None, crashed: false, locks, trace })))
    }

    /// Crashes at the operation with this number, counted from zero: it may or may not take place, and it and all later
    /// ones return an error.
    pub fn crash_at(&self, operation: u64) {
        lock(&self.0).fault = Some(Fault::CrashAt(operation));
    }

    /// Lets the operation with this number fail, and no other. A full disk lets operations pass that need no space.
    pub fn fail_at(&self, operation: u64, failure: IoFailure) {
        lock(&self.0).fault = Some(Fault::Fail { from: operation, once: true, failure });
    }

    /// Lets operations fail from this number on, until [`repair`](Self::repair).
    pub fn fail_from(&self, operation: u64, failure: IoFailure) {
        lock(&self.0).fault = Some(Fault::Fail { from: operation, once: false, failure });
    }

    /// Takes back what [`fail_at`](Self::fail_at) and [`fail_from`](Self::fail_from) have ordered.
    pub fn repair(&self) {
        lock(&self.0).fault = None;
    }

    /// How many operations there were.
    #[must_use]
    pub fn operations(&self) -> u64 {
        lock(&self.0).trace.len() as u64
    }

    /// What the operation with this number was, for the message of a failed test.
    #[must_use]
    pub fn operation(&self, number: u64) -> Option<String> {
        lock(&self.0).trace.get(usize::try_from(number).ok()?).cloned()
    }

    /// Whether the crash has taken place.
    #[must_use]
    pub fn has_crashed(&self) -> bool {
        lock(&self.0).crashed
    }

    /// The file system after a loss of power at this moment: what was not synced may be lost, as the seed decides.
    #[must_use]
    pub fn recover(&self) -> Self {
        let inner = lock(&self.0);
        let mut random = inner.random.clone();
        Self::with_disk(inner.disk.crash(&mut random), random.next())
    }

    /// The file system after the process was killed at this moment: nothing is lost, but nothing is safer than before.
    #[must_use]
    pub fn restart(&self) -> Self {
        let inner = lock(&self.0);
        Self::with_disk(inner.disk.clone(), inner.random.clone().next())
    }

    /// Another file system that holds the same, without ordered faults.
    #[must_use]
    pub fn copy(&self) -> Self {
        let inner = lock(&self.0);
        Self::with_disk(inner.disk.clone(), inner.seed)
    }

    /// The bytes of a file.
    #[must_use]
    pub fn contents(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let inner = lock(&self.0);
        let file = inner.disk.resolve(path.as_ref()).ok()?;
        inner.disk.bytes(file).ok().map(<[u8]>::to_vec)
    }

    /// Puts a durable file in the place of what is there, and makes the directories above it.
    ///
    /// # Panics
    /// If the path is that of a directory, or goes through a file.
    pub fn put(&self, path: impl AsRef<Path>, bytes: &[u8]) {
        let path = path.as_ref();
        lock(&self.0).disk.put(path, bytes).unwrap_or_else(|error| panic!("cannot put `{}`: {error}", path.display()));
    }

    /// The names in a directory, sorted; none if it does not exist.
    #[must_use]
    pub fn files(&self, dir: impl AsRef<Path>) -> Vec<String> {
        let entries = lock(&self.0).disk.list(dir.as_ref()).unwrap_or_default();
        entries.into_iter().map(|entry| entry.name).collect()
    }

    /// Counts an operation on names and carries it out, if it may be.
    fn names<T>(
        &self,
        what: &str,
        path: &Path,
        kind: Kind,
        act: impl FnOnce(&mut Disk) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut inner = lock(&self.0);
        match inner.step(format!("{what} {}", path.display()), kind)? {
            Verdict::Proceed => act(&mut inner.disk),
            Verdict::Crash => {
                let _ = act(&mut inner.disk);
                Err(crashed())
            }
            Verdict::Fail(failure) => {
                if failure == IoFailure::Device && kind != Kind::Read && inner.random.one_in(2) {
                    let _ = act(&mut inner.disk);
                }
                Err(failure.error())
            }
        }
    }

    fn file(&self, path: &Path, inode: Inode) -> Box<dyn File> {
        Box::new(SimulatedFile { fs: self.clone(), inode, path: path.display().to_string() })
    }
}

impl Inner {
    /// Counts an operation and decides what becomes of it.
    fn step(&mut self, what: String, kind: Kind) -> io::Result<Verdict> {
        if self.crashed {
            return Err(crashed());
        }
        let number = self.trace.len() as u64;
        self.trace.push(what);
        Ok(match self.fault {
            Some(Fault::CrashAt(at)) if at == number => {
                self.crashed = true;
                Verdict::Crash
            }
            Some(Fault::Fail { from, once, failure })
                if (number == from || number > from && !once)
                    && (failure == IoFailure::Device || kind == Kind::Write) =>
            {
                Verdict::Fail(failure)
            }
            _ => Verdict::Proceed,
        })
    }
}

fn crashed() -> io::Error {
    io::Error::other("the machine has crashed (simulated)")
}

impl FileSystem for SimulatedFs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let inode = self.names("create", path, Kind::Write, |disk| disk.create(path))?;
        Ok(self.file(path, inode))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        self.open(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let inode = self.names("open", path, Kind::Read, |disk| {
            let inode = disk.resolve(path)?;
            disk.bytes(inode).map(|_| inode)
        })?;
        Ok(self.file(path, inode))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.names(&format!("rename {} to", from.display()), to, Kind::Write, |disk| disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.names("remove", path, Kind::Remove, |disk| disk.remove(path))
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        self.names("remove directory", path, Kind::Remove, |disk| disk.remove_dir_all(path))
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.names("create directory", path, Kind::Write, |disk| disk.create_dir_all(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        self.names("list", dir, Kind::Read, |disk| disk.list(dir))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        self.names("look for", path, Kind::Read, |disk| disk.exists(path))
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut inner = lock(&self.0);
        match inner.step(format!("sync directory {}", dir.display()), Kind::Write)? {
            Verdict::Proceed => inner.disk.sync_dir(dir),
            Verdict::Crash => Err(crashed()),
            Verdict::Fail(failure) => Err(failure.error()),
        }
    }

    fn lock(&self, path: &Path, note: &str) -> io::Result<Locking> {
        let mut inner = lock(&self.0);
        match inner.step(format!("lock {}", path.display()), Kind::Write)? {
            Verdict::Proceed => {}
            Verdict::Crash => return Err(crashed()),
            Verdict::Fail(failure) => return Err(failure.error()),
        }
        if let Some(note) = inner.locks.get(path) {
            return Ok(Locking::Refused(Some(note.clone())));
        }
        inner.locks.insert(path.to_owned(), note.to_owned());
        Ok(Locking::Taken(Box::new(SimulatedLock { fs: self.clone(), path: path.to_owned() })))
    }
}

/// A lock that is held.
struct SimulatedLock {
    fs: SimulatedFs,
    path: PathBuf,
}

impl Drop for SimulatedLock {
    fn drop(&mut self) {
        lock(&self.fs.0).locks.remove(&self.path);
    }
}

/// An open file of a [`SimulatedFs`].
struct SimulatedFile {
    fs: SimulatedFs,
    inode: Inode,
    path: String,
}

impl File for SimulatedFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut inner = lock(&self.fs.0);
        match inner.step(format!("write {} bytes to {}", bytes.len(), self.path), Kind::Write)? {
            Verdict::Proceed => inner.disk.write(self.inode, bytes),
            Verdict::Crash => {
                inner.disk.write(self.inode, bytes)?;
                Err(crashed())
            }
            Verdict::Fail(failure) => {
                let written = inner.random.below(bytes.len() + 1);
                inner.disk.write(self.inode, &bytes[..written])?;
                Err(failure.error())
            }
        }
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut inner = lock(&self.fs.0);
        match inner.step(format!("read {} at {offset}", self.path), Kind::Read)? {
            Verdict::Proceed => {}
            Verdict::Crash => return Err(crashed()),
            Verdict::Fail(failure) => return Err(failure.error()),
        }
        let bytes = inner.disk.bytes(self.inode)?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
        let count = buffer.len().min(bytes.len() - from);
        buffer[..count].copy_from_slice(&bytes[from..from + count]);
        Ok(count)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut inner = lock(&self.fs.0);
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        match inner.step(format!("set the length of {} to {len}", self.path), Kind::Write)? {
            Verdict::Proceed => inner.disk.set_len(self.inode, len),
            Verdict::Crash => {
                inner.disk.set_len(self.inode, len)?;
                Err(crashed())
            }
            Verdict::Fail(failure) => Err(failure.error()),
        }
    }

    fn len(&self) -> io::Result<u64> {
        let mut inner = lock(&self.fs.0);
        match inner.step(format!("length of {}", self.path), Kind::Read)? {
            Verdict::Proceed => Ok(inner.disk.bytes(self.inode)?.len() as u64),
            Verdict::Crash => Err(crashed()),
            Verdict::Fail(failure) => Err(failure.error()),
        }
    }

    fn sync(&self) -> io::Result<()> {
        let mut inner = lock(&self.fs.0);
        match inner.step(format!("sync {}", self.path), Kind::Write)? {
            Verdict::Proceed => inner.disk.sync_file(self.inode),
            Verdict::Crash => Err(crashed()),
            Verdict::Fail(failure) => {
                let Inner { disk, random, .. } = &mut *inner;
                disk.fail_sync(self.inode, random)?;
                Err(failure.error())
            }
        }
    }
}

impl fmt::Debug for SimulatedFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = lock(&self.0);
        f.debug_struct("SimulatedFs")
            .field("seed", &inner.seed)
            .field("operations", &inner.trace.len())
            .field("crashed", &inner.crashed)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::fs::create_dir_durably;

    /// A file whose first half is durable and whose second is not, and a rename that is not.
    fn half_synced(seed: u64) -> SimulatedFs {
        let fs = SimulatedFs::new(seed);
        create_dir_durably(&fs, Path::new("dir")).unwrap();
        let mut file = fs.create(Path::new("dir/a")).unwrap();
        file.write_all(b"kept").unwrap();
        file.sync().unwrap();
        fs.sync_dir(Path::new("dir")).unwrap();
        file.write_all(b"lost").unwrap();
        fs.rename(Path::new("dir/a"), Path::new("dir/b")).unwrap();
        fs
    }

    #[test]
    fn a_crash_keeps_what_was_synced_and_any_part_of_the_rest() {
        let (mut names, mut contents) = (BTreeSet::new(), BTreeSet::new());
        for seed in 0..500 {
            let fs = half_synced(seed).recover();
            let files = fs.files("dir");
            assert_eq!(files.len(), 1, "the rename is done or undone: {files:?}");
            let bytes = fs.contents(format!("dir/{}", files[0])).unwrap();
            assert!(bytes.starts_with(b"kept") && bytes.len() <= 8);
            names.insert(files);
            contents.insert(bytes);
        }
        assert_eq!(names.len(), 2);
        for expected in [&b"kept"[..], b"keptl", b"keptlo", b"keptlos", b"keptlost", b"kept\0\0\0\0"] {
            assert!(contents.contains(expected), "{:?} was never left", String::from_utf8_lossy(expected));
        }
    }

    #[test]
    fn a_killed_process_loses_nothing_and_a_later_crash_may() {
        let lost = (0..100).filter(|&seed| {
            let after_kill = half_synced(seed).restart();
            assert_eq!(after_kill.contents("dir/b").unwrap(), b"keptlost");
            after_kill.recover().contents("dir/b").is_none()
        });
        assert!(lost.count() > 10);
    }

    #[test]
    fn after_the_crash_nothing_works_and_the_same_seed_leaves_the_same() {
        let run = |seed| {
            let fs = half_synced(seed);
            fs.crash_at(fs.operations());
            assert!(fs.sync_dir(Path::new("dir")).is_err());
            assert!(fs.has_crashed());
            assert!(fs.list(Path::new("dir")).is_err());
            let left = fs.recover();
            (left.files("dir"), left.contents("dir/a"), left.contents("dir/b"))
        };
        assert!((0..50).all(|seed| run(seed) == run(seed)));
    }

    #[test]
    fn a_sync_that_failed_is_not_made_good_by_the_next() {
        let lost = (0..100).filter(|&seed| {
            let fs = half_synced(seed);
            let file = fs.open(Path::new("dir/b")).unwrap();
            fs.fail_at(fs.operations(), IoFailure::Device);
            assert!(file.sync().is_err());
            file.sync().unwrap();
            fs.sync_dir(Path::new("dir")).unwrap();
            assert_eq!(fs.contents("dir/b").unwrap(), b"keptlost", "what a running program reads");
            fs.recover().contents("dir/b").unwrap() != b"keptlost"
        });
        assert!(lost.count() > 10);
    }

    #[test]
    fn a_full_disk_still_reads_and_removes() {
        let fs = half_synced(1);
        fs.fail_from(0, IoFailure::NoSpace);
        let mut file = fs.append(Path::new("dir/b")).unwrap();
        assert_eq!(file.write_all(b"more").unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(file.read_at(0, &mut [0; 4]).unwrap(), 4);
        fs.remove(Path::new("dir/b")).unwrap();
        fs.repair();
        fs.create(Path::new("dir/b")).unwrap();
        assert_eq!(fs.operation(fs.operations() - 1).unwrap(), "create dir/b");
    }

    #[test]
    fn a_lock_is_for_one_at_a_time_and_gone_with_the_process() {
        let fs = SimulatedFs::new(1);
        let path = Path::new("lock");
        let Locking::Taken(held) = fs.lock(path, "first").unwrap() else { panic!("nobody has it") };
        assert!(matches!(fs.lock(path, "second").unwrap(), Locking::Refused(Some(note)) if note == "first"));
        assert!(matches!(fs.restart().lock(path, "second").unwrap(), Locking::Taken(_)));
        drop(held);
        assert!(matches!(fs.lock(path, "second").unwrap(), Locking::Taken(_)));
    }

    #[test]
    fn directories_are_renamed_and_removed_whole() {
        let fs = SimulatedFs::new(3);
        fs.put("out/part/1", b"x");
        fs.rename(Path::new("out/part"), Path::new("out/done")).unwrap();
        assert_eq!(fs.contents("out/done/1").unwrap(), b"x");
        fs.remove_dir_all(Path::new("out")).unwrap();
        assert!(fs.files("").is_empty());
    }
}
