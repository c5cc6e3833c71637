/*
 * safetensors.c - the header of a .safetensors file: 8 bytes of length, JSON, then the data.
 * https://huggingface.co/docs/safetensors
 */
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "tensor/container.h"

#define DEPTH_MAX 8 /* the format needs 3 */

static const struct dtype {
    const char *name;
    size_t bytes;
    enum ggml_type type; /* COUNT: ggml has no such type */
} dtypes[] = {
    { "F64", 8, GGML_TYPE_F64 },       { "F32", 4, GGML_TYPE_F32 },
    { "F16", 2, GGML_TYPE_F16 },       { "BF16", 2, GGML_TYPE_BF16 },
    { "I64", 8, GGML_TYPE_I64 },       { "I32", 4, GGML_TYPE_I32 },
    { "I16", 2, GGML_TYPE_I16 },       { "I8", 1, GGML_TYPE_I8 },
    { "U64", 8, GGML_TYPE_COUNT },     { "U32", 4, GGML_TYPE_COUNT },
    { "U16", 2, GGML_TYPE_COUNT },     { "U8", 1, GGML_TYPE_COUNT },
    { "BOOL", 1, GGML_TYPE_COUNT },    { "F8_E4M3", 1, GGML_TYPE_COUNT },
    { "F8_E5M2", 1, GGML_TYPE_COUNT }, { "F8_E8M0", 1, GGML_TYPE_COUNT },
};

struct reading {
    struct zt_weights *w;
    const char *file;
    const uint8_t *data; /* what offsets count from */
    size_t n;
};

static enum zt_code broken(const struct reading *r, const char *name, const char *what,
                           struct zt_err *err)
{
    return zt_fail(err, ZT_E_CORRUPT, "%.80s: tensor '%.120s': %s", r->file, name, what);
}

static enum zt_code read_dtype(const struct reading *r, const char *name, const json_t *json,
                               const struct dtype **ret, struct zt_err *err)
{
    const char *dtype = json_string_value(json_object_get(json, "dtype"));

    if (dtype == NULL)
        return broken(r, name, "no dtype", err);
    for (size_t i = 0; i < ZT_COUNT(dtypes); i++) {
        if (strcmp(dtypes[i].name, dtype) == 0) {
            *ret = &dtypes[i];
            return ZT_OK;
        }
    }
    return zt_fail(err, ZT_E_UNSUPPORTED, "%.80s: tensor '%.120s' has the unknown type '%.20s'",
                   r->file, name, dtype);
}

/* Fills n_dims, ne, elements and bytes. */
static enum zt_code read_shape(const struct reading *r, const char *name, const json_t *json,
                               const struct dtype *dtype, struct zt_weight *t, struct zt_err *err)
{
    const json_t *shape = json_object_get(json, "shape");
    size_t n = json_array_size(shape), elements = 1;

    if (!json_is_array(shape))
        return broken(r, name, "no shape", err);
    if (n > ZT_WEIGHTS_DIMS)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "%.80s: tensor '%.120s' has %zu dimensions, the "
                       "limit is %d",
                       r->file, name, n, ZT_WEIGHTS_DIMS);
    for (size_t i = 0; i < ZT_WEIGHTS_DIMS; i++)
        t->ne[i] = 1;
    for (size_t i = 0; i < n; i++) {
        const json_t *dim = json_array_get(shape, i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0)
            return broken(r, name, "its shape is not of whole numbers", err);
        t->ne[n - 1 - i] = json_integer_value(dim);
        if (!zt_size_mul(elements, (size_t)json_integer_value(dim), 1, &elements))
            return broken(r, name, "its shape is too large", err);
    }
    if (elements > INT64_MAX || !zt_size_mul(elements, dtype->bytes, 1, &t->bytes))
        return broken(r, name, "its shape is too large", err);
    t->n_dims = (int)n;
    t->elements = (int64_t)elements;
    return ZT_OK;
}

static enum zt_code read_tensor(const struct reading *r, const char *name, const json_t *json,
                                struct zt_err *err)
{
    struct zt_weight t = { .name = name, .file = r->file };
    const struct dtype *dtype = NULL;

