/*
 * quantise.c - see quantise.h. A tensor passes through in chunks: read as f32 and packed by all
 * threads, a slice each, then written. Blocks are packed alone, so slices may be cut between any.
 */
#include "tensor/quantise.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"
#include "tensor/gguf.h"
#include "tensor/gguf_write.h"
#include "tensor/params_plan.h"

#define SLICE      4096 /* elements: whole blocks of every type */
#define CHUNK      ((int64_t)SLICE * 1024)
#define GRAIN      16
#define NAME_SIZE  1024
#define SMALL      ((int64_t)1 << 20) /* elements of a tensor that may be F32 whatever its use */
#define F16_MAX    65504.0F
#define NAMED_MAX  8 /* tensors a message names */
#define SHARD_META 4096

/* ---- types --------------------------------------------------------------------------------- */

const char *const zt_quantise_words[] = { "f32",  "f16",  "bf16", "q8_0", "q4_0",
                                          "q4_k", "q5_k", "q6_k", NULL };
/* file_type is general.file_type, as llama.cpp numbers it. */
static const struct {
    enum ggml_type type;
    uint32_t file_type;
} types[] = {
    { GGML_TYPE_F32, 0 },  { GGML_TYPE_F16, 1 },   { GGML_TYPE_BF16, 32 }, { GGML_TYPE_Q8_0, 7 },
    { GGML_TYPE_Q4_0, 2 }, { GGML_TYPE_Q4_K, 14 }, { GGML_TYPE_Q5_K, 16 }, { GGML_TYPE_Q6_K, 18 },
};

enum ggml_type zt_quantise_type(const char *word)
{
    for (size_t i = 0; zt_quantise_words[i]; i++) {
        if (strcmp(word, zt_quantise_words[i]) == 0)
            return types[i].type;
    }
    return GGML_TYPE_COUNT;
}

static uint32_t file_type(enum ggml_type type)
{
    for (size_t i = 0; i < ZT_COUNT(types); i++) {
        if (types[i].type == type)
            return types[i].file_type;
    }
    return 0;
}

/* ---- chunks -------------------------------------------------------------------------------- */

struct work {
    struct zt_pool *pool;
    float *values;   /* CHUNK */
    uint8_t *packed; /* CHUNK of F32 at most */
    zt_params_progress_fn *progress;
    void *user;
    size_t done, all;

    /* the chunk at hand */
    const struct zt_weight *weight;
    float scale;
    int64_t first, n;
    enum ggml_type type; /* COUNT: values are only looked at */
    atomic_llong broken; /* NaN or infinite */
    atomic_bool large;   /* past F16 */
};

static void work_clear(struct work *w)
{
    zt_pool_free(w->pool);
    free(w->values);
    free(w->packed);
}

static enum zt_code work_init(struct work *w, int threads, zt_params_progress_fn *progress,
                              void *user, struct zt_err *err)
{
    *w = (struct work){ .progress = progress, .user = user };
    ZT_TRY(zt_try_alloc(CHUNK, sizeof(float), "conversion", (void **)&w->values, err));
    enum zt_code rc = zt_try_alloc(CHUNK, sizeof(float), "conversion", (void **)&w->packed, err);
    if (rc == ZT_OK)
        w->pool = zt_pool_new(threads);
    else
        work_clear(w);
    return rc;
}

static enum zt_code advance(struct work *w, size_t bytes, struct zt_err *err)
{
    w->done += bytes;
    if (w->progress && w->progress(w->user, w->done, w->all))
        return zt_fail(err, ZT_E_CANCELLED, "stopped");
    return ZT_OK;
}

static void do_slices(void *user, int first, int end)
{
    struct work *w = user;
    int64_t from = (int64_t)first * SLICE, to = (int64_t)end * SLICE;
    long long broken = 0;
    float peak = 0;

    to = to < w->n ? to : w->n;
    float *v = w->values + from;
    int64_t n = to - from;
    /* The type was asked for before: it cannot fail. */
    (void)zt_weight_to_f32(w->weight, w->first + from, n, v, NULL);
    for (int64_t i = 0; i < n; i++) {
        v[i] *= w->scale;
        broken += !isfinite(v[i]);
        peak = fabsf(v[i]) > peak ? fabsf(v[i]) : peak;
    }
    if (broken > 0)
        atomic_fetch_add(&w->broken, broken);
    if (peak > F16_MAX)
        atomic_store(&w->large, true);
    if (w->type == GGML_TYPE_COUNT || broken > 0)
        return;
    uint8_t *packed = w->packed + ggml_row_size(w->type, from);
    if (w->type == GGML_TYPE_F32)
        memcpy(packed, v, (size_t)n * sizeof(*v));
    else
        (void)ggml_quantize_chunk(w->type, v, packed, 0, 1, n, NULL);
}

