/*
 * server.h - the HTTP server: sockets, limits, routes. It knows no task. On libmicrohttpd.
 *
 * A few threads serve all connections (epoll). A handler runs once the whole body is there and
 * must not block for long; one that waits for something (group commit) is registered with `later`
 * and may answer from any other thread.
 */
#ifndef ZT_HTTP_SERVER_H
#define ZT_HTTP_SERVER_H

#include "base/arena.h"

struct sockaddr;
struct zt_buf;
struct zt_http;     /* the server */
struct zt_http_req; /* one request; valid until it was answered */

/* Answers with one of the zt_http_reply_* calls, exactly once, before returning (or later). */
typedef void zt_http_handler(struct zt_http_req *req, void *user);

struct zt_route {
    const char *method;  /* "GET" also answers HEAD */
    const char *pattern; /* "/files/{token}/{name}" */
    size_t body_max;     /* 413 past it; 0: no body is accepted */
    bool later;          /* the answer may come after the handler returned, from any thread */
    zt_http_handler *handler;
    zt_http_handler *admit; /* may be NULL; called once the headers are there, before the body is
                               read. Replies to refuse, returns without a reply to go on. */
};

/* What the server itself refuses (no route, method, size, length, ...), so that the API can give
 * it its own shape. status is the HTTP status; text says what is wrong. Must answer at once. */
typedef void zt_http_refuse_fn(struct zt_http_req *req, int status, const char *text, void *user);

/*
 * What became of a request, told once it is over. status 0: the client left before the answer.
 * Called by the server's threads; method, path, header and peer may be asked for.
 */
struct zt_http_done {
    const char *pattern; /* of its route; "" when it had none */
    int status;
    int64_t took_us;             /* from its headers to the last byte of the answer */
    int64_t in_bytes, out_bytes; /* of the bodies */
};
typedef void zt_http_done_fn(struct zt_http_req *req, const struct zt_http_done *done, void *user);

/* Whether a socket's address is one of a proxy that is believed. */
typedef bool zt_http_trusts_fn(const struct sockaddr *address, size_t n, const void *user);

struct zt_http_options {
    const char *listen;            /* "127.0.0.1:8080", "[::]:8080"; port 0: any free one */
    int threads;                   /* 0: one a core, at least 2 */
    int max_connections;           /* 0: 1000 */
    int max_connections_per_ip;    /* 0: no limit */
    int idle_s;                    /* 0: 30; a connection that sends nothing is closed */
    int request_s;                 /* 0: 120; a request that trickles in is cut off */
    int64_t max_body_bytes;        /* 0: 512 MiB; bodies held at once over all requests, then 503 */
    const struct zt_route *routes; /* kept */
    int routes_n;
    zt_http_refuse_fn *refuse;
    void *user; /* for handlers and refuse */

    zt_http_done_fn *done; /* may be NULL */
    void *done_user;
    zt_http_trusts_fn *trusts; /* NULL: no proxy is believed */
    const void *trusts_user;
    const char *tls_cert, *tls_key; /* files, PEM; both: HTTPS alone; kept */
};

/*
 * ZT_E_INVALID: listen, certificate or key; ZT_E_BUSY: the address is in use; ZT_E_DENIED;
 * ZT_E_IO.
 */
enum zt_code zt_http_start(const struct zt_http_options *options, struct zt_http **ret,
                           struct zt_err *err);

/* "127.0.0.1:43211": the address it really listens on. */
const char *zt_http_address(const struct zt_http *http);

/* Stops accepting; requests under way are answered; then frees. Waits at most drain_us. */
void zt_http_stop(struct zt_http *http, int64_t drain_us);

/* ---- inside a handler ---------------------------------------------------------------------- */

const char *zt_http_method(const struct zt_http_req *req);
const char *zt_http_path(const struct zt_http_req *req);                     /* decoded, no query */
const char *zt_http_part(const struct zt_http_req *req, const char *name);   /* of the pattern */
const char *zt_http_query(const struct zt_http_req *req, const char *name);  /* NULL: absent */
const char *zt_http_header(const struct zt_http_req *req, const char *name); /* NULL: absent */
const void *zt_http_body(const struct zt_http_req *req, size_t *ret_n);
/*
 * "203.0.113.9": the client. Behind trusted proxies that is the last address of X-Forwarded-For
 * (or, without that header, of Forwarded) that is not a trusted proxy itself.
 */
const char *zt_http_peer(const struct zt_http_req *req);
bool zt_http_is_tls(const struct zt_http_req *req);   /* of the client, as a trusted proxy says */
bool zt_http_is_local(const struct zt_http_req *req); /* from this machine, by no proxy */
/* What logs and answers call it: the client's X-Request-Id if it is a sane one, else made here. */
const char *zt_http_id(const struct zt_http_req *req);
struct zt_arena *zt_http_arena(struct zt_http_req *req); /* freed after the answer was sent */

/*
 * Called by `admit`: the body goes to `piece` as it arrives, in order, instead of being collected
 * for zt_http_body. body_max and the deadline hold as ever. piece runs on the connection's thread
 * and must not block for long; it may reply to refuse, and gets nothing more then. The handler
 * comes after the last piece. A client may go away at any time: see zt_http_at_end.
 */
typedef void zt_http_piece_fn(struct zt_http_req *req, const void *bytes, size_t n, void *user);
void zt_http_take_pieces(struct zt_http_req *req, zt_http_piece_fn *piece);

/*
 * Calls end(arg) once, when nobody needs the request any more, on any thread: after the answer, or
 * after the client left, or instead of an answer that came too late. arg may be in the request's
 * arena. One a request.
 */
void zt_http_at_end(struct zt_http_req *req, void (*end)(void *arg), void *arg);

/* One pointer of the handler's own, from admit to handler and on; NULL at first. */
void zt_http_keep(struct zt_http_req *req, void *kept);
void *zt_http_kept(const struct zt_http_req *req);

/*
 * query, header and peer may be asked for until the handler returns; a `later` route that needs one
 * of them afterwards keeps a copy in the arena. method, path, part and body stay until the reply.
 */

/* An extra response header; before the reply. Values with control characters are refused. */
void zt_http_set(struct zt_http_req *req, const char *name, const char *value);

/* Copies body. type e.g. "application/json;charset=UTF-8". Any thread when the route is `later`. */
void zt_http_reply(struct zt_http_req *req, int status, const char *type, const void *body,
                   size_t n);

/* The same with a body that is taken over, not copied: it is empty afterwards. */
void zt_http_reply_take(struct zt_http_req *req, int status, const char *type, struct zt_buf *body);

/*
 * A file, with Content-Length, ETag, Last-Modified, Accept-Ranges, one byte range (206/416), the
 * conditional headers (If-None-Match, If-Modified-Since, If-Range) and HEAD. Takes over fd.
 * modified_us ZT_HTTP_UNDATED: it changes more than once a second, and only the ETag tells.
 */
#define ZT_HTTP_UNDATED INT64_MIN
void zt_http_reply_file(struct zt_http_req *req, int fd, int64_t bytes, int64_t modified_us,
                        const char *type, const char *etag);

#endif
