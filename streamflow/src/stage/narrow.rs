//! The fused loop: all narrow operators between two wide ones, as one closure over a partition.

use std::sync::Arc;

use super::sink::{Binding, Delivery, Outs};
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::StagePlan;
use crate::record::{BytesBlock, Record, Rows, TextBlock};
use crate::run::{Run, Task, TaskResults};
use crate::topology::{NodeId, Stage, Topology};

/// A partition in the hands of a fused loop, as `H` holds it.
///
/// It is boxed, so that the arguments of the loop's closure are pointers: the optimiser then sees that nobody else knows the
/// writers, and keeps what they sum up in registers.
pub struct Part<H>(Box<H>);

/// The records of a partition: views of its block, or records of the task's own.
///
/// They borrow from the variable of the loop that holds the `Part`, so that the compiler's message names the rule if one of
/// them is to leave the stage as it is. Nothing is asked of the records here: what cannot be a record is one mistake, and the
/// operator that yields it says so.
pub trait Views {
    /// A record as operators receive it.
    type View<'v>
    where
        Self: 'v;
    /// The records, in order.
    fn views(&mut self) -> impl Iterator<Item = Self::View<'_>>;
    /// The same in chunks. A loop over a chunk calls nothing to get the next record, so it keeps what it sums up in registers.
    ///
    /// The emitted code calls this without saying whose it is. A method of the type comes before one of a trait: records
    /// that are `Copy` take the method of `Part` below, and all others this one.
    fn chunks(&mut self) -> impl Iterator<Item = impl Iterator<Item = Self::View<'_>>>;
}

impl<T> Views for Part<Rows<T>> {
    type View<'v>
        = T
    where
        Self: 'v;

    #[inline]
    fn views(&mut self) -> impl Iterator<Item = T> {
        &mut *self.0
    }

    #[inline]
    fn chunks(&mut self) -> impl Iterator<Item = impl Iterator<Item = T>> {
        std::iter::from_fn(|| Rows::next_chunk(&mut self.0))
    }
}

impl<T: Copy> Part<Rows<T>> {
    /// The records, in order, each copied when its turn comes. A block that is kept for others is read where it lies.
    #[inline]
    pub fn chunks(&mut self) -> impl Iterator<Item = impl Iterator<Item = T>> {
        std::iter::once(self.0.as_slice().iter().copied())
    }
}

macro_rules! views_of_blocks {
    ($($block:ty => $view:ty),*) => {$(
        impl Views for Part<Arc<$block>> {
            type View<'v>
                = &'v $view
            where
                Self: 'v;

            #[inline]
            fn views(&mut self) -> impl Iterator<Item = &$view> {
                self.0.iter()
            }

            #[inline]
            fn chunks(&mut self) -> impl Iterator<Item = impl Iterator<Item = &$view>> {
                std::iter::once(self.0.iter())
            }
        }
    )*};
}

views_of_blocks!(TextBlock => str, BytesBlock => [u8]);

/// How the tasks over the partitions of a node are run, by the type that the node's records are held in.
type RunTasks<H> = fn(&Run<'_>, NodeId, bool, &(dyn Fn(Task, H) + Sync)) -> Result<()>;

/// The stream that a fused loop reads.
///
/// It knows how a task holds the records, and nothing of the records themselves: a stream that cannot be one is a mistake
/// here, at the operator that yields it, and not once more at the loop.
pub struct Input<'s, H> {
    topology: &'s Topology,
    node: NodeId,
    run: RunTasks<H>,
}

/// The partitions of `stream`.
pub fn input<T: Record + ?Sized>(stream: &DStream<T>) -> Input<'_, T::Held> {
    let run = |run: &Run<'_>, node, coalesces, work: &(dyn Fn(Task, T::Held) + Sync)| {
        run.each_task::<T>(node, coalesces, work)
    };
    Input { topology: stream.topology(), node: stream.node(), run }
}

impl<H: 'static> Input<'_, H> {
    /// Registers a fused loop over the partitions.
    ///
    /// One call of `body` handles a partition: this is the only dynamic call of a stage.
    pub fn stage<O, B>(self, plan: &'static StagePlan, outs: O, body: B)
    where
        O: Outs,
        B: Fn(Part<H>, &mut O::Writers) + Send + Sync + 'static,
    {
        let Self { topology, node, run } = self;
        let stage = Arc::new(Narrow { input: node, plan, run, outs, body });
        let id = topology.add_stage(stage.clone());
        stage.outs.bind(Binding { topology, stage: id });
    }
}

/// A fused loop and the sinks that it feeds.
struct Narrow<H, O, B> {
    input: NodeId,
    plan: &'static StagePlan,
    run: RunTasks<H>,
    outs: O,
    body: B,
}

impl<H, O, B> Stage for Narrow<H, O, B>
where
    O: Outs,
    B: Fn(Part<H>, &mut O::Writers) + Send + Sync + 'static,
{
    fn input(&self) -> NodeId {
        self.input
    }

    fn plan(&self) -> &'static StagePlan {
        self.plan
    }

    fn run(&self, run: &Run<'_>) -> Result<()> {
        let written = TaskResults::new();
        (self.run)(run, self.input, self.outs.coalesces(), &|task, held| {
            // What an attempt left that failed later is not taken up: the next one begins with new writers.
            let begun = if task.begins() { None } else { written.take(task.place()) };
            let mut writers = begun.unwrap_or_else(|| self.outs.writers(task));
            (self.body)(Part(Box::new(held)), &mut writers);
            written.put(task.place(), writers);
        })?;
        self.outs.deliver(Delivery(run), written.into_vec());
        Ok(())
    }
}
