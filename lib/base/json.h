/*
 * json.h - reading JSON from outside, behind limits. On jansson.
 */
#ifndef ZT_BASE_JSON_H
#define ZT_BASE_JSON_H

#include <jansson.h>

#include "base/error.h"

struct zt_json_limits {
    size_t max_bytes;
    int max_depth; /* objects and arrays inside each other */
};

static inline void zt_auto_json(json_t **json)
{
    json_decref(*json);
}

/*
 * Parses one JSON value and nothing after it. Refuses invalid UTF-8, NUL, duplicate keys, nesting
 * and size past the limits.
 *   ZT_E_LIMIT    too long or too deep
 *   ZT_E_INVALID  not JSON; msg says where
 * The caller owns *ret (json_decref).
 */
enum zt_code zt_json_parse(const char *text, size_t n, const struct zt_json_limits *limits,
                           json_t **ret, struct zt_err *err);

#endif
