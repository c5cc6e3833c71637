/*
 * test_wan_picture.c - the picture a model sees is, byte for byte, what the reference makes of it.
 */
#include "base/auto.h"
#include "base/error.h"
#include "check.h"
#include "models/wan/picture.h"

/* From tools/reference/pictures.py, with Pillow 11.3: FNV-1a over rows of RGB. */
static const struct {
    int width, height, to_width, to_height;
    uint32_t digest;
} rows[] = {
    { 100, 80, 64, 96, 0x6d0491f1 },  { 80, 100, 96, 64, 0xbde7e749 },
    { 64, 64, 64, 64, 0x4845fc19 },   { 333, 217, 128, 96, 0x7674418d },
    { 97, 200, 32, 64, 0x891389a6 },  { 200, 97, 64, 32, 0x915c8060 },
    { 31, 33, 160, 160, 0x56ea8949 }, { 512, 24, 64, 64, 0x2354680e },
    { 640, 480, 64, 32, 0xa61c5ce2 },
};

static struct zt_image made_up(int width, int height)
{
    struct zt_image image = { .width_px = width, .height_px = height, .stride = (size_t)width * 3 };

    image.pixels = malloc(image.stride * (size_t)height);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++)
            for (int c = 0; c < 3; c++)
                image.pixels[(size_t)y * image.stride + (size_t)(x * 3 + c)] =
                    (uint8_t)(x * 7 + y * 13 + c * 29 + x * y % 17 * 11 + (x / 9 + y / 7) % 2 * 90);
    return image;
}

static void sees_what_the_reference_sees(void)
{
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_image image = made_up(rows[i].width, rows[i].height);
        size_t n = (size_t)rows[i].to_width * (size_t)rows[i].to_height;
        zt_auto_free float *got = malloc(n * 3 * sizeof(float));
        struct zt_err err = { 0 };
        char label[64];
        uint32_t digest = 2166136261U;

        snprintf(label, sizeof(label), "%dx%d to %dx%d", rows[i].width, rows[i].height,
                 rows[i].to_width, rows[i].to_height);
        CHECK_INT(label, zt_wan_picture(&image, rows[i].to_width, rows[i].to_height, got, &err),
                  ZT_OK);
        for (size_t k = 0; k < n; k++)
            for (size_t c = 0; c < 3; c++)
                digest = (digest ^ (uint32_t)lrintf((got[c * n + k] + 1) * 127.5F)) * 16777619U;
        CHECK_INT(label, digest, rows[i].digest);
        free(image.pixels);
    }
}

int main(void)
{
    RUN(sees_what_the_reference_sees);
    return check_done();
}
