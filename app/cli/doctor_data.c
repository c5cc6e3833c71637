/* doctor_data.c - the data folder: permissions, disk, database, the server that uses it. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/findings.h"
#include "http/listen.h"
#include "service/data.h"
#include "service/disk.h"
#include "service/handles.h"
#include "store/backup.h"
#include "store/deliveries.h"

#define SLOW_SYNC_US (100 * ZT_MS_US)
#define LARGE_WAL    (INT64_C(256) << 20)
#define STUCK_US     (5 * ZT_MINUTE_US)
#define STUCK_LOOK   100
#define LATE_US      (10 * ZT_MINUTE_US)
#define PROBE_BYTES  4096
#define MIB          (INT64_C(1) << 20)

/* ---- folder and disk ----------------------------------------------------------------------- */

static void check_folder(struct zt_findings *f, const struct zt_data *data)
{
    struct stat st;

    if (stat(data->folder, &st) != 0)
        zt_found(f, ZT_WRONG, "folder", "see that it exists and can be entered",
                 "%s cannot be read", data->folder);
    else if (st.st_uid != geteuid())
        zt_found(f, ZT_WARN, "folder", "run the server and this command as its owner",
                 "%s belongs to user %u, this is user %u", data->folder, (unsigned)st.st_uid,
                 (unsigned)geteuid());
    else if ((st.st_mode & 077) != 0)
        zt_found(f, ZT_WARN, "folder", "chmod 700: the database has the secrets of webhooks",
                 "%s is open to other users (mode %03o)", data->folder,
                 (unsigned)(st.st_mode & 0777));
    else
        zt_found(f, ZT_FINE, "folder", "", "%s is private", data->folder);
}

/* A small file, synced, as each accepted task is. */
static void check_write(struct zt_findings *f, const struct zt_data *data)
{
    static const char bytes[PROBE_BYTES];
    char path[PATH_MAX];

    if (!zt_format(path, sizeof(path), "%s/doctor.%d.tmp", data->folder, (int)getpid()))
        return;
    int64_t began_us = zt_now_mono_us();
    zt_auto_fd int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool wrote =
        fd >= 0 && write(fd, bytes, sizeof(bytes)) == (ssize_t)sizeof(bytes) && fsync(fd) == 0;
    int saved = errno;
    int64_t took_us = zt_now_mono_us() - began_us;
    if (fd >= 0)
        unlink(path);
    struct zt_err err = { 0 };
    if (!wrote) {
        zt_fail_errno(&err, saved, "write", path);
        zt_found(f, ZT_WRONG, "write", "nothing can be accepted until this works", "%s: %s",
                 data->folder, err.msg);
    } else {
        zt_found(f, took_us > SLOW_SYNC_US ? ZT_WARN : ZT_FINE, "write",
                 "use a faster disk: every answer to createTask waits for one such sync",
                 "writing and syncing 4 KiB took %.1f ms", (double)took_us / (double)ZT_MS_US);
    }
}

static void check_disk(struct zt_findings *f, const char *folder)
{
    struct zt_disk_state disk;
    struct zt_err err = { 0 };

    if (zt_disk_look(folder, f->config->reserve_bytes, false, &disk, &err) != ZT_OK) {
        zt_found(f, ZT_WRONG, "disk", "see that the folder is mounted", "%s", err.msg);
        return;
    }
    enum zt_finding how = disk.low                                   ? ZT_WRONG
                          : disk.free_bytes < 2 * disk.reserve_bytes ? ZT_WARN
                                                                     : ZT_FINE;
    zt_found(f, how, "disk",
             "make room, lower keep-files or keep-bytes; below the reserve new work is refused",
             "%" PRId64 " MiB free of %" PRId64 ", reserve %" PRId64 " MiB", disk.free_bytes / MIB,
             disk.bytes / MIB, disk.reserve_bytes / MIB);
}

/* ---- database ------------------------------------------------------------------------------ */

static void check_wal(struct zt_findings *f, const struct zt_data *data)
{
    char path[PATH_MAX];
    struct stat st = { .st_size = 0 };

    if (!zt_format(path, sizeof(path), "%s-wal", data->store) || stat(path, &st) != 0)
        st.st_size = 0;
    zt_found(f, st.st_size > LARGE_WAL ? ZT_WARN : ZT_FINE, "log",
             "something keeps an old read open; restart the server",
             "the database's log has %" PRId64 " KiB", (int64_t)st.st_size / 1024);
}

static int stuck_in(struct zt_findings *f, struct zt_store *store, enum zt_task_state state)
{
    struct zt_task **tasks = NULL;
    int n = 0, stuck = 0;

    if (zt_store_task_list(store, f->arena, (int)state, NULL, STUCK_LOOK, &tasks, &n, NULL) !=
        ZT_OK)
        return 0;
    for (int i = 0; i < n; i++)
        stuck += tasks[i]->lease_us < zt_now_utc_us() - STUCK_US;
    return stuck;
}

