/* From weights to a model's parameters: names, checks reported together, conversion, mapping. */
#include "tensor/params.h"

#include <ggml-backend.h>

#include "tensor/device.h"
#include "tensor/w8a8.h"
#include "tensor/weights.h"
#include "weight_files.h"

static struct zt_device *device;

static struct zt_weights *open_file(const char *header, const void *data, size_t n)
{
    struct bytes b = safetensors(header, data, n);
    struct zt_weights *w = NULL;
    struct zt_err err = { 0 };

    CHECK_INT("opens", zt_weights_open(write_bytes("p.safetensors", &b), &w, &err), ZT_OK);
    CHECK_STR("opens", err.msg, "");
    return w;
}

/* ---- names --------------------------------------------------------------------------------- */

static const struct zt_param_alias aliases[] = {
    { "blocks.#.attn.q.", "layer.#.to_q." },
    { "enc.#.down.#.conv.", "e.stage.#.block.#.c." },
    { "head.", "proj_out." },
    { NULL, NULL },
};
static const char *const prefixes[] = { "model.", NULL };
static const struct zt_param_names names = { aliases, prefixes };

static const struct {
    const char *file, *canonical;
} named[] = {
    { "head.bias", "head.bias" },
    { "proj_out.bias", "head.bias" },
    { "model.proj_out.bias", "head.bias" },
    { "layer.12.to_q.weight", "blocks.12.attn.q.weight" },
    { "model.blocks.12.attn.q.weight", "blocks.12.attn.q.weight" },
    { "e.stage.3.block.10.c.weight", "enc.3.down.10.conv.weight" },
    { "e.stage.x.block.10.c.weight", "e.stage.x.block.10.c.weight" },
    { "other", "other" },
};

static void finds_a_parameter_under_any_name(void)
{
    for (size_t i = 0; i < ZT_COUNT(named); i++) {
        char header[256], name[128];
        zt_assert(zt_format(header, sizeof(header),
                            "{\"%s\":{\"dtype\":\"U8\",\"shape\":[1],"
                            "\"data_offsets\":[0,1]}}",
                            named[i].file));
        zt_auto(weights) struct zt_weights *w = open_file(header, NULL, 1);
        CHECK(named[i].file, w && zt_params_find(w, &names, named[i].canonical) != NULL);
        CHECK(named[i].file, w && zt_params_find(w, &names, "blocks.1.attn.q.weight") == NULL);
        CHECK(named[i].file, zt_params_canonical(&names, named[i].file, name, sizeof(name)));
        CHECK_STR(named[i].file, name, named[i].canonical);
        CHECK(named[i].file, !zt_params_canonical(&names, named[i].file, name, 4));
    }
}

/* ---- checks -------------------------------------------------------------------------------- */

#define T(name, dtype, shape, from, to)                                                            \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" from "," to "]" \
    "}"

static struct ggml_tensor *slot[4];

static void tells_all_problems_together(void)
{
    const struct zt_param params[] = {
        { "a", ZT_PARAM_MATRIX, { 2, 3, 1, 1 }, 0, false, &slot[0] },
        { "b", ZT_PARAM_F32, { 4, 1, 1, 1 }, 0, false, &slot[1] },
        { "c", ZT_PARAM_F32, { 4, 1, 1, 1 }, 0, true, &slot[2] },
        { "d", ZT_PARAM_F32, { 4, 1, 1, 1 }, 0, false, &slot[3] },
    };
    struct zt_err err = { 0 };
    zt_auto(weights) struct zt_weights *w = open_file(
        "{" T("a", "F32", "[2,3]", "0", "24") "," T("d", "U8", "[4]", "24", "28") "}", NULL, 28);

    CHECK_INT("code", zt_params_check(w, "DiT", params, 4, NULL, &err), ZT_E_CORRUPT);
    CHECK_STR("all", err.msg,
              "DiT: 3 problems: 'a' is [2, 3], not [3, 2]; no 'b'; 'd' is U8, not floats");
    CHECK_INT("type alone", zt_params_check(w, "DiT", params + 3, 1, NULL, &err), ZT_E_UNSUPPORTED);
    CHECK_INT("none of them", zt_params_check(w, "DiT", params + 1, 2, NULL, &err), ZT_E_CORRUPT);
    CHECK_HAS("one", err.msg, "no 'b'");
}

