/*
 * record.c - a task as clients see it: the data of recordInfo, and the callback's body, which is
 * the same data in another envelope.
 */
#include <inttypes.h>
#include <string.h>

#include "api/inside.h"
#include "base/clock.h"
#include "base/str.h"

#define ID_MAX 256 /* of a taskId that is looked up */

/* What a task's row alone does not say. */
struct view {
    const struct zt_task *task;
    const char *public_url;
    int64_t position; /* tasks that are claimed before it; < 0: not waiting */
    struct zt_eta eta;
    struct zt_arena *arena;
};

static void file_url(struct zt_out *out, const struct view *v, enum zt_api_file_of which)
{
    char name[ZT_API_FILE_NAME];
    const char *url =
        zt_arena_printf(v->arena, "%s/files/%s/%s", v->public_url, v->task->file_token,
                        zt_api_file_name(which, v->task->id, name));

    zt_out_string(out, url);
}

/* The text of resultJson: "" before success. */
static const char *result_text(const struct view *v)
{
    struct zt_api_result result;
    zt_auto_out struct zt_out out = { 0 };

    if (v->task->state != ZT_TASK_SUCCESS ||
        zt_api_result_read(v->task->result, v->arena, &result, NULL) != ZT_OK)
        return "";
    zt_out_init(&out, ZT_API_ANSWER_MAX);
    zt_out_raw(&out, "{\"resultUrls\":[");
    if (result.blobs[ZT_FILE_VIDEO] != NULL)
        file_url(&out, v, ZT_FILE_VIDEO);
    zt_out_raw(&out, "]");
    if (result.blobs[ZT_FILE_POSTER] != NULL) {
        zt_out_raw(&out, ",\"posterUrl\":");
        file_url(&out, v, ZT_FILE_POSTER);
    }
    if (result.blobs[ZT_FILE_LAST] != NULL) {
        zt_out_raw(&out, ",\"lastFrameUrl\":");
        file_url(&out, v, ZT_FILE_LAST);
    }
    zt_out_key_string(&out, "engine", result.engine);
    zt_out_key_int(&out, "seed", result.seed);
    zt_out_key_int(&out, "width", result.width);
    zt_out_key_int(&out, "height", result.height);
    zt_out_key_int(&out, "frames", result.frames);
    zt_out_key_int(&out, "fps", result.fps);
    zt_out_raw(&out, "}");
    const char *text = out.full ? NULL : zt_arena_strndup(v->arena, out.buf.data, out.buf.n);
    return text ? text : "";
}

static void key_int_or_null(struct zt_out *out, const char *key, bool known, int64_t value)
{
    if (known)
        zt_out_key_int(out, key, value);
    else
        zt_out_key_raw(out, key, "null");
}

