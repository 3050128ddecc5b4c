//! Windows and state agree with the model, for any length, slide, gaps, empty batches and comings and goings of keys.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use streamflow::BatchTime;
use streamflow::prelude::*;

use super::{Sample, law, setup};
use crate::common::harness::{Setup, run_all};
use crate::common::model::{self, Stream, Timeout, Window};

type Pair = (i64, i64);

/// The interval of the test driver.
const BATCH_MS: u64 = 1000;

fn intervals(count: usize) -> Duration {
    Duration::from_millis(count as u64 * BATCH_MS)
}

fn window() -> impl Strategy<Value = Window> {
    (1..6_usize, 1..5_usize).prop_map(|(length, slide)| Window { length, slide })
}

/// Few keys and many batches, some of them empty.
fn input() -> impl Strategy<Value = Vec<Vec<Pair>>> {
    vec(prop_oneof![2 => Just(Vec::new()), 3 => vec(Pair::any(), 0..6)], 1..14)
}

/// The number of each batch with an output, and its records.
fn numbered<R: Clone + Ord>(stream: &Stream<R>) -> Vec<(usize, Vec<R>)> {
    let numbered = stream.batches.iter().enumerate();
    let batches = numbered.filter_map(|(index, batch)| Some((index + 1, batch.as_ref()?.concat())));
    batches.map(ordered).collect()
}

fn ordered<R: Ord>((batch, mut records): (usize, Vec<R>)) -> (usize, Vec<R>) {
    records.sort();
    (batch, records)
}

fn agrees<R: super::Comparable>(
    library: impl Fn(DStream<Pair>, Window) -> DStream<R>,
    model: impl Fn(&Stream<Pair>, Window) -> Stream<R>,
) {
    law(96, (input(), window(), setup()), |(input, window, setup)| {
        let expected = numbered(&model(&Stream::source(&input, setup.partitions), window));
        let ran = run_all(setup, &[input], |_, mut inputs| library(inputs.remove(0), window));
        prop_assert!(ran.errors.is_empty(), "{:?}", ran.errors);
        let got: Vec<_> = ran.outputs.into_iter().map(|(batch, parts)| ordered((batch, parts.concat()))).collect();
        prop_assert_eq!(got, expected);
        Ok(())
    });
}

/// `name => result: library, model;`, a test for each.
macro_rules! windows {
    ($($name:ident => $out:ty: |$s:ident, $length:ident, $slide:ident| $library:expr, |$m:ident, $w:ident| $model:expr;)*) => {$(
        #[test]
        fn $name() {
            #[stream]
            fn library($s: DStream<Pair>, $length: Duration, $slide: Duration) -> DStream<$out> {
                $library
            }
            agrees::<$out>(
                |stream, window| library(stream, intervals(window.length), intervals(window.slide)),
                |$m, $w| $model,
            );
        }
    )*};
}

windows! {
    records => Pair: |s, length, slide| s.window(length, slide), |m, w| m.window(w);
    counts => u64: |s, length, slide| s.count_by_window(length, slide), |m, w| m.count_by_window(w);
    counts_by_value => (Pair, u64):
        |s, length, slide| s.count_by_value_and_window(length, slide),
        |m, w| m.count_by_value_and_window(w);
    reduction => i64:
        |s, length, slide| s.values().reduce_by_window(|a, b| a.max(b), length, slide),
        |m, w| m.values().reduce_by_window(i64::max, w);
    reduction_with_inverse => i64:
        |s, length, slide| s.values().reduce_by_window(|a, b| a + b, |a, b| a - b, length, slide),
        |m, w| m.values().reduce_by_window_with_inverse(|a, b| a + b, |a, b| a - b, w);
    reduction_by_key => Pair:
        |s, length, slide| s.reduce_by_key_and_window(|a, b| a.max(b), length, slide),
        |m, w| m.reduce_by_key_and_window(i64::max, w);
    reduction_by_key_with_inverse => Pair:
        |s, length, slide| s.reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, length, slide),
        |m, w| m.reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, |_| true, w);
    reduction_by_key_with_filter => Pair:
        |s, length, slide| s.map_values(|_| 1)
            .reduce_by_key_and_window(|a, b| a + b, |a, b| a - b, length, slide, |(_, count)| *count > 0),
        |m, w| m.map_values(|_| 1)
            .reduce_by_key_and_window_with_inverse(|a, b| a + b, |a, b| a - b, |(_, count)| *count > 0, w);
    groups => (i64, Vec<i64>):
        |s, length, slide| s.group_by_key_and_window(length, slide).map_values(|mut group| {
            group.sort();
            group
        }),
        |m, w| m.group_by_key_and_window(w).map_values(|mut group| {
            group.sort();
            group
        });
    windows_behind_operators => Pair:
        |s, length, slide| s.filter(|(_, v)| *v > 0).window(length, slide).reduce_by_key(|a, b| a + b).filter(|(k, _)| k % 2 == 0),
        |m, w| m.filter(|(_, v)| *v > 0).window(w).reduce_by_key(|a, b| a + b).filter(|(k, _)| k % 2 == 0);
    two_windows_over_one_stream => Pair:
        |s, length, slide| s.window(length, slide)
            .union(s.reduce_by_key_and_window(|a, b| a + b, length + slide, slide)),
        |m, w| m.window(w)
            .union(m.reduce_by_key_and_window(|a, b| a + b, Window { length: w.length + w.slide, ..w }));
    a_window_of_windows => Pair:
        |s, length, slide| s.reduce_by_key_and_window(|a, b| a + b, length, slide).window(slide * 2, slide * 2),
        |m, w| m.reduce_by_key_and_window(|a, b| a + b, w).window(Window { length: w.slide * 2, slide: w.slide * 2 });
    state_of_all_keys => Pair:
        |s, _length, _slide| s.update_state_by_key(|values, old: Option<i64>| {
            let sum = old.unwrap_or(0) + values.iter().sum::<i64>();
            (sum % 5 != 0).then_some(sum)
        }),
        |m, _w| m.update_state_by_key(BATCH_MS, vec![], |_, _, values, old: Option<i64>| {
            let sum = old.unwrap_or(0) + values.iter().sum::<i64>();
            (sum % 5 != 0).then_some(sum)
        });
    state_with_initial_and_time => Pair:
        |s, _length, _slide| s.update_state_by_key(
            |time: BatchTime, key, values, old: Option<i64>| {
                let seen = old.unwrap_or(0) * 2 + values.len() as i64;
                (time.as_millis() < 5000 || *key > 1).then_some(seen % 1000)
            },
            vec![(1, 7), (50, 8)]
        ),
        |m, _w| m.update_state_by_key(BATCH_MS, vec![(1, 7), (50, 8)], |time, key, values, old: Option<i64>| {
            let seen = old.unwrap_or(0) * 2 + values.len() as i64;
            (time < 5000 || *key > 1).then_some(seen % 1000)
        });
}

