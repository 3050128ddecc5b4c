//! The keys of a window in one partition, and its panes.
//!
//! Each key has a slot; a pane is a list of slots with what has to be taken away when the pane leaves. A pane that enters
//! looks its keys up once; one that leaves needs no look-up at all.
//!
//! *Cost of a slide*: the keys of the entering and of the leaving panes, and one value for each key of the result.
//! *Memory*: a slot for each key, an entry for each key and pane.

use std::collections::VecDeque;
use std::hash::Hash;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use super::WindowStep;
use super::fold::Fold;
use crate::metrics::work::Holding;
use crate::record::kept::Kept;
use crate::shuffle::table::{Row, Table};

/// The window state of one partition.
pub(crate) struct Panes<K: 'static, A, F: Fold<A>> {
    index: HashTable<u32>,
    slots: Vec<Slot<K, F::Kept>>,
    free: Vec<u32>,
    panes: VecDeque<Pane<A, F::Left>>,
    /// How many of the oldest panes were turned over; only of folds that do that.
    turned: usize,
    /// The pane that is not complete yet.
    open: Table<K, A>,
    changes: Option<Changes<K>>,
}

/// What changed since the last checkpoint.
struct Changes<K> {
    /// The newest pane that the checkpoint holds.
    saved: u64,
    /// Panes of the checkpoint that have left the window.
    left: Vec<u64>,
    /// Slots whose value changed, with repetitions; only of folds whose keys stay.
    touched: Vec<u32>,
    /// Keys that were forgotten; only of folds whose keys stay.
    forgotten: Vec<K>,
}

struct Slot<K: 'static, V> {
    hash: u64,
    /// Nothing in a free slot.
    key: Option<Kept<K>>,
    kept: V,
    /// Number of panes that hold the key.
    panes: u32,
}

struct Pane<A, Left> {
    number: u64,
    keys: Vec<(u32, Left)>,
    /// The aggregates of the keys, for checkpoints, if these do not follow from what leaves.
    saved: Vec<A>,
}

impl<K, A, F: Fold<A>> Default for Panes<K, A, F> {
    fn default() -> Self {
        Self {
            index: HashTable::new(),
            slots: Vec::new(),
            free: Vec::new(),
            panes: VecDeque::new(),
            turned: 0,
            open: Table::new(),
            changes: None,
        }
    }
}

impl<K: Hash + Eq + Clone, A: Clone, F: Fold<A>> Panes<K, A, F> {
    /// Takes the batch's partial aggregates, and moves complete panes in and out of the window.
    pub(crate) fn step(&mut self, fold: &F, step: &WindowStep, batch: Table<K, A>, merge: impl Fn(A, A) -> A) {
        if step.in_some_window() {
            if self.open.len() == 0 {
                self.open = batch;
            } else {
                batch.into_rows().for_each(|row| self.open.merge(row, |acc| acc, &merge));
            }
        }
        if step.ends_pane() {
            let complete = std::mem::replace(&mut self.open, Table::new());
            self.enter(fold, step.pane(), complete.into_rows());
            self.leave(fold, step.last_left());
        }
    }

    /// What the partition holds.
    pub(crate) fn holding(&self) -> Holding {
        let entries: usize = self.panes.iter().map(|pane| pane.keys.len()).sum();
        let bytes = self.slots.len() * size_of::<Slot<K, F::Kept>>() + entries * size_of::<(u32, F::Left)>();
        let panes = self.panes.len() as u64;
        Holding { keys: (self.slots.len() - self.free.len()) as u64, bytes: bytes as u64, panes }
    }

    fn enter(&mut self, fold: &F, number: u64, rows: impl ExactSizeIterator<Item = Row<K, A>>) {
        let tracked = self.changes.is_some();
        let (mut keys, mut saved) = (Vec::with_capacity(rows.len()), Vec::new());
        for Row { hash, key, acc } in rows {
            let number = self.slot(hash, key);
            let slot = &mut self.slots[number as usize];
            slot.panes += 1;
            let copy = tracked.then(|| acc.clone());
            let left = fold.enter(&mut slot.kept, acc);
            saved.extend(copy.filter(|_| fold.pane(&left).is_none()));
            keys.push((number, left));
            self.touched(number);
        }
        self.panes.push_back(Pane { number, keys, saved });
    }

    fn touched(&mut self, number: u32) {
        if let Some(changes) = self.changes.as_mut().filter(|_| F::STAYS) {
            changes.touched.push(number);
        }
    }

