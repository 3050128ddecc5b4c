//! Discretised streams: Spark Streaming's model as statically typed, fused Rust loops.
//!
//! A live stream is cut into small batches. Each batch is a deterministic job over partitions; windows and state are carried
//! from batch to batch. A function under [`#[stream]`](stream) declares what happens to the records:
//!
//! ```
//! use streamflow::prelude::*;
//! use streamflow::testing;
//!
//! #[stream]
//! fn word_count(lines: DStream<str>) -> DStream<(String, u64)> {
//!     lines.flat_map(|line| line.split_whitespace()).map(|word| (word, 1)).reduce_by_key(|a, b| a + b)
//! }
//!
//! let mut test = testing::Driver::new()?;
//! let counts = test.output(&word_count(test.text(vec![vec!["to be"], vec!["or not", "to be"]])));
//! test.run_batches(2)?;
//! assert_eq!(counts.batches()[1].len(), 4);
//! # Ok::<(), streamflow::Error>(())
//! ```
//!
//! The macro reads the whole topology when it is compiled. Operators between two shuffles become one loop; shuffles, windows
//! and state stay as stages that the runtime schedules for every batch:
//!
//! ```text
//!            ┌ stage 0: one loop per partition ┐          ┌ stage 1 ┐
//!  lines ──▶ │ flat_map ▸ map ▸ combine by key │ shuffle  │ merge ▸ │ ──▶ outputs
//!            └─────────────────────────────────┘ ───────▶ └─────────┘
//! ```
//!
//! # Where to begin
//!
//! | you want | look at |
//! |---|---|
//! | the language | [`stream`] |
//! | a program that runs | [`StreamingContext`]: inputs, outputs, start, stop |
//! | the same over a finite collection | [`BatchContext`] |
//! | to test a topology | [`testing`] |
//! | inputs and outputs | [`source`], [`sink`], the methods of [`StreamingContext`] and [`DStream`] |
//! | to watch it | [`listener`], [`StreamingContext::explain`] |
//! | state that survives | [`StreamingContextBuilder::checkpoint`] |
#![cfg_attr(doctest, doc = include_str!("../../README.md"))]

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
pub mod metrics;
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
#[cfg(feature = "ui")]
mod ui;
mod wal;

