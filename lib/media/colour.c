/*
 * colour.c - see colour.h. Coefficients are those of ITU-R BT.709-6 and BT.601-7 / JFIF 1.02 in
 * fixed point; each row of a matrix for chroma adds up to zero, so grey stays exactly grey.
 */
#include "media/colour.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>

#include "media/frame.h"

#define LINEAR_STEPS 65536

/* Written once, by fill_tables; constants ever after. */
static float to_linear[256];
static uint8_t to_srgb[LINEAR_STEPS];
static pthread_once_t tables_once = PTHREAD_ONCE_INIT;

static void fill_tables(void)
{
    for (int i = 0; i < 256; i++) {
        double v = i / 255.0;
        to_linear[i] = (float)(v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4));
    }
    for (int i = 0; i < LINEAR_STEPS; i++) {
        double v = i / (double)(LINEAR_STEPS - 1);
        double s = v <= 0.0031308 ? 12.92 * v : 1.055 * pow(v, 1 / 2.4) - 0.055;
        to_srgb[i] = (uint8_t)(s * 255 + 0.5);
    }
}

const float *zt_srgb_to_linear_table(void)
{
    pthread_once(&tables_once, fill_tables);
    return to_linear;
}

const uint8_t *zt_linear_to_srgb_table(void)
{
    pthread_once(&tables_once, fill_tables);
    return to_srgb;
}

uint8_t zt_linear_to_srgb(float linear)
{
    float v = linear > 0 ? linear : 0; /* NaN becomes 0 */

    v = v < 1 ? v : 1;
    return zt_linear_to_srgb_table()[(int)(v * (LINEAR_STEPS - 1) + 0.5f)];
}

