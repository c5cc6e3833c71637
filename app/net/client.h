/*
 * client.h - one outbound HTTP request, guarded. On libcurl.
 *
 * The guard is asked for the very address that the socket is about to connect to, at every hop, so
 * DNS that changes its answer gains nothing. TLS certificates and names are always checked. No
 * proxy, cookie, netrc or environment setting is used. Each hop makes its own connection and asks
 * DNS anew; compression is never asked for. A client belongs to one thread; the process should
 * ignore SIGPIPE (zt_stop_on_signals does).
 */
#ifndef ZT_NET_CLIENT_H
#define ZT_NET_CLIENT_H

#include "base/buf.h"

struct zt_guard;
struct zt_stop;
struct zt_client;

struct zt_client_options {
    const struct zt_guard *guard; /* kept */
    const char *ca_file;          /* NULL: the system's */
    const char *resolve;          /* for tests: "host:port:address[,address]...", more after a
                                     space; NULL: the system's DNS */
    const struct zt_stop *stop;   /* a stop ends a request under way; may be NULL; kept */
};

struct zt_client *zt_client_new(const struct zt_client_options *options);
void zt_client_free(struct zt_client *client);

struct zt_call {
    const char *method;         /* "GET" or "POST" */
    const char *url;            /* http or https; checked with zt_url_read */
    const char *const *headers; /* "Name: value" lines, NULL at the end; may be NULL. Not sent
                                   to another host that a redirect leads to */
    const void *body;
    size_t body_n;
    int max_redirects;       /* 0: a 3xx is an answer like any other; GET only above 0 */
    int64_t connect_us;      /* 0: 10 s */
    int64_t total_us;        /* over all hops; 0: 30 s */
    int64_t min_bytes_per_s; /* slower than this fails; 0: 1000 for GET, none for POST */
    int64_t min_speed_us;    /* ... for this long, in whole seconds; 0: 5 s */
    bool cut_body;           /* a body past the buffer's limit, or one that does not end in time, is
                                cut there instead of refused: status and headers count */
    bool skip_error_body;    /* the body of a status other than 200 is not read */
};

struct zt_answer {
    int status;
    int64_t took_us;
    int64_t retry_after_us; /* from Retry-After (seconds or a date); -1: none */
    char content_type[128]; /* "" when there was none */
    bool cut;               /* the body is not whole: cut_body */
    int family;             /* 4 or 6: over which IP the host was asked; 0: it was not */
    char location[256];     /* the host that a redirect leads to; "" when there is none */
};

/*
 * Sends one request and appends the final answer's body to `body` (its limit holds; ZT_E_LIMIT).
 * On failure `body` is as it was, and of *ret only family tells anything.
 *   ZT_E_INVALID  the URL, or a header with control characters
 *   ZT_E_DENIED   an address or a redirect that the guard refuses; msg does not name the address
 *   ZT_E_NET      resolve, connect, TLS or protocol failed
 *   ZT_E_TIMEOUT  connect, total or speed limit
 *   ZT_E_LIMIT    too large (Content-Length is believed at once) or too many redirects
 *   ZT_E_CANCELLED  the stop was asked for
 * An HTTP error status is ZT_OK with that status. msg is fit for whoever gave the URL and begins in
 * lower case, so that a caller can put the field's name in front with zt_err_prefix.
 */
enum zt_code zt_client_call(struct zt_client *client, const struct zt_call *call,
                            struct zt_buf *body, struct zt_answer *ret, struct zt_err *err);

#endif
