/*
 * The file under the store: opening, schema versions, query plans, the states that statements
 * move between, damaged rows, and many threads and processes on one file.
 */
#include "store/sqlite_db.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/fault.h"
#include "store_world.h"

static const struct zt_delivery_rules rules = { .lease_us = LEASE_US, .host_limit = 2 };

/* ---- opening ------------------------------------------------------------------------------- */

static void reopen(struct world *w)
{
    zt_store_close(w->store);
    w->store = NULL;
    CHECK_INT("reopens", world_open(w, false, &w->store), ZT_OK);
    if (w->store == NULL)
        exit(1);
}

static void creates_a_private_file(void)
{
    struct world w;
    struct stat st;
    mode_t old = umask(0);

    world_init(&w);
    add(&w, "a");
    static const char *const suffixes[] = { "", "-wal", "-shm" };
    for (size_t i = 0; i < ZT_COUNT(suffixes); i++) {
        char path[200];
        zt_format(path, sizeof(path), "%s%s", w.path, suffixes[i]);
        CHECK_INT(path, stat(path, &st), 0);
        CHECK_INT(path, st.st_mode & 0777, 0600);
    }
    umask(old);
    static const char *const settings[][2] = {
        { "PRAGMA journal_mode", "wal" },
        { "PRAGMA synchronous", "2" },
        { "PRAGMA foreign_keys", "1" },
        { "PRAGMA trusted_schema", "0" },
        { "PRAGMA application_id", "1515144532" },
        { "PRAGMA integrity_check", "ok" },
        { "PRAGMA foreign_key_check", "" },
    };
    for (size_t i = 0; i < ZT_COUNT(settings); i++)
        CHECK_STR(settings[i][0], ask(&w, settings[i][0]), settings[i][1]);
    reopen(&w);
    CHECK_STR("still there", state_of(&w, "a"), "waiting");
    world_clear(&w);
}

static void refuses_other_schemas(void)
{
    struct world w;
    struct zt_store *none = NULL;

    world_init(&w);
    change(&w, "PRAGMA user_version=99");
    zt_store_close(w.store);
    w.store = NULL;
    for (int read_only = 0; read_only < 2; read_only++) {
        CHECK_INT("newer", world_open(&w, read_only, &none), ZT_E_UNSUPPORTED);
        CHECK_HAS("newer", err.msg, "schema version 99, made by a newer zoetrope");
        CHECK_HAS("newer", err.msg, w.path);
        CHECK("newer", none == NULL);
    }
    world_clear(&w);

    world_init(&w);
    change(&w, "PRAGMA user_version=0");
    CHECK_INT("older", world_open(&w, true, &none), ZT_E_UNSUPPORTED);
    CHECK_HAS("older", err.msg, "upgraded");
    change(&w, "PRAGMA user_version=-1");
    CHECK_INT("negative", world_open(&w, false, &none), ZT_E_CORRUPT);
    change(&w, "PRAGMA application_id=7");
    CHECK_INT("another program", world_open(&w, false, &none), ZT_E_CORRUPT);
    CHECK_HAS("another program", err.msg, "another program");
    world_clear(&w);

    world_init(&w);
    change(&w, "ALTER TABLE task DROP COLUMN fail_msg");
    CHECK_INT("a column is missing", world_open(&w, false, &none), ZT_E_CORRUPT);
    world_clear(&w);
}

static void refuses_what_is_no_database(void)
{
    struct world w;
    struct zt_store *none = NULL;
    struct zt_store_options options = { .path = "/tmp/zt-no-such-folder/zoetrope.db" };

    CHECK_INT("no folder", zt_store_open(&options, &none, &err), ZT_E_NOT_FOUND);
    CHECK_HAS("no folder", err.msg, options.path);
    world_init(&w);
    zt_store_close(w.store);
    w.store = NULL;
    CHECK_INT("garbage", zt_file_write(w.path, "this is not a database, is it?", 30, 0600, &err),
              ZT_OK);
    CHECK_INT("garbage", world_open(&w, false, &none), ZT_E_CORRUPT);
    CHECK_HAS("garbage", err.msg, "damaged or not a database");
    CHECK_INT("gone", unlink(w.path), 0);
    CHECK_INT("gone", world_open(&w, true, &none), ZT_E_NOT_FOUND);
    world_clear(&w);
}

