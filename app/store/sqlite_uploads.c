/* sqlite_uploads.c - the names of uploads. See uploads.h. */
#include <inttypes.h>
#include <string.h>

#include "base/str.h"
#include "store/sqlite_db.h"
#include "store/uploads.h"

/* ---- adding -------------------------------------------------------------------------------- */

/* The row that has the name now. */
struct present {
    int64_t id; /* 0: none */
    char token[ZT_UPLOAD_TOKEN + 1];
    bool same; /* it has these bytes */
};

static enum zt_code find_present(struct zt_store *store, const struct zt_upload *upload,
                                 struct present *ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_UPLOAD_NAMED);
    struct zt_arena arena = { .limit = 4096 };
    bool row = false;

    zt_query_int(&q, upload->key_id);
    zt_query_text(&q, upload->path);
    zt_query_text(&q, upload->name);
    zt_query_text(&q, upload->sha256);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return ZT_OK;
    ret->id = zt_query_get_int(&q, 0, 1, INT64_MAX);
    ret->same = zt_query_get_int(&q, 2, 0, 1) != 0;
    const char *token = zt_query_get_text(&q, 1, &arena);
    if (!zt_format(ret->token, sizeof(ret->token), "%s", token))
        zt_query_damaged(&q, 1);
    zt_arena_clear(&arena);
    return zt_query_check(&q, err);
}

static enum zt_code check_room(struct zt_store *store, const struct zt_upload *upload,
                               int64_t max_bytes, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_UPLOAD_TOTAL);
    int64_t bytes = upload->bytes > ZT_UPLOAD_LEAST ? upload->bytes : ZT_UPLOAD_LEAST;
    int64_t total = 0;
    bool row = false;

    zt_query_int(&q, upload->key_id);
    ZT_TRY(zt_query_row(&q, &row, err));
    if (row)
        total = zt_query_get_int(&q, 0, 0, INT64_MAX / 2);
    ZT_TRY(zt_query_check(&q, err));
    if (max_bytes > 0 && total + bytes > max_bytes)
        return zt_fail(err, ZT_E_LIMIT,
                       "the uploads of this key take %" PRId64 " bytes; with this one they would"
                       " take more than the %" PRId64 " that are allowed",
                       total, max_bytes);
    return ZT_OK;
}

/* The bytes stay until the sweep; the name and the URL are free at once. */
static enum zt_code let_go(struct zt_store *store, int64_t id, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_UPLOAD_REPLACED);

    zt_query_int(&q, id);
    zt_query_int(&q, zt_sqlite_now(store));
    return zt_query_run(&q, NULL, err);
}

static enum zt_code insert(struct zt_store *store, const struct zt_upload *upload,
                           const char *token, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_UPLOAD_ADD);

    zt_query_int(&q, upload->key_id);
    zt_query_text(&q, upload->path);
    zt_query_text(&q, upload->name);
    zt_query_text(&q, token);
    zt_query_text(&q, upload->sha256);
    zt_query_text(&q, upload->type);
    zt_query_int(&q, upload->bytes);
    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_int(&q, upload->expires_us);
    return zt_query_run(&q, NULL, err);
}

static enum zt_code renew(struct zt_store *store, int64_t id, int64_t expires_us,
                          struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_UPLOAD_RENEW);

    zt_query_int(&q, id);
    zt_query_int(&q, zt_sqlite_now(store));
    zt_query_int(&q, expires_us);
    return zt_query_run(&q, NULL, err);
}

static enum zt_code add(struct zt_store *store, const struct zt_upload *upload, int64_t max_bytes,
                        char ret_token[ZT_UPLOAD_TOKEN + 1], struct zt_err *err)
{
    struct present present = { .id = 0 };

    ZT_TRY(find_present(store, upload, &present, err));
    const char *token = present.id != 0 ? present.token : upload->token;
    if (present.same) {
        ZT_TRY(renew(store, present.id, upload->expires_us, err));
    } else {
        ZT_TRY(check_room(store, upload, max_bytes, err));
        if (present.id != 0)
            ZT_TRY(let_go(store, present.id, err));
        ZT_TRY(insert(store, upload, token, err));
    }
    zt_assert(zt_format(ret_token, ZT_UPLOAD_TOKEN + 1, "%s", token));
    return ZT_OK;
}

