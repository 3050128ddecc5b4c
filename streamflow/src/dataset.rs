//! What a node of the topology yields for one batch: partitions, waiting to be read.
//!
//! A data set is read by tasks, a partition each. [`Blocks`] are partitions that exist; [`Merged`] are the two sides of a
//! shuffle, merged by the task that reads the partition, so that the read side of a shuffle and the operators that follow
//! it are one task.
//!
//! **Invariant**: a data set is read at most as often as its node has consumers. The last reader takes the records
//! themselves, the others get clones.

use std::sync::Arc;
use std::sync::Mutex;

use crate::record::{Block, Record};
use crate::time::lock;
use crate::vectors::mapped;

/// The partitions of one node in one batch.
pub(crate) trait Dataset<T: Record + ?Sized>: Send + Sync {
    /// Number of partitions.
    fn partitions(&self) -> usize;
    /// About how many records there are, to decide whether threads are worth waking.
    fn weight(&self) -> usize;
    /// The block of a partition, for a reader that will give it back when it drops it.
    fn read(&self, partition: usize) -> Arc<T::Block>;
    /// The records of a partition, moved out if this is the last reader.
    fn hold(&self, partition: usize) -> T::Held;
    /// How records of a block that others hold too are cloned, if they can be.
    fn cloner(&self) -> Option<T::Cloner>;
    /// Whether a partition can be read again after a reader failed half-way.
    fn replayable(&self) -> bool;
}

/// Partitions that exist as blocks.
pub(crate) struct Blocks<T: Record + ?Sized> {
    parts: Vec<Mutex<Share<T>>>,
    weight: usize,
    cloner: Option<T::Cloner>,
    retained: bool,
}

struct Share<T: Record + ?Sized> {
    block: Option<Arc<T::Block>>,
    readers: usize,
}

impl<T: Record + ?Sized> Blocks<T> {
    /// Blocks for `readers` consumers. `retained` blocks are never given away, so that failed tasks can read them again.
    pub(crate) fn new(blocks: Vec<Arc<T::Block>>, readers: usize, cloner: Option<T::Cloner>, retained: bool) -> Self {
        let mut weight = 0;
        let parts = mapped(blocks, |block| {
            weight += block.len();
            Mutex::new(Share { block: Some(block), readers })
        });
        Self { parts, weight, cloner, retained }
    }

    fn take(&self, partition: usize) -> Arc<T::Block> {
        let mut share = lock(&self.parts[partition]);
        share.readers = share.readers.saturating_sub(1);
        let block = if share.readers == 0 && !self.retained { share.block.take() } else { share.block.clone() };
        block.expect("a data set is read at most once by each consumer")
    }
}

impl<T: Record + ?Sized> Dataset<T> for Blocks<T> {
    fn partitions(&self) -> usize {
        self.parts.len()
    }

    fn weight(&self) -> usize {
        self.weight
    }

    fn read(&self, partition: usize) -> Arc<T::Block> {
        self.take(partition)
    }

    fn hold(&self, partition: usize) -> T::Held {
        T::hold(self.take(partition), self.cloner)
    }

    fn cloner(&self) -> Option<T::Cloner> {
        self.cloner
    }

    fn replayable(&self) -> bool {
        self.retained
    }
}

/// How the buckets that the map tasks wrote for one partition become its records.
pub(crate) trait Merge: Send + Sync + 'static {
    /// The records that come out.
    type Record: Send + Sync + 'static;
    /// What one map task wrote for one target partition.
    type Bucket: Send + 'static;
    /// The records of a partition from its buckets, which come in the order of the map tasks.
    fn merge(&self, buckets: Vec<Self::Bucket>) -> Vec<Self::Record>;
}

/// The read side of a shuffle with a single consumer.
pub(crate) struct Merged<M: Merge> {
    merge: Arc<M>,
    parts: Vec<Mutex<Option<Vec<M::Bucket>>>>,
    weight: usize,
}

impl<M: Merge> Merged<M> {
    /// `buckets[partition]` in the order of the map tasks.
    pub(crate) fn new(merge: Arc<M>, buckets: Vec<Vec<M::Bucket>>, weight: usize) -> Self {
        Self { merge, parts: mapped(buckets, |part| Mutex::new(Some(part))), weight }
    }

    fn take(&self, partition: usize) -> Vec<M::Record> {
        let buckets = lock(&self.parts[partition]).take().expect("a shuffle with one consumer is read once");
        self.merge.merge(buckets)
    }
}

impl<M: Merge> Dataset<M::Record> for Merged<M> {
    fn partitions(&self) -> usize {
        self.parts.len()
    }

    fn weight(&self) -> usize {
        self.weight
    }

    fn read(&self, partition: usize) -> Arc<Vec<M::Record>> {
        Arc::new(self.take(partition))
    }

    fn hold(&self, partition: usize) -> <M::Record as Record>::Held {
        M::Record::hold(Arc::new(self.take(partition)), None)
    }

    fn cloner(&self) -> Option<<M::Record as Record>::Cloner> {
        None
    }

    fn replayable(&self) -> bool {
        false
    }
}
