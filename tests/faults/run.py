#!/usr/bin/env python3
"""What goes wrong around the service: thousands of tasks at a start, clients that stall, a database that
somebody else holds, one that is deleted while it is open, hosts that swallow what they are sent, and
calls to disk and network that fail at their n-th use.

    tests/faults/run.py --program build/asan/zoetrope [WORD...]   stories with one of the words

Ends with "N passed, N failed"."""

import argparse
import json
import os
import resource
import signal
import socket
import sqlite3
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "crash"))

from proxy import a_half_open_proxy_loses_and_doubles_nothing  # noqa: E402
from world import DATA_URI, MODEL, Checks, Outside, World  # noqa: E402

MANY = 10000


def database(w):
    return sqlite3.connect(os.path.join(w.data, "zoetrope.db"), timeout=30, isolation_level=None)


def copy_task(w, task, n, **other):
    """n more rows like the task's, as if so many had been created: ids end in the number."""
    db = database(w)
    columns = [r[1] for r in db.execute("PRAGMA table_info(task)") if r[1] not in ("seq", "id")]
    values = [f"'{other[c]}'" if c in other else c for c in columns]
    db.execute("BEGIN IMMEDIATE")
    db.execute(f"WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n+1 FROM i WHERE n<{n})"
               f" INSERT INTO task (id,{','.join(columns)})"
               f" SELECT 'copy_'||i.n,{','.join(values)} FROM i, task WHERE task.id=?", (task,))
    db.execute("COMMIT")
    db.close()


def states(w):
    db = database(w)
    found = dict(db.execute("SELECT state, count(*) FROM task GROUP BY state"))
    db.close()
    return found


def memory_kb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(next(line for line in f if line.startswith("VmRSS")).split()[1])


# ---- many

def ten_thousand_tasks_wait_at_a_start(w):
    """Killed with all of them waiting, and again while they are worked off: none is lost."""
    c = w.checks
    w.workers = 0
    w.start()
    first = w.submit(image=w.outside.url("/nothing"))  # fails as soon as a worker looks
    w.kill()
    copy_task(w, first, MANY)
    w.workers = 1
    w.start()
    c.check("the first task is taken first", w.wait(lambda: w.get(first)["state"] == "fail"), w.tail())
    last = w.get(f"copy_{MANY}")
    c.check("the last one can be asked about", last["state"] == "waiting" and last["queuePosition"] >= 100, last)
    w.wait(lambda: states(w).get("fail", 0) >= 10)
    w.kill()
    w.start()
    status, answer = w.request("GET", "/readyz")
    c.check("ready when it says so", status == 200, answer)
    new = w.submit(image=w.outside.url("/nothing"))
    c.check("and a new task joins the end", w.get(new)["state"] == "waiting", w.get(new))
    w.wait(lambda: states(w).get("fail", 0) >= 20)
    found = states(w)
    c.check("none is lost", sum(found.values()) == MANY + 2, found)
    db = database(w)
    out_of_order = db.execute("SELECT count(*) FROM task a WHERE a.state='waiting' AND a.seq <"
                              " (SELECT max(seq) FROM task WHERE state='fail') - 2").fetchone()[0]
    db.close()
    c.check("they go in their order", out_of_order == 0, out_of_order)


def finished_tasks_cost_nothing(w):
    """Rows of long ago, which every index must leave aside. ROWS=1000000 for the whole story."""
    c = w.checks
    rows = int(os.environ.get("ROWS", "100000"))
    w.start()
    first = w.submit(image=w.outside.url("/nothing"))
    c.check("one ends", w.finished(first), w.tail())
    w.stop()
    copy_task(w, first, rows)
    began = time.monotonic()
    w.start()
    print(f"start beside {rows} finished tasks: {time.monotonic() - began:.1f} s")
    began = time.monotonic()
    task = w.submit("/cb/many")
    w.check_success("beside finished tasks", task, w.finished(task))
    w.check_called_back("beside finished tasks", task, "/cb/many")
    print(f"a task beside them: {time.monotonic() - began:.1f} s")
    c.check("none went", sum(states(w).values()) == rows + 2, states(w))


# ---- clients

