//! Operators over two keyed streams: the joins and `cogroup`.
//!
//! Both sides are shuffled by key to the same partitions. The task of a partition groups each side by key and then emits
//! the records of each key: keys of the left side first, in the order of the table, then keys of the right side alone.
//! *Cost*: one shuffle of both streams, without combining; memory for the groups of one partition.

use std::hash::Hash;
use std::marker::PhantomData;
use std::sync::{Arc, OnceLock};

use super::GatherCx;
use super::combine::checked;
use super::sink::{Side, Wiring};
use crate::dataset::{Merge, Merged};
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::Operator;
use crate::record::own::DeclaredAs;
use crate::run::{Run, Task};
use crate::shuffle::KeyHasher;
use crate::shuffle::map_side::ScatterWriter;
use crate::shuffle::reduce_side::{group, transpose};
use crate::shuffle::table::Row;
use crate::time::lock;
use crate::topology::{AnyDataset, Compute, StageId};
use crate::vectors::{mapped, total_len};

/// What an operator over two streams emits for one key.
pub trait Match: Send + Sync + 'static {
    /// The keys.
    type Key: Hash + Eq + Send + Sync + 'static;
    /// The values of the left side.
    type Left: Send + Sync + 'static;
    /// The values of the right side.
    type Right: Send + Sync + 'static;
    /// The records that come out.
    type Record: Send + Sync + 'static;
    /// Emits the records of a key; a side without the key has no values.
    fn emit(key: Self::Key, left: Vec<Self::Left>, right: Vec<Self::Right>, out: &mut Vec<Self::Record>);
}

type MakeWriter<V, M> = Arc<OnceLock<Arc<dyn Fn(Task) -> ScatterWriter<<M as Match>::Key, V> + Send + Sync>>>;

/// An operator over two streams in the making.
#[doc(hidden)]
pub struct PairSink<M: Match> {
    wiring: Arc<Wiring>,
    left: MakeWriter<M::Left, M>,
    right: MakeWriter<M::Right, M>,
    left_ports: std::sync::Mutex<Vec<usize>>,
    right_ports: std::sync::Mutex<Vec<usize>>,
}

impl<M: Match> Default for PairSink<M> {
    fn default() -> Self {
        Self {
            wiring: Arc::default(),
            left: Arc::default(),
            right: Arc::default(),
            left_ports: Default::default(),
            right_ports: Default::default(),
        }
    }
}

impl<M: Match> PairSink<M> {
    /// A sink without ports.
    #[allow(clippy::new_without_default, reason = "`Default` is there; the emitted code reads better with `new`")]
    pub fn new() -> Self {
        Self::default()
    }

    /// The next port of the left stream.
    pub fn left(&self) -> Side<ScatterWriter<M::Key, M::Left>> {
        let index = self.wiring.add_port();
        lock(&self.left_ports).push(index);
        Side { index, wiring: Arc::clone(&self.wiring), make: Arc::clone(&self.left) }
    }

    /// The next port of the right stream.
    pub fn right(&self) -> Side<ScatterWriter<M::Key, M::Right>> {
        let index = self.wiring.add_port();
        lock(&self.right_ports).push(index);
        Side { index, wiring: Arc::clone(&self.wiring), make: Arc::clone(&self.right) }
    }

    /// Says the type of the result's records before the loops' types are inferred.
    pub fn yields<T>(&self)
    where
        M::Record: DeclaredAs<T>,
    {
    }

    /// Makes the operator's node.
    pub fn finish(self, operator: &'static Operator, partitions: Option<usize>) -> DStream<M::Record> {
        let partitions = checked(partitions);
        let hasher = KeyHasher::new();
        let left_hasher = hasher.clone();
        let scatter = move |task: Task| ScatterWriter::new(hasher.clone(), partitions.unwrap_or(task.parallelism));
        let left_scatter =
            move |task: Task| ScatterWriter::new(left_hasher.clone(), partitions.unwrap_or(task.parallelism));
        assert!(self.left.set(Arc::new(left_scatter)).is_ok(), "a sink is finished once");
        assert!(self.right.set(Arc::new(scatter)).is_ok(), "a sink is finished once");
        let wiring = Arc::clone(&self.wiring);
        let compute = |stages| -> Arc<dyn Compute> {
            Arc::new(Matched::<M> {
                wiring,
                stages,
                partitions,
                left_ports: lock(&self.left_ports).clone(),
                right_ports: lock(&self.right_ports).clone(),
                matcher: PhantomData,
            })
        };
        self.wiring.finish(operator, compute, |_| {})
    }
}

struct Matched<M> {
    wiring: Arc<Wiring>,
    stages: Vec<StageId>,
    partitions: Option<usize>,
    left_ports: Vec<usize>,
    right_ports: Vec<usize>,
    matcher: PhantomData<fn() -> M>,
}

impl<M: Match> Matched<M> {
    /// The buckets of one side: for each target partition, in the order of the map tasks.
    fn side<V: 'static>(&self, run: &Run<'_>, ports: &[usize], partitions: usize) -> Vec<Vec<Vec<Row<M::Key, V>>>> {
        let node = self.wiring.node();
        let mut written = Vec::new();
        for port in ports {
            for writer in run.collect::<ScatterWriter<M::Key, V>>(node, *port) {
                written.push(writer.into_buckets());
            }
        }
        transpose(written, partitions)
    }
}

