/*
 * disk.h - whether the disk has room: a thread that looks twice a second.
 *
 * Work that was accepted may use all of the disk; new work is refused while less than a reserve is
 * free, so that the disk fills up for those who ask before it does for those who were promised.
 */
#ifndef ZT_SERVICE_DISK_H
#define ZT_SERVICE_DISK_H

#include "base/error.h"

struct zt_disk;

struct zt_disk_state {
    int64_t free_bytes, bytes; /* of the file system, as far as this user may fill it */
    int64_t reserve_bytes;     /* what is kept free: as asked for, a tenth of the disk at most */
    bool low;                  /* less is free */
};

/*
 * One look. was_low: a disk that was low is not before a sixteenth more than the reserve is free,
 * so that it does not waver. A failure leaves *ret as it was.
 */
enum zt_code zt_disk_look(const char *folder, int64_t reserve_bytes, bool was_low,
                          struct zt_disk_state *ret, struct zt_err *err);

/* The decision alone. */
bool zt_disk_is_low(int64_t free_bytes, int64_t reserve_bytes, bool was_low);

/* Whether a worker should begin with a task: at the very end of the reserve it could not finish. */
bool zt_disk_lets_work(const char *folder, int64_t reserve_bytes);

/* Looks at once, then goes on looking; a change is logged. folder is copied. */
enum zt_code zt_disk_start(const char *folder, int64_t reserve_bytes, struct zt_disk **ret,
                           struct zt_err *err);
void zt_disk_stop(struct zt_disk *disk); /* NULL is fine */

/* The last look. Any thread. */
struct zt_disk_state zt_disk_now(struct zt_disk *disk);

#endif
