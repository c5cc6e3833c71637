/*
 * list.h - pages of tasks, newest first, by what they are. The general remarks of store.h hold.
 *
 * A key's list is ordered by the time of acceptance, an operator's (key_id 0) by the order of
 * acceptance. A page goes on after the last task of the one before, so tasks that arrive meanwhile
 * shift nothing: none is seen twice and none is left out.
 */
#ifndef ZT_STORE_LIST_H
#define ZT_STORE_LIST_H

#include "store/store.h"

#define ZT_LIST_MAX 10000 /* tasks of a page */

struct zt_task_filter {
    int64_t key_id;         /* 0: all keys */
    int state;              /* enum zt_task_state; < 0: any */
    const char *model;      /* NULL: any */
    int64_t from_us, to_us; /* accepted in this time, both included; to_us 0: until now */
};

/* Where a page ends. Zeroed: before the newest. */
struct zt_task_cursor {
    int64_t created_us, seq;
};

struct zt_task_entry {
    struct zt_task *task;
    int64_t position;            /* as in struct zt_view */
    struct zt_task_cursor after; /* to go on behind it */
};

struct zt_task_page {
    int n;
    struct zt_task_entry *entries;
    bool more; /* there are further ones */
};

/*
 * At most `limit` (1 ... ZT_LIST_MAX) tasks behind the cursor, fewer when they are large: a page
 * with `more` has one at least.
 */
enum zt_code zt_store_task_page(struct zt_store *store, struct zt_arena *arena,
                                const struct zt_task_filter *filter,
                                const struct zt_task_cursor *cursor, int limit,
                                struct zt_task_page *ret, struct zt_err *err);

#endif
