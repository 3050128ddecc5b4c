//! The declared graph: nodes, the stages that feed them, and outputs.
//!
//! A [`Topology`] is a draft while a program declares its streams, and frozen when the context starts. A **node** is a
//! stream that exists at run time: an input, the result of a wide operator, a result that leaves a function. A **stage**
//! is a fused loop over the partitions of one node that writes to the sinks of others. Nodes are numbered in the order of
//! their declaration, so a node's parents come before it.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::Location;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::plan::{Function, Operator, StagePlan};
use crate::record::Record;
use crate::run::Run;
use crate::stage::window::WindowSpec;
use crate::state::checkpointed::Checkpointed;
use crate::time::lock;

/// Number of a node in its topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) usize);

/// Number of a stage in its topology.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct StageId(pub(crate) usize);

/// A data set of some record type: an `Arc<dyn Dataset<T>>`.
pub(crate) type AnyDataset = Box<dyn Any>;

/// What makes a node's data set of a batch.
pub(crate) trait Compute: Send + Sync {
    /// Makes the data set, with the parents' from `run`.
    fn compute(&self, run: &Run<'_>) -> Result<AnyDataset>;
}

/// A fused loop: the object-safe boundary between the runtime and the emitted code, crossed once per batch.
pub(crate) trait Stage: Send + Sync {
    /// The node whose partitions it reads.
    fn input(&self) -> NodeId;
    /// Its narrow operators.
    fn plan(&self) -> &'static StagePlan;
    /// Runs it for one batch: a task for each partition.
    fn run(&self, run: &Run<'_>) -> Result<()>;
}

/// An output operation.
pub(crate) trait OutputOperation: Send + Sync {
    /// Does it for one batch.
    fn run(&self, run: &Run<'_>) -> Result<()>;
}

/// A stream that exists at run time.
pub(crate) struct Node {
    /// Identity: functions and binding that declared it, unique in the topology.
    pub(crate) name: String,
    /// What made it: an operator's name or a kind of input.
    pub(crate) label: String,
    /// The line that declared it, for inputs.
    pub(crate) location: Option<&'static Location<'static>>,
    /// The operator that it is the result of, for nodes made in a `#[stream]` function.
    pub(crate) operator: Option<&'static Operator>,
    /// The type of its records, for people.
    pub(crate) record: String,
    /// Nodes that it is computed from without a stage between.
    pub(crate) parents: Vec<NodeId>,
    /// A node that must be computed before it, although it does not read that node's data set.
    pub(crate) follows: Option<NodeId>,
    /// Stages that write to it.
    pub(crate) writers: Vec<StageId>,
    /// How many stages, nodes and outputs read it.
    pub(crate) consumers: usize,
    /// Its window, if it is one.
    pub(crate) window: Option<WindowSpec>,
    /// How often it yields a data set; known when the topology is frozen. Zero in batch mode.
    pub(crate) slide: Duration,
    /// How often its parents do.
    pub(crate) parent_slide: Duration,
    /// What it keeps from batch to batch, as a checkpoint sees it.
    pub(crate) state: Option<Arc<dyn Checkpointed>>,
    /// Whether it must see every batch of its parent, also when nobody asks for its own: windows and state.
    pub(crate) stateful: bool,
    /// How its records are cloned: a `T::Cloner`.
    cloner: Option<Box<dyn Any + Send + Sync>>,
    /// How it is computed; nothing for inputs.
    pub(crate) compute: Option<Arc<dyn Compute>>,
}

impl Node {
    pub(crate) fn new<T: Record + ?Sized>(name: String, label: impl Into<String>) -> Self {
        Self {
            name,
            label: label.into(),
            location: None,
            operator: None,
            record: crate::plan::explain::type_name::<T>(),
            parents: Vec::new(),
            follows: None,
            writers: Vec::new(),
            consumers: 0,
            window: None,
            slide: Duration::ZERO,
            parent_slide: Duration::ZERO,
            stateful: false,
            state: None,
            cloner: None,
            compute: None,
        }
    }

    /// Says that the node keeps state.
    pub(crate) fn keeps(&mut self, state: Arc<dyn Checkpointed>) {
        self.stateful = true;
        self.state = Some(state);
    }

    pub(crate) fn cloner<T: Record + ?Sized>(&self) -> Option<T::Cloner> {
        self.cloner.as_ref().and_then(|cloner| cloner.downcast_ref::<T::Cloner>().copied())
    }

