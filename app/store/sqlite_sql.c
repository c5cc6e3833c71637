/*
 * sqlite_sql.c - every statement, prepared when the store opens.
 *
 * A statement that a worker sends names id, worker, attempt and state in its WHERE: a lease that
 * was lost matches no row. A statement that moves a task says from where to where, and the test
 * asks zt_task_may_become about each (test_store.c).
 */
#include "store/sqlite_db.h"

#define FROM(s) (1u << ZT_TASK_##s)
#define HELD    (FROM(QUEUING) | FROM(GENERATING))

/* sqlite_tasks.c reads them in this order. */
#define TASK_COLUMNS                                                                               \
    "id, key_id, model, engine, state, param, input, callback_url, attempt, worker, lease_us,"     \
    " created_us, started_us, completed_us, updated_us, percent, stage, step, steps, result,"      \
    " fail_code, fail_msg, file_token, files_expire_us, file_bytes, files_removed"
#define KEY_COLUMNS      "id, name, hint, webhook_secret, created_us, revoked_us, used_us"
#define DELIVERY_COLUMNS "id, task_id, key_id, url, attempt, created_us"

#define LEASE            " WHERE id=?1 AND worker=?2 AND attempt=?3"
#define IS_HELD          "state IN ('queuing','generating')"
#define HAS_FILES        "state='success' AND files_removed=0"
/* What a task looks like that nobody holds. */
#define RELEASED  "worker='', lease_us=0, lease_len_us=0"
#define UNTOUCHED RELEASED ", engine='', started_us=0, percent=0, stage='', step=0, steps=0"
/* A task never ends before it began, whatever the clock says. */
#define ENDED(now) RELEASED ", completed_us=max(" now ", created_us), updated_us=" now

