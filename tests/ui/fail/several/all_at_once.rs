use streamflow::prelude::*;

#[stream]
fn report(lines: DStream<str>, verbose: bool) {
    let words = lines.flatMap(|line| line.split(' '));
    words.count_by_window(0s).print(10);
    lines.map().print(10);
    if verbose {
        lines.print(10);
    }
}

fn main() {}
