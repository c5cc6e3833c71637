/* sqlite_stats.c - see stats.h. Most of the counting is done by triggers (schema.c). */
#include "store/stats.h"

#include <string.h>

#include "base/str.h"
#include "store/sqlite_db.h"

#define STATS_MAX 2000 /* rows read; a handful of names, labels and buckets exist */

const int64_t zt_stat_bounds_us[ZT_STAT_BUCKETS - 1] = {
    ZT_MS_US,       5 * ZT_MS_US,     25 * ZT_MS_US,     100 * ZT_MS_US,   250 * ZT_MS_US,
    500 * ZT_MS_US, ZT_SECOND_US,     2 * ZT_SECOND_US,  5 * ZT_SECOND_US, 15 * ZT_SECOND_US,
    ZT_MINUTE_US,   5 * ZT_MINUTE_US, 15 * ZT_MINUTE_US, ZT_HOUR_US,
};

int zt_stat_bucket(int64_t us)
{
    int i = 0;

    while (i < ZT_STAT_BUCKETS - 1 && us > zt_stat_bounds_us[i])
        i++;
    return i;
}

void zt_store_note(struct zt_store *store, const char *phase, int64_t took_us)
{
    if (store->notes_n == ZT_STAT_NOTES_MAX)
        return;
    struct zt_note *note = &store->notes[store->notes_n++];
    (void)zt_format(note->phase, sizeof(note->phase), "%s", phase); /* cut when it is longer */
    note->took_us = took_us > 0 ? took_us : 0; /* what was measured with a clock that was set */
}

static enum zt_code write_note(struct zt_store *store, const struct zt_note *note,
                               struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_STAT_ADD);

    zt_query_text(&q, "phase");
    zt_query_text(&q, note->phase);
    zt_query_int(&q, zt_stat_bucket(note->took_us));
    zt_query_int(&q, note->took_us);
    return zt_query_run(&q, NULL, err);
}

/* The notes stay until the next claim: a commit that fails is tried again with them. */
enum zt_code zt_sqlite_write_notes(struct zt_store *store, enum zt_code rc, struct zt_err *err)
{
    for (int i = 0; rc == ZT_OK && i < store->notes_n; i++)
        rc = write_note(store, &store->notes[i], err);
    return rc;
}

enum zt_code zt_store_stats(struct zt_store *store, struct zt_arena *arena, struct zt_stat **ret,
                            int *ret_n, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_STATS);
    struct zt_stat *stats = zt_arena_try(arena, STATS_MAX * sizeof(*stats));
    bool row = false;
    int n = 0;

    if (stats == NULL)
        return zt_fail(err, ZT_E_NOMEM, "the statistics do not fit into memory");
    ZT_TRY(zt_query_row(&q, &row, err));
    while (row && n < STATS_MAX) {
        stats[n] = (struct zt_stat){
            .name = zt_query_get_text(&q, 0, arena),
            .label = zt_query_get_text(&q, 1, arena),
            .bucket = (int)zt_query_get_int(&q, 2, 0, ZT_STAT_BUCKETS - 1),
            .n = zt_query_get_int(&q, 3, 0, INT64_MAX),
            .total = zt_query_get_int(&q, 4, 0, INT64_MAX),
        };
        n++;
        ZT_TRY(zt_query_check(&q, err));
        ZT_TRY(zt_query_row(&q, &row, err));
    }
    *ret = stats;
    *ret_n = n;
    return ZT_OK;
}

/* The first row's number; 0 where there is no row. */
static enum zt_code number(struct zt_store *store, enum zt_stmt which, int64_t *ret,
                           struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, which);
    bool row = false;

    ZT_TRY(zt_query_row(&q, &row, err));
    *ret = row ? zt_query_get_int(&q, 0, INT64_MIN, INT64_MAX) : 0;
    return zt_query_check(&q, err);
}

enum zt_code zt_store_look(struct zt_store *store, struct zt_store_now *ret, struct zt_err *err)
{
    ZT_TRY(zt_store_task_counts(store, ret->tasks, err));
    ZT_TRY(number(store, ZT_STMT_OLDEST_WAITING, &ret->oldest_waiting_us, err));
    ZT_TRY(number(store, ZT_STMT_FILES_TOTAL, &ret->file_bytes, err));
    return number(store, ZT_STMT_DATABASE_BYTES, &ret->database_bytes, err);
}

void zt_store_meter_commit(struct zt_store_meter *meter, int64_t took_us)
{
    if (meter == NULL)
        return;
    atomic_fetch_add(&meter->commits, 1);
    atomic_fetch_add(&meter->took_us, took_us);
    atomic_fetch_add(&meter->bucket[zt_stat_bucket(took_us)], 1);
}
