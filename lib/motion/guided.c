/* guided.c - see guided.h. */
#include "motion/guided.h"

#include "base/auto.h"
#include "base/mem.h"

/* Running sums in double: they would drift in float over a long row. */
static void mean_rows(const float *src, float *dst, int width, int height, int radius)
{
    for (int y = 0; y < height; y++) {
        const float *row = src + (size_t)y * (size_t)width;
        float *out = dst + (size_t)y * (size_t)width;
        double sum = 0;
        int first = 0;
        int end = 0; /* the window is [first, end) */
        for (int x = 0; x < width; x++) {
            int want_first = x - radius > 0 ? x - radius : 0;
            int want_end = x + radius + 1 < width ? x + radius + 1 : width;
            while (end < want_end)
                sum += (double)row[end++];
            while (first < want_first)
                sum -= (double)row[first++];
            out[x] = (float)(sum / (end - first));
        }
    }
}

#define COLUMNS 128 /* whose sums run side by side */

/* dst is not src. */
static void mean_columns(const float *src, float *dst, int width, int height, int radius)
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
            for (int i = 0; i < columns; i++)
                dst[(size_t)y * (size_t)width + (size_t)(x + i)] = (float)(sum[i] / (end - first));
        }
    }
}

void zt_box_mean(const float *src, float *dst, float *tmp, int width, int height, int radius)
{
    mean_rows(src, tmp, width, height, radius);
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
enum { TMP, MEAN_P, MEAN_G, CROSS = MEAN_G + 3, COV = CROSS + 3, A = COV + 6, PLANES = A + 3 };

enum zt_code zt_guided_fit(const float *guide, const float *map, int width, int height, int radius,
                           float epsilon, float *ret, struct zt_err *err)
{
    static const int pair[6][2] = { { 0, 0 }, { 0, 1 }, { 0, 2 }, { 1, 1 }, { 1, 2 }, { 2, 2 } };
    size_t n = (size_t)width * (size_t)height;
    void *memory = NULL;

    zt_assert(radius >= 1 && epsilon > 0);
    ZT_TRY(zt_try_alloc(n * PLANES, sizeof(float), "the guided filter", &memory, err));
    zt_auto_free float *all = memory;
    float *plane[PLANES];
    for (int k = 0; k < PLANES; k++)
        plane[k] = all + (size_t)k * n;

    for (size_t i = 0; i < n; i++) {
        const float *g = guide + 3 * i;
        plane[MEAN_P][i] = map[i];
        for (int c = 0; c < 3; c++) {
            plane[MEAN_G + c][i] = g[c];
            plane[CROSS + c][i] = g[c] * map[i];
        }
        for (int k = 0; k < 6; k++)
            plane[COV + k][i] = g[pair[k][0]] * g[pair[k][1]];
    }
    for (int k = MEAN_P; k < A; k++)
        zt_box_mean(plane[k], plane[k], plane[TMP], width, height, radius);
    for (size_t i = 0; i < n; i++) {
        float cov[6];
        float cross[3];
        float a[3];
        for (int k = 0; k < 6; k++)
            cov[k] =
                plane[COV + k][i] - plane[MEAN_G + pair[k][0]][i] * plane[MEAN_G + pair[k][1]][i];
        for (int c = 0; c < 3; c++)
            cross[c] = plane[CROSS + c][i] - plane[MEAN_G + c][i] * plane[MEAN_P][i];
        solve(cov, epsilon, cross, a);
        for (int c = 0; c < 3; c++) {
            plane[A + c][i] = a[c];
            plane[MEAN_P][i] -= a[c] * plane[MEAN_G + c][i];
        }
    }
    zt_box_mean(plane[MEAN_P], plane[MEAN_P], plane[TMP], width, height, radius);
    for (int c = 0; c < 3; c++)
        zt_box_mean(plane[A + c], plane[A + c], plane[TMP], width, height, radius);
    for (size_t i = 0; i < n; i++) {
        for (int c = 0; c < 3; c++)
            ret[4 * i + (size_t)c] = plane[A + c][i];
        ret[4 * i + 3] = plane[MEAN_P][i];
    }
    return ZT_OK;
}

enum zt_code zt_guided_filter(const float *guide, float *map, int width, int height, int radius,
                              float epsilon, struct zt_err *err)
{
    size_t n = (size_t)width * (size_t)height;
    void *memory = NULL;

    ZT_TRY(zt_try_alloc(n * 4, sizeof(float), "the guided filter", &memory, err));
    zt_auto_free float *fit = memory;
    ZT_TRY(zt_guided_fit(guide, map, width, height, radius, epsilon, fit, err));
    for (size_t i = 0; i < n; i++) {
        const float *g = guide + 3 * i;
        map[i] = fit[4 * i] * g[0] + fit[4 * i + 1] * g[1] + fit[4 * i + 2] * g[2] + fit[4 * i + 3];
    }
    return ZT_OK;
}
