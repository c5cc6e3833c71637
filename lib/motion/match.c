/*
 * match.c - see match.h. Every pass reads one buffer and writes another, so that the order in
 * which threads take rows can't be seen in the result.
 */
#include "motion/match.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "base/mem.h"
#include "base/thread.h"

#define ORIENTATIONS 8
#define POINTS       13    /* the centre, 4 on an inner ring, 8 on an outer one */
#define COARSEST     40    /* a level is halved while its shorter side stays at least this... */
#define MOST_COARSE  96    /* ...or its longer side is above this */
#define NOISE        0.06f /* gradients that sum to less than this are no texture */
#define CLAMP        0.4f  /* share of one bin in a whole descriptor that saturates a byte */
#define GRAIN        8

/* Where a descriptor looks, in pixels from its centre. */
static const int8_t points[POINTS][2] = {
    { 0, 0 }, { 4, 0 },  { 0, 4 },  { -4, 0 },  { 0, -4 }, { 8, 0 },  { 6, 6 },
    { 0, 8 }, { -6, 6 }, { -8, 0 }, { -6, -6 }, { 0, -8 }, { 6, -6 },
};

static int clamp_int(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

/* ---- descriptors --------------------------------------------------------------------------- */

struct describe {
    const struct zt_flow_image *image;
    float *bins, *blurred; /* [height][width][ORIENTATIONS] */
    uint8_t *bytes;
};

static void bin_rows(void *user, int first, int end)
{
    static const float cosine[ORIENTATIONS] = { 1.0f,  0.70710678f,  0.0f,  -0.70710678f,
                                                -1.0f, -0.70710678f, -0.0f, 0.70710678f };
    static const float sine[ORIENTATIONS] = { 0.0f, 0.70710678f,  1.0f,  0.70710678f,
                                              0.0f, -0.70710678f, -1.0f, -0.70710678f };
    const struct describe *d = user;
    int w = d->image->width, h = d->image->height;

    for (int y = first; y < end; y++) {
        const float *row = d->image->luma + (size_t)y * (size_t)w;
        const float *up = d->image->luma + (size_t)(y > 0 ? y - 1 : y) * (size_t)w;
        const float *down = d->image->luma + (size_t)(y < h - 1 ? y + 1 : y) * (size_t)w;
        float *out = d->bins + (size_t)y * (size_t)w * ORIENTATIONS;
        for (int x = 0; x < w; x++, out += ORIENTATIONS) {
            float gx = row[x < w - 1 ? x + 1 : x] - row[x > 0 ? x - 1 : x];
            float gy = down[x] - up[x];
            for (int k = 0; k < ORIENTATIONS; k++) {
                float g = gx * cosine[k] + gy * sine[k];
                out[k] = g > 0.0f ? g : 0.0f;
            }
        }
    }
}

/* 1 4 6 4 1 across, from bins to blurred. */
static void blur_across(void *user, int first, int end)
{
    const struct describe *d = user;
    int w = d->image->width;

    for (int y = first; y < end; y++) {
        const float *in = d->bins + (size_t)y * (size_t)w * ORIENTATIONS;
        float *out = d->blurred + (size_t)y * (size_t)w * ORIENTATIONS;
        for (int x = 0; x < w; x++, out += ORIENTATIONS) {
            const float *p[5];
            for (int k = 0; k < 5; k++)
                p[k] = in + clamp_int(x + k - 2, 0, w - 1) * ORIENTATIONS;
            for (int k = 0; k < ORIENTATIONS; k++)
                out[k] = (p[0][k] + p[4][k] + 4.0f * (p[1][k] + p[3][k]) + 6.0f * p[2][k]) / 16.0f;
        }
    }
}

/* 1 4 6 4 1 down, from blurred back to bins. */
static void blur_down(void *user, int first, int end)
{
    const struct describe *d = user;
    int h = d->image->height;
    size_t line = (size_t)d->image->width * ORIENTATIONS;

    for (int y = first; y < end; y++) {
        const float *p[5];
        float *out = d->bins + (size_t)y * line;
        for (int k = 0; k < 5; k++)
            p[k] = d->blurred + (size_t)clamp_int(y + k - 2, 0, h - 1) * line;
        for (size_t i = 0; i < line; i++)
            out[i] = (p[0][i] + p[4][i] + 4.0f * (p[1][i] + p[3][i]) + 6.0f * p[2][i]) / 16.0f;
    }
}

static uint8_t colour_byte(float v)
{
    float f = 128.0f + 160.0f * v;
    return (uint8_t)(f < 0.0f ? 0.0f : f > 255.0f ? 255.0f : f);
}

static void describe_pixel(const struct describe *d, int x, int y, uint8_t *out)
{
    int w = d->image->width, h = d->image->height;
    float v[POINTS * ORIENTATIONS];
    float sums[ORIENTATIONS] = { 0 };
    float sum = 0.0f;

    for (int i = 0; i < POINTS; i++) {
        int px = clamp_int(x + points[i][0], 0, w - 1), py = clamp_int(y + points[i][1], 0, h - 1);
        const float *bin = d->bins + ((size_t)py * (size_t)w + (size_t)px) * ORIENTATIONS;
        for (int k = 0; k < ORIENTATIONS; k++) {
            v[i * ORIENTATIONS + k] = bin[k];
            sums[k] += bin[k] * bin[k];
        }
        if (i >= 1 && i <= 4) {
            size_t at = (size_t)py * (size_t)w + (size_t)px;
            out[POINTS * ORIENTATIONS + 2 * (i - 1)] = colour_byte(d->image->blue[at]);
            out[POINTS * ORIENTATIONS + 2 * (i - 1) + 1] = colour_byte(d->image->red[at]);
        }
    }
    for (int k = 0; k < ORIENTATIONS; k++)
        sum += sums[k];
    float scale = 255.0f / CLAMP / (sqrtf(sum) + NOISE);
    for (int i = 0; i < POINTS * ORIENTATIONS; i++) {
        float f = v[i] * scale;
        out[i] = (uint8_t)(f > 255.0f ? 255.0f : f);
    }
}

static void describe_rows(void *user, int first, int end)
{
    const struct describe *d = user;
    int w = d->image->width;

    for (int y = first; y < end; y++)
        for (int x = 0; x < w; x++)
            describe_pixel(d, x, y,
                           d->bytes + ((size_t)y * (size_t)w + (size_t)x) * ZT_DESCRIPTOR_BYTES);
}

enum zt_code zt_descriptors_init(struct zt_descriptors *ret, const struct zt_flow_image *image,
                                 struct zt_pool *pool, struct zt_err *err)
{
    size_t n = (size_t)image->width * (size_t)image->height;
    zt_auto_free float *bins = NULL, *blurred = NULL;

    _Static_assert(POINTS * ORIENTATIONS + 8 == ZT_DESCRIPTOR_BYTES, "gradients, then colour");
    ret->width = image->width;
    ret->height = image->height;
    ZT_TRY(zt_try_alloc(n, ZT_DESCRIPTOR_BYTES, "picture descriptors", (void **)&ret->bytes, err));
    ZT_TRY(zt_try_alloc(n, ORIENTATIONS * sizeof(float), "picture gradients", (void **)&bins, err));
    ZT_TRY(
        zt_try_alloc(n, ORIENTATIONS * sizeof(float), "picture gradients", (void **)&blurred, err));
    struct describe d = { image, bins, blurred, ret->bytes };
    zt_pool_for(pool, image->height, GRAIN, bin_rows, &d);
    zt_pool_for(pool, image->height, GRAIN, blur_across, &d);
    zt_pool_for(pool, image->height, GRAIN, blur_down, &d);
    zt_pool_for(pool, image->height, GRAIN, describe_rows, &d);
    return ZT_OK;
}

void zt_descriptors_clear(struct zt_descriptors *desc)
{
    free(desc->bytes);
    *desc = (struct zt_descriptors){ 0 };
}

int32_t zt_descriptor_distance_portable(const uint8_t *p, const uint8_t *q)
{
    int32_t sum = 0;

    for (int i = 0; i < ZT_DESCRIPTOR_BYTES; i++)
        sum += p[i] > q[i] ? p[i] - q[i] : q[i] - p[i];
    return sum;
}

int32_t zt_descriptor_distance(const uint8_t *p, const uint8_t *q)
{
#ifdef __SSE2__
    __m128i sum = _mm_setzero_si128();

    for (int i = 0; i < ZT_DESCRIPTOR_BYTES; i += 16) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(q + i));
        sum = _mm_add_epi32(sum, _mm_sad_epu8(a, b));
    }
    return _mm_cvtsi128_si32(sum) + _mm_cvtsi128_si32(_mm_srli_si128(sum, 8));
