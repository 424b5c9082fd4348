// The item that a link has just sent: its picture or sentence, the answer, and the constellation.
// It is computed once more for this, so it is only asked for while it is unfolded.

import { readItem } from "/page/api.js";
import { element, NONE, percent, setText, svg } from "/page/dom.js";

const EVERY_MS = 2500;
const SIZE = 100;

const SHOWN_AT_ONCE = ["reconstruction", "text"]; // what comes is something to look at

export class CurrentItem {
  #link;
  #task = null;
  #timer = null;

  constructor(link) {
    this.#link = link;
    this.sent = element("figure");
    this.answer = element("figure");
    this.plot = svg("svg", { class: "constellation", role: "img",
      viewBox: `${-SIZE / 2} ${-SIZE / 2} ${SIZE} ${SIZE}` });
    this.numbers = element("p", { class: "muted" });
    this.notice = element("p", { class: "said", role: "status" });
    this.node = element("details", { class: "item" },
      element("summary", {}, "Current item and constellation"),
      element("div", { class: "seen" }, this.sent, this.answer, this.plot), this.numbers, this.notice);
    this.node.addEventListener("toggle", () => (this.node.open ? this.#ask() : this.#stop()));
  }

  // Pictures and sentences are shown as they come, until somebody folds them.
  begin(task) {
    if (this.#task === null && SHOWN_AT_ONCE.includes(task)) this.node.open = true;
    this.#task = task;
    this.node.dataset.task = task;
  }

  #stop() {
    clearTimeout(this.#timer);
  }

  async #ask() {
    clearTimeout(this.#timer);
    if (!this.node.open || !this.node.isConnected) return;
    if (!document.hidden) {
      if (!this.node.dataset.frame) setText(this.notice, "computing …");
      try {
        this.#show(await readItem(this.#link));
      } catch (error) {
        setText(this.notice, error.message);
        this.notice.dataset.kind = "bad";
      }
    }
    this.#timer = setTimeout(() => this.#ask(), EVERY_MS);
  }

  #show(item) {
    this.node.dataset.frame = item.frame;
    const kind = item.right === null ? "" : item.right ? "good" : "bad";
    this.sent.replaceChildren(...seen(item.picture, item.sent, "sent"));
    const sure = item.confidence === null ? "" : ` ${percent(item.confidence, 0)}`;
    const words = item.answer === null ? null : `${item.answer}${sure}`;
    const caption = SHOWN_AT_ONCE.includes(this.#task) ? "received" : "answered";
    this.answer.replaceChildren(...seen(item.answer_picture, words, caption));
    this.answer.dataset.kind = kind;
    this.#draw(item.symbols_sent, item.symbols_arrived);
    const distance = (value) => (value === null ? NONE : value.toFixed(2));
    setText(this.numbers, `${item.snr_db} dB, symbol distance ${distance(item.symbol_distance)}, ` +
      `feature distance ${distance(item.feature_distance)}`);
    this.notice.dataset.kind = "";
    setText(this.notice, item.agrees ? "" : "computed here otherwise than it was answered");
  }

  #draw(sent, arrived) {
    const reach = 1.06 * Math.max(1, ...[...sent, ...arrived].flat().map(Math.abs));
    const place = ([x, y]) => [(SIZE * x) / 2 / reach, (-SIZE * y) / 2 / reach];
    const half = SIZE / 2;
    const links = sent.length === arrived.length && sent.length <= 64
      ? sent.map((each, index) => `M${place(each)}L${place(arrived[index])}`).join("") : "";
    this.plot.setAttribute("aria-label", `constellation of ${sent.length} symbols`);
    this.plot.replaceChildren(
      svg("path", { class: "axis", d: `M${-half} 0H${half}M0 ${-half}V${half}` }),
      svg("circle", { class: "axis", r: half / reach }),
      svg("path", { class: "error", d: links }),
      ...sent.map((each) => svg("circle", { class: "ring", cx: place(each)[0], cy: place(each)[1], r: 2 })),
      svg("path", { class: "arrived", d: arrived.map((each) => `M${place(each)}h0`).join("") }),
    );
  }
}

function seen(picture, words, caption) {
  const parts = [];
  if (picture !== null) {
    parts.push(element("img", { src: `data:image/png;base64,${picture}`, alt: caption }));
  }
  parts.push(element("figcaption", {}, element("span", { class: "muted" }, caption), " ",
    element("strong", {}, words ?? "")));
  return parts;
}
