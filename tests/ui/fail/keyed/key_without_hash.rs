use streamflow::prelude::*;

#[derive(Clone)]
struct Color(u8);

#[stream]
fn counts(colors: DStream<Color>) -> DStream<(Color, u64)> {
    colors.map(|color| (color, 1)).reduce_by_key(|a, b| a + b)
}

fn main() {}
