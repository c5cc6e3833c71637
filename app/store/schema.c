/*
 * schema.c - the tables, one string a version, applied in order when a store opens.
 *
 * A string that was released never changes; a change is a new string at the end. user_version in
 * the file says how many were applied. There is no ANALYZE anywhere: plans must not depend on what
 * happens to be in the tables (test_store.c asserts them).
 */
#include "store/sqlite_db.h"

/*
 * The receiver that a column `url` names, "example.org:443": between "://" and what ends it, with
 * the port of the scheme when it has none. Frozen with the versions below that use it.
 */
#define REST_OF_URL "(replace(replace(substr(url, instr(url,'://')+3),'?','/'),'#','/')||'/')"
#define PART_OF_URL "lower(substr(" REST_OF_URL ", 1, instr(" REST_OF_URL ", '/')-1))"
#define HOST_OF_URL                                                                                \
    "(SELECT CASE WHEN part LIKE '%:%' AND part NOT LIKE '%]' THEN part"                           \
    " ELSE part || iif(url LIKE 'https:%', ':443', ':80') END"                                     \
    " FROM (SELECT " PART_OF_URL " AS part))"
#define HOST_OF_NEW "(SELECT " HOST_OF_URL " FROM (SELECT new.url AS url))"

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

    /*
     * Receivers of callbacks, by host. callback_host.ready_us is never later than the moment at
     * which a delivery of the host can be claimed, so the first row of its index is where to look,
     * however many deliveries wait for hosts that are full or left alone; a claim that finds it too
     * early corrects it.
     */
    "CREATE TABLE callback_host ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," /* stale references must not meet another host */
    " name TEXT NOT NULL UNIQUE,"
    " ready_us INTEGER NOT NULL,"
    " failures INTEGER NOT NULL DEFAULT 0," /* in a row */
    " opens INTEGER NOT NULL DEFAULT 0,"    /* of its breaker, in a row */
    " open_until_us INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "CREATE INDEX callback_host_ready ON callback_host(ready_us);"
    "CREATE INDEX callback_host_open ON callback_host(open_until_us) WHERE open_until_us>0;"

    "ALTER TABLE delivery ADD COLUMN host_id INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE delivery ADD COLUMN held INTEGER NOT NULL DEFAULT 0;" /* claimed, not settled */
    "ALTER TABLE delivery ADD COLUMN round INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE delivery ADD COLUMN round_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE delivery ADD COLUMN round_attempt INTEGER NOT NULL DEFAULT 0;" /* before it */
    "ALTER TABLE delivery_try ADD COLUMN round INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE delivery_try ADD COLUMN family INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE delivery_try ADD COLUMN answer TEXT NOT NULL DEFAULT '';"
    "INSERT INTO callback_host (name, ready_us) SELECT " HOST_OF_URL ", min(due_us)"
    " FROM delivery WHERE state='pending' GROUP BY 1;"
    "UPDATE delivery SET round_us=created_us;"
    "UPDATE delivery SET host_id=(SELECT id FROM callback_host WHERE name=" HOST_OF_URL ")"
    " WHERE state='pending';"
    "CREATE INDEX delivery_host ON delivery(host_id, held, due_us) WHERE state='pending';"
    "CREATE INDEX delivery_round ON delivery(round_us) WHERE state='pending';"
    "CREATE INDEX delivery_given_up ON delivery(due_us) WHERE state='given_up';"
    "CREATE INDEX delivery_key ON delivery(key_id);" /* then by id, as the next */
    "CREATE INDEX delivery_key_state ON delivery(key_id, state);",

    /* What keeps ready_us true for rows that are made and redelivered. */
    "CREATE TRIGGER delivery_owed AFTER INSERT ON delivery"
    " BEGIN INSERT INTO callback_host (name, ready_us) VALUES (" HOST_OF_NEW ", new.due_us)"
    "  ON CONFLICT (name) DO UPDATE"
    "  SET ready_us=min(ready_us, max(excluded.ready_us, open_until_us));"
    "  UPDATE delivery SET round_us=new.created_us,"
    "  host_id=(SELECT id FROM callback_host WHERE name=" HOST_OF_NEW ") WHERE id=new.id; END;"
    "CREATE TRIGGER delivery_owed_again AFTER UPDATE OF round ON delivery"
    " BEGIN INSERT INTO callback_host (name, ready_us) VALUES (" HOST_OF_NEW ", new.due_us)"
    "  ON CONFLICT (name) DO UPDATE SET ready_us=min(ready_us, excluded.ready_us),"
    "  open_until_us=min(open_until_us, excluded.ready_us);"
    "  UPDATE delivery SET host_id=(SELECT id FROM callback_host WHERE name=" HOST_OF_NEW ")"
    "  WHERE id=new.id; END;",

    /*
     * Figures about callbacks that cost a few rows, whatever there is: triggers keep them. And
     * the webhook secret before the current one, which signs for a while beside it.
     */
    "CREATE TABLE callback_count (name TEXT PRIMARY KEY, n INTEGER NOT NULL) STRICT,"
    " WITHOUT ROWID;"
    "INSERT INTO callback_count SELECT 'pending', count(*) FROM delivery WHERE state='pending';"
    "INSERT INTO callback_count SELECT column1, (SELECT count(*) FROM delivery_try"
    " WHERE outcome=column1) FROM (VALUES ('done'), ('retry'), ('given_up'));"
    "CREATE TRIGGER delivery_counted_in AFTER INSERT ON delivery WHEN new.state='pending'"
    " BEGIN UPDATE callback_count SET n=n+1 WHERE name='pending'; END;"
    "CREATE TRIGGER delivery_counted_over AFTER UPDATE OF state ON delivery"
    " WHEN (new.state='pending')<>(old.state='pending')"
    " BEGIN UPDATE callback_count SET n=n+iif(new.state='pending', 1, -1)"
    "  WHERE name='pending'; END;"
    "CREATE TRIGGER delivery_counted_out AFTER DELETE ON delivery WHEN old.state='pending'"
    " BEGIN UPDATE callback_count SET n=n-1 WHERE name='pending'; END;"
    "CREATE TRIGGER delivery_try_counted AFTER INSERT ON delivery_try"
    " BEGIN UPDATE callback_count SET n=n+1 WHERE name=new.outcome; END;"

    "ALTER TABLE api_key ADD COLUMN webhook_previous TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE api_key ADD COLUMN webhook_previous_until_us INTEGER NOT NULL DEFAULT 0;",

    /*
     * Uploads (uploads.h). A row without a token was replaced, and waits for the sweep. The sum of
     * a key is kept beside, so that an upload need not add up thousands of rows.
     */
    "CREATE TABLE upload ("
    " id INTEGER PRIMARY KEY,"
    " key_id INTEGER NOT NULL,"
    " path TEXT NOT NULL,"
    " name TEXT NOT NULL,"
    " token TEXT NOT NULL,"
    " sha256 TEXT NOT NULL," /* the blob is named by it */
    " type TEXT NOT NULL,"
    " bytes INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL,"
    " expires_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE UNIQUE INDEX upload_name ON upload(key_id, path, name) WHERE token<>'';"
    "CREATE UNIQUE INDEX upload_token ON upload(token) WHERE token<>'';"
    "CREATE INDEX upload_sha256 ON upload(sha256);"
    "CREATE INDEX upload_expires ON upload(expires_us);"
    "CREATE TABLE upload_total (key_id INTEGER PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;"
    "CREATE TRIGGER upload_counted_in AFTER INSERT ON upload"
    " BEGIN INSERT INTO upload_total VALUES (new.key_id, max(new.bytes, 4096))"
    "  ON CONFLICT (key_id) DO UPDATE SET bytes=bytes+excluded.bytes; END;"
    "CREATE TRIGGER upload_counted_out AFTER DELETE ON upload"
    " BEGIN UPDATE upload_total SET bytes=bytes-max(old.bytes, 4096) WHERE key_id=old.key_id; END;",

    /*
     * What happened to tasks (events.h), and how long they take (pace.h). An insert of a task makes
     * no event, so that it costs what it did. The ids are never used twice, or a client that
     * resumes after one would miss its successor.
     */
    "CREATE TABLE event ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " task_seq INTEGER NOT NULL REFERENCES task(seq) ON DELETE CASCADE,"
    " key_id INTEGER NOT NULL,"
    " at_us INTEGER NOT NULL,"
    " state TEXT NOT NULL,"
    " attempt INTEGER NOT NULL,"
    " started_us INTEGER NOT NULL,"
    " moved_us INTEGER NOT NULL,"
    " percent INTEGER NOT NULL,"
    " stage TEXT NOT NULL,"
    " step INTEGER NOT NULL,"
    " steps INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX event_task ON event(task_seq);" /* then by id */
    "CREATE INDEX event_key ON event(key_id);"    /* then by id */
    "CREATE TABLE event_floor (id INTEGER NOT NULL) STRICT;"
    "INSERT INTO event_floor VALUES (0);"
    "ALTER TABLE task ADD COLUMN moved_us INTEGER NOT NULL DEFAULT 0;" /* when percent grew */
    "CREATE TRIGGER task_event AFTER UPDATE OF state, percent, stage, step, steps ON task"
    " WHEN new.state<>old.state OR new.percent<>old.percent OR new.stage<>old.stage"
    "  OR new.step<>old.step OR new.steps<>old.steps"
    " BEGIN INSERT INTO event (task_seq, key_id, at_us, state, attempt, started_us, moved_us,"
    "   percent, stage, step, steps)"
    "  VALUES (new.seq, new.key_id, new.updated_us, new.state, new.attempt, new.started_us,"
    "   new.moved_us, new.percent, new.stage, new.step, new.steps); END;"

    "ALTER TABLE task ADD COLUMN size TEXT NOT NULL DEFAULT '';"
    "CREATE TABLE pace ("
    " engine TEXT NOT NULL,"
    " model TEXT NOT NULL,"
    " size TEXT NOT NULL,"
    " runs INTEGER NOT NULL,"
    " inputs_us INTEGER NOT NULL,"
    " total_us INTEGER NOT NULL,"
    " spread_us INTEGER NOT NULL,"
    " marks TEXT NOT NULL," /* when each per cent was reached, ms */
    " PRIMARY KEY (engine, model, size)"
    ") STRICT, WITHOUT ROWID;",

    /*
     * Numbers for /metrics, counted where and when things happen (stats.h): a move of a task is one
     * whichever statement and process makes it. A handful of rows, in one page.
     */
    "CREATE TABLE stat (name TEXT NOT NULL, label TEXT NOT NULL, bucket INTEGER NOT NULL,"
    " n INTEGER NOT NULL, total INTEGER NOT NULL, PRIMARY KEY (name, label, bucket)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TRIGGER task_created_counted AFTER INSERT ON task"
    " BEGIN INSERT INTO stat VALUES ('created', '', 0, 1, 0)"
    "  ON CONFLICT DO UPDATE SET n=n+1; END;"
    "CREATE TRIGGER task_moved_counted AFTER UPDATE OF state ON task WHEN new.state<>old.state"
    " BEGIN INSERT INTO stat VALUES ('move', old.state || '>' || new.state, 0, 1, 0)"
    "  ON CONFLICT DO UPDATE SET n=n+1; END;",

    /*
     * Keys take turns: a line is a key's waiting tasks, and the line that was served longest ago is
     * next. Triggers keep it, so a claim looks at one row of line_next and one of task_line,
     * whatever waits or is finished. And the indexes that lists of a key's tasks go by; the model
     * is in that of the states so that asking for both reads no other row.
     */
    "CREATE TABLE line ("
    " key_id INTEGER PRIMARY KEY,"
    " waiting INTEGER NOT NULL,"
    " served INTEGER NOT NULL DEFAULT 0" /* the number of its last claim; 0: it had none */
    ") STRICT;"
    "CREATE INDEX line_next ON line(served) WHERE waiting>0;" /* then by key_id */
    "CREATE INDEX line_served ON line(served);"
    "CREATE INDEX task_line ON task(key_id, state) WHERE state='waiting';" /* then by seq */
    "INSERT INTO line (key_id, waiting) SELECT key_id, count(*) FROM task WHERE state='waiting'"
    " GROUP BY key_id;"
    "CREATE TRIGGER task_lined_in AFTER INSERT ON task WHEN new.state='waiting'"
    " BEGIN INSERT INTO line (key_id, waiting) VALUES (new.key_id, 1)"
    "  ON CONFLICT (key_id) DO UPDATE SET waiting=waiting+1; END;"
    "CREATE TRIGGER task_lined_back AFTER UPDATE OF state ON task"
    " WHEN new.state='waiting' AND old.state<>'waiting'"
    " BEGIN INSERT INTO line (key_id, waiting) VALUES (new.key_id, 1)"
    "  ON CONFLICT (key_id) DO UPDATE SET waiting=waiting+1; END;"
    "CREATE TRIGGER task_lined_out AFTER UPDATE OF state ON task"
    " WHEN old.state='waiting' AND new.state<>'waiting'"
    " BEGIN UPDATE line SET waiting=waiting-1, served=iif(new.state='queuing',"
    "  (SELECT max(served) FROM line)+1, served) WHERE key_id=old.key_id; END;"
    "CREATE TRIGGER task_lined_gone AFTER DELETE ON task WHEN old.state='waiting'"
    " BEGIN UPDATE line SET waiting=waiting-1 WHERE key_id=old.key_id; END;"
    "DROP INDEX task_key;"
    "CREATE INDEX task_key ON task(key_id, created_us);" /* then by seq, as the next two */
    "CREATE INDEX task_key_state ON task(key_id, state, created_us, seq, model);"
    "CREATE INDEX task_key_model ON task(key_id, model, created_us);",

    /*
     * Users, what a key may do, and credits (users.h), in thousandths. A line of the ledger is what
     * moves a balance, so the lines of a user sum up to it. The triggers are what no statement may
     * forget: a task is paid for when it is added and given back when it fails; hour and day are
     * those of UTC that spent_hour and spent_day are about; pending is what waits or runs.
     */
    "CREATE TABLE user ("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE,"
    " created_us INTEGER NOT NULL,"
    " credit INTEGER CHECK (credit>=0)," /* NULL: no balance, nothing is refused for it */
    " queue_max INTEGER NOT NULL DEFAULT 0"
    ") STRICT;"
    "INSERT INTO user (id, name, created_us) VALUES (1, 'default', 0);"
    "ALTER TABLE api_key ADD COLUMN user_id INTEGER NOT NULL DEFAULT 1;"
    "ALTER TABLE api_key ADD COLUMN rate_n INTEGER;" /* NULL: as for all keys */
    "ALTER TABLE api_key ADD COLUMN rate_window_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE api_key ADD COLUMN cap_hour INTEGER;" /* NULL: none */
    "ALTER TABLE api_key ADD COLUMN cap_day INTEGER;"
    "ALTER TABLE api_key ADD COLUMN cap_total INTEGER;"
    "ALTER TABLE api_key ADD COLUMN allow_ip TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE api_key ADD COLUMN expires_us INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE api_key ADD COLUMN spent INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE api_key ADD COLUMN spent_hour INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE api_key ADD COLUMN hour INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE api_key ADD COLUMN spent_day INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE api_key ADD COLUMN day INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE api_key ADD COLUMN pending INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX api_key_user ON api_key(user_id);"
    "ALTER TABLE task ADD COLUMN credit INTEGER NOT NULL DEFAULT 0;"
    "UPDATE api_key SET pending=(SELECT count(*) FROM task"
    " WHERE key_id=api_key.id AND state IN ('waiting','queuing','generating'));"

    "CREATE TABLE ledger ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " user_id INTEGER NOT NULL REFERENCES user(id),"
    " key_id INTEGER NOT NULL DEFAULT 0,"
    " task_id TEXT NOT NULL DEFAULT '',"
    " amount INTEGER NOT NULL,"
    " why TEXT NOT NULL,"
    " at_us INTEGER NOT NULL"
    ") STRICT;"
    "CREATE INDEX ledger_user ON ledger(user_id);" /* then by id */
    "CREATE TRIGGER ledger_moves_credit AFTER INSERT ON ledger"
    " BEGIN UPDATE user SET credit=credit+new.amount WHERE id=new.user_id; END;"

    "CREATE TRIGGER task_paid AFTER INSERT ON task WHEN new.credit>0"
    " BEGIN INSERT INTO ledger (user_id, key_id, task_id, amount, why, at_us)"
    "   SELECT user_id, id, new.id, -new.credit, 'task', new.created_us FROM api_key"
    "   WHERE id=new.key_id;"
    "  UPDATE api_key SET spent=spent+new.credit,"
    "   spent_hour=iif(hour=new.created_us/3600000000, spent_hour, 0)+new.credit,"
    "   hour=new.created_us/3600000000,"
    "   spent_day=iif(day=new.created_us/86400000000, spent_day, 0)+new.credit,"
    "   day=new.created_us/86400000000 WHERE id=new.key_id; END;"
    "CREATE TRIGGER task_given_back AFTER UPDATE OF state ON task"
    " WHEN new.state='fail' AND old.state<>'fail' AND new.credit>0"
    " BEGIN INSERT INTO ledger (user_id, key_id, task_id, amount, why, at_us)"
    "   SELECT user_id, id, new.id, new.credit, 'given back', new.completed_us FROM api_key"
    "   WHERE id=new.key_id;"
    "  UPDATE api_key SET spent=spent-new.credit, spent_hour=max(0, spent_hour"
    "    -iif(hour=new.created_us/3600000000, new.credit, 0)),"
    "   spent_day=max(0, spent_day-iif(day=new.created_us/86400000000, new.credit, 0))"
    "   WHERE id=new.key_id;"
    "  UPDATE task SET credit=0 WHERE seq=new.seq; END;"

    "CREATE TRIGGER task_pending_in AFTER INSERT ON task"
    " WHEN new.state IN ('waiting','queuing','generating')"
    " BEGIN UPDATE api_key SET pending=pending+1 WHERE id=new.key_id; END;"
    "CREATE TRIGGER task_pending_over AFTER UPDATE OF state ON task"
    " WHEN new.state IN ('success','fail') AND old.state NOT IN ('success','fail')"
    " BEGIN UPDATE api_key SET pending=pending-1 WHERE id=new.key_id; END;"
    "CREATE TRIGGER task_pending_out AFTER DELETE ON task"
    " WHEN old.state IN ('waiting','queuing','generating')"
    " BEGIN UPDATE api_key SET pending=pending-1 WHERE id=old.key_id; END;",

    /*
     * What can be watched of a task before it has ended (zt_store_preview): the unguessable part of
     * its address, which goes with the attempt, and how often it changed. A change is an event.
     */
    "ALTER TABLE task ADD COLUMN preview_token TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE task ADD COLUMN preview INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE event ADD COLUMN preview INTEGER NOT NULL DEFAULT 0;"
    "DROP TRIGGER task_event;"
    "CREATE TRIGGER task_event AFTER UPDATE OF state, percent, stage, step, steps, preview ON task"
    " WHEN new.state<>old.state OR new.percent<>old.percent OR new.stage<>old.stage"
    "  OR new.step<>old.step OR new.steps<>old.steps OR new.preview<>old.preview"
    " BEGIN INSERT INTO event (task_seq, key_id, at_us, state, attempt, started_us, moved_us,"
    "   percent, stage, step, steps, preview)"
    "  VALUES (new.seq, new.key_id, new.updated_us, new.state, new.attempt, new.started_us,"
    "   new.moved_us, new.percent, new.stage, new.step, new.steps, new.preview); END;",
};

const int zt_sqlite_schema_version = (int)ZT_COUNT(zt_sqlite_schema);
