use streamflow::prelude::*;

#[stream]
fn totals(numbers: DStream<u64>) -> DStream<(u64, u64)> {
    numbers.update_state_by_key(|_: Vec<u64>, total: Option<u64>| total)
}

fn main() {}
