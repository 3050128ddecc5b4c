use streamflow::prelude::*;

#[stream]
fn totals(pairs: DStream<(String, u64)>) -> DStream<(String, u64)> {
    pairs.map(|pair| pair).state_snapshots()
}

fn main() {}
