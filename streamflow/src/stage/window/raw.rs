//! `window`: the batches of a window as one, without copying them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{Continuity, WindowSpec};
use crate::batch::Batch;
use crate::dstream::DStream;
use crate::error::Result;
use crate::metrics::work::Kept;
use crate::record::{Block, Fork, Record};
use crate::run::Run;
use crate::stage::transform::NodeSlot;
use crate::time::lock;
use crate::topology::{AnyDataset, Compute, Node, NodeId, Scope};

/// The blocks of one batch.
type Blocks<T> = Vec<Arc<<T as Record>::Block>>;

struct RawWindow<T: Record + ?Sized> {
    node: NodeSlot,
    parent: NodeId,
    state: Mutex<RawState<T>>,
}

struct RawState<T: Record + ?Sized> {
    continuity: Continuity,
    panes: VecDeque<(u64, Blocks<T>)>,
}

impl<T: Fork + ?Sized> Compute for RawWindow<T> {
    fn compute(&self, run: &Run<'_>) -> Result<AnyDataset> {
        let node = self.node.get();
        let (blocks, _) = Batch::<T>::read(run, self.parent, T::cloner())?.into_blocks();
        let step = run.window_step(node);
        let mut state = lock(&self.state);
        state.continuity.step(&step)?;
        if step.in_some_window() {
            state.panes.push_back((step.pane(), blocks));
        }
        if !step.ends_window() {
            return Ok(Box::new(()));
        }
        while state.panes.front().is_some_and(|(pane, _)| *pane <= step.last_left()) {
            state.panes.pop_front();
        }
        let held = state.panes.iter().flat_map(|(_, blocks)| blocks);
        let records: usize = held.map(|block| block.len()).sum();
        let panes = state.panes.len() as u64;
        run.ledger().keep(node, Kept { keys: records as u64, bytes: 0, panes });
        let window = state.panes.iter().flat_map(|(_, blocks)| blocks.iter().cloned()).collect();
        Ok(run.blocks::<T>(node, window))
    }
}

impl<T: Fork + ?Sized> DStream<T> {
    /// The records of the last batches: those in `(t - length, t]`, every `slide`.
    ///
    /// **Shape**: any records, unchanged; the partitions of the oldest batch come first. The first windows are partial: they
    /// hold the batches that exist. With a slide longer than the length, batches in between are in no window.
    /// **Units**: both are multiples of this stream's slide, which is the batch interval unless it is a window itself.
    /// **Cost**: the blocks of the batches are shared, not copied, and kept for `length`. Windows of aggregates
    /// (`reduce_by_key_and_window` and its like) keep much less.
    /// **Errors**: a length or slide that does not fit is reported by the start of the context; the macro finds it at
    /// compile time where both are literals.
    /// **Source**: Spark's `window`. There is no storage level, since blocks are in memory already.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use streamflow::prelude::*;
    /// use streamflow::testing;
    ///
    /// let (two, one) = (Duration::from_secs(2), Duration::from_secs(1));
    /// let windows = testing::run(vec![vec![1], vec![2], vec![3]], |numbers| numbers.window(two, one))?;
    /// assert_eq!(windows, [vec![1], vec![1, 2], vec![2, 3]]);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    pub fn window(&self, length: Duration, slide: Duration) -> DStream<T> {
        self.windowed(WindowSpec { length, slide: Some(slide) })
    }

    pub(crate) fn windowed(&self, spec: WindowSpec) -> DStream<T> {
        self.share();
        let slot = NodeSlot::default();
        let state = Mutex::new(RawState { continuity: Continuity::default(), panes: VecDeque::new() });
        let mut node = Node::new::<T>(Scope::name("window"), "window");
        node.parents = vec![self.node()];
        node.window = Some(spec);
        node.stateful = true;
        node.set_cloner::<T>(T::cloner());
        node.compute = Some(Arc::new(RawWindow::<T> { node: slot.clone(), parent: self.node(), state }));
        let id = self.topology().add_node(node);
        slot.set(id);
        DStream::new(self.topology().clone(), id)
    }
}
