// A chart of lines over the last minutes. All charts share one cursor.

import { STEPS } from "/page/axes.js";
import { element, NONE, setAttribute, setText, svg } from "/page/dom.js";

const MARGIN = { left: 56, right: 46, top: 10, bottom: 22 };
const charts = new Set();
let cursor = null; // share of the width that the pointer is at

function moveCursor(share) {
  cursor = share;
  for (const chart of charts) chart.point();
}

export class Chart {
  #width = 0;
  #data = null;

  // lines: [{name, kind, right, stepped, fill, format}]; fill is "zero" or the index of a line.
  constructor({ id, title, height, lines, left, right }) {
    this.lines = lines;
    this.height = height;
    this.axes = { left, right };
    this.title = title;
    this.caption = element("span", { class: "title" }, title);
    this.values = lines.map(() => element("span", { class: "value" }, NONE));
    this.moment = svg("text", { class: "moment", "text-anchor": "middle", y: MARGIN.top });
    this.names = lines.map((line) => element("span", {}, line.name));
    const legend = lines.map((line, index) =>
      element("li", { "data-kind": line.kind }, swatch(), this.names[index], " ", this.values[index]));
    this.grid = svg("g", { class: "grid" });
    this.areas = svg("g", { class: "areas" });
    this.marks = svg("g", { class: "changes" });
    this.paths = lines.map((line) => svg("path", { class: "line", "data-kind": line.kind }));
    this.mark = svg("line", { class: "cursor", visibility: "hidden" });
    this.dots = lines.map((line) =>
      svg("circle", { class: "dot", r: 3, "data-kind": line.kind, visibility: "hidden" }));
    this.note = svg("text", { class: "note", "text-anchor": "middle" });
    this.picture = svg("svg", { role: "img", height },
      this.grid, this.areas, this.marks, ...[...this.paths].reverse(), this.mark, ...this.dots, this.note, this.moment);
    this.figure = element("figure", { class: "chart", "data-chart": id, "data-samples": 0 },
      element("figcaption", {}, this.caption,
        element("ul", { class: "legend" }, ...legend)),
      this.picture);
    this.#watch();
  }

  // Gives the chart and its first line the name of what they show.
  rename(title) {
    this.title = title;
    this.lines[0].name = title;
    setText(this.caption, title);
    setText(this.names[0], title);
  }

  // times: seconds; columns: a list of values for each line; span of axes.js; now in seconds.
  // changes: [{uptime_s, what}], which are marked.
  update({ times, columns, span, now, gap, changes = [] }) {
    const scales = { left: this.axes.left.scale(columns), right: this.axes.right?.scale(columns) };
    this.#data = { times, columns, span, now, gap, changes, scales };
    this.#draw();
  }

