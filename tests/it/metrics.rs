//! The figures of a context equal what a test fed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::harness::run_slow_batches;
use streamflow::Error;
use streamflow::listener::{BatchInfo, BlockInfo, StreamingListener, Summary};
use streamflow::metrics::{Exporter, WorkInfo, Worker};
use streamflow::prelude::*;
use streamflow::testing::{Driver, SimulatedFs};

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
fn batches_that_begin_after_their_interval_are_late() {
    let mut test = Driver::new().unwrap();
    test.output(&test.input(vec![vec![1], vec![2], vec![3]]));
    // All at 3 s: those of 1 s and 2 s begin when the next one is due already.
    test.run_batches(3).unwrap();
    assert_eq!(test.context().metrics().batches.late, 2);
    (0..2).for_each(|_| test.run_batches(1).unwrap());
    assert_eq!(test.context().metrics().batches.late, 2);
}

/// Keeps the blocks that are told, and the rates of completed batches.
#[derive(Default)]
struct Blocks(Mutex<Vec<BlockInfo>>, Mutex<Vec<(f64, f64)>>);

impl StreamingListener for Blocks {
    fn on_block_received(&self, block: &BlockInfo) {
        self.0.lock().unwrap().push(block.clone());
    }
    fn on_batch_completed(&self, batch: &BatchInfo) {
        let rates = (batch.inputs[0].rate(batch.interval).unwrap(), batch.input_rate().unwrap());
        self.1.lock().unwrap().push(rates);
    }
}

#[test]
fn the_fill_of_a_buffer_is_shown_beside_its_limit() {
    let mut test = Driver::with(|builder| builder.batch_interval(Duration::from_millis(500))).unwrap();
    let blocks = Arc::new(Blocks::default());
    test.context().add_listener(Arc::clone(&blocks));
    let (sender, numbers) = test.context().channel::<u32>(100).unwrap();
    test.output(&numbers);
    test.run_batches(0).unwrap();
    (0..7).for_each(|n| sender.send(n).unwrap());
    test.run_batches(1).unwrap();
    let input = &test.context().metrics().inputs[0];
    assert_eq!((input.buffered_records, input.buffer_records, input.buffer_bytes), (7, Some(100), None));
    assert_eq!((input.records, input.bytes, input.buffered_bytes), (7, 28, 28));
    test.context().stop().unwrap();
    let told = blocks.0.lock().unwrap();
    let [block] = &told[..] else { panic!("all came within a block interval: {told:?}") };
    assert_eq!((block.input, &*block.name, block.number), (0, "channel", 0));
    assert_eq!((block.records, block.bytes), (7, 28));
    assert_eq!(*blocks.1.lock().unwrap(), [(14.0, 14.0)], "seven records in half a second");
}

/// What the figures say was warned of.
fn warnings(test: &Driver) -> Vec<String> {
    test.context().metrics().warnings.into_iter().map(|warning| warning.text).collect()
}

#[test]
fn batches_that_take_longer_than_the_interval_are_warned_of_once() {
    let mut test = Driver::new().unwrap();
    run_slow_batches(&mut test, 25);
    let warnings = warnings(&test);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("the last 10 took 1.3s on average, the interval is 1s"), "{warnings:?}");
}

#[test]
fn an_idle_input_is_warned_of_once() {
    let mut test = Driver::new().unwrap();
    test.output(&test.input::<u32>(vec![]));
    test.run_batches(200).unwrap();
    assert_eq!(warnings(&test), ["input `input` has delivered nothing for 60s, which is 60 batches"]);
}

