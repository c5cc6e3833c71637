/*
 * passage.c - see passage.h. All matching happens on proxies, in the frame of the first picture,
 * after the last one has been brought there by the global similarity S. A thing at x in the first
 * picture and at S(x + r) in the last is at S^t(x + t r) in between: the similarity turns and
 * zooms along its own path, the rest r moves straight.
 *
 *     proxies -> S -> flow both ways between first and S^-1(last)     once, in open
 *     flow at t -> mesh of coordinates and mix -> rows of the frame   for each frame
 */
#include "motion/passage.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/thread.h"
#include "media/colour.h"
#include "motion/flow.h"
#include "motion/paint.h"
#include "motion/splat.h"

#define PROXY_SIDE    480 /* longest side of what is matched */
#define SIDE_MIN      16
#define DRIFT         0.06  /* zoom of the dissolve between unrelated pictures */
#define FEATHER       24.0f /* proxy pixels over which a picture's border fades into the other */
#define OUTSIDE       1.5f  /* proxy pixels past the border a repeated edge may show */
#define WHOLE_OVERLAP 0.3   /* share of the first picture the last must still show */
#define WIDEN         0.3 /* share of a side by which the domain may grow past the first picture */
#define GRAIN         8

struct zt_passage {
    struct zt_pool *pool;
    struct zt_paint_image first, last;
    int proxy_width, proxy_height;
    float scale_x, scale_y;          /* frame pixels for each proxy pixel */
    struct zt_similarity similarity; /* from the first picture's proxy to the last one's */
    int domain_x, domain_y;          /* pixels of the domain left of and above the first picture */
    bool related;
    float confidence;
    struct zt_flow forward, backward;
    struct zt_between between;
    struct zt_paint_mesh mesh;
};

/* ---- open ---------------------------------------------------------------------------------- */

struct proxies {
    struct zt_flow_image first, last;
    struct zt_flow_image placed, brought; /* first and last in the domain */
};

static void proxies_clear(struct proxies *p)
{
    zt_flow_image_clear(&p->first);
    zt_flow_image_clear(&p->last);
    zt_flow_image_clear(&p->placed);
    zt_flow_image_clear(&p->brought);
}

static enum zt_code proxies_init(struct proxies *p, const struct zt_image *first,
                                 const struct zt_image *last, int width, int height,
                                 struct zt_pool *pool, struct zt_err *err)
{
    ZT_TRY(zt_flow_image_init(&p->first, width, height, err));
    ZT_TRY(zt_flow_image_init(&p->last, width, height, err));
    zt_flow_image_shrink(first, &p->first, pool);
    zt_flow_image_shrink(last, &p->last, pool);
    return ZT_OK;
}

/*
 * A zoom of DRIFT about the middle: while unrelated pictures dissolve, the first moves in by it and
 * the last settles from it, so that neither shows its border.
 */
static struct zt_similarity drift(int width, int height)
{
    double a = 1.0 + DRIFT;

    return (struct zt_similarity){ a, 0.0, -DRIFT * 0.5 * (width - 1),
                                   -DRIFT * 0.5 * (height - 1) };
}

/*
 * Mean confidence where both pictures see something, less when that is not much of the first one's
 * `whole` pixels.
 */
static float overall(const struct zt_flow *flow, const struct proxies *p, double whole)
{
    size_t n = (size_t)flow->width * (size_t)flow->height;
    double sum = 0.0, seen = 0.0;

    for (size_t i = 0; i < n; i++) {
        float both = p->placed.seen[i] * p->brought.seen[i];
        sum += (double)(both > 0.0f ? flow->conf[i] * both : 0.0f);
        seen += (double)both;
    }
    if (seen < 1.0)
        return 0.0f;
    double overlap = seen / whole / WHOLE_OVERLAP;
    return (float)(sum / seen * (overlap < 1.0 ? overlap : 1.0));
}

/*
 * The domain of the flow: the first picture's frame, grown to hold the last one as well when S
 * brings it there, by WIDEN of its size on each side at most.
 */
static enum zt_code place_in_domain(struct zt_passage *p, struct proxies *x, struct zt_err *err)
{
    int w = p->proxy_width, h = p->proxy_height;
    struct zt_similarity back = zt_similarity_inverse(&p->similarity);
    double low[2] = { 0.0, 0.0 }, high[2] = { w - 1.0, h - 1.0 };

