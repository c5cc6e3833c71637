/*
 * upload.c - POST /api/file-base64-upload, /api/file-stream-upload, /api/file-url-upload.
 *
 * The order is what makes a crash harmless: the bytes are on disk under their hash, then the name
 * is in the database, then the answer is sent. A crash before the name leaves bytes that nobody
 * names, which the sweep removes. Bytes that are there already are written again all the same: the
 * file gets a new time, and what a fault of the disk did to the old one is undone.
 */
#include "api/upload.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/fault.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "http/form.h"
#include "net/fetch.h"
#include "net/url.h"
#include "store/uploads.h"

#define PARTS_MAX    1000
#define FORM_EXTRA   ((size_t)64 << 10) /* of a form, beside the file */
#define FULL_WAIT_US (5 * ZT_SECOND_US)
#define TRY_LATER    "please try again later"

static const char *const kind_names[ZT_UPLOAD_KINDS] = {
    [ZT_UPLOAD_BASE64] = "base64",
    [ZT_UPLOAD_FORM] = "stream",
    [ZT_UPLOAD_URL] = "url",
};

static int64_t now_us(const struct zt_upload_work *w)
{
    return zt_clock_utc_us(w->api->options.store.clock);
}

static int64_t max_bytes(const struct zt_upload_work *w)
{
    return w->api->options.uploads.max_bytes;
}

/* ---- begin and end -------------------------------------------------------------------------- */

static void end(void *arg)
{
    struct zt_upload_work *w = arg;

    zt_form_close(w->form);
    json_decref(w->root);
    zt_buf_clear(&w->bytes);
    zt_buf_clear(&w->path);
    zt_buf_clear(&w->name);
    zt_sha256_run_free(w->run);
    if (w->fd >= 0)
        close(w->fd);
    if (w->tmp[0] != '\0')
        unlink(w->tmp);
}

static struct zt_upload_work *begin(struct zt_api *api, struct zt_http_req *req,
                                    enum zt_upload_kind kind)
{
    const struct zt_api_caller *caller = zt_http_kept(req);
    struct zt_upload_work *w = zt_arena_new(zt_http_arena(req), struct zt_upload_work);

