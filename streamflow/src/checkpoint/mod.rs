//! Checkpoints: what a program needs to go on where it was.
//!
//! A checkpoint is a **manifest** and the state files that it names. Each commit makes a new **generation**; the newest few are
//! kept, so that one damaged checkpoint is not the end. The store knows nothing of what it stores: keys and values are
//! bytes, and what the program itself has to remember (its configuration, its batches, the positions of its sources) is one more
//! piece of bytes in the manifest.
//!
//! The state of an operator is a **base**, all its keys, and **deltas**, each what changed since the file before. So a
//! checkpoint costs what changed. When the deltas outweigh the base, a new base is due ([`CheckpointWriter::due`]).
//!
//! # What is promised
//!
//! * When [`CheckpointWriter::commit`] has returned `Ok`, [`CheckpointStore::open`] finds this generation or a newer one after any crash.
//! * When it has returned an error, or was cut off, the store has this generation whole, or the one before.
//! * A generation that is damaged is not used: the store falls back to the one before and says what was damaged. If none is
//!   sound, opening is an error.
//! * Nothing is created before the first commit begins, and opening changes nothing.
//!
//! How: all new files are written under names that no manifest has, and synced, and their directory too. Only then is the manifest,
//! written and synced under another name, renamed, and the directory synced again. Files that no kept manifest names are
//! removed after that.
//!
//! After a fallback the program repeats what came after the older generation. So logs must reach back to
//! [`CheckpointStore::horizon`], not to the newest checkpoint.
//!
//! # Cost
//!
//! A commit costs a file and a sync for each operator that changed, the manifest, and three syncs of the directory. Writing
//! and reading hold one chunk of 64 KiB at a time, or one entry if that is longer. Opening reads all files of the newest
//! generation once to verify them.
//!
//! | module | what it holds |
//! |---|---|
//! | [`envelope`] | magic, version, length and checksums around every piece |
//! | [`manifest`] | what a generation consists of |
//! | [`state_file`] | keys and values in chunks: writing, reading |
//! | [`store`] | generations: opening, falling back, commit, sweeping |
//!
//! **Source**: Spark's `CheckpointWriter` and `CheckpointReader`, with state that is written by its changes.

#[cfg(test)]
mod crash_tests;
mod envelope;
mod manifest;
mod state_file;
mod store;
#[cfg(test)]
mod tests;

pub(crate) use self::envelope::sealed_manifest;
pub(crate) use self::manifest::Operator;
pub(crate) use self::state_file::{Change, sealed_state};
pub(crate) use self::store::{CheckpointOptions, CheckpointStore, Due, Weights};