impl<M: Match> Compute for Matched<M> {
    fn compute(&self, run: &Run<'_>) -> Result<AnyDataset> {
        run.stages(&self.stages)?;
        let partitions = self.partitions.unwrap_or(run.parallelism());
        let left = self.side::<M::Left>(run, &self.left_ports, partitions);
        let right = self.side::<M::Right>(run, &self.right_ports, partitions);
        let weight = total_len(&left, Vec::len) + total_len(&right, Vec::len);
        let mut right = right.into_iter();
        let buckets = mapped(left, |left| {
            let right = right.next().expect("both sides have as many partitions");
            vec![Sides { left, right }]
        });
        let merge = Arc::new(MergeMatched::<M>(PhantomData));
        GatherCx { run, node: self.wiring.node() }.shuffled(Merged::new(merge, buckets, weight))
    }
}

struct Sides<K: 'static, V, W> {
    left: Vec<Vec<Row<K, V>>>,
    right: Vec<Vec<Row<K, W>>>,
}

struct MergeMatched<M>(PhantomData<fn() -> M>);

impl<M: Match> Merge for MergeMatched<M> {
    type Record = M::Record;
    type Bucket = Sides<M::Key, M::Left, M::Right>;

    fn merge(&self, sides: Vec<Self::Bucket>) -> Vec<M::Record> {
        let mut records = Vec::new();
        for Sides { left, right } in sides {
            let mut right = group(right);
            for row in group(left).into_rows() {
                let matching = right.get_mut(row.hash, &row.key).map(std::mem::take).unwrap_or_default();
                M::emit(row.key.into_key(), row.acc, matching, &mut records);
            }
            // A key whose values were taken above has been matched; one that came from the right has at least one.
            for row in right.into_rows().filter(|row| !row.acc.is_empty()) {
                M::emit(row.key.into_key(), Vec::new(), row.acc, &mut records);
            }
        }
        records
    }
}

macro_rules! matchers {
    ($($(#[$doc:meta])* $name:ident [$($bound:tt)*] -> $record:ty, |$key:ident, $left:ident, $right:ident, $out:ident| $body:block)*) => {$(
        $(#[$doc])*
        pub struct $name<K, V, W>(PhantomData<fn() -> (K, V, W)>);

        impl<K, V, W> Match for $name<K, V, W>
        where
            K: Hash + Eq + $($bound)* Send + Sync + 'static,
            V: $($bound)* Send + Sync + 'static,
            W: $($bound)* Send + Sync + 'static,
        {
            type Key = K;
            type Left = V;
            type Right = W;
            type Record = $record;

            fn emit($key: K, $left: Vec<V>, $right: Vec<W>, $out: &mut Vec<$record>) $body
        }
    )*};
}

matchers! {
    /// `join`: each left value with each right value of the key.
    Join [Clone +] -> (K, (V, W)), |key, left, right, out| {
        product(&key, &left, &right, out, V::clone, W::clone);
    }
    /// `left_outer_join`: as `join`, and left values without a match.
    LeftOuterJoin [Clone +] -> (K, (V, Option<W>)), |key, left, right, out| {
        if right.is_empty() {
            out.extend(left.into_iter().map(|value| (key.clone(), (value, None))));
        } else {
            product(&key, &left, &right, out, V::clone, |value| Some(value.clone()));
        }
    }
    /// `right_outer_join`: as `join`, and right values without a match.
    RightOuterJoin [Clone +] -> (K, (Option<V>, W)), |key, left, right, out| {
        if left.is_empty() {
            out.extend(right.into_iter().map(|value| (key.clone(), (None, value))));
        } else {
            product(&key, &left, &right, out, |value| Some(value.clone()), W::clone);
        }
    }
    /// `full_outer_join`: as `join`, and the values of either side without a match.
    FullOuterJoin [Clone +] -> (K, (Option<V>, Option<W>)), |key, left, right, out| {
        if right.is_empty() {
            out.extend(left.into_iter().map(|value| (key.clone(), (Some(value), None))));
        } else if left.is_empty() {
            out.extend(right.into_iter().map(|value| (key.clone(), (None, Some(value)))));
        } else {
            product(&key, &left, &right, out, |value| Some(value.clone()), |value| Some(value.clone()));
        }
    }
    /// `cogroup`: the values of both sides, for every key of either.
    Cogroup [] -> (K, (Vec<V>, Vec<W>)), |key, left, right, out| {
        out.push((key, (left, right)));
    }
}

/// Emits each left value with each right value.
fn product<K: Clone, V, W, L, R>(
    key: &K,
    left: &[V],
    right: &[W],
    out: &mut Vec<(K, (L, R))>,
    keep_left: impl Fn(&V) -> L,
    keep_right: impl Fn(&W) -> R,
) {
    for left in left {
        out.extend(right.iter().map(|right| (key.clone(), (keep_left(left), keep_right(right)))));
    }
}
