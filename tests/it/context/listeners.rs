//! What listeners hear, and what `explain` says.

use std::sync::{Arc, Mutex, mpsc};

use streamflow::listener::{BatchInfo, OutputOperationInfo, StreamingListener};
use streamflow::prelude::*;
use streamflow::{BatchTime, Error, ErrorKind};

use super::{at, counting};

#[test]
fn listeners_hear_of_batches_in_spark_s_order() {
    let (mut test, _out) = counting();
    let numbers = test.input(vec![vec![1, 2], vec![], vec![3]]);
    test.output(&numbers);
    test.output(&numbers.transform(|batch| if batch.is_empty() { Err("empty") } else { Ok(batch) }));
    let (sender, events) = mpsc::channel();
    let (listener, batches) = Recorder::new(sender);
    test.context().add_listener(listener);
    test.try_run_batches(3).unwrap();
    test.context().stop().unwrap();

    let events: Vec<String> = events.try_iter().collect();
    assert_eq!(events[0], "streaming started");
    for time in [1_000, 2_000, 3_000] {
        let expected = [
            format!("submitted {time}"),
            format!("started {time}"),
            format!("output {time} 0 started"),
            format!("output {time} 0 completed ok"),
            format!("output {time} 1 started"),
            format!("output {time} 1 completed ok"),
            format!("output {time} 2 started"),
            format!("output {time} 2 completed {}", if time == 2_000 { "failed" } else { "ok" }),
            format!("completed {time}"),
        ];
        let of_batch: Vec<&String> = events.iter().filter(|event| event.contains(&format!(" {time}"))).collect();
        assert_eq!(of_batch, expected.iter().collect::<Vec<_>>());
    }

    let batches = batches.lock().unwrap();
    let completed = &batches[2];
    assert_eq!(completed.inputs[0].records, Some(1));
    assert_eq!(&*completed.inputs[1].name, "input#2");
    assert_eq!(completed.num_records(), Some(2));
    assert_eq!(completed.outputs.len(), 3);
    assert!(completed.outputs[1].description.starts_with("collect at tests/it/context/listeners.rs:"));
    assert!(completed.outputs[1].duration().is_some());
    assert!(completed.total_delay().is_some());
    assert!(!completed.has_failed() && batches[1].has_failed());
    assert!(format!("{:?}", batches[1].outputs[2].failure).contains("empty"));
}

#[test]
fn a_listener_cannot_stop_its_context_and_its_panic_hurts_nobody() {
    struct Stops(StreamingContext, Mutex<Option<Error>>);
    impl StreamingListener for Stops {
        fn on_batch_submitted(&self, batch: &BatchInfo) {
            assert_eq!(batch.scheduling_delay(), None);
            panic!("a listener of the test");
        }
        fn on_batch_completed(&self, _: &BatchInfo) {
            *self.1.lock().unwrap() = self.0.stop().err();
        }
    }
    let (mut test, out) = counting();
    let listener = Arc::new(Stops(test.context().clone(), Mutex::default()));
    test.context().add_listener(Arc::clone(&listener));
    test.run_batches(1).unwrap();
    test.context().stop().unwrap();
    assert_eq!(out.batches(), [[1]]);
    let error = listener.1.lock().unwrap().take().expect("the stop in the listener has failed");
    assert_eq!(error.kind(), ErrorKind::IllegalState);
    assert!(error.to_string().contains("listener"), "{error}");
}

#[test]
fn no_event_comes_after_the_stop() {
    let (mut test, _out) = counting();
    let (sender, events) = mpsc::channel();
    let (listener, _) = Recorder::new(sender);
    test.context().add_listener(listener);
    test.run_batches(3).unwrap();
    test.context().stop().unwrap();
    assert_eq!(events.try_iter().last().unwrap(), "completed 3000");
    test.clock().set(at(9_000));
    assert!(events.try_recv().is_err());
}

#[test]
fn explain_names_inputs_and_outputs() {
    let (test, _out) = counting();
    let text = test.context().explain().to_string();
    assert!(text.contains("`input`: u32  by prepared batches  tests/it/context/mod.rs:"), "{text}");
    assert!(text.contains("output 0: collect  tests/it/context/mod.rs:"), "{text}");
}

/// Writes down what it hears, and keeps the batches that were completed.
struct Recorder {
    events: Mutex<mpsc::Sender<String>>,
    completed: Arc<Mutex<Vec<BatchInfo>>>,
}

impl Recorder {
    fn new(events: mpsc::Sender<String>) -> (Self, Arc<Mutex<Vec<BatchInfo>>>) {
        let completed = Arc::new(Mutex::default());
        (Self { events: Mutex::new(events), completed: Arc::clone(&completed) }, completed)
    }

    fn note(&self, event: String) {
        let _ = self.events.lock().unwrap().send(event);
    }
}

impl StreamingListener for Recorder {
    fn on_streaming_started(&self, _: BatchTime) {
        self.note("streaming started".to_owned());
    }
    fn on_batch_submitted(&self, batch: &BatchInfo) {
        self.note(format!("submitted {}", batch.batch_time.as_millis()));
    }
    fn on_batch_started(&self, batch: &BatchInfo) {
        assert!(batch.scheduling_delay().is_some() && batch.processing_delay().is_none());
        self.note(format!("started {}", batch.batch_time.as_millis()));
    }
    fn on_batch_completed(&self, batch: &BatchInfo) {
        self.completed.lock().unwrap().push(batch.clone());
        self.note(format!("completed {}", batch.batch_time.as_millis()));
    }
    fn on_output_operation_started(&self, output: &OutputOperationInfo) {
        self.note(format!("output {} {} started", output.batch_time.as_millis(), output.id));
    }
    fn on_output_operation_completed(&self, output: &OutputOperationInfo) {
        let outcome = if output.failure.is_some() { "failed" } else { "ok" };
        self.note(format!("output {} {} completed {outcome}", output.batch_time.as_millis(), output.id));
    }
}
