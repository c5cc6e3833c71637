/*
 * cancel.c - POST /api/v1/jobs/cancelTask: ends a task that waits or runs.
 *
 * The store makes the final state; it shows at the next poll, whatever the worker is doing. The
 * answer is sent from the batch's thread, after the commit. Others that cancel (a client that hung
 * up) come in by zt_api_cancel_task.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api/field.h"
#include "api/inside.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/queue.h"

#define REASON        "cancelled by the client"
#define TASK_ID_BYTES 256 /* of one that is looked up */
#define DEPTH_MAX     8
#define BODY_MAX      ((size_t)ZT_CANCEL_BODY_MAX)

/* One cancellation on its way through the batch. */
struct cancellation {
    struct zt_api *api;
    char *id, *reason;
    int64_t key_id;
    bool callback;
    zt_batch_done_fn *done;
    void *user;
};

static void free_cancellation(struct cancellation *c)
{
    free(c->id);
    free(c->reason);
    free(c);
}

static enum zt_code call(struct zt_store *store, void *arg, struct zt_err *err)
{
    struct cancellation *c = arg;

    c->callback = false;
    return zt_store_task_cancel(store, c->id, c->key_id, c->reason, &c->callback, err);
}

/* On the batch's thread. */
static void settled(void *user, enum zt_code rc, const struct zt_err *err)
{
    struct cancellation *c = user;
    const struct zt_api_options *options = &c->api->options;

    if (rc == ZT_OK) {
        ZT_LOG(INFO, "task_cancelled", "task=%s key=%" PRId64 " reason=\"%s\"", c->id, c->key_id,
               c->reason);
        if (options->cancelled != NULL)
            options->cancelled(options->user, c->callback);
    }
    if (c->done != NULL)
        c->done(c->user, rc, err);
    free_cancellation(c);
}

enum zt_code zt_api_cancel_task(struct zt_api *api, const char *id, int64_t key_id,
                                const char *reason, zt_batch_done_fn *done, void *user,
                                struct zt_err *err)
{
    struct cancellation *c = zt_new(struct cancellation);

    *c = (struct cancellation){ .api = api, .key_id = key_id, .done = done, .user = user };
    c->id = zt_strdup_or_die(id);
    c->reason = zt_strdup_or_die(reason);
    enum zt_code rc = zt_batch_call(api->options.batch, call, c, settled, c, err);
    if (rc != ZT_OK)
        free_cancellation(c);
    return rc;
}

/* ---- the request --------------------------------------------------------------------------- */

static bool is_json(const char *type)
{
    static const char json[] = "application/json";

    return strncasecmp(type, json, sizeof(json) - 1) == 0 &&
           strchr("; \t", type[sizeof(json) - 1]) != NULL; /* the end, too */
}

bool zt_api_check_json(struct zt_api *api, struct zt_http_req *req)
{
    const char *type = zt_http_header(req, "Content-Type");
    char text[160];
    char shown[80];

    if (type == NULL || is_json(type))
        return true;
    zt_format(text, sizeof(text), "Content-Type must be application/json, not %s",
              zt_log_quote(type, shown, sizeof(shown)));
    zt_api_reply(api, req, 415, text, NULL);
    return false;
}

void zt_api_admit_json(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;

    if (zt_api_authorise(api, req))
        zt_api_check_json(api, req);
}

/* From the handler to `answer`; in the request's arena. */
struct asked {
    struct zt_api *api;
    struct zt_http_req *req;
    const char *id;
};

static void answer(void *user, enum zt_code rc, const struct zt_err *err)
{
    const struct asked *a = user;
    zt_auto_out struct zt_out out = { 0 };

    if (rc == ZT_E_NOT_FOUND) {
        zt_api_reply(a->api, a->req, 422, "recordInfo is null", NULL);
    } else if (rc == ZT_E_CONFLICT) {
        zt_api_reply(a->api, a->req, 409, err->msg, NULL);
    } else if (rc != ZT_OK) {
        zt_api_reply_fault(a->api, a->req, rc, err);
    } else {
        zt_api_begin(&out, 200, "success");
        zt_out_raw(&out, "{\"taskId\":");
        zt_out_string(&out, a->id);
        zt_out_key_string(&out, "state", zt_task_state_name(ZT_TASK_FAIL));
        zt_out_raw(&out, "}");
        zt_api_send(a->api, a->req, 200, &out);
    }
}

const char *zt_api_read_task_id(struct zt_api *api, struct zt_http_req *req)
{
    const struct zt_field field = {
        .name = "taskId", .kind = ZT_FIELD_TEXT, .required = true, .min = 1, .max = TASK_ID_BYTES
    };
    struct zt_problems problems = { .arena = zt_http_arena(req) };
    struct zt_err err = { 0 };
    const char *id = NULL;
    __attribute__((cleanup(zt_auto_json))) json_t *json = NULL;
    const struct zt_json_limits limits = { BODY_MAX, DEPTH_MAX };
    size_t n;

    const char *body = zt_http_body(req, &n);
    if (zt_json_parse(body, n, &limits, &json, &err) != ZT_OK) {
        zt_api_reply(api, req, 400, err.msg, NULL);
    } else if (!json_is_object(json)) {
        zt_api_reply(api, req, 400, "the body must be a JSON object", NULL);
    } else if (zt_fields_read(json, &field, 1, "", &(struct zt_field_rules){ 0 }, &id, &problems) !=
               ZT_OK) {
        zt_api_reply(api, req, 422, problems.text, NULL);
        return NULL;
    }
    return id;
}

void zt_api_cancel(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    const struct zt_api_caller *caller = zt_http_kept(req);
    struct zt_err err = { 0 };

    const char *id = zt_api_read_task_id(api, req);
    if (id == NULL)
        return;
    struct asked *a = zt_arena_new(zt_http_arena(req), struct asked);
    *a = (struct asked){ .api = api, .req = req, .id = id };
    if (zt_api_cancel_task(api, id, caller->key_id, REASON, answer, a, &err) != ZT_OK)
        zt_api_reply_later(api, req, ZT_SECOND_US, err.msg);
}
