/*
 * inpaint.c - see inpaint.h. Patches are matched on a proxy of PROXY_LONG pixels and copied at
 * full size, so that what they bring keeps its detail.
 */
#include "motion/inpaint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/rng.h"

#define MEMBRANE_LONG 512
#define PROXY_LONG    320
#define LEVELS        4
#define HALF          3 /* patches are 7 x 7 */
#define LEAST_SIDE    24
#define MATCH_ROUNDS  2
#define FILL_ROUNDS   4

/* ---- the membrane -------------------------------------------------------------------------- */

struct plane4 { /* colour times weight, and weight */
    int width, height;
    float *v;
};

static enum zt_code plane4_init(struct plane4 *p, int width, int height, struct zt_err *err)
{
    void *v = NULL;

    p->width = width;
    p->height = height;
    ZT_TRY(zt_try_alloc((size_t)width * (size_t)height * 4, sizeof(float), "inpainting", &v, err));
    p->v = v;
    return ZT_OK;
}

/* Weighted mean of 2 x 2; odd sizes repeat their last row and column. */
static void shrink(const struct plane4 *src, struct plane4 *dst)
{
    for (int y = 0; y < dst->height; y++) {
        for (int x = 0; x < dst->width; x++) {
            float *d = dst->v + 4 * ((size_t)y * (size_t)dst->width + (size_t)x);
            for (int k = 0; k < 4; k++) {
                int sx = 2 * x + (k & 1);
                int sy = 2 * y + (k >> 1);
                if (sx >= src->width || sy >= src->height)
                    continue;
                const float *s = src->v + 4 * ((size_t)sy * (size_t)src->width + (size_t)sx);
                for (int c = 0; c < 4; c++)
                    d[c] += s[c];
            }
            if (d[3] > 1) /* a full cell counts once, however many points it had */
                for (int c = 0; c < 4; c++)
                    d[c] /= d[3] > 0 ? d[3] : 1;
        }
    }
}

static void sample(const struct plane4 *p, float x, float y, float *ret)
{
    int x0 = (int)floorf(x);
    int y0 = (int)floorf(y);
    float fx = x - (float)x0;
    float fy = y - (float)y0;

    memset(ret, 0, 4 * sizeof(*ret));
    for (int k = 0; k < 4; k++) {
        int sx = x0 + (k & 1);
        int sy = y0 + (k >> 1);
        float w = ((k & 1) ? fx : 1 - fx) * ((k >> 1) ? fy : 1 - fy);
        sx = sx < 0 ? 0 : sx >= p->width ? p->width - 1 : sx;
        sy = sy < 0 ? 0 : sy >= p->height ? p->height - 1 : sy;
        const float *s = p->v + 4 * ((size_t)sy * (size_t)p->width + (size_t)sx);
        for (int c = 0; c < 4; c++)
            ret[c] += w * s[c];
    }
}

/* What has no full weight of its own takes the rest from the coarser level. */
static void grow(const struct plane4 *coarse, struct plane4 *fine)
{
    for (int y = 0; y < fine->height; y++) {
        for (int x = 0; x < fine->width; x++) {
            float *f = fine->v + 4 * ((size_t)y * (size_t)fine->width + (size_t)x);
            float from[4];
            if (f[3] >= 1)
                continue;
            sample(coarse, ((float)x + 0.5F) / 2 - 0.5F, ((float)y + 0.5F) / 2 - 0.5F, from);
            for (int c = 0; c < 3; c++)
                f[c] += (1 - f[3]) * from[c] / (from[3] > 0 ? from[3] : 1);
            f[3] = 1;
        }
    }
}

