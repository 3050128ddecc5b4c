//! One batch in the works.
//!
//! A [`Run`] belongs to the thread that drives the batch. Outputs ask it for the data sets of their nodes, which asks for
//! those of their parents, and so on up to the inputs; each is made once. Only tasks run on other threads, and they see
//! nothing of the run but the partition that they read and the writers that they fill.
//!
//! *Failure*: a task that panics is tried again, from inputs that are read again or, if they are gone, made again. What
//! still fails fails its stage, every node below it and every output of those; other outputs of the batch go on.
//!
//! | module | what it holds |
//! |---|---|
//! | [`tasks`] | running the tasks of a stage, until all have succeeded |
//! | [`guard`](mod@guard) | panics of user code, as errors |

mod guard;
mod tasks;

pub use self::guard::At;
pub(crate) use self::guard::guard;
pub(crate) use self::tasks::{Task, TaskResults};

use std::any::Any;
use std::cell::{Ref, RefCell};
use std::sync::Arc;
use std::time::Duration;

use crate::dataset::{Blocks, Dataset};
use crate::error::{Error, Result};
use crate::exec::Executor;
use crate::fs::SharedFs;
use crate::metrics::Worker;
use crate::metrics::work::{Ledger, Roster};
use crate::plan::Operator;
use crate::record::{Block, Record};
use crate::stage::window::WindowStep;
use crate::time::BatchTime;
use crate::topology::{AnyDataset, Graph, NodeId, StageId};

/// What every batch of a program has in common.
pub(crate) struct Engine {
    pub(crate) graph: Arc<Graph>,
    pub(crate) exec: Arc<dyn Executor>,
    pub(crate) parallelism: usize,
    pub(crate) max_task_failures: usize,
    /// The grid of batch times; nothing in batch mode.
    pub(crate) grid: Option<Grid>,
    /// Where outputs save.
    pub(crate) files: SharedFs,
}

/// The grid of batch times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid {
    /// One interval before the first batch.
    pub(crate) zero: BatchTime,
}

/// One batch in the works.
pub(crate) struct Run<'e> {
    engine: &'e Engine,
    time: BatchTime,
    rerun: bool,
    /// Batches before this one are never run again.
    settled_before: BatchTime,
    nodes: Vec<RefCell<Option<Result<AnyDataset>>>>,
    stages: Vec<RefCell<Option<Result<()>>>>,
    written: Vec<RefCell<Vec<Option<Box<dyn Any>>>>>,
    ledger: Ledger,
}

impl<'e> Run<'e> {
    pub(crate) fn new(engine: &'e Engine, time: BatchTime, rerun: bool) -> Self {
        let nodes = engine.graph.nodes.len();
        Self {
            engine,
            time,
            rerun,
            settled_before: time,
            nodes: std::iter::repeat_with(RefCell::default).take(nodes).collect(),
            stages: std::iter::repeat_with(RefCell::default).take(engine.graph.stages.len()).collect(),
            written: std::iter::repeat_with(RefCell::default).take(nodes).collect(),
            ledger: Ledger::new(Roster::of(&engine.graph)),
        }
    }

    /// The same, while an earlier batch may still be run again.
    pub(crate) fn with_settled_before(self, settled_before: BatchTime) -> Self {
        Self { settled_before, ..self }
    }

    pub(crate) fn time(&self) -> BatchTime {
        self.time
    }

    /// Batches before this one are never run again.
    pub(crate) fn settled_before(&self) -> BatchTime {
        self.settled_before
    }

    /// Whether the batch was begun before, by a run that did not end.
    pub(crate) fn is_rerun(&self) -> bool {
        self.rerun
    }

    /// The batch is over: what was done. Everything that it held is dropped.
    pub(crate) fn into_ledger(self) -> Ledger {
        self.ledger
    }

    /// What was done so far.
    pub(crate) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub(crate) fn exec(&self) -> &Arc<dyn Executor> {
        &self.engine.exec
    }

    /// Where outputs save.
    pub(crate) fn fs(&self) -> &SharedFs {
        &self.engine.files
    }

    pub(crate) fn parallelism(&self) -> usize {
        self.engine.parallelism
    }

    /// One interval before the first batch; the time of the batch itself in batch mode.
    pub(crate) fn zero(&self) -> BatchTime {
        self.engine.grid.map_or(self.time, |grid| grid.zero)
    }

    /// Sees that a node's data set of this batch is made.
    pub(crate) fn await_node(&self, node: NodeId) -> Result<()> {
        self.made(node).map(drop)
    }

