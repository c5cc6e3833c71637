/*
 * refine.c - see refine.h. Minimises
 *
 *     sum  w (psi(DELTA n0 r0^2) + psi(GAMMA (n1 r1^2 + n2 r2^2))) + ALPHA g psi(|grad flow|^2)
 *
 * r0 is the difference of the normalised lumas, r1 and r2 those of its derivatives, n the inverse
 * squared gradients that turn them into pixels (Zimmer, Bruhn, Weickert, "Optic Flow in Harmony",
 * 2011), g falls at edges of the picture, psi(s^2) = sqrt(s^2 + eps^2). Each warp linearises the
 * residuals at the flow so far and relaxes red and black pixels in turn, so that the result does
 * not depend on which thread was first.
 */
#include "motion/refine.h"

#include <math.h>

#include "base/thread.h"
#include "motion/smooth.h"

#define WARPS       4
#define INNER       2
#define RELAXATIONS 8
#define OMEGA       1.7f
#define ALPHA       0.6f
#define DELTA       0.5f
#define GAMMA       1.0f
#define ZETA2       0.02f /* squared gradient below which there is no texture to speak of */
#define EPS_DATA2   0.01f /* squared pixels */
#define EPS_SMOOTH2 0.0025f
#define EDGE        12.0f /* how fast the smoothness falls with the picture's own difference */
#define STEP_MAX    2.0f  /* pixels a warp may move */
#define GRAIN       8

struct refine {
    const struct zt_flow_image *a;
    const float *na, *nb, *data;
    float *u, *v;
    float *du, *dv;         /* increments of this warp */
    float *mid, *diff;      /* mean and difference of na and the warped nb */
    float *a11, *a12, *a22; /* data term: symmetric 2 x 2 ... */
    float *b1, *b2;         /* ... and right side */
    float *right, *down;    /* smoothness between a pixel and the next across, the next below */
    int colour;
};

static int clamp_int(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

float zt_refine_sample(const float *plane, int width, int height, float x, float y)
{
    float fx = floorf(x), fy = floorf(y);
    float t[2] = { x - fx, y - fy };
    float k[2][4];
    float sum = 0.0f;

    for (int i = 0; i < 2; i++) {
        float f = t[i];
        k[i][0] = f * (-0.5f + f * (1.0f - 0.5f * f));
        k[i][1] = 1.0f + f * f * (-2.5f + 1.5f * f);
        k[i][2] = f * (0.5f + f * (2.0f - 1.5f * f));
        k[i][3] = f * f * (-0.5f + 0.5f * f);
    }
    int ix = (int)fx - 1, iy = (int)fy - 1;
    for (int j = 0; j < 4; j++) {
        const float *row = plane + (size_t)clamp_int(iy + j, 0, height - 1) * (size_t)width;
        float line = 0.0f;
        for (int i = 0; i < 4; i++)
            line += k[0][i] * row[clamp_int(ix + i, 0, width - 1)];
        sum += k[1][j] * line;
    }
    return sum;
}

/* ---- normalising --------------------------------------------------------------------------- */

#define WINDOW          7
#define LEAST_DEVIATION 0.02f /* of luma: below it is noise, left small */

void zt_refine_normalise(const struct zt_flow_image *image, float *ret, float *scratch,
                         struct zt_pool *pool)
{
    int w = image->width, h = image->height;
    size_t n = (size_t)w * (size_t)h;
    float *mean = scratch, *square = scratch + n, *spare = scratch + 2 * n;

    zt_smooth_mean(image->luma, mean, w, h, WINDOW, spare, pool);
    for (size_t i = 0; i < n; i++) {
        float d = image->luma[i] - mean[i];
        square[i] = d * d;
    }
    zt_smooth_mean(square, square, w, h, WINDOW, spare, pool);
    for (size_t i = 0; i < n; i++) {
        float s = square[i] > 0.0f ? square[i] : 0.0f; /* a running sum may end below 0 */
        ret[i] = (image->luma[i] - mean[i]) / (sqrtf(s) + LEAST_DEVIATION);
    }
}

/* ---- one warp ------------------------------------------------------------------------------ */

static void warp_rows(void *user, int first, int end)
{
    const struct refine *r = user;
    int w = r->a->width, h = r->a->height;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < w; x++) {
            size_t at = (size_t)y * (size_t)w + (size_t)x;
            float tx = (float)x + r->u[at], ty = (float)y + r->v[at];
            tx = tx < -1.0f ? -1.0f : tx > (float)w ? (float)w : tx;
            ty = ty < -1.0f ? -1.0f : ty > (float)h ? (float)h : ty;
            float b = zt_refine_sample(r->nb, w, h, tx, ty);
            r->mid[at] = 0.5f * (r->na[at] + b);
            r->diff[at] = b - r->na[at];
            r->du[at] = 0.0f;
            r->dv[at] = 0.0f;
        }
    }
}

