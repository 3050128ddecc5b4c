//! The thread of a receiver: calls it, reports how it ended, and calls it again.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel as channel;

use super::receiver::{Receiver, Shared, Store};
use crate::error::{Error, Result};
use crate::run::guard;
use crate::scheduler::listener::ReceiverEvents;
use crate::time::Clock;

/// Tells the log and the listeners about one receiver.
pub(super) struct Reports {
    pub(super) receiver: String,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) events: ReceiverEvents,
}

impl Reports {
    /// The receiver was called.
    fn started(&self) {
        tracing::info!(receiver = %self.receiver, "receiver started");
        self.events.started();
    }

    /// Something went wrong, and the receiver goes on or is called again.
    pub(super) fn error(&self, error: Error) {
        tracing::warn!(receiver = %self.receiver, ?error, "receiver error");
        self.events.error(error, self.clock.now());
    }

    /// The receiver returned and is not called again.
    fn stopped(&self) {
        tracing::info!(receiver = %self.receiver, "receiver stopped");
        self.events.stopped();
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
        let thread = std::thread::Builder::new().name(format!("receiver {}", shared.reports.receiver));
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
        shared.reports.started();
        let outcome = guard(|| receiver.receive(store)).and_then(|outcome| outcome);
        if store.is_stopped() {
            // A stop makes many receivers fail in some way or other; an error that came with it says nothing new.
            if let Err(error) = outcome {
                tracing::debug!(receiver = %shared.reports.receiver, ?error, "the receiver failed while it was stopped");
            }
            break;
        }
        let error = match outcome {
            Ok(()) => Error::input("the receiver returned although it was not stopped"),
            Err(error) => error,
        };
        let error =
            Error::input(format!("receiver `{}` is started again after {restart_delay:?}", shared.reports.receiver))
                .because(error);
        shared.reports.error(error);
        if !store.wait(restart_delay) {
            break;
        }
    }
    shared.reports.stopped();
}
