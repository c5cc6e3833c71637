/* pictures.js - the places for the first and the last frame: drop, paste, choose, preview. */

import { $, clear, h, icon, size } from "./dom.js";
import { t } from "./strings.js";

const MAX_BYTES = 10 * 1024 * 1024;
const TYPES = "image/jpeg,image/png,image/webp";

/* One place. changed() is called after each change; value is { file, preview } or null. */
export class Slot {
  constructor(id, names, changed) {
    this.el = $(id);
    this.names = names; /* { title, choose, remove }: keys of texts */
    this.changed = changed;
    this.value = null;
    this.note = "";
    this.enabled = true;
    this.input = h("input", { type: "file", accept: TYPES, class: "sr", tabindex: "-1", "aria-hidden": "true",
      onchange: () => { if (this.input.files[0]) this.set(this.input.files[0]); this.input.value = ""; } });
    this.error = h("p", { class: "error", id: `${id}-error` });
    this.el.addEventListener("dragover", event => { event.preventDefault(); this.el.classList.add("over"); });
    this.el.addEventListener("dragleave", () => this.el.classList.remove("over"));
    this.el.addEventListener("drop", event => {
      this.el.classList.remove("over");
      const file = pictureOf(event.dataTransfer);
      if (!file) return;
      event.preventDefault();
      event.stopPropagation();
      document.dispatchEvent(new Event("dropped"));
      this.set(file);
    });
    this.draw();
  }

  choose() {
    this.input.click();
  }

  set(file) {
    if (this.value) URL.revokeObjectURL(this.value.preview);
    this.value = file ? { file, preview: URL.createObjectURL(file), width: 0, height: 0 } : null;
    this.note = "";
    this.showError(file && file.size > MAX_BYTES ? t("too-large", size(file.size)) : "");
    this.draw();
    this.changed();
  }

  enable(on) {
    this.enabled = on;
    this.el.hidden = !on;
  }

  get current() {
    return this.enabled ? this.value : null;
  }

  showError(text) {
    this.error.textContent = text;
    this.el.classList.toggle("wrong", text !== "");
  }

  draw() {
    const { title, choose, remove } = this.names;
    const named = h("span", { class: "slot-name" }, t(title),
      this.names.optional ? h("span", { class: "faint" }, t("optional")) : null);
    const button = h("button", { type: "button", class: "slot-button", "aria-label": this.value ? t(choose) : null,
      "aria-describedby": this.error.id, onclick: () => this.choose() });
    if (this.value) {
      const img = h("img", { src: this.value.preview, alt: this.value.file.name || t(title) });
      img.addEventListener("load", () => {
        this.value.width = img.naturalWidth;
        this.value.height = img.naturalHeight;
        this.changed();
      }, { once: true });
      img.addEventListener("error", () => {
        button.removeAttribute("aria-label");
        img.replaceWith(h("span", { class: "slot-empty" }, icon("picture"), t("not-shown")));
      }, { once: true });
      button.append(img);
    } else {
      button.append(h("span", { class: "slot-empty" }, icon("picture"), h("span", { class: "sr" }, `${t(title)}: `), t("choose")));
    }
    const removeButton = this.value && h("button", { type: "button", class: "slot-remove", "aria-label": t(remove),
      onclick: () => { this.set(null); this.el.querySelector("button").focus(); } }, icon("cross"));
    clear(this.el, named, h("div", { class: "slot-box" }, button, removeButton), this.error, this.input);
  }
}

/* The first picture of what was dropped or pasted. */
export function pictureOf(transfer) {
  return [...(transfer?.files ?? [])].find(file => file.type.startsWith("image/") || /\.(jpe?g|png|webp)$/i.test(file.name));
}

/* Dropping anywhere on the page, and pasting, fill the first frame. */
export function takeDropsAndPastes(slot) {
  const veil = $("drop-veil");
  let depth = 0;
  const hide = () => { depth = 0; veil.hidden = true; };
  const holdsFiles = event => [...(event.dataTransfer?.types ?? [])].includes("Files");
  addEventListener("dragenter", event => { if (holdsFiles(event)) { depth++; veil.hidden = false; } });
  addEventListener("dragleave", event => { if (holdsFiles(event) && --depth <= 0) hide(); });
  addEventListener("dragover", event => { if (holdsFiles(event)) event.preventDefault(); });
  addEventListener("drop", event => {
    if (!holdsFiles(event)) return;
    event.preventDefault();
    hide();
    const file = pictureOf(event.dataTransfer);
    if (file) slot.set(file);
  });
  document.addEventListener("dropped", hide);
  addEventListener("paste", event => {
    const file = pictureOf(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    slot.set(file);
  });
}
