/*
 * sqlite_backup.c - see backup.h. The copy is made in one step of SQLite's backup, under one read
 * lock: with a write-ahead log that holds up no writer, and no writer makes it start over.
 */
#include "store/backup.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/file.h"
#include "base/str.h"
#include "store/sqlite_db.h"

#define BUSY_MS      5000
#define FINDINGS_MAX 65536

static void close_db(struct sqlite3 **db)
{
    sqlite3_close(*db);
}
#define auto_db __attribute__((cleanup(close_db)))

static enum zt_code fail_copy(struct zt_err *err, struct sqlite3 *db, int rc, const char *what)
{
    enum zt_code code = (rc & 0xFF) == SQLITE_FULL      ? ZT_E_FULL
                        : (rc & 0xFF) == SQLITE_BUSY    ? ZT_E_BUSY
                        : (rc & 0xFF) == SQLITE_NOTADB  ? ZT_E_CORRUPT
                        : (rc & 0xFF) == SQLITE_CORRUPT ? ZT_E_CORRUPT
                                                        : ZT_E_IO;

    zt_fail(err, code, "%s: %s", what, sqlite3_errstr(rc));
    zt_err_detail(err, "%s (%d)", db ? sqlite3_errmsg(db) : "-", rc);
    return code;
}

static enum zt_code open_db(const char *path, struct sqlite3 **ret, struct zt_err *err)
{
    int rc = sqlite3_open_v2(path, ret, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

    if (rc != SQLITE_OK)
        return fail_copy(err, *ret, rc, "a database cannot be opened");
    sqlite3_busy_timeout(*ret, BUSY_MS);
    return ZT_OK;
}

/* All pages at once; then the copy is told to be one file, without a log beside it. */
static enum zt_code copy_pages(const char *path, const char *to, struct zt_err *err)
{
    auto_db struct sqlite3 *from_db = NULL;
    auto_db struct sqlite3 *to_db = NULL;

    ZT_TRY(open_db(path, &from_db, err));
    ZT_TRY(open_db(to, &to_db, err));
    sqlite3_backup *backup = sqlite3_backup_init(to_db, "main", from_db, "main");
    if (backup == NULL)
        return fail_copy(err, to_db, sqlite3_errcode(to_db), "the database cannot be copied");
    int rc = SQLITE_BUSY;
    for (int i = 0; i < 10 && (rc == SQLITE_BUSY || rc == SQLITE_LOCKED); i++)
        rc = zt_fault("store_copy") ? SQLITE_FULL : sqlite3_backup_step(backup, -1);
    int finished = sqlite3_backup_finish(backup);
    if (rc != SQLITE_DONE || finished != SQLITE_OK)
        return fail_copy(err, to_db, rc != SQLITE_DONE ? rc : finished,
                         "the database cannot be copied");
    rc = sqlite3_exec(to_db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    return rc == SQLITE_OK ? ZT_OK : fail_copy(err, to_db, rc, "the copy cannot be finished");
}

enum zt_code zt_store_copy(const char *path, const char *to, struct zt_err *err)
{
    char part[PATH_MAX];

    if (!zt_format(part, sizeof(part), "%s.part", to))
        return zt_fail(err, ZT_E_INVALID, "the path of a copy is too long");
    if (access(path, F_OK) != 0)
        return zt_fail_errno(err, errno, "copy the database", path);
    unlink(part);
    if (mknod(part, S_IFREG | 0600, 0) != 0)
        return zt_fail_errno(err, errno, "create the copy of the database", part);
    enum zt_code rc = copy_pages(path, part, err);
    zt_crash_point("store.copied");
    if (rc == ZT_OK)
        rc = zt_file_publish(part, to, err);
    if (rc != ZT_OK)
        unlink(part);
    return rc;
}

/* Rows of a check, as text; each callback adds its row. */
static int add_finding(void *user, int n, char **values, char **names)
{
    struct zt_buf *found = user;

    (void)names;
    const char *value = n > 0 && values[0] != NULL ? values[0] : "?";
    return zt_buf_printf(found, NULL, "%s%s", found->n > 0 ? "; " : "", value) != ZT_OK;
}

enum zt_code zt_store_verify(const char *path, struct zt_err *err)
{
    auto_db struct sqlite3 *db = NULL;
    struct zt_buf found;

    ZT_TRY(open_db(path, &db, err));
    zt_buf_init(&found, FINDINGS_MAX);
    int rc = sqlite3_exec(db, "PRAGMA integrity_check(3)", add_finding, &found, NULL);
    bool sound = rc == SQLITE_OK && found.n == 2 && memcmp(found.data, "ok", 2) == 0;
    if (sound) {
        found.n = 0;
        rc = sqlite3_exec(db, "PRAGMA foreign_key_check", add_finding, &found, NULL);
        sound = rc == SQLITE_OK && found.n == 0;
    }
    enum zt_code code = ZT_OK;
    if (rc != SQLITE_OK && rc != SQLITE_ABORT) {
        code = fail_copy(err, db, rc, "the database cannot be checked");
    } else if (!sound) {
        code = zt_fail(err, ZT_E_CORRUPT, "the database is damaged");
        zt_err_detail(err, "%s", found.n > 0 ? found.data : "?");
    }
    zt_buf_clear(&found);
    return code;
}

static int first_number(void *user, int n, char **values, char **names)
{
    int64_t number = 0;

    (void)names;
    if (n > 0 && values[0] != NULL && zt_parse_int(values[0], INT_MIN, INT_MAX, &number))
        *(int *)user = (int)number;
    return 0;
}

enum zt_code zt_store_version(const char *path, int *ret, int *ret_newest, struct zt_err *err)
{
    auto_db struct sqlite3 *db = NULL;

    if (ret_newest != NULL)
        *ret_newest = zt_sqlite_schema_version;
    if (access(path, F_OK) != 0)
        return zt_fail_errno(err, errno, "read the database", path);
    ZT_TRY(open_db(path, &db, err));
    int rc = sqlite3_exec(db, "PRAGMA user_version", first_number, ret, NULL);
    return rc == SQLITE_OK ? ZT_OK : fail_copy(err, db, rc, "the database cannot be read");
}

bool zt_store_old_name(const char *path, int version, char *dst, size_t size)
{
    return zt_format(dst, size, "%s.v%d.bak", path, version);
}