    /// Whether a node with this slide yields a data set in this batch.
    fn is_due(&self, slide: Duration) -> bool {
        let Some(grid) = self.engine.grid else { return true };
        slide.is_zero() || self.time.since(grid.zero).as_millis().is_multiple_of(slide.as_millis())
    }

    /// The first time at which a node yields a data set, and the distance of its times. In batch mode there is one time.
    pub(crate) fn times_of(&self, node: NodeId) -> (BatchTime, Duration) {
        let slide = self.engine.graph.nodes[node.0].slide;
        self.engine.grid.map_or((self.time, Duration::from_millis(1)), |grid| (grid.zero + slide, slide))
    }

    /// Whether a node yields a data set in this batch.
    pub(crate) fn yields(&self, node: NodeId) -> bool {
        self.is_due(self.engine.graph.nodes[node.0].slide)
    }

    /// This batch as the window or state of `node` sees it. In batch mode the one batch is the whole window.
    pub(crate) fn window_step(&self, node: NodeId) -> WindowStep {
        let node = &self.engine.graph.nodes[node.0];
        let Some(grid) = self.engine.grid else {
            return WindowStep { time: self.time, since_zero: 1, parent_slide: 1, length: 1, slide: 1 };
        };
        let length = node.window.map_or(node.slide, |window| window.length);
        WindowStep {
            time: self.time,
            since_zero: self.time.since(grid.zero).as_millis() as u64,
            parent_slide: node.parent_slide.as_millis() as u64,
            length: length.as_millis() as u64,
            slide: node.slide.as_millis() as u64,
        }
    }

    /// Shows this batch to the windows and state whose parents have data, whether or not an output asks for them.
    ///
    /// # Errors
    /// The first of theirs; all of them are shown the batch. Outputs that need them find their errors too.
    pub(crate) fn advance_stateful(&self) -> Result<()> {
        let mut first = Ok(());
        for (index, node) in self.engine.graph.nodes.iter().enumerate() {
            if node.stateful && self.is_due(node.parent_slide) {
                first = first.and(self.await_node(NodeId(index)));
            }
        }
        first
    }

    /// Sets the blocks of an input.
    pub(crate) fn provide<T: Record + ?Sized>(&self, node: NodeId, blocks: Vec<Arc<T::Block>>) {
        *self.nodes[node.0].borrow_mut() = Some(Ok(self.blocks::<T>(node, blocks)));
    }

    /// The error of an input that could not be read.
    pub(crate) fn provide_error(&self, node: NodeId, error: Error) {
        *self.nodes[node.0].borrow_mut() = Some(Err(error));
    }

    /// Blocks as the data set of `node`.
    pub(crate) fn blocks<T: Record + ?Sized>(&self, node: NodeId, blocks: Vec<Arc<T::Block>>) -> AnyDataset {
        self.shared_blocks::<T>(node, blocks, None)
    }

    /// Blocks that other data sets may hold too as the data set of `node`; `cloner` is how those clone their records.
    pub(crate) fn shared_blocks<T: Record + ?Sized>(
        &self,
        node: NodeId,
        blocks: Vec<Arc<T::Block>>,
        cloner: Option<T::Cloner>,
    ) -> AnyDataset {
        let mut lengths = Vec::with_capacity(blocks.len());
        for block in &blocks {
            lengths.push(block.len());
        }
        self.ledger.set_lengths(node, &lengths);
        let info = &self.engine.graph.nodes[node.0];
        let cloner = info.cloner::<T>().or(cloner);
        // Records that cannot be cloned are given to their only reader; a failed task then makes them again.
        let retained = self.engine.max_task_failures > 1 && (cloner.is_some() || size_of::<T::Cloner>() == 0);
        let blocks: Arc<dyn Dataset<T>> = Arc::new(Blocks::<T>::new(blocks, info.consumers, cloner, retained));
        Box::new(blocks)
    }

    /// How many stages, nodes and outputs read a node.
    pub(crate) fn consumers(&self, node: NodeId) -> usize {
        self.engine.graph.nodes[node.0].consumers
    }

    /// A shuffle or a union as the data set of `node`: read in place by a single consumer, merged once for several.
    pub(crate) fn shuffled<T: Record + ?Sized>(
        &self,
        node: NodeId,
        data: impl Dataset<T> + 'static,
    ) -> Result<AnyDataset> {
        if self.engine.graph.nodes[node.0].consumers <= 1 {
            let data: Arc<dyn Dataset<T>> = Arc::new(data);
            return Ok(Box::new(data));
        }
        let blocks = self.tasks(data.partitions(), data.weight(), &|task| data.read(task.partition))?;
        Ok(self.shared_blocks::<T>(node, blocks, data.cloner()))
    }

