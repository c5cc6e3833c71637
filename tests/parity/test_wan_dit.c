/*
 * The DiT against diffusers' WanTransformer3DModel: a tiny model with the code paths of
 * Wan2.2-TI2V-5B (tools/reference), its weights as they are and brought to other types, names and
 * files. Weights are exact in F16 and BF16, so one reference serves all types.
 */
#include "check.h"
#include "model_files.h"

#include "base/arena.h"
#include "base/auto.h"
#include "base/file.h"
#include "models/wan/dit_inside.h"
#include "tensor/weights.h"

#include <ggml-backend.h>
#include <math.h>

#define CHANNELS     48
#define FRAMES       3
#define VALUES       (CHANNELS * FRAMES * 4 * 6)

#define LARGE_VALUES (CHANNELS * 2 * 12 * 14)

static const struct zt_dit_size size = { FRAMES, 4, 6 };
static const struct zt_dit_size large = { 2, 12, 14 }; /* 84 tokens */
/* Threads of ggml's wait by spinning, which small graphs on a busy machine pay dearly. */
static const struct zt_device_options alone = { .threads = 1 };
static struct zt_err err;
static char folder[64] = "/tmp/zt-dit-XXXXXX";
static struct zt_weights *model_file, *reference;
static struct zt_device *device;

static const char *in_folder(const char *name)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    return path;
}

static bool ok(enum zt_code rc)
{
    if (rc != ZT_OK)
        printf("%s: %s (%s)\n", zt_code_name(rc), err.msg, err.detail);
    return rc == ZT_OK;
}

/* A recorded tensor in f32; the caller frees it. */
static float *recorded_in(const struct zt_weights *file, const char *name, int *ret_rows)
{
    const struct zt_weight *w = zt_weights_find(file, name);

    if (w == NULL) {
        printf("no fixture %s\n", name);
        exit(1);
    }
    float *values = malloc((size_t)w->elements * sizeof(float));
    if (!ok(zt_weight_to_f32(w, 0, w->elements, values, &err)))
        exit(1);
    if (ret_rows)
        *ret_rows = (int)w->ne[1];
    return values;
}

static float *recorded(const char *name, int *ret_rows)
{
    return recorded_in(reference, name, ret_rows);
}

static double relative(const float *got, const float *want, size_t n)
{
    double diff = 0, all = 0;

    for (size_t i = 0; i < n; i++) {
        diff += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        all += (double)want[i] * want[i];
    }
    return sqrt(diff / all);
}

/* The model's tensors, matrices in `type`, under their original names after `prefix`. */
static struct file_tensors model_as(enum ggml_type type, const char *prefix)
{
    struct file_tensors list = { 0 };
    struct zt_arena arena = { 0 };
    struct zt_dit_config config;
    struct zt_param *params;

    if (!ok(zt_dit_config_read(model_file, 0, &config, &err)))
        exit(1);
    size_t n = zt_dit_params(&config, &arena, &params);
    for (size_t i = 0; i < n; i++) {
        const struct zt_weight *w = zt_params_find(model_file, &zt_dit_names, params[i].name);
        float *values = malloc((size_t)w->elements * sizeof(float));
        char name[128];
        snprintf(name, sizeof(name), "%s%s", prefix, params[i].name);
        if (!ok(zt_weight_to_f32(w, 0, w->elements, values, &err)))
            exit(1);
        bool matrix = params[i].kind == ZT_PARAM_MATRIX;
        file_tensors_add(&list, name, matrix ? type : GGML_TYPE_F32, w->n_dims, w->ne, values);
        free(values);
    }
    zt_arena_clear(&arena);
    return list;
}

struct model {
    struct zt_weights *weights;
    struct zt_dit *dit;
    struct zt_dit_prompt *prompt, *other; /* of "text" and "text_b" */
};

static void model_close(struct model *m)
{
    zt_dit_prompt_free(m->prompt);
    zt_dit_prompt_free(m->other);
    zt_dit_close(m->dit);
    zt_weights_close(m->weights);
}

static struct model model_open_as(const char *path, enum zt_dit_w8a8 mode, struct zt_device *on)
{
    struct model m = { 0 };
    int rows, other_rows;
    float *text = recorded("text", &rows), *other = recorded("text_b", &other_rows);

    if (!ok(zt_weights_open(path, &m.weights, &err)) ||
        !ok(zt_dit_open(m.weights, 0, mode, on, NULL, NULL, &m.dit, &err)) ||
        !ok(zt_dit_prompt_new(m.dit, text, rows, &m.prompt, &err)) ||
        !ok(zt_dit_prompt_new(m.dit, other, other_rows, &m.other, &err)))
        exit(1);
    free(text);
    free(other);
    return m;
}

