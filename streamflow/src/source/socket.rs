//! Lines of text from a TCP connection.
//!
//! The receiver connects, reads until the peer closes, and connects again, with growing pauses while that fails. Any bytes
//! may come: see [`BadLines`](super::BadLines). *Failure*: what was read when the program ends in any other way than a
//! graceful stop is gone, since the peer cannot be asked again.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::Duration;

use memchr::memchr_iter;

use super::lines::{BadLines, LineCutter, LinePolicy, LineStats};
use super::{Receiver, ReceiverOptions, Store};
use crate::error::{Error, Result};

/// How long a read waits before it looks whether it should stop.
const READ_TIMEOUT: Duration = Duration::from_millis(50);

/// How long one attempt to connect may take; a stop is not seen meanwhile.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes that are read at once.
const READ_BYTES: usize = 64 << 10;

/// How a socket is read.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use streamflow::source::{BadLines, LineStats, SocketOptions};
///
/// let stats = LineStats::new();
/// let options = SocketOptions::new()
///     .bad_lines(BadLines::Skip)
///     .stats(&stats)
///     .reconnect(Duration::from_millis(50), Duration::from_secs(5));
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
pub struct SocketOptions {
    lines: LinePolicy,
    first_pause: Duration,
    longest_pause: Duration,
    receiver: ReceiverOptions,
}

impl Default for SocketOptions {
    fn default() -> Self {
        let lines = LinePolicy { bad: BadLines::default(), max_bytes: 1 << 20, stats: LineStats::new() };
        Self {
            lines,
            first_pause: Duration::from_millis(100),
            longest_pause: Duration::from_secs(10),
            receiver: ReceiverOptions::new(),
        }
    }
}

impl SocketOptions {
    /// The defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What is done with lines that are not UTF-8 or too long; [`BadLines::Replace`] by default.
    #[must_use]
    pub fn bad_lines(mut self, bad: BadLines) -> Self {
        self.lines.bad = bad;
        self
    }

    /// The longest line in bytes, without its end; 1 MiB by default. It bounds the memory that a peer can take which
    /// never ends its line.
    #[must_use]
    pub fn max_line_bytes(mut self, bytes: usize) -> Self {
        self.lines.max_bytes = bytes;
        self
    }

    /// Counts the lines here.
    #[must_use]
    pub fn stats(mut self, stats: &LineStats) -> Self {
        self.lines.stats = stats.clone();
        self
    }

    /// The pauses between attempts to connect: the first, doubled each time up to the longest, and the first again after
    /// data came. 100 ms and 10 s by default.
    #[must_use]
    pub fn reconnect(mut self, first: Duration, longest: Duration) -> Self {
        self.first_pause = first;
        self.longest_pause = longest.max(first);
        self
    }

    /// How the receiver is run: block interval, limits, rate.
    #[must_use]
    pub fn receiver(mut self, options: ReceiverOptions) -> Self {
        self.receiver = options;
        self
    }

    pub(super) fn receiver_options(&self) -> ReceiverOptions {
        self.receiver.clone()
    }
}

/// Receives lines from `host:port`.
pub(super) struct SocketReceiver {
    address: String,
    options: SocketOptions,
}

impl SocketReceiver {
    /// Checks the address; it is resolved again for each connection.
    pub(super) fn new(address: &str, options: SocketOptions) -> Result<Self> {
        resolve(address)?;
        if options.lines.max_bytes == 0 {
            return Err(Error::invalid("with `max_line_bytes(0)` every line is too long: use one or more"));
        }
        Ok(Self { address: address.to_owned(), options })
    }

    fn connect(&self) -> Result<TcpStream> {
        let mut failure = None;
        for address in resolve(&self.address)? {
            match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
                Ok(stream) => {
                    let ready = stream.set_read_timeout(Some(READ_TIMEOUT));
                    return ready
                        .map(|()| stream)
                        .map_err(|error| self.failed("cannot set up the connection to", error));
                }
                Err(error) => failure = Some(error),
            }
        }
        let failure = failure.expect("an address resolves to at least one socket address");
        Err(self.failed("cannot connect to", failure))
    }

    fn failed(&self, what: &str, error: std::io::Error) -> Error {
        Error::io(format!("{what} `{}`", self.address), error)
    }

    /// Reads until the peer closes or the store stops, and returns whether anything came.
    fn read(&self, mut stream: impl Read, store: &Store<str>) -> Ended {
        let mut cutter = LineCutter::new(self.options.lines.clone());
        let mut bytes = vec![0; READ_BYTES];
        let mut received = false;
        let ended = loop {
            if store.is_stopped() {
                break Ok(());
            }
            match stream.read(&mut bytes) {
                Ok(0) => {
                    // The last line needs no end.
                    let last = usize::from(cutter.has_begun());
                    if let Err(error) = store.append(last, |block| cutter.finish(block)) {
                        store.fail(error);
                    }
                    return Ended { received, outcome: Ok(()) };
                }
                Ok(count) => {
                    received = true;
                    let piece = &bytes[..count];
                    let lines = memchr_iter(b'\n', piece).count();
                    if let Err(error) = store.append(lines, |block| cutter.feed(piece, block)) {
                        store.fail(error);
                        break Ok(());
                    }
                }
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                }
                Err(error) => break Err(self.failed("lost the connection to", error)),
            }
        };
        if cutter.has_begun() {
            self.options.lines.stats.count_unfinished();
            tracing::warn!(address = %self.address, "the last line had not ended and is left out");
        }
        Ended { received, outcome: ended }
    }
}

