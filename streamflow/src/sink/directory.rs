//! A directory of files per batch that is there as a whole or not at all.
//!
//! ```text
//!   .counts-1000.txt.writing/part-00000 …, _SUCCESS   written, every file and the directory made durable
//!   counts-1000.txt                                    by one rename; a directory of an earlier run is moved aside first
//! ```
//!
//! *Failure*: a crash leaves a hidden directory, which the next run of the batch removes. If it comes between the two
//! renames of a re-run, the batch's directory is absent until the batch is run again, which its log will ask for.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::fs::{self, FileSystem};
use crate::run::Run;
use crate::time::BatchTime;

/// Names the directories of an output and writes them.
pub(super) struct BatchDirectory {
    prefix: String,
    suffix: String,
}

impl BatchDirectory {
    pub(super) fn new(prefix: String, suffix: String) -> Self {
        Self { prefix, suffix }
    }

    /// `prefix-<ms>[.suffix]`, and `<ms>[.suffix]` for an empty prefix.
    pub(super) fn path(&self, batch: BatchTime) -> PathBuf {
        let millis = batch.as_millis();
        let mut name = match self.prefix.as_str() {
            "" => millis.to_string(),
            prefix => format!("{prefix}-{millis}"),
        };
        if !self.suffix.is_empty() {
            name = format!("{name}.{}", self.suffix);
        }
        name.into()
    }

    /// Writes the directory of a batch: `part` writes the file of each of `parts` partitions, in parallel.
    pub(super) fn write(
        &self,
        run: &Run<'_>,
        parts: usize,
        weight: usize,
        part: impl Fn(usize, &mut dyn Write) -> io::Result<()> + Sync,
    ) -> Result<()> {
        let (fs, target) = (&**run.fs(), self.path(run.time()));
        let failed =
            |error| Error::io(format!("cannot save the batch as `{}`", target.display()), error).in_batch(run.time());
        let staging = beside(&target, "writing");
        prepare(fs, &staging).map_err(failed)?;
        let written = run.tasks(parts, weight, &|task| {
            let path = staging.join(format!("part-{:05}", task.partition));
            write_file(fs, &path, |file| part(task.partition, file))
        });
        let parts_written = written.and_then(|parts| parts.into_iter().collect::<io::Result<()>>().map_err(failed));
        parts_written.and_then(|()| publish(fs, &staging, &target).map_err(failed)).inspect_err(|_| {
            // What is left of it is in nobody's way; the next attempt removes it too.
            let _ = fs.remove_dir_all(&staging);
        })
    }
}

/// An empty directory to write in.
fn prepare(fs: &dyn FileSystem, staging: &Path) -> io::Result<()> {
    if fs.exists(staging)? {
        fs.remove_dir_all(staging)?;
    }
    fs::create_dir_durably(fs, parent(staging))?;
    fs.create_dir_all(staging)
}

fn write_file(fs: &dyn FileSystem, path: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut file = BufWriter::with_capacity(64 << 10, fs.create(path)?);
    fill(&mut file)?;
    file.into_inner().map_err(io::IntoInnerError::into_error)?.sync()
}

/// Gives a written directory its name.
fn publish(fs: &dyn FileSystem, staging: &Path, target: &Path) -> io::Result<()> {
    write_file(fs, &staging.join("_SUCCESS"), |_| Ok(()))?;
    fs.sync_dir(staging)?;
    let old = beside(target, "old");
    if fs.exists(&old)? {
        fs.remove_dir_all(&old)?;
    }
    let replaced = fs.exists(target)?;
    if replaced {
        fs.rename(target, &old)?;
    }
    fs.rename(staging, target).inspect_err(|_| {
        if replaced {
            // The earlier run's directory is better than none; if it cannot come back, the batch's own re-run makes one.
            let _ = fs.rename(&old, target);
        }
    })?;
    fs.sync_dir(parent(target))?;
    if replaced {
        fs.remove_dir_all(&old)?;
    }
    Ok(())
}

/// A hidden name in the same directory: `.name.what`.
fn beside(target: &Path, what: &str) -> PathBuf {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    target.with_file_name(format!(".{name}.{what}"))
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
