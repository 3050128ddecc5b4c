//! One generic `#[stream]` function for each operator: what pipelines are chained from.
//!
//! A record that is a pair is a list of two inside a pipeline, so keyed operators split it first and put it together
//! again: fused into the same loops.

use std::time::Duration;

use streamflow::BatchTime;
use streamflow::prelude::*;

use super::functions::{Binary, Mapping, Unary, Update, to_string};
use super::value::Value;

#[stream]
pub(super) fn map(stream: DStream<Value>, f: Unary) -> DStream<Value> {
    stream.map(f)
}

#[stream]
pub(super) fn flat_map(stream: DStream<Value>, f: Unary) -> DStream<Value> {
    stream.flat_map(|x| f(x).items())
}

#[stream]
pub(super) fn filter(stream: DStream<Value>, keep: Unary) -> DStream<Value> {
    stream.filter(|x| keep(x.clone()).is_true())
}

#[stream]
pub(super) fn glom(stream: DStream<Value>) -> DStream<Value> {
    stream.glom().map(Value::List)
}

#[stream]
pub(super) fn map_partitions(stream: DStream<Value>, f: Unary) -> DStream<Value> {
    stream.map_partitions(|records| f(Value::list(records)).items())
}

#[stream]
pub(super) fn repartition(stream: DStream<Value>, partitions: usize) -> DStream<Value> {
    stream.repartition(partitions)
}

#[stream]
pub(super) fn map_values(stream: DStream<Value>, f: Unary) -> DStream<Value> {
    stream.map(Value::split).map_values(f).map(Value::pair)
}

#[stream]
pub(super) fn flat_map_values(stream: DStream<Value>, f: Unary) -> DStream<Value> {
    stream.map(Value::split).flat_map_values(|value| f(value).items()).map(Value::pair)
}

#[stream]
pub(super) fn group_by_key(stream: DStream<Value>) -> DStream<Value> {
    stream.map(Value::split).group_by_key().map_values(Value::List).map(Value::pair)
}

#[stream]
pub(super) fn reduce_by_key(stream: DStream<Value>, f: Binary) -> DStream<Value> {
    stream.map(Value::split).reduce_by_key(f).map(Value::pair)
}

#[stream]
pub(super) fn reduce(stream: DStream<Value>, f: Binary) -> DStream<Value> {
    stream.reduce(f)
}

#[stream]
pub(super) fn count(stream: DStream<Value>) -> DStream<Value> {
    stream.count().map(|count| Value::Int(count as i64))
}

#[stream]
pub(super) fn count_by_value(stream: DStream<Value>) -> DStream<Value> {
    stream.count_by_value().map_values(|count| Value::Int(count as i64)).map(Value::pair)
}

#[stream]
pub(super) fn union(left: DStream<Value>, right: DStream<Value>) -> DStream<Value> {
    left.union(right)
}

#[stream]
pub(super) fn transform_to_string(stream: DStream<Value>) -> DStream<Value> {
    stream.transform(|batch| batch.map(to_string))
}

#[stream]
pub(super) fn transform_to_nothing(stream: DStream<Value>) -> DStream<Value> {
    stream.transform(|_| Err::<Batch<Value>, _>("the function returned no batch"))
}

/// The stream, but for one batch for which there is nothing.
#[stream]
pub(super) fn failing(stream: DStream<Value>, at: BatchTime) -> DStream<Value> {
    stream.transform(|batch| if batch.time() == at { Err("there is no data set for the batch") } else { Ok(batch) })
}

#[stream]
pub(super) fn transform_with_union(left: DStream<Value>, right: DStream<Value>) -> DStream<Value> {
    left.transform_with(right, |left, right| left.union(right))
}

#[stream]
pub(super) fn transform_with_join(left: DStream<Value>, right: DStream<Value>) -> DStream<Value> {
    left.map(Value::split)
        .transform_with(right.map(Value::split), |left, right| left.join(right))
        .map_values(Value::pair)
        .map(Value::pair)
}

#[stream]
pub(super) fn cogroup(left: DStream<Value>, right: DStream<Value>) -> DStream<Value> {
    left.map(Value::split)
        .cogroup(right.map(Value::split))
        .map_values(|(left, right)| Value::pair((Value::List(left), Value::List(right))))
        .map(Value::pair)
}

#[stream]
pub(super) fn join(left: DStream<Value>, right: DStream<Value>) -> DStream<Value> {
    left.map(Value::split).join(right.map(Value::split)).map_values(Value::pair).map(Value::pair)
}