static void refuses_a_damaged_file(void)
{
    struct world w;
    struct zt_buf whole;
    struct zt_task *task = NULL;
    struct zt_store *store = NULL;

    world_init(&w);
    for (int i = 0; i < 4; i++)
        add(&w, (const char *[]){ "a", "b", "c", "d" }[i]);
    zt_store_close(w.store); /* writes the log back into the file */
    w.store = NULL;
    zt_buf_init(&whole, 10 << 20);
    CHECK_INT("read", zt_file_read(w.path, &whole, &err), ZT_OK);
    for (size_t at = 0; at < whole.n; at += 4096) { /* each page in turn */
        char *copy = malloc(whole.n);
        memcpy(copy, whole.data, whole.n);
        memset(copy + at, 0xA5, whole.n - at < 4096 ? whole.n - at : 4096);
        zt_file_write(w.path, copy, whole.n, 0600, &err);
        free(copy);
        enum zt_code rc = world_open(&w, false, &store);
        if (rc == ZT_OK) { /* found out when the page is needed, or it was a free one */
            rc = zt_store_task_get(store, &arena, "a", 0, &task, &err);
            CHECK("get", rc == ZT_OK || rc == ZT_E_CORRUPT || rc == ZT_E_NOT_FOUND);
            rc = zt_store_claim(store, &arena, "w", LEASE_US, &task, &err);
            CHECK("claim", rc == ZT_OK || rc == ZT_E_CORRUPT || rc == ZT_E_NOT_FOUND);
        } else {
            CHECK_INT("open", rc, ZT_E_CORRUPT);
            CHECK_HAS("open", err.msg, "damaged");
        }
        zt_store_close(store);
        store = NULL;
    }
    zt_file_write(w.path, whole.data, whole.n / 2, 0600, &err);
    enum zt_code rc = world_open(&w, false, &store);
    CHECK("cut short", rc == ZT_E_CORRUPT || rc == ZT_OK);
    zt_store_close(store);
    zt_buf_clear(&whole);
    world_clear(&w);
}

static void a_reader_cannot_write(void)
{
    struct world w;
    struct zt_store *reader = NULL;
    struct zt_task *task = NULL;
    struct zt_delivery *delivery = NULL;
    const uint8_t hash[ZT_SHA256_BYTES] = { 0 };
    struct zt_task other = task_of("b", 1, "");
    struct zt_lease lease = { .task_id = "a", .worker = "w", .attempt = 1 };
    struct zt_delivery d = { .id = 1, .attempt = 1 };
    struct zt_delivery_try done = { .outcome = ZT_DELIVERY_DONE };
    int64_t id;

    world_init(&w);
    add(&w, "x");
    struct zt_lease x = claim(&w, "w", "x");
    zt_store_fail(w.store, &x, "500", "x", NULL, &err);
    add(&w, "a");
    CHECK_INT("open", world_open(&w, true, &reader), ZT_OK);
    CHECK_INT("reads", zt_store_task_get(reader, &arena, "a", 0, &task, &err), ZT_OK);
    const enum zt_code got[] = {
        zt_store_task_add(reader, &other, &err),
        zt_store_claim(reader, &arena, "w", LEASE_US, &task, &err),
        zt_store_start(reader, &lease, "motion", &err),
        zt_store_renew(reader, &lease, LEASE_US, NULL, &err),
        zt_store_succeed(reader, &lease, &result, NULL, &err),
        zt_store_fail(reader, &lease, "500", "x", NULL, &err),
        zt_store_put_back(reader, &lease, true, "x", NULL, &err),
        zt_store_reap_worker(reader, "w", "x", NULL, NULL, &err),
        zt_store_key_add(reader, "k", hash, "h", "s", &id, &err),
        zt_store_key_reset(reader, 1, hash, "h", &err),
        zt_store_key_revoke(reader, 1, &err),
        zt_store_delivery_claim(reader, &arena, &rules, &delivery, &err),
        zt_store_delivery_settle(reader, &d, &done, &rules, &err),
        zt_store_files_gone(reader, "x", &err),
        zt_store_forget(reader, INT64_MAX, 1, NULL, &err),
        zt_store_begin(reader, &err),
        zt_sqlite_exec(reader, "DELETE FROM task", NULL, &err), /* nor past our own check */
    };
    for (size_t i = 0; i < ZT_COUNT(got); i++) {
        char label[16];
        zt_format(label, sizeof(label), "call %zu", i);
        CHECK_INT(label, got[i], ZT_E_DENIED);
    }
    CHECK_STR("all there", ask(&w, "SELECT count(*) FROM task"), "2");
    zt_store_close(reader);
    world_clear(&w);
}

