//! Slices of a stream, while it runs and before it is started.

use std::time::Duration;

use serde_json::Value as Json;
use streamflow::testing::Driver;
use streamflow::{Batch, BatchTime};

use super::case::{BATCH_MS, Case, same};
use super::extra::millis;
use super::library::Chain;
use super::pipeline::Step;
use super::value::Value;

/// Whether a case asks for slices, which is no transformation of the stream.
pub(super) fn is_asked(case: &Case<'_>) -> bool {
    matches!(case.pipeline.last(), Some(Step::Slice))
}

/// Asks a stream for the slices of a case, before the start if an error is expected.
pub(super) fn run(case: &Case<'_>) -> Result<(), String> {
    let mut driver = Driver::with(|builder| builder.parallelism(case.partitions)).map_err(|error| error.to_string())?;
    let input = driver.input(case.input.clone());
    let stream = Chain { ctx: driver.context(), first: &input, second: None, initial: &case.initial_state }
        .of(&case.pipeline[..case.pipeline.len() - 1]);
    let recent = stream.remember(Duration::from_secs(3_600));
    let slice = |from: u64, to: u64| {
        let batches = recent.slice(BatchTime::from_millis(from), BatchTime::from_millis(to));
        batches.map(|batches| batches.into_iter().flat_map(Batch::collect).collect::<Vec<Value>>())
    };
    if let Some(expected) = case.json.get("expected_error") {
        let meaning = expected["meaning"].as_str().ok_or("the error has no meaning")?;
        let message =
            meaning.strip_prefix("message contains: ").ok_or("the meaning does not say what is in the message")?;
        return match slice(0, 1_000) {
            Err(error) if error.to_string().contains(message) => Ok(()),
            other => Err(format!("slice before the start gives {other:?}")),
        };
    }
    driver.run_batches(case.input.len()).map_err(|error| error.to_string())?;
    check(case.json, |from, to| slice(from, to).map_err(|error| error.to_string()))
}

/// The slices of what the model gave: the records of all batches in a range of times, both ends included.
pub(super) fn check_model(json: &Json, outputs: &[(usize, Vec<Vec<Value>>)]) -> Result<(), String> {
    check(json, |from, to| {
        let range = (from / BATCH_MS) as usize..=(to / BATCH_MS) as usize;
        let inside = outputs.iter().filter(|(batch, _)| range.contains(batch));
        Ok(inside.flat_map(|(_, batch)| batch.concat()).collect())
    })
}

fn check(json: &Json, slice: impl Fn(u64, u64) -> Result<Vec<Value>, String>) -> Result<(), String> {
    for query in json["queries"].as_array().ok_or("`queries` is a list")? {
        let got = slice(millis(&query["from_ms"])?, millis(&query["to_ms"])?)?;
        if !same(&got, &Value::from(&query["expected"]).items(), "unordered") {
            return Err(format!("slice {query} gives {got:?}"));
        }
    }
    Ok(())
}
