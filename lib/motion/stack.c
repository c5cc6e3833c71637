/* stack.c - see stack.h. */
#include "motion/stack.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "media/colour.h"
#include "media/frame.h"
#include "motion/fluid.h"

/* The point that a frame position sees depends on its own nearness: rounds of substitution. */
#define SEE_ROUNDS 4

/* They end sooner once a round moves no point by more than this many picture pixels. */
#define SEE_LEAST 1e-4

/* Blocks of alpha samples whose content is known: all clear, all opaque, or mixed. */
#define BLOCK_BITS 4

enum cover { CLEAR, MIXED, OPAQUE };

/* Alpha at one size: samples, and for each block two flags. */
struct matte {
    struct zt_plane plane;
    int columns, rows;
    uint8_t *flags; /* [rows][columns]: 1 something shows, 2 something is see-through */
};

struct zt_sheet {
    struct zt_planes planes;
    struct zt_depth depth;               /* z NULL: flat */
    double depth_scale_x, depth_scale_y; /* grid points for each picture pixel */
    bool opaque;
    struct matte matte[2]; /* luma's, chroma's */
    struct zt_warp_mesh mesh[2];
};

/* ---- getting ready ------------------------------------------------------------------------- */

static void matte_clear(struct matte *m)
{
    zt_plane_clear(&m->plane);
    free(m->flags);
    *m = (struct matte){ 0 };
}

static enum zt_code matte_init(struct matte *m, int width, int height, struct zt_err *err)
{
    void *flags = NULL;

    ZT_TRY(zt_plane_init(&m->plane, width, height, err));
    m->columns = ((width - 1) >> BLOCK_BITS) + 1;
    m->rows = ((height - 1) >> BLOCK_BITS) + 1;
    ZT_TRY(zt_try_alloc((size_t)m->columns, (size_t)m->rows, "a matte", &flags, err));
    m->flags = flags;
    return ZT_OK;
}

ZT_MEDIA_CLONES static void widen_range(const uint8_t *restrict row, uint8_t *restrict low,
                                        uint8_t *restrict high, int n)
{
    for (int x = 0; x < n; x++) {
        low[x] = low[x] < row[x] ? low[x] : row[x];
        high[x] = high[x] > row[x] ? high[x] : row[x];
    }
}

static void find_flags(struct matte *m)
{
    int width = m->plane.width;
    uint8_t *low = zt_new_array(uint8_t, 2 * (size_t)width), *high = low + width;

    for (int y = 0; y < m->plane.height; y++) {
        uint8_t *flags = m->flags + (size_t)(y >> BLOCK_BITS) * (size_t)m->columns;
        if (y % (1 << BLOCK_BITS) == 0) {
            memset(low, 255, (size_t)width);
            memset(high, 0, (size_t)width);
        }
        widen_range(m->plane.at + (size_t)y * m->plane.stride, low, high, width);
        if ((y + 1) % (1 << BLOCK_BITS) != 0 && y + 1 < m->plane.height)
            continue;
        for (int x = 0; x < width; x++)
            flags[x >> BLOCK_BITS] |= (uint8_t)((high[x] > 0 ? 1 : 0) | (low[x] < 255 ? 2 : 0));
    }
    free(low);
}

/* Half size: around column 2x with weights 1 2 1, between rows 2y and 2y + 1, as chroma sits. */
static void halve(const struct zt_plane *in, struct zt_plane *out)
{
    for (int y = 0; y < out->height; y++) {
        const uint8_t *a = in->at + (size_t)(2 * y) * in->stride, *b = a + in->stride;
        uint8_t *dst = out->at + (size_t)y * out->stride;
        for (int x = 0; x < out->width; x++) {
            int i = 2 * x;
            dst[x] =
                (uint8_t)((a[i - 1] + 2 * a[i] + a[i + 1] + b[i - 1] + 2 * b[i] + b[i + 1] + 4) >>
                          3);
        }
    }
}

/* Alpha is filtered as the picture is: both edges then lie on each other at every phase. */
static enum zt_code take_alpha(struct zt_sheet *sheet, const struct zt_layer *layer, double density,
                               struct zt_pool *pool, struct zt_err *err)
{
    int width = layer->picture.width_px, height = layer->picture.height_px;
    struct zt_plane samples[2] = { { 0 } };

