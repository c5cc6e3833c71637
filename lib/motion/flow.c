/*
 * flow.c - see flow.h. The order of the steps; matching, spreading and refining are in match.c,
 * smooth.c and refine.c.
 */
#include "motion/flow.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "motion/match.h"
#include "motion/refine.h"
#include "motion/smooth.h"

#define GRAIN 8

static float clamped(float v, float low, float high)
{
    return v < low ? low : v > high ? high : v;
}

/* ---- from matches to a flow ---------------------------------------------------------------- */

#define COST_GOOD 1200.0f /* descriptors nearer than this are as good as equal... */
#define COST_BAD  2600.0f /* ...and farther than this say nothing */
#define AGREE2    2.5f    /* squared pixels by which the two directions may disagree */

struct direction {
    const struct zt_flow_image *a, *b; /* from, to */
    const struct zt_match *there, *back;
    struct zt_flow *flow;
    const struct zt_flow *other;
    float *data; /* weight of each pixel's own evidence */
    const float *na, *nb;
    float *spare; /* 4 planes */
};

/* Flow and confidence of the matches that come back to where they began. */
static void keep_mutual(void *user, int first, int end)
{
    const struct direction *d = user;
    int w = d->a->width;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < w; x++) {
            size_t at = (size_t)y * (size_t)w + (size_t)x;
            const struct zt_match *m = &d->there[at];
            size_t to = (size_t)m->y * (size_t)w + (size_t)m->x;
            float ex = (float)(d->back[to].x - x), ey = (float)(d->back[to].y - y);
            float near = 1.0f - (ex * ex + ey * ey) / (2.0f * AGREE2);
            float like = (COST_BAD - (float)m->cost) / (COST_BAD - COST_GOOD);
            d->flow->u[at] = (float)(m->x - x);
            d->flow->v[at] = (float)(m->y - y);
            d->flow->conf[at] = clamped(near, 0.0f, 1.0f) * clamped(like, 0.05f, 1.0f) *
                                d->a->seen[at] * d->b->seen[to];
        }
    }
}

/* Drops matches that few neighbours share: what lone accidents have in common. */
static void keep_supported(void *user, int first, int end)
{
    const struct direction *d = user;
    int w = d->a->width, h = d->a->height;
    const float *u = d->flow->u, *v = d->flow->v;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < w; x++) {
            size_t at = (size_t)y * (size_t)w + (size_t)x;
            float with = 0.0f, all = 0.0f;
            for (int j = -6; j <= 6; j += 3) {
                for (int i = -6; i <= 6; i += 3) {
                    if (x + i < 0 || x + i >= w || y + j < 0 || y + j >= h)
                        continue;
                    size_t q = (size_t)(y + j) * (size_t)w + (size_t)(x + i);
                    float du = u[q] - u[at], dv = v[q] - v[at];
                    all += 1.0f;
                    with += du * du + dv * dv <= 6.0f ? d->flow->conf[q] : 0.0f;
                }
            }
            float share = with / all;
            d->data[at] = d->flow->conf[at] * clamped((share - 0.1f) / 0.25f, 0.0f, 1.0f);
        }
    }
}

/* How far (x, y) is from where it started after going there and back, in squared pixels. */
static float round_trip2(const struct direction *d, int x, int y, float *ret_seen)
{
    int w = d->a->width, h = d->a->height;
    size_t at = (size_t)y * (size_t)w + (size_t)x;
    float tx = (float)x + d->flow->u[at], ty = (float)y + d->flow->v[at];
    float cx = clamped(tx, 0.0f, (float)(w - 1)), cy = clamped(ty, 0.0f, (float)(h - 1));
    int ix = (int)cx, iy = (int)cy;
    int jx = ix + 1 < w ? ix + 1 : ix, jy = iy + 1 < h ? iy + 1 : iy;
    float fx = cx - (float)ix, fy = cy - (float)iy;
    size_t q[4] = { (size_t)iy * (size_t)w + (size_t)ix, (size_t)iy * (size_t)w + (size_t)jx,
                    (size_t)jy * (size_t)w + (size_t)ix, (size_t)jy * (size_t)w + (size_t)jx };
    float k[4] = { (1.0f - fx) * (1.0f - fy), fx * (1.0f - fy), (1.0f - fx) * fy, fx * fy };
    float bu = 0.0f, bv = 0.0f, seen = 0.0f;

    for (int i = 0; i < 4; i++) {
        bu += k[i] * d->other->u[q[i]];
        bv += k[i] * d->other->v[q[i]];
        seen += k[i] * d->b->seen[q[i]];
    }
    bool outside = fabsf(tx - cx) > 0.75f || fabsf(ty - cy) > 0.75f;
    *ret_seen = outside ? 0.0f : seen * d->a->seen[at];
    float eu = d->flow->u[at] + bu, ev = d->flow->v[at] + bv;
    return eu * eu + ev * ev;
}

