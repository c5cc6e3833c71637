/* paint.c - see paint.h. */
#include "motion/paint.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#if defined(__x86_64__) && defined(__GNUC__)
#define PAINT_AVX2
#include <immintrin.h>
#endif

#include "base/mem.h"

#define BORDER     4     /* repeated pixels on each side: the filter's reach and a half pixel */
#define FRACTIONS  256   /* sub-pixel positions */
#define ONE        16384 /* a filter weight of 1 */
#define PLANES     5     /* x0 y0 x1 y1 mix */
#define FROM_FIXED (1.0f / (64.0f * (float)ONE))

static int16_t filter[FRACTIONS][4];
static int16_t across[FRACTIONS][16]; /* w0 w1, four times, then w2 w3: as vectors want them */
static pthread_once_t filter_made = PTHREAD_ONCE_INIT;

/* Catmull-Rom (cubic convolution with a = -1/2: Keys, 1981), each row adding up to ONE. */
static void make_filter(void)
{
    for (size_t i = 0; i < FRACTIONS; i++) {
        double t = (double)i / FRACTIONS;
        double k[4] = { 0.5 * t * (-1.0 + t * (2.0 - t)), 1.0 + 0.5 * t * t * (-5.0 + 3.0 * t),
                        0.5 * t * (1.0 + t * (4.0 - 3.0 * t)), 0.5 * t * t * (t - 1.0) };
        int sum = 0;
        for (int j = 0; j < 4; j++) {
            filter[i][j] = (int16_t)lrint(k[j] * ONE);
            sum += filter[i][j];
        }
        filter[i][t < 0.5 ? 1 : 2] = (int16_t)(filter[i][t < 0.5 ? 1 : 2] + ONE - sum);
        for (int j = 0; j < 16; j++)
            across[i][j] = filter[i][j / 8 * 2 + j % 2];
    }
}

enum zt_code zt_paint_image_init(struct zt_paint_image *ret, const struct zt_image *image,
                                 struct zt_err *err)
{
    int w = image->width_px, h = image->height_px;
    size_t stride = ((size_t)w + 2 * BORDER) * 4;
    void *pixels = NULL;

    pthread_once(&filter_made, make_filter);
    ZT_TRY(zt_try_alloc((size_t)h + 2 * BORDER, stride, "a picture of the passage", &pixels, err));
    for (int y = 0; y < h + 2 * BORDER; y++) {
        int from = y - BORDER < 0 ? 0 : y - BORDER > h - 1 ? h - 1 : y - BORDER;
        const uint8_t *in = image->pixels + (size_t)from * image->stride;
        uint8_t *out = (uint8_t *)pixels + (size_t)y * stride;
        for (int x = 0; x < w + 2 * BORDER; x++, out += 4) {
            int i = x - BORDER < 0 ? 0 : x - BORDER > w - 1 ? w - 1 : x - BORDER;
            memcpy(out, in + 3 * i, 3);
        }
    }
    *ret = (struct zt_paint_image){ w, h, stride, pixels };
    return ZT_OK;
}

void zt_paint_image_clear(struct zt_paint_image *image)
{
    free(image->pixels);
    *image = (struct zt_paint_image){ 0 };
}

void zt_paint_copy_row(const struct zt_paint_image *image, int y, uint8_t *rgb)
{
    const uint8_t *in = image->pixels + (size_t)(y + BORDER) * image->stride + BORDER * 4;

    for (int x = 0; x < image->width; x++, in += 4, rgb += 3)
        memcpy(rgb, in, 3);
}

/* ---- mesh ---------------------------------------------------------------------------------- */

enum zt_code zt_paint_mesh_init(struct zt_paint_mesh *mesh, int width, int height,
                                struct zt_err *err)
{
    int columns = (width + ZT_MESH_STEP - 1) / ZT_MESH_STEP + 1;
    int rows = (height + ZT_MESH_STEP - 1) / ZT_MESH_STEP + 1;
    size_t n = (size_t)columns * (size_t)rows;
    void *block = NULL;

    ZT_TRY(zt_try_alloc(n, PLANES * sizeof(float), "the mesh of the passage", &block, err));
    *mesh = (struct zt_paint_mesh){ .columns = columns, .rows = rows, .x0 = block };
    mesh->y0 = mesh->x0 + n;
    mesh->x1 = mesh->y0 + n;
    mesh->y1 = mesh->x1 + n;
    mesh->mix = mesh->y1 + n;
    return ZT_OK;
}

