/* fill.c - see fill.h. One pass over the picture in order, so the threads have no say in it. */
#include "motion/fill.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define UNSURE   0.1f /* weight below which a pixel is part of a hole */
#define PART_MIN 40   /* pixels; smaller holes are left to smoothing */
#define APART2   4.0f /* squared pixels between two motions worth telling apart */
#define FAINTER  0.8f /* how much weaker the border of the side behind must be */
#define ROUNDS   4

struct fill {
    const struct zt_flow_image *guide;
    float *u, *v;
    const float *sure;
    int32_t *queue;  /* pixels of the part being looked at, then of its border */
    int32_t *source; /* per pixel: -1 not seen, -2 in a part, else whose motion it takes */
};

struct centre {
    float u, v;
    double edge;
    int count;
};

static int neighbours(const struct fill *f, int32_t at, int32_t ret[4])
{
    int w = f->guide->width, h = f->guide->height, x = at % w, y = at / w, n = 0;

    if (x > 0)
        ret[n++] = at - 1;
    if (x < w - 1)
        ret[n++] = at + 1;
    if (y > 0)
        ret[n++] = at - w;
    if (y < h - 1)
        ret[n++] = at + w;
    return n;
}

/* The pixels connected with `seed`, in order of their distance; border pixels go to `border`. */
static int collect(struct fill *f, int32_t seed, int32_t *border, int *ret_border)
{
    int n = 0, edge = 0;

    f->queue[n++] = seed;
    f->source[seed] = -2;
    for (int i = 0; i < n; i++) {
        int32_t next[4];
        int many = neighbours(f, f->queue[i], next);
        for (int k = 0; k < many; k++) {
            if (f->source[next[k]] != -1)
                continue;
            if (f->sure[next[k]] >= UNSURE) {
                border[edge++] = next[k];
                f->source[next[k]] = -3; /* on this border; set back afterwards */
            } else {
                f->queue[n++] = next[k];
                f->source[next[k]] = -2;
            }
        }
    }
    *ret_border = edge;
    return n;
}

/* The strongest difference between a pixel and those up to two away, across and down. */
static float edge_at(const struct zt_flow_image *g, int32_t at)
{
    int w = g->width, x = at % w, y = at / w;
    float most = 0.0f;

    for (int k = -2; k <= 2; k++) {
        int32_t p[2] = { at + k, at + k * w };
        bool in[2] = { x + k >= 0 && x + k < w, y + k >= 0 && y + k < g->height };
        for (int i = 0; i < 2; i++) {
            if (!in[i])
                continue;
            float d = fabsf(g->luma[p[i]] - g->luma[at]) + fabsf(g->blue[p[i]] - g->blue[at]) +
                      fabsf(g->red[p[i]] - g->red[at]);
            most = d > most ? d : most;
        }
    }
    return most;
}

static int nearer(const struct centre c[2], float u, float v)
{
    float d0 = (c[0].u - u) * (c[0].u - u) + (c[0].v - v) * (c[0].v - v);
    float d1 = (c[1].u - u) * (c[1].u - u) + (c[1].v - v) * (c[1].v - v);
    return d1 < d0;
}

/* Splits the motions of the border in two (2-means) and measures the edge along each. */
static void split(const struct fill *f, const int32_t *border, int n, struct centre ret[2])
{
    int far = 0;
    float most = -1.0f;

    for (int i = 0; i < n; i++) {
        float du = f->u[border[i]] - f->u[border[0]], dv = f->v[border[i]] - f->v[border[0]];
        if (du * du + dv * dv > most) {
            most = du * du + dv * dv;
            far = i;
        }
    }
    ret[0] = (struct centre){ f->u[border[0]], f->v[border[0]], 0.0, 0 };
    ret[1] = (struct centre){ f->u[border[far]], f->v[border[far]], 0.0, 0 };
    for (int round = 0; round < ROUNDS; round++) {
        double sum[2][4] = { { 0 } };
        for (int i = 0; i < n; i++) {
            double *s = sum[nearer(ret, f->u[border[i]], f->v[border[i]])];
            s[0] += (double)f->u[border[i]];
            s[1] += (double)f->v[border[i]];
            s[2] += (double)edge_at(f->guide, border[i]);
            s[3] += 1.0;
        }
        for (int k = 0; k < 2; k++) {
            if (sum[k][3] > 0.0)
                ret[k] =
                    (struct centre){ (float)(sum[k][0] / sum[k][3]), (float)(sum[k][1] / sum[k][3]),
                                     sum[k][2] / sum[k][3], (int)sum[k][3] };
        }
    }
}

/* Gives each pixel of the part the motion of the nearest border pixel of side `behind`. */
static void spread_side(struct fill *f, const int32_t *border, int edge, const struct centre c[2],
                        int behind, int part)
{
    int n = 0;

    for (int i = 0; i < edge; i++) {
        if (nearer(c, f->u[border[i]], f->v[border[i]]) == behind) {
            f->queue[part + n++] = border[i];
            f->source[border[i]] = border[i];
        }
    }
    for (int i = 0; i < n; i++) {
        int32_t at = f->queue[part + i], next[4];
        int many = neighbours(f, at, next);
        for (int k = 0; k < many; k++) {
            if (f->source[next[k]] == -2) {
                f->source[next[k]] = f->source[at];
                f->queue[part + n++] = next[k];
            }
        }
    }
}

static void fill_part(struct fill *f, int32_t seed, int32_t *border, float *sure, float spread)
{
    struct centre c[2];
    int edge, part = collect(f, seed, border, &edge);

    if (part >= PART_MIN && edge > 0) {
        split(f, border, edge, c);
        float du = c[0].u - c[1].u, dv = c[0].v - c[1].v;
        int behind = c[1].edge < c[0].edge;
        if (du * du + dv * dv > APART2 && c[0].count > 0 && c[1].count > 0 &&
            c[behind].edge < (double)FAINTER * c[!behind].edge) {
            spread_side(f, border, edge, c, behind, part);
            for (int i = 0; i < part; i++) {
                int32_t at = f->queue[i], from = f->source[at];
                if (from < 0)
                    continue;
                f->u[at] = f->u[from];
                f->v[at] = f->v[from];
                sure[at] = spread;
            }
        }
    }
    for (int i = 0; i < part; i++)
        f->source[f->queue[i]] = -4; /* done with */
    for (int i = 0; i < edge; i++)
        f->source[border[i]] = -1; /* may border on another part */
}

enum zt_code zt_fill_occluded(const struct zt_flow_image *guide, float *u, float *v, float *sure,
                              float spread, struct zt_err *err)
{
    int32_t n = guide->width * guide->height;
    zt_auto_free int32_t *block = NULL;
    struct fill f = { .guide = guide, .u = u, .v = v, .sure = sure };

    /* The queue holds a part, then border and part again; the border has an own list. */
    ZT_TRY(zt_try_alloc((size_t)n, 4 * sizeof(*block), "occluded parts", (void **)&block, err));
    f.source = block;
    f.queue = block + n;
    int32_t *border = block + 3 * (size_t)n;
    for (int32_t i = 0; i < n; i++)
        f.source[i] = -1;
    for (int32_t i = 0; i < n; i++)
        if (f.source[i] == -1 && sure[i] < UNSURE)
            fill_part(&f, i, border, sure, spread);
    return ZT_OK;
}
