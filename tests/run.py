#!/usr/bin/env python3
"""Builds and runs every kind of test, fastest first, and adds up what they say.

    tests/run.py            all
    tests/run.py --quick    rules, unit, API and command line
    tests/run.py api crash  the named stages only
    tests/run.py --list     what there is

Each program under test ends with a line "N passed, N failed"; so does this one. The output of a stage
goes to build/test-logs/<stage>.log and is shown when the stage fails."""

import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)
LOGS = "build/test-logs"
ASAN, TSAN = "build/asan/zoetrope", "build/tsan/zoetrope"
KILLS = os.environ.get("KILLS", "200")
FUZZ_SECONDS = os.environ.get("FUZZ_SECONDS", "10")
PY = sys.executable


def ctest(preset, *args):
    return ["ctest", "--test-dir", f"build/{preset}", "-V", "-j", str(os.cpu_count()), *args]


# name, in the quick run?, what it shows, the commands
STAGES = [
    ("rules", True, "layers, owners, headers, banned calls, docs", [[PY, "tests/rules/check.py"]]),
    ("unit", True, "unit tests and fuzz corpora, gcc with ASan and UBSan",
     [["tools/build", "asan"], ctest("asan")]),
    ("api", True, "the HTTP contract from outside", [[PY, "tests/api/run.py", "--program", ASAN]]),
    ("cli", True, "the command line from outside", [[PY, "tests/cli/run.py", "--program", ASAN]]),
    ("crash", False, f"{KILLS} kills, crash points, stopped workers, bad receivers",
     [[PY, "tests/crash/run.py", "--program", ASAN, "--kills", KILLS]]),
    ("threads", False, "the concurrent parts, clang with TSan",
     [["tools/build", "tsan"],
      ctest("tsan", "-R", "unit.(json|store|view|batch|blob|http|client|deliver|rate|warp)$"),
      [PY, "tests/crash/run.py", "--program", TSAN, "--smoke"]]),
    ("fuzz", False, f"every fuzz target for {FUZZ_SECONDS} s, clang with ASan and UBSan",
     [["tools/build", "fuzz"], ["tests/fuzz/run", FUZZ_SECONDS]]),
    ("lint", False, "clang-format, clang-tidy, cppcheck", [["tools/lint"]]),
    ("first-run", False, "the README's first command in an empty clone", [["tests/first-run"]]),
]


def environment():
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.setdefault("TSAN_OPTIONS", "halt_on_error=1 die_after_fork=0")
    return env


def run_stage(name, commands):
    """Runs the commands of a stage; returns (passed, failed)."""
    path = f"{LOGS}/{name}.log"
    passed = failed = 0
    with open(path, "w", encoding="utf-8") as log:
        for command in commands:
            log.write(f"$ {' '.join(command)}\n")
            log.flush()
            code = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log,
                                  stderr=subprocess.STDOUT, env=environment()).returncode
            log.write(f"exit {code}\n")
            if code != 0:
                failed += 1
                break
    text = open(path, encoding="utf-8", errors="replace").read()
    counts = re.findall(r"(?m)^(?:\d+: )?(\d+) passed, (\d+) failed", text)
    passed += sum(int(p) for p, _ in counts)
    failed_checks = sum(int(f) for _, f in counts)
    failed = max(failed, failed_checks)
    if passed == 0 and failed == 0:
        failed = 1
        print(f"  {name}: no test ran")
    if failed:
        print(f"--- {path} (its end) ---")
        print(text[-8000:])
        print("---")
    return passed, failed


def main(args):
    if "--list" in args:
        for name, quick, what, _ in STAGES:
            print(f"{name:10} {'quick ' if quick else '      '} {what}")
        return 0
    named = [a for a in args if not a.startswith("-")]
    unknown = set(named) - {s[0] for s in STAGES}
    if unknown or set(args) - set(named) - {"--quick"}:
        print(__doc__)
        return 2
    os.makedirs(LOGS, exist_ok=True)
    total_passed = total_failed = 0
    for name, quick, what, commands in STAGES:
        if (named and name not in named) or ("--quick" in args and not quick):
            continue
        print(f"{name}: {what}", flush=True)
        start = time.monotonic()
        passed, failed = run_stage(name, commands)
        print(f"  {passed} checks passed, {failed} failed in {time.monotonic() - start:.0f} s",
              flush=True)
        total_passed += passed
        total_failed += failed
    print(f"{total_passed} passed, {total_failed} failed")
    return 1 if total_failed else 0


sys.exit(main(sys.argv[1:]))
