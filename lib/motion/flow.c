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
#include "motion/fill.h"
#include "motion/match.h"
#include "motion/refine.h"
#include "motion/sharpen.h"
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
    float *spare; /* 6 planes */
    int apart;    /* of the neighbours whose support counts, in pixels */
    float near2;  /* squared pixels within which their motion is the same */
    float few;    /* share of them that is no support */
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
            for (int j = -2 * d->apart; j <= 2 * d->apart; j += d->apart) {
                for (int i = -2 * d->apart; i <= 2 * d->apart; i += d->apart) {
                    if (x + i < 0 || x + i >= w || y + j < 0 || y + j >= h)
                        continue;
                    size_t q = (size_t)(y + j) * (size_t)w + (size_t)(x + i);
                    float du = u[q] - u[at], dv = v[q] - v[at];
                    all += 1.0f;
                    with += du * du + dv * dv <= d->near2 ? d->flow->conf[q] : 0.0f;
                }
            }
            float share = with / all;
            d->data[at] =
                d->flow->conf[at] * clamped((share - d->few) / (2.5f * d->few), 0.0f, 1.0f);
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
    float eu = d->flow->u[at] + bu, ev = d->flow->v[at] + bv, least = eu * eu + ev * ev;
    for (int i = 0; i < 4; i++) { /* at a border of the motion the mean of both sides is neither */
        eu = d->flow->u[at] + d->other->u[q[i]];
        ev = d->flow->v[at] + d->other->v[q[i]];
        float e = 0.25f + eu * eu + ev * ev;
        least = k[i] > 0.1f && e < least ? e : least;
    }
    return least;
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
    d->apart = 2;
    d->near2 = 2.0f;
    d->few = 0.2f;
    zt_pool_for(pool, h, GRAIN, keep_supported, d);
    memcpy(d->flow->conf, d->data, n * sizeof(float));
}

/* Lowers the trust in pixels beside a border of the motion. */
static void clean_rows(void *user, int first, int end)
{
    static const int8_t beside[][2] = { { 1, 0 }, { -1, 0 }, { 0, 1 },  { 0, -1 },
                                        { 2, 0 }, { -2, 0 }, { 0, 2 },  { 0, -2 },
                                        { 1, 1 }, { -1, 1 }, { 1, -1 }, { -1, -1 } };
    const struct direction *d = user;
    const struct zt_flow *f = d->flow;
    int w = f->width, h = f->height;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < w; x++) {
            size_t at = (size_t)y * (size_t)w + (size_t)x;
            float most = 0.0f;
            for (size_t k = 0; k < ZT_COUNT(beside); k++) {
                int px = x + beside[k][0], py = y + beside[k][1];
                if (px < 0 || py < 0 || px >= w || py >= h)
                    continue;
                size_t p = (size_t)py * (size_t)w + (size_t)px;
                float du = f->u[p] - f->u[at], dv = f->v[p] - f->v[at];
                float jump = du * du + dv * dv;
                most = jump > most ? jump : most;
            }
            f->clean[at] = f->conf[at] / (1.0f + most * most * 0.5f);
            if (d->a->seen[at] < 0.5f)
                f->clean[at] = f->conf[at] = -1.0f;
        }
    }
}

/* Gives pixels without confidence the motion of the confident ones on their side of the edge. */
static enum zt_code fill_doubtful(struct direction *d, struct zt_pool *pool, struct zt_err *err)
{
    size_t n = (size_t)d->a->width * (size_t)d->a->height;
    struct zt_flow *f = d->flow;
    float *u = d->spare, *v = u + n, *sure = u + 2 * n, *scratch = u + 3 * n;

    for (size_t i = 0; i < n; i++) {
        u[i] = f->u[i];
        v[i] = f->v[i];
        sure[i] = f->conf[i] * f->conf[i];
    }
    ZT_TRY(zt_fill_occluded(d->a, u, v, sure, 0.5f, err));
    zt_smooth_flow(d->a, u, v, sure, 900.0f, 0.03f, scratch, pool);
    for (size_t i = 0; i < n; i++) {
        float k = clamped(f->conf[i] * 2.0f, 0.0f, 1.0f);
        f->u[i] = u[i] + k * (f->u[i] - u[i]);
        f->v[i] = v[i] + k * (f->v[i] - v[i]);
    }
    return ZT_OK;
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

    ZT_TRY(zt_try_alloc(n, 4 * sizeof(float), "an optical flow", &block, err));
    *flow = (struct zt_flow){ .width = width, .height = height, .u = block };
    flow->v = flow->u + n;
    flow->conf = flow->v + n;
    flow->clean = flow->conf + n;
    return ZT_OK;
}

/* The gain and offset that take the luma of b to that of a where they correspond. */
static void fit_light(const struct direction *d, float *ret_gain, float *ret_offset)
{
    int w = d->a->width, h = d->a->height;
    double n = 1e-9, sa = 0.0, sb = 0.0, sab = 0.0, sbb = 0.0;

    for (int y = 0; y < h; y += 2) {
        for (int x = 0; x < w; x += 2) {
            size_t at = (size_t)y * (size_t)w + (size_t)x;
            float tx = clamped((float)x + d->flow->u[at], 0.0f, (float)(w - 1));
            float ty = clamped((float)y + d->flow->v[at], 0.0f, (float)(h - 1));
            size_t to = (size_t)(ty + 0.5f) * (size_t)w + (size_t)(tx + 0.5f);
            double k = (double)d->data[at], a = (double)d->a->luma[at], b = (double)d->b->luma[to];
            n += k;
            sa += k * a;
            sb += k * b;
            sab += k * a * b;
            sbb += k * b * b;
        }
    }
    double spread = sbb / n - sb / n * (sb / n);
    double gain = spread > 1e-4 ? (sab / n - sa / n * (sb / n)) / spread : 1.0;
    gain = gain < 0.4 ? 0.4 : gain > 2.5 ? 2.5 : gain;
    *ret_gain = (float)gain;
    *ret_offset = (float)(sa / n - gain * (sb / n));
}

static void sharpen(struct direction *d, struct zt_pool *pool)
{
    float gain, offset;

    fit_light(d, &gain, &offset);
    zt_sharpen_flow(d->a, d->b, gain, offset, d->flow->u, d->flow->v, d->spare, pool);
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
        { a, b, m->ab, m->ba, ab, ba, block + 2 * n, na, nb, scratch, 3, 6.0f, 0.1f },
        { b, a, m->ba, m->ab, ba, ab, block + 3 * n, nb, na, scratch, 3, 6.0f, 0.1f },
    };

    zt_refine_normalise(a, na, scratch, run->pool);
    zt_refine_normalise(b, nb, scratch, run->pool);
    for (int i = 0; i < 2; i++) {
        zt_pool_for(run->pool, a->height, GRAIN, keep_mutual, &d[i]);
        zt_pool_for(run->pool, a->height, GRAIN, keep_supported, &d[i]);
        zt_smooth_flow(d[i].a, d[i].flow->u, d[i].flow->v, d[i].data, 60.0f, 0.03f, scratch,
                       run->pool);
    }
    for (int i = 0; i < 2; i++)
        sharpen(&d[i], run->pool);
    ZT_TRY(refine_both(d, run, scratch, err));
    for (int i = 0; i < 2; i++)
        judge(&d[i], run->pool);
    for (int i = 0; i < 2; i++)
        ZT_TRY(fill_doubtful(&d[i], run->pool, err));
    for (int i = 0; i < 2; i++)
        zt_pool_for(run->pool, a->height, GRAIN, clean_rows, &d[i]);
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
