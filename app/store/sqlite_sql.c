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
    " fail_code, fail_msg, file_token, files_expire_us, file_bytes, files_removed, size,"          \
    " moved_us, credit, preview_token, preview"
#define KEY_COLUMNS "k.id, k.name, k.hint, k.webhook_secret, k.created_us, k.revoked_us, k.used_us"
/* sqlite_users.c reads them in this order. */
#define KEY_ACCOUNT                                                                                \
    ", u.id, u.name, ifnull(k.rate_n, -1), k.rate_window_us, ifnull(k.cap_hour, -1),"              \
    " ifnull(k.cap_day, -1), ifnull(k.cap_total, -1), k.allow_ip, k.expires_us, k.spent,"          \
    " k.spent_hour, k.hour, k.spent_day, k.day, k.pending,"                                        \
    " u.credit IS NOT NULL OR u.queue_max>0"                                                       \
    " OR ifnull(k.cap_hour, ifnull(k.cap_day, k.cap_total)) IS NOT NULL"
#define KEYS " FROM api_key k JOIN user u ON u.id=k.user_id"
#define USER_COLUMNS                                                                               \
    "u.id, u.name, u.created_us, ifnull(u.credit, -1), u.queue_max, ifnull(sum(k.pending), 0),"    \
    " count(k.id) FILTER (WHERE k.revoked_us=0), ifnull(sum(k.spent), 0)"
#define USERS " FROM user u LEFT JOIN api_key k ON k.user_id=u.id"
/* sqlite_deliveries.c reads them in this order. */
#define DELIVERY_COLUMNS                                                                           \
    "id, task_id, key_id, url, attempt, round, attempt-round_attempt, created_us, host_id"

/* What is shown of a delivery, with the state of its host while it matters. */
#define DELIVERY_SHOWN                                                                             \
    "d.id, d.task_id, d.key_id, d.url, d.attempt, d.round, d.attempt-d.round_attempt,"             \
    " d.created_us, d.host_id, d.state, d.due_us, d.held, d.round_us, ifnull(h.opens, 0),"         \
    " ifnull(h.open_until_us, 0) FROM delivery d LEFT JOIN callback_host h ON h.id=d.host_id"      \
    " AND d.state='pending'"
#define HOST_COLUMNS    "id, failures, opens, open_until_us"
#define OF_HOST         " WHERE host_id=?1 AND state='pending'"
#define BEING_SENT(now) "(state='pending' AND held=1 AND due_us>" now ")"
#define EXPIRED                                                                                    \
    "state='pending' AND round_us<?1 AND NOT " BEING_SENT("?2") " ORDER BY round_us LIMIT ?3"
#define NEW_ROUND                                                                                  \
    "state='pending', held=0, due_us=?1, round=round+1, round_us=?1, round_attempt=attempt"

#define EVENT_COLUMNS                                                                              \
    "e.id, t.id, e.key_id, e.at_us, e.state, e.attempt, e.started_us, e.moved_us, e.percent,"      \
    " e.stage, e.step, e.steps, e.preview"
#define PACE_COLUMNS                                                                               \
    "p.engine, p.model, p.size, p.runs, p.inputs_us, p.total_us, p.spread_us, p.marks"

#define LEASE     " WHERE id=?1 AND worker=?2 AND attempt=?3"
#define IS_HELD   "state IN ('queuing','generating')"
#define HAS_FILES "state='success' AND files_removed=0"
/* What a task looks like that nobody holds. */
#define RELEASED "worker='', lease_us=0, lease_len_us=0, preview_token=''"
#define UNTOUCHED                                                                                  \
    RELEASED ", engine='', started_us=0, moved_us=0, percent=0, stage='', step=0, steps=0"
/* A task never ends before it began, whatever the clock says. */
#define ENDED(now) RELEASED ", completed_us=max(" now ", created_us), updated_us=" now

#define PAGE_OF(more)                                                                              \
    "SELECT " TASK_COLUMNS ", seq FROM task WHERE key_id=?1" more " AND created_us>=?2"            \
    " AND (created_us, seq)<(?3, ?4) ORDER BY created_us DESC, seq DESC LIMIT ?5"

