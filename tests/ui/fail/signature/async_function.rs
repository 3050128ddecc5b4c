use streamflow::prelude::*;

#[stream]
async fn long(words: DStream<String>) -> DStream<String> {
    words.filter(|word| word.len() > 3)
}

fn main() {}
