use streamflow::prelude::*;

#[stream]
fn number(words: DStream<String>) -> DStream<usize> {
    words.len()
}

fn main() {}
