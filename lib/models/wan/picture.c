/*
 * picture.c - see picture.h.
 */
#include "models/wan/picture.h"

#include "base/auto.h"
#include "base/mem.h"

#include <math.h>
#include <string.h>

#define SUPPORT     3.0 /* Lanczos-3 */
#define WEIGHT_BITS 22

/* The samples of one axis: for output i, `taps` weights from sample first[i] on, rows `stride`. */
struct axis {
    int n, stride;
    int *first, *taps;
    int32_t *weights;
};

static void axis_clear(struct axis *a)
{
    free(a->first);
    free(a->taps);
    free(a->weights);
    *a = (struct axis){ 0 };
}

static double lanczos(double x)
{
    if (x == 0)
        return 1;
    if (x <= -SUPPORT || x >= SUPPORT)
        return 0;
    double a = M_PI * x, b = a / SUPPORT;
    return sin(a) / a * (sin(b) / b);
}

/* Sample weights of output i of an axis shrunk by `scale` (above 1) or grown; they sum to 1. */
static int weigh(int i, int size, double scale, double *w, int *ret_first)
{
    double filter = scale > 1 ? scale : 1;
    double center = (i + 0.5) * scale, reach = SUPPORT * filter, sum = 0;
    int first = (int)(center - reach + 0.5), end = (int)(center + reach + 0.5);

    first = first < 0 ? 0 : first;
    end = end > size ? size : end;
    for (int k = first; k < end; k++)
        sum += w[k - first] = lanczos((k - center + 0.5) / filter);
    for (int k = 0; k < end - first && sum != 0; k++)
        w[k] /= sum;
    *ret_first = first;
    return end - first;
}

static int32_t fixed(double w)
{
    double scaled = w * (1 << WEIGHT_BITS);

    return (int32_t)(scaled < 0 ? scaled - 0.5 : scaled + 0.5);
}

static enum zt_code axis_init(struct axis *a, int from, int to, struct zt_err *err)
{
    double scale = (double)from / to;
    double filter = scale > 1 ? scale : 1;
    zt_auto_free double *w = NULL;

    *a = (struct axis){ .n = to, .stride = (int)ceil(SUPPORT * filter) * 2 + 1 };
    void *p[4] = { NULL };
    size_t n = (size_t)to;
    enum zt_code rc = zt_try_alloc(n, sizeof(int), "a resize", &p[0], err);
    if (rc == ZT_OK)
        rc = zt_try_alloc(n, sizeof(int), "a resize", &p[1], err);
    if (rc == ZT_OK)
        rc = zt_try_alloc(n * (size_t)a->stride, sizeof(int32_t), "a resize", &p[2], err);
    if (rc == ZT_OK)
        rc = zt_try_alloc((size_t)a->stride, sizeof(double), "a resize", &p[3], err);
    a->first = p[0];
    a->taps = p[1];
    a->weights = p[2];
    w = p[3];
    for (int i = 0; rc == ZT_OK && i < to; i++) {
        a->taps[i] = weigh(i, from, scale, w, &a->first[i]);
        for (int k = 0; k < a->taps[i]; k++)
            a->weights[i * a->stride + k] = fixed(w[k]);
    }
    return rc;
}

/* Output i of an axis over samples `step` bytes apart. */
static uint8_t sample(const struct axis *a, int i, const uint8_t *src, size_t step)
{
    const int32_t *w = a->weights + (ptrdiff_t)i * a->stride;
    const uint8_t *s = src + (size_t)a->first[i] * step;
    int64_t sum = 1 << (WEIGHT_BITS - 1);

    for (int k = 0; k < a->taps[i]; k++)
        sum += (int64_t)s[(size_t)k * step] * w[k];
    sum >>= WEIGHT_BITS;
    return (uint8_t)(sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

struct fit {
    const struct zt_image *image;
    int width, height;    /* of the result */
    int cover_w, cover_h; /* the picture resized */
    int left, top;        /* of the crop in it */
};

static float unit(uint8_t byte)
{
    return (float)byte / 127.5F - 1.0F;
}

/* Rows first, only the columns that are kept, then columns. An axis of the same size is copied. */
static enum zt_code resample(const struct fit *f, const struct axis *x, const struct axis *y,
                             float *ret, struct zt_err *err)
{
    const struct zt_image *in = f->image;
    size_t w = (size_t)f->width, h = (size_t)f->height;
    void *mem = NULL;

    ZT_TRY(zt_try_alloc((size_t)in->height_px * w, 3, "a resized picture", &mem, err));
    zt_auto_free uint8_t *rows = mem;
    for (int r = 0; r < in->height_px; r++) {
        const uint8_t *src = in->pixels + (size_t)r * in->stride;
        for (int i = 0; i < f->width; i++)
            for (size_t c = 0; c < 3; c++)
                rows[((size_t)r * w + (size_t)i) * 3 + c] =
                    x->n == in->width_px ? src[(size_t)(i + f->left) * 3 + c]
                                         : sample(x, i + f->left, src + c, 3);
    }
    for (size_t j = 0; j < h; j++)
        for (size_t i = 0; i < w; i++)
            for (size_t c = 0; c < 3; c++) {
                int row = (int)j + f->top;
                uint8_t v = y->n == in->height_px ? rows[((size_t)row * w + i) * 3 + c]
                                                  : sample(y, row, rows + i * 3 + c, w * 3);
                ret[(c * h + j) * w + i] = unit(v);
            }
    return ZT_OK;
}

enum zt_code zt_wan_picture(const struct zt_image *image, int width_px, int height_px, float *ret,
                            struct zt_err *err)
{
    zt_assert(width_px > 0 && height_px > 0);
    double scale_x = (double)width_px / image->width_px;
    double scale_y = (double)height_px / image->height_px;
    double scale = scale_x > scale_y ? scale_x : scale_y;
    struct fit f = { .image = image, .width = width_px, .height = height_px };
    struct axis x = { 0 }, y = { 0 };

    f.cover_w = (int)nearbyint(image->width_px * scale);
    f.cover_h = (int)nearbyint(image->height_px * scale);
    f.cover_w = f.cover_w < width_px ? width_px : f.cover_w;
    f.cover_h = f.cover_h < height_px ? height_px : f.cover_h;
    f.left = (f.cover_w - width_px) / 2;
    f.top = (f.cover_h - height_px) / 2;
    enum zt_code rc = axis_init(&x, image->width_px, f.cover_w, err);
    if (rc == ZT_OK)
        rc = axis_init(&y, image->height_px, f.cover_h, err);
    if (rc == ZT_OK)
        rc = resample(&f, &x, &y, ret, err);
    axis_clear(&x);
    axis_clear(&y);
    return rc;
}
