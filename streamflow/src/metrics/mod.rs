//! Figures of a running context: batches, inputs, stages, streams, outputs, logs and checkpoints.
//!
//! [`StreamingContext::metrics`](crate::StreamingContext::metrics) returns them; with the feature `metrics` they are
//! exported for Prometheus. What a single batch did is in the [`BatchInfo`](crate::listener::BatchInfo) that a
//! [`StreamingListener`](crate::listener::StreamingListener) gets.
//!
//! **Cost**: nothing per record. Records are counted where they cross the border of a stage, from the lengths of blocks and
//! buckets; time is taken once for each task. Counters are plain atomics that are written when a batch ends.

mod delays;
pub(crate) mod durable;
pub(crate) mod meters;
#[cfg(feature = "progress")]
mod progress;
#[cfg(feature = "metrics")]
mod prometheus;
mod snapshot;
mod summary;
pub(crate) mod watch;
pub(crate) mod work;

pub(crate) use self::delays::Delays;
#[cfg(feature = "progress")]
pub use self::progress::Progress;
#[cfg(feature = "metrics")]
pub use self::prometheus::Exporter;
pub use self::snapshot::{
    BatchMetrics, CheckpointMetrics, DelayMetrics, InputMetrics, LogMetrics, Metrics, OutputMetrics, StageMetrics,
    StreamMetrics, WarningInfo, WorkMetrics,
};
pub use self::summary::Summary;
pub use self::work::{TaskInfo, WorkInfo, Worker};
