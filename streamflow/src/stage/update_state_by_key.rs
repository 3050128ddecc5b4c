//! `update_state_by_key`: every known key is visited in every batch.
//!
//! Its function sees one key at a time, or, as `update_state_by_partition`, all keys of a partition.
//!
//! *Cost of a batch*: all keys, at memory speed; a copy of the whole state goes to the stream.

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use super::combine::checked;
use super::sink::Sink;
use super::{Gather, GatherCx};
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::Operator;
use crate::record::{Data, Fork, Key};
use crate::run::{At, Task};
use crate::shuffle::map_side::ScatterWriter;
use crate::shuffle::reduce_side::{group, transpose};
use crate::shuffle::table::Row;
use crate::shuffle::{KeyHasher, partition_of};
use crate::state::checkpointed::Checkpointed;
use crate::state::store::StateStore;
use crate::state::table::StateTable;
use crate::time::{BatchTime, lock};
use crate::topology::AnyDataset;

/// One partition of a batch.
pub struct PartitionUpdate<'a, K: 'static, V, S> {
    table: &'a mut StateTable<K, S>,
    time: BatchTime,
    buckets: Vec<Vec<Row<K, V>>>,
    /// Which partition it is, of how many, and how keys are sorted into them.
    place: (usize, usize),
    hasher: &'a KeyHasher,
}

