use streamflow::prelude::*;

#[stream]
fn remembered(words: DStream<String>) -> DStream<String> {
    words.remember(1min)
}

fn main() {}
