//! The typed handle to a stream.

use std::fmt;
use std::marker::PhantomData;
use std::panic::Location;
use std::sync::Arc;

use crate::batch::Batch;
use crate::error::Result;
use crate::record::{Fork, Record};
use crate::run::Run;
use crate::stage::transform::{IntoBatch, NodeSlot, Transformed, call};
use crate::state::codec::{CodecTag, PairTag};
use crate::topology::{Node, NodeId, Output, OutputOperation, Scope, Topology};

/// A discretised stream: one batch of records in every batch interval.
///
/// A value of this type is a handle to a node of the topology; it holds no records. Streams come from the inputs of a
/// [`StreamingContext`](crate::StreamingContext) and from functions under [`#[stream]`](crate::stream), in whose bodies all
/// operators can be used on them. The methods here are the operators that also work outside: outputs, and functions over
/// whole batches.
///
/// A handle can be cloned when its records can: each consumer gets records of its own.
#[must_use = "a stream does nothing unless an output depends on it"]
pub struct DStream<T: Record + ?Sized> {
    topology: Topology,
    node: NodeId,
    record: PhantomData<fn() -> Box<T>>,
}

impl<T: Record + ?Sized> DStream<T> {
    pub(crate) fn new(topology: Topology, node: NodeId) -> Self {
        Self { topology, node, record: PhantomData }
    }

    pub(crate) fn topology(&self) -> &Topology {
        &self.topology
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    /// The same stream under another name of its record type; the caller knows that both are one.
    pub(crate) fn retyped<U: Record>(self) -> DStream<U> {
        DStream::new(self.topology, self.node)
    }

    /// Remembers how records are cloned, because there is more than one consumer.
    pub(crate) fn share(&self)
    where
        T: Fork,
    {
        self.topology.set_cloner::<T>(self.node, T::cloner());
    }

    #[track_caller]
    pub(crate) fn add_output(&self, name: &'static str, operation: impl OutputOperation + 'static) {
        let operation = Arc::new(operation);
        self.topology.add_output(Output { name, node: self.node, location: Location::caller(), operation });
    }

    /// Adds a node that a function over batches computes.
    pub(crate) fn add_transformed<U: Record + ?Sized>(
        topology: &Topology,
        name: &str,
        parents: Vec<NodeId>,
        function: impl Fn(&Run<'_>) -> Result<Batch<U>> + Send + Sync + 'static,
    ) -> DStream<U> {
        let slot = NodeSlot::default();
        let mut node = Node::new::<U>(Scope::name(name), name);
        node.parents = parents;
        node.compute = Some(Arc::new(Transformed((slot.clone(), function))));
        let id = topology.add_node(node);
        slot.set(id);
        DStream::new(topology.clone(), id)
    }
}

/// For the emitted code: how what a node keeps is written to a checkpoint.
#[doc(hidden)]
impl<T: Record + ?Sized> DStream<T> {
    /// The type of the blocks that a window of records keeps.
    pub fn block_tag(&self) -> CodecTag<T::Block> {
        CodecTag::new()
    }

    /// Hands over the codec that was found, if any.
    pub fn keep_with<C: 'static>(&self, codec: Option<C>) {
        if let Some(codec) = codec {
            self.topology.set_codec(self.node, &codec);
        }
    }
}

/// For the emitted code, as above.
#[doc(hidden)]
impl<T: Send + Sync + 'static> DStream<T> {
    /// The type of the value that a window keeps.
    pub fn value_tag(&self) -> PairTag<(), T> {
        PairTag::new()
    }
}

/// For the emitted code, as above.
#[doc(hidden)]
impl<K: Send + Sync + 'static, V: Send + Sync + 'static> DStream<(K, V)> {
    /// The types of the key and what is kept for it.
    pub fn pair_tag(&self) -> PairTag<K, V> {
        PairTag::new()
    }
}

impl<T: Fork + ?Sized> DStream<T> {
    /// The stream of what `f` makes of each batch.
    ///
    /// **Shape**: a [`Batch`] of any records to a `Batch` of any others; once per batch, also for empty ones.
    /// **Cost**: `f` runs on the thread that drives the batch; the batch's own methods run in parallel.
    /// **Errors**: `f` may return a `Result`; its error, like a panic, fails the batch.
    /// **Source**: Spark's `transform`. The time of the batch is [`Batch::time`]; there is no way to return nothing.
    ///
    /// # Examples
    /// ```
    /// use streamflow::prelude::*;
    /// use streamflow::testing;
    ///
    /// let sorted = testing::run(vec![vec![3, 1, 2]], |numbers| numbers.transform(|batch| batch.sort_by(|n| *n)))?;
    /// assert_eq!(sorted, [[1, 2, 3]]);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    pub fn transform<R, F>(&self, f: F) -> DStream<R::Record>
    where
        F: Fn(Batch<T>) -> R + Send + Sync + 'static,
        R: IntoBatch + 'static,
    {
        self.share();
        let node = self.node;
        Self::add_transformed(&self.topology, "transform", vec![node], move |run| {
            let batch = Batch::read(run, node, T::cloner())?;
            call(|| f(batch))
        })
    }

    /// The stream of what `f` makes of each batch of this stream and the one of `other` of the same time.
    ///
    /// As [`transform`](Self::transform). Both streams must be of one context.
    ///
    /// **Source**: Spark's `transformWith`.
    ///
    /// # Examples
    /// ```
    /// use streamflow::prelude::*;
    /// use streamflow::testing;
    ///
    /// #[stream]
    /// fn both(left: DStream<u32>, right: DStream<u32>) -> DStream<u32> {
    ///     left.transform_with(right, |left, right| left.union(right))
    /// }
    ///
    /// let mut test = testing::Driver::new()?;
    /// let (left, right) = (test.input(vec![vec![1], vec![2]]), test.input(vec![vec![10]]));
    /// let out = test.output(&both(left, right));
    /// test.run_batches(2)?;
    /// assert_eq!(out.batches(), [vec![1, 10], vec![2]]);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    pub fn transform_with<U, R, F>(&self, other: &DStream<U>, f: F) -> DStream<R::Record>
    where
        U: Fork + ?Sized,
        F: Fn(Batch<T>, Batch<U>) -> R + Send + Sync + 'static,
        R: IntoBatch + 'static,
    {
        self.share();
        other.share();
        if !self.topology.is(&other.topology) {
            let message = "`transform_with` takes streams of two different contexts";
            self.topology.mistake(crate::Error::invalid(message));
            return Self::add_transformed(&self.topology, "transform_with", vec![self.node], |_| {
                Err(crate::Error::invalid("the streams are of two different contexts"))
            });
        }
        let (left, right) = (self.node, other.node);
        Self::add_transformed(&self.topology, "transform_with", vec![left, right], move |run| {
            let left = Batch::read(run, left, T::cloner())?;
            let right = Batch::read(run, right, U::cloner())?;
            call(|| f(left, right))
        })
    }
}

/// Another handle to the same stream; its records must be `Clone`.
impl<T: Fork + ?Sized> Clone for DStream<T> {
    fn clone(&self) -> Self {
        self.share();
        Self { topology: self.topology.clone(), node: self.node, record: PhantomData }
    }
}

impl<T: Record + ?Sized> fmt::Debug for DStream<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.topology.inspect(|graph| graph.nodes.get(self.node.0).map(|node| node.name.clone()));
        f.debug_struct("DStream").field("name", &name.unwrap_or_default()).finish()
    }
}
