use streamflow::prelude::*;

#[stream]
fn counts(lines: DStream<str>, words: DStream<String>) -> DStream<u64> {
    lines.count()
}

fn main() {}
