//! Sized records of one partition in the hands of the task that reads them.
//!
//! When the task is the only reader, the records are moved out of the block. When others still need the block, they are
//! cloned a chunk at a time, so that the copy stays in the nearest cache. Records that are `Copy` need neither: a fused loop
//! reads them where they lie ([`Rows::as_slice`]).

use std::fmt;
use std::mem;
use std::sync::Arc;

/// Bytes of records cloned at once from a shared block. Smaller chunks would be read from memory in starts and stops, larger
/// ones would leave the caches before they are used.
const CHUNK_BYTES: usize = 64 << 10;

/// Records in a chunk.
const fn chunk_records<T>() -> usize {
    let size = if size_of::<T>() == 0 { 1 } else { size_of::<T>() };
    if size > CHUNK_BYTES { 1 } else { CHUNK_BYTES / size }
}

/// An iterator over the records of a partition, by value.
pub struct Rows<T> {
    ready: std::vec::IntoIter<T>,
    shared: Option<Shared<T>>,
}

struct Shared<T> {
    block: Arc<Vec<T>>,
    next: usize,
    clone: fn(&[T]) -> Vec<T>,
}

impl<T> Rows<T> {
    /// Moves the records out of `block` if nobody else holds it, and clones them as they are read otherwise.
    ///
    /// # Panics
    /// If the block is shared and its records cannot be cloned. Handles of streams can only be shared when their records
    /// are [`Fork`](super::Fork), which provides the cloner.
    pub(crate) fn new(block: Arc<Vec<T>>, clone: Option<fn(&[T]) -> Vec<T>>) -> Self {
        match Arc::try_unwrap(block) {
            Ok(records) => Self { ready: records.into_iter(), shared: None },
            Err(block) => {
                let clone = clone.expect("a shared stream has records that can be cloned");
                Self { ready: Vec::new().into_iter(), shared: Some(Shared { block, next: 0, clone }) }
            }
        }
    }

    /// The records that were not read yet, where they lie: in the block, if it is shared, also those that were cloned but
    /// not read.
    #[inline]
    pub(crate) fn as_slice(&self) -> &[T] {
        match &self.shared {
            Some(shared) => &shared.block[shared.next - self.ready.len()..],
            None => self.ready.as_slice(),
        }
    }

    /// The next chunk of records; nothing when all were read.
    pub(crate) fn next_chunk(&mut self) -> Option<std::vec::IntoIter<T>> {
        let ready = mem::take(&mut self.ready);
        if ready.len() > 0 { Some(ready) } else { refill(&mut self.shared) }
    }
}

/// Clones the next chunk of a shared block; nothing when all of it was read.
#[cold]
fn refill<T>(shared: &mut Option<Shared<T>>) -> Option<std::vec::IntoIter<T>> {
    let shared = shared.as_mut()?;
    let rest = &shared.block[shared.next..];
    let chunk = &rest[..rest.len().min(chunk_records::<T>())];
    shared.next += chunk.len();
    (!chunk.is_empty()).then(|| (shared.clone)(chunk).into_iter())
}

impl<T> Iterator for Rows<T> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match self.ready.next() {
            None => {
                self.ready = refill(&mut self.shared)?;
                self.ready.next()
            }
            record => record,
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let waiting = self.shared.as_ref().map_or(0, |shared| shared.block.len() - shared.next);
        let records = self.ready.len() + waiting;
        (records, Some(records))
    }
}

impl<T> fmt::Debug for Rows<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").field("remaining", &self.size_hint().0).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moves_when_alone_and_clones_when_shared() {
        let records: Vec<String> = (0..chunk_records::<String>() * 2 + 3).map(|n| n.to_string()).collect();
        let first = records[0].as_ptr();
        let block = Arc::new(records.clone());
        let cloned: Vec<String> = Rows::new(Arc::clone(&block), Some(<[String]>::to_vec)).collect();
        assert_eq!(cloned, records);
        drop(block);

        let moved: Vec<String> = Rows::new(Arc::new(records), None).collect();
        assert_eq!(moved[0].as_ptr(), first, "the string itself was moved");
        assert_eq!(moved, cloned);
    }

    #[test]
    fn a_slice_is_what_was_not_read_yet() {
        let records: Vec<u64> = (0..chunk_records::<u64>() as u64 * 2 + 3).collect();
        let block = Arc::new(records.clone());
        let mut shared = Rows::new(Arc::clone(&block), Some(<[u64]>::to_vec));
        let mut alone = Rows::new(Arc::new(records.clone()), None);
        assert_eq!(shared.as_slice().as_ptr(), block.as_ptr(), "nothing was copied");
        for read in [0, 1, chunk_records::<u64>(), 5] {
            for rows in [&mut shared, &mut alone] {
                let last = (read > 0).then(|| rows.nth(read - 1)).flatten();
                assert_eq!(rows.as_slice().len(), rows.size_hint().0);
                assert_eq!(*rows.as_slice(), records[last.map_or(0, |last| last as usize + 1)..]);
            }
        }
    }
}
