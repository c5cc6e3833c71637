"""Callbacks: their log, sending them again, changing the secret; checked by an implementation of Standard
Webhooks from a package registry, and by openssl.

A task that is cancelled ends at once and owes its callback like any other, so no video is made here."""

import base64
import filecmp
import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import subprocess
import threading
import time
import unittest

from harness import JSON, Host, Server, sign_kie

LOG = "/api/v1/jobs/callbacks"
REDELIVER = "/api/v1/jobs/redeliver"
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KEYS = ["taskId", "webhookId", "url", "host", "state", "sending", "round", "attempts", "attemptsInRound", "createTime",
        "nextTime", "hostState", "hostOpenUntil", "tries"]
TRY_KEYS = ["attempt", "round", "time", "durationMs", "outcome", "status", "note", "family", "answer"]
PATIENCE_S = 60


def independent_verifier():
    """The folder with the package, fetched once as the lock file pins it (npm checks the hashes)."""
    source, target = os.path.join(ROOT, "tests", "webhooks"), os.path.join(ROOT, "build", "webhooks")
    names = ["package.json", "package-lock.json"]
    os.makedirs(target, exist_ok=True)
    ready = os.path.join(target, "ready")
    if not os.path.exists(ready) or filecmp.cmpfiles(source, target, names, shallow=False)[0] != names:
        for name in names:
            shutil.copy(os.path.join(source, name), target)
        subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier"],
                       cwd=target, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=300)
        open(ready, "w").close()
    shutil.copy(os.path.join(source, "verify.js"), target)
    return target


def verify_all(rows):
    """What the package says of each (secret, headers, body)."""
    text = "".join(json.dumps({"secret": s, "headers": {k.lower(): v for k, v in h.items()},
                               "body": base64.b64encode(b).decode()}) + "\n" for s, h, b in rows)
    done = subprocess.run(["node", "verify.js"], cwd=independent_verifier(), input=text, capture_output=True, text=True,
                          check=True, timeout=60)
    return done.stdout.splitlines()


def until(what, seconds=PATIENCE_S):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = what()
        if value:
            return value
        time.sleep(0.02)
    raise AssertionError("it did not happen in time")