/// Listeners: what a program can learn of its batches while it runs.
pub mod listener {
    #[cfg(feature = "progress")]
    pub use crate::metrics::Progress;
    pub use crate::metrics::Summary;
    pub use crate::scheduler::info::{
        BatchInfo, BlockInfo, CheckpointInfo, InputInfo, OutputOperationInfo, ReceiverInfo, RecoveryInfo,
    };
    pub use crate::scheduler::listener::StreamingListener;
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
pub use crate::scheduler::backpressure::PidRateEstimator;
pub use crate::stage::map_with_state::MapWithStateStream;
pub use crate::stage::static_table::StaticTable;
pub use crate::state::{State, StateSpec};
pub use crate::time::{BatchTime, Clock, ManualClock, SystemClock};
/// Says how a record that borrows becomes one that owns, when it leaves a stage.
///
/// Only types **with a lifetime** need it. It makes an owned companion type, `Owned` followed by the type's name, whose
/// fields are the owned forms of the fields; that is what the stream carries behind the stage.
///
/// | attribute | effect |
/// |---|---|
/// | `#[record(owned = HitBuf)]` | the companion is called `HitBuf` |
/// | `#[record(derive(Debug, PartialEq))]` | the companion derives these beside `Clone` |
/// | `#[record(key)]` | the type can be a key: the companion is `Hash + Eq`, and is looked up by the borrowed form |
///
/// # Examples
/// ```
/// use streamflow::prelude::*;
/// use streamflow::BatchContext;
///
/// #[derive(Record)]
/// #[record(owned = PageBuf, key, derive(Debug))]
/// struct Page<'a> {
///     host: &'a str,
///     status: u16,
/// }
///
/// /// Hits by host and status; the key borrows from the line until it is new.
/// #[stream]
/// fn hits(lines: DStream<str>) -> DStream<(PageBuf, u64)> {
///     lines
///         .filter_map(|line| {
///             let (host, status) = line.split_once(' ')?;
///             Some((Page { host, status: status.parse().ok()? }, 1))
///         })
///         .reduce_by_key(|a, b| a + b)
/// }
///
/// let ctx = BatchContext::new()?;
/// let hits = ctx.collect(hits(ctx.text("a.org 200\na.org 200\nbroken")))?;
/// assert_eq!(hits, [(PageBuf { host: "a.org".into(), status: 200 }, 2)]);
/// # Ok::<(), streamflow::Error>(())
/// ```
pub use streamflow_macros::Record;

/// Declares a topology: a function from streams to streams, fused when it is compiled.
///
/// It stands on an ordinary function. Parameters of type [`DStream`] are streams, all others are plain values that closures
/// may use; they are cloned once per stage, never per record. The result is a stream, a tuple of streams, or nothing. Calling
/// the function declares its operators on the streams that it is given; nothing runs before the context starts.
///
/// # What is language, and what is Rust
///
/// Only the outermost method chain that starts at a stream is the language. What stands in a closure is untouched Rust.
/// Statements that touch no stream run once, when the topology is declared. A stream under `if`, `for` or `match` is refused:
/// a topology is static.
///
/// * A stream may be used any number of times; it is computed once.
/// * Records are values: `DStream<Tweet>` hands out `Tweet`s. Unsized records are views: `DStream<str>` hands out `&str`.
/// * A closure may return what borrows from its argument, also from an owned one. In every other respect a closure is one.
/// * What crosses a shuffle is owned, and only then: `&str` becomes `String`. A key is owned when it is new. Types of your own
///   with a lifetime say how by [`derive(Record)`](derive@Record).
/// * Durations are written `500ms`, `30s`, `1min`, `2h`, or are any expression of type [`Duration`](std::time::Duration).
/// * `#[stream]` functions call each other; a narrow helper is a plain function (`.flat_map(words)`).
///
/// # Operators
///
/// | family | operators |
/// |---|---|
/// | narrow, fused | `map` `flat_map` `filter` `filter_map` `inspect` `map_values` `flat_map_values` `key_by` `keys` `values` `swap` `map_partitions` `glom` `union`, `join` and `left_outer_join` with a [`StaticTable`] |
/// | by key | `reduce_by_key` `combine_by_key` `aggregate_by_key` `fold_by_key` `group_by_key` `partition_by` |
/// | wide | `count` `count_by_value` `reduce` `distinct` `repartition` `top_by` |
/// | two streams | `join` `left_outer_join` `right_outer_join` `full_outer_join` `cogroup` |
/// | whole batches | `transform` `transform_with` |
/// | windows | `window` `count_by_window` `count_by_value_and_window` `reduce_by_window` `reduce_by_key_and_window` `group_by_key_and_window` |
/// | state | `update_state_by_key` `update_state_by_partition` `map_with_state` `state_snapshots` |
/// | outputs | `print` `save_as_text_files` `save_as_object_files` `foreach_batch` `foreach_partition` `foreach` `to` |
///
/// Spark's `cache`, `persist` and `checkpoint` of a stream are not needed; its `slice` and `remember` are methods of the
/// stream that a function returns: [`DStream::remember`].
///
/// What each yields for given batches stands in `docs/semantics.md`, what to choose when in `docs/windows.md`.
///
/// `#[stream(batch = 1s)]` says the batch interval of the context that the function is meant for, so that windows are checked
/// against it at compile time. A context with another interval refuses to start.
///
/// # Mistakes
///
/// All mistakes of a function are reported at once, each at your own token, with the reason and what to type. To see what a
/// function became, build with `STREAMFLOW_EXPAND=name_of_the_function`.
///
/// **Source**: Spark's DStreams; names are Spark's, in snake case.
///
/// # Examples
/// ```
/// use streamflow::prelude::*;
/// use streamflow::BatchContext;
///
/// /// Two results from one scan of the lines.
/// #[stream]
/// fn alerts(lines: DStream<str>, slow: u64) -> (DStream<(String, u64)>, DStream<u64>) {
///     let requests = lines.filter_map(|line| {
///         let (path, millis) = line.split_once(' ')?;
///         Some((path, millis.parse::<u64>().ok()?))
///     });
///     let worst = requests.reduce_by_key(|a, b| a.max(b));
///     let slow_ones = requests.filter(|(_, millis)| *millis > slow).count();
///     (worst, slow_ones)
/// }
///
/// let ctx = BatchContext::new()?;
/// let (worst, slow_ones) = alerts(ctx.text("/a 10\n/b 250\n/a 30"), 100);
/// slow_ones.foreach(|count| assert_eq!(count, 1));
/// let mut worst = ctx.collect(worst)?;
/// worst.sort();
/// assert_eq!(worst, [("/a".to_owned(), 30), ("/b".to_owned(), 250)]);
/// # Ok::<(), streamflow::Error>(())
/// ```
pub use streamflow_macros::stream;
