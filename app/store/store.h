/*
 * store.h - what survives a crash: tasks, keys, and the names of files; callbacks that are owed are
 * in deliveries.h.
 *
 * A handle belongs to one thread. Every call is one transaction: it happened and is on disk
 * (SQLite WAL with synchronous=FULL), or it did not happen. Between zt_store_begin and
 * zt_store_commit, calls are savepoints of one shared transaction: that is how group commit puts
 * many of them behind one fsync (batch.h). Times are microseconds UTC from the clock given at open.
 *
 * Every call can also return ZT_E_BUSY (another process held the database past busy_us), ZT_E_IO,
 * ZT_E_FULL and ZT_E_CORRUPT; only further codes are named below. Strings returned live in `arena`.
 */
#ifndef ZT_STORE_STORE_H
#define ZT_STORE_STORE_H

#include "base/arena.h"
#include "base/clock.h"
#include "store/task.h"

struct zt_store;
struct zt_pace_run;
struct zt_store_meter;
struct zt_key_account;

#define ZT_SHA256_BYTES 32

struct zt_store_options {
    const char *path;             /* of the database file; its folder exists */
    bool read_only;               /* many such handles beside one writer */
    int64_t busy_us;              /* how long to wait for a lock; 0: 5 s */
    const struct zt_clock *clock; /* NULL: the system's; kept */
    struct zt_store_meter *meter; /* how commits go (stats.h); NULL: nobody asks; kept */
};

/*
 * Opens, and creates or upgrades the schema unless read_only.
 *   ZT_E_UNSUPPORTED  a newer schema; or an older one, and read_only
 *   ZT_E_CORRUPT      not a database, damaged, or another program's
 *   ZT_E_NOT_FOUND    no such folder; no such file, and read_only
 *   ZT_E_DENIED       the file may not be opened; later, a write through a read_only handle
 */
enum zt_code zt_store_open(const struct zt_store_options *options, struct zt_store **ret,
                           struct zt_err *err);
void zt_store_close(struct zt_store *store);

/* One transaction around several calls; see the top. */
enum zt_code zt_store_begin(struct zt_store *store, struct zt_err *err);
enum zt_code zt_store_commit(struct zt_store *store,
                             struct zt_err *err); /* rolls back on failure */
void zt_store_rollback(struct zt_store *store);

/* ---- tasks --------------------------------------------------------------------------------- */

/*
 * Adds a waiting task from id, key_id, model, size, param, input, callback_url, credit_milli; the
 * rest is ignored. Whether the key's user can pay is asked by zt_store_task_offer alone (offer.h).
 * ZT_E_CONFLICT: the id exists.
 */
enum zt_code zt_store_task_add(struct zt_store *store, const struct zt_task *task,
                               struct zt_err *err);

/* key_id 0: whoever's it is (for operators). ZT_E_NOT_FOUND, the same for another key's task. */
enum zt_code zt_store_task_get(struct zt_store *store, struct zt_arena *arena, const char *id,
                               int64_t key_id, struct zt_task **ret, struct zt_err *err);

/* By the token of its files. ZT_E_NOT_FOUND: no such token, or expired. */
enum zt_code zt_store_task_by_token(struct zt_store *store, struct zt_arena *arena,
                                    const char *token, struct zt_task **ret, struct zt_err *err);

/*
 * All that a client's poll asks, in one look at one moment: whose secret it is, by its hash, and
 * that key's task `id`. Of the task, what only a worker or an operator needs stays 0 and "" (input,
 * callback_url, attempt, worker, lease_us, files_expire_us, file_bytes, files_removed). ZT_OK also
 * when there is no such key or task. Not between zt_store_begin and zt_store_commit.
 */
struct zt_view {
    int64_t key_id;       /* 0: no such key, or revoked, or expired */
    const char *allow_ip; /* of the key: networks it may come from; "": all */
    struct zt_task *task; /* NULL: none, or another key's */
    int64_t position; /* waiting tasks that are claimed before it; 0 when it is not waiting. Exact
                             below 100, an upper bound from there on: the cost of a poll must not
                             grow with the queue. */
};
enum zt_code zt_store_view(struct zt_store *store, struct zt_arena *arena,
                           const uint8_t key_hash[ZT_SHA256_BYTES], const char *id,
                           struct zt_view *ret, struct zt_err *err);

/*
 * Of all keys, newest first, for sweeping through them; list.h has pages for people. state < 0:
 * all. before_id NULL: from the newest. *ret: an array.
 */
enum zt_code zt_store_task_list(struct zt_store *store, struct zt_arena *arena, int state,
                                const char *before_id, int limit, struct zt_task ***ret, int *ret_n,
                                struct zt_err *err);

/* How many tasks are in each state; ret has ZT_TASK_STATES members. */
enum zt_code zt_store_task_counts(struct zt_store *store, int64_t *ret, struct zt_err *err);

/*
 * What a worker holds: every statement below names it in its WHERE, so a worker that lost its
 * lease changes nothing and gets ZT_E_CONFLICT.
 */
struct zt_lease {
    const char *task_id;
    const char *worker;
    int attempt;
};

/*
 * Leases a waiting task for lease_us: WAITING -> QUEUING. Keys take turns: it is the oldest one of
 * the key that was served longest ago. ZT_E_NOT_FOUND: none waits.
 */
enum zt_code zt_store_claim(struct zt_store *store, struct zt_arena *arena, const char *worker,
                            int64_t lease_us, struct zt_task **ret, struct zt_err *err);

/* QUEUING -> GENERATING by the named engine. */
enum zt_code zt_store_start(struct zt_store *store, const struct zt_lease *lease,
                            const char *engine, struct zt_err *err);

