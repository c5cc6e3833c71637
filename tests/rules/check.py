#!/usr/bin/env python3
"""What a script can check of the project's rules: layers, owners of libraries, headers that compile
alone, banned calls, lengths, formatting of comments. Prints each breach and "N passed, N failed"."""

import os
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
os.chdir(ROOT)
FILE_LINES = 800
FUNCTION_LINES = 60
passed = failed = 0


def report(ok, text):
    global passed, failed
    if ok:
        passed += 1
    else:
        failed += 1
        print(text)


def sources(*tops):
    for top in tops:
        for folder, _, names in sorted(os.walk(top)):
            for name in sorted(names):
                if name.endswith((".c", ".h")):
                    yield os.path.join(folder, name)


def module_of(path):
    parts = path.split("/")
    return parts[1] if parts[0] in ("lib", "app") and len(parts) > 2 else None


def read_layers():
    edges, owners = {}, []
    for line in open("tests/rules/layers.txt", encoding="utf-8"):
        line = line.split("#")[0].strip()
        if line.startswith("<"):
            prefix, *who = line.split()
            owners.append((prefix.rstrip(">"), who))
        elif line:
            name, rest = line.split(":")
            edges[name] = rest.split()
    return edges, owners


def check_layers():
    edges, owners = read_layers()

    def reaches(start, goal, seen):
        return any(n == goal or (n not in seen and reaches(n, goal, seen | {n}))
                   for n in edges.get(start, []))

    for name in edges:
        report(not reaches(name, name, set()), f"layers.txt: {name} depends on itself")
    for path in sources("lib", "app"):
        me = module_of(path)
        for number, line in enumerate(open(path, encoding="utf-8"), 1):
            found = re.match(r'\s*#\s*include\s+(["<])([^">]+)[">]', line)
            if not found:
                continue
            where = f"{path}:{number}"
            if found[1] == '"':
                target = found[2].split("/")[0] if "/" in found[2] else None
                if found[2] == "zoetrope.h" or me is None:
                    continue  # lib/zoetrope.c alone names all engines
                ok = target == me or target in edges.get(me, [])
                report(ok, f"{where}: {me} may not include {found[2]}")
                below = module_of(f"lib/{found[2]}") if target else None
                if below and path.startswith("app/") and os.path.isdir(f"lib/{target}"):
                    report(target == "base", f"{where}: the program sees the library only "
                           f"through zoetrope.h and base, not {found[2]}")
            else:
                for prefix, who in owners:
                    if ("<" + found[2]).startswith(prefix):
                        name = "/".join(path.split("/")[1:])
                        report(me in who or name in who,
                               f"{where}: <{found[2]}> belongs to {' '.join(who)}")


BANNED = re.compile(r"\b(atoi|atol|atoll|atof|sscanf|strtok|strtok_r|gets|strcpy|strcat|sprintf|"
                    r"vsprintf|system|popen|tmpnam|mktemp|rand|srand|alloca|setjmp|longjmp|"
                    r"sleep|usleep|gmtime|localtime|strerror)\s*\(")


def strip_comments(text):
    text = re.sub(r'"(\\.|[^"\\\n])*"', lambda m: '""' + " " * (len(m[0]) - 2), text)
    return re.sub(r"/\*.*?\*/", lambda m: re.sub(r"[^\n]", " ", m[0]), text, flags=re.S)


def check_text():
    for path in sources("lib", "app", "include", "tests", "bench"):
        text = open(path, encoding="utf-8").read()
        lines = text.split("\n")
        ours = path.startswith(("lib", "app", "include"))
        report(len(lines) <= FILE_LINES + 1, f"{path}: {len(lines)} lines, the limit is {FILE_LINES}")
        report(text.startswith("/*"), f"{path}: does not begin with what it is")
        report(text.endswith("\n") and "\t" not in text, f"{path}: tabs, or no newline at the end")
        long_lines = [i for i, l in enumerate(lines, 1) if len(l) > 100]
        if not path.startswith("tests"):
            report(not long_lines, f"{path}: lines over 100 columns: {long_lines[:5]}")
        code = strip_comments(text)
        if ours:
            calls = [m[1] for m in BANNED.finditer(code)]
            report(not calls, f"{path}: banned calls: {', '.join(sorted(set(calls)))}")
            report("//" not in code, f"{path}: // comment")
            todo = re.search(r"\b(TODO|FIXME|XXX)\b(?!.*#\d)", text)
            report(not todo, f"{path}: a to-do without an issue number")
            report(not re.search(r"^extern\b", code, flags=re.M) or path.endswith(".h"),
                   f"{path}: extern belongs in a header")
            start = None
            for number, line in enumerate(code.split("\n"), 1):
                if line == "{":
                    start = number
                elif line == "}" and start is not None:
                    if number - start - 1 > FUNCTION_LINES:
                        report(False, f"{path}:{start}: a function of {number - start - 1} lines, "
                               f"the limit is {FUNCTION_LINES}")
                    else:
                        report(True, "")
                    start = None


def compiles(args):
    header, command = args
    done = subprocess.run(command, input=f'#include "{header}"\n', text=True, capture_output=True)
    return header, command[0], done.returncode == 0, done.stderr


def check_headers():
    version = subprocess.run(["tools/fetch-ggml", "--version"], text=True, capture_output=True,
                             check=True).stdout.strip()
    ggml = os.path.join(os.environ.get("ZT_DEPS", "build/deps"), f"ggml-{version}")
    subprocess.run(["tools/fetch-ggml", ggml], check=True)
    flags = ["-D_XOPEN_SOURCE=700", "-D_DEFAULT_SOURCE", "-Iinclude", "-Ilib", "-Iapp",
             "-isystem", f"{ggml}/include", "-Wall",
             "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"]
    jobs = [(os.path.relpath(path, "include" if path.startswith("include") else path.split("/")[0]),
             ["gcc", "-std=c17", "-xc", *flags, "-"]) for path in sources("lib", "app", "include")
            if path.endswith(".h")]
    jobs.append(("zoetrope.h", ["g++", "-std=c++17", "-xc++", *flags, "-"]))
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for header, compiler, ok, text in pool.map(compiles, jobs):
            report(ok, f"{header} does not compile alone ({compiler}):\n{text}")


def check_docs():
    """Every log event in the code is described, and every event described exists."""
    events = set()
    for path in sources("lib", "app"):
        code = open(path, encoding="utf-8").read()
        events |= set(re.findall(r"ZT_LOG\(\w+,\s*\"([a-z0-9_]+)\"", code))
    try:
        text = open("docs/OPERATIONS.md", encoding="utf-8").read()
    except FileNotFoundError:
        report(False, "docs/OPERATIONS.md is missing")
        return
    listed = set(re.findall(r"^\| `([a-z0-9_]+)` \|", text, flags=re.M))
    report(events <= listed, f"events not in docs/OPERATIONS.md: {sorted(events - listed)}")
    report(listed <= events, f"events that no code logs: {sorted(listed - events)}")
    for path in ["README.md", *(f"docs/{n}" for n in sorted(os.listdir("docs")))]:
        if not path.endswith(".md"):
            continue
        folder = os.path.dirname(path)
        for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", open(path, encoding="utf-8").read()):
            if not re.match(r"[a-z]+:", target):
                report(os.path.exists(os.path.join(folder, target)), f"{path}: broken link {target}")


def check_generated():
    """What a script writes is what it would write."""
    done = subprocess.run(["tools/entities", "--check"], capture_output=True, text=True)
    report(done.returncode == 0, done.stderr.strip())


for check in (check_layers, check_text, check_headers, check_docs, check_generated):
    check()
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0)
