/* Colour: the tables against the formula, the integer matrices against BT.709 and BT.601. */
#include "media/colour.h"

#include <stdlib.h>

#include "base/thread.h"
#include "check.h"
#include "media/frame.h"

static void turns_srgb_into_light_and_back(void)
{
    const float *linear = zt_srgb_to_linear_table();
    int wrong = 0;

    CHECK_NEAR("black", linear[0], 0, 0);
    CHECK_NEAR("white", linear[255], 1, 1e-7);
    CHECK_NEAR("128", linear[128], 0.2158605, 1e-6);
    for (int i = 0; i < 256; i++)
        wrong += zt_linear_to_srgb(linear[i]) != i;
    CHECK_INT("bytes not found again", wrong, 0);
    CHECK_INT("below", zt_linear_to_srgb(-1), 0);
    CHECK_INT("above", zt_linear_to_srgb(2), 255);
    CHECK_INT("not a number", zt_linear_to_srgb(NAN), 0);
}

static void gives_bt709(void)
{
    /* clang-format off */
    static const struct {
        const char *label;
        uint8_t rgb[3], yuv[3];
    } rows[] = { /* from ITU-R BT.709-6, table 3 and 4 */
        { "black",  {   0,   0,   0 }, {  16, 128, 128 } },
        { "white",  { 255, 255, 255 }, { 235, 128, 128 } },
        { "grey",   { 128, 128, 128 }, { 126, 128, 128 } },
        { "red",    { 255,   0,   0 }, {  63, 102, 240 } },
        { "green",  {   0, 255,   0 }, { 173,  42,  26 } },
        { "blue",   {   0,   0, 255 }, {  32, 240, 118 } },
    };
    /* clang-format on */
    for (size_t i = 0; i < ZT_COUNT(rows); i++) {
        struct zt_frame_buf rgb;
        struct zt_frame_buf yuv;
        struct zt_frame_buf back;
        CHECK_INT("rgb", zt_frame_buf_init(&rgb, ZT_PIXELS_RGB24, 5, 3, NULL), ZT_OK);
        CHECK_INT("yuv", zt_frame_buf_init(&yuv, ZT_PIXELS_YUV420, 5, 3, NULL), ZT_OK);
        CHECK_INT("back", zt_frame_buf_init(&back, ZT_PIXELS_RGB24, 5, 3, NULL), ZT_OK);
        for (int y = 0; y < 3; y++)
            for (int x = 0; x < 5; x++)
                memcpy(rgb.plane[0] + (size_t)y * rgb.view.stride[0] + 3 * (size_t)x, rows[i].rgb,
                       3);
        zt_frame_convert(&rgb.view, &yuv, NULL);
        CHECK_INT(rows[i].label, yuv.plane[0][2 * yuv.view.stride[0] + 4], rows[i].yuv[0]);
        for (int c = 1; c < 3; c++)
            CHECK_INT(rows[i].label, yuv.plane[c][yuv.view.stride[c] + 2], rows[i].yuv[c]);
        zt_frame_convert(&yuv.view, &back, NULL);
        for (int c = 0; c < 3; c++)
            CHECK_NEAR(rows[i].label, back.plane[0][2 * back.view.stride[0] + 12 + (size_t)c],
                       rows[i].rgb[c], 2);
        zt_frame_buf_clear(&rgb);
        zt_frame_buf_clear(&yuv);
        zt_frame_buf_clear(&back);
    }
}

/* A ramp of colour: chroma at column 2 i is that of pixel 2 i, not of the middle of two. */
static void keeps_chroma_to_the_left(void)
{
    struct zt_frame_buf rgb;
    struct zt_frame_buf yuv;
    int wrong = 0;

    CHECK_INT("rgb", zt_frame_buf_init(&rgb, ZT_PIXELS_RGB24, 64, 2, NULL), ZT_OK);
    CHECK_INT("yuv", zt_frame_buf_init(&yuv, ZT_PIXELS_YUV420, 64, 2, NULL), ZT_OK);
    for (size_t y = 0; y < 2; y++)
        for (size_t x = 0; x < 64; x++)
            rgb.plane[0][y * rgb.view.stride[0] + 3 * x + 2] = (uint8_t)(4 * x);
    zt_frame_convert(&rgb.view, &yuv, NULL);
    for (int i = 1; i < 31; i++)
        wrong += abs(yuv.plane[1][i] - (int)lrint(128 + 0.439216 * 8 * i)) > 0;
    CHECK_INT("columns off their place", wrong, 0);
    zt_frame_buf_clear(&rgb);
    zt_frame_buf_clear(&yuv);
}

