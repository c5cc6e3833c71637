/*
 * regions.c - see regions.h. Each region is first a set of grid points that its rule lets in, then
 * the connected parts of it that are large enough, then a soft mask along the picture's edges.
 */
#include "motion/regions.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "media/resize.h"
#include "motion/guided.h"
#include "motion/sight.h"

#define GRID_LONG 240

/* Picture pixels for each grid point, at least: cells of the warp must not step over points. */
#define GRID_STEP 6

/* Smaller parts than this share of the picture are not worth moving. */
#define PART_MIN 0.012F

struct study {
    struct zt_regions *r;
    float *luma, *across, *down; /* luma; mean |d/dx|, |d/dy| around each point */
    float *tmp, *tmp2;
    uint8_t *in;    /* candidates */
    int32_t *stack; /* of a flood */
    float horizon;  /* row, 0 ... 1 */
};

static float max3(const float *p)
{
    return fmaxf(p[0], fmaxf(p[1], p[2]));
}

static float min3(const float *p)
{
    return fminf(p[0], fminf(p[1], p[2]));
}

static enum zt_code take_picture(const struct zt_image *picture, const struct zt_depth *depth,
                                 struct zt_pool *pool, struct zt_regions *r, struct zt_err *err)
{
    int longest = picture->width_px > picture->height_px ? picture->width_px : picture->height_px;
    double shrink = fmin(1.0 / GRID_STEP, (double)GRID_LONG / longest);
    struct zt_crop all = zt_crop_all(picture);
    void *rgb = NULL;
    void *bytes = NULL;

    r->width = (int)fmax(1, lround(picture->width_px * shrink));
    r->height = (int)fmax(1, lround(picture->height_px * shrink));
    size_t n = (size_t)r->width * (size_t)r->height;
    ZT_TRY(zt_try_alloc(n * 4, sizeof(float), "the picture's regions", &rgb, err));
    r->rgb = rgb;
    r->near = r->rgb + 3 * n;
    ZT_TRY(zt_try_alloc(n, 3, "the picture's regions", &bytes, err));
    zt_auto_free uint8_t *small = bytes;
    ZT_TRY(zt_resize_rgb24(picture, &all, small, (size_t)r->width * 3, r->width, r->height, pool,
                           err));
    for (size_t i = 0; i < 3 * n; i++)
        r->rgb[i] = (float)small[i] / 255;
    for (int y = 0; y < r->height; y++) {
        for (int x = 0; x < r->width; x++) {
            float px = ((float)x + 0.5F) / (float)r->width;
            float py = ((float)y + 0.5F) / (float)r->height;
            r->near[y * r->width + x] =
                depth != NULL && depth->z != NULL
                    ? zt_map_at(depth->z, depth->width, depth->height, px, py)
                    : py;
        }
    }
    return ZT_OK;
}

static void measure(struct study *s)
{
    const struct zt_regions *r = s->r;
    int w = r->width, h = r->height;

    for (int i = 0; i < w * h; i++)
        s->luma[i] =
            0.2126F * r->rgb[3 * i] + 0.7152F * r->rgb[3 * i + 1] + 0.0722F * r->rgb[3 * i + 2];
    for (int y = 0; y < h; y++) {
        for (int x = 0; x < w; x++) {
            int i = y * w + x;
            s->across[i] = x + 1 < w ? fabsf(s->luma[i + 1] - s->luma[i]) : 0;
            s->down[i] = y + 1 < h ? fabsf(s->luma[i + w] - s->luma[i]) : 0;
        }
    }
    zt_box_mean(s->across, s->across, s->tmp, w, h, 4);
    zt_box_mean(s->down, s->down, s->tmp, w, h, 4);
}

void zt_drop_parts(uint8_t *in, int width, int height, int smallest, int must_row, bool diagonal,
                   int32_t *queue)
{
    for (int start = 0; start < width * height; start++) {
        int n = 0;
        bool met = must_row < 0;
        if (in[start] != 1)
            continue;
        in[start] = 2;
        queue[n++] = start;
        for (int at = 0; at < n; at++) { /* the part stays in the queue */
            int x = queue[at] % width, y = queue[at] / width;
            met |= y == must_row;
            for (int k = 0; k < 9; k++) {
                int px = x + k % 3 - 1, py = y + k / 3 - 1, i = py * width + px;
                if ((!diagonal && px != x && py != y) || px < 0 || py < 0 || px >= width ||
                    py >= height || in[i] != 1)
                    continue;
                in[i] = 2;
                queue[n++] = i;
            }
        }
        for (int at = 0; (n < smallest || !met) && at < n; at++)
            in[queue[at]] = 0;
    }
    for (int i = 0; i < width * height; i++)
        in[i] = in[i] != 0;
}