#else
    return zt_descriptor_distance_portable(p, q);
#endif
}

/* ---- pyramid ------------------------------------------------------------------------------- */

enum zt_code zt_pyramid_init(struct zt_pyramid *pyramid, const struct zt_flow_image *image,
                             struct zt_pool *pool, struct zt_err *err)
{
    pyramid->image[0] = *image; /* a view; clear leaves it alone */
    pyramid->levels = 1;
    ZT_TRY(zt_descriptors_init(&pyramid->desc[0], image, pool, err));
    while (pyramid->levels < ZT_MATCH_LEVELS) {
        const struct zt_flow_image *above = &pyramid->image[pyramid->levels - 1];
        int shorter = above->width < above->height ? above->width : above->height;
        int longer = above->width > above->height ? above->width : above->height;
        if (shorter < 16 || (shorter < 2 * COARSEST && longer <= MOST_COARSE))
            break;
        ZT_TRY(zt_flow_image_halve(above, &pyramid->image[pyramid->levels], err));
        pyramid->levels++;
        ZT_TRY(zt_descriptors_init(&pyramid->desc[pyramid->levels - 1],
                                   &pyramid->image[pyramid->levels - 1], pool, err));
    }
    return ZT_OK;
}

void zt_pyramid_clear(struct zt_pyramid *pyramid)
{
    for (int i = 0; i < ZT_MATCH_LEVELS; i++) {
        zt_descriptors_clear(&pyramid->desc[i]);
        if (i > 0)
            zt_flow_image_clear(&pyramid->image[i]);
    }
    *pyramid = (struct zt_pyramid){ 0 };
}

