/* details.js - beneath the screen: the request as curl and Python, the answer, the callbacks. */

import { callbacks, redeliver } from "./api.js";
import { $, clear, h, icon, tabs } from "./dom.js";
import { answer, curl, python, trim } from "./snippets.js";
import { currentLanguage, t } from "./strings.js";

let chosen = "curl";
let unfolded = false;

function code(name, text) {
  const label = h("span", {}, t("copy"));
  const copy = h("button", { type: "button", class: "copy", onclick: async () => {
    await (navigator.clipboard?.writeText(text) ?? Promise.reject()).catch(() => selectAll(block));
    label.textContent = t("copied");
    setTimeout(() => { label.textContent = t("copy"); }, 1500);
  } }, icon("copy"), label);
  const block = h("pre", { class: "code", tabindex: "0", "aria-label": name, id: `code-${name.toLowerCase()}` }, text);
  return h("div", { class: "code-box" }, copy, block);
}

/* Where the clipboard is closed to us, as over plain HTTP, the text is selected to be copied by hand. */
function selectAll(block) {
  getSelection().selectAllChildren(block);
  document.execCommand("copy");
}

/* ---- callbacks ----------------------------------------------------------------------------- */

const clock = ms => new Date(ms).toLocaleTimeString(currentLanguage() === "zh" ? "zh-CN" : "en-GB");

function stateLine(log) {
  if (log.sending) return t("callback-sending");
  return log.nextTime ? t("callback-next", clock(log.nextTime)) : t(`callback-${log.state}`);
}

function logTable(tries) {
  return h("table", { class: "log" },
    h("thead", {}, h("tr", {}, ["when", "outcome", "took-ms", "excerpt"].map(name => h("th", { scope: "col" }, t(name))))),
    h("tbody", {}, tries.map(one => h("tr", {},
      h("td", {}, clock(one.time)),
      h("td", { class: one.outcome === "done" ? "good" : "bad" }, one.status ? `HTTP ${one.status}` : one.note || t("no-answer")),
      h("td", {}, `${one.durationMs} ms`),
      h("td", { class: "excerpt" }, one.answer ?? "")))));
}

function callbackPanel(record, url) {
  const box = h("div", { class: "callbacks" });
  const note = h("p", { class: "hint", role: "status" });
  async function load() {
    try {
      const { data } = await callbacks(record.taskId);
      if (!data) {
        clear(box, h("p", { class: "callback-url" }, url), h("p", { class: "hint" }, t("callback-none")));
        return;
      }
      clear(box, h("p", { class: "callback-url" }, url, h("span", { class: "callback-state" }, stateLine(data))), logTable(data.tries),
        h("div", { class: "actions" }, h("button", { type: "button", class: "action", onclick: again }, icon("again"), t("redeliver")), note));
    } catch (error) {
      clear(box, h("p", { class: "hint" }, error.code === 0 ? t("offline") : error.message));
    }
  }
  async function again() {
    try {
      await redeliver(record.taskId);
      note.textContent = t("redelivered");
      setTimeout(load, 1200);
    } catch (error) {
      note.textContent = error.message;
    }
  }
  if (url) load();
  else box.append(h("p", { class: "hint" }, t("no-callbacks")));
  return box;
}

/* ---- the whole ----------------------------------------------------------------------------- */

/* request: a createTask body; names: of the picture files; record: of the task, if there is one. */
export function drawDetails(request, names, record) {
  const trimmed = trim(request);
  const items = [
    { id: "curl", label: "curl", panel: () => code("curl", curl(trimmed, names)) },
    { id: "python", label: "Python", panel: () => code("Python", python(trimmed, names)) },
  ];
  if (record) {
    items.push({ id: "answer", label: t("answer"), panel: () => code("answer", answer(record)) },
      { id: "callbacks", label: t("callbacks"), panel: () => callbackPanel(record, request.callBackUrl) });
  }
  const box = h("details", { class: "fold", open: unfolded, ontoggle: () => {
    unfolded = box.open;
    if (box.open && box.children.length === 1) {
      const row = tabs(t("details"), items, chosen);
      row.addEventListener("chosen", event => { chosen = event.detail; });
      box.append(row);
    }
  } }, h("summary", {}, t("details")));
  $("details").hidden = false;
  clear($("details"), box);
}
