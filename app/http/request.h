/*
 * request.h - one request inside the server: what server.c, request.c and response.c share.
 *
 * A request has two owners at most: the connection it came on, until MHD says it is completed, and
 * the handler of a `later` route, until it replies. Whoever lets go last frees it, so a reply that
 * comes after the server was stopped finds its request still there, and only drops it.
 *
 * State, under `mutex`:
 *
 *   OPEN ----------> ANSWERED      the handler replied; the connection queues the response
 *    |                  ^
 *    +--> SUSPENDED ----+          the handler returned first; the reply resumes the connection
 *    |        |
 *    +--------+-----> ABANDONED    the server stopped; it answered, the handler's reply is dropped
 */
#ifndef ZT_HTTP_REQUEST_H
#define ZT_HTTP_REQUEST_H

#include <microhttpd.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/buf.h"
#include "http/server.h"
#include "http/stream.h"

#define ZT_HTTP_PARTS_MAX 4
#define ZT_HTTP_PEER_TEXT 64
#define ZT_HTTP_PIECE     ((size_t)4 << 10) /* of a stream, as MHD asks for it */
#define ZT_HTTP_ID_TEXT   65

enum zt_http_req_state { ZT_REQ_OPEN, ZT_REQ_SUSPENDED, ZT_REQ_ANSWERED, ZT_REQ_ABANDONED };

struct zt_http_set_header {
    struct zt_http_set_header *next;
    const char *name, *value;
};

struct zt_http_part {
    const char *name; /* in the pattern, not NUL-terminated */
    size_t name_n;
    const char *value;
};

/* An answer that is written piece by piece (stream.c); the request's mutex guards it, but `cut`. */
struct zt_http_stream {
    bool open;       /* this is how the request is answered */
    bool ended;      /* nothing more will be written */
    bool over;       /* nothing more will be sent */
    bool suspended;  /* MHD waits for the next piece */
    atomic_bool cut; /* the client was too slow: the watch is to shut its socket */
    size_t max, sent;
    struct zt_buf buf; /* its first `sent` bytes are MHD's already */
};

struct zt_http_req {
    struct zt_http *http;
    atomic_int owners;
    struct MHD_Connection *conn; /* valid while the connection owns the request */
    const struct zt_route *route;
    const char *method, *path;
    struct zt_http_part parts[ZT_HTTP_PARTS_MAX];
    int parts_n;
    struct zt_arena *arena; /* = &arena_storage: lookups on a const request may allocate */
    struct zt_arena arena_storage;
    struct zt_buf body;
    size_t counted_bytes;    /* of the server's body allowance, held by this request */
    zt_http_piece_fn *piece; /* NULL: the body is collected */
    size_t pieces_bytes;     /* given to it */
    void (*end)(void *arg);  /* may be NULL */
    void *end_arg;
    size_t discarded_bytes; /* of a body nobody wants */
    struct zt_http_set_header *set;
    void *kept;
    bool handed_out; /* a `later` handler was called and is an owner until it replies */
    char *peer;      /* "" until it is asked for */
    char id[ZT_HTTP_ID_TEXT];
    const struct zt_http_options *options; /* the server's */
    int64_t began_us;                      /* monotonic */
    int64_t in_bytes, out_bytes;

    zt_http_gone_fn *gone; /* NULL: the request is not held */
    void *gone_user;

    pthread_mutex_t mutex; /* guards state, response, status, stream, told */
    struct zt_http_stream stream;
    bool told; /* that the client is gone, or the server stopping */
    enum zt_http_req_state state;
    struct MHD_Response *response;
    int status;

    struct zt_http_req *prev, *next; /* requests that were suspended; the server's mutex */
    bool listed;
};

struct zt_http_req *zt_req_new(struct MHD_Connection *conn, const char *method,
                               const struct zt_http_options *options);

/* One owner lets go. */
void zt_req_release(struct zt_http_req *req);

bool zt_req_answered(struct zt_http_req *req);

/*
 * Decodes and matches a raw path. Returns 0 with req->route and parts set, or the status that
 * refuses it: 400 (malformed escape), 404, 405. On 405 *ret_allow lists the methods there are.
 */
int zt_req_route(struct zt_http_req *req, const struct zt_route *routes, int routes_n,
                 const char *raw_path, const char **ret_allow);

/*
 * Percent-decodes n bytes into dst, which holds n + 1. False: a malformed escape or a NUL, dst is
 * then the text as it was.
 */
bool zt_percent_decode(const char *src, size_t n, char *dst);

/* The response as MHD takes it, with the headers set on the request. */
struct MHD_Response *zt_response_new(struct zt_http_req *req, const char *type, const void *body,
                                     size_t n);

/* The headers that every answer has, and those set on the request. */
void zt_response_set(struct MHD_Response *response, const struct zt_http_req *req,
                     const char *type);

/*
 * Hands the response to the connection: kept if the handler is still running, sent on its way if
 * the connection waits. Dropped when the server stopped first.
 */
void zt_req_answer(struct zt_http_req *req, int status, struct MHD_Response *response);

/* For the watch and for a stop: nothing more of the stream is sent, if it is one. */
void zt_req_end_stream(struct zt_http_req *req);

/* Calls `gone` unless it was called, or the answer is complete. Of a held request. */
void zt_req_tell_gone(struct zt_http_req *req, enum zt_http_gone why);

#endif
