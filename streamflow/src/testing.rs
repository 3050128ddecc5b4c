//! Tests of streaming programs: prepared batches in, collected batches out, and a clock that the test moves.
//!
//! Nothing here sleeps or depends on the machine's speed: batches are due when the test says so, and the test goes on when
//! they are completed. The library is tested with the same tools.
//!
//! [`run`] is the short form for a function from one stream to another; a [`Driver`] is for everything else. The function of
//! a `map_with_state` can be tested by itself, with a [`state`].

mod states;

pub use self::states::{StateChange, state, state_change, state_timing_out};
pub use crate::fs::{IoFailure, SimulatedFs};

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use crate::batch::Batch;
use crate::context::{ContextState, StreamingContext, StreamingContextBuilder};
use crate::dstream::DStream;
use crate::error::{Error, Result};
use crate::listener::BatchInfo;
use crate::record::text::cut;
use crate::record::{Fork, Record, TextBlock};
use crate::run::Run;
use crate::scheduler::jobs::BatchHook;
use crate::source::{Source, SourceCx, decode, encode};
use crate::time::{BatchTime, Clock, ManualClock, lock};
use crate::topology::{NodeId, OutputOperation};

/// Runs a function from one stream to another over prepared batches, and returns the batches that come out.
///
/// The partitions of a batch are put one after the other. It runs on a [`Driver`] with its default settings.
///
/// # Errors
/// The first error of a batch, or a mistake in the topology.
///
/// # Examples
/// ```
/// use streamflow::testing;
///
/// let largest_first = testing::run(vec![vec![1, 2], vec![], vec![3]], |numbers| {
///     numbers.transform(|batch| batch.sort_by_desc(|n| *n))
/// })?;
/// assert_eq!(largest_first, [vec![2, 1], vec![], vec![3]]);
/// # Ok::<(), streamflow::Error>(())
/// ```
pub fn run<T, U>(batches: Vec<Vec<T>>, function: impl FnOnce(DStream<T>) -> DStream<U>) -> Result<Vec<Vec<U>>>
where
    T: Clone + Send + Sync + 'static,
    U: Send + Sync + 'static,
{
    let mut driver = Driver::new()?;
    let count = batches.len();
    let output = driver.output_moved(function(driver.input(batches)));
    driver.run_batches(count)?;
    Ok(output.take_batches())
}

/// A context whose clock stands still until the test moves it.
///
/// **Source**: Spark's own `TestSuiteBase`; public here, so that programs are tested as the library is.
///
/// # Examples
/// ```
/// use streamflow::testing::Driver;
///
/// let mut test = Driver::new()?;
/// let numbers = test.input(vec![vec![1, 2, 3], vec![4]]);
/// let doubled = test.output(&numbers.transform(|batch| batch.map(|n| n * 2)));
/// test.run_batches(2)?;
/// assert_eq!(doubled.batches(), [vec![2, 4, 6], vec![8]]);
/// # Ok::<(), streamflow::Error>(())
/// ```
pub struct Driver {
    ctx: StreamingContext,
    clock: ManualClock,
    failures: Arc<Failures>,
}

impl Driver {
    /// A context with an interval of one second, two threads, two partitions, and a clock that shows zero. State may be lost
    /// with it; a [checkpoint](StreamingContextBuilder::checkpoint) changes that.
    ///
    /// # Errors
    /// None with these settings.
    pub fn new() -> Result<Self> {
        Self::with(|builder| builder)
    }

