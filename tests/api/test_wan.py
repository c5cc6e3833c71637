"""The engine with weights, on a tiny model with random ones: what it makes, keeps, refuses and survives."""

import json
import os
import re
import shutil
import signal
import struct
import subprocess
import tempfile
import time
import unittest
import urllib.parse

import harness
from harness import Server, data_url, png

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MODEL = os.path.join(ROOT, "tests/fixtures/wan")
CANCEL = "/api/v1/jobs/cancelTask"


def model(folder, card=None):
    """A copy of the tiny model whose card has other values."""
    path = os.path.join(folder, "model")
    shutil.copytree(MODEL, path, ignore=shutil.ignore_patterns("ref", "gguf", "original"))
    if card:
        name = os.path.join(path, "zoetrope.json")
        with open(name, encoding="utf-8") as f:
            values = json.load(f)
        values.update(card)
        with open(name, "w", encoding="utf-8") as f:
            json.dump(values, f)
    return path


def tensors(path):
    """name -> (offset in the file, bytes) of a safetensors file."""
    with open(path, "rb") as f:
        n = struct.unpack("<Q", f.read(8))[0]
        head = json.loads(f.read(n))
    return {name: (8 + n + v["data_offsets"][0], v["data_offsets"][1] - v["data_offsets"][0])
            for name, v in head.items() if name != "__metadata__"}


def probe(path):
    done = subprocess.run(["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-show_entries",
                           "stream=width,height,nb_read_frames,r_frame_rate", "-of", "json", path],
                          capture_output=True, text=True, check=True)
    return json.loads(done.stdout)["streams"][0]


class Case(unittest.TestCase):
    """A server with the engine; each class says with which model and flags."""

    card, env, flags = None, {}, ()

    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory(prefix="zt-wan-")
        cls.model = model(cls.temp.name, cls.card)
        cls.prepare()
        old = dict(os.environ)
        os.environ.update(cls.env)
        try:
            cls.server = Server("--engine=wan", f"--model={cls.model}", "--threads=1", "--preset=ultrafast",
                                "--extended-durations", *cls.flags)
        finally:
            os.environ.clear()
            os.environ.update(old)

    @classmethod
    def prepare(cls):
        pass

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()
        cls.temp.cleanup()

    def make(self, **fields):
        fields = {"prompt": "a red ball rolls", "image_url": data_url(png(160, 90)), "resolution": "480p",
                  "duration": "2", "seed": 7, **fields}
        return self.server.create(**fields).data["taskId"]

    def video(self, task):
        data, _ = self.server.wait(task)
        self.assertEqual(data["state"], "success", data)
        result = json.loads(data["resultJson"])
        path = os.path.join(self.temp.name, task + ".mp4")
        with open(path, "wb") as f:
            f.write(self.server.ask("GET", urllib.parse.urlsplit(result["resultUrls"][0]).path, key=None).body)
        return path, result, data

    def nothing_is_left(self):
        work = os.path.join(self.server.path, "data", "work")
        self.assertEqual(os.listdir(work) if os.path.isdir(work) else [], [])


class Makes(Case):
    def test_a_video_as_promised(self):
        path, result, data = self.video(self.make())
        stream = probe(path)
        self.assertEqual((stream["width"], stream["height"]), (864, 480))
        self.assertEqual((stream["nb_read_frames"], stream["r_frame_rate"]), ("49", "24/1"))
        self.assertEqual((result["engine"], data["engine"]), ("wan", "wan"))
        self.nothing_is_left()
        again, _, _ = self.video(self.make())
        with open(path, "rb") as a, open(again, "rb") as b:
            first, second = a.read(), b.read()
        self.assertEqual(len(first), len(second))  # the task's id is in it, of the same length
        other, _, _ = self.video(self.make(seed=8))
        with open(other, "rb") as f:
            self.assertNotEqual(len(f.read()), len(first))

    def test_parts_and_an_end_picture(self):
        path, _, _ = self.video(self.make(duration="7", end_image_url=data_url(png(90, 90, (10, 200, 90)))))
        self.assertEqual(probe(path)["nb_read_frames"], "169")

    def test_a_fixed_camera(self):
        self.video(self.make(camera_fixed=True))


