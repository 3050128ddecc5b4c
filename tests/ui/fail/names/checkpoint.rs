use streamflow::prelude::*;

#[stream]
fn checkpointed(words: DStream<String>) -> DStream<u64> {
    words.checkpoint(10s).count()
}

fn main() {}
