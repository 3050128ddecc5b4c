//! Laws: what holds for any input.
//!
//! Every operator agrees with the naive model, whatever the partitions and threads ([`operators`]); operators fused in one
//! function give what they give one by one ([`fusion`]); and so do random topologies ([`topologies`]). Windows and
//! state agree with the model too ([`windows`]). [`bulk`] repeats
//! the essential with enough records for threads and for shuffles that stop combining. Seeds are fixed: a failure here is
//! a failure everywhere.

mod bulk;
mod fusion;
mod operators;
mod topologies;
mod windows;

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestRunner};
use streamflow::DStream;

use crate::common::harness::{Setup, run_all, sorted};
use crate::common::model::{Batch, Stream};

/// Whether the order of the records in a batch is promised.
#[derive(Clone, Copy)]
enum Order {
    Kept,
    Free,
}

/// A type that streams of the laws carry.
trait Sample: Clone + Debug + Ord + Send + Sync + 'static {
    fn any() -> BoxedStrategy<Self>;
}

impl Sample for i64 {
    fn any() -> BoxedStrategy<Self> {
        (-20_i64..20).boxed()
    }
}

/// Few keys, so that they meet; and the extremes, so that hashing sees more than small numbers.
impl Sample for (i64, i64) {
    fn any() -> BoxedStrategy<Self> {
        (prop_oneof![9 => 0_i64..6, 1 => Just(i64::MIN), 1 => Just(i64::MAX)], -20_i64..20).boxed()
    }
}

impl Sample for String {
    fn any() -> BoxedStrategy<Self> {
        "[ab#é ]{0,8}".boxed()
    }
}

/// The batches of one stream: more of them are empty than chance would have it.
fn batches<A: Sample>() -> impl Strategy<Value = Vec<Vec<A>>> {
    vec(prop_oneof![1 => Just(Vec::new()), 4 => vec(A::any(), 0..24)], 3)
}

/// One, a few, or more partitions than records; as many threads, independently.
fn setup() -> impl Strategy<Value = Setup> {
    let count = || proptest::sample::select(vec![1_usize, 2, 7]);
    (count(), count()).prop_map(|(partitions, threads)| Setup { partitions, threads })
}

fn law<S: Strategy>(cases: u32, strategy: S, test: impl Fn(S::Value) -> Result<(), TestCaseError>) {
    let config = Config { cases, rng_seed: RngSeed::Fixed(0x5EED), failure_persistence: None, ..Config::default() };
    TestRunner::new(config).run(&strategy, test).unwrap_or_else(|error| panic!("{error}"));
}

/// The records of each batch, in an order that can be compared.
fn canonical<R: Clone + Ord>(batches: &[Batch<R>], order: Order) -> Vec<Vec<R>> {
    batches.iter().map(|batch| if let Order::Kept = order { batch.concat() } else { sorted(batch) }).collect()
}

/// Runs a topology; a batch that fails breaks the law.
fn output<A: Sample, R: Comparable>(
    setup: Setup,
    inputs: &[Vec<Vec<A>>],
    topology: impl Fn(Vec<DStream<A>>) -> DStream<R>,
) -> Result<Vec<Batch<R>>, TestCaseError> {
    let ran = run_all(setup, inputs, |_, streams| topology(streams));
    match ran.errors.first() {
        Some((_, error)) => Err(TestCaseError::fail(error.to_string())),
        None => Ok(ran.outputs.into_iter().map(|(_, batch)| batch).collect()),
    }
}

/// What results must be to be compared.
trait Comparable: Clone + Debug + Ord + Send + Sync + 'static {}
impl<T: Clone + Debug + Ord + Send + Sync + 'static> Comparable for T {}

/// The library agrees with the model, and with itself when it runs again.
fn agrees<A: Sample, R: Comparable>(
    inputs: usize,
    order: Order,
    library: impl Fn(Vec<DStream<A>>) -> DStream<R>,
    model: impl Fn(&[Stream<A>]) -> Stream<R>,
) {
    law(64, (vec(batches::<A>(), inputs), setup()), |(inputs, setup)| {
        let sources: Vec<Stream<A>> = inputs.iter().map(|input| Stream::source(input, setup.partitions)).collect();
        let expected: Vec<Batch<R>> = model(&sources).batches.into_iter().flatten().collect();
        let expected = canonical(&expected, order);
        for _ in 0..2 {
            prop_assert_eq!(&canonical(&output(setup, &inputs, &library)?, order), &expected);
        }
        Ok(())
    });
}
