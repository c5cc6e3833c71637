/*
 * guided.c - see guided.h. The filter goes down its picture a row at a time and keeps no more rows
 * than its windows span, so that the working set stays in the cache.
 */
#include "motion/guided.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/thread.h"
#include "media/colour.h"

#define ROWS    8   /* whose sums run side by side: one alone waits for itself */
#define COLUMNS 128 /* likewise */
#define BAND    96  /* rows that are filtered in one go */

/* Small windows are added up at each point, many points at a time. */
#define SMALL 8

ZT_MEDIA_CLONES static void add_window(const float *restrict src, float *restrict dst, int n,
                                       int radius)
{
    const float part = 1.0F / (float)(2 * radius + 1);

    for (int x = 0; x < n; x++)
        dst[x] = src[x];
    for (int k = 1; k <= 2 * radius; k++)
        for (int x = 0; x < n; x++)
            dst[x] += src[x + k];
    for (int x = 0; x < n; x++)
        dst[x] *= part;
}

static void mean_rows_small(const float *src, float *dst, int width, int height, int radius)
{
    for (int y = 0; y < height; y++, src += width, dst += width) {
        for (int i = 0; i < 2 * radius; i++) { /* the ends, whose windows are cut */
            int x = i < radius ? i : width - 2 * radius + i;
            int first = x - radius > 0 ? x - radius : 0;
            int end = x + radius + 1 < width ? x + radius + 1 : width;
            float sum = 0;
            for (int k = first; k < end; k++)
                sum += src[k];
            dst[x] = sum / (float)(end - first);
        }
        add_window(src, dst + radius, width - 2 * radius, radius);
    }
}

/* Running sums in double: they would drift in float over a long row. */
ZT_MEDIA_CLONES static void mean_rows_large(const float *src, float *dst, int width, int height,
                                            int radius)
{
    for (int y = 0; y < height; y += ROWS) {
        const float *row[ROWS];
        double sum[ROWS] = { 0 };
        int rows = height - y < ROWS ? height - y : ROWS;
        int first = 0;
        int end = 0;                   /* the window is [first, end) */
        for (int k = 0; k < ROWS; k++) /* too few: the last one again */
            row[k] = src + (size_t)(y + (k < rows ? k : rows - 1)) * (size_t)width;
        for (int x = 0; x < width; x++) {
            int want_first = x - radius > 0 ? x - radius : 0;
            int want_end = x + radius + 1 < width ? x + radius + 1 : width;
            for (; end < want_end; end++)
                for (int k = 0; k < ROWS; k++)
                    sum[k] += (double)row[k][end];
            for (; first < want_first; first++)
                for (int k = 0; k < ROWS; k++)
                    sum[k] -= (double)row[k][first];
            double part = 1.0 / (end - first);
            for (int k = 0; k < rows; k++)
                dst[(size_t)(y + k) * (size_t)width + (size_t)x] = (float)(sum[k] * part);
        }
    }
}

/* dst is not src. */
ZT_MEDIA_CLONES static void mean_columns(const float *src, float *dst, int width, int height,
                                         int radius)
{
    for (int x = 0; x < width; x += COLUMNS) {
        int columns = width - x < COLUMNS ? width - x : COLUMNS;
        double sum[COLUMNS] = { 0 };
        int first = 0;
        int end = 0;
        for (int y = 0; y < height; y++) {
            int want_first = y - radius > 0 ? y - radius : 0;
            int want_end = y + radius + 1 < height ? y + radius + 1 : height;
            for (; end < want_end; end++)
                for (int i = 0; i < columns; i++)
                    sum[i] += (double)src[(size_t)end * (size_t)width + (size_t)(x + i)];
            for (; first < want_first; first++)
                for (int i = 0; i < columns; i++)
                    sum[i] -= (double)src[(size_t)first * (size_t)width + (size_t)(x + i)];
            double part = 1.0 / (end - first);
            for (int i = 0; i < columns; i++)
                dst[(size_t)y * (size_t)width + (size_t)(x + i)] = (float)(sum[i] * part);
        }
    }
}

static void mean_rows(const float *src, float *dst, int width, int height, int radius)
{
    if (radius <= SMALL && width > 2 * radius)
        mean_rows_small(src, dst, width, height, radius);
    else
        mean_rows_large(src, dst, width, height, radius);
}

void zt_box_mean(const float *src, float *dst, float *tmp, int width, int height, int radius)
{
    mean_rows(src, tmp, width, height, radius);
    mean_columns(tmp, dst, width, height, radius);
}

/* ---- the filter ---------------------------------------------------------------------------- */

/* What means are taken of, and what is solved from those; rows of as many planes. */
enum { MEAN_G, CROSS = MEAN_G + 3, COV = CROSS + 3, MEAN_P = COV + 6, STATS = MEAN_P + 1 };
enum { A, B = A + 3, FIT = B + 1 };

/* The rows under a window that goes down a picture, and their sums; n floats a row. */
struct window {
    int n, slots;
    float *rows; /* [slots][n], row y in slot y % slots */
    double *sum; /* [n], in double: see above */
    int first, end;
};

