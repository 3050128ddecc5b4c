// The page: fetches topology and batches once, then follows the events of the server.
"use strict";

const FIRST_ROWS = 15;
const KEPT_BATCHES = 1000;
const $ = id => document.getElementById(id);

const state = {
  status: null,
  active: new Map(),
  completed: [],
  rows: new Map(),
  open: new Set(),
  shown: FIRST_ROWS,
  span: 300,
  vertices: new Map(),
  chosen: null,
  busy: [],
};

const charts = [
  new Timeline({ title: "Input rate", value: row => row.records / (interval() / 1000), format: n => `${count(n)}/s`, pick: openBatch }),
  new Timeline({ title: "Scheduling delay", value: row => row.scheduling || 0, format: duration, limit: () => null, pick: openBatch }),
  new Timeline({ title: "Processing time", value: row => row.processing || 0, format: duration, limit: interval, pick: openBatch }),
  new Timeline({ title: "Total delay", value: row => row.total || 0, format: duration, limit: () => null, pick: openBatch }),
];

function interval() {
  return state.status ? state.status.interval : 1000;
}

async function load(path) {
  const response = await fetch(path);
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

async function start() {
  try {
    const [topology, status, batches] = await Promise.all(["api/topology", "api/status", "api/batches"].map(load));
    drawGraph(topology);
    state.busy = [topology.work];
    state.active.clear();
    state.completed = [];
    take(status, batches);
    follow(batches.version);
  } catch {
    lost();
  }
}

/** Follows the server from a version on; a browser that lost it tries again by itself. */
function follow(version) {
  const source = new EventSource(`events?after=${version}`);
  source.onmessage = event => {
    const update = JSON.parse(event.data);
    take(update, update.rows);
  };
  source.onerror = () => {
    source.close();
    lost();
  };
}

/** The program has stopped, or cannot be reached: what is shown stays, and a new start is noticed. */
function lost() {
  pill("not reachable: the program has stopped", "bad");
  setTimeout(start, 2000);
}

function take(status, rows) {
  state.status = status;
  for (const row of rows.active) state.active.set(row.time, row);
  for (const row of rows.completed) {
    state.active.delete(row.time);
    state.completed.push(row);
  }
  if (state.completed.length > KEPT_BATCHES) {
    for (const row of state.completed.splice(0, state.completed.length - KEPT_BATCHES)) {
      state.rows.delete(row.time);
      state.open.delete(row.time);
    }
  }
  state.busy.push(status.work);
  const kept = Math.max(2, Math.min(60, Math.ceil(60000 / Math.max(interval(), 200))));
  if (state.busy.length > kept) state.busy.splice(0, state.busy.length - kept);
  render();
}

function render() {
  renderHead();
  renderTiles();
  renderCharts();
  renderHeat();
  renderBatches();
  renderInputs();
  renderState();
  renderDurable();
  renderErrors();
}

function pill(text, kind) {
  $("health").textContent = text;
  $("health").className = `pill ${kind}`;
}

function renderHead() {
  const { status } = state;
  $("name").textContent = visible(status.name);
  document.title = `${visible(status.name)} – streamflow`;
  if (status.health.keeps_up) pill("keeps up", "good");
  else pill(`behind by ${duration(status.health.lag)}`, "bad");
  const facts = [`batch interval ${duration(status.interval)}`];
  if (status.started !== null) facts.push(`running for ${duration(status.now - status.started)}`);
  facts.push(`${count(status.batches.completed)} batches${status.batches.failed ? `, ${count(status.batches.failed)} of them failed` : ""}`);
  facts.push(`${count(status.batches.records)} records`);
  $("meta").textContent = facts.join(" · ");
}

function renderTiles() {
  const { status: { batches, delays }, completed } = state;
  const recent = completed.slice(-10);
  const rate = recent.reduce((sum, row) => sum + row.records, 0) / Math.max(1, recent.length) / (interval() / 1000);
  const spread = delay => `p50 ${duration(delay.p50)}, p99 ${duration(delay.p99)}`;
  const tiles = [
    ["Input rate", `${count(rate)}/s`, `mean of ${recent.length} batches`],
    ["Processing time", duration(delays.processing.last), spread(delays.processing), delays.processing.last > interval()],
    ["Scheduling delay", duration(delays.scheduling.last), spread(delays.scheduling), delays.scheduling.last > interval()],
    ["Total delay", duration(delays.total.last), spread(delays.total)],
    ["Waiting batches", count(batches.waiting), batches.running ? "one is being processed" : "none is being processed", batches.waiting > 1],
    ["Late batches", count(batches.late), "began an interval late"],
  ];
  $("tiles").replaceChildren(...tiles.map(([name, value, note, alarm]) =>
    el("div", { class: alarm ? "alarm" : null }, el("dt", {}, name), el("dd", {}, value), el("dd", { class: "note" }, note))));
}

function renderCharts() {
  const rows = state.completed.slice(-state.span);
  $("timelines-count").textContent =
    `last ${rows.length} batches, ${state.active.size} active, ${count(state.status.batches.completed)} completed`;
  for (const chart of charts) chart.show(rows, interval());
}

// The topology.

function drawGraph(topology) {
  const margin = 10;
  const graph = $("graph");
  state.vertices.clear();
  const parts = [svg("defs", {}, svg("marker", { id: "tip", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
    svg("path", { class: "tip", d: "M0,0L8,4L0,8Z" })))];
  for (const edge of topology.edges) {
    parts.push(svg("path", { class: "edge", d: curve(edge.points), "marker-end": "url(#tip)" }, svg("title", {}, edge.record || "shuffle")));
  }
  for (const vertex of topology.vertices) {
    const drawn = drawVertex(vertex);
    state.vertices.set(vertex.id, { vertex, ...drawn });
    parts.push(drawn.group);
  }
  const width = topology.width + 2 * margin, height = topology.height + 2 * margin;
  fill(graph, { viewBox: `${-margin} ${-margin} ${width} ${height}` }, []);
  graph.style.minWidth = `${Math.round(width * 0.78)}px`;
  graph.style.maxWidth = `${Math.round(width * 1.1)}px`;
  graph.replaceChildren(...parts);
  renderVertex();
}

/** A smooth line through the points: level where it passes one. */
function curve(points) {
  let path = `M${points[0].join()}`;
  for (let i = 1; i < points.length; i += 1) {
    const [x0, y0] = points[i - 1], [x, y] = points[i];
    path += `C${(x0 + x) / 2},${y0} ${(x0 + x) / 2},${y} ${x},${y}`;
  }
  return path;
}

function drawVertex(vertex) {
  const { x, y, width, height } = vertex;
  const round = { input: 16, wide: height / 2 > 24 ? 24 : height / 2, stage: 5, output: 5 }[vertex.kind];
  const figure = svg("text", { class: "figure", x, y: y + height / 2 - 11, "text-anchor": "middle" });
  const lines = vertex.labels.map((text, index) => {
    const kind = index === 0 ? "head" : vertex.kind === "stage" ? "step" : "place";
    return svg("text", { class: kind, x, y: y - height / 2 + 21 + index * 16, "text-anchor": "middle" }, text);
  });
  const group = svg("g", { class: `vertex ${vertex.kind}`, id: `vertex-${vertex.id}`, tabindex: 0, role: "button", "aria-label": vertex.lines.join(", ") },
    svg("title", {}, vertex.lines.join("\n")),
    svg("rect", { class: "box", x: x - width / 2, y: y - height / 2, width, height, rx: round }), ...lines, figure);
  const choose = () => { state.chosen = vertex.id; renderVertex(); };
  group.addEventListener("click", choose);
  group.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(); } });
  return { group, figure };
}

