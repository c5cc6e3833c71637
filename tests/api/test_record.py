"""recordInfo: its shape, its order, what it says of a task that waits, and of none."""

import json
import time
import unittest

from harness import JSON, LITE, PRO, RECORD, Server, data_url, png

KEYS = ["taskId", "model", "state", "param", "resultJson", "failCode", "failMsg", "costTime", "completeTime",
        "createTime", "updateTime", "progress", "stage", "step", "steps", "queuePosition", "etaMs", "etaLowMs",
        "etaHighMs", "previewUrl", "previewVersion", "creditsConsumed", "engine", "recordId"]


class Record(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--workers=0")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def test_waiting(self):
        before = int(time.time() * 1000)
        task = self.server.create(PRO).data["taskId"]
        after = int(time.time() * 1000)
        answer = self.server.record(task)
        data = answer.data
        self.assertEqual((answer.status, answer.code, answer.msg), (200, 200, "success"))
        self.assertEqual(answer.headers["Content-Type"], JSON)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertEqual(list(answer.json), ["code", "msg", "data"])
        self.assertEqual(list(data), KEYS)
        self.assertEqual((data["taskId"], data["recordId"], data["model"]), (task, task, PRO))
        self.assertEqual(data["state"], "waiting")
        self.assertEqual((data["resultJson"], data["failCode"], data["failMsg"]), ("", "", ""))
        self.assertEqual((data["costTime"], data["completeTime"], data["etaMs"]), (None, None, None))
        self.assertEqual((data["progress"], data["creditsConsumed"]), (0, 0))
        self.assertTrue(before <= data["createTime"] <= after, (before, data["createTime"], after))
        self.assertEqual(data["updateTime"], data["createTime"])
        self.assertTrue(before <= int(task[len("task_bytedance_"):][:13]) <= after)

    def test_position_counts_those_before(self):
        tasks = [self.server.create().data["taskId"] for _ in range(3)]
        first, second, third = (self.server.record(t).data["queuePosition"] for t in tasks)
        self.assertEqual((second, third), (first + 1, first + 2))

    def test_param_is_the_request(self):
        sent = {"prompt": "雾 \"drifts\"\n\\", "image_url": "https://example.org/a.png", "duration": 10, "seed": 7,
                "unknown": [1, {"a": None}]}
        answer = self.server.post({"callBackUrl": "https://example.org/cb", "input": sent, "model": LITE})
        param = json.loads(self.server.record(answer.data["taskId"]).data["param"])
        self.assertEqual(param, {"model": LITE, "callBackUrl": "https://example.org/cb", "input": sent})
        self.assertEqual(list(param["input"]), list(sent))
        param = json.loads(self.server.record(self.server.create().data["taskId"]).data["param"])
        self.assertEqual(sorted(param), ["input", "model"])
        self.assertEqual(sorted(param["input"]), ["image_url", "prompt"])  # no defaults

    def test_param_shortens_pictures(self):
        task = self.server.create(image_url=data_url(png())).data["taskId"]
        param = json.loads(self.server.record(task).data["param"])
        self.assertRegex(param["input"]["image_url"], r"\Adata:image/png;sha256=[0-9a-f]{64}\Z")

    def test_needs_an_id(self):
        for query in ("", "?", "?taskId", "?taskId=", "?taskid=x", "?id=x"):
            with self.subTest(query):
                answer = self.server.ask("GET", RECORD + query)
                self.assertEqual(answer.status, 400)
                self.assertEqual(answer.json, {"code": 400, "msg": "taskId parameter is required", "data": None})

    def test_unknown_ids(self):
        known = self.server.create().data["taskId"]
        rows = ["x", "task_bytedance_1765186743319", "5fdec09dc604e83ec6eb26b40c1b64d8", known + "0", known[:-1],
                known.upper(), "%00", known + "%00", "%ff%fe", "a" * 5000, "%27%20OR%201=1--", "..%2f..", "%E9%9B%BE"]
        for task in rows:
            with self.subTest(task[:40]):
                answer = self.server.record(task)
                self.assertEqual(answer.status, 422)
                self.assertEqual(answer.json, {"code": 422, "msg": "recordInfo is null", "data": None})

    def test_escaped_id(self):
        task = self.server.create().data["taskId"]
        self.assertEqual(self.server.record("%74" + task[1:]).data["taskId"], task)
        self.assertEqual(self.server.record(task + "&x=y").data["taskId"], task)

    def test_survives_a_restart(self):
        server = Server("--workers=0")
        try:
            task = server.create(seed=5).data["taskId"]
            before = server.record(task).body
            server.process.kill()
            server.process.wait()
            server.process.stdout.close()
            server.log.close()
            server.start()
            self.assertEqual(server.record(task).body, before)
        finally:
            self.assertEqual(server.stop(), [])
