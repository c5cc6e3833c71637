/* similarity.c - see similarity.h. */
#include "motion/similarity.h"

#include <math.h>

#include "base/rng.h"

#define TRIALS   400
#define MIN_BASE 16.0 /* points nearer than this, in pixels, say little about turn and zoom */
#define REFITS   4

void zt_similarity_apply(const struct zt_similarity *s, double x, double y, double *ret_x,
                         double *ret_y)
{
    *ret_x = s->ar * x - s->ai * y + s->bx;
    *ret_y = s->ai * x + s->ar * y + s->by;
}

struct zt_similarity zt_similarity_inverse(const struct zt_similarity *s)
{
    double n = s->ar * s->ar + s->ai * s->ai;
    struct zt_similarity r = { s->ar / n, -s->ai / n, 0.0, 0.0 };

    r.bx = -(r.ar * s->bx - r.ai * s->by);
    r.by = -(r.ai * s->bx + r.ar * s->by);
    return r;
}

struct zt_similarity zt_similarity_after(const struct zt_similarity *f,
                                         const struct zt_similarity *g)
{
    struct zt_similarity r;

    r.ar = f->ar * g->ar - f->ai * g->ai;
    r.ai = f->ar * g->ai + f->ai * g->ar;
    zt_similarity_apply(f, g->bx, g->by, &r.bx, &r.by);
    return r;
}

/*
 * a^t = exp(t log a), and b (a^t - 1) / (a - 1) for the shift: the closed form of applying the
 * map's generator for time t. Where a is 1 the quotient tends to t.
 */
struct zt_similarity zt_similarity_power(const struct zt_similarity *s, double t)
{
    double log_scale = 0.5 * log(s->ar * s->ar + s->ai * s->ai);
    double angle = atan2(s->ai, s->ar);
    double scale = exp(t * log_scale);
    struct zt_similarity r = { scale * cos(t * angle), scale * sin(t * angle), 0.0, 0.0 };
    double dr = s->ar - 1.0, di = s->ai;
    double n = dr * dr + di * di;
    double qr = t, qi = 0.0;

    if (n > 1e-16) {
        qr = ((r.ar - 1.0) * dr + r.ai * di) / n;
        qi = (r.ai * dr - (r.ar - 1.0) * di) / n;
    }
    r.bx = qr * s->bx - qi * s->by;
    r.by = qi * s->bx + qr * s->by;
    return r;
}

static bool is_inlier(const struct zt_similarity *s, const struct zt_point_pair *p, double tol2)
{
    double x, y;

    zt_similarity_apply(s, (double)p->x0, (double)p->y0, &x, &y);
    x -= (double)p->x1;
    y -= (double)p->y1;
    return x * x + y * y <= tol2;
}

static size_t count_inliers(const struct zt_similarity *s, const struct zt_point_pair *pairs,
                            size_t n, double tol2)
{
    size_t count = 0;

    for (size_t i = 0; i < n; i++)
        count += is_inlier(s, &pairs[i], tol2);
    return count;
}

static bool through_two(const struct zt_point_pair *p, const struct zt_point_pair *q,
                        struct zt_similarity *ret)
{
    double dx = (double)(q->x0 - p->x0), dy = (double)(q->y0 - p->y0);
    double ex = (double)(q->x1 - p->x1), ey = (double)(q->y1 - p->y1);
    double n = dx * dx + dy * dy;

    if (n < MIN_BASE * MIN_BASE)
        return false;
    ret->ar = (ex * dx + ey * dy) / n;
    ret->ai = (ey * dx - ex * dy) / n;
    double scale2 = ret->ar * ret->ar + ret->ai * ret->ai;
    if (scale2 < 0.1 || scale2 > 10.0)
        return false;
    ret->bx = (double)p->x1 - (ret->ar * (double)p->x0 - ret->ai * (double)p->y0);
    ret->by = (double)p->y1 - (ret->ai * (double)p->x0 + ret->ar * (double)p->y0);
    return true;
}

/* Least squares over the inliers of *s, in the same order every time. */
static void refit(const struct zt_point_pair *pairs, size_t n, double tol2, struct zt_similarity *s)
{
    double x0 = 0.0, y0 = 0.0, x1 = 0.0, y1 = 0.0, re = 0.0, im = 0.0, sq = 0.0;
    size_t count = 0;

    for (size_t i = 0; i < n; i++) {
        if (is_inlier(s, &pairs[i], tol2)) {
            x0 += (double)pairs[i].x0;
            y0 += (double)pairs[i].y0;
            x1 += (double)pairs[i].x1;
            y1 += (double)pairs[i].y1;
            count++;
        }
    }
    if (count < 2)
        return;
    x0 /= (double)count;
    y0 /= (double)count;
    x1 /= (double)count;
    y1 /= (double)count;
    for (size_t i = 0; i < n; i++) {
        if (is_inlier(s, &pairs[i], tol2)) {
            double dx = (double)pairs[i].x0 - x0, dy = (double)pairs[i].y0 - y0;
            double ex = (double)pairs[i].x1 - x1, ey = (double)pairs[i].y1 - y1;
            re += ex * dx + ey * dy;
            im += ey * dx - ex * dy;
            sq += dx * dx + dy * dy;
        }
    }
    if (sq < 1.0 || re * re + im * im < 0.01 * sq * sq)
        return;
    s->ar = re / sq;
    s->ai = im / sq;
    s->bx = x1 - (s->ar * x0 - s->ai * y0);
    s->by = y1 - (s->ai * x0 + s->ar * y0);
}

size_t zt_similarity_fit(const struct zt_point_pair *pairs, size_t n, double tolerance,
                         struct zt_similarity *ret)
{
    struct zt_similarity best = ZT_SIMILARITY_NONE;
    double tol2 = tolerance * tolerance;
    size_t most = count_inliers(&best, pairs, n, tol2);
    struct zt_rng rng;

    zt_rng_init(&rng, 20, 4);
    for (int i = 0; i < TRIALS && n >= 2; i++) {
        struct zt_similarity s;
        size_t p = zt_rng_u32(&rng) % n, q = zt_rng_u32(&rng) % n;
        if (!through_two(&pairs[p], &pairs[q], &s))
            continue;
        size_t count = count_inliers(&s, pairs, n, tol2);
        if (count > most) {
            most = count;
            best = s;
        }
    }
    for (int i = 0; i < REFITS; i++) {
        struct zt_similarity s = best;
        refit(pairs, n, tol2, &s);
        size_t count = count_inliers(&s, pairs, n, tol2);
        if (count < most)
            break;
        most = count;
        best = s;
    }
    *ret = best;
    return most;
}
