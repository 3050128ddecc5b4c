use streamflow::prelude::*;

#[stream]
fn totals(pairs: DStream<(String, u64)>) -> DStream<u64> {
    pairs.map_with_state(StateSpec::function(|_, value, total: &mut State<u64>| {
        let sum = total.get().copied().unwrap_or(0) + value.unwrap_or(0);
        total.update(sum);
        sum
    }))
}

fn main() {}
