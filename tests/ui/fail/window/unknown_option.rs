use streamflow::prelude::*;

#[stream(interval = 1s)]
fn windows(numbers: DStream<u64>) -> DStream<u64> {
    numbers.window(30s)
}

fn main() {}
