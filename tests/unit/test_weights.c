/* Weight files: safetensors, shards, folders, values of all types, and what is wrong with files. */
#include "tensor/weights.h"

#include <sys/stat.h>

#include "weight_files.h"

#define F32_2 "\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":"

/* ---- one file ------------------------------------------------------------------------------ */

static void lists_what_a_file_holds(void)
{
    struct bytes b =
        safetensors("{\"__metadata__\":{\"format\":\"pt\",\"n\":\"7\"},"
                    "\"b\":{\"dtype\":\"BF16\",\"shape\":[3,2],\"data_offsets\":[8,20]},"
                    "\"a\":{" F32_2 "[0,8]},"
                    "\"s\":{\"dtype\":\"F16\",\"shape\":[],\"data_offsets\":[20,22]},"
                    "\"p\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[22,27]},"
                    "\"e\":{\"dtype\":\"F8_E4M3\",\"shape\":[0],"
                    "\"data_offsets\":[27,27]},"
                    "\"d\":{\"dtype\":\"I8\",\"shape\":[1,2,3,1,2],"
                    "\"data_offsets\":[27,39]}}  ",
                    NULL, 39);
    struct zt_err err = { 0 };
    zt_auto(weights) struct zt_weights *w = NULL;

    CHECK_INT("opens", zt_weights_open(write_bytes("one.safetensors", &b), &w, &err), ZT_OK);
    if (w == NULL)
        return;
    CHECK_STR("format", zt_weights_format(w), "safetensors");
    CHECK_INT("all", zt_weights_count(w), 6);
    CHECK_STR("sorted", zt_weights_at(w, 0)->name, "a");
    CHECK_STR("sorted", zt_weights_at(w, 5)->name, "s");
    CHECK_STR("metadata", zt_weights_meta(w, "n"), "7");
    CHECK("no such key", zt_weights_meta(w, "x") == NULL);
    CHECK("no such tensor", zt_weights_find(w, "c") == NULL);

    const struct zt_weight *t = zt_weights_find(w, "b");
    CHECK_INT("type", t->type, GGML_TYPE_BF16);
    CHECK_INT("fastest first", t->ne[0], 2);
    CHECK_INT("then", t->ne[1], 3);
    CHECK_INT("then 1", t->ne[2], 1);
    CHECK_INT("elements", t->elements, 6);
    CHECK_INT("bytes", t->bytes, 12);
    CHECK_INT("data", *(const uint8_t *)t->data, 8);
    CHECK_STR("file", t->file, "one.safetensors");
    CHECK_INT("scalar", zt_weights_find(w, "s")->elements, 1);
    CHECK_INT("scalar", zt_weights_find(w, "s")->n_dims, 0);
    CHECK_INT("five dimensions", zt_weights_find(w, "d")->n_dims, 5);
    CHECK_INT("no type of ggml's", zt_weights_find(w, "p")->type, GGML_TYPE_COUNT);
    CHECK_STR("its own type", zt_weights_find(w, "p")->raw_type, "U8");
    zt_weights_rest(w);
    CHECK_INT("readable at rest", *(const uint8_t *)t->data, 8);
}

