"""How often and how much: the rate of a key, and the length of the queue."""

import time
import unittest

from harness import Server


class Rate(unittest.TestCase):
    def limited(self, answer):
        self.assertEqual((answer.status, answer.code), (429, 429))
        self.assertEqual(answer.msg, "Your call frequency is too high. Please try again later.")
        self.assertRegex(answer.headers["Retry-After"], r"\A[1-9]\d*\Z")

    def test_twenty_in_ten_seconds(self):
        server = Server("--workers=0", "--rate-limit=20/10s")
        try:
            other = server.add_key("other")
            codes = [server.create().code for _ in range(20)]
            self.assertEqual(codes, [200] * 20)
            answer = server.create()
            self.limited(answer)
            self.assertLessEqual(int(answer.headers["Retry-After"]), 10)
            self.limited(server.post(b"not json"))  # before the body is looked at
            self.assertEqual(server.create(key=other).code, 200)
            self.assertEqual(server.record("x").code, 422)  # asking is free
        finally:
            self.assertEqual(server.stop(), [])

    def test_retry_after_is_true(self):
        server = Server("--workers=0", "--rate-limit=3/2s")
        try:
            self.assertEqual([server.create().code for _ in range(3)], [200] * 3)
            answer = server.create()
            self.limited(answer)
            time.sleep(int(answer.headers["Retry-After"]))
            self.assertEqual(server.create().code, 200)
        finally:
            self.assertEqual(server.stop(), [])

    def test_queue_is_bounded(self):
        server = Server("--workers=0", "--max-waiting=5")
        try:
            self.assertEqual([server.create().code for _ in range(5)], [200] * 5)
            for _ in range(3):
                answer = server.create()
                self.assertEqual((answer.status, answer.code), (429, 429))
                self.assertIn("5 tasks are waiting already, the limit is 5", answer.msg)
                self.assertRegex(answer.headers["Retry-After"], r"\A[1-9]\d*\Z")
                time.sleep(0.15)  # past the age at which the count is renewed
        finally:
            self.assertEqual(server.stop(), [])
