use streamflow::prelude::*;

#[stream]
fn report(words: DStream<String>, verbose: bool) {
    if verbose {
        words.print(10);
    }
}

fn main() {}
