"""A running zoetrope to talk to, and a local host for its pictures and callbacks.

Everything is on loopback, in a temporary folder, on free ports. Standard library only."""

import base64
import hashlib
import hmac
import http.client
import http.server
import json
import os
import re
import signal
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time
import zlib

LITE = "bytedance/v1-lite-image-to-video"
PRO = "bytedance/v1-pro-image-to-video"
FAST = "bytedance/v1-pro-fast-image-to-video"
MODELS = (LITE, PRO, FAST)
CREATE = "/api/v1/jobs/createTask"
RECORD = "/api/v1/jobs/recordInfo"
JSON = "application/json;charset=UTF-8"

START_S = 60
WORK_S = 240  # for one short video, with sanitizers, on a busy machine

PROGRAM = None  # set by run.py


def png(width=96, height=64, colour=(200, 80, 40)):
    """A PNG file with a gradient in it, so that there is something to move."""
    rows = b"".join(
        b"\0" + b"".join(bytes(((colour[0] + x) % 256, (colour[1] + y) % 256, colour[2])) for x in range(width))
        for y in range(height))

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) +
            chunk(b"IEND", b""))


def data_url(content, media="image/png"):
    return f"data:{media};base64," + base64.b64encode(content).decode()


def listed_errors():
    """The closed list: {code: the cells of its row in docs/ERRORS.md}."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/ERRORS.md")
    with open(path, encoding="utf-8") as f:
        rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in f if re.match(r"\| \d+ \|", line)]
    return {int(row[0]): row[1:] for row in rows}


ERRORS = listed_errors()
ANSWERS = {c for c, row in ERRORS.items() if "`code`" in row[0]}
FAILURES = {str(c) for c, row in ERRORS.items() if "`failCode`" in row[0]}


class Answer:
    """Every answer of every test goes through here: a code that is not in the list fails the test."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.check_listed()

    def check_listed(self):
        if self.status >= 400 and self.status not in ANSWERS:
            raise AssertionError(f"HTTP status {self.status} is not in docs/ERRORS.md: {self.body[:300]}")
        try:
            body = json.loads(self.body)
        except ValueError:
            return
        if not isinstance(body, dict) or "code" not in body or "msg" not in body:
            return
        if body["code"] != 200 and body["code"] not in ANSWERS:
            raise AssertionError(f"code {body['code']} is not in docs/ERRORS.md: {body['msg']}")
        data = body.get("data")
        if isinstance(data, dict) and data.get("failCode") and data["failCode"] not in FAILURES:
            raise AssertionError(f"failCode {data['failCode']} is not in docs/ERRORS.md: {data}")

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        return self.json["code"]

    @property
    def msg(self):
        return self.json["msg"]

    @property
    def data(self):
        return self.json["data"]


class Key:
    def __init__(self, name, secret, webhook_secret):
        self.name, self.secret, self.webhook_secret = name, secret, webhook_secret


