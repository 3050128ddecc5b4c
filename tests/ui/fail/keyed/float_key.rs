use streamflow::prelude::*;

#[stream]
fn counts(prices: DStream<f64>) -> DStream<(f64, u64)> {
    prices.count_by_value()
}

fn main() {}
