/*
 * image.c - pictures from outside: limits, format by content, upright sRGB. Declared in zoetrope.h.
 *
 * Nothing is decoded, and nothing of the picture's size allocated, before the header has passed
 * the limits. Decoding opens no file and starts no thread: it runs inside a sandbox.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "media/format.h"
#include "media/icc.h"

#define DEFAULT_MAX_BYTES   (10 * 1024 * 1024)
#define DEFAULT_MAX_PIXELS  40000000
#define DEFAULT_MIN_SIDE_PX 64
#define DEFAULT_MAX_SIDE_PX 6000
#define DEFAULT_MAX_ASPECT  3000
#define HIGHEST_SIDE_PX     65535 /* whatever the caller allows */

struct format {
    enum zt_image_format format;
    const char *name;
    bool (*is)(const uint8_t *bytes, size_t n);
    enum zt_code (*head)(const uint8_t *bytes, size_t n, struct zt_head *ret, struct zt_err *err);
    enum zt_code (*open)(const uint8_t *bytes, size_t n, struct zt_raster *ret, struct zt_err *err);
};

static const struct format formats[] = {
    { ZT_IMAGE_JPEG, "JPEG", zt_jpeg_is, zt_jpeg_head, zt_jpeg_open },
    { ZT_IMAGE_PNG, "PNG", zt_png_is, zt_png_head, zt_png_open },
    { ZT_IMAGE_WEBP, "WebP", zt_webp_is, zt_webp_head, zt_webp_open },
};

/* EXIF: 5 ... 8 lie on their side. */
static bool is_sideways(int orientation)
{
    return orientation >= 5;
}

static struct zt_image_limits with_defaults(const struct zt_image_limits *given)
{
    struct zt_image_limits l = given ? *given : (struct zt_image_limits){ 0 };

    l.max_bytes = l.max_bytes ? l.max_bytes : DEFAULT_MAX_BYTES;
    l.max_pixels = l.max_pixels ? l.max_pixels : DEFAULT_MAX_PIXELS;
    l.min_side_px = l.min_side_px ? l.min_side_px : DEFAULT_MIN_SIDE_PX;
    l.max_side_px = l.max_side_px ? l.max_side_px : DEFAULT_MAX_SIDE_PX;
    l.max_side_px = l.max_side_px < HIGHEST_SIDE_PX ? l.max_side_px : HIGHEST_SIDE_PX;
    l.max_aspect_times_1000 =
        l.max_aspect_times_1000 ? l.max_aspect_times_1000 : DEFAULT_MAX_ASPECT;
    return l;
}

static enum zt_code check_limits(const struct zt_image_info *info, const struct zt_image_limits *l,
                                 struct zt_err *err)
{
    int w = info->width_px;
    int h = info->height_px;
    int64_t longer = w > h ? w : h;
    int64_t shorter = w > h ? h : w;

    if (longer > l->max_side_px)
        return zt_fail(err, ZT_E_LIMIT,
                       "the image is %dx%d pixels; its longer side must be at most %d", w, h,
                       l->max_side_px);
    if (shorter < l->min_side_px)
        return zt_fail(err, ZT_E_LIMIT,
                       "the image is %dx%d pixels; its shorter side must be at least %d", w, h,
                       l->min_side_px);
    if (longer * shorter > l->max_pixels)
        return zt_fail(err, ZT_E_LIMIT,
                       "the image has %" PRId64 " pixels (%dx%d); at most %" PRId64 " are allowed",
                       longer * shorter, w, h, l->max_pixels);
    if (longer * 1000 > shorter * l->max_aspect_times_1000)
        return zt_fail(err, ZT_E_LIMIT,
                       "the image is %dx%d pixels; its longer side must be at most %.4g times its "
                       "shorter side",
                       w, h, l->max_aspect_times_1000 / 1000.0);
    return ZT_OK;
}

static enum zt_code probe(const uint8_t *bytes, size_t n, const struct zt_image_limits *limits,
                          const struct format **ret_format, struct zt_head *head,
                          struct zt_image_info *ret, struct zt_err *err)
{
    struct zt_image_limits l = with_defaults(limits);
    const struct format *format = NULL;

    if (n > l.max_bytes)
        return zt_fail(err, ZT_E_LIMIT, "the image has %zu bytes; at most %zu are allowed", n,
                       l.max_bytes);
    for (size_t i = 0; i < ZT_COUNT(formats) && format == NULL; i++)
        if (formats[i].is(bytes, n))
            format = &formats[i];
    if (n == 0)
        return zt_fail(err, ZT_E_CORRUPT, "the image is empty");
    if (format == NULL)
        return zt_fail(err, ZT_E_UNSUPPORTED, "the image is not a JPEG, PNG or WebP file");
    ZT_TRY(format->head(bytes, n, head, err));
    bool swap = is_sideways(head->orientation);
    struct zt_image_info info = { .format = format->format,
                                  .width_px = swap ? head->height_px : head->width_px,
                                  .height_px = swap ? head->width_px : head->height_px };
    ZT_TRY(check_limits(&info, &l, err));
    *ret = info;
    *ret_format = format;
    return ZT_OK;
}

enum zt_code zt_image_probe(const void *bytes, size_t n, const struct zt_image_limits *limits,
                            struct zt_image_info *ret, struct zt_err *err)
{
    const struct format *format = NULL;
    struct zt_head head = { 0 };

