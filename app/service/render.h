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
    /*
     * What can be watched meanwhile, an MP4: what the engine shows between steps, each so many, and
     * from its first frames on the video itself (zt_video_options). NULL: not wanted.
     */
    const char *live_path;
    int preview_every;           /* steps; 0: only the video's own frames */
    void (*on_live)(void *user); /* the file at live_path has something new; may be NULL */
    const char *preset;
    int crf, threads;
    const char *title, *comment;
    struct zt_made *made;                                    /* as of zt_sink */
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
