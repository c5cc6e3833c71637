/* request.c - the life of a request, its route, and what a handler may ask of it. */
#include "http/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/thread.h"

#define ARENA_LIMIT ((size_t)192 << 20) /* several copies of the largest body, decoded */

/* The client's own id, if it is one that can stand in a log line as it is. */
static bool take_id(struct zt_http_req *req)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                  "-_.";
    const char *id = MHD_lookup_connection_value(req->conn, MHD_HEADER_KIND, "X-Request-Id");
    size_t n = id ? strlen(id) : 0;

    if (n == 0 || n >= ZT_HTTP_ID_TEXT || strspn(id, allowed) != n)
        return false;
    memcpy(req->id, id, n + 1);
    return true;
}

struct zt_http_req *zt_req_new(struct MHD_Connection *conn, const char *method,
                               const struct zt_http_options *options)
{
    struct zt_http_req *req = zt_new(struct zt_http_req);

    atomic_init(&req->owners, 1);
    atomic_init(&req->stream.cut, false);
    pthread_mutex_init(&req->mutex, NULL);
    req->conn = conn;
    req->options = options;
    req->began_us = zt_now_mono_us();
    if (!take_id(req))
        zt_random_token(req->id, 8);
    req->arena = &req->arena_storage;
    req->arena->limit = ARENA_LIMIT;
    req->method = zt_arena_strdup(req->arena, method);
    req->peer = zt_arena_alloc(req->arena, ZT_HTTP_PEER_TEXT);
    return req;
}

void zt_req_release(struct zt_http_req *req)
{
    if (atomic_fetch_sub(&req->owners, 1) != 1)
        return;
    if (req->response != NULL)
        MHD_destroy_response(req->response);
    if (req->end != NULL)
        req->end(req->end_arg);
    zt_buf_clear(&req->body);
    zt_buf_clear(&req->stream.buf);
    zt_arena_clear(req->arena);
    pthread_mutex_destroy(&req->mutex);
    free(req);
}

bool zt_req_answered(struct zt_http_req *req)
{
    zt_locked(&req->mutex);
    return req->state == ZT_REQ_ANSWERED || req->state == ZT_REQ_ABANDONED;
}

/* ---- paths --------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

bool zt_percent_decode(const char *src, size_t n, char *dst)
{
    size_t out = 0;

    for (size_t i = 0; i < n; i++) {
        int value = (unsigned char)src[i];
        if (src[i] == '%') {
            int high = n - i > 2 ? hex_digit(src[i + 1]) : -1;
            int low = n - i > 2 ? hex_digit(src[i + 2]) : -1;
            value = high < 0 || low < 0 ? 0 : high * 16 + low; /* 0 is refused below */
            i += 2;
        }
        if (value == 0) {
            memcpy(dst, src, n);
            dst[n] = '\0';
            return false;
        }
        dst[out++] = (char)value;
    }
    dst[out] = '\0';
    return true;
}

/* One segment of the path against one of the pattern; a "{name}" takes any that is not empty. */
static bool match_segment(struct zt_http_req *req, const char *pattern, size_t pattern_n,
                          const char *segment, size_t n)
{
    bool literal = pattern_n < 2 || pattern[0] != '{';

    if (literal && memchr(segment, '%', n) == NULL)
        return n == pattern_n && memcmp(segment, pattern, n) == 0;
    char *text = zt_arena_try(req->arena, n + 1);
    if (text == NULL || !zt_percent_decode(segment, n, text))
        return false;
    if (literal)
        return strlen(text) == pattern_n && memcmp(text, pattern, pattern_n) == 0;
    if (text[0] == '\0' || strchr(text, '/') != NULL)
        return false;
    zt_assert(req->parts_n < ZT_HTTP_PARTS_MAX);
    req->parts[req->parts_n++] = (struct zt_http_part){
        .name = pattern + 1,
        .name_n = pattern_n - 2,
        .value = text,
    };
    return true;
}

static bool match(struct zt_http_req *req, const char *pattern, const char *path)
{
    req->parts_n = 0;
    while (*pattern == '/' && *path == '/') {
        size_t pattern_n = strcspn(++pattern, "/");
        size_t n = strcspn(++path, "/");
        if (!match_segment(req, pattern, pattern_n, path, n))
            return false;
        pattern += pattern_n;
        path += n;
    }
    return *pattern == '\0' && *path == '\0';
}

