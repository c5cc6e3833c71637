/* str.c - see str.h. */
#include "base/str.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

size_t zt_utf8_next(const char *s, size_t n, uint32_t *ret)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    const unsigned char *p = (const unsigned char *)s;

    if (n == 0 || p[0] == 0)
        return 0;
    if (p[0] < 0x80) {
        *ret = p[0];
        return 1;
    }
    size_t len = p[0] >= 0xF0 ? 4 : p[0] >= 0xE0 ? 3 : 2;
    if (p[0] < 0xC2 || p[0] > 0xF4 || len > n)
        return 0;
    uint32_t c = p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3Fu);
    }
    if (c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF))
        return 0;
    *ret = c;
    return len;
}

/* Whether 8 bytes are all ASCII and none of them is NUL. */
static bool plain_ascii(const char *s)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;

    memcpy(&word, s, sizeof(word));
    /* Without a high bit anywhere, taking 1 from each byte sets one exactly when a byte is 0. */
    return (word & high) == 0 && ((word - ones) & high) == 0;
}

bool zt_utf8_valid(const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        uint32_t c;
        if (n - i >= 8 && plain_ascii(s + i)) { /* most text there is */
            i += 8;
            continue;
        }
        size_t len = zt_utf8_next(s + i, n - i, &c);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

size_t zt_utf8_count(const char *s, size_t n)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xC0) != 0x80;
    return count;
}

/* Digits at *s into *ret, moving *s past them. False when there is none, or past INT64_MAX. */
static bool take_digits(const char **s, int64_t *ret)
{
    const char *p = *s;
    int64_t value = 0;

    for (; *p >= '0' && *p <= '9'; p++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *p - '0', &value))
            return false;
    }
    if (p == *s)
        return false;
    *s = p;
    *ret = value;
    return true;
}

bool zt_parse_int(const char *s, int64_t min, int64_t max, int64_t *ret)
{
    bool negative = *s == '-';
    int64_t value;

    s += negative;
    if (!take_digits(&s, &value) || *s != '\0')
        return false;
    if (negative)
        value = -value;
    if (value < min || value > max)
        return false;
    *ret = value;
    return true;
}

bool zt_parse_double(const char *s, double *ret)
{
    bool negative = *s == '-';
    int64_t whole = 0;
    double value;

    s += negative;
    if (!take_digits(&s, &whole))
        return false;
    value = (double)whole;
    if (*s == '.') {
        double place = 0.1;
        s++;
        if (*s < '0' || *s > '9')
            return false;
        for (; *s >= '0' && *s <= '9'; s++, place /= 10)
            value += (*s - '0') * place;
    }
    if (*s != '\0')
        return false;
    *ret = negative ? -value : value;
    return isfinite(value);
}

/* A number and one of the named units, and nothing else. */
struct unit {
    const char *name;
    int64_t factor;
};

static bool parse_unit(const char *s, const struct unit *units, size_t n, int64_t *ret)
{
    int64_t value;

    if (!take_digits(&s, &value))
        return false;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(s, units[i].name) == 0)
            return !__builtin_mul_overflow(value, units[i].factor, ret);
    }
    if (*s == '\0' && value == 0) {
        *ret = 0;
        return true;
    }
    return false;
}

bool zt_parse_duration_us(const char *s, int64_t *ret)
{
    static const struct unit units[] = {
        { "us", 1 },
        { "ms", 1000 },
        { "s", 1000000 },
        { "m", 60000000 },
        { "h", INT64_C(3600) * 1000000 },
        { "d", INT64_C(86400) * 1000000 },
    };
    return parse_unit(s, units, ZT_COUNT(units), ret);
}

bool zt_parse_bytes(const char *s, int64_t *ret)
{
    static const struct unit units[] = {
        { "", 1 },          { "K", 1 << 10 },          { "KiB", 1 << 10 },
        { "M", 1 << 20 },   { "MiB", 1 << 20 },        { "G", 1 << 30 },
        { "GiB", 1 << 30 }, { "T", INT64_C(1) << 40 }, { "TiB", INT64_C(1) << 40 },
    };
    return parse_unit(s, units, ZT_COUNT(units), ret);
}

bool zt_parse_bool(const char *s, bool *ret)
{
    static const char *const words[] = { "false", "no", "off", "0", "true", "yes", "on", "1" };

    for (size_t i = 0; i < ZT_COUNT(words); i++) {
        if (strcmp(s, words[i]) == 0) {
            *ret = i >= ZT_COUNT(words) / 2;
            return true;
        }
    }
    return false;
}

bool zt_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool zt_ends_with(const char *s, const char *suffix)
{
    size_t n = strlen(s);
    size_t m = strlen(suffix);

    return n >= m && strcmp(s + n - m, suffix) == 0;
}

void zt_hex(const uint8_t *bytes, size_t n, char *dst)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        dst[2 * i] = digits[bytes[i] >> 4];
        dst[2 * i + 1] = digits[bytes[i] & 15];
    }
    dst[2 * n] = '\0';
}

size_t zt_base64_size(size_t n)
{
    return (n + 2) / 3 * 4 + 1;
}

void zt_base64_encode(const uint8_t *bytes, size_t n, char *dst)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)bytes[i] << 16;
        if (i + 1 < n)
            v |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < n)
            v |= bytes[i + 2];
        *dst++ = digits[v >> 18];
        *dst++ = digits[v >> 12 & 63];
        *dst++ = i + 1 < n ? digits[v >> 6 & 63] : '=';
        *dst++ = i + 2 < n ? digits[v & 63] : '=';
    }
    *dst = '\0';
}

static int base64_value(unsigned char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    if (c == '/' || c == '_')
        return 63;
    return -1;
}

bool zt_base64_decode(const char *s, size_t n, uint8_t *dst, size_t *ret_n)
{
    uint32_t v = 0;
    size_t digits = 0;
    size_t out = 0;
    size_t padding = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if (c == ' ' || c == '\t' || c == '\r' || c == '\n')
            continue;
        if (c == '=') {
            padding++;
            continue;
        }
        int digit = base64_value(c);
        if (digit < 0 || padding > 0)
            return false;
        v = v << 6 | (uint32_t)digit;
        if (++digits % 4 == 0) {
            dst[out++] = (uint8_t)(v >> 16);
            dst[out++] = (uint8_t)(v >> 8);
            dst[out++] = (uint8_t)v;
            v = 0;
        }
    }
    size_t rest = digits % 4;
    if (rest == 1 || padding > 2 || (padding > 0 && (digits + padding) % 4 != 0))
        return false;
    if (rest >= 2)
        dst[out++] = (uint8_t)(rest == 2 ? v >> 4 : v >> 10);
    if (rest == 3)
        dst[out++] = (uint8_t)(v >> 2);
    *ret_n = out;
    return true;
}

bool zt_format(char *dst, size_t size, const char *fmt, ...)
{
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(dst, size, fmt, args);
    va_end(args);
    return n >= 0 && (size_t)n < size;
}