class Stops(Case):
    card = {"steps": 100, "max_pixels": 200000}

    def test_a_cancelled_task_ends(self):
        task = self.make(duration="5")
        end = time.monotonic() + harness.WORK_S
        while time.monotonic() < end and self.server.record(task).data["stage"] != "denoise":
            time.sleep(0.1)
        answer = self.server.ask("POST", CANCEL, json.dumps({"taskId": task}), "default",
                                 {"Content-Type": "application/json"})
        self.assertEqual(answer.status, 200, answer.body)
        self.assertEqual(self.server.record(task).data["failCode"], "499")
        small = self.make(duration="2", prompt="another")  # the worker is free for it
        end = time.monotonic() + harness.WORK_S
        while time.monotonic() < end and self.server.record(small).data["state"] == "waiting":
            time.sleep(0.1)
        self.assertIn(self.server.record(small).data["state"], ("queuing", "generating"))


class Resumes(Case):
    env = {"ZOETROPE_CRASH": "wan.kept:1"}
    flags = ("--lease=2s", "--heartbeat=500ms")

    def test_the_next_worker_starts_at_the_decode(self):
        _, _, data = self.video(self.make())
        metrics = self.server.ask("GET", "/metrics", key=None).body.decode()
        counts = {line.split()[0]: float(line.split()[1]) for line in metrics.splitlines() if "_count{" in line}
        stages = {k: v for k, v in counts.items() if 'phase="' in k}
        self.assertEqual(sum(v for k, v in stages.items() if 'phase="resume"' in k), 1, stages)
        self.assertEqual(sum(v for k, v in stages.items() if 'phase="denoise"' in k), 0, stages)
        self.nothing_is_left()


class NoNumbers(Case):
    @classmethod
    def prepare(cls):
        folder = os.path.join(cls.model, "transformer")
        for name in sorted(os.listdir(folder)):
            path = os.path.join(folder, name)
            if not name.endswith(".safetensors"):
                continue
            at, n = tensors(path).get("proj_out.bias", (0, 0))
            if n:
                with open(path, "r+b") as f:
                    f.seek(at)
                    f.write(b"\xff" * n)  # NaN in F32, F16 and BF16

    def test_is_a_failure_with_figures(self):
        data, _ = self.server.wait(self.make())
        self.assertEqual(data["state"], "fail")
        self.assertRegex(data["failMsg"], r"step 1 of 4: \d+ of \d+ values are no numbers")
        self.nothing_is_left()


class NoMemory(Case):
    env = {"ZOETROPE_FAULT": "wan.decode:1:12"}

    def test_smaller_tiles_make_the_same_size(self):
        path, _, _ = self.video(self.make())
        self.assertEqual(probe(path)["nb_read_frames"], "49")