static float *row_of(const struct window *w, int y)
{
    return w->rows + (size_t)(y % w->slots) * (size_t)w->n;
}

ZT_MEDIA_CLONES static void add(double *restrict sum, const float *restrict row, int n)
{
    for (int i = 0; i < n; i++)
        sum[i] += (double)row[i];
}

ZT_MEDIA_CLONES static void subtract(double *restrict sum, const float *restrict row, int n)
{
    for (int i = 0; i < n; i++)
        sum[i] -= (double)row[i];
}

ZT_MEDIA_CLONES static void scale(const double *restrict sum, double part, float *restrict ret,
                                  int n)
{
    for (int i = 0; i < n; i++)
        ret[i] = (float)(sum[i] * part);
}

/* The row at w->end has been written. */
static void take_row(struct window *w)
{
    add(w->sum, row_of(w, w->end), w->n);
    w->end++;
}

/* Means over the rows from `first` on; those before are left behind. */
static void take_means(struct window *w, int first, float *ret)
{
    for (; w->first < first; w->first++)
        subtract(w->sum, row_of(w, w->first), w->n);
    scale(w->sum, 1.0 / (w->end - w->first), ret, w->n);
}

/* guide [n][3], map [n] to STATS planes. */
ZT_MEDIA_CLONES static void multiply(const float *restrict guide, const float *restrict map,
                                     float *restrict ret, int n)
{
    const size_t plane = (size_t)n;

    for (size_t i = 0; i < plane; i++) {
        float r = guide[3 * i], g = guide[3 * i + 1], b = guide[3 * i + 2], p = map[i];
        float *to = ret + i;
        to[MEAN_G * plane] = r;
        to[(MEAN_G + 1) * plane] = g;
        to[(MEAN_G + 2) * plane] = b;
        to[CROSS * plane] = r * p;
        to[(CROSS + 1) * plane] = g * p;
        to[(CROSS + 2) * plane] = b * p;
        to[COV * plane] = r * r;
        to[(COV + 1) * plane] = r * g;
        to[(COV + 2) * plane] = r * b;
        to[(COV + 3) * plane] = g * g;
        to[(COV + 4) * plane] = g * b;
        to[(COV + 5) * plane] = b * b;
        to[MEAN_P * plane] = p;
    }
}

/* One symmetric 3 x 3 system a pixel: (cov + epsilon I) a = cross, by the adjugate. */
ZT_MEDIA_CLONES static void solve(const float *restrict mean, double epsilon, float *restrict ret,
                                  int n)
{
    const size_t plane = (size_t)n;

    for (size_t i = 0; i < plane; i++) {
        const float *m = mean + i;
        float r = m[MEAN_G * plane], g = m[(MEAN_G + 1) * plane], b = m[(MEAN_G + 2) * plane];
        float p = m[MEAN_P * plane];
        double xx = (double)(m[COV * plane] - r * r) + epsilon;
        double xy = (double)(m[(COV + 1) * plane] - r * g);
        double xz = (double)(m[(COV + 2) * plane] - r * b);
        double yy = (double)(m[(COV + 3) * plane] - g * g) + epsilon;
        double yz = (double)(m[(COV + 4) * plane] - g * b);
        double zz = (double)(m[(COV + 5) * plane] - b * b) + epsilon;
        double inverse[6] = { yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy,
                              xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy };
        double det = xx * inverse[0] + xy * inverse[1] + xz * inverse[2];
        double x = (double)(m[CROSS * plane] - r * p);
        double y = (double)(m[(CROSS + 1) * plane] - g * p);
        double z = (double)(m[(CROSS + 2) * plane] - b * p);
        float ar = (float)((inverse[0] * x + inverse[1] * y + inverse[2] * z) / det);
        float ag = (float)((inverse[1] * x + inverse[3] * y + inverse[4] * z) / det);
        float ab = (float)((inverse[2] * x + inverse[4] * y + inverse[5] * z) / det);
        ret[A * plane + i] = ar;
        ret[(A + 1) * plane + i] = ag;
        ret[(A + 2) * plane + i] = ab;
        ret[B * plane + i] = p - ar * r - ag * g - ab * b;
    }
}

struct fit {
    const float *guide, *map;
    const uint8_t *wanted;
    int width, height, radius;
    float epsilon;
    float *ret;
    atomic_bool no_memory;
};

/* Points [left, right) of rows [top, bottom). */
struct part {
    int left, right, top, bottom;
};

/* As much on all sides as the two windows reach. */
static struct part with_rim(const struct fit *f, const struct part *p)
{
    int rim = 2 * f->radius;

    return (struct part){ .left = p->left > rim ? p->left - rim : 0,
                          .right = p->right + rim < f->width ? p->right + rim : f->width,
                          .top = p->top > rim ? p->top - rim : 0,
                          .bottom = p->bottom + rim < f->height ? p->bottom + rim : f->height };
}

static struct window window_of(int planes, const struct part *p, int radius, double **memory)
{
    int n = planes * (p->right - p->left), slots = 2 * radius + 2;
    struct window w = { .n = n, .slots = slots, .sum = *memory };

