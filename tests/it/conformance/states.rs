//! The tables of `mapWithState`'s parts: the handle of a state, one update of one key, chains of updates.
//!
//! An update has no interface of its own, so it is a program of one batch whose states begin at the time that the table says.
//! The time at which a state was touched decides only when it times out: where a table has a timeout, the batch in which that
//! happens tells the time, and where it has none the time has no effect.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::{Value as Json, json};
use streamflow::prelude::*;
use streamflow::testing::{self, Driver, StateChange};
use streamflow::{BatchTime, ManualClock};

use super::value::Value;

/// The handle, step by step.
pub(super) fn object(json: &Json) -> Result<(), String> {
    let mut state = testing::state(None);
    for step in json["steps"].as_array().ok_or("no steps")? {
        let argument = || step["arg"].as_i64().ok_or_else(|| format!("no number `arg` in {step}"));
        match step["do"].as_str().unwrap_or_default() {
            "new" | "wrap_none" => state = testing::state(None),
            "wrap" => state = testing::state(Some(argument()?)),
            "wrap_timing_out" => state = testing::state_timing_out(argument()?),
            "update" => state.update(argument()?),
            "remove" => state.remove(),
            unknown => return Err(format!("unknown step `{unknown}`")),
        }
        let change = testing::state_change(&state);
        let got = json!({
            "exists": state.exists(),
            "value": state.get(),
            "updated": change == StateChange::Updated,
            "removed": change == StateChange::Removed,
            "timing_out": state.is_timing_out(),
        });
        if let Some((field, _)) = got.as_object().into_iter().flatten().find(|(field, got)| step[*field] != **got) {
            return Err(format!("{step} gives another `{field}`: {got}"));
        }
        let is_over = change == StateChange::Removed || state.is_timing_out();
        let update = catch_unwind(AssertUnwindSafe(|| is_over.then(|| state.update(-1))));
        let remove = catch_unwind(AssertUnwindSafe(|| is_over.then(|| state.remove())));
        if is_over && (update.is_ok() || remove.is_ok()) {
            return Err(format!("after {step} the state can be changed"));
        }
    }
    Ok(())
}

/// What a record asks the mapping function to do.
#[derive(Clone, Copy)]
enum Action {
    Nothing,
    Get,
    Update,
    Remove,
}

impl Action {
    /// Single updates name it, chains number it.
    fn of(json: &Json) -> Result<Self, String> {
        match (json.as_str(), json.as_i64()) {
            (Some("noop"), _) | (_, Some(0)) => Ok(Action::Nothing),
            (Some("get-state"), _) => Ok(Action::Get),
            (Some("update-state"), _) | (_, Some(1)) => Ok(Action::Update),
            (Some("remove-state"), _) | (_, Some(2)) => Ok(Action::Remove),
            _ => Err(format!("unknown action {json}")),
        }
    }
}

/// What the mapping function was called for; each call gives one.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Call {
    ForNothing,
    ToGet(i64),
    ToUpdate,
    ToRemove(Option<i64>),
    TimingOut(i64),
}

fn act(key: &Value, action: Option<Action>, state: &mut State<i64>) -> Called {
    let was = state.get().copied();
    let call = match action {
        None => Call::TimingOut(was.expect("what times out has a state")),
        Some(Action::Nothing) => Call::ForNothing,
        Some(Action::Get) => Call::ToGet(was.unwrap_or(-1)),
        Some(Action::Update) => {
            state.update(was.map_or(0, |was| was + 1));
            Call::ToUpdate
        }
        Some(Action::Remove) => {
            state.remove();
            Call::ToRemove(was)
        }
    };
    (key.clone(), call)
}

type Called = (Value, Call);
type Kept = (Value, i64);

#[stream]
fn with_timeout(
    data: DStream<(Value, Action)>,
    initial: Vec<Kept>,
    idle: Duration,
) -> (DStream<Called>, DStream<Kept>) {
    let calls = data.map_with_state(StateSpec::function(act).initial_state(initial).timeout(idle));
    let states = calls.state_snapshots();
    (calls, states)
}