static bool answers(const struct zt_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(route->method, "GET") == 0 && strcmp(method, "HEAD") == 0);
}

int zt_req_route(struct zt_http_req *req, const struct zt_route *routes, int routes_n,
                 const char *raw_path, const char **ret_allow)
{
    size_t n = strlen(raw_path);
    char *path = zt_arena_alloc(req->arena, n + 1); /* bounded by the connection's memory */
    char *allow = NULL;

    req->path = path;
    if (!zt_percent_decode(raw_path, n, path))
        return 400;
    for (int i = 0; i < routes_n; i++) {
        if (!match(req, routes[i].pattern, raw_path))
            continue;
        if (answers(&routes[i], req->method)) {
            req->route = &routes[i];
            return 0;
        }
        allow =
            zt_arena_printf(req->arena, "%s%s%s", allow ? allow : "", allow ? ", " : "",
                            strcmp(routes[i].method, "GET") == 0 ? "GET, HEAD" : routes[i].method);
    }
    req->parts_n = 0;
    *ret_allow = allow;
    return allow ? 405 : 404;
}

/* ---- for handlers -------------------------------------------------------------------------- */

const char *zt_http_id(const struct zt_http_req *req)
{
    return req->id;
}

const char *zt_http_method(const struct zt_http_req *req)
{
    return req->method;
}

const char *zt_http_path(const struct zt_http_req *req)
{
    return req->path ? req->path : "";
}

const char *zt_http_part(const struct zt_http_req *req, const char *name)
{
    for (int i = 0; i < req->parts_n; i++) {
        const struct zt_http_part *part = &req->parts[i];
        if (strlen(name) == part->name_n && memcmp(name, part->name, part->name_n) == 0)
            return part->value;
    }
    return NULL;
}

struct query {
    struct zt_arena *arena;
    const char *name;
    char *value;
};

static enum MHD_Result find_query(void *user, enum MHD_ValueKind kind, const char *key,
                                  size_t key_n, const char *value, size_t value_n)
{
    struct query *q = user;

    (void)kind;
    if (value == NULL || key_n != strlen(q->name) || memcmp(key, q->name, key_n) != 0)
        return MHD_YES;
    q->value = zt_arena_try(q->arena, value_n + 1);
    if (q->value != NULL)
        zt_percent_decode(value, value_n, q->value); /* malformed: the text as it was sent */
    return MHD_NO;                                   /* the first of that name counts */
}

const char *zt_http_query(const struct zt_http_req *req, const char *name)
{
    struct query q = { .arena = req->arena, .name = name };

    MHD_get_connection_values_n(req->conn, MHD_GET_ARGUMENT_KIND, find_query, &q);
    return q.value;
}

const char *zt_http_header(const struct zt_http_req *req, const char *name)
{
    return MHD_lookup_connection_value(req->conn, MHD_HEADER_KIND, name);
}

const void *zt_http_body(const struct zt_http_req *req, size_t *ret_n)
{
    *ret_n = req->body.n;
    return req->body.data ? req->body.data : "";
}

struct zt_arena *zt_http_arena(struct zt_http_req *req)
{
    return req->arena;
}

void zt_http_take_pieces(struct zt_http_req *req, zt_http_piece_fn *piece)
{
    req->piece = piece;
}

void zt_http_at_end(struct zt_http_req *req, void (*end)(void *arg), void *arg)
{
    zt_assert(req->end == NULL);
    req->end = end;
    req->end_arg = arg;
}

void zt_http_keep(struct zt_http_req *req, void *kept)
{
    req->kept = kept;
}

void *zt_http_kept(const struct zt_http_req *req)
{
    return req->kept;
}

static bool plain(const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            return false;
    }
    return true;
}

void zt_http_set(struct zt_http_req *req, const char *name, const char *value)
{
    if (!plain(name) || !plain(value)) {
        ZT_LOG(WARN, "header_refused", "name=%s reason=\"control character\"",
               plain(name) ? name : "?");
        return;
    }
    struct zt_http_set_header *header = zt_arena_new(req->arena, struct zt_http_set_header);
    *header = (struct zt_http_set_header){
        .next = req->set,
        .name = zt_arena_strdup(req->arena, name),
        .value = zt_arena_strdup(req->arena, value),
    };
    req->set = header;
}