/// A count for each key, which every third record removes.
fn counted(key: i64, timing_out: bool, total: i64) -> (i64, i64, bool) {
    (key, total, timing_out)
}

#[test]
fn mapped_state_with_a_timeout() {
    #[stream]
    fn library(pairs: DStream<Pair>, idle: Duration) -> DStream<(i64, i64, bool)> {
        let mapped = pairs.map_with_state(
            StateSpec::function(|key: &i64, value: Option<i64>, state: &mut State<i64>| {
                let total = state.get().copied().unwrap_or(0) + value.map_or(0, |_| 1);
                if !state.is_timing_out() {
                    if total == 3 { state.remove() } else { state.update(total) }
                }
                counted(*key, state.is_timing_out(), total)
            })
            .initial_state([(2, 1), (40, 1)])
            .timeout(idle),
        );
        let states = mapped.state_snapshots();
        mapped.union(states.map(|(key, total)| (key, total + 100, false)))
    }
    let count = |_: u64, key: &i64, value: Option<i64>, state: &mut model::State<i64>| {
        let total = state.get().unwrap_or(0) + value.map_or(0, |_| 1);
        if !state.is_timing_out() {
            if total == 3 { state.remove() } else { state.update(total) }
        }
        Some(counted(*key, state.is_timing_out(), total))
    };
    agrees(
        |pairs, window| library(pairs, intervals(window.length)),
        |pairs, window| {
            let timeout = Timeout { idle_ms: window.length as u64 * BATCH_MS, every_batches: 1 };
            let (mapped, states) = pairs.map_with_state(BATCH_MS, vec![(2, 1), (40, 1)], Some(timeout), count);
            mapped.union(states.map(|(key, total)| (key, total + 100, false)))
        },
    );
}

/// Sums that are forgotten now and then, in the order in which they come out.
#[stream]
fn in_order(pairs: DStream<Pair>) -> DStream<(i64, i64)> {
    let updated = pairs.update_state_by_key(|values, old: Option<i64>| {
        let sum = old.unwrap_or(0) + values.iter().sum::<i64>();
        (sum % 5 != 0).then_some(sum)
    });
    let mapped = pairs.map_with_state(
        StateSpec::function(|key: &i64, value: Option<i64>, state: &mut State<i64>| {
            let sum = state.get().copied().unwrap_or(0) + value.unwrap_or(0);
            if !state.is_timing_out() {
                if sum % 7 == 0 { state.remove() } else { state.update(sum) }
            }
            (*key, sum)
        })
        .timeout(2s),
    );
    let states = mapped.state_snapshots();
    updated.union(mapped.union(states))
}

#[test]
fn a_batch_run_again_has_its_records_in_the_same_order() {
    law(96, (input(), setup()), |(input, setup)| {
        let run =
            |setup| run_all(setup, std::slice::from_ref(&input), |_, mut inputs| in_order(inputs.remove(0))).outputs;
        prop_assert_eq!(run(setup), run(Setup { threads: 3, ..setup }));
        Ok(())
    });
}
