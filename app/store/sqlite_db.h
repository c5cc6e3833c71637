/*
 * sqlite_db.h - what the sqlite*.c files share: the handle, its statements, and the few functions
 * through which all of SQLite is used. Private to them and to test_store.c.
 */
#ifndef ZT_STORE_SQLITE_DB_H
#define ZT_STORE_SQLITE_DB_H

#include "base/buf.h"
#include "store/deliveries.h"
#include "store/stats.h"
#include "store/store.h"

struct sqlite3;
struct sqlite3_stmt;

/* Every statement; the text, and for those that move a task its states, is in sqlite_sql.c. */
enum zt_stmt {
    ZT_STMT_BEGIN,
    ZT_STMT_COMMIT,
    ZT_STMT_ROLLBACK,
    ZT_STMT_SAVEPOINT,
    ZT_STMT_RELEASE,
    ZT_STMT_ROLLBACK_TO,

    ZT_STMT_TASK_ADD,
    ZT_STMT_TASK_GET,
    ZT_STMT_TASK_BY_TOKEN,
    ZT_STMT_VIEW,
    ZT_STMT_LINES,
    ZT_STMT_LINE_HEAD,
    ZT_STMT_LINES_WAITING,
    ZT_STMT_LINES_MEND,
    ZT_STMT_TASK_SEQ,
    ZT_STMT_TASK_LIST,
    ZT_STMT_TASK_COUNTS,
    ZT_STMT_CLAIM_ANY,
    ZT_STMT_CLAIM,
    ZT_STMT_BURY,
    ZT_STMT_START,
    ZT_STMT_RENEW,
    ZT_STMT_PROGRESS,
    ZT_STMT_PREVIEW,
    ZT_STMT_SUCCEED,
    ZT_STMT_FAIL,
    ZT_STMT_PUT_BACK,
    ZT_STMT_REAP_ANY,
    ZT_STMT_REAP_REBASE,
    ZT_STMT_REAP_REQUEUE,
    ZT_STMT_REAP_FAIL,
    ZT_STMT_REAP_WORKER_REQUEUE,
    ZT_STMT_REAP_WORKER_FAIL,

    ZT_STMT_CANCEL,
    ZT_STMT_TASK_STATE,
    ZT_STMT_LEASE_LOOK,
    ZT_STMT_PAGE_ALL,
    ZT_STMT_PAGE,
    ZT_STMT_PAGE_STATE,
    ZT_STMT_PAGE_MODEL,
    ZT_STMT_PAGE_STATE_MODEL,

    ZT_STMT_KEY_ADD,
    ZT_STMT_KEY_FIND,
    ZT_STMT_KEY_GET,
    ZT_STMT_KEY_BY_NAME,
    ZT_STMT_KEY_LIST,
    ZT_STMT_KEY_USED,
    ZT_STMT_KEY_RESET,
    ZT_STMT_KEY_REVOKE,

    ZT_STMT_KEY_LIMIT,
    ZT_STMT_KEY_GIVE,
    ZT_STMT_KEY_TERMS,
    ZT_STMT_KEY_CREDIT,
    ZT_STMT_USER_ADD,
    ZT_STMT_USER_BY_NAME,
    ZT_STMT_USER_LIST,
    ZT_STMT_USER_LIMIT,
    ZT_STMT_USER_CREDIT,
    ZT_STMT_USER_BALANCE,
    ZT_STMT_LEDGER_ADD,
    ZT_STMT_LEDGER_SUM,
    ZT_STMT_LEDGER_LIST,

    ZT_STMT_IDEMPOTENCY_FIND,
    ZT_STMT_IDEMPOTENCY_PUT,
    ZT_STMT_IDEMPOTENCY_SWEEP,

    ZT_STMT_DELIVERY_ANY,
    ZT_STMT_DELIVERY_NEXT,
    ZT_STMT_DELIVERY_RELEASE,
    ZT_STMT_DELIVERY_CLAIM,
    ZT_STMT_DELIVERY_BURY,
    ZT_STMT_DELIVERY_SETTLE,
    ZT_STMT_DELIVERY_TRY,
    ZT_STMT_DELIVERY_EXPIRE,
    ZT_STMT_DELIVERY_EXPIRED,
    ZT_STMT_DELIVERY_OF_TASK,
    ZT_STMT_DELIVERY_LIST,
    ZT_STMT_DELIVERY_LIST_KEY,
    ZT_STMT_DELIVERY_LIST_STATE,
    ZT_STMT_DELIVERY_TRIES,
    ZT_STMT_DELIVERY_COUNTS,
    ZT_STMT_DELIVERY_DUE,
    ZT_STMT_REDELIVER,
    ZT_STMT_REDELIVER_FAILED,
    ZT_STMT_HOST_NEXT,
    ZT_STMT_HOST_GET,
    ZT_STMT_HOST_LOOK,
    ZT_STMT_HOST_READY,
    ZT_STMT_HOST_SETTLE,
    ZT_STMT_HOST_FORGET,
    ZT_STMT_WEBHOOK_SECRETS,
    ZT_STMT_WEBHOOK_ROTATE,