static void says_when_it_is_busy(void)
{
    struct world w;
    struct zt_store *second = NULL;
    struct zt_task *task = NULL;
    struct zt_task b = task_of("b", 1, "");

    world_init(&w);
    CHECK_INT("second", world_open(&w, false, &second), ZT_OK);
    CHECK_INT("begin", zt_store_begin(w.store, &err), ZT_OK);
    add(&w, "a");
    CHECK_INT("add", zt_store_task_add(second, &b, &err), ZT_E_BUSY);
    CHECK_HAS("add", err.msg, "another process");
    CHECK_INT("begin", zt_store_begin(second, &err), ZT_E_BUSY);
    CHECK_INT("reading goes on", zt_store_task_get(second, &arena, "a", 0, &task, &err),
              ZT_E_NOT_FOUND);
    CHECK_INT("commit", zt_store_commit(w.store, &err), ZT_OK);
    CHECK_INT("add", zt_store_task_add(second, &b, &err), ZT_OK);
    CHECK_INT("each sees the other's", zt_store_task_get(second, &arena, "a", 0, &task, &err),
              ZT_OK);
    CHECK_STR("each sees the other's", state_of(&w, "b"), "waiting");
    zt_store_close(second);
    world_clear(&w);
}

/* What was added before the disk is full is there after a commit that said so, or not at all. */
static void a_full_disk_is_told_truly(void)
{
    struct world w;
    char text[9001];
    char id[16];
    char want[16];
    int added = 0;
    enum zt_code rc = ZT_OK;

    world_init(&w);
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    change(&w, "PRAGMA max_page_count=80");
    CHECK_INT("begin", zt_store_begin(w.store, &err), ZT_OK);
    for (int i = 0; i < 100 && rc == ZT_OK; i++) {
        zt_format(id, sizeof(id), "t%d", i);
        struct zt_task task = task_of(id, 1, "");
        task.param = text;
        rc = zt_store_task_add(w.store, &task, &err);
        added += rc == ZT_OK;
    }
    CHECK_INT("full", rc, ZT_E_FULL);
    CHECK_HAS("full", err.msg, "disk is full");
    CHECK("some fitted", added > 0);
    zt_format(want, sizeof(want), "%d", zt_store_commit(w.store, &err) == ZT_OK ? added : 0);
    reopen(&w);
    CHECK_STR("as told", ask(&w, "SELECT count(*) FROM task"), want);
    CHECK_STR("counted", ask(&w, "SELECT n FROM task_count WHERE state='waiting'"), want);
    world_clear(&w);
}

/* ---- statements ---------------------------------------------------------------------------- */

/* The plan of a statement, with or without a table of finished tasks behind it. */
static const char *plan_of(struct world *w, enum zt_stmt which)
{
    static char explain[2048];

    zt_format(explain, sizeof(explain), "EXPLAIN QUERY PLAN %s", zt_sqlite_stmts[which].sql);
    return ask(w, explain);
}

