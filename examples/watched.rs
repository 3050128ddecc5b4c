//! Watch it run: a web shop that is made up as it goes, with the live page and a line in the terminal.
//!
//! ```sh
//! cargo run --release --example watched                          # some batches, then a summary
//! cargo run --release --example watched -- --ui --batches 0      # the page at http://127.0.0.1:4040/, until Ctrl-C
//! cargo run --release --example watched -- --progress --batches 60
//! ```
//!
//! The visits come in waves, some orders cannot be read, and `--slow` makes some batches longer than their interval, so
//! that there is something to see. `docs/operating.md` says how to read the page.

mod common;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Parser;
use common::Watch;
use streamflow::prelude::*;
use streamflow::source::{Source, SourceCx, decode, encode};
use streamflow::{BatchTime, Clock, Result, SystemClock, TextBlock};

/// Counts the visits and orders of a web shop.
#[derive(Parser)]
struct Args {
    /// Ends after so many batches; 0 goes on until Ctrl-C.
    #[arg(long, default_value_t = 8)]
    batches: u64,
    /// The batch interval in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 250)]
    interval: u64,
    /// Visits in an interval, on average.
    #[arg(long, value_name = "VISITS", default_value_t = 20_000)]
    visits: u64,
    /// Sometimes takes longer than an interval.
    #[arg(long)]
    slow: bool,
    /// Fails one batch of 16, with this text as the reason. With `--batches`: `await_termination` returns the first error.
    #[arg(long, value_name = "TEXT")]
    fail: Option<String>,
    /// Prints what is run in place of running it, in the language of Graphviz.
    #[arg(long)]
    explain: bool,
    /// Keeps logs and checkpoints in this directory, and goes on from there when it is started again.
    #[arg(long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    #[command(flatten)]
    watch: Watch,
}

/// The most visited pages of the last seconds, the revenue by country, and how much each customer has spent.
#[stream]
fn shop(
    visits: DStream<str>,
    orders: DStream<str>,
    length: Duration,
    slide: Duration,
) -> (DStream<(String, u64)>, DStream<(String, u64)>, DStream<(u64, u64)>) {
    let popular = visits
        .filter(|visit| !visit.ends_with("bot"))
        .flat_map(|visit| visit.split(' ').next())
        .map(|page| (page, 1_u64))
        .reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, length, slide)
        .top_by(5, |(page, visits)| (*visits, page.clone()));
    let sales = orders.filter_map(Order::parse);
    let revenue = sales.map(|order| (order.country, order.cents)).reduce_by_key(|a, b| a + b);
    let spent = sales
        .map(|order| (order.customer, order.cents))
        .update_state_by_key(|cents, spent| Some(spent.unwrap_or(0) + cents.iter().sum::<u64>()));
    (popular, revenue, spent)
}

/// A line such as `customer country cents`.
#[derive(Clone, Copy)]
struct Order<'a> {
    customer: u64,
    country: &'a str,
    cents: u64,
}

impl<'a> Order<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut parts = line.split(' ');
        Some(Self { customer: parts.next()?.parse().ok()?, country: parts.next()?, cents: parts.next()?.parse().ok()? })
    }
}

fn main() -> Result<()> {
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
        .with_writer(std::io::stderr)
        .init();
    let args = Args::parse();
    let interval = Duration::from_millis(args.interval);
    let builder = StreamingContext::builder("web shop").batch_interval(interval);
    let builder = match &args.checkpoint {
        Some(directory) => builder.checkpoint(directory),
        None => builder.ephemeral(),
    };
    let ctx = args.watch.page(builder).build()?;
    let summary = args.watch.listen(&ctx);

    let visits = ctx.source("visits", Lines { batch: 0, per_batch: args.visits, write: visit })?;
    let orders = ctx.source("orders", Lines { batch: 0, per_batch: args.visits / 10, write: order })?;
    let (popular, revenue, spent) = shop(visits, orders, interval * 20, interval * 4);
    if args.watch.progress {
        popular.foreach_batch(|_| ());
    } else {
        popular.print(5);
    }
    let trouble = Trouble { slow: args.slow.then_some(interval), fail: args.fail };
    revenue.foreach_batch(move |batch| trouble.meet(&batch));
    spent.foreach_partition(|customers| {
        let _best = customers.max_by_key(|(_, cents)| *cents);
    });

    if args.explain {
        println!("{}", ctx.explain().to_dot());
        return Ok(());
    }
    ctx.start()?;
    if args.batches > 0 {
        let last = ctx.clock().now() + interval * u32::try_from(args.batches).unwrap_or(u32::MAX);
        ctx.clock().wait_until(last, &AtomicBool::new(false));
        ctx.stop_gracefully()?;
    }
    let ended = ctx.await_termination();
    ctx.stop()?;
    println!("{summary}");
    ended
}

