/* sqlite_pace.c - histories of how long tasks take. See pace.h. */
#include <inttypes.h>
#include <string.h>

#include "base/buf.h"
#include "store/pace.h"
#include "store/sqlite_db.h"

#define TEXT_MAX  ((size_t)ZT_PACE_MARKS * 24)
#define RUNS_MAX  INT64_C(1000000000)
#define TOTAL_MAX (365 * ZT_DAY_US)

/* The marks as text, a number each, in milliseconds. */
static enum zt_code write_marks(const int64_t *reached_us, struct zt_buf *buf, struct zt_err *err)
{
    for (int i = 0; i < ZT_PACE_MARKS; i++)
        ZT_TRY(zt_buf_printf(buf, err, "%s%" PRId64, i > 0 ? " " : "", reached_us[i] / ZT_MS_US));
    return ZT_OK;
}

/* False: not what was written. */
static bool read_marks(const char *text, int64_t *ret_us)
{
    for (int i = 0; i < ZT_PACE_MARKS; i++) {
        int64_t ms = 0;
        if (i > 0 && *text++ != ' ')
            return false;
        if (*text < '0' || *text > '9')
            return false;
        while (*text >= '0' && *text <= '9' && ms <= TOTAL_MAX / ZT_MS_US)
            ms = ms * 10 + (*text++ - '0');
        ret_us[i] = ms * ZT_MS_US;
        if (ret_us[i] > TOTAL_MAX || (i > 0 && ret_us[i] < ret_us[i - 1]))
            return false;
    }
    return *text == '\0';
}

/* The columns after engine, model and size. False: the row is damaged and says nothing. */
static bool read_history(struct zt_query *q, int c, struct zt_arena *arena, struct zt_pace *ret)
{
    ret->runs = zt_query_get_int(q, c++, 1, RUNS_MAX);
    ret->usual.inputs_us = zt_query_get_int(q, c++, 0, TOTAL_MAX);
    ret->usual.total_us = zt_query_get_int(q, c++, 0, TOTAL_MAX);
    ret->spread_us = zt_query_get_int(q, c++, 0, TOTAL_MAX);
    bool readable = read_marks(zt_query_get_text(q, c, arena), ret->usual.reached_us);
    bool whole = readable && q->damaged == NULL && !q->nomem;
    q->damaged = NULL; /* it is replaced by the next run */
    return whole;
}

/* What is known of a task's kind: *ret with runs 0 when nothing is. */
static enum zt_code find(struct zt_store *store, const char *task_id, struct zt_arena *arena,
                         struct zt_pace *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_PACE_OF_TASK);
    bool row = false;

    zt_query_text(&q, task_id);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no such task");
    ret->engine = zt_query_get_text(&q, 0, arena);
    ret->model = zt_query_get_text(&q, 1, arena);
    ret->size = zt_query_get_text(&q, 2, arena);
    ZT_TRY(zt_query_check(&q, err));
    if (!read_history(&q, 3, arena, ret)) {
        ret->runs = ret->spread_us = 0;
        ret->usual = (struct zt_pace_run){ 0 };
    }
    return ZT_OK;
}

static enum zt_code put(struct zt_store *store, const struct zt_pace *pace, const char *marks,
                        struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_PACE_PUT);

    zt_query_text(&q, pace->engine);
    zt_query_text(&q, pace->model);
    zt_query_text(&q, pace->size);
    zt_query_int(&q, pace->runs < RUNS_MAX ? pace->runs : RUNS_MAX);
    zt_query_int(&q, pace->usual.inputs_us);
    zt_query_int(&q, pace->usual.total_us);
    zt_query_int(&q, pace->spread_us);
    zt_query_text(&q, marks);
    return zt_query_run(&q, NULL, err);
}

/* Nonsense would be believed for long, so it is no lesson. */
static bool is_sound(const struct zt_pace_run *run)
{
    int64_t before_us = 0;

    for (int i = 0; i < ZT_PACE_MARKS; i++) {
        if (run->reached_us[i] < before_us)
            return false;
        before_us = run->reached_us[i];
    }
    return run->inputs_us >= 0 && run->inputs_us <= TOTAL_MAX && before_us <= run->total_us &&
           run->total_us <= TOTAL_MAX;
}

static enum zt_code learn(struct zt_store *store, const char *task_id,
                          const struct zt_pace_run *run, struct zt_arena *arena,
                          struct zt_buf *marks, struct zt_err *err)
{
    struct zt_pace pace = { .runs = 0 };

    ZT_TRY(find(store, task_id, arena, &pace, err));
    zt_pace_learn(&pace, run);
    ZT_TRY(write_marks(pace.usual.reached_us, marks, err));
    return put(store, &pace, marks->data, err);
}

enum zt_code zt_sqlite_learn(struct zt_store *store, const char *task_id,
                             const struct zt_pace_run *run, struct zt_err *err)
{
    struct zt_arena arena = { 0 };
    struct zt_buf marks;

    if (!is_sound(run))
        return ZT_OK;
    zt_buf_init(&marks, TEXT_MAX);
    enum zt_code rc = learn(store, task_id, run, &arena, &marks, err);
    zt_buf_clear(&marks);
    zt_arena_clear(&arena);
    return rc;
}

enum zt_code zt_store_paces(struct zt_store *store, struct zt_arena *arena, struct zt_pace **ret,
                            int *ret_n, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_PACES);
    struct zt_pace *paces = NULL;
    bool row = true;
    int n = 0;

    zt_query_int(&q, ZT_PACES_MAX);
    while (n < ZT_PACES_MAX) {
        ZT_TRY(zt_query_row(&q, &row, err));
        if (!row)
            break;
        if (n % 16 == 0) { /* grown by copies: few installations have more than a handful */
            struct zt_pace *grown = zt_arena_try(arena, (size_t)(n + 16) * sizeof(*paces));
            if (grown == NULL)
                return zt_fail(err, ZT_E_NOMEM, "%d histories do not fit into memory", n + 16);
            if (n > 0)
                memcpy(grown, paces, (size_t)n * sizeof(*paces));
            paces = grown;
        }
        paces[n].engine = zt_query_get_text(&q, 0, arena);
        paces[n].model = zt_query_get_text(&q, 1, arena);
        paces[n].size = zt_query_get_text(&q, 2, arena);
        n += read_history(&q, 3, arena, &paces[n]);
    }
    *ret = paces;
    *ret_n = n;
    return ZT_OK;
}
