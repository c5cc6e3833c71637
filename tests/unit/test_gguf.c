/* GGUF: reading sound and broken files, metadata, and what the writer and the conversion make. */
#include "tensor/gguf.h"

#include <math.h>
#include <unistd.h>

#include "tensor/gguf_write.h"
#include "tensor/quantise.h"
#include "weight_files.h"

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64 };

/* A file is made of these; a row of the table changes one of them. */
struct recipe {
    uint32_t version;
    uint64_t n_tensors, n_keys;
    uint64_t alignment; /* 0: not given */
    const char *name[2];
    uint32_t n_dims[2];
    uint64_t ne[2][6];
    uint32_t type[2];
    uint64_t offset[2];
    size_t data;
    uint64_t text; /* length of the architecture's name as it is said to be */
    uint32_t text_type;
};

static const struct recipe sound = {
    .version = 3,
    .n_tensors = 2,
    .n_keys = 1,
    .name = { "patch_embedding.weight", "b" },
    .n_dims = { 5, 1 },
    .ne = { { 2, 2, 1, 3, 4 }, { 64 } },
    .type = { GGML_TYPE_F32, GGML_TYPE_Q8_0 },
    .offset = { 0, 192 },
    .data = 192 + 68,
    .text = 3,
    .text_type = STRING,
};

static struct bytes gguf(const struct recipe *r)
{
    struct bytes b = { .n = 0 };

    put(&b, "GGUF", 4);
    put_int(&b, r->version, 4);
    put_int(&b, r->n_tensors, 8);
    put_int(&b, r->n_keys + (r->alignment ? 1 : 0), 8);
    put_text(&b, "general.architecture");
    put_int(&b, r->text_type, 4);
    put_int(&b, r->text, 8);
    put(&b, "wan", 3);
    if (r->alignment) {
        put_text(&b, "general.alignment");
        put_int(&b, U32, 4);
        put_int(&b, r->alignment, 4);
    }
    for (int i = 0; i < 2; i++) {
        put_text(&b, r->name[i]);
        put_int(&b, r->n_dims[i], 4);
        for (uint32_t d = 0; d < r->n_dims[i] && d < 6; d++)
            put_int(&b, r->ne[i][d], 8);
        put_int(&b, r->type[i], 4);
        put_int(&b, r->offset[i], 8);
    }
    pad_to(&b, 32);
    put_zeros(&b, r->data);
    return b;
}

static enum zt_code open_bytes(const struct bytes *b, struct zt_weights **ret, struct zt_err *err)
{
    return zt_weights_open(write_bytes("t.gguf", b), ret, err);
}

static void lists_what_a_file_holds(void)
{
    struct recipe r = sound;
    struct zt_err err = { 0 };

    for (r.version = 2; r.version <= 3; r.version++) {
        struct bytes b = gguf(&r);
        zt_auto(weights) struct zt_weights *w = NULL;
        CHECK_INT("opens", open_bytes(&b, &w, &err), ZT_OK);
        CHECK_STR("opens", err.msg, "");
        if (w == NULL)
            continue;
        CHECK_STR("format", zt_weights_format(w), "gguf");
        CHECK_STR("text", zt_weights_meta(w, "general.architecture"), "wan");
        const struct zt_weight *p = zt_weights_find(w, "patch_embedding.weight");
        CHECK_INT("five dimensions", p->n_dims, 5);
        CHECK_INT("slowest", p->ne[4], 4);
        CHECK_INT("elements", p->elements, 48);
        const struct zt_weight *q = zt_weights_find(w, "b");
        CHECK_STR("quantised", q->raw_type, "q8_0");
        CHECK_INT("bytes", q->bytes, 68);
        CHECK_INT("place", (const char *)q->data - (const char *)p->data, 192);
    }
}

