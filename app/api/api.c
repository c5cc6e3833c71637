/*
 * api.c - the state behind the handlers, the routes, and the one shape of all answers.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/inside.h"
#include "api/kie.h"
#include "api/upload.h"
#include "base/auto.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define FULL_RETRY_S   "30"
#define STORING        2  /* threads that put uploads on disk */
#define STORING_QUEUE  64 /* uploads that wait for them */
#define FETCHING_QUEUE 4  /* the same for each thread that fetches uploads by URL */

#define UPLOAD_PATHS   "/api/file-" /* what the paths of uploads begin with */

/* clang-format off */
static const struct zt_route routes[] = {
    /* method, path, body_max, later, handler, admit */
    { "POST", "/api/v1/jobs/createTask", ZT_KIE_BODY_MAX, true, zt_api_create,
      zt_api_admit_create },
    { "GET",  "/api/v1/jobs/recordInfo", 0, false, zt_api_record,  NULL },
    { "GET",  "/api/v1/jobs/listTasks",  0, false, zt_api_list,    NULL },
    { "POST", "/api/v1/jobs/cancelTask", ZT_CANCEL_BODY_MAX, true, zt_api_cancel,
      zt_api_admit_json },
    { "POST", "/api/v1/prompt/explain", ZT_API_EXPLAIN_BODY_MAX, false, zt_api_explain,
      zt_api_admit_json },
    { "GET",  "/",                       0, false, zt_api_page,    NULL },
    { "GET",  "/page/{name}",            0, false, zt_api_page_file, NULL },
    { "GET",  "/api/v1/jobs/callbacks",  0, false, zt_api_callbacks, NULL },
    { "POST", "/api/v1/jobs/redeliver", ZT_CANCEL_BODY_MAX, true, zt_api_redeliver,
      zt_api_admit_json },
    { "GET",  "/api/v1/chat/credit",     0, false, zt_api_credit,  NULL },
    { "GET",  "/api/v1/jobs/events",     0, true,  zt_api_events,  NULL },
    { "POST", "/api/v1/jobs/runTask", ZT_KIE_BODY_MAX, true, zt_api_run, zt_api_admit_create },
    { "GET",  ZT_FILES_ROUTE,            0, false, zt_api_file,    NULL },
    { "GET",  ZT_PREVIEW_ROUTE,          0, false, zt_api_preview, NULL },
    { "POST", "/api/file-base64-upload", ZT_UPLOAD_BASE64_BODY, true, zt_api_upload_base64,
      zt_api_admit_upload },
    { "POST", "/api/file-stream-upload", ZT_UPLOAD_FORM_BODY, true, zt_api_upload_form,
      zt_api_admit_upload_form },
    { "POST", "/api/file-url-upload", ZT_UPLOAD_URL_BODY, true, zt_api_upload_url,
      zt_api_admit_upload },
    { "GET",  ZT_UPLOADS_ROUTE,          0, false, zt_api_uploaded, NULL },
    { "POST", "/api/v1/common/download-url", ZT_API_DOWNLOAD_BODY, false, zt_api_download_url,
      zt_api_admit_json },
    { "GET",  ZT_DOWNLOADS_ROUTE,        0, false, zt_api_download, NULL },
    { "GET",  "/openapi.json",           0, false, zt_api_openapi, NULL },
    { "GET",  "/healthz",                0, false, zt_api_healthz, NULL },
    { "GET",  "/readyz",                 0, false, zt_api_readyz,  NULL },
    { "GET",  "/metrics",                0, false, zt_api_metrics, NULL },
};
/* clang-format on */

const struct zt_route *zt_api_routes(int *ret_n)
{
    *ret_n = (int)ZT_COUNT(routes);
    return routes;
}

/* ---- open and close ------------------------------------------------------------------------ */

static enum zt_code open_uploads(struct zt_api *api, struct zt_err *err)
{
    int fetches = api->options.uploads.fetches;

    ZT_TRY(zt_upload_pool_open(api, STORING, STORING_QUEUE, &api->upload_stores, err));
    return zt_upload_pool_open(api, fetches, fetches * FETCHING_QUEUE, &api->upload_fetches, err);
}

