/*
 * Prompt cleaning: every text that the reference cleaned (fixtures/wan/ref/tokenizer.json, from ftfy
 * and transformers), and rows for what that list does not show, their values from the same functions.
 */
#include "models/text/clean.h"

#include <stdlib.h>

#include "base/file.h"
#include "base/json.h"
#include "check.h"

#define TEXT_MAX ((size_t)1 << 20)

static const struct zt_json_limits limits = { 16 << 20, 8 };

/* Texts that were read in the wrong encoding: the reference guesses the right one, we leave them. */
static const char *const misread[] = {
    "sch\u00C3\u00B6n",
    "Fran\u00C3\u00A7ois na\u00C3\u00AFve",
    "\u00E2\u20AC\u0153quoted\u00E2\u20AC\xC2\x9D",
    "\u00C3\u00A9",
};

static bool is_misread(const char *text)
{
    for (size_t i = 0; i < ZT_COUNT(misread); i++) {
        if (strcmp(text, misread[i]) == 0)
            return true;
    }
    return false;
}

static void cleans_like_the_reference(void)
{
    struct zt_buf file = { .limit = limits.max_bytes };
    json_t *rows = NULL;
    struct zt_err err = { 0 };

    CHECK_INT("read", zt_file_read(ZT_FIXTURES "/wan/ref/tokenizer.json", &file, &err), ZT_OK);
    CHECK_INT("parse", zt_json_parse(file.data, file.n, &limits, &rows, &err), ZT_OK);
    CHECK("150 texts or more", json_array_size(rows) >= 150);
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *raw = json_object_get(json_array_get(rows, i), "raw");
        const json_t *clean = json_object_get(json_array_get(rows, i), "clean");
        struct zt_buf got = { .limit = TEXT_MAX };
        enum zt_code rc =
            zt_prompt_clean(json_string_value(raw), json_string_length(raw), &got, &err);
        CHECK_INT(json_string_value(raw), rc, ZT_OK);
        if (is_misread(json_string_value(raw)))
            CHECK("left as it is", strcmp(got.data, json_string_value(clean)) != 0);
        else
            CHECK_STR(json_string_value(raw), got.data ? got.data : "", json_string_value(clean));
        zt_buf_clear(&got);
    }
    json_decref(rows);
    zt_buf_clear(&file);
}

#define ROW(label, text, clean)                                                                    \
    {                                                                                              \
        label, text, sizeof(text) - 1, clean                                                       \
    }
/* clang-format off */
static const struct {
    const char *label, *text;
    size_t n;
    const char *clean;
} rows[] = {
    ROW("empty", "", ""),
    ROW("white space only", " \t\u3000\u2003\r\n", ""),
    ROW("every white space", "a\u00A0b\u1680c\u2028d\u202Fe\u205Ff\fg", "a b c d e f g"),
    ROW("zero width space stays", "a\u200Bb", "a\u200Bb"),
    ROW("NUL", "a\0b", "ab"),
    ROW("escape around NUL", "\x1B\0[0mx", "[0mx"),
    ROW("terminal escapes", "\x1B[1;31mred\x1B[0m", "red"),
    ROW("one escape inside another", "\x1B\x1B[0m[0mx", "[0mx"),
    ROW("digits of any script in an escape", "\x1B[\u0661mx", "x"),
    ROW("nested references, all levels", "&amp;amp;amp;amp;lt;", "<"),
    ROW("kept by ftfy after <, read twice after", "<b> &amp;amp;lt;", "<b> &lt;"),
    ROW("a < earlier in the text", "<\n&amp;amp;lt;", "< &lt;"),
    ROW("a < later in the text", "&amp;amp;amp;lt;\n<", "< <"),
    ROW("names in capitals", "P&EACUTE;REZ &SZLIG; &FILIG; &NTILDE;", "P\u00C9REZ SS FI \u00D1"),
    ROW("not in mixed case", "&nTILDE;", "&nTILDE;"),
    ROW("capitals with a name inside", "&LTIMES;", "<IMES;"),
    ROW("without a semicolon", "this&not that &copy2 &ampx", "this\u00AC that \u00A92 &x"),
    ROW("longest name wins", "&notit; &notin;", "\u00ACit; \u2209"),
    ROW("no such name", "&nosuch; & &; &#; &#x; &#xg;", "&nosuch; & &; &#; &#x; &#xg;"),
    ROW("the longest name", "&CounterClockwiseContourIntegral;", "\u2233"),
    ROW("numbers", "&#65;&#x42;&#0067; &#X44", "ABC D"),
    ROW("numbers without a character", "&#0;&#xD800;&#x110000;&#99999999999999999999;",
        "\uFFFD\uFFFD\uFFFD\uFFFD"),
    ROW("numbers that are removed", "a&#1;&#xB;&#x7F;&#xFFFE;&#xFDD0;b", "ab"),
    ROW("Windows-1252 by number", "&#x80;&#x91;&#x85;", "\u20AC'\u2026"),
    ROW("a semicolon by number", "&#59;", ";"),
    ROW("letters after the digits", "&#12ab;", "ab;"),
    ROW("C1 controls", "\xC2\x93hi\xC2\x94 \xC2\x85 \xC2\x9D",
        "\"hi\" \u2026 \xC2\x9D"),
    ROW("quotes", "\u02BC\u2018\u2019\u201A\u201B\u201C\u201D\u201E\u201F", "'''''\"\"\"\""),
    ROW("guillemets stay", "\u00ABx\u00BB", "\u00ABx\u00BB"),
    ROW("ligatures", "\u0132\u0133\u01C4\u01F2\uFB03\uFB05", "IJijD\u017DDzffi\u017Ft"),
    ROW("a ligature with a curly quote", "\u0149", "'n"),
    ROW("other ligatures stay", "\uFB14\u0153", "\uFB14\u0153"),
    ROW("full width", "\uFF21\uFF22\uFF23\uFF0C\uFF01\u3002\u3001", "ABC,!\u3002\u3001"),
    ROW("half width with a voice mark", "\uFF76\uFF9E", "\u30AC"),
    ROW("half width Hangul", "\uFFA1\uFFC2", "\uAC00"),
    ROW("a full width ampersand", "\uFF06amp\uFF1Blt;", "<"),
    ROW("composed", "e\u0301 \u1100\u1161\u11A8", "\u00E9 \uAC01"),
    ROW("marks in order", "a\u0301\u0323", "\u1EA1\u0301"),
    ROW("excluded from composition", "\u0958", "\u0915\u093C"),
    ROW("singletons", "\u212B\u2126", "\u00C5\u03A9"),
    ROW("removed", "a\uFEFF\u206A\uFFF9\uFFFC\x7F\x1F" "b", "ab"),
    ROW("joiners stay", "\U0001F468\u200D\U0001F469", "\U0001F468\u200D\U0001F469"),
    ROW("line breaks", "a\r\nb\rc\u2029d", "a b c d"),
};
/* clang-format on */