static void says_what_is_wrong_with_a_file(void)
{
    enum { N = 24 };
    struct recipe r[N];
    const struct {
        const char *label, *says;
        enum zt_code code;
    } rows[N] = {
        { "version 1", "version 1", ZT_E_UNSUPPORTED },
        { "big-endian", "big-endian", ZT_E_UNSUPPORTED },
        { "too many tensors", "", ZT_E_CORRUPT },
        { "huge count of tensors", "", ZT_E_CORRUPT },
        { "huge count of keys", "metadata entries", ZT_E_LIMIT },
        { "text past the end", "cut short", ZT_E_CORRUPT },
        { "huge text", "cut short", ZT_E_CORRUPT },
        { "unknown value type", "unknown type 13", ZT_E_UNSUPPORTED },
        { "alignment of 3", "general.alignment is 3", ZT_E_CORRUPT },
        { "huge alignment", "general.alignment", ZT_E_CORRUPT },
        { "six dimensions", "6 dimensions", ZT_E_UNSUPPORTED },
        { "unknown tensor type", "unknown type 99", ZT_E_UNSUPPORTED },
        { "removed tensor type", "unknown type 4", ZT_E_UNSUPPORTED },
        { "negative dimension", "too large", ZT_E_CORRUPT },
        { "overflow", "too large", ZT_E_CORRUPT },
        { "half a block", "whole blocks", ZT_E_CORRUPT },
        { "not aligned", "multiple of 32", ZT_E_CORRUPT },
        { "past the end", "behind the file's end", ZT_E_CORRUPT },
        { "past the end by little", "behind the file's end", ZT_E_CORRUPT },
        { "offset overflow", "behind the file's end", ZT_E_CORRUPT },
        { "overlap", "overlap", ZT_E_CORRUPT },
        { "twice", "twice", ZT_E_CORRUPT },
        { "no name", "no name", ZT_E_CORRUPT },
        { "name not text", "not text", ZT_E_CORRUPT },
    };
    for (int i = 0; i < N; i++)
        r[i] = sound;
    r[0].version = 1;
    r[1].version = 0x03000000;
    r[2].n_tensors = 3;
    r[3].n_tensors = UINT64_MAX;
    r[4].n_keys = UINT64_MAX;
    r[5].text = 5000;
    r[6].text = UINT64_MAX;
    r[7].text_type = 13;
    r[8].alignment = 3;
    r[9].alignment = 1U << 31;
    r[10].n_dims[0] = 6;
    r[11].type[1] = 99;
    r[12].type[1] = 4;
    r[13].ne[0][0] = UINT64_MAX;
    r[14].ne[0][0] = r[14].ne[0][1] = UINT64_C(1) << 32;
    r[15].ne[1][0] = 63;
    r[16].offset[1] = 193;
    r[17].offset[1] = 8192;
    r[18].data -= 1;
    r[19].offset[1] = UINT64_MAX - 31;
    r[20].offset[1] = 160;
    r[21].name[1] = r[21].name[0];
    r[22].name[1] = "";
    r[23].name[1] = "\xff";
    for (int i = 0; i < N; i++) {
        struct bytes b = gguf(&r[i]);
        struct zt_err err = { 0 };
        zt_auto(weights) struct zt_weights *w = NULL;
        CHECK_INT(rows[i].label, open_bytes(&b, &w, &err), rows[i].code);
        CHECK_HAS(rows[i].label, err.msg, rows[i].says);
    }
}

static void takes_no_file_cut_anywhere(void)
{
    struct bytes b = gguf(&sound);

    for (size_t n = 0; n < b.n; n++) {
        struct bytes cut = b;
        zt_auto(weights) struct zt_weights *w = NULL;
        cut.n = n;
        CHECK("cut", open_bytes(&cut, &w, NULL) != ZT_OK);
    }
}

/* ---- metadata ------------------------------------------------------------------------------ */

static struct bytes with_metadata(void)
{
    struct bytes b = { .n = 0 };

