/*
 * schema.c - the tables, one string a version, applied in order when a store opens.
 *
 * A string that was released never changes; a change is a new string at the end. user_version in
 * the file says how many were applied. There is no ANALYZE anywhere: plans must not depend on what
 * happens to be in the tables (test_store.c asserts them).
 */
#include "store/sqlite_db.h"

const char *const zt_sqlite_schema[] = {
    /*
     * 1. task.seq is the order of acceptance: the queue, lists and pages go by it and never by a
     * clock. A rowid table, because rows carry a prompt of up to 10 000 characters twice, and a
     * tree of such rows keyed by a random id would split pages on every insert.
     *
     * The partial indexes hold only rows in the states that their statements ask for, so a million
     * finished tasks cost claim and reap nothing. The triggers do what no statement may forget: a
     * task that ends owes its callback in the same transaction, and the counts are always right.
     */
    "CREATE TABLE api_key ("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL,"
    " hash BLOB NOT NULL UNIQUE," /* SHA-256 of the secret */
    " hint TEXT NOT NULL,"
    " webhook_secret TEXT NOT NULL,"
    " created_us INTEGER NOT NULL,"
    " revoked_us INTEGER NOT NULL DEFAULT 0,"
    " used_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE UNIQUE INDEX api_key_name ON api_key(name) WHERE revoked_us=0;"

    "CREATE TABLE task ("
    " seq INTEGER PRIMARY KEY,"
    " id TEXT NOT NULL UNIQUE,"
    " key_id INTEGER NOT NULL," /* 0: the operator's; no foreign key for that reason */
    " state TEXT NOT NULL DEFAULT 'waiting'"
    "  CHECK (state IN ('waiting','queuing','generating','success','fail')),"
    " attempt INTEGER NOT NULL DEFAULT 0,"
    " worker TEXT NOT NULL DEFAULT '',"
    " lease_us INTEGER NOT NULL DEFAULT 0,"
    " lease_len_us INTEGER NOT NULL DEFAULT 0," /* what was asked for; see REAP_REBASE */
    " percent INTEGER NOT NULL DEFAULT 0,"
    " stage TEXT NOT NULL DEFAULT '',"
    " step INTEGER NOT NULL DEFAULT 0,"
    " steps INTEGER NOT NULL DEFAULT 0,"
    " created_us INTEGER NOT NULL,"
    " started_us INTEGER NOT NULL DEFAULT 0,"
    " completed_us INTEGER NOT NULL DEFAULT 0,"
    " updated_us INTEGER NOT NULL,"
    " file_token TEXT NOT NULL DEFAULT '',"
    " files_expire_us INTEGER NOT NULL DEFAULT 0,"
    " file_bytes INTEGER NOT NULL DEFAULT 0,"
    " files_removed INTEGER NOT NULL DEFAULT 0,"
    " engine TEXT NOT NULL DEFAULT '',"
    " fail_code TEXT NOT NULL DEFAULT '',"
    " fail_msg TEXT NOT NULL DEFAULT '',"
    " model TEXT NOT NULL,"
    " callback_url TEXT NOT NULL DEFAULT '',"
    " result TEXT NOT NULL DEFAULT '',"
    " param TEXT NOT NULL,"
    " input TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX task_waiting ON task(state) WHERE state='waiting';" /* then by seq */
    "CREATE INDEX task_leased ON task(lease_us) WHERE state IN ('queuing','generating');"
    "CREATE INDEX task_key ON task(key_id);" /* then by seq */
    "CREATE UNIQUE INDEX task_token ON task(file_token) WHERE file_token<>'';"
    "CREATE INDEX task_files_expire ON task(files_expire_us)"
    " WHERE state='success' AND files_removed=0;"
    /* All that the sum of bytes needs, so that it reads no row. */
    "CREATE INDEX task_files_age ON task(completed_us, file_bytes, state, files_removed)"
    " WHERE state='success' AND files_removed=0;"
    "CREATE INDEX task_forget ON task(completed_us)"
    " WHERE state IN ('success','fail') AND file_token='';"

    "CREATE TABLE delivery ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," /* part of message ids: never used twice */
    " task_id TEXT NOT NULL UNIQUE REFERENCES task(id) ON DELETE CASCADE,"
    " key_id INTEGER NOT NULL,"
    " url TEXT NOT NULL,"
    " state TEXT NOT NULL DEFAULT 'pending' CHECK (state IN ('pending','done','given_up')),"
    " attempt INTEGER NOT NULL DEFAULT 0,"
    " due_us INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX delivery_due ON delivery(due_us) WHERE state='pending';"

    "CREATE TABLE delivery_try ("
    " delivery_id INTEGER NOT NULL REFERENCES delivery(id) ON DELETE CASCADE,"
    " attempt INTEGER NOT NULL,"
    " outcome TEXT NOT NULL CHECK (outcome IN ('done','retry','given_up')),"
    " status INTEGER NOT NULL,"
    " note TEXT NOT NULL,"
    " took_us INTEGER NOT NULL,"
    " at_us INTEGER NOT NULL,"
    " PRIMARY KEY (delivery_id, attempt)"
    ") STRICT, WITHOUT ROWID;"

    "CREATE TRIGGER task_owes_callback AFTER UPDATE OF state ON task"
    " WHEN new.state IN ('success','fail') AND new.state<>old.state AND new.callback_url<>''"
    " BEGIN INSERT INTO delivery (task_id, key_id, url, due_us, created_us)"
    "  VALUES (new.id, new.key_id, new.callback_url, new.completed_us, new.completed_us); END;"

    "CREATE TABLE task_count (state TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "INSERT INTO task_count VALUES ('waiting',0),('queuing',0),('generating',0),('success',0),"
    " ('fail',0);"
    "CREATE TRIGGER task_counted_in AFTER INSERT ON task"
    " BEGIN UPDATE task_count SET n=n+1 WHERE state=new.state; END;"
    "CREATE TRIGGER task_counted_over AFTER UPDATE OF state ON task WHEN new.state<>old.state"
    " BEGIN UPDATE task_count SET n=n-1 WHERE state=old.state;"
    "  UPDATE task_count SET n=n+1 WHERE state=new.state; END;"
    "CREATE TRIGGER task_counted_out AFTER DELETE ON task"
    " BEGIN UPDATE task_count SET n=n-1 WHERE state=old.state; END;",

    /*
     * Answers that are given again to a client that repeats its request (offer.h). Not tied to the
     * task: the answer holds even when the task was forgotten meanwhile.
     */
    "CREATE TABLE idempotency ("
    " key_id INTEGER NOT NULL,"
    " name TEXT NOT NULL," /* what the client calls the request */
    " hash BLOB NOT NULL," /* SHA-256 of the request */
    " task_id TEXT NOT NULL,"
    " answer TEXT NOT NULL,"
    " created_us INTEGER NOT NULL,"
    " PRIMARY KEY (key_id, name)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX idempotency_age ON idempotency(created_us);",
};

const int zt_sqlite_schema_version = (int)ZT_COUNT(zt_sqlite_schema);
