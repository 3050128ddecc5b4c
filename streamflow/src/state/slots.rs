//! Keys and states side by side, each pair under a number that stays its own.
//!
//! A visit to all of them walks through memory from front to back, and only a set of bits says which numbers are in use,
//! so a key of eight bytes with a state of eight bytes takes sixteen. A number that was freed is given to the next new key,
//! the last freed first.

use std::mem::MaybeUninit;
use std::ptr;

use super::bits::{Bits, WORD, numbers};
use super::pages;

/// A key and its state.
pub(crate) struct Slot<K, S> {
    pub(crate) key: K,
    pub(crate) state: S,
}

/// Slots by their numbers.
///
/// While a function of the user has the state of a slot, the slot does not count as used. If the function panics, the slot
/// stays unused, and what is left in it is leaked.
pub(crate) struct Slots<K, S> {
    /// **Invariant**: a slot whose number is in `used` is initialised.
    slots: Vec<MaybeUninit<Slot<K, S>>>,
    used: Bits,
    free: Vec<u32>,
}

impl<K, S> Default for Slots<K, S> {
    fn default() -> Self {
        Self { slots: Vec::new(), used: Bits::default(), free: Vec::new() }
    }
}

impl<K, S> Slots<K, S> {
    /// How many are in use.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn used(&self) -> &Bits {
        &self.used
    }

    /// A slot that is in use.
    #[inline]
    pub(crate) fn get(&self, number: u32) -> Option<&Slot<K, S>> {
        if !self.used.contains(number) {
            return None;
        }
        // SAFETY: the number is in `used`, so the slot is initialised.
        self.slots.get(number as usize).map(|slot| unsafe { slot.assume_init_ref() })
    }

    /// Asks for a slot that is read next.
    #[inline]
    pub(crate) fn bring_near(&self, number: u32) {
        pages::bring_near(self.slots.get(number as usize));
    }

    /// Gives a key a number.
    pub(crate) fn insert(&mut self, key: K, state: S) -> u32 {
        let slot = MaybeUninit::new(Slot { key, state });
        let number = if let Some(number) = self.free.pop() {
            self.slots[number as usize] = slot;
            number
        } else {
            if self.slots.len() == self.slots.capacity() {
                // By half, not by the double: with many keys this is most of the memory.
                let mut larger = pages::with_room(self.slots.len() + self.slots.len() / 2 + 8);
                larger.append(&mut self.slots);
                self.slots = larger;
            }
            self.slots.push(slot);
            u32::try_from(self.slots.len() - 1).expect("a partition has fewer than 2^30 keys")
        };
        self.used.insert(number);
        number
    }

    /// Frees a number.
    pub(crate) fn remove(&mut self, number: u32) -> Option<Slot<K, S>> {
        if !self.used.contains(number) {
            return None;
        }
        self.used.remove(number);
        self.free.push(number);
        // SAFETY: the slot was in use, so it is initialised; its number is out of `used`, so it is read once.
        Some(unsafe { self.slots[number as usize].assume_init_read() })
    }

    /// Replaces the state of a slot in use by what the function makes of it; without one frees the number and returns the
    /// key.
    #[inline]
    pub(crate) fn update(&mut self, number: u32, function: impl FnOnce(&K, S) -> Option<S>) -> Option<K> {
        assert!(self.used.contains(number), "a slot that is in use is updated");
        self.used.remove(number);
        // SAFETY: the slot was in use and does not count as used any more.
        let gone = unsafe { update(&mut self.slots[number as usize], function) };
        match gone {
            None => {
                self.used.insert(number);
            }
            Some(_) => self.free.push(number),
        }
        gone
    }

    /// The same for the slots of a word of [`used`](Self::used); keys without a new state go to `gone`.
    #[inline]
    pub(crate) fn update_word(
        &mut self,
        word: usize,
        mut function: impl FnMut(u32, &K, S) -> Option<S>,
        mut gone: impl FnMut(u32, K),
    ) {
        let used = std::mem::take(self.used.word_mut(word));
        let first = word as u32 * WORD;
        let mut stay = used;
        let slots = &mut self.slots[first as usize..];
        let mut visit = |bit: u32, slot: &mut MaybeUninit<Slot<K, S>>| {
            // SAFETY: the slot was in use, does not count as used any more, and is visited once.
            if let Some(key) = unsafe { update(slot, |key, state| function(first + bit, key, state)) } {
                stay &= !(1 << bit);
                gone(first + bit, key);
            }
        };
        if used == u64::MAX {
            (0..WORD).zip(&mut slots[..WORD as usize]).for_each(|(bit, slot)| visit(bit, slot));
        } else {
            numbers(0, used).for_each(|bit| visit(bit, &mut slots[bit as usize]));
        }
        *self.used.word_mut(word) = stay;
        self.free.extend(numbers(word, used & !stay));
    }

    /// All slots in use, by their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Slot<K, S>)> {
        self.used.iter().filter_map(|number| Some((number, self.get(number)?)))
    }

    /// Frees all numbers, and hands out what they were in use for.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = (u32, Slot<K, S>)> + use<K, S> {
        let mut all = std::mem::take(self);
        (0..all.slots.len() as u32).filter_map(move |number| Some((number, all.remove(number)?)))
    }

    pub(crate) fn bytes(&self) -> usize {
        self.slots.capacity() * size_of::<Slot<K, S>>() + self.used.bytes() + self.free.capacity() * size_of::<u32>()
    }
}

