//! Runs a case with the library.

use std::time::Duration;

use streamflow::{Batch, BatchTime, DStream, StreamingContext};

use super::case::{BATCH_MS, Case, Outcome};
use super::pipeline::{MapWithState, Match, Step, Transform, TransformWith};
use super::topologies as operators;
use super::value::Value;
use crate::common::harness::{Setup, run_all, run_with_restart};

/// Runs the steps over the inputs of a case.
pub(crate) fn run(case: &Case<'_>, steps: &[Step]) -> Outcome {
    let setup = Setup { partitions: case.partitions, threads: 2 };
    let inputs: Vec<Vec<Vec<Value>>> =
        [Some(&case.input), case.input2.as_ref()].into_iter().flatten().cloned().collect();
    let topology = |ctx: &StreamingContext, mut inputs: Vec<DStream<Value>>| {
        if let Some(missing) = case.missing {
            inputs = inputs.into_iter().map(|input| operators::failing(input, batch_time(missing))).collect();
        }
        let first = inputs.remove(0);
        Chain { ctx, first: &first, second: inputs.first(), initial: &case.initial_state }.of(steps)
    };
    let restart = case.json.get("restart_after_batches").and_then(serde_json::Value::as_u64);
    let ran = match restart {
        Some(after) => run_with_restart(setup, &inputs, after as usize, topology),
        None => run_all(setup, &inputs, topology),
    };
    // Spark stops at the first batch that fails.
    let error = ran.errors.first().map(|(batch, error)| (*batch, error.to_string()));
    let before = |batch: usize| error.as_ref().is_none_or(|(failed, _)| batch < *failed);
    let outputs = ran.outputs.into_iter().filter(|(batch, _)| before(*batch)).collect();
    match steps.last() {
        Some(Step::MapWithState(_)) => {
            let (mapped, snapshots) = untangled(outputs);
            Outcome { outputs: mapped, snapshots: Some(snapshots), fires_when_due: true, error }
        }
        _ => Outcome { outputs, error, ..Outcome::default() },
    }
}

type Outputs = Vec<(usize, Vec<Vec<Value>>)>;

/// The mapped stream and the snapshots, which come as one.
fn untangled(outputs: Outputs) -> (Outputs, Outputs) {
    let only = |wanted: Value| {
        let records = |part: &Vec<Value>| {
            let pairs = part.iter().cloned().map(Value::split);
            pairs.filter(|(kind, _)| *kind == wanted).map(|(_, record)| record).collect()
        };
        outputs.iter().map(|(batch, parts)| (*batch, parts.iter().map(records).collect())).collect()
    };
    (only(operators::MAPPED), only(operators::SNAPSHOT))
}

/// Chains operators behind the inputs of a pipeline.
pub(super) struct Chain<'s> {
    pub(super) ctx: &'s StreamingContext,
    pub(super) first: &'s DStream<Value>,
    pub(super) second: Option<&'s DStream<Value>>,
    pub(super) initial: &'s [(Value, Value)],
}

impl Chain<'_> {
    pub(super) fn of(&self, steps: &[Step]) -> DStream<Value> {
        steps.iter().fold(self.first.clone(), |stream, step| match step {
            Step::Union(pipelines) => pipelines.iter().map(|steps| self.of(steps)).fold(stream, operators::union),
            Step::UnionAll(pipelines) => {
                let streams = [stream].into_iter().chain(pipelines.iter().map(|steps| self.of(steps))).collect();
                let unite =
                    |batches: Vec<Batch<Value>>| batches.into_iter().reduce(Batch::union).expect("there are streams");
                self.ctx.transform(streams, unite).expect("the streams are of this context")
            }
            Step::TransformWith(TransformWith::Union, steps) => {
                operators::transform_with_union(stream, self.right(steps))
            }
            Step::TransformWith(TransformWith::Join, steps) => {
                operators::transform_with_join(stream, self.right(steps))
            }
            Step::Match(how, steps) => matched(*how, stream, self.right(steps)),
            Step::UpdateStateByKey(f) => operators::update_state_by_key(stream, *f, self.initial.to_vec()),
            Step::MapWithState(how) => self.map_with_state(stream, *how),
            step => single(stream, step),
        })
    }

    fn map_with_state(&self, stream: DStream<Value>, how: MapWithState) -> DStream<Value> {
        let initial = self.initial.to_vec();
        match how.timeout_batches {
            Some(batches) => operators::map_with_state(stream, how.function, initial, batch_intervals(batches)),
            None => operators::map_with_unbounded_state(stream, how.function, initial),
        }
    }

    /// A pipeline that starts at the second input.
    fn right(&self, steps: &[Step]) -> DStream<Value> {
        let first = self.second.expect("the case has a second input");
        Chain { first, second: None, ..*self }.of(steps)
    }
}

