//! An in-process channel as an input: other threads of the program send records.

use std::fmt;
use std::sync::Arc;

use super::buffer::{Buffer, Limits, Patience, Refused};
use super::received::{Blocks, ReceivedBlocks, copies};
use super::receiver::default_block_interval;
use super::{Source, SourceCx};
use crate::error::{Error, Result};
use crate::record::{Fork, Record};
use crate::time::BatchTime;

/// Sends records to a stream of the same program; made by
/// [`StreamingContext::channel`](crate::StreamingContext::channel).
///
/// Clones send to the same stream. Records from one thread keep their order.
///
/// **Source**: takes the place of Spark's `actorStream`.
pub struct Sender<T: Record + ?Sized>(Arc<Buffer<T>>);

impl<T: Record + ?Sized> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Record + ?Sized> Sender<T> {
    /// Sends a record: a `T`, or a `&str` or `&[u8]` to streams of those. Waits while the channel is full.
    ///
    /// **Cost**: a lock and a look at the clock.
    ///
    /// # Errors
    /// [`SendError::Closed`] when the context has stopped, with the record; [`SendError::TooLarge`] for 4 GiB of text.
    pub fn send<'a>(&self, record: T::View<'a>) -> Result<(), SendError<T::View<'a>>> {
        self.send_with(record, Patience::Wait)
    }

    /// Sends a record if there is room now.
    ///
    /// # Errors
    /// As [`send`](Self::send), and [`SendError::Full`] with the record when the channel is full.
    pub fn try_send<'a>(&self, record: T::View<'a>) -> Result<(), SendError<T::View<'a>>> {
        self.send_with(record, Patience::None)
    }

    fn send_with<'a>(&self, record: T::View<'a>, patience: Patience) -> Result<(), SendError<T::View<'a>>> {
        let mut record = Some(record);
        let sent =
            self.0.append(patience, |block| record.take().map_or(Ok(()), |record| T::append_view(block, record)));
        match (sent, record) {
            (Ok(Ok(())), _) => Ok(()),
            (Err(Refused::Full), Some(record)) => Err(SendError::Full(record)),
            (Err(Refused::Closed), Some(record)) => Err(SendError::Closed(record)),
            (Ok(Err(_)) | Err(_), _) => Err(SendError::TooLarge),
        }
    }
}

impl<T: Record + ?Sized> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// Why a record was not sent, and the record.
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError<R> {
    /// The channel is full: as many records as it holds were sent and are not processed yet.
    Full(R),
    /// The context has stopped.
    Closed(R),
    /// The record is text or bytes that no block has room for.
    TooLarge,
}

impl<R> fmt::Display for SendError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            SendError::Full(_) => "the channel is full",
            SendError::Closed(_) => "the context of the channel has stopped",
            SendError::TooLarge => "the record is longer than 4 GiB",
        })
    }
}

impl<R> fmt::Debug for SendError<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<R> std::error::Error for SendError<R> {}

impl<R> From<SendError<R>> for Error {
    fn from(error: SendError<R>) -> Self {
        Error::illegal_state(format!("a record was not sent: {error}"))
    }
}

/// The stream's end of a channel.
pub(super) struct ChannelSource<T: Record + ?Sized>(Arc<Buffer<T>>);

/// A channel that holds so many records: those that were sent and whose batch is not done.
pub(super) fn channel<T: Fork + ?Sized>(capacity: usize) -> Result<(Sender<T>, ChannelSource<T>)> {
    if capacity == 0 {
        return Err(Error::invalid("a channel with a capacity of zero can never take a record: use one or more"));
    }
    let buffer = Arc::new(Buffer::new(Limits { records: capacity, bytes: usize::MAX }, None));
    Ok((Sender(Arc::clone(&buffer)), ChannelSource(buffer)))
}

impl<T: Fork + ?Sized> Source for ChannelSource<T> {
    type Record = T;
    type Range = ReceivedBlocks<T>;

    fn start(&mut self, cx: &SourceCx) -> Result<()> {
        self.0.start(Arc::clone(&cx.clock), default_block_interval(cx), cx.receiver_events.clone());
        Ok(())
    }

    fn next_range(&mut self, batch: BatchTime) -> Result<Self::Range> {
        Ok(ReceivedBlocks::held(self.0.allocate(batch)?))
    }

    fn read(&mut self, range: &Self::Range) -> Result<Vec<T::Block>> {
        self.read_shared(range).and_then(copies::<T>)
    }

    fn read_shared(&mut self, range: &Self::Range) -> Result<Vec<Arc<T::Block>>> {
        range.blocks(|block| self.0.read(block))
    }

    fn release(&mut self, range: &Self::Range) {
        if let Blocks::Held(blocks) = &range.0 {
            self.0.release(blocks);
        }
    }

    fn has_pending(&self) -> bool {
        self.0.has_pending()
    }

    fn stop(&mut self) {
        self.0.close();
    }
}

impl<T: Record + ?Sized> Drop for ChannelSource<T> {
    fn drop(&mut self) {
        self.0.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::ManualClock;

    fn take<T: Fork + ?Sized>(source: &mut ChannelSource<T>) -> Vec<T::Block> {
        let range = source.next_range(BatchTime::default()).unwrap();
        let blocks = source.read(&range).unwrap();
        source.release(&range);
        blocks
    }

    #[test]
    fn what_was_sent_before_a_batch_is_in_it() {
        let (sender, mut source) = channel::<String>(10).unwrap();
        sender.send("before the start".to_owned()).unwrap();
        source.start(&super::super::test_cx(&ManualClock::new())).unwrap();
        sender.send("after it".to_owned()).unwrap();
        assert!(source.has_pending());
        assert_eq!(take(&mut source).concat(), ["before the start", "after it"]);
        assert!(!source.has_pending());
        assert!(take(&mut source).is_empty());
    }

    #[test]
    fn a_full_channel_gives_the_record_back() {
        let (sender, mut source) = channel::<u32>(2).unwrap();
        assert!(channel::<u32>(0).is_err());
        sender.send(1).unwrap();
        sender.try_send(2).unwrap();
        assert_eq!(sender.try_send(3), Err(SendError::Full(3)));
        assert_eq!(take(&mut source).concat(), [1, 2]);
        sender.try_send(3).unwrap();
        source.stop();
        assert_eq!(sender.send(4), Err(SendError::Closed(4)));
        assert_eq!(take(&mut source).concat(), [3], "a stop drains the channel");
    }

    #[test]
    fn a_stop_releases_senders_that_wait() {
        let (sender, mut source) = channel::<u32>(1).unwrap();
        sender.send(1).unwrap();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| sender.send(2));
            source.stop();
            assert_eq!(waiting.join().unwrap(), Err(SendError::Closed(2)));
        });
    }

    #[test]
    fn text_is_sent_by_view() {
        let (sender, mut source) = channel::<str>(10).unwrap();
        sender.send("to be").unwrap();
        sender.send(&String::from("or not")).unwrap();
        assert_eq!(take(&mut source)[0].iter().collect::<Vec<_>>(), ["to be", "or not"]);
    }
}
