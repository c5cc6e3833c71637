/* params.c - bringing checked tensors into the device's memory. See params.h. */
#include "tensor/params.h"

#include <ggml-backend.h>
#include <ggml-cpu.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tensor/container.h"
#include "tensor/device.h"
#include "tensor/params_plan.h"
#include "tensor/w8a8.h"

#define CHUNK_ELEMENTS ((int64_t)1 << 20)
#define CHUNK_BYTES    ((size_t)8 << 20)
#define F16_MAX        65504.0F

struct zt_params {
    struct ggml_context *own_ctx, *mapped_ctx, *w8a8_ctx;
    ggml_backend_buffer_t own, w8a8;
    ggml_backend_buffer_t *mapped; /* one a file, NULL where nothing of it is used */
    size_t n_mapped;
    size_t own_bytes, mapped_bytes;
};

struct loading {
    const struct zt_weights *weights;
    const char *what;
    const struct zt_param *params;
    struct zt_param_plan *plan;
    struct ggml_tensor **tensor;
    size_t n;
    struct zt_device *device;
    struct zt_params *out;
    zt_params_progress_fn *progress;
    void *user;
    size_t done, all;
    float *values; /* CHUNK_ELEMENTS */
    void *packed;
};

static enum zt_code advance(struct loading *l, size_t bytes, struct zt_err *err)
{
    l->done += bytes;
    if (l->progress && l->progress(l->user, l->done, l->all))
        return zt_fail(err, ZT_E_CANCELLED, "loading %s was stopped", l->what);
    return ZT_OK;
}

/* n values from `first` on, scaled, into l->values. */
static enum zt_code read_values(struct loading *l, const struct zt_param_plan *plan, int64_t first,
                                int64_t n, float scale, struct zt_err *err)
{
    ZT_TRY(zt_weight_to_f32(plan->weight, first, n, l->values, err));
    for (int64_t i = 0; plan->scale && i < n; i++)
        l->values[i] *= scale;
    return ZT_OK;
}

static enum zt_code read_scale(const struct zt_param_plan *plan, float *ret, struct zt_err *err)
{
    *ret = 1;
    if (plan->scale == NULL)
        return ZT_OK;
    ZT_TRY(zt_weight_to_f32(plan->scale, 0, 1, ret, err));
    if (!isfinite(*ret))
        return zt_fail(err, ZT_E_CORRUPT, "%.80s: '%.120s' is not finite", plan->scale->file,
                       plan->scale->name);
    return ZT_OK;
}

/* A kernel with values that F16 can't hold is kept in F32. */
static enum zt_code widen(struct loading *l, struct zt_param_plan *plan, struct zt_err *err)
{
    float scale;

    ZT_TRY(read_scale(plan, &scale, err));
    for (int64_t at = 0; at < plan->weight->elements; at += CHUNK_ELEMENTS) {
        int64_t n = plan->weight->elements - at;
        n = n < CHUNK_ELEMENTS ? n : CHUNK_ELEMENTS;
        ZT_TRY(read_values(l, plan, at, n, scale, err));
        for (int64_t i = 0; i < n; i++) {
            if (isfinite(l->values[i]) && fabsf(l->values[i]) > F16_MAX) {
                plan->type = GGML_TYPE_F32;
                return ZT_OK;
            }
        }
    }
    return ZT_OK;
}

/* ---- descriptions and memory --------------------------------------------------------------- */

static void make_exact(const struct zt_param *param, struct zt_param_plan *plan)
{
    if (plan->type == GGML_TYPE_I8)
        zt_params_plan_as(ZT_PARAM_MATRIX, param, plan);
    if (plan->type != GGML_TYPE_F32) {
        plan->type = GGML_TYPE_F32;
        plan->as_is = plan->may_map = false;
    }
}

static struct ggml_context *context_of(const struct zt_params *out,
                                       const struct zt_param_plan *plan)
{
    if (plan->type == GGML_TYPE_I8)
        return out->w8a8_ctx;
    return plan->may_map ? out->mapped_ctx : out->own_ctx;
}

static enum zt_code describe(struct loading *l, struct zt_err *err)
{
    bool maps = zt_device_maps(l->device);
    struct ggml_init_params init = { ggml_tensor_overhead() * (l->n + 1), NULL, true };

