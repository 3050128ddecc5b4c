//! The life of a context: settings, start, stop, waiting, errors of batches, listeners.

mod batches;
mod errors;
mod intervals;
mod lifecycle;
mod listeners;
mod many;
mod settings;
mod stopping;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use streamflow::prelude::*;
use streamflow::source::{Source, SourceCx};
use streamflow::testing::{self, Driver};
use streamflow::{BatchTime, ManualClock, Result};

fn at(millis: u64) -> BatchTime {
    BatchTime::from_millis(millis)
}

/// A driver with one input of the numbers 1, 2, 3, one a batch.
fn counting() -> (Driver, testing::Collected<u32>) {
    let test = Driver::new().unwrap();
    let out = test.output(&test.input(vec![vec![1], vec![2], vec![3]]));
    (test, out)
}

#[derive(Debug, PartialEq)]
struct Unique(u32);

/// A source whose every step can be scripted; it delivers the number of reads before.
struct Scripted {
    start: fn() -> Result<()>,
    range: fn(BatchTime) -> Result<()>,
    read: fn(u64) -> Result<Vec<Vec<u64>>>,
    pending: bool,
    on_release: Option<Arc<AtomicU64>>,
    on_stop: Option<Box<dyn Fn() + Send>>,
    reads: u64,
}

impl Default for Scripted {
    fn default() -> Self {
        Self {
            start: || Ok(()),
            range: |_| Ok(()),
            read: |reads| Ok(vec![vec![reads]]),
            pending: false,
            on_release: None,
            on_stop: None,
            reads: 0,
        }
    }
}

impl Source for Scripted {
    type Record = u64;
    type Range = ();
    fn start(&mut self, _: &SourceCx) -> Result<()> {
        (self.start)()
    }
    fn next_range(&mut self, batch: BatchTime) -> Result<()> {
        (self.range)(batch)
    }
    fn read(&mut self, (): &()) -> Result<Vec<Vec<u64>>> {
        self.reads += 1;
        (self.read)(self.reads - 1)
    }
    fn has_pending(&self) -> bool {
        self.pending
    }
    fn release(&mut self, (): &()) {
        if let Some(released) = &self.on_release {
            released.fetch_add(1, Ordering::SeqCst);
        }
    }
    fn stop(&mut self) {
        if let Some(stopped) = &self.on_stop {
            stopped();
        }
    }
}

/// Sets the flag.
fn flag(flag: &Arc<AtomicBool>) -> Box<dyn Fn() + Send> {
    let flag = Arc::clone(flag);
    Box::new(move || flag.store(true, Ordering::SeqCst))
}

/// A context over a scripted source, with an output.
fn scripted(
    source: Scripted,
    settings: impl FnOnce(streamflow::StreamingContextBuilder) -> streamflow::StreamingContextBuilder,
) -> (StreamingContext, ManualClock) {
    let test = Driver::with(settings).unwrap();
    test.output(&test.context().source("scripted", source).unwrap());
    (test.context().clone(), test.clock().clone())
}
