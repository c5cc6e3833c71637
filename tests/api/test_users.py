"""Users and what their keys may do: credits, caps, queue and rate limits, addresses, expiry. All of it is
set by commands beside the running server and holds from the next request on."""

import threading
import unittest

from harness import LITE, Server

CREDIT = "/api/v1/chat/credit"
PRICES = ("--price-480p=0.2", "--price-720p=0.5", "--price-1080p=1.125")


class World(unittest.TestCase):
    FLAGS = ("--workers=0", "--max-waiting=0", *PRICES)

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.FLAGS)
        cls.n = 0

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def run_ok(self, *args):
        done = self.server.command(*args)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def user(self, *flags):
        """A new user with one key: (name, key)."""
        type(self).n += 1
        name = f"user{self.n}"
        self.run_ok("users", "create", name, *flags)
        return name, self.key(name)

    def key(self, user, *flags):
        type(self).n += 1
        name = f"key{self.n}"
        return self.server.read_key(name, self.run_ok("keys", "create", name, "--user", user, *flags))

    def credit(self, key):
        answer = self.server.ask("GET", CREDIT, key=key)
        self.assertEqual((answer.status, answer.code, answer.msg), (200, 200, "success"))
        return answer.data

    def create(self, key, resolution="480p", **fields):
        return self.server.create(LITE, key=key, resolution=resolution, **fields)

    def refused(self, answer, code, *words):
        self.assertEqual((answer.status, answer.code, answer.data), (code, code, None), answer.body)
        for word in words:
            self.assertIn(word, answer.msg)

    def book(self, user):
        """(balance, sum of the book, number of lines)"""
        with self.server.database() as db:
            return db.execute("SELECT credit, (SELECT total(amount) FROM ledger WHERE user_id=user.id),"
                              " (SELECT count(*) FROM ledger WHERE user_id=user.id) FROM user WHERE name=?",
                              (user,)).fetchone()

    def end(self, task, state):
        """What a worker's last statement does to the row."""
        with self.server.database() as db:
            db.execute("UPDATE task SET state=?, completed_us=created_us+1 WHERE id=?", (state, task))


