use streamflow::prelude::*;

#[stream]
fn joined(numbers: DStream<u64>, names: DStream<(u64, String)>) -> DStream<(u64, (u64, String))> {
    numbers.join(names)
}

fn main() {}
