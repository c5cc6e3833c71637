/*
 * server.c - the glue to libmicrohttpd: threads, limits, how a request passes from headers to body
 * to handler to answer.
 *
 * MHD calls on_request several times for one request: when its headers are there, for each piece of
 * its body, when the body is complete, and again after a suspended connection was resumed. An
 * answer to a request without a body is queued at the second call only: at the first, MHD takes it
 * for one that refuses the body, and closes the connection.
 *
 * MHD ends connections that are silent. One that keeps sending a byte now and then is ended by the
 * watch thread here, which holds every connection to a deadline for its headers and its body.
 */
#define _GNU_SOURCE /* POLLRDHUP */
#include "http/server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/str.h"
#include "base/thread.h"
#include "http/listen.h"
#include "http/request.h"
#include "http/tls.h"

#define CONNECTIONS_DEFAULT 1000
#define IDLE_S_DEFAULT      30
#define REQUEST_S_DEFAULT   120
#define BODY_BYTES_DEFAULT  (INT64_C(512) << 20)
/*
 * Request line, headers (cookies twice) and read buffer. MHD clears all of it after each request,
 * which with 64 KiB was a tenth of the time a poll takes.
 */
#define CONNECTION_MEMORY ((size_t)16 << 10)
#define DISCARD_MAX       ((size_t)64 << 10) /* of a refused body that is read all the same */
#define WATCH_US          (100 * ZT_MS_US)
#define LOOK_PASSES       5  /* of the watch, between two looks for clients that left */
#define TLS_PASSES        20 /* between two looks at the certificate's files */
#define FLUSH_US          (500 * ZT_MS_US) /* at a stop, for answers to what was cut off */

/* One connection, as the watch sees it. */
struct connection {
    struct connection *prev, *next; /* the server's connections_mutex */
    int fd;
    _Atomic int64_t deadline_us; /* monotonic, for what is being read; 0: nothing is */
    int64_t ended_at_us;         /* the watch's own: the deadline under which it saw the end */
    struct zt_http_req *held;    /* the server's connections_mutex; see stream.h */
};

struct zt_http {
    struct MHD_Daemon *daemon;
    struct zt_http_options options;
    int listen_fd;
    char address[ZT_ADDRESS_TEXT];
    struct zt_stop *stop_watch;
    pthread_t watch;
    _Atomic int64_t body_bytes;
    bool tls; /* the certificate is open */

    pthread_mutex_t connections_mutex; /* guards these; inside it, nothing of MHD is called */
    struct connection *connections;
    int held, held_max; /* requests */
    bool closing;       /* nothing more is held */

    pthread_mutex_t mutex; /* guards the rest */
    pthread_cond_t fewer;  /* requests went down */
    int requests;          /* under way: headers read, not completed */
    bool stopping;
    struct zt_http_req *waiting; /* suspended once and not completed */
};

/* ---- deadlines ----------------------------------------------------------------------------- */

