"""Backup and restore of a server at work, the upgrade of an old database, and the doctor: each also
interrupted at the points where it counts."""

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import threading
import unittest

import harness
from harness import Host, Server, png

HERE = os.path.dirname(os.path.abspath(__file__))
OLD = os.path.join(os.path.dirname(HERE), "fixtures", "store")
WAN = os.path.join(os.path.dirname(HERE), "fixtures", "wan")


def run(*args, env=None):
    return subprocess.run([harness.PROGRAM, *args], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120,
                          env={**os.environ, **(env or {})})


def crash(point):
    return {"ZOETROPE_CRASH": f"{point}:1:kill"}


def ask(path, sql):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(sql).fetchall()
    finally:
        connection.close()


class Folders(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="zt-backup-")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def at(self, *names):
        return os.path.join(self.folder, *names)


class Upgrade(Folders):
    def old(self, name, version):
        os.makedirs(self.at(name), mode=0o700)
        shutil.copy(os.path.join(OLD, f"v{version}.db"), self.at(name, "zoetrope.db"))
        return self.at(name, "zoetrope.db")

    def versions(self):
        return sorted(int(n[1:-3]) for n in os.listdir(OLD) if n.endswith(".db"))

    def test_from_every_version(self):
        for version in self.versions():
            with self.subTest(version):
                path = self.old(f"from{version}", version)
                data = "--data=" + os.path.dirname(path)
                before = ask(path, "SELECT id, key_id, model, state, param, input, fail_msg FROM task ORDER BY seq")
                self.assertIn("must first be upgraded", run("tasks", "list", data).stderr)
                self.assertEqual(run("keys", "create", "new", data).returncode, 0)
                self.assertGreater(ask(path, "PRAGMA user_version")[0][0], version)
                self.assertEqual(ask(path, "PRAGMA integrity_check"), [("ok",)])
                self.assertEqual(ask(path, "PRAGMA foreign_key_check"), [])
                self.assertEqual(before, ask(path, "SELECT id, key_id, model, state, param, input, fail_msg FROM task"
                                                   " ORDER BY seq"))
                listed = [json.loads(line) for line in run("tasks", "list", "--json", data).stdout.splitlines()]
                self.assertEqual(len(listed), len(before))
                kept = f"{path}.v{version}.bak"
                self.assertEqual(os.stat(kept).st_mode & 0o777, 0o600)
                self.assertEqual(ask(kept, "PRAGMA user_version"), [(version,)])
                self.assertEqual(ask(kept, "SELECT count(*) FROM task"), [(len(before),)])

    def test_old_work_goes_on(self):
        """What waited in the old database, and what its power failure interrupted, ends in the new server."""
        class Later(Server):
            def add_key(self, name):
                os.makedirs(os.path.join(self.path, "data"), mode=0o700)
                shutil.copy(os.path.join(OLD, "v1.db"), os.path.join(self.path, "data", "zoetrope.db"))
                return super().add_key("newer")

        server = Later("--workers=1", "--callback-retries=100ms")  # nothing can be fetched: the tasks fail
        try:
            ids = [t for (t,) in server.database().execute("SELECT id FROM task WHERE state IN ('waiting','generating')")]
            ends = {}
            for task in ids:
                for _ in range(1200):
                    shown = json.loads(server.command("tasks", "show", task, "--json").stdout)
                    if shown["state"] in ("success", "fail"):
                        ends[task] = shown["state"]
                        break
            self.assertEqual(set(ends.values()), {"fail"} if ids else set())
            self.assertEqual(set(ends), set(ids))
        finally:
            self.assertEqual(server.stop(), [])

    def test_killed_on_the_way(self):
        for point in ("store.copied", "store.schema"):
            with self.subTest(point):
                path = self.old(point, 1)
                data = "--data=" + os.path.dirname(path)
                died = run("keys", "create", "new", data, env=crash(point))
                if died.returncode == 0:
                    self.skipTest("this program was built without crash points")
                self.assertEqual(died.returncode, -9)
                self.assertEqual(ask(path, "PRAGMA user_version"), [(1,)])
                self.assertEqual(ask(path, "PRAGMA integrity_check"), [("ok",)])
                self.assertEqual(run("keys", "create", "new", data).returncode, 0)
                self.assertGreater(ask(path, "PRAGMA user_version")[0][0], 1)
                self.assertEqual(ask(path, "SELECT count(*) FROM task"), [(5,)])

    def test_newer_is_left_alone(self):
        path = self.old("newer", 1)
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA user_version=9999")
        connection.close()
        got = run("keys", "create", "new", "--data=" + os.path.dirname(path))
        self.assertIn("made by a newer zoetrope", got.stderr)
        self.assertEqual(ask(path, "PRAGMA user_version"), [(9999,)])
        self.assertEqual([n for n in os.listdir(os.path.dirname(path)) if n.endswith(".bak")], [])


