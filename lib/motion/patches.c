/*
 * patches.c - see patches.h. Coarse to fine on proxies of the picture, in whole numbers.
 *
 * A sweep of PatchMatch hands matches on from point to point, so it cannot be cut at will. It is
 * cut at fixed rows into bands, each with random numbers of its own, and the next sweep cuts half a
 * band farther down: any number of threads finds the same, and matches still travel everywhere.
 */
#include "motion/patches.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "media/colour.h"
#include "motion/inpaint.h"

#define LEVELS       4
#define LEAST_SIDE   24
#define MATCH_ROUNDS 2
#define FILL_ROUNDS  4
#define BAND         16

/* A patch: columns -HALF ... HALF + 1, rows -HALF ... HALF. A row of it is one vector. */
#define HALF         3
#define ACROSS       (2 * HALF + 2)

#define KNOWN_WEIGHS 3 /* what is known, beside what was only guessed so far */
#define SHARE_ONE    1024

/* Into loops that are built for AVX2 too. */
#define INLINE __attribute__((always_inline)) static inline

typedef float four __attribute__((vector_size(16)));

struct level {
    int width, height, stride; /* stride: pixels in a padded row */
    four *known;               /* padded; what votes: the colours that never change, and 1 */
    uint8_t *rgbx;             /* padded by a patch, edges repeated; the current filling */
    int16_t *weigh;            /* [padded][4] of each channel; 0 for the fourth */
    int32_t *cost;
    float *share;  /* of a patch's say, by its cost, a whole number; 0 where there is none */
    int32_t *away; /* padded pixels from a point to its match */
    int *sources;  /* indices of all sources, for random tries */
    int sources_n;
    int16_t *match;  /* [height][width][2] */
    uint8_t *hole;   /* unknown */
    uint8_t *target; /* a patch here touches the hole, within reach */
    uint8_t *source; /* a patch here lies wholly in what is known */
    uint8_t *voted;  /* unknown, and under a target's patch */
    void *memory;
};

static size_t at(const struct level *l, int x, int y)
{
    return (size_t)y * (size_t)l->width + (size_t)x;
}

static size_t padded(const struct level *l, int x, int y)
{
    return 4 * ((size_t)(y + HALF) * (size_t)l->stride + (size_t)(x + HALF));
}

