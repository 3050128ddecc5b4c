//! Operators on whole batches: methods of the stream's handle.

use super::{Kind, Operator, Takes};

pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "transform",
        doc: "`T` → `U`: the function's result for every batch as a whole",
        keyed: false,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Transform(None),
    },
    Operator {
        name: "transform_with",
        doc: "`T`, `U` → `V`: the function's result for the batches of both streams",
        keyed: false,
        arguments: &[Takes::Stream, Takes::Function(2)],
        forms: &[],
        kind: Kind::Transform(None),
    },
];
