/*
 * log.c - see log.h. A line is written with one write(), so lines of processes do not mix. The JSON
 * form is made from the text form, so that no event can differ between the two.
 */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"

#define LINE_MAX_BYTES 2048
#define JSON_MAX_BYTES (4 * LINE_MAX_BYTES) /* a byte becomes three at most; keys gain quotes */

static const char *const names[] = { "debug", "info", "warn", "error" };
_Static_assert(ZT_COUNT(names) == ZT_LOG_LEVELS, "one name for each level");

static atomic_int least_level = ZT_LOG_INFO;
static atomic_int line_format = ZT_LOG_TEXT;
static zt_log_fn *sink;
static void *sink_user;

const char *zt_log_level_name(enum zt_log_level level)
{
    return names[level];
}

bool zt_log_level_parse(const char *name, enum zt_log_level *ret)
{
    for (size_t i = 0; i < ZT_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *ret = (enum zt_log_level)i;
            return true;
        }
    }
    return false;
}

void zt_log_set_level(enum zt_log_level level)
{
    atomic_store(&least_level, (int)level);
}

void zt_log_set_sink(zt_log_fn *fn, void *user)
{
    sink = fn;
    sink_user = user;
}

bool zt_log_wants(enum zt_log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

void zt_log_set_format(enum zt_log_format format)
{
    atomic_store(&line_format, (int)format);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

struct json {
    char text[JSON_MAX_BYTES];
    size_t n;
};

/* Room is kept for the end of a string and of the object; what does not fit is left out. */
static void add(struct json *j, const char *bytes, size_t n)
{
    if (n + 4 > sizeof(j->text) - j->n)
        return;
    memcpy(j->text + j->n, bytes, n);
    j->n += n;
}

static void add_char(struct json *j, char c)
{
    if (c == '"' || c == '\\')
        add(j, c == '"' ? "\\\"" : "\\\\", 2);
    else
        add(j, &c, 1);
}

/* Adds what begins at p, before end, as a part of a string; returns how many bytes that took. */
static size_t add_point(struct json *j, const char *p, const char *end)
{
    uint32_t point;
    size_t n = zt_utf8_next(p, (size_t)(end - p), &point);

    if (n == 0) {
        add(j, "\xEF\xBF\xBD", 3);
        return 1;
    }
    if (n > 1)
        add(j, p, n);
    else
        add_char(j, *p == 0x7F ? ' ' : *p);
    return n;
}

/* A value in quotes, with \" and \\ as zt_log_quote writes them; p is past the first quote. */
static const char *add_quoted(struct json *j, const char *p, const char *end)
{
    add(j, "\"", 1);
    while (p < end && *p != '"') {
        if (*p == '\\' && p + 1 < end && (p[1] == '"' || p[1] == '\\'))
            p++;
        if (*p == '"') {
            add_char(j, *p++);
            continue;
        }
        p += add_point(j, p, end);
    }
    add(j, "\"", 1);
    return p < end ? p + 1 : end;
}

static bool is_number(const char *p, size_t n)
{
    size_t digits = *p == '-' ? n - 1 : n;
    const char *first = p + (n - digits);

    if (digits == 0 || digits > 18 || (digits > 1 && *first == '0'))
        return false;
    for (size_t i = 0; i < digits; i++) {
        if (first[i] < '0' || first[i] > '9')
            return false;
    }
    return true;
}

static const char *add_bare(struct json *j, const char *p)
{
    const char *stop = p + strcspn(p, " "); /* the line ends with a NUL at `end` */

    if (stop > p && is_number(p, (size_t)(stop - p))) {
        add(j, p, (size_t)(stop - p));
        return stop;
    }
    add(j, "\"", 1);
    while (p < stop)
        p += add_point(j, p, stop);
    add(j, "\"", 1);
    return stop;
}

/* key=value pairs; words without a '=' have no meaning in a line and are left out. */
static void add_fields(struct json *j, const char *p, const char *end)
{
    static const char key_chars[] = "abcdefghijklmnopqrstuvwxyz0123456789_";

    while (p < end) {
        size_t n = strspn(p, key_chars);
        if (n == 0 || p + n >= end || p[n] != '=') {
            p += strcspn(p, " ");
            p += *p == ' ';
            continue;
        }
        if (4 * (size_t)(end - p) + 16 > sizeof(j->text) - j->n)
            return; /* it might be cut inside a value */
        add(j, ",\"", 2);
        add(j, p, n);
        add(j, "\":", 2);
        p += n + 1;
        p = p < end && *p == '"' ? add_quoted(j, p + 1, end) : add_bare(j, p);
    }
}

/* ---- writing ------------------------------------------------------------------------------- */

/* The line gets its newline and goes out. */
static void put(char *line, size_t n)
{
    line[n++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, n); /* nowhere to report that to */
    (void)ignored;
}

static void put_json(const char *time, enum zt_log_level level, const char *event,
                     const char *fields, const char *end)
{
    struct json j = { .n = 0 };
    int n = snprintf(j.text, sizeof(j.text), "{\"time\":\"%s\",\"level\":\"%s\",\"event\":\"%s\"",
                     time, names[level], event);

    j.n = (size_t)n;
    add_fields(&j, fields, end);
    j.text[j.n++] = '}';
    put(j.text, j.n);
}

void zt_log_write(enum zt_log_level level, const char *event, const char *fmt, ...)
{
    char time[ZT_TIME_TEXT];
    char line[LINE_MAX_BYTES];
    va_list args;

    zt_time_text(zt_now_utc_us(), time);
    int n = snprintf(line, sizeof(line), "%s %s %s ", time, names[level], event);
    va_start(args, fmt);
    int more = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, args);
    va_end(args);
    size_t length = (size_t)n + (more < 0 ? 0 : (size_t)more);
    if (length > sizeof(line) - 2)
        length = sizeof(line) - 2;
    for (size_t i = 0; i < length; i++) {
        if ((unsigned char)line[i] < 0x20)
            line[i] = ' ';
    }
    line[length] = '\0';
    if (sink != NULL)
        sink(sink_user, level, event, line);
    else if (atomic_load_explicit(&line_format, memory_order_relaxed) == ZT_LOG_JSON)
        put_json(time, level, event, line + n, line + length);
    else
        put(line, length);
}

const char *zt_log_quote(const char *text, char *dst, size_t size)
{
    size_t n = 0;

    zt_assert(size >= 8);
    dst[n++] = '"';
    for (const char *p = text ? text : ""; *p != '\0'; p++) {
        if (n + 6 > size) { /* an escape, three dots would not fit after the next one */
            memcpy(dst + n - (n > 3 ? 3 : n - 1), "...", 3);
            break;
        }
        if (*p == '"' || *p == '\\') {
            dst[n++] = '\\';
            dst[n++] = *p;
        } else if ((unsigned char)*p < 0x20 || *p == 0x7F) {
            dst[n++] = ' ';
        } else {
            dst[n++] = *p;
        }
    }
    dst[n++] = '"';
    dst[n] = '\0';
    return dst;
}