static inline uint8_t clamp_byte(int v)
{
    return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

ZT_MEDIA_CLONES static void luma_row(const uint8_t *rgb, int n, uint8_t *y)
{
    for (int x = 0; x < n; x++)
        y[x] = (uint8_t)((5983 * rgb[3 * x] + 20127 * rgb[3 * x + 1] + 2032 * rgb[3 * x + 2] +
                          (16 << 15) + (1 << 14)) >>
                         15);
}

/* The sums of two rows, a plane a colour, one sample repeated at both ends. */
struct row_sums {
    int16_t c[3][ZT_FRAME_MAX_SIDE_PX + 2];
};

ZT_MEDIA_CLONES static void sum_rows(const uint8_t *a, const uint8_t *b, int n,
                                     struct row_sums *sums)
{
    for (int x = 0; x < n; x++) {
        sums->c[0][x + 1] = (int16_t)(a[3 * x] + b[3 * x]);
        sums->c[1][x + 1] = (int16_t)(a[3 * x + 1] + b[3 * x + 1]);
        sums->c[2][x + 1] = (int16_t)(a[3 * x + 2] + b[3 * x + 2]);
    }
    for (int i = 0; i < 3; i++) {
        sums->c[i][0] = sums->c[i][1];
        sums->c[i][n + 1] = sums->c[i][n];
    }
}

ZT_MEDIA_CLONES static void chroma_row(const struct row_sums *sums, int n, uint8_t *u, uint8_t *v)
{
    for (int i = 0; i < n; i++) {
        const int16_t *rs = sums->c[0] + 2 * i;
        const int16_t *gs = sums->c[1] + 2 * i;
        const int16_t *bs = sums->c[2] + 2 * i;
        int r = rs[0] + 2 * rs[1] + rs[2]; /* eight times the mean */
        int g = gs[0] + 2 * gs[1] + gs[2];
        int b = bs[0] + 2 * bs[1] + bs[2];
        u[i] = (uint8_t)((-3298 * r - 11094 * g + 14392 * b + (128 << 18) + (1 << 17)) >> 18);
        v[i] = (uint8_t)((14392 * r - 13072 * g - 1320 * b + (128 << 18) + (1 << 17)) >> 18);
    }
}

void zt_rgb24_to_yuv420(const uint8_t *rgb, size_t rgb_stride, int width_px, int height_px,
                        uint8_t *const plane[3], const size_t stride[3], int first, int end)
{
    struct row_sums sums;

    zt_assert(width_px > 0 && width_px <= ZT_FRAME_MAX_SIDE_PX);
    for (int c = first; c < end; c++) {
        size_t y = 2 * (size_t)c;
        const uint8_t *a = rgb + y * rgb_stride;
        bool has_b = y + 1 < (size_t)height_px;
        const uint8_t *b = has_b ? a + rgb_stride : a;
        luma_row(a, width_px, plane[0] + y * stride[0]);
        if (has_b)
            luma_row(b, width_px, plane[0] + (y + 1) * stride[0]);
        sum_rows(a, b, width_px, &sums);
        chroma_row(&sums, (width_px + 1) / 2, plane[1] + (size_t)c * stride[1],
                   plane[2] + (size_t)c * stride[2]);
    }
}

/* Chroma of one luma row, four-fold, one sample repeated at the end. */
ZT_MEDIA_CLONES static void mix_chroma(const uint8_t *near, const uint8_t *far, int n, int16_t *dst)
{
    for (int i = 0; i < n; i++)
        dst[i] = (int16_t)(3 * near[i] + far[i] - 4 * 128);
    dst[n] = dst[n - 1];
}

/* y in units, u and v eight-fold around zero. */
static inline void put_video_pixel(int y, int u, int v, uint8_t *rgb)
{
    int l = 9539 * 8 * (y - 16) + (1 << 15);

    rgb[0] = clamp_byte((l + 14686 * v) >> 16);
    rgb[1] = clamp_byte((l - 1747 * u - 4366 * v) >> 16);
    rgb[2] = clamp_byte((l + 17305 * u) >> 16);
}

void zt_yuv420_to_rgb24(const uint8_t *const plane[3], const size_t stride[3], int width_px,
                        int height_px, uint8_t *rgb, size_t rgb_stride, int first, int end)
{
    int16_t u[ZT_FRAME_MAX_SIDE_PX / 2 + 1] = { 0 };
    int16_t v[ZT_FRAME_MAX_SIDE_PX / 2 + 1] = { 0 };
    int cw = (width_px + 1) / 2;
    int ch = (height_px + 1) / 2;

    zt_assert(width_px > 0 && width_px <= ZT_FRAME_MAX_SIDE_PX);
    for (int y = first; y < end; y++) {
        int near = y / 2;
        int far = y % 2 ? near + 1 : near - 1;
        far = far < 0 ? 0 : far >= ch ? ch - 1 : far;
        mix_chroma(plane[1] + (size_t)near * stride[1], plane[1] + (size_t)far * stride[1], cw, u);
        mix_chroma(plane[2] + (size_t)near * stride[2], plane[2] + (size_t)far * stride[2], cw, v);
        const uint8_t *l = plane[0] + (size_t)y * stride[0];
        uint8_t *dst = rgb + (size_t)y * rgb_stride;
        for (int x = 0; x < width_px; x++) {
            int i = x / 2;
            int j = i + x % 2; /* an odd column lies halfway to the next sample */
            put_video_pixel(l[x], u[i] + u[j], v[i] + v[j], dst + 3 * (size_t)x);
        }
    }
}

void zt_rgb24_to_jpeg_row(const uint8_t *rgb, int n, uint8_t *y, uint8_t *cb, uint8_t *cr)
{
    for (int x = 0; x < n; x++) {
        int r = rgb[3 * x];
        int g = rgb[3 * x + 1];
        int b = rgb[3 * x + 2];
        y[x] = (uint8_t)((19595 * r + 38470 * g + 7471 * b + 32768) >> 16);
        cb[x] = clamp_byte((-11059 * r - 21709 * g + 32768 * b + (128 << 16) + 32768) >> 16);
        cr[x] = clamp_byte((32768 * r - 27439 * g - 5329 * b + (128 << 16) + 32768) >> 16);
    }
}

ZT_MEDIA_CLONES static void jpeg_row(const uint8_t *y, const int16_t *cb64, const int16_t *cr64,
                                     int n, uint8_t *rgb)
{
    for (int x = 0; x < n; x++) {
        int l = y[x] * (1 << 20) + (1 << 19);
        int cb = cb64[x];
        int cr = cr64[x];
        rgb[3 * x] = clamp_byte((l + 22970 * cr) >> 20);
        rgb[3 * x + 1] = clamp_byte((l - 5638 * cb - 11700 * cr) >> 20);
        rgb[3 * x + 2] = clamp_byte((l + 29032 * cb) >> 20);
    }
}

void zt_jpeg_row_to_rgb24(const uint8_t *y, const int16_t *cb64, const int16_t *cr64, int n,
                          uint8_t *rgb)
{
    jpeg_row(y, cb64, cr64, n, rgb);
}