static struct model model_open(const char *path, struct zt_device *on)
{
    return model_open_as(path, ZT_DIT_W8A8_NONE, on);
}

static const struct {
    const char *name;
    float t[FRAMES];
    bool other_text;
} cases[] = {
    { "first.t999", { 0, 999, 999 }, false }, { "plain.t999", { 999, 999, 999 }, false },
    { "first.t500", { 0, 500, 500 }, false }, { "plain.t500", { 500, 500, 500 }, false },
    { "first.t92", { 0, 92, 92 }, false },    { "plain.t92", { 92, 92, 92 }, false },
    { "both.t500", { 0, 500, 0 }, false },    { "first.t500.text_b", { 0, 500, 500 }, true },
};

static bool forward(const struct model *m, size_t i, float v[VALUES])
{
    float *x = recorded("x", NULL);
    enum zt_code rc = zt_dit_forward(m->dit, cases[i].other_text ? m->other : m->prompt, size, x,
                                     cases[i].t, v, &err);

    free(x);
    return ok(rc);
}

/* The largest error over all cases. */
static double worst(const struct model *m, const char *label, double limit)
{
    static float v[VALUES];
    double most = 0;

    for (size_t i = 0; i < ZT_COUNT(cases); i++) {
        float *want = recorded(cases[i].name, NULL);
        CHECK(cases[i].name, forward(m, i, v));
        double error = relative(v, want, VALUES);
        CHECK_BELOW(cases[i].name, error, limit);
        most = error > most ? error : most;
        free(want);
    }
    printf("%-10s worst relative error %.3g\n", label, most);
    return most;
}

/* F32 within what another order of sums costs; the others within their types' rounding. */
static void equals_the_reference(void)
{
    static const struct {
        const char *label;
        enum ggml_type type;
        double limit;
    } rows[] = {
        { "f32", GGML_TYPE_F32, 1e-4 },
        { "f16", GGML_TYPE_F16, 1e-3 },
        { "bf16", GGML_TYPE_BF16, 5e-3 },
        { "q8_0", GGML_TYPE_Q8_0, 2.5e-2 },
    };

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct file_tensors list = model_as(rows[i].type, "");
        write_gguf(in_folder("model.gguf"), "wan", &list);
        struct model m = model_open(in_folder("model.gguf"), device);
        CHECK_STR("name", zt_dit_config(m.dit)->name, "Wan");
        CHECK_INT("heads", zt_dit_config(m.dit)->heads, 2);
        worst(&m, rows[i].label, rows[i].limit);
        model_close(&m);
        file_tensors_clear(&list);
    }
}

/* The same numbers under other names, in other files: the same bytes come out. */
static void reads_every_layout(void)
{
    static float want[VALUES], got[VALUES];
    struct model published = model_open(ZT_FIXTURES "/wan/transformer", device);
    struct file_tensors plain = model_as(GGML_TYPE_BF16, "");
    struct file_tensors comfy = model_as(GGML_TYPE_BF16, "model.diffusion_model.");

    worst(&published, "published", 5e-3);
    CHECK("published", forward(&published, 0, want));
    write_safetensors(in_folder("original.safetensors"), &plain);
    write_safetensors(in_folder("comfy.safetensors"), &comfy);
    write_gguf(in_folder("original.gguf"), "wan", &plain);
    CHECK_INT("dimensions", plain.at[0].n_dims, 5); /* of the patch embedding */
    static const char *const files[] = { "original.safetensors", "comfy.safetensors",
                                         "original.gguf" };
    for (size_t i = 0; i < ZT_COUNT(files); i++) {
        struct model m = model_open(in_folder(files[i]), device);
        CHECK(files[i], forward(&m, 0, got) && memcmp(got, want, sizeof(want)) == 0);
        model_close(&m);
    }
    file_tensors_clear(&plain);
    file_tensors_clear(&comfy);
    model_close(&published);
}

static struct model open_f32(struct zt_device *on)
{
    struct file_tensors list = model_as(GGML_TYPE_F32, "");

    write_safetensors(in_folder("f32.safetensors"), &list);
    file_tensors_clear(&list);
    return model_open(in_folder("f32.safetensors"), on);
}

