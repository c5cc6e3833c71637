/*
 * splat.c - see splat.h. Each direction is one task, dropping its pixels in order: sums of floats
 * depend on the order, so the order must not depend on the threads.
 */
#include "motion/splat.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"

#define PLANES 6
#define SUMS   5      /* cover, weight, weight * x, weight * y, weight * conf */
#define BEHIND 0.002f /* weight of a pixel without confidence against one with */
#define DOUBT  0.04f  /* odds of a pixel without confidence */
#define SPARSE 0.15f  /* cover below which a place is a hole... */
#define DENSE  0.55f  /* ...and above which it is whole */

enum zt_code zt_between_init(struct zt_between *b, int width, int height, struct zt_err *err)
{
    size_t n = (size_t)width * (size_t)height;
    void *block = NULL;

    ZT_TRY(zt_try_alloc(n, (PLANES + 2 * SUMS) * sizeof(float), "motion between two pictures",
                        &block, err));
    float **planes[PLANES] = { &b->r0x, &b->r0y, &b->r1x, &b->r1y, &b->odds0, &b->odds1 };
    for (size_t i = 0; i < PLANES; i++)
        *planes[i] = (float *)block + i * n;
    b->sums = (float *)block + PLANES * n;
    b->width = width;
    b->height = height;
    return ZT_OK;
}

void zt_between_clear(struct zt_between *b)
{
    free(b->r0x);
    *b = (struct zt_between){ 0 };
}

struct drop {
    struct zt_between *b;
    const struct zt_flow *flow[2];
    float way[2];  /* how far along its flow each picture's pixels are */
    float sign[2]; /* from its flow to the motion from first to last */
};

/* sums are interleaved: the five numbers of a place lie together. */
static void drop_one(float *sums, int w, int h, float x, float y, const float add[SUMS])
{
    int ix = (int)(x + 1.0f) - 1, iy = (int)(y + 1.0f) - 1;
    float fx = x - (float)ix, fy = y - (float)iy;
    float k[4] = { (1.0f - fx) * (1.0f - fy), fx * (1.0f - fy), (1.0f - fx) * fy, fx * fy };

    for (int i = 0; i < 4; i++) {
        int px = ix + (i & 1), py = iy + (i >> 1);
        if (px < 0 || px >= w || py < 0 || py >= h)
            continue;
        float *s = sums + ((size_t)py * (size_t)w + (size_t)px) * SUMS;
        for (int j = 0; j < SUMS; j++)
            s[j] += k[i] * add[j];
    }
}

static void drop_picture(void *user, int first, int end)
{
    const struct drop *d = user;
    int w = d->b->width, h = d->b->height;
    size_t n = (size_t)w * (size_t)h;

    for (int i = first; i < end; i++) {
        const struct zt_flow *f = d->flow[i];
        float *sums = d->b->sums + (size_t)i * SUMS * n;
        memset(sums, 0, n * SUMS * sizeof(*sums));
        for (size_t at = 0; at < n; at++) {
            float x = (float)(int)(at % (size_t)w) + d->way[i] * f->u[at];
            float y = (float)(int)(at / (size_t)w) + d->way[i] * f->v[at];
            if (!(x > -1.0f && y > -1.0f && x < (float)w && y < (float)h))
                continue;
            float c = f->conf[at], k = BEHIND + c * c;
            float add[SUMS] = { 1.0f, k, k * d->sign[i] * f->u[at], k * d->sign[i] * f->v[at],
                                k * c };
            drop_one(sums, w, h, x, y, add);
        }
    }
}

/* What one picture's pixels say of a place. */
struct vote {
    float x, y, present, odds;
};

static struct vote vote_of(const float *s)
{
    struct vote v = { 0 };
    float p = (s[0] - SPARSE) / (DENSE - SPARSE);

    v.present = p < 0.0f ? 0.0f : p > 1.0f ? 1.0f : p;
    if (s[1] > 0.0f) {
        v.x = s[2] / s[1];
        v.y = s[3] / s[1];
        v.odds = v.present * (DOUBT + s[4] / s[1]);
    }
    return v;
}

/* Where both pictures agree they follow one motion; where one is silent it takes the other's. */
static void merge_rows(void *user, int first, int end)
{
    const struct drop *d = user;
    struct zt_between *b = d->b;
    size_t w = (size_t)b->width, n = w * (size_t)b->height;

    for (size_t at = (size_t)first * w; at < (size_t)end * w; at++) {
        struct vote v0 = vote_of(b->sums + at * SUMS), v1 = vote_of(b->sums + (n + at) * SUMS);
        float all = v0.odds + v1.odds;
        b->odds0[at] = v0.odds;
        b->odds1[at] = v1.odds;
        if (all < 1e-6f)
            continue; /* filled afterwards */
        float mx = (v0.odds * v0.x + v1.odds * v1.x) / all;
        float my = (v0.odds * v0.y + v1.odds * v1.y) / all;
        float dx = v0.x - v1.x, dy = v0.y - v1.y;
        float agree = 1.0f / (1.0f + dx * dx + dy * dy);
        float k0 = 1.0f - v0.present * (1.0f - agree), k1 = 1.0f - v1.present * (1.0f - agree);
        b->r0x[at] = v0.x + k0 * (mx - v0.x);
        b->r0y[at] = v0.y + k0 * (my - v0.y);
        b->r1x[at] = v1.x + k1 * (mx - v1.x);
        b->r1y[at] = v1.y + k1 * (my - v1.y);
    }
}

/* A place nobody speaks for takes the nearest motions left and right of it, by distance. */
static void fill_rows(void *user, int first, int end)
{
    const struct drop *d = user;
    struct zt_between *b = d->b;
    int w = b->width;

    for (int y = first; y < end; y++) {
        size_t row = (size_t)y * (size_t)w;
        int left = -1;
        for (int x = 0; x < w; x++) {
            if (b->odds0[row + (size_t)x] + b->odds1[row + (size_t)x] >= 1e-6f) {
                left = x;
                continue;
            }
            int right = x;
            while (right < w &&
                   b->odds0[row + (size_t)right] + b->odds1[row + (size_t)right] < 1e-6f)
                right++;
            for (; x < right; x++) {
                float t = left < 0     ? 1.0f
                          : right >= w ? 0.0f
                                       : (float)(x - left) / (float)(right - left);
                size_t p = row + (size_t)(left < 0 ? (right < w ? right : x) : left);
                size_t q = row + (size_t)(right < w ? right : (left < 0 ? x : left));
                size_t at = row + (size_t)x;
                b->r0x[at] = b->r1x[at] = b->r0x[p] + t * (b->r1x[q] - b->r0x[p]);
                b->r0y[at] = b->r1y[at] = b->r0y[p] + t * (b->r1y[q] - b->r0y[p]);
            }
            x--;
        }
    }
    for (size_t at = (size_t)first * (size_t)w; at < (size_t)end * (size_t)w; at++) {
        b->odds0[at] += 1e-3f;
        b->odds1[at] += 1e-3f;
    }
}

void zt_between_at(struct zt_between *b, const struct zt_flow *forward,
                   const struct zt_flow *backward, float t, struct zt_pool *pool)
{
    struct drop d = { b, { forward, backward }, { t, 1.0f - t }, { 1.0f, -1.0f } };

    zt_pool_for(pool, 2, 1, drop_picture, &d);
    memset(b->r0x, 0, 4 * (size_t)b->width * (size_t)b->height * sizeof(float));
    zt_pool_for(pool, b->height, 16, merge_rows, &d);
    zt_pool_for(pool, b->height, 16, fill_rows, &d);
}
