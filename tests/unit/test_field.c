/* The reader behind every table: kinds, defaults, what problems say and how they add up. */
#include "api/field.h"

#include "check.h"

struct things {
    const char *text, *url, *image, *word;
    int seconds;
    int64_t number;
    bool flag;
    json_t *object;
};

static const char *const words[] = { "red", "green", "blue", NULL };
static const char *const one_word[] = { "only", NULL };
static const char *const seconds[] = { "5", "10", NULL };

#define AT(member) offsetof(struct things, member)
/* clang-format off */
static const struct zt_field fields[] = {
    { "text",    ZT_FIELD_TEXT,    false, AT(text),    1,  5,  NULL,    NULL,   "" },
    { "url",     ZT_FIELD_URL,     false, AT(url),     0,  0,  NULL,    NULL,   "" },
    { "image",   ZT_FIELD_IMAGE,   false, AT(image),   0,  0,  NULL,    NULL,   "" },
    { "word",    ZT_FIELD_WORD,    false, AT(word),    0,  0,  words,   "blue", "" },
    { "seconds", ZT_FIELD_SECONDS, false, AT(seconds), 2,  12, seconds, "5",    "" },
    { "number",  ZT_FIELD_INT,     false, AT(number),  -1, 9,  NULL,    "-1",   "" },
    { "flag",    ZT_FIELD_BOOL,    false, AT(flag),    0,  0,  NULL,    "true", "" },
    { "object",  ZT_FIELD_OBJECT,  false, AT(object),  0,  0,  NULL,    NULL,   "" },
};
static const struct zt_field needed[] = {
    { "text",    ZT_FIELD_TEXT,    true,  AT(text),    1,  5,  NULL,     NULL,  "" },
    { "word",    ZT_FIELD_WORD,    true,  AT(word),    0,  0,  one_word, NULL,  "" },
    { "url",     ZT_FIELD_URL,     true,  AT(url),     1,  0,  NULL,     NULL,  "" },
};
/* clang-format on */

struct outcome {
    struct zt_arena arena;
    json_t *json;
    struct things things;
    struct zt_problems problems;
    enum zt_code rc;
};

static void read_into(struct outcome *o, const struct zt_field *table, size_t n, const char *json,
                      bool extended)
{
    const struct zt_field_rules rules = { .extended_durations = extended };

    memset(o, 0, sizeof(*o));
    o->problems.arena = &o->arena;
    o->json = json_loads(json, 0, NULL);
    CHECK(json, o->json != NULL);
    o->rc = zt_fields_read(o->json, table, n, "in.", &rules, &o->things, &o->problems);
}

static void done(struct outcome *o)
{
    json_decref(o->json);
    zt_arena_clear(&o->arena);
}

static void sets_defaults(void)
{
    static const char *const rows[] = {
        "{}",
        "{\"text\":null,\"url\":null,\"word\":null,\"seconds\":null,\"number\":null,\"flag\":null}",
        "{\"other\":[1,2,{\"text\":7}],\"Text\":1}",
        "{\"url\":\"\",\"image\":\"\"}",
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct outcome o;
        read_into(&o, fields, ZT_COUNT(fields), rows[i], false);
        CHECK_INT(rows[i], o.rc, ZT_OK);
        CHECK_STR(rows[i], o.things.text, "");
        CHECK_STR(rows[i], o.things.url, "");
        CHECK_STR(rows[i], o.things.word, "blue");
        CHECK_INT(rows[i], o.things.seconds, 5);
        CHECK_INT(rows[i], o.things.number, -1);
        CHECK_INT(rows[i], o.things.flag, true);
        CHECK(rows[i], o.things.object == NULL);
        done(&o);
    }
}

static void reads_values(void)
{
    struct outcome o;

    read_into(&o, fields, ZT_COUNT(fields),
              "{\"text\":\"\\u00e9\\u00e9\\ud83d\\ude00\\u96fee\",\"url\":\"https://e.org/a?b#c\","
              "\"image\":\"data:image/png;base64,AA==\",\"word\":\"red\",\"seconds\":\"10\","
              "\"number\":9,\"flag\":false,\"object\":{\"a\":1}}",
              false);
    CHECK_INT("all", o.rc, ZT_OK);
    CHECK_STR("five characters", o.things.text, "éé😀雾e");
    CHECK_STR("url", o.things.url, "https://e.org/a?b#c");
    CHECK_STR("image", o.things.image, "data:image/png;base64,AA==");
    CHECK_STR("word", o.things.word, "red");
    CHECK_INT("seconds", o.things.seconds, 10);
    CHECK_INT("number", o.things.number, 9);
    CHECK_INT("flag", o.things.flag, false);
    CHECK("object", json_is_object(o.things.object));
    done(&o);
}

