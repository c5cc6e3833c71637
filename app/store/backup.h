/*
 * backup.h - a copy of a database that is in use, and whether a database is sound.
 */
#ifndef ZT_STORE_BACKUP_H
#define ZT_STORE_BACKUP_H

#include "store/store.h"

/*
 * Copies the database at `path` as it is at one moment, whoever writes to it meanwhile, into the
 * single file `to`, which is replaced: it appears whole, on disk, mode 0600, or not at all. Any
 * schema version. No handle of this process may be open on `to`.
 */
enum zt_code zt_store_copy(const char *path, const char *to, struct zt_err *err);

/*
 * Reads all of the database and checks its structure, its indexes and its references. Takes as long
 * as reading the file. Any schema version. ZT_E_CORRUPT: detail has the first thing that is wrong.
 */
enum zt_code zt_store_verify(const char *path, struct zt_err *err);

/*
 * The schema version of the file, without opening it as a store: 0 for an empty one. The errors of
 * zt_store_open. *ret_newest (may be NULL): the version that this program has.
 */
enum zt_code zt_store_version(const char *path, int *ret, int *ret_newest, struct zt_err *err);

/*
 * The name of the copy that an upgrade from `version` leaves beside the database: "<path>.v1.bak".
 * False when it does not fit.
 */
bool zt_store_old_name(const char *path, int version, char *dst, size_t size);

#endif
