//! The state tables of an operator, one for each partition.

use std::any::Any;
use std::hash::Hash;
use std::sync::{Mutex, OnceLock};

use super::checkpointed::{Change, Checkpointed, Entries, Extent};
use super::codec::{Codec, PairCodec};
use super::table::{Slot, StateTable};
use crate::error::{Error, Result};
use crate::metrics::work::Holding;
use crate::plan::explain::type_name;
use crate::record::own::FindId;
use crate::shuffle::{KeyHasher, partition_of};
use crate::stage::GatherCx;
use crate::stage::window::Continuity;
use crate::time::{BatchTime, lock};

/// The tables of all partitions; shared by an operator and its snapshots.
pub(crate) struct StateStore<K, S> {
    initial: Mutex<Vec<(K, S)>>,
    /// The parallelism of the context if the operator says nothing.
    partitions: Option<usize>,
    pub(crate) hasher: KeyHasher,
    pub(crate) continuity: Mutex<Continuity>,
    tables: OnceLock<Vec<Mutex<StateTable<K, S>>>>,
    codec: OnceLock<PairCodec<K, S>>,
    tracked: OnceLock<()>,
}

impl<K: Hash + Eq + Clone + 'static, S> StateStore<K, S> {
    pub(crate) fn new(initial: Vec<(K, S)>, partitions: Option<usize>) -> Self {
        Self {
            initial: Mutex::new(initial),
            partitions,
            hasher: KeyHasher::new(),
            continuity: Mutex::default(),
            tables: OnceLock::new(),
            codec: OnceLock::new(),
            tracked: OnceLock::new(),
        }
    }

    /// The tables as they are.
    pub(crate) fn tables(&self) -> &[Mutex<StateTable<K, S>>] {
        self.tables.get().map_or(&[], Vec::as_slice)
    }

    /// Says what a batch of so many rows has left behind.
    pub(crate) fn report(&self, cx: &GatherCx<'_, '_>, rows: usize) {
        let keys = self.tables().iter().map(|table| lock(table).len() as u64).sum();
        let ledger = cx.run.ledger();
        ledger.set_shuffled(cx.node, rows);
        ledger.keep(cx.node, Holding { keys, bytes: keys * size_of::<Slot<K, S>>() as u64, panes: 0 });
    }

    /// The tables; at the first call they are made, with the initial state in them as if touched at `zero`.
    pub(crate) fn open(&self, parallelism: usize, zero: BatchTime) -> &[Mutex<StateTable<K, S>>] {
        self.tables.get_or_init(|| {
            let initial = std::mem::take(&mut *lock(&self.initial));
            self.fill(parallelism, initial.into_iter().map(|(key, state)| (key, state, zero)))
        })
    }

    /// In how many partitions a stage writes, and the state is kept.
    pub(crate) fn partitions(&self, parallelism: usize) -> usize {
        self.partitions.unwrap_or(parallelism)
    }

    /// Tables with these states in them; of two states of a key the later counts.
    fn fill(
        &self,
        parallelism: usize,
        states: impl Iterator<Item = (K, S, BatchTime)>,
    ) -> Vec<Mutex<StateTable<K, S>>> {
        let partitions = self.partitions(parallelism);
        let mut tables: Vec<StateTable<K, S>> = std::iter::repeat_with(StateTable::default).take(partitions).collect();
        if self.tracked.get().is_some() {
            tables.iter_mut().for_each(StateTable::track);
        }
        for (key, state, touched) in states {
            let hash = self.hasher.hash_of(&FindId(&key));
            let table = &mut tables[partition_of(hash, partitions)];
            match table.find(hash, &key) {
                Some(slot) => table.slot(slot).state = Some(state),
                None => {
                    let slot = table.insert(hash, key, state, touched);
                    table.file(slot, touched);
                }
            }
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

    fn encode(&self, slot: &Slot<K, S>) -> Result<Option<Change>> {
        let Some(state) = &slot.state else { return Ok(None) };
        let mut value = Vec::new();
        Codec::<u64>::new().write(&slot.touched.as_millis(), &mut value)?;
        self.state.write(state, &mut value)?;
        Ok(Some(Change { key: self.encode_key(&slot.key)?, value: Some(value) }))
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
            let (removed, slots) = table.take_changes();
            if extent == Extent::Changes {
                for key in &removed {
                    changes.push(Change { key: codec.encode_key(key)?, value: None });
                }
                for slot in slots {
                    changes.extend(codec.encode(slot)?);
                }
            } else {
                for slot in table.used() {
                    changes.extend(codec.encode(slot)?);
                }
            }
        }
        Ok(changes)
    }

    fn restore(&self, since_zero: u64, parallelism: usize, entries: Entries<'_>) -> Result<()> {
        let codec = self.codec.get().ok_or_else(|| Error::invalid("this state cannot be read from a checkpoint"))?;
        let states: Vec<(K, S, BatchTime)> =
            entries.map(|entry| entry.and_then(|(key, value)| codec.decode(&key, &value))).collect::<Result<_>>()?;
        lock(&self.continuity).resume(since_zero);
        let tables = self.fill(parallelism, states.into_iter());
        // The checkpoint has them already.
        tables.iter().for_each(|table| drop(lock(table).take_changes()));
        self.tables.set(tables).map_err(|_| Error::illegal_state("a state is restored before its first batch"))
    }
}
