//! [`CheckpointStore`]: opening, falling back, commit, sweeping.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::envelope::{Kind, seal_value};
use super::manifest::{
    Manifest, Operator, generation_of, manifest_draft_name, manifest_name, parse_manifest_name, state_name,
};
use super::state_file::{Owner, StateReader, StateWriter, WrittenState};
use crate::error::{Error, Result};
use crate::fs::{FileSystem, SharedFs, create_dir_durably, list_if_exists};
use crate::time::BatchTime;

/// How much a store keeps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckpointOptions {
    /// Number of generations; at least two, so that one can be damaged.
    pub(crate) generations: usize,
    /// An operator with this many deltas gets a new base, however small they are: each is a file to open.
    pub(crate) deltas: usize,
}

impl Default for CheckpointOptions {
    fn default() -> Self {
        Self { generations: 2, deltas: 32 }
    }
}

/// The checkpoints of a program.
///
/// At most one store may be open for a directory.
pub(crate) struct CheckpointStore {
    fs: SharedFs,
    dir: PathBuf,
    options: CheckpointOptions,
    /// The generations that are kept, oldest first. The last one is the newest sound one.
    kept: Vec<Manifest>,
    next_generation: u64,
    warnings: Vec<String>,
    /// The directory is there and durable.
    dir_is_ready: bool,
}

/// What a checkpoint must contain of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// All keys.
    Base,
    /// What changed since the last commit that returned `Ok`; nothing at all if nothing changed.
    Delta,
}

/// Bytes in a checkpoint directory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Weights {
    /// Number of generations that are kept.
    pub(crate) generations: usize,
    /// Their files together.
    pub(crate) kept: u64,
    /// What the newest of them has written: its manifest, and the files that no older one has.
    pub(crate) newest: u64,
}

impl CheckpointStore {
    /// Opens the checkpoints in a directory, and verifies the newest one, or an older one if that is damaged. A missing
    /// directory has none. Changes nothing in the directory; what it finds is durable when it returns.
    ///
    /// # Errors
    /// There are checkpoints, and none can be read; the message says why for each. Or the directory cannot be read.
    pub(crate) fn open(fs: SharedFs, dir: impl Into<PathBuf>, options: CheckpointOptions) -> Result<Self> {
        let dir = dir.into();
        let entries = list_if_exists(&*fs, &dir)
            .map_err(|error| Error::io(format!("cannot list the checkpoint directory `{}`", dir.display()), error))?;
        let files = || entries.iter().filter(|entry| !entry.is_dir).map(|entry| entry.name.as_str());
        let next_generation = files().filter_map(generation_of).max().map_or(0, |newest| newest.saturating_add(1));
        let mut generations: Vec<u64> = files().filter_map(parse_manifest_name).collect();
        generations.sort_unstable();
        let (mut kept, mut damaged) = (Vec::new(), Vec::new());
        while let Some(generation) = generations.pop() {
            // Older ones are verified when they are needed.
            let read = Manifest::read(&*fs, &dir, generation);
            match if kept.is_empty() { read.and_then(|manifest| verify(&fs, &dir, manifest)) } else { read } {
                Ok(manifest) => kept.push(manifest),
                Err(error) => damaged.push((generation, error)),
            }
        }
        kept.reverse();
        let warnings = report(&dir, &kept, damaged)?;
        if !kept.is_empty() {
            // A process that was killed may have renamed a manifest and not come to the sync; the program acts on it now.
            fs.sync_dir(&dir).map_err(|error| {
                Error::io(format!("cannot make durable the checkpoint directory `{}`", dir.display()), error)
            })?;
        }
        Ok(Self { fs, dir, options, kept, next_generation, warnings, dir_is_ready: false })
    }

    /// The newest sound generation.
    pub(crate) fn latest(&self) -> Option<&Manifest> {
        self.kept.last()
    }

    /// What was found damaged when the store was opened; each has been logged too.
    pub(crate) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The batch of the oldest generation that is kept: what came after it may have to be repeated, so logs must have it.
    pub(crate) fn horizon(&self) -> Option<BatchTime> {
        self.kept.iter().map(Manifest::batch).min()
    }

    /// How much is kept, and how much of that the newest generation has written.
    pub(crate) fn weights(&self) -> Weights {
        let manifest = |manifest: &Manifest| seal_value(Kind::Manifest, manifest).len() as u64;
        let files: BTreeMap<&str, u64> = self.kept.iter().flat_map(Manifest::state_files).collect();
        let newest = self.latest().map_or(0, |newest| {
            let own = newest.state_files().filter(|(name, _)| generation_of(name) == Some(newest.generation));
            manifest(newest) + own.map(|(_, bytes)| bytes).sum::<u64>()
        });
        let kept = self.kept.iter().map(manifest).sum::<u64>() + files.values().sum::<u64>();
        Weights { generations: self.kept.len(), kept, newest }
    }

