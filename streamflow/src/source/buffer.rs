//! What lies between a producer and the batches: records become blocks, blocks wait for a batch.
//!
//! ```text
//!   store ──▶ open block ──(block interval, 8 MiB, a batch)──▶ waiting blocks ──(allocate)──▶ batch ──(release)──▶ gone
//! ```
//!
//! **Invariant**: a record is in exactly one block, a block in exactly one batch, both in the order in which they were
//! stored. *Memory*: records and bytes are counted from `store` to `release`; a producer that finds the buffer full waits.
//!
//! With a log, a block is durable before a batch is given it. Records of the log carry the block's number in the place of a
//! time, so that a batch that needs no restart any more says exactly which blocks do not either: a block may wait for its
//! batch for as long as the program is down, so its time would not say.
//!
//! A block is closed by whoever stores or allocates next after its interval, not by a timer: a batch takes the open block
//! too, so that what was stored before the batch is in the batch, and nobody can tell the difference otherwise.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::block_log::{BlockLog, LoggedBlock};
use crate::error::{Error, Result};
use crate::record::{Block, Record};
use crate::scheduler::listener::ReceiverEvents;
use crate::time::{BatchTime, Clock, lock};

/// A block is closed when it is this large, so that a fast producer's batch has partitions for all threads.
const BLOCK_BYTES: usize = 8 << 20;

/// How much may be stored and not yet released.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) records: usize,
    pub(crate) bytes: usize,
}

/// Number of a block in its stream, from zero.
pub(crate) type BlockNumber = u64;

/// A block that waits for a batch, or was given to one.
struct Held<B> {
    number: BlockNumber,
    block: Arc<B>,
    /// Where it is in the log, if there is one and it was written.
    logged: Option<LoggedBlock>,
}

impl<B> Clone for Held<B> {
    fn clone(&self) -> Self {
        Self { number: self.number, block: Arc::clone(&self.block), logged: self.logged }
    }
}

/// The blocks that one batch was given.
pub(crate) struct Allocated<B> {
    blocks: Arc<[Held<B>]>,
    /// All blocks below this number were given to this batch or an earlier one.
    end: BlockNumber,
}

impl<B> Clone for Allocated<B> {
    fn clone(&self) -> Self {
        Self { blocks: Arc::clone(&self.blocks), end: self.end }
    }
}

impl<B> Allocated<B> {
    pub(crate) fn blocks(&self) -> Vec<Arc<B>> {
        self.blocks.iter().map(|held| Arc::clone(&held.block)).collect()
    }

    /// Where its blocks are in the log, if it has one.
    pub(crate) fn logged(&self) -> Vec<LoggedBlock> {
        self.blocks.iter().filter_map(|held| held.logged).collect()
    }

    /// Blocks that were read from the log.
    pub(crate) fn recovered(blocks: impl Iterator<Item = (LoggedBlock, B)>, end: BlockNumber) -> Self {
        let held =
            blocks.map(|(logged, block)| Held { number: logged.number, block: Arc::new(block), logged: Some(logged) });
        Self { blocks: held.collect(), end }
    }

    /// The number after that of the last block that this or an earlier batch was given.
    pub(crate) fn end(&self) -> BlockNumber {
        self.end
    }
}

/// Why something was not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no room, and the caller did not want to wait.
    Full,
    /// The stream has stopped.
    Closed,
}

/// How long a producer is willing to wait for room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    Wait,
    None,
}

/// Blocks between a producer and the batches.
pub(crate) struct Buffer<T: Record + ?Sized> {
    limits: Limits,
    state: Mutex<State<T::Block>>,
    room: Condvar,
    /// Where blocks are made durable before they are given to a batch.
    log: Option<BlockLog<T::Block>>,
    /// Held while blocks are given to a batch.
    allocation: Mutex<()>,
}

struct State<B> {
    open: B,
    /// When the open block is closed; nothing while it is empty or before the start.
    due: Option<BatchTime>,
    timing: Option<(Arc<dyn Clock>, Duration)>,
    waiting: VecDeque<Held<B>>,
    next: BlockNumber,
    /// For each batch that a restart may need, the end of its blocks, oldest first; only with a log.
    ends: VecDeque<(BatchTime, BlockNumber)>,
    /// Of everything stored and not released; the open block is counted as it grows.
    records: usize,
    bytes: usize,
    phase: Phase,
    events: ReceiverEvents,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    /// The end was asked for: producers that still store do not wait, up to twice the limits.
    Ending,
    Closed,
}

