//! Cuts the graph at its wide edges into stages.
//!
//! A stage reads one handle and is a tree of fused operators whose leaves push into sinks: all chains that start at the
//! same handle are one stage, so a stream used many times is scanned once. Behind a union the tree is repeated in each
//! branch, and each branch has its own port of the sinks behind it.

use std::collections::{HashMap, HashSet};
use std::fmt;

use syn::Type;

use crate::closure::{self, Entry};
use crate::model::{Argument, Node, NodeId, NodeKind, Shape, Topology};
use crate::ops::Kind;
use crate::scan;
use crate::types::Types;

/// A stage with more sinks is split: tuples of ports are no longer than this.
const MAX_PORTS: usize = 16;

/// What to emit, in order.
pub(crate) struct Program {
    pub(crate) sinks: Vec<Sink>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) steps: Vec<Step>,
    /// The joins with a static table, whose tables are evaluated before all stages.
    pub(crate) tables: Vec<NodeId>,
    /// The operators of the plan, in the order of the program.
    pub(crate) operators: Vec<NodeId>,
    pub(crate) types: Types,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// Create a sink and its ports.
    Sink(usize),
    /// Hand a stage to the runtime.
    Stage(usize),
    /// All that writes to the sink is known: it becomes a handle.
    Finish(usize),
    /// Call another stream function.
    Call(NodeId),
    /// Call a method of a handle.
    Method(NodeId),
}

/// Where the records of stages go.
pub(crate) struct Sink {
    pub(crate) node: NodeId,
    pub(crate) kind: SinkKind,
    pub(crate) ports: Vec<Port>,
}

pub(crate) enum SinkKind {
    /// A wide operator.
    Shuffle { inputs: usize },
    /// A fused stream that is needed as a handle.
    Collect,
    /// The same for records that are views, such as `str`.
    CollectViews(Box<Type>),
}

/// One way into a sink.
pub(crate) struct Port {
    /// Which input of a join.
    pub(crate) input: usize,
    route: Route,
}

/// The unions on the way from a handle to a sink, each with the branch that was taken.
type Route = Vec<(NodeId, usize)>;

/// One loop over the records of a handle.
pub(crate) struct Stage {
    pub(crate) input: NodeId,
    pub(crate) branches: Vec<Branch>,
    /// Sink and port of each output.
    pub(crate) outputs: Vec<(usize, usize)>,
}

pub(crate) enum Branch {
    Operator { node: NodeId, entry: Entry, branches: Vec<Branch> },
    Push { sink: usize, output: usize },
}

/// Lowers a topology without mistakes.
pub(crate) fn lower(topology: &Topology) -> Program {
    let operators = topology.nodes().filter(|(_, node)| is_planned(node)).map(|(id, _)| id).collect();
    let tables = topology.nodes().filter(|(_, node)| node.applied().is_some_and(|applied| applied.joins_table()));
    let tables = tables.map(|(id, _)| id).collect();
    let program = Program {
        sinks: Vec::new(),
        stages: Vec::new(),
        steps: Vec::new(),
        tables,
        operators,
        types: Types::of(topology),
    };
    let mut lowering = Lowering { topology, program, collected: collected(topology), sinks: HashMap::new() };
    lowering.run();
    lowering.program
}

/// Whether the plan has an entry for the node: methods of handles tell the runtime about themselves.
fn is_planned(node: &Node) -> bool {
    node.applied()
        .is_some_and(|applied| !matches!(applied.operator.kind, Kind::Transform(_) | Kind::Snapshots | Kind::Output))
}

/// The fused nodes that are needed as a handle.
fn collected(topology: &Topology) -> HashSet<NodeId> {
    let by_handle = topology.nodes().filter(|(_, node)| match &node.kind {
        NodeKind::Call { .. } => true,
        NodeKind::Operator(applied) => matches!(applied.operator.kind, Kind::Transform(_) | Kind::Output),
        NodeKind::Parameter(_) | NodeKind::CallResult { .. } => false,
    });
    let read = by_handle.flat_map(|(_, node)| node.inputs.iter().copied());
    let needed = read.chain(topology.results.iter().copied());
    needed.filter(|id| topology.node(*id).shape() == Shape::Fused).collect()
}