/// Replaces the state of a slot; without a new state moves out the key, and leaves nothing in the slot.
///
/// # Safety
/// The slot is initialised, and does not count as used: if the function panics, the state is gone.
#[inline(always)]
unsafe fn update<K, S>(slot: &mut MaybeUninit<Slot<K, S>>, function: impl FnOnce(&K, S) -> Option<S>) -> Option<K> {
    // SAFETY: the caller says that the slot is initialised. Its state is moved out, then either written again or, with the
    // key, not used again.
    unsafe {
        let slot = slot.assume_init_mut();
        match function(&slot.key, ptr::read(&raw const slot.state)) {
            Some(state) => {
                ptr::write(&raw mut slot.state, state);
                None
            }
            None => Some(ptr::read(&raw const slot.key)),
        }
    }
}

impl<K, S> Drop for Slots<K, S> {
    fn drop(&mut self) {
        if std::mem::needs_drop::<Slot<K, S>>() {
            (0..self.slots.len() as u32).for_each(|number| drop(self.remove(number)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;

    use super::*;

    fn filled(count: u32) -> Slots<u32, Rc<u32>> {
        let mut slots = Slots::default();
        (0..count).for_each(|key| assert_eq!(slots.insert(key, Rc::new(key)), key));
        slots
    }

    fn keys<S>(slots: &Slots<u32, S>) -> Vec<u32> {
        slots.iter().map(|(_, slot)| slot.key).collect()
    }

    #[test]
    fn numbers_stay_and_freed_ones_are_used_again() {
        let mut slots = filled(4);
        assert_eq!(slots.remove(1).unwrap().key, 1);
        assert_eq!(slots.update(2, |_, _| None), Some(2));
        assert!(slots.remove(1).is_none() && slots.get(2).is_none());
        assert_eq!((slots.len(), keys(&slots)), (2, vec![0, 3]));
        assert_eq!([7, 8, 9].map(|key| slots.insert(key, Rc::new(key))), [2, 1, 4], "the last freed first");
        assert_eq!(slots.update(2, |key, state| Some(Rc::new(key * 10 + *state))), None);
        assert_eq!(*slots.get(2).unwrap().state, 77);
        assert_eq!(keys(&slots), [0, 8, 7, 3, 9]);
    }

    #[test]
    fn slots_are_visited_once_also_while_they_go() {
        // A full word, one with holes, and one that is not filled.
        let mut slots = filled(140);
        (64..128).step_by(3).for_each(|number| drop(slots.remove(number)));
        let before = keys(&slots);
        let (mut seen, mut gone) = (Vec::new(), Vec::new());
        for word in 0..slots.used().words() {
            let halve = |number: u32, key: &u32, state: Rc<u32>| {
                assert_eq!((number, number), (*key, *state));
                seen.push(number);
                number.is_multiple_of(2).then(|| Rc::new(number / 2))
            };
            slots.update_word(word, halve, |number, key| {
                assert_eq!(number, key);
                gone.push(key);
            });
        }
        assert_eq!(seen, before);
        assert!(gone.iter().all(|key| key % 2 == 1));
        assert!(slots.iter().all(|(_, slot)| slot.key % 2 == 0 && *slot.state == slot.key / 2));
        assert_eq!(slots.len() + gone.len(), before.len());
        let free = 140 - slots.len() as u32;
        let again: Vec<u32> = (0..free).map(|key| slots.insert(key, Rc::new(0))).collect();
        assert!(again.iter().all(|number| *number < 140), "no number is lost");
        assert_eq!(slots.insert(0, Rc::new(0)), 140);
    }

    #[test]
    fn every_state_is_dropped_once() {
        let shared = Rc::new(0);
        let mut slots = Slots::default();
        for key in 0..70 {
            slots.insert(key, Rc::clone(&shared));
        }
        drop(slots.remove(3));
        slots.update(4, |_, _| None);
        slots.update_word(1, |_, _, _| None, |_, _| {});
        assert_eq!(Rc::strong_count(&shared), 1 + 64 - 2);
        let mut rest = slots.take_all();
        drop(rest.next());
        assert_eq!(Rc::strong_count(&shared), 1 + 64 - 3);
        drop(rest);
        assert_eq!((Rc::strong_count(&shared), slots.len()), (1, 0));
    }

    #[test]
    fn a_state_whose_function_panics_is_out_of_reach() {
        let mut slots = filled(66);
        let fails = |slots: &mut Slots<u32, Rc<u32>>, word| {
            let panic = |_, key: &u32, state| if *key == 5 { panic!("expected") } else { Some(state) };
            catch_unwind(AssertUnwindSafe(|| slots.update_word(word, panic, |_, _| {}))).is_err()
        };
        assert!(fails(&mut slots, 0) && !fails(&mut slots, 1));
        assert_eq!(keys(&slots), [64, 65]);
        assert!(catch_unwind(AssertUnwindSafe(|| slots.update(64, |_, _| panic!("expected")))).is_err());
        assert_eq!(keys(&slots), [65]);
    }
}
