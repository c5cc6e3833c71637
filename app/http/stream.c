/*
 * stream.c - answers written piece by piece. See stream.h.
 *
 * What is written waits in the request's buffer until MHD asks for it. When MHD finds nothing, the
 * connection is suspended, and the next piece resumes it, all under the request's mutex. A
 * suspended connection notices nothing by itself, so the watch (server.c) looks for clients that
 * left; it also shuts the sockets of those that were cut off here for reading too slowly.
 */
#include "http/stream.h"

#include <string.h>

#include "base/thread.h"
#include "http/request.h"

#define KEEP_BYTES ((size_t)16 << 10) /* of an empty buffer; a larger one is freed */

/* The request's mutex is held. */
static void wake(struct zt_http_req *req)
{
    if (req->stream.suspended)
        MHD_resume_connection(req->conn);
    req->stream.suspended = false;
}

static void drop_buffer(struct zt_http_stream *s)
{
    if (s->buf.cap > KEEP_BYTES)
        zt_buf_clear(&s->buf);
    s->buf.n = 0;
    s->sent = 0;
}

/* MHD asks for more to send. */
static ssize_t give(void *user, uint64_t position, char *dst, size_t max)
{
    struct zt_http_req *req = user;
    struct zt_http_stream *s = &req->stream;

    (void)position;
    zt_locked(&req->mutex);
    if (s->over)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t n = s->buf.n - s->sent;
    if (n == 0 && s->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (n == 0) {
        MHD_suspend_connection(req->conn);
        s->suspended = true;
        return 0;
    }
    if (n > max)
        n = max;
    memcpy(dst, s->buf.data + s->sent, n);
    s->sent += n;
    req->out_bytes += (int64_t)n;
    if (s->sent == s->buf.n)
        drop_buffer(s);
    return (ssize_t)n;
}

void zt_http_stream_begin(struct zt_http_req *req, int status, const char *type, size_t buffer_max)
{
    struct zt_http_stream *s = &req->stream;

    zt_assert(req->handed_out && req->gone != NULL && buffer_max > 0);
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, ZT_HTTP_PIECE, give, req, NULL);
    zt_assert(response != NULL);
    zt_response_set(response, req, type);
    {
        zt_locked(&req->mutex);
        zt_assert(!s->open);
        s->open = true;
        s->max = buffer_max;
        zt_buf_init(&s->buf, 2 * buffer_max); /* of which what was sent is a part */
        s->over = req->state == ZT_REQ_ABANDONED;
    }
    zt_req_answer(req, status, response);
}

bool zt_http_stream_write(struct zt_http_req *req, const void *bytes, size_t n)
{
    struct zt_http_stream *s = &req->stream;

    zt_locked(&req->mutex);
    zt_assert(s->open && !s->ended);
    if (s->over)
        return false;
    size_t waiting = s->buf.n - s->sent;
    if (s->sent > 0 && s->buf.n + n > s->max) {
        memmove(s->buf.data, s->buf.data + s->sent, waiting);
        s->buf.n = waiting;
        s->sent = 0;
    }
    if (n > s->max - waiting || zt_buf_add(&s->buf, bytes, n, NULL) != ZT_OK) {
        s->over = true;
        atomic_store(&s->cut, true);
    }
    wake(req);
    return !s->over;
}

size_t zt_http_stream_waiting(struct zt_http_req *req)
{
    zt_locked(&req->mutex);
    return req->stream.buf.n - req->stream.sent;
}

void zt_http_stream_end(struct zt_http_req *req)
{
    {
        zt_locked(&req->mutex);
        zt_assert(req->stream.open && !req->stream.ended);
        req->stream.ended = true;
        wake(req);
    }
    zt_req_release(req);
}

void zt_req_end_stream(struct zt_http_req *req)
{
    zt_locked(&req->mutex);
    if (!req->stream.open)
        return;
    req->stream.over = true;
    wake(req);
}

void zt_req_tell_gone(struct zt_http_req *req, enum zt_http_gone why)
{
    {
        zt_locked(&req->mutex);
        const struct zt_http_stream *s = &req->stream;
        bool settled = s->open ? s->ended : req->state == ZT_REQ_ANSWERED;
        if (req->told || settled)
            return;
        req->told = true;
    }
    req->gone(req, why, req->gone_user);
}
