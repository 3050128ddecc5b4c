//! Discretised streams: Spark Streaming's model as statically typed, fused Rust loops.
extern crate self as streamflow;

#[doc(hidden)]
pub mod __fuzz;
#[doc(hidden)]
#[allow(missing_docs, reason = "not part of the public interface")]
pub mod __private;
mod batch;
mod batch_context;
mod checkpoint;
mod context;
mod dataset;
mod dstream;
mod error;
mod exec;
mod fs;
mod plan;
pub mod prelude;
mod record;
mod recovery;
mod run;
mod scheduler;
mod shuffle;
pub mod sink;
pub mod source;
mod stage;
mod state;
pub mod testing;
mod time;
mod topology;
mod wal;

/// Listeners: what a program can learn of its batches while it runs.
pub mod listener {
    pub use crate::scheduler::listener::{BatchInfo, InputInfo, OutputOperationInfo, ReceiverInfo, StreamingListener};
    pub use crate::scheduler::stats::Stats;
}

pub use crate::batch::Batch;
pub use crate::batch_context::BatchContext;
pub use crate::context::{ContextState, StreamingContext, StreamingContextBuilder};
pub use crate::dstream::DStream;
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::plan::explain::Explanation;
pub use crate::record::{Block, BytesBlock, Fork, Record, TextBlock};
pub use crate::recovery::inspect::{CheckpointSummary, InputSummary, StateSummary, WaitingBatch, inspect_checkpoint};
pub use crate::recovery::settings::MissedBatches;
pub use crate::stage::map_with_state::MapWithStateStream;
pub use crate::stage::static_table::StaticTable;
pub use crate::state::{State, StateSpec};
pub use crate::time::{BatchTime, Clock, ManualClock, SystemClock};
pub use streamflow_macros::{Record, stream};