    for (int i = 0; i < 4; i++) {
        double at[2];
        zt_similarity_apply(&back, i % 2 * (w - 1.0), i / 2 * (h - 1.0), &at[0], &at[1]);
        for (int k = 0; k < 2; k++) {
            low[k] = at[k] < low[k] ? at[k] : low[k];
            high[k] = at[k] > high[k] ? at[k] : high[k];
        }
    }
    p->domain_x = (int)ceil(-low[0] < WIDEN * w ? -low[0] : WIDEN * w);
    p->domain_y = (int)ceil(-low[1] < WIDEN * h ? -low[1] : WIDEN * h);
    double more_x = high[0] - (w - 1.0), more_y = high[1] - (h - 1.0);
    int width = p->domain_x + w + (int)ceil(more_x < WIDEN * w ? more_x : WIDEN * w);
    int height = p->domain_y + h + (int)ceil(more_y < WIDEN * h ? more_y : WIDEN * h);
    struct zt_similarity to_first = { 1.0, 0.0, -p->domain_x, -p->domain_y };
    struct zt_similarity to_last = zt_similarity_after(&p->similarity, &to_first);
    ZT_TRY(zt_flow_image_init(&x->placed, width, height, err));
    ZT_TRY(zt_flow_image_init(&x->brought, width, height, err));
    zt_flow_image_warp(&x->first, &to_first, &x->placed, p->pool);
    zt_flow_image_warp(&x->last, &to_last, &x->brought, p->pool);
    return ZT_OK;
}

static void make_dissolve(struct zt_passage *p)
{
    size_t n = (size_t)p->forward.width * (size_t)p->forward.height;

    p->related = false;
    p->domain_x = (p->forward.width - p->proxy_width) / 2; /* nothing moves: any place will do */
    p->domain_y = (p->forward.height - p->proxy_height) / 2;
    p->similarity = drift(p->proxy_width, p->proxy_height);
    for (size_t i = 0; i < n; i++) {
        p->forward.u[i] = p->forward.v[i] = p->backward.u[i] = p->backward.v[i] = 0.0f;
        p->forward.conf[i] = p->backward.conf[i] = 1.0f;
        p->forward.clean[i] = p->backward.clean[i] = 1.0f;
    }
}

static enum zt_code compare(struct zt_passage *p, struct proxies *x, struct zt_flow_run *run,
                            struct zt_err *err)
{
    double share;

    run->from = 0;
    run->to = 50;
    ZT_TRY(zt_flow_similarity(&x->first, &x->last, run, &p->similarity, &share, err));
    ZT_TRY(place_in_domain(p, x, err));
    run->from = 50;
    run->to = 100;
    ZT_TRY(zt_flow_between(&x->placed, &x->brought, run, &p->forward, &p->backward, err));
    p->confidence = overall(&p->forward, x, (double)p->proxy_width * p->proxy_height);
    p->related = p->confidence >= ZT_PASSAGE_RELATED;
    if (!p->related)
        make_dissolve(p);
    return ZT_OK;
}

static enum zt_code build(struct zt_passage *p, const struct zt_image *first,
                          const struct zt_image *last, struct zt_flow_run *run, struct zt_err *err)
{
    int w = first->width_px, h = first->height_px, longest = w > h ? w : h;
    double k = longest > PROXY_SIDE ? (double)PROXY_SIDE / longest : 1.0;
    struct proxies x = { 0 };

    p->proxy_width = (int)lrint(w * k) < SIDE_MIN ? SIDE_MIN : (int)lrint(w * k);
    p->proxy_height = (int)lrint(h * k) < SIDE_MIN ? SIDE_MIN : (int)lrint(h * k);
    p->scale_x = (float)w / (float)p->proxy_width;
    p->scale_y = (float)h / (float)p->proxy_height;
    ZT_TRY(zt_paint_image_init(&p->first, first, err));
    ZT_TRY(zt_paint_image_init(&p->last, last, err));
    enum zt_code rc = proxies_init(&x, first, last, p->proxy_width, p->proxy_height, p->pool, err);
    if (rc == ZT_OK)
        rc = compare(p, &x, run, err);
    proxies_clear(&x);
    if (rc != ZT_OK)
        return rc;
    ZT_TRY(zt_between_init(&p->between, p->forward.width, p->forward.height, err));
    return zt_paint_mesh_init(&p->mesh, w, h, err);
}

enum zt_code zt_passage_open(const struct zt_image *first, const struct zt_image *last,
                             struct zt_pool *pool, zt_passage_tick_fn *tick, void *user,
                             struct zt_passage **ret, struct zt_err *err)
{
    struct zt_flow_run run = { .pool = pool, .tick = tick, .user = user };