    /// The same with other settings. The clock is always the driver's own; it shows zero.
    ///
    /// # Errors
    /// Those of [`StreamingContextBuilder::build`].
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use streamflow::testing::Driver;
    ///
    /// let mut test = Driver::with(|builder| builder.threads(1).batch_interval(Duration::from_millis(10)))?;
    /// let out = test.output(&test.input(vec![vec!["a"]]));
    /// test.run_batches(1)?;
    /// assert_eq!(out.times()[0].as_millis(), 10);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    pub fn with(settings: impl FnOnce(StreamingContextBuilder) -> StreamingContextBuilder) -> Result<Self> {
        Self::with_clock(ManualClock::new(), settings)
    }

    /// The same with a clock of one's own, for instance that of an earlier driver whose program is started again.
    ///
    /// # Errors
    /// Those of [`StreamingContextBuilder::build`].
    pub fn with_clock(
        clock: ManualClock,
        settings: impl FnOnce(StreamingContextBuilder) -> StreamingContextBuilder,
    ) -> Result<Self> {
        let failures = Arc::new(Failures::default());
        let builder = settings(StreamingContext::builder("test").threads(2).ephemeral());
        let ctx = builder.clock(clock.clone()).hook(Arc::clone(&failures) as _).build()?;
        Ok(Self { ctx, clock, failures })
    }

    /// The stream of prepared batches: the first is that of the context's first batch, and so on; then come empty ones.
    ///
    /// Each is cut by position into as many partitions as the context has by default: part `i` of `p` holds the records
    /// `[i·n/p, (i+1)·n/p)` of `n`. A batch that is run again reads the same records again.
    ///
    /// After the start the stream is one that never runs; [`run_batches`](Self::run_batches) reports the mistake.
    #[track_caller]
    pub fn input<T: Clone + Send + Sync + 'static>(&self, batches: Vec<Vec<T>>) -> DStream<T> {
        let parallelism = self.ctx.parallelism();
        self.prepared(batches.into_iter().map(|batch| cut_batch(batch, parallelism)).collect())
    }

    /// As [`input`](Self::input), with batches that are cut into partitions already.
    #[track_caller]
    pub fn input_partitions<T: Clone + Send + Sync + 'static>(&self, batches: Vec<Vec<Vec<T>>>) -> DStream<T> {
        self.prepared(batches)
    }

    /// As [`input`](Self::input), with lines of text.
    ///
    /// # Examples
    /// ```
    /// use streamflow::testing::Driver;
    ///
    /// let mut test = Driver::new()?;
    /// let lines = test.text(vec![vec!["to be", "or not"], vec!["to be"]]);
    /// let lengths = test.output(&lines.transform(|batch| batch.map(|line| line.len())));
    /// test.run_batches(2)?;
    /// assert_eq!(lengths.batches(), [vec![5, 6], vec![5]]);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    ///
    /// # Panics
    /// If a batch holds more than 4 GiB of text.
    #[track_caller]
    pub fn text<L: AsRef<str>>(&self, batches: Vec<Vec<L>>) -> DStream<str> {
        let parallelism = self.ctx.parallelism();
        let cut = batches.into_iter().map(|batch| {
            let mut block = TextBlock::default();
            for line in batch {
                block.push(line.as_ref()).expect("a batch of a test is shorter than 4 GiB");
            }
            block.split(parallelism)
        });
        self.prepared(cut.collect())
    }

    #[track_caller]
    fn prepared<T>(&self, batches: Vec<Vec<T::Block>>) -> DStream<T>
    where
        T: Fork + ?Sized,
        T::Block: Clone + Default,
    {
        let empty = vec![T::Block::default(); self.ctx.parallelism()];
        let source = Prepared::<T> { batches, empty, first: BatchTime::default(), interval_ms: 1 };
        match self.ctx.add_source("prepared batches", "input".to_owned(), source) {
            Ok(stream) => stream,
            Err(mistake) => {
                self.ctx.topology().mistake(mistake);
                DStream::new(self.ctx.topology().clone(), NodeId(0))
            }
        }
    }

    /// Collects the batches of a stream, which can be used further: what is collected are clones where need be.
    #[track_caller]
    pub fn output<T: Clone + Send + Sync + 'static>(&self, stream: &DStream<T>) -> Collected<T> {
        stream.share();
        self.collect(stream)
    }

    /// Collects the batches of a stream whose records need not be `Clone`.
    ///
    /// # Examples
    /// ```
    /// use streamflow::testing::Driver;
    ///
    /// struct Unique(u32);
    ///
    /// let mut test = Driver::new()?;
    /// let unique = test.input(vec![vec![7]]).transform(|batch| batch.map(Unique));
    /// let out = test.output_moved(unique);
    /// test.run_batches(1)?;
    /// assert_eq!(out.take_batches()[0][0].0, 7);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn output_moved<T: Send + Sync + 'static>(&self, stream: DStream<T>) -> Collected<T> {
        self.collect(&stream)
    }

    #[track_caller]
    fn collect<T: Send + Sync + 'static>(&self, stream: &DStream<T>) -> Collected<T> {
        let collected = Collected { batches: Arc::default() };
        stream.add_output("collect", Collect { node: stream.node(), batches: Arc::clone(&collected.batches) });
        collected
    }

    /// Moves the clock by `batches` intervals at once and waits until these batches are completed, and a checkpoint that is
    /// due after them is written. Starts the context if it is not active yet.
    ///
    /// # Errors
    /// The first error of these batches, all of which have run; or why the context cannot start, or has stopped; or a
    /// mistake such as an output that was added after the start.
    pub fn run_batches(&mut self, batches: usize) -> Result<()> {
        let failures = self.try_run_batches(batches)?;
        failures.into_iter().next().map_or(Ok(()), Err)
    }

    /// As [`run_batches`](Self::run_batches), and returns all errors of these batches, in order.
    ///
    /// # Errors
    /// The context cannot start, or has stopped, or there is a mistake in the topology.
    ///
    /// # Examples
    /// ```
    /// use streamflow::Batch;
    /// use streamflow::testing::Driver;
    ///
    /// let mut test = Driver::new()?;
    /// let numbers = test.input(vec![vec![1], vec![0], vec![2]]);
    /// let checked = numbers.transform(|batch: Batch<i32>| {
    ///     if batch.iter().any(|n| *n == 0) { Err("a zero") } else { Ok(batch) }
    /// });
    /// let out = test.output(&checked);
    /// let errors = test.try_run_batches(3)?;
    /// assert_eq!(errors[0].batch().unwrap().as_millis(), 2_000);
    /// assert_eq!(out.batches(), [[1], [2]]);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    pub fn try_run_batches(&mut self, batches: usize) -> Result<Vec<Error>> {
        if self.ctx.state() == ContextState::Initialized {
            self.ctx.start()?;
        }
        if self.ctx.state() == ContextState::Active
            && let Some(mistake) = self.ctx.topology().take_mistake()
        {
            return Err(mistake);
        }
        let interval = self.ctx.batch_interval();
        let mut last = self.clock.now().floor(interval);
        for _ in 0..batches {
            last = last + interval;
        }
        self.clock.set(last);
        if batches > 0 {
            self.ctx.await_batch(last)?;
            self.ctx.settle();
        }
        Ok(lock(&self.failures.0).drain(..).collect())
    }

    /// Stops gracefully, moving the clock as far as the inputs need to hand over what they hold.
    ///
    /// # Errors
    /// Those of [`StreamingContext::stop_gracefully`].
    pub fn stop_gracefully(&mut self) -> Result<()> {
        if self.ctx.state() == ContextState::Active {
            self.ctx.begin_graceful_stop();
            // One batch takes all that the inputs held when they were stopped.
            self.clock.set(self.clock.now().next(self.ctx.batch_interval()));
        }
        self.ctx.stop_gracefully()
    }

    /// The context under test.
    #[must_use]
    pub fn context(&self) -> &StreamingContext {
        &self.ctx
    }

    /// The clock of the context, for tests that move it themselves.
    #[must_use]
    pub fn clock(&self) -> &ManualClock {
        &self.clock
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").field("context", &self.ctx).finish_non_exhaustive()
    }
}

