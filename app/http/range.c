/* range.c - see range.h. */
#include "http/range.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/str.h"

#define UNIT "bytes="

/* The digits of text[0 ... n): a number, capped far above any file; false if not all digits. */
static bool read_count(const char *text, size_t n, int64_t *ret)
{
    const int64_t cap = INT64_MAX / 16;
    int64_t value = 0;

    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        if (value < cap / 10)
            value = value * 10 + (text[i] - '0');
        else
            value = cap;
    }
    *ret = value;
    return true;
}

enum zt_range zt_range_read(const char *header, int64_t size, int64_t *ret_first, int64_t *ret_last)
{
    if (header == NULL || strncasecmp(header, UNIT, sizeof(UNIT) - 1) != 0)
        return ZT_RANGE_WHOLE;
    const char *spec = header + sizeof(UNIT) - 1;
    spec += strspn(spec, " \t");
    size_t n = strlen(spec);
    while (n > 0 && (spec[n - 1] == ' ' || spec[n - 1] == '\t'))
        n--;
    const char *dash = memchr(spec, '-', n);
    if (dash == NULL)
        return ZT_RANGE_WHOLE;

    int64_t first = 0;
    int64_t last = size - 1;
    size_t first_n = (size_t)(dash - spec);
    size_t last_n = n - first_n - 1;
    if (first_n == 0) { /* the last so many bytes */
        int64_t count;
        if (!read_count(dash + 1, last_n, &count))
            return ZT_RANGE_WHOLE;
        if (count == 0 || size == 0)
            return ZT_RANGE_NONE;
        first = count < size ? size - count : 0;
    } else {
        if (!read_count(spec, first_n, &first))
            return ZT_RANGE_WHOLE;
        if (last_n > 0 && (!read_count(dash + 1, last_n, &last) || last < first))
            return ZT_RANGE_WHOLE;
        if (first >= size)
            return ZT_RANGE_NONE;
        if (last >= size)
            last = size - 1;
    }
    *ret_first = first;
    *ret_last = last;
    return ZT_RANGE_PART;
}

bool zt_etag_listed(const char *header, const char *tag)
{
    size_t tag_n = strlen(tag);

    for (const char *p = header; *p != '\0';) {
        p += strspn(p, " \t,");
        if (*p == '*')
            return true;
        if (p[0] == 'W' && p[1] == '/')
            p += 2;
        if (strncmp(p, tag, tag_n) == 0 && strchr(" \t,", p[tag_n]) != NULL)
            return true;
        if (*p == '"') /* past this tag: a comma inside it does not end it */
            p += 1 + strcspn(p + 1, "\"");
        p += strcspn(p, ",");
    }
    return false;
}

static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" };
static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                    "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };

void zt_http_date(int64_t unix_s, char *dst)
{
    time_t t = (time_t)unix_s;
    struct tm tm;

    if (gmtime_r(&t, &tm) == NULL || tm.tm_year < -1900 || tm.tm_year > 8099) {
        t = 0;
        gmtime_r(&t, &tm);
    }
    bool fits = zt_format(dst, ZT_HTTP_DATE, "%s, %02d %s %04d %02d:%02d:%02d GMT",
                          days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
                          tm.tm_hour, tm.tm_min, tm.tm_sec);
    zt_assert(fits);
}

static bool read_two(const char *text, int max, int *ret)
{
    int64_t value;

    if (!read_count(text, 2, &value) || value > max)
        return false;
    *ret = (int)value;
    return true;
}

bool zt_http_date_read(const char *text, int64_t *ret_unix_s)
{
    struct tm tm = { 0 };
    char again[ZT_HTTP_DATE];
    int64_t year;
    int month = 0;

    if (strlen(text) != 29)
        return false;
    while (month < 12 && strncmp(text + 8, months[month], 3) != 0)
        month++;
    if (month == 12 || !read_two(text + 5, 31, &tm.tm_mday) || !read_count(text + 12, 4, &year) ||
        !read_two(text + 17, 23, &tm.tm_hour) || !read_two(text + 20, 59, &tm.tm_min) ||
        !read_two(text + 23, 60, &tm.tm_sec))
        return false;
    tm.tm_mon = month;
    tm.tm_year = (int)year - 1900;
    int64_t unix_s = (int64_t)timegm(&tm);
    zt_http_date(unix_s, again); /* the punctuation, the weekday, the 31st of February */
    if (strcmp(again, text) != 0)
        return false;
    *ret_unix_s = unix_s;
    return true;
}
