"""What an operator watches: metrics, readiness, logs, request ids, proxies, TLS, a full disk.

The metrics are read by the parser of Prometheus' own client library."""

import glob
import http.client
import json
import os
import random
import re
import shutil
import signal
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from harness import Host, Server, data_url, png

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LIBRARY = "prometheus-client==0.21.1"
PATIENCE_S = 120


def prometheus():
    """Its parser, fetched once into the build folder."""
    folder = os.path.join(ROOT, "build", "python")
    if not os.path.isdir(os.path.join(folder, "prometheus_client")):
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", folder, LIBRARY],
                       check=True, stdin=subprocess.DEVNULL, timeout=PATIENCE_S)
    if folder not in sys.path:
        sys.path.insert(0, folder)
    from prometheus_client import parser
    return parser


def until(what, seconds=PATIENCE_S):
    """The value of what() once it is true; None when time is over."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.05)
    return None


class Metrics:
    """One reading: families by name, samples by name and labels."""

    def __init__(self, answer):
        self.families = {f.name: f for f in prometheus().text_string_to_metric_families(answer.body.decode())}
        self.samples = {}
        for family in self.families.values():
            for s in family.samples:
                self.samples[(s.name, tuple(sorted(s.labels.items())))] = s.value

    def get(self, name, **labels):
        return self.samples.get((name, tuple(sorted(labels.items()))))


class Watching(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.server = Server("--allow-net=127.0.0.1", "--extended-durations", "--preset=ultrafast",
                            "--metrics-token=sesame")
        cls.picture = cls.host.serve("/picture.png", png())

    @classmethod
    def tearDownClass(cls):
        wrong = cls.server.stop()
        cls.host.stop()
        assert wrong == [], wrong

    def metrics(self, **headers):
        answer = self.server.ask("GET", "/metrics", key=None, headers=headers)
        self.assertEqual(answer.status, 200, answer.body)
        return Metrics(answer)

    def test_counts_a_task(self):
        before = self.metrics()
        task = self.server.create(image_url=self.picture, resolution="480p", duration="2",
                                  root={"callBackUrl": self.host.url + "/done"}).data["taskId"]
        self.assertEqual(self.server.wait(task)[0]["state"], "success")
        self.assertTrue(self.host.wait_for("/done"))
        bad = self.server.create(image_url=self.host.url + "/none.png").data["taskId"]
        self.assertEqual(self.server.wait(bad)[0]["state"], "fail")
        self.assertTrue(until(lambda: self.metrics().get("zoetrope_callback_tries_total", outcome="done")))
        after = self.metrics()

        def grew(name, **labels):
            return (after.get(name, **labels) or 0) - (before.get(name, **labels) or 0)

        self.assertEqual(grew("zoetrope_tasks_created_total"), 2)
        self.assertEqual(grew("zoetrope_attempts_total"), 2)
        self.assertEqual(grew("zoetrope_tasks_finished_total", state="success"), 1)
        self.assertEqual(grew("zoetrope_tasks_finished_total", state="fail"), 1)
        self.assertEqual(grew("zoetrope_task_moves_total", **{"from": "queuing", "to": "generating"}), 1)
        self.assertEqual(grew("zoetrope_task_moves_total", **{"from": "queuing", "to": "fail"}), 1)
        self.assertEqual(grew("zoetrope_callback_tries_total", outcome="done"), 1)
        for phase, n in {"waiting": 2, "attempt": 2, "fetch": 1, "decode": 1, "render": 1, "publish": 1}.items():
            with self.subTest(phase):
                self.assertEqual(grew("zoetrope_phase_seconds_count", phase=phase), n)
        create = {"route": harness.CREATE, "method": "POST", "code": "200"}
        self.assertEqual(grew("zoetrope_http_requests_total", **create), 2)
        self.assertGreater(grew("zoetrope_http_received_bytes_total"), 0)
        self.assertGreater(after.get("zoetrope_result_bytes"), 1000)
        self.assertEqual(after.get("zoetrope_tasks", state="success"), 1)
        self.assertEqual((after.get("zoetrope_workers_alive"), after.get("zoetrope_ready")), (1, 1))
        self.assertEqual(after.get("zoetrope_build_info", engine="motion",
                                   version=subprocess.run([harness.PROGRAM, "--version"], capture_output=True,
                                                                text=True).stdout.split()[1]), 1)

    def test_histograms_add_up(self):
        metrics = self.metrics()
        histograms = [f for f in metrics.families.values() if f.type == "histogram"]
        self.assertEqual({f.name for f in histograms}, {"zoetrope_phase_seconds", "zoetrope_http_request_seconds",
                                                        "zoetrope_store_commit_seconds"})
        for family in histograms:
            series = {}
            for s in family.samples:
                labels = tuple(sorted((k, v) for k, v in s.labels.items() if k != "le"))
                if s.name.endswith("_bucket"):
                    series.setdefault(labels, []).append((float(s.labels["le"]), s.value))
            for labels, buckets in series.items():
                with self.subTest(family.name, labels=labels):
                    self.assertEqual(buckets, sorted(buckets))
                    self.assertEqual([n for _, n in buckets], sorted(n for _, n in buckets))
                    self.assertEqual(buckets[-1], (float("inf"), metrics.get(family.name + "_count", **dict(labels))))

    def test_nobody_can_make_it_grow(self):
        for i in range(20):
            self.server.ask("GET", f"/no/such/{i}")
        self.server.ask("BREW", "/healthz")
        names = {labels for (name, labels) in self.metrics().samples if name == "zoetrope_http_requests_total"}
        unknown = {labels for labels in names if ("route", "") in labels}
        self.assertEqual(unknown, {(("code", "404"), ("method", "GET"), ("route", ""))} | {
            u for u in unknown if ("code", "405") in u})

    def test_who_may_read(self):
        rows = [({}, 200), ({"X-Forwarded-For": "203.0.113.9"}, 401), ({"Forwarded": "for=127.0.0.1"}, 401),
                ({"Via": "1.1 proxy"}, 401), ({"X-Real-IP": "127.0.0.1"}, 401),
                ({"X-Forwarded-For": "127.0.0.1", "Authorization": "Bearer sesame"}, 200),
                ({"X-Forwarded-For": "127.0.0.1", "Authorization": "Bearer sesam"}, 401),
                ({"X-Forwarded-For": "127.0.0.1", "Authorization": "Bearer " + self.server.key.secret}, 401)]
        for headers, status in rows:
            with self.subTest(headers=headers):
                self.assertEqual(self.server.ask("GET", "/metrics", key=None, headers=headers).status, status)

    def test_dashboard_asks_for_what_there_is(self):
        with open(os.path.join(ROOT, "packaging", "grafana", "zoetrope.json"), encoding="utf-8") as f:
            board = json.load(f)
        self.assertGreaterEqual(board["schemaVersion"], 38)  # of Grafana 10
        answer = self.server.ask("GET", "/metrics", key=None).body.decode()
        there = set(re.findall(r"(?m)^([a-z_]+)[{ ]", answer))
        asked = set()
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                names = set(re.findall(r"\b((?:zoetrope|process)_[a-z_]+)", target["expr"]))
                self.assertTrue(names, target["expr"])
                asked |= names
        self.assertEqual(asked - there, set())
        self.assertEqual(len({p["id"] for p in board["panels"]}), len(board["panels"]))

    def test_request_ids(self):
        rows = [("abc-1.2_X", True), ("a" * 64, True), ("a" * 65, False), ("a b", False), ("a\"b", False), ("", False)]
        for sent, kept in rows:
            with self.subTest(sent):
                got = self.server.ask("GET", "/nowhere", headers={"X-Request-Id": sent}).headers["X-Request-Id"]
                if kept:
                    self.assertEqual(got, sent)
                else:
                    self.assertRegex(got, r"\A[0-9a-f]{16}\Z")
        self.server.create(None, root={"model": harness.LITE})
        task = self.server.post({"model": harness.LITE, "input": {"prompt": "a", "image_url": self.picture}},
                                headers={"X-Request-Id": "named-by-me"}).data["taskId"]
        self.assertRegex(self.server.text_of_log(), rf"task_created task={task} .*request=named-by-me")


class Logs(unittest.TestCase):
    def run_once(self, *flags):
        server = Server("--workers=1", "--access-log", "--metrics-token=open", *flags)
        try:
            task = server.create(image_url=data_url(b"no picture \"at\\all\"\n")).data
            task = server.create(image_url="http://127.0.0.1:9/x?secret=1").data["taskId"] if task is None else task["taskId"]
            server.wait(task)
            server.ask("GET", "/files/verysecrettoken/a.mp4")
            server.ask("GET", "/sp%22ace%5C%20%C3%A9?q=1")
        finally:
            self.assertEqual(server.stop_keeping_log(), [])
        return server.log_text.splitlines()

    def test_text_and_json_say_the_same(self):
        def fields_of_text(line):
            words = re.findall(r'([a-z_0-9]+)=(?:"(?:\\.|[^"\\])*"|\S*)', line.split(" ", 3)[3])
            return line.split(" ", 3)[2], tuple(words)

        texts = [fields_of_text(line) for line in self.run_once()]
        objects = [json.loads(line) for line in self.run_once("--log-format=json")]
        for o in objects:
            self.assertEqual(list(o)[:3], ["time", "level", "event"])
            self.assertRegex(o["time"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
            self.assertIn(o["level"], ("debug", "info", "warn", "error"))
        starting = "not_ready"  # whether it was asked before its worker was there is chance
        self.assertEqual({(o["event"], tuple(list(o)[3:])) for o in objects if o["event"] != starting},
                         {t for t in texts if t[0] != starting})
        paths = {o["path"]: o for o in objects if o["event"] == "request"}
        self.assertIn("/files/{token}/{name}", paths)
        self.assertEqual(paths['/sp"ace\\ é']["status"], 404)
        self.assertNotIn("verysecret", json.dumps(objects))
        self.assertIsInstance(paths["/readyz"]["took_us"], int)


def stop_keeping_log(self):
    """As stop, with the log kept in log_text."""
    kept = self.folder.cleanup
    self.folder.cleanup = lambda: None
    wrong = self.stop()
    self.log_text = self.text_of_log()
    kept()
    return wrong


Server.stop_keeping_log = stop_keeping_log


class Proxies(unittest.TestCase):
    def peers(self, rows, *flags):
        server = Server("--workers=0", "--access-log", "--log-format=json", *flags)
        try:
            for i, (headers, _) in enumerate(rows):
                connection = server.connect()
                connection.putrequest("GET", "/healthz")
                connection.putheader("X-Request-Id", f"row.{i}")
                for name, value in headers:
                    connection.putheader(name, value)
                connection.endheaders()
                self.assertEqual(connection.getresponse().status, 200)
                connection.close()
            self.assertTrue(until(lambda: f'"row.{len(rows) - 1}"' in server.text_of_log()))
        finally:
            self.assertEqual(server.stop_keeping_log(), [])
        got = {o["request"]: o["peer"] for o in map(json.loads, server.log_text.splitlines()) if o["event"] == "request"}
        for i, (headers, peer) in enumerate(rows):
            with self.subTest(headers=headers):
                self.assertEqual(got[f"row.{i}"], peer)

    def test_trusted(self):
        xff, fwd = "X-Forwarded-For", "Forwarded"
        self.peers([
            ([], "127.0.0.1"),
            ([(xff, "203.0.113.9")], "203.0.113.9"),
            ([(xff, "6.6.6.6, 203.0.113.9")], "203.0.113.9"),  # what the client made up is not believed
            ([(xff, "6.6.6.6, 203.0.113.9, 10.1.2.3")], "203.0.113.9"),
            ([(xff, "6.6.6.6"), (xff, "203.0.113.9"), (xff, "10.1.2.3")], "203.0.113.9"),
            ([(xff, "10.9.9.9, 10.1.2.3")], "10.9.9.9"),
            ([(xff, "203.0.113.9, nonsense, 10.1.2.3")], "10.1.2.3"),
            ([(xff, "")], "127.0.0.1"),
            ([(xff, ",,,")], "127.0.0.1"),
            ([(xff, "203.0.113.9:4711")], "203.0.113.9"),
            ([(xff, "2001:db8::7")], "2001:db8::7"),
            ([(xff, "[2001:db8::7]:4711")], "2001:db8::7"),
            ([(xff, "::ffff:203.0.113.9")], "203.0.113.9"),
            ([(fwd, "for=6.6.6.6, for=203.0.113.9;proto=https;by=10.0.0.1")], "203.0.113.9"),
            ([(fwd, 'For="[2001:db8::7]:4711"')], "2001:db8::7"),
            ([(fwd, "for=unknown")], "127.0.0.1"),
            ([(fwd, "for=6.6.6.6"), (xff, "203.0.113.9")], "203.0.113.9"),
        ], "--trusted-proxies=127.0.0.1,10.0.0.0/8")

    def test_not_trusted(self):
        self.peers([([("X-Forwarded-For", "203.0.113.9")], "127.0.0.1"), ([("Forwarded", "for=203.0.113.9")], "127.0.0.1")])
        self.peers([([("X-Forwarded-For", "203.0.113.9")], "127.0.0.1")], "--trusted-proxies=10.0.0.0/8,::1")


class Tls(unittest.TestCase):
    def make(self, folder, name, days=30):
        key, cert = os.path.join(folder, name + ".key"), os.path.join(folder, name + ".pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-days", str(days), "-keyout", key, "-out", cert, "-subj", f"/CN={name}",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        return cert, key

    def test_serves_and_takes_a_new_certificate(self):
        with tempfile.TemporaryDirectory(prefix="zt-tls-") as folder:
            first, second = self.make(folder, "first"), self.make(folder, "second")
            cert, key = os.path.join(folder, "cert"), os.path.join(folder, "key")
            shutil.copy(first[0], cert)
            shutil.copy(first[1], key)

            class Secure(Server):
                trusted = first[0]

                def connect(self):
                    return http.client.HTTPSConnection(self.host, self.port, timeout=60,
                                                       context=ssl.create_default_context(cafile=self.trusted))

            server = Secure("--workers=0", f"--tls-cert={cert}", f"--tls-key={key}")
            try:
                self.assertEqual(server.scheme, "https")
                task = server.create()
                self.assertEqual(task.code, 200)
                self.assertEqual(server.record(task.data["taskId"]).data["state"], "waiting")
                big = server.post({"model": harness.LITE, "input": {"prompt": "a" * 9000, "image_url": data_url(png(600, 400))}})
                self.assertEqual(big.code, 200)
                for flag, works in (("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)):
                    with self.subTest(flag):
                        got = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{server.port}", flag, "-CAfile",
                                              first[0]], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
                        self.assertEqual("Cipher is (NONE)" not in got.stdout, works, got.stdout)
                plain = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
                with self.assertRaises((http.client.HTTPException, OSError)):
                    plain.request("GET", "/healthz")
                    plain.getresponse()
                shutil.copy(second[0], cert)  # not together yet: the first one stays
                self.assertTrue(until(lambda: "tls_not_reloaded" in server.text_of_log()))
                self.assertEqual(server.ask("GET", "/healthz").status, 200)
                shutil.copy(second[1], key)
                self.assertTrue(until(lambda: "tls_reloaded" in server.text_of_log()))
                Secure.trusted = second[0]
                self.assertEqual(server.ask("GET", "/healthz").status, 200)
            finally:
                self.assertEqual(server.stop(), [])

    def test_refuses_what_cannot_work(self):
        with tempfile.TemporaryDirectory(prefix="zt-tls-") as folder:
            first, second = self.make(folder, "first"), self.make(folder, "second")
            empty = os.path.join(folder, "empty")
            open(empty, "w").close()
            rows = [([f"--tls-cert={first[0]}"], "tls-key is missing"),
                    ([f"--tls-cert={first[0]}", f"--tls-key={second[1]}"], "belong together"),
                    ([f"--tls-cert={first[1]}", f"--tls-key={first[1]}"], "certificate"),
                    ([f"--tls-cert={empty}", f"--tls-key={first[1]}"], "is empty"),
                    ([f"--tls-cert={folder}/none", f"--tls-key={first[1]}"], "No such file")]
            for flags, text in rows:
                with self.subTest(text):
                    done = subprocess.run([harness.PROGRAM, "serve", "--listen=127.0.0.1:0", f"--data={folder}/data", *flags],
                                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
                    self.assertIn(done.returncode, (1, 2), done.stderr)
                    self.assertIn(text, done.stderr)


class Readiness(unittest.TestCase):
    def test_says_why_not(self):
        class Unready(Server):
            def wait_ready(self):
                pass

        os.environ["ZOETROPE_FAULT"] = "disk_free:1+"
        try:
            server = Unready("--workers=0")
        finally:
            del os.environ["ZOETROPE_FAULT"]
        try:
            answer = server.ask("GET", "/readyz", key=None)
            if answer.status == 200:
                self.skipTest("this program was built without fault points")
            self.assertEqual((answer.status, answer.data["ready"]), (503, False))
            self.assertRegex(answer.msg, r"\Athe disk has 0 MiB free, the reserve is \d+ MiB\Z")
            self.assertEqual(answer.data["checks"], {"store": "ok", "disk": answer.msg, "workers": "ok", "accepting": "ok"})
            self.assertRegex(answer.headers["Retry-After"], r"\A\d+\Z")
            self.assertEqual(server.ask("GET", "/healthz").status, 200)
            refused = server.create()
            self.assertEqual((refused.status, refused.code), (503, 503))
            self.assertIn("disk", refused.msg)
            self.assertRegex(refused.headers["Retry-After"], r"\A[1-9]\d*\Z")
            self.assertEqual(server.create(key=None).status, 401)  # who may not ask is not told
            metrics = Metrics(server.ask("GET", "/metrics"))
            self.assertEqual((metrics.get("zoetrope_disk_low"), metrics.get("zoetrope_ready"),
                              metrics.get("zoetrope_refused_disk_full_total")), (1, 0, 1))
        finally:
            self.assertEqual(server.stop(), [])

    def test_needs_a_worker(self):
        class Dying(Server):
            def wait_ready(self):
                pass

        server = Dying("--workers=2", "--engine=nosuch")  # its workers end at once, and again
        try:
            def no_worker():
                answer = server.ask("GET", "/readyz", key=None)
                return answer.status == 503 and answer
            answer = until(no_worker)
            self.assertEqual(answer.data["checks"]["workers"], "none of 2 workers is alive")
            self.assertGreater(until(lambda: Metrics(server.ask("GET", "/metrics")).get("zoetrope_workers_died_total")), 0)
        finally:
            self.assertEqual(server.stop(), [])


class FullDisk(unittest.TestCase):
    """A file system of 64 MiB: filled up, with a task at work, and emptied again."""

    def setUp(self):
        self.mount = tempfile.mkdtemp(prefix="zt-small-")
        self.addCleanup(os.rmdir, self.mount)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", self.mount], capture_output=True)
        if done.returncode != 0:
            self.skipTest("no file system can be mounted here")
        self.addCleanup(subprocess.run, ["umount", "-l", self.mount], check=True)
        self.was, tempfile.tempdir = tempfile.tempdir, self.mount
        self.addCleanup(setattr, tempfile, "tempdir", self.was)

    def fill(self, leave):
        path = os.path.join(self.mount, "filler")
        with open(path, "ab") as f:
            while True:
                free = os.statvfs(self.mount)
                left = free.f_bavail * free.f_frsize - leave
                if left < 4096:
                    return
                f.write(b"x" * min(left, 1 << 20))
                f.flush()

    def test_refuses_first_and_loses_nothing(self):
        noise = random.Random(1)
        rows = bytes(noise.randrange(256) for _ in range(256 * 256 * 3))
        picture = os.path.join(self.mount, "noise.ppm")
        with open(picture, "wb") as f:
            f.write(b"P6 256 256 255\n" + rows)
        subprocess.run(["ffmpeg", "-v", "error", "-i", picture, picture + ".png"], check=True, stdin=subprocess.DEVNULL)
        with open(picture + ".png", "rb") as f:
            image = data_url(f.read())
        server = Server("--workers=0", "--extended-durations", "--preset=ultrafast", "--crf=1")
        worker = None
        try:
            wanted = {"image_url": image, "resolution": "480p", "duration": "2"}
            task = server.create(**wanted).data["taskId"]
            self.fill(2 << 20)  # enough to begin with, not to finish: the video is larger
            self.assertTrue(until(lambda: server.create(**wanted).code == 503))
            self.assertEqual(server.ask("GET", "/readyz").status, 503)
            log = open(server.log_path, "ab")
            worker = subprocess.Popen([harness.PROGRAM, "worker", "--data", os.path.join(server.path, "data"),
                                       "--preset=ultrafast", "--crf=1"], stdin=subprocess.DEVNULL, stderr=log)
            log.close()
            self.assertTrue(until(lambda: re.search(r"task_interrupted .*code=full", server.text_of_log())),
                            server.text_of_log()[-2000:])
            self.assertNotIn(server.record(task).data["state"], ("success", "fail"))
            os.remove(os.path.join(self.mount, "filler"))
            data, _ = server.wait(task)
            self.assertEqual(data["state"], "success", data)
            self.assertTrue(until(lambda: server.ask("GET", "/readyz").status == 200))
            self.assertEqual(server.create(**wanted).code, 200)
            shown = json.loads(server.command("tasks", "show", task, "--json").stdout)
            self.assertEqual(shown["attempt"], 1)  # a full disk is no attempt
            self.assertEqual([p for p in glob.glob(os.path.join(server.path, "data/files/tmp/*")) if task in p], [])
        finally:
            if worker:
                worker.send_signal(signal.SIGTERM)
                self.assertEqual(worker.wait(60), 0)
            self.assertEqual(server.stop(), [])


if __name__ == "__main__":
    unittest.main()
