/*
 * log.h - one line an event: `time level event key=value ...`, or the same as a JSON object.
 *
 *     ZT_LOG(WARN, "callback_failed", "task=%s status=%d retry_in_us=%" PRId64, id, status, wait);
 *
 * Event names are snake_case and listed in docs/OPERATIONS.md. Text from outside is passed through
 * zt_log_quote first. The sink and the level are the only global state; set them before threads
 * start. Default: stderr from info up. Never a key, a signature, a URL's query, or a prompt above
 * debug.
 */
#ifndef ZT_BASE_LOG_H
#define ZT_BASE_LOG_H

#include "base/error.h"

enum zt_log_level { ZT_LOG_DEBUG, ZT_LOG_INFO, ZT_LOG_WARN, ZT_LOG_ERROR, ZT_LOG_LEVELS };

const char *zt_log_level_name(enum zt_log_level level);
bool zt_log_level_parse(const char *name, enum zt_log_level *ret);

/*
 * How lines look. JSON: one object a line with "time", "level", "event" and the keys of the line in
 * their order; a bare whole number becomes a number, all else a string. Bytes that are not UTF-8
 * become U+FFFD.
 */
enum zt_log_format { ZT_LOG_TEXT, ZT_LOG_JSON };
void zt_log_set_format(enum zt_log_format format);

/* One whole line without its newline. Called by any thread. */
typedef void zt_log_fn(void *user, enum zt_log_level level, const char *event, const char *line);

void zt_log_set_level(enum zt_log_level level);
void zt_log_set_sink(zt_log_fn *fn, void *user); /* NULL: stderr */
bool zt_log_wants(enum zt_log_level level);

void zt_log_write(enum zt_log_level level, const char *event, const char *fmt, ...) ZT_PRINTF(3, 4);

#define ZT_LOG(level, event, ...)                                                                  \
    do {                                                                                           \
        if (zt_log_wants(ZT_LOG_##level))                                                          \
            zt_log_write(ZT_LOG_##level, event, __VA_ARGS__);                                      \
    } while (0)

/*
 * Text from outside as a quoted value: control characters, quotes and backslashes are escaped,
 * what is too long for dst is cut and marked with three dots. Returns dst.
 */
const char *zt_log_quote(const char *text, char *dst, size_t size);

#endif
