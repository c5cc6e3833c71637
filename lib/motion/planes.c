/* planes.c - see planes.h. */
#include "motion/planes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "media/colour.h"

/* Rows a thread takes at a time; even, for 4:2:0. */
#define GRAIN 32

/* The prefilter is symmetric: taps -3 ... 3, weights of 1 << 12. */
#define REACH       3
#define WEIGHT_BITS 12

enum zt_code zt_plane_init(struct zt_plane *plane, int width, int height, struct zt_err *err)
{
    void *memory = NULL;
    size_t stride = ((size_t)width + 2 * ZT_PLANE_PAD + 63) & ~(size_t)63;

    ZT_TRY(zt_try_alloc_raw(stride, (size_t)height + 2 * ZT_PLANE_PAD, "a picture plane", &memory,
                            err));
    *plane = (struct zt_plane){ .width = width,
                                .height = height,
                                .stride = stride,
                                .at = (uint8_t *)memory + ZT_PLANE_PAD * stride + ZT_PLANE_PAD,
                                .memory = memory };
    return ZT_OK;
}

void zt_plane_clear(struct zt_plane *plane)
{
    free(plane->memory);
    *plane = (struct zt_plane){ 0 };
}

void zt_plane_pad(struct zt_plane *plane)
{
    for (int y = 0; y < plane->height; y++) {
        uint8_t *row = plane->at + (size_t)y * plane->stride;
        memset(row - ZT_PLANE_PAD, row[0], ZT_PLANE_PAD);
        memset(row + plane->width, row[plane->width - 1], ZT_PLANE_PAD);
    }
    const uint8_t *top = plane->at - ZT_PLANE_PAD;
    const uint8_t *bottom = top + (size_t)(plane->height - 1) * plane->stride;
    size_t n = (size_t)plane->width + 2 * ZT_PLANE_PAD;
    for (int i = 1; i <= ZT_PLANE_PAD; i++) {
        memcpy(plane->at - ZT_PLANE_PAD - (size_t)i * plane->stride, top, n);
        memcpy(plane->at - ZT_PLANE_PAD + (size_t)(plane->height - 1 + i) * plane->stride, bottom,
               n);
    }
}

/* ---- the prefilter ------------------------------------------------------------------------- */

/*
 * Two designs for the response of prefilter times spline, (2 + cos w) / 3, at w = 0, pi/3, 2pi/3
 * and pi; densities between theirs mix them.
 *   interpolating: 1, 1, 1, 1 - the inverse of the spline as far as seven taps go
 *   band-limiting: 1, 0.97, 0.41, 0.1 - at density 1.5, flat up to half of what a frame can show
 *                  and as far down at its limit as a good resizer
 */
static const double interpolating[REACH + 1] = { 1.73333, -0.46667, 0.13333, -0.03333 };
static const double band_limiting[REACH + 1] = { 0.876, 0.175, -0.113, 0 };
#define BAND_DENSITY 1.5

struct prefilter {
    int weight[REACH + 1];
};

static struct prefilter prefilter_for(double density)
{
    struct prefilter f;
    double mix = fmin(fmax((density - 1) / (BAND_DENSITY - 1), 0), 1);
    int sum = 0;

    for (int i = REACH; i > 0; i--) {
        f.weight[i] = (int)lround((interpolating[i] * (1 - mix) + band_limiting[i] * mix) *
                                  (1 << WEIGHT_BITS));
        sum += 2 * f.weight[i];
    }
    f.weight[0] = (1 << WEIGHT_BITS) - sum;
    return f;
}

