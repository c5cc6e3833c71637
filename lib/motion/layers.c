/*
 * layers.c - see layers.h.
 *
 *   1. where    thresholds in depth (cuts.h)
 *   2. alpha    the thresholded depth, put on the picture's edges at full size by a guided filter
 *   3. behind   what a layer hides is invented (inpaint.h), with the layers in front as the hole
 *   4. colours  a soft edge pixel I = a F + (1 - a) B is solved for F, so that the layers at rest
 *               give the picture again and carry no foreign colour when they move
 *   5. depth    each layer's own, continued past its edge by a membrane, so that it has no steps
 */
#include "motion/layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/mem.h"
#include "base/thread.h"
#include "media/colour.h"
#include "media/resize.h"
#include "motion/cuts.h"
#include "motion/guided.h"
#include "motion/inpaint.h"

#define MATTE_LONG    480 /* size at which alpha is fitted */
#define MATTE_RADIUS  6
#define MATTE_EPSILON 2e-4F
#define HOLE_GROW_PX  4
#define COVER_GROW    4   /* matte points beside a layer in front that its edge may have touched */
#define SURE_ALPHA    250 /* below it a pixel's colour may be partly what is behind */
#define MATTE_DOUBT   0.4F
#define TELLING       24.0F  /* distance of two colours that tells a mixture of them */
#define SURE_COLOURS  150.0F /* ... from which the matte's word counts for nothing */
#define STAYS         4.0F   /* how much less what is behind a soft edge moves to explain it */
#define PLAIN         5.0F   /* levels of another colour that are no noise */
#define GRAIN         16     /* rows a thread takes at a time */
#define RUN           16     /* pixels that are passed over at once */

typedef float four __attribute__((vector_size(16)));

/* Where a row or column of the picture falls between two of the matte's. */
struct between {
    int first, second;
    float part;
};

static struct between fall(int at, float scale, int n)
{
    float v = ((float)at + 0.5F) * scale - 0.5F;
    int low = (int)(v + 1) - 1; /* floor: v is above -1 */

    return (struct between){ low < 0 ? 0 : low, low + 1 < n ? low + 1 : n - 1, v - (float)low };
}

struct cutter {
    const struct zt_image *picture;
    int reach_px; /* how far layers move against each other */
    struct zt_pool *pool;
    int matte_width, matte_height;
    float *guide;           /* [matte_height][matte_width][3] */
    four *fit;              /* [matte_height][matte_width] */
    int8_t *sure;           /* [matte_height][matte_width] 1 inside, 0 outside, -1 near the edge */
    struct between *column; /* [width_px] where the picture's columns fall in the matte */
    uint8_t *alpha;
    uint8_t *farther; /* alpha of the layer behind, or NULL */
};

static void in_rows(struct zt_pool *pool, int rows, zt_slice_fn *fn, void *user)
{
    zt_pool_for(pool, rows, GRAIN, fn, user);
}

/* ---- marks --------------------------------------------------------------------------------- */

/* Marks everything within `grow` pixels of alpha above `least` (or below it: the outside). */
struct marking {
    const uint8_t *alpha;
    int width, height, least, grow;
    bool above;
    uint8_t *hole, *tmp;
};

/* 1 where alpha is above `least`, or where it is below. */
ZT_MEDIA_CLONES static void find_hits(const uint8_t *restrict alpha, uint8_t least, bool above,
                                      uint8_t *restrict ret, int n)
{
    if (above)
        for (int x = 0; x < n; x++)
            ret[x] = alpha[x] > least;
    else
        for (int x = 0; x < n; x++)
            ret[x] = alpha[x] < least;
}

ZT_MEDIA_CLONES static void add_marks(uint8_t *restrict to, const uint8_t *restrict from, int n)
{
    for (int x = 0; x < n; x++)
        to[x] |= from[x];
}