static void cleans_the_rest(void)
{
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_buf got = { .limit = TEXT_MAX };
        struct zt_err err = { 0 };
        CHECK_INT(rows[i].label, zt_prompt_clean(rows[i].text, rows[i].n, &got, &err), ZT_OK);
        CHECK_STR(rows[i].label, got.data ? got.data : "", rows[i].clean);
        zt_buf_clear(&got);
    }
}

static void refuses_what_is_no_prompt(void)
{
    static const char *const bad[] = { "\xFF", "a\xC3", "\xED\xA0\x80", "\xC0\x80",
                                       "\xF4\x90\x80\x80" };
    struct zt_buf got = { .limit = TEXT_MAX };
    struct zt_err err = { 0 };

    for (size_t i = 0; i < ZT_COUNT(bad); i++)
        CHECK_INT(bad[i], zt_prompt_clean(bad[i], strlen(bad[i]), &got, &err), ZT_E_INVALID);
    CHECK_HAS("UTF-8", err.msg, "UTF-8");
    char *text = malloc(ZT_CLEAN_MAX_BYTES + 1);
    memset(text, 'a', ZT_CLEAN_MAX_BYTES + 1);
    CHECK_INT("longest", zt_prompt_clean(text, ZT_CLEAN_MAX_BYTES, &got, &err), ZT_OK);
    CHECK_INT("longest", got.n, ZT_CLEAN_MAX_BYTES);
    CHECK_INT("longer", zt_prompt_clean(text, ZT_CLEAN_MAX_BYTES + 1, &got, &err), ZT_E_LIMIT);
    got.limit = 10;
    zt_buf_clear(&got);
    CHECK_INT("no room", zt_prompt_clean(text, 11, &got, &err), ZT_E_LIMIT);
    free(text);
    zt_buf_clear(&got);
}

/* A prompt of references in references takes a pass for each level, and that many passes end. */
static void ends_on_the_deepest_references(void)
{
    struct zt_buf text = { .limit = ZT_CLEAN_MAX_BYTES / 4 };
    struct zt_buf got = { .limit = TEXT_MAX };
    struct zt_err err = { 0 };

    zt_buf_add(&text, "&", 1, &err);
    while (zt_buf_add(&text, "amp;", 4, &err) == ZT_OK)
        ;
    CHECK_INT("deep", zt_prompt_clean(text.data, text.n, &got, &err), ZT_OK);
    CHECK_STR("deep", got.data, "&");
    zt_buf_clear(&text);
    zt_buf_clear(&got);
}

int main(void)
{
    RUN(cleans_like_the_reference);
    RUN(cleans_the_rest);
    RUN(refuses_what_is_no_prompt);
    RUN(ends_on_the_deepest_references);
    return check_done();
}
