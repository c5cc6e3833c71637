/*
 * depth.c - see depth.h. Nearness from cues that a single picture holds, no learned weights.
 *
 *   1. patches     the picture, GRID_LONG points a side, becomes a few hundred patches (segments.h)
 *   2. background  a patch that touches the rim long for its size is background: Zhu et al.,
 *                  "Saliency Optimization from Robust Background Detection" (CVPR 2014); what
 *                  differs from it stands out, and what stands out is nearer
 *   3. sky         patches joined to the top rim that are smooth and bright or blue are farthest
 *   4. ground      below the horizon nearness grows in proportion to the rows below it, which is
 *                  exact for a plane; something that stands on the ground has the nearness of its
 *                  foot over its whole height
 *   5. focus       sharp detail speaks for near where other parts of the picture are soft
 *   6. haze        the dark channel (He et al., "Single Image Haze Removal", 2009) grows with
 *                  distance through air
 *   7. joining     one quadratic energy over the patches pulls neighbours of one colour together,
 *                  then a guided filter puts the edges of the map on those of the picture
 *
 * The cues are weighed by hand; ENGINES.md says where they fail.
 */
#include "motion/depth.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/thread.h"
#include "media/colour.h"
#include "media/resize.h"
#include "motion/guided.h"
#include "motion/segments.h"

#define GRID_LONG      240
#define MEANS_FROM     3
#define PATCHES        380
#define COLOUR_NEAR    10.0F /* Lab distance within which two patches count as one thing (sigma) */
#define FAR_WAY        (4 * COLOUR_NEAR)
#define NEIGHBOURS_MAX 48    /* of one patch; a longer rim loses its last ones */
#define SPREAD         0.25F /* how far, in pictures, contrast reaches */
#define SOLVE_ROUNDS   60
#define BINS           4096

struct scene {
    struct zt_segments seg;
    float *lab;                        /* [height][width][3] */
    float *sharp;                      /* [height][width], fine detail */
    float background[ZT_SEGMENTS_MAX]; /* probability */
    float salient[ZT_SEGMENTS_MAX];    /* 0 ... 1 */
    float sky[ZT_SEGMENTS_MAX];        /* 0 or 1 */
    float near_by[ZT_SEGMENTS_MAX];    /* the estimate */
    float *apart;                      /* [n][n] Lab distances */
    uint16_t neighbour[ZT_SEGMENTS_MAX][NEIGHBOURS_MAX];
    float step[ZT_SEGMENTS_MAX][NEIGHBOURS_MAX]; /* distances of neighbours */
    float like[ZT_SEGMENTS_MAX][NEIGHBOURS_MAX]; /* how much a neighbour is: 0 ... 1 */
    int neighbours[ZT_SEGMENTS_MAX];
    float horizon; /* row, 0 ... 1 */
    bool has_sky;
};

