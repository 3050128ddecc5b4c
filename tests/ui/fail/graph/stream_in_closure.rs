use streamflow::prelude::*;

#[stream]
fn known(words: DStream<String>, names: DStream<String>) -> DStream<String> {
    words.filter(|word| names.filter(|name| name == word).count() > 0)
}

fn main() {}
