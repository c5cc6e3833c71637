/*
 * sqlite.c - the store on SQLite: opening, the schema, transactions, and the one way to run a
 * statement. Tasks, keys and deliveries are in the sqlite_*.c files beside it; what is promised,
 * and why it holds, is in README.md.
 */
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/fault.h"
#include "base/mem.h"
#include "base/str.h"
#include "store/backup.h"
#include "store/sqlite_db.h"

#define APPLICATION_ID  0x5A4F4554 /* "ZOET" */
#define DEFAULT_BUSY_US (5 * ZT_SECOND_US)

/* ---- errors -------------------------------------------------------------------------------- */

static const struct {
    int rc; /* primary result code */
    enum zt_code code;
    const char *msg;
} failures[] = {
    { SQLITE_BUSY, ZT_E_BUSY, "the database is held by another process; ask again" },
    { SQLITE_LOCKED, ZT_E_BUSY, "the database is held by another connection; ask again" },
    { SQLITE_READONLY, ZT_E_DENIED, "the database cannot be written" },
    { SQLITE_PERM, ZT_E_DENIED, "the database may not be opened" },
    { SQLITE_AUTH, ZT_E_DENIED, "the database refused the statement" },
    { SQLITE_CANTOPEN, ZT_E_IO, "the database cannot be opened" },
    { SQLITE_FULL, ZT_E_FULL, "the disk is full: the database cannot grow" },
    { SQLITE_CORRUPT, ZT_E_CORRUPT, "the database is damaged" },
    { SQLITE_NOTADB, ZT_E_CORRUPT, "the file is damaged or not a database" },
    { SQLITE_NOMEM, ZT_E_NOMEM, "the database ran out of memory" },
    { SQLITE_TOOBIG, ZT_E_LIMIT, "a text is too long for the database" },
    { SQLITE_MISUSE, ZT_E_INTERNAL, "the database was used wrongly" },
};

static enum zt_code fail_sqlite(struct zt_store *store, int rc, const char *what,
                                struct zt_err *err)
{
    int extended = store->db ? sqlite3_extended_errcode(store->db) : rc;
    const char *text = store->db ? sqlite3_errmsg(store->db) : sqlite3_errstr(rc);
    enum zt_code code = ZT_E_IO;
    const char *msg = "the database failed";

    if (extended == SQLITE_CONSTRAINT_UNIQUE || extended == SQLITE_CONSTRAINT_PRIMARYKEY) {
        code = ZT_E_CONFLICT;
        msg = "such a row exists already";
    } else if ((rc & 0xFF) == SQLITE_CONSTRAINT) { /* the caller's checks let something through */
        code = ZT_E_CORRUPT;
        msg = "the database refused a row that breaks its rules";
    }
    for (size_t i = 0; i < ZT_COUNT(failures); i++) {
        if (failures[i].rc == (rc & 0xFF)) {
            code = failures[i].code;
            msg = failures[i].msg;
        }
    }
    if (store->meter != NULL)
        atomic_fetch_add(code == ZT_E_BUSY ? &store->meter->busy : &store->meter->failed, 1);
    zt_fail(err, code, "%s", msg);
    zt_err_detail(err, "%s: %s (%d)", what, text, extended);
    return code;
}

/* ---- queries ------------------------------------------------------------------------------- */

struct zt_query zt_query_open(struct zt_store *store, enum zt_stmt which)
{
    return (struct zt_query){ .store = store, .stmt = store->stmt[which] };
}

void zt_query_close(struct zt_query *q)
{
    sqlite3_reset(q->stmt); /* repeats the error of the last step, which was reported */
    sqlite3_clear_bindings(q->stmt);
}

void zt_query_text(struct zt_query *q, const char *text)
{
    const char *s = text ? text : "";
    size_t n = strlen(s);

    if (!zt_utf8_valid(s, n))
        q->not_utf8 = true;
    int rc = sqlite3_bind_text64(q->stmt, ++q->bound, s, n, SQLITE_STATIC, SQLITE_UTF8);
    if (q->rc == SQLITE_OK)
        q->rc = rc;
}

void zt_query_int(struct zt_query *q, int64_t value)
{
    int rc = sqlite3_bind_int64(q->stmt, ++q->bound, value);

    if (q->rc == SQLITE_OK)
        q->rc = rc;
}

