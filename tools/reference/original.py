"""The original (ComfyUI) single files and GGUF. The VAE and the text encoder are those of the
diffusers folder; the DiT is a narrower one (one head, one block), to keep the files small."""

import os

import common
import dit
import gguf
import models
import names
import numpy
import sentencepiece
import torch
from safetensors.torch import load_file

KIND = {1: gguf.TokenType.NORMAL, 2: gguf.TokenType.UNKNOWN, 3: gguf.TokenType.CONTROL,
        4: gguf.TokenType.USER_DEFINED, 6: gguf.TokenType.BYTE}


def spiece():
    return open(os.path.join(common.OUT, "tokenizer", "spiece.model"), "rb").read()


def single_files(small, out):
    half = {k: v.half() for k, v in small.items()}
    common.save_tensors(os.path.join(out, "wan2.2_ti2v_small_fp16.safetensors"), half)
    vae = names.renamed(models.stored("vae"), names.VAE)
    common.save_tensors(os.path.join(out, "wan2.2_vae.safetensors"),
                        {k: v.half() for k, v in vae.items()})
    text = {k: v.half() for k, v in models.stored("text_encoder").items()}
    text["spiece_model"] = torch.tensor(list(spiece()), dtype=torch.uint8)
    common.save_tensors(os.path.join(out, "umt5_small_fp16.safetensors"), text)


def add(writer, state):
    """Matrices Q8_0, all else F32, shapes as they are: the patch embedding keeps 5 dimensions.
    Returns what a reader gets, as F32."""
    read = {}
    for name, tensor in state.items():
        data = tensor.float().numpy()
        if data.ndim == 2 and data.shape[1] % 32 == 0 and "norm" not in name:
            packed = gguf.quantize(data, gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(name, packed, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
            data = gguf.dequantize(packed, gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(name, data)
        read[name] = torch.from_numpy(numpy.array(data)).reshape(tensor.shape)
    return read


def close(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_dit(small, path):
    writer = gguf.GGUFWriter(path, "wan")
    writer.add_quantization_version(gguf.GGML_QUANT_VERSION)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    read = add(writer, small)
    close(writer)
    return read


def gguf_text(path):
    sp = sentencepiece.SentencePieceProcessor(model_proto=spiece())
    tokens = [sp.id_to_piece(i) for i in range(sp.vocab_size())]
    scores = [sp.get_score(i) for i in range(sp.vocab_size())]
    kinds = [3 if sp.is_control(i) else 2 if sp.is_unknown(i) else 6 if sp.is_byte(i)
             else 4 if tokens[i].startswith("[") and scores[i] == 0 else 1
             for i in range(sp.vocab_size())]
    extra = models.TEXT["vocab_size"] - len(tokens)
    names_left = [f"<extra_id_{i}>" for i in range(299, -1, -1)]
    names_left += [f"[PAD{i}]" for i in range(len(tokens) + 300, models.TEXT["vocab_size"])]
    tokens, scores = tokens + names_left, scores + [-1000.0] * extra
    w, t = gguf.GGUFWriter(path, "t5encoder"), models.TEXT
    w.add_context_length(512)
    w.add_embedding_length(t["d_model"])
    w.add_feed_forward_length(t["d_ff"])
    w.add_block_count(t["num_layers"])
    w.add_head_count(t["num_heads"])
    w.add_key_length(t["d_kv"])
    w.add_value_length(t["d_kv"])
    w.add_layer_norm_eps(t["layer_norm_epsilon"])
    w.add_layer_norm_rms_eps(t["layer_norm_epsilon"])
    w.add_relative_attn_buckets_count(t["relative_attention_num_buckets"])
    w.add_quantization_version(gguf.GGML_QUANT_VERSION)
    w.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    w.add_tokenizer_model("t5")
    w.add_tokenizer_pre("default")
    w.add_token_list([s.encode() for s in tokens])
    w.add_token_scores(scores)
    w.add_token_types([int(KIND[k]) for k in kinds]
                      + [int(gguf.TokenType.CONTROL)] * 300
                      + [int(gguf.TokenType.UNUSED)] * (extra - 300))
    w.add_add_space_prefix(True)
    w.add_remove_extra_whitespaces(False)
    w.add_eos_token_id(1)
    w.add_pad_token_id(0)
    w.add_unk_token_id(3)
    w.add_add_bos_token(False)
    w.add_add_eos_token(True)
    read = add(w, names.renamed(models.stored("text_encoder"), names.TEXT_GGUF))
    close(w)
    return read


def main():
    model = models.transformer(models.SMALL_DIT)
    small = names.renamed(model.state_dict(), names.DIT)
    single_files(small, common.folder("original"))
    read = gguf_dit(small, os.path.join(common.folder("gguf"), "wan2.2_ti2v_small-Q8_0.gguf"))
    back = dict(zip(small, model.state_dict()))
    text = load_file(os.path.join(common.REF, "text.safetensors"))
    x = torch.randn(48, 3, 4, 6, generator=common.seeded(41))
    times = dit.token_times(500, [0])
    out = {"x": x, "text": text["a.out"], "first.t500": dit.forward(model, x, times,
                                                                    text["a.out"])}
    model.load_state_dict({back[k]: v for k, v in read.items()})
    out["first.t500.q8_0"] = dit.forward(model, x, times, text["a.out"])
    encoder = models.load("text_encoder")
    old = dict(zip(names.renamed(models.stored("text_encoder"), names.TEXT_GGUF),
                   models.stored("text_encoder")))
    read = gguf_text(os.path.join(common.folder("gguf"), "umt5_small-encoder-Q8_0.gguf"))
    encoder.load_state_dict({old[k]: v for k, v in read.items()}, strict=False)
    ids = text["a.ids"].long()[None]
    out["text.q8_0"] = encoder(ids).last_hidden_state[0]
    for a, b in (("first.t500.q8_0", "first.t500"), ("text.q8_0", "text")):
        print(a, "from f32", float((out[a] - out[b]).norm() / out[b].norm()))
    common.save_tensors(os.path.join(common.REF, "small.safetensors"), out)


if __name__ == "__main__":
    main()
