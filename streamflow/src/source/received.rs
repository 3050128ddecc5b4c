//! The range of a batch that a receiver or a channel fills: blocks in memory, or where they are in the log.

use std::fmt;
use std::sync::Arc;

use super::block_log::LoggedBlock;
use super::buffer::{Allocated, BlockNumber};
use crate::error::Result;
use crate::record::{Fork, Record};

/// The blocks that a batch was given by a receiver or a channel.
pub struct ReceivedBlocks<T: Record + ?Sized>(pub(super) Blocks<T::Block>);

/// Blocks of a batch.
pub(super) enum Blocks<B> {
    /// Blocks of this run.
    Held(Allocated<B>),
    /// Blocks of an earlier run, which are read when the batch runs: those of batches that are only remembered may be gone.
    Logged {
        blocks: Arc<[LoggedBlock]>,
        /// All blocks below this number were given to this batch or an earlier one.
        end: BlockNumber,
    },
}

impl<T: Record + ?Sized> ReceivedBlocks<T> {
    pub(super) fn held(blocks: Allocated<T::Block>) -> Self {
        Self(Blocks::Held(blocks))
    }

    /// The number after that of the last block that this or an earlier batch was given.
    pub(super) fn end(&self) -> BlockNumber {
        match &self.0 {
            Blocks::Held(blocks) => blocks.end(),
            Blocks::Logged { end, .. } => *end,
        }
    }

    /// Where its blocks are in the log.
    pub(super) fn logged(&self) -> Vec<LoggedBlock> {
        match &self.0 {
            Blocks::Held(blocks) => blocks.logged(),
            Blocks::Logged { blocks, .. } => blocks.to_vec(),
        }
    }

    /// Its blocks; `read` reads one of an earlier run.
    pub(super) fn blocks(&self, read: impl Fn(&LoggedBlock) -> Result<T::Block>) -> Result<Vec<Arc<T::Block>>> {
        match &self.0 {
            Blocks::Held(blocks) => Ok(blocks.blocks()),
            Blocks::Logged { blocks, .. } => blocks.iter().map(|block| read(block).map(Arc::new)).collect(),
        }
    }
}

/// Copies of blocks, for callers that cannot share them; the context can.
pub(super) fn copies<T: Fork + ?Sized>(blocks: Vec<Arc<T::Block>>) -> Result<Vec<T::Block>> {
    let copies = blocks.into_iter().map(|block| {
        let mut copy = T::Block::default();
        let mut held = T::hold(block, T::cloner());
        T::views(&mut held).try_for_each(|record| T::append_view(&mut copy, record))?;
        Ok(copy)
    });
    copies.collect()
}

impl<B> Clone for Blocks<B> {
    fn clone(&self) -> Self {
        match self {
            Self::Held(blocks) => Self::Held(blocks.clone()),
            Self::Logged { blocks, end } => Self::Logged { blocks: Arc::clone(blocks), end: *end },
        }
    }
}

impl<T: Record + ?Sized> Clone for ReceivedBlocks<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Record + ?Sized> fmt::Debug for ReceivedBlocks<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedBlocks").field("end", &self.end()).finish_non_exhaustive()
    }
}
