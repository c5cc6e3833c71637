/* sharpen.c - see sharpen.h. */
#include "motion/sharpen.h"

#include <math.h>
#include <string.h>

#include "base/thread.h"

#define ROUNDS    2
#define DISTINCT2 2.0f  /* squared pixels apart that make two motions */
#define WORST     0.2f  /* difference of two pixels past which they are simply different */
#define ALIKE     0.05f /* colour difference at which a neighbour counts half */
#define LOYALTY   0.9f  /* the motion a pixel has stays unless another is this much better */
#define GRAIN     4

/* Whose motions a pixel may take over. */
static const int8_t around[][2] = { { 2, 0 },   { -2, 0 },  { 0, 2 },   { 0, -2 },  { 5, 0 },
                                    { -5, 0 },  { 0, 5 },   { 0, -5 },  { 7, 7 },   { -7, 7 },
                                    { 7, -7 },  { -7, -7 }, { 11, 0 },  { -11, 0 }, { 0, 11 },
                                    { 0, -11 }, { 17, 0 },  { -17, 0 }, { 0, 17 },  { 0, -17 } };

/* Which pixels judge a motion. */
static const int8_t support[][2] = { { 0, 0 },  { 1, 1 },  { -1, 1 }, { 1, -1 }, { -1, -1 },
                                     { 3, 0 },  { -3, 0 }, { 0, 3 },  { 0, -3 }, { 3, 3 },
                                     { -3, 3 }, { 3, -3 }, { -3, -3 } };

struct sharpen {
    const struct zt_flow_image *a, *b;
    float gain, offset;
    const float *from_u, *from_v;
    float *to_u, *to_v;
};

static float bilinear(const float *p, size_t at, size_t down, float fx, float fy)
{
    float top = p[at] + fx * (p[at + 1] - p[at]);
    float bottom = p[at + down] + fx * (p[at + down + 1] - p[at + down]);
    return top + fy * (bottom - top);
}

/* How unlike the pixels that support (x, y) are to those (u, v) away. */
static float cost_of(const struct sharpen *s, int x, int y, const float *weights, float u, float v)
{
    int w = s->a->width, h = s->a->height;
    float dx = floorf(u), dy = floorf(v), fx = u - dx, fy = v - dy;
    float sum = 0.0f, all = 1e-6f;

    if (!(fabsf(u) < (float)w && fabsf(v) < (float)h))
        return WORST;
    for (size_t k = 0; k < ZT_COUNT(support); k++) {
        int px = x + support[k][0], py = y + support[k][1];
        int tx = px + (int)dx, ty = py + (int)dy;
        float d = WORST;
        if (weights[k] == 0.0f)
            continue;
        if (tx >= 0 && ty >= 0 && tx + 1 < w && ty + 1 < h) {
            size_t p = (size_t)py * (size_t)w + (size_t)px;
            size_t q = (size_t)ty * (size_t)w + (size_t)tx;
            float luma = s->gain * bilinear(s->b->luma, q, (size_t)w, fx, fy) + s->offset;
            d = fabsf(luma - s->a->luma[p]) +
                fabsf(bilinear(s->b->blue, q, (size_t)w, fx, fy) - s->a->blue[p]) +
                fabsf(bilinear(s->b->red, q, (size_t)w, fx, fy) - s->a->red[p]);
            d = d < WORST ? d : WORST;
        }
        sum += weights[k] * d;
        all += weights[k];
    }
    return sum / all;
}

static void weigh_support(const struct sharpen *s, int x, int y, float *ret)
{
    int w = s->a->width, h = s->a->height;
    size_t at = (size_t)y * (size_t)w + (size_t)x;

    for (size_t k = 0; k < ZT_COUNT(support); k++) {
        int px = x + support[k][0], py = y + support[k][1];
        ret[k] = 0.0f;
        if (px < 0 || py < 0 || px >= w || py >= h)
            continue;
        size_t p = (size_t)py * (size_t)w + (size_t)px;
        float d = (fabsf(s->a->luma[p] - s->a->luma[at]) + fabsf(s->a->blue[p] - s->a->blue[at]) +
                   fabsf(s->a->red[p] - s->a->red[at])) /
                  ALIKE;
        ret[k] = 1.0f / (1.0f + d * d);
    }
}

static void choose(const struct sharpen *s, int x, int y)
{
    int w = s->a->width, h = s->a->height;
    size_t at = (size_t)y * (size_t)w + (size_t)x;
    float u = s->from_u[at], v = s->from_v[at], best = -1.0f;
    float weights[ZT_COUNT(support)];

    for (size_t k = 0; k < ZT_COUNT(around); k++) {
        int px = x + around[k][0], py = y + around[k][1];
        if (px < 0 || py < 0 || px >= w || py >= h)
            continue;
        size_t p = (size_t)py * (size_t)w + (size_t)px;
        float du = s->from_u[p] - u, dv = s->from_v[p] - v;
        if (du * du + dv * dv < DISTINCT2)
            continue;
        if (best < 0.0f) {
            weigh_support(s, x, y, weights);
            best = LOYALTY * cost_of(s, x, y, weights, u, v);
        }
        float cost = cost_of(s, x, y, weights, s->from_u[p], s->from_v[p]);
        if (cost < best) {
            best = cost;
            u = s->from_u[p];
            v = s->from_v[p];
        }
    }
    s->to_u[at] = u;
    s->to_v[at] = v;
}

static void choose_rows(void *user, int first, int end)
{
    const struct sharpen *s = user;

    for (int y = first; y < end; y++)
        for (int x = 0; x < s->a->width; x++)
            choose(s, x, y);
}

void zt_sharpen_flow(const struct zt_flow_image *a, const struct zt_flow_image *b, float gain,
                     float offset, float *u, float *v, float *scratch, struct zt_pool *pool)
{
    size_t n = (size_t)a->width * (size_t)a->height;
    struct sharpen s = { a, b, gain, offset, u, v, scratch, scratch + n };

    for (int round = 0; round < ROUNDS; round++) {
        zt_pool_for(pool, a->height, GRAIN, choose_rows, &s);
        memcpy(u, s.to_u, n * sizeof(*u));
        memcpy(v, s.to_v, n * sizeof(*v));
    }
}