static struct connection *connection_of(struct MHD_Connection *conn)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(conn, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

static int64_t next_request_deadline_us(const struct zt_http *http)
{
    return zt_now_mono_us() + (http->options.idle_s + http->options.request_s) * ZT_SECOND_US;
}

static void set_deadline(struct MHD_Connection *conn, int64_t deadline_us)
{
    struct connection *c = connection_of(conn);

    if (c != NULL)
        atomic_store_explicit(&c->deadline_us, deadline_us, memory_order_relaxed);
}

static void on_connection(void *user, struct MHD_Connection *conn, void **context,
                          enum MHD_ConnectionNotificationCode code)
{
    struct zt_http *http = user;
    struct connection *c = *context;

    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        c = zt_new(struct connection);
        c->fd = MHD_get_connection_info(conn, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        atomic_init(&c->deadline_us, next_request_deadline_us(http));
        zt_locked(&http->connections_mutex);
        c->next = http->connections;
        if (c->next != NULL)
            c->next->prev = c;
        http->connections = c;
        *context = c;
        return;
    }
    if (c == NULL)
        return;
    {
        zt_locked(&http->connections_mutex);
        if (c->prev != NULL)
            c->prev->next = c->next;
        else
            http->connections = c->next;
        if (c->next != NULL)
            c->next->prev = c->prev;
    }
    *context = NULL;
    free(c);
}

/*
 * Whether the client has sent its last byte, and MHD has read it, while a request is still being
 * waited for: nothing more can come. MHD (0.9.75) misses the end of a connection that arrives
 * together with data, and would keep it until it has been silent for long enough.
 */
static bool has_ended(const struct connection *c)
{
    char byte;

    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static bool is_over(struct connection *c, int64_t now_us, bool look)
{
    int64_t deadline_us = atomic_load_explicit(&c->deadline_us, memory_order_relaxed);

    if (deadline_us == 0 || now_us > deadline_us)
        return deadline_us != 0;
    if (!look)
        return false;
    bool ended_before = c->ended_at_us == deadline_us; /* and no request came in between */
    bool ended = has_ended(c);
    c->ended_at_us = ended ? deadline_us : 0;
    return ended && ended_before;
}

/* ---- held requests ------------------------------------------------------------------------- */

enum zt_code zt_http_hold(struct zt_http_req *req, zt_http_gone_fn *gone, void *user,
                          struct zt_err *err)
{
    struct zt_http *http = req->http;
    struct connection *c = connection_of(req->conn);

    zt_assert(req->handed_out && req->gone == NULL && c != NULL);
    zt_locked(&http->connections_mutex);
    if (http->closing)
        return zt_fail(err, ZT_E_CANCELLED, "the server is stopping; please try again later");
    if (http->held >= http->held_max)
        return zt_fail(err, ZT_E_LIMIT,
                       "%d requests are being held open already; please try again later",
                       http->held);
    http->held++;
    c->held = req;
    req->gone_user = user;
    req->gone = gone;
    return ZT_OK;
}

/* The connection is done with its request. */
static void let_go(struct zt_http *http, struct zt_http_req *req)
{
    if (req->gone == NULL)
        return;
    {
        struct connection *c = connection_of(req->conn);
        zt_locked(&http->connections_mutex);
        http->held--;
        if (c != NULL)
            c->held = NULL;
    }
    zt_req_tell_gone(req, ZT_HTTP_CLIENT_LEFT);
}

/* The client's end of a connection that MHD does not listen to; bytes before it may be unread. */
static bool has_hung_up(const struct connection *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLRDHUP };

    return poll(&p, 1, 0) == 1;
}

/* All held requests, with a share in each, for use without the mutex. *ret ends with NULL. */
static struct zt_http_req **share_held(struct zt_http *http)
{
    zt_locked(&http->connections_mutex);
    struct zt_http_req **reqs = zt_new_array(struct zt_http_req *, (size_t)http->held + 1);
    size_t n = 0;

    http->closing = true; /* so that there is no more than those */
    for (struct connection *c = http->connections; c != NULL; c = c->next) {
        if (c->held == NULL)
            continue;
        atomic_fetch_add(&c->held->owners, 1);
        reqs[n++] = c->held;
    }
    return reqs;
}

static void tell_stopping(struct zt_http *http)
{
    struct zt_http_req **reqs = share_held(http);

    for (size_t i = 0; reqs[i] != NULL; i++) {
        zt_req_tell_gone(reqs[i], ZT_HTTP_STOPPING);
        zt_req_release(reqs[i]);
    }
    free(reqs);
}

static void end_streams(struct zt_http *http)
{
    struct zt_http_req **reqs = share_held(http);

    for (size_t i = 0; reqs[i] != NULL; i++) {
        zt_req_end_stream(reqs[i]);
        zt_req_release(reqs[i]);
    }
    free(reqs);
}

/* ---- the watch ----------------------------------------------------------------------------- */

/* What one pass finds: requests whose client left, with a share in each. The rest waits. */
#define LEFT_MAX 64
struct left {
    struct zt_http_req *reqs[LEFT_MAX];
    int n;
};

/* MHD closes a socket only after on_connection took it off the list, so fd is the connection's. */
static void look_at(struct connection *c, int64_t now_us, bool look, struct left *left)
{
    if (is_over(c, now_us, look)) {
        shutdown(c->fd, SHUT_RDWR);
        atomic_store_explicit(&c->deadline_us, 0, memory_order_relaxed);
    }
    if (c->held == NULL)
        return;
    if (atomic_load(&c->held->stream.cut))
        shutdown(c->fd, SHUT_RDWR);
    if (look && left->n < LEFT_MAX && has_hung_up(c)) {
        shutdown(c->fd, SHUT_RDWR);
        atomic_fetch_add(&c->held->owners, 1);
        left->reqs[left->n++] = c->held;
        c->held = NULL;
    }
}

static void *watch(void *user)
{
    struct zt_http *http = user;

    for (unsigned pass = 1; !zt_stop_wait(http->stop_watch, WATCH_US); pass++) {
        int64_t now_us = zt_now_mono_us();
        if (http->tls && pass % TLS_PASSES == 0)
            zt_tls_look();
        struct left left = { .n = 0 };
        {
            zt_locked(&http->connections_mutex);
            for (struct connection *c = http->connections; c != NULL; c = c->next)
                look_at(c, now_us, pass % LOOK_PASSES == 0, &left);
        }
        for (int i = 0; i < left.n; i++) {
            zt_req_end_stream(left.reqs[i]);
            zt_req_tell_gone(left.reqs[i], ZT_HTTP_CLIENT_LEFT);
            zt_req_release(left.reqs[i]);
        }
    }
    return NULL;
}

/* ---- what a request announces -------------------------------------------------------------- */

struct framing {
    int lengths, encodings;
    const char *length, *encoding;
    bool expects;
};

static enum MHD_Result note_framing(void *user, enum MHD_ValueKind kind, const char *key,
                                    const char *value)
{
    struct framing *f = user;

    (void)kind;
    if (strcasecmp(key, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0) {
        f->lengths++;
        f->length = value;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
        f->encodings++;
        f->encoding = value;
    } else if (strcasecmp(key, MHD_HTTP_HEADER_EXPECT) == 0) {
        f->expects = true;
    }
    return MHD_YES;
}

static void refuse(struct zt_http *http, struct zt_http_req *req, int status, const char *text)
{
    http->options.refuse(req, status, text, http->options.user);
    zt_assert(zt_req_answered(req));
}

static void refuse_length(struct zt_http *http, struct zt_http_req *req)
{
    char text[96];

    if (req->route->body_max == 0)
        zt_format(text, sizeof(text), "this address takes no request body");
    else
        zt_format(text, sizeof(text), "the request body may be %zu bytes long at most",
                  req->route->body_max);
    refuse(http, req, MHD_HTTP_CONTENT_TOO_LARGE, text);
}

/* Refuses by the headers what can be refused by them. */
static void check_headers(struct zt_http *http, struct zt_http_req *req, const char *url,
                          const struct framing *f, int64_t length)
{
    const char *allow = NULL;

    int status = zt_req_route(req, http->options.routes, http->options.routes_n, url, &allow);
    if (f->lengths > 1 || f->encodings > 1 || (f->lengths > 0 && f->encodings > 0)) {
        refuse(http, req, MHD_HTTP_BAD_REQUEST,
               "the length of the request body is given more than once");
    } else if (f->encodings == 1 && strcasecmp(f->encoding, "chunked") != 0) {
        refuse(http, req, MHD_HTTP_NOT_IMPLEMENTED, "Transfer-Encoding may only be chunked");
    } else if (status == MHD_HTTP_BAD_REQUEST) {
        refuse(http, req, status, "the path has a malformed % escape");
    } else if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
        zt_http_set(req, MHD_HTTP_HEADER_ALLOW, allow);
        char *text = zt_arena_printf(req->arena, "method %s is not allowed here; allowed: %s",
                                     req->method, allow);
        refuse(http, req, status, text);
    } else if (status == MHD_HTTP_NOT_FOUND) {
        refuse(http, req, status, "there is nothing at this address");
    } else if (length > 0 && (uint64_t)length > req->route->body_max) {
        refuse_length(http, req);
    } else if (req->route->admit != NULL) {
        req->route->admit(req, http->options.user);
    }
}

/* Of an answered request. Not under its mutex, which streams take inside MHD. */
static enum MHD_Result queue(struct zt_http_req *req)
{
    struct MHD_Response *response;
    unsigned status;
    {
        zt_locked(&req->mutex);
        response = req->response;
        status = (unsigned)req->status;
    }
    zt_assert(response != NULL);
    return MHD_queue_response(req->conn, status, response);
}

static enum MHD_Result on_headers(struct zt_http *http, struct MHD_Connection *conn,
                                  const char *url, const char *method, void **context)
{
    struct framing f = { 0 };
    int64_t length = 0;

    struct zt_http_req *req = zt_req_new(conn, method, &http->options);
    req->http = http;
    *context = req;
    {
        zt_locked(&http->mutex);
        http->requests++;
    }
    set_deadline(conn, zt_now_mono_us() + http->options.request_s * ZT_SECOND_US);
    MHD_get_connection_values(conn, MHD_HEADER_KIND, note_framing, &f);
    if (f.length != NULL && !zt_parse_int(f.length, 0, INT64_MAX, &length))
        length = INT64_MAX; /* MHD refuses what is not a number; this is one too large */
    check_headers(http, req, url, &f, length);
    if (req->route != NULL)
        zt_buf_init(&req->body, req->route->body_max);
    if (!zt_req_answered(req))
        return MHD_YES;

    bool ambiguous = f.lengths + f.encodings > 1;
    bool has_body = length > 0 || f.encodings > 0;
    if (!ambiguous &&
        (!has_body || (f.encodings == 0 && !f.expects && (uint64_t)length <= DISCARD_MAX)))
        return MHD_YES; /* answered once what there is of a body was read */
    MHD_add_response_header(req->response, MHD_HTTP_HEADER_CONNECTION, "close");
    return queue(req);
}

/* ---- the body ------------------------------------------------------------------------------ */

/* To whoever takes it in pieces. */
static void hand_on(struct zt_http *http, struct zt_http_req *req, const char *bytes, size_t n)
{
    if (n > req->route->body_max - req->pieces_bytes) {
        refuse_length(http, req);
        return;
    }
    req->pieces_bytes += n;
    req->piece(req, bytes, n, http->options.user);
}

/* Into memory, of which all requests together may have so much. */
static void collect(struct zt_http *http, struct zt_http_req *req, const char *bytes, size_t n)
{
    req->counted_bytes += n;
    int64_t held = atomic_fetch_add(&http->body_bytes, (int64_t)n) + (int64_t)n;
    if (held > http->options.max_body_bytes)
        refuse(http, req, MHD_HTTP_SERVICE_UNAVAILABLE,
               "too many large requests are being read; please try again later");
    else if (zt_buf_add(&req->body, bytes, n, NULL) != ZT_OK)
        refuse_length(http, req);
}

static enum MHD_Result on_body(struct zt_http *http, struct zt_http_req *req, const char *bytes,
                               size_t *n)
{
    size_t got = *n;

    *n = 0; /* all of it is taken */
    req->in_bytes += (int64_t)got;
    if (!zt_req_answered(req)) {
        if (req->piece != NULL)
            hand_on(http, req, bytes, got);
        else
            collect(http, req, bytes, got);
        if (!zt_req_answered(req))
            return MHD_YES;
        zt_buf_clear(&req->body);
    }
    req->discarded_bytes += got;
    return req->discarded_bytes <= DISCARD_MAX ? MHD_YES : MHD_NO; /* NO: the connection is cut */
}

/* ---- the handler --------------------------------------------------------------------------- */

/* The answer to a request whose handler did not reply before the server ended. */
static void abandon(struct zt_http *http, struct zt_http_req *req)
{
    static const char text[] = "the server is stopping; please try again later\n";

    (void)http;
    zt_locked(&req->mutex);
    if (req->state != ZT_REQ_OPEN && req->state != ZT_REQ_SUSPENDED)
        return;
    bool suspended = req->state == ZT_REQ_SUSPENDED;
    req->state = ZT_REQ_ABANDONED;
    req->response = MHD_create_response_from_buffer(sizeof(text) - 1, (void *)(uintptr_t)text,
                                                    MHD_RESPMEM_PERSISTENT);
    zt_assert(req->response != NULL);
    MHD_add_response_header(req->response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain");
    MHD_add_response_header(req->response, "X-Request-Id", req->id);
    req->status = MHD_HTTP_SERVICE_UNAVAILABLE;
    if (suspended)
        MHD_resume_connection(req->conn);
}

/* Lists the request as one to be abandoned at a stop; false when that has begun. */
static bool list_waiting(struct zt_http *http, struct zt_http_req *req)
{
    zt_locked(&http->mutex);

    if (http->stopping)
        return false;
    req->next = http->waiting;
    if (req->next != NULL)
        req->next->prev = req;
    http->waiting = req;
    req->listed = true;
    return true;
}

/* Waits for the reply without holding a thread. Whether it is there already. */
static bool suspend_until_answered(struct zt_http_req *req)
{
    zt_locked(&req->mutex);

    if (req->state != ZT_REQ_OPEN)
        return true;
    MHD_suspend_connection(req->conn);
    req->state = ZT_REQ_SUSPENDED;
    return false;
}

static enum MHD_Result on_complete(struct zt_http *http, struct zt_http_req *req)
{
    set_deadline(req->conn, 0);
    if (zt_req_answered(req)) /* refused, or resumed with its answer */
        return queue(req);
    if (req->route->later) {
        atomic_fetch_add(&req->owners, 1);
        req->handed_out = true;
    }
    req->route->handler(req, http->options.user);
    if (!req->route->later) {
        zt_assert(zt_req_answered(req));
        return queue(req);
    }
    if (zt_req_answered(req))
        return queue(req);
    if (!list_waiting(http, req))
        abandon(http, req);
    return suspend_until_answered(req) ? queue(req) : MHD_YES;
}

static enum MHD_Result on_request(void *user, struct MHD_Connection *conn, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_n, void **context)
{
    struct zt_http *http = user;

    (void)version;
    if (*context == NULL)
        return on_headers(http, conn, url, method, context);
    if (*upload_n > 0)
        return on_body(http, *context, upload, upload_n);
    return on_complete(http, *context);
}

/* Tells whoever asked what became of the request. */
static void tell_done(const struct zt_http *http, struct zt_http_req *req,
                      enum MHD_RequestTerminationCode code)
{
    struct zt_http_done done = {
        .pattern = req->route ? req->route->pattern : "",
        .took_us = zt_now_mono_us() - req->began_us,
        .in_bytes = req->in_bytes,
    };

    if (http->options.done == NULL)
        return;
    if (zt_req_answered(req) && code == MHD_REQUEST_TERMINATED_COMPLETED_OK) {
        done.status = req->status;
        done.out_bytes = req->out_bytes;
    }
    http->options.done(req, &done, http->options.done_user);
}

static void on_completed(void *user, struct MHD_Connection *conn, void **context,
                         enum MHD_RequestTerminationCode code)
{
    struct zt_http *http = user;
    struct zt_http_req *req = *context;

    if (req == NULL)
        return;
    /* An answer that ends with an error ends the connection, which MHD may not notice by itself
       when that answer was suspended: the watch shuts the socket. */
    bool whole = code == MHD_REQUEST_TERMINATED_COMPLETED_OK;
    set_deadline(conn, whole ? next_request_deadline_us(http) : zt_now_mono_us());
    tell_done(http, req, code);
    atomic_fetch_sub(&http->body_bytes, (int64_t)req->counted_bytes);
    let_go(http, req);
    *context = NULL;
    {
        zt_locked(&http->mutex);
        if (req->listed && req->prev != NULL)
            req->prev->next = req->next;
        else if (req->listed)
            http->waiting = req->next;
        if (req->next != NULL)
            req->next->prev = req->prev;
        http->requests--;
        pthread_cond_broadcast(&http->fewer);
    }
    zt_req_release(req);
}

/* The path and the query reach request.c as they were sent; it decodes them strictly. */
static size_t keep_escapes(void *user, struct MHD_Connection *conn, char *text)
{
    (void)user;
    (void)conn;
    return strlen(text);
}

/* ---- start and stop ------------------------------------------------------------------------ */

/* Options of MHD in the order they were added. */
struct daemon_options {
    struct MHD_OptionItem items[16];
    int n;
};

static void add_option(struct daemon_options *o, enum MHD_OPTION option, intptr_t value,
                       void *pointer)
{
    zt_assert(o->n + 1 < (int)ZT_COUNT(o->items)); /* the last one ends the list */
    o->items[o->n++] = (struct MHD_OptionItem){ option, value, pointer };
}

static void *as_pointer(void (*fn)(void))
{
    union {
        void (*fn)(void);
        void *pointer;
    } as = { fn };

    return as.pointer;
}

static enum zt_code start_daemon(struct zt_http *http, struct zt_err *err)
{
    const struct zt_http_options *o = &http->options;
    struct daemon_options d = { .n = 0 };
    unsigned flags =
        MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_TURBO;

    add_option(&d, MHD_OPTION_LISTEN_SOCKET, http->listen_fd, NULL);
    add_option(&d, MHD_OPTION_THREAD_POOL_SIZE, o->threads, NULL);
    add_option(&d, MHD_OPTION_CONNECTION_LIMIT, o->max_connections, NULL);
    add_option(&d, MHD_OPTION_PER_IP_CONNECTION_LIMIT, o->max_connections_per_ip, NULL);
    add_option(&d, MHD_OPTION_CONNECTION_TIMEOUT, o->idle_s, NULL);
    add_option(&d, MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)CONNECTION_MEMORY, NULL);
    add_option(&d, MHD_OPTION_STRICT_FOR_CLIENT, 1, NULL);
    add_option(&d, MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)as_pointer((void (*)(void))on_completed),
               http);
    add_option(&d, MHD_OPTION_NOTIFY_CONNECTION,
               (intptr_t)as_pointer((void (*)(void))on_connection), http);
    add_option(&d, MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)as_pointer((void (*)(void))keep_escapes),
               NULL);
    if (o->tls_cert != NULL) {
        flags |= MHD_USE_TLS;
        add_option(&d, MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)ZT_TLS_PRIORITIES);
        add_option(&d, MHD_OPTION_HTTPS_CERT_CALLBACK, 0, zt_tls_callback());
    }
    d.items[d.n] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
    http->daemon = MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_ARRAY,
                                    d.items, MHD_OPTION_END);
    if (http->daemon == NULL)
        return zt_fail_errno(err, errno, "cannot start the HTTP server on", http->address);
    return ZT_OK;
}

