"""Single stories: a worker that sleeps past its lease, engines that crash, receivers that misbehave, a
server that is told to stop."""

import glob
import os
import re
import signal
import threading
import time

from world import World


def owner(w, task):
    """The process that holds the task."""
    name = w.show(task)["worker"]
    return w.pid_of(name) if name else None


# ---- leases

def sleeper_records_nothing(program, checks, outside):
    """SIGSTOP past the lease, another worker finishes, SIGCONT: one success, one callback."""
    w = World(program, checks, outside, workers=2)
    try:
        w.start()
        task = w.submit("/cb/sleeper", duration=12)
        checks.check("sleeper: starts", w.wait(lambda: w.get(task)["state"] == "generating"), w.tail())
        pid = owner(w, task)
        w.signal_worker(pid, signal.SIGSTOP)
        stopped = time.monotonic()
        again = w.wait(lambda: w.show(task)["attempt"] == 2, 30)
        checks.check("sleeper: another takes over within lease and reaper",
                     again and time.monotonic() - stopped < 2 + 1 + 5, (time.monotonic() - stopped, w.tail()))
        data = w.finished(task)
        w.check_success("sleeper", task, data)
        w.check_called_back("sleeper", task, "/cb/sleeper")
        w.signal_worker(pid, signal.SIGCONT)
        woke = w.wait(lambda: re.search(rf"task_lost task={task} attempt=1", w.text()), 60)
        checks.check("sleeper: finds that it lost the task", woke, w.tail())
        checks.check("sleeper: the record stands", w.get(task) == data, (data, w.get(task)))
        names = sorted(os.path.basename(p) for p in glob.glob(f"{w.data}/files/media/{task}*"))
        checks.check("sleeper: only the winner's files", names == [f"{task}.2.jpg", f"{task}.2.last.jpg",
                                                                   f"{task}.2.mp4"], names)
        checks.check("sleeper: one callback", len(outside.got("/cb/sleeper")) == 1)
        checks.check("sleeper: the woken one works on", w.finished(w.submit())["state"] == "success")
    finally:
        w.close()


def early_sleeper_stops_working(program, checks, outside):
    """SIGCONT while the second attempt is still at work: the first ends early and harms nothing."""
    w = World(program, checks, outside, workers=2)
    try:
        w.start()
        task = w.submit("/cb/early", duration=12, resolution="720p")
        w.wait(lambda: w.get(task)["state"] == "generating")
        pid = owner(w, task)
        w.signal_worker(pid, signal.SIGSTOP)
        checks.check("early: again", w.wait(lambda: w.show(task)["attempt"] == 2, 30), w.tail())
        w.signal_worker(pid, signal.SIGCONT)
        w.check_success("early", task, w.finished(task, 180))
        w.check_called_back("early", task, "/cb/early")
        checks.check("early: by the second", w.show(task)["attempt"] == 2, w.show(task))
    finally:
        w.close()


def dead_worker_is_noticed(program, checks, outside):
    """kill -9: a child's task waits again in well under a second, and the next worker takes it."""
    w = World(program, checks, outside, workers=1)
    try:
        w.start()
        task = w.submit("/cb/dead", duration=12)
        w.wait(lambda: w.get(task)["state"] == "generating")
        w.signal_worker(owner(w, task), signal.SIGKILL)
        died = time.monotonic()
        checks.check("dead: again", w.wait(lambda: w.show(task)["attempt"] == 2, 30), w.tail())
        took = time.monotonic() - died
        checks.check("dead: within two seconds", took < 2 if "asan" not in program else took < 4, took)
        w.check_success("dead", task, w.finished(task))
        checks.check("dead: the log names the death", "killed by signal 9" in w.text(), w.tail())
    finally:
        w.close()


# ---- engines

class Watch(threading.Thread):
    """Asks the API all the while; whatever goes wrong is kept."""

    def __init__(self, w):
        super().__init__(daemon=True)
        self.w, self.quit, self.asked, self.wrong = w, False, 0, []

    def run(self):
        while not self.quit:
            began = time.monotonic()
            try:
                status, _ = self.w.request("GET", "/api/v1/jobs/recordInfo?taskId=none", timeout=10)
                if status not in (200, 422):
                    self.wrong.append(status)
            except OSError as e:
                self.wrong.append(repr(e))
            if time.monotonic() - began > 2:
                self.wrong.append(f"{time.monotonic() - began:.1f} s")
            self.asked += 1
            time.sleep(0.02)


