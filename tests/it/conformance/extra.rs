//! The extra cases: tables for parts of the engine that are not operators, each of a kind of its own.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value as Json;
use streamflow::source::Queue;
use streamflow::testing::{Driver, SimulatedFs};
use streamflow::{BatchTime, Clock, ManualClock};

use super::value::Value;
use super::{clocks, rates, states};

/// Runs an extra case; nothing if there is no way to run its kind.
pub(super) fn run(json: &Json) -> Option<Result<(), String>> {
    match json["kind"].as_str()? {
        "time_arith" => Some(time_arith(json)),
        "pid" => Some(rates::pid(json)),
        "rate_limiter" => Some(rates::limiter(json)),
        "queue_stream" => Some(queue_stream(json)),
        "state_object" => Some(states::object(json)),
        "state_record" => Some(states::record(json)),
        "state_chain" => Some(states::chain(json)),
        "timer" => Some(clocks::timer(json)),
        "checkpoint_duration" => Some(clocks::checkpoint_duration(json)),
        "values_with_random_restarts" => json.get("num_batches").map(random_restarts),
        _ => None,
    }
}

/// Arithmetic of times and durations, in milliseconds.
fn time_arith(json: &Json) -> Result<(), String> {
    let rows = json["rows"].as_array().ok_or("no rows")?;
    let ranges = json["ranges"].as_array().ok_or("no ranges")?;
    rows.iter().try_for_each(time_row)?;
    ranges.iter().try_for_each(time_range)
}

pub(super) fn millis(json: &Json) -> Result<u64, String> {
    json.as_u64().ok_or_else(|| format!("{json} is not a number of milliseconds"))
}

fn time_row(row: &Json) -> Result<(), String> {
    let (left, right) = (millis(&row[1])?, millis(&row[2])?);
    let (time, step) = (BatchTime::from_millis(left), Duration::from_millis(right));
    let as_number = |time: BatchTime| Json::from(time.as_millis());
    let got = match row[0].as_str().unwrap_or_default() {
        "floor" => as_number(time.floor(step)),
        "is_multiple_of" => Json::from(time.is_multiple_of(step)),
        "plus" => as_number(time + step),
        "minus" => as_number(time - step),
        "min" => as_number(time.min(BatchTime::from_millis(right))),
        "max" => as_number(time.max(BatchTime::from_millis(right))),
        "times" => Json::from((Duration::from_millis(left) * right as u32).as_millis() as u64),
        "div" => Json::from(Duration::from_millis(left).div_duration_f64(step)),
        unknown => return Err(format!("unknown operation `{unknown}`")),
    };
    if got == row[3] { Ok(()) } else { Err(format!("{row} gives {got}")) }
}

fn time_range(row: &Json) -> Result<(), String> {
    let at = |index: usize| millis(&row[index]).map(BatchTime::from_millis);
    let (from, end, step) = (at(1)?, at(2)?, Duration::from_millis(millis(&row[3])?));
    let got: Vec<u64> = match row[0].as_str().unwrap_or_default() {
        "until" => from.until(end, step).map(BatchTime::as_millis).collect(),
        "to" => from.to(end, step).map(BatchTime::as_millis).collect(),
        unknown => return Err(format!("unknown range `{unknown}`")),
    };
    if Json::from(got.clone()) == row[4] { Ok(()) } else { Err(format!("{row} gives {got:?}")) }
}

/// A queue of data sets: one of them in each batch, or all that wait.
fn queue_stream(json: &Json) -> Result<(), String> {
    let mut driver = Driver::new().map_err(|error| error.to_string())?;
    let (queue, one_at_a_time) = (Queue::new(), json["one_at_a_time"].as_bool().ok_or("no `one_at_a_time`")?);
    let stream = driver.context().queue_stream(queue.clone(), one_at_a_time).map_err(|error| error.to_string())?;
    let output = driver.output(&stream);
    for sets in json["enqueue_before_batch"].as_array().ok_or("nothing to enqueue")? {
        Value::from(sets).items().into_iter().for_each(|set| queue.push(set.items()));
        driver.run_batches(1).map_err(|error| error.to_string())?;
    }
    let got = Value::list(output.batches().into_iter().filter(|batch| !batch.is_empty()).map(Value::List));
    let expected = Value::from(&json["expected_non_empty"]);
    if got == expected { Ok(()) } else { Err(format!("{got:?}, expected {expected:?}")) }
}

/// A program that loses its machine again and again: of the numbers from one on, a batch for each, all come out.
fn random_restarts(batches: &Json) -> Result<(), String> {
    let batches = millis(batches)? as usize;
    let (mut files, clock) = (SimulatedFs::new(11), ManualClock::new());
    let mut random = fastrand::Rng::with_seed(11);
    let mut seen = BTreeSet::new();
    while (clock.now().as_millis() as usize) < batches * 1_000 {
        let driver =
            Driver::with_clock(clock.clone(), |builder| builder.simulated_files(&files).checkpoint("checkpoint"));
        let mut driver = driver.map_err(|error| error.to_string())?;
        let output = driver.output(&driver.input((1..=batches).map(|number| vec![number]).collect()));
        for _ in 0..random.usize(1..6) {
            driver.run_batches(1).map_err(|error| error.to_string())?;
        }
        let crashed = files.recover();
        drop(driver);
        seen.extend(output.batches().concat());
        files = crashed;
        clock.advance(Duration::from_secs(random.u64(0..4)));
    }
    if seen == (1..=batches).collect() { Ok(()) } else { Err(format!("of {batches} batches came {seen:?}")) }
}
