//! Two outputs from one scan: errors by service and the slowest requests, from the same log lines.
//!
//! ```sh
//! cargo run --release --example log_alerts
//! cargo run --release --example log_alerts -- --explain      # the plan: one stage that feeds two sinks
//! ```
//!
//! A line is parsed once. Both branches hang in the same loop, so the parsed entry borrows from the line in either of
//! them, and only what crosses a shuffle is owned: the name of a service once for each batch, not once for each line.

mod common;

use std::fmt::Write;

use clap::Parser;
use common::Watch;
use streamflow::prelude::*;
use streamflow::source::Source;
use streamflow::{BatchTime, TextBlock};

/// Watches a log that is made up as it goes: errors by service, and the slowest requests.
#[derive(Parser)]
struct Args {
    /// Lines in a batch.
    #[arg(long, value_name = "LINES", default_value_t = 50_000)]
    lines: usize,
    /// Batches, two in a second.
    #[arg(long, value_name = "BATCHES", default_value_t = 6)]
    batches: u64,
    /// So many errors of a service in a batch are an alert.
    #[arg(long, value_name = "ERRORS", default_value_t = 400)]
    errors: u64,
    /// A request that takes so long is slow.
    #[arg(long, value_name = "MS", default_value_t = 900)]
    slow: u32,
    /// The seed of the log: the same seed, the same lines.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Prints what is run in place of running it.
    #[arg(long)]
    explain: bool,
    #[command(flatten)]
    watch: Watch,
}

/// A line such as `ERROR payments 412 card declined`, without a copy of any of it.
#[derive(Clone, Copy)]
struct Entry<'a> {
    level: &'a str,
    service: &'a str,
    millis: u32,
    message: &'a str,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut parts = line.splitn(4, ' ');
        Some(Self {
            level: parts.next()?,
            service: parts.next()?,
            millis: parts.next()?.parse().ok()?,
            message: parts.next()?,
        })
    }
}

/// A slow request: how long it took, in milliseconds, its service and its message.
type Slow = (u32, String, String);

/// How many errors each service has, and the three slowest requests with their services and messages.
#[stream]
fn alerts(lines: DStream<str>, slow: u32) -> (DStream<(String, u64)>, DStream<Slow>) {
    let entries = lines.filter_map(Entry::parse);
    let errors =
        entries.filter(|entry| entry.level == "ERROR").map(|entry| (entry.service, 1)).reduce_by_key(|a, b| a + b);
    let slowest = entries
        .filter(|entry| entry.millis >= slow)
        .map(|entry| (entry.millis, entry.service, entry.message))
        .top_by(3, |(millis, _, _)| *millis);
    (errors, slowest)
}

fn main() -> streamflow::Result<()> {
    let args = Args::parse();
    let builder = StreamingContext::builder("log_alerts")
        .batch_interval(Duration::from_millis(500))
        .graceful_stop_timeout(Duration::from_secs(600));
    let ctx = args.watch.page(builder).build()?;
    let summary = args.watch.listen(&ctx);

    let log = Log { lines: args.lines, batches: 0..args.batches, seed: args.seed };
    let (errors, slowest) = alerts(ctx.source("log", log)?, args.slow);
    let limit = args.errors;
    errors.foreach_batch(move |batch| {
        println!("errors by service at {}", batch.time());
        for (service, count) in batch.sort_by_desc(|(_, count)| *count).iter() {
            println!("  {service:<10} {count:>6}  {}", if *count >= limit { "ALERT" } else { "" });
        }
    });
    slowest.foreach_batch(|batch| {
        println!("slowest requests");
        for (millis, service, message) in batch.iter() {
            println!("  {service:<10} {millis:>6} ms  {message}");
        }
        println!();
    });

    if args.explain {
        print!("{}", ctx.explain());
        return Ok(());
    }
    ctx.start()?;
    // The log has an end: a graceful stop returns when all of it is processed.
    ctx.stop_gracefully()?;
    ctx.await_termination()?;
    println!("{summary}");
    Ok(())
}

/// A log that is made up: each service fails now and then, and `payments` more often as time goes by.
struct Log {
    lines: usize,
    batches: std::ops::Range<u64>,
    seed: u64,
}

const SERVICES: [&str; 6] = ["checkout", "search", "payments", "images", "login", "mail"];
const TROUBLES: [&str; 4] = ["upstream timed out", "connection reset", "out of file handles", "card declined"];

impl Source for Log {
    type Record = str;
    /// The number of the batch; nothing after the last.
    type Range = Option<u64>;

    fn next_range(&mut self, _: BatchTime) -> streamflow::Result<Option<u64>> {
        Ok(self.batches.next())
    }

    fn read(&mut self, batch: &Option<u64>) -> streamflow::Result<Vec<TextBlock>> {
        let Some(batch) = *batch else { return Ok(Vec::new()) };
        // A generator of its own for each batch: read again, it is the same batch.
        let mut random = fastrand::Rng::with_seed(self.seed ^ (batch << 32));
        let mut text = String::new();
        for _ in 0..self.lines {
            let service = random.choice(SERVICES).unwrap_or_default();
            let odds = if service == "payments" { 1 + batch } else { 1 };
            let millis = (random.f64().powi(12) * 2_000.0) as u32;
            if random.u64(0..100) < odds {
                let trouble = random.choice(TROUBLES).unwrap_or_default();
                let _ = writeln!(text, "ERROR {service} {millis} {trouble}");
            } else {
                let _ = writeln!(text, "INFO {service} {millis} request {} served", random.u32(..));
            }
        }
        Ok(TextBlock::lines(text).split(4))
    }

    fn has_pending(&self) -> bool {
        !self.batches.is_empty()
    }
}
