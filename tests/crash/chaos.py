"""Random deaths: a ledger of what was accepted against what came of it."""

import json
import os
import random
import signal
import threading
import time

from world import DATA_URI, World

OUTSTANDING = 6  # tasks accepted and not finished, at most
CALM_S = 240     # for finishing once the killing is over


class Ledger:
    """Tasks whose acceptance was answered, and the first final word about each."""

    def __init__(self):
        self.lock = threading.Lock()
        self.path = {}   # task -> callback path
        self.final = {}  # task -> (state, resultJson, failMsg)
        self.wrong = []

    def accept(self, task, path):
        with self.lock:
            if task in self.path:
                self.wrong.append(f"{task} was given out twice")
            self.path[task] = path

    def open(self):
        with self.lock:
            return [t for t in self.path if t not in self.final]

    def see(self, task, data):
        """What a client saw; a final word never changes."""
        if data["state"] not in ("success", "fail"):
            with self.lock:
                if task in self.final:
                    self.wrong.append(f"{task} was final, then {data['state']}")
            return
        word = (data["state"], data["resultJson"], data["failMsg"])
        with self.lock:
            if self.final.setdefault(task, word) != word:
                self.wrong.append(f"{task} changed from {self.final[task]} to {word}")


class Client(threading.Thread):
    """Submits and polls all the while; a connection that breaks is asked again."""

    def __init__(self, w, ledger, rng):
        super().__init__(daemon=True)
        self.w, self.ledger, self.rng = w, ledger, rng
        self.submits = True
        self.quit = False
        self.crashed = None

    def run(self):
        try:
            while not self.quit:
                self.turn()
                time.sleep(0.05)
        except Exception as e:
            self.crashed = e

    def turn(self):
        try:
            waiting = self.ledger.open()
            if self.submits and len(waiting) < OUTSTANDING:
                path = f"/cb/chaos{len(self.ledger.path)}.{self.rng.random()}"
                image = self.rng.choice([None, DATA_URI])
                self.ledger.accept(self.w.submit(path, image=image, seed=self.rng.randrange(1 << 31)), path)
            for task in waiting:
                self.ledger.see(task, self.w.get(task))
            if self.ledger.final:  # an old one, too: its word must stand
                task = self.rng.choice(list(self.ledger.final))
                self.ledger.see(task, self.w.get(task))
        except OSError:
            time.sleep(0.05)


def kill_workers(w, rng, every):
    pids = w.worker_pids()
    for pid in pids if every else rng.sample(pids, min(1, len(pids))):
        w.signal_worker(pid, signal.SIGKILL)


def freeze_worker(w, rng):
    """Stops a worker for longer than its lease, in the background."""
    pids = w.worker_pids()
    if not pids:
        return
    pid = rng.choice(pids)
    w.signal_worker(pid, signal.SIGSTOP)
    timer = threading.Timer(2.5 + rng.random() * 2, w.signal_worker, (pid, signal.SIGCONT))
    timer.daemon = True
    timer.start()


def strike(w, rng):
    what = rng.choices(["server", "worker", "both", "freeze"], [4, 3, 2, 1])[0]
    if what == "freeze":
        freeze_worker(w, rng)
    if what == "both" and rng.random() < 0.5:
        kill_workers(w, rng, True)
    if what in ("server", "both"):
        w.kill()
    if what in ("worker", "both"):
        kill_workers(w, rng, what == "both")
    if what in ("server", "both"):
        time.sleep(rng.random() * 0.2)
        w.start()
    return what


def check_ledger(w, ledger, checks):
    """Nothing lost, nothing twice, everything called back."""
    listed = {t["id"]: t for t in w.list()}
    lost = [t for t in ledger.path if t not in listed]
    checks.check("no accepted task is lost", not lost, lost)
    undone = [t["id"] for t in listed.values() if t["state"] not in ("success", "fail")]
    checks.check("every task has an end", not undone, (undone, w.tail()))
    checks.check("a final word never changed", not ledger.wrong, ledger.wrong)
    many = [t["id"] for t in listed.values() if not 1 <= t["attempt"] <= 3]
    checks.check("one to three attempts", not many, many)
    odd = [(t["id"], t["failMsg"]) for t in listed.values()
           if t["state"] == "fail" and "3 of 3 attempts" not in t["failMsg"]]
    checks.check("fails only when three attempts died", not odd, odd)
    good = [t for t in ledger.path if listed[t]["state"] == "success"] if not lost else []
    missing = []
    for task in good:
        status, video = w.download(json.loads(w.get(task)["resultJson"])["resultUrls"][0])
        if status != 200 or video[4:8] != b"ftyp":
            missing.append((task, status))
    checks.check("every result can be fetched", not missing, missing)
    return listed, good


def check_callbacks(w, ledger, listed, checks):
    silent = w.wait(lambda: all(w.outside.taken(p) for p in ledger.path.values()), 60)
    checks.check("every task called back", silent,
                 [t for t, p in ledger.path.items() if not w.outside.taken(p)] + [w.tail()])
    several = 0
    for task, path in ledger.path.items():
        posts = w.outside.got(path)
        bodies = {p[1] for p in posts}
        several += len(posts) > 1
        data = json.loads(posts[0][1])["data"] if posts else {}
        if len(bodies) != 1 or data.get("taskId") != task or data.get("state") != listed[task]["state"]:
            checks.check("callbacks of a task are one word", False, (task, bodies, listed[task]["state"]))
        else:
            w.check_signed("chaos", task, posts[0][0], posts[0][1])
    return several


def one_task_s(w, checks):
    """How long a task takes when it is left alone."""
    began = time.monotonic()
    w.check_success("chaos: the first one", (task := w.submit()), w.finished(task))
    return time.monotonic() - began


def run(program, checks, outside, kills, seconds, seed):
    rng = random.Random(seed)
    ledger = Ledger()
    w = World(program, checks, outside, workers=2)
    began = time.monotonic()
    counts = {}
    try:
        w.start()
        pause_s = 0.6 * min(max(1, one_task_s(w, checks)), 4)  # some tasks see no strike, and others three
        client = Client(w, ledger, random.Random(seed + 1))
        client.start()
        while sum(counts.values()) < kills and time.monotonic() - began < seconds:
            time.sleep(rng.random() * 2 * pause_s)
            what = strike(w, rng)
            counts[what] = counts.get(what, 0) + 1
        took = time.monotonic() - began
        client.submits = False
        w.wait(lambda: client.crashed or not ledger.open(), CALM_S, 0.2)
        client.quit = True
        client.join(30)
        checks.check("the client saw nothing strange", client.crashed is None, repr(client.crashed))
        w.wait(lambda: all(t["state"] in ("success", "fail") for t in w.list()), 60, 0.5)
        listed, good = check_ledger(w, ledger, checks)
        checks.check("some work was done all the while", len(good) >= max(1, sum(counts.values()) / 20),
                     (len(good), counts))
        several = check_callbacks(w, ledger, listed, checks)
        checks.check("ends in order", w.stop() == 0, w.tail())
        print(f"chaos: seed {seed}, {sum(counts.values())} strikes {counts} in {took:.0f} s; {len(ledger.path)} "
              f"accepted, {len(listed)} stored, {len(good)} succeeded, {several} called back more than once",
              flush=True)
    finally:
        w.close()
