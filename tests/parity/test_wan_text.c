/*
 * test_wan_text.c - the umT5 encoder against the reference's rows (transformers, F32; tools/reference).
 * The fixture's weights are exact in BF16 and F16, so one record serves every type.
 */
#include "models/noise.h"
#include "models/text/umt5.h"
#include "parity.h"
#include "tensor/device.h"

#define ENCODER ZT_FIXTURES "/wan/text_encoder/model.safetensors"
#define RECORD  ZT_FIXTURES "/wan/ref/text.safetensors"

/* The names of the GGUF converters in place of Hugging Face's. */
static const struct {
    const char *theirs, *gguf;
} names[] = {
    { "layer.0.SelfAttention.q", "attn_q" },
    { "layer.0.SelfAttention.k", "attn_k" },
    { "layer.0.SelfAttention.v", "attn_v" },
    { "layer.0.SelfAttention.o", "attn_o" },
    { "layer.0.SelfAttention.relative_attention_bias", "attn_rel_b" },
    { "layer.0.layer_norm", "attn_norm" },
    { "layer.1.layer_norm", "ffn_norm" },
    { "layer.1.DenseReluDense.wi_0", "ffn_gate" },
    { "layer.1.DenseReluDense.wi_1", "ffn_up" },
    { "layer.1.DenseReluDense.wo", "ffn_down" },
};

static const char *gguf_name(const char *name, char dst[256])
{
    char rest[128];
    int layer;

    if (strcmp(name, "shared.weight") == 0)
        return parity_same_name("token_embd.weight", dst);
    if (strcmp(name, "encoder.final_layer_norm.weight") == 0)
        return parity_same_name("enc.output_norm.weight", dst);
    CHECK_INT(name, sscanf(name, "encoder.block.%d.%127s", &layer, rest), 2);
    for (size_t i = 0; i < ZT_COUNT(names); i++) {
        size_t n = strlen(names[i].theirs);
        if (strncmp(rest, names[i].theirs, n) == 0 && strcmp(rest + n, ".weight") == 0)
            snprintf(dst, 256, "enc.blk.%d.%s.weight", layer, names[i].gguf);
    }
    return dst;
}

static const char *original_name(const char *name, char dst[256])
{
    CHECK(name, zt_params_canonical(&zt_umt5_names, name, dst, 256));
    return dst;
}

/*
 * F32: another order of summation. The others: twice what was measured. F16, BF16: ggml rounds a
 * product's input to the weights' type, to 11 and 8 bits. Q8_0: 8 bits a block of 32 for weights and
 * inputs; much at a width of 64, where nothing averages out and scores are not scaled down.
 */
static const struct {
    const char *label;
    enum ggml_type type; /* COUNT: the file as it was published, BF16 */
    const char *(*rename)(const char *name, char dst[256]);
    double limit;
} rows[] = {
    { "as published", GGML_TYPE_COUNT, NULL, 8e-3 }, { "F32", GGML_TYPE_F32, original_name, 1e-4 },
    { "F16", GGML_TYPE_F16, gguf_name, 1e-3 },       { "BF16", GGML_TYPE_BF16, gguf_name, 8e-3 },
    { "Q8_0", GGML_TYPE_Q8_0, gguf_name, 5e-2 },
};

static struct zt_device *cpu(void)
{
    struct zt_device *device = NULL;
    struct zt_err err = { 0 };

    CHECK_INT(
        "device",
        zt_device_open(&(struct zt_device_options){ .name = "CPU", .threads = 2 }, &device, &err),
        ZT_OK);
    return device;
}

static void encode_as_recorded(struct zt_umt5 *encoder, const struct zt_weights *record,
                               const char *prompt, const char *label, double limit)
{
    char name[64];
    size_t n, n_out;
    struct zt_err err = { 0 };

    snprintf(name, sizeof(name), "%s.ids", prompt);
    float *numbers = parity_values(record, name, &n);
    snprintf(name, sizeof(name), "%s.out", prompt);
    float *want = parity_values(record, name, &n_out);
    int32_t *ids = malloc(n * sizeof(*ids));
    float *got = malloc(n_out * sizeof(*got));
    for (size_t i = 0; i < n; i++)
        ids[i] = (int32_t)numbers[i];
    CHECK_INT(label, n_out, n * (size_t)zt_umt5_config(encoder)->dim);
    CHECK_INT(label, zt_umt5_encode(encoder, ids, (int)n, got, &err), ZT_OK);
    double error = parity_error(got, want, n_out);
    printf("%s, prompt %s, %zu tokens: %.2e\n", label, prompt, n, error);
    CHECK_BELOW(label, error, limit);
    free(numbers);
    free(want);
    free(ids);
    free(got);
}