def stalling_clients_delay_nobody(w):
    """Two thousand connections that say nothing, and hundreds that say a byte now and then."""
    c = w.checks
    w.start()
    task = w.submit()
    done = w.finished(task)
    w.check_success("before them", task, done)
    before = memory_kb(w.server.pid)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(8192, hard), hard))
    path = json.loads(done["resultJson"])["resultUrls"][0].split(str(w.port), 1)[1]
    openings = [b"", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-", f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode(),
                b"POST /api/v1/jobs/createTask HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " + w.key.encode() +
                b"\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n{"]
    idle = []
    try:
        for i in range(2000):
            s = socket.socket()
            s.settimeout(5)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)  # reads no video
            s.bind((f"127.0.1.{1 + i % 200}", 0))
            try:
                s.connect(("127.0.0.1", w.port))
                s.send(openings[i % 4 if i < 800 else 0])
            except OSError:
                pass  # refused: that is one way to bound them
            idle.append(s)
        for s in idle[1:800:4]:
            try:
                s.send(b"a")
            except OSError:
                pass
        served = w.wait(lambda: w.request("GET", "/healthz", timeout=5)[0] == 200, 60)
        c.check("others are served meanwhile", served, w.tail())
        again = w.wait(lambda: w.submit(), 60)
        c.check("a task is taken and done meanwhile", again and w.finished(again)["state"] == "success", w.tail())
        grown = memory_kb(w.server.pid) - before
        c.check("their memory is bounded", grown < 400 * 1024, grown)
    finally:
        for s in idle:
            s.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for label, head, wanted in (
            ("a header of a megabyte", b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1000000 + b"\r\n\r\n", b" 431 "),
            ("a body that says it is a terabyte", b"POST /api/v1/jobs/createTask HTTP/1.1\r\nHost: a\r\n"
             b"Authorization: Bearer " + w.key.encode() + b"\r\nContent-Type: application/json\r\n"
             b"Content-Length: 1099511627776\r\n\r\n", b" 413 ")):
        def said():
            with socket.create_connection(("127.0.0.1", w.port), 10) as s:
                try:
                    s.sendall(head)
                except OSError:
                    pass  # it need not read all of it
                return s.recv(4096)
        answer = w.wait(said, 30)
        c.check(f"{label} is refused", answer and wanted in answer[:40], answer)
    c.check("and the server goes on", w.request("GET", "/healthz")[0] == 200)


# ---- the database

def another_process_holds_the_database(w):
    """For ten seconds nobody can write: what is asked waits or is refused, and nothing is lost."""
    c = w.checks
    w.start()
    before = w.submit("/cb/held", duration=5)
    w.wait(lambda: w.get(before)["state"] == "generating")
    db = database(w)
    db.execute("BEGIN IMMEDIATE")
    end = time.monotonic() + 10
    answers = []

    def ask():
        while time.monotonic() < end:
            try:
                body = {"model": MODEL, "input": {"prompt": "slow push in", "image_url": DATA_URI,
                                                  "resolution": "480p", "duration": 2, "seed": 1}}
                status, said = w.request("POST", "/api/v1/jobs/createTask", json.dumps(body), timeout=60)
                answers.append(("task", said["data"]["taskId"]) if status == 200 else ("refused", status))
            except OSError as e:
                answers.append(("silence", str(e)))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for t in threads:
        t.start()
    polls = 0
    while time.monotonic() < end:
        polls += w.get(before)["taskId"] == before
        time.sleep(0.2)
    db.execute("COMMIT")
    db.close()
    for t in threads:
        t.join()
    c.check("polls are answered meanwhile", polls > 5, polls)
    c.check("createTask is answered, one way or the other", answers and "silence" not in [a[0] for a in answers], answers)
    c.check("a refusal is one of ours", all(a[1] in (500, 503) for a in answers if a[0] == "refused"), answers)
    for what, task in answers:
        if what == "task":
            w.check_success("accepted meanwhile", task, w.finished(task))
    w.check_success("at work meanwhile", before, w.finished(before))
    w.check_called_back("at work meanwhile", before, "/cb/held")
    after = w.submit()
    w.check_success("afterwards", after, w.finished(after))


