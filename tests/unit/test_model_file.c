/* Weight files through zoetrope.h: what they are told to be, checked and converted as. */
#include <unistd.h>

#include "weight_files.h"

#define FIXTURE(name) ZT_FIXTURES "/wan/" name

/* ---- telling ------------------------------------------------------------------------------- */

/* A published model in outline: the tensors that tell it, of true sizes, one byte an element. */
static const struct {
    const char *model, *prefix, *q;
    int dim, in, blocks;
    bool image, place;
} outlines[] = {
    { "Wan2.2-TI2V-5B", "", "blocks.%d.self_attn.q.weight", 3072, 48, 30, false, false },
    { "Wan2.2-TI2V-5B", "", "blocks.%d.attn1.to_q.weight", 3072, 48, 30, false, false },
    { "Wan2.2-TI2V-5B", "model.diffusion_model.", "blocks.%d.self_attn.q.weight", 3072, 48, 30,
      false, false },
    { "Wan2.2-I2V-A14B", "", "blocks.%d.self_attn.q.weight", 5120, 36, 40, false, false },
    { "Wan2.1-I2V-14B", "", "blocks.%d.self_attn.q.weight", 5120, 36, 40, true, false },
    { "Wan2.1-FLF2V-14B", "", "blocks.%d.self_attn.q.weight", 5120, 36, 40, true, true },
    { "Wan2.1-T2V-14B or Wan2.2-T2V-A14B", "", "blocks.%d.self_attn.q.weight", 5120, 16, 40, false,
      false },
    { "Wan2.1-T2V-1.3B", "", "blocks.%d.self_attn.q.weight", 1536, 16, 30, false, false },
    { "", "", "blocks.%d.self_attn.q.weight", 1536, 16, 29, false, false },
};

static size_t add(char *dst, size_t size, const char *prefix, const char *name, size_t from,
                  size_t bytes)
{
    size_t at = strlen(dst);

    zt_assert(zt_format(dst + at, size - at,
                        "%s\"%s%s\":{\"dtype\":\"U8\",\"shape\":[%zu],\"data_offsets\":[%zu,%zu]}",
                        at > 1 ? "," : "", prefix, name, bytes, from, from + bytes));
    return from + bytes;
}

static const char *write_outline(size_t i)
{
    static char text[16384];
    char name[128];
    const char *prefix = outlines[i].prefix;
    size_t n = 0, dim = (size_t)outlines[i].dim;

    zt_assert(zt_format(text, sizeof(text), "{"));
    n = add(text, sizeof(text), prefix, "patch_embedding.weight", n,
            4 * dim * (size_t)outlines[i].in);
    n = add(text, sizeof(text), prefix, "patch_embedding.bias", n, dim);
    for (int b = 0; b < outlines[i].blocks; b++) {
        const char *rest = outlines[i].q + strlen("blocks.%d.");
        zt_assert(zt_format(name, sizeof(name), "blocks.%d.%s", b, rest));
        n = add(text, sizeof(text), prefix, name, n, 1);
    }
    if (outlines[i].image)
        n = add(text, sizeof(text), prefix, "img_emb.proj.0.weight", n, 1);
    if (outlines[i].place)
        n = add(text, sizeof(text), prefix, "img_emb.emb_pos", n, 1);
    zt_assert(zt_format(text + strlen(text), sizeof(text) - strlen(text), "}"));
    struct bytes b = { .n = 0 };
    put_int(&b, strlen(text), 8);
    const char *path = write_bytes("outline.safetensors", &b);
    FILE *f = fopen(path, "ab");
    zt_assert(f && fwrite(text, 1, strlen(text), f) == strlen(text) && fclose(f) == 0);
    zt_assert(truncate(path, (off_t)(8 + strlen(text) + n)) == 0);
    return path;
}

static void tells_published_models(void)
{
    for (size_t i = 0; i < ZT_COUNT(outlines); i++) {
        struct zt_model_file *m = NULL;
        struct zt_model_info info = { 0 };
        struct zt_err err = { 0 };
        CHECK_INT(outlines[i].model, zt_model_file_open(write_outline(i), &m, &err), ZT_OK);
        CHECK_STR(outlines[i].model, err.msg, "");
        if (m == NULL)
            continue;
        zt_model_file_info(m, &info);
        CHECK_STR(outlines[i].model, info.part, "dit");
        CHECK_STR(outlines[i].model, info.model, outlines[i].model);
        zt_model_file_close(m);
    }
}

/* Tiny models of the published layouts, made by tools/reference. */
static const struct {
    const char *path, *part, *model, *format, *type;
    int tensors;
    bool can_check;
} fixtures[] = {
    { FIXTURE("transformer"), "dit", "", "safetensors", "BF16", 69, true },
    { FIXTURE("text_encoder"), "text", "", "safetensors", "BF16", 22, true },
    { FIXTURE("vae"), "vae", "Wan2.2-VAE", "safetensors", "BF16", 196, true },
    { FIXTURE("ref/vae.safetensors"), "", "", "safetensors", "F32", 23, false },
};

