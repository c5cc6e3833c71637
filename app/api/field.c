/* field.c - see field.h. */
#include "api/field.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "net/url.h"

#define PROBLEM_BYTES 768
#define GIVEN_BYTES   60 /* of a text that is shown back */

/* ---- problems ------------------------------------------------------------------------------ */

void zt_problem(struct zt_problems *problems, const char *field, const char *fmt, ...)
{
    char text[PROBLEM_BYTES];
    va_list args;

    if (problems->n == 0)
        snprintf(problems->field, sizeof(problems->field), "%s", field);
    if (++problems->n > ZT_PROBLEMS_MAX)
        return;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    while (text[0] != '\0' && !zt_utf8_valid(text, strlen(text)))
        text[strlen(text) - 1] = '\0'; /* a character that was cut in two */
    char *joined =
        zt_arena_printf(problems->arena, "%s%s%s%s", problems->text ? problems->text : "",
                        problems->text ? "; " : "", field, text);
    if (joined != NULL)
        problems->text = joined;
}

static const char *given_text(const json_t *value, struct zt_arena *arena)
{
    const char *text = json_string_value(value);
    size_t n = json_string_length(value);
    bool whole = n <= GIVEN_BYTES;
    char shown[GIVEN_BYTES + 1];

    if (!whole) {
        n = GIVEN_BYTES;
        while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
            n--;
    }
    for (size_t i = 0; i < n; i++)
        shown[i] = (unsigned char)text[i] < 0x20 || text[i] == 0x7F ? ' ' : text[i];
    shown[n] = '\0';
    if (whole)
        return zt_arena_printf(arena, "the text '%s'", shown);
    return zt_arena_printf(arena, "the text '%s...' of %zu characters", shown,
                           zt_utf8_count(text, json_string_length(value)));
}

const char *zt_field_given(const json_t *value, struct zt_arena *arena)
{
    const char *given = NULL;

    switch (json_typeof(value)) {
    case JSON_STRING:
        given = given_text(value, arena);
        break;
    case JSON_INTEGER:
        given =
            zt_arena_printf(arena, "the number %" JSON_INTEGER_FORMAT, json_integer_value(value));
        break;
    case JSON_REAL:
        given = zt_arena_printf(arena, "the number %.12g", json_real_value(value));
        break;
    case JSON_OBJECT:
        return "an object";
    case JSON_ARRAY:
        return "an array";
    case JSON_NULL:
        return "null";
    case JSON_TRUE:
        return "true";
    case JSON_FALSE:
        return "false";
    }
    return given ? given : "another value";
}

/* "480p, 720p or 1080p" */
static const char *list_words(const char *const *words, struct zt_arena *arena)
{
    const char *list = words[0];

    for (int i = 1; words[i] != NULL; i++)
        list = zt_arena_printf(arena, "%s%s%s", list ? list : "", words[i + 1] ? ", " : " or ",
                               words[i]);
    return list;
}

const char *zt_field_allowed(const struct zt_field *field, const struct zt_field_rules *rules,
                             struct zt_arena *arena)
{
    const char *text = NULL;

    switch (field->kind) {
    case ZT_FIELD_TEXT:
        text = zt_arena_printf(arena, "text of %" PRId64 " to %" PRId64 " characters", field->min,
                               field->max);
        break;
    case ZT_FIELD_URL:
        return "an http or https URL";
    case ZT_FIELD_IMAGE:
        return "an http, https or data: URL";
    case ZT_FIELD_WORD:
        return list_words(field->words, arena);
    case ZT_FIELD_SECONDS:
        if (!rules->extended_durations)
            return list_words(field->words, arena);
        text = zt_arena_printf(arena, "a whole number of seconds from %" PRId64 " to %" PRId64,
                               field->min, field->max);
        break;
    case ZT_FIELD_INT:
        text = zt_arena_printf(arena, "a whole number from %" PRId64 " to %" PRId64, field->min,
                               field->max);
        break;
    case ZT_FIELD_BOOL:
        return "true or false";
    case ZT_FIELD_OBJECT:
        return "an object";
    }
    return text ? text : "something else";
}