class Generates(unittest.TestCase):
    def generate(self, *flags, env=None):
        return subprocess.run([harness.PROGRAM, "generate", os.path.join(ROOT, "examples/coffee.jpg"), "x",
                               "--engine=wan", *flags], capture_output=True, text=True, cwd=self.temp.name,
                              env={**os.environ, **(env or {})})

    def setUp(self):
        self.temp = tempfile.TemporaryDirectory(prefix="zt-wan-")
        self.addCleanup(self.temp.cleanup)

    def test_what_is_missing_is_named(self):
        for flags, words in (((), "needs a model"), (("--model=nowhere",), "no folder nowhere")):
            with self.subTest(words):
                done = self.generate(*flags)
                self.assertNotEqual(done.returncode, 0)
                self.assertIn(words, done.stderr)
        for part, words in (("transformer", "diffusion transformer"), ("vae", "autoencoder"),
                            ("text_encoder", "text encoder"), ("tokenizer", "tokenizer")):
            with self.subTest(part):
                path = model(self.temp.name)
                shutil.rmtree(os.path.join(path, part))
                done = self.generate(f"--model={path}")
                shutil.rmtree(path)
                self.assertIn(words, done.stderr)
                self.assertIn("published as", done.stderr)

    def test_a_damaged_model_is_told_at_the_start(self):
        path = model(self.temp.name)
        weights = os.path.join(path, "vae/diffusion_pytorch_model.safetensors")
        os.truncate(weights, os.path.getsize(weights) - 100)
        done = self.generate(f"--model={path}")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("diffusion_pytorch_model.safetensors", done.stderr)
        self.assertEqual(os.listdir(self.temp.name), ["model"])

    def test_8_bits_need_the_fast_backend(self):
        path = model(self.temp.name, {"w8a8": "all"})
        done = self.generate(f"--model={path}", env={"ZOETROPE_CPU": "ggml"})
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("w8a8 is all, which needs the CPU and its fast backend: the fast CPU backend is not there",
                      done.stderr)

    def test_says_how_many_passes_were_reused(self):  # random weights change much, so few are
        path = model(self.temp.name, {"steps": 32, "step_cache": 1, "max_pixels": 4096})
        done = self.generate(f"--model={path}", "--resolution=480p", "--duration=2", "--seed=1", "--threads=1",
                             "--preset=ultrafast")
        self.assertRegex(done.stdout, r", engine wan, \d+ of 64 passes reused, [0-9.]+ s$")

    def test_an_unknown_device_is_named(self):
        done = self.generate(f"--model={MODEL}", "--device=abacus")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("there is no device abacus; there is: auto, CPU", done.stderr)


class Watched(Case):
    """A task that can be watched: the worker stops where a test wants it, and dies when it has looked."""

    flags = ("--preview-every=1", "--lease=2s", "--heartbeat=500ms", "--drain=1s")
    tiny = os.path.join(ROOT, "tests/fixtures/wan/original/taew2_2_small.safetensors")

    @classmethod
    def prepare(cls):
        shutil.copy(cls.tiny, os.path.join(cls.model, "taew2_2.safetensors"))

    def wait_for(self, task, version):
        """The record once what can be watched has changed so often."""
        end = time.monotonic() + harness.WORK_S
        while time.monotonic() < end:
            data = self.server.record(task).data
            if data["previewVersion"] >= version or data["state"] in ("success", "fail"):
                return data
            time.sleep(0.1)
        raise RuntimeError(f"nothing to watch: {data}\n{self.server.text_of_log()[-2000:]}")

    def get(self, data, method="GET", **headers):
        return self.server.ask(method, urllib.parse.urlsplit(data["previewUrl"]).path, key=None,
                               headers={name.replace("_", "-"): value for name, value in headers.items()})

    def look(self, answer):
        path = os.path.join(self.temp.name, "preview.mp4")
        with open(path, "wb") as f:
            f.write(answer.body)
        done = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "format_tags=comment", "-of",
                               "default=nk=1:nw=1", path], capture_output=True, text=True, check=True)
        self.assertEqual(done.stderr, "")
        return done.stdout.strip(), int(probe(path)["nb_read_frames"])

    def kill_worker_once_kept(self, task):
        """Ends the worker when the latent is on disk, where the next one finds it."""
        work = os.path.join(self.server.path, "data", "work", task)
        end = time.monotonic() + harness.WORK_S
        while "latent.00" not in os.listdir(work):
            self.assertLess(time.monotonic(), end, os.listdir(work))
            time.sleep(0.1)
        with self.server.database() as db:
            name = db.execute("SELECT worker FROM task WHERE id=?", (task,)).fetchone()[0]
        pid = re.search(rf"worker_spawned .*worker={re.escape(name)} pid=(\d+)", self.server.text_of_log())
        os.kill(int(pid.group(1)), signal.SIGKILL)

    def frames(self, path):
        """A digest of the encoded frames, without what is said about them."""
        return subprocess.run(["ffmpeg", "-v", "error", "-i", path, "-map", "0:v", "-c", "copy", "-f", "md5", "-"],
                              capture_output=True, text=True, check=True).stdout


