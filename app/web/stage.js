/*
 * stage.js - the screen: the chosen picture, a task on its way, a video or why there is none; and
 * what can be done with it. It draws; what its buttons do is decided by app.js.
 */

import { isFinal, local } from "./api.js";
import { $, clear, h, icon } from "./dom.js";
import { setNeedle } from "./reading.js";
import { has, t } from "./strings.js";

const SLITS = 48;
const calm = () => matchMedia("(prefers-reduced-motion: reduce)").matches;

export function resultOf(record) {
  try {
    return record?.state === "success" ? JSON.parse(record.resultJson) : null;
  } catch {
    return null;
  }
}

export function paramOf(record) {
  try {
    return JSON.parse(record.param);
  } catch {
    return { model: record.model, input: { prompt: "" } };
  }
}

export function time(ms) {
  if (ms === null || ms === undefined) return "";
  if (ms < 1000) return t("moments");
  const s = Math.round(ms / 1000);
  return s < 90 ? t("seconds", s) : t("minutes", Math.round(s / 60));
}

export const isCancelled = record => record.state === "fail" && record.failCode === "499";
export const stateName = record => t(`state-${isCancelled(record) ? "cancelled" : record.state}`);

/* What a task is doing, in words: "Drawing frames". */
function doing(record) {
  const word = [`stage-${record.engine}-${record.stage}`, `stage-${record.stage}`].find(has);
  return record.state === "waiting" || !record.stage ? stateName(record) : word ? t(word) : record.stage;
}

function howFar(record) {
  if (record.state === "waiting") {
    if (record.queuePosition === null || record.queuePosition === undefined) return "";
    return record.queuePosition > 0 ? t("ahead", record.queuePosition) : t("ahead-0");
  }
  return [record.steps > 1 ? t("step", record.step, record.steps) : "", record.etaMs > 0 ? t("left", time(record.etaMs)) : ""]
    .filter(Boolean).join(" · ");
}

export class Stage {
  /* acts: { choose, cancel, keepGoing, compare, again } */
  constructor(acts) {
    this.acts = acts;
    this.screen = $("screen");
    this.under = $("under");
    this.reading = $("reading");
    this.looping = true;
    this.said = "";
    this.shown = null; /* "idle", "picture", "going:<task>", "done:<task>" */
  }

  say(text) {
    if (text !== this.said) $("live").textContent = this.said = text;
  }

  change(name) {
    const same = this.shown === name;
    this.shown = name;
    if (!same) setNeedle(this.reading, null);
    return !same;
  }

  /* The screen takes the shape of what it shows, within reason. */
  shape(width, height) {
    this.screen.style.aspectRatio = width && height ? String(Math.min(2.4, Math.max(1.3, width / height))) : "";
  }

  /* A picture on the screen; one that cannot be shown leaves it empty. */
  still(address, kind, alt) {
    const img = h("img", { class: kind, src: address, alt });
    img.addEventListener("load", () => this.shape(img.naturalWidth, img.naturalHeight), { once: true });
    img.addEventListener("error", () => img.remove(), { once: true });
    return img;
  }

  /* Its colours, for where a tall picture leaves the screen empty. */
  backdrop(address) {
    const img = h("img", { class: "backdrop", src: address, alt: "" });
    img.addEventListener("error", () => img.remove(), { once: true });
    return img;
  }

  /* ---- before there is a task ---- */

  showPicture(picture, left) {
    if (!picture) {
      if (!this.change("idle")) return;
      this.shape(0, 0);
      clear(this.screen, h("button", { type: "button", class: "idle", onclick: this.acts.choose },
        h("span", { class: "mark large", "aria-hidden": "true" }, Array.from({ length: 9 }, () => h("i"))),
        h("span", { class: "idle-title" }, t("idle")), h("span", { class: "idle-hint" }, t("idle-hint"))));
    } else if (this.change(`picture:${picture.preview}`)) {
      clear(this.screen, this.backdrop(picture.preview), this.still(picture.preview, "fill", t("preview")));
    }
    clear(this.under, left ? h("div", { class: "actions" }, this.action("to-video", "play", () => this.acts.open(left))) : null);
  }

  /* ---- a task ---- */

  showTask(record, picture) {
    if (!isFinal(record.state)) this.showGoing(record, picture);
    else if (record.state === "success") this.showVideo(record);
    else this.showFailure(record, picture);
  }