static void uses_its_indexes(void)
{
    static const struct {
        enum zt_stmt stmt;
        const char *uses;
    } rows[] = {
        { ZT_STMT_CLAIM_ANY, "INDEX task_waiting" },
        { ZT_STMT_CLAIM, "USING COVERING INDEX task_line (key_id=? AND state=?)" },
        { ZT_STMT_CLAIM, "SCAN line USING INDEX line_next" },
        { ZT_STMT_CLAIM, "SEARCH task USING INTEGER PRIMARY KEY (rowid=?)" },
        { ZT_STMT_VIEW, "sqlite_autoindex_api_key_1 (hash=?)" },
        { ZT_STMT_VIEW, "sqlite_autoindex_task_1 (id=?)" },
        { ZT_STMT_LINES, "SCAN line USING INDEX line_next" },
        { ZT_STMT_LINE_HEAD, "COVERING INDEX task_line (key_id=? AND state=?)" },
        { ZT_STMT_TASK_GET, "sqlite_autoindex_task_1 (id=?)" },
        { ZT_STMT_TASK_BY_TOKEN, "INDEX task_token (file_token=?)" },
        { ZT_STMT_TASK_LIST, "INTEGER PRIMARY KEY (rowid<?)" },
        { ZT_STMT_PAGE_ALL, "INTEGER PRIMARY KEY (rowid<?)" },
        { ZT_STMT_PAGE, "INDEX task_key (key_id=? AND " },
        { ZT_STMT_PAGE_STATE, "INDEX task_key_state (key_id=? AND state=? AND " },
        { ZT_STMT_PAGE_MODEL, "INDEX task_key_model (key_id=? AND model=? AND " },
        { ZT_STMT_PAGE_STATE_MODEL, "INDEX task_key_" },
        { ZT_STMT_LINES_WAITING, "PRIMARY KEY (state=?)" },
        { ZT_STMT_START, "(id=?)" },
        { ZT_STMT_RENEW, "(id=?)" },
        { ZT_STMT_PROGRESS, "(id=?)" },
        { ZT_STMT_PREVIEW, "(id=?)" },
        { ZT_STMT_SUCCEED, "(id=?)" },
        { ZT_STMT_FAIL, "(id=?)" },
        { ZT_STMT_PUT_BACK, "(id=?)" },
        { ZT_STMT_REAP_ANY, "INDEX task_leased" },
        { ZT_STMT_REAP_REBASE, "INDEX task_leased" },
        { ZT_STMT_REAP_REQUEUE, "INDEX task_leased (lease_us<?)" },
        { ZT_STMT_REAP_FAIL, "INDEX task_leased (lease_us<?)" },
        { ZT_STMT_REAP_WORKER_REQUEUE, "INDEX task_leased" },
        { ZT_STMT_REAP_WORKER_FAIL, "INDEX task_leased" },
        { ZT_STMT_CANCEL, "(id=?)" },
        { ZT_STMT_TASK_STATE, "(id=?)" },
        { ZT_STMT_LEASE_LOOK, "(id=?)" },
        { ZT_STMT_KEY_FIND, "sqlite_autoindex_api_key_1 (hash=?)" },
        { ZT_STMT_KEY_USED, "INTEGER PRIMARY KEY (rowid=?)" },
        { ZT_STMT_KEY_TERMS, "SEARCH k USING INTEGER PRIMARY KEY (rowid=?)" },
        { ZT_STMT_KEY_TERMS, "SEARCH u USING INTEGER PRIMARY KEY (rowid=?)" },
        { ZT_STMT_KEY_TERMS, "INDEX api_key_user (user_id=?)" },
        { ZT_STMT_LEDGER_LIST, "INDEX ledger_user (user_id=?)" },
        { ZT_STMT_IDEMPOTENCY_FIND, "PRIMARY KEY (key_id=? AND name=?)" },
        { ZT_STMT_IDEMPOTENCY_SWEEP, "INDEX idempotency_age (created_us<?)" },
        { ZT_STMT_DELIVERY_ANY, "COVERING INDEX callback_host_ready (ready_us<?)" },
        { ZT_STMT_DELIVERY_RELEASE, "INDEX delivery_host (host_id=? AND held=? AND due_us<?)" },
        { ZT_STMT_DELIVERY_CLAIM, "INDEX delivery_host (host_id=? AND held=? AND due_us<?)" },
        { ZT_STMT_DELIVERY_CLAIM, "SEARCH delivery USING INTEGER PRIMARY KEY (rowid=?)" },
        { ZT_STMT_HOST_NEXT, "INDEX callback_host_ready (ready_us<?)" },
        { ZT_STMT_HOST_LOOK, "INDEX delivery_host (host_id=? AND held=?)" },
        { ZT_STMT_HOST_SETTLE, "INTEGER PRIMARY KEY (rowid=?)" },
        { ZT_STMT_DELIVERY_EXPIRE, "INDEX delivery_round (round_us<?)" },
        { ZT_STMT_DELIVERY_EXPIRED, "INDEX delivery_round (round_us<?)" },
        { ZT_STMT_DELIVERY_SETTLE, "INTEGER PRIMARY KEY (rowid=?)" },
        { ZT_STMT_DELIVERY_NEXT, "COVERING INDEX callback_host_ready" },
        { ZT_STMT_DELIVERY_LIST, "INTEGER PRIMARY KEY (rowid<?)" },
        { ZT_STMT_DELIVERY_LIST_KEY, "INDEX delivery_key (key_id=? AND rowid<?)" },
        { ZT_STMT_DELIVERY_LIST_STATE,
          "INDEX delivery_key_state (key_id=? AND state=? AND rowid<?)" },
        { ZT_STMT_DELIVERY_DUE, "INDEX delivery_due (due_us<?)" },
        { ZT_STMT_DELIVERY_COUNTS, "INDEX callback_host_open (open_until_us>?)" },
        { ZT_STMT_REDELIVER, "(task_id=?)" },
        { ZT_STMT_REDELIVER_FAILED, "INDEX delivery_given_up (due_us>?)" },
        { ZT_STMT_WEBHOOK_SECRETS, "INTEGER PRIMARY KEY (rowid=?)" },
        { ZT_STMT_DELIVERY_OF_TASK, "(task_id=?)" },
        { ZT_STMT_DELIVERY_TRIES, "PRIMARY KEY (delivery_id=?)" },
        { ZT_STMT_FILES_EXPIRED, "INDEX task_files_expire (files_expire_us<?)" },
        { ZT_STMT_FILES_TOTAL, "COVERING INDEX task_files_age" },
        { ZT_STMT_FILES_OLDEST, "INDEX task_files_age (completed_us<?)" },
        { ZT_STMT_FILES_GONE, "(id=?)" },
        { ZT_STMT_FORGET, "INDEX task_forget (completed_us<?)" },
        { ZT_STMT_UPLOAD_NAMED, "INDEX upload_name (key_id=? AND path=? AND name=?)" },
        { ZT_STMT_UPLOAD_FIND, "INDEX upload_token (token=?)" },
        { ZT_STMT_UPLOADS_FORGET, "INDEX upload_expires (expires_us<?)" },
        { ZT_STMT_UPLOAD_WANTED, "INDEX upload_sha256 (sha256=?)" },
        { ZT_STMT_UPLOAD_WANTED, "INDEX task_waiting (state=?)" },
        { ZT_STMT_UPLOAD_WANTED, "INDEX task_leased" },
    };
    struct world w;
    char before[ZT_COUNT(rows)][512];

    world_init(&w);
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        zt_format(before[i], sizeof(before[i]), "%s", plan_of(&w, rows[i].stmt));
        CHECK_HAS(zt_sqlite_stmts[rows[i].stmt].sql, before[i], rows[i].uses);
        CHECK(zt_sqlite_stmts[rows[i].stmt].sql, strstr(before[i], "USE TEMP B-TREE") == NULL);
        CHECK(zt_sqlite_stmts[rows[i].stmt].sql, strstr(before[i], "SCAN task;") == NULL);
    }
    /* The triggers would only slow the filling down. */
    change(&w, "DROP TRIGGER task_counted_in;"
               "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i+1 FROM n WHERE i<100000)"
               "INSERT INTO task (id, key_id, state, model, param, input, created_us, updated_us,"
               " completed_us, file_token, files_expire_us, file_bytes)"
               " SELECT 'old' || i, i % 5, 'success', 'm', '{}', '{}', i, i, i, 'tok' || i, i, 9"
               " FROM n");
    add(&w, "new");
    reopen(&w);
    for (size_t i = 0; i < ZT_COUNT(rows); i++)
        CHECK_STR(zt_sqlite_stmts[rows[i].stmt].sql, plan_of(&w, rows[i].stmt), before[i]);
    claim(&w, "w", "new");
    world_clear(&w);
}

