/* response.c - answers: bytes in memory, or a file with ranges and conditions. */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/str.h"
#include "base/thread.h"
#include "http/range.h"
#include "http/request.h"

static void add_header(struct MHD_Response *response, const char *name, const char *value)
{
    enum MHD_Result added = MHD_add_response_header(response, name, value);

    zt_assert(added == MHD_YES); /* control characters are kept out by zt_http_set */
}

void zt_response_set(struct MHD_Response *response, const struct zt_http_req *req, const char *type)
{
    if (type != NULL)
        add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    add_header(response, "X-Content-Type-Options", "nosniff");
    add_header(response, "X-Request-Id", req->id);
    for (const struct zt_http_set_header *h = req->set; h != NULL; h = h->next)
        add_header(response, h->name, h->value);
}

struct MHD_Response *zt_response_new(struct zt_http_req *req, const char *type, const void *body,
                                     size_t n)
{
    /* MHD does not write to the body; with MUST_COPY it takes its copy here. */
    struct MHD_Response *response =
        MHD_create_response_from_buffer(n, (void *)(uintptr_t)body, MHD_RESPMEM_MUST_COPY);

    zt_assert(response != NULL);
    zt_response_set(response, req, type);
    return response;
}

void zt_req_answer(struct zt_http_req *req, int status, struct MHD_Response *response)
{
    zt_locked(&req->mutex);

    zt_assert(req->state != ZT_REQ_ANSWERED); /* a handler replies once */
    if (req->state == ZT_REQ_ABANDONED) {
        MHD_destroy_response(response);
        return;
    }
    bool suspended = req->state == ZT_REQ_SUSPENDED;
    req->response = response;
    req->status = status;
    req->state = ZT_REQ_ANSWERED;
    if (suspended)
        MHD_resume_connection(req->conn); /* under the mutex: see abandon() in server.c */
}

/* The handler of a `later` route is done with the request once it replied. */
static void answer_and_release(struct zt_http_req *req, int status, struct MHD_Response *response,
                               int64_t bytes)
{
    bool handed_out = req->handed_out;

    req->out_bytes = strcmp(req->method, "HEAD") == 0 ? 0 : bytes;
    zt_req_answer(req, status, response);
    if (handed_out)
        zt_req_release(req);
}

void zt_http_reply(struct zt_http_req *req, int status, const char *type, const void *body,
                   size_t n)
{
    answer_and_release(req, status, zt_response_new(req, type, body, n), (int64_t)n);
}

void zt_http_reply_take(struct zt_http_req *req, int status, const char *type, struct zt_buf *body)
{
    size_t n;
    char *bytes = zt_buf_take(body, &n);
    struct MHD_Response *response =
        bytes ? MHD_create_response_from_buffer(n, bytes, MHD_RESPMEM_MUST_FREE)
              : MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);

    zt_assert(response != NULL);
    zt_response_set(response, req, type);
    answer_and_release(req, status, response, (int64_t)n);
}

/* ---- files --------------------------------------------------------------------------------- */

/* If-None-Match decides when it is there, else If-Modified-Since (RFC 9110, 13.2.2). */
static bool not_modified(const struct zt_http_req *req, const char *etag, int64_t modified_s)
{
    const char *tags = zt_http_header(req, MHD_HTTP_HEADER_IF_NONE_MATCH);
    const char *since = zt_http_header(req, MHD_HTTP_HEADER_IF_MODIFIED_SINCE);
    int64_t since_s;

    if (tags != NULL)
        return zt_etag_listed(tags, etag);
    return since != NULL && zt_http_date_read(since, &since_s) && modified_s <= since_s;
}

/* The Range header, unless If-Range says that the client's part is of another file. */
static const char *wanted_range(const struct zt_http_req *req, const char *etag, int64_t modified_s)
{
    const char *range = zt_http_header(req, MHD_HTTP_HEADER_RANGE);
    const char *only_if = zt_http_header(req, MHD_HTTP_HEADER_IF_RANGE);
    int64_t only_if_s;

    if (range == NULL || strcmp(req->method, "GET") != 0)
        return NULL;
    if (only_if == NULL || strcmp(only_if, etag) == 0)
        return range;
    if (zt_http_date_read(only_if, &only_if_s) && only_if_s == modified_s)
        return range;
    return NULL;
}

static void reply_unsatisfiable(struct zt_http_req *req, int64_t bytes)
{
    char range[48];

    zt_format(range, sizeof(range), "bytes */%" PRId64, bytes);
    zt_http_set(req, MHD_HTTP_HEADER_CONTENT_RANGE, range);
    answer_and_release(req, MHD_HTTP_RANGE_NOT_SATISFIABLE, zt_response_new(req, NULL, "", 0), 0);
}

void zt_http_reply_file(struct zt_http_req *req, int fd, int64_t bytes, int64_t modified_us,
                        const char *type, const char *etag)
{
    zt_auto_fd int owned = fd;
    bool dated = modified_us != ZT_HTTP_UNDATED;
    int64_t modified_s = dated ? modified_us / ZT_SECOND_US : INT64_MAX; /* later than any date */
    char date[ZT_HTTP_DATE];
    char range[80];
    int64_t first = 0;
    int64_t last = bytes - 1;

    if (dated) {
        zt_http_date(modified_s, date);
        zt_http_set(req, MHD_HTTP_HEADER_LAST_MODIFIED, date);
    }
    zt_http_set(req, MHD_HTTP_HEADER_ETAG, etag);
    zt_http_set(req, MHD_HTTP_HEADER_ACCEPT_RANGES, "bytes");
    if (not_modified(req, etag, modified_s)) {
        answer_and_release(req, MHD_HTTP_NOT_MODIFIED, zt_response_new(req, NULL, "", 0), 0);
        return;
    }
    if (bytes == 0) { /* nothing to map or send */
        answer_and_release(req, MHD_HTTP_OK, zt_response_new(req, type, "", 0), 0);
        return;
    }
    enum zt_range part = zt_range_read(wanted_range(req, etag, modified_s), bytes, &first, &last);
    if (part == ZT_RANGE_NONE) {
        reply_unsatisfiable(req, bytes);
        return;
    }
    if (part == ZT_RANGE_PART) {
        zt_format(range, sizeof(range), "bytes %" PRId64 "-%" PRId64 "/%" PRId64, first, last,
                  bytes);
        zt_http_set(req, MHD_HTTP_HEADER_CONTENT_RANGE, range);
    }
    struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(
        (uint64_t)(last - first + 1), zt_take_fd(&owned), (uint64_t)first);
    zt_assert(response != NULL); /* it closes the file */
    zt_response_set(response, req, type);
    answer_and_release(req, part == ZT_RANGE_PART ? MHD_HTTP_PARTIAL_CONTENT : MHD_HTTP_OK,
                       response, last - first + 1);
}
