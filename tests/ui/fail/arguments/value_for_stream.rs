use streamflow::prelude::*;

#[stream]
fn all(words: DStream<String>, more: Vec<String>) -> DStream<String> {
    words.union(more)
}

fn main() {}
