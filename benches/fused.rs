//! Throughput of fused programs beside the same work by hand and unfused.
//!
//! `cargo bench --bench fused` takes about two minutes. Throughput is in records of the input (words for `word_count`).
//! Machines drift while it runs; to compare programs with each other use `cargo bench --bench ratios`.

mod common;

fn main() {
    let mut criterion = common::criterion();
    common::FUSED.into_iter().for_each(|group| common::measure(&mut criterion, group));
    criterion.final_summary();
}
