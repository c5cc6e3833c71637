/* models.c - zoetrope models: what weight files hold, whether they are sound, and smaller ones. */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/stop.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/models_walk.h"
#include "cli/term.h"

#define QUIET_US (2 * ZT_SECOND_US) /* shorter work shows no bar */
#define PARTS    5

struct own {
    const char *models, *output;
    int type;
    int64_t threads;
    bool json, tensors, force;
};

static const char *const types[] = { "f32",  "f16",  "bf16", "q8_0", "q4_0",
                                     "q4_k", "q5_k", "q6_k", NULL };

/* ---- shared -------------------------------------------------------------------------------- */

struct bar {
    struct zt_term term;
    struct zt_stop *stop;
    const char *stage;
};

static void bar_init(struct bar *bar, const char *stage)
{
    zt_term_init(&bar->term);
    bar->stage = stage;
}

static bool on_progress(void *user, size_t done, size_t all)
{
    struct bar *bar = user;
    const struct zt_progress progress = {
        .stage = bar->stage,
        .step = (int)(done >> 20),
        .steps = (int)(all >> 20),
        .percent = all > 0 ? (int)((double)done * 100 / (double)all) : 100,
    };

    if (zt_now_mono_us() - bar->term.began_us > QUIET_US)
        zt_term_progress(&bar->term, &progress);
    return zt_stop_asked(bar->stop);
}

static void put_size(int64_t bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
    double v = (double)bytes;
    size_t unit = 0;

    for (; v >= 1024 && unit + 1 < ZT_COUNT(units); unit++)
        v /= 1024;
    printf("%.*f %s", unit > 0 && v < 100 ? 1 : 0, v, units[unit]);
}

static const char *or_dash(const char *s)
{
    return *s ? s : "-";
}

/* ---- inspect ------------------------------------------------------------------------------- */

static void put_shape(const struct zt_model_tensor *t, const char *between)
{
    putchar('[');
    for (int i = 0; i < t->n_dims; i++)
        printf("%s%" PRId64, i ? between : "", t->shape[i]);
    putchar(']');
}

static void put_info_json(const struct zt_model_info *info)
{
    zt_json_put_text("part", info->part);
    zt_json_put_text("model", info->model);
    zt_json_put_text("format", info->format);
    zt_json_put_text("type", info->type);
    printf(",\"tensors_n\":%zu,\"elements\":%" PRId64 ",\"bytes\":%" PRId64, info->tensors,
           info->elements, info->bytes);
}

static void inspect_json(const struct zt_model_file *model, const struct zt_model_info *info,
                         const char *path)
{
    struct zt_model_tensor t;
    const char *key, *value;

    printf("{\"path\":");
    zt_json_put(path);
    put_info_json(info);
    printf(",\"metadata\":{");
    for (size_t i = 0; (value = zt_model_file_meta(model, i, &key)) != NULL; i++) {
        printf("%s", i ? "," : "");
        zt_json_put(key);
        putchar(':');
        zt_json_put(value);
    }
    printf("},\"tensors\":[");
    for (size_t i = 0; zt_model_file_tensor(model, i, &t); i++) {
        printf("%s\n{\"name\":", i ? "," : "");
        zt_json_put(t.name);
        zt_json_put_text("type", t.type);
        printf(",\"shape\":");
        put_shape(&t, ",");
        printf(",\"bytes\":%" PRId64, t.bytes);
        zt_json_put_text("file", t.file);
        putchar('}');
    }
    printf("]}\n");
}

/* Names come from files: what a terminal would obey is shown as '?'. */
static void put_plain(const char *s, int most)
{
    for (int i = 0; s[i] != '\0' && i < most; i++)
        putchar((unsigned char)s[i] < 0x20 || s[i] == 0x7f ? '?' : s[i]);
}

static void inspect_text(const struct zt_model_file *model, const struct zt_model_info *info,
                         bool tensors)
{
    struct zt_model_tensor t;
    const char *key, *value;

    printf("part      %s\nmodel     %s\nformat    %s\ntype      %s\n", or_dash(info->part),
           or_dash(info->model), info->format, info->type);
    printf("tensors   %zu, %" PRId64 " elements, ", info->tensors, info->elements);
    put_size(info->bytes);
    putchar('\n');
    for (size_t i = 0; (value = zt_model_file_meta(model, i, &key)) != NULL; i++) {
        printf("metadata  ");
        put_plain(key, 80);
        printf(" = ");
        put_plain(value, 120);
        putchar('\n');
    }
    for (size_t i = 0; tensors && zt_model_file_tensor(model, i, &t); i++) {
        printf("%-9s ", t.type);
        put_plain(t.name, INT_MAX);
        putchar(' ');
        put_shape(&t, ", ");
        putchar('\n');
    }
}

