/*
 * weights_any.h - any bytes as a weight file: opened, every value and text read, a model's parameters
 * checked against it. Used by the target of each format.
 */
#ifndef ZT_FUZZ_WEIGHTS_ANY_H
#define ZT_FUZZ_WEIGHTS_ANY_H

#define _GNU_SOURCE /* memfd_create */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tensor/gguf.h"
#include "tensor/params.h"
#include "tensor/weights.h"

#define READ_MAX 100000 /* elements of a tensor that are looked at */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void any_values(const struct zt_weight *t)
{
    static float dst[READ_MAX];
    int64_t n = t->elements < READ_MAX ? t->elements : READ_MAX;
    volatile uint8_t seen = 0;

    for (size_t i = 0; i < t->bytes; i += 64)
        seen ^= ((const uint8_t *)t->data)[i];
    if (t->bytes > 0)
        seen ^= ((const uint8_t *)t->data)[t->bytes - 1];
    if (n > 0)
        (void)zt_weight_to_f32(t, t->elements - n, n, dst, NULL);
    (void)seen;
}

/* A wanted parameter for each of the first tensors, of its own shape and of another. */
static inline void any_params(const struct zt_weights *w)
{
    static const struct zt_param_alias aliases[] = { { "blocks.#.a.", "b.#.c." }, { NULL, NULL } };
    static const char *const prefixes[] = { "model.", NULL };
    static const struct zt_param_names names = { aliases, prefixes };
    struct zt_param params[16];
    struct ggml_tensor *slot;
    size_t n = 0, own, mapped;
    char canonical[600];

    for (; n < 16 && n < zt_weights_count(w); n++) {
        const struct zt_weight *t = zt_weights_at(w, n);
        params[n] = (struct zt_param){ .name = t->name,
                                       .kind = (enum zt_param_kind)(n % 4),
                                       .ne = { 1, 1, 1, 1 },
                                       .fold = (int)(n % 5),
                                       .slot = &slot };
        for (int i = 0; i < 4; i++)
            params[n].ne[i] = t->ne[i] > 0 && t->ne[i] < 100000 ? t->ne[i] : 1;
        (void)zt_params_canonical(&names, t->name, canonical, sizeof(canonical));
    }
    (void)zt_params_check(w, "any", params, n, &names, NULL);
    for (size_t i = 0; i < n; i++)
        (void)zt_params_measure(w, "any", &params[i], 1, &names, NULL, &own, &mapped, NULL);
}

static inline void any_metadata(const struct zt_weights *w)
{
    static const char *const keys[] = { "tokenizer.ggml.tokens", "a", "general.alignment" };
    const struct zt_gguf *g = zt_weights_gguf(w);

    for (size_t i = 0; g && i < sizeof(keys) / sizeof(keys[0]); i++) {
        size_t n = zt_gguf_array(g, keys[i]);
        int64_t v;
        bool yes;
        (void)zt_gguf_int(g, keys[i], &v);
        (void)zt_gguf_bool(g, keys[i], &yes);
        if (n == 0 || n > READ_MAX)
            continue;
        void *dst = malloc(n * 16);
        volatile size_t all = 0;
        if (zt_gguf_array_strings(g, keys[i], dst)) {
            for (size_t k = 0; k < n; k++)
                all += ((struct zt_gguf_str *)dst)[k].n;
        }
        (void)all;
        (void)zt_gguf_array_floats(g, keys[i], dst);
        (void)zt_gguf_array_ints(g, keys[i], dst);
        free(dst);
    }
}

/* The file is in memory; its name ends as files of the format do. */
static inline int any_weights(const uint8_t *data, size_t size)
{
    static int fd = -1;
    char path[64];
    struct zt_weights *w = NULL;

    if (fd < 0)
        fd = memfd_create("weights", 0);
    if (fd < 0 || ftruncate(fd, 0) != 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    struct zt_err err = { 0 };
    enum zt_code rc = zt_weights_open(path, &w, &err);
    if ((rc == ZT_OK) != (w != NULL) || (rc != ZT_OK && err.msg[0] == '\0'))
        abort();
    if (w == NULL)
        return 0;
    for (size_t i = 0; i < zt_weights_count(w); i++) {
        const struct zt_weight *t = zt_weights_at(w, i);
        if (zt_weights_find(w, t->name) != t)
            abort();
        any_values(t);
    }
    any_params(w);
    any_metadata(w);
    zt_weights_close(w);
    return 0;
}

#endif
