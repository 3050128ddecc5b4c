//! Runs a topology over given batches and returns what came out, partition by partition.

use std::fmt::Debug;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use streamflow::testing::{Driver, SimulatedFs};
use streamflow::{DStream, Error, ManualClock, StreamingContext, StreamingContextBuilder};

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
        Driver::with(|builder| self.settings(builder)).expect("these settings can be used")
    }

    fn settings(self, builder: StreamingContextBuilder) -> StreamingContextBuilder {
        let Self { partitions, threads } = self;
        builder.threads(threads).parallelism(partitions).max_task_failures(1)
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
    run_on(setup.driver(), inputs, inputs[0].len(), |driver, streams| topology(driver.context(), streams))
}

/// The same with a stop after some batches, after which the program is started again from its checkpoint. Each batch is also
/// saved; all must be there in the end.
pub(crate) fn run_with_restart<A, R>(
    setup: Setup,
    inputs: &[Vec<Vec<A>>],
    after: usize,
    topology: impl Fn(&StreamingContext, Vec<DStream<A>>) -> DStream<R>,
) -> Ran<R>
where
    A: Clone + Send + Sync + 'static,
    R: Clone + Debug + Send + Sync + 'static,
{
    let (files, clock) = (SimulatedFs::new(0), ManualClock::new());
    let phase = |batches| {
        let driver = Driver::with_clock(clock.clone(), |builder| {
            let builder = setup.settings(builder).simulated_files(&files);
            builder.checkpoint("checkpoint").checkpoint_interval(Duration::from_secs(2))
        });
        run_on(driver.expect("these settings can be used"), inputs, batches, |driver, streams| {
            let result = topology(driver.context(), streams);
            result.transform(|batch| batch.map(|record| format!("{record:?}"))).save_as_text_files("out", "txt");
            result
        })
    };
    let (mut ran, later) = (phase(after), phase(inputs[0].len() - after));
    ran.outputs.extend(later.outputs);
    ran.errors.extend(later.errors);
    let saved = files.files("").iter().filter(|name| name.ends_with(".txt")).count();
    assert_eq!(saved, ran.outputs.len(), "each batch is saved: {:?}", files.files(""));
    ran
}

fn run_on<A, R>(
    mut driver: Driver,
    inputs: &[Vec<Vec<A>>],
    batches: usize,
    topology: impl FnOnce(&Driver, Vec<DStream<A>>) -> DStream<R>,
) -> Ran<R>
where
    A: Clone + Send + Sync + 'static,
    R: Clone + Send + Sync + 'static,
{
    let interval = driver.context().batch_interval().as_millis() as u64;
    let number = |time: streamflow::BatchTime| (time.as_millis() / interval) as usize;
    let streams = inputs.iter().map(|input| driver.input(input.clone())).collect();
    let output = driver.output(&topology(&driver, streams));
    let errors = driver.try_run_batches(batches).expect("the topology is sound");
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

/// Runs so many batches, each of which takes 1.3 seconds.
pub(crate) fn run_slow_batches(test: &mut Driver, batches: usize) {
    let clock = test.clock().clone();
    let left = AtomicUsize::new(batches);
    test.input(vec![vec![1]; batches]).foreach_batch(move |_| {
        // The clock makes later batches due, which end at once.
        if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok() {
            clock.advance(Duration::from_millis(1_300));
        }
    });
    test.run_batches(batches).unwrap();
}
