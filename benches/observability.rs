//! What it costs to watch a program.
//!
//! `cargo bench --bench observability` runs a word count that nobody listens to and the same one with the page, which a
//! reader has open: it follows the events and fetches the metrics four times a second. `-- --rounds N` sets the number of
//! pairs of rounds.
//!
//! ```text
//! threads of the page in a watched round     0.004 (0.003 to 0.005, median within 0.004 to 0.005, 25 pairs): at most 0.02
//! throughput watched/plain by processor time 0.994 (0.981 to 1.006, median within 0.988 to 0.999, 25 pairs): at least 0.98
//! throughput watched/plain by the wall       0.990 (0.942 to 1.031, median within 0.972 to 1.008, 25 pairs): undecided
//! empty batch watched-plain by the wall      +2.1 µs (+0.4 µs to +3.9 µs, median within +1.2 µs to +2.9 µs, 25 pairs): at most 5 µs
//! ```
//!
//! Each figure is the median over pairs of rounds with its quartiles, and the 95 % interval of that median: rounds of a pair
//! follow each other in one process, and take turns in who goes first, so that both see the same machine. A bar is met, or
//! missed, if the whole interval says so. Processor time is that of all threads but the reader's, which stands for a browser
//! elsewhere; it says what the page costs on a machine that other programs keep busy, where the wall says little. The first
//! line is what the threads of the page itself took of it, those of listeners and server: it does not depend on how the
//! caches of the two programs happen to lie.
//!
//! The counters are always on; `batch_overhead` beside this measures a batch with them.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the system's clock")]

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use streamflow::prelude::*;
use streamflow::source::Source;
use streamflow::testing::Driver;
use streamflow::{BatchTime, Result, TextBlock};

/// Pairs of rounds.
const ROUNDS: usize = 25;
/// Lines of a batch, and batches of a round: about a second, in which the page sends some changes.
const LINES: u64 = 100_000;
const BATCHES: usize = 60;
const EMPTY_BATCHES: usize = 20_000;
/// Longer than the page gathers changes before it sends them.
const SETTLED: Duration = Duration::from_millis(300);
/// The name of the reader's threads.
const READER: &str = "reader";
/// Throughput with the page open, as a part of that without.
const LEAST_THROUGHPUT: f64 = 0.98;
/// What an empty batch may cost more, in seconds.
const MOST_OVERHEAD: f64 = 5e-6;

/// Whether the reader fetches the metrics.
static READING: AtomicBool = AtomicBool::new(false);

#[stream]
fn word_count(lines: DStream<str>) -> DStream<(String, u64)> {
    lines.flat_map(|line| line.split(' ')).map(|word| (word, 1_u64)).reduce_by_key(|a, b| a + b)
}

/// The same blocks in every batch.
struct Same(Vec<TextBlock>);

impl Source for Same {
    type Record = str;
    type Range = ();

    fn next_range(&mut self, _: BatchTime) -> Result<()> {
        Ok(())
    }

    fn read(&mut self, (): &()) -> Result<Vec<TextBlock>> {
        Ok(self.0.clone())
    }
}

/// Ten words a line, of some thousand that occur unevenly.
fn lines(count: u64) -> Vec<TextBlock> {
    let mut state = 1_u64;
    let mut random = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state >> 33
    };
    let block = |_| {
        let mut block = TextBlock::default();
        for _ in 0..count / 4 {
            let words: Vec<String> = (0..10).map(|_| format!("w{}", (random() % 100) * (random() % 100))).collect();
            block.push(&words.join(" ")).expect("a block is shorter than 4 GiB");
        }
        block
    };
    (0..4).map(block).collect()
}

fn program(watched: bool, count: u64) -> Result<Driver> {
    let mut driver = Driver::with(|builder| if watched { builder.ui("127.0.0.1:0") } else { builder })?;
    let counts = word_count(driver.context().source("lines", Same(lines(count)))?);
    counts.foreach_batch(|batch| {
        black_box(batch.len());
    });
    driver.run_batches(2)?;
    if let Some(address) = driver.context().ui_address() {
        let reader = || std::thread::Builder::new().name(READER.to_owned());
        reader().spawn(move || read_events(address)).expect("there is room for a thread");
        reader().spawn(move || scrape(address)).expect("there is room for a thread");
    }
    Ok(driver)
}

fn ask(address: SocketAddr, path: &str) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    Ok(stream)
}

/// Reads all events until the server is gone.
fn read_events(address: SocketAddr) -> std::io::Result<u64> {
    std::io::copy(&mut ask(address, "/events?after=0")?, &mut std::io::sink())
}

/// Fetches the metrics until the server is gone.
fn scrape(address: SocketAddr) -> std::io::Result<()> {
    let mut text = String::new();
    loop {
        text.clear();
        if READING.load(Ordering::Relaxed) {
            ask(address, "/metrics")?.read_to_string(&mut text)?;
        }
        std::thread::park_timeout(Duration::from_millis(250));
    }
}

/// What a batch of a round took, in seconds.
struct Taken {
    wall: f64,
    processors: f64,
    /// Of that, what listeners and server took.
    page: f64,
}