/* Push and pull (Gortler et al., "The Lumigraph", 1996). Level 0 has colours and weights. */
static enum zt_code push_pull(struct plane4 *level, int levels, struct zt_err *err)
{
    for (int i = 1; i < levels; i++) {
        ZT_TRY(plane4_init(&level[i], (level[i - 1].width + 1) / 2, (level[i - 1].height + 1) / 2,
                           err));
        shrink(&level[i - 1], &level[i]);
    }
    float *top = level[levels - 1].v; /* one point: the mean, or grey when nothing was known */
    for (int c = 0; c < 3; c++)
        top[c] = top[3] > 0 ? top[c] / top[3] : 128;
    top[3] = 1;
    for (int i = levels - 1; i > 0; i--)
        grow(&level[i], &level[i - 1]);
    return ZT_OK;
}

static uint8_t to_byte(float v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5F);
}

/* Known colours of the picture, summed over the cells of a smaller grid. */
static void gather_known(const struct zt_image *picture, const uint8_t *hole, struct plane4 *grid)
{
    for (int y = 0; y < picture->height_px; y++) {
        int gy = (int)((int64_t)y * grid->height / picture->height_px);
        const uint8_t *p = picture->pixels + (size_t)y * picture->stride;
        for (int x = 0; x < picture->width_px; x++, p += 3) {
            if (hole[(size_t)y * (size_t)picture->width_px + (size_t)x])
                continue;
            int gx = (int)((int64_t)x * grid->width / picture->width_px);
            float *g = grid->v + 4 * ((size_t)gy * (size_t)grid->width + (size_t)gx);
            for (int c = 0; c < 3; c++)
                g[c] += p[c];
            g[3] += 1;
        }
    }
    for (size_t i = 0; i < (size_t)grid->width * (size_t)grid->height; i++) {
        float *g = grid->v + 4 * i;
        for (int c = 0; c < 4 && g[3] > 1; c++)
            g[c] /= g[3];
    }
}

/* The membrane is smooth: it is made on a grid of MEMBRANE_LONG points and interpolated. */
static enum zt_code fill_membrane(struct zt_image *picture, const uint8_t *hole, struct zt_err *err)
{
    struct plane4 level[32] = { { 0 } };
    int longest = picture->width_px > picture->height_px ? picture->width_px : picture->height_px;
    float scale = longest > MEMBRANE_LONG ? (float)MEMBRANE_LONG / (float)longest : 1;
    int width = (int)((float)picture->width_px * scale);
    int height = (int)((float)picture->height_px * scale);
    int levels = 1;

    width = width > 0 ? width : 1;
    height = height > 0 ? height : 1;
    for (int side = width > height ? width : height; side > 1; side = (side + 1) / 2)
        levels++;
    enum zt_code rc = plane4_init(&level[0], width, height, err);
    if (rc == ZT_OK) {
        gather_known(picture, hole, &level[0]);
        rc = push_pull(level, levels, err);
    }
    for (int y = 0; rc == ZT_OK && y < picture->height_px; y++) {
        float gy = ((float)y + 0.5F) * (float)height / (float)picture->height_px - 0.5F;
        for (int x = 0; x < picture->width_px; x++) {
            float colour[4];
            if (!hole[(size_t)y * (size_t)picture->width_px + (size_t)x])
                continue;
            sample(&level[0], ((float)x + 0.5F) * (float)width / (float)picture->width_px - 0.5F,
                   gy, colour);
            uint8_t *p = picture->pixels + (size_t)y * picture->stride + 3 * (size_t)x;
            for (int c = 0; c < 3; c++)
                p[c] = to_byte(colour[c]);
        }
    }
    for (int i = 0; i < levels; i++)
        free(level[i].v);
    return rc;
}

/* ---- patches ------------------------------------------------------------------------------- */

struct level {
    int width, height;
    float *rgb;      /* [height][width][3], known colours and the current filling */
    uint8_t *hole;   /* unknown */
    uint8_t *target; /* a patch here touches the hole, within reach */
    uint8_t *source; /* a patch here lies wholly in what is known */
    int16_t *match;  /* [height][width][2], x and y of the best source for a target */
    float *cost;
    int *sources; /* indices of all sources, for random tries */
    int sources_n;
};