    /// The data set of a node, made now if it was not yet.
    pub(crate) fn dataset<T: Record + ?Sized>(&self, node: NodeId) -> Result<Arc<dyn Dataset<T>>> {
        let made = self.made(node)?;
        let data = made.downcast_ref::<Arc<dyn Dataset<T>>>().expect("a handle has the record type of its node");
        Ok(Arc::clone(data))
    }

    /// The data set of a node, whatever its records, made now if it was not yet.
    fn made(&self, node: NodeId) -> Result<Ref<'_, dyn Any>> {
        if self.nodes[node.0].borrow().is_none() {
            let made = self.ledger.book(Worker::Stream(node.0), || self.make(node));
            *self.nodes[node.0].borrow_mut() = Some(made);
        }
        let made = Ref::map(self.nodes[node.0].borrow(), |made| made.as_ref().expect("it was made above"));
        match &*made {
            Ok(_) => Ok(Ref::map(made, |made| made.as_deref().expect("an error was returned above"))),
            Err(error) => Err(error.clone()),
        }
    }

    fn make(&self, node: NodeId) -> Result<AnyDataset> {
        let info = &self.engine.graph.nodes[node.0];
        match &info.compute {
            Some(compute) => compute.compute(self).map_err(|error| self.place(error, info.operator)),
            None => Err(Error::input(format!("input `{}` has no data set", info.name)).in_batch(self.time)),
        }
    }

    fn place(&self, error: Error, operator: Option<&'static Operator>) -> Error {
        let error = error.in_batch(self.time);
        match operator {
            Some(operator) => error.at_operator(operator),
            None => error,
        }
    }

    /// Makes a node's data set again, after a failed task used it up.
    pub(crate) fn replay<T: Record + ?Sized>(
        &self,
        node: NodeId,
        used: Arc<dyn Dataset<T>>,
    ) -> Result<Arc<dyn Dataset<T>>> {
        if used.replayable() {
            return Ok(used);
        }
        self.forget(node);
        self.dataset(node)
    }

    /// Whether a node's data set can be made a second time: an input is what it is, and a window or a state has taken in
    /// the batch already.
    fn can_be_remade(&self, node: NodeId) -> bool {
        let info = &self.engine.graph.nodes[node.0];
        info.compute.is_some() && !info.stateful
    }

    /// Forgets what was made for a node, and for the nodes that it reads without a stage between: those may be used up too.
    fn forget(&self, node: NodeId) {
        if !self.can_be_remade(node) {
            return;
        }
        let info = &self.engine.graph.nodes[node.0];
        for stage in &info.writers {
            *self.stages[stage.0].borrow_mut() = None;
        }
        *self.nodes[node.0].borrow_mut() = None;
        for parent in &info.parents {
            self.forget(*parent);
        }
    }

    /// Runs a stage unless it ran already.
    fn stage(&self, stage: StageId) -> Result<()> {
        if self.stages[stage.0].borrow().is_none() {
            let _span = tracing::debug_span!("stage", stage = stage.0).entered();
            let ran = self.ledger.book(Worker::Stage(stage.0), || self.engine.graph.stages[stage.0].run(self));
            *self.stages[stage.0].borrow_mut() = Some(ran);
        }
        self.stages[stage.0].borrow().clone().expect("it ran above")
    }

    /// Runs those of the stages that did not run yet, in their order.
    pub(crate) fn stages(&self, stages: &[StageId]) -> Result<()> {
        stages.iter().try_for_each(|stage| self.stage(*stage))
    }

    /// Leaves what a stage wrote for port `port` of a node.
    pub(crate) fn deliver(&self, node: NodeId, port: usize, written: Box<dyn Any>) {
        let mut ports = self.written[node.0].borrow_mut();
        if ports.len() <= port {
            ports.resize_with(port + 1, || None);
        }
        ports[port] = Some(written);
    }

    /// Takes what was delivered to a port.
    pub(crate) fn collect<W: 'static>(&self, node: NodeId, port: usize) -> Vec<W> {
        *self.delivered(node, port).downcast().expect("a port has one type of writer")
    }

    fn delivered(&self, node: NodeId, port: usize) -> Box<dyn Any> {
        let written = self.written[node.0].borrow_mut().get_mut(port).and_then(Option::take);
        written.expect("the stage of a port delivers to it")
    }
}