static uint8_t to_byte(int32_t v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

struct job {
    const struct zt_image *picture;
    struct zt_planes *samples;
};

struct filtering {
    const struct zt_plane *in;
    struct zt_plane *out;
    struct prefilter filter;
};

static void to_yuv(void *user, int first, int end)
{
    const struct job *j = user;
    uint8_t *plane[3];
    size_t stride[3];

    for (int i = 0; i < 3; i++) {
        plane[i] = j->samples->plane[i].at;
        stride[i] = j->samples->plane[i].stride;
    }
    zt_rgb24_to_yuv420(j->picture->pixels, j->picture->stride, j->picture->width_px,
                       j->picture->height_px, plane, stride, first, end);
}

/*
 * Down the columns, keeping 6 bits below the sample, then along the row. line holds width +
 * 2 * REACH values. Absolute weights are 3 in sum at most: 255 * 2^6 * 2^12 * 3^2 < 2^31.
 */
ZT_MEDIA_CLONES static void filter_row(const uint8_t *row, ptrdiff_t s, int width,
                                       const int *weight, int32_t *line, uint8_t *out)
{
    const int w[REACH + 1] = { weight[0], weight[1], weight[2], weight[3] };
    int n = width + 2 * REACH;

    for (int x = 0; x < n; x++)
        line[x] = (w[0] * row[x] + w[1] * (row[x - s] + row[x + s]) +
                   w[2] * (row[x - 2 * s] + row[x + 2 * s]) +
                   w[3] * (row[x - 3 * s] + row[x + 3 * s]) + 32) >>
                  6;
    for (int x = 0; x < width; x++) {
        const int32_t *v = line + x + REACH;
        int32_t sum =
            w[0] * v[0] + w[1] * (v[-1] + v[1]) + w[2] * (v[-2] + v[2]) + w[3] * (v[-3] + v[3]);
        out[x] = to_byte((sum + (1 << 17)) >> 18);
    }
}

static void filter_rows(void *user, int first, int end)
{
    const struct filtering *f = user;
    int32_t *line = zt_new_array(int32_t, (size_t)f->in->width + 2 * REACH);

    for (int y = first; y < end; y++)
        filter_row(f->in->at + (ptrdiff_t)y * (ptrdiff_t)f->in->stride - REACH,
                   (ptrdiff_t)f->in->stride, f->in->width, f->filter.weight, line,
                   f->out->at + (size_t)y * f->out->stride);
    free(line);
}

void zt_plane_filter(const struct zt_plane *samples, double density, struct zt_pool *pool,
                     struct zt_plane *ret)
{
    struct filtering f = { .in = samples, .out = ret, .filter = prefilter_for(density) };

    zt_assert(samples->width == ret->width && samples->height == ret->height);
    zt_pool_for(pool, samples->height, GRAIN, filter_rows, &f);
    zt_plane_pad(ret);
}

static enum zt_code init_all(struct zt_planes *planes, int width, int height, struct zt_err *err)
{
    ZT_TRY(zt_plane_init(&planes->plane[0], width, height, err));
    ZT_TRY(zt_plane_init(&planes->plane[1], width / 2, height / 2, err));
    return zt_plane_init(&planes->plane[2], width / 2, height / 2, err);
}

enum zt_code zt_planes_init(struct zt_planes *planes, const struct zt_image *picture,
                            double density, struct zt_pool *pool, struct zt_err *err)
{
    struct zt_planes samples = { 0 };
    struct job job = { .picture = picture, .samples = &samples };

    zt_assert(picture->width_px % 2 == 0 && picture->height_px % 2 == 0);
    *planes = (struct zt_planes){ 0 };
    enum zt_code rc = init_all(&samples, picture->width_px, picture->height_px, err);
    if (rc == ZT_OK)
        rc = init_all(planes, picture->width_px, picture->height_px, err);
    if (rc == ZT_OK) {
        zt_pool_for(pool, picture->height_px / 2, GRAIN / 2, to_yuv, &job);
        for (int i = 0; i < 3; i++) {
            zt_plane_pad(&samples.plane[i]);
            zt_plane_filter(&samples.plane[i], density, pool, &planes->plane[i]);
        }
    } else {
        zt_planes_clear(planes);
    }
    zt_planes_clear(&samples);
    return rc;
}

void zt_planes_clear(struct zt_planes *planes)
{
    for (int i = 0; i < 3; i++)
        zt_plane_clear(&planes->plane[i]);
}
