/* Pictures from outside: every kind that is read, every way they are refused. */
#include <stdlib.h>

#include "base/auto.h"
#include "base/file.h"
#include "check.h"

#define FIXTURE_MAX (1 << 20)
#define FOLDER      ZT_FIXTURES "/media/"

/* The fixtures are smaller than what people may send. */
static const struct zt_image_limits small = { .min_side_px = 1 };

struct colour {
    int r, g, b;
};

/* What the fixtures show, upright: see tests/fixtures/media/make.py. */
#define PICTURE                                                                                    \
    { 200, 40, 40 }, { 40, 180, 60 }, { 40, 60, 200 },                                             \
    {                                                                                              \
        230, 220, 120                                                                              \
    }
#define GREYS                                                                                      \
    { 200, 200, 200 }, { 90, 90, 90 }, { 30, 30, 30 },                                             \
    {                                                                                              \
        240, 240, 240                                                                              \
    }
#define WHITE                                                                                      \
    {                                                                                              \
        255, 255, 255                                                                              \
    }
#define GREYS_1 WHITE, { 0, 0, 0 }, { 0, 0, 0 }, WHITE
#define GREYS_2_4                                                                                  \
    WHITE, { 85, 85, 85 }, { 0, 0, 0 },                                                            \
    {                                                                                              \
        170, 170, 170                                                                              \
    }
/* The second quadrant half clear (128 of 255), the third wholly, over white. */
#define BLENDED                                                                                    \
    { 200, 40, 40 }, { 147, 217, 157 }, WHITE,                                                     \
    {                                                                                              \
        230, 220, 120                                                                              \
    }
#define BLENDED_GREYS                                                                              \
    { 200, 200, 200 }, { 172, 172, 172 }, WHITE,                                                   \
    {                                                                                              \
        240, 240, 240                                                                              \
    }
#define HOLED                                                                                      \
    { 200, 40, 40 }, { 40, 180, 60 }, WHITE,                                                       \
    {                                                                                              \
        230, 220, 120                                                                              \
    }
#define HOLED_GREYS                                                                                \
    { 200, 200, 200 }, { 90, 90, 90 }, WHITE,                                                      \
    {                                                                                              \
        240, 240, 240                                                                              \
    }
/* 0.299 R + 0.587 G + 0.114 B */
#define LUMA                                                                                       \
    { 88, 88, 88 }, { 124, 124, 124 }, { 70, 70, 70 },                                             \
    {                                                                                              \
        212, 212, 212                                                                              \
    }

static struct zt_buf load(const char *name)
{
    char path[1024];
    struct zt_buf buf;

    snprintf(path, sizeof(path), FOLDER "%s", name);
    zt_buf_init(&buf, FIXTURE_MAX);
    CHECK_INT(name, zt_file_read(path, &buf, NULL), ZT_OK);
    return buf;
}

/* The largest difference of a channel from the colour, away from the quadrant's borders. */
static int distance(const struct zt_image *image, int quadrant, struct colour want)
{
    int w = image->width_px / 2;
    int h = image->height_px / 2;
    int most = 0;

    for (int y = 4; y < h - 4; y++) {
        for (int x = 4; x < w - 4; x++) {
            size_t row = (size_t)(y + (quadrant >= 2 ? h : 0));
            size_t column = (size_t)(x + (quadrant % 2 ? w : 0));
            const uint8_t *p = image->pixels + row * image->stride + 3 * column;
            int d[3] = { abs(p[0] - want.r), abs(p[1] - want.g), abs(p[2] - want.b) };
            for (int c = 0; c < 3; c++)
                most = d[c] > most ? d[c] : most;
        }
    }
    return most;
}