static int clamp_int(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

static enum zt_code level_init(struct level *l, int width, int height, struct zt_err *err)
{
    size_t n = (size_t)width * (size_t)height;
    size_t around = (size_t)(width + ACROSS) * (size_t)(height + 2 * HALF);

    /* Widest members first. */
    ZT_TRY(zt_try_alloc(7 * around + 5 * n, 4, "inpainting", &l->memory, err));
    l->width = width;
    l->height = height;
    l->stride = width + ACROSS;
    l->known = l->memory;
    l->cost = (int32_t *)(void *)(l->known + around);
    l->share = (float *)(void *)(l->cost + n);
    l->away = (int32_t *)(void *)(l->share + n);
    l->sources = (int *)(void *)(l->away + n);
    l->match = (int16_t *)(void *)(l->sources + n);
    l->rgbx = (uint8_t *)(void *)(l->match + 2 * n);
    l->weigh = (int16_t *)(void *)(l->rgbx + 4 * around);
    void *flags = NULL;
    ZT_TRY(zt_try_alloc(4 * n, 1, "inpainting", &flags, err));
    l->hole = flags;
    l->target = l->hole + n;
    l->source = l->target + n;
    l->voted = l->source + n;
    return ZT_OK;
}

static void level_clear(struct level *l)
{
    free(l->memory);
    free(l->hole);
}

/* ---- the proxies --------------------------------------------------------------------------- */

struct finding {
    const struct zt_inpaint *what;
    struct zt_pool *pool;
    struct level level[LEVELS];
    struct level *l;            /* being worked on */
    const struct level *coarse; /* the one before it, or NULL */
    int sweep;                  /* how many there were */
    bool fresh;                 /* costs are not known yet */
};

/* Mean colours of the picture; a pixel is a hole when any of what it covers is. */
static void take_picture(void *user, int first, int end)
{
    const struct finding *f = user;
    const struct zt_image *picture = f->what->picture;
    struct level *l = f->l;
    int width = picture->width_px, height = picture->height_px;

    for (int y = first; y < end; y++) {
        int y0 = (int)((int64_t)y * height / l->height);
        int y1 = (int)((int64_t)(y + 1) * height / l->height);
        for (int x = 0, x0 = 0, x1; x < l->width; x++, x0 = x1) {
            x1 = (int)((int64_t)(x + 1) * width / l->width);
            int sum[3] = { 0, 0, 0 }, count = (y1 - y0) * (x1 - x0), any = 0;
            for (int py = y0; py < y1; py++) {
                const uint8_t *p = picture->pixels + (size_t)py * picture->stride + 3 * (size_t)x0;
                const uint8_t *hole = f->what->hole + (size_t)py * (size_t)width;
                for (int px = x0; px < x1; px++, p += 3) {
                    for (int c = 0; c < 3; c++)
                        sum[c] += p[c];
                    any |= hole[px];
                }
            }
            l->hole[at(l, x, y)] = any != 0;
            for (size_t c = 0; c < 3; c++)
                l->rgbx[padded(l, x, y) + c] = (uint8_t)((sum[c] + count / 2) / count);
        }
    }
}

static void take_finer(struct level *l, const struct level *fine)
{
    for (int y = 0; y < l->height; y++) {
        for (int x = 0; x < l->width; x++) {
            int sum[3] = { 2, 2, 2 };
            for (int k = 0; k < 4; k++) {
                int fx = clamp_int(2 * x + (k & 1), 0, fine->width - 1);
                int fy = clamp_int(2 * y + (k >> 1), 0, fine->height - 1);
                for (size_t c = 0; c < 3; c++)
                    sum[c] += fine->rgbx[padded(fine, fx, fy) + c];
                l->hole[at(l, x, y)] |= fine->hole[at(fine, fx, fy)];
            }
            for (size_t c = 0; c < 3; c++)
                l->rgbx[padded(l, x, y) + c] = (uint8_t)(sum[c] / 4);
        }
    }
}

/* Repeats edges into the padding. */
static void pad(struct level *l)
{
    size_t row = 4 * (size_t)l->stride;

    for (int y = 0; y < l->height; y++) {
        for (int x = 1; x <= HALF; x++)
            memcpy(l->rgbx + padded(l, -x, y), l->rgbx + padded(l, 0, y), 4);
        for (int x = l->width; x <= l->width + HALF; x++)
            memcpy(l->rgbx + padded(l, x, y), l->rgbx + padded(l, l->width - 1, y), 4);
    }
    for (int y = 1; y <= HALF; y++) {
        memcpy(l->rgbx + padded(l, -HALF, -y), l->rgbx + padded(l, -HALF, 0), row);
        memcpy(l->rgbx + padded(l, -HALF, l->height - 1 + y),
               l->rgbx + padded(l, -HALF, l->height - 1), row);
    }
}

static void set_weights(struct level *l)
{
    for (int y = -HALF; y < l->height + HALF; y++) {
        for (int x = -HALF; x < l->width + HALF + 1; x++) {
            size_t i = at(l, clamp_int(x, 0, l->width - 1), clamp_int(y, 0, l->height - 1));
            size_t p = padded(l, x, y);
            for (size_t c = 0; c < 3; c++)
                l->weigh[p + c] = l->hole[i] ? 1 : KNOWN_WEIGHS;
            l->known[p / 4] = (four){ l->rgbx[p], l->rgbx[p + 1], l->rgbx[p + 2], 1 };
        }
    }
}

/* From a row to the next; steps are 250 at most, so one more fits. */
ZT_MEDIA_CLONES static void step_on(uint8_t *restrict row, const uint8_t *restrict before, int n)
{
    for (int x = 0; x < n; x++) {
        uint8_t on = (uint8_t)(before[x] + 1);
        row[x] = row[x] < on ? row[x] : on;
    }
}

void zt_steps(uint8_t *steps, int width, int height)
{
    for (int y = 0; y < height; y++) {
        uint8_t *row = steps + (ptrdiff_t)y * width;
        if (y > 0)
            step_on(row, row - width, width);
        for (int x = 0, best = 250; x < width; x++)
            row[x] = (uint8_t)(best = row[x] < best + 1 ? row[x] : best + 1);
    }
    for (int y = height - 1; y >= 0; y--) {
        uint8_t *row = steps + (ptrdiff_t)y * width;
        if (y + 1 < height)
            step_on(row, row + width, width);
        for (int x = width - 1, best = 250; x >= 0; x--)
            row[x] = (uint8_t)(best = row[x] < best + 1 ? row[x] : best + 1);
    }
}

/* 1 where any of the values from `before` ahead of to `after` behind a place is not 0. */
static void spread(const uint8_t *in, uint8_t *out, int lines, int line_step, int n, int step,
                   int before, int after)
{
    for (int line = 0; line < lines; line++) {
        const uint8_t *from = in + (ptrdiff_t)line * line_step;
        uint8_t *to = out + (ptrdiff_t)line * line_step;
        int last = -before - after - 1; /* where the last one was */
        for (int i = 0; i < n + after; i++) {
            if (i < n && from[(ptrdiff_t)i * step])
                last = i;
            if (i >= after)
                to[(ptrdiff_t)(i - after) * step] = last >= i - after - before;
        }
    }
}

static void find_targets(struct level *l, int reach)
{
    uint8_t *steps = (uint8_t *)(void *)l->cost; /* not needed yet: borrow it */
    int width = l->width, height = l->height;

    for (int i = 0; i < width * height; i++)
        steps[i] = l->hole[i] ? 250 : 0;
    zt_steps(steps, width, height);
    spread(l->hole, l->source, height, width, width, 1, HALF, HALF + 1);
    spread(l->source, l->target, width, 1, height, width, HALF, HALF);
    for (int i = 0; i < width * height; i++)
        steps[i] = l->target[i] && steps[i] <= reach + HALF;
    spread(steps, l->source, height, width, width, 1, HALF + 1, HALF);
    spread(l->source, l->voted, width, 1, height, width, HALF, HALF);
    l->sources_n = 0;
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            size_t i = at(l, x, y);
            bool touches = l->target[i];
            l->target[i] = steps[i];
            l->voted[i] &= l->hole[i];
            l->source[i] =
                !touches && x >= HALF && y >= HALF && x < width - HALF - 1 && y < height - HALF;
            if (l->source[i])
                l->sources[l->sources_n++] = (int)i;
        }
    }
}

