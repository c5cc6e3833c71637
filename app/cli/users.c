/* users.c - zoetrope users: who keys belong to, how much they may spend, how much at once. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/str.h"
#include "cli/command.h"
#include "cli/limits.h"
#include "service/data.h"
#include "service/handles.h"
#include "service/secret.h"

#define LINES_SHOWN 20
#define QUEUE_LIMIT 1000000

struct own {
    const char *credit, *queue, *why;
};

static enum zt_code fail_credit(const char *text, struct zt_err *err)
{
    return zt_fail_field(err, ZT_E_INVALID, "credit",
                         "the credit must be a number with at most three decimals, like 100 or "
                         "4.5, or unlimited, not '%.40s'",
                         text);
}

/* "100", "unlimited". */
static enum zt_code read_balance(const char *text, int64_t *ret, struct zt_err *err)
{
    if (strcmp(text, "unlimited") == 0)
        *ret = ZT_CREDIT_NO_LIMIT;
    else if (!zt_credit_parse(text, ret))
        return fail_credit(text, err);
    return ZT_OK;
}

static enum zt_code read_queue(const char *text, int64_t *ret, struct zt_err *err)
{
    if (strcmp(text, "none") == 0)
        *ret = 0;
    else if (!zt_parse_int(text, 0, QUEUE_LIMIT, ret))
        return zt_fail_field(err, ZT_E_INVALID, "queue",
                             "the limit must be a number of tasks from 1 to %d, or none, not "
                             "'%.40s'",
                             QUEUE_LIMIT, text);
    return ZT_OK;
}

/* ---- the actions --------------------------------------------------------------------------- */

static enum zt_code add_user(struct zt_store *store, const char *name, int64_t milli, int64_t queue,
                             const char *why, struct zt_err *err)
{
    int64_t id = 0;

    ZT_TRY(zt_store_begin(store, err));
    enum zt_code rc = zt_store_user_add(store, name, &id, err);
    if (rc == ZT_OK && milli != ZT_CREDIT_NO_LIMIT)
        rc = zt_store_user_set_credit(store, id, milli, why, &milli, err);
    if (rc == ZT_OK && queue != 0)
        rc = zt_store_user_limit(store, id, queue, err);
    if (rc == ZT_OK)
        return zt_store_commit(store, err);
    zt_store_rollback(store);
    return rc;
}

static enum zt_code create(struct zt_args *args, struct zt_store *store, struct zt_err *err)
{
    const struct own *own = args->own;
    int64_t milli = ZT_CREDIT_NO_LIMIT;
    int64_t queue = 0;

    if (!zt_name_is_fine(args->word[1]))
        return zt_fail_field(err, ZT_E_INVALID, "name",
                             "name must be 1 to 64 letters, digits, '.', '_' or '-'");
    if (own->credit != NULL)
        ZT_TRY(read_balance(own->credit, &milli, err));
    if (own->queue != NULL)
        ZT_TRY(read_queue(own->queue, &queue, err));
    ZT_TRY(add_user(store, args->word[1], milli, queue, own->why, err));
    printf("user %s is there; zoetrope keys create NAME --user=%s makes a key\n", args->word[1],
           args->word[1]);
    return ZT_OK;
}

static const char *queue_text(int64_t n, char dst[24])
{
    if (n == 0)
        (void)zt_format(dst, 24, "none");
    else
        (void)zt_format(dst, 24, "%" PRId64, n);
    return dst;
}

static enum zt_code list(struct zt_args *args, struct zt_store *store, struct zt_err *err)
{
    struct zt_user **users = NULL;
    int n = 0;

