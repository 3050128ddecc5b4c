//! Every operator that keeps state, in each of its forms.

use streamflow::BatchTime;
use streamflow::prelude::*;
use streamflow::testing::Driver;

fn sum(values: Vec<u64>, total: Option<u64>) -> Option<u64> {
    Some(values.iter().sum::<u64>() + total.unwrap_or(0))
}

#[stream]
fn updated(
    pairs: DStream<(String, u64)>,
    first: Vec<(String, u64)>,
) -> (DStream<(String, u64)>, DStream<(String, u64)>) {
    let totals = pairs.update_state_by_key(sum, first);
    totals.print();
    let later = pairs.update_state_by_key(
        |time: BatchTime, _, values, _: Option<u64>| Some(time.as_millis() + values.len() as u64),
        [],
        2,
    );
    (
        totals.union(later),
        pairs.update_state_by_partition(|_, keys| {
            let updated = keys.map(|(key, values, total)| (key, values.iter().sum::<u64>() + total.unwrap_or(0)));
            updated.filter(|(_, total)| *total < 10).collect::<Vec<_>>()
        }),
    )
}

#[stream]
fn mapped(pairs: DStream<(String, u64)>, most: u64) -> (DStream<(String, u64)>, DStream<(String, u64)>) {
    let totals = pairs.map_with_state(
        StateSpec::function(|key, value, total: &mut State<u64>| {
            let sum = total.get().copied().unwrap_or(0) + value.unwrap_or(0);
            if !total.is_timing_out() {
                total.update(sum.min(most));
            }
            (key.clone(), sum)
        })
        .timeout(30min),
    );
    (totals, totals.state_snapshots().filter(|(_, total)| *total > 1))
}

fn with_time(time: BatchTime, _: &String, _: Option<u64>, state: &mut State<u64>) -> Option<u64> {
    state.update(time.as_millis());
    state.get().copied()
}

#[stream]
fn by_path(pairs: DStream<(String, u64)>) -> DStream<(String, u64)> {
    pairs.map_with_state(StateSpec::function_with_time(with_time).num_partitions(2).unbounded()).state_snapshots()
}

fn main() -> streamflow::Result<()> {
    let mut test = Driver::new()?;
    let pair = |key: &str, value| (key.to_owned(), value);
    let pairs = test.input(vec![vec![pair("a", 1)], vec![pair("a", 2)]]);
    let (totals, snapshots) = mapped(pairs.clone(), 100);
    let (totals, snapshots) = (test.output(&totals), test.output(&snapshots));
    let _ = (updated(pairs.clone(), vec![]), by_path(pairs));
    test.run_batches(2)?;
    assert_eq!(totals.batches(), [[pair("a", 1)], [pair("a", 3)]]);
    assert_eq!(snapshots.batches(), [vec![], vec![pair("a", 3)]]);
    Ok(())
}