static enum zt_code inspect_one(const struct own *own, const char *path, struct zt_err *err)
{
    struct zt_model_file *model = NULL;
    struct zt_model_info info;

    ZT_TRY(zt_model_file_open(path, &model, err));
    zt_model_file_info(model, &info);
    if (own->json)
        inspect_json(model, &info, path);
    else
        inspect_text(model, &info, own->tensors);
    zt_model_file_close(model);
    return ZT_OK;
}

struct each {
    const struct own *own;
    int n;
};

static enum zt_code inspect_each(void *user, const char *path, const char *shown,
                                 struct zt_err *err)
{
    struct each *each = user;

    if (!each->own->json)
        printf("%s%s:\n", each->n ? "\n" : "", shown);
    each->n++;
    return inspect_one(each->own, path, err);
}

/* A folder with no weights of its own may have them in the folders in it: a diffusers folder. */
static enum zt_code inspect(struct zt_args *args, struct bar *bar, struct zt_err *err)
{
    struct each each = { .own = args->own };
    struct stat st;
    bool tokenizer;

    (void)bar;
    if (stat(args->word[1], &st) != 0 || !S_ISDIR(st.st_mode))
        return inspect_one(args->own, args->word[1], err);
    ZT_TRY(zt_models_walk(args->word[1], inspect_each, &each, &tokenizer, err));
    /* Says what was looked for. */
    return each.n > 0 ? ZT_OK : inspect_one(args->own, args->word[1], err);
}

/* ---- convert ------------------------------------------------------------------------------- */

static enum zt_code convert_open(struct zt_args *args, const struct zt_model_file *model,
                                 struct bar *bar, struct zt_err *err)
{
    const struct own *own = args->own;
    const struct zt_model_convert options = { types[own->type], own->force, (int)own->threads };
    struct zt_model_file *made = NULL;
    struct zt_model_info before, after;
    int64_t began_us = zt_now_mono_us();

    bar_init(bar, "convert");
    enum zt_code rc = zt_model_file_convert(model, own->output, &options, on_progress, bar, err);
    zt_term_clear(&bar->term);
    if (rc == ZT_E_CONFLICT)
        return zt_fail(err, rc, "%.200s exists already; replace it with --force", own->output);
    ZT_TRY(rc);
    ZT_TRY(zt_model_file_open(own->output, &made, err));
    zt_model_file_info(model, &before);
    zt_model_file_info(made, &after);
    zt_model_file_close(made);
    printf("%s  %zu tensors, ", own->output, after.tensors);
    put_size(before.bytes);
    printf(" to ");
    put_size(after.bytes);
    printf(", %.1f s\n", (double)(zt_now_mono_us() - began_us) / ZT_SECOND_US);
    return ZT_OK;
}

static bool names_output(const struct own *own, struct zt_err *err)
{
    if (*own->output == '\0')
        zt_fail(err, ZT_E_INVALID, "name the new file with --output=FILE");
    else if (!zt_ends_with(own->output, ".gguf"))
        zt_fail(err, ZT_E_INVALID, "the new file is GGUF: its name must end in .gguf");
    return err->code == ZT_OK;
}

static enum zt_code convert(struct zt_args *args, struct bar *bar, struct zt_err *err)
{
    struct zt_model_file *model = NULL;

    ZT_TRY(zt_model_file_open(args->word[1], &model, err));
    enum zt_code rc = convert_open(args, model, bar, err);
    zt_model_file_close(model);
    return rc;
}

/* ---- list ---------------------------------------------------------------------------------- */

static enum zt_code list_each(void *user, const char *path, const char *shown, struct zt_err *err)
{
    struct each *each = user;
    struct zt_model_file *model = NULL;
    struct zt_model_info info = { .part = "", .model = "", .format = "", .type = "" };
    struct zt_err why = { 0 };