    put(&b, "GGUF", 4);
    put_int(&b, 3, 4);
    put_int(&b, 1, 8);
    put_int(&b, 9, 8);
    put_text(&b, "u8");
    put_int(&b, U8, 4), put_int(&b, 200, 1);
    put_text(&b, "i16");
    put_int(&b, I16, 4), put_int(&b, 0xfffe, 2);
    put_text(&b, "u64");
    put_int(&b, U64, 4), put_int(&b, UINT64_MAX, 8);
    put_text(&b, "yes");
    put_int(&b, BOOL, 4), put_int(&b, 1, 1);
    put_text(&b, "words");
    put_int(&b, ARRAY, 4), put_int(&b, STRING, 4), put_int(&b, 3, 8);
    put_text(&b, "a"), put_text(&b, ""), put_text(&b, "\xe2\x96\x81x");
    put_text(&b, "scores");
    put_int(&b, ARRAY, 4), put_int(&b, F32, 4), put_int(&b, 2, 8);
    put(&b, "\0\0\xc0\x3f\0\0\0\xc0", 8);
    put_text(&b, "kinds");
    put_int(&b, ARRAY, 4), put_int(&b, I32, 4), put_int(&b, 2, 8);
    put_int(&b, 6, 4), put_int(&b, 0xffffffff, 4);
    put_text(&b, "comfy.gguf.orig_shape.t");
    put_int(&b, ARRAY, 4), put_int(&b, I32, 4), put_int(&b, 3, 8);
    put_int(&b, 2, 4), put_int(&b, 3, 4), put_int(&b, 4, 4);
    put_text(&b, "none");
    put_int(&b, ARRAY, 4), put_int(&b, U8, 4), put_int(&b, 0, 8);
    put_text(&b, "t");
    put_int(&b, 1, 4), put_int(&b, 24, 8), put_int(&b, GGML_TYPE_I8, 4), put_int(&b, 0, 8);
    pad_to(&b, 32);
    put_zeros(&b, 24);
    return b;
}

static void check_metadata(const struct zt_weights *w)
{
    const struct zt_gguf *g = zt_weights_gguf(w);
    struct zt_gguf_str words[3];
    float scores[2];
    int64_t v = 0, kinds[2];
    bool yes = false;

    CHECK("byte", zt_gguf_int(g, "u8", &v) && v == 200);
    CHECK("negative", zt_gguf_int(g, "i16", &v) && v == -2);
    CHECK("past int64", !zt_gguf_int(g, "u64", &v));
    CHECK("no such key", !zt_gguf_int(g, "x", &v));
    CHECK("an array is no number", !zt_gguf_int(g, "kinds", &v));
    CHECK("bool", zt_gguf_bool(g, "yes", &yes) && yes);
    CHECK("a number is no bool", !zt_gguf_bool(g, "u8", &yes));
    CHECK_INT("words", zt_gguf_array(g, "words"), 3);
    CHECK("words", zt_gguf_array_strings(g, "words", words));
    CHECK_INT("empty word", words[1].n, 0);
    CHECK_INT("third word", words[2].n, 4);
    CHECK("words are no floats", !zt_gguf_array_floats(g, "words", scores));
    CHECK("floats", zt_gguf_array_floats(g, "scores", scores));
    CHECK_NEAR("floats", scores[1], -2, 0);
    CHECK("floats are no words", !zt_gguf_array_strings(g, "scores", words));
    CHECK("ints", zt_gguf_array_ints(g, "kinds", kinds) && kinds[0] == 6 && kinds[1] == -1);
    CHECK_INT("empty array", zt_gguf_array(g, "none"), 0);
    const struct zt_weight *t = zt_weights_find(w, "t");
    CHECK_INT("shape from before", t->n_dims, 3);
    CHECK_INT("fastest", t->ne[0], 4);
    CHECK_INT("slowest", t->ne[2], 2);
}

