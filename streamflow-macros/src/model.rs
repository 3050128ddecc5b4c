//! What the user means: a graph of operators.
//!
//! Nodes stand in the order of the program, so every node comes after its inputs. The model knows neither stages nor
//! output tokens.

use std::collections::HashMap;
use std::fmt;

use proc_macro2::Span;
use syn::spanned::Spanned;
use syn::{Expr, ExprClosure, ExprPath, Ident, Type};

use crate::check;
use crate::diagnostics::{Diagnostics, Mistake};
use crate::ops::{self, Form, Given, Kind, Operator, Takes, Wide};
use crate::parse::{self, Binding, Bound, Function, Parameter, PlainNames, Statement, StreamExpr};

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct NodeId(pub(crate) usize);

/// The streams of one function and how they depend on each other.
pub(crate) struct Topology {
    nodes: Vec<Node>,
    /// What the function returns.
    pub(crate) results: Vec<NodeId>,
    /// Streams that a refused expression mentions: nobody can say what else they are good for.
    pub(crate) excused: Vec<NodeId>,
}

/// One step of the topology.
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    /// The streams that it reads, in the order of the arguments, the receiver first.
    pub(crate) inputs: Vec<NodeId>,
    /// The user's word for it: the operator, the parameter, the called function.
    pub(crate) span: Span,
    /// The variable that the user gave it.
    pub(crate) name: Option<Ident>,
    /// The declared record type.
    pub(crate) record: Option<Type>,
}

pub(crate) enum NodeKind {
    /// A stream parameter.
    Parameter(Ident),
    /// A call of another stream function.
    Call {
        function: Expr,
        arguments: Vec<Argument>,
        results: usize,
    },
    /// One of the streams that a call returns.
    CallResult {
        index: usize,
    },
    Operator(Applied),
}

/// An operator with its arguments.
pub(crate) struct Applied {
    pub(crate) operator: &'static Operator,
    /// The way in which the arguments are written, if it is not the operator's first one.
    pub(crate) form: Option<&'static Form>,
    /// The method's name as written.
    pub(crate) name: Ident,
    /// `<binding>.<operator>`, unique in the function.
    pub(crate) id: String,
    pub(crate) arguments: Vec<Argument>,
    /// For each argument, which of those that the operator takes it is.
    pub(crate) places: Vec<usize>,
}

#[derive(Clone)]
pub(crate) enum Argument {
    Stream(NodeId),
    Closure(ExprClosure),
    Path(ExprPath),
    Value(Expr),
}

impl Argument {
    pub(crate) fn stream(&self) -> Option<NodeId> {
        match self {
            Argument::Stream(node) => Some(*node),
            _ => None,
        }
    }
}

/// How a node's records reach the nodes behind it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// The node is a handle of its own: parameters, results of shuffles, calls and transforms.
    Handle,
    /// Its records exist inside a stage only.
    Fused,
    /// A call, whose results are nodes of their own, or an output.
    NoStream,
}

impl Node {
    pub(crate) fn applied(&self) -> Option<&Applied> {
        match &self.kind {
            NodeKind::Operator(applied) => Some(applied),
            _ => None,
        }
    }

    pub(crate) fn shape(&self) -> Shape {
        match &self.kind {
            NodeKind::Parameter(_) | NodeKind::CallResult { .. } => Shape::Handle,
            NodeKind::Call { .. } => Shape::NoStream,
            NodeKind::Operator(applied) => match applied.operator.kind {
                Kind::Narrow(_) | Kind::Partition(_) | Kind::Union => Shape::Fused,
                Kind::Wide(_) if applied.joins_table() => Shape::Fused,
                Kind::Wide(_) | Kind::Transform(_) | Kind::Snapshots => Shape::Handle,
                Kind::Output => Shape::NoStream,
            },
        }
    }
}

impl Applied {
    /// Whether the second side of a join is a static table.
    pub(crate) fn joins_table(&self) -> bool {
        matches!(self.operator.kind, Kind::Wide(Wide { with_table: Some(_), .. }))
            && self.arguments.first().is_some_and(|argument| argument.stream().is_none())
    }

    /// What the operator takes, as it is written here.
    pub(crate) fn takes(&self) -> &'static [Takes] {
        self.form.map_or(self.operator.arguments, |form| form.arguments)
    }

    /// What the operator takes, as a message says it.
    pub(crate) fn describe_arguments(&self) -> String {
        ops::describe_all(self.takes())
    }

    /// The type of the operator's sink.
    pub(crate) fn sink(&self) -> String {
        self.form.map_or_else(|| self.operator.sink(), |form| form.runtime.into())
    }

    /// The argument that is the operator's number `place`.
    pub(crate) fn at(&self, place: usize) -> Option<&Argument> {
        self.arguments.get(self.places.iter().position(|other| *other == place)?)
    }

    /// The first argument that is `wanted`.
    pub(crate) fn given(&self, wanted: Takes) -> Option<&Argument> {
        self.at(self.takes().iter().position(|takes| *takes == wanted)?)
    }
}