    *w = (struct zt_upload_work){
        .api = api, .req = req, .kind = kind, .key_id = caller->key_id, .fd = -1
    };
    zt_buf_init(&w->bytes, (size_t)max_bytes(w));
    zt_buf_init(&w->path, ZT_UPLOAD_TEXT);
    zt_buf_init(&w->name, ZT_UPLOAD_TEXT);
    zt_http_at_end(req, end, w);
    return w;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void reply_problem(const struct zt_upload_work *w)
{
    if (w->rc != ZT_OK) {
        zt_api_reply_fault(w->api, w->req, w->rc, &w->err);
        return;
    }
    if (w->problem.code == 503)
        zt_http_set(w->req, "Retry-After", "5");
    zt_api_reply(w->api, w->req, w->problem.code, w->problem.msg, NULL);
}

/* Our own fault: logged when it is answered. */
static bool fault(struct zt_upload_work *w, enum zt_code rc, const struct zt_err *err)
{
    if (rc == ZT_E_BUSY)
        return zt_upload_wrong(&w->problem, 503, "the server is busy; " TRY_LATER);
    if (w->problem.code == 0) {
        w->rc = rc;
        w->err = *err;
    }
    return zt_upload_wrong(&w->problem, 500, "Internal server error");
}

/* What is known of a file once it is stored. */
struct stored {
    const char *path, *name, *type, *token;
    char sha256[ZT_SHA256_HEX];
    int64_t bytes, at_us;
};

static void reply_stored(struct zt_upload_work *w, const struct stored *s)
{
    struct zt_arena *arena = zt_http_arena(w->req);
    zt_auto_out struct zt_out out = { 0 };
    char time[ZT_TIME_TEXT];

    zt_time_text(s->at_us, time);
    const char *part = zt_url_part(arena, s->name);
    zt_out_init(&out, ZT_API_ANSWER_MAX);
    zt_out_raw(&out, "{\"success\":true,\"code\":200,\"msg\":\"File uploaded successfully\","
                     "\"data\":{\"success\":true");
    zt_out_key_string(&out, "fileName", s->name);
    zt_out_key_string(
        &out, "filePath",
        zt_arena_printf(arena, "zoetrope/%" PRId64 "/%s/%s", w->key_id, s->path, s->name));
    zt_out_key_string(
        &out, "downloadUrl",
        part ? zt_arena_printf(arena, "%s/uploads/%s/%s", w->api->public_url, s->token, part)
             : NULL);
    zt_out_key_int(&out, "fileSize", s->bytes);
    zt_out_key_string(&out, "mimeType", s->type);
    zt_out_key_string(&out, "uploadedAt", time);
    zt_out_raw(&out, "}");
    zt_api_send(w->api, w->req, 200, &out);
}

/* ---- storing -------------------------------------------------------------------------------- */

static bool put_bytes(struct zt_upload_work *w, const char *blob)
{
    struct zt_err err = { 0 };
    enum zt_code rc;

    if (w->kind == ZT_UPLOAD_FORM) {
        rc = zt_blobs_publish(w->api->options.blobs, w->tmp, blob, &err);
        if (rc == ZT_OK)
            w->tmp[0] = '\0';
    } else {
        rc = zt_blobs_put(w->api->options.blobs, blob, w->bytes.data, w->bytes.n, &err);
    }
    zt_crash_point("upload.stored");
    return rc == ZT_OK || fault(w, rc, &err);
}

/* A sweep may have removed the bytes between put_bytes and the name; after the name it cannot. */
static bool still_there(struct zt_upload_work *w, const char *blob)
{
    zt_auto_fd int fd = -1;
    struct zt_err err = { 0 };

    enum zt_code rc = zt_blobs_open_fd(w->api->options.blobs, blob, &fd, NULL, &err);
    if (rc == ZT_E_NOT_FOUND)
        return zt_upload_wrong(&w->problem, 503, "the file was swept away; " TRY_LATER);
    return rc == ZT_OK || fault(w, rc, &err);
}

static bool put_name(struct zt_upload_work *w, struct zt_upload_hand *hand, const struct stored *s,
                     char token[ZT_UPLOAD_TOKEN + 1])
{
    const struct zt_upload upload = {
        .key_id = w->key_id,
        .path = s->path,
        .name = s->name,
        .token = token,
        .sha256 = s->sha256,
        .type = s->type,
        .bytes = s->bytes,
        .expires_us = s->at_us + w->api->options.uploads.keep_us,
    };
    struct zt_store_options options = w->api->options.store;
    struct zt_err err = { 0 };
    enum zt_code rc = ZT_OK;
    char got[ZT_UPLOAD_TOKEN + 1];

    options.read_only = false;
    if (hand->store == NULL)
        rc = zt_store_open(&options, &hand->store, &err);
    if (rc == ZT_OK)
        rc =
            zt_store_upload_add(hand->store, &upload, w->api->options.uploads.key_bytes, got, &err);
    zt_crash_point("upload.recorded");
    if (rc == ZT_E_LIMIT) {
        bool removed;
        struct zt_err ignored = { 0 };
        zt_upload_drop(hand->store, w->api->options.blobs, s->sha256, &removed, &ignored);
        return zt_upload_wrong(&w->problem, 413, "%s", err.msg);
    }
    if (rc != ZT_OK)
        return fault(w, rc, &err);
    memcpy(token, got, sizeof(got));
    return true;
}

/* The hash, the size and the type of what was sent. */
static bool look_at(struct zt_upload_work *w, struct stored *s)
{
    bool form = w->kind == ZT_UPLOAD_FORM;

    s->bytes = form ? w->form_bytes : (int64_t)w->bytes.n;
    s->type = form ? zt_picture_type(w->head, w->form_bytes < ZT_UPLOAD_HEAD ? (size_t)w->form_bytes
                                                                             : ZT_UPLOAD_HEAD)
                   : zt_picture_type(w->bytes.data, w->bytes.n);
    if (s->type == NULL)
        return zt_upload_wrong(&w->problem, 400,
                               "the file must be a JPEG, PNG or WebP picture, and its content"
                               " (%" PRId64 " bytes) is none of these",
                               s->bytes);
    if (form)
        zt_sha256_run_end(w->run, s->sha256);
    else
        zt_sha256_hex(w->bytes.data, w->bytes.n, s->sha256);
    return true;
}

static bool store(struct zt_upload_work *w, struct zt_upload_hand *hand, struct stored *s)
{
    struct zt_arena *arena = zt_http_arena(w->req);
    char token[ZT_UPLOAD_TOKEN + 1];

    if (!look_at(w, s))
        return false;
    s->at_us = now_us(w);
    s->path = w->said.path;
    s->name = *w->said.name ? w->said.name : zt_upload_new_name(arena, s->at_us, s->type);
    const char *blob = zt_arena_printf(arena, "upload/%s", s->sha256);
    if (s->name == NULL || blob == NULL)
        return zt_upload_wrong(&w->problem, 503, "there is not enough memory; " TRY_LATER);
    zt_random_token(token, ZT_UPLOAD_TOKEN / 2);
    if (!put_bytes(w, blob) || !put_name(w, hand, s, token) || !still_there(w, blob))
        return false;
    s->token = zt_arena_strdup(arena, token);
    return true;
}

/* ---- the three kinds ------------------------------------------------------------------------ */

static bool fetch(struct zt_upload_work *w, const struct zt_upload_hand *hand)
{
    struct zt_err err = { 0 };
    struct zt_url url;

    enum zt_code rc =
        zt_url_read(w->said.source, w->said.source_n, false, zt_http_arena(w->req), &url, &err);
    if (rc != ZT_OK)
        return zt_upload_wrong(&w->problem, 400, "fileUrl must be an http or https URL: %s",
                               err.msg);
    if (hand->client == NULL)
        return zt_upload_wrong(&w->problem, 501, "this server fetches no files");
    rc = zt_fetch(hand->client, w->said.source, &w->bytes, &err);
    switch (rc) {
    case ZT_OK:
        return true;
    case ZT_E_LIMIT:
        return zt_upload_wrong(&w->problem, 413,
                               "the file at fileUrl may have %" PRId64 " bytes at most: %s",
                               max_bytes(w), err.msg);
    case ZT_E_TIMEOUT:
        return zt_upload_wrong(&w->problem, 408, "fileUrl could not be downloaded: %s", err.msg);
    case ZT_E_CANCELLED:
        return zt_upload_wrong(&w->problem, 503, "the server is stopping; " TRY_LATER);
    case ZT_E_NOMEM:
    case ZT_E_INTERNAL:
        return fault(w, rc, &err);
    default:
        return zt_upload_wrong(&w->problem, 400, "fileUrl could not be downloaded: %s", err.msg);
    }
}

static bool read_body(struct zt_upload_work *w, const struct zt_upload_hand *hand)
{
    size_t n;

    if (w->kind == ZT_UPLOAD_FORM)
        return true; /* read as it came */
    const char *body = zt_http_body(w->req, &n);
    if (!zt_upload_read(w->kind, body, n, &w->root, &w->said, &w->problem))
        return false;
    if (w->kind == ZT_UPLOAD_URL)
        return fetch(w, hand);
    return zt_upload_decode(w->said.source, w->said.source_n, &w->bytes, &w->problem);
}

/* After the reply the request is gone, and w with it. */
void zt_upload_run(struct zt_upload_work *w, struct zt_upload_hand *hand)
{
    struct stored s = { .bytes = 0 };

    if (!read_body(w, hand) || !store(w, hand, &s)) {
        reply_problem(w);
        return;
    }
    ZT_LOG(INFO, "file_uploaded", "key=%" PRId64 " kind=%s bytes=%" PRId64 " type=%s sha256=%.16s",
           w->key_id, kind_names[w->kind], s.bytes, s.type, s.sha256);
    reply_stored(w, &s);
}

static void hand_over(struct zt_upload_work *w)
{
    struct zt_upload_pool *pool =
        w->kind == ZT_UPLOAD_URL ? w->api->upload_fetches : w->api->upload_stores;

    if (!zt_upload_pool_add(pool, w))
        zt_api_reply_later(w->api, w->req, FULL_WAIT_US,
                           "too many uploads are being worked on; " TRY_LATER);
}

/* ---- JSON bodies ---------------------------------------------------------------------------- */

void zt_api_admit_upload(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;

    if (zt_api_authorise(api, req) && zt_api_has_room(api, req))
        zt_api_check_json(api, req);
}

void zt_api_upload_base64(struct zt_http_req *req, void *user)
{
    hand_over(begin(user, req, ZT_UPLOAD_BASE64));
}

void zt_api_upload_url(struct zt_http_req *req, void *user)
{
    hand_over(begin(user, req, ZT_UPLOAD_URL));
}

/* ---- forms ---------------------------------------------------------------------------------- */

static bool open_tmp(struct zt_upload_work *w)
{
    struct zt_err err = { 0 };

    enum zt_code rc = zt_blobs_tmp(w->api->options.blobs, ".part", w->tmp, sizeof(w->tmp), &err);
    if (rc != ZT_OK) {
        w->tmp[0] = '\0';
        return fault(w, rc, &err);
    }
    w->fd = open(w->tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (w->fd < 0)
        return fault(w, zt_fail_errno(&err, errno, "create file", w->tmp), &err);
    w->run = zt_sha256_run_new();
    return true;
}

static bool write_tmp(struct zt_upload_work *w, const char *p, size_t n)
{
    struct zt_err err = { 0 };

    while (n > 0) {
        ssize_t done = zt_fault("upload_write") ? -1 : write(w->fd, p, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fault(w, zt_fail_errno(&err, errno, "write file", w->tmp), &err);
        p += done;
        n -= (size_t)done;
    }
    return true;
}

static bool add_to_file(struct zt_upload_work *w, const struct zt_form_piece *piece)
{
    if (piece->n == 0)
        return true;
    if (piece->offset == 0 && w->form_bytes > 0)
        return zt_upload_wrong(&w->problem, 400, "file must be sent once: one file an upload");
    if ((int64_t)piece->n > max_bytes(w) - w->form_bytes)
        return zt_upload_wrong(&w->problem, 413, "file may have %" PRId64 " bytes at most",
                               max_bytes(w));
    if (w->fd < 0 && !open_tmp(w))
        return false;
    if (w->form_bytes < ZT_UPLOAD_HEAD) {
        size_t room = ZT_UPLOAD_HEAD - (size_t)w->form_bytes;
        memcpy(w->head + w->form_bytes, piece->bytes, piece->n < room ? piece->n : room);
    }
    w->form_bytes += (int64_t)piece->n;
    zt_sha256_run_add(w->run, piece->bytes, piece->n);
    return write_tmp(w, piece->bytes, piece->n);
}

static bool add_to_text(struct zt_upload_work *w, struct zt_buf *text,
                        const struct zt_form_piece *piece)
{
    if (piece->offset == 0)
        text->n = 0; /* sent again: the last one counts */
    if (zt_buf_add(text, piece->bytes, piece->n, NULL) == ZT_OK)
        return true;
    return zt_upload_wrong(&w->problem, 400, "%s may have %d bytes at most", piece->name,
                           text == &w->path ? ZT_UPLOAD_PATH_MAX : ZT_UPLOAD_NAME_MAX);
}

static bool on_part(void *user, const struct zt_form_piece *piece)
{
    struct zt_upload_work *w = user;
    const char *name = piece->name ? piece->name : "";

    if (piece->offset == 0 && w->parts++ >= PARTS_MAX)
        return zt_upload_wrong(&w->problem, 400, "the form has more than %d parts", PARTS_MAX);
    if (strcmp(name, "file") == 0)
        return add_to_file(w, piece);
    if (strcmp(name, "uploadPath") == 0)
        return add_to_text(w, &w->path, piece);
    if (strcmp(name, "fileName") == 0)
        return add_to_text(w, &w->name, piece);
    return true; /* not ours to know */
}

static void on_piece(struct zt_http_req *req, const void *bytes, size_t n, void *user)
{
    struct zt_upload_work *w = zt_http_kept(req);

    (void)user;
    if (zt_form_feed(w->form, bytes, n))
        return;
    zt_upload_wrong(&w->problem, 400, "the body is not well-formed multipart/form-data");
    reply_problem(w);
}

void zt_api_admit_upload_form(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    int64_t length = 0;

    if (!zt_api_authorise(api, req) || !zt_api_has_room(api, req))
        return;
    struct zt_upload_work *w = begin(api, req, ZT_UPLOAD_FORM);
    zt_http_keep(req, w);
    const char *said = zt_http_header(req, "Content-Length");
    if (said != NULL && zt_parse_int(said, 0, INT64_MAX, &length) &&
        length > max_bytes(w) + (int64_t)FORM_EXTRA)
        zt_upload_wrong(&w->problem, 413, "file may have %" PRId64 " bytes at most", max_bytes(w));
    w->form = zt_form_open(req, on_part, w);
    if (w->form == NULL)
        zt_upload_wrong(&w->problem, 415,
                        "Content-Type must be multipart/form-data with a boundary of"
                        " 2 characters at least");
    if (w->problem.code != 0)
        reply_problem(w);
    else
        zt_http_take_pieces(req, on_piece);
}

static const char *text_of(struct zt_upload_work *w, const struct zt_buf *buf, const char *name)
{
    if (buf->n == 0)
        return "";
    if (!zt_utf8_valid(buf->data, buf->n))
        zt_upload_wrong(&w->problem, 400, "%s must be text in UTF-8", name);
    return buf->data;
}

void zt_api_upload_form(struct zt_http_req *req, void *user)
{
    struct zt_upload_work *w = zt_http_kept(req);

    (void)user;
    bool whole = zt_form_finish(w->form);
    w->form = NULL;
    if (!whole)
        zt_upload_wrong(&w->problem, 400, "the form ends before its last delimiter");
    if (w->form_bytes == 0)
        zt_upload_wrong(&w->problem, 400, "Missing required parameter: file");
    w->said.path = text_of(w, &w->path, "uploadPath");
    w->said.name = text_of(w, &w->name, "fileName");
    if (w->problem.code != 0 || !zt_upload_names_ok(w->said.path, w->said.name, &w->problem))
        reply_problem(w);
    else
        hand_over(w);
}

/* ---- serving -------------------------------------------------------------------------------- */

/* "inline; filename=..." with the name in ASCII, and the whole of it for those who know how. */
static const char *disposition(struct zt_arena *arena, const char *name)
{
    char ascii[ZT_UPLOAD_NAME_MAX + 1];
    size_t n = 0;

    for (const unsigned char *p = (const unsigned char *)name; *p && n < sizeof(ascii) - 1; p++)
        ascii[n++] = (char)(*p < 0x80 && *p != '%' ? *p : '_');
    ascii[n] = '\0';
    const char *escaped = zt_url_part(arena, name);
    return zt_arena_printf(arena, "inline; filename=\"%s\"; filename*=UTF-8''%s", ascii,
                           escaped ? escaped : "file");
}

static enum zt_code find(struct zt_api *api, struct zt_http_req *req, struct zt_upload **ret,
                         struct zt_err *err)
{
    const char *token = zt_http_part(req, "token");
    struct zt_store *db = NULL;

    if (strlen(token) != ZT_UPLOAD_TOKEN || !zt_utf8_valid(token, strlen(token)))
        return ZT_E_NOT_FOUND;
    ZT_TRY(zt_api_take(api, &db, err));
    enum zt_code rc = zt_store_upload_find(db, zt_http_arena(req), token, ret, err);
    zt_api_give(api, db);
    if (rc == ZT_OK && strcmp((*ret)->name, zt_http_part(req, "name")) != 0)
        return ZT_E_NOT_FOUND;
    return rc;
}

void zt_api_uploaded(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    struct zt_arena *arena = zt_http_arena(req);
    struct zt_upload *upload = NULL;
    struct zt_blob_info info = { 0 };
    struct zt_err err = { 0 };
    char etag[40];
    int fd = -1;

    enum zt_code rc = find(api, req, &upload, &err);
    if (rc == ZT_OK)
        rc =
            zt_blobs_open_fd(api->options.blobs,
                             zt_arena_printf(arena, "upload/%s", upload->sha256), &fd, &info, &err);
    if (rc == ZT_E_NOT_FOUND) {
        zt_api_reply_status(req, 404, 404, "there is no such file, or it has expired", NULL);
        return;
    }
    if (rc != ZT_OK) {
        zt_api_reply_fault(api, req, rc, &err);
        return;
    }
    zt_format(etag, sizeof(etag), "\"%.32s\"", upload->sha256);
    zt_http_set(req, "Content-Disposition", disposition(arena, upload->name));
    zt_http_set(req, "Content-Security-Policy", "default-src 'none'; sandbox");
    zt_http_set(req, "Cache-Control", "private, no-cache"); /* other bytes may get the name */
    zt_http_reply_file(req, fd, info.bytes, info.modified_us, upload->type, etag);
}
