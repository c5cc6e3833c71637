/*
 * warp_neon.c - the vector path of warp.c on AArch64: eight samples of a row at a time, as in
 * warp_avx2.c, with a table look-up for the shuffle. The numbers are the scalar path's.
 */
#include "motion/warp_cell.h"

#ifdef ZT_WARP_NEON

#include <arm_neon.h>

/* Source rows that eight samples of a frame row may start on. */
#define STARTS 4

/* Where eight samples look in the 16 bytes that they share, and the taps' weights. */
struct taps {
    uint8x8_t first;
    int16x8_t w[4];
};

static inline void find_weights(int16x8_t t, int16x8_t w[4])
{
    int16x8_t u = vsubq_s16(vdupq_n_s16(32767), t);
    int16x8_t t2 = vqrdmulhq_s16(t, t), t3 = vqrdmulhq_s16(t2, t);
    int16x8_t u3 = vqrdmulhq_s16(vqrdmulhq_s16(u, u), u);

    w[0] = vqrdmulhq_n_s16(u3, ZT_SPLINE_SIXTH);
    w[1] = vaddq_s16(vsubq_s16(vdupq_n_s16(ZT_SPLINE_TWO_THIRDS), t2), vqrdmulhq_n_s16(t3, 16384));
    w[3] = vqrdmulhq_n_s16(t3, ZT_SPLINE_SIXTH);
    w[2] = vsubq_s16(vdupq_n_s16(INT16_MIN), /* 32768 */
                     vaddq_s16(vaddq_s16(w[0], w[1]), w[3]));
}

/* Eight positions: whole samples from min on, and the fraction in 15 bits. */
static inline int16x8_t split(int32x4_t low, int32x4_t high, int32_t min, int16x8_t *ret_fraction)
{
    const int32x4_t mask = vdupq_n_s32(0xffff), base = vdupq_n_s32(min);

    *ret_fraction = vcombine_s16(vmovn_s32(vshrq_n_s32(vandq_s32(low, mask), 1)),
                                 vmovn_s32(vshrq_n_s32(vandq_s32(high, mask), 1)));
    return vcombine_s16(vmovn_s32(vsubq_s32(vshrq_n_s32(low, 16), base)),
                        vmovn_s32(vsubq_s32(vshrq_n_s32(high, 16), base)));
}

static inline int16x8_t split_steps(int32_t at, int32_t step, int32_t min, int16x8_t *ret_fraction)
{
    static const int32_t counted[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };

    return split(vmlaq_n_s32(vdupq_n_s32(at), vld1q_s32(counted), step),
                 vmlaq_n_s32(vdupq_n_s32(at), vld1q_s32(counted + 4), step), min, ret_fraction);
}

/* One source row, filtered along: eight values with 7 bits below the sample, below 2^15. */
static inline int16x8_t filter_across(const uint8_t *at, const struct taps *t)
{
    uint8x16_t bytes = vld1q_u8(at);
    uint16x8_t sum = vdupq_n_u16(0);

    for (int k = 0; k < 4; k++) {
        uint16x8_t v = vmovl_u8(vqtbl1_u8(bytes, vadd_u8(t->first, vdup_n_u8((uint8_t)k))));
        uint16x8_t by = vreinterpretq_u16_s16(t->w[k]);
        sum = vaddq_u16(sum,
                        vcombine_u16(vshrn_n_u32(vmull_u16(vget_low_u16(v), vget_low_u16(by)), 8),
                                     vshrn_n_u32(vmull_high_u16(v, by), 8)));
    }
    return vreinterpretq_s16_u16(sum);
}

/* Four rows, each sample at its own phase between them. */
static inline void store_down(const int16x8_t tap[4], int16x8_t t, uint8_t *dst)
{
    int16x8_t w[4], sum = vdupq_n_s16(ZT_SPLINE_ROUNDING);

    find_weights(t, w);
    for (int k = 0; k < 4; k++)
        sum = vaddq_s16(sum, vqrdmulhq_s16(tap[k], w[k]));
    vst1_u8(dst, vqmovun_s16(vshrq_n_s16(sum, 7)));
}

