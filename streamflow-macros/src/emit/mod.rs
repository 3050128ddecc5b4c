//! Output tokens: the function's body as calls into the runtime.
//!
//! What is emitted is thin: a constant plan, sinks, one closure per stage, and the user's own tokens. Every fragment has
//! the place of the operator or closure that it came from.

mod fallback;
mod parts;
mod plan;
mod site;
mod stage;
mod state;

use std::cell::Cell;
use std::collections::HashSet;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{ExprClosure, Stmt, Token};

pub(crate) use self::fallback::fallback;
pub(crate) use self::site::{Called, Site};
use crate::hygiene;
use crate::lower::{Program, Sink, SinkKind, Step, names_used};
use crate::model::{Applied, Argument, Node, NodeId, NodeKind, Shape, Topology};
use crate::ops::{Kind, Takes, Wide};
use crate::parse::{Function, Options, PlainNames, Statement};
use crate::types::is_view;

/// Emits a function without mistakes.
pub(crate) fn emit(function: &Function, topology: &Topology, program: &Program, options: &Options) -> TokenStream {
    let emitter = Emitter { topology, program, plain: PlainNames::of(function), buffers: Cell::new(0) };
    let syn::ItemFn { attrs, vis, sig, .. } = &function.item;
    let plan = plan::plan(&emitter, &sig.ident);
    let scope = hygiene::local("scope", Span::mixed_site());
    let plain = emitter.plain_statements(function);
    let tables = program.tables.iter().map(|node| emitter.table(*node));
    let parameters = topology.nodes().filter(|(_, node)| matches!(node.kind, NodeKind::Parameter(_)));
    let shared = parameters.map(|(id, _)| emitter.shared(id));
    let steps = program.steps.iter().map(|step| emitter.step(*step));
    let interval = emitter.interval(options);
    let (codecs, results) = (emitter.codecs(), emitter.results());
    quote! {
        #(#attrs)*
        #[allow(clippy::type_complexity)]
        #vis #sig {
            #plan
            #[allow(unused_imports)]
            use ::streamflow::__private::{HowFirst as _, HowId as _, HowSecond as _, HowView as _};
            #codecs
            let #scope = ::streamflow::__private::Scope::enter(&__FUNCTION);
            #interval
            #plain
            #(#tables)*
            #(#shared)*
            #(#steps)*
            #results
        }
    }
}

/// What all parts of the emission share.
struct Emitter<'a> {
    topology: &'a Topology,
    program: &'a Program,
    plain: PlainNames,
    buffers: Cell<usize>,
}

