use streamflow::prelude::*;

#[stream]
fn kept(words: DStream<String>, keep: impl Fn(&str) -> bool) -> DStream<String> {
    words.filter(|word| keep(word))
}

fn main() {}
