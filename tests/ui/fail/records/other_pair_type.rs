use streamflow::prelude::*;

#[stream]
fn lengths(words: DStream<String>) -> DStream<(String, u64)> {
    words.map(|word| (word, 1)).reduce_by_key(|a, b| a + b).map(|(word, count)| (count, word))
}

fn main() {}
