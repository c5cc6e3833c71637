"""createTask, field by field: what is taken, what is refused, and with which words."""

import json
import os
import re
import struct
import unittest

from harness import CREATE, FAST, JSON, LITE, MODELS, PRO, Server, data_url, png

IMAGE = "https://example.org/a.png"
MEDIA = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "fixtures", "media")


class Create(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--workers=0", "--max-waiting=0")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def accepted(self, answer):
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["Content-Type"], JSON)
        self.assertEqual(list(answer.json), ["code", "msg", "data"])
        self.assertEqual((answer.code, answer.msg), (200, "success"))
        self.assertRegex(answer.data["taskId"], r"\Atask_bytedance_\d{13}[0-9a-f]{16}\Z")
        self.assertEqual(answer.data["recordId"], answer.data["taskId"])
        self.assertEqual(self.server.record(answer.data["taskId"]).code, 200)  # read after write
        return answer.data["taskId"]

    def refused(self, answer, code, *parts):
        self.assertEqual(answer.status, code, answer.body)
        self.assertEqual(answer.headers["Content-Type"], JSON)
        self.assertEqual(list(answer.json), ["code", "msg", "data"])
        self.assertEqual((answer.code, answer.data), (code, None))
        for part in parts:
            self.assertIn(part, answer.msg)

    def test_takes_the_documented_example(self):
        self.accepted(self.server.post({
            "model": LITE, "callBackUrl": "https://your-domain.com/api/callback",
            "input": {"prompt": "A golden retriever dashing through shallow surf", "image_url": IMAGE,
                      "resolution": "720p", "duration": "5", "camera_fixed": False, "seed": -1,
                      "enable_safety_checker": True, "end_image_url": "", "nsfw_checker": False}}))

    def test_takes(self):
        rows = [
            (LITE, {}), (PRO, {}), (FAST, {}),
            *[(LITE, {"resolution": r}) for r in ("480p", "720p", "1080p")],
            *[(FAST, {"resolution": r}) for r in ("720p", "1080p")],
            *[(LITE, {"duration": d}) for d in ("5", "10", 5, 10, 5.0)],
            *[(LITE, {"seed": s}) for s in (-1, 0, 1, 2.0, 2147483647)],
            *[(LITE, {"camera_fixed": b, "enable_safety_checker": not b, "nsfw_checker": b}) for b in (True, False)],
            (LITE, {"prompt": "a"}), (LITE, {"prompt": "雾" * 10000}), (LITE, {"prompt": "😀" * 10000}),
            (LITE, {"image_url": "http://example.org:8080/a?b=c#d"}),
            (LITE, {"image_url": "https://[2001:db8::1]/a.png"}),
            (LITE, {"image_url": data_url(png())}),
            (LITE, {"image_url": data_url(b"\xff\xd8\xff" + bytes(10 * 1024 * 1024 - 3), "image/jpeg")}),
            (LITE, {"end_image_url": ""}), (LITE, {"end_image_url": IMAGE}), (LITE, {"end_image_url": data_url(png())}),
            (LITE, {"unknown": {"a": [1, 2, 3]}, "aspect_ratio": "16:9"}),
            (PRO, {"end_image_url": 7}), (FAST, {"seed": "x", "camera_fixed": "x"}),
        ]
        for model, fields in rows:
            with self.subTest(model=model, fields=str(fields)[:80]):
                self.accepted(self.server.create(model, **fields))

    def test_says_what_will_be_made(self):
        def plan(**fields):
            answer = self.server.create(**fields)
            self.accepted(answer)
            return answer.data["plan"]

        with open(os.path.join(MEDIA, "exif_6.jpg"), "rb") as f:
            turned = bytearray(f.read())  # on its side in the file
        width, height = 1600, 900
        at = turned.index(b"\xff\xc0") + 5  # the size in its header, which is all that is looked at
        turned[at:at + 4] = struct.pack(">HH", height, width)
        for picture, kind, size in ((png(width, height), "png", (864, 480)), (png(64, 64), "png", (640, 640)),
                                    (png(300, 900), "png", (416, 960))):
            with self.subTest(size):
                got = plan(image_url=data_url(picture, "image/" + kind), resolution="480p")
                self.assertEqual((got["width"], got["height"]), size)
                self.assertEqual((got["seconds"], got["frames"], got["fps"]), (5, 121, 24))
        got = plan(image_url=data_url(turned, "image/jpeg"))
        self.assertEqual((got["width"], got["height"]), (704, 1248))
        got = plan(image_url=data_url(png(width, height)), resolution="1080p", duration=10)
        self.assertEqual((got["width"], got["height"], got["frames"]), (1920, 1088, 241))
        self.assertIn("241 frames are 10 seconds at 24 a second", got["why"])
        self.assertIn("1600x900", got["why"])
        got = plan(resolution="480p")  # by a URL: not here yet
        self.assertEqual((got["width"], got["height"], got["frames"]), (None, None, 121))
        self.assertEqual(got["sizes"]["16:9"], "864x480")
        self.assertEqual(len(got["sizes"]), 7)
        self.assertIn("fetched", got["why"])
        got = plan(image_url=data_url(b"\xff\xd8\xff" + bytes(100), "image/jpeg"))  # says nothing about itself
        self.assertIsNone(got["width"])

    def test_takes_frames_for_a_duration(self):
        for asked, made in ((1, 121), (100, 121), (121, 121), (122, 121), (180, 121), (181, 241), (241, 241), (289, 241)):
            with self.subTest(asked):
                answer = self.server.create(frames=asked)
                self.accepted(answer)
                plan = answer.data["plan"]
                self.assertEqual((plan["frames"], plan["seconds"]), (made, made // 24))
                self.assertEqual(f"nearest to the {asked} asked for" in plan["why"], asked != made, plan)
        for fields, said in (({"frames": 0}, "from 1 to 289"), ({"frames": 290}, "from 1 to 289"),
                             ({"frames": "121"}, "from 1 to 289"),
                             ({"frames": 121, "duration": "5"}, "together with input.duration")):
            with self.subTest(fields):
                self.refused(self.server.create(**fields), 422, "input.frames", said)

    def test_takes_null_for_what_is_optional(self):
        for model in MODELS:
            self.accepted(self.server.post({"model": model, "callBackUrl": None, "input": {
                "prompt": "a", "image_url": IMAGE, "resolution": None, "duration": None, "camera_fixed": None,
                "seed": None, "enable_safety_checker": None, "end_image_url": None, "nsfw_checker": None}}))

    def test_refuses_fields(self):
        words = "must be 480p, 720p or 1080p, not "
        whole = "must be a whole number from -1 to 2147483647, not "
        rows = [
            ("prompt", None, "is required"), ("prompt", "", "1 to 10000 characters, not 0"),
            ("prompt", "a" * 10001, "not 10001"), ("prompt", "雾" * 10001, "not 10001"),
            ("prompt", " \n\t", "must not be blank"), ("prompt", "\u3000", "must not be blank"),
            ("prompt", 7, "the number 7"), ("prompt", ["a"], "an array"), ("prompt", {"a": 1}, "an object"),
            ("image_url", None, "is required"), ("image_url", "", "http, https or data: URL"),
            ("image_url", "a.png", "http, https or data: URL"), ("image_url", "ftp://e.org/a", "'ftp://e.org/a'"),
            ("image_url", "file:///etc/passwd", "http, https or data: URL"),
            ("image_url", "blob:input/00", "http, https or data: URL"),
            ("image_url", "http://user:pw@e.org/", "user name"), ("image_url", "http://0x7f000001/", "http, https"),
            ("image_url", "http://e.org/a b", "space"), ("image_url", "https://", "http, https"),
            ("image_url", "http://e.org:99999/", "port"), ("image_url", "http://e.org/" + "a" * 9000, "8192"),
            ("image_url", 1, "the number 1"), ("image_url", ["http://e.org/"], "an array"),
            ("image_url", data_url(b"GIF89a", "image/gif"), "JPEG, PNG or WebP"),
            ("image_url", data_url(b"<svg/>", "image/svg+xml"), "JPEG, PNG or WebP"),
            ("image_url", data_url(png(), "text/html"), "not text/html"),
            ("image_url", data_url(b"\xff\xd8\xff" + bytes(10 * 1024 * 1024 - 2), "image/jpeg"), "10485760"),
            ("image_url", "data:image/png;base64,***", "cannot be decoded"),
            ("image_url", "data:image/png", "comma"),
            ("resolution", "4k", words + "the text '4k'"), ("resolution", "720P", words), ("resolution", 720, words),
            ("resolution", "", words), ("resolution", True, words + "true"),
            ("duration", "7", "must be 5 or 10, not the text '7'"), ("duration", 12, "the number 12"),
            ("duration", 5.5, "5.5"), ("duration", "5s", "'5s'"), ("duration", "", "5 or 10"),
            ("duration", True, "5 or 10"), ("duration", [5], "an array"),
            ("camera_fixed", "true", "must be true or false, not the text 'true'"), ("camera_fixed", 1, "the number 1"),
            ("camera_fixed", {}, "an object"),
            ("seed", -2, whole + "the number -2"), ("seed", 2147483648, whole), ("seed", 1.5, whole + "the number 1.5"),
            ("seed", "1", whole + "the text '1'"), ("seed", False, whole + "false"), ("seed", 1e300, whole),
            ("enable_safety_checker", "yes", "true or false"), ("enable_safety_checker", {}, "an object"),
            ("end_image_url", "x", "http, https or data: URL"), ("end_image_url", 0, "the number 0"),
            ("end_image_url", data_url(b"GIF89a", "image/gif"), "JPEG, PNG or WebP"),
            ("nsfw_checker", "false", "true or false"), ("nsfw_checker", 0, "true or false"),
        ]
        for field, value, part in rows:
            with self.subTest(field=field, value=str(value)[:40]):
                answer = self.server.create(**{field: value})
                self.refused(answer, 422, part)
                self.assertTrue(answer.msg.startswith(f"input.{field} "), answer.msg[:200])
                self.assertLess(len(answer.msg), 1000)

    def test_refuses_what_one_model_lacks(self):
        self.refused(self.server.create(FAST, resolution="480p"), 422, "input.resolution must be 720p or 1080p")

    def test_refuses_null_for_what_is_required(self):
        for field in ("prompt", "image_url"):
            fields = {"prompt": "a", "image_url": IMAGE, field: None}
            self.refused(self.server.post({"model": LITE, "input": fields}), 422, f"input.{field} is required")

    def test_refuses_models(self):
        rows = ["", "x", "bytedance/v1-lite-text-to-video", "bytedance/v1-pro-text-to-video", "bytedance/seedance-2",
                LITE.upper(), LITE + " ", 7, ["a"], {}]
        for model in rows:
            with self.subTest(model=model):
                self.refused(self.server.create(model), 422, "model", "The model name you specified is not supported.",
                             *MODELS)
        for body in ({"input": {}}, {"model": None, "input": {}}):
            self.refused(self.server.post(body), 422, "model is required", *MODELS)

    def test_refuses_roots(self):
        good = {"prompt": "a", "image_url": IMAGE}
        rows = [
            ({"model": LITE}, 422, "input is required"),
            ({"model": LITE, "input": None}, 422, "input is required"),
            ({"model": LITE, "input": json.dumps(good)}, 422, "input must be an object"),
            ({"model": LITE, "input": [good]}, 422, "input must be an object, not an array"),
            ({"model": LITE, "input": good, "callBackUrl": "nowhere"}, 422, "callBackUrl must be an http or https URL"),
            ({"model": LITE, "input": good, "callBackUrl": data_url(png())}, 422, "callBackUrl must be"),
            ({"model": LITE, "input": good, "callBackUrl": "ftp://e.org/"}, 422, "callBackUrl must be"),
            ({"model": LITE, "input": good, "callBackUrl": 1}, 422, "not the number 1"),
            ([], 400, "must be a JSON object"),
        ]
        for body, code, part in rows:
            with self.subTest(part):
                self.refused(self.server.post(body), code, part)

    def test_reports_all_problems_together(self):
        answer = self.server.post({"model": LITE, "callBackUrl": "x", "input": {
            "prompt": "", "resolution": "4k", "duration": 1, "camera_fixed": "no", "seed": -5,
            "enable_safety_checker": 1, "end_image_url": "y", "nsfw_checker": 2}})
        self.refused(answer, 422)
        named = re.findall(r"(?:\A|; )([A-Za-z_.]+) (?:must|is) ", answer.msg)
        self.assertEqual(named, ["callBackUrl", "input.prompt", "input.image_url", "input.resolution", "input.duration",
                                 "input.camera_fixed", "input.seed", "input.enable_safety_checker",
                                 "input.end_image_url", "input.nsfw_checker"])

    def test_refuses_bodies(self):
        def deep(n):
            return ('{"model":"%s","input":{"x":' % LITE + "[" * n + "]" * n + "}}").encode()

        rows = [
            ("empty", b"", "not valid JSON"),
            ("not JSON", b"model=x", "not valid JSON"),
            ("cut short", b'{"model":', "not valid JSON"),
            ("text after it", b'{} {}', "not valid JSON"),
            ("duplicate key", b'{"model":"a","model":"b"}', "duplicate"),
            ("duplicate key inside", ('{"model":"%s","input":{"prompt":"a","prompt":"b"}}' % LITE).encode(), "duplicate"),
            ("invalid UTF-8", b'{"model":"\xff\xfe"}', "UTF-8"),
            ("overlong UTF-8", b'{"model":"\xc0\xaf"}', "UTF-8"),
            ("lone surrogate", b'{"model":"\\ud800"}', "not valid JSON"),
            ("NUL in a text", b'{"model":"a\\u0000b"}', "not valid JSON"),
            ("too deep", deep(100), "32 levels"),
            ("far too deep", deep(200000), "32 levels"),
            ("NaN", b'{"model":NaN}', "not valid JSON"),
            ("huge number", ('{"model":"%s","input":{"seed":%s}}' % (LITE, "9" * 400)).encode(), "not valid JSON"),
        ]
        for label, body, part in rows:
            with self.subTest(label):
                self.refused(self.server.post(body), 400, part)

    def test_refuses_other_content_types(self):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
                     "application/jsonx", "application", ""):
            with self.subTest(kind):
                answer = self.server.post(b"{}", headers={"Content-Type": kind})
                self.refused(answer, 415, "Content-Type must be application/json")

    def test_takes_content_types(self):
        body = json.dumps({"model": LITE, "input": {"prompt": "a", "image_url": IMAGE}}).encode()
        for kind in ("application/json", "application/json; charset=utf-8", "Application/JSON;charset=UTF-8"):
            self.accepted(self.server.post(body, headers={"Content-Type": kind}))
        self.accepted(self.server.ask("POST", CREATE, body))  # none at all

    def test_refuses_huge_bodies_unread(self):
        answer = self.server.ask("POST", CREATE, b"", headers={
            "Content-Type": "application/json", "Content-Length": str(33 * 1024 * 1024 + 1)})
        self.refused(answer, 413, str(32 * 1024 * 1024))

    def test_keeps_two_large_pictures(self):
        picture = data_url(b"\xff\xd8\xff" + bytes(10 * 1024 * 1024 - 3), "image/jpeg")
        task = self.accepted(self.server.create(image_url=picture, end_image_url=picture))
        self.assertLess(len(self.server.record(task).data["param"]), 1000)


class Modes(unittest.TestCase):
    def test_compatible_statuses(self):
        server = Server("--workers=0", "--http-status=compat")
        try:
            rows = [(server.create(duration="7"), 422), (server.post(b"{"), 400), (server.create("x"), 422),
                    (server.record("x"), 422), (server.ask("GET", "/api/v1/jobs/recordInfo"), 400),
                    (server.record("x", key=None), 401),
                    (server.post(b"x", headers={"Content-Type": "text/plain"}), 415)]
            for answer, code in rows:
                with self.subTest(code):
                    self.assertEqual((answer.status, answer.code), (200, code))
            self.assertEqual(server.ask("GET", "/nowhere").status, 404)
        finally:
            self.assertEqual(server.stop(), [])

    def test_extended_durations(self):
        server = Server("--workers=0", "--extended-durations")
        try:
            for duration in (2, "3", 5, "10", 12):
                self.assertEqual(server.create(duration=duration).code, 200)
            for duration in (1, 13, "0", 2.5, "x"):
                answer = server.create(duration=duration)
                self.assertEqual(answer.code, 422)
                self.assertIn("from 2 to 12", answer.msg)
            self.assertIn(7, server.ask("GET", "/openapi.json").json["components"]["schemas"][LITE.split("/")[1]]
                          ["properties"]["input"]["properties"]["duration"]["anyOf"][1]["enum"])
        finally:
            self.assertEqual(server.stop(), [])