void zt_query_blob(struct zt_query *q, const void *bytes, size_t n)
{
    int rc = sqlite3_bind_blob64(q->stmt, ++q->bound, bytes, n, SQLITE_STATIC);

    if (q->rc == SQLITE_OK)
        q->rc = rc;
}

void zt_query_null(struct zt_query *q)
{
    int rc = sqlite3_bind_null(q->stmt, ++q->bound);

    if (q->rc == SQLITE_OK)
        q->rc = rc;
}

enum zt_code zt_query_row(struct zt_query *q, bool *ret, struct zt_err *err)
{
    if (q->not_utf8)
        return zt_fail(err, ZT_E_INVALID, "a text to be stored is not UTF-8");
    if (q->rc != SQLITE_OK)
        return fail_sqlite(q->store, q->rc, sqlite3_sql(q->stmt), err);
    if (zt_fault("store_step")) {
        enum zt_code rc = zt_fail(err, ZT_E_IO, "the database failed");
        zt_err_detail(err, "store_step was told to fail");
        return rc;
    }

    int rc = sqlite3_step(q->stmt);
    if (rc != SQLITE_ROW && rc != SQLITE_DONE)
        return fail_sqlite(q->store, rc, sqlite3_sql(q->stmt), err);
    *ret = rc == SQLITE_ROW;
    return ZT_OK;
}

enum zt_code zt_query_run(struct zt_query *q, int *ret_changes, struct zt_err *err)
{
    bool row = true;

    while (row)
        ZT_TRY(zt_query_row(q, &row, err));
    if (ret_changes != NULL)
        *ret_changes = sqlite3_changes(q->store->db);
    return ZT_OK;
}

void zt_query_damaged(struct zt_query *q, int column)
{
    if (q->damaged == NULL)
        q->damaged = sqlite3_column_name(q->stmt, column);
    if (q->damaged == NULL)
        q->damaged = "?";
}

const char *zt_query_get_text(struct zt_query *q, int column, struct zt_arena *arena)
{
    if (sqlite3_column_type(q->stmt, column) != SQLITE_TEXT) {
        zt_query_damaged(q, column);
        return "";
    }
    const char *s = (const char *)sqlite3_column_text(q->stmt, column);
    size_t n = (size_t)sqlite3_column_bytes(q->stmt, column);
    if (s == NULL) {
        q->nomem = true;
        return "";
    }
    if (!zt_utf8_valid(s, n)) { /* which a NUL inside is not, either */
        zt_query_damaged(q, column);
        return "";
    }
    if (n == 0)
        return "";
    const char *copy = zt_arena_strndup(arena, s, n);
    if (copy == NULL)
        q->nomem = true;
    return copy ? copy : "";
}

int64_t zt_query_get_int(struct zt_query *q, int column, int64_t min, int64_t max)
{
    int64_t v = sqlite3_column_int64(q->stmt, column);

    if (sqlite3_column_type(q->stmt, column) == SQLITE_INTEGER && v >= min && v <= max)
        return v;
    zt_query_damaged(q, column);
    return 0;
}

enum zt_code zt_query_check(const struct zt_query *q, struct zt_err *err)
{
    if (q->damaged != NULL) {
        enum zt_code rc = zt_fail(err, ZT_E_CORRUPT, "a row of the database is damaged");
        zt_err_detail(err, "column %s in: %s", q->damaged, sqlite3_sql(q->stmt));
        return rc;
    }
    if (q->nomem)
        return zt_fail(err, ZT_E_NOMEM, "a row of the database does not fit into memory");
    return ZT_OK;
}

const char *zt_sqlite_clean_n(const char *text, size_t n, char dst[ZT_NOTE_MAX + 1])
{
    size_t used = 0;

    while (n > 0 && used < ZT_NOTE_MAX) {
        uint32_t point;
        size_t len = zt_utf8_next(text, n, &point);
        if (len == 0) {
            dst[used++] = '?';
            len = 1;
        } else if (used + len > ZT_NOTE_MAX) {
            break;
        } else {
            memcpy(dst + used, text, len);
            used += len;
        }
        text += len;
        n -= len;
    }
    dst[used] = '\0';
    return dst;
}

const char *zt_sqlite_clean(const char *text, char dst[ZT_NOTE_MAX + 1])
{
    return zt_sqlite_clean_n(text, text ? strlen(text) : 0, dst);
}

/* ---- transactions -------------------------------------------------------------------------- */

enum zt_code zt_sqlite_check_there(struct zt_store *store, struct zt_err *err)
{
    int moved = 0;

