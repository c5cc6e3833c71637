/*
 * stream.h - requests that are held for long, and answers that are written piece by piece.
 *
 * For `later` routes. The handler calls zt_http_hold before it returns, and answers when there is
 * something to say: with one zt_http_reply_* call, or with a stream. A held request costs a
 * connection and no thread. At most half of all connections may be held, so that streams cannot
 * starve ordinary requests.
 */
#ifndef ZT_HTTP_STREAM_H
#define ZT_HTTP_STREAM_H

#include "base/error.h"

struct zt_http_req;

enum zt_http_gone {
    ZT_HTTP_CLIENT_LEFT, /* it hung up, or sent its last byte */
    ZT_HTTP_STOPPING,    /* the server is told to stop: answer or end soon */
};

/*
 * Called at most once a request, on a thread of the server's, holding no lock; must not block. The
 * request must still be answered or ended, if it was not; at that moment another thread may just
 * be doing that, so compare `req` under a lock of your own before using it. user lives as long as
 * the server.
 */
typedef void zt_http_gone_fn(struct zt_http_req *req, enum zt_http_gone why, void *user);

/*
 * Announces that the answer may take long. In the handler of a `later` route, once.
 * ZT_E_LIMIT: too many are held. ZT_E_CANCELLED: the server is stopping. Both: to be answered now.
 */
enum zt_code zt_http_hold(struct zt_http_req *req, zt_http_gone_fn *gone, void *user,
                          struct zt_err *err);

/*
 * Begins an answer of unknown length to a held request, instead of a reply. Any thread; one at a
 * time for each of the three calls of a request. At most buffer_max bytes wait for the client; one
 * that reads too slowly for that is cut off.
 */
void zt_http_stream_begin(struct zt_http_req *req, int status, const char *type, size_t buffer_max);

/* Queues a piece, copied. False: the client is gone or was too slow; only the end is left to do. */
bool zt_http_stream_write(struct zt_http_req *req, const void *bytes, size_t n);

/* Bytes that were written and wait for the client to take them. */
size_t zt_http_stream_waiting(struct zt_http_req *req);

/* What was written is sent, then the answer ends. The request is not the caller's after this. */
void zt_http_stream_end(struct zt_http_req *req);

#endif