impl Topology {
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// All nodes, inputs before their consumers.
    pub(crate) fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.nodes.iter().enumerate().map(|(index, node)| (NodeId(index), node))
    }

    /// Who reads `id`, and as which of its inputs, in the order of the program.
    pub(crate) fn consumers(&self, id: NodeId) -> impl Iterator<Item = (NodeId, usize)> {
        self.nodes().flat_map(move |(consumer, node)| {
            let inputs = node.inputs.iter().enumerate().filter(move |(_, input)| **input == id);
            inputs.map(move |(index, _)| (consumer, index))
        })
    }
}

/// Resolves names and operators.
pub(crate) fn build(function: &Function, diagnostics: &Diagnostics) -> Topology {
    let topology = Topology { nodes: Vec::new(), results: Vec::new(), excused: Vec::new() };
    let results = function.results.len();
    let plain = PlainNames::of(function);
    let mut builder =
        Builder { topology, names: HashMap::new(), ids: HashMap::new(), binding: String::new(), plain, diagnostics };
    for parameter in &function.parameters {
        if let Parameter::Stream { name, record } = parameter {
            let node = builder.push(NodeKind::Parameter(name.clone()), Vec::new(), name.span());
            let declared = &mut builder.topology.nodes[node.0];
            (declared.name, declared.record) = (Some(name.clone()), Some((**record).clone()));
            builder.names.insert(name.to_string(), Some(node));
        }
    }
    let mut returned = false;
    for statement in &function.statements {
        let Statement::Stream { binding, value } = statement else { continue };
        match binding {
            Binding::Let(bound) => builder.declare(bound, value),
            Binding::Result if results > 0 => {
                returned = true;
                builder.result(value, function);
            }
            // The declared result was refused; nothing else is wrong with what is returned.
            Binding::Result if !matches!(function.item.sig.output, syn::ReturnType::Default) => {
                let streams = builder.streams(value, &["result".into()]);
                builder.topology.excused.extend(streams.into_iter().flatten().flatten());
            }
            Binding::Output | Binding::Result => builder.output(value),
        }
    }
    if results > 0 && !returned {
        builder.missing_result(function);
    }
    builder.topology
}

struct Builder<'a> {
    topology: Topology,
    /// `None` for a name whose declaration was refused.
    names: HashMap<String, Option<NodeId>>,
    /// How often an operator's identity was given away.
    ids: HashMap<String, usize>,
    /// The name under which operators are declared at the moment.
    binding: String,
    plain: PlainNames,
    diagnostics: &'a Diagnostics,
}

