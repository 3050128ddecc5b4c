use streamflow::prelude::*;

#[stream]
fn counts(lines: DStream<str>) -> DStream<(String, u64)> {
    lines.flat_map(|line| line.split(' ')).reduce_by_key(|a, b| a + b)
}

fn main() {}
