use streamflow::prelude::*;

#[stream]
fn number(words: DStream<String>) -> DStream<u64> {
    let lengths: DStream<u32> = words.map(|word| word.len());
    lengths.count()
}

fn main() {}