static void encodes_like_the_reference(void)
{
    zt_auto(weights) struct zt_weights *record = parity_open(RECORD);
    zt_auto(weights) struct zt_weights *published = parity_open(ENCODER);
    zt_auto(device) struct zt_device *device = NULL;
    struct zt_err err = { 0 };

    CHECK_INT(
        "device",
        zt_device_open(&(struct zt_device_options){ .name = "CPU", .threads = 2 }, &device, &err),
        ZT_OK);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        zt_auto(weights) struct zt_weights *weights = NULL;
        zt_auto(umt5) struct zt_umt5 *encoder = NULL;
        if (rows[i].rename != NULL)
            parity_convert(published, rows[i].type, rows[i].rename, NULL, parity_path("umt5.gguf"));
        weights = parity_open(rows[i].rename != NULL ? parity_path("umt5.gguf") : ENCODER);
        CHECK_INT(rows[i].label, zt_umt5_check(weights, &err), ZT_OK);
        if (zt_umt5_open(weights, device, NULL, NULL, &encoder, &err) != ZT_OK) {
            CHECK_STR(rows[i].label, err.msg, "");
            continue;
        }
        encode_as_recorded(encoder, record, "a", rows[i].label, rows[i].limit);
        encode_as_recorded(encoder, record, "b", rows[i].label, rows[i].limit);
        encode_as_recorded(encoder, record, "negative", rows[i].label, rows[i].limit);
    }
}

/* The rows of ids with the published weights changed and in `type`; free() them. */
static float *encode_changed(enum ggml_type type,
                             void (*change)(const char *name, float *values, size_t n),
                             const int32_t *ids, int n)
{
    zt_auto(weights) struct zt_weights *published = parity_open(ENCODER);
    zt_auto(weights) struct zt_weights *weights = NULL;
    zt_auto(device) struct zt_device *device = cpu();
    zt_auto(umt5) struct zt_umt5 *encoder = NULL;
    struct zt_err err = { 0 };

    parity_convert(published, type, original_name, change, parity_path("changed.gguf"));
    weights = parity_open(parity_path("changed.gguf"));
    CHECK_INT("opened", zt_umt5_open(weights, device, NULL, NULL, &encoder, &err), ZT_OK);
    float *got = malloc((size_t)n * (size_t)zt_umt5_config(encoder)->dim * sizeof(*got));
    CHECK_INT("encoded", zt_umt5_encode(encoder, ids, n, got, &err), ZT_OK);
    return got;
}

static void enlarge(const char *name, float *values, size_t n)
{
    for (size_t i = 0; strstr(name, "wi_1") != NULL && i < n; i++)
        values[i] *= 65536.0f;
}

/* umT5-xxl's own hidden values pass 65504, f16's largest, as these do. */
static void large_hidden_values_fit(void)
{
    static const int32_t ids[] = { 17, 230, 999, 1 };
    float *half = encode_changed(GGML_TYPE_F16, enlarge, ids, 4);
    float *full = encode_changed(GGML_TYPE_F32, enlarge, ids, 4);

    CHECK_BELOW("F16 against F32", parity_error(half, full, 4 * 64), 2e-3);
    free(half);
    free(full);
}

static void break_one(const char *name, float *values, size_t n)
{
    if (strcmp(name, "encoder.block.1.layer.1.DenseReluDense.wo.weight") == 0)
        values[n / 2] = NAN;
}

static void refuses_what_it_cannot_encode(void)
{
    zt_auto(weights) struct zt_weights *published = parity_open(ENCODER);
    zt_auto(weights) struct zt_weights *broken = NULL;
    zt_auto(device) struct zt_device *device = cpu();
    zt_auto(umt5) struct zt_umt5 *encoder = NULL;
    struct zt_err err = { 0 };
    static float out[ZT_UMT5_TOKENS_MAX * 64];
    static int32_t ids[ZT_UMT5_TOKENS_MAX + 1];

    CHECK_INT("opened", zt_umt5_open(published, device, NULL, NULL, &encoder, &err), ZT_OK);
    CHECK_INT("none", zt_umt5_encode(encoder, ids, 0, out, &err), ZT_E_INVALID);
    CHECK_INT("too many", zt_umt5_encode(encoder, ids, ZT_UMT5_TOKENS_MAX + 1, out, &err),
              ZT_E_INVALID);
    CHECK_INT("most", zt_umt5_encode(encoder, ids, ZT_UMT5_TOKENS_MAX, out, &err), ZT_OK);
    ids[1] = zt_umt5_config(encoder)->vocab;
    CHECK_INT("no such row", zt_umt5_encode(encoder, ids, 2, out, &err), ZT_E_INVALID);
    ids[1] = -1;
    CHECK_INT("negative", zt_umt5_encode(encoder, ids, 2, out, &err), ZT_E_INVALID);
    zt_umt5_close(zt_take_umt5(&encoder));

    parity_convert(published, GGML_TYPE_F32, original_name, break_one, parity_path("nan.gguf"));
    broken = parity_open(parity_path("nan.gguf"));
    ids[1] = 5;
    CHECK_INT("opened", zt_umt5_open(broken, device, NULL, NULL, &encoder, &err), ZT_OK);
    CHECK_INT("NaN among the weights", zt_umt5_encode(encoder, ids, 2, out, &err), ZT_E_CORRUPT);
    CHECK_HAS("NaN among the weights", err.msg, "NaN");
}

