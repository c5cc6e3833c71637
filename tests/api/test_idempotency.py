"""Idempotency-Key: a request that is sent again is answered as the first time, and makes nothing new."""

import http.client
import json
import threading
import time
import unittest

from harness import CREATE, LITE, Server, data_url, png

REPLAYED = "Idempotent-Replayed"
DAY_US = 24 * 3600 * 1000000


def body(**fields):
    return {"model": LITE, "input": {"prompt": "slow push in", "image_url": "https://example.org/a.png", **fields}}


class Idempotency(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--workers=0", "--max-waiting=0")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def send(self, name, given=None, key="default", raw=None):
        return self.server.post(raw if raw is not None else given or body(), key, {"Idempotency-Key": name})

    def tasks(self):
        with self.server.database() as db:
            return db.execute("SELECT count(*) FROM task").fetchone()[0]

    def test_replays_the_first_answer(self):
        first = self.send("a")
        before = self.tasks()
        self.assertEqual((first.code, first.headers[REPLAYED]), (200, None))
        for _ in range(3):
            again = self.send("a")
            self.assertEqual((again.status, again.body), (200, first.body))
            self.assertEqual(again.headers[REPLAYED], "true")
        self.assertEqual(self.tasks(), before)

    def test_same_is_the_json_not_the_text(self):
        spaced = b' {"input": {"image_url":"https://example.org/a.png" ,"prompt":"same"}, "model":"%s"}\n' % LITE.encode()
        first = self.send("spaced", body(prompt="same"))
        again = self.send("spaced", raw=spaced)
        self.assertEqual((again.body, again.headers[REPLAYED]), (first.body, "true"))

    def test_another_request_is_a_conflict(self):
        first = self.send("b")
        before = self.tasks()
        for other in (body(seed=3), body(prompt="other"), {**body(), "callBackUrl": "https://example.org/cb"},
                      body(seed=-1)):
            answer = self.send("b", other)
            self.assertEqual((answer.status, answer.code, answer.data), (409, 409, None))
            self.assertIn("with another request", answer.msg)
            self.assertIn(first.data["taskId"], answer.msg)
        self.assertEqual(self.tasks(), before)
        self.assertEqual(self.send("b").body, first.body)

    def test_pictures_count(self):
        first = self.send("p", body(image_url=data_url(png())))
        self.assertEqual(self.send("p", body(image_url=data_url(png()))).body, first.body)
        self.assertEqual(self.send("p", body(image_url=data_url(png(width=97)))).code, 409)

    def test_keys_of_others_are_others(self):
        other = self.server.add_key("other")
        first = self.send("c")
        hers = self.send("c", body(prompt="hers"), key=other)
        self.assertEqual((hers.code, hers.headers[REPLAYED]), (200, None))
        self.assertNotEqual(hers.data["taskId"], first.data["taskId"])

    def test_names(self):
        for name in ("x", "~" * 255, "a b", "!", "\"quoted\"", "8e03978e-40d5-43e8-bc93-6894a57f9324"):
            with self.subTest(name[:20]):
                first = self.send(name)
                self.assertEqual(first.code, 200)
                self.assertEqual(self.send(name).body, first.body)
        for name in ("", "a" * 256, "a" * 5000, "caf\xe9", "tab\there"):
            with self.subTest(name[:20]):
                answer = self.send(name)
                self.assertEqual((answer.status, answer.code), (400, 400))
                self.assertIn("Idempotency-Key must be 1 to 255 printable ASCII characters", answer.msg)

    def test_refused_requests_keep_nothing(self):
        self.assertEqual(self.send("d", {"model": LITE, "input": {}}).code, 422)
        self.assertEqual(self.send("d").headers[REPLAYED], None)

    def test_two_at_once_make_one_task(self):
        before, answers, ready = self.tasks(), [], threading.Barrier(16)
        text = json.dumps(body(prompt="at once")).encode()

        def one():
            connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=60)
            connection.connect()
            ready.wait()
            connection.request("POST", CREATE, text, {"Authorization": "Bearer " + self.server.key.secret,
                                                      "Content-Type": "application/json", "Idempotency-Key": "once"})
            response = connection.getresponse()
            answers.append((response.headers[REPLAYED], response.read()))
            connection.close()

        threads = [threading.Thread(target=one) for _ in range(16)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(len({a for _, a in answers}), 1, answers)
        self.assertEqual(sorted(str(r) for r, _ in answers), ["None"] + ["true"] * 15)
        self.assertEqual(self.tasks(), before + 1)

    def test_ends_after_a_day(self):
        first = self.send("old")
        with self.server.database() as db:
            db.execute("UPDATE idempotency SET created_us=created_us-? WHERE name='old'", (DAY_US,))
            db.execute("INSERT INTO idempotency VALUES (99, 'older', x'00', 't', '{}', 1)")
        again = self.send("old", body(prompt="new"))
        self.assertEqual((again.code, again.headers[REPLAYED]), (200, None))
        self.assertNotEqual(again.data["taskId"], first.data["taskId"])
        with self.server.database() as db:
            left = db.execute("SELECT count(*) FROM idempotency WHERE created_us<?",
                              (int(time.time() * 1e6) - DAY_US,)).fetchone()[0]
        self.assertEqual(left, 0)


class FullQueue(unittest.TestCase):
    def test_a_repetition_is_answered_when_the_queue_is_full(self):
        server = Server("--workers=0", "--max-waiting=2")
        try:
            first = server.post(body(), headers={"Idempotency-Key": "a"})
            self.assertEqual(server.create().code, 200)
            self.assertEqual(server.create().code, 429)
            again = server.post(body(), headers={"Idempotency-Key": "a"})
            self.assertEqual((again.body, again.headers[REPLAYED]), (first.body, "true"))
            self.assertEqual(server.post(body(), headers={"Idempotency-Key": "b"}).code, 429)
        finally:
            self.assertEqual(server.stop(), [])
