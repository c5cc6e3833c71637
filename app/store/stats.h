/*
 * stats.h - numbers about the work: counted in the transaction it happens in, so that they agree
 * with the tasks whatever dies; and how the store itself does, for the process that asks.
 */
#ifndef ZT_STORE_STATS_H
#define ZT_STORE_STATS_H

#include <stdatomic.h>

#include "store/store.h"

/* Upper bounds of histograms of durations, microseconds; the last bucket has none. */
#define ZT_STAT_BUCKETS 15
extern const int64_t zt_stat_bounds_us[ZT_STAT_BUCKETS - 1];

/* Which bucket a duration falls into. */
int zt_stat_bucket(int64_t us);

/*
 * Notes a duration of a phase of the work ("fetch", "render"), to be written by the call that ends
 * the attempt: zt_store_succeed, zt_store_fail or zt_store_put_back, in its transaction. What that
 * call does not commit is not counted, and zt_store_claim starts with nothing noted. At most
 * ZT_STAT_NOTES_MAX; more are dropped. `phase` is copied, up to 31 bytes.
 */
#define ZT_STAT_NOTES_MAX 32
void zt_store_note(struct zt_store *store, const char *phase, int64_t took_us);

/*
 * One row of what was counted since the database was made. Names and labels:
 *   "phase"     the phase; bucket 0 ... ZT_STAT_BUCKETS - 1; total in microseconds
 *   "move"      "waiting>queuing" and so on: tasks that went from one state to another
 *   "created"   "": tasks accepted
 * In the order of name, label, bucket.
 */
struct zt_stat {
    const char *name, *label;
    int bucket;
    int64_t n, total;
};
enum zt_code zt_store_stats(struct zt_store *store, struct zt_arena *arena, struct zt_stat **ret,
                            int *ret_n, struct zt_err *err);

/* The state of things now. */
struct zt_store_now {
    int64_t tasks[ZT_TASK_STATES];
    int64_t oldest_waiting_us; /* when it was created; 0: none waits */
    int64_t file_bytes;        /* of results that can be fetched */
    int64_t database_bytes;    /* of the database's pages */
};
enum zt_code zt_store_look(struct zt_store *store, struct zt_store_now *ret, struct zt_err *err);

/* How commits went, over the handles of a process that were opened with it; zeroed at first. */
struct zt_store_meter {
    atomic_llong commits, took_us, bucket[ZT_STAT_BUCKETS];
    atomic_llong busy; /* calls that found the database locked for too long */
    atomic_llong failed;
};
void zt_store_meter_commit(struct zt_store_meter *meter, int64_t took_us); /* NULL is fine */

#endif
