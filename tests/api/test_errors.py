"""Each entry of the closed list of errors (docs/ERRORS.md), produced from outside; and that the list, the
program and the OpenAPI description say the same. That no other code is ever answered is checked on every
answer of every test: harness.Answer."""

import http.client
import json
import os
import socket
import subprocess
import unittest

import harness
from harness import ANSWERS, CREATE, ERRORS, FAILURES, Host, Server, data_url, png

CANCEL = "/api/v1/jobs/cancelTask"


class Listed(unittest.TestCase):
    """One server and a test a code; test_all_of_them looks that none is left out."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--workers=0", "--max-waiting=0")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def is_code(self, answer, code):
        self.assertEqual((answer.status, answer.code), (code, code), answer.body)
        self.assertTrue(answer.msg)
        self.assertIsNone(answer.data)

    def raw(self, text, server=None):
        """What the server says to bytes that no HTTP library would send."""
        server = server or self.server
        with socket.create_connection((server.host, server.port), 30) as s:
            try:
                s.sendall(text)
            except OSError:
                pass  # it need not read all of it
            response = http.client.HTTPResponse(s)
            response.begin()
            return harness.Answer(response)

    def code_400(self):
        self.is_code(self.server.post(b"{"), 400)

    def code_401(self):
        self.is_code(self.server.create(key=None), 401)

    def code_402(self):
        server = Server("--workers=0", "--price-720p=0.5")
        try:
            self.assertEqual(server.command("users", "create", "poor", "--credit=1").returncode, 0)
            done = server.command("keys", "create", "poor", "--user", "poor")
            key = server.read_key("poor", done.stdout)
            self.is_code(server.create(key=key, resolution="720p"), 402)
        finally:
            self.assertEqual(server.stop(), [])

    def code_404(self):
        self.is_code(self.server.ask("GET", "/nowhere"), 404)

    def code_405(self):
        answer = self.server.ask("GET", CREATE)
        self.is_code(answer, 405)
        self.assertIn("POST", answer.headers["Allow"])

    def code_408(self):
        """An upload by URL from a host that takes the connection and says nothing."""
        server = Server("--workers=0", "--allow-net=127.0.0.1")
        silent = socket.create_server(("127.0.0.1", 0))
        try:
            body = {"fileUrl": f"http://127.0.0.1:{silent.getsockname()[1]}/a.png", "uploadPath": "a"}
            answer = server.ask("POST", "/api/file-url-upload", json.dumps(body),
                                headers={"Content-Type": "application/json"})
            self.assertEqual((answer.status, answer.code), (408, 408), answer.body)
        finally:
            silent.close()
            self.assertEqual(server.stop(), [])

    def code_409(self):
        task = self.server.create().data["taskId"]
        body = json.dumps({"taskId": task})
        for code in (200, 409):
            answer = self.server.ask("POST", CANCEL, body, headers={"Content-Type": "application/json"})
            self.assertEqual(answer.code, code)
        self.is_code(answer, 409)

    def code_413(self):
        head = (f"POST {CREATE} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {self.server.key.secret}\r\n"
                "Content-Type: application/json\r\nContent-Length: 100000000000\r\n\r\n")
        self.is_code(self.raw(head.encode()), 413)

    def code_415(self):
        self.is_code(self.server.post(b"a=b", headers={"Content-Type": "text/plain"}), 415)

    def code_422(self):
        self.is_code(self.server.create(prompt=None), 422)

    def code_429(self):
        server = Server("--workers=0", "--rate-limit=1/60s")
        try:
            server.create()
            answer = server.create()
            self.is_code(answer, 429)
            self.assertGreater(int(answer.headers["Retry-After"]), 0)
        finally:
            self.assertEqual(server.stop(), [])

    def code_431(self):
        answer = self.raw(b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Large: " + b"a" * 100000 + b"\r\n\r\n")
        self.assertEqual(answer.status, 431)

    def code_433(self):
        server = Server("--workers=0", "--price-720p=0.5")
        try:
            self.assertEqual(server.command("users", "create", "capped", "--credit=100").returncode, 0)
            done = server.command("keys", "create", "capped", "--user", "capped", "--cap-day=1")
            key = server.read_key("capped", done.stdout)
            self.is_code(server.create(key=key, resolution="720p"), 433)
        finally:
            self.assertEqual(server.stop(), [])

    def with_fault(self, fault, *flags):
        os.environ["ZOETROPE_FAULT"] = fault
        try:
            return Server(*flags)
        finally:
            del os.environ["ZOETROPE_FAULT"]

    def code_500(self):
        """A picture that cannot be written."""
        server = self.with_fault("blob_write:1+", "--workers=0")
        try:
            self.is_code(server.create(image_url=data_url(png())), 500)
        finally:
            self.assertEqual(server.stop(), [])

    def code_501(self):
        self.is_code(self.raw(b"POST " + CREATE.encode() + b" HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer " +
                              self.server.key.secret.encode() + b"\r\nContent-Type: application/json\r\n"
                              b"Transfer-Encoding: gzip\r\n\r\n"), 501)

    def code_503(self):
        server = Server("--workers=0")
        try:
            path = os.path.join(server.path, "data", "zoetrope.db")
            os.rename(path, path + ".away")
            answer = server.ask("GET", "/readyz")
            os.rename(path + ".away", path)
            self.assertEqual((answer.status, answer.code), (503, 503))
            self.assertIn("moved or deleted", answer.msg)
        finally:
            self.assertEqual(server.stop(), [])

    def test_all_of_them(self):
        """416 needs a finished video: Failures has it."""
        mine = {int(name[5:]): getattr(self, name) for name in dir(self) if name.startswith("code_")}
        self.assertEqual(set(mine) | {416}, ANSWERS)
        for code, produce in sorted(mine.items()):
            with self.subTest(code=code):
                produce()

    def test_the_description_says_the_same(self):
        spec = self.server.ask("GET", "/openapi.json").json
        self.assertEqual(set(spec["components"]["schemas"]["error"]["properties"]["code"]["enum"]), ANSWERS)
        for name, response in spec["components"]["responses"].items():
            with self.subTest(name):
                self.assertEqual(response["description"], ERRORS[response["x-code"]][1])
        for path, methods in spec["paths"].items():
            for method in methods.values():
                for status, response in method["responses"].items():
                    with self.subTest(path=path, status=status):
                        self.assertTrue(status == "default" or int(status) < 400 or int(status) in ANSWERS)
                        name = response.get("$ref", "").rsplit("/", 1)[-1]
                        if name:
                            self.assertEqual(spec["components"]["responses"][name]["x-code"], int(status))

    def test_the_page_is_the_programs(self):
        done = subprocess.run([harness.PROGRAM, "help", "errors"], capture_output=True, text=True, timeout=60)
        with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/ERRORS.md"), encoding="utf-8") as f:
            self.assertEqual(done.stdout, f.read())


class Failures(unittest.TestCase):
    """A task that fails with each failCode there is."""

    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.host.serve("/a.png", png())

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()

    def end_of(self, server, **fields):
        return server.wait(server.create(resolution="480p", **fields).data["taskId"])[0]

    def fails(self, data, code):
        self.assertEqual((data["state"], data["failCode"]), ("fail", code), data)
        self.assertTrue(data["failMsg"])
        self.seen.add(code)

    def crashes(self, code):
        """A worker that dies each time it starts on the task."""
        os.environ["ZOETROPE_CRASH"] = "worker.started:1"
        try:
            server = Server("--allow-net=127.0.0.1")
        finally:
            del os.environ["ZOETROPE_CRASH"]
        try:
            self.fails(self.end_of(server, image_url=self.host.url + "/a.png"), code)
        finally:
            self.assertEqual(server.stop(), [])

    def damaged(self, code):
        """A row that cannot be read any more when its turn comes."""
        server = Server("--workers=0")
        try:
            task = server.create().data["taskId"]
            with server.database() as db:
                db.execute("UPDATE task SET input=CAST(x'ff' AS TEXT) WHERE id=?", (task,))
            worker = subprocess.Popen([harness.PROGRAM, "worker", "--data", os.path.join(server.path, "data")],
                                      stdin=subprocess.DEVNULL, stderr=server.log)
            data, _ = server.wait(task)
            worker.terminate()
            worker.wait(60)
            self.fails(data, code)
        finally:
            self.assertEqual(server.stop(), [])

    def test_all_of_them(self):
        self.seen = set()
        server = Server("--allow-net=127.0.0.1")
        silent = socket.create_server(("127.0.0.1", 0))
        try:
            slow = f"http://127.0.0.1:{silent.getsockname()[1]}/a.png"
            late = server.create(image_url=slow).data["taskId"]
            data, _ = server.wait(late)
            self.fails(data, "408")
            self.fails(self.end_of(server, image_url=self.host.url + "/none.png"), "422")
            good = self.end_of(server, image_url=data_url(png()))
            self.assertEqual(good["state"], "success", good)
            path = json.loads(good["resultJson"])["resultUrls"][0].split(str(server.port), 1)[1]
            answer = server.ask("GET", path, key=None, headers={"Range": "bytes=999999999-"})
            self.assertEqual(answer.status, 416)
            late = server.create(image_url=slow).data["taskId"]
            server.ask("POST", CANCEL, json.dumps({"taskId": late}), headers={"Content-Type": "application/json"})
            self.fails(server.record(late).data, "499")
        finally:
            silent.close()
            self.assertEqual(server.stop(), [])
        self.crashes("501")
        self.damaged("500")
        self.assertEqual(self.seen, FAILURES)
