/*
 * warp.c - see warp.h. The scalar path is the definition; warp_avx2.c, warp_avx512.c and
 * warp_neon.c compute the same numbers, many samples at a time.
 */
#include "motion/warp.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "motion/warp_cell.h"

bool zt_simd_has(enum zt_simd simd)
{
    switch (simd) {
    case ZT_SIMD_SCALAR:
        return true;
    case ZT_SIMD_NEON:
#ifdef ZT_WARP_NEON
        return true;
#else
        return false;
#endif
    case ZT_SIMD_AVX2:
#ifdef ZT_WARP_AVX2
        return __builtin_cpu_supports("avx2");
#else
        return false;
#endif
    case ZT_SIMD_AVX512:
#if defined(ZT_SIMDE)
        return true;
#elif defined(ZT_WARP_AVX512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
#else
        return false;
#endif
    }
    return false;
}

enum zt_simd zt_simd_choose(void)
{
    static const char *const words[] = {
        [ZT_SIMD_SCALAR] = "scalar",
        [ZT_SIMD_NEON] = "neon",
        [ZT_SIMD_AVX2] = "avx2",
        [ZT_SIMD_AVX512] = "avx512",
    };
    const char *asked = getenv("ZOETROPE_SIMD");
    int best = ZT_SIMD_AVX512;

    for (int i = 0; asked != NULL && i < (int)ZT_COUNT(words); i++)
        if (strcmp(asked, words[i]) == 0)
            best = i;
    while (!zt_simd_has((enum zt_simd)best))
        best--;
    return (enum zt_simd)best;
}

enum zt_code zt_warp_mesh_init(struct zt_warp_mesh *mesh, int width, int height, struct zt_err *err)
{
    void *memory = NULL;
    int columns = (width + ZT_CELL - 1) / ZT_CELL + 1, rows = (height + ZT_CELL - 1) / ZT_CELL + 1;
    size_t n = (size_t)columns * (size_t)rows;

    ZT_TRY(zt_try_alloc(n, 2 * sizeof(int32_t), "a mesh", &memory, err));
    *mesh = (struct zt_warp_mesh){
        .columns = columns, .rows = rows, .x = memory, .y = (int32_t *)memory + n
    };
    return ZT_OK;
}

void zt_warp_mesh_clear(struct zt_warp_mesh *mesh)
{
    free(mesh->x);
    *mesh = (struct zt_warp_mesh){ 0 };
}

static int weight_product(int a, int b)
{
    return (a * b + 0x4000) >> 15;
}

/*
 * The four weights of the cubic B-spline at t / 32768 between samples 1 and 2, of 32768 in sum.
 * Every product is rounded as the vector instruction for it rounds.
 */
static void spline_weights(int t, int w[4])
{
    int u = 32767 - t;
    int t2 = weight_product(t, t), t3 = weight_product(t2, t);
    int u3 = weight_product(weight_product(u, u), u);

    w[0] = weight_product(u3, ZT_SPLINE_SIXTH);
    w[1] = ZT_SPLINE_TWO_THIRDS - t2 + weight_product(t3, 16384);
    w[3] = weight_product(t3, ZT_SPLINE_SIXTH);
    w[2] = 32768 - w[0] - w[1] - w[3];
}

/* Four samples of a row, 7 bits below the sample. */
static int filter_across(const uint8_t *at, const int w[4])
{
    return (at[0] * w[0] >> 8) + (at[1] * w[1] >> 8) + (at[2] * w[2] >> 8) + (at[3] * w[3] >> 8);
}

void zt_warp_span_scalar(const struct zt_plane *plane, int32_t x, int32_t y, int32_t dx, int32_t dy,
                         int n, uint8_t *dst)
{
    for (int i = 0; i < n; i++, x += dx, y += dy) {
        const uint8_t *at =
            plane->at + (ptrdiff_t)((y >> 16) - 1) * (ptrdiff_t)plane->stride + ((x >> 16) - 1);
        int wx[4], wy[4], sum = ZT_SPLINE_ROUNDING;

        spline_weights((x & 0xffff) >> 1, wx);
        spline_weights((y & 0xffff) >> 1, wy);
        for (int row = 0; row < 4; row++, at += plane->stride)
            sum += weight_product(filter_across(at, wx), wy[row]);
        dst[i] = (uint8_t)(sum >> 7);
    }
}