/* Extends the lease to now + lease_us and records progress (stage NULL: only the lease). */
enum zt_code zt_store_renew(struct zt_store *store, const struct zt_lease *lease, int64_t lease_us,
                            const struct zt_progress *progress, struct zt_err *err);

/*
 * There is something new to watch of a task that is GENERATING, at an address with this token; it
 * ends with the lease.
 */
enum zt_code zt_store_preview(struct zt_store *store, const struct zt_lease *lease,
                              const char *token, struct zt_err *err);

struct zt_result {
    const char *result; /* JSON object */
    const char *file_token;
    int64_t files_expire_us;
    int64_t file_bytes;
    const struct zt_pace_run *run; /* what estimates learn from (pace.h); NULL: nothing */
};

/*
 * GENERATING -> SUCCESS, and the callback row if the task has a callback URL, in one transaction.
 * *ret_callback (may be NULL): whether a delivery is due now.
 */
enum zt_code zt_store_succeed(struct zt_store *store, const struct zt_lease *lease,
                              const struct zt_result *result, bool *ret_callback,
                              struct zt_err *err);

/* QUEUING or GENERATING -> FAIL, with the callback row. */
enum zt_code zt_store_fail(struct zt_store *store, const struct zt_lease *lease,
                           const char *fail_code, const char *fail_msg, bool *ret_callback,
                           struct zt_err *err);

/*
 * Gives a task back unharmed: QUEUING or GENERATING -> WAITING. count_attempt false takes this
 * attempt back, as for a worker that was told to stop; true leaves it counted, and fails the task
 * ("501", with reason) when it was the last. Otherwise reason is for the caller's log alone. The
 * worker sends nothing more for this lease.
 */
enum zt_code zt_store_put_back(struct zt_store *store, const struct zt_lease *lease,
                               bool count_attempt, const char *reason, bool *ret_callback,
                               struct zt_err *err);

/*
 * Tasks whose lease ran out: back to WAITING, or FAIL ("501", naming the worker's death and the
 * number of attempts) after ZT_TASK_MAX_ATTEMPTS. Counts of both through ret (may be NULL).
 */
enum zt_code zt_store_reap(struct zt_store *store, int *ret_requeued, int *ret_failed,
                           struct zt_err *err);

/* A worker process is known to be dead: reaps its leases at once, without waiting for them. */
enum zt_code zt_store_reap_worker(struct zt_store *store, const char *worker, const char *reason,
                                  int *ret_requeued, int *ret_failed, struct zt_err *err);

/* ---- keys ---------------------------------------------------------------------------------- */

struct zt_key {
    int64_t id;
    const char *name;
    const char *hint;           /* first characters of the secret, for recognising it */
    const char *webhook_secret; /* "whsec_..." */
    int64_t created_us, revoked_us;
    int64_t used_us; /* its last task, to the minute: written by zt_store_task_add */
    const struct zt_key_account *account; /* whose it is and what it may do: users.h */
};

/* ZT_E_CONFLICT: the name is taken by a key that is not revoked, or the secret is in use. */
enum zt_code zt_store_key_add(struct zt_store *store, const char *name,
                              const uint8_t hash[ZT_SHA256_BYTES], const char *hint,
                              const char *webhook_secret, int64_t *ret_id, struct zt_err *err);

/* A key that may be used, by the hash of its secret. ZT_E_NOT_FOUND: none, revoked or expired. */
enum zt_code zt_store_key_find(struct zt_store *store, struct zt_arena *arena,
                               const uint8_t hash[ZT_SHA256_BYTES], struct zt_key **ret,
                               struct zt_err *err);
enum zt_code zt_store_key_get(struct zt_store *store, struct zt_arena *arena, int64_t id,
                              struct zt_key **ret, struct zt_err *err);
/* The key in use of that name, else the newest revoked one. ZT_E_NOT_FOUND. */
enum zt_code zt_store_key_by_name(struct zt_store *store, struct zt_arena *arena, const char *name,
                                  struct zt_key **ret, struct zt_err *err);
enum zt_code zt_store_key_list(struct zt_store *store, struct zt_arena *arena, struct zt_key ***ret,
                               int *ret_n, struct zt_err *err);

/*
 * A new secret for the same key: tasks and name stay, the old secret ends now. ZT_E_NOT_FOUND: no
 * such key, or revoked; so for revoke. ZT_E_CONFLICT: the secret is in use.
 */
enum zt_code zt_store_key_reset(struct zt_store *store, int64_t id,
                                const uint8_t hash[ZT_SHA256_BYTES], const char *hint,
                                struct zt_err *err);
enum zt_code zt_store_key_revoke(struct zt_store *store, int64_t id, struct zt_err *err);

/* ---- retention ----------------------------------------------------------------------------- */

/*
 * Finished tasks whose files may go: expired ones, and beyond that the oldest finished ones while
 * all files together exceed max_bytes (0: no such limit), never one younger than keep_us unless it
 * expired. At most limit ids. The caller removes the files, then calls files_gone, which empties
 * the token (ZT_E_NOT_FOUND: no such finished task).
 */
enum zt_code zt_store_files_due(struct zt_store *store, struct zt_arena *arena, int64_t max_bytes,
                                int64_t keep_us, int limit, const char ***ret, int *ret_n,
                                struct zt_err *err);
enum zt_code zt_store_files_gone(struct zt_store *store, const char *task_id, struct zt_err *err);

/*
 * Forgets finished tasks (with their deliveries) completed before `before_us` whose files are gone
 * and whose callback is not pending; at most limit. ret_n may be NULL.
 */
enum zt_code zt_store_forget(struct zt_store *store, int64_t before_us, int limit, int *ret_n,
                             struct zt_err *err);

#endif
