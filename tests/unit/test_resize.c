/* Resampling: exact where the result is known, and the same on any number of threads. */
#include "media/resize.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/thread.h"
#include "check.h"
#include "media/colour.h"

#define PI 3.14159265358979323846

static struct zt_image make(int w, int h)
{
    struct zt_image image = { w, h, 3 * (size_t)w + 5, NULL }; /* a stride of its own */

    image.pixels = zt_new_array(uint8_t, image.stride * (size_t)h);
    return image;
}

static void put(struct zt_image *image, int x, int y, uint8_t v)
{
    memset(image->pixels + (size_t)y * image->stride + 3 * (size_t)x, v, 3);
}

static void keeps_what_is_not_scaled(void)
{
    struct zt_image src = make(37, 23);
    struct zt_crop part = { 5, 4, 20, 10 };
    uint8_t dst[10][20][3];
    int wrong = 0;

    for (size_t i = 0; i < src.stride * 23; i++)
        src.pixels[i] = (uint8_t)(i * 2654435761u >> 11);
    CHECK_INT("resize", zt_resize_rgb24(&src, &part, dst[0][0], 60, 20, 10, NULL, NULL), ZT_OK);
    for (size_t y = 0; y < 10; y++)
        wrong += memcmp(dst[y], src.pixels + (y + 4) * src.stride + 15, 60) != 0;
    CHECK_INT("rows changed", wrong, 0);
    zt_image_clear(&src);
}

/* One colour stays that colour at any size, edges included. */
static void keeps_a_flat_colour(void)
{
    static const int sizes[][2] = { { 1, 1 }, { 3, 200 }, { 7, 5 }, { 40, 30 }, { 97, 61 } };
    struct zt_image src = make(40, 30);
    struct zt_crop part = { 0.3, 0.7, 39.2, 28.9 };

    memset(src.pixels, 173, src.stride * 30);
    for (size_t i = 0; i < ZT_COUNT(sizes); i++) {
        int w = sizes[i][0];
        int h = sizes[i][1];
        int wrong = 0;
        size_t n = 3 * (size_t)w * (size_t)h;
        uint8_t *dst = zt_new_array(uint8_t, n);
        CHECK_INT("resize", zt_resize_rgb24(&src, &part, dst, 3 * (size_t)w, w, h, NULL, NULL),
                  ZT_OK);
        for (size_t k = 0; k < n; k++)
            wrong += dst[k] != 173;
        CHECK_INT("pixels changed", wrong, 0);
        free(dst);
    }
    zt_image_clear(&src);
}

/* A black and white checkerboard seen from afar is half the light: sRGB 188, not 128. */
static void averages_light(void)
{
    struct zt_image src = make(256, 256);
    uint8_t dst[16][16][3];
    struct zt_crop all = zt_crop_all(&src);

    for (int y = 0; y < 256; y++)
        for (int x = 0; x < 256; x++)
            put(&src, x, y, (x + y) % 2 ? 255 : 0);
    CHECK_INT("resize", zt_resize_rgb24(&src, &all, dst[0][0], 48, 16, 16, NULL, NULL), ZT_OK);
    for (int y = 2; y < 14; y++)
        CHECK_NEAR("grey", dst[y][y][0], 188, 1);
    zt_image_clear(&src);
}

/* A smooth wave, moved by a third of a pixel and scaled: against its formula. */
static void interpolates_between_pixels(void)
{
    static const double scales[] = { 0.43, 0.8, 1, 1.7, 2.6 }; /* source pixels an output pixel */
    struct zt_image src = make(400, 16);

    for (int y = 0; y < 16; y++)
        for (int x = 0; x < 400; x++)
            put(&src, x, y, zt_linear_to_srgb((float)(0.5 + 0.4 * sin(2 * PI * (x + 0.5) / 40))));
    for (size_t i = 0; i < ZT_COUNT(scales); i++) {
        struct zt_crop part = { 50 + 1 / 3.0, 2, 100 * scales[i], 8 };
        float dst[8][100][3];
        double most = 0;
        CHECK_INT("resize", zt_resize_linear(&src, &part, dst[0][0], 100, 8, NULL, NULL), ZT_OK);
        for (int x = 0; x < 100; x++) {
            double at = part.x + (x + 0.5) * scales[i];
            double d = fabs(dst[4][x][1] - (0.5 + 0.4 * sin(2 * PI * at / 40)));
            most = d > most ? d : most;
        }
        CHECK_BELOW("error", most, 0.006); /* half an sRGB step is up to 0.0045 here */
    }
    zt_image_clear(&src);
}

static void is_the_same_on_any_number_of_threads(void)
{
    struct zt_image src = make(301, 211);
    struct zt_crop part = { 10.25, 3.5, 280.125, 200 };
    uint8_t one[90][120][3];
    uint8_t many[90][120][3];

    for (size_t i = 0; i < src.stride * 211; i++)
        src.pixels[i] = (uint8_t)(i * 2654435761u >> 7);
    CHECK_INT("one", zt_resize_rgb24(&src, &part, one[0][0], 360, 120, 90, NULL, NULL), ZT_OK);
    for (int threads = 1; threads <= 4; threads++) {
        struct zt_pool *pool = zt_pool_new(threads);
        CHECK_INT("many", zt_resize_rgb24(&src, &part, many[0][0], 360, 120, 90, pool, NULL),
                  ZT_OK);
        CHECK_INT("difference", memcmp(one, many, sizeof(one)), 0);
        zt_pool_free(pool);
    }
    zt_image_clear(&src);
}

static void refuses_what_is_outside(void)
{
    static const struct {
        const char *label;
        struct zt_crop crop;
        int w, h;
        enum zt_code code;
    } rows[] = {
        { "all", { 0, 0, 8, 6 }, 4, 4, ZT_OK },
        { "all but for rounding", { -1e-9, 0, 8.0000000001, 6 }, 4, 4, ZT_OK },
        { "left", { -1, 0, 8, 6 }, 4, 4, ZT_E_INVALID },
        { "below", { 0, 1, 8, 6 }, 4, 4, ZT_E_INVALID },
        { "empty", { 0, 0, 0, 6 }, 4, 4, ZT_E_INVALID },
        { "not a number", { NAN, 0, 8, 6 }, 4, 4, ZT_E_INVALID },
        { "infinite", { 0, 0, INFINITY, 6 }, 4, 4, ZT_E_INVALID },
        { "no width", { 0, 0, 8, 6 }, 0, 4, ZT_E_INVALID },
        { "huge", { 0, 0, 8, 6 }, 4, 20000, ZT_E_INVALID },
    };
    struct zt_image src = make(8, 6);
    uint8_t dst[4][4][3];

    for (size_t i = 0; i < ZT_COUNT(rows); i++)
        CHECK_INT(
            rows[i].label,
            zt_resize_rgb24(&src, &rows[i].crop, dst[0][0], 12, rows[i].w, rows[i].h, NULL, NULL),
            rows[i].code);
    struct zt_crop wide = zt_crop_to_aspect(&src, 2, 1);
    CHECK_NEAR("crop to 2:1", wide.h, 4, 1e-9);
    CHECK_NEAR("crop to 2:1, centred", wide.y, 1, 1e-9);
    zt_image_clear(&src);
}

int main(void)
{
    RUN(keeps_what_is_not_scaled);
    RUN(keeps_a_flat_colour);
    RUN(averages_light);
    RUN(interpolates_between_pixels);
    RUN(is_the_same_on_any_number_of_threads);
    RUN(refuses_what_is_outside);
    return check_done();
}
