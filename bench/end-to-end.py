#!/usr/bin/env python3
"""Seconds from createTask to a playable 5 s 720p file, as a client sees it: the request is sent, the
task polled, the file fetched whole. Beside it, in the same run: decoding the same file with ffmpeg and
encoding it again at the same preset, which is what the encoder alone costs.

    bench/end-to-end.py --program build/release/zoetrope [--rounds 5]"""

import argparse
import base64
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SIZES = ("480p", "720p", "1080p")


def call(url, key, body=None):
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {key}"})
    if body is not None:
        request.data = json.dumps(body).encode()
        request.add_header("Content-Type", "application/json")
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def one_round(url, key, image, resolution, path):
    start = time.monotonic()
    made = call(url + "/api/v1/jobs/createTask", key, {
        "model": "bytedance/v1-lite-image-to-video",
        "input": {"prompt": "slow push in", "image_url": image, "resolution": resolution,
                  "duration": "5", "seed": 1}})
    accepted = time.monotonic() - start
    task = made["data"]["taskId"]
    while True:
        data = call(f"{url}/api/v1/jobs/recordInfo?taskId={task}", key)["data"]
        if data["state"] in ("success", "fail"):
            break
        time.sleep(0.02)
    if data["state"] == "fail":
        sys.exit(f"the task failed: {data['failMsg']}")
    with urllib.request.urlopen(json.loads(data["resultJson"])["resultUrls"][0]) as answer:
        with open(path, "wb") as f:
            f.write(answer.read())
    return time.monotonic() - start, accepted


def encode_alone(path, preset, folder):
    """Seconds that x264 needs for the same frames, read from a raw file in memory."""
    raw = os.path.join(folder, "raw.yuv")
    info = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=width,height", "-of",
                           "csv=p=0", path], capture_output=True, text=True, check=True).stdout
    width, height = info.strip().split(",")[:2]
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-i", path, "-f", "rawvideo", raw], check=True)
    start = time.monotonic()
    subprocess.run(["ffmpeg", "-v", "error", "-y", "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s",
                    f"{width}x{height}", "-r", "24", "-i", raw, "-c:v", "libx264", "-preset", preset,
                    "-crf", "18", os.path.join(folder, "again.mp4")], check=True)
    took = time.monotonic() - start
    os.remove(raw)
    return took


def main():
    args = argparse.ArgumentParser(description=__doc__)
    args.add_argument("--program", required=True)
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--preset", default="veryfast")
    args = args.parse_args()
    with open(os.path.join(ROOT, "examples/raccoon.jpg"), "rb") as f:
        image = "data:image/jpeg;base64," + base64.b64encode(f.read()).decode()
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([args.program, "serve", "--listen", "127.0.0.1:0", "--data",
                                   os.path.join(folder, "data"), "--rate-limit", "0", "--preset",
                                   args.preset, "--log-level", "warn"], stdout=subprocess.PIPE,
                                  text=True)
        url = key = None
        while not (url and key):
            line = server.stdout.readline()
            if not line:
                sys.exit("the server did not start")
            url = url or (re.search(r"http://127\.0\.0\.1:\d+", line) or [None])[0]
            key = key or (re.search(r"zt_[A-Za-z0-9_-]{40,}", line) or [None])[0]
        print(f"median of {args.rounds}, preset {args.preset}")
        for resolution in SIZES:
            path = os.path.join(folder, "out.mp4")
            rounds = [one_round(url, key, image, resolution, path) for _ in range(args.rounds)]
            whole = statistics.median(r[0] for r in rounds)
            accept = statistics.median(r[1] for r in rounds)
            alone = statistics.median(encode_alone(path, args.preset, folder) for _ in range(3))
            print(f"{resolution:6} createTask to file {whole:6.2f} s   (accepted after "
                  f"{accept * 1000:5.1f} ms)   x264 alone {alone:6.2f} s   ratio {whole / alone:5.2f}"
                  f"   {os.path.getsize(path) / 1e6:5.1f} MB")
        server.send_signal(signal.SIGTERM)
        server.wait(30)


main()
