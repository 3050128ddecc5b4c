//! How the panes of a window are written to a checkpoint.
//!
//! Keys of entries start with a tag. A pane is written once, in parts of [`ROWS`] rows, and removed when it leaves; the
//! incomplete pane, and the values of keys that stay without a pane, are written anew when they changed. Rows carry their
//! keys, so a window can be restored into any number of partitions.
//!
//! | tag | rest of the key | value |
//! |---|---|---|
//! | `PANE` | number of the pane, partition, part | rows |
//! | `OPEN` | partition, part | rows |
//! | `VALUE` | the key | its value |

use std::collections::BTreeMap;

use super::panes::Saved;
use crate::error::{Error, Result};
use crate::record::kept::Kept;
use crate::record::own::FindId;
use crate::shuffle::table::Row;
use crate::shuffle::{KeyHasher, partition_of};
use crate::state::checkpointed::{Change, Entries};
use crate::state::codec::{Codec, PairCodec};

const PANE: u8 = 0;
const OPEN: u8 = 1;
const VALUE: u8 = 2;

/// Rows in one entry.
const ROWS: usize = 4_096;

/// Writes one partition of a window.
pub(super) struct Writer<'a, K, A> {
    pub(super) codec: &'a PairCodec<K, A>,
    pub(super) partition: u64,
    /// Entries of each pane that is in the checkpoint, and of the incomplete one under 0.
    pub(super) parts: &'a mut BTreeMap<u64, usize>,
    pub(super) changes: &'a mut Vec<Change>,
}

impl<K, A> Writer<'_, K, A> {
    pub(super) fn save(&mut self, saved: Saved<'_, K, A>) -> Result<()> {
        match saved {
            Saved::Pane { number, rows } => self.rows(number, &rows),
            Saved::Open { rows } => self.rows(0, &rows),
            Saved::PaneLeft { number } => {
                self.remove_parts(number, 0);
                Ok(())
            }
            Saved::Value { key, value } => {
                let mut bytes = Vec::new();
                self.codec.state.write(&value, &mut bytes)?;
                let key = self.value_key(&key)?;
                self.changes.push(Change { key, value: Some(bytes) });
                Ok(())
            }
            Saved::Forgotten { key } => {
                let key = self.value_key(&key)?;
                self.changes.push(Change { key, value: None });
                Ok(())
            }
        }
    }

    fn rows(&mut self, number: u64, rows: &[(K, &A)]) -> Result<()> {
        let parts = rows.chunks(ROWS).len();
        for (part, rows) in rows.chunks(ROWS).enumerate() {
            let mut value = Vec::new();
            Codec::<u64>::new().write(&(rows.len() as u64), &mut value)?;
            for (key, acc) in rows {
                self.codec.key.write(key, &mut value)?;
                self.codec.state.write(acc, &mut value)?;
            }
            self.changes.push(Change { key: self.part_key(number, part), value: Some(value) });
        }
        self.remove_parts(number, parts);
        if parts > 0 {
            self.parts.insert(number, parts);
        }
        Ok(())
    }

    /// Removes the entries of a pane from `first` on.
    fn remove_parts(&mut self, number: u64, first: usize) {
        for part in first..self.parts.remove(&number).unwrap_or(0) {
            self.changes.push(Change { key: self.part_key(number, part), value: None });
        }
    }

    fn part_key(&self, number: u64, part: usize) -> Vec<u8> {
        let mut key = vec![if number == 0 { OPEN } else { PANE }];
        for word in [number, self.partition, part as u64] {
            key.extend_from_slice(&word.to_be_bytes());
        }
        key
    }

    fn value_key(&self, key: &K) -> Result<Vec<u8>> {
        let mut bytes = vec![VALUE];
        self.codec.key.write(key, &mut bytes)?;
        Ok(bytes)
    }
}

/// What one partition of a window is restored from.
pub(super) struct Restored<K: 'static, A> {
    pub(super) panes: BTreeMap<u64, Vec<Row<K, A>>>,
    pub(super) open: Vec<Row<K, A>>,
    pub(super) values: Vec<Row<K, A>>,
}

impl<K, A> Default for Restored<K, A> {
    fn default() -> Self {
        Self { panes: BTreeMap::new(), open: Vec::new(), values: Vec::new() }
    }
}

/// Reads the entries of a window into `partitions` partitions.
///
/// # Errors
/// When an entry cannot be read or decoded.
pub(super) fn read<K: std::hash::Hash + Eq, A>(
    codec: &PairCodec<K, A>,
    hasher: &KeyHasher,
    partitions: usize,
    entries: Entries<'_>,
) -> Result<Vec<Restored<K, A>>> {
    let mut restored: Vec<Restored<K, A>> = std::iter::repeat_with(Restored::default).take(partitions).collect();
    let row = |key: K, acc: A| {
        let hash = hasher.hash_of(&FindId(&key));
        (partition_of(hash, partitions), Row { hash, key: Kept::new(key), acc })
    };
    for entry in entries {
        let (key, value) = entry?;
        let (tag, mut rest) = key.split_first().ok_or_else(damaged)?;
        let mut value = &value[..];
        if *tag == VALUE {
            let (partition, row) = row(codec.key.read(&mut rest)?, codec.state.read(&mut value)?);
            restored[partition].values.push(row);
            continue;
        }
        let number = u64::from_be_bytes(rest.get(..8).and_then(|bytes| bytes.try_into().ok()).ok_or_else(damaged)?);
        for _ in 0..Codec::<u64>::new().read(&mut value)? {
            let (partition, row) = row(codec.key.read(&mut value)?, codec.state.read(&mut value)?);
            match *tag {
                PANE => restored[partition].panes.entry(number).or_default().push(row),
                OPEN => restored[partition].open.push(row),
                _ => return Err(damaged()),
            }
        }
        // A pane without a row of this partition is a pane of it all the same.
        if *tag == PANE {
            for part in &mut restored {
                part.panes.entry(number).or_default();
            }
        }
    }
    Ok(restored)
}

fn damaged() -> Error {
    Error::input("an entry of a window in the checkpoint has another form than this program writes")
}