class Credits(World):
    def test_needs_a_key(self):
        self.assertEqual(self.server.ask("GET", CREDIT, key=None).status, 401)

    def test_without_a_balance_nothing_is_refused(self):
        self.assertEqual(self.credit(self.server.key), 1000000000)
        task = self.create(self.server.key).data["taskId"]
        self.assertEqual(self.server.record(task).data["creditsConsumed"], 1)
        self.assertEqual(self.credit(self.server.key), 1000000000)

    def test_prices(self):
        name, key = self.user("--credit=20.5")
        for resolution, duration, price, left in (("480p", "5", 1, 19.5), ("720p", "10", 5, 14.5),
                                                  ("1080p", "5", 5.625, 8.875)):
            answer = self.create(key, resolution, duration=duration)
            self.assertEqual(self.server.record(answer.data["taskId"], key).data["creditsConsumed"], price)
            self.assertEqual(self.credit(key), left)
        self.refused(self.create(key, "1080p", duration="10"), 402,
                     "Insufficient Credits", "costs 11.25", "balance is 8.875")
        self.assertEqual(self.credit(key), 8.875)
        self.assertEqual(self.book(name), (8875, 8875.0, 4))

    def test_a_refusal_records_nothing(self):
        name, key = self.user("--credit=0.999")
        before = self.server.database().execute("SELECT count(*) FROM task").fetchone()
        answer = self.server.post({"model": LITE, "input": {"prompt": "a", "image_url": "https://example.org/a.png",
                                                            "resolution": "480p"}}, key, {"Idempotency-Key": "a"})
        self.refused(answer, 402, "Insufficient Credits")
        self.assertEqual(self.server.database().execute("SELECT count(*) FROM task").fetchone(), before)
        self.run_ok("users", "credit", name, "+0.001")
        answer = self.server.post({"model": LITE, "input": {"prompt": "a", "image_url": "https://example.org/a.png",
                                                            "resolution": "480p"}}, key, {"Idempotency-Key": "a"})
        self.assertEqual((answer.code, answer.headers["Idempotent-Replayed"]), (200, None))
        self.assertEqual(self.credit(key), 0)

    def test_a_repetition_costs_nothing(self):
        name, key = self.user("--credit=1")
        body = {"model": LITE, "input": {"prompt": "a", "image_url": "https://example.org/a.png", "resolution": "480p"}}
        first = self.server.post(body, key, {"Idempotency-Key": "a"})
        for _ in range(3):
            self.assertEqual(self.server.post(body, key, {"Idempotency-Key": "a"}).body, first.body)
        self.assertEqual(self.book(name), (0, 0.0, 2))

    def test_a_failed_task_is_given_back(self):
        name, key = self.user("--credit=2")
        failed, done = (self.create(key).data["taskId"] for _ in range(2))
        self.assertEqual(self.credit(key), 0)
        self.end(failed, "fail")
        self.end(done, "success")
        self.assertEqual(self.credit(key), 1)
        self.assertEqual(self.server.record(failed, key).data["creditsConsumed"], 0)
        self.assertEqual(self.server.record(done, key).data["creditsConsumed"], 1)
        self.assertEqual(self.book(name), (1000, 1000.0, 4))
        shown = self.run_ok("users", "show", name)
        self.assertRegex(shown, rf"(?m)^\S+ +1 +given back {failed}$")
        self.assertRegex(shown, rf"(?m)^\S+ +-1 +task {done}$")
        self.assertRegex(shown, r"(?m)^credit +1$")

    def test_sixty_four_at_once_on_a_balance_for_ten(self):
        name, key = self.user("--credit=10.5")
        codes, ready = [], threading.Barrier(64)

        def one():
            ready.wait()
            codes.append(self.create(key).code)

        threads = [threading.Thread(target=one) for _ in range(64)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        self.assertEqual(sorted(codes), [200] * 10 + [402] * 54)
        self.assertEqual(self.credit(key), 0.5)
        self.assertEqual(self.book(name), (500, 500.0, 11))

    def test_keys_of_a_user_share_its_balance(self):
        name, key = self.user("--credit=2")
        other = self.key(name)
        self.assertEqual([self.create(k).code for k in (key, other, key)], [200, 200, 402])
        self.assertEqual(self.credit(other), 0)

    def test_commands_take_effect_at_once(self):
        name, key = self.user("--credit=1")
        rows = (("+2.5", 3.5), ("-3", 0.5), ("7", 7), ("unlimited", 1000000000), ("3", 3))
        for text, want in rows:
            self.run_ok("users", "credit", name, text, "--why=test")
            self.assertEqual(self.credit(key), want)
        self.assertEqual(self.book(name)[:2], (3000, 3000.0))
        self.assertEqual(self.create(key).code, 200)
        self.run_ok("users", "credit", name, "unlimited")
        self.assertEqual(self.create(key).code, 200)
        self.run_ok("users", "credit", name, "4")
        self.assertEqual(self.book(name)[:2], (4000, 4000.0))


class Caps(World):
    def test_caps(self):
        name, _ = self.user("--credit=100")
        for flag, words in (("--cap-hour", "in an hour"), ("--cap-day", "in a day"), ("--cap-total", "in all")):
            with self.subTest(flag):
                key, free = self.key(name, flag + "=2.5"), self.key(name)
                first = self.create(key)
                self.assertEqual([first.code, self.create(key).code], [200, 200])
                self.refused(self.create(key), 433, "this key may spend 2.5 credits " + words, "has spent 2;")
                self.assertEqual(self.create(free).code, 200)
                self.end(first.data["taskId"], "fail")
                self.assertEqual([self.create(key).code, self.create(key).code], [200, 433])
                self.run_ok("keys", "set", key.name, flag + "=none")
                self.assertEqual(self.create(key).code, 200)

    def test_hours_and_days_end(self):
        name, _ = self.user()
        key = self.key(name, "--cap-hour=1", "--cap-day=2")
        self.assertEqual([self.create(key).code for _ in range(2)], [200, 433])
        with self.server.database() as db:
            db.execute("UPDATE api_key SET hour=hour-1 WHERE name=?", (key.name,))
        self.assertEqual([self.create(key).code for _ in range(2)], [200, 433])
        with self.server.database() as db:
            db.execute("UPDATE api_key SET hour=hour-1 WHERE name=?", (key.name,))
        self.refused(self.create(key), 433, "in a day")
        with self.server.database() as db:
            db.execute("UPDATE api_key SET day=day-1 WHERE name=?", (key.name,))
        self.assertEqual(self.create(key).code, 200)


class Limits(World):
    FLAGS = ("--workers=0", "--max-waiting=0", "--rate-limit=0")

    def test_queue_of_a_user(self):
        name, key = self.user("--queue=3")
        other = self.key(name)
        tasks = [self.create(k).data["taskId"] for k in (key, other, key)]
        for k in (key, other):
            answer = self.create(k)
            self.refused(answer, 429, "3 of your tasks are waiting or running, the limit is 3")
            self.assertRegex(answer.headers["Retry-After"], r"\A[1-9]\d*\Z")
        self.assertEqual(self.create(self.server.key).code, 200)
        self.end(tasks[0], "fail")
        self.assertEqual([self.create(key).code, self.create(key).code], [200, 429])
        self.end(tasks[1], "success")
        self.assertEqual([self.create(other).code, self.create(other).code], [200, 429])
        self.run_ok("users", "limit", name, "none")
        self.assertEqual(self.create(key).code, 200)

    def test_rate_of_a_key(self):
        name, key = self.user()
        limited = self.key(name, "--rate=2/1h")
        self.assertEqual([self.create(limited).code for _ in range(3)], [200, 200, 429])
        self.assertEqual([self.create(key).code for _ in range(5)], [200] * 5)
        self.run_ok("keys", "set", limited.name, "--rate=4/1h")
        self.assertEqual([self.create(limited).code for _ in range(3)], [200, 200, 429])
        self.run_ok("keys", "set", limited.name, "--rate=default")
        self.assertEqual(self.create(limited).code, 200)

    def test_addresses(self):
        name, key = self.user()
        task = self.create(key).data["taskId"]
        for allowed in ("127.0.0.1", "10.0.0.0/8,127.0.0.0/8", "any"):
            self.run_ok("keys", "set", key.name, "--allow-ip", allowed)
            self.assertEqual([self.create(key).code, self.server.record(task, key).code], [200, 200])
        for allowed in ("10.0.0.0/8", "127.0.0.2", "::1,2001:db8::/32"):
            self.run_ok("keys", "set", key.name, "--allow-ip", allowed)
            for answer in (self.create(key), self.server.record(task, key), self.server.ask("GET", CREDIT, key=key)):
                self.refused(answer, 401, "may not be used from the address 127.0.0.1")

    def test_expiry(self):
        name, key = self.user()
        self.run_ok("keys", "set", key.name, "--expires=1h")
        task = self.create(key).data["taskId"]
        self.assertEqual(self.server.record(task, key).code, 200)
        self.run_ok("keys", "set", key.name, "--expires=2020-02-29")
        for answer in (self.create(key), self.server.record(task, key), self.server.ask("GET", CREDIT, key=key)):
            self.refused(answer, 401, "You do not have access permissions")
        self.run_ok("keys", "set", key.name, "--expires=never")
        self.assertEqual(self.server.record(task, key).code, 200)

    def test_other_limits_stay(self):
        name, _ = self.user()
        key = self.key(name, "--rate=3/1h", "--cap-day=7.5", "--allow-ip=127.0.0.1", "--expires=2099-12-31")
        self.run_ok("keys", "set", key.name, "--cap-hour=1")
        listed = self.run_ok("keys", "list")
        line = listed[listed.index(key.name):].splitlines()[1]
        self.assertEqual(line.strip(), f"user {name}, rate 3/3600s, credits this hour 0 of 1, today 0 of 7.5, "
                         "from 127.0.0.1, until 2099-12-31T00:00:00.000Z")


class Worker(World):
    """The same with a worker that really fails a task."""
    FLAGS = ("--workers=1", "--max-waiting=0", *PRICES)

    def test_a_task_that_fails_costs_nothing(self):
        name, key = self.user("--credit=1", "--queue=1")
        task = self.create(key, image_url="http://127.0.0.1:1/a.png").data["taskId"]
        data, _ = self.server.wait(task, key)
        self.assertEqual((data["state"], data["creditsConsumed"]), ("fail", 0))
        self.assertEqual(self.credit(key), 1)
        self.assertEqual(self.book(name), (1000, 1000.0, 3))
        self.assertEqual(self.create(key, image_url="http://127.0.0.1:1/a.png").code, 200)
