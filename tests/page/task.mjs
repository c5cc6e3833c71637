/* task.mjs - a video from the button to the screen: progress, playing, failing, comparing. */
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import { accessible, broken, check, fill, fits, part, same, until, visit } from "./checks.mjs";
import { ROOT, Server, WORK_MS } from "./world.mjs";

/* A small copy of what the video shows at a time: 16 x 9 pixels. */
const frameAt = (page, seconds, selector = "#video") => page.$eval(selector, async (video, at) => {
  video.pause();
  await new Promise(done => {
    video.addEventListener("seeked", done, { once: true });
    video.currentTime = at;
  });
  await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
  const canvas = Object.assign(document.createElement("canvas"), { width: 16, height: 9 });
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0, 16, 9);
  return [...context.getImageData(0, 0, 16, 9).data].filter((_, i) => i % 4 !== 3);
}, seconds);

const apart = (a, b) => a.reduce((sum, value, i) => sum + Math.abs(value - b[i]), 0) / a.length;

const ready = (page, selector = "#video") => until("the video can play", () => page.$eval(selector, v => v.readyState >= 2).catch(() => false));

/* Notes every value that the bar of progress takes. */
const watchProgress = page => page.evaluate(() => {
  window.progressSeen = [];
  window.stagesSeen = [];
  new MutationObserver(() => {
    const bar = document.querySelector(".slits");
    const value = Number(bar?.getAttribute("aria-valuenow") ?? NaN);
    if (!Number.isNaN(value) && window.progressSeen.at(-1) !== value) window.progressSeen.push(value);
    const stage = document.querySelector(".going-stage")?.textContent;
    if (stage && window.stagesSeen.at(-1) !== stage) window.stagesSeen.push(stage);
  }).observe(document.getElementById("screen"), { subtree: true, childList: true, attributes: true, characterData: true });
});

part("task", "a video", async world => {
  const page = await visit(world);
  const ranges = [];
  page.on("response", response => {
    if (/\.mp4$/.test(response.url())) ranges.push([response.status(), response.request().headers().range ?? ""]);
  });
  const asked = { events: 0, recordInfo: 0 };
  page.on("request", request => {
    for (const name of Object.keys(asked)) if (request.url().includes(`/jobs/${name}?`)) asked[name]++;
  });
  await watchProgress(page);
  await fill(page, { prompt: "fast pan right, then push in", duration: "5" });
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#cancel");
  same("the form waits for nothing", await page.textContent("#create span"), "Create video");
  await until("some progress", () => page.evaluate(() => window.progressSeen.some(p => p > 0 && p < 100)), WORK_MS);
  await accessible(page, "in progress");
  await page.waitForSelector("#video", { timeout: WORK_MS });
  const { seen, stages } = await page.evaluate(() => ({ seen: window.progressSeen, stages: window.stagesSeen }));
  check("progress never goes back", seen.every((p, i) => i === 0 || p >= seen[i - 1]), String(seen));
  check("stages in words", stages.includes("Drawing frames"), String(stages));
  check("told by events, not by asking", asked.events === 1 && asked.recordInfo <= 2, JSON.stringify(asked));
  same("said aloud", await page.textContent("#live"), "The video is done");

  await ready(page);
  const shape = await page.$eval("#video", v => ({ length: v.duration, size: [v.videoWidth, v.videoHeight], end: v.seekable.end(0), loop: v.loop }));
  check("its length", Math.abs(shape.length - 121 / 24) < 0.1 && shape.end > 5, JSON.stringify(shape));
  same("its size", shape.size, [864, 480]);
  await until("it plays by itself", () => page.$eval("#video", v => v.currentTime > 0.2));
  check("the needle goes along", await page.$eval(".needle", el => !el.hidden && parseFloat(el.style.left) > 0));
  const first = await frameAt(page, 0.1);
  const middle = await frameAt(page, 2.5);
  const end = await frameAt(page, 4.9);
  check("there is something on it", new Set(first).size > 20);
  check("pixels change over time", apart(first, middle) > 4 && apart(middle, end) > 2, `${apart(first, middle)} ${apart(middle, end)}`);
  check("the same frame again", apart(first, await frameAt(page, 0.1)) < 1);
  check("sought by ranges", ranges.length > 0 && ranges.every(([status, range]) => status === 206 && range.startsWith("bytes=")), JSON.stringify(ranges));
  await page.click(".action:has-text('Loop')");
  check("the loop is off", await page.$eval("#video", v => !v.loop));

  const [download] = await Promise.all([page.waitForEvent("download"), page.click(".action:has-text('Download')")]);
  check("its name", /^task_\w+\.mp4$/.test(download.suggestedFilename()), download.suggestedFilename());
  same("it is an MP4", fs.readFileSync(await download.path()).subarray(4, 8).toString(), "ftyp");
  await accessible(page, "done");

  await page.fill("#prompt", "something else");
  await page.waitForSelector("#screen img.fill");
  await page.click(".action:has-text('Back to the video')");
  await page.waitForSelector("#video", { timeout: WORK_MS });
  await page.click(".action:has-text('Continue')");
  await page.waitForFunction(() => document.querySelector("#slot-image img")?.naturalWidth === 864);
  check("goes on from the last frame", true);

  await page.setViewportSize({ width: 320, height: 640 });
  await page.click(".task-open");
  await page.waitForSelector("#video", { timeout: WORK_MS });
  same("fits a phone", await fits(page), "");
});

