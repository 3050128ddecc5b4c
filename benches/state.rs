//! State for each key beside the same work by hand.
//!
//! `cargo bench --bench state` measures a batch over a million keys. Machines drift while it runs; to compare programs with
//! each other use `cargo bench --bench ratios map_with_state update_state_by_key state_expiry`.
//!
//! `cargo bench --bench state -- --memory` prints what a million keys of eight bytes with states of eight bytes occupy.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use common::states;
use common::streaming::{Batches, Count, Pair, Streaming};
use streamflow::DStream;

/// The system's allocator, which counts.
struct Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);
static BLOCKS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator as it came; beside that only counters change.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        BLOCKS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        BLOCKS.fetch_sub(1, Ordering::Relaxed);
        // SAFETY: the caller keeps the contract of `dealloc`, and `alloc` took the block from the same allocator.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Prints a line for each operator: bytes and blocks of memory for each key.
fn memory() {
    report("hash_map", || states::initial().into_iter().collect::<std::collections::HashMap<_, _>>());
    let input = Batches::new([states::initial()]);
    report("map_with_state", || filled(&input, |pairs| states::running(pairs, Vec::new())));
    report("map_with_state_timeout", || filled(&input, |pairs| states::expiring(pairs, Vec::new())));
    report("update_state_by_key", || filled(&input, |pairs| states::fading(pairs, Vec::new())));
}

/// A topology that has seen every key in its only batch.
fn filled(input: &Batches, declare: impl FnOnce(DStream<Pair>) -> DStream<Pair>) -> Streaming {
    Streaming::new(input.clone(), Count { before: 1, of_a_run: 1 }, declare)
}

fn report<T>(name: &str, make: impl FnOnce() -> T) {
    let before = [&BYTES, &BLOCKS].map(|counter| counter.load(Ordering::Relaxed));
    let made = make();
    let after = [&BYTES, &BLOCKS].map(|counter| counter.load(Ordering::Relaxed));
    let of_a_key = |place: usize| after[place].saturating_sub(before[place]) as f64 / states::KEYS as f64;
    println!("memory {name} {:.1} bytes and {:.4} blocks a key", of_a_key(0), of_a_key(1));
    drop(made);
}

fn main() {
    if std::env::args().any(|argument| argument == "--memory") {
        return memory();
    }
    let mut criterion = common::criterion();
    states::STATES.into_iter().for_each(|group| common::measure(&mut criterion, group));
    criterion.final_summary();
}
