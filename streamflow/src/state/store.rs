//! The state tables of an operator, one for each partition.

use std::any::Any;
use std::collections::BTreeSet;
use std::hash::Hash;
use std::sync::{Arc, Mutex, OnceLock};

use super::checkpointed::{Change, Checkpointed, Entries, Extent};
use super::codec::{Codec, PairCodec};
use super::slots::Slot;
use super::table::StateTable;
use crate::error::{Error, Result};
use crate::metrics::work::Holding;
use crate::plan::Operator;
use crate::plan::explain::type_name;
use crate::record::own::FindId;
use crate::run::At;
use crate::shuffle::map_side::ScatterWriter;
use crate::shuffle::reduce_side::transpose;
use crate::shuffle::table::Row;
use crate::shuffle::{KeyHasher, partition_of};
use crate::stage::GatherCx;
use crate::stage::window::Continuity;
use crate::time::{BatchTime, lock};
use crate::vectors::{mapped, total_len};

/// Which keys a batch visits, and so how much there is to do.
#[derive(Clone, Copy)]
pub(crate) enum Visits {
    /// Those of its records.
    KeysOfRecords,
    /// All that have a state, and those of its records.
    AllKeys,
}

/// The tables of all partitions; shared by an operator and its snapshots.
pub(crate) struct StateStore<K, S> {
    initial: Mutex<Vec<(K, S)>>,
    /// The parallelism of the context if the operator says nothing.
    partitions: Option<usize>,
    /// Whether keys time out.
    timeouts: bool,
    pub(crate) hasher: KeyHasher,
    continuity: Mutex<Continuity>,
    tables: OnceLock<Vec<Mutex<StateTable<K, S>>>>,
    codec: OnceLock<PairCodec<K, S>>,
    tracked: OnceLock<()>,
}

