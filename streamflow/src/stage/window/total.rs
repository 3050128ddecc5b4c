//! Windows with one value: `count_by_window` and `reduce_by_window`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::fold::{Fold, Inverse, TwoStacks};
use super::panes::Panes;
use super::{Continuity, WindowSpec};
use crate::dstream::DStream;
use crate::error::Result;
use crate::metrics::work::Kept;
use crate::plan::Operator;
use crate::record::own::Id;
use crate::run::{At, Task, guard};
use crate::shuffle::map_side::Aggregator;
use crate::shuffle::table::Table;
use crate::stage::combine::Reduce;
use crate::stage::sink::Sink;
use crate::stage::total::{CountWriter, ReduceWriter};
use crate::stage::{Gather, GatherCx};
use crate::time::lock;
use crate::topology::AnyDataset;

/// `count_by_window`: the number of records in the window.
#[derive(Default)]
pub struct CountAllWindow(Mutex<CountState>);

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
        cx.run.ledger().keep(cx.node, Kept { keys: 0, bytes: panes * size_of::<(u64, u64)>() as u64, panes });
        Ok(cx.run.blocks::<u64>(cx.node, vec![Arc::new(records)]))
    }
}

impl Sink<CountAllWindow> {
    /// Makes the node of a `count_by_window`.
    pub fn finish(self, operator: &'static Operator, length: Duration, slide: Option<Duration>) -> DStream<u64> {
        self.build_window(operator, WindowSpec { length, slide }, CountAllWindow::default())
    }
}

/// `reduce_by_window`: one value for all records of the window. It is a window with a single key.
pub struct ReduceAllWindow<T, F, L: Fold<T>> {
    aggregator: Arc<Reduce<T, F>>,
    fold: L,
    operator: &'static Operator,
    state: Mutex<(Continuity, Panes<(), T, L>)>,
}

impl<T, F, L> ReduceAllWindow<T, F, L>
where
    L: Fold<T>,
{
    fn new(operator: &'static Operator, aggregator: Arc<Reduce<T, F>>, fold: L) -> Self {
        Self { aggregator, fold, operator, state: Mutex::new((Continuity::default(), Panes::default())) }
    }
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
        let step = cx.run.window_step(cx.node);
        let mut state = lock(&self.state);
        let (continuity, panes) = &mut *state;
        continuity.step(&step)?;
        let records = guard(|| {
            let at = At(self.operator);
            let mut batch = Table::new();
            let merge = |left, right| self.aggregator.merge(left, right);
            for value in written.into_iter().filter_map(ReduceWriter::into_acc) {
                batch.upsert(0, Id(()), value, |value| value, merge);
            }
            panes.step(&self.fold, &step, batch, merge);
            let records = if step.ends_window() { panes.records(&self.fold, &|_| true) } else { Vec::new() };
            std::mem::forget(at);
            records
        });
        let records = records.inspect_err(|_| continuity.lose())?;
        cx.run.ledger().keep(cx.node, panes.kept());
        let records = records.into_iter().map(|((), value)| value).collect();
        Ok(cx.run.blocks::<T>(cx.node, vec![Arc::new(records)]))
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
        let gather = ReduceAllWindow::new(operator, aggregator, fold);
        self.build_window(operator, WindowSpec { length, slide }, gather)
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
        let gather = ReduceAllWindow::new(operator, aggregator, fold);
        self.build_window(operator, WindowSpec { length, slide }, gather)
    }
}
