//! The states of a checkpoint against those of the program.
//!
//! A state is found by its name (functions and bindings that declare the operator) and read if its types are the same. What
//! cannot be matched is refused with a list; the program says for each whether it was renamed, may go, or how it is migrated.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::settings::{CheckpointSettings, Migrate};
use crate::checkpoint::{Change, CheckpointStore, Operator};
use crate::error::{Error, Result};
use crate::state::checkpointed::Checkpointed;
use crate::topology::{Graph, Node};

/// A state of a graph.
pub(crate) struct NamedState<'g> {
    pub(crate) state: &'g Arc<dyn Checkpointed>,
    /// What it is made of; a checkpoint is read by who has the same.
    pub(crate) fingerprint: String,
    /// Whether it is what a window keeps, which a function from state to state cannot migrate.
    is_window: bool,
}

/// The states of a graph by their names.
pub(crate) fn states(graph: &Graph) -> BTreeMap<&str, NamedState<'_>> {
    graph.nodes.iter().filter_map(|node| Some((node.name.as_str(), named_state(node)?))).collect()
}

fn named_state(node: &Node) -> Option<NamedState<'_>> {
    let state = node.state.as_ref()?;
    let fingerprint = match &node.window {
        // What it keeps is grouped into panes, and means nothing to panes of another length.
        Some(window) => format!("{} in panes of {:?}", state.fingerprint(), window.pane(node.slide)),
        None => state.fingerprint(),
    };
    Some(NamedState { state, fingerprint, is_window: node.window.is_some() })
}

/// Sees that every state can be written.
pub(crate) fn check_codecs(graph: &Graph) -> Result<()> {
    for (name, NamedState { state, fingerprint, .. }) in states(graph) {
        if !state.has_codec() {
            return Err(Error::invalid(format!(
                "the state of `{name}` cannot be written to a checkpoint: it is a {fingerprint}, and key and value \
                 must implement serde's `Serialize` and `Deserialize`, and the operator stand in a `#[stream]` function; see \
                 to that, or run without checkpoint by `.ephemeral()`"
            )));
        }
    }
    Ok(())
}

/// Sets the states of the graph to those of the newest checkpoint.
///
/// # Errors
/// When the checkpoint holds a state that the program would lose.
pub(crate) fn restore(
    store: &CheckpointStore,
    graph: &Graph,
    settings: &CheckpointSettings,
    since_zero: Duration,
    parallelism: usize,
) -> Result<()> {
    let Some(manifest) = store.latest() else { return Ok(()) };
    let states = states(graph);
    let mut refused = Vec::new();
    let mut found = BTreeMap::new();
    for operator in &manifest.operators {
        let was = operator.identity.as_str();
        if settings.dropped.iter().any(|name| name == was) {
            continue;
        }
        let name = settings.renamed.get(was).map_or(was, String::as_str);
        match states.get_key_value(name) {
            None => refused.push(format!(
                "`{was}` ({}) has no operator in this program: say `.rename_state(\"{was}\", \"…\")` or `.drop_state(\"{was}\")`",
                operator.fingerprint
            )),
            Some((name, NamedState { fingerprint: is, is_window, .. })) => {
                let migrates = !is_window && settings.migrations.contains_key(*name);
                if *is != operator.fingerprint && !migrates {
                    let migrate =
                        if *is_window { String::new() } else { format!("`.migrate_state(\"{name}\", |old| …)` or ") };
                    refused.push(format!(
                        "`{was}` was a {} and is a {is}: say {migrate}`.drop_state(\"{was}\")`",
                        operator.fingerprint
                    ));
                }
                found.insert(*name, operator);
            }
        }
    }
    if !refused.is_empty() {
        return Err(Error::invalid(format!(
            "the checkpoint in `{}` does not fit this program, and nothing of it is dropped in silence; its states are:\n  {}",
            settings.dir.display(),
            refused.join("\n  ")
        )));
    }
    let since_zero = since_zero.as_millis() as u64;
    for (name, state) in states {
        match found.get(name) {
            Some(operator) => {
                let changed = state.fingerprint != operator.fingerprint;
                let migrate = settings.migrations.get(name).filter(|_| changed);
                load(store, operator, &**state.state, migrate, since_zero, parallelism)?;
            }
            // A new operator begins with this checkpoint, empty.
            None => state.state.begin(since_zero),
        }
    }
    Ok(())
}

fn load(
    store: &CheckpointStore,
    operator: &Operator,
    state: &dyn Checkpointed,
    migrate: Option<&Migrate>,
    since_zero: u64,
    parallelism: usize,
) -> Result<()> {
    // What changed since the base, which is little; then the base goes by without being kept. In the order of the keys:
    // what goes over all of them does so in the order in which they are restored.
    let mut newer: BTreeMap<Vec<u8>, Option<Vec<u8>>> = BTreeMap::new();
    let mut deltas = store.load(operator).deltas_only();
    while let Some(change) = deltas.next()? {
        newer.insert(change.key.to_vec(), change.value.map(<[u8]>::to_vec));
    }
    let mut base = store.load(operator).base_only();
    let base = std::iter::from_fn(|| {
        loop {
            match base.next() {
                Ok(None) => return None,
                Ok(Some(change)) if newer.contains_key(change.key) => {}
                Ok(Some(Change { key, value: Some(value), .. })) => return Some(Ok((key.to_vec(), value.to_vec()))),
                Ok(Some(_)) => {}
                Err(error) => return Some(Err(error)),
            }
        }
    });
    let newer = newer.iter().filter_map(|(key, value)| Some(Ok((key.clone(), value.clone()?))));
    let mut entries = base.chain(newer).map(|entry: Result<_>| match (entry?, migrate) {
        ((key, value), Some(migrate)) => Ok((key, migrate(&value)?)),
        (entry, None) => Ok(entry),
    });
    state.restore(since_zero, parallelism, &mut entries)
}
