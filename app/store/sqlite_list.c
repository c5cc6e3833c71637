/* sqlite_list.c - pages of tasks. See list.h. */
#include "store/list.h"

#include "store/sqlite_db.h"

#define PAGE_BYTES ((size_t)16 << 20) /* of the arena; a page ends at the task that passes it */

/* By the index that holds the filter's tasks together. */
static enum zt_stmt choose(const struct zt_task_filter *filter)
{
    if (filter->key_id == 0)
        return ZT_STMT_PAGE_ALL;
    if (filter->state >= 0)
        return filter->model != NULL ? ZT_STMT_PAGE_STATE_MODEL : ZT_STMT_PAGE_STATE;
    return filter->model != NULL ? ZT_STMT_PAGE_MODEL : ZT_STMT_PAGE;
}

static void bind(struct zt_query *q, const struct zt_task_filter *filter,
                 const struct zt_task_cursor *cursor, int limit)
{
    bool all = filter->key_id == 0;
    int64_t end_us = filter->to_us > 0 && filter->to_us < INT64_MAX ? filter->to_us + 1 : INT64_MAX;
    int64_t end_seq = all ? INT64_MAX : 0;

    if (cursor->seq > 0) {
        if (all || cursor->created_us < end_us)
            end_seq = cursor->seq;
        if (!all && cursor->created_us < end_us)
            end_us = cursor->created_us;
    }
    zt_query_int(q, filter->key_id);
    zt_query_int(q, filter->from_us);
    zt_query_int(q, end_us);
    zt_query_int(q, end_seq);
    zt_query_int(q, limit);
    if (all || filter->state >= 0)
        zt_query_text(q, filter->state >= 0 ? zt_task_state_name((enum zt_task_state)filter->state)
                                            : "");
    if (all || filter->model != NULL)
        zt_query_text(q, filter->model);
}

/* The current row. Its place in the queue is of the same moment, for the query is open. */
static enum zt_code read_entry(struct zt_query *q, struct zt_arena *arena,
                               struct zt_task_entry *ret, struct zt_err *err)
{
    int extra = 0;

    ZT_TRY(zt_sqlite_read_task(q, arena, &ret->task, &extra, err));
    ret->after = (struct zt_task_cursor){ .created_us = ret->task->created_us,
                                          .seq = zt_query_get_int(q, extra, 1, INT64_MAX) };
    ZT_TRY(zt_query_check(q, err));
    ret->position = 0;
    if (ret->task->state != ZT_TASK_WAITING)
        return ZT_OK;
    return zt_sqlite_position(q->store, ret->task->key_id, ret->after.seq, &ret->position, err);
}

enum zt_code zt_store_task_page(struct zt_store *store, struct zt_arena *arena,
                                const struct zt_task_filter *filter,
                                const struct zt_task_cursor *cursor, int limit,
                                struct zt_task_page *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, choose(filter));
    struct zt_task_page page = { 0 };
    bool row = true;

    zt_assert(limit > 0 && limit <= ZT_LIST_MAX && filter->state < (int)ZT_TASK_STATES);
    page.entries = zt_arena_try(arena, (size_t)limit * sizeof(struct zt_task_entry));
    if (page.entries == NULL)
        return zt_fail(err, ZT_E_NOMEM, "a list of %d tasks does not fit into memory", limit);
    size_t end_bytes = arena->used + PAGE_BYTES;
    bind(&q, filter, cursor, limit + 1); /* one more tells whether there are more */
    for (;;) {
        ZT_TRY(zt_query_row(&q, &row, err));
        if (!row)
            break;
        if (page.n == limit || (page.n > 0 && arena->used > end_bytes)) {
            page.more = true;
            break;
        }
        ZT_TRY(read_entry(&q, arena, &page.entries[page.n], err));
        page.n++;
    }
    *ret = page;
    return ZT_OK;
}
