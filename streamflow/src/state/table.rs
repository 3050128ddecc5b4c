//! The states of one partition.
//!
//! Every key has a number. An [`Index`] finds it by the hash of the key, [`Slots`] hold key and state under it, and it stands
//! for the key in the lists of [`Timeouts`] and in the set of what a checkpoint has to write. A batch that brings a key looks
//! at two places of memory: the entry of the index, and the slot.
//!
//! *Order*: whatever goes over all keys does so by their numbers, which depend on what came in and went, in which order, and
//! on nothing else.

use std::hash::Hash;

use super::bits::Bits;
use super::index::Index;
use super::slots::{Slot, Slots};
use super::timeouts::Timeouts;
use crate::record::kept::Kept;
use crate::record::own::FindId;
use crate::shuffle::KeyHasher;
use crate::shuffle::table::Row;
use crate::time::BatchTime;

/// Rows whose keys are looked up together.
pub(crate) const AHEAD: usize = 32;

/// Keys and their states.
pub(crate) struct StateTable<K, S> {
    hasher: KeyHasher,
    index: Index,
    slots: Slots<K, S>,
    /// The latest batch.
    now: BatchTime,
    /// If keys time out.
    timeouts: Option<Timeouts>,
    /// If somebody asks for them.
    changes: Option<Changes<K>>,
}

/// What changed since the last checkpoint.
struct Changes<K> {
    /// Numbers of slots whose state is new.
    numbers: Bits,
    /// Keys that went; some may be back.
    gone: Vec<K>,
    /// Everything changed, and the rest says nothing.
    everything: bool,
}

impl<K> Default for Changes<K> {
    fn default() -> Self {
        Self { numbers: Bits::default(), gone: Vec::new(), everything: false }
    }
}

