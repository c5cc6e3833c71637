/* tasks.c - zoetrope tasks: the operator's view of the store, over all keys. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "cli/command.h"
#include "cli/json.h"
#include "cli/watch.h"
#include "service/data.h"
#include "service/handles.h"
#include "store/list.h"
#include "store/queue.h"

struct own {
    bool json;
    const char *state, *model;
    int64_t from_ms, to_ms;
    int64_t limit;
};

/* ---- JSON ---------------------------------------------------------------------------------- */

/* What is stored as JSON already stays it; nothing becomes null. */
static void put_raw(const char *key, const char *value)
{
    printf(",\"%s\":%s", key, *value ? value : "null");
}

static void put_time(const char *key, int64_t us)
{
    if (us == 0)
        printf(",\"%s\":null", key);
    else
        printf(",\"%s\":%" PRId64, key, us / ZT_MS_US);
}

static void put_json(const struct zt_task *t)
{
    printf("{\"id\":");
    zt_json_put(t->id);
    zt_json_put_text("state", zt_task_state_name(t->state));
    zt_json_put_text("model", t->model);
    zt_json_put_text("engine", t->engine);
    printf(",\"keyId\":%" PRId64 ",\"attempt\":%d,\"progress\":%d", t->key_id, t->attempt,
           t->percent);
    zt_json_put_text("stage", t->stage);
    zt_json_put_text("worker", t->worker);
    put_time("createTime", t->created_us);
    put_time("startTime", t->started_us);
    put_time("completeTime", t->completed_us);
    zt_json_put_text("failCode", t->fail_code);
    zt_json_put_text("failMsg", t->fail_msg);
    put_raw("input", t->input);
    put_raw("result", t->result);
    printf("}\n");
}

/* ---- text ---------------------------------------------------------------------------------- */

static void put_row(const struct zt_task *t)
{
    char created[ZT_TIME_TEXT];

    zt_time_text(t->created_us, created);
    printf("%-46s %-10s %3d %% %7d  %s  %.60s\n", t->id, zt_task_state_name(t->state), t->percent,
           t->attempt, created, t->fail_msg);
}

static void put_when(const char *name, int64_t us)
{
    char text[ZT_TIME_TEXT];

    zt_time_text(us, text);
    printf("%-12s %s\n", name, us ? text : "-");
}

static void put_task(const struct zt_task *t)
{
    printf("%-12s %s\n%-12s %s\n%-12s %s\n", "task", t->id, "state", zt_task_state_name(t->state),
           "model", t->model);
    printf("%-12s %s\n%-12s %d of %d\n%-12s %d %%%s%s\n", "engine", *t->engine ? t->engine : "-",
           "attempt", t->attempt, ZT_TASK_MAX_ATTEMPTS, "progress", t->percent,
           *t->stage ? ", " : "", t->stage);
    if (*t->worker)
        printf("%-12s %s\n", "worker", t->worker);
    put_when("created", t->created_us);
    put_when("started", t->started_us);
    put_when("completed", t->completed_us);
    if (*t->fail_msg)
        printf("%-12s %s %s\n", "failed", t->fail_code, t->fail_msg);
    if (*t->result)
        printf("%-12s %s\n%-12s %" PRId64 " bytes%s\n", "result", t->result, "files", t->file_bytes,
               t->files_removed ? ", removed" : "");
    printf("%-12s %s\n", "input", t->input);
}

/* ---- actions ------------------------------------------------------------------------------- */

/* Milliseconds, as in the API; 0 is no limit. */
static bool read_time(const char *flag, int64_t ms, bool last, int64_t *ret, struct zt_err *err)
{
    if (ms > INT64_MAX / ZT_MS_US - 1) {
        zt_fail(err, ZT_E_INVALID, "--%s must be unix milliseconds", flag);
        return false;
    }
    *ret = ms > 0 ? ms * ZT_MS_US + (last ? ZT_MS_US - 1 : 0) : 0;
    return true;
}

/* Page by page, for a page has a limit in bytes. */
static enum zt_code put_pages(struct zt_store *store, const struct zt_task_filter *filter,
                              const struct own *own, struct zt_err *err)
{
    struct zt_arena arena = { 0 };
    struct zt_task_cursor cursor = { 0 };
    struct zt_task_page page = { .more = true };
    enum zt_code rc = ZT_OK;

    for (int left = (int)own->limit; page.more && left > 0; left -= page.n) {
        zt_arena_reset(&arena);
        rc = zt_store_task_page(store, &arena, filter, &cursor, left, &page, err);
        if (rc != ZT_OK)
            break;
        for (int i = 0; i < page.n; i++)
            own->json ? put_json(page.entries[i].task) : put_row(page.entries[i].task);
        if (page.n > 0)
            cursor = page.entries[page.n - 1].after;
    }
    zt_arena_clear(&arena);
    return rc;
}

static int list(struct zt_args *args, struct zt_store *store)
{
    const struct own *own = args->own;
    struct zt_task_filter filter = { .state = -1, .model = *own->model ? own->model : NULL };
    struct zt_err err = { 0 };
    enum zt_task_state state = ZT_TASK_WAITING;

    if (*own->state && !zt_task_state_parse(own->state, &state)) {
        zt_fail(&err, ZT_E_INVALID,
                "--state must be waiting, queuing, generating, success or fail, not '%.40s'",
                own->state);
        return zt_command_misused("tasks", &err);
    }
    if (*own->state)
        filter.state = (int)state;
    if (!read_time("from", own->from_ms, false, &filter.from_us, &err) ||
        !read_time("to", own->to_ms, true, &filter.to_us, &err))
        return zt_command_misused("tasks", &err);
    if (!own->json)
        printf("%-46s %-10s %5s %7s  %-24s  %s\n", "TASK", "STATE", "DONE", "ATTEMPT", "CREATED",
               "FAILURE");
    if (put_pages(store, &filter, own, &err) != ZT_OK)
        return zt_command_failed("tasks list", &err);
    return ZT_EXIT_OK;
}

