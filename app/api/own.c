/*
 * own.c - URLs of this server in requests: a picture that is here is read from where it is, not
 * over HTTP.
 *
 * Only what begins with the public URL is ours. Such a URL must lead to a file of ours, or the
 * request is refused: that a picture has expired is better said now than by a task that fails.
 */
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "api/inside.h"
#include "api/kie.h"
#include "api/own.h"
#include "base/str.h"
#include "store/uploads.h"

#define GONE "leads to a file of this server that does not exist, or has expired"

/* Copies the part of a path that `p` stands on; false: it is too long, or there is none. */
static bool take_part(const char **p, char *dst, size_t size)
{
    size_t n = strcspn(*p, "/?#");

    if (n == 0 || !zt_format(dst, size, "%.*s", (int)n, *p))
        return false;
    *p += n;
    if (**p == '/')
        (*p)++;
    return true;
}

bool zt_own_url_read(const char *public_url, const char *url, struct zt_own_url *ret)
{
    size_t n = strlen(public_url);
    char part[16];

    *ret = (struct zt_own_url){ .kind = ZT_OWN_UNKNOWN };
    if (n == 0 || strncmp(url, public_url, n) != 0 || strchr("/?#", url[n]) == NULL)
        return false; /* the end counts: it is the server itself */
    const char *p = url[n] == '/' ? url + n + 1 : url + n;
    if (!take_part(&p, part, sizeof(part)))
        return true;
    if (strcmp(part, "uploads") == 0 && take_part(&p, ret->token, sizeof(ret->token)))
        ret->kind = ZT_OWN_UPLOAD; /* the token alone says which */
    else if (strcmp(part, "files") == 0 && take_part(&p, ret->token, sizeof(ret->token)) &&
             take_part(&p, ret->name, sizeof(ret->name)) && strchr("?#", *p) != NULL)
        ret->kind = ZT_OWN_RESULT;
    else if (strcmp(part, "downloads") == 0 && take_part(&p, ret->task, sizeof(ret->task)) &&
             take_part(&p, ret->token, sizeof(ret->token)) &&
             take_part(&p, ret->name, sizeof(ret->name)) && strchr("?#", *p) != NULL)
        ret->kind = ZT_OWN_DOWNLOAD;
    return true;
}

enum zt_code zt_own_result(struct zt_api *api, struct zt_arena *arena, const struct zt_own_url *own,
                           struct zt_task **ret_task, enum zt_api_file_of *ret_which,
                           const char **ret_blob, struct zt_err *err)
{
    struct zt_store *db = NULL;

    if (!zt_utf8_valid(own->token, strlen(own->token)) ||
        !zt_utf8_valid(own->task, strlen(own->task)))
        return ZT_E_NOT_FOUND;
    ZT_TRY(zt_api_take(api, &db, err));
    enum zt_code rc = own->kind == ZT_OWN_RESULT
                          ? zt_store_task_by_token(db, arena, own->token, ret_task, err)
                          : zt_api_download_task(api, db, arena, own, ret_task, err);
    zt_api_give(api, db);
    ZT_TRY(rc);
    return zt_api_result_blob(*ret_task, own->name, arena, ret_which, ret_blob, err);
}

/* ---- pictures of a request ------------------------------------------------------------------ */

static enum zt_code refuse(struct zt_err *err, const char *field, const char *why)
{
    return zt_fail_field(err, ZT_E_INVALID, field, "%s %s", field, why);
}

static enum zt_code use_upload(struct zt_api *api, struct zt_arena *arena, const char *field,
                               const struct zt_own_url *own, struct zt_kie_picture *picture,
                               struct zt_err *err)
{
    struct zt_upload *upload = NULL;
    struct zt_store *db = NULL;
    int64_t most = api->options.uploads.picture_bytes;

    if (!zt_utf8_valid(own->token, strlen(own->token)))
        return refuse(err, field, GONE);
    ZT_TRY(zt_api_take(api, &db, err));
    enum zt_code rc = zt_store_upload_find(db, arena, own->token, &upload, err);
    zt_api_give(api, db);
    if (rc == ZT_E_NOT_FOUND)
        return refuse(err, field, GONE);
    ZT_TRY(rc);
    if (most > 0 && upload->bytes > most)
        return zt_fail_field(err, ZT_E_INVALID, field,
                             "%s leads to an upload of %" PRId64
                             " bytes; a picture may have %" PRId64 " at most",
                             field, upload->bytes, most);
    picture->blob = zt_arena_printf(arena, "upload/%s", upload->sha256);
    picture->stored = true;
    return picture->blob ? ZT_OK : zt_fail(err, ZT_E_NOMEM, "not enough memory for a task");
}

/* A still of a result is copied among the inputs: so the result may go when its time has come. */
static enum zt_code use_result(struct zt_api *api, struct zt_arena *arena, const char *field,
                               const struct zt_own_url *own, struct zt_kie_picture *picture,
                               struct zt_err *err)
{
    struct zt_task *task = NULL;
    enum zt_api_file_of which = ZT_FILE_VIDEO;
    const char *blob = NULL;

    enum zt_code rc = zt_own_result(api, arena, own, &task, &which, &blob, err);
    if (rc == ZT_OK && which == ZT_FILE_VIDEO)
        return refuse(err, field, "must lead to a picture, and this is a video");
    if (rc == ZT_OK) {
        zt_buf_init(&picture->bytes, ZT_KIE_IMAGE_MAX);
        rc = zt_blobs_get(api->options.blobs, blob, &picture->bytes, err);
    }
    if (rc == ZT_E_NOT_FOUND)
        return refuse(err, field, GONE);
    ZT_TRY(rc);
    zt_sha256_hex(picture->bytes.data ? picture->bytes.data : "", picture->bytes.n,
                  picture->sha256);
    picture->blob = zt_arena_printf(arena, "input/%s", picture->sha256);
    picture->stored = true;
    return picture->blob ? ZT_OK : zt_fail(err, ZT_E_NOMEM, "not enough memory for a task");
}

enum zt_code zt_api_own_pictures(struct zt_api *api, struct zt_arena *arena,
                                 struct zt_kie_request *request, struct zt_err *err)
{
    for (int i = 0; i < ZT_KIE_PICTURES; i++) {
        struct zt_kie_picture *picture = &request->pictures[i];
        const char *url =
            i == ZT_KIE_IMAGE ? request->input.image_url : request->input.end_image_url;
        const char *field = i == ZT_KIE_IMAGE ? "input.image_url" : "input.end_image_url";
        struct zt_own_url own;
        if (picture->blob != NULL || url == NULL || *url == '\0' ||
            !zt_own_url_read(api->public_url, url, &own))
            continue;
        if (own.kind == ZT_OWN_UNKNOWN)
            return refuse(err, field, GONE);
        ZT_TRY(own.kind == ZT_OWN_UPLOAD ? use_upload(api, arena, field, &own, picture, err)
                                         : use_result(api, arena, field, &own, picture, err));
    }
    return ZT_OK;
}
