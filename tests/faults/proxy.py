"""A TCP proxy that is half-open whenever it likes: it takes a connection and passes nothing on, or passes the
request on and keeps the answer, or breaks off in the middle; and the story of a service behind one."""

import json
import os
import random
import socket
import threading
import time

from world import DATA_URI, MODEL

SECONDS = float(os.environ.get("HALF_OPEN_SECONDS", "60"))
WAYS = ["pass"] * 6 + ["swallow", "keep the answer", "break off", "reset"]


class Proxy:
    def __init__(self, to_port, seed):
        self.to, self.random = to_port, random.Random(seed)
        self.closing, self.open, self.met = threading.Event(), [], {}
        self.socket = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.socket.getsockname()[1]
        self.socket.settimeout(0.2)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.closing.is_set():
            try:
                s = self.socket.accept()[0]
            except OSError:
                continue
            way = self.random.choice(WAYS)
            self.met[way] = self.met.get(way, 0) + 1
            threading.Thread(target=self.pass_on, args=(s, way), daemon=True).start()

    def pass_on(self, s, way):
        self.open.append(s)
        if way == "swallow":
            return  # and stays open
        try:
            other = socket.create_connection(("127.0.0.1", self.to), 10)
            other.settimeout(None)
            self.open.append(other)
            back = threading.Thread(target=self.copy, args=(other, s, way), daemon=True)
            back.start()
            self.copy(s, other, "pass")
        except OSError:
            s.close()

    @staticmethod
    def copy(a, b, way):
        try:
            while data := a.recv(65536):
                if way == "keep the answer":
                    continue
                if way in ("break off", "reset"):
                    if way == "reset":
                        b.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    else:
                        b.sendall(data[:len(data) // 2])
                    b.close()
                    a.close()
                    return
                b.sendall(data)
            b.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.closing.set()
        self.thread.join()
        for s in [*self.open, self.socket]:
            s.close()


class Client(threading.Thread):
    """Makes tasks through the proxy, one after another; sends each again until it is answered."""

    def __init__(self, w, port, callback, name, end):
        super().__init__()
        self.w, self.port, self.callback, self.name_, self.end = w, port, callback, name, end
        self.ids, self.sent, self.wrong = {}, 0, []

    def run(self):
        n = 0
        while time.monotonic() < self.end:
            n += 1
            self.create(f"{self.name_}-{n}")

    def create(self, name):
        body = json.dumps({"model": MODEL, "callBackUrl": self.callback + name,
                           "input": {"prompt": f"push in {name}", "image_url": DATA_URI, "resolution": "480p",
                                     "duration": 2, "seed": 1}})
        answers = 0
        while answers < 2 and time.monotonic() < self.end + 60:
            self.sent += 1
            try:
                status, answer = self.w.request("POST", "/api/v1/jobs/createTask", body, timeout=2, port=self.port,
                                                headers={"Idempotency-Key": name})
            except OSError:
                continue
            if status == 200:
                self.ids.setdefault(name, set()).add(answer["data"]["taskId"])
                answers += 1  # once more: a repetition must say the same
            else:
                self.wrong.append((name, status, answer))
                return


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def a_half_open_proxy_loses_and_doubles_nothing(w):
    """Clients and receivers both behind such proxies, for a minute."""
    c = w.checks
    w.workers = 1
    w.start()
    before = descriptors(w.server.pid)
    front = Proxy(w.port, 1)
    behind = Proxy(w.outside.server.server_port, 2)
    end = time.monotonic() + SECONDS
    clients = [Client(w, front.port, f"http://127.0.0.1:{behind.port}/half/{i}/", f"c{i}", end) for i in range(2)]
    for client in clients:
        client.start()
    slowest = 0.0
    while time.monotonic() < end:
        began = time.monotonic()
        c.check("the service answers meanwhile", w.request("GET", "/healthz", timeout=30)[0] == 200)
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.5)
    for client in clients:
        client.join()
    ids = {name: found for client in clients for name, found in client.ids.items()}
    c.check("only what was right was answered", not any(client.wrong for client in clients),
            [client.wrong[:3] for client in clients])
    c.check("each request is one task", all(len(found) == 1 for found in ids.values()),
            {n: f for n, f in ids.items() if len(f) > 1})
    stored = w.list()
    prompts = [t["input"]["prompt"] for t in stored]
    c.check("no task twice", len(set(prompts)) == len(prompts), len(prompts))
    c.check("none is missing", {next(iter(f)) for f in ids.values()} <= {t["id"] for t in stored}, len(stored))
    for name, found in ids.items():
        task = next(iter(found))
        w.check_success(name, task, w.finished(task, 300))
        w.check_called_back(name, task, f"/half/{name[1]}/{name}", seconds=120)
    used = descriptors(w.server.pid)
    front.close()
    behind.close()
    c.check("no connection is left behind", w.wait(lambda: descriptors(w.server.pid) <= before + 8, 120),
            (before, used, descriptors(w.server.pid)))
    print(f"half-open: {len(ids)} tasks in {sum(client.sent for client in clients)} requests, clients met {front.met}, "
          f"receivers {behind.met}, slowest answer past the proxy {slowest:.2f} s")
