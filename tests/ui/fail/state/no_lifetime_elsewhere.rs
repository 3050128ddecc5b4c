use streamflow::prelude::*;

fn sum(_: &String, value: Option<u64>, total: &mut State<u64>) -> u64 {
    let sum = total.get().copied().unwrap_or(0) + value.unwrap_or(0);
    total.update(sum);
    sum
}

#[stream]
fn totals(pairs: DStream<(String, u64)>) -> DStream<u64> {
    let spec = StateSpec::function(sum).initial_state([]);
    pairs.map_with_state(spec)
}

fn main() {}
