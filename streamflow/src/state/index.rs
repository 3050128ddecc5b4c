//! Where keys are: the numbers of their slots, by their hashes.
//!
//! A hash table with open addresses of four bytes each: the number of a slot, and as many bits of the hash as there is room
//! for beside it. So a key is found by a look at one line of memory here and one at its slot, and the lines here are few
//! enough to be near more often than not. What a growing table needs of the other bits it asks of the keys.

use super::pages;

/// Numbers of slots, by the hashes of their keys.
///
/// **Invariant**: a quarter of the places is empty, if there are any; between the home of an entry and its place none is.
#[derive(Default)]
pub(crate) struct Index {
    /// As many as a power of two, or none.
    entries: Vec<Entry>,
    /// Entries that hold a number, and those that held one.
    filled: usize,
    len: usize,
}

/// In the lower bits, of which there are as many as number the places, one more than a number, or 0; above them a part of
/// the hash.
type Entry = u32;

/// Nothing was ever here.
const EMPTY: Entry = 0;

impl Index {
    /// Places that an index begins with.
    const SMALLEST: usize = 16;

    /// The bits of a number.
    #[inline]
    fn bits(&self) -> u32 {
        self.entries.len().trailing_zeros()
    }

    #[inline]
    fn home(&self, hash: u64) -> usize {
        // Not the bits in the middle, which pick the partition: the keys of a table share the upper ones.
        hash.rotate_left(8) as u32 as usize & (self.entries.len() - 1)
    }

    /// An entry without a number.
    #[inline]
    fn tag(&self, hash: u64) -> Entry {
        ((hash >> 24) as u32) << self.bits()
    }

    /// What a place has after its number went.
    #[inline]
    fn gone(&self) -> Entry {
        1 << self.bits()
    }

    #[inline]
    fn number(&self, entry: Entry) -> Option<u32> {
        (entry & (self.gone() - 1)).checked_sub(1)
    }

    /// The places from the home of a hash on.
    #[inline]
    fn places(&self, hash: u64) -> impl Iterator<Item = usize> + use<> {
        let (home, last) = (self.home(hash), self.entries.len() - 1);
        (0..).map(move |step| (home + step) & last)
    }

    /// The first number at this hash that is the one.
    #[inline]
    pub(crate) fn find(&self, hash: u64, is: impl Fn(u32) -> bool) -> Option<u32> {
        if self.entries.is_empty() {
            return None;
        }
        let (tag, bits) = (self.tag(hash), self.bits());
        for place in self.places(hash) {
            let entry = self.entries[place];
            if entry == EMPTY {
                break;
            }
            if (entry ^ tag) >> bits == 0
                && let Some(number) = self.number(entry)
                && is(number)
            {
                return Some(number);
            }
        }
        None
    }

    /// Asks for what a look-up of this hash reads first.
    #[inline]
    pub(crate) fn bring_near(&self, hash: u64) {
        if !self.entries.is_empty() {
            pages::bring_near(self.entries.get(self.home(hash)));
        }
    }

