// One link: figures, charts, accounting, controls.

import { decibels, fromZero, SHARE } from "/page/axes.js";
import { Chart } from "/page/chart.js";
import { Controls } from "/page/controls.js";
import { count, element, NONE, percent, quantity, setText } from "/page/dom.js";
import { gapOf, rates } from "/page/history.js";

const SYSTEMS = { "rkd-sc": "RKD-SC" };
const KINDS = { streaming: "good", failed: "bad", away: "bad", waiting: "warn", paused: "quiet" };

function digitsOf(step) {
  return Number.isInteger(step) ? 0 : Number.isInteger(step * 10) ? 1 : 2;
}

function labelled(unit) {
  return (value, top, step) => quantity(value, digitsOf(step), top ? unit : "");
}

function makeCharts() {
  const accuracy = new Chart({
    id: "accuracy", title: "Accuracy", height: 172,
    lines: [
      { name: "", kind: "main", fill: "zero", format: (value) => percent(value) },
      { name: "SNR set", kind: "second", right: true, stepped: true,
        format: (value) => quantity(value, 1, "dB") },
    ],
    left: { scale: () => SHARE, label: (value, top) => percent(value, 0).slice(0, top ? undefined : -2) },
    right: { scale: (columns) => decibels(columns[1]), label: labelled("dB") },
  });
  const latency = new Chart({
    id: "latency", title: "Round trip", height: 128,
    lines: [
      { name: "p50", kind: "main", format: (value) => quantity(value, 0, "ms") },
      { name: "p99", kind: "faint", fill: 0, format: (value) => quantity(value, 0, "ms") },
    ],
    left: { scale: (columns) => fromZero(columns.flat(), 10), label: labelled("ms") },
  });
  const throughput = new Chart({
    id: "throughput", title: "Throughput", height: 128,
    lines: [
      { name: "recorded", kind: "main", fill: "zero", format: (value) => quantity(value, 1, "/s") },
      { name: "offered", kind: "second", format: (value) => quantity(value, 1, "/s") },
    ],
    left: { scale: (columns) => fromZero(columns.flat(), 1), label: labelled("/s") },
  });
  return { accuracy, latency, throughput };
}

function figure(name, term) {
  const value = element("dd", { class: "figure", "data-figure": name }, NONE);
  const beside = element("dd", { class: "beside" });
  return { value, beside, node: element("div", {}, element("dt", {}, term), value, beside) };
}

// What became of all frames: the numbers must add up.
class Balance {
  constructor() {
    const terms = ["offered", "recorded", "shed", "lost", "open"];
    this.numbers = new Map(terms.map((term) => [term, element("dd")]));
    const parts = terms.map((term) =>
      element("div", { class: term }, element("dt", {}, term), this.numbers.get(term)));
    this.note = element("p");
    this.node = element("div", { class: "balance", role: "group", "aria-label": "Frames" },
      element("dl", {}, ...parts), this.note);
  }

  update(row) {
    for (const [term, number] of this.numbers) setText(number, count(row[term]));
    const more = [
      [row.window.retransmissions, "sent again lately"],
      [row.refusals, "refused"],
      [row.duplicates, "came twice"],
    ].filter(([number]) => number).map(([number, what]) => `, ${count(number)} ${what}`);
    const all = row.unaccounted ? `${count(row.unaccounted)} frames not accounted for`
      : "all frames accounted for";
    setText(this.note, all + more.join(""));
    this.node.dataset.kind = row.unaccounted ? "bad" : "good";
  }
}

export class Card {
  constructor(name, hue) {
    this.state = element("span", { class: "pill" });
    this.what = element("p", { class: "muted what" });
    this.failure = element("p", { class: "failure", role: "alert", hidden: true });
    this.figures = {
      accuracy: figure("accuracy", "Accuracy"),
      snr: figure("snr", "SNR set"),
      latency: figure("latency", "Round trip, p50"),
      throughput: figure("throughput", "Recorded"),
    };
    this.charts = makeCharts();
    this.balance = new Balance();
    this.controls = new Controls(name);
    this.node = element("article", { class: "card", "data-link": name, "data-hue": hue % 8 },
      element("div", { class: "card-head" }, element("h2", {}, name), this.state),
      this.what, this.failure,
      element("dl", { class: "figures" }, ...Object.values(this.figures).map(({ node }) => node)),
      ...Object.values(this.charts).map((chart) => chart.figure),
      this.balance.node, this.controls.node);
  }

  update(row, status, view, kept) {
    setText(this.state, row.state);
    this.state.dataset.kind = KINDS[row.state] ?? "quiet";
    setText(this.what, `codec ${row.codec} (${SYSTEMS[row.system] ?? row.system}), ` +
      `data ${row.dataset}, channel ${row.channel}`);
    setText(this.failure, row.failure);
    this.failure.hidden = !row.failure;
    this.#figures(row);
    this.balance.update(row);
    this.controls.update(row, status);
    this.#charts(status, view, kept);
  }

  #figures(row) {
    const { window: recent } = row;
    const say = (name, value, beside) => {
      setText(this.figures[name].value, value);
      setText(this.figures[name].beside, beside);
    };
    const within = recent.ci95_low === null ? "nothing recorded"
      : `${percent(recent.ci95_low).slice(0, -2)} to ${percent(recent.ci95_high)}, ` +
        `n = ${count(recent.images)}`;
    say("accuracy", percent(recent.accuracy), within);
    say("snr", quantity(row.snr_set_db, 1, "dB"),
      `measured ${quantity(recent.snr_measured_db, 1, "dB")}`);
    say("latency", quantity(recent.p50_ms, 0, "ms"), `p99 ${quantity(recent.p99_ms, 0, "ms")}`);
    say("throughput", quantity(recent.frames_per_s, 1, "/s"), `${count(row.in_flight)} in flight`);
  }

  #charts(status, view, kept) {
    const times = kept.uptime_s;
    const gap = gapOf(times);
    const rate = (name) => rates(times, kept[name], status.window_s, gap);
    const data = {
      accuracy: [kept.accuracy, kept.snr_set_db],
      latency: [kept.p50_ms, kept.p99_ms],
      throughput: [rate("recorded"), rate("offered")],
    };
    for (const [name, columns] of Object.entries(data)) {
      this.charts[name].update({ times, columns, gap, ...view });
    }
  }
}