static void or_default(int *value, int fallback)
{
    if (*value <= 0)
        *value = fallback;
}

static void free_http(struct zt_http *http)
{
    if (http->daemon != NULL)
        MHD_stop_daemon(http->daemon); /* closes listen_fd too, if it was not taken away */
    else if (http->listen_fd >= 0)
        close(http->listen_fd);
    if (http->tls)
        zt_tls_close();
    zt_stop_free(http->stop_watch);
    pthread_cond_destroy(&http->fewer);
    pthread_mutex_destroy(&http->mutex);
    pthread_mutex_destroy(&http->connections_mutex);
    free(http);
}
ZT_AUTO(struct zt_http, http, free_http)

enum zt_code zt_http_start(const struct zt_http_options *options, struct zt_http **ret,
                           struct zt_err *err)
{
    zt_auto(http) struct zt_http *http = zt_new(struct zt_http);
    pthread_condattr_t monotonic;

    http->options = *options;
    http->listen_fd = -1;
    or_default(&http->options.threads, zt_cores() > 2 ? zt_cores() : 2);
    or_default(&http->options.max_connections, CONNECTIONS_DEFAULT);
    or_default(&http->options.idle_s, IDLE_S_DEFAULT);
    or_default(&http->options.request_s, REQUEST_S_DEFAULT);
    http->held_max = (http->options.max_connections + 1) / 2;
    if (http->options.max_body_bytes <= 0)
        http->options.max_body_bytes = BODY_BYTES_DEFAULT;
    pthread_mutex_init(&http->connections_mutex, NULL);
    pthread_mutex_init(&http->mutex, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&http->fewer, &monotonic);
    pthread_condattr_destroy(&monotonic);
    http->stop_watch = zt_stop_new();

