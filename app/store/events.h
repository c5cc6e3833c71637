/*
 * events.h - what happened to tasks, in one order: each change of state and of progress is a row
 * with an id that only grows, made in the transaction of the change by a trigger (schema.c), so it
 * is there exactly when the change is. A new task has none yet. The general remarks of store.h
 * hold.
 */
#ifndef ZT_STORE_EVENTS_H
#define ZT_STORE_EVENTS_H

#include "store/store.h"

struct zt_event {
    int64_t id;
    const char *task_id;
    int64_t key_id;
    int64_t at_us;
    enum zt_task_state state;
    int attempt;
    int64_t started_us, moved_us;
    int percent;
    const char *stage;
    int step, steps;
    int64_t preview;
};

/* Which events: those after an id, of one task, of one key, or all. */
struct zt_event_filter {
    int64_t after_id;
    const char *task_id; /* NULL: any */
    int64_t key_id;      /* 0: any; not together with task_id */
};

/* At most `limit`, oldest first; *ret: an array. Reading when there is nothing new is one look. */
enum zt_code zt_store_events(struct zt_store *store, struct zt_arena *arena,
                             const struct zt_event_filter *filter, int limit, struct zt_event **ret,
                             int *ret_n, struct zt_err *err);

/*
 * What there is: nothing up to and including `floor` is kept any more, and `last` is the newest.
 * Who has seen an id below `floor` may have missed something.
 */
struct zt_event_span {
    int64_t floor, last;
};
enum zt_code zt_store_event_span(struct zt_store *store, struct zt_event_span *ret,
                                 struct zt_err *err);

/*
 * Forgets events made before `before_us`, oldest first, at most `limit`; ret_n may be NULL. They go
 * with their task too.
 */
enum zt_code zt_store_events_forget(struct zt_store *store, int64_t before_us, int limit,
                                    int *ret_n, struct zt_err *err);

/* Makes a task, read at any time since, look as it did right after the event. */
void zt_event_apply(const struct zt_event *event, struct zt_task *task);

#endif