static void do_chunk(struct work *w, int64_t first)
{
    w->first = first;
    w->n = w->weight->elements - first < CHUNK ? w->weight->elements - first : CHUNK;
    zt_pool_for(w->pool, (int)((w->n + SLICE - 1) / SLICE), GRAIN, do_slices, w);
}

static void begin(struct work *w, const struct zt_weight *weight, float scale, enum ggml_type type)
{
    w->weight = weight;
    w->scale = scale;
    w->type = type;
    atomic_store(&w->broken, 0);
    atomic_store(&w->large, false);
}

/* The file's bytes that n elements from `first` on stand for, for progress. */
static size_t share(const struct zt_weight *t, int64_t n)
{
    return n == t->elements ? t->bytes
                            : (size_t)((double)t->bytes * (double)n / (double)t->elements);
}

/* ---- what becomes of a tensor -------------------------------------------------------------- */

struct target {
    const struct zt_weight *weight;
    float scale;
    bool raw; /* its bytes are copied */
    enum ggml_type type;
    char name[NAME_SIZE];
};

/* What only described the 8-bit floats beside it. */
static bool is_scale(const struct zt_weights *weights, const char *name)
{
    static const char *const ends[] = { ".scale_weight", ".weight_scale", ".scale_input",
                                        ".input_scale", ".comfy_quant" };
    char beside[NAME_SIZE];

    if (strcmp(name, "scaled_fp8") == 0)
        return true;
    for (size_t i = 0; i < ZT_COUNT(ends); i++) {
        if (!zt_ends_with(name, ends[i]))
            continue;
        int base = (int)(strlen(name) - strlen(ends[i]));
        if (zt_format(beside, sizeof(beside), "%.*s.weight", base, name) &&
            zt_weights_find(weights, beside))
            return true;
    }
    return false;
}

static bool is_kept(const struct zt_quantise *job, const char *name)
{
    for (const char *const *k = job->keep; k && *k; k++) {
        if (strstr(name, *k))
            return true;
    }
    return false;
}

static int sides(const struct zt_weight *t)
{
    int n = 0;

    for (int i = 0; i < t->n_dims; i++)
        n += t->ne[i] > 1;
    return n;
}

/* Integers as integers of the same width: GGUF has no unsigned ones, the bytes are kept. */
static enum ggml_type integer_type(const struct zt_weight *t)
{
    size_t size = t->bytes / (size_t)t->elements;

    if (t->type != GGML_TYPE_COUNT)
        return ggml_is_quantized(t->type) ? GGML_TYPE_COUNT : t->type;
    if (*t->raw_type == 'F')
        return GGML_TYPE_COUNT;
    return size == 1   ? GGML_TYPE_I8
           : size == 2 ? GGML_TYPE_I16
           : size == 4 ? GGML_TYPE_I32
                       : GGML_TYPE_I64;
}

static enum ggml_type wanted_type(const struct zt_quantise *job, const struct zt_weight *t,
                                  const char *name)
{
    if (sides(t) <= 1)
        return GGML_TYPE_F32;
    if (!is_kept(job, name))
        return t->ne[0] % ggml_blck_size(job->type) == 0 ? job->type : GGML_TYPE_F16;
    if (t->elements <= SMALL || t->type == GGML_TYPE_F64)
        return GGML_TYPE_F32;
    return t->type == GGML_TYPE_COUNT ? GGML_TYPE_BF16 : t->type;
}