/* The header's text, or where that is NULL a whole file's bytes. */
static const struct {
    const char *label, *header, *file;
    size_t file_n, data_n;
    enum zt_code code;
    const char *says;
} broken[] = {
    { "empty", NULL, "", 0, 0, ZT_E_CORRUPT, "empty" },
    { "seven bytes", NULL, "\2\0\0\0\0\0\0", 7, 0, ZT_E_CORRUPT, "cut short" },
    { "header past the end", NULL, "\x20\0\0\0\0\0\0\0{}", 10, 0, ZT_E_CORRUPT, "cut short" },
    { "huge length", NULL, "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10, 0, ZT_E_CORRUPT, "cut short" },
    { "not JSON", "{\"a\":", NULL, 0, 0, ZT_E_CORRUPT, "header" },
    { "a list", "[]", NULL, 0, 0, ZT_E_CORRUPT, "not a JSON object" },
    { "nothing in it", "{}", NULL, 0, 0, ZT_E_CORRUPT, "no tensors" },
    { "nested", "{\"a\":[[[[[[[[[[[[1]]]]]]]]]]]]}", NULL, 0, 0, ZT_E_LIMIT, "nested" },
    { "entry not an object", "{\"a\":1}", NULL, 0, 0, ZT_E_CORRUPT, "'a'" },
    { "no dtype", "{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", NULL, 0, 8, ZT_E_CORRUPT,
      "no dtype" },
    { "unknown dtype", "{\"a\":{\"dtype\":\"Q9\",\"shape\":[2],\"data_offsets\":[0,8]}}", NULL, 0,
      8, ZT_E_UNSUPPORTED, "Q9" },
    { "no shape", "{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", NULL, 0, 8, ZT_E_CORRUPT,
      "no shape" },
    { "negative", "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", NULL, 0, 8,
      ZT_E_CORRUPT, "whole numbers" },
    { "not whole", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", NULL, 0, 8,
      ZT_E_CORRUPT, "whole numbers" },
    { "overflow",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", NULL,
      0, 8, ZT_E_CORRUPT, "too large" },
    { "overflow in bytes",
      "{\"a\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,0]}}", NULL, 0,
      8, ZT_E_CORRUPT, "too large" },
    { "six dimensions", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1],\"data_offsets\":[0,1]}}",
      NULL, 0, 8, ZT_E_UNSUPPORTED, "6 dimensions" },
    { "no offsets", "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", NULL, 0, 8, ZT_E_CORRUPT,
      "data_offsets" },
    { "one offset", "{\"a\":{" F32_2 "[8]}}", NULL, 0, 8, ZT_E_CORRUPT, "data_offsets" },
    { "past the end", "{\"a\":{" F32_2 "[1,9]}}", NULL, 0, 8, ZT_E_CORRUPT, "cut short" },
    { "backwards", "{\"a\":{" F32_2 "[8,0]}}", NULL, 0, 8, ZT_E_CORRUPT, "8 ... 0" },
    { "negative offset", "{\"a\":{" F32_2 "[-8,0]}}", NULL, 0, 8, ZT_E_CORRUPT, "-8 ... 0" },
    { "offset past 64 bits", "{\"a\":{" F32_2 "[0,18446744073709551616]}}", NULL, 0, 8,
      ZT_E_CORRUPT, "header" },
    { "wrong size", "{\"a\":{" F32_2 "[0,7]}}", NULL, 0, 8, ZT_E_CORRUPT, "make 8" },
    { "overlap", "{\"a\":{" F32_2 "[0,8]},\"b\":{" F32_2 "[4,12]}}", NULL, 0, 12, ZT_E_CORRUPT,
      "overlap" },
    { "the same bytes", "{\"a\":{" F32_2 "[0,8]},\"b\":{" F32_2 "[0,8]}}", NULL, 0, 12,
      ZT_E_CORRUPT, "overlap" },
    { "twice", "{\"a\":{" F32_2 "[0,8]},\"a\":{" F32_2 "[8,16]}}", NULL, 0, 16, ZT_E_CORRUPT,
      "duplicate" },
    { "no name", "{\"\":{" F32_2 "[0,8]}}", NULL, 0, 8, ZT_E_CORRUPT, "no name" },
    { "zip", NULL, "PK\3\4aaaaaaaaaaaa", 16, 0, ZT_E_UNSUPPORTED, "pickle" },
    { "pickle", NULL, "\x80\2\x8a\naaaaaaaaaaaa", 16, 0, ZT_E_UNSUPPORTED, "pickle" },
    { "LFS", NULL, "version https://git-lfs.github.com/spec/v1\n", 43, 0, ZT_E_UNSUPPORTED, "LFS" },
    { "page", NULL, "<!DOCTYPE html><html>", 21, 0, ZT_E_UNSUPPORTED, "web page" },
};

static void says_what_is_wrong_with_a_file(void)
{
    for (size_t i = 0; i < ZT_COUNT(broken); i++) {
        struct bytes b = { .n = 0 };
        struct zt_err err = { 0 };
        zt_auto(weights) struct zt_weights *w = NULL;
        if (broken[i].header)
            b = safetensors(broken[i].header, NULL, broken[i].data_n);
        else
            put(&b, broken[i].file, broken[i].file_n);
        const char *path = write_bytes("broken.safetensors", &b);
        CHECK_INT(broken[i].label, zt_weights_open(path, &w, &err), broken[i].code);
        CHECK_INT(broken[i].label, err.code, broken[i].code);
        CHECK_HAS(broken[i].label, err.msg, broken[i].says);
        CHECK(broken[i].label, w == NULL);
    }
}

static void takes_no_header_cut_anywhere(void)
{
    struct bytes b = safetensors("{\"a\":{" F32_2 "[0,8]},\"b\":{" F32_2 "[8,16]}}", NULL, 16);

    for (size_t n = 0; n < b.n; n++) {
        struct bytes cut = b;
        zt_auto(weights) struct zt_weights *w = NULL;
        cut.n = n;
        enum zt_code rc = zt_weights_open(write_bytes("cut.safetensors", &cut), &w, NULL);
        CHECK_INT("cut", rc, ZT_E_CORRUPT);
    }
}

