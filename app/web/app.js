/* app.js - the state of the page, and who hears of what. Drawing and talking are the other files'. */

import * as api from "./api.js";
import { Compare } from "./compare.js";
import { drawDetails } from "./details.js";
import { $, clear, h, icon } from "./dom.js";
import { Options } from "./options.js";
import { Slot, takeDropsAndPastes } from "./pictures.js";
import { drawReading } from "./reading.js";
import { Stage, paramOf } from "./stage.js";
import { currentLanguage, setLanguage, t, translate } from "./strings.js";
import { Tasks } from "./tasks.js";

const PROMPT_MAX = 10000;
const EXPLAIN_AFTER_MS = 180;

/* What outlives the page: only choices of its look, and the key if its owner ticked the box. */
const kept = {
  get: name => { try { return localStorage.getItem(`zoetrope-${name}`); } catch { return null; } },
  set: (name, value) => {
    try {
      if (value === null) localStorage.removeItem(`zoetrope-${name}`);
      else localStorage.setItem(`zoetrope-${name}`, value);
    } catch { /* a browser that keeps nothing */ }
  },
};
const tab = {
  get: name => { try { return sessionStorage.getItem(`zoetrope-${name}`); } catch { return null; } },
  set: (name, value) => {
    try {
      if (value === null) sessionStorage.removeItem(`zoetrope-${name}`);
      else sessionStorage.setItem(`zoetrope-${name}`, value);
    } catch { /* as above */ }
  },
};

const state = {
  task: null,      /* the record on the screen */
  left: null,      /* the video that was on the screen before */
  preview: null,   /* address of the picture behind it, if this page has it */
  read: null,      /* what the server read out of `readOf` */
  readOf: "",
  watching: null,  /* AbortController of the task being followed */
  busy: false,
};
let options, stage, tasks, compare, first, last;

/* ---- look: language and theme -------------------------------------------------------------- */

function showLanguage() {
  translate();
  $("language").textContent = currentLanguage() === "zh" ? "English" : "中文";
  $("language").lang = currentLanguage() === "zh" ? "en" : "zh";
  $("create-kbd").textContent = /Mac|iPhone|iPad/.test(navigator.platform) ? "⌘ ↵" : "Ctrl ↵";
  showTheme();
  showKey();
}

function isDark() {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function showTheme() {
  const dark = isDark();
  clear($("theme"), icon(dark ? "moon" : "sun"));
  $("theme").setAttribute("aria-label", t(dark ? "theme-dark" : "theme-light"));
}

function startLook() {
  const wished = kept.get("language") ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
  setLanguage(wished);
  if (kept.get("theme")) document.documentElement.dataset.theme = kept.get("theme");
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", showTheme);
  $("theme").addEventListener("click", () => {
    const next = isDark() ? "light" : "dark";
    document.documentElement.dataset.theme = next;
    kept.set("theme", next);
    showTheme();
  });
  $("language").addEventListener("click", () => {
    setLanguage(currentLanguage() === "zh" ? "en" : "zh");
    kept.set("language", currentLanguage());
    showLanguage();
    relabel();
  });
}

/* Everything that was drawn with texts, drawn again. */
function relabel() {
  options.draw();
  first.draw();
  last.draw();
  tasks.drawFilters();
  tasks.load();
  compare.drawTray();
  drawIdeas();
  drawUnderstanding();
  stage.shown = null;
  redraw();
}

/* ---- key ----------------------------------------------------------------------------------- */

function showKey() {
  $("key-button").replaceChildren(h("span", { class: api.hasKey() ? "dot on" : "dot" }), t(api.hasKey() ? "key-set" : "key-none"));
  $("key-forget").hidden = !api.hasKey();
}

function openKeyPanel(open, error = "") {
  $("key-panel").hidden = !open;
  $("key-button").setAttribute("aria-expanded", String(open));
  $("key-error").textContent = error;
  if (open && error) $("key").focus();
}

function useKey(key, keep) {
  api.setKey(key);
  tab.set("key", key || null);
  kept.set("key", keep && key ? key : null);
  showKey();
}

/* A key in the address is taken out of it at once: it must not stay in the history. */
function keyFromAddress() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  const key = fragment.get("key");
  if (key) {
    fragment.delete("key");
    const rest = fragment.toString();
    history.replaceState(null, "", location.pathname + location.search + (rest ? `#${rest}` : ""));
    useKey(key, kept.get("key") !== null);
  }
  return key;
}

