use streamflow::prelude::*;

#[stream]
fn long(words: DStream<String>) -> DStream<String> {
    let mut least = 3;
    let long = words.filter(|word| word.len() > least);
    least += 1;
    long
}

fn main() {}