    if (!json_is_object(json))
        return broken(r, name, "its entry is not an object", err);
    ZT_TRY(read_dtype(r, name, json, &dtype, err));
    zt_assert(dtype != NULL);
    t.type = dtype->type;
    t.raw_type = dtype->name;
    ZT_TRY(read_shape(r, name, json, dtype, &t, err));

    const json_t *offsets = json_object_get(json, "data_offsets");
    const json_t *from = json_array_get(offsets, 0), *to = json_array_get(offsets, 1);
    if (json_array_size(offsets) != 2 || !json_is_integer(from) || !json_is_integer(to))
        return broken(r, name, "no data_offsets", err);
    int64_t begin = json_integer_value(from), end = json_integer_value(to);
    if (begin < 0 || end < begin || (uint64_t)end > r->n)
        return zt_fail(err, ZT_E_CORRUPT,
                       "%.80s: tensor '%.120s' is said to lie at %lld ... %lld "
                       "of %zu bytes: the file is cut short or damaged",
                       r->file, name, (long long)begin, (long long)end, r->n);
    if ((size_t)(end - begin) != t.bytes)
        return zt_fail(err, ZT_E_CORRUPT,
                       "%.80s: tensor '%.120s' takes %lld bytes, its shape and "
                       "type make %zu",
                       r->file, name, (long long)(end - begin), t.bytes);
    t.data = r->data + begin;
    return zt_weights_add(r->w, &t, strlen(name), err);
}

static enum zt_code read_metadata(const struct reading *r, json_t *json, struct zt_err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach(json, key, value)
    {
        if (json_is_string(value))
            ZT_TRY(zt_weights_add_meta(r->w, key, json_string_value(value), err));
    }
    return ZT_OK;
}

static enum zt_code read_header(const struct reading *r, json_t *header, struct zt_err *err)
{
    size_t first = r->w->n;
    const char *name;
    json_t *value;

    if (!json_is_object(header))
        return zt_fail(err, ZT_E_CORRUPT, "%.80s: the header is not a JSON object", r->file);
    json_object_foreach(header, name, value)
    {
        if (strcmp(name, "__metadata__") != 0)
            ZT_TRY(read_tensor(r, name, value, err));
        else if (r->w->n_maps == 1) /* shards repeat that of the first */
            ZT_TRY(read_metadata(r, value, err));
    }
    return zt_weights_check_overlap(r->w, first, err);
}

enum zt_code zt_safetensors_read(struct zt_weights *w, const struct zt_weights_map *map,
                                 struct zt_err *err)
{
    static const struct zt_json_limits limits = { ZT_WEIGHTS_HEADER_MAX, DEPTH_MAX };
    __attribute__((cleanup(zt_auto_json))) json_t *header = NULL;
    uint64_t n = 0;

    if (map->n < 8)
        return zt_fail(err, ZT_E_CORRUPT, "%.80s: the file is cut short", map->file);
    for (int i = 7; i >= 0; i--)
        n = n << 8 | map->data[i];
    if (n > map->n - 8)
        return zt_fail(err, ZT_E_CORRUPT,
                       "%.80s: the file is cut short: a header of %llu bytes in "
                       "%zu",
                       map->file, (unsigned long long)n, map->n);
    if (n > ZT_WEIGHTS_HEADER_MAX)
        return zt_fail(err, ZT_E_LIMIT, "%.80s: a header of %llu bytes, the limit is %zu",
                       map->file, (unsigned long long)n, ZT_WEIGHTS_HEADER_MAX);

    enum zt_code rc = zt_json_parse((const char *)map->data + 8, (size_t)n, &limits, &header, err);
    if (rc != ZT_OK) {
        zt_err_prefix(err, "%.80s: header", map->file);
        if (rc == ZT_E_INVALID && err)
            err->code = ZT_E_CORRUPT;
        return rc == ZT_E_INVALID ? ZT_E_CORRUPT : rc;
    }
    struct reading r = { w, map->file, map->data + 8 + n, map->n - 8 - (size_t)n };
    return read_header(&r, header, err);
}
