//! What closures of fused operators may not do.

use crate::closure;
use crate::diagnostics::{Diagnostics, Mistake};
use crate::model::{Argument, Topology};

/// `break` and `continue` would reach the loop of the stage.
pub(super) fn check(topology: &Topology, diagnostics: &Diagnostics) {
    let applied = topology.nodes().filter_map(|(_, node)| node.applied());
    let closures = applied.flat_map(|applied| &applied.arguments).filter_map(|argument| match argument {
        Argument::Closure(closure) => Some(closure),
        _ => None,
    });
    for (span, keyword) in closures.flat_map(closure::escapes) {
        let mistake = Mistake::at(span, format!("`{keyword}` outside of a loop in this closure"))
            .reason("the loop over the records belongs to the runtime")
            .help("skip records with `filter` or `filter_map`, and leave the closure with `return`");
        diagnostics.add(mistake);
    }
}
