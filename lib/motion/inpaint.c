/*
 * inpaint.c - see inpaint.h. Patches are matched on a proxy (patches.h) and copied at full size, so
 * that what they bring keeps its detail.
 */
#include "motion/inpaint.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/thread.h"
#include "motion/patches.h"

#define MEMBRANE_LONG 512
#define PATCHES_REACH 80 /* cells that patches of the coarsest level see past what is filled */

/* ---- the membrane -------------------------------------------------------------------------- */

typedef float four __attribute__((vector_size(16)));

struct plane4 { /* colour times weight, and weight */
    int width, height;
    float *v; /* fours, one after another */
};

static four *at_cell(const struct plane4 *p, int x, int y)
{
    return (four *)(void *)p->v + ((size_t)y * (size_t)p->width + (size_t)x);
}

static enum zt_code plane4_init(struct plane4 *p, int width, int height, struct zt_err *err)
{
    void *v = NULL;

    p->width = width;
    p->height = height;
    ZT_TRY(
        zt_try_alloc_raw((size_t)width * (size_t)height * 4, sizeof(float), "inpainting", &v, err));
    p->v = v;
    return ZT_OK;
}

/* Weighted mean of 2 x 2; odd sizes repeat their last row and column. */
static void shrink(const struct plane4 *src, struct plane4 *dst)
{
    for (int y = 0; y < dst->height; y++) {
        for (int x = 0; x < dst->width; x++) {
            four d = { 0 };
            for (int k = 0; k < 4; k++) {
                int sx = 2 * x + (k & 1);
                int sy = 2 * y + (k >> 1);
                if (sx < src->width && sy < src->height)
                    d += *at_cell(src, sx, sy);
            }
            if (d[3] > 1) /* a full cell counts once, however many points it had */
                d /= d[3];
            *at_cell(dst, x, y) = d;
        }
    }
}

/* floor of a position that is at most one sample outside; without a call into the library. */
static int whole(float v)
{
    return (int)(v + 1) - 1;
}

/* The rows of a plane above and below a place, edges repeated, and how far down it is. */
struct rows {
    const four *upper, *lower;
    int width;
    float part;
};

static struct rows rows_at(const struct plane4 *p, float y)
{
    int above = whole(y), below = above + 1 < p->height ? above + 1 : p->height - 1;

    return (struct rows){ at_cell(p, 0, above > 0 ? above : 0), at_cell(p, 0, below), p->width,
                          y - (float)above };
}

static inline four sample(const struct rows *r, float x)
{
    int x0 = whole(x), x1 = x0 + 1 < r->width ? x0 + 1 : r->width - 1;
    float fx = x - (float)x0, fy = r->part;

    x0 = x0 > 0 ? x0 : 0;
    four sum = ((1 - fx) * (1 - fy)) * r->upper[x0];
    sum += (fx * (1 - fy)) * r->upper[x1];
    sum += ((1 - fx) * fy) * r->lower[x0];
    return sum + (fx * fy) * r->lower[x1];
}

/*
 * What has no full weight of its own takes the rest from the coarser level, where nothing is more
 * than `reach` steps away; steps NULL: everywhere.
 */
static void grow(const struct plane4 *coarse, struct plane4 *fine, const uint8_t *steps, int reach)
{
    for (int y = 0; y < fine->height; y++) {
        struct rows rows = rows_at(coarse, ((float)y + 0.5F) / 2 - 0.5F);
        for (int x = 0; x < fine->width; x++) {
            four *f = at_cell(fine, x, y);
            float lacks = 1 - (*f)[3];
            if (lacks <= 0 ||
                (steps != NULL && steps[(size_t)y * (size_t)fine->width + (size_t)x] > reach))
                continue;
            four from = sample(&rows, ((float)x + 0.5F) / 2 - 0.5F);
            *f += from * (lacks / (from[3] > 0 ? from[3] : 1));
            (*f)[3] = 1;
        }
    }
}

/*
 * Push and pull (Gortler et al., "The Lumigraph", 1996). Level 0 has colours and weights, and steps
 * says how far it is to be filled.
 */
static enum zt_code push_pull(struct plane4 *level, int levels, const uint8_t *steps, int reach,
                              struct zt_err *err)
{
    zt_assert(levels > 0 && level[0].v != NULL);
    for (int i = 1; i < levels; i++) {
        ZT_TRY(plane4_init(&level[i], (level[i - 1].width + 1) / 2, (level[i - 1].height + 1) / 2,
                           err));
        shrink(&level[i - 1], &level[i]);
    }
    float *top = level[levels - 1].v; /* one point: the mean, or grey when nothing was known */
    for (int c = 0; c < 3; c++)
        top[c] = top[3] > 0 ? top[c] / top[3] : 128;
    top[3] = 1;
    for (int i = levels - 1; i > 0; i--)
        grow(&level[i], &level[i - 1], i == 1 ? steps : NULL, reach);
    return ZT_OK;
}

