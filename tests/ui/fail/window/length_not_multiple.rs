use streamflow::prelude::*;

#[stream]
fn windows(numbers: DStream<u64>) -> DStream<u64> {
    let tens = numbers.window(30s, 10s);
    tens.window(25s, 10s)
}

fn main() {}
