//! Moving records by key: the map side, the reduce side, and the rule for where a key goes.
//!
//! The **map side** writes one bucket for each target partition. Where the operator combines values, a bucket is a table:
//! records of a key meet before they move. A key is hashed once; the hash travels with it, picks its partition and places
//! it in the tables of both sides. When nearly all keys are distinct, combining costs a look-up for each record and saves
//! nothing, so a writer that sees this stops combining and lets the records through, and goes back when it sees that keys
//! repeat after all.
//!
//! The **reduce side** merges the buckets of one partition, in the order of the map tasks, as part of the task that reads
//! the partition. Nothing is serialised.
//!
//! | module | what it holds |
//! |---|---|
//! | [`map_side`] | writers and buckets |
//! | [`reduce_side`] | merging buckets to records |
//! | [`chunks`] | a list that grows without moving what it holds |
//! | [`table`] | a hash table of keys, kept hashes and accumulators |

pub(crate) mod chunks;
pub(crate) mod map_side;
pub(crate) mod reduce_side;
pub(crate) mod table;

use std::hash::{BuildHasher, Hash, Hasher};

use ahash::RandomState;

use crate::record::kept::Kept;
use crate::record::own::{FindKey, LiftedKey};

/// Hashes keys alike in all tasks, batches and runs, so that a batch run again puts its records where they were.
#[derive(Clone)]
pub(crate) struct KeyHasher(RandomState);

impl KeyHasher {
    pub(crate) fn new() -> Self {
        Self(RandomState::with_seeds(
            0x243f_6a88_85a3_08d3,
            0x1319_8a2e_0370_7344,
            0xa409_3822_299f_31d0,
            0x082e_fa98_ec4e_6c89,
        ))
    }

    /// The hash of a key that is looked up.
    #[inline]
    pub(crate) fn hash_of<K: FindKey>(&self, key: &K) -> u64 {
        let mut state = self.0.build_hasher();
        key.hash_key(&mut state);
        state.finish()
    }

    /// The hash of a key, the same for a view and for its owned form.
    #[inline]
    pub(crate) fn hash<K: LiftedKey>(&self, key: &K) -> u64 {
        let mut state = self.0.build_hasher();
        key.hash_key(&mut state);
        state.finish()
    }

    /// The hash of a kept key, the same as before it was kept.
    #[inline]
    pub(crate) fn hash_kept<K: Hash>(&self, key: &Kept<K>) -> u64 {
        let mut state = self.0.build_hasher();
        key.hash(&mut state);
        state.finish()
    }
}

/// The partition of a hash, evenly over `partitions`.
///
/// It uses the middle bits: the tables use the lowest for the slot and the highest seven for the tag, and keys of one
/// partition that agreed in those would collide.
#[inline]
pub(crate) fn partition_of(hash: u64, partitions: usize) -> usize {
    let middle = (hash >> 24) & 0xffff_ffff;
    ((middle * partitions as u64) >> 32) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::own::Id;

    #[test]
    fn partitions_are_even() {
        let hasher = KeyHasher::new();
        for partitions in [1, 2, 7, 64] {
            let mut sizes = vec![0_usize; partitions];
            for key in 0..100_000_u64 {
                sizes[partition_of(hasher.hash(&Id(key)), partitions)] += 1;
            }
            let expected = 100_000 / partitions;
            assert!(sizes.iter().all(|&size| size.abs_diff(expected) < expected / 5 + 50), "{sizes:?}");
        }
    }
}