    int rc = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (rc != SQLITE_OK || !moved)
        return ZT_OK;
    rc = zt_fail(err, ZT_E_IO, "the database was moved or deleted while it was open");
    zt_err_detail(err, "put %s back, or restart to begin anew",
                  sqlite3_db_filename(store->db, "main"));
    return (enum zt_code)rc;
}

static enum zt_code run(struct zt_store *store, enum zt_stmt which, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, which);

    return zt_query_run(&q, NULL, err);
}

/* Statements that undo must work while tests let others fail. */
static void run_always(struct zt_store *store, enum zt_stmt which)
{
    sqlite3_step(store->stmt[which]);
    sqlite3_reset(store->stmt[which]);
}

static enum zt_code commit(struct zt_store *store, struct zt_err *err)
{
    if (zt_fault("store_commit"))
        return zt_fail_errno(err, errno, "commit to the database", NULL);
    int64_t began_us = zt_now_mono_us();
    ZT_TRY(run(store, ZT_STMT_COMMIT, err));
    zt_store_meter_commit(store->meter, zt_now_mono_us() - began_us);
    return ZT_OK;
}

/* SQLite may have rolled back by itself, after a full disk for example. */
static void undo(struct zt_store *store)
{
    if (!sqlite3_get_autocommit(store->db))
        run_always(store, ZT_STMT_ROLLBACK);
}

static enum zt_code refuse_lost(struct zt_store *store, struct zt_err *err)
{
    return zt_fail(err, store->lost,
                   "an earlier failure of the database undid the whole transaction");
}

enum zt_code zt_sqlite_enter(struct zt_store *store, struct zt_err *err)
{
    if (store->read_only)
        return zt_fail(err, ZT_E_DENIED, "the database was opened for reading only");
    if (!store->shared) {
        ZT_TRY(zt_sqlite_check_there(store, err));
        return run(store, ZT_STMT_BEGIN, err);
    }
    if (store->lost != ZT_OK)
        return refuse_lost(store, err);
    return run(store, ZT_STMT_SAVEPOINT, err);
}

enum zt_code zt_sqlite_leave(struct zt_store *store, enum zt_code rc, const char *before,
                             const char *after, struct zt_err *err)
{
    if (store->shared) {
        if (sqlite3_get_autocommit(store->db)) {
            store->lost = rc != ZT_OK ? rc : ZT_E_IO;
            return rc != ZT_OK ? rc : refuse_lost(store, err);
        }
        if (rc != ZT_OK)
            run_always(store, ZT_STMT_ROLLBACK_TO);
        run_always(store, ZT_STMT_RELEASE);
        return rc;
    }
    if (rc == ZT_OK) {
        zt_crash_point(before);
        rc = commit(store, err);
        if (rc == ZT_OK)
            zt_crash_point(after);
    }
    if (rc != ZT_OK)
        undo(store);
    return rc;
}

enum zt_code zt_store_begin(struct zt_store *store, struct zt_err *err)
{
    zt_assert(!store->shared);
    if (store->read_only)
        return zt_fail(err, ZT_E_DENIED, "the database was opened for reading only");
    ZT_TRY(zt_sqlite_check_there(store, err));
    ZT_TRY(run(store, ZT_STMT_BEGIN, err));
    store->shared = true;
    store->lost = ZT_OK;
    return ZT_OK;
}

enum zt_code zt_store_commit(struct zt_store *store, struct zt_err *err)
{
    zt_assert(store->shared);
    store->shared = false;
    enum zt_code rc = store->lost != ZT_OK ? refuse_lost(store, err) : ZT_OK;
    return zt_sqlite_leave(store, rc, ZT_POINT("commit"), err);
}

void zt_store_rollback(struct zt_store *store)
{
    zt_assert(store->shared);
    store->shared = false;
    undo(store);
}

unsigned zt_sqlite_data_version(struct zt_store *store)
{
    unsigned version = 0;

    int rc = sqlite3_file_control(store->db, "main", SQLITE_FCNTL_DATA_VERSION, &version);
    zt_assert(rc == SQLITE_OK);
    return version;
}

/* ---- opening ------------------------------------------------------------------------------- */

static enum zt_code exec(struct zt_store *store, const char *text, struct zt_err *err)
{
    int rc = sqlite3_exec(store->db, text, NULL, NULL, NULL);

    return rc == SQLITE_OK ? ZT_OK : fail_sqlite(store, rc, text, err);
}

