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
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.chdir(ROOT)
LOGS = "build/test-logs"
ASAN, TSAN = "build/asan/zoetrope", "build/tsan/zoetrope"
KILLS = os.environ.get("KILLS", "200")
FUZZ_SECONDS = os.environ.get("FUZZ_SECONDS", "10")
PY = sys.executable
PRINTING = threading.Lock()
# Unit tests of what several threads use.
CONCURRENT = ["json", "store", "view", "batch", "blob", "http", "client", "deliver", "rate", "warp", "ahead"]


def ctest(preset, *args):
    return ["ctest", "--test-dir", f"build/{preset}", "-V", "-j", str(os.cpu_count()), *args]


# name, lane, in the quick run?, what it shows, the commands. Stages of lane 0 run first and alone; the
# other lanes beside each other: the crash tests mostly wait, those of the API about half their time.
STAGES = [
    ("rules", 0, True, "layers, owners, headers, banned calls, docs", [[PY, "tests/rules/check.py"]]),
    ("unit", 0, True, "unit tests and fuzz corpora, gcc with ASan and UBSan",
     [["tools/build", "asan"], ctest("asan")]),
    ("api", 3, True, "the HTTP contract from outside", [[PY, "tests/api/run.py", "--program", ASAN]]),
    ("crash", 1, False, f"{KILLS} kills, crash points, stopped workers, bad receivers",
     [[PY, "tests/crash/run.py", "--program", ASAN, "--kills", KILLS]]),
    ("threads", 2, False, "the concurrent parts, clang with TSan",
     [["tools/build", "tsan", "zoetrope", *(f"test_{name}" for name in CONCURRENT)],
      ctest("tsan", "-R", f"unit.({'|'.join(CONCURRENT)})$"),
      [PY, "tests/crash/run.py", "--program", TSAN, "--smoke"]]),
    ("simd", 2, True, "the NEON path on an emulated AArch64, the AVX-512 path lowered to this machine",
     [["tests/arm"], ["tests/avx512"]]),
    ("fuzz", 2, False, f"every fuzz target for {FUZZ_SECONDS} s, clang with ASan and UBSan",
     [["tools/build", "fuzz"], ["tests/fuzz/run", FUZZ_SECONDS]]),
    ("lint", 2, False, "clang-format, clang-tidy, cppcheck", [["tools/lint"]]),
    ("package", 2, False, "tarball, packages, manual pages, completions, unit, Dockerfile",
     [[PY, "tests/package/run.py"]]),
    ("cli", 3, True, "the command line from outside", [[PY, "tests/cli/run.py", "--program", ASAN]]),
    ("page", 3, False, "the page in a real browser",
     [["tests/node/install"], ["node", "tests/page/run.mjs", "--program", ASAN]]),
    ("faults", 1, False, "many tasks, stalling clients, a held database, calls that fail",
     [[PY, "tests/faults/run.py", "--program", ASAN]]),
    ("first-run", 1, False, "the README's first command in an empty clone", [["tests/first-run"]]),
]


def environment():
    env = dict(os.environ)
    env.setdefault("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=0:allocator_may_return_null=1")
    env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1")
    env.setdefault("TSAN_OPTIONS", "halt_on_error=1 die_after_fork=0")
    return env


def run_stage(name, commands):
    """Runs the commands of a stage; returns (passed, failed, what to show of a failure)."""
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
    with open(path, encoding="utf-8", errors="replace") as log:
        text = log.read()
    counts = re.findall(r"(?m)^(?:\d+: )?(\d+) passed, (\d+) failed", text)
    passed += sum(int(p) for p, _ in counts)
    failed = max(failed, sum(int(f) for _, f in counts))
    if passed == 0 and failed == 0:
        return 0, 1, f"{name}: no test ran\n"
    return passed, failed, f"--- {path} (its end) ---\n{text[-8000:]}---\n" if failed else ""


def run_lane(stages, totals):
    """Runs stages one after another; adds what they counted to totals."""
    for name, _, _, what, commands in stages:
        start = time.monotonic()
        passed, failed, report = run_stage(name, commands)
        with PRINTING:
            print(f"{report}{name}: {what}\n  {passed} checks passed, {failed} failed in "
                  f"{time.monotonic() - start:.0f} s", flush=True)
            totals[0] += passed
            totals[1] += failed


def main(args):
    if "--list" in args:
        for name, _, quick, what, _ in STAGES:
            print(f"{name:10} {'quick ' if quick else '      '} {what}")
        return 0
    named = [a for a in args if not a.startswith("-")]
    unknown = set(named) - {s[0] for s in STAGES}
    if unknown or set(args) - set(named) - {"--quick"}:
        print(__doc__)
        return 2
    os.makedirs(LOGS, exist_ok=True)
    stages = [s for s in STAGES if (not named or s[0] in named) and ("--quick" not in args or s[2])]
    totals = [0, 0]
    run_lane([s for s in stages if s[1] == 0], totals)
    lanes = [threading.Thread(target=run_lane, args=([s for s in stages if s[1] == lane], totals))
             for lane in (1, 2, 3)]
    for lane in lanes:
        lane.start()
    for lane in lanes:
        lane.join()
    print(f"{totals[0]} passed, {totals[1]} failed")
    return 1 if totals[1] else 0


sys.exit(main(sys.argv[1:]))