class BetweenSteps(Watched):
    env = {"ZOETROPE_CRASH": "wan.kept:1:hang"}

    def test_is_shown_and_gone(self):
        task = self.make()
        self.assertEqual(self.server.record(task).data["previewUrl"], None)
        data = self.wait_for(task, 4)
        self.assertEqual((data["previewVersion"], data["stage"]), (4, "denoise"))
        answer = self.get(data)
        self.assertEqual((answer.status, answer.headers["Content-Type"], answer.headers["Cache-Control"]),
                         (200, "video/mp4", "no-store"))
        self.assertNotIn("Last-Modified", answer.headers)
        comment, frames = self.look(answer)
        self.assertRegex(comment, "^engine=wan .*preview=between$")
        self.assertEqual(frames, 49)

        tag = answer.headers["ETag"]
        self.assertEqual(self.get(data, If_None_Match=tag).status, 304)
        self.assertEqual(self.get(data, If_Modified_Since="Fri, 01 Jan 2100 00:00:00 GMT").status, 200)
        part = self.get(data, Range="bytes=4-7")
        self.assertEqual((part.status, part.body), (206, b"ftyp"))
        self.assertEqual((self.get(data, "HEAD").status, self.get(data, "HEAD").body), (200, b""))

        path = urllib.parse.urlsplit(data["previewUrl"]).path
        _, token, name = path.strip("/").split("/")
        for wrong in (f"/previews/{token[:-1]}/{name}", f"/previews/{'0' * len(token)}/{name}",
                      f"/previews/{token}/other.mp4", f"/previews/{token}/{task}", f"/previews//{name}",
                      f"/files/{token}/{name}"):
            self.assertEqual(self.server.ask("GET", wrong, key=None).status, 404, wrong)
        other = self.server.add_key("another")
        self.assertEqual(self.server.record(task, other).code, 422)

        self.kill_worker_once_kept(task)
        path, _, final = self.video(task)  # the next worker goes on at the decode
        self.assertEqual((final["previewUrl"], final["previewVersion"]), (None, 0))
        self.assertEqual(self.get(data).status, 404)
        self.nothing_is_left()

        plain = os.path.join(self.temp.name, "plain.mp4")
        still = os.path.join(self.temp.name, "still.png")
        with open(still, "wb") as f:
            f.write(png(160, 90))
        subprocess.run([harness.PROGRAM, "generate", still, "a red ball rolls", "--engine=wan",
                        f"--model={self.model}", "--resolution=480p", "--duration=2", "--seed=7", "--threads=1",
                        "--preset=ultrafast", "-o", plain], capture_output=True, check=True,
                       env={k: v for k, v in os.environ.items() if k != "ZOETROPE_CRASH"})
        self.assertEqual(self.frames(path), self.frames(plain))


class DiesBeforeARecord(Watched):
    """At the fifth record of a preview: the first of the decode, which the next worker does anew."""

    env = {"ZOETROPE_CRASH": "store.preview:5"}

    def test_the_task_is_made_all_the_same(self):
        self.video(self.make())
        log, end = "", time.monotonic() + 30
        while "task_succeeded" not in log and time.monotonic() < end: # it is said after the answer is there
            time.sleep(0.1)
            log = self.server.text_of_log()
        self.assertEqual((log.count("worker_died"), log.count("task_succeeded")), (1, 1), log)
        self.nothing_is_left()


class DiesAfterARecord(DiesBeforeARecord):
    env = {"ZOETROPE_CRASH": "store.preview.done:5"}


