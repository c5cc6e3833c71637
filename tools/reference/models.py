"""The tiny models: the architectures of Wan2.2-TI2V-5B with small widths and random weights,
saved in diffusers' layout. Every value is exact in F16 and in BF16."""

import json
import os
import zlib

import common
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from safetensors.torch import load_file
from transformers import UMT5Config, UMT5EncoderModel

DIT = dict(
    patch_size=[1, 2, 2], num_attention_heads=2, attention_head_dim=128, in_channels=48,
    out_channels=48, text_dim=64, freq_dim=256, ffn_dim=512, num_layers=2, cross_attn_norm=True,
    qk_norm="rms_norm_across_heads", eps=1e-6, image_dim=None, added_kv_proj_dim=None,
    rope_max_seq_len=1024, pos_embed_seq_len=None)
SMALL_DIT = dict(DIT, num_attention_heads=1, ffn_dim=256, num_layers=1)
MEAN = [-0.2289, -0.0052, -0.1323, -0.2339, -0.2799, 0.0174, 0.1838, 0.1557, -0.1382, 0.0542,
        0.2813, 0.0891, 0.1570, -0.0098, 0.0375, -0.1825, -0.2246, -0.1207, -0.0698, 0.5109,
        0.2665, -0.2108, -0.2158, 0.2502, -0.2055, -0.0322, 0.1109, 0.1567, -0.0729, 0.0899,
        -0.2799, -0.1230, -0.0313, -0.1649, 0.0117, 0.0723, -0.2839, -0.2083, -0.0520, 0.3748,
        0.0152, 0.1957, 0.1433, -0.2944, 0.3573, -0.0548, -0.1681, -0.0667]
STD = [0.4765, 1.0364, 0.4514, 1.1677, 0.5313, 0.4990, 0.4818, 0.5013, 0.8158, 1.0344, 0.5894,
       1.0901, 0.6885, 0.6165, 0.8454, 0.4978, 0.5759, 0.3523, 0.7135, 0.6804, 0.5833, 1.4146,
       0.8986, 0.5659, 0.7069, 0.5338, 0.4889, 0.4917, 0.4069, 0.4999, 0.6866, 0.4093, 0.5709,
       0.6065, 0.6415, 0.4944, 0.5726, 1.2042, 0.5458, 1.6887, 0.3971, 1.0600, 0.3943, 0.5537,
       0.5444, 0.4089, 0.7468, 0.7744]
VAE = dict(
    base_dim=4, decoder_base_dim=6, z_dim=48, dim_mult=[1, 2, 4, 4], num_res_blocks=2,
    attn_scales=[], temperal_downsample=[False, True, True], dropout=0.0, latents_mean=MEAN,
    latents_std=STD, is_residual=True, in_channels=12, out_channels=12, patch_size=2,
    scale_factor_temporal=4, scale_factor_spatial=16)
TEXT = dict(
    vocab_size=1780 + 300 + 84, d_model=64, d_kv=16, d_ff=128, num_layers=2, num_heads=4,
    relative_attention_num_buckets=32, relative_attention_max_distance=128, dropout_rate=0.0,
    layer_norm_epsilon=1e-6, feed_forward_proj="gated-gelu", is_encoder_decoder=True,
    tie_word_embeddings=False, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0)


def gain(name):
    """What keeps activations near 1 and no term hidden by another."""
    if "SelfAttention.q." in name:
        return 0.5  # umT5's scores aren't divided by the root of the head width
    if "attn2.to_q." in name or "attn2.to_k." in name or "text_embedder.linear_2" in name:
        return 2.2  # the padding rows outnumber the prompt's: let the scores tell them apart
    if "time_embedder.linear_2" in name or "time_proj" in name or "attn2.to_out" in name:
        return 2.0
    if "to_q." in name or "to_k." in name:
        return 1.3
    if name in ("proj_out.weight", "quant_conv.weight"):
        return 0.7
    return 1.2 if ".conv" in name or "resample" in name else 1.0


def value(name, shape):
    g = common.seeded(zlib.crc32(name.encode()))
    r = torch.randn(shape, generator=g)
    if name.endswith("scale_shift_table"):
        return 0.4 * r
    if "shared" in name or "embed_tokens" in name or "relative_attention_bias" in name:
        return r
    if name.endswith("bias"):
        return 0.1 * r
    if "norm" in name or name.endswith("gamma"):
        return 1 + 0.2 * r
    return gain(name) * r / (r[0].numel() ** 0.5)


def randomise(model, salt=""):
    with torch.no_grad():
        for name, p in model.named_parameters():
            p.copy_(common.half_exact(value(salt + name, p.shape)))
    return model.eval().float()


def transformer(config=DIT, salt=""):
    return randomise(WanTransformer3DModel(**config), salt)


def vae():
    model = randomise(AutoencoderKLWan(**VAE))
    with torch.no_grad():  # latents that, normalised, are near N(0,1); frames that seldom clip
        model.decoder.conv_out.weight.copy_(
            common.half_exact(0.4 * model.decoder.conv_out.weight))
    return model


