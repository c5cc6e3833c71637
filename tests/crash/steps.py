"""Dying at every step there is: after each, what was accepted is finished and called back.

A point is a zt_crash_point of the program. Each is passed over and over, dying at its first pass, its
second, and so on, until a run no longer gets that far. every_point_is_known reads the sources, so that
a new point cannot be forgotten here."""

import glob
import os
import re
import signal
import subprocess
import threading

import again
import uploads
from world import DATA_URI, World

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def both(*names):
    """A transaction of the store: before and after its commit."""
    return [p for n in names for p in ("store." + n, "store." + n + ".done")]


# Passed by a worker. A number: only these passes, of the many there are.
WORKER = [(p, None) for p in
          ["worker.claimed", "worker.fetched", "worker.decoded", "worker.started", "render.finished",
           "blob.synced", "blob.renamed", "worker.published", "worker.settled"] + both("claim", "start", "succeed")]
WORKER += [("render.frame", [1, 25, 49]), ("motion.frame", [2]), ("store.renew", [1]), ("store.renew.done", [1])]
# Passed by a worker that fails a task.
FAILING = [(p, None) for p in both("fail")]
# Passed by the server: taking a task in, and calling back.
SERVER = ["store.batch", "store.batch.done", "callback.claimed", "callback.sent",
          "callback.settled"] + both("commit", "delivery_claim", "delivery_settle")
# Passed by the server when a worker died: by its lease, and as its child.
REAPING = both("reap")
REAPING_CHILD = both("reap_worker")
# Passed while the first key is made: by a command, and by the very first start of a server.
KEYS = ["store.schema"] + both("commit")
FIRST_KEY = both("key_add")
# Not died at here, and why.
ELSEWHERE = {
    "store.copied": "tests/api/test_backup.py: an upgrade and a backup leave the old or the new",
    "backup.files": "tests/api/test_backup.py",
    "backup.database": "tests/api/test_backup.py",
    "restore.files": "tests/api/test_backup.py",
    "restore.database": "tests/api/test_backup.py",
    "render.frame.seed": "engines.py",
    "wan.kept": "tests/api/test_wan.py",
    **{p: "tests/api/test_wan.py" for p in both("preview")},
    "store.put_back": "a worker told to stop: service.py; otherwise the lease runs out, as everywhere",
    "store.put_back.done": "the same",
    "store.task_add": "part of store.batch",
    "store.task_add.done": "part of store.batch",
    "store.task_offer": "part of store.batch; alone in test_offer.c",
    "store.task_offer.done": "the same",
    "store.cancel": "test_queue.c; in a server part of store.batch, see cancelled_and_killed in scenes.py",
    "store.cancel.done": "the same",
    "store.files_gone": "test_store.c; nothing is owed after it",
    "store.files_gone.done": "the same",
    "store.forget": "the same",
    "store.forget.done": "the same",
    "store.events_forget": "the same",
    "store.events_forget.done": "the same",
    "store.key_reset": "the same",
    "store.key_reset.done": "the same",
    "store.key_revoke": "the same",
    "store.key_revoke.done": "the same",
    **{p: "one statement of a command, or of keys create's transaction, whose point is store.commit: test_users.c"
       for p in both("key_limit", "key_give", "user_add", "user_limit", "user_credit")},
    "store.delivery_expire": "nothing is owed after it: test_deliveries.c",
    "store.delivery_expire.done": "the same",
    "store.redeliver": "part of store.batch: again.py; alone: test_deliveries.c",
    "store.redeliver.done": "the same",
    "store.redeliver_failed": "test_deliveries.c",
    "store.redeliver_failed.done": "the same",
    "store.webhook_rotate": "the same",
    "store.webhook_rotate.done": "the same",
    "store.upload_add": "uploads.py",
    "store.upload_add.done": "the same",
    "store.uploads_forget": "the same",
    "store.uploads_forget.done": "the same",
    "upload.stored": "the same",
    "upload.recorded": "the same",
    "file_synced": "files of the command line alone",
    "file_renamed": "the same",
}


