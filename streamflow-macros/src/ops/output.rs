//! Operators that end a chain: methods of the stream's handle without a result.

use super::{Kind, Operator, Takes};

pub(super) const OPERATORS: &[Operator] = &[
    Operator {
        name: "print",
        doc: "`T` → output: the first records of every batch on the standard output",
        keyed: false,
        arguments: &[Takes::OptionalValue("10")],
        forms: &[],
        kind: Kind::Output,
    },
    Operator {
        name: "save_as_text_files",
        doc: "`T` → output: a directory of text files per batch",
        keyed: false,
        arguments: &[Takes::Value, Takes::OptionalValue("\"\"")],
        forms: &[],
        kind: Kind::Output,
    },
    Operator {
        name: "save_as_object_files",
        doc: "`T` → output: a directory of encoded records per batch",
        keyed: false,
        arguments: &[Takes::Value, Takes::OptionalValue("\"\"")],
        forms: &[],
        kind: Kind::Output,
    },
    Operator {
        name: "foreach_batch",
        doc: "`T` → output: the function is called with every batch",
        keyed: false,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Output,
    },
    Operator {
        name: "foreach_partition",
        doc: "`T` → output: the function is called with every partition",
        keyed: false,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Output,
    },
    Operator {
        name: "foreach",
        doc: "`T` → output: the function is called with every record",
        keyed: false,
        arguments: &[Takes::Function(1)],
        forms: &[],
        kind: Kind::Output,
    },
    Operator {
        name: "to",
        doc: "`T` → output: every batch goes to a sink",
        keyed: false,
        arguments: &[Takes::Value],
        forms: &[],
        kind: Kind::Output,
    },
];