/* More tokens than a tile of ggml's attention, which goes another way below that. */
static void equals_the_reference_beyond_a_tile(void)
{
    struct zt_weights *file = NULL;
    struct model m = open_f32(device);

    if (!ok(zt_weights_open(ZT_FIXTURES "/wan/ref/dit_large.safetensors", &file, &err)))
        exit(1);
    float *x = recorded_in(file, "x", NULL), *want = recorded_in(file, "first.t500", NULL);
    CHECK("forward", ok(zt_dit_forward(m.dit, m.prompt, large, x, (float[]){ 0, 500 }, x, &err)));
    CHECK_BELOW("84 tokens", relative(x, want, LARGE_VALUES), 1e-4);
    free(x);
    free(want);
    model_close(&m);
    zt_weights_close(file);
}

/*
 * Files as others write them, of a narrower model; the GGUF file's reference has its weights but
 * f32 arithmetic.
 */
static void reads_the_small_files(void)
{
    static const struct {
        const char *path, *want;
        double limit;
    } rows[] = {
        { ZT_FIXTURES "/wan/original/wan2.2_ti2v_small_fp16.safetensors", "first.t500", 1e-3 },
        { ZT_FIXTURES "/wan/gguf/wan2.2_ti2v_small-Q8_0.gguf", "first.t500.q8_0", 2e-2 },
    };
    static float v[VALUES];
    struct zt_weights *file = NULL;

    if (!ok(zt_weights_open(ZT_FIXTURES "/wan/ref/small.safetensors", &file, &err)))
        exit(1);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct model m = model_open(rows[i].path, device);
        float *x = recorded_in(file, "x", NULL), *want = recorded_in(file, rows[i].want, NULL);
        CHECK(rows[i].want,
              ok(zt_dit_forward(m.dit, m.prompt, size, x, (float[]){ 0, 500, 500 }, v, &err)));
        CHECK_BELOW(rows[i].want, relative(v, want, VALUES), rows[i].limit);
        printf("%-16s relative error %.3g\n", rows[i].want, relative(v, want, VALUES));
        free(x);
        free(want);
        model_close(&m);
    }
    zt_weights_close(file);
}

/* Nothing of an earlier pass is read: NaN in all of the working memory changes no byte. */
static void depends_on_its_inputs_alone(void)
{
    static float want[VALUES], got[VALUES], bad[VALUES];
    struct model m = open_f32(device);

    CHECK("first", forward(&m, 0, want));
    for (size_t i = 0; i < VALUES; i++)
        bad[i] = NAN;
    CHECK("poison", ok(zt_dit_forward(m.dit, m.prompt, size, bad, cases[0].t, got, &err)));
    CHECK("poisoned", isnan(got[0]) && isnan(got[VALUES - 1]));
    CHECK("again", forward(&m, 0, got) && memcmp(got, want, sizeof(want)) == 0);
    model_close(&m);
}

static bool has_w8a8(void)
{
    const char *why;

    if (zt_device_w8a8(device, &why) == NULL)
        printf("no 8-bit products: %s\n", why);
    return zt_device_w8a8(device, &why) != NULL;
}

static void depends_on_no_thread_count(void)
{
    static const struct {
        enum ggml_type type;
        enum zt_dit_w8a8 mode;
    } kinds[] = { { GGML_TYPE_F32, ZT_DIT_W8A8_NONE },
                  { GGML_TYPE_BF16, ZT_DIT_W8A8_NONE },
                  { GGML_TYPE_Q8_0, ZT_DIT_W8A8_NONE },
                  { GGML_TYPE_BF16, ZT_DIT_W8A8_ALL } };
    static float x[LARGE_VALUES], want[LARGE_VALUES], got[LARGE_VALUES];
    struct zt_device_options one = { .threads = 1 }, two = { .threads = 2 };
    struct zt_device *devices[2];

    CHECK("one", ok(zt_device_open(&one, &devices[0], &err)));
    CHECK("two", ok(zt_device_open(&two, &devices[1], &err)));
    for (size_t i = 0; i < LARGE_VALUES; i++)
        x[i] = sinf((float)i);
    for (size_t i = 0; i < ZT_COUNT(kinds); i++) {
        if (kinds[i].mode != ZT_DIT_W8A8_NONE && !has_w8a8())
            continue;
        struct file_tensors list = model_as(kinds[i].type, "");
        write_gguf(in_folder("model.gguf"), "wan", &list);
        for (int d = 0; d < 2; d++) {
            struct model m = model_open_as(in_folder("model.gguf"), kinds[i].mode, devices[d]);
            CHECK("forward", ok(zt_dit_forward(m.dit, m.prompt, large, x, (float[]){ 0, 500 },
                                               d == 0 ? want : got, &err)));
            model_close(&m);
        }
        CHECK(ggml_type_name(kinds[i].type), memcmp(got, want, sizeof(want)) == 0);
        file_tensors_clear(&list);
    }
    zt_device_close(devices[0]);
    zt_device_close(devices[1]);
}

