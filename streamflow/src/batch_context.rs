//! Batch mode: the same topology over data that is there, without threads of a context and without time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::batch::Batch;
use crate::dstream::DStream;
use crate::error::{Error, Result};
use crate::exec::{Executor, LocalExecutor};
use crate::fs::{RealFs, SharedFs};
use crate::plan::explain::Explanation;
use crate::record::text::cut;
use crate::record::{Fork, Record, TextBlock};
use crate::run::{Engine, Run};
use crate::time::{BatchTime, lock};
use crate::topology::{Graph, Node, NodeId, OutputOperation, Topology};

/// Runs a topology once, over finite collections.
///
/// The same `#[stream]` functions that process live data process historical data here: the collections are the records of
/// one batch, the batch of time zero.
///
/// # Examples
/// ```
/// use streamflow::BatchContext;
/// use streamflow::prelude::*;
///
/// #[stream]
/// fn word_count(lines: DStream<str>) -> DStream<(String, u64)> {
///     lines.flat_map(|line| line.split_whitespace()).map(|word| (word, 1)).reduce_by_key(|a, b| a + b)
/// }
///
/// let ctx = BatchContext::new()?;
/// let mut counts = ctx.collect(word_count(ctx.text("to be or not to be")))?;
/// counts.sort();
/// assert_eq!(counts[0], ("be".to_owned(), 2));
/// # Ok::<(), streamflow::Error>(())
/// ```
pub struct BatchContext {
    topology: Topology,
    inputs: Mutex<Vec<Box<dyn Provide>>>,
    parallelism: usize,
    exec: Arc<dyn Executor>,
    files: SharedFs,
}

/// An input of batch mode.
trait Provide: Send {
    fn provide(self: Box<Self>, run: &Run<'_>);
}

struct Finite<T: Record + ?Sized> {
    node: NodeId,
    blocks: Vec<Arc<T::Block>>,
}

impl<T: Record + ?Sized> Provide for Finite<T> {
    fn provide(self: Box<Self>, run: &Run<'_>) {
        run.provide::<T>(self.node, self.blocks);
    }
}

impl BatchContext {
    /// A context with as many threads and partitions as the machine has processors.
    ///
    /// # Errors
    /// When threads cannot be started.
    pub fn new() -> Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self::with(processors, processors)
    }

    /// A context with so many threads, and so many partitions for its collections and shuffles.
    ///
    /// # Errors
    /// When either is zero.
    pub fn with(threads: usize, parallelism: usize) -> Result<Self> {
        if threads == 0 || parallelism == 0 {
            return Err(Error::invalid("batch mode needs at least one thread and one partition"));
        }
        let exec = Arc::new(LocalExecutor::new("batch", threads)?);
        Ok(Self { topology: Topology::new(), inputs: Mutex::default(), parallelism, exec, files: Arc::new(RealFs) })
    }

    /// An empty context on the threads of this one, with as many partitions.
    ///
    /// A program that runs many topologies, one after the other or at once, starts its threads only once that way.
    #[must_use]
    pub fn sibling(&self) -> Self {
        Self {
            topology: Topology::new(),
            inputs: Mutex::default(),
            parallelism: self.parallelism,
            exec: Arc::clone(&self.exec),
            files: SharedFs::clone(&self.files),
        }
    }

    /// Saves to other files than those of the machine.
    #[cfg(test)]
    pub(crate) fn with_files(self, files: SharedFs) -> Self {
        Self { files, ..self }
    }

    fn add<T: Fork + ?Sized>(&self, label: &str, blocks: Vec<Arc<T::Block>>) -> DStream<T> {
        let mut node = Node::new::<T>(label.to_owned(), label);
        node.set_cloner::<T>(T::cloner());
        let node = self.topology.add_node(node);
        lock(&self.inputs).push(Box::new(Finite::<T> { node, blocks }));
        DStream::new(self.topology.clone(), node)
    }

    /// The lines of a text, cut into partitions.
    pub fn text(&self, text: impl Into<String>) -> DStream<str> {
        let block = TextBlock::lines(text);
        self.add::<str>("text", block.split(self.parallelism).into_iter().map(Arc::new).collect())
    }

