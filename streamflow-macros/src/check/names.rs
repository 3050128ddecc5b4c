//! Operators that do not exist.

use syn::Ident;

use crate::diagnostics::Mistake;
use crate::ops;

/// Methods that values have and streams have not, with the reason and what to type instead.
const VALUE_METHODS: &[(&[&str], &str, &str)] = &[
    (&["clone", "cloned", "copied", "to_owned"], "a stream may be used any number of times as it is", "leave it out"),
    (
        &["len", "is_empty", "size", "num_elements"],
        "a stream has no end, so only its batches have a length",
        "write `.count()` for the number of records of every batch",
    ),
    (
        &["iter", "iter_mut", "into_iter", "par_iter", "next", "by_ref"],
        "a stream is declared here and runs later, so there is nothing to iterate over yet",
        "use an operator such as `.map(..)`, or `.foreach(..)` as an output",
    ),
    (
        &["collect", "to_vec", "take", "first", "last", "nth"],
        "a stream has no end, so its records cannot be gathered",
        "write `.glom()` for the records of a partition, or `.foreach_batch(..)` for those of a batch",
    ),
    (
        &["fold", "sum", "product", "max", "min", "max_by", "min_by", "max_by_key", "min_by_key", "aggregate"],
        "records are combined in parallel, batch by batch",
        "write `.reduce(|a, b| ..)`, or `.reduce_by_key(|a, b| ..)` for every key",
    ),
    (
        &["any", "all", "find", "position", "contains"],
        "a stream has no end, so no answer would ever be final",
        "write `.filter(..)` and `.count()`",
    ),
    (
        &["unwrap", "expect", "ok", "is_some", "is_ok", "as_ref", "as_mut", "borrow", "into", "to_string"],
        "a stream is a part of the topology, not a value",
        "apply it to the records, for instance `.map(|x| ..)`",
    ),
    (
        &["cache", "persist", "unpersist"],
        "a stream that is used more than once is computed once, and its batches are in memory already",
        "leave it out",
    ),
    (
        &["checkpoint"],
        "all windows and states of a program are in its checkpoint",
        "leave it out, and write `.checkpoint(directory)` on the builder of the context",
    ),
];

/// Methods that a stream has outside of stream functions only, with the reason and what to type instead.
const OUTSIDE: &[(&str, &str, &str)] = &[
    (
        "remember",
        "what is remembered is handed to the program that holds the context",
        "return the stream, and write `let recent = it.remember(duration);` where the function is called",
    ),
    (
        "slice",
        "a topology is only declared here; its batches can be asked for while it runs",
        "return the stream; where the function is called, `it.remember(duration)` gives a handle with `slice(from, to)`",
    ),
];

/// The message for a method that is no operator.
pub(crate) fn unknown(name: &Ident) -> Mistake {
    let text = name.to_string();
    if let Some((_, reason, help)) = VALUE_METHODS.iter().find(|(names, _, _)| names.contains(&text.as_str())) {
        return Mistake::at(name.span(), format!("a stream has no method `{text}`")).reason(reason).help(help);
    }
    if let Some((_, reason, help)) = OUTSIDE.iter().find(|(name, _, _)| *name == text) {
        return Mistake::at(name.span(), format!("`{text}` is no operator")).reason(reason).help(help);
    }
    let mistake = Mistake::at(name.span(), format!("unknown operator `{text}`"));
    match ops::suggest(&text) {
        Some((operator, true)) => {
            mistake.reason("operators are Spark's, in snake case").help(format!("write `{operator}`"))
        }
        Some((operator, false)) => mistake.help(format!("did you mean `{operator}`?")),
        None => mistake
            .reason("only operators can follow a stream; whatever acts on one record stands in a closure")
            .help(format!("write for instance `.map(|x| x.{text}(..))`")),
    }
}
