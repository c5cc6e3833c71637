/*
 * world.mjs - a running zoetrope and a real Chromium for the tests of the page. The server is on
 * loopback, in a temporary folder, on a free port; the browser is the distribution's.
 */
import { spawn, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import zlib from "node:zlib";

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "../..");
export const require = createRequire(path.join(ROOT, "build/node/package.json"));
const { chromium } = require("playwright-core");

export const START_MS = 60_000;
export const WORK_MS = 240_000; /* for one short video, with sanitizers, on a busy machine */

/* ---- the server ---------------------------------------------------------------------------- */

export class Server {
  constructor(program, ...flags) {
    this.program = program;
    this.flags = flags;
    this.folder = fs.mkdtempSync(path.join(os.tmpdir(), "zt-page-"));
    this.data = path.join(this.folder, "data");
    this.logPath = path.join(this.folder, "log");
    const made = execFileSync(program, ["keys", "create", "--name", "page", "--data", this.data], { encoding: "utf8" });
    this.key = /\bzt_[A-Za-z0-9_-]{20,}/.exec(made)[0];
  }

  async start(listen = "127.0.0.1:0") {
    const log = fs.openSync(this.logPath, "a");
    this.process = spawn(this.program, ["serve", "--listen", listen, "--data", this.data, "--rate-limit=0", ...this.flags],
      { stdio: ["ignore", "pipe", log] });
    fs.closeSync(log);
    this.ended = new Promise(done => this.process.once("exit", done));
    this.url = await new Promise((done, failed) => {
      let text = "";
      this.process.stdout.on("data", chunk => {
        text += chunk;
        const found = /http:\/\/[0-9.]+:\d+/.exec(text);
        if (found) done(found[0]);
      });
      this.ended.then(code => failed(new Error(`the server ended with ${code}: ${this.log()}`)));
    });
    return this;
  }

  log() {
    return fs.readFileSync(this.logPath, "utf8");
  }

  async stop() {
    this.process.kill("SIGTERM");
    return this.ended;
  }

  /* Ends it for good; what is wrong with how it went. */
  async close() {
    const code = await this.stop();
    const log = this.log();
    const wrong = ["ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer", "assertion", this.key].filter(text => log.includes(text));
    if (code !== 0) wrong.push(`the server's exit status is ${code}`);
    if (wrong.length) wrong.push(log.slice(-2000));
    fs.rmSync(this.folder, { recursive: true, force: true });
    return wrong;
  }

  async call(method, where, body) {
    const response = await fetch(this.url + where, {
      method, body: body && JSON.stringify(body),
      headers: { Authorization: `Bearer ${this.key}`, ...(body ? { "Content-Type": "application/json" } : {}) },
    });
    return response.json();
  }
}

/* ---- the browser --------------------------------------------------------------------------- */

export function openBrowser() {
  const executablePath = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"].find(f => fs.existsSync(f));
  if (!executablePath) throw new Error("there is no Chromium: tools/setup --test installs it");
  return chromium.launch({ executablePath, args: [...(process.getuid() === 0 ? ["--no-sandbox"] : []), "--disable-gpu"] });
}

/* A tab that keeps what went wrong in it. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, locale: "en-GB", reducedMotion: "no-preference", ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(START_MS);
  page.wrong = [];
  page.on("pageerror", error => page.wrong.push(String(error)));
  page.on("console", message => {
    if (message.type() === "error" && !/Failed to load resource/.test(message.text())) page.wrong.push(message.text());
  });
  return page;
}

/* ---- pictures ------------------------------------------------------------------------------ */

function crc32(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let k = 0; k < 8; k++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

/* A PNG with stripes in it, so that every move changes pixels. */
export function png(width = 192, height = 108, tint = 0) {
  const rows = Buffer.alloc((width * 3 + 1) * height);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const at = y * (width * 3 + 1) + 1 + x * 3;
      rows[at] = (x >> 4) & 1 ? 230 : 40;
      rows[at + 1] = (y >> 4) & 1 ? 200 - tint : 60;
      rows[at + 2] = (x + y + tint) & 255;
    }
  const chunk = (kind, data) => {
    const body = Buffer.concat([Buffer.from(kind, "latin1"), data]);
    const out = Buffer.alloc(8 + data.length + 4);
    out.writeUInt32BE(data.length, 0);
    body.copy(out, 4);
    out.writeUInt32BE(crc32(body), 8 + data.length);
    return out;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 2, 0, 0, 0], 8);
  return Buffer.concat([Buffer.from("\x89PNG\r\n\x1a\n", "latin1"), chunk("IHDR", head), chunk("IDAT", zlib.deflateSync(rows)), chunk("IEND", Buffer.alloc(0))]);
}

export const digest = bytes => createHash("sha256").update(bytes).digest("hex");
