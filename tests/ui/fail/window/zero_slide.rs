use streamflow::prelude::*;

#[stream]
fn windows(numbers: DStream<u64>) -> DStream<u64> {
    numbers.window(30s, 0ms)
}

fn main() {}
