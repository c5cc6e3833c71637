/*
 * smooth.c - see smooth.h. Rows, then columns in blocks that fit a cache line: each is a
 * tridiagonal system of its own, so the threads share nothing.
 */
#include "motion/smooth.h"

#include <math.h>
#include <stdlib.h>

#include "base/thread.h"

#define PASSES  3
#define BLOCK   16    /* columns solved side by side */
#define LONGEST 4096  /* of a row or column; callers work on proxies far below */
#define FLOOR   1e-5f /* confidence in "no motion" that everything has */

struct smooth {
    const struct zt_flow_image *guide;
    float *plane[3]; /* u * conf, v * conf, conf */
    float lambda, inv_sigma;
};

static float edge_weight(const struct smooth *s, size_t p, size_t q)
{
    const struct zt_flow_image *g = s->guide;
    float d = fabsf(g->luma[p] - g->luma[q]) + fabsf(g->blue[p] - g->blue[q]) +
              fabsf(g->red[p] - g->red[q]);
    float e = d * s->inv_sigma;

    /* Falls like exp(-e), but is the same on every machine. */
    e = 1.0f / (1.0f + e * (1.0f + e * (0.5f + e * (1.0f / 6.0f))));
    return s->lambda * e;
}

static void solve_rows(void *user, int first, int end)
{
    const struct smooth *s = user;
    int w = s->guide->width;
    float c[LONGEST];

    for (int y = first; y < end; y++) {
        size_t row = (size_t)y * (size_t)w;
        float *a = s->plane[0] + row, *b = s->plane[1] + row, *n = s->plane[2] + row;
        float before = 0.0f, pc = 0.0f;
        for (int x = 0; x < w; x++) {
            float after = x < w - 1 ? edge_weight(s, row + (size_t)x, row + (size_t)x + 1) : 0.0f;
            float inv = 1.0f / (1.0f + before + after - before * pc);
            size_t i = (size_t)x;
            pc = after * inv;
            c[x] = pc;
            a[i] = (a[i] + (x > 0 ? before * a[i - 1] : 0.0f)) * inv;
            b[i] = (b[i] + (x > 0 ? before * b[i - 1] : 0.0f)) * inv;
            n[i] = (n[i] + (x > 0 ? before * n[i - 1] : 0.0f)) * inv;
            before = after;
        }
        for (int x = w - 2; x >= 0; x--) {
            a[x] += c[x] * a[x + 1];
            b[x] += c[x] * b[x + 1];
            n[x] += c[x] * n[x + 1];
        }
    }
}

static void solve_column_block(const struct smooth *s, int left, int columns, float *c)
{
    int w = s->guide->width, h = s->guide->height;
    float before[BLOCK] = { 0 };

    for (int y = 0; y < h; y++) {
        for (int k = 0; k < columns; k++) {
            size_t at = (size_t)y * (size_t)w + (size_t)(left + k);
            size_t up = y > 0 ? at - (size_t)w : at;
            float after = y < h - 1 ? edge_weight(s, at, at + (size_t)w) : 0.0f;
            float pc = y > 0 ? c[(y - 1) * BLOCK + k] : 0.0f;
            float inv = 1.0f / (1.0f + before[k] + after - before[k] * pc);
            c[y * BLOCK + k] = after * inv;
            for (int i = 0; i < 3; i++)
                s->plane[i][at] = (s->plane[i][at] + before[k] * s->plane[i][up]) * inv;
            before[k] = after;
        }
    }
    for (int y = h - 2; y >= 0; y--) {
        for (int k = 0; k < columns; k++) {
            size_t at = (size_t)y * (size_t)w + (size_t)(left + k);
            for (int i = 0; i < 3; i++)
                s->plane[i][at] += c[y * BLOCK + k] * s->plane[i][at + (size_t)w];
        }
    }
}

static void solve_columns(void *user, int first, int end)
{
    const struct smooth *s = user;
    int w = s->guide->width;
    float c[LONGEST * BLOCK];

    for (int block = first; block < end; block++) {
        int left = block * BLOCK;
        solve_column_block(s, left, w - left < BLOCK ? w - left : BLOCK, c);
    }
}

void zt_smooth_flow(const struct zt_flow_image *guide, float *u, float *v, const float *conf,
                    float lambda, float sigma, float *scratch, struct zt_pool *pool)
{
    int w = guide->width, h = guide->height;
    size_t n = (size_t)w * (size_t)h;
    struct smooth s = { guide, { scratch, scratch + n, scratch + 2 * n }, 0.0f, 1.0f / sigma };

    zt_assert(w <= LONGEST && h <= LONGEST);
    for (size_t i = 0; i < n; i++) {
        s.plane[0][i] = u[i] * conf[i];
        s.plane[1][i] = v[i] * conf[i];
        s.plane[2][i] = conf[i];
    }
    float share = 48.0f / 63.0f; /* 3/2 4^(T-t) / (4^T - 1): the later, the less */
    for (int i = 0; i < PASSES; i++, share *= 0.25f) {
        s.lambda = lambda * share;
        zt_pool_for(pool, h, 8, solve_rows, &s);
        zt_pool_for(pool, (w + BLOCK - 1) / BLOCK, 1, solve_columns, &s);
    }
    for (size_t i = 0; i < n; i++) {
        float inv = 1.0f / (s.plane[2][i] + FLOOR);
        u[i] = s.plane[0][i] * inv;
        v[i] = s.plane[1][i] * inv;
    }
}

/* ---- box mean ------------------------------------------------------------------------------ */

struct box {
    const float *from;
    float *to;
    int width, height, radius;
};

static void mean_of_rows(void *user, int first, int end)
{
    const struct box *b = user;
    int w = b->width, r = b->radius;

    for (int y = first; y < end; y++) {
        const float *in = b->from + (size_t)y * (size_t)w;
        float *out = b->to + (size_t)y * (size_t)w;
        float sum = 0.0f;
        int n = 0;
        for (int x = 0; x < r && x < w; x++, n++)
            sum += in[x];
        for (int x = 0; x < w; x++) {
            if (x + r < w) {
                sum += in[x + r];
                n++;
            }
            if (x - r - 1 >= 0) {
                sum -= in[x - r - 1];
                n--;
            }
            out[x] = sum / (float)n;
        }
    }
}

static void mean_of_columns(void *user, int first, int end)
{
    const struct box *b = user;
    int w = b->width, h = b->height, r = b->radius;

    for (int y = first; y < end; y++) {
        float *out = b->to + (size_t)y * (size_t)w;
        int top = y - r < 0 ? 0 : y - r, bottom = y + r > h - 1 ? h - 1 : y + r;
        float inv = 1.0f / (float)(bottom - top + 1);
        for (int x = 0; x < w; x++)
            out[x] = 0.0f;
        for (int k = top; k <= bottom; k++) {
            const float *in = b->from + (size_t)k * (size_t)w;
            for (int x = 0; x < w; x++)
                out[x] += in[x];
        }
        for (int x = 0; x < w; x++)
            out[x] *= inv;
    }
}

void zt_smooth_mean(const float *from, float *to, int width, int height, int radius, float *scratch,
                    struct zt_pool *pool)
{
    struct box across = { from, scratch, width, height, radius };
    struct box down = { scratch, to, width, height, radius };

    zt_pool_for(pool, height, 8, mean_of_rows, &across);
    zt_pool_for(pool, height, 8, mean_of_columns, &down);
}