fn matched(how: Match, left: DStream<Value>, right: DStream<Value>) -> DStream<Value> {
    match how {
        Match::Cogroup => operators::cogroup(left, right),
        Match::Join => operators::join(left, right),
        Match::LeftOuterJoin => operators::left_outer_join(left, right),
        Match::RightOuterJoin => operators::right_outer_join(left, right),
        Match::FullOuterJoin => operators::full_outer_join(left, right),
    }
}

/// The time of a batch, by its number.
fn batch_time(number: usize) -> BatchTime {
    BatchTime::from_millis(number as u64 * BATCH_MS)
}

fn batch_intervals(count: usize) -> Duration {
    Duration::from_millis(count as u64 * BATCH_MS)
}

/// An operator on one stream.
fn single(stream: DStream<Value>, step: &Step) -> DStream<Value> {
    match *step {
        Step::Map(f) => operators::map(stream, f),
        Step::FlatMap(f) => operators::flat_map(stream, f),
        Step::Filter(keep) => operators::filter(stream, keep),
        Step::Glom => operators::glom(stream),
        Step::MapPartitions(f) => operators::map_partitions(stream, f),
        Step::Repartition(partitions) => operators::repartition(stream, partitions),
        Step::MapValues(f) => operators::map_values(stream, f),
        Step::FlatMapValues(f) => operators::flat_map_values(stream, f),
        Step::GroupByKey => operators::group_by_key(stream),
        Step::ReduceByKey(f) => operators::reduce_by_key(stream, f),
        Step::Reduce(f) => operators::reduce(stream, f),
        Step::Count => operators::count(stream),
        Step::CountByValue => operators::count_by_value(stream),
        Step::Transform(Transform::MapToString) => operators::transform_to_string(stream),
        Step::Transform(Transform::Nothing) => operators::transform_to_nothing(stream),
        Step::Window(window) => {
            operators::window(stream, batch_intervals(window.length), batch_intervals(window.slide))
        }
        Step::GroupByKeyAndWindow(window) => {
            let (length, slide) = (batch_intervals(window.length), batch_intervals(window.slide));
            operators::group_by_key_and_window(stream, length, slide)
        }
        Step::ReduceByKeyAndWindow(f, window) => {
            let (length, slide) = (batch_intervals(window.length), batch_intervals(window.slide));
            operators::reduce_by_key_and_window(stream, f, length, slide)
        }
        Step::ReduceByKeyAndWindowWithInverse { reduce, inverse, keep, window } => {
            let (length, slide) = (batch_intervals(window.length), batch_intervals(window.slide));
            operators::reduce_by_key_and_window_with_inverse(stream, reduce, inverse, keep, length, slide)
        }
        Step::CountByWindow(window) => {
            operators::count_by_window(stream, batch_intervals(window.length), batch_intervals(window.slide))
        }
        Step::CountByValueAndWindow(window) => {
            operators::count_by_value_and_window(stream, batch_intervals(window.length), batch_intervals(window.slide))
        }
        _ => unreachable!("`Chain` has dealt with the others, and slices are no pipeline"),
    }
}
