/*
 * check.h - checks for test programs: a failing one prints its label and both values, and the rest
 * still run.
 *
 *     static void adds(void) { CHECK_INT("1 + 1", 1 + 1, 2); }
 *     int main(void) { RUN(adds); return check_done(); }
 *
 * check_done prints "N passed, N failed" and gives main's return value; a program that checked
 * nothing fails. Checks may be made from one thread only.
 */
#ifndef ZT_TESTS_CHECK_H
#define ZT_TESTS_CHECK_H

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static long check_passed, check_failed;
static const char *check_test = "";

static inline bool check_report(bool ok, const char *file, int line)
{
    if (ok)
        check_passed++;
    else
        printf("%s:%d: %s: ", file, line, check_test);
    check_failed += !ok;
    return ok;
}

#define RUN(fn)                                                                                    \
    do {                                                                                           \
        check_test = #fn;                                                                          \
        fn();                                                                                      \
    } while (0)

#define CHECK(label, expr)                                                                         \
    do {                                                                                           \
        if (!check_report((expr), __FILE__, __LINE__))                                             \
            printf("[%s] not true: %s\n", (label), #expr);                                         \
    } while (0)

#define CHECK_INT(label, got, want)                                                                \
    do {                                                                                           \
        intmax_t got_ = (intmax_t)(got), want_ = (intmax_t)(want);                                 \
        if (!check_report(got_ == want_, __FILE__, __LINE__))                                      \
            printf("[%s] %s is %" PRIdMAX ", not %" PRIdMAX "\n", (label), #got, got_, want_);     \
    } while (0)

#define CHECK_STR(label, got, want)                                                                \
    do {                                                                                           \
        const char *got_ = (got), *want_ = (want);                                                 \
        if (!check_report(got_ != NULL && want_ != NULL && strcmp(got_, want_) == 0, __FILE__,     \
                          __LINE__))                                                               \
            printf("[%s] %s is \"%s\", not \"%s\"\n", (label), #got, got_ ? got_ : "(null)",       \
                   want_ ? want_ : "(null)");                                                      \
    } while (0)

/* got contains part. */
#define CHECK_HAS(label, got, part)                                                                \
    do {                                                                                           \
        const char *got_ = (got), *part_ = (part);                                                 \
        if (!check_report(got_ != NULL && strstr(got_, part_) != NULL, __FILE__, __LINE__))        \
            printf("[%s] %s is \"%s\", without \"%s\"\n", (label), #got, got_ ? got_ : "(null)",   \
                   part_);                                                                         \
    } while (0)

#define CHECK_NEAR(label, got, want, tolerance)                                                    \
    do {                                                                                           \
        double got_ = (double)(got), want_ = (double)(want);                                       \
        if (!check_report(fabs(got_ - want_) <= (tolerance), __FILE__, __LINE__))                  \
            printf("[%s] %s is %.9g, not %.9g within %g\n", (label), #got, got_, want_,            \
                   (double)(tolerance));                                                           \
    } while (0)

#define CHECK_BELOW(label, got, limit)                                                             \
    do {                                                                                           \
        double got_ = (double)(got), limit_ = (double)(limit);                                     \
        if (!check_report(got_ < limit_, __FILE__, __LINE__))                                      \
            printf("[%s] %s is %.9g, not below %.9g\n", (label), #got, got_, limit_);              \
    } while (0)

static inline int check_done(void)
{
    printf("%ld passed, %ld failed\n", check_passed, check_failed);
    return check_failed > 0 || check_passed == 0;
}

#endif
