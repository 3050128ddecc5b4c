//! One case of the tables: its inputs, and what is expected of its outputs.

use serde_json::Value as Json;

use super::pipeline::{self, Pipeline};
use super::slices;
use super::value::Value;

/// The batch interval of the tables.
pub(crate) const BATCH_MS: u64 = 1000;

/// What a run of a case gave.
#[derive(Default)]
pub(crate) struct Outcome {
    /// The number of each batch that has a data set, and its records, partition by partition.
    pub(crate) outputs: Vec<(usize, Vec<Vec<Value>>)>,
    /// The same of the snapshots of a `mapWithState`.
    pub(crate) snapshots: Option<Vec<(usize, Vec<Vec<Value>>)>>,
    /// Whether a timeout fires in the batch in which it falls due, and not only in every tenth as in Spark.
    pub(crate) fires_when_due: bool,
    /// The batch that failed, and why.
    pub(crate) error: Option<(usize, String)>,
}

/// A case, read.
pub(crate) struct Case<'j> {
    pub(crate) json: &'j Json,
    pub(crate) pipeline: Pipeline,
    pub(crate) input: Vec<Vec<Value>>,
    pub(crate) input2: Option<Vec<Vec<Value>>>,
    /// The first batch for which a source has no data set, if that is an error.
    pub(crate) missing: Option<usize>,
    pub(crate) initial_state: Vec<(Value, Value)>,
    pub(crate) partitions: usize,
}

/// The number of the first batch that is null in an input: the source then yields no data set at all.
pub(crate) fn null_batch(json: &Json) -> Option<usize> {
    let inputs = ["input", "input2"].iter().filter_map(|field| json.get(field).and_then(Json::as_array));
    inputs.filter_map(|batches| batches.iter().position(Json::is_null)).map(|at| at + 1).min()
}

impl<'j> Case<'j> {
    /// Reads a case. An unknown operator or function is an error.
    pub(crate) fn read(json: &'j Json) -> Result<Self, String> {
        let pipeline = pipeline::parse(json.get("pipeline").ok_or("no pipeline")?)?;
        let given = json.get("input").and_then(Json::as_array).ok_or("no input")?.len();
        let batches = json.get("num_batches").and_then(Json::as_u64).map_or(given, |batches| batches as usize);
        let initial = json.get("initial_state").map_or_else(Vec::new, |json| Value::from(json).items());
        let partitions = json.pointer("/params/num_partitions").and_then(Json::as_u64).unwrap_or(2);
        Ok(Self {
            json,
            pipeline,
            input: input(&json["input"], batches),
            input2: json.get("input2").map(|json| input(json, batches)),
            missing: null_batch(json).filter(|_| json.get("expected_error").is_some()),
            initial_state: initial.into_iter().map(Value::split).collect(),
            partitions: partitions as usize,
        })
    }

    /// What disagrees with the table, if anything; `raw` runs the pipeline without its last step.
    pub(crate) fn check(&self, outcome: &Outcome, raw: impl FnOnce() -> Outcome) -> Result<(), String> {
        self.check_error(outcome)?;
        if self.json.get("queries").is_some() {
            return slices::check_model(self.json, &outcome.outputs);
        }
        if self.json.get("expected_properties").is_some() {
            self.check_properties(outcome)?;
        } else {
            compare("output", &records(&outcome.outputs), &self.json["expected"], &self.compare())?;
        }
        if let Some(expected) = self.json.get("expected_state") {
            compare("state", &records(self.snapshots(outcome)?), expected, "unordered")?;
        }
        if let Some(expected) = self.json.get("expected_raw") {
            compare("raw output", &records(&raw().outputs), expected, "unordered")?;
        }
        self.check_places(outcome)
    }

    fn compare(&self) -> String {
        self.json.get("compare").and_then(Json::as_str).unwrap_or("unordered").to_owned()
    }