class WhileDecoding(Watched):
    env = {"ZOETROPE_CRASH": "render.frame:97:hang"}  # of these the first 49 are the motion engine's

    def test_grows_by_fragments(self):
        task = self.make()
        data = self.wait_for(task, 5)
        answer = self.get(data)
        comment, frames = self.look(answer)
        self.assertRegex(comment, "^engine=wan .*task=task_[a-z0-9_]+$")
        self.assertGreaterEqual(answer.body.count(b"moof"), 1)
        self.assertIn(frames, (24, 48))


class Unwatched(Watched):
    flags = ("--preview-every=0",)

    def test_shows_nothing_when_told_so(self):
        _, seen = self.server.wait(self.make())
        self.assertEqual({data["previewUrl"] for data in seen}, {None})


class Preview(unittest.TestCase):
    """A file to watch meanwhile: what it is where the program dies, and what it leaves."""

    def setUp(self):
        self.temp = tempfile.TemporaryDirectory(prefix="zt-wan-")
        self.addCleanup(self.temp.cleanup)

    def path(self, name):
        return os.path.join(self.temp.name, name)

    def generate(self, output, *flags, env=None):
        return subprocess.run([harness.PROGRAM, "generate", os.path.join(ROOT, "examples/coffee.jpg"), "x",
                               "--engine=wan", f"--model={MODEL}", "--resolution=480p", "--duration=2", "--seed=3",
                               "--steps=1", "--threads=1", "--preset=ultrafast", "-o", self.path(output), *flags],
                              capture_output=True, text=True, env={**os.environ, **(env or {})})

    def at(self, point):
        """The comment, frames and boxes of the preview that a process leaves which dies at a point."""
        ready = self.path("preview.mp4")
        self.generate("dead.mp4", f"--preview={ready}", env={"ZOETROPE_CRASH": f"{point}:kill"})
        done = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "format_tags=comment", "-of",
                               "default=nk=1:nw=1", ready], capture_output=True, text=True, check=True)
        with open(ready, "rb") as f:
            return done.stdout.strip(), probe(ready)["nb_read_frames"], f.read().count(b"moof")

    def test_is_the_motion_engine_s_before_there_are_frames(self):
        self.assertEqual(self.at("wan.kept:1"), ("engine=motion seed=3 preview=first", "49", 0))

    def test_is_in_fragments_once_there_are(self):
        self.assertEqual(self.at("render.finished:2"), ("engine=wan seed=3", "49", 3))

    def test_changes_nothing_and_is_gone_at_the_end(self):
        for output, flags in (("a.mp4", ()), ("b.mp4", ("--preview=" + self.path("preview.mp4"),)),
                              ("c.mp4", ("--preview=" + self.path("none/preview.mp4"),))):
            done = self.generate(output, *flags)
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("no preview yet", done.stderr)
        self.assertEqual(sorted(os.listdir(self.temp.name)), ["a.mp4", "b.mp4", "c.mp4"])
        with open(self.path("a.mp4"), "rb") as a, open(self.path("b.mp4"), "rb") as b, \
                open(self.path("c.mp4"), "rb") as c:
            first = a.read()
            self.assertEqual((b.read() == first, c.read() == first), (True, True))

    def test_never_takes_the_place_of_other_files(self):
        with open(self.path("mine.txt"), "w", encoding="utf-8") as f:
            f.write("mine")
        done = self.generate("a.mp4", "--preview=" + self.path("mine.txt"))
        self.assertIn("mine.txt exists already", done.stderr)
        done = self.generate("a.mp4", "--preview=" + self.path("a.mp4"))
        self.assertIn("--preview must name another file", done.stderr)
        with open(self.path("mine.txt"), encoding="utf-8") as f:
            self.assertEqual(f.read(), "mine")
        self.assertEqual(os.listdir(self.temp.name), ["mine.txt"])
        done = self.generate("a.mp4", "--preview=" + self.path("./a.mp4"))
        self.assertEqual((done.returncode, probe(self.path("a.mp4"))["nb_read_frames"]), (0, "49"))
