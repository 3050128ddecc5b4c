//! The states of one partition.
//!
//! Every key has a slot. Slots that may time out are filed in lists by the time of the batch that touched them; a list is
//! looked at when its time is due, and a slot that was touched since is filed again under the later time. So a key is
//! filed once for each timeout that passes, and nothing ever scans all keys.

use std::collections::VecDeque;
use std::hash::Hash;

use hashbrown::HashTable;

use crate::record::kept::Kept;
use crate::record::own::FindId;
use crate::time::BatchTime;

/// Keys and their states.
pub(crate) struct StateTable<K, S> {
    index: HashTable<u32>,
    slots: Vec<Option<Slot<K, S>>>,
    /// The hash of the key of each slot. Apart, since only a growing index and a key that goes need it: what a batch walks
    /// through should be small.
    hashes: Vec<u64>,
    free: Vec<u32>,
    /// Slots by the time that they were filed under, oldest first.
    filed: VecDeque<(BatchTime, Vec<u32>)>,
    /// The time that each slot is filed under: an entry of another list is left over from an earlier use of the slot.
    filed_under: Vec<Option<BatchTime>>,
    changes: Option<Changes<K>>,
}

/// What changed since the last checkpoint.
struct Changes<K> {
    /// Slots whose state is new, each once.
    slots: Vec<u32>,
    /// By slot, whether it is in the list.
    listed: Vec<bool>,
    /// Keys that were removed; some may be back, in a slot of the list.
    removed: Vec<K>,
}

/// A key and its state.
pub(crate) struct Slot<K, S> {
    pub(crate) key: K,
    /// Taken out while the user's function has it.
    pub(crate) state: Option<S>,
    /// The last batch that had a record of the key.
    pub(crate) touched: BatchTime,
}

impl<K, S> Default for StateTable<K, S> {
    fn default() -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            hashes: Vec::new(),
            free: Vec::new(),
            filed: VecDeque::new(),
            filed_under: Vec::new(),
            changes: None,
        }
    }
}

impl<K: Hash + Eq, S> StateTable<K, S> {
    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// The slot of a key, if it has one.
    pub(crate) fn find(&self, hash: u64, key: &K) -> Option<u32> {
        self.index.find(hash, |&number| self.holds(number, |known| known == key)).copied()
    }

    /// The same of a key as a shuffle keeps it.
    pub(crate) fn find_kept(&self, hash: u64, key: &Kept<K>) -> Option<u32>
    where
        K: 'static,
    {
        self.index.find(hash, |&number| self.holds_kept(number, key)).copied()
    }

    /// Whether a slot is in use for this key.
    pub(crate) fn holds_kept(&self, number: u32, key: &Kept<K>) -> bool
    where
        K: 'static,
    {
        self.holds(number, |known| key.is_found(&FindId(known)))
    }

    #[inline]
    fn holds(&self, number: u32, same: impl FnOnce(&K) -> bool) -> bool {
        self.slots[number as usize].as_ref().is_some_and(|slot| same(&slot.key))
    }

    /// A slot that is in use.
    pub(crate) fn slot(&mut self, number: u32) -> &mut Slot<K, S> {
        self.slots[number as usize].as_mut().expect("the slot is in use")
    }

    /// Gives a new key a slot.
    pub(crate) fn insert(&mut self, hash: u64, key: K, state: S, touched: BatchTime) -> u32 {
        let slot = Some(Slot { key, state: Some(state), touched });
        let number = match self.free.pop() {
            Some(number) => {
                self.slots[number as usize] = slot;
                self.hashes[number as usize] = hash;
                number
            }
            None => {
                self.slots.push(slot);
                self.hashes.push(hash);
                self.filed_under.push(None);
                u32::try_from(self.slots.len() - 1).expect("a partition has fewer than 2^32 keys")
            }
        };
        let hashes = &self.hashes;
        self.index.insert_unique(hash, number, |&number| hashes[number as usize]);
        self.changed(number);
        number
    }

    /// Remembers from now on which keys change.
    pub(crate) fn track(&mut self) {
        self.changes = Some(Changes { slots: Vec::new(), listed: Vec::new(), removed: Vec::new() });
    }

    /// Notes that the state of a slot is new.
    #[inline]
    pub(crate) fn changed(&mut self, number: u32) {
        if let Some(changes) = &mut self.changes {
            let number = number as usize;
            if changes.listed.len() <= number {
                changes.listed.resize(self.slots.len(), false);
            }
            if !std::mem::replace(&mut changes.listed[number], true) {
                changes.slots.push(number as u32);
            }
        }
    }

