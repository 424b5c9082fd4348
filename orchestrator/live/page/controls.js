// What can be changed about a link. Values follow the system until somebody touches them.

import { change } from "/page/api.js";
import { element, quantity, setText } from "/page/dom.js";
import { ModelSettings } from "/page/model_settings.js";

const COURSES = { random_walk: "random walk" };
const SLIDER_DB = [-20, 40]; // the number field takes all that the system takes

export class Controls {
  #link;
  #touched = new Set();
  #waiting = 0;

  constructor(link) {
    this.#link = link;
    const id = (name) => `${link}-${name}`;
    this.slider = element("input", { id: id("slider"), type: "range", step: 0.5,
      "aria-label": `SNR of ${link} in dB` });
    this.number = element("input", { id: id("snr"), type: "number", step: 0.1, required: true });
    this.course = element("span", { class: "course" });
    this.hold = element("button", {}, "Hold");
    this.follow = element("button", { type: "button", class: "plain" }, "Follow the course");
    this.model = element("select", { id: id("model") });
    this.settings = new ModelSettings(link, () => this.#freeModel());
    this.sir = element("input", { id: id("sir"), type: "number", step: 0.1, required: true });
    this.interferers = element("input", { id: id("interferers"), type: "number", min: 0, step: 1,
      required: true, "aria-label": `interferers of ${link}` });
    this.codec = element("select", { id: id("codec") });
    this.notice = element("p", { class: "notice", role: "status", "aria-live": "polite" });
    const label = (name, text) => element("label", { for: id(name) }, text);
    this.forms = {
      snr: element("form", { class: "snr" }, label("snr", "SNR, dB"), this.course, this.follow,
        element("div", { class: "row" }, this.slider, this.number, this.hold)),
      model: element("form", { class: "model" },
        element("div", { class: "choice" }, label("model", "Channel model"),
          element("div", { class: "row" }, this.model, element("button", {}, "Set"))),
        this.settings.node),
      met: element("form", { class: "met", hidden: true }, label("sir", "SIR, dB, and interferers"),
        element("div", { class: "row" }, this.sir, this.interferers, element("button", {}, "Set"))),
      codec: element("form", {}, label("codec", "Codec"),
        element("div", { class: "row" }, this.codec, element("button", {}, "Set"))),
    };
    this.node = element("div", { class: "controls" }, ...Object.values(this.forms), this.notice);
    this.#listen();
  }

  update(row, status) {
    const [low, high] = status.snr_bounds_db;
    Object.assign(this.number, { min: low, max: high });
    Object.assign(this.slider, { min: Math.max(low, SLIDER_DB[0]), max: Math.min(high, SLIDER_DB[1]) });
    const focused = this.forms.snr.contains(document.activeElement);
    if (!this.#touched.has("snr") && !focused && row.snr_set_db !== null) {
      this.number.value = row.snr_set_db;
      this.slider.value = row.snr_set_db;
    }
    this.follow.disabled = row.course !== "held";
    setText(this.course, row.course === "held" ? "held"
      : `course: ${COURSES[row.course] ?? row.course}`);
    this.#meet(row.group);
    this.#offer("model", this.model, status.models, row.model);
    this.settings.update(this.model.value, status.model_settings, row);
    if (this.settings.touched) this.#freeModel();
    const fitting = status.codecs.filter(({ dataset }) => dataset === row.dataset);
    const names = new Set([row.codec, ...(row.group ? [] : fitting.map(({ name }) => name))]);
    this.#offer("codec", this.codec, [...names].sort(), row.codec);
  }

  // How the links of its group interfere with it; a change is one of the whole group.
  #meet(group) {
    const met = group?.interference ?? null;
    this.forms.met.hidden = met === null;
    const focused = this.forms.met.contains(document.activeElement);
    if (met === null || focused || this.#touched.has("met")) return;
    this.interferers.max = group.links.length - 1;
    this.sir.value = met.sir_db;
    this.interferers.value = met.interferers;
  }

  #offer(name, select, values, current) {
    const offered = [...select.options].map(({ value }) => value);
    if (offered.join() !== values.join()) {
      select.replaceChildren(...values.map((value) => element("option", { value }, value)));
      this.#touched.delete(name);
    }
    if (!this.#touched.has(name)) select.value = current;
    const button = select.form.querySelector("button");
    button.disabled = this.#waiting > 0 || select.value === current;
  }

  #listen() {
    this.slider.addEventListener("input", () => {
      this.#touched.add("snr");
      this.number.value = this.slider.value;
    });
    this.slider.addEventListener("change", () => this.#holdSnr());
    this.number.addEventListener("input", () => {
      this.#touched.add("snr");
      this.slider.value = this.number.value;
    });
    for (const field of [this.sir, this.interferers]) {
      field.addEventListener("input", () => this.#touched.add("met"));
    }
    for (const name of ["model", "codec"]) {
      this[name].addEventListener("change", () => {
        this.#touched.add(name);
        this.forms[name].querySelector("button").disabled = false;
      });
    }
    this.model.addEventListener("change", () => this.settings.show(this.model.value));
    const submits = {
      snr: () => this.#holdSnr(),
      model: () => this.#setModel(),
      met: () => this.#setMet(),
      codec: () => this.#ask("codec", "/api/codec", { codec: this.codec.value },
        `codec is ${this.codec.value}`),
    };
    for (const [name, submit] of Object.entries(submits)) {
      this.forms[name].addEventListener("submit", (event) => {
        event.preventDefault();
        submit();
      });
    }
    this.follow.addEventListener("click", () =>
      this.#ask("snr", "/api/channel", { course: "resume" }, "SNR follows its course"));
  }

  #holdSnr() {
    const wanted = Number(this.number.value);
    return this.#ask("snr", "/api/channel", { snr_db: wanted },
      `SNR is held at ${quantity(wanted, 1, "dB")}`);
  }

  #setMet() {
    const [sir, number] = [Number(this.sir.value), Number(this.interferers.value)];
    return this.#ask("met", "/api/channel", { sir_db: sir, interferers: number },
      `SIR is ${quantity(sir, 1, "dB")} of each of ${number} interferers`);
  }

  async #setModel() {
    const content = { model: this.model.value, settings: this.settings.values() };
    await this.#ask("model", "/api/channel", content, `channel is ${this.model.value}`);
    if (this.notice.dataset.kind === "good") this.settings.forget();
  }

  #freeModel() {
    this.forms.model.querySelector("button").disabled = this.#waiting > 0;
  }

  async #ask(name, path, content, done) {
    this.#waiting += 1;
    this.#say("asking …", "");
    try {
      await change(path, { link: this.#link, ...content });
      this.#say(done, "good");
    } catch (error) {
      this.#say(error.message, "bad");
    } finally {
      this.#waiting -= 1;
      this.#touched.delete(name);
    }
  }

  #say(text, kind) {
    setText(this.notice, text);
    this.notice.dataset.kind = kind;
    this.notice.setAttribute("aria-live", kind === "bad" ? "assertive" : "polite");
  }
}