static size_t at(const struct level *l, int x, int y)
{
    return (size_t)y * (size_t)l->width + (size_t)x;
}

static int clamp_int(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

static enum zt_code level_init(struct level *l, int width, int height, struct zt_err *err)
{
    size_t n = (size_t)width * (size_t)height;
    void *memory = NULL;

    /* One block: 3 + 1 floats, an int, 2 int16 and 3 bytes a pixel, widest first. */
    ZT_TRY(zt_try_alloc(n, 4 * sizeof(float) + sizeof(int) + 2 * sizeof(int16_t) + 3, "inpainting",
                        &memory, err));
    l->width = width;
    l->height = height;
    l->rgb = memory;
    l->cost = l->rgb + 3 * n;
    l->sources = (int *)(void *)(l->cost + n);
    l->match = (int16_t *)(void *)(l->sources + n);
    l->hole = (uint8_t *)(void *)(l->match + 2 * n);
    l->target = l->hole + n;
    l->source = l->target + n;
    return ZT_OK;
}

/* Mean colours; a pixel is a hole when any of what it covers is. */
static void level_from_picture(struct level *l, const struct zt_image *picture, const uint8_t *hole)
{
    int width = picture->width_px;
    int height = picture->height_px;

    for (int y = 0; y < l->height; y++) {
        int y0 = (int)((int64_t)y * height / l->height);
        int y1 = (int)((int64_t)(y + 1) * height / l->height);
        for (int x = 0; x < l->width; x++) {
            int x0 = (int)((int64_t)x * width / l->width);
            int x1 = (int)((int64_t)(x + 1) * width / l->width);
            int sum[3] = { 0, 0, 0 };
            int count = 0;
            for (int py = y0; py < y1 || py == y0; py++) {
                for (int px = x0; px < x1 || px == x0; px++) {
                    const uint8_t *p =
                        picture->pixels + (size_t)py * picture->stride + 3 * (size_t)px;
                    for (int c = 0; c < 3; c++)
                        sum[c] += p[c];
                    count++;
                    l->hole[at(l, x, y)] |= hole[(size_t)py * (size_t)width + (size_t)px] != 0;
                }
            }
            for (int c = 0; c < 3; c++)
                l->rgb[3 * at(l, x, y) + (size_t)c] = (float)sum[c] / (float)count;
        }
    }
}

static void level_from_finer(struct level *l, const struct level *fine)
{
    for (int y = 0; y < l->height; y++) {
        for (int x = 0; x < l->width; x++) {
            float *d = l->rgb + 3 * at(l, x, y);
            for (int k = 0; k < 4; k++) {
                size_t s = at(fine, clamp_int(2 * x + (k & 1), 0, fine->width - 1),
                              clamp_int(2 * y + (k >> 1), 0, fine->height - 1));
                for (int c = 0; c < 3; c++)
                    d[c] += fine->rgb[3 * s + (size_t)c] / 4;
                l->hole[at(l, x, y)] |= fine->hole[s];
            }
        }
    }
}

/* Steps from the nearest known pixel, up to 250 (city blocks: two passes are exact). */
static void distances(const struct level *l, uint8_t *steps)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < l->width * l->height; i++) {
            int k = pass == 0 ? i : l->width * l->height - 1 - i;
            int x = k % l->width;
            int y = k / l->width;
            int before_x = pass == 0 ? x - 1 : x + 1;
            int before_y = pass == 0 ? y - 1 : y + 1;
            int best = l->hole[k] ? (pass == 0 ? 250 : steps[k]) : 0;
            if (before_x >= 0 && before_x < l->width && steps[at(l, before_x, y)] + 1 < best)
                best = steps[at(l, before_x, y)] + 1;
            if (before_y >= 0 && before_y < l->height && steps[at(l, x, before_y)] + 1 < best)
                best = steps[at(l, x, before_y)] + 1;
            steps[k] = (uint8_t)best;
        }
    }
}

