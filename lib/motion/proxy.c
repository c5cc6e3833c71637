/* proxy.c - the small pictures that flow.h matches: made, shrunk and warped. */
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "motion/flow.h"
#include "motion/refine.h"

#define GRAIN  8
#define PLANES 4

enum zt_code zt_flow_image_init(struct zt_flow_image *image, int width, int height,
                                struct zt_err *err)
{
    size_t n = (size_t)width * (size_t)height;
    void *block = NULL;

    ZT_TRY(zt_try_alloc(n, PLANES * sizeof(float), "a picture to match", &block, err));
    image->width = width;
    image->height = height;
    image->luma = block;
    image->blue = image->luma + n;
    image->red = image->blue + n;
    image->seen = image->red + n;
    return ZT_OK;
}

void zt_flow_image_clear(struct zt_flow_image *image)
{
    free(image->luma);
    *image = (struct zt_flow_image){ 0 };
}

struct shrink {
    const struct zt_image *from;
    struct zt_flow_image *to;
};

/* The share of pixel i of n that lies within [low, high). */
static float overlap(int i, double low, double high)
{
    double a = low > (double)i ? low : (double)i;
    double b = high < (double)i + 1.0 ? high : (double)i + 1.0;
    return b > a ? (float)(b - a) : 0.0f;
}

static void shrink_pixel(const struct shrink *s, int x, int y)
{
    double kx = (double)s->from->width_px / s->to->width;
    double ky = (double)s->from->height_px / s->to->height;
    int left = (int)(x * kx), right = (int)ceil((x + 1) * kx);
    int top = (int)(y * ky), bottom = (int)ceil((y + 1) * ky);
    size_t at = (size_t)y * (size_t)s->to->width + (size_t)x;
    float sum[3] = { 0 }, weight = 0.0f;

    right = right > s->from->width_px ? s->from->width_px : right;
    bottom = bottom > s->from->height_px ? s->from->height_px : bottom;
    for (int j = top; j < bottom; j++) {
        const uint8_t *row = s->from->pixels + (size_t)j * s->from->stride;
        float wy = overlap(j, y * ky, (y + 1) * ky);
        for (int i = left; i < right; i++) {
            float w = wy * overlap(i, x * kx, (x + 1) * kx);
            for (int c = 0; c < 3; c++)
                sum[c] += w * (float)row[3 * i + c];
            weight += w;
        }
    }
    float scale = 1.0f / (255.0f * weight);
    float red = sum[0] * scale, green = sum[1] * scale, blue = sum[2] * scale;
    float luma = 0.299f * red + 0.587f * green + 0.114f * blue;
    s->to->luma[at] = luma;
    s->to->blue[at] = blue - luma;
    s->to->red[at] = red - luma;
    s->to->seen[at] = 1.0f;
}

static void shrink_rows(void *user, int first, int end)
{
    const struct shrink *s = user;

    for (int y = first; y < end; y++)
        for (int x = 0; x < s->to->width; x++)
            shrink_pixel(s, x, y);
}

void zt_flow_image_shrink(const struct zt_image *from, struct zt_flow_image *ret,
                          struct zt_pool *pool)
{
    struct shrink s = { from, ret };

    zt_pool_for(pool, ret->height, GRAIN, shrink_rows, &s);
}

struct warp {
    const struct zt_flow_image *from;
    const struct zt_similarity *map;
    struct zt_flow_image *to;
};

static float clamped(float v, float low, float high)
{
    return v < low ? low : v > high ? high : v;
}

static void warp_rows(void *user, int first, int end)
{
    const struct warp *p = user;
    int w = p->from->width, h = p->from->height;

    for (int y = first; y < end; y++) {
        for (int x = 0; x < p->to->width; x++) {
            size_t at = (size_t)y * (size_t)p->to->width + (size_t)x;
            double sx, sy;
            zt_similarity_apply(p->map, (double)x, (double)y, &sx, &sy);
            float fx = (float)sx, fy = (float)sy;
            bool inside =
                fx >= -0.5f && fy >= -0.5f && fx <= (float)w - 0.5f && fy <= (float)h - 0.5f;
            fx = clamped(fx, 0.0f, (float)(w - 1));
            fy = clamped(fy, 0.0f, (float)(h - 1));
            p->to->luma[at] = zt_refine_sample(p->from->luma, w, h, fx, fy);
            p->to->blue[at] = zt_refine_sample(p->from->blue, w, h, fx, fy);
            p->to->red[at] = zt_refine_sample(p->from->red, w, h, fx, fy);
            p->to->seen[at] = inside ? 1.0f : 0.0f;
        }
    }
}

void zt_flow_image_warp(const struct zt_flow_image *from, const struct zt_similarity *s,
                        struct zt_flow_image *ret, struct zt_pool *pool)
{
    struct warp p = { from, s, ret };

    zt_pool_for(pool, ret->height, GRAIN, warp_rows, &p);
}

static void halve_plane(const float *from, int w, int h, float *to, int tw, int th)
{
    for (int y = 0; y < th; y++) {
        const float *a = from + (size_t)(2 * y) * (size_t)w;
        const float *b = from + (size_t)(2 * y + 1 < h ? 2 * y + 1 : 2 * y) * (size_t)w;
        for (int x = 0; x < tw; x++) {
            int r = 2 * x + 1 < w ? 2 * x + 1 : 2 * x;
            to[(size_t)y * (size_t)tw + (size_t)x] = 0.25f * (a[2 * x] + a[r] + b[2 * x] + b[r]);
        }
    }
}

enum zt_code zt_flow_image_halve(const struct zt_flow_image *from, struct zt_flow_image *ret,
                                 struct zt_err *err)
{
    int w = (from->width + 1) / 2, h = (from->height + 1) / 2;

    ZT_TRY(zt_flow_image_init(ret, w, h, err));
    halve_plane(from->luma, from->width, from->height, ret->luma, w, h);
    halve_plane(from->blue, from->width, from->height, ret->blue, w, h);
    halve_plane(from->red, from->width, from->height, ret->red, w, h);
    halve_plane(from->seen, from->width, from->height, ret->seen, w, h);
    return ZT_OK;
}

enum zt_code zt_flow_tick(const struct zt_flow_run *run, int step, int steps, struct zt_err *err)
{
    int percent = run->from + (run->to - run->from) * step / steps;

    if (run->tick != NULL && run->tick(run->user, percent) != 0)
        return zt_fail(err, ZT_E_CANCELLED, "comparing the two pictures was cancelled");
    return ZT_OK;
}
