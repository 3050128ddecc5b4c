//! Trending hashtags: JSON lines without a copy, and a window that adds what enters and takes back what leaves.
//!
//! ```sh
//! cargo run --release --example trending                                # made-up tweets, twenty times as fast as life
//! cargo run --release --example trending -- --connect 127.0.0.1:9999    # a server that sends one JSON object a line
//! ```
//!
//! `serde_json` parses a line into a `Tweet` that borrows from it, the hashtags borrow from the tweet, and a tag is owned
//! when it is new in its batch and not before. A slide of the window costs the tags of the batches that enter and leave,
//! however long the window is.

mod common;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use common::Watch;
use serde::Deserialize;
use streamflow::prelude::*;
use streamflow::source::Source;
use streamflow::{BatchTime, SystemClock, TextBlock};

/// The most used hashtags of the last minute, every five seconds.
#[derive(Parser)]
struct Args {
    /// Reads JSON lines such as `{"user":"ann","text":"#rust is fun"}` from this server instead of making tweets up.
    #[arg(long, value_name = "HOST:PORT")]
    connect: Option<String>,
    /// How many hashtags are shown.
    #[arg(long, value_name = "TAGS", default_value_t = 8)]
    top: usize,
    /// Made-up tweets in a second.
    #[arg(long, value_name = "TWEETS", default_value_t = 5_000)]
    rate: u64,
    /// How many seconds of made-up tweets there are.
    #[arg(long, value_name = "SECONDS", default_value_t = 90)]
    seconds: u64,
    /// How much faster than life the made-up tweets come.
    #[arg(long, value_name = "TIMES", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=20))]
    speed: u32,
    /// The seed of the made-up tweets: the same seed, the same tweets.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    watch: Watch,
}

/// A line of the input. Text with an escape such as `\"` or `\u00e9` is copied, all other text is not.
#[derive(Deserialize)]
struct Tweet<'a> {
    #[serde(borrow)]
    text: Cow<'a, str>,
}

/// The hashtags in a text, without their `#`.
fn hashtags(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace()
        .filter_map(|word| word.strip_prefix('#'))
        .map(|tag| tag.trim_end_matches(|c: char| !c.is_alphanumeric()))
        .filter(|tag| !tag.is_empty())
}

/// A line as a tweet; what is no tweet is counted and left out.
fn parse<'a>(line: &'a str, damaged: &AtomicU64) -> Option<Tweet<'a>> {
    let tweet = serde_json::from_str(line).ok();
    if tweet.is_none() {
        damaged.fetch_add(1, Ordering::Relaxed);
    }
    tweet
}

/// The most used hashtags of the last minute, every five seconds.
#[stream(batch = 1s)]
fn trending(tweets: DStream<str>, n: usize, damaged: Arc<AtomicU64>) -> DStream<(String, u64)> {
    tweets
        .filter_map(|line| parse(line, &damaged))
        .flat_map(|tweet| hashtags(&tweet.text))
        .map(|tag| (tag, 1))
        .reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, 1min, 5s, |(_, count)| *count > 0)
        .top_by(n, |(tag, count)| (*count, Reverse(tag.clone())))
}

fn main() -> streamflow::Result<()> {
    let args = Args::parse();
    let builder = StreamingContext::builder("trending").graceful_stop_timeout(Duration::from_secs(600));
    let builder = match args.connect {
        Some(_) => builder,
        None => builder.clock(SystemClock::with_speed(args.speed)),
    };
    let ctx = args.watch.page(builder).build()?;
    let summary = args.watch.listen(&ctx);

    let tweets = match &args.connect {
        Some(address) => ctx.socket_text_stream(address)?,
        None => ctx.source("tweets", Tweets { rate: args.rate, seconds: 0..args.seconds, seed: args.seed })?,
    };
    let damaged = Arc::new(AtomicU64::new(0));
    trending(tweets, args.top, Arc::clone(&damaged)).foreach_batch(|batch| show(&batch));

    ctx.start()?;
    if args.connect.is_none() {
        // Made-up tweets have an end: a graceful stop returns when all of them are processed.
        ctx.stop_gracefully()?;
    }
    ctx.await_termination()?;
    println!("{summary}\n{} lines were no tweets", damaged.load(Ordering::Relaxed));
    Ok(())
}

/// Prints the tags of a window with bars.
fn show(window: &Batch<(String, u64)>) {
    println!("the minute until {}", window.time());
    let most = window.iter().next().map_or(1, |(_, count)| (*count).max(1));
    for (rank, (tag, count)) in window.iter().enumerate() {
        let bar = "#".repeat((count * 40 / most) as usize);
        println!("{:>3}. {tag:<12} {count:>8}  {bar}", rank + 1);
    }
    println!();
}

/// Tweets that are made up: each tag has its day, and one line in a thousand is damaged.
struct Tweets {
    rate: u64,
    seconds: std::ops::Range<u64>,
    seed: u64,
}

const TAGS: [&str; 12] = [
    "rust", "harbour", "herring", "tide", "gulls", "rain", "barges", "ledger", "election", "football", "eclipse", "tea",
];

impl Source for Tweets {
    type Record = str;
    /// The number of the second; nothing after the last.
    type Range = Option<u64>;

    fn next_range(&mut self, _: BatchTime) -> streamflow::Result<Option<u64>> {
        Ok(self.seconds.next())
    }

    fn read(&mut self, second: &Option<u64>) -> streamflow::Result<Vec<TextBlock>> {
        let Some(second) = *second else { return Ok(Vec::new()) };
        // A generator of its own for each batch: read again, it is the same batch.
        let mut random = fastrand::Rng::with_seed(self.seed ^ (second << 32));
        let mut text = String::new();
        for number in 0..self.rate {
            // The favourite of the moment moves on every four seconds; others come by chance.
            let favourite = (second / 4) as usize + (random.f64().powi(3) * 5.0) as usize;
            let tag = TAGS[favourite % TAGS.len()];
            let end = if number % 1_000 == 999 { "" } else { "\"}" };
            let user = random.u16(..);
            let _ =
                writeln!(text, r#"{{"user":"user{user}","text":"number {number} of this second is about #{tag}!{end}"#);
        }
        Ok(TextBlock::lines(text).split(4))
    }

    fn has_pending(&self) -> bool {
        !self.seconds.is_empty()
    }
}
