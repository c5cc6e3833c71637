/*
 * card.c - see card.h. A key is a row of the table.
 */
#include "models/wan/card.h"

#include "base/auto.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "models/wan/denoise.h"

#include <string.h>

#define CARD_BYTES_MAX 65536
#define NAME_MAX_BYTES sizeof(((struct zt_card *)0)->name)
#define CARD_DEPTH_MAX 4

const char *const zt_part_names[ZT_PARTS] = { "dit", "vae", "tiny", "text", "tokenizer" };
const char *const zt_decoder_names[ZT_DECODERS] = { "vae", "tiny" };

/* The reference's own, from specs/wan.md 3.3. */
static const char default_negative[] = "色调艳丽，过曝，静态，细节模糊不清，"
                                       "字幕，风格，作品，画作，画面，静止，"
                                       "整体发灰，最差质量，低质量，"
                                       "JPEG压缩残留，丑陋的，残缺的，多余的手指，"
                                       "画得不好的手部，画得不好的脸部，畸形的，"
                                       "毁容的，形态畸形的肢体，手指融合，"
                                       "静止不动的画面，杂乱的背景，三条腿，"
                                       "背景人很多，倒着走";

void zt_card_init(struct zt_card *card)
{
    *card = (struct zt_card){
        .name = "Wan2.2-TI2V-5B",
        .schedule = { .grid = ZT_GRID_UNIFORM, .update = ZT_UPDATE_UNIPC, .steps = 50, .shift = 5 },
        .shift_480p = 3,
        .guidance = 5,
        .guidance_interval = { 0, 1 },
        .max_frames = 121,
        .overlap_frames = 5,
        .max_pixels = 1280 * 832, /* the largest of the 720p sizes is within */
    };
    memcpy(card->negative, default_negative, sizeof(default_negative));
}

enum kind { TEXT, NUMBER, INTEGER, FRAMES, WORD, LEVELS, INTERVAL, FILES };

struct row {
    const char *name;
    enum kind kind;
    size_t at;
    double min, max;          /* of numbers; max: bytes of a text */
    const char *const *words; /* of a WORD, max of them; stored as an enum */
};

#define AT(member) offsetof(struct zt_card, member)
/* clang-format off */
static const struct row rows[] = {
    { "name",           TEXT,    AT(name),            0,    NAME_MAX_BYTES,  NULL },
    { "files",          FILES,   AT(parts),           0,    0,               NULL },
    { "steps",          INTEGER, AT(schedule.steps),  1,    ZT_STEPS_MAX,    NULL },
    { "shift",          NUMBER,  AT(schedule.shift),  0.1,  100,             NULL },
    { "shift_480p",     NUMBER,  AT(shift_480p),      0.1,  100,             NULL },
    { "levels",         LEVELS,  AT(schedule.levels), 0,    1,               NULL },
    { "grid",           WORD,    AT(schedule.grid),   0,    ZT_GRIDS,        zt_grid_names },
    { "sampler",        WORD,    AT(schedule.update), 0,    ZT_UPDATES,      zt_update_names },
    { "guidance",       NUMBER,  AT(guidance),        1,    30,              NULL },
    { "guidance_interval", INTERVAL, AT(guidance_interval), 0, 1,            NULL },
    { "step_cache",     NUMBER,  AT(step_cache),      0,    1,               NULL },
    { "negative_prompt", TEXT,   AT(negative),        0,    ZT_CARD_TEXT_MAX, NULL },
    { "decoder",        WORD,    AT(decoder),         0,    ZT_DECODERS,     zt_decoder_names },
    { "w8a8",           WORD,    AT(w8a8),            0,    ZT_DIT_W8A8S,    zt_dit_w8a8_names },
    { "attention",      WORD,    AT(attention),       0,    ZT_DIT_SCORES,   zt_dit_scores_names },
    { "max_frames",     FRAMES,  AT(max_frames),      9,    241,             NULL },
    { "overlap_frames", FRAMES,  AT(overlap_frames),  1,    33,              NULL },
    { "max_pixels",     INTEGER, AT(max_pixels),      4096, 4194304,         NULL },
};
/* clang-format on */

struct reader {
    const char *file;
    struct zt_card *card;
    bool grid_given;
};

static enum zt_code bad(const struct reader *r, const char *key, const char *what,
                        struct zt_err *err)
{
    return zt_fail_field(err, ZT_E_INVALID, "model", "%s: %s %s", r->file, key, what);
}

