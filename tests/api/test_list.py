"""listTasks: pages, filters, what it refuses, and that a key sees its own tasks alone."""

import unittest
from urllib.parse import quote, urlencode

from harness import FAST, LITE, PRO, Server

LIST = "/api/v1/jobs/listTasks"
CANCEL = "/api/v1/jobs/cancelTask"


class List(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--workers=0", "--max-waiting=0")
        cls.other = cls.server.add_key("list-other")
        cls.tasks = [cls.server.create((LITE, PRO, FAST)[i % 3]).data["taskId"] for i in range(25)]
        for task in cls.tasks[::4]:
            cls.server.ask("POST", CANCEL, '{"taskId":"%s"}' % task)
        cls.foreign = cls.server.create(LITE, cls.other).data["taskId"]

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def list(self, key="default", **query):
        answer = self.server.ask("GET", f"{LIST}?{urlencode(query)}", key=key)
        self.assertEqual((answer.status, answer.msg), (200, "success"), answer.body)
        return answer.data

    def walk(self, **query):
        ids, cursor = [], ""
        for _ in range(40):
            data = self.list(cursor=cursor, **query)
            ids += [t["taskId"] for t in data["tasks"]]
            cursor = data["nextCursor"]
            if not cursor:
                return ids
        self.fail("the pages do not end")

    def test_pages(self):
        newest = self.tasks[::-1]
        self.assertEqual([t["taskId"] for t in self.list()["tasks"]], newest[:20])
        for limit in (1, 7, 25, 100):
            self.assertEqual(self.walk(limit=limit), newest)

    def test_an_entry_is_what_recordInfo_says(self):
        for task in self.list(limit=5)["tasks"]:
            self.assertEqual(task, self.server.record(task["taskId"]).data)

    def test_filters(self):
        waiting = [t for i, t in enumerate(self.tasks) if i % 4][::-1]
        self.assertEqual(self.walk(state="waiting", limit=4), waiting)
        self.assertEqual(self.walk(state="fail", limit=3), self.tasks[::4][::-1])
        self.assertEqual(self.walk(state="success"), [])
        self.assertEqual(self.walk(model=PRO, limit=2), self.tasks[1::3][::-1])
        both = [t for i, t in enumerate(self.tasks) if i % 4 == 0 and i % 3 == 2][::-1]
        self.assertEqual(self.walk(model=FAST, state="fail", limit=1), both)
        times = {t: self.server.record(t).data["createTime"] for t in self.tasks}
        a, b = times[self.tasks[5]], times[self.tasks[15]]
        within = [t for t in self.tasks[::-1] if a <= times[t] <= b]
        self.assertEqual(self.walk(**{"from": a, "to": b, "limit": 3}), within)
        self.assertEqual(self.walk(to=1), [])

    def test_the_operators_list_has_the_same_filters(self):
        def ids(*flags):
            done = self.server.command("tasks", "list", "--limit=100", *flags)
            self.assertEqual(done.returncode, 0, done.stderr)
            return [line.split()[0] for line in done.stdout.splitlines()[1:]]
        self.assertEqual(set(ids()) >= set(self.tasks + [self.foreign]), True)
        self.assertEqual([t for t in ids("--state=fail", f"--model={FAST}") if t in self.tasks],
                         [t for i, t in enumerate(self.tasks) if i % 4 == 0 and i % 3 == 2][::-1])
        created = self.server.record(self.tasks[0]).data["createTime"]
        self.assertEqual(ids(f"--to={created - 1}"), [])
        self.assertIn(self.tasks[0], ids(f"--from={created}"))
        self.assertEqual(self.server.command("tasks", "list", "--state=done").returncode, 2)

    def test_what_arrives_meanwhile_shifts_nothing(self):
        key = self.server.add_key("list-arrivals")
        first = [self.server.create(key=key).data["taskId"] for _ in range(4)]
        page = self.list(key, limit=2)
        self.server.create(key=key)
        self.server.ask("POST", CANCEL, '{"taskId":"%s"}' % first[2], key)
        rest = self.list(key, limit=9, cursor=page["nextCursor"])
        self.assertEqual([t["taskId"] for t in page["tasks"] + rest["tasks"]], first[::-1])
        self.assertEqual(rest["nextCursor"], "")

    def test_keys_see_their_own(self):
        self.assertEqual([t["taskId"] for t in self.list(self.other)["tasks"]], [self.foreign])
        self.assertEqual(self.server.ask("GET", LIST, key=None).status, 401)
        cursor = self.list(limit=1)["nextCursor"]
        for task in self.list(self.other, cursor=cursor)["tasks"]:
            self.assertEqual(task["taskId"], self.foreign)

    def test_refuses(self):
        rows = [("limit", "0", "1 to 100"), ("limit", "101", "1 to 100"), ("limit", "ten", "1 to 100"),
                ("limit", "1e1", "1 to 100"), ("state", "done", "waiting, queuing"), ("state", "FAIL", "waiting"),
                ("model", "sora", LITE), ("from", "-1", "unix milliseconds"), ("from", "soon", "unix milliseconds"),
                ("to", "9" * 30, "unix milliseconds"), ("cursor", "x", "nextCursor"), ("cursor", "0" * 32, "nextCursor"),
                ("cursor", "g" * 32, "nextCursor"), ("cursor", "f" * 32, "nextCursor"), ("cursor", "0" * 5000, "nextCursor")]
        for name, value, allowed in rows:
            with self.subTest(f"{name}={value[:20]}"):
                answer = self.server.ask("GET", f"{LIST}?{name}={quote(value)}")
                self.assertEqual((answer.status, answer.code), (422, 422))
                self.assertTrue(answer.msg.startswith(name), answer.msg)
                self.assertIn(allowed, answer.msg)
        answer = self.server.ask("GET", f"{LIST}?from=9&to=8&limit=0")
        self.assertIn("to must not be before from", answer.msg)
        self.assertIn("limit", answer.msg)
        self.assertEqual(self.server.ask("GET", f"{LIST}?limit=&state=&cursor=").status, 200)
        self.assertEqual(self.server.ask("POST", LIST, "{}").status, 405)
