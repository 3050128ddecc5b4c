use streamflow::prelude::*;

#[stream]
fn report(words: DStream<String>, quiet: bool) {
    if quiet {
        return;
    }
    words.print(10);
}

fn main() {}