/* ---- one field ----------------------------------------------------------------------------- */

/* What reading one field takes. */
struct reading {
    const struct zt_field *field;
    const struct zt_field_rules *rules;
    const char *path;
    json_t *value;
    char *member;
    struct zt_problems *problems;
};

static void wrong(const struct reading *r)
{
    zt_problem(r->problems, r->path, " must be %s, not %s",
               zt_field_allowed(r->field, r->rules, r->problems->arena),
               zt_field_given(r->value, r->problems->arena));
}

/* White space as Unicode knows it, as far as keyboards make it. */
static bool is_blank(const char *text, size_t n)
{
    uint32_t c;
    size_t step;

    for (size_t i = 0; i < n; i += step) {
        step = zt_utf8_next(text + i, n - i, &c);
        bool blank = c == ' ' || (c >= 0x09 && c <= 0x0D) || c == 0x85 || c == 0xA0 ||
                     c == 0x1680 || (c >= 0x2000 && c <= 0x200D) || c == 0x2028 || c == 0x2029 ||
                     c == 0x202F || c == 0x205F || c == 0x2060 || c == 0x3000 || c == 0xFEFF;
        if (step == 0 || !blank)
            return false;
    }
    return true;
}

static void set_string(const struct reading *r, const char *text, size_t n)
{
    const char *copy = zt_arena_strndup(r->problems->arena, text, n);

    if (copy == NULL)
        zt_problem(r->problems, r->path, " is too long");
    else
        memcpy(r->member, &copy, sizeof(copy));
}

static void read_text(const struct reading *r)
{
    const char *text = json_string_value(r->value);
    size_t n = json_string_length(r->value);

    if (text == NULL) {
        wrong(r);
        return;
    }
    int64_t count = (int64_t)zt_utf8_count(text, n);
    if (count > 0 && is_blank(text, n))
        zt_problem(r->problems, r->path, " must not be blank");
    else if (count < r->field->min || count > r->field->max)
        zt_problem(r->problems, r->path, " must be %s, not %" PRId64,
                   zt_field_allowed(r->field, r->rules, r->problems->arena), count);
    else
        set_string(r, text, n);
}

static void read_url(const struct reading *r)
{
    const char *text = json_string_value(r->value);
    size_t n = json_string_length(r->value);
    struct zt_url url;
    struct zt_err err = { 0 };

    if (text == NULL) {
        wrong(r);
        return;
    }
    if (n == 0 && !r->field->required)
        return; /* none */
    enum zt_code rc =
        zt_url_read(text, n, r->field->kind == ZT_FIELD_IMAGE, r->problems->arena, &url, &err);
    if (rc == ZT_OK)
        set_string(r, text, n);
    else
        zt_problem(r->problems, r->path, " must be %s, not %s (%s)",
                   zt_field_allowed(r->field, r->rules, r->problems->arena),
                   zt_field_given(r->value, r->problems->arena), err.msg);
}

static void read_word(const struct reading *r)
{
    const char *text = json_string_value(r->value);

    for (const char *const *word = r->field->words; text != NULL && *word != NULL; word++) {
        if (strcmp(*word, text) == 0) {
            memcpy(r->member, word, sizeof(*word));
            return;
        }
    }
    wrong(r);
}

/* A number without a fraction, in the range. */
static bool whole_number(const json_t *value, int64_t min, int64_t max, int64_t *ret)
{
    if (json_is_integer(value)) {
        *ret = json_integer_value(value);
    } else if (json_is_real(value)) {
        double real = json_real_value(value);
        if (!(fabs(real) < 9e15) || real != floor(real))
            return false;
        *ret = (int64_t)real;
    } else {
        return false;
    }
    return *ret >= min && *ret <= max;
}

static bool is_offered(const struct zt_field *field, int64_t seconds)
{
    int64_t word;

    for (int i = 0; field->words[i] != NULL; i++) {
        if (zt_parse_int(field->words[i], field->min, field->max, &word) && word == seconds)
            return true;
    }
    return false;
}

