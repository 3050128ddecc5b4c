use streamflow::prelude::*;

#[stream]
fn number(words: DStream<String>) -> u64 {
    words.count()
}

fn main() {}
