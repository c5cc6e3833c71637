"""umT5: token ids -> hidden states, rows of real tokens only (the rest up to 512 is zero)."""

import os

import common
import models
import tokenizer
import torch
from diffusers.pipelines.wan.pipeline_wan_i2v import prompt_clean

PROMPTS = {
    "a": "A cat sits on the window sill，the camera slowly pans to the left…",
    "b": open(os.path.join(common.HERE, "corpus.txt"), encoding="utf-8").read()
         .replace("\n", " ")[:1200],
    "negative": "色调艳丽，过曝，静态，细节模糊不清，字幕，最差质量，低质量",
}


def encode(model, prompt):
    """As the pipeline does: 512 ids with a mask, rows past the real length dropped."""
    got = tokenizer.load()(prompt_clean(prompt), padding="max_length", max_length=512,
                           truncation=True, return_tensors="pt")
    length = int(got.attention_mask.sum())
    out = model(got.input_ids, got.attention_mask).last_hidden_state[0]
    return got.input_ids[0, :length], out[:length]


def main():
    model, out = models.load("text_encoder"), {}
    inner = []
    hook = model.encoder.block[0].register_forward_hook(lambda m, i, o: inner.append(o[0]))
    for name, prompt in PROMPTS.items():
        ids, rows = encode(model, prompt)
        out[f"{name}.ids"], out[f"{name}.out"] = ids.int(), rows
        out[f"{name}.block0"] = inner.pop()[0, :len(ids)]
        alone = model(ids[None], torch.ones_like(ids[None])).last_hidden_state[0]
        inner.pop()
        print(name, len(ids), "rms", float(rows.square().mean().sqrt()),
              "without the padding", float((alone - rows).norm() / rows.norm()))
    hook.remove()
    common.save_tensors(os.path.join(common.REF, "text.safetensors"), out)
    common.save_json(os.path.join(common.REF, "text.json"), PROMPTS)


if __name__ == "__main__":
    main()
