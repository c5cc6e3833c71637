/*
 * vae_run.c - one chunk of a half of the VAE as a graph, and the caches that carry features from
 * chunk to chunk.
 */
#include "models/wan/vae_inside.h"

#include "base/fault.h"

#include <ggml-alloc.h>
#include <ggml-backend.h>
#include <string.h>

void zt_vae_caches_clear(struct zt_vae_caches *caches)
{
    ggml_backend_buffer_free(caches->buffer);
    ggml_free(caches->ctx);
    *caches = (struct zt_vae_caches){ 0 };
}

static ggml_backend_buffer_type_t device_memory(const struct zt_vae *vae)
{
    return ggml_backend_get_default_buffer_type(
        ggml_backend_sched_get_backend(zt_device_sched(vae->device), 0));
}

/* Builds a chunk's graph; *ret_out is its output. */
static enum zt_code build(const struct zt_vae_run *run, bool first, bool planning, const float *in,
                          struct zt_graph **ret, struct ggml_tensor **ret_out, struct zt_err *err)
{
    int64_t ne[4] = { run->channels, run->w, run->h, first ? run->first_frames : run->frames };
    struct zt_graph *g = NULL;

    ZT_TRY(zt_graph_new(run->vae->device, ZT_VAE_NODES, &g, err));
    struct zt_vae_build b = {
        .vae = run->vae,
        .graph = g,
        .ctx = zt_graph_ctx(g),
        .caches = run->caches,
        .planning = planning,
        .first = first,
    };
    *ret_out = run->body(&b, zt_graph_input(g, "x", GGML_TYPE_F32, ne, in));
    *ret = g;
    return ZT_OK;
}

enum zt_code zt_vae_run_chunk(const struct zt_vae_run *run, bool first, const float *in, float *out,
                              struct zt_err *err)
{
    zt_auto(graph) struct zt_graph *g = NULL;
    struct ggml_tensor *y;

    ZT_TRY(build(run, first, false, in, &g, &y, err));
    zt_graph_output(g, y, out);
    return zt_graph_run(g, err);
}

/* Adds the cache tensors, without memory. */
static enum zt_code plan(const struct zt_vae_run *run, struct zt_err *err)
{
    zt_auto(graph) struct zt_graph *g = NULL;
    struct zt_vae_caches *c = run->caches;
    struct ggml_tensor *y;
    struct ggml_init_params params = {
        .mem_size = ggml_tensor_overhead() * ZT_VAE_CACHES_MAX,
        .no_alloc = true,
    };

    zt_vae_caches_clear(c);
    c->ctx = ggml_init(params);
    if (c->ctx == NULL)
        return zt_fail(err, ZT_E_NOMEM, "no memory for the VAE's caches");
    return build(run, true, true, NULL, &g, &y, err);
}

enum zt_code zt_vae_run_plan(const struct zt_vae_run *run, struct zt_err *err)
{
    ZT_TRY(plan(run, err));
    ggml_backend_buffer_type_t type = device_memory(run->vae);
    size_t bytes = ggml_backend_alloc_ctx_tensors_from_buft_size(run->caches->ctx, type);

    if (!zt_fault("alloc"))
        run->caches->buffer = ggml_backend_alloc_ctx_tensors_from_buft(run->caches->ctx, type);
    if (run->caches->buffer == NULL)
        return zt_fail(err, ZT_E_NOMEM, "no %.0f MiB for the VAE's caches on the device %s",
                       (double)bytes / 1048576, zt_device_name(run->vae->device));
    zt_vae_run_reset(run);
    return ZT_OK;
}

void zt_vae_run_reset(const struct zt_vae_run *run)
{
    ggml_backend_buffer_clear(run->caches->buffer, 0);
}

void zt_vae_pretend(struct ggml_context *ctx, ggml_backend_buffer_t empty)
{
    for (struct ggml_tensor *t = ggml_get_first_tensor(ctx); t; t = ggml_get_next_tensor(ctx, t)) {
        t->buffer = empty;
        t->data = (void *)(uintptr_t)64;
    }
}

static enum zt_code graph_bytes(const struct zt_vae_run *run, bool first, size_t *ret,
                                struct zt_err *err)
{
    zt_auto(graph) struct zt_graph *g = NULL;
    struct ggml_tensor *y;

    ZT_TRY(build(run, first, false, NULL, &g, &y, err));
    zt_graph_output(g, y, NULL);
    size_t bytes = zt_graph_bytes(g);
    *ret = bytes > *ret ? bytes : *ret;
    return ZT_OK;
}

enum zt_code zt_vae_run_bytes(const struct zt_vae_run *run, bool more, struct zt_vae_bytes *ret,
                              struct zt_err *err)
{
    if (!more)
        return graph_bytes(run, true, &ret->working, err);
    ZT_TRY(plan(run, err));
    ggml_backend_buffer_type_t type = device_memory(run->vae);
    ret->caches = ggml_backend_alloc_ctx_tensors_from_buft_size(run->caches->ctx, type);
    run->caches->buffer = ggml_backend_buft_alloc_buffer(type, 0);
    if (run->caches->buffer == NULL)
        return zt_fail(err, ZT_E_NOMEM, "no memory to measure the VAE");
    zt_vae_pretend(run->caches->ctx, run->caches->buffer);
    ZT_TRY(graph_bytes(run, true, &ret->working, err));
    return graph_bytes(run, false, &ret->working, err);
}