void zt_paint_mesh_clear(struct zt_paint_mesh *mesh)
{
    free(mesh->x0);
    *mesh = (struct zt_paint_mesh){ 0 };
}

size_t zt_paint_scratch_floats(const struct zt_paint_mesh *mesh)
{
    return (size_t)mesh->columns * (size_t)(1 + (PLANES + 1) * ZT_MESH_STEP);
}

/*
 * What the pixels of a row need, spread from the mesh: coordinates in 1/256 pixels of the store,
 * border included, so never negative.
 */
struct row {
    const uint32_t *x0, *y0, *x1, *y1;
    const float *mix;
};

#define ALWAYS_INLINE static inline __attribute__((always_inline))

/* The line a share t of the way from line a to line b, `step` further down. */
ALWAYS_INLINE void between_lines(const float *a, const float *b, float t, float step, float tear,
                                 int n, float *out)
{
    float ahead = t < 0.5f ? t * step : (t - 1.0f) * step;

    for (int i = 0; i < n; i++) {
        float d = b[i] - a[i], nearer = t < 0.5f ? a[i] : b[i];
        out[i] = fabsf(d - step) > tear ? nearer + ahead : a[i] + t * d;
    }
}

ALWAYS_INLINE void spread(const float *line, int columns, float step, float tear, float *out)
{
    for (int i = 0; i + 1 < columns; i++) {
        float a = line[i], b = line[i + 1], d = (b - a) * (1.0f / ZT_MESH_STEP);
        float own = step * (1.0f / ZT_MESH_STEP);
        bool torn = fabsf(b - a - step) > tear;
        for (int k = 0; k < ZT_MESH_STEP; k++) {
            float from = torn && 2 * k >= ZT_MESH_STEP ? b - own * ZT_MESH_STEP : a;
            out[i * ZT_MESH_STEP + k] = from + (torn ? own : d) * (float)k;
        }
    }
}

/* Into the store; what lies outside of the picture is mirrored into it, once. */
ALWAYS_INLINE void to_fixed(const float *values, int n, int size, uint32_t *out)
{
    float high = (float)size - 0.5f;

    for (int i = 0; i < n; i++) {
        float v = fabsf(values[i] + 0.5f) - 0.5f;
        v = high - fabsf(high - v);
        v = v > -0.5f ? v : -0.5f; /* also what is not a number */
        v = v < high ? v : high;
        out[i] = (uint32_t)(int32_t)((v + (float)BORDER) * (float)FRACTIONS + 0.5f);
    }
}

ALWAYS_INLINE struct row prepare(const struct zt_paint_image *image,
                                 const struct zt_paint_mesh *mesh, int y, float *scratch)
{
    const float *planes[PLANES] = { mesh->x0, mesh->y0, mesh->x1, mesh->y1, mesh->mix };
    int columns = mesh->columns, wide = columns * ZT_MESH_STEP;
    size_t above = (size_t)(y / ZT_MESH_STEP) * (size_t)columns;
    float t = (float)(y % ZT_MESH_STEP) * (1.0f / ZT_MESH_STEP);
    float *line = scratch, *mix = line + columns, *spare = mix + wide;
    uint32_t *fixed = (uint32_t *)(void *)(spare + wide);

    for (int p = 0; p < PLANES; p++) {
        const float *a = planes[p] + above;
        if (p == PLANES - 1) {
            between_lines(a, a + columns, t, 0.0f, 2.0f, columns, line);
            spread(line, columns, 0.0f, 2.0f, mix);
            break;
        }
        between_lines(a, a + columns, t, mesh->down[p], ZT_MESH_TEAR, columns, line);
        spread(line, columns, mesh->across[p], ZT_MESH_TEAR, spare);
        to_fixed(spare, wide - ZT_MESH_STEP, p % 2 == 0 ? image->width : image->height,
                 fixed + p * wide);
    }
    return (struct row){ fixed, fixed + wide, fixed + 2 * wide, fixed + 3 * wide, mix };
}

/* ---- portable ------------------------------------------------------------------------------ */

static void sample(const struct zt_paint_image *image, uint32_t x, uint32_t y, float ret[3])
{
    const uint8_t *at = image->pixels + (size_t)(y / FRACTIONS - 1) * image->stride +
                        (size_t)(x / FRACTIONS - 1) * 4;
    const int16_t *wx = filter[x % FRACTIONS], *wy = filter[y % FRACTIONS];

    for (int c = 0; c < 3; c++) {
        int32_t sum = 0;
        for (int i = 0; i < 4; i++) {
            int32_t column = 0;
            for (int j = 0; j < 4; j++) {
                int32_t v = at[(size_t)j * image->stride + (size_t)(4 * i + c)];
                column += (v * 128 * wy[j] + ONE) >> 15;
            }
            sum += column * wx[i];
        }
        float f = (float)sum * FROM_FIXED;
        ret[c] = f < 0.0f ? 0.0f : f > 255.0f ? 255.0f : f;
    }
}