    /// Takes what changed since the last call: keys that were removed, then slots with a new state.
    pub(crate) fn take_changes(&mut self) -> (Vec<K>, Vec<&Slot<K, S>>) {
        let Some(changes) = &mut self.changes else { return (Vec::new(), Vec::new()) };
        let slots = std::mem::take(&mut changes.slots);
        for &number in &slots {
            changes.listed[number as usize] = false;
        }
        let removed = std::mem::take(&mut changes.removed);
        (removed, slots.into_iter().filter_map(|number| self.slots[number as usize].as_ref()).collect())
    }

    /// All slots in use.
    pub(crate) fn used(&self) -> impl Iterator<Item = &Slot<K, S>> {
        self.slots.iter().flatten()
    }

    /// Forgets a key.
    pub(crate) fn remove(&mut self, number: u32) -> Slot<K, S>
    where
        K: Clone,
    {
        let slot = self.slots[number as usize].take().expect("the slot is in use");
        if let Ok(entry) = self.index.find_entry(self.hashes[number as usize], |&other| other == number) {
            entry.remove();
        }
        self.free.push(number);
        if let Some(changes) = &mut self.changes {
            changes.removed.push(slot.key.clone());
        }
        slot
    }

    /// Remembers to look at a slot when what was touched at `time` is due.
    pub(crate) fn file(&mut self, number: u32, time: BatchTime) {
        if self.filed_under[number as usize].replace(time) == Some(time) {
            return;
        }
        match self.filed.binary_search_by_key(&time, |(time, _)| *time) {
            Ok(place) => self.filed[place].1.push(number),
            Err(place) => self.filed.insert(place, (time, vec![number])),
        }
    }

    /// The slots last touched before `threshold`, each once; the others that were due are filed again.
    pub(crate) fn due(&mut self, threshold: BatchTime) -> Vec<u32> {
        let mut due = Vec::new();
        while let Some((time, list)) = self.filed.pop_front_if(|(time, _)| *time < threshold) {
            for number in list {
                if self.filed_under[number as usize] != Some(time) {
                    continue;
                }
                self.filed_under[number as usize] = None;
                match self.slots[number as usize].as_ref().map(|slot| slot.touched) {
                    Some(touched) if touched < threshold => due.push(number),
                    Some(touched) => self.file(number, touched),
                    None => {}
                }
            }
        }
        due
    }

    /// All keys and states.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &S)> {
        self.slots.iter().flatten().filter_map(|slot| Some((&slot.key, slot.state.as_ref()?)))
    }

    /// All slots, each with its number; the table is empty afterwards.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = (u32, Slot<K, S>)> + use<K, S>
    where
        K: Clone,
    {
        let Self { slots, changes, .. } = std::mem::take(self);
        self.changes = changes.map(|mut changes| {
            // Those that come back will be in slots of the list.
            changes.removed.extend(slots.iter().flatten().map(|slot| slot.key.clone()));
            Changes { slots: Vec::new(), listed: Vec::new(), ..changes }
        });
        slots.into_iter().zip(0..).filter_map(|(slot, number)| Some((number, slot?)))
    }

    /// How many slots there are, in use or free.
    pub(crate) fn slots(&self) -> usize {
        self.slots.len()
    }

    /// The slot of this number, if it is in use.
    #[inline]
    pub(crate) fn used_slot(&mut self, number: u32) -> Option<&mut Slot<K, S>> {
        self.slots[number as usize].as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> BatchTime {
        BatchTime::from_millis(millis)
    }

    #[test]
    fn a_touched_key_is_not_due_and_comes_up_later() {
        let mut table = StateTable::default();
        for key in 0..3_u64 {
            let number = table.insert(key, key, (), at(10));
            table.file(number, at(10));
        }
        let touched = table.find(1, &1).unwrap();
        table.slot(touched).touched = at(20);
        assert_eq!(table.due(at(10)), Vec::<u32>::new(), "strictly before the threshold");
        let due: Vec<u64> = table.due(at(11)).into_iter().map(|number| table.remove(number).key).collect();
        assert_eq!(due, [0, 2]);
        assert_eq!(table.due(at(21)), [touched]);
    }

    #[test]
    fn a_slot_that_was_freed_and_used_again_is_not_due_early() {
        let mut table = StateTable::default();
        let number = table.insert(7, 7_u64, (), at(10));
        table.file(number, at(10));
        table.remove(number);
        let again = table.insert(8, 8, (), at(30));
        table.file(again, at(30));
        assert_eq!(number, again);
        assert_eq!(table.due(at(11)), Vec::<u32>::new());
        assert_eq!(table.due(at(31)), [again]);
    }
}
