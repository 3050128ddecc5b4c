use streamflow::prelude::*;

#[stream]
fn with_prefix(words: DStream<String>, prefix: &str) -> DStream<String> {
    words.filter(|word| word.starts_with(prefix))
}

fn main() {}
