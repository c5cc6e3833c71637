/*
 * run.mjs - the page in a real Chromium, from outside: what a person does with it, and sees.
 *
 *     node tests/page/run.mjs --program build/asan/zoetrope [word ...]
 *
 * Words choose parts by their names. Each part has a tab of its own; all share one server. With
 * SHOTS=folder a part that fails leaves a picture of its tabs there. Ends with "N passed, N failed".
 */
import path from "node:path";

import { check, counts, parts } from "./checks.mjs";
import { Server, openBrowser } from "./world.mjs";
import "./form.mjs";
import "./look.mjs";
import "./task.mjs";
import "./list.mjs";

const args = process.argv.slice(2);
const at = args.indexOf("--program");
const program = at >= 0 ? args.splice(at, 2)[1] : "build/asan/zoetrope";

const server = new Server(path.resolve(program), "--extended-durations", "--preset=ultrafast", "--allow-net=127.0.0.1");
await server.start();
const browser = await openBrowser();

async function runPart({ name, run }) {
  const start = Date.now();
  const world = { server, browser, pages: [] };
  try {
    await run(world);
  } catch (error) {
    check(`${name}: goes to its end`, false, error.stack.slice(0, 1500));
    if (process.env.SHOTS) for (const [i, page] of world.pages.entries())
      await page.screenshot({ path: path.join(process.env.SHOTS, `${name.replaceAll(" ", "-")}-${i}.png`) }).catch(() => {});
  }
  for (const page of world.pages) {
    check(`${name}: nothing went wrong in the browser`, page.wrong.length === 0, page.wrong.join("\n"));
    await page.context().close();
  }
  console.log(`${name}: ${((Date.now() - start) / 1000).toFixed(1)} s`);
}

async function runLane(lane) {
  for (const one of parts) if (one.lane === lane && (!args.length || args.some(word => one.name.includes(word)))) await runPart(one);
}

await Promise.all([runLane("form"), runLane("task")]);
await runLane("alone");
await browser.close();
const wrong = await server.close();
check("the server ends in order", wrong.length === 0, wrong.join("\n"));
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exit(counts.failed > 0 ? 1 : 0);
