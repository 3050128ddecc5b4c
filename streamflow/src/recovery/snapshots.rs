//! Writing checkpoints, off the batch's path.
//!
//! After a batch the job thread collects what changed, encoded; a thread of its own writes and syncs it. While it does, the
//! next batches run. If it is still writing when the next checkpoint is due, that one is left out: its changes go into the
//! one after it.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::program::Program;
use super::restore::{NamedState, states};
use crate::checkpoint::{CheckpointStore, Due};
use crate::error::{Error, Result};
use crate::run::guard;
use crate::scheduler::listener::{Attempt, CheckpointEvents};
use crate::state::checkpointed::{Change, Extent};
use crate::time::{BatchTime, Stopwatch, lock};
use crate::topology::Graph;

/// The checkpoints of a running context.
pub(crate) struct Snapshots {
    store: Arc<Mutex<CheckpointStore>>,
    writing: Mutex<Option<JoinHandle<Result<Option<BatchTime>>>>>,
    busy: Arc<Busy>,
    /// Up to which batch nothing is needed, since it was last asked.
    horizon: Mutex<Option<BatchTime>>,
    events: CheckpointEvents,
}

/// Whether the thread writes, for those who wait for its end without taking its result.
#[derive(Default)]
struct Busy(Mutex<bool>, Condvar);

impl Busy {
    fn begin(self: &Arc<Self>) -> BusyUntilDropped {
        *lock(&self.0) = true;
        BusyUntilDropped(Arc::clone(self))
    }

    fn is_set(&self) -> bool {
        *lock(&self.0)
    }

    fn wait(&self) {
        let busy = self.1.wait_while(lock(&self.0), |busy| *busy);
        drop(busy.unwrap_or_else(PoisonError::into_inner));
    }
}

struct BusyUntilDropped(Arc<Busy>);

impl Drop for BusyUntilDropped {
    fn drop(&mut self) {
        *lock(&self.0.0) = false;
        self.0.1.notify_all();
    }
}

/// What is to be written of one state.
struct Piece {
    identity: String,
    fingerprint: String,
    due: Due,
    changes: Vec<Change>,
}

impl Snapshots {
    pub(crate) fn new(store: CheckpointStore, events: CheckpointEvents) -> Self {
        Self {
            store: Arc::new(Mutex::new(store)),
            writing: Mutex::new(None),
            busy: Arc::default(),
            horizon: Mutex::new(None),
            events,
        }
    }

    /// Begins a checkpoint after the batch of `time`, unless one is still being written.
    ///
    /// # Errors
    /// When a state cannot be encoded, or the last checkpoint could not be written.
    pub(crate) fn begin(&self, time: BatchTime, graph: &Graph, program: impl FnOnce() -> Program) -> Result<()> {
        if !self.collect(false)? {
            tracing::warn!(batch = %time, "the last checkpoint is still being written; this one is left out");
            self.events.left_out();
            return Ok(());
        }
        let watch = Stopwatch::start();
        self.launch(time, graph, program, watch).inspect_err(|error| {
            let attempt = Attempt { batch_time: time, collecting: watch.elapsed(), writing: Duration::ZERO };
            self.events.ended(attempt, lock(&self.store).weights(), Some(error));
        })
    }

    /// Collects what changed since `watch` was started, and starts the thread that writes it.
    fn launch(
        &self,
        time: BatchTime,
        graph: &Graph,
        program: impl FnOnce() -> Program,
        watch: Stopwatch,
    ) -> Result<()> {
        let store = lock(&self.store);
        let mut pieces = Vec::new();
        for (name, NamedState { state, fingerprint, .. }) in states(graph) {
            let due = if state.wants_base() { Due::Base } else { store.due(name, &fingerprint) };
            let extent = if due == Due::Base { Extent::Everything } else { Extent::Changes };
            pieces.push(Piece { identity: name.to_owned(), fingerprint, due, changes: state.save(extent)? });
        }
        drop(store);
        let program = program().encode()?;
        let store = Arc::clone(&self.store);
        let busy = self.busy.begin();
        let events = self.events.clone();
        let collecting = watch.elapsed();
        let thread = std::thread::Builder::new().name("checkpoint".to_owned());
        let thread = thread
            .spawn(move || {
                let _busy = busy;
                let mut store = lock(&store);
                let written = guard(|| write(&mut store, time, &pieces, program)).flatten();
                let attempt = Attempt { batch_time: time, collecting, writing: watch.elapsed() - collecting };
                events.ended(attempt, store.weights(), written.as_ref().err());
                written
            })
            .map_err(|error| Error::io("cannot start the thread that writes checkpoints", error))?;
        *lock(&self.writing) = Some(thread);
        Ok(())
    }

    /// Takes the result of the thread, if it is done or is to be waited for. Returns whether none is writing any more.
    fn collect(&self, wait: bool) -> Result<bool> {
        let mut writing = lock(&self.writing);
        // Not `is_finished`: the thread needs a moment to end after the last file is written.
        if !wait && writing.is_some() && self.busy.is_set() {
            return Ok(false);
        }
        let Some(thread) = writing.take() else { return Ok(true) };
        let horizon = thread.join().map_err(|_| Error::output("the thread that writes checkpoints panicked"))??;
        if horizon.is_some() {
            *lock(&self.horizon) = horizon;
        }
        Ok(true)
    }

    /// The batch up to which no restart needs a log, if that has moved.
    ///
    /// # Errors
    /// When the last checkpoint could not be written.
    pub(crate) fn take_horizon(&self) -> Result<Option<BatchTime>> {
        self.collect(false)?;
        Ok(lock(&self.horizon).take())
    }

    /// Waits for the checkpoint in the works, and leaves its result to the next batch.
    pub(crate) fn settle(&self) {
        self.busy.wait();
    }

    /// Waits for the checkpoint in the works.
    ///
    /// # Errors
    /// When it could not be written.
    pub(crate) fn finish(&self) -> Result<()> {
        self.collect(true).map(drop)
    }
}

fn write(
    store: &mut CheckpointStore,
    time: BatchTime,
    pieces: &[Piece],
    program: Vec<u8>,
) -> Result<Option<BatchTime>> {
    let gone: Vec<String> = store.latest().map_or_else(Vec::new, |manifest| {
        let names = manifest.operators.iter().map(|operator| operator.identity.clone());
        names.filter(|name| !pieces.iter().any(|piece| piece.identity == *name)).collect()
    });
    let mut writer = store.begin(time);
    // The start has seen to it that the program said so.
    gone.iter().for_each(|name| writer.drop_state(name));
    for Piece { identity, fingerprint, due, changes } in pieces {
        if changes.is_empty() && *due == Due::Delta {
            writer.keep(identity)?;
            continue;
        }
        let mut file = writer.write(identity, fingerprint, 1, *due)?;
        for Change { key, value } in changes {
            match value {
                Some(value) => file.upsert(0, key, value)?,
                None if *due == Due::Base => {}
                None => file.remove(0, key)?,
            }
        }
        let written = file.finish()?;
        writer.put(written)?;
    }
    writer.commit(program)?;
    Ok(store.horizon())
}