static void reads_metadata(void)
{
    struct bytes b = with_metadata();
    zt_auto(weights) struct zt_weights *w = NULL;

    CHECK_INT("opens", open_bytes(&b, &w, NULL), ZT_OK);
    if (w)
        check_metadata(w);
    CHECK("not GGUF", zt_gguf_array(NULL, "x") == 0);
}

/* ---- writing ------------------------------------------------------------------------------- */

static void writes_what_it_reads(void)
{
    struct bytes b = with_metadata();
    const char *path = weight_path("written.gguf");
    struct zt_err err = { 0 };
    zt_auto(weights) struct zt_weights *from = NULL, *w = NULL;

    CHECK_INT("opens", open_bytes(&b, &from, NULL), ZT_OK);
    for (int round = 0; round < 2; round++) {
        zt_auto(gguf_writer) struct zt_gguf_writer *out = NULL;
        CHECK_INT("writer", zt_gguf_writer_new(path, round, &out, &err), ZT_OK);
        CHECK_INT("text", zt_gguf_put_text(out, "general.name", "x", &err), ZT_OK);
        CHECK_INT("all", zt_gguf_put_all(out, zt_weights_gguf(from), &err), ZT_OK);
        CHECK_INT("again", zt_gguf_put_int(out, "u8", 7, &err), ZT_OK);
        CHECK_INT("tensor", zt_gguf_put_tensor(out, "t", GGML_TYPE_I8, 1, (int64_t[]){ 24 }, &err),
                  ZT_OK);
        CHECK_INT(
            "tensor",
            zt_gguf_put_tensor(out, "p", GGML_TYPE_F16, 5, (int64_t[]){ 3, 1, 2, 1, 1 }, &err),
            ZT_OK);
        CHECK_INT("data", zt_gguf_write(out, "abcdefghijklmnopqrstuvwx0123", 28, &err), ZT_OK);
        CHECK("not there yet", round || access(path, F_OK) != 0);
        CHECK_INT("data", zt_gguf_write(out, "456789AB", 8, &err), ZT_OK);
        CHECK_INT("finish", zt_gguf_finish(out, &err), ZT_OK);
    }
    CHECK_INT("reads", zt_weights_open(path, &w, &err), ZT_OK);
    if (w == NULL)
        return;
    check_metadata(w);
    CHECK_STR("text", zt_weights_meta(w, "general.name"), "x");
    CHECK_INT("dimensions", zt_weights_find(w, "p")->n_dims, 5);
    CHECK("data", memcmp(zt_weights_find(w, "p")->data, "0123456789AB", 12) == 0);
    CHECK("data", memcmp(zt_weights_find(w, "t")->data, "abc", 3) == 0);
    zt_auto(gguf_writer) struct zt_gguf_writer *out = NULL;
    CHECK_INT("is there", zt_gguf_writer_new(path, false, &out, &err), ZT_E_CONFLICT);
}

static void leaves_nothing_when_given_up(void)
{
    char part[600];
    const char *path = weight_path("given-up.gguf");
    zt_auto(gguf_writer) struct zt_gguf_writer *out = NULL;

    CHECK_INT("writer", zt_gguf_writer_new(path, false, &out, NULL), ZT_OK);
    zt_assert(zt_format(part, sizeof(part), "%s.part-%ld", path, (long)getpid()));
    CHECK("temporary file", access(part, F_OK) == 0);
    zt_gguf_writer_free(out);
    out = NULL;
    CHECK("gone", access(part, F_OK) != 0 && access(path, F_OK) != 0);
}

/* ---- conversion ---------------------------------------------------------------------------- */

static const struct zt_param_alias aliases[] = { { "m.", "other." }, { NULL, NULL } };
static const struct zt_param_names names = { aliases, NULL };
static const char *const keep[] = { "keep", NULL };

/*
 * other.weight [2,256] BF16, bias [256] F16, narrow [4,10] F32, keep [2,2] F16,
 * f8.weight [1,256] F8 with a scale of 0.5, raw [3] U8, and a marker of no elements.
 */
