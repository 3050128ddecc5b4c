use streamflow::prelude::*;

struct Name<'a>(&'a str);

#[stream]
fn names(lines: DStream<String>) -> DStream<usize> {
    lines.map(|line| Name(line.as_str())).repartition(4).map(|name| name.0.len())
}

fn main() {}
