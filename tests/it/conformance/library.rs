//! Runs a case with the library.

use streamflow::DStream;

use super::case::{Case, Outcome};
use super::pipeline::{Match, Step, Transform, TransformWith};
use super::topologies as operators;
use super::value::Value;
use crate::common::harness::{Setup, run_all};

/// An operator that the library does not have yet, by its name in pipelines.
pub(crate) struct NotYet(pub(crate) &'static str);

/// Runs the steps over the inputs of a case.
pub(crate) fn run(case: &Case<'_>, steps: &[Step]) -> Result<Outcome, NotYet> {
    supported(steps)?;
    let setup = Setup { partitions: case.partitions, threads: 2 };
    let inputs: Vec<Vec<Vec<Value>>> =
        [Some(&case.input), case.input2.as_ref()].into_iter().flatten().cloned().collect();
    let batches = run_all(setup, &inputs, |mut inputs| {
        let first = inputs.remove(0);
        chain(&first, inputs.first(), steps)
    });
    let mut outcome = Outcome::default();
    for (index, batch) in batches.into_iter().enumerate() {
        match batch {
            Ok(batch) => outcome.outputs.push((index + 1, batch)),
            Err(error) => outcome.error = Some((index + 1, error.to_string())),
        }
    }
    Ok(outcome)
}

/// Whether the library has all operators; the next ones are taken out of here as they arrive.
fn supported(steps: &[Step]) -> Result<(), NotYet> {
    for step in steps {
        match step {
            Step::Window(_) => return Err(NotYet("window")),
            Step::GroupByKeyAndWindow(_) => return Err(NotYet("groupByKeyAndWindow")),
            Step::ReduceByKeyAndWindow(..) | Step::ReduceByKeyAndWindowWithInverse { .. } => {
                return Err(NotYet("reduceByKeyAndWindow"));
            }
            Step::CountByWindow(_) => return Err(NotYet("countByWindow")),
            Step::CountByValueAndWindow(_) => return Err(NotYet("countByValueAndWindow")),
            Step::UpdateStateByKey(_) => return Err(NotYet("updateStateByKey")),
            Step::MapWithState(_) => return Err(NotYet("mapWithState")),
            Step::Slice => return Err(NotYet("slice")),
            Step::Union(pipelines) | Step::UnionAll(pipelines) => pipelines.iter().try_for_each(|p| supported(p))?,
            Step::TransformWith(_, right) | Step::Match(_, right) => supported(right)?,
            _ => {}
        }
    }
    Ok(())
}

/// Chains the operators of a pipeline behind its first input.
fn chain(first: &DStream<Value>, second: Option<&DStream<Value>>, steps: &[Step]) -> DStream<Value> {
    let right = |steps: &[Step]| chain(second.expect("the case has a second input"), None, steps);
    steps.iter().fold(first.clone(), |stream, step| match step {
        Step::Union(pipelines) | Step::UnionAll(pipelines) => {
            let others = pipelines.iter().map(|steps| chain(first, second, steps));
            others.fold(stream, operators::union)
        }
        Step::TransformWith(TransformWith::Union, steps) => operators::transform_with_union(stream, right(steps)),
        Step::TransformWith(TransformWith::Join, steps) => operators::transform_with_join(stream, right(steps)),
        Step::Match(Match::Cogroup, steps) => operators::cogroup(stream, right(steps)),
        Step::Match(Match::Join, steps) => operators::join(stream, right(steps)),
        Step::Match(Match::LeftOuterJoin, steps) => operators::left_outer_join(stream, right(steps)),
        Step::Match(Match::RightOuterJoin, steps) => operators::right_outer_join(stream, right(steps)),
        Step::Match(Match::FullOuterJoin, steps) => operators::full_outer_join(stream, right(steps)),
        step => single(stream, step),
    })
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
        _ => unreachable!("`supported` and `chain` have dealt with the others"),
    }
}
