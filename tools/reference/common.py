"""What all the scripts share: where the fixtures go, determinism, safetensors with fixed bytes."""

import json
import os


import torch
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.environ.get("OUT") or os.path.join(HERE, "..", "..", "tests", "fixtures", "wan")
REF = os.path.join(OUT, "ref")

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
torch.set_grad_enabled(False)


def folder(*parts):
    path = os.path.join(OUT, *parts)
    os.makedirs(path, exist_ok=True)
    return path


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def save_tensors(path, tensors, note=None):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    save_file({k: v.detach().contiguous() for k, v in tensors.items()}, path,
              metadata={"format": "pt", **({"note": note} if note else {})})
    print(os.path.relpath(path, OUT), os.path.getsize(path))


def save_json(path, value):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file, indent=2, ensure_ascii=False)
        file.write("\n")


def half_exact(t):
    """The nearest value that both F16 and BF16 hold exactly, so that one reference serves all."""
    return t.bfloat16().float().clamp(-60000, 60000).half().float()
