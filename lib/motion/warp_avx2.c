/*
 * warp_avx2.c - the vector path of warp.c: sixteen samples of a row at a time.
 *
 * Neighbouring samples look at neighbouring places, so instead of gathering 16 taps for each of
 * them, the 16 bytes that eight samples touch are loaded once a source row and dealt out by a byte
 * shuffle. Where eight spread wider (a strong shrink, a steep turn) the scalar path does them; the
 * numbers are the same.
 */
#include "motion/warp_cell.h"

#ifdef ZT_WARP_AVX2

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2"), always_inline)) static inline

/* Source rows that eight samples of a frame row may start on. */
#define STARTS 4

/* Sixteen positions: low holds 32-bit values 0 ... 3 and 8 ... 11, high the others. */
struct sixteen {
    __m256i low, high;
};

/* Shuffles that deal each sample its taps as the upper bytes of words, and the taps' weights. */
struct taps {
    __m256i deal[4], w[4];
};

AVX2 struct sixteen counted(__m256i at, int32_t step)
{
    const __m256i low = _mm256_setr_epi32(0, 1, 2, 3, 8, 9, 10, 11);
    __m256i v = _mm256_add_epi32(at, _mm256_mullo_epi32(_mm256_set1_epi32(step), low));

    return (struct sixteen){ v, _mm256_add_epi32(v, _mm256_set1_epi32(4 * step)) };
}

/* 15 bits of phase of each, in order. */
AVX2 __m256i phase(struct sixteen v)
{
    const __m256i fraction = _mm256_set1_epi32(0xffff);

    return _mm256_srli_epi16(
        _mm256_packus_epi32(_mm256_and_si256(v.low, fraction), _mm256_and_si256(v.high, fraction)),
        1);
}

AVX2 __m256i whole(struct sixteen v)
{
    return _mm256_packs_epi32(_mm256_srai_epi32(v.low, 16), _mm256_srai_epi32(v.high, 16));
}

AVX2 void find_weights(__m256i t, __m256i w[4])
{
    const __m256i sixth = _mm256_set1_epi16(ZT_SPLINE_SIXTH);
    __m256i u = _mm256_sub_epi16(_mm256_set1_epi16(32767), t);
    __m256i t2 = _mm256_mulhrs_epi16(t, t), t3 = _mm256_mulhrs_epi16(t2, t);
    __m256i u3 = _mm256_mulhrs_epi16(_mm256_mulhrs_epi16(u, u), u);

    w[0] = _mm256_mulhrs_epi16(u3, sixth);
    w[1] = _mm256_add_epi16(_mm256_sub_epi16(_mm256_set1_epi16(ZT_SPLINE_TWO_THIRDS), t2),
                            _mm256_mulhrs_epi16(t3, _mm256_set1_epi16(16384)));
    w[3] = _mm256_mulhrs_epi16(t3, sixth);
    w[2] = _mm256_sub_epi16(_mm256_set1_epi16(INT16_MIN), /* 32768 */
                            _mm256_add_epi16(_mm256_add_epi16(w[0], w[1]), w[3]));
}

/* x counts from the first byte of each eight samples' load on. */
AVX2 void find_taps(struct sixteen x, struct taps *ret)
{
    __m256i tap = _mm256_slli_epi16(whole(x), 8);

    for (int k = 0; k < 4; k++)
        ret->deal[k] = _mm256_add_epi16(tap, _mm256_set1_epi16((int16_t)(k << 8 | 0x80)));
    find_weights(phase(x), ret->w);
}

/* Sixteen samples of a source row, filtered along: 7 bits below the sample, below 2^15. */
AVX2 __m256i filter_across(const uint8_t *left, const uint8_t *right, const struct taps *t)
{
    __m256i bytes = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)left)),
        _mm_loadu_si128((const __m128i *)(const void *)right), 1);
    __m256i sum01 =
        _mm256_add_epi16(_mm256_mulhi_epu16(_mm256_shuffle_epi8(bytes, t->deal[0]), t->w[0]),
                         _mm256_mulhi_epu16(_mm256_shuffle_epi8(bytes, t->deal[1]), t->w[1]));
    __m256i sum23 =
        _mm256_add_epi16(_mm256_mulhi_epu16(_mm256_shuffle_epi8(bytes, t->deal[2]), t->w[2]),
                         _mm256_mulhi_epu16(_mm256_shuffle_epi8(bytes, t->deal[3]), t->w[3]));

    return _mm256_add_epi16(sum01, sum23);
}

