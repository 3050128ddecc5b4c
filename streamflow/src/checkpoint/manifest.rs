//! Manifests: what a generation consists of.
//!
//! The manifest of generation `N` is the file `manifest-N`, one envelope. State files are named `state-N-INDEX` after the
//! generation that wrote them, and may belong to many later ones.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::envelope::{Envelopes, Kind, damage};
use crate::error::{Error, Result};
use crate::fs::{BufferedReads, FileSystem};
use crate::time::BatchTime;

/// What a generation consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    /// The number of the generation; later ones have higher numbers.
    pub(crate) generation: u64,
    /// The time of the batch after which the state was taken, in milliseconds.
    batch_millis: u64,
    /// What the program has to remember besides state, in an encoding of its own.
    pub(crate) program: Vec<u8>,
    /// The state operators.
    pub(crate) operators: Vec<Operator>,
}

/// The state of one operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Operator {
    /// The name that survives changes of the program elsewhere.
    pub(crate) identity: String,
    /// Describes the types of key and state; bytes are only read by who has the same.
    pub(crate) fingerprint: String,
    /// Number of partitions when the newest file was written.
    pub(crate) partitions: u32,
    /// The base, then the deltas in the order in which they apply.
    pub(super) files: Vec<StateFile>,
}

/// A state file as it must be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StateFile {
    pub(super) name: String,
    pub(super) bytes: u64,
    /// CRC-32C of the whole file.
    pub(super) checksum: u32,
    pub(super) changes: u64,
}

impl Manifest {
    pub(super) fn new(generation: u64, batch: BatchTime, program: Vec<u8>, operators: Vec<Operator>) -> Self {
        Self { generation, batch_millis: batch.as_millis(), program, operators }
    }

    /// The batch after which the state was taken.
    pub(crate) fn batch(&self) -> BatchTime {
        BatchTime::from_millis(self.batch_millis)
    }

    /// The operator with this identity.
    pub(crate) fn operator(&self, identity: &str) -> Option<&Operator> {
        self.operators.iter().find(|operator| operator.identity == identity)
    }

    /// The names of all files that it needs, its own among them.
    pub(super) fn file_names(&self) -> impl Iterator<Item = String> {
        let state = self.operators.iter().flat_map(|operator| &operator.files).map(|file| file.name.clone());
        state.chain([manifest_name(self.generation)])
    }

    /// Names and lengths of its state files.
    pub(super) fn state_files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.operators.iter().flat_map(|operator| &operator.files).map(|file| (&*file.name, file.bytes))
    }

    /// Reads a manifest and checks what can be checked without the state files.
    pub(super) fn read(fs: &dyn FileSystem, dir: &Path, generation: u64) -> Result<Self> {
        let path = dir.join(manifest_name(generation));
        let failed = |error| Error::io(format!("cannot read the checkpoint manifest `{}`", path.display()), error);
        let reads = fs.open(&path).and_then(BufferedReads::new).map_err(failed)?;
        let mut envelopes = Envelopes::new(reads, path.clone());
        let manifest: Self = envelopes.next_value(Kind::Manifest)?;
        let wrong = if !envelopes.is_at_end() {
            "there is something after the manifest"
        } else if manifest.generation != generation {
            "it is the manifest of another generation"
        } else if !manifest.is_consistent() {
            "its operators are not distinct, or name impossible files"
        } else {
            return Ok(manifest);
        };
        Err(damage(&path, 0, wrong))
    }

    fn is_consistent(&self) -> bool {
        let mut identities = BTreeSet::new();
        self.operators.iter().all(|operator| {
            let written_before = |file: &StateFile| {
                parse_state_name(&file.name).is_some_and(|(generation, _)| generation <= self.generation)
            };
            identities.insert(&operator.identity)
                && !operator.files.is_empty()
                && operator.files.iter().all(written_before)
        })
    }
}

impl Operator {
    /// Bytes of the base and of all deltas.
    pub(crate) fn weights(&self) -> (u64, u64) {
        let mut bytes = self.files.iter().map(|file| file.bytes);
        (bytes.next().unwrap_or(0), bytes.sum())
    }

    /// Number of deltas.
    pub(crate) fn deltas(&self) -> usize {
        self.files.len().saturating_sub(1)
    }
}

pub(super) fn manifest_name(generation: u64) -> String {
    format!("manifest-{generation}")
}

/// The name under which a manifest is written before it is renamed.
pub(super) fn manifest_draft_name(generation: u64) -> String {
    format!("manifest-{generation}.draft")
}

pub(super) fn state_name(generation: u64, index: u32) -> String {
    format!("state-{generation}-{index}")
}

/// The generation that a manifest's name says.
pub(super) fn parse_manifest_name(name: &str) -> Option<u64> {
    let generation = name.strip_prefix("manifest-")?.parse().ok()?;
    (manifest_name(generation) == name).then_some(generation)
}

fn parse_state_name(name: &str) -> Option<(u64, u32)> {
    let (generation, index) = name.strip_prefix("state-")?.split_once('-')?;
    let (generation, index) = (generation.parse().ok()?, index.parse().ok()?);
    (state_name(generation, index) == name).then_some((generation, index))
}

/// The generation that wrote a file; `None` for files that are not ours.
pub(super) fn generation_of(name: &str) -> Option<u64> {
    parse_manifest_name(name.strip_suffix(".draft").unwrap_or(name))
        .or_else(|| parse_state_name(name).map(|(generation, _)| generation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_count() {
        assert_eq!(generation_of("manifest-12"), Some(12));
        assert_eq!(generation_of("manifest-12.draft"), Some(12));
        assert_eq!(generation_of("state-3-0"), Some(3));
        for other in ["manifest-", "manifest-01", "manifest-1.bk", "state-1", "state-1-+1", "state-1-2.draft", "notes"]
        {
            assert_eq!(generation_of(other), None, "{other}");
        }
    }
}
