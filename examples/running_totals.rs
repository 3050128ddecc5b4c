//! Running totals, twice: `update_state_by_key` beside `map_with_state`.
//!
//! ```sh
//! cargo run --release --example running_totals
//! cargo run --release --example running_totals -- --accounts 1000000
//! ```
//!
//! Both keep the balance of every account, and agree. `update_state_by_key` is called for every account in every batch,
//! and hands out all balances; `map_with_state` is called for each payment, and hands out what its function returns. So the
//! first costs what exists and the second what happens, which the columns of calls show.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use common::Watch;
use streamflow::BatchTime;
use streamflow::prelude::*;
use streamflow::source::Source;

/// Keeps the balances of accounts in two ways.
#[derive(Parser)]
struct Args {
    /// How many accounts there are.
    #[arg(long, value_name = "ACCOUNTS", default_value_t = 100_000)]
    accounts: u64,
    /// Payments in a batch, after a first batch that opens all accounts.
    #[arg(long, value_name = "PAYMENTS", default_value_t = 1_000)]
    payments: u64,
    /// Batches, five in a second.
    #[arg(long, value_name = "BATCHES", default_value_t = 12)]
    batches: u64,
    /// The seed of the payments: the same seed, the same payments.
    #[arg(long, default_value_t = 5)]
    seed: u64,
    #[command(flatten)]
    watch: Watch,
}

/// How often a function was called; clones count together.
#[derive(Clone, Default)]
struct Calls(Arc<AtomicU64>);

impl Calls {
    fn count(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// An account and its balance, or an account and a payment.
type Entry = (u64, i64);

/// All balances in every batch, from a function that sees the payments of an account together.
#[stream]
fn by_update(payments: DStream<Entry>, calls: Calls) -> DStream<Entry> {
    payments.update_state_by_key(|paid: Vec<i64>, balance: Option<i64>| {
        calls.count();
        Some(balance.unwrap_or(0) + paid.iter().sum::<i64>())
    })
}

/// The balance after each payment, and all balances beside it, from a function that sees one payment at a time.
#[stream]
fn by_map(payments: DStream<Entry>, calls: Calls) -> (DStream<Entry>, DStream<Entry>) {
    let balances = payments.map_with_state(
        StateSpec::function(|account: &u64, paid: Option<i64>, balance: &mut State<i64>| {
            calls.count();
            let new = balance.get().copied().unwrap_or(0) + paid.unwrap_or(0);
            balance.update(new);
            (*account, new)
        })
        .unbounded(), // an account is never forgotten
    );
    let all = balances.state_snapshots();
    (balances, all)
}

fn main() -> streamflow::Result<()> {
    let args = Args::parse();
    let builder = StreamingContext::builder("running_totals")
        .ephemeral() // the state of an example may go with its process
        .batch_interval(Duration::from_millis(200))
        .graceful_stop_timeout(Duration::from_secs(600));
    let ctx = args.watch.page(builder).build()?;
    let summary = args.watch.listen(&ctx);

    let ledger = Ledger { accounts: args.accounts, payments: args.payments, batches: 0..args.batches, seed: args.seed };
    let payments = ctx.source("payments", ledger)?;
    let (update_calls, map_calls) = (Calls::default(), Calls::default());
    let updated = by_update(payments.clone(), update_calls.clone());
    let (after_payments, snapshots) = by_map(payments, map_calls.clone());

    // One record a batch: balances, their sum, and their sum by the other operator.
    let sums = updated.transform_with(&snapshots, |left, right| {
        let sum = |batch: Batch<Entry>| batch.iter().map(|(_, balance)| balance).sum::<i64>();
        let accounts = left.count();
        Batch::of([(accounts, sum(left), sum(right))], 1)
    });
    println!("{:<24} {:>10} {:>14} {:>16} {:>16}", "", "accounts", "money", "calls by update", "calls by map");
    sums.transform_with(&after_payments, move |sums, after_payments| {
        let records = after_payments.count();
        sums.map(move |(accounts, left, right)| (accounts, left, right, records))
    })
    .foreach_batch(move |batch| {
        let time = batch.time();
        for (accounts, money, same, _) in batch.collect() {
            if money != same {
                return Err(format!("the operators disagree: {money} and {same}"));
            }
            let (update, map) = (update_calls.take(), map_calls.take());
            println!("batch {:<18} {accounts:>10} {money:>14} {update:>16} {map:>16}", time.to_string());
        }
        Ok(())
    });

    ctx.start()?;
    // The ledger has an end: a graceful stop returns when all of it is processed.
    ctx.stop_gracefully()?;
    ctx.await_termination()?;
    println!("both operators agree in every batch\n{summary}");
    Ok(())
}

/// Payments that are made up: the first batch opens all accounts, later ones pay at random.
struct Ledger {
    accounts: u64,
    payments: u64,
    batches: std::ops::Range<u64>,
    seed: u64,
}

impl Source for Ledger {
    type Record = Entry;
    /// The number of the batch; nothing after the last.
    type Range = Option<u64>;

    fn next_range(&mut self, _: BatchTime) -> streamflow::Result<Option<u64>> {
        Ok(self.batches.next())
    }

    fn read(&mut self, batch: &Option<u64>) -> streamflow::Result<Vec<Vec<Entry>>> {
        // A generator of its own for each batch: read again, it is the same batch.
        let mut random = fastrand::Rng::with_seed(self.seed ^ (batch.unwrap_or_default() << 32));
        Ok(match batch {
            None => Vec::new(),
            Some(0) => vec![(0..self.accounts).map(|account| (account, 100)).collect()],
            Some(_) => vec![(0..self.payments).map(|_| (random.u64(0..self.accounts), random.i64(-50..100))).collect()],
        })
    }

    fn has_pending(&self) -> bool {
        !self.batches.is_empty()
    }
}