static void find_targets(struct level *l, int reach)
{
    uint8_t *steps = l->source; /* not needed yet: borrow it */

    distances(l, steps);
    for (int y = 0; y < l->height; y++) {
        for (int x = 0; x < l->width; x++) {
            bool touches = false;
            for (int dy = -HALF; dy <= HALF && !touches; dy++) {
                for (int dx = -HALF; dx <= HALF && !touches; dx++) {
                    int px = clamp_int(x + dx, 0, l->width - 1);
                    int py = clamp_int(y + dy, 0, l->height - 1);
                    touches = l->hole[at(l, px, py)] != 0;
                }
            }
            l->target[at(l, x, y)] = touches && steps[at(l, x, y)] <= reach + HALF;
        }
    }
    l->sources_n = 0;
    for (int y = 0; y < l->height; y++) {
        for (int x = 0; x < l->width; x++) {
            bool whole = x >= HALF && y >= HALF && x < l->width - HALF && y < l->height - HALF;
            for (int dy = -HALF; dy <= HALF && whole; dy++) {
                for (int dx = -HALF; dx <= HALF && whole; dx++)
                    whole = !l->hole[at(l, x + dx, y + dy)];
            }
            l->source[at(l, x, y)] = whole;
            if (whole)
                l->sources[l->sources_n++] = (int)at(l, x, y);
        }
    }
}

/* Sum of squared differences of two patches; stops once it passes `limit`. */
static float patch_cost(const struct level *l, int tx, int ty, int sx, int sy, float limit)
{
    float sum = 0;

    for (int dy = -HALF; dy <= HALF; dy++) {
        int y = clamp_int(ty + dy, 0, l->height - 1);
        const float *s = l->rgb + 3 * at(l, sx - HALF, sy + dy);
        for (int dx = -HALF; dx <= HALF; dx++, s += 3) {
            int x = clamp_int(tx + dx, 0, l->width - 1);
            const float *t = l->rgb + 3 * at(l, x, y);
            float d0 = t[0] - s[0];
            float d1 = t[1] - s[1];
            float d2 = t[2] - s[2];
            /* What is known weighs more than what was only guessed so far. */
            float w = l->hole[at(l, x, y)] ? 1.0F : 3.0F;
            sum += w * (d0 * d0 + d1 * d1 + d2 * d2);
        }
        if (sum >= limit)
            return sum;
    }
    return sum;
}

static void try_match(struct level *l, int x, int y, int sx, int sy)
{
    size_t i = at(l, x, y);

    if (sx < 0 || sy < 0 || sx >= l->width || sy >= l->height || !l->source[at(l, sx, sy)])
        return;
    float cost = patch_cost(l, x, y, sx, sy, l->cost[i]);
    if (cost < l->cost[i]) {
        l->cost[i] = cost;
        l->match[2 * i] = (int16_t)sx;
        l->match[2 * i + 1] = (int16_t)sy;
    }
}

static void try_random(struct level *l, struct zt_rng *rng, int x, int y)
{
    size_t i = at(l, x, y);

    for (int radius = l->width / 2; radius >= 2; radius /= 2) {
        int span = 2 * radius + 1;
        try_match(l, x, y, l->match[2 * i] + (int)(zt_rng_u32(rng) % (uint32_t)span) - radius,
                  l->match[2 * i + 1] + (int)(zt_rng_u32(rng) % (uint32_t)span) - radius);
    }
}

/* One PatchMatch sweep, forwards or backwards: neighbours' matches, then a search around. */
static void sweep(struct level *l, struct zt_rng *rng, bool forwards)
{
    int n = l->width * l->height;
    int step = forwards ? -1 : 1;

    for (int k = 0; k < n; k++) {
        int i = forwards ? k : n - 1 - k;
        int x = i % l->width;
        int y = i / l->width;
        if (!l->target[i])
            continue;
        int bx = x + step;
        int by = y + step;
        if (bx >= 0 && bx < l->width && l->target[at(l, bx, y)])
            try_match(l, x, y, l->match[2 * at(l, bx, y)] - step, l->match[2 * at(l, bx, y) + 1]);
        if (by >= 0 && by < l->height && l->target[at(l, x, by)])
            try_match(l, x, y, l->match[2 * at(l, x, by)], l->match[2 * at(l, x, by) + 1] - step);
        try_random(l, rng, x, y);
    }
}

