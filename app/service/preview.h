/*
 * preview.h - what can be watched before an engine with weights has frames: the motion engine's
 * clip of the same request, then what the engine shows between its steps. The live file of the
 * video (zt_video_options) takes their place. All under one path, one after the other.
 */
#ifndef ZT_SERVICE_PREVIEW_H
#define ZT_SERVICE_PREVIEW_H

#include <limits.h>

#include "base/auto.h"
#include "base/error.h"
#include "service/render.h"

struct zt_api_preview_file;
struct zt_task;

/*
 * Writes an MP4 at 480p to path, which it takes only when it is whole. Its comment names motion as
 * its engine. Of `render` it takes request, preset, crf, threads and must_end.
 * Errors as zt_render, and of zt_file_publish.
 */
enum zt_code zt_preview_first(const struct zt_render *render, const char *path, struct zt_err *err);

/* Clips out of what an engine shows: each takes render->live_path when it is whole. */
struct zt_preview;
struct zt_preview *zt_preview_new(const struct zt_render *render, int fps); /* render: kept */
void zt_preview_free(
    struct zt_preview *preview); /* removes a clip that is not whole; NULL is fine */
ZT_AUTO(struct zt_preview, preview, zt_preview_free)

/* As a zt_preview_fn is called. False: this clip cannot be written, and no more of it is wanted. */
bool zt_preview_frame(struct zt_preview *preview, const struct zt_frame *frame, int index,
                      int frames);

/* Where a task's file for watching is; one of another attempt is another file. */
enum zt_code zt_preview_path(const char *data, const struct zt_task *task, char ret[PATH_MAX],
                             struct zt_err *err);

/*
 * Opens it for reading, as far as it is whole; it may grow or be replaced meanwhile. ret->fd is the
 * caller's. ZT_E_NOT_FOUND: there is none.
 */
enum zt_code zt_preview_read(const char *data, const struct zt_task *task,
                             struct zt_api_preview_file *ret, struct zt_err *err);

#endif
