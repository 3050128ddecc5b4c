use streamflow::prelude::*;

#[stream]
fn doubled(numbers: DStream<u64>) -> DStream<(u64, u64)> {
    numbers.map_values(|number| number * 2)
}

fn main() {}