static void read_seconds(const struct reading *r)
{
    const char *text = json_string_value(r->value);
    int64_t seconds;

    bool ok = text ? text[0] != '0' && zt_parse_int(text, r->field->min, r->field->max, &seconds)
                   : whole_number(r->value, r->field->min, r->field->max, &seconds);
    if (!ok || (!r->rules->extended_durations && !is_offered(r->field, seconds))) {
        wrong(r);
        return;
    }
    int value = (int)seconds;
    memcpy(r->member, &value, sizeof(value));
}

static void read_int(const struct reading *r)
{
    int64_t value;

    if (whole_number(r->value, r->field->min, r->field->max, &value))
        memcpy(r->member, &value, sizeof(value));
    else
        wrong(r);
}

static void read_bool(const struct reading *r)
{
    bool value = json_is_true(r->value);

    if (json_is_boolean(r->value))
        memcpy(r->member, &value, sizeof(value));
    else
        wrong(r);
}

static void read_object(const struct reading *r)
{
    if (json_is_object(r->value))
        memcpy(r->member, &r->value, sizeof(r->value)); /* NOLINT(bugprone-sizeof-expression) */
    else
        wrong(r);
}

/* The tables are ours: a default that does not parse is our mistake. */
static void set_fallback(const struct zt_field *field, char *member)
{
    const char *text = field->fallback ? field->fallback : "";
    int64_t number = 0;
    bool flag = false;
    json_t *none = NULL;

    switch (field->kind) {
    case ZT_FIELD_TEXT:
    case ZT_FIELD_URL:
    case ZT_FIELD_IMAGE:
    case ZT_FIELD_WORD:
        memcpy(member, &text, sizeof(text));
        break;
    case ZT_FIELD_SECONDS:
        zt_assert(field->fallback == NULL || zt_parse_int(text, field->min, field->max, &number));
        int seconds = (int)number;
        memcpy(member, &seconds, sizeof(seconds));
        break;
    case ZT_FIELD_INT:
        zt_assert(field->fallback == NULL || zt_parse_int(text, field->min, field->max, &number));
        memcpy(member, &number, sizeof(number));
        break;
    case ZT_FIELD_BOOL:
        zt_assert(field->fallback == NULL || zt_parse_bool(text, &flag));
        memcpy(member, &flag, sizeof(flag));
        break;
    case ZT_FIELD_OBJECT:
        memcpy(member, &none, sizeof(none)); /* NOLINT(bugprone-sizeof-expression) */
        break;
    }
}

static void (*const readers[])(const struct reading *r) = {
    [ZT_FIELD_TEXT] = read_text,       [ZT_FIELD_URL] = read_url,       [ZT_FIELD_IMAGE] = read_url,
    [ZT_FIELD_WORD] = read_word,       [ZT_FIELD_INT] = read_int,       [ZT_FIELD_BOOL] = read_bool,
    [ZT_FIELD_SECONDS] = read_seconds, [ZT_FIELD_OBJECT] = read_object,
};

enum zt_code zt_fields_read(json_t *object, const struct zt_field *fields, size_t fields_n,
                            const char *prefix, const struct zt_field_rules *rules, void *ret,
                            struct zt_problems *problems)
{
    int before = problems->n;
    char path[sizeof(problems->field)];

    for (size_t i = 0; i < fields_n; i++) {
        const struct zt_field *field = &fields[i];
        struct reading r = {
            .field = field,
            .rules = rules,
            .path = path,
            .value = json_object_get(object, field->name),
            .member = (char *)ret + field->at,
            .problems = problems,
        };
        bool fits = zt_format(path, sizeof(path), "%s%s", prefix, field->name);
        zt_assert(fits);
        set_fallback(field, r.member);
        if (r.value != NULL && !json_is_null(r.value))
            readers[field->kind](&r);
        else if (field->required)
            zt_problem(problems, path, " is required: %s",
                       zt_field_allowed(field, rules, problems->arena));
    }
    return problems->n > before ? ZT_E_INVALID : ZT_OK;
}