    /// Reads the state of an operator of the newest generation.
    pub(crate) fn load(&self, operator: &Operator) -> StateReader {
        StateReader::new(SharedFs::clone(&self.fs), self.dir.clone(), operator.clone())
    }

    /// What has to be written of an operator: all of it if it is new, if its type has changed, or if the deltas outweigh
    /// the base by now.
    pub(crate) fn due(&self, identity: &str, fingerprint: &str) -> Due {
        let last = self.live(identity).filter(|operator| operator.fingerprint == fingerprint);
        match last {
            Some(operator) => {
                let (base, deltas) = operator.weights();
                if deltas > base || operator.deltas() >= self.options.deltas { Due::Base } else { Due::Delta }
            }
            None => Due::Base,
        }
    }

    /// The operator in the newest generation.
    fn live(&self, identity: &str) -> Option<&Operator> {
        self.latest()?.operator(identity)
    }

    /// Begins the next generation.
    pub(crate) fn begin(&mut self, batch: BatchTime) -> CheckpointWriter<'_> {
        let generation = self.next_generation;
        // Whatever becomes of this one, its number is not used again.
        self.next_generation += 1;
        CheckpointWriter {
            store: self,
            generation,
            batch,
            next_index: 0,
            operators: Vec::new(),
            dropped: BTreeSet::new(),
            tidy: true,
        }
    }

    fn ensure_dir(&mut self) -> Result<()> {
        if !self.dir_is_ready {
            create_dir_durably(&*self.fs, &self.dir).map_err(|error| {
                Error::io(format!("cannot make the checkpoint directory `{}`", self.dir.display()), error)
            })?;
            self.dir_is_ready = true;
        }
        Ok(())
    }

    /// Removes the files that no kept generation names. What cannot be removed now is removed after the next commit.
    fn sweep(&self) {
        let swept = remove_files(&*self.fs, &self.dir, &self.kept.iter().flat_map(Manifest::file_names).collect());
        if let Err(error) = swept {
            tracing::warn!(%error, dir = %self.dir.display(), "old checkpoint files stay until the next checkpoint");
        }
    }
}

/// Checks that all state of a generation can be read.
fn verify(fs: &SharedFs, dir: &Path, manifest: Manifest) -> Result<Manifest> {
    for operator in &manifest.operators {
        StateReader::new(SharedFs::clone(fs), dir.to_path_buf(), operator.clone()).verify()?;
    }
    Ok(manifest)
}

/// Tells of damaged generations, or fails if there is nothing else.
fn report(dir: &Path, kept: &[Manifest], damaged: Vec<(u64, Error)>) -> Result<Vec<String>> {
    let Some((_, first)) = damaged.first() else { return Ok(Vec::new()) };
    let Some(newest) = kept.last() else {
        let reasons: Vec<String> =
            damaged.iter().map(|(generation, error)| format!("{generation}: {error:?}")).collect();
        return Err(Error::damaged(format!(
            "no checkpoint in `{}` can be read ({}); restore the directory from a copy, or use another one to start anew",
            dir.display(),
            reasons.join("; ")
        ))
        .because(first.clone()));
    };
    let warnings = damaged.into_iter().map(|(generation, error)| {
        let used = newest.generation;
        let warning = format!(
            "checkpoint {generation} cannot be used ({error:?}); checkpoint {used} is, of batch {}",
            newest.batch()
        );
        tracing::warn!("{warning}");
        warning
    });
    Ok(warnings.collect())
}

/// Removes our files but for some.
fn remove_files(fs: &dyn FileSystem, dir: &Path, keep: &BTreeSet<String>) -> std::io::Result<()> {
    for entry in fs.list(dir)? {
        if !entry.is_dir && generation_of(&entry.name).is_some() && !keep.contains(&entry.name) {
            fs.remove(&dir.join(&entry.name))?;
        }
    }
    Ok(())
}

/// A generation in the making. Dropping it gives it up.
pub(crate) struct CheckpointWriter<'a> {
    store: &'a mut CheckpointStore,
    generation: u64,
    batch: BatchTime,
    next_index: u32,
    operators: Vec<Operator>,
    dropped: BTreeSet<String>,
    /// Whether its files are to be removed when it is dropped.
    tidy: bool,
}

