/*
 * field.h - reading a JSON object by a table: one row a field gives the check, the default, the
 * error text and the schema in the OpenAPI document.
 *
 * All problems of a request are collected, so that one answer names them all. Fields that no row
 * names are ignored. null means that the field was not sent.
 */
#ifndef ZT_API_FIELD_H
#define ZT_API_FIELD_H

#include <jansson.h>

#include "base/arena.h"

enum zt_field_kind {
    ZT_FIELD_TEXT,    /* const char *: min ... max code points, not blank */
    ZT_FIELD_URL,     /* const char *: http or https; "" is none unless required */
    ZT_FIELD_IMAGE,   /* const char *: http, https or data:; "" is none unless required */
    ZT_FIELD_WORD,    /* const char *: one of words */
    ZT_FIELD_SECONDS, /* int: one of words, as text or number; or any of min ... max, see rules */
    ZT_FIELD_INT,     /* int64_t: min ... max; 2.0 counts as 2 */
    ZT_FIELD_BOOL,    /* bool: true or false */
    ZT_FIELD_OBJECT,  /* json_t *: borrowed from the object read */
};

struct zt_field {
    const char *name;
    enum zt_field_kind kind;
    bool required;
    size_t at; /* offset of the member in the struct that is filled */
    int64_t min, max;
    const char *const *words; /* NULL at the end */
    const char *fallback;     /* the default, as its words or digits; NULL: "", 0, false, NULL */
    const char *about;        /* one line for the OpenAPI document */
};

/* What the operator may change about the tables. */
struct zt_field_rules {
    bool extended_durations; /* ZT_FIELD_SECONDS takes min ... max instead of words */
};

/* What is wrong with a request. Zeroed but for the arena: nothing yet. */
struct zt_problems {
    struct zt_arena *arena;
    char *text; /* "a is required; b must be ..., not ..."; NULL: no problem */
    int n;
    char field[64]; /* the path of the first one */
};

/* Past ZT_PROBLEMS_MAX, problems are counted only. */
#define ZT_PROBLEMS_MAX 20
void zt_problem(struct zt_problems *problems, const char *field, const char *fmt, ...)
    ZT_PRINTF(3, 4);

/*
 * Fills the members of `ret` that the rows name, from `object`. prefix is put before names in
 * messages: "input." or "". Strings live in the problems' arena. ZT_E_INVALID when a problem was
 * added; the members of wrong fields have their defaults then.
 */
enum zt_code zt_fields_read(json_t *object, const struct zt_field *fields, size_t fields_n,
                            const char *prefix, const struct zt_field_rules *rules, void *ret,
                            struct zt_problems *problems);

/* What a field takes, for people: "480p, 720p or 1080p". In arena. */
const char *zt_field_allowed(const struct zt_field *field, const struct zt_field_rules *rules,
                             struct zt_arena *arena);

/* What was given, for people: "the text 'abc'", "the number 7", "an object". In arena. */
const char *zt_field_given(const json_t *value, struct zt_arena *arena);

#endif
