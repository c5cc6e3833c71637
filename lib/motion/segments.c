/* segments.c - see segments.h. Small loops in a fixed order: the same picture, the same patches. */
#include "motion/segments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "media/colour.h"

#define ROUNDS      8
#define COMPACTNESS 12.0F /* Lab units that a distance of one cell counts for */
#define ABREAST     8     /* points that are looked at together; rows have as many to spare */

struct centre {
    float lab[3], x, y;
    double sum[5];
    int count;
};

static int place_centres(const float *lab, int width, int height, int wanted, float *ret_step,
                         struct centre *centres)
{
    float step = sqrtf((float)(width * height) / (float)wanted);
    int columns;
    int rows;

    do { /* narrow pictures round up: widen the step until all fit */
        columns = (int)((float)width / step + 0.5F);
        rows = (int)((float)height / step + 0.5F);
        columns = columns > 0 ? columns : 1;
        rows = rows > 0 ? rows : 1;
        step *= 1.05F;
    } while (columns * rows > ZT_SEGMENTS_MAX);
    for (int r = 0; r < rows; r++) {
        for (int c = 0; c < columns; c++) {
            int x = (2 * c + 1) * width / (2 * columns);
            int y = (2 * r + 1) * height / (2 * rows);
            struct centre *k = &centres[r * columns + c];
            memcpy(k->lab, lab + 3 * ((size_t)y * (size_t)width + (size_t)x), sizeof(k->lab));
            k->x = (float)x;
            k->y = (float)y;
        }
    }
    *ret_step = step;
    return columns * rows;
}

static float squared(float v)
{
    return v * v;
}

struct assignment {
    const float *lab[3]; /* [height][stride] each, as label and best */
    int width, height, stride, n;
    float step;
    const struct centre *centres; /* [n] */
    int32_t *label;
    float *best;
};

/* Columns [x, end) of a row that a centre may reach. */
struct stretch {
    int x, end;
    float down;   /* weighed square of the rows between */
    float weight; /* of squares of columns */
};

ZT_MEDIA_CLONES static void try_centre(const struct centre *c, int32_t k, const struct stretch *s,
                                       const float *restrict l, const float *restrict a,
                                       const float *restrict b, int32_t *restrict label,
                                       float *restrict best)
{
    const float cl = c->lab[0], ca = c->lab[1], cb = c->lab[2], cx = c->x;
    const float down = s->down, weight = s->weight;

    const int end = s->end, whole = s->x + (end - s->x + ABREAST - 1) / ABREAST * ABREAST;

    for (int x = s->x; x < whole; x++) { /* past the end without effect: no points are left over */
        float dl = l[x] - cl, da = a[x] - ca, db = b[x] - cb, dx = (float)x - cx;
        float d = dl * dl + da * da + db * db + (weight * (dx * dx) + down);
        bool nearer = (d < best[x]) & (x < end);
        best[x] = nearer ? d : best[x];
        label[x] = nearer ? k : label[x];
    }
}

/* Each point of rows [first, end) to the centre nearest in colour and place. */
static void assign_rows(void *user, int first, int end)
{
    const struct assignment *a = user;
    size_t stride = (size_t)a->stride;
    float step = a->step, weight = squared(COMPACTNESS / step);

    for (size_t i = (size_t)first * stride; i < (size_t)end * stride; i++)
        a->best[i] = INFINITY;
    for (int k = 0; k < a->n; k++) {
        const struct centre *c = &a->centres[k];
        int x0 = (int)fmaxf(0, c->x - 2 * step);
        int x1 = (int)fminf((float)a->width, c->x + 2 * step + 1);
        int y0 = (int)fmaxf((float)first, c->y - 2 * step);
        int y1 = (int)fminf((float)end, c->y + 2 * step + 1);
        for (int y = y0; y < y1; y++) {
            size_t row = (size_t)y * stride;
            struct stretch s = { x0, x1, weight * squared((float)y - c->y), weight };
            try_centre(c, k, &s, a->lab[0] + row, a->lab[1] + row, a->lab[2] + row, a->label + row,
                       a->best + row);
        }
    }
}

static void move_centres(const float *lab, const struct assignment *a, struct centre *centres)
{
    int n = a->n;

    for (int k = 0; k < n; k++) {
        memset(centres[k].sum, 0, sizeof(centres[k].sum));
        centres[k].count = 0;
    }
    for (int y = 0; y < a->height; y++) {
        const int32_t *label = a->label + (size_t)y * (size_t)a->stride;
        for (int x = 0; x < a->width; x++, lab += 3) {
            struct centre *c = &centres[label[x]];
            for (int j = 0; j < 3; j++)
                c->sum[j] += (double)lab[j];
            c->sum[3] += x;
            c->sum[4] += y;
            c->count++;
        }
    }
    for (int k = 0; k < n; k++) {
        struct centre *c = &centres[k];
        if (c->count == 0)
            continue;
        for (int j = 0; j < 3; j++)
            c->lab[j] = (float)(c->sum[j] / c->count);
        c->x = (float)(c->sum[3] / c->count);
        c->y = (float)(c->sum[4] / c->count);
    }
}