static void mark_along(void *user, int first, int end)
{
    const struct marking *m = user;

    for (int y = first; y < end; y++) {
        size_t row = (size_t)y * (size_t)m->width;
        uint8_t *hits = m->hole + row; /* until the columns' turn */
        find_hits(m->alpha + row, (uint8_t)m->least, m->above, hits, m->width);
        memcpy(m->tmp + row, hits, (size_t)m->width);
        for (int k = 1; k <= m->grow && k < m->width; k++) {
            add_marks(m->tmp + row, hits + k, m->width - k);
            add_marks(m->tmp + row + k, hits, m->width - k);
        }
    }
}

static void mark_down(void *user, int first, int end)
{
    const struct marking *m = user;

    for (int y = first; y < end; y++) {
        uint8_t *h = m->hole + (size_t)y * (size_t)m->width;
        memset(h, 0, (size_t)m->width);
        for (int k = y - m->grow; k <= y + m->grow; k++) {
            if (k < 0 || k >= m->height)
                continue;
            add_marks(h, m->tmp + (size_t)k * (size_t)m->width, m->width);
        }
    }
}

static void mark(struct zt_pool *pool, struct marking *m)
{
    in_rows(pool, m->height, mark_along, m);
    in_rows(pool, m->height, mark_down, m);
}

/* ---- alpha --------------------------------------------------------------------------------- */

/* 1 where the depth is `cut` at least, at matte size. line: of the depth, and one more. */
static void draw_mask(const struct cutter *c, const struct zt_depth *depth, float cut, double *line,
                      float *mask, uint8_t *bits)
{
    int width = c->matte_width, height = c->matte_height;
    double across = (double)depth->width / width, down = (double)depth->height / height;

    for (int y = 0; y < height; y++) {
        double v = fmin(fmax((y + 0.5) * down - 0.5, 0), depth->height - 1);
        int above = (int)v, below = above + 1 < depth->height ? above + 1 : above;
        const float *upper = depth->z + (size_t)above * (size_t)depth->width;
        const float *lower = depth->z + (size_t)below * (size_t)depth->width;
        for (int x = 0; x < depth->width; x++)
            line[x] = (double)upper[x] + (v - above) * ((double)lower[x] - (double)upper[x]);
        line[depth->width] = line[depth->width - 1];
        for (int x = 0; x < width; x++) {
            double u = fmin(fmax((x + 0.5) * across - 0.5, 0), depth->width - 1);
            int left = (int)u;
            *bits = line[left] + (u - left) * (line[left + 1] - line[left]) >= (double)cut;
            *mask++ = *bits++;
        }
    }
}

/*
 * The fit of a cut's alpha, and where there is no need of one: where all that a window sees lies on
 * one side.
 */
static enum zt_code fit_matte(struct cutter *c, const struct zt_depth *depth, float cut,
                              struct zt_err *err)
{
    int width = c->matte_width, height = c->matte_height;
    size_t n = (size_t)width * (size_t)height;
    void *memory = NULL;

    ZT_TRY(zt_try_alloc_raw(n * 8 + ((size_t)depth->width + 1) * sizeof(double), 1,
                            "cutting layers", &memory, err));
    zt_auto_free double *line = memory;
    float *mask = (float *)(line + depth->width + 1);
    uint8_t *bits = (uint8_t *)(mask + n), *in = bits + n, *out = in + n, *tmp = out + n;
    draw_mask(c, depth, cut, line, mask, bits);
    struct marking inside = { bits, width, height, 0, MATTE_RADIUS, true, in, tmp };
    struct marking outside = { bits, width, height, 1, MATTE_RADIUS, false, out, tmp };
    struct marking edge = { in, width, height, 0, 1, true, out, tmp };
    mark(c->pool, &inside);
    mark(c->pool, &outside);
    for (size_t i = 0; i < n; i++) {
        in[i] &= out[i];
        c->sure[i] = in[i] ? -1 : (int8_t)bits[i];
    }
    mark(c->pool, &edge); /* draw_alpha interpolates */
    return zt_guided_fit(c->guide, mask, out, width, height, MATTE_RADIUS, MATTE_EPSILON, c->pool,
                         (float *)c->fit, err);
}

