//! Random topologies: any operator behind any other, in the library and in the model.
//!
//! A topology is a list of steps. Each takes its inputs among the streams before it and adds one stream, of numbers or of
//! pairs. The library's steps are `#[stream]` functions of one operator each, chained through handles; every stream is a
//! result, so forks and diamonds of all kinds occur. Functions do not depend on order or partitions, so results are
//! compared as multisets.

mod steps;

use proptest::collection::vec;
use proptest::prelude::*;
use streamflow::DStream;

use self::steps::Step;
use super::{Order, canonical, law, output, setup};
use crate::common::model::{Batch, Stream};

type Pair = (i64, i64);

/// Streams by the type of their records; the first of each kind is made from the input.
struct Made<N, P> {
    numbers: Vec<N>,
    pairs: Vec<P>,
}

impl<N, P> Made<N, P> {
    fn number(&self, index: usize) -> &N {
        &self.numbers[index % self.numbers.len()]
    }

    fn pair(&self, index: usize) -> &P {
        &self.pairs[index % self.pairs.len()]
    }
}

/// Everything that a topology made, as one stream: numbers beside zero, pairs as they are.
fn library(steps: &[Step], input: DStream<i64>) -> DStream<Pair> {
    let pairs = vec![steps::library::key(input.clone(), 3)];
    let mut made = Made { numbers: vec![input], pairs };
    steps.iter().for_each(|step| step.library(&mut made));
    let numbers = made.numbers.into_iter().map(steps::library::beside_zero);
    numbers.chain(made.pairs).reduce(steps::library::unite).expect("there is the input")
}

fn model(steps: &[Step], input: Stream<i64>) -> Stream<Pair> {
    let pairs = vec![input.key_by(|n| n.rem_euclid(3))];
    let mut made = Made { numbers: vec![input], pairs };
    steps.iter().for_each(|step| step.model(&mut made));
    let numbers = made.numbers.iter().map(|numbers| numbers.map(|n| (0, n)));
    let all = numbers.collect::<Vec<_>>().into_iter().chain(made.pairs);
    all.reduce(|left, right| left.union(&right)).expect("there is the input")
}

#[test]
fn random_topologies_agree_with_the_model() {
    let input = vec(vec(-20_i64..20, 0..12), 2);
    law(600, (vec(Step::any(), 1..8), input, setup(), setup()), |(steps, input, setup, other)| {
        let expected: Vec<Batch<Pair>> =
            model(&steps, Stream::source(&input, setup.partitions)).batches.into_iter().flatten().collect();
        let expected = canonical(&expected, Order::Free);
        for setup in [setup, other] {
            let got = output(setup, std::slice::from_ref(&input), |mut inputs| library(&steps, inputs.remove(0)))?;
            prop_assert_eq!(&canonical(&got, Order::Free), &expected);
        }
        Ok(())
    });
}
