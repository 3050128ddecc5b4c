use streamflow::prelude::*;

#[stream]
fn long_words(words: DStream<String>) -> DStream<String> {
    words.flter(|word| word.len() > 3)
}

fn main() {}
