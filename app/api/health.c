/* health.c - /healthz: the process answers; /readyz: it can do its work, or why not. */
#include "api/inside.h"
#include "base/log.h"

void zt_api_healthz(struct zt_http_req *req, void *user)
{
    (void)user;
    zt_api_reply_status(req, 200, 200, "alive", NULL);
}

void zt_api_readyz(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    int64_t counts[ZT_TASK_STATES] = { 0 };
    struct zt_store *store = NULL;
    struct zt_err err = { 0 };
    char detail[300];

    enum zt_code rc = zt_api_take(api, &store, &err);
    if (rc == ZT_OK) {
        rc = zt_store_task_counts(store, counts, &err);
        zt_api_give(api, store);
    }
    if (rc == ZT_OK) {
        zt_api_reply_status(req, 200, 200, "ready", NULL);
        return;
    }
    ZT_LOG(WARN, "not_ready", "code=%s detail=%s", zt_code_name(rc),
           zt_log_quote(err.detail[0] ? err.detail : err.msg, detail, sizeof(detail)));
    zt_api_reply_status(
        req, 503, 503, zt_arena_printf(zt_http_arena(req), "the store cannot be read: %s", err.msg),
        NULL);
}
