/* settings.c - see settings.h: reading values by the rows of the table. */
#include "cli/settings.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/settings_table.h"
#include "store/users.h"

#define FILE_MAX_BYTES 65536
#define ENV_PREFIX     "ZOETROPE_"
#define ENV_MAX        64

/* ---- names --------------------------------------------------------------------------------- */

/* Changes (one letter more, less or other) from a to b; both short. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64];
    size_t n = strlen(b);

    if (n + 1 > ZT_COUNT(row) || strlen(a) + 1 > ZT_COUNT(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j];
            size_t best = corner + (a[i - 1] != b[j - 1]);
            if (above + 1 < best)
                best = above + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
            corner = above;
        }
    }
    return row[n];
}

const char *zt_nearest(const char *word, const char *const *names, size_t n)
{
    const char *nearest = NULL;
    size_t least = 1 + strlen(word) / 3; /* a third of it may be wrong */

    for (size_t i = 0; i < n; i++) {
        size_t d = distance(word, names[i]);
        bool begins = strlen(word) >= 3 && zt_starts_with(names[i], word);
        if (begins)
            d = 1;
        if (d <= least && (nearest == NULL || d < least)) {
            nearest = names[i];
            least = d;
        }
    }
    return nearest;
}

/* "max-waiting" -> "ZOETROPE_MAX_WAITING" */
static void env_name(const char *name, char dst[ENV_MAX])
{
    zt_assert(zt_format(dst, ENV_MAX, "%s%s", ENV_PREFIX, name));
    for (char *p = dst; *p != '\0'; p++) {
        if (*p == '-')
            *p = '_';
        else if (*p >= 'a' && *p <= 'z')
            *p = (char)(*p - 'a' + 'A');
    }
}

/* ---- values -------------------------------------------------------------------------------- */

bool zt_rate_parse(const char *text, struct zt_rate *ret)
{
    char number[24];
    size_t n = strcspn(text, "/");
    int64_t count = 0, window_us = ZT_SECOND_US;

    if (!zt_format(number, sizeof(number), "%.*s", (int)n, text) ||
        !zt_parse_int(number, 0, 1000000, &count))
        return false;
    if (text[n] == '/' && (!zt_parse_duration_us(text + n + 1, &window_us) ||
                           window_us < ZT_MS_US || window_us > ZT_DAY_US))
        return false;
    if (text[n] == '\0' && count != 0)
        return false;
    *ret = (struct zt_rate){ .n = (int)count, .window_us = window_us };
    return true;
}

static bool parse_durations(const char *text, struct zt_durations *ret)
{
    struct zt_durations d = { 0 };

    while (*text != '\0') {
        char one[32];
        size_t n = strcspn(text, ",");
        if (d.n == ZT_CALLBACK_RETRIES_MAX || !zt_format(one, sizeof(one), "%.*s", (int)n, text) ||
            !zt_parse_duration_us(one, &d.us[d.n]) || d.us[d.n] > 30 * ZT_DAY_US)
            return false;
        d.n++;
        text += n;
        if (*text == ',' && *++text == '\0')
            return false;
    }
    *ret = d;
    return true;
}

static bool parse_word(const char *text, const char *const *words, int *ret)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *ret = i;
            return true;
        }
    }
    return false;
}

/* A duration as one would write it: "90s", "20m", "14d". */
static const char *duration_text(int64_t us, char dst[32])
{
    static const struct {
        int64_t us;
        const char *unit;
    } units[] = {
        { ZT_DAY_US, "d" }, { ZT_HOUR_US, "h" }, { ZT_MINUTE_US, "m" }, { ZT_SECOND_US, "s" }
    };

    for (size_t i = 0; i < ZT_COUNT(units) && us > 0; i++) {
        if (us % units[i].us == 0) {
            zt_assert(zt_format(dst, 32, "%" PRId64 "%s", us / units[i].us, units[i].unit));
            return dst;
        }
    }
    zt_assert(zt_format(dst, 32, us ? "%" PRId64 "ms" : "%" PRId64, us / ZT_MS_US));
    return dst;
}

