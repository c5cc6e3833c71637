"""Keys: who may ask, and that another key's tasks are as unknown as ones that never existed."""

import unittest

from harness import CREATE, RECORD, Key, Server


class Auth(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--workers=0")

    @classmethod
    def tearDownClass(cls):
        assert cls.server.stop() == []

    def denied(self, answer):
        self.assertEqual(answer.status, 401)
        self.assertEqual(answer.json, {"code": 401, "msg": "You do not have access permissions", "data": None})
        self.assertEqual(answer.headers["WWW-Authenticate"], "Bearer")

    def test_needs_a_key(self):
        secret = self.server.key.secret
        rows = {
            "none": {},
            "empty": {"Authorization": ""},
            "no secret": {"Authorization": "Bearer "},
            "wrong": {"Authorization": "Bearer zt_wrong"},
            "cut": {"Authorization": "Bearer " + secret[:-1]},
            "longer": {"Authorization": "Bearer " + secret + "a"},
            "other scheme": {"Authorization": "Basic " + secret},
            "no scheme": {"Authorization": secret},
            "huge": {"Authorization": "Bearer " + "a" * 5000},
            "other header": {"X-Api-Key": secret},
        }
        for label, headers in rows.items():
            with self.subTest(label):
                self.denied(self.server.ask("GET", f"{RECORD}?taskId=x", key=None, headers=headers))
                self.denied(self.server.ask("POST", CREATE, b"{}", key=None,
                                            headers={"Content-Type": "application/json", **headers}))

    def test_key_comes_before_all_else(self):
        self.denied(self.server.ask("GET", RECORD, key=None))
        self.denied(self.server.ask("POST", CREATE, b"not json", key=None, headers={"Content-Type": "text/plain"}))

    def test_scheme_in_any_case(self):
        for scheme in ("bearer", "BEARER"):
            answer = self.server.ask("GET", f"{RECORD}?taskId=x", key=None,
                                     headers={"Authorization": f"{scheme} {self.server.key.secret}"})
            self.assertEqual(answer.code, 422)

    def test_public_addresses_need_none(self):
        for path in ("/healthz", "/readyz", "/openapi.json"):
            self.assertEqual(self.server.ask("GET", path, key=None).status, 200)

    def test_another_key_sees_nothing(self):
        other = self.server.add_key("other")
        task = self.server.create().data["taskId"]
        self.assertEqual(self.server.record(task).code, 200)
        hers = self.server.record(task, key=other)
        unknown = self.server.record("task_bytedance_0000000000000", key=other)
        self.assertEqual(hers.body, unknown.body)
        self.assertEqual(hers.status, unknown.status)

    def test_reset_ends_the_old_secret_and_keeps_the_tasks(self):
        key = self.server.add_key("renewed")
        task = self.server.create(key=key).data["taskId"]
        renewed = self.server.reset_key("renewed")
        self.denied(self.server.record(task, key=key))
        self.assertEqual(self.server.record(task, key=renewed).code, 200)

    def test_revoked_is_denied_at_once(self):
        key = self.server.add_key("ended")
        self.assertEqual(self.server.create(key=key).code, 200)
        self.assertEqual(self.server.command("keys", "revoke", "--name", "ended").returncode, 0)
        self.denied(self.server.create(key=key))
        self.denied(self.server.record("x", key=key))

    def test_answers_never_carry_the_key(self):
        for secret in ("zt_" + "q" * 43, self.server.key.secret):
            key = Key("x", secret, None)
            for answer in (self.server.record("x", key=key), self.server.create(key=key, prompt=secret * 0)):
                self.assertNotIn(secret.encode(), answer.body)
                self.assertNotIn(secret, str(answer.headers))
