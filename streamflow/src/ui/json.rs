//! What the page is told, as JSON. Texts of the program and of its records are values of strings, and nothing else.

use serde_json::{Map, Value, json};

use super::Hub;
use super::history::{Memory, Row, shortened, text};
use super::layout::draw;
use crate::listener::{CheckpointInfo, RecoveryInfo};
use crate::metrics::{
    CheckpointMetrics, DelayMetrics, InputMetrics, LogMetrics, Metrics, StreamMetrics, WorkInfo, WorkMetrics,
};
use crate::time::BatchTime;

/// Everything but the batches: how the program is and what it has done.
pub(super) fn status(hub: &Hub) -> Value {
    let metrics = hub.meters.snapshot();
    let now = hub.clock.now();
    hub.history.look(|memory| {
        let batches = &metrics.batches;
        json!({
            "name": hub.name,
            "interval": hub.interval.as_millis() as u64,
            "now": now.as_millis(),
            "started": memory.started.map(BatchTime::as_millis),
            "version": memory.version,
            "health": health(hub, memory),
            "batches": {
                "submitted": batches.submitted,
                "waiting": batches.waiting,
                "running": batches.running,
                "completed": batches.completed,
                "failed": batches.failed,
                "late": batches.late,
                "records": batches.records,
            },
            "delays": {
                "scheduling": delay(&batches.scheduling_delay),
                "processing": delay(&batches.processing_delay),
                "total": delay(&batches.total_delay),
            },
            "inputs": metrics.inputs.iter().map(|found| input(found, memory)).collect::<Vec<_>>(),
            "streams": metrics.streams.iter().map(stream).collect::<Vec<_>>(),
            "work": workers(&metrics),
            "checkpoints": checkpoints(&metrics.checkpoints),
            "logs": metrics.logs.iter().map(log).collect::<Vec<_>>(),
            "recovery": metrics.recovery.as_ref().map(recovery),
            "warnings": metrics.warnings.iter().rev().map(|warning| json!({
                "time": warning.batch.as_millis(),
                "text": shortened(&warning.text),
            })).collect::<Vec<_>>(),
            "errors": memory.mishaps.iter().rev().map(|mishap| json!({
                "time": mishap.time.as_millis(),
                "place": mishap.place,
                "text": mishap.text,
            })).collect::<Vec<_>>(),
        })
    })
}

/// Whether the program keeps up, with what that rests on.
pub(super) fn health(hub: &Hub, memory: &Memory) -> Value {
    let lag = hub.lag(memory);
    json!({
        "keeps_up": lag <= hub.tolerance(),
        "lag": lag.as_millis() as u64,
        "tolerance": hub.tolerance().as_millis() as u64,
        "unfinished": memory.active.len(),
    })
}

/// The batches that changed after `version`, and the newest `last` of those that are done.
pub(super) fn rows(memory: &Memory, version: u64, last: usize) -> Value {
    let active = memory.active.values().filter(|found| found.version > version);
    let from = memory.completed.len().saturating_sub(last);
    let completed = memory.completed.range(from..).filter(|found| found.version > version);
    json!({ "active": active.map(row).collect::<Vec<_>>(), "completed": completed.map(row).collect::<Vec<_>>() })
}

fn row(row: &Row) -> Value {
    let since = |later: Option<BatchTime>, earlier: Option<BatchTime>| Some(later?.since(earlier?).as_millis() as u64);
    json!({
        "time": row.time.as_millis(),
        "records": row.records(),
        "inputs": row.inputs,
        "scheduling": since(row.started, Some(row.submitted)),
        "processing": since(row.ended, row.started),
        "total": since(row.ended, Some(row.submitted)),
        "started": row.started.map(BatchTime::as_millis),
        "outputs": row.outputs.len(),
        "succeeded": row.outputs.iter().filter(|output| output.failure.is_none()).count(),
        "failed": row.failed(),
        "late": row.late,
    })
}

/// One batch with its outputs, workers and tasks.
pub(super) fn batch(memory: &Memory, time: BatchTime) -> Option<Value> {
    let completed = memory.completed.iter().rev().find(|row| row.time == time);
    let found = completed.or_else(|| memory.active.get(&time))?;
    let mut value = row(found);
    value["output_operations"] = found
        .outputs
        .iter()
        .map(|output| {
            json!({
                "id": output.id,
                "description": &*output.description,
                "duration": output.duration.map(|duration| duration.as_millis() as u64),
                "failure": output.failure,
            })
        })
        .collect();
    value["work"] = found
        .work
        .iter()
        .map(|done| {
            let mut value = work(&totals(done));
            value["worker"] = done.worker.to_string().into();
            value["parts"] = done
                .parts
                .iter()
                .map(|task| json!([task.partition, task.records, task.time.as_micros() as u64, task.failed]))
                .collect();
            value
        })
        .collect();
    Some(value)
}

fn totals(done: &WorkInfo) -> WorkMetrics {
    WorkMetrics {
        tasks: done.tasks,
        failed_tasks: done.failed_tasks,
        records: done.records,
        busy: done.busy,
        longest_task: done.longest,
    }
}

