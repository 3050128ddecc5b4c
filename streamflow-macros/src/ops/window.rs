//! Operators on the last batches: every slide, what the batches of the window have given.

use super::{Form, Given, Kind, Operator, Takes, Wide};

pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "window",
        doc: "`T` → `T`: the records of the batches in the window",
        keyed: false,
        arguments: &[Takes::Length, Takes::Slide],
        forms: &[Form {
            applies: |given| given.len() == 1,
            arguments: &[Takes::Length, Takes::Slide],
            runtime: "window_by_parent",
        }],
        kind: Kind::Transform(Some("block_tag")),
    },
    Operator {
        name: "count_by_window",
        doc: "`T` → `u64`: the number of records in the window",
        keyed: false,
        arguments: &[Takes::Length, Takes::Slide],
        forms: &[],
        kind: Kind::Wide(Wide { by_reference: true, ..Wide::ONE }),
    },
    Operator {
        name: "count_by_value_and_window",
        doc: "`T` → `(T, u64)`: every distinct record of the window with its number",
        keyed: false,
        arguments: &[Takes::Length, Takes::Slide, Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide { keeps: Some("pair_tag"), ..Wide::ONE }),
    },
    Operator {
        name: "reduce_by_window",
        doc: "`T` → `T`: all records of the window combined, with an inverse function if one follows the first",
        keyed: false,
        arguments: &[Takes::Function(2), Takes::Length, Takes::Slide],
        forms: &[Form {
            applies: has_inverse,
            arguments: &[Takes::Function(2), Takes::Function(2), Takes::Length, Takes::Slide],
            runtime: "ReduceByWindowInverse",
        }],
        kind: Kind::Wide(Wide { keeps: Some("value_tag"), ..Wide::SAME }),
    },
    Operator {
        name: "reduce_by_key_and_window",
        doc: "`(K, V)` → `(K, V)`: all values of a key in the window combined, with an inverse function if one follows \
              the first",
        keyed: true,
        arguments: &[Takes::Function(2), Takes::Length, Takes::Slide, Takes::Partitions],
        forms: &[Form {
            applies: has_inverse,
            arguments: &[
                Takes::Function(2),
                Takes::Function(2),
                Takes::Length,
                Takes::Slide,
                Takes::Partitions,
                Takes::Filter,
            ],
            runtime: "ReduceByKeyAndWindowInverse",
        }],
        kind: Kind::Wide(Wide { keeps: Some("pair_tag"), ..Wide::SAME }),
    },
    Operator {
        name: "group_by_key_and_window",
        doc: "`(K, V)` → `(K, Vec<V>)`: all values of a key in the window",
        keyed: true,
        arguments: &[Takes::Length, Takes::Slide, Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide { keeps: Some("pair_tag"), ..Wide::ONE }),
    },
];

/// Whether a second function follows the first, where the length of the window would stand otherwise.
fn has_inverse(given: &[Given<'_>]) -> bool {
    given.get(1).is_some_and(|second| second.is_function)
}
