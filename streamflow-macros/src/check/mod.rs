//! The rules of the language, one function each, by theme.
//!
//! A check reads and reports; it changes nothing. All of them run, so that all mistakes of a function show at once.

mod arguments;
mod captures;
mod closures;
mod graph;
pub(crate) mod names;
mod signature;
mod state;
mod window;

use crate::diagnostics::Diagnostics;
use crate::model::Topology;
use crate::parse::{Function, Options};

/// Runs all checks that need the topology.
pub(crate) fn check(function: &Function, topology: &Topology, options: &Options, diagnostics: &Diagnostics) {
    signature::check(function, diagnostics);
    arguments::check(topology, diagnostics);
    closures::check(topology, diagnostics);
    window::check(topology, options.batch.as_ref().map(|batch| batch.nanos), diagnostics);
    state::check(topology, diagnostics);
    captures::check(function, diagnostics);
    graph::check(topology, diagnostics);
}

#[cfg(test)]
mod tests;
