/*
 * previews.c - GET /previews/{token}/{name}: what can be watched of a task that is not done yet, at
 * an address nobody can guess, the same for the whole attempt.
 */
#include <string.h>

#include "api/inside.h"
#include "base/digest.h"
#include "base/str.h"

#define SUFFIX ".mp4"
#define NONE   "there is nothing to watch here: the task has ended, or shows nothing yet"

/* The task whose preview has this address. */
static enum zt_code find_task(struct zt_api *api, struct zt_http_req *req, struct zt_task **ret,
                              struct zt_err *err)
{
    const char *token = zt_http_part(req, "token");
    const char *name = zt_http_part(req, "name");
    size_t n = strlen(name), suffix = strlen(SUFFIX);
    char id[ZT_TASK_ID_MAX + 1];
    struct zt_store *store = NULL;
    struct zt_task *task = NULL;

    if (n <= suffix || strcmp(name + n - suffix, SUFFIX) != 0 ||
        !zt_format(id, sizeof(id), "%.*s", (int)(n - suffix), name))
        return ZT_E_NOT_FOUND;
    ZT_TRY(zt_api_take(api, &store, err));
    enum zt_code rc = zt_store_task_get(store, zt_http_arena(req), id, 0, &task, err);
    zt_api_give(api, store);
    ZT_TRY(rc);
    if (task->preview_token[0] == '\0' || strlen(token) != strlen(task->preview_token) ||
        !zt_equal_secret(token, task->preview_token, strlen(token)))
        return ZT_E_NOT_FOUND;
    *ret = task;
    return ZT_OK;
}

void zt_api_preview(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    struct zt_api_preview_file file = { .fd = -1 };
    struct zt_task *task = NULL;
    struct zt_err err = { 0 };

    enum zt_code rc =
        api->options.preview != NULL ? find_task(api, req, &task, &err) : ZT_E_NOT_FOUND;
    if (rc == ZT_OK)
        rc = api->options.preview(api->options.user, task, &file, &err);
    if (rc == ZT_E_NOT_FOUND) {
        zt_api_reply_status(req, 404, 404, NONE, NULL);
    } else if (rc != ZT_OK) {
        zt_api_reply_fault(api, req, rc, &err);
    } else {
        zt_http_set(req, "Cache-Control", "no-store");
        zt_http_reply_file(req, file.fd, file.bytes, ZT_HTTP_UNDATED, "video/mp4", file.etag);
    }
}
