use streamflow::prelude::*;

#[stream]
fn long(words: DStream<String>) -> DStream<String> {
    let long = words.filter(|word| word.len() > 3);
    let words = 3;
    long
}

fn main() {}