/* ---- the search ---------------------------------------------------------------------------- */

/*
 * Weighed sum of squared differences of two patches, given by their first corner; may stop once it
 * passes `limit`. At most 56 * 3 * 3 * 255^2.
 */
INLINE int patch_cost(const uint8_t *target, const int16_t *weigh, const uint8_t *source,
                      size_t stride, int limit)
{
    int sum = 0;

    for (int row = 0; row <= 2 * HALF && sum < limit; row++) {
        for (int i = 0; i < 4 * ACROSS; i++) {
            uint8_t high = target[i] > source[i] ? target[i] : source[i];
            uint8_t low = target[i] < source[i] ? target[i] : source[i];
            int16_t d = (uint8_t)(high - low), weighed = (int16_t)(d * weigh[i]);
            sum += weighed * d;
        }
        target += stride;
        weigh += stride;
        source += stride;
    }
    return sum;
}

INLINE int cost_of(const struct level *l, int x, int y, int sx, int sy, int limit)
{
    size_t from = padded(l, x - HALF, y - HALF);

    return patch_cost(l->rgbx + from, l->weigh + from, l->rgbx + padded(l, sx - HALF, sy - HALF),
                      4 * (size_t)l->stride, limit);
}

INLINE void try_match(struct level *l, int x, int y, int sx, int sy)
{
    size_t i = at(l, x, y);

    if (sx < 0 || sy < 0 || sx >= l->width || sy >= l->height || !l->source[at(l, sx, sy)] ||
        (sx == l->match[2 * i] && sy == l->match[2 * i + 1]))
        return;
    int cost = cost_of(l, x, y, sx, sy, l->cost[i]);
    if (cost < l->cost[i]) {
        l->cost[i] = cost;
        l->match[2 * i] = (int16_t)sx;
        l->match[2 * i + 1] = (int16_t)sy;
    }
}

INLINE void try_random(struct level *l, struct zt_rng *rng, int x, int y)
{
    size_t i = at(l, x, y);

    for (int radius = l->width / 2; radius >= 2; radius /= 4) {
        int span = 2 * radius + 1;
        uint32_t r = zt_rng_u32(rng); /* its halves are as good as two */
        try_match(l, x, y, l->match[2 * i] + (int)((r & 0xffff) * (uint32_t)span >> 16) - radius,
                  l->match[2 * i + 1] + (int)((r >> 16) * (uint32_t)span >> 16) - radius);
    }
}

