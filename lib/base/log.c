/* log.c - see log.h. A line is written with one write(), so lines of processes do not mix. */
#include "base/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define LINE_MAX_BYTES 2048

static const char *const names[] = { "debug", "info", "warn", "error" };
_Static_assert(ZT_COUNT(names) == ZT_LOG_LEVELS, "one name for each level");

static atomic_int least_level = ZT_LOG_INFO;
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
    if (sink != NULL) {
        sink(sink_user, level, event, line);
        return;
    }
    line[length++] = '\n';
    ssize_t ignored = write(STDERR_FILENO, line, length); /* nowhere to report that to */
    (void)ignored;
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