static void says_what_is_wrong(void)
{
    static const struct {
        const char *json, *text; /* NULL: nothing is */
        bool extended;
    } rows[] = {
        { "{\"text\":\"12345\"}", NULL, false },
        { "{\"text\":\"123456\"}", "in.text must be text of 1 to 5 characters, not 6", false },
        { "{\"text\":\"\"}", "in.text must be text of 1 to 5 characters, not 0", false },
        { "{\"text\":\" \\t\\u3000\"}", "in.text must not be blank", false },
        { "{\"text\":\"\\u00a0\\u200b\"}", "in.text must not be blank", false },
        { "{\"text\":7}", "in.text must be text of 1 to 5 characters, not the number 7", false },
        { "{\"text\":[]}", "in.text must be text of 1 to 5 characters, not an array", false },
        { "{\"url\":\"ftp://e.org\"}",
          "in.url must be an http or https URL, not the text 'ftp://e.org'", false },
        { "{\"url\":\"data:image/png;base64,AA==\"}", "in.url must be an http or https URL",
          false },
        { "{\"url\":\"http://u:p@e.org/\"}", "in.url must be an http or https URL", false },
        { "{\"url\":\"http://0x7f.1/\"}", "in.url must be an http or https URL", false },
        { "{\"url\":true}", "in.url must be an http or https URL, not true", false },
        { "{\"image\":\"blob:input/x\"}", "in.image must be an http, https or data: URL, not",
          false },
        { "{\"image\":\"data:image/png\"}", "comma", false },
        { "{\"word\":\"Red\"}", "in.word must be red, green or blue, not the text 'Red'", false },
        { "{\"word\":\"\"}", "in.word must be red, green or blue, not the text ''", false },
        { "{\"word\":1.5}", "in.word must be red, green or blue, not the number 1.5", false },
        { "{\"word\":{}}", "in.word must be red, green or blue, not an object", false },
        { "{\"word\":\"a\\u0001b\\\"c\"}", "not the text 'a b\"c'", false },
        { "{\"word\":\"0123456789012345678901234567890123456789012345678901234567\\u00e9\\u00e9\"}",
          "...' of 60 characters", false },
        { "{\"seconds\":5}", NULL, false },
        { "{\"seconds\":10.0}", NULL, false },
        { "{\"seconds\":7}", "in.seconds must be 5 or 10, not the number 7", false },
        { "{\"seconds\":\"05\"}", "in.seconds must be 5 or 10, not the text '05'", false },
        { "{\"seconds\":\"5s\"}", "in.seconds must be 5 or 10, not the text '5s'", false },
        { "{\"seconds\":\"\"}", "in.seconds must be 5 or 10, not the text ''", false },
        { "{\"seconds\":5.5}", "in.seconds must be 5 or 10, not the number 5.5", false },
        { "{\"seconds\":true}", "in.seconds must be 5 or 10, not true", false },
        { "{\"seconds\":7}", NULL, true },
        { "{\"seconds\":\"2\"}", NULL, true },
        { "{\"seconds\":12}", NULL, true },
        { "{\"seconds\":13}",
          "in.seconds must be a whole number of seconds from 2 to 12, not the number 13", true },
        { "{\"seconds\":1}", "from 2 to 12, not the number 1", true },
        { "{\"number\":-1}", NULL, false },
        { "{\"number\":2.0}", NULL, false },
        { "{\"number\":-2}", "in.number must be a whole number from -1 to 9, not the number -2",
          false },
        { "{\"number\":10}", "in.number must be a whole number from -1 to 9, not the number 10",
          false },
        { "{\"number\":1.5}", "in.number must be a whole number from -1 to 9, not the number 1.5",
          false },
        { "{\"number\":1e300}", "not the number 1e+300", false },
        { "{\"number\":\"5\"}", "in.number must be a whole number from -1 to 9, not the text '5'",
          false },
        { "{\"number\":false}", "from -1 to 9, not false", false },
        { "{\"flag\":\"true\"}", "in.flag must be true or false, not the text 'true'", false },
        { "{\"flag\":1}", "in.flag must be true or false, not the number 1", false },
        { "{\"flag\":{}}", "in.flag must be true or false, not an object", false },
        { "{\"object\":\"{}\"}", "in.object must be an object, not the text '{}'", false },
        { "{\"object\":[]}", "in.object must be an object, not an array", false },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct outcome o;
        read_into(&o, fields, ZT_COUNT(fields), rows[i].json, rows[i].extended);
        CHECK_INT(rows[i].json, o.rc, rows[i].text ? ZT_E_INVALID : ZT_OK);
        if (rows[i].text != NULL)
            CHECK_HAS(rows[i].json, o.problems.text, rows[i].text);
        else
            CHECK_STR(rows[i].json, o.problems.text ? o.problems.text : "", "");
        done(&o);
    }
}

static void requires_fields(void)
{
    struct outcome o;

    read_into(&o, needed, ZT_COUNT(needed), "{\"text\":null,\"url\":\"\"}", false);
    CHECK_INT("missing", o.rc, ZT_E_INVALID);
    CHECK_HAS("missing", o.problems.text,
              "in.text is required: text of 1 to 5 characters; in.word is required: only; "
              "in.url must be an http or https URL, not the text ''");
    CHECK_STR("first", o.problems.field, "in.text");
    CHECK_INT("count", o.problems.n, 3);
    done(&o);
}

static void bounds_what_it_says(void)
{
    struct zt_arena arena = { 0 };
    struct zt_problems problems = { .arena = &arena };
    char long_text[2000];

    memset(long_text, 'x', sizeof(long_text));
    long_text[sizeof(long_text) - 1] = '\0';
    for (int i = 0; i < 1000; i++)
        zt_problem(&problems, "a", " is %s", long_text);
    CHECK_INT("counted", problems.n, 1000);
    CHECK_BELOW("bytes", strlen(problems.text), 20000);
    zt_arena_clear(&arena);
}

int main(void)
{
    RUN(sets_defaults);
    RUN(reads_values);
    RUN(says_what_is_wrong);
    RUN(requires_fields);
    RUN(bounds_what_it_says);
    return check_done();
}