static void check_work(struct zt_findings *f, struct zt_store *store)
{
    int64_t counts[ZT_TASK_STATES] = { 0 };
    struct zt_delivery_stats callbacks = { 0 };
    struct zt_err err = { 0 };
    int stuck = stuck_in(f, store, ZT_TASK_QUEUING) + stuck_in(f, store, ZT_TASK_GENERATING);

    enum zt_code rc = zt_store_task_counts(store, counts, &err);
    if (rc == ZT_OK)
        rc = zt_store_delivery_stats(store, &callbacks, &err);
    if (rc != ZT_OK) {
        zt_found(f, ZT_WRONG, "tasks", "restore a backup", "%s", err.msg);
        return;
    }
    if (stuck > 0)
        zt_found(f, ZT_WARN, "tasks", "start the server: it puts them back",
                 "%d tasks are held by workers that went silent long ago", stuck);
    else
        zt_found(f, ZT_FINE, "tasks", "", "%" PRId64 " waiting, %" PRId64 " in work, none stuck",
                 counts[ZT_TASK_WAITING], counts[ZT_TASK_QUEUING] + counts[ZT_TASK_GENERATING]);
    int64_t late_us = callbacks.oldest_due_us > 0 ? zt_now_utc_us() - callbacks.oldest_due_us : 0;
    bool bad = callbacks.tries[ZT_DELIVERY_GIVEN_UP] > 0 || late_us > LATE_US;
    zt_found(f, bad ? ZT_WARN : ZT_FINE, "callbacks",
             "callback_given_up and callback_failed in the log say which receivers and why",
             "%" PRId64 " owed, %" PRId64 " given up so far, the oldest due for %" PRId64 " s",
             callbacks.pending, callbacks.tries[ZT_DELIVERY_GIVEN_UP],
             late_us > 0 ? late_us / ZT_SECOND_US : 0);
}

static void check_store(struct zt_findings *f, const struct zt_data *data)
{
    const struct zt_store_options options = { .path = data->store, .read_only = true };
    zt_auto(store) struct zt_store *store = NULL;
    struct zt_err err = { 0 };
    int version = 0, newest = 0;

    if (zt_store_version(data->store, &version, &newest, &err) != ZT_OK ||
        zt_store_verify(data->store, &err) != ZT_OK) {
        zt_found(f, ZT_WRONG, "database", "stop the server and restore a backup", "%s (%s)",
                 err.msg, err.detail);
        return;
    }
    if (version > newest) {
        zt_found(f, ZT_WRONG, "database", "use the newer zoetrope that made it",
                 "schema version %d, this program knows up to %d", version, newest);
        return;
    }
    zt_found(f, version < newest ? ZT_WARN : ZT_FINE, "database",
             "the next start of the server upgrades it, and keeps a copy of it as it is",
             "sound, schema version %d of %d", version, newest);
    check_wal(f, data);
    if (version == newest && zt_store_open(&options, &store, &err) == ZT_OK)
        check_work(f, store);
}

/* ---- the server ---------------------------------------------------------------------------- */

/* The address: free, or the server's that holds the lock. */
static void check_server(struct zt_findings *f, const struct zt_data *data)
{
    zt_auto_fd int lock = -1;
    zt_auto_fd int fd = -1;
    char address[ZT_ADDRESS_TEXT];
    struct zt_err lock_err = { 0 }, err = { 0 };

    bool runs = access(data->lock, F_OK) == 0 && zt_data_lock(data, &lock, &lock_err) == ZT_E_BUSY;
    enum zt_code rc = zt_listen(f->config->listen, &fd, address, &err);
    if (rc == ZT_OK && runs)
        zt_found(f, ZT_WARN, "listen", "give this command the settings that the server has",
                 "a server uses the data folder, but nothing listens on %s", f->config->listen);
    else if (rc == ZT_OK)
        zt_found(f, ZT_FINE, "listen", "", "%s is free; no server runs", f->config->listen);
    else if (rc == ZT_E_BUSY && runs)
        zt_found(f, ZT_FINE, "listen", "", "a server uses the data folder and %s is taken",
                 f->config->listen);
    else
        zt_found(f, ZT_WRONG, "listen", "end what uses it, or choose another with --listen", "%s",
                 err.msg);
}

void zt_doctor_data(struct zt_findings *f)
{
    struct zt_data data;
    struct zt_err err = { 0 };
    enum zt_code rc = zt_data_find(f->config->data, false, &data, &err);

    if (rc == ZT_E_INVALID) {
        zt_found(f, ZT_WRONG, "folder", "choose another with --data", "%s", err.msg);
        return;
    }
    if (access(data.folder, F_OK) != 0) {
        zt_found(f, ZT_FINE, "folder", "", "%s is not there yet; zoetrope serve makes it",
                 data.folder);
    } else {
        check_folder(f, &data);
        check_write(f, &data);
        check_disk(f, data.folder);
    }
    if (rc == ZT_OK)
        check_store(f, &data);
    else if (rc != ZT_E_NOT_FOUND)
        zt_found(f, ZT_WRONG, "database", "see who owns it", "%s", err.msg);
    check_server(f, &data);
}
