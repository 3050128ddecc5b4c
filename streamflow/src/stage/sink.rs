//! Sinks: wide operators while the emitted code puts them together.

use std::any::Any;
use std::sync::{Arc, Mutex, OnceLock};

use crate::dataset::Dataset;
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::Operator;
use crate::record::own::DeclaredAs;
use crate::record::{Fork, Record};
use crate::run::{Run, Task};
use crate::stage::window::WindowSpec;
use crate::state::checkpointed::Checkpointed;
use crate::time::lock;
use crate::topology::{AnyDataset, Compute, Node, NodeId, Scope, StageId, Topology};

/// A wide operator with one input stream.
pub trait Gather: Send + Sync + 'static {
    /// The records of the operator's result.
    type Record: Record + ?Sized;
    /// What a task writes to.
    type Writer: Send + 'static;
    /// Whether a task that reads several partitions may write all of them to one writer: it is so if nothing tells which
    /// partition a record came from, and pays if a writer combines records.
    #[doc(hidden)]
    const COALESCES: bool = false;
    /// A writer for a task.
    fn writer(&self, task: Task) -> Self::Writer;
    /// The data set, from what the tasks wrote, in the order of their partitions.
    #[doc(hidden)]
    fn gather(self: &Arc<Self>, written: Vec<Self::Writer>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset>;
}

/// Where a gather happens: the batch and the node.
pub struct GatherCx<'r, 'e> {
    pub(crate) run: &'r Run<'e>,
    pub(crate) node: NodeId,
}

impl GatherCx<'_, '_> {
    /// A shuffle as the node's data set.
    pub(crate) fn shuffled<T: Send + Sync + 'static>(&self, data: impl Dataset<T> + 'static) -> Result<AnyDataset> {
        self.run.ledger().set_shuffled(self.node, data.weight());
        self.run.shuffled(self.node, data)
    }
}

/// The stages and the node that a sink connects; shared with its ports.
#[derive(Default)]
pub(crate) struct Wiring {
    ports: Mutex<Vec<Option<(Topology, StageId)>>>,
    node: OnceLock<NodeId>,
}

impl Wiring {
    pub(crate) fn add_port(&self) -> usize {
        let mut ports = lock(&self.ports);
        ports.push(None);
        ports.len() - 1
    }

    fn bind(&self, port: usize, topology: &Topology, stage: StageId) {
        lock(&self.ports)[port] = Some((topology.clone(), stage));
    }

    pub(crate) fn ports(&self) -> usize {
        lock(&self.ports).len()
    }

    pub(crate) fn node(&self) -> NodeId {
        *self.node.get().expect("a sink is finished before its stages run")
    }

    /// Makes the node that the ports feed.
    pub(crate) fn finish<T: Record + ?Sized>(
        &self,
        operator: &'static Operator,
        compute: impl FnOnce(Vec<StageId>) -> Arc<dyn Compute>,
        change: impl FnOnce(&mut Node),
    ) -> DStream<T> {
        let mut node = Node::new::<T>(Scope::name(operator.id), operator.name);
        let topology = self.connect(&mut node, operator);
        node.compute = Some(compute(node.writers.clone()));
        change(&mut node);
        let id = self.add(&topology, node);
        DStream::new(topology, id)
    }

    /// Sets the stages that write to the node.
    fn connect(&self, node: &mut Node, operator: &'static Operator) -> Topology {
        let ports = lock(&self.ports);
        let bound = || ports.iter().flatten();
        let topology = bound().next().expect("a sink is written to before it is finished").0.clone();
        if !bound().all(|(other, _)| other.is(&topology)) {
            topology.mistake(crate::Error::invalid(format!("{operator} takes streams of two different contexts")));
        }
        node.operator = Some(operator);
        node.writers = bound().map(|(_, stage)| *stage).collect();
        topology
    }

    fn add(&self, topology: &Topology, node: Node) -> NodeId {
        let id = topology.add_node(node);
        self.node.set(id).expect("a sink is finished once");
        id
    }
}

/// A wide operator in the making.
#[doc(hidden)]
pub struct Sink<G> {
    wiring: Arc<Wiring>,
    gather: Arc<OnceLock<Arc<G>>>,
}

impl<G> Default for Sink<G> {
    fn default() -> Self {
        Self { wiring: Arc::default(), gather: Arc::new(OnceLock::new()) }
    }
}

// The operators' bounds stand on `finish`: a record that does not fit is then one mistake, not one for each method.
impl<G> Sink<G> {
    /// A sink without ports.
    #[allow(clippy::new_without_default, reason = "`Default` is there; the emitted code reads better with `new`")]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next port: stages write to the ports in the order of the data set's partitions.
    pub fn port(&self) -> Port<G> {
        Port { index: self.wiring.add_port(), wiring: Arc::clone(&self.wiring), gather: Arc::clone(&self.gather) }
    }

    /// Says the type of the result's records before the loop's types are inferred.
    pub fn yields<T>(&self)
    where
        G: Gather<Record: DeclaredAs<T> + Sized>,
    {
    }
}

impl<G: Gather> Sink<G> {
    /// Makes the operator's node.
    pub(crate) fn build(self, operator: &'static Operator, gather: G) -> DStream<G::Record> {
        self.build_with(operator, gather, |_| {})
    }

    /// Makes the node of an operator over a window.
    pub(crate) fn build_window(
        self,
        operator: &'static Operator,
        spec: WindowSpec,
        state: Arc<dyn Checkpointed>,
        gather: G,
    ) -> DStream<G::Record>
    where
        G::Record: Fork,
    {
        self.build_with(operator, gather, |node| {
            node.window = Some(spec);
            node.keeps(state);
            node.set_cloner::<G::Record>(G::Record::cloner());
        })
    }

