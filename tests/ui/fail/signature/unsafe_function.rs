use streamflow::prelude::*;

#[stream]
unsafe fn long(words: DStream<String>) -> DStream<String> {
    words.filter(|word| word.len() > 3)
}

fn main() {}