/* ---- 8-bit products ------------------------------------------------------------------------ */

/*
 * Weights of 7 bits and activations of 8, after each of which the next product rounds anew. Measured:
 * 0.020 in the FFN alone, 0.027 to 0.029 in all. Less than the first bound would be no 8 bits.
 */
static void stays_near_the_reference_in_8_bits(void)
{
    static const struct {
        const char *label;
        enum ggml_type type;
        enum zt_dit_w8a8 mode;
        double limit;
    } rows[] = {
        { "f32, ffn", GGML_TYPE_F32, ZT_DIT_W8A8_FFN, 3e-2 },
        { "f32, all", GGML_TYPE_F32, ZT_DIT_W8A8_ALL, 4e-2 },
        { "f16, all", GGML_TYPE_F16, ZT_DIT_W8A8_ALL, 4e-2 },
        { "bf16, ffn", GGML_TYPE_BF16, ZT_DIT_W8A8_FFN, 3e-2 },
        { "bf16, all", GGML_TYPE_BF16, ZT_DIT_W8A8_ALL, 4e-2 },
        { "q8_0, all", GGML_TYPE_Q8_0, ZT_DIT_W8A8_ALL, 4e-2 },
    };

    for (size_t i = 0; has_w8a8() && i < ZT_COUNT(rows); i++) {
        struct file_tensors list = model_as(rows[i].type, "");
        size_t bytes = 0;
        write_gguf(in_folder("model.gguf"), "wan", &list);
        struct model m = model_open_as(in_folder("model.gguf"), rows[i].mode, device);
        CHECK_BELOW(rows[i].label, 1e-2, worst(&m, rows[i].label, rows[i].limit));
        CHECK("measured",
              ok(zt_dit_weight_bytes(m.weights, 0, rows[i].mode, device, &bytes, &err)));
        CHECK_INT("as they are", zt_dit_bytes(m.dit) + zt_dit_mapped_bytes(m.dit), bytes);
        model_close(&m);
        file_tensors_clear(&list);
    }
}

/* A byte a weight, and not the file's beside it. */
static void takes_a_byte_a_weight(void)
{
    struct model m = open_f32(device);
    const struct zt_dit_config *c = zt_dit_config(m.dit);
    int64_t dim = c->dim, ffn = c->ffn, layers = c->layers;
    size_t own[ZT_DIT_W8A8S], mapped[ZT_DIT_W8A8S];

    model_close(&m);
    for (int mode = 0; has_w8a8() && mode < ZT_DIT_W8A8S; mode++) {
        m = model_open_as(in_folder("f32.safetensors"), (enum zt_dit_w8a8)mode, device);
        own[mode] = zt_dit_bytes(m.dit) / (size_t)layers;
        mapped[mode] = zt_dit_mapped_bytes(m.dit) / (size_t)layers;
        model_close(&m);
        int64_t weights = mode == ZT_DIT_W8A8_NONE  ? 0
                          : mode == ZT_DIT_W8A8_FFN ? 2 * dim * ffn
                                                    : 2 * dim * ffn + 6 * dim * dim;
        int64_t rows = mode == ZT_DIT_W8A8_NONE  ? 0
                       : mode == ZT_DIT_W8A8_FFN ? ffn + dim
                                                 : ffn + 7 * dim;
        CHECK_INT("bytes of its own", own[mode] - own[0], weights + 4 * rows);
        CHECK_INT("not mapped", mapped[0] - mapped[mode], 4 * weights);
    }
}

/* The second try after NaN: no 8 bits, nothing but f32. */
static void leaves_8_bits_on_an_exact_device(void)
{
    static float want[VALUES], got[VALUES];
    struct model m = open_f32(device);

    CHECK("f32", forward(&m, 0, want));
    model_close(&m);
    zt_device_set_exact(device, true);
    m = model_open_as(in_folder("f32.safetensors"), ZT_DIT_W8A8_ALL, device);
    CHECK("exact", forward(&m, 0, got) && memcmp(got, want, sizeof(want)) == 0);
    CHECK("mapped as before", zt_dit_mapped_bytes(m.dit) > zt_dit_bytes(m.dit));
    zt_device_set_exact(device, false);
    model_close(&m);
}

/* ---- attention's scores in 8 bits ---------------------------------------------------------- */

