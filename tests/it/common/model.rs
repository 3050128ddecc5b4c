//! The oracle: every operator once more, on plain vectors, as plainly as it can be said.
//!
//! A [`Stream`] is the list of its batches, a batch the list of its partitions, a partition the list of its records.
//! Nothing is lazy, hashed, fused or shared, and no code of the library is used, so that the two can only agree by both
//! being right. Keys are compared with `==` alone; results come in the order of first appearance, in one partition
//! after a wide operator: where Spark leaves order and placement free, compare as multisets.

use std::borrow::Borrow;

mod state;
mod windows;

pub(crate) use state::{State, Timeout};
pub(crate) use windows::Window;

/// The records of one interval, in partitions.
pub(crate) type Batch<T> = Vec<Vec<T>>;

/// All batches of a stream; batch `b` of the text is `batches[b - 1]`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stream<T> {
    /// Nothing where the stream has no data set: between the slides of a window.
    pub(crate) batches: Vec<Option<Batch<T>>>,
    /// The stream has a data set at every batch that is a multiple of this.
    pub(crate) slide: usize,
}

/// Part `i` of `p` gets the records `[i·n/p, (i+1)·n/p)`.
pub(crate) fn cut<T: Clone>(records: &[T], partitions: usize) -> Batch<T> {
    let n = records.len();
    (0..partitions).map(|i| records[i * n / partitions..(i + 1) * n / partitions].to_vec()).collect()
}

/// All records of a batch, the partitions one after the other.
pub(crate) fn flat<T: Clone>(batch: &Batch<T>) -> Vec<T> {
    batch.concat()
}

/// The values of each key, keys in the order of their first appearance.
fn groups<K: Clone + PartialEq, V: Clone>(records: &[(K, V)]) -> Vec<(K, Vec<V>)> {
    let mut groups: Vec<(K, Vec<V>)> = Vec::new();
    for (key, value) in records {
        match groups.iter_mut().find(|(known, _)| known == key) {
            Some((_, values)) => values.push(value.clone()),
            None => groups.push((key.clone(), vec![value.clone()])),
        }
    }
    groups
}

/// The values of a key; none if there is no such key.
fn values_of<K: PartialEq, V: Clone>(groups: &[(K, Vec<V>)], key: &K) -> Vec<V> {
    groups.iter().find(|(known, _)| known == key).map_or_else(Vec::new, |(_, values)| values.clone())
}

/// Reduces the values of each key.
fn reduced<K: Clone + PartialEq, V: Clone>(records: &[(K, V)], f: &impl Fn(V, V) -> V) -> Vec<(K, V)> {
    let reduce = |values: Vec<V>| values.into_iter().reduce(f).expect("a group is not empty");
    groups(records).into_iter().map(|(key, values)| (key, reduce(values))).collect()
}

impl<T: Clone> Stream<T> {
    /// An input whose batches are cut by position.
    pub(crate) fn source(batches: &[Vec<T>], partitions: usize) -> Self {
        Self { batches: batches.iter().map(|batch| Some(cut(batch, partitions))).collect(), slide: 1 }
    }

    /// The records of each batch that has a data set.
    pub(crate) fn records(&self) -> Vec<Vec<T>> {
        self.batches.iter().flatten().map(flat).collect()
    }

    /// A stream whose batches are made from those of this one.
    fn each<U>(&self, f: impl Fn(&Batch<T>) -> Batch<U>) -> Stream<U> {
        Stream { batches: self.batches.iter().map(|batch| batch.as_ref().map(&f)).collect(), slide: self.slide }
    }

    /// A stream whose batches are made from those of two.
    fn with<U, R>(&self, other: &Stream<U>, f: impl Fn(&Batch<T>, &Batch<U>) -> Batch<R>) -> Stream<R> {
        assert_eq!(self.slide, other.slide, "two streams meet only if they slide together");
        let pairs = self.batches.iter().zip(&other.batches);
        let batches = pairs.map(|(left, right)| Some(f(left.as_ref()?, right.as_ref()?))).collect();
        Stream { batches, slide: self.slide }
    }

    pub(crate) fn map_partitions<U>(&self, f: impl Fn(Vec<T>) -> Vec<U>) -> Stream<U> {
        self.each(|batch| batch.iter().map(|part| f(part.clone())).collect())
    }

