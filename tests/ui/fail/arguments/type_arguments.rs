use streamflow::prelude::*;

#[stream]
fn lengths(words: DStream<String>) -> DStream<usize> {
    words.map::<usize>(|word| word.len())
}

fn main() {}