static void says_what_it_looked_for(void)
{
    struct zt_err err = { 0 };
    zt_auto(weights) struct zt_weights *w = NULL;

    CHECK_INT("no file", zt_weights_open(weight_path("none"), &w, &err), ZT_E_NOT_FOUND);
    CHECK_HAS("no file", err.msg, "none");
    CHECK_INT("other text", zt_weights_open(write_text("x.txt", "some words of text"), &w, &err),
              ZT_E_UNSUPPORTED);
    CHECK_HAS("other text", err.msg, "neither safetensors nor GGUF");
    CHECK_INT("a device", zt_weights_open("/dev/null", &w, &err), ZT_E_INVALID);
}

/* ---- shards and folders -------------------------------------------------------------------- */

static void make_folder(const char *name)
{
    (void)mkdir(weight_path(name), 0700);
}

static void write_shards(const char *folder, const char *index)
{
    char path[128];
    struct bytes a = safetensors("{\"a\":{" F32_2 "[0,8]},\"x\":{" F32_2 "[8,16]}}", NULL, 16);
    struct bytes b = safetensors("{\"b\":{" F32_2 "[0,8]}}", NULL, 8);

    make_folder(folder);
    zt_assert(zt_format(path, sizeof(path), "%s/m-1.safetensors", folder));
    write_bytes(path, &a);
    zt_assert(zt_format(path, sizeof(path), "%s/m-2.safetensors", folder));
    write_bytes(path, &b);
    zt_assert(zt_format(path, sizeof(path), "%s/m.safetensors.index.json", folder));
    write_text(path, index);
}

#define MAP(entries) "{\"metadata\":{\"total_size\":9},\"weight_map\":{" entries "}}"

static const struct {
    const char *label, *index;
    enum zt_code code;
    const char *says;
} indexes[] = {
    { "all", MAP("\"a\":\"m-1.safetensors\",\"b\":\"m-2.safetensors\",\"x\":\"m-1.safetensors\""),
      ZT_OK, "" },
    { "not in its shard", MAP("\"a\":\"m-2.safetensors\",\"b\":\"m-2.safetensors\""), ZT_E_CORRUPT,
      "'a' is not in m-2" },
    { "in none", MAP("\"a\":\"m-1.safetensors\",\"q\":\"m-2.safetensors\""), ZT_E_CORRUPT, "'q'" },
    { "no shard", MAP("\"a\":\"m-3.safetensors\""), ZT_E_NOT_FOUND, "m-3.safetensors" },
    { "above", MAP("\"a\":\"../m-1.safetensors\""), ZT_E_CORRUPT, "not in its folder" },
    { "absolute", MAP("\"a\":\"/etc/passwd\""), ZT_E_CORRUPT, "not in its folder" },
    { "dots", MAP("\"a\":\"..\""), ZT_E_CORRUPT, "not in its folder" },
    { "empty name", MAP("\"a\":\"\""), ZT_E_CORRUPT, "not in its folder" },
    { "itself", MAP("\"a\":\"m.safetensors.index.json\""), ZT_E_UNSUPPORTED, "neither" },
    { "a number", MAP("\"a\":1"), ZT_E_CORRUPT, "no file for" },
    { "empty map", MAP(""), ZT_E_CORRUPT, "weight_map" },
    { "no map", "{}", ZT_E_CORRUPT, "weight_map" },
    { "not JSON", "{", ZT_E_CORRUPT, "not JSON" },
};

static void reads_shards_by_their_index(void)
{
    for (size_t i = 0; i < ZT_COUNT(indexes); i++) {
        write_shards("shards", indexes[i].index);
        for (int whole = 0; whole < 2; whole++) {
            struct zt_err err = { 0 };
            zt_auto(weights) struct zt_weights *w = NULL;
            const char *path = weight_path(whole ? "shards" : "shards/m.safetensors.index.json");
            CHECK_INT(indexes[i].label, zt_weights_open(path, &w, &err), indexes[i].code);
            CHECK_HAS(indexes[i].label, err.msg, indexes[i].says);
            if (w)
                CHECK_INT(indexes[i].label, zt_weights_count(w), 3);
        }
    }
}

static void leaves_out_what_the_index_does_not_name(void)
{
    zt_auto(weights) struct zt_weights *w = NULL;

    write_shards("some", MAP("\"a\":\"m-1.safetensors\""));
    CHECK_INT("opens", zt_weights_open(weight_path("some"), &w, NULL), ZT_OK);
    if (w)
        CHECK_INT("one", zt_weights_count(w), 1);
}