static void start_matches(struct level *l, const struct level *coarse, struct zt_rng *rng)
{
    for (int y = 0; y < l->height; y++) {
        for (int x = 0; x < l->width; x++) {
            size_t i = at(l, x, y);
            if (!l->target[i])
                continue;
            int any = l->sources[zt_rng_u32(rng) % (uint32_t)l->sources_n];
            l->match[2 * i] = (int16_t)(any % l->width);
            l->match[2 * i + 1] = (int16_t)(any / l->width);
            l->cost[i] = INFINITY;
            if (coarse == NULL)
                continue;
            size_t c = at(coarse, clamp_int(x / 2, 0, coarse->width - 1),
                          clamp_int(y / 2, 0, coarse->height - 1));
            int sx = 2 * coarse->match[2 * c] + (x & 1);
            int sy = 2 * coarse->match[2 * c + 1] + (y & 1);
            if (coarse->target[c] && sx < l->width && sy < l->height && l->source[at(l, sx, sy)]) {
                l->match[2 * i] = (int16_t)sx;
                l->match[2 * i + 1] = (int16_t)sy;
            }
        }
    }
}

/* Every hole pixel becomes the mean of what the patches over it say, good fits counting more. */
static void vote(struct level *l)
{
    for (int y = 0; y < l->height; y++) {
        for (int x = 0; x < l->width; x++) {
            float sum[3] = { 0, 0, 0 };
            float weight = 0;
            if (!l->hole[at(l, x, y)])
                continue;
            for (int dy = -HALF; dy <= HALF; dy++) {
                for (int dx = -HALF; dx <= HALF; dx++) {
                    int tx = x + dx;
                    int ty = y + dy;
                    if (tx < 0 || ty < 0 || tx >= l->width || ty >= l->height ||
                        !l->target[at(l, tx, ty)])
                        continue;
                    size_t t = at(l, tx, ty);
                    float w = expf(-l->cost[t] / (49 * 3 * 2 * 144.0F)) + 1e-6F;
                    const float *s =
                        l->rgb + 3 * at(l, l->match[2 * t] - dx, l->match[2 * t + 1] - dy);
                    for (int c = 0; c < 3; c++)
                        sum[c] += w * s[c];
                    weight += w;
                }
            }
            for (int c = 0; c < 3 && weight > 0; c++)
                l->rgb[3 * at(l, x, y) + (size_t)c] = sum[c] / weight;
        }
    }
}

static void solve_level(struct level *l, const struct level *coarse, struct zt_rng *rng, int rounds)
{
    start_matches(l, coarse, rng);
    if (coarse != NULL)
        vote(l); /* costs are infinite: all count alike */
    for (int round = 0; round < rounds; round++) {
        for (size_t i = 0; i < (size_t)l->width * (size_t)l->height; i++) {
            if (l->target[i])
                l->cost[i] = patch_cost(l, (int)(i % (size_t)l->width), (int)(i / (size_t)l->width),
                                        l->match[2 * i], l->match[2 * i + 1], INFINITY);
        }
        for (int k = 0; k < MATCH_ROUNDS; k++)
            sweep(l, rng, (k & 1) == 0);
        vote(l);
    }
}