def a_worker_waits_for_a_held_database(w):
    """Held so that it cannot even be opened: the worker begins when it is let go."""
    c = w.checks
    path = os.path.join(w.data, "zoetrope.db")
    db = sqlite3.connect(path, timeout=30, isolation_level=None)
    db.execute("PRAGMA locking_mode=EXCLUSIVE")
    db.execute("BEGIN IMMEDIATE")
    db.execute("CREATE TABLE held (n)")
    db.execute("ROLLBACK")  # the lock stays with the connection
    worker = w.start_worker()
    c.check("it says what it waits for", w.wait(lambda: "worker_waits_for_store" in w.text()), w.tail())
    db.close()
    c.check("it starts when it can", w.wait(lambda: "worker_started" in w.text()), w.tail())
    w.workers = 0
    w.start()
    task = w.submit("/cb/waited")
    w.check_success("by that worker", task, w.finished(task))
    worker.terminate()
    c.check("it ends in order", worker.wait(60) == 0, w.tail())


def a_worker_dies_while_the_database_is_held(w):
    """Another is there at once; its task goes back as soon as somebody can write, not when the lease runs out."""
    c = w.checks
    w.flags = ["--lease=120s", "--heartbeat=1s"]
    w.start()
    task = w.submit("/cb/died", duration=12)
    c.check("starts", w.wait(lambda: w.get(task)["state"] == "generating"), w.tail())
    db = database(w)
    db.execute("BEGIN IMMEDIATE")
    old = w.worker_pids()
    for pid in old:
        w.signal_worker(pid, signal.SIGKILL)
    another = w.wait(lambda: [p for p in w.worker_pids() if p not in old], 30)
    c.check("another starts meanwhile", another, w.tail())
    c.check("ready meanwhile", w.wait(lambda: w.request("GET", "/readyz")[0] == 200, 30), w.tail())
    c.check("nothing went back yet", w.get(task)["state"] == "generating", w.get(task))
    db.execute("COMMIT")
    db.close()
    w.check_success("run again", task, w.finished(task))
    c.check("as its second attempt", w.show(task)["attempt"] == 2, w.show(task))
    c.check("put back by the server", "tasks_put_back" in w.text(), w.tail())
    w.check_called_back("run again", task, "/cb/died")


def the_database_is_deleted_while_open(w):
    """Nothing is accepted into a file that no longer has a name; moved back, it goes on."""
    c = w.checks
    w.start()
    before = w.submit()
    w.check_success("before", before, w.finished(before))
    path = os.path.join(w.data, "zoetrope.db")
    os.rename(path, path + ".away")
    try:
        w.submit()
        c.check("nothing is accepted", False)
    except ValueError as e:
        c.check("createTask is refused", " 500 " in str(e) or " 503 " in str(e), e)
    status, answer = w.request("GET", "/readyz")
    c.check("not ready, and says why", status == 503 and "moved or deleted" in json.dumps(answer), (status, answer))
    os.rename(path + ".away", path)
    c.check("moved back, it is ready", w.wait(lambda: w.request("GET", "/readyz")[0] == 200), w.tail())
    after = w.submit()
    w.check_success("after", after, w.finished(after))
    w.stop()
    w.start()
    c.check("and all of it is there", w.get(before)["state"] == "success" and w.get(after)["state"] == "success")


# ---- the network

def hosts_swallow_what_they_are_sent(w):
    """A half-open connection: taken, never answered. Bounded, tried again, and said in the end."""
    c = w.checks
    swallowing = socket.create_server(("127.0.0.1", 0), backlog=64)
    taken, closing = [], threading.Event()

    def swallow():
        swallowing.settimeout(0.2)
        while not closing.is_set():
            try:
                taken.append(swallowing.accept()[0])
            except socket.timeout:
                pass

    thread = threading.Thread(target=swallow)
    thread.start()
    url = f"http://127.0.0.1:{swallowing.getsockname()[1]}"
    w.workers = 2
    w.start()
    began = time.monotonic()
    task = w.submit("/cb/swallowed", image=url + "/a.png")
    w.outside.scripts["/cb/half"] = ["hang", 200]
    other = w.submit("/cb/half")
    w.check_success("another task meanwhile", other, w.finished(other))
    w.check_called_back("a receiver that hung", other, "/cb/half")
    c.check("it was tried again", len(w.outside.got("/cb/half")) >= 2)
    data = w.finished(task, 150)
    took = time.monotonic() - began
    c.check("a picture that never comes ends the task", data and data["state"] == "fail" and
            data["failCode"] == "408", (data, took))
    c.check("within its limits", took < 120, took)
    c.check("it was asked for more than once", len(taken) > 1, len(taken))
    w.check_called_back("a picture that never comes", task, "/cb/swallowed", "fail")
    closing.set()
    thread.join()
    for s in [*taken, swallowing]:
        s.close()