impl<K: Hash + Eq + 'static, S> StateTable<K, S> {
    /// An empty table; whether its keys time out is said here.
    pub(crate) fn new(hasher: KeyHasher, timeouts: bool) -> Self {
        let timeouts = timeouts.then(Timeouts::default);
        let now = BatchTime::default();
        Self { hasher, index: Index::default(), slots: Slots::default(), now, timeouts, changes: None }
    }

    /// Begins a batch.
    pub(crate) fn begin(&mut self, time: BatchTime) {
        self.now = self.now.max(time);
    }

    /// Number of keys.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Memory that keys and states take, without what they point to.
    pub(crate) fn bytes(&self) -> usize {
        self.index.bytes() + self.slots.bytes() + self.timeouts.as_ref().map_or(0, Timeouts::bytes)
    }

    /// The numbers in use.
    pub(crate) fn used(&self) -> &Bits {
        self.slots.used()
    }

    /// The number of a key, if it has a state.
    pub(crate) fn find(&self, hash: u64, key: &K) -> Option<u32> {
        self.index.find(hash, |number| self.slots.get(number).is_some_and(|slot| slot.key == *key))
    }

    /// The same of a key as a shuffle keeps it.
    #[inline]
    pub(crate) fn find_kept(&self, hash: u64, key: &Kept<K>) -> Option<u32> {
        self.index.find(hash, |number| self.holds(number, key))
    }

    /// Whether a number is in use for this key.
    #[inline]
    pub(crate) fn holds(&self, number: u32, key: &Kept<K>) -> bool {
        self.slots.get(number).is_some_and(|slot| key.is_found(&FindId(&slot.key)))
    }

    /// Looks up the keys of up to [`AHEAD`] rows, in order. A look-up waits for far memory twice; here those of all rows
    /// wait together.
    #[inline]
    pub(crate) fn find_ahead<V>(&self, rows: &[Row<K, V>], found: &mut Vec<Option<u32>>) {
        assert!(rows.len() <= AHEAD);
        rows.iter().for_each(|row| self.index.bring_near(row.hash));
        let mut likely = [None; AHEAD];
        for (likely, row) in likely.iter_mut().zip(rows) {
            *likely = self.index.find(row.hash, |_| true);
            likely.iter().for_each(|number| self.slots.bring_near(*number));
        }
        found.extend(rows.iter().zip(likely).map(|(row, likely)| {
            let found = likely.filter(|number| self.holds(*number, &row.key));
            if found.is_none() && likely.is_some() { self.find_kept(row.hash, &row.key) } else { found }
        }));
    }

    /// Gives a new key a state, in the latest batch.
    pub(crate) fn insert(&mut self, hash: u64, key: K, state: S) -> u32 {
        let number = self.add(hash, key, state);
        self.touch(number);
        number
    }

    fn add(&mut self, hash: u64, key: K, state: S) -> u32 {
        if !self.index.has_room() {
            let slots = self.slots.iter();
            self.index.make_room(slots.map(|(number, slot)| (self.hasher.hash_of(&FindId(&slot.key)), number)));
        }
        let number = self.slots.insert(key, state);
        self.index.insert(hash, number);
        number
    }

    /// Notes that the latest batch changes the state of a key, or keeps the key from timing out.
    #[inline]
    pub(crate) fn touch(&mut self, number: u32) {
        if let Some(timeouts) = &mut self.timeouts {
            timeouts.touch(number, self.now);
        }
        if let Some(changes) = &mut self.changes {
            changes.numbers.insert(number);
        }
    }

    /// Replaces the state of a key by what the function makes of it, or forgets the key. It is not [touched](Self::touch).
    #[inline]
    pub(crate) fn update(&mut self, hash: u64, number: u32, function: impl FnOnce(&K, S) -> Option<S>) {
        if let Some(key) = self.slots.update(number, function) {
            self.index.remove(hash, number);
            self.forget(key);
        }
    }

    /// Replaces every state of a word of [`used`](Self::used) numbers, or forgets its key. What they were is not tracked:
    /// [`renewed`](Self::renewed) says so.
    #[inline]
    pub(crate) fn update_word(&mut self, word: usize, function: impl FnMut(u32, &K, S) -> Option<S>) {
        let (hasher, index) = (&self.hasher, &mut self.index);
        self.slots.update_word(word, function, |number, key| index.remove(hasher.hash_of(&FindId(&key)), number));
    }

    /// Notes that every state may be new, if there are any.
    pub(crate) fn renewed(&mut self) {
        if let Some(changes) = self.changes.as_mut().filter(|_| self.slots.len() > 0) {
            *changes = Changes { everything: true, ..Changes::default() };
        }
    }

    /// Takes out up to [`AHEAD`] keys that are [due](Self::due), looked up together. The caller gives each key to
    /// [`forget`](Self::forget) when it is done with it.
    pub(crate) fn remove_ahead(&mut self, numbers: &[u32], removed: &mut Vec<Slot<K, S>>) {
        assert!(numbers.len() <= AHEAD);
        let mut hashes = [0; AHEAD];
        for (hash, slot) in hashes.iter_mut().zip(numbers.iter().map(|number| self.slots.get(*number))) {
            *hash = slot.map_or(0, |slot| self.hasher.hash_of(&FindId(&slot.key)));
            self.index.bring_near(*hash);
        }
        for (&number, hash) in numbers.iter().zip(hashes) {
            if let Some(slot) = self.slots.remove(number) {
                self.index.remove(hash, number);
                removed.push(slot);
            }
        }
    }

    /// Notes that a key is gone.
    pub(crate) fn forget(&mut self, key: K) {
        if let Some(changes) = &mut self.changes {
            changes.gone.push(key);
        }
    }

    /// The keys that no batch has touched since `threshold`, each once.
    pub(crate) fn due(&mut self, threshold: BatchTime) -> Vec<u32> {
        self.timeouts.as_mut().map_or_else(Vec::new, |timeouts| timeouts.due(threshold, self.slots.used()))
    }

    /// Hands out all keys and states by their numbers, and is empty afterwards.
    pub(crate) fn take_all(&mut self) -> impl Iterator<Item = (u32, Slot<K, S>)> + use<K, S> {
        self.renewed();
        self.index.clear();
        if let Some(timeouts) = &mut self.timeouts {
            timeouts.clear();
        }
        self.slots.take_all()
    }

    /// All keys and states.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &S)> {
        self.slots.iter().map(|(_, slot)| (&slot.key, &slot.state))
    }
}

