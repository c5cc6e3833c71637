#!/usr/bin/env python3
"""The command line from outside: what each command prints, where, and what it ends with.

    tests/cli/run.py --program build/asan/zoetrope

A row of CASES is one run: name, arguments, exit status, patterns that standard output and standard
error must contain (regular expressions). What needs more than one run is a function below them. All
happens in a folder of its own; $W in an argument is that folder."""

import argparse
import http.server
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
COMMANDS = ["serve", "worker", "generate", "keys", "users", "tasks", "explain", "health", "version", "backup", "restore",
            "doctor", "models", "devices"]
WAN = os.path.join(ROOT, "tests", "fixtures", "wan")
QUICK = ["--resolution=480p", "--duration=2", "--preset=ultrafast"]

# name, arguments, exit status, patterns on stdout, patterns on stderr
CASES = [
    ("nothing", [], 2, [], [r"Usage: zoetrope COMMAND"]),
    ("help", ["--help"], 0, [r"Usage: zoetrope COMMAND", r"generate +make a video", r"Exit status: 0 done"], []),
    ("-h", ["-h"], 0, [r"Commands:"], []),
    ("help of nothing known", ["help", "nope"], 2, [], [r"unknown command 'nope'"]),
    ("help of settings", ["help", "settings"], 0, [r"^# Settings"], []),
    ("help of errors", ["help", "errors"], 0, [r"^# Errors", r"\n\| 422 \| "], []),
    ("manual pages there are", ["help", "man"], 0, [r"^zoetrope\.1\n", r"zoetrope-serve\.1\n", r"zoetrope\.conf\.5\n$"], []),
    ("a manual page", ["help", "man", "zoetrope-keys.1"], 0, [r"\.Nm zoetrope-keys\n", r"\.It Cm revoke\n"], []),
    ("no such manual page", ["help", "man", "zoetrope.7"], 4, [], [r"no manual page 'zoetrope\.7'"]),
    ("completion", ["help", "completion", "bash"], 0, [r"complete -F _zoetrope zoetrope\n$"], []),
    ("completion for another shell", ["help", "completion", "tcsh"], 2, [], [r"bash, zsh, fish"]),
    ("health of nobody", ["health", "--listen=127.0.0.1:9"], 5, [], [r"http://127\.0\.0\.1:9/readyz: "]),
    ("health of any port", ["health", "--listen=127.0.0.1:0"], 2, [], [r"name it with --url"]),
    ("health of no address", ["health", "--url=here"], 3, [], [r"here"]),
    ("version", ["version"], 0, [r"^zoetrope \d+\.\d+\.\d+$", r"engines:\n  motion ", r"libsqlite3"], []),
    ("devices", ["devices"], 0, [r"^CPU +\S.*\d+\.\d of \d+\.\d GiB free\n"], []),
    ("devices for programs", ["devices", "--json"], 0, [r'^\[\n  \{"name":"CPU",.*"totalBytes":\d+\}'], []),
    ("--version", ["--version"], 0, [r"^zoetrope \d"], []),
    ("unknown command", ["serv"], 2, [], [r"unknown command 'serv'; did you mean serve\?"]),
    ("nothing like it", ["qqqqqq"], 2, [], [r"unknown command 'qqqqqq'\nTry: zoetrope --help"]),
    ("unknown flag", ["serve", "--lisen=1"], 2, [], [r"unknown flag --lisen=1; did you mean --listen\?",
                                                      r"Try: zoetrope serve --help"]),
    ("flag of another command", ["explain", "x", "--workers=2"], 2, [], [r"unknown flag --workers=2"]),
    ("too many words", ["explain", "a", "b"], 2, [], [r"'b' is one word too many: zoetrope explain PROMPT"]),
    ("too few words", ["generate", "a.jpg"], 2, [], [r"something is missing: zoetrope generate IMAGE PROMPT"]),
    ("value out of range", ["generate", "a", "b", "--crf=52"], 2, [],
     [r"--crf must be a whole number from 1 to 51, not '52'"]),
    ("flag without value", ["generate", "a", "b", "--crf"], 2, [], [r"--crf needs a value"]),
    ("not offered", ["generate", "a", "b", "--resolution=4k"], 2, [],
     [r"--resolution must be 480p, 720p or 1080p, not '4k'"]),
    ("no settings file", ["serve", "--config=$W/none"], 4, [], [r"settings file .*/none"]),
    ("wrong settings file", ["serve", "--config=$W/wrong.conf"], 2, [],
     [r"wrong.conf, line 2: there is no setting 'lissten'; did you mean listen\?"]),

    ("explain", ["explain", "slow push in, then cut to a pan left"], 0, [r"."], []),
    ("explain nothing", ["explain", ""], 3, [], [r"the prompt: "]),
    ("explain what is not UTF-8", ["explain", b"\xff\xfe"], 3, [], [r"UTF-8"]),

    ("generate", ["generate", "$W/picture.png", "slow push in", "-o", "$W/a.mp4", "--seed=7", *QUICK], 0,
     [r"a\.mp4  \d+x\d+, 49 frames, \d+ bytes, seed 7, engine motion, \d+\.\d s\n$"], []),
    ("generate again", ["generate", "$W/picture.png", "slow push in", "-o", "$W/a.mp4", *QUICK], 1, [],
     [r"a\.mp4 exists already; name another file with -o, or replace it with --force"]),
    ("generate by force", ["generate", "$W/picture.png", "slow push in", "-o", "$W/a.mp4", "--seed=7", "--force",
                           *QUICK], 0, [r"seed 7"], []),
    ("generate to the end", ["generate", "$W/picture.png", "fade", "-o", "$W/b.mp4", "--end-image=$W/picture.png",
                             "--poster=$W/b.jpg", *QUICK], 0, [r"b\.mp4"], []),
    ("no image", ["generate", "$W/none.png", "x"], 4, [], [r"none\.png: cannot open file"]),
    ("a folder for an image", ["generate", "$W", "x"], 5, [], [r"cannot read file"]),
    ("text for an image", ["generate", "$W/wrong.conf", "x"], 3, [], [r"wrong\.conf: "]),
    ("half an image", ["generate", "$W/half.png", "x", "-o", "$W/h.mp4"], 3, [], [r"half\.png: "]),
    ("a small image", ["generate", "$W/small.png", "x", "-o", "$W/s.mp4"], 3, [], [r"small\.png: .*64"]),
    ("a large file", ["generate", "$W/picture.png", "x", "-o", "$W/l.mp4", "--max-image-bytes=1024"], 3, [],
     [r"1024 bytes"]),
    ("no prompt", ["generate", "$W/picture.png", "", "-o", "$W/p.mp4"], 3, [], [r"prompt"]),
    ("no such engine", ["generate", "$W/picture.png", "x", "-o", "$W/e.mp4", "--engine=magic"], 4, [],
     [r"magic.*motion|motion.*magic"]),
    ("no folder for the video", ["generate", "$W/picture.png", "x", "-o", "$W/none/e.mp4", *QUICK], 4, [], [r"."]),
    ("a private address", ["generate", "http://127.0.0.1:9/a.png", "x", "-o", "$W/u.mp4"], 5, [], [r"--allow-net"]),

    ("keys of nowhere", ["keys", "list", "--data=$W/none"], 4, [], [r"no zoetrope data in .*/none"]),
    ("keys without an action", ["keys"], 2, [], [r"something is missing"]),
    ("keys with another action", ["keys", "creat", "x"], 2, [], [r"not 'creat'; did you mean create\?"]),
    ("keys without a name", ["keys", "create", "--data=$W/k"], 2, [], [r"which key\? zoetrope keys create NAME"]),
    ("keys for nobody", ["keys", "create", "a", "--user=nobody", "--data=$W/k"], 4, [], [r"there is no user nobody"]),
    ("keys with a rate of words", ["keys", "create", "a", "--rate=often", "--data=$W/k"], 2, [],
     [r"--rate must be a number and a time.*not 'often'"]),
    ("keys with a cap of words", ["keys", "create", "a", "--cap-day=1.2345", "--data=$W/k"], 2, [],
     [r"--cap-day must be a number of credits.*not '1.2345'"]),
    ("keys from no network", ["keys", "create", "a", "--allow-ip=10.0.0.1/8", "--data=$W/k"], 2, [],
     [r"--allow-ip: .*write 10.0.0.0/8"]),
    ("keys from nowhere", ["keys", "create", "a", "--allow-ip=,", "--data=$W/k"], 2, [], [r"--allow-ip must be networks"]),
    ("keys until no day", ["keys", "create", "a", "--expires=2027-02-30", "--data=$W/k"], 2, [],
     [r"--expires must be .* not '2027-02-30'"]),
    ("users of nowhere", ["users", "list", "--data=$W/none"], 4, [], [r"no zoetrope data in .*/none"]),
    ("users with another action", ["users", "crdit", "x"], 2, [], [r"not 'crdit'; did you mean credit\?"]),
    ("users without a value", ["users", "credit", "x"], 2, [], [r"zoetrope users credit NAME \+N\|-N\|N\|unlimited"]),
    ("users with a strange name", ["users", "create", "a b", "--data=$W/k"], 2, [], [r"name must be 1 to 64 letters"]),
    ("users with a strange credit", ["users", "create", "a", "--credit=x", "--data=$W/k"], 2, [], [r"not 'x'"]),
    ("keys with a strange name", ["keys", "create", "a b", "--data=$W/k"], 2, [], [r"name must be 1 to 64 letters"]),
    ("tasks of nowhere", ["tasks", "list", "--data=$W/none"], 4, [], [r"no zoetrope data"]),
    ("tasks without an id", ["tasks", "show", "--data=$W/none"], 2, [], [r"which task\?"]),
    ("tasks with another action", ["tasks", "stop"], 2, [], [r"must be list, show, watch or cancel, not 'stop'"]),
    ("serve nowhere", ["serve", "--listen=here", "--data=$W/s"], 2, [], [r"listen|address"]),
    *[(f"serve in the clear on {at}", ["serve", f"--listen={at}", "--data=$W/s"], 2, [], [r"allow-plain-http"])
      for at in ("0.0.0.0:0", "[::]:0", "192.0.2.1:0", "127.example.org:0")],
    ("serve in the clear as told", ["serve", "--listen=192.0.2.1:0", "--allow-plain-http", "--data=$W/s"], 2, [],
     [r"not an address of this machine"]),
    ("serve without a network", ["serve", "--allow-net=10.0.0.0/99", "--data=$W/s"], 2, [], [r"10\.0\.0\.0/99"]),
    ("serve where no file may be", ["serve", "--data=/proc/nope"], 1, [], [r"cannot make folder"]),
    ("models inspect", ["models", "inspect", WAN + "/transformer", "--tensors"], 0,
     [r"^part      dit\n", r"format    safetensors\n", r"BF16 +blocks\.0\.attn1\.to_q\.weight \[256, 256\]\n",
      r"patch_embedding\.weight \[256, \d+, 1, 2, 2\]\n"], []),
    ("models inspect a model's folder", ["models", "inspect", WAN], 0,
     [r"text_encoder/model\.safetensors:\npart      text\n", r"\n\ntransformer:\npart      dit\n"], []),
    ("models inspect nothing", ["models", "inspect", "$W/none"], 4, [], [r"no file and no folder .*/none"]),
    ("models inspect a picture", ["models", "inspect", "$W/picture.png"], 3, [],
     [r"picture\.png is neither safetensors nor GGUF"]),
    ("models without a path", ["models", "inspect"], 2, [], [r"which file or folder\? zoetrope models inspect PATH"]),
    ("models with another action", ["models", "shrink", "x"], 2, [], [r"inspect, convert, list or verify, not 'shrink'"]),
    ("models convert", ["models", "convert", WAN + "/transformer", "--type=q4_k", "-o", "$W/dit.gguf"], 0,
     [r"dit\.gguf  69 tensors, 4\.4 MiB to \d\.\d MiB, \d+\.\d s\n$"], []),
    ("models convert again", ["models", "convert", WAN + "/transformer", "-o", "$W/dit.gguf"], 1, [],
     [r"dit\.gguf exists already; replace it with --force"]),
    ("models convert by force", ["models", "convert", WAN + "/transformer", "-o", "$W/dit.gguf", "--force"], 0,
     [r"dit\.gguf  69 tensors"], []),
    ("models convert to what there is not", ["models", "convert", WAN, "--type=q3", "-o", "$W/x.gguf"], 2, [],
     [r"--type must be f32, f16, bf16, .* not 'q3'"]),
    ("models convert to no file", ["models", "convert", WAN + "/transformer"], 2, [], [r"--output=FILE"]),
    ("models convert to another format", ["models", "convert", WAN + "/transformer", "-o", "$W/x.bin"], 2, [],
     [r"must end in \.gguf"]),
    ("models verify a file", ["models", "verify", "$W/dit.gguf"], 0, [r"^ok    dit   .*/dit\.gguf\n$"], []),
    ("models list of nowhere", ["models", "list", "--models=$W/none"], 4, [], [r"cannot read folder"]),
    ("models list of nothing", ["models", "list", "--models=" + os.path.join(ROOT, "cmake")], 0, [r"^no weight files in "], []),
    ("models list", ["models", "list", "--models=" + WAN], 0,
     [r"^PART  MODEL ", r"\ntext  - +safetensors  BF16 .* text_encoder/model\.safetensors\n",
      r"\ndit   - +safetensors  BF16 .* transformer\n"], []),
    ("worker without an engine", ["worker", "--engine=magic", "--data=$W/s"], 1, [], [r"magic|motion"]),
]


