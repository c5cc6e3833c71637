/*
 * umt5.h - the umT5 text encoder: from token ids to one row of numbers a token. Chung et al.,
 * "UniMax" (2023), after Raffel et al., "Exploring the Limits of Transfer Learning" (2020).
 *
 * Rows of padding are not computed: they can't be seen by real tokens, and users of the encoder set
 * them to zero. An encoder belongs to its device's thread.
 */
#ifndef ZT_MODELS_TEXT_UMT5_H
#define ZT_MODELS_TEXT_UMT5_H

#include "tensor/params.h"

struct zt_arena;
struct zt_umt5;

#define ZT_UMT5_TOKENS_MAX 512

/* What the shapes in the file say, checked. umt5-xxl: 24, 4096, 4096, 64, 10240, 256384. */
struct zt_umt5_config {
    int layers, dim, inner, heads, ffn, vocab; /* inner: heads times the size of one */
};

/*
 *   ZT_E_CORRUPT  no umT5 encoder, or shapes that contradict each other
 *   ZT_E_LIMIT    larger than any published one
 */
enum zt_code zt_umt5_config_read(const struct zt_weights *weights, struct zt_umt5_config *ret,
                                 struct zt_err *err);

/* The parameters such a model needs, for checks and conversions: slots are NULL. In the arena. */
size_t zt_umt5_params(const struct zt_umt5_config *config, struct zt_arena *arena,
                      struct zt_param **ret);
extern const struct zt_param_names zt_umt5_names; /* original, Hugging Face's, GGUF's */

/* All of a file's tensors, checked as zt_umt5_open does. */
enum zt_code zt_umt5_check(const struct zt_weights *weights, struct zt_err *err);

/*
 * weights and device must outlive *ret: the embedding is never loaded, its rows are read from the
 * file as they are asked for. Errors as of zt_umt5_config_read and zt_params_load.
 */
enum zt_code zt_umt5_open(const struct zt_weights *weights, struct zt_device *device,
                          zt_params_progress_fn *progress, void *user, struct zt_umt5 **ret,
                          struct zt_err *err);
void zt_umt5_close(struct zt_umt5 *encoder); /* NULL is fine */
ZT_AUTO(struct zt_umt5, umt5, zt_umt5_close)

const struct zt_umt5_config *zt_umt5_config(const struct zt_umt5 *encoder);
size_t zt_umt5_bytes(const struct zt_umt5 *encoder);        /* parameters, in memory of their own */
size_t zt_umt5_mapped_bytes(const struct zt_umt5 *encoder); /* parameters, mapped from files */

/*
 * ids  n of them, 1 to ZT_UMT5_TOKENS_MAX, the end token included, padding not
 * ret  [n][dim]
 *   ZT_E_INVALID  n, or an id the model has no row for
 *   ZT_E_CORRUPT  the weights give NaN or infinity
 *   ZT_E_NOMEM, ZT_E_CANCELLED
 */
enum zt_code zt_umt5_encode(struct zt_umt5 *encoder, const int32_t *ids, int n, float *ret,
                            struct zt_err *err);

/*
 * Bytes of working memory zt_umt5_encode of n tokens takes on such a model, without having it. type
 * is that of its matrices. ZT_E_NOMEM.
 */
enum zt_code zt_umt5_working_bytes(const struct zt_umt5_config *config, enum ggml_type type,
                                   struct zt_device *device, int n, size_t *ret,
                                   struct zt_err *err);

#endif