static uint8_t alpha_at(const struct cutter *c, const uint8_t *p, struct between x,
                        struct between y)
{
    const four *upper = c->fit + (size_t)y.first * (size_t)c->matte_width;
    const four *lower = c->fit + (size_t)y.second * (size_t)c->matte_width;
    four fit = (1 - y.part) * ((1 - x.part) * upper[x.first] + x.part * upper[x.second]) +
               y.part * ((1 - x.part) * lower[x.first] + x.part * lower[x.second]);
    float a = (fit[0] * (float)p[0] + fit[1] * (float)p[1] + fit[2] * (float)p[2]) / 255 + fit[3];

    a = (a - 0.5F) * 2.5F + 0.5F; /* the filter leaves edges softer than they are */
    return (uint8_t)((a < 0 ? 0 : a > 1 ? 1 : a) * 255 + 0.5F);
}

/* Rows of alpha at full size from the fit. */
static void draw_alpha(void *user, int first, int end)
{
    struct cutter *c = user;
    int width = c->picture->width_px;
    float down = (float)c->matte_height / (float)c->picture->height_px;

    for (int y = first; y < end; y++) {
        struct between row = fall(y, down, c->matte_height);
        const int8_t *upper = c->sure + (size_t)row.first * (size_t)c->matte_width;
        const int8_t *lower = c->sure + (size_t)row.second * (size_t)c->matte_width;
        const uint8_t *p = c->picture->pixels + (size_t)y * c->picture->stride;
        uint8_t *alpha = c->alpha + (size_t)y * (size_t)width;
        int8_t both[MATTE_LONG] = { 0 };
        for (int x = 0; x < c->matte_width; x++)
            both[x] = upper[x] == lower[x] ? upper[x] : -1;
        for (int x = 0; x < width; x++) {
            const struct between *column = &c->column[x];
            int8_t sure = both[column->first];
            if (sure >= 0 && both[column->second] == sure)
                alpha[x] = sure > 0 ? 255 : 0;
            else
                alpha[x] = alpha_at(c, p + 3 * (size_t)x, *column, row);
        }
        if (c->farther == NULL)
            continue;
        uint8_t *farther = c->farther + (size_t)y * (size_t)width;
        for (int x = 0; x < width; x++) /* nearer than this is nearer than that */
            farther[x] = farther[x] < alpha[x] ? alpha[x] : farther[x];
    }
}

/* ---- colours and what is behind ------------------------------------------------------------ */

struct copying {
    const struct zt_image *from;
    struct zt_image *to;
};

static void copy_rows(void *user, int first, int end)
{
    const struct copying *c = user;

    for (size_t y = (size_t)first; y < (size_t)end; y++)
        memcpy(c->to->pixels + y * c->to->stride, c->from->pixels + y * c->from->stride,
               c->to->stride);
}

static enum zt_code copy_picture(const struct zt_image *src, struct zt_pool *pool,
                                 struct zt_image *dst, struct zt_err *err)
{
    size_t row = (size_t)src->width_px * 3;
    void *pixels = NULL;

    ZT_TRY(zt_try_alloc_raw((size_t)src->height_px, row, "a picture layer", &pixels, err));
    *dst = (struct zt_image){
        .width_px = src->width_px, .height_px = src->height_px, .stride = row, .pixels = pixels
    };
    struct copying c = { src, dst };
    in_rows(pool, src->height_px, copy_rows, &c);
    return ZT_OK;
}

struct settling {
    struct zt_layers *layers;
    int at;              /* the layer */
    const uint8_t *left; /* 1 where layers in front, or their rims, have the say; or NULL */
    const struct zt_image *picture;
    struct zt_image *drawn; /* the composite of the layers behind; with one behind, itself */
};

/* The one opaque layer behind that shows at pixel i, or -1 when several are mixed there. */
static int shown_behind(const struct settling *s, size_t i)
{
    int k = s->at - 1;

    while (k > 0 && s->layers->layer[k].alpha[i] == 0)
        k--;
    return k == 0 || s->layers->layer[k].alpha[i] == 255 ? k : -1;
}

