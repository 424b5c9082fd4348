// One link: figures, charts, accounting, controls.

import { decibels, fromZero, within } from "/page/axes.js";
import { Chart } from "/page/chart.js";
import { Controls } from "/page/controls.js";
import { count, element, NONE, printed, quantity, setText } from "/page/dom.js";
import { gapOf, rates } from "/page/history.js";
import { CurrentItem } from "/page/item.js";

const SYSTEMS = { "rkd-sc": "RKD-SC" };
const KINDS = { streaming: "good", failed: "bad", away: "bad", waiting: "warn", paused: "quiet" };

function digitsOf(step) {
  for (let digits = 0; digits < 6; digits += 1) {
    const shifted = step * 10 ** digits;
    if (Math.abs(shifted - Math.round(shifted)) < 1e-6) return digits;
  }
  return 6;
}

function labelled(unit) {
  return (value, top, step) => quantity(value, digitsOf(step), top ? unit : "");
}

// A metric with what is printed of it; `shown.metric` is that of the link's codec, as the status
// describes it. The chart's values are multiplied by its scale, so that they are what is printed.
function makeCharts(shown) {
  const value = new Chart({
    id: "value", title: "", height: 172,
    lines: [
      { name: "", kind: "main", fill: "zero",
        format: (each) => quantity(each, shown.metric.digits, shown.metric.unit) },
      { name: "SNR set", kind: "second", right: true, stepped: true,
        format: (value) => quantity(value, 1, "dB") },
    ],
    left: {
      scale: (columns) => within(columns[0], shown.limits),
      label: (each, top, step) => labelled(shown.metric.unit)(each, top, step),
    },
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
  return { value, latency, throughput };
}

function figure(name, term) {
  const head = element("dt", {}, term);
  const value = element("dd", { class: "figure", "data-figure": name }, NONE);
  const beside = element("dd", { class: "beside" });
  return { term: head, value, beside, node: element("div", {}, head, value, beside) };
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
      [row.incomplete, `answered without ${Object.keys(row.absent).join(" or ")}`],
    ].filter(([number]) => number).map(([number, what]) => `, ${count(number)} ${what}`);
    const all = row.unaccounted ? `${count(row.unaccounted)} frames not accounted for`
      : "all frames accounted for";
    setText(this.note, all + more.join(""));
    this.node.dataset.kind = row.unaccounted ? "bad" : "good";
  }
}

// Whom a link meets in the channel, and how.
function meeting({ link, group }) {
  if (!group) return "";
  const others = group.links.filter((name) => name !== link).join(" and ");
  if (group.kind === "superposition") {
    return `, superposed with ${others}, power ${Math.round(100 * group.powers[link])} %`;
  }
  const { sir_db: sir, interferers } = group.interference;
  return interferers === 0 ? `, in a group with ${others}, without interferers`
    : `, SIR ${quantity(sir, 1, "dB")}, ${interferers} interfering of ${others}`;
}

// Controls are always there on a wide screen; on a narrow one they stand above the charts, folded.
function unfoldWhereWide(details) {
  const wide = matchMedia("(min-width: 700px)");
  const follow = () => { details.open = wide.matches; };
  wide.addEventListener("change", follow);
  follow();
}

export class Card {
  constructor(name, hue) {
    this.state = element("span", { class: "pill" });
    this.what = element("p", { class: "muted what" });
    this.failure = element("p", { class: "failure", role: "alert", hidden: true });
    this.figures = {
      value: figure("value", ""),
      snr: figure("snr", "SNR set"),
      latency: figure("latency", "Round trip, p50"),
      throughput: figure("throughput", "Recorded"),
    };
    this.shown = { metric: null, limits: [null, null] };
    this.charts = makeCharts(this.shown);
    this.balance = new Balance();
    this.controls = new Controls(name);
    this.adjust = element("details", { class: "adjust" },
      element("summary", {}, "SNR, channel and codec"), this.controls.node);
    unfoldWhereWide(this.adjust);
    this.item = new CurrentItem(name);
    this.node = element("article", { class: "card", "data-link": name, "data-hue": hue % 8 },
      element("div", { class: "card-head" }, element("h2", {}, name), this.state),
      this.what, this.failure,
      element("dl", { class: "figures" }, ...Object.values(this.figures).map(({ node }) => node)),
      ...Object.values(this.charts).map((chart) => chart.figure),
      this.balance.node, this.item.node, this.adjust);
  }

  update(row, status, view, kept) {
    setText(this.state, row.state);
    this.state.dataset.kind = KINDS[row.state] ?? "quiet";
    setText(this.what, `codec ${row.codec} (${SYSTEMS[row.system] ?? row.system}), ` +
      `data ${row.dataset}, channel ${row.channel}${meeting(row)}`);
    this.item.begin(row.task);
    setText(this.failure, row.failure);
    this.failure.hidden = !row.failure;
    this.#metric(row.metric);
    this.#figures(row);
    this.balance.update(row);
    this.controls.update(row, status);
    this.#charts(row, status, view, kept);
  }

  #metric(metric) {
    this.shown.metric = metric;
    this.shown.limits = metric.limits.map((limit) => limit === null ? null : metric.scale * limit);
    setText(this.figures.value.term, metric.title);
    this.charts.value.rename(metric.title);
  }

  #figures(row) {
    const { window: recent, metric } = row;
    const say = (name, value, beside) => {
      setText(this.figures[name].value, value);
      setText(this.figures[name].beside, beside);
    };
    const bare = (value) => printed(value, { ...metric, unit: "" }); // the figure has the unit
    const interval = recent.images === 0 ? "nothing recorded"
      : `${bare(recent.ci95_low)} to ${bare(recent.ci95_high)}, n = ${count(recent.images)}`;
    say("value", printed(recent.value, metric), interval);
    say("snr", quantity(row.snr_set_db, 1, "dB"),
      `measured ${quantity(recent.snr_measured_db, 1, "dB")}`);
    say("latency", quantity(recent.p50_ms, 0, "ms"), `p99 ${quantity(recent.p99_ms, 0, "ms")}`);
    say("throughput", quantity(recent.frames_per_s, 1, "/s"), `${count(row.in_flight)} in flight`);
  }

  #charts(row, status, view, kept) {
    const times = kept.uptime_s;
    const gap = gapOf(times);
    const { scale } = this.shown.metric;
    const rate = (name) => rates(times, kept[name], status.window_s, gap);
    const data = {
      value: [kept.value.map((each) => each === null ? null : scale * each), kept.snr_set_db],
      latency: [kept.p50_ms, kept.p99_ms],
      throughput: [rate("recorded"), rate("offered")],
    };
    for (const [name, columns] of Object.entries(data)) {
      this.charts[name].update({ times, columns, gap, changes: row.changes, ...view });
    }
  }
}