    fn leave(&mut self, fold: &F, last_left: u64) {
        while self.panes.front().is_some_and(|pane| pane.number <= last_left) {
            self.turn(fold);
            let pane = self.panes.pop_front().expect("there is one");
            if let Some(changes) = self.changes.as_mut().filter(|changes| pane.number <= changes.saved) {
                changes.left.push(pane.number);
            }
            for (index, left) in pane.keys {
                let slot = &mut self.slots[index as usize];
                fold.leave(&mut slot.kept, left);
                slot.panes -= 1;
                if slot.panes == 0 && !F::STAYS {
                    self.forget(index);
                } else {
                    self.touched(index);
                }
            }
        }
    }

    /// Sees that the oldest pane was turned over, which is about to leave.
    fn turn(&mut self, fold: &F) {
        if !F::TURNS {
            return;
        }
        if self.turned == 0 {
            for (number, left) in self.panes.iter_mut().rev().flat_map(|pane| &mut pane.keys) {
                fold.turn(&mut self.slots[*number as usize].kept, left);
            }
            self.turned = self.panes.len();
        }
        self.turned -= 1;
    }

    /// The slot of a key, a new one if there is none.
    fn slot(&mut self, hash: u64, key: Kept<K>) -> u32 {
        let slots = &mut self.slots;
        let same = |&slot: &u32| {
            let slot = &slots[slot as usize];
            slot.hash == hash && slot.key.as_ref().is_some_and(|other| other.same(&key))
        };
        match self.index.entry(hash, same, |&slot| slots[slot as usize].hash) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                let slot = Slot { hash, key: Some(key), kept: F::Kept::default(), panes: 0 };
                let number = match self.free.pop() {
                    Some(number) => {
                        slots[number as usize] = slot;
                        number
                    }
                    None => {
                        slots.push(slot);
                        u32::try_from(slots.len() - 1).expect("a partition has fewer than 2^32 keys")
                    }
                };
                entry.insert(number);
                number
            }
        }
    }

    fn forget(&mut self, number: u32) {
        let slot = &mut self.slots[number as usize];
        let key = slot.key.take();
        if let Some(changes) = self.changes.as_mut().filter(|_| F::STAYS) {
            changes.forgotten.extend(key.map(Kept::into_key));
        }
        slot.kept = F::Kept::default();
        if let Ok(entry) = self.index.find_entry(slot.hash, |&other| other == number) {
            entry.remove();
        }
        self.free.push(number);
    }

    /// The records of the window: each key with its value, if `keep` wants it.
    ///
    /// A key that no pane holds any more and that `keep` does not want is forgotten.
    pub(crate) fn records(&mut self, fold: &F, keep: impl Fn(&(K, A)) -> bool) -> Vec<(K, A)> {
        let mut records = Vec::with_capacity(self.slots.len() - self.free.len());
        for number in 0..self.slots.len() {
            let slot = &self.slots[number];
            let Some(key) = &slot.key else { continue };
            let record = (key.to_key(), fold.value(&slot.kept));
            if keep(&record) {
                records.push(record);
            } else if slot.panes == 0 {
                self.forget(number as u32);
            }
        }
        records
    }
}

