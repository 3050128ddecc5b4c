//! What it costs to watch a program.
//!
//! `cargo bench --bench observability` runs a word count without a listener and the same one with the page, which a reader
//! has open: it follows the events and fetches the metrics four times a second. Rounds alternate in one process, so that
//! what is compared is measured at the same speed of the machine.
//!
//! ```text
//! throughput watched/plain 0.99 (0.98 to 1.01, 41)
//! empty batch in µs: plain 21.4, watched 24.9
//! ```
//!
//! The first line is the median of the ratios of throughput with its quartiles; it should be at least 0.98. The counters are
//! always on; `batch_overhead` beside this measures a batch with them.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the system's clock")]

use std::hint::black_box;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use streamflow::prelude::*;
use streamflow::source::Source;
use streamflow::testing::Driver;
use streamflow::{BatchTime, Result, TextBlock};

/// Rounds that count.
const ROUNDS: usize = 41;
/// Batches of a round.
const BATCHES: usize = 4;
const EMPTY_BATCHES: usize = 2_000;

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
        std::thread::spawn(move || read_events(address));
        std::thread::spawn(move || scrape(address));
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
        ask(address, "/metrics")?.read_to_string(&mut text)?;
        std::thread::park_timeout(Duration::from_millis(250));
    }
}

fn time(driver: &mut Driver, batches: usize) -> Result<f64> {
    let start = Instant::now();
    driver.run_batches(batches)?;
    Ok(start.elapsed().as_secs_f64() / batches as f64)
}

fn main() -> Result<()> {
    let (mut plain, mut watched) = (program(false, 100_000)?, program(true, 100_000)?);
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let (alone, seen) = (time(&mut plain, BATCHES)?, time(&mut watched, BATCHES)?);
        ratios.push(alone / seen);
    }
    ratios.sort_by(f64::total_cmp);
    let at = |share: usize| ratios[(ROUNDS - 1) * share / 4];
    println!("throughput watched/plain {:.3} ({:.3} to {:.3}, {ROUNDS})", at(2), at(1), at(3));
    drop((plain, watched));

    let (mut plain, mut watched) = (program(false, 0)?, program(true, 0)?);
    let mut empty = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        empty[0].push(time(&mut plain, EMPTY_BATCHES)? * 1e6);
        empty[1].push(time(&mut watched, EMPTY_BATCHES)? * 1e6);
    }
    empty.iter_mut().for_each(|times| times.sort_by(f64::total_cmp));
    println!("empty batch in µs: plain {:.1}, watched {:.1}", empty[0][ROUNDS / 2], empty[1][ROUNDS / 2]);
    Ok(())
}
