//! Inputs of one's own: a `Source`, which is asked batch by batch, and a `Receiver`, which pushes.
//!
//! ```sh
//! cargo run --release --example custom_source
//! ```
//!
//! `Gauges` is a log of measurements that can be read again from any position: its range of a batch is two positions, so a
//! batch that has to be run again is the same batch. `Doorbell` is something that happens and is gone: it runs on a thread
//! of its own and stores what it gets. It also fails once, to show that it is reported and called again.

mod common;

use clap::Parser;
use common::Watch;
use streamflow::listener::{ReceiverInfo, StreamingListener};
use streamflow::prelude::*;
use streamflow::source::{Receiver, ReceiverOptions, Source, SourceCx, Store};
use streamflow::{BatchTime, Error};

/// Reads gauges and a doorbell, which are inputs that this program defines.
#[derive(Parser)]
struct Args {
    /// How many seconds it runs.
    #[arg(long, value_name = "SECONDS", default_value_t = 4)]
    seconds: u64,
    /// Measurements in a second.
    #[arg(long, value_name = "MEASUREMENTS", default_value_t = 100_000)]
    rate: u64,
    /// How often the bell rings, in milliseconds.
    #[arg(long, value_name = "MS", default_value_t = 20)]
    ring: u64,
    #[command(flatten)]
    watch: Watch,
}

/// A measurement of a gauge.
#[derive(Clone, Copy)]
struct Measurement {
    gauge: &'static str,
    value: f64,
}

/// What is known of the values of a gauge.
#[derive(Clone, Copy)]
struct Summary {
    values: u64,
    least: f64,
    greatest: f64,
    sum: f64,
}

impl Summary {
    fn of(value: f64) -> Self {
        Self { values: 1, least: value, greatest: value, sum: value }
    }

    fn and(self, other: Self) -> Self {
        Self {
            values: self.values + other.values,
            least: self.least.min(other.least),
            greatest: self.greatest.max(other.greatest),
            sum: self.sum + other.sum,
        }
    }
}

/// The values of each gauge in a batch.
#[stream]
fn summaries(measurements: DStream<Measurement>) -> DStream<(String, Summary)> {
    measurements.map(|m| (m.gauge, Summary::of(m.value))).reduce_by_key(|a, b| a.and(b))
}

/// How often each visitor rang in a batch.
#[stream]
fn visitors(rings: DStream<str>) -> DStream<(String, u64)> {
    rings.count_by_value()
}

fn main() -> streamflow::Result<()> {
    let args = Args::parse();
    let builder = StreamingContext::builder("custom_source").batch_interval(Duration::from_millis(500));
    let ctx = args.watch.page(builder).build()?;
    let summary = args.watch.listen(&ctx);
    ctx.add_listener(Complaints);

    let gauges = Gauges { rate: args.rate, next: 0, per_batch: 0 };
    let doorbell = Doorbell { every: Duration::from_millis(args.ring), rung: 0 };
    let options = ReceiverOptions::new().restart_delay(Duration::from_millis(200));
    let measurements = ctx.source("gauges", gauges)?;
    let rings = ctx.receiver_stream_with("doorbell", doorbell, options)?;

    summaries(measurements).foreach_batch(|batch| {
        println!("batch {}", batch.time());
        println!("  {:<8} {:>8} {:>8} {:>8} {:>8}", "gauge", "values", "least", "mean", "greatest");
        for (gauge, s) in batch.sort_by(|(gauge, _)| gauge.clone()).iter() {
            let mean = s.sum / s.values as f64;
            println!("  {gauge:<8} {:>8} {:>8.2} {mean:>8.2} {:>8.2}", s.values, s.least, s.greatest);
        }
    });
    visitors(rings).foreach_batch(|batch| {
        let rang: Vec<String> =
            batch.sort_by(|(name, _)| name.clone()).iter().map(|(name, times)| format!("{name} {times}x")).collect();
        println!("  the bell: {}\n", if rang.is_empty() { "silence".to_owned() } else { rang.join(", ") });
    });

    ctx.start()?;
    if !ctx.await_termination_or_timeout(Duration::from_secs(args.seconds))? {
        ctx.stop_gracefully()?;
    }
    println!("{summary}");
    Ok(())
}

/// A log of measurements, as long as one likes: the measurement at a position is always the same.
struct Gauges {
    /// Measurements in a second.
    rate: u64,
    per_batch: u64,
    next: u64,
}

impl Gauges {
    fn measurement(position: u64) -> Measurement {
        const GAUGES: [(&str, f64); 3] = [("rain", 2.0), ("tide", 140.0), ("wind", 11.0)];
        let (gauge, usual) = GAUGES[(position % 3) as usize];
        Measurement { gauge, value: usual * (1.0 + 0.2 * (position as f64 / 90_000.0).sin()) }
    }
}

impl Source for Gauges {
    type Record = Measurement;
    /// From one position to another.
    type Range = std::ops::Range<u64>;

    fn start(&mut self, cx: &SourceCx) -> streamflow::Result<()> {
        self.per_batch = self.rate * cx.batch_interval.as_millis() as u64 / 1_000;
        Ok(())
    }

    fn next_range(&mut self, _: BatchTime) -> streamflow::Result<Self::Range> {
        let from = self.next;
        self.next += self.per_batch;
        Ok(from..self.next)
    }

    fn read(&mut self, range: &Self::Range) -> streamflow::Result<Vec<Vec<Measurement>>> {
        // Two blocks, so two partitions, which are processed at the same time.
        let middle = range.start + (range.end - range.start) / 2;
        Ok([range.start..middle, middle..range.end].map(|half| half.map(Self::measurement).collect()).into())
    }
}

/// Rings every now and then, until it is told to stop.
struct Doorbell {
    every: Duration,
    rung: usize,
}

impl Receiver for Doorbell {
    type Record = str;

    fn receive(&mut self, store: &Store<str>) -> streamflow::Result<()> {
        const VISITORS: [&str; 4] = ["baker", "pilot", "skipper", "gull"];
        // `wait` ends early, with `false`, when the context stops.
        while store.wait(self.every) {
            self.rung += 1;
            if self.rung == 42 {
                return Err(Error::input("a wire is loose"));
            }
            store.store(VISITORS[self.rung * self.rung % 7 % 4])?;
        }
        Ok(())
    }
}

/// Says what happens to the receiver.
struct Complaints;

impl StreamingListener for Complaints {
    fn on_receiver_error(&self, receiver: &ReceiverInfo) {
        if let Some(error) = &receiver.last_error {
            println!("  the {} has failed and is called again: {error}", receiver.name);
        }
    }
}
