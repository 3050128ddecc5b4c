use streamflow::prelude::*;

#[stream]
fn joined(left: DStream<(u64, u64)>, right: DStream<(u64, u64)>) -> DStream<(u64, (u64, u64))> {
    left.window(30s, 10s).join(right.window(30s, 15s))
}

fn main() {}
