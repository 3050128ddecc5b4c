use streamflow::prelude::*;

#[stream]
fn counts(words: DStream<(String, u64)>) -> DStream<(String, u64)> {
    words.reduce_by_key()
}

fn main() {}
