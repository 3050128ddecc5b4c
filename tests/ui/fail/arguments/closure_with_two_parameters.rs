use streamflow::prelude::*;

#[stream]
fn keys(pairs: DStream<(String, u64)>) -> DStream<String> {
    pairs.map(|key, value| key)
}

fn main() {}
