/* disk.c - see disk.h. */
#include "service/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/fault.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/stop.h"
#include "base/thread.h"

#define LOOK_US       (500 * ZT_MS_US)
#define RESERVE_SHARE 10 /* of the disk: the reserve is at most this part of it */
#define WORK_SHARE    8  /* of the reserve: the least that must be free to begin a task */

struct zt_disk {
    char *folder;
    int64_t reserve_bytes;
    pthread_t thread;
    struct zt_stop *stop;
    pthread_mutex_t mutex; /* guards state */
    struct zt_disk_state state;
};

bool zt_disk_is_low(int64_t free_bytes, int64_t reserve_bytes, bool was_low)
{
    return free_bytes < reserve_bytes + (was_low ? reserve_bytes / 16 : 0);
}

enum zt_code zt_disk_look(const char *folder, int64_t reserve_bytes, bool was_low,
                          struct zt_disk_state *ret, struct zt_err *err)
{
    struct statvfs fs;

    if (statvfs(folder, &fs) != 0)
        return zt_fail_errno(err, errno, "look at the disk of", folder);
    int64_t unit = (int64_t)(fs.f_frsize ? fs.f_frsize : fs.f_bsize);
    int64_t used = ((int64_t)fs.f_blocks - (int64_t)fs.f_bfree) * unit;
    struct zt_disk_state state = { .free_bytes = (int64_t)fs.f_bavail * unit };
    if (zt_fault("disk_free"))
        state.free_bytes = 0;
    state.bytes = used + (int64_t)fs.f_bavail * unit;
    state.reserve_bytes =
        reserve_bytes < state.bytes / RESERVE_SHARE ? reserve_bytes : state.bytes / RESERVE_SHARE;
    state.low = zt_disk_is_low(state.free_bytes, state.reserve_bytes, was_low);
    *ret = state;
    return ZT_OK;
}

bool zt_disk_lets_work(const char *folder, int64_t reserve_bytes)
{
    struct zt_disk_state state = { 0 };

    if (zt_disk_look(folder, reserve_bytes, false, &state, NULL) != ZT_OK)
        return true; /* what is wrong will show where it can be said */
    return state.free_bytes >= state.reserve_bytes / WORK_SHARE;
}

static void look(struct zt_disk *disk)
{
    struct zt_disk_state state = zt_disk_now(disk);
    struct zt_err err = { 0 };
    bool was_low = state.low;

    if (zt_disk_look(disk->folder, disk->reserve_bytes, was_low, &state, &err) != ZT_OK)
        return; /* the store will say so */
    {
        zt_locked(&disk->mutex);
        disk->state = state;
    }
    if (state.low && !was_low)
        ZT_LOG(WARN, "disk_low",
               "free_bytes=%" PRId64 " reserve_bytes=%" PRId64 " refused=new_work",
               state.free_bytes, state.reserve_bytes);
    else if (!state.low && was_low)
        ZT_LOG(INFO, "disk_has_room", "free_bytes=%" PRId64 " reserve_bytes=%" PRId64,
               state.free_bytes, state.reserve_bytes);
}

static void *run(void *arg)
{
    struct zt_disk *disk = arg;

    while (!zt_stop_wait(disk->stop, LOOK_US))
        look(disk);
    return NULL;
}

enum zt_code zt_disk_start(const char *folder, int64_t reserve_bytes, struct zt_disk **ret,
                           struct zt_err *err)
{
    struct zt_disk *disk = zt_new(struct zt_disk);

    disk->folder = zt_strdup_or_die(folder);
    disk->reserve_bytes = reserve_bytes;
    disk->stop = zt_stop_new();
    pthread_mutex_init(&disk->mutex, NULL);
    look(disk);
    if (pthread_create(&disk->thread, NULL, run, disk) != 0) {
        zt_stop_free(disk->stop);
        pthread_mutex_destroy(&disk->mutex);
        free(disk->folder);
        free(disk);
        return zt_fail(err, ZT_E_IO, "cannot start the thread that watches the disk");
    }
    *ret = disk;
    return ZT_OK;
}

void zt_disk_stop(struct zt_disk *disk)
{
    if (disk == NULL)
        return;
    zt_stop_ask(disk->stop);
    pthread_join(disk->thread, NULL);
    zt_stop_free(disk->stop);
    pthread_mutex_destroy(&disk->mutex);
    free(disk->folder);
    free(disk);
}

struct zt_disk_state zt_disk_now(struct zt_disk *disk)
{
    zt_locked(&disk->mutex);
    return disk->state;
}
