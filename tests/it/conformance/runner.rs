//! Reads the tables, runs them, and sums up.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::{Value as Json, json};

use super::case::{Case, Outcome};
use super::{extra, library, listed, oracle, slices};

/// What became of a case.
#[derive(Debug, PartialEq)]
enum Verdict {
    Agrees,
    Listed(&'static str),
    Failed(String),
}

/// Who computes.
#[derive(Clone, Copy)]
enum Mode {
    Library,
    Model,
}

#[test]
fn the_library_gives_what_the_tables_say() {
    report(Mode::Library);
}

#[test]
fn the_model_gives_what_the_tables_say() {
    report(Mode::Model);
}

/// Runs all cases and prints a line for each that did not simply agree.
fn report(mode: Mode) {
    let (mut agree, mut listed, mut failed) = (0, 0, 0);
    let mut lines = String::new();
    for (id, verdict) in all_cases().iter().map(|(list, json)| (id(json), verdict(list, json, mode))) {
        match verdict {
            Verdict::Agrees => agree += 1,
            Verdict::Listed(reason) => {
                listed += 1;
                writeln!(lines, "  listed  {id}: {reason}").unwrap();
            }
            Verdict::Failed(why) => {
                failed += 1;
                writeln!(lines, "  FAILED  {id}: {why}").unwrap();
            }
        }
    }
    println!("conformance: {agree} agree, {listed} listed, {failed} failed\n{lines}");
    assert!(agree > 0, "no case ran");
    assert_eq!(failed, 0, "cases failed\n{lines}");
}

fn folder() -> PathBuf {
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance");
    std::env::var_os("STREAMFLOW_CONFORMANCE").map_or(shipped, PathBuf::from)
}

/// All cases of all files, each with the name of its list.
fn all_cases() -> Vec<(&'static str, Json)> {
    let folder = folder();
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("the folder is readable").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    assert!(!files.is_empty(), "no tables in {}", folder.display());
    files.iter().flat_map(|file| cases_of(file)).collect()
}

fn cases_of(file: &Path) -> Vec<(&'static str, Json)> {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut json: Json = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    ["cases", "extra_cases"].into_iter().flat_map(|list| take_list(&mut json, list)).collect()
}

fn take_list(json: &mut Json, list: &'static str) -> Vec<(&'static str, Json)> {
    match json.get_mut(list).map(Json::take) {
        Some(Json::Array(cases)) => cases.into_iter().map(|case| (list, case)).collect(),
        None => Vec::new(),
        Some(other) => panic!("`{list}` is not a list but {other}"),
    }
}

fn id(json: &Json) -> String {
    json.get("id").and_then(Json::as_str).unwrap_or("a case without an id").to_owned()
}

fn verdict(list: &str, json: &Json, mode: Mode) -> Verdict {
    // A value of the wrong type panics in a function; it fails its case, not the others.
    let run = || if list == "cases" { case_verdict(json, mode) } else { extra_verdict(json, mode) };
    std::panic::catch_unwind(run).unwrap_or_else(|_| Verdict::Failed("panicked, see above".to_owned()))
}

fn case_verdict(json: &Json, mode: Mode) -> Verdict {
    if let Some(reason) = listed::without_meaning(json) {
        return Verdict::Listed(reason);
    }
    let case = match Case::read(json) {
        Ok(case) => case,
        Err(why) => return Verdict::Failed(why),
    };
    let checked = match mode {
        Mode::Model if slices::is_asked(&case) && case.json.get("expected_error").is_some() => {
            return Verdict::Listed("a model is not started");
        }
        Mode::Library if slices::is_asked(&case) => slices::run(&case),
        Mode::Library => case.check(&library::run(&case, &case.pipeline), || library::run(&case, but_last(&case))),
        Mode::Model => case.check(&oracle::run(&case, &case.pipeline), || oracle::run(&case, but_last(&case))),
    };
    checked.map_or_else(Verdict::Failed, |()| Verdict::Agrees)
}

fn but_last<'c>(case: &'c Case<'_>) -> &'c [super::pipeline::Step] {
    &case.pipeline[..case.pipeline.len().saturating_sub(1)]
}

fn extra_verdict(json: &Json, mode: Mode) -> Verdict {
    let kind = json["kind"].as_str().unwrap_or_default();
    match (mode, extra::run(json)) {
        // Without its restart the pipeline is a case like others, which is all that a model can say.
        (_, None) if kind == "pipeline_with_restart" => case_verdict(json, mode),
        (_, Some(outcome)) => match (outcome, listed::partly(json)) {
            (Ok(()), None) => Verdict::Agrees,
            (Ok(()), Some(reason)) => Verdict::Listed(reason),
            (Err(why), _) => Verdict::Failed(why),
        },
        (_, None) => listed::reason(listed::KINDS, kind)
            .map_or_else(|| Verdict::Failed(format!("nothing runs `{kind}`, and it is not listed")), Verdict::Listed),
    }
}

#[test]
fn nothing_is_listed_that_would_run() {
    for (kind, _) in listed::KINDS {
        assert!(extra::run(&json!({ "kind": kind })).is_none(), "extra cases of kind `{kind}` run: delete its line");
    }
}

#[test]
fn an_unknown_pipeline_fails_loudly() {
    let case = |step: Json| json!({ "id": "x", "params": {}, "pipeline": [step], "input": [[1]], "expected": [[1]] });
    let failure = |list: &str, json: Json| match verdict(list, &json, Mode::Library) {
        Verdict::Failed(why) => why,
        other => panic!("{json} gives {other:?}"),
    };
    assert!(failure("cases", case(json!({ "op": "mapp", "fn": "plus_4" }))).contains("unknown operator `mapp`"));
    assert!(failure("cases", case(json!({ "op": "map", "fn": "plus_5" }))).contains("unknown function `plus_5`"));
    assert!(failure("cases", case(json!({ "op": "map" }))).contains("no text `fn`"));
    assert!(failure("cases", case(json!({ "op": "transform", "fn": "sorted" }))).contains("unknown function `sorted`"));
    let inner = json!({ "op": "union", "with": [[{ "op": "mapp" }]] });
    assert!(failure("cases", case(inner)).contains("unknown operator `mapp`"));
    let queue = |expected| {
        json!({ "kind": "queue_stream", "one_at_a_time": false,
        "enqueue_before_batch": [[[1], [2]], []], "expected_non_empty": expected })
    };
    assert_eq!(verdict("extra_cases", &queue(json!([[1, 2]])), Mode::Library), Verdict::Agrees);
    assert!(failure("extra_cases", queue(json!([[1], [2]]))).contains("expected [[1], [2]]"));
    assert!(failure("extra_cases", json!({ "kind": "pidd" })).contains("nothing runs `pidd`"));
}

#[test]
fn a_wrong_table_fails() {
    let case = |field: &str, value: Json| {
        let mut json = json!({
            "params": {}, "pipeline": [{ "op": "map", "fn": "plus_4" }], "input": [[1, 2], [3]],
            "expected": [[5, 6], [7]], "compare": "ordered", "output_at_batches": [1, 2], "expected_num_partitions": 2,
        });
        json[field] = value;
        json
    };
    assert_eq!(verdict("cases", &case("notes", json!("")), Mode::Library), Verdict::Agrees);
    assert_eq!(verdict("cases", &case("expected_raw", json!([[1, 2], [3]])), Mode::Library), Verdict::Agrees);
    let wrong = [
        ("expected", json!([[6, 5], [7]])),
        ("expected", json!([[5, 6]])),
        ("output_at_batches", json!([2])),
        ("expected_num_partitions", json!(3)),
        ("expected_raw", json!([[1], [3]])),
        ("expected_error", json!({ "at_batch": 2 })),
    ];
    for (field, value) in wrong {
        for mode in [Mode::Library, Mode::Model] {
            let verdict = verdict("cases", &case(field, value.clone()), mode);
            assert!(matches!(verdict, Verdict::Failed(_)), "{field} {value} gives {verdict:?}");
        }
    }
}

/// Tables of shapes that Spark's suites have and the shipped file has not.
#[test]
fn tables_that_are_not_shipped_run_too() {
    let chain = |step: Json| {
        json!({ "kind": "state_chain", "initial_time_ms": 1000, "batch_time_ms": 2000, "initial": [["k1", 0], ["k2", 0]],
        "steps": [
            { "from": "init", "to": null, "data": [], "expected": [["k1", 0, 1000], ["k2", 0, 1000]] },
            { "from": "init", "to": "a", "data": [["k1", 1], ["k3", 1]],
              "expected": [["k1", 1, 2000], ["k2", 0, 1000], ["k3", 0, 2000]] },
            step,
        ] })
    };
    let good = json!({ "from": "a", "to": "b", "data": [["k1", 2], ["k2", 0], ["k3", 1]],
        "expected": [["k2", 0, 1000], ["k3", 1, 2000]] });
    let bad = json!({ "from": "init", "to": "b", "data": [["k2", 2]], "expected": [["k1", 1, 2000]] });
    assert_eq!(verdict("extra_cases", &chain(good), Mode::Library), Verdict::Agrees);
    assert!(matches!(verdict("extra_cases", &chain(bad), Mode::Library), Verdict::Failed(_)));

    let timer = |returns: u64| {
        json!({ "kind": "timer", "period_ms": 10, "start_at_ms": 0, "steps": [
            { "advance_to_ms": 0, "fired": [0] },
            { "advance_to_ms": 15, "fired": [0, 10] },
            { "advance_to_ms": 40, "fired": [0, 10, 20, 30, 40] },
        ], "stop": { "interrupt": true, "returns": returns } })
    };
    assert_eq!(verdict("extra_cases", &timer(40), Mode::Library), Verdict::Agrees);
    assert!(matches!(verdict("extra_cases", &timer(50), Mode::Library), Verdict::Failed(_)));

    let none = |expected: Json| {
        json!({ "pipeline": [{ "op": "map", "fn": "pair_one" }, { "op": "updateStateByKey", "fn": "running_sum" }],
        "input": [["a", "b"], null, ["a"]], "expected": expected })
    };
    let good = json!([[["a", 1], ["b", 1]], [["a", 1], ["b", 1]], [["a", 2], ["b", 1]]]);
    for mode in [Mode::Library, Mode::Model] {
        assert_eq!(verdict("cases", &none(good.clone()), mode), Verdict::Agrees);
        assert!(matches!(verdict("cases", &none(json!([[["a", 1], ["b", 1]]])), mode), Verdict::Failed(_)));
    }
}

/// Every operator of the pipelines at once, so that those agree with the model which the present tables do not use.
#[test]
fn the_library_agrees_with_the_model_on_every_operator() {
    let keyed = json!([{ "op": "map", "fn": "pair_x" }]);
    let pipelines = [
        json!([{ "op": "map", "fn": "pair_one" }, { "op": "flatMapValues", "fn": "x_and_plus_10" }, { "op": "countByValue" }]),
        json!([{ "op": "map", "fn": "pair_one" }, { "op": "groupByKey" }, { "op": "mapValues", "fn": "distinct_set" }]),
        json!([{ "op": "contextTransform", "fn": "union_all", "with": [[{ "op": "map", "fn": "plus_8" }], []] }]),
        json!([{ "op": "map", "fn": "pair_one" }, { "op": "rightOuterJoin", "right": keyed }]),
        json!([{ "op": "map", "fn": "pair_one" }, { "op": "fullOuterJoin", "right": keyed }]),
        json!([{ "op": "transformWith", "fn": "rdd_union", "right": [{ "op": "filter", "fn": "is_even" }] }]),
        json!([{ "op": "repartition", "num_partitions": 3 }, { "op": "count" }]),
        json!([{ "op": "reduce", "fn": "sum" }, { "op": "transform", "fn": "rdd_map_to_string" }]),
        json!([{ "op": "filter", "fn": "is_even" }, { "op": "transform", "fn": "returns_null" }]),
    ];
    for pipeline in pipelines {
        let json = json!({ "pipeline": pipeline, "input": [[1, 2, 3, 2], [], [4]], "input2": [[2, 2, 5], [6], []] });
        let case = Case::read(&json).unwrap();
        let model = oracle::run(&case, &case.pipeline);
        let library = library::run(&case, &case.pipeline);
        let sorted = |outcome: &Outcome| {
            let batches = outcome.outputs.iter().map(|(batch, records)| {
                let mut records = records.concat();
                records.sort();
                (*batch, records)
            });
            (batches.collect::<Vec<_>>(), outcome.error.as_ref().map(|(batch, _)| *batch))
        };
        assert_eq!(sorted(&library), sorted(&model), "{pipeline}");
    }
}
