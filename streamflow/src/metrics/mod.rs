//! Figures of a running context: batches, inputs, stages, streams and outputs.
//!
//! [`StreamingContext::metrics`](crate::StreamingContext::metrics) returns them; with the feature `metrics` they are
//! exported for Prometheus. What a single batch did is in the [`BatchInfo`](crate::listener::BatchInfo) that a
//! [`StreamingListener`](crate::listener::StreamingListener) gets.
//!
//! **Cost**: nothing per record. Records are counted where they cross the border of a stage, from the lengths of blocks and
//! buckets; time is taken once for each task. Counters are plain atomics that are written when a batch ends.

mod delays;
pub(crate) mod meters;
#[cfg(feature = "metrics")]
mod prometheus;
#[cfg(feature = "progress")]
mod progress;
mod snapshot;
mod summary;
pub(crate) mod watch;
pub(crate) mod work;

#[cfg(feature = "metrics")]
pub use self::prometheus::Exporter;
#[cfg(feature = "progress")]
pub use self::progress::Progress;
pub(crate) use self::delays::Delays;
pub use self::snapshot::{
    BatchMetrics, DelayMetrics, InputMetrics, Metrics, OutputMetrics, StageMetrics, StreamMetrics, WorkMetrics,
};
pub use self::summary::Summary;
pub use self::work::{TaskInfo, WorkInfo, Worker};