    if (first->width_px != last->width_px || first->height_px != last->height_px)
        return zt_fail(err, ZT_E_INVALID,
                       "the end image must be as large as the first one, %d x %d, not %d x %d",
                       first->width_px, first->height_px, last->width_px, last->height_px);
    if (first->width_px < SIDE_MIN || first->height_px < SIDE_MIN)
        return zt_fail(err, ZT_E_INVALID, "pictures must be at least %d x %d, not %d x %d",
                       SIDE_MIN, SIDE_MIN, first->width_px, first->height_px);
    zt_auto(passage) struct zt_passage *p = zt_new(struct zt_passage);
    p->pool = pool;
    ZT_TRY(build(p, first, last, &run, err));
    *ret = zt_take_passage(&p);
    return ZT_OK;
}

float zt_passage_confidence(const struct zt_passage *p)
{
    return p->confidence;
}

void zt_passage_close(struct zt_passage *p)
{
    if (p == NULL)
        return;
    zt_paint_image_clear(&p->first);
    zt_paint_image_clear(&p->last);
    zt_flow_clear(&p->forward);
    zt_flow_clear(&p->backward);
    zt_between_clear(&p->between);
    zt_paint_mesh_clear(&p->mesh);
    free(p);
}

/* ---- frames -------------------------------------------------------------------------------- */

/* A similarity in single precision: a thousandth of a pixel is enough here. */
struct affine {
    float ar, ai, bx, by;
};

static struct affine affine_of(const struct zt_similarity *s)
{
    return (struct affine){ (float)s->ar, (float)s->ai, (float)s->bx, (float)s->by };
}

/* How the mesh's coordinates grow from node to node by the similarity alone. */
static void set_slopes(struct zt_paint_mesh *m, const struct affine *back, const struct affine *on)
{
    float ar = on->ar * back->ar - on->ai * back->ai, ai = on->ar * back->ai + on->ai * back->ar;
    const float across[4] = { back->ar, back->ai, ar, ai };
    const float down[4] = { -back->ai, back->ar, -ai, ar };

    for (int i = 0; i < 4; i++) {
        m->across[i] = across[i] * (float)ZT_MESH_STEP;
        m->down[i] = down[i] * (float)ZT_MESH_STEP;
    }
}

struct frame {
    struct zt_passage *p;
    float t;
    float share0, share1;   /* of the pictures by time */
    struct affine back, on; /* from the frame to the first picture, from there to the last */
    const struct zt_passage_target *target;
    float *scratch; /* a part for each slice of the rows */
};

static float clamped(float v, float low, float high)
{
    return v < low ? low : v > high ? high : v;
}

/* 1 well inside a picture, 0 outside; the soft border grows as the picture leaves its own time. */
static float visible(const struct zt_passage *p, float x, float y, float away)
{
    float feather = FEATHER * away + OUTSIDE;
    float dx = x < (float)p->proxy_width - 1.0f - x ? x : (float)p->proxy_width - 1.0f - x;
    float dy = y < (float)p->proxy_height - 1.0f - y ? y : (float)p->proxy_height - 1.0f - y;
    float fx = clamped((dx + OUTSIDE) / feather, 0.0f, 1.0f);
    float fy = clamped((dy + OUTSIDE) / feather, 0.0f, 1.0f);

    return fx * fy;
}

/* The motions a place of one picture may have: a column of struct zt_motion_at. */
static void motion_of(const struct zt_motion_at *m, int picture, float ret[3])
{
    ret[0] = picture == 0 ? m->r0x : m->r1x;
    ret[1] = picture == 0 ? m->r0y : m->r1y;
    ret[2] = picture == 0 ? m->odds0 : m->odds1;
}

/* The mean of the places that move like `lead`, by their shares; returns what they make up. */
static float mean_of(float m[4][3], const float share[4], int lead, float ret[3])
{
    float all = 0.0f;

    ret[0] = ret[1] = ret[2] = 0.0f;
    for (int i = 0; i < 4; i++) {
        float dx = m[i][0] - m[lead][0], dy = m[i][1] - m[lead][1];
        float k = dx * dx + dy * dy <= ZT_BETWEEN_SAME2 ? share[i] : 0.0f;
        for (int j = 0; j < 3; j++)
            ret[j] += k * m[i][j];
        all += k;
    }
    for (int j = 0; j < 3; j++)
        ret[j] /= all + 1e-12f;
    return all;
}

