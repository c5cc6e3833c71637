/*
 * params.h - from the tensors of weight files to the parameters of a model.
 *
 * A model states what it needs: names, shapes, where each goes. Loading checks all of it before
 * anything is computed, reports every problem at once by name, and then brings each tensor into the
 * device's memory: mapped as it is where that can be, converted where it must.
 */
#ifndef ZT_TENSOR_PARAMS_H
#define ZT_TENSOR_PARAMS_H

#include "base/auto.h"
#include "base/error.h"

#include <ggml.h>

struct zt_device;
struct zt_weights;

enum zt_param_kind {
    ZT_PARAM_MATRIX, /* of a product: kept in the type it has (F32, F16, BF16, quantised) */
    ZT_PARAM_F32,    /* norms, biases, tables: brought to F32 */
    ZT_PARAM_F16,    /* convolution kernels for ggml's im2col: brought to F16; F32 stays F32 */
    ZT_PARAM_W8A8,   /* of an 8-bit product (w8a8.h); a matrix to a device that is exact */
};

/*
 * One parameter. ne is ggml's order; the file's tensor must have as many elements and the same
 * shape once dimensions of 1 are left out and, for a fold, the fastest are multiplied together:
 * ne { 4096, 12 } takes a [12, 64, 64] tensor only with fold 2. A file may have folded some or all
 * of them already.
 */
struct zt_param {
    const char
        *name; /* canonical: the original repository's name, e.g. "blocks.0.self_attn.q.weight" */
    enum zt_param_kind kind;
    int64_t ne[4]; /* 1 past the last */
    int fold; /* so many of the file's fastest dimensions make ne[0]; 0 and 1: none are folded */
    bool optional; /* absent: *slot stays NULL */
    struct ggml_tensor **slot;
};

/*
 * Other names of the same parameters: patterns with at most two '#' for a number, e.g.
 * { "blocks.#.self_attn.q.", "blocks.#.attn1.to_q." }. A pattern is a prefix of the name, or the
 * whole; rows are tried in order, `prefix` (e.g. "model.diffusion_model.") is tried with each.
 */
struct zt_param_alias {
    const char *canonical, *other;
};
struct zt_param_names {
    const struct zt_param_alias *aliases; /* ends with a row of NULLs; may be NULL */
    const char *const *prefixes;          /* ends with NULL; may be NULL */
};

struct zt_params; /* owns the tensors' descriptions and buffers */

/*
 * weights  must outlive *ret (mapped tensors point into it)
 * what     "DiT", "VAE", ... for messages
 * progress called with bytes done and in all; true stops (ZT_E_CANCELLED); may be NULL
 *   ZT_E_CORRUPT  tensors are missing or have another shape: msg counts and names the first ones,
 *                 detail goes on
 *   ZT_E_UNSUPPORTED  a type that can't be used, named; 8-bit products where the device has none
 *   ZT_E_NOMEM
 */
typedef bool zt_params_progress_fn(void *user, size_t done_bytes, size_t all_bytes);
enum zt_code zt_params_load(const struct zt_weights *weights, const char *what,
                            const struct zt_param *params, size_t n,
                            const struct zt_param_names *names, struct zt_device *device,
                            zt_params_progress_fn *progress, void *user, struct zt_params **ret,
                            struct zt_err *err);
void zt_params_free(struct zt_params *params); /* NULL is fine */
ZT_AUTO(struct zt_params, params, zt_params_free)

/* Checks only, as zt_params_load does. */
enum zt_code zt_params_check(const struct zt_weights *weights, const char *what,
                             const struct zt_param *params, size_t n,
                             const struct zt_param_names *names, struct zt_err *err);

/* The file's tensor for a canonical name under any of the names; NULL when there is none. */
const struct zt_weight *zt_params_find(const struct zt_weights *weights,
                                       const struct zt_param_names *names, const char *name);

/*
 * The canonical name of a file's tensor: its prefix taken off, its alias turned back. A name that
 * no alias knows stays as it is. False when it is longer than size.
 */
bool zt_params_canonical(const struct zt_param_names *names, const char *name, char *dst,
                         size_t size);

/*
 * What zt_params_load would take: memory of its own, and bytes mapped from the files. device NULL:
 * the CPU, which maps. A convolution whose values F16 cannot hold is counted as F16. Checks as
 * zt_params_check does.
 */
enum zt_code zt_params_measure(const struct zt_weights *weights, const char *what,
                               const struct zt_param *params, size_t n,
                               const struct zt_param_names *names, const struct zt_device *device,
                               size_t *ret_own, size_t *ret_mapped, struct zt_err *err);

/* Bytes the loaded parameters take in memory of their own, and bytes mapped from files. */
size_t zt_params_bytes(const struct zt_params *params);
size_t zt_params_mapped_bytes(const struct zt_params *params);

#endif