    (void)err;
    if (zt_model_file_open(path, &model, &why) == ZT_OK)
        zt_model_file_info(model, &info);
    if (each->own->json) {
        printf("{\"path\":");
        zt_json_put(shown);
        put_info_json(&info);
        zt_json_put_text("error", why.msg);
        printf("}\n");
    } else {
        if (each->n == 0)
            printf("%-4s  %-16s  %-11s  %-5s  %9s  %s\n", "PART", "MODEL", "FORMAT", "TYPE", "SIZE",
                   "PATH");
        printf("%-4s  %-16s  %-11s  %-5s  %6.2f GiB  ", model ? or_dash(info.part) : "!",
               or_dash(info.model), or_dash(info.format), or_dash(info.type),
               (double)info.bytes / (1 << 30));
        put_plain(shown, INT_MAX);
        printf("%s%s\n", *why.msg ? ": " : "", why.msg);
    }
    each->n++;
    zt_model_file_close(model);
    return ZT_OK;
}

static const char *models_folder(struct zt_args *args)
{
    const struct own *own = args->own;

    if (*own->models != '\0')
        return own->models;
    return zt_arena_printf(&args->arena, "%s/models", args->config.data);
}

static enum zt_code list(struct zt_args *args, struct bar *bar, struct zt_err *err)
{
    struct each each = { .own = args->own };
    const char *folder = args->n > 1 ? args->word[1] : models_folder(args);
    bool tokenizer;

    (void)bar;
    ZT_TRY(zt_models_walk(folder, list_each, &each, &tokenizer, err));
    if (each.n == 0 && !each.own->json)
        printf("no weight files in %s\n", folder);
    return ZT_OK;
}

/* ---- verify -------------------------------------------------------------------------------- */

struct verify {
    const struct own *own;
    struct bar *bar;
    int n, failed;
    bool dit, vae, text, tokenizer; /* what was met */
};

static void put_verdict(const struct verify *v, const char *shown, const char *part,
                        const char *verdict, const char *text)
{
    if (v->own->json) {
        printf("{\"path\":");
        zt_json_put(shown);
        zt_json_put_text("part", part);
        zt_json_put_text("result", verdict);
        zt_json_put_text("text", text);
        printf("}\n");
        return;
    }
    printf("%-5s %-5s ", verdict, or_dash(part));
    put_plain(shown, INT_MAX);
    printf("%s%s\n", *text ? ": " : "", text);
}

/* The names are checked first, then every value is read. */
static enum zt_code verify_open(struct verify *v, const struct zt_model_file *model,
                                const struct zt_model_info *info, struct zt_err *err)
{
    if (info->can_check)
        ZT_TRY(zt_model_file_check(model, err));
    bar_init(v->bar, "read");
    enum zt_code rc = zt_model_file_scan(model, (int)v->own->threads, on_progress, v->bar, err);
    zt_term_clear(&v->bar->term);
    return rc;
}

static enum zt_code verify_each(void *user, const char *path, const char *shown, struct zt_err *err)
{
    struct verify *v = user;
    struct zt_model_file *model = NULL;
    struct zt_model_info info = { .part = "", .model = "" };
    struct zt_err why = { 0 };
    enum zt_code rc = zt_model_file_open(path, &model, &why);

    if (rc == ZT_OK) {
        zt_model_file_info(model, &info);
        rc = verify_open(v, model, &info, &why);
    }
    v->n++;
    if (rc == ZT_E_CANCELLED) {
        zt_model_file_close(model);
        return zt_fail(err, rc, "stopped");
    }
    if (rc != ZT_OK) {
        v->failed++;
        put_verdict(v, shown, info.part, "fail", why.msg);
        if (*why.detail && !v->own->json)
            printf("      %s\n", why.detail);
    } else {
        v->dit |= strcmp(info.part, "dit") == 0;
        v->vae |= strcmp(info.part, "vae") == 0 || strcmp(info.part, "tiny") == 0;
        v->text |= strcmp(info.part, "text") == 0;
        v->tokenizer |= info.has_tokenizer;
        put_verdict(v, shown, info.part, "ok",
                    info.can_check ? ""
                                   : "all values are finite; which tensors it needs is not "
                                     "known here");
    }
    zt_model_file_close(model);
    return ZT_OK;
}

/* A folder is a whole model: nothing may be missing. */
static void verify_parts(struct verify *v)
{
    const struct {
        bool there;
        const char *part, *what;
    } parts[] = {
        { v->dit, "dit", "no sound diffusion transformer" },
        { v->vae, "vae", "no sound autoencoder" },
        { v->text, "text", "no sound text encoder" },
        { v->tokenizer, "token", "no spiece.model or tokenizer.json, and none in the encoder" },
    };
    for (size_t i = 0; i < ZT_COUNT(parts); i++) {
        if (parts[i].there)
            continue;
        v->failed++;
        put_verdict(v, ".", parts[i].part, "fail", parts[i].what);
    }
}

