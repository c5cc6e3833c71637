"""The service as its unit starts it, as far as that goes without a service manager: a user without
rights, no new privileges, the unit's own filter of system calls and its ban on writable code, the
settings that the package installs, and a socket that waits for READY=1."""

import base64
import ctypes
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request

NOBODY = 65534
ALLOW, ERRNO_EPERM = 0x7FFF0000, 0x00050001
PROT_WRITE, PROT_EXEC, MASKED_EQ = 2, 4, 7


class Arg(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


def expand(name):
    """The system calls of "@group", or the one that is named."""
    if not name.startswith("@"):
        return {name}
    text = subprocess.run(["systemd-analyze", "syscall-filter", name], capture_output=True, text=True,
                          check=True).stdout
    calls = set()
    for line in text.splitlines()[1:]:
        if line.strip() and not line.strip().startswith("#"):
            calls |= expand(line.strip())
    return calls


def allowed(unit):
    """What the SystemCallFilter lines leave; systemd always adds @default to a list of allowed."""
    calls = expand("@default")
    for value in re.findall(r"(?m)^SystemCallFilter=(.*)$", unit):
        named = set().union(*(expand(word) for word in value.lstrip("~").split()))
        calls = calls - named if value.startswith("~") else calls | named
    return calls


def make_filter(calls):
    """A libseccomp context; loading it is left to the child."""
    lib = ctypes.CDLL("libseccomp.so.2")
    lib.seccomp_init.restype = ctypes.c_void_p
    lib.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
                                           ctypes.POINTER(Arg)]
    lib.seccomp_load.argtypes = [ctypes.c_void_p]
    context = lib.seccomp_init(ERRNO_EPERM)
    special = {"mmap": PROT_WRITE | PROT_EXEC, "mprotect": PROT_EXEC, "pkey_mprotect": PROT_EXEC}
    added = 0
    for name in sorted(calls):
        number = lib.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            continue  # of another architecture
        if name not in special:
            added += lib.seccomp_rule_add_array(context, ALLOW, number, 0, None) == 0
            continue
        for bits in range(0, 8):  # every protection but the ones MemoryDenyWriteExecute refuses
            if bits & special[name] != special[name]:
                args = (Arg * 1)(Arg(2, MASKED_EQ, 7, bits))
                added += lib.seccomp_rule_add_array(context, ALLOW, number, 1, args) == 0
    return lib, context, added


def start(program, arguments, unit, env, log):
    lib, context, added = make_filter(allowed(unit))

    def confine():
        if os.geteuid() == 0:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
        if lib.seccomp_load(ctypes.c_void_p(context)) != 0:
            os._exit(99)

    process = subprocess.Popen([program, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=log, preexec_fn=confine, env=env, text=True)
    return process, added


def call(url, key, path, body=None):
    request = urllib.request.Request(url + path, data=json.dumps(body).encode() if body else None,
                                     headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)["data"]


def run_a_task(check, url, key):
    with open("examples/coffee.jpg", "rb") as f:
        picture = base64.b64encode(f.read()).decode()
    task = call(url, key, "/api/v1/jobs/createTask", {
        "model": "bytedance/v1-lite-image-to-video",
        "input": {"prompt": "slow push in", "resolution": "480p", "seed": 1,
                  "image_url": f"data:image/jpeg;base64,{picture}"}})["taskId"]
    end = time.monotonic() + 120
    while time.monotonic() < end:
        data = call(url, key, f"/api/v1/jobs/recordInfo?taskId={task}")
        if data["state"] in ("success", "fail"):
            break
        time.sleep(0.1)
    check("a task succeeds under the unit's filter", data["state"] == "success", data)


def the_unit_is_sound(check, root, work):
    path = f"{root}/lib/systemd/system/zoetrope.service"
    with open(path, encoding="utf-8") as f:
        unit = f.read()
    here = f"{work}/zoetrope.service"  # the program is not where it will be
    with open(here, "w", encoding="utf-8") as f:
        f.write(unit.replace("ExecStart=/usr/bin/", f"ExecStart={root}/usr/bin/"))
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", here], capture_output=True, text=True)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "zoetrope" in line]
    check("systemd-analyze verify finds nothing", not ours, ours)
    done = subprocess.run(["systemd-analyze", "security", "--offline=1", "--no-pager", path],
                          capture_output=True, text=True)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", done.stdout)
    check("the unit's exposure is at most 1.5", found and float(found[1]) <= 1.5, done.stdout[-300:])
    return unit


def test(check, root, work):
    program = f"{root}/usr/bin/zoetrope"
    unit = the_unit_is_sound(check, root, work)
    stop_s = int(re.search(r"TimeoutStopSec=(\d+)s", unit)[1])
    drain = subprocess.run([program, "help", "settings"], capture_output=True, text=True).stdout
    drain_s = int(re.search(r"--drain=TIME` \| `\w+` \| `(\d+)s`", drain)[1])
    check("the unit waits longer than a drain takes", stop_s >= 2 * drain_s, (stop_s, drain_s))

    state = f"{work}/state"
    os.mkdir(state, 0o700)
    ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    ready.bind(f"{work}/notify")
    ready.settimeout(30)
    if os.geteuid() == 0:
        os.chown(state, NOBODY, NOBODY)
        os.chmod(f"{work}/notify", 0o777)
    env = {"PATH": "/usr/bin:/bin", "NOTIFY_SOCKET": f"{work}/notify"}
    config = f"--config={root}/etc/zoetrope/zoetrope.conf"
    with open(f"{work}/service.log", "w+", encoding="utf-8") as log:
        process, added = start(program, ["serve", config, f"--data={state}/zoetrope", "--listen=127.0.0.1:0"],
                               unit, env, log)
        check("the filter has its calls", added > 200, added)
        try:
            try:
                check("it says READY=1", ready.recv(100) == b"READY=1")
            except socket.timeout:
                log.seek(0)
                check("it gets ready", False, log.read()[-2000:])
                return
            said = ""
            while "listening on" not in said:
                said += process.stdout.readline()
            url = re.search(r"listening on (http\S+)", said)[1]
            key = re.search(r"zt_\S{40,}", said)[0]
            run_a_task(check, url, key)
            healthy = subprocess.run([program, "health", f"--url={url}"], capture_output=True, text=True)
            check("zoetrope health says so", healthy.returncode == 0, healthy)
            listen = f"--listen=0.0.0.0:{url.rsplit(':', 1)[1]}"
            healthy = subprocess.run([program, "health", listen], capture_output=True, text=True)
            check("and finds a server on any address", healthy.returncode == 0, healthy)
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(60)
        log.seek(0)
        text = log.read()
        check("SIGTERM ends it in order", code == 0 and " stopped " in text, (code, text[-2000:]))
        check("no worker died", "worker_died" not in text and "error " not in text, text[-2000:])
    silent = subprocess.run([program, "health", f"--url={url}"], capture_output=True, text=True)
    check("health of nothing", silent.returncode == 5, silent)