static uint8_t to_byte(float v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5F);
}

/* One picture being filled: what its phases hand on. */
struct job {
    const struct zt_inpaint *what;
    struct plane4 membrane; /* level 0 of the pyramid */
    uint8_t *steps;         /* [membrane height][width]: cells from the nearest known one */
    int reach;              /* in those cells */
    int *column;            /* [membrane width] the first pixel after each column of cells */
    struct zt_patches patches;
    enum zt_code rc;
    struct zt_err err;
};

/*
 * Adds the known colours of a row of the picture, and their number, to the n cells of a row of a
 * smaller grid; cell i ends before pixel end[i].
 */
static void gather_row(const uint8_t *p, const uint8_t *hole, const int *end, int (*sum)[4], int n)
{
    for (int gx = 0, x = 0; gx < n; gx++) {
        int r = sum[gx][0], g = sum[gx][1], b = sum[gx][2], known = sum[gx][3];
        for (; x < end[gx]; x++, p += 3) {
            if (hole[x])
                continue;
            r += p[0];
            g += p[1];
            b += p[2];
            known++;
        }
        sum[gx][0] = r;
        sum[gx][1] = g;
        sum[gx][2] = b;
        sum[gx][3] = known;
    }
}

/* Means of what is known, for rows of the grid. */
static void gather_known(void *user, int first, int end)
{
    const struct job *job = user;
    const struct zt_image *picture = job->what->picture;
    const struct plane4 *grid = &job->membrane;
    size_t width = (size_t)picture->width_px;
    int sum[MEMBRANE_LONG][4];

    for (int gy = first; gy < end; gy++) {
        four *cells = at_cell(grid, 0, gy);
        memset(sum, 0, sizeof(sum));
        int y = (int)(((int64_t)gy * picture->height_px + grid->height - 1) / grid->height);
        int last =
            (int)(((int64_t)(gy + 1) * picture->height_px + grid->height - 1) / grid->height);
        for (; y < last; y++) {
            const uint8_t *hole = job->what->hole + (size_t)y * width;
            if (memchr(hole, 0, width) != NULL)
                gather_row(picture->pixels + (size_t)y * picture->stride, hole, job->column, sum,
                           grid->width);
        }
        for (int gx = 0; gx < grid->width; gx++) {
            const int *s = sum[gx];
            cells[gx] = (four){ (float)s[0], (float)s[1], (float)s[2], (float)s[3] };
            if (s[3] > 1)
                cells[gx] /= cells[gx][3];
        }
    }
}

/* The membrane is smooth: it is made on a grid of MEMBRANE_LONG points and interpolated. */
static enum zt_code open_membrane(struct job *job, struct zt_err *err)
{
    const struct zt_image *picture = job->what->picture;
    int longest = picture->width_px > picture->height_px ? picture->width_px : picture->height_px;
    float scale = longest > MEMBRANE_LONG ? (float)MEMBRANE_LONG / (float)longest : 1;
    int width = (int)((float)picture->width_px * scale);
    int height = (int)((float)picture->height_px * scale);
    void *steps = NULL;

    ZT_TRY(plane4_init(&job->membrane, width > 0 ? width : 1, height > 0 ? height : 1, err));
    width = job->membrane.width;
    ZT_TRY(
        zt_try_alloc_raw((size_t)width, (size_t)job->membrane.height, "inpainting", &steps, err));
    job->steps = steps;
    job->column = zt_new_array(int, (size_t)width);
    for (int x = 0; x < width; x++)
        job->column[x] = (int)(((int64_t)(x + 1) * picture->width_px + width - 1) / width);
    job->reach = (int)((float)job->what->reach_px * scale) + 2;
    if (job->what->patches)
        job->reach += PATCHES_REACH;
    return ZT_OK;
}

static enum zt_code stretch_membrane(struct job *job, struct zt_err *err)
{
    struct plane4 level[32] = { job->membrane };
    int cells = job->membrane.width * job->membrane.height, known = 0, levels = 1;
    int side =
        job->membrane.width > job->membrane.height ? job->membrane.width : job->membrane.height;

