/* upload_read.c - what the requests of an upload say, and what their words may be. See upload.h. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/upload.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"

#define BAD_BASE64 "Base64 decoding failed: Invalid Base64 format"
#define SHOWN_MAX  96 /* bytes of a text that is shown back */

bool zt_upload_wrong(struct zt_upload_problem *problem, int code, const char *fmt, ...)
{
    va_list args;

    if (problem->code != 0)
        return false;
    problem->code = code;
    va_start(args, fmt);
    vsnprintf(problem->msg, sizeof(problem->msg), fmt, args);
    va_end(args);
    while (*problem->msg != '\0' && !zt_utf8_valid(problem->msg, strlen(problem->msg)))
        problem->msg[strlen(problem->msg) - 1] = '\0'; /* a character that was cut in two */
    return false;
}

/* ---- names ---------------------------------------------------------------------------------- */

/* One name: what a file could be called anywhere, and that hides nothing. */
static bool plain_name(const char *s, size_t n)
{
    uint32_t c;
    size_t step;

    if (n == 0 || n > ZT_UPLOAD_NAME_MAX || s[0] == ' ' || s[n - 1] == ' ' || s[0] == '.')
        return false;
    for (size_t i = 0; i < n; i += step) {
        step = zt_utf8_next(s + i, n - i, &c);
        bool bidi = (c >= 0x202A && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069);
        if (step == 0 || c < 0x20 || (c >= 0x7F && c <= 0x9F) || c == 0x2028 || c == 0x2029 || bidi)
            return false;
        if (c < 0x80 && strchr("/\\:*?\"<>|", (int)c) != NULL)
            return false;
    }
    return true;
}

static bool plain_path(const char *path)
{
    const char *p = path;

    for (;;) {
        size_t n = strcspn(p, "/");
        if (!plain_name(p, n))
            return false;
        if (p[n] == '\0')
            return strlen(path) <= ZT_UPLOAD_PATH_MAX;
        p += n + 1;
    }
}

bool zt_upload_names_ok(const char *path, const char *name, struct zt_upload_problem *problem)
{
    char shown[SHOWN_MAX];

    if (path == NULL || *path == '\0')
        return zt_upload_wrong(problem, 400, "Missing required parameter: uploadPath");
    if (path[0] == '/' || path[strlen(path) - 1] == '/')
        return zt_upload_wrong(problem, 400, "uploadPath must not begin or end with a slash");
    if (!plain_path(path))
        return zt_upload_wrong(problem, 400,
                               "uploadPath must be names separated by slashes, %d bytes at most, "
                               "each of 1 to %d bytes, without a dot at its beginning and without "
                               "control characters and \\ : * ? < > | and quotes; not %s",
                               ZT_UPLOAD_PATH_MAX, ZT_UPLOAD_NAME_MAX,
                               zt_log_quote(path, shown, sizeof(shown)));
    if (*name != '\0' && !plain_name(name, strlen(name)))
        return zt_upload_wrong(problem, 400,
                               "fileName must have 1 to %d bytes, without a dot at its beginning "
                               "and without control characters and / \\ : * ? < > | and quotes; "
                               "not %s",
                               ZT_UPLOAD_NAME_MAX, zt_log_quote(name, shown, sizeof(shown)));
    return true;
}

const char *zt_upload_new_name(struct zt_arena *arena, int64_t now_us, const char *type)
{
    char token[2 * 6 + 1];

    zt_random_token(token, 6);
    return zt_arena_printf(arena, "%" PRId64 "-%.11s.%s", now_us / ZT_MS_US, token,
                           strcmp(type, "image/jpeg") == 0 ? "jpg" : strchr(type, '/') + 1);
}