class Backup(Folders):
    def setUp(self):
        super().setUp()
        self.host = Host()
        self.addCleanup(self.host.stop)
        self.server = Server("--allow-net=127.0.0.1", "--extended-durations", "--preset=ultrafast")
        self.stopped = False
        self.addCleanup(self.stop)

    def stop(self):
        if not self.stopped:
            self.stopped = True
            self.assertEqual(self.server.stop(), [])

    def video(self):
        task = self.server.create(image_url=self.host.serve("/p.png", png()), resolution="480p", duration="2").data["taskId"]
        self.assertEqual(self.server.wait(task)[0]["state"], "success")
        return task

    def check(self, folder, accepted):
        path = os.path.join(folder, "zoetrope.db")
        self.assertEqual(ask(path, "PRAGMA integrity_check"), [("ok",)])
        there = {t for (t,) in ask(path, "SELECT id FROM task")}
        self.assertEqual(accepted - there, set())
        for task, result in ask(path, "SELECT id, result FROM task WHERE state='success' AND files_removed=0"):
            for name in json.loads(result).values():
                if isinstance(name, str) and name.startswith("media/"):
                    self.assertGreater(os.path.getsize(os.path.join(folder, "files", name)), 0, task)

    def test_of_a_server_at_work(self):
        done = self.video()
        accepted, stop, lock = {done}, threading.Event(), threading.Lock()

        def work():
            while not stop.is_set():
                answer = self.server.create(image_url=self.host.url + "/p.png", resolution="480p", duration="2")
                if answer.code == 200:
                    with lock:
                        accepted.add(answer.data["taskId"])

        threads = [threading.Thread(target=work) for _ in range(2)]
        for t in threads:
            t.start()
        try:
            for i in range(3):
                with lock:
                    promised = set(accepted)
                got = self.server.command("backup", self.at(f"b{i}"))
                self.assertEqual(got.returncode, 0, got.stderr)
                self.check(self.at(f"b{i}"), promised)
        finally:
            stop.set()
            for t in threads:
                t.join()
        self.assertEqual(os.stat(self.at("b2", "zoetrope.db")).st_mode & 0o777, 0o600)
        got = self.server.command("restore", self.at("b2"))  # onto the folder that the server uses
        self.assertNotEqual(got.returncode, 0)
        self.assertIn("another zoetrope serve", got.stderr)
        self.stop()  # and its folder is gone: only the backup is left
        got = run("restore", self.at("b2"), "--data=" + self.at("new"))
        self.assertEqual(got.returncode, 0, got.stderr)
        self.check(self.at("new"), promised)
        shown = json.loads(run("tasks", "show", done, "--json", "--data=" + self.at("new")).stdout)
        self.assertEqual(shown["state"], "success")
        got = run("restore", self.at("b2"), "--data=" + self.at("new"))
        self.assertIn("replace this one with --force", got.stderr)
        self.assertEqual(run("restore", self.at("b2"), "--force", "--data=" + self.at("new")).returncode, 0)
        self.assertTrue(os.path.exists(self.at("new", "zoetrope.db.before")))
        self.check(self.at("new"), promised)

    def test_killed_on_the_way(self):
        done = self.video()
        source = os.path.join(self.server.path, "data")
        for point in ("backup.files", "store.copied", "backup.database"):
            with self.subTest(point):
                died = run("backup", self.at(point), "--data=" + source, env=crash(point))
                if died.returncode == 0:
                    self.skipTest("this program was built without crash points")
                self.assertEqual((died.returncode, os.path.exists(self.at(point))), (-9, False))
                self.assertEqual(run("backup", self.at(point), "--data=" + source).returncode, 0)
                self.assertFalse(os.path.exists(self.at(point) + ".part"))
                self.check(self.at(point), {done})
        for point in ("restore.files", "store.copied", "restore.database"):
            with self.subTest(point):
                target = "--data=" + self.at("to." + point)
                self.assertEqual(run("restore", self.at("backup.files"), target, env=crash(point)).returncode, -9)
                self.assertEqual(run("restore", self.at("backup.files"), target).returncode, 0)
                self.check(self.at("to." + point), {done})
                self.assertFalse(os.path.exists(self.at("to." + point, "restoring")))

    def test_refuses(self):
        self.server.create()
        os.makedirs(self.at("there"))
        rows = [(["backup", self.at("there"), "--data=" + os.path.join(self.server.path, "data")], 1, "exists already"),
                (["backup", self.at("x"), "--data=" + self.at("none")], 4, "no zoetrope data"),
                (["restore", self.at("there"), "--data=" + self.at("y")], 4, "is no backup"),
                (["backup", "--data=" + self.at("none")], 2, "something is missing")]
        for args, status, text in rows:
            with self.subTest(text):
                got = run(*args)
                self.assertEqual(got.returncode, status, got.stderr)
                self.assertIn(text, got.stderr)
        self.assertEqual(self.server.command("backup", self.at("good")).returncode, 0)
        with open(self.at("good", "zoetrope.db"), "r+b") as f:
            f.seek(4096 * 3)
            f.write(b"\xff" * 4096)
        got = run("restore", self.at("good"), "--data=" + self.at("z"))
        self.assertEqual(got.returncode, 3, got.stderr)
        self.assertFalse(os.path.exists(self.at("z", "zoetrope.db")))
        if run("version", env={"ZOETROPE_CRASH": "x:1"}).returncode == 0:
            full = self.server.command  # a full disk while copying leaves nothing behind
            os.environ["ZOETROPE_FAULT"] = "store_copy:1"
            try:
                got = full("backup", self.at("full"))
            finally:
                del os.environ["ZOETROPE_FAULT"]
            self.assertEqual(os.path.exists(self.at("full")), got.returncode == 0)
            self.assertFalse(os.path.exists(self.at("full.part")))