impl<T: Record + ?Sized> Buffer<T> {
    pub(crate) fn new(limits: Limits, log: Option<BlockLog<T::Block>>) -> Self {
        let state = State {
            open: T::Block::default(),
            due: None,
            timing: None,
            waiting: VecDeque::new(),
            next: 0,
            ends: VecDeque::new(),
            records: 0,
            bytes: 0,
            phase: Phase::Open,
            events: ReceiverEvents::default(),
        };
        Self { limits, state: Mutex::new(state), room: Condvar::new(), log, allocation: Mutex::default() }
    }

    /// From now on blocks are closed every `interval`, on the grid of the clock, and `events` tells of them and of how full
    /// the buffer is.
    pub(crate) fn start(&self, clock: Arc<dyn Clock>, interval: Duration, events: ReceiverEvents) {
        let limit = |limit: usize| if limit == usize::MAX { 0 } else { limit as u64 };
        events.meter().buffer_records.set(limit(self.limits.records));
        events.meter().buffer_bytes.set(limit(self.limits.bytes));
        if let Some(log) = &self.log {
            let _ = events.meter().log.set(log.meter());
        }
        let mut state = lock(&self.state);
        state.timing = Some((clock, interval));
        state.events = events;
    }

    /// Lets `fill` add records to the open block. It may add some and fail: those stay.
    pub(crate) fn append(
        &self,
        patience: Patience,
        fill: impl FnOnce(&mut T::Block) -> Result<()>,
    ) -> Result<Result<()>, Refused> {
        let mut state = self.admit(patience)?;
        state.close_if_due();
        let (records, bytes) = (state.open.len(), state.open.bytes());
        let filled = fill(&mut state.open);
        state.records += state.open.len() - records;
        state.bytes += state.open.bytes() - bytes;
        if state.open.bytes() >= BLOCK_BYTES {
            state.close();
        }
        Ok(filled)
    }

    /// Takes over what an earlier run received and no batch was given, and the ends of the batches that it made.
    pub(crate) fn resume(&self, blocks: &Allocated<T::Block>, ends: VecDeque<(BatchTime, BlockNumber)>) {
        let mut state = lock(&self.state);
        state.ends = ends;
        for held in blocks.blocks.iter() {
            state.records += held.block.len();
            state.bytes += held.block.bytes();
            state.waiting.push_back(held.clone());
        }
        state.next = blocks.end;
    }

    /// Adds a block of its own, after the records stored before. With a log it is durable when this returns `Ok(Ok(()))`,
    /// and in no batch of this run when the log could not be written: its sender may send it again.
    pub(crate) fn push(&self, patience: Patience, block: T::Block) -> Result<Result<()>, Refused> {
        let mut state = self.admit(patience)?;
        state.close();
        if block.is_empty() {
            return Ok(Ok(()));
        }
        state.records += block.len();
        state.bytes += block.bytes();
        let held = state.enqueue(block);
        drop(state);
        let Some(log) = &self.log else { return Ok(Ok(())) };
        // It waits for its batch already. If the batch is asked for before this is done, it is written twice.
        Ok(match log.write(std::iter::once((held.number, &*held.block))) {
            Ok(logged) => {
                self.note(&logged);
                Ok(())
            }
            Err(error) if self.withdraw(held.number) => Err(error),
            // A batch has got it in the meantime, and made it durable.
            Err(_) => Ok(()),
        })
    }

    /// Takes a block back that could not be made durable, unless a batch was given it.
    fn withdraw(&self, number: BlockNumber) -> bool {
        let _no_batch_is_given_blocks = lock(&self.allocation);
        let mut state = lock(&self.state);
        let Ok(place) = state.waiting.binary_search_by_key(&number, |held| held.number) else { return false };
        let held = state.waiting.remove(place).expect("it was found there");
        state.release(&held);
        drop(state);
        self.room.notify_all();
        true
    }

    /// Notes that blocks are in the log.
    fn note(&self, logged: &[LoggedBlock]) {
        let mut state = lock(&self.state);
        for entry in logged {
            if let Ok(place) = state.waiting.binary_search_by_key(&entry.number, |held| held.number) {
                state.waiting[place].logged.get_or_insert(*entry);
            }
        }
    }

    /// Waits until there is room. A buffer below its limits takes anything, so that a block larger than them passes too.
    fn admit(&self, patience: Patience) -> Result<MutexGuard<'_, State<T::Block>>, Refused> {
        let mut state = lock(&self.state);
        loop {
            let factor = match state.phase {
                Phase::Open => 1,
                Phase::Ending => 2,
                Phase::Closed => return Err(Refused::Closed),
            };
            let below = |used: usize, limit: usize| used < limit.saturating_mul(factor);
            if below(state.records, self.limits.records) && below(state.bytes, self.limits.bytes) {
                return Ok(state);
            }
            match (state.phase, patience) {
                (Phase::Open, Patience::Wait) => {
                    state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                (Phase::Open, Patience::None) => return Err(Refused::Full),
                _ => return Err(Refused::Closed),
            }
        }
    }