# ---- pictures ------------------------------------------------------------------------------------

def png(width, height):
    """A PNG with some structure to see, as bytes."""
    rows = b"".join(b"\0" + bytes(v for x in range(width)
                                  for v in ((x * 255) // width, (y * 255) // height, (x * y) % 251))
                    for y in range(height))
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def boxes(path):
    """The top-level boxes of an MP4, in order."""
    data, at, names = open(path, "rb").read(), 0, []
    while at + 8 <= len(data):
        size, name = struct.unpack(">I4s", data[at:at + 8])
        if size < 8:
            break
        names.append(name.decode("latin-1"))
        at += size
    return names


# ---- checks --------------------------------------------------------------------------------------

class Tests:
    def __init__(self, program):
        self.program = os.path.abspath(program)
        self.folder = tempfile.mkdtemp(prefix="zt-cli-")
        self.passed = self.failed = 0
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("ZOETROPE_", "XDG_"))}
        self.env["HOME"] = self.folder
        with open(self.path("picture.png"), "wb") as f:
            f.write(png(320, 180))
        with open(self.path("small.png"), "wb") as f:
            f.write(png(32, 32))
        with open(self.path("half.png"), "wb") as f:
            f.write(png(320, 180)[:3000])
        with open(self.path("wrong.conf"), "w") as f:
            f.write("crf = 20\nlissten = 127.0.0.1:1\n")

    def path(self, name):
        return os.path.join(self.folder, name)

    def check(self, label, ok, said=""):
        self.passed += bool(ok)
        if not ok:
            self.failed += 1
            print(f"not ok: {label}\n    {str(said)[:2000]}")

    def run(self, args, env=None):
        args = [a if isinstance(a, bytes) else a.replace("$W", self.folder) for a in args]
        return subprocess.run([self.program, *args], cwd=self.folder, env={**self.env, **(env or {})},
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=120)

    def start(self, args, **more):
        args = [a.replace("$W", self.folder) for a in args]
        return subprocess.Popen([self.program, *args], cwd=self.folder, env=self.env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)

    def case(self, name, args, status, out, err):
        got = self.run(args)
        said = got.stdout.decode("utf-8", "replace"), got.stderr.decode("utf-8", "replace")
        self.check(f"{name}: ends with {status}", got.returncode == status, (got.returncode, *said))
        for text, patterns, where in ((said[0], out, "stdout"), (said[1], err, "stderr")):
            for p in patterns:
                self.check(f"{name}: {where} has /{p}/", re.search(p, text, re.M), text)
        if status == 0:
            self.check(f"{name}: no sanitizer spoke", "Sanitizer" not in said[1], said[1])
        elif status in (2, 3, 4, 5):
            self.check(f"{name}: stdout is empty", said[0] == "", said[0])


