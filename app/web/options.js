/*
 * options.js - the choices besides picture and prompt. What there is to choose, the defaults and
 * the limits come from /openapi.json, which the server makes from the tables that check requests.
 */

import { $, clear, h, icon } from "./dom.js";
import { t } from "./strings.js";

const FEW = 4; /* up to so many words are shown beside each other */

export class Options {
  constructor(document_, changed) {
    this.changed = changed;
    this.models = document_.components.schemas.createTask.oneOf.map(ref => {
      const schema = document_.components.schemas[ref.$ref.split("/").pop()];
      return { name: schema.properties.model.const, fields: schema.properties.input.properties };
    });
    this.values = { model: this.models[0].name, callback: "" };
    this.errors = new Map();
    this.draw();
  }

  get fields() {
    return this.models.find(model => model.name === this.values.model).fields;
  }

  /* What was chosen, or the API's default. */
  value(name) {
    const field = this.fields[name];
    const chosen = this.values[name];
    const words = wordsOf(field);
    return chosen !== undefined && (!words || words.includes(chosen)) ? chosen : field?.default;
  }

  set(name, value) {
    this.values[name] = value;
    this.showError(name, "");
    this.changed(name);
  }

  /* The fields of `input` besides pictures and prompt, as the model takes them. */
  input() {
    const input = {};
    for (const name of ["resolution", "duration", "camera_fixed", "seed", "enable_safety_checker"])
      if (this.fields[name]) input[name] = this.value(name);
    return input;
  }

  get durationS() {
    return Number(this.value("duration"));
  }

  /* A request sent before, back in its places. */
  restore(param) {
    if (this.models.some(model => model.name === param.model)) this.values.model = param.model;
    for (const [name, value] of Object.entries(param.input ?? {}))
      if (name in this.fields) this.values[name] = name === "duration" ? String(value) : value;
    if (param.input?.frames) this.values.duration = this.nearest(param.input.frames);
    this.values.callback = param.callBackUrl ?? "";
    this.draw();
    this.changed("model");
  }

  /* The duration that was made for a count of frames, as the server chooses it. */
  nearest(frames) {
    const off = word => Math.abs(24 * Number(word) + 1 - frames);
    return wordsOf(this.fields.duration).reduce((best, word) => (off(word) <= off(best) ? word : best));
  }

  showError(name, text) {
    const el = this.errors.get(name);
    if (!el) return false;
    el.textContent = text;
    el.closest(".option").classList.toggle("wrong", text !== "");
    return true;
  }

  /* ---- controls ---- */

  draw() {
    this.errors.clear();
    const rows = [this.row("model", this.select("model", this.models.map(m => m.name), shortModel))];
    for (const name of ["resolution", "duration"]) {
      const words = wordsOf(this.fields[name]);
      const label = name === "duration" ? word => t("seconds", word) : word => word;
      if (words) rows.push(this.row(name, words.length <= FEW ? this.radios(name, words, label) : this.select(name, words, label), words.length <= FEW));
    }
    if (this.fields.seed) rows.push(this.row("seed", this.seed()));
    for (const name of ["camera_fixed", "enable_safety_checker"])
      if (this.fields[name]) rows.push(this.row(name, this.toggle(name)));
    rows.push(this.row("callback", this.callback()));
    clear($("options"), rows);
  }

  row(name, control, group = false) {
    const error = h("p", { class: "error", id: `${name}-error` });
    this.errors.set(name, error);
    const label = group ? h("span", { class: "option-name", id: `${name}-label` }, t(name))
      : h("label", { class: "option-name", for: `option-${name}` }, t(name));
    return h("div", { class: `option option-${name}`, dataset: { field: name } }, label, control, error);
  }

  select(name, words, label) {
    const now = name === "model" ? this.values.model : this.value(name);
    return h("select", { id: `option-${name}`, "aria-describedby": `${name}-error`,
      onchange: event => {
        this.set(name, event.target.value);
        if (name === "model") {
          this.draw();
          $("option-model").focus();
        }
      } }, words.map(word => h("option", { value: word, selected: word === now }, label(word))));
  }

  radios(name, words, label) {
    const now = this.value(name);
    return h("div", { class: "segments", role: "radiogroup", "aria-labelledby": `${name}-label` },
      words.map(word => h("label", { class: "segment" },
        h("input", { type: "radio", name, value: word, checked: word === now, onchange: () => this.set(name, word) }),
        h("span", {}, label(word)))));
  }

  toggle(name) {
    return h("input", { type: "checkbox", role: "switch", class: "switch", id: `option-${name}`,
      "aria-describedby": `${name}-error`, checked: this.value(name) === true,
      onchange: event => this.set(name, event.target.checked) });
  }

  seed() {
    const { minimum, maximum } = this.fields.seed;
    const now = this.value("seed");
    const input = h("input", { id: "option-seed", type: "number", min: minimum, max: maximum, step: "1",
      placeholder: t("seed-random"), inputmode: "numeric", "aria-describedby": "seed-error",
      value: now === this.fields.seed.default ? null : now,
      oninput: event => {
        const text = event.target.value.trim();
        this.set("seed", text === "" ? this.fields.seed.default : Number(text));
      } });
    const roll = h("button", { type: "button", class: "dice", "aria-label": t("seed-roll"), title: t("seed-roll"),
      onclick: () => {
        input.value = String(crypto.getRandomValues(new Uint32Array(1))[0] % 1000000);
        this.set("seed", Number(input.value));
      } }, icon("dice"));
    return h("div", { class: "seed" }, input, roll);
  }

  callback() {
    return h("input", { id: "option-callback", type: "url", placeholder: "https://", value: this.values.callback,
      "aria-describedby": "callback-error", spellcheck: "false", autocomplete: "off",
      oninput: event => this.set("callback", event.target.value.trim()) });
  }
}

function wordsOf(field) {
  return field?.enum ?? field?.anyOf?.find(schema => schema.type === "string")?.enum;
}

export const shortModel = name => name.split("/").pop().replace(/-image-to-video$/, "");
