#!/usr/bin/env python3
"""Runs the tests of the HTTP contract against a program: run.py --program build/release/zoetrope

    run.py --program PROGRAM [WORD...]   only tests whose name has one of the words

Ends with a line "N passed, N failed"."""

import argparse
import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import harness  # noqa: E402


class Result(unittest.TextTestResult):
    """Counts every sub-test: a row of a table is a test."""

    passed = failed = 0

    def addSuccess(self, test):
        super().addSuccess(test)
        self.passed += 1

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.failed += 1

    def addError(self, test, err):
        super().addError(test, err)
        self.failed += 1

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is None:
            self.passed += 1
        else:
            self.failed += 1


def each(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from each(test)
        else:
            yield test


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", default="build/release/zoetrope")
    parser.add_argument("words", nargs="*")
    args = parser.parse_args()
    harness.PROGRAM = os.path.abspath(args.program)
    if not os.access(harness.PROGRAM, os.X_OK):
        sys.exit(f"no program at {harness.PROGRAM}: build it first, or name one with --program")

    found = unittest.defaultTestLoader.discover(HERE, pattern="test_*.py", top_level_dir=HERE)
    tests = [t for t in each(found) if not args.words or any(w in t.id() for w in args.words)]
    runner = unittest.TextTestRunner(stream=sys.stdout, verbosity=2 if args.words else 1, resultclass=Result)
    result = runner.run(unittest.TestSuite(tests))
    print(f"{result.passed} passed, {result.failed} failed")
    sys.exit(0 if result.failed == 0 and result.passed > 0 else 1)


if __name__ == "__main__":
    main()