#[test]
fn a_receiver_that_keeps_failing_is_warned_of_once() {
    struct Refused(u32);
    impl streamflow::source::Receiver for Refused {
        type Record = u32;
        fn receive(&mut self, store: &streamflow::source::Store<u32>) -> streamflow::Result<()> {
            self.0 += 1;
            store.store(self.0)?;
            Err(Error::input(format!("connection refused, attempt {}", self.0)))
        }
    }
    let mut test = Driver::new().unwrap();
    let options = streamflow::source::ReceiverOptions::new().restart_delay(Duration::from_millis(100));
    test.output(&test.context().receiver_stream_with("flaky", Refused(0), options).unwrap());
    // It is called again as the clock goes on.
    while test.context().metrics().inputs.first().is_none_or(|input| input.errors < 5) {
        test.run_batches(1).unwrap();
    }
    test.run_batches(2).unwrap();
    let warnings = warnings(&test);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("input `flaky` has failed "), "{warnings:?}");
    assert!(warnings[0].contains("connection refused, attempt "), "{warnings:?}");
}

#[test]
fn state_that_grows_without_bound_is_warned_of_once() {
    /// Keys that never come again.
    struct Fresh(u64);
    impl streamflow::source::Source for Fresh {
        type Record = (u64, u64);
        type Range = u64;
        fn next_range(&mut self, _: streamflow::BatchTime) -> streamflow::Result<u64> {
            self.0 += 1;
            Ok(self.0)
        }
        fn read(&mut self, batch: &u64) -> streamflow::Result<Vec<Vec<(u64, u64)>>> {
            Ok(vec![(0..200).map(|n| (batch * 200 + n, 1)).collect()])
        }
    }
    #[stream]
    fn visits(users: DStream<(u64, u64)>) -> DStream<u64> {
        users.map_with_state(
            StateSpec::function(|_: &u64, visits: Option<u64>, state: &mut State<u64>| {
                let sum = state.get().copied().unwrap_or(0) + visits.unwrap_or(0);
                state.update(sum);
                sum
            })
            .unbounded(),
        )
    }
    let mut test = Driver::with(|builder| builder.ephemeral()).unwrap();
    test.output_moved(visits(test.context().source("users", Fresh(0)).unwrap()));
    test.run_batches(720).unwrap();
    let warnings = warnings(&test);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("has grown from 0 to 120000 keys"), "{warnings:?}");
    assert!(warnings[0].contains("in 600 batches and never shrank"), "{warnings:?}");
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
fn prometheus_gets_logs_and_checkpoints() {
    let files = SimulatedFs::new(1);
    let mut test = Driver::with(|builder| {
        builder.simulated_files(&files).checkpoint("dir").checkpoint_interval(Duration::from_secs(1))
    })
    .unwrap();
    let exporter = Exporter::new(test.context());
    test.output(&counts(test.input(vec![words("a b")])));
    test.run_batches(1).unwrap();
    let (text, last) = (exporter.to_text(), test.context().metrics().checkpoints.last.unwrap());
    for line in [
        "streamflow_checkpoints_written_total 1",
        "streamflow_checkpoint_last_timestamp_seconds 1.0",
        "streamflow_checkpoint_generations 1",
        &format!("streamflow_checkpoint_bytes_total {}", last.bytes),
        &format!("streamflow_checkpoint_kept_bytes {}", last.kept_bytes),
        "# UNIT streamflow_checkpoint_writing_seconds seconds",
        "streamflow_checkpoint_writing_seconds_count 1",
        "streamflow_checkpoint_collecting_seconds_count 1",
        "streamflow_log_records_total{log=\"batches\"} 3",
        "streamflow_log_failed_writes_total{log=\"batches\"} 0",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    assert!(!text.contains("streamflow_recovery"), "nothing was recovered");
    drop(test);

    let files = files.restart();
    let mut test = Driver::with(|builder| {
        builder.simulated_files(&files).checkpoint("dir").checkpoint_interval(Duration::from_secs(1))
    })
    .unwrap();
    let exporter = Exporter::new(test.context());
    test.output(&counts(test.input(vec![words("a b")])));
    test.run_batches(2).unwrap();
    let text = exporter.to_text();
    assert!(text.lines().any(|line| line == "streamflow_recovery_rerun_batches 0"), "{text}");
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
        "# TYPE streamflow_input_bytes counter",
        "streamflow_batches_late_total 0",
        "streamflow_batch_last_timestamp_seconds 1.0",
        "streamflow_checkpoints_written_total 0",
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
