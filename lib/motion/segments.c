/* segments.c - see segments.h. Small loops in a fixed order: the same picture, the same patches. */
#include "motion/segments.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"

#define ROUNDS      8
#define COMPACTNESS 12.0F /* Lab units that a distance of one cell counts for */

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
    const float *lab;
    int width, height, n;
    float step;
    const struct centre *centres; /* [n] */
    uint16_t *label;
    float *best;
};

/* Each point of rows [first, end) to the centre nearest in colour and place. */
static void assign_rows(void *user, int first, int end)
{
    const struct assignment *a = user;
    int width = a->width;
    float step = a->step, weight = squared(COMPACTNESS / step);

    for (size_t i = (size_t)first * (size_t)width; i < (size_t)end * (size_t)width; i++)
        a->best[i] = INFINITY;
    for (int k = 0; k < a->n; k++) {
        const struct centre *c = &a->centres[k];
        int x0 = (int)fmaxf(0, c->x - 2 * step);
        int x1 = (int)fminf((float)width, c->x + 2 * step + 1);
        int y0 = (int)fmaxf((float)first, c->y - 2 * step);
        int y1 = (int)fminf((float)end, c->y + 2 * step + 1);
        for (int y = y0; y < y1; y++) {
            for (int x = x0; x < x1; x++) {
                size_t i = (size_t)y * (size_t)width + (size_t)x;
                const float *p = a->lab + 3 * i;
                float d = squared(p[0] - c->lab[0]) + squared(p[1] - c->lab[1]) +
                          squared(p[2] - c->lab[2]) +
                          weight * (squared((float)x - c->x) + squared((float)y - c->y));
                if (d < a->best[i]) {
                    a->best[i] = d;
                    a->label[i] = (uint16_t)k;
                }
            }
        }
    }
}

static void move_centres(const float *lab, int width, int height, const uint16_t *label,
                         struct centre *centres, int n)
{
    for (int k = 0; k < n; k++) {
        memset(centres[k].sum, 0, sizeof(centres[k].sum));
        centres[k].count = 0;
    }
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width; x++) {
            size_t i = (size_t)y * (size_t)width + (size_t)x;
            struct centre *c = &centres[label[i]];
            for (int j = 0; j < 3; j++)
                c->sum[j] += (double)lab[3 * i + (size_t)j];
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

/* Drops centres that own nothing, fills the segments from the rest and relabels. */
static void fill_segments(struct zt_segments *s, const struct centre *centres, int n)
{
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
            uint16_t *l = &s->label[(size_t)y * (size_t)s->width + (size_t)x];
            *l = map[*l];
            struct zt_segment *g = &s->segment[*l];
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
    size_t pixels = (size_t)width * (size_t)height;
    struct centre *centres = zt_new_array(struct centre, ZT_SEGMENTS_MAX);
    void *label = NULL;
    void *best = NULL;
    float step;

    zt_assert(width > 0 && height > 0 && wanted > 0);
    *ret = (struct zt_segments){ .width = width, .height = height };
    enum zt_code rc = zt_try_alloc(pixels, sizeof(uint16_t), "picture segments", &label, err);
    if (rc == ZT_OK)
        rc = zt_try_alloc(pixels, sizeof(float), "picture segments", &best, err);
    if (rc == ZT_OK) {
        int n = place_centres(lab, width, height, wanted, &step, centres);
        ret->label = label;
        label = NULL;
        struct assignment a = { lab, width, height, n, step, centres, ret->label, best };
        for (int round = 0; round < ROUNDS; round++) {
            if (pool != NULL)
                zt_pool_for(pool, height, 32, assign_rows, &a);
            else
                assign_rows(&a, 0, height);
            move_centres(lab, width, height, ret->label, centres, n);
        }
        fill_segments(ret, centres, n);
        ret->touch = zt_new_array(uint8_t, (size_t)ret->n * (size_t)ret->n);
        find_neighbours(ret);
    }
    free(label);
    free(best);
    free(centres);
    return rc;
}

void zt_segments_clear(struct zt_segments *segments)
{
    free(segments->label);
    free(segments->touch);
    *segments = (struct zt_segments){ 0 };
}
