/*
 * gguf.c - reading GGUF 2 and 3: header, metadata, tensor descriptions. See gguf.h.
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
#include "tensor/gguf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "tensor/container.h"
#include "tensor/gguf_entry.h"

#define HEADER_MAX    ((size_t)256 << 20)
#define KEYS_MAX      65536
#define ALIGNMENT_MAX (1U << 20)
#define ORIG_SHAPE    "comfy.gguf.orig_shape."

static const uint8_t value_bytes[ZT_GGUF_TYPES] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

struct cursor {
    const uint8_t *at, *end;
};

struct reading {
    struct zt_weights *w;
    const struct zt_weights_map *map;
    struct cursor in;
    uint32_t alignment;
    uint64_t n_tensors;
};

/* ---- bytes --------------------------------------------------------------------------------- */

static uint64_t number(const uint8_t *at, size_t bytes)
{
    uint64_t v = 0;

    while (bytes-- > 0)
        v = v << 8 | at[bytes];
    return v;
}

static size_t left(const struct cursor *in)
{
    return (size_t)(in->end - in->at);
}

static bool take(struct cursor *in, size_t bytes, uint64_t *ret)
{
    if (left(in) < bytes)
        return false;
    *ret = number(in->at, bytes);
    in->at += bytes;
    return true;
}

static bool take_str(struct cursor *in, struct zt_gguf_str *ret)
{
    uint64_t n;

    if (!take(in, 8, &n) || n > left(in))
        return false;
    *ret = (struct zt_gguf_str){ (const char *)in->at, (size_t)n };
    in->at += n;
    return true;
}

static enum zt_code cut_short(const struct reading *r, struct zt_err *err)
{
    if (r->map->n > HEADER_MAX)
        return zt_fail(err, ZT_E_CORRUPT, "%.80s: the header is damaged, or longer than %zu bytes",
                       r->map->file, HEADER_MAX);
    return zt_fail(err, ZT_E_CORRUPT, "%.80s: the header is cut short or damaged", r->map->file);
}

/* ---- metadata ------------------------------------------------------------------------------ */

/* Passes over the n values of an entry; false when they don't fit into the file. */
static bool take_values(struct cursor *in, struct zt_gguf_entry *e)
{
    struct zt_gguf_str s;
    size_t bytes;

    e->data = in->at;
    if (e->type == ZT_GGUF_STRING) {
        for (size_t i = 0; i < e->n; i++) {
            if (!take_str(in, &s))
                return false;
        }
        e->bytes = (size_t)(in->at - e->data);
        return true;
    }
    if (!zt_size_mul(e->n, value_bytes[e->type], 1, &bytes) || bytes > left(in))
        return false;
    in->at += bytes;
    e->bytes = bytes;
    return true;
}

static enum zt_code read_entry(struct reading *r, struct zt_gguf_entry *e, struct zt_err *err)
{
    uint64_t type, n = 1;

    if (!take_str(&r->in, &e->key) || !take(&r->in, 4, &type))
        return cut_short(r, err);
    if (!zt_utf8_valid(e->key.s, e->key.n) || e->key.n == 0)
        return zt_fail(err, ZT_E_CORRUPT, "%.80s: a metadata key is not text", r->map->file);
    e->is_array = type == ZT_GGUF_ARRAY;
    if (e->is_array && (!take(&r->in, 4, &type) || !take(&r->in, 8, &n)))
        return cut_short(r, err);
    if (type >= ZT_GGUF_TYPES || type == ZT_GGUF_ARRAY)
        return zt_fail(err, ZT_E_UNSUPPORTED, "%.80s: metadata '%.*s' has the unknown type %llu",
                       r->map->file, (int)(e->key.n < 80 ? e->key.n : 80), e->key.s,
                       (unsigned long long)type);
    e->type = (enum zt_gguf_type)type;
    e->n = (size_t)n;
    return take_values(&r->in, e) ? ZT_OK : cut_short(r, err);
}

/* Texts are found by zt_weights_meta as well. */
static enum zt_code add_text(struct reading *r, const struct zt_gguf_entry *e, struct zt_err *err)
{
    struct cursor in = { e->data, r->in.end };
    struct zt_gguf_str s;

    if (e->type != ZT_GGUF_STRING || e->is_array || !take_str(&in, &s) || !zt_utf8_valid(s.s, s.n))
        return ZT_OK;
    const char *key = zt_arena_strndup(&r->w->arena, e->key.s, e->key.n);
    const char *value = zt_arena_strndup(&r->w->arena, s.s, s.n);
    if (key == NULL || value == NULL)
        return zt_fail(err, ZT_E_LIMIT, "%.80s: the metadata is too long", r->map->file);
    return zt_weights_add_meta(r->w, key, value, err);
}

