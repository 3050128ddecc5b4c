//! The shape of the topology.

use std::collections::HashSet;

use crate::diagnostics::{Diagnostics, Mistake};
use crate::model::{Node, NodeId, NodeKind, Shape, Topology};
use crate::ops::Kind;

pub(super) fn check(topology: &Topology, diagnostics: &Diagnostics) {
    unused(topology, diagnostics);
    copies(topology, diagnostics);
}

/// More copies of a loop than this are no program that somebody wrote on purpose.
const MAX_COPIES: usize = 64;

/// What stands behind a union is fused into each of its branches, so a chain of diamonds doubles at every union.
fn copies(topology: &Topology, diagnostics: &Diagnostics) {
    let mut copies: Vec<usize> = Vec::new();
    for (_, node) in topology.nodes() {
        let of_inputs: usize = match node.applied() {
            Some(applied) if matches!(applied.operator.kind, Kind::Union) => {
                node.inputs.iter().map(|input| copies[input.0]).sum()
            }
            Some(_) if node.shape() == Shape::Fused => copies[node.inputs[0].0],
            _ => 1,
        };
        if of_inputs > MAX_COPIES {
            let what = format!("this union has {of_inputs} branches, counting those of the unions before it");
            let mistake =
                Mistake::at(node.span, what).reason("what stands behind a union is compiled once for each branch");
            let help = "end the branches of an earlier union together, for instance by `.repartition(n)` behind it";
            diagnostics.add(mistake.help(help));
        }
        copies.push(if of_inputs > MAX_COPIES { 1 } else { of_inputs });
    }
}

/// Streams on which neither a result nor an output depends. Of a chain, only its end is named.
fn unused(topology: &Topology, diagnostics: &Diagnostics) {
    let used: HashSet<NodeId> = topology.results.iter().chain(&topology.excused).copied().collect();
    for (id, node) in topology.nodes() {
        let read = topology.consumers(id).next().is_some();
        if read || used.contains(&id) || node.shape() == Shape::NoStream || is_silenced(node) {
            continue;
        }
        diagnostics.add(message(node));
    }
}

/// A leading underscore says that a parameter is there for others.
fn is_silenced(node: &Node) -> bool {
    matches!(&node.kind, NodeKind::Parameter(name) if name.to_string().starts_with('_'))
}

fn message(node: &Node) -> Mistake {
    const REASON: &str = "nothing would run for it";
    const HELP: &str = "return it, give it an output such as `.print(10)`, or remove it";
    match (&node.name, node.applied()) {
        (Some(name), _) => {
            Mistake::at(name.span(), format!("`{name}` is declared, but no output or result depends on it"))
        }
        (None, Some(applied)) => {
            Mistake::at(applied.name.span(), format!("no output or result depends on this `{}`", applied.name))
        }
        (None, None) => Mistake::at(node.span, "no output or result depends on this stream"),
    }
    .reason(REASON)
    .help(HELP)
}