class Server:
    """`zoetrope serve` with flags of the test's; the rate limit is off unless asked for."""

    def __init__(self, *flags):
        self.folder = tempfile.TemporaryDirectory(prefix="zt-api-")
        self.path = self.folder.name
        self.log_path = os.path.join(self.path, "log")
        self.secrets = []
        self.key = self.add_key("first")
        if not any(f.startswith("--rate-limit") for f in flags):
            flags += ("--rate-limit=0",)
        self.flags = flags
        self.start()

    def command(self, *args):
        return subprocess.run([PROGRAM, *args, "--data", os.path.join(self.path, "data")],
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=START_S)

    def add_key(self, name):
        done = self.command("keys", "create", "--name", name)
        if done.returncode != 0:
            raise RuntimeError(f"keys create failed: {done.stderr}")
        return self.read_key(name, done.stdout)

    def reset_key(self, name):
        done = self.command("keys", "reset", "--name", name)
        if done.returncode != 0:
            raise RuntimeError(f"keys reset failed: {done.stderr}")
        return self.read_key(name, done.stdout)

    def read_key(self, name, text):
        secret = re.search(r"\bzt_[A-Za-z0-9_-]{20,}", text).group(0)
        webhook = re.search(r"\bwhsec_[A-Za-z0-9+/=]+", text)
        self.secrets.append(secret)
        if webhook:
            self.secrets.append(webhook.group(0))
        return Key(name, secret, webhook.group(0) if webhook else None)

    def start(self):
        self.log = open(self.log_path, "ab")
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--listen", "127.0.0.1:0", "--data", os.path.join(self.path, "data"), *self.flags],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self.log)
        line = self.process.stdout.readline().decode()
        found = re.search(r"(https?)://([0-9.]+):(\d+)", line)
        if not found:
            self.process.wait(START_S)
            raise RuntimeError(f"the server did not start: {line!r}\n{self.text_of_log()}")
        self.scheme, self.host, self.port = found.group(1), found.group(2), int(found.group(3))
        self.url = f"{self.scheme}://{self.host}:{self.port}"
        self.wait_ready()

    def connect(self):
        return http.client.HTTPConnection(self.host, self.port, timeout=60)

    def wait_ready(self):
        until = time.monotonic() + START_S
        while self.ask("GET", "/readyz", key=None).status != 200:
            if time.monotonic() > until:
                raise RuntimeError("the server did not become ready")
            time.sleep(0.05)

    def text_of_log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def stop(self):
        """Ends the server as an operator would; returns what is wrong with how it went."""
        wrong = []
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(WORK_S)
            if code != 0:
                wrong.append(f"the server's exit status is {code}")
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            wrong.append("the server did not stop")
        self.process.stdout.close()
        self.log.close()
        log = self.text_of_log()
        for secret in self.secrets:
            if secret in log:
                wrong.append("a secret is in the log")
        for bad in ("ERROR: AddressSanitizer", "runtime error:", "LeakSanitizer", "WARNING: ThreadSanitizer",
                    "assertion"):
            if bad in log:
                wrong.append(f"the log has {bad!r}: {log[log.index(bad):][:2000]}")
        self.folder.cleanup()
        return wrong

    def ask(self, method, path, body=None, key="default", headers=None):
        """One request on a connection of its own."""
        send = dict(headers or {})
        if key == "default":
            key = self.key
        if key is not None:
            send["Authorization"] = f"Bearer {key.secret}"
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=send)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def post(self, body, key="default", headers=None):
        """createTask with a body as Python data, or as bytes."""
        if not isinstance(body, (bytes, bytearray)):
            body = json.dumps(body).encode()
        send = {"Content-Type": "application/json"}
        send.update(headers or {})
        return self.ask("POST", CREATE, body, key, send)

    def create(self, model=LITE, key="default", root=None, **fields):
        """createTask with a prompt and an image unless given; a field of None is left out."""
        given = {"prompt": "slow push in", "image_url": "https://example.org/a.png"}
        given.update(fields)
        body = {"model": model, "input": {k: v for k, v in given.items() if v is not None}}
        body.update(root or {})
        return self.post(body, key)

    def record(self, task, key="default"):
        return self.ask("GET", f"{RECORD}?taskId={task}", key=key)

    def wait(self, task, key="default"):
        """Polls as a client does until the task is finished; returns its data and all states seen."""
        seen, until = [], time.monotonic() + WORK_S
        while time.monotonic() < until:
            data = self.record(task, key).data
            seen.append(data)
            if data["state"] in ("success", "fail"):
                return data, seen
            time.sleep(0.1)
        raise RuntimeError(f"task {task} is not finished: {seen[-1]}\n{self.text_of_log()[-2000:]}")

    def database(self):
        """The store, for what no request can do: making time pass."""
        for root, _, names in os.walk(os.path.join(self.path, "data")):
            for name in names:
                if name.endswith((".db", ".sqlite", ".sqlite3")):
                    return sqlite3.connect(os.path.join(root, name), timeout=30)
        raise RuntimeError("there is no database in the data folder")


class Host:
    """A web server of the test's own: serves pictures, takes callbacks, and notes all requests."""

    def __init__(self):
        self.files = {}       # path -> (status, type, body)
        self.statuses = []    # for callbacks, first to last; then 200
        self.received = []    # (path, headers, body)
        self.changed = threading.Condition()
        host = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self, status, kind, body):
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                self.answer(*host.files.get(self.path.split("?")[0], (404, "text/plain", b"no such file")))

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                with host.changed:
                    host.received.append((self.path, self.headers, body))
                    status = host.statuses.pop(0) if host.statuses else 200
                    host.changed.notify_all()
                self.answer(status, "application/json", b'{"code":200,"msg":"success"}')

            def log_message(self, *args):
                pass

        class Quiet(http.server.ThreadingHTTPServer):
            def handle_error(self, *args):
                pass  # a client that hangs up is its own affair

        self.server = Quiet(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = "http://127.0.0.1:%d" % self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def serve(self, path, body, kind="image/png", status=200):
        self.files[path] = (status, kind, body)
        return self.url + path

    def wait_for(self, path, count=1, seconds=60):
        """The requests POSTed to a path, once there are so many."""
        until = time.monotonic() + seconds
        with self.changed:
            while True:
                mine = [r for r in self.received if r[0] == path]
                left = until - time.monotonic()
                if len(mine) >= count or left <= 0:
                    return mine
                self.changed.wait(left)

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def sign_kie(key, task, timestamp):
    return base64.b64encode(hmac.new(key, f"{task}.{timestamp}".encode(), hashlib.sha256).digest()).decode()


def sign_standard(secret, message, timestamp, body):
    key = base64.b64decode(secret[len("whsec_"):])
    signed = f"{message}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
