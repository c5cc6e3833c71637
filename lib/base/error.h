/*
 * error.h - filling struct zt_err. The codes and the struct itself are public: zoetrope.h.
 *
 * An error is filled once, where it is first known. Callers pass it up unchanged or add context
 * with zt_err_prefix. Both writers replace control characters and double quotes, so that msg and
 * detail are safe in a log line, a header or JSON. Any thread; err may be NULL everywhere.
 */
#ifndef ZT_BASE_ERROR_H
#define ZT_BASE_ERROR_H

#include "zoetrope.h"

#define ZT_COUNT(a)          (sizeof(a) / sizeof((a)[0]))
#define ZT_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Fills err with a message for whoever asked and returns code. */
enum zt_code zt_fail(struct zt_err *err, enum zt_code code, const char *fmt, ...) ZT_PRINTF(3, 4);

/* The same, naming the request field or setting at fault. */
enum zt_code zt_fail_field(struct zt_err *err, enum zt_code code, const char *field,
                           const char *fmt, ...) ZT_PRINTF(4, 5);

/* Sets err->detail, the part that only the log sees. */
void zt_err_detail(struct zt_err *err, const char *fmt, ...) ZT_PRINTF(2, 3);

/* Puts "<prefix>: " in front of err->msg. */
void zt_err_prefix(struct zt_err *err, const char *fmt, ...) ZT_PRINTF(2, 3);

/*
 * ZT_E_IO (or FULL, NOMEM, DENIED, NOT_FOUND where errno says so) with what, path and errno's text.
 */
enum zt_code zt_fail_errno(struct zt_err *err, int errno_value, const char *what, const char *path);

/* Ends the process with a line on stderr: for our own mistakes, never for input. */
_Noreturn void zt_assert_failed(const char *expr, const char *file, int line);

#define zt_assert(expr) ((expr) ? (void)0 : zt_assert_failed(#expr, __FILE__, __LINE__))

/* The only macro that may hide a return. */
#define ZT_TRY(call)                                                                               \
    do {                                                                                           \
        enum zt_code zt_rc_ = (call);                                                              \
        if (zt_rc_ != ZT_OK)                                                                       \
            return zt_rc_;                                                                         \
    } while (0)

#endif
