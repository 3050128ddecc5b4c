//! What it costs to lose nothing.
//!
//! `cargo bench --bench recovery` measures all of these, `cargo bench --bench recovery -- log checkpoint` some:
//!
//! | name | what is compared |
//! |---|---|
//! | `log` | storing the blocks of a receiver, each acknowledged when it is durable, with writing and syncing the same bytes to a file |
//! | `checkpoint` | a checkpoint of which 1 % of the keys changed with one of all keys, and with one of as many changes among fewer keys |
//! | `restart` | a start from a checkpoint of 1,000,000 keys with reading its files into a hash table |
//! | `running` | word counts with a checkpoint directory, checkpoints every second, with the same without |
//!
//! What is compared runs alternately in one process, so that it is measured at the same speed of the machine and of its
//! disk. A line gives the median of the ratios, their quartiles and their number. `STREAMFLOW_BENCH_DIR` says on which
//! disk; the target directory's if it is not set.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the system's clock")]

mod common;

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{Receiver as Inbox, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::data::{self, Random};
use streamflow::prelude::*;
use streamflow::source::{Receiver, ReceiverOptions, Source, SourceCx, Store};
use streamflow::testing::Driver;
use streamflow::{BatchTime, DStream, Result, TextBlock};
use tempfile::TempDir;

/// A directory on the disk that is measured.
fn directory() -> std::io::Result<TempDir> {
    let place = std::env::var_os("STREAMFLOW_BENCH_DIR").unwrap_or_else(|| env!("CARGO_TARGET_TMPDIR").into());
    tempfile::tempdir_in(place)
}

/// Median, lower and upper quartile.
struct Quartiles(f64, f64, f64, usize);

impl Quartiles {
    fn of(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        let at = |quarter: usize| values[(values.len() - 1) * quarter / 4];
        Self(at(2), at(1), at(3), values.len())
    }
}

impl std::fmt::Display for Quartiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(median, lower, upper, count) = self;
        let digits = if *median < 10.0 { 3 } else { 1 };
        write!(f, "{median:.digits$} ({lower:.digits$} to {upper:.digits$}, {count})")
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Writers that store blocks of the same size.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    writers: usize,
    /// Blocks of each writer.
    blocks: usize,
    block_bytes: usize,
}

const LOADS: [Load; 3] = [
    Load { name: "1 writer, blocks of 1 MiB", writers: 1, blocks: 64, block_bytes: 1 << 20 },
    Load { name: "1 writer, blocks of 64 KiB", writers: 1, blocks: 256, block_bytes: 64 << 10 },
    Load { name: "16 writers, blocks of 4 KiB", writers: 16, blocks: 32, block_bytes: 4 << 10 },
];

/// Stores what it is told to, and says how long that took.
struct Storing {
    orders: Inbox<Load>,
    took: Sender<Duration>,
}

impl Receiver for Storing {
    type Record = str;

    fn receive(&mut self, store: &Store<str>) -> Result<()> {
        while let Ok(load) = self.orders.recv() {
            let text = block(load);
            let start = Instant::now();
            let stored = std::thread::scope(|scope| {
                let write = || (0..load.blocks).try_for_each(|_| store.store_block(text.clone()));
                let writers: Vec<_> = (0..load.writers).map(|_| scope.spawn(write)).collect();
                writers.into_iter().try_for_each(|writer| writer.join().expect("a writer does not panic"))
            });
            let took = start.elapsed();
            stored?;
            let _ = self.took.send(took);
        }
        Ok(())
    }
}

/// Lines of 100 bytes.
fn block(load: Load) -> TextBlock {
    let line = "x".repeat(99) + "\n";
    TextBlock::lines(line.repeat(load.block_bytes / 100))
}

/// The same bytes, one file, and a sync after each block.
fn write_plainly(dir: &Path, load: Load, syncs: bool) -> std::io::Result<Duration> {
    let bytes = vec![b'x'; load.block_bytes];
    let path = dir.join("plain");
    let start = Instant::now();
    let mut file = fs::File::create(&path)?;
    for _ in 0..load.writers * load.blocks {
        file.write_all(&bytes)?;
        if syncs {
            file.sync_data()?;
        }
    }
    file.sync_data()?;
    let took = start.elapsed();
    fs::remove_file(path)?;
    Ok(took)
}

