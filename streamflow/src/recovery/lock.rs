//! One running program for a checkpoint directory.

use std::any::Any;
use std::fmt;
use std::io;
use std::path::Path;

use crate::error::{Error, Result};
use crate::fs::{Locking, SharedFs};

/// Keeps others out of a checkpoint directory until it is dropped. The system drops it for a process that was killed.
pub(crate) struct DirectoryLock(Option<Box<dyn Any + Send + Sync>>);

impl DirectoryLock {
    /// Locks the directory, which is made if it does not exist, for the program of this name.
    ///
    /// # Errors
    /// [`IllegalState`](crate::ErrorKind::IllegalState): another program, or another context of this process, has it. Or the
    /// directory cannot be written.
    pub(crate) fn take(files: &SharedFs, dir: &Path, program: &str) -> Result<Self> {
        let process = format!("process {}", std::process::id());
        let locking =
            files.create_dir_all(dir).and_then(|()| files.lock(&dir.join("lock"), &format!("{process} (`{program}`)")));
        match locking {
            Ok(Locking::Taken(lock)) => Ok(Self(Some(lock))),
            Ok(Locking::Refused(note)) => {
                let holder = match note.as_deref().map(|note| (note, note.strip_prefix(&process))) {
                    Some((_, Some(program))) => format!("another context of this process{program}"),
                    Some((note, None)) => note.to_owned(),
                    None => "another process".to_owned(),
                };
                Err(Error::illegal_state(format!(
                    "the checkpoint directory `{}` is in use by {holder}: it belongs to one running program at a time; \
                     stop the other one, or use another directory",
                    dir.display()
                )))
            }
            Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                tracing::warn!(
                    dir = %dir.display(),
                    "this file system has no locks, so nothing keeps a second program out of the checkpoint directory"
                );
                Ok(Self(None))
            }
            Err(error) => Err(Error::io(format!("cannot lock the checkpoint directory `{}`", dir.display()), error)),
        }
    }
}

impl fmt::Debug for DirectoryLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("DirectoryLock").field(&self.0.is_some()).finish()
    }
}
