/*
 * list.c - GET /api/v1/jobs/listTasks: the tasks of the key that asks, newest first, a page at a
 * time. A cursor names the last task of a page by its place in the order, so what arrives, ends or
 * is forgotten meanwhile moves nothing.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/field.h"
#include "api/inside.h"
#include "api/kie.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "store/list.h"

#define LIMIT_MAX    100
#define LIMIT        20
#define ANSWER_BYTES ((size_t)1 << 20) /* a page ends with the task that passes it */
#define MS_MAX       (INT64_MAX / ZT_MS_US - 1)
#define CURSOR_HALF  16 /* hexadecimal digits of the time, then of the place */
#define CURSOR_TEXT  (2 * CURSOR_HALF)
#define SHOWN        60

/* What is asked for. */
struct ask {
    struct zt_task_filter filter;
    struct zt_task_cursor cursor;
    int64_t limit;
};

/* ---- reading ------------------------------------------------------------------------------- */

static void must_be(struct zt_problems *problems, const char *name, const char *allowed,
                    const char *given)
{
    char shown[SHOWN];

    zt_problem(problems, name, " must be %s, not %s", allowed,
               zt_log_quote(given, shown, sizeof(shown)));
}

/* NULL when the parameter is absent or empty, which is the same. */
static const char *query(const struct zt_http_req *req, const char *name)
{
    const char *value = zt_http_query(req, name);

    return value != NULL && *value != '\0' ? value : NULL;
}

static void read_state(const char *given, struct ask *ret, struct zt_problems *problems)
{
    enum zt_task_state state = ZT_TASK_WAITING;

    ret->filter.state = -1;
    if (given == NULL)
        return;
    if (zt_task_state_parse(given, &state))
        ret->filter.state = (int)state;
    else
        must_be(problems, "state", "waiting, queuing, generating, success or fail", given);
}

static void read_model(const char *given, struct ask *ret, struct zt_problems *problems)
{
    const struct zt_kie_model *model;
    const char *names = "";

    if (given == NULL)
        return;
    for (int i = 0; (model = zt_kie_model(i)) != NULL; i++) {
        if (strcmp(model->name, given) == 0) {
            ret->filter.model = model->name;
            return;
        }
        const char *longer =
            zt_arena_printf(problems->arena, "%s%s%s", names, i ? ", " : "", model->name);
        names = longer ? longer : names;
    }
    must_be(problems, "model", zt_arena_printf(problems->arena, "one of %s", names), given);
}

/* Milliseconds into microseconds: the first of that millisecond, or the last. */
static int64_t read_time(const char *name, const char *given, bool last,
                         struct zt_problems *problems)
{
    int64_t ms = 0;

    if (given == NULL)
        return 0;
    if (!zt_parse_int(given, 0, MS_MAX, &ms)) {
        must_be(problems, name, "unix milliseconds, 0 or more", given);
        return 0;
    }
    return ms * ZT_MS_US + (last ? ZT_MS_US - 1 : 0);
}

static bool read_hex(const char *text, int64_t *ret)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t value = 0;

    for (int i = 0; i < CURSOR_HALF; i++) {
        const char *digit = text[i] ? strchr(digits, text[i]) : NULL;
        if (digit == NULL)
            return false;
        value = value << 4 | (uint64_t)(digit - digits);
    }
    *ret = (int64_t)value;
    return value <= INT64_MAX;
}

static void read_cursor(const char *given, struct ask *ret, struct zt_problems *problems)
{
    struct zt_task_cursor *c = &ret->cursor;

    if (given == NULL)
        return;
    if (strlen(given) != CURSOR_TEXT || !read_hex(given, &c->created_us) ||
        !read_hex(given + CURSOR_HALF, &c->seq) || c->seq == 0)
        must_be(problems, "cursor", "a nextCursor of an earlier answer", given);
}

static struct ask read_ask(struct zt_http_req *req, struct zt_problems *problems)
{
    struct ask ask = { .limit = LIMIT };
    const char *limit = query(req, "limit");
    const char *to = query(req, "to");

    if (limit != NULL && !zt_parse_int(limit, 1, LIMIT_MAX, &ask.limit))
        must_be(problems, "limit", "a whole number from 1 to 100", limit);
    read_state(query(req, "state"), &ask, problems);
    read_model(query(req, "model"), &ask, problems);
    ask.filter.from_us = read_time("from", query(req, "from"), false, problems);
    ask.filter.to_us = read_time("to", to, true, problems);
    if (to != NULL && ask.filter.to_us > 0 && ask.filter.to_us < ask.filter.from_us)
        zt_problem(problems, "to", " must not be before from");
    read_cursor(query(req, "cursor"), &ask, problems);
    return ask;
}

/* ---- answering ----------------------------------------------------------------------------- */

static void reply_page(struct zt_api *api, struct zt_http_req *req, const struct zt_task_page *page)
{
    zt_auto_out struct zt_out out = { 0 };
    char cursor[CURSOR_TEXT + 1] = "";
    int64_t now_us = zt_clock_utc_us(api->options.store.clock);
    int n = 0;

    zt_api_begin(&out, 200, "success");
    zt_out_raw(&out, "{\"tasks\":[");
    while (n < page->n && out.buf.n < ANSWER_BYTES) {
        const struct zt_task_entry *entry = &page->entries[n];
        const struct zt_api_view view = {
            .task = entry->task,
            .position = entry->task->state == ZT_TASK_WAITING ? entry->position : -1,
            .now_us = now_us,
            .arena = zt_http_arena(req),
        };
        if (n++ > 0)
            zt_out_raw(&out, ",");
        zt_api_write_record(api, &out, &view);
    }
    zt_out_raw(&out, "]");
    if (n > 0 && (page->more || n < page->n)) {
        const struct zt_task_cursor *after = &page->entries[n - 1].after;
        zt_format(cursor, sizeof(cursor), "%016" PRIx64 "%016" PRIx64, (uint64_t)after->created_us,
                  (uint64_t)after->seq);
    }
    zt_out_key_string(&out, "nextCursor", cursor);
    zt_out_raw(&out, "}");
    zt_api_send(api, req, 200, &out);
}

void zt_api_list(struct zt_http_req *req, void *user)
{
    struct zt_api *api = user;
    struct zt_problems problems = { .arena = zt_http_arena(req) };
    struct zt_task_page page = { 0 };
    struct zt_store *store = NULL;
    struct zt_err err = { 0 };

    if (!zt_api_authorise(api, req))
        return;
    const struct zt_api_caller *caller = zt_http_kept(req);
    struct ask ask = read_ask(req, &problems);
    if (problems.n > 0) {
        zt_api_reply(api, req, 422, problems.text ? problems.text : "the filter is wrong", NULL);
        return;
    }
    ask.filter.key_id = caller->key_id;
    enum zt_code rc = zt_api_take(api, &store, &err);
    if (rc == ZT_OK) {
        rc = zt_store_task_page(store, zt_http_arena(req), &ask.filter, &ask.cursor, (int)ask.limit,
                                &page, &err);
        zt_api_give(api, store);
    }
    if (rc != ZT_OK)
        zt_api_reply_fault(api, req, rc, &err);
    else
        reply_page(api, req, &page);
}
