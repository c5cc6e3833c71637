"""From image and prompt to frames, with given noise: the networks are diffusers', the loop is the
original repository's (its grid, clamped frames mixed in after every step)."""

import io
import os

import common
import dit
import models
import numpy
import sampler
import text
import torch
import vae
from PIL import Image

WIDTH, HEIGHT, FRAMES, STEPS, SHIFT, GUIDANCE = 96, 64, 9, 4, 5.0, 5.0


def fit(image, width, height):
    """Cover, Lanczos on bytes, centre crop."""
    scale = max(width / image.width, height / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)),
                         Image.LANCZOS)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return numpy.asarray(image.crop((left, top, left + width, top + height)))


def source(name, w, h, seed):
    """Writes the picture as PNG and returns it."""
    image = Image.fromarray(vae.picture(1, h, w, seed)[0])
    data = io.BytesIO()
    image.save(data, "PNG", optimize=True)
    with open(os.path.join(common.REF, name), "wb") as file:
        file.write(data.getvalue())
    return image


def denoise(model, noise, clean, rows, negative, kind, out, guidance=GUIDANCE):
    """clean: {latent frame: [48, H, W]}. Records x after each step, and each velocity."""
    clamped = sorted(clean)

    def mix(x):
        x = x.clone()
        for frame in clamped:
            x[:, frame] = clean[frame]
        return x

    s, x = kind(STEPS, SHIFT), mix(noise)
    xs, vs = [], []
    for i, t in enumerate(s.times):
        times = dit.token_times(t, clamped)
        v = dit.forward(model, x, times, rows)
        if guidance > 1:
            u = dit.forward(model, x, times, negative)
            v = u + guidance * (v - u)
        vs.append(v)
        x = mix(s.step(i, v, x))
        xs.append(x)
    out["steps"], out["velocities"] = torch.stack(xs), torch.stack(vs)
    return x


def stress(dit_model, noise, clean, rows, negative):
    """How much a relative error of 1e-6 in each velocity grows by the end."""
    def bent(seed):
        g = common.seeded(seed)

        class Bent(sampler.UniPC):
            def step(self, i, v, x):
                return super().step(i, v + 1e-6 * v.norm() / v.numel() ** 0.5
                                    * torch.randn(v.shape, generator=g), x)
        return Bent

    a = denoise(dit_model, noise, clean, rows, negative, sampler.UniPC, {})
    b = denoise(dit_model, noise, clean, rows, negative, bent(1), {})
    return float((a - b).norm() / a.norm()) / 1e-6


def main():
    encoder, transformer, coder = (models.load(p) for p in ("text_encoder", "transformer", "vae"))
    prompts = {"prompt": "A red ball rolls over the hills，the camera slowly pans to the left.",
               "negative": text.PROMPTS["negative"]}
    first = source("pipeline_first.png", 150, 90, 31)
    last = source("pipeline_last.png", 96, 64, 32)
    out, latents = {}, {}
    for name, prompt in prompts.items():
        ids, out[name + ".rows"] = text.encode(encoder, prompt)
        out[name + ".ids"] = ids.int()
    for name, image in (("first", first), ("last", last)):
        data = fit(image, WIDTH, HEIGHT).copy()
        out[name + ".image"] = torch.from_numpy(data)
        latents[name] = vae.encode(coder, data[None])[1]
        out[name + ".latent"] = latents[name]
    noise = torch.randn(48, (FRAMES - 1) // 4 + 1, HEIGHT // 16, WIDTH // 16,
                        generator=common.seeded(33))
    out["noise"] = noise
    rows, negative = out["prompt.rows"], out["negative.rows"]
    start, end = {0: latents["first"][:, 0]}, {2: latents["last"][:, 0]}
    for name, clean, kind, guidance in (
            ("i2v", start, sampler.UniPC, GUIDANCE), ("flf", {**start, **end}, sampler.UniPC,
                                                      GUIDANCE),
            ("euler", start, sampler.Euler, 1.0), ("t2v", {}, sampler.UniPC, GUIDANCE)):
        got = {}
        z = denoise(transformer, noise, clean, rows, negative, kind, got, guidance)
        frames = vae.decode(coder, z)
        if name == "i2v":
            got["frames"] = frames
        out.update({f"{name}.{k}": v for k, v in got.items()})
        print(name, "latent rms", float(z.square().mean().sqrt()), "frames rms",
              float(frames.square().mean().sqrt()), "clipped",
              float((frames.abs() >= 1).float().mean()))
    print("an error in v grows by",
          stress(transformer, noise, start, rows, negative))
    common.save_tensors(os.path.join(common.REF, "pipeline.safetensors"), out)
    common.save_json(os.path.join(common.REF, "pipeline.json"), {
        **prompts, "first": "pipeline_first.png", "last": "pipeline_last.png", "width": WIDTH,
        "height": HEIGHT, "frames": FRAMES, "steps": STEPS, "shift": SHIFT,
        "guidance": GUIDANCE, "scheduler": "unipc"})


if __name__ == "__main__":
    main()