fn log() -> Result<()> {
    let dir = directory()?;
    let mut driver = Driver::with(|builder| builder.checkpoint(dir.path().join("checkpoint")))?;
    let ((orders, inbox), (took, times)) = (channel(), channel());
    let options = ReceiverOptions::new().buffer_bytes(1 << 30);
    let lines = driver.context().receiver_stream_with("lines", Storing { orders: inbox, took }, options)?;
    lines.foreach_batch(|batch| {
        black_box(batch.len());
    });
    driver.run_batches(1)?;
    for load in LOADS {
        let (mut ratios, mut rates) = (Vec::new(), Vec::new());
        for _ in 0..11 {
            orders.send(load).expect("the receiver runs");
            let ours = times.recv().expect("the receiver runs");
            // Makes room, and lets the log be cleaned.
            driver.run_batches(10)?;
            let plain = write_plainly(dir.path(), load, true)?;
            ratios.push(plain.as_secs_f64() / ours.as_secs_f64());
            let bytes = (load.writers * load.blocks * load.block_bytes) as f64;
            rates.push(bytes / ours.as_secs_f64() / 1e6);
        }
        println!("log, {}: throughput ours/plain {}", load.name, Quartiles::of(ratios));
        println!("log, {}: {} MB/s", load.name, Quartiles::of(rates));
    }
    drop(orders);
    Ok(())
}

/// A running sum for each key.
#[stream]
fn running(pairs: DStream<(u64, u64)>) -> DStream<(u64, u64)> {
    pairs.map_with_state(
        StateSpec::function(|key: &u64, value: Option<u64>, sum: &mut State<u64>| {
            let new = sum.get().copied().unwrap_or(0) + value.unwrap_or(0);
            sum.update(new);
            (*key, new)
        })
        .unbounded(),
    )
}

const KEYS: u64 = 1_000_000;
/// Keys of a batch but the first: 1 % of [`KEYS`].
const CHANGED: u64 = 10_000;
/// Checkpoints come with every third batch.
const CHECKPOINT: u64 = 3;

/// All keys in the batch before the first checkpoint, then some of them in each batch.
struct Changes {
    keys: u64,
}

impl Source for Changes {
    type Record = (u64, u64);
    type Range = u64;

    fn next_range(&mut self, batch: BatchTime) -> Result<u64> {
        Ok(batch.as_millis() / 1_000)
    }

    fn read(&mut self, batch: &u64) -> Result<Vec<Vec<(u64, u64)>>> {
        let mut random = Random::new(*batch);
        let all = (0..self.keys).map(|key| (Random::new(key).next(), 1)).collect();
        // All batches between two checkpoints change the same keys.
        let mut same = Random::new(batch.div_ceil(CHECKPOINT));
        let some = (0..CHANGED).map(|_| (Random::new(same.below(self.keys)).next(), random.below(100))).collect();
        Ok(vec![if *batch == 1 { all } else { some }])
    }

    fn is_recoverable(&self) -> bool {
        true
    }

    fn encode_range(&self, batch: &u64) -> Result<Vec<u8>> {
        streamflow::source::encode(batch)
    }

    fn decode_range(&mut self, _: &SourceCx, bytes: &[u8]) -> Result<u64> {
        streamflow::source::decode(bytes)
    }
}

/// When the batches began and ended on the job thread, as far as a program can see it.
type Moments = Arc<Mutex<Vec<[Instant; 2]>>>;

/// A program with many keys and its directory.
struct Keyed {
    driver: Driver,
    moments: Moments,
    dir: TempDir,
}

impl Keyed {
    fn new(keys: u64) -> Result<Self> {
        let dir = directory()?;
        let (driver, moments) = Self::start(keys, dir.path(), streamflow::ManualClock::new())?;
        Ok(Self { driver, moments, dir })
    }