def each_command_has_help(t):
    for c in COMMANDS:
        for args in ([c, "--help"], ["help", c], [c, "-h", "--no-such-flag"]):
            got = t.run(args)
            text = got.stdout.decode()
            t.check(f"{args}: 0", got.returncode == 0, got.stderr)
            t.check(f"{args}: usage", f"Usage: zoetrope {c}" in text, text)
            t.check(f"{args}: an example", re.search(r"Examples?:\n  (ZOETROPE_\w+=\d+ )?zoetrope " + c, text), text)
            t.check(f"{args}: exit status", "Exit status:" in text, text)
            t.check(f"{args}: lines fit", max(map(len, text.splitlines())) <= 100, text)
            t.check(f"{args}: nothing hidden", "control-fd" not in text, text)


def settings_page_is_current(t):
    page = os.path.join(ROOT, "docs", "SETTINGS.md")
    made = t.run(["help", "settings"]).stdout.decode()
    t.check("docs/SETTINGS.md is what zoetrope help settings prints", os.path.exists(page) and
            open(page).read() == made, "refresh it: zoetrope help settings > docs/SETTINGS.md")


def environment_and_file_set_things(t):
    got = t.run(["serve"], {"ZOETROPE_LEASE": "soon"})
    t.check("names the variable", got.returncode == 2 and b"ZOETROPE_LEASE must be a time" in got.stderr, got.stderr)
    with open(t.path("good.conf"), "w") as f:
        f.write(f"# ours\ndata = {t.path('from-file')}\n")
    got = t.run(["tasks", "list", "--config=$W/good.conf"])
    t.check("the file's folder", got.returncode == 4 and b"/from-file" in got.stderr, got.stderr)
    got = t.run(["tasks", "list"], {"ZOETROPE_CONFIG": t.path("good.conf"), "ZOETROPE_DATA": t.path("from-env")})
    t.check("the environment wins", got.returncode == 4 and b"/from-env" in got.stderr, got.stderr)
    got = t.run(["tasks", "list", "--data=$W/from-flag"], {"ZOETROPE_DATA": t.path("from-env")})
    t.check("the flag wins", got.returncode == 4 and b"/from-flag" in got.stderr, got.stderr)
    got = t.run(["tasks", "list"], {"XDG_DATA_HOME": t.path("xdg")})
    t.check("XDG_DATA_HOME", b"/xdg/zoetrope" in got.stderr, got.stderr)
    got = t.run(["tasks", "list"])
    t.check("HOME", b"/.local/share/zoetrope" in got.stderr, got.stderr)


