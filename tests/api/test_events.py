"""Live progress: server-sent events with ids, resumed across reconnects and restarts; runTask."""

import http.client
import json
import socket
import subprocess
import threading
import time
import unittest

import harness
from harness import LITE, WORK_S, Server, data_url, png

EVENTS = "/api/v1/jobs/events"
RUN = "/api/v1/jobs/runTask"


class Stream:
    """One connection to the events; reads one event at a time."""

    def __init__(self, server, task="", last=None, key="default", query=None):
        key = server.key if key == "default" else key
        headers = {"Authorization": f"Bearer {key.secret}"}
        if last is not None:
            headers["Last-Event-ID"] = str(last)
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=WORK_S)
        path = EVENTS + (f"?taskId={task}" if task else "") + (query or "")
        self.connection.request("GET", path, headers=headers)
        self.response = self.connection.getresponse()
        self.comments = 0
        self.lines = []

    def next(self):
        """The next event as (name, id or None, data); None at the end of the stream."""
        name, number, data = "message", None, None
        while True:
            line = self.response.readline().decode()
            if not line:
                return None
            self.lines.append(line)
            line = line.rstrip("\n")
            if line == "" and data is not None:
                return name, number, data
            field, _, value = line.partition(": ")
            if field == "event":
                name = value
            elif field == "id":
                number = int(value)
            elif field == "data":
                data = json.loads(value)
            elif line.startswith(":"):
                self.comments += 1

    def rest(self):
        found = []
        while True:
            event = self.next()
            if event is None:
                return found
            found.append(event)

    def close(self):
        self.connection.close()


def picture():
    return {"image_url": data_url(png()), "resolution": "480p"}


def change(server, *statements):
    """What a worker would do, by its statements alone: deterministic, and without waiting for one."""
    database = server.database()
    with database:
        for statement, values in statements:
            database.execute(statement, values)
    database.close()


def now_us():
    return time.time_ns() // 1000


def claim(server, task):
    change(server, ("UPDATE task SET state='queuing', worker='test', attempt=attempt+1, lease_us=?,"
                    " lease_len_us=3600000000, updated_us=? WHERE id=?", (now_us() + 3600000000, now_us(), task)))


def start(server, task):
    now = now_us()
    change(server, ("UPDATE task SET state='generating', engine='motion', started_us=?, updated_us=? WHERE id=?",
                    (now, now, task)))


def report(server, task, percent, step=0):
    now = now_us()
    change(server, ("UPDATE task SET percent=?, moved_us=?, stage='render', step=?, steps=100, updated_us=?"
                    " WHERE id=?", (percent, now, step, now, task)))


def end(server, task):
    now = now_us()
    change(server, ("UPDATE task SET state='fail', fail_code='501', fail_msg='by the test', worker='', lease_us=0,"
                    " lease_len_us=0, completed_us=?, updated_us=? WHERE id=?", (now, now, task)))


def restart(server):
    server.process.kill()
    server.process.wait()
    server.process.stdout.close()
    server.log.close()
    server.start()


