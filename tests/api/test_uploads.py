"""Uploads: three ways in, one way out, and what tasks make of them; download-url."""

import base64
import hashlib
import json
import os
import re
import socket
import struct
import threading
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

from harness import JSON, LITE, Host, Server, png

BASE64, STREAM, URL = "/api/file-base64-upload", "/api/file-stream-upload", "/api/file-url-upload"
DOWNLOAD = "/api/v1/common/download-url"
DATA_KEYS = ["success", "fileName", "filePath", "downloadUrl", "fileSize", "mimeType", "uploadedAt"]

# By their first bytes; nothing here decodes them.
JPEG = b"\xff\xd8\xff\xe0" + b"jpeg" * 20
WEBP = b"RIFF" + struct.pack("<I", 100) + b"WEBPVP8 " + b"webp" * 24


def form(parts, boundary="XyZ", end=True):
    """multipart/form-data from (name, value) or (name, value, file name)."""
    body = b""
    for name, value, *file_name in parts:
        value = value if isinstance(value, bytes) else value.encode()
        more = f'; filename="{file_name[0]}"\r\nContent-Type: text/html' if file_name else ""
        body += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'.encode()
        body += value + b"\r\n"
    return body + (f"--{boundary}--\r\n".encode() if end else b"")


class Client(unittest.TestCase):
    server = None

    @classmethod
    def send_base64(cls, content=None, key="default", **fields):
        body = {"base64Data": base64.b64encode(content).decode() if content is not None else None,
                "uploadPath": "images/tests"}
        body.update(fields)
        body = json.dumps({k: v for k, v in body.items() if v is not None})
        return cls.server.ask("POST", BASE64, body, key, {"Content-Type": "application/json"})

    @classmethod
    def send_form(cls, parts, key="default", end=True, **headers):
        send = {"Content-Type": "multipart/form-data; boundary=XyZ", **headers}
        return cls.server.ask("POST", STREAM, form(parts, end=end), key, send)

    @classmethod
    def send_url(cls, url, key="default", **fields):
        body = {"fileUrl": url, "uploadPath": "images/tests"}
        body.update(fields)
        body = json.dumps({k: v for k, v in body.items() if v is not None})
        return cls.server.ask("POST", URL, body, key, {"Content-Type": "application/json"})

    @classmethod
    def get(cls, url, method="GET", **headers):
        path = urlsplit(url).path
        return cls.server.ask(method, path, key=None, headers={k.replace("_", "-"): v for k, v in headers.items()})

    @classmethod
    def files(cls, part="upload"):
        names = sorted(os.listdir(os.path.join(cls.server.path, "data", "files", part)))
        return [n for n in names if part != "tmp" or n.endswith(".part") or "." not in n]  # others are a worker's

    def refused(self, answer, code, text, status=None):
        self.assertEqual(answer.status, code if status is None else status, answer.body)
        self.assertEqual(list(answer.json), ["success", "code", "msg"])
        self.assertEqual((answer.json["success"], answer.code), (False, code))
        self.assertIn(text, answer.msg)

    def stored(self, answer, content, media):
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(answer.headers["Content-Type"], JSON)
        self.assertEqual(list(answer.json), ["success", "code", "msg", "data"])
        self.assertEqual((answer.json["success"], answer.code, answer.msg), (True, 200, "File uploaded successfully"))
        data = answer.data
        self.assertEqual(list(data), DATA_KEYS)
        self.assertIs(data["success"], True)
        self.assertEqual((data["fileSize"], data["mimeType"]), (len(content), media))
        self.assertRegex(data["uploadedAt"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
        self.assertTrue(data["filePath"].endswith("/" + data["fileName"]), data)
        self.assertTrue(data["downloadUrl"].startswith(self.server.url + "/uploads/"), data)
        got = self.get(data["downloadUrl"])
        self.assertEqual((got.status, got.headers["Content-Type"], got.body), (200, media, content))
        return data


class Uploads(Client):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.server = Server("--allow-net=127.0.0.0/8", "--preset=ultrafast", "--extended-durations",
                            "--max-upload-bytes=64K", "--upload-fetches=1", "--max-image-bytes=32K")
        cls.other = cls.server.add_key("other")
        cls.picture = png(160, 90)

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()
        assert cls.server.stop() == []

    # ---- in and out ----

    def test_three_ways(self):
        rows = [
            ("base64", lambda c: self.send_base64(c)),
            ("data: URL", lambda c: self.send_base64(base64Data="data:text/html;base64," +
                                                     base64.b64encode(c).decode())),
            ("unpadded, in lines", lambda c: self.send_base64(
                base64Data=base64.encodebytes(c).decode().rstrip("=\n"))),
            ("form", lambda c: self.send_form([("file", c, "evil.html"), ("uploadPath", "images/tests")])),
            ("path before the file", lambda c: self.send_form([("uploadPath", "images/tests"), ("x", "y"),
                                                               ("file", c, "")])),
            ("URL", lambda c: self.send_url(self.host.serve("/up", c, "text/html"))),
        ]
        for label, send in rows:
            for content, media, end in ((self.picture, "image/png", "png"), (JPEG, "image/jpeg", "jpg"),
                                        (WEBP, "image/webp", "webp")):
                with self.subTest(label, media=media):
                    data = self.stored(send(content), content, media)
                    self.assertRegex(data["fileName"], rf"^\d{{13}}-[0-9a-f]{{11}}\.{end}$")
                    self.assertRegex(data["filePath"], rf"^zoetrope/\d+/images/tests/{data['fileName']}$")

    def test_names(self):
        for name in ("a.png", "a b%20.png", "\u955c\u5934 \u00e9.png", "x" * 196 + ".png", "a&b=c#d+e;f'.png",
                     "CON.png.", "a..b"):
            with self.subTest(name=name):
                data = self.stored(self.send_base64(self.picture, fileName=name, uploadPath="p/q r/\u955c"),
                                   self.picture, "image/png")
                self.assertEqual(data["fileName"], name)
                self.assertTrue(data["filePath"].endswith(f"/p/q r/\u955c/{name}"))
        for label, send in (("form", lambda: self.send_form([("file", self.picture, "x"), ("fileName", "n\u00e9.png"),
                                                             ("uploadPath", "p")])),
                            ("URL", lambda: self.send_url(self.host.serve("/n", self.picture), fileName="n\u00e9.png"))):
            with self.subTest(label):
                self.assertEqual(self.stored(send(), self.picture, "image/png")["fileName"], "n\u00e9.png")

    def test_serving(self):
        content = self.picture
        url = self.stored(self.send_base64(content, fileName="s\u00e9rve%.png"), content, "image/png")["downloadUrl"]
        whole = self.get(url)
        self.assertEqual(whole.headers["X-Content-Type-Options"], "nosniff")
        self.assertIn('inline; filename="s__rve_.png"; filename*=UTF-8\'\'s%C3%A9rve%25.png',
                      whole.headers["Content-Disposition"])
        self.assertIn("sandbox", whole.headers["Content-Security-Policy"])
        self.assertIsNone(whole.headers["Access-Control-Allow-Origin"])
        head = self.get(url, "HEAD")
        self.assertEqual((head.status, head.body, head.headers["Content-Length"]), (200, b"", str(len(content))))
        part = self.get(url, Range="bytes=10-19")
        self.assertEqual((part.status, part.body), (206, content[10:20]))
        self.assertEqual(self.get(url, Range="bytes=99999-").status, 416)
        self.assertEqual(self.get(url, If_None_Match=whole.headers["ETag"]).status, 304)
        self.assertEqual(self.get(url[:-4] + ".jpg").status, 404)
        token = urlsplit(url).path.split("/")[2]
        self.assertRegex(token, r"^[0-9a-f]{64}$")
        for path in (f"/uploads/{token[:-1]}0/x.png" if token[-1] != "0" else f"/uploads/{token[:-1]}1/x.png",
                     "/uploads/x/y", f"/uploads/{token}/..%2f..%2fzoetrope.db", f"/uploads/{token}%00/x"):
            with self.subTest(path=path):
                self.assertIn(self.get(path).status, (400, 404))
        self.assertEqual(self.server.ask("OPTIONS", BASE64, headers={"Origin": "https://evil.example"})
                         .headers["Access-Control-Allow-Origin"], None)

    # ---- errors ----

    def test_errors(self):
        p, host = self.picture, self.host
        big = b"\x89PNG\r\n\x1a\n" + b"x" * 65536
        unicode_404 = host.url + "/nothing"
        rows = [
            ("no path", lambda: self.send_base64(p, uploadPath=None), 400, "Missing required parameter: uploadPath"),
            ("empty path", lambda: self.send_base64(p, uploadPath=""), 400, "Missing required parameter: uploadPath"),
            ("no data", lambda: self.send_base64(), 400, "Missing required parameter: base64Data"),
            ("no URL", lambda: self.send_url(None, address="http://a/b"), 400,
             "Missing required parameter: fileUrl (file download URL)"),
            ("no file", lambda: self.send_form([("uploadPath", "p")]), 400, "Missing required parameter: file"),
            ("empty file", lambda: self.send_form([("file", b"", "x.png"), ("uploadPath", "p")]), 400,
             "Missing required parameter: file"),
            ("form without a path", lambda: self.send_form([("file", p, "x.png")]), 400,
             "Missing required parameter: uploadPath"),
            ("not base64", lambda: self.send_base64(base64Data="!!!!"), 400,
             "Base64 decoding failed: Invalid Base64 format"),
            ("percent data", lambda: self.send_base64(base64Data="data:image/png,abc"), 400,
             "Base64 decoding failed: Invalid Base64 format"),
            ("data without a comma", lambda: self.send_base64(base64Data="data:"), 400, "Base64 decoding failed"),
            ("data is a number", lambda: self.send_base64(base64Data=5), 400, "base64Data must be text"),
            ("path is a list", lambda: self.send_base64(p, uploadPath=["a"]), 400, "uploadPath must be text"),
            ("leading slash", lambda: self.send_base64(p, uploadPath="/a"), 400, "uploadPath must not begin or end"),
            ("trailing slash", lambda: self.send_base64(p, uploadPath="a/"), 400, "uploadPath must not begin or end"),
            ("no picture", lambda: self.send_base64(b"<html>hello"), 400, "JPEG, PNG or WebP"),
            ("too large", lambda: self.send_base64(big), 413, "65536 bytes at most"),
            ("form with no picture", lambda: self.send_form([("file", b"GIF89a" * 9, "x.png"), ("uploadPath", "p")]),
             400, "JPEG, PNG or WebP"),
            ("form too large", lambda: self.send_form([("file", big, "x.png"), ("uploadPath", "p")]), 413,
             "65536 bytes at most"),
            ("two files", lambda: self.send_form([("file", p, "x.png"), ("file", p, "y.png"), ("uploadPath", "p")]),
             400, "one file"),
            ("form without an end", lambda: self.send_form([("file", p, "x"), ("uploadPath", "p")], end=False), 400,
             "ends before"),
            ("broken form", lambda: self.server.ask("POST", STREAM, form([("file", p, "x")]) + b"more",
                                                    headers={"Content-Type": "multipart/form-data; boundary=XyZ"}),
             400, "not well-formed"),
            ("many parts", lambda: self.send_form([("a", "")] * 1001), 400, "more than 1000 parts"),
            ("long path in a form", lambda: self.send_form([("uploadPath", "p" * 2000)]), 400, "uploadPath may have"),
            ("bytes for a name", lambda: self.send_form([("file", p, "x"), ("uploadPath", b"\xff\xfe")]), 400, "UTF-8"),
            ("not a form", lambda: self.server.ask("POST", STREAM, "{}", headers={"Content-Type": "application/json"}),
             415, "multipart/form-data"),
            ("not JSON", lambda: self.server.ask("POST", BASE64, "a=b", headers={"Content-Type": "text/plain"}), 415,
             "application/json"),
            ("JSON cut off", lambda: self.server.ask("POST", URL, '{"fileUrl"'), 400, "not usable"),
            ("a JSON list", lambda: self.server.ask("POST", URL, "[]"), 400, "JSON object"),
            ("other scheme", lambda: self.send_url("ftp://example.org/a"), 400, "fileUrl must be an http or https URL"),
            ("data: as URL", lambda: self.send_url("data:image/png;base64,AAAA"), 400, "fileUrl must be"),
            ("404", lambda: self.send_url(unicode_404), 400, "HTTP 404"),
            ("private address", lambda: self.send_url("http://10.0.0.1/a.png"), 400, "could not be downloaded"),
            ("metadata address", lambda: self.send_url("http://169.254.169.254/latest"), 400, "could not be downloaded"),
            ("closed port", lambda: self.send_url("http://127.0.0.1:1/a"), 400, "could not be downloaded"),
            ("URL to no picture", lambda: self.send_url(host.serve("/t", b"plain text here")), 400, "JPEG, PNG or WebP"),
            ("URL to a large one", lambda: self.send_url(host.serve("/big", big)), 413, "65536 bytes at most"),
            ("no key", lambda: self.send_base64(p, key=None), 401, "Authentication failed: Invalid API Key"),
            ("no key for a form", lambda: self.send_form([("file", p, "x")], key=None), 401, "Authentication failed"),
            ("no key for a URL", lambda: self.send_url("http://a/", key=None), 401, "Authentication failed"),
            ("GET", lambda: self.server.ask("GET", BASE64), 405, "POST"),
            ("PUT", lambda: self.server.ask("PUT", STREAM), 405, "POST"),
            ("huge by its length", lambda: self.ask_raw(
                f"POST {STREAM} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {self.server.key.secret}\r\n"
                "Content-Type: multipart/form-data; boundary=b\r\nContent-Length: 900000\r\n\r\n"), 413, "65536"),
        ]
        before = self.files(), self.files("tmp")
        for label, send, code, text in rows:
            with self.subTest(label):
                self.refused(send(), code, text)
        self.assertEqual((self.files(), self.files("tmp")), before)
        for bad in ("..", ".", "a/../b", "a//b", ".hidden", "a/.b", "a\\b", "a:b", "a\nb", "a\x7f", " a", "a ", "x" * 201,
                    "\u202egnp.exe", "a*", "a?", "a\"b", "a<b", "a|b", "/".join(["abcdefghi"] * 60)):
            with self.subTest(bad=bad):
                self.refused(self.send_base64(p, uploadPath=bad), 400, "uploadPath must be")
                if "/" not in bad:
                    self.refused(self.send_base64(p, fileName=bad), 400, "fileName must")
        self.refused(self.send_base64(p, fileName="../../x"), 400, "fileName must")

    def ask_raw(self, head):
        class Raw:
            def __init__(self, status, body):
                self.status, self.json = status, json.loads(body)
                self.code, self.msg, self.body = self.json["code"], self.json["msg"], body

        with socket.create_connection((self.server.host, self.server.port), timeout=30) as s:
            s.sendall(head.encode())
            got = b""
            while True:
                more = s.recv(65536)
                if not more:
                    break
                got += more
        return Raw(int(got.split()[1]), got.split(b"\r\n\r\n", 1)[1])

    def test_clients_that_leave(self):
        head = (f"POST {STREAM} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {self.server.key.secret}\r\n"
                "Content-Type: multipart/form-data; boundary=XyZ\r\nContent-Length: 60000\r\n\r\n").encode()
        part = form([("file", self.picture + b"x" * 20000, "x")], end=False)
        for _ in range(5):
            with socket.create_connection((self.server.host, self.server.port)) as s:
                s.sendall(head + part)
                self.eventually(lambda: len(self.files("tmp")) == 1, "a file is begun")
            self.eventually(lambda: self.files("tmp") == [], "and gone")

    def eventually(self, what, label):
        until = time.monotonic() + 60
        while not what():
            self.assertLess(time.monotonic(), until, label)
            time.sleep(0.01)

    # ---- names and bytes ----

    def test_same_bytes_are_stored_once(self):
        content = self.picture + os.urandom(40)
        sha = hashlib.sha256(content).hexdigest()
        before = len(self.files())
        urls = {self.stored(self.send_base64(content, key=key, fileName=name), content, "image/png")["downloadUrl"]
                for key in (self.server.key, self.other) for name in ("a.png", "b.png")}
        self.assertEqual(len(urls), 4)
        self.assertEqual(len(self.files()), before + 1)
        self.assertIn(sha, self.files())

    def test_same_bytes_at_once(self):
        content = self.picture + os.urandom(40)
        before = len(self.files())

        def send(i):
            if i % 2:
                return self.send_base64(content, fileName=f"at-once-{i % 6}")
            return self.send_form([("file", content, "x"), ("uploadPath", "images/tests"),
                                   ("fileName", f"at-once-{i % 6}")])

        with ThreadPoolExecutor(12) as pool:
            answers = list(pool.map(send, range(36)))
        urls = {self.stored(a, content, "image/png")["downloadUrl"] for a in answers}
        self.assertEqual(len(urls), 6)
        self.assertEqual(len(self.files()), before + 1)
        self.assertEqual(self.files("tmp"), [])

    def test_same_name_overwrites(self):
        one, two = self.picture + b"1", self.picture + b"2"
        first = self.stored(self.send_base64(one, fileName="over.png"), one, "image/png")
        mine = self.stored(self.send_base64(one, fileName="over.png", key=self.other), one, "image/png")
        second = self.stored(self.send_base64(two, fileName="over.png"), two, "image/png")
        self.assertEqual(second["downloadUrl"], first["downloadUrl"])
        self.assertEqual(self.get(mine["downloadUrl"]).body, one)
        self.assertNotEqual(mine["filePath"], first["filePath"])
        moved = self.stored(self.send_base64(two, fileName="over.png", uploadPath="q"), two, "image/png")
        self.assertNotEqual(moved["downloadUrl"], first["downloadUrl"])

    def test_url_downloads_are_bounded(self):
        gate, n = threading.Event(), []

        class Slow(threading.Thread):
            def run(inner):
                n.append(self.send_url(self.host.url + "/slow"))

        real = self.host.files
        content = self.picture

        class Files(dict):
            def get(inner, path, default=None):
                if path == "/slow":
                    gate.wait(60)
                    return (200, "image/png", content)
                return real.get(path, default)

        self.host.files = Files()
        try:
            threads = [Slow() for _ in range(12)]  # 1 at once, 4 wait
            for t in threads:
                t.start()
            self.eventually(lambda: len(n) >= 7, "those past the bound are refused")
            self.assertEqual(self.send_base64(content).status, 200)  # others go on
            gate.set()
            for t in threads:
                t.join()
        finally:
            gate.set()
            self.host.files = real
        self.assertEqual({a.status for a in n}, {200, 429})
        self.assertEqual(sum(a.status == 200 for a in n), 5)
        late = next(a for a in n if a.status == 429)
        self.refused(late, 429, "try again")
        self.assertGreater(int(late.headers["Retry-After"]), 0)

    # ---- tasks ----

    def create(self, image, end=None, **more):
        return self.server.create(LITE, resolution="480p", duration=2, seed=3, image_url=image, end_image_url=end,
                                  **more)

    def test_from_upload_to_video(self):
        fake = self.send_base64(b"\x89PNG\r\n\x1a\n" + b"x" * 400).data["downloadUrl"]
        data, _ = self.server.wait(self.create(fake).data["taskId"])
        self.assertEqual((data["state"], data["failCode"]), ("fail", "422"))
        self.assertIn("image_url", data["failMsg"])  # no picture after all: the decoder says so

        image = self.send_base64(self.picture, fileName="first \u955c.png").data["downloadUrl"]
        end = self.send_form([("file", png(160, 90, (20, 160, 90)), "x"), ("uploadPath", "p")]).data["downloadUrl"]
        answer = self.create(image, end)
        self.assertEqual(answer.status, 200, answer.body)
        data, _ = self.server.wait(answer.data["taskId"])
        self.assertEqual(data["state"], "success", data)
        self.assertEqual(json.loads(data["param"])["input"]["image_url"], image)
        result = json.loads(data["resultJson"])
        plan = answer.data["plan"]  # what was promised when it was taken
        self.assertEqual([plan[k] for k in ("width", "height", "frames", "fps")],
                         [result[k] for k in ("width", "height", "frames", "fps")])
        # The result's own stills are pictures, too; so is one by an address that is given out.
        fresh = self.server.ask("POST", DOWNLOAD, json.dumps({"url": result["posterUrl"]})).data
        again = self.create(result["lastFrameUrl"], fresh)
        self.assertEqual(again.status, 200, again.body)
        self.assertEqual(self.create(result["resultUrls"][0]).msg,
                         "input.image_url must lead to a picture, and this is a video")
        self.eventually(lambda: self.server.record(again.data["taskId"]).data["state"] == "generating",
                        "its pictures were read")
        self.check_download_url(result)

    def check_download_url(self, result):
        def ask(body, key="default"):
            return self.server.ask("POST", DOWNLOAD, body if isinstance(body, str) else json.dumps(body), key)

        for url in (result["resultUrls"][0], result["posterUrl"], result["lastFrameUrl"]):
            answer = ask({"url": url})
            self.assertEqual((answer.status, answer.code, answer.msg), (200, 200, "success"), answer.body)
            self.assertNotEqual(answer.data, url)
            self.assertNotIn(urlsplit(url).path.split("/")[2], answer.data)
            got, want = self.get(answer.data), self.get(url)
            self.assertEqual((got.status, got.body), (200, want.body))
            self.assertEqual(got.headers["Content-Type"], want.headers["Content-Type"])
            self.assertEqual(self.get(answer.data, Range="bytes=0-3").status, 206)
        wrong = [("foreign", {"url": "https://example.org/a.mp4"}), ("not there", {"url": url[:-5] + "x.jpg"}),
                 ("another server", {"url": url.replace(str(self.server.port), "1")}),
                 ("unknown token", {"url": self.server.url + "/files/abc/last.jpg"}),
                 ("the server", {"url": self.server.url}), ("no URL", {"url": "x"})]
        for label, body in wrong:
            with self.subTest(label):
                answer = ask(body)
                self.assertEqual((answer.status, answer.json), (422, {"code": 422, "msg": "url is wrong", "data": None}))
        self.assertEqual(ask({"url": url}, self.other).msg, "url is wrong")
        self.assertEqual(ask({}).code, 422)
        self.assertIn("url is required", ask({}).msg)
        self.assertEqual(ask("x").code, 400)
        self.assertEqual(ask({"url": url}, None).code, 401)
        fresh = ask({"url": url}).data
        end, mac = re.search(r"/(\d+)-([0-9a-f]{64})/", fresh).groups()
        self.assertTrue(19 * 60 < int(end) - time.time() <= 20 * 60)
        for bad in (fresh.replace(end, str(int(end) + 60)), fresh.replace(mac, mac[::-1]),
                    fresh.replace("last.jpg", "poster.jpg"), fresh.replace(end + "-", ""), fresh.replace(mac, mac[:-1])):
            with self.subTest(bad=bad):
                self.assertEqual(self.get(bad).status, 404)

    def test_pictures_that_are_not_there(self):
        data = self.send_base64(self.picture, fileName="gone.png").data
        base = self.server.url
        rows = [base + "/uploads/" + "0" * 64 + "/a.png", base + "/files/abc/last.jpg", base + "/nothing", base,
                base + "/downloads/task/1-abc/last.jpg", base + "/uploads/%ff/x", base + "/files/x/y/z"]
        for url in rows:
            with self.subTest(url=url):
                answer = self.create(url)
                self.assertEqual(answer.status, 422, answer.body)
                self.assertIn("input.image_url leads to a file of this server that does not exist, or has expired",
                              answer.msg)
        answer = self.create(data["downloadUrl"], rows[0])
        self.assertIn("input.end_image_url leads to", answer.msg)
        # What only looks like this server is another, which the guard judges when the task runs.
        self.assertEqual(self.create(base.replace("127.0.0.1", "127.0.0.2") + "/uploads/x/y").status, 200)
        large = self.send_base64(b"\x89PNG\r\n\x1a\n" + b"x" * 40000).data["downloadUrl"]
        answer = self.create(large)
        self.assertEqual(answer.status, 422)
        self.assertIn("input.image_url leads to an upload of 40008 bytes; a picture may have 32768 at most", answer.msg)


class Limits(Client):
    """Time, room, restarts: with a server of its own, whose workers are held back."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--upload-bytes=20000", "--http-status=compat", "--workers=0")
        cls.other = cls.server.add_key("other")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def age(self, us, sql="expires_us=expires_us-?"):
        with cls_closing(self.server.database()) as db:
            db.execute("UPDATE upload SET " + sql, (us,))
            db.commit()

    def restart(self):
        """The sweep is at the start."""
        self.server.process.terminate()
        self.assertEqual(self.server.process.wait(60), 0)
        self.server.process.stdout.close()
        port = self.server.port
        flags = [f for f in self.server.flags if not f.startswith("--listen")]
        self.server.flags = (*flags, f"--listen=127.0.0.1:{port}")
        self.server.start()

    def test_room_time_and_restart(self):
        picture = b"\x89PNG\r\n\x1a\n" + b"x" * 12000
        answer = self.send_base64(picture, fileName="a")
        url = self.stored(answer, picture, "image/png")["downloadUrl"]
        self.stored(self.send_base64(JPEG, fileName="b"), JPEG, "image/jpeg")
        self.refused(self.send_base64(picture + b"2", fileName="c"), 413, "more than the 20000 that are allowed", 200)
        self.stored(self.send_base64(picture, fileName="a"), picture, "image/png")  # the same again is free
        self.stored(self.send_base64(picture, fileName="c", key=self.other), picture, "image/png")
        self.refused(self.send_base64(JPEG, key=None), 401, "Authentication failed", 200)
        self.assertEqual(len(self.files()), 2)  # what was refused takes no room

        task = self.server.create(image_url=url, key=self.server.key).data["taskId"]
        day = 86400 * 1000000
        self.age(3 * day)  # expired, but not for long enough to be swept
        self.assertEqual(self.get(url).status, 404)
        answer = self.server.create(image_url=url)
        self.assertEqual((answer.status, answer.code), (200, 422))
        self.assertIn("input.image_url leads to a file of this server that does not exist", answer.msg)

        self.age(day)
        for name in self.files():  # as if it were long ago
            os.utime(os.path.join(self.server.path, "data", "files", "upload", name), (1, 1))
        self.restart()
        sha = hashlib.sha256(picture).hexdigest()
        self.eventually(lambda: self.files() == [sha])  # a waiting task names it
        self.stored(self.send_base64(JPEG, fileName="b"), JPEG, "image/jpeg")  # there is room again
        with cls_closing(self.server.database()) as db:
            db.execute("UPDATE task SET state='fail' WHERE id=?", (task,))
            db.commit()
        self.restart()
        self.eventually(lambda: self.files() == [hashlib.sha256(JPEG).hexdigest()])

    def eventually(self, what):
        until = time.monotonic() + 30
        while not what():
            self.assertLess(time.monotonic(), until, self.files())
            time.sleep(0.02)


class cls_closing:
    """A database that is closed, whatever happens."""

    def __init__(self, db):
        self.db = db

    def __enter__(self):
        return self.db

    def __exit__(self, *_):
        self.db.close()


if __name__ == "__main__":
    unittest.main()
