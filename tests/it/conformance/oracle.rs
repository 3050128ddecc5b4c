//! Runs a case with the naive model.

use super::case::{BATCH_MS, Case, Outcome};
use super::functions::to_string;
use super::pipeline::{MapWithState, Match, Step, Transform, TransformWith};
use super::value::Value;
use crate::common::model::{Stream, Timeout};

/// Runs the steps over the inputs of a case.
pub(crate) fn run(case: &Case<'_>, steps: &[Step]) -> Outcome {
    let source = |input: &Vec<Vec<Value>>| Stream::source(input, case.partitions);
    let built =
        Model { initial: &case.initial_state }.chain(&source(&case.input), case.input2.as_ref().map(source), steps);
    let snapshots = built.snapshots.map(|snapshots| numbered(&snapshots));
    let mut outcome = Outcome { outputs: numbered(&built.stream), snapshots, ..Outcome::default() };
    if built.fails && !outcome.outputs.is_empty() {
        outcome.outputs.clear();
        outcome.error = Some((1, "the function returned no batch".to_owned()));
    }
    if let Some(missing) = case.missing {
        outcome.outputs.retain(|(batch, _)| *batch < missing);
        outcome.error = Some((missing, "there is no data set for the batch".to_owned()));
    }
    outcome
}

fn numbered(stream: &Stream<Value>) -> Vec<(usize, Vec<Vec<Value>>)> {
    let numbered = stream.batches.iter().enumerate();
    numbered.filter_map(|(index, batch)| Some((index + 1, batch.clone()?))).collect()
}

struct Built {
    stream: Stream<Value>,
    snapshots: Option<Stream<Value>>,
    /// Whether a function in the pipeline fails every batch.
    fails: bool,
}

struct Model<'c> {
    initial: &'c [(Value, Value)],
}

impl Model<'_> {
    fn chain(&self, first: &Stream<Value>, second: Option<Stream<Value>>, steps: &[Step]) -> Built {
        let mut built = Built { stream: first.clone(), snapshots: None, fails: false };
        for step in steps {
            built.stream = match step {
                Step::Union(pipelines) | Step::UnionAll(pipelines) => {
                    let others = pipelines.iter().map(|steps| self.chain(first, second.clone(), steps).stream);
                    others.fold(built.stream, |stream, other| stream.union(&other))
                }
                Step::TransformWith(function, steps) => {
                    let right = self.chain(second.as_ref().expect("the case has a second input"), None, steps).stream;
                    match function {
                        TransformWith::Union => built.stream.transform_with(&right, |a, b| [a, b].concat()),
                        TransformWith::Join => matched(Match::Join, &built.stream, &right),
                    }
                }
                Step::Match(how, steps) => {
                    let right = self.chain(second.as_ref().expect("the case has a second input"), None, steps).stream;
                    matched(*how, &built.stream, &right)
                }
                Step::Transform(Transform::Nothing) => {
                    built.fails = true;
                    built.stream
                }
                Step::MapWithState(how) => {
                    let (mapped, snapshots) = self.map_with_state(&built.stream, *how);
                    built.snapshots = Some(snapshots);
                    mapped
                }
                Step::UpdateStateByKey(f) => {
                    let pairs = built.stream.map(Value::split);
                    pairs.update_state_by_key(BATCH_MS, self.initial.to_vec(), f).map(Value::pair)
                }
                step => single(&built.stream, step),
            };
        }
        built
    }

    fn map_with_state(&self, stream: &Stream<Value>, how: MapWithState) -> (Stream<Value>, Stream<Value>) {
        let timeout = how
            .timeout_batches
            .map(|batches| Timeout { idle_ms: batches as u64 * BATCH_MS, every_batches: how.checkpoint_batches });
        let pairs = stream.map(Value::split);
        let (mapped, snapshots) =
            pairs.map_with_state(BATCH_MS, self.initial.to_vec(), timeout, |time, key, value, state| {
                (how.function)(time, key, value, state)
            });
        (mapped, snapshots.map(Value::pair))
    }
}

fn matched(how: Match, left: &Stream<Value>, right: &Stream<Value>) -> Stream<Value> {
    let (left, right) = (left.map(Value::split), right.map(Value::split));
    let both = |(v, w): (Option<Value>, Option<Value>)| Value::pair((v.into(), w.into()));
    let matched = match how {
        Match::Cogroup => left.cogroup(&right).map_values(|(v, w)| Value::pair((Value::List(v), Value::List(w)))),
        Match::Join => left.join(&right).map_values(Value::pair),
        Match::LeftOuterJoin => left.left_outer_join(&right).map_values(|(v, w)| both((Some(v), w))),
        Match::RightOuterJoin => left.right_outer_join(&right).map_values(|(v, w)| both((v, Some(w)))),
        Match::FullOuterJoin => left.full_outer_join(&right).map_values(both),
    };
    matched.map(Value::pair)
}

/// An operator on one stream.
fn single(stream: &Stream<Value>, step: &Step) -> Stream<Value> {
    let pairs = || stream.map(Value::split);
    let number = |count: u64| Value::Int(count as i64);
    match *step {
        Step::Map(f) => stream.map(f),
        Step::FlatMap(f) => stream.flat_map(|x| f(x).items()),
        Step::Filter(keep) => stream.filter(|x| keep(x.clone()).is_true()),
        Step::Glom => stream.glom().map(Value::List),
        Step::MapPartitions(f) => stream.map_partitions(|part| f(Value::List(part)).items()),
        Step::Repartition(partitions) => stream.repartition(partitions),
        Step::MapValues(f) => pairs().map_values(f).map(Value::pair),
        Step::FlatMapValues(f) => pairs().flat_map_values(|value| f(value).items()).map(Value::pair),
        Step::GroupByKey => pairs().group_by_key().map_values(Value::List).map(Value::pair),
        Step::ReduceByKey(f) => pairs().reduce_by_key(f).map(Value::pair),
        Step::Reduce(f) => stream.reduce(f),
        Step::Count => stream.count().map(number),
        Step::CountByValue => stream.count_by_value().map_values(number).map(Value::pair),
        Step::Transform(Transform::MapToString) => {
            stream.transform(|batch| batch.into_iter().map(|part| part.into_iter().map(to_string).collect()).collect())
        }
        Step::Window(window) => stream.window(window),
        Step::GroupByKeyAndWindow(window) => {
            pairs().group_by_key_and_window(window).map_values(Value::List).map(Value::pair)
        }
        Step::ReduceByKeyAndWindow(f, window) => pairs().reduce_by_key_and_window(f, window).map(Value::pair),
        Step::ReduceByKeyAndWindowWithInverse { reduce, inverse, keep, window } => {
            let keep = |pair: &(Value, Value)| keep.is_none_or(|keep| keep(Value::pair(pair.clone())).is_true());
            pairs().reduce_by_key_and_window_with_inverse(reduce, inverse, keep, window).map(Value::pair)
        }
        Step::CountByWindow(window) => stream.count_by_window(window).map(number),
        Step::CountByValueAndWindow(window) => {
            stream.count_by_value_and_window(window).map_values(number).map(Value::pair)
        }
        Step::Slice => stream.clone(),
        _ => unreachable!("`chain` has dealt with the others"),
    }
}