static void tells_parts(void)
{
    for (size_t i = 0; i < ZT_COUNT(fixtures); i++) {
        struct zt_model_file *m = NULL;
        struct zt_model_info info = { 0 };
        struct zt_err err = { 0 };
        CHECK_INT(fixtures[i].path, zt_model_file_open(fixtures[i].path, &m, &err), ZT_OK);
        if (m == NULL)
            continue;
        zt_model_file_info(m, &info);
        CHECK_STR(fixtures[i].path, info.part, fixtures[i].part);
        CHECK_STR(fixtures[i].path, info.model, fixtures[i].model);
        CHECK_STR(fixtures[i].path, info.format, fixtures[i].format);
        CHECK_STR(fixtures[i].path, info.type, fixtures[i].type);
        CHECK_INT(fixtures[i].path, info.tensors, fixtures[i].tensors);
        CHECK_INT(fixtures[i].path, info.can_check, fixtures[i].can_check);
        CHECK_INT(fixtures[i].path, zt_model_file_check(m, &err),
                  fixtures[i].can_check ? ZT_OK : ZT_E_UNSUPPORTED);
        CHECK_INT(fixtures[i].path, zt_model_file_scan(m, 2, NULL, NULL, &err), ZT_OK);
        zt_model_file_close(m);
    }
}

/* ---- converting ---------------------------------------------------------------------------- */

static struct zt_model_file *opened(const char *path)
{
    struct zt_model_file *m = NULL;
    struct zt_err err = { 0 };

    CHECK_INT(path, zt_model_file_open(path, &m, &err), ZT_OK);
    CHECK_STR(path, err.msg, "");
    zt_assert(m != NULL);
    return m;
}

static bool find(const struct zt_model_file *m, const char *name, struct zt_model_tensor *ret)
{
    for (size_t i = 0; zt_model_file_tensor(m, i, ret); i++) {
        if (strcmp(ret->name, name) == 0)
            return true;
    }
    return false;
}

/* diffusers' names become the original ones, and the five dimensions stay. */
static void converts_a_diffusers_folder(void)
{
    const char *path = weight_path("dit.gguf");
    struct zt_model_file *from = opened(FIXTURE("transformer"));
    struct zt_err err = { 0 };
    struct zt_model_tensor t;
    struct zt_model_convert options = { .type = "q8_0", .threads = 2 };

    CHECK_INT("converts", zt_model_file_convert(from, path, &options, NULL, NULL, &err), ZT_OK);
    CHECK_INT("again", zt_model_file_convert(from, path, &options, NULL, NULL, &err),
              ZT_E_CONFLICT);
    options.replace = true;
    CHECK_INT("by force", zt_model_file_convert(from, path, &options, NULL, NULL, &err), ZT_OK);
    options.type = "q3";
    CHECK_INT("no type", zt_model_file_convert(from, path, &options, NULL, NULL, &err),
              ZT_E_INVALID);
    CHECK_STR("no type", err.field, "type");
    zt_model_file_close(from);

    struct zt_model_file *m = opened(path);
    CHECK_INT("all there", zt_model_file_check(m, &err), ZT_OK);
    CHECK("matrix", find(m, "blocks.0.self_attn.q.weight", &t));
    CHECK_STR("matrix", t.type, "q8_0");
    CHECK("norm", find(m, "blocks.0.norm3.weight", &t));
    CHECK_STR("norm", t.type, "f32");
    CHECK("time", find(m, "time_embedding.0.weight", &t) && strcmp(t.type, "q8_0") != 0);
    CHECK("patch", find(m, "patch_embedding.weight", &t));
    CHECK_INT("patch", t.n_dims, 5);
    CHECK_INT("patch", t.shape[0], 256);
    CHECK_INT("patch", t.shape[4], 2);
    CHECK("no other names", !find(m, "blocks.0.attn1.to_q.weight", &t));
    zt_model_file_close(m);
}

static bool stop(void *user, size_t done, size_t all)
{
    (void)user;
    return done * 2 > all;
}

static void can_be_stopped(void)
{
    const char *path = weight_path("stopped.gguf");
    const struct zt_model_convert options = { .type = "q4_k", .threads = 1 };
    struct zt_model_file *from = opened(FIXTURE("transformer"));

    CHECK_INT("stops", zt_model_file_convert(from, path, &options, stop, NULL, NULL),
              ZT_E_CANCELLED);
    CHECK("leaves nothing", access(path, F_OK) != 0);
    CHECK_INT("stops", zt_model_file_scan(from, 1, stop, NULL, NULL), ZT_E_CANCELLED);
    zt_model_file_close(from);
}

static void says_what_a_damaged_model_lacks(void)
{
    struct zt_err err = { 0 };
    struct zt_model_file *m = opened(write_outline(0));

    CHECK("not sound", zt_model_file_check(m, &err) != ZT_OK);
    CHECK("says why", err.msg[0] != '\0');
    zt_model_file_close(m);
    zt_model_file_close(NULL);
}

int main(void)
{
    RUN(tells_published_models);
    RUN(tells_parts);
    RUN(converts_a_diffusers_folder);
    RUN(can_be_stopped);
    RUN(says_what_a_damaged_model_lacks);
    return check_done();
}
