//! Outputs: what is done with the batches of a stream.
//!
//! Output operations are methods of [`DStream`](crate::DStream). They run in the order of their declaration, once per
//! batch, and a batch with a failed output has failed; the other outputs of the batch are run all the same.
//!
//! | method | what it does | again, for the same batch |
//! |---|---|---|
//! | [`print`](crate::DStream::print) | first records on the standard output | prints again |
//! | [`save_as_text_files`](crate::DStream::save_as_text_files) | a directory of text files per batch | replaces it |
//! | `save_as_object_files` | a directory of encoded records per batch | replaces it |
//! | [`foreach_batch`](crate::DStream::foreach_batch) | a function of the batch | up to the function: [`Batch::is_rerun`](crate::Batch::is_rerun) |
//! | [`foreach_partition`](crate::DStream::foreach_partition) | a function of each partition | up to the function |
//! | [`foreach`](crate::DStream::foreach) | a function of each record | up to the function |
//! | [`to`](crate::DStream::to) | a [`Sink`] | up to the sink: it stages, then commits |
//! | [`remember`](crate::DStream::remember) | the last batches, for the program to ask for | remembers it again: the memory is that of one run |
//! | `to` with `SqliteSink` (feature `sqlite`) | rows in an SQLite database, a transaction per batch | leaves it as it is |

mod custom;
mod directory;
mod foreach;
mod object_files;
mod print;
mod remember;
#[cfg(feature = "sqlite")]
mod sqlite;
mod text_files;

use std::sync::Arc;

use crate::error::{BoxError, Error, Result};
use crate::record::Record;
use crate::run::Run;
use crate::topology::NodeId;

pub use self::custom::{Sink, SinkBatch};
pub use self::foreach::Partition;
pub use self::object_files::read_object_files;
pub use self::remember::Remembered;
#[cfg(feature = "sqlite")]
pub use self::sqlite::SqliteSink;
/// The crate that [`SqliteSink`] works with, in its version.
#[cfg(feature = "sqlite")]
pub use rusqlite;

/// What a function of an output may return: nothing, or a `Result` of nothing.
pub trait OutputResult: Send {
    /// Success, or the function's own error.
    ///
    /// # Errors
    /// The function's own error.
    fn into_result(self) -> Result<(), Box<dyn std::error::Error + Send + Sync>>;
}

impl OutputResult for () {
    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

impl<E: Into<BoxError> + Send> OutputResult for Result<(), E> {
    fn into_result(self) -> Result<(), BoxError> {
        self.map_err(Into::into)
    }
}

/// The result of a function of an output as the library's own.
fn settle(output: &str, result: impl OutputResult) -> Result<()> {
    result.into_result().map_err(|cause| Error::output(format!("`{output}` failed")).because(cause))
}

/// The blocks of a node, for outputs that only look at the records.
fn blocks<T: Record + ?Sized>(run: &Run<'_>, node: NodeId) -> Result<Vec<Arc<T::Block>>> {
    Ok(crate::batch::Batch::<T>::read(run, node, None)?.into_blocks().0)
}

/// What outputs of unit tests write to, and how they are run.
#[cfg(test)]
mod test_support {
    use crate::batch_context::BatchContext;
    use crate::dstream::DStream;
    use crate::error::Result;

    /// Runs the outputs that `declare` adds to a stream of these records in two partitions: a batch at time zero.
    pub(super) fn run<T: Clone + Send + Sync + 'static>(
        records: Vec<T>,
        declare: impl FnOnce(&DStream<T>),
    ) -> Result<()> {
        let ctx = BatchContext::with(2, 2)?;
        declare(&ctx.records(records));
        ctx.run()
    }
}
