//! Every window, in each of its forms.

use streamflow::prelude::*;
use streamflow::testing::Driver;

fn subtract(a: u64, b: u64) -> u64 {
    a - b
}

const MINUTE: Duration = Duration::from_secs(60);

#[stream(batch = 1s)]
fn whole(numbers: DStream<u64>, length: Duration) -> (DStream<u64>, DStream<u64>, DStream<(u64, u64)>, DStream<u64>) {
    let even = numbers.filter(|n| n % 2 == 0).window(4s, 2s);
    even.window(8s).count().print();
    (
        even.map(|n| n * 10),
        numbers.count_by_window(length),
        numbers.count_by_value_and_window(MINUTE, 1s, 3),
        numbers.reduce_by_window(u64::max, 2s).union(numbers.reduce_by_window(|a, b| a + b, subtract, 2s, 1s)),
    )
}

#[stream]
fn by_key(
    pairs: DStream<(String, u64)>,
    inverse: impl Fn(u64, u64) -> u64 + Copy + Send + Sync + 'static,
    bias: u64,
) -> (DStream<(String, u64)>, DStream<(String, u64)>, DStream<(String, Vec<u64>)>) {
    (
        pairs.reduce_by_key_and_window(|a, b| a + b, 1min),
        pairs.reduce_by_key_and_window(|a, b| a + b, inverse, 1min, 2s, 4, |(_, sum)| *sum > bias),
        pairs.group_by_key_and_window(MINUTE, 5s),
    )
}

fn main() -> streamflow::Result<()> {
    let mut test = Driver::new()?;
    let (tens, counts, _, _) = whole(test.input(vec![vec![1, 2], vec![4], vec![]]), Duration::from_secs(2));
    let (tens, counts) = (test.output(&tens), test.output(&counts));
    let _ = by_key(test.input(vec![]), subtract, 0);
    test.run_batches(3)?;
    assert_eq!(tens.batches(), [vec![20, 40]]);
    assert_eq!(counts.batches(), [[2], [3], [1]]);
    Ok(())
}
