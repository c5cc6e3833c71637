/*
 * files.c - GET /files/{token}/{name}: the files of a result, at an address nobody can guess.
 *
 * The token finds the task, the name is one of three we would have given ourselves, and the blob is
 * the one the task names: nothing of a request becomes part of a path.
 */
#include <inttypes.h>
#include <string.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/str.h"

#define TOKEN_MAX 128

static const char *const types[ZT_FILES] = {
    [ZT_FILE_VIDEO] = "video/mp4",
    [ZT_FILE_POSTER] = "image/jpeg",
    [ZT_FILE_LAST] = "image/jpeg",
};

static enum zt_code find_task(struct zt_api *api, struct zt_http_req *req, struct zt_task **ret,
                              struct zt_err *err)
{
    const char *token = zt_http_part(req, "token");
    struct zt_store *store = NULL;

    if (strlen(token) > TOKEN_MAX || !zt_utf8_valid(token, strlen(token)))
        return ZT_E_NOT_FOUND;
    ZT_TRY(zt_api_take(api, &store, err));
    enum zt_code rc = zt_store_task_by_token(store, zt_http_arena(req), token, ret, err);
    zt_api_give(api, store);
    return rc;
}

enum zt_code zt_api_result_blob(const struct zt_task *task, const char *name,
                                struct zt_arena *arena, enum zt_api_file_of *ret_which,
                                const char **ret_blob, struct zt_err *err)
{
    struct zt_api_result result;
    char served[ZT_API_FILE_NAME];

    ZT_TRY(zt_api_result_read(task->result, arena, &result, err));
    for (int i = 0; i < ZT_FILES; i++) {
        enum zt_api_file_of which = (enum zt_api_file_of)i;
        if (result.blobs[i] != NULL &&
            strcmp(name, zt_api_file_name(which, task->id, served)) == 0) {
            *ret_which = which;
            *ret_blob = result.blobs[i];
            return ZT_OK;
        }
    }
    return ZT_E_NOT_FOUND;
}

/* A blob is published once and replaced as a whole: name, size and time say which bytes it has. */
static void make_etag(const char *blob, const struct zt_blob_info *info, char *dst, size_t size)
{
    char text[256];
    char hex[ZT_SHA256_HEX];

    zt_format(text, sizeof(text), "%s:%" PRId64 ":%" PRId64, blob, info->bytes, info->modified_us);
    zt_sha256_hex(text, strlen(text), hex);
    zt_format(dst, size, "\"%.32s\"", hex);
}

static void serve(struct zt_api *api, struct zt_http_req *req, const struct zt_task *task,
                  enum zt_api_file_of which, int fd, const char *etag,
                  const struct zt_blob_info *info)
{
    char text[ZT_API_FILE_NAME];
    char value[ZT_API_FILE_NAME + 32];
    int64_t left_us = task->files_expire_us - zt_clock_utc_us(api->options.store.clock);

    zt_format(value, sizeof(value), "inline; filename=\"%s\"",
              zt_api_file_name(which, task->id, text));
    zt_http_set(req, "Content-Disposition", value);
    zt_format(value, sizeof(value), "private, max-age=%" PRId64,
              left_us > 0 ? left_us / ZT_SECOND_US : 0);
    zt_http_set(req, "Cache-Control", value);
    zt_http_reply_file(req, fd, info->bytes, info->modified_us, types[which], etag);
}

void zt_api_reply_result(struct zt_api *api, struct zt_http_req *req, enum zt_code rc,
                         const struct zt_task *task, enum zt_api_file_of which, const char *blob,
                         struct zt_err *err)
{
    struct zt_blob_info info = { 0 };
    char etag[40];
    int fd = -1;

    if (rc == ZT_OK)
        rc = zt_blobs_open_fd(api->options.blobs, blob, &fd, &info, err);
    if (rc == ZT_E_NOT_FOUND) {
        zt_api_reply_status(req, 404, 404, "there is no such file, or it has expired", NULL);
        return;
    }
    if (rc != ZT_OK) {
        zt_api_reply_fault(api, req, rc, err);
        return;
    }
    make_etag(blob, &info, etag, sizeof(etag));
    serve(api, req, task, which, fd, etag, &info);
}

void zt_api_file(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    struct zt_err err = { 0 };
    struct zt_task *task = NULL;
    enum zt_api_file_of which = ZT_FILE_VIDEO;
    const char *blob = NULL;

    enum zt_code rc = find_task(api, req, &task, &err);
    if (rc == ZT_OK)
        rc = zt_api_result_blob(task, zt_http_part(req, "name"), zt_http_arena(req), &which, &blob,
                                &err);
    zt_api_reply_result(api, req, rc, task, which, blob, &err);
}
