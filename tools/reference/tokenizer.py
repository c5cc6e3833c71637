"""A small SentencePiece unigram model with the id layout of umT5's, tokenizer.json as published
with it, and what the reference makes of texts.txt."""

import io
import json
import os

import common
import ftfy
import sentencepiece
from diffusers.pipelines.wan.pipeline_wan_i2v import prompt_clean
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers
from tokenizers import pre_tokenizers, processors
from transformers import T5TokenizerFast

PIECES, EXTRA = 1780, 300
USER = ["[web]", "[img]", "[video]"] + [f"[user{i}]" for i in range(10)]


def train():
    lines = open(os.path.join(common.HERE, "corpus.txt"), encoding="utf-8").read().split("\n")
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter([line for line in lines if line]), model_writer=out,
        model_type="unigram", vocab_size=PIECES, byte_fallback=True, character_coverage=1.0,
        normalization_rule_name="identity", remove_extra_whitespaces=False,
        add_dummy_prefix=True, max_sentencepiece_length=16, pad_id=0, eos_id=1, bos_id=2,
        unk_id=3, user_defined_symbols=USER, num_threads=1, minloglevel=2)
    return out.getvalue()


def make_json(sp, plain=False):
    """As published: Unigram over all pieces; plain: control, byte and extra pieces never match."""
    vocab = []
    for i in range(sp.vocab_size()):
        hidden = plain and (sp.is_control(i) or sp.is_unknown(i) or sp.is_byte(i))
        vocab.append((f"\U0010fffe{i}" if hidden else sp.id_to_piece(i), sp.get_score(i)))
    vocab += [(f"\U0010fffex{i}" if plain else f"<extra_id_{i}>", 0.0)
              for i in range(EXTRA - 1, -1, -1)]
    t = Tokenizer(models.Unigram(vocab, unk_id=3, byte_fallback=False))
    t.normalizer = normalizers.Sequence([normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace("▁", prepend_scheme="always", split=True)
    t.decoder = decoders.Metaspace("▁", prepend_scheme="always", split=True)
    if not plain:
        names = ["<pad>", "</s>", "<s>", "<unk>"]
        names += [f"<extra_id_{i}>" for i in range(EXTRA - 1, -1, -1)]
        t.add_special_tokens([AddedToken(n, normalized=False, special=True) for n in names])
        t.post_processor = processors.TemplateProcessing(
            single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", 1)])
    return t


def save(model):
    where = common.folder("tokenizer")
    with open(os.path.join(where, "spiece.model"), "wb") as file:
        file.write(model)
    sp = sentencepiece.SentencePieceProcessor(model_proto=model)
    make_json(sp).save(os.path.join(where, "tokenizer.json"))
    common.save_json(os.path.join(where, "tokenizer_config.json"), {
        "tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "pad_token": "<pad>",
        "bos_token": "<s>", "unk_token": "<unk>", "extra_ids": EXTRA, "model_max_length": 512,
        "clean_up_tokenization_spaces": True, "sp_model_kwargs": {}})
    common.save_json(os.path.join(where, "special_tokens_map.json"), {
        "eos_token": "</s>", "pad_token": "<pad>", "bos_token": "<s>", "unk_token": "<unk>"})
    return sp


def load():
    return T5TokenizerFast(tokenizer_file=os.path.join(common.OUT, "tokenizer", "tokenizer.json"),
                           extra_ids=EXTRA)


def repaired(text):
    """Whether the mojibake heuristic changed anything."""
    return ftfy.fix_text(text) != ftfy.fix_text(text, fix_encoding=False)


def texts():
    path = os.path.join(common.HERE, "texts.txt")
    for line in open(path, encoding="utf-8").read().split("\n"):
        if line and not line.startswith("#"):
            yield json.loads(line)
    for n in (510, 511, 512, 600):
        yield "cat " * n
    yield "猫坐在窗台上，看着雨落在花园里。" * 60


def main():
    sp = save(train())
    fast, plain = load(), make_json(sp, plain=True)
    rows = []
    for raw in texts():
        clean = prompt_clean(raw)
        ids = fast(clean, truncation=True, max_length=512)["input_ids"]
        row = {"raw": raw, "clean": clean, "ids": ids}
        text = plain.encode(clean).ids[:511] + [1]
        if text != ids:
            row["plain"] = text
        pieces = sp.encode(clean)[:511] + [1]
        if pieces != text:
            row["sentencepiece"] = pieces
        if repaired(raw):
            row["mojibake"] = True
        rows.append(row)
    os.makedirs(common.REF, exist_ok=True)
    with open(os.path.join(common.REF, "tokenizer.json"), "w", encoding="ascii") as file:
        file.write("[\n" + ",\n".join(json.dumps(r) for r in rows) + "\n]\n")
    print(sp.vocab_size(), "pieces,", len(rows), "texts,",
          sum("plain" in r for r in rows), "differ as plain text,",
          sum("sentencepiece" in r for r in rows), "in sentencepiece,",
          sum("mojibake" in r for r in rows), "mojibake")


if __name__ == "__main__":
    main()