struct Lowering<'a> {
    topology: &'a Topology,
    program: Program,
    collected: HashSet<NodeId>,
    /// The sink of a wide or collected node, once it exists.
    sinks: HashMap<NodeId, usize>,
}

impl Lowering<'_> {
    fn run(&mut self) {
        for (id, node) in self.topology.nodes() {
            match &node.kind {
                NodeKind::Parameter(_) | NodeKind::CallResult { .. } => self.stages_of(id),
                NodeKind::Call { .. } => self.program.steps.push(Step::Call(id)),
                NodeKind::Operator(applied) => match applied.operator.kind {
                    Kind::Transform(_) | Kind::Output => {
                        self.program.steps.push(Step::Method(id));
                        self.stages_of(id);
                    }
                    // Finished together with the operator whose states they are.
                    Kind::Snapshots => self.stages_of(id),
                    _ if node.shape() == Shape::Handle => {
                        self.finish(id);
                        self.stages_of(id);
                    }
                    _ if self.collected.contains(&id) => self.finish(id),
                    _ => {}
                },
            }
        }
    }

    fn finish(&mut self, id: NodeId) {
        let sink = self.sinks.get(&id).expect("the stages that write to a sink come before its node");
        self.program.steps.push(Step::Finish(*sink));
    }

    /// The loop over a handle's records.
    fn stages_of(&mut self, input: NodeId) {
        let mut outputs = Vec::new();
        let (branches, _) = self.branches(input, &Route::new(), &mut outputs);
        if branches.is_empty() {
            return;
        }
        let parts: Vec<_> = match outputs.len() {
            few if few <= MAX_PORTS => vec![(branches, outputs)],
            many => (0..many)
                .step_by(MAX_PORTS)
                .map(|first| {
                    let last = many.min(first + MAX_PORTS);
                    (prune(&branches, first..last), outputs[first..last].to_vec())
                })
                .collect(),
        };
        for (branches, outputs) in parts {
            self.program.steps.push(Step::Stage(self.program.stages.len()));
            self.program.stages.push(Stage { input, branches, outputs });
        }
    }

    /// The tree behind `id`, with the names that the closures in it use.
    fn branches(
        &mut self,
        id: NodeId,
        route: &Route,
        outputs: &mut Vec<(usize, usize)>,
    ) -> (Vec<Branch>, HashSet<String>) {
        let mut branches = Vec::new();
        let mut used = HashSet::new();
        if self.collected.contains(&id) {
            branches.push(self.push(id, 0, route, outputs));
        }
        for (consumer, input) in self.topology.consumers(id) {
            let node = self.topology.node(consumer);
            match (node.shape(), &node.kind) {
                (Shape::Fused, _) => {
                    let (branch, names) = self.operator(consumer, input, route, outputs);
                    branches.push(branch);
                    used.extend(names);
                }
                (Shape::Handle, NodeKind::Operator(applied)) if matches!(applied.operator.kind, Kind::Wide(_)) => {
                    branches.push(self.push(consumer, input, route, outputs));
                }
                _ => {}
            }
        }
        (branches, used)
    }

    fn operator(
        &mut self,
        id: NodeId,
        input: usize,
        route: &Route,
        outputs: &mut Vec<(usize, usize)>,
    ) -> (Branch, HashSet<String>) {
        let node = self.topology.node(id);
        let applied = node.applied().expect("fused nodes are operators");
        let mut route = route.clone();
        if matches!(applied.operator.kind, Kind::Union) {
            route.push((id, input));
        }
        let (branches, mut used) = self.branches(id, &route, outputs);
        let mut entry = Entry::Called;
        if let Some(Argument::Closure(closure)) = applied.arguments.first() {
            let (looks_only, leaks) = match &applied.operator.kind {
                Kind::Narrow(narrow) => (narrow.by_reference, narrow.leaks),
                _ => (false, true),
            };
            entry = closure::entry(closure, looks_only);
            let binds = closure.inputs.iter().flat_map(scan::pattern_names);
            if leaks && binds.into_iter().any(|name| used.contains(&name.to_string())) {
                entry = Entry::Called;
            }
        }
        used.extend(applied.arguments.iter().flat_map(names_used).map(|name| name.to_string()));
        (Branch::Operator { node: id, entry, branches }, used)
    }

    fn push(&mut self, id: NodeId, input: usize, route: &Route, outputs: &mut Vec<(usize, usize)>) -> Branch {
        let sink = self.sink(id);
        let ports = &self.program.sinks[sink].ports;
        let port = ports.iter().position(|port| port.input == input && port.route == *route);
        outputs.push((sink, port.expect("a sink has a port for every way into it")));
        Branch::Push { sink, output: outputs.len() - 1 }
    }

    /// The sink of `id`, created with all of its ports when it is first written to.
    fn sink(&mut self, id: NodeId) -> usize {
        if let Some(sink) = self.sinks.get(&id) {
            return *sink;
        }
        let node = self.topology.node(id);
        let (kind, ports) = if node.shape() == Shape::Fused {
            let kind = match self.program.types.view(id) {
                Some(view) => SinkKind::CollectViews(Box::new(view.clone())),
                None => SinkKind::Collect,
            };
            (kind, self.routes(id).into_iter().map(|route| Port { input: 0, route }).collect())
        } else {
            let inputs = node.inputs.iter().enumerate();
            let ports =
                inputs.flat_map(|(input, from)| self.routes(*from).into_iter().map(move |route| Port { input, route }));
            let wide = match node.applied().map(|applied| &applied.operator.kind) {
                Some(Kind::Wide(wide)) => wide.inputs,
                _ => unreachable!("only fused and wide nodes have sinks"),
            };
            (SinkKind::Shuffle { inputs: wide }, ports.collect())
        };
        let sink = self.program.sinks.len();
        self.program.sinks.push(Sink { node: id, kind, ports });
        self.program.steps.push(Step::Sink(sink));
        self.sinks.insert(id, sink);
        sink
    }

    /// All ways from a handle to the records of `id`, in the order of the branches.
    fn routes(&self, id: NodeId) -> Vec<Route> {
        let node = self.topology.node(id);
        if node.shape() == Shape::Handle {
            return vec![Route::new()];
        }
        let is_union = node.applied().is_some_and(|applied| matches!(applied.operator.kind, Kind::Union));
        let mut routes = Vec::new();
        for (branch, input) in node.inputs.iter().enumerate() {
            for mut route in self.routes(*input) {
                if is_union {
                    route.push((id, branch));
                }
                routes.push(route);
            }
        }
        routes
    }
}