function startKey() {
  const stored = keyFromAddress() ?? tab.get("key") ?? kept.get("key");
  if (stored) api.setKey(stored);
  $("key-keep").checked = kept.get("key") !== null;
  openKeyPanel(!api.hasKey());
  addEventListener("hashchange", () => { if (keyFromAddress()) { openKeyPanel(false); refresh(); } });
  $("key-button").addEventListener("click", () => {
    openKeyPanel($("key-panel").hidden);
    if (!$("key-panel").hidden) $("key").focus();
  });
  $("key-forget").addEventListener("click", () => {
    useKey("", false);
    $("key-keep").checked = false;
    watch(null);
    state.task = null;
    openKeyPanel(true);
    $("key").focus();
    refresh();
  });
  $("key-panel").addEventListener("submit", event => {
    event.preventDefault();
    const key = $("key").value.trim();
    if (!key && !api.hasKey()) {
      openKeyPanel(true, t("key-missing"));
      return;
    }
    useKey(key || tab.get("key") || kept.get("key"), $("key-keep").checked);
    $("key").value = "";
    openKeyPanel(false);
    $("key-button").focus();
    refresh();
  });
}

/* A refused key asks for another; what else went wrong is for the caller. */
function handleDenied(error) {
  if (error.code !== 401) return false;
  openKeyPanel(true, t(api.hasKey() ? "key-wrong" : "key-missing"));
  return true;
}

/* After a change of key: everything that it decides is asked for again. */
function refresh() {
  state.read = null;
  state.readOf = "";
  tasks.load();
  readPrompt();
  redraw();
}

/* ---- reading the prompt -------------------------------------------------------------------- */

let explainTimer = 0;
let explaining = null;

function countPrompt() {
  const n = [...$("prompt").value].length;
  $("count").textContent = `${n} / ${PROMPT_MAX}`;
  $("count").classList.toggle("over", n > PROMPT_MAX);
}

function drawIdeas() {
  clear($("ideas"), $("prompt").value.trim() ? [] : ["idea-1", "idea-2", "idea-3"].map(name =>
    h("button", { type: "button", class: "idea", onclick: () => {
      $("prompt").value = t(name);
      $("prompt").focus();
      promptChanged();
    } }, t(name))));
}

function promptChanged() {
  showFieldError("prompt", "");
  countPrompt();
  drawIdeas();
  clearTimeout(explainTimer);
  explainTimer = setTimeout(readPrompt, EXPLAIN_AFTER_MS);
  if (state.task && api.isFinal(state.task.state)) leaveTask();
  else redraw();
}

/* What the strip beneath the screen is about: the task on the screen, or the form. */
function subject() {
  if (!state.task)
    return { prompt: $("prompt").value, duration: options.value("duration"), fixed: options.input().camera_fixed === true, end: last.current !== null };
  const input = paramOf(state.task).input;
  return { prompt: input.prompt ?? "", duration: input.duration, fixed: input.camera_fixed === true, end: Boolean(input.end_image_url) };
}

async function readPrompt() {
  explaining?.abort();
  const { prompt, duration } = subject();
  if (!prompt.trim() || !api.hasKey()) {
    state.read = null;
    drawUnderstanding();
    return;
  }
  explaining = new AbortController();
  try {
    const { data } = await api.explain(prompt, duration, explaining.signal);
    state.read = data;
    state.readOf = prompt;
  } catch (error) {
    if (error.name === "AbortError") return;
    state.read = null;
    if (error.code === 422 && !state.task) showFieldError("prompt", error.message);
    else handleDenied(error);
  }
  drawUnderstanding();
}

function drawUnderstanding() {
  drawReading($("reading"), state.readOf, state.read, subject());
}

/* ---- the request --------------------------------------------------------------------------- */

function request(image, end) {
  const input = { prompt: $("prompt").value, image_url: image, ...options.input() };
  if (end) input.end_image_url = end;
  const callback = options.values.callback;
  return { model: options.values.model, ...(callback ? { callBackUrl: callback } : {}), input };
}

function pictureNames() {
  return { image: first.value?.file.name || "photo.jpg", end: last.value?.file.name || "last.jpg" };
}