static enum zt_code read_text(const struct reader *r, const char *key, const json_t *value,
                              char *dst, size_t size, struct zt_err *err)
{
    char what[96];

    if (!json_is_string(value))
        return bad(r, key, "must be a text", err);
    if (json_string_length(value) >= size) {
        (void)zt_format(what, sizeof(what), "must be shorter than %zu bytes", size);
        return bad(r, key, what, err);
    }
    memcpy(dst, json_string_value(value), json_string_length(value) + 1);
    return ZT_OK;
}

static enum zt_code read_number(const struct reader *r, const struct row *row, const json_t *value,
                                double *ret, struct zt_err *err)
{
    char what[96];

    *ret = json_is_number(value) ? json_number_value(value) : row->min - 1;
    bool whole = row->kind == NUMBER || json_is_integer(value);
    if (whole && *ret >= row->min && *ret <= row->max &&
        (row->kind != FRAMES || ((int)*ret - 1) % 4 == 0))
        return ZT_OK;
    (void)zt_format(what, sizeof(what), "must be %s from %g to %g%s",
                    row->kind == NUMBER ? "a number" : "a whole number", row->min, row->max,
                    row->kind == FRAMES ? ", one more than a multiple of 4" : "");
    return bad(r, row->name, what, err);
}

static enum zt_code read_word(const struct reader *r, const struct row *row, const json_t *value,
                              int *ret, struct zt_err *err)
{
    char what[128] = "must be one of";
    const char *given = json_is_string(value) ? json_string_value(value) : "";

    for (int i = 0; i < (int)row->max; i++) {
        if (strcmp(given, row->words[i]) == 0) {
            *ret = i;
            return ZT_OK;
        }
        size_t used = strlen(what);
        snprintf(what + used, sizeof(what) - used, "%s %s", i > 0 ? "," : "", row->words[i]);
    }
    return bad(r, row->name, what, err);
}

static enum zt_code read_levels(struct reader *r, const json_t *value, struct zt_err *err)
{
    struct zt_schedule *s = &r->card->schedule;

    if (!json_is_array(value) || json_array_size(value) < 1 ||
        json_array_size(value) > ZT_STEPS_MAX)
        return bad(r, "levels", "must be a list of 1 to 100 numbers", err);
    s->steps = (int)json_array_size(value);
    for (size_t i = 0; i < json_array_size(value); i++) {
        const json_t *level = json_array_get(value, i);
        if (!json_is_number(level))
            return bad(r, "levels", "must be a list of numbers", err);
        s->levels[i] = json_number_value(level);
    }
    s->grid = ZT_GRID_LEVELS;
    return ZT_OK;
}

static enum zt_code read_interval(const struct reader *r, const json_t *value, struct zt_err *err)
{
    double *ends = r->card->guidance_interval;

    for (size_t i = 0; i < 2; i++) {
        const json_t *end = json_array_get(value, i); /* NULL of what is no list */
        ends[i] = json_is_number(end) ? json_number_value(end) : -1;
    }
    if (json_array_size(value) == 2 && ends[0] >= 0 && ends[0] < ends[1] && ends[1] <= 1)
        return ZT_OK;
    return bad(r, "guidance_interval", "must be two rising numbers from 0 to 1", err);
}

/* A file's name goes into a path: it must stay in the model's folder. */
static bool stays_inside(const char *name)
{
    if (name[0] == '/' || name[0] == '\0')
        return false;
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        if (strncmp(part, "..", 2) == 0 && (part[2] == '/' || part[2] == '\0'))
            return false;
    }
    return true;
}

static enum zt_code read_files(const struct reader *r, json_t *value, struct zt_err *err)
{
    const char *key;
    json_t *name;

    if (!json_is_object(value))
        return bad(r, "files", "must be an object", err);
    json_object_foreach(value, key, name)
    {
        int part = 0;
        while (part < ZT_PARTS && strcmp(key, zt_part_names[part]) != 0)
            part++;
        if (part == ZT_PARTS)
            return bad(r, "files", "knows dit, vae, tiny, text and tokenizer", err);
        ZT_TRY(read_text(r, "files", name, r->card->parts[part], ZT_CARD_NAME_MAX, err));
        if (!stays_inside(r->card->parts[part]))
            return bad(r, "files", "must name files within the model's folder", err);
    }
    return ZT_OK;
}

static enum zt_code read_row(struct reader *r, const struct row *row, json_t *value,
                             struct zt_err *err)
{
    char *at = (char *)r->card + row->at;
    double number = 0;

