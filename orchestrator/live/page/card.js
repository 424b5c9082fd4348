// One link: figures, charts, accounting, controls.

import { decibels, fromZero, SHARE } from "/page/axes.js";
import { Chart } from "/page/chart.js";
import { Controls } from "/page/controls.js";
import { count, element, NONE, percent, quantity, setText } from "/page/dom.js";
import { gapOf, rates } from "/page/history.js";

const SYSTEMS = { "rkd-sc": "RKD-SC" };
const KINDS = { streaming: "good", failed: "bad", away: "bad", waiting: "warn", paused: "quiet" };
const COURSES = { held: "held", random_walk: "random walk" };

function digitsOf(step) {
  return Number.isInteger(step) ? 0 : Number.isInteger(step * 10) ? 1 : 2;
}

function labelled(unit) {
  return (value, top, step) => quantity(value, digitsOf(step), top ? unit : "");
}

function makeCharts() {
  const accuracy = new Chart({
    id: "accuracy", title: "Accuracy and SNR", height: 172,
    lines: [
      { name: "accuracy", kind: "main", fill: "zero", format: (value) => percent(value) },
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
    id: "throughput", title: "Frames per second", height: 128,
    lines: [
      { name: "recorded", kind: "main", fill: "zero", format: (value) => quantity(value, 1, "") },
      { name: "offered", kind: "second", format: (value) => quantity(value, 1, "") },
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
    this.balance = element("p", { class: "balance" });
    this.controls = new Controls(name);
    this.node = element("article", { class: "card", "data-link": name, "data-hue": hue % 8 },
      element("div", { class: "card-head" }, element("h2", {}, name), this.state),
      this.what, this.failure,
      element("dl", { class: "figures" }, ...Object.values(this.figures).map(({ node }) => node)),
      ...Object.values(this.charts).map((chart) => chart.figure),
      this.balance, this.controls.node);
  }

  update(row, status, view, kept) {
    setText(this.state, row.state);
    this.state.dataset.kind = KINDS[row.state] ?? "quiet";
    setText(this.what, `codec ${row.codec} (${SYSTEMS[row.system] ?? row.system}), ` +
      `data ${row.dataset}, channel ${row.channel}`);
    setText(this.failure, row.failure);
    this.failure.hidden = !row.failure;
    this.#figures(row);
    this.#balance(row);
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
        `${count(recent.images)} images`;
    say("accuracy", percent(recent.accuracy), within);
    const course = COURSES[row.course] ?? row.course;
    say("snr", quantity(row.snr_set_db, 1, "dB"),
      `${quantity(recent.snr_measured_db, 1, "dB")} measured, ${course}`);
    say("latency", quantity(recent.p50_ms, 0, "ms"), `p99 ${quantity(recent.p99_ms, 0, "ms")}`);
    say("throughput", quantity(recent.frames_per_s, 1, "/s"), `${count(row.in_flight)} in flight`);
  }

  #balance(row) {
    const parts = ["recorded", "shed", "lost", "open"].map((name) => `${count(row[name])} ${name}`);
    const more = [
      [row.window.retransmissions, "sent again lately"],
      [row.refusals, "refused"],
      [row.duplicates, "came twice"],
    ].filter(([number]) => number).map(([number, what]) => `, ${count(number)} ${what}`);
    const gap = row.unaccounted ? `; ${count(row.unaccounted)} not accounted for` : "";
    setText(this.balance, `${count(row.offered)} frames offered = ${parts.join(" + ")}` +
      `${more.join("")}${gap}`);
    this.balance.dataset.kind = row.unaccounted ? "bad" : "good";
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