/// Runs a round. What the page still has to do after a watched one belongs to it; a plain one rests for as long.
fn round(driver: &mut Driver, batches: usize) -> Result<Taken> {
    READING.store(driver.context().ui_address().is_some(), Ordering::Relaxed);
    let (start, before) = (Instant::now(), processor_times());
    driver.run_batches(batches)?;
    let wall = start.elapsed().as_secs_f64();
    READING.store(false, Ordering::Relaxed);
    std::thread::park_timeout(SETTLED);
    let after = processor_times();
    let each = |seconds: f64| seconds / batches as f64;
    Ok(Taken { wall: each(wall), processors: each(after.0 - before.0), page: each(after.1 - before.1) })
}

/// For how many seconds all threads of this process but the reader's have run, and those of the page among them; zero where
/// the system does not say.
fn processor_times() -> (f64, f64) {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return (0.0, 0.0) };
    let of_thread = |thread: std::io::Result<std::fs::DirEntry>| {
        let path = thread.ok()?.path();
        let statistics = std::fs::read_to_string(path.join("schedstat")).ok()?;
        let nanos: f64 = statistics.split(' ').next()?.parse().ok()?;
        Some((std::fs::read_to_string(path.join("comm")).ok()?, nanos / 1e9))
    };
    let (mut all, mut page) = (0.0, 0.0);
    for (name, seconds) in threads.filter_map(of_thread).filter(|(name, _)| name.trim() != READER) {
        all += seconds;
        if name.trim().ends_with("-ui") || name.trim().ends_with("-listeners") {
            page += seconds;
        }
    }
    (all, page)
}

/// Pairs of rounds of a plain and a watched program.
fn pairs(lines: u64, batches: usize, rounds: usize) -> Result<Vec<(Taken, Taken)>> {
    let (mut plain, mut watched) = (program(false, lines)?, program(true, lines)?);
    round(&mut plain, batches)?;
    round(&mut watched, batches)?;
    let mut pairs = Vec::new();
    for number in 0..rounds {
        // The second finds the machine as the first left it.
        pairs.push(if number % 2 == 0 {
            let alone = round(&mut plain, batches)?;
            (alone, round(&mut watched, batches)?)
        } else {
            let seen = round(&mut watched, batches)?;
            (round(&mut plain, batches)?, seen)
        });
    }
    Ok(pairs)
}

/// The median with what is known of it.
struct Middle {
    median: f64,
    quartiles: (f64, f64),
    /// Where the median of all possible pairs is, with a probability of 95 %.
    interval: (f64, f64),
    pairs: usize,
}

impl Middle {
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.collect();
        values.sort_by(f64::total_cmp);
        let pairs = values.len();
        let at = |place: f64| values[(place.round().max(0.0) as usize).min(pairs - 1)];
        let last = (pairs - 1) as f64;
        // How many of them are below the true median is a matter of so many tosses of a coin.
        let apart = 1.96 * (pairs as f64).sqrt() / 2.0;
        Self {
            median: at(last / 2.0),
            quartiles: (at(last / 4.0), at(last * 3.0 / 4.0)),
            interval: (at((last / 2.0 - apart).floor()), at((last / 2.0 + apart).ceil())),
            pairs,
        }
    }

    /// Prints it, with whether it keeps to a bar: `holds` says so of a value.
    fn print(&self, what: &str, show: impl Fn(f64) -> String, bar: &str, holds: impl Fn(f64) -> bool) {
        let Self { median, quartiles: (low, high), interval: (least, most), pairs } = self;
        let verdict = match (holds(*least), holds(*most)) {
            (true, true) => bar.to_owned(),
            (false, false) => format!("not {bar}"),
            _ => "undecided".to_owned(),
        };
        let [median, low, high, least, most] = [median, low, high, least, most].map(|value| show(*value));
        println!("{what:<42} {median} ({low} to {high}, median within {least} to {most}, {pairs} pairs): {verdict}");
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let rounds = arguments.iter().skip_while(|argument| *argument != "--rounds").nth(1);
    let rounds = rounds.and_then(|rounds| rounds.parse().ok()).unwrap_or(ROUNDS).max(1);
    let ways: [(&str, fn(&Taken) -> f64); 2] =
        [("processor time", |taken| taken.processors), ("the wall", |taken| taken.wall)];

    let full = pairs(LINES, BATCHES, rounds)?;
    let shares = Middle::of(full.iter().map(|(_, watched)| watched.page / watched.processors));
    let bar = format!("at most {:.2}", 1.0 - LEAST_THROUGHPUT);
    let what = "threads of the page in a watched round";
    shares.print(what, |share| format!("{share:.4}"), &bar, |share| share <= 1.0 - LEAST_THROUGHPUT);
    for (way, time) in ways {
        let ratios = Middle::of(full.iter().map(|(plain, watched)| time(plain) / time(watched)));
        let what = format!("throughput watched/plain by {way}");
        let bar = format!("at least {LEAST_THROUGHPUT}");
        ratios.print(&what, |ratio| format!("{ratio:.3}"), &bar, |ratio| ratio >= LEAST_THROUGHPUT);
    }
    let empty = pairs(0, EMPTY_BATCHES, rounds)?;
    for (way, time) in ways {
        let alone = Middle::of(empty.iter().map(|(plain, _)| time(plain)));
        let more = Middle::of(empty.iter().map(|(plain, watched)| time(watched) - time(plain)));
        let what = format!("empty batch watched-plain by {way}");
        let bar = format!("at most {:.0} µs", MOST_OVERHEAD * 1e6);
        more.print(&what, |seconds| format!("{:+.1} µs", seconds * 1e6), &bar, |seconds| seconds <= MOST_OVERHEAD);
        println!("    of {:.1} µs plain", alone.median * 1e6);
    }
    Ok(())
}
