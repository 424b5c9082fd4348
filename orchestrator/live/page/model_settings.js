// The settings of the channel model that is chosen: only what was touched is sent.

import { element, setText } from "/page/dom.js";

export class ModelSettings {
  #link;
  #offered = {};
  #row = { model: "", channel_settings: {} };
  #shown = "";
  #touched = new Map(); // key: what reads its value
  #changed;

  constructor(link, changed) {
    this.#link = link;
    this.#changed = changed;
    this.node = element("div", { class: "settings" });
  }

  get touched() {
    return this.#touched.size > 0;
  }

  values() {
    return Object.fromEntries([...this.#touched].map(([key, read]) => [key, read()]));
  }

  forget() {
    this.#touched.clear();
    this.#shown = "";
  }

  update(model, offered, row) {
    this.#offered = offered;
    this.#row = row;
    if (!this.touched && !this.node.contains(document.activeElement)) this.show(model);
  }

  show(model) {
    const settings = this.#offered[model] ?? [];
    const current = model === this.#row.model ? this.#row.channel_settings : {};
    const shown = JSON.stringify([model, settings, current]);
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#touched.clear();
    this.node.replaceChildren(...settings.map((setting) =>
      this.#field(setting, current[setting.key] ?? setting.default)));
  }

  #field(setting, value) {
    const { key, kind, means } = setting;
    const id = `${this.#link}-setting-${key}`;
    const [input, read] = this.#input(setting, value, id);
    input.addEventListener("input", () => {
      this.#touched.set(key, read);
      this.#changed();
    });
    const label = element("label", { for: id, title: means });
    setText(label, key);
    return element("div", { class: "setting", "data-kind": kind }, label, input);
  }

  #input({ kind, values, least, most }, value, id) {
    if (kind === "choice") {
      const input = element("select", { id }, ...values.map((each) =>
        element("option", { value: JSON.stringify(each) }, String(each))));
      input.value = JSON.stringify(value ?? values[0]);
      return [input, () => JSON.parse(input.value)];
    }
    if (kind === "flag") {
      const input = element("input", { id, type: "checkbox" });
      input.checked = Boolean(value);
      return [input, () => input.checked];
    }
    if (kind === "text") {
      const input = element("input", { id, type: "text", maxlength: 1024 });
      const isText = value === null || value === undefined || typeof value === "string";
      input.value = isText ? value ?? "" : JSON.stringify(value);
      return [input, () => (isText ? input.value : parsed(input.value))];
    }
    const step = kind === "whole number" ? 1 : "any";
    const input = element("input", { id, type: "number", step, min: least, max: most });
    input.value = value ?? "";
    return [input, () => (input.value === "" ? null : Number(input.value))];
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