    memset(w.sum, 0, (size_t)n * sizeof(*w.sum));
    w.rows = (float *)(*memory + n);
    *memory += n + n * slots / 2;
    return w;
}

/* Doubles that fit_part needs for a row of `width` points. */
static size_t memory_for(int width, int radius)
{
    return (size_t)width * ((STATS + FIT) * (2 + (size_t)radius) + STATS);
}

static void write_row(const struct fit *f, const struct part *p, int y, const float *row, int left,
                      int n)
{
    float *ret = f->ret + 4 * ((size_t)y * (size_t)f->width + (size_t)p->left);

    for (int x = p->left - left; x < p->right - left; x++, ret += 4)
        for (int k = 0; k < FIT; k++)
            ret[k] = row[k * n + x];
}

static void fit_part(const struct fit *f, const struct part *p, double *memory)
{
    struct part all = with_rim(f, p);
    int n = all.right - all.left, h = all.bottom - all.top, radius = f->radius, done = 0;
    struct window stats = window_of(STATS, &all, radius, &memory);
    struct window fits = window_of(FIT, &all, radius, &memory);
    float *fresh = (float *)memory, *mean = fresh + STATS * n;

    for (int y = 0; y < h; y++) {
        while (stats.end < h && stats.end <= y + radius) {
            size_t at = (size_t)(all.top + stats.end) * (size_t)f->width + (size_t)all.left;
            multiply(f->guide + 3 * at, f->map + at, fresh, n);
            mean_rows(fresh, row_of(&stats, stats.end), n, STATS, radius);
            take_row(&stats);
        }
        take_means(&stats, y - radius, mean);
        solve(mean, (double)f->epsilon, fresh, n);
        mean_rows(fresh, row_of(&fits, y), n, FIT, radius);
        take_row(&fits);
        for (; done + radius <= y || (y + 1 == h && done < h); done++) {
            take_means(&fits, done - radius, mean);
            if (all.top + done >= p->top && all.top + done < p->bottom)
                write_row(f, p, all.top + done, mean, all.left, n);
        }
    }
}

/* Narrows a part to the columns that are wanted; false when none is. */
static bool narrow(const struct fit *f, struct part *p)
{
    int left = f->width, right = 0;

    for (int y = p->top; y < p->bottom; y++) {
        const uint8_t *row = f->wanted + (size_t)y * (size_t)f->width;
        const uint8_t *hit = memchr(row, 1, (size_t)f->width);
        if (hit == NULL)
            continue;
        left = hit - row < left ? (int)(hit - row) : left;
        int last = f->width - 1;
        while (row[last] == 0)
            last--;
        right = last + 1 > right ? last + 1 : right;
    }
    p->left = left;
    p->right = right;
    return left < right;
}

static void fit_bands(void *user, int first, int end)
{
    struct fit *f = user;
    void *memory = NULL;

    if (zt_try_alloc_raw(memory_for(f->width, f->radius), sizeof(double), "the guided filter",
                         &memory, NULL) != ZT_OK) {
        atomic_store(&f->no_memory, true);
        return;
    }
    for (int band = first; band < end; band++) {
        int bottom = (band + 1) * BAND < f->height ? (band + 1) * BAND : f->height;
        struct part p = { 0, f->width, band * BAND, bottom };
        if (f->wanted == NULL || narrow(f, &p))
            fit_part(f, &p, memory);
    }
    free(memory);
}

enum zt_code zt_guided_fit(const float *guide, const float *map, const uint8_t *wanted, int width,
                           int height, int radius, float epsilon, struct zt_pool *pool, float *ret,
                           struct zt_err *err)
{
    struct fit f = { .guide = guide,
                     .map = map,
                     .wanted = wanted,
                     .width = width,
                     .height = height,
                     .radius = radius,
                     .epsilon = epsilon,
                     .ret = ret };
    int bands = (height + BAND - 1) / BAND;

    zt_assert(radius >= 1 && epsilon > 0);
    zt_pool_for(pool, bands, 1, fit_bands, &f);
    if (atomic_load(&f.no_memory))
        return zt_fail(err, ZT_E_NOMEM, "not enough memory for the guided filter");
    return ZT_OK;
}

enum zt_code zt_guided_filter(const float *guide, float *map, int width, int height, int radius,
                              float epsilon, struct zt_pool *pool, struct zt_err *err)
{
    size_t n = (size_t)width * (size_t)height;
    void *memory = NULL;

    ZT_TRY(zt_try_alloc_raw(n * 4, sizeof(float), "the guided filter", &memory, err));
    zt_auto_free float *fit = memory;
    ZT_TRY(zt_guided_fit(guide, map, NULL, width, height, radius, epsilon, pool, fit, err));
    for (size_t i = 0; i < n; i++) {
        const float *g = guide + 3 * i;
        map[i] = fit[4 * i] * g[0] + fit[4 * i + 1] * g[1] + fit[4 * i + 2] * g[2] + fit[4 * i + 3];
    }
    return ZT_OK;
}
