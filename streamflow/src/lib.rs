//! Discretised streams: Spark Streaming's model as statically typed, fused Rust loops.
extern crate self as streamflow;

#[doc(hidden)]
#[allow(missing_docs, reason = "not part of the public interface")]
pub mod __private;
#[doc(hidden)]
pub mod __fuzz;
mod batch;
mod batch_context;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the scheduler, the state operators and the sinks are wired to it next")
)]
mod checkpoint;
mod dataset;
mod dstream;
mod error;
mod exec;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the scheduler, the state operators and the sinks are wired to it next")
)]
mod fs;
mod plan;
pub mod prelude;
mod record;
mod run;
mod shuffle;
pub mod sink;
pub mod source;
mod stage;
mod state;
pub mod testing;
mod time;
mod topology;
#[cfg_attr(
    not(test),
    expect(dead_code, reason = "the scheduler, the state operators and the sinks are wired to it next")
)]
mod wal;

pub use crate::batch::Batch;
pub use crate::batch_context::BatchContext;
pub use crate::dstream::DStream;
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::record::{Block, BytesBlock, Fork, Record, TextBlock};
pub use crate::stage::map_with_state::MapWithStateStream;
pub use crate::stage::static_table::StaticTable;
pub use crate::state::{State, StateSpec};
pub use crate::time::{BatchTime, Clock, ManualClock, SystemClock};
pub use streamflow_macros::{Record, stream};
