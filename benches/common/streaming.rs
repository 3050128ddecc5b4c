//! Programs that run batch after batch and keep something in between.
//!
//! A group's programs see the same batches, over and over, on a clock that the bench moves. They are pairs by name: `x`
//! and `hand_x`, so that two programs that are compared have always run equally often.

use std::hash::Hash;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use streamflow::source::Source;
use streamflow::testing::Driver;
use streamflow::{BatchTime, DStream};

use super::{Outcome, Program, THREADS, Work, data};

/// What the programs read: keys and numbers.
pub type Pair = (u64, u64);

/// The batches of a group, which come again from the front when all were read. All programs share them.
#[derive(Clone)]
pub struct Batches(Arc<Vec<Vec<Arc<Vec<Pair>>>>>);

impl Batches {
    /// These batches, each in as many blocks as there are threads.
    pub fn new(batches: impl IntoIterator<Item = Vec<Pair>>) -> Self {
        Self(Arc::new(batches.into_iter().map(|batch| data::blocks(&batch, THREADS)).collect()))
    }

    /// How many there are before they come again.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The blocks of a batch.
    pub fn get(&self, number: usize) -> &Vec<Arc<Vec<Pair>>> {
        &self.0[number % self.len()]
    }
}

/// The batches as a source of a context.
struct Again {
    batches: Batches,
    next: usize,
}

impl Source for Again {
    type Record = Pair;
    type Range = usize;

    fn next_range(&mut self, _: BatchTime) -> streamflow::Result<usize> {
        self.next += 1;
        Ok(self.next - 1)
    }

    fn read(&mut self, number: &usize) -> streamflow::Result<Vec<Vec<Pair>>> {
        Ok(self.read_shared(number)?.iter().map(|block| block.to_vec()).collect())
    }

    fn read_shared(&mut self, number: &usize) -> streamflow::Result<Vec<Arc<Vec<Pair>>>> {
        Ok(self.batches.get(*number).clone())
    }
}

/// How many batches a run has, and how many come before the first.
#[derive(Clone, Copy)]
pub struct Count {
    /// Batches until the program is in the state in which it is measured.
    pub before: usize,
    /// Batches of a run. Many, if they are short: then the time is that of a batch, not of waiting for it.
    pub of_a_run: usize,
}

/// A topology that is driven batch by batch.
pub struct Streaming {
    driver: Driver,
    batches: usize,
    digest: Arc<Digest>,
}

/// What came out since it was asked last, if somebody asks.
#[derive(Default)]
struct Digest {
    asked: AtomicU64,
    sum: AtomicU64,
}

impl Streaming {
    /// Declares the topology over the batches, and runs the batches that come before.
    pub fn new<T>(batches: Batches, count: Count, declare: impl FnOnce(DStream<Pair>) -> DStream<T>) -> Self
    where
        T: Hash + Clone + Send + Sync + 'static,
    {
        let driver = Driver::with(|context| context.threads(THREADS)).expect("the settings are fine");
        let pairs = driver.context().source("pairs", Again { batches, next: 0 }).expect("it has not started");
        let digest = Arc::new(Digest::default());
        let seen = Arc::clone(&digest);
        declare(pairs).foreach_partition(move |records| {
            if seen.asked.load(Ordering::Relaxed) == 0 {
                black_box(records.size_hint());
            } else {
                seen.sum.fetch_add(vec![records.collect::<Vec<T>>()].digest(), Ordering::Relaxed);
            }
        });
        let mut program = Self { driver, batches: count.of_a_run, digest };
        program.run_batches(count.before);
        program
    }

    /// Runs so many batches.
    pub fn run_batches(&mut self, batches: usize) {
        self.driver.run_batches(batches).expect("the batches succeed");
    }
}

impl Work for Streaming {
    fn run(&mut self) {
        self.run_batches(self.batches);
    }

    fn digest(&mut self) -> u64 {
        self.digest.asked.store(1, Ordering::Relaxed);
        self.run();
        self.digest.asked.store(0, Ordering::Relaxed);
        self.digest.sum.swap(0, Ordering::Relaxed)
    }
}

/// A program by hand over the same batches.
struct ByHand<F> {
    batches: Batches,
    next: usize,
    of_a_run: usize,
    step: F,
}

impl<R: Outcome, F: FnMut(&[Arc<Vec<Pair>>]) -> R> ByHand<F> {
    fn batch(&mut self) -> R {
        self.next += 1;
        (self.step)(self.batches.get(self.next - 1))
    }
}

impl<R: Outcome, F: FnMut(&[Arc<Vec<Pair>>]) -> R> Work for ByHand<F> {
    fn run(&mut self) {
        for _ in 0..self.of_a_run {
            black_box(self.batch());
        }
    }

    fn digest(&mut self) -> u64 {
        (0..self.of_a_run).fold(0, |sum, _| sum.wrapping_add(self.batch().digest()))
    }
}

impl Program {
    /// A topology over batches.
    pub fn streaming<T>(
        name: &'static str,
        batches: &Batches,
        count: Count,
        declare: impl FnOnce(DStream<Pair>) -> DStream<T>,
    ) -> Self
    where
        T: Hash + Clone + Send + Sync + 'static,
    {
        Self { name, work: Box::new(Streaming::new(batches.clone(), count, declare)) }
    }

    /// A function of each batch.
    pub fn by_hand<R: Outcome + 'static>(
        name: &'static str,
        batches: &Batches,
        count: Count,
        step: impl FnMut(&[Arc<Vec<Pair>>]) -> R + 'static,
    ) -> Self {
        let mut program = ByHand { batches: batches.clone(), next: 0, of_a_run: count.of_a_run, step };
        for _ in 0..count.before {
            black_box(program.batch());
        }
        Self { name, work: Box::new(program) }
    }
}