static int by_key(const void *a, const void *b)
{
    const struct zt_gguf_str *x = &((const struct zt_gguf_entry *)a)->key;
    const struct zt_gguf_str *y = &((const struct zt_gguf_entry *)b)->key;
    int order = memcmp(x->s, y->s, x->n < y->n ? x->n : y->n);

    return order ? order : (x->n > y->n) - (x->n < y->n);
}

static enum zt_code read_entries(struct reading *r, uint64_t n, struct zt_err *err)
{
    struct zt_gguf *g = r->w->gguf;

    if (n > KEYS_MAX)
        return zt_fail(err, ZT_E_LIMIT, "%.80s: more than %d metadata entries", r->map->file,
                       KEYS_MAX);
    g->entries = zt_new_array(struct zt_gguf_entry, n);
    for (; g->n < n; g->n++) {
        ZT_TRY(read_entry(r, &g->entries[g->n], err));
        ZT_TRY(add_text(r, &g->entries[g->n], err));
    }
    qsort(g->entries, g->n, sizeof(*g->entries), by_key);
    for (size_t i = 1; i < g->n; i++) {
        if (by_key(&g->entries[i - 1], &g->entries[i]) == 0)
            return zt_fail(err, ZT_E_CORRUPT, "%.80s: metadata '%.*s' is there twice", r->map->file,
                           (int)(g->entries[i].key.n < 80 ? g->entries[i].key.n : 80),
                           g->entries[i].key.s);
    }
    return ZT_OK;
}

static enum zt_code read_alignment(struct reading *r, struct zt_err *err)
{
    int64_t alignment = 32;

    zt_gguf_int(r->w->gguf, "general.alignment", &alignment);
    if (alignment < 1 || alignment > ALIGNMENT_MAX || (alignment & (alignment - 1)) != 0)
        return zt_fail(err, ZT_E_CORRUPT,
                       "%.80s: general.alignment is %lld, not a power of two "
                       "up to %u",
                       r->map->file, (long long)alignment, ALIGNMENT_MAX);
    r->alignment = (uint32_t)alignment;
    return ZT_OK;
}

/* ---- tensors ------------------------------------------------------------------------------- */

/* Dimensions as the makers had them before they reshaped the tensor, slowest first. */
static void restore_shape(const struct zt_gguf *g, struct zt_weight *t)
{
    char key[sizeof(ORIG_SHAPE) + ZT_WEIGHTS_NAME_MAX];
    int64_t shape[ZT_WEIGHTS_DIMS] = { 0 }, product = 1;

    if (!zt_format(key, sizeof(key), ORIG_SHAPE "%s", t->name))
        return;
    size_t n = zt_gguf_array(g, key);
    if (n == 0 || n > ZT_WEIGHTS_DIMS || !zt_gguf_array_ints(g, key, shape))
        return;
    for (size_t i = 0; i < n; i++) {
        if (shape[i] <= 0 || __builtin_mul_overflow(product, shape[i], &product))
            return;
    }
    if (product != t->elements || shape[n - 1] % ggml_blck_size(t->type) != 0)
        return;
    for (size_t i = 0; i < ZT_WEIGHTS_DIMS; i++)
        t->ne[i] = i < n ? shape[n - 1 - i] : 1;
    t->n_dims = (int)n;
}

static enum zt_code read_shape(struct reading *r, struct zt_weight *t, struct zt_err *err)
{
    uint64_t n_dims, dim;
    size_t elements = 1;

    if (!take(&r->in, 4, &n_dims))
        return cut_short(r, err);
    if (n_dims > ZT_WEIGHTS_DIMS)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "%.80s: tensor '%.120s' has %llu dimensions, the "
                       "limit is %d",
                       r->map->file, t->name, (unsigned long long)n_dims, ZT_WEIGHTS_DIMS);
    t->n_dims = (int)n_dims;
    for (int i = 0; i < ZT_WEIGHTS_DIMS; i++) {
        dim = 1;
        if (i < t->n_dims && !take(&r->in, 8, &dim))
            return cut_short(r, err);
        if (dim > INT64_MAX || !zt_size_mul(elements, (size_t)dim, 1, &elements) ||
            elements > INT64_MAX)
            return zt_fail(err, ZT_E_CORRUPT, "%.80s: tensor '%.120s': its shape is too large",
                           r->map->file, t->name);
        t->ne[i] = (int64_t)dim;
    }
    t->elements = (int64_t)elements;
    return ZT_OK;
}

