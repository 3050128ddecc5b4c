//! A task that panics is tried again, and what it did before leaves no trace.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use streamflow::prelude::*;
use streamflow::testing::Driver;
use streamflow::{BatchTime, ErrorKind};

/// Panics as often as it was told, then no more.
#[derive(Clone, Default)]
struct Fuse(Arc<AtomicUsize>);

impl Fuse {
    fn blows(times: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(times)))
    }

    fn check(&self) {
        let spend = |left: usize| left.checked_sub(1);
        assert!(self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend).is_err(), "the fuse has blown");
    }
}

/// A record that cannot be cloned, so that its batch cannot be kept for a second attempt.
struct Unique(i64);

#[stream]
fn shuffled(numbers: DStream<i64>, fuses: [Fuse; 6]) -> (DStream<(i64, i64)>, DStream<u64>) {
    let [first, reduce, second, third, fourth, fifth] = fuses;
    let keyed = numbers.map(|n| (n % 3, n)).inspect(|(_, n)| {
        if *n == 5 {
            first.check();
        }
    });
    let sums = keyed.reduce_by_key(|a, b| {
        if a + b > 9 {
            reduce.check();
        }
        a + b
    });
    let unique = sums.map(|(key, sum)| (key, Unique(sum))).inspect(|_| second.check());
    let grouped = unique.group_by_key().map_values(|group| group.iter().map(|unique| unique.0).sum::<i64>());
    let doubled = grouped.map_values(|sum| {
        third.check();
        sum * 2
    });
    let counted = keyed.filter(|(_, n)| n % 2 == 0).count().inspect(|_| fourth.check());
    let joined = doubled.join(keyed.map_values(|n| -n)).map_values(|(sum, n)| sum + n).inspect(|_| fifth.check());
    (joined, counted)
}

fn run(fuses: [Fuse; 6]) -> (Vec<Vec<(i64, i64)>>, Vec<Vec<u64>>) {
    let mut driver = Driver::with(|builder| builder.max_task_failures(3)).unwrap();
    let (joined, counted) = shuffled(driver.input(vec![(0..10).collect(), vec![5, 8]]), fuses);
    let (joined, counted) = (driver.output(&joined), driver.output(&counted));
    driver.run_batches(2).unwrap();
    let mut joined = joined.batches();
    joined.iter_mut().for_each(|batch| batch.sort());
    (joined, counted.batches())
}

#[test]
fn a_retried_task_changes_nothing() {
    let expected = run(Default::default());
    assert_eq!((expected.0[0].len(), &expected.1[..]), (10, &[vec![5], vec![1]][..]));
    for place in 0..6 {
        for times in 1..=2 {
            let mut fuses: [Fuse; 6] = Default::default();
            fuses[place] = Fuse::blows(times);
            let fuse = fuses[place].clone();
            assert_eq!(run(fuses), expected, "fuse {place} blows {times} times");
            assert_eq!(fuse.0.load(Ordering::SeqCst), 0, "fuse {place} has blown {times} times");
        }
    }
}

#[test]
fn several_failures_in_one_batch_are_survived() {
    let fuses = [0, 1, 2, 3, 4, 5].map(|_| Fuse::blows(1));
    assert_eq!(run(fuses), run(Default::default()));
}

#[test]
fn what_fails_every_time_fails_its_batch_alone() {
    const BEFORE: u32 = line!();
    #[stream]
    fn fragile(numbers: DStream<i64>, attempts: Arc<AtomicUsize>) -> DStream<i64> {
        numbers.filter(|n| *n != 7).map(|n| {
            if n == 4 {
                attempts.fetch_add(1, Ordering::SeqCst);
                panic!("four");
            }
            n
        })
    }
    let mut driver = Driver::with(|builder| builder.max_task_failures(3)).unwrap();
    let attempts = Arc::new(AtomicUsize::new(0));
    let fragile = fragile(driver.input(vec![vec![1], vec![3, 4], vec![5]]), Arc::clone(&attempts));
    let out = driver.output(&fragile);
    let errors = driver.try_run_batches(3).unwrap();
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
    assert_eq!(out.batches(), [[1], [5]]);
    assert_eq!(errors.len(), 1);
    let (error, operator) = (&errors[0], errors[0].operator().unwrap());
    assert_eq!((error.kind(), operator.name, operator.line), (ErrorKind::TaskFailed, "map", BEFORE + 3));
    assert_eq!((error.batch(), error.partition()), (Some(BatchTime::from_millis(2000)), Some(1)));
}
