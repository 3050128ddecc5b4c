//! Which files a batch reads: Spark's rule.
//!
//! A file is selected for the batch at `t` when the filter accepts it, its modification time lies in `(threshold, t]`, and
//! no remembered batch has selected it. The threshold is the later of the start of the context (zero if old files are
//! wanted too) and `t - remember`, where `remember` is 60 s rounded up to whole batches. So a file must appear within
//! `remember` of its modification time, and is forgotten only when it would be too old to be selected again.
//!
//! *Memory*: the paths that were selected in the remembered batches. *Cost*: one listing and one `stat` per file and batch.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::SourceCx;
use crate::error::{Error, Result};
use crate::scheduler::listener::ReceiverEvents;
use crate::time::BatchTime;

/// Whether a file may be selected.
pub(super) type Filter = Arc<dyn Fn(&Path) -> bool + Send + Sync>;

/// A file as it was when its batch selected it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SelectedFile {
    path: PathBuf,
    bytes: u64,
    modified: BatchTime,
}

impl SelectedFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its length when it was selected; no byte beyond is read.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When it was modified last, rounded down to milliseconds.
    #[must_use]
    pub fn modified(&self) -> BatchTime {
        self.modified
    }
}

/// The directories that are watched.
#[derive(Clone, Debug)]
pub(super) enum Directories {
    One(PathBuf),
    Matching(String),
}

impl Directories {
    /// A directory, or a pattern of directories such as `logs/*/`. A path that exists is never a pattern.
    pub(super) fn parse(path: &str) -> Result<Self> {
        if path.is_empty() {
            return Err(Error::invalid(
                "an empty path cannot be watched: name a directory, or a pattern such as `logs/*/`",
            ));
        }
        if Path::new(path).exists() || !path.contains(['*', '?', '[']) {
            return Ok(Self::One(path.into()));
        }
        let pattern = path.trim_end_matches('/');
        glob::Pattern::new(pattern)
            .map_err(|error| Error::invalid(format!("`{path}` is not a pattern of directories")).because(error))?;
        Ok(Self::Matching(pattern.to_owned()))
    }

    /// Sees that a directory which is no pattern is there and can be listed.
    fn check(&self) -> Result<()> {
        let Self::One(directory) = self else { return Ok(()) };
        let path = directory.display();
        match directory.read_dir() {
            Ok(_) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(Error::io(
                format!(
                    "the directory `{path}` of a stream of files does not exist: create it before the start, or say \
                     `FileOptions::new().must_exist(false)` if it appears later"
                ),
                error,
            )),
            Err(error) => {
                Err(Error::io(format!("`{path}`, the directory of a stream of files, cannot be listed"), error))
            }
        }
    }

    fn list(&self) -> io::Result<Vec<PathBuf>> {
        match self {
            Self::One(directory) => Ok(vec![directory.clone()]),
            Self::Matching(pattern) => {
                let matches = glob::glob(pattern).map_err(io::Error::other)?;
                let mut directories = Vec::new();
                for path in matches {
                    let path = path?;
                    if path.is_dir() {
                        directories.push(path);
                    }
                }
                Ok(directories)
            }
        }
    }
}

/// As they were named.
impl fmt::Display for Directories {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(directory) => directory.display().fmt(f),
            Self::Matching(pattern) => f.write_str(pattern),
        }
    }
}

/// Selects the files of each batch.
pub(super) struct Selection {
    directories: Directories,
    filter: Filter,
    new_files_only: bool,
    min_remember: Duration,
    /// Files modified until then are ignored.
    ignore_until: BatchTime,
    remember: Duration,
    selected: BTreeMap<BatchTime, Vec<PathBuf>>,
    /// The last batch of an earlier run, until a batch has looked for what came since.
    resumed_after: Option<BatchTime>,
    /// Whether the last listing failed, which is reported once.
    is_failing: bool,
    /// Who is told; nobody before the start.
    events: Option<ReceiverEvents>,
}

impl Selection {
    pub(super) fn new(directories: Directories, filter: Filter, new_files_only: bool, min_remember: Duration) -> Self {
        Self {
            directories,
            filter,
            new_files_only,
            min_remember,
            ignore_until: BatchTime::default(),
            remember: Duration::ZERO,
            selected: BTreeMap::new(),
            resumed_after: None,
            is_failing: false,
            events: None,
        }
    }

    /// Sees that the directory is there.
    pub(super) fn check_directory(&self) -> Result<()> {
        self.directories.check()
    }

    pub(super) fn start(&mut self, cx: &SourceCx) {
        self.events = Some(cx.receiver_events.clone());
        if self.new_files_only {
            self.ignore_until = cx.start_time;
        }
        self.remember = self.remembered(cx.batch_interval);
    }

    /// For how long a selected file must be remembered.
    pub(super) fn remembered(&self, batch_interval: Duration) -> Duration {
        let batch = batch_interval.as_millis().max(1);
        let batches = self.min_remember.as_millis().div_ceil(batch).max(1);
        Duration::from_millis((batches * batch) as u64)
    }