  showGoing(record, picture) {
    if (this.change(`going:${record.taskId}`)) {
      this.parts = {
        stage: h("span", { class: "going-stage" }), percent: h("span", { class: "going-percent" }),
        far: h("span", { class: "going-far" }), slits: h("div", { class: "slits", role: "progressbar", "aria-label": t("progress"),
          "aria-valuemin": "0", "aria-valuemax": "100" }, Array.from({ length: SLITS }, () => h("i"))),
        cancel: h("button", { type: "button", class: "on-screen", id: "cancel", onclick: () => this.acts.cancel(record.taskId) }, t("cancel")),
      };
      const p = this.parts;
      clear(this.screen, picture ? [this.backdrop(picture), this.still(picture, "fill dim", "")] : null,
        h("div", { class: "going" }, h("div", { class: "going-row" }, p.stage, p.percent), p.slits,
          h("div", { class: "going-row" }, p.far, p.cancel)));
      clear(this.under);
    }
    const percent = Math.max(0, Math.min(100, record.progress ?? 0));
    this.parts.stage.textContent = doing(record);
    this.parts.percent.textContent = record.state === "generating" ? `${percent} %` : "";
    this.parts.far.textContent = howFar(record);
    this.parts.slits.setAttribute("aria-valuenow", String(percent));
    this.parts.slits.setAttribute("aria-valuetext", `${doing(record)}, ${percent} %`);
    this.showSoFar(record);
    this.parts.slits.classList.toggle("idle-slits", record.state !== "generating");
    [...this.parts.slits.children].forEach((slit, i) => slit.classList.toggle("lit", i < Math.round(percent / 100 * SLITS)));
    this.say(doing(record));
  }

  /* What can be watched already, each time it changes; the old one stays until the new one can be seen. */
  showSoFar(record) {
    if (!record.previewUrl || this.parts.version === record.previewVersion) return;
    this.parts.version = record.previewVersion;
    const video = h("video", { class: "fill", src: `${local(record.previewUrl)}?version=${record.previewVersion}`, loop: true,
      playsinline: true, preload: "auto", "aria-label": t("so-far"), id: "so-far" });
    const parts = this.parts;
    video.muted = true;
    video.addEventListener("loadeddata", () => {
      if (this.parts !== parts || parts.version !== record.previewVersion || !this.shown?.startsWith("going:")) return;
      $("so-far")?.remove();
      this.screen.querySelector(".going").before(video);
      this.shape(video.videoWidth, video.videoHeight);
      if (!calm()) video.play().catch(() => {});
    }, { once: true });
  }

  showLost(lost) {
    if (lost && this.shown?.startsWith("going:")) this.parts.far.textContent = t("reconnecting");
  }

  showCancelling() {
    if (!this.shown?.startsWith("going:")) return;
    this.parts.cancel.disabled = true;
    this.parts.cancel.textContent = t("cancelling");
  }

  showFailure(record, picture) {
    if (!this.change(`fail:${record.taskId}`)) return;
    const head = has(`fail-${record.failCode}`) ? t(`fail-${record.failCode}`) : stateName(record);
    clear(this.screen, picture ? this.still(picture, "fill dim", "") : null,
      h("div", { class: "failure" }, h("p", { class: "failure-title" }, head),
        isCancelled(record) ? null : h("p", { class: "failure-msg" }, record.failMsg)));
    this.say(`${head}. ${isCancelled(record) ? "" : record.failMsg}`);
    clear(this.under, h("div", { class: "actions" }, this.action("again", "again", () => this.acts.again(record))));
  }

  action(name, drawing, onclick, extra = {}) {
    return h("button", { type: "button", class: "action", onclick, ...extra }, icon(drawing), t(name));
  }

  showVideo(record) {
    const result = resultOf(record);
    if (!this.change(`done:${record.taskId}`) || !result) return;
    const param = paramOf(record);
    const source = local(result.resultUrls[0]);
    const video = h("video", { class: "fill", src: source, poster: result.posterUrl ? local(result.posterUrl) : null, controls: true,
      loop: this.looping, playsinline: true, preload: "auto", "aria-label": t("video-of", param.input.prompt), id: "video" });
    video.muted = true;
    video.addEventListener("error", () => {
      clear(this.screen, h("div", { class: "failure" }, h("p", { class: "failure-title" }, t("expired"))));
    });
    this.followNeedle(video);
    this.shape(result.width, result.height);
    clear(this.screen, result.posterUrl ? this.backdrop(local(result.posterUrl)) : null, video);
    if (!calm()) video.play().catch(() => {});

    const loop = this.action("loop", "loop", () => {
      this.looping = video.loop = !video.loop;
      loop.setAttribute("aria-pressed", String(video.loop));
    }, { "aria-pressed": String(this.looping) });
    clear(this.under,
      h("div", { class: "actions" },
        h("a", { class: "action", href: source, download: `${record.taskId}.mp4` }, icon("download"), t("download")), loop,
        result.lastFrameUrl ? this.action("continue", "next", () => this.acts.keepGoing(record, result)) : null,
        this.action("compare", "compare", () => this.acts.compare(record)),
        this.action("again", "again", () => this.acts.again(record))),
      h("p", { class: "made" }, t("made-by", result.width, result.height, result.frames, result.seed,
        t("took", time(record.costTime)), result.engine)));
    this.say(t("said-done"));
  }

  followNeedle(video) {
    const step = () => {
      if (!video.isConnected) return;
      if (video.duration) setNeedle(this.reading, Math.min(1, video.currentTime / video.duration));
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }
}
