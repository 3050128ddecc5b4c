//! A queue of collections as an input: what tests and demonstrations feed by hand.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use super::{Source, SourceCx};
use crate::batch_context::cut_records;
use crate::error::Result;
use crate::time::{BatchTime, lock};

/// Collections that wait to become batches; clones are the same queue.
///
/// Push before and after the start of the context.
///
/// # Examples
/// ```
/// use streamflow::source::Queue;
///
/// let queue = Queue::from_iter([vec![1, 2], vec![3]]);
/// queue.push(vec![4]);
/// assert_eq!(queue.len(), 3);
/// ```
pub struct Queue<T>(Arc<Mutex<VecDeque<Vec<T>>>>);

impl<T> Queue<T> {
    /// An empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a collection at the end.
    pub fn push(&self, records: Vec<T>) {
        lock(&self.0).push_back(records);
    }

    /// Number of collections that no batch has been given yet.
    #[must_use]
    pub fn len(&self) -> usize {
        lock(&self.0).len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> FromIterator<Vec<T>> for Queue<T> {
    fn from_iter<I: IntoIterator<Item = Vec<T>>>(batches: I) -> Self {
        Self(Arc::new(Mutex::new(batches.into_iter().collect())))
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("len", &self.len()).finish()
    }
}

/// The stream's end of a queue.
pub(super) struct QueueSource<T> {
    queue: Queue<T>,
    one_at_a_time: bool,
    parallelism: usize,
}

impl<T> QueueSource<T> {
    pub(super) fn new(queue: Queue<T>, one_at_a_time: bool) -> Self {
        Self { queue, one_at_a_time, parallelism: 1 }
    }
}

impl<T: Clone + Send + Sync + 'static> Source for QueueSource<T> {
    type Record = T;
    type Range = Vec<Arc<Vec<T>>>;

    fn start(&mut self, cx: &SourceCx) -> Result<()> {
        self.parallelism = cx.parallelism;
        Ok(())
    }

    fn next_range(&mut self, _: BatchTime) -> Result<Self::Range> {
        let mut queue = lock(&self.queue.0);
        let taken = if self.one_at_a_time { queue.len().min(1) } else { queue.len() };
        let taken: Vec<Vec<T>> = queue.drain(..taken).collect();
        drop(queue);
        Ok(taken.into_iter().flat_map(|records| cut_records(records, self.parallelism)).collect())
    }

    fn read(&mut self, range: &Self::Range) -> Result<Vec<Vec<T>>> {
        Ok(range.iter().map(|block| block.to_vec()).collect())
    }

    fn read_shared(&mut self, range: &Self::Range) -> Result<Vec<Arc<Vec<T>>>> {
        Ok(range.clone())
    }

    fn has_pending(&self) -> bool {
        !self.queue.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ManualClock;

    fn batches(one_at_a_time: bool, queue: &Queue<u32>, batches: usize) -> Vec<Vec<Vec<u32>>> {
        let mut source = QueueSource::new(queue.clone(), one_at_a_time);
        source.start(&super::super::test_cx(&ManualClock::new())).unwrap();
        let mut next = || {
            let range = source.next_range(BatchTime::default()).unwrap();
            source.read(&range).unwrap()
        };
        (0..batches).map(|_| next()).collect()
    }

    #[test]
    fn one_collection_a_batch() {
        let queue = Queue::from_iter([vec![1, 2, 3], vec![4]]);
        let out = batches(true, &queue, 3);
        assert_eq!(out, [vec![vec![1], vec![2, 3]], vec![vec![], vec![4]], vec![]]);
        queue.push(vec![5]);
        assert_eq!(batches(true, &queue, 1)[0].concat(), [5]);
    }

    #[test]
    fn all_that_waits_in_one_batch() {
        let queue = Queue::from_iter([vec![1, 2, 3], vec![4], vec![]]);
        let out = batches(false, &queue, 2);
        assert_eq!(out[0].concat(), [1, 2, 3, 4]);
        assert!(out[1].is_empty());
    }
}
