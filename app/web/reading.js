/*
 * reading.js - how the prompt is understood, as the server tells it: a strip of shots, as wide as
 * they are long, with their moves; and the words that nobody read.
 */

import { clear, h } from "./dom.js";
import { currentLanguage, t } from "./strings.js";

/* ---- words --------------------------------------------------------------------------------- */

/* The prompt cut at byte offsets: [{ text, unread }] */
function pieces(prompt, unread) {
  const bytes = new TextEncoder().encode(prompt);
  const decoder = new TextDecoder();
  const parts = [];
  let at = 0;
  for (const word of unread) {
    if (word.first_byte > at) parts.push({ text: decoder.decode(bytes.subarray(at, word.first_byte)), unread: false });
    parts.push({ text: decoder.decode(bytes.subarray(word.first_byte, word.end_byte)), unread: true });
    at = word.end_byte;
  }
  if (at < bytes.length) parts.push({ text: decoder.decode(bytes.subarray(at)), unread: false });
  return parts;
}

function speedWord(speed) {
  return speed < 0.45 ? t("very-slow") : speed < 0.9 ? t("slow") : speed > 2.2 ? t("very-quick") : speed > 1.1 ? t("quick") : "";
}

function strengthWord(strength) {
  return strength < 0.9 ? t("slight") : strength > 1.1 ? t("strong") : "";
}

const seconds = frames => (Math.round(frames / 2.4) / 10).toFixed(1);

/* ---- chips --------------------------------------------------------------------------------- */

/* A little viewfinder that does what the move does. */
const finder = kind => h("span", { class: `finder move-${kind}`, "aria-hidden": "true" }, h("i"));

function moveChip(move) {
  const how = [speedWord(move.speed), strengthWord(move.strength)].filter(Boolean).join(" · ");
  return h("span", { class: "chip" }, finder(move.move), t(`move-${move.move}`),
    how ? h("span", { class: "how" }, how) : null);
}

function moveList(shot, options) {
  if (options.fixed) return [h("span", { class: "chip" }, finder("static"), t("still"))];
  if (shot.moves.length === 0) {
    const still = options.mentioned && options.alone;
    return [h("span", { class: "chip soft" }, finder(still ? "static" : "follow"), t(still ? "still" : "own-path"))];
  }
  return shot.moves.flatMap((move, i) => [
    i > 0 ? h("span", { class: "join", title: t(move.then ? "then" : "together") }, move.then ? "→" : "+",
      h("span", { class: "sr" }, t(move.then ? "then" : "together"))) : null,
    moveChip(move),
  ]);
}

function airChips(shot) {
  return Object.entries(shot.atmosphere).map(([name, much]) => {
    const word = t(`air-${name}`);
    return h("span", { class: "chip air" }, much < 0.9 ? t("light", word) : much > 1.1 ? t("heavy", word) : word);
  });
}

function placeChip(subject) {
  if (!subject) return null;
  const words = [subject.y < 0 ? "at-upper" : subject.y > 0 ? "at-lower" : "", subject.x < 0 ? "at-left" : subject.x > 0 ? "at-right" : ""]
    .filter(Boolean).map(word => t(word));
  return h("span", { class: "chip air" }, t("subject", (words.length ? words : [t("at-centre")]).join(currentLanguage() === "zh" ? "" : " ")));
}

/* ---- the strip ----------------------------------------------------------------------------- */

function shotItem(shot, index, read, options) {
  const frames = shot.endFrame - shot.firstFrame;
  const cut = index > 0 ? h("span", { class: "cut" }, t(`cut-${shot.transition}`)) : null;
  const item = h("li", { class: frames > 0 ? "shot" : "shot none" },
    h("div", { class: "shot-head" },
      h("span", { class: "shot-name" }, t("shot", index + 1)), cut,
      h("span", { class: "shot-time" }, frames > 0
        ? `${seconds(shot.firstFrame)}–${t("seconds", seconds(shot.endFrame - (index === read.shots.length - 1 ? 1 : 0)))}`
        : t("no-time"))),
    h("div", { class: "chips" }, moveList(shot, options),
      shot.framing ? h("span", { class: "chip air" }, t(`framing-${shot.framing}`)) : null,
      placeChip(shot.subject), airChips(shot)));
  item.style.flexGrow = String(Math.max(frames, 1));
  return item;
}

function passageItem(read) {
  return h("li", { class: "shot" },
    h("div", { class: "shot-head" }, h("span", { class: "shot-name" }, t("passage")),
      h("span", { class: "shot-time" }, `0.0–${t("seconds", seconds(read.frames - 1))}`)),
    h("div", { class: "chips" }, h("span", { class: "chip" }, finder("passage"), t("end-picture"))));
}

/* The strip of lengths over the shots; its needle stands where the video is. */
function ruler(read, passage) {
  const bar = h("div", { class: "ruler", "aria-hidden": "true" });
  for (const shot of passage ? [{ firstFrame: 0, endFrame: read.frames }] : read.shots) {
    if (shot.endFrame <= shot.firstFrame) continue;
    const part = h("i");
    part.style.flexGrow = String(shot.endFrame - shot.firstFrame);
    bar.append(part);
  }
  bar.append(h("b", { class: "needle", hidden: true }));
  return bar;
}

/* options: { fixed, end }: the camera is told to stay; there is a last frame. */
export function drawReading(el, prompt, read, options) {
  if (!read) {
    clear(el, h("h2", { class: "small-title" }, t("reading")), h("p", { class: "hint" }, t("reading-empty")));
    return;
  }
  const alone = read.shots.length === 1;
  const how = { fixed: options.fixed, mentioned: read.camera_mentioned, alone };
  const shots = options.end ? [passageItem(read)] : read.shots.map((shot, i) => shotItem(shot, i, read, how));
  const notes = [options.end ? t("passage-hint") : options.fixed ? t("fixed-hint") : "", read.loop && !options.end ? t("loops") : ""].filter(Boolean);
  clear(el,
    h("h2", { class: "small-title" }, t("reading")),
    ruler(read, options.end),
    h("ol", { class: "shots" }, shots),
    notes.map(note => h("p", { class: "hint" }, note)),
    h("p", { class: "as-read" }, pieces(prompt, read.unread).map(part => part.unread ? h("span", { class: "unread" }, part.text) : part.text)),
    read.unread.length ? h("p", { class: "hint" }, t("unread-title")) : null);
}

/* Moves the needle to a share (0 … 1) of the video; null hides it. */
export function setNeedle(el, share) {
  const needle = el.querySelector(".needle");
  if (!needle) return;
  needle.hidden = share === null;
  if (share !== null) needle.style.left = `${(share * 100).toFixed(2)}%`;
}