    /// Lines in partitions that are cut already.
    pub fn text_blocks(&self, blocks: impl IntoIterator<Item = Arc<TextBlock>>) -> DStream<str> {
        self.add::<str>("text", blocks.into_iter().collect())
    }

    /// The records of a collection, cut into partitions: part `i` of `p` gets the records `[i·n/p, (i+1)·n/p)`.
    pub fn records<T: Clone + Send + Sync + 'static>(&self, records: impl IntoIterator<Item = T>) -> DStream<T> {
        self.add::<T>("records", cut_records(records, self.parallelism))
    }

    /// Records in partitions that are cut already.
    pub fn partitions<T: Clone + Send + Sync + 'static>(
        &self,
        partitions: impl IntoIterator<Item = Arc<Vec<T>>>,
    ) -> DStream<T> {
        self.add::<T>("records", partitions.into_iter().collect())
    }

    /// The topology as it is declared: its stages with their fused operators, inputs and outputs.
    #[must_use]
    pub fn explain(&self) -> Explanation {
        self.topology.inspect(Explanation::of)
    }

    /// Runs all outputs, and returns the records of `stream`.
    ///
    /// # Errors
    /// When the topology has a mistake, a closure or an output fails, or the context has run already.
    pub fn collect<T: Send + Sync + 'static>(&self, stream: DStream<T>) -> Result<Vec<T>> {
        Ok(self.collect_partitions(stream)?.into_iter().flatten().collect())
    }

    /// Runs all outputs, and returns the records of each partition of `stream`.
    ///
    /// # Errors
    /// When the topology has a mistake, a closure or an output fails, or the context has run already.
    pub fn collect_partitions<T: Send + Sync + 'static>(&self, stream: DStream<T>) -> Result<Vec<Vec<T>>> {
        let partitions = Arc::new(Mutex::new(Vec::new()));
        let collect = CollectOnce { node: stream.node(), partitions: Arc::clone(&partitions) };
        stream.add_output("collect", collect);
        self.run()?;
        let partitions = std::mem::take(&mut *lock(&partitions));
        Ok(partitions)
    }

    /// Runs all outputs.
    ///
    /// # Errors
    /// When there is no output, the topology has a mistake, a closure or an output fails, or the context has run already.
    pub fn run(&self) -> Result<()> {
        if self.topology.is_frozen() {
            return Err(Error::illegal_state("a batch context runs once; make another one for more data"));
        }
        let graph = self.topology.freeze(Duration::ZERO)?;
        let engine = Engine {
            exec: Arc::clone(&self.exec),
            parallelism: self.parallelism,
            max_task_failures: 1,
            grid: None,
            files: SharedFs::clone(&self.files),
            graph,
        };
        let run = Run::new(&engine, BatchTime::default(), false);
        for input in lock(&self.inputs).drain(..) {
            input.provide(&run);
        }
        run_outputs(&engine.graph, &run)
    }
}

/// Runs all outputs in the order of their declaration; the first error counts, but all run.
fn run_outputs(graph: &Graph, run: &Run<'_>) -> Result<()> {
    if graph.outputs.is_empty() {
        return Err(Error::invalid("no output operations registered, so nothing to execute"));
    }
    let outcomes: Vec<Result<()>> = graph.outputs.iter().map(|output| output.operation.run(run)).collect();
    outcomes.into_iter().collect()
}

/// Cuts records into partitions by position.
pub(crate) fn cut_records<T>(records: impl IntoIterator<Item = T>, partitions: usize) -> Vec<Arc<Vec<T>>> {
    let mut records: Vec<T> = records.into_iter().collect();
    let total = records.len();
    let mut blocks: Vec<Arc<Vec<T>>> = Vec::with_capacity(partitions);
    for part in (0..partitions).rev() {
        blocks.push(Arc::new(records.split_off(cut(total, partitions, part).start)));
    }
    blocks.reverse();
    blocks
}

struct CollectOnce<T> {
    node: NodeId,
    partitions: Arc<Mutex<Vec<Vec<T>>>>,
}

impl<T: Send + Sync + 'static> OutputOperation for CollectOnce<T> {
    fn run(&self, run: &Run<'_>) -> Result<()> {
        let batch = Batch::<T>::read(run, self.node, None)?;
        *lock(&self.partitions) = batch.into_partitions();
        Ok(())
    }
}