    fn start(keys: u64, dir: &Path, clock: streamflow::ManualClock) -> Result<(Driver, Moments)> {
        let driver = Driver::with_clock(clock, |builder| {
            builder.checkpoint(dir).checkpoint_interval(Duration::from_secs(CHECKPOINT))
        })?;
        let moments = Moments::default();
        let (begins, ends) = (Arc::clone(&moments), Arc::clone(&moments));
        let note = |moments: &Moments, which: usize| {
            let mut moments = moments.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            match which {
                0 => moments.push([now, now]),
                _ => moments.last_mut().expect("it has begun")[1] = now,
            }
        };
        let pairs = driver.context().source("changes", Changes { keys })?;
        let pairs = pairs.transform(move |batch| {
            note(&begins, 0);
            batch
        });
        running(pairs).foreach_batch(move |batch| {
            black_box(batch.len());
            note(&ends, 1);
        });
        Ok((driver, moments))
    }

    /// The pauses between the batches since it was last asked: from the end of the outputs of one to the next.
    fn pauses(&self) -> Vec<Duration> {
        let mut moments = self.moments.lock().unwrap_or_else(PoisonError::into_inner);
        let pauses = moments.windows(2).map(|pair| pair[1][0] - pair[0][1]).collect();
        moments.clear();
        pauses
    }

    /// The last end of a batch.
    fn ended(&self) -> Instant {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner).last().expect("a batch has run")[1]
    }

    /// The files of checkpoints.
    fn files(&self) -> BTreeMap<String, u64> {
        let entries = fs::read_dir(self.dir.path().join("state")).expect("there is a checkpoint");
        let entries = entries.map(|entry| entry.expect("it can be listed"));
        let size = |entry: &fs::DirEntry| entry.metadata().expect("it is there").len();
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), size(&entry))).collect()
    }
}

/// What a checkpoint cost.
struct Cost {
    /// From the batch's end to the next batch, beyond what it is without a checkpoint.
    blocked: f64,
    /// From the batch's end until it is durable.
    durable: f64,
    bytes: f64,
}

impl Keyed {
    /// Runs to the next checkpoint and past it, with batches that are due at once; then to one more, alone.
    fn checkpoints(&mut self) -> Result<Cost> {
        self.pauses();
        // Without, with, and a batch after it: two pauses.
        self.driver.run_batches(3)?;
        let pauses = self.pauses();
        let blocked = millis(pauses[1]) - millis(pauses[0]);
        self.driver.run_batches(1)?;
        let before = self.files();
        self.driver.run_batches(1)?;
        let durable = millis(self.ended().elapsed());
        let bytes =
            self.files().iter().filter(|(name, _)| !before.contains_key(*name)).map(|(_, bytes)| *bytes).sum::<u64>();
        self.driver.run_batches(1)?;
        Ok(Cost { blocked, durable, bytes: bytes as f64 })
    }
}

fn checkpoint() -> Result<()> {
    let mut few = Keyed::new(KEYS / 10)?;
    few.driver.run_batches(4)?;
    let (mut all, mut ratios) = (Vec::new(), [Vec::new(), Vec::new(), Vec::new(), Vec::new()]);
    let mut some = [Vec::new(), Vec::new(), Vec::new()];
    for _ in 0..5 {
        let mut many = Keyed::new(KEYS)?;
        many.driver.run_batches(2)?;
        many.driver.run_batches(1)?;
        let whole = Cost {
            blocked: 0.0,
            durable: millis(many.ended().elapsed()),
            bytes: many.files().values().sum::<u64>() as f64,
        };
        many.driver.run_batches(1)?;
        for _ in 0..3 {
            let (cost, of_few) = (many.checkpoints()?, few.checkpoints()?);
            ratios[0].push(cost.bytes / whole.bytes);
            ratios[1].push(cost.durable / whole.durable);
            ratios[2].push(cost.bytes / of_few.bytes);
            ratios[3].push(cost.durable / of_few.durable);
            some[0].push(cost.blocked);
            some[1].push(cost.durable);
            some[2].push(cost.bytes / 1e3);
        }
        all.push(whole);
    }
    let [bytes, time, bytes_few, time_few] = ratios.map(Quartiles::of);
    println!("checkpoint, 1 % of 1,000,000 keys/all of them: bytes {bytes}, time {time}");
    println!("checkpoint, 10,000 of 1,000,000 keys/10,000 of 100,000: bytes {bytes_few}, time {time_few}");
    let [blocked, durable, bytes] = some.map(Quartiles::of);
    println!("checkpoint, 1 %: next batch waits {blocked} ms longer, durable after {durable} ms, {bytes} kB");
    let durable = Quartiles::of(all.iter().map(|cost| cost.durable).collect());
    let bytes = Quartiles::of(all.iter().map(|cost| cost.bytes / 1e3).collect());
    println!("checkpoint, all: durable after {durable} ms, {bytes} kB");
    Ok(())
}

