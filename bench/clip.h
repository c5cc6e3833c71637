/*
 * clip.h - five seconds of the motion engine's frames, kept in memory to be encoded from there.
 */
#ifndef ZT_BENCH_CLIP_H
#define ZT_BENCH_CLIP_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"

#define CLIP_SECONDS 5

struct clip {
    struct zt_plan plan;
    size_t frame_bytes;
    uint8_t *frames; /* one after the other, each Y, U, V without gaps */
};

static inline void load_picture(const char *path, struct zt_image *image)
{
    struct zt_buf bytes;
    struct zt_err err = { 0 };

    zt_buf_init(&bytes, 64U << 20);
    if (zt_file_read(path, &bytes, &err) != ZT_OK ||
        zt_image_decode(bytes.data, bytes.n, NULL, image, &err) != ZT_OK) {
        fprintf(stderr, "%s: %s\n", path, err.msg);
        exit(1);
    }
    zt_buf_clear(&bytes);
}

static inline int clip_keep(void *user, const struct zt_frame *f, int index)
{
    struct clip *clip = user;
    uint8_t *to = clip->frames + (size_t)index * clip->frame_bytes;

    for (int p = 0; p < 3; p++) {
        size_t w = (size_t)f->width_px >> (p > 0);
        for (int y = 0; y < f->height_px >> (p > 0); y++, to += w)
            memcpy(to, f->plane[p] + (size_t)y * f->stride[p], w);
    }
    return 0;
}

/* Ends the process where that fails. */
static inline void clip_make(struct clip *clip, const struct zt_request *request)
{
    const struct zt_sink sink = { .on_frame = clip_keep, .user = clip };
    struct zt_engine *engine = NULL;
    struct zt_err err = { 0 };

    enum zt_code rc = zt_engine_open("motion", NULL, &engine, &err);
    if (rc == ZT_OK)
        rc = zt_engine_plan(engine, request, &clip->plan, &err);
    clip->frame_bytes = (size_t)clip->plan.width_px * (size_t)clip->plan.height_px * 3 / 2;
    clip->frames = malloc(clip->frame_bytes * (size_t)clip->plan.frames);
    if (rc == ZT_OK && clip->frames != NULL)
        rc = zt_generate(engine, request, &sink, &err);
    if (rc != ZT_OK || clip->frames == NULL) {
        fprintf(stderr, "no frames: %s\n", err.msg);
        exit(1);
    }
    zt_engine_close(engine);
}

/* Encodes all of it; false where the encoder says no. */
static inline bool clip_encode(const struct clip *clip, const char *path, const char *preset,
                               int crf, bool smooth)
{
    const struct zt_plan *plan = &clip->plan;
    size_t w = (size_t)plan->width_px, h = (size_t)plan->height_px;
    const struct zt_video_options options = { .width_px = plan->width_px,
                                              .height_px = plan->height_px,
                                              .fps = plan->fps,
                                              .pixels = plan->pixels,
                                              .preset = preset,
                                              .crf = crf,
                                              .smooth = smooth };
    struct zt_video *video = NULL;

    bool ok = zt_video_open(path, &options, &video, NULL) == ZT_OK;
    for (int i = 0; ok && i < plan->frames; i++) {
        const uint8_t *y = clip->frames + (size_t)i * clip->frame_bytes;
        const struct zt_frame frame = { .format = ZT_PIXELS_YUV420,
                                        .width_px = plan->width_px,
                                        .height_px = plan->height_px,
                                        .plane = { y, y + w * h, y + w * h * 5 / 4 },
                                        .stride = { w, w / 2, w / 2 } };
        ok = zt_video_write(video, &frame, NULL) == ZT_OK;
    }
    ok = ok && zt_video_finish(video, NULL) == ZT_OK;
    zt_video_close(video);
    return ok;
}

#endif