static void weigh_evidence(void *user, int first, int end)
{
    const struct direction *d = user;
    int w = d->a->width;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < w; x++) {
            float seen;
            float e = round_trip2(d, x, y, &seen) / 9.0f;
            d->data[(size_t)y * (size_t)w + (size_t)x] = seen / (1.0f + e * e);
        }
    }
}

/* Products of the normalised pictures after warping, for their correlation. */
static void multiply_rows(void *user, int first, int end)
{
    const struct direction *d = user;
    int w = d->a->width, h = d->a->height;
    size_t n = (size_t)w * (size_t)h;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < w; x++) {
            size_t at = (size_t)y * (size_t)w + (size_t)x;
            float tx = clamped((float)x + d->flow->u[at], 0.0f, (float)(w - 1));
            float ty = clamped((float)y + d->flow->v[at], 0.0f, (float)(h - 1));
            float b = zt_refine_sample(d->nb, w, h, tx, ty);
            d->spare[at] = d->na[at] * b;
            d->spare[n + at] = 0.5f * (d->na[at] * d->na[at] + b * b);
        }
    }
}

/* Confidence: comes back to where it began, and looks alike there. */
static void judge_rows(void *user, int first, int end)
{
    const struct direction *d = user;
    int w = d->a->width, h = d->a->height;
    size_t n = (size_t)w * (size_t)h;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < w; x++) {
            size_t at = (size_t)y * (size_t)w + (size_t)x;
            float seen;
            float e = round_trip2(d, x, y, &seen) / 1.5f;
            float alike = (d->spare[at] + 0.03f) / (d->spare[n + at] + 0.03f);
            d->flow->conf[at] =
                seen / (1.0f + e * e) * clamped((alike - 0.15f) / 0.45f, 0.0f, 1.0f);
        }
    }
}

static void judge(struct direction *d, struct zt_pool *pool)
{
    int w = d->a->width, h = d->a->height;
    size_t n = (size_t)w * (size_t)h;

    zt_pool_for(pool, h, GRAIN, multiply_rows, d);
    zt_smooth_mean(d->spare, d->spare, w, h, 3, d->spare + 2 * n, pool);
    zt_smooth_mean(d->spare + n, d->spare + n, w, h, 3, d->spare + 2 * n, pool);
    zt_pool_for(pool, h, GRAIN, judge_rows, d);
}

/* Gives pixels without confidence the motion of the confident ones on their side of the edge. */
static void fill_doubtful(struct direction *d, struct zt_pool *pool)
{
    size_t n = (size_t)d->a->width * (size_t)d->a->height;
    struct zt_flow *f = d->flow;
    float *u = d->spare, *v = u + n, *sure = u + 2 * n, *scratch = u + 3 * n;

    for (size_t i = 0; i < n; i++) {
        u[i] = f->u[i];
        v[i] = f->v[i];
        sure[i] = f->conf[i] * f->conf[i];
    }
    zt_smooth_flow(d->a, u, v, sure, 900.0f, 0.03f, scratch, pool);
    for (size_t i = 0; i < n; i++) {
        float k = clamped(f->conf[i] * 2.0f, 0.0f, 1.0f);
        f->u[i] = u[i] + k * (f->u[i] - u[i]);
        f->v[i] = v[i] + k * (f->v[i] - v[i]);
    }
}

/* ---- public -------------------------------------------------------------------------------- */

void zt_flow_clear(struct zt_flow *flow)
{
    free(flow->u);
    *flow = (struct zt_flow){ 0 };
}

