//! The fused loop: all narrow operators between two wide ones, as one closure over a partition.

use std::marker::PhantomData;

use super::sink::{Binding, Delivery, Outs};
use crate::dstream::DStream;
use crate::error::Result;
use crate::plan::StagePlan;
use crate::record::Record;
use crate::run::Run;
use crate::topology::{NodeId, Stage};

/// A partition in the hands of a fused loop.
pub struct Part<T: Record + ?Sized>(T::Held);

impl<T: Record + ?Sized> Part<T> {
    /// Its records, in order. They borrow from this variable of the loop, so that the compiler's message names the rule if
    /// one of them is to leave the stage as it is.
    #[inline]
    pub fn views(&mut self) -> impl Iterator<Item = T::View<'_>> {
        T::views(&mut self.0)
    }

    /// Its records in chunks, in order: a loop over a chunk calls nothing to get the next record.
    #[inline]
    pub fn chunks(&mut self) -> impl Iterator<Item = impl Iterator<Item = T::View<'_>>> {
        T::chunks(&mut self.0)
    }
}

/// A fused loop and the sinks that it feeds.
struct Narrow<T: ?Sized, O, B> {
    input: NodeId,
    plan: &'static StagePlan,
    outs: O,
    body: B,
    record: PhantomData<fn() -> Box<T>>,
}

/// Registers a fused loop over the partitions of `input`.
///
/// One call of `body` handles a partition: this is the only dynamic call of a stage.
#[doc(hidden)]
pub fn stage<T, O, B>(input: &DStream<T>, plan: &'static StagePlan, outs: O, body: B)
where
    T: Record + ?Sized,
    O: Outs,
    B: Fn(Part<T>, &mut O::Writers) + Send + Sync + 'static,
{
    let stage = Narrow { input: input.node(), plan, outs, body, record: PhantomData };
    let stage = std::sync::Arc::new(stage);
    let id = input.topology().add_stage(stage.clone());
    stage.outs.bind(Binding { topology: input.topology(), stage: id });
}

impl<T, O, B> Stage for Narrow<T, O, B>
where
    T: Record + ?Sized,
    O: Outs,
    B: Fn(Part<T>, &mut O::Writers) + Send + Sync + 'static,
{
    fn input(&self) -> NodeId {
        self.input
    }

    fn plan(&self) -> &'static StagePlan {
        self.plan
    }

    fn run(&self, run: &Run<'_>) -> Result<()> {
        let written = run.tasks_over::<T, _>(self.input, &|task, held| {
            let mut writers = self.outs.writers(task);
            (self.body)(Part(held), &mut writers);
            writers
        })?;
        self.outs.deliver(Delivery(run), written);
        Ok(())
    }
}
