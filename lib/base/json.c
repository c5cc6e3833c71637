/*
 * json.c - see json.h. Depth is counted before the parser sees the text: jansson's own limit is
 * fixed at 2048, and its parser recurses.
 */
#include "base/json.h"

#include "base/str.h"

static enum zt_code check_depth(const char *text, size_t n, int max_depth, struct zt_err *err)
{
    bool in_string = false;
    int depth = 0;

    for (size_t i = 0; i < n; i++) {
        char c = text[i];
        if (in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                in_string = false;
        } else if (c == '"') {
            in_string = true;
        } else if (c == '{' || c == '[') {
            if (++depth > max_depth)
                return zt_fail(err, ZT_E_LIMIT, "JSON is nested more than %d levels deep",
                               max_depth);
        } else if (c == '}' || c == ']') {
            depth--;
        }
    }
    return ZT_OK;
}

enum zt_code zt_json_parse(const char *text, size_t n, const struct zt_json_limits *limits,
                           json_t **ret, struct zt_err *err)
{
    json_error_t where;

    if (n > limits->max_bytes)
        return zt_fail(err, ZT_E_LIMIT, "JSON is %zu bytes long, the limit is %zu", n,
                       limits->max_bytes);
    if (!zt_utf8_valid(text, n))
        return zt_fail(err, ZT_E_INVALID, "JSON is not valid UTF-8");
    ZT_TRY(check_depth(text, n, limits->max_depth, err));
    json_t *json = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
    if (json == NULL)
        return zt_fail(err, ZT_E_INVALID, "not valid JSON at line %d, column %d: %s", where.line,
                       where.column, where.text);
    *ret = json;
    return ZT_OK;
}
