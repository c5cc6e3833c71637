/*
 * backup.h - a copy of a data folder that is in use, and a data folder made from such a copy.
 *
 * A backup is a folder laid out as a data folder: zoetrope.db, as it was at one moment, and every
 * file that it refers to. Files are hard links where the file system allows, else copies: they are
 * never changed once they have their names.
 */
#ifndef ZT_SERVICE_BACKUP_H
#define ZT_SERVICE_BACKUP_H

#include "base/error.h"

struct zt_backup_report {
    int64_t tasks; /* in the database */
    int64_t linked, copied, copied_bytes;
    int64_t missing; /* tasks whose result was gone from the source; the copy says so, too */
};

/*
 * Copies `data`, whoever uses it, into the new folder `to`, which appears whole, checked and on
 * disk, or not at all.
 *   ZT_E_NOT_FOUND    there is no data folder
 *   ZT_E_CONFLICT     `to` exists
 *   ZT_E_UNSUPPORTED  the database has an older schema: start the server once
 *   ZT_E_FULL, ZT_E_IO, ZT_E_CORRUPT
 */
enum zt_code zt_backup_make(const char *data, const char *to, struct zt_backup_report *ret,
                            struct zt_err *err);

/*
 * Makes the data folder `data` from the backup `from`. A crash on the way leaves what was there, or
 * the same command finishes it. With force, a database that is there is kept as zoetrope.db.before.
 *   ZT_E_NOT_FOUND    `from` is no backup
 *   ZT_E_CONFLICT     `data` has a database, and not force
 *   ZT_E_BUSY         a server runs on `data`
 *   ZT_E_UNSUPPORTED  the backup was made by a newer program
 *   ZT_E_CORRUPT      the backup is damaged
 */
enum zt_code zt_backup_restore(const char *from, const char *data, bool force,
                               struct zt_backup_report *ret, struct zt_err *err);

#endif