/// What of a window is saved: parts of panes, and the values of keys where these do not follow from the panes.
pub(crate) enum Saved<'a, K, A> {
    /// Rows of a complete pane.
    Pane { number: u64, rows: Vec<(K, &'a A)> },
    /// A pane that has left.
    PaneLeft { number: u64 },
    /// The rows of the pane that is not complete.
    Open { rows: Vec<(K, &'a A)> },
    /// The value of a key.
    Value { key: K, value: A },
    /// A key that was forgotten.
    Forgotten { key: K },
}

impl<K: Hash + Eq + Clone, A: Clone, F: Fold<A>> Panes<K, A, F> {
    /// Remembers from now on what changes.
    pub(crate) fn track(&mut self) {
        self.changes = Some(Changes { saved: 0, left: Vec::new(), touched: Vec::new(), forgotten: Vec::new() });
    }

    /// Gives what changed since the last call, or everything, to `save`.
    pub(crate) fn save<E>(
        &mut self,
        fold: &F,
        everything: bool,
        mut save: impl FnMut(Saved<'_, K, A>) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(changes) = &mut self.changes else { return Ok(()) };
        let (saved, left) = (changes.saved, std::mem::take(&mut changes.left));
        let (mut touched, forgotten) = (std::mem::take(&mut changes.touched), std::mem::take(&mut changes.forgotten));
        changes.saved = self.panes.back().map_or(saved, |pane| pane.number);
        if !everything {
            left.into_iter().try_for_each(|number| save(Saved::PaneLeft { number }))?;
            forgotten.into_iter().try_for_each(|key| save(Saved::Forgotten { key }))?;
        }
        let slots = &self.slots;
        for pane in self.panes.iter().filter(|pane| everything || pane.number > saved) {
            let rows = pane.keys.iter().enumerate().filter_map(|(place, (slot, left))| {
                let acc = fold.pane(left).or_else(|| pane.saved.get(place))?;
                Some((slots[*slot as usize].key.as_ref()?.to_key(), acc))
            });
            save(Saved::Pane { number: pane.number, rows: rows.collect() })?;
        }
        save(Saved::Open { rows: self.open.rows().map(|row| (row.key.to_key(), &row.acc)).collect() })?;
        if F::STAYS {
            if everything {
                touched = (0..slots.len() as u32).collect();
            } else {
                touched.sort_unstable();
                touched.dedup();
            }
            for slot in touched.iter().map(|&number| &slots[number as usize]) {
                if let Some(key) = &slot.key {
                    save(Saved::Value { key: key.to_key(), value: fold.value(&slot.kept) })?;
                }
            }
        }
        Ok(())
    }

    /// Sets an empty window to what was saved: panes in ascending order, then the rest.
    pub(crate) fn restore(
        &mut self,
        fold: &F,
        panes: impl Iterator<Item = (u64, Vec<Row<K, A>>)>,
        open: Vec<Row<K, A>>,
        values: Vec<Row<K, A>>,
    ) {
        for (number, rows) in panes {
            self.enter(fold, number, rows.into_iter());
        }
        for row in open {
            self.open.merge(row, |acc| acc, |_, newer| newer);
        }
        for Row { hash, key, acc } in values {
            let number = self.slot(hash, key);
            fold.set(&mut self.slots[number as usize].kept, acc);
        }
        if let Some(changes) = &mut self.changes {
            changes.saved = self.panes.back().map_or(0, |pane| pane.number);
            changes.touched.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use super::super::fold::{Inverse, TwoStacks};
    use super::*;
    use crate::record::own::Id;
    use crate::shuffle::KeyHasher;
    use crate::shuffle::map_side::{CombineWriter, Foreseen};
    use crate::shuffle::reduce_side::merge_buckets;
    use crate::stage::combine::Reduce;
    use crate::time::BatchTime;

    type Pair = (u64, u64);
    type Sum = Reduce<u64, fn(u64, u64) -> u64>;

    fn sum() -> Arc<Sum> {
        Arc::new(Reduce::new(|a, b| a + b))
    }

    /// The windows of the batches, each of which two tasks wrote to one partition.
    fn windows(fold: &impl Fold<u64>, batches: &[Vec<Pair>], length: u64, slide: u64) -> Vec<BTreeMap<u64, u64>> {
        let (mut panes, mut windows) = (Panes::default(), Vec::new());
        for (batch, since_zero) in batches.iter().zip(1..) {
            let time = BatchTime::from_millis(since_zero);
            let step = WindowStep { time, since_zero, parent_slide: 1, length, slide };
            let buckets = batch.chunks(batch.len().div_ceil(2)).flat_map(|records| {
                let mut writer = CombineWriter::new(sum(), KeyHasher::new(), 1, &Foreseen::default());
                records.iter().for_each(|&(key, value)| writer.push(Id(key), Id(value)));
                writer.into_buckets()
            });
            let batch = merge_buckets(&*sum(), buckets.collect());
            panes.step(fold, &step, batch, |a, b| a + b);
            if step.ends_window() {
                windows.push(panes.records(fold, |(_, sum)| *sum > 0).into_iter().collect());
            }
        }
        windows
    }

    #[test]
    fn a_window_sums_its_batches_whatever_their_size() {
        // Tasks combine small batches, let large ones through, and bring keys twice.
        let batches: Vec<Vec<Pair>> = (0..14_u64)
            .map(|batch| {
                let records = if batch % 3 == 1 { 40 } else { 6_000 };
                (0..records).map(|n| ((n * 17 + batch * 1_009) % 5_000, 1 + n % 10)).collect()
            })
            .collect();
        for (length, slide) in [(1, 1), (3, 1), (4, 2), (6, 4), (2, 5), (5, 5)] {
            let expected: Vec<BTreeMap<u64, u64>> = (slide..=batches.len() as u64)
                .step_by(slide as usize)
                .map(|end| {
                    let mut sums = BTreeMap::new();
                    let held = &batches[end.saturating_sub(length) as usize..end as usize];
                    held.iter().flatten().for_each(|(key, value)| *sums.entry(*key).or_default() += value);
                    sums
                })
                .collect();
            let inverse = Inverse { aggregator: sum(), inverse: |all, left| all - left };
            assert_eq!(windows(&inverse, &batches, length, slide), expected, "inverse, {length} by {slide}");
            let stacks = TwoStacks { aggregator: sum() };
            assert_eq!(windows(&stacks, &batches, length, slide), expected, "two stacks, {length} by {slide}");
        }
    }
}
