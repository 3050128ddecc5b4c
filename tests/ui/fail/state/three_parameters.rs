use streamflow::prelude::*;

#[stream]
fn totals(pairs: DStream<(String, u64)>) -> DStream<(String, u64)> {
    pairs.update_state_by_key(|key, values, total: Option<u64>| total)
}

fn main() {}
