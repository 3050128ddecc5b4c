use streamflow::prelude::*;

#[stream]
fn report(words: DStream<String>, prefixes: Vec<String>) {
    for prefix in prefixes {
        words.save_as_text_files(prefix);
    }
}

fn main() {}
