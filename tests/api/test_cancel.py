"""cancelTask: whatever a task is doing, it ends at once, once, and what it held is free again."""

import json
import os
import re
import threading
import time
import unittest

from harness import Host, Server, data_url, png

CANCEL = "/api/v1/jobs/cancelTask"
MSG = "cancelled by the client"


def cancel(server, task, key="default", body=None, headers=None):
    body = json.dumps({"taskId": task}) if body is None else body
    return server.ask("POST", CANCEL, body, key, {"Content-Type": "application/json", **(headers or {})})


class Waiting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--workers=0")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def test_a_task_that_waits(self):
        task = self.server.create().data["taskId"]
        behind = self.server.create().data["taskId"]
        position = self.server.record(behind).data["queuePosition"]
        answer = cancel(self.server, task)
        self.assertEqual((answer.status, answer.json),
                         (200, {"code": 200, "msg": "success", "data": {"taskId": task, "state": "fail"}}))
        data = self.server.record(task).data
        self.assertEqual((data["state"], data["failCode"], data["failMsg"]), ("fail", "499", MSG))
        self.assertEqual((data["resultJson"], data["queuePosition"], data["progress"]), ("", None, 0))
        self.assertGreaterEqual(data["completeTime"], data["createTime"])
        self.assertEqual(self.server.record(behind).data["queuePosition"], position - 1)
        again = cancel(self.server, task)
        self.assertEqual((again.status, again.json["code"]), (409, 409))
        self.assertIn("its state is fail", again.msg)

    def test_what_is_not_ones_own_is_not_there(self):
        task = self.server.create().data["taskId"]
        other = self.server.add_key("cancel-other")
        for id, key in ((task, other), ("task_none", "default"), (task + "0", "default"), ("雾", "default")):
            with self.subTest(id):
                answer = cancel(self.server, id, key)
                self.assertEqual((answer.status, answer.msg), (422, "recordInfo is null"))
        self.assertEqual(self.server.record(task).data["state"], "waiting")
        self.assertEqual(cancel(self.server, task, None).status, 401)

    def test_bodies_that_name_no_task(self):
        rows = [("", 400), ("{", 400), ("[]", 400), ("7", 400), ('{"taskId":"a","taskId":"b"}', 400),
                ("{}", 422), ('{"taskId":null}', 422), ('{"taskId":7}', 422), ('{"taskId":""}', 422),
                (json.dumps({"taskId": "a" * 257}), 422), ('{"taskId":"' + "a" * 9000 + '"}', 413)]
        for body, status in rows:
            with self.subTest(body[:30]):
                answer = cancel(self.server, "", body=body)
                self.assertEqual((answer.status, answer.code), (status, status))
                if status == 422:
                    self.assertIn("taskId", answer.msg)
        answer = cancel(self.server, "x", headers={"Content-Type": "text/plain"})
        self.assertEqual(answer.status, 415)
        self.assertEqual(self.server.ask("GET", CANCEL).status, 405)

    def test_the_operator_cancels(self):
        task = self.server.create().data["taskId"]
        done = self.server.command("tasks", "cancel", task)
        self.assertEqual((done.returncode, done.stdout), (0, f"cancelled {task}\n"))
        data = self.server.record(task).data
        self.assertEqual((data["failCode"], data["failMsg"]), ("499", "cancelled by the operator"))
        done = self.server.command("tasks", "cancel", task)
        self.assertEqual(done.returncode, 1)
        self.assertIn("its state is fail", done.stderr)
        self.assertEqual(self.server.command("tasks", "cancel", "nope").returncode, 4)
        self.assertEqual(self.server.command("tasks", "cancel").returncode, 2)

    def test_many_at_once(self):
        """Of several that cancel one task, one does."""
        for _ in range(5):
            task, got = self.server.create().data["taskId"], []
            threads = [threading.Thread(target=lambda: got.append(cancel(self.server, task).status)) for _ in range(6)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            self.assertEqual(sorted(got), [200, 409, 409, 409, 409, 409])


class Working(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # What is freed shall be free: a sanitizer would hold it back for a while.
        os.environ["ASAN_OPTIONS"] = "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
        cls.host = Host()
        cls.server = Server("--workers=1", "--allow-net=127.0.0.1", "--threads=1", "--niceness=0")
        cls.picture = data_url(png(160, 90))

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []
        cls.host.stop()
        del os.environ["ASAN_OPTIONS"]

    def until(self, what, seconds=60):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            value = what()
            if value:
                return value
            time.sleep(0.01)
        self.fail("in vain: " + self.server.text_of_log()[-3000:])

    def generating(self, **more):
        given = {"image_url": self.picture, "resolution": "1080p", "duration": "10", **more}
        task = self.server.create(root={"callBackUrl": self.host.url + "/cb"}, **given).data["taskId"]
        self.until(lambda: self.server.record(task).data["state"] == "generating")
        return task

    def gave_up(self, task):
        self.until(lambda: re.search(rf"task_given_up task={task} ", self.server.text_of_log()))

    def left_behind(self):
        files = os.path.join(self.server.path, "data", "files")
        return [n for d in ("tmp", "media") for n in os.listdir(os.path.join(files, d))]

    def test_a_task_that_runs(self):
        task = self.generating()
        answer = cancel(self.server, task)
        self.assertEqual(answer.status, 200)
        data = self.server.record(task).data  # at once, whatever the engine is at
        self.assertEqual((data["state"], data["failCode"], data["failMsg"]), ("fail", "499", MSG))
        self.gave_up(task)
        self.assertEqual(self.left_behind(), [])
        self.assertEqual(self.server.record(task).data, data)
        posts = [json.loads(p[2]) for p in self.host.wait_for("/cb")]
        mine = [p for p in posts if p["taskId"] == task]
        self.assertEqual([(p["code"], p["data"]["state"], p["data"]["failCode"]) for p in mine], [(501, "fail", "499")])
        self.assertNotIn("lease_lost", self.server.text_of_log())
        after = self.generating(resolution="480p", duration="5")  # the worker is there for the next one
        self.assertEqual(cancel(self.server, after).status, 200)
        self.gave_up(after)

    def test_a_task_that_fetches(self):
        """The host of the picture never answers: the worker does not wait for it."""
        gate = threading.Event()
        self.host.files["/slow.png"] = (200, "image/png", b"")
        handler = self.host.server.RequestHandlerClass
        whole = handler.do_GET
        handler.do_GET = lambda h: gate.wait(60) if h.path == "/slow.png" else whole(h)
        try:
            task = self.server.create(image_url=self.host.url + "/slow.png").data["taskId"]
            self.until(lambda: self.server.record(task).data["stage"] == "fetch")
            self.assertEqual(cancel(self.server, task).status, 200)
            self.gave_up(task)
            self.assertFalse(gate.is_set())
        finally:
            gate.set()
            handler.do_GET = whole

    def test_memory_comes_back(self):
        """After twenty tasks that were cancelled at different moments the worker is as it was after one."""
        log = self.server.text_of_log()
        pid = re.findall(r"worker_spawned worker=\S+ pid=(\d+)", log)[-1]

        def resident():
            with open(f"/proc/{pid}/smaps_rollup") as f:
                return int(re.search(r"Rss: +(\d+)", f.read())[1])

        def once(delay):
            task = self.generating()
            time.sleep(delay)
            self.assertEqual(cancel(self.server, task).status, 200)
            self.gave_up(task)

        once(0.6)
        first = resident()
        for i in range(20):
            once(0.15 * (i % 5))
        last = resident()
        self.assertLess(last, first * 1.05 + 8192, "kB after the first and after twenty more")
        self.assertIn(f"pid={pid}", re.findall(r"worker_spawned .*", self.server.text_of_log())[-1])
