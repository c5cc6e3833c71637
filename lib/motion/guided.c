/* guided.c - see guided.h. */
#include "motion/guided.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/thread.h"
#include "media/colour.h"

#define ROWS    8   /* whose sums run side by side: one alone waits for itself */
#define COLUMNS 128 /* likewise */
#define GRAIN   32  /* rows a thread takes at a time */

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

void zt_box_mean(const float *src, float *dst, float *tmp, int width, int height, int radius)
{
    if (radius <= SMALL && width > 2 * radius)
        mean_rows_small(src, tmp, width, height, radius);
    else
        mean_rows_large(src, tmp, width, height, radius);
    mean_columns(tmp, dst, width, height, radius);
}

/* One symmetric 3 x 3 system a pixel: (cov + epsilon I) a = cross, by the adjugate. */
static void solve(const float cov[6], float epsilon, const float cross[3], float a[3])
{
    double xx = (double)cov[0] + (double)epsilon;
    double xy = (double)cov[1];
    double xz = (double)cov[2];
    double yy = (double)cov[3] + (double)epsilon;
    double yz = (double)cov[4];
    double zz = (double)cov[5] + (double)epsilon;
    double inverse[6] = { yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy,
                          xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy };
    double det = xx * inverse[0] + xy * inverse[1] + xz * inverse[2];
    double r[3] = { (double)cross[0], (double)cross[1], (double)cross[2] };

    a[0] = (float)((inverse[0] * r[0] + inverse[1] * r[1] + inverse[2] * r[2]) / det);
    a[1] = (float)((inverse[1] * r[0] + inverse[3] * r[1] + inverse[4] * r[2]) / det);
    a[2] = (float)((inverse[2] * r[0] + inverse[4] * r[1] + inverse[5] * r[2]) / det);
}

/* Planes of the working set, n floats each. */
enum { MEAN_G, CROSS = MEAN_G + 3, COV = CROSS + 3, MEAN_P = COV + 6, A, PLANES = A + 3 };

struct fit {
    const float *guide, *map;
    int width, height, radius;
    float epsilon;
    float *plane[PLANES];
    int first; /* plane of a loop over planes */
    float *ret;
    atomic_bool no_memory;
};

static void mean_planes(void *user, int first, int end)
{
    struct fit *f = user;
    void *tmp = NULL;

    if (zt_try_alloc_raw((size_t)f->width * (size_t)f->height, sizeof(float), "the guided filter",
                         &tmp, NULL) != ZT_OK) {
        atomic_store(&f->no_memory, true);
        return;
    }
    for (int k = f->first + first; k < f->first + end; k++)
        zt_box_mean(f->plane[k], f->plane[k], tmp, f->width, f->height, f->radius);
    free(tmp);
}

/* What means are taken of; rows, as below. */
static void fill_planes(void *user, int first, int end)
{
    static const int pair[6][2] = { { 0, 0 }, { 0, 1 }, { 0, 2 }, { 1, 1 }, { 1, 2 }, { 2, 2 } };
    const struct fit *f = user;
    float *const *plane = f->plane;

    for (size_t i = (size_t)first * (size_t)f->width; i < (size_t)end * (size_t)f->width; i++) {
        const float *g = f->guide + 3 * i;
        plane[MEAN_P][i] = f->map[i];
        for (int c = 0; c < 3; c++) {
            plane[MEAN_G + c][i] = g[c];
            plane[CROSS + c][i] = g[c] * f->map[i];
        }
        for (int k = 0; k < 6; k++)
            plane[COV + k][i] = g[pair[k][0]] * g[pair[k][1]];
    }
}

static void solve_rows(void *user, int first, int end)
{
    static const int pair[6][2] = { { 0, 0 }, { 0, 1 }, { 0, 2 }, { 1, 1 }, { 1, 2 }, { 2, 2 } };
    const struct fit *f = user;
    float *const *plane = f->plane;

    for (size_t i = (size_t)first * (size_t)f->width; i < (size_t)end * (size_t)f->width; i++) {
        float cov[6];
        float cross[3];
        float a[3];
        for (int k = 0; k < 6; k++)
            cov[k] =
                plane[COV + k][i] - plane[MEAN_G + pair[k][0]][i] * plane[MEAN_G + pair[k][1]][i];
        for (int c = 0; c < 3; c++)
            cross[c] = plane[CROSS + c][i] - plane[MEAN_G + c][i] * plane[MEAN_P][i];
        solve(cov, f->epsilon, cross, a);
        for (int c = 0; c < 3; c++) {
            plane[A + c][i] = a[c];
            plane[MEAN_P][i] -= a[c] * plane[MEAN_G + c][i];
        }
    }
}

static void deal_out(void *user, int first, int end)
{
    const struct fit *f = user;

    for (size_t i = (size_t)first * (size_t)f->width; i < (size_t)end * (size_t)f->width; i++) {
        for (int c = 0; c < 3; c++)
            f->ret[4 * i + (size_t)c] = f->plane[A + c][i];
        f->ret[4 * i + 3] = f->plane[MEAN_P][i];
    }
}

static void run(struct zt_pool *pool, int n, int grain, zt_slice_fn *fn, void *user)
{
    if (pool != NULL)
        zt_pool_for(pool, n, grain, fn, user);
    else
        fn(user, 0, n);
}

enum zt_code zt_guided_fit(const float *guide, const float *map, int width, int height, int radius,
                           float epsilon, struct zt_pool *pool, float *ret, struct zt_err *err)
{
    struct fit f = { .guide = guide,
                     .map = map,
                     .width = width,
                     .height = height,
                     .radius = radius,
                     .epsilon = epsilon,
                     .ret = ret };
    size_t n = (size_t)width * (size_t)height;
    void *memory = NULL;

    zt_assert(radius >= 1 && epsilon > 0);
    ZT_TRY(zt_try_alloc_raw(n * PLANES, sizeof(float), "the guided filter", &memory, err));
    zt_auto_free float *all = memory;
    for (int k = 0; k < PLANES; k++)
        f.plane[k] = all + (size_t)k * n;
    run(pool, height, GRAIN, fill_planes, &f);
    run(pool, A, 1, mean_planes, &f);
    run(pool, height, GRAIN, solve_rows, &f);
    f.first = MEAN_P; /* from here on: the constant of the fit */
    run(pool, PLANES - MEAN_P, 1, mean_planes, &f);
    run(pool, height, GRAIN, deal_out, &f);
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
    ZT_TRY(zt_guided_fit(guide, map, width, height, radius, epsilon, pool, fit, err));
    for (size_t i = 0; i < n; i++) {
        const float *g = guide + 3 * i;
        map[i] = fit[4 * i] * g[0] + fit[4 * i + 1] * g[1] + fit[4 * i + 2] * g[2] + fit[4 * i + 3];
    }
    return ZT_OK;
}