static enum zt_code verify(struct zt_args *args, struct bar *bar, struct zt_err *err)
{
    struct verify v = { .own = args->own, .bar = bar };
    const char *path = args->word[1];
    struct stat st;

    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode)) {
        ZT_TRY(zt_models_walk(path, verify_each, &v, &v.tokenizer, err));
        verify_parts(&v);
    } else {
        ZT_TRY(verify_each(&v, path, path, err));
    }
    if (v.failed > 0)
        return zt_fail(err, ZT_E_CORRUPT, "%d problem%s", v.failed, v.failed == 1 ? "" : "s");
    return ZT_OK;
}

/* ---- the command --------------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool needs_path;
    enum zt_code (*run)(struct zt_args *args, struct bar *bar, struct zt_err *err);
} actions[] = {
    { "inspect", true, inspect },
    { "convert", true, convert },
    { "list", false, list },
    { "verify", true, verify },
};

static int run(struct zt_args *args)
{
    struct zt_err err = { 0 };
    struct bar bar = { .stop = zt_stop_new() };

    zt_stop_on_signals(bar.stop);
    for (size_t i = 0; i < ZT_COUNT(actions); i++) {
        if (strcmp(actions[i].name, args->word[0]) != 0)
            continue;
        if (actions[i].needs_path && args->n < 2) {
            zt_fail(&err, ZT_E_INVALID, "which file or folder? zoetrope models %s PATH",
                    actions[i].name);
            return zt_command_misused("models", &err);
        }
        if (actions[i].run == convert && !names_output(args->own, &err))
            return zt_command_misused("models", &err);
        if (actions[i].run(args, &bar, &err) != ZT_OK)
            return zt_command_failed(args->n > 1 ? args->word[1] : actions[i].name, &err);
        return ZT_EXIT_OK;
    }
    zt_fail(&err, ZT_E_INVALID, "the action must be inspect, convert, list or verify, not '%.40s'",
            args->word[0]);
    return zt_command_misused("models", &err);
}

#define AT(member) offsetof(struct own, member)

/* clang-format off */
static const struct zt_setting rows[] = {
    { .name = "output", .letter = 'o', .kind = ZT_KIND_TEXT, .at = AT(output), .fallback = "",
      .value = "FILE", .help = "convert: the new file, ending in .gguf" },
    { .name = "type", .kind = ZT_KIND_WORD, .at = AT(type), .fallback = "q8_0", .words = types,
      .help = "convert: what matrices are stored as" },
    { .name = "force", .kind = ZT_KIND_BOOL, .at = AT(force), .fallback = "false",
      .help = "convert: replace the file if it exists" },
    { .name = "tensors", .kind = ZT_KIND_BOOL, .at = AT(tensors), .fallback = "false",
      .help = "inspect: list every tensor with its type and shape" },
    { .name = "models", .kind = ZT_KIND_TEXT, .at = AT(models), .fallback = "", .value = "FOLDER",
      .help = "list: where to look; default: the folder models in the data folder" },
    { .name = "threads", .kind = ZT_KIND_INT, .at = AT(threads), .fallback = "0", .max = 256,
      .help = "convert, verify: 0 for one a core" },
    { .name = "json", .kind = ZT_KIND_BOOL, .at = AT(json), .fallback = "false",
      .help = "inspect, list, verify: one JSON object a file" },
};
/* clang-format on */

const struct zt_command zt_command_models = {
    .name = "models",
    .words = "inspect|convert|list|verify [PATH]",
    .summary = "look at weight files, check them, make smaller ones",
    .about =
        "inspect  shows what a file, or a folder of them, holds\n"
        "convert  writes weights of any supported kind as one GGUF file, smaller with --type\n"
        "list     shows the weight files in a folder\n"
        "verify   checks that the tensors a model needs are there, and reads all values; of a\n"
        "         folder, also that no part of the model is missing. Exit status 3 if not\n"
        "\nWeights are safetensors (one file, or shards with an index) or GGUF.\n"
        "\nExamples:\n"
        "  zoetrope models inspect wan2.2_ti2v_5B_fp16.safetensors --tensors\n"
        "  zoetrope models convert Wan2.2-TI2V-5B/transformer --type=q8_0 -o wan-q8_0.gguf\n"
        "  zoetrope models verify ~/models/wan\n",
    .bit = ZT_FOR_STORE,
    .options = { rows, ZT_COUNT(rows) },
    .own_bytes = sizeof(struct own),
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