/* clang-format off */
const struct zt_stmt_row zt_sqlite_stmts[ZT_STMTS] = {
    [ZT_STMT_BEGIN] = { .sql = "BEGIN IMMEDIATE" },
    [ZT_STMT_COMMIT] = { .sql = "COMMIT" },
    [ZT_STMT_ROLLBACK] = { .sql = "ROLLBACK" },
    [ZT_STMT_SAVEPOINT] = { .sql = "SAVEPOINT call" },
    [ZT_STMT_RELEASE] = { .sql = "RELEASE call" },
    [ZT_STMT_ROLLBACK_TO] = { .sql = "ROLLBACK TO call" },

    [ZT_STMT_TASK_ADD] = { .sql = "INSERT INTO task (id, key_id, model, param, input,"
                                  " callback_url, created_us, updated_us)"
                                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)" },
    /* ?2 key or 0. */
    [ZT_STMT_TASK_GET] = { .sql = "SELECT " TASK_COLUMNS " FROM task"
                                  " WHERE id=?1 AND (?2=0 OR key_id=?2)" },
    /* ?2 now. */
    [ZT_STMT_TASK_BY_TOKEN] = { .sql = "SELECT " TASK_COLUMNS " FROM task"
                                       " WHERE file_token=?1 AND file_token<>''"
                                       " AND files_removed=0 AND files_expire_us>?2" },
    /* ?1 hash of a key, ?2 task. No row: no such key. Read by view() in sqlite_tasks.c. */
    [ZT_STMT_VIEW] = { .sql = "SELECT k.id, ifnull(t.seq, 0), t.id, t.model, t.engine, t.state,"
                              " t.param, t.created_us, t.started_us, t.completed_us, t.updated_us,"
                              " t.percent, t.stage, t.result, t.fail_code, t.fail_msg, t.file_token"
                              " FROM api_key k LEFT JOIN task t ON t.id=?2 AND t.key_id=k.id"
                              " WHERE k.hash=?1 AND k.revoked_us=0" },
    [ZT_STMT_QUEUE_HEAD] = { .sql = "SELECT seq FROM task WHERE state='waiting'"
                                    " ORDER BY seq LIMIT ?1" },
    [ZT_STMT_TASK_SEQ] = { .sql = "SELECT seq FROM task WHERE id=?1 AND (?2=0 OR key_id=?2)" },
    /* ?1 state or '', ?2 before this seq, ?3 limit. */
    [ZT_STMT_TASK_LIST] = { .sql = "SELECT " TASK_COLUMNS " FROM task"
                                   " WHERE (?1='' OR state=?1) AND seq<?2"
                                   " ORDER BY seq DESC LIMIT ?3" },
    [ZT_STMT_TASK_LIST_KEY] = { .sql = "SELECT " TASK_COLUMNS " FROM task"
                                       " WHERE (?1='' OR state=?1) AND seq<?2 AND key_id=?4"
                                       " ORDER BY seq DESC LIMIT ?3" },
    [ZT_STMT_TASK_COUNTS] = { .sql = "SELECT state, n FROM task_count" },

    /* Asked before the write lock is taken, so that idle workers disturb nobody. */
    [ZT_STMT_CLAIM_ANY] = { .sql = "SELECT 1 FROM task WHERE state='waiting' LIMIT 1" },
    /* ?1 worker, ?2 now, ?3 lease. No row: nothing waits. The extra column is for BURY. */
    [ZT_STMT_CLAIM] = { .sql = "UPDATE task SET state='queuing', worker=?1, lease_us=?2+?3,"
                               " lease_len_us=?3, attempt=attempt+1, updated_us=?2"
                               " WHERE seq=(SELECT seq FROM task WHERE state='waiting'"
                               "  ORDER BY seq LIMIT 1) AND state='waiting'"
                               " RETURNING " TASK_COLUMNS ", seq",
                        .from = FROM(WAITING),
                        .to = ZT_TASK_QUEUING },
    /* ?1 seq, ?2 now. A claimed row that cannot be read must not block the queue for ever. */
    [ZT_STMT_BURY] = { .sql = "UPDATE task SET state='fail', fail_code='500', fail_msg="
                              "'the stored task is damaged and cannot be run',"
                              " callback_url=CASE WHEN typeof(callback_url)='text'"
                              "  THEN callback_url ELSE '' END, " ENDED("?2")
                              " WHERE seq=?1 AND state='queuing'",
                       .from = FROM(QUEUING),
                       .to = ZT_TASK_FAIL },
    /* ?4 engine, ?5 now. */
    [ZT_STMT_START] = { .sql = "UPDATE task SET state='generating', engine=?4, started_us=?5,"
                               " updated_us=?5" LEASE " AND state='queuing'",
                        .from = FROM(QUEUING),
                        .to = ZT_TASK_GENERATING },
    /* ?4 now, ?5 lease. */
    [ZT_STMT_RENEW] = { .sql = "UPDATE task SET lease_us=?4+?5, lease_len_us=?5" LEASE
                               " AND " IS_HELD },
    /* ?6 percent, ?7 stage, ?8 step, ?9 steps. */
    [ZT_STMT_PROGRESS] = { .sql = "UPDATE task SET lease_us=?4+?5, lease_len_us=?5, updated_us=?4,"
                                  " percent=max(percent, ?6), stage=?7, step=?8, steps=?9" LEASE
                                  " AND " IS_HELD },
    /* ?4 now, ?5 result, ?6 token, ?7 when files expire, ?8 bytes. No row: the lease was lost. */
    [ZT_STMT_SUCCEED] = { .sql = "UPDATE task SET state='success', result=?5, file_token=?6,"
                                 " files_expire_us=?7, file_bytes=?8, percent=100,"
                                 " " ENDED("?4") LEASE " AND state='generating'"
                                 " RETURNING callback_url<>''",
                          .from = FROM(GENERATING),
                          .to = ZT_TASK_SUCCESS },
    /* ?4 now, ?5 code, ?6 message. */
    [ZT_STMT_FAIL] = { .sql = "UPDATE task SET state='fail', fail_code=?5, fail_msg=?6,"
                              " " ENDED("?4") LEASE " AND " IS_HELD " RETURNING callback_url<>''",
                       .from = HELD,
                       .to = ZT_TASK_FAIL },
    /* ?4 now, ?5 attempts to take back. */
    [ZT_STMT_PUT_BACK] = { .sql = "UPDATE task SET state='waiting', attempt=attempt-?5,"
                                  " updated_us=?4, " UNTOUCHED LEASE " AND " IS_HELD,
                           .from = HELD,
                           .to = ZT_TASK_WAITING },
    /* ?1 now. Asked before the write lock is taken. */
    [ZT_STMT_REAP_ANY] = { .sql = "SELECT 1 FROM task WHERE " IS_HELD
                                  " AND (lease_us<=?1 OR lease_us-lease_len_us>?1) LIMIT 1" },
    /* A lease given in the future means that the clock was set back: it starts anew from now. */
    [ZT_STMT_REAP_REBASE] = { .sql = "UPDATE task SET lease_us=?1+lease_len_us WHERE " IS_HELD
                                     " AND lease_us-lease_len_us>?1" },
    /* ?1 now, ?2 most attempts. */
    [ZT_STMT_REAP_REQUEUE] = { .sql = "UPDATE task SET state='waiting', updated_us=?1, " UNTOUCHED
                                      " WHERE " IS_HELD " AND lease_us<=?1 AND attempt<?2",
                               .from = HELD,
                               .to = ZT_TASK_WAITING },
    [ZT_STMT_REAP_FAIL] = { .sql = "UPDATE task SET state='fail', fail_code='501', fail_msg="
                                   "'the worker died or hung: ' || attempt || ' of ' || ?2 ||"
                                   " ' attempts are used up', " ENDED("?1")
                                   " WHERE " IS_HELD " AND lease_us<=?1 AND attempt>=?2",
                            .from = HELD,
                            .to = ZT_TASK_FAIL },
    /* ?3 worker. */
    [ZT_STMT_REAP_WORKER_REQUEUE] = { .sql = "UPDATE task SET state='waiting', updated_us=?1,"
                                             " " UNTOUCHED " WHERE " IS_HELD
                                             " AND worker=?3 AND attempt<?2",
                                      .from = HELD,
                                      .to = ZT_TASK_WAITING },
    /* ?4 reason. */
    [ZT_STMT_REAP_WORKER_FAIL] = { .sql = "UPDATE task SET state='fail', fail_code='501', fail_msg="
                                          "'the worker died (' || ?4 || '): ' || attempt ||"
                                          " ' of ' || ?2 || ' attempts are used up',"
                                          " " ENDED("?1") " WHERE " IS_HELD
                                          " AND worker=?3 AND attempt>=?2",
                                   .from = HELD,
                                   .to = ZT_TASK_FAIL },

    [ZT_STMT_KEY_ADD] = { .sql = "INSERT INTO api_key (name, hash, hint, webhook_secret,"
                                 " created_us) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id" },
    [ZT_STMT_KEY_FIND] = { .sql = "SELECT " KEY_COLUMNS " FROM api_key"
                                  " WHERE hash=?1 AND revoked_us=0" },
    [ZT_STMT_KEY_GET] = { .sql = "SELECT " KEY_COLUMNS " FROM api_key WHERE id=?1" },
    [ZT_STMT_KEY_BY_NAME] = { .sql = "SELECT " KEY_COLUMNS " FROM api_key WHERE name=?1"
                                     " ORDER BY revoked_us=0 DESC, id DESC LIMIT 1" },
    [ZT_STMT_KEY_LIST] = { .sql = "SELECT " KEY_COLUMNS " FROM api_key ORDER BY id" },
    /* ?2 now, ?3 how exact. */
    [ZT_STMT_KEY_USED] = { .sql = "UPDATE api_key SET used_us=?2 WHERE id=?1 AND used_us<?2-?3" },
    [ZT_STMT_KEY_RESET] = { .sql = "UPDATE api_key SET hash=?2, hint=?3"
                                   " WHERE id=?1 AND revoked_us=0" },
    [ZT_STMT_KEY_REVOKE] = { .sql = "UPDATE api_key SET revoked_us=?2"
                                    " WHERE id=?1 AND revoked_us=0" },

    /* ?1 API key, ?2 idempotency key, ?3 not older than this, ?4 hash of the request. */
    [ZT_STMT_IDEMPOTENCY_FIND] = { .sql = "SELECT hash=?4, task_id, answer FROM idempotency"
                                          " WHERE key_id=?1 AND name=?2 AND created_us>?3" },
    [ZT_STMT_IDEMPOTENCY_PUT] = { .sql = "INSERT OR REPLACE INTO idempotency"
                                         " (key_id, name, hash, task_id, answer, created_us)"
                                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6)" },
    [ZT_STMT_IDEMPOTENCY_SWEEP] = { .sql = "DELETE FROM idempotency WHERE (key_id, name) IN"
                                           " (SELECT key_id, name FROM idempotency"
                                           "  WHERE created_us<=?1 ORDER BY created_us LIMIT 2)" },

    /* ?1 now. */
    [ZT_STMT_DELIVERY_ANY] = { .sql = "SELECT 1 FROM delivery"
                                      " WHERE state='pending' AND due_us<=?1 LIMIT 1" },
    /* ?2 lease: a sender that dies leaves a delivery that falls due again. */
    [ZT_STMT_DELIVERY_CLAIM] = { .sql = "UPDATE delivery SET attempt=attempt+1, due_us=?1+?2"
                                        " WHERE id=(SELECT id FROM delivery WHERE state='pending'"
                                        "  AND due_us<=?1 ORDER BY due_us LIMIT 1)"
                                        " RETURNING " DELIVERY_COLUMNS },
    [ZT_STMT_DELIVERY_BURY] = { .sql = "UPDATE delivery SET state='given_up' WHERE id=?1" },
    /* ?2 attempt, ?3 state, ?4 due. No row: somebody else has it, or it is settled. */
    [ZT_STMT_DELIVERY_SETTLE] = { .sql = "UPDATE delivery SET state=?3, due_us=?4"
                                         " WHERE id=?1 AND attempt=?2 AND state='pending'" },
    [ZT_STMT_DELIVERY_TRY] = { .sql = "INSERT INTO delivery_try (delivery_id, attempt, outcome,"
                                      " status, note, took_us, at_us)"
                                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)" },
    [ZT_STMT_DELIVERY_NEXT] = { .sql = "SELECT due_us FROM delivery WHERE state='pending'"
                                       " ORDER BY due_us LIMIT 1" },
    [ZT_STMT_DELIVERY_OF_TASK] = { .sql = "SELECT " DELIVERY_COLUMNS ", state, due_us FROM delivery"
                                          " WHERE task_id=?1" },
    [ZT_STMT_DELIVERY_TRIES] = { .sql = "SELECT attempt, at_us, outcome, status, note, took_us"
                                        " FROM delivery_try WHERE delivery_id=?1"
                                        " ORDER BY attempt LIMIT ?2" },

    /* ?1 now, ?2 limit. */
    [ZT_STMT_FILES_EXPIRED] = { .sql = "SELECT id, file_bytes FROM task WHERE " HAS_FILES
                                       " AND files_expire_us<=?1"
                                       " ORDER BY files_expire_us LIMIT ?2" },
    [ZT_STMT_FILES_TOTAL] = { .sql = "SELECT CAST(total(file_bytes) AS INTEGER) FROM task"
                                     " WHERE " HAS_FILES },
    /* ?1 now, ?2 limit, ?3 completed by then. */
    [ZT_STMT_FILES_OLDEST] = { .sql = "SELECT id, file_bytes FROM task WHERE " HAS_FILES
                                      " AND completed_us<=?3 AND files_expire_us>?1"
                                      " ORDER BY completed_us LIMIT ?2" },
    [ZT_STMT_FILES_GONE] = { .sql = "UPDATE task SET files_removed=1, file_token='', updated_us=?2"
                                    " WHERE id=?1 AND state IN ('success','fail')" },
    /* ?1 completed before, ?2 limit. Deliveries and tries go with the task (schema.c). */
    [ZT_STMT_FORGET] = { .sql = "DELETE FROM task WHERE seq IN (SELECT seq FROM task"
                                " WHERE state IN ('success','fail') AND file_token=''"
                                " AND completed_us<?1 AND NOT EXISTS (SELECT 1 FROM delivery"
                                "  WHERE task_id=task.id AND delivery.state='pending')"
                                " ORDER BY completed_us LIMIT ?2)" },
};
/* clang-format on */