    for (int i = 0; i < cells; i++) {
        job->steps[i] = job->membrane.v[4 * (size_t)i + 3] > 0 ? 0 : 250;
        known += job->steps[i] == 0;
    }
    if (known == 0)
        memset(job->steps, 0, (size_t)cells);
    zt_steps(job->steps, job->membrane.width, job->membrane.height);
    for (; side > 1; side = (side + 1) / 2)
        levels++;
    /* fill_membrane interpolates: as far as the next cell both ways */
    enum zt_code rc = push_pull(level, levels, job->steps, job->reach + 2, err);
    for (int i = 1; i < levels; i++)
        free(level[i].v);
    return rc;
}

/* Rows of the picture: the membrane, as far into the hole as anybody will look. */
static void fill_membrane(void *user, int first, int end)
{
    const struct job *job = user;
    const struct zt_image *picture = job->what->picture;
    const struct plane4 *grid = &job->membrane;
    float across = (float)grid->width / (float)picture->width_px;
    float down = (float)grid->height / (float)picture->height_px;

    for (int y = first; y < end; y++) {
        const uint8_t *hole = job->what->hole + (size_t)y * (size_t)picture->width_px;
        float gy = ((float)y + 0.5F) * down;
        const uint8_t *steps = job->steps + (size_t)gy * (size_t)grid->width;
        struct rows rows = rows_at(grid, gy - 0.5F);
        for (int x = 0; x < picture->width_px; x++) {
            float gx = ((float)x + 0.5F) * across;
            int beyond = steps[(size_t)gx] - job->reach;
            if (beyond > 0) /* a cell farther on it is one step less at most */
                x += (int)((float)(beyond - 1) / across);
            if (beyond > 0 || !hole[x])
                continue;
            four colour = sample(&rows, gx - 0.5F) + 0.5F; /* a mean: within 0 ... 255 */
            uint8_t *p = picture->pixels + (size_t)y * picture->stride + 3 * (size_t)x;
            for (int c = 0; c < 3; c++)
                p[c] = (uint8_t)colour[c];
        }
    }
}

/* ---- patches ------------------------------------------------------------------------------- */

static size_t at(const struct zt_patches *p, int x, int y)
{
    return (size_t)y * (size_t)p->width + (size_t)x;
}

/* The known pixel that a way leads to from (x, y), or NULL. */
static const uint8_t *follow(const struct zt_inpaint *what, int x, int y, const int16_t *way)
{
    const struct zt_image *picture = what->picture;

    x += way[0];
    y += way[1];
    if (x < 0 || y < 0 || x >= picture->width_px || y >= picture->height_px ||
        what->hole[(size_t)y * (size_t)picture->width_px + (size_t)x])
        return NULL;
    return picture->pixels + (size_t)y * picture->stride + 3 * (size_t)x;
}

/* A full-size pixel along the ways of the proxy at (px, py): four of them, weighed by nearness. */
static void copy_pixel(const struct job *job, int x, int y, float px, float py, uint8_t *dst)
{
    const struct zt_patches *l = &job->patches;
    int left = whole(px), top = whole(py), ways = 0;
    const int16_t *way[4];
    float weigh[4], sum[3] = { 0, 0, 0 }, weight = 0;

    for (int k = 0; k < 4; k++) {
        int cx = left + (k & 1), cy = top + (k >> 1);
        if (cx < 0 || cy < 0 || cx >= l->width || cy >= l->height || !l->target[at(l, cx, cy)])
            continue;
        weigh[ways] = (1 - fabsf(px - (float)cx)) * (1 - fabsf(py - (float)cy));
        way[ways++] = l->way + 2 * at(l, cx, cy);
    }
    if (ways == 4 && memcmp(way[0], way[1], 4) == 0 && memcmp(way[0], way[2], 4) == 0 &&
        memcmp(way[0], way[3], 4) == 0) { /* one patch all around */
        const uint8_t *p = follow(job->what, x, y, way[0]);
        if (p != NULL)
            memcpy(dst, p, 3);
        return;
    }
    for (int k = 0; k < ways; k++) {
        const uint8_t *p = follow(job->what, x, y, way[k]);
        if (p == NULL)
            continue;
        for (int c = 0; c < 3; c++)
            sum[c] += weigh[k] * (float)p[c];
        weight += weigh[k];
    }
    for (int c = 0; c < 3 && weight > 0.25F; c++)
        dst[c] = to_byte(sum[c] / weight);
}