/*
 * Across a border of the motion the side with the larger share is taken, not a mean that neither
 * side moves by; so the border is a smooth line.
 */
static void choose_side(const struct zt_motion_at *const at[4], const float share[4], int picture,
                        float ret[3])
{
    float m[4][3], rest[3];
    int lead = 0, other = -1;

    for (int i = 0; i < 4; i++) {
        motion_of(at[i], picture, m[i]);
        lead = share[i] > share[lead] ? i : lead;
    }
    float part = mean_of(m, share, lead, ret);
    if (part >= 0.5f)
        return;
    for (int i = 0; i < 4; i++) {
        float dx = m[i][0] - m[lead][0], dy = m[i][1] - m[lead][1];
        if (dx * dx + dy * dy > ZT_BETWEEN_SAME2 && (other < 0 || share[i] > share[other]))
            other = i;
    }
    if (other >= 0 && mean_of(m, share, other, rest) > part)
        memcpy(ret, rest, sizeof(rest));
}

/* The motion at a place between the places there are, clamped to the borders. */
static struct zt_motion_at look_up(const struct zt_between *b, float x, float y)
{
    float cx = clamped(x, 0.0f, (float)(b->width - 1));
    float cy = clamped(y, 0.0f, (float)(b->height - 1));
    int ix = (int)cx, iy = (int)cy;
    float fx = cx - (float)ix, fy = cy - (float)iy;
    const struct zt_motion_at *p = b->at + (size_t)iy * (size_t)b->width + (size_t)ix;
    size_t right = ix + 1 < b->width ? 1 : 0;
    size_t down = iy + 1 < b->height ? (size_t)b->width : 0;
    const struct zt_motion_at *const at[4] = { p, p + right, p + down, p + down + right };
    const float share[4] = { (1.0f - fx) * (1.0f - fy), fx * (1.0f - fy), (1.0f - fx) * fy,
                             fx * fy };
    struct zt_motion_at r;

    if (p->torn > 0.0f) {
        float m[2][3];
        choose_side(at, share, 0, m[0]);
        choose_side(at, share, 1, m[1]);
        return (struct zt_motion_at){ .r0x = m[0][0],
                                      .r0y = m[0][1],
                                      .r1x = m[1][0],
                                      .r1y = m[1][1],
                                      .odds0 = m[0][2],
                                      .odds1 = m[1][2] };
    }
    const float *q[4] = { &at[0]->r0x, &at[1]->r0x, &at[2]->r0x, &at[3]->r0x };
    float *to = &r.r0x; /* all members are floats: eight of them, so that a vector holds them */
    for (int i = 0; i < 8; i++)
        /* cppcheck-suppress objectIndex */
        to[i] = share[0] * q[0][i] + share[1] * q[1][i] + share[2] * q[2][i] + share[3] * q[3][i];
    /* cppcheck-suppress uninitvar */
    return r;
}

static void set_node(const struct frame *f, int column, int row)
{
    struct zt_passage *p = f->p;
    struct zt_paint_mesh *m = &p->mesh;
    size_t at = (size_t)row * (size_t)m->columns + (size_t)column;
    float px = ((float)(column * ZT_MESH_STEP) + 0.5f) / p->scale_x - 0.5f;
    float py = ((float)(row * ZT_MESH_STEP) + 0.5f) / p->scale_y - 0.5f;
    float zx = f->back.ar * px - f->back.ai * py + f->back.bx;
    float zy = f->back.ai * px + f->back.ar * py + f->back.by;

    struct zt_motion_at r = look_up(&p->between, zx + (float)p->domain_x, zy + (float)p->domain_y);
    float x0 = zx - f->t * r.r0x, y0 = zy - f->t * r.r0y;
    float lx = zx + (1.0f - f->t) * r.r1x, ly = zy + (1.0f - f->t) * r.r1y;
    float x1 = f->on.ar * lx - f->on.ai * ly + f->on.bx;
    float y1 = f->on.ai * lx + f->on.ar * ly + f->on.by;
    float k0 = f->share0 * r.odds0 * visible(p, x0, y0, f->t) + 1e-9f;
    float k1 = f->share1 * r.odds1 * visible(p, x1, y1, 1.0f - f->t) + 1e-9f * f->t;
    m->x0[at] = (x0 + 0.5f) * p->scale_x - 0.5f;
    m->y0[at] = (y0 + 0.5f) * p->scale_y - 0.5f;
    m->x1[at] = (x1 + 0.5f) * p->scale_x - 0.5f;
    m->y1[at] = (y1 + 0.5f) * p->scale_y - 0.5f;
    m->mix[at] = k1 / (k0 + k1);
}