/* clang-format off */
const struct zt_stmt_row zt_sqlite_stmts[ZT_STMTS] = {
    [ZT_STMT_BEGIN] = { .sql = "BEGIN IMMEDIATE" },
    [ZT_STMT_COMMIT] = { .sql = "COMMIT" },
    [ZT_STMT_ROLLBACK] = { .sql = "ROLLBACK" },
    [ZT_STMT_SAVEPOINT] = { .sql = "SAVEPOINT call" },
    [ZT_STMT_RELEASE] = { .sql = "RELEASE call" },
    [ZT_STMT_ROLLBACK_TO] = { .sql = "ROLLBACK TO call" },

    [ZT_STMT_TASK_ADD] = { .sql = "INSERT INTO task (id, key_id, model, param, input,"
                                  " callback_url, created_us, updated_us, size,"
                                  " credit)"
                                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7, ?8, ?9)" },
    /* ?2 key or 0. */
    [ZT_STMT_TASK_GET] = { .sql = "SELECT " TASK_COLUMNS " FROM task"
                                  " WHERE id=?1 AND (?2=0 OR key_id=?2)" },
    /* ?2 now. */
    [ZT_STMT_TASK_BY_TOKEN] = { .sql = "SELECT " TASK_COLUMNS " FROM task"
                                       " WHERE file_token=?1 AND file_token<>''"
                                       " AND files_removed=0 AND files_expire_us>?2" },
    /* ?1 hash of a key, ?2 task, ?3 now. No row: no such key. Read by zt_store_view. */
    [ZT_STMT_VIEW] = { .sql = "SELECT k.id, ifnull(t.seq, 0), t.id, t.model, t.engine, t.state,"
                              " t.param, t.created_us, t.started_us, t.completed_us, t.updated_us,"
                              " t.percent, t.stage, t.result, t.fail_code, t.fail_msg,"
                              " t.file_token, t.step, t.steps, t.size, t.moved_us,"
                              " t.credit, t.preview_token, t.preview, k.allow_ip"
                              " FROM api_key k LEFT JOIN task t ON t.id=?2 AND t.key_id=k.id"
                              " WHERE k.hash=?1 AND k.revoked_us=0"
                              " AND (k.expires_us=0 OR k.expires_us>?3)" },
    /* In the order of their turns. */
    [ZT_STMT_LINES] = { .sql = "SELECT key_id, waiting FROM line WHERE waiting>0"
                               " ORDER BY served, key_id LIMIT ?1" },
    [ZT_STMT_LINE_HEAD] = { .sql = "SELECT seq FROM task WHERE state='waiting' AND key_id=?1"
                                   " ORDER BY seq LIMIT ?2" },
    [ZT_STMT_LINES_WAITING] = { .sql = "SELECT n FROM task_count WHERE state='waiting'" },
    /* A claim found nothing where something waits: the lines are counted anew. */
    [ZT_STMT_LINES_MEND] = { .sql = "INSERT OR REPLACE INTO line (key_id, waiting, served)"
                                    " SELECT key_id, sum(n), max(served) FROM"
                                    " (SELECT key_id, 0 AS n, served FROM line UNION ALL"
                                    "  SELECT key_id, 1, 0 FROM task WHERE state='waiting'"
                                    "  AND typeof(key_id)='integer') GROUP BY key_id" },
    [ZT_STMT_TASK_SEQ] = { .sql = "SELECT seq FROM task WHERE id=?1" },
    /* ?1 state or '', ?2 before this seq, ?3 limit. */
    [ZT_STMT_TASK_LIST] = { .sql = "SELECT " TASK_COLUMNS " FROM task"
                                   " WHERE (?1='' OR state=?1) AND seq<?2"
                                   " ORDER BY seq DESC LIMIT ?3" },
    [ZT_STMT_TASK_COUNTS] = { .sql = "SELECT state, n FROM task_count" },

    /* Asked before the write lock is taken, so that idle workers disturb nobody. */
    [ZT_STMT_CLAIM_ANY] = { .sql = "SELECT 1 FROM task WHERE state='waiting' LIMIT 1" },
    /* ?1 worker, ?2 now, ?3 lease. No row: nothing waits. The extra column is for BURY. */
    [ZT_STMT_CLAIM] = { .sql = "UPDATE task SET state='queuing', worker=?1, lease_us=?2+?3,"
                               " lease_len_us=?3, attempt=attempt+1, updated_us=?2"
                               " WHERE seq=(SELECT seq FROM task WHERE state='waiting'"
                               "  AND key_id=(SELECT key_id FROM line WHERE waiting>0"
                               "   ORDER BY served, key_id LIMIT 1)"
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
                                  " moved_us=iif(?6>percent, ?4, moved_us),"
                                  " percent=max(percent, ?6), stage=?7, step=?8, steps=?9" LEASE
                                  " AND " IS_HELD },
    /* ?4 now, ?5 token. */
    [ZT_STMT_PREVIEW] = { .sql = "UPDATE task SET preview=preview+1, preview_token=?5,"
                                 " updated_us=?4" LEASE " AND state='generating'" },
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

    /* ?2 key or 0, ?3 now, ?4 reason. No row: no such task, another key's, or it is final. */
    [ZT_STMT_CANCEL] = { .sql = "UPDATE task SET state='fail', fail_code='" ZT_TASK_CANCELLED "',"
                                " fail_msg=?4, " ENDED("?3") " WHERE id=?1 AND (?2=0 OR key_id=?2)"
                                " AND state IN ('waiting','queuing','generating')"
                                " RETURNING callback_url<>''",
                         .from = FROM(WAITING) | HELD,
                         .to = ZT_TASK_FAIL },
    [ZT_STMT_TASK_STATE] = { .sql = "SELECT state FROM task WHERE id=?1 AND (?2=0 OR key_id=?2)" },
    [ZT_STMT_LEASE_LOOK] = { .sql = "SELECT worker=?2 AND attempt=?3 AND " IS_HELD ","
                                    " state='fail' AND fail_code='" ZT_TASK_CANCELLED "'"
                                    " FROM task WHERE id=?1" },

    /*
     * Pages of a list, newest first (sqlite_list.c). ?1 key, ?2 made then or later, ?3 and ?4
     * before this time and seq, ?5 limit, then the state and the model that are asked for. An
     * operator's goes by seq alone: ?3 is the latest time, ?6 and ?7 are '' for any.
     */
    [ZT_STMT_PAGE_ALL] = { .sql = "SELECT " TASK_COLUMNS ", seq FROM task WHERE ?1=0"
                                  " AND created_us>=?2 AND created_us<?3 AND seq<?4"
                                  " AND (?6='' OR state=?6) AND (?7='' OR model=?7)"
                                  " ORDER BY seq DESC LIMIT ?5" },
    [ZT_STMT_PAGE] = { .sql = PAGE_OF("") },
    [ZT_STMT_PAGE_STATE] = { .sql = PAGE_OF(" AND state=?6") },
    [ZT_STMT_PAGE_MODEL] = { .sql = PAGE_OF(" AND model=?6") },
    [ZT_STMT_PAGE_STATE_MODEL] = { .sql = PAGE_OF(" AND state=?6 AND model=?7") },

    [ZT_STMT_KEY_ADD] = { .sql = "INSERT INTO api_key (name, hash, hint, webhook_secret,"
                                 " created_us) VALUES (?1, ?2, ?3, ?4, ?5) RETURNING id" },
    /* ?2 now. */
    [ZT_STMT_KEY_FIND] = { .sql = "SELECT " KEY_COLUMNS KEY_ACCOUNT KEYS
                                  " WHERE k.hash=?1 AND k.revoked_us=0"
                                  " AND (k.expires_us=0 OR k.expires_us>?2)" },
    [ZT_STMT_KEY_GET] = { .sql = "SELECT " KEY_COLUMNS KEY_ACCOUNT KEYS " WHERE k.id=?1" },
    [ZT_STMT_KEY_BY_NAME] = { .sql = "SELECT " KEY_COLUMNS KEY_ACCOUNT KEYS " WHERE k.name=?1"
                                     " ORDER BY k.revoked_us=0 DESC, k.id DESC LIMIT 1" },
    [ZT_STMT_KEY_LIST] = { .sql = "SELECT " KEY_COLUMNS KEY_ACCOUNT KEYS " ORDER BY k.id" },
    /* ?2 now, ?3 how exact. */
    [ZT_STMT_KEY_USED] = { .sql = "UPDATE api_key SET used_us=?2 WHERE id=?1 AND used_us<?2-?3" },
    [ZT_STMT_KEY_RESET] = { .sql = "UPDATE api_key SET hash=?2, hint=?3"
                                   " WHERE id=?1 AND revoked_us=0" },
    [ZT_STMT_KEY_REVOKE] = { .sql = "UPDATE api_key SET revoked_us=?2"
                                    " WHERE id=?1 AND revoked_us=0" },

    [ZT_STMT_KEY_LIMIT] = { .sql = "UPDATE api_key SET rate_n=?2, rate_window_us=?3, cap_hour=?4,"
                                   " cap_day=?5, cap_total=?6, allow_ip=?7, expires_us=?8"
                                   " WHERE id=?1 AND revoked_us=0" },
    /* Before it was used: what a task costs and counts is its user's. */
    [ZT_STMT_KEY_GIVE] = { .sql = "UPDATE api_key SET user_id=?2 WHERE id=?1 AND used_us=0"
                                  " AND EXISTS (SELECT 1 FROM user WHERE id=?2)" },
    /* ?1 key, ?2 now in hours, ?3 in days. What a task is refused by; see sqlite_offer.c. */
    [ZT_STMT_KEY_TERMS] = { .sql = "SELECT ifnull(u.credit, -1), u.queue_max, iif(u.queue_max>0,"
                                   " (SELECT sum(pending) FROM api_key WHERE user_id=u.id), 0),"
                                   " ifnull(k.cap_hour, -1), iif(k.hour=?2, k.spent_hour, 0),"
                                   " ifnull(k.cap_day, -1), iif(k.day=?3, k.spent_day, 0),"
                                   " ifnull(k.cap_total, -1), k.spent" KEYS " WHERE k.id=?1" },
    [ZT_STMT_KEY_CREDIT] = { .sql = "SELECT ifnull(u.credit, -1)" KEYS " WHERE k.id=?1" },
    [ZT_STMT_USER_ADD] = { .sql = "INSERT INTO user (name, created_us) VALUES (?1, ?2)"
                                  " RETURNING id" },
    [ZT_STMT_USER_BY_NAME] = { .sql = "SELECT " USER_COLUMNS USERS " WHERE u.name=?1"
                                      " GROUP BY u.id" },
    [ZT_STMT_USER_LIST] = { .sql = "SELECT " USER_COLUMNS USERS " GROUP BY u.id ORDER BY u.id" },
    [ZT_STMT_USER_LIMIT] = { .sql = "UPDATE user SET queue_max=?2 WHERE id=?1" },
    [ZT_STMT_USER_CREDIT] = { .sql = "SELECT ifnull(credit, -1) FROM user WHERE id=?1" },
    [ZT_STMT_USER_BALANCE] = { .sql = "UPDATE user SET credit=?2 WHERE id=?1" },
    /* A line moves the balance there is: a trigger of schema.c. */
    [ZT_STMT_LEDGER_ADD] = { .sql = "INSERT INTO ledger (user_id, amount, why, at_us)"
                                    " VALUES (?1, ?2, ?3, ?4)" },
    [ZT_STMT_LEDGER_SUM] = { .sql = "SELECT ifnull((SELECT sum(amount) FROM ledger"
                                    "  WHERE user_id=?1), 0) FROM user WHERE id=?1" },
    [ZT_STMT_LEDGER_LIST] = { .sql = "SELECT key_id, task_id, amount, why, at_us FROM ledger"
                                     " WHERE user_id=?1 ORDER BY id DESC LIMIT ?2" },

    /* ?1 API key, ?2 idempotency key, ?3 not older than this, ?4 hash of the request. */
    [ZT_STMT_IDEMPOTENCY_FIND] = { .sql = "SELECT hash=?4, task_id, answer FROM idempotency"
                                          " WHERE key_id=?1 AND name=?2 AND created_us>?3" },
    [ZT_STMT_IDEMPOTENCY_PUT] = { .sql = "INSERT OR REPLACE INTO idempotency"
                                         " (key_id, name, hash, task_id, answer, created_us)"
                                         " VALUES (?1, ?2, ?3, ?4, ?5, ?6)" },
    [ZT_STMT_IDEMPOTENCY_SWEEP] = { .sql = "DELETE FROM idempotency WHERE (key_id, name) IN"
                                           " (SELECT key_id, name FROM idempotency"
                                           "  WHERE created_us<=?1 ORDER BY created_us LIMIT 2)" },

    /* ?1 now. Asked before the write lock is taken. */
    [ZT_STMT_DELIVERY_ANY] = { .sql = "SELECT 1 FROM callback_host WHERE ready_us<=?1 LIMIT 1" },
    [ZT_STMT_DELIVERY_NEXT] = { .sql = "SELECT ready_us FROM callback_host ORDER BY ready_us"
                                       " LIMIT 1" },
    /* ?1 host, ?2 now. A sender that dies leaves a delivery that falls due when its lease ends. */
    [ZT_STMT_DELIVERY_RELEASE] = { .sql = "UPDATE delivery SET held=0" OF_HOST
                                          " AND held=1 AND due_us<=?2" },
    /* ?3 lease. No row: none is due. */
    [ZT_STMT_DELIVERY_CLAIM] = { .sql = "UPDATE delivery SET attempt=attempt+1, held=1,"
                                        " due_us=?2+?3 WHERE id=(SELECT id FROM delivery" OF_HOST
                                        "  AND held=0 AND due_us<=?2 ORDER BY due_us LIMIT 1)"
                                        " RETURNING " DELIVERY_COLUMNS },
    [ZT_STMT_DELIVERY_BURY] = { .sql = "UPDATE delivery SET state='given_up', held=0"
                                       " WHERE id=?1" },
    /*
     * ?2 attempt, ?3 round, ?4 state, ?5 due, ?6 tries to give back. No row: somebody else has it,
     * or it is settled.
     */
    [ZT_STMT_DELIVERY_SETTLE] = { .sql = "UPDATE delivery SET state=?4, due_us=?5, held=0,"
                                         " round_attempt=round_attempt+?6"
                                         " WHERE id=?1 AND attempt=?2 AND round=?3"
                                         " AND state='pending' RETURNING host_id" },
    [ZT_STMT_DELIVERY_TRY] = { .sql = "INSERT INTO delivery_try (delivery_id, attempt, round,"
                                      " outcome, status, note, took_us, at_us, family, answer)"
                                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)" },
    /* ?1 began before, ?2 now, ?3 limit. The same rows in both. */
    [ZT_STMT_DELIVERY_EXPIRE] = { .sql = "INSERT INTO delivery_try (delivery_id, attempt, round,"
                                         " outcome, status, note, took_us, at_us)"
                                         " SELECT id, attempt+1, round, 'given_up', 0, 'not sent:"
                                         " its host has been in trouble for too long', 0, ?2"
                                         " FROM delivery WHERE " EXPIRED },
    [ZT_STMT_DELIVERY_EXPIRED] = { .sql = "UPDATE delivery SET state='given_up', held=0, due_us=?2,"
                                          " attempt=attempt+1 WHERE id IN"
                                          " (SELECT id FROM delivery WHERE " EXPIRED ")" },
    [ZT_STMT_DELIVERY_OF_TASK] = { .sql = "SELECT " DELIVERY_SHOWN " WHERE d.task_id=?1" },
    /* ?1 before this id, ?2 limit, ?3 state or ''. */
    [ZT_STMT_DELIVERY_LIST] = { .sql = "SELECT " DELIVERY_SHOWN " WHERE d.id<?1"
                                       " AND (?3='' OR d.state=?3) ORDER BY d.id DESC LIMIT ?2" },
    /* ?4 key. */
    [ZT_STMT_DELIVERY_LIST_KEY] = { .sql = "SELECT " DELIVERY_SHOWN " WHERE d.id<?1 AND ?3=''"
                                           " AND d.key_id=?4 ORDER BY d.id DESC LIMIT ?2" },
    [ZT_STMT_DELIVERY_LIST_STATE] = { .sql = "SELECT " DELIVERY_SHOWN " WHERE d.id<?1"
                                             " AND d.key_id=?4 AND d.state=?3"
                                             " ORDER BY d.id DESC LIMIT ?2" },
    [ZT_STMT_DELIVERY_TRIES] = { .sql = "SELECT attempt, round, at_us, outcome, status, note,"
                                        " took_us, family, answer FROM delivery_try"
                                        " WHERE delivery_id=?1 ORDER BY attempt DESC LIMIT ?2" },
    /* ?1 now. */
    [ZT_STMT_DELIVERY_COUNTS] = { .sql = "SELECT name, n FROM callback_count UNION ALL"
                                         " SELECT 'open', count(*) FROM callback_host"
                                         " WHERE open_until_us>?1 AND open_until_us>0" },
    [ZT_STMT_DELIVERY_DUE] = { .sql = "SELECT count(*), ifnull(min(due_us), 0) FROM"
                                      " (SELECT due_us FROM delivery WHERE state='pending'"
                                      "  AND due_us<=?1 ORDER BY due_us LIMIT ?2)" },
    /* ?1 now, ?2 task, ?3 key or 0. No row: there is none, or it is being sent. */
    [ZT_STMT_REDELIVER] = { .sql = "UPDATE delivery SET " NEW_ROUND " WHERE task_id=?2"
                                   " AND (?3=0 OR key_id=?3) AND NOT " BEING_SENT("?1") },
    /* ?2 given up since, ?3 limit. */
    [ZT_STMT_REDELIVER_FAILED] = { .sql = "UPDATE delivery SET " NEW_ROUND " WHERE id IN"
                                          " (SELECT id FROM delivery WHERE state='given_up'"
                                          "  AND due_us>=?2 ORDER BY due_us LIMIT ?3)" },

    [ZT_STMT_HOST_NEXT] = { .sql = "SELECT " HOST_COLUMNS " FROM callback_host WHERE ready_us<=?1"
                                   " ORDER BY ready_us LIMIT 1" },
    [ZT_STMT_HOST_GET] = { .sql = "SELECT " HOST_COLUMNS " FROM callback_host WHERE id=?1" },
    /* ?1 host, ?2 enough, ?3 for never: how many are under way, and what is due next of each. */
    [ZT_STMT_HOST_LOOK] = { .sql = "SELECT (SELECT count(*) FROM (SELECT 1 FROM delivery" OF_HOST
                                   "  AND held=1 LIMIT ?2)),"
                                   " ifnull((SELECT due_us FROM delivery" OF_HOST
                                   "  AND held=0 ORDER BY due_us LIMIT 1), ?3),"
                                   " ifnull((SELECT due_us FROM delivery" OF_HOST
                                   "  AND held=1 ORDER BY due_us LIMIT 1), ?3)" },
    [ZT_STMT_HOST_READY] = { .sql = "UPDATE callback_host SET ready_us=?2 WHERE id=?1" },
    /* ?2 failures, ?3 opens, ?4 open until. */
    [ZT_STMT_HOST_SETTLE] = { .sql = "UPDATE callback_host SET failures=?2, opens=?3,"
                                     " open_until_us=?4 WHERE id=?1" },
    [ZT_STMT_HOST_FORGET] = { .sql = "DELETE FROM callback_host WHERE id=?1" },

    /* ?1 key, ?2 now. */
    [ZT_STMT_WEBHOOK_SECRETS] = { .sql = "SELECT webhook_secret,"
                                         " iif(webhook_previous_until_us>?2, webhook_previous, ''),"
                                         " webhook_previous_until_us FROM api_key WHERE id=?1" },
    /* ?2 secret, ?3 until when the one before it signs, too. */
    [ZT_STMT_WEBHOOK_ROTATE] = { .sql = "UPDATE api_key SET webhook_previous=webhook_secret,"
                                        " webhook_previous_until_us=?3, webhook_secret=?2"
                                        " WHERE id=?1 AND revoked_us=0" },

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

    /* ?1 key, ?2 path, ?3 name, ?4 hash. */
    [ZT_STMT_UPLOAD_NAMED] = { .sql = "SELECT id, token, sha256=?4 FROM upload WHERE key_id=?1"
                                      " AND path=?2 AND name=?3 AND token<>''" },
    [ZT_STMT_UPLOAD_TOTAL] = { .sql = "SELECT bytes FROM upload_total WHERE key_id=?1" },
    /* ?2 now. What was replaced goes as if its time were over. */
    [ZT_STMT_UPLOAD_REPLACED] = { .sql = "UPDATE upload SET token='',"
                                         " expires_us=min(expires_us, ?2) WHERE id=?1" },
    [ZT_STMT_UPLOAD_ADD] = { .sql = "INSERT INTO upload (key_id, path, name, token, sha256, type,"
                                    " bytes, created_us, expires_us)"
                                    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)" },
    [ZT_STMT_UPLOAD_RENEW] = { .sql = "UPDATE upload SET created_us=?2, expires_us=?3"
                                      " WHERE id=?1" },
    /* ?2 now. */
    [ZT_STMT_UPLOAD_FIND] = { .sql = "SELECT key_id, path, name, token, sha256, type, bytes,"
                                     " created_us, expires_us FROM upload"
                                     " WHERE token=?1 AND token<>'' AND expires_us>?2" },
    /* ?1 expired by then, ?2 limit. */
    [ZT_STMT_UPLOADS_FORGET] = { .sql = "DELETE FROM upload WHERE id IN (SELECT id FROM upload"
                                        " WHERE expires_us<=?1 ORDER BY expires_us LIMIT ?2)"
                                        " RETURNING sha256" },
    /* A hash is found in a task's input wherever it stands: inputs are the API's own affair. */
    [ZT_STMT_UPLOAD_WANTED] = { .sql = "SELECT EXISTS (SELECT 1 FROM upload WHERE sha256=?1)"
                                       " OR EXISTS (SELECT 1 FROM task WHERE state='waiting'"
                                       "  AND instr(input, ?1)>0)"
                                       " OR EXISTS (SELECT 1 FROM task WHERE " IS_HELD
                                       "  AND instr(input, ?1)>0)" },

    /* Events: ?1 after this id, ?2 limit. */
    [ZT_STMT_EVENTS] = { .sql = "SELECT " EVENT_COLUMNS " FROM event e"
                                " JOIN task t ON t.seq=e.task_seq"
                                " WHERE e.id>?1 ORDER BY e.id LIMIT ?2" },
    /* ?3 key. */
    [ZT_STMT_EVENTS_KEY] = { .sql = "SELECT " EVENT_COLUMNS " FROM event e"
                                    " JOIN task t ON t.seq=e.task_seq"
                                    " WHERE e.key_id=?3 AND e.id>?1 ORDER BY e.id LIMIT ?2" },
    /* ?3 task. */
    [ZT_STMT_EVENTS_TASK] = { .sql = "SELECT " EVENT_COLUMNS " FROM task t"
                                     " JOIN event e ON e.task_seq=t.seq"
                                     " WHERE t.id=?3 AND e.id>?1 ORDER BY e.id LIMIT ?2" },
    [ZT_STMT_EVENT_SPAN] = { .sql = "SELECT f.id, max(f.id, ifnull((SELECT max(id) FROM event), 0))"
                                    " FROM event_floor f" },
    /* ?1 made before, ?2 of so many. */
    [ZT_STMT_EVENT_OLD] = { .sql = "SELECT max(id) FROM (SELECT id, at_us FROM event"
                                   " ORDER BY id LIMIT ?2) WHERE at_us<?1 HAVING count(*)>0" },
    [ZT_STMT_EVENT_FLOOR] = { .sql = "UPDATE event_floor SET id=max(id, ?1)" },
    [ZT_STMT_EVENT_FORGET] = { .sql = "DELETE FROM event WHERE id<=?1" },

    [ZT_STMT_PACES] = { .sql = "SELECT " PACE_COLUMNS " FROM pace p LIMIT ?1" },
    /* The task's own first: the history may be missing. */
    [ZT_STMT_PACE_OF_TASK] = { .sql = "SELECT t.engine, t.model, t.size, p.runs, p.inputs_us,"
                                      " p.total_us, p.spread_us, p.marks FROM task t"
                                      " LEFT JOIN pace p ON p.engine=t.engine AND p.model=t.model"
                                      "  AND p.size=t.size WHERE t.id=?1" },
    [ZT_STMT_PACE_PUT] = { .sql = "INSERT OR REPLACE INTO pace (engine, model, size, runs,"
                                  " inputs_us, total_us, spread_us, marks)"
                                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)" },
    /* ?1 name, ?2 label, ?3 bucket, ?4 to be added to the total. Triggers count the rest. */
    [ZT_STMT_STAT_ADD] = { .sql = "INSERT INTO stat (name, label, bucket, n, total)"
                                  " VALUES (?1, ?2, ?3, 1, ?4) ON CONFLICT DO UPDATE"
                                  " SET n=n+1, total=total+?4" },
    [ZT_STMT_STATS] = { .sql = "SELECT name, label, bucket, n, total FROM stat"
                               " ORDER BY name, label, bucket" },
    [ZT_STMT_OLDEST_WAITING] = { .sql = "SELECT created_us FROM task WHERE state='waiting'"
                                        " ORDER BY seq LIMIT 1" },
    [ZT_STMT_DATABASE_BYTES] = { .sql = "SELECT page_count*page_size"
                                        " FROM pragma_page_count, pragma_page_size" },
};
/* clang-format on */