def videos_are_whole_and_repeatable(t):
    """After the rows above: a.mp4 was made, refused, and made again."""
    first = boxes(t.path("a.mp4"))
    t.check("index first", "moov" in first and first.index("moov") < first.index("mdat"), first)
    t.run(["generate", "$W/picture.png", "slow push in", "-o", "$W/c.mp4", "--seed=7", *QUICK])
    t.check("same seed, same bytes", open(t.path("a.mp4"), "rb").read() == open(t.path("c.mp4"), "rb").read())
    t.check("a poster", open(t.path("b.jpg"), "rb").read(3) == b"\xff\xd8\xff")
    got = t.run(["generate", "$W/picture.png", "pan", *QUICK])
    t.check("named after the image", os.path.exists(t.path("picture.mp4")), got.stderr)
    left = [n for n in os.listdir(t.folder) if n.endswith(".part")]
    t.check("nothing half made is left", left == [], left)
    missing = [n for n in "hslpeu" if os.path.exists(t.path(n + ".mp4"))]
    t.check("what failed left no file", missing == [], missing)


def models_are_checked(t):
    got = t.run(["models", "inspect", WAN + "/transformer", "--json"])
    file = json.loads(got.stdout)
    patch = [x for x in file["tensors"] if x["name"] == "patch_embedding.weight"]
    t.check("inspect", file["part"] == "dit" and file["tensors_n"] == len(file["tensors"]) == 69, got.stdout[:300])
    t.check("a shape", patch and len(patch[0]["shape"]) == 5 and patch[0]["shape"][2:] == [1, 2, 2], patch)
    got = t.run(["models", "list", "--models=" + WAN, "--json"])
    rows = {x["path"]: x for x in map(json.loads, got.stdout.splitlines())}
    t.check("list", rows["transformer"]["part"] == "dit" and rows["transformer"]["error"] == "", got.stdout[:300])
    got = t.run(["models", "verify", WAN + "/transformer"])
    t.check("a part is no model", got.returncode == 3 and b"3 problems" in got.stderr and
            got.stdout.startswith(b"ok    dit   .\nfail  vae   .: no sound autoencoder\nfail  text "), got.stdout)
    with open(t.path("cut.gguf"), "wb") as f:
        f.write(open(t.path("dit.gguf"), "rb").read()[:-100000])
    got = t.run(["models", "verify", "$W/cut.gguf", "--json"])
    row = json.loads(got.stdout)
    t.check("verify", got.returncode == 3 and row["result"] == "fail" and "cut short" in row["text"], got.stdout)
    t.check("nothing half made", not any(".part-" in n for n in os.listdir(t.folder)), os.listdir(t.folder))