struct slope {
    float x, y;
};

static struct slope slope_at(const float *p, int w, int h, int x, int y)
{
    const float *row = p + (size_t)y * (size_t)w;
    const float *up = y > 0 ? row - w : row, *below = y < h - 1 ? row + w : row;

    return (struct slope){ 0.5f * (row[x < w - 1 ? x + 1 : x] - row[x > 0 ? x - 1 : x]),
                           0.5f * (below[x] - up[x]) };
}

/* One linearised residual rx du + ry dv + rt, and how much it weighs. */
struct residual {
    float rx, ry, rt, n;
};

static struct residual residual_of(float rx, float ry, float rt)
{
    return (struct residual){ rx, ry, rt, 1.0f / (rx * rx + ry * ry + ZETA2) };
}

static float squared(const struct residual *e, float du, float dv)
{
    float r = e->rt + e->rx * du + e->ry * dv;
    return e->n * r * r;
}

static void data_rows(void *user, int first, int end)
{
    const struct refine *r = user;
    int w = r->a->width, h = r->a->height;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < w; x++) {
            size_t at = (size_t)y * (size_t)w + (size_t)x;
            struct slope m = slope_at(r->mid, w, h, x, y);
            struct slope d = slope_at(r->diff, w, h, x, y);
            struct slope left = slope_at(r->mid, w, h, x > 0 ? x - 1 : x, y);
            struct slope right = slope_at(r->mid, w, h, x < w - 1 ? x + 1 : x, y);
            struct slope up = slope_at(r->mid, w, h, x, y > 0 ? y - 1 : y);
            struct slope below = slope_at(r->mid, w, h, x, y < h - 1 ? y + 1 : y);
            float xx = 0.5f * (right.x - left.x), yy = 0.5f * (below.y - up.y);
            float xy = 0.25f * (right.y - left.y + below.x - up.x);
            float du = r->du[at], dv = r->dv[at];
            struct residual e[3] = { residual_of(m.x, m.y, r->diff[at]), residual_of(xx, xy, d.x),
                                     residual_of(xy, yy, d.y) };
            float flat = DELTA / sqrtf(squared(&e[0], du, dv) + EPS_DATA2);
            float steep =
                GAMMA / sqrtf(squared(&e[1], du, dv) + squared(&e[2], du, dv) + EPS_DATA2);
            float k[3] = { flat * e[0].n, steep * e[1].n, steep * e[2].n };
            float a11 = 0.0f, a12 = 0.0f, a22 = 0.0f, b1 = 0.0f, b2 = 0.0f;
            for (int i = 0; i < 3; i++) {
                float f = k[i] * r->data[at];
                a11 += f * e[i].rx * e[i].rx;
                a12 += f * e[i].rx * e[i].ry;
                a22 += f * e[i].ry * e[i].ry;
                b1 -= f * e[i].rx * e[i].rt;
                b2 -= f * e[i].ry * e[i].rt;
            }
            r->a11[at] = a11;
            r->a12[at] = a12;
            r->a22[at] = a22;
            r->b1[at] = b1;
            r->b2[at] = b2;
        }
    }
}