    /// Goes on after the batches of an earlier run.
    pub(super) fn resume(&mut self, ranges: &[(BatchTime, Vec<SelectedFile>)]) {
        for (batch, files) in ranges {
            self.selected.insert(*batch, files.iter().map(|file| file.path.clone()).collect());
            self.resumed_after = Some(*batch);
        }
    }

    /// The files of a batch, the oldest first. A listing that fails is an empty batch and an error of the input, which is
    /// reported when it begins: what it would have shown is found by a later batch.
    pub(super) fn select(&mut self, batch: BatchTime) -> Vec<SelectedFile> {
        // The first batch after a restart also looks for what came while nobody did.
        let since = self.resumed_after.take().map_or(batch, |last| last.min(batch)) - self.remember;
        let threshold = self.ignore_until.max(since);
        let found = self.find(batch, threshold);
        let was_failing = std::mem::replace(&mut self.is_failing, found.is_err());
        let found = found.unwrap_or_else(|error| {
            if !was_failing {
                self.report(error, batch);
            }
            Vec::new()
        });
        // A file that a forgotten batch selected is not newer than the threshold of any batch to come.
        self.selected = self.selected.split_off(&since);
        if !found.is_empty() {
            self.selected.insert(batch, found.iter().map(|file| file.path.clone()).collect());
        }
        found
    }

    fn report(&self, error: io::Error, batch: BatchTime) {
        let directories = &self.directories;
        tracing::warn!(%directories, %error, "files cannot be listed; batches get none until they can be");
        if let Some(events) = &self.events {
            events.error(Error::io(format!("cannot list the files of `{directories}`"), error), batch);
        }
    }

