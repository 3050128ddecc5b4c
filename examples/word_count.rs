//! The first program: the most used words of every batch of text.
//!
//! ```sh
//! cargo run --release --example word_count                                # a sample text, ends by itself
//! cargo run --release --example word_count -- --connect 127.0.0.1:9999    # what `nc -lk 9999` sends
//! cargo run --release --example word_count -- --dir logs                  # files that are moved into `logs`
//! ```
//!
//! With a socket or a directory it runs until Ctrl-C, which stops it gracefully: what was received is still counted.

mod common;

use std::cmp::Reverse;

use clap::Parser;
use common::Watch;
use streamflow::listener::{ReceiverInfo, StreamingListener};
use streamflow::prelude::*;
use streamflow::source::Source;
use streamflow::{BatchTime, TextBlock};

/// Counts words, batch by batch, and prints the most used ones.
#[derive(Parser)]
struct Args {
    /// Reads lines from this server instead of the sample text.
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "dir")]
    connect: Option<String>,
    /// Reads the text files that appear in this directory instead of the sample text.
    #[arg(long, value_name = "DIR", value_parser = directory)]
    dir: Option<String>,
    /// The batch interval in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 1000)]
    interval: u64,
    /// The shortest words that count, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 1)]
    min_len: usize,
    /// How many words are printed for a batch.
    #[arg(long, value_name = "WORDS", default_value_t = 10)]
    top: usize,
    #[command(flatten)]
    watch: Watch,
}

/// A directory may come and go while the program runs; one that is not there at the start is a slip of the pen.
fn directory(path: &str) -> Result<String, String> {
    if std::path::Path::new(path).is_dir() { Ok(path.to_owned()) } else { Err("there is no such directory".to_owned()) }
}

/// The most used words of a batch, the most used one first, equals in the order of the alphabet.
#[stream]
fn top_words(lines: DStream<str>, min_len: usize, top: usize) -> DStream<(String, u64)> {
    lines
        .flat_map(|line| line.split(|c: char| !c.is_alphanumeric()))
        .filter(|word| !word.is_empty() && word.len() >= min_len)
        .map(|word| (word, 1))
        .reduce_by_key(|a, b| a + b)
        .top_by(top, |(word, count)| (*count, Reverse(word.clone())))
}

fn main() -> streamflow::Result<()> {
    let args = Args::parse();
    let builder = StreamingContext::builder("word_count")
        .batch_interval(Duration::from_millis(args.interval))
        .graceful_stop_timeout(Duration::from_secs(60));
    let ctx = args.watch.page(builder).build()?;
    let summary = args.watch.listen(&ctx);
    ctx.add_listener(Complaints);

    let lines = match (&args.connect, &args.dir) {
        (Some(address), _) => ctx.socket_text_stream(address)?,
        (None, Some(directory)) => ctx.text_file_stream(directory)?,
        (None, None) => ctx.source("sample", Sample::new())?,
    };
    top_words(lines, args.min_len, args.top).foreach_batch(|batch| show(&batch));

    ctx.start()?;
    if args.connect.is_none() && args.dir.is_none() {
        // The sample has an end: a graceful stop returns when all of it is processed.
        ctx.stop_gracefully()?;
    }
    ctx.await_termination()?;
    println!("{summary}");
    Ok(())
}

/// Prints a batch under its time, as `print` does, with the counts in a column.
fn show(batch: &Batch<(String, u64)>) {
    const RULE: &str = "-------------------------------------------";
    println!("{RULE}\nTime: {}\n{RULE}", batch.time());
    for (word, count) in batch.iter() {
        println!("{count:>6}  {word}");
    }
    println!();
}

/// Says why nothing arrives, for instance that no server listens yet.
struct Complaints;

impl StreamingListener for Complaints {
    fn on_receiver_error(&self, receiver: &ReceiverInfo) {
        if let Some(error) = &receiver.last_error {
            eprintln!("{error}; trying again");
        }
    }
}

/// The sample text, sixteen lines in a batch.
struct Sample {
    lines: Vec<&'static str>,
    batches: usize,
}

impl Sample {
    const LINES: usize = 16;

    fn new() -> Self {
        Self { lines: include_str!("data/harbour.txt").lines().collect(), batches: 0 }
    }
}

impl Source for Sample {
    type Record = str;
    /// The number of the batch.
    type Range = usize;

    fn next_range(&mut self, _: BatchTime) -> streamflow::Result<usize> {
        self.batches += 1;
        Ok(self.batches - 1)
    }

    fn read(&mut self, batch: &usize) -> streamflow::Result<Vec<TextBlock>> {
        let lines = self.lines.chunks(Self::LINES).nth(*batch).unwrap_or_default();
        Ok(vec![TextBlock::lines(lines.join("\n"))])
    }

    fn has_pending(&self) -> bool {
        self.batches * Self::LINES < self.lines.len()
    }
}