/* clang-format off */
static const struct {
    const char *name;
    enum zt_image_format format;
    int within; /* of each channel: what the coding loses */
    struct colour quadrant[4];
} pictures[] = {
    { "jpeg_444.jpg",           ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "jpeg_422.jpg",           ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "jpeg_420.jpg",           ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "jpeg_440.jpg",           ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "jpeg_411.jpg",           ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "jpeg_progressive.jpg",   ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "jpeg_grey.jpg",          ZT_IMAGE_JPEG, 3, { LUMA } },
    { "jpeg_cmyk_adobe.jpg",    ZT_IMAGE_JPEG, 4, { PICTURE } },
    { "jpeg_ycck_adobe.jpg",    ZT_IMAGE_JPEG, 4, { PICTURE } },
    { "jpeg_cmyk_plain.jpg",    ZT_IMAGE_JPEG, 4, { PICTURE } },
    { "jpeg_rgb_adobe.jpg",     ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "exif_1.jpg",             ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "exif_2.jpg",             ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "exif_3.jpg",             ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "exif_4.jpg",             ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "exif_5.jpg",             ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "exif_6.jpg",             ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "exif_7.jpg",             ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "exif_8.jpg",             ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "exif_broken.jpg",        ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "icc_adobe_rgb.jpg",      ZT_IMAGE_JPEG, 4, { PICTURE } },
    { "icc_broken.jpg",         ZT_IMAGE_JPEG, 3, { PICTURE } },
    { "png_rgb8.png",           ZT_IMAGE_PNG,  0, { PICTURE } },
    { "png_rgb16.png",          ZT_IMAGE_PNG,  0, { PICTURE } },
    { "png_interlaced.png",     ZT_IMAGE_PNG,  0, { PICTURE } },
    { "png_palette.png",        ZT_IMAGE_PNG,  0, { PICTURE } },
    { "png_palette2.png",       ZT_IMAGE_PNG,  0, { PICTURE } },
    { "png_exif_6.png",         ZT_IMAGE_PNG,  0, { PICTURE } },
    { "png_icc_adobe_rgb.png",  ZT_IMAGE_PNG,  2, { PICTURE } },
    { "png_rgba8.png",          ZT_IMAGE_PNG,  0, { BLENDED } },
    { "png_rgba16.png",         ZT_IMAGE_PNG,  0, { BLENDED } },
    { "png_palette_trns.png",   ZT_IMAGE_PNG,  0, { BLENDED } },
    { "png_rgb_trns.png",       ZT_IMAGE_PNG,  0, { HOLED } },
    { "png_grey8.png",          ZT_IMAGE_PNG,  0, { GREYS } },
    { "png_grey16.png",         ZT_IMAGE_PNG,  0, { GREYS } },
    { "png_grey_alpha.png",     ZT_IMAGE_PNG,  0, { BLENDED_GREYS } },
    { "png_grey_trns.png",      ZT_IMAGE_PNG,  0, { HOLED_GREYS } },
    { "png_grey1.png",          ZT_IMAGE_PNG,  0, { GREYS_1 } },
    { "png_grey2.png",          ZT_IMAGE_PNG,  0, { GREYS_2_4 } },
    { "png_grey4.png",          ZT_IMAGE_PNG,  0, { GREYS_2_4 } },
    { "webp_lossy.webp",        ZT_IMAGE_WEBP, 4, { PICTURE } },
    { "webp_lossless.webp",     ZT_IMAGE_WEBP, 0, { PICTURE } },
    { "webp_alpha.webp",        ZT_IMAGE_WEBP, 0, { BLENDED } },
    { "webp_animated.webp",     ZT_IMAGE_WEBP, 0, { PICTURE } },
    { "webp_exif_3.webp",       ZT_IMAGE_WEBP, 0, { PICTURE } },
    { "webp_icc_adobe_rgb.webp", ZT_IMAGE_WEBP, 2, { PICTURE } },
};
/* clang-format on */

