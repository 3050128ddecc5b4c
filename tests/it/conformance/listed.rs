//! What does not run as it stands in the tables, and why: the only place that lets a case pass by.

use serde_json::Value as Json;

use super::case::null_batch;

/// Kinds of extra cases that the library cannot run.
pub(super) const KINDS: &[(&str, &str)] =
    &[("kafka_limit", "there is no Kafka input yet, whose partitions these limits are for")];

/// Why some rows of an extra case, which runs otherwise, are answered in another way, if some are.
pub(super) fn partly(json: &Json) -> Option<&'static str> {
    let has_default =
        || json["rows"].as_array().is_some_and(|rows| rows.iter().any(|row| row["explicit_ms"].is_null()));
    match json["kind"].as_str()? {
        "checkpoint_duration" if has_default() => Some(
            "intervals that are given agree; without one all states of a program are written every ten seconds, and not \
             each every ten batches",
        ),
        "timer" if json["stop"]["interrupt"] == Json::Bool(false) => Some(
            "the ticks agree; a stop that waits makes a batch of what came in and none that would be empty, so the two ticks \
             after it are missing",
        ),
        _ => None,
    }
}

/// Why a case has no meaning here, if it has none.
pub(super) fn without_meaning(json: &Json) -> Option<&'static str> {
    let op = |step: &Json| step["op"].as_str().map(str::to_owned);
    let last = json["pipeline"].as_array().and_then(|steps| steps.last()).and_then(op);
    let is_tolerated = json.get("expected_error").is_some() || last.as_deref() == Some("updateStateByKey");
    (null_batch(json).is_some() && !is_tolerated)
        .then_some("its source yields no data set for a batch, so there is no output; every batch has one here")
}

/// The reason that a list gives for a name.
pub(super) fn reason(list: &[(&'static str, &'static str)], name: &str) -> Option<&'static str> {
    list.iter().find(|(listed, _)| *listed == name).map(|(_, reason)| *reason)
}
