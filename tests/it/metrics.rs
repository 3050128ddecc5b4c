//! The figures of a context equal what a test fed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use streamflow::Error;
use streamflow::listener::{BatchInfo, StreamingListener, Summary};
use streamflow::metrics::{Exporter, WorkInfo, Worker};
use streamflow::prelude::*;
use streamflow::testing::Driver;

#[stream]
fn counts(words: DStream<String>) -> DStream<(String, u64)> {
    words.filter(|word| !word.is_empty()).map(|word| (word, 1_u64)).reduce_by_key(|a, b| a + b)
}

#[stream]
fn totals(pairs: DStream<(String, u64)>) -> DStream<(String, u64)> {
    pairs.update_state_by_key(|new, old| Some(old.unwrap_or(0) + new.iter().sum::<u64>()))
}

#[stream]
fn recent(pairs: DStream<(String, u64)>) -> DStream<(String, u64)> {
    pairs.reduce_by_key_and_window(|a, b| a + b, 3s, 1s)
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

/// Keeps what each batch did.
#[derive(Default)]
struct Works(Mutex<Vec<Vec<WorkInfo>>>);

impl StreamingListener for Works {
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.0.lock().unwrap().push(batch.work.to_vec());
    }
}

#[test]
fn records_are_counted_where_they_cross_a_stage() {
    let mut test = Driver::new().unwrap();
    let input = test.input(vec![words("a b a c"), words("b b  b"), vec![]]);
    let out = test.output(&counts(input));
    test.run_batches(3).unwrap();
    let metrics = test.context().metrics();

    assert_eq!((metrics.batches.completed, metrics.batches.failed, metrics.batches.waiting), (3, 0, 0));
    assert_eq!((metrics.batches.records, metrics.inputs[0].records, metrics.inputs[0].last_records), (8, 8, 0));
    let stage = &metrics.stages[0];
    assert_eq!(stage.operators, ["filter", "map"]);
    // Two partitions in three batches.
    assert_eq!((stage.work.tasks, stage.work.records, stage.work.failed_tasks), (6, 8, 0));
    assert!(stage.work.busy >= stage.work.longest_task);
    let counted = metrics.streams.iter().find(|stream| stream.made_by == "reduce_by_key").unwrap();
    let found: u64 = out.batches().iter().map(|batch| batch.len() as u64).sum();
    assert_eq!((counted.records, counted.last_records), (found, 0));
    // A word is a row once for each map task that saw it: a b | a c, and b | b.
    assert_eq!(counted.shuffled_rows, 6);
}

#[test]
fn a_batch_says_who_worked() {
    let mut test = Driver::new().unwrap();
    let works = Arc::new(Works::default());
    test.context().add_listener(Arc::clone(&works));
    test.output(&counts(test.input(vec![words("a b a c")])));
    test.run_batches(1).unwrap();
    test.context().stop().unwrap();
    let works = works.0.lock().unwrap();
    let stage = works[0].iter().find(|work| work.worker == Worker::Stage(0)).unwrap();
    let parts: Vec<(usize, u64)> = stage.parts.iter().map(|task| (task.partition, task.records)).collect();
    assert_eq!(parts, [(0, 2), (1, 2)]);
    assert!(works[0].iter().any(|work| matches!(work.worker, Worker::Output(0))), "the output reads the shuffle");
}

#[test]
fn state_and_windows_say_what_they_hold() {
    let mut test = Driver::new().unwrap();
    let pairs = |text: &str| words(text).into_iter().map(|word| (word, 1)).collect::<Vec<_>>();
    let input = test.input(vec![pairs("a b c"), pairs("d"), pairs("a"), pairs("e")]);
    test.output(&totals(input.clone()));
    test.output(&recent(input));
    test.run_batches(4).unwrap();
    let metrics = test.context().metrics();
    let find = |made_by: &str| {
        let made = metrics.streams.iter().map(|stream| &stream.made_by).collect::<Vec<_>>();
        metrics
            .streams
            .iter()
            .find(|stream| stream.made_by == made_by)
            .unwrap_or_else(|| panic!("{made_by} in {made:?}"))
    };
    let state = find("update_state_by_key");
    assert!(state.keeps_state && state.state_bytes > 0);
    assert_eq!((state.state_keys, state.last_records), (5, 5));
    let window = find("reduce_by_key_and_window");
    assert_eq!((window.window_panes, window.last_records), (3, 3), "the last three batches held d, a and e");
    assert!(!find("prepared batches").keeps_state);
}