# ---- calls that fail

# Where a worker's calls fail, and at which uses.
WORKER_FAULTS = [("store_step", range(1, 12, 3)), ("store_commit", [1, 2, 3]), ("blob_write", [1]),
                 ("blob_sync", [1, 2]), ("blob_read", [1]), ("video_write", [1]), ("net.socket", [1]), ("net.body", [1])]
SERVER_FAULTS = [("store_step", [25, 35]), ("store_commit", [1, 3]), ("blob_write", [1])]


def a_workers_calls_fail(w):
    w.workers = 0
    w.start()
    for name, uses in WORKER_FAULTS:
        for n in uses:
            label, path = f"{name}:{n} in a worker", f"/cb/{name}.{n}"
            task = w.submit(path, image=DATA_URI if name.startswith("blob") else None)
            worker = w.start_worker({"ZOETROPE_FAULT": f"{name}:{n}"})
            data = w.finished(task)
            w.check_success(label, task, data)
            w.check_called_back(label, task, path)
            worker.terminate()
            w.checks.check(label + ": it ends in order", worker.wait(60) == 0, (worker.returncode, w.tail()))


def the_servers_calls_fail(w):
    for name, uses in SERVER_FAULTS:
        for n in uses:
            label = f"{name}:{n} in the server"
            w.workers = 1
            if not w.start({"ZOETROPE_FAULT": f"{name}:{n}"}):
                w.checks.check(label + ": a start that fails says so", "serve: " in w.tail(), w.tail())
                w.start()
            accepted = []
            for _ in range(3):
                try:
                    accepted.append(w.submit("/cb/" + label.replace(" ", "."), image=DATA_URI))
                except ValueError as e:
                    w.checks.check(label + ": a refusal is a 500 or 503", " 500 " in str(e) or " 503 " in str(e), e)
            w.checks.check(label + ": it passes", len(accepted) >= 2, accepted)
            for task in accepted:
                w.check_success(label, task, w.finished(task))
            w.checks.check(label + ": it ends in order", w.stop() == 0, w.tail())


STORIES = [ten_thousand_tasks_wait_at_a_start, finished_tasks_cost_nothing, stalling_clients_delay_nobody,
           another_process_holds_the_database, a_worker_waits_for_a_held_database,
           a_half_open_proxy_loses_and_doubles_nothing, a_worker_dies_while_the_database_is_held, the_database_is_deleted_while_open, hosts_swallow_what_they_are_sent,
           a_workers_calls_fail, the_servers_calls_fail]


def tell(story, program, checks, outside):
    began = time.monotonic()
    w = World(program, checks, outside)
    try:
        story(w)
    except Exception as e:  # a story that cannot go on is a failure, not the end of the others
        checks.check(f"{story.__name__} runs to its end", False, (repr(e), w.tail()))
    finally:
        w.close()
    print(f"{story.__name__}: {time.monotonic() - began:.0f} s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default="build/asan/zoetrope")
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    checks, outside = Checks(), Outside()
    wanted = [s for s in STORIES if not args.words or any(word in s.__name__ for word in args.words)]
    lanes = [wanted[0::2], wanted[1::2]]  # they mostly wait
    threads = [threading.Thread(target=lambda lane=lane: [tell(s, args.program, checks, outside) for s in lane])
               for lane in lanes]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    outside.close()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return checks.failed > 0 or checks.passed == 0


if __name__ == "__main__":
    sys.exit(main())
