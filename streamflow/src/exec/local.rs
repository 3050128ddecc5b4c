//! Tasks on the threads of this process, by rayon.

use rayon::prelude::*;

use super::Executor;
use crate::error::{Error, Result};

/// Up to this many records a stage runs on the calling thread: waking another one costs more than it would save.
///
/// Waking and joining a sleeping rayon worker takes 5 to 20 µs, in which one thread shuffles some thousand records.
const INLINE_RECORDS: usize = 2_048;

/// A pool of rayon threads.
pub(crate) struct LocalExecutor {
    pool: rayon::ThreadPool,
}

impl LocalExecutor {
    /// A pool of `threads` threads, named after the program.
    pub(crate) fn new(name: &str, threads: usize) -> Result<Self> {
        let name = name.to_owned();
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(move |index| format!("{name}-worker-{index}"))
            .start_handler(|_| super::mark_batch_thread())
            .build()
            .map_err(|error| Error::invalid(format!("cannot start {threads} worker threads")).because(error))?;
        Ok(Self { pool })
    }
}

impl Executor for LocalExecutor {
    fn threads(&self) -> usize {
        self.pool.current_num_threads()
    }

    fn run(&self, tasks: usize, weight: usize, task: &(dyn Fn(usize) + Sync)) {
        if tasks <= 1 || weight <= INLINE_RECORDS || self.threads() == 1 {
            (0..tasks).for_each(task);
        } else {
            // One job a task: partitions are few and uneven, so rayon must not lump neighbours together.
            self.pool.install(|| (0..tasks).into_par_iter().with_max_len(1).for_each(task));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn every_task_runs_once_whatever_the_weight() {
        let exec = LocalExecutor::new("test", 3).unwrap();
        for weight in [0, usize::MAX] {
            let seen: Vec<AtomicUsize> = (0..100).map(|_| AtomicUsize::new(0)).collect();
            exec.run(seen.len(), weight, &|task| {
                seen[task].fetch_add(1, Ordering::SeqCst);
            });
            assert!(seen.iter().all(|count| count.load(Ordering::SeqCst) == 1));
        }
    }
}
