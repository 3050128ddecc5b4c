//! The steps of random topologies: each operator three times, as a choice, as a topology, and over vectors.

use proptest::prelude::*;
use streamflow::DStream;

use super::{Made, Pair};
use crate::common::model::Stream;

/// Keeps results small, whatever the chain.
fn small(n: i64) -> i64 {
    n.rem_euclid(997)
}

/// Two parts of a match as one number.
fn mix(left: Option<i64>, right: Option<i64>) -> i64 {
    small(left.unwrap_or(500) * 3 + right.unwrap_or(700))
}

fn mix_all(values: Vec<i64>) -> i64 {
    small(values.iter().map(|v| small(v * v)).sum::<i64>() + values.len() as i64)
}

/// `kind(inputs) => kind, library, model`: the inputs are indices of streams made before.
macro_rules! steps {
    ($($name:ident: $from:ident $(, $and:ident)? => $to:ident, $by:ident,
        |$s:ident $(, $t:ident)?| $model:expr;)*) => {
        /// A step: its operator, the numbers of its inputs, and a parameter.
        #[derive(Clone, Copy, Debug)]
        pub(super) struct Step {
            operator: Operator,
            left: usize,
            right: usize,
            by: i64,
        }

        #[allow(non_camel_case_types, reason = "they are the names of operators")]
        #[derive(Clone, Copy, Debug)]
        enum Operator {
            $($name,)*
        }

        const OPERATORS: &[Operator] = &[$(Operator::$name),*];

        impl Step {
            pub(super) fn library(self, made: &mut Made<DStream<i64>, DStream<Pair>>) {
                match self.operator {
                    $(Operator::$name => {
                        let stream = library::$name(
                            steps!(@input made, $from, self.left).clone(),
                            $(steps!(@input made, $and, self.right).clone(),)?
                            self.by,
                        );
                        steps!(@output made, $to).push(stream);
                    })*
                }
            }

            pub(super) fn model(self, made: &mut Made<Stream<i64>, Stream<Pair>>) {
                match self.operator {
                    $(Operator::$name => {
                        let $by = self.by;
                        let $s = steps!(@input made, $from, self.left);
                        $(let $t = steps!(@input made, $and, self.right);)?
                        let stream = $model;
                        let _ = $by;
                        steps!(@output made, $to).push(stream);
                    })*
                }
            }
        }
    };
    (@input $made:ident, number, $index:expr) => { $made.number($index) };
    (@input $made:ident, pair, $index:expr) => { $made.pair($index) };
    (@output $made:ident, number) => { $made.numbers };
    (@output $made:ident, pair) => { $made.pairs };
}

impl Step {
    pub(super) fn any() -> impl Strategy<Value = Step> {
        (proptest::sample::select(OPERATORS), 0..8_usize, 0..8_usize, 1..6_i64)
            .prop_map(|(operator, left, right, by)| Step { operator, left, right, by })
    }
}