static const char *lose_one(const char *name, char dst[256])
{
    bool lost = strcmp(name, "encoder.block.1.layer.0.SelfAttention.v.weight") == 0;

    return lost ? parity_same_name("another", dst) : original_name(name, dst);
}

static const char *lose_the_embedding(const char *name, char dst[256])
{
    bool lost = strcmp(name, "shared.weight") == 0;

    return lost ? parity_same_name("another", dst) : original_name(name, dst);
}

static void names_what_is_missing(void)
{
    zt_auto(weights) struct zt_weights *published = parity_open(ENCODER);
    zt_auto(weights) struct zt_weights *record = parity_open(RECORD);
    zt_auto(weights) struct zt_weights *one = NULL, *two = NULL;
    struct zt_err err = { 0 };

    parity_convert(published, GGML_TYPE_F32, lose_one, NULL, parity_path("one.gguf"));
    one = parity_open(parity_path("one.gguf"));
    CHECK_INT("a tensor", zt_umt5_check(one, &err), ZT_E_CORRUPT);
    CHECK_HAS("a tensor", err.msg, "blocks.1.attn.v.weight");
    parity_convert(published, GGML_TYPE_F32, lose_the_embedding, NULL, parity_path("two.gguf"));
    two = parity_open(parity_path("two.gguf"));
    CHECK_INT("the embedding", zt_umt5_check(two, &err), ZT_E_CORRUPT);
    CHECK_HAS("the embedding", err.msg, "token_embedding.weight");
    CHECK_INT("another file", zt_umt5_check(record, &err), ZT_E_CORRUPT);
    CHECK_HAS("another file", err.msg, "no umT5 text encoder");
}

/* What is said beforehand is what the scheduler then takes. */
static void knows_its_working_memory(void)
{
    zt_auto(weights) struct zt_weights *published = parity_open(ENCODER);
    zt_auto(device) struct zt_device *device = cpu();
    zt_auto(umt5) struct zt_umt5 *encoder = NULL;
    struct zt_err err = { 0 };
    static float out[300 * 64];
    static int32_t ids[300];
    size_t said = 0, lookup = 300 * (64 * sizeof(float) + 300 * sizeof(int32_t));

    CHECK_INT("opened", zt_umt5_open(published, device, NULL, NULL, &encoder, &err), ZT_OK);
    CHECK_INT(
        "said",
        zt_umt5_working_bytes(zt_umt5_config(encoder), GGML_TYPE_BF16, device, 300, &said, &err),
        ZT_OK);
    CHECK_INT("encoded", zt_umt5_encode(encoder, ids, 300, out, &err), ZT_OK);
    ggml_backend_sched_t sched = zt_device_sched(device);
    size_t took =
        ggml_backend_sched_get_buffer_size(sched, ggml_backend_sched_get_backend(sched, 0));
    CHECK_NEAR("taken", said - lookup, took, 0.01 * (double)took);
}