/* Four rows, each sample at its own phase between them. */
AVX2 void store_down(const __m256i tap[4], __m256i t, uint8_t *dst)
{
    __m256i w[4];

    find_weights(t, w);
    __m256i sum = _mm256_add_epi16(
        _mm256_add_epi16(_mm256_mulhrs_epi16(tap[0], w[0]), _mm256_mulhrs_epi16(tap[1], w[1])),
        _mm256_add_epi16(_mm256_mulhrs_epi16(tap[2], w[2]), _mm256_mulhrs_epi16(tap[3], w[3])));
    sum = _mm256_srai_epi16(_mm256_add_epi16(sum, _mm256_set1_epi16(ZT_SPLINE_ROUNDING)), 7);
    _mm_storeu_si128((__m128i *)(void *)dst, _mm_packus_epi16(_mm256_castsi256_si128(sum),
                                                              _mm256_extracti128_si256(sum, 1)));
}

/* ---- any cell ------------------------------------------------------------------------------ */

/* Where eight positions begin, in whole samples, and how far they go on. */
struct reach {
    int first, more;
};

AVX2 struct reach reach_of(int32_t at, int32_t step)
{
    int a = at >> 16, b = (at + 7 * step) >> 16;

    return a < b ? (struct reach){ a, b - a } : (struct reach){ b, a - b };
}

/* Sixteen positions, each eight from their own beginning. */
AVX2 struct sixteen within(int32_t at, int32_t step, struct reach left, struct reach right)
{
    __m128i a = _mm_set1_epi32(at - left.first * 65536),
            b = _mm_set1_epi32(at - right.first * 65536);

    return counted(_mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1), step);
}

AVX2 void draw16(const struct zt_plane *plane, struct zt_warp_step s, uint8_t *dst)
{
    struct reach x_left = reach_of(s.x, s.dx), x_right = reach_of(s.x + 8 * s.dx, s.dx);
    struct reach y_left = reach_of(s.y, s.dy), y_right = reach_of(s.y + 8 * s.dy, s.dy);
    int more = y_left.more > y_right.more ? y_left.more : y_right.more;
    ptrdiff_t stride = (ptrdiff_t)plane->stride;
    __m256i row[4 + STARTS - 1], tap[4];
    struct taps t;

    if (x_left.more > 12 || x_right.more > 12 || more >= STARTS) {
        zt_warp_span_scalar(plane, s.x, s.y, s.dx, s.dy, ZT_CELL, dst);
        return;
    }
    const uint8_t *left = plane->at + (y_left.first - 1) * stride + x_left.first - 1;
    const uint8_t *right = plane->at + (y_right.first - 1) * stride + x_right.first - 1;
    struct sixteen y = within(s.y, s.dy, y_left, y_right);
    find_taps(within(s.x, s.dx, x_left, x_right), &t);
    for (int i = 0; i < 4; i++)
        tap[i] = row[i] = filter_across(left + i * stride, right + i * stride, &t);
    for (int start = 1; start <= more; start++) {
        __m256i here = _mm256_cmpgt_epi16(whole(y), _mm256_set1_epi16((int16_t)(start - 1)));
        row[start + 3] =
            filter_across(left + (start + 3) * stride, right + (start + 3) * stride, &t);
        for (int k = 0; k < 4; k++)
            tap[k] = _mm256_blendv_epi8(tap[k], row[start + k], here);
    }
    store_down(tap, phase(y), dst);
}

