/* html.c - see html.h. */
#include "models/text/html.h"

#include <string.h>

#include "models/text/entities.h"

#define SURE_MAX    24       /* ftfy reads a reference of at most so many letters and digits */
#define NO_POINT    (-1)     /* a reference to nothing: it is removed */
#define PAST_ALL    0x110000 /* any number too large to be a code point */
#define REPLACEMENT 0xFFFD

int32_t zt_windows_1252(int32_t point)
{
    /* The five bytes that are not assigned stay control characters. */
    static const uint16_t high[32] = {
        0x20AC, 0x0081, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160,
        0x2039, 0x0152, 0x008D, 0x017D, 0x008F, 0x0090, 0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
        0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0x009D, 0x017E, 0x0178,
    };
    return point >= 0x80 && point < 0xA0 ? high[point - 0x80] : point;
}

static bool is_digit(int32_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(int32_t c)
{
    return is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static int hex_value(int32_t c)
{
    if (is_digit(c))
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What HTML makes of a number: NO_POINT for what may not be in a document. */
static int32_t point_of_number(int32_t number)
{
    if (number == 0)
        return REPLACEMENT;
    if (number >= 0x80 && number < 0xA0)
        return zt_windows_1252(number);
    if ((number >= 0xD800 && number <= 0xDFFF) || number > 0x10FFFF)
        return REPLACEMENT;
    if (number < 0x09 || number == 0x0B || (number >= 0x0E && number < 0x20) || number == 0x7F ||
        (number >= 0xFDD0 && number <= 0xFDEF) || (number & 0xFFFE) == 0xFFFE)
        return NO_POINT;
    return number;
}

/*
 * A number after "&#", in decimal or after "x" in hexadecimal. Returns how many of the n points it
 * takes, without a semicolon; 0 when there is none.
 */
static size_t read_number(const int32_t *at, size_t n, int32_t *ret)
{
    bool hex = n > 0 && (at[0] == 'x' || at[0] == 'X');
    size_t i = hex;
    int32_t value = 0;

    for (; i < n && (hex ? hex_value(at[i]) >= 0 : is_digit(at[i])); i++) {
        value = value * (hex ? 16 : 10) + hex_value(at[i]);
        if (value > PAST_ALL)
            value = PAST_ALL;
    }
    *ret = value;
    return i > (size_t)hex ? i : 0;
}

/* Letters and digits at the front of at, at most max of them, into name. */
static size_t read_name(const int32_t *at, size_t n, char *name, size_t max)
{
    size_t i = 0;

    for (; i < n && i < max && is_alnum(at[i]); i++)
        name[i] = (char)at[i];
    return i;
}

/*
 * The reference after an ampersand: how many points it takes (0: none), and what it stands for,
 * either a named one's text or a point.
 */
static size_t read_reference(const int32_t *at, size_t n, const char **ret_text, int32_t *ret_point)
{
    char name[ZT_ENTITY_NAME_MAX];

    *ret_text = NULL;
    if (n > 0 && at[0] == '#') {
        int32_t number;
        size_t taken = read_number(at + 1, n - 1, &number);
        if (taken == 0)
            return 0;
        *ret_point = point_of_number(number);
        return 1 + taken + (taken + 1 < n && at[taken + 1] == ';');
    }
    size_t length = read_name(at, n, name, sizeof(name));
    if (length < n && at[length] == ';') {
        *ret_text = zt_entity(name, length, true);
        if (*ret_text != NULL)
            return length + 1;
    }
    for (; length >= 2; length--) {
        *ret_text = zt_entity(name, length, false);
        if (*ret_text != NULL)
            return length;
    }
    return 0;
}

/* The same by ftfy's narrower rules. */
static size_t read_sure(const int32_t *at, size_t n, const char **ret_text, int32_t *ret_point)
{
    char name[SURE_MAX];
    bool number = n > 0 && at[0] == '#';
    size_t length = read_name(at + number, n - number, name, sizeof(name));

    *ret_text = NULL;
    if (length == 0 || number + length >= n || at[number + length] != ';')
        return 0;
    if (number) {
        int32_t value;
        /* A semicolon may not be the result: ftfy takes it for a sign of a half-read reference. */
        if (read_number(at + 1, length, &value) != length || value == ';')
            return 0;
        *ret_point = point_of_number(value);
        return length + 2;
    }
    *ret_text = zt_entity(name, length, true);
    if (*ret_text == NULL)
        *ret_text = zt_entity_upper(name, length);
    return *ret_text != NULL ? length + 1 : 0;
}

typedef size_t read_fn(const int32_t *at, size_t n, const char **ret_text, int32_t *ret_point);

static enum zt_code unescape(const struct zt_points *src, read_fn *read, struct zt_points *dst,
                             struct zt_err *err)
{
    size_t done = 0;

    if (src->n == 0)
        return ZT_OK;
    for (size_t i = 0; i < src->n; i++) {
        const char *text = NULL;
        int32_t point = NO_POINT;
        if (src->at[i] != '&')
            continue;
        size_t taken = read(src->at + i + 1, src->n - i - 1, &text, &point);
        if (taken == 0)
            continue;
        ZT_TRY(zt_points_add_all(dst, src->at + done, i - done, err));
        if (text != NULL)
            ZT_TRY(zt_points_add_utf8(dst, text, strlen(text), err));
        else if (point != NO_POINT)
            ZT_TRY(zt_points_add(dst, point, err));
        i += taken;
        done = i + 1;
    }
    return zt_points_add_all(dst, src->at + done, src->n - done, err);
}

enum zt_code zt_html_unescape(const struct zt_points *src, struct zt_points *dst,
                              struct zt_err *err)
{
    return unescape(src, read_reference, dst, err);
}

enum zt_code zt_html_unescape_sure(const struct zt_points *src, struct zt_points *dst,
                                   struct zt_err *err)
{
    return unescape(src, read_sure, dst, err);
}
