/*
 * resize.c - see resize.h. Each thread takes a band of output rows and keeps a ring of as many
 * horizontally filtered source rows as the vertical filter spans, so that the working set stays in
 * the cache whatever the size of the picture.
 */
#include "media/resize.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/thread.h"
#include "media/colour.h"
#include "media/frame.h"

#define PI         3.14159265358979323846
#define CROP_SLACK 1e-6

/* A pixel in linear light: R, G, B and an unused lane; the same of two rows. */
typedef float rgbx __attribute__((vector_size(16)));
typedef float two_rgbx __attribute__((vector_size(32)));

/* For each output position: where its samples start, and as many weights as there are taps. */
struct axis {
    int n, taps;
    int *first;
    float *weight;
};

static void zt_auto_axis(struct axis *axis)
{
    free(axis->first);
    free(axis->weight);
}

static double sinc(double x)
{
    return x == 0 ? 1 : sin(PI * x) / (PI * x);
}

static double lanczos3(double x)
{
    return fabs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
}

static double catmull_rom(double x)
{
    x = fabs(x);
    if (x < 1)
        return (1.5 * x - 2.5) * x * x + 1;
    return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

/* Adds up to 1 over all taps; what falls beyond the picture counts for its edge. */
static void fill_weights(struct axis *axis, int i, double centre, double scale, int src_n)
{
    double stretch = scale > 1 ? scale : 1;
    double radius = (scale > 1 ? 3 : 2) * stretch;
    int from = (int)floor(centre - radius + 0.5);
    int to = (int)ceil(centre + radius - 0.5);
    int first = from < 0 ? 0 : from;
    double sum = 0;

    if (first > src_n - axis->taps)
        first = src_n - axis->taps;
    axis->first[i] = first;
    for (int pass = 0; pass < 2; pass++) { /* the sum, then weights divided by it */
        for (int j = from; j <= to; j++) {
            double x = (j + 0.5 - centre) / stretch;
            double w = scale > 1 ? lanczos3(x) : catmull_rom(x);
            int at = j < 0 ? 0 : j >= src_n ? src_n - 1 : j;
            if (pass == 0)
                sum += w;
            else if (w != 0)
                axis->weight[(size_t)i * (size_t)axis->taps + (size_t)(at - first)] +=
                    (float)(w / sum);
        }
    }
}

static enum zt_code axis_init(struct axis *axis, double start, double length, int src_n, int n,
                              struct zt_err *err)
{
    double scale = length / n;
    double radius = scale > 1 ? 3 * scale : 2;
    double span = 2 * ceil(radius) + 1;
    void *memory = NULL;

    axis->n = n;
    axis->taps = span < src_n ? (int)span : src_n;
    ZT_TRY(zt_try_alloc((size_t)n, sizeof(int), "filter positions", &memory, err));
    axis->first = memory;
    ZT_TRY(zt_try_alloc((size_t)n * (size_t)axis->taps, sizeof(float), "filter weights", &memory,
                        err));
    axis->weight = memory;
    for (int i = 0; i < n; i++)
        fill_weights(axis, i, start + (i + 0.5) * scale, scale, src_n);
    return ZT_OK;
}

struct job {
    const struct zt_image *src;
    struct axis across, down;
    int column, columns; /* the part of a source row that is read */
    const float *to_linear;
    const uint8_t *to_srgb;
    uint8_t *dst; /* either this ... */
    size_t dst_stride;
    float *linear; /* ... or this */
    atomic_bool no_memory;
};

/* Two rows side by side: pixel x of both is at row + x. */
ZT_MEDIA_CLONES static void add_taps(const struct axis *axis, const two_rgbx *row, rgbx *first,
                                     rgbx *second)
{
    const int taps = axis->taps;

    for (int x = 0; x < axis->n; x++) {
        const float *w = axis->weight + (size_t)x * (size_t)taps;
        const two_rgbx *in = row + axis->first[x];
        two_rgbx even = { 0 };
        two_rgbx odd = { 0 };
        int k = 0;
        for (; k + 1 < taps; k += 2) { /* two sums: neither waits for the other */
            even += in[k] * w[k];
            odd += in[k + 1] * w[k + 1];
        }
        if (k < taps)
            even += in[k] * w[k];
        even += odd;
        memcpy(first + x, &even, sizeof(*first));
        memcpy(second + x, (const float *)&even + 4, sizeof(*second));
    }
}

/* Source rows y and y + 1; after the last one, that once more. */
static void filter_across(const struct job *job, int y, two_rgbx *line, rgbx *first, rgbx *second)
{
    const float *linear = job->to_linear;

    for (int half = 0; half < 2; half++) {
        int row = y + half < job->src->height_px ? y + half : y;
        const uint8_t *src =
            job->src->pixels + (size_t)row * job->src->stride + 3 * (size_t)job->column;
        rgbx *at = (rgbx *)line + half;
        for (int x = 0; x < job->columns; x++, src += 3, at += 2)
            *at = (rgbx){ linear[src[0]], linear[src[1]], linear[src[2]] };
    }
    add_taps(&job->across, line - job->column, first, second);
}

ZT_MEDIA_CLONES static void add_row(float *dst, const float *src, float weight, int n)
{
    for (int i = 0; i < n; i++)
        dst[i] += src[i] * weight;
}

static void store_row(const struct job *job, int y, const rgbx *row)
{
    int n = job->across.n;

    if (job->linear != NULL) {
        float *dst = job->linear + (size_t)y * (size_t)n * 3;
        for (int x = 0; x < n; x++, dst += 3)
            for (int c = 0; c < 3; c++)
                dst[c] = row[x][c];
        return;
    }
    uint8_t *dst = job->dst + (size_t)y * job->dst_stride;
    for (int x = 0; x < n; x++, dst += 3) {
        for (int c = 0; c < 3; c++) {
            float v = row[x][c];
            v = v > 0 ? v : 0;
            v = v < 1 ? v : 1;
            dst[c] = job->to_srgb[(int)(v * 65535 + 0.5f)];
        }
    }
}

static void resize_band(void *user, int first, int end)
{
    struct job *job = user;
    const struct axis *down = &job->down;
    size_t n = (size_t)job->across.n;
    void *memory = NULL;

    int slots = down->taps + 1; /* rows come in pairs: one may come too early */
    size_t total = n * ((size_t)slots + 1) + 2 * (size_t)job->columns;
    if (zt_try_alloc_raw(total, sizeof(rgbx), "rows", &memory, NULL) != ZT_OK) {
        atomic_store(&job->no_memory, true);
        return;
    }
    two_rgbx *line = memory;
    rgbx *ring = (rgbx *)(line + job->columns);
    rgbx *sum = ring + n * (size_t)slots;
    int next = down->first[first]; /* the first source row not filtered yet */
    for (int y = first; y < end; y++) {
        int from = down->first[y];
        if (next < from)
            next = from;
        for (; next < from + down->taps; next += 2)
            filter_across(job, next, line, ring + n * (size_t)(next % slots),
                          ring + n * (size_t)((next + 1) % slots));
        memset(sum, 0, n * sizeof(*sum));
        for (int k = 0; k < down->taps; k++) {
            float w = down->weight[(size_t)y * (size_t)down->taps + (size_t)k];
            const rgbx *row = ring + n * (size_t)((from + k) % slots);
            if (w != 0)
                add_row((float *)sum, (const float *)row, w, (int)(4 * n));
        }
        store_row(job, y, sum);
    }
    free(memory);
}

static enum zt_code check(const struct zt_image *src, const struct zt_crop *crop, int width_px,
                          int height_px, struct zt_err *err)
{
    if (src == NULL || src->pixels == NULL || src->width_px < 1 || src->height_px < 1)
        return zt_fail(err, ZT_E_INVALID, "the picture is empty");
    if (width_px < 1 || height_px < 1 || width_px > ZT_FRAME_MAX_SIDE_PX ||
        height_px > ZT_FRAME_MAX_SIDE_PX)
        return zt_fail(err, ZT_E_INVALID, "the new size must be 1 to %d pixels a side, not %dx%d",
                       ZT_FRAME_MAX_SIDE_PX, width_px, height_px);
    /* written so that a NaN fails */
    if (!(crop->w > 0 && crop->h > 0 && crop->x >= -CROP_SLACK && crop->y >= -CROP_SLACK &&
          crop->x + crop->w <= src->width_px + CROP_SLACK &&
          crop->y + crop->h <= src->height_px + CROP_SLACK))
        return zt_fail(err, ZT_E_INVALID,
                       "the part %.6gx%.6g at %.6g,%.6g is not inside the %dx%d picture", crop->w,
                       crop->h, crop->x, crop->y, src->width_px, src->height_px);
    return ZT_OK;
}

static enum zt_code run(struct job *job, struct zt_pool *pool, struct zt_err *err)
{
    int threads = pool ? zt_pool_threads(pool) : 1;
    int n = job->down.n;
    int last = job->across.first[job->across.n - 1] + job->across.taps;

    job->to_linear = zt_srgb_to_linear_table();
    job->to_srgb = zt_linear_to_srgb_table();
    job->column = job->across.first[0];
    job->columns = last - job->column;
    if (threads == 1) {
        resize_band(job, 0, n);
    } else {
        /* Two bands a thread even out the load; more would filter their borders more often. */
        int grain = (n + 2 * threads - 1) / (2 * threads);
        zt_pool_for(pool, n, grain, resize_band, job);
    }
    if (atomic_load(&job->no_memory))
        return zt_fail(err, ZT_E_NOMEM, "not enough memory to resize the picture");
    return ZT_OK;
}

struct zt_crop zt_crop_all(const struct zt_image *image)
{
    return (struct zt_crop){ 0, 0, image->width_px, image->height_px };
}

struct zt_crop zt_crop_to_aspect(const struct zt_image *image, int width, int height)
{
    double w = image->width_px;
    double h = image->height_px;
    struct zt_crop crop = zt_crop_all(image);

    zt_assert(width > 0 && height > 0);
    if (w * height > h * width)
        crop.w = h * width / height;
    else
        crop.h = w * height / width;
    crop.x = (w - crop.w) / 2;
    crop.y = (h - crop.h) / 2;
    return crop;
}

static enum zt_code resize(struct job *job, const struct zt_crop *crop, int width_px, int height_px,
                           struct zt_pool *pool, struct zt_err *err)
{
    __attribute__((cleanup(zt_auto_axis))) struct axis across = { 0 };
    __attribute__((cleanup(zt_auto_axis))) struct axis down = { 0 };

    ZT_TRY(axis_init(&across, crop->x, crop->w, job->src->width_px, width_px, err));
    ZT_TRY(axis_init(&down, crop->y, crop->h, job->src->height_px, height_px, err));
    job->across = across;
    job->down = down;
    return run(job, pool, err);
}

enum zt_code zt_resize_rgb24(const struct zt_image *src, const struct zt_crop *crop, uint8_t *dst,
                             size_t dst_stride, int width_px, int height_px, struct zt_pool *pool,
                             struct zt_err *err)
{
    struct job job = { .src = src, .dst = dst, .dst_stride = dst_stride };

    ZT_TRY(check(src, crop, width_px, height_px, err));
    return resize(&job, crop, width_px, height_px, pool, err);
}

enum zt_code zt_resize_linear(const struct zt_image *src, const struct zt_crop *crop, float *dst,
                              int width_px, int height_px, struct zt_pool *pool, struct zt_err *err)
{
    struct job job = { .src = src, .linear = dst };

    ZT_TRY(check(src, crop, width_px, height_px, err));
    return resize(&job, crop, width_px, height_px, pool, err);
}
