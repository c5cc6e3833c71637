/*
 * gguf.h - the metadata of a GGUF file beyond plain strings: numbers, arrays, e.g. a tokenizer's.
 * The reader is our own: ggml's prints, ends the process on some damage, and refuses the five
 * dimensions of the community's Wan files.
 *
 * All pointers live as long as the weights. Read-only: any thread.
 */
#ifndef ZT_TENSOR_GGUF_H
#define ZT_TENSOR_GGUF_H

#include "tensor/weights.h"

struct zt_gguf;

/* NULL for weights that are not GGUF. */
const struct zt_gguf *zt_weights_gguf(const struct zt_weights *weights);

/* Where a key is missing or of another type: false, NULL or 0. Integers of any width are read. */
bool zt_gguf_int(const struct zt_gguf *gguf, const char *key, int64_t *ret);
bool zt_gguf_bool(const struct zt_gguf *gguf, const char *key, bool *ret);

/* How many elements an array has; 0 when there is none. */
size_t zt_gguf_array(const struct zt_gguf *gguf, const char *key);

/*
 * The whole array of n elements (as zt_gguf_array says) into dst; false when the elements are of
 * another kind. Strings are not NUL-terminated and may hold any bytes.
 */
struct zt_gguf_str {
    const char *s;
    size_t n;
};
bool zt_gguf_array_strings(const struct zt_gguf *gguf, const char *key, struct zt_gguf_str *dst);
bool zt_gguf_array_floats(const struct zt_gguf *gguf, const char *key, float *dst);
bool zt_gguf_array_ints(const struct zt_gguf *gguf, const char *key, int64_t *dst);

void zt_gguf_free(struct zt_gguf *gguf); /* for weights.c */

#endif
