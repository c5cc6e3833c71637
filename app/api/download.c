/*
 * download.c - POST /api/v1/common/download-url, and the addresses it gives out.
 *
 * A ticket is the end of its time and an HMAC of what it is for, keyed by the token of the task's
 * files: nothing is stored, it survives a restart, it cannot be guessed or moved to another file,
 * and it does not give the token away.
 */
#include <inttypes.h>
#include <string.h>

#include "api/field.h"
#include "api/own.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/json.h"
#include "base/str.h"

#define VALID_US   (20 * ZT_MINUTE_US)
#define WRONG_URL  "url is wrong"

#define TICKET_MAX (20 + 1 + ZT_SHA256_HEX)

/* "1776488469-<hex>"; false: a text is too long. */
static bool make_ticket(const struct zt_task *task, const char *name, int64_t end_s,
                        char dst[TICKET_MAX])
{
    char text[2 * ZT_API_FILE_NAME + 64];
    char hex[ZT_SHA256_HEX];
    uint8_t mac[ZT_SHA256_SIZE];

    if (!zt_format(text, sizeof(text), "download\n%s\n%s\n%" PRId64, task->id, name, end_s))
        return false;
    zt_hmac_sha256(task->file_token, strlen(task->file_token), text, strlen(text), mac);
    zt_hex(mac, sizeof(mac), hex);
    return zt_format(dst, TICKET_MAX, "%" PRId64 "-%s", end_s, hex);
}

static bool ticket_is_good(const struct zt_task *task, const struct zt_own_url *own, int64_t now_us)
{
    char number[24];
    char want[TICKET_MAX];
    int64_t end_s = 0;
    const char *dash = strchr(own->token, '-');

    if (dash == NULL ||
        !zt_format(number, sizeof(number), "%.*s", (int)(dash - own->token), own->token) ||
        !zt_parse_int(number, 0, INT64_MAX / ZT_SECOND_US, &end_s) ||
        !make_ticket(task, own->name, end_s, want))
        return false;
    return strlen(own->token) == strlen(want) && zt_equal_secret(own->token, want, strlen(want)) &&
           now_us < end_s * ZT_SECOND_US;
}

enum zt_code zt_api_download_task(struct zt_api *api, struct zt_store *db, struct zt_arena *arena,
                                  const struct zt_own_url *own, struct zt_task **ret,
                                  struct zt_err *err)
{
    int64_t now_us = zt_clock_utc_us(api->options.store.clock);
    struct zt_task *task = NULL;

    ZT_TRY(zt_store_task_get(db, arena, own->task, 0, &task, err));
    if (task->state != ZT_TASK_SUCCESS || task->files_removed || *task->file_token == '\0' ||
        task->files_expire_us <= now_us || !ticket_is_good(task, own, now_us))
        return ZT_E_NOT_FOUND;
    *ret = task;
    return ZT_OK;
}

void zt_api_download(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    struct zt_own_url own = { .kind = ZT_OWN_DOWNLOAD };
    enum zt_api_file_of which = ZT_FILE_VIDEO;
    struct zt_task *task = NULL;
    const char *blob = NULL;
    struct zt_err err = { 0 };
    enum zt_code rc = ZT_E_NOT_FOUND;

    if (zt_format(own.task, sizeof(own.task), "%s", zt_http_part(req, "task")) &&
        zt_format(own.token, sizeof(own.token), "%s", zt_http_part(req, "ticket")) &&
        zt_format(own.name, sizeof(own.name), "%s", zt_http_part(req, "name")))
        rc = zt_own_result(api, zt_http_arena(req), &own, &task, &which, &blob, &err);
    zt_api_reply_result(api, req, rc, task, which, blob, &err);
}

/* ---- giving one out ------------------------------------------------------------------------- */

struct wish {
    const char *url;
};
static const struct zt_field wish_fields[] = {
    { "url", ZT_FIELD_TEXT, true, offsetof(struct wish, url), 1, 8192, NULL, NULL,
      "the URL of a file of one of this key's results" },
};

/* The URL; NULL: there is no memory for it. */
static const char *new_url(struct zt_api *api, struct zt_arena *arena, const struct zt_task *task,
                           const char *name)
{
    int64_t end_us = zt_clock_utc_us(api->options.store.clock) + VALID_US;
    char ticket[TICKET_MAX];

    if (!make_ticket(task, name, end_us / ZT_SECOND_US, ticket))
        return NULL;
    return zt_arena_printf(arena, "%s/downloads/%s/%s/%s", api->public_url, task->id, ticket, name);
}

static void reply_url(struct zt_api *api, struct zt_http_req *req, const char *wanted)
{
    const struct zt_api_caller *caller = zt_http_kept(req);
    struct zt_arena *arena = zt_http_arena(req);
    enum zt_api_file_of which = ZT_FILE_VIDEO;
    zt_auto_out struct zt_out out = { 0 };
    struct zt_task *task = NULL;
    const char *blob = NULL;
    struct zt_own_url own;
    struct zt_err err = { 0 };
    enum zt_code rc = ZT_E_NOT_FOUND;

    if (zt_own_url_read(api->public_url, wanted, &own) && own.kind == ZT_OWN_RESULT)
        rc = zt_own_result(api, arena, &own, &task, &which, &blob, &err);
    if (rc == ZT_OK && task->key_id != caller->key_id)
        rc = ZT_E_NOT_FOUND;
    if (rc == ZT_E_NOT_FOUND) {
        zt_api_reply(api, req, 422, WRONG_URL, NULL);
        return;
    }
    const char *url = rc == ZT_OK ? new_url(api, arena, task, own.name) : NULL;
    if (url == NULL) {
        zt_api_reply_fault(api, req, rc == ZT_OK ? ZT_E_NOMEM : rc, &err);
        return;
    }
    zt_api_begin(&out, 200, "success");
    zt_out_string(&out, url);
    zt_api_send(api, req, 200, &out);
}

void zt_api_download_url(struct zt_http_req *req, void *user)
{
    static const struct zt_json_limits limits = { ZT_API_DOWNLOAD_BODY, 4 };
    __attribute__((cleanup(zt_auto_json))) json_t *root = NULL;
    struct zt_problems problems = { .arena = zt_http_arena(req) };
    const struct zt_field_rules rules = { 0 };
    struct zt_api *api = user;
    struct wish wish = { 0 };
    struct zt_err err = { 0 };
    size_t n;

    const char *body = zt_http_body(req, &n);
    if (zt_json_parse(body, n, &limits, &root, &err) != ZT_OK || !json_is_object(root)) {
        zt_api_reply(api, req, 400, "the request body must be a JSON object", NULL);
        return;
    }
    if (zt_fields_read(root, wish_fields, ZT_COUNT(wish_fields), "", &rules, &wish, &problems) !=
        ZT_OK) {
        zt_api_reply(api, req, 422, problems.text ? problems.text : WRONG_URL, NULL);
        return;
    }
    reply_url(api, req, wish.url);
}