    l->out->own_ctx = ggml_init(init);
    l->out->mapped_ctx = ggml_init(init);
    l->out->w8a8_ctx = ggml_init(init);
    if (l->out->own_ctx == NULL || l->out->mapped_ctx == NULL || l->out->w8a8_ctx == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for %zu parameters", l->n);
    for (size_t i = 0; i < l->n; i++) {
        struct zt_param_plan *plan = &l->plan[i];
        if (plan->weight == NULL)
            continue;
        if (zt_device_exact(l->device))
            make_exact(&l->params[i], plan);
        if (plan->type == GGML_TYPE_F16 && !plan->as_is)
            ZT_TRY(widen(l, plan, err));
        plan->may_map = plan->may_map && maps;
        size_t bytes = zt_params_plan_bytes(&l->params[i], plan);
        *(plan->may_map ? &l->out->mapped_bytes : &l->out->own_bytes) += bytes;
        l->tensor[i] = ggml_new_tensor(context_of(l->out, plan), plan->type, 4, l->params[i].ne);
        ggml_set_name(l->tensor[i], l->params[i].name);
    }
    l->all = l->out->own_bytes;
    return ZT_OK;
}

static enum zt_code map_one(struct loading *l, size_t i, struct zt_err *err)
{
    const void *data = l->plan[i].weight->data;
    const struct zt_weights_map *map = zt_weights_map_of(l->weights, data);

    zt_assert(map != NULL);
    ggml_backend_buffer_t *buffer = &l->out->mapped[map - l->weights->maps];
    if (*buffer == NULL) {
        *buffer = ggml_backend_cpu_buffer_from_ptr((void *)(uintptr_t)map->data, map->n);
        if (*buffer == NULL)
            return zt_fail(err, ZT_E_NOMEM, "%s: %.80s cannot be mapped", l->what, map->file);
        ggml_backend_buffer_set_usage(*buffer, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    }
    if (ggml_backend_tensor_alloc(*buffer, l->tensor[i], (void *)(uintptr_t)data) !=
        GGML_STATUS_SUCCESS)
        return zt_fail(err, ZT_E_INTERNAL, "%s: '%.120s' cannot be placed", l->what,
                       l->params[i].name);
    return ZT_OK;
}

/* NULL where there is nothing to allocate. */
static enum zt_code allocate(const struct loading *l, struct ggml_context *ctx,
                             ggml_backend_buffer_type_t type, ggml_backend_buffer_t *ret,
                             struct zt_err *err)
{
    if (ggml_get_first_tensor(ctx) == NULL)
        return ZT_OK;
    *ret = ggml_backend_alloc_ctx_tensors_from_buft(ctx, type);
    if (*ret == NULL)
        return zt_fail(err, ZT_E_NOMEM, "%s: its weights take %zu MiB, which %s does not have",
                       l->what, l->out->own_bytes >> 20, zt_device_name(l->device));
    ggml_backend_buffer_set_usage(*ret, GGML_BACKEND_BUFFER_USAGE_WEIGHTS);
    return ZT_OK;
}

static enum zt_code place(struct loading *l, struct zt_err *err)
{
    l->out->n_mapped = l->weights->n_maps;
    l->out->mapped = zt_new_array(ggml_backend_buffer_t, l->weights->n_maps);
    for (size_t i = 0; i < l->n; i++) {
        if (l->tensor[i] && l->plan[i].may_map)
            ZT_TRY(map_one(l, i, err));
    }
    ZT_TRY(allocate(l, l->out->own_ctx, zt_device_weights(l->device), &l->out->own, err));
    if (ggml_get_first_tensor(l->out->w8a8_ctx) == NULL)
        return ZT_OK;
    const char *why;
    ggml_backend_buffer_type_t type = zt_device_w8a8(l->device, &why);
    if (type == NULL)
        return zt_fail(err, ZT_E_UNSUPPORTED, "%s: no 8-bit products: %s", l->what, why);
    return allocate(l, l->out->w8a8_ctx, type, &l->out->w8a8, err);
}

/* ---- data ---------------------------------------------------------------------------------- */

static enum zt_code copy_one(struct loading *l, size_t i, struct zt_err *err)
{
    const struct zt_weight *w = l->plan[i].weight;

    for (size_t at = 0; at < w->bytes; at += CHUNK_BYTES) {
        size_t n = w->bytes - at < CHUNK_BYTES ? w->bytes - at : CHUNK_BYTES;
        ggml_backend_tensor_set(l->tensor[i], (const char *)w->data + at, at, n);
        ZT_TRY(advance(l, n, err));
    }
    return ZT_OK;
}

static enum zt_code convert_one(struct loading *l, size_t i, struct zt_err *err)
{
    const struct zt_param_plan *plan = &l->plan[i];
    size_t size = ggml_type_size(plan->type);
    float scale;