    fn snapshots<'o>(&self, outcome: &'o Outcome) -> Result<&'o [(usize, Vec<Vec<Value>>)], String> {
        outcome.snapshots.as_deref().ok_or_else(|| "there are no snapshots of the state".to_owned())
    }

    fn check_error(&self, outcome: &Outcome) -> Result<(), String> {
        let expected = self.json.pointer("/expected_error/at_batch").and_then(Json::as_u64).map(|batch| batch as usize);
        match (&outcome.error, expected) {
            (None, None) => Ok(()),
            (Some((at, _)), Some(expected)) if *at == expected => Ok(()),
            (Some((at, error)), _) => Err(format!("batch {at} failed: {error}; an error is expected at {expected:?}")),
            (None, Some(expected)) => Err(format!("no error, but one is expected at batch {expected}")),
        }
    }

    /// Number of partitions and batches with an output.
    fn check_places(&self, outcome: &Outcome) -> Result<(), String> {
        if let Some(expected) = self.json.get("expected_num_partitions").and_then(Json::as_u64) {
            let counts: Vec<usize> = outcome.outputs.iter().map(|(_, batch)| batch.len()).collect();
            if counts.iter().any(|count| *count as u64 != expected) {
                return Err(format!("{counts:?} partitions, expected {expected}"));
            }
        }
        let at = Value::list(outcome.outputs.iter().map(|(batch, _)| Value::Int(*batch as i64)));
        match self.json.get("output_at_batches") {
            Some(expected) if Value::from(expected) != at => {
                Err(format!("outputs at batches {at:?}, expected {expected}"))
            }
            _ => Ok(()),
        }
    }

    /// A table that only says what must be among the results, and an exact one derived from it.
    fn check_properties(&self, outcome: &Outcome) -> Result<(), String> {
        let expected = &self.json["expected_properties"];
        let (mapped, states) = (records(&outcome.outputs), records(self.snapshots(outcome)?));
        let mut all: Vec<Value> = mapped.concat();
        all.sort();
        if Value::List(all.clone()) != Value::from(&expected["all_mapped_sorted"]) {
            return Err(format!("mapped {all:?}"));
        }
        let matches =
            |state: &Vec<Value>, field: &str| same(state, &Value::from(&expected[field]).items(), "unordered");
        if !states.iter().any(|state| matches(state, "some_snapshot_equals")) {
            return Err("no snapshot has the state that some must have".to_owned());
        }
        if !states.last().is_some_and(|state| matches(state, "last_snapshot_equals")) {
            return Err(format!("the last state is {:?}", states.last()));
        }
        // The exact table says in which batch Spark's timeouts fire; the properties hold for both.
        if let Some(exact) = self.json.get("derived_exact").filter(|_| !outcome.fires_when_due) {
            compare("mapped", &mapped, &exact["mapped"], "unordered")?;
            compare("state", &states, &exact["state"], "unordered")?;
        }
        Ok(())
    }
}

/// The batches of an input; those that are null, and those after the last one that is given, are empty.
fn input(json: &Json, batches: usize) -> Vec<Vec<Value>> {
    let batch = |batch: Value| if batch == Value::Null { Vec::new() } else { batch.items() };
    let mut input: Vec<Vec<Value>> = Value::from(json).items().into_iter().map(batch).collect();
    input.resize(batches, Vec::new());
    input
}

fn records(outputs: &[(usize, Vec<Vec<Value>>)]) -> Vec<Vec<Value>> {
    outputs.iter().map(|(_, batch)| batch.concat()).collect()
}

fn compare(what: &str, got: &[Vec<Value>], expected: &Json, compare: &str) -> Result<(), String> {
    let expected: Vec<Vec<Value>> = Value::from(expected).items().into_iter().map(Value::items).collect();
    if got.len() != expected.len() {
        return Err(format!("{} times {what}, expected {}", got.len(), expected.len()));
    }
    match got.iter().zip(&expected).position(|(got, expected)| !same(got, expected, compare)) {
        None => Ok(()),
        Some(at) => Err(format!("{what} {} is {:?}, expected {:?}", at + 1, got[at], expected[at])),
    }
}

pub(super) fn same(got: &[Value], expected: &[Value], compare: &str) -> bool {
    match compare {
        "ordered" => got == expected,
        "unordered" => {
            let (mut got, mut expected) = (got.to_vec(), expected.to_vec());
            got.sort();
            expected.sort();
            got == expected
        }
        other => panic!("unknown comparison `{other}`"),
    }
}
