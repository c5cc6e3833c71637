/*
 * ops.h - pieces of graphs that models share, made of ggml's operations. Nothing is computed here:
 * each call adds nodes to ctx and returns the last. Values are f32, ggml's order: the first
 * dimension varies fastest. Callers have checked the shapes.
 */
#ifndef ZT_MODELS_OPS_H
#define ZT_MODELS_OPS_H

#include <ggml.h>

/*
 * GELU, tanh form (Hendrycks & Gimpel, "Gaussian Error Linear Units", 2016), to f32's precision:
 * ggml's own looks its values up in f16. |x| < 1e12. Five nodes.
 */
struct ggml_tensor *zt_op_gelu(struct ggml_context *ctx, struct ggml_tensor *x);

/* x / sqrt(mean(x * x) + eps) * weight, over the first dimension. */
struct ggml_tensor *zt_op_rms_norm(struct ggml_context *ctx, struct ggml_tensor *x,
                                   struct ggml_tensor *weight, float eps);

/*
 * weight [in, out] times x [in, ...], plus bias [out] unless it is NULL. Sums in f32; on the CPU x
 * is first rounded to weight's partner type (f16 for f16, bf16 for bf16, q8 for quantised).
 */
struct ggml_tensor *zt_op_linear(struct ggml_context *ctx, struct ggml_tensor *weight,
                                 struct ggml_tensor *bias, struct ggml_tensor *x);

#endif