/* A file of one layer, 256 wide, of random numbers, for types whose blocks are that long. */
static void write_random(const char *path)
{
    static const struct {
        const char *name;
        int64_t ne[2];
        float scale, base;
    } tensors[] = {
        { "token_embedding.weight", { 256, 99 }, 1, 0 },
        { "blocks.0.norm1.weight", { 256, 1 }, 0.1f, 1 },
        { "blocks.0.attn.q.weight", { 256, 256 }, 0.03f, 0 },
        { "blocks.0.attn.k.weight", { 256, 256 }, 0.03f, 0 },
        { "blocks.0.attn.v.weight", { 256, 256 }, 0.06f, 0 },
        { "blocks.0.attn.o.weight", { 256, 256 }, 0.06f, 0 },
        { "blocks.0.pos_embedding.embedding.weight", { 4, 32 }, 1, 0 },
        { "blocks.0.norm2.weight", { 256, 1 }, 0.1f, 1 },
        { "blocks.0.ffn.gate.0.weight", { 256, 512 }, 0.06f, 0 },
        { "blocks.0.ffn.fc1.weight", { 256, 512 }, 0.06f, 0 },
        { "blocks.0.ffn.fc2.weight", { 512, 256 }, 0.06f, 0 },
        { "norm.weight", { 256, 1 }, 0.1f, 1 },
    };
    struct ggml_context *ctx = ggml_init((struct ggml_init_params){ .mem_size = 1 << 23 });
    struct gguf_context *gguf = gguf_init_empty();

    for (size_t i = 0; i < ZT_COUNT(tensors); i++) {
        int n_dims = tensors[i].ne[1] == 1 ? 1 : 2;
        struct ggml_tensor *t = ggml_new_tensor(ctx, GGML_TYPE_F32, n_dims, tensors[i].ne);
        float *v = ggml_get_data_f32(t);
        zt_noise_fill(7, i, 0, (size_t)ggml_nelements(t), v);
        for (int64_t e = 0; e < ggml_nelements(t); e++)
            v[e] = tensors[i].base + tensors[i].scale * v[e];
        ggml_set_name(t, tensors[i].name);
        gguf_add_tensor(gguf, t);
    }
    CHECK("written", gguf_write_to_file(gguf, path, false));
    gguf_free(gguf);
    ggml_free(ctx);
}

static void encode_file(const char *path, struct zt_device *device, float *out)
{
    static const int32_t ids[] = { 5, 98, 0, 41, 41, 7, 1 };
    zt_auto(weights) struct zt_weights *weights = parity_open(path);
    zt_auto(umt5) struct zt_umt5 *encoder = NULL;
    struct zt_err err = { 0 };

    CHECK_INT(path, zt_umt5_open(weights, device, NULL, NULL, &encoder, &err), ZT_OK);
    CHECK_INT(path, zt_umt5_encode(encoder, ids, ZT_COUNT(ids), out, &err), ZT_OK);
}

/*
 * Against the same weights, so rounded, in F32: what is left is the rounding of a product's inputs
 * to 8 bits. Twice what was measured.
 */
static void takes_every_quantisation(void)
{
    static const enum ggml_type types[] = {
        GGML_TYPE_Q8_0, GGML_TYPE_Q6_K, GGML_TYPE_Q5_K, GGML_TYPE_Q4_K,   GGML_TYPE_Q3_K,
        GGML_TYPE_Q2_K, GGML_TYPE_Q5_0, GGML_TYPE_Q5_1, GGML_TYPE_Q4_0,   GGML_TYPE_Q4_1,
        GGML_TYPE_BF16, GGML_TYPE_F16,  GGML_TYPE_F32,  GGML_TYPE_IQ4_NL,
    };
    static float want[7 * 256], got[7 * 256];
    zt_auto(weights) struct zt_weights *random = NULL;
    zt_auto(device) struct zt_device *device = cpu();

    write_random(parity_path("random.gguf"));
    random = parity_open(parity_path("random.gguf"));
    for (size_t i = 0; i < ZT_COUNT(types); i++) {
        const char *label = ggml_type_name(types[i]);
        zt_auto(weights) struct zt_weights *rounded = NULL;
        parity_convert(random, types[i], parity_same_name, NULL, parity_path("type.gguf"));
        rounded = parity_open(parity_path("type.gguf"));
        parity_convert(rounded, GGML_TYPE_F32, parity_same_name, NULL, parity_path("f32.gguf"));
        encode_file(parity_path("type.gguf"), device, got);
        encode_file(parity_path("f32.gguf"), device, want);
        double error = parity_error(got, want, ZT_COUNT(want));
        printf("%s against its values in F32: %.2e\n", label, error);
        CHECK_BELOW(label, error, 3e-2);
    }
}

static bool always(void *user)
{
    (void)user;
    return true;
}

static void stops_when_asked(void)
{
    zt_auto(weights) struct zt_weights *published = parity_open(ENCODER);
    zt_auto(device) struct zt_device *device = cpu();
    zt_auto(umt5) struct zt_umt5 *encoder = NULL;
    struct zt_err err = { 0 };
    float out[64];

    CHECK_INT("opened", zt_umt5_open(published, device, NULL, NULL, &encoder, &err), ZT_OK);
    zt_device_on_stop(device, always, NULL);
    CHECK_INT("stopped", zt_umt5_encode(encoder, (int32_t[]){ 1 }, 1, out, &err), ZT_E_CANCELLED);
}

int main(void)
{
    RUN(encodes_like_the_reference);
    RUN(large_hidden_values_fit);
    RUN(refuses_what_it_cannot_encode);
    RUN(names_what_is_missing);
    RUN(knows_its_working_memory);
    RUN(takes_every_quantisation);
    RUN(stops_when_asked);
    return check_done();
}
