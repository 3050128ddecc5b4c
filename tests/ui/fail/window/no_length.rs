use streamflow::prelude::*;

#[stream]
fn sums(pairs: DStream<(u64, u64)>) -> DStream<(u64, u64)> {
    pairs.reduce_by_key_and_window(|a, b| a + b)
}

fn main() {}
