"""The page as it is served, and the explanation of prompts that it shows."""

import json
import re
import subprocess
import unittest

import harness
from harness import JSON, Server

EXPLAIN = "/api/v1/prompt/explain"


class Page(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--workers=0")
        cls.index = cls.server.ask("GET", "/", key=None)

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def files(self):
        """Every file the page can load, found as a browser finds them."""
        seen, left = {}, re.findall(rb'(?:src|href)="(page/[^"]+)"', self.index.body)
        while left:
            path = "/" + left.pop().decode()
            if path in seen:
                continue
            seen[path] = self.server.ask("GET", path, key=None)
            left += [b"page/" + name for name in re.findall(rb'from "\./([\w.]+)"', seen[path].body)]
        return seen

    def test_every_file_is_there(self):
        types = {"js": "text/javascript;charset=UTF-8", "css": "text/css;charset=UTF-8", "svg": "image/svg+xml;charset=UTF-8"}
        files = self.files()
        self.assertGreater(len(files), 8)
        for path, answer in files.items():
            with self.subTest(path):
                self.assertEqual(answer.status, 200)
                self.assertEqual(answer.headers["Content-Type"], types[path.rsplit(".", 1)[1]])
                self.assertGreater(len(answer.body), 100)

    def test_policy(self):
        for path in ("/", *self.files()):
            with self.subTest(path):
                headers = self.server.ask("GET", path, key=None).headers
                policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
                self.assertEqual(policy["default-src"], "'none'")
                self.assertEqual((policy["script-src"], policy["style-src"], policy["connect-src"]), ("'self'",) * 3)
                self.assertEqual(policy["frame-ancestors"], "'none'")
                self.assertNotIn("unsafe", headers["Content-Security-Policy"])
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                self.assertEqual(headers["Referrer-Policy"], "no-referrer")

    def test_nothing_is_inline_or_from_elsewhere(self):
        self.assertEqual(self.index.headers["Content-Type"], "text/html;charset=UTF-8")
        html = self.index.body.decode()
        self.assertNotRegex(html, r"<script(?![^>]*\bsrc=)|<style|\bstyle=|\bon\w+=|javascript:")
        for path, answer in [("/", self.index), *self.files().items()]:
            text = re.sub(r"http://www\.w3\.org/2000/svg", "", answer.body.decode())
            self.assertNotRegex(text, r"https?://[a-z0-9]", path)
            self.assertNotRegex(text, r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(", path)

    def test_asks_again_and_is_told_it_is_as_it_was(self):
        for path in ("/", *self.files()):
            with self.subTest(path):
                first = self.server.ask("GET", path, key=None)
                self.assertRegex(first.headers["ETag"], r'^"[0-9a-f]{32}"$')
                again = self.server.ask("GET", path, key=None, headers={"If-None-Match": first.headers["ETag"]})
                self.assertEqual((again.status, again.body, again.headers["ETag"]), (304, b"", first.headers["ETag"]))
                other = self.server.ask("GET", path, key=None, headers={"If-None-Match": '"0"'})
                self.assertEqual((other.status, other.body), (200, first.body))
        self.assertEqual(len({a.headers["ETag"] for a in self.files().values()}), len(self.files()))

    def test_head(self):
        head = self.server.ask("HEAD", "/", key=None)
        self.assertEqual((head.status, head.body), (200, b""))
        self.assertEqual(head.headers["Content-Length"], str(len(self.index.body)))


class Explain(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--workers=0")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def explain(self, body, **more):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.server.ask("POST", EXPLAIN, body, headers={"Content-Type": more.get("type", "application/json")},
                               **({"key": more["key"]} if "key" in more else {}))

    def test_shots_moves_and_frames(self):
        answer = self.explain({"prompt": "0-2s: slow push in. 2-5s: 向左摇，小雪", "duration": "10"})
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, JSON))
        data = answer.data
        self.assertEqual([[m["move"] for m in s["moves"]] for s in data["shots"]], [["push_in"], ["pan_left"]])
        self.assertEqual([(s["firstFrame"], s["endFrame"]) for s in data["shots"]], [(0, 96), (96, 241)])
        self.assertEqual((data["frames"], data["fps"]), (241, 24))
        self.assertEqual(data["shots"][1]["atmosphere"], {"snow": 0.5})

    def test_is_what_the_command_says(self):
        prompt = "Seamless loop: the raccoon 在雨中, camera orbits left"
        said = subprocess.run([harness.PROGRAM, "explain", prompt, "--json"], capture_output=True, check=True, timeout=60)
        data = self.explain({"prompt": prompt}).data
        self.assertEqual([prompt.encode()[w["first_byte"]:w["end_byte"]].decode() for w in data["unread"]],
                         [w["text"] for w in data["unread"]])
        self.assertIn("raccoon", [w["text"] for w in data["unread"]])
        self.assertTrue(data["loop"])
        for shot in data["shots"]:
            del shot["firstFrame"], shot["endFrame"]
        self.assertEqual({k: v for k, v in data.items() if k not in ("frames", "fps")}, json.loads(said.stdout))

    def test_a_shot_without_time(self):
        prompt = ". ".join(["Push in"] + ["Cut to a pan left"] * 9)
        data = self.explain({"prompt": prompt, "duration": 5}).data
        self.assertEqual(len(data["shots"]), 10)
        self.assertEqual([s["endFrame"] > s["firstFrame"] for s in data["shots"]], [True] * 6 + [False] * 4)
        self.assertEqual(data["shots"][-1]["endFrame"], 121)

    def test_the_longest_prompt(self):
        self.assertEqual(self.explain({"prompt": "\U0001f600" * 10000}).code, 200)
        self.assertEqual(self.explain({"prompt": "a" * 10001}).code, 422)

    def test_refuses(self):
        rows = [({}, 422, "prompt is required"), ({"prompt": " "}, 422, "prompt"), ({"prompt": 7}, 422, "prompt"),
                ({"prompt": "a", "duration": "7"}, 422, "duration"), ([], 400, "JSON object"), (b"{", 400, "not usable"),
                (b'{"prompt":"\xff"}', 400, "not usable")]
        for body, code, text in rows:
            with self.subTest(str(body)):
                answer = self.explain(body)
                self.assertEqual((answer.status, answer.code), (code, code))
                self.assertIn(text, answer.msg)
        self.assertEqual(self.explain({"prompt": "a"}, key=None).code, 401)
        self.assertEqual(self.explain({"prompt": "a"}, type="text/plain").code, 415)
        self.assertEqual(self.explain(b" " * 300000).code, 413)
        self.assertEqual(self.server.ask("GET", EXPLAIN).code, 405)