enum zt_code zt_api_open(const struct zt_api_options *options, struct zt_api **ret,
                         struct zt_err *err)
{
    if (options->store.path == NULL || options->batch == NULL || options->blobs == NULL)
        return zt_fail(err, ZT_E_INVALID, "the API needs a store, a batch and a place for files");
    if (options->rules.rate_creates > 0 && options->rules.rate_window_us <= 0)
        return zt_fail(err, ZT_E_INVALID, "a rate limit needs a window of time");
    if (options->uploads.max_bytes <= 0 || options->uploads.fetches <= 0)
        return zt_fail(err, ZT_E_INVALID, "uploads need a limit, and threads to fetch them");

    struct zt_api *api = zt_new(struct zt_api);
    api->options = *options;
    api->store_path = zt_strdup_or_die(options->store.path);
    api->options.store.path = api->store_path;
    api->options.store.read_only = true;
    api->engine = zt_strdup_or_die(options->engine ? options->engine : "");
    api->options.engine = api->engine;
    zt_api_set_public_url(api, options->public_url ? options->public_url : "");
    api->creates = zt_rates_new();
    pthread_mutex_init(&api->rules_mutex, NULL);
    pthread_mutex_init(&api->backlog.mutex, NULL);
    pthread_mutex_init(&api->handles_mutex, NULL);
    pthread_mutex_init(&api->paces.mutex, NULL);
    enum zt_code rc = open_uploads(api, err);
    if (rc == ZT_OK)
        rc = zt_api_followers_start(api, err);
    if (rc == ZT_OK)
        *ret = api;
    else
        zt_api_close(api);
    return rc;
}

void zt_api_close(struct zt_api *api)
{
    if (api == NULL)
        return;
    zt_api_followers_stop(api);
    zt_api_paces_clear(&api->paces);
    zt_upload_pool_close(api->upload_fetches);
    zt_upload_pool_close(api->upload_stores);
    for (int i = 0; i < api->handles_n; i++)
        zt_store_close(api->handles[i]);
    pthread_mutex_destroy(&api->handles_mutex);
    pthread_mutex_destroy(&api->backlog.mutex);
    zt_rates_free(api->creates);
    pthread_mutex_destroy(&api->rules_mutex);
    free(api->store_path);
    free(api->public_url);
    free(api->engine);
    free(api);
}

void zt_api_change(struct zt_api *api, const struct zt_api_rules *rules)
{
    zt_locked(&api->rules_mutex);
    api->options.rules = *rules;
}

struct zt_api_rules zt_api_rules(struct zt_api *api)
{
    zt_locked(&api->rules_mutex);
    return api->options.rules;
}

void zt_api_set_public_url(struct zt_api *api, const char *url)
{
    char *copy = zt_strdup_or_die(url);
    size_t n = strlen(copy);

    while (n > 0 && copy[n - 1] == '/')
        copy[--n] = '\0';
    free(api->public_url);
    api->public_url = copy;
    api->options.public_url = copy;
}

/* ---- read handles -------------------------------------------------------------------------- */

enum zt_code zt_api_take(struct zt_api *api, struct zt_store **ret, struct zt_err *err)
{
    {
        zt_locked(&api->handles_mutex);
        if (api->handles_n > 0) {
            *ret = api->handles[--api->handles_n];
            return ZT_OK;
        }
    }
    return zt_store_open(&api->options.store, ret, err);
}

void zt_api_give(struct zt_api *api, struct zt_store *store)
{
    {
        zt_locked(&api->handles_mutex);
        if (api->handles_n < (int)ZT_COUNT(api->handles)) {
            api->handles[api->handles_n++] = store;
            return;
        }
    }
    zt_store_close(store);
}

/* ---- answers ------------------------------------------------------------------------------- */

void zt_api_begin(struct zt_out *out, int code, const char *msg)
{
    zt_out_init(out, ZT_API_ANSWER_MAX);
    zt_out_raw(out, "{\"code\":");
    zt_out_int(out, code);
    zt_out_key_string(out, "msg", msg);
    zt_out_raw(out, ",\"data\":");
}