#[stream]
pub(super) fn left_outer_join(left: DStream<Value>, right: DStream<Value>) -> DStream<Value> {
    left.map(Value::split)
        .left_outer_join(right.map(Value::split))
        .map_values(|(v, w)| Value::pair((v, w.into())))
        .map(Value::pair)
}

#[stream]
pub(super) fn right_outer_join(left: DStream<Value>, right: DStream<Value>) -> DStream<Value> {
    left.map(Value::split)
        .right_outer_join(right.map(Value::split))
        .map_values(|(v, w)| Value::pair((v.into(), w)))
        .map(Value::pair)
}

#[stream]
pub(super) fn full_outer_join(left: DStream<Value>, right: DStream<Value>) -> DStream<Value> {
    left.map(Value::split)
        .full_outer_join(right.map(Value::split))
        .map_values(|(v, w)| Value::pair((v.into(), w.into())))
        .map(Value::pair)
}

#[stream]
pub(super) fn window(stream: DStream<Value>, length: Duration, slide: Duration) -> DStream<Value> {
    stream.window(length, slide)
}

#[stream]
pub(super) fn group_by_key_and_window(stream: DStream<Value>, length: Duration, slide: Duration) -> DStream<Value> {
    stream.map(Value::split).group_by_key_and_window(length, slide).map_values(Value::List).map(Value::pair)
}

#[stream]
pub(super) fn reduce_by_key_and_window(
    stream: DStream<Value>,
    f: Binary,
    length: Duration,
    slide: Duration,
) -> DStream<Value> {
    stream.map(Value::split).reduce_by_key_and_window(|a, b| f(a, b), length, slide).map(Value::pair)
}

#[stream]
pub(super) fn reduce_by_key_and_window_with_inverse(
    stream: DStream<Value>,
    f: Binary,
    inverse: Binary,
    keep: Option<Unary>,
    length: Duration,
    slide: Duration,
) -> DStream<Value> {
    stream
        .map(Value::split)
        .reduce_by_key_and_window(
            |a, b| f(a, b),
            |a, b| inverse(a, b),
            length,
            slide,
            |pair| keep.is_none_or(|keep| keep(Value::pair(pair.clone())).is_true()),
        )
        .map(Value::pair)
}

#[stream]
pub(super) fn count_by_window(stream: DStream<Value>, length: Duration, slide: Duration) -> DStream<Value> {
    stream.count_by_window(length, slide).map(|count| Value::Int(count as i64))
}

#[stream]
pub(super) fn count_by_value_and_window(stream: DStream<Value>, length: Duration, slide: Duration) -> DStream<Value> {
    stream.count_by_value_and_window(length, slide).map_values(|count| Value::Int(count as i64)).map(Value::pair)
}

#[stream]
pub(super) fn update_state_by_key(stream: DStream<Value>, f: Update, initial: Vec<(Value, Value)>) -> DStream<Value> {
    stream
        .map(Value::split)
        .update_state_by_key(|time, key, values, old| f(time.as_millis(), key, values, old), initial)
        .map(Value::pair)
}

/// The mapped stream and the snapshots as one stream of pairs, told apart by their first halves.
#[stream]
pub(super) fn map_with_state(
    stream: DStream<Value>,
    f: Mapping,
    initial: Vec<(Value, Value)>,
    timeout: Duration,
) -> DStream<Value> {
    let mapped = stream.map(Value::split).map_with_state(
        StateSpec::function_with_time(|time: BatchTime, key: &Value, value, state: &mut State<Value>| {
            f(time.as_millis(), key, value, state)
        })
        .initial_state(initial)
        .timeout(timeout),
    );
    let snapshots = mapped.state_snapshots();
    mapped
        .map(|record| Value::pair((MAPPED, record)))
        .union(snapshots.map(|row| Value::pair((SNAPSHOT, Value::pair(row)))))
}

/// As [`map_with_state`], without a timeout.
#[stream]
pub(super) fn map_with_unbounded_state(
    stream: DStream<Value>,
    f: Mapping,
    initial: Vec<(Value, Value)>,
) -> DStream<Value> {
    let mapped = stream.map(Value::split).map_with_state(
        StateSpec::function_with_time(|time: BatchTime, key: &Value, value, state: &mut State<Value>| {
            f(time.as_millis(), key, value, state)
        })
        .initial_state(initial)
        .unbounded(),
    );
    let snapshots = mapped.state_snapshots();
    mapped
        .map(|record| Value::pair((MAPPED, record)))
        .union(snapshots.map(|row| Value::pair((SNAPSHOT, Value::pair(row)))))
}

/// Marks records of a mapped stream.
pub(super) const MAPPED: Value = Value::Int(0);
/// Marks rows of a snapshot.
pub(super) const SNAPSHOT: Value = Value::Int(1);