def text_encoder():
    model = randomise(UMT5EncoderModel(UMT5Config(**TEXT)))
    model.encoder.embed_tokens.weight = model.shared.weight
    return model


def published(state):
    """Matrices in BF16, vectors and tables in F32."""
    return {k: v.bfloat16() if v[0].numel() > 1 and not k.endswith("table") else v.float()
            for k, v in state.items()}


def save_sharded(where, state, stem="diffusion_pytorch_model"):
    names = list(state)
    half = sum(t.nbytes for t in state.values()) / 2
    shards, size = [{}, {}], 0
    for name in names:
        shards[size >= half][name] = state[name]
        size += state[name].nbytes
    index = {"metadata": {"total_size": size}, "weight_map": {}}
    for i, shard in enumerate(shards, 1):
        file = f"{stem}-{i:05}-of-00002.safetensors"
        common.save_tensors(os.path.join(where, file), shard)
        index["weight_map"].update(dict.fromkeys(shard, file))
    index["weight_map"] = dict(sorted(index["weight_map"].items()))
    common.save_json(os.path.join(where, stem + ".safetensors.index.json"), index)


def save_configs():
    common.save_json(os.path.join(common.folder("transformer"), "config.json"),
                     {"_class_name": "WanTransformer3DModel", "_diffusers_version": "0.35.0.dev0",
                      **DIT})
    common.save_json(os.path.join(common.folder("vae"), "config.json"),
                     {"_class_name": "AutoencoderKLWan", "_diffusers_version": "0.35.0.dev0",
                      "clip_output": False, **VAE})
    common.save_json(os.path.join(common.folder("text_encoder"), "config.json"),
                     {"architectures": ["UMT5EncoderModel"], "model_type": "umt5",
                      "dense_act_fn": "gelu_new", "is_gated_act": True, "dtype": "bfloat16",
                      **TEXT})
    common.save_json(os.path.join(common.folder("scheduler"), "scheduler_config.json"), {
        "_class_name": "UniPCMultistepScheduler", "_diffusers_version": "0.35.0.dev0",
        "beta_end": 0.02, "beta_schedule": "linear", "beta_start": 0.0001,
        "disable_corrector": [], "dynamic_thresholding_ratio": 0.995,
        "final_sigmas_type": "zero", "flow_shift": 5.0, "lower_order_final": True,
        "num_train_timesteps": 1000, "predict_x0": True, "prediction_type": "flow_prediction",
        "rescale_betas_zero_snr": False, "sample_max_value": 1.0, "solver_order": 2,
        "solver_p": None, "solver_type": "bh2", "steps_offset": 0, "thresholding": False,
        "time_shift_type": "exponential", "timestep_spacing": "linspace", "trained_betas": None,
        "use_beta_sigmas": False, "use_dynamic_shifting": False, "use_exponential_sigmas": False,
        "use_flow_sigmas": True, "use_karras_sigmas": False})
    common.save_json(os.path.join(common.OUT, "model_index.json"), {
        "_class_name": "WanImageToVideoPipeline", "_diffusers_version": "0.35.0.dev0",
        "boundary_ratio": None, "expand_timesteps": True, "image_encoder": [None, None],
        "image_processor": [None, None],
        "scheduler": ["diffusers", "UniPCMultistepScheduler"],
        "text_encoder": ["transformers", "UMT5EncoderModel"],
        "tokenizer": ["transformers", "T5TokenizerFast"],
        "transformer": ["diffusers", "WanTransformer3DModel"],
        "transformer_2": [None, None], "vae": ["diffusers", "AutoencoderKLWan"]})


def stored(part):
    """The tensors of one part of the saved model, in F32."""
    where, state = os.path.join(common.OUT, part), {}
    for file in sorted(os.listdir(where)):
        if file.endswith(".safetensors"):
            state.update(load_file(os.path.join(where, file)))
    return {k: v.float() for k, v in state.items()}


def load(part):
    """A model with the weights as saved, whatever type they were saved in."""
    model = {"transformer": transformer, "vae": vae, "text_encoder": text_encoder}[part]()
    state = stored(part)
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert not unexpected and set(missing) <= {"encoder.embed_tokens.weight"}
    return model


def main():
    save_configs()
    save_sharded(common.folder("transformer"), published(transformer().state_dict()))
    common.save_tensors(os.path.join(common.folder("vae"), "diffusion_pytorch_model.safetensors"),
                        published(vae().state_dict()))
    state = text_encoder().state_dict()
    state.pop("encoder.embed_tokens.weight")
    common.save_tensors(os.path.join(common.folder("text_encoder"), "model.safetensors"),
                        published(state))
    for part, made in (("transformer", transformer()), ("vae", vae())):
        for name, t in stored(part).items():
            assert torch.equal(t, made.state_dict()[name]), name


if __name__ == "__main__":
    main()