static void send(struct zt_http_req *req, int status, struct zt_out *out)
{
    zt_out_raw(out, "}");
    zt_assert(!out->full);
    zt_http_set(req, "Cache-Control", "no-store");
    zt_http_reply_take(req, status, ZT_API_JSON, &out->buf);
}

static int status_of(const struct zt_api *api, int code)
{
    return api->options.compat_status ? 200 : code;
}

void zt_api_send(struct zt_api *api, struct zt_http_req *req, int code, struct zt_out *out)
{
    send(req, status_of(api, code), out);
}

bool zt_api_is_upload(const struct zt_http_req *req)
{
    return zt_starts_with(zt_http_path(req), UPLOAD_PATHS);
}

/* Uploads came from another host of the service, and have a shape of their own. */
static void refuse_upload(struct zt_http_req *req, int status, int code, const char *msg)
{
    zt_auto_out struct zt_out out = { 0 };

    zt_out_init(&out, ZT_API_ANSWER_MAX);
    zt_out_raw(&out, "{\"success\":false,\"code\":");
    zt_out_int(&out, code);
    zt_out_key_string(&out, "msg", code == 500 ? "Internal server error" : msg);
    send(req, status, &out);
}

void zt_api_reply_status(struct zt_http_req *req, int status, int code, const char *msg,
                         const char *data)
{
    zt_auto_out struct zt_out out = { 0 };

    if (code != 200 && zt_api_is_upload(req)) {
        refuse_upload(req, status, code, msg);
        return;
    }
    zt_api_begin(&out, code, msg);
    zt_out_raw(&out, data ? data : "null");
    send(req, status, &out);
}

void zt_api_reply(struct zt_api *api, struct zt_http_req *req, int code, const char *msg,
                  const char *data)
{
    zt_api_reply_status(req, status_of(api, code), code, msg, data);
}

static void refuse_full(struct zt_api *api, struct zt_http_req *req)
{
    zt_http_set(req, "Retry-After", FULL_RETRY_S);
    zt_api_reply(api, req, 503, "the server's disk is nearly full; please try again later", NULL);
    if (api->options.refused_full != NULL)
        api->options.refused_full(api->options.user);
}

bool zt_api_has_room(struct zt_api *api, struct zt_http_req *req)
{
    struct zt_api_state state = { 0 };

    if (api->options.state != NULL)
        api->options.state(api->options.user, &state);
    if (state.disk_low)
        refuse_full(api, req);
    return !state.disk_low;
}

void zt_api_reply_fault(struct zt_api *api, struct zt_http_req *req, enum zt_code rc,
                        const struct zt_err *err)
{
    char msg[256];
    char detail[300];

    ZT_LOG(ERROR, "request_failed", "request=%s code=%s msg=%s detail=%s", zt_http_id(req),
           zt_code_name(rc), zt_log_quote(err->msg, msg, sizeof(msg)),
           zt_log_quote(err->detail, detail, sizeof(detail)));
    if (rc == ZT_E_FULL)
        refuse_full(api, req);
    else
        zt_api_reply(api, req, 500, ZT_API_EXCEPTION, NULL);
}

void zt_api_reply_later(struct zt_api *api, struct zt_http_req *req, int64_t wait_us,
                        const char *msg)
{
    char seconds[24];
    int64_t wait_s = (wait_us + ZT_SECOND_US - 1) / ZT_SECOND_US;

    zt_format(seconds, sizeof(seconds), "%" PRId64, wait_s > 0 ? wait_s : 1);
    zt_http_set(req, "Retry-After", seconds);
    zt_api_reply(api, req, 429, msg, NULL);
}

/* What the server itself refuses has a true status in both modes, as the service's own has. */
void zt_api_refuse(struct zt_http_req *req, int status, const char *text, void *user)
{
    (void)user;
    if (status == 503)
        zt_http_set(req, "Retry-After", "1");
    zt_api_reply_status(req, status, status, text, NULL);
}
