//! What is known of a context's progress, and waiting for it to change.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::time::{BatchTime, lock};

/// Where a context is in its life: it starts once and stops once.
///
/// **Source**: Spark's `StreamingContextState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContextState {
    /// Streams and outputs can be declared; nothing runs.
    Initialized,
    /// Batches run.
    Active,
    /// Stopped for good, or its start has failed.
    Stopped,
}

/// The progress of a context; whoever waits for it is woken by every change.
pub(crate) struct Status {
    progress: Mutex<Progress>,
    changed: Condvar,
}

pub(crate) struct Progress {
    pub(crate) state: ContextState,
    /// The first error of a batch.
    pub(crate) error: Option<Error>,
    /// The last batch that was completed.
    pub(crate) completed: Option<BatchTime>,
    /// The generator makes no more batches.
    pub(crate) generated_all: bool,
    /// The job thread takes no more batches.
    pub(crate) processed_all: bool,
}

impl Status {
    pub(crate) fn new() -> Self {
        let progress = Progress {
            state: ContextState::Initialized,
            error: None,
            completed: None,
            generated_all: false,
            processed_all: false,
        };
        Self { progress: Mutex::new(progress), changed: Condvar::new() }
    }

    pub(crate) fn look<R>(&self, look: impl FnOnce(&Progress) -> R) -> R {
        look(&lock(&self.progress))
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Progress)) {
        change(&mut lock(&self.progress));
        self.changed.notify_all();
    }

    /// Keeps an error for those who wait; the first one counts.
    pub(crate) fn report(&self, error: Error) {
        self.change(|progress| {
            progress.error.get_or_insert(error);
        });
    }

    /// Waits until `done` holds.
    pub(crate) fn wait(&self, done: impl Fn(&Progress) -> bool) -> MutexGuard<'_, Progress> {
        let progress = lock(&self.progress);
        self.changed.wait_while(progress, |progress| !done(progress)).unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until `done` holds, or for this long by the machine's clock; says whether it holds.
    pub(crate) fn wait_timeout(&self, timeout: Duration, done: impl Fn(&Progress) -> bool) -> bool {
        let progress = lock(&self.progress);
        let waited = self.changed.wait_timeout_while(progress, timeout, |progress| !done(progress));
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// What someone who waits for the end gets to know: whether it has come, or the first error.
    pub(crate) fn outcome(&self) -> Result<bool> {
        self.look(|progress| match &progress.error {
            Some(error) => Err(error.clone()),
            None => Ok(progress.state == ContextState::Stopped),
        })
    }
}
