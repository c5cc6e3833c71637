/*
 * vocabulary.h - the pieces of a tokenizer, and a trie to find them in a text. For tokenizer.c and
 * the readers of files.
 *
 * Pieces are added in the order of their ids, then zt_vocabulary_finish checks them together and
 * builds the trie. The limits are those of tokenizer.h.
 */
#ifndef ZT_MODELS_TEXT_VOCABULARY_H
#define ZT_MODELS_TEXT_VOCABULARY_H

#include "base/buf.h"
#include "models/text/tokenizer.h"

struct zt_vocabulary_entry {
    uint32_t at, n; /* in text */
    int type;
    double score;
};

/* A node of the trie: a byte sequence that begins one or more pieces. Number 0 is the root. */
struct zt_vocabulary_node {
    uint32_t first; /* its children stand together, in the order of their bytes */
    uint16_t children;
    uint8_t byte;
    int32_t id; /* of the piece that ends here, or -1 */
};

struct zt_vocabulary {
    struct zt_buf text;
    struct zt_vocabulary_entry *entries;
    size_t n, cap;
    int32_t unknown, end; /* ids */
    double unknown_score;
    struct zt_vocabulary_node *nodes;
};

void zt_vocabulary_init(struct zt_vocabulary *v);
void zt_vocabulary_clear(struct zt_vocabulary *v);

/* ZT_E_CORRUPT, naming the piece: not UTF-8, empty, no finite score, no such type. ZT_E_LIMIT. */
enum zt_code zt_vocabulary_add(struct zt_vocabulary *v, const struct zt_piece *piece,
                               struct zt_err *err);

/* ZT_E_CORRUPT: a piece that is there twice, not exactly one for the unknown, no "</s>". */
enum zt_code zt_vocabulary_finish(struct zt_vocabulary *v, struct zt_err *err);

/* The child of node for a byte; 0 when there is none. */
uint32_t zt_vocabulary_step(const struct zt_vocabulary *v, uint32_t node, unsigned char byte);

/* Readers of the two kinds of files: they add pieces and do not finish. */
enum zt_code zt_spiece_read(const unsigned char *bytes, size_t n, struct zt_vocabulary *v,
                            struct zt_err *err);
enum zt_code zt_tokenizer_json_read(const char *text, size_t n, struct zt_vocabulary *v,
                                    struct zt_err *err);

#endif