/// The variables that an argument uses.
pub(crate) fn names_used(argument: &Argument) -> Vec<syn::Ident> {
    match argument {
        Argument::Stream(_) => Vec::new(),
        Argument::Closure(closure) => scan::free_names(closure),
        Argument::Path(path) => scan::mentions(path),
        Argument::Value(value) => scan::mentions(value),
    }
}

/// The part of a tree that leads to the outputs of `range`.
fn prune(branches: &[Branch], range: std::ops::Range<usize>) -> Vec<Branch> {
    let kept = branches.iter().filter_map(|branch| match branch {
        Branch::Push { sink, output } if range.contains(output) => {
            Some(Branch::Push { sink: *sink, output: output - range.start })
        }
        Branch::Push { .. } => None,
        Branch::Operator { node, entry, branches } => {
            let branches = prune(branches, range.clone());
            let operator = Branch::Operator { node: *node, entry: *entry, branches };
            matches!(&operator, Branch::Operator { branches, .. } if !branches.is_empty()).then_some(operator)
        }
    });
    kept.collect()
}

impl Program {
    /// The place of an operator in the plan.
    pub(crate) fn index_of(&self, node: NodeId) -> usize {
        self.operators.binary_search(&node).expect("a planned operator")
    }
}

/// A program to look at, together with the topology that names its nodes.
pub(crate) struct Listing<'a>(pub(crate) &'a Program, pub(crate) &'a Topology);

impl fmt::Display for Listing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Listing(program, topology) = self;
        let name = |id: NodeId| match &topology.node(id).kind {
            NodeKind::Parameter(name) => name.to_string(),
            NodeKind::Operator(applied) => applied.id.clone(),
            NodeKind::Call { .. } | NodeKind::CallResult { .. } => format!("n{}", id.0),
        };
        for step in &program.steps {
            match step {
                Step::Sink(sink) => {
                    let Sink { node, ports, .. } = &program.sinks[*sink];
                    writeln!(f, "sink {sink} for {} with {} port(s)", name(*node), ports.len())?;
                }
                Step::Stage(stage) => {
                    let stage = &program.stages[*stage];
                    writeln!(f, "stage over {}", name(stage.input))?;
                    self.tree(f, &stage.branches, &name, 1)?;
                }
                Step::Finish(sink) => writeln!(f, "finish {sink}")?,
                Step::Call(node) => writeln!(f, "call {}", name(*node))?,
                Step::Method(node) => writeln!(f, "method {}", name(*node))?,
            }
        }
        Ok(())
    }
}

