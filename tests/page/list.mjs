/* list.mjs - one's tasks, their callbacks, and the request as scripts that run. */
import { execFile } from "node:child_process";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { promisify } from "node:util";

import { accessible, check, fill, fits, part, picture, same, until, visit } from "./checks.mjs";

const run = promisify(execFile);
const CREATE = "/api/v1/jobs/createTask";
const LITE = "bytedance/v1-lite-image-to-video";
const FAST = "bytedance/v1-pro-fast-image-to-video";

part("task", "tasks", async world => {
  /* Tasks that end at once: nothing listens at their pictures' address. */
  for (let i = 0; i < 14; i++)
    await world.server.call("POST", CREATE, { model: i < 13 ? LITE : FAST, input: { prompt: `list ${i}`, image_url: "http://127.0.0.1:1/a.png", duration: "2" } });
  const page = await visit(world);
  const prompts = () => page.$$eval(".task-prompt", list => list.map(el => el.textContent));
  await until("the first page", async () => (await prompts()).length === 12);
  same("newest first", (await prompts())[0], "list 13");
  await page.click("#more");
  await until("the second page", async () => (await prompts()).length > 12);
  same("no task twice", new Set(await page.$$eval(".task", list => list.map(el => el.dataset.task))).size, (await prompts()).length);
  await page.selectOption("#filter-model", FAST);
  await until("by model", async () => JSON.stringify(await prompts()) === '["list 13"]');
  await page.selectOption("#filter-model", "");
  await page.selectOption("#filter-state", "success");
  await until("by state", async () => (await page.$$eval(".task .state", list => list.map(el => el.textContent))).every(state => state === "Done") && !(await prompts()).some(p => p.startsWith("list")));
  await page.selectOption("#filter-state", "");
  await until("all again", async () => (await prompts()).length === 12);
  await page.click(".task-open >> nth=1");
  await until("opens one", () => page.$eval(".task.opened .task-prompt", el => el.textContent === "list 12"));
  check("its prompt is read", await until("read", async () => (await page.textContent(".as-read").catch(() => ""))?.includes("list 12")));
  await accessible(page, "tasks");
  await page.setViewportSize({ width: 320, height: 640 });
  same("fits a phone", await fits(page), "");
});

part("task", "callbacks", async world => {
  const received = [];
  const receiver = http.createServer((request, response) => {
    received.push(request.url);
    request.resume().on("end", () => response.writeHead(received.length === 1 ? 410 : 200).end(received.length === 1 ? "not <b>now</b>" : "thanks"));
  });
  await new Promise(done => receiver.listen(0, "127.0.0.1", done));
  const page = await visit(world);
  await fill(page, { file: { name: "bad.png", mimeType: "image/png", buffer: Buffer.from("\x89PNG\r\n\x1a\nno", "latin1") } });
  await page.fill("#option-callback", `http://127.0.0.1:${receiver.address().port}/hook`);
  await page.click("#create");
  await page.waitForSelector(".failure");
  await until("it was called back", () => received.length === 1);
  await page.click("summary");
  await page.click("#tab-callbacks");
  await until("the log shows the try", async () => {
    if (/HTTP 410/.test(await page.textContent(".callbacks"))) return true;
    await page.click("#tab-answer");
    await page.click("#tab-callbacks");
    return false;
  });
  check("with what was answered, as text", (await page.textContent(".callbacks .excerpt")).includes("<b>now</b>"));
  await accessible(page, "callbacks");
  await page.click(".callbacks .action");
  await until("it is sent again", () => received.length === 2);
  await until("the log shows that, too", async () => {
    await page.click("#tab-answer");
    await page.click("#tab-callbacks");
    await page.waitForSelector(".log");
    return /HTTP 200/.test(await page.textContent(".callbacks"));
  });
  await new Promise(done => receiver.close(done));
});

part("task", "scripts", async world => {
  const page = await visit(world);
  const folder = path.join(world.server.folder, "scripts");
  fs.mkdirSync(folder);
  const prompt = "push in on the \"cat's\" $HOME `x` \\ 猫";
  await fill(page, { prompt, file: { ...picture(5), name: "it's a cat.png" } });
  fs.writeFileSync(path.join(folder, "it's a cat.png"), picture(5).buffer);
  await page.waitForSelector("summary");
  await page.click("summary");
  const env = { ...process.env, KEY: world.server.key };
  const curl = await page.textContent("#code-curl");
  check("no key in it", !curl.includes(world.server.key));
  const { stdout } = await run("sh", ["-c", curl], { cwd: folder, env });
  const made = JSON.parse(stdout);
  same("curl makes a task", made.code, 200);
  const record = (await world.server.call("GET", `/api/v1/jobs/recordInfo?taskId=${made.data.taskId}`)).data;
  same("with this prompt", JSON.parse(record.param).input.prompt, prompt);
  await page.click("#tab-python");
  fs.writeFileSync(path.join(folder, "make.py"), await page.textContent("#code-python"));
  const done = await run("python3", ["make.py"], { cwd: folder, env });
  check("Python makes a video", /\.mp4\s*$/.test(done.stdout), done.stdout + done.stderr);
  await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  await page.click(".copy");
  same("it can be copied", await page.evaluate(() => navigator.clipboard.readText()), await page.textContent("#code-python"));
});
