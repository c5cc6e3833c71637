/* reel.c - see reel.h. */
#include "models/wan/reel.h"

#include "base/auto.h"
#include "base/fault.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <sys/mman.h>

#define STEP (1.0f / 32767.0f)

struct zt_reel {
    int frames, h, w;
    size_t bytes;
    int16_t *values;
    int64_t *not_finite; /* [frames] */
};

size_t zt_reel_bytes(int frames, int h, int w)
{
    return (size_t)frames * (size_t)h * (size_t)w * 3 * sizeof(int16_t);
}

static enum zt_code temporary(size_t bytes, int *ret, struct zt_err *err)
{
    const char *dir = getenv("TMPDIR");
    char path[4096];

    int n =
        snprintf(path, sizeof(path), "%s/zoetrope-frames-XXXXXX", dir && *dir ? dir : "/var/tmp");
    if (n < 0 || (size_t)n >= sizeof(path))
        return zt_fail(err, ZT_E_INVALID, "TMPDIR is too long");
    zt_auto_fd int fd = mkstemp(path);
    if (fd < 0)
        return zt_fail_errno(err, errno, "making a file for frames", path);
    unlink(path);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    int failed = zt_fault("reel") ? ENOSPC : posix_fallocate(fd, 0, (off_t)bytes);
    if (failed != 0)
        return zt_fail_errno(err, failed, "making room for frames", path);
    *ret = zt_take_fd(&fd);
    return ZT_OK;
}

enum zt_code zt_reel_open(int frames, int h, int w, struct zt_reel **ret, struct zt_err *err)
{
    size_t bytes = zt_reel_bytes(frames, h, w);
    zt_auto_fd int fd = -1;

    ZT_TRY(temporary(bytes, &fd, err));
    void *map = zt_fault("alloc") ? MAP_FAILED
                                  : mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return zt_fail(err, ZT_E_NOMEM, "no %.0f MiB of addresses for frames",
                       (double)bytes / 1048576);
    struct zt_reel *s = zt_new(struct zt_reel);
    *s = (struct zt_reel){
        .frames = frames,
        .h = h,
        .w = w,
        .bytes = bytes,
        .values = map,
        .not_finite = zt_new_array(int64_t, (size_t)frames),
    };
    *ret = s;
    return ZT_OK;
}

void zt_reel_close(struct zt_reel *reel)
{
    if (reel == NULL)
        return;
    munmap(reel->values, reel->bytes);
    free(reel->not_finite);
    free(reel);
}

static size_t row_at(const struct zt_reel *reel, int y, int x)
{
    return ((size_t)y * (size_t)reel->w + (size_t)x) * 3;
}

void zt_reel_add(struct zt_reel *reel, int frame, const struct zt_reel_box *box, const float *rgb,
                 int64_t not_finite)
{
    int16_t *values = reel->values + (size_t)frame * row_at(reel, reel->h, 0);

    for (int y = box->y; y < box->y + box->h; y++) {
        size_t at = row_at(reel, y, box->x), end = at + (size_t)box->w * 3;
        for (; at < end; at++) {
            long sum = values[at] + lrintf(rgb[at] / STEP);
            values[at] = (int16_t)(sum < -32767 ? -32767 : sum > 32767 ? 32767 : sum);
        }
    }
    reel->not_finite[frame] += not_finite;
}

int64_t zt_reel_get(const struct zt_reel *reel, int frame, float *rgb)
{
    size_t n = row_at(reel, reel->h, 0);
    const int16_t *values = reel->values + (size_t)frame * n;

    for (size_t i = 0; i < n; i++)
        rgb[i] = (float)values[i] * STEP;
    return reel->not_finite[frame];
}
