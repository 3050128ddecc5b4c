//! A stream that leaves a fused loop as it is: results of functions, and the input of operators on whole batches.

use std::marker::PhantomData;
use std::sync::Arc;

use super::sink::Sink;
use super::{Gather, GatherCx};
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::Operator;
use crate::record::own::Lifted;
use crate::record::{BytesBlock, Data, Record, TextBlock};
use crate::run::Task;
use crate::topology::AnyDataset;
use crate::vectors::mapped;

/// Collects owned records, one block a task.
pub struct CollectRecords<T>(PhantomData<fn() -> T>);

/// The records of a partition, as they come.
pub struct RecordWriter<T>(Vec<T>);

impl<T> RecordWriter<T> {
    /// Adds a record.
    #[inline]
    pub fn push(&mut self, record: impl Lifted<Owned = T>) {
        self.0.push(record.own());
    }
}

impl<T: Data> Gather for CollectRecords<T> {
    type Record = T;
    type Writer = RecordWriter<T>;

    fn writer(&self, _: Task) -> RecordWriter<T> {
        RecordWriter(Vec::new())
    }

    fn gather(self: &Arc<Self>, written: Vec<RecordWriter<T>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        Ok(cx.run.blocks::<T>(cx.node, mapped(written, |writer| Arc::new(writer.0))))
    }
}

impl<T> Sink<CollectRecords<T>> {
    /// Makes the node.
    pub fn finish(self, operator: &'static Operator) -> DStream<T>
    where
        T: Data,
    {
        self.build(operator, CollectRecords(PhantomData))
    }
}

/// An unsized record that can be written again: `str` or `[u8]`.
pub trait ViewRecord: Record {
    /// Adds a record to a block.
    #[doc(hidden)]
    fn append(block: &mut Self::Block, record: &Self);
}

impl ViewRecord for str {
    fn append(block: &mut TextBlock, record: &str) {
        block.push(record).expect("a partition of text fits into a block of 4 GiB");
    }
}

impl ViewRecord for [u8] {
    fn append(block: &mut BytesBlock, record: &[u8]) {
        block.push(record).expect("a partition of bytes fits into a block of 4 GiB");
    }
}

/// Collects views into blocks, for results declared `DStream<str>` or `DStream<[u8]>`.
pub struct CollectText<T: ?Sized>(PhantomData<fn() -> Box<T>>);

/// The views of a partition, copied into one block.
pub struct ViewWriter<T: Record + ?Sized>(T::Block);

impl<T: ViewRecord + ?Sized> ViewWriter<T> {
    /// Copies a record.
    #[inline]
    pub fn push<V: AsRef<T> + ?Sized>(&mut self, record: &V) {
        T::append(&mut self.0, record.as_ref());
    }
}

impl<T: ViewRecord<Block: Default> + ?Sized> Gather for CollectText<T> {
    type Record = T;
    type Writer = ViewWriter<T>;

    fn writer(&self, _: Task) -> ViewWriter<T> {
        ViewWriter(T::Block::default())
    }

    fn gather(self: &Arc<Self>, written: Vec<ViewWriter<T>>, cx: &GatherCx<'_, '_>) -> Result<AnyDataset> {
        Ok(cx.run.blocks::<T>(cx.node, mapped(written, |writer| Arc::new(writer.0))))
    }
}

impl<T: ViewRecord<Block: Default> + ?Sized> Sink<CollectText<T>> {
    /// Makes the node.
    pub fn finish(self, operator: &'static Operator) -> DStream<T> {
        self.build(operator, CollectText(PhantomData))
    }
}