steps! {
    map: number => number, by, |s| s.map(|n| small(n * by + 1));
    flat_map: number => number, by, |s| s.flat_map(|n| if n % 4 == 0 { vec![n, small(n + by)] } else { vec![n] });
    filter: number => number, by, |s| s.filter(|n| n % (by + 1) != 0);
    filter_map: number => number, by, |s| s.filter_map(|n| (n % (by + 1) != 0).then(|| small(n - by)));
    inspect: number => number, by, |s| s.inspect(|n| assert!(*n < 10_000 * by));
    key: number => pair, by, |s| s.key_by(|n| n.rem_euclid(by));
    map_partitions: number => number, by, |s| s.map_partitions(|part| part.into_iter().map(|n| small(n + by)).collect());
    glom: number => number, by, |s| s.glom().flat_map(|part| part);
    unite_numbers: number, number => number, by, |s, t| s.union(t);
    count: number => number, by, |s| s.count().map(|n| n as i64 * by);
    count_by_value: number => pair, by, |s| s.count_by_value().map_values(|n| n as i64);
    reduce: number => number, by, |s| s.reduce(|a, b| small(a + b));
    distinct: number => number, by, |s| s.distinct();
    repartition: number => number, by, |s| s.repartition(by as usize);
    top_by: number => number, by, |s| s.top_by(by as usize, |n| (n % 5, *n));
    transform: number => number, by, |s| s.map(|n| small(n + by));
    map_values: pair => pair, by, |s| s.map_values(|v| small(v + by));
    flat_map_values: pair => pair, by, |s| s.flat_map_values(|v| if v % 4 == 0 { vec![v, by] } else { vec![v] });
    keys: pair => number, by, |s| s.keys();
    values: pair => number, by, |s| s.values();
    swap: pair => pair, by, |s| s.swap();
    unite_pairs: pair, pair => pair, by, |s, t| s.union(t);
    reduce_by_key: pair => pair, by, |s| s.reduce_by_key(|a, b| small(a + b));
    combine_by_key: pair => pair, by, |s| s.combine_by_key(small, |c, v| small(c + v), |c, d| small(c + d));
    aggregate_by_key: pair => pair, by, |s| s.aggregate_by_key(0, |a, v| small(a + v * by), |a, b| small(a + b));
    fold_by_key: pair => pair, by, |s| s.fold_by_key(0, |a, b| small(a + b));
    group_by_key: pair => pair, by, |s| s.group_by_key().map_values(mix_all);
    partition_by: pair => pair, by, |s| s.partition_by();
    distinct_pairs: pair => pair, by, |s| s.distinct();
    // One value a key on the left keeps chains of joins from growing without bound.
    join: pair, pair => pair, by, |s, t|
        s.reduce_by_key(i64::max).join(t).map_values(|(v, w)| mix(Some(v), Some(w)));
    left_outer_join: pair, pair => pair, by, |s, t|
        s.reduce_by_key(i64::max).left_outer_join(t).map_values(|(v, w)| mix(Some(v), w));
    right_outer_join: pair, pair => pair, by, |s, t|
        s.reduce_by_key(i64::max).right_outer_join(t).map_values(|(v, w)| mix(v, Some(w)));
    full_outer_join: pair, pair => pair, by, |s, t|
        s.reduce_by_key(i64::max).full_outer_join(t).map_values(|(v, w)| mix(v, w));
    cogroup: pair, pair => pair, by, |s, t|
        s.cogroup(t).map_values(|(v, w)| mix(Some(mix_all(v)), Some(mix_all(w))));
    transform_with: pair, pair => pair, by, |s, t| s.union(t.filter(|(_, v)| v % 2 == 0));
}

/// The same operators, each in a function of its own.
pub(super) mod library {
    use streamflow::prelude::*;

    use super::{Pair, mix, mix_all, small};

    macro_rules! functions {
        ($($name:ident($($s:ident: $in:ty),+; $by:ident) -> $out:ty { $body:expr })*) => {$(
            #[stream]
            pub(in super::super) fn $name($($s: DStream<$in>,)+ $by: i64) -> DStream<$out> {
                let _ = $by;
                $body
            }
        )*};
    }