/** Busy time of each worker over the last minute, or what there is of it. */
function busyTimes() {
  const [first, last] = [state.busy[0], state.busy[state.busy.length - 1]];
  return Object.fromEntries(Object.keys(last).map(id => [id, last[id].busy - (state.busy.length > 1 && first[id] ? first[id].busy : 0)]));
}

function renderHeat() {
  const busy = busyTimes();
  const all = Object.values(busy).reduce((sum, time) => sum + time, 0);
  const streams = Object.fromEntries(state.status.streams.map(stream => [stream.id, stream]));
  for (const [id, { group, figure }] of state.vertices) {
    const share = all ? (busy[id] || 0) / all : 0;
    group.style.setProperty("--share", `${Math.round(share * 60)}%`);
    group.dataset.share = share.toFixed(3);
    const stream = streams[id];
    const figures = [];
    if (stream) figures.push(`${count(stream.last)} records`);
    if (busy[id]) figures.push(`${Math.round(share * 100)} % busy`);
    figure.textContent = figures.join(" · ");
  }
  renderVertex();
}

function renderVertex() {
  for (const [id, { group }] of state.vertices) group.classList.toggle("chosen", id === state.chosen);
  const found = state.vertices.get(state.chosen);
  if (!found || !state.status) {
    $("vertex").replaceChildren(el("p", { class: "hint" }, "Choose a box to see what it did since the start."));
    return;
  }
  const { vertex } = found;
  const work = state.status.work[vertex.id];
  const stream = state.status.streams.find(one => one.id === vertex.id);
  const facts = [];
  if (stream) {
    facts.push(["Records", count(stream.records)], ["In its last batch", count(stream.last)]);
    if (stream.partitions) facts.push(["Partitions", count(stream.partitions)], ["Largest partition", count(stream.largest)]);
    if (stream.shuffled) facts.push(["Rows shuffled", count(stream.shuffled)]);
    if (stream.keeps_state) facts.push(["Keys kept", count(stream.keys)], ["Their slots", bytes(stream.bytes)]);
    if (stream.panes) facts.push(["Panes", count(stream.panes)]);
  }
  if (work && work.tasks) {
    const batches = Math.max(1, state.status.batches.completed);
    facts.push(["Tasks", count(work.tasks)]);
    if (work.failed) facts.push(["Failed tasks", count(work.failed)]);
    facts.push(["Records read", count(work.records)], ["Busy", duration(work.busy / 1000)]);
    facts.push(["Busy per batch", duration(work.busy / 1000 / batches)], ["Mean task", duration(work.busy / 1000 / work.tasks)]);
    facts.push(["Longest task", duration(work.longest / 1000)]);
  }
  $("vertex").replaceChildren(
    el("div", {}, el("h3", {}, vertex.lines[0]), ...vertex.lines.slice(1).map(line => el("div", { class: "mono" }, line))),
    el("dl", { class: "facts" }, facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value)))));
}