class Held:
    """A receiver that reads a callback, and answers once it is told to."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.url = "http://127.0.0.1:%d/held" % self.socket.getsockname()[1]
        self.came, self.go, self.ids = threading.Event(), threading.Event(), []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(65536)
                self.ids.append(re.search(rb"webhook-id: (\S+)", head)[1].decode())
                self.came.set()
                self.go.wait(PATIENCE_S)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")

    def close(self):
        self.go.set()
        self.socket.close()


class Callbacks(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host()
        cls.server = Server("--workers=0", "--allow-net=127.0.0.1", "--callback-retries=100ms,1d",
                            "--callback-break-after=0", "--callback-timeout=30s", "--max-waiting=0")

    @classmethod
    def tearDownClass(cls):
        cls.host.stop()
        assert cls.server.stop() == []

    def end(self, path=None, key="default", url=None, server=None):
        """A task that was cancelled, with a callback to a path of the host."""
        server = server or self.server
        url = url or (self.host.url + path if path else None)
        task = server.create(key=key, root={"callBackUrl": url} if url else None).data["taskId"]
        answer = server.ask("POST", "/api/v1/jobs/cancelTask", json.dumps({"taskId": task}), key)
        self.assertEqual(answer.status, 200, answer.body)
        return task

    def log(self, task, key="default", server=None):
        return (server or self.server).ask("GET", f"{LOG}?taskId={task}", key=key)

    def settled(self, task, state, server=None):
        return until(lambda: (lambda d: d if d and d["state"] == state else None)(self.log(task, server=server).data))

    def redeliver(self, task, key="default", body=None, headers=None):
        body = json.dumps({"taskId": task}) if body is None else body
        return self.server.ask("POST", REDELIVER, body, key, headers)

    # ---- the log

    def test_log_of_one_that_was_taken(self):
        self.host.statuses[:] = [503]
        before = int(time.time() * 1000)
        task = self.end("/log")
        data = self.settled(task, "done")
        answer = self.log(task)
        self.assertEqual((answer.status, answer.code, answer.msg, answer.headers["Content-Type"]),
                         (200, 200, "success", JSON))
        self.assertEqual(list(data), KEYS)
        posts = self.host.wait_for("/log", 2)
        self.assertEqual({p[1]["webhook-id"] for p in posts}, {data["webhookId"]})
        self.assertEqual((data["taskId"], data["url"], data["host"]),
                         (task, self.host.url + "/log", self.host.url[len("http://"):]))
        self.assertEqual((data["sending"], data["round"], data["attempts"], data["attemptsInRound"]), (False, 1, 2, 2))
        self.assertEqual((data["nextTime"], data["hostState"], data["hostOpenUntil"]), (None, "closed", None))
        first, second = data["tries"]
        self.assertEqual(list(first), TRY_KEYS)
        self.assertEqual([first[k] for k in ("attempt", "round", "outcome", "status", "note", "family", "answer")],
                         [1, 1, "retry", 503, "the receiver says 503", "IPv4", '{"code":200,"msg":"success"}'])
        self.assertEqual([second[k] for k in ("attempt", "outcome", "status", "note")], [2, "done", 200, ""])
        self.assertTrue(before <= first["time"] <= second["time"] <= time.time() * 1000)
        self.assertTrue(0 <= first["durationMs"] < PATIENCE_S * 1000)

    def test_one_that_is_given_up(self):
        self.host.statuses[:] = [410]
        data = self.settled(self.end("/gone"), "given_up")
        self.assertEqual([(t["outcome"], t["status"], t["note"]) for t in data["tries"]],
                         [("given_up", 410, "the receiver is gone (410)")])

    def test_what_is_not_there(self):
        other = self.server.add_key("callbacks-other")
        task = self.end("/mine")
        self.settled(task, "done")
        for name, key in ((task, other), ("none", "default"), (task + "0", "default"), ("%FF", "default"),
                          ("a" * 300, "default")):
            with self.subTest(name[:20]):
                answer = self.log(name, key)
                self.assertEqual((answer.status, answer.json["code"], answer.msg), (422, 422, "recordInfo is null"))
        self.assertEqual(self.log(task, None).status, 401)
        self.assertNotIn(task, self.server.ask("GET", LOG, key=other).body.decode())
        self.assertEqual(self.log(self.end()).json, {"code": 200, "msg": "success", "data": None})
        waits = self.server.create(root={"callBackUrl": self.host.url + "/never"}).data["taskId"]
        self.assertIsNone(self.log(waits).data)

    def test_pages(self):
        key = self.server.add_key("callbacks-pages")
        self.host.statuses[:] = []
        tasks = [self.end("/pages", key) for _ in range(5)]
        self.host.wait_for("/pages", 5)
        for task in tasks:
            until(lambda t=task: self.log(t, key).data["state"] == "done")

        def page(query):
            return self.server.ask("GET", f"{LOG}?{query}", key=key).data

        seen, cursor = [], ""
        while True:
            data = page(f"limit=2&cursor={cursor}")
            seen += [c["taskId"] for c in data["callbacks"]]
            cursor = data["nextCursor"]
            if not cursor:
                break
        self.assertEqual(seen, tasks[::-1])
        self.assertEqual(list(data["callbacks"][0]), KEYS)
        self.assertEqual(len(data["callbacks"][0]["tries"]), 1)
        self.assertEqual(len(page("state=done")["callbacks"]), 5)
        self.assertEqual(page("state=given_up"), {"callbacks": [], "nextCursor": ""})
        for query, word in (("limit=0", "limit"), ("limit=101", "limit"), ("limit=x", "limit"), ("limit=", "limit"),
                            ("cursor=x", "cursor"), ("cursor=-1", "cursor"), ("state=retry", "state")):
            with self.subTest(query):
                answer = self.server.ask("GET", f"{LOG}?{query}", key=key)
                self.assertEqual(answer.status, 422)
                self.assertIn(word, answer.msg)

    # ---- sending again

    def test_again(self):
        task = self.end("/again")
        first = self.settled(task, "done")
        answer = self.redeliver(task)
        self.assertEqual((answer.status, answer.json),
                         (200, {"code": 200, "msg": "success", "data": {"taskId": task, "state": "pending"}}))
        posts = self.host.wait_for("/again", 2)
        self.assertEqual({p[1]["webhook-id"] for p in posts}, {first["webhookId"]})
        self.assertEqual(len({p[2] for p in posts}), 1)
        data = self.settled(task, "done")
        self.assertEqual([(t["attempt"], t["round"]) for t in data["tries"]], [(1, 1), (2, 2)])
        self.assertEqual((data["round"], data["attempts"], data["attemptsInRound"]), (2, 2, 1))

    def test_again_after_giving_up(self):
        self.host.statuses[:] = [410]
        task = self.end("/revived")
        self.settled(task, "given_up")
        self.assertEqual(self.redeliver(task).status, 200)
        self.assertEqual(len(self.settled(task, "done")["tries"]), 2)

    def test_again_instead_of_waiting(self):
        self.host.statuses[:] = [500, 500]  # and then it waits for a day
        task = self.end("/hurry")
        until(lambda: (self.log(task).data or {}).get("attempts") == 2 and not self.log(task).data["sending"])
        waits = self.log(task).data
        self.assertGreater(waits["nextTime"], time.time() * 1000 + 3600_000)
        self.assertEqual(self.redeliver(task).status, 200)
        self.settled(task, "done")

    def test_not_while_it_is_sent(self):
        held = Held()
        try:
            task = self.end(url=held.url)
            self.assertTrue(held.came.wait(PATIENCE_S))
            self.assertTrue(self.log(task).data["sending"])
            answer = self.redeliver(task)
            self.assertEqual((answer.status, answer.json["code"], answer.msg),
                             (409, 409, "the callback is being sent right now"))
            held.go.set()
            data = self.settled(task, "done")
            self.assertEqual((data["round"], data["tries"][0]["answer"]), (1, "good"))
        finally:
            held.close()

    def test_nothing_to_send_again(self):
        mine = self.end("/theirs")
        self.settled(mine, "done")
        other = self.server.add_key("callbacks-again")
        waits = self.server.create(root={"callBackUrl": self.host.url + "/x"}).data["taskId"]
        rows = [(self.end(), "default", "no callBackUrl"), (waits, "default", "has not ended"),
                (mine, other, "recordInfo is null"), ("none", "default", "recordInfo is null"),
                ("雾", "default", "recordInfo is null")]
        for task, key, words in rows:
            with self.subTest(words):
                answer = self.redeliver(task, key)
                self.assertEqual((answer.status, answer.json["code"]), (422, 422))
                self.assertIn(words, answer.msg)
        self.assertEqual(self.redeliver(mine, None).status, 401)
        for body, status in ((b"", 400), (b"{", 400), (b"[]", 400), (b"{}", 422), (b'{"taskId":1}', 422),
                             (b'{"taskId":"' + b"a" * 9000 + b'"}', 413)):
            with self.subTest(body[:20]):
                self.assertEqual(self.redeliver("", body=body).status, status)
        self.assertEqual(self.redeliver(mine, headers={"Content-Type": "text/plain"}).status, 415)
        self.assertEqual(self.log(mine).data["round"], 1)

    # ---- the command line

    def test_commands(self):
        self.host.statuses[:] = [410, 410]
        tasks = [self.end("/cli") for _ in range(2)]
        for task in tasks:
            self.settled(task, "given_up")
        listed = self.server.command("callbacks", "list", "--state=given_up")
        self.assertEqual(listed.returncode, 0, listed.stderr)
        for task in tasks:
            self.assertRegex(listed.stdout, rf"{task} +given_up +1 +410 .*the receiver is gone")
        shown = self.server.command("callbacks", "show", tasks[0])
        self.assertRegex(shown.stdout, r"try 1, round 1, \S+: 410 after \d+ ms over IPv4")
        self.assertIn('answer "{\\"code\\":200', shown.stdout)
        as_json = json.loads(self.server.command("callbacks", "show", tasks[0], "--json").stdout)
        self.assertEqual(as_json, self.log(tasks[0]).data)
        again = self.server.command("callbacks", "redeliver", tasks[0])
        self.assertEqual((again.returncode, again.stdout), (0, f"the callback of {tasks[0]} will be sent again\n"))
        self.settled(tasks[0], "done")
        again = self.server.command("callbacks", "redeliver", "--failed", "--since=1h")
        self.assertRegex(again.stdout, r"\A[1-9]\d* callbacks will be sent again\n\Z")
        self.assertEqual(self.settled(tasks[1], "done")["round"], 2)
        rows = [(("redeliver",), 2, "or --failed"), (("redeliver", "--failed", "x"), 2, "one word too many"),
                (("show",), 2, "which task"), (("show", "none"), 4, "task none has no callback"),
                (("redeliver", "none"), 4, "has no callback"), (("list", "--state=lost"), 2, "given_up"),
                (("drop",), 2, "list, show or redeliver")]
        for words, status, said in rows:
            with self.subTest(words):
                done = self.server.command("callbacks", *words)
                self.assertEqual(done.returncode, status)
                self.assertIn(said, done.stderr)

    # ---- signatures

    def rotate(self, server, name, *flags):
        done = server.command("keys", "rotate-webhook", name, *flags)
        self.assertEqual(done.returncode, 0, done.stderr)
        secret = re.search(r"webhook secret  (whsec_\S+)", done.stdout)[1]
        server.secrets.append(secret)
        return secret, done.stdout

    def test_verified_by_others(self):
        """Good, tampered with, old; and both secrets while one is being changed, over a restart."""
        server = Server("--workers=0", "--allow-net=127.0.0.1")
        try:
            old = server.key.webhook_secret
            task = self.end("/signed/1", server=server)
            _, headers, body = self.host.wait_for("/signed/1")[0]
            new, said = self.rotate(server, "first", "--keep", "24h")
            self.assertIn("signs too, until", said)
            server.process.kill()  # what was rotated is on disk
            server.process.wait()
            server.process.stdout.close()
            server.log.close()
            server.start()
            self.end("/signed/2", server=server)
            _, both_headers, both_body = self.host.wait_for("/signed/2")[0]
            database = server.database()
            database.execute("UPDATE api_key SET webhook_previous_until_us=1")  # a day goes by
            database.commit()
            database.close()
            task3 = self.end("/signed/3", server=server)
            _, new_headers, new_body = self.host.wait_for("/signed/3")[0]

            stale = dict(headers.items())
            stale["webhook-timestamp"] = str(int(stale["webhook-timestamp"]) - 3600)
            key = base64.b64decode(old[len("whsec_"):])
            signed = f"{stale['webhook-id']}.{stale['webhook-timestamp']}.".encode() + body
            stale["webhook-signature"] = "v1," + base64.b64encode(
                hmac.new(key, signed, hashlib.sha256).digest()).decode()
            wrong = "WebhookVerificationError: No matching signature found"
            rows = [("good", (old, headers, body), "ok"),
                    ("the body was changed", (old, headers, body.replace(b"fail", b"pass", 1)), wrong),
                    ("another id", (old, {**dict(headers.items()), "webhook-id": "msg_x"}, body), wrong),
                    ("an hour old", (old, stale, body), "WebhookVerificationError: Message timestamp too old"),
                    ("not its secret", (new, headers, body), wrong),
                    ("both: the new one", (new, both_headers, both_body), "ok"),
                    ("both: the old one", (old, both_headers, both_body), "ok"),
                    ("afterwards: the new one", (new, new_headers, new_body), "ok"),
                    ("afterwards: the old one", (old, new_headers, new_body), wrong)]
            for (label, _, want), got in zip(rows, verify_all([row for _, row, _ in rows]), strict=True):
                with self.subTest(label):
                    self.assertEqual(got, want)

            self.assertRegex(both_headers["webhook-signature"], r"\Av1,\S{44} v1,\S{44}\Z")
            self.assertRegex(new_headers["webhook-signature"], r"\Av1,\S{44}\Z")
            stamp = headers["X-Webhook-Timestamp"]
            self.assertEqual(headers["X-Webhook-Signature"], sign_kie(old.encode(), task, stamp))
            done = subprocess.run(["openssl", "dgst", "-sha256", "-hmac", old, "-binary"],
                                  input=f"{task}.{stamp}".encode(), capture_output=True, check=True, timeout=60)
            self.assertEqual(headers["X-Webhook-Signature"], base64.b64encode(done.stdout).decode())
            stamp = new_headers["X-Webhook-Timestamp"]
            self.assertEqual(new_headers["X-Webhook-Signature"], sign_kie(new.encode(), task3, stamp))
            both_task = json.loads(both_body)["taskId"]
            self.assertEqual(both_headers["X-Webhook-Signature"],
                             sign_kie(new.encode(), both_task, both_headers["X-Webhook-Timestamp"]))
        finally:
            self.assertEqual(server.stop(), [])

    def test_rotating_at_once(self):
        server = Server("--workers=0", "--allow-net=127.0.0.1")
        try:
            new, said = self.rotate(server, "first", "--keep=0")
            self.assertNotIn("signs too", said)
            self.end("/atonce", server=server)
            _, headers, body = self.host.wait_for("/atonce")[0]
            self.assertEqual(verify_all([(new, headers, body), (server.key.webhook_secret, headers, body)]),
                             ["ok", "WebhookVerificationError: No matching signature found"])
            for words, status in ((("nobody",), 4), ((), 2), (("first", "--keep=x"), 2)):
                self.assertEqual(server.command("keys", "rotate-webhook", *words).returncode, status)
        finally:
            self.assertEqual(server.stop(), [])

    def test_breaker_is_visible(self):
        """A host in trouble is left alone, which the log shows and which uses up no tries."""
        server = Server("--workers=0", "--allow-net=127.0.0.1", "--callback-break-after=2", "--callback-break=1h",
                        "--callback-retries=100ms,100ms,100ms,100ms")
        host = Host()
        try:
            host.statuses[:] = [500, 500]
            task = self.end(url=host.url + "/trouble", server=server)
            data = until(lambda: (lambda d: d if d and d["hostState"] == "open" else None)(
                self.log(task, server=server).data))
            self.assertEqual((data["state"], data["attempts"]), ("pending", 2))
            self.assertGreater(data["hostOpenUntil"], time.time() * 1000 + 40 * 60_000)
            self.assertEqual(data["nextTime"], data["hostOpenUntil"])
            later = self.end(url=host.url + "/trouble", server=server)
            data = until(lambda: self.log(later, server=server).data)
            self.assertEqual((data["hostState"], data["attempts"], data["tries"]), ("open", 0, []))
            self.assertEqual(len(host.wait_for("/trouble", 2)), 2)
            answer = server.ask("POST", REDELIVER, json.dumps({"taskId": later}))
            self.assertEqual(answer.status, 200)  # a probe, which is taken and closes it for both
            for one in (task, later):
                self.settled(one, "done", server=server)
        finally:
            host.stop()
            self.assertEqual(server.stop(), [])


if __name__ == "__main__":
    unittest.main()
