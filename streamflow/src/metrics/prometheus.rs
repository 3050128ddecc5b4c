//! The figures of a context in Prometheus's text format, under names that follow its conventions.

use std::fmt;
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeCounterValue, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::{Registry, Unit};

use super::{DelayMetrics, LogMetrics, Metrics, WorkMetrics};
use crate::StreamingContext;

/// Bounds of the buckets of delays, in milliseconds.
const BOUNDS: [u64; 14] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000];

/// Exports the figures of a context to Prometheus; needs the feature `metrics`.
///
/// It is a collector, to be registered in a registry that the program serves by itself, or shown as text on its own. The
/// page of the feature `ui` serves the same text under `/metrics`. All names begin with `streamflow_`; `docs/operating.md`
/// lists them. The figures of a context that was dropped are no longer exported.
///
/// **Cost**: reading some counters for each scrape, nothing otherwise.
///
/// # Examples
/// ```
/// use streamflow::metrics::Exporter;
/// use streamflow::testing::Driver;
///
/// let mut test = Driver::new()?;
/// let exporter = Exporter::new(test.context());
/// test.output(&test.input(vec![vec![1, 2, 3]]));
/// test.run_batches(1)?;
/// assert!(exporter.to_text().contains("streamflow_input_records_total{input=\"input\"} 3"));
/// # Ok::<(), streamflow::Error>(())
/// ```
pub struct Exporter {
    name: String,
    metrics: Box<dyn Fn() -> Option<Metrics> + Send + Sync>,
}

impl Exporter {
    /// An exporter that does not keep the context alive.
    #[must_use]
    pub fn new(context: &StreamingContext) -> Self {
        let metrics = context.metrics_reader();
        Self { name: context.name().to_owned(), metrics: Box::new(metrics) }
    }

    /// An exporter of these figures.
    #[cfg(feature = "ui")]
    pub(crate) fn reading(name: &str, meters: std::sync::Arc<super::meters::Meters>) -> Self {
        Self { name: name.to_owned(), metrics: Box::new(move || Some(meters.snapshot())) }
    }

    /// All figures in the text format that Prometheus scrapes (OpenMetrics).
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut registry = Registry::default();
        let metrics = (self.metrics)();
        let metrics = move || metrics.clone();
        registry.register_collector(Box::new(Self { name: self.name.clone(), metrics: Box::new(metrics) }));
        let mut text = String::new();
        encode(&mut text, &registry).expect("writing to a string does not fail");
        text
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exporter").field("context", &self.name).finish_non_exhaustive()
    }
}

impl Collector for Exporter {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(metrics) = (self.metrics)() else { return Ok(()) };
        let mut out = Out(encoder);
        out.batches(&metrics)?;
        out.inputs(&metrics)?;
        out.streams(&metrics)?;
        out.work(&metrics)?;
        out.checkpoints(&metrics)?;
        out.logs(&metrics)?;
        out.recovery(&metrics)
    }
}

