use streamflow::prelude::*;

#[stream]
fn counts(words: DStream<String>) -> DStream<(String, u64)> {
    words.map(|word| (word, 1)).reduceByKey(|a, b| a + b)
}

fn main() {}
