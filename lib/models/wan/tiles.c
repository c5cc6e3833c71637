/* tiles.c - see tiles.h. */
#include "models/wan/tiles.h"

#include "base/mem.h"

#include <math.h>

static int at_most(int a, int b)
{
    return a < b ? a : b;
}

/* How far x is into [start, end) over a ramp, from 0 at the edge to 1. */
static float rise(float from_edge, int ramp)
{
    return ramp > 0 ? fminf(1.0f, from_edge / (float)ramp) : 1.0f;
}

static void place(struct zt_tile_axis *axis, int length)
{
    for (int i = 0; i < axis->n; i++)
        axis->start[i] =
            axis->n > 1 ? (i * (length - axis->size) + (axis->n - 1) / 2) / (axis->n - 1) : 0;
}

/* Ramps where a tile overlaps its neighbours. */
static void weigh(const struct zt_tile_axis *axis)
{
    int size = axis->size * axis->scale;

    for (int i = 0; i < axis->n; i++) {
        int left = i > 0 ? axis->start[i - 1] + axis->size - axis->start[i] : 0;
        int right = i + 1 < axis->n ? axis->start[i] + axis->size - axis->start[i + 1] : 0;
        for (int x = 0; x < size; x++)
            axis->fade[i * size + x] = rise((float)x + 0.5f, left * axis->scale) *
                                       rise((float)(size - x) - 0.5f, right * axis->scale);
    }
}

/* More than two tiles may share a place when the last ones stand close: all divide by the sum. */
static void divide(const struct zt_tile_axis *axis, float *sum)
{
    int size = axis->size * axis->scale;

    for (int i = 0; i < axis->n; i++)
        for (int x = 0; x < size; x++)
            sum[axis->start[i] * axis->scale + x] += axis->fade[i * size + x];
    for (int i = 0; i < axis->n; i++)
        for (int x = 0; x < size; x++)
            axis->fade[i * size + x] /= sum[axis->start[i] * axis->scale + x];
}

enum zt_code zt_tile_axis_init(struct zt_tile_axis *axis, const struct zt_tile *tile, int length,
                               int scale, struct zt_err *err)
{
    int most = tile->size > 0 ? at_most(tile->size, length) : length;
    int overlap = at_most(tile->overlap, most / 2);
    zt_auto_free void *sum = NULL;
    void *start = NULL, *fade = NULL;

    if (tile->size < 0 || tile->overlap < 0)
        return zt_fail(err, ZT_E_INVALID, "a tile of %d with an overlap of %d can't be", tile->size,
                       tile->overlap);
    zt_assert(length > 0 && scale > 0);
    int step = most - overlap;
    axis->n = most >= length ? 1 : (length - overlap + step - 1) / step;
    axis->size = (length + (axis->n - 1) * overlap + axis->n - 1) / axis->n;
    axis->scale = scale;
    size_t n = (size_t)axis->n, size = (size_t)axis->size * (size_t)scale;
    ZT_TRY(zt_try_alloc(n, sizeof(int), "tiles", &start, err));
    axis->start = start;
    ZT_TRY(zt_try_alloc(n * size, sizeof(float), "tiles", &fade, err));
    axis->fade = fade;
    ZT_TRY(zt_try_alloc((size_t)length * (size_t)scale, sizeof(float), "tiles", &sum, err));
    place(axis, length);
    weigh(axis);
    divide(axis, sum);
    return ZT_OK;
}

void zt_tile_axis_clear(struct zt_tile_axis *axis)
{
    free(axis->start);
    free(axis->fade);
    *axis = (struct zt_tile_axis){ 0 };
}

enum zt_code zt_tile_grid_init(struct zt_tile_grid *grid, const struct zt_tile *tile, int h, int w,
                               int scale, struct zt_err *err)
{
    static const struct zt_tile whole = { 0 };

    if (tile == NULL)
        tile = &whole;
    ZT_TRY(zt_tile_axis_init(&grid->y, tile, h, scale, err));
    return zt_tile_axis_init(&grid->x, tile, w, scale, err);
}

void zt_tile_grid_clear(struct zt_tile_grid *grid)
{
    zt_tile_axis_clear(&grid->y);
    zt_tile_axis_clear(&grid->x);
}
