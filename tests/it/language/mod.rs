//! The language of `#[stream]`, feature by feature, each in the smallest program that shows it.

mod borrowing;
mod closures;
mod corners;
mod declared;
mod failures;
mod graphs;
mod outputs;
mod retries;
mod signatures;

use streamflow::{BatchContext, DStream, Result};

/// Runs a topology over lines of text, in one partition.
fn on_lines<R: Send + Sync + 'static>(text: &str, topology: impl FnOnce(DStream<str>) -> DStream<R>) -> Vec<R> {
    let ctx = BatchContext::with(1, 1).unwrap();
    let output = topology(ctx.text(text));
    ctx.collect(output).unwrap()
}

/// Runs a topology over records, in one partition.
fn on<A: Clone + Send + Sync + 'static, R: Send + Sync + 'static>(
    records: impl IntoIterator<Item = A>,
    topology: impl FnOnce(DStream<A>) -> DStream<R>,
) -> Vec<R> {
    try_on(records, topology).unwrap()
}

/// The same for a topology that may fail.
fn try_on<A: Clone + Send + Sync + 'static, R: Send + Sync + 'static>(
    records: impl IntoIterator<Item = A>,
    topology: impl FnOnce(DStream<A>) -> DStream<R>,
) -> Result<Vec<R>> {
    let ctx = BatchContext::with(1, 1)?;
    let output = topology(ctx.records(records));
    ctx.collect(output)
}

/// The records in ascending order, for results whose order is free.
fn sorted<T: Ord>(mut records: Vec<T>) -> Vec<T> {
    records.sort();
    records
}