static void counts_what_does_not_fit_into_the_message(void)
{
    struct zt_param params[600];
    char name[600][48];
    struct zt_err err = { 0 };
    zt_auto(weights) struct zt_weights *w =
        open_file("{" T("x", "F32", "[1]", "0", "4") "}", NULL, 4);

    for (int i = 0; i < 600; i++) {
        zt_assert(zt_format(name[i], sizeof(name[i]), "blocks.%d.self_attn.q.weight", i));
        params[i] = (struct zt_param){ i ? name[i] : "x", ZT_PARAM_F32, { 1, 1, 1, 1 }, 0, false,
                                       &slot[0] };
    }
    CHECK_INT("code", zt_params_check(w, "DiT", params, 600, NULL, &err), ZT_E_CORRUPT);
    CHECK_HAS("count", err.msg, "DiT: 599 problems: no 'blocks.1.self_attn.q.weight'; no");
    CHECK_HAS("goes on", err.msg, "; ...");
    CHECK_HAS("detail", err.detail, "no 'blocks.");
    CHECK_INT("another model", zt_params_check(w, "DiT", params + 1, 599, NULL, &err),
              ZT_E_CORRUPT);
    CHECK_HAS("another model", err.msg, "another model's file");
}

static const struct {
    const char *label, *shape;
    int64_t ne[4];
    int fold;
    bool fits;
} shapes[] = {
    { "same", "[3,4]", { 4, 3, 1, 1 }, 0, true },
    { "turned", "[4,3]", { 4, 3, 1, 1 }, 0, false },
    { "ones left out", "[1,3,1,4]", { 4, 3, 1, 1 }, 0, true },
    { "ones wanted", "[3,4]", { 4, 1, 1, 3 }, 0, true },
    { "flat", "[12]", { 4, 3, 1, 1 }, 0, false },
    { "not folded", "[3,2,2]", { 4, 3, 1, 1 }, 0, false },
    { "folded", "[3,2,2]", { 4, 3, 1, 1 }, 2, true },
    { "five to two", "[3,2,1,2,1]", { 4, 3, 1, 1 }, 4, true },
    { "folded too far", "[3,2,2]", { 4, 3, 1, 1 }, 3, true },
    { "folded by the file", "[3,4]", { 4, 3, 1, 1 }, 4, true },
    { "other elements", "[2,6]", { 4, 3, 1, 1 }, 2, false },
};

static void compares_shapes(void)
{
    for (size_t i = 0; i < ZT_COUNT(shapes); i++) {
        char header[128];
        struct zt_param p = {
            .name = "a", .kind = ZT_PARAM_F32, .fold = shapes[i].fold, .slot = &slot[0]
        };
        memcpy(p.ne, shapes[i].ne, sizeof(p.ne));
        zt_assert(zt_format(header, sizeof(header),
                            "{\"a\":{\"dtype\":\"F32\",\"shape\":%s,"
                            "\"data_offsets\":[0,48]}}",
                            shapes[i].shape));
        zt_auto(weights) struct zt_weights *w = open_file(header, NULL, 48);
        CHECK_INT(shapes[i].label, w && zt_params_check(w, "x", &p, 1, NULL, NULL) == ZT_OK,
                  shapes[i].fits);
    }
}

/* ---- loading ------------------------------------------------------------------------------- */

static float first_value(const struct ggml_tensor *t)
{
    uint8_t bytes[8];

    ggml_backend_tensor_get(t, bytes, 0, ggml_type_size(t->type));
    if (t->type == GGML_TYPE_F16)
        return ggml_fp16_to_fp32((ggml_fp16_t)(bytes[0] | bytes[1] << 8));
    float v;
    uint8_t wide[4] = { 0, 0, bytes[0], bytes[1] };
    memcpy(&v, t->type == GGML_TYPE_BF16 ? wide : bytes, sizeof(v));
    return v;
}