/// How a connection ended.
struct Ended {
    received: bool,
    outcome: Result<()>,
}

impl Receiver for SocketReceiver {
    type Record = str;

    fn receive(&mut self, store: &Store<str>) -> Result<()> {
        let mut pause = self.options.first_pause;
        while !store.is_stopped() {
            let outcome = self.connect().and_then(|stream| {
                tracing::info!(address = %self.address, "connected");
                let ended = self.read(stream, store);
                if ended.received {
                    pause = self.options.first_pause;
                }
                ended.outcome
            });
            match outcome {
                Err(error) if !store.is_stopped() => store.report_error(error),
                _ => tracing::info!(address = %self.address, "the connection has ended"),
            }
            if !store.wait(pause) {
                break;
            }
            pause = (pause * 2).min(self.options.longest_pause);
        }
        Ok(())
    }
}

/// The socket addresses of `host:port`, at least one.
fn resolve(address: &str) -> Result<Vec<SocketAddr>> {
    let unusable =
        || format!("`{address}` cannot be used as an address: write `host:port`, for instance `localhost:9999`");
    let resolved: Vec<SocketAddr> =
        address.to_socket_addrs().map_err(|error| Error::invalid(unusable()).because(error))?.collect();
    if resolved.is_empty() { Err(Error::invalid(unusable())) } else { Ok(resolved) }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::{Shutdown, TcpListener};
    use std::sync::Arc;

    use super::super::{ReceiverSource, Source, SourceCx};
    use super::*;
    use crate::scheduler::listener::ReceiverEvents;
    use crate::time::{BatchTime, Clock, SystemClock};

    fn source(address: &str, options: SocketOptions) -> ReceiverSource<SocketReceiver> {
        let receiver = SocketReceiver::new(address, options.clone()).unwrap();
        let mut source = ReceiverSource::new("socket", receiver, options.receiver_options()).unwrap();
        let clock = Arc::new(SystemClock::new());
        let cx = SourceCx {
            batch_interval: Duration::from_millis(100),
            start_time: clock.now(),
            zero_time: BatchTime::default(),
            log: None,
            parallelism: 2,
            clock,
            receiver_events: ReceiverEvents::default(),
        };
        source.start(&cx).unwrap();
        source
    }

    fn quick() -> SocketOptions {
        SocketOptions::new().reconnect(Duration::from_millis(1), Duration::from_millis(5))
    }

    fn take(source: &mut ReceiverSource<SocketReceiver>, lines: &mut Vec<String>) -> Result<()> {
        let range = source.next_range(BatchTime::default())?;
        for block in source.read_shared(&range)? {
            lines.extend(block.iter().map(str::to_owned));
        }
        source.release(&range);
        std::thread::yield_now();
        Ok(())
    }

    #[test]
    fn reads_lines_and_connects_again() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stats = LineStats::new();
        let mut source = source(&listener.local_addr().unwrap().to_string(), quick().stats(&stats));
        let mut lines = Vec::new();
        for round in 0..3 {
            let (mut peer, _) = listener.accept().unwrap();
            write!(peer, "one\r\ntw").unwrap();
            peer.flush().unwrap();
            write!(peer, "o\nthree").unwrap();
            drop(peer);
            while lines.len() < 3 * (round + 1) {
                take(&mut source, &mut lines).unwrap();
            }
        }
        source.stop();
        assert_eq!(lines, ["one", "two", "three"].repeat(3));
        assert_eq!(stats.lines(), 9);
    }

    #[test]
    fn a_peer_that_is_not_there_yet_is_waited_for() {
        let reserved = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = reserved.local_addr().unwrap();
        drop(reserved);
        let mut source = source(&address.to_string(), quick());
        let mut lines = Vec::new();
        take(&mut source, &mut lines).unwrap();
        let listener = TcpListener::bind(address).unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        writeln!(peer, "here").unwrap();
        while lines.is_empty() {
            take(&mut source, &mut lines).unwrap();
        }
        source.stop();
        assert_eq!(lines, ["here"]);
    }

    #[test]
    fn damaged_lines_stop_the_stream_if_asked_to() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let options = quick().bad_lines(BadLines::Stop);
        let mut source = source(&listener.local_addr().unwrap().to_string(), options);
        let (mut peer, _) = listener.accept().unwrap();
        peer.write_all(b"good\nb\xffd\nnever\n").unwrap();
        peer.shutdown(Shutdown::Write).unwrap();
        let mut lines = Vec::new();
        let error = loop {
            if let Err(error) = take(&mut source, &mut lines) {
                break error;
            }
        };
        assert_eq!(lines, ["good"]);
        assert!(error.to_string().contains("not UTF-8"), "{error}");
        source.stop();
    }

    #[test]
    fn a_stop_ends_an_open_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stats = LineStats::new();
        let mut source = source(&listener.local_addr().unwrap().to_string(), quick().stats(&stats));
        let (mut peer, _) = listener.accept().unwrap();
        write!(peer, "whole\nbegun").unwrap();
        let mut lines = Vec::new();
        while lines.is_empty() {
            take(&mut source, &mut lines).unwrap();
        }
        source.stop();
        assert_eq!(lines, ["whole"]);
        assert!(!source.has_pending());
        assert_eq!(stats.unfinished(), 1);
    }

    #[test]
    fn addresses_that_cannot_be_used_are_refused() {
        for address in ["", "nowhere", "localhost", "localhost:port", "localhost:99999"] {
            let error = SocketReceiver::new(address, SocketOptions::new()).err().expect(address);
            assert!(error.to_string().contains("host:port"), "{error}");
        }
    }
}
