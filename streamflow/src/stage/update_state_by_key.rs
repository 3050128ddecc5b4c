//! `update_state_by_key`: every known key is visited in every batch.
//!
//! Its function sees one key at a time, or, as `update_state_by_partition`, all keys of a partition.
//!
//! *Cost of a batch*: all keys, at memory speed; a copy of the whole state goes to the stream. Every key has a new state
//! afterwards, so a checkpoint holds all of them.

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::Arc;

use super::combine::checked;
use super::sink::Sink;
use super::{Gather, GatherCx};
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::Operator;
use crate::record::own::FindId;
use crate::record::{Data, Fork, Key};
use crate::run::Task;
use crate::shuffle::map_side::ScatterWriter;
use crate::shuffle::table::Row;
use crate::shuffle::{KeyHasher, partition_of};
use crate::state::bits::{Bits, WORD};
use crate::state::checkpointed::Checkpointed;
use crate::state::index::Index;
use crate::state::store::{StateStore, Visits};
use crate::state::table::{AHEAD, StateTable};
use crate::time::BatchTime;
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

/// What a batch brings to known keys.
///
/// Every key is asked for its values, most of them in vain, so the question must cost next to nothing: it is a look at a bit,
/// for 64 keys at a time. A key that has values finds them by counting the keys before it that have some.
struct NewValues<V> {
    /// The numbers of the keys.
    numbers: Bits,
    /// How many of them are in the words before each.
    before: Vec<u32>,
    /// Their values, in the order of the numbers.
    values: Vec<Vec<V>>,
}

impl<V> NewValues<V> {
    fn new(numbers: Bits) -> Self {
        let mut count = 0;
        let mut before = Vec::with_capacity(numbers.words());
        for word in 0..numbers.words() {
            before.push(count);
            count += numbers.word(word).count_ones();
        }
        Self { numbers, before, values: std::iter::repeat_with(Vec::new).take(count as usize).collect() }
    }

    /// The values of a key of which [`numbers`](Self::numbers) has the number.
    #[inline]
    fn of(&mut self, number: u32) -> &mut Vec<V> {
        let (word, bit) = ((number / WORD) as usize, number % WORD);
        let smaller = self.numbers.word(word) & ((1 << bit) - 1);
        &mut self.values[(self.before[word] + smaller.count_ones()) as usize]
    }

    #[inline]
    fn take(&mut self, number: u32) -> Vec<V> {
        if self.numbers.contains(number) { std::mem::take(self.of(number)) } else { Vec::new() }
    }
}

/// Keys without a state, and their values, in the order in which they came up.
struct Fresh<K: 'static, V> {
    index: Index,
    keys: Vec<Row<K, Vec<V>>>,
}

impl<K: Eq, V> Fresh<K, V> {
    fn add(&mut self, row: Row<K, V>) {
        let Row { hash, key, acc: value } = row;
        match self.index.find(hash, |number| self.keys[number as usize].key.same(&key)) {
            Some(number) => self.keys[number as usize].acc.push(value),
            None => {
                if !self.index.has_room() {
                    self.index.make_room(self.keys.iter().map(|row| row.hash).zip(0..));
                }
                self.index.insert(hash, self.keys.len() as u32);
                self.keys.push(Row { hash, key, acc: vec![value] });
            }
        }
    }
}

impl<K: Hash + Eq + Clone + 'static, V, S: Clone> PartitionUpdate<'_, K, V, S> {
    /// The values of known keys by their numbers, and new keys with theirs.
    fn sorted(&mut self) -> (NewValues<V>, Vec<Row<K, Vec<V>>>) {
        let mut found = Vec::with_capacity(self.buckets.iter().map(Vec::len).sum());
        for rows in self.buckets.iter().flat_map(|bucket| bucket.chunks(AHEAD)) {
            self.table.find_ahead(rows, &mut found);
        }
        let mut numbers = Bits::default();
        numbers.extend(found.iter().flatten().copied());
        let mut known = NewValues::new(numbers);
        let mut fresh = Fresh { index: Index::default(), keys: Vec::new() };
        for (row, found) in self.buckets.drain(..).flatten().zip(found) {
            match found {
                Some(number) => known.of(number).push(row.acc),
                None => fresh.add(row),
            }
        }
        (known, fresh.keys)
    }

    /// The new state of every key on its own; nothing forgets the key.
    fn each(mut self, function: impl Fn(&K, Vec<V>, Option<S>) -> Option<S>) -> Vec<(K, S)> {
        let (mut values, fresh) = self.sorted();
        let Self { table, time, .. } = self;
        table.begin(time);
        table.renewed();
        let mut records = Vec::with_capacity(table.len() + fresh.len());
        let mut record = |key: &K, state: Option<S>| {
            records.extend(state.as_ref().map(|state| (key.clone(), state.clone())));
            state
        };
        for word in 0..table.used().words() {
            // Most keys have no values; for them there is nothing to ask.
            if values.numbers.word(word) == 0 {
                table.update_word(word, |_, key, state| record(key, function(key, Vec::new(), Some(state))));
            } else {
                table.update_word(word, |number, key, state| {
                    record(key, function(key, values.take(number), Some(state)))
                });
            }
        }
        for Row { hash, key, acc: values } in fresh {
            let key = key.into_key();
            if let Some(state) = record(&key, function(&key, values, None)) {
                table.insert(hash, key, state);
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
        table.begin(time);
        let known = table.take_all().map(|(number, slot)| (slot.key, values.take(number), Some(slot.state)));
        let mut keys = known.chain(fresh.into_iter().map(|fresh| (fresh.key.into_key(), fresh.acc, None)));
        let updated = function(time, &mut keys);
        drop(keys);
        let mut records = Vec::new();
        for (key, state) in updated {
            let hash = hasher.hash_of(&FindId(&key));
            assert!(
                partition_of(hash, partitions) == partition,
                "the function of an `update_state_by_partition` returned a key of another partition"
            );
            records.push((key.clone(), state.clone()));
            match table.find(hash, &key) {
                Some(number) => table.update(hash, number, |_, _| Some(state)),
                None => {
                    table.insert(hash, key, state);
                }
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
        let time = cx.run.time();
        let blocks = self.store.batch(self.operator, written, Visits::AllKeys, cx, |table, buckets, place| {
            let hasher = &self.store.hasher;
            self.function.update(PartitionUpdate { table, time, buckets, place, hasher })
        })?;
        Ok(cx.run.blocks::<(K, S)>(cx.node, blocks))
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
        let store = Arc::new(StateStore::new(initial.into_iter().collect(), checked(partitions), false));
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