/* A device whose fast backend takes all it can, or is left out: `cpu` as in ZOETROPE_CPU. */
static struct zt_device *open_as(const char *cpu)
{
    const char *asked = getenv("ZOETROPE_CPU");
    zt_auto_free char *before = asked != NULL ? strdup(asked) : NULL;
    struct zt_device *d = NULL;

    setenv("ZOETROPE_CPU", cpu, 1);
    CHECK("device", ok(zt_device_open(&alone, &d, &err)));
    if (before != NULL)
        setenv("ZOETROPE_CPU", before, 1);
    else
        unsetenv("ZOETROPE_CPU");
    return d;
}

static void pass_as(struct model *m, enum zt_dit_scores scores, float v[LARGE_VALUES])
{
    static float x[LARGE_VALUES];

    for (size_t i = 0; i < LARGE_VALUES; i++)
        x[i] = sinf((float)i);
    zt_dit_set_scores(m->dit, scores);
    CHECK("forward", ok(zt_dit_forward(m->dit, m->prompt, large, x, (float[]){ 0, 500 }, v, &err)));
}

/*
 * Measured: 4.2e-3, a third of what q8_0 costs. Nothing else may change, and
 * ggml's CPU backend and an exact device have no 8 bits at all.
 */
static void attends_in_8_bits_where_it_may(void)
{
    static const struct {
        const char *cpu;
        bool exact, same;
    } rows[] = { { "fast", false, false }, { "fast", true, true }, { "ggml", false, true } };
    static float full[LARGE_VALUES], int8[LARGE_VALUES];

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_device *d = open_as(rows[i].cpu);
        zt_device_set_exact(d, rows[i].exact);
        struct model m = open_f32(d);
        pass_as(&m, ZT_DIT_SCORES_FULL, full);
        pass_as(&m, ZT_DIT_SCORES_INT8, int8);
        double off = relative(int8, full, LARGE_VALUES);
        printf("int8 scores, %s%s: %.3g off\n", rows[i].cpu, rows[i].exact ? ", exact" : "", off);
        CHECK_INT("the same", memcmp(int8, full, sizeof(full)) == 0, rows[i].same);
        CHECK_BELOW("off", off, 1e-2);
        model_close(&m);
        zt_device_close(d);
    }
}

/* Whatever the file's type, the second try after NaN is in f32. */
static void leaves_bf16_on_an_exact_device(void)
{
    static float v[3][LARGE_VALUES];
    struct file_tensors list = model_as(GGML_TYPE_BF16, "");

    write_gguf(in_folder("model.gguf"), "wan", &list);
    for (int i = 0; i < 3; i++) { /* f32; bf16, exact; bf16 */
        struct zt_device *d = open_as(i == 0 ? "fast" : "bf16");
        zt_device_set_exact(d, i == 1);
        CHECK_INT("asks for BF16", zt_device_bf16(d), i == 2);
        struct model m = model_open(in_folder("model.gguf"), d);
        CHECK_INT("keys", m.dit->kv_type, i == 2 ? GGML_TYPE_BF16 : GGML_TYPE_F32);
        pass_as(&m, ZT_DIT_SCORES_FULL, v[i]);
        model_close(&m);
        zt_device_close(d);
    }
    CHECK("exact", memcmp(v[0], v[1], sizeof(v[0])) == 0);
    CHECK_BELOW("rounded", 1e-4, relative(v[2], v[0], LARGE_VALUES));
    file_tensors_clear(&list);
}

static void has_no_8_bits_on_ggml_s_cpu(void)
{
    zt_auto(weights) struct zt_weights *weights = NULL;
    struct zt_device *plain = open_as("ggml");
    struct zt_dit *dit = NULL;
    struct zt_dit_config config;
    size_t bytes = 0;

    CHECK("weights", ok(zt_weights_open(ZT_FIXTURES "/wan/transformer", &weights, &err)));
    CHECK("config", ok(zt_dit_config_read(weights, 0, &config, &err)));
    CHECK_INT("refused", zt_dit_open(weights, 0, ZT_DIT_W8A8_FFN, plain, NULL, NULL, &dit, &err),
              ZT_E_UNSUPPORTED);
    CHECK_HAS("why", err.msg, "the fast CPU backend is not there");
    CHECK_INT(
        "nor measured",
        zt_dit_working_bytes(&config, GGML_TYPE_BF16, ZT_DIT_W8A8_FFN, plain, size, &bytes, &err),
        ZT_E_UNSUPPORTED);
    zt_device_close(plain);
}