/* Keeps the parts of s->in from a share of the picture on that must_row (-1: none) meets. */
static void drop_parts(struct study *s, float least, int must_row)
{
    int w = s->r->width, h = s->r->height;

    zt_drop_parts(s->in, w, h, (int)(least * (float)(w * h)) + 1, must_row, false, s->stack);
}

/* ---- the rules ----------------------------------------------------------------------------- */

static bool like_sky(const struct study *s, int i)
{
    const float *p = s->r->rgb + 3 * i;
    float rough = s->across[i] + s->down[i];
    bool blue = p[2] > p[0] + 0.03F && p[2] >= p[1] - 0.02F;
    bool cloud = max3(p) - min3(p) < 0.22F && s->luma[i] > 0.28F;
    bool glow = s->luma[i] > 0.6F && rough < 0.02F; /* dawn and dusk */

    return s->r->near[i] < 0.22F && rough < 0.09F && (blue || cloud || glow);
}

/* Blue, grey, white or like the sky it mirrors; never green, never plainly warm, never leaves. */
static bool like_water(const struct study *s, int i)
{
    const float *p = s->r->rgb + 3 * i;
    float y = (float)(i / s->r->width) / (float)s->r->height;
    float most = max3(p), spread = most - min3(p);
    float flat = s->across[i] / (s->down[i] + 0.004F);
    bool blue = p[2] > p[0] + 0.02F && p[2] > 0.8F * p[1];
    bool grey = spread < 0.16F + 0.1F * most;
    bool green = p[1] > p[2] * 1.12F && p[1] > p[0] * 1.06F;
    float rough = s->across[i] + s->down[i];
    bool leaves = p[1] > p[2] * 1.12F && p[1] > p[0] * 0.93F && rough > 0.07F;
    bool structure = flat < 1.15F || rough < 0.03F;
    /* Water lies flat: what is much nearer than the ground in its row stands. */
    bool stands = s->r->near[i] > (y - s->horizon) / (1 - s->horizon) + 0.5F;

    return y > s->horizon && !green && !leaves && !stands && (blue || (grey && structure));
}

static bool like_plants(const struct study *s, int i)
{
    const float *p = s->r->rgb + 3 * i;
    bool green = p[1] > p[0] * 1.03F && p[1] > p[2] * 1.12F;
    float rough = s->across[i] + s->down[i];
    bool straw = p[0] > p[2] * 1.4F && p[1] > p[2] * 1.2F && p[1] > p[0] * 0.66F;

    return (green && rough > 0.018F) || (straw && rough > 0.045F);
}

/* Warm and bright, or bright and strongly coloured, as lamps, flames and neon are. */
static float glow_of(const struct study *s, int i)
{
    const float *p = s->r->rgb + 3 * i;
    float most = max3(p), spread = most - min3(p);
    float warm = (p[0] - p[2] - 0.12F) * 4;
    float vivid = (spread / (most + 0.01F) - 0.45F) * 3;
    float bright = (most - 0.72F) * 5;
    float tone = fmaxf(p[0] >= p[1] * 0.98F ? warm : 0, vivid * (most - 0.5F) * 2);
    float mean = 0;

    tone = fmaxf(tone, (s->luma[i] - 0.955F) * 22); /* the white heart of a flame */
    bright = bright < 0 ? 0 : bright > 1 ? 1 : bright;
    tone = tone < 0 ? 0 : tone > 1 ? 1 : tone;
    /* Only what is brighter than its surroundings shines: paper and skin at noon do not. */
    mean = (s->luma[i] - s->tmp[i] - 0.06F) * 7;
    mean = mean < 0 ? 0 : mean > 1 ? 1 : mean;
    return bright * tone * mean;
}

/* from_above: of a column, only what reaches down from its top without a gap. */
static void find_horizon(struct study *s, bool from_above)
{
    const struct zt_regions *r = s->r;
    int lowest = 0, n = 0, w = r->width;

    for (int i = 0; i < w * r->height; i++)
        s->in[i] = like_sky(s, i);
    drop_parts(s, 0.03F, 0);
    for (int i = w; i < w * r->height && from_above; i++)
        s->in[i] &= s->in[i - w];
    for (int y = 0; y < r->height; y++) {
        int row = 0;
        for (int x = 0; x < w; x++)
            row += s->in[y * w + x];
        n += row;
        lowest = row > w / 5 ? y : lowest;
    }
    /* The sky's last rows look rough, as what is below them is: they are not water. */
    s->horizon = n > 0 ? fminf((float)(lowest + 6) / (float)r->height, 0.72F) : 0.18F;
}

/* Along the picture's edges; soft inside two grid points. */
static enum zt_code soften(const struct study *s, float *mask, struct zt_err *err)
{
    const struct zt_regions *r = s->r;
    int n = r->width * r->height;