def generate_fetches(t):
    picture = open(t.path("picture.png"), "rb").read()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200 if self.path == "/p.png" else 404)
            self.send_header("Content-Length", str(len(picture)))
            self.end_headers()
            self.wfile.write(picture)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{server.server_port}"
    got = t.run(["generate", base + "/p.png", "pan", "-o", "$W/f.mp4", "--allow-net=127.0.0.1", *QUICK])
    t.check("fetches", got.returncode == 0 and os.path.exists(t.path("f.mp4")), got.stderr)
    got = t.run(["generate", base + "/none", "pan", "-o", "$W/g.mp4", "--allow-net=127.0.0.1"])
    t.check("404", got.returncode == 5 and b"404" in got.stderr, got.stderr)
    got = t.run(["generate", base + "/p.png", "pan", "-o", "$W/g.mp4"])
    t.check("refused", got.returncode == 5 and b"127.0.0.1" not in got.stderr.split(b"(")[0], got.stderr)
    server.shutdown()


def ctrl_c_leaves_nothing(t):
    p = t.start(["generate", "$W/picture.png", "pan", "-o", "$W/z.mp4", "--resolution=1080p", "--duration=12"])
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(n.startswith("z.mp4") for n in os.listdir(t.folder)):
        time.sleep(0.02)
    began = time.monotonic()
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    t.check("130", p.returncode == 130, (p.returncode, err))
    t.check("soon", time.monotonic() - began < 10)
    t.check("says why", b"stopped" in err, err)
    t.check("no result line", out == b"", out)
    t.check("no file", not any(n.startswith("z.mp4") for n in os.listdir(t.folder)), os.listdir(t.folder))