    pub(crate) fn map<U>(&self, f: impl Fn(T) -> U) -> Stream<U> {
        self.map_partitions(|part| part.into_iter().map(&f).collect())
    }

    pub(crate) fn flat_map<U>(&self, f: impl Fn(T) -> Vec<U>) -> Stream<U> {
        self.map_partitions(|part| part.into_iter().flat_map(&f).collect())
    }

    pub(crate) fn filter(&self, keep: impl Fn(&T) -> bool) -> Stream<T> {
        self.map_partitions(|part| part.into_iter().filter(&keep).collect())
    }

    pub(crate) fn filter_map<U>(&self, f: impl Fn(T) -> Option<U>) -> Stream<U> {
        self.map_partitions(|part| part.into_iter().filter_map(&f).collect())
    }

    pub(crate) fn inspect(&self, f: impl Fn(&T)) -> Stream<T> {
        self.map(|record| {
            f(&record);
            record
        })
    }

    pub(crate) fn key_by<K>(&self, key: impl Fn(&T) -> K) -> Stream<(K, T)> {
        self.map(|record| (key(&record), record))
    }

    pub(crate) fn glom(&self) -> Stream<Vec<T>> {
        self.each(|batch| batch.iter().map(|part| vec![part.clone()]).collect())
    }

    pub(crate) fn union(&self, other: impl Borrow<Stream<T>>) -> Stream<T> {
        self.with(other.borrow(), |left, right| [left.clone(), right.clone()].concat())
    }

    pub(crate) fn repartition(&self, partitions: usize) -> Stream<T> {
        let dealt = |records: &[T], to: usize| records.iter().skip(to).step_by(partitions).cloned().collect();
        self.each(|batch| (0..partitions).map(|to| dealt(&flat(batch), to)).collect())
    }

    pub(crate) fn transform<U: Clone>(&self, f: impl Fn(Batch<T>) -> Batch<U>) -> Stream<U> {
        self.each(|batch| f(batch.clone()))
    }

    pub(crate) fn transform_with<U: Clone, R>(
        &self,
        other: &Stream<U>,
        f: impl Fn(Batch<T>, Batch<U>) -> Batch<R>,
    ) -> Stream<R> {
        self.with(other, |left, right| f(left.clone(), right.clone()))
    }

    /// One record a batch, also for an empty one.
    pub(crate) fn count(&self) -> Stream<u64> {
        self.each(|batch| vec![vec![flat(batch).len() as u64]])
    }

    /// One record a batch, none for an empty one.
    pub(crate) fn reduce(&self, f: impl Fn(T, T) -> T) -> Stream<T> {
        self.each(|batch| vec![flat(batch).into_iter().reduce(&f).into_iter().collect()])
    }

    /// The records with the greatest keys, greatest first; of equal ones the earlier.
    pub(crate) fn top_by<Key: Ord>(&self, limit: usize, key: impl Fn(&T) -> Key) -> Stream<T> {
        self.each(|batch| {
            let mut records = flat(batch);
            records.sort_by_key(|record| std::cmp::Reverse(key(record)));
            records.truncate(limit);
            vec![records]
        })
    }
}

impl<T: Clone + PartialEq> Stream<T> {
    pub(crate) fn count_by_value(&self) -> Stream<(T, u64)> {
        self.map(|record| (record, 1)).reduce_by_key(|a, b| a + b)
    }

    pub(crate) fn distinct(&self) -> Stream<T> {
        self.count_by_value().keys()
    }
}

impl<K: Clone, V: Clone> Stream<(K, V)> {
    pub(crate) fn map_values<U: Clone>(&self, f: impl Fn(V) -> U) -> Stream<(K, U)> {
        self.map(|(key, value)| (key, f(value)))
    }

    pub(crate) fn flat_map_values<U: Clone>(&self, f: impl Fn(V) -> Vec<U>) -> Stream<(K, U)> {
        self.flat_map(|(key, value)| f(value).into_iter().map(|item| (key.clone(), item)).collect())
    }

    pub(crate) fn keys(&self) -> Stream<K> {
        self.map(|(key, _)| key)
    }

