//! The shape of the topology.

use std::collections::HashSet;

use crate::diagnostics::{Diagnostics, Mistake};
use crate::model::{Node, NodeId, NodeKind, Shape, Topology};

pub(super) fn check(topology: &Topology, diagnostics: &Diagnostics) {
    unused(topology, diagnostics);
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
