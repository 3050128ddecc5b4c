//! Exactly once over TCP: a receiver that tells its peer what is durable, and a state that knows what came twice.
//!
//! ```sh
//! cargo run --release --example acknowledged
//! cargo run --release --example acknowledged -- --checkpoint state --peer HOST:PORT --out accepted
//! ```
//!
//! The peer numbers its lines, `NUMBER TEXT`, and repeats on a new connection those for which it has no answer. The receiver
//! stores what it reads as a block. When `store_many` returns, the block is in the write-ahead log; only then it answers
//! with the last number. So no line is lost, whenever the program or the connection ends. A line whose answer is lost comes
//! again, and `map_with_state` lets only the first of a number pass. It forgets a number after ten minutes without it: a
//! peer that repeats a line later than that is not recognized.
//!
//! The first command shows a stop in the middle of it, with a peer of its own. The second runs until Ctrl-C; kill it as you
//! like and start it again.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use clap::Parser;
use common::Watch;
use streamflow::Error;
use streamflow::prelude::*;
use streamflow::source::{Receiver, ReceiverOptions, Store};

/// Receives numbered lines, and saves each of them once.
#[derive(Parser)]
struct Args {
    /// Who is asked for lines.
    #[arg(long, value_name = "HOST:PORT", requires = "checkpoint")]
    peer: Option<String>,
    /// Where blocks, batches and state are kept.
    #[arg(long, value_name = "DIR")]
    checkpoint: Option<PathBuf>,
    /// Where the lines go: a directory `lines-TIME.txt` for each batch.
    #[arg(long, value_name = "DIR", default_value = "accepted")]
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

/// The text of each number, once.
#[stream]
fn accepted(lines: DStream<str>) -> DStream<String> {
    lines
        .flat_map(|line| {
            let (number, text) = line.split_once(' ')?;
            Some((number.parse::<u64>().ok()?, text.to_owned()))
        })
        .map_with_state(
            StateSpec::function(|_: &u64, text: Option<String>, seen: &mut State<()>| {
                let is_first = !seen.exists();
                if !seen.is_timing_out() {
                    seen.update(());
                }
                text.filter(|_| is_first)
            })
            .timeout(10min),
        )
        .flat_map(|text| text)
}

/// Connects to a peer, stores its lines and answers.
struct Acknowledging {
    peer: String,
}

impl Receiver for Acknowledging {
    type Record = str;

    /// Returns when the connection ends; the library calls it again after a pause, for a new one.
    fn receive(&mut self, store: &Store<str>) -> streamflow::Result<()> {
        let mut peer = TcpStream::connect(&self.peer)?;
        // Now and then it must look whether it should stop.
        peer.set_read_timeout(Some(Duration::from_millis(50)))?;
        let (mut pending, mut piece) = (Vec::new(), vec![0; 64 << 10]);
        while !store.is_stopped() {
            match peer.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => pending.extend_from_slice(&piece[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(error) => return Err(error.into()),
            }
            let Some(end) = pending.iter().rposition(|byte| *byte == b'\n') else { continue };
            let rest = pending.split_off(end + 1);
            let text = std::str::from_utf8(&pending).map_err(|error| Error::input("not UTF-8").because(error))?;
            store.store_many(text.lines())?;
            // Durable now.
            let last = text.lines().last().and_then(|line| line.split(' ').next()).unwrap_or_default();
            writeln!(peer, "{last}")?;
            pending = rest;
        }
        Ok(())
    }
}

/// Builds the program and starts it: anew, or from its checkpoint.
fn start(args: &Args, peer: String, checkpoint: &Path) -> streamflow::Result<StreamingContext> {
    let interval = Duration::from_millis(args.interval);
    let builder = StreamingContext::builder("acknowledged")
        .batch_interval(interval)
        .threads(args.threads)
        .checkpoint(checkpoint)
        .checkpoint_interval(interval * 4);
    let ctx = args.watch.page(builder).build()?;
    args.watch.listen(&ctx);
    let options = ReceiverOptions::new().restart_delay(Duration::from_millis(50));
    let lines = ctx.receiver_stream_with("peer", Acknowledging { peer }, options)?;
    accepted(lines).save_as_text_files(args.out.join("lines").to_string_lossy(), "txt");
    ctx.start()?;
    Ok(ctx)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = Args::parse();
    let (Some(peer), Some(checkpoint)) = (args.peer.clone(), args.checkpoint.clone()) else {
        let own = tempfile::tempdir()?;
        let checkpoint = args.checkpoint.take().unwrap_or_else(|| own.path().join("checkpoint"));
        args.out = own.path().join("accepted");
        return demonstrate(&args, &checkpoint);
    };
    start(&args, peer, &checkpoint)?.await_termination()?;
    Ok(())
}

/// A peer that sends lines as fast as they are taken, and two starts of the program.
fn demonstrate(args: &Args, checkpoint: &Path) -> Result<(), Box<dyn std::error::Error>> {
    const LINES: u64 = 20_000;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?.to_string();
    let peer = std::thread::spawn(move || send(&listener, LINES));

    let ctx = start(args, address.clone(), checkpoint)?;
    ctx.await_termination_or_timeout(Duration::from_millis(args.interval * 3))?;
    ctx.stop()?;
    println!("stopped; {} lines are saved so far", saved(&args.out)?.len());

    let ctx = start(args, address, checkpoint)?;
    let connections = peer.join().expect("the peer does not panic")?;
    ctx.stop_gracefully()?;
    let lines = saved(&args.out)?;
    let once = lines.values().filter(|times| **times == 1).count();
    println!("{LINES} lines over {connections} connections: {} are saved, {once} of them once", lines.len());
    Ok(())
}

/// Sends numbered lines until all are answered; returns how many connections it took.
fn send(listener: &TcpListener, lines: u64) -> std::io::Result<usize> {
    let (mut answered, mut connections) = (0, 0);
    while answered < lines {
        let (mut peer, _) = listener.accept()?;
        connections += 1;
        let mut answers = BufReader::new(peer.try_clone()?).lines();
        // What was not answered comes again.
        let mut next = answered + 1;
        while answered < lines {
            let end = (next + 500).min(lines + 1);
            let some: String = (next..end).map(|number| format!("{number} line {number}\n")).collect();
            next = end;
            let Ok(()) = peer.write_all(some.as_bytes()) else { break };
            let Some(Ok(answer)) = answers.next() else { break };
            answered = answer.parse().unwrap_or(answered);
            std::thread::park_timeout(Duration::from_millis(20));
        }
    }
    Ok(connections)
}

/// How often each line was saved.
fn saved(out: &Path) -> std::io::Result<BTreeMap<String, usize>> {
    let mut lines = BTreeMap::new();
    for directory in fs::read_dir(out)? {
        let directory = directory?;
        if directory.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        for part in fs::read_dir(directory.path())? {
            for line in fs::read_to_string(part?.path())?.lines() {
                *lines.entry(line.to_owned()).or_default() += 1;
            }
        }
    }
    Ok(lines)
}