// Batches.

const COLUMNS = ["Batch time", "Records", "Scheduling delay", "Processing time", "Total delay", "Outputs: succeeded/total", "Status"];

/** The head of a table: the first column is text, the others are numbers unless they are in a list. */
function head(...names) {
  return el("thead", {}, el("tr", {}, names.map((name, index) =>
    el("th", { class: index && !Array.isArray(name) ? "number" : null, scope: "col" }, name))));
}

function renderBatches() {
  $("active-count").textContent = `(${state.active.size})`;
  const active = [...state.active.values()].sort((a, b) => b.time - a.time);
  const rows = active.slice(0, 20).map(row => batchRow(row, row.started === null ? "waiting" : "processing"));
  if (rows.length) $("active").replaceChildren(head(...COLUMNS), el("tbody", {}, rows));
  else $("active").replaceChildren(el("tbody", {}, empty("none: every batch is done", COLUMNS.length)));

  const total = state.status.batches.completed;
  $("completed-count").textContent = `(last ${count(Math.min(state.shown, state.completed.length))} of ${count(total)})`;
  // A batch that is open stays, however many have come since.
  const newest = state.completed.length - state.shown;
  const completed = state.completed.filter((row, index) => index >= newest || state.open.has(row.time)).reverse();
  const drawn = completed.flatMap(row => {
    const kept = keptRow(row);
    return state.open.has(row.time) && kept.detail ? [kept.row, kept.detail] : [kept.row];
  });
  const body = $("completed").tBodies[0];
  if (!body || !drawn.length) $("completed").replaceChildren(head(...COLUMNS), el("tbody", {}, drawn.length ? drawn : empty("none yet", COLUMNS.length)));
  else body.replaceChildren(...drawn);
  $("more").hidden = state.completed.length <= state.shown;
}

/** The row of a completed batch, made once, so that it keeps its focus and its detail. */
function keptRow(row) {
  if (!state.rows.has(row.time)) state.rows.set(row.time, { row: batchRow(row, row.failed ? "failed" : "done"), detail: null });
  return state.rows.get(row.time);
}

function empty(text, columns) {
  return [el("tr", { class: "empty" }, el("td", { colspan: columns }, text))];
}

function batchRow(row, status) {
  const long = row.processing > interval();
  const button = el("button", { type: "button", "aria-expanded": "false" }, clock(row.time, interval()));
  const element = el("tr", { class: `batch${long ? " long" : ""}${row.late ? " late" : ""}`, "data-time": row.time },
    el("td", {}, button),
    el("td", { class: "number" }, count(row.records)),
    el("td", { class: "number waited" }, duration(row.scheduling)),
    el("td", { class: "number took" }, duration(row.processing)),
    el("td", { class: "number" }, duration(row.total)),
    el("td", { class: "number" }, row.outputs ? `${row.succeeded}/${row.outputs}` : "–"),
    el("td", { class: `number status-${status}` }, status));
  if (row.total !== null) element.addEventListener("click", () => toggleBatch(row.time));
  return element;
}

async function openBatch(time) {
  if (!state.open.has(time)) await toggleBatch(time);
  state.rows.get(time).row.scrollIntoView({ block: "center" });
}

