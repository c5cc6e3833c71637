/*
 * sqlite_queue.c - the queue from outside: cancelling, looking whether a lease still stands, and a
 * task's place among those that wait. See queue.h.
 *
 * Keys take turns. A claim takes the oldest task of the line that was served longest ago
 * (ZT_STMT_CLAIM), so while nothing is added round r serves every line that has more than r tasks,
 * in the order of the lines. With b tasks of its own line before it, a task comes after
 * min(waiting, b + 1) tasks of each line before its own and min(waiting, b) of each one behind.
 */
#include "store/queue.h"

#include <string.h>

#include "base/str.h"
#include "store/sqlite_db.h"

/* ---- cancelling ---------------------------------------------------------------------------- */

/* Why ZT_STMT_CANCEL met no row. */
static enum zt_code say_why_not(struct zt_store *store, const char *id, int64_t key_id,
                                struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_TASK_STATE);
    struct zt_arena arena = { 0 };
    bool row = false;

    zt_query_text(&q, id);
    zt_query_int(&q, key_id);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no such task");
    const char *state = zt_query_get_text(&q, 0, &arena);
    enum zt_code rc = zt_query_check(&q, err);
    if (rc == ZT_OK)
        rc = zt_fail(err, ZT_E_CONFLICT, "the task has ended already: its state is %s", state);
    zt_arena_clear(&arena);
    return rc;
}

static enum zt_code cancel(struct zt_store *store, const char *id, int64_t key_id,
                           const char *reason, bool *ret_callback, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_CANCEL);
    char msg[ZT_NOTE_MAX + 1];
    bool row = false;

    zt_query_text(&q, id);
    zt_query_int(&q, key_id);
    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_text(&q, zt_sqlite_clean(reason, msg));
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return say_why_not(store, id, key_id, err);
    bool callback = zt_query_get_int(&q, 0, 0, 1) != 0;
    ZT_TRY(zt_query_check(&q, err));
    ZT_TRY(zt_query_run(&q, NULL, err));
    if (ret_callback != NULL)
        *ret_callback = callback;
    return ZT_OK;
}

enum zt_code zt_store_task_cancel(struct zt_store *store, const char *id, int64_t key_id,
                                  const char *reason, bool *ret_callback, struct zt_err *err)
{
    if (!zt_utf8_valid(id, strlen(id))) /* an id is named by anybody */
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no such task");
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, cancel(store, id, key_id, reason, ret_callback, err),
                           ZT_POINT("cancel"), err);
}

/* ---- leases -------------------------------------------------------------------------------- */

enum zt_code zt_store_lease_look(struct zt_store *store, const struct zt_lease *lease,
                                 enum zt_lease_look *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_LEASE_LOOK);
    bool row = false;
    bool held = false;
    bool cancelled = false;

    zt_query_text(&q, lease->task_id);
    zt_query_text(&q, lease->worker);
    zt_query_int(&q, lease->attempt);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (row) {
        held = zt_query_get_int(&q, 0, 0, 1) != 0;
        cancelled = zt_query_get_int(&q, 1, 0, 1) != 0;
        ZT_TRY(zt_query_check(&q, err));
    }
    *ret = held ? ZT_LEASE_HELD : cancelled ? ZT_LEASE_CANCELLED : ZT_LEASE_LOST;
    return ZT_OK;
}

/* ---- places -------------------------------------------------------------------------------- */

static enum zt_code read_lines(struct zt_store *store, struct zt_queue_head *ret,
                               struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_LINES);
    bool row = true;

    ret->lines = 0;
    zt_query_int(&q, ZT_QUEUE_HEAD_MAX);
    for (;;) {
        ZT_TRY(zt_query_row(&q, &row, err));
        if (!row || ret->lines == ZT_QUEUE_HEAD_MAX)
            return zt_query_check(&q, err);
        struct zt_queue_line *line = &ret->line[ret->lines++];
        line->key_id = zt_query_get_int(&q, 0, 0, INT64_MAX);
        line->waiting = zt_query_get_int(&q, 1, 1, INT64_MAX);
        line->taken = line->last = 0;
    }
}