    ZT_TRY(read_scale(plan, &scale, err));
    for (int64_t at = 0; at < plan->weight->elements; at += CHUNK_ELEMENTS) {
        int64_t n = plan->weight->elements - at;
        n = n < CHUNK_ELEMENTS ? n : CHUNK_ELEMENTS;
        ZT_TRY(read_values(l, plan, at, n, scale, err));
        const void *bytes = l->packed;
        if (plan->type == GGML_TYPE_F16)
            ggml_fp32_to_fp16_row(l->values, l->packed, n);
        else if (plan->type == GGML_TYPE_BF16)
            ggml_fp32_to_bf16_row(l->values, l->packed, n);
        else
            bytes = l->values;
        ggml_backend_tensor_set(l->tensor[i], bytes, (size_t)at * size, (size_t)n * size);
        ZT_TRY(advance(l, (size_t)n * size, err));
    }
    return ZT_OK;
}

/* Whole rows at a time: each has a scale. */
static enum zt_code round_one(struct loading *l, size_t i, struct zt_err *err)
{
    const struct zt_param_plan *plan = &l->plan[i];
    int64_t k = l->params[i].ne[0], rows = plan->weight->elements / k, step = CHUNK_ELEMENTS / k;
    float scale;

    ZT_TRY(read_scale(plan, &scale, err));
    for (int64_t at = 0; at < rows; at += step) {
        int64_t n = rows - at < step ? rows - at : step;
        ZT_TRY(read_values(l, plan, at * k, n * k, scale, err));
        zt_w8a8_set(l->tensor[i], at, n, l->values);
        ZT_TRY(advance(l, (size_t)(n * k), err));
    }
    return ZT_OK;
}

static enum zt_code load_one(struct loading *l, size_t i, struct zt_err *err)
{
    if (l->plan[i].type == GGML_TYPE_I8)
        return round_one(l, i, err);
    return l->plan[i].as_is ? copy_one(l, i, err) : convert_one(l, i, err);
}

static enum zt_code load(struct loading *l, struct zt_err *err)
{
    ZT_TRY(describe(l, err));
    ZT_TRY(place(l, err));
    for (size_t i = 0; i < l->n; i++) {
        if (l->tensor[i] == NULL || l->plan[i].may_map)
            continue;
        ZT_TRY(load_one(l, i, err));
    }
    return advance(l, l->all - l->done, err);
}

enum zt_code zt_params_load(const struct zt_weights *weights, const char *what,
                            const struct zt_param *params, size_t n,
                            const struct zt_param_names *names, struct zt_device *device,
                            zt_params_progress_fn *progress, void *user, struct zt_params **ret,
                            struct zt_err *err)
{
    zt_auto(params) struct zt_params *out = zt_new(struct zt_params);
    zt_auto_free struct zt_param_plan *plan = zt_new_array(struct zt_param_plan, n);
    zt_auto_free struct ggml_tensor **tensor = zt_new_array(struct ggml_tensor *, n);
    zt_auto_free float *values = zt_new_array(float, CHUNK_ELEMENTS);
    zt_auto_free uint16_t *packed = zt_new_array(uint16_t, CHUNK_ELEMENTS);
    struct loading l = { .weights = weights,
                         .what = what,
                         .params = params,
                         .plan = plan,
                         .tensor = tensor,
                         .n = n,
                         .device = device,
                         .out = out,
                         .progress = progress,
                         .user = user,
                         .values = values,
                         .packed = packed };

    ZT_TRY(zt_params_plan(weights, what, params, n, names, plan, err));
    ZT_TRY(load(&l, err));
    for (size_t i = 0; i < n; i++)
        *params[i].slot = tensor[i];
    *ret = zt_take_params(&out);
    return ZT_OK;
}

void zt_params_free(struct zt_params *params)
{
    if (params == NULL)
        return;
    for (size_t i = 0; i < params->n_mapped; i++)
        ggml_backend_buffer_free(params->mapped[i]); /* NULL is fine */
    free(params->mapped);
    ggml_backend_buffer_free(params->own);
    ggml_backend_buffer_free(params->w8a8);
    ggml_free(params->own_ctx);
    ggml_free(params->w8a8_ctx);
    ggml_free(params->mapped_ctx);
    free(params);
}

size_t zt_params_bytes(const struct zt_params *params)
{
    return params->own_bytes;
}

size_t zt_params_mapped_bytes(const struct zt_params *params)
{
    return params->mapped_bytes;
}