    ZT_TRY(zt_listen(options->listen, &http->listen_fd, http->address, err));
    if (options->tls_cert != NULL) {
        ZT_TRY(zt_tls_open(options->tls_cert, options->tls_key, err));
        http->tls = true;
    }
    ZT_TRY(start_daemon(http, err));
    int failed = pthread_create(&http->watch, NULL, watch, http);
    if (failed != 0)
        return zt_fail_errno(err, failed, "cannot start a thread for", http->address);
    *ret = zt_take_http(&http);
    return ZT_OK;
}

const char *zt_http_address(const struct zt_http *http)
{
    return http->address;
}

/* Until no request is under way, or until the time is up. */
static void wait_for_requests(struct zt_http *http, int64_t wait_us)
{
    int64_t until_us = zt_now_mono_us() + (wait_us > 0 ? wait_us : 0);
    struct timespec until = { .tv_sec = until_us / ZT_SECOND_US,
                              .tv_nsec = until_us % ZT_SECOND_US * 1000 };

    zt_locked(&http->mutex);
    while (http->requests > 0) {
        if (pthread_cond_timedwait(&http->fewer, &http->mutex, &until) == ETIMEDOUT)
            break;
    }
}

/*
 * No request may be suspended when MHD stops. The list is taken with a share in each request, so
 * that neither the server's mutex is held while MHD is called, nor a request freed meanwhile.
 */
static void abandon_waiting(struct zt_http *http)
{
    struct zt_http_req **reqs;
    size_t n = 0;

    {
        zt_locked(&http->mutex);
        http->stopping = true;
        for (struct zt_http_req *r = http->waiting; r != NULL; r = r->next)
            n++;
        reqs = zt_new_array(struct zt_http_req *, n + 1);
        n = 0;
        for (struct zt_http_req *r = http->waiting; r != NULL; r = r->next) {
            atomic_fetch_add(&r->owners, 1);
            reqs[n++] = r;
        }
    }
    for (size_t i = 0; i < n; i++) {
        abandon(http, reqs[i]);
        zt_req_release(reqs[i]);
    }
    free(reqs);
}

void zt_http_stop(struct zt_http *http, int64_t drain_us)
{
    if (http == NULL)
        return;
    MHD_socket fd = MHD_quiesce_daemon(http->daemon);
    tell_stopping(http);
    wait_for_requests(http, drain_us);
    abandon_waiting(http);
    end_streams(http);
    wait_for_requests(http, FLUSH_US);
    zt_stop_ask(http->stop_watch);
    pthread_join(http->watch, NULL);
    free_http(http);
    if (fd != MHD_INVALID_SOCKET)
        close(fd);
}
