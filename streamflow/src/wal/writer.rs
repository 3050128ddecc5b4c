//! [`Log`]: opening, group commit, cleaning.
//!
//! There is no thread of the log's own. The first writer that finds nobody writing leads: it takes what is queued, makes it
//! durable, and hands out the results; whoever comes meanwhile waits in the queue, and one of them leads the next group.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::appender::Appender;
use super::format::{MAX_PAYLOAD, RECORD_HEADER};
use super::reader::{Records, read_record};
use super::segments::{self, Leftover, Segment};
use super::{RecordHandle, appender::Committed};
use crate::error::{Error, Result};
use crate::fs::SharedFs;
use crate::metrics::durable::LogMeter;
use crate::time::{BatchTime, Stopwatch, lock};

/// A group takes no further records when it is as long as this; the others go with the next one.
const GROUP_BYTES: usize = 16 * 1024 * 1024;

/// How a log divides its records into files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogOptions {
    /// A segment takes records up to this time after its first one.
    pub(crate) segment_interval: Duration,
    /// A segment takes no further group when it is as long as this.
    pub(crate) segment_bytes: u64,
    /// How often the same group is written before its writers get the error.
    pub(crate) attempts: u32,
    /// One segment for each group: for storage that shows a file only when it is closed.
    pub(crate) close_after_write: bool,
}

impl Default for LogOptions {
    /// A minute or 64 MiB, and three attempts.
    fn default() -> Self {
        Self {
            segment_interval: Duration::from_secs(60),
            segment_bytes: 64 * 1024 * 1024,
            attempts: 3,
            close_after_write: false,
        }
    }
}

/// A write-ahead log that is open for writing. Threads share it by reference.
///
/// At most one `Log` may be open for a directory.
pub(crate) struct Log {
    fs: SharedFs,
    dir: PathBuf,
    shared: Mutex<Shared>,
    /// A group was committed or failed, or the log was closed.
    changed: Condvar,
    /// One cleaning at a time.
    cleaning: Mutex<()>,
    meter: Arc<LogMeter>,
}

struct Shared {
    queue: VecDeque<Waiting>,
    next_ticket: u64,
    results: HashMap<u64, Result<RecordHandle>>,
    /// Taken out by the writer that leads.
    appender: Option<Appender>,
    /// All segments with durable records, oldest first.
    segments: Vec<Segment>,
    /// Files in which nothing counts, to be removed with the segments around them.
    leftovers: Vec<Leftover>,
    closed: bool,
}

/// A record in the queue.
struct Waiting {
    ticket: u64,
    time: BatchTime,
    payload: Vec<u8>,
}

impl Shared {
    /// Length of all segments.
    fn bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.len).sum()
    }
}

impl Waiting {
    /// What it takes in its segment.
    fn bytes(&self) -> usize {
        RECORD_HEADER + self.payload.len()
    }
}

impl Log {
    /// Opens a log, or prepares a new one: nothing is created before the first write.
    ///
    /// Cuts a torn tail, and makes durable what it keeps: a process that was killed may have left records that are in the
    /// memory of the machine only, and whoever reads them will act on them.
    ///
    /// # Errors
    /// The log is damaged or cannot be read.
    pub(crate) fn open(fs: SharedFs, dir: impl Into<PathBuf>, options: LogOptions) -> Result<Self> {
        let dir = dir.into();
        let listing = segments::find(&*fs, &dir)?;
        if let Some(last) = listing.segments.last() {
            make_durable(&fs, &dir, last)?;
        }
        let last = listing.segments.last();
        let appender = Appender::new(SharedFs::clone(&fs), dir.clone(), options, listing.next_number, last);
        let shared = Shared {
            queue: VecDeque::new(),
            next_ticket: 0,
            results: HashMap::new(),
            appender: Some(appender),
            segments: listing.segments,
            leftovers: listing.leftovers,
            closed: false,
        };
        let meter = Arc::new(LogMeter::default());
        meter.keeps(shared.bytes());
        Ok(Self { fs, dir, shared: Mutex::new(shared), changed: Condvar::new(), cleaning: Mutex::new(()), meter })
    }

    /// What was written to it since it was opened.
    pub(crate) fn meter(&self) -> Arc<LogMeter> {
        Arc::clone(&self.meter)
    }

    /// Makes a record durable and says where it stands. `time` decides which segment holds it, and so when it is cleaned.
    ///
    /// # Errors
    /// The record cannot be written, or the log is closed, or was closed while the record waited. Unless the log was
    /// closed, the record may be in the log nevertheless.
    pub(crate) fn write(&self, time: BatchTime, payload: Vec<u8>) -> Result<RecordHandle> {
        let mut handles = self.write_all(vec![(time, payload)])?;
        Ok(handles.pop().expect("a handle for each record"))
    }