/* Every move that a statement makes is one that the diagram in task.h has. */
static void moves_as_the_diagram_says(void)
{
    char part[64];
    int moves = 0;

    for (int i = 0; i < ZT_STMTS; i++) {
        const struct zt_stmt_row *row = &zt_sqlite_stmts[i];
        CHECK("every statement has text", row->sql != NULL);
        if (strstr(row->sql, "UPDATE task SET state=") == NULL) {
            CHECK_INT(row->sql, row->from, 0);
            bool changes = strstr(row->sql, "UPDATE task") != NULL;
            CHECK(row->sql, !changes || strstr(row->sql, " SET state") == NULL);
            continue;
        }
        moves++;
        zt_format(part, sizeof(part), "SET state='%s'", zt_task_state_name(row->to));
        CHECK_HAS("sets", row->sql, part);
        CHECK("leaves some state", row->from != 0);
        const char *where = strstr(row->sql, " WHERE ");
        CHECK("has a condition", where != NULL);
        where = where ? where : "";
        for (int from = 0; from < ZT_TASK_STATES; from++) {
            const char *name = zt_task_state_name((enum zt_task_state)from);
            zt_format(part, sizeof(part), "'%s'", name);
            bool named = strstr(where, part) != NULL;
            CHECK_INT(row->sql, named, (row->from & 1u << from) != 0);
            if (named)
                CHECK(row->sql, zt_task_may_become((enum zt_task_state)from, row->to));
        }
    }
    CHECK_INT("moves", moves, 11);
}

static void fences_every_statement_of_a_worker(void)
{
    static const enum zt_stmt worker[] = { ZT_STMT_START,   ZT_STMT_RENEW, ZT_STMT_PROGRESS,
                                           ZT_STMT_SUCCEED, ZT_STMT_FAIL,  ZT_STMT_PUT_BACK,
                                           ZT_STMT_PREVIEW };

    for (size_t i = 0; i < ZT_COUNT(worker); i++)
        CHECK_HAS("fence", zt_sqlite_stmts[worker[i]].sql,
                  " WHERE id=?1 AND worker=?2 AND attempt=?3 AND state");
}

/* ---- damaged rows -------------------------------------------------------------------------- */

/* Makes the tables forget their types, as no SQLite of ours would: whatever a row may hold. */
static void loosen(struct world *w)
{
    change(w, "PRAGMA foreign_keys=OFF;"
              "CREATE TABLE loose AS SELECT * FROM task;"
              "DROP TABLE task; ALTER TABLE loose RENAME TO task;"
              "CREATE TABLE loose_d AS SELECT * FROM delivery;"
              "DROP TABLE delivery; ALTER TABLE loose_d RENAME TO delivery;"
              "CREATE TABLE loose_t AS SELECT * FROM delivery_try;"
              "DROP TABLE delivery_try; ALTER TABLE loose_t RENAME TO delivery_try;"
              "CREATE TABLE loose_e AS SELECT * FROM event;"
              "DROP TABLE event; ALTER TABLE loose_e RENAME TO event;"
              "CREATE TABLE loose_k AS SELECT * FROM api_key;"
              "DROP TABLE api_key; ALTER TABLE loose_k RENAME TO api_key");
    reopen(w);
}