/* ---- search -------------------------------------------------------------------------------- */

struct search {
    const struct zt_descriptors *a, *b;
    const struct zt_match *from; /* read */
    struct zt_match *to;         /* written */
    int from_width, from_height; /* of the level `from` was made at, when it is a coarser one */
    int stride, radius, samples;
    uint32_t seed;
};

static const uint8_t *descriptor(const struct zt_descriptors *d, int x, int y)
{
    return d->bytes + ((size_t)y * (size_t)d->width + (size_t)x) * ZT_DESCRIPTOR_BYTES;
}

static void search_everywhere(void *user, int first, int end)
{
    const struct search *s = user;
    int w = s->a->width, h = s->a->height;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < w; x++) {
            const uint8_t *p = descriptor(s->a, x, y);
            struct zt_match best = { (int16_t)x, (int16_t)y, INT_MAX };
            long best_way = 0;
            for (int ty = 0; ty < h; ty++) {
                for (int tx = 0; tx < w; tx++) {
                    int32_t cost = zt_descriptor_distance(p, descriptor(s->b, tx, ty));
                    long way = (long)(tx - x) * (tx - x) + (long)(ty - y) * (ty - y);
                    if (cost < best.cost || (cost == best.cost && way < best_way)) {
                        best = (struct zt_match){ (int16_t)tx, (int16_t)ty, cost };
                        best_way = way;
                    }
                }
            }
            s->to[(size_t)y * (size_t)w + (size_t)x] = best;
        }
    }
}

/* Doubles the matches of the level below, cost and all. */
static void start_from_coarser(void *user, int first, int end)
{
    const struct search *s = user;
    int w = s->a->width, h = s->a->height;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < w; x++) {
            int px = clamp_int(x / 2, 0, s->from_width - 1);
            int py = clamp_int(y / 2, 0, s->from_height - 1);
            const struct zt_match *m = &s->from[(size_t)py * (size_t)s->from_width + (size_t)px];
            int tx = clamp_int(x + 2 * (m->x - px), 0, w - 1);
            int ty = clamp_int(y + 2 * (m->y - py), 0, h - 1);
            s->to[(size_t)y * (size_t)w + (size_t)x] =
                (struct zt_match){ (int16_t)tx, (int16_t)ty,
                                   zt_descriptor_distance(descriptor(s->a, x, y),
                                                          descriptor(s->b, tx, ty)) };
        }
    }
}