def engine_crashes(program, checks, outside, how, reason):
    """A task that kills its worker fails after three attempts, and nobody else notices."""
    w = World(program, checks, outside, workers=1, flags=["--stall=3s"] if how == "hang" else [])
    try:
        w.start({"ZOETROPE_CRASH": f"render.frame.seed_777:3:{how}"})
        watch = Watch(w)
        watch.start()
        before = w.submit("/cb/before" + how, seed=1)
        bad = w.submit("/cb/bad" + how, seed=777)
        after = [w.submit(f"/cb/after{how}{i}", seed=i) for i in range(2)]
        data = w.finished(bad)
        checks.check(f"{how}: fails", data and data["state"] == "fail" and data["failCode"] == "501", (data, w.tail()))
        checks.check(f"{how}: says why", data and reason in data["failMsg"] and "3 of 3 attempts" in data["failMsg"],
                     data)
        checks.check(f"{how}: three attempts", w.show(bad)["attempt"] == 3, w.show(bad))
        w.check_called_back(f"{how}", bad, "/cb/bad" + how, "fail")
        w.check_success(f"{how}: the one before", before, w.finished(before))
        for task in after:
            w.check_success(f"{how}: one after", task, w.finished(task))
            checks.check(f"{how}: at once", w.show(task)["attempt"] == 1, w.show(task))
        watch.quit = True
        watch.join(30)
        checks.check(f"{how}: the API was there all the time", not watch.wrong and watch.asked > 20,
                     (watch.asked, watch.wrong[:5]))
        deaths = len(re.findall(rf"worker_died .*{re.escape(reason)}", w.text()))
        checks.check(f"{how}: three deaths in the log", deaths == 3, w.tail())
        checks.check(f"{how}: ends in order", w.stop() == 0, w.tail())
    finally:
        w.close()


# ---- cancelling

def cancelled_and_killed(program, checks, outside):
    """The server dies as it cancels a running task: before the commit the task is run again, after it never."""
    for point, kept in (("store.batch", True), ("store.batch.done", False)):
        label, path = f"cancel, death at {point}", f"/cb/cancel.{point}"
        w = World(program, checks, outside, workers=1)
        try:
            w.start({"ZOETROPE_CRASH": f"{point}:2"})  # the first group holds the task itself
            task = w.submit(path, duration=5)
            checks.check(f"{label}: starts", w.wait(lambda: w.get(task)["state"] == "generating"), w.tail())
            try:
                w.cancel(task)
                checks.check(f"{label}: is not answered", False)
            except OSError:
                pass
            checks.check(f"{label}: by the point", w.server.wait(30) == 137, w.tail())
            w.wait(lambda: not w.worker_pids(), 30)
            w.start()
            if kept:
                w.check_success(label, task, w.finished(task))
                w.check_called_back(label, task, path)
                continue
            shown = w.show(task)
            checks.check(f"{label}: cancelled", (shown["state"], shown["failCode"]) == ("fail", "499"), shown)
            after = w.submit(path + ".after")
            w.check_success(f"{label}: the next", after, w.finished(after))
            w.check_called_back(label, task, path, "fail")
            checks.check(f"{label}: never run again", w.show(task) == shown, (shown, w.show(task)))
            files = glob.glob(f"{w.data}/files/*/*{task}*") + glob.glob(f"{w.data}/files/tmp/*")
            checks.check(f"{label}: leaves nothing", not files, files)
        finally:
            w.close()


def cancelled_at_a_distance(program, checks, outside):
    """A worker that nobody supervises notices by itself, and takes the next task; so does one that was stopped."""
    w = World(program, checks, outside, workers=0)
    worker = None
    try:
        w.start()
        worker = w.start_worker()
        for asleep in (False, True):
            label, path = f"distance, asleep {asleep}", f"/cb/distance.{asleep}"
            task = w.submit(path, duration=12, resolution="1080p")
            checks.check(f"{label}: starts", w.wait(lambda: w.get(task)["state"] == "generating"), w.tail())
            if asleep:
                w.signal_worker(worker.pid, signal.SIGSTOP)
            status, _ = w.cancel(task)
            checks.check(f"{label}: is final at once", status == 200 and w.get(task)["failCode"] == "499", status)
            if asleep:
                w.signal_worker(worker.pid, signal.SIGCONT)
            gone = w.wait(lambda: re.search(rf"task_given_up task={task} ", w.text()), 30)
            checks.check(f"{label}: the worker gives it up", gone, w.tail())
            w.check_called_back(label, task, path, "fail")
            checks.check(f"{label}: leaves nothing", glob.glob(f"{w.data}/files/tmp/*") == [])
        after = w.submit("/cb/distance.after")
        w.check_success("distance: the next", after, w.finished(after))
    finally:
        if worker:
            worker.kill()
            worker.wait()
        w.close()


# ---- receivers

def bad_receivers(program, checks, outside):
    """Receivers that hang, reset, redirect and fail get their callback in the end, and delay nobody."""
    scripts = {"/rx/hang": ["hang", "hang"], "/rx/reset": ["reset", "reset"], "/rx/redirect": ["redirect"] * 2,
               "/rx/broken": [500, 503, 429], "/rx/fine": []}
    outside.scripts.update(scripts)
    w = World(program, checks, outside, workers=2)
    try:
        w.start()
        tasks = {path: w.submit(path) for path in scripts}
        for path, task in tasks.items():
            w.check_success(path, task, w.finished(task))
            w.check_called_back(path, task, path)
            want = len(scripts[path]) + 1
            w.wait(lambda p=path, n=want: len(outside.got(p)) >= n, 10)
            posts = outside.got(path)
            checks.check(f"{path}: each refusal is followed by one more", len(posts) == want, [p[2] for p in posts])
            ids = {p[0].get("webhook-id") for p in posts}
            checks.check(f"{path}: one id", len(ids) == 1, ids)
        checks.check("no redirect is followed", outside.got("/elsewhere") == [])
        checks.check("refusals are logged", "callback_failed" in w.text() and "redirects are not followed" in w.text())
        outside.scripts["/rx/gone"] = [410]
        task = w.submit("/rx/gone")
        gone = w.wait(lambda: re.search(rf"callback_given_up task={task}", w.text()), 30)
        checks.check("410 gives up", gone and len(outside.got("/rx/gone")) == 1, w.tail())
        checks.check("receivers: ends in order", w.stop() == 0, w.tail())
    finally:
        w.close()