static void a_chunked_ffn_is_the_same(void)
{
    static float want[VALUES], got[VALUES];
    struct model m = open_f32(device);

    CHECK("whole", forward(&m, 0, want));
    for (int tokens = 1; tokens <= 13; tokens += 6) { /* a frame has 6 */
        m.dit->chunk_tokens = tokens;
        CHECK("in chunks", forward(&m, 0, got));
        CHECK_BELOW("in chunks", relative(got, want, VALUES), 1e-6);
    }
    model_close(&m);
}

static bool stop_now(void *user)
{
    (void)user;
    return true;
}

static void stops_when_asked(void)
{
    static float want[VALUES], got[VALUES];
    struct model m = open_f32(device);

    CHECK("before", forward(&m, 0, want));
    memset(got, 0, sizeof(got));
    float *x = recorded("x", NULL);
    zt_device_on_stop(device, stop_now, NULL);
    CHECK_INT("stopped", zt_dit_forward(m.dit, m.prompt, size, x, cases[0].t, got, &err),
              ZT_E_CANCELLED);
    CHECK("untouched", got[0] == 0 && got[VALUES - 1] == 0);
    zt_device_on_stop(device, NULL, NULL);
    CHECK("after", forward(&m, 0, got) && memcmp(got, want, sizeof(want)) == 0);
    free(x);
    model_close(&m);
}

static void refuses_what_it_cannot_compute(void)
{
    static const struct {
        const char *label;
        struct zt_dit_size size;
        float t;
        enum zt_code code;
        const char *part;
    } rows[] = {
        { "odd height", { 1, 3, 4 }, 1, ZT_E_INVALID, "1 frames of 4 x 3" },
        { "no frames", { 0, 4, 4 }, 1, ZT_E_INVALID, "0 frames" },
        { "too wide", { 1, 4, 4096 }, 1, ZT_E_INVALID, "2048" },
        { "too many", { 1024, 2048, 2048 }, 1, ZT_E_LIMIT, "tokens" },
        { "before", { 1, 2, 2 }, -1, ZT_E_INVALID, "timestep" },
        { "after", { 1, 2, 2 }, 1001, ZT_E_INVALID, "1001" },
        { "no number", { 1, 2, 2 }, NAN, ZT_E_INVALID, "nan" },
    };
    static float v[VALUES];
    struct model m = open_f32(device);
    struct zt_dit_prompt *prompt = NULL;

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        err.msg[0] = '\0';
        CHECK_INT(rows[i].label,
                  zt_dit_forward(m.dit, m.prompt, rows[i].size, v, &rows[i].t, v, &err),
                  rows[i].code);
        CHECK_HAS(rows[i].label, err.msg, rows[i].part);
    }
    CHECK_INT("no rows", zt_dit_prompt_new(m.dit, v, 0, &prompt, &err), ZT_E_INVALID);
    CHECK_INT("513 rows", zt_dit_prompt_new(m.dit, v, 513, &prompt, &err), ZT_E_INVALID);
    CHECK_HAS("513 rows", err.msg, "1 to 512 rows, not 513");
    model_close(&m);
}

/* Only as many rows as a prompt can have, none of them zero. */
static void takes_a_full_prompt(void)
{
    static float a[VALUES], b[VALUES];
    struct model m = open_f32(device);
    struct zt_dit_prompt *full = NULL;
    int rows;
    float *text = recorded("text", &rows), *x = recorded("x", NULL);
    size_t dim = (size_t)zt_dit_config(m.dit)->text_dim;
    float *all = calloc(512 * dim, sizeof(float));

    memcpy(all, text, (size_t)rows * dim * sizeof(float));
    CHECK("full", ok(zt_dit_prompt_new(m.dit, all, 512, &full, &err)));
    CHECK("short", ok(zt_dit_forward(m.dit, m.prompt, size, x, cases[0].t, a, &err)));
    CHECK("full", ok(zt_dit_forward(m.dit, full, size, x, cases[0].t, b, &err)));
    /* Products of other shapes may sum in another order. */
    CHECK_BELOW("zero rows are what follows a prompt", relative(a, b, VALUES), 1e-6);
    zt_dit_prompt_free(full);
    free(all);
    free(text);
    free(x);
    model_close(&m);
}

/* What a file with these changes is refused with. */
static enum zt_code check_changed(struct file_tensors *list)
{
    struct zt_weights *weights = NULL;
    struct zt_dit *dit = NULL;