static void try_at(const struct search *s, const uint8_t *p, int tx, int ty, struct zt_match *best)
{
    tx = clamp_int(tx, 0, s->b->width - 1);
    ty = clamp_int(ty, 0, s->b->height - 1);
    if (tx == best->x && ty == best->y)
        return;
    int32_t cost = zt_descriptor_distance(p, descriptor(s->b, tx, ty));
    if (cost < best->cost)
        *best = (struct zt_match){ (int16_t)tx, (int16_t)ty, cost };
}

static uint32_t mix(uint32_t v)
{
    v ^= v >> 16;
    v *= 0x7feb352du;
    v ^= v >> 15;
    v *= 0x846ca68bu;
    v ^= v >> 16;
    return v;
}

/* One round: what the neighbours at `stride` found, then a few random steps within `radius`. */
static void search_round(void *user, int first, int end)
{
    static const int8_t beside[4][2] = { { -1, 0 }, { 1, 0 }, { 0, -1 }, { 0, 1 } };
    const struct search *s = user;
    int w = s->a->width, h = s->a->height;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < w; x++) {
            size_t at = (size_t)y * (size_t)w + (size_t)x;
            const uint8_t *p = descriptor(s->a, x, y);
            struct zt_match best = s->from[at];
            for (int k = 0; k < 4; k++) {
                int nx = x + beside[k][0] * s->stride, ny = y + beside[k][1] * s->stride;
                if (nx < 0 || nx >= w || ny < 0 || ny >= h)
                    continue;
                const struct zt_match *m = &s->from[(size_t)ny * (size_t)w + (size_t)nx];
                try_at(s, p, x + m->x - nx, y + m->y - ny, &best);
            }
            for (int k = 0; k < s->samples; k++) {
                uint32_t r = mix((uint32_t)at * 0x9e3779b9u + s->seed + (uint32_t)k);
                int span = 2 * s->radius + 1;
                int dx = (int)((r & 0xffffu) * (unsigned)span >> 16) - s->radius;
                int dy = (int)((r >> 16) * (unsigned)span >> 16) - s->radius;
                try_at(s, p, best.x + dx, best.y + dy, &best);
            }
            s->to[at] = best;
        }
    }
}

void zt_match_pyramids(const struct zt_pyramid *a, const struct zt_pyramid *b, int finest,
                       struct zt_pool *pool, struct zt_match *matches, struct zt_match *scratch)
{
    static const struct {
        int stride, radius;
    } rounds[] = { { 1, 4 }, { 2, 2 }, { 4, 1 }, { 2, 2 }, { 1, 1 }, { 1, 1 } };
    struct zt_match *now = matches, *other = scratch;
    int coarsest = a->levels - 1;

    for (int level = coarsest; level >= finest; level--) {
        struct search s = { .a = &a->desc[level], .b = &b->desc[level], .samples = 2 };
        int h = s.a->height;
        s.from = now;
        s.to = other;
        if (level == coarsest) {
            zt_pool_for(pool, h, 1, search_everywhere, &s);
        } else {
            s.from_width = a->desc[level + 1].width;
            s.from_height = a->desc[level + 1].height;
            zt_pool_for(pool, h, GRAIN, start_from_coarser, &s);
        }
        for (size_t i = 0; i < ZT_COUNT(rounds); i++) {
            struct zt_match *t = now;
            now = other;
            other = t;
            s.from = now;
            s.to = other;
            s.stride = rounds[i].stride;
            s.radius = rounds[i].radius;
            s.seed = mix((uint32_t)(level * 64) + (uint32_t)i) & ~3u;
            zt_pool_for(pool, h, GRAIN, search_round, &s);
        }
        struct zt_match *t = now;
        now = other;
        other = t;
    }
    if (now != matches)
        memcpy(matches, now,
               (size_t)a->desc[finest].width * (size_t)a->desc[finest].height * sizeof(*now));
}

