/*
 * weather.h - what the tests of the scene's own motion share: pictures with known regions, frames,
 * and how two frames differ.
 */
#ifndef ZT_TESTS_WEATHER_H
#define ZT_TESTS_WEATHER_H

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "media/frame.h"
#include "motion/sight.h"
#include "motion/weather.h"
#include "prompt/prompt.h"

static inline struct zt_image
weather_picture(int width, int height, void (*paint)(double x, double y, int noise, uint8_t rgb[3]))
{
    struct zt_image image = { .width_px = width, .height_px = height, .stride = (size_t)width * 3 };
    struct zt_rng rng;

    image.pixels = malloc(image.stride * (size_t)height);
    zt_rng_init(&rng, 3, 1);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            paint((double)x / width, (double)y / height, (int)(zt_rng_u32(&rng) % 31) - 15,
                  image.pixels + (size_t)y * image.stride + 3 * (size_t)x);
    return image;
}

static inline void weather_put(uint8_t rgb[3], int r, int g, int b)
{
    rgb[0] = (uint8_t)(r < 0 ? 0 : r > 255 ? 255 : r);
    rgb[1] = (uint8_t)(g < 0 ? 0 : g > 255 ? 255 : g);
    rgb[2] = (uint8_t)(b < 0 ? 0 : b > 255 ? 255 : b);
}

/* A view that shows the whole picture at its own size. */
static inline struct zt_view weather_view(int width, int height)
{
    return (struct zt_view){ .width_px = width,
                             .height_px = height,
                             .room = { .width = width,
                                       .height = height,
                                       .left = -width / 2.0,
                                       .top = -height / 2.0,
                                       .right = width / 2.0,
                                       .bottom = height / 2.0 },
                             .scale_x = 1,
                             .scale_y = 1,
                             .origin_x = width / 2.0,
                             .origin_y = height / 2.0 };
}

static inline struct zt_pose weather_rest(void)
{
    return (struct zt_pose){ .zoom = 1 };
}

/* A frame with a soft pattern in every plane. */
static inline void weather_frame(struct zt_frame_buf *frame, int width, int height)
{
    zt_frame_buf_init(frame, ZT_PIXELS_YUV420, width, height, NULL);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            frame->plane[0][(size_t)y * frame->view.stride[0] + (size_t)x] =
                (uint8_t)(100 + 40 * sin(x * 0.05) * cos(y * 0.04));
    for (int p = 1; p < 3; p++)
        for (int y = 0; y < (height + 1) / 2; y++)
            for (int x = 0; x < (width + 1) / 2; x++)
                frame->plane[p][(size_t)y * frame->view.stride[p] + (size_t)x] =
                    (uint8_t)(128 + 20 * sin(x * 0.03 + p));
}

static inline int weather_plane_width(const struct zt_frame_buf *f, int plane)
{
    return plane ? (f->view.width_px + 1) / 2 : f->view.width_px;
}

static inline int weather_plane_height(const struct zt_frame_buf *f, int plane)
{
    return plane ? (f->view.height_px + 1) / 2 : f->view.height_px;
}

static inline bool weather_equal(const struct zt_frame_buf *a, const struct zt_frame_buf *b)
{
    for (int p = 0; p < 3; p++)
        for (int y = 0; y < weather_plane_height(a, p); y++)
            if (memcmp(a->plane[p] + (size_t)y * a->view.stride[p],
                       b->plane[p] + (size_t)y * b->view.stride[p],
                       (size_t)weather_plane_width(a, p)) != 0)
                return false;
    return true;
}

/* Mean |difference| of luma. */
static inline double weather_apart(const struct zt_frame_buf *a, const struct zt_frame_buf *b)
{
    double sum = 0;

    for (int y = 0; y < a->view.height_px; y++)
        for (int x = 0; x < a->view.width_px; x++)
            sum += abs(a->plane[0][(size_t)y * a->view.stride[0] + (size_t)x] -
                       b->plane[0][(size_t)y * b->view.stride[0] + (size_t)x]);
    return sum / a->view.width_px / a->view.height_px;
}

/* Samples outside 16 ... 235 and 16 ... 240. */
static inline int weather_illegal(const struct zt_frame_buf *f)
{
    int bad = 0;

    for (int p = 0; p < 3; p++)
        for (int y = 0; y < weather_plane_height(f, p); y++)
            for (int x = 0; x < weather_plane_width(f, p); x++) {
                int v = f->plane[p][(size_t)y * f->view.stride[p] + (size_t)x];
                bad += v < 16 || v > (p ? 240 : 235);
            }
    return bad;
}

static inline void weather_copy(const struct zt_frame_buf *from, struct zt_frame_buf *to)
{
    for (int p = 0; p < 3; p++)
        memcpy(to->plane[p], from->plane[p],
               from->view.stride[p] * (size_t)weather_plane_height(from, p));
}

static inline int weather_by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The largest of n values over their median: how much one frame stands out. */
static inline double weather_peak(double *v, int n)
{
    qsort(v, (size_t)n, sizeof(*v), weather_by_value);
    return v[n - 1] / (v[n / 2] + 1e-9);
}

#endif