/// The batches that came out of a stream, as far as they were run; see [`Driver::output`].
///
/// A batch that failed is missing.
pub struct Collected<T> {
    batches: Arc<Mutex<VecDeque<OutBatch<T>>>>,
}

struct OutBatch<T> {
    time: BatchTime,
    partitions: Vec<Vec<T>>,
}

impl<T> Collected<T> {
    /// The times of the batches.
    #[must_use]
    pub fn times(&self) -> Vec<BatchTime> {
        lock(&self.batches).iter().map(|batch| batch.time).collect()
    }

    /// Takes the batches out, the records of each in the order of the partitions. For records that are not `Clone`.
    #[must_use]
    pub fn take_batches(&self) -> Vec<Vec<T>> {
        self.take_partitions().into_iter().map(|partitions| partitions.into_iter().flatten().collect()).collect()
    }

    /// Takes the batches out, in their partitions. For records that are not `Clone`.
    #[must_use]
    pub fn take_partitions(&self) -> Vec<Vec<Vec<T>>> {
        lock(&self.batches).drain(..).map(|batch| batch.partitions).collect()
    }
}

impl<T: Clone> Collected<T> {
    /// The batches, the records of each in the order of the partitions.
    #[must_use]
    pub fn batches(&self) -> Vec<Vec<T>> {
        lock(&self.batches).iter().map(|batch| batch.partitions.concat()).collect()
    }

