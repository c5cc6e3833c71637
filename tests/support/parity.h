/*
 * parity.h - recorded tensors, and weights written anew in another type, for comparing a model with
 * its reference.
 */
#ifndef ZT_TESTS_PARITY_H
#define ZT_TESTS_PARITY_H

#include "base/file.h"
#include "base/mem.h"
#include "check.h"
#include "tensor/params.h"
#include "tensor/weights.h"

#include <gguf.h>
#include <stdlib.h>

/* A weight file of the fixtures; a test can't go on without it. */
static inline struct zt_weights *parity_open(const char *path)
{
    struct zt_weights *w = NULL;
    struct zt_err err = { 0 };

    if (zt_weights_open(path, &w, &err) != ZT_OK) {
        printf("%s: %s\n", path, err.msg);
        exit(1);
    }
    return w;
}

/* The values of one of its tensors, *ret_n of them; free() them. */
static inline float *parity_values(const struct zt_weights *weights, const char *name,
                                   size_t *ret_n)
{
    const struct zt_weight *w = zt_weights_find(weights, name);
    struct zt_err err = { 0 };
    float *values = NULL;

    if (w == NULL || (values = malloc((size_t)w->elements * sizeof(*values))) == NULL ||
        zt_weight_to_f32(w, 0, w->elements, values, &err) != ZT_OK) {
        printf("no tensor %s in the fixture\n", name);
        exit(1);
    }
    *ret_n = (size_t)w->elements;
    return values;
}

/* ||got - want|| / ||want||; not below any limit when a value is not finite. */
static inline double parity_error(const float *got, const float *want, size_t n)
{
    double off = 0, all = 0;

    for (size_t i = 0; i < n; i++) {
        off += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        all += (double)want[i] * want[i];
    }
    return isfinite(off) && all > 0 ? sqrt(off / all) : INFINITY;
}

static inline const char *parity_same_name(const char *name, char dst[256])
{
    snprintf(dst, 256, "%s", name);
    return dst;
}

/*
 * Writes the tensors of `weights` as a GGUF file: matrices in `type` where their rows are whole
 * blocks of it, the rest in F32, under the names that `rename` makes. change may be NULL.
 */
static inline void parity_convert(const struct zt_weights *weights, enum ggml_type type,
                                  const char *(*rename)(const char *name, char dst[256]),
                                  void (*change)(const char *name, float *values, size_t n),
                                  const char *path)
{
    struct ggml_init_params params = { .mem_size = (size_t)64 << 20 };
    struct ggml_context *ctx = ggml_init(params);
    struct gguf_context *gguf = gguf_init_empty();
    struct zt_err err = { 0 };
    char name[256];

    for (size_t i = 0; i < zt_weights_count(weights); i++) {
        const struct zt_weight *w = zt_weights_at(weights, i);
        bool matrix = w->n_dims == 2 && w->ne[0] % ggml_blck_size(type) == 0;
        struct ggml_tensor *t = ggml_new_tensor(ctx, matrix ? type : GGML_TYPE_F32,
                                                w->n_dims > 4 ? 4 : w->n_dims, w->ne);
        float *values = malloc((size_t)w->elements * sizeof(*values));
        CHECK_INT(w->name, zt_weight_to_f32(w, 0, w->elements, values, &err), ZT_OK);
        if (change != NULL)
            change(w->name, values, (size_t)w->elements);
        ggml_quantize_chunk(t->type, values, t->data, 0, ggml_nrows(t), t->ne[0], NULL);
        free(values);
        CHECK("name", strlen(rename(w->name, name)) < GGML_MAX_NAME);
        ggml_set_name(t, name);
        gguf_add_tensor(gguf, t);
    }
    CHECK("written", gguf_write_to_file(gguf, path, false));
    gguf_free(gguf);
    ggml_free(ctx);
}

/* A folder of the test's own, removed at exit; and a path in it. */
static char parity_folder[64];

static inline void parity_remove_folder(void)
{
    (void)zt_remove_tree(parity_folder, NULL);
}

static inline const char *parity_path(const char *name)
{
    static char path[512];

    if (parity_folder[0] == '\0') {
        snprintf(parity_folder, sizeof(parity_folder), "/tmp/zt-parity-XXXXXX");
        if (mkdtemp(parity_folder) == NULL)
            exit(1);
        atexit(parity_remove_folder);
    }
    snprintf(path, sizeof(path), "%s/%s", parity_folder, name);
    return path;
}

#endif