static void is_the_same_on_any_number_of_threads(void)
{
    struct zt_frame_buf rgb;
    struct zt_frame_buf one;
    struct zt_frame_buf many;
    struct zt_pool *pool = zt_pool_new(3);
    int w = 333;
    int h = 201;

    CHECK_INT("rgb", zt_frame_buf_init(&rgb, ZT_PIXELS_RGB24, w, h, NULL), ZT_OK);
    CHECK_INT("one", zt_frame_buf_init(&one, ZT_PIXELS_YUV420, w, h, NULL), ZT_OK);
    CHECK_INT("many", zt_frame_buf_init(&many, ZT_PIXELS_YUV420, w, h, NULL), ZT_OK);
    for (size_t i = 0; i < rgb.view.stride[0] * (size_t)h; i++)
        rgb.plane[0][i] = (uint8_t)(i * 2654435761u >> 13);
    zt_frame_convert(&rgb.view, &one, NULL);
    zt_frame_convert(&rgb.view, &many, pool);
    for (int p = 0; p < 3; p++)
        CHECK("planes", memcmp(one.plane[p], many.plane[p],
                               one.view.stride[p] * (size_t)(p ? (h + 1) / 2 : h)) == 0);
    zt_pool_free(pool);
    zt_frame_buf_clear(&rgb);
    zt_frame_buf_clear(&one);
    zt_frame_buf_clear(&many);
}

static void gives_jfif(void)
{
    static const uint8_t rgb[] = { 255, 0, 0, 0, 255, 0, 0, 0, 255, 77, 77, 77, 200, 150, 30 };
    static const uint8_t want[][3] = {
        { 76, 85, 255 }, { 150, 44, 21 }, { 29, 255, 107 }, { 77, 128, 128 }, { 151, 60, 163 }
    };
    uint8_t ycc[3][5];
    uint8_t back[15];
    int16_t c64[2][5];

    zt_rgb24_to_jpeg_row(rgb, 5, ycc[0], ycc[1], ycc[2]);
    for (int i = 0; i < 5; i++) {
        for (int c = 0; c < 3; c++)
            CHECK_INT("component", ycc[c][i], want[i][c]);
        c64[0][i] = (int16_t)(64 * (ycc[1][i] - 128));
        c64[1][i] = (int16_t)(64 * (ycc[2][i] - 128));
    }
    zt_jpeg_row_to_rgb24(ycc[0], c64[0], c64[1], 5, back);
    for (int i = 0; i < 15; i++)
        CHECK_NEAR("back", back[i], rgb[i], 2);
}

static void refuses_frames_that_do_not_fit(void)
{
    struct zt_frame_buf buf;
    struct zt_err err = { 0 };
    static const uint8_t pixels[64];
    struct zt_frame frame = { ZT_PIXELS_RGB24, 4, 4, { pixels }, { 11 } };

    CHECK_INT("no width", zt_frame_buf_init(&buf, ZT_PIXELS_RGB24, 0, 4, &err), ZT_E_INVALID);
    CHECK_HAS("no width", err.msg, "not 0x4");
    CHECK_INT("huge", zt_frame_buf_init(&buf, ZT_PIXELS_YUV420, 4, 16385, NULL), ZT_E_INVALID);
    CHECK_INT("short stride", zt_frame_check(&frame, &err), ZT_E_INVALID);
    CHECK_HAS("short stride", err.msg, "at least 12");
    frame.stride[0] = 12;
    CHECK_INT("enough", zt_frame_check(&frame, NULL), ZT_OK);
    frame.format = ZT_PIXELS_YUV420;
    CHECK_INT("planes missing", zt_frame_check(&frame, NULL), ZT_E_INVALID);
}

int main(void)
{
    RUN(turns_srgb_into_light_and_back);
    RUN(gives_bt709);
    RUN(keeps_chroma_to_the_left);
    RUN(is_the_same_on_any_number_of_threads);
    RUN(gives_jfif);
    RUN(refuses_frames_that_do_not_fit);
    return check_done();
}
