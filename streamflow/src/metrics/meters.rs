//! The counters of a running context: plain atomics, written at the borders of batches.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::delays::Delays;
use super::durable::{DurableMeter, LogMeter};
use super::snapshot::{
    BatchMetrics, InputMetrics, LogMetrics, Metrics, OutputMetrics, StageMetrics, StreamMetrics, WarningInfo,
    WorkMetrics,
};
use super::work::{Ledger, Roster};
use crate::error::Error;
use crate::listener::BatchInfo;
use crate::scheduler::jobs::describe;
use crate::time::{BatchTime, lock};
use crate::topology::Graph;

/// A number that only grows, or one that is set.
#[derive(Default)]
pub(crate) struct Cell(AtomicU64);

impl Cell {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    pub(crate) fn raise(&self, n: u64) {
        self.0.fetch_max(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All counters of a context.
pub(crate) struct Meters {
    graph: Arc<Graph>,
    roster: Roster,
    pub(crate) batches: BatchMeter,
    inputs: Box<[Arc<InputMeter>]>,
    workers: Box<[WorkMeter]>,
    streams: Box<[StreamMeter]>,
    output_failures: Box<[Cell]>,
    durable: Arc<DurableMeter>,
    warnings: Mutex<VecDeque<WarningInfo>>,
}

/// Warnings that are kept.
const KEPT_WARNINGS: usize = 32;

/// Counts batches.
#[derive(Default)]
pub(crate) struct BatchMeter {
    pub(crate) submitted: Cell,
    pub(crate) started: Cell,
    completed: Cell,
    failed: Cell,
    dropped: Cell,
    late: Cell,
    last: Cell,
    records: Cell,
    scheduling: Delays,
    processing: Delays,
    total: Delays,
}

/// Counts what an input delivers. Receivers and channels set their fill themselves.
#[derive(Default)]
pub(crate) struct InputMeter {
    name: Arc<str>,
    records: Cell,
    last_records: Cell,
    bytes: Cell,
    errors: Cell,
    last_error: Mutex<Option<(Error, Option<BatchTime>)>>,
    /// Records and bytes that are stored and whose batch is not done.
    pub(crate) buffered_records: Cell,
    pub(crate) buffered_bytes: Cell,
    /// How many may be; zero if there is no limit.
    pub(crate) buffer_records: Cell,
    pub(crate) buffer_bytes: Cell,
    /// Records per second; zero if there is no limit.
    pub(crate) rate_limit: Cell,
    /// That of the log of its blocks, if it has one.
    pub(crate) log: OnceLock<Arc<LogMeter>>,
}

impl InputMeter {
    /// Notes an error of the input.
    pub(crate) fn error(&self, error: &Error, time: Option<BatchTime>) {
        self.errors.add(1);
        *lock(&self.last_error) = Some((error.clone(), time.or(error.batch())));
    }

    /// How many there were.
    pub(crate) fn errors(&self) -> u64 {
        self.errors.get()
    }

    /// How many there were, and the last.
    pub(crate) fn last_error(&self) -> (u64, Option<Error>) {
        (self.errors.get(), lock(&self.last_error).as_ref().map(|(error, _)| error.clone()))
    }
}

/// Counts the tasks of a worker.
#[derive(Default)]
struct WorkMeter {
    tasks: Cell,
    failed: Cell,
    records: Cell,
    busy_nanos: Cell,
    longest_nanos: Cell,
}

/// Counts what crosses into a stream.
#[derive(Default)]
struct StreamMeter {
    shuffled: Cell,
    records: Cell,
    last_records: Cell,
    partitions: Cell,
    largest_partition: Cell,
    keys: Cell,
    bytes: Cell,
    panes: Cell,
}

impl Meters {
    /// Counters for the parts of `graph` and the inputs of these names, beside those of what is durable.
    pub(crate) fn new(graph: Arc<Graph>, inputs: impl Iterator<Item = Arc<str>>, durable: Arc<DurableMeter>) -> Self {
        fn cells<M: Default>(count: usize) -> Box<[M]> {
            std::iter::repeat_with(M::default).take(count).collect()
        }
        let roster = Roster::of(&graph);
        Self {
            roster,
            batches: BatchMeter::default(),
            inputs: inputs.map(|name| Arc::new(InputMeter { name, ..InputMeter::default() })).collect(),
            workers: cells(roster.len()),
            streams: cells(roster.streams),
            output_failures: cells(roster.outputs),
            graph,
            durable,
            warnings: Mutex::default(),
        }
    }

    pub(crate) fn input(&self, input: usize) -> &Arc<InputMeter> {
        &self.inputs[input]
    }

    /// Batches that wait for their turn.
    pub(crate) fn waiting(&self) -> u64 {
        let gone = self.batches.started.get() + self.batches.dropped.get();
        self.batches.submitted.get().saturating_sub(gone)
    }

    /// Notes that batches were dropped by a stop.
    pub(crate) fn dropped(&self, batches: u64) {
        self.batches.dropped.add(batches);
    }

    /// Keeps a warning for those who look at the figures.
    pub(crate) fn warn(&self, warning: WarningInfo) {
        let mut warnings = lock(&self.warnings);
        if warnings.len() == KEPT_WARNINGS {
            warnings.pop_front();
        }
        warnings.push_back(warning);
    }

    /// Takes in what a batch did.
    pub(crate) fn complete(&self, batch: &BatchInfo, ledger: &Ledger) {
        self.count_batch(batch);
        ledger.each_entry(|index, entry| {
            if entry.tasks == 0 {
                return;
            }
            let meter = &self.workers[index];
            meter.tasks.add(entry.tasks);
            meter.failed.add(entry.failed);
            meter.records.add(entry.records);
            meter.busy_nanos.add(entry.busy.as_nanos() as u64);
            meter.longest_nanos.raise(entry.longest.as_nanos() as u64);
        });
        ledger.each_border(|index, border| {
            let meter = &self.streams[index];
            meter.shuffled.add(border.shuffled);
            meter.records.add(border.records);
            // A window yields nothing in most batches; its last figures stay.
            if border.partitions > 0 {
                meter.last_records.set(border.records);
                meter.partitions.set(border.partitions);
                meter.largest_partition.set(border.largest);
            }
            if let Some(kept) = border.kept {
                meter.keys.set(kept.keys);
                meter.bytes.set(kept.bytes);
                meter.panes.set(kept.panes);
            }
        });
    }

    fn count_batch(&self, batch: &BatchInfo) {
        let meter = &self.batches;
        meter.completed.add(1);
        meter.failed.add(u64::from(batch.has_failed()));
        meter.late.add(u64::from(batch.is_late().unwrap_or(false)));
        meter.last.set(batch.batch_time.as_millis());
        for (input, info) in self.inputs.iter().zip(&batch.inputs) {
            let records = info.records.unwrap_or(0);
            meter.records.add(records);
            input.records.add(records);
            input.last_records.set(records);
            input.bytes.add(info.bytes.unwrap_or(0));
        }
        for output in batch.outputs.iter().filter(|output| output.failure.is_some()) {
            self.output_failures[output.id].add(1);
        }
        let delays = [
            (&meter.scheduling, batch.scheduling_delay()),
            (&meter.processing, batch.processing_delay()),
            (&meter.total, batch.total_delay()),
        ];
        delays.into_iter().for_each(|(delays, delay)| delays.add(delay.unwrap_or_default()));
    }

    /// The present figures.
    pub(crate) fn snapshot(&self) -> Metrics {
        let graph = &self.graph;
        let stages = graph.stages.iter().enumerate().map(|(id, stage)| StageMetrics {
            id,
            reads: graph.nodes[stage.input().0].name.clone(),
            operators: stage.plan().fused.iter().map(|fused| fused.operator.name).collect(),
            work: self.workers[id].snapshot(),
        });
        let streams = graph.nodes.iter().zip(&self.streams).enumerate().map(|(id, (node, meter))| StreamMetrics {
            id,
            name: node.name.clone(),
            made_by: node.label.clone(),
            keeps_state: node.stateful,
            shuffled_rows: meter.shuffled.get(),
            records: meter.records.get(),
            last_records: meter.last_records.get(),
            partitions: meter.partitions.get(),
            largest_partition: meter.largest_partition.get(),
            state_keys: meter.keys.get(),
            state_bytes: meter.bytes.get(),
            window_panes: meter.panes.get(),
            work: self.workers[self.roster.stages + id].snapshot(),
        });
        let outputs = graph.outputs.iter().enumerate().map(|(id, output)| OutputMetrics {
            id,
            name: output.name,
            description: describe(output),
            failures: self.output_failures[id].get(),
            work: self.workers[self.roster.stages + self.roster.streams + id].snapshot(),
        });
        Metrics {
            batches: self.batches.snapshot(self.waiting()),
            inputs: self.inputs.iter().enumerate().map(|(id, input)| input.snapshot(id)).collect(),
            stages: stages.collect(),
            streams: streams.collect(),
            outputs: outputs.collect(),
            checkpoints: self.durable.snapshot(),
            logs: self.logs(),
            recovery: self.durable.recovery.get().cloned(),
            warnings: lock(&self.warnings).iter().cloned().collect(),
        }
    }

    /// The logs in the checkpoint directory.
    fn logs(&self) -> Vec<LogMetrics> {
        let batches = self.durable.batch_log.get().map(|log| log.snapshot("batches".to_owned()));
        let received = self.inputs.iter().filter_map(|input| Some((input.log.get()?, &input.name)));
        let received = received.map(|(log, input)| log.snapshot(format!("received/{input}")));
        batches.into_iter().chain(received).collect()
    }
}

impl BatchMeter {
    fn snapshot(&self, waiting: u64) -> BatchMetrics {
        let completed = self.completed.get();
        BatchMetrics {
            submitted: self.submitted.get(),
            waiting,
            running: self.started.get().saturating_sub(completed),
            completed,
            failed: self.failed.get(),
            dropped: self.dropped.get(),
            late: self.late.get(),
            records: self.records.get(),
            last: (completed > 0).then(|| BatchTime::from_millis(self.last.get())),
            scheduling_delay: self.scheduling.snapshot(),
            processing_delay: self.processing.snapshot(),
            total_delay: self.total.snapshot(),
        }
    }
}

impl InputMeter {
    fn snapshot(&self, id: usize) -> InputMetrics {
        let last_error = lock(&self.last_error).clone();
        let limit = |cell: &Cell| Some(cell.get()).filter(|limit| *limit > 0);
        InputMetrics {
            id,
            name: Arc::clone(&self.name),
            records: self.records.get(),
            last_records: self.last_records.get(),
            bytes: self.bytes.get(),
            errors: self.errors.get(),
            last_error_time: last_error.as_ref().and_then(|(_, time)| *time),
            last_error: last_error.map(|(error, _)| error),
            buffered_records: self.buffered_records.get(),
            buffered_bytes: self.buffered_bytes.get(),
            buffer_records: limit(&self.buffer_records),
            buffer_bytes: limit(&self.buffer_bytes),
            rate_limit: limit(&self.rate_limit),
        }
    }
}

impl WorkMeter {
    fn snapshot(&self) -> WorkMetrics {
        WorkMetrics {
            tasks: self.tasks.get(),
            failed_tasks: self.failed.get(),
            records: self.records.get(),
            busy: std::time::Duration::from_nanos(self.busy_nanos.get()),
            longest_task: std::time::Duration::from_nanos(self.longest_nanos.get()),
        }
    }
}
