"""A server, its workers, its clients and a receiver of callbacks, in a folder of its own, on 127.0.0.1."""

import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time
import zlib

MODEL = "bytedance/v1-lite-image-to-video"
# Small times: a lost lease is noticed in seconds, a refused callback comes again at once.
FLAGS = ["--lease=2s", "--heartbeat=500ms", "--drain=2s", "--allow-net=127.0.0.1", "--niceness=0", "--threads=1",
         "--preset=ultrafast", "--crf=40"]
SERVE_FLAGS = ["--rate-limit=0", "--max-waiting=0", "--extended-durations", "--callback-timeout=1s",
               "--callback-lease=2s", "--callback-host-limit=4", "--callback-break-after=0",
               "--callback-retries=" + ",".join(["100ms"] * 8 + ["500ms"] * 12)]


class Checks:
    """Counts, and says what was not as it should be."""

    def __init__(self):
        self.passed = self.failed = 0
        self.lock = threading.Lock()

    def check(self, label, ok, said=""):
        with self.lock:
            self.passed += bool(ok)
            if not ok:
                self.failed += 1
                print(f"not ok: {label}\n    {str(said)[:3000]}", flush=True)
        return bool(ok)


def png(width=160, height=90):
    rows = b"".join(b"\0" + bytes(v for x in range(width)
                                  for v in ((x * 255) // width, (y * 255) // height, (x ^ y) & 255))
                    for y in range(height))
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


PICTURE = png()
DATA_URI = "data:image/png;base64," + base64.b64encode(PICTURE).decode()


class Outside:
    """What is not zoetrope: a host with a picture, and a receiver of callbacks.

    A path's script says what each POST to it meets: a status, "hang", "reset" or "redirect"; past its
    end, and without one, 200."""

    def __init__(self):
        self.lock = threading.Lock()
        self.posts = {}    # path -> [(headers, body, what it met)]
        self.scripts = {}  # path -> [what, ...]
        self.closing = threading.Event()
        outside = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                body = PICTURE if self.path == "/picture.png" else b"nothing here"
                self.send_response(200 if self.path == "/picture.png" else 404)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                with outside.lock:
                    posts = outside.posts.setdefault(self.path, [])
                    script = outside.scripts.get(self.path, [])
                    what = script[len(posts)] if len(posts) < len(script) else 200
                    posts.append((dict(self.headers), body, what))
                self.close_connection = True
                if what == "hang":
                    outside.closing.wait(5)
                elif what == "reset":
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    self.connection.close()
                else:
                    self.send_response(302 if what == "redirect" else what)
                    if what == "redirect":
                        self.send_header("Location", outside.url("/elsewhere"))
                    self.send_header("Content-Length", "0")
                    self.end_headers()

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except OSError:
                    pass  # the other side was killed

            def finish(self):
                try:
                    super().finish()
                except (OSError, ValueError):
                    pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def url(self, path):
        return f"http://127.0.0.1:{self.server.server_port}{path}"

    def got(self, path):
        with self.lock:
            return list(self.posts.get(path, []))

    def taken(self, path):
        return [p for p in self.got(path) if p[2] == 200]

    def close(self):
        self.closing.set()
        self.server.shutdown()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class World:
    def __init__(self, program, checks, outside, workers=1, flags=()):
        self.program = os.path.abspath(program)
        self.checks, self.outside = checks, outside
        self.folder = tempfile.mkdtemp(prefix="zt-crash-")
        self.data = os.path.join(self.folder, "data")
        self.log_path = os.path.join(self.folder, "log")
        self.port = free_port()
        self.flags, self.workers = list(flags), workers
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("ZOETROPE_")}
        self.server = None
        self.log = open(self.log_path, "ab")
        self.numbers = 0
        text = subprocess.run([self.program, "keys", "create", "test", f"--data={self.data}"], env=self.env,
                              capture_output=True, text=True, timeout=60).stdout
        self.key = re.search(r"API key +(\S+)", text)[1]
        self.webhook = re.search(r"webhook secret +(\S+)", text)[1]

    # ---- processes

    def start(self, env=None, wait=True):
        """Starts the server; False when it died before it was ready."""
        out_path = os.path.join(self.folder, "out")
        out = open(out_path, "wb")
        self.server = subprocess.Popen(
            [self.program, "serve", f"--data={self.data}", f"--listen=127.0.0.1:{self.port}",
             f"--workers={self.workers}", *FLAGS, *SERVE_FLAGS, *self.flags],
            env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL, stdout=out, stderr=self.log)
        out.close()
        deadline = time.monotonic() + 60
        while wait and time.monotonic() < deadline:
            if b"listening on" in open(out_path, "rb").read():
                return True
            if self.server.poll() is not None:
                return False
            time.sleep(0.01)
        if wait:
            raise TimeoutError("the server did not start: " + self.tail())
        return True

    def start_worker(self, env=None):
        return subprocess.Popen([self.program, "worker", f"--data={self.data}", *FLAGS],
                                env={**self.env, **(env or {})}, stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=self.log)

    def stop(self, seconds=60):
        """SIGTERM; the exit status."""
        if self.server.poll() is None:
            self.server.send_signal(signal.SIGTERM)
        return self.server.wait(seconds)

    def kill(self):
        if self.server is not None and self.server.poll() is None:
            self.server.kill()
        if self.server is not None:
            self.server.wait(30)

    def worker_pids(self):
        """Every worker process on this folder, orphans too."""
        found = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                words = open(f"/proc/{entry}/cmdline", "rb").read().split(b"\0")
            except OSError:
                continue
            if len(words) > 2 and words[1] == b"worker" and f"--data={self.data}".encode() in words:
                found.append(int(entry))
        return found

    def signal_worker(self, pid, number):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass

    def pid_of(self, name):
        found = re.findall(rf"worker_spawned worker={re.escape(name)} pid=(\d+)", self.text())
        return int(found[-1]) if found else None

    def text(self):
        self.log.flush()
        return open(self.log_path, errors="replace").read()

    def tail(self):
        return self.text()[-3000:]

    def close(self):
        """Ends everything and looks once over what was logged."""
        self.kill()
        deadline = time.monotonic() + 20
        while self.worker_pids() and time.monotonic() < deadline:
            for pid in self.worker_pids():
                self.signal_worker(pid, signal.SIGKILL)
            time.sleep(0.02)
        text = self.text()
        spoke = re.search(r"(.*(Sanitizer|runtime error).*\n(.*\n){0,40})", text)
        self.checks.check("no sanitizer spoke", spoke is None, spoke and spoke[1])
        self.checks.check("no secret in a log", self.key not in text and self.webhook not in text and
                          "zt_" not in re.sub(r"/\S*zt_\S*", "", text))
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    # ---- requests

    def request(self, method, path, body=None, timeout=10, headers=None, port=None):
        """(status, parsed JSON); OSError when nobody answers."""
        c = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        try:
            c.request(method, path, body, {"Authorization": "Bearer " + self.key, "Content-Type": "application/json",
                                           **(headers or {})})
            r = c.getresponse()
            return r.status, json.loads(r.read())
        except (http.client.HTTPException, ValueError) as e:
            raise OSError(str(e)) from e
        finally:
            c.close()

    def submit(self, callback=None, image=None, repeat=None, **more):
        """The id of an accepted task. repeat: the name of a request that may have been sent before."""
        self.numbers += 1
        given = {"prompt": "slow push in", "image_url": image or self.outside.url("/picture.png"),
                 "resolution": "480p", "duration": 2, "seed": 1, **more}
        body = {"model": MODEL, "input": given}
        if callback:
            body["callBackUrl"] = self.outside.url(callback)
        headers = {"Idempotency-Key": repeat} if repeat else None
        status, answer = self.request("POST", "/api/v1/jobs/createTask", json.dumps(body), headers=headers)
        if status != 200 or answer["code"] != 200:
            raise ValueError(f"createTask said {status} {answer}")
        return answer["data"]["taskId"]

    def cancel(self, task):
        return self.request("POST", "/api/v1/jobs/cancelTask", json.dumps({"taskId": task}))

    def get(self, task):
        status, answer = self.request("GET", "/api/v1/jobs/recordInfo?taskId=" + task)
        if status != 200 or answer["code"] != 200:
            raise LookupError(f"recordInfo of an accepted task said {status} {answer}")
        return answer["data"]

    def show(self, task):
        got = subprocess.run([self.program, "tasks", "show", task, "--json", f"--data={self.data}"], env=self.env,
                             capture_output=True, text=True, timeout=60)
        return json.loads(got.stdout)

    def list(self):
        got = subprocess.run([self.program, "tasks", "list", "--json", "--limit=10000", f"--data={self.data}"],
                             env=self.env, capture_output=True, text=True, timeout=60)
        return [json.loads(line) for line in got.stdout.splitlines()]

    def wait(self, what, seconds=60, every=0.05):
        """Until what() is true; its value, or None when time is over. No answer counts as not yet."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                value = what()
            except OSError:
                value = None
            if value:
                return value
            time.sleep(every)
        return None

    def finished(self, task, seconds=90):
        def look():
            data = self.get(task)
            return data if data["state"] in ("success", "fail") else None
        return self.wait(look, seconds)

    def download(self, url):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            c.request("GET", url.split(str(self.port), 1)[1])
            r = c.getresponse()
            return r.status, r.read()
        finally:
            c.close()

    # ---- what must hold

    def check_signed(self, label, task, headers, body):
        """By an implementation that shares nothing with the program's."""
        lower = {k.lower(): v for k, v in headers.items()}
        def mac(key, text):
            return base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()
        ts, wid, wts = lower["x-webhook-timestamp"], lower["webhook-id"], lower["webhook-timestamp"]
        self.checks.check(label + ": signed over the task", lower["x-webhook-signature"] ==
                          mac(self.webhook.encode(), f"{task}.{ts}".encode()), lower)
        secret = base64.b64decode(self.webhook[len("whsec_"):])
        self.checks.check(label + ": signed over the body", lower["webhook-signature"] ==
                          "v1," + mac(secret, f"{wid}.{wts}.".encode() + body), lower)

    def check_success(self, label, task, data):
        """One finished task: its record, its file."""
        c = self.checks
        if not c.check(label + ": succeeds", data is not None and data["state"] == "success", (data, self.tail())):
            return
        status, video = self.download(json.loads(data["resultJson"])["resultUrls"][0])
        c.check(label + ": its video is there", status == 200 and video[4:8] == b"ftyp" and len(video) > 1000,
                (status, len(video)))

    def check_called_back(self, label, task, path, state="success", seconds=30):
        """At least once, always the same, signed."""
        posts = self.wait(lambda: self.outside.taken(path), seconds)
        if not self.checks.check(label + ": called back", posts, self.tail()):
            return
        posts = self.outside.got(path)
        self.checks.check(label + ": one body", len({p[1] for p in posts}) == 1, [p[1] for p in posts])
        data = json.loads(posts[0][1])["data"]
        self.checks.check(label + ": says what happened", (data["taskId"], data["state"]) == (task, state), data)
        self.check_signed(label, task, posts[0][0], posts[0][1])