def every_point_is_known(checks):
    known = {p for p, _ in WORKER + FAILING} | set(SERVER + REAPING + REAPING_CHILD + KEYS + FIRST_KEY) | set(ELSEWHERE)
    found = set()
    for path in glob.glob(os.path.join(ROOT, "app/**/*.c"), recursive=True) + \
            glob.glob(os.path.join(ROOT, "lib/**/*.c"), recursive=True):
        text = open(path).read()
        found |= set(re.findall(r'zt_crash_point\("([^"]+)"\)', text))
        for name in re.findall(r'ZT_POINT\("(\w+)"\)', text):
            found |= set(both(name))
    checks.check("every crash point is died at", not found - known, sorted(found - known))
    checks.check("every point there still is", not known - found - {"render.frame.seed"}, sorted(known - found))


def must_be_137(label, status, w):
    """Another death than the one asked for would go on for ever."""
    if not w.checks.check(label + ": by the point", status == 137, (status, w.tail())):
        raise RuntimeError(f"{label}: status {status}")


def crash(point, n):
    return {"ZOETROPE_CRASH": f"{point}:{n}"}


# ---- workers

def worker_dies_at(w, point, n, good):
    """One task, a worker that dies at the point, one that does not; True when the first got there."""
    label = f"worker dies at {point}:{n}"
    path = f"/cb/{point}.{n}"
    image = DATA_URI if n % 2 == 0 else None
    task = w.submit(path, image=image if good else w.outside.url("/nothing"))
    p = w.start_worker(crash(point, n))
    final = w.wait(lambda: p.poll() is not None or w.get(task)["state"] in ("success", "fail"), 60)
    w.checks.check(label + ": ends", final, w.tail())
    w.wait(lambda: p.poll() is not None, 1.5)  # a point after the last word
    died = p.poll() is not None
    if died:
        must_be_137(label, p.returncode, w)
        p = w.start_worker()
    data = w.finished(task)
    if good:
        w.check_success(label, task, data)
    w.check_called_back(label, task, path, "success" if good else "fail")
    p.send_signal(signal.SIGTERM)  # when nothing was left to do it may not even have begun
    w.checks.check(label + ": the next worker ends in order", p.wait(30) in (0, -signal.SIGTERM), w.tail())
    return died


def workers_die(program, checks, outside, points, good=True):
    w = World(program, checks, outside, workers=0)
    try:
        w.start()
        for point, numbers in points:
            if numbers:
                passed = all([worker_dies_at(w, point, n, good) for n in numbers])
            else:
                n = 1
                while worker_dies_at(w, point, n, good):
                    n += 1
                passed = n > 1
            checks.check(f"{point} was passed", passed)
    finally:
        w.close()


# ---- the server

def server_dies_at(w, point, n):
    """The server dies while it takes a task in or calls back; True when it got there."""
    label = f"server dies at {point}:{n}"
    path = f"/cb/{point}.{n}"
    task = None
    died = not w.start(crash(point, n))
    if not died:
        try:
            task = w.submit(path)
        except OSError:
            died = True
    if task:
        final = w.wait(lambda: w.server.poll() is not None or w.outside.taken(path), 60)
        w.checks.check(label + ": ends", final, w.tail())
        w.wait(lambda: w.server.poll() is not None, 1)  # a point after the callback was sent
        died = w.server.poll() is not None
    if died:
        must_be_137(label, w.server.wait(30), w)
        w.start()
    if task is None:  # not answered: it may be stored all the same, so another callback tells them apart
        path += ".again"
        task = w.submit(path)
    w.check_success(label, task, w.finished(task))
    w.check_called_back(label, task, path)
    w.checks.check(label + ": the next server ends in order", w.stop() == 0, w.tail())
    return died


