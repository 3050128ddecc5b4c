//! The tables about what is due when: batches, and checkpoints.

use std::time::Duration;

use serde_json::Value as Json;
use streamflow::testing::{Driver, SimulatedFs};
use streamflow::{BatchTime, ManualClock};

use super::extra::millis;
use super::value::Value;
use super::{functions, topologies};

/// A recurring timer, which here is a context with its batches: the batch of a tick is named by the end of its interval, so
/// a timer that fires from `start` on is a context that starts at `start`, with every time one period later.
pub(super) fn timer(json: &Json) -> Result<(), String> {
    let (period, start) = (millis(&json["period_ms"])?, millis(&json["start_at_ms"])?);
    if !start.is_multiple_of(period) {
        return Err(format!("a timer of {period} ms does not start at {start} ms"));
    }
    let clock = ManualClock::at(BatchTime::from_millis(start));
    let interval = Duration::from_millis(period);
    let driver = Driver::with_clock(clock.clone(), |builder| builder.batch_interval(interval));
    let mut driver = driver.map_err(|error| error.to_string())?;
    let ticks = driver.output(&driver.input(Vec::<Vec<()>>::new()));
    driver.context().start().map_err(|error| error.to_string())?;
    let fired = || Json::from(ticks.times().iter().map(|time| time.as_millis() - period).collect::<Vec<_>>());
    let mut due = 0;
    for step in json["steps"].as_array().ok_or("no steps")? {
        let until = millis(&step["advance_to_ms"])? + period;
        let batches = until.saturating_sub(start) / period;
        driver.run_batches((batches - due) as usize).map_err(|error| error.to_string())?;
        clock.set(BatchTime::from_millis(until));
        due = batches;
        if fired() != step["fired"] {
            return Err(format!("{step}: fired {}", fired()));
        }
    }
    let Some(stop) = json.get("stop") else { return Ok(()) };
    let before = fired();
    let interrupts = stop["interrupt"] == Json::Bool(true);
    let stopped = if interrupts { driver.context().stop() } else { driver.context().stop_gracefully() };
    stopped.map_err(|error| error.to_string())?;
    clock.advance(10 * interval);
    if fired() != before {
        return Err(format!("after the stop: {}", fired()));
    }
    let last = before.as_array().and_then(|all| all.last());
    // A batch that would be empty is not made for the sake of a graceful stop: the ticks of a stop that waits are not there.
    let agrees = match stop["fired"].as_array() {
        Some(expected) if !interrupts => before.as_array().is_some_and(|before| expected.starts_with(before)),
        _ => last == stop.get("returns"),
    };
    if agrees { Ok(()) } else { Err(format!("{stop} after {before}")) }
}

/// How often a program with state is checkpointed.
pub(super) fn checkpoint_duration(json: &Json) -> Result<(), String> {
    for row in json["rows"].as_array().ok_or("no rows")? {
        let (batch, explicit) = (millis(&row["batch_ms"])?, row["explicit_ms"].as_u64());
        let expected = match explicit {
            Some(_) => millis(&row["expected_ms"])?,
            None => 10_000_u64.next_multiple_of(batch),
        };
        let got = first_checkpoint(batch, explicit, expected)?;
        if got != Some(expected) {
            return Err(format!("{row}: the first checkpoint is after {got:?} ms"));
        }
    }
    Ok(())
}

/// When the first checkpoint is written, if one is until `limit` milliseconds after the start.
fn first_checkpoint(batch: u64, interval: Option<u64>, limit: u64) -> Result<Option<u64>, String> {
    let files = SimulatedFs::new(0);
    let driver = Driver::with(|builder| {
        let builder = builder.batch_interval(Duration::from_millis(batch)).simulated_files(&files).checkpoint("dir");
        match interval {
            Some(interval) => builder.checkpoint_interval(Duration::from_millis(interval)),
            None => builder,
        }
    });
    let mut driver = driver.map_err(|error| error.to_string())?;
    let sum = functions::update("running_sum").ok_or("no function for the state")?;
    let pairs = driver.input(vec![vec![Value::pair((Value::Int(1), Value::Int(1)))]]);
    driver.output(&topologies::update_state_by_key(pairs, sum, Vec::new()));
    for number in 1..=limit / batch {
        driver.run_batches(1).map_err(|error| error.to_string())?;
        if files.files("dir/state").iter().any(|name| name.starts_with("manifest")) {
            return Ok(Some(number * batch));
        }
    }
    Ok(None)
}
