/* weights.c - the list of tensors: adding, looking up, values, closing. See weights.h. */
#include "tensor/weights.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "tensor/container.h"
#include "tensor/gguf.h"

/* ---- building ------------------------------------------------------------------------------ */

enum zt_code zt_weights_add(struct zt_weights *w, const struct zt_weight *tensor, size_t name_n,
                            struct zt_err *err)
{
    if (w->n == ZT_WEIGHTS_TENSORS_MAX)
        return zt_fail(err, ZT_E_LIMIT, "%.80s: more than %d tensors", tensor->file,
                       ZT_WEIGHTS_TENSORS_MAX);
    if (name_n > ZT_WEIGHTS_NAME_MAX)
        return zt_fail(err, ZT_E_LIMIT, "%.80s: a tensor's name is longer than %d bytes",
                       tensor->file, ZT_WEIGHTS_NAME_MAX);
    if (name_n == 0)
        return zt_fail(err, ZT_E_CORRUPT, "%.80s: a tensor has no name", tensor->file);
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 256;
        struct zt_weight *more = realloc(w->tensors, cap * sizeof(*more));
        if (more == NULL)
            return zt_fail(err, ZT_E_NOMEM, "not enough memory for %zu tensors", cap);
        w->tensors = more;
        w->cap = cap;
    }
    struct zt_weight *t = &w->tensors[w->n];
    *t = *tensor;
    t->name = zt_arena_strndup(&w->arena, tensor->name, name_n);
    if (t->name == NULL)
        return zt_fail(err, ZT_E_LIMIT, "%.80s: the tensors' names are too long", tensor->file);
    w->n++;
    return ZT_OK;
}

enum zt_code zt_weights_add_meta(struct zt_weights *w, const char *key, const char *value,
                                 struct zt_err *err)
{
    if (w->n_meta == w->cap_meta) {
        size_t cap = w->cap_meta ? w->cap_meta * 2 : 16;
        struct zt_weights_meta *more = realloc(w->meta, cap * sizeof(*more));
        if (more == NULL)
            return zt_fail(err, ZT_E_NOMEM, "not enough memory for %zu metadata entries", cap);
        w->meta = more;
        w->cap_meta = cap;
    }
    struct zt_weights_meta m = { zt_arena_strdup(&w->arena, key),
                                 zt_arena_strdup(&w->arena, value) };
    if (m.key == NULL || m.value == NULL)
        return zt_fail(err, ZT_E_LIMIT, "the files' metadata is too long");
    w->meta[w->n_meta++] = m;
    return ZT_OK;
}

struct place {
    const struct zt_weight *weight;
};

static int by_address(const void *a, const void *b)
{
    const struct zt_weight *x = ((const struct place *)a)->weight;
    const struct zt_weight *y = ((const struct place *)b)->weight;
    uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;

    return p != q ? (p > q) - (p < q) : (x->bytes > y->bytes) - (x->bytes < y->bytes);
}

enum zt_code zt_weights_check_overlap(const struct zt_weights *w, size_t first, struct zt_err *err)
{
    size_t n = w->n - first;
    const struct zt_weight *before = NULL;
    zt_auto_free struct place *sorted = malloc((n + 1) * sizeof(*sorted));

    if (sorted == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for %zu tensors", n);
    for (size_t i = 0; i < n; i++)
        sorted[i].weight = &w->tensors[first + i];
    qsort(sorted, n, sizeof(*sorted), by_address);
    for (size_t i = 0; i < n; i++) {
        const struct zt_weight *t = sorted[i].weight;
        if (t->bytes == 0)
            continue;
        if (before && (const char *)t->data < (const char *)before->data + before->bytes)
            return zt_fail(err, ZT_E_CORRUPT, "%.80s: tensors '%.120s' and '%.120s' overlap",
                           t->file, before->name, t->name);
        before = t;
    }
    return ZT_OK;
}

const struct zt_weights_map *zt_weights_map_of(const struct zt_weights *w, const void *data)
{
    for (size_t i = 0; i < w->n_maps; i++) {
        const struct zt_weights_map *m = &w->maps[i];
        if ((const uint8_t *)data >= m->data && (const uint8_t *)data <= m->data + m->n)
            return m;
    }
    return NULL;
}

/* ---- asking -------------------------------------------------------------------------------- */

size_t zt_weights_count(const struct zt_weights *weights)
{
    return weights->n;
}

const struct zt_weight *zt_weights_at(const struct zt_weights *weights, size_t index)
{
    zt_assert(index < weights->n);
    return &weights->tensors[index];
}

static int against_name(const void *key, const void *element)
{
    return strcmp(key, ((const struct zt_weight *)element)->name);
}

const struct zt_weight *zt_weights_find(const struct zt_weights *weights, const char *name)
{
    if (weights->n == 0)
        return NULL;
    return bsearch(name, weights->tensors, weights->n, sizeof(*weights->tensors), against_name);
}

const char *zt_weights_meta(const struct zt_weights *weights, const char *key)
{
    for (size_t i = 0; i < weights->n_meta; i++) {
        if (strcmp(weights->meta[i].key, key) == 0)
            return weights->meta[i].value;
    }
    return NULL;
}

const char *zt_weights_meta_at(const struct zt_weights *weights, size_t index, const char **key)
{
    if (index >= weights->n_meta)
        return NULL;
    *key = weights->meta[index].key;
    return weights->meta[index].value;
}

const char *zt_weights_format(const struct zt_weights *weights)
{
    return weights->format;
}

const struct zt_gguf *zt_weights_gguf(const struct zt_weights *weights)
{
    return weights->gguf;
}

void zt_weights_rest(const struct zt_weights *weights)
{
    for (size_t i = 0; i < weights->n_maps; i++)
        (void)madvise((void *)(uintptr_t)weights->maps[i].data, weights->maps[i].n, MADV_DONTNEED);
}

void zt_weights_close(struct zt_weights *weights)
{
    if (weights == NULL)
        return;
    for (size_t i = 0; i < weights->n_maps; i++)
        munmap((void *)(uintptr_t)weights->maps[i].data, weights->maps[i].n);
    zt_gguf_free(weights->gguf);
    zt_arena_clear(&weights->arena);
    free(weights->maps);
    free(weights->tensors);
    free(weights->meta);
    free(weights);
}