static void reads_every_kind(void)
{
    for (size_t i = 0; i < ZT_COUNT(pictures); i++) {
        const char *name = pictures[i].name;
        struct zt_buf file = load(name);
        struct zt_image_info info = { 0 };
        struct zt_image image = { 0 };
        struct zt_err err = { 0 };
        CHECK_INT(name, zt_image_probe(file.data, file.n, &small, &info, &err), ZT_OK);
        CHECK_INT(name, info.format, pictures[i].format);
        CHECK_INT(name, zt_image_decode(file.data, file.n, &small, &image, &err), ZT_OK);
        CHECK_STR(name, err.msg, "");
        CHECK_INT(name, image.width_px, 48);
        CHECK_INT(name, image.height_px, 32);
        CHECK_INT(name, info.width_px, 48);
        CHECK_INT(name, info.height_px, 32);
        for (int q = 0; image.pixels && q < 4; q++) {
            char label[64];
            snprintf(label, sizeof(label), "%s, quadrant %d", name, q);
            CHECK_BELOW(label, distance(&image, q, pictures[i].quadrant[q]),
                        pictures[i].within + 1);
        }
        zt_image_clear(&image);
        zt_buf_clear(&file);
    }
}

/* However much is missing, no picture comes of it; nothing is kept or leaked either. */
static void refuses_what_is_cut_short(void)
{
    for (size_t i = 0; i < ZT_COUNT(pictures); i++) {
        const char *name = pictures[i].name;
        struct zt_buf file = load(name);
        int accepted = 0;
        int odd_codes = 0;
        for (size_t n = 0; n < file.n; n++) {
            struct zt_image image = { 0 };
            zt_auto_free char *exact = malloc(n ? n : 1); /* so that reading on is found out */
            memcpy(exact, file.data, n);
            enum zt_code rc = zt_image_decode(exact, n, &small, &image, NULL);
            accepted += rc == ZT_OK;
            odd_codes += rc != ZT_E_CORRUPT && !(n < 12 && rc == ZT_E_UNSUPPORTED);
            zt_image_clear(&image);
        }
        CHECK_INT(name, accepted, 0);
        CHECK_INT(name, odd_codes, 0);
        zt_buf_clear(&file);
    }
}

/* A cut body with the end marker put back: the markers are right, the picture is not there. */
static void refuses_a_gap_before_the_end(void)
{
    static const char *const names[] = { "jpeg_444.jpg", "jpeg_420.jpg", "jpeg_grey.jpg",
                                         "exif_6.jpg" };

    for (size_t i = 0; i < ZT_COUNT(names); i++) {
        struct zt_buf file = load(names[i]);
        size_t scan = 0;
        for (size_t at = 0; at + 1 < file.n; at++)
            if ((uint8_t)file.data[at] == 0xFF && (uint8_t)file.data[at + 1] == 0xDA)
                scan = at + 2 + (uint8_t)file.data[at + 3];
        CHECK(names[i], scan > 0 && scan + 10 < file.n);
        int accepted = 0;
        for (size_t n = scan; n + 8 < file.n; n++) {
            struct zt_image image = { 0 };
            zt_auto_free char *cut = malloc(n + 2);
            memcpy(cut, file.data, n);
            memcpy(cut + n, "\xFF\xD9", 2);
            accepted += zt_image_decode(cut, n + 2, &small, &image, NULL) == ZT_OK;
            zt_image_clear(&image);
        }
        CHECK_INT(names[i], accepted, 0);
        zt_buf_clear(&file);
    }
}