/// Reads the files of the checkpoint, and fills a table of as many keys.
fn read_plainly(dir: &Path) -> std::io::Result<Duration> {
    let start = Instant::now();
    for entry in fs::read_dir(dir.join("state"))? {
        black_box(fs::read(entry?.path())?);
    }
    let table: HashMap<u64, u64> = (0..KEYS).map(|key| (Random::new(key).next(), key)).collect();
    black_box(table.len());
    Ok(start.elapsed())
}

fn restart() -> Result<()> {
    let mut first = Keyed::new(KEYS)?;
    // A base and three deltas.
    first.driver.run_batches(4)?;
    first.driver.run_batches(3)?;
    first.driver.run_batches(3)?;
    first.driver.run_batches(2)?;
    let Keyed { driver, dir, .. } = first;
    let clock = driver.clock().clone();
    drop(driver);
    let (mut ratios, mut times, mut first_batches) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..9 {
        let plain = read_plainly(dir.path())?;
        let begin = Instant::now();
        let (mut driver, _) = Keyed::start(KEYS, dir.path(), clock.clone())?;
        driver.context().start()?;
        let took = begin.elapsed();
        // At the end of the round, so that each start has the same before it: nothing is written by a start.
        if round == 8 {
            driver.run_batches(1)?;
            first_batches.push(millis(begin.elapsed()));
        }
        ratios.push(took.as_secs_f64() / plain.as_secs_f64());
        times.push(millis(took));
    }
    println!("restart, 1,000,000 keys: time start/plain {}", Quartiles::of(ratios));
    println!(
        "restart, 1,000,000 keys: {} ms, and the first batch is done after {:.0} ms",
        Quartiles::of(times),
        first_batches[0]
    );
    Ok(())
}

/// The same text in every batch.
struct Same(Vec<Arc<TextBlock>>);

impl Source for Same {
    type Record = str;
    type Range = ();

    fn next_range(&mut self, _: BatchTime) -> Result<()> {
        Ok(())
    }

    fn read(&mut self, (): &()) -> Result<Vec<TextBlock>> {
        Ok(self.0.iter().map(|block| TextBlock::clone(block)).collect())
    }

    fn read_shared(&mut self, (): &()) -> Result<Vec<Arc<TextBlock>>> {
        Ok(self.0.clone())
    }

    fn is_recoverable(&self) -> bool {
        true
    }

    fn encode_range(&self, (): &()) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn decode_range(&mut self, _: &SourceCx, _: &[u8]) -> Result<()> {
        Ok(())
    }
}

/// Stores the same text when it is told to.
struct Feeding {
    orders: Inbox<()>,
    stored: Sender<()>,
    blocks: Vec<TextBlock>,
}

impl Receiver for Feeding {
    type Record = str;

    fn receive(&mut self, store: &Store<str>) -> Result<()> {
        while let Ok(()) = self.orders.recv() {
            self.blocks.iter().try_for_each(|block| store.store_block(block.clone()))?;
            let _ = self.stored.send(());
        }
        Ok(())
    }
}

