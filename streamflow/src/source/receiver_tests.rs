use std::sync::atomic::AtomicUsize;

use crossbeam_channel as channel;

use super::*;
use crate::time::ManualClock;

/// A receiver made of a function.
struct Call<T: ?Sized, F>(F, std::marker::PhantomData<fn() -> Box<T>>);

impl<T, F> Receiver for Call<T, F>
where
    T: Record + ?Sized,
    F: FnMut(&Store<T>) -> Result<()> + Send + 'static,
{
    type Record = T;
    fn receive(&mut self, store: &Store<T>) -> Result<()> {
        (self.0)(store)
    }
}

fn source<T: Fork + ?Sized, F: FnMut(&Store<T>) -> Result<()> + Send + 'static>(
    clock: &ManualClock,
    options: ReceiverOptions,
    f: F,
) -> ReceiverSource<Call<T, F>> {
    let mut source = ReceiverSource::new("test", Call(f, std::marker::PhantomData), options).unwrap();
    source.start(&super::super::test_cx(clock)).unwrap();
    source
}

fn until(condition: impl Fn() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}

fn numbers<R: Receiver<Record = u32>>(source: &mut ReceiverSource<R>) -> Vec<Vec<u32>> {
    let range = source.next_range(BatchTime::default()).unwrap();
    let blocks = source.read(&range).unwrap();
    assert_eq!(blocks, source.read(&range).unwrap(), "a range reads the same again");
    source.release(&range);
    blocks
}

#[test]
fn ten_threads_lose_nothing() {
    let mut source = source(&ManualClock::new(), ReceiverOptions::new(), |store: &Store<u32>| {
        std::thread::scope(|scope| {
            for thread in 0..10 {
                scope.spawn(move || (0..1_000).for_each(|n| store.store(thread * 1_000 + n).unwrap()));
            }
        });
        while store.wait(Duration::from_secs(1)) {}
        Ok(())
    });
    let mut all = Vec::new();
    while all.len() < 10_000 {
        all.extend(numbers(&mut source).concat());
        std::thread::yield_now();
    }
    source.stop();
    assert!(!source.has_pending());
    for thread in 0..10 {
        let of_thread = all.iter().filter(|n| *n / 1_000 == thread);
        assert!(of_thread.copied().eq(thread * 1_000..(thread + 1) * 1_000), "each thread's records keep their order");
    }
}

#[test]
fn a_stop_loses_nothing_that_was_stored_and_refuses_what_comes_later() {
    let (late, stored) = channel::bounded(1);
    let mut source = source(&ManualClock::new(), ReceiverOptions::new(), move |store: &Store<u32>| {
        store.store_many([1, 2])?;
        while store.wait(Duration::from_secs(1)) {}
        // After the stop was asked for, but before the receiver has returned.
        store.store(3)?;
        late.send(store.clone()).unwrap();
        Ok(())
    });
    until(|| source.has_pending());
    source.stop();
    let store = stored.recv().unwrap();
    assert!(store.store(4).is_err());
    assert!(source.has_pending());
    assert_eq!(numbers(&mut source), [vec![1, 2], vec![3]]);
}

#[test]
fn a_receiver_that_returns_fails_or_panics_is_started_again() {
    let clock = ManualClock::new();
    let (called, calls) = channel::unbounded();
    let mut count = 0;
    let mut source = source(&clock, ReceiverOptions::new(), move |store: &Store<u32>| {
        count += 1;
        store.store(count)?;
        called.send(()).unwrap();
        match count {
            1 => Ok(()),
            2 => Err(Error::input("no data")),
            3 => panic!("on purpose"),
            _ => {
                while store.wait(Duration::from_secs(1)) {}
                Ok(())
            }
        }
    });
    calls.recv().unwrap();
    for _ in 0..3 {
        assert!(calls.try_recv().is_err(), "not before the delay");
        // The receiver may not have begun to wait: time goes on until it is called.
        while calls.try_recv().is_err() {
            clock.advance(Duration::from_millis(500));
            std::thread::yield_now();
        }
    }
    source.stop();
    assert_eq!(numbers(&mut source).concat(), [1, 2, 3, 4]);
}

#[test]
fn a_failure_comes_after_the_records_before_it() {
    let mut source = source(&ManualClock::new(), ReceiverOptions::new(), |store: &Store<u32>| {
        store.store(1)?;
        store.fail(Error::input("broken"));
        Ok(())
    });
    until(|| source.store().unwrap().is_stopped());
    assert_eq!(numbers(&mut source), [[1]]);
    for _ in 0..2 {
        assert!(source.next_range(BatchTime::default()).unwrap_err().to_string().contains("broken"));
    }
}

#[test]
fn a_fast_receiver_waits_for_the_batches() {
    let stored = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&stored);
    let options = ReceiverOptions::new().buffer_records(100);
    let mut source = source(&ManualClock::new(), options, move |store: &Store<u32>| {
        for n in 0..1_000 {
            store.store(n)?;
            counter.fetch_add(1, Ordering::SeqCst);
        }
        while store.wait(Duration::from_secs(1)) {}
        Ok(())
    });
    let mut all = Vec::new();
    while all.len() < 1_000 {
        let batch = numbers(&mut source).concat();
        assert!(batch.len() <= 100);
        all.extend(batch);
        std::thread::yield_now();
    }
    source.stop();
    assert!(all.into_iter().eq(0..1_000));
    assert_eq!(stored.load(Ordering::SeqCst), 1_000);
}

#[test]
fn a_stop_does_not_wait_for_a_receiver_that_ignores_it() {
    let (release, released) = channel::bounded::<()>(0);
    let options = ReceiverOptions::new().stop_timeout(Duration::from_millis(1));
    let mut source = source(&ManualClock::new(), options, move |_: &Store<u32>| {
        let _ = released.recv();
        Ok(())
    });
    source.stop();
    drop(release);
}

#[test]
fn text_is_stored_by_view() {
    let mut source = source(&ManualClock::new(), ReceiverOptions::new(), |store: &Store<str>| {
        let line = String::from("to be");
        store.store(&line)?;
        store.store_many(["or", "not"])?;
        while store.wait(Duration::from_secs(1)) {}
        Ok(())
    });
    until(|| source.has_pending());
    source.stop();
    let range = source.next_range(BatchTime::default()).unwrap();
    let blocks = source.read_shared(&range).unwrap();
    let lines: Vec<&str> = blocks.iter().flat_map(|block| block.iter()).collect();
    assert_eq!(lines, ["to be", "or", "not"]);
}

#[test]
fn options_that_cannot_work_are_refused() {
    let refused = [
        ReceiverOptions::new().block_interval(Duration::ZERO),
        ReceiverOptions::new().max_rate(0),
        ReceiverOptions::new().buffer_bytes(0),
        ReceiverOptions::new().buffer_records(0),
    ];
    assert!(refused.iter().all(|options| options.check().is_err()));
}