enum zt_code zt_store_upload_add(struct zt_store *store, const struct zt_upload *upload,
                                 int64_t max_bytes, char ret_token[ZT_UPLOAD_TOKEN + 1],
                                 struct zt_err *err)
{
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, add(store, upload, max_bytes, ret_token, err),
                           ZT_POINT("upload_add"), err);
}

/* ---- finding ------------------------------------------------------------------------------- */

enum zt_code zt_store_upload_find(struct zt_store *store, struct zt_arena *arena, const char *token,
                                  struct zt_upload **ret, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_UPLOAD_FIND);
    struct zt_upload *u = zt_arena_try(arena, sizeof(*u));
    bool row = false;

    if (u == NULL)
        return zt_fail(err, ZT_E_NOMEM, "a row of the database does not fit into memory");
    zt_query_text(&q, token);
    zt_query_int(&q, zt_sqlite_now(store));
    ZT_TRY(zt_query_row(&q, &row, err));
    if (!row)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is no such upload, or it has expired");
    u->key_id = zt_query_get_int(&q, 0, 0, INT64_MAX);
    u->path = zt_query_get_text(&q, 1, arena);
    u->name = zt_query_get_text(&q, 2, arena);
    u->token = zt_query_get_text(&q, 3, arena);
    u->sha256 = zt_query_get_text(&q, 4, arena);
    u->type = zt_query_get_text(&q, 5, arena);
    u->bytes = zt_query_get_int(&q, 6, 0, INT64_MAX);
    u->created_us = zt_query_get_int(&q, 7, 0, INT64_MAX);
    u->expires_us = zt_query_get_int(&q, 8, 0, INT64_MAX);
    if (strspn(u->sha256, "0123456789abcdef") != 2 * ZT_SHA256_BYTES ||
        u->sha256[2 * ZT_SHA256_BYTES] != '\0') /* it becomes the name of a file */
        zt_query_damaged(&q, 4);
    ZT_TRY(zt_query_check(&q, err));
    *ret = u;
    return ZT_OK;
}

/* ---- retention ----------------------------------------------------------------------------- */

static enum zt_code forget(struct zt_store *store, struct zt_arena *arena, int limit,
                           const char ***ret, int *ret_n, struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_UPLOADS_FORGET);
    const char **list = zt_arena_try(arena, (size_t)limit * sizeof(*list));
    int n = 0;
    bool row = true;

    if (list == NULL)
        return zt_fail(err, ZT_E_NOMEM, "a list of uploads does not fit into memory");
    zt_query_int(&q, zt_sqlite_now(store) - ZT_UPLOAD_SETTLE_US);
    zt_query_int(&q, limit);
    for (;;) {
        ZT_TRY(zt_query_row(&q, &row, err));
        if (!row)
            break;
        zt_assert(n < limit);
        list[n++] = zt_query_get_text(&q, 0, arena);
        ZT_TRY(zt_query_check(&q, err));
    }
    *ret = list;
    *ret_n = n;
    return ZT_OK;
}

enum zt_code zt_store_uploads_forget(struct zt_store *store, struct zt_arena *arena, int limit,
                                     const char ***ret, int *ret_n, struct zt_err *err)
{
    ZT_TRY(zt_sqlite_enter(store, err));
    return zt_sqlite_leave(store, forget(store, arena, limit, ret, ret_n, err),
                           ZT_POINT("uploads_forget"), err);
}

enum zt_code zt_store_upload_wanted(struct zt_store *store, const char *sha256, bool *ret,
                                    struct zt_err *err)
{
    zt_auto_query struct zt_query q = zt_query_open(store, ZT_STMT_UPLOAD_WANTED);
    bool row = false;

    zt_query_text(&q, sha256);
    ZT_TRY(zt_query_row(&q, &row, err));
    *ret = !row || zt_query_get_int(&q, 0, 0, 1) != 0;
    return zt_query_check(&q, err);
}
