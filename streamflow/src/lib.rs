//! Discretised streams: Spark Streaming's model as statically typed, fused Rust loops.
extern crate self as streamflow;

#[doc(hidden)]
#[allow(missing_docs, reason = "not part of the public interface")]
pub mod __private;
mod batch;
mod batch_context;
mod dataset;
mod dstream;
mod error;
mod exec;
mod fs;
mod plan;
mod record;
mod run;
mod shuffle;
pub mod prelude;
pub mod sink;
pub mod source;
mod stage;
mod time;
mod topology;

pub use crate::batch::Batch;
pub use crate::batch_context::BatchContext;
pub use crate::dstream::DStream;
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::record::{Block, BytesBlock, Fork, Record, TextBlock};
pub use crate::stage::static_table::StaticTable;
pub use streamflow_macros::{Record, stream};
pub use crate::time::{BatchTime, Clock, ManualClock, SystemClock};
