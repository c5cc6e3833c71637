/*
 * clean.c - see clean.h. The steps, their order and their tables follow ftfy 6.3; characters are
 * normalised by utf8proc.
 */
#include "models/text/clean.h"

#include <string.h>
#include <utf8proc.h>

#include "models/text/html.h"
#include "models/text/points.h"

#define PASSES_MAX                                                                                 \
    100000 /* a pass that changes the text removes a reference or settles characters */

/* Letters that are two or three in one. */
static const char *ligature(int32_t c)
{
    static const struct {
        int32_t point;
        char letters[8];
    } rows[] = {
        { 0x0132, "IJ" },      { 0x0133, "ij" }, { 0x0149, "\u02BCn" }, { 0x01F1, "DZ" },
        { 0x01F2, "Dz" },      { 0x01F3, "dz" }, { 0x01C4, "D\u017D" }, { 0x01C5, "D\u017E" },
        { 0x01C6, "d\u017E" }, { 0x01C7, "LJ" }, { 0x01C8, "Lj" },      { 0x01C9, "lj" },
        { 0x01CA, "NJ" },      { 0x01CB, "Nj" }, { 0x01CC, "nj" },      { 0xFB00, "ff" },
        { 0xFB01, "fi" },      { 0xFB02, "fl" }, { 0xFB03, "ffi" },     { 0xFB04, "ffl" },
        { 0xFB05, "\u017Ft" }, { 0xFB06, "st" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        if (rows[i].point == c)
            return rows[i].letters;
    }
    return NULL;
}

/* Curly quotation marks to straight ones, separators of lines to LF. */
static int32_t plain(int32_t c)
{
    if (c == 0x02BC || (c >= 0x2018 && c <= 0x201B))
        return '\'';
    if (c >= 0x201C && c <= 0x201F)
        return '"';
    return c == '\r' || c == 0x2028 || c == 0x2029 ? '\n' : c;
}

/* Adds c as ftfy's steps for single characters leave it. */
static enum zt_code add_plain(struct zt_points *dst, int32_t c, struct zt_err *err)
{
    utf8proc_int32_t wide[8];
    int state = 0;

    if (c < 0x80)
        return zt_points_add(dst, plain(c), err);
    c = zt_windows_1252(c);
    const char *letters = ligature(c);
    if (letters != NULL) {
        size_t first = dst->n;
        ZT_TRY(zt_points_add_utf8(dst, letters, strlen(letters), err));
        dst->at[first] = plain(dst->at[first]);
        return ZT_OK;
    }
    if (c == 0x3000)
        return zt_points_add(dst, ' ', err);
    if (c < 0xFF01 || c > 0xFFEF)
        return zt_points_add(dst, plain(c), err);
    /* Full width and half width forms, by compatibility. */
    utf8proc_ssize_t n = utf8proc_decompose_char(
        c, wide, ZT_COUNT(wide), UTF8PROC_STABLE | UTF8PROC_COMPAT | UTF8PROC_COMPOSE, &state);
    zt_assert(n > 0 && n <= (utf8proc_ssize_t)ZT_COUNT(wide));
    for (utf8proc_ssize_t i = 0; i < n; i++)
        ZT_TRY(zt_points_add(dst, plain(wide[i]), err));
    return ZT_OK;
}

static enum zt_code simplify(const struct zt_points *src, struct zt_points *dst, struct zt_err *err)
{
    size_t done = 0;

    if (src->n == 0)
        return ZT_OK;
    for (size_t i = 0; i < src->n; i++) {
        if (src->at[i] < 0x80 && src->at[i] != '\r')
            continue; /* stays; added with its neighbours */
        ZT_TRY(zt_points_add_all(dst, src->at + done, i - done, err));
        done = i + 1;
        if (src->at[i] != '\r' || done == src->n || src->at[done] != '\n')
            ZT_TRY(add_plain(dst, src->at[i], err));
    }
    return zt_points_add_all(dst, src->at + done, src->n - done, err);
}

static bool is_control(int32_t c)
{
    return (c < 0x20 && c != '\t' && c != '\n' && c != '\f' && c != '\r') || c == 0x7F ||
           (c >= 0x206A && c <= 0x206F) || c == 0xFEFF || (c >= 0xFFF9 && c <= 0xFFFC);
}

/* Points of a terminal's escape sequence at `at`: ESC [ digits and semicolons, a letter. */
static size_t terminal_escape(const int32_t *at, size_t n)
{
    size_t i = 2;

    if (n < 3 || at[0] != 0x1B || at[1] != '[')
        return 0;
    while (i < n && (at[i] == ';' || utf8proc_category(at[i]) == UTF8PROC_CATEGORY_ND))
        i++;
    bool letter = i < n && ((at[i] >= 'A' && at[i] <= 'Z') || (at[i] >= 'a' && at[i] <= 'z'));
    return letter ? i + 1 : 0;
}

static void remove_controls(struct zt_points *text)
{
    size_t n = 0;

    for (size_t i = 0; i < text->n;) {
        size_t escape = terminal_escape(text->at + i, text->n - i);
        if (escape == 0 && !is_control(text->at[i]))
            text->at[n++] = text->at[i];
        i += escape > 0 ? escape : 1;
    }
    text->n = n;
}

/* Unicode's normal form C. */
static enum zt_code compose(struct zt_points *text, struct zt_err *err)
{
    __attribute__((cleanup(zt_buf_clear))) struct zt_buf bytes = { .limit = 4 * ZT_POINTS_MAX };
    zt_auto_free utf8proc_uint8_t *composed = NULL;
    bool low = true;

    for (size_t i = 0; i < text->n; i++)
        low &= text->at[i] < 0x300; /* nothing below composes, and all of it is composed */
    if (low)
        return ZT_OK;
    ZT_TRY(zt_points_to_utf8(text, &bytes, err));
    utf8proc_ssize_t n =
        utf8proc_map((const utf8proc_uint8_t *)bytes.data, (utf8proc_ssize_t)bytes.n, &composed,
                     UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    if (n < 0)
        return zt_fail(err, n == UTF8PROC_ERROR_NOMEM ? ZT_E_NOMEM : ZT_E_INTERNAL,
                       "text can not be normalised: %s", utf8proc_errmsg(n));
    text->n = 0;
    return zt_points_add_utf8(text, (const char *)composed, (size_t)n, err);
}

/* ftfy's fix_and_explain for one line: its steps, until nothing changes. */
static enum zt_code fix_line(struct zt_points *line, bool references, struct zt_err *err)
{
    zt_auto_points struct zt_points a = { 0 };
    zt_auto_points struct zt_points b = { 0 };

    for (int pass = 0; pass < PASSES_MAX; pass++) {
        a.n = b.n = 0;
        if (references)
            ZT_TRY(zt_html_unescape_sure(line, &a, err));
        ZT_TRY(simplify(references ? &a : line, &b, err));
        remove_controls(&b);
        ZT_TRY(compose(&b, err));
        if (zt_points_equal(line, &b))
            return ZT_OK;
        struct zt_points before = *line;
        *line = b;
        b = before;
    }
    return zt_fail(err, ZT_E_LIMIT, "text is escaped more than %d times", PASSES_MAX);
}

/*
 * ftfy's fix_text. Every line is for itself, but once one has a "<" the text counts as HTML, and
 * its references stay to the end.
 */
static enum zt_code fix_text(const struct zt_points *src, struct zt_points *dst, struct zt_err *err)
{
    zt_auto_points struct zt_points line = { 0 };
    bool references = true;

    for (size_t i = 0; i < src->n;) {
        size_t end = i;
        for (bool more = true; more && end < src->n; end++) {
            references &= src->at[end] != '<';
            more = src->at[end] != '\n';
        }
        line.n = 0;
        ZT_TRY(zt_points_add_all(&line, src->at + i, end - i, err));
        ZT_TRY(fix_line(&line, references, err));
        ZT_TRY(zt_points_add_all(dst, line.at, line.n, err));
        i = end;
    }
    return ZT_OK;
}

static bool is_space(int32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

/* Runs of white space to one space, none at the ends. */
static void collapse(struct zt_points *text)
{
    size_t n = 0;
    bool gap = false;

    for (size_t i = 0; i < text->n; i++) {
        int32_t c = text->at[i];
        if (is_space(c)) {
            gap = n > 0;
            continue;
        }
        if (gap)
            text->at[n++] = ' ';
        gap = false;
        text->at[n++] = c;
    }
    text->n = n;
}

enum zt_code zt_prompt_clean(const char *text, size_t n, struct zt_buf *ret, struct zt_err *err)
{
    zt_auto_points struct zt_points a = { 0 };
    zt_auto_points struct zt_points b = { 0 };

    if (n > ZT_CLEAN_MAX_BYTES)
        return zt_fail(err, ZT_E_LIMIT, "prompt is %zu bytes long, the limit is %zu", n,
                       ZT_CLEAN_MAX_BYTES);
    ZT_TRY(zt_points_add_utf8(&a, text, n, err));
    ZT_TRY(fix_text(&a, &b, err));
    a.n = 0;
    ZT_TRY(zt_html_unescape(&b, &a, err));
    b.n = 0;
    ZT_TRY(zt_html_unescape(&a, &b, err));
    collapse(&b);
    return zt_points_to_utf8(&b, ret, err);
}