part("task", "a reload", async world => {
  const page = await visit(world);
  await fill(page, { prompt: "slow tilt up", duration: "5", tint: 60 });
  await page.click("#create");
  await page.waitForSelector("#cancel");
  await page.reload();
  await page.waitForSelector("html[data-ready]");
  check("goes on following", await page.$("#cancel, #video") !== null);
  await page.waitForSelector("#video", { timeout: WORK_MS });
  await ready(page);
  same("the same task", (await page.textContent(".task.opened .task-prompt")), "slow tilt up");
});

/* The videos are those of the two parts before: name all three to run it alone. */
part("task", "compare", async world => {
  const page = await visit(world);
  await page.waitForSelector(".task-compare");
  const buttons = page.locator(".task-compare");
  check("there are two", await buttons.count() >= 2);
  await buttons.nth(0).click();
  check("waits for the second", await page.isVisible("#tray"));
  await buttons.nth(1).click();
  await page.waitForSelector("#compare[open]");
  await until("both can play", () => page.$$eval("#compare video", list => list.length === 2 && list.every(v => v.readyState >= 3)));
  await until("both play", () => page.$$eval("#compare video", list => list.every(v => v.currentTime > 0.3)));
  await page.click("#compare .primary");
  await until("they keep the same time", () => page.$$eval("#compare video", list => list.every(v => v.paused && !v.seeking) && Math.abs(list[0].currentTime - list[1].currentTime) < 0.08));
  await page.fill("#compare input[type=range]", "700");
  await until("both are moved", () => page.$$eval("#compare video", list => list.every(v => !v.seeking && Math.abs(v.currentTime - 0.7 * v.duration) < 0.1)));
  const order = await page.$$eval("#compare video", list => list.map(v => v.src));
  await page.click("#compare .tool:has-text('Swap')");
  same("swapped", await page.$$eval("#compare video", list => list.map(v => v.src)), [...order].reverse());
  await accessible(page, "side by side");
  await page.setViewportSize({ width: 320, height: 640 });
  same("fits a phone", await fits(page), "");
  await page.keyboard.press("Escape");
  await page.waitForSelector("#compare[open]", { state: "detached" });
});

part("task", "a failure", async world => {
  const page = await visit(world);
  await fill(page, { file: broken });
  await until("the place says so", async () => (await page.textContent("#slot-image")).includes("cannot show"));
  await page.click("#create");
  await page.waitForSelector(".failure");
  same("says what is wrong", await page.textContent(".failure-title"), "This picture or prompt cannot be used");
  check("in the server's words", /PNG/.test(await page.textContent(".failure-msg")));
  check("aloud", /cannot be used.*PNG/.test(await page.textContent("#live")));
  await accessible(page, "failed");
});