    err = (struct zt_err){ 0 };
    write_safetensors(in_folder("changed.safetensors"), list);
    if (!ok(zt_weights_open(in_folder("changed.safetensors"), &weights, &err)))
        exit(1);
    enum zt_code rc = zt_dit_check(weights, 0, &err);
    CHECK_INT("open says the same",
              zt_dit_open(weights, 0, ZT_DIT_W8A8_NONE, device, NULL, NULL, &dit, &err), rc);
    zt_dit_close(dit);
    zt_weights_close(weights);
    return rc;
}

static void names_what_is_wrong_with_a_file(void)
{
    struct file_tensors list = model_as(GGML_TYPE_F32, "");

    CHECK_INT("whole", check_changed(&list), ZT_OK);
    struct file_tensor *t = file_tensors_find(&list, "blocks.1.cross_attn.norm_k.weight");
    strcpy(t->name, "blocks.1.cross_attn.norm_q.else");
    t = file_tensors_find(&list, "blocks.0.ffn.2.weight");
    int64_t swap = t->ne[0];
    t->ne[0] = t->ne[1];
    t->ne[1] = swap;
    CHECK_INT("missing", check_changed(&list), ZT_E_CORRUPT);
    CHECK_HAS("missing", err.msg, "blocks.1.cross_attn.norm_k.weight");
    CHECK_HAS("transposed", err.msg, "blocks.0.ffn.2.weight");
    strcpy(file_tensors_find(&list, "patch_embedding.bias")->name, "patch");
    CHECK_INT("another model", check_changed(&list), ZT_E_CORRUPT);
    CHECK_HAS("another model", err.msg, "patch_embedding.bias");
    file_tensors_clear(&list);
}

/* As much of a published model as tells it apart. */
static void names_the_model_that_it_is_not(void)
{
    static const struct {
        const char *name;
        int in, out, dim;
        const char *image;
    } rows[] = {
        { "Wan2.2-I2V-A14B", 36, 16, 5120, NULL },
        { "Wan2.1-I2V-14B", 36, 16, 5120, "img_emb.proj.0.weight" },
        { "Wan2.1-T2V-14B", 16, 16, 5120, NULL },
        { "Wan2.1-T2V-1.3B", 16, 16, 1536, NULL },
        { "takes 20 channels and gives 16", 20, 16, 256, NULL },
    };
    float *zeros = calloc(36 * 5120 * 4, sizeof(float));

    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct file_tensors list = { 0 };
        int64_t dim = rows[i].dim, out = 4 * rows[i].out;
        file_tensors_add(&list, "patch_embedding.weight", GGML_TYPE_F32, 5,
                         (int64_t[]){ 2, 2, 1, rows[i].in, dim }, zeros);
        file_tensors_add(&list, "patch_embedding.bias", GGML_TYPE_F32, 1, &dim, zeros);
        file_tensors_add(&list, "head.head.bias", GGML_TYPE_F32, 1, &out, zeros);
        file_tensors_add(&list, "blocks.0.ffn.0.bias", GGML_TYPE_F32, 1, &dim, zeros);
        file_tensors_add(&list, "text_embedding.0.weight", GGML_TYPE_F32, 2, (int64_t[]){ 16, dim },
                         zeros);
        if (rows[i].image)
            file_tensors_add(&list, rows[i].image, GGML_TYPE_F32, 1, &dim, zeros);
        CHECK_INT(rows[i].name, check_changed(&list), ZT_E_UNSUPPORTED);
        CHECK_HAS(rows[i].name, err.msg, rows[i].name);
        CHECK_HAS(rows[i].name, err.msg, "Wan2.2-TI2V-5B");
        file_tensors_clear(&list);
    }
    free(zeros);
}

static size_t working_bytes(struct zt_device *own)
{
    ggml_backend_sched_t sched = zt_device_sched(own);

    return ggml_backend_sched_get_buffer_size(sched, ggml_backend_sched_get_backend(sched, 0));
}

/* All parts of a pass that is cut fit into that. */
static void a_cut_pass_takes_no_more(const struct model *m, struct zt_dit_size wide, float *x,
                                     struct zt_device *own, size_t had)
{
    zt_auto(dit_cache) struct zt_dit_cache *cache = NULL;

    CHECK("trimmed", ok(zt_device_trim(own, &err)));
    CHECK("cache", ok(zt_dit_cache_new(m->dit, wide, 1, &cache, &err)));
    struct zt_dit_reuse reuse = { .cache = cache };
    for (int i = 0; i < 2; i++) {
        CHECK("cached",
              ok(zt_dit_forward_cached(m->dit, m->prompt, &reuse, x, cases[0].t, x, &err)));
        CHECK_INT("reused", reuse.reused, i);
        reuse.threshold = 1e9;
    }
    CHECK_BELOW("bytes", (double)working_bytes(own), 1.02 * (double)had);
    CHECK_INT("a cache", zt_dit_cache_bytes(zt_dit_config(m->dit), wide, 1),
              4 * sizeof(float) * 256 * 2 * 20 * 20);
}

