use streamflow::prelude::*;

#[stream]
fn number(words: DStream<String>) -> DStream<usize> {
    words.count()
}

fn main() {}