    ZT_STMT_FILES_EXPIRED,
    ZT_STMT_FILES_TOTAL,
    ZT_STMT_FILES_OLDEST,
    ZT_STMT_FILES_GONE,
    ZT_STMT_FORGET,

    ZT_STMT_UPLOAD_NAMED,
    ZT_STMT_UPLOAD_TOTAL,
    ZT_STMT_UPLOAD_REPLACED,
    ZT_STMT_UPLOAD_ADD,
    ZT_STMT_UPLOAD_RENEW,
    ZT_STMT_UPLOAD_FIND,
    ZT_STMT_UPLOADS_FORGET,
    ZT_STMT_UPLOAD_WANTED,

    ZT_STMT_EVENTS,
    ZT_STMT_EVENTS_KEY,
    ZT_STMT_EVENTS_TASK,
    ZT_STMT_EVENT_SPAN,
    ZT_STMT_EVENT_OLD,
    ZT_STMT_EVENT_FLOOR,
    ZT_STMT_EVENT_FORGET,

    ZT_STMT_PACES,
    ZT_STMT_PACE_OF_TASK,
    ZT_STMT_PACE_PUT,
    ZT_STMT_STAT_ADD,
    ZT_STMT_STATS,
    ZT_STMT_OLDEST_WAITING,
    ZT_STMT_DATABASE_BYTES,
    ZT_STMTS
};

struct zt_stmt_row {
    const char *sql;
    unsigned from;         /* bits of the states it takes a task out of; 0: it moves none */
    enum zt_task_state to; /* where it puts the task */
};
extern const struct zt_stmt_row zt_sqlite_stmts[ZT_STMTS];

extern const char *const zt_sqlite_schema[];
extern const int zt_sqlite_schema_version;

/* The first waiting tasks and the lines they stand in, as a poll last saw them (sqlite_queue.c). */
#define ZT_QUEUE_HEAD_MAX 100
struct zt_queue_head {
    bool known;
    unsigned version; /* of the data it was read from */
    int n;
    int64_t seq[ZT_QUEUE_HEAD_MAX]; /* in the order of their claims */
    int lines;
    struct zt_queue_line {
        int64_t key_id, waiting;
        int64_t taken, last;   /* how many of it are in seq, and the last of those */
    } line[ZT_QUEUE_HEAD_MAX]; /* in the order of their turns */
    int64_t waiting;           /* in all lines, further ones too */
};

/* A duration that waits to be written with the end of an attempt. */
struct zt_note {
    char phase[32];
    int64_t took_us;
};

struct zt_store {
    struct sqlite3 *db;
    const struct zt_clock *clock;
    int busy_ms;
    bool read_only;
    bool shared;       /* between zt_store_begin and zt_store_commit */
    enum zt_code lost; /* SQLite rolled the shared transaction back by itself: why */
    struct zt_queue_head head;
    struct zt_store_meter *meter; /* NULL: nobody asks */
    struct zt_note notes[ZT_STAT_NOTES_MAX];
    int notes_n;
    struct sqlite3_stmt *stmt[ZT_STMTS];
};

static inline int64_t zt_sqlite_now(const struct zt_store *store)
{
    return zt_clock_utc_us(store->clock);
}

/* ---- transactions -------------------------------------------------------------------------- */

/*
 * Around the inner function of every call that writes:
 *
 *     ZT_TRY(zt_sqlite_enter(store, err));
 *     return zt_sqlite_leave(store, inner(store, ..., err), ZT_POINT("claim"), err);
 *
 * enter begins a transaction, or a savepoint inside a shared one. leave commits when rc is ZT_OK,
 * else undoes, and returns what the caller should. Every query must be closed by then, which the
 * scope of the inner function sees to. The two names are crash points before and after the commit.
 */
#define ZT_POINT(what) "store." what, "store." what ".done"
enum zt_code zt_sqlite_enter(struct zt_store *store, struct zt_err *err);
enum zt_code zt_sqlite_leave(struct zt_store *store, enum zt_code rc, const char *before,
                             const char *after, struct zt_err *err);

/*
 * ZT_E_IO: the database was moved, replaced or deleted under the open handle. It would go on
 * working, and all that is written to it would be gone with the next start: enter refuses it.
 */
enum zt_code zt_sqlite_check_there(struct zt_store *store, struct zt_err *err);

/*
 * Changes with every commit, of whichever process, that this handle's open query can see. Only
 * while a query has a row, and not in a shared transaction.
 */
