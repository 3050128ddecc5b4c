//! Wide operators of one input: the records of a batch meet by key, or all of them.
//!
//! They have no emitter: the stage before one pushes into its sink, and the runtime does the rest.

use super::{Kind, Operator, Takes, Wide};

pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "count",
        doc: "`T` → `u64`: one record per batch, also for an empty one",
        keyed: false,
        arguments: &[],
        forms: &[],
        kind: Kind::Wide(Wide { by_reference: true, ..Wide::ONE }),
    },
    Operator {
        name: "count_by_value",
        doc: "`T` → `(T, u64)`: every distinct record with its number",
        keyed: false,
        arguments: &[Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide::ONE),
    },
    Operator {
        name: "reduce",
        doc: "`T` → `T`: all records of the batch combined",
        keyed: false,
        arguments: &[Takes::Function(2)],
        forms: &[],
        kind: Kind::Wide(Wide::SAME),
    },
    Operator {
        name: "reduce_by_key",
        doc: "`(K, V)` → `(K, V)`: all values of a key combined",
        keyed: true,
        arguments: &[Takes::Function(2), Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide::SAME),
    },
    Operator {
        name: "combine_by_key",
        doc: "`(K, V)` → `(K, C)`: all values of a key in a combiner of another type",
        keyed: true,
        arguments: &[Takes::Function(1), Takes::Function(2), Takes::Function(2), Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide::ONE),
    },
    Operator {
        name: "aggregate_by_key",
        doc: "`(K, V)` → `(K, U)`: all values of a key, starting at a value of another type",
        keyed: true,
        arguments: &[Takes::Value, Takes::Function(2), Takes::Function(2), Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide::ONE),
    },
    Operator {
        name: "fold_by_key",
        doc: "`(K, V)` → `(K, V)`: all values of a key, starting at a neutral value",
        keyed: true,
        arguments: &[Takes::Value, Takes::Function(2), Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide::SAME),
    },
    Operator {
        name: "group_by_key",
        doc: "`(K, V)` → `(K, Vec<V>)`: all values of a key",
        keyed: true,
        arguments: &[Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide::ONE),
    },
    Operator {
        name: "distinct",
        doc: "`T` → `T`: every record once per batch",
        keyed: false,
        arguments: &[Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide::SAME),
    },
    Operator {
        name: "repartition",
        doc: "`T` → `T`: the same records in another number of partitions",
        keyed: false,
        arguments: &[Takes::Value],
        forms: &[],
        kind: Kind::Wide(Wide::SAME),
    },
    Operator {
        name: "partition_by",
        doc: "`(K, V)` → `(K, V)`: the same records, those of a key in one partition",
        keyed: true,
        arguments: &[Takes::Partitions],
        forms: &[],
        kind: Kind::Wide(Wide::SAME),
    },
    Operator {
        name: "top_by",
        doc: "`T` → `T`: the records with the greatest keys, in descending order",
        keyed: false,
        arguments: &[Takes::Value, Takes::Function(1)],
        forms: &[],
        kind: Kind::Wide(Wide::SAME),
    },
];