static float to_range(float v)
{
    return v < 0 ? 0 : v > 255 ? 255 : v;
}

/*
 * How much of a pixel is the layer's: the matte's word, moved towards what its colour says between
 * the layer's own colour beside it, f, and what is behind, b, as far as those two differ.
 */
static float fit_alpha(const uint8_t *i, const float *f, const float *b, float matte)
{
    float along = 0, square = 0;

    for (int c = 0; c < 3; c++) {
        along += ((float)i[c] - b[c]) * (f[c] - b[c]);
        square += (f[c] - b[c]) * (f[c] - b[c]);
    }
    float apart = sqrtf(square), doubt = fmaxf(MATTE_DOUBT, apart / SURE_COLOURS);
    float shift = along / (square + 1e-3F) - matte, trust = square / (square + TELLING * TELLING);
    if (matte == 0) /* past the matte's end only what is plainly mixed */
        shift -= fminf(0.1F, PLAIN / (apart + 1));
    shift = shift < -doubt ? -doubt : shift > doubt ? doubt : shift;
    float a = matte + trust * shift;
    return a < 0.03F ? 0 : a > 0.97F ? 1 : a;
}

/*
 * A soft pixel I = a F + (1 - a) B. F is near the layer's colour continued from inside, B near what
 * was invented behind; what they leave of I is shared out so that both move least, and neither
 * carries the other's colour away when the layers move. What stays behind is seen sooner than what
 * goes along with an edge.
 */
static void solve_pixel(const uint8_t *i, uint8_t *b, uint8_t *alpha, uint8_t *f, bool free_behind)
{
    float front[3] = { f[0], f[1], f[2] }, back[3] = { b[0], b[1], b[2] };
    float a = (float)*alpha / 255;

    if (*alpha < 255)
        a = fit_alpha(i, front, back, a);
    if (a < 1 && (!free_behind || a > 0.5F)) { /* what is behind stays, nearly: alpha must do */
        for (int c = 0; c < 3; c++) {
            float need = i[c] > b[c]   ? ((float)i[c] - back[c]) / (255 - back[c])
                         : i[c] < b[c] ? (back[c] - (float)i[c]) / back[c]
                                       : 0;
            a = need > a ? need : a;
        }
    }
    *alpha = (uint8_t)(a * 255 + 0.5F);
    a = (float)*alpha / 255;
    for (int c = 0; c < 3; c++) {
        float left = (float)i[c] - a * front[c] - (1 - a) * back[c];
        float share = free_behind ? a * a + (1 - a) * (1 - a) / STAYS : a * a;
        front[c] = to_range(front[c] + (share > 0 ? a * left / share : 0));
        if (free_behind && *alpha < 255)
            b[c] = (uint8_t)(to_range(((float)i[c] - a * front[c]) / (1 - a)) + 0.5F);
        if (*alpha > 0)
            front[c] = to_range(((float)i[c] - (1 - a) * (float)b[c]) / a);
        f[c] = (uint8_t)(front[c] + 0.5F);
    }
}

