"""The server around the API: addresses, methods, health, the OpenAPI document."""

import http.client
import socket
import unittest

from harness import CREATE, JSON, LITE, MODELS, RECORD, Server


class Http(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--workers=0")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def test_unknown_addresses(self):
        for path in ("/api", "/page", "/page/", "/page/index.html", "/page/..%2fapp.js", "/page/none.js", "/api/v1/jobs/createTask/", "/api/v1/jobs/", "/files/x", "/favicon.ico", "/..", "//"):
            with self.subTest(path):
                answer = self.server.ask("GET", path)
                self.assertEqual(answer.status, 404)
                self.assertEqual((answer.code, answer.data), (404, None))
                self.assertEqual(answer.headers["Content-Type"], JSON)

    def test_methods(self):
        rows = [("GET", CREATE, "POST"), ("PUT", CREATE, "POST"), ("OPTIONS", CREATE, "POST"),
                ("POST", RECORD, "GET, HEAD"), ("DELETE", RECORD, "GET, HEAD"), ("POST", "/healthz", "GET, HEAD"),
                ("PATCH", "/files/a/b", "GET, HEAD")]
        for method, path, allow in rows:
            with self.subTest(f"{method} {path}"):
                answer = self.server.ask(method, path)
                self.assertEqual((answer.status, answer.headers["Allow"]), (405, allow))
                self.assertEqual(answer.code, 405)
                self.assertIn(allow, answer.msg)

    def test_malformed_path(self):
        for path in ("/files/%zz/a", "/files/a%00b/c"):
            self.assertEqual(self.server.ask("GET", path).status, 400)

    def test_head(self):
        for path in ("/healthz", "/openapi.json", RECORD + "?taskId=x"):
            got, head = self.server.ask("GET", path), self.server.ask("HEAD", path)
            self.assertEqual((head.status, head.body), (got.status, b""))
            self.assertEqual(head.headers["Content-Length"], str(len(got.body)))

    def test_health(self):
        self.assertEqual(self.server.ask("GET", "/healthz", key=None).json, {"code": 200, "msg": "alive", "data": None})
        self.assertEqual(self.server.ask("GET", "/readyz", key=None).json, {"code": 200, "msg": "ready", "data": {
            "checks": {"store": "ok", "disk": "ok", "workers": "ok", "accepting": "ok"}, "ready": True}})

    def test_no_other_site_may_read_answers(self):
        answer = self.server.ask("GET", RECORD + "?taskId=x", headers={"Origin": "https://evil.example"})
        self.assertNotIn("Access-Control-Allow-Origin", answer.headers)
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")

    def test_keeps_the_connection_over_errors(self):
        connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=30)
        headers = {"Authorization": f"Bearer {self.server.key.secret}", "Content-Type": "application/json"}
        connection.connect()
        local = connection.sock.getsockname()
        rows = [("POST", CREATE, b"{", 400), ("POST", CREATE, b"{}", 422), ("GET", "/nowhere", None, 404),
                ("POST", "/healthz", b"abc", 405), ("GET", RECORD + "?taskId=x", None, 422), ("GET", "/healthz", None, 200)]
        for method, path, body, status in rows:
            connection.request(method, path, body=body, headers=headers)
            response = connection.getresponse()
            response.read()
            self.assertEqual(response.status, status)
            self.assertEqual(connection.sock.getsockname(), local)
        connection.close()

    def test_broken_requests_leave_it_standing(self):
        rows = [b"", b"\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                b"GET /" + b"a" * 100000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
                b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 20000 + b"\r\n",
                b"POST " + CREATE.encode() + b" HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
                b"POST " + CREATE.encode() + b" HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"]
        for request in rows:
            with self.subTest(request[:30]):
                with socket.create_connection((self.server.host, self.server.port), timeout=30) as s:
                    try:
                        s.sendall(request)
                        s.shutdown(socket.SHUT_WR)
                        while s.recv(65536):
                            pass
                    except OSError:
                        pass  # it may hang up on us
                self.assertEqual(self.server.ask("GET", "/healthz").status, 200)

    def test_describes_itself(self):
        answer = self.server.ask("GET", "/openapi.json", key=None)
        document = answer.json
        self.assertEqual(answer.headers["Content-Type"], JSON)
        self.assertTrue(document["openapi"].startswith("3.1"))
        self.assertEqual(document["servers"][0]["url"], self.server.url)
        self.assertEqual([s["$ref"].split("/")[-1] for s in document["components"]["schemas"]["createTask"]["oneOf"]],
                         [m.split("/")[1] for m in MODELS])

    def test_is_as_it_describes(self):
        """Each limit in the document: the value at it is taken, the one past it is not."""
        schemas = self.server.ask("GET", "/openapi.json").json["components"]["schemas"]
        for model in MODELS:
            body = schemas[model.split("/")[1]]
            fields = body["properties"]["input"]["properties"]
            for name, schema in fields.items():
                good, bad = [], ["", [], {}, "no such word"]
                if "enum" in schema:
                    good = schema["enum"]
                elif "anyOf" in schema:
                    good = [v for s in schema["anyOf"] for v in s["enum"]]
                elif schema["type"] == "boolean":
                    good, bad = [True, False], [0, "true", []]
                elif schema["type"] == "integer":
                    good = [schema["minimum"], schema["maximum"], schema.get("default", schema["maximum"])]
                    bad += [schema["minimum"] - 1, schema["maximum"] + 1, 0.5]
                elif "maxLength" in schema:
                    good = ["a" * schema["minLength"], "a" * schema["maxLength"]]
                    bad = ["", "a" * (schema["maxLength"] + 1), 1, []]
                elif schema.get("format") == "uri":
                    good = ["https://example.org/a.png"]
                    bad = ["no such word", 1, []]
                self.assertTrue(good, name)
                for value, code in [(v, 200) for v in good] + [(v, 422) for v in bad]:
                    with self.subTest(model=model, field=name, value=str(value)[:30]):
                        answer = self.server.create(model, **{name: value})
                        self.assertEqual(answer.code, code, answer.body[:300])
        self.assertEqual(set(schemas[LITE.split("/")[1]]["properties"]["input"]["required"]), {"prompt", "image_url"})