static float clamp01(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

/* Within 4 units in the last place: a third of the exponent, then Halley's rounds. */
static inline float cube_root(float v)
{
    uint32_t bits;
    float root;

    memcpy(&bits, &v, sizeof(bits));
    bits = bits / 3 + 0x2a508935;
    memcpy(&root, &bits, sizeof(root));
    for (int i = 0; i < 2; i++) {
        float cube = root * root * root;
        root *= (cube + 2 * v) / (2 * cube + v);
    }
    return root;
}

/* CIE 1976 L*a*b*, D65, of n points of linear sRGB. */
ZT_MEDIA_CLONES static void linear_to_lab(const float *restrict rgb, float *restrict lab, int n)
{
    static const float matrix[3][3] = {
        { 0.4124564F / 0.95047F, 0.3575761F / 0.95047F, 0.1804375F / 0.95047F },
        { 0.2126729F, 0.7151522F, 0.0721750F },
        { 0.0193339F / 1.08883F, 0.1191920F / 1.08883F, 0.9503041F / 1.08883F }
    };

    for (int x = 0; x < n; x++, rgb += 3, lab += 3) {
        float f[3];
        for (int i = 0; i < 3; i++) {
            float t = matrix[i][0] * rgb[0] + matrix[i][1] * rgb[1] + matrix[i][2] * rgb[2];
            float root = cube_root(t > 0.008856F ? t : 0.008856F);
            f[i] = t > 0.008856F ? root : 7.787F * t + 16.0F / 116.0F;
        }
        lab[0] = 116 * f[1] - 16;
        lab[1] = 500 * (f[0] - f[1]);
        lab[2] = 200 * (f[1] - f[2]);
    }
}

struct shrinking {
    const struct zt_image *picture;
    int width, height;
    uint8_t *rgb; /* [height][width][3] */
};

/* Adds a row of the picture to the sums of n cells, three each; cell i ends before pixel end[i]. */
static void add_pixels(const uint8_t *p, const int *end, const float *linear, float *sum, int n)
{
    for (int x = 0, px = 0; x < n; x++, sum += 3) {
        float r = sum[0], g = sum[1], b = sum[2];
        for (; px < end[x]; px++, p += 3) {
            r += linear[p[0]];
            g += linear[p[1]];
            b += linear[p[2]];
        }
        sum[0] = r;
        sum[1] = g;
        sum[2] = b;
    }
}

/* Means of whole pixels, in linear light; rows. */
static void shrink_rows(void *user, int first, int end)
{
    const struct shrinking *s = user;
    const float *linear = zt_srgb_to_linear_table();
    const uint8_t *srgb = zt_linear_to_srgb_table();
    int width = s->picture->width_px, height = s->picture->height_px;
    float sum[3 * 2 * GRID_LONG];
    int column[2 * GRID_LONG];

    for (int x = 0; x < s->width; x++)
        column[x] = (int)((int64_t)(x + 1) * width / s->width);
    for (int y = first; y < end; y++) {
        int y0 = (int)((int64_t)y * height / s->height);
        int y1 = (int)((int64_t)(y + 1) * height / s->height);
        uint8_t *dst = s->rgb + 3 * (size_t)y * (size_t)s->width;
        memset(sum, 0, sizeof(sum));
        for (int py = y0; py < y1; py++)
            add_pixels(s->picture->pixels + (size_t)py * s->picture->stride, column, linear, sum,
                       s->width);
        for (int x = 0; x < s->width; x++) {
            int across = column[x] - (x > 0 ? column[x - 1] : 0);
            float scale = 65535.0F / (float)(across * (y1 - y0));
            for (int c = 0; c < 3; c++)
                dst[3 * x + c] = srgb[(int)(sum[3 * x + c] * scale + 0.5F)];
        }
    }
}

/* From MEANS_FROM pixels for each on, means are as good here as the resizer's long filters. */
static enum zt_code shrink(const struct zt_image *picture, int width, int height, uint8_t *rgb,
                           struct zt_pool *pool, struct zt_err *err)
{
    struct shrinking s = { picture, width, height, rgb };
    struct zt_crop all = zt_crop_all(picture);

    if (picture->width_px < MEANS_FROM * width || picture->height_px < MEANS_FROM * height)
        return zt_resize_rgb24(picture, &all, rgb, (size_t)width * 3, width, height, pool, err);
    zt_pool_for(pool, height, 16, shrink_rows, &s);
    return ZT_OK;
}

/* Lab at grid size, and the fine detail of twice that size, as mean |Laplacian| over a cell. */
static enum zt_code read_picture(const struct zt_image *picture, struct zt_pool *pool, int width,
                                 int height, struct scene *s, struct zt_err *err)
{
    const float *linear = zt_srgb_to_linear_table();
    int w2 = 2 * width;
    int h2 = 2 * height;
    void *memory = NULL;
    void *fine = NULL;

    ZT_TRY(zt_try_alloc((size_t)width * (size_t)height * 4, sizeof(float), "depth", &memory, err));
    s->lab = memory;
    s->sharp = s->lab + (size_t)width * (size_t)height * 3;
    ZT_TRY(zt_try_alloc((size_t)w2 * (size_t)h2 * 3, 1, "depth", &fine, err));
    zt_auto_free uint8_t *rgb = fine;
    ZT_TRY(shrink(picture, w2, h2, rgb, pool, err));
    float row[3 * GRID_LONG]; /* means of cells */
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            float *sum = row + 3 * x, detail = 0;
            memset(sum, 0, 3 * sizeof(*sum));
            for (int k = 0; k < 4; k++) {
                int px = 2 * x + (k & 1);
                int py = 2 * y + (k >> 1);
                const uint8_t *p = rgb + 3 * ((size_t)py * (size_t)w2 + (size_t)px);
                int right = px + 1 < w2 ? 3 : 0;
                int left = px > 0 ? -3 : 0;
                ptrdiff_t below = py + 1 < h2 ? 3 * (ptrdiff_t)w2 : 0;
                ptrdiff_t above = py > 0 ? -3 * (ptrdiff_t)w2 : 0;
                for (int c = 0; c < 3; c++)
                    sum[c] += linear[p[c]] / 4;
                detail +=
                    fabsf(4.0F * p[1] - p[1 + right] - p[1 + left] - p[1 + below] - p[1 + above]);
            }
            s->sharp[(size_t)y * (size_t)width + (size_t)x] = detail / 4;
        }
        linear_to_lab(row, s->lab + 3 * (size_t)y * (size_t)width, width);
    }
    return ZT_OK;
}