static enum zt_code read_waiting(struct zt_store *store, int64_t *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_LINES_WAITING);
    bool row = false;

    ZT_TRY(zt_query_row(&q, &row, err));
    *ret = row ? zt_query_get_int(&q, 0, 0, INT64_MAX) : 0;
    return zt_query_check(&q, err);
}

/* The first n tasks of a line into the places that its turns have: at[0], at[1], ... */
static enum zt_code read_line(struct zt_store *store, struct zt_queue_line *line, const int *at,
                              int n, struct zt_queue_head *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_LINE_HEAD);
    bool row = true;

    zt_query_int(&q, line->key_id);
    zt_query_int(&q, n);
    for (int i = 0; i < n; i++) {
        ZT_TRY(zt_query_row(&q, &row, err));
        if (!row) /* fewer than were counted: damage, which the next claim mends */
            break;
        ret->seq[at[i]] = zt_query_get_int(&q, 0, 1, INT64_MAX);
        line->last = ret->seq[at[i]];
        line->taken = i + 1;
    }
    return zt_query_check(&q, err);
}

/* Which places each line has among the first ZT_QUEUE_HEAD_MAX, by playing the rounds. */
static int deal_places(const struct zt_queue_head *head, int *line_of)
{
    int n = 0;

    for (int64_t round = 0; n < ZT_QUEUE_HEAD_MAX; round++) {
        int before = n;
        for (int i = 0; i < head->lines && n < ZT_QUEUE_HEAD_MAX; i++) {
            if (head->line[i].waiting > round)
                line_of[n++] = i;
        }
        if (n == before)
            break;
    }
    return n;
}

static enum zt_code read_head(struct zt_store *store, struct zt_queue_head *ret, struct zt_err *err)
{
    int line_of[ZT_QUEUE_HEAD_MAX] = { 0 };
    int at[ZT_QUEUE_HEAD_MAX];

    ZT_TRY(read_lines(store, ret, err));
    ZT_TRY(read_waiting(store, &ret->waiting, err));
    ret->n = deal_places(ret, line_of);
    memset(ret->seq, 0, sizeof(ret->seq));
    for (int i = 0; i < ret->lines; i++) {
        int n = 0;
        for (int place = 0; place < ret->n; place++) {
            if (line_of[place] == i)
                at[n++] = place;
        }
        ZT_TRY(read_line(store, &ret->line[i], at, n, ret, err));
    }
    return ZT_OK;
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/*
 * No fewer than are before a task past the head: no more of its own line than were added between
 * the last of it in the head and the task, and no line further back than those that were read
 * gives more than it has.
 */
static int64_t bound_position(const struct zt_queue_head *head, int64_t key_id, int64_t seq)
{
    int64_t others = head->waiting;
    int own = 0;

    while (own < head->lines && head->line[own].key_id != key_id)
        own++;
    if (own == head->lines)
        return head->waiting > 0 ? head->waiting - 1 : 0;
    const struct zt_queue_line *line = &head->line[own];
    int64_t before = least(line->waiting - 1, line->taken + seq - line->last - 1);
    if (before < 0) /* the lines miscount, as after damage */
        before = 0;
    int64_t sum = before;
    for (int i = 0; i < head->lines; i++) {
        others -= head->line[i].waiting;
        if (i != own)
            sum += least(head->line[i].waiting, i < own ? before + 1 : before);
    }
    return sum + (others > 0 ? others : 0);
}

enum zt_code zt_sqlite_position(struct zt_store *store, int64_t key_id, int64_t seq, int64_t *ret,
                                struct zt_err *err)
{
    struct zt_queue_head *head = &store->head;
    unsigned version = zt_sqlite_data_version(store);

    if (!head->known || head->version != version) {
        head->known = false;
        ZT_TRY(read_head(store, head, err));
        head->version = version;
        head->known = true;
    }
    for (int i = 0; i < head->n; i++) {
        if (head->seq[i] == seq) {
            *ret = i;
            return ZT_OK;
        }
    }
    *ret = bound_position(head, key_id, seq);
    return ZT_OK;
}
