#!/usr/bin/env python3
"""Dies everywhere and looks whether anything was lost.

    tests/crash/run.py --program build/asan/zoetrope [--kills 200] [--seconds 420] [--seed N]
    tests/crash/run.py --program build/tsan/zoetrope --smoke
    tests/crash/run.py --program build/asan/zoetrope --only chaos --kills 1000 --seconds 3600

steps   dies at each crash point in turn, in the worker and in the server
scenes  a worker that sleeps past its lease, engines that crash, receivers that misbehave, stopping
chaos   kills and stops processes at random moments, with a ledger of what was accepted

The program must be built with ZT_FAULTS. Prints "N passed, N failed"."""

import argparse
import subprocess
import sys
import time

import chaos
import scenes
import steps
from world import Checks, Outside


def has_faults(program):
    """Whether crash points were compiled in: a version that dies at one would not print its name."""
    import os
    import tempfile
    with tempfile.TemporaryDirectory() as folder:
        got = subprocess.run([program, "keys", "create", "x", f"--data={folder}/d"], capture_output=True, timeout=60,
                             env={**os.environ, "ZOETROPE_CRASH": "store.commit:1"})
    return got.returncode == 137


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=420, help="of chaos, at most")
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--smoke", action="store_true", help="a little of each but the steps")
    parser.add_argument("--only", choices=["steps", "scenes", "chaos"])
    args = parser.parse_args()
    if not has_faults(args.program):
        sys.exit(f"{args.program} was built without ZT_FAULTS")
    seed = args.seed if args.seed is not None else int(time.time()) % 1000000
    kills = min(args.kills, 12) if args.smoke else args.kills
    checks, outside = Checks(), Outside()
    for part in ("scenes", "steps", "chaos"):
        began = time.monotonic()
        if args.only not in (None, part) or (part == "steps" and args.smoke):
            continue
        if part == "steps":
            steps.run(args.program, checks, outside)
        elif part == "scenes":
            scenes.run(args.program, checks, outside, args.smoke)
        else:
            steps.guarded(checks, chaos.run, args.program, checks, outside, kills, args.seconds, seed)
        print(f"{part}: {time.monotonic() - began:.0f} s", flush=True)
    outside.close()
    print(f"{checks.passed} passed, {checks.failed} failed")
    return checks.failed > 0


if __name__ == "__main__":
    sys.exit(main())
