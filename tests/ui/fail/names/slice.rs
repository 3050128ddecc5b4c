use streamflow::prelude::*;
use streamflow::BatchTime;

#[stream]
fn sliced(words: DStream<String>, from: BatchTime, to: BatchTime) -> DStream<String> {
    words.slice(from, to)
}

fn main() {}
