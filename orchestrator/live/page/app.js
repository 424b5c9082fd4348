// The live page: asks for the status every second and shows it.

import "/page/errors.js";
import { keepToken, readStatus, token } from "/page/api.js";
import { span } from "/page/axes.js";
import { Card } from "/page/card.js";
import { count, duration, element, percent, setText } from "/page/dom.js";
import { History } from "/page/history.js";

const EVERY_MS = 1000;
const HIDDEN_EVERY_MS = 10_000;
const SILENT_MS = 5000;
const PHASES = { streaming: "good", sweeping: "busy", pausing: "warn", stopping: "warn" };

const root = document.documentElement;
const at = (id) => document.getElementById(id);
const history = new History();
const cards = new Map();
let answeredAt = null;
let silence = 0; // milliseconds in which this page ran and was seen, but had no answer
let ticked = performance.now();
let trouble = "";

async function poll() {
  try {
    show(await current());
    [silence, answeredAt, trouble] = [0, new Date(), ""];
  } catch (error) {
    trouble = error.message;
  }
  watch();
  setTimeout(poll, document.hidden ? HIDDEN_EVERY_MS : EVERY_MS);
}

async function current() {
  const status = await readStatus(history.since);
  if (history.take(status)) return status;
  const whole = await readStatus(null);
  history.take(whole);
  return whole;
}

function show(status) {
  document.title = `${status.name}: ${status.phase}`;
  setText(at("name"), status.name);
  setText(at("phase"), status.phase);
  at("phase").dataset.kind = PHASES[status.phase] ?? "quiet";
  setText(at("uptime"), `up for ${duration(status.uptime_s)}`);
  setText(at("footer"), `Figures are of the last ${status.window_s} s; intervals are of 95 %. ` +
    `SNR is Es/N0 per complex symbol. Run ${status.run}.`);
  at("token-form").hidden = !status.token_needed;
  showProcesses(status.processes);
  showLinks(status);
  showSweep(status.sweep);
  showJobs(status.jobs);
  at("empty").hidden = status.links.length > 0;
  root.dataset.state = "live";
}

function showProcesses(processes) {
  const chips = processes.map(({ role, peer, up, silent_s: silent }) => {
    const name = role === peer ? role : `${role} ${peer}`;
    const text = up ? name : `${name}, silent for ${Math.round(silent)} s`;
    return element("li", { "data-kind": up ? "good" : "bad" }, text);
  });
  if (!chips.length) chips.push(element("li", { "data-kind": "warn" }, "no process heard of yet"));
  renew(at("processes"), chips);
}

function showLinks(status) {
  const newest = Math.max(status.uptime_s, history.since ?? 0);
  const oldest = status.links.map(({ link }) => history.of(link).uptime_s[0] ?? newest);
  const view = { now: newest, span: span(newest - Math.min(newest, ...oldest)) };
  const names = status.links.map(({ link }) => link);
  if (names.join() !== [...cards.keys()].join()) {
    cards.clear();
    names.forEach((name, index) => cards.set(name, new Card(name, index)));
    at("links").replaceChildren(...[...cards.values()].map(({ node }) => node));
  }
  for (const row of status.links) cards.get(row.link).update(row, status, view, history.of(row.link));
}

function showSweep(sweep) {
  if (sweep === null) {
    renew(at("sweep"), [
      element("p", { class: "muted" }, "None yet. ",
        element("code", {}, "semcom sweep SCENARIO --live"), " runs one with these processes."),
    ]);
    return;
  }
  const parts = [
    element("p", {}, element("strong", {}, sweep.name), " ",
      element("span", { class: "pill", "data-kind": kindOf(sweep.state) }, sweep.state)),
    element("progress", { max: Math.max(1, sweep.planned), value: sweep.recorded,
      "aria-label": "Frames recorded" }),
    element("p", { class: "muted" }, `${count(sweep.recorded)} of ${count(sweep.planned)} frames ` +
      `(${percent(sweep.recorded / Math.max(1, sweep.planned), 0)})`),
  ];
  if (sweep.waiting.length) {
    parts.push(element("p", { class: "failure" }, `waiting for ${sweep.waiting.join(", ")}`));
  }
  if (sweep.error) parts.push(element("p", { class: "failure" }, sweep.error));
  if (sweep.results_digest) {
    const report = sweep.report ? [", report ", element("code", {}, sweep.report)]
      : sweep.undrawn ? [`, no report: ${sweep.undrawn}`] : [];
    parts.push(element("p", { class: "muted" }, "results digest ",
      element("code", {}, sweep.results_digest.slice(0, 12)), ...report));
  }
  renew(at("sweep"), parts);
}

function showJobs(jobs) {
  if (!jobs.length) {
    renew(at("jobs"), [element("p", { class: "muted" }, "None queued or running.")]);
    return;
  }
  const head = ["job", "data", "state", "stage", "progress", "restarts"];
  const rows = jobs.map((job) => [
    `${job.id} ${job.name}`, job.dataset, job.state, job.stage, percent(job.progress, 0),
    String(job.restarts),
  ]);
  const cells = (tag, values) =>
    element("tr", {}, ...values.map((value) => element(tag, tag === "th" ? { scope: "col" } : {}, value)));
  renew(at("jobs"), [
    element("div", { class: "scroll" }, element("table", {},
      element("thead", {}, cells("th", head)),
      element("tbody", {}, ...rows.map((row) => cells("td", row))))),
  ]);
}

function kindOf(state) {
  return { done: "good", failed: "bad" }[state] ?? "busy";
}

// Replaces children only where they differ, so that what is selected or read aloud stays.
function renew(node, children) {
  const same = children.length === node.children.length &&
    children.every((child, index) => child.isEqualNode(node.children[index]));
  if (!same) node.replaceChildren(...children);
}

function tick() {
  const now = performance.now();
  if (!document.hidden) silence += Math.min(now - ticked, EVERY_MS);
  ticked = now;
  watch();
}

// Says so where the system has been silent; what is shown is then of the past.
function watch() {
  if (root.dataset.scriptErrors !== "0") return;
  const silent = silence > SILENT_MS;
  if (silent) {
    root.dataset.state = "lost";
    const since = answeredAt === null ? "The system has not answered yet"
      : `No answer since ${answeredAt.toLocaleTimeString()}; what is shown is of then`;
    setText(at("banner"), `${since}${trouble ? ` (${trouble})` : ""}. Still trying.`);
    setText(at("phase"), "no answer");
    at("phase").dataset.kind = "bad";
  } else if (trouble && answeredAt === null) {
    setText(at("empty"), `No status yet: ${trouble}. Still trying.`);
  }
  at("banner").hidden = !silent;
}

at("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keepToken(at("token").value.trim());
  setText(at("token-state"), token() ? "kept in this tab until it is closed" : "forgotten");
});
at("token").value = token();
setInterval(tick, EVERY_MS / 2);
poll();