#[test]
fn failures_are_counted() {
    let mut test = Driver::with(|builder| builder.max_task_failures(2)).unwrap();
    #[stream]
    fn halves(numbers: DStream<u32>) -> DStream<u32> {
        numbers.map(|n| 100 / n)
    }
    let numbers = test.input(vec![vec![1, 2], vec![0, 4]]);
    test.output(&halves(numbers));
    let errors = test.try_run_batches(2).unwrap();
    assert_eq!(errors.len(), 1);
    let metrics = test.context().metrics();
    assert_eq!((metrics.batches.completed, metrics.batches.failed), (2, 1));
    assert_eq!(metrics.outputs[0].failures, 1);
    // The task of the zero was tried twice.
    assert_eq!((metrics.stages[0].work.tasks, metrics.stages[0].work.failed_tasks), (5, 2));
}

#[test]
fn an_input_that_fails_keeps_its_last_error() {
    struct Broken;
    impl streamflow::source::Source for Broken {
        type Record = u32;
        type Range = ();
        fn next_range(&mut self, _: streamflow::BatchTime) -> streamflow::Result<()> {
            Ok(())
        }
        fn read(&mut self, _: &()) -> streamflow::Result<Vec<Vec<u32>>> {
            Err(Error::input("the disk is on fire"))
        }
    }
    let mut test = Driver::new().unwrap();
    let broken = test.context().source("broken", Broken).unwrap();
    test.output(&broken);
    assert_eq!(test.try_run_batches(2).unwrap().len(), 2);
    let input = &test.context().metrics().inputs[0];
    assert_eq!((input.errors, input.last_error_time.unwrap().as_millis()), (2, 2_000));
    assert!(input.last_error.as_ref().unwrap().to_string().starts_with("the disk is on fire"));
}

#[test]
fn delays_are_those_of_the_clock() {
    let mut test = Driver::new().unwrap();
    let summary = Summary::new();
    test.context().add_listener(summary.clone());
    let clock = test.clock().clone();
    let input = test.input(vec![vec![1], vec![2, 3], vec![4]]);
    input.foreach_batch(move |batch| {
        if batch.len() == 2 {
            clock.advance(Duration::from_millis(700));
        }
    });
    (0..3).for_each(|_| test.run_batches(1).unwrap());
    let delay = test.context().metrics().batches.processing_delay;
    assert_eq!((delay.count, delay.max, delay.last), (3, Duration::from_millis(700), Duration::ZERO));
    test.context().stop().unwrap();
    assert_eq!((summary.batches(), summary.records(), summary.failed_batches()), (3, 4, 0));
    assert_eq!(summary.processing_delay().quantile(1.0), Duration::from_millis(700));
    assert_eq!(summary.total_delay().quantile(0.5), Duration::ZERO);
}

#[test]
fn before_the_start_there_is_nothing_and_after_the_stop_all_is_kept() {
    let mut test = Driver::new().unwrap();
    test.output(&test.input(vec![vec![1]]));
    assert_eq!(test.context().metrics().batches.submitted, 0);
    assert!(test.context().metrics().streams.is_empty());
    test.run_batches(1).unwrap();
    test.context().stop().unwrap();
    assert_eq!(test.context().metrics().batches.completed, 1);
}

#[test]
fn prometheus_gets_names_of_its_conventions() {
    let mut test = Driver::new().unwrap();
    let exporter = Exporter::new(test.context());
    test.output(&counts(test.input(vec![words("a b \"\n")])));
    test.run_batches(1).unwrap();
    let text = exporter.to_text();
    for line in [
        "# TYPE streamflow_batches_completed counter",
        "streamflow_batches_completed_total 1",
        "streamflow_batches_waiting 0",
        "# UNIT streamflow_batch_processing_seconds seconds",
        "streamflow_batch_processing_seconds_bucket{le=\"0.001\"} 1",
        "streamflow_batch_processing_seconds_bucket{le=\"+Inf\"} 1",
        "streamflow_batch_processing_seconds_count 1",
        "streamflow_input_records_total{input=\"input\"} 3",
        "streamflow_worker_tasks_total{worker=\"s0\"} 2",
        "# EOF",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(
        text.lines().any(|line| line.starts_with("streamflow_worker_busy_seconds_total{worker=\"s0\"} ")),
        "{text}"
    );
}
