/*
 * backup.c - see backup.h.
 *
 * Files are taken before and after the database. What was there before, retention may remove while
 * the database is being copied; what came meanwhile is taken after. So every file that the copy
 * names was taken, unless it was gone already, and then the copy is told.
 */
#include "service/backup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/auto.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/str.h"
#include "service/data.h"
#include "service/handles.h"
#include "store/backup.h"

#define PAGE    100
#define MARKER  "restoring"
#define CHUNK   ((size_t)1 << 20)
#define TMP_DIR "tmp"

static void close_dir(DIR **dir)
{
    if (*dir != NULL)
        closedir(*dir);
}
#define auto_dir __attribute__((cleanup(close_dir)))

/* ---- files --------------------------------------------------------------------------------- */

static enum zt_code copy_bytes(int from, int to, const char *path, int64_t *ret, struct zt_err *err)
{
    zt_auto_free char *chunk = malloc(CHUNK);
    ssize_t n = 1;

    if (chunk == NULL)
        return zt_fail(err, ZT_E_NOMEM, "not enough memory to copy a file");
    while (n > 0) {
        n = read(from, chunk, CHUNK);
        for (ssize_t done = 0, more; done < n; done += more) {
            more = zt_fault("backup_write") ? -1 : write(to, chunk + done, (size_t)(n - done));
            if (more < 0)
                return zt_fail_errno(err, errno, "write the copy of a file", path);
        }
        *ret += n > 0 ? n : 0;
    }
    if (n < 0)
        return zt_fail_errno(err, errno, "read a file", path);
    if (fsync(to) != 0)
        return zt_fail_errno(err, errno, "sync the copy of a file", path);
    return ZT_OK;
}

static enum zt_code copy_file(const char *from, const char *to, struct zt_backup_report *report,
                              struct zt_err *err)
{
    char part[PATH_MAX];
    zt_auto_fd int from_fd = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (from_fd < 0 && errno == ENOENT)
        return ZT_OK; /* retention was faster */
    if (from_fd < 0)
        return zt_fail_errno(err, errno, "open file", from);
    if (!zt_format(part, sizeof(part), "%s.part", to))
        return zt_fail(err, ZT_E_INVALID, "the path of a copy is too long");
    zt_auto_fd int to_fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (to_fd < 0)
        return zt_fail_errno(err, errno, "create file", part);
    enum zt_code rc = copy_bytes(from_fd, to_fd, to, &report->copied_bytes, err);
    if (rc == ZT_OK && rename(part, to) != 0)
        rc = zt_fail_errno(err, errno, "rename file", to);
    if (rc != ZT_OK)
        unlink(part);
    report->copied += rc == ZT_OK;
    return rc;
}

/* A name that is there already is the same file: a blob's name is never used for other bytes. */
static enum zt_code take_file(const char *from, const char *to, struct zt_backup_report *report,
                              struct zt_err *err)
{
    if (link(from, to) == 0) {
        report->linked++;
        return ZT_OK;
    }
    if (errno == EEXIST || errno == ENOENT)
        return ZT_OK;
    return copy_file(from, to, report, err);
}

static enum zt_code sync_folder(const char *path, struct zt_err *err)
{
    zt_auto_fd int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || fsync(fd) != 0)
        return zt_fail_errno(err, errno, "sync folder", path);
    return ZT_OK;
}

static bool is_plain(const char *path, mode_t kind)
{
    struct stat st;

    return lstat(path, &st) == 0 && (st.st_mode & S_IFMT) == kind;
}

/* Every file of one part ("media") that is not in `to` yet. */
static enum zt_code take_part(const char *from, const char *to, struct zt_backup_report *report,
                              struct zt_err *err)
{
    auto_dir DIR *dir = opendir(from);

    if (dir == NULL)
        return zt_fail_errno(err, errno, "read folder", from);
    ZT_TRY(zt_make_dirs(to, 0700, err));
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char from_path[PATH_MAX], to_path[PATH_MAX];
        if (e->d_name[0] == '.')
            continue;
        if (!zt_format(from_path, sizeof(from_path), "%s/%s", from, e->d_name) ||
            !zt_format(to_path, sizeof(to_path), "%s/%s", to, e->d_name))
            return zt_fail(err, ZT_E_INVALID, "the path of a file is too long");
        if (is_plain(from_path, S_IFREG) && access(to_path, F_OK) != 0)
            ZT_TRY(take_file(from_path, to_path, report, err));
    }
    return sync_folder(to, err);
}

/* Every part but the one of half-written files. */
static enum zt_code take_files(const char *from, const char *to, struct zt_backup_report *report,
                               struct zt_err *err)
{
    ZT_TRY(zt_make_dirs(to, 0700, err));
    auto_dir DIR *dir = opendir(from);