    /// Gives everything that was stored to a batch, when it is durable.
    ///
    /// # Errors
    /// When the log cannot be written: then everything stays for the next batch.
    pub(crate) fn allocate(&self, batch: BatchTime) -> Result<Allocated<T::Block>> {
        let _one_at_a_time = lock(&self.allocation);
        let mut state = lock(&self.state);
        state.close();
        state.events.meter().buffered_records.set(state.records as u64);
        state.events.meter().buffered_bytes.set(state.bytes as u64);
        let mut blocks: Vec<Held<T::Block>> = state.waiting.iter().cloned().collect();
        let end = state.next;
        drop(state);
        if let Some(log) = &self.log {
            let fresh = blocks.iter().filter(|held| held.logged.is_none());
            let logged = log.write(fresh.map(|held| (held.number, &*held.block)))?;
            let unlogged = blocks.iter_mut().filter(|held| held.logged.is_none());
            unlogged.zip(logged).for_each(|(held, entry)| held.logged = Some(entry));
        }
        let mut state = lock(&self.state);
        // Only this takes blocks away, and from the front.
        state.waiting.drain(..blocks.len());
        if self.log.is_some() {
            state.ends.push_back((batch, end));
        }
        Ok(Allocated { blocks: blocks.into(), end })
    }

    /// Reads a block of an earlier run.
    pub(crate) fn read(&self, block: &LoggedBlock) -> Result<T::Block> {
        let log = self.log.as_ref().ok_or_else(|| Error::illegal_state("a block is read, and there is no log"))?;
        log.read(block)
    }

    /// Removes from the log what no restart can need: the blocks of the batches up to `batch`.
    pub(crate) fn forget(&self, batch: BatchTime) -> Result<()> {
        let Some(log) = &self.log else { return Ok(()) };
        let mut state = lock(&self.state);
        let mut forgotten = None;
        while let Some((_, end)) = state.ends.pop_front_if(|(earlier, _)| *earlier <= batch) {
            forgotten = Some(end);
        }
        drop(state);
        forgotten.map_or(Ok(()), |end| log.clean(end))
    }

    /// Forgets the blocks of a batch, which makes room.
    pub(crate) fn release(&self, range: &Allocated<T::Block>) {
        let mut state = lock(&self.state);
        range.blocks.iter().for_each(|held| state.release(held));
        drop(state);
        self.room.notify_all();
    }

    /// Whether something waits for a batch.
    pub(crate) fn has_pending(&self) -> bool {
        let state = lock(&self.state);
        !state.open.is_empty() || !state.waiting.is_empty()
    }

    /// The end was asked for: nobody waits for room any more.
    pub(crate) fn end(&self) {
        self.enter(Phase::Ending);
    }

    /// Nothing more is taken. What was stored stays for the last batches.
    pub(crate) fn close(&self) {
        self.enter(Phase::Closed);
    }

    fn enter(&self, phase: Phase) {
        lock(&self.state).phase = phase;
        self.room.notify_all();
    }
}

impl<B: Block> State<B> {
    fn close(&mut self) {
        self.due = None;
        if !self.open.is_empty() {
            let block = std::mem::take(&mut self.open);
            self.enqueue(block);
        }
    }

    fn enqueue(&mut self, block: B) -> Held<B> {
        self.events.block(self.next, block.len(), block.bytes());
        let held = Held { number: self.next, block: Arc::new(block), logged: None };
        self.waiting.push_back(held.clone());
        self.next += 1;
        held
    }

    /// Makes the room that a block took.
    fn release(&mut self, held: &Held<B>) {
        self.records = self.records.saturating_sub(held.block.len());
        self.bytes = self.bytes.saturating_sub(held.block.bytes());
    }

    /// Closes the open block when its interval is over.
    fn close_if_due(&mut self) {
        let Some((clock, interval)) = &self.timing else { return };
        let now = clock.now();
        match self.due {
            Some(due) if now < due => {}
            due => {
                let next = now.next(*interval);
                if due.is_some() {
                    self.close();
                }
                self.due = Some(next);
            }
        }
    }
}

