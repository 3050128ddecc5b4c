//! Ratios of throughput, robust against a machine whose speed drifts.
//!
//! `cargo bench --bench ratios [GROUP…]` runs the two programs of each pair alternately in one process, after a warm-up and
//! a check that both give the same result, and prints a line a pair:
//!
//! ```text
//! word_count fused/hand_written 0.97 (0.95 to 0.99, 21)
//! ```
//!
//! That is the median over all rounds of the throughput of the first relative to that of the second, the quartiles, and
//! the number of rounds. A new bench adds its pairs to [`PAIRS`].

mod common;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use common::{Group, Maker, Program};

/// What is compared: a group, and the programs of it in pairs.
const PAIRS: [(Maker, &[(&str, &str)]); 10] = {
    const FUSED: &[(&str, &str)] = &[("fused", "hand_written"), ("fused", "unfused")];
    const GREP: &[(&str, &str)] = &[FUSED[0], FUSED[1], ("fused", "whole_text")];
    const WINDOW: &[(&str, &str)] = &[
        ("with_inverse", "hand_with_inverse"),
        ("without_inverse", "hand_without_inverse"),
        ("from_scratch", "hand_from_scratch"),
    ];
    let [word_count, grep, key_sum, stateless_chain] = common::FUSED;
    let [mapped, mapped_sums, updated, updated_sums, state_expiry] = common::states::STATES;
    [
        (word_count, FUSED),
        (grep, GREP),
        (key_sum, FUSED),
        (stateless_chain, FUSED),
        (common::windows::WINDOW, WINDOW),
        (mapped, &[("map_with_state", "hand_written")]),
        (mapped_sums, &[("map_with_state", "hand_written")]),
        (updated, &[("update_state_by_key", "hand_written")]),
        (updated_sums, &[("update_state_by_key", "hand_written")]),
        (state_expiry, &[("state_expiry", "hand_written")]),
    ]
};

/// Rounds of a pair unless `--rounds` says otherwise.
const ROUNDS: usize = 21;
/// Rounds before the first that counts.
const WARM_UP: usize = 3;

fn main() -> ExitCode {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(complaint) => {
            eprintln!("{complaint}\n\n{}", help());
            return ExitCode::FAILURE;
        }
    };
    if arguments.help {
        println!("{}", help());
        return ExitCode::SUCCESS;
    }
    for ((name, make), pairs) in PAIRS {
        if arguments.selects(name) {
            let mut group = make();
            for (a, b) in pairs {
                measure(&mut group, a, b, &arguments);
            }
        }
    }
    ExitCode::SUCCESS
}

/// Runs a pair and prints its line.
fn measure(group: &mut Group, a: &str, b: &str, arguments: &Arguments) {
    let rounds = arguments.rounds;
    let (left, right) = (group.program(a).digest(), group.program(b).digest());
    assert_eq!(left, right, "{a} and {b} of {} give different results", group.name);
    let (mut ratios, mut times_a, mut times_b) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..WARM_UP + rounds {
        // Who goes first alternates too: the second finds the caches as the first left them.
        let (time_a, time_b) = if round % 2 == 0 {
            let time_a = time(group.program(a));
            (time_a, time(group.program(b)))
        } else {
            let time_b = time(group.program(b));
            (time(group.program(a)), time_b)
        };
        if round >= WARM_UP {
            let (time_a, time_b) = (time_a.seconds(arguments), time_b.seconds(arguments));
            times_a.push(time_a);
            times_b.push(time_b);
            ratios.push(time_b / time_a);
        }
    }
    let [low, median, high] = quartiles(ratios);
    println!("{} {a}/{b} {median:.2} ({low:.2} to {high:.2}, {rounds})", group.name);
    if arguments.times {
        let [_, time_a, _] = quartiles(times_a);
        let [_, time_b, _] = quartiles(times_b);
        println!("    {a} {:.2} ms, {b} {:.2} ms", time_a * 1e3, time_b * 1e3);
    }
}

fn quartiles(mut values: Vec<f64>) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    [0.25, 0.5, 0.75].map(|part| values[((values.len() - 1) as f64 * part).round() as usize])
}

/// What a run took: time by the wall, and by the processors of all threads.
struct Taken {
    wall: Duration,
    processors: Duration,
}

impl Taken {
    fn seconds(&self, arguments: &Arguments) -> f64 {
        if arguments.cpu { self.processors.as_secs_f64() } else { self.wall.as_secs_f64() }
    }
}

#[allow(clippy::disallowed_methods, reason = "a bench measures with the system's clock")]
fn time(program: &mut Program) -> Taken {
    let (start, before) = (Instant::now(), processor_time());
    program.run();
    Taken { wall: start.elapsed(), processors: processor_time().saturating_sub(before) }
}

/// The time that all threads of this process have run; zero where the system does not say.
fn processor_time() -> Duration {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return Duration::ZERO };
    let of_thread = |thread: std::io::Result<std::fs::DirEntry>| {
        let statistics = std::fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        statistics.split(' ').next()?.parse().ok().map(Duration::from_nanos)
    };
    threads.filter_map(of_thread).sum()
}

struct Arguments {
    help: bool,
    times: bool,
    cpu: bool,
    rounds: usize,
    groups: Vec<String>,
}

impl Arguments {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self { help: false, times: false, cpu: false, rounds: ROUNDS, groups: Vec::new() };
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                // Cargo adds `--bench` to the arguments of every bench.
                "--bench" => {}
                "--help" | "-h" | "--list" => parsed.help = true,
                "--times" => parsed.times = true,
                "--cpu" => parsed.cpu = true,
                "--rounds" => {
                    let rounds = arguments.next().and_then(|rounds| rounds.parse().ok()).filter(|rounds| *rounds > 0);
                    parsed.rounds = rounds.ok_or("`--rounds` takes a positive number")?;
                }
                group if PAIRS.iter().any(|((name, _), _)| *name == group) => parsed.groups.push(group.to_owned()),
                other => return Err(format!("there is no group `{other}`")),
            }
        }
        Ok(parsed)
    }

    fn selects(&self, group: &str) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|selected| selected == group)
    }
}

fn help() -> String {
    let mut text = format!(
        "usage: cargo bench --bench ratios -- [--rounds N] [--times] [--cpu] [GROUP…]\n\n\
         Ratios of throughput of two programs, run alternately, {ROUNDS} rounds unless `--rounds` says otherwise.\n\
         `--times` prints the median time of each program too.\n\
         `--cpu` compares the processor time of all threads, for a machine that other programs keep busy (Linux).\n\n\
         pairs:"
    );
    for ((group, _), pairs) in PAIRS {
        for (a, b) in pairs {
            text.push_str(&format!("\n  {group} {a}/{b}"));
        }
    }
    text
}
