use streamflow::prelude::*;

#[stream]
fn counts(words: DStream<String>) -> DStream<(u32, u64)> {
    words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b)
}

fn main() {}