/* What a row takes, in words, for its error. */
static void describe(const struct zt_setting *row, char *dst, size_t size)
{
    char low[32], high[32];
    size_t n = 0;

    switch (row->kind) {
    case ZT_KIND_INT:
        (void)zt_format(dst, size, "a whole number from %" PRId64 " to %" PRId64, row->min,
                        row->max);
        break;
    case ZT_KIND_DURATION:
        (void)zt_format(dst, size, "a time from %s to %s, like 500ms, 30s, 10m, 2h or 7d",
                        duration_text(row->min, low), duration_text(row->max, high));
        break;
    case ZT_KIND_BYTES:
        (void)zt_format(dst, size, "a size of at least %" PRId64 " bytes, like 500K, 10M or 2G",
                        row->min);
        break;
    case ZT_KIND_BOOL:
        (void)zt_format(dst, size, "true or false");
        break;
    case ZT_KIND_WORD:
        for (int i = 0; row->words[i] != NULL && n < size; i++) {
            const char *glue = i == 0 ? "" : row->words[i + 1] != NULL ? ", " : " or ";
            n += (size_t)snprintf(dst + n, size - n, "%s%s", glue, row->words[i]);
        }
        break;
    case ZT_KIND_CREDITS:
        (void)zt_format(dst, size, "a number of credits from 0 to %" PRId64 ", like 2 or 4.5",
                        row->max / ZT_CREDIT);
        break;
    case ZT_KIND_RATE:
        (void)zt_format(dst, size, "a number and a time, like 20/10s, or 0 for no limit");
        break;
    case ZT_KIND_DURATIONS:
        (void)zt_format(dst, size, "at most %d times with commas between, like 5s,5m,2h",
                        ZT_CALLBACK_RETRIES_MAX);
        break;
    case ZT_KIND_TEXT:
        (void)zt_format(dst, size, "a text");
        break;
    }
}

static bool parse_value(const struct zt_setting *row, const char *text, void *at)
{
    int64_t *number = at;
    int64_t n = 0;

    switch (row->kind) {
    case ZT_KIND_TEXT:
        *(const char **)at = text;
        return true;
    case ZT_KIND_INT:
        return zt_parse_int(text, row->min, row->max, number);
    case ZT_KIND_DURATION:
        if (!zt_parse_duration_us(text, &n) || n < row->min || n > row->max)
            return false;
        *number = n;
        return true;
    case ZT_KIND_BYTES:
        if (!zt_parse_bytes(text, &n) || n < row->min || n > row->max)
            return false;
        *number = n;
        return true;
    case ZT_KIND_BOOL:
        return zt_parse_bool(text, at);
    case ZT_KIND_WORD:
        return parse_word(text, row->words, at);
    case ZT_KIND_CREDITS:
        if (!zt_credit_parse(text, &n) || n > row->max)
            return false;
        *number = n;
        return true;
    case ZT_KIND_RATE:
        return zt_rate_parse(text, at);
    case ZT_KIND_DURATIONS:
        return parse_durations(text, at);
    }
    return false;
}

/* from: where the text was found, as "--lease" or "ZOETROPE_LEASE". */
static enum zt_code set_value(const struct zt_setting *row, const char *text, const char *from,
                              void *base, struct zt_err *err)
{
    char allowed[256];

    if (zt_utf8_valid(text, strlen(text)) && parse_value(row, text, (char *)base + row->at))
        return ZT_OK;
    describe(row, allowed, sizeof(allowed));
    return zt_fail_field(err, ZT_E_INVALID, row->name, "%s must be %s, not '%.80s'", from, allowed,
                         text);
}

/* ---- the file ------------------------------------------------------------------------------ */

static char *trim(char *s)
{
    while (*s == ' ' || *s == '\t')
        s++;
    size_t n = strlen(s);
    while (n > 0 && (s[n - 1] == ' ' || s[n - 1] == '\t' || s[n - 1] == '\r'))
        s[--n] = '\0';
    return s;
}

static const struct zt_setting *find_setting(const char *name, size_t *ret_index)
{
    for (size_t i = 0; i < zt_settings_table_n; i++) {
        if (strcmp(zt_settings_table[i].name, name) == 0) {
            *ret_index = i;
            return &zt_settings_table[i];
        }
    }
    return NULL;
}

static enum zt_code unknown_key(const char *path, int line, const char *key, struct zt_err *err)
{
    const char *names[64];
    size_t n = 0;