static enum zt_code read_type(struct reading *r, struct zt_weight *t, struct zt_err *err)
{
    uint64_t type;

    if (!take(&r->in, 4, &type))
        return cut_short(r, err);
    if (type >= GGML_TYPE_COUNT || ggml_get_type_traits((enum ggml_type)type)->type_size == 0 ||
        ggml_blck_size((enum ggml_type)type) == 0)
        return zt_fail(err, ZT_E_UNSUPPORTED, "%.80s: tensor '%.120s' has the unknown type %llu",
                       r->map->file, t->name, (unsigned long long)type);
    t->type = (enum ggml_type)type;
    t->raw_type = ggml_type_name(t->type);
    if (t->ne[0] % ggml_blck_size(t->type) != 0)
        return zt_fail(err, ZT_E_CORRUPT,
                       "%.80s: tensor '%.120s' is %s, and its rows of %lld are "
                       "not whole blocks of %lld",
                       r->map->file, t->name, t->raw_type, (long long)t->ne[0],
                       (long long)ggml_blck_size(t->type));
    if (!zt_size_mul((size_t)(t->elements / ggml_blck_size(t->type)), ggml_type_size(t->type), 1,
                     &t->bytes))
        return zt_fail(err, ZT_E_CORRUPT, "%.80s: tensor '%.120s': its shape is too large",
                       r->map->file, t->name);
    return ZT_OK;
}

/* data is left as an offset until the end of the header is known. */
static enum zt_code read_tensor(struct reading *r, struct zt_err *err)
{
    struct zt_weight t = { .file = r->map->file };
    struct zt_gguf_str name;
    char text[ZT_WEIGHTS_NAME_MAX + 1];
    uint64_t offset;

    if (!take_str(&r->in, &name))
        return cut_short(r, err);
    if (!zt_utf8_valid(name.s, name.n))
        return zt_fail(err, ZT_E_CORRUPT, "%.80s: a tensor's name is not text", r->map->file);
    if (name.n > ZT_WEIGHTS_NAME_MAX)
        return zt_fail(err, ZT_E_LIMIT, "%.80s: a tensor's name is longer than %d bytes",
                       r->map->file, ZT_WEIGHTS_NAME_MAX);
    memcpy(text, name.s, name.n);
    text[name.n] = '\0';
    t.name = text;
    ZT_TRY(read_shape(r, &t, err));
    ZT_TRY(read_type(r, &t, err));
    if (!take(&r->in, 8, &offset))
        return cut_short(r, err);
    zt_assert(r->alignment > 0);
    if (offset % r->alignment != 0)
        return zt_fail(err, ZT_E_CORRUPT,
                       "%.80s: tensor '%.120s' does not begin at a multiple of "
                       "%u",
                       r->map->file, t.name, r->alignment);
    if (offset > r->map->n || t.bytes > r->map->n - offset)
        return zt_fail(err, ZT_E_CORRUPT,
                       "%.80s: tensor '%.120s' ends behind the file's end: the "
                       "file is cut short or damaged",
                       r->map->file, t.name);
    t.data = r->map->data + offset;
    restore_shape(r->w->gguf, &t);
    return zt_weights_add(r->w, &t, name.n, err);
}

/* Adds where the data begins to the tensors from `first` on. */
static enum zt_code place(struct reading *r, size_t first, struct zt_err *err)
{
    size_t header = (size_t)(r->in.at - r->map->data);
    size_t begin = (header + r->alignment - 1) / r->alignment * r->alignment;

    for (size_t i = first; i < r->w->n; i++) {
        struct zt_weight *t = &r->w->tensors[i];
        size_t offset = (size_t)((const uint8_t *)t->data - r->map->data);
        if (begin > r->map->n || offset + t->bytes > r->map->n - begin)
            return zt_fail(err, ZT_E_CORRUPT,
                           "%.80s: tensor '%.120s' ends behind the file's end: "
                           "the file is cut short or damaged",
                           r->map->file, t->name);
        t->data = r->map->data + begin + offset;
    }
    return ZT_OK;
}

enum zt_code zt_gguf_read(struct zt_weights *w, const struct zt_weights_map *map,
                          struct zt_err *err)
{
    size_t n = map->n < HEADER_MAX ? map->n : HEADER_MAX;
    struct reading r = { .w = w, .map = map, .in = { map->data, map->data + n } };
    uint64_t magic, version, entries;
    size_t first = w->n;