__attribute__((target("avx2"))) void zt_warp_cell_avx2(const struct zt_plane *plane,
                                                       const struct zt_warp_corners *corners,
                                                       uint8_t *dst, size_t stride)
{
    for (int y = 0; y < ZT_CELL; y++, dst += stride) {
        struct zt_warp_step s = zt_warp_row(corners, y);
        /* What the next cell of the row will touch: 27 rows at once are too many streams for the
         * processor to foresee. */
        const uint8_t *next = plane->at + (ptrdiff_t)(s.y >> 16) * (ptrdiff_t)plane->stride +
                              ((s.x + 32 * s.dx) >> 16) + 2;
        _mm_prefetch((const char *)next, _MM_HINT_T0);
        _mm_prefetch((const char *)next + plane->stride, _MM_HINT_T0);
        draw16(plane, s, dst);
    }
}

/* ---- straight cells ------------------------------------------------------------------------ */

/* The first pass: each source row at the cell's columns. */
AVX2 void filter_rows(const struct zt_plane *plane, const struct zt_warp_columns *c, __m256i *row)
{
    const uint8_t *from = plane->at + (ptrdiff_t)c->first * (ptrdiff_t)plane->stride + c->left - 1;
    const __m256i lean = _mm256_set1_epi32(c->lean);
    struct sixteen x = counted(_mm256_set1_epi32(c->x), c->dx);
    struct sixteen step = counted(_mm256_setzero_si256(), c->turn);

    step.low = _mm256_add_epi32(_mm256_srai_epi32(step.low, ZT_CELL_BITS), lean);
    step.high = _mm256_add_epi32(_mm256_srai_epi32(step.high, ZT_CELL_BITS), lean);
    for (int i = 0; i < c->rows;) {
        int end = i + c->group < c->rows ? i + c->group : c->rows;
        __m256i by = _mm256_set1_epi32(i == 0 ? c->group - 1 : 2 * c->group); /* halves */
        __m256i low = _mm256_mullo_epi32(step.low, by), high = _mm256_mullo_epi32(step.high, by);
        struct taps t;

        x.low = _mm256_add_epi32(x.low, _mm256_srai_epi32(low, 1));
        x.high = _mm256_add_epi32(x.high, _mm256_srai_epi32(high, 1));
        __m256i at = _mm256_shuffle_epi32(_mm256_srai_epi32(x.low, 16), 0);
        const uint8_t *left = from + _mm256_extract_epi32(at, 0);
        const uint8_t *right = from + _mm256_extract_epi32(at, 4);
        at = _mm256_slli_epi32(at, 16);
        find_taps((struct sixteen){ _mm256_sub_epi32(x.low, at), _mm256_sub_epi32(x.high, at) },
                  &t);
        for (; i < end; i++) {
            _mm_prefetch((const char *)right + (ptrdiff_t)i * (ptrdiff_t)plane->stride + 32,
                         _MM_HINT_T0); /* the next cell's */
            row[i] = filter_across(left + (ptrdiff_t)i * (ptrdiff_t)plane->stride,
                                   right + (ptrdiff_t)i * (ptrdiff_t)plane->stride, &t);
        }
    }
}

__attribute__((target("avx2"))) void zt_warp_straight_avx2(const struct zt_plane *plane,
                                                           const struct zt_warp_corners *corners,
                                                           const struct zt_warp_columns *columns,
                                                           uint8_t *dst, size_t stride)
{
    __m256i across[ZT_WARP_ROWS];

    filter_rows(plane, columns, across);
    for (int j = 0; j < ZT_CELL; j++, dst += stride) {
        struct zt_warp_step s = zt_warp_row(corners, j);
        int first = s.y >> 16, last = (s.y + 15 * s.dy) >> 16;
        int top = first < last ? first : last;
        const __m256i *row = across + (top - 1 - columns->first);
        struct sixteen y = counted(_mm256_set1_epi32(s.y - top * 65536), s.dy);
        __m256i tap[4] = { row[0], row[1], row[2], row[3] };

        if (first != last) {
            __m256i lower = _mm256_cmpgt_epi16(whole(y), _mm256_setzero_si256());
            for (int k = 0; k < 4; k++)
                tap[k] = _mm256_blendv_epi8(row[k], row[k + 1], lower);
        }
        store_down(tap, phase(y), dst);
    }
}

#endif