/* Where a task that is not done can be watched. */
static void key_preview(struct zt_out *out, const struct view *v)
{
    const struct zt_task *t = v->task;
    bool shows = t->preview > 0 && t->preview_token != NULL && t->preview_token[0] != '\0';

    if (shows)
        zt_out_key_string(out, "previewUrl",
                          zt_arena_printf(v->arena, "%s/previews/%s/%s.mp4", v->public_url,
                                          t->preview_token, t->id));
    else
        zt_out_key_raw(out, "previewUrl", "null");
    zt_out_key_int(out, "previewVersion", shows ? t->preview : 0);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

/* The documented keys in their order, then ours; without the closing brace. */
static void write_record(struct zt_out *out, const struct view *v)
{
    const struct zt_task *t = v->task;
    bool final = zt_task_is_final(t->state);
    int percent = t->state == ZT_TASK_SUCCESS ? 100 : t->percent;
    const struct zt_eta *eta = &v->eta;

    zt_out_raw(out, "{\"taskId\":");
    zt_out_string(out, t->id);
    zt_out_key_string(out, "model", t->model);
    zt_out_key_string(out, "state", zt_task_state_name(t->state));
    zt_out_key_string(out, "param", or_empty(t->param));
    zt_out_key_string(out, "resultJson", result_text(v));
    zt_out_key_string(out, "failCode", or_empty(t->fail_code));
    zt_out_key_string(out, "failMsg", or_empty(t->fail_msg));
    key_int_or_null(out, "costTime", final, t->completed_us / ZT_MS_US - t->created_us / ZT_MS_US);
    key_int_or_null(out, "completeTime", final, t->completed_us / ZT_MS_US);
    zt_out_key_int(out, "createTime", t->created_us / ZT_MS_US);
    zt_out_key_int(out, "updateTime", t->updated_us / ZT_MS_US);
    zt_out_key_int(out, "progress", percent);
    zt_out_key_string(out, "stage", or_empty(t->stage));
    zt_out_key_int(out, "step", t->step);
    zt_out_key_int(out, "steps", t->steps);
    key_int_or_null(out, "queuePosition", v->position >= 0, v->position);
    key_int_or_null(out, "etaMs", eta->known, eta->us / ZT_MS_US);
    key_int_or_null(out, "etaLowMs", eta->known, eta->low_us / ZT_MS_US);
    key_int_or_null(out, "etaHighMs", eta->known, eta->high_us / ZT_MS_US);
    key_preview(out, v);
    zt_api_key_credit(out, "creditsConsumed", t->credit_milli);
    zt_out_key_string(out, "engine", or_empty(t->engine));
    zt_out_key_string(out, "recordId", t->id);
}

void zt_api_write_record(struct zt_api *api, struct zt_out *out, const struct zt_api_view *view)
{
    const struct view v = { .task = view->task,
                            .public_url = api->public_url,
                            .position = view->position,
                            .eta = zt_api_eta(api, view),
                            .arena = view->arena };

    write_record(out, &v);
    zt_out_raw(out, "}");
}

/* ---- recordInfo ---------------------------------------------------------------------------- */

static enum zt_code look_up(struct zt_api *api, struct zt_http_req *req, const char *id,
                            struct zt_view *ret, struct zt_err *err)
{
    uint8_t hash[ZT_SHA256_BYTES];
    struct zt_store *store = NULL;

    if (!zt_api_secret_hash(req, hash))
        return ZT_OK; /* nobody's key */
    ZT_TRY(zt_api_take(api, &store, err));
    enum zt_code rc = zt_store_view(store, zt_http_arena(req), hash, id, ret, err);
    zt_api_give(api, store);
    return rc;
}

static void reply_record(struct zt_api *api, struct zt_http_req *req, const struct zt_view *seen)
{
    zt_auto_out struct zt_out out = { 0 };
    const struct zt_api_view v = {
        .task = seen->task,
        .position = seen->task->state == ZT_TASK_WAITING ? seen->position : -1,
        .now_us = zt_clock_utc_us(api->options.store.clock),
        .arena = zt_http_arena(req),
    };

    zt_api_begin(&out, 200, "success");
    zt_api_write_record(api, &out, &v);
    zt_api_send(api, req, 200, &out);
}

/* Asks for the key with the task: a poll is one look at the database. */
void zt_api_record(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    struct zt_err err = { 0 };
    struct zt_view seen = { 0 };

    const char *id = zt_http_query(req, "taskId");
    bool given = id != NULL && id[0] != '\0';
    bool possible = given && strlen(id) <= ID_MAX;
    enum zt_code rc = look_up(api, req, possible ? id : "", &seen, &err);
    if (rc != ZT_OK)
        zt_api_reply_fault(api, req, rc, &err);
    else if (seen.key_id == 0)
        zt_api_deny(api, req);
    else if (!zt_api_may_come(api, req, seen.allow_ip))
        return;
    else if (!given)
        zt_api_reply(api, req, 400, "taskId parameter is required", NULL);
    else if (seen.task == NULL)
        zt_api_reply(api, req, 422, "recordInfo is null", NULL);
    else
        reply_record(api, req, &seen);
}

/* ---- the callback -------------------------------------------------------------------------- */

char *zt_api_callback_body(struct zt_arena *arena, const struct zt_task *task,
                           const char *public_url)
{
    const struct view v = { .task = task,
                            .public_url = public_url,
                            .position = -1,
                            .eta = { .known = true },
                            .arena = arena };
    bool success = task->state == ZT_TASK_SUCCESS;
    zt_auto_out struct zt_out out = { 0 };

    zt_out_init(&out, ZT_API_ANSWER_MAX);
    zt_out_raw(&out, "{\"code\":");
    zt_out_int(&out, success ? 200 : 501);
    zt_out_key_string(&out, "msg",
                      success ? "Playground task completed successfully."
                              : "Playground task failed.");
    zt_out_key_string(&out, "taskId", task->id);
    zt_out_raw(&out, ",\"data\":");
    write_record(&out, &v);
    zt_out_key_string(&out, "task_id", task->id);
    zt_out_key_string(&out, "callbackType", "task_completed");
    zt_out_raw(&out, "}}");
    return out.full ? NULL : zt_arena_strndup(arena, out.buf.data, out.buf.n);
}
