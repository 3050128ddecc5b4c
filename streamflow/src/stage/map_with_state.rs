//! `map_with_state`: a function of key, value and state for each record, and the states of all keys as a second stream.
//!
//! *Cost of a batch*: the keys that have records, and those that time out; never the keys that exist.
//! *Failure*: a function that fails half-way leaves the state as it must not be, so the operator fails from then on.

use std::hash::Hash;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::sink::Sink;
use super::transform::NodeSlot;
use super::{Gather, GatherCx};
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::Operator;
use crate::record::{Data, Key};
use crate::run::{Run, Task};
use crate::shuffle::map_side::ScatterWriter;
use crate::shuffle::table::Row;
use crate::state::checkpointed::Checkpointed;
use crate::state::codec::PairTag;
use crate::state::slots::Slot;
use crate::state::spec::{Decided, Phase, Plain, SaysHowLong, State, StateSpec, WithTime};
use crate::state::store::{StateStore, Visits};
use crate::state::table::{AHEAD, StateTable};
use crate::time::{BatchTime, lock};
use crate::topology::{AnyDataset, Compute, Node, NodeId};

/// The function of a `map_with_state`.
pub trait MapState<K, V, S, M>: Send + Sync + 'static {
    /// Calls it.
    fn call(&self, time: BatchTime, key: &K, value: Option<V>, state: &mut State<S>) -> Option<M>;
}

impl<K, V, S, M, F> MapState<K, V, S, M> for Plain<F>
where
    F: Fn(&K, Option<V>, &mut State<S>) -> M + Send + Sync + 'static,
{
    fn call(&self, _: BatchTime, key: &K, value: Option<V>, state: &mut State<S>) -> Option<M> {
        Some((self.0)(key, value, state))
    }
}

impl<K, V, S, M, F> MapState<K, V, S, M> for WithTime<F>
where
    F: Fn(BatchTime, &K, Option<V>, &mut State<S>) -> Option<M> + Send + Sync + 'static,
{
    fn call(&self, time: BatchTime, key: &K, value: Option<V>, state: &mut State<S>) -> Option<M> {
        (self.0)(time, key, value, state)
    }
}

/// `map_with_state`.
pub struct MapWithState<K, V, S, M, F> {
    function: F,
    timeout: Option<Duration>,
    operator: &'static Operator,
    store: Arc<StateStore<K, S>>,
    types: PhantomData<fn(V) -> M>,
}

impl<K, V, S, M, F> MapWithState<K, V, S, M, F>
where
    K: Hash + Eq + Send + Sync + 'static,
    S: Send + Sync + 'static,
    F: MapState<K, V, S, M>,
{
    /// The batch in one partition.
    fn update(&self, table: &mut StateTable<K, S>, time: BatchTime, buckets: Vec<Vec<Row<K, V>>>) -> Vec<M> {
        table.begin(time);
        let mut mapped = Vec::with_capacity(buckets.iter().map(Vec::len).sum());
        let mut found = Vec::with_capacity(AHEAD);
        for bucket in buckets {
            let mut rows = bucket.into_iter();
            while !rows.as_slice().is_empty() {
                let ahead = rows.as_slice().len().min(AHEAD);
                table.find_ahead(&rows.as_slice()[..ahead], &mut found);
                for (found, row) in found.drain(..).zip(&mut rows) {
                    mapped.extend(self.touch(table, time, row, found));
                }
            }
        }
        if let Some(timeout) = self.timeout {
            self.time_out(table, time, timeout, &mut mapped);
        }
        mapped
    }

    /// Lets keys go that have been idle for longer than `timeout`.
    fn time_out(&self, table: &mut StateTable<K, S>, time: BatchTime, timeout: Duration, mapped: &mut Vec<M>) {
        let mut gone = Vec::with_capacity(AHEAD);
        for numbers in table.due(time - timeout).chunks(AHEAD) {
            table.remove_ahead(numbers, &mut gone);
            for Slot { key, state } in gone.drain(..) {
                mapped.extend(self.function.call(time, &key, None, &mut State::timing_out(state)));
                table.forget(key);
            }
        }
    }

    /// One record. `found` is where its key was before those before it: they may have made or removed it.
    #[inline]
    fn touch(&self, table: &mut StateTable<K, S>, time: BatchTime, row: Row<K, V>, found: Option<u32>) -> Option<M> {
        let Row { hash, key, acc: value } = row;
        let still = found.filter(|&number| table.holds(number, &key));
        let Some(number) = still.or_else(|| table.find_kept(hash, &key)) else {
            let key = key.into_key();
            let mut state = State::new(None);
            let record = self.function.call(time, &key, Some(value), &mut state);
            if let (Some(state), _) = state.into_parts() {
                table.insert(hash, key, state);
            }
            return record;
        };
        let (mut record, mut touched) = (None, false);
        table.update(hash, number, |key, state| {
            let mut state = State::new(Some(state));
            record = self.function.call(time, key, Some(value), &mut state);
            let (state, phase) = state.into_parts();
            // With a timeout a record keeps its key alive also when the function leaves the state as it is.
            touched = phase == Phase::Updated || (phase != Phase::Removed && self.timeout.is_some());
            state
        });
        if touched {
            table.touch(number);
        }
        record
    }
}

