//! Windows with one value: `count_by_window` and `reduce_by_window`.

use std::any::Any;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fold::{Fold, Inverse, TwoStacks};
use super::keyed::KeyedWindow;
use super::{Continuity, WindowSpec};
use crate::dstream::DStream;
use crate::error::Result;
use crate::metrics::work::Holding;
use crate::plan::Operator;
use crate::record::own::Id;
use crate::run::Task;
use crate::shuffle::map_side::Aggregator;
use crate::shuffle::table::Table;
use crate::stage::combine::Reduce;
use crate::stage::sink::Sink;
use crate::stage::total::{CountWriter, ReduceWriter};
use crate::stage::{Gather, GatherCx};
use crate::state::checkpointed::{Change, Checkpointed, Entries, Extent};
use crate::state::codec::Codec;
use crate::time::lock;
use crate::topology::AnyDataset;

/// `count_by_window`: the number of records in the window.
pub struct CountAllWindow(Arc<Mutex<CountState>>);

#[derive(Default)]
struct CountState {
    continuity: Continuity,
    panes: VecDeque<(u64, u64)>,
    /// Nothing before the first record.
    total: Option<u64>,
}

impl Gather for CountAllWindow {
    type Record = u64;
    type Writer = CountWriter;

    fn writer(&self, _: Task) -> CountWriter {
        CountWriter::default()
    }

    fn gather(self: &Arc<Self>, written: Vec<CountWriter>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let step = cx.run.window_step(cx.node);
        let count: u64 = written.iter().map(CountWriter::count).sum();
        let mut state = lock(&self.0);
        state.continuity.step(&step)?;
        if step.in_some_window() && (count > 0 || state.total.is_some()) {
            state.panes.push_back((step.pane(), count));
            *state.total.get_or_insert(0) += count;
        }
        while let Some((_, count)) = state.panes.pop_front_if(|(pane, _)| *pane <= step.last_left()) {
            state.total = state.total.map(|total| total - count);
        }
        let records = if step.ends_window() { state.total.into_iter().collect() } else { Vec::new() };
        let panes = state.panes.len() as u64;
        cx.run.ledger().keep(cx.node, Holding { keys: 0, bytes: panes * size_of::<(u64, u64)>() as u64, panes });
        Ok(cx.run.blocks::<u64>(cx.node, vec![Arc::new(records)]))
    }
}

/// A window of numbers is so small that it is always saved as one entry.
impl Checkpointed for Mutex<CountState> {
    fn fingerprint(&self) -> String {
        "window of a count".to_owned()
    }

    fn set_codec(&self, _: &dyn Any) {}

    fn has_codec(&self) -> bool {
        true
    }

    fn track(&self) {}

    fn begin(&self, since_zero: u64) {
        lock(self).continuity.resume(since_zero);
    }

    fn save(&self, _: Extent) -> Result<Vec<Change>> {
        let state = lock(self);
        let panes: Vec<(u64, u64)> = state.panes.iter().copied().collect();
        let mut value = Vec::new();
        Codec::new().write(&(state.total, panes), &mut value)?;
        Ok(vec![Change { key: Vec::new(), value: Some(value) }])
    }

    fn restore(&self, since_zero: u64, _: usize, entries: Entries<'_>) -> Result<()> {
        let mut state = lock(self);
        for entry in entries {
            let (_, value) = entry?;
            let (total, panes) = Codec::<(Option<u64>, Vec<(u64, u64)>)>::new().read(&mut &value[..])?;
            (state.total, state.panes) = (total, panes.into());
        }
        state.continuity.resume(since_zero);
        Ok(())
    }
}

impl Sink<CountAllWindow> {
    /// Makes the node of a `count_by_window`.
    pub fn finish(self, operator: &'static Operator, length: Duration, slide: Option<Duration>) -> DStream<u64> {
        let state: Arc<Mutex<CountState>> = Arc::default();
        self.build_window(operator, WindowSpec { length, slide }, Arc::clone(&state) as _, CountAllWindow(state))
    }
}

/// `reduce_by_window`: one value for all records of the window. It is a window with a single key.
pub struct ReduceAllWindow<T, F, L: Fold<T>> {
    aggregator: Arc<Reduce<T, F>>,
    window: Arc<KeyedWindow<(), T, L>>,
}

impl<T, F, L> Gather for ReduceAllWindow<T, F, L>
where
    T: Clone + Send + Sync + 'static,
    F: Fn(T, T) -> T + Send + Sync + 'static,
    L: Fold<T>,
{
    type Record = T;
    type Writer = ReduceWriter<T, F>;

    fn writer(&self, _: Task) -> ReduceWriter<T, F> {
        ReduceWriter::new(Arc::clone(&self.aggregator))
    }

    fn gather(self: &Arc<Self>, written: Vec<ReduceWriter<T, F>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        let merge = |left, right| self.aggregator.merge(left, right);
        let hash = self.window.hasher().hash(&Id(()));
        let combine = |written: Vec<ReduceWriter<T, F>>| {
            let mut batch = Table::new();
            for value in written.into_iter().filter_map(ReduceWriter::into_acc) {
                batch.upsert(hash, Id(()), value, |value| value, merge);
            }
            batch
        };
        let blocks = self.window.step(cx, vec![written], 1, combine, merge)?;
        let values = blocks.iter().flat_map(|block| block.iter()).map(|((), value)| value.clone()).collect();
        Ok(cx.run.blocks::<T>(cx.node, vec![Arc::new(values)]))
    }
}

impl<T, F> Sink<ReduceAllWindow<T, F, TwoStacks<Reduce<T, F>>>>
where
    T: Clone + Send + Sync + 'static,
    F: Fn(T, T) -> T + Send + Sync + 'static,
{
    /// Makes the node of a `reduce_by_window` without inverse function.
    pub fn finish(
        self,
        operator: &'static Operator,
        reduce: F,
        length: Duration,
        slide: Option<Duration>,
    ) -> DStream<T> {
        let aggregator = Arc::new(Reduce::new(reduce));
        let fold = TwoStacks { aggregator: Arc::clone(&aggregator) };
        let window = Arc::new(KeyedWindow::new(operator, fold, Some(1), |_| true));
        let state = Arc::clone(&window);
        self.build_window(operator, WindowSpec { length, slide }, state, ReduceAllWindow { aggregator, window })
    }
}

impl<T, F, I> Sink<ReduceAllWindow<T, F, Inverse<Reduce<T, F>, I>>>
where
    T: Clone + Send + Sync + 'static,
    F: Fn(T, T) -> T + Send + Sync + 'static,
    I: Fn(T, T) -> T + Send + Sync + 'static,
{
    /// Makes the node of a `reduce_by_window` with an inverse function.
    pub fn finish(
        self,
        operator: &'static Operator,
        reduce: F,
        inverse: I,
        length: Duration,
        slide: Option<Duration>,
    ) -> DStream<T> {
        let aggregator = Arc::new(Reduce::new(reduce));
        let fold = Inverse { aggregator: Arc::clone(&aggregator), inverse };
        let window = Arc::new(KeyedWindow::new(operator, fold, Some(1), |_| true));
        let state = Arc::clone(&window);
        self.build_window(operator, WindowSpec { length, slide }, state, ReduceAllWindow { aggregator, window })
    }
}
