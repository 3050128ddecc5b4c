use streamflow::prelude::*;

#[stream(batch = 2s)]
fn windows(numbers: DStream<u64>) -> DStream<u64> {
    numbers.count_by_window(5s)
}

fn main() {}
