"""Settings read again on SIGHUP, and what no answer carries: permission for the scripts of other sites."""

import os
import signal
import tempfile
import time
import unittest

from harness import CREATE, RECORD, Server

CREDIT = "/api/v1/chat/credit"


class Reload(unittest.TestCase):
    def setUp(self):
        self.file = tempfile.NamedTemporaryFile("w", suffix=".conf")
        self.write("max-waiting = 100")
        os.environ["ZOETROPE_CONFIG"] = self.file.name
        try:
            self.server = Server("--workers=0")
        finally:
            del os.environ["ZOETROPE_CONFIG"]

    def tearDown(self):
        self.file.close()
        self.assertEqual(self.server.stop(), [])

    def write(self, *lines):
        self.file.seek(0)
        self.file.truncate()
        self.file.write("\n".join(lines) + "\n")
        self.file.flush()

    def reload(self, event):
        """Signals, and waits for one more line of the log with the event; the line."""
        before = self.server.text_of_log().count(f" {event} ")
        self.server.process.send_signal(signal.SIGHUP)
        until = time.monotonic() + 60
        while time.monotonic() < until:
            lines = [line for line in self.server.text_of_log().splitlines() if f" {event} " in line]
            if len(lines) > before:
                return lines[-1]
            time.sleep(0.05)
        self.fail(f"no {event}: {self.server.text_of_log()[-2000:]}")

    def test_takes_over_what_may_change(self):
        self.write("max-waiting = 2", "price-480p = 3", "extended-durations = true")
        self.assertEqual(self.server.create(duration=7).code, 422)
        self.reload("settings_reloaded")
        task = self.server.create(duration=7, resolution="480p").data["taskId"]
        self.assertEqual(self.server.record(task).data["creditsConsumed"], 21)
        self.assertEqual([self.server.create().code for _ in range(2)], [200, 429])
        self.write("max-waiting = 100")
        self.reload("settings_reloaded")
        self.assertEqual(self.server.create(duration=7).code, 422)
        self.assertEqual(self.server.create().code, 200)

    def test_names_what_needs_a_restart(self):
        self.write("workers = 3", "lease = 30s", "max-waiting = 7")
        line = self.reload("settings_need_restart")
        self.assertIn("names=", line)
        self.assertIn("lease", line)
        self.assertNotIn("max-waiting", line)
        self.assertNotIn("workers", line)  # given as a flag, which wins over the file

    def test_a_bad_file_changes_nothing(self):
        self.write("max-waiting = 1")
        self.reload("settings_reloaded")
        self.assertEqual(self.server.create().code, 200)
        for lines, says in ((("max-waiting = 50", "price-480p = much"), "price-480p must be"),
                            (("max-waiting = 50", "max-waitin = 60"), "max-waiting?"),
                            (("max-waiting = 50", "nonsense"), "line 2")):
            self.write(*lines)
            self.assertIn(says, self.reload("settings_not_reloaded"))
            self.assertEqual(self.server.create().code, 429)


class NoCors(unittest.TestCase):
    def test_no_answer_lets_other_sites_in(self):
        server = Server("--workers=0")
        origin = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST",
                  "Access-Control-Request-Headers": "authorization"}
        try:
            for path in (CREATE, RECORD + "?taskId=x", CREDIT, "/healthz", "/readyz", "/openapi.json", "/nothing", "/"):
                for method in ("GET", "POST", "HEAD", "OPTIONS"):
                    with self.subTest(path=path, method=method):
                        answer = server.ask(method, path, b"{}" if method == "POST" else None, headers=origin)
                        for name in answer.headers:
                            self.assertFalse(name.lower().startswith("access-control-"), name)
                        if method == "OPTIONS":
                            self.assertEqual(answer.status, 404 if path == "/nothing" else 405)
        finally:
            self.assertEqual(server.stop(), [])