static float lab_distance(const float *a, const float *b)
{
    return sqrtf((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) +
                 (a[2] - b[2]) * (a[2] - b[2]));
}

/* Of two patches as far apart as this. */
static float likeness(float apart)
{
    return expf(-apart * apart / (2 * COLOUR_NEAR * COLOUR_NEAR));
}

/*
 * Shortest way from one patch to others, over neighbours, in Lab distance: patches whose way became
 * shorter wait in a ring for their neighbours' turn. What is more than FAR_WAY away counts as
 * infinitely far: nothing that far is alike.
 */
static void geodesic(const struct scene *s, int from, float *way)
{
    int n = s->seg.n, first = 0, waiting = 1;
    uint16_t ring[ZT_SEGMENTS_MAX];
    bool waits[ZT_SEGMENTS_MAX] = { false };

    for (int i = 0; i < n; i++)
        way[i] = INFINITY;
    way[from] = 0;
    ring[0] = (uint16_t)from;
    while (waiting > 0) {
        int at = ring[first];
        first = first + 1 < n ? first + 1 : 0;
        waiting--;
        waits[at] = false;
        for (int k = 0; k < s->neighbours[at]; k++) {
            int i = s->neighbour[at][k];
            float longer = way[at] + s->step[at][k];
            if (longer >= way[i] || longer > FAR_WAY)
                continue;
            way[i] = longer;
            if (waits[i])
                continue;
            waits[i] = true;
            int last = first + waiting++;
            ring[last < n ? last : last - n] = (uint16_t)i;
        }
    }
}

/* Boundary connectivity: how much rim a patch's like surroundings cover for their size. */
static void connect_patches(void *user, int first, int end)
{
    struct scene *s = user;
    int n = s->seg.n;
    float way[ZT_SEGMENTS_MAX];

    for (int p = first; p < end; p++) {
        float area = 0;
        float rim = 0;
        geodesic(s, p, way);
        for (int i = 0; i < n; i++) {
            if (way[i] == INFINITY)
                continue;
            float like = likeness(way[i]);
            area += like * s->seg.segment[i].size;
            rim += like * s->seg.segment[i].border;
        }
        float connected = 4 * rim / sqrtf(area + 1e-6F); /* a whole picture has 4 / 1 */
        s->background[p] = 1 - expf(-connected * connected / 2);
    }
}

static void find_background(struct scene *s, struct zt_pool *pool)
{
    zt_pool_for(pool, s->seg.n, 16, connect_patches, s);
}

static void find_salient(struct scene *s)
{
    const struct zt_segment *g = s->seg.segment;
    int n = s->seg.n;
    float most = 1e-6F;

    for (int p = 0; p < n; p++) {
        float contrast = 0;
        for (int i = 0; i < n; i++) {
            float dx = g[p].x - g[i].x;
            float dy = g[p].y - g[i].y;
            float reach = expf(-(dx * dx + dy * dy) / (2 * SPREAD * SPREAD));
            contrast += s->apart[p * n + i] * reach * s->background[i] * g[i].size;
        }
        s->salient[p] = contrast * (1 - s->background[p]);
        most = fmaxf(most, s->salient[p]);
    }
    for (int p = 0; p < n; p++)
        s->salient[p] /= most;
}