/// The topology with places for a drawing.
pub(super) fn topology(hub: &Hub) -> Value {
    let drawing = draw(&hub.explanation);
    let vertices = drawing.vertices.iter().map(|vertex| {
        json!({
            "id": vertex.id,
            "kind": vertex.kind,
            "lines": vertex.lines,
            "labels": vertex.labels,
            "x": vertex.x,
            "y": vertex.y,
            "width": vertex.width,
            "height": vertex.height,
        })
    });
    let edges = drawing.edges.iter().map(|edge| {
        json!({
            "from": edge.from,
            "to": edge.to,
            "record": edge.record,
            "points": edge.points.iter().map(|(x, y)| json!([x, y])).collect::<Vec<_>>(),
        })
    });
    json!({
        "width": drawing.width,
        "height": drawing.height,
        "vertices": vertices.collect::<Vec<_>>(),
        "edges": edges.collect::<Vec<_>>(),
        "work": workers(&hub.meters.snapshot()),
    })
}

fn delay(delay: &DelayMetrics) -> Value {
    let millis = |duration: std::time::Duration| duration.as_millis() as u64;
    json!({
        "last": millis(delay.last),
        "mean": delay.mean().as_secs_f64() * 1e3,
        "p50": millis(delay.quantile(0.5)),
        "p99": millis(delay.quantile(0.99)),
        "max": millis(delay.max),
    })
}

fn input(input: &InputMetrics, memory: &Memory) -> Value {
    json!({
        "id": input.id,
        "name": &*input.name,
        "records": input.records,
        "last": input.last_records,
        "errors": input.errors,
        "error": input.last_error.as_ref().map(text),
        "error_time": input.last_error_time.map(BatchTime::as_millis),
        "receiver": memory.receivers.get(&input.id),
        "buffered_records": input.buffered_records,
        "buffered_bytes": input.buffered_bytes,
        "buffer_records": input.buffer_records,
        "buffer_bytes": input.buffer_bytes,
        "bytes": input.bytes,
        "rate_limit": input.rate_limit,
    })
}

fn stream(stream: &StreamMetrics) -> Value {
    json!({
        "id": format!("n{}", stream.id),
        "name": stream.name,
        "made_by": stream.made_by,
        "keeps_state": stream.keeps_state,
        "records": stream.records,
        "last": stream.last_records,
        "shuffled": stream.shuffled_rows,
        "partitions": stream.partitions,
        "largest": stream.largest_partition,
        "keys": stream.state_keys,
        "bytes": stream.state_bytes,
        "panes": stream.window_panes,
    })
}

fn checkpoints(checkpoints: &CheckpointMetrics) -> Value {
    json!({
        "written": checkpoints.written,
        "failed": checkpoints.failed,
        "left_out": checkpoints.left_out,
        "bytes": checkpoints.bytes,
        "collecting": delay(&checkpoints.collecting),
        "writing": delay(&checkpoints.writing),
        "last": checkpoints.last.as_ref().map(checkpoint),
        "last_failed": checkpoints.last_failed.as_ref().map(checkpoint),
    })
}

fn checkpoint(checkpoint: &CheckpointInfo) -> Value {
    json!({
        "time": checkpoint.batch_time.as_millis(),
        "ended": checkpoint.ended.as_millis(),
        "collecting": checkpoint.collecting.as_micros() as u64,
        "writing": checkpoint.writing.as_micros() as u64,
        "bytes": checkpoint.bytes,
        "generations": checkpoint.generations,
        "kept_bytes": checkpoint.kept_bytes,
        "failure": checkpoint.failure.as_ref().map(text),
    })
}

fn log(log: &LogMetrics) -> Value {
    json!({
        "name": log.name,
        "writes": log.writes,
        "failed": log.failed_writes,
        "records": log.records,
        "bytes": log.bytes,
        "kept_bytes": log.kept_bytes,
        "busy": log.busy.as_micros() as u64,
        "longest": log.longest.as_micros() as u64,
    })
}

fn recovery(recovery: &RecoveryInfo) -> Value {
    json!({
        "time": recovery.time.as_millis(),
        "began": recovery.began.as_millis(),
        "checkpoint": recovery.checkpoint.map(BatchTime::as_millis),
        "batches": recovery.batches.len(),
        "outputs_due": recovery.outputs_due(),
        "missed": recovery.missed,
        "damaged": recovery.damaged,
        "took": recovery.took.as_micros() as u64,
    })
}

/// What each worker did since the start, by its identity in the drawing.
fn workers(metrics: &Metrics) -> Value {
    let stages = metrics.stages.iter().map(|stage| (format!("s{}", stage.id), work(&stage.work)));
    let streams = metrics.streams.iter().map(|stream| (format!("n{}", stream.id), work(&stream.work)));
    let outputs = metrics.outputs.iter().map(|output| (format!("o{}", output.id), work(&output.work)));
    Value::Object(stages.chain(streams).chain(outputs).collect::<Map<_, _>>())
}

fn work(work: &WorkMetrics) -> Value {
    json!({
        "tasks": work.tasks,
        "failed": work.failed_tasks,
        "records": work.records,
        "busy": work.busy.as_micros() as u64,
        "longest": work.longest_task.as_micros() as u64,
    })
}
