/*
 * str.h - text: UTF-8, strict numbers, durations and sizes, joining with a bound.
 *
 * Pure functions; any thread.
 */
#ifndef ZT_BASE_STR_H
#define ZT_BASE_STR_H

#include "base/error.h"

/* Whether n bytes are well-formed UTF-8 (no surrogates, no overlong forms, no NUL). */
bool zt_utf8_valid(const char *s, size_t n);

/* Code points in valid UTF-8. */
size_t zt_utf8_count(const char *s, size_t n);

/*
 * Decodes the code point at s (n bytes left) into *ret; returns its length in bytes, 0 at the end
 * of the text, on NUL or on malformed input.
 */
size_t zt_utf8_next(const char *s, size_t n, uint32_t *ret);

/* A whole decimal number and nothing else, within min ... max. No sign but '-', no spaces. */
bool zt_parse_int(const char *s, int64_t min, int64_t max, int64_t *ret);

/* A decimal number like 1, 0.25, -3.5 and nothing else; locale-independent; finite. */
bool zt_parse_double(const char *s, double *ret);

/* "250ms", "5s", "10m", "2h", "7d"; a bare 0 is zero. Microseconds. */
bool zt_parse_duration_us(const char *s, int64_t *ret);

/* "512", "64K", "10M", "2G" (powers of 1024; "KiB", "MiB", "GiB" too). Bytes. */
bool zt_parse_bytes(const char *s, int64_t *ret);

/* "true"/"yes"/"on"/"1" and "false"/"no"/"off"/"0". */
bool zt_parse_bool(const char *s, bool *ret);

bool zt_starts_with(const char *s, const char *prefix);
bool zt_ends_with(const char *s, const char *suffix);

/* Lower-case hexadecimal, NUL-terminated: dst holds 2 n + 1. */
void zt_hex(const uint8_t *bytes, size_t n, char *dst);

/* Standard base64 with padding; dst holds zt_base64_size(n). */
size_t zt_base64_size(size_t n);
void zt_base64_encode(const uint8_t *bytes, size_t n, char *dst);

/*
 * Decodes standard or URL-safe base64, padding optional, ASCII white space skipped. dst holds
 * 3 * (n / 4 + 1). False when a character or the length is wrong.
 */
bool zt_base64_decode(const char *s, size_t n, uint8_t *dst, size_t *ret_n);

/* snprintf that says whether it all fitted. */
bool zt_format(char *dst, size_t size, const char *fmt, ...) ZT_PRINTF(3, 4);

#endif