def progress_suits_its_reader(t):
    args = [t.program, "generate", t.path("picture.png"), "pan", "-o", t.path("bar.mp4"), "-f", "--resolution=480p",
            "--duration=5"]
    ours, theirs = pty.openpty()
    p = subprocess.Popen(args, env={**t.env, "TERM": "xterm", "NO_COLOR": "1"}, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        if select.select([ours], [], [], 60)[0]:
            try:
                piece = os.read(ours, 4096)
            except OSError:
                break
            if not piece:
                break
            said += piece
    out = p.communicate()[0]
    os.close(ours)
    t.check("a bar", "█".encode() in said and b" % " in said, said[-300:])
    t.check("no colour when told so", b"\x1b[36m" not in said, said[-300:])
    t.check("cleared", said.endswith(b"\r\x1b[K"), said[-60:])
    t.check("the result on stdout", out.startswith(t.path("bar.mp4").encode()), out)
    got = t.run(args[1:])
    lines = got.stderr.decode().splitlines()
    t.check("plain lines", b"\r" not in got.stderr and b"\x1b" not in got.stderr, got.stderr)
    t.check("not many", len(lines) <= 30 and all(re.fullmatch(r"\d+ % \w*", x) for x in lines), lines)


def users_have_credits(t):
    data = "--data=$W/users"

    def ok(*words):
        got = t.run([*words, data])
        t.check(" ".join(words), got.returncode == 0, got.stderr)
        return got.stdout.decode()

    ok("users", "create", "studio", "--credit=10", "--queue=2")
    got = t.run(["users", "create", "studio", data])
    t.check("taken", got.returncode == 1 and b"studio exists" in got.stderr, got.stderr)
    t.check("adds", "user studio has 12.5 credits" in ok("users", "credit", "studio", "+2.5", "--why=gift"))
    t.check("takes", "user studio has 12 credits" in ok("users", "credit", "studio", "-0.5"))
    got = t.run(["users", "credit", "studio", "-13", data])
    t.check("not below 0", got.returncode == 3 and b"the balance is 12;" in got.stderr, (got.returncode, got.stderr))
    shown = ok("users", "show", "studio")
    for line in (r"user +studio", r"credit +12", r"queue limit +2", r"\S+ +2.5  gift", r"\S+ +-0.5  operator",
                 r"\S+ +10  operator"):
        t.check("shows " + line, re.search(f"^{line}$", shown, re.M), shown)
    ok("users", "limit", "studio", "none")
    ok("users", "credit", "studio", "unlimited")
    listed = ok("users", "list")
    t.check("lists", re.search(r"^studio +unlimited +0 +0 +none +0$", listed, re.M) and "\ndefault " in listed, listed)
    got = t.run(["users", "show", "nobody", data])
    t.check("nobody", got.returncode == 4 and b"no user nobody" in got.stderr, got.stderr)
    ok("keys", "create", "ci", "--user=studio", "--rate=5/1m", "--cap-total=3.5", "--expires=2020-01-01")
    listed = ok("keys", "list")
    t.check("expired", re.search(r"^ci .* expired$", listed, re.M), listed)
    t.check("its limits", "  user studio, rate 5/60s, in all 0 of 3.5, until 2020-01-01T00:00:00" in listed, listed)
    set_ = ok("keys", "set", "ci", "--rate=0", "--cap-total=none", "--expires=never", "--allow-ip=::1")
    t.check("set", set_ == "key ci:  user studio, rate none, from ::1\n", set_)


def keys_live_and_die(t):
    data = "--data=$W/keys"
    got = t.run(["keys", "create", "--name=studio", data])
    text = got.stdout.decode()
    secret = re.search(r"^API key +(zt_[A-Za-z0-9_-]{43})$", text, re.M)
    t.check("a secret", got.returncode == 0 and secret, text)
    t.check("a webhook secret", re.search(r"^webhook secret +whsec_[A-Za-z0-9+/]{43}=$", text, re.M), text)
    t.check("a private folder", os.stat(t.path("keys")).st_mode & 0o077 == 0)
    got = t.run(["keys", "create", "studio", data])
    t.check("taken", got.returncode == 1 and b"studio" in got.stderr, (got.returncode, got.stderr))
    got = t.run(["keys", "list", data])
    t.check("listed", re.search(rb"^studio .*zt_[\w-]{4}\.\.\. .* never +active$", got.stdout, re.M), got.stdout)
    t.check("without the secret", secret and secret[1].encode() not in got.stdout)
    got = t.run(["keys", "reset", "studio", data])
    again = re.search(r"^API key +(zt_\S{43})$", got.stdout.decode(), re.M)
    t.check("another secret", again and secret and again[1] != secret[1], got.stdout)
    got = t.run(["keys", "revoke", "studio", data])
    t.check("revoked", got.returncode == 0 and b"key studio is revoked" in got.stdout, got.stdout)
    got = t.run(["keys", "list", data])
    t.check("listed as such", b"revoked" in got.stdout, got.stdout)
    for action in ("reset", "revoke"):
        got = t.run(["keys", action, "nobody", data])
        t.check(f"{action} nobody", got.returncode == 4, (got.returncode, got.stderr))
    got = t.run(["keys", "create", "studio", data])
    t.check("the name is free again", got.returncode == 0, got.stderr)
    found = subprocess.run(["grep", "-rlF", secret[1] if secret else "?", t.path("keys")], capture_output=True)
    t.check("no secret on disk", found.stdout == b"", found.stdout)
    got = t.run(["tasks", "list", data])
    t.check("no tasks", got.returncode == 0 and len(got.stdout.splitlines()) == 1, got.stdout)
    got = t.run(["tasks", "list", "--json", data])
    t.check("no JSON either", got.returncode == 0 and got.stdout == b"", got.stdout)
    got = t.run(["tasks", "show", "task_x", data])
    t.check("no such task", got.returncode == 4 and b"no task task_x" in got.stderr, got.stderr)
    got = t.run(["tasks", "list", "--state=done", data])
    t.check("no such state", got.returncode == 2 and b"not 'done'" in got.stderr, got.stderr)


def explain_gives_json(t):
    got = t.run(["explain", "--json", "slow push in, then cut to a pan left; no zoom"])
    try:
        t.check("an object", isinstance(json.loads(got.stdout), dict), got.stdout)
    except ValueError as e:
        t.check("JSON", False, e)


def read_until(stream, pattern, seconds=30):
    text, deadline = "", time.monotonic() + seconds
    while time.monotonic() < deadline and not re.search(pattern, text, re.M):
        if select.select([stream], [], [], 0.1)[0]:
            piece = os.read(stream.fileno(), 4096).decode()
            if not piece:
                break
            text += piece
    return text


def workers_of(pid):
    found = []
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            if int(open(f"/proc/{entry}/stat").read().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(entry))
        except (OSError, IndexError):
            pass
    return found


def serve_starts_and_ends(t):
    args = ["serve", "--data=$W/srv", "--listen=127.0.0.1:0"]
    p = t.start(args)
    text = read_until(p.stdout, r"listening on http://127\.0\.0\.1:\d+$")
    key = re.search(r"API key +(zt_\S{43})", text)
    t.check("a first key", key and "whsec_" in text and "curl -s http://127.0.0.1:" in text, text)
    port = re.search(r"listening on http://127\.0\.0\.1:(\d+)$", text, re.M)
    got = t.run(args)
    t.check("one server a folder", got.returncode == 1 and
            re.search(rb"another zoetrope serve \(process %d\)" % p.pid, got.stderr), got.stderr)
    got = t.run(["serve", "--data=$W/other", "--listen=127.0.0.1:" + (port[1] if port else "0")])
    t.check("one server a port", got.returncode == 1 and b"listening" not in got.stdout, got.stderr)
    workers = workers_of(p.pid)
    t.check("a worker", len(workers) == 1, workers)
    with socket.create_connection(("127.0.0.1", int(port[1]))) as s:
        s.sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        t.check("answers", s.recv(100).startswith(b"HTTP/1."))
    p.send_signal(signal.SIGTERM)
    err = p.communicate(timeout=60)[1].decode()
    t.check("ends with 0", p.returncode == 0, (p.returncode, err))
    t.check("says so", " info stopped " in err, err)
    t.check("the worker too", not any(os.path.exists(f"/proc/{w}") for w in workers))
    t.check("no secret in the log", "zt_" not in err and "whsec_" not in err, err)
    p = t.start(args)
    text = read_until(p.stdout, r"listening on")
    t.check("no second first key", text.startswith("zoetrope ") and "zt_" not in text, text)
    os.kill(p.pid, signal.SIGKILL)
    p.communicate()
    deadline = time.monotonic() + 10
    orphans = lambda: [e for e in filter(str.isdigit, os.listdir("/proc")) if cmdline_has(e, t.path("srv"))]
    while time.monotonic() < deadline and orphans():
        time.sleep(0.05)
    t.check("no worker outlives a killed server for long", orphans() == [], orphans())


def cmdline_has(pid, text):
    try:
        return text.encode() in open(f"/proc/{pid}/cmdline", "rb").read()
    except OSError:
        return False


def worker_ends(t):
    p = t.start(["worker", "--data=$W/wrk"])
    text = read_until(p.stderr, r"worker_started")
    t.check("starts", "worker_started" in text, text)
    p.send_signal(signal.SIGTERM)
    err = p.communicate(timeout=60)[1]
    t.check("ends with 0", p.returncode == 0, (p.returncode, err))


def full_output_is_an_error(t):
    with open("/dev/full", "w") as full:
        got = subprocess.run([t.program, "--help"], env=t.env, stdout=full, stderr=subprocess.PIPE)
    t.check("5", got.returncode == 5 and b"could not be written" in got.stderr, (got.returncode, got.stderr))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True)
    t = Tests(parser.parse_args().program)
    try:
        for case in CASES:
            t.case(*case)
        for test in (each_command_has_help, settings_page_is_current, environment_and_file_set_things,
                     models_are_checked, videos_are_whole_and_repeatable, generate_fetches, ctrl_c_leaves_nothing,
                     progress_suits_its_reader, keys_live_and_die, users_have_credits, explain_gives_json, serve_starts_and_ends,
                     worker_ends, full_output_is_an_error):
            test(t)
    finally:
        shutil.rmtree(t.folder, ignore_errors=True)
    print(f"{t.passed} passed, {t.failed} failed")
    return t.failed > 0


if __name__ == "__main__":
    sys.exit(main())
