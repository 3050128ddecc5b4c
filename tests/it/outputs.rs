//! Outputs in the body of a `#[stream]` function.

use std::fmt::Display;
use std::sync::{Arc, Mutex};

use streamflow::prelude::*;
use streamflow::sink::{Sink, SinkBatch};
use streamflow::testing::Driver;

/// Remembers which output saw what.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, by: &str, what: impl Display) {
        self.0.lock().unwrap().push(format!("{by} {what}"));
    }
}

impl Sink<(String, u64)> for Seen {
    type Staged = u64;

    fn write(
        &self,
        _: SinkBatch,
        _: usize,
        records: &mut dyn Iterator<Item = (String, u64)>,
    ) -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
        Ok(records.map(|(_, count)| count).sum())
    }

    fn commit(&self, _: SinkBatch, staged: Vec<u64>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.note("sink", staged.iter().sum::<u64>());
        Ok(())
    }
}

#[stream]
fn outputs(lines: DStream<str>, prefix: String, seen: Seen) {
    let words = lines.flat_map(|line| line.split(' '));
    let counts = words.map(|word| (word, 1)).reduce_by_key(|a: u64, b| a + b);
    lines.foreach(move |line| seen.note("line", line));
    counts.print(1);
    counts.foreach_batch(move |batch| seen.note("batch", batch.count()));
    counts.foreach_partition(move |records| seen.note("partition", records.count()));
    counts.to(seen.clone());
    let rows = counts.map(|(word, count)| format!("{word} {count}"));
    rows.save_as_text_files(prefix, "txt");
}

#[test]
fn every_output_sees_every_batch() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("rows").into_os_string().into_string().unwrap();
    let seen = Seen::default();
    let mut test = Driver::with(|builder| builder.threads(1).parallelism(1)).unwrap();
    outputs(test.text(vec![vec!["to be or", "not to be"]]), prefix, seen.clone());
    test.run_batches(1).unwrap();
    let notes = seen.0.lock().unwrap().clone();
    assert_eq!(notes, ["line to be or", "line not to be", "batch 4", "partition 4", "sink 6"]);
    let saved = std::fs::read_to_string(dir.path().join("rows-1000.txt/part-00000")).unwrap();
    let mut rows: Vec<&str> = saved.lines().collect();
    rows.sort_unstable();
    assert_eq!(rows, ["be 2", "not 1", "or 1", "to 2"]);
}
