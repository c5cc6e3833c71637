/* sight.c - see sight.h. */
#include "motion/sight.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "media/colour.h"

/* Rounds of substitution, as in stack.c: what a point sees depends on how near that is. */
#define ROUNDS 3

enum zt_code zt_sight_init(struct zt_sight *sight, const struct zt_view *view, int picture_width_px,
                           int picture_height_px, const struct zt_depth *depth, struct zt_err *err)
{
    void *memory = NULL;
    void *z = NULL;

    *sight = (struct zt_sight){ .view = *view,
                                .columns = (view->width_px - 1) / ZT_SIGHT_CELL + 2,
                                .rows = (view->height_px - 1) / ZT_SIGHT_CELL + 2,
                                .share_x = 1.0 / picture_width_px,
                                .share_y = 1.0 / picture_height_px };
    size_t n = (size_t)sight->columns * (size_t)sight->rows;
    ZT_TRY(zt_try_alloc(n * 3, sizeof(float), "a frame's depth", &memory, err));
    sight->x = memory;
    sight->y = sight->x + n;
    sight->near = sight->y + n;
    sight->pose.zoom = -1; /* none yet */
    if (depth == NULL || depth->z == NULL)
        return ZT_OK;
    size_t points = (size_t)depth->width * (size_t)depth->height;
    enum zt_code rc = zt_try_alloc(points, sizeof(float), "a frame's depth", &z, err);
    if (rc != ZT_OK) {
        zt_sight_clear(sight);
        return rc;
    }
    memcpy(z, depth->z, points * sizeof(float));
    sight->depth = (struct zt_depth){ .width = depth->width, .height = depth->height, .z = z };
    return ZT_OK;
}

void zt_sight_clear(struct zt_sight *sight)
{
    free(sight->x);
    free(sight->depth.z);
    *sight = (struct zt_sight){ 0 };
}

float zt_map_at(const float *map, int width, int height, float x, float y)
{
    float gx = x * (float)width - 0.5F, gy = y * (float)height - 0.5F;

    gx = gx > 0 ? gx < (float)(width - 1) ? gx : (float)(width - 1) : 0;
    gy = gy > 0 ? gy < (float)(height - 1) ? gy : (float)(height - 1) : 0;
    int ix = (int)gx, iy = (int)gy;
    int right = ix + 1 < width, below = iy + 1 < height ? width : 0;
    const float *m = map + (size_t)iy * (size_t)width + (size_t)ix;
    float fx = gx - (float)ix, fy = gy - (float)iy;
    float top = m[0] + fx * (m[right] - m[0]);
    float bottom = m[below] + fx * (m[below + right] - m[below]);
    return top + fy * (bottom - top);
}

static void look_rows(void *user, int first, int end)
{
    struct zt_sight *s = user;
    const struct zt_view *v = &s->view;
    const struct zt_pose *p = &s->pose;
    double unit = sqrt(v->room.width * v->room.height);
    double across = cos(p->roll) / p->zoom, down = sin(p->roll) / p->zoom;
    bool travels = p->tx != 0 || p->ty != 0 || p->tz != 0;
    int rounds = travels && s->depth.z != NULL ? ROUNDS : 0;

    for (int row = first; row < end; row++) {
        double oy = row * ZT_SIGHT_CELL - v->height_px / 2.0;
        for (int column = 0; column < s->columns; column++) {
            size_t i = (size_t)row * (size_t)s->columns + (size_t)column;
            double ox = column * ZT_SIGHT_CELL - v->width_px / 2.0;
            double qx = across * ox - down * oy + p->x * unit;
            double qy = down * ox + across * oy + p->y * unit;
            double d = ZT_D_FLAT;
            float z = 0;
            for (int round = 0; round <= rounds; round++) {
                double px = qx * (1 - p->tz * d) + p->tx * unit * d;
                double py = qy * (1 - p->tz * d) + p->ty * unit * d;
                s->x[i] = (float)((v->origin_x + px * v->scale_x) * s->share_x);
                s->y[i] = (float)((v->origin_y + py * v->scale_y) * s->share_y);
                if (s->depth.z != NULL)
                    z = zt_map_at(s->depth.z, s->depth.width, s->depth.height, s->x[i], s->y[i]);
                d = ZT_D_FAR + (ZT_D_NEAR - ZT_D_FAR) * (double)z;
            }
            s->near[i] = z;
        }
    }
}