static void survives_damaged_rows(void)
{
    static const char *const damage[] = {
        "state=NULL",
        "state='lost'",
        "state=x'00'",
        "state=3",
        "key_id='one'",
        "key_id=-1",
        "key_id=NULL",
        "model=NULL",
        "model=x'05'",
        "param=x'7B7D'",
        "input=NULL",
        "input=x'31'",
        "param=CAST(x'FF' AS TEXT)",
        "callback_url=NULL",
        "input='a' || char(0) || 'b'",
        "attempt=-1",
        "attempt=99999999999",
        "attempt='x'",
        "attempt=NULL",
        "percent=101",
        "percent=-1",
        "percent=0.5",
        "step=-1",
        "steps=9999999999",
        "created_us=NULL",
        "created_us='now'",
        "created_us=-5",
        "lease_us=x''",
        "updated_us=1e300",
        "files_removed=2",
        "files_removed=NULL",
        "file_bytes=-1",
        "file_token=NULL",
        "result=NULL",
        "fail_msg=CAST(x'C328' AS TEXT)",
        "stage=NULL",
        "worker=x'37'",
        "engine=NULL",
    };
    struct world w;
    struct zt_task *task = NULL;
    struct zt_task **tasks = NULL;
    int n;

    world_init(&w);
    add(&w, "a");
    loosen(&w);
    for (size_t i = 0; i < ZT_COUNT(damage); i++) {
        char sql[256];
        change(&w, "CREATE TABLE safe AS SELECT * FROM task");
        zt_format(sql, sizeof(sql), "UPDATE task SET %s", damage[i]);
        change(&w, sql);
        task = NULL;
        CHECK_INT(damage[i], zt_store_task_get(w.store, &arena, "a", 0, &task, &err), ZT_E_CORRUPT);
        CHECK_HAS(damage[i], err.msg, "damaged");
        CHECK_HAS(damage[i], err.detail, "column");
        CHECK("nothing given", task == NULL);
        CHECK_INT(damage[i], zt_store_task_list(w.store, &arena, -1, NULL, 9, &tasks, &n, &err),
                  ZT_E_CORRUPT);
        change(&w, "DELETE FROM task; INSERT INTO task SELECT * FROM safe; DROP TABLE safe");
    }
    CHECK_INT("whole again", zt_store_task_get(w.store, &arena, "a", 0, &task, &err), ZT_OK);
    world_clear(&w);
}

/* A row that cannot be read must not hold up those behind it. */
static void buries_a_damaged_task(void)
{
    struct world w;
    struct zt_task *task = NULL;

    world_init(&w);
    add(&w, "a");
    add(&w, "b");
    change(&w, "UPDATE task SET input=CAST(x'FF' AS TEXT) WHERE id='a'");
    CHECK_INT("claim", zt_store_claim(w.store, &arena, "w", LEASE_US, &task, &err), ZT_E_CORRUPT);
    CHECK_HAS("claim", err.detail, "column input");
    CHECK_STR("failed", ask(&w, "SELECT fail_code || state FROM task WHERE id='a'"), "500fail");
    CHECK_STR("called back", ask(&w, "SELECT task_id FROM delivery"), "a");
    claim(&w, "w", "b");
    world_clear(&w);
}

