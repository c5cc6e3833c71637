/* callbacks.c - zoetrope callbacks: what became of them, and sending them again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "cli/command.h"
#include "service/data.h"
#include "service/handles.h"
#include "store/deliveries.h"

#define NOTE_TEXT   256
#define ANSWER_TEXT 512
#define GROUP       500 /* sent again in one transaction, which bounds how long it holds the lock */

struct own {
    bool json, failed;
    const char *state;
    int64_t limit, since_us;
};

/* ---- showing ------------------------------------------------------------------------------- */

static void put_json(struct zt_args *args, const struct zt_delivery_log *log)
{
    const char *text = zt_api_delivery_json(&args->arena, log);

    printf("%s\n", text ? text : "null");
}

/* When it was last tried and what came of it, or when it will be. */
static void put_row(const struct zt_delivery_log *log)
{
    const struct zt_delivery_entry *last = log->n > 0 ? &log->tries[log->n - 1] : NULL;
    char when[ZT_TIME_TEXT], note[NOTE_TEXT];
    bool waits = log->state == ZT_DELIVERY_RETRY;

    zt_time_text(log->due_us, when);
    zt_log_quote(last ? last->result.note : "", note, sizeof(note));
    printf("%-46s %-9s %5d %6d  %s%s  %s\n", log->delivery.task_id,
           log->sending ? "sending" : zt_delivery_state_name(log->state), log->delivery.attempt,
           last ? last->result.status : 0, when, waits ? "*" : " ", note);
}

static void put_try(const struct zt_delivery_entry *e)
{
    const struct zt_delivery_try *r = &e->result;
    char when[ZT_TIME_TEXT], note[NOTE_TEXT], answer[ANSWER_TEXT];

    zt_time_text(e->at_us, when);
    printf("  try %d, round %d, %s: ", e->attempt, e->round, when);
    if (r->status > 0)
        printf("%d ", r->status);
    printf("after %" PRId64 " ms%s%s\n", r->took_us / ZT_MS_US, r->family ? " over IPv" : "",
           r->family == 4   ? "4"
           : r->family == 6 ? "6"
                            : "");
    if (*r->note)
        printf("      %s\n", zt_log_quote(r->note, note, sizeof(note)));
    if (*r->answer)
        printf("      answer %s\n", zt_log_quote(r->answer, answer, sizeof(answer)));
}

static void put_log(const struct zt_delivery_log *log)
{
    const struct zt_delivery *d = &log->delivery;
    char due[ZT_TIME_TEXT], until[ZT_TIME_TEXT], url[ANSWER_TEXT];

    zt_time_text(log->due_us, due);
    zt_time_text(log->breaker_until_us, until);
    printf("%-10s %s\n%-10s msg_%" PRId64 "_%s\n%-10s %s\n", "task", d->task_id, "message", d->id,
           d->task_id, "url", zt_log_quote(d->url, url, sizeof(url)));
    printf("%-10s %s%s%s\n", "state", zt_delivery_state_name(log->state),
           log->sending                      ? ", being sent now, at most until "
           : log->state == ZT_DELIVERY_RETRY ? ", next try "
                                             : ", since ",
           due);
    if (log->breaker == ZT_BREAKER_OPEN)
        printf("%-10s in trouble: left alone until %s\n", "host", until);
    else if (log->breaker == ZT_BREAKER_HALF_OPEN)
        printf("%-10s was in trouble: one callback at a time\n", "host");
    printf("%-10s %d, with %d of %d tries in all\n", "round", d->round, d->nth, d->attempt);
    for (int i = 0; i < log->n; i++)
        put_try(&log->tries[i]);
}

/* ---- actions ------------------------------------------------------------------------------- */

static int list(struct zt_args *args, struct zt_store *store)
{
    const struct own *own = args->own;
    enum zt_delivery_outcome state = ZT_DELIVERY_DONE;
    struct zt_delivery_log **logs = NULL;
    struct zt_err err = { 0 };
    int n = 0;

    if (*own->state && !zt_delivery_state_parse(own->state, &state)) {
        zt_fail(&err, ZT_E_INVALID, "--state must be pending, done or given_up, not '%.40s'",
                own->state);
        return zt_command_misused("callbacks", &err);
    }
    if (zt_store_delivery_list(store, &args->arena, 0, *own->state ? (int)state : -1, 0,
                               (int)own->limit, &logs, &n, &err) != ZT_OK)
        return zt_command_failed("callbacks list", &err);
    if (!own->json)
        printf("%-46s %-9s %5s %6s  %-25s  %s\n", "TASK", "STATE", "TRIES", "STATUS",
               "SETTLED, OR DUE *", "LAST TRY");
    for (int i = 0; i < n; i++)
        own->json ? put_json(args, logs[i]) : put_row(logs[i]);
    return ZT_EXIT_OK;
}

