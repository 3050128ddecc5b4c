use streamflow::prelude::*;

#[stream]
fn long(words: DStream<String>) -> DStream<String> {
    let words = words.filter(|word| word.len() > 3);
    words
}

fn main() {}