    functions! {
        map(s: i64; by) -> i64 { s.map(|n| small(n * by + 1)) }
        flat_map(s: i64; by) -> i64 { s.flat_map(|n| if n % 4 == 0 { vec![n, small(n + by)] } else { vec![n] }) }
        filter(s: i64; by) -> i64 { s.filter(|n| n % (by + 1) != 0) }
        filter_map(s: i64; by) -> i64 { s.filter_map(|n| (n % (by + 1) != 0).then(|| small(n - by))) }
        inspect(s: i64; by) -> i64 { s.inspect(|n| assert!(*n < 10_000 * by)) }
        key(s: i64; by) -> Pair { s.key_by(|n| n.rem_euclid(by)) }
        map_partitions(s: i64; by) -> i64 { s.map_partitions(|part| part.map(move |n| small(n + by))) }
        glom(s: i64; by) -> i64 { s.glom().flat_map(|part| part) }
        unite_numbers(s: i64, t: i64; by) -> i64 { s.union(t) }
        count(s: i64; by) -> i64 { s.count().map(|n| n as i64 * by) }
        count_by_value(s: i64; by) -> Pair { s.count_by_value().map_values(|n| n as i64) }
        reduce(s: i64; by) -> i64 { s.reduce(|a, b| small(a + b)) }
        distinct(s: i64; by) -> i64 { s.distinct() }
        repartition(s: i64; by) -> i64 { s.repartition(by as usize) }
        top_by(s: i64; by) -> i64 { s.top_by(by as usize, |n| (n % 5, *n)) }
        transform(s: i64; by) -> i64 { s.transform(|batch| batch.map(|n| small(n + by))) }
        map_values(s: Pair; by) -> Pair { s.map_values(|v| small(v + by)) }
        flat_map_values(s: Pair; by) -> Pair {
            s.flat_map_values(|v| if v % 4 == 0 { vec![v, by] } else { vec![v] })
        }
        keys(s: Pair; by) -> i64 { s.keys() }
        values(s: Pair; by) -> i64 { s.values() }
        swap(s: Pair; by) -> Pair { s.swap() }
        unite_pairs(s: Pair, t: Pair; by) -> Pair { s.union(t) }
        reduce_by_key(s: Pair; by) -> Pair { s.reduce_by_key(|a, b| small(a + b), by as usize) }
        combine_by_key(s: Pair; by) -> Pair {
            s.combine_by_key(small, |c, v| small(c + v), |c, d| small(c + d), by as usize)
        }
        aggregate_by_key(s: Pair; by) -> Pair { s.aggregate_by_key(0, |a, v| small(a + v * by), |a, b| small(a + b)) }
        fold_by_key(s: Pair; by) -> Pair { s.fold_by_key(0, |a, b| small(a + b)) }
        group_by_key(s: Pair; by) -> Pair { s.group_by_key(by as usize).map_values(mix_all) }
        partition_by(s: Pair; by) -> Pair { s.partition_by(by as usize) }
        distinct_pairs(s: Pair; by) -> Pair { s.distinct(by as usize) }
        join(s: Pair, t: Pair; by) -> Pair {
            s.reduce_by_key(i64::max).join(t, by as usize).map_values(|(v, w)| mix(Some(v), Some(w)))
        }
        left_outer_join(s: Pair, t: Pair; by) -> Pair {
            s.reduce_by_key(i64::max).left_outer_join(t).map_values(|(v, w)| mix(Some(v), w))
        }
        right_outer_join(s: Pair, t: Pair; by) -> Pair {
            s.reduce_by_key(i64::max).right_outer_join(t, by as usize).map_values(|(v, w)| mix(v, Some(w)))
        }
        full_outer_join(s: Pair, t: Pair; by) -> Pair {
            s.reduce_by_key(i64::max).full_outer_join(t).map_values(|(v, w)| mix(v, w))
        }
        cogroup(s: Pair, t: Pair; by) -> Pair {
            s.cogroup(t, by as usize).map_values(|(v, w)| mix(Some(mix_all(v)), Some(mix_all(w))))
        }
        transform_with(s: Pair, t: Pair; by) -> Pair {
            s.transform_with(t, |s, t| s.union(t.filter(|(_, v)| v % 2 == 0)))
        }
    }

    #[stream]
    pub(in super::super) fn beside_zero(numbers: DStream<i64>) -> DStream<Pair> {
        numbers.map(|n| (0, n))
    }

    #[stream]
    pub(in super::super) fn unite(left: DStream<Pair>, right: DStream<Pair>) -> DStream<Pair> {
        left.union(right)
    }
}
