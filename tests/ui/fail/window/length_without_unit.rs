use streamflow::prelude::*;

#[stream]
fn windows(numbers: DStream<u64>) -> DStream<u64> {
    numbers.count_by_window(30)
}

fn main() {}
