/* tasks.js - the key's tasks, newest first, a page at a time. */

import { ApiError, hasKey, listTasks, local } from "./api.js";
import { $, clear, h, icon } from "./dom.js";
import { shortModel } from "./options.js";
import { isCancelled, paramOf, resultOf, stateName } from "./stage.js";
import { currentLanguage, t } from "./strings.js";

const PAGE = 12;
const STATES = ["waiting", "queuing", "generating", "success", "fail"];

function when(ms) {
  const locale = currentLanguage() === "zh" ? "zh-CN" : "en-GB";
  const date = new Date(ms);
  const today = date.toDateString() === new Date().toDateString();
  return today ? date.toLocaleTimeString(locale, { hour: "2-digit", minute: "2-digit" })
    : date.toLocaleString(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
}

export class Tasks {
  /* acts: { open(record), compare(record), denied(error) }; models: names, for the filter */
  constructor(acts, models) {
    this.acts = acts;
    this.models = models;
    this.filter = { state: "", model: "" };
    this.cursor = "";
    this.records = [];
    this.opened = "";
    this.turn = 0; /* answers of an earlier question are dropped */
    $("more").addEventListener("click", () => this.load(true));
    this.drawFilters();
  }

  drawFilters() {
    const select = (name, words, label) => h("label", { class: "filter" }, h("span", {}, t(`filter-${name}`)),
      h("select", { id: `filter-${name}`, onchange: event => { this.filter[name] = event.target.value; this.load(); } },
        h("option", { value: "" }, t("all")),
        words.map(word => h("option", { value: word, selected: word === this.filter[name] }, label(word)))));
    clear($("filters"), select("state", STATES, state => t(`state-${state}`)), select("model", this.models, shortModel));
  }

  async load(further = false) {
    const turn = ++this.turn;
    if (!hasKey()) {
      this.records = [];
      this.cursor = "";
      this.draw(t("need-key"));
      return;
    }
    try {
      const { data } = await listTasks({ limit: PAGE, ...this.filter, cursor: further ? this.cursor : "" });
      if (turn !== this.turn) return;
      this.records = further ? [...this.records, ...data.tasks] : data.tasks;
      this.cursor = data.nextCursor;
      this.draw(this.records.length ? "" : t(this.filter.state || this.filter.model ? "none-such" : "none-yet"));
    } catch (error) {
      if (turn !== this.turn) return;
      this.records = [];
      this.cursor = "";
      if (this.acts.denied(error)) return this.draw(t("need-key"));
      this.draw(error instanceof ApiError && error.code === 0 ? t("offline") : error.message);
    }
  }

  /* A task that is being followed changes in place. */
  update(record) {
    const at = this.records.findIndex(r => r.taskId === record.taskId);
    if (at < 0) {
      if (!this.filter.state && !this.filter.model) {
        this.records.unshift(record);
        this.draw("");
      }
      return;
    }
    const changed = this.records[at].state !== record.state;
    this.records[at] = record;
    const item = $("task-list").children[at];
    if (changed && item) item.replaceWith(this.item(record));
  }

  mark(taskId) {
    this.opened = taskId;
    for (const item of $("task-list").children) item.classList.toggle("opened", item.dataset.task === taskId);
  }

  item(record) {
    const param = paramOf(record);
    const result = resultOf(record);
    const thumb = h("span", { class: "thumb", "aria-hidden": "true" },
      result?.posterUrl ? h("img", { src: local(result.posterUrl), alt: "", loading: "lazy" }) : icon("picture"));
    const input = param.input ?? {};
    const meta = [when(record.createTime), input.resolution, input.duration ? t("seconds", input.duration) : "", shortModel(record.model)].filter(Boolean);
    return h("li", { class: `task is-${isCancelled(record) ? "cancelled" : record.state}${record.taskId === this.opened ? " opened" : ""}`, dataset: { task: record.taskId } },
      h("button", { type: "button", class: "task-open", onclick: () => this.acts.open(record) }, thumb,
        h("span", { class: "task-text" },
          h("span", { class: "task-prompt" }, input.prompt ?? record.taskId),
          h("span", { class: "task-meta" }, h("span", { class: "state" }, stateName(record)), h("span", {}, meta.join(" · "))))),
      result ? h("button", { type: "button", class: "task-compare", "aria-label": t("compare"), title: t("compare"),
        onclick: () => this.acts.compare(record) }, icon("compare")) : null);
  }

  draw(note) {
    clear($("task-list"), this.records.map(record => this.item(record)));
    $("tasks-note").textContent = note;
    $("more").hidden = !this.cursor;
  }
}