/* Puts a problem where its field is; false: it has no place of its own. */
function showFieldError(name, text) {
  if (name === "prompt") {
    $("prompt-error").textContent = text;
    $("prompt").toggleAttribute("aria-invalid", text !== "");
  } else if (name === "image_url") {
    first.showError(text);
  } else if (name === "end_image_url") {
    last.showError(text);
  } else {
    return options.showError(name === "callBackUrl" ? "callback" : name, text);
  }
  return true;
}

function clearErrors() {
  $("form-error").textContent = "";
  for (const name of ["prompt", "image_url", "end_image_url", "model", "resolution", "duration", "seed", "camera_fixed", "enable_safety_checker", "callback"])
    showFieldError(name, "");
}

/* The server names all problems at once, each beginning with its field: "input.seed must be …; …". */
function showProblems(message) {
  const loose = [];
  for (const problem of message.split(/; (?=(?:input\.)?\w+(?: is | must |:))/)) {
    const name = /^(?:input\.)?(\w+)/.exec(problem)?.[1] ?? "";
    if (!showFieldError(name, problem)) loose.push(problem);
  }
  $("form-error").textContent = loose.join("; ");
}

function focusFirstError() {
  const wrong = [...document.querySelectorAll("#compose .error")].find(el => el.textContent);
  const field = wrong?.closest("[data-field]");
  (field?.querySelector("textarea, button, input, select") ?? $("create")).focus();
}

/* What can be said without asking the server. */
function checkHere() {
  if (!api.hasKey()) {
    openKeyPanel(true, t("key-missing"));
    return false;
  }
  if (!first.value) showFieldError("image_url", t("no-picture"));
  if (!$("prompt").value.trim()) showFieldError("prompt", t("no-prompt"));
  if (first.value && $("prompt").value.trim()) return true;
  focusFirstError();
  return false;
}

async function create() {
  if (state.busy) return;
  clearErrors();
  if (!checkHere()) return;
  setBusy(true);
  try {
    const image = await upload(first, "image_url");
    const end = last.current ? await upload(last, "end_image_url") : null;
    const { data } = await api.createTask(request(image, end));
    const { data: record } = await api.record(data.taskId);
    state.preview = first.value.preview;
    tasks.update(record);
    openTask(record);
    if (innerWidth < 960) $("stage").scrollIntoView({ block: "start" });
  } catch (error) {
    showRefusal(error);
  }
  setBusy(false);
}

/* What the server says of a picture belongs to its place. */
async function upload(slot, field) {
  try {
    return await api.upload(slot.value.file);
  } catch (error) {
    if (error instanceof api.ApiError) error.field = field;
    throw error;
  }
}

function showRefusal(error) {
  if (handleDenied(error)) return;
  if (error.field && [400, 413, 415].includes(error.code)) {
    showFieldError(error.field, error.message);
    focusFirstError();
  } else if (error.code === 422 || error.code === 400) {
    showProblems(error.message);
    focusFirstError();
  } else {
    const later = error.retryAfter ? ` ${t("retry-in", error.retryAfter)}` : "";
    $("form-error").textContent = error.code === 0 ? t("offline") : `${error.message}${later}`;
  }
}

function setBusy(busy) {
  state.busy = busy;
  $("create").setAttribute("aria-disabled", String(busy));
  $("create").firstElementChild.textContent = t(busy ? "sending" : "create");
}

/* ---- the task on the screen ---------------------------------------------------------------- */

function watch(record) {
  state.watching?.abort();
  state.watching = null;
  if (!record || api.isFinal(record.state)) return;
  const controller = state.watching = new AbortController();
  const on = now => {
    if (controller.signal.aborted) return;
    const ended = api.isFinal(now.state);
    state.task = now;
    tasks.update(now);
    stage.showTask(now, state.preview);
    if (ended) redraw();
  };
  api.follow(record.taskId, on, lost => stage.showLost(lost), controller.signal).catch(error => {
    if (!handleDenied(error)) $("form-error").textContent = error.message;
  });
}

function openTask(record) {
  state.task = record;
  tab.set("task", record.taskId);
  tasks.mark(record.taskId);
  redraw();
  readPrompt();
  watch(record);
}

