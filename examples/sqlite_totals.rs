//! Orders and the revenue by customer in an SQLite database, each order once, however often the program is killed.
//!
//! ```sh
//! cargo run --release --features sqlite --example sqlite_totals
//! cargo run --release --features sqlite --example sqlite_totals -- --dir shop
//! ```
//!
//! The second writes `shop/totals.db` until all orders are in it. Interrupt it by Ctrl-C or `kill -9`, and run it again: it goes
//! on where it was, and the totals come out the same. The first shows just that, in a temporary directory: it starts the
//! second as a process, kills it after some batches, looks at the database, and starts it again.
//!
//! The revenue is *added* to what the database holds, so a batch that is written twice, or not at all, would show.

mod common;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use common::Watch;
use streamflow::prelude::*;
use streamflow::sink::SqliteSink;
use streamflow::sink::rusqlite::Connection;
use streamflow::source::{Source, SourceCx, decode, encode};
use streamflow::{BatchTime, Result};

type AnyError = Box<dyn std::error::Error>;

/// Writes orders and totals to an SQLite database, across kills.
#[derive(Parser)]
struct Args {
    /// Where database and checkpoint are; without it, a demonstration.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How many orders there are.
    #[arg(long, value_name = "ORDERS", default_value_t = 20_000)]
    orders: u64,
    /// Orders in a batch.
    #[arg(long, value_name = "ORDERS", default_value_t = 500)]
    batch: u64,
    /// The batch interval.
    #[arg(long, value_name = "MS", default_value_t = 40)]
    interval: u64,
    #[command(flatten)]
    watch: Watch,
}

/// What somebody bought.
#[derive(Clone, Copy)]
struct Order {
    id: u64,
    customer: &'static str,
    cents: u64,
}

impl Order {
    /// The order with this number is always the same.
    fn number(id: u64) -> Self {
        const CUSTOMERS: [&str; 5] = ["Ada", "Blaise", "Emmy", "Grace", "Kurt"];
        let mixed = id.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        Self { id, customer: CUSTOMERS[(mixed % 5) as usize], cents: 100 + mixed % 9_900 }
    }
}

/// The rows of two tables: the orders, and number and sum of those of each customer.
#[stream]
fn sales(orders: DStream<Order>) -> (DStream<(u64, String, u64)>, DStream<(String, u64, u64)>) {
    let rows = orders.map(|order| (order.id, order.customer, order.cents));
    let revenue = orders
        .map(|order| (order.customer, (1, order.cents)))
        .reduce_by_key(|a: (u64, u64), b| (a.0 + b.0, a.1 + b.1))
        .map(|(customer, (orders, cents))| (customer, orders, cents));
    (rows, revenue)
}

fn main() -> Result<(), AnyError> {
    let args = Args::parse();
    match &args.dir {
        Some(dir) => run(dir, &args),
        None => demonstrate(&args),
    }
}

/// Sells until there are no more orders.
fn run(dir: &Path, args: &Args) -> Result<(), AnyError> {
    std::fs::create_dir_all(dir)?;
    let interval = Duration::from_millis(args.interval);
    let settings = StreamingContext::builder("sqlite_totals")
        .batch_interval(interval)
        .checkpoint(dir.join("checkpoint"))
        .checkpoint_interval(interval * 8);
    let (ctx, found) = StreamingContext::recover_or_create(args.watch.page(settings))?;
    let summary = args.watch.listen(&ctx);
    match found {
        None => println!("the first start"),
        Some(checkpoint) => {
            let again = checkpoint.waiting.iter().filter(|batch| batch.outputs_due).count();
            println!("going on; batches whose end is not known and that run again: {again}");
        }
    }

    let sold = Arc::new(AtomicU64::new(0));
    let orders = Orders { all: args.orders, per_batch: args.batch, next: 0, sold: Arc::clone(&sold) };
    let (rows, revenue) = sales(ctx.source("orders", orders)?);
    let database = dir.join("totals.db");
    rows.to(SqliteSink::new(&database, "orders", "INSERT INTO orders VALUES (?1, ?2, ?3)")
        .setup("CREATE TABLE IF NOT EXISTS orders (id INTEGER, customer TEXT, cents INTEGER)"));
    let add = "INSERT INTO revenue VALUES (?1, ?2, ?3)
        ON CONFLICT DO UPDATE SET orders = orders + excluded.orders, cents = cents + excluded.cents";
    revenue.clone().to(SqliteSink::new(&database, "revenue", add)
        .setup("CREATE TABLE IF NOT EXISTS revenue (customer TEXT PRIMARY KEY, orders INTEGER, cents INTEGER)"));
    revenue.foreach_batch(|batch| {
        let orders: u64 = batch.iter().map(|(_, orders, _)| *orders).sum();
        if orders > 0 {
            println!("batch {}: {orders} orders{}", batch.time(), if batch.is_rerun() { ", again" } else { "" });
        }
    });

    ctx.start()?;
    while sold.load(Ordering::SeqCst) < args.orders {
        if ctx.await_termination_or_timeout(interval)? {
            return Ok(());
        }
    }
    ctx.stop_gracefully()?;
    println!("{summary}");
    show(&database)
}

