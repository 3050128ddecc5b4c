use streamflow::prelude::*;

#[stream]
fn totals(pairs: DStream<(String, u64)>) -> DStream<(String, u64)> {
    pairs.update_state_by_key(|_, total: Option<u64>| total).state_snapshots()
}

fn main() {}