static const char *const source_header =
    "{\"other.weight\":{\"dtype\":\"BF16\",\"shape\":[2,256],\"data_offsets\":[0,1024]},"
    "\"bias\":{\"dtype\":\"F16\",\"shape\":[256],\"data_offsets\":[1024,1536]},"
    "\"narrow\":{\"dtype\":\"F32\",\"shape\":[4,10],\"data_offsets\":[1536,1696]},"
    "\"keep\":{\"dtype\":\"F16\",\"shape\":[2,2],\"data_offsets\":[1696,1704]},"
    "\"f8.weight\":{\"dtype\":\"F8_E4M3\",\"shape\":[2,256],\"data_offsets\":[1704,2216]},"
    "\"f8.weight_scale\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[2216,2220]},"
    "\"raw\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[2220,2223]},"
    "\"scaled_fp8\":{\"dtype\":\"F8_E4M3\",\"shape\":[0],\"data_offsets\":[2223,2223]},"
    "\"__metadata__\":{\"format\":\"pt\"}}";

static struct bytes source(float narrow)
{
    uint8_t data[2223] = { 0 };
    static const float half = 0.5F;

    for (int i = 0; i < 512; i++) {
        ggml_bf16_t v = ggml_fp32_to_bf16(sinf((float)i * 0.1F));
        memcpy(data + (size_t)i * 2, &v, 2);
    }
    for (int i = 0; i < 40; i++)
        memcpy(data + 1536 + (size_t)i * 4, &narrow, 4);
    for (int i = 0; i < 512; i++)
        data[1704 + i] = (uint8_t)(0x30 + i % 16);
    memcpy(data + 2216, &half, 4);
    memcpy(data + 2220, "xyz", 3);
    return safetensors(source_header, data, sizeof(data));
}

static struct zt_weights *converted(enum ggml_type type, float narrow, int threads)
{
    struct bytes b = source(narrow);
    struct zt_err err = { 0 };
    struct zt_weights *w = NULL;
    zt_auto(weights) struct zt_weights *from = NULL;
    struct zt_quantise job = { .names = &names,
                               .architecture = "wan",
                               .type = type,
                               .keep = keep,
                               .replace = true,
                               .threads = threads };

    CHECK_INT("source", zt_weights_open(write_bytes("q.safetensors", &b), &from, &err), ZT_OK);
    job.weights = from;
    job.path = weight_path("q.gguf");
    CHECK_INT("converts", zt_quantise(&job, NULL, NULL, &err), ZT_OK);
    CHECK_STR("converts", err.msg, "");
    CHECK_INT("reads", zt_weights_open(job.path, &w, &err), ZT_OK);
    return w;
}

/* The bound is half a step of each type for values up to 1 (4 bits: with K-quants' small scales). */
static const struct {
    const char *word;
    double bound;
} types[] = {
    { "f32", 1e-9 },  { "f16", 5e-4 }, { "bf16", 1e-9 }, { "q8_0", 4.1e-3 },
    { "q4_0", 0.13 }, { "q4_k", 0.1 }, { "q5_k", 0.05 }, { "q6_k", 0.03 },
};