/* Drops centres that own nothing, fills the segments from the rest and labels them. */
static void fill_segments(struct zt_segments *s, const struct assignment *a)
{
    const struct centre *centres = a->centres;
    int n = a->n;
    uint16_t map[ZT_SEGMENTS_MAX] = { 0 };
    int rim = 2 * (s->width + s->height);

    for (int k = 0; k < n; k++) {
        const struct centre *c = &centres[k];
        if (c->count == 0)
            continue;
        map[k] = (uint16_t)s->n;
        struct zt_segment *g = &s->segment[s->n++];
        memcpy(g->lab, c->lab, sizeof(g->lab));
        g->x = (c->x + 0.5F) / (float)s->width;
        g->y = (c->y + 0.5F) / (float)s->height;
        g->size = (float)c->count / (float)(s->width * s->height);
    }
    for (int y = 0; y < s->height; y++) {
        for (int x = 0; x < s->width; x++) {
            size_t i = (size_t)y * (size_t)s->width + (size_t)x;
            s->label[i] = map[a->label[(size_t)y * (size_t)a->stride + (size_t)x]];
            struct zt_segment *g = &s->segment[s->label[i]];
            int sides = (x == 0) + (y == 0) + (x == s->width - 1) + (y == s->height - 1);
            g->border += (float)sides / (float)rim;
            g->touches_top |= y == 0;
            g->bottom = fmaxf(g->bottom, (float)(y + 1) / (float)s->height);
        }
    }
}

static void find_neighbours(struct zt_segments *s)
{
    for (int y = 0; y < s->height; y++) {
        for (int x = 0; x < s->width; x++) {
            size_t i = (size_t)y * (size_t)s->width + (size_t)x;
            int a = s->label[i];
            int right = x + 1 < s->width ? s->label[i + 1] : a;
            int below = y + 1 < s->height ? s->label[i + (size_t)s->width] : a;
            s->touch[a * s->n + right] = s->touch[right * s->n + a] = 1;
            s->touch[a * s->n + below] = s->touch[below * s->n + a] = 1;
        }
    }
    for (int k = 0; k < s->n; k++)
        s->touch[k * s->n + k] = 0;
}

enum zt_code zt_segments_make(const float *lab, int width, int height, int wanted,
                              struct zt_pool *pool, struct zt_segments *ret, struct zt_err *err)
{
    size_t stride = (size_t)(width + 2 * ABREAST - 1) / ABREAST * ABREAST;
    size_t pixels = (size_t)width * (size_t)height, n = stride * (size_t)height;
    struct centre *centres = zt_new_array(struct centre, ZT_SEGMENTS_MAX);
    void *label = NULL;
    void *memory = NULL;
    float step;

    zt_assert(width > 0 && height > 0 && wanted > 0);
    *ret = (struct zt_segments){ .width = width, .height = height };
    enum zt_code rc = zt_try_alloc(pixels, sizeof(uint16_t), "picture segments", &label, err);
    if (rc == ZT_OK)
        rc = zt_try_alloc(n * 5, sizeof(float), "picture segments", &memory, err);
    if (rc == ZT_OK) {
        float *plane = memory;
        struct assignment a = { .lab = { plane, plane + n, plane + 2 * n },
                                .width = width,
                                .height = height,
                                .stride = (int)stride,
                                .n = place_centres(lab, width, height, wanted, &step, centres),
                                .centres = centres,
                                .label = (int32_t *)(void *)(plane + 4 * n),
                                .best = plane + 3 * n };
        a.step = step;
        ret->label = label;
        label = NULL;
        for (size_t i = 0; i < pixels; i++)
            for (size_t c = 0; c < 3; c++)
                plane[c * n + i / (size_t)width * stride + i % (size_t)width] = lab[3 * i + c];
        for (int round = 0; round < ROUNDS; round++) {
            zt_pool_for(pool, height, 32, assign_rows, &a);
            move_centres(lab, &a, centres);
        }
        fill_segments(ret, &a);
        ret->touch = zt_new_array(uint8_t, (size_t)ret->n * (size_t)ret->n);
        find_neighbours(ret);
    }
    free(label);
    free(memory);
    free(centres);
    return rc;
}

void zt_segments_clear(struct zt_segments *segments)
{
    free(segments->label);
    free(segments->touch);
    *segments = (struct zt_segments){ 0 };
}
