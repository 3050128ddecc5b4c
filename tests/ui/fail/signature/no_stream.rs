use streamflow::prelude::*;

#[stream]
fn double(number: u64) -> u64 {
    number * 2
}

fn main() {}
