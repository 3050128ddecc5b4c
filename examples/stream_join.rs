//! Two streams brought together by key: the clicks on advertisements with the impressions that they belong to.
//!
//! ```sh
//! cargo run --release --example stream_join
//! ```
//!
//! `left_outer_join` keeps impressions without a click, so the rate of clicks comes out; `join` keeps pairs, so the money
//! comes out; a `left_outer_join` the other way round finds clicks without an impression, which somebody made up. A click
//! may come seconds after its impression, so clicks are joined with the impressions of the last ten seconds.

mod common;

use clap::Parser;
use common::Watch;
use streamflow::SystemClock;
use streamflow::prelude::*;
use streamflow::source::Queue;

/// Joins clicks with impressions, second by second.
#[derive(Parser)]
struct Args {
    /// Impressions in a second.
    #[arg(long, value_name = "IMPRESSIONS", default_value_t = 20_000)]
    rate: u64,
    /// How many seconds there are.
    #[arg(long, value_name = "SECONDS", default_value_t = 12)]
    seconds: u64,
    /// How much faster than life they pass.
    #[arg(long, value_name = "TIMES", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=20))]
    speed: u32,
    /// The seed of the data: the same seed, the same impressions and clicks.
    #[arg(long, default_value_t = 3)]
    seed: u64,
    #[command(flatten)]
    watch: Watch,
}

/// An advertisement was shown; the key of the stream is the number of the showing.
#[derive(Clone, Copy)]
struct Impression {
    ad: &'static str,
    /// What a click costs the advertiser, in cents.
    cents: u64,
}

/// Somebody clicked, so long after the showing.
#[derive(Clone, Copy)]
struct Click {
    after_ms: u64,
}

/// A line of the table: impressions or clicks, and cents or milliseconds, of an advertisement.
type Line = (String, (u64, u64));

/// For each advertisement: impressions and clicks of the batch in which both happened, then all clicks with their cents
/// and delays; and the number of clicks that belong to no impression.
#[stream(batch = 1s)]
fn click_through(
    impressions: DStream<(u64, Impression)>,
    clicks: DStream<(u64, Click)>,
) -> (DStream<Line>, DStream<Line>, DStream<u64>) {
    let shown = impressions
        .left_outer_join(clicks)
        .map(|(_, (impression, click))| (impression.ad, (1, u64::from(click.is_some()))))
        .reduce_by_key(|(shown, clicked), (s, c)| (shown + s, clicked + c));
    let recent = impressions.window(10s, 1s);
    let paid = clicks
        .join(recent)
        .map(|(_, (click, impression))| (impression.ad, (impression.cents, click.after_ms)))
        .group_by_key()
        .map_values(|clicks| {
            let delays: u64 = clicks.iter().map(|(_, delay)| delay).sum();
            (clicks.iter().map(|(cents, _)| cents).sum::<u64>(), delays / clicks.len() as u64)
        });
    let made_up = clicks.left_outer_join(recent).filter(|(_, (_, impression))| impression.is_none()).count();
    (shown, paid, made_up)
}

fn main() -> streamflow::Result<()> {
    let args = Args::parse();
    let builder = StreamingContext::builder("stream_join")
        .clock(SystemClock::with_speed(args.speed))
        .graceful_stop_timeout(Duration::from_secs(600));
    let ctx = args.watch.page(builder).build()?;
    let summary = args.watch.listen(&ctx);

    let (impressions, clicks) = make_up(&args);
    let (shown, paid, made_up) = click_through(ctx.queue_stream(impressions, true)?, ctx.queue_stream(clicks, true)?);
    // The outputs of a batch run in the order of their declaration, so together they print one table.
    shown.foreach_batch(|batch| {
        println!("batch {}\n  {:<10} {:>8} {:>12} {:>7}", batch.time(), "shown", "shown", "at once", "rate");
        for (ad, (shown, clicked)) in batch.sort_by(|(ad, _)| ad.clone()).iter() {
            println!("  {ad:<10} {shown:>8} {clicked:>12} {:>6.2}%", *clicked as f64 * 100.0 / *shown as f64);
        }
    });
    paid.foreach_batch(|batch| {
        println!("  {:<10} {:>8} {:>12}", "clicked", "earned", "after");
        for (ad, (cents, delay)) in batch.sort_by(|(ad, _)| ad.clone()).iter() {
            println!("  {ad:<10} {:>8.2} {delay:>9} ms", *cents as f64 / 100.0);
        }
    });
    made_up.foreach_batch(|batch| println!("  {} clicks belong to no impression\n", batch.collect()[0]));

    ctx.start()?;
    // The queues have an end: a graceful stop returns when they are empty and all is processed.
    ctx.stop_gracefully()?;
    ctx.await_termination()?;
    println!("{summary}");
    Ok(())
}

/// Collections of records behind the numbers of their showings.
type Showings<T> = Queue<(u64, T)>;

/// Impressions and clicks, a collection for each second. A click comes up to four seconds after its impression.
fn make_up(args: &Args) -> (Showings<Impression>, Showings<Click>) {
    const ADS: [(&str, u64, u64); 4] =
        [("boots", 35, 20), ("kettle", 20, 35), ("lantern", 50, 10), ("raincoat", 80, 5)];
    let mut random = fastrand::Rng::with_seed(args.seed);
    let mut impressions = Vec::new();
    let mut clicks = vec![Vec::new(); args.seconds as usize + 4];
    for second in 0..args.seconds {
        let ids = second * args.rate..(second + 1) * args.rate;
        impressions.push(
            ids.map(|id| {
                let (ad, cents, clicked_per_mille) = ADS[random.usize(0..ADS.len())];
                if random.u64(0..1_000) < clicked_per_mille {
                    let after_ms = (random.f64().powi(2) * 4_000.0) as u64;
                    clicks[(second + after_ms / 1_000) as usize].push((id, Click { after_ms }));
                }
                (id, Impression { ad, cents })
            })
            .collect(),
        );
        // A program that clicks by itself, at impressions that never were.
        let forged = (0..random.u64(0..20)).map(|_| (u64::MAX - random.u64(0..1_000), Click { after_ms: 0 }));
        clicks[second as usize].extend(forged);
    }
    // What is clicked after the end is not seen.
    clicks.truncate(args.seconds as usize);
    (impressions.into_iter().collect(), clicks.into_iter().collect())
}
