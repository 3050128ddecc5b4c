use streamflow::prelude::*;

#[stream]
fn positive(numbers: DStream<i64>) -> DStream<i64> {
    numbers.map(|number| {
        if number < 0 {
            continue;
        }
        number
    })
}

fn main() {}