static void refuses_with_a_reason(void)
{
    static const struct {
        const char *label, *name;
        struct zt_image_limits limits;
        enum zt_code code;
        const char *part; /* of the message */
    } rows[] = {
        { "another format", "gif.gif", { 0 }, ZT_E_UNSUPPORTED, "not a JPEG, PNG or WebP" },
        { "a bomb", "png_huge.png", { 0 }, ZT_E_LIMIT, "30000x30000" },
        { "pixels", "png_huge.png", { .max_side_px = 40000 }, ZT_E_LIMIT, "40000000" },
        { "a lie",
          "png_huge.png",
          { .max_side_px = 40000, .max_pixels = 900000000 },
          ZT_E_CORRUPT,
          "damaged" },
        { "too small", "png_rgb8.png", { 0 }, ZT_E_LIMIT, "at least 64" },
        { "too large",
          "png_rgb8.png",
          { .min_side_px = 1, .max_side_px = 40 },
          ZT_E_LIMIT,
          "at most 40" },
        { "bytes", "png_rgb8.png", { .max_bytes = 100 }, ZT_E_LIMIT, "at most 100" },
        { "aspect",
          "png_rgb8.png",
          { .min_side_px = 1, .max_aspect_times_1000 = 1200 },
          ZT_E_LIMIT,
          "at most 1.2 times" },
        { "aspect, upright",
          "exif_6.jpg",
          { .min_side_px = 1, .max_aspect_times_1000 = 1200 },
          ZT_E_LIMIT,
          "48x32" },
        { "two frames", "jpeg_two_frames.jpg", { .min_side_px = 1 }, ZT_E_CORRUPT, "two frame" },
        { "lossless", "jpeg_lossless.jpg", { .min_side_px = 1 }, ZT_E_UNSUPPORTED, "lossless" },
        { "12 bits", "jpeg_12_bits.jpg", { .min_side_px = 1 }, ZT_E_UNSUPPORTED, "12 bits" },
        { "checksum", "png_bad_crc.png", { .min_side_px = 1 }, ZT_E_CORRUPT, "damaged" },
        { "rows missing", "png_short.png", { .min_side_px = 1 }, ZT_E_CORRUPT, "damaged" },
        { "frame beside canvas", "webp_lie.webp", { .min_side_px = 1 }, ZT_E_CORRUPT, "damaged" },
    };
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_buf file = load(rows[i].name);
        struct zt_image image = { 0 };
        struct zt_err err = { 0 };
        CHECK_INT(rows[i].label, zt_image_decode(file.data, file.n, &rows[i].limits, &image, &err),
                  rows[i].code);
        CHECK_HAS(rows[i].label, err.msg, rows[i].part);
        CHECK(rows[i].label, image.pixels == NULL);
        zt_image_clear(&image);
        zt_buf_clear(&file);
    }
    CHECK_INT("empty", zt_image_probe("", 0, NULL, NULL, NULL), ZT_E_CORRUPT);
}

/* Each byte turned over, one at a time: any code may come, a crash or a leak may not. */
static void survives_damage(void)
{
    static const char *const names[] = { "jpeg_420.jpg",       "jpeg_cmyk_adobe.jpg",
                                         "icc_adobe_rgb.jpg",  "png_palette_trns.png",
                                         "webp_animated.webp", "webp_icc_adobe_rgb.webp" };
    static const struct zt_image_limits tight = { .min_side_px = 1, .max_pixels = 10000 };
    int decoded = 0;
    int refused = 0;

    for (size_t i = 0; i < ZT_COUNT(names); i++) {
        struct zt_buf file = load(names[i]);
        for (size_t at = 0; at < file.n; at++) {
            struct zt_image image = { 0 };
            file.data[at] = (char)~file.data[at];
            if (zt_image_decode(file.data, file.n, &tight, &image, NULL) == ZT_OK)
                decoded++;
            else
                refused++;
            zt_image_clear(&image);
            file.data[at] = (char)~file.data[at];
        }
        zt_buf_clear(&file);
    }
    CHECK("some are still pictures", decoded > 0);
    CHECK("some are not", refused > 0);
}

int main(void)
{
    RUN(reads_every_kind);
    RUN(refuses_what_is_cut_short);
    RUN(refuses_a_gap_before_the_end);
    RUN(refuses_with_a_reason);
    RUN(survives_damage);
    return check_done();
}