/* A sweep over rows [first, end), forwards or backwards: neighbours' matches, then random ones. */
ZT_MEDIA_CLONES static void sweep_band(struct level *l, struct zt_rng *rng, int first, int end,
                                       bool forwards)
{
    int n = (end - first) * l->width, step = forwards ? -1 : 1;

    for (int k = 0; k < n; k++) {
        int i = first * l->width + (forwards ? k : n - 1 - k);
        if (!l->target[i])
            continue;
        int x = i % l->width, y = i / l->width, bx = x + step, by = y + step;
        if (bx >= 0 && bx < l->width && l->target[at(l, bx, y)])
            try_match(l, x, y, l->match[2 * at(l, bx, y)] - step, l->match[2 * at(l, bx, y) + 1]);
        if (by >= first && by < end && l->target[at(l, x, by)])
            try_match(l, x, y, l->match[2 * at(l, x, by)], l->match[2 * at(l, x, by) + 1] - step);
        try_random(l, rng, x, y);
    }
}

ZT_MEDIA_CLONES static void set_costs(struct level *l, int first, int end)
{
    for (int y = first; y < end; y++) {
        for (int x = 0; x < l->width; x++) {
            size_t i = at(l, x, y);
            if (l->target[i])
                l->cost[i] = cost_of(l, x, y, l->match[2 * i], l->match[2 * i + 1], INT32_MAX);
        }
    }
}

static void sweep_bands(void *user, int first, int end)
{
    const struct finding *f = user;
    struct level *l = f->l;
    int shift = f->sweep % 2 * (BAND / 2);

    for (int band = first; band < end; band++) {
        int top = band * BAND - shift, bottom = top + BAND;
        struct zt_rng rng;
        top = top < 0 ? 0 : top;
        bottom = bottom < l->height ? bottom : l->height;
        zt_rng_init(&rng, 1, (uint64_t)f->sweep * 4096 + (uint64_t)band);
        if (f->fresh)
            set_costs(l, top, bottom);
        sweep_band(l, &rng, top, bottom, f->sweep % 2 == 0);
    }
}