/* Solves the pixels that are not left to a layer in front; draws the layer onto `drawn`; rows. */
static void settle_rows(void *user, int first, int end)
{
    static const uint8_t nothing[RUN];
    const struct settling *s = user;
    const struct zt_image *picture = s->picture;
    struct zt_layer *layer = &s->layers->layer[s->at];
    size_t width = (size_t)picture->width_px;
    bool last = s->at + 1 == s->layers->n; /* nothing will be drawn over it */

    for (size_t y = (size_t)first; y < (size_t)end; y++) {
        const uint8_t *i = picture->pixels + y * picture->stride;
        uint8_t *b = s->drawn->pixels + y * s->drawn->stride;
        uint8_t *f = layer->picture.pixels + y * layer->picture.stride;
        for (size_t x = 0; x < width; x++, i += 3, b += 3, f += 3) {
            uint8_t *alpha = &layer->alpha[y * width + x];
            if (x + RUN <= width && memcmp(alpha, nothing, RUN) == 0 &&
                memcmp(i, b, 3 * sizeof(nothing)) == 0) { /* nor anything to draw */
                x += RUN - 1;
                i += 3 * (RUN - 1);
                b += 3 * (RUN - 1);
                f += 3 * (RUN - 1);
                continue;
            }
            bool mine = s->left == NULL || s->left[y * width + x] == 0;
            if (*alpha == 255) { /* nothing to solve */
                if (mine)
                    memcpy(f, i, 3);
                if (!last)
                    memcpy(b, f, 3);
                continue;
            }
            if (mine && (*alpha > 0 || memcmp(i, b, 3) != 0)) {
                int behind = shown_behind(s, y * width + x);
                solve_pixel(i, b, alpha, f, behind >= 0);
                struct zt_image *to = &s->layers->layer[behind < 0 ? 0 : behind].picture;
                if (behind >= 0 && *alpha < 255)
                    memmove(to->pixels + y * to->stride + 3 * x, b, 3);
            }
            int a = last ? 0 : *alpha;
            for (int c = 0; c < 3 && a > 0; c++)
                b[c] = (uint8_t)((f[c] * a + b[c] * (255 - a) + 127) / 255);
        }
    }
}

/* Depth within low ... high, continued elsewhere by means over ever wider windows. */
static enum zt_code continue_depth(const struct zt_depth *depth, float low, float high,
                                   struct zt_depth *ret, struct zt_err *err)
{
    size_t n = (size_t)depth->width * (size_t)depth->height;
    int longest = depth->width > depth->height ? depth->width : depth->height;
    size_t holes = 0;
    void *memory = NULL;
    void *z = NULL;

    ZT_TRY(zt_try_alloc(n, sizeof(float), "a layer's depth", &z, err));
    *ret = (struct zt_depth){ .width = depth->width, .height = depth->height, .z = z };
    ZT_TRY(zt_try_alloc_raw(n * 4, sizeof(float), "a layer's depth", &memory, err));
    zt_auto_free float *known = memory; /* 1 where a value is known */
    float *mean = known + n;
    float *share = mean + n;
    float *tmp = share + n;
    for (size_t i = 0; i < n; i++) {
        known[i] = depth->z[i] >= low && depth->z[i] < high ? 1 : 0;
        ret->z[i] = known[i] * depth->z[i];
        holes += known[i] < 1;
    }
    for (int radius = 2; radius < 4 * longest && holes > 0; radius *= 2) {
        zt_box_mean(ret->z, mean, tmp, depth->width, depth->height, radius);
        zt_box_mean(known, share, tmp, depth->width, depth->height, radius);
        for (size_t i = 0; i < n; i++) {
            if (known[i] < 1 && share[i] > 1e-6F) {
                ret->z[i] = mean[i] / share[i];
                known[i] = 1;
                holes--;
            }
        }
    }
    for (size_t i = 0; i < n; i++) { /* still nothing: no point of the grid lies in between */
        if (known[i] < 1)
            ret->z[i] = fminf(1, fmaxf(0, (low + high) / 2));
    }
    zt_box_mean(ret->z, ret->z, tmp, depth->width, depth->height, 2);
    zt_box_mean(ret->z, ret->z, tmp, depth->width, depth->height, 2);
    return ZT_OK;
}

struct continuing {
    const struct zt_depth *depth;
    const float *cut;
    struct zt_layers *layers;
    enum zt_code rc[ZT_LAYERS_MAX];
    struct zt_err err[ZT_LAYERS_MAX];
};

static void continue_layers(void *user, int first, int end)
{
    struct continuing *c = user;

    for (int i = first; i < end; i++) {
        /* A margin around the cut: the filtered step itself belongs to neither side. */
        float low = i > 0 ? c->cut[i - 1] + 0.04F : -1;
        float high = i + 1 < c->layers->n ? c->cut[i] - 0.04F : 2;
        c->rc[i] = continue_depth(c->depth, low, high, &c->layers->layer[i].depth, &c->err[i]);
    }
}

