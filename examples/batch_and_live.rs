//! One function over a file and over a stream: the same program for historical and for live data.
//!
//! ```sh
//! cargo run --release --example batch_and_live
//! cargo run --release --example batch_and_live -- --file README.md
//! ```
//!
//! `word_count` runs twice: in batch mode over the whole file, then live, over the lines of the file as they are sent into
//! a channel. The counts of the batches add up to those of the file.

mod common;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use clap::Parser;
use common::Watch;
use streamflow::BatchContext;
use streamflow::prelude::*;

/// Counts the words of a file in batch mode and live, and compares.
#[derive(Parser)]
struct Args {
    /// The file.
    #[arg(long, default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/harbour.txt"))]
    file: std::path::PathBuf,
    /// The batch interval of the live run in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 100)]
    interval: u64,
    /// How many words are printed.
    #[arg(long, value_name = "WORDS", default_value_t = 10)]
    top: usize,
    #[command(flatten)]
    watch: Watch,
}

/// How often each word occurs in a batch.
#[stream]
fn word_count(lines: DStream<str>) -> DStream<(String, u64)> {
    lines
        .flat_map(|line| line.split(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty())
        .map(|word| (word, 1))
        .reduce_by_key(|a, b| a + b)
}

type Counts = BTreeMap<String, u64>;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let text = std::fs::read_to_string(&args.file)?;

    let from_file = count_in_batch_mode(&text)?;
    let from_stream = count_live(&text, Duration::from_millis(args.interval), &args.watch)?;

    println!("\n{:<16} {:>8} {:>8}", "word", "file", "stream");
    let mut words: Vec<(&String, &u64)> = from_file.iter().collect();
    words.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    for (word, count) in words.into_iter().take(args.top) {
        println!("{word:<16} {count:>8} {:>8}", from_stream.get(word).unwrap_or(&0));
    }
    let total: u64 = from_file.values().sum();
    println!("\n{} words, {total} in all", from_file.len());
    if from_file != from_stream {
        return Err("the file and the stream have different counts".into());
    }
    println!("the file and the stream have the same counts");
    Ok(())
}

/// Batch mode: the file is one batch, and nothing waits for a clock.
fn count_in_batch_mode(text: &str) -> streamflow::Result<Counts> {
    let ctx = BatchContext::new()?;
    Ok(ctx.collect(word_count(ctx.text(text)))?.into_iter().collect())
}

/// Live: the lines arrive over time, and each batch counts those of its interval.
fn count_live(text: &str, interval: Duration, watch: &Watch) -> streamflow::Result<Counts> {
    let ctx = watch.page(StreamingContext::builder("live").batch_interval(interval)).build()?;
    let summary = watch.listen(&ctx);
    let (sender, lines) = ctx.channel::<str>(1_000)?;
    let totals = Arc::new(Mutex::new(Counts::new()));
    let sums = Arc::clone(&totals);
    word_count(lines).foreach_batch(move |batch| {
        println!("batch {} counted {:>4} different words", batch.time(), batch.len());
        let mut sums = sums.lock().expect("nobody panics with the lock");
        for (word, count) in batch.collect() {
            *sums.entry(word).or_default() += count;
        }
    });

    ctx.start()?;
    for (number, line) in text.lines().enumerate() {
        sender.send(line)?;
        // Somebody types: a pause after every twenty lines.
        if number % 20 == 19 && ctx.await_termination_or_timeout(interval)? {
            break;
        }
    }
    // What was sent so far is still counted.
    ctx.stop_gracefully()?;
    ctx.await_termination()?;
    println!("{summary}");
    let counts = std::mem::take(&mut *totals.lock().expect("nobody panics with the lock"));
    Ok(counts)
}
