//! `remember`: the last batches of a stream, for the program around it.
//!
//! Batches are gone when their outputs are done. What is remembered can be asked for while the program runs, by any thread:
//! a page that shows the last minute, a test, a shell. It is an output operation that keeps the blocks of each batch, and a
//! handle that hands them out.
//!
//! *Memory*: the blocks are shared, not copied, and dropped when they are `duration` older than the newest batch, or with the
//! last handle. *Failure*: in the place of a batch that failed its error is kept. After a restart the memory is empty: the
//! checkpoint does not hold it.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use crate::batch::Batch;
use crate::dstream::DStream;
use crate::error::{Error, Result};
use crate::record::Fork;
use crate::run::Run;
use crate::time::{BatchTime, lock, whole_millis};
use crate::topology::{NodeId, OutputOperation, WeakTopology};

/// The last batches of a stream; see [`DStream::remember`].
///
/// Clones are the same memory. It keeps nothing else alive, and can be asked after the context was stopped too.
#[must_use = "batches are remembered as long as this handle, or a clone of it, lives"]
pub struct Remembered<T: Fork + ?Sized> {
    topology: WeakTopology,
    memory: Arc<Memory<T>>,
}

struct Memory<T: Fork + ?Sized> {
    duration: Duration,
    kept: Mutex<Kept<T>>,
}

struct Kept<T: Fork + ?Sized> {
    /// The first time at which the stream yields, and the distance of its times; known from its first batch on.
    grid: Option<(BatchTime, Duration)>,
    /// Oldest first: the batches, or why they failed.
    batches: VecDeque<(BatchTime, Result<Batch<T>>)>,
}

impl<T: Fork + ?Sized> DStream<T> {
    /// Remembers the batches of the last `duration`: those that are less than `duration` older than the newest one.
    ///
    /// It is an output operation, so the stream is computed for it. The handle says what is remembered; when it and its
    /// clones are gone, nothing is remembered any more.
    ///
    /// **Units**: `duration` is a whole number of milliseconds; less than the stream's slide remembers one batch.
    /// **Cost**: the blocks of `duration` stay in memory, shared and not copied. Other consumers of the stream, which might
    /// have taken its records, clone them.
    /// **Errors**: a duration of zero is reported by the start of the context.
    /// **Source**: Spark's `remember` of the context, which holds for all streams. Here most streams are fused into loops
    /// and never exist as a whole, so it is said of the one that is asked for. It is not there to avoid computing a stream
    /// twice, as `cache` and `persist` are: a stream with several consumers is computed once.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use streamflow::BatchTime;
    /// use streamflow::testing::Driver;
    ///
    /// let mut test = Driver::new()?;
    /// let recent = test.input(vec![vec![1], vec![2, 2], vec![3]]).remember(Duration::from_secs(60));
    /// test.run_batches(3)?;
    ///
    /// let at = BatchTime::from_millis;
    /// let records: Vec<_> = recent.slice(at(2_000), at(3_000))?.into_iter().map(|batch| batch.collect()).collect();
    /// assert_eq!(records, [vec![2, 2], vec![3]]);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[doc(alias = "cache")]
    #[doc(alias = "persist")]
    #[doc(alias = "slice")]
    #[track_caller]
    pub fn remember(&self, duration: Duration) -> Remembered<T> {
        self.share();
        if let Err(mistake) = whole_millis("remembering the batches of a duration", duration) {
            self.topology().mistake(mistake);
        }
        let kept = Mutex::new(Kept { grid: None, batches: VecDeque::new() });
        let memory = Arc::new(Memory { duration, kept });
        self.add_output("remember", Remember { node: self.node(), memory: Arc::downgrade(&memory) });
        Remembered { topology: self.topology().downgrade(), memory }
    }
}

