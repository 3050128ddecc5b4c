use streamflow::prelude::*;

#[derive(Clone, PartialEq, Eq, Hash)]
struct Word<'a> {
    text: &'a str,
}

#[stream]
fn words(lines: DStream<str>) -> DStream<u64> {
    lines.map(|line| (Word { text: line }, 1)).reduce_by_key(|a, b| a + b).count()
}

fn main() {}
