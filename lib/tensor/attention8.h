/*
 * attention8.h - how a graph lets attention compute its scores in 8 bits (cpu/README.md): a mark on
 * GGML_OP_FLASH_ATTN_EXT that the fast CPU backend alone reads. Everything else computes the
 * operation as ever.
 */
#ifndef ZT_TENSOR_ATTENTION8_H
#define ZT_TENSOR_ATTENTION8_H

#include <ggml.h>
#include <stdbool.h>

#include "base/error.h"

/* The last of the operation's parameters: ggml uses the first five and leaves the rest 0. */
#define ZT_ATTENTION8_PARAM (GGML_MAX_OP_PARAMS / (int)sizeof(int32_t) - 1)
#define ZT_ATTENTION8_MARK  0x38746e69

static inline void zt_attention8_allow(struct ggml_tensor *op)
{
    zt_assert(op->op == GGML_OP_FLASH_ATTN_EXT);
    op->op_params[ZT_ATTENTION8_PARAM] = ZT_ATTENTION8_MARK;
}

static inline bool zt_attention8_allowed(const struct ggml_tensor *op)
{
    return op->op_params[ZT_ATTENTION8_PARAM] == ZT_ATTENTION8_MARK;
}

#endif
