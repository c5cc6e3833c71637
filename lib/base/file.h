/*
 * file.h - reading whole files, and publishing a file so that it is all there or not at all.
 */
#ifndef ZT_BASE_FILE_H
#define ZT_BASE_FILE_H

#include "base/buf.h"

/* Appends the whole file to buf. ZT_E_LIMIT past buf's limit, ZT_E_NOT_FOUND, ZT_E_IO. */
enum zt_code zt_file_read(const char *path, struct zt_buf *buf, struct zt_err *err);

/* Writes, syncs and renames into place, then syncs the folder. mode e.g. 0600. */
enum zt_code zt_file_write(const char *path, const void *bytes, size_t n, unsigned mode,
                           struct zt_err *err);

/*
 * The last steps for a file written elsewhere in the same file system: fsync(from), rename to
 * `to`, fsync the folder of `to`.
 */
enum zt_code zt_file_publish(const char *from, const char *to, struct zt_err *err);

/* Makes the folder and those above it; an existing one is fine. */
enum zt_code zt_make_dirs(const char *path, unsigned mode, struct zt_err *err);

/* Removes a folder and what is in it (for temporary folders of ours). */
enum zt_code zt_remove_tree(const char *path, struct zt_err *err);

#endif
