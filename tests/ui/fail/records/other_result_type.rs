use streamflow::prelude::*;

#[stream]
fn lengths(words: DStream<String>) -> DStream<u64> {
    words.map(|word| word.len())
}

fn main() {}