/*
 * Minimises sum_i trust_i (v_i - goal_i)^2 + join * sum_ij like_ij (v_i - v_j)^2 over neighbours by
 * Gauss-Seidel, in a fixed order. v comes in as a start and goes out as the result.
 */
static void join_patches(const struct scene *s, const float *goal, const float *trust, float join,
                         float *v)
{
    int n = s->seg.n;

    for (int round = 0; round < SOLVE_ROUNDS; round++) {
        for (int i = 0; i < n; i++) {
            float sum = trust[i] * goal[i];
            float weight = trust[i];
            for (int k = 0; k < s->neighbours[i]; k++) {
                float like = join * (s->like[i][k] + 0.02F);
                sum += like * v[s->neighbour[i][k]];
                weight += like;
            }
            v[i] = weight > 0 ? sum / weight : goal[i];
        }
    }
}

/* Background pulls to 0, contrast to 1, likeness joins: step 5 of Zhu et al. */
static void settle_salient(struct scene *s)
{
    float goal[ZT_SEGMENTS_MAX];
    float trust[ZT_SEGMENTS_MAX];

    for (int i = 0; i < s->seg.n; i++) {
        float front = s->salient[i];
        float back = s->background[i];
        trust[i] = front + back + 1e-3F;
        goal[i] = front / trust[i];
    }
    join_patches(s, goal, trust, 1, s->salient);
}

/* From the top rim downwards through patches that look like sky and like the sky above them. */
static void find_sky(struct scene *s)
{
    const struct zt_segment *g = s->seg.segment;
    int n = s->seg.n;
    float area = 0;
    bool grown = true;

    for (int i = 0; i < n; i++) {
        bool light = g[i].lab[0] > 55 && g[i].focus < 6;
        bool blue = g[i].lab[2] < -6 && g[i].focus < 6;
        s->sky[i] = g[i].touches_top && g[i].y < 0.5F && (light || blue) ? 1 : 0;
    }
    while (grown) {
        grown = false;
        for (int i = 0; i < n; i++) {
            for (int j = 0; j < n && s->sky[i] == 0; j++) {
                if (s->seg.touch[i * n + j] && s->sky[j] > 0 && s->apart[i * n + j] < 9 &&
                    g[i].focus < 8 && g[i].y < 0.75F) {
                    s->sky[i] = 1;
                    grown = true;
                }
            }
        }
    }
    float lowest = 0;
    float top = 0;
    for (int i = 0; i < n; i++) {
        area += s->sky[i] * g[i].size;
        lowest = fmaxf(lowest, s->sky[i] * g[i].bottom);
        top += s->sky[i] > 0 && g[i].touches_top ? g[i].border : 0;
    }
    s->has_sky = area > 0.06F && top > 0.08F; /* a good part of the upper rim */
    s->horizon = s->has_sky ? fminf(lowest, 0.7F) : 0.3F;
    if (!s->has_sky)
        memset(s->sky, 0, sizeof(s->sky));
}

/* Nearness of the ground plane at a row; a little slope above the horizon keeps an order there. */
static float ground_at(const struct scene *s, float row)
{
    if (row <= s->horizon)
        return 0.12F * row / fmaxf(s->horizon, 1e-3F);
    return 0.12F + 0.88F * (row - s->horizon) / (1 - s->horizon + 1e-3F);
}

