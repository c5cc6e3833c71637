/*
 * from_weights.c - see from_weights.h.
 */
#include "models/text/from_weights.h"

#include "base/auto.h"
#include "base/mem.h"
#include "tensor/gguf.h"

#define TOKENS "tokenizer.ggml.tokens"
#define SCORES "tokenizer.ggml.scores"
#define TYPES  "tokenizer.ggml.token_type"

bool zt_tokenizer_in_weights(const struct zt_weights *weights)
{
    const struct zt_gguf *gguf = zt_weights_gguf(weights);

    return zt_weights_find(weights, "spiece_model") != NULL ||
           (gguf != NULL && zt_gguf_array(gguf, TOKENS) > 0);
}

static enum zt_code from_gguf(const struct zt_gguf *gguf, size_t n, struct zt_tokenizer **ret,
                              struct zt_err *err)
{
    void *mem[4] = { NULL };

    ZT_TRY(zt_try_alloc(n, sizeof(struct zt_gguf_str), "a vocabulary", &mem[0], err));
    zt_auto_free struct zt_gguf_str *tokens = mem[0];
    ZT_TRY(zt_try_alloc(n, sizeof(float), "a vocabulary", &mem[1], err));
    zt_auto_free float *scores = mem[1];
    ZT_TRY(zt_try_alloc(n, sizeof(int64_t), "a vocabulary", &mem[2], err));
    zt_auto_free int64_t *types = mem[2];
    ZT_TRY(zt_try_alloc(n, sizeof(struct zt_piece), "a vocabulary", &mem[3], err));
    zt_auto_free struct zt_piece *pieces = mem[3];
    if (!zt_gguf_array_strings(gguf, TOKENS, tokens) || zt_gguf_array(gguf, SCORES) != n ||
        !zt_gguf_array_floats(gguf, SCORES, scores) || zt_gguf_array(gguf, TYPES) != n ||
        !zt_gguf_array_ints(gguf, TYPES, types))
        return zt_fail(err, ZT_E_CORRUPT,
                       TOKENS ", scores and token_type must be lists of the same %zu pieces", n);
    for (size_t i = 0; i < n; i++) {
        bool known = types[i] >= ZT_PIECE_NORMAL && types[i] <= ZT_PIECE_BYTE;
        pieces[i] = (struct zt_piece){ .text = tokens[i].s,
                                       .n = tokens[i].n,
                                       .score = (double)scores[i],
                                       .type = known ? (int)types[i] : 0 };
    }
    return zt_tokenizer_from_pieces(pieces, n, ret, err);
}

enum zt_code zt_tokenizer_from_weights(const struct zt_weights *weights, struct zt_tokenizer **ret,
                                       struct zt_err *err)
{
    const struct zt_weight *model = zt_weights_find(weights, "spiece_model");
    const struct zt_gguf *gguf = zt_weights_gguf(weights);
    size_t n = gguf != NULL ? zt_gguf_array(gguf, TOKENS) : 0;

    if (model != NULL)
        return zt_tokenizer_from_bytes(model->data, model->bytes, ret, err);
    if (n == 0)
        return zt_fail(err, ZT_E_NOT_FOUND, "the weights hold no tokenizer");
    if (n > ZT_PIECES_MAX)
        return zt_fail(err, ZT_E_LIMIT, TOKENS " has %zu pieces, the limit is %d", n,
                       ZT_PIECES_MAX);
    return from_gguf(gguf, n, ret, err);
}