/// One label, or none.
type Label = Vec<(&'static str, String)>;

/// Where the figures go.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn batches(&mut self, Metrics { batches, .. }: &Metrics) -> fmt::Result {
        self.counter("batches_submitted", "Batches that were made", [(none(), batches.submitted)])?;
        self.counter("batches_completed", "Batches that were processed", [(none(), batches.completed)])?;
        self.counter("batches_failed", "Batches with a failed output", [(none(), batches.failed)])?;
        self.counter("batches_dropped", "Batches dropped by a stop", [(none(), batches.dropped)])?;
        self.counter("batches_late", "Batches that began when the next was due already", [(none(), batches.late)])?;
        self.gauge("batches_waiting", "Batches that wait for their turn", [(none(), batches.waiting)])?;
        self.gauge("batches_running", "Batches that are being processed", [(none(), batches.running)])?;
        let last = batches.last.map(|last| (none(), last.as_millis() as f64 / 1e3));
        self.seconds(
            "batch_last_timestamp",
            "The last batch completed",
            MetricType::Gauge,
            last.into_iter().collect(),
        )?;
        let delays = [
            ("batch_scheduling_delay", "Time that a batch waited for its turn", &batches.scheduling_delay),
            ("batch_processing", "Time that a batch was processed", &batches.processing_delay),
            ("batch_total_delay", "Scheduling delay and processing time", &batches.total_delay),
        ];
        delays.into_iter().try_for_each(|(name, help, delay)| self.histogram(name, help, delay))
    }

    fn inputs(&mut self, metrics: &Metrics) -> fmt::Result {
        let each = |figure: fn(&super::InputMetrics) -> u64| {
            let figures = metrics.inputs.iter().map(move |input| (label("input", &*input.name), figure(input)));
            figures.collect::<Vec<_>>()
        };
        self.counter("input_records", "Records of completed batches", each(|input| input.records))?;
        self.counter("input_bytes", "Their bytes without the heap", each(|input| input.bytes))?;
        self.counter("input_errors", "Failures of the input", each(|input| input.errors))?;
        self.gauge("input_last_batch_records", "Records of the last batch", each(|input| input.last_records))?;
        self.gauge(
            "input_buffered_records",
            "Records waiting for the end of their batch",
            each(|i| i.buffered_records),
        )?;
        self.gauge("input_buffered_bytes", "Bytes waiting for the end of their batch", each(|i| i.buffered_bytes))?;
        let limits = |limit: fn(&super::InputMetrics) -> Option<u64>| {
            let limited = metrics.inputs.iter().filter_map(move |i| Some((label("input", &*i.name), limit(i)?)));
            limited.collect::<Vec<_>>()
        };
        self.gauge("input_buffer_limit_records", "Records at which a sender waits", limits(|i| i.buffer_records))?;
        self.gauge("input_buffer_limit_bytes", "Bytes at which a sender waits", limits(|i| i.buffer_bytes))?;
        self.gauge("input_rate_limit", "Most records per second", limits(|i| i.rate_limit))
    }

    fn streams(&mut self, metrics: &Metrics) -> fmt::Result {
        let each = |keeps_state: bool, figure: fn(&super::StreamMetrics) -> u64| {
            let streams = metrics.streams.iter().filter(move |stream| stream.keeps_state || !keeps_state);
            streams.map(move |stream| (label("stream", &stream.name), figure(stream))).collect::<Vec<_>>()
        };
        self.counter("stream_records", "Records of the stream", each(false, |s| s.records))?;
        self.counter("stream_shuffled_rows", "Rows shuffled to make the stream", each(false, |s| s.shuffled_rows))?;
        self.gauge("stream_partitions", "Partitions when it last yielded a batch", each(false, |s| s.partitions))?;
        self.gauge("stream_largest_partition", "Records of the largest one", each(false, |s| s.largest_partition))?;
        self.gauge("state_keys", "Keys of a window or state", each(true, |s| s.state_keys))?;
        self.gauge("state_bytes", "Bytes of its slots without the heap", each(true, |s| s.state_bytes))?;
        self.gauge("window_panes", "Panes that a window holds", each(true, |s| s.window_panes))
    }

    /// Stages, streams and outputs share these families; the label says who worked.
    fn work(&mut self, metrics: &Metrics) -> fmt::Result {
        let stages = metrics.stages.iter().map(|stage| (format!("s{}", stage.id), stage.work));
        let streams = metrics.streams.iter().map(|stream| (format!("n{}", stream.id), stream.work));
        let outputs = metrics.outputs.iter().map(|output| (format!("o{}", output.id), output.work));
        let workers = stages.chain(streams).chain(outputs).filter(|(_, work)| work.tasks > 0);
        let workers: Vec<(String, WorkMetrics)> = workers.collect();
        let each = |figure: fn(&WorkMetrics) -> u64| {
            workers.iter().map(move |(id, work)| (label("worker", id), figure(work))).collect::<Vec<_>>()
        };
        self.counter("worker_tasks", "Tasks that ran", each(|work| work.tasks))?;
        self.counter("worker_failed_tasks", "Attempts that failed", each(|work| work.failed_tasks))?;
        self.counter("worker_records", "Records that tasks read", each(|work| work.records))?;
        let seconds = |figure: fn(&WorkMetrics) -> Duration| {
            workers.iter().map(move |(id, work)| (label("worker", id), figure(work).as_secs_f64())).collect::<Vec<_>>()
        };
        self.seconds("worker_busy", "Time of all tasks together", MetricType::Counter, seconds(|work| work.busy))?;
        self.seconds("worker_longest_task", "The longest task", MetricType::Gauge, seconds(|work| work.longest_task))?;
        let failures = metrics.outputs.iter().map(|o| (label("output", &*o.description), o.failures));
        self.counter("output_failures", "Batches in which the output failed", failures.collect::<Vec<_>>())
    }

    fn checkpoints(&mut self, Metrics { checkpoints, .. }: &Metrics) -> fmt::Result {
        self.counter("checkpoints_written", "Checkpoints that are durable", [(none(), checkpoints.written)])?;
        self.counter("checkpoints_failed", "Checkpoints that could not be written", [(none(), checkpoints.failed)])?;
        self.counter("checkpoints_left_out", "Checkpoints due during another", [(none(), checkpoints.left_out)])?;
        self.counter("checkpoint_bytes", "Bytes of checkpoints that were written", [(none(), checkpoints.bytes)])?;
        self.histogram("checkpoint_collecting", "Time that a checkpoint held up its batch", &checkpoints.collecting)?;
        self.histogram("checkpoint_writing", "Time of its writing, beside batches", &checkpoints.writing)?;
        let Some(last) = &checkpoints.last else { return Ok(()) };
        let time = vec![(none(), last.batch_time.as_millis() as f64 / 1e3)];
        self.seconds("checkpoint_last_timestamp", "The batch of the last checkpoint", MetricType::Gauge, time)?;
        self.gauge("checkpoint_last_bytes", "Bytes that the last one wrote", [(none(), last.bytes)])?;
        self.gauge("checkpoint_generations", "Checkpoints that are kept", [(none(), last.generations as u64)])?;
        self.gauge("checkpoint_kept_bytes", "Bytes of all that are kept", [(none(), last.kept_bytes)])
    }

    fn logs(&mut self, Metrics { logs, .. }: &Metrics) -> fmt::Result {
        let each = |figure: fn(&LogMetrics) -> u64| {
            logs.iter().map(move |log| (label("log", &*log.name), figure(log))).collect::<Vec<_>>()
        };
        self.counter("log_writes", "Writes to a log, each with one sync", each(|log| log.writes))?;
        self.counter("log_failed_writes", "Writes that failed", each(|log| log.failed_writes))?;
        self.counter("log_records", "Records written to it", each(|log| log.records))?;
        self.counter("log_bytes", "Bytes written to it", each(|log| log.bytes))?;
        self.gauge("log_kept_bytes", "Bytes that it keeps", each(|log| log.kept_bytes))?;
        let seconds = |figure: fn(&LogMetrics) -> Duration| {
            logs.iter().map(move |log| (label("log", &*log.name), figure(log).as_secs_f64())).collect::<Vec<_>>()
        };
        self.seconds("log_busy", "Time of all writes together", MetricType::Counter, seconds(|log| log.busy))?;
        self.seconds("log_longest_write", "The longest write", MetricType::Gauge, seconds(|log| log.longest))
    }

    /// Nothing unless the context has recovered.
    fn recovery(&mut self, Metrics { recovery, .. }: &Metrics) -> fmt::Result {
        let Some(recovery) = recovery else { return Ok(()) };
        let (rerun, missed) = (recovery.batches.len() as u64, recovery.missed);
        self.gauge("recovery_rerun_batches", "Batches that the start ran again", [(none(), rerun)])?;
        self.gauge("recovery_missed_batches", "Batches due while the program was down", [(none(), missed)])?;
        let took = vec![(none(), recovery.took.as_secs_f64())];
        self.seconds("recovery_reading", "Time that it took to read what was durable", MetricType::Gauge, took)
    }

    fn counter(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Label, u64)>) -> fmt::Result {
        let name = full(name);
        let mut family = self.0.encode_descriptor(&name, help, None, MetricType::Counter)?;
        let mut each = values.into_iter();
        each.try_for_each(|(label, value)| labelled(&mut family, &label, |metric| counter(metric, &value)))
    }

    fn gauge(&mut self, name: &str, help: &str, values: impl IntoIterator<Item = (Label, u64)>) -> fmt::Result {
        let name = full(name);
        let mut family = self.0.encode_descriptor(&name, help, None, MetricType::Gauge)?;
        let mut each = values.into_iter();
        each.try_for_each(|(label, value)| labelled(&mut family, &label, |metric| metric.encode_gauge(&value)))
    }

    fn seconds(&mut self, name: &str, help: &str, kind: MetricType, values: Vec<(Label, f64)>) -> fmt::Result {
        let name = full(name);
        let mut family = self.0.encode_descriptor(&name, help, Some(&Unit::Seconds), kind)?;
        values.into_iter().try_for_each(|(label, value)| {
            labelled(&mut family, &label, |metric| match kind {
                MetricType::Counter => counter(metric, &value),
                _ => metric.encode_gauge(&value),
            })
        })
    }

    fn histogram(&mut self, name: &str, help: &str, delay: &DelayMetrics) -> fmt::Result {
        let below = delay.up_to(&BOUNDS.map(Duration::from_millis));
        let mut counted = 0;
        // The encoder adds the buckets up by itself.
        let within = below.into_iter().map(|up_to| up_to - std::mem::replace(&mut counted, up_to));
        let bounds = BOUNDS.iter().map(|millis| *millis as f64 / 1e3);
        let mut buckets: Vec<(f64, u64)> = bounds.zip(within).collect();
        buckets.push((f64::MAX, delay.count - counted));
        let name = full(name);
        let mut family = self.0.encode_descriptor(&name, help, Some(&Unit::Seconds), MetricType::Histogram)?;
        family.encode_histogram::<NoLabelSet>(delay.sum.as_secs_f64(), delay.count, &buckets, None)
    }
}

fn full(name: &str) -> String {
    format!("streamflow_{name}")
}

/// Encodes one figure of a family.
fn labelled(
    family: &mut MetricEncoder<'_>,
    label: &Label,
    encode: impl FnOnce(&mut MetricEncoder<'_>) -> fmt::Result,
) -> fmt::Result {
    if label.is_empty() { encode(family) } else { encode(&mut family.encode_family(label)?) }
}

fn counter<V: EncodeCounterValue>(metric: &mut MetricEncoder<'_>, value: &V) -> fmt::Result {
    metric.encode_counter::<NoLabelSet, _, u64>(value, None)
}

fn none() -> Label {
    Vec::new()
}

fn label(key: &'static str, value: impl Into<String>) -> Label {
    vec![(key, value.into())]
}