/* What stands out stands somewhere: all its patches get the nearness of its lowest ones. */
static void stand_on_ground(const struct scene *s, float *ground)
{
    const struct zt_segment *g = s->seg.segment;
    int n = s->seg.n;
    uint16_t stack[ZT_SEGMENTS_MAX];
    bool seen[ZT_SEGMENTS_MAX] = { false };

    for (int i = 0; i < n; i++)
        ground[i] = ground_at(s, g[i].y);
    for (int start = 0; start < n; start++) {
        uint16_t member[ZT_SEGMENTS_MAX];
        int members = 0;
        int depth = 0;
        float foot = 0;
        if (seen[start] || s->salient[start] < 0.5F)
            continue;
        seen[start] = true;
        stack[depth++] = (uint16_t)start;
        while (depth > 0) {
            int i = stack[--depth];
            member[members++] = (uint16_t)i;
            foot = fmaxf(foot, g[i].bottom);
            for (int j = 0; j < n; j++) {
                if (s->seg.touch[i * n + j] && !seen[j] && s->salient[j] >= 0.5F) {
                    seen[j] = true;
                    stack[depth++] = (uint16_t)j;
                }
            }
        }
        for (int k = 0; k < members; k++)
            ground[member[k]] = fmaxf(ground[member[k]], 0.9F * ground_at(s, foot));
    }
}

/* Mean sharpness and haze of each patch; returns how much sharpness differs over the picture. */
static float measure_patches(struct scene *s)
{
    struct zt_segments *seg = &s->seg;
    int count[ZT_SEGMENTS_MAX] = { 0 };
    float mean = 0;
    float square = 0;

    for (size_t i = 0; i < (size_t)seg->width * (size_t)seg->height; i++) {
        struct zt_segment *g = &seg->segment[seg->label[i]];
        const float *lab = s->lab + 3 * i;
        float chroma = sqrtf(lab[1] * lab[1] + lab[2] * lab[2]);
        g->focus += s->sharp[i];
        g->haze += clamp01(lab[0] / 100) * clamp01(1 - chroma / 40);
        count[seg->label[i]]++;
    }
    for (int i = 0; i < seg->n; i++) {
        float n = (float)(count[i] > 0 ? count[i] : 1);
        seg->segment[i].focus /= n;
        seg->segment[i].haze /= n;
        float v = log1pf(seg->segment[i].focus);
        mean += v * seg->segment[i].size;
        square += v * v * seg->segment[i].size;
    }
    float deviation = sqrtf(fmaxf(0, square - mean * mean));
    for (int i = 0; i < seg->n; i++) /* -1 soft ... 1 sharp */
        s->near_by[i] = tanhf((log1pf(seg->segment[i].focus) - mean) / (deviation + 0.3F));
    return deviation;
}

static void weigh_cues(struct scene *s, float focus_spread)
{
    const struct zt_segment *g = s->seg.segment;
    float ground[ZT_SEGMENTS_MAX];
    float goal[ZT_SEGMENTS_MAX] = { 0 };
    float trust[ZT_SEGMENTS_MAX] = { 0 };
    /* A sky vouches for a ground under it; without one it may be a wall, a table, a face. */
    float by_ground = s->has_sky ? 0.55F : 0.35F;
    float by_salient = s->has_sky ? 0.25F : 0.40F;
    float by_focus = 0.20F * clamp01(focus_spread / 0.8F);
    float by_haze = s->has_sky ? 0.12F : 0.04F;

    stand_on_ground(s, ground);
    for (int i = 0; i < s->seg.n; i++) {
        /* Near ground does not stand out, and is near all the same. */
        float v = by_ground * ground[i] + by_salient * fmaxf(s->salient[i], 0.8F * ground[i]) +
                  by_focus * (0.5F + 0.5F * s->near_by[i]) + by_haze * (1 - g[i].haze);
        goal[i] = v / (by_ground + by_salient + by_focus + by_haze);
        trust[i] = 0.35F;
        if (s->sky[i] > 0) {
            goal[i] = 0;
            trust[i] = 4;
        }
    }
    memcpy(s->near_by, goal, sizeof(goal));
    join_patches(s, goal, trust, 0.6F, s->near_by);
}

/* Stretches the middle 96 % to 0 ... 1; a map without any order becomes 0.5 everywhere. */
static void normalise(float *z, size_t n)
{
    int count[BINS] = { 0 };
    float least = z[0], most = z[0], edge[2];

    for (size_t i = 1; i < n; i++) {
        least = fminf(least, z[i]);
        most = fmaxf(most, z[i]);
    }
    float bins = (BINS - 1) / fmaxf(most - least, 1e-6F);
    for (size_t i = 0; i < n; i++)
        count[(int)((z[i] - least) * bins)]++;
    for (int side = 0; side < 2; side++) {
        size_t wanted = side == 0 ? n / 50 : n - 1 - n / 50, below = 0;
        int bin = 0;
        while (below + (size_t)count[bin] <= wanted)
            below += (size_t)count[bin++];
        edge[side] = least + ((float)bin + 0.5F) / bins;
    }
    for (size_t i = 0; i < n; i++)
        z[i] = edge[1] - edge[0] > 1e-3F ? clamp01((z[i] - edge[0]) / (edge[1] - edge[0])) : 0.5F;
}

