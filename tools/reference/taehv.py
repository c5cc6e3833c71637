"""The tiny decoder for VAE 2.2's latents, after the published description of TAEHV (taew2_2), with
narrow widths. No package has it, so this module is ours, checked by reading only."""

import os

import common
import models
import torch
import torch.nn.functional as F
from torch import nn

WIDTHS, Z, PATCH = (24, 16, 12, 10), 48, 2


class Memory(nn.Module):
    """Each frame sees the one before it (zeros before the first)."""

    def __init__(self, c):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(2 * c, c, 3, padding=1), nn.ReLU(),
                                  nn.Conv2d(c, c, 3, padding=1), nn.ReLU(),
                                  nn.Conv2d(c, c, 3, padding=1))

    def forward(self, x):
        before = torch.cat([torch.zeros_like(x[:1]), x[:-1]])
        return F.relu(self.conv(torch.cat([x, before], 1)) + x)


class Grow(nn.Module):
    """Channel block j of the convolution becomes frame j of the new ones."""

    def __init__(self, c, times):
        super().__init__()
        self.conv = nn.Conv2d(c, c * times, 1, bias=False)

    def forward(self, x):
        return self.conv(x).reshape(-1, *x.shape[1:])


class Clamp(nn.Module):
    def forward(self, x):
        return 3 * torch.tanh(x / 3)


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        a, b, c, d = WIDTHS
        parts = [Clamp(), nn.Conv2d(Z, a, 3, padding=1), nn.ReLU()]
        for c0, c1, times in ((a, b, 1), (b, c, 2), (c, d, 2)):
            parts += [Memory(c0), Memory(c0), Memory(c0), nn.Upsample(scale_factor=2),
                      Grow(c0, times), nn.Conv2d(c0, c1, 3, padding=1, bias=False)]
        parts += [nn.ReLU(), nn.Conv2d(d, 3 * PATCH * PATCH, 3, padding=1)]
        self.decoder = nn.Sequential(*parts)

    def forward(self, z):
        """[48, T, H, W] normalised -> [3, 4 T - 3, 16 H, 16 W] in [0, 1]."""
        x = F.pixel_shuffle(self.decoder(z.transpose(0, 1)), PATCH)
        return x.clamp(0, 1)[3:].transpose(0, 1)


def main():
    model = models.randomise(Tiny())
    last = model.decoder[22]
    last.weight.copy_(common.half_exact(0.5 * last.weight))
    last.bias.copy_(common.half_exact(0.5 + last.bias))
    common.save_tensors(os.path.join(common.folder("original"), "taew2_2_small.safetensors"),
                        {k: v.half() for k, v in model.state_dict().items()})
    z = torch.randn(48, 3, 2, 3, generator=common.seeded(51))
    frames = model(z)
    print(list(frames.shape), "mean", float(frames.mean()), "std", float(frames.std()), "clipped",
          float(((frames <= 0) | (frames >= 1)).float().mean()))
    common.save_tensors(os.path.join(common.REF, "taehv.safetensors"),
                        {"latent": z, "frames": frames})


if __name__ == "__main__":
    main()