static int show(struct zt_args *args, struct zt_store *store)
{
    const struct own *own = args->own;
    struct zt_delivery_log *log = NULL;
    struct zt_err err = { 0 };

    enum zt_code rc = zt_store_delivery_of_task(store, &args->arena, args->word[1], &log, &err);
    if (rc != ZT_OK)
        return zt_command_failed("callbacks show", &err);
    own->json ? put_json(args, log) : put_log(log);
    return ZT_EXIT_OK;
}

static int redeliver_failed(struct zt_store *store, int64_t since_us)
{
    int64_t total = 0;
    int n = GROUP;

    while (n == GROUP) {
        struct zt_err err = { 0 };
        if (zt_store_redeliver_failed(store, since_us, GROUP, &n, &err) != ZT_OK)
            return zt_command_failed("callbacks redeliver", &err);
        total += n;
    }
    printf("%" PRId64 " callbacks will be sent again\n", total);
    return ZT_EXIT_OK;
}

static int redeliver(struct zt_args *args, struct zt_store *store)
{
    const struct own *own = args->own;
    struct zt_err err = { 0 };

    if (own->failed)
        return redeliver_failed(store, zt_now_utc_us() - own->since_us);
    if (zt_store_redeliver(store, args->word[1], 0, &err) != ZT_OK)
        return zt_command_failed("callbacks redeliver", &err);
    printf("the callback of %s will be sent again\n", args->word[1]);
    return ZT_EXIT_OK;
}

static const struct {
    const char *name;
    bool needs_task, writes;
    int (*run)(struct zt_args *args, struct zt_store *store);
} actions[] = {
    { "list", false, false, list },
    { "show", true, false, show },
    { "redeliver", true, true, redeliver },
};

/* Which action; -1 with err filled when the words make no sense. */
static int choose(const struct zt_args *args, struct zt_err *err)
{
    const struct own *own = args->own;

    for (size_t i = 0; i < ZT_COUNT(actions); i++) {
        if (strcmp(args->word[0], actions[i].name) != 0)
            continue;
        bool all = own->failed && actions[i].writes;
        if (actions[i].needs_task && !all && args->n < 2)
            zt_fail(err, ZT_E_INVALID, "which task? zoetrope callbacks %s TASK%s", actions[i].name,
                    actions[i].writes ? ", or --failed" : "");
        else if ((!actions[i].needs_task || all) && args->n > 1)
            zt_fail(err, ZT_E_INVALID, "'%.60s' is one word too many", args->word[1]);
        return err->code == ZT_OK ? (int)i : -1;
    }
    zt_fail(err, ZT_E_INVALID, "the action must be list, show or redeliver, not '%.40s'",
            args->word[0]);
    return -1;
}

static int run(struct zt_args *args)
{
    struct zt_err err = { 0 };
    struct zt_data data;
    zt_auto(store) struct zt_store *store = NULL;

    int which = choose(args, &err);
    if (which < 0)
        return zt_command_misused("callbacks", &err);
    enum zt_code rc = zt_data_find(args->config.data, false, &data, &err);
    if (rc == ZT_OK)
        rc = zt_store_open(
            &(struct zt_store_options){ .path = data.store, .read_only = !actions[which].writes },
            &store, &err);
    if (rc != ZT_OK)
        return zt_command_failed("callbacks", &err);
    return actions[which].run(args, store);
}

#define AT(member) offsetof(struct own, member)
/* clang-format off */
static const struct zt_setting rows[] = {
    { .name = "json", .kind = ZT_KIND_BOOL, .at = AT(json), .fallback = "false",
      .help = "one JSON object a line, as the API answers" },
    { .name = "state", .kind = ZT_KIND_TEXT, .at = AT(state), .fallback = "", .value = "STATE",
      .help = "list only pending, done or given_up" },
    { .name = "limit", .kind = ZT_KIND_INT, .at = AT(limit), .fallback = "50", .min = 1,
      .max = 10000, .help = "list at most so many, newest first" },
    { .name = "failed", .kind = ZT_KIND_BOOL, .at = AT(failed), .fallback = "false",
      .help = "redeliver all that were given up" },
    { .name = "since", .kind = ZT_KIND_DURATION, .at = AT(since_us), .fallback = "7d",
      .max = 36500 * ZT_DAY_US, .help = "with --failed: given up at most so long ago" },
};
/* clang-format on */

const struct zt_command zt_command_callbacks = {
    .name = "callbacks",
    .words = "list|show|redeliver [TASK]",
    .summary = "look at callbacks and send them again",
    .about = "list       shows the callbacks there are, newest first, with their last try\n"
             "show       shows every try of one: when, how long, what the receiver said\n"
             "redeliver  begins a new round of tries, under the same message id; for one task,\n"
             "           or with --failed for all that were given up\n"
             "\nThey work beside a running server, which sends within a second.\n"
             "\nExamples:\n"
             "  zoetrope callbacks list --state=given_up\n"
             "  zoetrope callbacks redeliver --failed --since=2h\n",
    .bit = ZT_FOR_STORE,
    .options = { rows, ZT_COUNT(rows) },
    .own_bytes = sizeof(struct own),
    .min_words = 1,
    .max_words = 2,
    .run = run,
};
