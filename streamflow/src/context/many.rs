//! Operators on any number of streams: the union and the transform of a list.

use std::sync::Arc;

use super::StreamingContext;
use crate::batch::Batch;
use crate::dataset::Dataset;
use crate::dstream::DStream;
use crate::error::{Error, Result};
use crate::record::{Fork, Record};
use crate::run::Run;
use crate::stage::transform::{IntoBatch, NodeSlot, call};
use crate::topology::{AnyDataset, Compute, Node, NodeId, Scope};

impl StreamingContext {
    /// The stream with the records of all these streams.
    ///
    /// **Shape**: all partitions of the first stream, then all of the second, and so on; narrow.
    /// **Cost**: nothing is copied. Inside a `#[stream]` function `union` costs even less: it is fused.
    /// **Source**: Spark's `StreamingContext.union`.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument): there is no stream, or one is of another context;
    /// [`IllegalState`](crate::ErrorKind::IllegalState): the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use streamflow::testing::Driver;
    ///
    /// let mut test = Driver::new()?;
    /// let parts = [test.input(vec![vec![1, 2]]), test.input(vec![vec![10]]), test.input(vec![vec![100]])];
    /// let all = test.context().union(parts)?;
    /// let out = test.output(&all);
    /// test.run_batches(1)?;
    /// assert_eq!(out.batches(), [[1, 2, 10, 100]]);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    pub fn union<T: Record + ?Sized>(&self, streams: impl IntoIterator<Item = DStream<T>>) -> Result<DStream<T>> {
        let streams: Vec<DStream<T>> = streams.into_iter().collect();
        let parents = self.parents("union", &streams)?;
        let slot = NodeSlot::default();
        let mut node = Node::new::<T>(Scope::name("union"), "union");
        node.parents = parents.clone();
        node.compute = Some(Arc::new(Union::<T> { node: slot.clone(), parents, record: std::marker::PhantomData }));
        let id = self.topology().add_node(node);
        slot.set(id);
        Ok(DStream::new(self.topology().clone(), id))
    }

    /// The stream of what `f` makes of the batches of these streams of the same time, in the order of the streams.
    ///
    /// **Shape**, **cost** and **errors** of `f`: as [`DStream::transform`].
    /// **Source**: Spark's `StreamingContext.transform`; the time of the batch is [`Batch::time`].
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument): there is no stream, or one is of another context;
    /// [`IllegalState`](crate::ErrorKind::IllegalState): the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use streamflow::Batch;
    /// use streamflow::testing::Driver;
    ///
    /// let mut test = Driver::new()?;
    /// let streams = vec![test.input(vec![vec![1, 2], vec![]]), test.input(vec![vec![3], vec![4]])];
    /// let sizes = test.context().transform(streams, |batches| {
    ///     Batch::of(batches.iter().map(Batch::len).collect::<Vec<_>>(), 1)
    /// })?;
    /// let out = test.output(&sizes);
    /// test.run_batches(2)?;
    /// assert_eq!(out.batches(), [[2, 1], [0, 1]]);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    pub fn transform<T, R, F>(&self, streams: Vec<DStream<T>>, f: F) -> Result<DStream<R::Record>>
    where
        T: Fork + ?Sized,
        F: Fn(Vec<Batch<T>>) -> R + Send + Sync + 'static,
        R: IntoBatch + 'static,
    {
        let parents = self.parents("transform", &streams)?;
        streams.iter().for_each(DStream::share);
        let nodes = parents.clone();
        Ok(DStream::<T>::add_transformed(self.topology(), "transform", parents, move |run| {
            let batches: Result<Vec<_>> = nodes.iter().map(|node| Batch::read(run, *node, T::cloner())).collect();
            let batches = batches?;
            call(|| f(batches))
        }))
    }

    fn parents<T: Record + ?Sized>(&self, operator: &str, streams: &[DStream<T>]) -> Result<Vec<NodeId>> {
        if streams.is_empty() {
            return Err(Error::invalid(format!("`{operator}` needs at least one stream, but the list is empty")));
        }
        if streams.iter().any(|stream| !stream.topology().is(self.topology())) {
            return Err(Error::invalid(format!(
                "`{operator}` takes streams of the context that it is called on, but one is of another context"
            )));
        }
        self.topology().check_open("a transformation")?;
        Ok(streams.iter().map(DStream::node).collect())
    }
}

/// Computes the node of a union.
struct Union<T: ?Sized> {
    node: NodeSlot,
    parents: Vec<NodeId>,
    record: std::marker::PhantomData<fn() -> Box<T>>,
}

impl<T: Record + ?Sized> Compute for Union<T> {
    fn compute(&self, run: &Run<'_>) -> Result<AnyDataset> {
        let parts: Result<Vec<_>> = self.parents.iter().map(|parent| run.dataset::<T>(*parent)).collect();
        run.shuffled::<T>(self.node.get(), Chain { parts: parts? })
    }
}

/// Data sets one after the other.
struct Chain<T: Record + ?Sized> {
    parts: Vec<Arc<dyn Dataset<T>>>,
}

impl<T: Record + ?Sized> Chain<T> {
    /// The data set that holds a partition, and the partition's number there.
    fn find(&self, mut partition: usize) -> (&dyn Dataset<T>, usize) {
        for part in &self.parts {
            match partition.checked_sub(part.partitions()) {
                Some(rest) => partition = rest,
                None => return (&**part, partition),
            }
        }
        unreachable!("a reader asks for partitions that exist")
    }
}

impl<T: Record + ?Sized> Dataset<T> for Chain<T> {
    fn partitions(&self) -> usize {
        self.parts.iter().map(|part| part.partitions()).sum()
    }

    fn weight(&self) -> usize {
        self.parts.iter().map(|part| part.weight()).sum()
    }

    fn read(&self, partition: usize) -> Arc<T::Block> {
        let (part, partition) = self.find(partition);
        part.read(partition)
    }

    fn hold(&self, partition: usize) -> T::Held {
        let (part, partition) = self.find(partition);
        part.hold(partition)
    }

    fn cloner(&self) -> Option<T::Cloner> {
        self.parts.iter().find_map(|part| part.cloner())
    }

    fn replayable(&self) -> bool {
        self.parts.iter().all(|part| part.replayable())
    }
}
