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
#define ABREAST    32 /* floats of a row that are worked on at once */
#define ROWS       4  /* of the source that are filtered side by side */

/* A pixel in linear light: R, G, B and an unused lane; the same of two rows. */
typedef float rgbx __attribute__((vector_size(16)));
typedef float two_rgbx __attribute__((vector_size(32)));
typedef float eight __attribute__((vector_size(32)));

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

/* sinc(x) sinc(x / 3), with sin 3t = sin t (3 - 4 sin^2 t). */
static double lanczos3(double x)
{
    double t = PI * x / 3, s = sin(t);

    if (fabs(x) >= 3)
        return 0;
    return x == 0 ? 1 : s * s * (3 - 4 * s * s) / (3 * t * t);
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
    int to = (int)ceil(centre + radius - 0.5) - 1;
    int first = from < 0 ? 0 : from;
    float *weight = axis->weight + (size_t)i * (size_t)axis->taps;
    double sum = 0;

    if (first > src_n - axis->taps)
        first = src_n - axis->taps;
    axis->first[i] = first;
    for (int j = from; j <= to; j++) {
        double x = (j + 0.5 - centre) / stretch;
        double w = scale > 1 ? lanczos3(x) : catmull_rom(x);
        int at = j < 0 ? 0 : j >= src_n ? src_n - 1 : j;
        sum += w;
        if (w != 0)
            weight[at - first] += (float)w;
    }
    for (int k = 0; k < axis->taps; k++)
        weight[k] = (float)((double)weight[k] / sum);
}

static enum zt_code axis_init(struct axis *axis, double start, double length, int src_n, int n,
                              struct zt_err *err)
{
    double scale = length / n;
    double radius = scale > 1 ? 3 * scale : 2;
    double span = ceil(2 * radius);
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

/*
 * Four rows side by side: pixel x of all is at row + 2 x. They become rows of R, G, B without a
 * gap: the unused lane lies where the next pixel goes, and after the last one.
 */
ZT_MEDIA_CLONES static void add_taps(const struct axis *axis, const two_rgbx *row,
                                     float *const ret[ROWS])
{
    const int taps = axis->taps;

    for (int x = 0; x < axis->n; x++) {
        const float *w = axis->weight + (size_t)x * (size_t)taps;
        const two_rgbx *in = row + 2 * (ptrdiff_t)axis->first[x];
        two_rgbx upper = { 0 }, lower = { 0 }, upper_odd = { 0 }, lower_odd = { 0 };
        int k = 0;
        for (; k + 1 < taps; k += 2, in += 4) { /* two sums each: neither waits for the other */
            upper += in[0] * w[k];
            lower += in[1] * w[k];
            upper_odd += in[2] * w[k + 1];
            lower_odd += in[3] * w[k + 1];
        }
        if (k < taps) {
            upper += in[0] * w[k];
            lower += in[1] * w[k];
        }
        upper += upper_odd;
        lower += lower_odd;
        memcpy(ret[0] + 3 * x, &upper, sizeof(rgbx));
        memcpy(ret[1] + 3 * x, (const float *)&upper + 4, sizeof(rgbx));
        memcpy(ret[2] + 3 * x, &lower, sizeof(rgbx));
        memcpy(ret[3] + 3 * x, (const float *)&lower + 4, sizeof(rgbx));
    }
}

/* Source rows from y on; after the last one, that again. */
static void filter_across(const struct job *job, int y, two_rgbx *line, float *const ret[ROWS])
{
    const float *linear = job->to_linear;
    const uint8_t *src[ROWS];
    rgbx *at = (rgbx *)line;

    for (int i = 0; i < ROWS; i++) {
        int row = y + i < job->src->height_px ? y + i : job->src->height_px - 1;
        src[i] = job->src->pixels + (size_t)row * job->src->stride + 3 * (size_t)job->column;
    }
    for (size_t x = 0; x < 3 * (size_t)job->columns; x += 3)
        for (int i = 0; i < ROWS; i++)
            *at++ = (rgbx){ linear[src[i][x]], linear[src[i][x + 1]], linear[src[i][x + 2]] };
    add_taps(&job->across, line - 2 * (ptrdiff_t)job->column, ret);
}

/*
 * A row of the result from those of a ring, [slots][n], beginning with the one in slot `first`. n
 * is a multiple of ABREAST, whose sums stay in registers.
 */
ZT_MEDIA_CLONES static void add_rows(const float *ring, int slots, int first, const float *weight,
                                     int taps, float *ret, size_t n)
{
    for (size_t x = 0; x < n; x += ABREAST) {
        eight a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 }, *to = (void *)(ret + x);
        for (int k = 0, slot = first; k < taps; k++) {
            const eight *from = (const void *)(ring + (size_t)slot * n + x);
            a += from[0] * weight[k];
            b += from[1] * weight[k];
            c += from[2] * weight[k];
            d += from[3] * weight[k];
            slot = slot + 1 < slots ? slot + 1 : 0;
        }
        to[0] = a;
        to[1] = b;
        to[2] = c;
        to[3] = d;
    }
}

/* Linear light as indices of the table back to sRGB. */
ZT_MEDIA_CLONES static void find_steps(const float *restrict linear, int *restrict ret)
{
    float v[ABREAST];

    for (int i = 0; i < ABREAST; i++) /* a loop each: all in one becomes branches */
        v[i] = linear[i] > 0 ? linear[i] : 0;
    for (int i = 0; i < ABREAST; i++)
        v[i] = v[i] < 1 ? v[i] : 1;
    for (int i = 0; i < ABREAST; i++)
        ret[i] = (int)(v[i] * 65535 + 0.5f);
}

/* row is as long as add_rows writes it. */
static void store_row(const struct job *job, int y, const float *row)
{
    size_t n = 3 * (size_t)job->across.n;
    int step[ABREAST];

    if (job->dst == NULL) {
        memcpy(job->linear + (size_t)y * n, row, n * sizeof(*row));
        return;
    }
    uint8_t *dst = job->dst + (size_t)y * job->dst_stride;
    for (size_t x = 0; x < n; x += ABREAST) {
        size_t count = n - x < ABREAST ? n - x : ABREAST;
        find_steps(row + x, step);
        for (size_t i = 0; i < count; i++)
            dst[x + i] = job->to_srgb[step[i]];
    }
}

static void resize_band(void *user, int first, int end)
{
    struct job *job = user;
    const struct axis *down = &job->down;
    size_t n = (3 * (size_t)job->across.n + ABREAST) / ABREAST * ABREAST; /* one more at least */
    void *memory = NULL;

    int slots = down->taps + ROWS - 1; /* some may come too early */
    size_t line = 4 * ROWS * (size_t)job->columns, total = line + n * ((size_t)slots + 1);
    if (zt_try_alloc(total, sizeof(float), "rows", &memory, NULL) != ZT_OK) {
        atomic_store(&job->no_memory, true);
        return;
    }
    float *ring = (float *)memory + line, *sum = ring + n * (size_t)slots;
    int next = down->first[first]; /* the first source row not filtered yet */
    for (int y = first; y < end; y++) {
        int from = down->first[y];
        if (next < from)
            next = from;
        for (; next < from + down->taps; next += ROWS) {
            float *fresh[ROWS];
            for (int i = 0; i < ROWS; i++)
                fresh[i] = ring + n * (size_t)((next + i) % slots);
            filter_across(job, next, memory, fresh);
        }
        add_rows(ring, slots, from % slots, down->weight + (size_t)y * (size_t)down->taps,
                 down->taps, sum, n);
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
