//! Shows what a checkpoint directory holds: states with their names, inputs, and the batches that a start would run again.
//!
//! ```sh
//! cargo run --release --example checkpoint_inspect -- DIR
//! cargo run --release --example checkpoint_inspect
//! ```
//!
//! The names are those that `rename_state`, `drop_state` and `migrate_state` take. Without a directory it makes a small
//! checkpoint of its own and shows that.

use std::path::PathBuf;

use clap::Parser;
use streamflow::prelude::*;
use streamflow::testing::Driver;

/// Shows what a checkpoint directory holds.
#[derive(Parser)]
struct Args {
    /// The checkpoint directory of a program that is not running.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// An account and an amount.
type Payment = (String, u64);

#[stream]
fn totals(payments: DStream<Payment>) -> (DStream<Payment>, DStream<Payment>) {
    let balances =
        payments.update_state_by_key(|new, old: Option<u64>| Some(old.unwrap_or(0) + new.iter().sum::<u64>()));
    let recent = payments.reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, 10s, 1s);
    (balances, recent)
}

fn main() -> streamflow::Result<()> {
    if let Some(dir) = Args::parse().dir {
        print!("{}", streamflow::inspect_checkpoint(dir)?);
        return Ok(());
    }
    let dir = tempfile::tempdir().map_err(|error| streamflow::Error::io("cannot make a temporary directory", error))?;
    let settings = |builder: streamflow::StreamingContextBuilder| {
        builder.checkpoint(dir.path()).checkpoint_interval(Duration::from_secs(2))
    };
    let mut program = Driver::with(settings)?;
    let payments = (0..5_u64).map(|batch| vec![("ann".to_owned(), batch), ("ben".to_owned(), 1)]).collect();
    let (balances, recent) = totals(program.input(payments));
    let _outputs = (program.output(&balances), program.output(&recent));
    for _ in 0..5 {
        program.run_batches(1)?;
    }
    drop(program);
    print!("{}", streamflow::inspect_checkpoint(dir.path())?);
    Ok(())
}
