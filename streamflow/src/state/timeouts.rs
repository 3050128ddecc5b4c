//! Which keys have been idle for too long.
//!
//! Numbers are filed in lists by the batch that touched them first. A list is looked at when its batch is long enough ago;
//! a number that was touched since goes to the list of that batch. So a key is looked at once for each timeout that passes,
//! nothing ever scans all keys, and a record of a known key costs one write.

use std::collections::VecDeque;

use super::bits::Bits;
use crate::time::BatchTime;

/// The batches that touched something and are not due yet, and when each number was touched.
#[derive(Default)]
pub(crate) struct Timeouts {
    /// The oldest first.
    batches: VecDeque<Filed>,
    /// The count of the first of `batches`; it may wrap around, since no more than 2^31 batches wait at a time.
    first: u32,
    /// The count of the batch that touched each number last.
    touched: Vec<u32>,
    /// Numbers that are in a list. One that was freed stays there until its list is looked at, and if it is used again
    /// meanwhile it needs no second place: its list comes up early enough.
    listed: Bits,
}

/// A batch, and numbers that were touched in it or later.
struct Filed {
    time: BatchTime,
    numbers: Vec<u32>,
}

impl Timeouts {
    /// The place of a batch among those that wait.
    #[inline]
    fn place(&mut self, time: BatchTime) -> usize {
        match self.batches.back() {
            Some(last) if last.time == time => self.batches.len() - 1,
            Some(last) if last.time > time => {
                self.batches.binary_search_by_key(&time, |batch| batch.time).expect("batches are opened in order")
            }
            _ => {
                self.batches.push_back(Filed { time, numbers: Vec::new() });
                self.batches.len() - 1
            }
        }
    }

    /// Makes known the batches that [`touch`](Self::touch) is told of in any order, the oldest first.
    pub(crate) fn open(&mut self, times: impl IntoIterator<Item = BatchTime>) {
        for time in times {
            self.place(time);
        }
    }

    /// Notes that a batch touches a number.
    ///
    /// # Panics
    /// If the batch is older than another one and was not opened before it.
    #[inline]
    pub(crate) fn touch(&mut self, number: u32, time: BatchTime) {
        let place = self.place(time);
        if self.touched.len() <= number as usize {
            self.touched.resize(number as usize + 1, 0);
        }
        self.touched[number as usize] = self.first.wrapping_add(place as u32);
        if self.listed.insert(number) {
            self.batches[place].numbers.push(number);
        }
    }

    /// When a number was touched that is in use.
    pub(crate) fn touched(&self, number: u32) -> BatchTime {
        self.batches[self.touched[number as usize].wrapping_sub(self.first) as usize].time
    }

    /// The numbers in use that were last touched before `threshold`, each once; they are to be freed.
    pub(crate) fn due(&mut self, threshold: BatchTime, used: &Bits) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some(batch) = self.batches.pop_front_if(|batch| batch.time < threshold) {
            self.first = self.first.wrapping_add(1);
            for number in batch.numbers {
                if !used.contains(number) {
                    self.listed.remove(number);
                    continue;
                }
                let place = self.touched[number as usize].wrapping_sub(self.first);
                if let Some(later) = self.batches.get_mut(place as usize) {
                    later.numbers.push(number);
                } else {
                    self.listed.remove(number);
                    due.push(number);
                }
            }
        }
        due
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn bytes(&self) -> usize {
        // A number is in one list at most.
        2 * self.touched.capacity() * size_of::<u32>() + self.listed.bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> BatchTime {
        BatchTime::from_millis(millis)
    }

    fn used(numbers: impl IntoIterator<Item = u32>) -> Bits {
        let mut used = Bits::default();
        used.extend(numbers);
        used
    }

    #[test]
    fn a_number_that_is_touched_again_comes_up_later() {
        let (mut timeouts, used) = (Timeouts::default(), used(0..3));
        (0..3).for_each(|number| timeouts.touch(number, at(10)));
        timeouts.touch(1, at(20));
        assert_eq!([1, 2].map(|number| timeouts.touched(number)), [at(20), at(10)]);
        assert_eq!(timeouts.due(at(10), &used), [0; 0], "strictly before the threshold");
        assert_eq!(timeouts.due(at(11), &used), [0, 2]);
        assert_eq!(timeouts.touched(1), at(20));
        assert_eq!(timeouts.due(at(20), &used), [0; 0]);
        assert_eq!(timeouts.due(at(100), &used), [1]);
    }

    #[test]
    fn all_batches_that_are_due_come_up_at_once() {
        let (mut timeouts, used) = (Timeouts::default(), used([0, 1]));
        timeouts.touch(0, at(10));
        timeouts.touch(1, at(20));
        timeouts.touch(0, at(30));
        assert_eq!(timeouts.due(at(100), &used), [1, 0], "each once, by the last touch");
        assert!(timeouts.batches.is_empty());
    }

    #[test]
    fn a_number_that_was_freed_is_not_due_and_is_listed_once_when_it_is_used_again() {
        let mut timeouts = Timeouts::default();
        timeouts.touch(0, at(10));
        timeouts.touch(1, at(10));
        // Both are freed. 0 is used again while it is in the list of the first batch, 1 after that list is gone.
        timeouts.touch(0, at(30));
        assert_eq!(timeouts.due(at(11), &used([0])), [0; 0]);
        timeouts.touch(1, at(40));
        assert_eq!(timeouts.batches.iter().map(|batch| batch.numbers.len()).sum::<usize>(), 2);
        assert_eq!(timeouts.due(at(31), &used([0, 1])), [0]);
        assert_eq!(timeouts.due(at(41), &used([1])), [1]);
    }

    #[test]
    fn counts_may_wrap_around() {
        let (mut timeouts, used) = (Timeouts { first: u32::MAX, ..Timeouts::default() }, used([0, 1]));
        timeouts.touch(0, at(10));
        timeouts.touch(1, at(20));
        timeouts.touch(0, at(30));
        assert_eq!([0, 1].map(|number| timeouts.touched(number)), [at(30), at(20)]);
        assert_eq!(timeouts.due(at(21), &used), [1]);
        assert_eq!(timeouts.due(at(31), &used), [0]);
    }

    #[test]
    fn states_from_before_come_in_any_order() {
        let (mut timeouts, used) = (Timeouts::default(), used(0..3));
        timeouts.open([at(10), at(20)]);
        timeouts.touch(0, at(20));
        timeouts.touch(1, at(10));
        timeouts.touch(2, at(30));
        assert_eq!(timeouts.due(at(15), &used), [1]);
        assert_eq!(timeouts.due(at(25), &used), [0]);
    }
}