static void finalize(struct sqlite3_stmt **stmt)
{
    sqlite3_finalize(*stmt);
}

/* The number that a statement (a PRAGMA, a count) gives. */
static enum zt_code ask(struct zt_store *store, const char *text, int *ret, struct zt_err *err)
{
    __attribute__((cleanup(finalize))) struct sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(store->db, text, -1, &stmt, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(stmt);
    if (rc != SQLITE_ROW)
        return fail_sqlite(store, rc, text, err);
    *ret = sqlite3_column_int(stmt, 0);
    return ZT_OK;
}

enum zt_code zt_sqlite_exec(struct zt_store *store, const char *sql, struct zt_buf *buf,
                            struct zt_err *err)
{
    if (buf == NULL)
        return exec(store, sql, err);

    __attribute__((cleanup(finalize))) struct sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL);
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(stmt);
        if (rc == SQLITE_ROW) { /* the last column: what EXPLAIN QUERY PLAN says in words */
            const char *s = (const char *)sqlite3_column_text(stmt, sqlite3_column_count(stmt) - 1);
            ZT_TRY(zt_buf_printf(buf, err, "%s%s", buf->n > 0 ? "; " : "", s ? s : "(null)"));
        }
    }
    return rc == SQLITE_DONE ? ZT_OK : fail_sqlite(store, rc, sql, err);
}

/*
 * 0600 from its first moment: the secrets that sign callbacks are inside, and SQLite gives its
 * side files the mode of the database. mknod, because a descriptor of our own would on close drop
 * the locks that another handle of this process holds on the file.
 */
static enum zt_code create_file(const char *path, struct zt_err *err)
{
    if (mknod(path, S_IFREG | 0600, 0) != 0 && errno != EEXIST)
        return zt_fail_errno(err, errno, "create the database", path);
    return ZT_OK;
}

/* Two processes may turn an empty file into a WAL one at once, which no busy handler covers. */
static enum zt_code use_wal(struct zt_store *store, struct zt_err *err)
{
    int64_t end = zt_now_mono_us() + store->busy_ms * ZT_MS_US;

    for (;;) {
        enum zt_code rc = exec(store, "PRAGMA journal_mode=WAL", err);
        if (rc != ZT_E_BUSY || zt_now_mono_us() >= end)
            return rc;
        sqlite3_sleep(5);
    }
}

static enum zt_code set_up(struct zt_store *store, struct zt_err *err)
{
    sqlite3_busy_timeout(store->db, store->busy_ms);
    sqlite3_extended_result_codes(store->db, 1);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return exec(store,
                "PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cell_size_check=ON;"
                "PRAGMA temp_store=MEMORY; PRAGMA cache_size=-8000;"
                "PRAGMA journal_size_limit=67108864",
                err);
}

/* The version that the file has; 0 for an empty one. */
static enum zt_code read_version(struct zt_store *store, int *ret, struct zt_err *err)
{
    int application = 0;
    int tables = 0;

    ZT_TRY(ask(store, "PRAGMA application_id", &application, err));
    ZT_TRY(ask(store, "PRAGMA user_version", ret, err));
    ZT_TRY(ask(store, "SELECT count(*) FROM sqlite_schema", &tables, err));
    if (application != APPLICATION_ID && (application != 0 || *ret != 0 || tables != 0))
        return zt_fail(err, ZT_E_CORRUPT, "the file is a database of another program");
    if (*ret < 0)
        return zt_fail(err, ZT_E_CORRUPT, "the database has a negative schema version");
    if (*ret > zt_sqlite_schema_version)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "the database has schema version %d, made by a newer zoetrope; this one"
                       " knows versions up to %d",
                       *ret, zt_sqlite_schema_version);
    return ZT_OK;
}

/* A copy of the database as it was: an older program can't read what an upgrade makes of it. */
static enum zt_code keep_old(struct zt_store *store, int version, struct zt_err *err)
{
    char old[PATH_MAX];
    const char *path = sqlite3_db_filename(store->db, "main");

    if (!zt_store_old_name(path, version, old, sizeof(old)))
        return zt_fail(err, ZT_E_INVALID, "the path of the database is too long");
    enum zt_code rc = zt_store_copy(path, old, err);
    if (rc != ZT_OK)
        zt_err_prefix(err, "before an upgrade the old version is kept in %s", old);
    return rc;
}

static enum zt_code apply_schema(struct zt_store *store, struct zt_err *err)
{
    int version = 0;
    char pragma[96];