  // Shows the values at the cursor, or the latest ones.
  point() {
    if (!this.#data) return;
    const { times, columns, span, now, gap, changes } = this.#data;
    const at = cursor === null ? now : now - (1 - cursor) * span.length;
    let nearest = times.length - 1;
    while (nearest > 0 && Math.abs(times[nearest - 1] - at) <= Math.abs(times[nearest] - at)) {
      nearest -= 1;
    }
    const near = nearest >= 0 && Math.abs(times[nearest] - at) <= gap;
    this.lines.forEach((line, index) => {
      const value = near ? columns[index][nearest] : null;
      setText(this.values[index], value === null ? NONE : line.format(value));
      const shown = cursor !== null && value !== null;
      setAttribute(this.dots[index], "visibility", shown ? "visible" : "hidden");
      if (shown) {
        this.dots[index].setAttribute("cx", this.#x(times[nearest]));
        this.dots[index].setAttribute("cy", this.#y(line, value));
      }
    });
    const [close] = changes.filter((change) => Math.abs(this.#x(change.uptime_s) - this.#x(at)) < 6);
    const x = MARGIN.left + (cursor ?? 0) * this.#inner;
    const ends = { x1: x, x2: x, y1: MARGIN.top, y2: this.height - MARGIN.bottom };
    for (const [name, value] of Object.entries(ends)) this.mark.setAttribute(name, value);
    setAttribute(this.mark, "visibility", cursor === null ? "hidden" : "visible");
    const ago = `${Math.round(now - at)}\u202fs ago`;
    setText(this.moment, cursor === null ? "" : close ? `${ago}: ${close.what}` : ago);
    this.moment.setAttribute("x", Math.min(Math.max(x, 70), this.#width - 70));
  }

  get #inner() {
    return Math.max(1, this.#width - MARGIN.left - MARGIN.right);
  }

  #x(at) {
    const { now, span } = this.#data;
    return MARGIN.left + (1 - (now - at) / span.length) * this.#inner;
  }

  #y(line, value) {
    const { low, step } = this.#data.scales[line.right ? "right" : "left"];
    const inner = this.height - MARGIN.top - MARGIN.bottom;
    return MARGIN.top + (1 - (value - low) / (STEPS * step)) * inner;
  }

  #watch() {
    charts.add(this);
    new ResizeObserver(([entry]) => {
      this.#width = Math.floor(entry.contentRect.width);
      this.#draw();
    }).observe(this.figure);
    const follow = (event) => {
      const x = event.clientX - this.picture.getBoundingClientRect().left - MARGIN.left;
      moveCursor(x < 0 || x > this.#inner ? null : x / this.#inner);
    };
    this.picture.addEventListener("pointermove", follow);
    this.picture.addEventListener("pointerdown", follow);
    this.picture.addEventListener("pointerleave", () => moveCursor(null));
  }

  #draw() {
    if (!this.#data || !this.#width) return;
    setAttribute(this.picture, "width", this.#width);
    this.#drawGrid();
    const { times, now, span } = this.#data;
    const runs = this.lines.map((line, index) => this.#runs(index));
    this.areas.replaceChildren(...this.lines.flatMap((line, index) => this.#fill(line, index, runs)));
    runs.forEach((segments, index) => {
      const path = segments.map((points) => this.#path(this.lines[index], points)).join("");
      setAttribute(this.paths[index], "d", path);
    });
    const samples = runs[0].reduce((sum, points) => sum + points.length, 0);
    setAttribute(this.figure, "data-samples", samples);
    setText(this.note, samples ? "" : "no samples yet");
    this.note.setAttribute("x", this.#width / 2);
    this.note.setAttribute("y", this.height / 2);
    this.point();
    const latest = this.lines.map((line, index) => `${line.name} ${this.values[index].textContent}`);
    setAttribute(this.picture, "aria-label", `${this.title}: now ${latest.join(", ")}`);
  }

  #drawGrid() {
    const { span, scales } = this.#data;
    const [edge, bottom] = [this.#width - MARGIN.right, this.height - MARGIN.bottom];
    const parts = [];
    for (let step = 0; step <= STEPS; step += 1) {
      const y = bottom - (step / STEPS) * (bottom - MARGIN.top);
      parts.push(svg("line", { x1: MARGIN.left, x2: edge, y1: y, y2: y }));
      for (const side of ["left", "right"]) {
        if (!scales[side]) continue;
        const value = scales[side].low + step * scales[side].step;
        const text = this.axes[side].label(value, step === STEPS, scales[side].step);
        const [x, anchor] = side === "left" ? [MARGIN.left - 6, "end"] : [edge + 6, "start"];
        parts.push(svg("text", { x, y: y + 4, "text-anchor": anchor, class: side }, text));
      }
    }
    for (let ago = 0; ago <= span.length; ago += span.step) {
      const x = edge - (ago / span.length) * this.#inner;
      const text = ago === 0 ? "now" : span.mark(ago);
      parts.push(svg("line", { x1: x, x2: x, y1: bottom, y2: bottom + 4 }));
      parts.push(svg("text", { x, y: bottom + 16, "text-anchor": "middle" }, text));
    }
    this.grid.replaceChildren(...parts);
    this.#drawMarks(bottom);
  }

  // A line where something changed; its text is shown at the cursor, and read aloud.
  #drawMarks(bottom) {
    const { changes, now, span } = this.#data;
    const shown = changes.filter((change) => change.uptime_s >= now - span.length);
    this.marks.replaceChildren(...shown.map(({ uptime_s: at, what }) => {
      const x = this.#x(at).toFixed(1);
      return svg("g", { class: "change" }, svg("title", {}, what),
        svg("line", { x1: x, x2: x, y1: MARGIN.top, y2: bottom }),
        svg("path", { d: `M${x} ${MARGIN.top + 6}l-4 -6h8z` }));
    }));
  }

  // Points of a line that belong together: nothing unknown between them.
  #runs(index) {
    const { times, columns, now, span, gap } = this.#data;
    const segments = [];
    let before = -Infinity;
    times.forEach((at, sample) => {
      const value = columns[index][sample];
      if (at < now - span.length || value === null || value === undefined) return;
      if (at - before > gap) segments.push([]);
      segments.at(-1).push({ x: this.#x(at), y: this.#y(this.lines[index], value), sample });
      before = at;
    });
    return segments;
  }

  #path(line, points) {
    let path = "";
    points.forEach(({ x, y }, index) => {
      const [right, up] = [x.toFixed(1), y.toFixed(1)];
      if (line.stepped && index) path += `H${right}V${up}`;
      else path += `${index ? "L" : "M"}${right} ${up}`;
    });
    return points.length === 1 ? `${path}h1` : path;
  }

  #fill(line, index, runs) {
    if (line.fill === undefined) return [];
    const bottom = this.height - MARGIN.bottom;
    const other = line.fill === "zero" ? null
      : new Map(runs[line.fill].flat().map(({ x, y, sample }) => [sample, { x, y }]));
    return runs[index].map((points) => {
      const back = [...points].reverse().map(({ x, sample }) => {
        const y = other === null ? bottom : (other.get(sample)?.y ?? bottom);
        return `L${x.toFixed(1)} ${y.toFixed(1)}`;
      });
      const path = `${this.#path(line, points)}${back.join("")}Z`;
      return svg("path", { class: "area", "data-kind": line.kind, d: path });
    });
  }
}

function swatch() {
  return svg("svg", { class: "swatch", width: 16, height: 8, "aria-hidden": "true" },
    svg("line", { class: "line", x1: 0, x2: 16, y1: 4, y2: 4 }));
}
