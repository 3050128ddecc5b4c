use streamflow::prelude::*;

#[stream]
fn windows(numbers: DStream<u64>) -> DStream<u64> {
    numbers.group_by_key_and_window(30s).count()
}

fn main() {}
