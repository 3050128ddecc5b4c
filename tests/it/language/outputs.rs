//! Outputs in the body of a function.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use streamflow::prelude::*;
use streamflow::testing::Driver;

type Seen<T> = Arc<Mutex<Vec<T>>>;

fn note<T>(seen: &Seen<T>, record: T) {
    seen.lock().unwrap().push(record);
}

#[test]
fn a_function_may_end_in_outputs() {
    #[stream]
    fn alerts(lines: DStream<str>, errors: Seen<String>, sizes: Seen<(u64, usize)>) {
        let bad = lines.filter(|line| line.starts_with("ERROR"));
        bad.map(|line| line.trim_start_matches("ERROR ")).foreach(|text| note(&errors, text.to_string()));
        lines.map(|line| line.len()).foreach_batch(|batch| note(&sizes, (batch.time().as_millis(), batch.len())));
    }
    let mut driver = Driver::new().unwrap();
    let (errors, sizes) = (Seen::default(), Seen::default());
    alerts(driver.text(vec![vec!["ERROR disk", "ok"], vec!["fine"]]), Arc::clone(&errors), Arc::clone(&sizes));
    driver.run_batches(2).unwrap();
    assert_eq!(*errors.lock().unwrap(), ["disk"]);
    assert_eq!(*sizes.lock().unwrap(), [(1000, 2), (2000, 1)]);
}

#[test]
fn outputs_and_a_result_share_one_scan() {
    #[stream]
    fn counted(numbers: DStream<u64>, scans: Arc<AtomicU64>, sum: Arc<AtomicU64>) -> DStream<u64> {
        let seen = numbers.inspect(|_| {
            scans.fetch_add(1, Ordering::Relaxed);
        });
        seen.map(|n| n * 2).foreach_partition(|part| {
            sum.fetch_add(part.sum(), Ordering::Relaxed);
        });
        seen.filter(|n| n % 2 == 0)
    }
    let mut driver = Driver::new().unwrap();
    let (scans, sum) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let even = driver.output(&counted(driver.input(vec![vec![1, 2, 3]]), Arc::clone(&scans), Arc::clone(&sum)));
    driver.run_batches(1).unwrap();
    assert_eq!((scans.load(Ordering::Relaxed), sum.load(Ordering::Relaxed)), (3, 12));
    assert_eq!(even.batches(), [[2]]);
}

#[test]
fn files_are_written_for_each_batch() {
    #[stream]
    fn saved(numbers: DStream<u64>, prefix: String) {
        numbers.map(|n| n + 1).save_as_text_files(prefix, "txt");
    }
    let folder = std::env::temp_dir().join(format!("streamflow-language-{}", std::process::id()));
    let prefix = folder.join("numbers").display().to_string();
    let mut driver = Driver::with(|builder| builder.parallelism(1)).unwrap();
    saved(driver.input(vec![vec![1, 2]]), prefix);
    driver.run_batches(1).unwrap();
    let written = std::fs::read_to_string(folder.join("numbers-1000.txt").join("part-00000"));
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!(written.unwrap(), "2\n3\n");
}
