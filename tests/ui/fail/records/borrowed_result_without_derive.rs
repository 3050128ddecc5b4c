use streamflow::prelude::*;

#[derive(Clone)]
struct Word<'a> {
    text: &'a str,
}

#[stream]
fn words(lines: DStream<str>) -> DStream<u64> {
    lines.map(|line| Word { text: line }).repartition(4).map(|word| word.text.len() as u64)
}

fn main() {}