    for (int i = 0; i < n; i++)
        mask[i] = s->in[i];
    zt_box_mean(mask, mask, s->tmp, r->width, r->height, 1);
    ZT_TRY(zt_guided_filter(r->rgb, mask, r->width, r->height, 4, 1e-3F, NULL, err));
    for (int i = 0; i < n; i++)
        s->tmp2[i] = s->in[i];
    zt_box_mean(s->tmp2, s->tmp2, s->tmp, r->width, r->height, 3);
    for (int i = 0; i < n; i++) { /* colours alike farther away do not count */
        float v = s->tmp2[i] > 1e-4F ? (mask[i] - 0.3F) / 0.5F : 0;
        mask[i] = v < 0 ? 0 : v > 1 ? 1 : v;
    }
    return ZT_OK;
}

static enum zt_code find_one(struct study *s, enum zt_region region, float *mask,
                             struct zt_err *err)
{
    static bool (*const rules[ZT_REGIONS])(const struct study *, int) = {
        [ZT_REGION_SKY] = like_sky,
        [ZT_REGION_WATER] = like_water,
        [ZT_REGION_PLANTS] = like_plants,
    };
    int n = s->r->width * s->r->height;

    if (region == ZT_REGION_GLOW) {
        int reach = (s->r->width + s->r->height) / 12 + 1;
        float *mean = s->r->mask[region];
        zt_box_mean(s->luma, mean, s->tmp, s->r->width, s->r->height, reach);
        memcpy(s->tmp, mean, (size_t)n * sizeof(*mean));
        for (int i = 0; i < n; i++)
            mask[i] = glow_of(s, i);
        return ZT_OK;
    }
    for (int i = 0; i < n; i++)
        s->tmp2[i] = rules[region](s, i);
    /* Lines two points wide are edges between other things. */
    zt_box_mean(s->tmp2, s->tmp2, s->tmp, s->r->width, s->r->height, 2);
    for (int i = 0; i < n; i++)
        s->in[i] = s->tmp2[i] > 0.5F;
    drop_parts(s, region == ZT_REGION_SKY ? 0.03F : PART_MIN, region == ZT_REGION_SKY ? 0 : -1);
    return soften(s, mask, err);
}

static float share_of(const struct study *s, const float *mask)
{
    int n = s->r->width * s->r->height;
    float sum = 0;

    for (int i = 0; i < n; i++)
        sum += mask[i];
    return sum / (float)n;
}

static enum zt_code find_all(struct study *s, unsigned wanted, struct zt_err *err)
{
    size_t n = (size_t)s->r->width * (size_t)s->r->height;

    measure(s);
    find_horizon(s, false);
    for (int region = 0; region < ZT_REGIONS; region++) {
        float least = region == ZT_REGION_GLOW ? 1e-4F : PART_MIN;
        void *mask = NULL;
        if ((wanted & ZT_REGION_BIT(region)) == 0)
            continue;
        ZT_TRY(zt_try_alloc(n, sizeof(float), "the picture's regions", &mask, err));
        s->r->mask[region] = mask;
        ZT_TRY(find_one(s, region, mask, err));
        if (region == ZT_REGION_WATER && share_of(s, mask) < least) {
            find_horizon(s, true); /* in haze a sky goes on in the lake below it */
            ZT_TRY(find_one(s, region, mask, err));
        }
        if (share_of(s, mask) < least) {
            free(mask);
            s->r->mask[region] = NULL;
        }
    }
    return ZT_OK;
}

enum zt_code zt_regions_find(const struct zt_image *picture, const struct zt_depth *depth,
                             unsigned wanted, struct zt_pool *pool, struct zt_regions *ret,
                             struct zt_err *err)
{
    struct zt_regions r = { 0 };
    struct study s = { .r = &r };
    void *memory = NULL;

    enum zt_code rc = take_picture(picture, depth, pool, &r, err);
    size_t n = (size_t)r.width * (size_t)r.height;
    if (rc == ZT_OK)
        rc = zt_try_alloc(n, 6 * sizeof(float) + 1, "the picture's regions", &memory, err);
    if (rc == ZT_OK) {
        s.luma = memory;
        s.across = s.luma + n;
        s.down = s.across + n;
        s.tmp = s.down + n;
        s.tmp2 = s.tmp + n;
        s.stack = (int32_t *)(s.tmp2 + n);
        s.in = (uint8_t *)(s.stack + n);
        rc = find_all(&s, wanted, err);
    }
    free(memory);
    if (rc != ZT_OK) {
        zt_regions_clear(&r);
        return rc;
    }
    *ret = r;
    return ZT_OK;
}

void zt_regions_clear(struct zt_regions *regions)
{
    free(regions->rgb);
    for (int i = 0; i < ZT_REGIONS; i++)
        free(regions->mask[i]);
    *regions = (struct zt_regions){ 0 };
}