/* The estimate needs no weights, and is what a pass then takes. */
static void uses_what_was_measured(enum zt_dit_w8a8 mode, struct zt_device *own)
{
    static const struct zt_dit_size wide = { 2, 40, 40 };
    float *x = calloc(CHANNELS * 2 * 40 * 40, sizeof(float)); /* far larger than a prompt's graph */
    size_t bytes = 0;
    struct model m = open_f32(own);

    model_close(&m);
    CHECK("trimmed", ok(zt_device_trim(own, &err)));
    m = model_open_as(in_folder("f32.safetensors"), mode, own);
    CHECK("measured", ok(zt_dit_working_bytes(zt_dit_config(m.dit), GGML_TYPE_F32, mode, own, wide,
                                              &bytes, &err)));
    CHECK("forward", ok(zt_dit_forward(m.dit, m.prompt, wide, x, cases[0].t, x, &err)));
    size_t had = working_bytes(own);
    CHECK_NEAR("as it is", (double)bytes / (double)had, 1, 0.02);
    CHECK_INT("a prompt", zt_dit_prompt_bytes(m.prompt),
              zt_dit_kept_bytes(zt_dit_config(m.dit), GGML_TYPE_F32, own));
    a_cut_pass_takes_no_more(&m, wide, x, own, had);
    free(x);
    model_close(&m);
}

static void knows_its_memory_beforehand(void)
{
    static const struct zt_dit_config full = { 30, 3072, 24, 14336, 48, 4096, "Wan2.2-TI2V-5B" };
    static const struct zt_dit_size sizes[] = {
        { 31, 30, 52 }, { 61, 30, 52 }, { 31, 44, 80 }, { 31, 68, 120 }, { 61, 68, 120 },
    };
    struct zt_device *own = NULL;
    size_t bytes = 0;

    CHECK("device", ok(zt_device_open(&alone, &own, &err)));
    uses_what_was_measured(ZT_DIT_W8A8_NONE, own);
    if (has_w8a8())
        uses_what_was_measured(ZT_DIT_W8A8_ALL, own);
    for (size_t i = 0; i < ZT_COUNT(sizes); i++) {
        CHECK("5B", ok(zt_dit_working_bytes(&full, GGML_TYPE_BF16, ZT_DIT_W8A8_NONE, own, sizes[i],
                                            &bytes, &err)));
        printf("5B, %d x %d x %d: %.0f MiB of working memory\n", sizes[i].t, sizes[i].h, sizes[i].w,
               (double)bytes / 1048576);
        if (i == 0)
            CHECK_BELOW("480p, 121 frames", (double)bytes, 1.25e9);
    }
    zt_device_close(own);
}

int main(void)
{
    if (mkdtemp(folder) == NULL || !ok(zt_device_open(&alone, &device, &err)) ||
        !ok(zt_weights_open(ZT_FIXTURES "/wan/transformer", &model_file, &err)) ||
        !ok(zt_weights_open(ZT_FIXTURES "/wan/ref/dit.safetensors", &reference, &err)))
        return 1;
    RUN(equals_the_reference);
    RUN(equals_the_reference_beyond_a_tile);
    RUN(reads_every_layout);
    RUN(reads_the_small_files);
    RUN(depends_on_its_inputs_alone);
    RUN(depends_on_no_thread_count);
    RUN(stays_near_the_reference_in_8_bits);
    RUN(takes_a_byte_a_weight);
    RUN(leaves_8_bits_on_an_exact_device);
    RUN(attends_in_8_bits_where_it_may);
    RUN(leaves_bf16_on_an_exact_device);
    RUN(has_no_8_bits_on_ggml_s_cpu);
    RUN(a_chunked_ffn_is_the_same);
    RUN(stops_when_asked);
    RUN(refuses_what_it_cannot_compute);
    RUN(takes_a_full_prompt);
    RUN(names_what_is_wrong_with_a_file);
    RUN(names_the_model_that_it_is_not);
    RUN(knows_its_memory_beforehand);
    zt_weights_close(reference);
    zt_weights_close(model_file);
    zt_device_close(device);
    zt_remove_tree(folder, NULL);
    return check_done();
}
