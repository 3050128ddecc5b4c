//! The durable side of a receiver's buffer: blocks in a write-ahead log.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::InputLog;
use super::buffer::BlockNumber;
use crate::error::Result;
use crate::metrics::durable::LogMeter;
use crate::state::codec::Codec;
use crate::time::BatchTime;
use crate::wal::{Log, LogOptions, RecordHandle};

/// A block and where it stands in the log.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct LoggedBlock {
    pub(crate) number: BlockNumber,
    pub(crate) handle: RecordHandle,
}

/// A log of numbered blocks.
pub(crate) struct BlockLog<B> {
    log: Log,
    codec: Codec<B>,
}

impl<B> BlockLog<B> {
    pub(crate) fn open(place: &InputLog, codec: Codec<B>) -> Result<Self> {
        Ok(Self { log: Log::open(place.files.clone(), place.dir.clone(), LogOptions::default())?, codec })
    }

    /// The figures of the log.
    pub(crate) fn meter(&self) -> Arc<LogMeter> {
        self.log.meter()
    }

    /// Makes blocks durable, with one sync.
    pub(crate) fn write<'b>(&self, blocks: impl Iterator<Item = (BlockNumber, &'b B)>) -> Result<Vec<LoggedBlock>>
    where
        B: 'b,
    {
        let (mut numbers, mut records) = (Vec::new(), Vec::new());
        for (number, block) in blocks {
            let mut bytes = number.to_le_bytes().to_vec();
            self.codec.write(block, &mut bytes)?;
            numbers.push(number);
            records.push((place(number), bytes));
        }
        if records.is_empty() {
            return Ok(Vec::new());
        }
        let handles = self.log.write_all(records)?;
        Ok(numbers.into_iter().zip(handles).map(|(number, handle)| LoggedBlock { number, handle }).collect())
    }

    /// Reads a block again.
    pub(crate) fn read(&self, block: &LoggedBlock) -> Result<B> {
        let bytes = self.log.read(&block.handle)?;
        self.codec.read(&mut bytes.get(size_of::<BlockNumber>()..).unwrap_or_default())
    }

    /// Sees that the log has not lost its end: it reaches as far as a block that a batch was given.
    pub(crate) fn expect(&self, block: &LoggedBlock) -> Result<()> {
        self.log.expect(&block.handle)
    }

    /// The blocks that no batch was given: those with numbers from `end` on, in order, and the next free number.
    pub(crate) fn unallocated(&self, end: BlockNumber) -> Result<(Vec<LoggedBlock>, BlockNumber)> {
        let mut waiting = BTreeMap::new();
        let mut next = end;
        let mut records = self.log.records();
        while let Some((handle, bytes)) = records.next()? {
            let number = bytes.first_chunk().map_or(0, |bytes| BlockNumber::from_le_bytes(*bytes));
            if number >= end {
                // A block that two threads wrote at once is there twice.
                waiting.insert(number, LoggedBlock { number, handle });
            }
            next = next.max(number + 1);
        }
        Ok((waiting.into_values().collect(), next))
    }

    /// Removes what holds only blocks with numbers below `end`.
    pub(crate) fn clean(&self, end: BlockNumber) -> Result<()> {
        end.checked_sub(1).map_or(Ok(()), |last| self.log.clean(place(last)).map(drop))
    }
}

/// Where a block stands in the order of the log, which knows times.
fn place(number: BlockNumber) -> BatchTime {
    BatchTime::from_millis(number)
}
