//! The file system of the machine.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use super::{Entry, File, FileSystem, Locking};

/// The file system of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RealFs;

struct RealFile(fs::File);

impl FileSystem for RealFs {
    fn create(&self, path: &Path) -> io::Result<Box<dyn File>> {
        let file = fs::OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn File>> {
        // `set_len` needs write access, which `append` alone does not give on every system.
        let mut file = fs::OpenOptions::new().read(true).write(true).open(path)?;
        io::Seek::seek(&mut file, io::SeekFrom::End(0))?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn File>> {
        Ok(Box::new(RealFile(fs::File::open(path)?)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if let Ok(name) = entry.file_name().into_string() {
                entries.push(Entry { name, is_dir: entry.file_type()?.is_dir() });
            }
        }
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        path.try_exists()
    }

    fn lock(&self, path: &Path, note: &str) -> io::Result<Locking> {
        let mut file = fs::OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Ok(()) => {
                // The note is for people who meet the lock; it is no reason to fail.
                let _ = file.set_len(0).and_then(|()| file.write_all(note.as_bytes()));
                Ok(Locking::Taken(Box::new(file)))
            }
            // Some systems let nobody else read a locked file.
            Err(fs::TryLockError::WouldBlock) => {
                Ok(Locking::Refused(io::read_to_string(file).ok().filter(|note| !note.is_empty())))
            }
            Err(fs::TryLockError::Error(error)) => Err(error),
        }
    }

    #[cfg(unix)]
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        match fs::File::open(dir)?.sync_all() {
            // The file system does not know such a sync: it orders changes of names by itself, or cannot.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            synced => synced,
        }
    }

    /// Other systems cannot open directories; their file systems order changes of names by a journal.
    #[cfg(not(unix))]
    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl File for RealFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match read_some(&self.0, offset + filled as u64, &mut buffer[filled..]) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn sync(&self) -> io::Result<()> {
        // The length belongs to the data: a sync of the data makes it durable too.
        self.0.sync_data()
    }
}

#[cfg(unix)]
fn read_some(file: &fs::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, offset)
}

#[cfg(windows)]
fn read_some(file: &fs::File, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_for_one_at_a_time() {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("lock");
        let Locking::Taken(held) = RealFs.lock(&path, "a long note").unwrap() else { panic!("nobody has it") };
        let Locking::Refused(note) = RealFs.lock(&path, "me").unwrap() else { panic!("it is taken") };
        #[cfg(unix)]
        assert_eq!(note.unwrap(), "a long note");
        drop(held);
        assert!(matches!(RealFs.lock(&path, "me").unwrap(), Locking::Taken(_)));
        #[cfg(unix)]
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "me");
    }

    #[test]
    fn does_what_the_trait_says() {
        let scratch = tempfile::tempdir().unwrap();
        let fs = RealFs;
        let dir = scratch.path().join("a/b");
        super::super::create_dir_durably(&fs, &dir).unwrap();
        let path = dir.join("file");
        let mut file = fs.create(&path).unwrap();
        file.write_all(b"hello, world").unwrap();
        file.sync().unwrap();
        assert_eq!(fs.create(&path).err().unwrap().kind(), io::ErrorKind::AlreadyExists);
        file.set_len(5).unwrap();
        let mut again = fs.append(&path).unwrap();
        write!(&mut again, "!").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"hello!");
        let mut buffer = [0; 16];
        let read = fs.open(&path).unwrap().read_at(1, &mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"ello!");
        assert_eq!(again.len().unwrap(), 6);
        fs.rename(&path, &dir.join("other")).unwrap();
        fs.sync_dir(&dir).unwrap();
        assert_eq!(fs.list(&dir).unwrap(), [Entry { name: "other".to_owned(), is_dir: false }]);
        assert!(!fs.exists(&path).unwrap());
        fs.remove(&dir.join("other")).unwrap();
        fs.remove_dir_all(&dir).unwrap();
        assert!(fs.exists(&scratch.path().join("a")).unwrap());
    }
}