def servers_die(program, checks, outside, points):
    w = World(program, checks, outside, workers=0)
    worker = w.start_worker()
    try:
        for point in points:
            n = 1
            while server_dies_at(w, point, n):
                n += 1
            checks.check(f"{point} was passed", n > 1)
    finally:
        worker.kill()
        worker.wait()
        w.close()


def reapers_die(program, checks, outside):
    """A worker dies at work, then the server does, just as it puts the task back."""
    for point, workers in [(p, 0) for p in REAPING] + [(p, 1) for p in REAPING_CHILD]:
        label = f"server dies at {point}"
        w = World(program, checks, outside, workers=workers)
        try:
            w.start(crash(point, 1))
            task = w.submit("/cb/" + point, duration=12)
            outer = None if workers else w.start_worker()
            if not checks.check(label + ": starts work", w.wait(lambda: w.get(task)["state"] == "generating"), w.tail()):
                continue
            for pid in w.worker_pids():
                w.signal_worker(pid, signal.SIGKILL)
            if outer:
                outer.wait()
            checks.check(label + ": by the point", w.server.wait(30) == 137, w.tail())
            w.start()
            outer = None if workers else w.start_worker()
            w.check_success(label, task, w.finished(task))
            w.check_called_back(label, task, "/cb/" + point)
            checks.check(label + ": two attempts", w.show(task)["attempt"] == 2, w.show(task))
            if outer:
                outer.kill()
                outer.wait()
        finally:
            w.close()


def key_makers_die(program, checks, outside):
    w = World(program, checks, outside)
    for point in KEYS:
        data = os.path.join(w.folder, "keys." + point)
        command = [w.program, "keys", "create", "again", f"--data={data}"]
        got = subprocess.run(command, env={**w.env, **crash(point, 1)}, capture_output=True, timeout=60)
        checks.check(f"{point}: dies", got.returncode == 137, got)
        got = subprocess.run(command, env=w.env, capture_output=True, timeout=60)
        exists = point == "store.commit.done"
        checks.check(f"{point}: then works", got.returncode == (1 if exists else 0), got)
    for point in FIRST_KEY:
        command = [w.program, "serve", f"--data={os.path.join(w.folder, 'first.' + point)}", "--listen=127.0.0.1:0"]
        got = subprocess.run(command, env={**w.env, **crash(point, 1)}, capture_output=True, timeout=60)
        checks.check(f"{point} at a first start: dies", got.returncode == 137, got)
        again = subprocess.Popen(command, env=w.env, stdout=subprocess.PIPE, stderr=w.log, text=True)
        said = ""
        for line in again.stdout:
            said += line
            if "listening on" in line:
                break
        again.terminate()
        again.communicate(timeout=60)
        checks.check(f"{point}: the next start shows a key unless there is one",
                     "listening on" in said and ("API key  " in said) == (point == "store.key_add"), said)
    w.close()


# ---- all of it

def run(program, checks, outside):
    every_point_is_known(checks)
    half = (len(WORKER) + 1) // 2
    parts = [(workers_die, WORKER[:half]), (workers_die, WORKER[half:]), (servers_die, SERVER)]
    threads = [threading.Thread(target=guarded, args=(checks, part, program, checks, outside, points))
               for part, points in parts]
    for t in threads:
        t.start()
    guarded(checks, workers_die, program, checks, outside, FAILING, False)
    guarded(checks, reapers_die, program, checks, outside)
    guarded(checks, key_makers_die, program, checks, outside)
    guarded(checks, uploads.run, program, checks, outside)
    guarded(checks, again.run, program, checks, outside)
    for t in threads:
        t.join()


def guarded(checks, part, *args):
    try:
        part(*args)
    except Exception as e:  # a scenario that cannot go on is a failure, not the end of the others
        checks.check(f"{part.__name__} runs to its end", False, repr(e))