static void reads_a_folder_without_an_index(void)
{
    struct bytes a = safetensors("{\"a\":{" F32_2 "[0,8]}}", NULL, 8);
    struct bytes b = safetensors("{\"b\":{" F32_2 "[0,8]}}", NULL, 8);
    struct zt_err err = { 0 };
    zt_auto(weights) struct zt_weights *w = NULL, *none = NULL;

    make_folder("two");
    CHECK_INT("nothing", zt_weights_open(weight_path("two"), &none, &err), ZT_E_NOT_FOUND);
    CHECK_HAS("nothing", err.msg, "*.safetensors");
    write_text("two/w.pth", "x");
    CHECK_INT("a pickle", zt_weights_open(weight_path("two"), &none, &err), ZT_E_NOT_FOUND);
    CHECK_HAS("a pickle", err.msg, "pickles are not read");
    write_bytes("two/a.safetensors", &a);
    write_bytes("two/b.safetensors", &b);
    CHECK_INT("opens", zt_weights_open(weight_path("two"), &w, &err), ZT_OK);
    if (w)
        CHECK_INT("both", zt_weights_count(w), 2);
    write_bytes("two/c.safetensors", &a);
    CHECK_INT("clash", zt_weights_open(weight_path("two"), &none, &err), ZT_E_CORRUPT);
    CHECK_HAS("clash", err.msg, "a.safetensors and c.safetensors");
    write_text("two/1.safetensors.index.json", "{}");
    write_text("two/2.safetensors.index.json", "{}");
    CHECK_INT("two indexes", zt_weights_open(weight_path("two"), &none, &err), ZT_E_INVALID);
}

/* ---- values -------------------------------------------------------------------------------- */

static const struct {
    const char *dtype;
    const char *bytes;
    size_t n;
    float value[2];
} values[] = {
    { "F64", "\0\0\0\0\0\0\xf8\x3f\0\0\0\0\0\0\0\xc0", 16, { 1.5F, -2.0F } },
    { "F32", "\0\0\xc0\x3f\0\0\0\xc0", 8, { 1.5F, -2.0F } },
    { "F16", "\0\x3e\0\xc0", 4, { 1.5F, -2.0F } },
    { "BF16", "\xc0\x3f\0\xc0", 4, { 1.5F, -2.0F } },
    { "F8_E4M3", "\x3c\xc0", 2, { 1.5F, -2.0F } },
    { "F8_E4M3", "\x7e\x01", 2, { 448.0F, 0.001953125F } },
    { "F8_E5M2", "\x3e\xc0", 2, { 1.5F, -2.0F } },
    { "F8_E5M2", "\x7b\x01", 2, { 57344.0F, 1.52587890625e-5F } },
    { "I64", "\3\0\0\0\0\0\0\0\xff\xff\xff\xff\xff\xff\xff\xff", 16, { 3, -1 } },
    { "I32", "\3\0\0\0\xff\xff\xff\xff", 8, { 3, -1 } },
    { "I16", "\3\0\xff\xff", 4, { 3, -1 } },
    { "I8", "\3\xff", 2, { 3, -1 } },
    { "U8", "\3\xff", 2, { 3, 255 } },
    { "BOOL", "\0\1", 2, { 0, 1 } },
};

/* The odd length before it puts every value at an odd address. */
static void reads_values_of_all_types(void)
{
    for (size_t i = 0; i < ZT_COUNT(values); i++) {
        char header[256];
        uint8_t data[17] = { 0 };
        float got[2] = { 0 };
        zt_auto(weights) struct zt_weights *w = NULL;
        memcpy(data + 1, values[i].bytes, values[i].n);
        zt_assert(zt_format(header, sizeof(header),
                            "{\"v\":{\"dtype\":\"%s\",\"shape\":[2],"
                            "\"data_offsets\":[1,%zu]}}",
                            values[i].dtype, values[i].n + 1));
        struct bytes b = safetensors(header, data, values[i].n + 1);
        CHECK_INT(values[i].dtype, zt_weights_open(write_bytes("v.safetensors", &b), &w, NULL),
                  ZT_OK);
        if (w == NULL)
            continue;
        const struct zt_weight *t = zt_weights_find(w, "v");
        CHECK_INT(values[i].dtype, zt_weight_to_f32(t, 0, 2, got, NULL), ZT_OK);
        CHECK_NEAR(values[i].dtype, got[0], values[i].value[0], 0);
        CHECK_NEAR(values[i].dtype, got[1], values[i].value[1], 0);
        CHECK_INT(values[i].dtype, zt_weight_to_f32(t, 1, 1, got, NULL), ZT_OK);
        CHECK_NEAR(values[i].dtype, got[0], values[i].value[1], 0);
    }
}

int main(void)
{
    RUN(lists_what_a_file_holds);
    RUN(says_what_is_wrong_with_a_file);
    RUN(takes_no_header_cut_anywhere);
    RUN(says_what_it_looked_for);
    RUN(reads_shards_by_their_index);
    RUN(leaves_out_what_the_index_does_not_name);
    RUN(reads_a_folder_without_an_index);
    RUN(reads_values_of_all_types);
    return check_done();
}
