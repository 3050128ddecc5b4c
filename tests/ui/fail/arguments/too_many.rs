use streamflow::prelude::*;

#[stream]
fn distinct(words: DStream<String>) -> DStream<String> {
    words.distinct(4, 2)
}

fn main() {}
