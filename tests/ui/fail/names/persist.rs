use streamflow::prelude::*;

#[stream]
fn persisted(words: DStream<String>) -> DStream<u64> {
    words.persist().count()
}

fn main() {}