unsigned zt_sqlite_data_version(struct zt_store *store);

/* ---- queries ------------------------------------------------------------------------------- */

/*
 * One use of a prepared statement. Parameters are bound in order; what goes wrong is kept and
 * reported by the next zt_query_row or zt_query_run. Bound memory must live until then. Columns
 * are checked as they are read; zt_query_check reports the first that was not what it should be.
 */
struct zt_query {
    struct zt_store *store;
    struct sqlite3_stmt *stmt;
    int bound;
    int rc;              /* first failed bind, as SQLite's code */
    bool not_utf8;       /* a bound text was not */
    bool nomem;          /* the arena is full */
    const char *damaged; /* name of the first bad column */
};

struct zt_query zt_query_open(struct zt_store *store, enum zt_stmt which);
void zt_query_close(struct zt_query *q);
#define zt_auto_query __attribute__((cleanup(zt_query_close)))

void zt_query_text(struct zt_query *q, const char *text); /* NULL is "" */
void zt_query_int(struct zt_query *q, int64_t value);
void zt_query_blob(struct zt_query *q, const void *bytes, size_t n);
void zt_query_null(struct zt_query *q);

/* The next row; *ret false when there is none. */
enum zt_code zt_query_row(struct zt_query *q, bool *ret, struct zt_err *err);
/* To the end; *ret_changes (may be NULL) rows were changed. */
enum zt_code zt_query_run(struct zt_query *q, int *ret_changes, struct zt_err *err);

/* A column of the current row: "" and 0 when it is damaged. */
const char *zt_query_get_text(struct zt_query *q, int column, struct zt_arena *arena);
int64_t zt_query_get_int(struct zt_query *q, int column, int64_t min, int64_t max);
void zt_query_damaged(struct zt_query *q, int column);
/* ZT_E_CORRUPT: a column was damaged. ZT_E_NOMEM: the arena was full. */
enum zt_code zt_query_check(const struct zt_query *q, struct zt_err *err);

/*
 * Text that came from somewhere else (a remote host, a dying process), made fit to store: at most
 * ZT_NOTE_MAX bytes, and bytes that are not UTF-8, or NUL, become question marks. Returns dst.
 */
#define ZT_NOTE_MAX 1024
const char *zt_sqlite_clean(const char *text, char dst[ZT_NOTE_MAX + 1]); /* NULL is "" */
const char *zt_sqlite_clean_n(const char *text, size_t n, char dst[ZT_NOTE_MAX + 1]);

/* ---- deliveries ---------------------------------------------------------------------------- */

/* In the order of DELIVERY_COLUMNS; the host, the last of them, is left to the caller. */
enum zt_code zt_sqlite_read_delivery(struct zt_query *q, struct zt_arena *arena,
                                     struct zt_delivery *ret, struct zt_err *err);
/* As a try stores it: "done", "retry", "given_up". */
const char *zt_sqlite_outcome_name(enum zt_delivery_outcome outcome);

/* ---- between the files --------------------------------------------------------------------- */

/* The inside of zt_store_task_add, for a transaction that does more. */
enum zt_code zt_sqlite_task_add(struct zt_store *store, const struct zt_task *task,
                                struct zt_err *err);

/* Puts a run of a task that has just succeeded into its history. Inside its transaction. */
enum zt_code zt_sqlite_learn(struct zt_store *store, const char *task_id,
                             const struct zt_pace_run *run, struct zt_err *err);
/* rc, unless it is ZT_OK and the notes of the attempt that ended cannot be written. */
enum zt_code zt_sqlite_write_notes(struct zt_store *store, enum zt_code rc, struct zt_err *err);

/* The current row, in the order of TASK_COLUMNS; *ret_extra is the first column after them. */
enum zt_code zt_sqlite_read_task(struct zt_query *q, struct zt_arena *arena, struct zt_task **ret,
                                 int *ret_extra, struct zt_err *err);

/*
 * Where in the queue a waiting task of a key is: how many are claimed before it, if no more come.
 * Exact below ZT_QUEUE_HEAD_MAX, an upper bound from there on. As zt_sqlite_data_version, only
 * while a query has a row.
 */
enum zt_code zt_sqlite_position(struct zt_store *store, int64_t key_id, int64_t seq, int64_t *ret,
                                struct zt_err *err);

/* The columns of KEY_ACCOUNT, the first of them at `column`. */
enum zt_code zt_sqlite_read_account(struct zt_query *q, int column, struct zt_arena *arena,
                                    struct zt_key_account *ret, struct zt_err *err);

/* ---- for tests ----------------------------------------------------------------------------- */

/* Runs any SQL; "" or the first column of the first row goes to buf (may be NULL). */
enum zt_code zt_sqlite_exec(struct zt_store *store, const char *sql, struct zt_buf *buf,
                            struct zt_err *err);

#endif