/* Back to the picture: the next video is being made up. */
function leaveTask() {
  watch(null);
  state.left = state.task?.state === "success" ? state.task : null;
  state.task = null;
  tab.set("task", null);
  tasks.mark("");
  redraw();
  readPrompt();
}

function pictureChanged() {
  if (state.task && api.isFinal(state.task.state)) leaveTask();
  else redraw();
  drawUnderstanding();
}

function redraw() {
  if (!stage) return;
  if (state.task) {
    const param = paramOf(state.task);
    stage.showTask(state.task, state.preview);
    drawDetails(param, pictureNames(), state.task);
  } else {
    stage.showPicture(first.value, state.left);
    if (first.value && $("prompt").value.trim()) drawDetails(request("IMAGE", last.current ? "END_IMAGE" : null), pictureNames(), null);
    else $("details").hidden = true;
  }
}

async function fileOf(address, name) {
  const response = await fetch(api.local(address), { credentials: "omit" });
  if (!response.ok) throw new api.ApiError(response.status, `HTTP ${response.status}`);
  const blob = await response.blob();
  return new File([blob], name, { type: blob.type });
}

const acts = {
  choose: () => first.choose(),
  open: record => {
    state.preview = null;
    openTask(record);
    $("stage").scrollIntoView({ block: "nearest" });
    $("stage").focus({ preventScroll: true });
  },
  compare: record => compare.add(record),
  denied: error => handleDenied(error),
  async cancel(taskId) {
    stage.showCancelling();
    try {
      await api.cancelTask(taskId);
    } catch (error) {
      if (error.code !== 409) $("form-error").textContent = error.message; /* 409: it has ended by itself */
    }
    const { data } = await api.record(taskId);
    if (state.task?.taskId === taskId && api.isFinal(data.state)) {
      watch(null);
      state.task = data;
      tasks.update(data);
      redraw();
    }
  },
  async keepGoing(record, result) {
    const file = await fileOf(result.lastFrameUrl, "last-frame.jpg").catch(() => null);
    if (!file) return;
    leaveTask();
    first.set(file);
    $("prompt").focus();
    $("prompt").select();
  },
  async again(record) {
    const param = paramOf(record);
    leaveTask();
    options.restore(param);
    last.enable("end_image_url" in options.fields);
    $("prompt").value = param.input.prompt ?? "";
    promptChanged();
    for (const [slot, address] of [[first, param.input.image_url], [last, param.input.end_image_url]]) {
      const file = /\/(files|uploads)\//.test(address ?? "") ? await fileOf(address, address.split("/").pop()).catch(() => null) : null;
      if (file) slot.set(file);
    }
    $("prompt").focus();
  },
};

/* ---- start --------------------------------------------------------------------------------- */

function optionChanged(name) {
  if (name === "model") last.enable("end_image_url" in options.fields);
  if (name === "duration" || name === "model") readPrompt();
  if (["camera_fixed", "model"].includes(name)) drawUnderstanding();
  if (!state.task) redraw();
}

async function resume() {
  const id = new URLSearchParams(location.hash.slice(1)).get("task") ?? tab.get("task");
  if (!id || !api.hasKey()) return;
  try {
    openTask((await api.record(id)).data);
  } catch (error) {
    tab.set("task", null);
    handleDenied(error);
  }
}

async function start() {
  startLook();
  startKey();
  showLanguage();
  options = new Options(await api.describe(), optionChanged);
  first = new Slot("slot-image", { title: "first-picture", choose: "choose-first", remove: "remove-first" }, () => pictureChanged());
  last = new Slot("slot-end", { title: "end-picture", choose: "choose-end", remove: "remove-end", optional: true }, () => pictureChanged());
  last.enable("end_image_url" in options.fields);
  stage = new Stage(acts);
  compare = new Compare();
  tasks = new Tasks(acts, options.models.map(model => model.name));
  takeDropsAndPastes(first);
  $("prompt").addEventListener("input", promptChanged);
  $("compose").addEventListener("submit", event => { event.preventDefault(); create(); });
  $("compose").addEventListener("keydown", event => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); create(); }
  });
  countPrompt();
  drawIdeas();
  drawUnderstanding();
  redraw();
  tasks.load();
  await resume();
  document.documentElement.dataset.ready = "";
}

start().catch(error => {
  document.body.prepend(h("p", { class: "notice", role: "alert" }, `${t("offline")} ${error.message}`));
});
