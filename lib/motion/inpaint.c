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
#include "base/thread.h"

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

/* floor of a position that is at most one sample outside; without a call into the library. */
static int whole(float v)
{
    return (int)(v + 1) - 1;
}

static void sample(const struct plane4 *p, float x, float y, float *ret)
{
    int x0 = whole(x);
    int y0 = whole(y);
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

struct level;

/* One picture being filled: what its phases hand on. */
struct job {
    const struct zt_inpaint *what;
    struct plane4 membrane; /* level 0 of the pyramid */
    uint8_t *steps;         /* [membrane height][width]: cells from the nearest known one */
    int reach;              /* in those cells */
    struct level *level;    /* [LEVELS] */
    int levels;             /* that could be made */
    enum zt_code rc;
    struct zt_err err;
};

/* Known colours of the picture, summed over the cells of a smaller grid; rows of the grid. */
static void gather_known(void *user, int first, int end)
{
    const struct job *job = user;
    const struct zt_image *picture = job->what->picture;
    const struct plane4 *grid = &job->membrane;

    for (int gy = first; gy < end; gy++) {
        float *cells = grid->v + 4 * (size_t)gy * (size_t)grid->width;
        int y = (int)(((int64_t)gy * picture->height_px + grid->height - 1) / grid->height);
        int last =
            (int)(((int64_t)(gy + 1) * picture->height_px + grid->height - 1) / grid->height);
        for (; y < last; y++) {
            const uint8_t *p = picture->pixels + (size_t)y * picture->stride;
            const uint8_t *hole = job->what->hole + (size_t)y * (size_t)picture->width_px;
            for (int x = 0; x < picture->width_px; x++, p += 3) {
                if (hole[x])
                    continue;
                float *g = cells + 4 * (size_t)((int64_t)x * grid->width / picture->width_px);
                for (int c = 0; c < 3; c++)
                    g[c] += p[c];
                g[3] += 1;
            }
        }
        for (float *g = cells; g < cells + 4 * (size_t)grid->width; g += 4)
            for (int c = 0; c < 4 && g[3] > 1; c++)
                g[c] /= g[3];
    }
}

/* Steps from the nearest cell that is not 0, up to 250 (city blocks: two passes are exact). */
static void distances(uint8_t *steps, int width, int height)
{
    for (int pass = 0; pass < 2; pass++) {
        for (int i = 0; i < width * height; i++) {
            int k = pass == 0 ? i : width * height - 1 - i;
            int x = k % width;
            int y = k / width;
            int before_x = pass == 0 ? x - 1 : x + 1;
            int before_y = pass == 0 ? y - 1 : y + 1;
            int best = steps[k];
            if (before_x >= 0 && before_x < width && steps[y * width + before_x] + 1 < best)
                best = steps[y * width + before_x] + 1;
            if (before_y >= 0 && before_y < height && steps[before_y * width + x] + 1 < best)
                best = steps[before_y * width + x] + 1;
            steps[k] = (uint8_t)best;
        }
    }
}

/* The membrane is smooth: it is made on a grid of MEMBRANE_LONG points and interpolated. */
static enum zt_code open_membrane(struct job *job, struct zt_err *err)
{
    const struct zt_image *picture = job->what->picture;
    int longest = picture->width_px > picture->height_px ? picture->width_px : picture->height_px;
    float scale = longest > MEMBRANE_LONG ? (float)MEMBRANE_LONG / (float)longest : 1;
    int width = (int)((float)picture->width_px * scale);
    int height = (int)((float)picture->height_px * scale);
    void *steps = NULL;

    ZT_TRY(plane4_init(&job->membrane, width > 0 ? width : 1, height > 0 ? height : 1, err));
    ZT_TRY(zt_try_alloc((size_t)job->membrane.width, (size_t)job->membrane.height, "inpainting",
                        &steps, err));
    job->steps = steps;
    job->reach = (int)((float)job->what->reach_px * scale) + 2;
    return ZT_OK;
}

static enum zt_code stretch_membrane(struct job *job, struct zt_err *err)
{
    struct plane4 level[32] = { job->membrane };
    int cells = job->membrane.width * job->membrane.height, known = 0, levels = 1;
    int side =
        job->membrane.width > job->membrane.height ? job->membrane.width : job->membrane.height;

    for (int i = 0; i < cells; i++) {
        job->steps[i] = job->membrane.v[4 * (size_t)i + 3] > 0 ? 0 : 250;
        known += job->steps[i] == 0;
    }
    if (known == 0 || job->what->patches) /* all of it: far in it is not worth more than tone */
        memset(job->steps, 0, (size_t)cells);
    distances(job->steps, job->membrane.width, job->membrane.height);
    for (; side > 1; side = (side + 1) / 2)
        levels++;
    enum zt_code rc = push_pull(level, levels, err);
    for (int i = 1; i < levels; i++)
        free(level[i].v);
    return rc;
}

/* Rows of the picture: the membrane, as far into the hole as anybody will look. */
static void fill_membrane(void *user, int first, int end)
{
    const struct job *job = user;
    const struct zt_image *picture = job->what->picture;
    const struct plane4 *grid = &job->membrane;
    float across = (float)grid->width / (float)picture->width_px;
    float down = (float)grid->height / (float)picture->height_px;

    for (int y = first; y < end; y++) {
        const uint8_t *hole = job->what->hole + (size_t)y * (size_t)picture->width_px;
        float gy = ((float)y + 0.5F) * down;
        const uint8_t *steps = job->steps + (size_t)gy * (size_t)grid->width;
        for (int x = 0; x < picture->width_px; x++) {
            float gx = ((float)x + 0.5F) * across;
            float colour[4];
            if (!hole[x] || steps[(size_t)gx] > job->reach)
                continue;
            sample(grid, gx - 0.5F, gy - 0.5F, colour);
            uint8_t *p = picture->pixels + (size_t)y * picture->stride + 3 * (size_t)x;
            for (int c = 0; c < 3; c++)
                p[c] = to_byte(colour[c]);
        }
    }
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

/* 1 where any of the 2 * HALF + 1 values around, `step` apart, is not 0. */
static void spread(const uint8_t *in, uint8_t *out, int lines, int line_step, int n, int step)
{
    for (int line = 0; line < lines; line++) {
        const uint8_t *from = in + (ptrdiff_t)line * line_step;
        uint8_t *to = out + (ptrdiff_t)line * line_step;
        int last = -HALF - 1; /* where the last one was */
        for (int i = 0; i < n + HALF; i++) {
            if (i < n && from[(ptrdiff_t)i * step])
                last = i;
            if (i >= HALF)
                to[(ptrdiff_t)(i - HALF) * step] = last >= i - 2 * HALF;
        }
    }
}

static void find_targets(struct level *l, int reach)
{
    uint8_t *steps = (uint8_t *)(void *)l->cost; /* not needed yet: borrow it */
    int width = l->width, height = l->height;

    for (int i = 0; i < width * height; i++)
        steps[i] = l->hole[i] ? 250 : 0;
    distances(steps, width, height);
    spread(l->hole, l->source, height, width, width, 1);
    spread(l->source, l->target, width, 1, height, width);
    l->sources_n = 0;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            size_t i = at(l, x, y);
            bool touches = l->target[i];
            l->target[i] = touches && steps[i] <= reach + HALF;
            l->source[i] =
                !touches && x >= HALF && y >= HALF && x < width - HALF && y < height - HALF;
            if (l->source[i])
                l->sources[l->sources_n++] = (int)i;
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

/* A full-size pixel along the proxy's matches at (px, py): four of them, weighed by nearness. */
static void copy_pixel(const struct job *job, int x, int y, float px, float py, uint8_t *dst)
{
    const struct zt_image *picture = job->what->picture;
    const struct level *l = &job->level[0];
    int width = picture->width_px, height = picture->height_px;
    float sx = (float)width / (float)l->width, sy = (float)height / (float)l->height;
    float sum[3] = { 0, 0, 0 };
    float weight = 0;

    for (int k = 0; k < 4; k++) {
        int cx = whole(px) + (k & 1);
        int cy = whole(py) + (k >> 1);
        if (cx < 0 || cy < 0 || cx >= l->width || cy >= l->height || !l->target[at(l, cx, cy)])
            continue;
        const int16_t *m = l->match + 2 * at(l, cx, cy);
        int fx = x + (int)lrintf((float)(m[0] - cx) * sx);
        int fy = y + (int)lrintf((float)(m[1] - cy) * sy);
        if (fx < 0 || fy < 0 || fx >= width || fy >= height ||
            job->what->hole[(size_t)fy * (size_t)width + (size_t)fx])
            continue;
        float w = (1 - fabsf(px - (float)cx)) * (1 - fabsf(py - (float)cy));
        const uint8_t *p = picture->pixels + (size_t)fy * picture->stride + 3 * (size_t)fx;
        for (int c = 0; c < 3; c++)
            sum[c] += w * (float)p[c];
        weight += w;
    }
    for (int c = 0; c < 3 && weight > 0.25F; c++)
        dst[c] = to_byte(sum[c] / weight);
}

/* Rows of the picture, where there are matches. */
static void copy_full(void *user, int first, int end)
{
    const struct job *job = user;
    const struct zt_image *picture = job->what->picture;
    const struct level *l = &job->level[0];
    int width = picture->width_px;
    float sx = (float)width / (float)l->width;
    float sy = (float)picture->height_px / (float)l->height;

    for (int y = first; y < end; y++) {
        const uint8_t *hole = job->what->hole + (size_t)y * (size_t)width;
        uint8_t *row = picture->pixels + (size_t)y * picture->stride;
        float py = ((float)y + 0.5F) / sy - 0.5F;
        int top = whole(py);
        int bottom = top + 1 < l->height ? top + 1 : top;
        top = top < 0 ? bottom : top;
        const uint8_t *upper = l->target + at(l, 0, top), *lower = l->target + at(l, 0, bottom);
        for (int x = 0; x < width; x++) {
            float px = ((float)x + 0.5F) / sx - 0.5F;
            int left = whole(px);
            int right = left + 1 < l->width ? left + 1 : left;
            left = left < 0 ? right : left;
            if (hole[x] && (upper[left] | upper[right] | lower[left] | lower[right]) != 0)
                copy_pixel(job, x, y, px, py, row + 3 * (size_t)x);
        }
    }
}

static enum zt_code find_patches(struct job *job, struct zt_err *err)
{
    const struct zt_image *picture = job->what->picture;
    int longest = picture->width_px > picture->height_px ? picture->width_px : picture->height_px;
    float scale = longest > PROXY_LONG ? (float)PROXY_LONG / (float)longest : 1;
    int width = (int)((float)picture->width_px * scale);
    int height = (int)((float)picture->height_px * scale);
    int reach = (int)((float)job->what->reach_px * scale) + 1;
    struct zt_rng rng;

    zt_rng_init(&rng, 1, 1);
    while (job->levels < LEVELS && width >= LEAST_SIDE && height >= LEAST_SIDE) {
        struct level *l = &job->level[job->levels];
        ZT_TRY(level_init(l, width, height, err));
        if (job->levels == 0)
            level_from_picture(l, picture, job->what->hole);
        else
            level_from_finer(l, &job->level[job->levels - 1]);
        find_targets(l, reach);
        if (l->sources_n < 64) /* too little is known at this size */
            break;
        job->levels++;
        width /= 2;
        height /= 2;
        reach = reach / 2 + 1;
    }
    for (int i = job->levels - 1; i >= 0; i--)
        solve_level(&job->level[i], i + 1 < job->levels ? &job->level[i + 1] : NULL, &rng,
                    i == 0 ? 1 : FILL_ROUNDS);
    return ZT_OK;
}

/* ---- all together -------------------------------------------------------------------------- */

struct jobs {
    struct job job[ZT_INPAINT_MAX];
    int n;
    struct zt_pool *pool;
};

static void in_rows(const struct jobs *jobs, int n, zt_slice_fn *fn, struct job *job)
{
    if (jobs->pool != NULL)
        zt_pool_for(jobs->pool, n, 16, fn, job);
    else
        fn(job, 0, n);
}

static void stretch_all(void *user, int first, int end)
{
    struct jobs *jobs = user;

    for (int i = first; i < end; i++)
        jobs->job[i].rc = stretch_membrane(&jobs->job[i], &jobs->job[i].err);
}

static void find_all(void *user, int first, int end)
{
    struct jobs *jobs = user;

    for (int i = first; i < end; i++)
        if (jobs->job[i].what->patches)
            jobs->job[i].rc = find_patches(&jobs->job[i], &jobs->job[i].err);
}

/* One phase of all jobs, side by side. */
static enum zt_code at_once(struct jobs *jobs, zt_slice_fn *fn, struct zt_err *err)
{
    if (jobs->pool != NULL)
        zt_pool_for(jobs->pool, jobs->n, 1, fn, jobs);
    else
        fn(jobs, 0, jobs->n);
    for (int i = 0; i < jobs->n; i++) {
        if (jobs->job[i].rc != ZT_OK) {
            if (err != NULL)
                *err = jobs->job[i].err;
            return jobs->job[i].rc;
        }
    }
    return ZT_OK;
}

static enum zt_code run(struct jobs *jobs, struct zt_err *err)
{
    for (int i = 0; i < jobs->n; i++) {
        ZT_TRY(open_membrane(&jobs->job[i], err));
        in_rows(jobs, jobs->job[i].membrane.height, gather_known, &jobs->job[i]);
    }
    ZT_TRY(at_once(jobs, stretch_all, err));
    for (int i = 0; i < jobs->n; i++)
        in_rows(jobs, jobs->job[i].what->picture->height_px, fill_membrane, &jobs->job[i]);
    ZT_TRY(at_once(jobs, find_all, err));
    for (int i = 0; i < jobs->n; i++)
        if (jobs->job[i].levels > 0)
            in_rows(jobs, jobs->job[i].what->picture->height_px, copy_full, &jobs->job[i]);
    return ZT_OK;
}

enum zt_code zt_inpaint(const struct zt_inpaint *what, int n, struct zt_pool *pool,
                        struct zt_err *err)
{
    struct level level[ZT_INPAINT_MAX][LEVELS] = { { { 0 } } };
    struct jobs jobs = { .pool = pool };

    zt_assert(n <= ZT_INPAINT_MAX);
    for (int i = 0; i < n; i++) {
        size_t pixels = (size_t)what[i].picture->width_px * (size_t)what[i].picture->height_px;
        if (memchr(what[i].hole, 1, pixels) == NULL)
            continue;
        jobs.job[jobs.n] = (struct job){ .what = &what[i], .level = level[i] };
        jobs.n++;
    }
    enum zt_code rc = run(&jobs, err);
    for (int i = 0; i < jobs.n; i++) {
        free(jobs.job[i].membrane.v);
        free(jobs.job[i].steps);
        for (int k = 0; k < LEVELS; k++)
            free(jobs.job[i].level[k].rgb);
    }
    return rc;
}