class Followed(unittest.TestCase):
    """Tasks that the tests move on themselves."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--workers=0", "--max-waiting=0")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def setUp(self):
        change(self.server, ("DELETE FROM task", ()), ("DELETE FROM event", ()), ("UPDATE event_floor SET id=0", ()))
        self.task = self.server.create().data["taskId"]

    def follow(self, *args, **kwargs):
        stream = Stream(self.server, *args, **kwargs)
        self.addCleanup(stream.close)
        return stream

    def test_from_start_to_end(self):
        stream = self.follow(self.task)
        self.assertEqual(stream.response.status, 200)
        self.assertEqual(stream.response.headers["Content-Type"], "text/event-stream")
        self.assertEqual(stream.response.headers["Cache-Control"], "no-store")
        name, first, data = stream.next()
        self.assertEqual((name, data["state"], data["queuePosition"]), ("state", "waiting", 0))
        self.assertIn("retry: 2000\n", stream.lines)
        claim(self.server, self.task)
        start(self.server, self.task)
        report(self.server, self.task, 5, 1)
        report(self.server, self.task, 50, 20)
        end(self.server, self.task)
        found = stream.rest()
        self.assertEqual([(n, d["state"], d["progress"], d["stage"], d["step"]) for n, _, d in found],
                         [("state", "queuing", 0, "", 0), ("state", "generating", 0, "", 0),
                          ("progress", "generating", 5, "render", 1), ("progress", "generating", 50, "render", 20),
                          ("state", "fail", 50, "render", 20), ("end", "fail", 50, "render", 20)])
        ids = [i for _, i, _ in found]
        self.assertIsNone(ids.pop())
        self.assertEqual(ids, sorted(set(ids)))
        self.assertGreater(ids[0], first if first is not None else 0)
        record = self.server.record(self.task).data
        self.assertEqual(found[-1][2], record)
        self.assertEqual(list(found[0][2]), list(record))
        self.assertEqual(found[0][2]["completeTime"], None)
        self.assertEqual(found[-1][2]["failMsg"], "by the test")

    def test_a_finished_task_ends_at_once(self):
        claim(self.server, self.task)
        end(self.server, self.task)
        first, last = self.follow(self.task).rest()
        self.assertEqual((first[0], first[2]["state"], last[0]), ("state", "fail", "end"))
        self.assertEqual([e[0] for e in self.follow(self.task, last=first[1]).rest()], ["end"])

    def test_resumes_where_it_was(self):
        """Whatever id a client comes back with, it is sent what came after, once."""
        claim(self.server, self.task)
        start(self.server, self.task)
        for percent in range(1, 11):
            report(self.server, self.task, percent, percent)
        end(self.server, self.task)
        everything = [e for e in self.follow(self.task, last=0).rest() if e[1]]
        self.assertEqual(len(everything), 13)
        for i in range(len(everything)):
            for form in ({"last": everything[i][1]}, {"query": f"&lastEventId={everything[i][1]}"}):
                with self.subTest(str(form)):
                    found = self.follow(self.task, **form).rest()
                    self.assertEqual(found[:-1], everything[i + 1:])
                    self.assertEqual(found[-1][0], "end")
        both = self.follow(self.task, last=everything[8][1], query="&lastEventId=1").rest()
        self.assertEqual(both[:-1], everything[9:])  # the header is newer

    def test_nothing_is_lost_while_it_reconnects(self):
        """A client that leaves after every few events, while they go on being made."""
        stop = threading.Event()

        def work():
            claim(self.server, self.task)
            start(self.server, self.task)
            for i in range(300):
                report(self.server, self.task, i // 3, i + 1)
            end(self.server, self.task)
            stop.set()

        stream = self.follow(self.task)
        _, last, _ = stream.next()
        steps, ended = [], False
        worker = threading.Thread(target=work)
        worker.start()
        while not ended:
            for _ in range(7):
                event = stream.next()
                if event is None or event[0] == "end":
                    ended = ended or event is not None
                    break
                if event[1] is not None:
                    self.assertTrue(last is None or event[1] > last)
                    last = event[1]
                    if event[0] == "progress":
                        steps.append(event[2]["step"])
            stream.close()
            if not ended:
                stream = self.follow(self.task, last=last if last is not None else 0)
        worker.join()
        self.assertEqual(steps, list(range(1, 301)))

    def test_resumes_after_a_restart(self):
        claim(self.server, self.task)
        start(self.server, self.task)
        stream = self.follow(self.task, last=0)
        seen = [stream.next(), stream.next()]
        report(self.server, self.task, 10, 1)
        seen.append(stream.next())
        restart(self.server)
        report(self.server, self.task, 20, 2)
        stream = self.follow(self.task, last=seen[-1][1])
        seen.append(stream.next())
        end(self.server, self.task)
        seen += stream.rest()
        self.assertEqual([(e[0], e[2]["progress"]) for e in seen],
                         [("state", 0), ("state", 0), ("progress", 10), ("progress", 20), ("state", 20), ("end", 20)])

    def test_forgotten_events_give_the_state(self):
        claim(self.server, self.task)
        start(self.server, self.task)
        report(self.server, self.task, 40, 4)
        change(self.server, ("UPDATE event_floor SET id=(SELECT max(id) FROM event)", ()), ("DELETE FROM event", ()))
        for last in (1, 10 ** 15):  # before what is kept; of another store
            name, number, data = self.follow(self.task, last=last).next()
            self.assertEqual((name, data["progress"]), ("state", 40))
        report(self.server, self.task, 50, 5)
        self.assertEqual(self.follow(self.task, last=number).next()[2]["progress"], 50)

    def test_position_moves(self):
        second = self.server.create().data["taskId"]
        stream = self.follow(second)
        self.assertEqual(stream.next()[2]["queuePosition"], 1)
        claim(self.server, self.task)
        name, number, data = stream.next()
        self.assertEqual((name, number, data["queuePosition"]), ("progress", None, 0))

    def test_all_of_a_key(self):
        other = self.server.add_key("other-events")
        foreign = self.server.create(key=other).data["taskId"]
        second = self.server.create().data["taskId"]
        stream = self.follow()
        self.assertEqual(stream.response.status, 200)
        stream.response.readline()
        time.sleep(0.3)  # it begins with what happens from now on
        for task in (foreign, self.task, second):
            claim(self.server, task)
        end(self.server, self.task)
        end(self.server, second)
        found = [stream.next() for _ in range(4)]
        self.assertEqual([(e[2]["taskId"], e[2]["state"]) for e in found],
                         [(self.task, "queuing"), (second, "queuing"), (self.task, "fail"), (second, "fail")])
        resumed = self.follow(last=found[1][1])
        self.assertEqual([resumed.next() for _ in range(2)], found[2:])

    def test_refusals(self):
        other = self.server.add_key("stranger")
        foreign = self.server.create(key=other).data["taskId"]
        for label, path, key, status in (("unknown", "?taskId=x", "default", 422),
                                         ("foreign", f"?taskId={foreign}", "default", 422),
                                         ("long", "?taskId=" + "x" * 3000, "default", 422),
                                         ("no key", f"?taskId={self.task}", None, 401),
                                         ("bad id", f"?taskId={self.task}&lastEventId=x", "default", 400),
                                         ("negative", f"?taskId={self.task}&lastEventId=-1", "default", 400)):
            with self.subTest(label):
                answer = self.server.ask("GET", EVENTS + path, key=key)
                self.assertEqual((answer.status, answer.code), (status, status))
        self.assertEqual(self.server.ask("GET", EVENTS + "?taskId=x").msg, "recordInfo is null")
        self.assertEqual(self.server.ask("POST", EVENTS, body=b"").status, 405)

    def test_watched_on_a_terminal(self):
        """zoetrope tasks watch, beside the server: plain lines when it is no terminal."""
        claim(self.server, self.task)
        command = [harness.PROGRAM, "tasks", "watch", self.task, "--data", self.server.path + "/data"]
        watching = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        start(self.server, self.task)
        for percent in (10, 20, 30):
            report(self.server, self.task, percent, percent)
            time.sleep(0.6)
        end(self.server, self.task)
        out, err = watching.communicate(timeout=WORK_S)
        self.assertEqual((watching.returncode, out), (1, f"fail {self.task} 501 by the test\n"))
        self.assertRegex(err, r"\A(\d+ % (queuing|generating|render)\n)*\Z")
        done = subprocess.run(command, capture_output=True, text=True, timeout=WORK_S)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (1, out, ""))
        command[3] = "task_x"
        done = subprocess.run(command, capture_output=True, text=True, timeout=WORK_S)
        self.assertEqual((done.returncode, done.stdout), (4, ""))
        self.assertIn("there is no task task_x", done.stderr)

    def test_two_hundred_at_once(self):
        """All see all; ordinary requests are answered meanwhile."""
        streams = [self.follow(self.task, last=0) for _ in range(200)]
        begun = time.monotonic()
        self.assertEqual(self.server.record(self.task).status, 200)
        self.assertLess(time.monotonic() - begun, 10)
        claim(self.server, self.task)
        start(self.server, self.task)
        for i in range(1, 21):
            report(self.server, self.task, i, i)
        end(self.server, self.task)
        first = streams[0].rest()
        self.assertEqual(len([e for e in first if e[1]]), 23)
        for stream in streams[1:]:
            self.assertEqual([e[:2] for e in stream.rest() if e[1]], [e[:2] for e in first if e[1]])

    def test_many_that_left_cost_nothing(self):
        for _ in range(50):
            stream = self.follow(self.task)
            stream.next()
            stream.close()
        claim(self.server, self.task)
        self.assertEqual(self.server.record(self.task).data["state"], "queuing")

    def test_eta_is_told(self):
        claim(self.server, self.task)
        start(self.server, self.task)
        time.sleep(0.05)
        report(self.server, self.task, 50, 1)
        data = self.server.record(self.task).data
        self.assertEqual((data["step"], data["steps"]), (1, 100))
        self.assertTrue(0 <= data["etaLowMs"] <= data["etaMs"] <= data["etaHighMs"])
        end(self.server, self.task)
        self.assertEqual(self.server.record(self.task).data["etaMs"], 0)


class Stopping(unittest.TestCase):
    def test_streams_end_in_order_at_a_stop(self):
        server = Server("--workers=0")
        task = server.create().data["taskId"]
        stream = Stream(server, task)
        stream.next()
        self.assertEqual(server.stop(), [])
        self.assertIsNone(stream.next())  # the last chunk came: not a broken connection
        stream.close()


class Run(unittest.TestCase):
    """runTask: createTask that answers when the task has ended."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--workers=1")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def post(self, query="", headers=None, **fields):
        given = {"prompt": "slow push in", **picture(), **fields}
        body = json.dumps({"model": LITE, "input": {k: v for k, v in given.items() if v is not None}}).encode()
        return body, {"Content-Type": "application/json", **(headers or {})}, RUN + query

    def run_task(self, query="", headers=None, key="default", **fields):
        body, headers, path = self.post(query, headers, **fields)
        key = self.server.key if key == "default" else key
        headers["Authorization"] = f"Bearer {key.secret}"
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=WORK_S)
        try:
            connection.request("POST", path, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())
        finally:
            connection.close()

    def hang_up(self, **fields):
        """Sends a whole request, waits until its task runs, and hangs up; returns the task."""
        body, headers, path = self.post(**fields)
        key = self.server.key
        head = f"POST {path} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {key.secret}\r\n"
        head += "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + f"Content-Length: {len(body)}\r\n\r\n"
        before = {t for t, in self.server.database().execute("SELECT id FROM task")}
        s = socket.create_connection((self.server.host, self.server.port))
        s.sendall(head.encode() + body)
        until = time.monotonic() + WORK_S
        while time.monotonic() < until:
            rows = self.server.database().execute("SELECT id, state FROM task").fetchall()
            mine = [(t, state) for t, state in rows if t not in before]
            if mine and mine[0][1] == "generating":
                s.close()
                return mine[0][0]
            time.sleep(0.02)
        raise RuntimeError("the task did not start")

    def test_answers_at_the_end(self):
        status, answer = self.run_task(duration="5")
        self.assertEqual((status, answer["code"], answer["msg"]), (200, 200, "success"))
        data = answer["data"]
        self.assertEqual((data["state"], data["progress"], data["etaMs"]), ("success", 100, 0))
        self.assertEqual(data, self.server.record(data["taskId"]).data)
        # What was learned from it is told of the next.
        status, answer = self.run_task("?wait=1", duration="5")
        self.assertEqual(status, 200)
        self.assertIn(answer["data"]["state"], ("waiting", "queuing", "generating", "success"))
        task = answer["data"]["taskId"]
        done, seen = self.server.wait(task)
        self.assertEqual(done["state"], "success")  # it went on

    def test_a_failure_is_an_answer(self):
        status, answer = self.run_task(image_url=data_url(b"not a picture", "image/png"))
        if status == 200:
            self.assertEqual(answer["data"]["state"], "fail")
        else:
            self.assertEqual(status, 422)
        status, answer = self.run_task(image_url="http://127.0.0.1:9/a.png")
        self.assertEqual((status, answer["data"]["state"]), (200, "fail"))

    def test_refusals(self):
        for label, query, fields, status in (("wait 0", "?wait=0", {}, 400), ("wait word", "?wait=soon", {}, 400),
                                             ("no prompt", "", {"prompt": None}, 422),
                                             ("resolution", "", {"resolution": "4k"}, 422)):
            with self.subTest(label):
                got, answer = self.run_task(query, **fields)
                self.assertEqual((got, answer["code"]), (status, status))
        self.assertEqual(self.server.ask("POST", RUN, body=b"{", headers={"Content-Type": "application/json"}).status,
                         400)
        self.assertEqual(self.server.ask("POST", RUN, body=b"{}", key=None).status, 401)

    def test_hanging_up_frees_the_engine(self):
        task = self.hang_up(resolution="1080p", duration="10")
        until = time.monotonic() + 60
        while self.server.record(task).data["state"] != "fail" and time.monotonic() < until:
            time.sleep(0.05)
        data = self.server.record(task).data
        self.assertEqual((data["state"], data["failCode"]), ("fail", "499"))
        status, answer = self.run_task()  # by the same, only worker
        self.assertEqual(answer["data"]["state"], "success")

    def test_an_idempotency_key_keeps_the_task(self):
        headers = {"Idempotency-Key": "run-once"}
        status, first = self.run_task("?wait=1", headers=headers, seed=3)
        status, again = self.run_task(headers=headers, seed=3)
        self.assertEqual((status, again["data"]["state"]), (200, "success"))
        self.assertEqual(again["data"]["taskId"], first["data"]["taskId"])


if __name__ == "__main__":
    unittest.main()