/* Full-size pixels along the proxy's matches: four neighbouring matches, weighed by nearness. */
static void copy_full(struct zt_image *picture, const uint8_t *hole, const struct level *l)
{
    int width = picture->width_px;
    float sx = (float)width / (float)l->width;
    float sy = (float)picture->height_px / (float)l->height;

    for (int y = 0; y < picture->height_px; y++) {
        for (int x = 0; x < width; x++) {
            float sum[3] = { 0, 0, 0 };
            float weight = 0;
            if (!hole[(size_t)y * (size_t)width + (size_t)x])
                continue;
            float px = ((float)x + 0.5F) / sx - 0.5F;
            float py = ((float)y + 0.5F) / sy - 0.5F;
            for (int k = 0; k < 4; k++) {
                int cx = (int)floorf(px) + (k & 1);
                int cy = (int)floorf(py) + (k >> 1);
                if (cx < 0 || cy < 0 || cx >= l->width || cy >= l->height ||
                    !l->target[at(l, cx, cy)])
                    continue;
                const int16_t *m = l->match + 2 * at(l, cx, cy);
                int fx = x + (int)lrintf((float)(m[0] - cx) * sx);
                int fy = y + (int)lrintf((float)(m[1] - cy) * sy);
                if (fx < 0 || fy < 0 || fx >= width || fy >= picture->height_px ||
                    hole[(size_t)fy * (size_t)width + (size_t)fx])
                    continue;
                float w = (1 - fabsf(px - (float)cx)) * (1 - fabsf(py - (float)cy));
                const uint8_t *p = picture->pixels + (size_t)fy * picture->stride + 3 * (size_t)fx;
                for (int c = 0; c < 3; c++)
                    sum[c] += w * (float)p[c];
                weight += w;
            }
            uint8_t *p = picture->pixels + (size_t)y * picture->stride + 3 * (size_t)x;
            for (int c = 0; c < 3 && weight > 0.25F; c++)
                p[c] = to_byte(sum[c] / weight);
        }
    }
}

static enum zt_code fill_patches(struct zt_image *picture, const uint8_t *hole, int reach_px,
                                 struct level *level, struct zt_err *err)
{
    int longest = picture->width_px > picture->height_px ? picture->width_px : picture->height_px;
    float scale = longest > PROXY_LONG ? (float)PROXY_LONG / (float)longest : 1;
    int width = (int)((float)picture->width_px * scale);
    int height = (int)((float)picture->height_px * scale);
    int reach = (int)((float)reach_px * scale) + 1;
    int levels = 0;
    struct zt_rng rng;

    zt_rng_init(&rng, 1, 1);
    while (levels < LEVELS && width >= LEAST_SIDE && height >= LEAST_SIDE) {
        struct level *l = &level[levels];
        ZT_TRY(level_init(l, width, height, err));
        if (levels == 0)
            level_from_picture(l, picture, hole);
        else
            level_from_finer(l, &level[levels - 1]);
        find_targets(l, reach);
        if (l->sources_n < 64) /* too little is known at this size */
            break;
        levels++;
        width /= 2;
        height /= 2;
        reach = reach / 2 + 1;
    }
    for (int i = levels - 1; i >= 0; i--)
        solve_level(&level[i], i + 1 < levels ? &level[i + 1] : NULL, &rng,
                    i == 0 ? 1 : FILL_ROUNDS);
    if (levels > 0)
        copy_full(picture, hole, &level[0]);
    return ZT_OK;
}

enum zt_code zt_inpaint(struct zt_image *picture, const uint8_t *hole, int reach_px,
                        struct zt_err *err)
{
    struct level level[LEVELS] = { { 0 } };
    size_t n = (size_t)picture->width_px * (size_t)picture->height_px;

    zt_assert(reach_px >= 0);
    if (memchr(hole, 0, n) != NULL && n > 0) {
        size_t holes = 0;
        for (size_t i = 0; i < n; i++)
            holes += hole[i] != 0;
        if (holes == 0)
            return ZT_OK;
    }
    ZT_TRY(fill_membrane(picture, hole, err));
    if (reach_px == 0)
        return ZT_OK;
    enum zt_code rc = fill_patches(picture, hole, reach_px, level, err);
    for (int i = 0; i < LEVELS; i++)
        free(level[i].rgb);
    return rc;
}