static enum zt_code continue_depths(const struct zt_depth *depth, const float *cut,
                                    struct zt_layers *layers, struct zt_pool *pool,
                                    struct zt_err *err)
{
    struct continuing c = { .depth = depth, .cut = cut, .layers = layers };

    zt_pool_for(pool, layers->n, 1, continue_layers, &c);
    for (int i = 0; i < layers->n; i++) {
        if (c.rc[i] != ZT_OK && err != NULL)
            *err = c.err[i];
        ZT_TRY(c.rc[i]);
    }
    return ZT_OK;
}

/* ---- all together -------------------------------------------------------------------------- */

/* Spreads a map of matte size over the pixels that it was made for. */
struct uncovering {
    const struct cutter *c;
    const struct zt_image *small; /* the map, in its first channel */
    const uint8_t *hole;          /* where it holds, of its size */
    uint8_t *alpha;
};

static void uncover_rows(void *user, int first, int end)
{
    const struct uncovering *u = user;
    const struct cutter *c = u->c;
    int width = c->picture->width_px;
    float across = (float)c->matte_width / (float)width;
    float down = (float)c->matte_height / (float)c->picture->height_px;

    for (int y = first; y < end; y++) {
        struct between row = fall(y, down, c->matte_height);
        const uint8_t *upper = u->small->pixels + (size_t)row.first * u->small->stride;
        const uint8_t *lower = u->small->pixels + (size_t)row.second * u->small->stride;
        const uint8_t *hole = u->hole + (size_t)(((float)y + 0.5F) * down) * (size_t)c->matte_width;
        for (int x = 0; x < width; x++) {
            size_t i = (size_t)y * (size_t)width + (size_t)x;
            if (hole[(int)(((float)x + 0.5F) * across)] == 0)
                continue;
            struct between at = c->column[x];
            float top = (1 - at.part) * upper[3 * at.first] + at.part * upper[3 * at.second];
            float bottom = (1 - at.part) * lower[3 * at.first] + at.part * lower[3 * at.second];
            float v = (top + row.part * (bottom - top) - 127.5F) * 3 + 127.5F;
            u->alpha[i] = (uint8_t)(to_range(v) + 0.5F);
        }
    }
}

/*
 * Behind a layer in front nobody sees whether this one goes on: it does where it is beside that
 * layer, and does not where the one behind is. Without this its hidden part would have the outline
 * of what hides it.
 */
static enum zt_code uncover(struct cutter *c, const uint8_t *front, uint8_t *alpha,
                            struct zt_err *err)
{
    size_t n = (size_t)c->matte_width * (size_t)c->matte_height;
    int width = c->picture->width_px, height = c->picture->height_px;
    void *memory = NULL;

    ZT_TRY(zt_try_alloc_raw(n, 6, "cutting layers", &memory, err));
    zt_auto_free uint8_t *rgb = memory;
    uint8_t *cover = rgb + 3 * n, *hole = cover + n, *tmp = hole + n;
    struct zt_image small = { .width_px = c->matte_width,
                              .height_px = c->matte_height,
                              .stride = 3 * (size_t)c->matte_width,
                              .pixels = rgb };
    for (int y = 0; y < c->matte_height; y++) {
        for (int x = 0; x < c->matte_width; x++) {
            size_t px = (size_t)((2 * x + 1) * width / (2 * c->matte_width));
            size_t py = (size_t)((2 * y + 1) * height / (2 * c->matte_height));
            size_t i = (size_t)y * (size_t)c->matte_width + (size_t)x;
            memset(rgb + 3 * i, alpha[py * (size_t)width + px], 3);
            cover[i] = front[py * (size_t)width + px];
        }
    }
    struct marking m = { cover, c->matte_width, c->matte_height, 8, COVER_GROW, true, hole, tmp };
    mark(c->pool, &m);
    struct zt_inpaint what = { &small, hole, false, 4 * MATTE_LONG };
    ZT_TRY(zt_inpaint(&what, 1, c->pool, err));
    struct uncovering u = { c, &small, hole, alpha };
    in_rows(c->pool, height, uncover_rows, &u);
    return ZT_OK;
}

