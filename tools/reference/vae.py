"""VAE 2.2: an image and a clip to latents, latents to frames."""

import os

import common
import models
import numpy
import torch

SIZE = (64, 96)


def picture(frames, h=SIZE[0], w=SIZE[1], seed=5):
    """Bytes [frames, h, w, 3]: soft shapes that move, edges and a little noise."""
    rng = numpy.random.default_rng(seed)
    y, x = numpy.mgrid[0:h, 0:w].astype(numpy.float64)
    noise, out = rng.normal(0, 6, (h, w, 3)), []
    for f in range(frames):
        r = 120 + 90 * numpy.sin(x / 9 + f / 3) * numpy.cos(y / 13)
        g = 110 + 100 * numpy.sin(x * y / 900 - f / 5)
        b = numpy.where((x - 40 - 3 * f) ** 2 + (y - 30) ** 2 < 300, 230, 50 + y)
        out.append(numpy.stack([r, g, b], -1) + noise)
    return numpy.clip(numpy.rint(out), 0, 255).astype(numpy.uint8)


def pixels(data):
    """Bytes [F, h, w, 3] -> [1, 3, F, h, w] in [-1, 1]."""
    return (torch.from_numpy(data).float() / 127.5 - 1).permute(3, 0, 1, 2)[None]


def scales():
    return (torch.tensor(v).view(1, 48, 1, 1, 1) for v in (models.MEAN, models.STD))


def encode(model, data):
    """Returns the mean and the normalised latent, both [48, T, H, W]."""
    mean, std = scales()
    mu = model.encode(pixels(data)).latent_dist.mode()
    return mu[0], ((mu - mean) / std)[0]


def decode(model, z):
    """Normalised latent [48, T, H, W] -> frames [3, F, h, w]."""
    mean, std = scales()
    return model.decode(z[None] * std + mean, return_dict=False)[0][0]


def first_chunk(model, out, side):
    """Records what each stage gives for the first frame."""
    part, names = getattr(model, side), ["conv_in", "mid_block", "conv_out"]
    blocks = part.down_blocks if side == "encoder" else part.up_blocks

    def keep(name):
        def hook(module, args, got):
            out.setdefault(f"{side}.{name}", got[0].clone())
        return hook

    for name in names:
        getattr(part, name).register_forward_hook(keep(name))
    for i, block in enumerate(blocks):
        block.register_forward_hook(keep(f"block{i}"))


def main():
    model, out = models.load("vae"), {}
    image, clip = picture(1), picture(9, seed=6)
    stages = {}
    first_chunk(model, stages, "encoder")
    out["image"], out["clip"] = torch.from_numpy(image[0]), torch.from_numpy(clip)
    out["image.mean"], out["image.latent"] = encode(model, image)
    out["clip.mean"], out["clip.latent"] = encode(model, clip)
    first_chunk(model, stages, "decoder")
    z = torch.randn(48, 3, 4, 6, generator=common.seeded(21))
    out["latent"], out["frames"] = z, decode(model, z)
    out["frames.first"] = decode(model, z[:, :1])
    assert torch.allclose(out["frames.first"], out["frames"][:, :1], atol=1e-5)
    out.update({"stage." + k: v for k, v in stages.items()})
    for k, v in out.items():
        v = v.float()
        print(f"{k:26} {list(v.shape)} rms {float(v.square().mean().sqrt()):.4f}"
              f" at the limits {float((v.abs() >= 1).float().mean()):.4f}")
    common.save_tensors(os.path.join(common.REF, "vae.safetensors"), out)


if __name__ == "__main__":
    main()
