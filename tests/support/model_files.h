/*
 * model_files.h - whole weight files for tests: a list of tensors written as safetensors or as GGUF, with
 * up to five dimensions, as some published GGUF files have.
 */
#ifndef ZT_TESTS_MODEL_FILES_H
#define ZT_TESTS_MODEL_FILES_H

#include <ggml.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct file_tensor {
    char name[128];
    enum ggml_type type;
    int n_dims;
    int64_t ne[5]; /* ggml's order */
    size_t bytes;
    void *data; /* owned */
};

struct file_tensors {
    struct file_tensor *at;
    size_t n;
};

static inline void file_tensors_clear(struct file_tensors *list)
{
    for (size_t i = 0; i < list->n; i++)
        free(list->at[i].data);
    free(list->at);
    *list = (struct file_tensors){ 0 };
}

static inline struct file_tensor *file_tensors_find(struct file_tensors *list, const char *name)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->at[i].name, name) == 0)
            return &list->at[i];
    return NULL;
}

/* A tensor of the given values in another type. */
static inline struct file_tensor *file_tensors_add(struct file_tensors *list, const char *name,
                                                   enum ggml_type type, int n_dims,
                                                   const int64_t *ne, const float *values)
{
    list->at = realloc(list->at, (list->n + 1) * sizeof(*list->at));
    struct file_tensor *t = &list->at[list->n++];
    int64_t rows = 1;

    *t = (struct file_tensor){ .type = type, .n_dims = n_dims };
    snprintf(t->name, sizeof(t->name), "%s", name);
    for (int i = 0; i < 5; i++) {
        t->ne[i] = i < n_dims ? ne[i] : 1;
        rows *= i > 0 ? t->ne[i] : 1;
    }
    t->bytes = ggml_row_size(type, t->ne[0]) * (size_t)rows;
    t->data = malloc(t->bytes);
    if (type == GGML_TYPE_F32)
        memcpy(t->data, values, t->bytes);
    else
        ggml_quantize_chunk(type, values, t->data, 0, rows, t->ne[0], NULL);
    return t;
}

static inline void write_safetensors(const char *path, const struct file_tensors *list)
{
    FILE *f = fopen(path, "wb");
    char *json = malloc(64 + list->n * 512);
    size_t n = 0, at = 0;

    json[n++] = '{';
    for (size_t i = 0; i < list->n; i++) {
        const struct file_tensor *t = &list->at[i];
        const char *type = t->type == GGML_TYPE_F32   ? "F32"
                           : t->type == GGML_TYPE_F16 ? "F16"
                                                      : "BF16";
        n += (size_t)sprintf(json + n, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[", i > 0 ? "," : "",
                             t->name, type);
        for (int d = t->n_dims - 1; d >= 0; d--)
            n += (size_t)sprintf(json + n, "%" PRId64 "%s", t->ne[d], d > 0 ? "," : "");
        n += (size_t)sprintf(json + n, "],\"data_offsets\":[%zu,%zu]}", at, at + t->bytes);
        at += t->bytes;
    }
    json[n++] = '}';
    while (n % 8 != 0)
        json[n++] = ' ';
    uint64_t length = n;
    fwrite(&length, sizeof(length), 1, f);
    fwrite(json, 1, n, f);
    for (size_t i = 0; i < list->n; i++)
        fwrite(list->at[i].data, 1, list->at[i].bytes, f);
    fclose(f);
    free(json);
}

static inline void put_u32(FILE *f, uint32_t v)
{
    fwrite(&v, sizeof(v), 1, f);
}

static inline void put_u64(FILE *f, uint64_t v)
{
    fwrite(&v, sizeof(v), 1, f);
}

static inline void put_string(FILE *f, const char *s)
{
    put_u64(f, strlen(s));
    fwrite(s, 1, strlen(s), f);
}

static inline void pad_to(FILE *f, long alignment)
{
    while (ftell(f) % alignment != 0)
        fputc(0, f);
}

/* Version 3, alignment 32, general.architecture = `architecture`. */
static inline void write_gguf(const char *path, const char *architecture,
                              const struct file_tensors *list)
{
    FILE *f = fopen(path, "wb");
    uint64_t at = 0;

    fwrite("GGUF", 1, 4, f);
    put_u32(f, 3);
    put_u64(f, list->n);
    put_u64(f, 1);
    put_string(f, "general.architecture");
    put_u32(f, 8); /* a string */
    put_string(f, architecture);
    for (size_t i = 0; i < list->n; i++) {
        const struct file_tensor *t = &list->at[i];
        put_string(f, t->name);
        put_u32(f, (uint32_t)t->n_dims);
        for (int d = 0; d < t->n_dims; d++)
            put_u64(f, (uint64_t)t->ne[d]);
        put_u32(f, (uint32_t)t->type);
        put_u64(f, at);
        at += (t->bytes + 31) / 32 * 32;
    }
    for (size_t i = 0; i < list->n; i++) {
        pad_to(f, 32);
        fwrite(list->at[i].data, 1, list->at[i].bytes, f);
    }
    pad_to(f, 32);
    fclose(f);
}

#endif