/* Alpha of every layer but the farthest. */
static enum zt_code make_alphas(struct cutter *c, const struct zt_depth *depth, const float *cut,
                                struct zt_layers *layers, struct zt_err *err)
{
    size_t pixels = (size_t)c->picture->width_px * (size_t)c->picture->height_px;

    for (int i = 1; i < layers->n; i++) {
        void *alpha = NULL;
        ZT_TRY(zt_try_alloc_raw(pixels, 1, "a layer's alpha", &alpha, err));
        layers->layer[i].alpha = c->alpha = alpha;
        ZT_TRY(fit_matte(c, depth, cut[i - 1], err));
        c->farther = i > 1 ? layers->layer[i - 1].alpha : NULL;
        in_rows(c->pool, c->picture->height_px, draw_alpha, c);
    }
    for (int i = layers->n - 2; i > 0; i--)
        ZT_TRY(uncover(c, layers->layer[i + 1].alpha, layers->layer[i].alpha, err));
    return ZT_OK;
}

/*
 * Every layer's picture: its colours go on past its own edge, as far as filters take from there,
 * and then behind the next layer in front, as far as a moving camera can look. holes has a map for
 * each layer, and one more.
 */
static enum zt_code fill_layers(const struct cutter *c, struct zt_layers *layers, uint8_t *holes,
                                struct zt_err *err)
{
    int width = c->picture->width_px, height = c->picture->height_px, n = layers->n;
    size_t pixels = (size_t)width * (size_t)height;
    struct zt_inpaint past[ZT_LAYERS_MAX], behind[ZT_LAYERS_MAX];
    uint8_t *tmp = holes + (size_t)n * pixels;

    for (int i = 0; i < n; i++)
        ZT_TRY(copy_picture(c->picture, c->pool, &layers->layer[i].picture, err));
    for (int i = 1; i < n; i++) {
        uint8_t *hole = holes + (size_t)i * pixels;
        struct marking m = {
            layers->layer[i].alpha, width, height, SURE_ALPHA, 0, false, hole, tmp
        };
        mark(c->pool, &m);
        for (int j = i + 1; j < n; j++) { /* what is in front has colours of its own */
            find_hits(layers->layer[j].alpha, 8, true, tmp, (int)pixels);
            add_marks(hole, tmp, (int)pixels);
        }
        past[i - 1] = (struct zt_inpaint){ &layers->layer[i].picture, hole, false, width / 32 + 8 };
    }
    ZT_TRY(zt_inpaint(past, n - 1, c->pool, err));
    for (int i = 0; i + 1 < n; i++) {
        uint8_t *hole = holes + (size_t)i * pixels;
        for (int j = i + 1; j < n; j++) {
            uint8_t *by_one = j == i + 1 ? hole : holes + (size_t)(n - 1) * pixels;
            struct marking m = { layers->layer[j].alpha, width, height, 8,
                                 HOLE_GROW_PX,           true,  by_one, tmp };
            mark(c->pool, &m);
            if (by_one != hole)
                add_marks(hole, by_one, (int)pixels);
        }
        behind[i] = (struct zt_inpaint){ &layers->layer[i].picture, hole, true, c->reach_px };
    }
    return zt_inpaint(behind, n - 1, c->pool, err);
}

/* Fills every layer, then settles soft edges from far to near. */
static enum zt_code make_pictures(const struct cutter *c, struct zt_layers *layers,
                                  struct zt_err *err)
{
    size_t pixels = (size_t)c->picture->width_px * (size_t)c->picture->height_px;
    struct zt_image drawn = { 0 };
    void *holes = NULL;

