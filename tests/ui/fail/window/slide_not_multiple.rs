use streamflow::prelude::*;

#[stream]
fn windows(numbers: DStream<u64>) -> DStream<u64> {
    numbers.window(30s, 10s).filter(|n| *n > 0).reduce_by_window(|a, b| a + b, 1min, 15s)
}

fn main() {}