    /// The batches, in their partitions.
    #[must_use]
    pub fn partitions(&self) -> Vec<Vec<Vec<T>>> {
        lock(&self.batches).iter().map(|batch| batch.partitions.clone()).collect()
    }
}

impl<T> fmt::Debug for Collected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Collected").field("batches", &lock(&self.batches).len()).finish()
    }
}

/// Remembers the errors of batches.
#[derive(Default)]
struct Failures(Mutex<Vec<Error>>);

impl BatchHook for Failures {
    fn completed(&self, _: &BatchInfo, errors: &[Error]) {
        lock(&self.0).extend_from_slice(errors);
    }
}

/// The source of prepared batches: the range of a batch is its number.
struct Prepared<T: Record + ?Sized> {
    batches: Vec<Vec<T::Block>>,
    /// What follows the last batch.
    empty: Vec<T::Block>,
    first: BatchTime,
    interval_ms: u128,
}

impl<T: Record + ?Sized> Source for Prepared<T>
where
    T::Block: Clone,
{
    type Record = T;
    type Range = usize;

    fn start(&mut self, cx: &SourceCx) -> Result<()> {
        self.first = cx.zero_time + cx.batch_interval;
        self.interval_ms = cx.batch_interval.as_millis();
        Ok(())
    }

    fn next_range(&mut self, batch: BatchTime) -> Result<usize> {
        let number = batch.since(self.first).as_millis() / self.interval_ms;
        Ok(usize::try_from(number).unwrap_or(usize::MAX))
    }

    fn read(&mut self, batch: &usize) -> Result<Vec<T::Block>> {
        Ok(self.batches.get(*batch).unwrap_or(&self.empty).clone())
    }

    fn is_recoverable(&self) -> bool {
        true
    }

    fn encode_range(&self, batch: &usize) -> Result<Vec<u8>> {
        encode(batch)
    }

    fn decode_range(&mut self, _: &SourceCx, bytes: &[u8]) -> Result<usize> {
        decode(bytes)
    }
}

/// Cuts a batch into partitions by position.
fn cut_batch<T>(mut records: Vec<T>, partitions: usize) -> Vec<Vec<T>> {
    let total = records.len();
    let mut parts: Vec<Vec<T>> =
        (0..partitions).rev().map(|part| records.split_off(cut(total, partitions, part).start)).collect();
    parts.reverse();
    parts
}

struct Collect<T> {
    node: NodeId,
    batches: Arc<Mutex<VecDeque<OutBatch<T>>>>,
}

impl<T: Send + Sync + 'static> OutputOperation for Collect<T> {
    fn run(&self, run: &Run<'_>) -> Result<()> {
        let batch = Batch::<T>::read(run, self.node, None)?;
        let partitions = batch.each_partition(|_, records| records.collect::<Vec<T>>());
        lock(&self.batches).push_back(OutBatch { time: run.time(), partitions });
        Ok(())
    }
}