    /// Makes several records durable, with one sync if they fit into one group. The handles are in the order of the
    /// arguments.
    ///
    /// # Errors
    /// As [`write`](Self::write); some of the records may be in the log.
    pub(crate) fn write_all(&self, records: Vec<(BatchTime, Vec<u8>)>) -> Result<Vec<RecordHandle>> {
        if let Some((_, payload)) = records.iter().find(|(_, payload)| payload.len() > MAX_PAYLOAD) {
            return Err(Error::invalid(format!(
                "a record of {} bytes is too long for the log `{}`: the limit is {MAX_PAYLOAD}; write smaller blocks",
                payload.len(),
                self.dir.display()
            )));
        }
        let mut shared = lock(&self.shared);
        if shared.closed {
            return Err(self.is_closed());
        }
        let tickets = shared.next_ticket..shared.next_ticket + records.len() as u64;
        shared.next_ticket = tickets.end;
        let waiting = tickets.clone().zip(records);
        shared.queue.extend(waiting.map(|(ticket, (time, payload))| Waiting { ticket, time, payload }));
        // All of them are waited for, so that no result stays behind when one is an error.
        let mut results = Vec::with_capacity(records_in(&tickets));
        for ticket in tickets {
            let result;
            (shared, result) = self.wait_for(shared, ticket);
            results.push(result);
        }
        results.into_iter().collect()
    }