/// A stored record or block that could not be stored, as an error.
pub(crate) fn refused(_: Refused) -> Error {
    Error::illegal_state("nothing can be stored after the stream has stopped: end `receive` when `is_stopped` says so")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fs::{IoFailure, SimulatedFs};
    use crate::source::InputLog;
    use crate::state::codec::Codec;
    use crate::time::ManualClock;

    fn buffer(records: usize) -> Buffer<u32> {
        Buffer::new(Limits { records, bytes: usize::MAX }, None)
    }

    fn add(buffer: &Buffer<u32>, patience: Patience, record: u32) -> Result<(), Refused> {
        buffer.append(patience, |block| u32::append_view(block, record)).map(|filled| filled.unwrap())
    }

    fn contents(range: &Allocated<Vec<u32>>) -> Vec<Vec<u32>> {
        range.blocks().iter().map(|block| block.to_vec()).collect()
    }

    #[test]
    fn a_block_for_each_interval_with_records() {
        let clock = ManualClock::at(BatchTime::from_millis(1_000));
        let buffer = buffer(100);
        buffer.start(Arc::new(clock.clone()), Duration::from_millis(200), ReceiverEvents::default());
        for (advance, record) in [(0, 1), (199, 2), (1, 3), (700, 4), (100, 5)] {
            clock.advance(Duration::from_millis(advance));
            add(&buffer, Patience::None, record).unwrap();
        }
        buffer.push(Patience::None, vec![6, 7]).unwrap().unwrap();
        buffer.push(Patience::None, Vec::new()).unwrap().unwrap();
        add(&buffer, Patience::None, 8).unwrap();
        assert_eq!(
            contents(&buffer.allocate(BatchTime::default()).unwrap()),
            [vec![1, 2], vec![3], vec![4], vec![5], vec![6, 7], vec![8]]
        );
        assert!(!buffer.has_pending());
        assert!(contents(&buffer.allocate(BatchTime::default()).unwrap()).is_empty());
    }

    #[test]
    fn room_is_made_by_release_and_not_by_allocation() {
        let buffer = buffer(2);
        add(&buffer, Patience::None, 1).unwrap();
        add(&buffer, Patience::None, 2).unwrap();
        assert_eq!(add(&buffer, Patience::None, 3), Err(Refused::Full));
        let range = buffer.allocate(BatchTime::default()).unwrap();
        assert_eq!(add(&buffer, Patience::None, 3), Err(Refused::Full));
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| add(&buffer, Patience::Wait, 3));
            buffer.release(&range);
            assert_eq!(waiter.join().unwrap(), Ok(()));
        });
        assert_eq!(contents(&buffer.allocate(BatchTime::default()).unwrap()), [[3]]);
    }

    #[test]
    fn an_ending_buffer_lets_its_producers_finish_and_a_closed_one_refuses() {
        let buffer = buffer(2);
        for record in [1, 2] {
            add(&buffer, Patience::None, record).unwrap();
        }
        buffer.end();
        for record in [3, 4] {
            add(&buffer, Patience::Wait, record).unwrap();
        }
        assert_eq!(add(&buffer, Patience::Wait, 5), Err(Refused::Closed), "twice the limit is the end");
        buffer.close();
        assert_eq!(add(&buffer, Patience::Wait, 5), Err(Refused::Closed));
        assert_eq!(contents(&buffer.allocate(BatchTime::default()).unwrap()), [[1, 2, 3, 4]]);
    }

    #[test]
    fn a_block_that_the_log_does_not_take_is_in_no_batch_and_takes_no_room() {
        let fs = SimulatedFs::new(7);
        let place = InputLog { files: Arc::new(fs.clone()), dir: "received".into() };
        let log = BlockLog::open(&place, Codec::new()).unwrap();
        let buffer: Buffer<u32> = Buffer::new(Limits { records: 3, bytes: usize::MAX }, Some(log));
        buffer.push(Patience::None, vec![1]).unwrap().unwrap();
        fs.fail_from(fs.operations(), IoFailure::NoSpace);
        buffer.push(Patience::None, vec![2, 2]).unwrap().unwrap_err();
        fs.repair();
        buffer.push(Patience::None, vec![2, 2]).unwrap().unwrap();
        assert_eq!(contents(&buffer.allocate(BatchTime::from_millis(1)).unwrap()), [vec![1], vec![2, 2]]);
        let log = BlockLog::<Vec<u32>>::open(&place, Codec::new()).unwrap();
        let blocks = log.unallocated(0).unwrap().0;
        let logged: Vec<_> = blocks.iter().map(|block| log.read(block).unwrap()).collect();
        assert_eq!(logged, [vec![1], vec![2, 2]]);
    }
}