impl<K: Hash + Eq + 'static, S> StateStore<K, S> {
    pub(crate) fn new(initial: Vec<(K, S)>, partitions: Option<usize>, timeouts: bool) -> Self {
        Self {
            initial: Mutex::new(initial),
            partitions,
            timeouts,
            hasher: KeyHasher::new(),
            continuity: Mutex::default(),
            tables: OnceLock::new(),
            codec: OnceLock::new(),
            tracked: OnceLock::new(),
        }
    }

    /// Runs a batch: `update` gets the table of a partition, what the tasks wrote for it, and which partition of how many it
    /// is. It gives the records of the partition.
    ///
    /// # Errors
    /// When a batch is left out before this one; or `update` panics: then the state is lost to this run.
    pub(crate) fn batch<V, R>(
        &self,
        operator: &'static Operator,
        written: Vec<ScatterWriter<K, V>>,
        visits: Visits,
        cx: &GatherCx<'_, '_>,
        update: impl Fn(&mut StateTable<K, S>, Vec<Vec<Row<K, V>>>, (usize, usize)) -> Vec<R> + Sync,
    ) -> Result<Vec<Arc<Vec<R>>>>
    where
        K: Send,
        S: Send,
        V: Send,
        R: Send + Sync,
    {
        let run = cx.run;
        lock(&self.continuity).step(&run.window_step(cx.node))?;
        let partitions = self.partitions(run.parallelism());
        let tables = self.open(run.parallelism(), run.zero());
        let written = mapped(written, ScatterWriter::into_buckets);
        let rows = total_len(&written, Vec::len);
        let weight = match visits {
            Visits::KeysOfRecords => rows,
            Visits::AllKeys => rows + tables.iter().map(|table| lock(table).len()).sum::<usize>(),
        };
        let parts = mapped(transpose(written, partitions), Mutex::new);
        let blocks = run.tasks(partitions, weight, &|task| {
            let at = At(operator);
            let buckets = std::mem::take(&mut *lock(&parts[task.partition]));
            let records = update(&mut lock(&tables[task.partition]), buckets, (task.partition, partitions));
            std::mem::forget(at);
            Arc::new(records)
        });
        let blocks = blocks.inspect_err(|_| lock(&self.continuity).lose())?;
        self.report(cx, rows);
        Ok(blocks)
    }

    /// The tables as they are.
    pub(crate) fn tables(&self) -> &[Mutex<StateTable<K, S>>] {
        self.tables.get().map_or(&[], Vec::as_slice)
    }

    /// Says what a batch of so many rows has left behind.
    fn report(&self, cx: &GatherCx<'_, '_>, rows: usize) {
        let (keys, bytes) = self.tables().iter().fold((0, 0), |(keys, bytes), table| {
            let table = lock(table);
            (keys + table.len() as u64, bytes + table.bytes() as u64)
        });
        let ledger = cx.run.ledger();
        ledger.set_shuffled(cx.node, rows);
        ledger.keep(cx.node, Holding { keys, bytes, panes: 0 });
    }

    /// The tables; at the first call they are made, with the initial state in them as if touched at `zero`.
    fn open(&self, parallelism: usize, zero: BatchTime) -> &[Mutex<StateTable<K, S>>] {
        self.tables.get_or_init(|| {
            let initial = std::mem::take(&mut *lock(&self.initial));
            self.fill(parallelism, initial.into_iter().map(|(key, state)| (key, state, zero)), [zero])
        })
    }

    /// In how many partitions a stage writes, and the state is kept.
    pub(crate) fn partitions(&self, parallelism: usize) -> usize {
        self.partitions.unwrap_or(parallelism)
    }

    /// Tables with these states in them; of two states of a key the later counts. `times` are those at which keys were
    /// touched, the oldest first.
    fn fill(
        &self,
        parallelism: usize,
        states: impl Iterator<Item = (K, S, BatchTime)>,
        times: impl IntoIterator<Item = BatchTime> + Clone,
    ) -> Vec<Mutex<StateTable<K, S>>> {
        let partitions = self.partitions(parallelism);
        let table = || StateTable::new(self.hasher.clone(), self.timeouts);
        let mut tables: Vec<StateTable<K, S>> = std::iter::repeat_with(table).take(partitions).collect();
        for table in &mut tables {
            table.open(times.clone());
            if self.tracked.get().is_some() {
                table.track();
            }
        }
        for (key, state, touched) in states {
            let hash = self.hasher.hash_of(&FindId(&key));
            tables[partition_of(hash, partitions)].restore(hash, key, state, touched);
        }
        tables.into_iter().map(Mutex::new).collect()
    }
}

impl<K, S> PairCodec<K, S> {
    fn encode_key(&self, key: &K) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.key.write(key, &mut bytes)?;
        Ok(bytes)
    }

    fn encode(&self, (slot, touched): (&Slot<K, S>, BatchTime)) -> Result<Change> {
        let mut value = Vec::new();
        Codec::<u64>::new().write(&touched.as_millis(), &mut value)?;
        self.state.write(&slot.state, &mut value)?;
        Ok(Change { key: self.encode_key(&slot.key)?, value: Some(value) })
    }

    fn decode(&self, key: &[u8], value: &[u8]) -> Result<(K, S, BatchTime)> {
        let (mut key, mut value) = (key, value);
        let touched = Codec::<u64>::new().read(&mut value)?;
        Ok((self.key.read(&mut key)?, self.state.read(&mut value)?, BatchTime::from_millis(touched)))
    }
}

impl<K, S> Checkpointed for StateStore<K, S>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    S: Send + Sync + 'static,
{
    fn fingerprint(&self) -> String {
        format!("state of {} for each {}", type_name::<S>(), type_name::<K>())
    }

    fn set_codec(&self, codec: &dyn Any) {
        if let Some(codec) = codec.downcast_ref::<PairCodec<K, S>>() {
            let _ = self.codec.set(*codec);
        }
    }

    fn has_codec(&self) -> bool {
        self.codec.get().is_some()
    }

    fn track(&self) {
        let _ = self.tracked.set(());
        self.tables().iter().for_each(|table| lock(table).track());
    }

