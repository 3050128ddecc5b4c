//! Where tasks run.
//!
//! Stages know partitions, not threads: they hand a number of independent tasks to an [`Executor`]. [`local`] runs them on
//! rayon. Nothing but the buckets of a shuffle passes between tasks, so an executor may as well be spread over processes.

mod local;

use std::cell::Cell;

pub(crate) use local::LocalExecutor;

thread_local! {
    static RUNS_BATCHES: Cell<bool> = const { Cell::new(false) };
}

/// Marks the calling thread as one that batches need: it must not wait for the end of a batch.
pub(crate) fn mark_batch_thread() {
    RUNS_BATCHES.set(true);
}

/// Whether batches need the calling thread.
pub(crate) fn is_batch_thread() -> bool {
    RUNS_BATCHES.get()
}

/// Runs the tasks of a stage.
///
/// # Contract
/// `run` calls `task` exactly once with every number below `tasks`, from any thread, and returns when all calls have
/// returned. Tasks do not panic: they catch the panics of the user's closures themselves.
pub(crate) trait Executor: Send + Sync {
    /// Number of tasks that can run at once.
    fn threads(&self) -> usize;
    /// Runs `tasks` tasks; `weight` is about the number of records that they read together.
    fn run(&self, tasks: usize, weight: usize, task: &(dyn Fn(usize) + Sync));
}