/* Rows of the picture, where there are matches. */
static void copy_full(void *user, int first, int end)
{
    const struct job *job = user;
    const struct zt_image *picture = job->what->picture;
    const struct zt_patches *l = &job->patches;
    int width = picture->width_px;
    float sx = (float)width / (float)l->width;
    float sy = (float)picture->height_px / (float)l->height;

    for (int y = first; y < end; y++) {
        const uint8_t *hole = job->what->hole + (size_t)y * (size_t)width;
        uint8_t *row = picture->pixels + (size_t)y * picture->stride;
        float py = ((float)y + 0.5F) / sy - 0.5F;
        int top = whole(py);
        int bottom = top + 1 < l->height ? top + 1 : top;
        top = top < 0 ? bottom : top;
        const uint8_t *upper = l->target + at(l, 0, top), *lower = l->target + at(l, 0, bottom);
        uint8_t either[ZT_PATCHES_LONG] = { 0 };
        for (int x = 0; x < l->width; x++)
            either[x] = upper[x] | lower[x];
        for (int x = 0; x < width; x++) {
            float px = ((float)x + 0.5F) / sx - 0.5F;
            int left = whole(px);
            int right = left + 1 < l->width ? left + 1 : left;
            left = left < 0 ? right : left;
            if ((either[left] | either[right]) == 0) { /* on to the next that is one */
                const uint8_t *next = memchr(either + right, 1, (size_t)(l->width - right));
                int to = next != NULL ? (int)(((float)(next - either) - 0.5F) * sx) - 2 : width;
                x = to > x ? to : x;
            } else if (hole[x]) {
                copy_pixel(job, x, y, px, py, row + 3 * (size_t)x);
            }
        }
    }
}

/* ---- all together -------------------------------------------------------------------------- */

struct jobs {
    struct job job[ZT_INPAINT_MAX];
    int n;
    struct zt_pool *pool;
};

static void in_rows(const struct jobs *jobs, int n, zt_slice_fn *fn, struct job *job)
{
    zt_pool_for(jobs->pool, n, 16, fn, job);
}

static void stretch_all(void *user, int first, int end)
{
    struct jobs *jobs = user;

    for (int i = first; i < end; i++)
        jobs->job[i].rc = stretch_membrane(&jobs->job[i], &jobs->job[i].err);
}

/* One phase of all jobs, side by side. */
static enum zt_code at_once(struct jobs *jobs, zt_slice_fn *fn, struct zt_err *err)
{
    zt_pool_for(jobs->pool, jobs->n, 1, fn, jobs);
    for (int i = 0; i < jobs->n; i++) {
        if (jobs->job[i].rc != ZT_OK) {
            if (err != NULL)
                *err = jobs->job[i].err;
            return jobs->job[i].rc;
        }
    }
    return ZT_OK;
}

static enum zt_code run(struct jobs *jobs, struct zt_err *err)
{
    for (int i = 0; i < jobs->n; i++) {
        ZT_TRY(open_membrane(&jobs->job[i], err));
        in_rows(jobs, jobs->job[i].membrane.height, gather_known, &jobs->job[i]);
    }
    ZT_TRY(at_once(jobs, stretch_all, err));
    for (int i = 0; i < jobs->n; i++)
        in_rows(jobs, jobs->job[i].what->picture->height_px, fill_membrane, &jobs->job[i]);
    for (int i = 0; i < jobs->n; i++)
        if (jobs->job[i].what->patches)
            ZT_TRY(zt_patches_find(jobs->job[i].what, jobs->pool, &jobs->job[i].patches, err));
    for (int i = 0; i < jobs->n; i++)
        if (jobs->job[i].patches.width > 0)
            in_rows(jobs, jobs->job[i].what->picture->height_px, copy_full, &jobs->job[i]);
    return ZT_OK;
}

enum zt_code zt_inpaint(const struct zt_inpaint *what, int n, struct zt_pool *pool,
                        struct zt_err *err)
{
    struct jobs jobs = { .pool = pool };

    zt_assert(n <= ZT_INPAINT_MAX);
    for (int i = 0; i < n; i++) {
        size_t pixels = (size_t)what[i].picture->width_px * (size_t)what[i].picture->height_px;
        if (memchr(what[i].hole, 1, pixels) == NULL)
            continue;
        jobs.job[jobs.n] = (struct job){ .what = &what[i] };
        jobs.n++;
    }
    enum zt_code rc = run(&jobs, err);
    for (int i = 0; i < jobs.n; i++) {
        free(jobs.job[i].membrane.v);
        free(jobs.job[i].steps);
        free(jobs.job[i].column);
        zt_patches_clear(&jobs.job[i].patches);
    }
    return rc;
}
