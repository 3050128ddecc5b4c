//! A list that grows without moving what it holds.
//!
//! A task that lets rows through fills many lists at once and does not know how long they get. Vectors that double would
//! copy every row once more and touch twice the memory; a list of chunks does neither.

/// Items of the first chunk that nobody foresaw. Each following one has room for twice as many, up to [`MOST`], so that short
/// lists waste little.
const FIRST: usize = 32;
/// Items of a long list's chunk: few enough that the last, half empty one of each list does not matter.
const MOST: usize = 256;
/// Most items of a chunk that was foreseen.
const MOST_FORESEEN: usize = 4_096;

/// Items in the order in which they were added.
pub(crate) struct Chunks<T> {
    full: Vec<Vec<T>>,
    last: Vec<T>,
    /// Room of the next chunk.
    room: usize,
}

impl<T> Chunks<T> {
    /// A list that may get about so many items; the first chunk then holds them all.
    pub(crate) fn new(foreseen: usize) -> Self {
        let room = foreseen.saturating_add(foreseen / 4).clamp(FIRST, MOST_FORESEEN);
        Self { full: Vec::new(), last: Vec::new(), room }
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
        let full = std::mem::replace(&mut self.last, Vec::with_capacity(self.room));
        if full.is_empty() {
            self.room = FIRST;
        } else {
            self.full.push(full);
            self.room = (2 * self.room).min(MOST);
        }
    }

    /// The items, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.full.iter().flatten().chain(&self.last)
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
        for count in [0, 1, FIRST, FIRST + 1, FIRST * 3, FIRST * 3 + 1, MOST * 3] {
            for foreseen in [0, count, count / 2, usize::MAX] {
                let mut chunks = Chunks::new(foreseen);
                (0..count).for_each(|item| chunks.push(item));
                assert_eq!(chunks.len(), count);
                assert!(chunks.iter().copied().eq(0..count));
                assert!(chunks.into_chunks().flatten().eq(0..count));
            }
        }
    }
}