/* F16 that can't hold a value becomes F32. Costs a pass over the tensor. */
static enum zt_code widen(struct work *w, struct target *t, struct zt_err *err)
{
    if (t->type != GGML_TYPE_F16 || t->weight->type == GGML_TYPE_F16)
        return ZT_OK;
    begin(w, t->weight, t->scale, GGML_TYPE_COUNT);
    for (int64_t at = 0; at < t->weight->elements; at += CHUNK) {
        do_chunk(w, at);
        if (atomic_load(&w->large))
            t->type = GGML_TYPE_F32;
        ZT_TRY(advance(w, 0, err));
    }
    return ZT_OK;
}

/* *ret_skip: the tensor has no place in the new file. */
static enum zt_code plan(const struct zt_quantise *job, struct work *w, const struct zt_weight *t,
                         struct target *ret, bool *ret_skip, struct zt_err *err)
{
    *ret = (struct target){ .weight = t, .scale = 1 };
    *ret_skip = t->elements == 0 || is_scale(job->weights, t->name);
    if (*ret_skip)
        return ZT_OK;
    if (!zt_params_canonical(job->names, t->name, ret->name, sizeof(ret->name)))
        return zt_fail(err, ZT_E_LIMIT, "the name of '%.120s' grows too long", t->name);
    /* The same tensor under two names is written once. */
    const struct zt_weight *first = zt_params_find(job->weights, job->names, ret->name);
    *ret_skip = first != NULL && first != t;
    if (*ret_skip)
        return ZT_OK;
    if (!zt_weight_is_float(t)) {
        ret->raw = true;
        ret->type = integer_type(t);
        if (ret->type == GGML_TYPE_COUNT)
            return zt_fail(err, ZT_E_UNSUPPORTED,
                           "%.80s: '%.120s' is %s, which cannot be converted", t->file, t->name,
                           t->raw_type);
        return ZT_OK;
    }
    const struct zt_weight *scale = zt_weight_scale(job->weights, t);
    if (scale && (scale->elements != 1 || !zt_weight_is_float(scale)))
        return zt_fail(err, ZT_E_UNSUPPORTED, "%.80s: the scale of '%.120s' is not one number",
                       t->file, t->name);
    if (scale)
        ZT_TRY(zt_weight_to_f32(scale, 0, 1, &ret->scale, err));
    ret->type = wanted_type(job, t, ret->name);
    ret->raw = ret->type == t->type;
    return widen(w, ret, err);
}

/* ---- the file ------------------------------------------------------------------------------ */

static enum zt_code put_metadata(const struct zt_quantise *job, struct zt_gguf_writer *out,
                                 struct zt_err *err)
{
    const struct zt_gguf *gguf = zt_weights_gguf(job->weights);
    const char *key, *value;
    char named[256];

    ZT_TRY(zt_gguf_put_text(out, "general.architecture", job->architecture, err));
    ZT_TRY(zt_gguf_put_int(out, "general.file_type", file_type(job->type), err));
    if (ggml_is_quantized(job->type))
        ZT_TRY(zt_gguf_put_int(out, "general.quantization_version", GGML_QNT_VERSION, err));
    if (gguf)
        return zt_gguf_put_all(out, gguf, err);
    for (size_t i = 0; (value = zt_weights_meta_at(job->weights, i, &key)) != NULL; i++) {
        if (strlen(value) <= SHARD_META && zt_format(named, sizeof(named), "safetensors.%s", key))
            ZT_TRY(zt_gguf_put_text(out, named, value, err));
    }
    return ZT_OK;
}

static enum zt_code declare(struct zt_gguf_writer *out, const struct target *t, struct zt_err *err)
{
    static const int64_t one = 1;
    const struct zt_weight *w = t->weight;

    return zt_gguf_put_tensor(out, t->name, t->type, w->n_dims ? w->n_dims : 1,
                              w->n_dims ? w->ne : &one, err);
}

static enum zt_code write_tensor(struct work *w, struct zt_gguf_writer *out, const struct target *t,
                                 struct zt_err *err)
{
    const struct zt_weight *from = t->weight;
    bool look = zt_weight_is_float(from);

