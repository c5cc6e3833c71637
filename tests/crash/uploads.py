"""Dying while an upload is stored, and while old ones are swept: what was answered is there, and what
nobody was told of goes."""

import base64
import hashlib
import http.client
import json
import os
import sqlite3

from world import PICTURE, World

STORING = ["blob.synced", "blob.renamed", "upload.stored", "store.upload_add", "store.upload_add.done",
           "upload.recorded"]
SWEEPING = ["store.uploads_forget", "store.uploads_forget.done"]


def send(w, content, name, form):
    """The URL; OSError when nobody answers."""
    if form:
        body = b"".join(f'--bb\r\nContent-Disposition: form-data; name="{n}"\r\n\r\n'.encode() + v + b"\r\n"
                        for n, v in (("file", content), ("uploadPath", b"p"), ("fileName", name.encode()))) + b"--bb--"
        path, kind = "/api/file-stream-upload", "multipart/form-data; boundary=bb"
    else:
        body = json.dumps({"base64Data": base64.b64encode(content).decode(), "uploadPath": "p", "fileName": name})
        path, kind = "/api/file-base64-upload", "application/json"
    c = http.client.HTTPConnection("127.0.0.1", w.port, timeout=30)
    try:
        c.request("POST", path, body, {"Authorization": "Bearer " + w.key, "Content-Type": kind})
        answer = json.loads(c.getresponse().read())
        if answer["code"] != 200:
            raise ValueError(answer)
        return answer["data"]["downloadUrl"]
    except http.client.HTTPException as e:
        raise OSError(str(e)) from e
    finally:
        c.close()


def folder(w, part):
    return os.path.join(w.data, "files", part)


def files(w):
    return sorted(os.listdir(folder(w, "upload")))


def make_old(w):
    """As if all files were of another year."""
    for part in ("upload", "tmp"):
        for name in os.listdir(folder(w, part)):
            os.utime(os.path.join(folder(w, part), name), (1, 1))


def sha(content):
    return hashlib.sha256(content).hexdigest()


def dies_while_storing(w, point, form):
    """With a server that runs, before and after."""
    label = f"server dies at {point} with {'a form' if form else 'base64'}"
    kept = PICTURE + label.encode()
    other = kept + b" other"
    url = send(w, kept, point, form)
    w.checks.check(label + ": ends in order", w.stop() == 0, w.tail())
    w.start({"ZOETROPE_CRASH": f"{point}:1"})
    try:
        send(w, other, point, form)
        w.checks.check(label + ": died", False, w.tail())
    except OSError:
        pass
    w.checks.check(label + ": by the point", w.server.wait(30) == 137, w.tail())
    make_old(w)
    w.start()
    recorded = point in ("store.upload_add.done", "upload.recorded")
    want = other if recorded else kept  # a name leads to one or the other, whole
    w.checks.check(label + ": what was answered is there", w.download(url) == (200, want), w.tail())
    swept = w.wait(lambda: not os.listdir(folder(w, "tmp")) and recorded == (sha(other) in files(w)), 30)
    w.checks.check(label + ": what nobody names is swept", swept, (files(w), os.listdir(folder(w, "tmp")), w.tail()))
    w.checks.check(label + ": the same again", send(w, other, point, form) == url, w.tail())
    w.checks.check(label + ": is there", w.download(url) == (200, other), w.tail())


def forget_all(w):
    """Makes the time of every upload be over."""
    db = sqlite3.connect(os.path.join(w.data, "zoetrope.db"), timeout=30)
    db.execute("UPDATE upload SET expires_us=1")
    db.commit()
    db.close()
    make_old(w)


def dies_while_sweeping(w, point):
    """With a server that runs, before and after."""
    label = f"server dies at {point}"
    send(w, PICTURE + point.encode(), "name", True)
    w.stop()
    forget_all(w)
    w.start({"ZOETROPE_CRASH": f"{point}:1"}, wait=False)
    w.checks.check(label + ": by the point", w.server.wait(30) == 137, w.tail())
    w.start()
    w.checks.check(label + ": swept by the next", w.wait(lambda: not files(w), 30), (files(w), w.tail()))


def run(program, checks, outside):
    w = World(program, checks, outside, workers=0)
    try:
        w.start()
        for i, point in enumerate(STORING):
            dies_while_storing(w, point, i % 2 == 0)
        for point in SWEEPING:
            dies_while_sweeping(w, point)
        checks.check("uploads: the last server ends in order", w.stop() == 0, w.tail())
    finally:
        w.close()