static void straight_scalar(const struct zt_plane *plane, const struct zt_warp_corners *corners,
                            const struct zt_warp_columns *c, uint8_t *dst, size_t stride)
{
    int16_t across[ZT_WARP_ROWS][ZT_CELL];
    int w[4];

    for (int i = 0; i < ZT_CELL; i++) {
        int32_t step = c->lean + ((c->turn * i) >> ZT_CELL_BITS);
        int32_t x = c->x + i * c->dx + ((step * (c->group - 1)) >> 1);
        for (int row = 0; row < c->rows; row++) {
            if (row > 0 && row % c->group == 0)
                x += step * c->group;
            const uint8_t *at = plane->at + (ptrdiff_t)(c->first + row) * (ptrdiff_t)plane->stride +
                                c->left + (x >> 16) - 1;
            spline_weights((x & 0xffff) >> 1, w);
            across[row][i] = (int16_t)filter_across(at, w);
        }
    }
    for (int j = 0; j < ZT_CELL; j++, dst += stride) {
        struct zt_warp_step s = zt_warp_row(corners, j);
        for (int i = 0; i < ZT_CELL; i++) {
            int32_t y = s.y + i * s.dy;
            int row = (y >> 16) - 1 - c->first, sum = ZT_SPLINE_ROUNDING;
            spline_weights((y & 0xffff) >> 1, w);
            for (int k = 0; k < 4; k++)
                sum += weight_product(across[row + k][i], w[k]);
            dst[i] = (uint8_t)(sum >> 7);
        }
    }
}

/* columns NULL: the cell is not straight. */
static void draw_one(const struct zt_plane *plane, const struct zt_warp_corners *corners,
                     const struct zt_warp_columns *columns, uint8_t *dst, size_t stride,
                     enum zt_simd simd)
{
#ifdef ZT_WARP_AVX512
    if (simd == ZT_SIMD_AVX512) {
        if (columns != NULL)
            zt_warp_straight_avx512(plane, corners, columns, dst, stride);
        else
            zt_warp_cell_avx512(plane, corners, dst, stride);
        return;
    }
#endif
#ifdef ZT_WARP_NEON
    if (simd == ZT_SIMD_NEON) {
        if (columns != NULL)
            zt_warp_straight_neon(plane, corners, columns, dst, stride);
        else
            zt_warp_cell_neon(plane, corners, dst, stride);
        return;
    }
#endif
    (void)simd;
    if (columns != NULL) {
        straight_scalar(plane, corners, columns, dst, stride);
        return;
    }
    for (int y = 0; y < ZT_CELL; y++, dst += stride) {
        struct zt_warp_step s = zt_warp_row(corners, y);
        zt_warp_span_scalar(plane, s.x, s.y, s.dx, s.dy, ZT_CELL, dst);
    }
}

void zt_warp_cells(const struct zt_plane *planes, int n, const struct zt_warp_mesh *mesh,
                   int column, int row, uint8_t *const dst[], size_t stride, enum zt_simd simd)
{
    struct zt_warp_corners corners = zt_warp_corners_at(mesh, column, row);
    struct zt_warp_columns columns;
    bool straight = zt_warp_columns_from(&corners, &columns);

    zt_assert(n <= ZT_WARP_PLANES && planes[0].stride == planes[n - 1].stride);
#ifdef ZT_WARP_AVX2
    if (simd == ZT_SIMD_AVX2) {
        if (straight)
            zt_warp_straight_avx2(planes, n, &corners, &columns, dst, stride);
        else
            zt_warp_cell_avx2(planes, n, &corners, dst, stride);
        return;
    }
#endif
    for (int i = 0; i < n; i++)
        draw_one(&planes[i], &corners, straight ? &columns : NULL, dst[i], stride, simd);
}