    switch (row->kind) {
    case TEXT:
        return read_text(r, row->name, value, at, (size_t)row->max, err);
    case WORD:
        r->grid_given |= row->words == zt_grid_names;
        return read_word(r, row, value, (int *)(void *)at, err); /* enums are ints here */
    case LEVELS:
        return read_levels(r, value, err);
    case INTERVAL:
        return read_interval(r, value, err);
    case FILES:
        return read_files(r, value, err);
    default:
        break;
    }
    ZT_TRY(read_number(r, row, value, &number, err));
    if (row->kind == NUMBER)
        memcpy(at, &number, sizeof(number));
    else if (row->at == AT(max_pixels))
        r->card->max_pixels = (int64_t)number;
    else
        *(int *)(void *)at = (int)number;
    return ZT_OK;
}

static enum zt_code read_keys(struct reader *r, json_t *root, struct zt_err *err)
{
    const char *key;
    json_t *value;

    json_object_foreach(root, key, value)
    {
        size_t i = 0;
        while (i < ZT_COUNT(rows) && strcmp(rows[i].name, key) != 0)
            i++;
        if (i == ZT_COUNT(rows))
            return bad(r, key, "is not a key of a model card", err);
        ZT_TRY(read_row(r, &rows[i], value, err));
    }
    return ZT_OK;
}

/* What the keys must be together. A list of levels is shifted only where the card says so. */
static enum zt_code check(const struct reader *r, const json_t *root, struct zt_err *err)
{
    struct zt_card *card = r->card;
    bool levels = json_object_get(root, "levels") != NULL;

    if (levels && (r->grid_given || json_object_get(root, "steps") != NULL))
        return bad(r, "levels", "stands in place of steps and grid", err);
    if (!levels && card->schedule.grid == ZT_GRID_LEVELS)
        return bad(r, "grid", "can be levels only with a list of them", err);
    if (levels && json_object_get(root, "shift") == NULL)
        card->schedule.shift = 1;
    if (json_object_get(root, "shift_480p") == NULL &&
        (levels || json_object_get(root, "shift") != NULL))
        card->shift_480p = card->schedule.shift;
    if (card->overlap_frames >= card->max_frames)
        return bad(r, "overlap_frames", "must be below max_frames", err);
    if (zt_schedule_check(&card->schedule, err) != ZT_OK) {
        zt_err_prefix(err, "%s", r->file);
        return ZT_E_INVALID;
    }
    return ZT_OK;
}

enum zt_code zt_card_parse(const char *text, size_t n, const char *file, struct zt_card *card,
                           struct zt_err *err)
{
    static const struct zt_json_limits limits = { CARD_BYTES_MAX, CARD_DEPTH_MAX };
    struct reader r = { .file = file, .card = card };
    __attribute__((cleanup(zt_auto_json))) json_t *root = NULL;

    if (zt_json_parse(text, n, &limits, &root, err) != ZT_OK) {
        zt_err_prefix(err, "%s", file);
        return ZT_E_INVALID;
    }
    if (!json_is_object(root))
        return zt_fail_field(err, ZT_E_INVALID, "model", "%s: must be a JSON object", file);
    ZT_TRY(read_keys(&r, root, err));
    return check(&r, root, err);
}

struct zt_schedule zt_card_schedule(const struct zt_card *card, enum zt_resolution resolution)
{
    struct zt_schedule schedule = card->schedule;

    if (resolution == ZT_480P)
        schedule.shift = card->shift_480p;
    return schedule;
}

bool zt_card_guides(const struct zt_card *card, enum zt_resolution resolution)
{
    const struct zt_schedule schedule = zt_card_schedule(card, resolution);

    return card->guidance > 1 && zt_wan_guided(&schedule, card->guidance_interval);
}

enum zt_code zt_card_set_steps(struct zt_card *card, int steps, struct zt_err *err)
{
    if (card->schedule.grid == ZT_GRID_LEVELS)
        return zt_fail_field(err, ZT_E_INVALID, "steps",
                             "this model's card lists the levels of its %d steps; steps cannot be "
                             "chosen",
                             card->schedule.steps);
    card->schedule.steps = steps;
    return zt_schedule_check(&card->schedule, err);
}

enum zt_code zt_card_read(const char *folder, struct zt_card *card, struct zt_err *err)
{
    char path[PATH_MAX];
    struct zt_buf buf;

    if (!zt_format(path, sizeof(path), "%s/" ZT_CARD_FILE, folder))
        return zt_fail_field(err, ZT_E_INVALID, "model", "the path of the model is too long");
    zt_buf_init(&buf, CARD_BYTES_MAX);
    struct zt_err why = { 0 };
    enum zt_code rc = zt_file_read(path, &buf, &why);
    if (rc == ZT_OK)
        rc = zt_card_parse(buf.data ? buf.data : "", buf.n, path, card, &why);
    else if (rc == ZT_E_NOT_FOUND)
        rc = ZT_OK;
    zt_buf_clear(&buf);
    if (rc != ZT_OK && err != NULL)
        *err = why;
    return rc;
}