/* ---- sparse search ------------------------------------------------------------------------- */

struct sparse {
    const struct zt_descriptors *a, *b;
    const float *seen_a, *seen_b;
    int step_a, step_b;
    struct zt_match *best;
};

/* The pixel of `in`, `step` apart, that is most like descriptor p. */
static struct zt_match most_like(const uint8_t *p, const struct zt_descriptors *in,
                                 const float *seen, int step)
{
    struct zt_match best = { -1, -1, INT_MAX };

    for (int y = step / 2; y < in->height; y += step) {
        for (int x = step / 2; x < in->width; x += step) {
            if (seen[(size_t)y * (size_t)in->width + (size_t)x] < 0.5f)
                continue;
            int32_t cost = zt_descriptor_distance(p, descriptor(in, x, y));
            if (cost < best.cost)
                best = (struct zt_match){ (int16_t)x, (int16_t)y, cost };
        }
    }
    return best;
}

static void search_sparsely(void *user, int first, int end)
{
    const struct sparse *s = user;
    int w = s->a->width;

    for (int row = first; row < end; row++) {
        int y = s->step_a / 2 + row * s->step_a;
        for (int x = s->step_a / 2; x < w; x += s->step_a) {
            size_t at = (size_t)y * (size_t)w + (size_t)x;
            struct zt_match there = { -1, -1, INT_MAX }, back = there;
            if (s->seen_a[at] >= 0.5f)
                there = most_like(descriptor(s->a, x, y), s->b, s->seen_b, s->step_b);
            if (there.x >= 0)
                back = most_like(descriptor(s->b, there.x, there.y), s->a, s->seen_a, s->step_a);
            bool mutual = there.x >= 0 && back.x == x && back.y == y;
            s->best[at] = mutual ? there : (struct zt_match){ -1, -1, INT_MAX };
        }
    }
}

size_t zt_match_sparsely(const struct zt_descriptors *a, const struct zt_descriptors *b,
                         const float *seen_a, const float *seen_b, int step_a, int step_b,
                         struct zt_pool *pool, struct zt_match *best, struct zt_point_pair *ret)
{
    struct sparse s = { a, b, seen_a, seen_b, step_a, step_b, best };
    int rows = (a->height - step_a / 2 + step_a - 1) / step_a;
    size_t n = 0;

    zt_pool_for(pool, rows, 1, search_sparsely, &s);
    for (int y = step_a / 2; y < a->height; y += step_a) {
        for (int x = step_a / 2; x < a->width; x += step_a) {
            const struct zt_match *m = &best[(size_t)y * (size_t)a->width + (size_t)x];
            if (m->x >= 0)
                ret[n++] = (struct zt_point_pair){ (float)x, (float)y, m->x, m->y };
        }
    }
    return n;
}

/* ---- both ways ----------------------------------------------------------------------------- */

void zt_matcher_clear(struct zt_matcher *m)
{
    zt_pyramid_clear(&m->a);
    zt_pyramid_clear(&m->b);
    free(m->ab);
    m->ab = NULL;
}

enum zt_code zt_matcher_run(struct zt_matcher *m, const struct zt_flow_image *a,
                            const struct zt_flow_image *b, int finest,
                            const struct zt_flow_run *run, struct zt_err *err)
{
    size_t n = (size_t)a->width * (size_t)a->height;

    ZT_TRY(zt_pyramid_init(&m->a, a, run->pool, err));
    ZT_TRY(zt_pyramid_init(&m->b, b, run->pool, err));
    ZT_TRY(zt_flow_tick(run, 1, 10, err));
    ZT_TRY(zt_try_alloc(n, 3 * sizeof(*m->ab), "picture matches", (void **)&m->ab, err));
    m->ba = m->ab + n;
    m->scratch = m->ba + n;
    if (finest > m->a.levels - 1)
        finest = m->a.levels - 1;
    zt_match_pyramids(&m->a, &m->b, finest, run->pool, m->ab, m->scratch);
    ZT_TRY(zt_flow_tick(run, 2, 10, err));
    zt_match_pyramids(&m->b, &m->a, finest, run->pool, m->ba, m->scratch);
    return zt_flow_tick(run, 3, 10, err);
}