class Doctor(Folders):
    def look(self, *flags, env=None):
        got = run("doctor", "--json", "--listen=127.0.0.1:0", *flags, env=env)
        found = [json.loads(line) for line in got.stdout.splitlines()]
        for line in found:
            self.assertEqual(set(line), {"check", "result", "text", "todo"})
            self.assertEqual(line["todo"] == "", line["result"] == "ok")
        self.assertEqual(got.returncode, 1 if any(f["result"] == "fail" for f in found) else 0, got.stderr)
        return {f["check"]: f for f in found}

    def test_a_good_machine(self):
        self.assertEqual(run("keys", "create", "a", "--data=" + self.at("d")).returncode, 0)
        found = self.look("--data=" + self.at("d"))
        for check in ("settings", "engine", "folder", "write", "disk", "database", "tasks", "callbacks", "encoder", "sandbox", "clock"):
            with self.subTest(check):
                self.assertIn(found[check]["result"], ("ok", "warn") if check in ("write", "disk") else ("ok",), found[check])
        self.assertEqual(os.listdir(self.at("d")), [n for n in os.listdir(self.at("d")) if "doctor" not in n])
        text = run("doctor", "--data=" + self.at("none")).stdout
        self.assertRegex(text, r"(?m)^ok +folder +.* is not there yet; zoetrope serve makes it$")
        self.assertRegex(text, r"(?m)^\d+ ok, \d+ warnings, \d+ failures$")

    def test_what_is_wrong(self):
        data = "--data=" + self.at("d")
        run("keys", "create", "a", data)
        os.chmod(self.at("d"), 0o755)
        rows = [([], None, "folder", "warn", "open to other users"),
                (["--engine=magic"], None, "settings", "fail", "no engine magic"),
                (["--engine=wan"], None, "engine", "fail", "needs a model"),
                (["--engine=wan", "--model=/none"], None, "engine", "fail", "no folder /none"),
                (["--engine=wan", f"--model={WAN}"], None, "engine", "ok", "wan opens"),
                (["--engine=wan", f"--model={WAN}", "--device=abacus"], None, "engine", "fail", "no device abacus"),
                (["--listen=0.0.0.0:0"], None, "settings", "fail", "without TLS"),
                (["--listen=[::]:0", "--allow-plain-http"], None, "settings", "warn", "without TLS"),
                (["--allow-net=10.0.0.0/99"], None, "outbound", "fail", "10.0.0.0/99"),
                (["--preset=nosuch"], None, "encoder", "fail", "preset"),
                (["--tls-cert=/none", "--tls-key=/none"], None, "tls", "fail", "No such file"),
                (["--workers=64", "--threads=64"], None, "threads", "warn", "64 workers")]
        for flags, env, check, result, text in rows:
            with self.subTest(check, text=text):
                found = self.look(data, *flags, env=env)[check]
                self.assertEqual(found["result"], result, found)
                self.assertIn(text, found["text"])
        with open(self.at("d", "zoetrope.db"), "r+b") as f:
            f.seek(4096 * 2)
            f.write(b"\xff" * 8192)
        self.assertEqual(self.look(data)["database"]["result"], "fail")

    def test_beside_a_server(self):
        server = Server("--workers=0")
        try:
            found = self.look("--data=" + os.path.join(server.path, "data"), f"--listen=127.0.0.1:{server.port}")
            self.assertEqual(found["listen"]["result"], "ok", found["listen"])
            self.assertIn("a server uses the data folder", found["listen"]["text"])
            self.assertEqual(found["database"]["result"], "ok")
            other = self.look("--data=" + self.at("other"), f"--listen=127.0.0.1:{server.port}")["listen"]
            self.assertEqual(other["result"], "fail")
        finally:
            self.assertEqual(server.stop(), [])


if __name__ == "__main__":
    unittest.main()
