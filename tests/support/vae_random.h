/*
 * vae_random.h - a VAE of any width with random weights in memory, for measuring.
 */
#ifndef ZT_TESTS_VAE_RANDOM_H
#define ZT_TESTS_VAE_RANDOM_H

#include "base/rng.h"
#include "models/wan/vae_inside.h"

#include <ggml-alloc.h>
#include <ggml-cpu.h>
#include <math.h>
#include <stdlib.h>

/* Values whose sums keep the scale of their inputs; 1 for norms, which are vectors like biases. */
static inline void vae_random_fill(struct ggml_tensor *t, struct zt_rng *rng)
{
    size_t n = (size_t)ggml_nelements(t);
    float *values = malloc(n * sizeof(*values));
    uint16_t *packed = malloc(n * sizeof(*packed));
    float range =
        t->ne[1] > 1 ? sqrtf(3.0f / (float)(t->ne[0] * (t->ne[2] > 1 ? t->ne[1] : 1))) : 0.0f;

    for (size_t i = 0; i < n; i++)
        values[i] = range > 0 ? zt_rng_range(rng, -range, range) : 1.0f;
    if (t->type == GGML_TYPE_F16)
        ggml_fp32_to_fp16_row(values, packed, (int64_t)n);
    ggml_backend_tensor_set(t, t->type == GGML_TYPE_F16 ? (void *)packed : values, 0,
                            ggml_nbytes(t));
    free(values);
    free(packed);
}

static inline struct zt_vae *vae_random(const struct zt_vae_config *config, int parts,
                                        enum ggml_type type, struct zt_device *device)
{
    struct zt_vae *vae = NULL;
    struct zt_err err = { 0 };
    struct zt_rng rng;

    zt_rng_init(&rng, 7, 1);
    if (zt_vae_describe(config, parts, type, device, &vae, &err) != ZT_OK) {
        printf("%s\n", err.msg);
        exit(1);
    }
    for (struct ggml_tensor *t = ggml_get_first_tensor(vae->own_ctx); t;
         t = ggml_get_next_tensor(vae->own_ctx, t)) {
        t->buffer = NULL;
        t->data = NULL;
    }
    ggml_backend_buffer_free(vae->own_buffer);
    vae->own_buffer =
        ggml_backend_alloc_ctx_tensors_from_buft(vae->own_ctx, zt_device_weights(device));
    if (vae->own_buffer == NULL) {
        printf("no memory for the weights\n");
        exit(1);
    }
    for (struct ggml_tensor *t = ggml_get_first_tensor(vae->own_ctx); t;
         t = ggml_get_next_tensor(vae->own_ctx, t))
        vae_random_fill(t, &rng);
    return vae;
}

#endif