static float smooth_weight(const struct refine *r, size_t p, size_t q)
{
    float du = r->u[q] + r->du[q] - r->u[p] - r->du[p];
    float dv = r->v[q] + r->dv[q] - r->v[p] - r->dv[p];
    float d = fabsf(r->a->luma[p] - r->a->luma[q]) + fabsf(r->a->blue[p] - r->a->blue[q]) +
              fabsf(r->a->red[p] - r->a->red[q]);
    float e = EDGE * d;
    float g = 1.0f / (1.0f + e + 0.5f * e * e);

    return ALPHA * g / sqrtf(du * du + dv * dv + EPS_SMOOTH2);
}

static void smoothness_rows(void *user, int first, int end)
{
    const struct refine *r = user;
    int w = r->a->width, h = r->a->height;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < w; x++) {
            size_t at = (size_t)y * (size_t)w + (size_t)x;
            r->right[at] = x < w - 1 ? smooth_weight(r, at, at + 1) : 0.0f;
            r->down[at] = y < h - 1 ? smooth_weight(r, at, at + (size_t)w) : 0.0f;
        }
    }
}

static void relax_rows(void *user, int first, int end)
{
    const struct refine *r = user;
    int w = r->a->width, h = r->a->height;

    for (int y = first; y < end; y++) {
        for (int x = (y + r->colour) & 1; x < w; x += 2) {
            size_t at = (size_t)y * (size_t)w + (size_t)x;
            size_t next[4] = { x > 0 ? at - 1 : at, x < w - 1 ? at + 1 : at,
                               y > 0 ? at - (size_t)w : at, y < h - 1 ? at + (size_t)w : at };
            float k[4] = { x > 0 ? r->right[at - 1] : 0.0f, r->right[at],
                           y > 0 ? r->down[at - (size_t)w] : 0.0f, r->down[at] };
            float sum = 0.0f, su = 0.0f, sv = 0.0f;
            for (int i = 0; i < 4; i++) {
                sum += k[i];
                su += k[i] * (r->u[next[i]] + r->du[next[i]] - r->u[at]);
                sv += k[i] * (r->v[next[i]] + r->dv[next[i]] - r->v[at]);
            }
            float a11 = r->a11[at] + sum, a22 = r->a22[at] + sum, a12 = r->a12[at];
            float b1 = r->b1[at] + su, b2 = r->b2[at] + sv;
            float inv = 1.0f / (a11 * a22 - a12 * a12 + 1e-9f);
            float du = (a22 * b1 - a12 * b2) * inv, dv = (a11 * b2 - a12 * b1) * inv;
            r->du[at] += OMEGA * (du - r->du[at]);
            r->dv[at] += OMEGA * (dv - r->dv[at]);
        }
    }
}

static float limited(float v)
{
    return v < -STEP_MAX ? -STEP_MAX : v > STEP_MAX ? STEP_MAX : v;
}

void zt_refine_flow(const struct zt_flow_image *a, const float *na, const float *nb,
                    const float *data, float *u, float *v, float *scratch, struct zt_pool *pool)
{
    size_t n = (size_t)a->width * (size_t)a->height;
    int h = a->height;
    struct refine r = { .a = a, .na = na, .nb = nb, .data = data, .u = u, .v = v };
    float **planes[] = { &r.du,  &r.dv, &r.mid, &r.diff,  &r.a11, &r.a12,
                         &r.a22, &r.b1, &r.b2,  &r.right, &r.down };

    _Static_assert(ZT_COUNT(planes) == ZT_REFINE_SCRATCH, "a plane each");
    for (size_t i = 0; i < ZT_COUNT(planes); i++)
        *planes[i] = scratch + i * n;
    for (int warp = 0; warp < WARPS; warp++) {
        zt_pool_for(pool, h, GRAIN, warp_rows, &r);
        for (int inner = 0; inner < INNER; inner++) {
            zt_pool_for(pool, h, GRAIN, data_rows, &r);
            zt_pool_for(pool, h, GRAIN, smoothness_rows, &r);
            for (int i = 0; i < 2 * RELAXATIONS; i++) {
                r.colour = i & 1;
                zt_pool_for(pool, h, GRAIN, relax_rows, &r);
            }
        }
        for (size_t i = 0; i < n; i++) {
            u[i] += limited(r.du[i]);
            v[i] += limited(r.dv[i]);
        }
    }
}
