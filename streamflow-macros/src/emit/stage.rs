//! The closure of a stage: one loop over a partition that feeds all sinks of the stage.

use proc_macro2::{Span, TokenStream};
use quote::quote_spanned;
use syn::spanned::Spanned;

use super::parts::Parts;
use super::site::{self, Site};
use super::{Emitter, captures};
use crate::closure::Entry;
use crate::hygiene;
use crate::lower::{Branch, SinkKind, Stage, names_used};
use crate::model::{Applied, Argument, NodeId};
use crate::ops::{Kind, Wide};
use crate::types::is_view;

/// Emits a stage: the plan's entry, the captured variables, the loop.
pub(super) fn stage(emitter: &Emitter<'_>, number: usize, stage: &Stage) -> TokenStream {
    let span = hygiene::at(emitter.topology.node(stage.input).span);
    let input = emitter.handle(stage.input);
    let input = quote_spanned!(span=> ::streamflow::__private::input(&#input));
    let plan = syn::Ident::new(&format!("__STAGE{number}"), span);
    let ports: Vec<_> = stage.outputs.iter().map(|(sink, port)| emitter.port(*sink, *port)).collect();
    // Shown at the operator that the records go to: it asks something of them, not the stage.
    let target = ports.first().map_or(span, syn::Ident::span);
    let captures = captured(emitter, &stage.branches);
    let body = Loop { emitter, partitions: Vec::new() }.partition(&stage.branches, span);
    let (part, out) = (hygiene::local("part", span), hygiene::local("out", target));
    let closure = quote_spanned!(span=> { #captures move |mut #part, #out| { #body } });
    quote_spanned! {target=>
        #[allow(
            unused_braces,
            unused_parens,
            for_loops_over_fallibles,
            clippy::blocks_in_conditions,
            clippy::let_and_return,
            clippy::let_unit_value,
            clippy::manual_flatten,
            clippy::needless_borrow,
            clippy::redundant_locals,
            clippy::unit_arg,
            clippy::useless_conversion,
            clippy::explicit_counter_loop
        )]
        #input.stage(&#plan, (#(#ports,)*), #closure);
    }
}

/// The plain variables and functions that the operators of a stage use, each copied once.
fn captured(emitter: &Emitter<'_>, branches: &[Branch]) -> TokenStream {
    let mut nodes = Vec::new();
    collect_nodes(branches, &mut nodes);
    let applied = |node: &NodeId| emitter.topology.node(*node).applied().expect("fused nodes are operators");
    let arguments = nodes.iter().filter(|node| !applied(node).joins_table()).flat_map(|node| &applied(node).arguments);
    let mut code = captures(arguments.flat_map(names_used), &emitter.plain);
    for node in &nodes {
        let Applied { name, arguments, .. } = applied(node);
        let span = hygiene::at(name.span());
        if applied(node).joins_table() {
            let table = hygiene::numbered("table", node.0, span);
            code.extend(quote_spanned!(span=> let #table = ::streamflow::__private::capture(&#table);));
        } else if let Some(Argument::Value(function)) = arguments.first() {
            let variable = hygiene::numbered("function", node.0, span);
            code.extend(quote_spanned!(span=> let #variable = #function;));
        }
    }
    code
}

/// The operators of a tree, each once.
fn collect_nodes(branches: &[Branch], nodes: &mut Vec<NodeId>) {
    for branch in branches {
        if let Branch::Operator { node, branches, .. } = branch {
            if !nodes.contains(node) {
                nodes.push(*node);
            }
            collect_nodes(branches, nodes);
        }
    }
}

/// Emits the loops of a stage.
struct Loop<'a> {
    emitter: &'a Emitter<'a>,
    /// Operators that see a partition as a whole, met inside the current loop: they run behind it, on what it buffers.
    partitions: Vec<Buffered<'a>>,
}

struct Buffered<'a> {
    number: usize,
    node: NodeId,
    entry: Entry,
    branches: &'a [Branch],
}

impl<'a> Loop<'a> {
    /// The code for a whole partition, which `__part` holds.
    fn partition(&mut self, branches: &'a [Branch], span: Span) -> TokenStream {
        let part = hygiene::local("part", span);
        let views = quote_spanned!(span=> #part.views());
        match branches {
            [Branch::Operator { node, entry, branches }] if self.is_map_partitions(*node) => {
                self.whole(*node, *entry, branches, views)
            }
            branches => {
                let x = hygiene::local("x", span);
                let inner = self.consumers(branches, Record::default());
                let chunk = hygiene::local("chunk", span);
                self.buffered(quote_spanned!(span=> for #chunk in #part.chunks() { for #x in #chunk { #inner } }))
            }
        }
    }

    fn is_map_partitions(&self, node: NodeId) -> bool {
        let applied = self.applied(node);
        matches!(applied.operator.kind, Kind::Partition(_)) && !applied.arguments.is_empty()
    }

    fn applied(&self, node: NodeId) -> &'a Applied {
        self.emitter.topology.node(node).applied().expect("fused nodes are operators")
    }

    /// An operator on a whole partition, whose records are `records`.
    fn whole(&mut self, node: NodeId, entry: Entry, branches: &'a [Branch], records: TokenStream) -> TokenStream {
        let Kind::Partition(emit) = self.applied(node).operator.kind else { unreachable!("checked by the caller") };
        let consumers = self.consumers(branches, Record::default());
        let inner = self.declared(node, &Parts::default(), consumers);
        let site = self.site(node, entry, inner, records);
        let code = emit(&site);
        self.buffered(code)
    }

    /// `code` between the buffers that it fills and the operators that read them.
    fn buffered(&mut self, code: TokenStream) -> TokenStream {
        let mut before = TokenStream::new();
        let mut after = TokenStream::new();
        for Buffered { number, node, entry, branches } in std::mem::take(&mut self.partitions) {
            let span = hygiene::at(self.applied(node).name.span());
            let buffer = hygiene::numbered("buffer", number, span);
            before.extend(quote_spanned!(span=> let mut #buffer = ::std::vec::Vec::new();));
            let records = match self.is_map_partitions(node) {
                true => quote_spanned!(span=> #buffer.into_iter()),
                false => quote_spanned!(span=> #buffer),
            };
            let whole = self.whole(node, entry, branches, records);
            after.extend(quote_spanned!(span=> { #whole }));
        }
        quote_spanned! {Span::mixed_site()=> #before #code #after }
    }

    /// All that happens to one record.
    fn consumers(&mut self, branches: &'a [Branch], record: Record) -> TokenStream {
        // Sinks that only look come first, so that no record is copied for their sake.
        let (looking, taking): (Vec<_>, Vec<_>) = branches.iter().partition(|branch| match branch {
            Branch::Push { sink, .. } => self.looks_only(*sink),
            Branch::Operator { .. } => false,
        });
        let last = branches.len().saturating_sub(1);
        let mut code = TokenStream::new();
        for (index, branch) in looking.into_iter().chain(taking).enumerate() {
            let branch = self.branch(branch, Record { shared: record.shared || index < last, ..record.clone() });
            code.extend(match branches.len() {
                1 => branch,
                _ => quote_spanned!(Span::mixed_site()=> { #branch }),
            });
        }
        code
    }

    fn branch(&mut self, branch: &'a Branch, record: Record) -> TokenStream {
        match branch {
            Branch::Push { sink, output } => self.push(*sink, *output, record),
            Branch::Operator { node, entry, branches } => {
                let applied = self.applied(*node);
                let narrow = match &applied.operator.kind {
                    Kind::Union => return self.consumers(branches, record),
                    Kind::Partition(_) => return self.fill_buffer(*node, *entry, branches, record),
                    Kind::Narrow(narrow) => narrow,
                    Kind::Wide(Wide { with_table: Some(narrow), .. }) => narrow,
                    _ => unreachable!("only fused operators stand in a stage"),
                };
                let copied = record.shared && !narrow.by_reference;
                let behind = match narrow.by_reference {
                    true => record,
                    false => Record { shared: false, parts: Parts::made_by(applied, &record.parts) },
                };
                let consumers = self.consumers(branches, behind.clone());
                let inner = self.declared(*node, &behind.parts, consumers);
                let code = (narrow.emit)(&self.site(*node, *entry, inner, TokenStream::new()));
                self.forked(applied, copied, false, code)
            }
        }
    }

    /// `code`, behind a check that the record is of the type that the user declared for the stream.
    ///
    /// A stream with a sink is checked there; here the record stays in the loop, so the check is never executed.
    fn declared(&self, node: NodeId, parts: &Parts, code: TokenStream) -> TokenStream {
        let collected = self.emitter.program.sinks.iter().any(|sink| sink.node == node);
        match &self.emitter.topology.node(node).record {
            Some(declared) if !collected && !is_view(declared) => {
                let span = hygiene::at(declared.span());
                let lifted = site::lift_record(&hygiene::local("x", span), parts, span);
                quote_spanned! {span=>
                    if false {
                        let _ = ::streamflow::__private::declared::<#declared>(#lifted);
                        return;
                    }
                    #code
                }
            }
            _ => code,
        }
    }

    fn site(&self, node: NodeId, entry: Entry, inner: TokenStream, partition: TokenStream) -> Site<'a> {
        let index = self.emitter.program.index_of(node);
        Site { applied: self.applied(node), node, index, entry, plain: &self.emitter.plain, partition, inner }
    }

    /// `code`, with a copy of the record if others need it too.
    fn forked(&self, applied: &Applied, copy: bool, is_result: bool, code: TokenStream) -> TokenStream {
        if !copy {
            return code;
        }
        let span = hygiene::at(applied.name.span());
        let x = hygiene::local("x", span);
        // A fused stream that becomes a handle is no consumer of its own.
        let consumer = match applied.operator.kind {
            Kind::Wide(_) | Kind::Narrow(_) | Kind::Partition(_) if !is_result => applied.operator.name,
            _ => "result",
        };
        let fork = site::fork_to(consumer, &x, span);
        quote_spanned!(span=> let #x = #fork; #code)
    }

    fn fill_buffer(&mut self, node: NodeId, entry: Entry, branches: &'a [Branch], record: Record) -> TokenStream {
        let applied = self.applied(node);
        let span = hygiene::at(applied.name.span());
        let number = self.emitter.next_buffer();
        let buffer = hygiene::numbered("buffer", number, span);
        self.partitions.push(Buffered { number, node, entry, branches });
        let x = hygiene::local("x", span);
        let lifted = site::lift_record(&x, &record.parts, span);
        let push = quote_spanned!(span=> #buffer.push(::streamflow::__private::Lifted::own(#lifted)););
        self.forked(applied, record.shared, false, push)
    }

    /// Whether a sink looks at records without keeping them.
    fn looks_only(&self, sink: usize) -> bool {
        let sink = &self.emitter.program.sinks[sink];
        match (&sink.kind, &self.applied(sink.node).operator.kind) {
            (SinkKind::CollectViews(_), _) => true,
            (SinkKind::Shuffle { .. }, Kind::Wide(wide)) => wide.by_reference,
            _ => false,
        }
    }

    fn push(&self, sink: usize, output: usize, record: Record) -> TokenStream {
        let looks_only = self.looks_only(sink);
        let sink = &self.emitter.program.sinks[sink];
        let applied = self.applied(sink.node);
        let span = hygiene::at(applied.name.span());
        let [x, out] = ["x", "out"].map(|name| hygiene::local(name, span));
        let output = syn::Index { index: u32::try_from(output).expect("at most 16 outputs"), span };
        let (enter, leave) = site::guard(self.emitter.program.index_of(sink.node), span);
        let code = match &sink.kind {
            _ if looks_only => return quote_spanned!(span=> #enter #out.#output.push(&#x); #leave),
            SinkKind::Shuffle { .. } if applied.operator.keyed => {
                let (key, value, split) = site::pair(applied);
                let [key_parts, value_parts] = record.parts.pair();
                let key = site::lift_record(&key, &key_parts, span);
                let value = site::lift_record(&value, &value_parts, span);
                quote_spanned!(span=> #split #enter #out.#output.push(#key, #value); #leave)
            }
            _ => {
                let mut lifted = site::lift_record(&x, &record.parts, span);
                if let (SinkKind::Collect, Some(ty)) = (&sink.kind, &self.emitter.topology.node(sink.node).record) {
                    lifted = quote_spanned!(span=> ::streamflow::__private::declared::<#ty>(#lifted));
                }
                quote_spanned!(span=> #enter #out.#output.push(#lifted); #leave)
            }
        };
        let is_result = !matches!(sink.kind, SinkKind::Shuffle { .. });
        self.forked(applied, record.shared, is_result, code)
    }
}

/// What is known of the record in `__x`.
#[derive(Clone, Default)]
struct Record {
    /// Whether somebody needs it afterwards, so that it can be looked at but not moved.
    shared: bool,
    parts: Parts,
}