    if (dir == NULL && errno == ENOENT)
        return ZT_OK; /* keys were made, nothing ever served */
    if (dir == NULL)
        return zt_fail_errno(err, errno, "read folder", from);
    for (const struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
        char from_path[PATH_MAX], to_path[PATH_MAX];
        if (e->d_name[0] == '.' || strcmp(e->d_name, TMP_DIR) == 0)
            continue;
        if (!zt_format(from_path, sizeof(from_path), "%s/%s", from, e->d_name) ||
            !zt_format(to_path, sizeof(to_path), "%s/%s", to, e->d_name))
            return zt_fail(err, ZT_E_INVALID, "the path of a folder is too long");
        if (is_plain(from_path, S_IFDIR))
            ZT_TRY(take_part(from_path, to_path, report, err));
    }
    return sync_folder(to, err);
}

/* ---- checking ------------------------------------------------------------------------------ */

static bool has_files(const struct zt_data *data, const struct zt_task *task,
                      struct zt_arena *arena)
{
    const char *files[3];
    char path[PATH_MAX];
    int n = *task->result ? zt_i2v_result_files(task->result, arena, files) : 0;

    for (int i = 0; i < n; i++) {
        if (!zt_format(path, sizeof(path), "%s/%s", data->files, files[i]) ||
            access(path, F_OK) != 0)
            return false;
    }
    return true;
}

/* Looks for the files of every result; a task without is told that they are gone. */
static enum zt_code check_page(const struct zt_data *data, struct zt_store *store,
                               struct zt_arena *arena, char before[ZT_TASK_ID_MAX + 1], int *ret_n,
                               struct zt_backup_report *report, struct zt_err *err)
{
    struct zt_task **tasks = NULL;

    zt_arena_reset(arena);
    ZT_TRY(zt_store_task_list(store, arena, ZT_TASK_SUCCESS, *before ? before : NULL, PAGE, &tasks,
                              ret_n, err));
    for (int i = 0; i < *ret_n; i++) {
        if (!tasks[i]->files_removed && !has_files(data, tasks[i], arena)) {
            ZT_TRY(zt_store_files_gone(store, tasks[i]->id, err));
            report->missing++;
        }
    }
    if (*ret_n > 0)
        zt_assert(zt_format(before, ZT_TASK_ID_MAX + 1, "%s", tasks[*ret_n - 1]->id));
    return ZT_OK;
}

static enum zt_code check_results(const struct zt_data *data, struct zt_backup_report *report,
                                  struct zt_err *err)
{
    zt_auto(store) struct zt_store *store = NULL;
    const struct zt_store_options options = { .path = data->store };
    int64_t counts[ZT_TASK_STATES] = { 0 };
    struct zt_arena arena = { 0 };
    char before[ZT_TASK_ID_MAX + 1] = "";

    ZT_TRY(zt_store_verify(data->store, err));
    ZT_TRY(zt_store_open(&options, &store, err));
    ZT_TRY(zt_store_task_counts(store, counts, err));
    for (int i = 0; i < ZT_TASK_STATES; i++)
        report->tasks += counts[i];
    enum zt_code rc = ZT_OK;
    for (int n = PAGE; rc == ZT_OK && n == PAGE;)
        rc = check_page(data, store, &arena, before, &n, report, err);
    zt_arena_clear(&arena);
    return rc;
}

/* ---- backup -------------------------------------------------------------------------------- */

static enum zt_code refuse_version(const char *path, bool older_is_fine, struct zt_err *err)
{
    int version = 0, newest = 0;

    ZT_TRY(zt_store_version(path, &version, &newest, err));
    if (version > newest)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "the database has schema version %d, made by a newer zoetrope; this one"
                       " knows versions up to %d",
                       version, newest);
    if (version < newest && !older_is_fine)
        return zt_fail(err, ZT_E_UNSUPPORTED,
                       "the database has schema version %d and must first be upgraded to %d by"
                       " starting the server",
                       version, newest);
    return ZT_OK;
}

static enum zt_code fill(const struct zt_data *from, const struct zt_data *to,
                         struct zt_backup_report *report, struct zt_err *err)
{
    ZT_TRY(take_files(from->files, to->files, report, err));
    zt_crash_point("backup.files");
    ZT_TRY(zt_store_copy(from->store, to->store, err));
    zt_crash_point("backup.database");
    ZT_TRY(take_files(from->files, to->files, report, err));
    ZT_TRY(check_results(to, report, err));
    return sync_folder(to->folder, err);
}

static enum zt_code sync_parent(const char *path, struct zt_err *err)
{
    char parent[PATH_MAX];

    return zt_format(parent, sizeof(parent), "%s/..", path) ? sync_folder(parent, err) : ZT_OK;
}