static int show(struct zt_args *args, struct zt_store *store)
{
    const struct own *own = args->own;
    struct zt_task *task = NULL;
    struct zt_err err = { 0 };

    enum zt_code rc = zt_store_task_get(store, &args->arena, args->word[1], 0, &task, &err);
    if (rc == ZT_E_NOT_FOUND)
        zt_fail(&err, rc, "there is no task %.80s", args->word[1]);
    if (rc != ZT_OK)
        return zt_command_failed("tasks show", &err);
    own->json ? put_json(task) : put_task(task);
    return ZT_EXIT_OK;
}

/* A worker that has the task notices by itself, whether a server runs or not. */
static int cancel(struct zt_args *args, struct zt_store *store)
{
    const char *id = args->word[1];
    struct zt_err err = { 0 };

    enum zt_code rc = zt_store_task_cancel(store, id, 0, "cancelled by the operator", NULL, &err);
    if (rc == ZT_E_NOT_FOUND)
        zt_fail(&err, rc, "there is no task %.80s", id);
    if (rc != ZT_OK)
        return zt_command_failed("tasks cancel", &err);
    printf("cancelled %s\n", id);
    return ZT_EXIT_OK;
}

static int watch(struct zt_args *args, struct zt_store *store)
{
    return zt_watch(store, args->word[1]);
}

static const struct action {
    const char *name;
    int (*run)(struct zt_args *args, struct zt_store *store);
    bool names_task, writes;
} actions[] = {
    { "list", list, false, false },
    { "show", show, true, false },
    { "cancel", cancel, true, true },
    { "watch", watch, true, false },
};

static const struct action *find_action(const char *name)
{
    for (size_t i = 0; i < ZT_COUNT(actions); i++) {
        if (strcmp(name, actions[i].name) == 0)
            return &actions[i];
    }
    return NULL;
}

static int run(struct zt_args *args)
{
    const struct action *action = find_action(args->word[0]);
    struct zt_err err = { 0 };
    struct zt_data data;
    zt_auto(store) struct zt_store *store = NULL;

    if (action == NULL)
        zt_fail(&err, ZT_E_INVALID, "the action must be list, show, watch or cancel, not '%.40s'",
                args->word[0]);
    else if (action->names_task && args->n < 2)
        zt_fail(&err, ZT_E_INVALID, "which task? zoetrope tasks %s ID", action->name);
    else if (!action->names_task && args->n > 1)
        zt_fail(&err, ZT_E_INVALID, "'%.60s' is one word too many", args->word[1]);
    if (action == NULL || err.code != ZT_OK)
        return zt_command_misused("tasks", &err);
    enum zt_code rc = zt_data_find(args->config.data, false, &data, &err);
    const struct zt_store_options options = { .path = data.store, .read_only = !action->writes };
    if (rc == ZT_OK)
        rc = zt_store_open(&options, &store, &err);
    if (rc != ZT_OK)
        return zt_command_failed("tasks", &err);
    return action->run(args, store);
}

#define AT(member) offsetof(struct own, member)
/* clang-format off */
static const struct zt_setting rows[] = {
    { .name = "json", .kind = ZT_KIND_BOOL, .at = AT(json), .fallback = "false",
      .help = "one JSON object a line" },
    { .name = "state", .kind = ZT_KIND_TEXT, .at = AT(state), .fallback = "", .value = "STATE",
      .help = "list only waiting, queuing, generating, success or fail" },
    { .name = "model", .kind = ZT_KIND_TEXT, .at = AT(model), .fallback = "", .value = "MODEL",
      .help = "list only those of this model" },
    { .name = "from", .kind = ZT_KIND_INT, .at = AT(from_ms), .fallback = "0", .min = 0,
      .max = INT64_MAX, .value = "MS",
      .help = "list only those created at this time, in unix milliseconds, or later" },
    { .name = "to", .kind = ZT_KIND_INT, .at = AT(to_ms), .fallback = "0", .min = 0,
      .max = INT64_MAX, .value = "MS", .help = "list only those created at this time or before" },
    { .name = "limit", .kind = ZT_KIND_INT, .at = AT(limit), .fallback = "50", .min = 1,
      .max = 10000, .help = "list at most so many, newest first" },
};
/* clang-format on */

const struct zt_command zt_command_tasks = {
    .name = "tasks",
    .words = "list|show|watch|cancel [ID]",
    .summary = "look at the tasks of a data folder, or cancel one",
    .about = "Works beside a running server. list, show and watch change nothing.\n"
             "watch shows progress until the task has ended; its exit status is 1 when it failed.\n"
             "\nExamples:\n"
             "  zoetrope tasks list --state=fail\n"
             "  zoetrope tasks show task_bytedance_1765186743319... --json\n",
    .bit = ZT_FOR_STORE,
    .options = { rows, ZT_COUNT(rows) },
    .own_bytes = sizeof(struct own),
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
