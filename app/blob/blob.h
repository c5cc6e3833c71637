/*
 * blob.h - the files of results and inputs, by name, in one folder.
 *
 * A name is made by us, never by a request: [a-z0-9._-], no leading dot, at most 128 bytes, one
 * folder deep at most ("media/x.mp4", "input/<sha256>"); zt_assert guards it. A blob appears whole
 * or not at all, and is on disk when put returns. Any thread; no state but the folder.
 */
#ifndef ZT_BLOB_BLOB_H
#define ZT_BLOB_BLOB_H

#include "base/buf.h"

struct zt_blobs;

/* Whether a name is one of the kind described above; the functions below assert it. */
bool zt_blob_name_ok(const char *name);

/* Makes the folder and its parts ("media", "input", "upload", "tmp") if needed; tmp is emptied of
 * files older than a day. */
enum zt_code zt_blobs_open(const char *folder, struct zt_blobs **ret, struct zt_err *err);
void zt_blobs_close(struct zt_blobs *blobs);

/* A path in tmp for writing a file that zt_blobs_publish will take; the name is unique. */
enum zt_code zt_blobs_tmp(struct zt_blobs *blobs, const char *suffix, char *dst, size_t size,
                          struct zt_err *err);

/* Syncs the file at path (from zt_blobs_tmp) and moves it to `name`, replacing one there. */
enum zt_code zt_blobs_publish(struct zt_blobs *blobs, const char *path, const char *name,
                              struct zt_err *err);

/* Writes bytes under `name`; an existing blob of that name is replaced. */
enum zt_code zt_blobs_put(struct zt_blobs *blobs, const char *name, const void *bytes, size_t n,
                          struct zt_err *err);

/* Appends the blob to buf. ZT_E_NOT_FOUND; ZT_E_LIMIT past buf's limit. */
enum zt_code zt_blobs_get(struct zt_blobs *blobs, const char *name, struct zt_buf *buf,
                          struct zt_err *err);

struct zt_blob_info {
    int64_t bytes;
    int64_t modified_us;
};

/*
 * An open descriptor for reading; the caller closes it. ret may be NULL. ZT_E_NOT_FOUND;
 * ZT_E_CORRUPT: what has the name is a link, a pipe or a folder.
 */
enum zt_code zt_blobs_open_fd(struct zt_blobs *blobs, const char *name, int *ret_fd,
                              struct zt_blob_info *ret, struct zt_err *err);

/* A missing one is fine. */
enum zt_code zt_blobs_remove(struct zt_blobs *blobs, const char *name, struct zt_err *err);

/* Calls fn for every blob of a part ("media"); fn returns false to stop. */
typedef bool zt_blob_fn(void *user, const char *name, const struct zt_blob_info *info);
enum zt_code zt_blobs_each(struct zt_blobs *blobs, const char *part, zt_blob_fn *fn, void *user,
                           struct zt_err *err);

#endif
