//! One generic `#[stream]` function for each operator: what pipelines are chained from.
//!
//! A record that is a pair is a list of two inside a pipeline, so keyed operators split it first and put it together
//! again: fused into the same loops.

use streamflow::prelude::*;

use super::functions::{Binary, Unary, to_string};
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
