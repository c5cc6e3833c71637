/*
 * range.h - byte ranges, entity tags and HTTP dates (RFC 9110). Pure functions; any thread.
 */
#ifndef ZT_HTTP_RANGE_H
#define ZT_HTTP_RANGE_H

#include "base/error.h"

enum zt_range { ZT_RANGE_WHOLE, ZT_RANGE_PART, ZT_RANGE_NONE };

/*
 * Reads a Range header against a file of `size` bytes.
 *   ZT_RANGE_WHOLE  no header (NULL), another unit, malformed, or several ranges: send all
 *   ZT_RANGE_PART   *ret_first ... *ret_last, both inside the file
 *   ZT_RANGE_NONE   well-formed, but nothing of it is inside the file: 416
 */
enum zt_range zt_range_read(const char *header, int64_t size, int64_t *ret_first,
                            int64_t *ret_last);

/* Whether a list like `"a", W/"b"` or `*` names the tag, comparing weakly. tag has its quotes. */
bool zt_etag_listed(const char *header, const char *tag);

/* "Sun, 06 Nov 1994 08:49:37 GMT"; dst holds ZT_HTTP_DATE. Seconds since 1970. */
#define ZT_HTTP_DATE 32
void zt_http_date(int64_t unix_s, char *dst);

/* Reads that one form and no other; false otherwise. */
bool zt_http_date_read(const char *text, int64_t *ret_unix_s);

#endif
