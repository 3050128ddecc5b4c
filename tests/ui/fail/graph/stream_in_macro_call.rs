use streamflow::prelude::*;

#[stream]
fn report(words: DStream<String>) -> DStream<u64> {
    println!("{:?}", words);
    words.count()
}

fn main() {}
