//! One batch in the works.
//!
//! A [`Run`] belongs to the thread that drives the batch. Outputs ask it for the data sets of their nodes, which asks for
//! those of their parents, and so on up to the inputs; each is made once. Only tasks run on other threads, and they see
//! nothing of the run but the partition that they read and the writers that they fill.
//!
//! *Failure*: a task that panics is tried again, from inputs that are read again or, if they are gone, made again. What
//! still fails fails its stage, every node below it and every output of those; other outputs of the batch go on.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::dataset::{Blocks, Dataset};
use crate::error::{Error, Result};
use crate::exec::Executor;
use crate::fs::SharedFs;
use crate::metrics::work::{Ledger, Roster};
use crate::metrics::{TaskInfo, Worker};
use crate::plan::Operator;
use crate::record::{Block, Record};
use crate::stage::window::WindowStep;
use crate::time::{BatchTime, Stopwatch, lock};
use crate::topology::{AnyDataset, Graph, Node, NodeId, StageId};

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

/// What a task knows of its place.
#[derive(Clone, Copy, Debug)]
pub struct Task {
    /// The partition that it reads.
    pub(crate) partition: usize,
    /// The number of partitions that a shuffle writes to unless its operator says otherwise.
    pub(crate) parallelism: usize,
}

/// Where a task leaves its result.
type Slot<R> = Mutex<Option<(Result<R>, TaskInfo)>>;

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
        self.ensure(node);
        match &*self.nodes[node.0].borrow() {
            Some(Err(error)) => Err(error.clone()),
            _ => Ok(()),
        }
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
        self.ledger.set_lengths(node, blocks.iter().map(|block| block.len()));
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
        self.ensure(node);
        match &*self.nodes[node.0].borrow() {
            Some(Ok(data)) => Ok(Arc::clone(
                data.downcast_ref::<Arc<dyn Dataset<T>>>().expect("a handle has the record type of its node"),
            )),
            Some(Err(error)) => Err(error.clone()),
            None => unreachable!("it was made above"),
        }
    }

    fn ensure(&self, node: NodeId) {
        if self.nodes[node.0].borrow().is_none() {
            let made = self.ledger.book(Worker::Stream(node.0), || self.make(node));
            *self.nodes[node.0].borrow_mut() = Some(made);
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
    fn can_be_remade(info: &Node) -> bool {
        info.compute.is_some() && !info.stateful
    }

    /// Forgets what was made for a node, and for the nodes that it reads without a stage between: those may be used up too.
    fn forget(&self, node: NodeId) {
        let info = &self.engine.graph.nodes[node.0];
        if !Self::can_be_remade(info) {
            return;
        }
        for stage in &info.writers {
            *self.stages[stage.0].borrow_mut() = None;
        }
        *self.nodes[node.0].borrow_mut() = None;
        for parent in &info.parents {
            self.forget(*parent);
        }
    }

    /// Runs a stage unless it ran already.
    pub(crate) fn stage(&self, stage: StageId) -> Result<()> {
        if self.stages[stage.0].borrow().is_none() {
            let _span = tracing::debug_span!("stage", stage = stage.0).entered();
            let ran = self.ledger.book(Worker::Stage(stage.0), || self.engine.graph.stages[stage.0].run(self));
            *self.stages[stage.0].borrow_mut() = Some(ran);
        }
        self.stages[stage.0].borrow().clone().expect("it ran above")
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
        let written = self.written[node.0].borrow_mut().get_mut(port).and_then(Option::take);
        *written.expect("the stage of a port delivers to it").downcast().expect("a port has one type of writer")
    }

    /// Runs tasks that cannot be tried again: their panics are errors at once.
    pub(crate) fn tasks<R: Send>(
        &self,
        tasks: usize,
        weight: usize,
        work: &(dyn Fn(Task) -> R + Sync),
    ) -> Result<Vec<R>> {
        let all: Vec<usize> = (0..tasks).collect();
        self.ledger.add_records(weight);
        self.attempt(&all, weight, &|task| (work(task), 0)).into_iter().map(|(_, outcome)| outcome).collect()
    }

    /// Runs the tasks of a stage, each until it succeeds or has failed too often.
    pub(crate) fn tasks_over<T: Record + ?Sized, R: Send>(
        &self,
        input: NodeId,
        work: &(dyn Fn(Task, T::Held) -> R + Sync),
    ) -> Result<Vec<R>> {
        let mut data = self.dataset::<T>(input)?;
        let mut results: Vec<Option<R>> = std::iter::repeat_with(|| None).take(data.partitions()).collect();
        let mut lengths = vec![0; results.len()];
        let mut waiting: Vec<usize> = (0..results.len()).collect();
        for attempt in 1.. {
            let outcomes = self.attempt(&waiting, data.weight(), &|task| {
                let held = data.hold(task.partition);
                let records = T::held_len(&held);
                ((work(task, held), records), records)
            });
            let again = data.replayable() || Self::can_be_remade(&self.engine.graph.nodes[input.0]);
            waiting.clear();
            for (partition, outcome) in outcomes {
                match outcome {
                    Ok((result, records)) => (results[partition], lengths[partition]) = (Some(result), records),
                    Err(error) if attempt >= self.engine.max_task_failures || !again => return Err(error),
                    Err(error) => {
                        tracing::warn!(%error, attempt, "task failed and is tried again");
                        waiting.push(partition);
                    }
                }
            }
            if waiting.is_empty() {
                break;
            }
            data = self.replay(input, data)?;
        }
        self.ledger.set_lengths(input, lengths.into_iter());
        Ok(results.into_iter().map(|result| result.expect("every task succeeded")).collect())
    }

    /// Runs each of the tasks once. `work` also says how many records it read.
    fn attempt<R: Send>(
        &self,
        tasks: &[usize],
        weight: usize,
        work: &(dyn Fn(Task) -> (R, usize) + Sync),
    ) -> Vec<(usize, Result<R>)> {
        let outcomes: Vec<Slot<R>> = tasks.iter().map(|_| Mutex::new(None)).collect();
        let (parallelism, time) = (self.engine.parallelism, self.time);
        // Tasks run on other threads, where the span of the stage is not the current one.
        let stage = tracing::Span::current();
        self.engine.exec.run(tasks.len(), weight, &|index| {
            let partition = tasks[index];
            let _span = tracing::trace_span!(parent: &stage, "task", partition).entered();
            let watch = Stopwatch::start();
            let outcome = guard(|| work(Task { partition, parallelism }));
            let (elapsed, failed) = (watch.elapsed(), outcome.is_err());
            let records = outcome.as_ref().map_or(0, |(_, records)| *records as u64);
            let outcome =
                outcome.map(|(result, _)| result).map_err(|error| error.in_partition(partition).in_batch(time));
            *lock(&outcomes[index]) = Some((outcome, TaskInfo { partition, records, time: elapsed, failed }));
        });
        let outcomes = outcomes.into_iter().map(|outcome| {
            outcome.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).expect("every task ran")
        });
        let (outcomes, infos): (Vec<_>, Vec<_>) = outcomes.unzip();
        self.ledger.add_tasks(infos.into_iter());
        tasks.iter().copied().zip(outcomes).collect()
    }
}

thread_local! {
    static FAILED_AT: Cell<Option<&'static Operator>> = const { Cell::new(None) };
}

/// Names the operator whose code runs, for the error if it panics.
///
/// It is forgotten when the code returns, so it costs nothing; only unwinding drops it. The innermost one wins.
#[doc(hidden)]
pub struct At(pub &'static Operator);

impl Drop for At {
    #[cold]
    fn drop(&mut self) {
        FAILED_AT.with(|place| {
            if place.get().is_none() {
                place.set(Some(self.0));
            }
        });
    }
}

/// Calls code of the user; its panic becomes an error that names the operator.
pub(crate) fn guard<R>(work: impl FnOnce() -> R) -> Result<R> {
    FAILED_AT.set(None);
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| {
        let error = Error::task(format!("panicked: {}", panic_message(&*panic)));
        match FAILED_AT.take() {
            Some(operator) => error.at_operator(operator),
            None => error,
        }
    })
}

fn panic_message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a value that is not text")
}
