/*
 * retain_uploads.c - see retain_uploads.h.
 *
 * Names go first. Whoever dies after that leaves bytes without a name, which a thorough sweep
 * finds. Bytes are removed inside a write transaction in which nobody can add a name; an upload
 * that has put its bytes but not yet its name is protected by their age, and looks for them once
 * more after the name (upload.c).
 */
#include "service/retain_uploads.h"

#include <string.h>

#include "api/api.h"
#include "base/clock.h"
#include "base/log.h"
#include "store/uploads.h"

#define BATCH    100
#define YOUNG_US (10 * ZT_MINUTE_US) /* bytes this new may be waiting for their name */

static enum zt_code sweep_one(struct zt_store *store, struct zt_blobs *blobs, const char *sha256,
                              int *ret_removed, struct zt_err *err)
{
    bool removed = false;

    ZT_TRY(zt_upload_drop(store, blobs, sha256, &removed, err));
    *ret_removed += removed;
    return ZT_OK;
}

static enum zt_code sweep_names(struct zt_store *store, struct zt_blobs *blobs,
                                struct zt_arena *arena, int *ret_removed, struct zt_err *err)
{
    for (;;) {
        const char **list = NULL;
        int n = 0;
        zt_arena_reset(arena);
        ZT_TRY(zt_store_uploads_forget(store, arena, BATCH, &list, &n, err));
        for (int i = 0; i < n; i++)
            ZT_TRY(sweep_one(store, blobs, list[i], ret_removed, err));
        if (n > 0)
            ZT_LOG(INFO, "uploads_forgotten", "uploads=%d", n);
        if (n < BATCH)
            return ZT_OK;
    }
}

/* ---- bytes without a name ------------------------------------------------------------------- */

struct listing {
    struct zt_arena *arena;
    const char **names;
    size_t n, cap;
    int64_t before_us;
};

static bool collect(void *user, const char *name, const struct zt_blob_info *info)
{
    struct listing *l = user;

    if (info->modified_us >= l->before_us)
        return true;
    if (l->n == l->cap) {
        size_t wider = l->cap ? 2 * l->cap : 256;
        const char **more = zt_arena_try(l->arena, wider * sizeof(*more));
        if (more == NULL)
            return false; /* the rest is for the next sweep */
        if (l->n > 0)
            memcpy(more, l->names, l->n * sizeof(*more));
        l->names = more;
        l->cap = wider;
    }
    const char *copy = zt_arena_strdup(l->arena, strchr(name, '/') + 1);
    if (copy != NULL)
        l->names[l->n++] = copy;
    return copy != NULL;
}

static enum zt_code sweep_files(struct zt_store *store, struct zt_blobs *blobs,
                                struct zt_arena *arena, int *ret_removed, struct zt_err *err)
{
    struct listing l = { .arena = arena, .before_us = zt_now_utc_us() - YOUNG_US };
    bool wanted = true;

    zt_arena_reset(arena);
    ZT_TRY(zt_blobs_each(blobs, "upload", collect, &l, err));
    for (size_t i = 0; i < l.n; i++) {
        ZT_TRY(zt_store_upload_wanted(store, l.names[i], &wanted, err)); /* most are */
        if (!wanted)
            ZT_TRY(sweep_one(store, blobs, l.names[i], ret_removed, err));
    }
    return ZT_OK;
}

enum zt_code zt_retain_uploads(struct zt_store *store, struct zt_blobs *blobs, bool thorough,
                               int *ret_removed, struct zt_err *err)
{
    struct zt_arena arena = { 0 };

    enum zt_code rc = sweep_names(store, blobs, &arena, ret_removed, err);
    if (rc == ZT_OK && thorough)
        rc = sweep_files(store, blobs, &arena, ret_removed, err);
    zt_arena_clear(&arena);
    return rc;
}