enum zt_code zt_backup_make(const char *data, const char *to, struct zt_backup_report *ret,
                            struct zt_err *err)
{
    struct zt_backup_report report = { 0 };
    struct zt_data from, part;
    char path[PATH_MAX];

    ZT_TRY(zt_data_find(data, false, &from, err));
    ZT_TRY(refuse_version(from.store, false, err));
    if (access(to, F_OK) == 0)
        return zt_fail(err, ZT_E_CONFLICT, "%s exists already; a backup makes a new folder", to);
    size_t n = strlen(to);
    while (n > 1 && to[n - 1] == '/')
        n--;
    if (!zt_format(path, sizeof(path), "%.*s.part", (int)n, to))
        return zt_fail(err, ZT_E_INVALID, "the path of the backup is too long");
    ZT_TRY(zt_remove_tree(path, err)); /* of one that was interrupted */
    ZT_TRY(zt_data_find(path, true, &part, err));
    enum zt_code rc = fill(&from, &part, &report, err);
    if (rc == ZT_OK && rename(path, to) != 0)
        rc = zt_fail_errno(err, errno, "rename folder", to);
    if (rc != ZT_OK) {
        (void)!zt_remove_tree(path, NULL);
        return rc;
    }
    *ret = report;
    return sync_parent(to, err);
}

/* ---- restore ------------------------------------------------------------------------------- */

/* The old database, with what its log holds, under another name; then its log may go. */
static enum zt_code set_aside(const struct zt_data *to, struct zt_err *err)
{
    static const char *const logs[] = { "-wal", "-shm" };
    char path[PATH_MAX];

    if (access(to->store, F_OK) != 0)
        return ZT_OK;
    if (!zt_format(path, sizeof(path), "%s.before", to->store))
        return zt_fail(err, ZT_E_INVALID, "the path of the database is too long");
    ZT_TRY(zt_store_copy(to->store, path, err));
    for (size_t i = 0; i < ZT_COUNT(logs); i++) {
        if (zt_format(path, sizeof(path), "%s%s", to->store, logs[i]) && unlink(path) != 0 &&
            errno != ENOENT)
            return zt_fail_errno(err, errno, "remove the log of the old database", path);
    }
    return ZT_OK;
}

static enum zt_code put_in_place(const struct zt_data *from, const struct zt_data *to,
                                 struct zt_backup_report *report, struct zt_err *err)
{
    char fresh[PATH_MAX];

    if (!zt_format(fresh, sizeof(fresh), "%s.restored", to->store))
        return zt_fail(err, ZT_E_INVALID, "the path of the database is too long");
    ZT_TRY(take_files(from->files, to->files, report, err));
    ZT_TRY(zt_store_copy(from->store, fresh, err));
    ZT_TRY(zt_store_verify(fresh, err));
    zt_crash_point("restore.database");
    ZT_TRY(set_aside(to, err));
    return zt_file_publish(fresh, to->store, err);
}

static enum zt_code restore(const struct zt_data *from, const struct zt_data *to, bool force,
                            struct zt_backup_report *report, struct zt_err *err)
{
    char marker[PATH_MAX];

    if (!zt_format(marker, sizeof(marker), "%s/%s", to->folder, MARKER))
        return zt_fail(err, ZT_E_INVALID, "the path of the data folder is too long");
    bool resumes = access(marker, F_OK) == 0;
    if (access(to->store, F_OK) == 0 && !force && !resumes)
        return zt_fail(err, ZT_E_CONFLICT,
                       "the data folder %s has a database; name an empty folder with --data, or"
                       " replace this one with --force",
                       to->folder);
    ZT_TRY(zt_file_write(marker, "", 0, 0600, err));
    zt_crash_point("restore.files");
    ZT_TRY(put_in_place(from, to, report, err));
    if (unlink(marker) != 0)
        return zt_fail_errno(err, errno, "remove file", marker);
    ZT_TRY(check_results(to, report, err));
    return sync_folder(to->folder, err);
}

enum zt_code zt_backup_restore(const char *from, const char *data, bool force,
                               struct zt_backup_report *ret, struct zt_err *err)
{
    struct zt_backup_report report = { 0 };
    struct zt_data source, to;
    zt_auto_fd int lock = -1;

    if (zt_data_find(from, false, &source, err) != ZT_OK)
        return zt_fail(err, ZT_E_NOT_FOUND, "%s is no backup: there is no zoetrope.db in it", from);
    ZT_TRY(refuse_version(source.store, true, err));
    ZT_TRY(zt_store_verify(source.store, err));
    ZT_TRY(zt_data_find(data, true, &to, err));
    ZT_TRY(zt_data_lock(&to, &lock, err));
    ZT_TRY(restore(&source, &to, force, &report, err));
    *ret = report;
    return ZT_OK;
}
