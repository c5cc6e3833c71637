"""From createTask to a video: states, results, files, failures, callbacks."""

import base64
import hashlib
import json
import time
import unittest
from urllib.parse import urlsplit

from harness import FAST, LITE, Host, Server, data_url, png, sign_kie, sign_standard
from test_record import KEYS


class Results(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.server = Server("--allow-net=127.0.0.0/8", "--preset=ultrafast", "--callback-retries=1s,1s,1s")
        cls.image = cls.host.serve("/a.png", png(160, 90))
        cls.end_image = cls.host.serve("/b.png", png(160, 90, (20, 160, 90)))
        answer = cls.server.create(resolution="480p", seed=7, image_url=cls.image, end_image_url=cls.end_image,
                                   root={"callBackUrl": cls.host.url + "/done"})
        cls.task = answer.data["taskId"]
        cls.data, cls.seen = cls.server.wait(cls.task)
        cls.result = json.loads(cls.data["resultJson"] or "{}")

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()
        assert cls.server.stop() == []

    def get(self, url, method="GET", **headers):
        path = urlsplit(url).path
        return self.server.ask(method, path, key=None, headers={k.replace("_", "-"): v for k, v in headers.items()})

    # ---- the task ----

    def test_success(self):
        data = self.data
        self.assertEqual(data["state"], "success", data)
        self.assertEqual(list(data), KEYS)
        self.assertEqual((data["failCode"], data["failMsg"]), ("", ""))
        self.assertEqual((data["progress"], data["etaMs"], data["queuePosition"]), (100, 0, None))
        self.assertEqual(data["engine"], "motion")
        self.assertEqual(data["costTime"], data["completeTime"] - data["createTime"])
        self.assertGreater(data["costTime"], 0)
        self.assertGreaterEqual(data["updateTime"], data["completeTime"])

    def test_states_go_forward(self):
        order = ["waiting", "queuing", "generating", "success"]
        states = [order.index(d["state"]) for d in self.seen]
        self.assertEqual(states, sorted(states))
        progress = [d["progress"] for d in self.seen]
        self.assertEqual(progress, sorted(progress))
        self.assertTrue(all(d["costTime"] is None and d["resultJson"] == "" for d in self.seen[:-1]))

    def test_result(self):
        result = self.result
        self.assertEqual(list(result), ["resultUrls", "posterUrl", "lastFrameUrl", "engine", "seed", "width", "height",
                                        "frames", "fps"])
        self.assertEqual((result["engine"], result["seed"], result["frames"], result["fps"]), ("motion", 7, 121, 24))
        self.assertEqual((result["width"], result["height"]), (864, 480))
        self.assertEqual(len(result["resultUrls"]), 1)
        self.assertTrue(result["resultUrls"][0].startswith(self.server.url + "/files/"))
        self.assertTrue(result["resultUrls"][0].endswith(f"/{self.task}.mp4"))

    # ---- its files ----

    def test_video_file(self):
        answer = self.get(self.result["resultUrls"][0])
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "video/mp4"))
        self.assertEqual(answer.body[4:8], b"ftyp")
        self.assertLess(answer.body.index(b"moov"), answer.body.index(b"mdat"))  # plays while it loads
        self.assertEqual(answer.headers["Content-Length"], str(len(answer.body)))
        self.assertIn(f'inline; filename="{self.task}.mp4"', answer.headers["Content-Disposition"])
        self.assertRegex(answer.headers["Cache-Control"], r"\Aprivate, max-age=\d{4,}\Z")

    def test_pictures(self):
        for key in ("posterUrl", "lastFrameUrl"):
            answer = self.get(self.result[key])
            self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "image/jpeg"))
            self.assertEqual((answer.body[:3], answer.body[-2:]), (b"\xff\xd8\xff", b"\xff\xd9"))

    def test_ranges(self):
        url = self.result["resultUrls"][0]
        whole = self.get(url).body
        n = len(whole)
        rows = [("bytes=0-0", 206, whole[:1], f"bytes 0-0/{n}"), ("bytes=0-99", 206, whole[:100], f"bytes 0-99/{n}"),
                ("bytes=100-", 206, whole[100:], f"bytes 100-{n - 1}/{n}"),
                ("bytes=-100", 206, whole[-100:], f"bytes {n - 100}-{n - 1}/{n}"),
                (f"bytes=0-{n * 2}", 206, whole, f"bytes 0-{n - 1}/{n}"),
                (f"bytes={n}-", 416, b"", f"bytes */{n}"), ("bytes=-0", 416, b"", f"bytes */{n}"),
                ("bytes=0-1,3-4", 200, whole, None), ("bytes=5-2", 200, whole, None), ("items=0-1", 200, whole, None)]
        for value, status, body, content_range in rows:
            with self.subTest(value):
                answer = self.get(url, Range=value)
                self.assertEqual((answer.status, answer.headers["Content-Range"]), (status, content_range))
                self.assertEqual(answer.body, body)

    def test_conditions(self):
        url = self.result["resultUrls"][0]
        first = self.get(url)
        etag, modified = first.headers["ETag"], first.headers["Last-Modified"]
        self.assertRegex(etag, r'\A"[0-9a-f]+"\Z')
        self.assertNotEqual(etag, self.get(self.result["posterUrl"]).headers["ETag"])
        for headers, status in [({"If_None_Match": etag}, 304), ({"If_None_Match": "*"}, 304),
                                ({"If_None_Match": '"other"'}, 200), ({"If_Modified_Since": modified}, 304),
                                ({"If_Range": etag, "Range": "bytes=0-1"}, 206),
                                ({"If_Range": '"other"', "Range": "bytes=0-1"}, 200)]:
            with self.subTest(str(headers)):
                answer = self.get(url, **headers)
                self.assertEqual(answer.status, status)
                if status == 304:
                    self.assertEqual((answer.body, answer.headers["ETag"]), (b"", etag))

    def test_head_of_a_file(self):
        url = self.result["resultUrls"][0]
        got, head = self.get(url), self.get(url, "HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        for name in ("Content-Length", "Content-Type", "ETag", "Last-Modified", "Accept-Ranges"):
            self.assertEqual(head.headers[name], got.headers[name])

    def test_other_addresses_have_nothing(self):
        path = urlsplit(self.result["resultUrls"][0]).path
        _, files, token, name = path.split("/")
        rows = [f"/files/{token}/", f"/files/{token}", f"/files/{token}/x.mp4", f"/files/{token}/poster.png",
                f"/files/{token[:-1]}/{name}", f"/files/{token}0/{name}", f"/files/{token.upper()}x/{name}",
                f"/files/{token}/..%2f..%2fetc%2fpasswd", f"/files/..%2fmedia/{name}", f"/files/{token}/{name}%20",
                f"/files/%ff/{name}", f"/files/{'a' * 1000}/{name}"]
        for row in rows:
            with self.subTest(row[:60]):
                self.assertEqual(self.server.ask("GET", row, key=None).status, 404)

    def test_files_expire(self):
        task = self.server.create(FAST, image_url=data_url(png(160, 90))).data["taskId"]
        data, _ = self.server.wait(task)
        url = json.loads(data["resultJson"])["resultUrls"][0]
        self.assertEqual(self.get(url).status, 200)
        with self.server.database() as db:
            db.execute("UPDATE task SET files_expire_us = ? WHERE id = ?", (int(time.time() * 1e6) - 1, task))
        db.close()
        answer = self.get(url)
        self.assertEqual(answer.status, 404)
        self.assertIn("expired", answer.msg)
        self.assertEqual(self.server.record(task).data["state"], "success")

    # ---- what fails ----

    def test_failures(self):
        rows = [
            ("no such file", self.host.url + "/none.png"),
            ("not a picture", self.host.serve("/text.png", b"hello, this is no picture")),
            ("cut short", self.host.serve("/cut.png", png(160, 90)[:200])),
            ("too small", self.host.serve("/small.png", png(32, 32))),
            ("too narrow", self.host.serve("/narrow.png", png(70, 300))),
            ("no such host", "http://does-not-exist.invalid/a.png"),
            ("a network that is not allowed", "http://10.0.0.1/a.png"),
            ("sent along, damaged", data_url(png(160, 90)[:200])),
        ]
        tasks = [(label, self.server.create(image_url=url).data["taskId"]) for label, url in rows]
        for label, task in tasks:
            with self.subTest(label):
                data, _ = self.server.wait(task)
                self.assertEqual((data["state"], data["resultJson"]), ("fail", ""))
                self.assertRegex(data["failCode"], r"\A4\d\d\Z")
                self.assertGreater(len(data["failMsg"]), 10)
                self.assertEqual(data["costTime"], data["completeTime"] - data["createTime"])

    # ---- callbacks ----

    def check_callback(self, path, task, code):
        received = self.host.wait_for(path)
        self.assertTrue(received, "no callback came")
        _, headers, body = received[0]
        sent = json.loads(body)
        data = self.server.record(task).data
        self.assertEqual((sent["code"], sent["taskId"]), (code, task))
        self.assertEqual((sent["data"]["taskId"], sent["data"]["task_id"]), (task, task))
        self.assertEqual({k: sent["data"][k] for k in KEYS}, data)
        self.assertEqual(headers["Content-Type"].split(";")[0], "application/json")
        return headers, body, sent

    def test_callback_of_success(self):
        headers, body, sent = self.check_callback("/done", self.task, 200)
        self.assertEqual(sent["msg"], "Playground task completed successfully.")
        secret = self.server.key.webhook_secret
        # The documented signature, over task and time.
        stamp = headers["X-Webhook-Timestamp"]
        self.assertLess(abs(int(stamp) - time.time()), 600)
        keys = [secret.encode(), base64.b64decode(secret[len("whsec_"):])]
        self.assertIn(headers["X-Webhook-Signature"], [sign_kie(k, self.task, stamp) for k in keys])
        # Standard Webhooks, over the body.
        wanted = sign_standard(secret, headers["webhook-id"], headers["webhook-timestamp"], body)
        self.assertIn("v1," + wanted, headers["webhook-signature"].split(" "))

    def test_callback_of_failure(self):
        task = self.server.create(image_url=self.host.url + "/none.png",
                                  root={"callBackUrl": self.host.url + "/failed"}).data["taskId"]
        self.server.wait(task)
        _, _, sent = self.check_callback("/failed", task, 501)
        self.assertEqual(sent["msg"], "Playground task failed.")
        self.assertEqual(sent["data"]["state"], "fail")

    def test_callback_is_tried_again(self):
        self.host.wait_for("/done")
        self.host.statuses[:] = [500, 503]
        task = self.server.create(image_url=self.host.url + "/none.png",
                                  root={"callBackUrl": self.host.url + "/again?x=y"}).data["taskId"]
        self.server.wait(task)
        tries = self.host.wait_for("/again?x=y", 3)
        self.assertEqual(len(tries), 3)
        self.assertEqual(len({hashlib.sha256(body).digest() for _, _, body in tries}), 1)
        self.assertEqual(len({headers["webhook-id"] for _, headers, _ in tries}), 1)
        time.sleep(1.5)
        self.assertEqual(len(self.host.wait_for("/again?x=y", 3)), 3)  # a 200 ends it


class Outbound(unittest.TestCase):
    def test_loopback_needs_permission(self):
        host = Host()
        server = Server()
        try:
            image = host.serve("/a.png", png(160, 90))
            task = server.create(image_url=image).data["taskId"]
            data, _ = server.wait(task)
            self.assertEqual(data["state"], "fail")
            self.assertRegex(data["failMsg"], "127.0.0.1|not allowed|private|address")
        finally:
            host.stop()
            self.assertEqual(server.stop(), [])