    return probe(bytes, n, limits, &format, &head, ret, err);
}

/* ---- rows: to sRGB, over white, upright ----------------------------------------------------- */

static uint8_t times(unsigned a, unsigned b) /* a * b / 255 to nearest, exact for bytes */
{
    unsigned t = a * b + 128;

    return (uint8_t)((t + (t >> 8)) >> 8);
}

/* Without a profile: grey is neutral, ink filters white light. */
static void plain_to_rgb(const uint8_t *src, int channels, uint8_t *dst, int n)
{
    if (channels == 3) {
        memcpy(dst, src, 3 * (size_t)n);
        return;
    }
    for (int x = 0; x < n; x++, src += channels)
        for (int c = 0; c < 3; c++)
            *dst++ = channels == 1 ? src[0] : times(255u - src[c], 255u - src[3]);
}

/* As browsers do it: on the encoded values. */
static void blend_over_white(uint8_t *rgb, const uint8_t *alpha, int n)
{
    for (int x = 0; x < n; x++)
        for (int c = 0; c < 3 && alpha[x] != 255; c++)
            rgb[3 * x + c] = (uint8_t)(255 - times(255u - rgb[3 * x + c], alpha[x]));
}

/* Where stored pixel (x, 0) of row y goes, and the way from there to (x + 1). */
static uint8_t *place_row(const struct zt_image *dst, int orientation, int y, ptrdiff_t *step)
{
    ptrdiff_t stride = (ptrdiff_t)dst->stride;
    int right = dst->width_px - 1;
    int bottom = dst->height_px - 1;
    int x0 = 0;
    int y0 = 0;

    switch (orientation) {
    case 2: /* mirrored */
        x0 = right, y0 = y, *step = -3;
        break;
    case 3: /* upside down */
        x0 = right, y0 = bottom - y, *step = -3;
        break;
    case 4: /* mirrored top to bottom */
        y0 = bottom - y, *step = 3;
        break;
    case 5: /* mirrored along the falling diagonal */
        x0 = y, *step = stride;
        break;
    case 6: /* to be turned clockwise */
        x0 = right - y, *step = stride;
        break;
    case 7: /* mirrored along the rising diagonal */
        x0 = right - y, y0 = bottom, *step = -stride;
        break;
    case 8: /* to be turned counter-clockwise */
        x0 = y, y0 = bottom, *step = -stride;
        break;
    default:
        y0 = y, *step = 3;
        break;
    }
    return dst->pixels + (size_t)y0 * dst->stride + 3 * (size_t)x0;
}

static void put_row(const struct zt_image *dst, int orientation, int y, const uint8_t *rgb, int n)
{
    ptrdiff_t step;
    uint8_t *to = place_row(dst, orientation, y, &step);

    if (step == 3) {
        memcpy(to, rgb, 3 * (size_t)n);
        return;
    }
    for (int x = 0; x < n; x++) /* the pointer is made from scratch: it never leaves the picture */
        memcpy(to + x * step, rgb + 3 * (size_t)x, 3);
}

static enum zt_code render(const struct zt_raster *r, int orientation, const struct zt_image *dst,
                           struct zt_err *err)
{
    size_t n = (size_t)r->width_px;
    void *memory = NULL;

    ZT_TRY(zt_try_alloc(n, 4 + 3 + 1, "a row of the picture", &memory, err));
    zt_auto_free uint8_t *px = memory;
    uint8_t *rgb = px + 4 * n;
    uint8_t *alpha = rgb + 3 * n;
    zt_auto(icc) struct zt_icc *icc = zt_icc_new(r->icc.data, r->icc.n, r->channels);
    for (int y = 0; y < r->height_px; y++) {
        zt_raster_row(r, y, px, alpha);
        if (icc)
            zt_icc_row(icc, px, rgb, r->width_px);
        else
            plain_to_rgb(px, r->channels, rgb, r->width_px);
        if (r->has_alpha)
            blend_over_white(rgb, alpha, r->width_px);
        put_row(dst, orientation, y, rgb, r->width_px);
    }
    return ZT_OK;
}

enum zt_code zt_image_decode(const void *bytes, size_t n, const struct zt_image_limits *limits,
                             struct zt_image *ret, struct zt_err *err)
{
    __attribute__((cleanup(zt_raster_clear))) struct zt_raster raster = { 0 };
    const struct format *format = NULL;
    struct zt_head head = { 0 };
    struct zt_image_info info = { 0 };
    void *pixels = NULL;

    ZT_TRY(probe(bytes, n, limits, &format, &head, &info, err));
    zt_assert(format != NULL);
    ZT_TRY(format->open(bytes, n, &raster, err));
    struct zt_image image = { .width_px = info.width_px,
                              .height_px = info.height_px,
                              .stride = 3 * (size_t)info.width_px };
    ZT_TRY(zt_try_alloc(image.stride, (size_t)info.height_px, "the picture", &pixels, err));
    image.pixels = pixels;
    enum zt_code rc = render(&raster, head.orientation, &image, err);
    if (rc != ZT_OK) {
        free(pixels);
        return rc;
    }
    *ret = image;
    return ZT_OK;
}

void zt_image_clear(struct zt_image *image)
{
    free(image->pixels);
    memset(image, 0, sizeof(*image));
}
