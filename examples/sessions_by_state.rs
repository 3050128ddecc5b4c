//! User sessions: what a user does belongs together until the user is idle for ten seconds.
//!
//! ```sh
//! cargo run --release --example sessions_by_state
//! ```
//!
//! `map_with_state` keeps the open session of each user. A timeout ends it: the function is called once more, without a
//! value, in the first batch whose time is more than the timeout after the user's last click, and the session that it
//! returns is the result. Signing out ends a session at once, by `remove`. A batch costs the users who did something and
//! those whose time has come, however many sessions are open.

mod common;

use clap::Parser;
use common::Watch;
use streamflow::prelude::*;
use streamflow::source::Source;
use streamflow::{BatchTime, SystemClock};

/// Cuts what users do into sessions.
#[derive(Parser)]
struct Args {
    /// How many users there are.
    #[arg(long, value_name = "USERS", default_value_t = 2_000)]
    users: u32,
    /// Clicks in a second.
    #[arg(long, value_name = "CLICKS", default_value_t = 300)]
    rate: usize,
    /// For how many seconds there are clicks; then it waits until the last session has timed out.
    #[arg(long, value_name = "SECONDS", default_value_t = 40)]
    seconds: u64,
    /// How much faster than life they pass.
    #[arg(long, value_name = "TIMES", default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=20))]
    speed: u32,
    /// The seed of the clicks: the same seed, the same clicks.
    #[arg(long, default_value_t = 11)]
    seed: u64,
    #[command(flatten)]
    watch: Watch,
}

/// What a user does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Action {
    Click,
    SignOut,
}

/// A session of a user. While it is open, `until` is its last click so far.
#[derive(Clone, Copy)]
struct Session {
    from: BatchTime,
    until: BatchTime,
    clicks: u32,
    signed_out: bool,
}

/// The sessions that end in a batch, and the number of those that stay open.
#[stream(batch = 1s)]
fn sessions(actions: DStream<(u32, Action)>) -> (DStream<(u32, Session)>, DStream<u64>) {
    let ended = actions.map_with_state(
        StateSpec::function_with_time(
            |now: BatchTime, user: &u32, action: Option<Action>, open: &mut State<Session>| {
                let Some(action) = action else {
                    // No value: the user was idle for too long, and the session is forgotten after this call.
                    return open.get().map(|session| (*user, *session));
                };
                let new = Session { from: now, until: now, clicks: 0, signed_out: false };
                let mut session = open.get().copied().unwrap_or(new);
                session.until = now;
                session.clicks += 1;
                if action == Action::SignOut {
                    open.remove();
                    return Some((*user, Session { signed_out: true, ..session }));
                }
                open.update(session);
                None
            },
        )
        .timeout(10s),
    );
    let open = ended.state_snapshots().count();
    (ended, open)
}

fn main() -> streamflow::Result<()> {
    let args = Args::parse();
    let builder = StreamingContext::builder("sessions_by_state")
        .ephemeral() // the state of an example may go with its process
        .clock(SystemClock::with_speed(args.speed))
        .graceful_stop_timeout(Duration::from_secs(600));
    let ctx = args.watch.page(builder).build()?;
    let summary = args.watch.listen(&ctx);

    let clicks = Clicks { users: args.users, rate: args.rate, seconds: args.seconds, next: 0, seed: args.seed };
    let (ended, open) = sessions(ctx.source("clicks", clicks)?);
    println!("{:<22} {:>8} {:>10} {:>10} {:>8} {:>14}", "", "open", "timed out", "signed out", "clicks", "mean length");
    open.transform_with(&ended, |open, ended| {
        let open = open.collect();
        let of = |open: u64, ended: Batch<(u32, Session)>| {
            let ended = ended.collect();
            let signed_out = ended.iter().filter(|(_, session)| session.signed_out).count();
            let clicks: u32 = ended.iter().map(|(_, session)| session.clicks).sum();
            let length: Duration = ended.iter().map(|(_, session)| session.until.since(session.from)).sum();
            (open, ended.len() - signed_out, signed_out, clicks, length.as_secs_f64() / ended.len().max(1) as f64)
        };
        Batch::of([of(open[0], ended)], 1)
    })
    .foreach_batch(|batch| {
        let time = batch.time().to_string();
        for (open, timed_out, signed_out, clicks, length) in batch.collect() {
            println!("{time:<22} {open:>8} {timed_out:>10} {signed_out:>10} {clicks:>8} {length:>12.1} s");
        }
    });

    ctx.start()?;
    // The clicks have an end: a graceful stop returns when all of them are processed.
    ctx.stop_gracefully()?;
    ctx.await_termination()?;
    println!("{summary}");
    Ok(())
}

/// Clicks that are made up: in each second another part of the users is awake.
struct Clicks {
    users: u32,
    rate: usize,
    seconds: u64,
    next: u64,
    seed: u64,
}

impl Clicks {
    /// Empty batches at the end, in which the last sessions time out.
    const AFTERWARDS: u64 = 12;
}

impl Source for Clicks {
    type Record = (u32, Action);
    /// The number of the second.
    type Range = u64;

    fn next_range(&mut self, _: BatchTime) -> streamflow::Result<u64> {
        self.next += 1;
        Ok(self.next - 1)
    }

    fn read(&mut self, second: &u64) -> streamflow::Result<Vec<Vec<(u32, Action)>>> {
        if *second >= self.seconds {
            return Ok(Vec::new());
        }
        // A generator of its own for each batch: read again, it is the same batch.
        let mut random = fastrand::Rng::with_seed(self.seed ^ (second << 32));
        let awake = (self.users / 8).max(1);
        let first = (*second as u32).wrapping_mul(awake / 10 + 1);
        let click = |_| {
            let user = first.wrapping_add(random.u32(0..awake)) % self.users.max(1);
            (user, if random.u8(0..50) == 0 { Action::SignOut } else { Action::Click })
        };
        Ok(vec![(0..self.rate).map(click).collect()])
    }

    fn has_pending(&self) -> bool {
        self.next < self.seconds + Self::AFTERWARDS
    }
}