impl CheckpointWriter<'_> {
    /// Opens a new state file. [`put`](Self::put) what it gives when it is finished.
    ///
    /// # Errors
    /// The file cannot be made; or a delta is asked for where a base is due.
    pub(crate) fn write(
        &mut self,
        identity: &str,
        fingerprint: &str,
        partitions: u32,
        what: Due,
    ) -> Result<StateWriter> {
        let follows = self.store.live(identity).is_some_and(|operator| operator.fingerprint == fingerprint);
        if what == Due::Delta && !follows {
            return Err(Error::illegal_state(format!(
                "the state of `{identity}` has no base of the type `{fingerprint}`; write all of it"
            )));
        }
        self.store.ensure_dir()?;
        let name = state_name(self.generation, self.next_index);
        self.next_index += 1;
        let owner = Owner { identity, fingerprint, partitions };
        StateWriter::create(&*self.store.fs, &self.store.dir, name, &owner, what == Due::Base)
    }

    /// Takes a finished state file.
    ///
    /// # Errors
    /// The operator is in this checkpoint already.
    pub(crate) fn put(&mut self, written: WrittenState) -> Result<()> {
        let WrittenState { identity, fingerprint, partitions, is_base, file } = written;
        let before = self.store.live(&identity).filter(|_| !is_base);
        let mut files = before.map_or_else(Vec::new, |operator| operator.files.clone());
        files.push(file);
        self.add(Operator { identity, fingerprint, partitions, files })
    }

    /// Takes over the state of an operator that has not changed since the last commit.
    ///
    /// # Errors
    /// There is no such operator in the last checkpoint, or it is in this one already.
    pub(crate) fn keep(&mut self, identity: &str) -> Result<()> {
        let live = self.store.live(identity).cloned();
        self.add(live.ok_or_else(|| Error::illegal_state(format!("the last checkpoint has no state of `{identity}`")))?)
    }

    /// Leaves out the state of an operator that the last checkpoint has.
    pub(crate) fn drop_state(&mut self, identity: &str) {
        self.dropped.insert(identity.to_owned());
    }

    fn add(&mut self, operator: Operator) -> Result<()> {
        if self.operators.iter().any(|other| other.identity == operator.identity) {
            return Err(Error::illegal_state(format!(
                "the state of `{}` is in the checkpoint already",
                operator.identity
            )));
        }
        self.operators.push(operator);
        Ok(())
    }

    /// Makes the generation the newest one, and removes what is not needed any more. Returns its number.
    ///
    /// After an error the changes of this checkpoint belong into the next one: its deltas follow the last commit that
    /// returned `Ok`.
    ///
    /// # Errors
    /// A file cannot be written: then the last checkpoint stays, or this one is there nevertheless. Or an operator of the
    /// last checkpoint was neither written nor kept nor dropped: state is not lost by silence.
    pub(crate) fn commit(mut self, program: Vec<u8>) -> Result<u64> {
        self.refuse_silent_loss()?;
        self.store.ensure_dir()?;
        let manifest = Manifest::new(self.generation, self.batch, program, std::mem::take(&mut self.operators));
        let draft = self.store.dir.join(manifest_draft_name(self.generation));
        let path = self.store.dir.join(manifest_name(self.generation));
        let failed = |error| Error::io(format!("cannot write the checkpoint manifest `{}`", path.display()), error);
        let fs = SharedFs::clone(&self.store.fs);
        write_draft(&*fs, &draft, &seal_value(Kind::Manifest, &manifest)).map_err(failed)?;
        // The names of all new files, before the one that gives them meaning.
        fs.sync_dir(&self.store.dir).map_err(failed)?;
        // From here on an error does not say that the new generation is not there, so its files must stay.
        self.tidy = false;
        fs.rename(&draft, &path).map_err(failed)?;
        fs.sync_dir(&self.store.dir).map_err(failed)?;
        self.store.kept.push(manifest);
        let surplus = self.store.kept.len().saturating_sub(self.store.options.generations.max(2));
        self.store.kept.drain(..surplus);
        self.store.sweep();
        Ok(self.generation)
    }

    fn refuse_silent_loss(&self) -> Result<()> {
        let settled = |operator: &&Operator| {
            self.dropped.contains(&operator.identity)
                || self.operators.iter().any(|written| written.identity == operator.identity)
        };
        let live = self.store.latest().map_or(&[][..], |latest| &latest.operators);
        let lost: Vec<&str> =
            live.iter().filter(|operator| !settled(operator)).map(|operator| &*operator.identity).collect();
        if lost.is_empty() {
            return Ok(());
        }
        Err(Error::illegal_state(format!(
            "the checkpoint would lose the state of `{}`: write it, keep it, or drop it explicitly",
            lost.join("`, `")
        )))
    }
}

fn write_draft(fs: &dyn FileSystem, path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = fs.create(path)?;
    file.write_all(bytes)?;
    file.sync()
}

impl Drop for CheckpointWriter<'_> {
    /// Makes room on a full disk: files of a checkpoint that was given up help nobody.
    fn drop(&mut self) {
        if self.tidy && self.store.dir_is_ready {
            let (fs, dir) = (&self.store.fs, &self.store.dir);
            for index in 0..self.next_index {
                let _ = fs.remove(&dir.join(state_name(self.generation, index)));
            }
            let _ = fs.remove(&dir.join(manifest_draft_name(self.generation)));
        }
    }
}
