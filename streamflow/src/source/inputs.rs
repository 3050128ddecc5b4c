//! The inputs of a [`StreamingContext`].

use std::path::Path;

use super::channel::{Sender, channel};
use super::files::{FileOptions, FileSource};
use super::queue::{Queue, QueueSource};
use super::socket::{SocketOptions, SocketReceiver};
use super::{Receiver, ReceiverOptions, ReceiverSource};
use crate::context::StreamingContext;
use crate::dstream::DStream;
use crate::error::Result;
use crate::record::Fork;

impl StreamingContext {
    /// The stream of what a [`Receiver`] stores. `name` appears in reports.
    ///
    /// **Shape**: the records of a batch are those stored before it, in their order; each block is a partition.
    /// **Cost**: a thread for the receiver. Blocks are kept until their batch is done; a receiver that has stored 256 MiB
    /// that are not processed waits.
    /// **Source**: Spark's `receiverStream`.
    ///
    /// # Errors
    /// [`IllegalState`](crate::ErrorKind::IllegalState): the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use streamflow::source::{Receiver, Store};
    /// use streamflow::{Result, StreamingContext};
    ///
    /// struct Heartbeat;
    ///
    /// impl Receiver for Heartbeat {
    ///     type Record = str;
    ///     fn receive(&mut self, store: &Store<str>) -> Result<()> {
    ///         while store.wait(Duration::from_secs(1)) {
    ///             store.store("alive")?;
    ///         }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let ctx = StreamingContext::builder("pulse").build()?;
    /// ctx.receiver_stream("heartbeat", Heartbeat)?.print(10);
    /// assert!(ctx.explain().to_string().contains("heartbeat"));
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn receiver_stream<R: Receiver>(&self, name: impl Into<String>, receiver: R) -> Result<DStream<R::Record>>
    where
        R::Record: Fork,
    {
        self.receiver_stream_with(name, receiver, ReceiverOptions::new())
    }