    sheet->opaque = layer->alpha == NULL;
    if (sheet->opaque)
        return ZT_OK;
    enum zt_code rc = ZT_OK;
    for (int half = 0; half < 2 && rc == ZT_OK; half++) {
        rc = matte_init(&sheet->matte[half], width >> half, height >> half, err);
        if (rc == ZT_OK)
            rc = zt_plane_init(&samples[half], width >> half, height >> half, err);
    }
    if (rc == ZT_OK) {
        for (int y = 0; y < height; y++)
            memcpy(samples[0].at + (size_t)y * samples[0].stride,
                   layer->alpha + (size_t)y * (size_t)width, (size_t)width);
        zt_plane_pad(&samples[0]);
        halve(&samples[0], &samples[1]);
        zt_plane_pad(&samples[1]);
    }
    for (int half = 0; half < 2 && rc == ZT_OK; half++) {
        zt_plane_filter(&samples[half], density, pool, &sheet->matte[half].plane);
        find_flags(&sheet->matte[half]);
    }
    zt_plane_clear(&samples[0]);
    zt_plane_clear(&samples[1]);
    return rc;
}

static enum zt_code take_depth(struct zt_sheet *sheet, const struct zt_layer *layer,
                               struct zt_err *err)
{
    const struct zt_depth *from = &layer->depth;
    void *z = NULL;

    if (from->z == NULL)
        return ZT_OK;
    size_t n = (size_t)from->width * (size_t)from->height;
    ZT_TRY(zt_try_alloc(n, sizeof(float), "a layer's depth", &z, err));
    memcpy(z, from->z, n * sizeof(float));
    sheet->depth = (struct zt_depth){ .width = from->width, .height = from->height, .z = z };
    sheet->depth_scale_x = (double)from->width / layer->picture.width_px;
    sheet->depth_scale_y = (double)from->height / layer->picture.height_px;
    return ZT_OK;
}

static enum zt_code sheet_init(struct zt_sheet *sheet, const struct zt_layer *layer,
                               const struct zt_view *view, double density, struct zt_pool *pool,
                               struct zt_err *err)
{
    ZT_TRY(zt_planes_init(&sheet->planes, &layer->picture, density, pool, err));
    ZT_TRY(take_alpha(sheet, layer, density, pool, err));
    ZT_TRY(take_depth(sheet, layer, err));
    ZT_TRY(zt_warp_mesh_init(&sheet->mesh[0], view->width_px, view->height_px, err));
    return zt_warp_mesh_init(&sheet->mesh[1], view->width_px / 2, view->height_px / 2, err);
}

enum zt_code zt_stack_init(struct zt_stack *stack, const struct zt_layers *layers,
                           const struct zt_view *view, double density, struct zt_pool *pool,
                           enum zt_simd simd, struct zt_err *err)
{
    zt_assert(layers->n >= 1 && layers->n <= ZT_LAYERS_MAX && layers->layer[0].alpha == NULL);
    zt_assert(view->width_px % (2 * ZT_CELL) == 0 && view->height_px % (2 * ZT_CELL) == 0);
    *stack = (struct zt_stack){ .view = *view,
                                .pool = pool,
                                .simd = simd,
                                .n = layers->n,
                                .sheet = zt_new_array(struct zt_sheet, (size_t)layers->n) };
    for (int i = 0; i < layers->n; i++) {
        enum zt_code rc = sheet_init(&stack->sheet[i], &layers->layer[i], view, density, pool, err);
        if (rc != ZT_OK) {
            zt_stack_clear(stack);
            return rc;
        }
    }
    return ZT_OK;
}

void zt_stack_clear(struct zt_stack *stack)
{
    for (int i = 0; i < stack->n; i++) {
        struct zt_sheet *sheet = &stack->sheet[i];
        zt_planes_clear(&sheet->planes);
        free(sheet->depth.z);
        for (int half = 0; half < 2; half++) {
            matte_clear(&sheet->matte[half]);
            zt_warp_mesh_clear(&sheet->mesh[half]);
        }
    }
    free(stack->sheet);
    *stack = (struct zt_stack){ 0 };
}

/* ---- where a frame position looks ---------------------------------------------------------- */

/* Nearness at a picture position, interpolated between grid points. */
static double nearness(const struct zt_sheet *sheet, double x, double y)
{
    const struct zt_depth *g = &sheet->depth;

    if (g->z == NULL)
        return ZT_D_FLAT;
    return ZT_D_FAR + (ZT_D_NEAR - ZT_D_FAR) *
                          zt_depth_at(g, x * sheet->depth_scale_x, y * sheet->depth_scale_y);
}

/* A pose with what does not change over a frame worked out. */
struct look {
    const struct zt_view *view;
    double across, down; /* (cos, sin) of roll over zoom */
    double x, y, tx, ty, tz;
};

