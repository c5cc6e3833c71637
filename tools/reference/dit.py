"""One forward pass of the DiT at several timesteps, with and without clamped frames."""

import os

import common
import models
import torch
from safetensors.torch import load_file

FRAMES, H, W = 3, 4, 6


def text_rows(rows):
    """512 rows, those past the prompt zero."""
    return torch.cat([rows, rows.new_zeros(512 - len(rows), rows.shape[1])])


def token_times(t, clamped, frames=FRAMES, h=H, w=W):
    """One timestep a token: 0 on clamped latent frames, t elsewhere."""
    mask = torch.ones(frames, h, w)
    mask[clamped] = 0
    return (mask[:, ::2, ::2] * t).flatten()


def forward(model, x, times, rows):
    return model(hidden_states=x[None], timestep=times[None],
                 encoder_hidden_states=text_rows(rows)[None], return_dict=False)[0][0]


def watch(model, out):
    """Records the stages of one pass; text rows are given up to the first padding row."""
    def keep(name, rows=None):
        def hook(module, args, got):
            got = got[0] if isinstance(got, tuple) else got
            out[name] = got[0, :rows] if rows else got[0]
        return hook

    e, b = model.condition_embedder, model.blocks[0]
    model.patch_embedding.register_forward_hook(
        lambda m, i, o: out.__setitem__("patches", o[0].flatten(1).T))
    e.time_embedder.register_forward_hook(keep("e"))
    e.time_proj.register_forward_hook(keep("e0"))
    e.text_embedder.register_forward_hook(keep("context", 26))
    b.attn1.register_forward_hook(keep("block0.self_attn"))
    b.attn2.register_forward_hook(keep("block0.cross_attn"))
    b.ffn.register_forward_hook(keep("block0.ffn"))
    for i, block in enumerate(model.blocks):
        block.register_forward_hook(keep(f"block{i}"))


def main():
    text = load_file(os.path.join(common.REF, "text.safetensors"))
    model = models.load("transformer")
    x = torch.randn(48, FRAMES, H, W, generator=common.seeded(11))
    out = {"x": x, "text": text["a.out"], "text_b": text["negative.out"]}
    for t in (999, 500, 92):
        out[f"first.t{t}"] = forward(model, x, token_times(t, [0]), text["a.out"])
        out[f"plain.t{t}"] = forward(model, x, token_times(t, []), text["a.out"])
        one = model(hidden_states=x[None], timestep=torch.tensor([t]),
                    encoder_hidden_states=text_rows(text["a.out"])[None],
                    return_dict=False)[0][0]
        assert torch.allclose(one, out[f"plain.t{t}"], atol=1e-5)
    out["both.t500"] = forward(model, x, token_times(500, [0, -1]), text["a.out"])
    out["first.t500.text_b"] = forward(model, x, token_times(500, [0]), text["negative.out"])
    stages = {}
    watch(model, stages)
    forward(model, x, token_times(500, [0]), text["a.out"])
    per = H // 2 * (W // 2)
    for name in ("e", "e0"):  # two distinct rows: clamped, not clamped
        stages[name] = torch.stack([stages[name][0], stages[name][per]])
    out.update({"stage." + k: v for k, v in stages.items()})
    for k, v in out.items():
        print(f"{k:24} {list(v.shape)} rms {float(v.square().mean().sqrt()):.4f}")
    common.save_tensors(os.path.join(common.REF, "dit.safetensors"), out)
    model = models.load("transformer")
    x = torch.randn(48, 2, 12, 14, generator=common.seeded(12))
    common.save_tensors(os.path.join(common.REF, "dit_large.safetensors"), {
        "x": x, "first.t500": forward(model, x, token_times(500, [0], 2, 12, 14), text["a.out"])})


if __name__ == "__main__":
    main()