    /// As [`receiver_stream`](Self::receiver_stream), with options: block interval, restart delay, limits, rate.
    ///
    /// # Errors
    /// [`IllegalState`](crate::ErrorKind::IllegalState): the context was started or stopped;
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument): an interval below a millisecond, a limit of zero.
    #[track_caller]
    pub fn receiver_stream_with<R: Receiver>(
        &self,
        name: impl Into<String>,
        receiver: R,
        options: ReceiverOptions,
    ) -> Result<DStream<R::Record>>
    where
        R::Record: Fork,
    {
        let name = name.into();
        let source = ReceiverSource::new(name.clone(), receiver, options)?;
        self.add_source("receiver", name, source)
    }

    /// The lines that a TCP peer at `host:port` sends, without their ends (`\n` or `\r\n`).
    ///
    /// The connection is made when the context starts. A peer that is not there, or closes, is a reported error and is
    /// tried again with growing pauses; the program goes on. A last line needs no end if the peer closes after it. Bytes
    /// that are not UTF-8 become U+FFFD and lines of more than 1 MiB are cut off: see
    /// [`socket_text_stream_with`](Self::socket_text_stream_with).
    ///
    /// **Shape**: one record per line, in order; a partition per block, as for
    /// [`receiver_stream`](Self::receiver_stream).
    /// **Source**: Spark's `socketTextStream`, which takes lines of any length and waits 2 s between all attempts.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument): the address is not `host:port`, or the host is not known;
    /// [`IllegalState`](crate::ErrorKind::IllegalState): the context was started or stopped.
    ///
    /// # Examples
    /// ```no_run
    /// use streamflow::StreamingContext;
    ///
    /// let ctx = StreamingContext::builder("lines").build()?;
    /// ctx.socket_text_stream("localhost:9999")?.print(10);
    /// ctx.start()?;
    /// ctx.await_termination()?;
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn socket_text_stream(&self, address: &str) -> Result<DStream<str>> {
        self.socket_text_stream_with(address, SocketOptions::new())
    }

    /// As [`socket_text_stream`](Self::socket_text_stream), with options: bad lines, pauses, limits.
    ///
    /// # Errors
    /// As `socket_text_stream`, and [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for options that cannot be used.
    ///
    /// # Examples
    /// ```
    /// use streamflow::source::{BadLines, LineStats, SocketOptions};
    /// use streamflow::StreamingContext;
    ///
    /// let stats = LineStats::new();
    /// let ctx = StreamingContext::builder("lines").build()?;
    /// let options = SocketOptions::new().bad_lines(BadLines::Skip).stats(&stats);
    /// let lines = ctx.socket_text_stream_with("127.0.0.1:9999", options)?;
    /// # drop(lines);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn socket_text_stream_with(&self, address: &str, options: SocketOptions) -> Result<DStream<str>> {
        let name = format!("socket {address}");
        let receiver_options = options.receiver_options();
        let receiver = SocketReceiver::new(address, options)?;
        let source = ReceiverSource::new(name.clone(), receiver, receiver_options)?;
        self.add_source("socket", name, source)
    }

    /// The lines of the files that appear in a directory, or in all directories that match a pattern such as `logs/*/`.
    ///
    /// A batch reads the files that were modified up to its time, after the start, at most 60 s before, and that no batch
    /// has read. Files whose name begins with a dot, and sub-directories, are not looked at. A file must be complete when it
    /// appears: write it elsewhere in the same file system and move it in. The directory must be there when the context
    /// starts, unless it is a pattern or [`FileOptions::must_exist`] says otherwise. While it cannot be listed batches are
    /// empty; the log, the metrics and listeners (`on_receiver_error`) are told when that begins.
    ///
    /// **Shape**: one record per line; the files of a batch in the order of their modification times, each one partition or
    /// several if it is large.
    /// **Cost**: a listing and one look at each file per batch.
    /// **Source**: Spark's `textFileStream`.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument): the path is empty or not a pattern;
    /// [`IllegalState`](crate::ErrorKind::IllegalState): the context was started or stopped. A file that is gone or shorter
    /// when its batch reads it fails the batch.
    ///
    /// # Examples
    /// ```
    /// use streamflow::StreamingContext;
    ///
    /// let ctx = StreamingContext::builder("logs").build()?;
    /// ctx.text_file_stream("/var/log/myapp")?.print(10);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn text_file_stream(&self, directory: &str) -> Result<DStream<str>> {
        self.text_file_stream_with(directory, FileOptions::new())
    }

    /// As [`text_file_stream`](Self::text_file_stream), with options: which files, how far back, bad lines.
    ///
    /// # Errors
    /// As `text_file_stream`.
    #[track_caller]
    pub fn text_file_stream_with(&self, directory: &str, options: FileOptions) -> Result<DStream<str>> {
        let source = FileSource::lines(directory, &options)?;
        self.add_source("text files", format!("files {directory}"), source)
    }

    /// The records that `decode` finds in the files that appear in a directory. Files are chosen as for
    /// [`text_file_stream`](Self::text_file_stream).
    ///
    /// **Shape**: each file is a partition. `decode` gets the path and the whole content.
    /// **Errors**: an error or panic of `decode` fails the batch.
    /// **Source**: Spark's `fileStream`, with a function in the place of a Hadoop input format.
    ///
    /// # Errors
    /// As `text_file_stream`.
    ///
    /// # Examples
    /// ```
    /// use streamflow::source::FileOptions;
    /// use streamflow::{Error, StreamingContext};
    ///
    /// let ctx = StreamingContext::builder("sizes").build()?;
    /// let options = FileOptions::new().filter(|path| path.extension().is_some_and(|extension| extension == "num"));
    /// let numbers = ctx.file_stream("incoming", options, |path, bytes| {
    ///     let text = String::from_utf8_lossy(&bytes);
    ///     let damaged = |error| Error::input(format!("{} is damaged", path.display())).because(error);
    ///     text.lines().map(|line| line.parse::<u64>().map_err(damaged)).collect()
    /// })?;
    /// numbers.print(10);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn file_stream<T, F>(&self, directory: &str, options: FileOptions, decode: F) -> Result<DStream<T>>
    where
        T: Clone + Send + Sync + 'static,
        F: Fn(&Path, Vec<u8>) -> Result<Vec<T>> + Send + Sync + 'static,
    {
        let source = FileSource::decoded(directory, &options, decode)?;
        self.add_source("files", format!("files {directory}"), source)
    }

    /// The records of `record_len` bytes in the files that appear in a directory. Files are chosen as for
    /// [`text_file_stream`](Self::text_file_stream).
    ///
    /// **Shape**: each file is a partition; a record is a `&[u8]` of exactly `record_len` bytes.
    /// **Source**: Spark's `binaryRecordsStream`.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument) for a length of zero, and otherwise as `text_file_stream`. A
    /// file that is not a whole number of records fails its batch.
    ///
    /// # Examples
    /// ```
    /// use streamflow::StreamingContext;
    ///
    /// let ctx = StreamingContext::builder("samples").build()?;
    /// ctx.binary_records_stream("samples", 16)?.print(10);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn binary_records_stream(&self, directory: &str, record_len: usize) -> Result<DStream<[u8]>> {
        let source = FileSource::fixed_records(directory, record_len)?;
        self.add_source("binary records", format!("files {directory}"), source)
    }

    /// The collections of a [`Queue`]: one a batch, or all that wait in one batch.
    ///
    /// **Shape**: a collection is cut into partitions by position; several are put one after the other. An empty queue gives
    /// an empty batch. Collections may be pushed at any time.
    /// **Source**: Spark's `queueStream`. Not recoverable: what was in the queue is gone with the program.
    ///
    /// # Errors
    /// [`IllegalState`](crate::ErrorKind::IllegalState): the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use streamflow::source::Queue;
    /// use streamflow::StreamingContext;
    ///
    /// let ctx = StreamingContext::builder("demonstration").build()?;
    /// let queue = Queue::from_iter([vec![1, 2], vec![3]]);
    /// ctx.queue_stream(queue.clone(), true)?.print(10);
    /// queue.push(vec![4]);
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn queue_stream<T: Clone + Send + Sync + 'static>(
        &self,
        queue: Queue<T>,
        one_at_a_time: bool,
    ) -> Result<DStream<T>> {
        self.add_source("queue", "queue".to_owned(), QueueSource::new(queue, one_at_a_time))
    }

    /// A channel into the program: what the [`Sender`] sends before a batch is in the batch.
    ///
    /// **Shape**: `T` by value; `channel::<str>` takes `&str`. Records of one thread keep their order.
    /// **Memory**: `capacity` records that were sent and whose batch is not done; more wait in `send`.
    /// **Source**: takes the place of Spark's `actorStream`.
    ///
    /// # Errors
    /// [`InvalidArgument`](crate::ErrorKind::InvalidArgument): the capacity is zero;
    /// [`IllegalState`](crate::ErrorKind::IllegalState): the context was started or stopped.
    ///
    /// # Examples
    /// ```
    /// use streamflow::StreamingContext;
    ///
    /// let ctx = StreamingContext::builder("inside").build()?;
    /// let (sender, lines) = ctx.channel::<str>(1_000)?;
    /// lines.print(10);
    /// sender.send("to be or not to be")?;
    /// # Ok::<(), streamflow::Error>(())
    /// ```
    #[track_caller]
    pub fn channel<T: Fork + ?Sized>(&self, capacity: usize) -> Result<(Sender<T>, DStream<T>)> {
        let (sender, source) = channel::<T>(capacity)?;
        let stream = self.add_source("channel", "channel".to_owned(), source)?;
        Ok((sender, stream))
    }
}
