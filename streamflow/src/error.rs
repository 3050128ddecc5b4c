//! The one error type.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use crate::plan::Operator;
use crate::time::BatchTime;

/// A `Result` whose error is [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A cause of any type.
pub(crate) type BoxError = Box<dyn StdError + Send + Sync>;

/// What went wrong, and where.
///
/// Cloning is cheap: a failed stage is reported once for each output that needs it.
///
/// # Examples
/// ```
/// use streamflow::{Error, ErrorKind, StreamingContext};
///
/// let ctx = StreamingContext::builder("nothing to do").build()?;
/// let error = ctx.start().unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidArgument);
/// assert!(error.to_string().contains("no output operations"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    place: Place,
    source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// Where in the program and in the data an error arose; each part is known or not.
#[derive(Clone, Default)]
struct Place {
    operator: Option<&'static Operator>,
    partition: Option<usize>,
    batch: Option<BatchTime>,
}

/// The kinds of [`Error`] that a program may want to tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A value that was handed to the library cannot be used: a zero interval, a record of the wrong length.
    InvalidArgument,
    /// The call does not fit the state of the context: starting twice, adding a stream after the start.
    IllegalState,
    /// A closure of the topology panicked, and did so in every attempt.
    TaskFailed,
    /// An output, or a function that handles whole batches, returned an error.
    OutputFailed,
    /// A source or receiver could not deliver.
    InputFailed,
    /// The operating system refused: a file, a socket, a full disk.
    Io,
    /// A log or a checkpoint does not hold what was written to it, or was written by another version.
    Damaged,
}

impl Error {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, message: message.into(), place: Place::default(), source: None }))
    }

    /// An argument that cannot be used.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InvalidArgument, message)
    }

    /// A call at the wrong time.
    pub(crate) fn illegal_state(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::IllegalState, message)
    }

    /// A task whose closure panicked.
    pub(crate) fn task(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::TaskFailed, message)
    }

    /// An output or a batch function that failed.
    pub(crate) fn output(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::OutputFailed, message)
    }

    /// A log or checkpoint file that does not hold what was written to it.
    pub(crate) fn damaged(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Damaged, message)
    }

    /// A failure to get data in, for use by implementors of [`Source`](crate::source::Source) and
    /// [`Receiver`](crate::source::Receiver).
    pub fn input(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::InputFailed, message)
    }

    /// An I/O error with what was being done, for instance ``cannot read `events.log` ``.
    pub fn io(doing: impl Into<String>, error: io::Error) -> Self {
        Self::new(ErrorKind::Io, doing).because(error)
    }

    /// Adds the cause, which [`source`](StdError::source) then returns.
    #[must_use]
    pub fn because(mut self, cause: impl Into<BoxError>) -> Self {
        Arc::make_mut(&mut self.0).source = Some(cause.into().into());
        self
    }

    pub(crate) fn at_operator(mut self, operator: &'static Operator) -> Self {
        Arc::make_mut(&mut self.0).place.operator.get_or_insert(operator);
        self
    }

    pub(crate) fn in_partition(mut self, partition: usize) -> Self {
        Arc::make_mut(&mut self.0).place.partition.get_or_insert(partition);
        self
    }

    pub(crate) fn in_batch(mut self, batch: BatchTime) -> Self {
        Arc::make_mut(&mut self.0).place.batch.get_or_insert(batch);
        self
    }

    /// What kind of mistake or failure it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operator whose code failed, if that is known.
    #[must_use]
    pub fn operator(&self) -> Option<&'static Operator> {
        self.0.place.operator
    }

    /// The partition whose task failed, if that is known.
    #[must_use]
    pub fn partition(&self) -> Option<usize> {
        self.0.place.partition
    }

    /// The batch that failed, if the error belongs to one.
    #[must_use]
    pub fn batch(&self) -> Option<BatchTime> {
        self.0.place.batch
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { message, place, .. } = &*self.0;
        f.write_str(message)?;
        if let Some(operator) = place.operator {
            write!(f, " in {operator}")?;
        }
        if let Some(batch) = place.batch {
            write!(f, ", batch {batch}")?;
        }
        if let Some(partition) = place.partition {
            write!(f, ", partition {partition}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A `main` that returns an error prints it with `Debug`: the sentence and its causes are what one wants to read.
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::io("input or output failed", error)
    }
}
