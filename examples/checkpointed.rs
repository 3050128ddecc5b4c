//! A running count that survives: stopped or killed at any moment, it goes on where it was.
//!
//! ```sh
//! cargo run --release --example checkpointed
//! cargo run --release --example checkpointed -- --checkpoint state --dir incoming --out counts
//! cargo run --release --example checkpoint_inspect -- state
//! ```
//!
//! The first shows a stop, files that arrive while the program is down, and the recovery, all in a temporary directory. The
//! second counts the words of the files that are moved into `incoming`, until Ctrl-C; kill it as you like and start it again.
//! With `--socket HOST:PORT` the lines of a TCP peer count too. Those that reached a batch are counted once, as files are; a
//! peer that does not repeat its lines loses the newest by a kill. `acknowledged` shows one that does.
//! Each batch writes two directories: `batch-TIME.txt`, the words of the batch, and `total-TIME.txt`, all words so far.

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use clap::Parser;
use common::Watch;
use streamflow::prelude::*;
use streamflow::source::FileOptions;

/// Counts words for as long as there are files, across restarts.
#[derive(Parser)]
struct Args {
    /// Where batches, state and positions are kept.
    #[arg(long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    /// The directory of the files; files must be moved in, complete.
    #[arg(long, value_name = "DIR", requires = "checkpoint")]
    dir: Option<PathBuf>,
    /// A TCP peer whose lines count too.
    #[arg(long, value_name = "HOST:PORT", requires = "dir")]
    socket: Option<String>,
    /// Where the counts go.
    #[arg(long, value_name = "DIR", default_value = "counts")]
    out: PathBuf,
    /// The batch interval.
    #[arg(long, value_name = "MS", default_value_t = 200)]
    interval: u64,
    /// Threads, and partitions; may change from start to start.
    #[arg(long, value_name = "THREADS", default_value_t = 2)]
    threads: usize,
    #[command(flatten)]
    watch: Watch,
}

/// The words of each batch, and of all batches.
#[stream]
fn counts(lines: DStream<str>) -> (DStream<String>, DStream<String>) {
    let words = lines.flat_map(|line| line.split_whitespace()).map(|word| (word, 1)).reduce_by_key(|a: u64, b| a + b);
    let totals = words.update_state_by_key(|new, old: Option<u64>| Some(old.unwrap_or(0) + new.iter().sum::<u64>()));
    (words.map(|(word, count)| format!("{word} {count}")), totals.map(|(word, count)| format!("{word} {count}")))
}

/// Where a program reads and writes.
struct Places {
    checkpoint: PathBuf,
    dir: PathBuf,
    socket: Option<String>,
    out: PathBuf,
}

/// Builds the program and starts it: anew, or from its checkpoint.
fn start(places: &Places, args: &Args, threads: usize) -> streamflow::Result<StreamingContext> {
    let interval = Duration::from_millis(args.interval);
    let builder = StreamingContext::builder("checkpointed")
        .batch_interval(interval)
        .threads(threads)
        .checkpoint(&places.checkpoint)
        .checkpoint_interval(interval * 4);
    let ctx = args.watch.page(builder).build()?;
    args.watch.listen(&ctx);
    // Files that are there before the first start count too.
    let options = FileOptions::new().new_files_only(false);
    let mut lines = ctx.text_file_stream_with(&places.dir.to_string_lossy(), options)?;
    if let Some(address) = &places.socket {
        lines = ctx.union([lines, ctx.socket_text_stream(address)?])?;
    }
    let (batch, total) = counts(lines);
    batch.save_as_text_files(places.out.join("batch").to_string_lossy(), "txt");
    total.save_as_text_files(places.out.join("total").to_string_lossy(), "txt");
    ctx.start()?;
    Ok(ctx)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let (Some(dir), Some(checkpoint)) = (args.dir.clone(), args.checkpoint.clone()) else {
        return demonstrate(&args);
    };
    fs::create_dir_all(&dir)?;
    let places = Places { checkpoint, dir, socket: args.socket.clone(), out: args.out.clone() };
    let ctx = start(&places, &args, args.threads)?;
    ctx.await_termination()?;
    Ok(())
}

/// Two starts with a gap between them.
fn demonstrate(args: &Args) -> Result<(), Box<dyn std::error::Error>> {
    let own = tempfile::tempdir()?;
    let (dir, out) = (own.path().join("incoming"), own.path().join("counts"));
    let checkpoint = args.checkpoint.clone().unwrap_or_else(|| own.path().join("checkpoint"));
    let places = Places { checkpoint, dir, socket: None, out };
    fs::create_dir_all(&places.dir)?;
    let some_batches = Duration::from_millis(args.interval * 6);

    println!("first start");
    let ctx = start(&places, args, args.threads)?;
    put(&places.dir, "first", "to be or not to be")?;
    ctx.await_termination_or_timeout(some_batches)?;
    ctx.stop()?;
    show(&places.out)?;

    println!("stopped; a file arrives meanwhile");
    put(&places.dir, "second", "to do")?;
    print!("{}", streamflow::inspect_checkpoint(&places.checkpoint)?);

    println!("second start, with one thread more");
    let ctx = start(&places, args, args.threads + 1)?;
    ctx.await_termination_or_timeout(some_batches)?;
    ctx.stop_gracefully()?;
    show(&places.out)
}

/// A file is written elsewhere and moved in, so that no batch sees a part of it.
fn put(dir: &Path, name: &str, text: &str) -> std::io::Result<()> {
    let aside = dir.join(format!(".{name}"));
    fs::write(&aside, text)?;
    fs::rename(aside, dir.join(name))
}

/// Prints the newest totals.
fn show(out: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let mut totals = Vec::new();
    for entry in fs::read_dir(out)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("total-") {
            totals.push((name, path));
        }
    }
    totals.sort();
    let Some((name, path)) = totals.last() else { return Ok(()) };
    let mut rows = Vec::new();
    for part in fs::read_dir(path)? {
        rows.extend(fs::read_to_string(part?.path())?.lines().map(str::to_owned));
    }
    rows.sort();
    println!("{name}, of {} batches: {}", totals.len(), rows.join(", "));
    Ok(())
}