    pub(crate) fn set_cloner<T: Record + ?Sized>(&mut self, cloner: Option<T::Cloner>) {
        self.cloner = cloner.map(|cloner| Box::new(cloner) as _);
    }
}

/// An output operation and where it was declared.
pub(crate) struct Output {
    /// What it does, for instance `print`.
    pub(crate) name: &'static str,
    /// The node that it reads.
    pub(crate) node: NodeId,
    /// The line that declared it.
    pub(crate) location: &'static Location<'static>,
    /// The operation.
    pub(crate) operation: Arc<dyn OutputOperation>,
}

/// Everything that was declared.
#[derive(Default)]
pub(crate) struct Graph {
    pub(crate) nodes: Vec<Node>,
    pub(crate) stages: Vec<Arc<dyn Stage>>,
    pub(crate) outputs: Vec<Output>,
}

impl Graph {
    /// Finds how often each node yields a data set: every batch, unless it stands on a window.
    ///
    /// # Errors
    /// When a window does not fit its parent, or an operator takes streams of different slides.
    fn find_slides(&mut self, interval: Duration) -> Result<()> {
        for index in 0..self.nodes.len() {
            let node = &self.nodes[index];
            let inputs = node.writers.iter().map(|stage| self.stages[stage.0].input());
            let mut slides =
                node.parents.iter().copied().chain(inputs).chain(node.follows).map(|parent| self.nodes[parent.0].slide);
            let parent_slide = slides.next().unwrap_or(interval);
            let place = |error: Error| match node.operator {
                Some(operator) => error.at_operator(operator),
                None => error,
            };
            if let Some(other) = slides.find(|slide| *slide != parent_slide) {
                return Err(place(Error::invalid(format!(
                    "`{}` takes streams that yield batches every {parent_slide:?} and every {other:?}: \
                     give both the same slide, for instance by a window",
                    node.label
                ))));
            }
            let slide = match &node.window {
                Some(window) => window.check(parent_slide).map_err(place)?,
                None => parent_slide,
            };
            (self.nodes[index].parent_slide, self.nodes[index].slide) = (parent_slide, slide);
        }
        Ok(())
    }
}

/// A handle to the declared graph; clones are the same topology.
#[derive(Clone)]
pub(crate) struct Topology(Arc<Shared>);

struct Shared {
    draft: Mutex<Draft>,
    frozen: OnceLock<Arc<Graph>>,
    closed: AtomicBool,
}

#[derive(Default)]
struct Draft {
    graph: Graph,
    names: HashMap<String, usize>,
    /// Functions that say the batch interval that they are written for.
    written_for: Vec<(&'static Function, Duration)>,
    mistakes: Vec<Error>,
}

/// A topology for those who must not keep its closures and states in memory.
#[derive(Clone)]
pub(crate) struct WeakTopology(Weak<Shared>);

impl WeakTopology {
    /// Whether its declaration has not ended; that of a topology that is gone has.
    pub(crate) fn is_draft(&self) -> bool {
        self.0.upgrade().is_some_and(|shared| shared.frozen.get().is_none())
    }
}

impl Topology {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Shared { draft: Mutex::default(), frozen: OnceLock::new(), closed: AtomicBool::new(false) }))
    }

    pub(crate) fn downgrade(&self) -> WeakTopology {
        WeakTopology(Arc::downgrade(&self.0))
    }

    /// Whether both are one topology.
    pub(crate) fn is(&self, other: &Topology) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Adds a node; `declare` gets its number and its final name.
    pub(crate) fn add_node(&self, node: Node) -> NodeId {
        let mut draft = self.draft("a stream");
        let mut node = node;
        let uses = draft.names.entry(node.name.clone()).or_insert(0);
        *uses += 1;
        if *uses > 1 {
            node.name = format!("{}#{uses}", node.name);
        }
        for parent in &node.parents {
            draft.graph.nodes[parent.0].consumers += 1;
        }
        draft.graph.nodes.push(node);
        NodeId(draft.graph.nodes.len() - 1)
    }

    pub(crate) fn add_stage(&self, stage: Arc<dyn Stage>) -> StageId {
        let mut draft = self.draft("a transformation");
        draft.graph.nodes[stage.input().0].consumers += 1;
        draft.graph.stages.push(stage);
        StageId(draft.graph.stages.len() - 1)
    }

    pub(crate) fn add_output(&self, output: Output) {
        let mut draft = self.draft("an output");
        draft.graph.nodes[output.node.0].consumers += 1;
        draft.graph.outputs.push(output);
    }

    pub(crate) fn set_cloner<T: Record + ?Sized>(&self, node: NodeId, cloner: Option<T::Cloner>) {
        if let Some(node) = lock(&self.0.draft).graph.nodes.get_mut(node.0) {
            node.set_cloner::<T>(cloner);
        }
    }