    /// Whether there is room for a further number.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        (self.filled + 1) * 4 <= self.entries.len() * 3
    }

    /// Makes room for a further number, from all that there are, with their hashes.
    #[cold]
    pub(crate) fn make_room(&mut self, all: impl Iterator<Item = (u64, u32)>) {
        // Where most places were only filled once, they are emptied, and there is room enough.
        let full = self.len * 2 >= self.entries.len();
        let size = (self.entries.len() << u32::from(full)).max(Self::SMALLEST);
        assert!(size.trailing_zeros() < Entry::BITS, "a partition has fewer than 2^30 keys");
        let mut entries = pages::with_room(size);
        entries.resize(size, EMPTY);
        *self = Self { entries, filled: 0, len: 0 };
        all.for_each(|(hash, number)| self.insert(hash, number));
    }

    /// Adds a number that is not in it, where there is room. Numbers must be used again: none is larger than there were
    /// numbers at a time.
    #[inline]
    pub(crate) fn insert(&mut self, hash: u64, number: u32) {
        assert!(number + 1 < self.gone(), "a number has its place beside a part of the hash");
        let free = |place: &usize| self.number(self.entries[*place]).is_none();
        let place = self.places(hash).find(free).expect("a place is empty");
        self.filled += usize::from(self.entries[place] == EMPTY);
        self.entries[place] = self.tag(hash) | (number + 1);
        self.len += 1;
    }

    /// Takes out a number; nothing happens if it is not there.
    #[inline]
    pub(crate) fn remove(&mut self, hash: u64, number: u32) {
        if self.entries.is_empty() {
            return;
        }
        let wanted = self.tag(hash) | (number + 1);
        let there = |place: &usize| self.entries[*place] == EMPTY || self.entries[*place] == wanted;
        let place = self.places(hash).find(there).expect("a place is empty");
        if self.entries[place] == wanted {
            self.len -= 1;
            self.clear_place(place);
        }
    }

    /// Empties a place if nobody looks for anything beyond it, and what was to be emptied before it.
    #[inline]
    fn clear_place(&mut self, mut place: usize) {
        let (gone, last) = (self.gone(), self.entries.len() - 1);
        self.entries[place] = gone;
        if self.entries[(place + 1) & last] == EMPTY {
            while self.entries[place] == gone {
                self.entries[place] = EMPTY;
                self.filled -= 1;
                place = place.wrapping_sub(1) & last;
            }
        }
    }

    /// Takes out everything.
    pub(crate) fn clear(&mut self) {
        self.entries.fill(EMPTY);
        (self.filled, self.len) = (0, 0);
    }

    pub(crate) fn bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    /// Numbers below a limit, without a pattern.
    fn random() -> impl FnMut(u64) -> u64 {
        let mut state = 7_u64;
        move |limit| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            ((state >> 32) * limit) >> 32
        }
    }

    /// An index, and what it should hold.
    #[derive(Default)]
    struct Checked {
        index: Index,
        hashes: HashMap<u32, u64>,
    }

    impl Checked {
        fn insert(&mut self, hash: u64, number: u32) {
            if !self.index.has_room() {
                self.index.make_room(self.hashes.iter().map(|(number, hash)| (*hash, *number)));
            }
            self.index.insert(hash, number);
            assert_eq!(self.hashes.insert(number, hash), None);
        }

        fn remove(&mut self, number: u32) {
            let hash = self.hashes.remove(&number).unwrap_or(3);
            self.index.remove(hash, number);
        }

        fn check(&self) {
            let found = |(number, hash): (&u32, &u64)| self.index.find(*hash, |found| found == *number).is_some();
            assert!(self.hashes.iter().all(found));
            let numbers = self.index.entries.iter().filter_map(|entry| self.index.number(*entry));
            assert_eq!(numbers.count(), self.hashes.len());
            assert_eq!(self.index.len, self.hashes.len());
            let filled = self.index.entries.iter().filter(|entry| **entry != EMPTY).count();
            assert_eq!(self.index.filled, filled);
            assert!(filled * 4 <= self.index.entries.len() * 3);
        }
    }

    #[test]
    fn an_index_agrees_with_a_map() {
        // Few homes, the last: long rows of entries, which go around the table.
        for homes in [1, 3, 50, 1 << 32] {
            let (mut checked, mut random, mut free) = (Checked::default(), random(), Vec::new());
            for step in 0..2_000 {
                let number = free.pop().unwrap_or(checked.hashes.len() as u32);
                checked.insert((u64::from(u32::MAX) - random(homes)).rotate_right(8) ^ (random(4) << 30), number);
                if random(4) != 0 {
                    let gone = random(u64::from(number) + 10) as u32;
                    free.extend(checked.hashes.contains_key(&gone).then_some(gone));
                    checked.remove(gone);
                }
                if step % 50 == 0 {
                    checked.check();
                }
            }
            checked.check();
            checked.index.clear();
            checked.hashes.clear();
            checked.check();
        }
    }

    #[test]
    fn an_index_whose_keys_come_and_go_does_not_grow() {
        let (mut checked, mut random) = (Checked::default(), random());
        for number in 0..20_000_u32 {
            checked.insert(random(1 << 32).wrapping_mul(0x9e37_79b9_7f4a_7c15), number % 1_000);
            if number >= 500 {
                checked.remove((number - 500) % 1_000);
            }
        }
        checked.check();
        assert!(checked.index.entries.len() <= 2_048, "{}", checked.index.entries.len());
        assert_eq!(Index::default().find(3, |_| true), None);
        Index::default().remove(3, 3);
    }
}