impl Listing<'_> {
    fn tree(
        &self,
        f: &mut fmt::Formatter<'_>,
        branches: &[Branch],
        name: &dyn Fn(NodeId) -> String,
        depth: usize,
    ) -> fmt::Result {
        for branch in branches {
            let indent = "  ".repeat(depth);
            match branch {
                Branch::Operator { node, entry, branches } => {
                    writeln!(f, "{indent}{} ({entry:?})", name(*node))?;
                    self.tree(f, branches, name, depth + 1)?;
                }
                Branch::Push { sink, output } => writeln!(f, "{indent}push output {output} to sink {sink}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use quote::quote;

    use crate::expand::tests::listing;

    #[test]
    fn two_consumers_share_one_loop() {
        let (topology, program) = listing(quote! {
            fn f(lines: DStream<str>) -> (DStream<u64>, DStream<String>) {
                let words = lines.flat_map(|l| l.split(' '));
                (words.count(), words.filter(|w| w.len() > 3))
            }
        });
        assert_eq!(
            topology,
            "n0 = parameter lines\n\
             n1 = words.flat_map(n0)\n\
             n2 = result.0.count(n1)\n\
             n3 = result.1.filter(n1)\n\
             (n2, n3)\n"
        );
        assert_eq!(
            program,
            "sink 0 for result.0.count with 1 port(s)\n\
             sink 1 for result.1.filter with 1 port(s)\n\
             stage over lines\n  \
               words.flat_map (Inline)\n    \
                 push output 0 to sink 0\n    \
                 result.1.filter (Inline)\n      \
                   push output 1 to sink 1\n\
             finish 0\n\
             finish 1\n"
        );
    }

    #[test]
    fn behind_a_union_the_tree_is_repeated_with_a_port_for_each_branch() {
        let (_, program) = listing(quote! {
            fn f(a: DStream<u32>, b: DStream<u32>) -> DStream<u64> { a.union(b.map(|x| x + 1)).count() }
        });
        assert_eq!(
            program,
            "sink 0 for result.count with 2 port(s)\n\
             stage over a\n  \
               result.union (Called)\n    \
                 push output 0 to sink 0\n\
             stage over b\n  \
               result.map (Inline)\n    \
                 result.union (Called)\n      \
                   push output 0 to sink 0\n\
             finish 0\n"
        );
    }

    #[test]
    fn a_name_that_a_later_body_needs_is_not_hidden() {
        let (_, program) = listing(quote! {
            fn f(xs: DStream<u32>, y: u32) -> DStream<u32> { xs.map(|y| y + 1).filter(|z| *z > 0).map(|z| z + y) }
        });
        assert!(program.contains("result.map (Called)\n"), "{program}");
        assert!(program.contains("result.map#2 (Inline)\n"), "{program}");
    }

    #[test]
    fn a_stage_has_at_most_sixteen_outputs() {
        let counts = (0..20).map(|_| quote!(xs.count()));
        let types = (0..20).map(|_| quote!(DStream<u64>));
        let (_, program) = listing(quote! { fn f(xs: DStream<u32>) -> (#(#types),*) { (#(#counts),*) } });
        assert_eq!(program.matches("stage over xs").count(), 2, "{program}");
        assert!(
            program.contains("push output 15 to sink 15") && program.contains("push output 0 to sink 16"),
            "{program}"
        );
    }

    #[test]
    fn a_fused_stream_becomes_a_handle_where_one_is_needed() {
        let (_, program) = listing(quote! {
            fn f(xs: DStream<u32>) {
                let ys = xs.map(|x| x + 1);
                ys.print(1);
                report(ys);
            }
        });
        assert_eq!(program.matches("sink").count(), 2, "one sink, one push: {program}");
        assert!(program.ends_with("finish 0\nmethod output.print\ncall n3\n"), "{program}");
    }
}
