//! Windows of sums beside the same work by hand.
//!
//! `cargo bench --bench window` measures a slide of a window of 60 panes with 100,000 keys each. Machines drift while it
//! runs; to compare programs with each other use `cargo bench --bench ratios window_60`.
//!
//! `cargo bench --bench window -- --slides` prints what a slide costs for windows of 10, 60 and 600 panes of 10,000 keys.

#![allow(clippy::disallowed_methods, reason = "a bench measures with the system's clock")]

mod common;

use std::time::{Duration, Instant};

use common::streaming::{Count, Pair, Streaming};
use common::windows;
use streamflow::DStream;

/// Lengths in panes.
const LENGTHS: [usize; 3] = [10, 60, 600];
const KEYS_PER_PANE: usize = 10_000;
/// Slides that are measured: as many as the longest window has panes, so that the cost of turning its panes over, which falls
/// on one slide of so many, is in the mean.
const SLIDES: usize = 600;
/// Slides of one length before it is the turn of the next, so that all lengths see the machine alike.
const TURN: usize = 10;

type Declare = fn(DStream<Pair>, Duration, Duration) -> DStream<Pair>;

/// Prints a line for each kind of window and length: the mean of a slide, and that relative to the shortest window.
fn slides() {
    let kinds: [(&str, Declare); 2] =
        [("with_inverse", windows::with_inverse), ("without_inverse", windows::without_inverse)];
    let batches = windows::batches(LENGTHS[0], KEYS_PER_PANE);
    for (name, declare) in kinds {
        let mut programs = LENGTHS.map(|length| {
            let count = Count { before: 2 * length, of_a_run: TURN };
            let (length, slide) = (Duration::from_secs(length as u64), Duration::from_secs(1));
            Streaming::new(batches.clone(), count, |pairs| declare(pairs, length, slide))
        });
        let mut times = LENGTHS.map(|_| Duration::ZERO);
        for _ in 0..SLIDES / TURN {
            for (program, time) in programs.iter_mut().zip(&mut times) {
                let start = Instant::now();
                program.run_batches(TURN);
                *time += start.elapsed();
            }
        }
        let millis = times.map(|time| time.as_secs_f64() * 1e3 / SLIDES as f64);
        for (length, time) in LENGTHS.iter().zip(millis) {
            let relative = time / millis[0];
            println!("window_length {name} {length} panes {time:.3} ms a slide, {relative:.2} of that of 10 panes");
        }
    }
}

fn main() {
    if std::env::args().any(|argument| argument == "--slides") {
        return slides();
    }
    let mut criterion = common::criterion();
    common::measure(&mut criterion, windows::WINDOW);
    criterion.final_summary();
}