/// The function of an `update_state_by_key`, in one of its forms.
pub trait UpdateState<K: 'static, V, S>: Send + Sync + 'static {
    /// Updates a partition; returns its whole state.
    #[doc(hidden)]
    fn update(&self, partition: PartitionUpdate<'_, K, V, S>) -> Vec<(K, S)>;
}

/// `(values, state) -> state`.
pub struct ByValues<F>(F);

impl<K, V, S, F> UpdateState<K, V, S> for ByValues<F>
where
    K: Hash + Eq + Clone + 'static,
    S: Clone,
    F: Fn(Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
{
    fn update(&self, partition: PartitionUpdate<'_, K, V, S>) -> Vec<(K, S)> {
        partition.each(|_, values, state| (self.0)(values, state))
    }
}

/// `(time, key, values, state) -> state`.
pub struct ByTime<F>(F);

impl<K, V, S, F> UpdateState<K, V, S> for ByTime<F>
where
    K: Hash + Eq + Clone + 'static,
    S: Clone,
    F: Fn(BatchTime, &K, Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
{
    fn update(&self, partition: PartitionUpdate<'_, K, V, S>) -> Vec<(K, S)> {
        let time = partition.time;
        partition.each(|key, values, state| (self.0)(time, key, values, state))
    }
}

/// `(time, (key, values, state)…) -> (key, state)…`.
pub struct ByPartition<F>(F);

/// What the function of an `update_state_by_partition` is given: every key of the partition.
type Keys<'a, K, V, S> = dyn Iterator<Item = (K, Vec<V>, Option<S>)> + 'a;

impl<K, V, S, F, R> UpdateState<K, V, S> for ByPartition<F>
where
    K: Hash + Eq + Clone + 'static,
    S: Clone,
    F: Fn(BatchTime, &mut Keys<'_, K, V, S>) -> R + Send + Sync + 'static,
    R: IntoIterator<Item = (K, S)>,
{
    fn update(&self, partition: PartitionUpdate<'_, K, V, S>) -> Vec<(K, S)> {
        partition.all(|time, keys| (self.0)(time, keys))
    }
}

/// What a batch brings to known keys. Every slot is asked for, most of them in vain, so the question must cost next to
/// nothing: it is a look at a number in a row of numbers.
struct NewValues<V> {
    /// For each slot, where its values are: one more than their place, or 0 for none. Empty if no key has any.
    places: Vec<u32>,
    values: Vec<Vec<V>>,
}

impl<V> NewValues<V> {
    fn new(slots: usize, any: bool) -> Self {
        Self { places: vec![0; if any { slots } else { 0 }], values: Vec::new() }
    }

    fn add(&mut self, slot: u32, value: V) {
        let place = &mut self.places[slot as usize];
        if *place == 0 {
            self.values.push(Vec::new());
            *place = self.values.len() as u32;
        }
        self.values[*place as usize - 1].push(value);
    }

    #[inline]
    fn take(&mut self, slot: u32) -> Vec<V> {
        match self.places.get(slot as usize) {
            None | Some(0) => Vec::new(),
            Some(&place) => std::mem::take(&mut self.values[place as usize - 1]),
        }
    }
}

/// A key without state, and its values.
struct Fresh<K, V> {
    hash: u64,
    key: K,
    values: Vec<V>,
}

impl<K: Hash + Eq + Clone + 'static, V, S: Clone> PartitionUpdate<'_, K, V, S> {
    /// The values of known keys by their slots, and new keys with theirs.
    fn sorted(&mut self) -> (NewValues<V>, Vec<Fresh<K, V>>) {
        let mut known = NewValues::new(self.table.slots(), self.buckets.iter().any(|bucket| !bucket.is_empty()));
        let mut unknown = Vec::new();
        for row in self.buckets.drain(..).flatten() {
            match self.table.find_kept(row.hash, &row.key) {
                Some(number) => known.add(number, row.acc),
                None => unknown.push(row),
            }
        }
        let fresh = group(vec![unknown]).into_rows().map(|row| {
            let Row { hash, key, acc: values } = row;
            Fresh { hash, key: key.into_key(), values }
        });
        (known, fresh.collect())
    }

    /// The new state of every key on its own; nothing forgets the key.
    fn each(mut self, function: impl Fn(&K, Vec<V>, Option<S>) -> Option<S>) -> Vec<(K, S)> {
        let (mut values, fresh) = self.sorted();
        let Self { table, time, .. } = self;
        let mut records = Vec::with_capacity(table.len() + fresh.len());
        for number in 0..table.slots() as u32 {
            let Some(slot) = table.used_slot(number) else { continue };
            slot.state = function(&slot.key, values.take(number), slot.state.take());
            match &slot.state {
                Some(state) => {
                    records.push((slot.key.clone(), state.clone()));
                    table.changed(number);
                }
                None => drop(table.remove(number)),
            }
        }
        for Fresh { hash, key, values } in fresh {
            if let Some(state) = function(&key, values, None) {
                records.push((key.clone(), state.clone()));
                table.insert(hash, key, state, time);
            }
        }
        records
    }

    /// The new state of all keys at once: what is not returned is forgotten.
    fn all<R>(mut self, function: impl Fn(BatchTime, &mut Keys<'_, K, V, S>) -> R) -> Vec<(K, S)>
    where
        R: IntoIterator<Item = (K, S)>,
    {
        let (mut values, fresh) = self.sorted();
        let Self { table, time, place: (partition, partitions), hasher, .. } = self;
        let known = table.take_all().map(|(number, slot)| (slot.key, values.take(number), slot.state));
        let mut keys = known.chain(fresh.into_iter().map(|fresh| (fresh.key, fresh.values, None)));
        let updated = function(time, &mut keys);
        drop(keys);
        let mut records = Vec::new();
        for (key, state) in updated {
            let hash = hasher.hash_of(&crate::record::own::FindId(&key));
            assert!(
                partition_of(hash, partitions) == partition,
                "the function of an `update_state_by_partition` returned a key of another partition"
            );
            records.push((key.clone(), state.clone()));
            match table.find(hash, &key) {
                Some(number) => table.slot(number).state = Some(state),
                None => drop(table.insert(hash, key, state, time)),
            }
        }
        records
    }
}

/// `update_state_by_key` and `update_state_by_partition`.
pub struct UpdateStateByKey<K, V, S, F> {
    function: F,
    operator: &'static Operator,
    store: Arc<StateStore<K, S>>,
    values: PhantomData<fn(V)>,
}

impl<K, V, S, F> Gather for UpdateStateByKey<K, V, S, F>
where
    K: Key + Clone + Data,
    V: Data,
    S: Clone + Data,
    F: UpdateState<K, V, S>,
{
    type Record = (K, S);
    type Writer = ScatterWriter<K, V>;

    fn writer(&self, task: Task) -> ScatterWriter<K, V> {
        ScatterWriter::new(self.store.hasher.clone(), self.store.partitions(task.parallelism))
    }

    fn gather(self: &Arc<Self>, written: Vec<ScatterWriter<K, V>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let run = cx.run;
        lock(&self.store.continuity).step(&run.window_step(cx.node))?;
        let partitions = self.store.partitions(run.parallelism());
        let tables = self.store.open(run.parallelism(), run.zero());
        let written: Vec<_> = written.into_iter().map(ScatterWriter::into_buckets).collect();
        let fresh: usize = written.iter().flatten().map(Vec::len).sum();
        let weight = fresh + tables.iter().map(|table| lock(table).len()).sum::<usize>();
        let parts: Vec<_> = transpose(written, partitions).into_iter().map(Mutex::new).collect();
        let time = run.time();
        let blocks = run.tasks(partitions, weight, &|task| {
            let at = At(self.operator);
            let buckets = std::mem::take(&mut *lock(&parts[task.partition]));
            let records = self.function.update(PartitionUpdate {
                table: &mut lock(&tables[task.partition]),
                time,
                buckets,
                place: (task.partition, partitions),
                hasher: &self.store.hasher,
            });
            std::mem::forget(at);
            Arc::new(records)
        });
        let blocks = blocks.inspect_err(|_| lock(&self.store.continuity).lose())?;
        self.store.report(cx, fresh);
        Ok(run.blocks::<(K, S)>(cx.node, blocks))
    }
}

impl<K, V, S, F> Sink<UpdateStateByKey<K, V, S, F>> {
    fn build_state(
        self,
        operator: &'static Operator,
        function: F,
        initial: impl IntoIterator<Item = (K, S)>,
        partitions: Option<usize>,
    ) -> DStream<(K, S)>
    where
        K: Key + Clone + Data,
        V: Data,
        S: Clone + Data,
        F: UpdateState<K, V, S>,
    {
        let store = Arc::new(StateStore::new(initial.into_iter().collect(), checked(partitions)));
        let kept: Arc<dyn Checkpointed> = Arc::clone(&store) as _;
        let gather = UpdateStateByKey { function, operator, store, values: PhantomData };
        self.build_with(operator, gather, |node| {
            node.keeps(kept);
            node.set_cloner::<(K, S)>(<(K, S)>::cloner());
        })
    }
}

impl<K, V, S, F> Sink<UpdateStateByKey<K, V, S, ByValues<F>>> {
    /// Makes the node of an `update_state_by_key` whose function takes values and state.
    pub fn finish(
        self,
        operator: &'static Operator,
        function: F,
        initial: impl IntoIterator<Item = (K, S)>,
        partitions: Option<usize>,
    ) -> DStream<(K, S)>
    where
        K: Key + Clone + Data,
        V: Data,
        S: Clone + Data,
        F: Fn(Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
    {
        self.build_state(operator, ByValues(function), initial, partitions)
    }
}

impl<K, V, S, F> Sink<UpdateStateByKey<K, V, S, ByTime<F>>> {
    /// Makes the node of an `update_state_by_key` whose function also takes time and key.
    pub fn finish(
        self,
        operator: &'static Operator,
        function: F,
        initial: impl IntoIterator<Item = (K, S)>,
        partitions: Option<usize>,
    ) -> DStream<(K, S)>
    where
        K: Key + Clone + Data,
        V: Data,
        S: Clone + Data,
        F: Fn(BatchTime, &K, Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
    {
        self.build_state(operator, ByTime(function), initial, partitions)
    }
}

impl<K, V, S, F> Sink<UpdateStateByKey<K, V, S, ByPartition<F>>> {
    /// Makes the node of an `update_state_by_partition`.
    pub fn finish<R>(
        self,
        operator: &'static Operator,
        function: F,
        initial: impl IntoIterator<Item = (K, S)>,
        partitions: Option<usize>,
    ) -> DStream<(K, S)>
    where
        K: Key + Clone + Data,
        V: Data,
        S: Clone + Data,
        F: Fn(BatchTime, &mut Keys<'_, K, V, S>) -> R + Send + Sync + 'static,
        R: IntoIterator<Item = (K, S)>,
    {
        self.build_state(operator, ByPartition(function), initial, partitions)
    }
}