static void survives_other_damaged_rows(void)
{
    struct world w;
    struct zt_delivery *d = NULL;
    struct zt_delivery_log *log = NULL;
    struct zt_key *key = NULL;
    int64_t id = 0;
    int64_t counts[ZT_TASK_STATES];
    const uint8_t hash[ZT_SHA256_BYTES] = { 1 };

    world_init(&w);
    for (int i = 0; i < 2; i++) {
        const char *name = i ? "b" : "a";
        add(&w, name);
        struct zt_lease lease = claim(&w, "w", name);
        zt_store_fail(w.store, &lease, "500", "x", NULL, &err);
        w.now_us++;
    }
    CHECK_INT("key", zt_store_key_add(w.store, "k", hash, "h", "s", &id, &err), ZT_OK);
    change(&w, "UPDATE delivery SET url=CAST(x'FF' AS TEXT) WHERE task_id='a'");
    CHECK_INT("claim", zt_store_delivery_claim(w.store, &arena, &rules, &d, &err), ZT_E_CORRUPT);
    CHECK_INT("the next", zt_store_delivery_claim(w.store, &arena, &rules, &d, &err), ZT_OK);
    CHECK_STR("the next", d->task_id, "b");
    CHECK_INT("log", zt_store_delivery_of_task(w.store, &arena, "a", &log, &err), ZT_E_CORRUPT);
    change(&w, "UPDATE task_count SET n=-1 WHERE state='fail'");
    CHECK_INT("counts", zt_store_task_counts(w.store, counts, &err), ZT_E_CORRUPT);
    loosen(&w);
    change(&w, "UPDATE api_key SET webhook_secret=NULL");
    CHECK_INT("key", zt_store_key_find(w.store, &arena, hash, &key, &err), ZT_E_CORRUPT);
    change(&w, "CREATE TABLE loose_h AS SELECT 'soon' AS ready_us;"
               "DROP TABLE callback_host; ALTER TABLE loose_h RENAME TO callback_host");
    int64_t next = 0;
    CHECK_INT("next", zt_store_delivery_next_us(w.store, &next, &err), ZT_E_CORRUPT);
    world_clear(&w);
}

/* ---- many at once -------------------------------------------------------------------------- */

#define TASKS    500
#define CLAIMERS 6

struct claimer {
    struct zt_store_options options;
    char name[16];
    atomic_int *claims; /* of each task */
    int n, errors;
};

/* Claims until nothing is left, and fails what it claimed. */
static void *claim_all(void *arg)
{
    struct claimer *c = arg;
    struct zt_store *store = NULL;
    struct zt_arena own = { 0 };
    struct zt_err own_err;

    if (zt_store_open(&c->options, &store, &own_err) != ZT_OK) {
        c->errors++;
        return NULL;
    }
    for (;;) {
        struct zt_task *task = NULL;
        zt_arena_reset(&own);
        enum zt_code rc = zt_store_claim(store, &own, c->name, LEASE_US, &task, &own_err);
        if (rc == ZT_E_NOT_FOUND)
            break;
        if (rc == ZT_E_BUSY)
            continue;
        if (rc != ZT_OK) {
            c->errors++;
            break;
        }
        int64_t i = -1;
        zt_parse_int(task->id, 0, TASKS - 1, &i);
        atomic_fetch_add(&c->claims[i], 1);
        struct zt_lease lease = { task->id, c->name, task->attempt };
        do
            rc = zt_store_fail(store, &lease, "500", "x", NULL, &own_err);
        while (rc == ZT_E_BUSY);
        c->errors += rc != ZT_OK;
        c->n++;
    }
    zt_store_close(store);
    zt_arena_clear(&own);
    return NULL;
}

static void add_many(struct world *w)
{
    char id[16];

    zt_store_begin(w->store, &err);
    for (int i = 0; i < TASKS; i++) {
        zt_format(id, sizeof(id), "%d", i);
        add(w, id);
    }
    CHECK_INT("commit", zt_store_commit(w->store, &err), ZT_OK);
}

static void threads_claim_each_task_once(void)
{
    static atomic_int claims[TASKS];
    struct claimer claimers[CLAIMERS];
    pthread_t threads[CLAIMERS];
    struct world w;
    int n = 0;

    world_init(&w);
    add_many(&w);
    change(&w, "PRAGMA wal_checkpoint");
    for (int i = 0; i < CLAIMERS; i++) {
        claimers[i] = (struct claimer){ .options = { .path = w.path }, .claims = claims };
        zt_format(claimers[i].name, sizeof(claimers[i].name), "w%d", i);
        CHECK_INT("thread", pthread_create(&threads[i], NULL, claim_all, &claimers[i]), 0);
    }
    for (int i = 0; i < CLAIMERS; i++) {
        pthread_join(threads[i], NULL);
        CHECK_INT("errors", claimers[i].errors, 0);
        n += claimers[i].n;
    }
    CHECK_INT("claimed", n, TASKS);
    for (int i = 0; i < TASKS; i++) {
        if (claims[i] != 1)
            CHECK_INT("claims of one task", claims[i], 1);
    }
    CHECK_STR("one callback each", ask(&w, "SELECT count(*) FROM delivery"), "500");
    CHECK_STR("counted", ask(&w, "SELECT n FROM task_count WHERE state='fail'"), "500");
    world_clear(&w);
}

/* Runs fn in a process of its own; gives how it ended. The world's store must be closed: SQLite's
 * locks do not survive a fork. */