static struct look look_from(const struct zt_view *view, const struct zt_pose *pose)
{
    double unit = sqrt(view->room.width * view->room.height);

    return (struct look){ .view = view,
                          .across = cos(pose->roll) / pose->zoom,
                          .down = sin(pose->roll) / pose->zoom,
                          .x = pose->x * unit,
                          .y = pose->y * unit,
                          .tx = pose->tx * unit,
                          .ty = pose->ty * unit,
                          .tz = pose->tz };
}

/* Positions of a frame row that are worked out side by side. */
#define SIDE_BY_SIDE 32

/* For each: the picture point it would see at nearness 0, and what nearness adds to that. */
struct seeing {
    double x[SIDE_BY_SIDE], y[SIDE_BY_SIDE], per_x[SIDE_BY_SIDE], per_y[SIDE_BY_SIDE];
    double d[SIDE_BY_SIDE];
};

/* One round of substitution, zt_depth_at written out; returns the largest move of a point. */
ZT_MEDIA_CLONES static double settle(const struct zt_sheet *sheet, struct seeing *s)
{
    const float *z = sheet->depth.z;
    const int width = sheet->depth.width;
    const double right = width - 1, bottom = sheet->depth.height - 1;
    const double scale_x = sheet->depth_scale_x, scale_y = sheet->depth_scale_y;
    double move[SIDE_BY_SIDE], most = 0;

    for (int i = 0; i < SIDE_BY_SIDE; i++) {
        double x = (s->x[i] + s->per_x[i] * s->d[i]) * scale_x - 0.5;
        double y = (s->y[i] + s->per_y[i] * s->d[i]) * scale_y - 0.5;
        x = x < 0 ? 0 : x;
        y = y < 0 ? 0 : y;
        x = x > right ? right : x;
        y = y > bottom ? bottom : y;
        int ix = (int)x, iy = (int)y;
        double fx = x - ix, fy = y - iy;
        int at = iy * width + ix;
        int next = at + (fx > 0), below = fy > 0 ? width : 0; /* what weighs nothing is not read */
        double a = (double)z[at], b = (double)z[next];
        double c = (double)z[at + below], d = (double)z[next + below];
        double upper = a + fx * (b - a), lower = c + fx * (d - c);
        double now = ZT_D_FAR + (ZT_D_NEAR - ZT_D_FAR) * (upper + fy * (lower - upper));
        move[i] = fabs(now - s->d[i]) * (fabs(s->per_x[i]) + fabs(s->per_y[i]));
        s->d[i] = now;
    }
    for (int i = 0; i < SIDE_BY_SIDE; i++)
        most = move[i] > most ? move[i] : most;
    return most;
}

/* What n positions from (ox, oy) of the frame on, `step` apart, see on a sheet: s->x, s->y. */
static void see(const struct look *l, const struct zt_sheet *sheet, double ox, double oy,
                double step, int n, struct seeing *s)
{
    const struct zt_view *v = l->view;
    bool travels = l->tx != 0 || l->ty != 0 || l->tz != 0;
    int rounds = travels && sheet->depth.z != NULL ? SEE_ROUNDS : 0;

    for (int i = 0; i < SIDE_BY_SIDE; i++) {
        double x = ox + step * (i < n ? i : n - 1);
        double qx = l->across * x - l->down * oy + l->x, qy = l->down * x + l->across * oy + l->y;
        s->x[i] = v->origin_x + qx * v->scale_x;
        s->y[i] = v->origin_y + qy * v->scale_y;
        s->per_x[i] = (l->tx - l->tz * qx) * v->scale_x;
        s->per_y[i] = (l->ty - l->tz * qy) * v->scale_y;
        s->d[i] = ZT_D_FLAT;
    }
    for (int i = 0; i < rounds && settle(sheet, s) >= SEE_LEAST; i++)
        ;
    for (int i = 0; i < SIDE_BY_SIDE; i++) {
        s->x[i] += s->per_x[i] * s->d[i];
        s->y[i] += s->per_y[i] * s->d[i];
    }
}

void zt_stack_see(const struct zt_stack *stack, int layer, const struct zt_pose *pose, double ox,
                  double oy, double *ret_x, double *ret_y, double *ret_d)
{
    struct look look = look_from(&stack->view, pose);
    struct seeing s;

    see(&look, &stack->sheet[layer], ox, oy, 0, 1, &s);
    *ret_x = s.x[0];
    *ret_y = s.y[0];
    *ret_d = nearness(&stack->sheet[layer], *ret_x, *ret_y);
}

/* ---- a frame ------------------------------------------------------------------------------- */