static void start_matches(struct level *l, const struct level *coarse)
{
    struct zt_rng rng;

    zt_rng_init(&rng, 2, (uint64_t)l->width);
    for (int y = 0; y < l->height; y++) {
        for (int x = 0; x < l->width; x++) {
            size_t i = at(l, x, y);
            if (!l->target[i])
                continue;
            int any = l->sources[zt_rng_u32(&rng) % (uint32_t)l->sources_n];
            l->match[2 * i] = (int16_t)(any % l->width);
            l->match[2 * i + 1] = (int16_t)(any / l->width);
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

/* What each patch says and where it takes it from, for vote. */
static void set_shares(void *user, int first, int end)
{
    const struct finding *f = user;
    struct level *l = f->l;
    float usual = (2 * HALF + 1) * ACROSS * 3 * 2 * 144.0F;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < l->width; x++) {
            size_t i = at(l, x, y);
            if (!l->target[i])
                continue;
            l->away[i] = (l->match[2 * i + 1] - y) * l->stride + l->match[2 * i] - x;
            l->share[i] = f->fresh ? 1 : 1 + floorf(SHARE_ONE * expf(-(float)l->cost[i] / usual));
        }
    }
}

/*
 * Every hole pixel becomes the mean of what the patches over it say, good fits counting more. The
 * sums are whole numbers below 2^24: exact in any order.
 */
static void vote(void *user, int first, int end)
{
    struct level *l = ((const struct finding *)user)->l;

    for (int y = first; y < end; y++) {
        int top = y - HALF > 0 ? y - HALF : 0;
        int bottom = y + HALF < l->height ? y + HALF + 1 : l->height;
        for (int x = 0; x < l->width; x++) {
            four sum = { 0 };
            if (!l->voted[at(l, x, y)])
                continue;
            int left = x - HALF - 1 > 0 ? x - HALF - 1 : 0;
            int right = x + HALF < l->width ? x + HALF + 1 : l->width;
            const four *here = l->known + padded(l, x, y) / 4;
            for (int ty = top; ty < bottom; ty++)
                for (size_t t = at(l, left, ty); t < at(l, right, ty); t++)
                    sum += l->share[t] * here[l->away[t]];
            for (size_t c = 0; c < 3 && sum[3] > 0; c++)
                l->rgbx[padded(l, x, y) + c] = (uint8_t)(sum[c] / sum[3] + 0.5F);
        }
    }
}

static void solve_level(struct finding *f, int rounds)
{
    struct level *l = f->l;
    int bands = l->height / BAND + 2; /* one more than fit, for the shifted ones */

    start_matches(l, f->coarse);
    f->fresh = true;
    if (f->coarse != NULL) {
        zt_pool_for(f->pool, l->height, BAND, set_shares, f);
        zt_pool_for(f->pool, l->height, BAND, vote, f);
        pad(l);
    }
    for (int round = 0; round < rounds; round++) {
        f->fresh = true;
        for (int k = 0; k < MATCH_ROUNDS; k++, f->sweep++, f->fresh = false)
            zt_pool_for(f->pool, bands, 1, sweep_bands, f);
        zt_pool_for(f->pool, l->height, BAND, set_shares, f);
        zt_pool_for(f->pool, l->height, BAND, vote, f);
        pad(l);
    }
}

/* Matches of the finest level as ways in pixels of the picture. */
static void measure_ways(const struct zt_image *picture, struct level *l)
{
    float sx = (float)picture->width_px / (float)l->width;
    float sy = (float)picture->height_px / (float)l->height;

    for (int y = 0; y < l->height; y++) {
        for (int x = 0; x < l->width; x++) {
            int16_t *m = l->match + 2 * at(l, x, y);
            if (!l->target[at(l, x, y)])
                continue;
            m[0] = (int16_t)lrintf((float)(m[0] - x) * sx);
            m[1] = (int16_t)lrintf((float)(m[1] - y) * sy);
        }
    }
}

static enum zt_code find(struct finding *f, struct zt_err *err)
{
    const struct zt_image *picture = f->what->picture;
    int longest = picture->width_px > picture->height_px ? picture->width_px : picture->height_px;
    float scale = longest > ZT_PATCHES_LONG ? (float)ZT_PATCHES_LONG / (float)longest : 1;
    int width = (int)((float)picture->width_px * scale);
    int height = (int)((float)picture->height_px * scale);
    int reach = (int)((float)f->what->reach_px * scale) + 1, levels = 0;

    while (levels < LEVELS && width >= LEAST_SIDE && height >= LEAST_SIDE) {
        struct level *l = f->l = &f->level[levels];
        ZT_TRY(level_init(l, width, height, err));
        if (levels == 0)
            zt_pool_for(f->pool, height, BAND, take_picture, f);
        else
            take_finer(l, l - 1);
        pad(l);
        set_weights(l);
        find_targets(l, reach);
        if (l->sources_n < 64) /* too little is known at this size */
            break;
        levels++;
        width /= 2;
        height /= 2;
        reach = reach / 2 + 1;
    }
    for (int i = levels - 1; i >= 0; i--) {
        f->l = &f->level[i];
        f->coarse = i + 1 < levels ? &f->level[i + 1] : NULL;
        solve_level(f, i == 0 ? 1 : FILL_ROUNDS);
    }
    if (levels == 0)
        f->level[0].width = 0;
    return ZT_OK;
}

enum zt_code zt_patches_find(const struct zt_inpaint *what, struct zt_pool *pool,
                             struct zt_patches *ret, struct zt_err *err)
{
    struct finding f = { .what = what, .pool = pool };

    *ret = (struct zt_patches){ 0 };
    enum zt_code rc = find(&f, err);
    struct level *l = &f.level[0];
    if (rc == ZT_OK && l->width > 0) {
        measure_ways(what->picture, l);
        *ret = (struct zt_patches){ .width = l->width,
                                    .height = l->height,
                                    .target = l->target,
                                    .way = l->match,
                                    .memory = l->memory,
                                    .flags = l->hole };
        *l = (struct level){ 0 };
    }
    for (int i = 0; i < LEVELS; i++)
        level_clear(&f.level[i]);
    return rc;
}

void zt_patches_clear(struct zt_patches *patches)
{
    free(patches->memory);
    free(patches->flags);
    *patches = (struct zt_patches){ 0 };
}