    for (size_t i = 0; i < zt_settings_table_n && n < ZT_COUNT(names); i++) {
        if ((zt_settings_table[i].commands & ZT_FOR_HIDDEN) == 0)
            names[n++] = zt_settings_table[i].name;
    }
    const char *near = zt_nearest(key, names, n);
    return zt_fail(err, ZT_E_INVALID, "%s, line %d: there is no setting '%.60s'%s%s%s", path, line,
                   key, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static enum zt_code read_line(const char *path, int number, char *line, struct zt_args *args,
                              struct zt_err *err)
{
    size_t index = 0;

    line = trim(line);
    if (*line == '\0' || *line == '#')
        return ZT_OK;
    char *equals = strchr(line, '=');
    if (equals == NULL)
        return zt_fail(err, ZT_E_INVALID, "%s, line %d: expected \"name = value\"", path, number);
    *equals = '\0';
    char *key = trim(line);
    char *value = trim(equals + 1);
    const struct zt_setting *row = find_setting(key, &index);
    if (row == NULL || (row->commands & ZT_FOR_HIDDEN) != 0 || strcmp(row->name, "config") == 0)
        return unknown_key(path, number, key, err);
    args->text[index] = zt_arena_strdup(&args->arena, value);
    return ZT_OK;
}

static enum zt_code read_file(const char *path, struct zt_args *args, struct zt_err *err)
{
    struct zt_buf buf;
    enum zt_code rc;

    zt_buf_init(&buf, FILE_MAX_BYTES);
    rc = zt_file_read(path, &buf, err);
    if (rc != ZT_OK)
        zt_err_prefix(err, "the settings file %s", path);
    else if (buf.n > 0 && !zt_utf8_valid(buf.data, buf.n))
        rc = zt_fail(err, ZT_E_INVALID, "the settings file %s is not UTF-8 text", path);
    int number = 1;
    for (char *line = buf.data; rc == ZT_OK && line != NULL; number++) {
        char *end = strchr(line, '\n');
        if (end != NULL)
            *end = '\0';
        rc = read_line(path, number, line, args, err);
        line = end ? end + 1 : NULL;
    }
    zt_buf_clear(&buf);
    return rc;
}

/* ---- the command line ---------------------------------------------------------------------- */

struct flags {
    unsigned command;
    const struct zt_options *options;
    const char **option_text; /* of the command's rows */
    const char **flag_text;   /* of the settings, as flags */
};

static bool is_named(const struct zt_setting *row, const char *name, size_t n, char letter)
{
    if (letter != '\0')
        return row->letter == letter;
    return strlen(row->name) == n && strncmp(row->name, name, n) == 0;
}

/* The row of a flag, and where its text goes. */
static const struct zt_setting *find_flag(const struct flags *f, const char *name, size_t n,
                                          char letter, const char ***ret_text)
{
    for (size_t i = 0; i < f->options->n; i++) {
        if (is_named(&f->options->rows[i], name, n, letter)) {
            *ret_text = &f->option_text[i];
            return &f->options->rows[i];
        }
    }
    for (size_t i = 0; i < zt_settings_table_n; i++) {
        const struct zt_setting *row = &zt_settings_table[i];
        if ((row->commands & f->command) != 0 && is_named(row, name, n, letter)) {
            *ret_text = &f->flag_text[i];
            return row;
        }
    }
    return NULL;
}

static enum zt_code unknown_flag(const struct flags *f, const char *flag, struct zt_err *err)
{
    const char *names[96];
    char name[64];
    size_t n = 0;

    for (size_t i = 0; i < f->options->n && n < ZT_COUNT(names); i++)
        names[n++] = f->options->rows[i].name;
    for (size_t i = 0; i < zt_settings_table_n && n < ZT_COUNT(names); i++) {
        unsigned commands = zt_settings_table[i].commands;
        if ((commands & f->command) != 0 && (commands & ZT_FOR_HIDDEN) == 0)
            names[n++] = zt_settings_table[i].name;
    }
    const char *bare = flag + strspn(flag, "-");
    (void)zt_format(name, sizeof(name), "%.*s", (int)strcspn(bare, "="), bare);
    const char *near = zt_nearest(name, names, n);
    return zt_fail(err, ZT_E_INVALID, "unknown flag %.60s%s%s%s", flag,
                   near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
}

/* One flag at argv[*i]; moves *i on when its value is the next word. */
static enum zt_code read_flag(const struct flags *f, int argc, char *const *argv, int *i,
                              struct zt_err *err)
{
    const char *flag = argv[*i];
    const char **text = NULL;
    bool is_long = flag[1] == '-';
    const char *name = flag + (is_long ? 2 : 1);
    size_t n = is_long ? strcspn(name, "=") : 1;
    const char *value =
        is_long ? (name[n] == '=' ? name + n + 1 : NULL) : (name[1] != '\0' ? name + 1 : NULL);
    const struct zt_setting *row = find_flag(f, name, n, is_long ? '\0' : *name, &text);

    if (row == NULL && is_long && value == NULL && zt_starts_with(name, "no-")) {
        row = find_flag(f, name + 3, n - 3, '\0', &text);
        row = row != NULL && row->kind == ZT_KIND_BOOL ? row : NULL;
        value = "false";
    }
    if (row == NULL)
        return unknown_flag(f, flag, err);
    if (value == NULL && row->kind == ZT_KIND_BOOL)
        value = "true";
    if (value == NULL && *i + 1 < argc)
        value = argv[++*i];
    if (value == NULL)
        return zt_fail_field(err, ZT_E_INVALID, row->name, "%s needs a value", flag);
    *text = value;
    return ZT_OK;
}

static enum zt_code read_words(const struct flags *f, int argc, char *const *argv,
                               struct zt_args *ret, struct zt_err *err)
{
    bool flags_over = false;

    for (int i = 0; i < argc; i++) {
        const char *word = argv[i];
        if (!flags_over && strcmp(word, "--") == 0) {
            flags_over = true;
        } else if (!flags_over && word[0] == '-' && word[1] != '\0' &&
                   !isdigit((unsigned char)word[1])) {
            ZT_TRY(read_flag(f, argc, argv, &i, err));
        } else if (ret->n == (int)ZT_COUNT(ret->word)) {
            return zt_fail(err, ZT_E_INVALID, "more than %d words", (int)ZT_COUNT(ret->word));
        } else {
            ret->word[ret->n++] = word;
        }
    }
    return ZT_OK;
}

/* ---- putting it together ------------------------------------------------------------------- */

static const char *default_data(struct zt_arena *arena)
{
    const char *xdg = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");

    if (xdg != NULL && *xdg == '/')
        return zt_arena_printf(arena, "%s/zoetrope", xdg);
    if (home != NULL && *home == '/')
        return zt_arena_printf(arena, "%s/.local/share/zoetrope", home);
    return NULL;
}

/* Settings whose values only make sense together. */
static enum zt_code check_together(const struct zt_config *c, unsigned command, struct zt_err *err)
{
    if ((command & (ZT_FOR_SERVE | ZT_FOR_WORKER)) != 0 && c->renew_us > c->lease_us / 2)
        return zt_fail_field(err, ZT_E_INVALID, "heartbeat",
                             "heartbeat must be at most half of lease (%" PRId64
                             " ms), not %" PRId64 " ms",
                             c->lease_us / 2 / ZT_MS_US, c->renew_us / ZT_MS_US);
    if ((command & ZT_FOR_SERVE) != 0 && c->callback_lease_us <= c->callback_timeout_us)
        return zt_fail_field(err, ZT_E_INVALID, "callback-lease",
                             "callback-lease must be longer than callback-timeout (%" PRId64
                             " ms), not %" PRId64 " ms",
                             c->callback_timeout_us / ZT_MS_US, c->callback_lease_us / ZT_MS_US);
    if ((command & ZT_FOR_SERVE) != 0 && (*c->tls_cert == '\0') != (*c->tls_key == '\0'))
        return zt_fail_field(err, ZT_E_INVALID, "tls-cert",
                             "tls-cert and tls-key go together: %s is missing",
                             *c->tls_cert ? "tls-key" : "tls-cert");
    return ZT_OK;
}

/* One setting from the highest source that has it. */
static enum zt_code settle(struct zt_args *args, size_t i, const char *flag, unsigned command,
                           struct zt_err *err)
{
    const struct zt_setting *row = &zt_settings_table[i];
    const char *in_file = args->text[i];
    char env[ENV_MAX], from[ENV_MAX + 8];

    args->text[i] = NULL;
    if ((row->commands & command) == 0) {
        if (row->fallback != NULL) /* not this command's: a sound value all the same */
            zt_assert(set_value(row, row->fallback, row->name, &args->config, err) == ZT_OK);
        return ZT_OK;
    }
    env_name(row->name, env);
    const char *text = flag;
    zt_assert(zt_format(from, sizeof(from), "--%s", row->name));
    if (text == NULL && (row->commands & ZT_FOR_HIDDEN) == 0 && getenv(env) != NULL) {
        text = getenv(env);
        zt_assert(zt_format(from, sizeof(from), "%s", env));
    }
    if (text == NULL && in_file != NULL) {
        text = in_file;
        zt_assert(zt_format(from, sizeof(from), "%s", row->name));
    }
    if (text == NULL)
        text = row->fallback != NULL ? row->fallback : default_data(&args->arena);
    if (text == NULL)
        return zt_fail_field(err, ZT_E_INVALID, row->name,
                             "neither XDG_DATA_HOME nor HOME is set: name a folder with --%s",
                             row->name);
    args->text[i] = zt_arena_strdup(&args->arena, text);
    return set_value(row, args->text[i], from, &args->config, err);
}

enum zt_code zt_args_read(unsigned command, const struct zt_options *options, int argc,
                          char *const *argv, struct zt_args *ret, struct zt_err *err)
{
    static const struct zt_options none;
    struct flags f = { .command = command, .options = options ? options : &none };
    size_t config = 0;

    ret->given_n = argc;
    ret->given = argv;
    size_t bytes = zt_settings_table_n * sizeof(char *);
    ret->text = zt_arena_alloc(&ret->arena, bytes);
    f.flag_text = zt_arena_alloc(&ret->arena, bytes);
    f.option_text = zt_arena_alloc(&ret->arena, (f.options->n + 1) * sizeof(char *));
    ZT_TRY(read_words(&f, argc, argv, ret, err));
    zt_assert(find_setting("config", &config) != NULL);
    const char *path = f.flag_text[config] ? f.flag_text[config] : getenv(ENV_PREFIX "CONFIG");
    if (path != NULL && *path != '\0' && (zt_settings_table[config].commands & command) != 0)
        ZT_TRY(read_file(path, ret, err));
    for (size_t i = 0; i < zt_settings_table_n; i++)
        ZT_TRY(settle(ret, i, f.flag_text[i], command, err));
    for (size_t i = 0; i < f.options->n; i++) {
        const struct zt_setting *row = &f.options->rows[i];
        char from[ENV_MAX + 8];
        const char *text = f.option_text[i] ? f.option_text[i] : row->fallback;
        zt_assert(zt_format(from, sizeof(from), "--%s", row->name));
        if (text != NULL)
            ZT_TRY(set_value(row, text, from, ret->own, err));
    }
    return check_together(&ret->config, command, err);
}

const char *zt_args_waiting(const struct zt_args *old, struct zt_args *fresh)
{
    const char *names = "";

    for (size_t i = 0; i < zt_settings_table_n; i++) {
        const char *was = old->text[i] ? old->text[i] : "";
        const char *is = fresh->text[i] ? fresh->text[i] : "";
        if (!zt_settings_table[i].live && strcmp(was, is) != 0)
            names = zt_arena_printf(&fresh->arena, "%s%s%s", names, *names ? "," : "",
                                    zt_settings_table[i].name);
    }
    return names;
}

void zt_args_clear(struct zt_args *args)
{
    zt_arena_clear(&args->arena);
    *args = (struct zt_args){ 0 };
}

const char *const *zt_args_for_worker(struct zt_args *args)
{
    const char **argv =
        zt_arena_alloc(&args->arena, (zt_settings_table_n + 3) * sizeof(const char *));
    int n = 0;

    argv[n++] = "zoetrope";
    argv[n++] = "worker";
    for (size_t i = 0; i < zt_settings_table_n; i++) {
        const struct zt_setting *row = &zt_settings_table[i];
        bool passed = (row->commands & ZT_FOR_WORKER) != 0 &&
                      (row->commands & ZT_FOR_HIDDEN) == 0 && strcmp(row->name, "config") != 0;
        if (passed && args->text[i] != NULL)
            argv[n++] = zt_arena_printf(&args->arena, "--%s=%s", row->name, args->text[i]);
    }
    return argv;
}
