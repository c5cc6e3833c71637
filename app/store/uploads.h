/*
 * uploads.h - the names of files that clients sent: who sent them, where they are, until when.
 *
 * The bytes are blobs named by their SHA-256, however many names there are for them. A name is kept
 * for SETTLE_US past its end, so that a task that was just made from it finds the bytes.
 */
#ifndef ZT_STORE_UPLOADS_H
#define ZT_STORE_UPLOADS_H

#include "store/store.h"

#define ZT_UPLOAD_LEAST     4096 /* what an upload counts as at least, in bytes */
#define ZT_UPLOAD_SETTLE_US (2 * ZT_MINUTE_US)
#define ZT_UPLOAD_TOKEN     64 /* characters of a token */

struct zt_upload {
    int64_t key_id;
    const char *path, *name; /* as the client calls it; one of each pair a key */
    const char *token;       /* the unguessable part of its URL */
    const char *sha256;      /* of the bytes, in lower-case hexadecimal */
    const char *type;        /* the media type, by content */
    int64_t bytes;
    int64_t created_us, expires_us;
};

/*
 * Records an upload whose bytes are on disk. Another of the same key, path and name is replaced:
 * its URL leads to the new bytes from now on. upload->token is used for a new name only; *ret_token
 * (ZT_UPLOAD_TOKEN + 1 bytes) gets the one that counts. created_us is ignored.
 *   ZT_E_LIMIT  the key's uploads, each counted as ZT_UPLOAD_LEAST bytes at least, and those that
 *               were replaced in the last minutes, would take more than max_bytes (0: no limit)
 */
enum zt_code zt_store_upload_add(struct zt_store *store, const struct zt_upload *upload,
                                 int64_t max_bytes, char ret_token[ZT_UPLOAD_TOKEN + 1],
                                 struct zt_err *err);

/* By the token of its URL, whoever sent it. ZT_E_NOT_FOUND: no such token, or expired. */
enum zt_code zt_store_upload_find(struct zt_store *store, struct zt_arena *arena, const char *token,
                                  struct zt_upload **ret, struct zt_err *err);

/*
 * Forgets names whose time has been over for ZT_UPLOAD_SETTLE_US, at most limit. *ret: the SHA-256
 * of each, for removing the bytes that nobody wants any more.
 */
enum zt_code zt_store_uploads_forget(struct zt_store *store, struct zt_arena *arena, int limit,
                                     const char ***ret, int *ret_n, struct zt_err *err);

/*
 * Whether a name leads to these bytes, or an unfinished task was made from them. To remove bytes
 * that are not wanted, ask and remove between zt_store_begin and zt_store_commit: nobody can add a
 * name meanwhile.
 */
enum zt_code zt_store_upload_wanted(struct zt_store *store, const char *sha256, bool *ret,
                                    struct zt_err *err);

#endif