#[stream]
fn without_timeout(data: DStream<(Value, Action)>, initial: Vec<Kept>) -> (DStream<Called>, DStream<Kept>) {
    let calls = data.map_with_state(StateSpec::function(act).initial_state(initial).unbounded());
    let states = calls.state_snapshots();
    (calls, states)
}

/// States that were touched at the same time, and when the batches after that come.
struct Program {
    initial: Vec<Kept>,
    initial_ms: u64,
    interval_ms: u64,
    idle_ms: Option<u64>,
}

/// The calls and the states of each batch.
type Batches = Vec<(Vec<Called>, Vec<Kept>)>;

impl Program {
    /// The times of a table; the batch of `batch_time_ms` is the first after the initial states.
    fn of(json: &Json, initial: Vec<Kept>) -> Result<Self, String> {
        let initial_ms = json["initial_time_ms"].as_u64().ok_or("no initial time")?;
        let batch_ms = json["batch_time_ms"].as_u64().ok_or("no batch time")?;
        let interval_ms = batch_ms.checked_sub(initial_ms).filter(|interval| *interval > 0).ok_or("no time between")?;
        if !initial_ms.is_multiple_of(interval_ms) {
            return Err(format!("{batch_ms} ms is not the first batch after {initial_ms} ms"));
        }
        // A table says before which time a state must have been touched to time out.
        let idle_ms = match json["timeout_threshold_ms"].as_u64() {
            Some(threshold) => Some(batch_ms.checked_sub(threshold).ok_or("a timeout in the future")?),
            None => None,
        };
        Ok(Self { initial, initial_ms, interval_ms, idle_ms })
    }

    /// Runs batches with this data; the last `more` have none.
    fn run(self, data: Vec<Vec<(Value, Action)>>, more: usize) -> Result<Batches, String> {
        let (interval, count) = (Duration::from_millis(self.interval_ms), data.len() + more);
        let clock = ManualClock::at(BatchTime::from_millis(self.initial_ms));
        let driver = Driver::with_clock(clock, |builder| builder.batch_interval(interval));
        let mut driver = driver.map_err(|error| error.to_string())?;
        let data = driver.input(data);
        let (calls, states) = match self.idle_ms {
            Some(idle) => with_timeout(data, self.initial, Duration::from_millis(idle)),
            None => without_timeout(data, self.initial),
        };
        let (calls, states) = (driver.output(&calls), driver.output(&states));
        driver.run_batches(count).map_err(|error| error.to_string())?;
        Ok(calls.batches().into_iter().zip(states.batches()).collect())
    }
}

fn numbers(json: &Json) -> Result<Vec<i64>, String> {
    let numbers = json.as_array().ok_or_else(|| format!("{json} is not a list"))?;
    numbers.iter().map(|number| number.as_i64().ok_or_else(|| format!("{number} is not a number"))).collect()
}

