//! `transform`, `transform_with`, and the union and transform of many streams: functions over whole batches.
//!
//! They run on the thread that drives the batch, once per batch, and get [`Batch`]es.

use std::sync::Arc;

use crate::batch::Batch;
use crate::error::{BoxError, Error, Result};
use crate::record::Record;
use crate::run::{Run, guard};
use crate::topology::{AnyDataset, Compute, NodeId};

/// What a function over batches may return: a [`Batch`], or a `Result` of one.
pub trait IntoBatch {
    /// The records of the batch.
    type Record: Record + ?Sized;
    /// The batch, or why there is none.
    ///
    /// # Errors
    /// The function's own error.
    fn into_batch(self) -> Result<Batch<Self::Record>, BoxError>;
}

impl<T: Record + ?Sized> IntoBatch for Batch<T> {
    type Record = T;
    fn into_batch(self) -> Result<Batch<T>, BoxError> {
        Ok(self)
    }
}

impl<T: Record + ?Sized, E: Into<BoxError>> IntoBatch for Result<Batch<T>, E> {
    type Record = T;
    fn into_batch(self) -> Result<Batch<T>, BoxError> {
        self.map_err(Into::into)
    }
}

/// Computes a node by a function of the run that makes a batch.
pub(crate) struct Transformed<F>(pub(crate) F);

/// Calls a function over batches; a panic or an error of it becomes an error of the batch.
pub(crate) fn call<R: IntoBatch>(function: impl FnOnce() -> R) -> Result<Batch<R::Record>> {
    guard(function)?.into_batch().map_err(|cause| Error::output("a function over batches failed").because(cause))
}

impl<F, T> Compute for Transformed<(NodeSlot, F)>
where
    F: Fn(&Run<'_>) -> Result<Batch<T>> + Send + Sync,
    T: Record + ?Sized,
{
    fn compute(&self, run: &Run<'_>) -> Result<AnyDataset> {
        let (node, function) = &self.0;
        let (blocks, cloner) = function(run)?.into_blocks();
        Ok(run.shared_blocks::<T>(node.get(), blocks, cloner))
    }
}

/// The number of a node, known once it is added.
#[derive(Clone, Default)]
pub(crate) struct NodeSlot(Arc<std::sync::OnceLock<NodeId>>);

impl NodeSlot {
    pub(crate) fn set(&self, node: NodeId) {
        self.0.set(node).expect("a node is added once");
    }

    pub(crate) fn get(&self) -> NodeId {
        *self.0.get().expect("a node is added before it is computed")
    }
}
