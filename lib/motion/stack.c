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
#define BLOCK_BITS 3
#define BLOCK      (1 << BLOCK_BITS)

enum cover { CLEAR, MIXED, OPAQUE };

/*
 * Alpha at one size: samples, and how many of the blocks above and to the left of a block's corner
 * are see-through somewhere, plus 65536 times how many show something. The sums may wrap: between
 * corners of the few blocks under a cell, differences are right all the same.
 */
struct matte {
    struct zt_plane plane;
    int columns, rows;
    uint32_t *sums; /* [rows + 1][columns + 1] */
};

struct zt_sheet {
    struct zt_planes planes;
    struct zt_depth depth;               /* z NULL: flat */
    double depth_scale_x, depth_scale_y; /* grid points for each picture pixel */
    bool opaque;
    struct matte matte[2]; /* luma's, chroma's */
    struct zt_warp_mesh mesh[2];
    uint8_t *cover[2]; /* enum cover of each cell; NULL where all is opaque */
};

/* ---- getting ready ------------------------------------------------------------------------- */

static void matte_clear(struct matte *m)
{
    zt_plane_clear(&m->plane);
    free(m->sums);
    *m = (struct matte){ 0 };
}

static enum zt_code matte_init(struct matte *m, int width, int height, struct zt_err *err)
{
    void *sums = NULL;

    ZT_TRY(zt_plane_init(&m->plane, width, height, err));
    m->columns = ((width - 1) >> BLOCK_BITS) + 1;
    m->rows = ((height - 1) >> BLOCK_BITS) + 1;
    ZT_TRY(zt_try_alloc((size_t)(m->columns + 1) * sizeof(uint32_t), (size_t)m->rows + 1, "a matte",
                        &sums, err));
    m->sums = sums;
    return ZT_OK;
}