struct drawing {
    struct zt_stack *stack;
    struct look look;
    struct zt_frame_buf *dst;
    int plane;
};

static void place_luma_row(const struct drawing *d, struct zt_sheet *sheet, int row)
{
    struct zt_warp_mesh *mesh = &sheet->mesh[0];
    const struct zt_plane *plane = &sheet->planes.plane[0];
    const struct zt_room *room = &d->stack->view.room;

    for (int first = 0; first < mesh->columns; first += SIDE_BY_SIDE) {
        int n = mesh->columns - first < SIDE_BY_SIDE ? mesh->columns - first : SIDE_BY_SIDE;
        size_t at = (size_t)row * (size_t)mesh->columns + (size_t)first;
        struct seeing s;
        see(&d->look, sheet, first * ZT_CELL + 0.5 - room->width / 2,
            row * ZT_CELL + 0.5 - room->height / 2, ZT_CELL, n, &s);
        for (int i = 0; i < n; i++) {
            double dx = 0, dy = 0;
            if (d->stack->fluid != NULL)
                zt_fluid_shift(d->stack->fluid, s.x[i], s.y[i], &dx, &dy);
            mesh->x[at + (size_t)i] = zt_warp_mesh_position(s.x[i] + dx - 0.5, plane->width);
            mesh->y[at + (size_t)i] = zt_warp_mesh_position(s.y[i] + dy - 0.5, plane->height);
        }
    }
}

/*
 * Chroma sample (x, y) sits on luma sample 2x, half way between rows 2y and 2y + 1, in the frame
 * and in the picture alike. A cell of it is two cells of luma: its corners are luma's, half a row
 * farther down.
 */
static void place_chroma_row(struct zt_sheet *sheet, int row)
{
    const struct zt_warp_mesh *luma = &sheet->mesh[0];
    struct zt_warp_mesh *mesh = &sheet->mesh[1];
    /* The last row has nothing below it: the same step is taken from above. */
    int step = 2 * row + 1 < luma->rows ? luma->columns : -luma->columns;
    int part = step > 0 ? 2 * ZT_CELL : -2 * ZT_CELL;

    for (int column = 0; column < mesh->columns; column++) {
        size_t from = (size_t)(2 * row) * (size_t)luma->columns + (size_t)(2 * column);
        size_t to = (size_t)row * (size_t)mesh->columns + (size_t)column;
        const int32_t *x = luma->x + from, *y = luma->y + from;
        mesh->x[to] = (x[0] + (x[step] - x[0]) / part) / 2;
        mesh->y[to] = (y[0] + (y[step] - y[0]) / part - 32768) / 2;
    }
}

/* Meshes of all sheets; pairs of rows of luma's, of which chroma's are made. */
static void place_rows(void *user, int first, int end)
{
    const struct drawing *d = user;

    for (int i = 0; i < d->stack->n; i++) {
        struct zt_sheet *sheet = &d->stack->sheet[i];
        for (int row = first; row < end; row++) {
            place_luma_row(d, sheet, 2 * row);
            if (2 * row + 1 < sheet->mesh[0].rows)
                place_luma_row(d, sheet, 2 * row + 1);
        }
        /* The last row of chroma's looks at the row above. */
        for (int row = first; row < end; row++)
            if (2 * row + 1 < sheet->mesh[0].rows)
                place_chroma_row(sheet, row);
    }
}

/* What of a sheet shows in a cell: flags of all blocks that its corners, and taps, reach. */
static enum cover cover_of(const struct zt_sheet *sheet, int half, int column, int row)
{
    const struct matte *m = &sheet->matte[half];
    const struct zt_warp_mesh *mesh = &sheet->mesh[half];
    size_t i = (size_t)row * (size_t)mesh->columns + (size_t)column;
    const size_t corner[4] = { i, i + 1, i + (size_t)mesh->columns, i + (size_t)mesh->columns + 1 };
    int32_t low_x = INT32_MAX, high_x = INT32_MIN, low_y = INT32_MAX, high_y = INT32_MIN;
    unsigned flags = 0;

