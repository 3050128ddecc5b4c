use streamflow::prelude::*;

#[stream]
fn upper(words: DStream<String>) -> DStream<String> {
    words.to_uppercase()
}

fn main() {}
