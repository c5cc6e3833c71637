/* sqlite_keys.c - API keys. See store.h. A secret is known here by its SHA-256 alone. */
#include <string.h>

#include "base/str.h"
#include "store/sqlite_db.h"
#include "store/users.h"

#define KEYS_MAX 10000 /* listed at once */

/* In the order of KEY_COLUMNS, then KEY_ACCOUNT. */
static enum zt_code read_key(struct zt_query *q, struct zt_arena *arena, struct zt_key **ret,
                             struct zt_err *err)
{
    struct zt_key *k = zt_arena_try(arena, sizeof(*k));
    struct zt_key_account *account = zt_arena_try(arena, sizeof(*account));

    if (k == NULL || account == NULL)
        return zt_fail(err, ZT_E_NOMEM, "a row of the database does not fit into memory");
    k->id = zt_query_get_int(q, 0, 1, INT64_MAX);
    k->name = zt_query_get_text(q, 1, arena);
    k->hint = zt_query_get_text(q, 2, arena);
    k->webhook_secret = zt_query_get_text(q, 3, arena);
    k->created_us = zt_query_get_int(q, 4, 0, INT64_MAX);
    k->revoked_us = zt_query_get_int(q, 5, 0, INT64_MAX);
    k->used_us = zt_query_get_int(q, 6, 0, INT64_MAX);
    ZT_TRY(zt_sqlite_read_account(q, 7, arena, account, err)); /* and checks the above, too */
    k->account = account;
    *ret = k;
    return ZT_OK;
}

static enum zt_code read_one(struct zt_query *q, struct zt_arena *arena, const char *missing,
                             struct zt_key **ret, struct zt_err *err)
{
    bool row = false;

    ZT_TRY(zt_query_row(q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "%s", missing);
    return read_key(q, arena, ret, err);
}

static enum zt_code add(struct zt_store *store, const char *name,
                        const uint8_t hash[ZT_SHA256_BYTES], const char *hint,
                        const char *webhook_secret, int64_t *ret_id, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_KEY_ADD);
    bool row = false;

    zt_query_text(&q, name);
    zt_query_blob(&q, hash, ZT_SHA256_BYTES);
    zt_query_text(&q, hint);
    zt_query_text(&q, webhook_secret);
    zt_query_int(&q, zt_sqlite_now(store));
    enum zt_code rc = zt_query_row(&q, &row, err);
    if (rc == ZT_E_CONFLICT)
        return zt_fail(err, rc, "a key named %s exists already; reset or revoke it first", name);
    if (rc != ZT_OK)
        return rc;
    int64_t id = zt_query_get_int(&q, 0, 1, INT64_MAX);
    ZT_TRY(zt_query_check(&q, err));
    ZT_TRY(zt_query_run(&q, NULL, err));
    *ret_id = id;
    return ZT_OK;
}

enum zt_code zt_store_key_add(struct zt_store *store, const char *name,
                              const uint8_t hash[ZT_SHA256_BYTES], const char *hint,
                              const char *webhook_secret, int64_t *ret_id, struct zt_err *err)
{
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, add(store, name, hash, hint, webhook_secret, ret_id, err),
                           ZT_POINT("key_add"), err);
}

enum zt_code zt_store_key_find(struct zt_store *store, struct zt_arena *arena,
                               const uint8_t hash[ZT_SHA256_BYTES], struct zt_key **ret,
                               struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_KEY_FIND);

    zt_query_blob(&q, hash, ZT_SHA256_BYTES);
    zt_query_int(&q, zt_sqlite_now(store));
    return read_one(&q, arena, "there is no such key, or it may not be used", ret, err);
}

enum zt_code zt_store_key_get(struct zt_store *store, struct zt_arena *arena, int64_t id,
                              struct zt_key **ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_KEY_GET);

    zt_query_int(&q, id);
    return read_one(&q, arena, "there is no such key", ret, err);
}

enum zt_code zt_store_key_by_name(struct zt_store *store, struct zt_arena *arena, const char *name,
                                  struct zt_key **ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_KEY_BY_NAME);

    if (!zt_utf8_valid(name, strlen(name)))
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no such key");
    zt_query_text(&q, name);
    return read_one(&q, arena, "there is no such key", ret, err);
}

enum zt_code zt_store_key_list(struct zt_store *store, struct zt_arena *arena, struct zt_key ***ret,
                               int *ret_n, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_KEY_LIST);
    struct zt_key **keys = NULL;
    int cap = 0;
    int n = 0;
    bool row = true;

    while (n < KEYS_MAX) {
        ZT_TRY(zt_query_row(&q, &row, err));
        if (!row)
            break;
        if (n == cap) {
            int wider = cap ? cap * 2 : 16;
            struct zt_key **more = zt_arena_try(arena, (size_t)wider * sizeof(struct zt_key *));
            if (more == NULL)
                return zt_fail(err, ZT_E_NOMEM, "the list of keys does not fit into memory");
            if (n > 0)
                memcpy(more, keys, (size_t)n * sizeof(struct zt_key *));
            keys = more;
            cap = wider;
        }
        ZT_TRY(read_key(&q, arena, &keys[n++], err));
    }
    *ret = keys;
    *ret_n = n;
    return ZT_OK;
}

/* Runs a change of a key that is not revoked. */
static enum zt_code change(struct zt_query *q, int64_t id, struct zt_err *err)
{
    int changes = 0;

    enum zt_code rc = zt_query_run(q, &changes, err);
    if (rc == ZT_E_CONFLICT)
        return zt_fail(err, rc, "another key has this secret");
    if (rc != ZT_OK)
        return rc;
    if (changes == 0)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no key %lld, or it is revoked",
                       (long long)id);
    return ZT_OK;
}

static enum zt_code reset(struct zt_store *store, int64_t id, const uint8_t hash[ZT_SHA256_BYTES],
                          const char *hint, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_KEY_RESET);

    zt_query_int(&q, id);
    zt_query_blob(&q, hash, ZT_SHA256_BYTES);
    zt_query_text(&q, hint);
    return change(&q, id, err);
}

enum zt_code zt_store_key_reset(struct zt_store *store, int64_t id,
                                const uint8_t hash[ZT_SHA256_BYTES], const char *hint,
                                struct zt_err *err)
{
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, reset(store, id, hash, hint, err), ZT_POINT("key_reset"), err);
}

static enum zt_code revoke(struct zt_store *store, int64_t id, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_KEY_REVOKE);

    zt_query_int(&q, id);
    zt_query_int(&q, zt_sqlite_now(store));
    return change(&q, id, err);
}

enum zt_code zt_store_key_revoke(struct zt_store *store, int64_t id, struct zt_err *err)
{
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, revoke(store, id, err), ZT_POINT("key_revoke"), err);
}