/// One update of one key.
pub(super) fn record(json: &Json) -> Result<(), String> {
    let key = Value::Text("key".to_owned());
    let keyed = |state| (key.clone(), state);
    let program = Program::of(json, numbers(&json["init_states"])?.into_iter().map(keyed).collect())?;
    let (interval, idle) = (program.interval_ms, program.idle_ms);
    if idle.is_some() && json["scan"] != Json::Bool(true) {
        return Err("a timeout is looked for in every batch".to_owned());
    }
    let data = json["data"].as_array().ok_or("no data")?;
    let actions =
        data.iter().map(|action| Ok((key.clone(), Action::of(action)?))).collect::<Result<Vec<_>, String>>()?;
    let more = idle.map_or(0, |idle| idle.div_ceil(interval) as usize + 2);
    let batches = program.run(vec![actions], more)?;

    let (calls, states) = &batches[0];
    let calls: Vec<Call> = calls.iter().map(|(_, call)| *call).collect();
    let values = |kind: fn(&Call) -> Option<i64>| calls.iter().filter_map(kind).collect::<Vec<i64>>();
    let output = values(|call| if let Call::ToGet(value) = call { Some(*value) } else { None });
    let removed = values(|call| if let Call::ToRemove(value) = call { *value } else { None });
    let timing_out = values(|call| if let Call::TimingOut(value) = call { Some(*value) } else { None });
    let got = json!({ "expected_output": output, "expected_removed": removed, "expected_timing_out": timing_out });
    if let Some((field, got)) = got.as_object().into_iter().flatten().find(|(field, got)| json[*field] != **got) {
        return Err(format!("`{field}` is {got}"));
    }
    if json.get("function_called").is_some_and(|called| *called != Json::Bool(!calls.is_empty())) {
        return Err(format!("calls: {calls:?}"));
    }
    let expected = json["expected_states"].as_array().ok_or("no expected states")?;
    let expected = expected.iter().map(numbers).collect::<Result<Vec<_>, _>>()?;
    let states: Vec<i64> = states.iter().map(|(_, state)| *state).collect();
    if states != expected.iter().map(|state| state[0]).collect::<Vec<_>>() {
        return Err(format!("the state is {states:?}"));
    }
    let Some(idle) = idle else { return Ok(()) };
    let first = json["batch_time_ms"].as_i64().ok_or("no batch time")?;
    for state in expected {
        // It times out in the first batch that is more than `idle` after the time of the state.
        let due = batches.iter().position(|(calls, _)| calls.contains(&(key.clone(), Call::TimingOut(state[0]))));
        let batch = |at: i64| first + at * interval as i64;
        let is_right = due.is_some_and(|at| batch(at as i64) > state[1] + idle as i64)
            && due.is_some_and(|at| batch(at as i64 - 1) <= state[1] + idle as i64);
        if !is_right {
            return Err(format!("{state:?} times out in batch {due:?} after the update"));
        }
    }
    Ok(())
}

/// Updates of updates, several of the same version.
pub(super) fn chain(json: &Json) -> Result<(), String> {
    let initial = json["initial"].as_array().ok_or("no initial states")?;
    let initial = initial.iter().map(|row| Ok((Value::from(&row[0]), number(&row[1])?)));
    let initial = initial.collect::<Result<Vec<_>, String>>()?;
    // The data that leads to each version.
    let mut versions: HashMap<&str, Vec<Vec<(Value, Action)>>> = HashMap::from([("init", Vec::new())]);
    for step in json["steps"].as_array().ok_or("no steps")? {
        let from =
            step["from"].as_str().and_then(|from| versions.get(from)).ok_or_else(|| format!("{step} from where?"))?;
        let data = step["data"].as_array().ok_or("no data")?;
        let data = data.iter().map(|row| Ok((Value::from(&row[0]), Action::of(&row[1])?)));
        let data = data.collect::<Result<Vec<_>, String>>()?;
        let path = [from.as_slice(), std::slice::from_ref(&data)].concat();
        let before = Program::of(json, initial.clone())?.run(from.clone(), 0)?;
        let after = Program::of(json, initial.clone())?.run(path.clone(), 0)?;
        if !before.iter().zip(&after).all(|(before, after)| sorted(&before.1) == sorted(&after.1)) {
            return Err(format!("{step} changes what was before"));
        }
        let (calls, states) = after.last().expect("a batch for the step");
        let expected = step["expected"].as_array().ok_or("no expected states")?;
        let expected = expected.iter().map(|row| Ok((Value::from(&row[0]), number(&row[1])?)));
        if sorted(states) != sorted(&expected.collect::<Result<Vec<_>, String>>()?) {
            return Err(format!("{step} gives {states:?}"));
        }
        let keys = |rows: &mut dyn Iterator<Item = &Value>| {
            let mut keys: Vec<Value> = rows.cloned().collect();
            keys.sort();
            keys
        };
        if keys(&mut calls.iter().map(|(key, _)| key)) != keys(&mut data.iter().map(|(key, _)| key)) {
            return Err(format!("{step} calls {calls:?}"));
        }
        if let Some(to) = step["to"].as_str() {
            versions.insert(to, path);
        }
    }
    Ok(())
}

fn number(json: &Json) -> Result<i64, String> {
    json.as_i64().ok_or_else(|| format!("{json} is not a number"))
}

fn sorted(states: &[Kept]) -> Vec<Kept> {
    let mut states = states.to_vec();
    states.sort();
    states
}
