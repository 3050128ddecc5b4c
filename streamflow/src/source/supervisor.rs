//! The thread of a receiver: calls it, reports how it ended, and calls it again.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel as channel;

use super::receiver::{Receiver, Shared, Store};
use crate::error::{Error, Result};
use crate::run::guard;

/// Who wants to know about receivers. The context's listeners are to be put here.
pub(crate) trait ReceiverEvents: Send + Sync {
    /// The receiver was called.
    fn started(&self, receiver: &str);
    /// Something went wrong, and the receiver goes on or is called again.
    fn error(&self, receiver: &str, error: &Error);
    /// The receiver returned and is not called again.
    fn stopped(&self, receiver: &str);
}

/// Reports by `tracing`.
pub(crate) struct TracingEvents;

impl ReceiverEvents for TracingEvents {
    fn started(&self, receiver: &str) {
        tracing::info!(receiver, "receiver started");
    }

    fn error(&self, receiver: &str, error: &Error) {
        tracing::warn!(receiver, error = ?error, "receiver error");
    }

    fn stopped(&self, receiver: &str) {
        tracing::info!(receiver, "receiver stopped");
    }
}

/// A running receiver.
pub(super) struct Supervisor {
    ended: channel::Receiver<()>,
}

impl Supervisor {
    /// Starts the thread.
    pub(super) fn start<R: Receiver>(
        mut receiver: R,
        store: Store<R::Record>,
        shared: &Arc<Shared<R::Record>>,
        restart_delay: Duration,
    ) -> Result<Self> {
        let (alive, ended) = channel::bounded::<()>(0);
        let shared = Arc::clone(shared);
        let thread = std::thread::Builder::new().name(format!("receiver {}", shared.name));
        let spawned = thread.spawn(move || {
            // Dropped when the thread ends, which is what `wait` waits for.
            let _alive = alive;
            supervise(&mut receiver, &store, &shared, restart_delay);
        });
        spawned.map_err(|error| Error::io("cannot start the thread of a receiver", error))?;
        Ok(Self { ended })
    }

    /// Waits until the thread has ended; `false` if it takes longer.
    pub(super) fn wait(&self, timeout: Duration) -> bool {
        !matches!(self.ended.recv_timeout(timeout), Err(channel::RecvTimeoutError::Timeout))
    }
}

fn supervise<R: Receiver>(
    receiver: &mut R,
    store: &Store<R::Record>,
    shared: &Shared<R::Record>,
    restart_delay: Duration,
) {
    while !store.is_stopped() {
        shared.events.started(&shared.name);
        let outcome = guard(|| receiver.receive(store)).and_then(|outcome| outcome);
        if store.is_stopped() {
            // A stop makes many receivers fail in some way or other; an error that came with it says nothing new.
            if let Err(error) = outcome {
                tracing::debug!(receiver = %shared.name, ?error, "the receiver failed while it was stopped");
            }
            break;
        }
        let error = match outcome {
            Ok(()) => Error::input("the receiver returned although it was not stopped"),
            Err(error) => error,
        };
        let error =
            Error::input(format!("receiver `{}` is started again after {restart_delay:?}", shared.name)).because(error);
        shared.events.error(&shared.name, &error);
        if !store.wait(restart_delay) {
            break;
        }
    }
    shared.events.stopped(&shared.name);
}