/* One number, 1.5 unless said otherwise, at byte 8 of the data; a scale of 0.5 may lie beside it. */
static const struct {
    const char *label, *header;
    enum zt_param_kind kind;
    const char *bytes;
    size_t n;
    enum ggml_type type;
    float value;
    bool maps;
} kinds[] = {
    { "f32 matrix", T("a.weight", "F32", "[1]", "8", "12"), ZT_PARAM_MATRIX, "\0\0\xc0\x3f", 4,
      GGML_TYPE_F32, 1.5F, true },
    { "bf16 matrix", T("a.weight", "BF16", "[1]", "8", "10"), ZT_PARAM_MATRIX, "\xc0\x3f", 2,
      GGML_TYPE_BF16, 1.5F, true },
    { "f64 matrix", T("a.weight", "F64", "[1]", "8", "16"), ZT_PARAM_MATRIX, "\0\0\0\0\0\0\xf8\x3f",
      8, GGML_TYPE_F32, 1.5F, false },
    { "f8 matrix", T("a.weight", "F8_E4M3", "[1]", "8", "9"), ZT_PARAM_MATRIX, "\x3c", 1,
      GGML_TYPE_BF16, 1.5F, false },
    { "f8 and scale",
      T("a.weight", "F8_E4M3", "[1]", "8", "9") "," T("a.scale_weight", "F32", "[]", "0", "4"),
      ZT_PARAM_MATRIX, "\x3c", 1, GGML_TYPE_BF16, 0.75F, false },
    { "f8 and newer scale",
      T("a.weight", "F8_E4M3", "[1]", "8", "9") "," T("a.weight_scale", "F32", "[1]", "0", "4"),
      ZT_PARAM_F32, "\x3c", 1, GGML_TYPE_F32, 0.75F, false },
    { "f16 norm", T("a.weight", "F16", "[1]", "8", "10"), ZT_PARAM_F32, "\0\x3e", 2, GGML_TYPE_F32,
      1.5F, false },
    { "bf16 kernel", T("a.weight", "BF16", "[1]", "8", "10"), ZT_PARAM_F16, "\xc0\x3f", 2,
      GGML_TYPE_F16, 1.5F, false },
    { "bf16 kernel past f16", T("a.weight", "BF16", "[1]", "8", "10"), ZT_PARAM_F16, "\x80\x47", 2,
      GGML_TYPE_F32, 65536.0F, false },
    { "f32 kernel", T("a.weight", "F32", "[1]", "8", "12"), ZT_PARAM_F16, "\0\0\xc0\x3f", 4,
      GGML_TYPE_F32, 1.5F, true },
};

static void brings_values_in(void)
{
    for (size_t i = 0; i < ZT_COUNT(kinds); i++) {
        const struct zt_param p = {
            .name = "a.weight", .kind = kinds[i].kind, .ne = { 1, 1, 1, 1 }, .slot = &slot[0]
        };
        uint8_t data[16] = { 0, 0, 0, 0x3f };
        char header[512];
        struct zt_err err = { 0 };
        zt_auto(params) struct zt_params *loaded = NULL;
        size_t own = 0, mapped = 0;
        memcpy(data + 8, kinds[i].bytes, kinds[i].n);
        /* The header's length puts the data at a multiple of 8, as writers do. */
        zt_assert(zt_format(header, sizeof(header), "{%s%*s", kinds[i].header,
                            8 - (int)((strlen(kinds[i].header) + 1) % 8), "}"));
        zt_auto(weights) struct zt_weights *w = open_file(header, data, 8 + kinds[i].n);
        slot[0] = NULL;
        CHECK_INT(kinds[i].label,
                  zt_params_load(w, "x", &p, 1, NULL, device, NULL, NULL, &loaded, &err), ZT_OK);
        if (slot[0] == NULL)
            continue;
        bool maps = kinds[i].maps && zt_device_maps(device);
        size_t bytes = ggml_type_size(kinds[i].type);
        CHECK_INT(kinds[i].label, slot[0]->type, kinds[i].type);
        CHECK_NEAR(kinds[i].label, first_value(slot[0]), kinds[i].value, 0);
        CHECK_INT(kinds[i].label, zt_params_mapped_bytes(loaded), maps ? bytes : 0);
        CHECK_INT(kinds[i].label, zt_params_bytes(loaded), maps ? 0 : bytes);
        CHECK_INT(kinds[i].label, slot[0]->data == zt_weights_find(w, "a.weight")->data, maps);
        CHECK_INT(kinds[i].label,
                  zt_params_measure(w, "x", &p, 1, NULL, device, &own, &mapped, &err), ZT_OK);
        CHECK_INT(kinds[i].label, mapped, maps ? bytes : 0);
    }
}