/* Patches to a map, then its edges onto the picture's. Spends s->lab. */
static enum zt_code draw_map(struct scene *s, struct zt_pool *pool, struct zt_depth *depth,
                             struct zt_err *err)
{
    size_t n = (size_t)depth->width * (size_t)depth->height;

    for (size_t i = 0; i < n; i++) {
        depth->z[i] = s->near_by[s->seg.label[i]];
        depth->salient[i] = s->salient[s->seg.label[i]];
        for (int c = 0; c < 3; c++)
            s->lab[3 * i + (size_t)c] /= 100;
    }
    ZT_TRY(zt_guided_filter(s->lab, depth->z, depth->width, depth->height, 6, 4e-4F, pool, err));
    ZT_TRY(zt_guided_filter(s->lab, depth->z, depth->width, depth->height, 3, 4e-4F, pool, err));
    normalise(depth->z, n);
    return ZT_OK;
}

static enum zt_code estimate(const struct zt_image *picture, struct zt_pool *pool,
                             struct zt_depth *depth, struct scene *s, struct zt_err *err)
{
    ZT_TRY(read_picture(picture, pool, depth->width, depth->height, s, err));
    ZT_TRY(zt_segments_make(s->lab, depth->width, depth->height, PATCHES, pool, &s->seg, err));
    int n = s->seg.n;
    s->apart = zt_new_array(float, (size_t)n *(size_t)n);
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++) {
            s->apart[i * n + j] = j < i
                                      ? s->apart[j * n + i]
                                      : lab_distance(s->seg.segment[i].lab, s->seg.segment[j].lab);
            if (!s->seg.touch[i * n + j] || s->neighbours[i] == NEIGHBOURS_MAX)
                continue;
            s->neighbour[i][s->neighbours[i]] = (uint16_t)j;
            s->step[i][s->neighbours[i]] = s->apart[i * n + j];
            s->like[i][s->neighbours[i]++] = likeness(s->apart[i * n + j]);
        }
    }
    float focus_spread = measure_patches(s);
    find_background(s, pool);
    find_salient(s);
    settle_salient(s);
    find_sky(s);
    weigh_cues(s, focus_spread);
    return draw_map(s, pool, depth, err);
}

enum zt_code zt_depth_estimate(const struct zt_image *picture, struct zt_pool *pool,
                               struct zt_depth *ret, struct zt_err *err)
{
    int longest = picture->width_px > picture->height_px ? picture->width_px : picture->height_px;
    float shrink = longest > GRID_LONG ? (float)GRID_LONG / (float)longest : 1;
    struct zt_depth depth = { .width = (int)((float)picture->width_px * shrink + 0.5F),
                              .height = (int)((float)picture->height_px * shrink + 0.5F) };
    void *z = NULL;

    depth.width = depth.width > 0 ? depth.width : 1;
    depth.height = depth.height > 0 ? depth.height : 1;
    ZT_TRY(zt_try_alloc((size_t)depth.width * (size_t)depth.height, 2 * sizeof(float), "depth", &z,
                        err));
    depth.z = z;
    depth.salient = depth.z + (size_t)depth.width * (size_t)depth.height;
    struct scene *s = zt_new(struct scene);
    enum zt_code rc = estimate(picture, pool, &depth, s, err);
    zt_segments_clear(&s->seg);
    free(s->lab);
    free(s->apart);
    free(s);
    if (rc != ZT_OK) {
        zt_depth_clear(&depth);
        return rc;
    }
    *ret = depth;
    return ZT_OK;
}

void zt_depth_clear(struct zt_depth *depth)
{
    free(depth->z);
    *depth = (struct zt_depth){ 0 };
}