#[stream]
fn word_count(lines: DStream<str>) -> DStream<(String, u64)> {
    lines.flat_map(|line| line.split(' ')).map(|word| (word, 1_u64)).reduce_by_key(|a, b| a + b)
}

#[stream]
fn running_word_count(lines: DStream<str>) -> DStream<(String, u64)> {
    lines.flat_map(|line| line.split(' ')).map(|word| (word, 1_u64)).reduce_by_key(|a, b| a + b).map_with_state(
        StateSpec::function(|word: &String, count: Option<u64>, total: &mut State<u64>| {
            let new = total.get().copied().unwrap_or(0) + count.unwrap_or(0);
            total.update(new);
            (word.clone(), new)
        })
        .unbounded(),
    )
}

/// A program that counts words, and how its input comes.
struct Counting {
    /// Dropped first, so that the receiver ends before its context waits for it.
    orders: Option<(Sender<()>, Inbox<()>)>,
    driver: Driver,
    _dir: TempDir,
}

impl Counting {
    fn new(durable: bool, received: bool, count: fn(DStream<str>) -> DStream<(String, u64)>) -> Result<Self> {
        let dir = directory()?;
        let mut driver = Driver::with(|builder| {
            let builder = builder.batch_interval(Duration::from_millis(100));
            let checkpoint = dir.path().join("checkpoint");
            if durable { builder.checkpoint(checkpoint).checkpoint_interval(Duration::from_secs(1)) } else { builder }
        })?;
        // A batch is an interval's work, or a little more: the program is as busy as it can be.
        let text = data::text();
        let blocks: Vec<TextBlock> = data::text_blocks(&text, 2).iter().map(|block| TextBlock::clone(block)).collect();
        let mut orders = None;
        let lines = if received {
            let ((order, inbox), (outbox, stored)) = (channel(), channel());
            orders = Some((order, stored));
            driver.context().receiver_stream("lines", Feeding { orders: inbox, stored: outbox, blocks })?
        } else {
            driver.context().source("lines", Same(blocks.into_iter().map(Arc::new).collect()))?
        };
        count(lines).foreach_batch(|batch| {
            black_box(batch.len());
        });
        driver.run_batches(5)?;
        Ok(Self { orders, driver, _dir: dir })
    }

    /// Ten batches; a checkpoint comes in the middle of them.
    fn run(&mut self) -> Result<f64> {
        let start = Instant::now();
        match &self.orders {
            None => self.driver.run_batches(10)?,
            Some((orders, stored)) => {
                // What the next batch reads is received while a batch runs.
                for _ in 0..10 {
                    orders.send(()).expect("the receiver runs");
                    self.driver.run_batches(1)?;
                    stored.recv().expect("the receiver runs");
                }
                self.driver.run_batches(1)?;
            }
        }
        Ok(start.elapsed().as_secs_f64())
    }
}

fn running_programs() -> Result<()> {
    let programs: [(&str, bool, fn(DStream<str>) -> DStream<(String, u64)>); 3] = [
        ("word count", false, word_count),
        ("running word count", false, running_word_count),
        ("word count of a receiver", true, word_count),
    ];
    for (name, received, count) in programs {
        let (mut plain, mut durable) = (Counting::new(false, received, count)?, Counting::new(true, received, count)?);
        let (mut ratios, mut times) = (Vec::new(), Vec::new());
        for _ in 0..15 {
            let (without, with) = (plain.run()?, durable.run()?);
            ratios.push(without / with);
            times.push(without * 100.0);
        }
        println!("running, {name}: throughput with/without {}", Quartiles::of(ratios));
        println!("running, {name}: a batch takes {} ms without", Quartiles::of(times));
    }
    Ok(())
}

fn main() -> Result<()> {
    let wanted: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let benches: [(&str, fn() -> Result<()>); 4] =
        [("log", log), ("checkpoint", checkpoint), ("restart", restart), ("running", running_programs)];
    for (name, bench) in benches {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            bench()?;
        }
    }
    Ok(())
}