impl<K, V, S, M, F> Gather for MapWithState<K, V, S, M, F>
where
    K: Key + Clone + Data,
    V: Data,
    S: Data,
    M: Data,
    F: MapState<K, V, S, M>,
{
    type Record = M;
    type Writer = ScatterWriter<K, V>;

    fn writer(&self, task: Task) -> ScatterWriter<K, V> {
        ScatterWriter::new(self.store.hasher.clone(), self.store.partitions(task.parallelism))
    }

    fn gather(self: &Arc<Self>, written: Vec<ScatterWriter<K, V>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let time = cx.run.time();
        let update = |table: &mut StateTable<K, S>, buckets, _| self.update(table, time, buckets);
        let blocks = self.store.batch(self.operator, written, Visits::KeysOfRecords, cx, update)?;
        Ok(cx.run.blocks::<M>(cx.node, blocks))
    }
}

/// What a `map_with_state` gives: the mapped stream, and the states of all keys on demand.
///
/// It dereferences to the mapped stream.
#[must_use = "a stream does nothing unless an output depends on it"]
pub struct MapWithStateStream<K, S, M: Send + Sync + 'static> {
    mapped: DStream<M>,
    store: Arc<StateStore<K, S>>,
}

impl<K, S, M: Send + Sync + 'static> Deref for MapWithStateStream<K, S, M> {
    type Target = DStream<M>;

    fn deref(&self) -> &DStream<M> {
        &self.mapped
    }
}

impl<K, S, M: Send + Sync + 'static> MapWithStateStream<K, S, M> {
    /// The mapped stream.
    pub fn into_mapped(self) -> DStream<M> {
        self.mapped
    }

    /// The states of all keys after each batch.
    pub fn state_snapshots(&self) -> DStream<(K, S)>
    where
        K: Hash + Eq + Clone + Send + Sync + 'static,
        S: Clone + Send + Sync + 'static,
    {
        let topology = self.mapped.topology();
        let slot = NodeSlot::default();
        let name = topology.inspect(|graph| graph.nodes[self.mapped.node().0].name.clone());
        let mut node = Node::new::<(K, S)>(format!("{name}.state_snapshots"), "state_snapshots");
        node.follows = Some(self.mapped.node());
        node.compute = Some(Arc::new(Snapshots {
            node: slot.clone(),
            mapped: self.mapped.node(),
            store: Arc::clone(&self.store),
        }));
        let id = topology.add_node(node);
        slot.set(id);
        DStream::new(topology.clone(), id)
    }
}

/// For the emitted code: how the states are written to a checkpoint.
#[doc(hidden)]
impl<K, S, M: Send + Sync + 'static> MapWithStateStream<K, S, M> {
    /// The types of key and state.
    pub fn pair_tag(&self) -> PairTag<K, S> {
        PairTag::new()
    }
}

struct Snapshots<K, S> {
    node: NodeSlot,
    mapped: NodeId,
    store: Arc<StateStore<K, S>>,
}

impl<K, S> Compute for Snapshots<K, S>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    S: Clone + Send + Sync + 'static,
{
    fn compute(&self, run: &Run<'_>) -> Result<AnyDataset> {
        run.await_node(self.mapped)?;
        let tables = self.store.tables();
        let keys = tables.iter().map(|table| lock(table).len()).sum();
        let blocks = run.tasks(tables.len(), keys, &|task| {
            let table = lock(&tables[task.partition]);
            Arc::new(table.iter().map(|(key, state)| (key.clone(), state.clone())).collect::<Vec<_>>())
        })?;
        Ok(run.blocks::<(K, S)>(self.node.get(), blocks))
    }
}

impl<K, V, S, M, F> Sink<MapWithState<K, V, S, M, F>> {
    /// Makes the node of a `map_with_state`.
    pub fn finish<L: SaysHowLong>(
        self,
        operator: &'static Operator,
        spec: StateSpec<F, K, S, L>,
    ) -> MapWithStateStream<K, S, M>
    where
        K: Key + Clone + Data,
        V: Data,
        S: Data,
        M: Data,
        F: MapState<K, V, S, M>,
    {
        let store = Arc::new(StateStore::new(spec.initial, spec.partitions, spec.timeout.is_some()));
        let gather = MapWithState {
            function: spec.function,
            timeout: spec.timeout,
            operator,
            store: Arc::clone(&store),
            types: PhantomData,
        };
        let kept: Arc<dyn Checkpointed> = Arc::clone(&store) as _;
        MapWithStateStream { mapped: self.build_with(operator, gather, |node| node.keeps(kept)), store }
    }
}

impl<K, V, S, M, F> Sink<MapWithState<K, V, S, M, Plain<F>>> {
    /// As `finish`, with the function apart from the rest of the spec, so that its parameters' types can be inferred.
    pub fn finish_function(
        self,
        operator: &'static Operator,
        function: F,
        spec: impl FnOnce(StateSpec<Plain<F>, K, S>) -> StateSpec<Plain<F>, K, S, Decided>,
    ) -> MapWithStateStream<K, S, M>
    where
        K: Key + Clone + Data,
        V: Data,
        S: Data,
        M: Data,
        F: Fn(&K, Option<V>, &mut State<S>) -> M + Send + Sync + 'static,
    {
        self.finish(operator, spec(StateSpec::function(function)))
    }
}

impl<K, V, S, M, F> Sink<MapWithState<K, V, S, M, WithTime<F>>> {
    /// As `finish`, with the function apart from the rest of the spec, so that its parameters' types can be inferred.
    pub fn finish_function(
        self,
        operator: &'static Operator,
        function: F,
        spec: impl FnOnce(StateSpec<WithTime<F>, K, S>) -> StateSpec<WithTime<F>, K, S, Decided>,
    ) -> MapWithStateStream<K, S, M>
    where
        K: Key + Clone + Data,
        V: Data,
        S: Data,
        M: Data,
        F: Fn(BatchTime, &K, Option<V>, &mut State<S>) -> Option<M> + Send + Sync + 'static,
    {
        self.finish(operator, spec(StateSpec::function_with_time(function)))
    }
}
