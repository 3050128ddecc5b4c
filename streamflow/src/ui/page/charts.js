// Drawing: elements, formats, and the timelines. Everything that comes from the program is set as text, never as markup.
"use strict";

const SVG = "http://www.w3.org/2000/svg";

/** An element with attributes and children; strings become text. */
function el(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined) element.append(child instanceof Node ? child : visible(String(child)));
  }
  return element;
}

/** Text with its control characters spelled out, so that a record cannot hide what it holds. */
function visible(text) {
  return text.replace(/[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g, symbol => {
    const code = symbol.charCodeAt(0).toString(16);
    return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
  });
}

/** A count: 1,234 or 12.3 k. */
function count(n) {
  if (n === null || n === undefined) return "–";
  if (n < 10000) return Number.isInteger(n) ? n.toLocaleString("en") : n.toFixed(n < 10 ? 1 : 0);
  const steps = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];
  const [size, unit] = steps.find(([size]) => n >= size);
  return `${(n / size).toPrecision(3).replace(/\.?0+$/, match => (match.startsWith(".") ? "" : match))} ${unit}`;
}

/** Milliseconds in the largest unit in which they are one or more. */
function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms === 0) return "0 ms";
  const steps = [[86400000, "d"], [3600000, "h"], [60000, "min"], [1000, "s"], [1, "ms"], [0.001, "µs"]];
  const [size, unit] = steps.find(([size]) => ms >= size) || [0.001, "µs"];
  const n = ms / size;
  return `${n >= 100 || Number.isInteger(n) ? Math.round(n) : n.toPrecision(n >= 10 ? 3 : 2)} ${unit}`;
}

function bytes(n) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (n >= 1024 && unit < units.length - 1) { n /= 1024; unit += 1; }
  return `${unit ? n.toPrecision(3) : n} ${units[unit]}`;
}

/** The time of day of a batch; with milliseconds where the interval has some. */
function clock(ms, interval = 1000) {
  const time = new Date(ms);
  const two = n => String(n).padStart(2, "0");
  const text = `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`;
  return interval % 1000 ? `${text}.${String(time.getMilliseconds()).padStart(3, "0")}` : text;
}

/** A round number at or above `n`, for the top of a scale. */
function roundUp(n) {
  if (n <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 2.5, 5, 10].map(step => step * power).find(step => step >= n);
}

/** A timeline: `value` of each batch, oldest first, with an optional limit. */
class Timeline {
  constructor({ title, value, format, limit, pick }) {
    Object.assign(this, { value, format, limit, pick, rows: [], hovered: null });
    this.reading = el("span", { class: "reading" });
    this.svg = svg("svg", { role: "img", "aria-label": title });
    this.element = el("div", { class: "chart" }, el("header", {}, el("h3", {}, title), this.reading), this.svg);
    this.svg.addEventListener("pointermove", event => this.hover(event));
    this.svg.addEventListener("pointerleave", () => { this.hovered = null; this.draw(); });
    this.svg.addEventListener("click", event => { this.hover(event); if (this.hovered) this.pick(this.hovered.time); });
  }

  show(rows, interval) {
    [this.rows, this.interval] = [rows, interval];
    this.draw();
  }

  hover(event) {
    const { left } = this.svg.getBoundingClientRect();
    const place = (event.clientX - left - this.left) / Math.max(1, this.width - this.left);
    const index = Math.round(place * (this.rows.length - 1));
    this.hovered = this.rows[Math.min(Math.max(index, 0), this.rows.length - 1)] || null;
    this.draw();
  }

  draw() {
    const width = this.svg.clientWidth, height = this.svg.clientHeight;
    if (!width || !this.rows.length) return;
    [this.width, this.left] = [width - 8, 52];
    const limit = this.limit ? this.limit() : null;
    const values = this.rows.map(this.value);
    const top = roundUp(Math.max(limit ? limit * 1.1 : 0, ...values, this.limit === undefined ? 0 : 1));
    const [above, below] = [8, 20];
    const x = index => this.left + (this.width - this.left) * (this.rows.length > 1 ? index / (this.rows.length - 1) : 1);
    const y = value => above + (height - above - below) * (1 - value / top);
    const parts = [0, 0.5, 1].flatMap(share => [
      svg("line", { class: "grid", x1: this.left, x2: this.width, y1: y(top * share), y2: y(top * share) }),
      svg("text", { x: this.left - 7, y: y(top * share) + 4, "text-anchor": "end" }, this.format(top * share)),
    ]);
    const first = this.rows[0], last = this.rows[this.rows.length - 1];
    parts.push(svg("text", { x: this.left, y: height - 4 }, clock(first.time, this.interval)));
    parts.push(svg("text", { x: this.width, y: height - 4, "text-anchor": "end" }, clock(last.time, this.interval)));
    const points = values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join("L");
    parts.push(svg("path", { class: "area", d: `M${x(0)},${y(0)}L${points}L${x(values.length - 1)},${y(0)}Z` }));
    parts.push(svg("path", { class: "line", d: `M${points}` }));
    if (limit) {
      parts.push(svg("line", { class: "limit", x1: this.left, x2: this.width, y1: y(limit), y2: y(limit) }));
      parts.push(svg("text", { class: "limit-label", x: this.width, y: y(limit) - 5, "text-anchor": "end" }, `interval ${duration(limit)}`));
    }
    this.rows.forEach((row, index) => {
      if (row.failed) parts.push(svg("rect", { class: "failed", x: x(index) - 1.5, y: height - below, width: 3, height: 5 }));
    });
    const shown = this.hovered && this.rows.includes(this.hovered) ? this.hovered : last;
    if (shown !== last) {
      const place = x(this.rows.indexOf(shown));
      parts.push(svg("line", { class: "cursor", x1: place, x2: place, y1: above, y2: height - below }));
    }
    parts.push(svg("circle", { class: "dot", r: 4, cx: x(this.rows.indexOf(shown)), cy: y(this.value(shown)) }));
    this.svg.replaceChildren(...parts);
    this.reading.textContent = `${shown === last ? "" : `${clock(shown.time, this.interval)}  `}${this.format(this.value(shown))}`;
  }
}
