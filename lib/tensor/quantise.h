/*
 * quantise.h - weights of any format and type into one GGUF file, and a look at all values.
 */
#ifndef ZT_TENSOR_QUANTISE_H
#define ZT_TENSOR_QUANTISE_H

#include "tensor/params.h"
#include "tensor/weights.h"

/* "f32" "f16" "bf16" "q8_0" "q4_0" "q4_k" "q5_k" "q6_k"; GGML_TYPE_COUNT for another word. */
enum ggml_type zt_quantise_type(const char *word);
extern const char *const zt_quantise_words[]; /* ends with NULL */

struct zt_quantise {
    const struct zt_weights *weights;
    const struct zt_param_names *names; /* tensors are written under canonical names; may be NULL */
    const char *architecture;           /* general.architecture */
    enum ggml_type type;                /* of what is multiplied */
    const char *const *keep; /* parts of canonical names of tensors left precise; ends with NULL */
    const char *path;        /* of the new file */
    bool replace;
    int threads; /* 0: one a core */
};

/*
 * Matrices get `type`; tensors of one dimension F32. Those to keep are F32 where that is small, or
 * stay as they are. Rows that are not whole blocks become F16; what F16 could not hold, F32. 8-bit
 * floats are multiplied by their scale, which is then left out.
 *
 * progress  as of zt_params_load, in the source's bytes
 *   ZT_E_CONFLICT     the file is there
 *   ZT_E_CORRUPT      a value is NaN or infinite; msg names the tensor
 *   ZT_E_UNSUPPORTED  a type that can't be read
 *   ZT_E_CANCELLED, ZT_E_IO, ZT_E_FULL
 */
enum zt_code zt_quantise(const struct zt_quantise *job, zt_params_progress_fn *progress, void *user,
                         struct zt_err *err);

/*
 * Reads all values. ZT_E_CORRUPT where a tensor holds NaN or infinity: msg counts the tensors and
 * names the first ones.
 */
enum zt_code zt_weights_scan(const struct zt_weights *weights, int threads,
                             zt_params_progress_fn *progress, void *user, struct zt_err *err);

#endif