static void set_nodes(void *user, int first, int end)
{
    const struct frame *f = user;

    for (int row = first; row < end; row++)
        for (int column = 0; column < f->p->mesh.columns; column++)
            set_node(f, column, row);
}

static void draw_row(const struct frame *f, int y, float *scratch, uint8_t *rgb)
{
    if (f->t <= 0.0f)
        zt_paint_copy_row(&f->p->first, y, rgb);
    else if (f->t >= 1.0f)
        zt_paint_copy_row(&f->p->last, y, rgb);
    else
        zt_paint_row(&f->p->first, &f->p->last, &f->p->mesh, y, scratch, rgb);
}

static size_t slice_floats(const struct zt_passage *p)
{
    return zt_paint_scratch_floats(&p->mesh) + (size_t)p->first.width * 3 / 2 + 16;
}

/* A slice is GRAIN pairs of rows: chroma of YUV420 is made of two rows. */
static void draw_pairs(void *user, int first, int end)
{
    const struct frame *f = user;
    const struct zt_passage_target *to = f->target;
    int width = f->p->first.width, height = f->p->first.height;
    size_t line = (size_t)width * 3 + 4;
    float *scratch = f->scratch + (size_t)(first / GRAIN) * slice_floats(f->p);
    uint8_t *rgb = (uint8_t *)(scratch + zt_paint_scratch_floats(&f->p->mesh));

    for (int pair = first; pair < end; pair++) {
        int rows = 2 * pair + 1 < height ? 2 : 1;
        for (int i = 0; i < rows; i++)
            draw_row(f, 2 * pair + i, scratch, rgb + (size_t)i * line);
        if (to->format == ZT_PIXELS_RGB24) {
            for (int i = 0; i < rows; i++)
                memcpy(to->plane[0] + (size_t)(2 * pair + i) * to->stride[0],
                       rgb + (size_t)i * line, (size_t)width * 3);
            continue;
        }
        uint8_t *plane[3] = { to->plane[0] + (size_t)(2 * pair) * to->stride[0],
                              to->plane[1] + (size_t)pair * to->stride[1],
                              to->plane[2] + (size_t)pair * to->stride[2] };
        zt_rgb24_to_yuv420(rgb, line, width, 2, plane, to->stride, 0, 1);
    }
}

enum zt_code zt_passage_frame(struct zt_passage *p, float t, const struct zt_passage_target *target,
                              struct zt_err *err)
{
    struct frame f = { .p = p, .t = clamped(t, 0.0f, 1.0f), .target = target };
    int pairs = (p->first.height + 1) / 2;
    zt_auto_free float *scratch = NULL;

    if (target->format == ZT_PIXELS_YUV420 && (p->first.width % 2 != 0 || p->first.height % 2 != 0))
        return zt_fail(err, ZT_E_INVALID, "YUV420 frames need even sides, not %d x %d",
                       p->first.width, p->first.height);
    ZT_TRY(zt_try_alloc((size_t)(pairs / GRAIN + 1) * slice_floats(p), sizeof(float),
                        "rows of the passage", (void **)&scratch, err));
    f.scratch = scratch;
    if (f.t > 0.0f && f.t < 1.0f) {
        struct zt_similarity at_t = zt_similarity_power(&p->similarity, (double)f.t);
        struct zt_similarity back = zt_similarity_inverse(&at_t);
        struct zt_similarity on = p->similarity;
        if (!p->related) {
            struct zt_similarity left = zt_similarity_power(&p->similarity, 1.0 - (double)f.t);
            struct zt_similarity settled = zt_similarity_inverse(&left);
            on = zt_similarity_after(&settled, &at_t);
        }
        f.back = affine_of(&back);
        f.on = affine_of(&on);
        f.share0 = (1.0f - f.t) * (1.0f - f.t);
        f.share1 = f.t * f.t;
        set_slopes(&p->mesh, &f.back, &f.on);
        zt_between_at(&p->between, &p->forward, &p->backward, f.t, p->pool);
        zt_pool_for(p->pool, p->mesh.rows, GRAIN, set_nodes, &f);
    }
    zt_pool_for(p->pool, pairs, GRAIN, draw_pairs, &f);
    return ZT_OK;
}