    /// Tells a node how what it keeps is written to a checkpoint.
    pub(crate) fn set_codec(&self, node: NodeId, codec: &dyn Any) {
        if let Some(state) = lock(&self.0.draft).graph.nodes.get(node.0).and_then(|node| node.state.as_ref()) {
            state.set_codec(codec);
        }
    }

    /// Notes the batch interval that a function is written for; the start of the context compares it with its own.
    pub(crate) fn written_for(&self, function: &'static Function, interval: Duration) {
        lock(&self.0.draft).written_for.push((function, interval));
    }

    /// Remembers a mistake in the declaration; the start of the context reports it.
    pub(crate) fn mistake(&self, error: Error) {
        lock(&self.0.draft).mistakes.push(error);
    }

    /// The draft, to which `what` is about to be added.
    ///
    /// A frozen topology takes additions too, but nothing ever runs them; the mistake is kept for whoever waits.
    fn draft(&self, what: &str) -> std::sync::MutexGuard<'_, Draft> {
        let mut draft = lock(&self.0.draft);
        if let Err(error) = self.check_open(what) {
            let frozen = self.0.frozen.get().filter(|_| draft.graph.nodes.is_empty());
            for node in frozen.iter().flat_map(|graph| &graph.nodes) {
                draft.graph.nodes.push(Node::new::<()>(node.name.clone(), "frozen"));
            }
            tracing::error!(%error, "the topology is frozen");
            draft.mistakes.push(error);
        }
        draft
    }

    /// Fails when it is too late to add `what`.
    pub(crate) fn check_open(&self, what: &str) -> Result<()> {
        let when = match (self.0.closed.load(Ordering::SeqCst), self.is_frozen()) {
            (true, _) => "stopping",
            (false, true) => "starting",
            (false, false) => return Ok(()),
        };
        Err(Error::illegal_state(format!(
            "cannot add {what} after {when} the context: a topology is complete before it starts, so declare it before \
             `start`"
        )))
    }

    /// Ends the declaration for good: the context was stopped.
    pub(crate) fn close(&self) {
        self.0.closed.store(true, Ordering::SeqCst);
    }

    /// The first mistake since the last call, if any.
    pub(crate) fn take_mistake(&self) -> Option<Error> {
        let mut draft = lock(&self.0.draft);
        if draft.mistakes.is_empty() { None } else { Some(draft.mistakes.remove(0)) }
    }

    /// Ends the declaration, for batches every `interval`; zero in batch mode.
    pub(crate) fn freeze(&self, interval: Duration) -> Result<Arc<Graph>> {
        if let Some(mistake) = self.take_mistake() {
            return Err(mistake);
        }
        let mut draft = lock(&self.0.draft);
        let mut graph = std::mem::take(&mut draft.graph);
        if !interval.is_zero() {
            draft.written_for.iter().try_for_each(|(function, wanted)| same_interval(function, *wanted, interval))?;
            graph.find_slides(interval)?;
        }
        Ok(Arc::clone(self.0.frozen.get_or_init(|| Arc::new(graph))))
    }

    /// Whether the declaration has ended.
    pub(crate) fn is_frozen(&self) -> bool {
        self.0.frozen.get().is_some()
    }

    /// Looks at what is declared so far, or at what was when it was frozen.
    pub(crate) fn inspect<R>(&self, look: impl FnOnce(&Graph) -> R) -> R {
        match self.0.frozen.get() {
            Some(graph) => look(graph),
            None => look(&lock(&self.0.draft).graph),
        }
    }
}

/// Checks that a function which says its batch interval runs with it.
fn same_interval(function: &Function, wanted: Duration, interval: Duration) -> Result<()> {
    if wanted == interval {
        return Ok(());
    }
    let Function { name, file, .. } = function;
    Err(Error::invalid(format!(
        "`{name}` is written for batches every {wanted:?}, and the context makes them every {interval:?}: its windows were \
         checked for the one and may not fit the other; give the builder a `.batch_interval(..)` of {wanted:?}, or change \
         the `batch` of `#[stream(batch = ..)]` in {file}"
    )))
}

thread_local! {
    static SCOPES: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

/// While it lives, nodes declared by this thread are named after the function.
#[doc(hidden)]
#[must_use = "names nodes only while it lives"]
pub struct Scope(());

impl Scope {
    /// Enters a `#[stream]` function.
    pub fn enter(function: &'static Function) -> Self {
        SCOPES.with_borrow_mut(|scopes| scopes.push(function.name));
        Self(())
    }

    /// A name inside the functions that were entered: `outer/inner/name`.
    pub(crate) fn name(name: &str) -> String {
        SCOPES.with_borrow(|scopes| scopes.iter().copied().chain([name]).collect::<Vec<_>>().join("/"))
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        SCOPES.with_borrow_mut(|scopes| scopes.pop());
    }
}