impl Builder<'_> {
    fn push(&mut self, kind: NodeKind, inputs: Vec<NodeId>, span: Span) -> NodeId {
        self.topology.nodes.push(Node { kind, inputs, span, name: None, record: None });
        NodeId(self.topology.nodes.len() - 1)
    }

    fn declare(&mut self, bound: &[Bound], value: &StreamExpr) {
        let names: Vec<String> = bound.iter().map(|bound| bound.name.to_string()).collect();
        let streams = self.streams(value, &names);
        if let Some(streams) = &streams
            && streams.len() != bound.len()
            && let Some(first) = bound.first()
        {
            let what = format!("{} for {}", count(bound.len(), "name"), count(streams.len(), "stream"));
            self.diagnostics.add(Mistake::at(first.name.span(), what).help("give each stream a name"));
        }
        for (index, Bound { name, record }) in bound.iter().enumerate() {
            let stream = streams.as_ref().and_then(|streams| streams.get(index)).copied().flatten();
            if let Some(stream) = stream {
                let node = &mut self.topology.nodes[stream.0];
                node.name.get_or_insert_with(|| name.clone());
                node.record = node.record.take().or_else(|| record.clone());
            }
            self.names.insert(name.to_string(), stream);
        }
    }

    fn result(&mut self, value: &StreamExpr, function: &Function) {
        let expected = function.results.len();
        let names: Vec<String> = match expected {
            1 => vec!["result".into()],
            n => (0..n).map(|index| format!("result.{index}")).collect(),
        };
        let Some(streams) = self.streams(value, &names) else { return };
        if streams.len() != expected {
            let declared = count(expected, "stream");
            let mistake = Mistake::on(
                &function.item.sig.output,
                format!("{declared} declared, but {} returned", count(streams.len(), "stream")),
            );
            self.diagnostics.add(mistake);
            self.topology.excused.extend(streams.into_iter().flatten());
            return;
        }
        for (stream, record) in streams.into_iter().zip(&function.results) {
            let Some(stream) = stream else { continue };
            self.topology.nodes[stream.0].record.get_or_insert_with(|| record.clone());
            self.topology.results.push(stream);
        }
    }

    fn output(&mut self, value: &StreamExpr) {
        self.binding = "output".into();
        match value {
            StreamExpr::Call(call) => {
                self.call(call, 0);
            }
            StreamExpr::Step(step) => {
                self.step(step);
            }
            StreamExpr::Tuple(parts) => parts.iter().for_each(|part| self.output(part)),
            StreamExpr::Name(name) => {
                let mistake = Mistake::at(name.span(), format!("the stream `{name}` stands alone"))
                    .reason("a statement without an output does nothing")
                    .help(format!("write for instance `{name}.print(10);`"));
                self.diagnostics.add(mistake);
                self.excuse(std::slice::from_ref(name));
            }
            StreamExpr::Refused(names) => self.excuse(names),
        }
    }

    fn missing_result(&mut self, function: &Function) {
        // The last stream was meant to be returned: nothing else is wrong with it.
        self.topology.excused.extend(self.topology.nodes.len().checked_sub(1).map(NodeId));
        let last = function.item.block.stmts.last();
        let dropped = match (last, self.topology.nodes.last()) {
            (Some(syn::Stmt::Expr(_, Some(semicolon))), Some(node)) if node.shape() != Shape::NoStream => {
                Some(semicolon)
            }
            _ => None,
        };
        self.diagnostics.add(match dropped {
            Some(semicolon) => Mistake::at(semicolon.span(), "this drops the stream that the function returns")
                .reason("the result is the last expression")
                .help("remove the semicolon"),
            None => {
                let output = &function.item.sig.output;
                Mistake::on(output, "the body does not end in the stream that is declared here")
                    .help("make the result the last expression, without a semicolon")
            }
        });
    }

    /// The streams of an expression that is bound to `names`; `None` if their number is unknown.
    fn streams(&mut self, value: &StreamExpr, names: &[String]) -> Option<Vec<Option<NodeId>>> {
        match value {
            StreamExpr::Tuple(parts) => {
                let part = |(index, part): (usize, &StreamExpr)| {
                    self.binding = names.get(index).cloned().unwrap_or_else(|| "output".into());
                    self.stream(part)
                };
                Some(parts.iter().enumerate().map(part).collect())
            }
            StreamExpr::Call(call) if names.len() != 1 => {
                self.binding = names.first().cloned().unwrap_or_else(|| "output".into());
                Some(self.call(call, names.len()))
            }
            StreamExpr::Refused(streams) => {
                self.excuse(streams);
                None
            }
            single => {
                self.binding = names.first().cloned().unwrap_or_else(|| "output".into());
                Some(vec![self.stream(single)])
            }
        }
    }

    /// The one stream of an expression.
    fn stream(&mut self, value: &StreamExpr) -> Option<NodeId> {
        match value {
            StreamExpr::Name(name) => self.names.get(&name.to_string()).copied().flatten(),
            StreamExpr::Step(step) => {
                let id = self.step(step)?;
                if self.topology.node(id).shape() != Shape::NoStream {
                    return Some(id);
                }
                let mistake =
                    Mistake::at(step.name.span(), format!("`{}` is an output and yields no stream", step.name))
                        .help("give the stream a name, and write the output in a statement of its own");
                self.diagnostics.add(mistake);
                None
            }
            StreamExpr::Call(call) => self.call(call, 1).pop().flatten(),
            StreamExpr::Tuple(parts) => {
                for part in parts {
                    if let Some(stream) = self.stream(part) {
                        self.topology.excused.push(stream);
                    }
                }
                let span = parts.iter().find_map(first_span).unwrap_or_else(Span::call_site);
                self.diagnostics.add(Mistake::at(span, "one stream is needed here, not a tuple"));
                None
            }
            StreamExpr::Refused(names) => {
                self.excuse(names);
                None
            }
        }
    }

    fn step(&mut self, step: &parse::Step) -> Option<NodeId> {
        let receiver = self.stream(&step.receiver);
        let arguments = self.arguments(&step.arguments);
        let operator = ops::find(&step.name.to_string());
        if operator.is_none() {
            self.diagnostics.add(check::names::unknown(&step.name));
        }
        let (Some(receiver), Some(arguments), Some(operator)) = (receiver, &arguments, operator) else {
            self.topology.excused.extend(receiver);
            self.topology.excused.extend(arguments.iter().flatten().filter_map(Argument::stream));
            return None;
        };
        let inputs = std::iter::once(receiver).chain(arguments.iter().filter_map(Argument::stream)).collect();
        let id = self.identity(operator.name);
        let applied = self.applied(operator, step.name.clone(), id, arguments.clone());
        Some(self.push(NodeKind::Operator(applied), inputs, step.name.span()))
    }

    /// The operator in the form in which its arguments are written.
    fn applied(&self, operator: &'static Operator, name: Ident, id: String, arguments: Vec<Argument>) -> Applied {
        let is_function = |argument: &Argument| match argument {
            Argument::Closure(_) => true,
            Argument::Path(path) => self.plain.is_function(path),
            Argument::Stream(_) | Argument::Value(_) => false,
        };
        let given = |argument| Given { argument, is_function: is_function(argument) };
        let given: Vec<Given<'_>> = arguments.iter().map(given).collect();
        let form = operator.forms.iter().find(|form| (form.applies)(&given));
        let places = ops::places(form.map_or(operator.arguments, |form| form.arguments), &given);
        Applied { operator, form, name, id, arguments, places }
    }

    fn call(&mut self, call: &parse::Call, results: usize) -> Vec<Option<NodeId>> {
        let Some(arguments) = self.arguments(&call.arguments) else { return vec![None; results] };
        let inputs = arguments.iter().filter_map(Argument::stream).collect();
        let span = call.function.span();
        let kind = NodeKind::Call { function: call.function.clone(), arguments, results };
        let call = self.push(kind, inputs, span);
        (0..results).map(|index| Some(self.push(NodeKind::CallResult { index }, vec![call], span))).collect()
    }

    /// `None` if a stream among them was refused.
    fn arguments(&mut self, arguments: &[parse::Argument]) -> Option<Vec<Argument>> {
        // All of them are visited, so that all mistakes are found.
        let arguments: Vec<Option<Argument>> = arguments
            .iter()
            .map(|argument| match argument {
                parse::Argument::Stream(stream) => self.stream(stream).map(Argument::Stream),
                parse::Argument::Closure(closure) => Some(Argument::Closure(closure.clone())),
                parse::Argument::Path(path) => Some(Argument::Path(path.clone())),
                parse::Argument::Value(value) => Some(Argument::Value(value.clone())),
            })
            .collect();
        if arguments.iter().any(Option::is_none) {
            self.topology.excused.extend(arguments.iter().flatten().filter_map(Argument::stream));
        }
        arguments.into_iter().collect()
    }

    fn identity(&mut self, operator: &str) -> String {
        let id = format!("{}.{operator}", self.binding);
        let times = self.ids.entry(id.clone()).or_default();
        *times += 1;
        if *times == 1 { id } else { format!("{id}#{times}") }
    }

    fn excuse(&mut self, names: &[Ident]) {
        let nodes = names.iter().filter_map(|name| self.names.get(&name.to_string()).copied().flatten());
        self.topology.excused.extend(nodes);
    }
}

fn first_span(value: &StreamExpr) -> Option<Span> {
    match value {
        StreamExpr::Name(name) => Some(name.span()),
        StreamExpr::Step(step) => first_span(&step.receiver),
        StreamExpr::Call(call) => Some(call.function.span()),
        StreamExpr::Tuple(parts) => parts.iter().find_map(first_span),
        StreamExpr::Refused(names) => names.first().map(Ident::span),
    }
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// One line per node, for tests and for looking at.
impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (NodeId(index), node) in self.nodes() {
            let inputs: Vec<String> = node.inputs.iter().map(|input| format!("n{}", input.0)).collect();
            let inputs = inputs.join(", ");
            match &node.kind {
                NodeKind::Parameter(name) => writeln!(f, "n{index} = parameter {name}")?,
                NodeKind::Call { .. } => writeln!(f, "n{index} = call({inputs})")?,
                NodeKind::CallResult { index: result } => writeln!(f, "n{index} = result {result} of {inputs}")?,
                NodeKind::Operator(applied) => writeln!(f, "n{index} = {}({inputs})", applied.id)?,
            }
        }
        let results: Vec<String> = self.results.iter().map(|result| format!("n{}", result.0)).collect();
        writeln!(f, "({})", results.join(", "))
    }
}