    pub(crate) fn values(&self) -> Stream<V> {
        self.map(|(_, value)| value)
    }

    pub(crate) fn swap(&self) -> Stream<(V, K)> {
        self.map(|(key, value)| (value, key))
    }
}

impl<K: Clone + PartialEq, V: Clone> Stream<(K, V)> {
    pub(crate) fn group_by_key(&self) -> Stream<(K, Vec<V>)> {
        self.each(|batch| vec![groups(&flat(batch))])
    }

    pub(crate) fn reduce_by_key(&self, f: impl Fn(V, V) -> V) -> Stream<(K, V)> {
        self.each(|batch| vec![reduced(&flat(batch), &f)])
    }

    /// Combines within each partition, then across partitions.
    pub(crate) fn combine_by_key<C: Clone>(
        &self,
        create: impl Fn(V) -> C,
        add: impl Fn(C, V) -> C,
        merge: impl Fn(C, C) -> C,
    ) -> Stream<(K, C)> {
        let combine = |values: Vec<V>| {
            let mut values = values.into_iter();
            let first = create(values.next().expect("a group is not empty"));
            values.fold(first, &add)
        };
        self.each(|batch| {
            let within = batch.iter().flat_map(|part| groups(part));
            let combined: Vec<(K, C)> = within.map(|(key, values)| (key, combine(values))).collect();
            vec![reduced(&combined, &merge)]
        })
    }

    pub(crate) fn aggregate_by_key<A: Clone>(
        &self,
        zero: A,
        add: impl Fn(A, V) -> A,
        merge: impl Fn(A, A) -> A,
    ) -> Stream<(K, A)> {
        self.combine_by_key(|value| add(zero.clone(), value), &add, merge)
    }

    pub(crate) fn fold_by_key(&self, zero: V, f: impl Fn(V, V) -> V) -> Stream<(K, V)> {
        self.aggregate_by_key(zero, &f, &f)
    }

    /// The records as they are: where they lie is not the model's business.
    pub(crate) fn partition_by(&self) -> Stream<(K, V)> {
        self.clone()
    }

    pub(crate) fn cogroup<W: Clone>(&self, other: &Stream<(K, W)>) -> Stream<(K, (Vec<V>, Vec<W>))> {
        self.with(other, |left, right| {
            let (left, right) = (groups(&flat(left)), groups(&flat(right)));
            let mut keys: Vec<K> = left.iter().map(|(key, _)| key.clone()).collect();
            keys.extend(
                right.iter().map(|(key, _)| key.clone()).filter(|key| left.iter().all(|(known, _)| known != key)),
            );
            let meet = |key: K| (key.clone(), (values_of(&left, &key), values_of(&right, &key)));
            vec![keys.into_iter().map(meet).collect()]
        })
    }

    pub(crate) fn join<W: Clone>(&self, other: &Stream<(K, W)>) -> Stream<(K, (V, W))> {
        self.cogroup(other).flat_map_values(|(left, right)| product(&left, &right))
    }

    pub(crate) fn left_outer_join<W: Clone>(&self, other: &Stream<(K, W)>) -> Stream<(K, (V, Option<W>))> {
        self.cogroup(other).flat_map_values(|(left, right)| product(&left, &or_nothing(right)))
    }

    pub(crate) fn right_outer_join<W: Clone>(&self, other: &Stream<(K, W)>) -> Stream<(K, (Option<V>, W))> {
        self.cogroup(other).flat_map_values(|(left, right)| product(&or_nothing(left), &right))
    }

    pub(crate) fn full_outer_join<W: Clone>(&self, other: &Stream<(K, W)>) -> Stream<(K, (Option<V>, Option<W>))> {
        self.cogroup(other).flat_map_values(|(left, right)| product(&or_nothing(left), &or_nothing(right)))
    }
}

/// Each left value with each right value.
fn product<V: Clone, W: Clone>(left: &[V], right: &[W]) -> Vec<(V, W)> {
    left.iter().flat_map(|v| right.iter().map(|w| (v.clone(), w.clone()))).collect()
}

/// The values, or one `None` where there are none.
fn or_nothing<V>(values: Vec<V>) -> Vec<Option<V>> {
    if values.is_empty() { vec![None] } else { values.into_iter().map(Some).collect() }
}