/// Starts the program again and again, and kills it.
fn demonstrate(args: &Args) -> Result<(), AnyError> {
    let own = tempfile::tempdir()?;
    let database = own.path().join("totals.db");
    let numbers = [("--orders", args.orders), ("--batch", args.batch), ("--interval", args.interval)];
    for batches in [9, 1, 14] {
        let mut program = Command::new(std::env::current_exe()?);
        program.args(numbers.iter().flat_map(|(name, number)| [(*name).to_owned(), number.to_string()]));
        let mut running = program.arg("--dir").arg(own.path()).stdout(Stdio::piped()).spawn()?;
        let said = BufReader::new(running.stdout.take().ok_or("a pipe was asked for")?).lines();
        // What it says of its start, and of so many batches.
        for line in said.take(1 + batches) {
            println!("  process {}: {}", running.id(), line?);
        }
        running.kill()?;
        println!("process {} ended by {}", running.id(), running.wait()?);
        show(&database)?;
    }
    println!("the last start, to the end");
    run(own.path(), args)?;

    let sold: Vec<Order> = (0..args.orders).map(Order::number).collect();
    let expected = (sold.len() as u64, sold.iter().map(|order| order.cents).sum());
    let found = Connection::open(&database)?.query_row("SELECT sum(orders), sum(cents) FROM revenue", (), |row| {
        Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?))
    })?;
    if found != expected {
        return Err(format!("the database has (orders, cents) {found:?}, and {expected:?} were sold").into());
    }
    println!("as if nothing had happened");
    Ok(())
}

/// Prints the totals, and whether each order is there once.
fn show(database: &Path) -> Result<(), AnyError> {
    let database = Connection::open(database)?;
    let mut totals = database.prepare("SELECT customer, orders, cents FROM revenue ORDER BY customer")?;
    let mut totals = totals.query(())?;
    while let Some(row) = totals.next()? {
        let (customer, orders, cents): (String, u64, u64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        println!("  {customer:<8} {orders:>8} orders {:>10}.{:02}", cents / 100, cents % 100);
    }
    let (rows, different): (u64, u64) =
        database
            .query_row("SELECT count(*), count(DISTINCT id) FROM orders", (), |row| Ok((row.get(0)?, row.get(1)?)))?;
    println!("  {rows} rows of {different} orders");
    Ok(())
}

/// Orders one after the other, so many in a batch: a range is two numbers, and can be read again.
struct Orders {
    all: u64,
    per_batch: u64,
    next: u64,
    /// The number of orders whose batches are done.
    sold: Arc<AtomicU64>,
}

impl Source for Orders {
    type Record = Order;
    type Range = (u64, u64);

    fn next_range(&mut self, _: BatchTime) -> Result<(u64, u64)> {
        let range = (self.next, self.all.min(self.next + self.per_batch));
        self.next = range.1;
        Ok(range)
    }

    fn read(&mut self, &(from, to): &(u64, u64)) -> Result<Vec<Vec<Order>>> {
        let middle = from + (to - from) / 2;
        Ok([from..middle, middle..to].map(|part| part.map(Order::number).collect()).into())
    }

    fn release(&mut self, &(_, to): &(u64, u64)) {
        self.sold.store(to, Ordering::SeqCst);
    }

    fn is_recoverable(&self) -> bool {
        true
    }

    fn encode_range(&self, range: &(u64, u64)) -> Result<Vec<u8>> {
        encode(range)
    }

    fn decode_range(&mut self, _: &SourceCx, bytes: &[u8]) -> Result<(u64, u64)> {
        decode(bytes)
    }

    fn resume(&mut self, _: &SourceCx, ranges: &[(BatchTime, (u64, u64))]) -> Result<()> {
        if let Some((_, (_, to))) = ranges.last() {
            self.next = *to;
        }
        Ok(())
    }
}