static bool same_pose(const struct zt_pose *a, const struct zt_pose *b)
{
    return a->zoom == b->zoom && a->x == b->x && a->y == b->y && a->roll == b->roll &&
           a->tx == b->tx && a->ty == b->ty && a->tz == b->tz;
}

void zt_sight_look(struct zt_sight *sight, const struct zt_pose *pose, struct zt_pool *pool)
{
    if (same_pose(&sight->pose, pose))
        return;
    sight->pose = *pose;
    zt_pool_for(pool, sight->rows, 8, look_rows, sight);
}

float zt_sight_near(const struct zt_sight *sight, float x, float y)
{
    float gx = x / ZT_SIGHT_CELL, gy = y / ZT_SIGHT_CELL;

    gx = gx > 0 ? gx < (float)(sight->columns - 1) ? gx : (float)(sight->columns - 1) : 0;
    gy = gy > 0 ? gy < (float)(sight->rows - 1) ? gy : (float)(sight->rows - 1) : 0;
    int ix = (int)gx, iy = (int)gy;
    ix -= ix == sight->columns - 1;
    iy -= iy == sight->rows - 1;
    const float *m = sight->near + (size_t)iy * (size_t)sight->columns + (size_t)ix;
    float fx = gx - (float)ix, fy = gy - (float)iy;
    float top = m[0] + fx * (m[1] - m[0]);
    m += sight->columns;
    float bottom = m[0] + fx * (m[1] - m[0]);
    return top + fy * (bottom - top);
}

/* Between one grid point and the next; pixel centres from `from` of a cell, `step` apart. */
static inline void ramp(float left, float right, int from, int step, int n, float *restrict out)
{
    float slope = (right - left) / ZT_SIGHT_CELL;

    for (int i = 0; i < n; i++)
        out[i] = left + ((float)(from + i * step) + 0.5F) * slope;
}

/* Whole cells between two rows of the grid; every pixel, and below every other one. */
ZT_MEDIA_CLONES static void spread_pixels(const float *restrict a, const float *restrict b,
                                          float fy, int cells, float *restrict out)
{
    for (int k = 0; k < cells; k++, out += ZT_SIGHT_CELL) {
        float left = a[k] + fy * (b[k] - a[k]);
        float slope = (a[k + 1] + fy * (b[k + 1] - a[k + 1]) - left) / ZT_SIGHT_CELL;
        for (int i = 0; i < ZT_SIGHT_CELL; i++)
            out[i] = left + ((float)i + 0.5F) * slope;
    }
}

ZT_MEDIA_CLONES static void spread_pairs(const float *restrict a, const float *restrict b, float fy,
                                         int cells, float *restrict out)
{
    for (int k = 0; k < cells; k++, out += ZT_SIGHT_CELL / 2) {
        float left = a[k] + fy * (b[k] - a[k]);
        float slope = (a[k + 1] + fy * (b[k + 1] - a[k + 1]) - left) / ZT_SIGHT_CELL;
        for (int i = 0; i < ZT_SIGHT_CELL / 2; i++)
            out[i] = left + ((float)(2 * i) + 0.5F) * slope;
    }
}

void zt_sight_row(const struct zt_sight *sight, const float *grid, int first, float y, int n,
                  int step, float *out)
{
    float gy = y / ZT_SIGHT_CELL;
    int iy = (int)gy;

    iy = iy > sight->rows - 2 ? sight->rows - 2 : iy;
    const float *a = grid + (size_t)iy * (size_t)sight->columns, *b = a + sight->columns;
    float fy = gy - (float)iy;
    int i = 0;
    if (first % ZT_SIGHT_CELL == 0) {
        int cells = n * step / ZT_SIGHT_CELL, at = first / ZT_SIGHT_CELL;
        if (step == 1)
            spread_pixels(a + at, b + at, fy, cells, out);
        else
            spread_pairs(a + at, b + at, fy, cells, out);
        i = cells * ZT_SIGHT_CELL / step;
    }
    while (i < n) {
        int x = first + i * step, ix = x / ZT_SIGHT_CELL, from = x % ZT_SIGHT_CELL;
        int count = (ZT_SIGHT_CELL - 1 - from) / step + 1;
        float left = a[ix] + fy * (b[ix] - a[ix]);
        float right = a[ix + 1] + fy * (b[ix + 1] - a[ix + 1]);
        ramp(left, right, from, step, count < n - i ? count : n - i, out + i);
        i += count;
    }
}
