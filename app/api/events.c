/*
 * events.c - GET /api/v1/jobs/events: what happens to a task, or to all tasks of the key, as
 * server-sent events. Checks and begins; follow.c tells.
 */
#include <string.h>

#include "api/inside.h"
#include "base/str.h"

#define TYPE       "text/event-stream"
#define BUFFER_MAX ((size_t)8 << 20) /* an event is a record, and its prompt may be long */
#define OPENING    "retry: 2000\n\n"

/* The header of a client that comes back wins over the query it came with at first. */
static bool read_last_id(const struct zt_http_req *req, int64_t *ret)
{
    const char *text = zt_http_header(req, "Last-Event-ID");

    if (text == NULL || text[0] == '\0')
        text = zt_http_query(req, "lastEventId");
    *ret = -1;
    return text == NULL || text[0] == '\0' || zt_parse_int(text, 0, INT64_MAX, ret);
}

/* Whether there is such a task of the key's; answers otherwise. */
static bool may_follow(struct zt_api *api, struct zt_http_req *req, const uint8_t *hash,
                       const char *id)
{
    struct zt_store *store = NULL;
    struct zt_view seen = { 0 };
    struct zt_err err = { 0 };

    enum zt_code rc = strlen(id) <= ZT_TASK_ID_MAX ? zt_api_take(api, &store, &err) : ZT_OK;
    if (store != NULL) {
        rc = zt_store_view(store, zt_http_arena(req), hash, id, &seen, &err);
        zt_api_give(api, store);
    }
    if (rc != ZT_OK)
        zt_api_reply_fault(api, req, rc, &err);
    else if (seen.task == NULL)
        zt_api_reply(api, req, 422, "recordInfo is null", NULL);
    return rc == ZT_OK && seen.task != NULL;
}

void zt_api_events(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    struct zt_api_follow follow = { .how = ZT_FOLLOW_EVENTS, .req = req };
    struct zt_err err = { 0 };

    if (!zt_api_authorise(api, req) || !zt_api_secret_hash(req, follow.key_hash))
        return; /* which has answered */
    const struct zt_api_caller *caller = zt_http_kept(req);
    const char *id = zt_http_query(req, "taskId");
    follow.key_id = caller->key_id;
    follow.task_id = id ? id : "";
    if (!read_last_id(req, &follow.after_id)) {
        zt_api_reply(api, req, 400, "Last-Event-ID must be the id of an event, a whole number",
                     NULL);
        return;
    }
    if (follow.task_id[0] != '\0' && !may_follow(api, req, follow.key_hash, follow.task_id))
        return;
    follow.not_yet = true;
    zt_api_follow(api, &follow); /* first, so that a client that leaves at once is found */
    enum zt_code rc = zt_http_hold(req, zt_api_follow_gone, api->followers, &err);
    if (rc != ZT_OK) {
        zt_api_follow_drop(api, req);
        zt_http_set(req, "Retry-After", "5");
        zt_api_reply(api, req, 503, err.msg, NULL);
        return;
    }
    zt_http_set(req, "Cache-Control", "no-store");
    zt_http_set(req, "X-Accel-Buffering", "no"); /* a proxy passes each event on at once */
    zt_http_stream_begin(req, 200, TYPE, BUFFER_MAX);
    zt_http_stream_write(req, OPENING, strlen(OPENING));
    zt_api_follow_begin(api, req, NULL);
}