async function toggleBatch(time) {
  const opened = !state.open.has(time);
  const kept = keptRow(state.completed.find(row => row.time === time));
  kept.row.querySelector("button").setAttribute("aria-expanded", String(opened));
  if (!opened) {
    state.open.delete(time);
  } else {
    state.open.add(time);
    try {
      kept.detail ||= detailRow(await load(`api/batches/${time}`));
    } catch {
      kept.detail = el("tr", { class: "detail" }, el("td", { colspan: COLUMNS.length }, "this batch is no longer kept"));
    }
  }
  renderBatches();
}

function detailRow(batch) {
  const inputs = state.status.inputs.map((input, index) => `${visible(input.name)}: ${count(batch.inputs[index])}`);
  const outputs = batch.output_operations.map(output => el("tr", {},
    el("td", {}, `${output.id}  ${output.description}`),
    el("td", { class: "number" }, duration(output.duration)),
    el("td", {}, output.failure === null ? el("span", { class: "status-done" }, "succeeded") : el("span", { class: "error-text" }, output.failure))));
  const work = batch.work.map(done => el("tr", { "data-worker": done.worker },
    el("td", {}, workerName(done.worker)),
    el("td", { class: "number" }, count(done.tasks)),
    el("td", { class: "number" }, done.failed ? el("span", { class: "status-failed" }, count(done.failed)) : "0"),
    el("td", { class: "number" }, count(done.records)),
    el("td", { class: "number" }, duration(done.busy / 1000)),
    el("td", { class: "number" }, duration(done.longest / 1000)),
    el("td", {}, taskBars(done))));
  return el("tr", { class: "detail" }, el("td", { colspan: COLUMNS.length },
    el("h4", {}, "Inputs"), el("div", {}, inputs.join(", ") || "none"),
    el("h4", {}, "Outputs"),
    el("div", { class: "scroll" }, el("table", {}, head("Output", "Duration", ["Outcome"]), el("tbody", {}, outputs.length ? outputs : empty("none was due", 3)))),
    el("h4", {}, "Stages and tasks"),
    el("div", { class: "scroll" }, el("table", {}, head("Stage", "Tasks", "Failed", "Records read", "Busy", "Longest task", ["Each task's time"]),
      el("tbody", {}, work.length ? work : empty("no task ran", 7))))));
}

function workerName(id) {
  const lines = state.vertices.get(id)?.vertex.lines || [id];
  if (id[0] === "s") return `${lines[0]}: ${lines.slice(1).map(line => line.split(" ")[0]).join(", ")}`;
  return `${id[0] === "o" ? "output " : "stream "}${lines[0]}`;
}

/** A bar for each task, as high as it took long. */
function taskBars(done) {
  const [width, height, gap] = [6, 22, 2];
  const bars = done.parts.slice(0, 64).map(([partition, records, time, failed], index) => {
    const high = Math.max(2, height * time / Math.max(1, done.longest));
    return svg("rect", { class: failed ? "failed" : null, x: index * (width + gap), y: height - high, width, height: high },
      svg("title", {}, `partition ${partition}: ${count(records)} records, ${duration(time / 1000)}${failed ? ", failed" : ""}`));
  });
  return svg("svg", { class: "tasks", width: Math.max(1, bars.length * (width + gap)), height }, ...bars);
}

// Inputs, state, checkpoints, warnings and errors.

function renderInputs() {
  const columns = ["Input", "Records", "Last batch", "Buffered", "Rate limit", "Receiver", "Errors", ["Last error"]];
  const rows = state.status.inputs.map(input => el("tr", {},
    el("td", { class: "mono" }, input.name),
    el("td", { class: "number" }, count(input.records)),
    el("td", { class: "number" }, count(input.last)),
    el("td", { class: "number" }, buffered(input)),
    el("td", { class: "number" }, input.rate_limit === null ? "–" : `${count(input.rate_limit)}/s`),
    el("td", { class: "number" }, input.receiver === null ? "–" : input.receiver ? "running" : "stopped"),
    el("td", { class: `number${input.errors ? " status-failed" : ""}` }, count(input.errors)),
    el("td", {}, input.error === null ? "–" : el("span", { class: "error-text" }, input.error))));
  $("inputs").replaceChildren(head(...columns), el("tbody", {}, rows.length ? rows : empty("none", columns.length)));
}

