//! What a batch costs beside its records.
//!
//! `cargo bench --bench batch_overhead` measures an empty batch and one of ten records through one, two and three shuffles
//! on two threads. In the group `in_a_row` many batches are due at once, so that the time is that of running a batch; in
//! `alone` each batch becomes due when the last one is completed, so that the hand-over between the threads of the context
//! is part of it.
//!
//! `cargo bench --bench batch_overhead -- --sustain 60` runs an interval of one millisecond on the clock of the system for
//! so many seconds, and prints by how much the scheduling delay grows.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the system's clock")]

use std::hint::black_box;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion};
use streamflow::listener::{BatchInfo, StreamingListener};
use streamflow::prelude::*;
use streamflow::source::Source;
use streamflow::testing::Driver;
use streamflow::{BatchTime, StreamingContext};

/// A source of the same few records for every batch, in two partitions.
struct Few(u64);

impl Source for Few {
    type Record = u64;
    type Range = ();

    fn next_range(&mut self, _: BatchTime) -> streamflow::Result<()> {
        Ok(())
    }

    fn read(&mut self, (): &()) -> streamflow::Result<Vec<Vec<u64>>> {
        Ok(vec![(0..self.0 / 2).collect(), (self.0 / 2..self.0).collect()])
    }
}

#[stream]
fn one(numbers: DStream<u64>) -> DStream<(u64, u64)> {
    numbers.map(|n| (n % 3, n)).reduce_by_key(|a, b| a + b)
}

#[stream]
fn two(numbers: DStream<u64>) -> DStream<(u64, u64)> {
    numbers.map(|n| (n % 5, n)).reduce_by_key(|a, b| a + b).map(|(key, sum)| (sum % 3, key)).reduce_by_key(|a, b| a + b)
}

#[stream]
fn three(numbers: DStream<u64>) -> DStream<(u64, u64)> {
    numbers
        .map(|n| (n % 7, n))
        .reduce_by_key(|a, b| a + b)
        .map(|(key, sum)| (sum % 5, key))
        .reduce_by_key(|a, b| a + b)
        .map(|(key, sum)| (sum % 3, key))
        .reduce_by_key(|a, b| a + b)
}

/// A topology with so many shuffles over batches of so many records.
fn driver(shuffles: usize, records: u64) -> Driver {
    let driver = Driver::new().expect("the settings are fine");
    let numbers = driver.context().source("few", Few(records)).expect("the context has not started");
    let sums = [one, two, three][shuffles - 1](numbers);
    sums.foreach_batch(|batch| {
        black_box(batch.len());
    });
    driver
}

fn overhead(criterion: &mut Criterion) {
    for alone in [false, true] {
        let mut group = criterion.benchmark_group(if alone { "alone" } else { "in_a_row" });
        for (name, records) in [("empty", 0), ("ten_records", 10)] {
            for shuffles in 1..=3 {
                let mut driver = driver(shuffles, records);
                group.bench_function(BenchmarkId::new(name, format!("{shuffles}_shuffles")), |bencher| {
                    bencher.iter_custom(|batches| {
                        let batches = batches as usize;
                        let (calls, each) = if alone { (batches, 1) } else { (1, batches) };
                        let start = Instant::now();
                        (0..calls).for_each(|_| driver.run_batches(each).expect("the batches succeed"));
                        start.elapsed()
                    });
                });
            }
        }
        group.finish();
    }
}

/// The scheduling delay of each batch.
#[derive(Default)]
struct Delays(Mutex<Vec<Duration>>);

impl StreamingListener for Delays {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        let started = batch.processing_started.expect("a completed batch was started");
        self.0.lock().expect("nothing panics while it is locked").push(started.since(batch.batch_time));
    }
}

/// Runs an interval of one millisecond, and prints the delay from the time of a batch to its start, tenth by tenth.
fn sustain(seconds: u64) -> streamflow::Result<()> {
    let delays = Arc::new(Delays::default());
    let ctx = StreamingContext::builder("sustain").batch_interval(Duration::from_millis(1)).threads(2).build()?;
    ctx.add_listener(Arc::clone(&delays));
    one(ctx.source("few", Few(10))?).foreach_batch(|batch| {
        black_box(batch.len());
    });
    ctx.start()?;
    ctx.await_termination_or_timeout(Duration::from_secs(seconds))?;
    ctx.stop()?;
    let delays = delays.0.lock().expect("nothing panics while it is locked");
    let tenth = (delays.len() / 10).max(1);
    let means: Vec<f64> = delays.chunks_exact(tenth).map(mean).collect();
    println!("{} batches in {seconds} s; mean delay of each tenth in ms: {means:.2?}", delays.len());
    if let [_, second, .., last] = means[..] {
        println!("growth from the second to the last tenth: {:.2} ms", last - second);
    }
    Ok(())
}

fn mean(delays: &[Duration]) -> f64 {
    delays.iter().sum::<Duration>().as_secs_f64() * 1e3 / delays.len() as f64
}

fn main() -> streamflow::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(place) = arguments.iter().position(|argument| argument == "--sustain") {
        let seconds = arguments.get(place + 1).and_then(|seconds| seconds.parse().ok());
        return sustain(seconds.unwrap_or(60));
    }
    let mut criterion = Criterion::default()
        .sample_size(30)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    overhead(&mut criterion);
    criterion.final_summary();
    Ok(())
}
