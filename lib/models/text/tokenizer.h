/*
 * tokenizer.h - text to the ids of a SentencePiece unigram vocabulary, as the umT5 and T5 encoders
 * want them.
 *
 * Kudo, "Subword Regularization: Improving Neural Network Translation Models with Multiple Subword
 * Candidates" (2018), section 3.2: the pieces with the highest sum of scores. Equal to the
 * reference's tokenizer.json on cleaned text (clean.h), but for tokens with a meaning of their own
 * ("</s>", "<extra_id_0>"): written in a prompt they are plain text here.
 *
 * An open tokenizer does not change; any thread may encode with it.
 */
#ifndef ZT_MODELS_TEXT_TOKENIZER_H
#define ZT_MODELS_TEXT_TOKENIZER_H

#include "base/auto.h"
#include "base/error.h"

#define ZT_VOCABULARY_MAX_BYTES ((size_t)64 << 20) /* a file; as JSON half of it */
#define ZT_PIECES_MAX           1000000
#define ZT_PIECE_MAX_BYTES      256
#define ZT_TOKENIZE_MAX_BYTES   ((size_t)1 << 20)

/* The numbers are those of SentencePiece's files and of GGUF's tokenizer.ggml.token_type. */
enum zt_piece_type {
    ZT_PIECE_NORMAL = 1,
    ZT_PIECE_UNKNOWN = 2, /* stands for what no piece covers; exactly one */
    ZT_PIECE_CONTROL = 3,
    ZT_PIECE_USER = 4, /* matched like a normal one */
    ZT_PIECE_UNUSED = 5,
    ZT_PIECE_BYTE = 6, /* "<0x41>": matched where it is written so, no fallback */
};

struct zt_piece {
    const char *text; /* n bytes of UTF-8 */
    size_t n;
    double score;
    int type; /* enum zt_piece_type; anything else is refused */
};

struct zt_tokenizer;

void zt_tokenizer_close(struct zt_tokenizer *tokenizer);
ZT_AUTO(struct zt_tokenizer, tokenizer, zt_tokenizer_close)

/*
 * Reads a SentencePiece model (spiece.model) or a Hugging Face tokenizer.json, told apart by
 * content. The second one takes the bytes, of such a file or of the tensor "spiece_model", and
 * keeps none of them.
 *   ZT_E_CORRUPT      cut short, malformed, duplicate or empty pieces, no "</s>"
 *   ZT_E_INVALID      not JSON
 *   ZT_E_LIMIT        past one of the limits above
 *   ZT_E_UNSUPPORTED  another kind of model, or one that changes the text before it is split
 *   ZT_E_NOT_FOUND, ZT_E_IO, ZT_E_NOMEM
 */
enum zt_code zt_tokenizer_open(const char *path, struct zt_tokenizer **ret, struct zt_err *err);
enum zt_code zt_tokenizer_from_bytes(const void *bytes, size_t n, struct zt_tokenizer **ret,
                                     struct zt_err *err);

/* The same from pieces in the order of their ids, as GGUF's metadata has them; keeps none. */
enum zt_code zt_tokenizer_from_pieces(const struct zt_piece *pieces, size_t n,
                                      struct zt_tokenizer **ret, struct zt_err *err);

/* How many ids there are: every id is below it, and the encoder needs so many rows or more. */
int zt_tokenizer_size(const struct zt_tokenizer *tokenizer);

/*
 * text is n bytes of cleaned UTF-8. Writes at most max_ids ids (1 or more; the array holds as
 * many): those of the text's front, then "</s>". There is no padding. What no piece covers is the
 * unknown id, once a run.
 *   ZT_E_INVALID  not UTF-8
 *   ZT_E_LIMIT    longer than ZT_TOKENIZE_MAX_BYTES
 *   ZT_E_NOMEM
 */
enum zt_code zt_tokenizer_encode(const struct zt_tokenizer *tokenizer, const char *text, size_t n,
                                 int max_ids, int32_t *ret_ids, int *ret_n, struct zt_err *err);

#endif