static void refuses_a_scale_of_many(void)
{
    const struct zt_param p = { .name = "a.weight", .ne = { 2, 1, 1, 1 }, .slot = &slot[0] };
    struct zt_err err = { 0 };
    zt_auto(weights) struct zt_weights *w =
        open_file("{" T("a.weight", "F8_E4M3", "[2]", "0", "2") "," T("a.weight_scale", "F32",
                                                                      "[2]", "2", "10") "}",
                  NULL, 10);

    CHECK_INT("code", zt_params_check(w, "x", &p, 1, NULL, &err), ZT_E_UNSUPPORTED);
    CHECK_HAS("names it", err.msg, "'a.weight'");
}

/* An 8-bit float and its scale, rounded to 7 bits with one of its own. */
static void rounds_for_8_bit_products(void)
{
    const struct zt_param p = {
        .name = "a.weight", .kind = ZT_PARAM_W8A8, .ne = { 2, 1, 1, 1 }, .slot = &slot[0]
    };
    const char *why;
    bool there = zt_device_w8a8(device, &why) != NULL;
    struct zt_err err = { 0 };
    zt_auto(params) struct zt_params *loaded = NULL;
    size_t own = 0, mapped = 1;
    zt_auto(weights) struct zt_weights *w =
        open_file("{" T("a.weight", "F8_E4M3", "[1,2]", "4", "6") "," T("a.scale_weight", "F32",
                                                                        "[]", "0", "4") "}",
                  "\0\0\0\x3f\x3c\xb4", 6); /* 0.5; 1.5, -0.75 */

    CHECK_INT("code", zt_params_load(w, "x", &p, 1, NULL, device, NULL, NULL, &loaded, &err),
              there ? ZT_OK : ZT_E_UNSUPPORTED);
    if (!there) {
        CHECK_HAS("why", err.msg, why);
        return;
    }
    CHECK_INT("type", slot[0]->type, GGML_TYPE_I8);
    CHECK_INT("first", ((const int8_t *)slot[0]->data)[0], 64);
    CHECK_INT("second", ((const int8_t *)slot[0]->data)[1], -32);
    CHECK_NEAR("scale", zt_w8a8_scales(slot[0])[0], 0.75 / 64, 0);
    CHECK_INT("measured", zt_params_measure(w, "x", &p, 1, NULL, device, &own, &mapped, &err),
              ZT_OK);
    CHECK_INT("own", own, zt_params_bytes(loaded));
    CHECK_INT("mapped", mapped, 0);
}

static bool stops_at_once(void *user, size_t done, size_t all)
{
    *(int *)user += done <= all;
    return true;
}

static void can_be_stopped(void)
{
    const struct zt_param p = {
        .name = "a", .kind = ZT_PARAM_F32, .ne = { 2, 1, 1, 1 }, .slot = &slot[0]
    };
    int calls = 0;
    zt_auto(params) struct zt_params *loaded = NULL;
    zt_auto(weights) struct zt_weights *w =
        open_file("{" T("a", "F16", "[2]", "0", "4") "}", NULL, 4);

    slot[0] = NULL;
    CHECK_INT("code",
              zt_params_load(w, "x", &p, 1, NULL, device, stops_at_once, &calls, &loaded, NULL),
              ZT_E_CANCELLED);
    CHECK_INT("asked once", calls, 1);
    CHECK("no result", loaded == NULL && slot[0] == NULL);
}

int main(void)
{
    struct zt_err err = { 0 };

    if (zt_device_open(&(struct zt_device_options){ .name = "cpu", .threads = 1 }, &device, &err) !=
        ZT_OK) {
        printf("no device: %s\n", err.msg);
        return 1;
    }
    RUN(finds_a_parameter_under_any_name);
    RUN(tells_all_problems_together);
    RUN(counts_what_does_not_fit_into_the_message);
    RUN(compares_shapes);
    RUN(brings_values_in);
    RUN(refuses_a_scale_of_many);
    RUN(rounds_for_8_bit_products);
    RUN(can_be_stopped);
    zt_device_close(device);
    return check_done();
}