    if (sheet->opaque)
        return OPAQUE;
    for (int c = 0; c < 4; c++) {
        int32_t x = mesh->x[corner[c]], y = mesh->y[corner[c]];
        low_x = x < low_x ? x : low_x;
        high_x = x > high_x ? x : high_x;
        low_y = y < low_y ? y : low_y;
        high_y = y > high_y ? y : high_y;
    }
    int first_x = (low_x >> 16) - 1, last_x = (high_x >> 16) + 2;
    int first_y = (low_y >> 16) - 1, last_y = (high_y >> 16) + 2;
    int max_x = m->plane.width - 1, max_y = m->plane.height - 1;
    first_x = first_x < 0 ? 0 : first_x > max_x ? max_x : first_x;
    last_x = last_x < 0 ? 0 : last_x > max_x ? max_x : last_x;
    first_y = first_y < 0 ? 0 : first_y > max_y ? max_y : first_y;
    last_y = last_y < 0 ? 0 : last_y > max_y ? max_y : last_y;
    for (int y = first_y >> BLOCK_BITS; y <= last_y >> BLOCK_BITS; y++)
        for (int x = first_x >> BLOCK_BITS; x <= last_x >> BLOCK_BITS; x++)
            flags |= m->flags[(size_t)y * (size_t)m->columns + (size_t)x];
    return flags == 3 ? MIXED : flags == 1 ? OPAQUE : CLEAR;
}

ZT_MEDIA_CLONES static void blend(uint8_t *restrict dst, size_t stride,
                                  const uint8_t *restrict over, const uint8_t *restrict alpha)
{
    for (int y = 0; y < ZT_CELL; y++, dst += stride, over += ZT_CELL, alpha += ZT_CELL) {
        for (int x = 0; x < ZT_CELL; x++) {
            unsigned v = (unsigned)(dst[x] * (255 - alpha[x]) + over[x] * alpha[x]) + 128;
            dst[x] = (uint8_t)((v + (v >> 8)) >> 8); /* v / 255, rounded */
        }
    }
}

/* A sheet's colours, with what flows in them. */
static void paint(const struct drawing *d, const struct zt_sheet *sheet, int column, int row,
                  uint8_t *dst, size_t stride)
{
    int half = d->plane > 0;

    zt_fluid_cell(d->stack->fluid, &sheet->planes.plane[d->plane],
                  sheet->opaque ? NULL : &sheet->matte[half].plane, &sheet->mesh[half], half,
                  column, row, dst, stride, d->stack->simd);
}

static void draw_cell(const struct drawing *d, int column, int row)
{
    const struct zt_stack *s = d->stack;
    int half = d->plane > 0, at = s->n - 1;
    size_t stride = d->dst->view.stride[d->plane];
    uint8_t *dst =
        d->dst->plane[d->plane] + (size_t)(row * ZT_CELL) * stride + (size_t)(column * ZT_CELL);
    uint8_t over[ZT_CELL * ZT_CELL], alpha[ZT_CELL * ZT_CELL];
    enum cover cover[ZT_LAYERS_MAX];

    while ((cover[at] = cover_of(&s->sheet[at], half, column, row)) != OPAQUE)
        at--; /* the farthest layer is opaque */
    paint(d, &s->sheet[at], column, row, dst, stride);
    for (at++; at < s->n; at++) {
        const struct zt_sheet *sheet = &s->sheet[at];
        if (cover[at] == CLEAR)
            continue;
        paint(d, sheet, column, row, over, ZT_CELL);
        zt_warp_cell(&sheet->matte[half].plane, &sheet->mesh[half], column, row, alpha, ZT_CELL,
                     s->simd);
        blend(dst, stride, over, alpha);
    }
}

/* Rows of cells: all of luma's, then both chroma planes'. */
static void draw_rows(void *user, int first, int end)
{
    const struct zt_warp_mesh *mesh = ((const struct drawing *)user)->stack->sheet[0].mesh;
    struct drawing d = *(const struct drawing *)user;
    int luma = mesh[0].rows - 1, chroma = mesh[1].rows - 1;

    for (int i = first; i < end; i++) {
        d.plane = i < luma ? 0 : i < luma + chroma ? 1 : 2;
        int row = i - (d.plane > 0 ? luma : 0) - (d.plane > 1 ? chroma : 0);
        for (int column = 0; column + 1 < mesh[d.plane > 0].columns; column++)
            draw_cell(&d, column, row);
    }
}

void zt_stack_draw(struct zt_stack *stack, const struct zt_pose *pose, struct zt_frame_buf *dst)
{
    struct drawing d = { .stack = stack, .look = look_from(&stack->view, pose), .dst = dst };
    const struct zt_warp_mesh *mesh = stack->sheet[0].mesh;

    zt_pool_for(stack->pool, mesh[1].rows, 4, place_rows, &d);
    for (int i = 0; i < stack->n; i++)
        place_chroma_row(&stack->sheet[i], mesh[1].rows - 1);
    zt_pool_for(stack->pool, mesh[0].rows - 1 + 2 * (mesh[1].rows - 1), 2, draw_rows, &d);
}