static int in_child(void (*fn)(struct world *w, int i), struct world *w, int i, pid_t *ret_pid)
{
    int status = 0;

    zt_assert(w->store == NULL);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        fn(w, i);
        _exit(0);
    }
    if (ret_pid != NULL) {
        *ret_pid = pid;
        return 0;
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void open_and_claim(struct world *w, int i)
{
    static atomic_int claims[TASKS];
    struct claimer c = { .options = { .path = w->path }, .claims = claims };

    zt_format(c.name, sizeof(c.name), "p%d", i);
    claim_all(&c);
    _exit(c.errors != 0);
}

/* In the first round each makes the file, in the second they share its tasks. */
static void processes_share_a_file(void)
{
    struct world w;
    pid_t pids[4];

    world_init(&w);
    for (int round = 0; round < 2; round++) {
        if (round == 1)
            add_many(&w);
        zt_store_close(w.store);
        w.store = NULL;
        if (round == 0)
            CHECK_INT("no file", unlink(w.path), 0);
        for (int i = 0; i < 4; i++)
            in_child(open_and_claim, &w, i, &pids[i]);
        for (int i = 0; i < 4; i++) {
            int status = -1;
            waitpid(pids[i], &status, 0);
            CHECK_INT("ended well", status, 0);
        }
        reopen(&w);
    }
    CHECK_STR("each once", ask(&w, "SELECT count(*) FROM task WHERE state='fail' AND attempt=1"),
              "500");
    CHECK_STR("one callback each", ask(&w, "SELECT count(*) FROM delivery"), "500");
    CHECK_STR("whole", ask(&w, "PRAGMA integrity_check"), "ok");
    world_clear(&w);
}

#ifdef ZT_FAULTS
/* Where to die, and what the store says of task a, and how many callbacks there are, after it. */
static const struct {
    const char *label;
    const char *point;
    const char *state;
    const char *callbacks;
} deaths[] = {
    { "claim", "store.claim:1", "waiting", "0" },
    { "claimed", "store.claim.done:1", "queuing", "0" },
    { "start", "store.start:1", "queuing", "0" },
    { "started", "store.start.done:1", "generating", "0" },
    { "succeed", "store.succeed:1:kill", "generating", "0" },
    { "succeeded", "store.succeed.done:1:kill", "success", "1" },
    { "settle", "store.delivery_settle:1", "success", "1" },
    { "settled", "store.delivery_settle.done:1", "success", "0" },
};

static void live_and_die(struct world *w, int i)
{
    struct zt_task *task = NULL;
    struct zt_delivery *d = NULL;
    struct zt_delivery_try done = { .outcome = ZT_DELIVERY_DONE, .note = "" };

    setenv("ZOETROPE_CRASH", deaths[i].point, 1);
    if (world_open(w, false, &w->store) != ZT_OK)
        _exit(1);
    zt_store_claim(w->store, &arena, "w", LEASE_US, &task, &err);
    struct zt_lease lease = { task->id, "w", task->attempt };
    zt_store_start(w->store, &lease, "motion", &err);
    zt_store_succeed(w->store, &lease, &result, NULL, &err);
    zt_store_delivery_claim(w->store, &arena, &rules, &d, &err);
    zt_store_delivery_settle(w->store, d, &done, &rules, &err);
}

static void a_crash_leaves_before_or_after(void)
{
    for (size_t i = 0; i < ZT_COUNT(deaths); i++) {
        struct world w;
        world_init(&w);
        add(&w, "a");
        zt_store_close(w.store);
        w.store = NULL;
        int status = in_child(live_and_die, &w, (int)i, NULL);
        bool killed = strstr(deaths[i].point, ":kill") != NULL;
        CHECK_INT(deaths[i].label, status, killed ? -1 : 137);
        reopen(&w);
        CHECK_STR(deaths[i].label, state_of(&w, "a"), deaths[i].state);
        CHECK_STR(deaths[i].label, ask(&w, "SELECT count(*) FROM delivery WHERE state='pending'"),
                  deaths[i].callbacks);
        CHECK_STR(deaths[i].label, ask(&w, "PRAGMA integrity_check"), "ok");
        world_clear(&w);
    }
}
#endif

int main(void)
{
    RUN(creates_a_private_file);
    RUN(refuses_other_schemas);
    RUN(refuses_what_is_no_database);
    RUN(refuses_a_damaged_file);
    RUN(a_reader_cannot_write);
    RUN(says_when_it_is_busy);
    RUN(a_full_disk_is_told_truly);
    RUN(uses_its_indexes);
    RUN(moves_as_the_diagram_says);
    RUN(fences_every_statement_of_a_worker);
    RUN(survives_damaged_rows);
    RUN(buries_a_damaged_task);
    RUN(survives_other_damaged_rows);
    RUN(processes_share_a_file);
#ifdef ZT_FAULTS
    RUN(a_crash_leaves_before_or_after);
#endif
    RUN(threads_claim_each_task_once);
    return check_done();
}