    ZT_TRY(zt_store_user_list(store, &args->arena, &users, &n, err));
    printf("%-24s %16s %16s %8s %12s %5s\n", "NAME", "CREDIT", "SPENT", "PENDING", "QUEUE LIMIT",
           "KEYS");
    for (int i = 0; i < n; i++) {
        char credit[ZT_CREDIT_TEXT], spent[ZT_CREDIT_TEXT], queue[24];
        printf("%-24s %16s %16s %8" PRId64 " %12s %5" PRId64 "\n", users[i]->name,
               zt_limit_credit_text(users[i]->credit_milli, credit),
               zt_credit_text(users[i]->spent_milli, spent), users[i]->pending,
               queue_text(users[i]->queue_max, queue), users[i]->keys);
    }
    return ZT_OK;
}

static enum zt_code show(struct zt_args *args, struct zt_store *store, struct zt_err *err)
{
    struct zt_user *user = NULL;
    struct zt_ledger_line *lines = NULL;
    char credit[ZT_CREDIT_TEXT], spent[ZT_CREDIT_TEXT], queue[24], at[ZT_TIME_TEXT];
    int n = 0;

    ZT_TRY(zt_store_user_by_name(store, &args->arena, args->word[1], &user, err));
    ZT_TRY(zt_store_ledger(store, &args->arena, user->id, LINES_SHOWN, &lines, &n, err));
    zt_time_text(user->created_us, at);
    printf("%-12s %s\n%-12s %s\n%-12s %s\n%-12s %s\n%-12s %" PRId64 "\n%-12s %s\n%-12s %" PRId64
           "\n",
           "user", user->name, "created", user->created_us ? at : "-", "credit",
           zt_limit_credit_text(user->credit_milli, credit), "spent",
           zt_credit_text(user->spent_milli, spent), "pending", user->pending, "queue limit",
           queue_text(user->queue_max, queue), "keys", user->keys);
    if (n > 0)
        printf("\n%-25s %16s  %s\n", "WHEN", "CREDITS", "WHY");
    for (int i = 0; i < n; i++) {
        zt_time_text(lines[i].at_us, at);
        printf("%-25s %16s  %s%s%s\n", at, zt_credit_text(lines[i].amount_milli, credit),
               lines[i].why, *lines[i].task_id ? " " : "", lines[i].task_id);
    }
    return ZT_OK;
}

/* "+5" and "-5" move the balance, "5" and "unlimited" set it. */
static enum zt_code credit(struct zt_args *args, struct zt_store *store, struct zt_err *err)
{
    const struct own *own = args->own;
    const char *text = args->word[2];
    bool moves = *text == '+' || *text == '-';
    struct zt_user *user = NULL;
    char shown[ZT_CREDIT_TEXT];
    int64_t milli = 0;

    ZT_TRY(zt_store_user_by_name(store, &args->arena, args->word[1], &user, err));
    if (moves && !zt_credit_parse(text + 1, &milli))
        return fail_credit(text, err);
    if (!moves)
        ZT_TRY(read_balance(text, &milli, err));
    ZT_TRY(moves ? zt_store_user_move_credit(store, user->id, *text == '-' ? -milli : milli,
                                             own->why, &milli, err)
                 : zt_store_user_set_credit(store, user->id, milli, own->why, &milli, err));
    printf("user %s has %s credits\n", user->name, zt_limit_credit_text(milli, shown));
    return ZT_OK;
}

static enum zt_code limit(struct zt_args *args, struct zt_store *store, struct zt_err *err)
{
    struct zt_user *user = NULL;
    int64_t queue = 0;
    char shown[24];

    ZT_TRY(read_queue(args->word[2], &queue, err));
    ZT_TRY(zt_store_user_by_name(store, &args->arena, args->word[1], &user, err));
    ZT_TRY(zt_store_user_limit(store, user->id, queue, err));
    printf("user %s: queue limit %s\n", user->name, queue_text(queue, shown));
    return ZT_OK;
}

/* ---- the command --------------------------------------------------------------------------- */

