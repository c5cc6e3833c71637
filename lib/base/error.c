/* error.c - see error.h. */
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const code_names[] = {
    [ZT_OK] = "ok",
    [ZT_E_INVALID] = "invalid",
    [ZT_E_NOT_FOUND] = "not_found",
    [ZT_E_CONFLICT] = "conflict",
    [ZT_E_DENIED] = "denied",
    [ZT_E_LIMIT] = "limit",
    [ZT_E_BUSY] = "busy",
    [ZT_E_TIMEOUT] = "timeout",
    [ZT_E_CANCELLED] = "cancelled",
    [ZT_E_CORRUPT] = "corrupt",
    [ZT_E_NOMEM] = "no_memory",
    [ZT_E_IO] = "io",
    [ZT_E_FULL] = "full",
    [ZT_E_NET] = "network",
    [ZT_E_UNSUPPORTED] = "unsupported",
    [ZT_E_INTERNAL] = "internal",
};
_Static_assert(ZT_COUNT(code_names) == ZT_CODES, "one name for each code");

/* Cuts a UTF-8 text that snprintf truncated back to a whole character, and makes it printable. */
static void make_safe(char *text, size_t size)
{
    size_t n = strlen(text);

    if (n + 1 == size) {
        size_t start = n;
        while (start > 0 && ((unsigned char)text[start - 1] & 0xC0) == 0x80)
            start--;
        if (start > 0 && (unsigned char)text[start - 1] >= 0xC0)
            text[start - 1] = '\0';
    }
    for (char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = ' ';
        else if (*p == '"')
            *p = '\'';
        else if (*p == '\\' && (p[1] == '\\' || p[1] == '"' || p[1] == '\0'))
            *p = '/'; /* else it would escape what follows it in a quoted value of the log */
    }
}

static void put(char *dst, size_t size, const char *fmt, va_list args) ZT_PRINTF(3, 0);
static void put(char *dst, size_t size, const char *fmt, va_list args)
{
    vsnprintf(dst, size, fmt, args);
    make_safe(dst, size);
}

const char *zt_code_name(enum zt_code code)
{
    return (unsigned)code < ZT_COUNT(code_names) ? code_names[code] : "unknown";
}

enum zt_code zt_fail(struct zt_err *err, enum zt_code code, const char *fmt, ...)
{
    if (err == NULL)
        return code;

    va_list args;
    va_start(args, fmt);
    *err = (struct zt_err){ .code = code };
    put(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);
    return code;
}

enum zt_code zt_fail_field(struct zt_err *err, enum zt_code code, const char *field,
                           const char *fmt, ...)
{
    if (err == NULL)
        return code;

    va_list args;
    va_start(args, fmt);
    *err = (struct zt_err){ .code = code };
    snprintf(err->field, sizeof(err->field), "%s", field);
    make_safe(err->field, sizeof(err->field));
    put(err->msg, sizeof(err->msg), fmt, args);
    va_end(args);
    return code;
}

void zt_err_detail(struct zt_err *err, const char *fmt, ...)
{
    if (err == NULL)
        return;

    va_list args;
    va_start(args, fmt);
    put(err->detail, sizeof(err->detail), fmt, args);
    va_end(args);
}

void zt_err_prefix(struct zt_err *err, const char *fmt, ...)
{
    if (err == NULL)
        return;

    char old[sizeof(err->msg)];
    char prefix[sizeof(err->msg)];
    va_list args;
    va_start(args, fmt);
    put(prefix, sizeof(prefix), fmt, args);
    va_end(args);
    memcpy(old, err->msg, sizeof(old));
    size_t n = (size_t)snprintf(err->msg, sizeof(err->msg), "%s: ", prefix);
    if (n < sizeof(err->msg) && snprintf(err->msg + n, sizeof(err->msg) - n, "%s", old) < 0)
        err->msg[n] = '\0';
    make_safe(err->msg, sizeof(err->msg));
}

enum zt_code zt_fail_errno(struct zt_err *err, int errno_value, const char *what, const char *path)
{
    char text[128] = "";
    enum zt_code code = ZT_E_IO;

    if (errno_value == ENOSPC || errno_value == EDQUOT)
        code = ZT_E_FULL;
    else if (errno_value == ENOMEM)
        code = ZT_E_NOMEM;
    else if (errno_value == EACCES || errno_value == EPERM)
        code = ZT_E_DENIED;
    else if (errno_value == ENOENT)
        code = ZT_E_NOT_FOUND;
    if (strerror_r(errno_value, text, sizeof(text)) != 0)
        snprintf(text, sizeof(text), "errno %d", errno_value);
    zt_fail(err, code, "cannot %s: %s", what, text);
    zt_err_detail(err, "%s %s: %s", what, path ? path : "-", text);
    return code;
}

void zt_assert_failed(const char *expr, const char *file, int line)
{
    fprintf(stderr, "zoetrope: assertion failed: %s (%s:%d)\n", expr, file, line);
    abort();
}
