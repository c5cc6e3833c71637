/* checks.mjs - counting checks, the parts there are, and what most of them do. */
import { START_MS, openPage, png, require } from "./world.mjs";

export const counts = { passed: 0, failed: 0 };
export const parts = [];

/* lane: parts of "form" run beside those of "task", which alone make tasks; then those of "alone". */
export function part(lane, name, run) {
  parts.push({ lane, name, run });
}

export function check(label, ok, detail = "") {
  if (ok) {
    counts.passed++;
  } else {
    counts.failed++;
    console.log(`FAILED ${label}${detail === "" ? "" : `: ${detail}`}`);
  }
}

export function same(label, got, want) {
  const [a, b] = [JSON.stringify(got), JSON.stringify(want)];
  check(label, a === b, `${a} is not ${b}`);
}

export async function until(label, ask, ms = START_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const got = await ask();
    if (got) return got;
    if (Date.now() > end) throw new Error(`${label}: not within ${ms / 1000} s`);
    await new Promise(done => setTimeout(done, 50));
  }
}

/* A tab on the page, ready; with the key, unless told otherwise. */
export async function visit(world, options = {}) {
  const { key = true, fragment = "", ...rest } = options;
  const page = await openPage(world.browser, rest);
  world.pages.push(page);
  const parts_ = [key ? `key=${world.server.key}` : "", fragment].filter(Boolean).join("&");
  await page.goto(`${world.server.url}/${parts_ ? `#${parts_}` : ""}`);
  await page.waitForSelector("html[data-ready]");
  return page;
}

export const picture = (tint = 0) => ({ name: `stripes-${tint}.png`, mimeType: "image/png", buffer: png(192, 108, tint) });
export const broken = { name: "broken.png", mimeType: "image/png", buffer: Buffer.from("\x89PNG\r\n\x1a\nnothing of a picture", "latin1") };

export async function fill(page, { prompt = "slow push in", tint = 0, duration = "2", resolution = "480p", file = picture(tint) } = {}) {
  await page.setInputFiles("#slot-image input", file);
  await page.fill("#prompt", prompt);
  await page.check(`input[name=resolution][value="${resolution}"]`);
  await page.selectOption("#option-duration", duration);
}

/* The words and moves the strip shows. */
export const chips = page => page.$$eval("#reading .chip", list => list.map(el => el.textContent));

/* Whether the width of the page is that of the window. */
export const fits = page => page.evaluate(() => {
  const wide = [...document.querySelectorAll("body *")].filter(el => el.getClientRects().length && !el.closest("pre, .tab-list, .callbacks, .sr, .skip")
    && el.getBoundingClientRect().right > innerWidth + 0.5 && getComputedStyle(el).position !== "fixed" && !el.closest(".screen"));
  return document.documentElement.scrollWidth <= innerWidth ? "" : `${document.documentElement.scrollWidth} > ${innerWidth}: ${wide.slice(0, 3).map(el => el.outerHTML.slice(0, 90)).join(" | ")}`;
});

const axeSource = require("node:fs").readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/* What axe-core finds wrong on the page as it is now. Motion is stopped: it judges what it sees. */
export async function accessible(page, label) {
  await page.evaluate(axeSource); /* by the debugger, which the page's policy does not reach */
  await page.waitForFunction(() => document.getAnimations().every(a => a.playState !== "running" || a.effect.getTiming().iterations === Infinity));
  const found = await page.evaluate(async () => (await window.axe.run(document, { resultTypes: ["violations"] })).violations
    .map(v => `${v.impact} ${v.id}: ${v.nodes.slice(0, 3).map(n => `${n.html.slice(0, 120)} (${n.any[0]?.message ?? ""})`).join(" | ")}`));
  check(`${label}: no violation of accessibility`, found.length === 0, found.join("\n"));
}
