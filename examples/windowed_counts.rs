//! The top words of the last thirty seconds, every five seconds, live in the terminal.
//!
//! ```sh
//! cargo run --release --example windowed_counts                                # the sample text, twenty times as fast
//! cargo run --release --example windowed_counts -- --connect 127.0.0.1:9999    # what `nc -lk 9999` sends
//! ```
//!
//! In a terminal the table is drawn in place; elsewhere one table follows the other. `change` is against the table
//! before.

mod common;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::{IsTerminal, Write as _};

use clap::Parser;
use common::Watch;
use streamflow::prelude::*;
use streamflow::source::Source;
use streamflow::{BatchTime, SystemClock, TextBlock};

/// Shows the most used words of the last thirty seconds, every five seconds.
#[derive(Parser)]
struct Args {
    /// Reads lines from this server instead of the sample text.
    #[arg(long, value_name = "HOST:PORT")]
    connect: Option<String>,
    /// The shortest words that count, in bytes.
    #[arg(long, value_name = "BYTES", default_value_t = 4)]
    min_len: usize,
    /// How many words are shown.
    #[arg(long, value_name = "WORDS", default_value_t = 10)]
    top: usize,
    /// How much faster than life the sample text comes.
    #[arg(long, value_name = "TIMES", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=20))]
    speed: u32,
    #[command(flatten)]
    watch: Watch,
}

/// The most used words of the last thirty seconds, and the number of all words in them, every five seconds.
#[stream(batch = 1s)]
fn top_words(lines: DStream<str>, min_len: usize, top: usize) -> (DStream<u64>, DStream<(String, u64)>) {
    let words = lines.flat_map(|line| line.split(|c: char| !c.is_alphanumeric())).filter(|word| word.len() >= min_len);
    let all = words.count_by_window(30s, 5s);
    let top = words
        .map(|word| (word, 1))
        .reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, 30s, 5s, |(_, count)| *count > 0)
        .top_by(top, |(word, count)| (*count, Reverse(word.clone())));
    (all, top)
}

fn main() -> streamflow::Result<()> {
    let args = Args::parse();
    let builder = StreamingContext::builder("windowed_counts").graceful_stop_timeout(Duration::from_secs(600));
    let builder = match args.connect {
        Some(_) => builder,
        None => builder.clock(SystemClock::with_speed(args.speed)),
    };
    let ctx = args.watch.page(builder).build()?;
    let summary = args.watch.listen(&ctx);

    let lines = match &args.connect {
        Some(address) => ctx.socket_text_stream(address)?,
        None => ctx.source("sample", Sample::new())?,
    };
    let (all, top) = top_words(lines, args.min_len.max(1), args.top);
    let table = std::sync::Mutex::new(Table::default());
    all.transform_with(&top, |all, top| {
        let all = all.collect().first().copied().unwrap_or_default();
        top.map(move |(word, count)| (word, count, all))
    })
    .foreach_batch(move |batch| {
        let time = batch.time();
        table.lock().expect("nobody panics with the lock").draw(time, batch.collect())
    });

    ctx.start()?;
    if args.connect.is_none() {
        // The sample has an end: a graceful stop returns when all of it is processed.
        ctx.stop_gracefully()?;
    }
    ctx.await_termination()?;
    println!("{summary}");
    Ok(())
}

/// The table on the screen.
#[derive(Default)]
struct Table {
    /// The counts of the last window.
    before: HashMap<String, u64>,
    /// How many lines the next table is drawn over.
    lines: usize,
}

impl Table {
    fn draw(&mut self, time: BatchTime, words: Vec<(String, u64, u64)>) -> std::io::Result<()> {
        let all = words.first().map_or(0, |(_, _, all)| *all);
        let mut text = format!("the thirty seconds until {time}: {all} words\n");
        let _ = writeln!(text, "{:>8} {:>7} {:>8}  word", "count", "share", "change");
        for (word, count, all) in &words {
            let change = match self.before.get(word) {
                Some(before) => format!("{:+}", count.cast_signed() - before.cast_signed()),
                None => "new".to_owned(),
            };
            let share = *count as f64 * 100.0 / *all as f64;
            let _ = writeln!(text, "{count:>8} {share:>6.1}% {change:>8}  {word}");
        }
        self.before = words.into_iter().map(|(word, count, _)| (word, count)).collect();

        let mut out = std::io::stdout().lock();
        if out.is_terminal() {
            if self.lines > 0 {
                // Back to the first line of the last table, which is cleared.
                write!(out, "\x1b[{}A\x1b[J", self.lines)?;
            }
            self.lines = text.lines().count();
        } else {
            text.push('\n');
        }
        out.write_all(text.as_bytes())?;
        out.flush()
    }
}

/// The sample text, one line a second, from its beginning to its end.
struct Sample {
    lines: std::str::Lines<'static>,
}

impl Sample {
    fn new() -> Self {
        Self { lines: include_str!("data/harbour.txt").lines() }
    }
}

impl Source for Sample {
    type Record = str;
    /// The line of the batch; none when the text has ended.
    type Range = Option<&'static str>;

    fn next_range(&mut self, _: BatchTime) -> streamflow::Result<Self::Range> {
        Ok(self.lines.next())
    }

    fn read(&mut self, line: &Self::Range) -> streamflow::Result<Vec<TextBlock>> {
        Ok(line.iter().map(|line| TextBlock::lines(*line)).collect())
    }

    fn has_pending(&self) -> bool {
        self.lines.clone().next().is_some()
    }
}
