/* preview.c - see preview.h. */
#include "service/preview.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "api/api.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "service/handles.h"
#include "service/scratch.h"
#include "store/task.h"

#define BETWEEN_PRESET "ultrafast"
#define BETWEEN_CRF    26
#define COMMENT_MAX    256
#define BOXES_MAX      4096 /* top-level boxes of a file that are looked at */

enum zt_code zt_preview_first(const struct zt_render *of, const char *path, struct zt_err *err)
{
    const struct zt_engine_options options = { .threads = of->threads };
    struct zt_request request = *of->request;
    char part[PATH_MAX], comment[128];
    struct zt_plan plan;
    zt_auto(engine) struct zt_engine *engine = NULL;

    if (!zt_format(part, sizeof(part), "%s.%d.first", path, (int)getpid()))
        return zt_fail(err, ZT_E_INVALID, "the name of the preview is too long");
    snprintf(comment, sizeof(comment), "engine=motion seed=%" PRId64 " preview=first",
             request.seed);
    request.resolution = ZT_480P;
    request.scratch_path = NULL;
    ZT_TRY(zt_engine_open("motion", &options, &engine, err));
    const struct zt_render render = {
        .engine = engine,
        .request = &request,
        .video_path = part,
        .preset = of->preset,
        .crf = of->crf,
        .threads = of->threads,
        .comment = comment,
        .must_end = of->must_end,
        .user = of->user,
    };
    enum zt_code rc = zt_render(&render, &plan, err);
    if (rc == ZT_OK)
        rc = zt_file_publish(part, path, err);
    if (rc != ZT_OK)
        unlink(part);
    return rc;
}

/* ---- between steps ------------------------------------------------------------------------- */

struct zt_preview {
    const struct zt_render *render;
    int fps;
    char part[PATH_MAX], comment[COMMENT_MAX];
    struct zt_video *video; /* of the clip that is being written */
};

struct zt_preview *zt_preview_new(const struct zt_render *render, int fps)
{
    zt_auto(preview) struct zt_preview *p = zt_new(struct zt_preview);

    p->render = render;
    p->fps = fps;
    if (!zt_format(p->part, sizeof(p->part), "%s.%d.next", render->live_path, (int)getpid()) ||
        !zt_format(p->comment, sizeof(p->comment), "%s preview=between",
                   render->comment ? render->comment : ""))
        return NULL;
    return zt_take_preview(&p);
}

/* Removes a clip that is not whole. */
static void drop(struct zt_preview *p)
{
    zt_video_close(p->video);
    p->video = NULL;
}

void zt_preview_free(struct zt_preview *p)
{
    if (p == NULL)
        return;
    drop(p);
    free(p);
}

static enum zt_code begin(struct zt_preview *p, const struct zt_frame *frame)
{
    const struct zt_video_options options = {
        .width_px = frame->width_px,
        .height_px = frame->height_px,
        .fps = p->fps,
        .pixels = frame->format,
        .preset = BETWEEN_PRESET,
        .crf = BETWEEN_CRF,
        .threads = p->render->threads,
        .comment = p->comment,
    };

    drop(p);
    return zt_video_open(p->part, &options, &p->video, NULL);
}

static enum zt_code end(struct zt_preview *p)
{
    ZT_TRY(zt_video_finish(p->video, NULL));
    drop(p);
    enum zt_code rc = zt_file_publish(p->part, p->render->live_path, NULL);
    if (rc != ZT_OK)
        unlink(p->part);
    return rc;
}

static enum zt_code add(struct zt_preview *p, const struct zt_frame *frame, int index, int frames)
{
    if (index == 0)
        ZT_TRY(begin(p, frame));
    ZT_TRY(zt_video_write(p->video, frame, NULL));
    if (index < frames - 1)
        return ZT_OK;
    ZT_TRY(end(p));
    if (p->render->on_live != NULL)
        p->render->on_live(p->render->user);
    return ZT_OK;
}

bool zt_preview_frame(struct zt_preview *p, const struct zt_frame *frame, int index, int frames)
{
    if (index > 0 && p->video == NULL)
        return false;
    if (add(p, frame, index, frames) == ZT_OK)
        return true;
    drop(p);
    return false;
}

/* ---- a task's file ------------------------------------------------------------------------- */

enum zt_code zt_preview_path(const char *data, const struct zt_task *task, char ret[PATH_MAX],
                             struct zt_err *err)
{
    char folder[PATH_MAX];

    if (!zt_task_id_names_file(task->id)) /* a damaged store, or one that somebody wrote into */
        return zt_fail(err, ZT_E_INVALID, "the task's id cannot name a file");
    ZT_TRY(zt_scratch_path(data, task->id, folder, err));
    if (zt_format(ret, PATH_MAX, "%s/preview.%d.mp4", folder, task->attempt))
        return ZT_OK;
    return zt_fail(err, ZT_E_INVALID, "the path of the data folder is too long");
}

/* The box that begins at `at`: its type, and where it ends; false: it is not whole yet. */
static bool read_box(int fd, int64_t at, int64_t size, char type[4], int64_t *ret_end)
{
    uint8_t head[16];

    if (at + 8 > size || pread(fd, head, sizeof(head), at) < 8)
        return false;
    uint64_t n =
        (uint64_t)head[0] << 24 | (uint64_t)head[1] << 16 | (uint64_t)head[2] << 8 | head[3];
    memcpy(type, head + 4, 4);
    if (n == 1) { /* its length follows in 64 bits */
        if (at + 16 > size)
            return false;
        n = 0;
        for (int i = 8; i < 16; i++)
            n = n << 8 | head[i];
    }
    if (n < 8 || n > (uint64_t)(size - at))
        return false;
    *ret_end = at + (int64_t)n;
    return true;
}

/* How much of a file that grows can be shown: up to its last whole fragment, or its movie. */
static int64_t whole_bytes(int fd, int64_t size)
{
    int64_t at = 0, whole = 0;
    char type[4];

    for (int i = 0; i < BOXES_MAX && read_box(fd, at, size, type, &at); i++)
        if (memcmp(type, "moof", 4) != 0) /* its data come after it */
            whole = at;
    return whole;
}

enum zt_code zt_preview_read(const char *data, const struct zt_task *task,
                             struct zt_api_preview_file *ret, struct zt_err *err)
{
    char path[PATH_MAX];
    struct stat st;

    ZT_TRY(zt_preview_path(data, task, path, err));
    zt_auto_fd int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        return zt_fail(err, ZT_E_NOT_FOUND, "there is nothing to watch of this task");
    if (fd < 0 || fstat(fd, &st) != 0)
        return zt_fail_errno(err, errno, "opening a preview", path);
    ret->bytes = whole_bytes(fd, st.st_size);
    if (ret->bytes == 0)
        return zt_fail(err, ZT_E_NOT_FOUND, "there is nothing to watch of this task yet");
    int64_t ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec; /* inodes return */
    zt_assert(zt_format(ret->etag, sizeof(ret->etag), "\"%" PRIx64 "-%" PRIx64 "-%" PRIx64 "\"",
                        (uint64_t)st.st_ino, (uint64_t)ret->bytes, (uint64_t)ns));
    ret->fd = zt_take_fd(&fd);
    return ZT_OK;
}
