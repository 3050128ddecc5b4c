//! A list that grows without moving what it holds.
//!
//! A task that lets rows through fills many lists at once and does not know how long they get. Vectors that double would
//! copy every row once more and touch twice the memory; a list of chunks does neither.

/// Items of a chunk: few enough that the last, half empty one of each list does not matter.
const CHUNK: usize = 256;

/// Items in the order in which they were added.
pub(crate) struct Chunks<T> {
    full: Vec<Vec<T>>,
    last: Vec<T>,
}

impl<T> Chunks<T> {
    pub(crate) const fn new() -> Self {
        Self { full: Vec::new(), last: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.full.iter().map(Vec::len).sum::<usize>() + self.last.len()
    }

    #[inline]
    pub(crate) fn push(&mut self, item: T) {
        if self.last.len() == self.last.capacity() {
            self.next_chunk();
        }
        self.last.spare_capacity_mut()[0].write(item);
        // SAFETY: there was room for one more item, which was just written.
        unsafe { self.last.set_len(self.last.len() + 1) };
    }

    #[cold]
    fn next_chunk(&mut self) {
        let full = std::mem::replace(&mut self.last, Vec::with_capacity(CHUNK));
        if !full.is_empty() {
            self.full.push(full);
        }
    }

    /// The chunks, in order.
    pub(crate) fn into_chunks(self) -> impl Iterator<Item = Vec<T>> {
        self.full.into_iter().chain([self.last])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_keep_their_order() {
        for count in [0, 1, CHUNK, CHUNK + 1, CHUNK * 3] {
            let mut chunks = Chunks::new();
            (0..count).for_each(|item| chunks.push(item));
            assert_eq!(chunks.len(), count);
            assert!(chunks.into_chunks().flatten().eq(0..count));
        }
    }
}