# ---- clients that ask again

def repetitions_make_one_task(program, checks, outside):
    """The server dies around the commit of a task; the client, who got no answer, sends it again."""
    w = World(program, checks, outside, workers=0)
    try:
        for point in ("store.batch", "store.batch.done", "store.commit", "store.commit.done", "kill"):
            label, path = f"again after {point}", "/cb/again." + point
            w.start({} if point == "kill" else {"ZOETROPE_CRASH": f"{point}:1"})
            first = None
            try:
                first = w.submit(path, repeat=point, prompt=label)
            except OSError:
                pass
            checks.check(label + ": is answered by a living server only", (first is None) == (point != "kill"), first)
            w.kill()
            w.start()
            ids = {w.submit(path, repeat=point, prompt=label) for _ in range(3)} | ({first} if first else set())
            stored = [t["id"] for t in w.list() if t["input"]["prompt"] == label]
            checks.check(label + ": one id", len(ids) == 1, ids)
            checks.check(label + ": one task, that one", set(stored) == ids and len(stored) == 1, (stored, ids))
            w.kill()
        w.start()
        worker = w.start_worker()
        for task in w.list():
            w.check_success("again", task["id"], w.finished(task["id"]))
        worker.kill()
        worker.wait()
    finally:
        w.close()


# ---- stopping

def stops_in_order(program, checks, outside):
    """SIGTERM at work: exit 0; a short task is finished, a long one put back, its attempt not counted."""
    w = World(program, checks, outside, workers=1)
    try:
        w.start()
        long = w.submit("/cb/long", duration=12, resolution="1080p")
        w.wait(lambda: w.get(long)["state"] == "generating")
        began = time.monotonic()
        checks.check("stop: 0", w.stop() == 0, w.tail())
        checks.check("stop: within the drain", time.monotonic() - began < 2 + 4, time.monotonic() - began)
        checks.check("stop: no worker is left", w.worker_pids() == [], w.worker_pids())
        shown = w.show(long)
        put_back = shown["state"] == "waiting" and shown["attempt"] == 0
        checks.check("stop: put back, not counted", put_back or shown["state"] == "success", shown)
        w.flags.append("--drain=60s")
        w.start()
        w.check_success("stop: afterwards", long, w.finished(long, 240))
        short = w.submit("/cb/short", duration=5)
        w.wait(lambda: w.get(short)["state"] == "generating")
        checks.check("stop: 0 again", w.stop(90) == 0, w.tail())
        checks.check("stop: finished what it had", w.show(short)["state"] == "success", w.show(short))
        w.start()
        w.check_called_back("stop", short, "/cb/short")
    finally:
        w.close()


def second_signal_forces_the_end(program, checks, outside):
    w = World(program, checks, outside, workers=1, flags=["--drain=60s"])
    try:
        w.start()
        task = w.submit("/cb/forced", duration=12, resolution="1080p")
        w.wait(lambda: w.get(task)["state"] == "generating")
        w.server.send_signal(signal.SIGTERM)
        w.wait(lambda: " info stopping " in w.text(), 30)
        began = time.monotonic()
        w.server.send_signal(signal.SIGTERM)
        checks.check("forced: 130", w.server.wait(30) == 130, w.tail())
        checks.check("forced: at once", time.monotonic() - began < 5)
        checks.check("forced: the worker follows", w.wait(lambda: not w.worker_pids(), 20), w.tail())
        shown = w.show(task)
        checks.check("forced: put back, not counted", (shown["state"], shown["attempt"]) == ("waiting", 0), shown)
    finally:
        w.close()


# ---- all of it

SMOKE = [sleeper_records_nothing, dead_worker_is_noticed, cancelled_and_killed, bad_receivers,
         repetitions_make_one_task]
ENGINES = [("abort", "killed by signal 6"), ("segv", "killed by signal 11"), ("exit", "ended with status 137"),
           ("hang", "made no progress")]


def run(program, checks, outside, smoke):
    from steps import guarded
    for scene in SMOKE:
        guarded(checks, scene, program, checks, outside)
    for how, reason in ENGINES[:1] if smoke else ENGINES:
        guarded(checks, engine_crashes, program, checks, outside, how, reason)
    if not smoke:
        for scene in (cancelled_at_a_distance, early_sleeper_stops_working, stops_in_order, second_signal_forces_the_end):
            guarded(checks, scene, program, checks, outside)