    ZT_TRY(read_version(store, &version, err)); /* anew: now nobody else can change it */
    if (version > 0 && version < zt_sqlite_schema_version)
        ZT_TRY(keep_old(store, version, err));
    for (int v = version; v < zt_sqlite_schema_version; v++)
        ZT_TRY(exec(store, zt_sqlite_schema[v], err));
    zt_format(pragma, sizeof(pragma), "PRAGMA application_id=%d; PRAGMA user_version=%d",
              APPLICATION_ID, zt_sqlite_schema_version);
    return exec(store, pragma, err);
}

static enum zt_code upgrade(struct zt_store *store, struct zt_err *err)
{
    int version = 0;

    ZT_TRY(read_version(store, &version, err)); /* a file that is not ours stays as it is */
    ZT_TRY(use_wal(store, err));
    if (version == zt_sqlite_schema_version)
        return ZT_OK;
    ZT_TRY(exec(store, "BEGIN IMMEDIATE", err));
    enum zt_code rc = apply_schema(store, err);
    if (rc == ZT_OK) {
        zt_crash_point("store.schema");
        rc = exec(store, "COMMIT", err);
    }
    if (rc != ZT_OK && !sqlite3_get_autocommit(store->db))
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/*
 * A reader opens the file for writing too: after a crash it may have to recover the log, which a
 * read-only connection cannot. query_only makes SQLite refuse its changes.
 */
static enum zt_code check_reader(struct zt_store *store, struct zt_err *err)
{
    int version = 0;

    ZT_TRY(read_version(store, &version, err));
    if (version < zt_sqlite_schema_version)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "the database has schema version %d and must first be upgraded to %d by"
                       " starting the server",
                       version, zt_sqlite_schema_version);
    return exec(store, "PRAGMA query_only=ON", err);
}

static enum zt_code prepare_all(struct zt_store *store, struct zt_err *err)
{
    for (int i = 0; i < ZT_STMTS; i++) {
        const char *text = zt_sqlite_stmts[i].sql;
        int rc = sqlite3_prepare_v3(store->db, text, -1, SQLITE_PREPARE_PERSISTENT, &store->stmt[i],
                                    NULL);
        if (rc == SQLITE_ERROR) /* no such table or column: the file is not what it says it is */
            rc = SQLITE_CORRUPT;
        if (rc != SQLITE_OK)
            return fail_sqlite(store, rc, text, err);
    }
    return ZT_OK;
}

static enum zt_code open_file(struct zt_store *store, const char *path, struct zt_err *err)
{
    struct stat st;

    if (!store->read_only)
        ZT_TRY(create_file(path, err));
    else if (stat(path, &st) != 0)
        return zt_fail_errno(err, errno, "open the database", path);
    int rc = sqlite3_open_v2(path, &store->db,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE,
                             NULL);
    if (rc != SQLITE_OK)
        return fail_sqlite(store, rc, path, err);
    ZT_TRY(set_up(store, err));
    ZT_TRY(store->read_only ? check_reader(store, err) : upgrade(store, err));
    return prepare_all(store, err);
}

/*
 * SQLite's count of its memory is one mutex that all threads of the process take at each of their
 * allocations. Has no effect once another library of the process uses SQLite, which is as well.
 */
static void count_no_memory(void)
{
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
}

ZT_AUTO(struct zt_store, store, zt_store_close)

enum zt_code zt_store_open(const struct zt_store_options *options, struct zt_store **ret,
                           struct zt_err *err)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    zt_auto(store) struct zt_store *store = zt_new(struct zt_store);
    int64_t busy_us = options->busy_us > 0 ? options->busy_us : DEFAULT_BUSY_US;

    pthread_once(&once, count_no_memory);
    store->clock = options->clock;
    store->meter = options->meter;
    store->read_only = options->read_only;
    store->busy_ms = (int)(busy_us / ZT_MS_US);
    enum zt_code rc = open_file(store, options->path, err);
    if (rc != ZT_OK) {
        zt_err_prefix(err, "database %s", options->path);
        return rc;
    }
    *ret = zt_take_store(&store);
    return ZT_OK;
}

void zt_store_close(struct zt_store *store)
{
    if (store == NULL)
        return;
    for (int i = 0; i < ZT_STMTS; i++)
        sqlite3_finalize(store->stmt[i]);
    sqlite3_close(store->db);
    free(store);
}