    if (!take(&r.in, 4, &magic) || !take(&r.in, 4, &version) || !take(&r.in, 8, &r.n_tensors) ||
        !take(&r.in, 8, &entries))
        return cut_short(&r, err);
    if (version != 2 && version != 3)
        return zt_fail(err, ZT_E_UNSUPPORTED, "%.80s: GGUF version %llu; 2 and 3 can be read%s",
                       map->file, (unsigned long long)version,
                       version && (version & 0xFFFF) == 0 ? " (a big-endian file?)" : "");
    zt_gguf_free(w->gguf);
    w->gguf = zt_new(struct zt_gguf);
    w->gguf->end = r.in.end;
    ZT_TRY(read_entries(&r, entries, err));
    ZT_TRY(read_alignment(&r, err));
    for (uint64_t i = 0; i < r.n_tensors; i++)
        ZT_TRY(read_tensor(&r, err));
    ZT_TRY(place(&r, first, err));
    return zt_weights_check_overlap(w, first, err);
}

/* ---- asking -------------------------------------------------------------------------------- */

void zt_gguf_free(struct zt_gguf *gguf)
{
    if (gguf)
        free(gguf->entries);
    free(gguf);
}

static const struct zt_gguf_entry *find(const struct zt_gguf *gguf, const char *key, bool is_array)
{
    struct zt_gguf_entry wanted = { .key = { key, strlen(key) } };

    if (gguf == NULL || gguf->n == 0)
        return NULL;
    const struct zt_gguf_entry *e =
        bsearch(&wanted, gguf->entries, gguf->n, sizeof(wanted), by_key);
    return e && e->is_array == is_array ? e : NULL;
}

static bool as_int(enum zt_gguf_type type, const uint8_t *at, int64_t *ret)
{
    uint64_t v = number(at, value_bytes[type]);

    switch (type) {
    case ZT_GGUF_U64:
        if (v > INT64_MAX)
            return false;
        break;
    case ZT_GGUF_I8:
        v = (uint64_t)(int64_t)(int8_t)v;
        break;
    case ZT_GGUF_I16:
        v = (uint64_t)(int64_t)(int16_t)v;
        break;
    case ZT_GGUF_I32:
        v = (uint64_t)(int64_t)(int32_t)v;
        break;
    case ZT_GGUF_U8:
    case ZT_GGUF_U16:
    case ZT_GGUF_U32:
    case ZT_GGUF_I64:
        break;
    default:
        return false;
    }
    *ret = (int64_t)v;
    return true;
}

bool zt_gguf_int(const struct zt_gguf *gguf, const char *key, int64_t *ret)
{
    const struct zt_gguf_entry *e = find(gguf, key, false);

    return e && as_int(e->type, e->data, ret);
}

bool zt_gguf_bool(const struct zt_gguf *gguf, const char *key, bool *ret)
{
    const struct zt_gguf_entry *e = find(gguf, key, false);

    if (e == NULL || e->type != ZT_GGUF_BOOL)
        return false;
    *ret = *e->data != 0;
    return true;
}

size_t zt_gguf_array(const struct zt_gguf *gguf, const char *key)
{
    const struct zt_gguf_entry *e = find(gguf, key, true);

    return e ? e->n : 0;
}

bool zt_gguf_array_strings(const struct zt_gguf *gguf, const char *key, struct zt_gguf_str *dst)
{
    const struct zt_gguf_entry *e = find(gguf, key, true);

    if (e == NULL || e->type != ZT_GGUF_STRING)
        return false;
    struct cursor in = { e->data, gguf->end };
    for (size_t i = 0; i < e->n; i++)
        take_str(&in, &dst[i]);
    return true;
}

bool zt_gguf_array_floats(const struct zt_gguf *gguf, const char *key, float *dst)
{
    const struct zt_gguf_entry *e = find(gguf, key, true);

    if (e == NULL || (e->type != ZT_GGUF_F32 && e->type != ZT_GGUF_F64))
        return false;
    for (size_t i = 0; i < e->n; i++) {
        double wide;
        if (e->type == ZT_GGUF_F32) {
            memcpy(&dst[i], e->data + i * 4, 4);
        } else {
            memcpy(&wide, e->data + i * 8, 8);
            dst[i] = (float)wide;
        }
    }
    return true;
}

bool zt_gguf_array_ints(const struct zt_gguf *gguf, const char *key, int64_t *dst)
{
    const struct zt_gguf_entry *e = find(gguf, key, true);

    for (size_t i = 0; e && i < e->n; i++) {
        if (!as_int(e->type, e->data + i * value_bytes[e->type], &dst[i]))
            return false;
    }
    return e != NULL;
}
