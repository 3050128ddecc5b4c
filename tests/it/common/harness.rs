//! Runs a topology over given batches and returns what came out, partition by partition.

use std::sync::{Arc, Mutex};

use streamflow::{BatchContext, DStream, Result};

use super::model::Batch;

/// How a topology is run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    /// Partitions of the inputs, and of shuffles that do not say otherwise.
    pub(crate) partitions: usize,
    pub(crate) threads: usize,
}

/// Runs a topology of one input, which must not fail.
pub(crate) fn run<A, R>(setup: Setup, input: &[Vec<A>], topology: impl Fn(DStream<A>) -> DStream<R>) -> Vec<Batch<R>>
where
    A: Clone + Send + Sync + 'static,
    R: Clone + Send + Sync + 'static,
{
    let topology = |mut inputs: Vec<DStream<A>>| topology(inputs.remove(0));
    run_all(setup, &[input.to_vec()], topology).into_iter().map(|batch| batch.expect("no batch fails")).collect()
}

/// Runs a topology over some inputs of equally many batches, up to the first batch that fails.
pub(crate) fn run_all<A, R>(
    setup: Setup,
    inputs: &[Vec<Vec<A>>],
    topology: impl Fn(Vec<DStream<A>>) -> DStream<R>,
) -> Vec<Result<Batch<R>>>
where
    A: Clone + Send + Sync + 'static,
    R: Clone + Send + Sync + 'static,
{
    let mut outputs = Vec::new();
    for batch in 0..inputs[0].len() {
        let output = run_batch(setup, inputs.iter().map(|input| input[batch].clone()), &topology);
        let failed = output.is_err();
        outputs.push(output);
        if failed {
            break;
        }
    }
    outputs
}

fn run_batch<A, R>(
    setup: Setup,
    inputs: impl Iterator<Item = Vec<A>>,
    topology: impl Fn(Vec<DStream<A>>) -> DStream<R>,
) -> Result<Batch<R>>
where
    A: Clone + Send + Sync + 'static,
    R: Clone + Send + Sync + 'static,
{
    let ctx = BatchContext::with(setup.threads, setup.partitions)?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&seen);
    let output = topology(inputs.map(|records| ctx.records(records)).collect()).transform(move |batch| {
        *keep.lock().unwrap() = batch.partitions().map(|part| part.cloned().collect()).collect();
        batch
    });
    ctx.collect(output)?;
    let seen = seen.lock().unwrap();
    Ok(seen.clone())
}

/// The same records in an order that only depends on what they are.
pub(crate) fn sorted<T: Clone + Ord>(batch: &Batch<T>) -> Vec<T> {
    let mut records = batch.concat();
    records.sort();
    records
}