const char *zt_url_part(struct zt_arena *arena, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~";
    static const char hex[] = "0123456789ABCDEF";
    char *dst = zt_arena_try(arena, 3 * strlen(text) + 1);
    char *p = dst;

    for (const unsigned char *s = (const unsigned char *)text; dst != NULL && *s != '\0'; s++) {
        if (strchr(plain, *s) != NULL) {
            *p++ = (char)*s;
        } else {
            *p++ = '%';
            *p++ = hex[*s >> 4];
            *p++ = hex[*s & 15];
        }
    }
    return dst; /* zeroed by the arena */
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *missing; /* what is said when it is not there */
} sources[ZT_UPLOAD_KINDS] = {
    [ZT_UPLOAD_BASE64] = { "base64Data", "base64Data" },
    [ZT_UPLOAD_FORM] = { "file", "file" },
    [ZT_UPLOAD_URL] = { "fileUrl", "fileUrl (file download URL)" },
};

/* A text, "" when it is not there; false: it is something else. */
static bool text_of(const json_t *root, const char *name, const char **ret, size_t *ret_n,
                    struct zt_upload_problem *problem)
{
    const json_t *value = json_object_get(root, name);

    *ret = "";
    *ret_n = 0;
    if (value == NULL || json_is_null(value))
        return true;
    if (!json_is_string(value))
        return zt_upload_wrong(problem, 400, "%s must be text", name);
    *ret = json_string_value(value);
    *ret_n = json_string_length(value);
    return true;
}

bool zt_upload_read(enum zt_upload_kind kind, const char *body, size_t n, json_t **root,
                    struct zt_upload_said *ret, struct zt_upload_problem *problem)
{
    static const struct zt_json_limits limits = { ZT_UPLOAD_BASE64_BODY, 8 };
    struct zt_err err = { 0 };
    size_t ignored;

    if (zt_json_parse(body, n, &limits, root, &err) != ZT_OK)
        return zt_upload_wrong(problem, 400, "the request body is not usable: %s", err.msg);
    if (!json_is_object(*root))
        return zt_upload_wrong(problem, 400, "the request body must be a JSON object");
    if (!text_of(*root, sources[kind].name, &ret->source, &ret->source_n, problem) ||
        !text_of(*root, "uploadPath", &ret->path, &ignored, problem) ||
        !text_of(*root, "fileName", &ret->name, &ignored, problem))
        return false;
    if (ret->source_n == 0)
        return zt_upload_wrong(problem, 400, "Missing required parameter: %s",
                               sources[kind].missing);
    return zt_upload_names_ok(ret->path, ret->name, problem);
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* Steps over "data:<type>;base64,"; false: it is a data: URL of another kind. */
static bool skip_data(const char **text, size_t *n)
{
    static const char ending[] = ";base64";
    const size_t ending_n = sizeof(ending) - 1;

    if (*n < 5 || strncasecmp(*text, "data:", 5) != 0)
        return true;
    const char *comma = memchr(*text, ',', *n);
    if (comma == NULL || comma - *text < (ptrdiff_t)(5 + ending_n) ||
        strncasecmp(comma - ending_n, ending, ending_n) != 0)
        return false;
    *n -= (size_t)(comma + 1 - *text);
    *text = comma + 1;
    return true;
}

bool zt_upload_decode(const char *text, size_t n, struct zt_buf *bytes,
                      struct zt_upload_problem *problem)
{
    size_t got = 0;

    if (!skip_data(&text, &n))
        return zt_upload_wrong(problem, 400, BAD_BASE64);
    zt_auto_free uint8_t *plain = malloc(3 * (n / 4 + 1));
    if (plain == NULL)
        return zt_upload_wrong(problem, 503, "there is not enough memory; please try again later");
    if (!zt_base64_decode(text, n, plain, &got) || got == 0)
        return zt_upload_wrong(problem, 400, BAD_BASE64);
    if (zt_buf_add(bytes, plain, got, NULL) != ZT_OK)
        return zt_upload_wrong(problem, 413, "the file may have %zu bytes at most, not %zu",
                               bytes->limit, got);
    return true;
}

const char *zt_picture_type(const void *bytes, size_t n)
{
    const char *data = bytes;

    if (n >= 3 && memcmp(data, "\xFF\xD8\xFF", 3) == 0)
        return "image/jpeg";
    if (n >= 8 && memcmp(data, "\x89PNG\r\n\x1A\n", 8) == 0)
        return "image/png";
    if (n >= 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0)
        return "image/webp";
    return NULL;
}
