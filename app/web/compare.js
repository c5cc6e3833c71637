/* compare.js - two videos side by side that keep the same time. */

import { local } from "./api.js";
import { $, clear, h, icon } from "./dom.js";
import { paramOf, resultOf } from "./stage.js";
import { t } from "./strings.js";

const DRIFT_S = 0.06; /* more than a frame apart is put right */

/* Holds the first choice until there is a second one, then shows both. */
export class Compare {
  constructor() {
    this.first = null;
    this.dialog = $("compare");
    this.dialog.addEventListener("close", () => clear(this.dialog));
  }

  add(record) {
    if (!this.first || this.first.taskId === record.taskId) {
      this.first = record;
      this.drawTray();
      return;
    }
    const pair = [this.first, record];
    this.first = null;
    this.drawTray();
    this.show(pair);
  }

  drawTray() {
    const tray = $("tray");
    tray.hidden = !this.first;
    if (!this.first) return;
    clear(tray, h("p", { role: "status" }, t("compare-pick", `“${paramOf(this.first).input.prompt.slice(0, 40)}”`)),
      h("button", { type: "button", class: "quiet", onclick: () => { this.first = null; this.drawTray(); } }, t("cancel")));
  }

  show(pair) {
    const videos = pair.map(record => {
      const result = resultOf(record);
      const video = h("video", { src: local(result.resultUrls[0]), poster: result.posterUrl ? local(result.posterUrl) : null,
        playsinline: true, preload: "auto", "aria-label": paramOf(record).input.prompt });
      video.muted = true;
      return video;
    });
    const sides = pair.map((record, i) => h("figure", { class: "side" }, videos[i],
      h("figcaption", {}, h("span", {}, paramOf(record).input.prompt),
        h("span", { class: "faint" }, t("seed"), " ", String(resultOf(record).seed)))));
    const row = h("div", { class: "sides" }, sides);
    const play = h("button", { type: "button", class: "primary round", onclick: () => toggle() });
    const seek = h("input", { type: "range", min: "0", max: "1000", value: "0", "aria-label": t("position"), oninput: () => jump(Number(seek.value) / 1000) });
    const clock = h("span", { class: "clock" });

    const length = () => Math.max(...videos.map(v => v.duration || 0));
    const lead = () => (videos[1].duration || 0) > (videos[0].duration || 0) ? 1 : 0; /* the longer one keeps time */
    let playing = false;

    function jump(share) {
      for (const video of videos) if (video.duration) video.currentTime = Math.min(share * length(), video.duration);
    }
    function toggle() {
      playing = !playing;
      if (playing && videos[lead()].ended) jump(0);
      for (const video of videos) playing ? video.play().catch(() => {}) : video.pause();
      draw();
    }
    function draw() {
      clear(play, icon(playing ? "pause" : "play"));
      play.setAttribute("aria-label", t(playing ? "pause" : "play"));
    }
    function step() {
      if (!row.isConnected) return;
      const now = videos[lead()];
      const other = videos[1 - lead()];
      if (playing && now.ended) {
        jump(0);
        for (const video of videos) video.play().catch(() => {});
      }
      if (!other.seeking && !other.ended && Math.abs(other.currentTime - Math.min(now.currentTime, other.duration || 0)) > DRIFT_S)
        other.currentTime = Math.min(now.currentTime, other.duration || 0);
      if (length() && document.activeElement !== seek) seek.value = String(Math.round(now.currentTime / length() * 1000));
      clock.textContent = `${now.currentTime.toFixed(1)} / ${length().toFixed(1)}`;
      requestAnimationFrame(step);
    }

    clear(this.dialog,
      h("div", { class: "compare-head" }, h("h2", { id: "compare-title" }, t("compare-title")),
        h("button", { type: "button", class: "tool", onclick: () => row.prepend(row.lastElementChild) }, icon("swap"), t("swap")),
        h("button", { type: "button", class: "tool icon", "aria-label": t("close"), onclick: () => this.dialog.close() }, icon("cross"))),
      row, h("div", { class: "transport" }, play, seek, clock));
    draw();
    this.dialog.showModal();
    play.focus();
    requestAnimationFrame(step);
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) toggle();
  }
}
