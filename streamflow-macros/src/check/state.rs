//! State: how long it is kept, and who has it.

use proc_macro2::Span;
use syn::spanned::Spanned;

use crate::diagnostics::{Diagnostics, Mistake};
use crate::model::{Applied, Argument, Node, Topology};
use crate::ops::state::Spec;
use crate::ops::{Kind, Takes, Wide};
use crate::parse::duration;

pub(super) fn check(topology: &Topology, diagnostics: &Diagnostics) {
    for (_, node) in topology.nodes() {
        let Some(applied) = node.applied() else { continue };
        match applied.operator.kind {
            Kind::Snapshots => snapshots(applied, topology.node(node.inputs[0]), diagnostics),
            Kind::Wide(Wide { states: true, .. }) => spec(applied, diagnostics),
            _ => initial_state(applied, diagnostics),
        }
    }
}

/// Only a `map_with_state` shows its states.
fn snapshots(applied: &Applied, of: &Node, diagnostics: &Diagnostics) {
    if of.applied().is_some_and(|of| matches!(of.operator.kind, Kind::Wide(Wide { states: true, .. }))) {
        return;
    }
    let what = format!("`{}` needs the result of a `map_with_state`", applied.name);
    let mistake = Mistake::at(applied.name.span(), what);
    let mistake = match of.applied().map(|of| of.operator.name) {
        Some("update_state_by_key" | "update_state_by_partition") => mistake
            .reason("the result of this operator is the states of all keys already")
            .help(format!("remove `.{}()`", applied.name)),
        Some(operator) => mistake
            .reason(format!("`{operator}` keeps no state that could be asked for"))
            .help("bind the stream of the `map_with_state` to a name, and call it on that name"),
        None => mistake
            .reason("a stream that comes from elsewhere carries records only")
            .help("call it in the function that has the `map_with_state`, and return its stream too"),
    };
    diagnostics.add(mistake);
}

/// A spec that is written in place says how long it keeps a state.
fn spec(applied: &Applied, diagnostics: &Diagnostics) {
    let Some(Argument::Value(value)) = applied.arguments.first() else { return };
    let Some(spec) = Spec::of(value) else { return };
    if !spec.methods.iter().any(|method| method.method == "timeout" || method.method == "unbounded") {
        let mistake = Mistake::at(spec.constructor.span(), "this state is kept for ever, and the spec does not say so")
            .reason("state that only grows is a decision that a reader of the program should see");
        diagnostics.add(mistake.help("add `.timeout(30min)`, or `.unbounded()` if the function removes what is over"));
    }
    let timeouts = spec.methods.iter().filter(|method| method.method == "timeout").filter_map(|call| call.args.first());
    for timeout in timeouts.filter(|timeout| duration::nanos_of(timeout) == Some(0)) {
        let mistake = Mistake::at(timeout.span(), "a timeout of zero forgets every state in the next batch")
            .reason("a key times out when it had no record for longer than the timeout");
        diagnostics.add(mistake.help("write a time of some batches, for instance `30min`"));
    }
}

/// A number in the place of the initial state was meant as the number of partitions.
fn initial_state(applied: &Applied, diagnostics: &Diagnostics) {
    let takes_initial =
        applied.operator.name.starts_with("update_state") && applied.takes().contains(&Takes::Partitions);
    if let (true, Some(Argument::Value(syn::Expr::Lit(literal)))) = (takes_initial, applied.at(1)) {
        let span: Span = literal.span();
        let what = format!("the second argument of `{}` is the initial state, not a number", applied.name);
        let number = quote::ToTokens::to_token_stream(literal);
        diagnostics.add(Mistake::at(span, what).help(format!("write `[], {number}` to set the number of partitions")));
    }
}