impl<T: Fork + ?Sized> Remembered<T> {
    /// The batches with times in `[from, to]`, oldest first, as far as they have come.
    ///
    /// Both ends are included, and rounded down to a time at which the stream yields. Before the first batch there is
    /// nothing, and nobody waits for batches to come. What the methods of a batch do, they do on the calling thread.
    ///
    /// **Cost**: a reference to each block; nothing is copied.
    /// **Source**: Spark's `slice`. There a batch that is not remembered, or has not come yet, is computed by the caller;
    /// here a batch is computed when it is due, from the input that was fixed for it, and at no other time.
    ///
    /// # Errors
    /// [`IllegalState`](crate::ErrorKind::IllegalState): the context was not started;
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument): `from` is after `to`, or a batch between them is not
    /// remembered, because it is too old or came before the program was started again;
    /// and the error of a batch between them that failed.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use streamflow::BatchTime;
    /// use streamflow::testing::Driver;
    ///
    /// let mut test = Driver::new()?;
    /// let recent = test.input(vec![vec!["a"], vec!["b"], vec!["c"]]).remember(Duration::from_secs(2));
    /// test.run_batches(3)?;
    ///
    /// let at = BatchTime::from_millis;
    /// assert_eq!(recent.slice(at(2_500), at(9_000))?.len(), 2, "those of 2 s and 3 s");
    /// assert!(recent.slice(at(1_000), at(9_000)).unwrap_err().to_string().contains("is not remembered"));
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    pub fn slice(&self, from: BatchTime, to: BatchTime) -> Result<Vec<Batch<T>>> {
        if self.topology.is_draft() {
            return Err(Error::illegal_state(
                "the stream has not been initialized: batches come after the start of its context, so slice it then",
            ));
        }
        if from > to {
            return Err(Error::invalid(format!("a slice from {from} to {to} ends before it begins: swap the two")));
        }
        lock(&self.memory.kept).between(from, to, self.memory.duration)
    }

    /// All batches that are remembered, oldest first. Batches that failed are not among them.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use streamflow::testing::Driver;
    ///
    /// let mut test = Driver::new()?;
    /// let recent = test.input(vec![vec![1], vec![2], vec![3]]).remember(Duration::from_secs(2));
    /// assert!(recent.batches().is_empty());
    /// test.run_batches(3)?;
    /// let times: Vec<_> = recent.batches().iter().map(|batch| batch.time().as_millis()).collect();
    /// assert_eq!(times, [2_000, 3_000]);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[must_use]
    pub fn batches(&self) -> Vec<Batch<T>> {
        lock(&self.memory.kept).batches.iter().filter_map(|(_, batch)| batch.as_ref().ok().cloned()).collect()
    }
}

impl<T: Fork + ?Sized> Kept<T> {
    /// Takes in a batch and lets those go that are `duration` older.
    fn add(&mut self, time: BatchTime, batch: Result<Batch<T>>, duration: Duration) {
        self.batches.push_back((time, batch));
        while self.batches.pop_front_if(|(old, _)| time.since(*old) >= duration).is_some() {}
    }

    fn between(&self, from: BatchTime, to: BatchTime, duration: Duration) -> Result<Vec<Batch<T>>> {
        let (Some((first, slide)), Some((oldest, _)), Some((newest, _))) =
            (self.grid, self.batches.front(), self.batches.back())
        else {
            return Ok(Vec::new());
        };
        let from = from.floor_from(first, slide).max(first);
        let found = from.to(to.min(*newest), slide).map(|time| {
            let place = self.batches.binary_search_by_key(&time, |(time, _)| *time).map_err(|_| {
                Error::invalid(format!(
                    "the batch of {time} is not remembered: of this stream those from {oldest} to {newest} are, the last \
                     {duration:?} of this run; remember for longer"
                ))
            })?;
            self.batches[place].1.clone()
        });
        found.collect()
    }
}

/// Keeps the batches, as long as somebody can ask for them.
struct Remember<T: Fork + ?Sized> {
    node: NodeId,
    memory: Weak<Memory<T>>,
}

impl<T: Fork + ?Sized> OutputOperation for Remember<T> {
    fn run(&self, run: &Run<'_>) -> Result<()> {
        let Some(memory) = self.memory.upgrade() else { return Ok(()) };
        let batch = Batch::<T>::read(run, self.node, T::cloner()).map(Batch::detached);
        let outcome = batch.as_ref().map(|_| ()).map_err(Error::clone);
        let mut kept = lock(&memory.kept);
        kept.grid = Some(run.times_of(self.node));
        kept.add(run.time(), batch.map_err(|error| error.in_batch(run.time())), memory.duration);
        outcome
    }
}

impl<T: Fork + ?Sized> Clone for Remembered<T> {
    fn clone(&self) -> Self {
        Self { topology: self.topology.clone(), memory: Arc::clone(&self.memory) }
    }
}

impl<T: Fork + ?Sized> fmt::Debug for Remembered<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Remembered")
            .field("duration", &self.memory.duration)
            .field("batches", &lock(&self.memory.kept).batches.len())
            .finish_non_exhaustive()
    }
}