static enum zt_code flow_init(struct zt_flow *flow, int width, int height, struct zt_err *err)
{
    size_t n = (size_t)width * (size_t)height;
    void *block = NULL;

    ZT_TRY(zt_try_alloc(n, 3 * sizeof(float), "an optical flow", &block, err));
    *flow = (struct zt_flow){ width, height, block, (float *)block + n, (float *)block + 2 * n };
    return ZT_OK;
}

static enum zt_code refine_both(struct direction *d, const struct zt_flow_run *run, float *scratch,
                                struct zt_err *err)
{
    for (int i = 0; i < 2; i++) {
        zt_pool_for(run->pool, d[i].a->height, GRAIN, weigh_evidence, &d[i]);
        ZT_TRY(zt_flow_tick(run, 5 + 2 * i, 10, err));
    }
    for (int i = 0; i < 2; i++) {
        zt_refine_flow(d[i].a, d[i].na, d[i].nb, d[i].data, d[i].flow->u, d[i].flow->v, scratch,
                       run->pool);
        ZT_TRY(zt_flow_tick(run, 6 + 2 * i, 10, err));
    }
    return ZT_OK;
}

/* From the matches to the finished flows; `block` holds 4 + ZT_REFINE_SCRATCH planes. */
static enum zt_code finish(const struct zt_matcher *m, const struct zt_flow_image *a,
                           const struct zt_flow_image *b, const struct zt_flow_run *run,
                           struct zt_flow *ab, struct zt_flow *ba, float *block, struct zt_err *err)
{
    size_t n = (size_t)a->width * (size_t)a->height;
    float *na = block, *nb = block + n, *scratch = block + 4 * n;
    struct direction d[2] = {
        { a, b, m->ab, m->ba, ab, ba, block + 2 * n, na, nb, scratch },
        { b, a, m->ba, m->ab, ba, ab, block + 3 * n, nb, na, scratch },
    };

    zt_refine_normalise(a, na, scratch, run->pool);
    zt_refine_normalise(b, nb, scratch, run->pool);
    for (int i = 0; i < 2; i++) {
        zt_pool_for(run->pool, a->height, GRAIN, keep_mutual, &d[i]);
        zt_pool_for(run->pool, a->height, GRAIN, keep_supported, &d[i]);
        zt_smooth_flow(d[i].a, d[i].flow->u, d[i].flow->v, d[i].data, 60.0f, 0.03f, scratch,
                       run->pool);
    }
    ZT_TRY(refine_both(d, run, scratch, err));
    for (int i = 0; i < 2; i++)
        judge(&d[i], run->pool);
    for (int i = 0; i < 2; i++)
        fill_doubtful(&d[i], run->pool);
    return zt_flow_tick(run, 10, 10, err);
}

enum zt_code zt_flow_between(const struct zt_flow_image *a, const struct zt_flow_image *b,
                             const struct zt_flow_run *run, struct zt_flow *ret_ab,
                             struct zt_flow *ret_ba, struct zt_err *err)
{
    size_t n = (size_t)a->width * (size_t)a->height;
    struct zt_matcher m = { 0 };
    struct zt_flow ab = { 0 }, ba = { 0 };
    zt_auto_free float *block = NULL;

    zt_assert(a->width == b->width && a->height == b->height);
    enum zt_code rc = zt_matcher_run(&m, a, b, 0, run, err);
    zt_pyramid_clear(&m.a);
    zt_pyramid_clear(&m.b);
    if (rc == ZT_OK)
        rc = zt_try_alloc(n, (4 + ZT_REFINE_SCRATCH) * sizeof(float), "optical flow",
                          (void **)&block, err);
    if (rc == ZT_OK)
        rc = flow_init(&ab, a->width, a->height, err);
    if (rc == ZT_OK)
        rc = flow_init(&ba, a->width, a->height, err);
    if (rc == ZT_OK)
        rc = finish(&m, a, b, run, &ab, &ba, block, err);
    zt_matcher_clear(&m);
    if (rc != ZT_OK) {
        zt_flow_clear(&ab);
        zt_flow_clear(&ba);
        return rc;
    }
    *ret_ab = ab;
    *ret_ba = ba;
    return ZT_OK;
}
