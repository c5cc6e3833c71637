/* ops.c - see ops.h. */
#include "models/ops.h"

#define SQRT_8_OVER_PI 1.5957691216057308f /* 2 * sqrt(2 / pi) */
#define GELU_CUBIC     0.044715f

/*
 * 0.5 * x * (1 + tanh(u / 2)) is x * sigmoid(u), with u = k * x and k = 2 sqrt(2 / pi) *
 * (1 + 0.044715 x * x) > 0; and x * sigmoid(u) is silu(u) / k, which ggml has in vector code.
 */
struct ggml_tensor *zt_op_gelu(struct ggml_context *ctx, struct ggml_tensor *x)
{
    struct ggml_tensor *k =
        ggml_scale_bias(ctx, ggml_sqr(ctx, x), SQRT_8_OVER_PI * GELU_CUBIC, SQRT_8_OVER_PI);

    return ggml_div(ctx, ggml_silu(ctx, ggml_mul(ctx, x, k)), k);
}

struct ggml_tensor *zt_op_rms_norm(struct ggml_context *ctx, struct ggml_tensor *x,
                                   struct ggml_tensor *weight, float eps)
{
    return ggml_mul(ctx, ggml_rms_norm(ctx, x, eps), weight);
}

struct ggml_tensor *zt_op_linear(struct ggml_context *ctx, struct ggml_tensor *weight,
                                 struct ggml_tensor *bias, struct ggml_tensor *x)
{
    struct ggml_tensor *y = ggml_mul_mat(ctx, weight, x);

    ggml_prec_set_acc(y, GGML_PREC_F32);
    return bias ? ggml_add(ctx, y, bias) : y;
}