static void draw8(const struct zt_plane *plane, int32_t x, int32_t y, int32_t dx, int32_t dy,
                  uint8_t *dst)
{
    int32_t x_first = x >> 16, x_last = (x + 7 * dx) >> 16;
    int32_t y_first = y >> 16, y_last = (y + 7 * dy) >> 16;
    int32_t x_min = x_first < x_last ? x_first : x_last;
    int32_t y_min = y_first < y_last ? y_first : y_last;
    int32_t more = y_first + y_last - 2 * y_min;
    int16x8_t fraction, row[4 + STARTS - 1], tap[4];
    struct taps t;

    if (x_first + x_last - 2 * x_min > 12 || more >= STARTS) {
        zt_warp_span_scalar(plane, x, y, dx, dy, 8, dst);
        return;
    }
    const uint8_t *at = plane->at + (ptrdiff_t)(y_min - 1) * (ptrdiff_t)plane->stride + (x_min - 1);
    t.first = vmovn_u16(vreinterpretq_u16_s16(split_steps(x, dx, x_min, &fraction)));
    find_weights(fraction, t.w);
    int16x8_t starts = split_steps(y, dy, y_min, &fraction);
    for (int i = 0; i < 4; i++)
        tap[i] = row[i] = filter_across(at + (size_t)i * plane->stride, &t);
    for (int start = 1; start <= more; start++) {
        uint16x8_t here = vcgtq_s16(starts, vdupq_n_s16((int16_t)(start - 1)));
        row[start + 3] = filter_across(at + (size_t)(start + 3) * plane->stride, &t);
        for (int k = 0; k < 4; k++)
            tap[k] = vbslq_s16(here, row[start + k], tap[k]);
    }
    store_down(tap, fraction, dst);
}

void zt_warp_cell_neon(const struct zt_plane *plane, const struct zt_warp_corners *corners,
                       uint8_t *dst, size_t stride)
{
    for (int y = 0; y < ZT_CELL; y++, dst += stride) {
        struct zt_warp_step s = zt_warp_row(corners, y);
        draw8(plane, s.x, s.y, s.dx, s.dy, dst);
        draw8(plane, s.x + 8 * s.dx, s.y + 8 * s.dy, s.dx, s.dy, dst + 8);
    }
}

/* ---- straight cells ------------------------------------------------------------------------ */

/* The first pass for columns 8 * half and on: each source row at them. */
static void filter_rows(const struct zt_plane *plane, const struct zt_warp_columns *c, int half,
                        int16x8_t (*row)[2])
{
    const uint8_t *from = plane->at + (ptrdiff_t)c->first * (ptrdiff_t)plane->stride + c->left - 1;
    int32_t x[8], step[8];
    struct taps t;

    for (int i = 0; i < 8; i++) {
        step[i] = c->lean + ((c->turn * (8 * half + i)) >> ZT_CELL_BITS);
        x[i] = c->x + (8 * half + i) * c->dx + ((step[i] * (c->group - 1)) >> 1);
    }
    int32x4_t low = vld1q_s32(x), high = vld1q_s32(x + 4);
    for (int i = 0; i < c->rows;) {
        int end = i + c->group < c->rows ? i + c->group : c->rows;
        int32_t left = vgetq_lane_s32(low, 0) >> 16;
        int16x8_t fraction;
        t.first = vmovn_u16(vreinterpretq_u16_s16(split(low, high, left, &fraction)));
        find_weights(fraction, t.w);
        for (; i < end; i++)
            row[i][half] = filter_across(from + left + (size_t)i * plane->stride, &t);
        low = vmlaq_n_s32(low, vld1q_s32(step), c->group);
        high = vmlaq_n_s32(high, vld1q_s32(step + 4), c->group);
    }
}

void zt_warp_straight_neon(const struct zt_plane *plane, const struct zt_warp_corners *corners,
                           const struct zt_warp_columns *columns, uint8_t *dst, size_t stride)
{
    int16x8_t across[ZT_WARP_ROWS][2], fraction;

    filter_rows(plane, columns, 0, across);
    filter_rows(plane, columns, 1, across);
    for (int j = 0; j < ZT_CELL; j++, dst += stride) {
        struct zt_warp_step s = zt_warp_row(corners, j);
        int first = s.y >> 16, last = (s.y + 15 * s.dy) >> 16;
        int top = first < last ? first : last;
        int16x8_t(*row)[2] = across + (top - 1 - columns->first);
        for (int half = 0; half < 2; half++) {
            int16x8_t starts = split_steps(s.y + 8 * half * s.dy, s.dy, top, &fraction);
            uint16x8_t lower = vcgtq_s16(starts, vdupq_n_s16(0));
            int16x8_t tap[4];
            for (int k = 0; k < 4; k++)
                tap[k] =
                    first != last ? vbslq_s16(lower, row[k + 1][half], row[k][half]) : row[k][half];
            store_down(tap, fraction, dst + 8 * half);
        }
    }
}

#endif
