//! Joins with a table that does not change: a look-up in the fused loop, no shuffle.

use std::fmt;
use std::hash::Hash;
use std::sync::Arc;

use crate::record::own::{FindKey, Id};
use crate::shuffle::KeyHasher;
use crate::shuffle::table::Table;

/// A table that a stream can be joined with: built once, shared by all tasks.
///
/// `stream.join(table)` gives `(key, (value, row))` for each record and each row of its key; `left_outer_join` also gives
/// the records without a row. A stream keyed by `&str` finds the rows of a table keyed by `String`.
///
/// **Shape**: `(K, V)` → `(K, (V, &W))`, which is owned as `(K, (V, W))` where it leaves the stage; narrow.
/// **Cost**: a look-up for each record; the table is shared, never copied. A handle is cheap to clone.
/// **Source**: what Spark programs write as `transform(rdd => rdd.join(table))`, without the shuffle.
///
/// # Examples
/// ```
/// use streamflow::prelude::*;
/// use streamflow::testing;
///
/// #[stream]
/// fn named(ids: DStream<(u32, u64)>, names: StaticTable<u32, String>) -> DStream<(String, u64)> {
///     ids.join(names).map(|(_, (count, name))| (name.clone(), count))
/// }
///
/// let names = StaticTable::new([(1, "one".to_owned()), (2, "two".to_owned())]);
/// let out = testing::run(vec![vec![(2, 10), (3, 11)]], |ids| named(ids, names))?;
/// assert_eq!(out, [[("two".to_owned(), 10)]]);
/// # Ok::<(), streamflow::Error>(())
/// ```
pub struct StaticTable<K: 'static, W> {
    rows: Arc<Rows<K, W>>,
}

struct Rows<K: 'static, W> {
    table: Table<K, Vec<W>>,
    hasher: KeyHasher,
}

impl<K: Hash + Eq + 'static, W> StaticTable<K, W> {
    /// A table of these rows; a key may have several, which keep their order.
    pub fn new(rows: impl IntoIterator<Item = (K, W)>) -> Self {
        let hasher = KeyHasher::new();
        let mut table = Table::new();
        for (key, row) in rows {
            let key = Id(key);
            let hash = hasher.hash(&key);
            table.upsert(
                hash,
                key,
                row,
                |row| vec![row],
                |mut rows: Vec<W>, row| {
                    rows.push(row);
                    rows
                },
            );
        }
        Self { rows: Arc::new(Rows { table, hasher }) }
    }

    /// Number of different keys.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows.table.len()
    }

    /// Whether there are no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The rows of a key.
    #[doc(hidden)]
    pub fn rows<Q: FindKey<Owned = K>>(&self, key: &Q) -> &[W] {
        let hash = self.rows.hasher.hash_of(key);
        self.rows.table.get(hash, key).map_or(&[], Vec::as_slice)
    }
}

/// Emitted for `join`: the record with each of its rows.
pub fn static_join<K: Clone, V: Clone, W>(rows: &[W], key: K, value: V) -> impl Iterator<Item = (K, (V, &W))> {
    rows.iter().map(move |row| (key.clone(), (value.clone(), row)))
}

/// Emitted for `left_outer_join`: the record with each of its rows, or with none.
pub fn static_left_outer_join<K: Clone, V: Clone, W>(
    rows: &[W],
    key: K,
    value: V,
) -> impl Iterator<Item = (K, (V, Option<&W>))> {
    let missing = rows.is_empty().then_some(None);
    rows.iter().map(Some).chain(missing).map(move |row| (key.clone(), (value.clone(), row)))
}

impl<K, W> Clone for StaticTable<K, W> {
    fn clone(&self) -> Self {
        Self { rows: Arc::clone(&self.rows) }
    }
}

impl<K, W> fmt::Debug for StaticTable<K, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StaticTable").field("keys", &self.rows.table.len()).finish()
    }
}