static const struct {
    const char *name, *words;
    int n; /* of words, the action's own among them */
    bool makes_data;
    enum zt_code (*run)(struct zt_args *args, struct zt_store *store, struct zt_err *err);
} actions[] = {
    { "create", "NAME", 2, true, create },
    { "list", "", 1, false, list },
    { "show", "NAME", 2, false, show },
    { "credit", "NAME +N|-N|N|unlimited", 3, false, credit },
    { "limit", "NAME N|none", 3, false, limit },
};

static int run_action(struct zt_args *args, size_t i)
{
    zt_auto(store) struct zt_store *store = NULL;
    struct zt_err err = { 0 };
    struct zt_data data;
    char what[32];

    if (args->n != actions[i].n) {
        zt_fail(&err, ZT_E_INVALID, "it is: zoetrope users %s %s", actions[i].name,
                actions[i].words);
        return zt_command_misused("users", &err);
    }
    enum zt_code rc = zt_data_find(args->config.data, actions[i].makes_data, &data, &err);
    if (rc == ZT_OK) {
        const struct zt_store_options options = { .path = data.store };
        rc = zt_store_open(&options, &store, &err);
    }
    if (rc == ZT_OK)
        rc = actions[i].run(args, store, &err);
    if (rc == ZT_OK)
        return ZT_EXIT_OK;
    if (rc == ZT_E_INVALID)
        return zt_command_misused("users", &err);
    (void)zt_format(what, sizeof(what), "users %s", actions[i].name);
    return zt_command_failed(what, &err);
}

static int run(struct zt_args *args)
{
    const char *names[ZT_COUNT(actions)];
    struct zt_err err = { 0 };

    for (size_t i = 0; i < ZT_COUNT(actions); i++) {
        names[i] = actions[i].name;
        if (strcmp(actions[i].name, args->word[0]) == 0)
            return run_action(args, i);
    }
    const char *near = zt_nearest(args->word[0], names, ZT_COUNT(names));
    zt_fail(&err, ZT_E_INVALID,
            "the action must be create, list, show, credit or limit, not '%.40s'%s%s%s",
            args->word[0], near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    return zt_command_misused("users", &err);
}

static const struct zt_setting rows[] = {
    { .name = "credit",
      .kind = ZT_KIND_TEXT,
      .at = offsetof(struct own, credit),
      .value = "CREDITS",
      .help = "the balance that create gives; otherwise unlimited" },
    { .name = "queue",
      .kind = ZT_KIND_TEXT,
      .at = offsetof(struct own, queue),
      .value = "N",
      .help = "the queue limit that create gives; otherwise none" },
    { .name = "why",
      .kind = ZT_KIND_TEXT,
      .at = offsetof(struct own, why),
      .fallback = "operator",
      .value = "TEXT",
      .help = "what the book says of a change of credit" },
};

const struct zt_command zt_command_users = {
    .name = "users",
    .words = "create|list|show|credit|limit [NAME] [VALUE]",
    .summary = "make users, give them credits and limits",
    .about = "create NAME            makes a user; keys create --user=NAME makes keys for it\n"
             "list                   shows the users there are\n"
             "show NAME              shows one, and the last lines of its book\n"
             "credit NAME +N|-N|N    adds to, takes from or sets the balance; unlimited: no\n"
             "                       balance, nothing is refused for lack of credits\n"
             "limit NAME N           tasks that may wait or run at once; none: no limit\n"
             "\nEvery key belongs to a user; the user \"default\" is always there, unlimited.\n"
             "Tasks cost what the settings price-480p, price-720p and price-1080p say. They work\n"
             "beside a running server, which heeds them at once.\n"
             "\nExamples:\n"
             "  zoetrope users create studio --credit=500 --queue=20\n"
             "  zoetrope users credit studio +100 --why=\"invoice 7\"\n",
    .bit = ZT_FOR_STORE,
    .options = { rows, ZT_COUNT(rows) },
    .own_bytes = sizeof(struct own),
    .min_words = 1,
    .max_words = 3,
    .run = run,
};
