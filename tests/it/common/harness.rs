//! Runs a topology over given batches and returns what came out, partition by partition.

use streamflow::testing::Driver;
use streamflow::{DStream, Error, StreamingContext};

use super::model::Batch;

/// How a topology is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// Partitions of the inputs, and of shuffles that do not say otherwise.
    pub(crate) partitions: usize,
    pub(crate) threads: usize,
}

impl Setup {
    /// A driver whose failed tasks are not tried again.
    pub(crate) fn driver(self) -> Driver {
        let Self { partitions, threads } = self;
        Driver::with(|builder| builder.threads(threads).parallelism(partitions).max_task_failures(1))
            .expect("these settings can be used")
    }
}

/// What came out of a topology, each with the number of its batch.
#[derive(Debug)]
pub(crate) struct Ran<R> {
    pub(crate) outputs: Vec<(usize, Batch<R>)>,
    pub(crate) errors: Vec<(usize, Error)>,
}

/// Runs a topology of one input, which must not fail.
pub(crate) fn run<A, R>(setup: Setup, input: &[Vec<A>], topology: impl Fn(DStream<A>) -> DStream<R>) -> Vec<Batch<R>>
where
    A: Clone + Send + Sync + 'static,
    R: Clone + Send + Sync + 'static,
{
    let ran = run_all(setup, &[input.to_vec()], |_, mut inputs| topology(inputs.remove(0)));
    assert!(ran.errors.is_empty(), "{:?}", ran.errors);
    ran.outputs.into_iter().map(|(_, batch)| batch).collect()
}

/// Runs a topology over some inputs, for as many batches as the first has.
pub(crate) fn run_all<A, R>(
    setup: Setup,
    inputs: &[Vec<Vec<A>>],
    topology: impl FnOnce(&StreamingContext, Vec<DStream<A>>) -> DStream<R>,
) -> Ran<R>
where
    A: Clone + Send + Sync + 'static,
    R: Clone + Send + Sync + 'static,
{
    let mut driver = setup.driver();
    let interval = driver.context().batch_interval().as_millis() as u64;
    let number = |time: streamflow::BatchTime| (time.as_millis() / interval) as usize;
    let streams = inputs.iter().map(|input| driver.input(input.clone())).collect();
    let output = driver.output(&topology(driver.context(), streams));
    let errors = driver.try_run_batches(inputs[0].len()).expect("the topology is sound");
    let batches = output.times().into_iter().map(number).zip(output.partitions());
    let place = |error: Error| (error.batch().map_or(0, number), error);
    Ran { outputs: batches.collect(), errors: errors.into_iter().map(place).collect() }
}

/// The same records in an order that only depends on what they are.
pub(crate) fn sorted<T: Clone + Ord>(batch: &Batch<T>) -> Vec<T> {
    let mut records = batch.concat();
    records.sort();
    records
}
