//! `update_state_by_key`: every known key is visited in every batch.
//!
//! *Cost of a batch*: all keys, at memory speed; a copy of the whole state goes to the stream.

use std::collections::HashMap;
use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::{Arc, Mutex};

use super::combine::checked;
use super::sink::Sink;
use super::{Gather, GatherCx};
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::Operator;
use crate::record::Fork;
use crate::run::{At, Task};
use crate::shuffle::map_side::ScatterWriter;
use crate::shuffle::reduce_side::{group, transpose};
use crate::shuffle::table::Row;
use crate::state::checkpointed::Checkpointed;
use crate::state::store::StateStore;
use crate::state::table::StateTable;
use crate::time::{BatchTime, lock};
use crate::topology::AnyDataset;

/// The function of an `update_state_by_key`, in one of its forms.
pub trait UpdateState<K, V, S>: Send + Sync + 'static {
    /// The new state of a key from its values in the batch and its old state; nothing forgets the key.
    fn call(&self, time: BatchTime, key: &K, values: Vec<V>, state: Option<S>) -> Option<S>;
}

/// `(values, state) -> state`.
pub struct ByValues<F>(F);

impl<K, V, S, F> UpdateState<K, V, S> for ByValues<F>
where
    F: Fn(Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
{
    #[inline]
    fn call(&self, _: BatchTime, _: &K, values: Vec<V>, state: Option<S>) -> Option<S> {
        (self.0)(values, state)
    }
}

/// `(time, key, values, state) -> state`.
pub struct ByTime<F>(F);

impl<K, V, S, F> UpdateState<K, V, S> for ByTime<F>
where
    F: Fn(BatchTime, &K, Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
{
    #[inline]
    fn call(&self, time: BatchTime, key: &K, values: Vec<V>, state: Option<S>) -> Option<S> {
        (self.0)(time, key, values, state)
    }
}

/// `update_state_by_key`.
pub struct UpdateStateByKey<K, V, S, F> {
    function: F,
    operator: &'static Operator,
    store: Arc<StateStore<K, S>>,
    values: PhantomData<fn(V)>,
}

impl<K, V, S, F> UpdateStateByKey<K, V, S, F>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: Clone + Send + Sync + 'static,
    F: UpdateState<K, V, S>,
{
    /// The batch in one partition; returns the whole state.
    fn update(&self, table: &mut StateTable<K, S>, time: BatchTime, buckets: Vec<Vec<Row<K, V>>>) -> Vec<(K, S)> {
        let mut fresh = Vec::new();
        let mut values: HashMap<u32, Vec<V>> = HashMap::new();
        for row in group(buckets).into_rows() {
            match table.find(row.hash, &row.key) {
                Some(number) => drop(values.insert(number, row.acc)),
                None => fresh.push(row),
            }
        }
        let mut records = Vec::with_capacity(table.len() + fresh.len());
        for number in table.numbers() {
            let slot = table.slot(number);
            let new = if values.is_empty() { Vec::new() } else { values.remove(&number).unwrap_or_default() };
            slot.state = self.function.call(time, &slot.key, new, slot.state.take());
            match &slot.state {
                Some(state) => {
                    records.push((slot.key.clone(), state.clone()));
                    table.changed(number);
                }
                None => drop(table.remove(number)),
            }
        }
        for Row { hash, key, acc: values } in fresh {
            if let Some(state) = self.function.call(time, &key, values, None) {
                records.push((key.clone(), state.clone()));
                table.insert(hash, key, state, time);
            }
        }
        records
    }
}

impl<K, V, S, F> Gather for UpdateStateByKey<K, V, S, F>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: Clone + Send + Sync + 'static,
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
            let records = self.update(&mut lock(&tables[task.partition]), time, buckets);
            std::mem::forget(at);
            Arc::new(records)
        });
        let blocks = blocks.inspect_err(|_| lock(&self.store.continuity).lose())?;
        self.store.report(cx, fresh);
        Ok(run.blocks::<(K, S)>(cx.node, blocks))
    }
}

impl<K, V, S, F> Sink<UpdateStateByKey<K, V, S, F>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: Clone + Send + Sync + 'static,
    F: UpdateState<K, V, S>,
{
    fn build_state(
        self,
        operator: &'static Operator,
        function: F,
        initial: impl IntoIterator<Item = (K, S)>,
        partitions: Option<usize>,
    ) -> DStream<(K, S)> {
        let store = Arc::new(StateStore::new(initial.into_iter().collect(), checked(partitions)));
        let kept: Arc<dyn Checkpointed> = Arc::clone(&store) as _;
        let gather = UpdateStateByKey { function, operator, store, values: PhantomData };
        self.build_with(operator, gather, |node| {
            node.keeps(kept);
            node.set_cloner::<(K, S)>(<(K, S)>::cloner());
        })
    }
}

impl<K, V, S, F> Sink<UpdateStateByKey<K, V, S, ByValues<F>>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: Clone + Send + Sync + 'static,
    F: Fn(Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
{
    /// Makes the node of an `update_state_by_key` whose function takes values and state.
    pub fn finish(
        self,
        operator: &'static Operator,
        function: F,
        initial: impl IntoIterator<Item = (K, S)>,
        partitions: Option<usize>,
    ) -> DStream<(K, S)> {
        self.build_state(operator, ByValues(function), initial, partitions)
    }
}

impl<K, V, S, F> Sink<UpdateStateByKey<K, V, S, ByTime<F>>>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
    S: Clone + Send + Sync + 'static,
    F: Fn(BatchTime, &K, Vec<V>, Option<S>) -> Option<S> + Send + Sync + 'static,
{
    /// Makes the node of an `update_state_by_key` whose function also takes time and key.
    pub fn finish(
        self,
        operator: &'static Operator,
        function: F,
        initial: impl IntoIterator<Item = (K, S)>,
        partitions: Option<usize>,
    ) -> DStream<(K, S)> {
        self.build_state(operator, ByTime(function), initial, partitions)
    }
}
