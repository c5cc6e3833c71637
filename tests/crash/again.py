"""Callbacks that are sent again: a server that dies while it takes such a request, and one that is killed
while a receiver holds its POST."""

import json
import signal

from world import World

AGAIN = ["store.batch", "store.batch.done"]  # the request goes through the batch


def end_task(w, path):
    """A task that ended by being cancelled, and owes a callback."""
    task = w.submit(path)
    status, answer = w.request("POST", "/api/v1/jobs/cancelTask", json.dumps({"taskId": task}))
    if status != 200:
        raise ValueError(answer)
    return task


def redeliver(w, task):
    """The status; None when nobody answers."""
    try:
        return w.request("POST", "/api/v1/jobs/redeliver", json.dumps({"taskId": task}))[0]
    except OSError:
        return None


def log_of(w, task):
    return w.request("GET", "/api/v1/jobs/callbacks?taskId=" + task)[1]["data"]


def one_id(w, label, path):
    ids = {p[0].get("webhook-id") for p in w.outside.got(path)}
    w.checks.check(label + ": one webhook-id", len(ids) == 1, ids)


def dies_at(program, checks, outside, point):
    """The new round is there or it is not; asking once more sends in either case."""
    label, path = f"server dies at {point}", "/cb/" + point
    w = World(program, checks, outside, workers=0)
    try:
        w.start()
        task = end_task(w, path)
        checks.check(label + ": done", w.wait(lambda: (log_of(w, task) or {}).get("state") == "done"), w.tail())
        w.stop()
        w.start({"ZOETROPE_CRASH": f"{point}:1"})
        checks.check(label + ": no answer", redeliver(w, task) is None, w.tail())
        checks.check(label + ": by the point", w.server.wait(30) == 137, w.tail())
        w.start()
        want = 2 if point.endswith(".done") else 1
        checks.check(label + ": as committed", log_of(w, task)["round"] == want, log_of(w, task))
        if want == 2:
            checks.check(label + ": sent", w.wait(lambda: len(outside.taken(path)) == 2, 30), w.tail())
        again = w.wait(lambda: redeliver(w, task) == 200, 30)
        checks.check(label + ": again", again, w.tail())
        checks.check(label + ": sent again", w.wait(lambda: len(outside.taken(path)) >= want + 1, 30), w.tail())
        one_id(w, label, path)
        checks.check(label + ": ends in order", w.stop() == 0, w.tail())
    finally:
        w.close()


def killed_while_posting(program, checks, outside):
    """kill -9 while the receiver holds the POST: it comes again, at least once, as the same message."""
    label, path = "killed while posting", "/cb/posting"
    outside.scripts[path] = ["hang"]
    w = World(program, checks, outside, workers=0, flags=["--callback-timeout=4s", "--callback-lease=5s"])
    try:
        w.start()
        task = end_task(w, path)
        checks.check(label + ": under way", w.wait(lambda: outside.got(path), 30), w.tail())
        checks.check(label + ": shown so", log_of(w, task)["sending"], w.tail())
        w.server.send_signal(signal.SIGKILL)
        w.server.wait(30)
        w.start()
        w.check_called_back(label, task, path, "fail")
        data = w.wait(lambda: (lambda d: d if d["state"] == "done" else None)(log_of(w, task)), 30)
        checks.check(label + ": the try that died is a gap", data and [t["attempt"] for t in data["tries"]] == [2], data)
        one_id(w, label, path)
        checks.check(label + ": ends in order", w.stop() == 0, w.tail())
    finally:
        w.close()


def run(program, checks, outside):
    from steps import guarded
    for point in AGAIN:
        guarded(checks, dies_at, program, checks, outside, point)
    guarded(checks, killed_while_posting, program, checks, outside)