    fn wants_base(&self) -> bool {
        self.tables().iter().any(|table| lock(table).changed_everything())
    }

    fn begin(&self, since_zero: u64) {
        lock(&self.continuity).resume(since_zero);
    }

    fn prepare(&self, parallelism: usize, zero: BatchTime) {
        self.open(parallelism, zero);
    }

    fn save(&self, extent: Extent) -> Result<Vec<Change>> {
        let codec = self.codec.get().ok_or_else(|| Error::invalid("this state cannot be written to a checkpoint"))?;
        let mut changes = Vec::new();
        for table in self.tables() {
            let mut table = lock(table);
            if extent == Extent::Changes {
                for key in table.gone() {
                    changes.push(Change { key: codec.encode_key(key)?, value: None });
                }
                for changed in table.changed() {
                    changes.push(codec.encode(changed)?);
                }
            } else {
                for state in table.all() {
                    changes.push(codec.encode(state)?);
                }
            }
            table.forget_changes();
        }
        Ok(changes)
    }

    fn restore(&self, since_zero: u64, parallelism: usize, entries: Entries<'_>) -> Result<()> {
        let codec = self.codec.get().ok_or_else(|| Error::invalid("this state cannot be read from a checkpoint"))?;
        let states: Vec<(K, S, BatchTime)> =
            entries.map(|entry| entry.and_then(|(key, value)| codec.decode(&key, &value))).collect::<Result<_>>()?;
        lock(&self.continuity).resume(since_zero);
        let times: BTreeSet<BatchTime> = states.iter().map(|(_, _, touched)| *touched).collect();
        let tables = self.fill(parallelism, states.into_iter(), times);
        // The checkpoint has them already.
        tables.iter().for_each(|table| lock(table).forget_changes());
        self.tables.set(tables).map_err(|_| Error::illegal_state("a state is restored before its first batch"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    fn at(millis: u64) -> BatchTime {
        BatchTime::from_millis(millis)
    }

    fn store(partitions: usize, timeouts: bool) -> StateStore<u64, u64> {
        let store = StateStore::new(vec![(7, 70), (8, 80), (7, 71)], Some(partitions), timeouts);
        store.set_codec(&PairCodec::<u64, u64> { key: Codec::new(), state: Codec::new() });
        store.track();
        store
    }

    /// Sets or removes states, as a batch does.
    fn batch(store: &StateStore<u64, u64>, time: BatchTime, changes: &[(u64, Option<u64>)]) {
        let tables = store.open(1, at(0));
        tables.iter().for_each(|table| lock(table).begin(time));
        for (key, state) in changes {
            let hash = store.hasher.hash_of(&FindId(key));
            let mut table = lock(&tables[partition_of(hash, tables.len())]);
            match (table.find(hash, key), state) {
                (Some(number), state) => {
                    table.update(hash, number, |_, _| *state);
                    if state.is_some() {
                        table.touch(number);
                    }
                }
                (None, Some(state)) => drop(table.insert(hash, *key, *state)),
                (None, None) => {}
            }
        }
    }

    /// What a checkpoint holds after each of the saves.
    #[derive(Default)]
    struct Saved(BTreeMap<Vec<u8>, Vec<u8>>);

    impl Saved {
        fn save(&mut self, store: &StateStore<u64, u64>, extent: Extent) {
            if extent == Extent::Everything {
                self.0.clear();
            }
            for Change { key, value } in store.save(extent).unwrap() {
                match value {
                    Some(value) => drop(self.0.insert(key, value)),
                    None => drop(self.0.remove(&key)),
                }
            }
        }

        fn restored(&self, partitions: usize, timeouts: bool) -> StateStore<u64, u64> {
            let store = store(partitions, timeouts);
            let mut entries = self.0.iter().map(|(key, value)| Ok((key.clone(), value.clone())));
            store.restore(50, 1, &mut entries).unwrap();
            assert!(store.save(Extent::Changes).unwrap().is_empty(), "the checkpoint has them already");
            store
        }
    }

    fn states(store: &StateStore<u64, u64>) -> HashMap<u64, u64> {
        let tables = store.tables().iter().map(lock);
        tables.flat_map(|table| table.iter().map(|(key, state)| (*key, *state)).collect::<Vec<_>>()).collect()
    }

    /// The keys that time out at a threshold.
    fn due(store: &StateStore<u64, u64>, threshold: u64) -> Vec<u64> {
        let tables = store.tables().iter().map(lock);
        let mut due: Vec<u64> = tables
            .flat_map(|mut table| {
                let (numbers, mut removed) = (table.due(at(threshold)), Vec::new());
                table.remove_ahead(&numbers, &mut removed);
                removed.into_iter().map(|slot| slot.key)
            })
            .collect();
        due.sort_unstable();
        due
    }

    #[test]
    fn changes_add_up_to_the_state_in_any_number_of_partitions() {
        let (old, mut saved) = (store(3, true), Saved::default());
        batch(&old, at(10), &[(1, Some(1)), (2, Some(2)), (3, Some(3))]);
        saved.save(&old, Extent::Everything);
        batch(&old, at(20), &[(1, None), (2, Some(22)), (8, None)]);
        saved.save(&old, Extent::Changes);
        batch(&old, at(30), &[(1, Some(11)), (8, Some(88)), (8, None), (4, Some(4))]);
        batch(&old, at(40), &[(4, Some(44)), (5, Some(5)), (5, None)]);
        saved.save(&old, Extent::Changes);
        let expected = HashMap::from([(1, 11), (2, 22), (3, 3), (4, 44), (7, 71)]);
        assert_eq!(states(&old), expected);
        for partitions in [1, 2, 7] {
            let new = saved.restored(partitions, true);
            assert_eq!(states(&new), expected);
            batch(&new, at(50), &[(3, Some(33))]);
            assert_eq!(due(&new, 25), [2, 7], "touched at 20 and at zero");
            assert_eq!(due(&new, 41), [1, 4]);
            assert_eq!(states(&new), HashMap::from([(3, 33)]));
        }
    }

    #[test]
    fn states_are_in_the_order_in_which_they_were_restored() {
        let (old, mut saved) = (store(2, false), Saved::default());
        let keys: Vec<(u64, Option<u64>)> = (100..400).map(|key| (key, Some(key))).collect();
        batch(&old, at(10), &keys);
        saved.save(&old, Extent::Everything);
        let new = saved.restored(1, false);
        let order: Vec<u64> = lock(&new.tables()[0]).iter().map(|(key, _)| *key).collect();
        let codec = Codec::<u64>::new();
        assert!(order.into_iter().eq(saved.0.keys().map(|key| codec.read(&mut &key[..]).unwrap())));
    }

    #[test]
    fn a_later_program_may_say_a_timeout() {
        let (old, mut saved) = (store(2, false), Saved::default());
        batch(&old, at(10), &[(1, Some(1))]);
        batch(&old, at(20), &[(2, Some(2))]);
        saved.save(&old, Extent::Everything);
        let new = saved.restored(1, true);
        assert_eq!(due(&new, 20), [0; 0]);
        assert_eq!(due(&new, 21), [1, 2, 7, 8], "all are taken as touched when they were saved");
    }

    #[test]
    fn a_visit_to_all_keys_makes_the_next_checkpoint_a_base() {
        let (old, mut saved) = (store(2, false), Saved::default());
        batch(&old, at(10), &[(1, Some(1)), (2, Some(2))]);
        saved.save(&old, Extent::Everything);
        assert!(!old.wants_base());
        for table in old.tables() {
            let mut table = lock(table);
            table.renewed();
            (0..table.used().words())
                .for_each(|word| table.update_word(word, |key, _, state| (key < 1).then_some(state)));
        }
        assert!(old.wants_base());
        saved.save(&old, Extent::Everything);
        assert!(!old.wants_base());
        assert_eq!(states(&saved.restored(1, false)), states(&old));
    }
}
