/*
 * weights.h - the tensors that weight files hold, as one list of names: safetensors (one file,
 * shards with an index, a folder) and GGUF, mapped into memory.
 *
 * Files are hostile. Opening checks every length, offset, type, shape and name, that data lies
 * within the file and no two tensors overlap; what is listed can be read without further checks. A
 * file must not be cut short by others while it is open: reading past its new end is a SIGBUS.
 * Read-only after opening: any thread.
 */
#ifndef ZT_TENSOR_WEIGHTS_H
#define ZT_TENSOR_WEIGHTS_H

#include "base/auto.h"
#include "base/error.h"

#include <ggml.h>

#define ZT_WEIGHTS_DIMS 5

/* One tensor. `data` lies in the mapped file, in ggml's row layout, at any alignment. */
struct zt_weight {
    const char *name;
    const char *file;            /* the file it is in, for messages */
    enum ggml_type type;         /* GGML_TYPE_COUNT for one that ggml has not: see raw_type */
    const char *raw_type;        /* as the file says: "F8_E4M3", "BF16", "q8_0", ... */
    int n_dims;                  /* 0 (a scalar) ... 5 */
    int64_t ne[ZT_WEIGHTS_DIMS]; /* ggml's order: ne[0] varies fastest; 1 past n_dims */
    int64_t elements;
    const void *data;
    size_t bytes;
};

struct zt_weights;

/*
 * path   a .safetensors or .gguf file (told apart by content), a .safetensors.index.json, or a
 *        folder with one index, or .safetensors files whose tensors do not clash, or one .gguf
 *   ZT_E_NOT_FOUND    nothing there; msg says what was looked for
 *   ZT_E_CORRUPT      damaged or hostile; msg names file and tensor
 *   ZT_E_UNSUPPORTED  neither format, or a version unknown (a PyTorch pickle says so)
 *   ZT_E_LIMIT        more tensors, longer names or a larger header than the stated limit
 */
enum zt_code zt_weights_open(const char *path, struct zt_weights **ret, struct zt_err *err);
void zt_weights_close(struct zt_weights *weights); /* NULL is fine */
ZT_AUTO(struct zt_weights, weights, zt_weights_close)

/* By index in the order of names; by name, NULL when there is none. */
size_t zt_weights_count(const struct zt_weights *weights);
const struct zt_weight *zt_weights_at(const struct zt_weights *weights, size_t index);
const struct zt_weight *zt_weights_find(const struct zt_weights *weights, const char *name);

/*
 * Metadata: the value of a safetensors __metadata__ entry or of a GGUF string key; NULL when there
 * is none. For GGUF arrays (a tokenizer's), see gguf.h. By index: NULL past the last.
 */
const char *zt_weights_meta(const struct zt_weights *weights, const char *key);
const char *zt_weights_meta_at(const struct zt_weights *weights, size_t index, const char **key);

/* "safetensors" or "gguf". */
const char *zt_weights_format(const struct zt_weights *weights);

/*
 * n elements from `first` on as f32: ggml's types, F64, F8_E4M3, F8_E5M2, U8, BOOL. Any thread.
 *   ZT_E_UNSUPPORTED  another type, or a quantisation that only matrix products use
 */
enum zt_code zt_weight_to_f32(const struct zt_weight *weight, int64_t first, int64_t n, float *dst,
                              struct zt_err *err);

/* The kernel may drop the pages of the mapped files from memory; they stay readable. */
void zt_weights_rest(const struct zt_weights *weights);

#endif
