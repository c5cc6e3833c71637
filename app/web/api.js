/* api.js - talking to the server: the envelope, errors, a task followed live, pictures sent. */

export const base = new URL(".", location.href.replace(/[?#].*$/, ""));

let key = "";
export const setKey = value => { key = value; };
export const hasKey = () => key !== "";

/* What went wrong, in the server's words; code 0: it could not be reached. */
export class ApiError extends Error {
  constructor(code, message, retryAfter = 0) {
    super(message);
    this.code = code;
    this.retryAfter = retryAfter;
  }
}

const url = path => new URL(path, base);
const bearer = () => (key ? { Authorization: `Bearer ${key}` } : {});

/* A file of ours at the address this page came from, whatever name the server knows itself by. */
export function local(address) {
  const at = address.search(/\/(files|uploads|previews)\//);
  return at < 0 ? address : url(address.slice(at + 1)).href;
}

async function send(path, options) {
  try {
    return await fetch(url(path), { cache: "no-store", credentials: "omit", ...options });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, error.message);
  }
}

async function open(response) {
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new ApiError(response.status, `HTTP ${response.status}`);
  }
  /* The code is the body's: the HTTP status can be 200 for all. */
  if (answer.code !== 200)
    throw new ApiError(answer.code ?? response.status, answer.msg ?? "", Number(response.headers.get("Retry-After")) || 0);
  return answer;
}

async function get(path, signal) {
  return open(await send(path, { headers: bearer(), signal }));
}

async function post(path, body, signal) {
  return open(await send(path, {
    method: "POST", signal, body: JSON.stringify(body),
    headers: { ...bearer(), "Content-Type": "application/json" },
  }));
}

/* ---- what there is ------------------------------------------------------------------------- */

export const createTask = body => post("api/v1/jobs/createTask", body);
export const cancelTask = taskId => post("api/v1/jobs/cancelTask", { taskId });
export const redeliver = taskId => post("api/v1/jobs/redeliver", { taskId });
export const record = (taskId, signal) => get(`api/v1/jobs/recordInfo?taskId=${encodeURIComponent(taskId)}`, signal);
export const callbacks = taskId => get(`api/v1/jobs/callbacks?taskId=${encodeURIComponent(taskId)}`);
export const explain = (prompt, duration, signal) =>
  post("api/v1/prompt/explain", duration ? { prompt, duration } : { prompt }, signal);
export const describe = async () => (await send("openapi.json", {})).json();

export function listTasks(query) {
  const filled = Object.entries(query).filter(([, value]) => value !== "" && value !== undefined);
  return get(`api/v1/jobs/listTasks?${new URLSearchParams(filled)}`);
}

/* Sends a picture; its address is what createTask takes. */
export async function upload(file) {
  const form = new FormData();
  form.append("uploadPath", "page");
  form.append("file", file, file.name || "picture");
  return (await open(await send("api/file-stream-upload", { method: "POST", headers: bearer(), body: form }))).data.downloadUrl;
}

/* ---- following a task ---------------------------------------------------------------------- */

const pause = (ms, signal) => new Promise(done => {
  const timer = setTimeout(done, ms);
  signal.addEventListener("abort", () => { clearTimeout(timer); done(); }, { once: true });
});

export const isFinal = state => state === "success" || state === "fail";

/* One connection's events: calls on(event, data, id) for each; returns when it ends. */
async function readEvents(body, on) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split(/\r?\n\r?\n/);
    text = blocks.pop();
    for (const block of blocks) {
      const event = { event: "message", data: "", id: undefined };
      for (const line of block.split(/\r?\n/)) {
        const [, name, rest] = /^(\w+): ?(.*)$/.exec(line) ?? [];
        if (name === "data") event.data += rest;
        else if (name) event[name] = rest;
      }
      if (event.data) on(event.event, JSON.parse(event.data), event.id);
    }
  }
}

async function poll(taskId, on, signal) {
  const { data } = await record(taskId, signal);
  on(data);
  return isFinal(data.state);
}

/*
 * Calls on(record) with every change until the task ended or the signal aborts: live by events,
 * and where those do not get through, by asking again. lost(true) tells that the server is away.
 */
export async function follow(taskId, on, lost, signal) {
  let last = "";
  let events = true;
  let wait = 250;
  while (!signal.aborted) {
    let ended = false;
    const got = data => {
      wait = 250;
      lost(false);
      on(data);
      ended = isFinal(data.state);
    };
    try {
      if (events) {
        const headers = { ...bearer(), Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) };
        const response = await send(`api/v1/jobs/events?taskId=${encodeURIComponent(taskId)}`, { headers, signal });
        const streams = (response.headers.get("Content-Type") ?? "").startsWith("text/event-stream");
        if (streams) {
          await readEvents(response.body, (name, data, id) => {
            last = id ?? last;
            if (data.taskId) got(data);
          });
          ended = ended || await poll(taskId, got, signal); /* an end without its event */
        } else {
          events = response.status !== 404 && response.status !== 501;
          if (events) await open(response);
        }
      } else {
        ended = await poll(taskId, got, signal);
        wait = 800;
      }
      if (ended) return;
    } catch (error) {
      if (signal.aborted) return;
      if (error instanceof ApiError && error.code > 0 && error.code < 500 && error.code !== 429) throw error;
      lost(true);
      wait = Math.min(wait * 2, 5000);
    }
    await pause(wait, signal);
  }
}