static void converts_to_every_type(void)
{
    for (size_t i = 0; i < ZT_COUNT(types); i++) {
        enum ggml_type type = zt_quantise_type(types[i].word);
        float got[512];
        double worst = 0;
        zt_auto(weights) struct zt_weights *w = converted(type, 1.0F, 2);
        if (w == NULL)
            continue;
        CHECK_STR("architecture", zt_weights_meta(w, "general.architecture"), "wan");
        CHECK_STR("metadata", zt_weights_meta(w, "safetensors.format"), "pt");
        CHECK_INT("tensors", zt_weights_count(w), 6);
        const struct zt_weight *m = zt_weights_find(w, "m.weight");
        CHECK("canonical name", m != NULL);
        if (m == NULL)
            continue;
        CHECK_INT(types[i].word, m->type, type);
        CHECK_INT(types[i].word, zt_weight_to_f32(m, 0, 512, got, NULL), ZT_OK);
        for (int k = 0; k < 512; k++) {
            float want = ggml_bf16_to_fp32(ggml_fp32_to_bf16(sinf((float)k * 0.1F)));
            worst = fmax(worst, fabs((double)got[k] - (double)want));
        }
        CHECK_BELOW(types[i].word, worst, types[i].bound);
        CHECK_INT("bias", zt_weights_find(w, "bias")->type, GGML_TYPE_F32);
        CHECK_INT("kept", zt_weights_find(w, "keep")->type, GGML_TYPE_F32);
        CHECK_INT("rows of 10", zt_weights_find(w, "narrow")->type,
                  ggml_is_quantized(type) ? GGML_TYPE_F16 : type);
        CHECK("bytes", memcmp(zt_weights_find(w, "raw")->data, "xyz", 3) == 0);
        CHECK_INT("scaled", zt_weight_to_f32(zt_weights_find(w, "f8.weight"), 8, 1, got, NULL),
                  ZT_OK);
        CHECK_NEAR("1 times 0.5", got[0], 0.5, 0.05);
    }
    CHECK_INT("no such word", zt_quantise_type("q3"), GGML_TYPE_COUNT);
}

static void keeps_what_f16_cannot_hold(void)
{
    zt_auto(weights) struct zt_weights *w = converted(GGML_TYPE_Q8_0, 1e6F, 1);

    if (w)
        CHECK_INT("narrow", zt_weights_find(w, "narrow")->type, GGML_TYPE_F32);
}

static void refuses_what_is_not_finite(void)
{
    struct bytes b = source(NAN);
    struct zt_err err = { 0 };
    zt_auto(weights) struct zt_weights *from = NULL;
    struct zt_quantise job = { .architecture = "wan", .type = GGML_TYPE_Q8_0, .threads = 1 };

    CHECK_INT("source", zt_weights_open(write_bytes("n.safetensors", &b), &from, &err), ZT_OK);
    job.weights = from;
    job.path = weight_path("n.gguf");
    CHECK_INT("refuses", zt_quantise(&job, NULL, NULL, &err), ZT_E_CORRUPT);
    CHECK_HAS("names it", err.msg, "'narrow'");
    CHECK("leaves nothing", access(job.path, F_OK) != 0);
    CHECK_INT("scan", zt_weights_scan(from, 2, NULL, NULL, &err), ZT_E_CORRUPT);
    CHECK_HAS("counts", err.msg, "1 tensor with NaN or infinity: 'narrow' (40 of 40)");
}

static void does_not_depend_on_threads(void)
{
    zt_auto(weights) struct zt_weights *one = converted(GGML_TYPE_Q4_K, 1.0F, 1);
    zt_auto(weights) struct zt_weights *three = converted(GGML_TYPE_Q4_K, 1.0F, 3);
    const struct zt_weight *a = one ? zt_weights_find(one, "m.weight") : NULL;
    const struct zt_weight *b = three ? zt_weights_find(three, "m.weight") : NULL;

    CHECK("same bytes", a && b && a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0);
    if (one)
        CHECK_INT("scan", zt_weights_scan(one, 2, NULL, NULL, NULL), ZT_OK);
}

int main(void)
{
    RUN(lists_what_a_file_holds);
    RUN(says_what_is_wrong_with_a_file);
    RUN(takes_no_file_cut_anywhere);
    RUN(reads_metadata);
    RUN(writes_what_it_reads);
    RUN(leaves_nothing_when_given_up);
    RUN(converts_to_every_type);
    RUN(keeps_what_f16_cannot_hold);
    RUN(refuses_what_is_not_finite);
    RUN(does_not_depend_on_threads);
    return check_done();
}
