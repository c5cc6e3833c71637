/*
 * render.h - from a decoded picture to files: the video, its poster and its last frame. Used by
 * the worker and by the generate command alike.
 */
#ifndef ZT_SERVICE_RENDER_H
#define ZT_SERVICE_RENDER_H

#include "base/error.h"

struct zt_render {
    struct zt_engine *engine;
    const struct zt_request *request;
    const char *video_path;
    const char *poster_path, *last_path; /* NULL: not wanted */
    const char *live_path;               /* as zt_video_options; NULL: not wanted */
    const char *preset;
    int crf, threads;
    const char *title, *comment;
    void (*planned)(void *user, const struct zt_plan *plan); /* before any work; may be NULL */
    zt_progress_fn *on_progress;                             /* may be NULL; non-zero stops */
    bool (*must_end)(void *user);                            /* asked at every frame; may be NULL */
    void *user;
};

/*
 * Blocks until the files are complete and synced. On failure the video is removed; poster and last
 * frame may be left behind. *ret is what was made.
 * Errors as zt_generate and the zt_video_* calls; ZT_E_CANCELLED when a callback said so.
 */
enum zt_code zt_render(const struct zt_render *render, struct zt_plan *ret, struct zt_err *err);

#endif
