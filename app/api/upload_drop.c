/* upload_drop.c - removing the bytes of an upload. See zt_upload_drop in api.h. */
#include "api/api.h"
#include "base/str.h"
#include "store/uploads.h"

#define BLOB_MAX 128

/* With the write lock held. */
static enum zt_code drop(struct zt_store *store, struct zt_blobs *blobs, const char *sha256,
                         const char *blob, bool *ret_removed, struct zt_err *err)
{
    bool wanted = true;

    ZT_TRY(zt_store_upload_wanted(store, sha256, &wanted, err));
    if (!wanted)
        ZT_TRY(zt_blobs_remove(blobs, blob, err));
    *ret_removed = !wanted;
    return ZT_OK;
}

enum zt_code zt_upload_drop(struct zt_store *store, struct zt_blobs *blobs, const char *sha256,
                            bool *ret_removed, struct zt_err *err)
{
    char blob[BLOB_MAX];

    *ret_removed = false;
    if (!zt_format(blob, sizeof(blob), "upload/%s", sha256) || !zt_blob_name_ok(blob))
        return ZT_OK; /* a damaged row named it: there is no such file */
    ZT_TRY(zt_store_begin(store, err));
    enum zt_code rc = drop(store, blobs, sha256, blob, ret_removed, err);
    if (rc == ZT_OK)
        return zt_store_commit(store, err);
    zt_store_rollback(store);
    return rc;
}