/// What a checkpoint asks.
impl<K: Hash + Eq + 'static, S> StateTable<K, S> {
    /// Makes known the times at which [`restore`](Self::restore) will say that keys were touched, the oldest first.
    pub(crate) fn open(&mut self, times: impl IntoIterator<Item = BatchTime>) {
        if let Some(timeouts) = &mut self.timeouts {
            timeouts.open(times);
        }
    }

    /// Sets the state of a key as a batch at `touched` left it.
    pub(crate) fn restore(&mut self, hash: u64, key: K, state: S, touched: BatchTime) {
        let number = match self.find(hash, &key) {
            Some(number) => {
                self.slots.update(number, |_, _| Some(state));
                number
            }
            None => self.add(hash, key, state),
        };
        let latest = std::mem::replace(&mut self.now, touched);
        self.touch(number);
        self.begin(latest);
    }

    /// Remembers from now on what changes.
    pub(crate) fn track(&mut self) {
        self.changes = Some(Changes::default());
    }

    /// Whether only all states together say what changed.
    pub(crate) fn changed_everything(&self) -> bool {
        self.changes.as_ref().is_some_and(|changes| changes.everything)
    }

    /// The keys that went since the last call of [`forget_changes`](Self::forget_changes). Some may be back, and are among
    /// those that [changed](Self::changed).
    pub(crate) fn gone(&self) -> &[K] {
        self.changes.as_ref().map_or(&[], |changes| &changes.gone)
    }

    /// The keys with a new state since the last call of [`forget_changes`](Self::forget_changes), each with its state and the
    /// batch that touched it.
    pub(crate) fn changed(&self) -> impl Iterator<Item = (&Slot<K, S>, BatchTime)> {
        let numbers = self.changes.iter().flat_map(|changes| changes.numbers.iter());
        numbers.filter_map(|number| Some((self.slots.get(number)?, self.touched(number))))
    }

    /// All keys with their states, and the batches that touched them.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&Slot<K, S>, BatchTime)> {
        self.slots.iter().map(|(number, slot)| (slot, self.touched(number)))
    }

    /// When a key was touched. Without timeouts that matters only to a later program that has them: for it a key is as good
    /// as touched when it was saved.
    fn touched(&self, number: u32) -> BatchTime {
        self.timeouts.as_ref().map_or(self.now, |timeouts| timeouts.touched(number))
    }

    /// Begins to note changes anew.
    pub(crate) fn forget_changes(&mut self) {
        if let Some(changes) = &mut self.changes {
            *changes = Changes::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn at(millis: u64) -> BatchTime {
        BatchTime::from_millis(millis)
    }

    /// Numbers below a limit, without a pattern.
    fn random(mut state: u64) -> impl FnMut(u64) -> u64 {
        move |limit| {
            state = state.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
            ((state >> 32) * limit) >> 32
        }
    }

    /// A table, what it should hold, and what a checkpoint after each batch would hold.
    struct Checked {
        table: StateTable<String, u64>,
        states: BTreeMap<String, (u64, BatchTime)>,
        saved: BTreeMap<String, (u64, BatchTime)>,
        hasher: KeyHasher,
    }

    impl Checked {
        fn new(timeouts: bool) -> Self {
            let hasher = KeyHasher::new();
            let mut table = StateTable::new(hasher.clone(), timeouts);
            table.track();
            Self { table, states: BTreeMap::new(), saved: BTreeMap::new(), hasher }
        }

        fn row(&self, key: u64) -> Row<String, ()> {
            let key = format!("key {key}");
            Row { hash: self.hasher.hash_of(&FindId(&key)), key: Kept::new(key), acc: () }
        }

        /// Looks up some keys at once, then sets or removes the state of each.
        fn batch(&mut self, time: BatchTime, keys: &[u64], mut remove: impl FnMut(u64) -> bool) {
            self.table.begin(time);
            let rows: Vec<_> = keys.iter().map(|key| self.row(*key)).collect();
            let mut found = Vec::new();
            rows.chunks(AHEAD).for_each(|rows| self.table.find_ahead(rows, &mut found));
            for (row, found) in rows.iter().zip(&found) {
                assert_eq!(*found, self.table.find_kept(row.hash, &row.key));
            }
            for (number, (row, key)) in rows.into_iter().zip(keys).enumerate() {
                let state = (!remove(*key)).then_some(time.as_millis() + number as u64);
                match (self.table.find_kept(row.hash, &row.key), state) {
                    (Some(number), _) => {
                        self.table.update(row.hash, number, |_, _| state);
                        if state.is_some() {
                            self.table.touch(number);
                        }
                    }
                    (None, Some(state)) => drop(self.table.insert(row.hash, row.key.to_key(), state)),
                    (None, None) => {}
                }
                let key = row.key.into_key();
                match state {
                    Some(state) => drop(self.states.insert(key, (state, time))),
                    None => drop(self.states.remove(&key)),
                }
            }
        }

        /// Lets keys time out.
        fn expire(&mut self, threshold: BatchTime) {
            let mut expired = BTreeSet::new();
            for numbers in self.table.due(threshold).chunks(AHEAD) {
                let mut removed = Vec::new();
                self.table.remove_ahead(numbers, &mut removed);
                assert_eq!(removed.len(), numbers.len(), "what is due is in use");
                for Slot { key, state } in removed {
                    assert_eq!(self.states.get(&key).map(|(state, _)| *state), Some(state));
                    self.table.forget(key.clone());
                    assert!(expired.insert(key));
                }
            }
            let due = self.states.extract_if(.., |_, (_, touched)| *touched < threshold);
            assert_eq!(due.map(|(key, _)| key).collect::<BTreeSet<_>>(), expired);
        }

        fn save(&mut self) {
            if self.table.changed_everything() {
                self.saved = self.table.all().map(|(slot, time)| (slot.key.clone(), (slot.state, time))).collect();
            } else {
                self.saved.retain(|key, _| !self.table.gone().contains(key));
                let changed = self.table.changed().map(|(slot, time)| (slot.key.clone(), (slot.state, time)));
                self.saved.extend(changed);
            }
            self.table.forget_changes();
        }

        fn check(&self) {
            assert_eq!(self.table.len(), self.states.len());
            let held: BTreeMap<_, _> = self.table.iter().map(|(key, state)| (key.clone(), *state)).collect();
            assert!(held.iter().eq(self.states.iter().map(|(key, (state, _))| (key, state))));
        }
    }

    #[test]
    fn a_table_agrees_with_a_map_while_keys_come_time_out_and_go() {
        for seed in 0..4 {
            let (mut checked, mut next) = (Checked::new(true), random(seed));
            for batch in 1..300 {
                let keys: Vec<u64> = (0..next(100)).map(|_| next(400)).collect();
                checked.batch(at(batch * 10), &keys, |_| next(6) == 0);
                checked.expire(at((batch * 10).saturating_sub(70)));
                checked.check();
                if next(5) == 0 {
                    checked.save();
                    assert_eq!(checked.saved, checked.states);
                }
            }
        }
    }

    #[test]
    fn a_key_that_went_and_came_back_between_checkpoints_is_saved_once() {
        let mut checked = Checked::new(false);
        checked.batch(at(1), &[1, 2, 3], |_| false);
        checked.save();
        checked.batch(at(2), &[1, 2], |_| true);
        checked.batch(at(3), &[2, 4], |_| false);
        checked.batch(at(3), &[4], |_| true);
        assert_eq!(checked.table.changed().map(|(slot, _)| slot.key.as_str()).collect::<Vec<_>>(), ["key 2"]);
        checked.save();
        assert_eq!(checked.saved.keys().collect::<Vec<_>>(), ["key 2", "key 3"]);
        assert_eq!((checked.table.gone().len(), checked.table.changed().count()), (0, 0));
    }

    #[test]
    fn a_visit_to_all_states_asks_for_a_base() {
        let mut checked = Checked::new(false);
        checked.batch(at(1), &(0..200).collect::<Vec<_>>(), |_| false);
        checked.save();
        let words = checked.table.used().words();
        checked.table.renewed();
        for word in 0..words {
            checked.table.update_word(word, |_, key, state| (!key.ends_with('7')).then_some(state + 1));
        }
        checked.states.retain(|key, (state, _)| {
            *state += 1;
            !key.ends_with('7')
        });
        checked.check();
        checked.save();
        assert!(checked.saved.keys().eq(checked.states.keys()) && !checked.table.changed_everything());
        let all: Vec<String> = checked.table.take_all().map(|(_, slot)| slot.key).collect();
        assert_eq!((all.len(), checked.table.len(), checked.table.iter().count()), (180, 0, 0));
        assert!(checked.table.changed_everything());
        let row = checked.row(3);
        assert_eq!(checked.table.find_kept(row.hash, &row.key), None);
    }

    #[test]
    fn the_order_does_not_depend_on_the_room_that_there_was() {
        let keys = |checked: &Checked| checked.table.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
        let (mut small, mut large) = (Checked::new(false), Checked::new(false));
        // One index grows to hold many keys before the few that both have.
        large.batch(at(1), &(1_000..9_000).collect::<Vec<_>>(), |_| false);
        large.batch(at(1), &(1_000..9_000).rev().collect::<Vec<_>>(), |_| true);
        for checked in [&mut small, &mut large] {
            checked.batch(at(2), &(0..300).collect::<Vec<_>>(), |_| false);
            checked.batch(at(3), &[7, 5, 6], |_| true);
            checked.batch(at(4), &[400, 401], |_| false);
        }
        assert_eq!(keys(&small), keys(&large));
        assert_eq!(keys(&small)[4..9], ["key 4", "key 401", "key 400", "key 8", "key 9"]);
    }
}