    /// Waits for the result of a record, and leads if nobody does.
    fn wait_for<'a>(
        &'a self,
        mut shared: MutexGuard<'a, Shared>,
        ticket: u64,
    ) -> (MutexGuard<'a, Shared>, Result<RecordHandle>) {
        loop {
            if let Some(result) = shared.results.remove(&ticket) {
                return (shared, result);
            }
            shared = match shared.appender.take() {
                Some(appender) => self.lead(shared, appender),
                None => self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Commits one group from the front of the queue.
    fn lead<'a>(&'a self, mut shared: MutexGuard<'a, Shared>, mut appender: Appender) -> MutexGuard<'a, Shared> {
        let group = next_group(&mut shared.queue);
        drop(shared);
        let records: Vec<(BatchTime, &[u8])> = group.iter().map(|record| (record.time, &record.payload[..])).collect();
        let watch = Stopwatch::start();
        let committed = appender.commit(&records);
        let took = watch.elapsed();
        let mut shared = lock(&self.shared);
        shared.leftovers.append(&mut appender.leftovers);
        shared.appender = Some(appender);
        match committed {
            Ok(Committed { handles, segment }) => {
                let results = group.iter().zip(handles).map(|(record, handle)| (record.ticket, Ok(handle)));
                shared.results.extend(results);
                self.meter.wrote(group.len(), group.iter().map(Waiting::bytes).sum(), took);
                match shared.segments.last_mut().filter(|last| last.name == segment.name) {
                    Some(last) => last.len = segment.len,
                    None => shared.segments.push(segment),
                }
                self.meter.keeps(shared.bytes());
            }
            Err(error) => {
                self.meter.failed();
                shared.results.extend(group.iter().map(|record| (record.ticket, Err(error.clone()))));
            }
        }
        self.changed.notify_all();
        shared
    }

    /// All durable records, oldest first.
    pub(crate) fn records(&self) -> Records {
        Records::new(SharedFs::clone(&self.fs), lock(&self.shared).segments.clone())
    }

    /// Reads one record.
    ///
    /// # Errors
    /// Its segment was cleaned, or is damaged, or cannot be read.
    pub(crate) fn read(&self, handle: &RecordHandle) -> Result<Vec<u8>> {
        let segment = {
            let shared = lock(&self.shared);
            let found = shared.segments.binary_search_by_key(&handle.segment, |segment| segment.name.number);
            found.ok().map(|place| shared.segments[place].clone())
        };
        let segment = segment.ok_or_else(|| {
            Error::damaged(format!(
                "the log `{}` has no segment number {}: it was cleaned, or the handle is that of another log",
                self.dir.display(),
                handle.segment
            ))
        })?;
        read_record(&*self.fs, &segment, handle)
    }

    /// Sees that the log reaches as far as a record that is known to have been durable, although it may have been cleaned.
    /// A log without any segment was moved away on purpose, and passes.
    ///
    /// # Errors
    /// The log ends before the record: what is missing is not a torn tail, as it seemed when the log was opened.
    pub(crate) fn expect(&self, handle: &RecordHandle) -> Result<()> {
        let shared = lock(&self.shared);
        let end = handle.offset.saturating_add(RECORD_HEADER as u64 + u64::from(handle.length));
        let reaches = match shared.segments.last() {
            Some(newest) => (newest.name.number, newest.len) >= (handle.segment, end),
            None => shared.leftovers.is_empty(),
        };
        if reaches {
            return Ok(());
        }
        // A segment without a sound header is a leftover now.
        let segments = shared.segments.iter().map(|segment| (segment.name.number, &segment.path));
        let leftovers = shared.leftovers.iter().map(|leftover| (leftover.number, &leftover.path));
        let found = segments.chain(leftovers).find(|(number, _)| *number == handle.segment);
        let file = found.map_or_else(
            || format!("number {} in `{}`, which is gone,", handle.segment, self.dir.display()),
            |(_, path)| format!("`{}`", path.display()),
        );
        Err(Error::damaged(format!(
            "the log segment {file} is damaged: it ends before the record of {} bytes at offset {}, which was durable; \
             restore the file from a copy, or move the log's directory away to start without its records",
            handle.length, handle.offset
        )))
    }

    /// Removes the segments whose time ended before `threshold`, and returns their number.
    ///
    /// The newest segment stays, so that numbers are not used twice; and so does everything after a segment that stays, so that
    /// the log has no gap. A crash leaves what is to be removed next.
    ///
    /// # Errors
    /// A file cannot be removed. The log is sound, and the next cleaning tries again.
    pub(crate) fn clean(&self, threshold: BatchTime) -> Result<usize> {
        let _one_at_a_time = lock(&self.cleaning);
        let mut removed = 0;
        while let Some(oldest) = self.oldest_before(threshold) {
            self.remove_leftovers(oldest.name.number)?;
            self.remove(&oldest.path)?;
            let mut shared = lock(&self.shared);
            shared.segments.retain(|segment| segment.name.number != oldest.name.number);
            self.meter.keeps(shared.bytes());
            removed += 1;
        }
        Ok(removed)
    }

    /// Removes the files below a number in which nothing counts: if they stayed, the segment would seem to be lost.
    fn remove_leftovers(&self, below: u64) -> Result<()> {
        let is_below = |leftover: &Leftover| leftover.number < below;
        let paths: Vec<PathBuf> =
            lock(&self.shared).leftovers.iter().filter(|leftover| is_below(leftover)).map(|l| l.path.clone()).collect();
        paths.iter().try_for_each(|path| self.remove(path))?;
        lock(&self.shared).leftovers.retain(|leftover| !is_below(leftover));
        Ok(())
    }

    /// Removes a file for good.
    fn remove(&self, path: &Path) -> Result<()> {
        let removal = match self.fs.remove(path) {
            // Removed by an attempt that could not make it durable.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            removal => removal,
        };
        // Before the next one is removed: else a crash could bring back an older one, and leave a gap.
        removal
            .and_then(|()| self.fs.sync_dir(&self.dir))
            .map_err(|error| Error::io(format!("cannot remove the log segment `{}`", path.display()), error))
    }

    fn oldest_before(&self, threshold: BatchTime) -> Option<Segment> {
        let shared = lock(&self.shared);
        let [oldest, _, ..] = &shared.segments[..] else { return None };
        (oldest.name.end < threshold).then(|| oldest.clone())
    }

    /// Ends the writing: records that wait in the queue get an error; the group in the works gets its true result. Reading
    /// still works. Further calls do nothing.
    pub(crate) fn close(&self) {
        let mut shared = lock(&self.shared);
        shared.closed = true;
        let waiting: Vec<u64> = shared.queue.drain(..).map(|record| record.ticket).collect();
        shared.results.extend(waiting.into_iter().map(|ticket| (ticket, Err(self.is_closed()))));
        self.changed.notify_all();
        while shared.appender.is_none() {
            shared = self.changed.wait(shared).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn is_closed(&self) -> Error {
        Error::illegal_state(format!("the log `{}` is closed; the record was not written", self.dir.display()))
    }

    /// Number of records that wait for the next group.
    #[cfg(test)]
    pub(super) fn queued(&self) -> usize {
        lock(&self.shared).queue.len()
    }
}

fn records_in(tickets: &std::ops::Range<u64>) -> usize {
    (tickets.end - tickets.start) as usize
}

/// Takes the records of the next group from the queue, and puts them in the order of their times.
fn next_group(queue: &mut VecDeque<Waiting>) -> Vec<Waiting> {
    let mut bytes = 0;
    let mut group = Vec::new();
    while bytes < GROUP_BYTES
        && let Some(record) = queue.pop_front()
    {
        bytes += record.bytes();
        group.push(record);
    }
    group.sort_by_key(|record| record.time);
    group
}

/// Cuts what is torn off the last segment, and makes it and its name durable.
fn make_durable(fs: &SharedFs, dir: &Path, last: &Segment) -> Result<()> {
    let failed = |error| Error::io(format!("cannot prepare the log segment `{}`", last.path.display()), error);
    let file = fs.append(&last.path).map_err(failed)?;
    let file_len = file.len().map_err(failed)?;
    if file_len > last.len {
        tracing::warn!(
            file = %last.path.display(),
            offset = last.len,
            bytes = file_len - last.len,
            "the end of the log was not durable when the program ended; it is cut"
        );
        file.set_len(last.len).map_err(failed)?;
    }
    file.sync().and_then(|()| fs.sync_dir(dir)).map_err(failed)
}