/* The last blocks may reach into the border, which repeats the edge. */
static void sum_blocks(struct matte *m)
{
    size_t stride = m->plane.stride;
    uint32_t *sums = m->sums + m->columns + 2, *above = m->sums + 1;

    for (int y = 0; y < m->rows; y++, sums += m->columns + 1, above += m->columns + 1) {
        const uint8_t *row = m->plane.at + (size_t)(y * BLOCK) * stride;
        uint32_t sum = 0;
        for (int x = 0; x < m->columns; x++, row += BLOCK) {
            uint64_t all = UINT64_MAX, any = 0, part;
            for (size_t i = 0; i < BLOCK; i++) {
                memcpy(&part, row + i * stride, BLOCK);
                all &= part;
                any |= part;
            }
            sum += (all != UINT64_MAX ? 1U : 0) + (any != 0 ? 65536U : 0);
            sums[x] = above[x] + sum;
        }
    }
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
        sum_blocks(&sheet->matte[half]);
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
    /* settle reads one row and one point on. */
    ZT_TRY(zt_try_alloc(n + (size_t)from->width + 1, sizeof(float), "a layer's depth", &z, err));
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
    for (int half = 0; half < 2; half++) {
        int width = view->width_px >> half, height = view->height_px >> half;
        void *cover = NULL;
        ZT_TRY(zt_warp_mesh_init(&sheet->mesh[half], width, height, err));
        if (!sheet->opaque)
            ZT_TRY(zt_try_alloc((size_t)(width / ZT_CELL), (size_t)(height / ZT_CELL),
                                "a layer's cells", &cover, err));
        sheet->cover[half] = cover;
    }
    return ZT_OK;
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
            free(sheet->cover[half]);
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

/*
 * One round of substitution for the first n, zt_depth_at written out; returns the largest move of a
 * point.
 */
ZT_MEDIA_CLONES static double settle(const struct zt_sheet *sheet, int n, struct seeing *s)
{
    const int width = sheet->depth.width;
    const float *z = sheet->depth.z, *next = z + 1, *below = z + width, *below_next = below + 1;
    const double right = width - 1, bottom = sheet->depth.height - 1;
    const double scale_x = sheet->depth_scale_x, scale_y = sheet->depth_scale_y;
    double move[SIDE_BY_SIDE], most = 0;

    for (int i = 0; i < n; i++) {
        double x = (s->x[i] + s->per_x[i] * s->d[i]) * scale_x - 0.5;
        double y = (s->y[i] + s->per_y[i] * s->d[i]) * scale_y - 0.5;
        x = x < 0 ? 0 : x;
        y = y < 0 ? 0 : y;
        x = x > right ? right : x;
        y = y > bottom ? bottom : y;
        int ix = (int)x, iy = (int)y;
        double fx = x - ix, fy = y - iy;
        int at = iy * width + ix;
        double a = (double)z[at], b = (double)next[at], c = (double)below[at];
        double d = (double)below_next[at]; /* at an edge these weigh nothing */
        double upper = a + fx * (b - a), lower = c + fx * (d - c);
        double now = ZT_D_FAR + (ZT_D_NEAR - ZT_D_FAR) * (upper + fy * (lower - upper));
        move[i] = fabs(now - s->d[i]) * (fabs(s->per_x[i]) + fabs(s->per_y[i]));
        s->d[i] = now;
    }
    for (int i = 0; i < n; i++)
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

    for (int i = 0; i < n; i++) {
        double x = ox + step * i;
        double qx = l->across * x - l->down * oy + l->x, qy = l->down * x + l->across * oy + l->y;
        s->x[i] = v->origin_x + qx * v->scale_x;
        s->y[i] = v->origin_y + qy * v->scale_y;
        s->per_x[i] = (l->tx - l->tz * qx) * v->scale_x;
        s->per_y[i] = (l->ty - l->tz * qy) * v->scale_y;
        s->d[i] = ZT_D_FLAT;
    }
    for (int i = 0; i < rounds && settle(sheet, n, s) >= SEE_LEAST; i++)
        ;
    for (int i = 0; i < n; i++) {
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

static inline int32_t lesser(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static inline int32_t greater(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* The block of a position and some samples on, of n in its row or column. */
static inline int32_t block_at(int32_t position, int32_t on, int32_t n)
{
    return lesser(greater(((position >> 16) + on) >> BLOCK_BITS, 0), n - 1);
}

/* What of a sheet shows in each cell of a row, by all blocks that its corners, and taps, reach. */
ZT_MEDIA_CLONES static void find_cover(const struct zt_sheet *sheet, int half, int row)
{
    const struct matte *m = &sheet->matte[half];
    const struct zt_warp_mesh *mesh = &sheet->mesh[half];
    const int32_t *x = mesh->x + (size_t)row * (size_t)mesh->columns, *below_x = x + mesh->columns;
    const int32_t *y = mesh->y + (size_t)row * (size_t)mesh->columns, *below_y = y + mesh->columns;
    const uint32_t *sums = m->sums;
    const int32_t cells = mesh->columns - 1, columns = m->columns, rows = m->rows;
    uint8_t *restrict cover = sheet->cover[half] + (size_t)row * (size_t)cells;

    for (int i = 0; i < cells; i++) {
        int32_t low_x = lesser(lesser(x[i], x[i + 1]), lesser(below_x[i], below_x[i + 1]));
        int32_t high_x = greater(greater(x[i], x[i + 1]), greater(below_x[i], below_x[i + 1]));
        int32_t low_y = lesser(lesser(y[i], y[i + 1]), lesser(below_y[i], below_y[i + 1]));
        int32_t high_y = greater(greater(y[i], y[i + 1]), greater(below_y[i], below_y[i + 1]));
        int32_t left = block_at(low_x, -1, columns), right = block_at(high_x, 2, columns) + 1;
        int32_t upper = block_at(low_y, -1, rows) * (columns + 1);
        int32_t lower = (block_at(high_y, 2, rows) + 1) * (columns + 1);
        uint32_t sum =
            sums[lower + right] - sums[lower + left] - sums[upper + right] + sums[upper + left];
        cover[i] = sum >> 16 == 0 ? CLEAR : (sum & 0xffff) == 0 ? OPAQUE : MIXED;
    }
}

ZT_MEDIA_CLONES static void blend(uint8_t *restrict dst, size_t stride,
                                  const uint8_t *restrict over, const uint8_t *restrict alpha)
{
    for (int y = 0; y < ZT_CELL; y++, dst += stride, over += ZT_CELL, alpha += ZT_CELL) {
        for (int x = 0; x < ZT_CELL; x++) {
            uint16_t v = (uint16_t)(dst[x] * (255 - alpha[x]) + over[x] * alpha[x] + 128);
            dst[x] = (uint8_t)((v + (v >> 8)) >> 8); /* v / 255, rounded */
        }
    }
}

/* Alpha of a cell that find_cover calls mixed: it may yet be the same all over. */
static enum cover draw_alpha(const struct zt_stack *s, const struct zt_sheet *sheet, int half,
                             int column, int row, uint8_t alpha[ZT_CELL * ZT_CELL])
{
    unsigned all = 255, any = 0;

    zt_warp_cell(&sheet->matte[half].plane, &sheet->mesh[half], column, row, alpha, ZT_CELL,
                 s->simd);
    for (int i = 0; i < ZT_CELL * ZT_CELL; i++) {
        all &= alpha[i];
        any |= alpha[i];
    }
    return any == 0 ? CLEAR : all == 255 ? OPAQUE : MIXED;
}

/* A sheet's luma, or both its chroma planes, with what flows in them. */
static void paint(const struct zt_stack *s, const struct zt_sheet *sheet, int half, int column,
                  int row, uint8_t *const dst[], size_t stride)
{
    const struct zt_plane *planes = &sheet->planes.plane[half];
    const struct zt_warp_mesh *mesh = &sheet->mesh[half];

    if (s->fluid == NULL) {
        zt_warp_cells(planes, 1 + half, mesh, column, row, dst, stride, s->simd);
        return;
    }
    for (int i = 0; i <= half; i++)
        zt_fluid_cell(s->fluid, &planes[i], sheet->opaque ? NULL : &sheet->matte[half].plane, mesh,
                      half, column, row, dst[i], stride, s->simd);
}

/* A cell of luma, or (half) of both chroma planes. */
static void draw_cell(const struct drawing *d, int half, int column, int row)
{
    const struct zt_stack *s = d->stack;
    size_t stride = d->dst->view.stride[half];
    size_t at = (size_t)(row * ZT_CELL) * stride + (size_t)(column * ZT_CELL);
    uint8_t alpha[ZT_LAYERS_MAX][ZT_CELL * ZT_CELL], over[2][ZT_CELL * ZT_CELL];
    uint8_t *const dst[2] = { d->dst->plane[half] + at, d->dst->plane[2 * half] + at };
    uint8_t *const aside[2] = { over[0], over[1] };
    enum cover cover[ZT_LAYERS_MAX];
    int back = s->n - 1, cells = s->sheet[0].mesh[half].columns - 1;

    for (;; back--) { /* the farthest layer is opaque */
        const struct zt_sheet *sheet = &s->sheet[back];
        cover[back] = sheet->opaque ? OPAQUE : sheet->cover[half][row * cells + column];
        if (cover[back] == MIXED)
            cover[back] = draw_alpha(s, sheet, half, column, row, alpha[back]);
        if (cover[back] == OPAQUE)
            break;
    }
    paint(s, &s->sheet[back], half, column, row, dst, stride);
    for (int front = back + 1; front < s->n; front++) {
        if (cover[front] == CLEAR)
            continue;
        paint(s, &s->sheet[front], half, column, row, aside, ZT_CELL);
        for (int i = 0; i <= half; i++)
            blend(dst[i], stride, over[i], alpha[front]);
    }
}

/* Rows of cells: all of luma's, then chroma's. */
static void draw_rows(void *user, int first, int end)
{
    const struct drawing *d = user;
    const struct zt_stack *s = d->stack;
    const struct zt_warp_mesh *mesh = s->sheet[0].mesh;
    int luma = mesh[0].rows - 1;

    for (int i = first; i < end; i++) {
        int half = i >= luma, row = half ? i - luma : i;
        for (int k = 0; k < s->n; k++)
            if (!s->sheet[k].opaque)
                find_cover(&s->sheet[k], half, row);
        for (int column = 0; column + 1 < mesh[half].columns; column++)
            draw_cell(d, half, column, row);
    }
}

void zt_stack_draw(struct zt_stack *stack, const struct zt_pose *pose, struct zt_frame_buf *dst)
{
    struct drawing d = { .stack = stack, .look = look_from(&stack->view, pose), .dst = dst };
    const struct zt_warp_mesh *mesh = stack->sheet[0].mesh;

    zt_assert(dst->view.stride[1] == dst->view.stride[2]);
    zt_pool_for(stack->pool, mesh[1].rows, 4, place_rows, &d);
    for (int i = 0; i < stack->n; i++)
        place_chroma_row(&stack->sheet[i], mesh[1].rows - 1);
    zt_pool_for(stack->pool, mesh[0].rows + mesh[1].rows - 2, 2, draw_rows, &d);
}
