use streamflow::prelude::*;

#[stream]
fn totals(pairs: DStream<(String, u64)>) -> DStream<u64> {
    pairs.map_with_state(StateSpec::function(|_, value, _: &mut State<u64>| value.unwrap_or(0)).timeout(0s))
}

fn main() {}