    begin(w, from, t->scale, t->raw ? GGML_TYPE_COUNT : t->type);
    for (int64_t at = 0; at < from->elements; at += CHUNK) {
        int64_t n = from->elements - at < CHUNK ? from->elements - at : CHUNK;
        if (look)
            do_chunk(w, at);
        if (atomic_load(&w->broken) > 0)
            return zt_fail(err, ZT_E_CORRUPT, "%.80s: '%.120s' holds NaN or infinity", from->file,
                           from->name);
        size_t bytes = ggml_row_size(t->type, n);
        const uint8_t *data =
            t->raw ? (const uint8_t *)from->data + ggml_row_size(t->type, at) : w->packed;
        ZT_TRY(zt_gguf_write(out, data, bytes, err));
        ZT_TRY(advance(w, share(from, n), err));
    }
    return ZT_OK;
}

static enum zt_code convert(const struct zt_quantise *job, struct work *w,
                            struct zt_gguf_writer *out, struct target *targets, struct zt_err *err)
{
    size_t n = 0;
    bool skip;

    for (size_t i = 0; i < zt_weights_count(job->weights); i++)
        w->all += zt_weights_at(job->weights, i)->bytes;
    ZT_TRY(put_metadata(job, out, err));
    for (size_t i = 0; i < zt_weights_count(job->weights); i++) {
        const struct zt_weight *t = zt_weights_at(job->weights, i);
        ZT_TRY(plan(job, w, t, &targets[n], &skip, err));
        if (skip) {
            ZT_TRY(advance(w, t->bytes, err));
            continue;
        }
        ZT_TRY(declare(out, &targets[n++], err));
    }
    for (size_t i = 0; i < n; i++)
        ZT_TRY(write_tensor(w, out, &targets[i], err));
    return zt_gguf_finish(out, err);
}

enum zt_code zt_quantise(const struct zt_quantise *job, zt_params_progress_fn *progress, void *user,
                         struct zt_err *err)
{
    zt_auto(gguf_writer) struct zt_gguf_writer *out = NULL;
    zt_auto_free struct target *targets = NULL;
    struct work w;

    zt_assert(zt_quantise_type(ggml_type_name(job->type)) != GGML_TYPE_COUNT ||
              ggml_blck_size(job->type) == 256);
    ZT_TRY(zt_gguf_writer_new(job->path, job->replace, &out, err));
    ZT_TRY(zt_try_alloc(zt_weights_count(job->weights), sizeof(*targets), "the list of tensors",
                        (void **)&targets, err));
    ZT_TRY(work_init(&w, job->threads, progress, user, err));
    ggml_quantize_init(job->type);
    enum zt_code rc = convert(job, &w, out, targets, err);
    ggml_quantize_free();
    work_clear(&w);
    return rc;
}

/* ---- looking ------------------------------------------------------------------------------- */

static enum zt_code scan(const struct zt_weights *weights, struct work *w, struct zt_err *err)
{
    char named[300] = "";
    size_t bad = 0;

    for (size_t i = 0; i < zt_weights_count(weights); i++)
        w->all += zt_weights_at(weights, i)->bytes;
    for (size_t i = 0; i < zt_weights_count(weights); i++) {
        const struct zt_weight *t = zt_weights_at(weights, i);
        begin(w, t, 1, GGML_TYPE_COUNT);
        for (int64_t at = 0; zt_weight_is_float(t) && at < t->elements; at += CHUNK) {
            do_chunk(w, at);
            ZT_TRY(advance(w, share(t, w->n), err));
        }
        if (!zt_weight_is_float(t))
            ZT_TRY(advance(w, t->bytes, err));
        if (atomic_load(&w->broken) == 0)
            continue;
        size_t used = strlen(named);
        if (bad++ < NAMED_MAX &&
            !zt_format(named + used, sizeof(named) - used, "%s'%.120s' (%lld of %lld)",
                       used ? ", " : "", t->name, atomic_load(&w->broken), (long long)t->elements))
            named[used] = '\0';
    }
    if (bad == 0)
        return ZT_OK;
    return zt_fail(err, ZT_E_CORRUPT, "%zu tensor%s with NaN or infinity: %s", bad,
                   bad == 1 ? "" : "s", named);
}

enum zt_code zt_weights_scan(const struct zt_weights *weights, int threads,
                             zt_params_progress_fn *progress, void *user, struct zt_err *err)
{
    struct work w;

    ZT_TRY(work_init(&w, threads, progress, user, err));
    enum zt_code rc = scan(weights, &w, err);
    work_clear(&w);
    return rc;
}
