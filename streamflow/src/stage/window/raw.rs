//! `window`: the batches of a window as one, without copying them.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::{Continuity, WindowSpec};
use crate::batch::Batch;
use crate::dstream::DStream;
use crate::error::{Error, Result};
use crate::metrics::work::Holding;
use crate::plan::explain::type_name;
use crate::record::{Block, Fork, Record};
use crate::run::Run;
use crate::stage::transform::NodeSlot;
use crate::state::checkpointed::{Change, Checkpointed, Entries, Extent};
use crate::state::codec::Codec;
use crate::time::lock;
use crate::topology::{AnyDataset, Compute, Node, NodeId, Scope};

/// The blocks of one batch.
type Blocks<T> = Vec<Arc<<T as Record>::Block>>;

struct RawWindow<T: Record + ?Sized> {
    node: NodeSlot,
    parent: NodeId,
    state: Arc<RawState<T>>,
}

struct RawState<T: Record + ?Sized> {
    held: Mutex<Held<T>>,
    codec: OnceLock<Codec<T::Block>>,
}

struct Held<T: Record + ?Sized> {
    continuity: Continuity,
    batches: VecDeque<HeldBatch<T>>,
    /// Batches of the checkpoint that have left the window: their numbers and numbers of blocks.
    left: Vec<(u64, usize)>,
}

/// One batch of the window.
struct HeldBatch<T: Record + ?Sized> {
    /// The end of the batch, in milliseconds since the zero time.
    since_zero: u64,
    pane: u64,
    blocks: Blocks<T>,
    saved: bool,
}

impl<T: Fork + ?Sized> Compute for RawWindow<T> {
    fn compute(&self, run: &Run<'_>) -> Result<AnyDataset> {
        let node = self.node.get();
        let (blocks, _) = Batch::<T>::read(run, self.parent, T::cloner())?.into_blocks();
        let step = run.window_step(node);
        let mut held = lock(&self.state.held);
        held.continuity.step(&step)?;
        if step.in_some_window() {
            let (since_zero, pane) = (step.since_zero, step.pane());
            held.batches.push_back(HeldBatch { since_zero, pane, blocks, saved: false });
        }
        if !step.ends_window() {
            return Ok(Box::new(()));
        }
        while let Some(batch) = held.batches.pop_front_if(|batch| batch.pane <= step.last_left()) {
            if batch.saved {
                held.left.push((batch.since_zero, batch.blocks.len()));
            }
        }
        let blocks = held.batches.iter().flat_map(|batch| &batch.blocks);
        let records = blocks.map(|block| block.len() as u64).sum();
        run.ledger().keep(node, Holding { keys: records, bytes: 0, panes: held.batches.len() as u64 });
        let window = held.batches.iter().flat_map(|batch| batch.blocks.iter().cloned()).collect();
        Ok(run.blocks::<T>(node, window))
    }
}

/// Each block is an entry, written once and removed when its batch leaves: under the end of the batch and the block's place,
/// the pane and the block.
impl<T: Fork + ?Sized> Checkpointed for RawState<T> {
    fn fingerprint(&self) -> String {
        format!("window of records {}", type_name::<T>())
    }

    fn set_codec(&self, codec: &dyn Any) {
        if let Some(codec) = codec.downcast_ref::<Codec<T::Block>>() {
            let _ = self.codec.set(*codec);
        }
    }

    fn has_codec(&self) -> bool {
        self.codec.get().is_some()
    }

    fn track(&self) {}

    fn begin(&self, since_zero: u64) {
        lock(&self.held).continuity.resume(since_zero);
    }

    fn save(&self, extent: Extent) -> Result<Vec<Change>> {
        let codec = self.codec.get().ok_or_else(|| Error::invalid("this window cannot be written to a checkpoint"))?;
        let mut held = lock(&self.held);
        let mut changes = Vec::new();
        let left = std::mem::take(&mut held.left);
        if extent == Extent::Changes {
            for (since_zero, blocks) in left {
                changes.extend((0..blocks).map(|block| Change { key: block_key(since_zero, block), value: None }));
            }
        }
        for batch in held.batches.iter_mut().filter(|batch| extent == Extent::Everything || !batch.saved) {
            for (place, block) in batch.blocks.iter().enumerate() {
                let mut value = Vec::new();
                Codec::<u64>::new().write(&batch.pane, &mut value)?;
                codec.write(block, &mut value)?;
                changes.push(Change { key: block_key(batch.since_zero, place), value: Some(value) });
            }
            batch.saved = true;
        }
        Ok(changes)
    }

    fn restore(&self, since_zero: u64, _: usize, entries: Entries<'_>) -> Result<()> {
        let codec = self.codec.get().ok_or_else(|| Error::invalid("this window cannot be read from a checkpoint"))?;
        let mut blocks = BTreeMap::new();
        for entry in entries {
            let (key, value) = entry?;
            let mut value = &value[..];
            let pane = Codec::<u64>::new().read(&mut value)?;
            blocks.insert(key, (pane, Arc::new(codec.read(&mut value)?)));
        }
        let mut held = lock(&self.held);
        for (key, (pane, block)) in blocks {
            let since_zero = key.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            match held.batches.back_mut().filter(|batch| batch.since_zero == since_zero) {
                Some(batch) => batch.blocks.push(block),
                None => held.batches.push_back(HeldBatch { since_zero, pane, blocks: vec![block], saved: true }),
            }
        }
        held.continuity.resume(since_zero);
        Ok(())
    }
}

/// Keys sort as the blocks do.
fn block_key(since_zero: u64, place: usize) -> Vec<u8> {
    [since_zero.to_be_bytes(), (place as u64).to_be_bytes()].concat()
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
    /// compile time where both are literals. With a checkpoint directory, declare windows inside of a `#[stream]` function:
    /// the macro sees whether serde can write the records; called on a stream outside of one, the start refuses the window.
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

    /// A window that slides with the stream.
    #[doc(hidden)]
    pub fn window_by_parent(&self, length: Duration) -> DStream<T> {
        self.windowed(WindowSpec { length, slide: None })
    }

    pub(crate) fn windowed(&self, spec: WindowSpec) -> DStream<T> {
        self.share();
        let slot = NodeSlot::default();
        let held = Held { continuity: Continuity::default(), batches: VecDeque::new(), left: Vec::new() };
        let state = Arc::new(RawState::<T> { held: Mutex::new(held), codec: OnceLock::new() });
        let mut node = Node::new::<T>(Scope::name("window"), "window");
        node.parents = vec![self.node()];
        node.window = Some(spec);
        node.keeps(Arc::clone(&state) as _);
        node.set_cloner::<T>(T::cloner());
        node.compute = Some(Arc::new(RawWindow::<T> { node: slot.clone(), parent: self.node(), state }));
        let id = self.topology().add_node(node);
        slot.set(id);
        DStream::new(self.topology().clone(), id)
    }
}