    pub(crate) fn build_with(
        self,
        operator: &'static Operator,
        gather: G,
        change: impl FnOnce(&mut Node),
    ) -> DStream<G::Record> {
        let gather = Arc::new(gather);
        assert!(self.gather.set(Arc::clone(&gather)).is_ok(), "a sink is finished once");
        let wiring = Arc::clone(&self.wiring);
        self.wiring.finish(operator, |stages| Arc::new(Gathered { gather, wiring, stages }), change)
    }
}

struct Gathered<G> {
    gather: Arc<G>,
    wiring: Arc<Wiring>,
    stages: Vec<StageId>,
}

impl<G: Gather> Compute for Gathered<G> {
    fn compute(&self, run: &Run<'_>) -> Result<AnyDataset> {
        run.stages(&self.stages)?;
        let node = self.wiring.node();
        let mut written: Vec<G::Writer> = run.collect(node, 0);
        for port in 1..self.wiring.ports() {
            written.append(&mut run.collect(node, port));
        }
        self.gather.gather(written, &GatherCx { run, node })
    }
}

/// Where a stage writes to a sink.
#[doc(hidden)]
pub struct Port<G> {
    index: usize,
    wiring: Arc<Wiring>,
    gather: Arc<OnceLock<Arc<G>>>,
}

/// One output of a stage: makes writers, and takes them back when the tasks are done.
pub trait Out: Send + Sync + 'static {
    /// What a task writes to.
    type Writer: Send + 'static;
    /// Remembers the stage.
    #[doc(hidden)]
    fn bind(&self, binding: Binding<'_>);
    /// Whether a writer may be written to from several partitions.
    #[doc(hidden)]
    fn coalesces(&self) -> bool {
        false
    }
    /// A writer for a task.
    fn writer(&self, task: Task) -> Self::Writer;
    /// Takes the writers of all tasks, in the order of their partitions.
    #[doc(hidden)]
    fn deliver(&self, delivery: Delivery<'_, '_>, writers: Vec<Self::Writer>);
}

/// The stage that an output belongs to.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Binding<'a> {
    pub(crate) topology: &'a Topology,
    pub(crate) stage: StageId,
}

/// The batch that writers are delivered in.
#[doc(hidden)]
#[derive(Clone, Copy)]
pub struct Delivery<'r, 'e>(pub(crate) &'r Run<'e>);

impl<G: Gather> Out for Port<G> {
    type Writer = G::Writer;

    fn bind(&self, binding: Binding<'_>) {
        self.wiring.bind(self.index, binding.topology, binding.stage);
    }

    fn coalesces(&self) -> bool {
        G::COALESCES
    }

    fn writer(&self, task: Task) -> G::Writer {
        self.gather.get().expect("a sink is finished before its stages run").writer(task)
    }

    fn deliver(&self, delivery: Delivery<'_, '_>, writers: Vec<G::Writer>) {
        delivery.0.deliver(self.wiring.node(), self.index, Box::new(writers) as Box<dyn Any>);
    }
}

/// A writer-making half of an operator with two inputs.
pub struct Side<W> {
    pub(crate) index: usize,
    pub(crate) wiring: Arc<Wiring>,
    pub(crate) make: Arc<OnceLock<Arc<dyn Fn(Task) -> W + Send + Sync>>>,
}

impl<W: Send + 'static> Out for Side<W> {
    type Writer = W;

    fn bind(&self, binding: Binding<'_>) {
        self.wiring.bind(self.index, binding.topology, binding.stage);
    }

    fn writer(&self, task: Task) -> W {
        (self.make.get().expect("a sink is finished before its stages run"))(task)
    }

    fn deliver(&self, delivery: Delivery<'_, '_>, writers: Vec<W>) {
        delivery.0.deliver(self.wiring.node(), self.index, Box::new(writers) as Box<dyn Any>);
    }
}

/// The outputs of a stage: a tuple of [`Out`].
pub trait Outs: Send + Sync + 'static {
    /// The writers of a task: a tuple of theirs.
    type Writers: Send;
    /// Remembers the stage in all of them.
    #[doc(hidden)]
    fn bind(&self, binding: Binding<'_>);
    /// Whether all of them may be written to from several partitions.
    #[doc(hidden)]
    fn coalesces(&self) -> bool;
    /// Writers for a task.
    fn writers(&self, task: Task) -> Self::Writers;
    /// Takes the writers of all tasks.
    #[doc(hidden)]
    fn deliver(&self, delivery: Delivery<'_, '_>, writers: Vec<Self::Writers>);
}

macro_rules! outs {
    ($(($($name:ident $index:tt),+))*) => {$(
        impl<$($name: Out),+> Outs for ($($name,)+) {
            type Writers = ($($name::Writer,)+);
            fn bind(&self, binding: Binding<'_>) {
                $(self.$index.bind(binding);)+
            }
            fn coalesces(&self) -> bool { $(self.$index.coalesces())&&+ }
            fn writers(&self, task: Task) -> Self::Writers { ($(self.$index.writer(task),)+) }
            #[allow(non_snake_case, reason = "one vector for each type parameter")]
            fn deliver(&self, delivery: Delivery<'_, '_>, writers: Vec<Self::Writers>) {
                $(let mut $name = Vec::with_capacity(writers.len());)+
                for writer in writers {
                    $($name.push(writer.$index);)+
                }
                $(self.$index.deliver(delivery, $name);)+
            }
        }
    )*};
}

outs! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11, M 12, N 13, O 14, P 15)
}