impl Emitter<'_> {
    /// Tells the runtime the batch interval that the function is written for, if it says one.
    fn interval(&self, options: &Options) -> TokenStream {
        let mut parameters = self.topology.nodes().filter(|(_, node)| matches!(node.kind, NodeKind::Parameter(_)));
        let (Some(batch), Some((parameter, _))) = (&options.batch, parameters.next()) else {
            return TokenStream::new();
        };
        let stream = self.handle(parameter);
        let interval = batch.to_expr().expect("an interval that fits a duration, which was seen when it was read");
        quote_spanned!(hygiene::at(batch.span)=>
            ::streamflow::__private::written_for(&#stream, &__FUNCTION, #interval);
        )
    }

    fn plain_statements(&self, function: &Function) -> TokenStream {
        let last = function.statements.len().saturating_sub(1);
        let plain = function.statements.iter().enumerate().filter_map(|(index, statement)| match statement {
            // The function's last expression is no longer last.
            Statement::Plain(Stmt::Expr(expr, None)) if index == last => Some(quote!(let () = #expr;)),
            Statement::Plain(stmt) => Some(stmt.to_token_stream()),
            Statement::Stream { .. } => None,
        });
        plain.collect()
    }

    fn applied(&self, node: NodeId) -> &Applied {
        self.topology.node(node).applied().expect("an operator")
    }

    /// The variable of a node's handle.
    fn handle(&self, node: NodeId) -> Ident {
        match &self.topology.node(node).kind {
            NodeKind::Parameter(name) => name.clone(),
            _ => hygiene::numbered("n", node.0, self.topology.node(node).span),
        }
    }

    fn sink_variable(&self, sink: usize) -> Ident {
        hygiene::numbered("sink", sink, self.topology.node(self.program.sinks[sink].node).span)
    }

    fn port(&self, sink: usize, port: usize) -> Ident {
        let span = self.topology.node(self.program.sinks[sink].node).span;
        hygiene::local(&format!("port{sink}_{port}"), span)
    }

    fn next_buffer(&self) -> usize {
        self.buffers.replace(self.buffers.get() + 1)
    }

    /// Evaluates the static table of a join, once.
    fn table(&self, node: NodeId) -> TokenStream {
        let applied = self.applied(node);
        let span = hygiene::at(applied.name.span());
        let table = hygiene::numbered("table", node.0, span);
        let value = match &applied.arguments[0] {
            // A variable stays usable, as one that a closure captures.
            Argument::Path(path) if path.path.get_ident().is_some_and(|name| self.plain.contains(name)) => {
                quote_spanned!(span=> ::streamflow::__private::capture(&#path))
            }
            argument => self.argument(argument),
        };
        quote_spanned!(span=> let #table = #value;)
    }

    fn step(&self, step: Step) -> TokenStream {
        match step {
            Step::Sink(sink) => self.sink(sink),
            Step::Stage(number) => stage::stage(self, number, &self.program.stages[number]),
            Step::Finish(sink) => self.finish(sink),
            Step::Call(node) => self.call(node),
            Step::Method(node) => self.method(node),
        }
    }

    fn sink(&self, number: usize) -> TokenStream {
        let Sink { node, kind, ports } = &self.program.sinks[number];
        let span = hygiene::at(self.topology.node(*node).span);
        let sink = self.sink_variable(number);
        let (ty, generics) = match kind {
            SinkKind::Shuffle { .. } => (self.applied(*node).sink(), TokenStream::new()),
            SinkKind::Collect => ("Collect".into(), TokenStream::new()),
            SinkKind::CollectViews(view) => ("CollectViews".into(), quote_spanned!(span=> ::<#view>)),
        };
        let ty = Ident::new(&ty, span);
        let yields = match (kind, self.program.types.wanted(*node)) {
            (SinkKind::CollectViews(_), _) | (_, None) => TokenStream::new(),
            (_, Some(record)) => {
                let span = hygiene::at(syn::spanned::Spanned::span(record));
                quote_spanned!(span=> #sink.yields::<#record>();)
            }
        };
        let ports = ports.iter().enumerate().map(|(index, port)| {
            let name = self.port(number, index);
            let method = match (kind, port.input) {
                (SinkKind::Shuffle { inputs: 2 }, 0) => "left",
                (SinkKind::Shuffle { inputs: 2 }, _) => "right",
                _ => "port",
            };
            let method = Ident::new(method, span);
            quote_spanned!(span=> let #name = #sink.#method();)
        });
        quote_spanned!(span=> let #sink = ::streamflow::__private::sink::#ty #generics::new(); #yields #(#ports)*)
    }

    /// Tells the runtime that a handle has several readers, whose records must be `Clone`.
    fn shared(&self, node: NodeId) -> TokenStream {
        let stages = self.program.stages.iter().filter(|stage| stage.input == node).count();
        let (fused, others): (Vec<_>, Vec<_>) = self
            .topology
            .consumers(node)
            .map(|(consumer, _)| self.topology.node(consumer))
            // States are asked of the operator, not of its records.
            .filter(|node| !node.applied().is_some_and(|applied| matches!(applied.operator.kind, Kind::Snapshots)))
            .partition(|node| is_fed(node));
        let results = self.topology.results.iter().filter(|result| **result == node).count();
        if stages + others.len() + results < 2 {
            return TokenStream::new();
        }
        // The place to show is where the second reader stands.
        let mut readers: Vec<Span> = fused.iter().take(stages).chain(&others).map(|node| node.span).collect();
        readers.push(self.topology.node(node).span);
        let (handle, span) = (self.handle(node), hygiene::at(readers.get(1).copied().unwrap_or(readers[0])));
        quote_spanned!(span=> ::streamflow::__private::shared(&#handle);)
    }

    /// All stages that write to the sink are known: it becomes a handle.
    fn finish(&self, number: usize) -> TokenStream {
        let Sink { node, kind, .. } = &self.program.sinks[number];
        let applied = self.applied(*node);
        let span = hygiene::at(applied.name.span());
        let (sink, handle) = (self.sink_variable(number), self.handle(*node));
        let (index, shared) = (self.program.index_of(*node), self.shared(*node));
        if matches!(applied.operator.kind, Kind::Wide(Wide { states: true, .. })) {
            return state::finish(self, *node, &sink);
        }
        let arguments = match kind {
            SinkKind::Shuffle { .. } => self.arguments(applied),
            SinkKind::Collect | SinkKind::CollectViews(_) => Vec::new(),
        };
        let kept = match kind {
            SinkKind::Shuffle { .. } => self.kept(*node, &handle),
            SinkKind::Collect | SinkKind::CollectViews(_) => TokenStream::new(),
        };
        quote_spanned!(span=> let #handle = #sink.finish(&__OPERATORS[#index] #(, #arguments)*); #kept #shared)
    }

    /// Makes the codecs that [`kept`](Self::kept) asks for visible, if it does.
    fn codecs(&self) -> TokenStream {
        let keeps = |node: &Node| node.applied().is_some_and(|applied| applied.operator.keeps().is_some());
        match self.topology.nodes().any(|(_, node)| keeps(node)) {
            true => quote! {
                #[allow(unused_imports)]
                use ::streamflow::__private::{HasCodec as _, NoCodec as _};
            },
            false => TokenStream::new(),
        }
    }

    /// Tells the runtime how what an operator keeps is written to a checkpoint, if its types can be.
    fn kept(&self, node: NodeId, handle: &Ident) -> TokenStream {
        let applied = self.applied(node);
        let span = hygiene::at(applied.name.span());
        let Some(tag) = applied.operator.keeps().map(|tag| Ident::new(tag, span)) else { return TokenStream::new() };
        quote_spanned!(span=> #handle.keep_with((&&#handle.#tag()).codec());)
    }

    /// A method of a handle: what transforms whole batches, and outputs.
    fn method(&self, node: NodeId) -> TokenStream {
        let applied = self.applied(node);
        let receiver = self.handle(self.topology.node(node).inputs[0]);
        let arguments = self.arguments(applied);
        let name = applied.form.map_or(applied.name.clone(), |form| Ident::new(form.runtime, applied.name.span()));
        // The user's span: the runtime asks for the caller's location.
        let call = quote_spanned!(name.span()=> #receiver.#name(#(#arguments),*));
        let span = hygiene::at(name.span());
        match applied.operator.kind {
            Kind::Output => quote_spanned!(span=> #call;),
            _ => {
                let (handle, ty, shared) = (self.handle(node), self.declared(node), self.shared(node));
                let kept = self.kept(node, &handle);
                quote_spanned!(span=> let #handle #ty = #call; #kept #shared)
            }
        }
    }

    /// `: DStream<T>` for a node with a declared type.
    fn declared(&self, node: NodeId) -> TokenStream {
        match &self.topology.node(node).record {
            Some(record) => quote!(: ::streamflow::DStream<#record>),
            None => TokenStream::new(),
        }
    }

    fn call(&self, node: NodeId) -> TokenStream {
        let NodeKind::Call { function, arguments, results } = &self.topology.node(node).kind else {
            unreachable!("lowering makes call steps of calls only")
        };
        let span = hygiene::at(self.topology.node(node).span);
        let arguments = arguments.iter().map(|argument| match argument {
            Argument::Stream(stream) => self.clone_of(*stream),
            other => self.argument(other),
        });
        let call = quote_spanned!(span=> #function(#(#arguments),*));
        let result = |index: usize| NodeId(node.0 + 1 + index);
        let shared = (0..*results).map(|index| self.shared(result(index)));
        let shared: TokenStream = shared.collect();
        match results {
            0 => quote_spanned!(span=> let () = #call;),
            1 => {
                let (handle, ty) = (self.handle(result(0)), self.declared(result(0)));
                quote_spanned!(span=> let #handle #ty = #call; #shared)
            }
            many => {
                let handles = (0..*many).map(|index| self.handle(result(index)));
                quote_spanned!(span=> let (#(#handles),*) = #call; #shared)
            }
        }
    }

    fn clone_of(&self, node: NodeId) -> TokenStream {
        let handle = self.handle(node);
        quote_spanned!(hygiene::at(handle.span())=> ::core::clone::Clone::clone(&#handle))
    }

    /// The arguments as the runtime takes them: the user's in order, defaults for those left out.
    fn arguments(&self, applied: &Applied) -> Vec<TokenStream> {
        let span = hygiene::at(applied.name.span());
        let is_method = matches!(applied.operator.kind, Kind::Transform(_) | Kind::Output);
        let mut arguments = Vec::new();
        for (place, takes) in applied.takes().iter().enumerate() {
            match (takes, applied.at(place)) {
                // In a shuffle the second stream goes through a port.
                (Takes::Stream | Takes::StreamOrTable, Some(Argument::Stream(stream))) => {
                    if is_method {
                        let handle = self.handle(*stream);
                        arguments.push(quote_spanned!(span=> &#handle));
                    }
                }
                (Takes::Slide, given) if is_method => arguments.extend(given.map(|slide| self.argument(slide))),
                (Takes::Partitions | Takes::Slide, Some(given)) => {
                    let given = self.argument(given);
                    arguments.push(quote_spanned!(span=> ::core::option::Option::Some(#given)));
                }
                (Takes::Partitions | Takes::Slide, None) => {
                    arguments.push(quote_spanned!(span=> ::core::option::Option::None));
                }
                (Takes::Filter, None) => arguments.push(quote_spanned!(span=> |_| true)),
                (Takes::OptionalValue(default), None) => {
                    arguments.push(default.parse().expect("a default is an expression"));
                }
                (_, Some(argument)) => arguments.push(self.argument(argument)),
                (_, None) => unreachable!("the number of arguments is checked"),
            }
        }
        arguments
    }

    /// One argument outside a loop. Closures own what they use.
    fn argument(&self, argument: &Argument) -> TokenStream {
        match argument {
            Argument::Closure(closure) => {
                let captures = captures(names_used(argument), &self.plain);
                let closure = ExprClosure { capture: Some(<Token![move]>::default()), ..closure.clone() };
                match captures.is_empty() {
                    true => closure.to_token_stream(),
                    false => quote!({ #captures #closure }),
                }
            }
            Argument::Path(path) => path.to_token_stream(),
            Argument::Value(value) => value.to_token_stream(),
            Argument::Stream(stream) => self.handle(*stream).to_token_stream(),
        }
    }

    /// A result of a shuffle, whose type no loop has checked.
    fn declared_result(&self, node: NodeId, value: TokenStream) -> TokenStream {
        let Node { record, kind, .. } = self.topology.node(node);
        let is_wide = self.topology.node(node).shape() == Shape::Handle
            && matches!(kind, NodeKind::Operator(applied) if matches!(applied.operator.kind, Kind::Wide(_)));
        match record {
            Some(record) if is_wide && !is_view(record) => {
                let span = hygiene::at(syn::spanned::Spanned::span(record));
                quote_spanned!(span=> ::streamflow::__private::declared_stream::<#record, _>(#value))
            }
            _ => value,
        }
    }

    fn results(&self) -> TokenStream {
        let results = &self.topology.results;
        let values = results.iter().enumerate().map(|(index, node)| {
            let needed_again = results[index + 1..].contains(node);
            let value = if needed_again { self.clone_of(*node) } else { self.handle(*node).to_token_stream() };
            self.declared_result(*node, value)
        });
        match results.len() {
            1 => quote!(#(#values)*),
            0 => TokenStream::new(),
            _ => quote!((#(#values),*)),
        }
    }
}

/// Whether a node gets its records from a stage, rather than from a handle.
fn is_fed(node: &Node) -> bool {
    node.applied().is_some_and(|applied| !matches!(applied.operator.kind, Kind::Transform(_) | Kind::Output))
}

/// Copies of the plain variables among `names`, for a closure to own.
fn captures(names: impl IntoIterator<Item = Ident>, plain: &PlainNames) -> TokenStream {
    let mut seen = HashSet::new();
    let wanted = names.into_iter().filter(|name| plain.contains(name) && seen.insert(name.to_string()));
    let copies = wanted.map(|name| {
        let span = hygiene::at(name.span());
        // A nested variable of the same name may be all that the closure meant.
        quote_spanned!(span=> #[allow(unused_variables)] let #name = ::streamflow::__private::capture(&#name);)
    });
    copies.collect()
}
