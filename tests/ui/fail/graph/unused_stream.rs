use streamflow::prelude::*;

#[stream]
fn counts(lines: DStream<str>) -> DStream<u64> {
    let words = lines.flat_map(|line| line.split(' '));
    lines.count()
}

fn main() {}
