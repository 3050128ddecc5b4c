//! What does not run, and why: the only place that lets a case pass by.

use serde_json::Value as Json;

use super::case::has_null_batch;

/// Operators that the library does not have yet, by their names in pipelines.
pub(super) const OPERATORS: &[(&str, &str)] = &[("slice", "the library has no `slice` yet")];

/// Kinds of extra cases that the library cannot run yet.
pub(super) const KINDS: &[(&str, &str)] = &[
    ("state_object", PARTS_OF_STATE),
    ("state_record", PARTS_OF_STATE),
    ("state_chain", PARTS_OF_STATE),
    ("checkpoint_duration", "a checkpoint is of the whole program: one every ten seconds, and not every ten batches"),
    ("rate_limiter", "the limiter is internal; its rows are a unit test in `source/rate.rs`"),
    ("kafka_limit", "arrives with the Kafka input"),
    (
        "timer",
        "the generator asks its clock and has no timer of its own; `context` tests what a graceful stop still runs",
    ),
];

const PARTS_OF_STATE: &str = "one partition's update is internal; `mapWithState/*` and the laws run it as a whole";

/// Why a case has no meaning here, if it has none.
pub(super) fn without_meaning(json: &Json) -> Option<&'static str> {
    has_null_batch(json)
        .then_some("its source yields no data set for a batch; a source here yields one, maybe empty, or fails")
}

/// The reason that a list gives for a name.
pub(super) fn reason(list: &[(&'static str, &'static str)], name: &str) -> Option<&'static str> {
    list.iter().find(|(listed, _)| *listed == name).map(|(_, reason)| *reason)
}
