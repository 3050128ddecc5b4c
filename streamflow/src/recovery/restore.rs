//! The states of a checkpoint against those of the program.
//!
//! A state is found by its name (functions and bindings that declare the operator) and read if its types are the same. What
//! cannot be matched is refused with a list; the program says for each whether it was renamed, may go, or how it is migrated.

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::Duration;

use super::settings::CheckpointSettings;
use crate::checkpoint::{CheckpointStore, Operator};
use crate::error::{Error, Result};
use crate::state::checkpointed::Checkpointed;
use crate::topology::Graph;

/// The states of a graph by their names.
pub(crate) fn states(graph: &Graph) -> BTreeMap<&str, &Arc<dyn Checkpointed>> {
    graph.nodes.iter().filter_map(|node| Some((node.name.as_str(), node.state.as_ref()?))).collect()
}

/// Sees that every state can be written.
pub(crate) fn check_codecs(graph: &Graph) -> Result<()> {
    for (name, state) in states(graph) {
        if !state.has_codec() {
            return Err(Error::invalid(format!(
                "the state of `{name}` cannot be written to a checkpoint: it is a {}, and key and value must implement \
                 serde's `Serialize` and `Deserialize`; derive them, or run without checkpoint by `.ephemeral()`",
                state.fingerprint()
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
            Some((name, state)) => {
                let is = state.fingerprint();
                if is != operator.fingerprint && !settings.migrations.contains_key(*name) {
                    refused.push(format!(
                        "`{was}` was a {} and is a {is}: say `.migrate_state(\"{name}\", |old| …)` or `.drop_state(\"{was}\")`",
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
            Some(operator) => load(store, operator, &**state, name, settings, since_zero, parallelism)?,
            // A new operator begins with this checkpoint, empty.
            None => state.begin(since_zero),
        }
    }
    Ok(())
}

fn load(
    store: &CheckpointStore,
    operator: &Operator,
    state: &dyn Checkpointed,
    name: &str,
    settings: &CheckpointSettings,
    since_zero: u64,
    parallelism: usize,
) -> Result<()> {
    let migrate = settings.migrations.get(name).filter(|_| state.fingerprint() != operator.fingerprint);
    let mut reader = store.load(operator);
    // Not with a random state: what goes over all keys does so in the order in which they are restored.
    let mut entries: HashMap<Vec<u8>, Vec<u8>, BuildHasherDefault<DefaultHasher>> = HashMap::default();
    while let Some(change) = reader.next()? {
        match change.value {
            Some(value) => drop(entries.insert(change.key.to_vec(), value.to_vec())),
            None => drop(entries.remove(change.key)),
        }
    }
    let mut entries = entries.into_iter().map(|(key, value)| match migrate {
        Some(migrate) => Ok((key, migrate(&value)?)),
        None => Ok((key, value)),
    });
    state.restore(since_zero, parallelism, &mut entries)
}
