use streamflow::prelude::*;

#[stream]
fn long(words: DStream<String>) -> DStream<String> {
    words.print(10).filter(|word| word.len() > 3)
}

fn main() {}