    fn find(&self, batch: BatchTime, threshold: BatchTime) -> io::Result<Vec<SelectedFile>> {
        let known: HashSet<&Path> = self.selected.values().flatten().map(PathBuf::as_path).collect();
        let mut found = Vec::new();
        for directory in self.directories.list()? {
            for entry in directory.read_dir()? {
                let path = entry?.path();
                if !(self.filter)(&path) || known.contains(path.as_path()) {
                    continue;
                }
                match std::fs::metadata(&path) {
                    Ok(metadata) => found.extend(candidate(path, &metadata, threshold, batch)?),
                    // It went away between the listing and now.
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        found.sort_by(|left, right| (left.modified, &left.path).cmp(&(right.modified, &right.path)));
        found.dedup_by(|left, right| left.path == right.path);
        Ok(found)
    }
}

/// A regular file that was modified in `(threshold, batch]`.
fn candidate(
    path: PathBuf,
    metadata: &Metadata,
    threshold: BatchTime,
    batch: BatchTime,
) -> io::Result<Option<SelectedFile>> {
    let modified = modified(metadata)?;
    let selected = metadata.is_file() && modified > threshold && modified <= batch;
    Ok(selected.then_some(SelectedFile { path, bytes: metadata.len(), modified }))
}

/// The modification time; a time before 1970 counts as 1970.
pub(super) fn modified(metadata: &Metadata) -> io::Result<BatchTime> {
    let since_epoch = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok(BatchTime::from_millis(since_epoch.as_millis() as u64))
}

/// The default filter: files whose name does not begin with a dot.
pub(super) fn not_hidden(path: &Path) -> bool {
    path.file_name().is_some_and(|name| !name.as_encoded_bytes().starts_with(b"."))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::test_cx;
    use super::*;
    use crate::time::ManualClock;

    fn at(seconds: u64) -> BatchTime {
        BatchTime::from_millis(seconds * 1_000)
    }

    fn put(path: &Path, millis: u64) {
        fs::write(path, "x").unwrap();
        touch(path, millis);
    }

    fn touch(path: &Path, millis: u64) {
        let file = fs::File::options().write(true).open(path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_millis(millis)).unwrap();
    }

    /// A selection over a directory, started at 100 s with batches of one second.
    fn selection(path: &Path, new_files_only: bool) -> Selection {
        let directories = Directories::parse(path.to_str().unwrap()).unwrap();
        let mut selection = Selection::new(directories, Arc::new(not_hidden), new_files_only, Duration::from_secs(60));
        selection.start(&test_cx(&ManualClock::at(at(100))));
        selection
    }

    fn names(files: &[SelectedFile]) -> Vec<&str> {
        files.iter().map(|file| file.path.file_name().unwrap().to_str().unwrap()).collect()
    }

    #[test]
    fn files_of_before_the_start_only_when_they_are_wanted() {
        let dir = tempfile::tempdir().unwrap();
        put(&dir.path().join("ancient"), 41_000);
        put(&dir.path().join("old"), 41_001);
        put(&dir.path().join("at start"), 100_000);
        put(&dir.path().join("new"), 100_001);
        assert_eq!(names(&selection(dir.path(), true).select(at(101))), ["new"]);
        // Even then nothing is older than the batch less 60 s.
        assert_eq!(names(&selection(dir.path(), false).select(at(101))), ["old", "at start", "new"]);
    }

    #[test]
    fn a_file_belongs_to_the_first_batch_that_is_not_before_it() {
        let dir = tempfile::tempdir().unwrap();
        put(&dir.path().join("a"), 101_000);
        put(&dir.path().join("b"), 101_001);
        put(&dir.path().join(".hidden"), 100_500);
        fs::create_dir(dir.path().join("directory")).unwrap();
        let mut selection = selection(dir.path(), true);
        assert_eq!(names(&selection.select(at(101))), ["a"]);
        assert_eq!(names(&selection.select(at(102))), ["b"]);
        assert!(selection.select(at(103)).is_empty());
    }

    #[test]
    fn a_file_that_appears_late_is_found_while_it_is_young_enough() {
        let dir = tempfile::tempdir().unwrap();
        let mut selection = selection(dir.path(), true);
        assert!(selection.select(at(161)).is_empty());
        put(&dir.path().join("too late"), 102_000);
        put(&dir.path().join("in time"), 102_001);
        assert_eq!(names(&selection.select(at(162))), ["in time"]);
    }

    #[test]
    fn a_file_is_read_once_while_it_is_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        let mut selection = selection(dir.path(), true);
        put(&path, 101_000);
        assert_eq!(names(&selection.select(at(101))), ["a"]);
        touch(&path, 150_000);
        assert!(selection.select(at(150)).is_empty(), "changed, but remembered");
        assert!(selection.select(at(161)).is_empty());
        assert!(selection.select(at(162)).is_empty());
        // Forgotten, as in Spark: a file that is written again much later is a new one.
        assert_eq!(names(&selection.select(at(163))), ["a"]);
        assert_eq!(selection.selected.len(), 1, "old batches are forgotten");
    }

    #[test]
    fn the_remembered_time_is_whole_batches() {
        let dir = tempfile::tempdir().unwrap();
        let mut selection = selection(dir.path(), true);
        let cx = SourceCx { batch_interval: Duration::from_secs(7), ..test_cx(&ManualClock::new()) };
        selection.start(&cx);
        assert_eq!(selection.remember, Duration::from_secs(63));
    }

    #[test]
    fn files_of_one_batch_come_in_the_order_of_their_times() {
        let dir = tempfile::tempdir().unwrap();
        for (name, millis) in [("z", 100_100), ("b", 100_300), ("a", 100_300), ("y", 100_200)] {
            put(&dir.path().join(name), millis);
        }
        assert_eq!(names(&selection(dir.path(), true).select(at(101))), ["z", "y", "a", "b"]);
    }

    #[test]
    fn a_pattern_watches_the_directories_that_match() {
        let dir = tempfile::tempdir().unwrap();
        put(&dir.path().join("in the parent"), 101_000);
        for number in 0..10 {
            let sub = dir.path().join(format!("sub{number}"));
            fs::create_dir(&sub).unwrap();
            put(&sub.join(format!("file{number}")), 101_000);
        }
        let mut selection = selection(&dir.path().join("*/"), true);
        assert_eq!(selection.select(at(101)).len(), 10);
        fs::create_dir(dir.path().join("later")).unwrap();
        put(&dir.path().join("later/more"), 101_500);
        assert_eq!(names(&selection.select(at(102))), ["more"]);
    }

    #[test]
    fn a_listing_that_fails_gives_empty_batches_and_one_error_and_nothing_is_lost() {
        let dir = tempfile::tempdir().unwrap();
        let later = dir.path().join("later");
        let mut selection = selection(&later, true);
        let meter = Arc::clone(selection.events.as_ref().unwrap().meter());
        assert!(selection.select(at(101)).is_empty());
        assert!(selection.select(at(102)).is_empty());
        let (errors, last) = meter.last_error();
        assert_eq!(errors, 1, "said once");
        assert!(last.unwrap().to_string().contains("cannot list the files of"));
        fs::create_dir(&later).unwrap();
        put(&later.join("a"), 100_900);
        assert_eq!(names(&selection.select(at(103))), ["a"]);
        fs::remove_dir_all(&later).unwrap();
        assert!(selection.select(at(104)).is_empty());
        assert_eq!(meter.errors(), 2, "and again when it is lost again");
    }

    #[test]
    fn a_directory_may_be_named_like_a_pattern() {
        let dir = tempfile::tempdir().unwrap();
        let odd = dir.path().join("odd[1]*");
        fs::create_dir(&odd).unwrap();
        put(&odd.join("a"), 101_000);
        assert_eq!(names(&selection(&odd, true).select(at(101))), ["a"]);
        assert!(Directories::parse("").is_err());
        assert!(Directories::parse("a[/*").is_err());
    }
}