/** What an input holds, and of how much it may. */
function buffered(input) {
  if (!input.buffered_records) return "–";
  const fills = [[input.buffered_records, input.buffer_records], [input.buffered_bytes, input.buffer_bytes]];
  const shares = fills.filter(([, limit]) => limit).map(([n, limit]) => n / limit);
  const fill = shares.length ? `, ${Math.round(100 * Math.max(...shares))} % full` : "";
  return `${count(input.buffered_records)} (${bytes(input.buffered_bytes)}${fill})`;
}

function renderState() {
  const kept = state.status.streams.filter(stream => stream.keeps_state);
  $("state-section").hidden = kept.length === 0;
  const rows = kept.map(stream => el("tr", {},
    el("td", { class: "mono" }, stream.name),
    el("td", { class: "mono" }, stream.made_by),
    el("td", { class: "number" }, count(stream.keys)),
    el("td", { class: "number" }, bytes(stream.bytes)),
    el("td", { class: "number" }, stream.panes ? count(stream.panes) : "–"),
    el("td", { class: "number" }, count(stream.last))));
  $("state").replaceChildren(head("Stream", ["Operator"], "Keys", "Size of slots", "Panes", "Records, last batch"), el("tbody", {}, rows));
}

/** Checkpoints and logs, if the program has a directory for them. */
function renderDurable() {
  const { checkpoints, logs, recovery } = state.status;
  $("durable-section").hidden = logs.length === 0;
  $("recovered").textContent = recovery ? recovered(recovery) : "";
  const { last } = checkpoints;
  const facts = last ? [
    ["Last checkpoint", clock(last.time, interval())],
    ["Age", duration(Math.max(0, state.status.now - last.time))],
    ["Written", bytes(last.bytes)],
    ["Held up its batch", duration(last.collecting / 1000)],
    ["Writing time", duration(last.writing / 1000)],
    ["Kept", `${count(last.generations)} (${bytes(last.kept_bytes)})`],
  ] : [["Last checkpoint", recovery && recovery.checkpoint !== null ? `${clock(recovery.checkpoint, interval())}, of the run before` : "none yet"]];
  facts.push(["Checkpoints", count(checkpoints.written)]);
  if (checkpoints.left_out) facts.push(["Left out", count(checkpoints.left_out)]);
  if (checkpoints.failed) facts.push(["Failed", el("span", { class: "status-failed" }, count(checkpoints.failed))]);
  $("checkpoints").replaceChildren(...facts.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
  const rows = logs.map(log => el("tr", {},
    el("td", { class: "mono" }, log.name),
    el("td", { class: "number" }, count(log.records)),
    el("td", { class: "number" }, bytes(log.bytes)),
    el("td", { class: "number" }, bytes(log.kept_bytes)),
    el("td", { class: "number" }, count(log.writes)),
    el("td", { class: "number" }, log.writes ? duration(log.busy / 1000 / log.writes) : "–"),
    el("td", { class: "number" }, duration(log.longest / 1000)),
    el("td", { class: `number${log.failed ? " status-failed" : ""}` }, count(log.failed))));
  $("logs").replaceChildren(head("Log", "Records", "Written", "Kept", "Writes", "Mean write", "Longest write", "Failed"), el("tbody", {}, rows));
}

function recovered({ checkpoint, batches, outputs_due: due, missed }) {
  const parts = [checkpoint === null ? "recovered from the log alone" : `recovered from the checkpoint of ${clock(checkpoint, interval())}`];
  parts.push(`${count(batches)} ${batches === 1 ? "batch" : "batches"} ran again, ${count(due)} with outputs`);
  if (missed) parts.push(`${count(missed)} were due meanwhile`);
  return parts.join("; ");
}

function renderErrors() {
  const { errors, warnings } = state.status;
  const all = [...errors.map(error => ({ ...error, kind: "error-text" })), ...warnings.map(warning => ({ ...warning, place: "warning", kind: "warning-text" }))];
  all.sort((a, b) => b.time - a.time);
  $("errors-count").textContent = all.length ? `(${all.length})` : "";
  const items = all.map(one => el("li", {},
    el("div", { class: "where" }, `${clock(one.time, interval())}  ${one.place}`),
    el("span", { class: one.kind }, one.text)));
  $("errors").replaceChildren(...(items.length ? items : [el("li", { class: "empty" }, "none")]));
}

$("charts").append(...charts.map(chart => chart.element));
for (const button of document.querySelectorAll("[data-span]")) {
  button.addEventListener("click", () => {
    state.span = Number(button.dataset.span);
    for (const other of document.querySelectorAll("[data-span]")) other.setAttribute("aria-pressed", String(other === button));
    if (state.status) renderCharts();
  });
}
$("more").addEventListener("click", () => { state.shown += 50; renderBatches(); });
addEventListener("resize", () => { if (state.status) renderCharts(); });
start();