part("task", "cancelling", async world => {
  const page = await visit(world);
  await fill(page, { duration: "12", resolution: "1080p", tint: 30 });
  await page.click("#create");
  await page.waitForSelector(".going");
  await page.click("#cancel");
  await page.waitForSelector(".failure");
  same("says so", await page.textContent(".failure-title"), "You cancelled this one");
  await until("in the list, too", () => page.$eval(".task.opened .state", el => el.textContent === "Cancelled").catch(() => false));
});

part("alone", "the server goes away", async world => {
  const page = await visit(world);
  await fill(page, { duration: "12", resolution: "1080p", tint: 90 });
  await page.click("#create");
  await page.waitForSelector(".going");
  const resumed = [];
  page.on("request", request => { if (request.url().includes("/jobs/events?")) resumed.push(request.headers()["last-event-id"]); });
  await page.waitForFunction(() => document.querySelector(".going-stage").textContent !== "Waiting");
  const listen = new URL(world.server.url).host;
  await world.server.stop();
  await page.waitForFunction(() => document.querySelector(".going-far")?.textContent === "Reconnecting…");
  check("says that it tries again", true);
  await world.server.start(listen);
  await page.waitForFunction(() => document.querySelector(".going-far")?.textContent !== "Reconnecting…");
  check("where it was", resumed.length > 0 && resumed.every(Boolean), JSON.stringify(resumed));
  await page.click("#cancel");
  await page.waitForSelector(".failure");
});

/* The engine with weights on the tiny model, held where it has shown all that it shows between steps. */
part("alone", "what there is so far", async world => {
  const model = fs.mkdtempSync(path.join(os.tmpdir(), "zt-page-model-"));
  const fixture = path.join(ROOT, "tests/fixtures/wan");
  for (const name of ["model_index.json", "scheduler", "text_encoder", "tokenizer", "transformer", "vae", "zoetrope.json"])
    fs.cpSync(path.join(fixture, name), path.join(model, name), { recursive: true });
  fs.copyFileSync(path.join(fixture, "original/taew2_2_small.safetensors"), path.join(model, "taew2_2.safetensors"));
  const server = new Server(world.server.program, "--engine=wan", `--model=${model}`, "--threads=1", "--preview-every=1",
    "--preset=ultrafast", "--extended-durations", "--drain=1s");
  process.env.ZOETROPE_CRASH = "wan.kept:1:hang";
  try {
    await server.start();
  } finally {
    delete process.env.ZOETROPE_CRASH;
  }
  const page = await visit({ ...world, server });
  await fill(page, { prompt: "a red ball rolls", duration: "5" });
  await page.keyboard.press("Control+Enter");
  await page.waitForSelector("#so-far", { timeout: WORK_MS });
  await until("the last one", () => page.$eval("#so-far", v => v.src.endsWith("version=4")).catch(() => false), WORK_MS);
  await ready(page, "#so-far");
  const shown = await page.$eval("#so-far", v => ({ length: v.duration, muted: v.muted, label: v.getAttribute("aria-label"), n: document.querySelectorAll("#so-far").length }));
  check("its length", Math.abs(shown.length - 121 / 24) < 0.1, String(shown.length));
  same("silent, named, and alone", [shown.muted, shown.label, shown.n], [true, "What there is so far", 1]);
  await until("it plays by itself", () => page.$eval("#so-far", v => v.currentTime > 0.2));
  check("there is something on it", new Set(await frameAt(page, 0.1, "#so-far")).size > 20);
  same("what it does, in words", await page.textContent(".going-stage"), "Denoising");
  await accessible(page, "so far");
  if (process.env.SHOTS) await page.screenshot({ path: path.join(process.env.SHOTS, "so-far.png") });
  await page.click("#cancel");
  await until("gone when it is cancelled", () => page.evaluate(() => !document.getElementById("so-far")));
  same("nothing went wrong in the browser", page.wrong, []);
  await page.context().close();
  world.pages.splice(world.pages.indexOf(page), 1);
  await server.close(); /* its worker hangs, so it has to be killed */
  fs.rmSync(model, { recursive: true, force: true });
});