/// What goes wrong in one batch of 16, so that the page has something to show.
struct Trouble {
    /// The batch takes twice this time.
    slow: Option<Duration>,
    /// It fails with this text.
    fail: Option<String>,
}

impl Trouble {
    fn meet(&self, revenue: &Batch<(String, u64)>) -> std::result::Result<(), String> {
        let busiest = revenue.iter().map(|(_, cents)| *cents).max();
        if busiest.is_none_or(|cents| cents % 16 != 0) {
            return Ok(());
        }
        if let Some(interval) = self.slow {
            let clock = SystemClock::new();
            clock.wait_until(clock.now() + interval * 2, &AtomicBool::new(false));
        }
        self.fail.clone().map_or(Ok(()), Err)
    }
}

/// Lines that are made up: the same batch holds the same lines in every run.
struct Lines {
    batch: u64,
    per_batch: u64,
    write: fn(&mut String, u64),
}

impl Source for Lines {
    type Record = str;
    type Range = u64;

    fn next_range(&mut self, _: BatchTime) -> Result<u64> {
        self.batch += 1;
        Ok(self.batch)
    }

    fn is_recoverable(&self) -> bool {
        true
    }

    fn encode_range(&self, batch: &u64) -> Result<Vec<u8>> {
        encode(batch)
    }

    fn decode_range(&mut self, _: &SourceCx, bytes: &[u8]) -> Result<u64> {
        decode(bytes)
    }

    fn resume(&mut self, _: &SourceCx, batches: &[(BatchTime, u64)]) -> Result<()> {
        self.batch = batches.last().map_or(0, |(_, batch)| *batch);
        Ok(())
    }

    fn read(&mut self, batch: &u64) -> Result<Vec<TextBlock>> {
        let wave = 1.0 + 0.4 * (*batch as f64 / 9.0).sin() + 0.1 * (*batch as f64 / 2.3).sin();
        let lines = (self.per_batch as f64 * wave) as u64;
        let mut line = String::new();
        let blocks = (0..4_u64).map(|part| {
            let mut block = TextBlock::default();
            for number in 0..lines / 4 {
                line.clear();
                (self.write)(&mut line, scramble((batch * 4 + part) << 32 | number));
                block.push(&line)?;
            }
            Ok(block)
        });
        blocks.collect()
    }
}

/// Spreads the bits of a number.
fn scramble(number: u64) -> u64 {
    let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ mixed >> 31
}

fn visit(line: &mut String, random: u64) {
    // Low numbers are the most frequent.
    let page = (random % 1_000) * (random / 1_000 % 1_000) / 1_000;
    let agent = if random.is_multiple_of(17) { "bot" } else { "browser" };
    let _ = write!(line, "/product/{page} {agent}");
}

fn order(line: &mut String, random: u64) {
    const COUNTRIES: [&str; 8] = ["AT", "CH", "DE", "ES", "FR", "IT", "NL", "PL"];
    let country = COUNTRIES[(random >> 8) as usize % COUNTRIES.len()];
    let cents = if random.is_multiple_of(41) { "?".to_owned() } else { (random >> 16 & 0x3fff).to_string() };
    let _ = write!(line, "{} {country} {cents}", (random >> 32) % 40_000);
}