void zt_paint_row_portable(const struct zt_paint_image *first, const struct zt_paint_image *last,
                           const struct zt_paint_mesh *mesh, int y, float *scratch, uint8_t *rgb)
{
    struct row r = prepare(first, mesh, y, scratch);

    for (int x = 0; x < first->width; x++) {
        float a[3], b[3], m = r.mix[x], k = 1.0f - m;
        sample(first, r.x0[x], r.y0[x], a);
        sample(last, r.x1[x], r.y1[x], b);
        for (int c = 0; c < 3; c++) {
            float light = a[c] * a[c] * k + b[c] * b[c] * m;
            rgb[3 * x + c] = (uint8_t)(sqrtf(light) + 0.5f);
        }
    }
}

/* ---- AVX2 ---------------------------------------------------------------------------------- */

#ifdef PAINT_AVX2

__attribute__((target("avx2"))) static inline __m128 sample_avx2(const struct zt_paint_image *image,
                                                                 uint32_t x, uint32_t y)
{
    const uint8_t *at = image->pixels + (size_t)(y / FRACTIONS - 1) * image->stride +
                        (size_t)(x / FRACTIONS - 1) * 4;
    const int16_t *wy = filter[y % FRACTIONS];
    __m256i sum = _mm256_setzero_si256();

    for (int j = 0; j < 4; j++, at += image->stride) {
        __m256i v = _mm256_cvtepu8_epi16(_mm_loadu_si128((const __m128i *)(const void *)at));
        v = _mm256_mulhrs_epi16(_mm256_slli_epi16(v, 7), _mm256_set1_epi16(wy[j]));
        sum = _mm256_add_epi16(sum, v);
    }
    /* Two pixels side by side in each half: pair their channels, then weigh and add each pair. */
    const __m256i pair = _mm256_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15, 0,
                                          1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15);
    __m256i wx = _mm256_loadu_si256((const __m256i *)(const void *)across[x % FRACTIONS]);
    __m256i s = _mm256_madd_epi16(_mm256_shuffle_epi8(sum, pair), wx);
    __m128i both = _mm_add_epi32(_mm256_castsi256_si128(s), _mm256_extracti128_si256(s, 1));
    __m128 f = _mm_mul_ps(_mm_cvtepi32_ps(both), _mm_set1_ps(FROM_FIXED));
    return _mm_min_ps(_mm_max_ps(f, _mm_setzero_ps()), _mm_set1_ps(255.0f));
}

__attribute__((target("avx2"))) static void paint_row_avx2(const struct zt_paint_image *first,
                                                           const struct zt_paint_image *last,
                                                           const struct zt_paint_mesh *mesh, int y,
                                                           float *scratch, uint8_t *rgb)
{
    struct row r = prepare(first, mesh, y, scratch);
    const __m128 half = _mm_set1_ps(0.5f);

    for (int x = 0; x < first->width; x++) {
        float m = r.mix[x];
        __m128 a = sample_avx2(first, r.x0[x], r.y0[x]);
        __m128 b = sample_avx2(last, r.x1[x], r.y1[x]);
        a = _mm_mul_ps(_mm_mul_ps(a, a), _mm_set1_ps(1.0f - m));
        b = _mm_mul_ps(_mm_mul_ps(b, b), _mm_set1_ps(m));
        __m128i v = _mm_cvttps_epi32(_mm_add_ps(_mm_sqrt_ps(_mm_add_ps(a, b)), half));
        v = _mm_packus_epi16(_mm_packs_epi32(v, v), v);
        int32_t word = _mm_cvtsi128_si32(v);
        memcpy(rgb + 3 * x, &word, sizeof(word)); /* the fourth byte is overwritten by the next */
    }
}

#endif

void zt_paint_row(const struct zt_paint_image *first, const struct zt_paint_image *last,
                  const struct zt_paint_mesh *mesh, int y, float *scratch, uint8_t *rgb)
{
#ifdef PAINT_AVX2
    if (__builtin_cpu_supports("avx2")) {
        paint_row_avx2(first, last, mesh, y, scratch, rgb);
        return;
    }
#endif
    zt_paint_row_portable(first, last, mesh, y, scratch, rgb);
}