    ZT_TRY(zt_try_alloc_raw(pixels, (size_t)layers->n + 1, "cutting layers", &holes, err));
    zt_auto_free uint8_t *hole = holes;
    ZT_TRY(fill_layers(c, layers, hole, err));
    if (layers->n > 2)
        ZT_TRY(copy_picture(&layers->layer[0].picture, c->pool, &drawn, err));
    for (int i = 1; i < layers->n; i++) {
        const uint8_t *left = i + 1 < layers->n ? hole + (size_t)i * pixels : NULL;
        struct settling s = { layers, i, left, c->picture,
                              layers->n > 2 ? &drawn : &layers->layer[0].picture };
        in_rows(c->pool, c->picture->height_px, settle_rows, &s);
    }
    zt_image_clear(&drawn);
    return ZT_OK;
}

static enum zt_code cut_layers(struct cutter *c, const struct zt_depth *depth, const float *cut,
                               struct zt_layers *layers, struct zt_err *err)
{
    size_t matte = (size_t)c->matte_width * (size_t)c->matte_height;
    struct zt_crop all = { 0, 0, c->picture->width_px, c->picture->height_px };
    void *memory = NULL;
    void *small = NULL;

    ZT_TRY(continue_depths(depth, cut, layers, c->pool, err));
    if (layers->n == 1)
        return copy_picture(c->picture, c->pool, &layers->layer[0].picture, err);
    size_t width = (size_t)c->picture->width_px;
    ZT_TRY(zt_try_alloc_raw(matte * 29 + width * sizeof(struct between), 1, "cutting layers",
                            &memory, err));
    zt_auto_free four *all_matte = memory;
    c->fit = all_matte;
    c->guide = (float *)(all_matte + matte);
    c->column = (struct between *)(void *)(c->guide + 3 * matte);
    c->sure = (int8_t *)(void *)(c->column + width);
    for (size_t x = 0; x < width; x++)
        c->column[x] = fall((int)x, (float)c->matte_width / (float)width, c->matte_width);
    ZT_TRY(zt_try_alloc(matte * 3, 1, "cutting layers", &small, err));
    zt_auto_free uint8_t *rgb = small;
    ZT_TRY(zt_resize_rgb24(c->picture, &all, rgb, (size_t)c->matte_width * 3, c->matte_width,
                           c->matte_height, c->pool, err));
    for (size_t i = 0; i < 3 * matte; i++)
        c->guide[i] = (float)rgb[i] / 255;
    ZT_TRY(make_alphas(c, depth, cut, layers, err));
    return make_pictures(c, layers, err);
}

enum zt_code zt_layers_cut(const struct zt_image *picture, const struct zt_depth *depth,
                           int reach_px, struct zt_pool *pool, struct zt_layers *ret,
                           struct zt_err *err)
{
    float cut[ZT_CUTS_MAX] = { 0 };
    int longest = picture->width_px > picture->height_px ? picture->width_px : picture->height_px;
    float scale = longest > MATTE_LONG ? (float)MATTE_LONG / (float)longest : 1;
    struct cutter c = { .picture = picture, .reach_px = reach_px, .pool = pool };
    struct zt_layers layers = { .n = 1 + zt_cuts_find(depth, cut) };

    zt_assert(layers.n >= 1 && layers.n <= ZT_CUTS_MAX + 1);
    c.matte_width = (int)((float)picture->width_px * scale);
    c.matte_height = (int)((float)picture->height_px * scale);
    c.matte_width = c.matte_width > 0 ? c.matte_width : 1;
    c.matte_height = c.matte_height > 0 ? c.matte_height : 1;
    enum zt_code rc = cut_layers(&c, depth, cut, &layers, err);
    if (rc != ZT_OK) {
        zt_layers_clear(&layers);
        return rc;
    }
    *ret = layers;
    return ZT_OK;
}

void zt_layers_clear(struct zt_layers *layers)
{
    for (int i = 0; i < ZT_LAYERS_MAX; i++) {
        zt_image_clear(&layers->layer[i].picture);
        free(layers->layer[i].alpha);
        zt_depth_clear(&layers->layer[i].depth);
    }
    layers->n = 0;
}
